/* test_link_claim.c: the right to our own address (RFC 5227) of a whole stack: probe, announce, defend, give way; and what
 * waits meanwhile. */
#include "tests/support/host.h"

static struct tapir *t;
static usec_t start_us;
static const uint8_t rival_mac[6] = {2, 0, 0, 0, 0, 9};

static void begin(bool probe, usec_t probe_us)
{
	struct tapir_config *c = host_config_ethernet();

	c->arp_probe = probe;
	c->arp_probe_us = probe_us;
	t = host_begin();
	start_us = tapir_now(t);
}

static void set_up(void) { begin(true, 200 * TAPIR_MS); }

static enum tapir_verdict rival_says(uint16_t op, struct tapir_addr sender, struct tapir_addr target)
{
	struct host_arp a = {.op = op, .sender_mac = rival_mac, .link_dst = eth_broadcast, .sender = sender, .target = target};

	return host_hears_arp(&a);
}

static enum tapir_verdict rival_claims(void) { return rival_says(ARP_REQUEST, HOST_IP, HOST_IP); }

/* RFC 5227 2.1.1: no sender address; 2.3: an announcement names ours. */
static usec_t says_broadcast_for_us(struct tapir_addr sender)
{
	static const uint8_t zero[6];
	struct said s;

	host_says_arp(&s, ARP_REQUEST);
	ck_assert(addr_is(&s.arp.sender, sender));
	ck_assert(addr_is(&s.arp.target, HOST_IP));
	ck_assert_mem_eq(s.arp.target_mac, zero, 6);
	ck_assert_mem_eq(s.eth.dst, eth_broadcast, 6);
	return s.at_us;
}

static usec_t says_probe(void) { return says_broadcast_for_us(tapir_ipv4(0, 0, 0, 0)); }
static usec_t says_announcement(void) { return says_broadcast_for_us(HOST_IP); }

static void wait_until_ready(void)
{
	for (int i = 0; i < 1000 && !tapir_address_ready(t); i++)
		host_waits(10 * TAPIR_MS);
	ck_assert(tapir_address_ready(t));
}

/* The address is ours and all has been said about it. */
static void claimed(void)
{
	wait_until_ready();
	host_waits(3 * TAPIR_SEC);
	host_says_all();
}

START_TEST(three_probes_then_two_announcements)
{
	usec_t at_us[3], announced_us;

	ck_assert(!tapir_address_ready(t));
	wait_until_ready();
	host_waits(10 * TAPIR_SEC);
	for (int i = 0; i < 3; i++)
		at_us[i] = says_probe();
	announced_us = says_announcement();
	ck_assert_uint_eq(says_announcement() - announced_us, 2 * TAPIR_SEC);	/* ANNOUNCE_INTERVAL */
	host_says_nothing();
	ck_assert_uint_le(at_us[0] - start_us, 200 * TAPIR_MS);
	ck_assert(at_us[1] - at_us[0] >= 100 * TAPIR_MS && at_us[1] - at_us[0] <= 200 * TAPIR_MS);
	ck_assert(at_us[2] - at_us[1] >= 100 * TAPIR_MS && at_us[2] - at_us[1] <= 200 * TAPIR_MS);
	ck_assert_uint_eq(announced_us - at_us[2], 200 * TAPIR_MS);
}
END_TEST

START_TEST(without_probing_the_address_is_announced_and_used_at_once)
{
	host_end();
	begin(false, 0);
	ck_assert(tapir_address_ready(t));
	ck_assert_uint_eq(says_announcement(), start_us);
	host_waits(10 * TAPIR_SEC);
	ck_assert_uint_eq(says_announcement(), start_us + 2 * TAPIR_SEC);
	host_says_nothing();
}
END_TEST

START_TEST(on_a_bare_ip_link_there_is_nothing_to_claim)
{
	host_end();
	host_config()->arp_probe = true;
	t = host_begin();
	ck_assert(tapir_address_ready(t));
	host_waits(10 * TAPIR_SEC);
	host_says_nothing();
}
END_TEST

