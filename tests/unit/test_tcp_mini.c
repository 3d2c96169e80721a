/* test_tcp_mini.c: half-open connections and those in TIME-WAIT are kept small (stack/tcp/mini.c): what they cost, what they
 * remember, and what happens when there is no room to unfold them. The eight steps over them are tests/rfc's. */
#include <stdio.h>
#include "stack/tcp/internal.h"
#include "tests/support/host.h"
#include "tests/support/peer.h"
#include "tests/support/segment.h"

static uint32_t slots(const struct peer *p) { return p->t->tcp->used; }

/* TIME-WAIT that no program holds, from this port. */
static struct peer waits(const struct peer *first, uint16_t port)
{
	struct peer p = another_peer(first, port);

	peer_opens(&p);
	user_accepts(&p);
	user_closes(&p);
	peer_expects(&p, "F. 1:1(0) ack 1");
	peer_sends(&p, "F. 1:1(0) ack 2");
	peer_expects(&p, ". 2:2(0) ack 2");
	ck_assert_state(&p, TAPIR_TCP_TIME_WAIT);
	return p;
}

START_TEST(a_syn_costs_no_connection_once_it_is_answered)
{
	struct peer p = syn_received(_i);

	ck_assert_uint_eq(slots(&p), 0);
	ck_assert_uint_eq(peer_usage(&p).conns, 1);
	ck_assert_uint_eq(peer_usage(&p).timers, 1);
	peer_sends(&p, ". 1:1(0) ack 1");
	ck_assert_uint_eq(slots(&p), 1);
	ck_assert_uint_eq(p.t->tcp->minis.syn.count, 0);
}
END_TEST

START_TEST(time_wait_costs_no_connection_once_the_program_has_let_go)
{
	struct peer p = time_wait(_i);

	ck_assert_uint_eq(slots(&p), 1);
	ck_assert_uint_eq(peer_usage(&p).time_wait, 1);
	user_closes(&p);
	peer_expects_nothing(&p);
	ck_assert_uint_eq(slots(&p), 0);
	ck_assert_uint_eq(peer_usage(&p).time_wait, 1);
	peer_sends(&p, "F. 1:1(0) ack 2");
	ck_assert_uint_eq(slots(&p), 1);
	peer_expects(&p, ". 2:2(0) ack 2");
	ck_assert_uint_eq(slots(&p), 0);
	peer_advance(&p, 60 * TAPIR_SEC);
	ck_assert_uint_eq(peer_usage(&p).conns, 0);
}
END_TEST

/* Every combination of options, over a SYN and a SYN-ACK that both come twice: it is folded four times on the way. */
static struct peer opens_with(int run, unsigned options)
{
	struct peer p = listening(run);
	const char *syn = options & 8 ? "SEW" : "S";
	char line[128];

	p.timestamps = options & 1;
	snprintf(line, sizeof line, "%s 0:0(0) win 4000 <mss 1234%s%s%s>", syn, options & 1 ? ",TS val 100 ecr 0" : "",
		 options & 2 ? ",sackOK" : "", options & 4 ? ",wscale 3" : "");
	for (int k = 0; k < 2; k++) {
		peer_sends(&p, "%s", line);
		peer_ignores_all(&p);
		ck_assert_uint_eq(slots(&p), 0);
		peer_advance(&p, 600 * TAPIR_MS);
	}
	peer_ignores_all(&p);
	p.ts_val = 150;
	peer_sends(&p, "P. 1:11(10) ack 1 win 500");
	peer_expects(&p, ". 1:1(0) ack 11");
	user_accepts(&p);
	return p;
}

