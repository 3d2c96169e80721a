/* test_base_text.c: SipHash against its authors' vectors, the pseudo-random numbers, addresses and their text, and the names
 * of verdicts, errors, states and timers. */
#include <check.h>
#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include "stack/base/core.h"
#include "stack/base/siphash.h"

/* --- SipHash --- */

/* Aumasson and Bernstein, "SipHash: a fast short-input PRF", and vectors_sip64 of their reference code: key 00 01 .. 0f,
 * input 00 01 .. of so many bytes. Here as numbers: the bytes of the reference read least significant first. */
static const struct { size_t n; uint64_t hash; } vectors[] = {
	{0, UINT64_C(0x726fdb47dd0e0e31)}, {1, UINT64_C(0x74f839c593dc67fd)}, {2, UINT64_C(0x0d6c8009d9a94f5a)},
	{3, UINT64_C(0x85676696d7fb7e2d)}, {7, UINT64_C(0xab0200f58b01d137)}, {8, UINT64_C(0x93f5f5799a932462)},
	{15, UINT64_C(0xa129ca6149be45e5)}, {63, UINT64_C(0x958a324ceb064572)}
};

START_TEST(siphash_gives_its_authors_vectors)
{
	struct siphash_key key = {UINT64_C(0x0706050403020100), UINT64_C(0x0f0e0d0c0b0a0908)};
	uint8_t input[64];

	for (size_t i = 0; i < sizeof input; i++)
		input[i] = (uint8_t)i;
	for (size_t i = 0; i < sizeof vectors / sizeof vectors[0]; i++)
		ck_assert_uint_eq(siphash(key, input, vectors[i].n), vectors[i].hash);
}
END_TEST

