/* test_udp_datagrams.c: UDP sockets of a whole stack (RFC 768, RFC 1122 4.1): ports, connected and unconnected, broadcast,
 * queues and their bounds, and ICMP errors to the socket that they concern. */
#include <stdlib.h>
#include "stack/base/siphash.h"
#include "tests/support/host.h"

static struct tapir *t;
static tapir_sd sds[8];
static uint32_t sd_count;

static void set_up(void)
{
	host_config()->gateway = NEIGHBOUR_IP;
	t = host_begin();
	sd_count = 0;
}

static void tear_down(void)
{
	while (sd_count)
		ck_assert_result(tapir_close(t, sds[--sd_count]), 0);
	host_end();
}

/* A datagram socket that is closed after the test. */
static tapir_sd udp_socket(void)
{
	tapir_sd sd = tapir_socket(t, TAPIR_SOCK_DGRAM);

	ck_assert(sd >= 0);
	sds[sd_count++] = sd;
	return sd;
}

static int binds(tapir_sd sd, struct tapir_addr addr, uint16_t port)
{
	struct tapir_endpoint local = {addr, port};

	return tapir_bind(t, sd, &local);
}

static tapir_sd bound(uint16_t port)
{
	tapir_sd sd = udp_socket();

	ck_assert_result(binds(sd, (struct tapir_addr){{0}}, port), 0);
	return sd;
}

static struct tapir_endpoint neighbour(uint16_t port) { return (struct tapir_endpoint){NEIGHBOUR_IP, port}; }

static tapir_sd connected(uint16_t port)
{
	struct tapir_endpoint peer = neighbour(port);
	tapir_sd sd = udp_socket();

	ck_assert_result(tapir_connect(t, sd, &peer), 0);
	return sd;
}

static uint16_t port_of(tapir_sd sd)
{
	struct tapir_endpoint local;

	ck_assert_result(tapir_getsockname(t, sd, &local), 0);
	return local.port;
}

static enum tapir_verdict hears(uint16_t from, uint16_t to, const char *text)
{
	struct host_udp u = {NEIGHBOUR_IP, HOST_IP, from, to};

	return host_hears_udp(&u, text, strlen(text));
}

static void reads(tapir_sd sd, const char *text)
{
	char buf[100];

	ck_assert_result(tapir_recv(t, sd, buf, sizeof buf), (int64_t)strlen(text));
	ck_assert_mem_eq(buf, text, strlen(text));
}

static void reads_nothing(tapir_sd sd)
{
	char buf[1];

	ck_assert_result(tapir_recv(t, sd, buf, 1), TAPIR_EAGAIN);
}

/* --- out and in --- */

START_TEST(a_datagram_goes_out_as_it_was_given)
{
	tapir_sd sd = bound(4000);
	struct tapir_endpoint to = neighbour(7);
	struct udp_header h;
	struct span text;
	struct said s;

	ck_assert_result(tapir_sendto(t, sd, "hello", 5, &to), 5);
	h = host_says_udp(&s, &text);
	ck_assert_uint_eq(h.src, 4000);
	ck_assert_uint_eq(h.dst, 7);
	ck_assert(addr_is(&s.ip.src, HOST_IP) && addr_is(&s.ip.dst, NEIGHBOUR_IP));
	ck_assert_uint_eq(text.n, 5);
	ck_assert_mem_eq(text.p, "hello", 5);
	ck_assert_uint_ne(get_be16(s.payload.p + 6), 0);	/* RFC 1122 4.1.3.4: a checksum */
	host_says_nothing();
}
END_TEST

START_TEST(datagrams_arrive_in_order_with_their_borders_and_their_senders)
{
	tapir_sd sd = bound(7);
	struct tapir_endpoint from;
	char buf[10];

	for (uint16_t i = 1; i <= 5; i++)
		ck_assert_verdict_eq(hears(i, 7, &"abcde"[5 - i]), ACCEPT);
	for (uint16_t i = 1; i <= 5; i++) {
		ck_assert_result(tapir_recvfrom(t, sd, buf, sizeof buf, &from), i);
		ck_assert_mem_eq(buf, &"abcde"[5 - i], i);
		ck_assert(addr_is(&from.addr, NEIGHBOUR_IP));
		ck_assert_uint_eq(from.port, i);
	}
	reads_nothing(sd);
}
END_TEST

