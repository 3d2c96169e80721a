/* test_wire_icmp_udp.c: ICMP messages (RFC 792) and UDP headers (RFC 768): known bytes, both directions, every truncation,
 * every flipped bit, random bytes. */
#include <check.h>
#include "stack/base/siphash.h"
#include "stack/wire/checksum.h"
#include "stack/wire/icmp.h"
#include "stack/wire/ipv4.h"
#include "stack/wire/udp.h"
#include "tests/support/exact.h"

static struct tapir_addr src, dst;

static void set_addresses(void)
{
	src = tapir_ipv4(10, 0, 0, 1);
	dst = tapir_ipv4(10, 0, 0, 2);
}

static void fill_random(struct rng *rng, uint8_t *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		p[i] = (uint8_t)rng_next(rng);
}

static enum tapir_verdict parse_icmp(const uint8_t *p, size_t n)
{
	struct span s = exact_copy(p, n), payload;
	struct icmp_header h;
	enum tapir_verdict v = icmp_parse(s, &h, &payload);

	if (v == ACCEPT) {
		ck_assert_ptr_eq(payload.p, s.p + ICMP_HEADER);
		ck_assert_uint_eq(payload.n, n - ICMP_HEADER);
	}
	exact_free(s);
	return v;
}

/* --- ICMP --- */

START_TEST(an_empty_echo_request_has_checksum_f7ff)
{
	static const uint8_t wanted[ICMP_HEADER] = {8, 0, 0xf7, 0xff, 0, 0, 0, 0};
	struct icmp_header h = {.type = ICMP_ECHO};
	uint8_t p[ICMP_HEADER];

	icmp_emit(&h, p, 0);
	ck_assert_mem_eq(p, wanted, sizeof p);
	ck_assert_int_eq(parse_icmp(wanted, sizeof wanted), ACCEPT);
}
END_TEST

START_TEST(icmp_parse_is_the_inverse_of_emit_for_every_length)
{
	uint8_t p[ICMP_HEADER + 200];
	struct rng rng;

	rng_seed(&rng, 792, 0);
	for (size_t n = 0; n <= 200; n++) {
		struct icmp_header h = {.type = (uint8_t)rng_next(&rng), .code = (uint8_t)rng_next(&rng),
					.id = (uint16_t)rng_next(&rng), .seq = (uint16_t)rng_next(&rng)}, back;
		struct span payload;

		fill_random(&rng, p, sizeof p);
		icmp_emit(&h, p, n);
		ck_assert_int_eq(icmp_parse(span_of(p, ICMP_HEADER + n), &back, &payload), ACCEPT);
		ck_assert_uint_eq(back.type, h.type);
		ck_assert_uint_eq(back.code, h.code);
		ck_assert_uint_eq(back.id, h.id);
		ck_assert_uint_eq(back.seq, h.seq);
		ck_assert_uint_eq(payload.n, n);
	}
}
END_TEST

START_TEST(an_icmp_message_cut_anywhere_is_refused)
{
	uint8_t p[ICMP_HEADER + 32];
	struct icmp_header h = {.type = ICMP_ECHO, .id = 1, .seq = 1};

	memset(p, 0xa5, sizeof p);		/* so that no cut leaves the sum as it is */
	icmp_emit(&h, p, 32);
	for (size_t n = 0; n < sizeof p; n++)
		ck_assert_int_eq(parse_icmp(p, n), n < ICMP_HEADER ? DROP_ICMP_SHORT : DROP_ICMP_CHECKSUM);
	ck_assert_int_eq(parse_icmp(p, sizeof p), ACCEPT);
}
END_TEST

