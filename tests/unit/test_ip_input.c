/* test_ip_input.c: IPv4 datagrams that a whole stack hears (RFC 1122 3.2.1): which it takes, and the verdict on each other;
 * echo (RFC 792, RFC 1122 3.2.2.6) and the errors it answers with (RFC 1122 3.2.2). */
#include "stack/wire/checksum.h"
#include "tests/support/host.h"

static struct tapir *t;

static void set_up(void)
{
	host_config();
	t = host_begin();
}

static struct ipv4_header header(void)
{
	return (struct ipv4_header){.src = NEIGHBOUR_IP, .dst = HOST_IP, .proto = IP_PROTO_UDP, .ttl = 64};
}

/* A datagram with a UDP datagram for port 9, where nobody listens, between these addresses. */
static enum tapir_verdict hears_between(struct tapir_addr src, struct tapir_addr dst)
{
	struct host_udp u = {src, dst, 5, 9};

	return host_hears_udp(&u, "x", 1);
}

/* Raw bytes with the header checksum put right. */
static enum tapir_verdict hears_raw(uint8_t *p, size_t n)
{
	put_be16(p + 10, 0);
	put_be16(p + 10, checksum_finish(checksum_add(0, span_of(p, (size_t)(p[0] & 15) * 4))));
	return host_hears(p, n);
}

START_TEST(each_defect_of_the_header_has_its_verdict)
{
	struct ipv4_header h = header();
	uint8_t p[48] = {0};

	h.total_len = sizeof p;
	ipv4_emit(&h, p);
	for (size_t n = 0; n < IPV4_HEADER; n++)
		ck_assert_verdict_eq(host_hears(p, n), DROP_IP_SHORT);
	for (size_t n = IPV4_HEADER; n < sizeof p; n++)
		ck_assert_verdict_eq(host_hears(p, n), DROP_IP_LENGTH);
	p[8]++;
	ck_assert_verdict_eq(host_hears(p, sizeof p), DROP_IP_CHECKSUM);
	p[8]--;
	p[0] = 0x65;
	ck_assert_verdict_eq(hears_raw(p, sizeof p), DROP_IP_VERSION);
	p[0] = 0x44;
	ck_assert_verdict_eq(host_hears(p, sizeof p), DROP_IP_HEADER_LENGTH);
	ck_assert_uint_eq(tapir_count(t, DROP_IP_SHORT), IPV4_HEADER);
	host_says_nothing();
}
END_TEST

START_TEST(sources_that_are_no_one_host_are_refused_without_a_word)
{
	const struct tapir_addr wrong[] = {tapir_ipv4(255, 255, 255, 255), tapir_ipv4(10, 0, 0, 255), tapir_ipv4(224, 0, 0, 1),
					   tapir_ipv4(239, 1, 2, 3), tapir_ipv4(240, 0, 0, 1), tapir_ipv4(0, 0, 0, 0),
					   tapir_ipv4(0, 1, 2, 3), HOST_IP};

	for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
		ck_assert_verdict_eq(hears_between(wrong[i], HOST_IP), DROP_IP_SOURCE);
	host_says_nothing();
}
END_TEST

START_TEST(loopback_addresses_do_not_come_from_the_wire)
{
	ck_assert_verdict_eq(hears_between(tapir_ipv4(127, 0, 0, 1), HOST_IP), DROP_IP_MARTIAN);
	ck_assert_verdict_eq(hears_between(NEIGHBOUR_IP, tapir_ipv4(127, 0, 0, 1)), DROP_IP_MARTIAN);
	ck_assert_verdict_eq(hears_between(tapir_ipv4(127, 1, 2, 3), tapir_ipv4(127, 0, 0, 1)), DROP_IP_MARTIAN);
	host_says_nothing();
}
END_TEST

