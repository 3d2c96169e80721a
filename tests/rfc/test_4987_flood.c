/* test_4987_flood.c: which SYNs get a cookie (RFC 4987 3.6) when there are more than config.syn_cookie_rate: a SYN beyond the
 * rate is passed over, and one that comes again goes first, so that a flood from invented addresses keeps nobody out. */
#include "stack/base/siphash.h"
#include "stack/wire/checksum.h"
#include "stack/wire/tcp.h"
#include "tests/support/host.h"

#define PORT 7
#define CLIENTS 60u
#define FLOOD_MS 3000u
#define SYNS_A_MS 20u

static struct tapir *t;
static tapir_sd server;

static void begin(uint32_t rate)
{
	struct tapir_endpoint local = {.port = PORT};
	struct tapir_config *c = host_config();

	c->syn_cookie_rate = rate;
	c->gateway = NEIGHBOUR_IP;
	c->max_half_open = 16;
	c->max_conns = CLIENTS;
	c->max_sockets = CLIENTS + 1;
	t = host_begin();
	server = tapir_socket(t, TAPIR_SOCK_STREAM);
	ck_assert(server >= 0);
	ck_assert_result(tapir_bind(t, server, &local), 0);
	ck_assert_result(tapir_listen(t, server, CLIENTS + 1), 0);
}

static void set_up(void) { begin(10); }

static void tear_down(void)
{
	if (t)
		ck_assert_result(tapir_close(t, server), 0);
	t = NULL;
	host_end();
}

/* A client, or one of those who are not there: SYN, or what follows it. */
struct stranger { uint32_t addr; uint16_t port; uint32_t iss, ack; };

static struct tapir_addr addr_of(uint32_t a)
{
	return tapir_ipv4((uint8_t)(a >> 24), (uint8_t)(a >> 16), (uint8_t)(a >> 8), (uint8_t)a);
}

static enum tapir_verdict hears(const struct stranger *s, uint8_t flags)
{
	struct ipv4_header ip = {.src = addr_of(s->addr), .dst = HOST_IP, .proto = IP_PROTO_TCP, .ttl = 64};
	struct tcp_seg seg = {.src_port = s->port, .dst_port = PORT, .seq = {s->iss}, .wnd = 65535, .flags = flags};
	uint8_t p[TCP_HEADER];

	if (flags & TCP_ACK) {
		seg.seq.n++;
		seg.ack.n = s->ack;
	}
	tcp_emit(&seg, p);
	put_be16(p + TCP_CHECKSUM_AT, checksum_finish(checksum_add(checksum_pseudo(&ip.src, &ip.dst, IP_PROTO_TCP, sizeof p),
								   span_of(p, sizeof p))));
	return host_hears_ip(&ip, p, sizeof p);
}

static struct stranger invented(uint32_t i) { return (struct stranger){0xc6120000 + i, (uint16_t)(1024 + i), i * 2654435761u, 0}; }

/* From here on a SYN needs a cookie; and the rate is used up. */
static void use_up_the_rate(void)
{
	for (uint32_t i = 0; i < 16; i++) {
		struct stranger s = invented(i);

		ck_assert_verdict_eq(hears(&s, TCP_SYN), ACCEPT);
	}
	for (uint32_t i = 16; i < 18; i++) {		/* a tenth of a second's worth, and one */
		struct stranger s = invented(i);

		ck_assert_verdict_eq(hears(&s, TCP_SYN), ACCEPT_COOKIE);
	}
	host_says_all();
}

START_TEST(a_syn_beyond_the_rate_is_passed_over)
{
	struct stranger s = invented(100);

	use_up_the_rate();
	ck_assert_verdict_eq(hears(&s, TCP_SYN), DROP_TCP_SYN_RATE);
	host_says_nothing();
	ck_assert_uint_eq(tapir_count(t, DROP_TCP_SYN_RATE), 1);
}
END_TEST

START_TEST(one_that_comes_again_goes_first)
{
	struct stranger s = invented(100), other = invented(101);

	use_up_the_rate();
	ck_assert_verdict_eq(hears(&s, TCP_SYN), DROP_TCP_SYN_RATE);
	ck_assert_verdict_eq(hears(&other, TCP_SYN), DROP_TCP_SYN_RATE);
	ck_assert_verdict_eq(hears(&s, TCP_SYN), ACCEPT_COOKIE);
	ck_assert_uint_eq(host_says_all(), 1);
}
END_TEST

