/* test_link_arp.c: Ethernet framing and the neighbour cache of a whole stack (RFC 826, RFC 1122 2.3.2): who is answered, who
 * is learned, what waits for an answer, how entries age, and what a flood cannot do. */
#include "tests/support/host.h"

#define FLOOD 5000u

static struct tapir *t;
static const uint8_t stranger_mac[6] = {2, 0, 0, 0, 0, 9};

static void set_up(void)
{
	host_config_ethernet();
	t = host_begin();
	host_says_all();		/* the announcement */
	host_waits(3 * TAPIR_SEC);
	host_says_all();		/* and its second half */
}

static struct host_arp request_from(struct tapir_addr sender, const uint8_t mac[6])
{
	return (struct host_arp){.op = ARP_REQUEST, .sender_mac = mac, .link_dst = eth_broadcast, .sender = sender,
				 .target = HOST_IP};
}

static struct host_arp reply_from(struct tapir_addr sender, const uint8_t mac[6])
{
	return (struct host_arp){.op = ARP_REPLY, .sender_mac = mac, .target_mac = host_mac, .sender = sender, .target = HOST_IP};
}

static enum tapir_verdict hears(struct host_arp a) { return host_hears_arp(&a); }

/* The row of addr in the cache; false: there is none. */
static bool row_of(struct tapir_addr addr, struct tapir_arp_entry *row)
{
	struct tapir_arp_entry rows[300];
	uint32_t n = tapir_arp_list(t, rows, 300);

	for (uint32_t i = 0; i < n && i < 300; i++)
		if (tapir_addr_equal(&rows[i].addr, &addr)) {
			*row = rows[i];
			return true;
		}
	return false;
}

static bool knows(struct tapir_addr addr)
{
	struct tapir_arp_entry row;

	return row_of(addr, &row);
}

static uint32_t entries(void) { return tapir_arp_list(t, NULL, 0); }

static void sends_echo(struct tapir_addr to, uint16_t seq)
{
	ck_assert_result(tapir_echo_send(t, to, 1, seq, span_of("ping", 4)), 0);
}

static void says_echo_to(const uint8_t mac[6], uint16_t seq)
{
	struct said s;
	struct span text;
	struct icmp_header h = host_says_icmp(&s, &text);

	ck_assert_mem_eq(s.eth.dst, mac, 6);
	ck_assert_uint_eq(h.type, ICMP_ECHO);
	ck_assert_uint_eq(h.seq, seq);
}

static void says_request_for(struct tapir_addr target, const uint8_t to[6])
{
	struct said s;

	host_says_arp(&s, ARP_REQUEST);
	ck_assert(addr_is(&s.arp.target, target));
	ck_assert(addr_is(&s.arp.sender, HOST_IP));
	ck_assert_mem_eq(s.eth.dst, to, 6);
}

/* The neighbour is known, and has been sent to. */
static void use_neighbour(void)
{
	sends_echo(NEIGHBOUR_IP, 0);
	says_request_for(NEIGHBOUR_IP, eth_broadcast);
	ck_assert_verdict_eq(hears(reply_from(NEIGHBOUR_IP, neighbour_mac)), ACCEPT);
	says_echo_to(neighbour_mac, 0);
}

/* --- Ethernet --- */

static enum tapir_verdict hears_frame(const uint8_t dst[6], const uint8_t src[6], uint16_t type)
{
	uint8_t frame[60] = {0};
	struct eth_header h = {.type = type};

	memcpy(h.dst, dst, 6);
	memcpy(h.src, src, 6);
	eth_emit(&h, frame);
	return host_hears(frame, sizeof frame);
}

