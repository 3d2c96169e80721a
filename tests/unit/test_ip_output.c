/* test_ip_output.c: datagrams that a whole stack sends: fragments (RFC 791 3.2), identification (RFC 6864 4), routes (RFC 1122
 * 3.3.1), loopback, and the path MTU that it learns and forgets (RFC 1191). */
#include <stdlib.h>
#include "stack/ip/ip.h"
#include "tests/support/host.h"

static struct tapir *t;
static uint8_t text[65507];

static void begin(void)
{
	t = host_begin();
	for (size_t i = 0; i < sizeof text; i++)
		text[i] = (uint8_t)(i * 5 + i / 255);
}

static void set_up(void)
{
	host_config()->gateway = NEIGHBOUR_IP;
	begin();
}

static tapir_sd udp_socket(void)
{
	tapir_sd sd = tapir_socket(t, TAPIR_SOCK_DGRAM);

	ck_assert(sd >= 0);
	return sd;
}

static int64_t sends(tapir_sd sd, struct tapir_addr to, size_t n)
{
	struct tapir_endpoint peer = {to, 7};

	return tapir_sendto(t, sd, text, n, &peer);
}

/* The next datagram, in however many fragments no larger than mtu, carries the first n bytes of text; returns how many. */
static uint32_t says_text(size_t n, uint16_t mtu)
{
	static uint8_t got[65515];
	struct said s;
	size_t at = 0;
	uint32_t count = 0;
	uint16_t id = 0;

	do {
		host_says_ip(&s, IP_PROTO_UDP);
		ck_assert_uint_le(s.datagram.n, mtu);
		ck_assert_uint_eq(s.ip.offset, at);
		ck_assert(count == 0 || s.ip.id == id);
		ck_assert(!s.ip.mf || s.payload.n % 8 == 0);
		id = s.ip.id;
		memcpy(got + at, s.payload.p, s.payload.n);
		at += s.payload.n;
		count++;
	} while (s.ip.mf);
	ck_assert_uint_eq(at, n + UDP_HEADER);
	ck_assert_mem_eq(got + UDP_HEADER, text, n);
	return count;
}

/* --- fragments --- */

START_TEST(a_datagram_of_the_mtu_goes_whole_and_one_byte_more_goes_in_two)
{
	tapir_sd sd = udp_socket();

	ck_assert_result(sends(sd, NEIGHBOUR_IP, 1472), 1472);
	ck_assert_uint_eq(says_text(1472, 1500), 1);
	ck_assert_result(sends(sd, NEIGHBOUR_IP, 1473), 1473);
	ck_assert_uint_eq(says_text(1473, 1500), 2);
	host_says_nothing();
	tapir_close(t, sd);
}
END_TEST

START_TEST(the_largest_datagram_goes_in_fragments_for_every_mtu)
{
	static const uint16_t mtus[] = {68, 69, 75, 76, 552, 576, 1006, 1492, 1500, 9000};

	for (size_t i = 0; i < sizeof mtus / sizeof mtus[0]; i++) {
		uint32_t each = (uint32_t)(mtus[i] - IPV4_HEADER) / 8 * 8;
		tapir_sd sd;

		host_end();
		host_config()->mtu = mtus[i];
		begin();
		sd = udp_socket();
		ck_assert_result(sends(sd, NEIGHBOUR_IP, 65507), 65507);
		/* the last may be longer than `each` when the MTU is no multiple of 8 */
		ck_assert_uint_le(says_text(65507, mtus[i]), (65515 + each - 1) / each);
		host_says_nothing();
		ck_assert_result(sends(sd, NEIGHBOUR_IP, 65507), 65507);
		says_text(65507, mtus[i]);
		tapir_close(t, sd);
	}
}
END_TEST

START_TEST(the_last_fragment_may_fill_the_mtu_even_if_that_is_no_multiple_of_eight)
{
	tapir_sd sd;

	host_end();
	host_config()->mtu = 1006;			/* 984 bytes and 986 fit */
	begin();
	sd = udp_socket();
	ck_assert_result(sends(sd, NEIGHBOUR_IP, 984 + 986 - UDP_HEADER), 984 + 986 - UDP_HEADER);
	ck_assert_uint_eq(says_text(984 + 986 - UDP_HEADER, 1006), 2);
	tapir_close(t, sd);
}
END_TEST