START_TEST(one_that_comes_again_after_a_second_is_answered_in_the_middle_of_a_flood)
{
	struct stranger s = invented(100);

	use_up_the_rate();
	ck_assert_verdict_eq(hears(&s, TCP_SYN), DROP_TCP_SYN_RATE);
	for (uint32_t ms = 0; ms < 1000; ms++) {
		struct stranger other = invented(1000 + ms);

		host_waits(TAPIR_MS);
		hears(&other, TCP_SYN);
	}
	host_says_all();
	ck_assert_verdict_eq(hears(&s, TCP_SYN), ACCEPT_COOKIE);
}
END_TEST

START_TEST(another_sequence_number_is_another_syn)
{
	struct stranger s = invented(100);

	use_up_the_rate();
	ck_assert_verdict_eq(hears(&s, TCP_SYN), DROP_TCP_SYN_RATE);
	s.iss++;
	ck_assert_verdict_eq(hears(&s, TCP_SYN), DROP_TCP_SYN_RATE);
}
END_TEST

START_TEST(another_port_is_another_syn)
{
	struct stranger s = invented(100);

	use_up_the_rate();
	ck_assert_verdict_eq(hears(&s, TCP_SYN), DROP_TCP_SYN_RATE);
	s.port++;
	ck_assert_verdict_eq(hears(&s, TCP_SYN), DROP_TCP_SYN_RATE);
}
END_TEST

START_TEST(those_that_come_again_have_a_rate_too)
{
	struct stranger s[5];
	uint32_t answered = 0;

	use_up_the_rate();
	for (uint32_t i = 0; i < 5; i++) {
		s[i] = invented(100 + i);
		ck_assert_verdict_eq(hears(&s[i], TCP_SYN), DROP_TCP_SYN_RATE);
	}
	for (uint32_t i = 0; i < 5; i++)
		answered += hears(&s[i], TCP_SYN) == ACCEPT_COOKIE;
	ck_assert_uint_eq(answered, 2);
}
END_TEST

START_TEST(time_brings_the_rate_back_but_no_more_than_a_tenth_of_a_second_of_it)
{
	uint32_t answered = 0;

	use_up_the_rate();
	host_waits(2 * TAPIR_SEC);
	for (uint32_t i = 100; i < 120; i++) {
		struct stranger s = invented(i);

		answered += hears(&s, TCP_SYN) == ACCEPT_COOKIE;
	}
	ck_assert_uint_eq(answered, 2);
}
END_TEST

START_TEST(after_three_seconds_a_syn_is_forgotten)
{
	struct stranger s = invented(100), other[2] = {invented(200), invented(201)};

	use_up_the_rate();
	ck_assert_verdict_eq(hears(&s, TCP_SYN), DROP_TCP_SYN_RATE);
	host_waits(3 * TAPIR_SEC);
	for (int i = 0; i < 2; i++)
		ck_assert_verdict_eq(hears(&other[i], TCP_SYN), ACCEPT_COOKIE);
	ck_assert_verdict_eq(hears(&s, TCP_SYN), DROP_TCP_SYN_RATE);
}
END_TEST

START_TEST(without_a_rate_every_syn_is_answered)
{
	tear_down();
	begin(0);
	for (uint32_t i = 0; i < 500; i++) {
		struct stranger s = invented(i);

		ck_assert_verdict_eq(hears(&s, TCP_SYN), i < 16 ? ACCEPT : ACCEPT_COOKIE);
	}
}
END_TEST

START_TEST(while_the_syn_queue_has_room_no_syn_is_passed_over)
{
	for (uint32_t round = 0; round < 20; round++)
		for (uint32_t i = 0; i < 16; i++) {
			struct stranger s = invented(round * 16 + i);
			struct stranger *gone = &s;

			ck_assert_verdict_eq(hears(&s, TCP_SYN), ACCEPT);
			host_says_all();
			gone->iss++;			/* RST at RCV.NXT: its place is free again */
			hears(gone, TCP_RST);
		}
	ck_assert_uint_eq(tapir_count(t, DROP_TCP_SYN_RATE), 0);
}
END_TEST

/* --- a flood, and clients in it --------------------------------------------------------------------------------- */

static struct client { struct stranger s; uint32_t syn_ms, tries; bool synced, open; } clients[CLIENTS];

static void client_sends_syn(struct client *c)
{
	c->tries++;
	hears(&c->s, TCP_SYN);
}