START_TEST(the_key_and_every_bit_of_the_input_matter)
{
	struct siphash_key key = {1, 2}, other = {1, 3};
	uint8_t input[40] = {0};
	uint64_t hash = siphash(key, input, sizeof input);

	ck_assert_uint_ne(siphash(other, input, sizeof input), hash);
	ck_assert_uint_ne(siphash(key, input, sizeof input - 1), hash);
	for (size_t bit = 0; bit < 8 * sizeof input; bit++) {
		input[bit / 8] ^= (uint8_t)(1 << bit % 8);
		ck_assert_uint_ne(siphash(key, input, sizeof input), hash);
		input[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
}
END_TEST

/* --- random numbers --- */

START_TEST(xoshiro_gives_the_numbers_of_its_definition)
{
	struct rng rng = {{1, 2, 3, 4}};	/* from this state: 2*5 rotated by 7, times 9; and so on */

	ck_assert_uint_eq(rng_next(&rng), 11520);
	ck_assert_uint_eq(rng_next(&rng), 0);
	ck_assert_uint_eq(rng_next(&rng), 1509978240);
	ck_assert_uint_eq(rng_next(&rng), UINT64_C(1215971899390074240));
}
END_TEST

START_TEST(the_same_seed_gives_the_same_numbers_and_another_seed_others)
{
	struct rng a, b, c;
	bool differ = false;

	rng_seed(&a, 1, 2);
	rng_seed(&b, 1, 2);
	rng_seed(&c, 2, 1);
	for (int i = 0; i < 100; i++) {
		uint64_t n = rng_next(&a);

		ck_assert_uint_eq(n, rng_next(&b));
		differ |= n != rng_next(&c);
	}
	ck_assert(differ);
}
END_TEST

START_TEST(a_seed_of_zeros_is_as_good_as_another)
{
	struct rng rng;
	uint64_t seen = 0;

	rng_seed(&rng, 0, 0);
	for (int i = 0; i < 64; i++)
		seen |= rng_next(&rng);
	ck_assert_uint_eq(seen, UINT64_MAX);
}
END_TEST

START_TEST(numbers_below_a_limit_are_evenly_spread)
{
	struct rng rng;
	uint32_t counts[7] = {0};

	rng_seed(&rng, 3, 3);
	for (int i = 0; i < 70000; i++) {
		uint32_t n = rng_below(&rng, 7);

		ck_assert_uint_lt(n, 7);
		counts[n]++;
	}
	for (int i = 0; i < 7; i++)
		ck_assert(counts[i] > 9500 && counts[i] < 10500);	/* five standard deviations */
	for (int i = 0; i < 1000; i++) {
		ck_assert_uint_eq(rng_below(&rng, 1), 0);
		ck_assert_uint_lt(rng_below(&rng, UINT32_MAX), UINT32_MAX);
		ck_assert_uint_lt(rng_below(&rng, 0x80000001u), 0x80000001u);
	}
}
END_TEST

/* --- addresses --- */

static void formats_as(struct tapir_addr a, const char *wanted)
{
	char text[TAPIR_ADDR_TEXT];

	memset(text, 'x', sizeof text);
	ck_assert_ptr_eq(tapir_addr_format(&a, text), text);
	ck_assert_str_eq(text, wanted);
}

START_TEST(an_ipv4_address_is_held_in_its_mapped_form)
{
	static const uint8_t wanted[16] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 192, 0, 2, 128};	/* RFC 4291 2.5.5.2 */
	struct tapir_addr a = tapir_ipv4(192, 0, 2, 128), six = {{0x20, 1, [15] = 1}};

	ck_assert_mem_eq(a.b, wanted, 16);
	ck_assert(tapir_addr_is_ipv4(&a));
	ck_assert(!tapir_addr_is_ipv4(&six));
}
END_TEST

START_TEST(any_is_all_zero_in_either_family)
{
	struct tapir_addr any = {{0}}, any4 = tapir_ipv4(0, 0, 0, 0), one = tapir_ipv4(0, 0, 0, 1), loopback6 = {{[15] = 1}};

	ck_assert(tapir_addr_is_any(&any));
	ck_assert(tapir_addr_is_any(&any4));
	ck_assert(!tapir_addr_is_any(&one));
	ck_assert(!tapir_addr_is_any(&loopback6));
	ck_assert(!tapir_addr_equal(&any, &any4));
}
END_TEST

START_TEST(ipv4_text_goes_both_ways_for_every_byte)
{
	for (int i = 0; i < 256; i++) {
		struct tapir_addr a = tapir_ipv4((uint8_t)i, (uint8_t)(255 - i), 0, (uint8_t)(i ^ 0x55)), back;
		char text[TAPIR_ADDR_TEXT], wanted[TAPIR_ADDR_TEXT];

		snprintf(wanted, sizeof wanted, "%d.%d.0.%d", i, 255 - i, i ^ 0x55);
		ck_assert_str_eq(tapir_addr_format(&a, text), wanted);
		ck_assert_int_eq(tapir_addr_parse(text, &back), 0);
		ck_assert(tapir_addr_equal(&a, &back));
	}
}
END_TEST

START_TEST(what_is_no_dotted_address_is_refused_and_leaves_the_result_alone)
{
	static const char *const wrong[] = {
		"", ".", "1", "1.2", "1.2.3", "1.2.3.", "1.2.3.4.", "1.2.3.4.5", ".1.2.3.4", "1..2.3", "256.0.0.1", "1.2.3.256",
		"1.2.3.4294967297", "99999999999999999999.1.1.1", "01.2.3.4", "1.2.3.00", "1.2.3.4 ", " 1.2.3.4", "1.2.3.-4",
		"+1.2.3.4", "1.2.3.4x", "0x1.2.3.4", "a.b.c.d", "::1", "::ffff:1.2.3.4", "1,2,3,4"
	};

	for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
		struct tapir_addr a = tapir_ipv4(9, 9, 9, 9), before = a;

		ck_assert_msg(tapir_addr_parse(wrong[i], &a) == TAPIR_EINVAL, "\"%s\" was taken", wrong[i]);
		ck_assert(tapir_addr_equal(&a, &before));
	}
}
END_TEST

START_TEST(ipv6_text_is_that_of_rfc_5952)
{
	formats_as((struct tapir_addr){{0}}, "::");
	formats_as((struct tapir_addr){{[15] = 1}}, "::1");
	formats_as((struct tapir_addr){{0x20, 1, 0x0d, 0xb8}}, "2001:db8::");
	formats_as((struct tapir_addr){{0x20, 1, 0x0d, 0xb8, [15] = 1}}, "2001:db8::1");
	/* 4.2.2: one zero group is not shortened; 4.2.3: the longest run, the first of equals */
	formats_as((struct tapir_addr){{0x20, 1, 0x0d, 0xb8, 0, 0, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1}}, "2001:db8:0:1:1:1:1:1");
	formats_as((struct tapir_addr){{0x20, 1, 0, 0, 0, 0, 0, 1, [15] = 1}}, "2001:0:0:1::1");
	formats_as((struct tapir_addr){{0x20, 1, 0x0d, 0xb8, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 1}}, "2001:db8::1:0:0:1");
	/* 4.1, 4.3: no leading zeros, lower case */
	formats_as((struct tapir_addr){{0xfe, 0x80, [8] = 0x0A, 0xbc, 0xDE, 0xF0, 0, 0x12, 0xff, 0xff}}, "fe80::abc:def0:12:ffff");
	formats_as((struct tapir_addr){{0, 1, 0, 2, 0, 3, 0, 4, 0, 5, 0, 6, 0, 7, 0, 8}}, "1:2:3:4:5:6:7:8");
	formats_as((struct tapir_addr){{[0] = 0xff, 0xff, [14] = 0xff, 0xff}}, "ffff::ffff");
}
END_TEST