START_TEST(each_frame_that_is_not_for_us_has_its_verdict)
{
	static const uint8_t group[6] = {1, 0, 0x5e, 0, 0, 5};

	for (size_t n = 0; n < ETH_HEADER; n++)
		ck_assert_verdict_eq(host_hears("\2\0\0\0\0\2\2\0\0\0\0\1\x08\0", n), DROP_ETH_SHORT);
	ck_assert_verdict_eq(hears_frame(stranger_mac, neighbour_mac, ETH_TYPE_IPV4), DROP_ETH_NOT_FOR_US);
	ck_assert_verdict_eq(hears_frame(group, neighbour_mac, ETH_TYPE_IPV4), DROP_ETH_NOT_FOR_US);
	ck_assert_verdict_eq(hears_frame(host_mac, host_mac, ETH_TYPE_IPV4), DROP_ETH_SOURCE);
	ck_assert_verdict_eq(hears_frame(host_mac, eth_broadcast, ETH_TYPE_IPV4), DROP_ETH_SOURCE);
	ck_assert_verdict_eq(hears_frame(host_mac, group, ETH_TYPE_IPV4), DROP_ETH_SOURCE);
	ck_assert_verdict_eq(hears_frame(host_mac, neighbour_mac, ETH_TYPE_IPV6), DROP_ETH_TYPE);
	ck_assert_verdict_eq(hears_frame(host_mac, neighbour_mac, 46), DROP_ETH_TYPE);	/* IEEE 802.3: a length */
	ck_assert_verdict_eq(hears_frame(host_mac, neighbour_mac, ETH_TYPE_ARP), DROP_ARP_FORMAT);
	ck_assert_uint_eq(tapir_count(t, DROP_ETH_SHORT), ETH_HEADER);
	ck_assert_uint_eq(tapir_count(t, DROP_ETH_SOURCE), 3);
	host_says_nothing();
}
END_TEST

START_TEST(broadcast_and_multicast_need_no_arp)
{
	struct tapir_endpoint to = {tapir_ipv4(10, 0, 0, 255), 7};
	static const uint8_t group_mac[6] = {1, 0, 0x5e, 0x55, 1, 2};	/* of 224.213.1.2: RFC 1112 6.4 */
	tapir_sd sd = tapir_socket(t, TAPIR_SOCK_DGRAM);
	struct said s;
	struct span text;

	ck_assert_result(tapir_setsockopt(t, sd, TAPIR_SO_BROADCAST, 1), 0);
	ck_assert_result(tapir_sendto(t, sd, "x", 1, &to), 1);
	host_says_udp(&s, &text);
	ck_assert_mem_eq(s.eth.dst, eth_broadcast, 6);
	to.addr = tapir_ipv4(224, 213, 1, 2);
	ck_assert_result(tapir_sendto(t, sd, "x", 1, &to), 1);
	host_says_udp(&s, &text);
	ck_assert_mem_eq(s.eth.dst, group_mac, 6);
	host_says_nothing();
	tapir_close(t, sd);
}
END_TEST

/* --- answers --- */

START_TEST(a_request_for_us_is_answered_and_its_sender_learned)
{
	struct tapir_arp_entry row;
	struct said s;

	ck_assert_verdict_eq(hears(request_from(NEIGHBOUR_IP, neighbour_mac)), ACCEPT);
	host_says_arp(&s, ARP_REPLY);
	ck_assert_mem_eq(s.eth.dst, neighbour_mac, 6);
	ck_assert_mem_eq(s.arp.target_mac, neighbour_mac, 6);
	ck_assert(addr_is(&s.arp.sender, HOST_IP));
	ck_assert(addr_is(&s.arp.target, NEIGHBOUR_IP));
	host_says_nothing();
	ck_assert(row_of(NEIGHBOUR_IP, &row));
	ck_assert(row.reachable);
	ck_assert_mem_eq(row.mac, neighbour_mac, 6);
	sends_echo(NEIGHBOUR_IP, 1);		/* needs no question */
	says_echo_to(neighbour_mac, 1);
}
END_TEST

START_TEST(a_probe_for_our_address_is_answered_but_not_learned)
{
	struct said s;

	ck_assert_verdict_eq(hears(request_from(tapir_ipv4(0, 0, 0, 0), neighbour_mac)), ACCEPT);
	host_says_arp(&s, ARP_REPLY);		/* RFC 5227 2.1.1: who probes must hear of us */
	ck_assert_mem_eq(s.eth.dst, neighbour_mac, 6);
	ck_assert_uint_eq(entries(), 0);
}
END_TEST