START_TEST(what_is_for_others_is_not_forwarded)
{
	ck_assert_verdict_eq(hears_between(NEIGHBOUR_IP, tapir_ipv4(10, 0, 0, 3)), DROP_IP_NOT_FOR_US);
	ck_assert_verdict_eq(hears_between(NEIGHBOUR_IP, FAR_IP), DROP_IP_NOT_FOR_US);
	ck_assert_verdict_eq(hears_between(NEIGHBOUR_IP, tapir_ipv4(224, 0, 0, 251)), DROP_IP_NOT_FOR_US);
	host_says_nothing();
}
END_TEST

START_TEST(what_is_for_all_is_taken_but_draws_no_error)
{
	ck_assert_verdict_eq(hears_between(NEIGHBOUR_IP, tapir_ipv4(255, 255, 255, 255)), DROP_UDP_NO_PORT);
	ck_assert_verdict_eq(hears_between(NEIGHBOUR_IP, tapir_ipv4(10, 0, 0, 255)), DROP_UDP_NO_PORT);
	ck_assert_verdict_eq(hears_between(NEIGHBOUR_IP, tapir_ipv4(224, 0, 0, 1)), DROP_UDP_NO_PORT);
	host_says_nothing();			/* RFC 1122 3.2.2 */
}
END_TEST

START_TEST(a_datagram_of_ours_that_came_by_a_link_broadcast_is_refused)
{
	uint8_t frame[ETH_HEADER + IPV4_HEADER + 8] = {0};
	struct eth_header e = {.type = ETH_TYPE_IPV4};
	struct ipv4_header h = header();

	host_end();
	host_config_ethernet();
	t = host_begin();
	host_says_all();
	memcpy(e.dst, eth_broadcast, 6);
	memcpy(e.src, neighbour_mac, 6);
	eth_emit(&e, frame);
	h.total_len = IPV4_HEADER + 8;
	ipv4_emit(&h, frame + ETH_HEADER);
	ck_assert_verdict_eq(host_hears(frame, sizeof frame), DROP_IP_NOT_FOR_US);	/* RFC 1122 3.3.6 */
	host_says_nothing();
}
END_TEST

START_TEST(options_are_skipped_and_a_source_route_is_refused)
{
	/* an echo request behind 4 bytes of options */
	uint8_t p[24 + ICMP_HEADER] = {0x46, 0, 0, sizeof p, 0, 0, 0, 0, 64, IP_PROTO_ICMP, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2,
				       0x94, 4, 0, 0};
	struct icmp_header h = {.type = ICMP_ECHO, .id = 3, .seq = 4};
	struct said s;
	struct span rest;

	icmp_emit(&h, p + 24, 0);
	ck_assert_verdict_eq(hears_raw(p, sizeof p), ACCEPT);
	ck_assert_uint_eq(host_says_icmp(&s, &rest).id, 3);
	p[20] = 131;
	ck_assert_verdict_eq(hears_raw(p, sizeof p), DROP_IP_SOURCE_ROUTE);
	p[21] = 1;
	ck_assert_verdict_eq(hears_raw(p, sizeof p), DROP_IP_OPTION);
	host_says_nothing();
}
END_TEST

/* --- errors that are owed --- */

START_TEST(an_unknown_protocol_draws_protocol_unreachable_with_the_datagram_quoted)
{
	struct ipv4_header h = header();
	uint8_t payload[1000];
	struct icmp_header icmp;
	struct span quote;
	struct said s;

	memset(payload, 0x77, sizeof payload);
	h.proto = 99;
	h.id = 4321;
	ck_assert_verdict_eq(host_hears_ip(&h, payload, sizeof payload), DROP_IP_PROTOCOL);
	icmp = host_says_icmp(&s, &quote);
	ck_assert_uint_eq(icmp.type, ICMP_UNREACHABLE);
	ck_assert_uint_eq(icmp.code, ICMP_PROTOCOL_UNREACHABLE);
	ck_assert(addr_is(&s.ip.dst, NEIGHBOUR_IP));
	ck_assert(addr_is(&s.ip.src, HOST_IP));
	ck_assert_uint_eq(s.datagram.n, 576);		/* RFC 1812 4.3.2.3: as much as fits */
	ck_assert_uint_eq(get_be16(quote.p + 4), 4321);
	ck_assert_uint_eq(get_be16(quote.p + 2), IPV4_HEADER + sizeof payload);
	ck_assert_mem_eq(quote.p + IPV4_HEADER, payload, quote.n - IPV4_HEADER);
}
END_TEST

