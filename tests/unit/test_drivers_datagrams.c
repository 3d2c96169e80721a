/* test_drivers_datagrams.c: a frame of several UDP datagrams cut up for a capture (drivers/datagrams.c): every field of every
 * datagram, and frames that hide nothing to cut. */
#include <check.h>
#include <string.h>
#include "drivers/segments.h"
#include "stack/wire/checksum.h"
#include "stack/wire/ipv4.h"
#include "stack/wire/udp.h"
#include "tests/support/result.h"

static uint8_t frame[70000], piece[70000];
static struct tapir_offload gso;

static void set_up(void) { gso = (struct tapir_offload){.gso = TAPIR_GSO_UDP}; }

/* n bytes of text behind link bytes, an IPv4 and a UDP header. */
static struct span make(uint32_t link, uint32_t n, uint16_t size)
{
	struct ipv4_header ip = {.src = tapir_ipv4(10, 0, 0, 1), .dst = tapir_ipv4(10, 0, 0, 2), .proto = IP_PROTO_UDP, .ttl = 9,
				 .tos = 4, .id = 65534, .total_len = (uint16_t)(28 + n)};
	struct udp_header udp = {5000, 7};

	for (uint32_t i = 0; i < n; i++)
		frame[link + 28 + i] = (uint8_t)(i * 11 + i / 256);
	ipv4_emit(&ip, frame + link);
	udp_emit(&udp, &ip.src, &ip.dst, frame + link + 20, n);
	gso.gso_size = size;
	return (struct span){frame, link + 28 + n};
}

/* piece[0..n) is datagram i with text_n bytes of text from at. */
static void is_datagram(uint32_t n, uint32_t link, uint32_t i, struct span text)
{
	struct ipv4_header ip;
	struct udp_header udp;
	struct span payload, got;

	ck_assert_mem_eq(piece, frame, link);
	ck_assert_verdict_eq(ipv4_parse((struct span){piece + link, n - link}, &ip, &payload), ACCEPT);
	ck_assert_uint_eq(ip.total_len, n - link);
	ck_assert_uint_eq(ip.id, (uint16_t)(65534 + i));
	ck_assert_uint_eq(ip.ttl, 9);
	ck_assert_uint_eq(ip.tos, 4);
	ck_assert_verdict_eq(udp_parse(payload, &ip.src, &ip.dst, false, &udp, &got), ACCEPT);
	ck_assert_uint_eq(udp.src, 5000);
	ck_assert_uint_eq(udp.dst, 7);
	ck_assert_uint_eq(got.n, text.n);
	ck_assert_mem_eq(got.p, text.p, text.n);
	ck_assert_uint_eq(payload.n, text.n + 8);
}

START_TEST(each_datagram_has_its_own_lengths_checksums_and_identification)
{
	static const struct { uint32_t n; uint16_t size; } cases[] = {
		{2, 1}, {3, 2}, {48, 16}, {49, 16}, {47, 16}, {1473, 1472}, {4000, 1001}, {65000, 1472},
	};
	uint32_t link = _i ? 0 : 14;

	for (size_t c = 0; c < sizeof cases / sizeof cases[0]; c++) {
		struct segments s;
		uint32_t at = 0, i = 0, n;

		ck_assert(segments_begin(&s, make(link, cases[c].n, cases[c].size), &gso, link == 0));
		ck_assert_uint_eq(s.count, (cases[c].n + cases[c].size - 1) / cases[c].size);
		while ((n = segments_next(&s, piece)) > 0) {
			struct span text = {frame + link + 28 + at, n - link - 28};

			is_datagram(n, link, i++, text);
			at += (uint32_t)text.n;
			ck_assert(text.n == cases[c].size || at == cases[c].n);
		}
		ck_assert_uint_eq(at, cases[c].n);
		ck_assert_uint_eq(i, s.count);
	}
}
END_TEST

START_TEST(what_is_one_datagram_is_not_cut)
{
	struct segments s;

	ck_assert(!segments_begin(&s, make(14, 100, 100), &gso, false));
	ck_assert(!segments_begin(&s, make(14, 10, 100), &gso, false));
	ck_assert(!segments_begin(&s, make(14, 100, 0), &gso, false));
}
END_TEST

START_TEST(what_is_no_whole_udp_datagram_is_not_cut)
{
	struct span whole = make(14, 100, 10);
	struct segments s;

	for (size_t n = 0; n <= 14 + 28 + 10; n++)
		ck_assert(!segments_begin(&s, (struct span){whole.p, n}, &gso, false));
	frame[14 + 9] = IP_PROTO_TCP;
	ck_assert(!segments_begin(&s, whole, &gso, false));
	frame[14 + 9] = IP_PROTO_UDP;
	frame[14] = 0x65;
	ck_assert(!segments_begin(&s, whole, &gso, false));
	frame[14] = 0x44;
	ck_assert(!segments_begin(&s, whole, &gso, false));
}
END_TEST

Suite *suite(void)
{
	Suite *s = suite_create("drivers: frames of several datagrams");
	TCase *tc = tcase_create("cut");

	tcase_add_checked_fixture(tc, set_up, NULL);
	tcase_add_loop_test(tc, each_datagram_has_its_own_lengths_checksums_and_identification, 0, 2);
	tcase_add_test(tc, what_is_one_datagram_is_not_cut);
	tcase_add_test(tc, what_is_no_whole_udp_datagram_is_not_cut);
	suite_add_tcase(s, tc);
	return s;
}