START_TEST(a_request_for_another_host_is_neither_answered_nor_learned)
{
	struct host_arp a = request_from(NEIGHBOUR_IP, neighbour_mac);

	a.target = tapir_ipv4(10, 0, 0, 3);
	ck_assert_verdict_eq(hears(a), DROP_ARP_NOT_FOR_US);
	a.target = NEIGHBOUR_IP;		/* an announcement */
	ck_assert_verdict_eq(hears(a), DROP_ARP_NOT_FOR_US);
	ck_assert_uint_eq(entries(), 0);
	host_says_nothing();
}
END_TEST

START_TEST(a_reply_that_nobody_asked_for_is_not_learned)
{
	ck_assert_verdict_eq(hears(reply_from(NEIGHBOUR_IP, neighbour_mac)), DROP_ARP_UNSOLICITED);
	ck_assert_uint_eq(entries(), 0);
	host_says_nothing();
}
END_TEST

START_TEST(a_known_neighbour_that_announces_another_link_address_is_believed)
{
	struct host_arp a = request_from(NEIGHBOUR_IP, stranger_mac);

	use_neighbour();
	a.target = NEIGHBOUR_IP;
	ck_assert_verdict_eq(hears(a), ACCEPT);		/* RFC 826: the merge comes before "for me?" */
	host_says_nothing();
	sends_echo(NEIGHBOUR_IP, 1);
	says_echo_to(stranger_mac, 1);
}
END_TEST

START_TEST(impossible_senders_are_refused)
{
	static const uint8_t group[6] = {3, 0, 0, 0, 0, 1}, zero[6];
	struct host_arp a = request_from(NEIGHBOUR_IP, neighbour_mac);
	const struct tapir_addr wrong[] = {tapir_ipv4(255, 255, 255, 255), tapir_ipv4(10, 0, 0, 255), tapir_ipv4(127, 0, 0, 1),
					   tapir_ipv4(224, 0, 0, 1), tapir_ipv4(240, 0, 0, 1), tapir_ipv4(0, 0, 0, 9)};

	a.link_src = stranger_mac;			/* the frame comes from someone else */
	ck_assert_verdict_eq(hears(a), DROP_ARP_SENDER);
	a = request_from(NEIGHBOUR_IP, group);
	a.link_src = neighbour_mac;
	ck_assert_verdict_eq(hears(a), DROP_ARP_SENDER);
	ck_assert_verdict_eq(hears(request_from(NEIGHBOUR_IP, zero)), DROP_ARP_SENDER);
	ck_assert_verdict_eq(hears(reply_from(tapir_ipv4(0, 0, 0, 0), neighbour_mac)), DROP_ARP_SENDER);
	for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
		ck_assert_verdict_eq(hears(request_from(wrong[i], neighbour_mac)), DROP_ARP_SENDER);
	ck_assert_uint_eq(entries(), 0);
	host_says_nothing();
}
END_TEST

START_TEST(a_packet_of_another_operation_or_cut_short_has_its_verdict)
{
	uint8_t frame[ETH_HEADER + ARP_PACKET] = {0};
	struct eth_header h = {.type = ETH_TYPE_ARP};
	struct arp_packet p = {.op = 3, .sender = NEIGHBOUR_IP, .target = HOST_IP};

	memcpy(h.dst, host_mac, 6);
	memcpy(h.src, neighbour_mac, 6);
	memcpy(p.sender_mac, neighbour_mac, 6);
	eth_emit(&h, frame);
	arp_emit(&p, frame + ETH_HEADER);
	ck_assert_verdict_eq(host_hears(frame, sizeof frame), DROP_ARP_OP);
	for (size_t n = ETH_HEADER; n < sizeof frame; n++)
		ck_assert_verdict_eq(host_hears(frame, n), DROP_ARP_SHORT);
	host_says_nothing();
}
END_TEST

/* --- what waits --- */

START_TEST(the_first_datagram_waits_for_the_answer_and_then_leaves)
{
	struct tapir_arp_entry row;

	sends_echo(NEIGHBOUR_IP, 1);
	says_request_for(NEIGHBOUR_IP, eth_broadcast);
	host_says_nothing();
	ck_assert(row_of(NEIGHBOUR_IP, &row));
	ck_assert(!row.reachable);
	ck_assert_uint_eq(tapir_count(t, HELD), 1);
	ck_assert_verdict_eq(hears(reply_from(NEIGHBOUR_IP, neighbour_mac)), ACCEPT);
	says_echo_to(neighbour_mac, 1);
	host_says_nothing();
}
END_TEST