START_TEST(fragments_of_one_datagram_leave_before_the_next_datagram)
{
	tapir_sd sd = udp_socket();

	for (size_t n = 5000; n < 5010; n++)
		ck_assert_result(sends(sd, NEIGHBOUR_IP, n), (int64_t)n);
	for (size_t n = 5000; n < 5010; n++)
		ck_assert_uint_eq(says_text(n, 1500), 4);
	tapir_close(t, sd);
}
END_TEST

START_TEST(successive_datagrams_have_different_identifications)
{
	tapir_sd sd = udp_socket();
	static bool seen[65536];
	struct said s;

	for (int i = 0; i < 1000; i++) {
		ck_assert_result(sends(sd, NEIGHBOUR_IP, 1), 1);
		host_says_ip(&s, IP_PROTO_UDP);
		ck_assert(!seen[s.ip.id]);
		seen[s.ip.id] = true;
	}
	tapir_close(t, sd);
}
END_TEST

/* RFC 6864 4.1 */
START_TEST(a_datagram_that_must_not_be_fragmented_has_no_identification)
{
	const struct tapir_endpoint peer = {NEIGHBOUR_IP, 80};
	tapir_sd sd = tapir_socket(t, TAPIR_SOCK_STREAM);
	struct said s;

	ck_assert_result(tapir_connect(t, sd, &peer), TAPIR_EINPROGRESS);
	host_says_ip(&s, IP_PROTO_TCP);
	ck_assert(s.ip.df);
	ck_assert_uint_eq(s.ip.id, 0);
	tapir_close(t, sd);
}
END_TEST

START_TEST(ttl_and_tos_are_the_sockets)
{
	tapir_sd sd = udp_socket();
	struct said s;

	ck_assert_result(sends(sd, NEIGHBOUR_IP, 1), 1);
	host_says_ip(&s, IP_PROTO_UDP);
	ck_assert_uint_eq(s.ip.ttl, 64);
	ck_assert_uint_eq(s.ip.tos, 0);
	ck_assert_result(tapir_setsockopt(t, sd, TAPIR_IP_TTL, 3), 0);
	ck_assert_result(tapir_setsockopt(t, sd, TAPIR_IP_TOS, 0xb8), 0);
	ck_assert_result(sends(sd, NEIGHBOUR_IP, 3000), 3000);
	for (int i = 0; i < 3; i++) {
		host_says_ip(&s, IP_PROTO_UDP);
		ck_assert_uint_eq(s.ip.ttl, 3);
		ck_assert_uint_eq(s.ip.tos, 0xb8);
	}
	tapir_close(t, sd);
}
END_TEST

/* --- routes --- */

static struct tapir_addr next_hop(struct tapir_addr dst)
{
	struct ip_route route;

	ck_assert_result(ip_route(t, &dst, &route), 0);
	return route.next_hop;
}

START_TEST(the_longest_prefix_wins)
{
	struct tapir_addr dst = tapir_ipv4(172, 16, 5, 6), hop;

	ck_assert_result(tapir_route_add(t, tapir_ipv4(172, 16, 0, 0), 16, tapir_ipv4(10, 0, 0, 16)), 0);
	ck_assert_result(tapir_route_add(t, tapir_ipv4(172, 16, 5, 0), 24, tapir_ipv4(10, 0, 0, 24)), 0);
	ck_assert_result(tapir_route_add(t, tapir_ipv4(172, 0, 0, 0), 8, tapir_ipv4(10, 0, 0, 8)), 0);
	ck_assert_result(tapir_route_add(t, tapir_ipv4(172, 16, 5, 7), 32, tapir_ipv4(10, 0, 0, 32)), 0);
	ck_assert_result(tapir_route_add(t, tapir_ipv4(172, 20, 0, 0), 16, (struct tapir_addr){{0}}), 0);
	hop = next_hop(dst);
	ck_assert(addr_is(&hop, tapir_ipv4(10, 0, 0, 24)));
	hop = next_hop(tapir_ipv4(172, 16, 5, 7));
	ck_assert(addr_is(&hop, tapir_ipv4(10, 0, 0, 32)));
	hop = next_hop(tapir_ipv4(172, 16, 6, 6));
	ck_assert(addr_is(&hop, tapir_ipv4(10, 0, 0, 16)));
	hop = next_hop(tapir_ipv4(172, 17, 0, 1));
	ck_assert(addr_is(&hop, tapir_ipv4(10, 0, 0, 8)));
	hop = next_hop(tapir_ipv4(172, 20, 1, 1));
	ck_assert(addr_is(&hop, tapir_ipv4(172, 20, 1, 1)));	/* directly connected */
	hop = next_hop(tapir_ipv4(10, 0, 0, 77));
	ck_assert(addr_is(&hop, tapir_ipv4(10, 0, 0, 77)));
	hop = next_hop(FAR_IP);
	ck_assert(addr_is(&hop, NEIGHBOUR_IP));			/* the default route */
}
END_TEST