START_TEST(an_empty_datagram_is_a_datagram)
{
	tapir_sd sd = bound(7);
	struct tapir_endpoint to = neighbour(9), from;
	struct span text;
	struct said s;
	char buf[1];

	ck_assert_result(tapir_sendto(t, sd, NULL, 0, &to), 0);
	host_says_udp(&s, &text);
	ck_assert_uint_eq(text.n, 0);
	hears(9, 7, "");
	ck_assert_int_ne(tapir_poll(t, sd) & TAPIR_POLLIN, 0);
	ck_assert_result(tapir_recvfrom(t, sd, buf, 1, &from), 0);
	ck_assert_uint_eq(from.port, 9);
	reads_nothing(sd);
}
END_TEST

START_TEST(what_does_not_fit_is_lost)
{
	tapir_sd sd = bound(7);
	char buf[3];

	hears(9, 7, "abcdef");
	hears(9, 7, "next");
	hears(9, 7, "last");
	ck_assert_result(tapir_recv(t, sd, buf, 3), 3);
	ck_assert_mem_eq(buf, "abc", 3);
	ck_assert_result(tapir_recv(t, sd, NULL, 0), 0);
	reads(sd, "last");
}
END_TEST

START_TEST(a_datagram_larger_than_udp_allows_is_refused)
{
	static uint8_t text[65508];
	tapir_sd sd = bound(7);
	struct tapir_endpoint to = neighbour(9);

	ck_assert_result(tapir_sendto(t, sd, text, sizeof text, &to), TAPIR_EMSGSIZE);
	ck_assert_result(tapir_sendto(t, sd, text, SIZE_MAX, &to), TAPIR_EMSGSIZE);
	host_says_nothing();
	ck_assert_result(tapir_sendto(t, sd, text, sizeof text - 1, &to), 65507);
	host_says_all();
}
END_TEST

START_TEST(sending_says_why_it_cannot)
{
	tapir_sd sd = udp_socket();
	struct tapir_endpoint nowhere = {tapir_ipv4(0, 0, 0, 0), 7}, zero = neighbour(0);
	struct tapir_endpoint all = {tapir_ipv4(255, 255, 255, 255), 7}, ours = {tapir_ipv4(10, 0, 0, 255), 7};

	ck_assert_result(tapir_send(t, sd, "x", 1), TAPIR_EDESTADDRREQ);
	ck_assert_result(tapir_sendto(t, sd, "x", 1, &zero), TAPIR_EINVAL);
	ck_assert_result(tapir_sendto(t, sd, "x", 1, &nowhere), TAPIR_ENETUNREACH);
	ck_assert_result(tapir_sendto(t, sd, "x", 1, &all), TAPIR_EACCES);
	ck_assert_result(tapir_sendto(t, sd, "x", 1, &ours), TAPIR_EACCES);
	ck_assert_result(tapir_connect(t, sd, &all), TAPIR_EACCES);
	host_says_nothing();
}
END_TEST

START_TEST(broadcast_goes_out_with_the_option_and_comes_in_without)
{
	tapir_sd sd = bound(7), specific = udp_socket();
	struct tapir_endpoint all = {tapir_ipv4(255, 255, 255, 255), 9};
	struct host_udp u = {NEIGHBOUR_IP, tapir_ipv4(10, 0, 0, 255), 9, 7};
	struct span text;
	struct said s;

	ck_assert_result(binds(specific, HOST_IP, 8), 0);
	ck_assert_result(tapir_setsockopt(t, sd, TAPIR_SO_BROADCAST, 1), 0);
	ck_assert_result(tapir_sendto(t, sd, "x", 1, &all), 1);
	host_says_udp(&s, &text);
	ck_assert(addr_is(&s.ip.dst, all.addr));
	ck_assert(addr_is(&s.ip.src, HOST_IP));
	ck_assert_verdict_eq(host_hears_udp(&u, "to all", 6), ACCEPT);
	reads(sd, "to all");
	u.dst_port = 8;
	ck_assert_verdict_eq(host_hears_udp(&u, "to all", 6), DROP_UDP_NO_PORT);	/* it asked for its address only */
	host_says_nothing();
}
END_TEST

/* --- ports --- */

