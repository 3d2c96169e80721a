/* test_wire_ipv4.c: IPv4 headers (RFC 791 3.1): known bytes, both directions, each reason to refuse one, every truncation,
 * random and mutated bytes. */
#include <check.h>
#include "stack/base/siphash.h"
#include "stack/wire/checksum.h"
#include "stack/wire/ipv4.h"
#include "tests/support/exact.h"

/* A UDP datagram from 192.168.0.1 to 192.168.0.199, 115 bytes, checksum b861: the example of many textbooks. */
static const uint8_t textbook[IPV4_HEADER] = {0x45, 0x00, 0x00, 0x73, 0x00, 0x00, 0x40, 0x00, 0x40, 0x11,
					      0xb8, 0x61, 0xc0, 0xa8, 0x00, 0x01, 0xc0, 0xa8, 0x00, 0xc7};

static void fix_checksum(uint8_t *p)
{
	put_be16(p + 10, 0);
	put_be16(p + 10, checksum_finish(checksum_add(0, span_of(p, (size_t)(p[0] & 15) * 4))));
}

static void fill_random(struct rng *rng, uint8_t *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		p[i] = (uint8_t)rng_next(rng);
}

/* The verdict on a datagram of n bytes at p, from memory of exactly that size. */
static enum tapir_verdict parse(const uint8_t *p, size_t n)
{
	struct span s = exact_copy(p, n), payload;
	struct ipv4_header h;
	enum tapir_verdict v = ipv4_parse(s, &h, &payload);

	if (v == ACCEPT) {
		ck_assert_uint_eq(h.total_len, IPV4_HEADER + h.options.n + payload.n);
		ck_assert_ptr_eq(payload.p, s.p + IPV4_HEADER + h.options.n);
		ck_assert_uint_le(h.total_len, n);
		ck_assert_uint_eq(h.offset % 8, 0);
	}
	exact_free(s);
	return v;
}

/* The same for a good header of 20 bytes with these options, padded with zero bytes, and 8 bytes of payload. */
static enum tapir_verdict parse_options(const uint8_t *options, size_t n)
{
	uint8_t p[IPV4_HEADER_MAX + 8] = {0};
	size_t header = IPV4_HEADER + (n + 3) / 4 * 4;

	memcpy(p, textbook, IPV4_HEADER);
	memcpy(p + IPV4_HEADER, options, n);
	p[0] = (uint8_t)(0x40 | header / 4);
	put_be16(p + 2, (uint16_t)(header + 8));
	fix_checksum(p);
	return parse(p, header + 8);
}

START_TEST(the_textbook_header_parses_to_its_values)
{
	uint8_t p[0x73] = {0};
	struct tapir_addr src = tapir_ipv4(192, 168, 0, 1), dst = tapir_ipv4(192, 168, 0, 199);
	struct ipv4_header h;
	struct span payload;

	memcpy(p, textbook, sizeof textbook);
	ck_assert_int_eq(ipv4_parse(span_of(p, sizeof p), &h, &payload), ACCEPT);
	ck_assert(tapir_addr_equal(&h.src, &src));
	ck_assert(tapir_addr_equal(&h.dst, &dst));
	ck_assert_uint_eq(h.proto, IP_PROTO_UDP);
	ck_assert_uint_eq(h.ttl, 64);
	ck_assert_uint_eq(h.tos, 0);
	ck_assert_uint_eq(h.id, 0);
	ck_assert(h.df && !h.mf);
	ck_assert_uint_eq(h.offset, 0);
	ck_assert_uint_eq(h.total_len, 0x73);
	ck_assert_uint_eq(h.options.n, 0);
	ck_assert_uint_eq(payload.n, 0x73 - IPV4_HEADER);
}
END_TEST

START_TEST(emit_writes_the_textbook_header)
{
	struct ipv4_header h = {.src = tapir_ipv4(192, 168, 0, 1), .dst = tapir_ipv4(192, 168, 0, 199), .proto = 17, .ttl = 64,
				.df = true, .total_len = 0x73};
	uint8_t p[IPV4_HEADER];

	ipv4_emit(&h, p);
	ck_assert_mem_eq(p, textbook, sizeof p);
}
END_TEST

