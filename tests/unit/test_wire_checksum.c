/* test_wire_checksum.c: the Internet checksum (RFC 1071) against its own text and against the plainest way to write it, and
 * the completion of partial checksums in frames that leave (stack/wire/offload.c). */
#include <check.h>
#include "stack/base/out.h"
#include "stack/base/siphash.h"
#include "stack/wire/checksum.h"
#include "tests/support/exact.h"

/* RFC 1071 4.1, word by word. */
static uint16_t plain_sum(const uint8_t *p, size_t n)
{
	uint32_t sum = 0;

	for (size_t i = 0; i < n; i++)
		sum += i & 1 ? p[i] : (uint32_t)p[i] << 8;
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)sum;
}

static void fill_random(struct rng *rng, uint8_t *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		p[i] = (uint8_t)rng_next(rng);
}

START_TEST(the_example_of_rfc_1071_sums_to_ddf2)
{
	static const uint8_t bytes[] = {0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7};	/* RFC 1071 3 */

	ck_assert_uint_eq(checksum_fold(checksum_add(0, span_of(bytes, sizeof bytes))), 0xddf2);
	ck_assert_uint_eq(checksum_finish(checksum_add(0, span_of(bytes, sizeof bytes))), 0x220d);
}
END_TEST

START_TEST(every_length_and_alignment_sums_as_the_plain_way_does)
{
	uint8_t bytes[300];
	struct rng rng;

	rng_seed(&rng, 1071, 1);
	fill_random(&rng, bytes, sizeof bytes);
	for (size_t at = 0; at < 9; at++)
		for (size_t n = 0; n + at <= sizeof bytes; n++) {
			struct span s = exact_copy(bytes + at, n);

			ck_assert_uint_eq(checksum_fold(checksum_add(0, s)), plain_sum(bytes + at, n));
			ck_assert_uint_eq(checksum_fold(checksum_add(0, span_of(bytes + at, n))), plain_sum(bytes + at, n));
			exact_free(s);
		}
}
END_TEST

START_TEST(a_datagram_of_all_ones_does_not_overflow)
{
	static uint8_t bytes[65535];

	memset(bytes, 0xff, sizeof bytes);
	ck_assert_uint_eq(checksum_fold(checksum_add(0, span_of(bytes, sizeof bytes - 1))), 0xffff);
	ck_assert_uint_eq(checksum_fold(checksum_add(0, span_of(bytes, sizeof bytes))), plain_sum(bytes, sizeof bytes));
	ck_assert_uint_eq(checksum_fold(UINT64_MAX), 0xffff);
	ck_assert_uint_eq(checksum_fold(UINT64_MAX - 0xffff), plain_sum((const uint8_t *)"\xff\xff\xff\xff\xff\xff\0\0", 8));
}
END_TEST

START_TEST(a_datagram_in_pieces_sums_as_the_whole_even_at_odd_borders)
{
	uint8_t bytes[257];
	struct rng rng;

	rng_seed(&rng, 1071, 2);
	for (int round = 0; round < 2000; round++) {
		size_t n = 1 + rng_below(&rng, sizeof bytes - 1), done = 0;
		uint64_t sum = 0;

		fill_random(&rng, bytes, n);
		while (done < n) {
			size_t piece = 1 + rng_below(&rng, (uint32_t)(n - done));
			struct span s = span_of(bytes + done, piece);

			sum = done & 1 ? checksum_add_odd(sum, s) : checksum_add(sum, s);
			done += piece;
		}
		ck_assert_uint_eq(checksum_fold(sum), plain_sum(bytes, n));
	}
}
END_TEST

START_TEST(summing_while_copying_gives_the_same_sum_and_a_copy)
{
	uint8_t bytes[400], copy[400 + 2];
	struct rng rng;

	rng_seed(&rng, 1071, 5);
	for (size_t n = 0; n <= sizeof bytes; n++) {
		fill_random(&rng, bytes, sizeof bytes);
		memset(copy, 0xee, sizeof copy);
		ck_assert_uint_eq(checksum_fold(checksum_copy(7, copy + 1, span_of(bytes, n))),
				  checksum_fold(checksum_add(7, span_of(bytes, n))));
		ck_assert_mem_eq(copy + 1, bytes, n);
		ck_assert_uint_eq(copy[0], 0xee);
		ck_assert_uint_eq(copy[n + 1], 0xee);
	}
}
END_TEST