START_TEST(a_socket_that_sends_unbound_gets_an_ephemeral_port)
{
	tapir_sd sd = udp_socket();
	struct tapir_endpoint to = neighbour(7);
	struct span text;
	struct said s;
	uint16_t port;

	ck_assert_uint_eq(port_of(sd), 0);
	ck_assert_result(tapir_sendto(t, sd, "x", 1, &to), 1);
	port = port_of(sd);
	ck_assert_uint_ge(port, 49152);
	ck_assert_uint_eq(host_says_udp(&s, &text).src, port);
	hears(7, port, "answer");
	reads(sd, "answer");
}
END_TEST

START_TEST(an_address_and_port_belong_to_one_socket)
{
	tapir_sd a = bound(7), b = udp_socket();

	ck_assert_result(binds(b, (struct tapir_addr){{0}}, 7), TAPIR_EADDRINUSE);
	ck_assert_result(binds(b, tapir_ipv4(0, 0, 0, 0), 7), TAPIR_EADDRINUSE);
	ck_assert_result(binds(b, tapir_ipv4(10, 0, 0, 3), 8), TAPIR_EADDRNOTAVAIL);
	ck_assert_result(binds(b, HOST_IP, 7), 0);		/* more specific: it comes first */
	ck_assert_result(binds(b, HOST_IP, 8), TAPIR_EINVAL);	/* bound already */
	hears(9, 7, "specific");
	reads(b, "specific");
	reads_nothing(a);
	tapir_close(t, b);
	sd_count--;
	hears(9, 7, "any");
	reads(a, "any");
}
END_TEST

START_TEST(a_port_is_free_again_after_close)
{
	tapir_sd sd = bound(7);

	hears(9, 7, "unread");
	sd_count--;
	ck_assert_result(tapir_close(t, sd), 0);
	ck_assert_verdict_eq(hears(9, 7, "x"), DROP_UDP_NO_PORT);
	host_says_all();
	sd = bound(7);
	reads_nothing(sd);		/* what the last owner left is not the next one's */
	hears(9, 7, "x");
	reads(sd, "x");
}
END_TEST

START_TEST(when_all_ephemeral_ports_are_taken_bind_says_so)
{
	struct tapir_config *c = host_config();
	tapir_sd sd;

	tear_down();
	c->port_first = 50000;
	c->port_last = 50002;
	t = host_begin();
	for (int i = 0; i < 3; i++) {
		sd = bound(0);
		ck_assert(port_of(sd) >= 50000 && port_of(sd) <= 50002);
	}
	sd = udp_socket();
	ck_assert_result(binds(sd, (struct tapir_addr){{0}}, 0), TAPIR_EADDRNOTAVAIL);
}
END_TEST

/* --- connected --- */

START_TEST(a_connected_socket_hears_its_peer_only)
{
	tapir_sd sd = connected(7);
	struct host_udp other = {tapir_ipv4(10, 0, 0, 3), HOST_IP, 7, port_of(sd)};
	struct tapir_endpoint peer;

	ck_assert_verdict_eq(hears(7, port_of(sd), "peer"), ACCEPT);
	ck_assert_verdict_eq(hears(8, port_of(sd), "other port"), DROP_UDP_NO_PORT);
	ck_assert_verdict_eq(host_hears_udp(&other, "other host", 10), DROP_UDP_NO_PORT);
	reads(sd, "peer");
	reads_nothing(sd);
	ck_assert_result(tapir_getpeername(t, sd, &peer), 0);
	ck_assert(addr_is(&peer.addr, NEIGHBOUR_IP) && peer.port == 7);
	host_says_all();
}
END_TEST

START_TEST(a_connected_socket_sends_to_its_peer_and_knows_its_own_address)
{
	tapir_sd sd = connected(7);
	struct tapir_endpoint local;
	struct span text;
	struct said s;

	ck_assert_result(tapir_send(t, sd, "x", 1), 1);
	ck_assert_uint_eq(host_says_udp(&s, &text).dst, 7);
	ck_assert_result(tapir_getsockname(t, sd, &local), 0);
	ck_assert(addr_is(&local.addr, HOST_IP));
}
END_TEST