static struct ipv4_header random_header(struct rng *rng)
{
	struct ipv4_header h = {.proto = (uint8_t)rng_next(rng), .ttl = (uint8_t)rng_next(rng), .tos = (uint8_t)rng_next(rng),
				.id = (uint16_t)rng_next(rng), .df = rng_below(rng, 2), .mf = rng_below(rng, 2)};

	h.src = tapir_ipv4((uint8_t)rng_next(rng), 0, 255, (uint8_t)rng_next(rng));
	h.dst = tapir_ipv4((uint8_t)rng_next(rng), 1, 254, (uint8_t)rng_next(rng));
	h.offset = (uint16_t)(8 * rng_below(rng, 8192));
	h.total_len = (uint16_t)(IPV4_HEADER + rng_below(rng, 100));
	return h;
}

START_TEST(parse_is_the_inverse_of_emit)
{
	uint8_t p[IPV4_HEADER + 100] = {0};
	struct rng rng;

	rng_seed(&rng, 791, 0);
	for (int i = 0; i < 5000; i++) {
		struct ipv4_header h = random_header(&rng), back;
		struct span payload;

		ipv4_emit(&h, p);
		ck_assert_int_eq(ipv4_parse(span_of(p, sizeof p), &back, &payload), ACCEPT);
		ck_assert(tapir_addr_equal(&back.src, &h.src) && tapir_addr_equal(&back.dst, &h.dst));
		ck_assert_uint_eq(back.proto, h.proto);
		ck_assert_uint_eq(back.ttl, h.ttl);
		ck_assert_uint_eq(back.tos, h.tos);
		ck_assert_uint_eq(back.id, h.id);
		ck_assert_uint_eq(back.offset, h.offset);
		ck_assert_uint_eq(back.total_len, h.total_len);
		ck_assert_uint_eq(back.df, h.df);
		ck_assert_uint_eq(back.mf, h.mf);
		ck_assert_uint_eq(payload.n, h.total_len - IPV4_HEADER);
	}
}
END_TEST

START_TEST(a_datagram_cut_anywhere_is_refused)
{
	uint8_t p[0x73] = {0};

	memcpy(p, textbook, sizeof textbook);
	for (size_t n = 0; n <= sizeof p; n++)
		ck_assert_int_eq(parse(p, n), n < IPV4_HEADER ? DROP_IP_SHORT : n < sizeof p ? DROP_IP_LENGTH : ACCEPT);
}
END_TEST

START_TEST(a_header_with_options_cut_anywhere_is_refused)
{
	uint8_t p[IPV4_HEADER_MAX] = {0};

	memcpy(p, textbook, sizeof textbook);
	p[0] = 0x4f;
	put_be16(p + 2, sizeof p);
	fix_checksum(p);
	for (size_t n = IPV4_HEADER; n < sizeof p; n++)
		ck_assert_int_eq(parse(p, n), DROP_IP_HEADER_LENGTH);
	ck_assert_int_eq(parse(p, sizeof p), ACCEPT);
}
END_TEST

START_TEST(padding_behind_the_total_length_is_cut_off)
{
	uint8_t p[64] = {0};
	struct ipv4_header h = {.total_len = 28, .proto = 17, .ttl = 1};
	struct span payload;

	ipv4_emit(&h, p);
	ck_assert_int_eq(ipv4_parse(span_of(p, 46), &h, &payload), ACCEPT);
	ck_assert_uint_eq(payload.n, 8);
}
END_TEST

START_TEST(each_defect_has_its_verdict)
{
	uint8_t p[0x73] = {0};

	memcpy(p, textbook, sizeof textbook);
	for (unsigned version = 0; version < 16; version++) {
		p[0] = (uint8_t)(version << 4 | 5);
		fix_checksum(p);
		ck_assert_int_eq(parse(p, sizeof p), version == 4 ? ACCEPT : DROP_IP_VERSION);
	}
	for (unsigned words = 0; words < 5; words++) {
		p[0] = (uint8_t)(0x40 | words);
		ck_assert_int_eq(parse(p, sizeof p), DROP_IP_HEADER_LENGTH);
	}
	memcpy(p, textbook, sizeof textbook);
	for (uint16_t len = 0; len < IPV4_HEADER; len++) {
		put_be16(p + 2, len);
		fix_checksum(p);
		ck_assert_int_eq(parse(p, sizeof p), DROP_IP_LENGTH);
	}
	put_be16(p + 2, sizeof p + 1);
	fix_checksum(p);
	ck_assert_int_eq(parse(p, sizeof p), DROP_IP_LENGTH);
}
END_TEST