START_TEST(the_first_ping_from_a_neighbour_we_do_not_know_is_answered)
{
	struct icmp_header ping = {.type = ICMP_ECHO, .id = 7, .seq = 1};
	struct said s;
	struct span text;

	ck_assert_verdict_eq(host_hears_icmp(NEIGHBOUR_IP, &ping, "hello", 5), ACCEPT);
	says_request_for(NEIGHBOUR_IP, eth_broadcast);
	hears(reply_from(NEIGHBOUR_IP, neighbour_mac));
	ck_assert_uint_eq(host_says_icmp(&s, &text).type, ICMP_ECHO_REPLY);
	ck_assert_mem_eq(text.p, "hello", 5);
}
END_TEST

START_TEST(datagrams_that_wait_leave_in_order_and_ask_only_once)
{
	for (uint16_t seq = 1; seq <= 10; seq++)
		sends_echo(NEIGHBOUR_IP, seq);
	says_request_for(NEIGHBOUR_IP, eth_broadcast);
	host_says_nothing();				/* RFC 1122 2.3.2.1: one a second */
	hears(reply_from(NEIGHBOUR_IP, neighbour_mac));
	for (uint16_t seq = 1; seq <= 10; seq++)
		says_echo_to(neighbour_mac, seq);
	host_says_nothing();
}
END_TEST

START_TEST(of_too_many_that_wait_the_latest_are_kept)
{
	for (uint16_t seq = 1; seq <= 20; seq++) {
		sends_echo(NEIGHBOUR_IP, seq);
		if (seq == 1)
			says_request_for(NEIGHBOUR_IP, eth_broadcast);
		host_says_nothing();
	}
	ck_assert_uint_eq(tapir_count(t, DROP_ARP_QUEUE_FULL), 4);	/* arp_queue is 16 */
	hears(reply_from(NEIGHBOUR_IP, neighbour_mac));
	for (uint16_t seq = 5; seq <= 20; seq++)
		says_echo_to(neighbour_mac, seq);
	host_says_nothing();
}
END_TEST

START_TEST(a_request_of_the_neighbour_answers_ours)
{
	struct said s;

	sends_echo(NEIGHBOUR_IP, 1);
	says_request_for(NEIGHBOUR_IP, eth_broadcast);
	ck_assert_verdict_eq(hears(request_from(NEIGHBOUR_IP, neighbour_mac)), ACCEPT);
	host_says_arp(&s, ARP_REPLY);
	says_echo_to(neighbour_mac, 1);
}
END_TEST

START_TEST(a_neighbour_that_does_not_answer_is_asked_three_times_a_second_apart_and_then_unreachable)
{
	struct tapir_echo echo;
	usec_t start_us = tapir_now(t);
	struct said s;

	sends_echo(NEIGHBOUR_IP, 9);
	host_waits(2999 * TAPIR_MS);
	ck_assert_result(tapir_echo_recv(t, &echo), 0);
	for (usec_t i = 0; i < 3; i++) {
		host_says_arp(&s, ARP_REQUEST);
		ck_assert_uint_eq(s.at_us - start_us, i * TAPIR_SEC);
	}
	host_waits(2 * TAPIR_MS);
	host_says_nothing();
	ck_assert(!knows(NEIGHBOUR_IP));
	ck_assert_uint_eq(tapir_count(t, DROP_ARP_UNRESOLVED), 1);
	ck_assert_result(tapir_echo_recv(t, &echo), 1);
	ck_assert_uint_eq(echo.type, ICMP_UNREACHABLE);
	ck_assert_uint_eq(echo.code, ICMP_HOST_UNREACHABLE);
	ck_assert_uint_eq(echo.seq, 9);
	sends_echo(NEIGHBOUR_IP, 10);			/* and asked anew for the next */
	says_request_for(NEIGHBOUR_IP, eth_broadcast);
}
END_TEST