START_TEST(connecting_again_changes_the_peer)
{
	tapir_sd sd = connected(7);
	struct tapir_endpoint peer = neighbour(8), bad = neighbour(0);
	struct span text;
	struct said s;

	ck_assert_result(tapir_connect(t, sd, &peer), 0);
	ck_assert_result(tapir_connect(t, sd, &bad), TAPIR_EINVAL);
	ck_assert_result(tapir_send(t, sd, "x", 1), 1);
	ck_assert_uint_eq(host_says_udp(&s, &text).dst, 8);
	ck_assert_verdict_eq(hears(8, port_of(sd), "new peer"), ACCEPT);
}
END_TEST

START_TEST(an_unconnected_socket_has_no_peer)
{
	struct tapir_endpoint peer;
	tapir_sd sd = bound(7);

	ck_assert_result(tapir_getpeername(t, sd, &peer), TAPIR_ENOTCONN);
	ck_assert_result(tapir_shutdown(t, sd, TAPIR_SHUT_WR), TAPIR_ENOTCONN);
}
END_TEST

START_TEST(after_shutdown_nothing_goes_that_way)
{
	tapir_sd sd = connected(7);
	char buf[1];

	hears(7, port_of(sd), "queued");
	ck_assert_result(tapir_shutdown(t, sd, TAPIR_SHUT_WR), 0);
	ck_assert_result(tapir_send(t, sd, "x", 1), TAPIR_EPIPE);
	reads(sd, "queued");
	hears(7, port_of(sd), "still in");
	ck_assert_result(tapir_shutdown(t, sd, TAPIR_SHUT_RD), 0);
	ck_assert_result(tapir_recv(t, sd, buf, 1), 0);
	hears(7, port_of(sd), "thrown away");
	ck_assert_result(tapir_recv(t, sd, buf, 1), 0);
	ck_assert_int_eq(tapir_poll(t, sd) & (TAPIR_POLLHUP | TAPIR_POLLRDHUP), TAPIR_POLLHUP | TAPIR_POLLRDHUP);
}
END_TEST

/* --- errors --- */

/* sd has sent a datagram; this ICMP error comes back about it. */
static void draws_error(tapir_sd sd, uint8_t type, uint8_t code)
{
	struct icmp_header h = {.type = type, .code = code};
	struct tapir_endpoint to = neighbour(7);
	uint8_t quote[IPV4_HEADER + 8];
	struct said s;

	ck_assert_result(tapir_sendto(t, sd, "x", 1, &to), 1);
	host_says_ip(&s, IP_PROTO_UDP);
	memcpy(quote, s.datagram.p, sizeof quote);
	ck_assert_verdict_eq(host_hears_error(NEIGHBOUR_IP, &h, span_of(quote, sizeof quote)), ACCEPT);
}

START_TEST(an_icmp_error_is_told_once_to_the_connected_socket_that_it_is_about)
{
	static const struct { uint8_t type, code; int error; } rows[] = {
		{ICMP_UNREACHABLE, ICMP_PORT_UNREACHABLE, TAPIR_ECONNREFUSED},
		{ICMP_UNREACHABLE, ICMP_PROTOCOL_UNREACHABLE, TAPIR_ECONNREFUSED},
		{ICMP_UNREACHABLE, ICMP_NET_UNREACHABLE, TAPIR_ENETUNREACH},
		{ICMP_UNREACHABLE, ICMP_HOST_UNREACHABLE, TAPIR_EHOSTUNREACH},
		{ICMP_TIME_EXCEEDED, 0, TAPIR_EHOSTUNREACH},
		{ICMP_PARAMETER_PROBLEM, 0, TAPIR_EPROTO},
	};
	tapir_sd sd = connected(7), other = connected(7);
	char buf[1];
	int error;

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		draws_error(sd, rows[i].type, rows[i].code);
		ck_assert_int_ne(tapir_poll(t, sd) & TAPIR_POLLERR, 0);
		if (i % 3 == 0) {
			ck_assert_result(tapir_recv(t, sd, buf, 1), rows[i].error);
		} else if (i % 3 == 1) {
			ck_assert_result(tapir_send(t, sd, "x", 1), rows[i].error);
		} else {
			ck_assert_result(tapir_getsockopt(t, sd, TAPIR_SO_ERROR, &error), 0);
			ck_assert_result(error, rows[i].error);
		}
		ck_assert_result(tapir_getsockopt(t, sd, TAPIR_SO_ERROR, &error), 0);
		ck_assert_result(error, 0);
		ck_assert_int_eq(tapir_poll(t, other) & TAPIR_POLLERR, 0);
	}
	ck_assert_result(tapir_send(t, sd, "x", 1), 1);		/* it goes on */
	host_says_all();
}
END_TEST