START_TEST(while_probing_nothing_is_answered_and_nothing_else_is_sent)
{
	struct icmp_header ping = {.type = ICMP_ECHO, .id = 1, .seq = 1};
	struct said s;

	ck_assert_verdict_eq(rival_says(ARP_REQUEST, NEIGHBOUR_IP, HOST_IP), DROP_ARP_NOT_FOR_US);
	ck_assert_verdict_eq(host_hears_icmp(NEIGHBOUR_IP, &ping, "x", 1), DROP_IP_NOT_FOR_US);
	ck_assert_result(tapir_echo_send(t, NEIGHBOUR_IP, 1, 1, span_of("x", 1)), 0);
	while (!tapir_address_ready(t)) {
		host_waits(1 * TAPIR_MS);
		while (!tapir_address_ready(t) && host_says(&s))
			ck_assert(s.eth.type == ETH_TYPE_ARP && get_be32(s.arp.sender.b + 12) == 0);
	}
}
END_TEST

START_TEST(what_is_sent_too_early_waits_until_the_address_is_ours)
{
	struct host_arp reply = {.op = ARP_REPLY, .sender_mac = neighbour_mac, .sender = NEIGHBOUR_IP, .target = HOST_IP};
	struct said s;
	struct span text;

	ck_assert_result(tapir_echo_send(t, NEIGHBOUR_IP, 1, 77, span_of("x", 1)), 0);
	wait_until_ready();
	for (int i = 0; i < 3; i++)
		says_probe();
	says_announcement();
	host_says_arp(&s, ARP_REQUEST);
	ck_assert(addr_is(&s.arp.target, NEIGHBOUR_IP));
	ck_assert_verdict_eq(host_hears_arp(&reply), ACCEPT);
	ck_assert_uint_eq(host_says_icmp(&s, &text).seq, 77);
}
END_TEST

START_TEST(too_much_that_waits_for_the_address_is_dropped_oldest_first)
{
	struct host_arp reply = {.op = ARP_REPLY, .sender_mac = neighbour_mac, .sender = NEIGHBOUR_IP, .target = HOST_IP};
	struct said s;
	struct span text;
	uint32_t n = 0;

	for (uint16_t seq = 1; seq <= 100; seq++) {
		ck_assert_result(tapir_echo_send(t, NEIGHBOUR_IP, 1, seq, span_of("x", 1)), 0);
		host_says_nothing();
	}
	ck_assert_uint_eq(tapir_count(t, DROP_ARP_QUEUE_FULL), 100 - 64);
	wait_until_ready();
	host_says_all();
	host_hears_arp(&reply);
	for (uint16_t seq = 100 - 16 + 1; seq <= 100; seq++, n++)	/* of these the neighbour's queue keeps 16 */
		ck_assert_uint_eq(host_says_icmp(&s, &text).seq, seq);
	host_says_nothing();
}
END_TEST

START_TEST(a_claim_while_probing_takes_the_address_from_us_until_nobody_objects)
{
	struct tapir_echo echo;

	ck_assert_result(tapir_echo_send(t, NEIGHBOUR_IP, 1, 5, span_of("x", 1)), 0);
	host_waits(1);
	ck_assert_verdict_eq(rival_says(ARP_REPLY, HOST_IP, HOST_IP), DROP_ARP_CONFLICT);
	host_says_all();
	ck_assert_result(tapir_echo_recv(t, &echo), 1);		/* who waited is told */
	ck_assert_uint_eq(echo.type, ICMP_UNREACHABLE);
	host_waits(9 * TAPIR_SEC);
	host_says_nothing();
	ck_assert(!tapir_address_ready(t));
	host_waits(2 * TAPIR_SEC);				/* 10 s later we look again */
	ck_assert(tapir_address_ready(t));
	for (int i = 0; i < 3; i++)
		says_probe();
	says_announcement();
}
END_TEST

START_TEST(two_that_probe_at_the_same_time_both_give_way)
{
	ck_assert_verdict_eq(rival_says(ARP_REQUEST, tapir_ipv4(0, 0, 0, 0), HOST_IP), DROP_ARP_CONFLICT);	/* 2.1.1 */
	host_waits(5 * TAPIR_SEC);
	ck_assert(!tapir_address_ready(t));
}
END_TEST