/* Whoever was answered acknowledges. */
static void clients_hear(void)
{
	struct said s;

	while (host_says(&s)) {
		uint32_t i = s.ip.proto == IP_PROTO_TCP ? get_be32(s.ip.dst.b + 12) - 0x0a000064 : CLIENTS;
		struct client *c = i < CLIENTS ? &clients[i] : NULL;

		if (!c || c->synced || s.payload.p[13] != (TCP_SYN | TCP_ACK))
			continue;
		c->synced = true;
		c->s.ack = get_be32(s.payload.p + 4) + 1;
	}
	for (uint32_t i = 0; i < CLIENTS; i++)
		if (clients[i].synced && !clients[i].open) {
			ck_assert_verdict_eq(hears(&clients[i].s, TCP_ACK), ACCEPT);
			clients[i].open = true;
		}
}

/* As Linux does: again after one second; after three it would be again. */
static void clients_send(uint32_t ms)
{
	for (uint32_t i = 0; i < CLIENTS; i++) {
		struct client *c = &clients[i];

		if (!c->synced && (ms == c->syn_ms || ms == c->syn_ms + 1000))
			client_sends_syn(c);
	}
}

/* RFC 4987 3: a hundred times as many strangers' SYNs as may be answered. */
START_TEST(every_client_is_served_with_its_second_syn_at_the_latest_in_a_flood)
{
	struct tapir_usage usage;
	struct rng rng;
	uint32_t at_once = 0;

	tear_down();
	begin(200);
	rng_seed(&rng, 1, (uint64_t)_i);
	for (uint32_t i = 0; i < CLIENTS; i++)
		clients[i] = (struct client){.s = {0x0a000064 + i, (uint16_t)(2000 + i), (uint32_t)rng_next(&rng), 0},
					     .syn_ms = 200 + rng_below(&rng, FLOOD_MS - 1500)};
	for (uint32_t ms = 0; ms < FLOOD_MS; ms++) {
		for (uint32_t i = 0; i < SYNS_A_MS; i++) {
			struct stranger s = {0xc0000000 + rng_below(&rng, 1u << 24), (uint16_t)(1024 + rng_below(&rng, 60000)),
					     (uint32_t)rng_next(&rng), 0};
			enum tapir_verdict v = hears(&s, TCP_SYN);

			ck_assert(v == ACCEPT || v == ACCEPT_COOKIE || v == DROP_TCP_SYN_RATE);
		}
		clients_send(ms);
		clients_hear();
		host_waits(TAPIR_MS);
	}
	for (uint32_t i = 0; i < CLIENTS; i++) {
		ck_assert_msg(clients[i].open, "client %u was not served", i);
		at_once += clients[i].tries == 1;
	}
	ck_assert_uint_lt(at_once, CLIENTS / 2);		/* else it was no flood */
	ck_assert_uint_lt(tapir_count(t, ACCEPT_COOKIE), 200 * 2 * FLOOD_MS / 1000 + 100);
	tapir_usage(t, &usage);
	ck_assert_uint_le(usage.half_open, 16);
	ck_assert_uint_eq(usage.conns - usage.half_open, CLIENTS);
}
END_TEST

static TCase *rate_tests(void)
{
	TCase *tc = tcase_create("the rate");

	tcase_add_checked_fixture(tc, set_up, tear_down);
	tcase_add_test(tc, a_syn_beyond_the_rate_is_passed_over);
	tcase_add_test(tc, one_that_comes_again_goes_first);
	tcase_add_test(tc, one_that_comes_again_after_a_second_is_answered_in_the_middle_of_a_flood);
	tcase_add_test(tc, another_sequence_number_is_another_syn);
	tcase_add_test(tc, another_port_is_another_syn);
	tcase_add_test(tc, those_that_come_again_have_a_rate_too);
	tcase_add_test(tc, time_brings_the_rate_back_but_no_more_than_a_tenth_of_a_second_of_it);
	tcase_add_test(tc, after_three_seconds_a_syn_is_forgotten);
	tcase_add_test(tc, without_a_rate_every_syn_is_answered);
	tcase_add_test(tc, while_the_syn_queue_has_room_no_syn_is_passed_over);
	return tc;
}

static TCase *flood_tests(void)
{
	TCase *tc = tcase_create("a flood");

	tcase_add_checked_fixture(tc, set_up, tear_down);
	tcase_set_timeout(tc, 60);
	tcase_add_loop_test(tc, every_client_is_served_with_its_second_syn_at_the_latest_in_a_flood, 0, 3);
	return tc;
}

Suite *suite(void)
{
	Suite *s = suite_create("RFC 4987 3.6: which SYNs get a cookie");

	suite_add_tcase(s, rate_tests());
	suite_add_tcase(s, flood_tests());
	return s;
}