START_TEST(without_a_default_route_far_hosts_are_unreachable)
{
	struct ip_route route;
	struct tapir_addr far = FAR_IP;

	host_end();
	host_config();
	begin();
	ck_assert_result(ip_route(t, &far, &route), TAPIR_ENETUNREACH);
	ck_assert_result(tapir_route_add(t, (struct tapir_addr){{0}}, 0, NEIGHBOUR_IP), 0);
	ck_assert_result(ip_route(t, &far, &route), 0);
}
END_TEST

START_TEST(sixteen_routes_fit_and_bad_ones_are_refused)
{
	struct tapir_addr six = {{0x20, 1}};

	ck_assert_result(tapir_route_add(t, FAR_IP, 33, NEIGHBOUR_IP), TAPIR_EINVAL);
	ck_assert_result(tapir_route_add(t, six, 8, NEIGHBOUR_IP), TAPIR_EINVAL);
	ck_assert_result(tapir_route_add(t, FAR_IP, 8, six), TAPIR_EINVAL);
	for (uint8_t i = 0; i < 16; i++)
		ck_assert_result(tapir_route_add(t, tapir_ipv4(172, i, 0, 0), 16, NEIGHBOUR_IP), 0);
	ck_assert_result(tapir_route_add(t, FAR_IP, 32, NEIGHBOUR_IP), TAPIR_ENOMEM);
}
END_TEST

START_TEST(addresses_have_their_kinds)
{
	struct tapir_addr a = tapir_ipv4(10, 0, 0, 255);

	ck_assert(ip_is_broadcast(t, &a));
	a = tapir_ipv4(255, 255, 255, 255);
	ck_assert(ip_is_broadcast(t, &a) && !ip_is_multicast(&a) && !ip_is_local(t, &a));
	a = tapir_ipv4(10, 0, 1, 255);
	ck_assert(!ip_is_broadcast(t, &a));
	a = tapir_ipv4(127, 200, 0, 1);
	ck_assert(ip_is_local(t, &a));
	a = HOST_IP;
	ck_assert(ip_is_local(t, &a));
	a = tapir_ipv4(239, 255, 255, 255);
	ck_assert(ip_is_multicast(&a) && !ip_is_broadcast(t, &a));
}
END_TEST

START_TEST(a_network_of_two_addresses_has_no_broadcast)	/* RFC 3021 2.1 */
{
	struct tapir_addr a = tapir_ipv4(10, 0, 0, 3);

	host_end();
	host_config()->prefix_len = 31;
	begin();
	ck_assert(!ip_is_broadcast(t, &a));
	host_end();
	host_config()->prefix_len = 30;
	begin();
	ck_assert(ip_is_broadcast(t, &a));
}
END_TEST

/* --- loopback --- */

/* What a socket bound to port 7 gets of n bytes that another sends to `to`; nothing reaches the wire. */
static void sends_to_itself(struct tapir_addr to, struct tapir_addr seen_from, size_t n)
{
	static uint8_t got[65507];
	struct tapir_endpoint local = {.port = 7}, from;
	tapir_sd server = udp_socket(), client = udp_socket();

	ck_assert_result(tapir_bind(t, server, &local), 0);
	ck_assert_result(sends(client, to, n), (int64_t)n);
	host_says_nothing();
	ck_assert_result(tapir_recvfrom(t, server, got, sizeof got, &from), (int64_t)n);
	ck_assert_mem_eq(got, text, n);
	ck_assert(addr_is(&from.addr, seen_from));
	ck_assert_result(tapir_sendto(t, server, "answer", 6, &from), 6);
	host_says_nothing();
	ck_assert_result(tapir_recv(t, client, got, sizeof got), 6);
	tapir_close(t, server);
	tapir_close(t, client);
}

START_TEST(what_is_for_ourselves_never_reaches_the_wire)
{
	sends_to_itself(HOST_IP, HOST_IP, 100);
	sends_to_itself(HOST_IP, HOST_IP, 65507);		/* and needs no fragments */
	sends_to_itself(tapir_ipv4(127, 0, 0, 1), tapir_ipv4(127, 0, 0, 1), 100);
	sends_to_itself(tapir_ipv4(127, 9, 9, 9), tapir_ipv4(127, 0, 0, 1), 1500);
}
END_TEST

