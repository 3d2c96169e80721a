/* test_wire_eth_arp.c: Ethernet II headers (RFC 894) and ARP packets (RFC 826): known bytes, both directions, every
 * truncation, random bytes. */
#include <check.h>
#include "stack/base/siphash.h"
#include "stack/wire/arp.h"
#include "stack/wire/eth.h"
#include "tests/support/exact.h"

/* Who has 10.0.0.2, tell 10.0.0.1; as Linux sends it. */
static const uint8_t request[ETH_HEADER + ARP_PACKET] = {
	0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x02, 0x11, 0x22, 0x33, 0x44, 0x55, 0x08, 0x06,
	0x00, 0x01, 0x08, 0x00, 6, 4, 0x00, 0x01,
	0x02, 0x11, 0x22, 0x33, 0x44, 0x55, 10, 0, 0, 1,
	0, 0, 0, 0, 0, 0, 10, 0, 0, 2
};

static void fill_random(struct rng *rng, uint8_t *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		p[i] = (uint8_t)rng_next(rng);
}

static bool is_ipv4(const struct tapir_addr *a, uint8_t last)
{
	struct tapir_addr wanted = tapir_ipv4(10, 0, 0, last);

	return tapir_addr_equal(a, &wanted);
}

START_TEST(an_ethernet_header_parses_to_its_values)
{
	struct eth_header h;
	struct span payload;

	ck_assert_int_eq(eth_parse(span_of(request, sizeof request), &h, &payload), ACCEPT);
	ck_assert_mem_eq(h.dst, eth_broadcast, 6);
	ck_assert_mem_eq(h.src, request + 6, 6);
	ck_assert_uint_eq(h.type, ETH_TYPE_ARP);
	ck_assert_ptr_eq(payload.p, request + ETH_HEADER);
	ck_assert_uint_eq(payload.n, ARP_PACKET);
	ck_assert(eth_is_group(h.dst));
	ck_assert(!eth_is_group(h.src));
}
END_TEST

START_TEST(a_frame_cut_anywhere_in_its_header_is_short)
{
	for (size_t n = 0; n <= sizeof request; n++) {
		struct span s = exact_copy(request, n), payload;
		struct eth_header h;

		ck_assert_int_eq(eth_parse(s, &h, &payload), n < ETH_HEADER ? DROP_ETH_SHORT : ACCEPT);
		if (n >= ETH_HEADER)
			ck_assert_uint_eq(payload.n, n - ETH_HEADER);
		exact_free(s);
	}
}
END_TEST

START_TEST(ethernet_emit_is_the_inverse_of_parse)
{
	struct eth_header h;
	struct span payload;
	uint8_t in[ETH_HEADER], out[ETH_HEADER];
	struct rng rng;

	rng_seed(&rng, 894, 0);
	for (int i = 0; i < 1000; i++) {
		fill_random(&rng, in, sizeof in);
		ck_assert_int_eq(eth_parse(span_of(in, sizeof in), &h, &payload), ACCEPT);
		eth_emit(&h, out);
		ck_assert_mem_eq(in, out, sizeof in);
	}
}
END_TEST

START_TEST(an_arp_request_parses_to_its_values)
{
	static const uint8_t nobody[6];
	struct arp_packet a;

	ck_assert_int_eq(arp_parse(span_of(request + ETH_HEADER, ARP_PACKET), &a), ACCEPT);
	ck_assert_uint_eq(a.op, ARP_REQUEST);
	ck_assert_mem_eq(a.sender_mac, request + 6, 6);
	ck_assert_mem_eq(a.target_mac, nobody, 6);
	ck_assert(is_ipv4(&a.sender, 1));
	ck_assert(is_ipv4(&a.target, 2));
}
END_TEST