START_TEST(what_the_handshake_agrees_on_is_kept)
{
	peer_config()->timestamps = peer_config()->sack = peer_config()->window_scale = true;
	peer_config()->rcvbuf = 1 << 20;
	for (unsigned options = 0; options < 16; options++) {
		struct peer p = opens_with(_i, options);
		struct tapir_tcp_info i = peer_info(&p);

		ck_assert_uint_eq(i.timestamps, options & 1);
		ck_assert_uint_eq(i.sack, (options & 2) / 2);
		ck_assert_uint_eq(i.snd_wscale, options & 4 ? 3 : 0);
		ck_assert_uint_eq(i.rcv_wscale, options & 4 ? 5 : 0);
		ck_assert_uint_eq(i.ecn, (options & 8) / 8);
		ck_assert_uint_eq(i.snd_mss, options & 1 ? 1222 : 1234);
		ck_assert_uint_eq(i.advmss, 1460);
		ck_assert_uint_eq(i.snd_wnd, options & 4 ? 4000 : 500);
		ck_assert_uint_eq(i.rcv_wnd, options & 4 ? (1 << 20) - 32 : 65525);
		ck_assert_uint_eq(i.segs_in, 3);
		ck_assert_uint_eq(i.total_retrans, 2);
		ck_assert_uint_eq(i.segs_out, 4);
		ck_assert_uint_eq(i.rtt_us, options & 1 ? 200000 : 0);		/* RFC 6298 3: only timestamps know which it was */
	}
}
END_TEST

/* An ACK in SYN-RECEIVED says a larger window than a SYN can: it never shrinks again (RFC 9293 3.8.6 SHLD-14). */
START_TEST(a_window_beyond_64_kib_is_kept)
{
	struct peer p;

	peer_config()->window_scale = true;
	peer_config()->rcvbuf = 1 << 20;
	p = listening(_i);
	peer_sends(&p, "S 0:0(0) win 4000 <mss 1234,wscale 3>");
	peer_expects(&p, "S. 0:0(0) ack 1 win 65535 <mss 1460,wscale 5>");
	peer_sends(&p, ". 200000:200010(10) ack 1");
	peer_expects(&p, ". 1:1(0) ack 1 win 32768");
	ck_assert_uint_eq(slots(&p), 0);
	peer_sends(&p, "P. 1048567:1048577(10) ack 1");
	ck_assert_verdict(&p, ACCEPT);
	peer_ignores_all(&p);
}
END_TEST

START_TEST(the_cookie_on_the_syn_ack_is_kept)
{
	struct peer p;
	char cookie[64];

	peer_config()->fastopen |= TAPIR_FASTOPEN_SERVER;
	p = listening(_i);
	ck_assert_error(tapir_setsockopt(p.t, p.listener, TAPIR_TCP_FASTOPEN, 5), 0);
	peer_sends(&p, "S 0:0(0) <mss 1460,FO>");
	peer_expects(&p, "S. 0:0(0) ack 1");
	memcpy(cookie, peer_last_frame().p + 40, 16);
	peer_until_timer(&p);
	peer_expects(&p, "S. 0:0(0) ack 1");
	ck_assert_mem_eq(peer_last_frame().p + 40, cookie, 16);
	ck_assert_uint_eq(peer_last_frame().p[44], 34);		/* RFC 7413 4.1.1: the option's kind, behind MSS */
}
END_TEST

/* As on Linux: what the listener's options are when the handshake ends. */
START_TEST(the_options_are_those_of_the_listener)
{
	struct peer p = listening(_i);

	ck_assert_error(tapir_setsockopt(p.t, p.listener, TAPIR_TCP_KEEPIDLE, 77), 0);
	peer_sends(&p, "S 0:0(0) <mss 1460>");
	peer_expects(&p, "S. 0:0(0) ack 1");
	ck_assert_error(tapir_setsockopt(p.t, p.listener, TAPIR_SO_KEEPALIVE, 1), 0);
	ck_assert_error(tapir_setsockopt(p.t, p.listener, TAPIR_IP_TTL, 33), 0);
	peer_sends(&p, ". 1:1(0) ack 1");
	user_accepts(&p);
	ck_assert_uint_eq(peer_until_timer(&p), 77 * TAPIR_SEC);
	peer_expects(&p, ". 0:0(0) ack 1");
	ck_assert_uint_eq(peer_last_frame().p[8], 33);
	peer_sends(&p, ". 1:1(0) ack 1");
}
END_TEST

START_TEST(time_wait_keeps_its_ttl_and_tos)
{
	struct peer p = time_wait(_i);

	ck_assert_error(tapir_setsockopt(p.t, p.sd, TAPIR_IP_TTL, 33), 0);
	ck_assert_error(tapir_setsockopt(p.t, p.sd, TAPIR_IP_TOS, 0x48), 0);
	user_closes(&p);
	peer_sends(&p, "F. 1:1(0) ack 2");
	peer_expects(&p, ". 2:2(0) ack 2");
	ck_assert_uint_eq(peer_last_frame().p[8], 33);
	ck_assert_uint_eq(peer_last_frame().p[1], 0x48);
}
END_TEST