START_TEST(a_closed_udp_port_draws_port_unreachable)
{
	struct icmp_header icmp;
	struct span quote;
	struct said s;

	ck_assert_verdict_eq(hears_between(NEIGHBOUR_IP, HOST_IP), DROP_UDP_NO_PORT);
	icmp = host_says_icmp(&s, &quote);
	ck_assert_uint_eq(icmp.type, ICMP_UNREACHABLE);
	ck_assert_uint_eq(icmp.code, ICMP_PORT_UNREACHABLE);
	ck_assert_uint_eq(quote.n, IPV4_HEADER + UDP_HEADER + 1);
	ck_assert_uint_eq(get_be16(quote.p + IPV4_HEADER + 2), 9);
}
END_TEST

START_TEST(no_error_is_sent_about_an_error)
{
	struct ipv4_header quoted = {.src = HOST_IP, .dst = NEIGHBOUR_IP, .proto = IP_PROTO_UDP, .ttl = 9, .total_len = 28};
	struct icmp_header unreachable = {.type = ICMP_UNREACHABLE, .code = ICMP_PORT_UNREACHABLE};
	struct icmp_header unknown = {.type = 44};
	uint8_t quote[28] = {0};

	ipv4_emit(&quoted, quote);
	ck_assert_verdict_eq(host_hears_error(NEIGHBOUR_IP, &unreachable, span_of(quote, sizeof quote)), ACCEPT);
	ck_assert_verdict_eq(host_hears_icmp(NEIGHBOUR_IP, &unknown, "x", 1), DROP_ICMP_TYPE);
	host_says_nothing();
}
END_TEST

START_TEST(errors_are_limited_in_rate)
{
	for (int i = 0; i < 100; i++)
		hears_between(NEIGHBOUR_IP, HOST_IP);
	ck_assert_uint_eq(host_says_all(), 20);			/* icmp_burst */
	ck_assert_uint_eq(tapir_count(t, DROP_ICMP_RATE), 80);
	ck_assert_uint_eq(tapir_count(t, DROP_UDP_NO_PORT), 100);
	host_waits(50 * TAPIR_MS);				/* 100 a second */
	for (int i = 0; i < 100; i++)
		hears_between(NEIGHBOUR_IP, HOST_IP);
	ck_assert_uint_eq(host_says_all(), 5);
	host_waits(3600 * TAPIR_SEC);
	for (int i = 0; i < 100; i++)
		hears_between(NEIGHBOUR_IP, HOST_IP);
	ck_assert_uint_eq(host_says_all(), 20);
}
END_TEST

START_TEST(a_limit_of_zero_sends_no_errors)
{
	host_end();
	host_config()->icmp_burst = 0;
	t = host_begin();
	host_waits(10 * TAPIR_SEC);
	hears_between(NEIGHBOUR_IP, HOST_IP);
	host_says_nothing();
	ck_assert_uint_eq(tapir_count(t, DROP_ICMP_RATE), 1);
}
END_TEST

/* --- echo --- */