START_TEST(an_arp_packet_cut_anywhere_is_short_and_link_padding_is_ignored)
{
	uint8_t padded[46] = {0};

	memcpy(padded, request + ETH_HEADER, ARP_PACKET);
	for (size_t n = 0; n <= sizeof padded; n++) {
		struct span s = exact_copy(padded, n);
		struct arp_packet a;

		ck_assert_int_eq(arp_parse(s, &a), n < ARP_PACKET ? DROP_ARP_SHORT : ACCEPT);
		exact_free(s);
	}
}
END_TEST

START_TEST(an_arp_packet_of_other_hardware_protocol_or_lengths_is_refused)
{
	for (size_t at = 0; at < 6; at++) {
		uint8_t p[ARP_PACKET];
		struct arp_packet a;

		memcpy(p, request + ETH_HEADER, sizeof p);
		p[at] ^= 0x10;
		ck_assert_int_eq(arp_parse(span_of(p, sizeof p), &a), DROP_ARP_FORMAT);
	}
}
END_TEST

START_TEST(only_request_and_reply_are_arp_operations)
{
	uint8_t p[ARP_PACKET];
	struct arp_packet a;

	memcpy(p, request + ETH_HEADER, sizeof p);
	for (uint32_t op = 0; op <= UINT16_MAX; op++) {
		put_be16(p + 6, (uint16_t)op);
		ck_assert_int_eq(arp_parse(span_of(p, sizeof p), &a), op == 1 || op == 2 ? ACCEPT : DROP_ARP_OP);
	}
}
END_TEST

START_TEST(arp_emit_is_the_inverse_of_parse)
{
	uint8_t in[ARP_PACKET], out[ARP_PACKET];
	struct arp_packet a;
	struct rng rng;

	rng_seed(&rng, 826, 0);
	for (int i = 0; i < 1000; i++) {
		fill_random(&rng, in, sizeof in);
		memcpy(in, request + ETH_HEADER, 6);
		put_be16(in + 6, (uint16_t)(1 + rng_below(&rng, 2)));
		ck_assert_int_eq(arp_parse(span_of(in, sizeof in), &a), ACCEPT);
		arp_emit(&a, out);
		ck_assert_mem_eq(in, out, sizeof in);
	}
}
END_TEST

START_TEST(random_bytes_get_a_verdict_of_arp)
{
	uint8_t bytes[64];
	struct arp_packet a;
	struct rng rng;

	rng_seed(&rng, 826, 1);
	for (int i = 0; i < 20000; i++) {
		size_t n = rng_below(&rng, sizeof bytes + 1);
		struct span s;
		enum tapir_verdict v;

		fill_random(&rng, bytes, n);
		if (n >= 8 && i % 2)
			memcpy(bytes, request + ETH_HEADER, 7);
		s = exact_copy(bytes, n);
		v = arp_parse(s, &a);
		ck_assert(v == ACCEPT || v == DROP_ARP_SHORT || v == DROP_ARP_FORMAT || v == DROP_ARP_OP);
		ck_assert((v == DROP_ARP_SHORT) == (n < ARP_PACKET));
		exact_free(s);
	}
}
END_TEST

Suite *suite(void)
{
	Suite *s = suite_create("wire/eth, wire/arp");
	TCase *e = tcase_create("Ethernet"), *a = tcase_create("ARP");

	tcase_add_test(e, an_ethernet_header_parses_to_its_values);
	tcase_add_test(e, a_frame_cut_anywhere_in_its_header_is_short);
	tcase_add_test(e, ethernet_emit_is_the_inverse_of_parse);
	tcase_add_test(a, an_arp_request_parses_to_its_values);
	tcase_add_test(a, an_arp_packet_cut_anywhere_is_short_and_link_padding_is_ignored);
	tcase_add_test(a, an_arp_packet_of_other_hardware_protocol_or_lengths_is_refused);
	tcase_add_test(a, only_request_and_reply_are_arp_operations);
	tcase_add_test(a, arp_emit_is_the_inverse_of_parse);
	tcase_add_test(a, random_bytes_get_a_verdict_of_arp);
	suite_add_tcase(s, e);
	suite_add_tcase(s, a);
	return s;
}