START_TEST(a_message_with_its_checksum_is_ok_and_any_flipped_bit_is_not)
{
	static const uint8_t header[] = {0x45, 0x00, 0x00, 0x73, 0x00, 0x00, 0x40, 0x00, 0x40, 0x11,
					 0xb8, 0x61, 0xc0, 0xa8, 0x00, 0x01, 0xc0, 0xa8, 0x00, 0xc7};
	uint8_t broken[sizeof header];

	ck_assert(checksum_ok(0, span_of(header, sizeof header)));
	for (size_t bit = 0; bit < 8 * sizeof header; bit++) {
		memcpy(broken, header, sizeof header);
		broken[bit / 8] ^= (uint8_t)(1 << bit % 8);
		ck_assert(!checksum_ok(0, span_of(broken, sizeof broken)));
	}
}
END_TEST

START_TEST(the_ipv4_pseudo_header_is_that_of_rfc_9293_3_1)
{
	struct tapir_addr src = tapir_ipv4(192, 168, 0, 31), dst = tapir_ipv4(10, 0, 255, 254);
	static const uint8_t header[12] = {192, 168, 0, 31, 10, 0, 255, 254, 0, 6, 0x12, 0x34};

	ck_assert_uint_eq(checksum_fold(checksum_pseudo(&src, &dst, 6, 0x1234)), plain_sum(header, sizeof header));
}
END_TEST

START_TEST(the_ipv6_pseudo_header_is_that_of_rfc_8200_8_1)
{
	struct tapir_addr src = {{0x20, 0x01, 0x0d, 0xb8, [15] = 1}}, dst = {{0xfe, 0x80, [14] = 0xab, 0xcd}};
	uint8_t header[40] = {[32] = 0x00, 0x01, 0x23, 0x45, [39] = 17};

	memcpy(header, src.b, 16);
	memcpy(header + 16, dst.b, 16);
	ck_assert_uint_eq(checksum_fold(checksum_pseudo(&src, &dst, 17, 0x12345)), plain_sum(header, sizeof header));
}
END_TEST

/* --- partial checksums --- */

#define HEADERS 34u		/* of which the first 14 are no part of the sum */
#define FIELD_AT 16u

/* A frame with random headers and so many slices of random bytes, its checksum partial. Its plain copy goes to flat. */
static void make_partial(struct rng *rng, struct tapir_out *out, uint8_t *flat, uint16_t slices)
{
	static uint8_t text[TAPIR_OUT_SLICES][90];
	uint8_t *head;

	out_begin(out);
	head = out_push(out, HEADERS - 14);
	fill_random(rng, head, HEADERS - 14);
	out->offload.csum = TAPIR_CSUM_PARTIAL;
	out->offload.csum_start = 0;
	out->offload.csum_offset = FIELD_AT;
	fill_random(rng, out_push(out, 14), 14);
	for (uint16_t i = 0; i < slices; i++) {
		size_t n = rng_below(rng, sizeof text[i] + 1);

		fill_random(rng, text[i], n);
		out_slice(out, span_of(text[i], n));
	}
	tapir_out_copy(out, flat, true);
}

/* What the checksum field must hold: the field's own partial sum counts, as virtio_net_hdr says. */
static uint16_t wanted(const uint8_t *flat, size_t n)
{
	uint16_t value = (uint16_t)~plain_sum(flat + 14, n - 14);

	return value ? value : 0xffff;
}

START_TEST(offsets_move_with_the_headers_pushed_in_front)
{
	struct tapir_out out;

	out_begin(&out);
	out_push(&out, 20);
	out.offload = (struct tapir_offload){.csum = TAPIR_CSUM_PARTIAL, .csum_offset = 16, .gso = TAPIR_GSO_TCP4, .hdr_len = 20};
	out_push(&out, 20);
	out_push(&out, 14);
	ck_assert_uint_eq(out.offload.csum_start, 34);
	ck_assert_uint_eq(out.offload.csum_offset, 16);
	ck_assert_uint_eq(out.offload.hdr_len, 54);
	ck_assert_uint_eq(out.head_len, 54);
	ck_assert_uint_eq(out.head_at + out.head_len, TAPIR_OUT_HEAD);
	ck_assert_uint_eq(out.len, 54);
}
END_TEST