START_TEST(an_echo_request_comes_back_byte_for_byte)
{
	static uint8_t payload[1472];
	struct ipv4_header ip = {.src = NEIGHBOUR_IP, .dst = HOST_IP, .proto = IP_PROTO_ICMP, .ttl = 7, .tos = 0xb8};
	uint8_t message[ICMP_HEADER + sizeof payload];
	struct icmp_header h = {.type = ICMP_ECHO, .id = 0x1234, .seq = 0xfedc}, back;
	struct span text;
	struct said s;

	for (size_t n = 0; n <= sizeof payload; n += n < 70 ? 1 : 701) {
		for (size_t i = 0; i < n; i++)
			payload[i] = (uint8_t)(i * 3 + n);
		memcpy(message + ICMP_HEADER, payload, n);
		icmp_emit(&h, message, n);
		ck_assert_verdict_eq(host_hears_ip(&ip, message, ICMP_HEADER + n), ACCEPT);
		back = host_says_icmp(&s, &text);
		ck_assert_uint_eq(back.type, ICMP_ECHO_REPLY);
		ck_assert_uint_eq(back.code, 0);
		ck_assert_uint_eq(back.id, h.id);
		ck_assert_uint_eq(back.seq, h.seq);
		ck_assert_uint_eq(text.n, n);
		if (n)
			ck_assert_mem_eq(text.p, payload, n);
		ck_assert(addr_is(&s.ip.src, HOST_IP));
		ck_assert(addr_is(&s.ip.dst, NEIGHBOUR_IP));
		ck_assert_uint_eq(s.ip.tos, 0xb8);		/* RFC 1122 3.2.2.6: the TOS of the request */
		ck_assert_uint_eq(s.ip.ttl, 64);		/* but a TTL of our own */
	}
}
END_TEST

START_TEST(an_echo_request_to_all_is_not_answered)
{
	struct ipv4_header ip = {.src = NEIGHBOUR_IP, .dst = tapir_ipv4(10, 0, 0, 255), .proto = IP_PROTO_ICMP, .ttl = 7};
	uint8_t message[ICMP_HEADER];
	struct icmp_header h = {.type = ICMP_ECHO};

	icmp_emit(&h, message, 0);
	ck_assert_verdict_eq(host_hears_ip(&ip, message, sizeof message), DROP_ICMP_BROADCAST);
	ip.dst = tapir_ipv4(224, 0, 0, 1);
	ck_assert_verdict_eq(host_hears_ip(&ip, message, sizeof message), DROP_ICMP_BROADCAST);
	host_says_nothing();
}
END_TEST

START_TEST(a_bad_icmp_message_has_its_verdict)
{
	struct ipv4_header ip = {.src = NEIGHBOUR_IP, .dst = HOST_IP, .proto = IP_PROTO_ICMP, .ttl = 7};
	uint8_t message[ICMP_HEADER + 4] = {0};
	struct icmp_header h = {.type = ICMP_ECHO};

	icmp_emit(&h, message, 4);
	for (size_t n = 0; n < ICMP_HEADER; n++)
		ck_assert_verdict_eq(host_hears_ip(&ip, message, n), DROP_ICMP_SHORT);
	message[9] ^= 1;
	ck_assert_verdict_eq(host_hears_ip(&ip, message, sizeof message), DROP_ICMP_CHECKSUM);
	host_says_nothing();
}
END_TEST

START_TEST(answers_to_our_own_echo_requests_are_kept_by_identifier)
{
	struct icmp_header answer = {.type = ICMP_ECHO_REPLY, .id = 77, .seq = 3};
	struct tapir_echo echo;

	ck_assert_result(tapir_echo_send(t, NEIGHBOUR_IP, 77, 3, span_of("abcd", 4)), 0);
	host_says_all();
	host_waits(5 * TAPIR_MS);
	ck_assert_verdict_eq(host_hears_icmp(NEIGHBOUR_IP, &answer, "abcd", 4), ACCEPT);
	ck_assert_result(tapir_echo_recv(t, &echo), 1);
	ck_assert(addr_is(&echo.from, NEIGHBOUR_IP));
	ck_assert(echo.id == 77 && echo.seq == 3 && echo.ttl == 64 && echo.type == 0 && echo.code == 0 && echo.len == 4);
	ck_assert_uint_eq(echo.at_us, tapir_now(t));
	ck_assert_result(tapir_echo_recv(t, &echo), 0);
	answer.id = 78;
	ck_assert_verdict_eq(host_hears_icmp(NEIGHBOUR_IP, &answer, "abcd", 4), DROP_ICMP_NO_SOCKET);
}
END_TEST