/* RFC 2883 4: what the peer sends again is reported in TIME-WAIT, too. */
START_TEST(time_wait_keeps_sack)
{
	struct peer p;

	peer_config()->sack = true;
	p = established(_i);
	peer_sends(&p, "P. 1:11(10) ack 1");
	peer_ignores_all(&p);
	user_reads(&p, 10);
	user_closes(&p);
	peer_expects(&p, "F. 1:1(0) ack 11");
	peer_sends(&p, "F. 11:11(0) ack 2");
	peer_expects(&p, ". 2:2(0) ack 12");
	ck_assert_uint_eq(slots(&p), 0);
	peer_sends(&p, "P. 1:11(10) ack 2");
	peer_expects(&p, ". 2:2(0) ack 12 <sack 1:11>");
}
END_TEST

/* Folding is no event of the connection's: the probe hears of its arrows, segments and timers, and of nothing else. */
START_TEST(the_probe_sees_no_folding)
{
	struct peer p = syn_received(_i);
	uint32_t pmtu = peer_events(&p, TAPIR_EV_PMTU), armed = peer_events(&p, TAPIR_EV_TIMER_ARMED);

	peer_sends(&p, ". 70000:70000(0) ack 1");
	peer_expects(&p, ". 1:1(0) ack 1");
	ck_assert_uint_eq(peer_events(&p, TAPIR_EV_PMTU), pmtu);
	ck_assert_uint_eq(peer_events(&p, TAPIR_EV_TIMER_ARMED), armed);
	ck_assert_uint_eq(peer_events(&p, TAPIR_EV_TIMER_FIRED), 0);
	peer_until_timer(&p);
	peer_expects(&p, "S. 0:0(0) ack 1");
	ck_assert_uint_eq(peer_events(&p, TAPIR_EV_TIMER_FIRED), 1);
	peer_sends(&p, "R 1:1(0)");
	ck_assert_states(&p, "LISTEN > SYN-RECEIVED > CLOSED");
}
END_TEST

/* A router's report about a SYN-ACK is kept by the path, not by who is folded. */
START_TEST(a_report_about_a_syn_ack_leaves_nothing_behind)
{
	struct peer p;

	peer_config()->mtu_probing = 1;
	p = syn_received(_i);
	peer_sends_icmp(&p, 3, 4, 1000, 0);
	peer_sends_icmp(&p, 3, 1, 0, 0);
	peer_ignores_all(&p);
	ck_assert_uint_eq(slots(&p), 0);
	peer_sends(&p, ". 1:1(0) ack 1");
	ck_assert_state(&p, TAPIR_TCP_ESTABLISHED);
}
END_TEST

/* RFC 6298 2, 3: the round trip of the SYN-ACK is measured across the fold, unless it was sent again. */
START_TEST(the_round_trip_is_measured_across_the_fold)
{
	struct peer p = syn_received(_i);

	peer_advance(&p, 70 * TAPIR_MS);
	peer_sends(&p, ". 1:1(0) ack 1");
	user_accepts(&p);
	ck_assert_uint_eq(peer_info(&p).rtt_us, 70000);
	p = syn_received(_i);
	peer_until_timer(&p);
	peer_expects(&p, "S. 0:0(0) ack 1");
	peer_advance(&p, 70 * TAPIR_MS);
	peer_sends(&p, ". 1:1(0) ack 1");
	user_accepts(&p);
	ck_assert_uint_eq(peer_info(&p).rtt_us, 0);
	ck_assert_uint_eq(peer_info(&p).rto_us, 3000000);		/* RFC 6298 5.7 */
	ck_assert_uint_eq(peer_info(&p).snd_cwnd, 1460);		/* RFC 5681 3.1 */
}
END_TEST