START_TEST(the_longest_text_fits)
{
	struct tapir_addr a;
	char text[TAPIR_ADDR_TEXT];

	memset(a.b, 0xff, sizeof a.b);
	ck_assert_str_eq(tapir_addr_format(&a, text), "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff");
	a = tapir_ipv4(255, 255, 255, 255);
	ck_assert_str_eq(tapir_addr_format(&a, text), "255.255.255.255");
}
END_TEST

/* --- names --- */

START_TEST(every_verdict_has_a_name_and_a_sentence_of_its_own)
{
	for (int v = 0; v < TAPIR_VERDICT_COUNT; v++) {
		const char *name = tapir_verdict_name((enum tapir_verdict)v);

		ck_assert(v == ACCEPT || v == ACCEPT_COOKIE || v == HELD || v == HELD_FRAGMENT || strncmp(name, "DROP_", 5) == 0);
		ck_assert_uint_gt(strlen(tapir_verdict_text((enum tapir_verdict)v)), 5);
		for (int other = 0; other < v; other++) {
			ck_assert_str_ne(name, tapir_verdict_name((enum tapir_verdict)other));
			ck_assert_str_ne(tapir_verdict_text((enum tapir_verdict)v),
					 tapir_verdict_text((enum tapir_verdict)other));
		}
	}
	ck_assert_str_eq(tapir_verdict_name(DROP_TCP_CHECKSUM), "DROP_TCP_CHECKSUM");
	ck_assert_str_eq(tapir_verdict_text(DROP_TCP_CHECKSUM), "TCP checksum is wrong (RFC 9293 3.1 MUST-3)");
}
END_TEST

START_TEST(every_error_is_negative_and_has_a_name_and_a_sentence_of_its_own)
{
	static const int errors[] = {
#define X(name, number, sentence) TAPIR_##name,
		TAPIR_ERRORS(X)
#undef X
	};

	for (size_t i = 0; i < sizeof errors / sizeof errors[0]; i++) {
		ck_assert_int_lt(errors[i], 0);
		ck_assert_int_eq(tapir_errname(errors[i])[0], 'E');
		ck_assert_uint_gt(strlen(tapir_strerror(errors[i])), 5);
		for (size_t other = 0; other < i; other++) {
			ck_assert_int_ne(errors[i], errors[other]);
			ck_assert_str_ne(tapir_errname(errors[i]), tapir_errname(errors[other]));
			ck_assert_str_ne(tapir_strerror(errors[i]), tapir_strerror(errors[other]));
		}
	}
	ck_assert_str_eq(tapir_errname(TAPIR_EAGAIN), "EAGAIN");
}
END_TEST

START_TEST(a_number_that_is_no_error_has_words_too)
{
	ck_assert_str_eq(tapir_errname(0), "OK");
	ck_assert_str_eq(tapir_strerror(0), "no error");
	ck_assert_str_eq(tapir_errname(-9999), "unknown");
	ck_assert_str_eq(tapir_errname(1), "unknown");
	ck_assert_str_eq(tapir_errname(INT32_MIN), "unknown");
	ck_assert_uint_gt(strlen(tapir_strerror(-9999)), 5);
}
END_TEST

START_TEST(the_states_have_the_names_of_rfc_9293)
{
	static const char *const wanted[] = {"CLOSED", "LISTEN", "SYN-SENT", "SYN-RECEIVED", "ESTABLISHED", "FIN-WAIT-1",
					     "FIN-WAIT-2", "CLOSE-WAIT", "CLOSING", "LAST-ACK", "TIME-WAIT"};

	for (int s = TAPIR_TCP_CLOSED; s <= TAPIR_TCP_TIME_WAIT; s++)
		ck_assert_str_eq(tapir_tcp_state_name((enum tapir_tcp_state)s), wanted[s]);
	for (int timer = 0; timer < TAPIR_TIMER_COUNT; timer++)
		ck_assert(isupper((unsigned char)tapir_timer_name((enum tapir_tcp_timer)timer)[0]) ||
			  timer == TAPIR_TIMER_2MSL);
	ck_assert_str_eq(tapir_timer_name(TAPIR_TIMER_RTO), "RTO");
	ck_assert_str_eq(tapir_timer_name(TAPIR_TIMER_2MSL), "2MSL");
}
END_TEST