START_TEST(loopback_works_while_the_address_is_still_being_probed)
{
	host_end();
	host_config_ethernet()->arp_probe = true;
	begin();
	ck_assert(!tapir_address_ready(t));
	sends_to_itself(tapir_ipv4(127, 0, 0, 1), tapir_ipv4(127, 0, 0, 1), 10);
}
END_TEST

START_TEST(a_ping_to_ourselves_is_answered)
{
	struct tapir_echo echo;

	ck_assert_result(tapir_echo_send(t, tapir_ipv4(127, 0, 0, 1), 1, 2, span_of(text, 60000)), 0);
	host_says_nothing();
	ck_assert_result(tapir_echo_recv(t, &echo), 1);
	ck_assert_uint_eq(echo.len, 60000);
	ck_assert_uint_eq(echo.seq, 2);
	ck_assert_uint_eq(echo.type, 0);
}
END_TEST

START_TEST(a_closed_port_of_our_own_is_reported_to_the_connected_socket)
{
	struct tapir_endpoint peer = {tapir_ipv4(127, 0, 0, 1), 9};
	tapir_sd sd = udp_socket();
	char buf[1];

	ck_assert_result(tapir_connect(t, sd, &peer), 0);
	ck_assert_result(tapir_send(t, sd, "x", 1), 1);
	host_says_nothing();
	ck_assert_result(tapir_recv(t, sd, buf, 1), TAPIR_ECONNREFUSED);
	ck_assert_result(tapir_recv(t, sd, buf, 1), TAPIR_EAGAIN);
	tapir_close(t, sd);
}
END_TEST

/* --- path MTU --- */

static uint16_t path_mtu(struct tapir_addr dst)
{
	struct ip_route route;

	ck_assert_result(ip_route(t, &dst, &route), 0);
	return route.mtu;
}

/* A router says that the datagram which the socket sends to FAR_IP, of n bytes of text, is too large. */
static void router_says_too_large(tapir_sd sd, size_t n, uint16_t mtu)
{
	struct icmp_header h = {.type = ICMP_UNREACHABLE, .code = ICMP_FRAGMENTATION_NEEDED, .seq = mtu};
	uint8_t quote[IPV4_HEADER + 8];
	struct said s;

	ck_assert_result(sends(sd, FAR_IP, n), (int64_t)n);
	host_says_ip(&s, IP_PROTO_UDP);
	memcpy(quote, s.datagram.p, sizeof quote);
	host_says_all();
	ck_assert_verdict_eq(host_hears_error(NEIGHBOUR_IP, &h, span_of(quote, sizeof quote)), ACCEPT);
}

START_TEST(a_router_that_tells_the_mtu_is_believed_and_the_next_datagram_fits)
{
	tapir_sd sd = udp_socket();

	router_says_too_large(sd, 1400, 1000);
	ck_assert_uint_eq(path_mtu(FAR_IP), 1000);
	ck_assert_uint_eq(path_mtu(tapir_ipv4(192, 0, 2, 10)), 1500);	/* another path */
	ck_assert_result(sends(sd, FAR_IP, 1400), 1400);
	ck_assert_uint_eq(says_text(1400, 1000), 2);
	ck_assert_result(tapir_getsockopt(t, sd, TAPIR_SO_ERROR, &(int){0}), 0);
	tapir_close(t, sd);
}
END_TEST

START_TEST(a_learned_path_mtu_is_forgotten_after_ten_minutes)	/* RFC 1191 6.3 */
{
	tapir_sd sd = udp_socket();

	router_says_too_large(sd, 1400, 1000);
	host_waits(599 * TAPIR_SEC);
	ck_assert_uint_eq(path_mtu(FAR_IP), 1000);
	host_waits(2 * TAPIR_SEC);
	ck_assert_uint_eq(path_mtu(FAR_IP), 1500);
	tapir_close(t, sd);
}
END_TEST

START_TEST(a_report_never_raises_the_path_mtu_nor_lowers_it_below_the_least)
{
	tapir_sd sd = udp_socket();

	router_says_too_large(sd, 1400, 1000);
	router_says_too_large(sd, 1400, 1200);
	ck_assert_uint_eq(path_mtu(FAR_IP), 1000);
	router_says_too_large(sd, 1400, 68);
	ck_assert_uint_eq(path_mtu(FAR_IP), 552);		/* min_pmtu */
	router_says_too_large(sd, 1400, 65535);
	ck_assert_uint_eq(path_mtu(FAR_IP), 552);
	tapir_close(t, sd);
}
END_TEST