START_TEST(any_flipped_bit_of_the_header_is_noticed)
{
	uint8_t p[0x73] = {0};

	memcpy(p, textbook, sizeof textbook);
	for (size_t bit = 0; bit < 8 * IPV4_HEADER; bit++) {
		p[bit / 8] ^= (uint8_t)(1 << bit % 8);
		ck_assert_int_ne(parse(p, sizeof p), ACCEPT);
		p[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
	ck_assert_int_eq(parse(p, sizeof p), ACCEPT);
}
END_TEST

START_TEST(options_are_skipped_if_their_lengths_add_up)
{
	static const uint8_t router_alert[] = {0x94, 4, 0, 0}, record_route[] = {7, 11, 4, 1, 2, 3, 4, 5, 6, 7, 8, 0};
	static const uint8_t nops[] = {1, 1, 1, 1}, unknown[] = {0x5e, 2, 1, 0x5f, 5, 9, 9, 9};
	static const uint8_t rubbish_behind_the_end[] = {1, 0, 0xff, 0xff};

	ck_assert_int_eq(parse_options(router_alert, sizeof router_alert), ACCEPT);
	ck_assert_int_eq(parse_options(record_route, sizeof record_route), ACCEPT);
	ck_assert_int_eq(parse_options(nops, sizeof nops), ACCEPT);
	ck_assert_int_eq(parse_options(unknown, sizeof unknown), ACCEPT);
	ck_assert_int_eq(parse_options(rubbish_behind_the_end, sizeof rubbish_behind_the_end), ACCEPT);
}
END_TEST

START_TEST(a_list_of_options_that_does_not_add_up_is_refused)
{
	static const uint8_t no_length[] = {1, 1, 1, 0x94}, zero[] = {0x94, 0, 0, 0}, one[] = {0x94, 1, 0, 0};
	static const uint8_t past_the_end[] = {0x94, 5, 0, 0}, second_past_the_end[] = {0x94, 4, 0, 0, 0x94, 5, 0, 0};

	ck_assert_int_eq(parse_options(no_length, sizeof no_length), DROP_IP_OPTION);
	ck_assert_int_eq(parse_options(zero, sizeof zero), DROP_IP_OPTION);
	ck_assert_int_eq(parse_options(one, sizeof one), DROP_IP_OPTION);
	ck_assert_int_eq(parse_options(past_the_end, sizeof past_the_end), DROP_IP_OPTION);
	ck_assert_int_eq(parse_options(second_past_the_end, sizeof second_past_the_end), DROP_IP_OPTION);
}
END_TEST

START_TEST(a_source_route_is_refused_wherever_it_stands)
{
	static const uint8_t loose[] = {131, 7, 4, 10, 0, 0, 9, 0}, strict[] = {1, 137, 7, 4, 10, 0, 0, 9};
	static const uint8_t second[] = {0x94, 4, 0, 0, 131, 3, 4, 0};

	ck_assert_int_eq(parse_options(loose, sizeof loose), DROP_IP_SOURCE_ROUTE);
	ck_assert_int_eq(parse_options(strict, sizeof strict), DROP_IP_SOURCE_ROUTE);
	ck_assert_int_eq(parse_options(second, sizeof second), DROP_IP_SOURCE_ROUTE);
}
END_TEST

START_TEST(random_options_are_walked_within_their_bounds)
{
	uint8_t options[40];
	struct rng rng;

	rng_seed(&rng, 791, 1);
	for (int i = 0; i < 20000; i++) {
		size_t n = rng_below(&rng, sizeof options + 1);
		enum tapir_verdict v;

		for (size_t at = 0; at < n; at++)
			options[at] = (uint8_t)(rng_below(&rng, 2) ? rng_below(&rng, 12) : rng_next(&rng));
		v = parse_options(options, n);
		ck_assert(v == ACCEPT || v == DROP_IP_OPTION || v == DROP_IP_SOURCE_ROUTE);
	}
}
END_TEST

START_TEST(random_bytes_get_a_verdict_of_ip)
{
	uint8_t bytes[80];
	struct rng rng;

	rng_seed(&rng, 791, 2);
	for (int i = 0; i < 50000; i++) {
		size_t n = rng_below(&rng, sizeof bytes + 1);
		enum tapir_verdict v;

		fill_random(&rng, bytes, n);
		if (n >= IPV4_HEADER && i % 4)		/* most get further than the first check */
			bytes[0] = (uint8_t)(0x40 | (bytes[0] & 15));
		if (n >= IPV4_HEADER_MAX && i % 2) {
			put_be16(bytes + 2, (uint16_t)rng_below(&rng, 80));
			fix_checksum(bytes);
		}
		v = parse(bytes, n);
		ck_assert(v == ACCEPT || (v >= DROP_IP_SHORT && v <= DROP_IP_SOURCE_ROUTE));
	}
}
END_TEST

/* --- quoted by an ICMP error --- */

START_TEST(a_quoted_header_is_read_whatever_its_checksum_and_however_little_follows)
{
	uint8_t p[0x73] = {0};
	struct ipv4_header h;
	struct span payload;

	memcpy(p, textbook, sizeof textbook);
	p[8] = 1;				/* a router has counted the TTL down */
	for (size_t n = 0; n <= sizeof p; n++) {
		struct span s = exact_copy(p, n);

		ck_assert(ipv4_parse_quoted(s, &h, &payload) == (n >= IPV4_HEADER));
		if (n >= IPV4_HEADER)
			ck_assert(payload.p == s.p + IPV4_HEADER && payload.n == n - IPV4_HEADER && h.total_len == 0x73);
		exact_free(s);
	}
}
END_TEST

START_TEST(random_quotes_are_read_within_their_bounds)
{
	uint8_t bytes[80];
	struct rng rng;

	rng_seed(&rng, 792, 2);
	for (int i = 0; i < 20000; i++) {
		size_t n = rng_below(&rng, sizeof bytes + 1);
		struct span s, payload;
		struct ipv4_header h;

		fill_random(&rng, bytes, n);
		if (n)
			bytes[0] = (uint8_t)(0x40 | (bytes[0] & 15));
		s = exact_copy(bytes, n);
		if (ipv4_parse_quoted(s, &h, &payload))
			ck_assert(payload.p >= s.p + IPV4_HEADER && payload.p + payload.n == s.p + n);
		else
			ck_assert(n < IPV4_HEADER || (bytes[0] & 15) < 5 || (size_t)(bytes[0] & 15) * 4 > n);
		exact_free(s);
	}
}
END_TEST

Suite *suite(void)
{
	Suite *s = suite_create("wire/ipv4");
	TCase *c = tcase_create("RFC 791 3.1");

	tcase_add_test(c, the_textbook_header_parses_to_its_values);
	tcase_add_test(c, emit_writes_the_textbook_header);
	tcase_add_test(c, parse_is_the_inverse_of_emit);
	tcase_add_test(c, a_datagram_cut_anywhere_is_refused);
	tcase_add_test(c, a_header_with_options_cut_anywhere_is_refused);
	tcase_add_test(c, padding_behind_the_total_length_is_cut_off);
	tcase_add_test(c, each_defect_has_its_verdict);
	tcase_add_test(c, any_flipped_bit_of_the_header_is_noticed);
	tcase_add_test(c, options_are_skipped_if_their_lengths_add_up);
	tcase_add_test(c, a_list_of_options_that_does_not_add_up_is_refused);
	tcase_add_test(c, a_source_route_is_refused_wherever_it_stands);
	tcase_add_test(c, random_options_are_walked_within_their_bounds);
	tcase_add_test(c, random_bytes_get_a_verdict_of_ip);
	tcase_add_test(c, a_quoted_header_is_read_whatever_its_checksum_and_however_little_follows);
	tcase_add_test(c, random_quotes_are_read_within_their_bounds);
	suite_add_tcase(s, c);
	return s;
}