START_TEST(of_the_answers_nobody_takes_the_latest_64_are_kept)
{
	struct icmp_header answer = {.type = ICMP_ECHO_REPLY, .id = 1};
	struct tapir_echo echo;

	ck_assert_result(tapir_echo_send(t, NEIGHBOUR_IP, 1, 0, span_of(NULL, 0)), 0);
	for (answer.seq = 0; answer.seq < 200; answer.seq++)
		host_hears_icmp(NEIGHBOUR_IP, &answer, NULL, 0);
	for (uint16_t seq = 200 - 64; seq < 200; seq++) {
		ck_assert_result(tapir_echo_recv(t, &echo), 1);
		ck_assert_uint_eq(echo.seq, seq);
	}
	ck_assert_result(tapir_echo_recv(t, &echo), 0);
}
END_TEST

START_TEST(an_echo_request_that_cannot_be_sent_says_why)
{
	static uint8_t big[65508];

	ck_assert_result(tapir_echo_send(t, FAR_IP, 1, 1, span_of("x", 1)), TAPIR_ENETUNREACH);
	ck_assert_result(tapir_echo_send(t, tapir_ipv4(0, 0, 0, 0), 1, 1, span_of("x", 1)), TAPIR_ENETUNREACH);
	ck_assert_result(tapir_echo_send(t, tapir_ipv4(10, 0, 0, 255), 1, 1, span_of("x", 1)), TAPIR_EACCES);
	ck_assert_result(tapir_echo_send(t, NEIGHBOUR_IP, 1, 1, span_of(big, sizeof big)), TAPIR_EMSGSIZE);
	host_says_nothing();
	ck_assert_result(tapir_echo_send(t, NEIGHBOUR_IP, 1, 1, span_of(big, sizeof big - 1)), 0);
	ck_assert_uint_eq(host_says_all(), 45);		/* 65515 bytes in pieces of 1480 */
}
END_TEST

Suite *suite(void)
{
	Suite *s = suite_create("ip: input, ICMP");
	TCase *i = tcase_create("RFC 1122 3.2.1"), *e = tcase_create("RFC 1122 3.2.2"), *p = tcase_create("echo");

	tcase_add_checked_fixture(i, set_up, host_end);
	tcase_add_checked_fixture(e, set_up, host_end);
	tcase_add_checked_fixture(p, set_up, host_end);
	tcase_add_test(i, each_defect_of_the_header_has_its_verdict);
	tcase_add_test(i, sources_that_are_no_one_host_are_refused_without_a_word);
	tcase_add_test(i, loopback_addresses_do_not_come_from_the_wire);
	tcase_add_test(i, what_is_for_others_is_not_forwarded);
	tcase_add_test(i, what_is_for_all_is_taken_but_draws_no_error);
	tcase_add_test(i, a_datagram_of_ours_that_came_by_a_link_broadcast_is_refused);
	tcase_add_test(i, options_are_skipped_and_a_source_route_is_refused);
	tcase_add_test(e, an_unknown_protocol_draws_protocol_unreachable_with_the_datagram_quoted);
	tcase_add_test(e, a_closed_udp_port_draws_port_unreachable);
	tcase_add_test(e, no_error_is_sent_about_an_error);
	tcase_add_test(e, errors_are_limited_in_rate);
	tcase_add_test(e, a_limit_of_zero_sends_no_errors);
	tcase_add_test(p, an_echo_request_comes_back_byte_for_byte);
	tcase_add_test(p, an_echo_request_to_all_is_not_answered);
	tcase_add_test(p, a_bad_icmp_message_has_its_verdict);
	tcase_add_test(p, answers_to_our_own_echo_requests_are_kept_by_identifier);
	tcase_add_test(p, of_the_answers_nobody_takes_the_latest_64_are_kept);
	tcase_add_test(p, an_echo_request_that_cannot_be_sent_says_why);
	suite_add_tcase(s, i);
	suite_add_tcase(s, e);
	suite_add_tcase(s, p);
	return s;
}