/* --- verdict_count --- */

static struct tapir_event seen;
static int seen_count;

static void look(void *ctx, const struct tapir_event *event)
{
	ck_assert_ptr_eq(ctx, &seen);
	seen = *event;
	seen_count++;
}

START_TEST(a_verdict_is_counted_once_and_reported_once)
{
	static struct tapir t;

	memset(&t, 0, sizeof t);
	t.now_us = 77;
	ck_assert_int_eq(verdict_count(&t, DROP_ARP_OP, 60), DROP_ARP_OP);	/* nobody looks */
	t.cfg.probe = look;
	t.cfg.probe_ctx = &seen;
	seen_count = 0;
	verdict_count(&t, DROP_ARP_OP, 61);
	ck_assert_uint_eq(t.counts[DROP_ARP_OP], 2);
	ck_assert_int_eq(seen_count, 1);
	ck_assert_int_eq(seen.kind, TAPIR_EV_VERDICT);
	ck_assert_int_eq(seen.u.verdict.verdict, DROP_ARP_OP);
	ck_assert_uint_eq(seen.u.verdict.frame_len, 61);
	ck_assert_uint_eq(seen.now_us, 77);
	ck_assert_str_eq(seen.why, tapir_verdict_text(DROP_ARP_OP));
}
END_TEST

START_TEST(views_of_bytes_stay_within_them)
{
	struct span s = span_of("0123456789", 10);

	ck_assert_uint_eq(span_from(s, 3).n, 7);
	ck_assert_int_eq(span_from(s, 3).p[0], '3');
	ck_assert_uint_eq(span_from(s, 10).n, 0);
	ck_assert_uint_eq(span_from(s, SIZE_MAX).n, 0);
	ck_assert_ptr_eq(span_from(s, SIZE_MAX).p, s.p + 10);
	ck_assert_uint_eq(span_first(s, 4).n, 4);
	ck_assert_uint_eq(span_first(s, 11).n, 10);
}
END_TEST

START_TEST(numbers_go_to_the_wire_most_significant_byte_first)
{
	uint8_t p[4];

	put_be32(p, 0x01fe02fd);
	ck_assert_mem_eq(p, "\x01\xfe\x02\xfd", 4);
	ck_assert_uint_eq(get_be32(p), 0x01fe02fd);
	put_be16(p, 0xff01);
	ck_assert_mem_eq(p, "\xff\x01\x02\xfd", 4);
	ck_assert_uint_eq(get_be16(p), 0xff01);
	put_be32(p, UINT32_MAX);
	ck_assert_uint_eq(get_be32(p), UINT32_MAX);
}
END_TEST

Suite *suite(void)
{
	Suite *s = suite_create("base: hash, numbers, words");
	TCase *c = tcase_create("base");

	tcase_add_test(c, siphash_gives_its_authors_vectors);
	tcase_add_test(c, the_key_and_every_bit_of_the_input_matter);
	tcase_add_test(c, xoshiro_gives_the_numbers_of_its_definition);
	tcase_add_test(c, the_same_seed_gives_the_same_numbers_and_another_seed_others);
	tcase_add_test(c, a_seed_of_zeros_is_as_good_as_another);
	tcase_add_test(c, numbers_below_a_limit_are_evenly_spread);
	tcase_add_test(c, an_ipv4_address_is_held_in_its_mapped_form);
	tcase_add_test(c, any_is_all_zero_in_either_family);
	tcase_add_test(c, ipv4_text_goes_both_ways_for_every_byte);
	tcase_add_test(c, what_is_no_dotted_address_is_refused_and_leaves_the_result_alone);
	tcase_add_test(c, ipv6_text_is_that_of_rfc_5952);
	tcase_add_test(c, the_longest_text_fits);
	tcase_add_test(c, every_verdict_has_a_name_and_a_sentence_of_its_own);
	tcase_add_test(c, every_error_is_negative_and_has_a_name_and_a_sentence_of_its_own);
	tcase_add_test(c, a_number_that_is_no_error_has_words_too);
	tcase_add_test(c, the_states_have_the_names_of_rfc_9293);
	tcase_add_test(c, a_verdict_is_counted_once_and_reported_once);
	tcase_add_test(c, views_of_bytes_stay_within_them);
	tcase_add_test(c, numbers_go_to_the_wire_most_significant_byte_first);
	suite_add_tcase(s, c);
	return s;
}