START_TEST(datagrams_for_elsewhere_go_to_the_gateway)
{
	host_end();
	host_config_ethernet()->gateway = NEIGHBOUR_IP;
	t = host_begin();
	host_says_all();
	sends_echo(FAR_IP, 1);
	says_request_for(NEIGHBOUR_IP, eth_broadcast);
	hears(reply_from(NEIGHBOUR_IP, neighbour_mac));
	says_echo_to(neighbour_mac, 1);
	ck_assert(!knows(FAR_IP));
}
END_TEST

/* --- age --- */

START_TEST(a_neighbour_in_use_is_probed_by_unicast_when_its_entry_is_old)
{
	usec_t start_us = tapir_now(t);
	struct said s;

	use_neighbour();
	host_waits(30 * TAPIR_SEC);
	sends_echo(NEIGHBOUR_IP, 1);
	says_echo_to(neighbour_mac, 1);
	host_waits(30 * TAPIR_SEC);
	host_says_arp(&s, ARP_REQUEST);
	ck_assert_uint_eq(s.at_us - start_us, 60 * TAPIR_SEC);
	ck_assert_mem_eq(s.eth.dst, neighbour_mac, 6);	/* RFC 1122 2.3.2.1 (2) */
	sends_echo(NEIGHBOUR_IP, 2);			/* and frames still flow */
	says_echo_to(neighbour_mac, 2);
	hears(reply_from(NEIGHBOUR_IP, neighbour_mac));
	host_waits(59 * TAPIR_SEC);
	host_says_nothing();
	ck_assert(knows(NEIGHBOUR_IP));
}
END_TEST

START_TEST(a_neighbour_that_no_longer_answers_is_forgotten_after_three_probes)
{
	struct tapir_arp_entry row;
	struct said s;

	use_neighbour();
	host_waits(1);
	sends_echo(NEIGHBOUR_IP, 1);
	host_says_all();
	host_waits(60 * TAPIR_SEC);
	for (int i = 0; i < 3; i++) {
		host_says_arp(&s, ARP_REQUEST);
		ck_assert_mem_eq(s.eth.dst, neighbour_mac, 6);
		ck_assert(row_of(NEIGHBOUR_IP, &row) && row.reachable);
		host_waits(TAPIR_SEC);
	}
	ck_assert(!knows(NEIGHBOUR_IP));
	sends_echo(NEIGHBOUR_IP, 2);
	says_request_for(NEIGHBOUR_IP, eth_broadcast);
}
END_TEST

START_TEST(an_entry_that_nobody_uses_goes_without_a_word)
{
	hears(request_from(NEIGHBOUR_IP, neighbour_mac));
	host_says_all();
	host_waits(59 * TAPIR_SEC);
	ck_assert(knows(NEIGHBOUR_IP));
	host_waits(2 * TAPIR_SEC);
	ck_assert(!knows(NEIGHBOUR_IP));
	host_says_nothing();
}
END_TEST

START_TEST(what_was_used_before_its_last_sign_of_life_and_not_since_goes_too)
{
	use_neighbour();
	host_waits(10 * TAPIR_SEC);
	hears(request_from(NEIGHBOUR_IP, neighbour_mac));
	host_says_all();
	host_waits(61 * TAPIR_SEC);
	ck_assert(!knows(NEIGHBOUR_IP));
	host_says_nothing();
}
END_TEST

START_TEST(what_the_neighbour_says_meanwhile_makes_its_entry_young_again)
{
	use_neighbour();
	host_waits(50 * TAPIR_SEC);
	sends_echo(NEIGHBOUR_IP, 1);
	says_echo_to(neighbour_mac, 1);
	hears(request_from(NEIGHBOUR_IP, neighbour_mac));
	host_says_all();
	host_waits(59 * TAPIR_SEC);
	host_says_nothing();
	ck_assert(knows(NEIGHBOUR_IP));
}
END_TEST

/* --- floods --- */

static struct tapir_addr flooder(uint32_t i) { return tapir_ipv4(10, 1, (uint8_t)(1 + i / 250), (uint8_t)(1 + i % 250)); }