/* RFC 7323 4.1: after a timeout only the echo of what left behind it tells a round trip. */
START_TEST(an_echo_from_before_the_timeout_is_no_round_trip)
{
	for (int late = 0; late < 2; late++) {
		struct peer p;
		uint32_t before;

		peer_config()->timestamps = true;
		p = syn_received(_i);
		before = p.ts_last;
		peer_until_timer(&p);
		peer_expects(&p, "S. 0:0(0) ack 1");
		peer_advance(&p, 70 * TAPIR_MS);
		if (!late)
			p.ts_last = before;
		peer_sends(&p, ". 1:1(0) ack 1");
		user_accepts(&p);
		ck_assert_uint_eq(peer_info(&p).rtt_us, late ? 70000 : 0);
	}
}
END_TEST

START_TEST(the_backoff_of_the_syn_ack_is_kept)
{
	static const usec_t waits_s[] = {1, 2, 4, 8, 16, 32};
	struct peer p = syn_received(_i);

	for (int k = 0; k < 5; k++) {
		ck_assert_uint_eq(peer_until_timer(&p), waits_s[k] * TAPIR_SEC);
		peer_expects(&p, "S. 0:0(0) ack 1");
		ck_assert_uint_eq(slots(&p), 0);
	}
	ck_assert_uint_eq(peer_until_timer(&p), waits_s[5] * TAPIR_SEC);
	ck_assert_uint_eq(peer_usage(&p).conns, 0);
}
END_TEST

/* RFC 5961 7: the limit of challenge ACKs is remembered, too. */
START_TEST(the_limit_of_challenge_acks_survives_the_fold)
{
	struct peer p;

	peer_config()->challenge_interval_us = 500 * TAPIR_MS;
	p = time_wait(_i);
	user_closes(&p);
	for (int k = 0; k < 5; k++) {
		peer_sends(&p, "R 9:9(0)");
		ck_assert_verdict(&p, DROP_TCP_RST_CHALLENGE);
		if (k == 0)
			peer_expects(&p, ". 2:2(0) ack 2");
		peer_expects_nothing(&p);
		ck_assert_uint_eq(slots(&p), 0);
	}
}
END_TEST

/* The SYN queue is in order of age, however often one of its connections is touched. */
START_TEST(being_touched_makes_nobody_younger)
{
	struct peer p, q[5];

	peer_config()->syn_cookies = 0;
	p = listening(_i);
	for (uint16_t k = 0; k < 4; k++) {
		q[k] = another_peer(&p, (uint16_t)(PEER_PORT + k));
		peer_sends(&q[k], "S 0:0(0) <mss 1460>");
		peer_expects(&q[k], "S. 0:0(0) ack 1");
	}
	peer_sends(&q[0], "S 0:0(0) <mss 1460>");
	peer_expects(&q[0], "S. 0:0(0) ack 1");
	q[4] = another_peer(&p, PEER_PORT + 4);
	peer_sends(&q[4], "S 0:0(0) <mss 1460>");
	peer_expects(&q[4], "S. 0:0(0) ack 1");
	ck_assert_states(&q[0], "LISTEN > SYN-RECEIVED > CLOSED");
	ck_assert_state(&q[1], TAPIR_TCP_SYN_RCVD);
}
END_TEST

/* More of them want to be looked at before anything can leave than there is memory for: those are dropped, and lose nothing. */
START_TEST(when_too_many_unfold_at_once_the_rest_waits)
{
	struct peer p, q[40];
	int dropped = 0;

	peer_config()->max_conns = 2;
	peer_config()->max_time_wait = 40;
	p = listening(_i);
	for (uint16_t k = 0; k < 40; k++)
		q[k] = waits(&p, (uint16_t)(PEER_PORT + k));
	ck_assert_uint_eq(slots(&p), 0);
	for (int k = 0; k < 40; k++) {
		peer_sends(&q[k], "F. 1:1(0) ack 2");
		dropped += q[k].verdict == DROP_NO_MEMORY;
	}
	ck_assert_int_gt(dropped, 0);
	ck_assert_int_lt(dropped, 40);
	ck_assert_int_eq((int)peer_ignores_all(&p), 40 - dropped);
	ck_assert_uint_eq(peer_usage(&p).time_wait, 40);
	ck_assert_uint_eq(slots(&p), 0);
	peer_sends(&q[39], "F. 1:1(0) ack 2");
	peer_expects(&q[39], ". 2:2(0) ack 2");
	peer_advance(&p, 60 * TAPIR_SEC);
	ck_assert_uint_eq(peer_usage(&p).conns, 0);
}
END_TEST