START_TEST(any_flipped_bit_of_an_icmp_message_is_noticed)
{
	uint8_t p[ICMP_HEADER + 33];
	struct icmp_header h = {.type = ICMP_ECHO, .id = 77, .seq = 1};

	memset(p, 0x5a, sizeof p);
	icmp_emit(&h, p, 33);
	for (size_t bit = 0; bit < 8 * sizeof p; bit++) {
		p[bit / 8] ^= (uint8_t)(1 << bit % 8);
		ck_assert_int_eq(parse_icmp(p, sizeof p), DROP_ICMP_CHECKSUM);
		p[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
}
END_TEST

START_TEST(random_bytes_get_a_verdict_of_icmp)
{
	uint8_t bytes[64];
	struct rng rng;

	rng_seed(&rng, 792, 1);
	for (int i = 0; i < 20000; i++) {
		size_t n = rng_below(&rng, sizeof bytes + 1);
		enum tapir_verdict v;

		fill_random(&rng, bytes, n);
		v = parse_icmp(bytes, n);
		ck_assert(v == ACCEPT || v == DROP_ICMP_SHORT || v == DROP_ICMP_CHECKSUM);
	}
}
END_TEST

/* --- UDP --- */

static enum tapir_verdict parse_udp(const uint8_t *p, size_t n, bool checked)
{
	struct span s = exact_copy(p, n), text;
	struct udp_header h;
	enum tapir_verdict v = udp_parse(s, &src, &dst, checked, &h, &text);

	if (v == ACCEPT) {
		ck_assert_ptr_eq(text.p, s.p + UDP_HEADER);
		ck_assert_uint_eq(text.n + UDP_HEADER, get_be16(p + 4));
		ck_assert_uint_ne(h.dst, 0);
	}
	exact_free(s);
	return v;
}

START_TEST(an_empty_datagram_from_port_1_to_2_has_checksum_ebd8)
{
	/* 0a00 + 0001 + 0a00 + 0002 + 0011 + 0008 + 0001 + 0002 + 0008 = 1427 */
	static const uint8_t wanted[UDP_HEADER] = {0, 1, 0, 2, 0, 8, 0xeb, 0xd8};
	struct udp_header h = {1, 2};
	uint8_t p[UDP_HEADER];

	udp_emit(&h, &src, &dst, p, 0);
	ck_assert_mem_eq(p, wanted, sizeof p);
	ck_assert_int_eq(parse_udp(wanted, sizeof wanted, false), ACCEPT);
}
END_TEST

START_TEST(udp_parse_is_the_inverse_of_emit_for_every_length)
{
	uint8_t p[UDP_HEADER + 200];
	struct rng rng;

	rng_seed(&rng, 768, 0);
	for (size_t n = 0; n <= 200; n++) {
		struct udp_header h = {(uint16_t)rng_next(&rng), (uint16_t)(1 + rng_below(&rng, 65535))}, back;
		struct span text;

		fill_random(&rng, p, sizeof p);
		udp_emit(&h, &src, &dst, p, n);
		ck_assert_uint_ne(get_be16(p + 6), 0);
		ck_assert_int_eq(udp_parse(span_of(p, UDP_HEADER + n), &src, &dst, false, &back, &text), ACCEPT);
		ck_assert_uint_eq(back.src, h.src);
		ck_assert_uint_eq(back.dst, h.dst);
		ck_assert_uint_eq(text.n, n);
		ck_assert_ptr_eq(text.p, p + UDP_HEADER);
	}
}
END_TEST

START_TEST(a_checksum_that_comes_out_as_zero_is_sent_as_all_ones)
{
	struct udp_header h = {1, 2};
	uint8_t p[UDP_HEADER + 2];

	put_be16(p + UDP_HEADER, 0);
	udp_emit(&h, &src, &dst, p, 2);
	put_be16(p + UDP_HEADER, get_be16(p + 6));	/* text that brings the sum to ffff */
	udp_emit(&h, &src, &dst, p, 2);
	ck_assert_uint_eq(get_be16(p + 6), 0xffff);
	ck_assert_int_eq(parse_udp(p, sizeof p, false), ACCEPT);
}
END_TEST

START_TEST(a_datagram_without_a_checksum_is_taken)
{
	static const uint8_t p[] = {0, 1, 0, 2, 0, 12, 0, 0, 't', 'e', 'x', 't'};	/* RFC 1122 4.1.3.4 */

	ck_assert_int_eq(parse_udp(p, sizeof p, false), ACCEPT);
}
END_TEST

START_TEST(a_wrong_checksum_is_noticed_unless_the_driver_vouches_for_it)
{
	uint8_t p[UDP_HEADER + 5] = {[UDP_HEADER] = 'h', 'e', 'l', 'l', 'o'};
	struct udp_header h = {7777, 7};

	udp_emit(&h, &src, &dst, p, 5);
	for (size_t bit = 0; bit < 8 * sizeof p; bit++) {
		p[bit / 8] ^= (uint8_t)(1 << bit % 8);
		ck_assert_int_ne(parse_udp(p, sizeof p, false), ACCEPT);
		if (bit / 8 >= UDP_HEADER)
			ck_assert_int_eq(parse_udp(p, sizeof p, true), ACCEPT);
		p[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
	ck_assert_int_eq(parse_udp(p, sizeof p, false), ACCEPT);
	src = tapir_ipv4(10, 0, 0, 9);			/* the addresses are part of the sum */
	ck_assert_int_eq(parse_udp(p, sizeof p, false), DROP_UDP_CHECKSUM);
}
END_TEST

START_TEST(a_udp_datagram_cut_anywhere_is_refused)
{
	uint8_t p[UDP_HEADER + 20] = {0};
	struct udp_header h = {1, 2};

	udp_emit(&h, &src, &dst, p, 20);
	for (size_t n = 0; n < sizeof p; n++)
		ck_assert_int_eq(parse_udp(p, n, false), n < UDP_HEADER ? DROP_UDP_SHORT : DROP_UDP_LENGTH);
	ck_assert_int_eq(parse_udp(p, sizeof p, false), ACCEPT);
}
END_TEST

START_TEST(a_length_field_below_the_header_is_refused_and_one_below_the_payload_cuts_it)
{
	uint8_t p[UDP_HEADER + 20] = {0};
	struct udp_header h = {1, 2};

	udp_emit(&h, &src, &dst, p, 4);
	ck_assert_int_eq(parse_udp(p, sizeof p, false), ACCEPT);	/* parse_udp looks at the length of the text */
	put_be16(p + 6, 0);
	for (uint16_t len = 0; len < UDP_HEADER; len++) {
		put_be16(p + 4, len);
		ck_assert_int_eq(parse_udp(p, sizeof p, false), DROP_UDP_LENGTH);
	}
}
END_TEST

START_TEST(port_0_is_no_destination)
{
	uint8_t p[UDP_HEADER];
	struct udp_header h = {5, 0};

	udp_emit(&h, &src, &dst, p, 0);
	ck_assert_int_eq(parse_udp(p, sizeof p, false), DROP_UDP_PORT_ZERO);
	h = (struct udp_header){0, 5};			/* as a source it says that no answer is wanted (RFC 768) */
	udp_emit(&h, &src, &dst, p, 0);
	ck_assert_int_eq(parse_udp(p, sizeof p, false), ACCEPT);
}
END_TEST

START_TEST(random_bytes_get_a_verdict_of_udp)
{
	uint8_t bytes[64];
	struct rng rng;

	rng_seed(&rng, 768, 1);
	for (int i = 0; i < 30000; i++) {
		size_t n = rng_below(&rng, sizeof bytes + 1);
		enum tapir_verdict v;

		fill_random(&rng, bytes, n);
		if (n >= UDP_HEADER && i % 2)
			put_be16(bytes + 4, (uint16_t)rng_below(&rng, 70));
		v = parse_udp(bytes, n, i % 3 == 0);
		ck_assert(v == ACCEPT || (v >= DROP_UDP_SHORT && v <= DROP_UDP_PORT_ZERO));
	}
}
END_TEST

Suite *suite(void)
{
	Suite *s = suite_create("wire/icmp, wire/udp");
	TCase *i = tcase_create("RFC 792"), *u = tcase_create("RFC 768");

	tcase_add_checked_fixture(u, set_addresses, NULL);
	tcase_add_test(i, an_empty_echo_request_has_checksum_f7ff);
	tcase_add_test(i, icmp_parse_is_the_inverse_of_emit_for_every_length);
	tcase_add_test(i, an_icmp_message_cut_anywhere_is_refused);
	tcase_add_test(i, any_flipped_bit_of_an_icmp_message_is_noticed);
	tcase_add_test(i, random_bytes_get_a_verdict_of_icmp);
	tcase_add_test(u, an_empty_datagram_from_port_1_to_2_has_checksum_ebd8);
	tcase_add_test(u, udp_parse_is_the_inverse_of_emit_for_every_length);
	tcase_add_test(u, a_checksum_that_comes_out_as_zero_is_sent_as_all_ones);
	tcase_add_test(u, a_datagram_without_a_checksum_is_taken);
	tcase_add_test(u, a_wrong_checksum_is_noticed_unless_the_driver_vouches_for_it);
	tcase_add_test(u, a_udp_datagram_cut_anywhere_is_refused);
	tcase_add_test(u, a_length_field_below_the_header_is_refused_and_one_below_the_payload_cuts_it);
	tcase_add_test(u, port_0_is_no_destination);
	tcase_add_test(u, random_bytes_get_a_verdict_of_udp);
	suite_add_tcase(s, i);
	suite_add_tcase(s, u);
	return s;
}