START_TEST(a_flood_of_requests_fills_the_cache_only_to_its_limit_and_costs_nobody_in_use_his_place)
{
	struct tapir_usage u;

	host_end();
	host_config_ethernet()->prefix_len = 8;
	t = host_begin();
	host_says_all();
	use_neighbour();
	for (uint32_t i = 0; i < FLOOD; i++) {
		hears(request_from(flooder(i), stranger_mac));
		host_says_all();
	}
	tapir_usage(t, &u);
	ck_assert_uint_le(u.arp, u.arp_max);
	ck_assert_uint_eq(u.arp, entries());
	sends_echo(NEIGHBOUR_IP, 1);
	says_echo_to(neighbour_mac, 1);
	sends_echo(flooder(FLOOD - 1), 2);		/* the latest is among those known */
	says_echo_to(stranger_mac, 2);
}
END_TEST

START_TEST(answers_to_a_flood_are_bounded_and_leave_room_for_our_own_questions)
{
	uint32_t replies = 0;
	bool asked = false;
	struct tapir_out out;
	struct tapir_frame *f;

	sends_echo(NEIGHBOUR_IP, 1);
	says_request_for(NEIGHBOUR_IP, eth_broadcast);
	for (uint32_t i = 0; i < 200; i++) {		/* the stack hears all of them before it may send */
		uint8_t frame[ETH_HEADER + ARP_PACKET];
		struct eth_header h = {.type = ETH_TYPE_ARP};
		struct arp_packet p = {.op = ARP_REQUEST, .sender = flooder(i), .target = HOST_IP};

		memcpy(h.dst, eth_broadcast, 6);
		memcpy(h.src, stranger_mac, 6);
		memcpy(p.sender_mac, stranger_mac, 6);
		eth_emit(&h, frame);
		arp_emit(&p, frame + ETH_HEADER);
		f = tapir_frame_get(t);
		memcpy(f->data, frame, sizeof frame);
		f->len = sizeof frame;
		ck_assert_verdict_eq(tapir_input(t, f), ACCEPT);
	}
	tapir_tick(t, tapir_now(t) + TAPIR_SEC);	/* our own question is due again */
	while (tapir_output(t, &out)) {
		bool is_reply = out.head[out.head_at + ETH_HEADER + 7] == ARP_REPLY;

		replies += is_reply;
		asked |= !is_reply;
	}
	ck_assert(replies > 0 && replies < 100);
	ck_assert(asked);
}
END_TEST

START_TEST(a_flood_of_replies_and_of_announcements_leaves_no_trace)
{
	for (uint32_t i = 0; i < FLOOD; i++) {
		struct host_arp a = request_from(flooder(i), stranger_mac);

		a.target = a.sender;
		ck_assert_verdict_eq(hears(a), DROP_ARP_NOT_FOR_US);
		ck_assert_verdict_eq(hears(reply_from(flooder(i), stranger_mac)), DROP_ARP_UNSOLICITED);
	}
	ck_assert_uint_eq(entries(), 0);
	host_says_nothing();
}
END_TEST

START_TEST(sending_to_many_absent_neighbours_is_bounded_and_costs_a_present_one_nothing)
{
	struct tapir_usage u;
	struct said s;

	host_end();
	host_config_ethernet()->arp_entries = 16;
	t = host_begin();
	host_says_all();
	use_neighbour();
	for (uint32_t i = 0; i < 700; i++) {
		struct tapir_addr absent = tapir_ipv4(10, 0, 0, (uint8_t)(3 + i % 250));

		ck_assert_result(tapir_echo_send(t, absent, 1, (uint16_t)i, span_of("x", 1)), 0);
		while (host_says(&s))
			ck_assert_uint_eq(s.eth.type, ETH_TYPE_ARP);
		tapir_usage(t, &u);
		ck_assert_uint_le(u.small_frames, u.small_frames_max / 4 + 1);	/* what waits pins a quarter at most */
		ck_assert_uint_le(u.arp, u.arp_max);
	}
	sends_echo(NEIGHBOUR_IP, 1);
	says_echo_to(neighbour_mac, 1);
}
END_TEST