/* config.max_conns are open: who completes a handshake now has to wait, and gets in when there is room. */
START_TEST(a_half_open_connection_opens_when_there_is_room)
{
	struct peer p, q, r;

	peer_config()->max_conns = 1;
	p = syn_received(_i);
	q = another_peer(&p, PEER_PORT + 1);
	r = another_peer(&p, PEER_PORT + 2);
	peer_sends(&q, "S 0:0(0) <mss 1460>");
	peer_expects(&q, "S. 0:0(0) ack 1");
	peer_sends(&p, ". 1:1(0) ack 1");
	peer_sends(&q, ". 1:1(0) ack 1");
	ck_assert_verdict(&q, DROP_TCP_BACKLOG);
	peer_sends(&r, "S 0:0(0) <mss 1460>");
	ck_assert_verdict(&r, DROP_NO_MEMORY);
	peer_expects_nothing(&q);
	ck_assert_state(&q, TAPIR_TCP_SYN_RCVD);
	user_accepts(&p);
	user_aborts(&p);
	peer_expects(&p, "R 1:1(0)");
	peer_sends(&q, "P. 1:11(10) ack 1");
	peer_expects(&q, ". 1:1(0) ack 11");
	ck_assert_state(&q, TAPIR_TCP_ESTABLISHED);
}
END_TEST

START_TEST(a_port_is_taken_as_long_as_time_wait_lasts)
{
	struct peer p = time_wait(_i);
	struct tapir_endpoint local = {.port = STACK_PORT};
	tapir_sd sd = tapir_socket(p.t, TAPIR_SOCK_STREAM);

	user_closes(&p);
	ck_assert_error(tapir_close(p.t, p.listener), 0);
	p.listener = -1;
	ck_assert_error(tapir_setsockopt(p.t, sd, TAPIR_SO_REUSEADDR, 0), 0);
	ck_assert_error(tapir_bind(p.t, sd, &local), TAPIR_EADDRINUSE);
	peer_advance(&p, 60 * TAPIR_SEC);
	ck_assert_error(tapir_bind(p.t, sd, &local), 0);
	ck_assert_error(tapir_close(p.t, sd), 0);
}
END_TEST

/* --- a hundred thousand of each --- */

#define MANY 100000u
#define BYTES_EACH 128u

static size_t size_with(uint32_t half_open, uint32_t time_wait)
{
	struct tapir_config *config = host_config();

	config->max_half_open = half_open;
	config->max_time_wait = time_wait;
	return tapir_size(config);
}

/* All that one more of them adds to what the stack asks for, tables included. */
START_TEST(one_more_costs_128_bytes)
{
	ck_assert_uint_le(sizeof(struct tcp_mini), BYTES_EACH);
	for (uint32_t n = 1000; n <= 1000000; n *= 10) {
		ck_assert_uint_le(size_with(n, 16) - size_with(1, 16), (size_t)n * BYTES_EACH);
		ck_assert_uint_le(size_with(4, n) - size_with(4, 1), (size_t)n * BYTES_EACH);
	}
}
END_TEST

static struct tapir *stack;

/* Check notes each assertion that holds, too, which is most of the time that this would take. */
static void must(bool holds, const char *what)
{
	if (!holds)
		ck_abort_msg("%s", what);
}

static uint32_t says(void)
{
	struct tapir_out out;
	uint32_t n = 0;

	while (tapir_output(stack, &out))
		n++;
	return n;
}

/* The i-th of many peers sends this, and hears so many segments at once. */
static void hears(uint32_t i, const char *line, uint32_t answers)
{
	const struct segment_base base = {.seq = 1000, .ack = 5000};
	const struct segment_path path = {.src = 0x0a000003 + i / 50000, .dst = 0x0a000002,
					  .src_port = (uint16_t)(10000 + i % 50000), .dst_port = 7};
	struct tapir_frame *frame = tapir_frame_get(stack);
	struct segment s;

	must(frame && !segment_parse(line, &base, &s), line);
	frame->len = (uint32_t)segment_emit(&s, &path, 1000, frame->data);
	must(tapir_input(stack, frame) == ACCEPT, line);
	must(says() == answers, line);
}