START_TEST(an_old_router_that_tells_no_mtu_means_the_next_plateau)	/* RFC 1191 7.1 */
{
	tapir_sd sd = udp_socket();

	router_says_too_large(sd, 1472, 0);
	ck_assert_uint_eq(path_mtu(FAR_IP), 1492);
	router_says_too_large(sd, 1464, 0);
	ck_assert_uint_eq(path_mtu(FAR_IP), 1006);
	tapir_close(t, sd);
}
END_TEST

START_TEST(a_report_about_what_no_socket_sent_is_not_believed)
{
	struct icmp_header h = {.type = ICMP_UNREACHABLE, .code = ICMP_FRAGMENTATION_NEEDED, .seq = 600};
	struct ipv4_header quoted = {.src = HOST_IP, .dst = FAR_IP, .proto = IP_PROTO_UDP, .ttl = 9, .total_len = 1400};
	uint8_t quote[IPV4_HEADER + 8] = {[IPV4_HEADER] = 0x12, 0x34, 0x56, 0x78};

	ipv4_emit(&quoted, quote);
	host_hears_error(NEIGHBOUR_IP, &h, span_of(quote, sizeof quote));
	ck_assert_uint_eq(path_mtu(FAR_IP), 1500);
}
END_TEST

START_TEST(more_paths_than_the_table_holds_cost_the_one_that_would_go_first)
{
	tapir_sd sd = udp_socket();

	for (uint8_t i = 1; i <= 70; i++) {
		struct tapir_addr dst = tapir_ipv4(192, 0, 3, i);

		ip_learn_pmtu(t, &dst, 1000);
		host_waits(TAPIR_SEC);
	}
	for (uint8_t i = 1; i <= 70; i++)
		ck_assert_uint_eq(path_mtu(tapir_ipv4(192, 0, 3, i)), i <= 6 ? 1500 : 1000);
	tapir_close(t, sd);
}
END_TEST

Suite *suite(void)
{
	Suite *s = suite_create("ip: output, routes, path MTU");
	TCase *f = tcase_create("fragments"), *r = tcase_create("routes"), *l = tcase_create("loopback");
	TCase *m = tcase_create("RFC 1191");
	TCase *const all[] = {f, r, l, m};

	tcase_add_test(f, a_datagram_of_the_mtu_goes_whole_and_one_byte_more_goes_in_two);
	tcase_add_test(f, the_largest_datagram_goes_in_fragments_for_every_mtu);
	tcase_add_test(f, the_last_fragment_may_fill_the_mtu_even_if_that_is_no_multiple_of_eight);
	tcase_add_test(f, fragments_of_one_datagram_leave_before_the_next_datagram);
	tcase_add_test(f, successive_datagrams_have_different_identifications);
	tcase_add_test(f, a_datagram_that_must_not_be_fragmented_has_no_identification);
	tcase_add_test(f, ttl_and_tos_are_the_sockets);
	tcase_add_test(r, the_longest_prefix_wins);
	tcase_add_test(r, without_a_default_route_far_hosts_are_unreachable);
	tcase_add_test(r, sixteen_routes_fit_and_bad_ones_are_refused);
	tcase_add_test(r, addresses_have_their_kinds);
	tcase_add_test(r, a_network_of_two_addresses_has_no_broadcast);
	tcase_add_test(l, what_is_for_ourselves_never_reaches_the_wire);
	tcase_add_test(l, loopback_works_while_the_address_is_still_being_probed);
	tcase_add_test(l, a_ping_to_ourselves_is_answered);
	tcase_add_test(l, a_closed_port_of_our_own_is_reported_to_the_connected_socket);
	tcase_add_test(m, a_router_that_tells_the_mtu_is_believed_and_the_next_datagram_fits);
	tcase_add_test(m, a_learned_path_mtu_is_forgotten_after_ten_minutes);
	tcase_add_test(m, a_report_never_raises_the_path_mtu_nor_lowers_it_below_the_least);
	tcase_add_test(m, an_old_router_that_tells_no_mtu_means_the_next_plateau);
	tcase_add_test(m, a_report_about_what_no_socket_sent_is_not_believed);
	tcase_add_test(m, more_paths_than_the_table_holds_cost_the_one_that_would_go_first);
	for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
		tcase_add_checked_fixture(all[i], set_up, host_end);
		suite_add_tcase(s, all[i]);
	}
	return s;
}