START_TEST(a_partial_checksum_is_completed_in_place_when_the_driver_cannot)
{
	static uint8_t flat[65536], done[65536];
	struct tapir_offload_caps none = {0};
	struct tapir_out out;
	struct rng rng;

	rng_seed(&rng, 1071, 3);
	for (uint16_t round = 0; round < 800; round++) {
		make_partial(&rng, &out, flat, round % (TAPIR_OUT_SLICES + 1));
		out_finish(&out, &none);
		ck_assert_int_eq(out.offload.csum, TAPIR_CSUM_NONE);
		tapir_out_copy(&out, done, true);
		ck_assert_uint_eq(get_be16(done + 14 + FIELD_AT), wanted(flat, out.len));
		put_be16(flat + 14 + FIELD_AT, get_be16(done + 14 + FIELD_AT));
		ck_assert_mem_eq(done, flat, out.len);		/* and nothing else has changed */
	}
}
END_TEST

START_TEST(a_partial_checksum_is_left_to_a_driver_that_can)
{
	static uint8_t flat[65536], done[65536];
	struct tapir_offload_caps caps = {.csum = true};
	struct tapir_offload before;
	struct tapir_out out;
	struct rng rng;

	rng_seed(&rng, 1071, 4);
	make_partial(&rng, &out, flat, 5);
	before = out.offload;
	out_finish(&out, &caps);
	ck_assert_mem_eq(&out.offload, &before, sizeof before);
	tapir_out_copy(&out, done, true);
	ck_assert_mem_eq(done, flat, out.len);
	tapir_out_copy(&out, done, false);
	ck_assert_uint_eq(get_be16(done + 14 + FIELD_AT), wanted(flat, out.len));
}
END_TEST

START_TEST(a_completed_checksum_is_never_zero)
{
	static const uint8_t zero_sum[4] = {0xff, 0xff, 0, 0};	/* complement of the sum: 0 */
	struct tapir_offload_caps none = {0};
	struct tapir_out out;

	out_begin(&out);
	memcpy(out_push(&out, 4), zero_sum, 4);
	out.offload = (struct tapir_offload){.csum = TAPIR_CSUM_PARTIAL, .csum_offset = 2};
	out_finish(&out, &none);
	ck_assert_uint_eq(get_be16(out.head + out.head_at + 2), 0xffff);	/* RFC 768 */
}
END_TEST

START_TEST(an_empty_slice_takes_no_place)
{
	struct tapir_out out;

	out_begin(&out);
	out_slice(&out, span_of("abc", 0));
	ck_assert_uint_eq(out.slice_count, 0);
	out_slice(&out, span_of("abc", 3));
	ck_assert_uint_eq(out.slice_count, 1);
	ck_assert_uint_eq(out.len, 3);
}
END_TEST

Suite *suite(void)
{
	Suite *s = suite_create("wire/checksum");
	TCase *c = tcase_create("RFC 1071"), *p = tcase_create("partial");

	tcase_add_test(c, the_example_of_rfc_1071_sums_to_ddf2);
	tcase_add_test(c, every_length_and_alignment_sums_as_the_plain_way_does);
	tcase_add_test(c, a_datagram_of_all_ones_does_not_overflow);
	tcase_add_test(c, a_datagram_in_pieces_sums_as_the_whole_even_at_odd_borders);
	tcase_add_test(c, summing_while_copying_gives_the_same_sum_and_a_copy);
	tcase_add_test(c, a_message_with_its_checksum_is_ok_and_any_flipped_bit_is_not);
	tcase_add_test(c, the_ipv4_pseudo_header_is_that_of_rfc_9293_3_1);
	tcase_add_test(c, the_ipv6_pseudo_header_is_that_of_rfc_8200_8_1);
	tcase_add_test(p, offsets_move_with_the_headers_pushed_in_front);
	tcase_add_test(p, a_partial_checksum_is_completed_in_place_when_the_driver_cannot);
	tcase_add_test(p, a_partial_checksum_is_left_to_a_driver_that_can);
	tcase_add_test(p, a_completed_checksum_is_never_zero);
	tcase_add_test(p, an_empty_slice_takes_no_place);
	suite_add_tcase(s, c);
	suite_add_tcase(s, p);
	return s;
}