static struct tapir_usage usage(void)
{
	struct tapir_usage u;

	tapir_usage(stack, &u);
	ck_assert_uint_eq(u.small_frames + u.large_frames, 0);
	ck_assert_uint_eq(u.conns, u.half_open + u.time_wait);
	ck_assert_uint_eq(u.timers, u.conns);
	ck_assert_uint_eq(stack->tcp->used, 0);
	tcp_check_all(stack);
	return u;
}

static tapir_sd begins(void)
{
	struct tapir_config *config = host_config();
	const struct tapir_endpoint local = {.port = 7};
	tapir_sd sd;

	config->isn = 5000;
	config->max_half_open = config->max_time_wait = MANY;
	config->backlog = 16;
	stack = host_begin();
	sd = tapir_socket(stack, TAPIR_SOCK_STREAM);
	ck_assert_error(tapir_bind(stack, sd, &local), 0);
	ck_assert_error(tapir_listen(stack, sd, 16), 0);
	return sd;
}

/* The stack has 16 connections, and holds 200,000: the first and the last are as good as any. */
START_TEST(a_hundred_thousand_of_each_are_kept)
{
	tapir_sd listener = begins();

	for (uint32_t i = 0; i < MANY; i++) {
		tapir_sd sd;

		hears(i, "S 0:0(0) win 60000 <mss 1460>", 1);
		hears(i, ". 1:1(0) ack 1 win 60000", 0);
		sd = tapir_accept(stack, listener, NULL);
		must(sd >= 0 && tapir_close(stack, sd) == 0 && says() == 1, "accept and close");
		hears(i, "F. 1:1(0) ack 2 win 60000", 1);
	}
	ck_assert_uint_eq(usage().time_wait, MANY);
	for (uint32_t i = 0; i < MANY; i++)
		hears(MANY + i, "S 0:0(0) win 60000 <mss 1460>", 1);
	ck_assert_uint_eq(usage().half_open, MANY);
	ck_assert_uint_eq(usage().time_wait, MANY);
	ck_assert_uint_eq(usage().conns_max - usage().conns, 16);
	hears(MANY, "R 1:1(0) win 0", 0);
	hears(2 * MANY - 1, "R 1:1(0) win 0", 0);
	ck_assert_uint_eq(usage().half_open, MANY - 2);
	ck_assert_error(tapir_close(stack, listener), 0);
	says();
	ck_assert_uint_eq(usage().half_open, 0);
	host_waits(60 * TAPIR_SEC);
	ck_assert_uint_eq(usage().time_wait, 0);
}
END_TEST

static void add_many(Suite *s)
{
	TCase *tc = tcase_create("a hundred thousand");

	tcase_add_checked_fixture(tc, NULL, host_end);
	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, one_more_costs_128_bytes);
	tcase_add_test(tc, a_hundred_thousand_of_each_are_kept);
	suite_add_tcase(s, tc);
}

Suite *suite(void)
{
	Suite *s = peer_suite("tcp: minis", (const TTest *[]){
		a_syn_costs_no_connection_once_it_is_answered,
		time_wait_costs_no_connection_once_the_program_has_let_go,
		what_the_handshake_agrees_on_is_kept,
		a_window_beyond_64_kib_is_kept,
		the_cookie_on_the_syn_ack_is_kept,
		the_options_are_those_of_the_listener,
		time_wait_keeps_its_ttl_and_tos,
		time_wait_keeps_sack,
		the_probe_sees_no_folding,
		a_report_about_a_syn_ack_leaves_nothing_behind,
		the_round_trip_is_measured_across_the_fold,
		an_echo_from_before_the_timeout_is_no_round_trip,
		the_backoff_of_the_syn_ack_is_kept,
		the_limit_of_challenge_acks_survives_the_fold,
		being_touched_makes_nobody_younger,
		when_too_many_unfold_at_once_the_rest_waits,
		a_half_open_connection_opens_when_there_is_room,
		a_port_is_taken_as_long_as_time_wait_lasts,
		NULL
	});

	add_many(s);
	return s;
}