START_TEST(an_unconnected_socket_is_not_told)
{
	tapir_sd sd = bound(4000);

	draws_error(sd, ICMP_UNREACHABLE, ICMP_PORT_UNREACHABLE);
	reads_nothing(sd);
	ck_assert_int_eq(tapir_poll(t, sd), TAPIR_POLLOUT);
}
END_TEST

START_TEST(an_error_that_quotes_too_little_or_another_host_is_dropped)
{
	struct icmp_header h = {.type = ICMP_UNREACHABLE, .code = ICMP_PORT_UNREACHABLE};
	tapir_sd sd = connected(7);
	uint8_t quote[IPV4_HEADER + 8];
	struct said s;

	ck_assert_result(tapir_send(t, sd, "x", 1), 1);
	host_says_ip(&s, IP_PROTO_UDP);
	memcpy(quote, s.datagram.p, sizeof quote);
	for (size_t n = 0; n < sizeof quote; n++)
		ck_assert_verdict_eq(host_hears_error(NEIGHBOUR_IP, &h, span_of(quote, n)), DROP_ICMP_QUOTE);
	quote[15] ^= 1;			/* a source that is not ours */
	ck_assert_verdict_eq(host_hears_error(NEIGHBOUR_IP, &h, span_of(quote, sizeof quote)), DROP_ICMP_QUOTE);
	quote[15] ^= 1;
	put_be16(quote + 6, 1);		/* a later fragment: no ports */
	ck_assert_verdict_eq(host_hears_error(NEIGHBOUR_IP, &h, span_of(quote, sizeof quote)), DROP_ICMP_QUOTE);
	reads_nothing(sd);
}
END_TEST

START_TEST(a_neighbour_that_does_not_answer_arp_is_an_error_too)
{
	tapir_sd sd;
	char buf[1];

	tear_down();
	host_config_ethernet();
	t = host_begin();
	sd = connected(7);
	ck_assert_result(tapir_send(t, sd, "x", 1), 1);
	host_waits(2 * TAPIR_SEC);
	reads_nothing(sd);
	host_waits(2 * TAPIR_SEC);
	ck_assert_result(tapir_recv(t, sd, buf, 1), TAPIR_EHOSTUNREACH);
	reads_nothing(sd);
}
END_TEST

START_TEST(bad_datagrams_have_their_verdicts)
{
	tapir_sd sd = bound(7);
	struct ipv4_header ip = {.src = NEIGHBOUR_IP, .dst = HOST_IP, .proto = IP_PROTO_UDP, .ttl = 64};
	struct udp_header h = {9, 7};
	uint8_t p[UDP_HEADER + 4] = {[UDP_HEADER] = 't', 'e', 'x', 't'};

	udp_emit(&h, &ip.src, &ip.dst, p, 4);
	for (size_t n = 0; n < UDP_HEADER; n++)
		ck_assert_verdict_eq(host_hears_ip(&ip, p, n), DROP_UDP_SHORT);
	ck_assert_verdict_eq(host_hears_ip(&ip, p, sizeof p - 1), DROP_UDP_LENGTH);
	p[UDP_HEADER] ^= 1;
	ck_assert_verdict_eq(host_hears_ip(&ip, p, sizeof p), DROP_UDP_CHECKSUM);
	put_be16(p + 6, 0);
	ck_assert_verdict_eq(host_hears_ip(&ip, p, sizeof p), ACCEPT);	/* no checksum was made */
	put_be16(p + 2, 0);
	ck_assert_verdict_eq(host_hears_ip(&ip, p, sizeof p), DROP_UDP_PORT_ZERO);
	reads(sd, "uext");
	reads_nothing(sd);
	host_says_nothing();
}
END_TEST

/* --- bounds --- */