START_TEST(a_small_cache_gives_way_in_order_of_use)
{
	host_end();
	host_config_ethernet()->arp_entries = 4;
	t = host_begin();
	host_says_all();
	for (uint8_t i = 10; i < 20; i++) {		/* ten neighbours, all in use, in a cache of four */
		struct tapir_addr a = tapir_ipv4(10, 0, 0, i);

		sends_echo(a, i);
		says_request_for(a, eth_broadcast);
		hears(reply_from(a, neighbour_mac));
		says_echo_to(neighbour_mac, i);
		ck_assert_uint_le(entries(), 4);
	}
	for (uint8_t i = 10; i < 20; i++)
		ck_assert(knows(tapir_ipv4(10, 0, 0, i)) == (i >= 16));
	ck_assert_verdict_eq(hears(request_from(tapir_ipv4(10, 0, 0, 30), stranger_mac)), ACCEPT);
	host_says_all();				/* answered, but no reason to forget anyone */
	ck_assert(!knows(tapir_ipv4(10, 0, 0, 30)));
	ck_assert_uint_eq(entries(), 4);
}
END_TEST

Suite *suite(void)
{
	Suite *s = suite_create("link: Ethernet, ARP");
	TCase *e = tcase_create("RFC 894"), *a = tcase_create("RFC 826"), *f = tcase_create("floods");

	tcase_add_checked_fixture(e, set_up, host_end);
	tcase_add_checked_fixture(a, set_up, host_end);
	tcase_add_checked_fixture(f, set_up, host_end);
	tcase_add_test(e, each_frame_that_is_not_for_us_has_its_verdict);
	tcase_add_test(e, broadcast_and_multicast_need_no_arp);
	tcase_add_test(a, a_request_for_us_is_answered_and_its_sender_learned);
	tcase_add_test(a, a_probe_for_our_address_is_answered_but_not_learned);
	tcase_add_test(a, a_request_for_another_host_is_neither_answered_nor_learned);
	tcase_add_test(a, a_reply_that_nobody_asked_for_is_not_learned);
	tcase_add_test(a, a_known_neighbour_that_announces_another_link_address_is_believed);
	tcase_add_test(a, impossible_senders_are_refused);
	tcase_add_test(a, a_packet_of_another_operation_or_cut_short_has_its_verdict);
	tcase_add_test(a, the_first_datagram_waits_for_the_answer_and_then_leaves);
	tcase_add_test(a, the_first_ping_from_a_neighbour_we_do_not_know_is_answered);
	tcase_add_test(a, datagrams_that_wait_leave_in_order_and_ask_only_once);
	tcase_add_test(a, of_too_many_that_wait_the_latest_are_kept);
	tcase_add_test(a, a_request_of_the_neighbour_answers_ours);
	tcase_add_test(a, a_neighbour_that_does_not_answer_is_asked_three_times_a_second_apart_and_then_unreachable);
	tcase_add_test(a, datagrams_for_elsewhere_go_to_the_gateway);
	tcase_add_test(a, a_neighbour_in_use_is_probed_by_unicast_when_its_entry_is_old);
	tcase_add_test(a, a_neighbour_that_no_longer_answers_is_forgotten_after_three_probes);
	tcase_add_test(a, an_entry_that_nobody_uses_goes_without_a_word);
	tcase_add_test(a, what_was_used_before_its_last_sign_of_life_and_not_since_goes_too);
	tcase_add_test(a, what_the_neighbour_says_meanwhile_makes_its_entry_young_again);
	tcase_add_test(f, a_flood_of_requests_fills_the_cache_only_to_its_limit_and_costs_nobody_in_use_his_place);
	tcase_add_test(f, answers_to_a_flood_are_bounded_and_leave_room_for_our_own_questions);
	tcase_add_test(f, a_flood_of_replies_and_of_announcements_leaves_no_trace);
	tcase_add_test(f, sending_to_many_absent_neighbours_is_bounded_and_costs_a_present_one_nothing);
	tcase_add_test(f, a_small_cache_gives_way_in_order_of_use);
	suite_add_tcase(s, e);
	suite_add_tcase(s, a);
	suite_add_tcase(s, f);
	return s;
}