START_TEST(after_many_conflicts_we_probe_once_a_minute)
{
	usec_t last_us = 0, at_us = 0;
	struct said s;

	for (int i = 0; i < 12; i++) {			/* a rival that answers the first probe of every round */
		while (!host_says(&s))
			host_waits(100 * TAPIR_MS);
		last_us = at_us;
		at_us = s.at_us;
		ck_assert_verdict_eq(rival_claims(), DROP_ARP_CONFLICT);
		host_says_all();
	}
	ck_assert_uint_ge(at_us - last_us, 60 * TAPIR_SEC);	/* RATE_LIMIT_INTERVAL */
	ck_assert_uint_le(at_us - last_us, 61 * TAPIR_SEC);
}
END_TEST

START_TEST(the_address_is_defended_once_and_a_second_conflict_ends_its_use)
{
	claimed();
	ck_assert_verdict_eq(rival_claims(), DROP_ARP_CONFLICT);
	says_announcement();				/* 2.4 (b): once */
	ck_assert(tapir_address_ready(t));
	host_waits(9 * TAPIR_SEC);
	host_says_nothing();
	ck_assert_verdict_eq(rival_claims(), DROP_ARP_CONFLICT);
	ck_assert(!tapir_address_ready(t));
	host_waits(1 * TAPIR_SEC);
	says_probe();					/* and is claimed anew */
}
END_TEST

START_TEST(conflicts_further_apart_than_ten_seconds_are_each_defended)
{
	claimed();
	for (int i = 0; i < 5; i++) {
		rival_claims();
		says_announcement();
		host_waits(10 * TAPIR_SEC);
		host_says_nothing();
	}
	ck_assert(tapir_address_ready(t));
}
END_TEST

START_TEST(a_fixed_address_is_defended_for_ever_but_not_more_than_once_in_ten_seconds)
{
	host_end();
	begin(false, 0);
	claimed();
	for (int i = 0; i < 100; i++) {			/* 2.4 (c) */
		ck_assert_verdict_eq(rival_claims(), DROP_ARP_CONFLICT);
		host_waits(1 * TAPIR_SEC);
	}
	ck_assert(tapir_address_ready(t));
	for (int i = 0; i < 10; i++)
		says_announcement();
	host_says_nothing();
}
END_TEST

START_TEST(a_rival_is_never_learned_as_a_neighbour)
{
	claimed();
	rival_claims();
	ck_assert_uint_eq(tapir_arp_list(t, NULL, 0), 0);
}
END_TEST

Suite *suite(void)
{
	Suite *s = suite_create("link: RFC 5227");
	TCase *c = tcase_create("claim");

	tcase_add_checked_fixture(c, set_up, host_end);
	tcase_add_test(c, three_probes_then_two_announcements);
	tcase_add_test(c, without_probing_the_address_is_announced_and_used_at_once);
	tcase_add_test(c, on_a_bare_ip_link_there_is_nothing_to_claim);
	tcase_add_test(c, while_probing_nothing_is_answered_and_nothing_else_is_sent);
	tcase_add_test(c, what_is_sent_too_early_waits_until_the_address_is_ours);
	tcase_add_test(c, too_much_that_waits_for_the_address_is_dropped_oldest_first);
	tcase_add_test(c, a_claim_while_probing_takes_the_address_from_us_until_nobody_objects);
	tcase_add_test(c, two_that_probe_at_the_same_time_both_give_way);
	tcase_add_test(c, after_many_conflicts_we_probe_once_a_minute);
	tcase_add_test(c, the_address_is_defended_once_and_a_second_conflict_ends_its_use);
	tcase_add_test(c, conflicts_further_apart_than_ten_seconds_are_each_defended);
	tcase_add_test(c, a_fixed_address_is_defended_for_ever_but_not_more_than_once_in_ten_seconds);
	tcase_add_test(c, a_rival_is_never_learned_as_a_neighbour);
	suite_add_tcase(s, c);
	return s;
}