START_TEST(a_full_receive_queue_drops_the_newest)
{
	tapir_sd sd = bound(7);
	uint32_t taken = 0;
	enum tapir_verdict v;

	ck_assert_result(tapir_setsockopt(t, sd, TAPIR_SO_RCVBUF, 10000), 0);
	while ((v = hears(9, 7, "x")) == ACCEPT)
		taken++;
	ck_assert_verdict_eq(v, DROP_UDP_QUEUE_FULL);
	ck_assert(taken >= 2 && taken <= 20);
	reads(sd, "x");
	ck_assert_verdict_eq(hears(9, 7, "y"), ACCEPT);
	for (uint32_t i = 1; i < taken; i++)
		reads(sd, "x");
	reads(sd, "y");
	reads_nothing(sd);
}
END_TEST

START_TEST(sockets_that_nobody_reads_leave_room_for_the_others)
{
	struct icmp_header ping = {.type = ICMP_ECHO};
	struct tapir_usage u;

	for (uint16_t port = 1; port <= 7; port++)
		bound(port);
	for (uint32_t i = 0; i < 5000; i++)
		hears(9, (uint16_t)(1 + i % 7), "flood");
	tapir_usage(t, &u);
	ck_assert_uint_lt(u.small_frames, u.small_frames_max);
	ck_assert_verdict_eq(host_hears_icmp(NEIGHBOUR_IP, &ping, "x", 1), ACCEPT);
	ck_assert_uint_eq(host_says_all(), 1);
}
END_TEST

START_TEST(a_full_output_queue_says_eagain_and_pollout_when_there_is_room)
{
	tapir_sd sd = connected(7);
	struct tapir_poll_event e;
	struct tapir_out out;
	int64_t sent;
	uint32_t n = 0;

	while (tapir_poll_events(t, &e, 1))
		;
	while ((sent = tapir_send(t, sd, "x", 1)) == 1 && n < 10000)
		n++;
	ck_assert_result(sent, TAPIR_EAGAIN);
	ck_assert_uint_ge(n, 16);
	ck_assert_int_eq(tapir_poll(t, sd) & TAPIR_POLLOUT, 0);
	ck_assert_result(tapir_poll_events(t, &e, 1), 0);
	ck_assert_int_eq(tapir_output(t, &out), 1);
	ck_assert_int_eq(tapir_output(t, &out), 1);	/* the first has left, and its buffer is free */
	ck_assert_uint_eq(tapir_deadline(t), tapir_now(t));	/* a loop that sleeps must look */
	ck_assert_result(tapir_poll_events(t, &e, 1), 1);
	ck_assert(e.sd == sd && e.ready & TAPIR_POLLOUT);
	ck_assert_result(tapir_send(t, sd, "x", 1), 1);
	host_says_all();
}
END_TEST

Suite *suite(void)
{
	const TTest *const tests[] = {
		a_datagram_goes_out_as_it_was_given, datagrams_arrive_in_order_with_their_borders_and_their_senders,
		an_empty_datagram_is_a_datagram, what_does_not_fit_is_lost, a_datagram_larger_than_udp_allows_is_refused,
		sending_says_why_it_cannot, broadcast_goes_out_with_the_option_and_comes_in_without,
		a_socket_that_sends_unbound_gets_an_ephemeral_port, an_address_and_port_belong_to_one_socket,
		a_port_is_free_again_after_close, when_all_ephemeral_ports_are_taken_bind_says_so,
		a_connected_socket_hears_its_peer_only, a_connected_socket_sends_to_its_peer_and_knows_its_own_address,
		connecting_again_changes_the_peer, an_unconnected_socket_has_no_peer, after_shutdown_nothing_goes_that_way,
		an_icmp_error_is_told_once_to_the_connected_socket_that_it_is_about, an_unconnected_socket_is_not_told,
		an_error_that_quotes_too_little_or_another_host_is_dropped, a_neighbour_that_does_not_answer_arp_is_an_error_too,
		bad_datagrams_have_their_verdicts, a_full_receive_queue_drops_the_newest,
		sockets_that_nobody_reads_leave_room_for_the_others,
		a_full_output_queue_says_eagain_and_pollout_when_there_is_room
	};
	Suite *s = suite_create("udp");
	TCase *c = tcase_create("RFC 768");

	tcase_add_checked_fixture(c, set_up, tear_down);
	for (size_t i = 0; i < sizeof tests / sizeof tests[0]; i++)
		tcase_add_test(c, tests[i]);
	suite_add_tcase(s, c);
	return s;
}
