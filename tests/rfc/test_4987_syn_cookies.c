/* test_4987_syn_cookies.c: SYN cookies (RFC 4987 3.6; RFC 9293 3.10.7.2): a SYN that finds the SYN queue full is answered and
 * forgotten, and the third segment brings back all that the connection needs. The harness' stack has room for four
 * half-open connections. */
#include "tests/support/peer.h"

#define MINUTE (60 * TAPIR_SEC)
#define SINCE_THE_MINUTE (40 * TAPIR_SEC)	/* the harness' clock begins at 1000 s */

static struct peer always(int run)
{
	peer_config()->syn_cookies = 2;
	return listening(run);
}

static uint32_t be32(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

/* The SYN is answered with a cookie, from which lines count from now on. */
static void expects_a_cookie(struct peer *p)
{
	ck_assert_verdict(p, ACCEPT_COOKIE);
	p->stack_iss = 0;
	peer_expects(p, "S. *:*(0) ack 1");
	ck_assert_why(p, "4987 3.6");
	p->stack_iss = be32(peer_last_frame().p + 24);
	p->snd_nxt = 1;
}

static void opens_by_cookie(struct peer *p)
{
	peer_sends(p, "S 0:0(0) <mss 1460>");
	expects_a_cookie(p);
	peer_sends(p, ". 1:1(0) ack 1");
	ck_assert_verdict(p, ACCEPT);
	ck_assert_state(p, TAPIR_TCP_ESTABLISHED);
}

static void talks(struct peer *p)
{
	user_accepts(p);
	peer_sends(p, "P. 1:11(10) ack 1");
	peer_expects(p, ". 1:1(0) ack 11");
	user_reads(p, 10);
	user_sends(p, 20);
	peer_expects(p, "P. 1:21(20) ack 11");
	peer_sends(p, ". 11:11(0) ack 21");
	ck_assert_uint_eq(peer_info(p).unacked, 0);
}

static void is_no_cookie(struct peer *p)
{
	ck_assert_verdict(p, DROP_TCP_COOKIE);
	ck_assert_uint_eq(peer_usage(p).conns, 0);
	peer_ignores_all(p);
}

static void fill_the_syn_queue(struct peer *p)
{
	for (uint16_t i = 0; i < 4; i++) {
		struct peer q = another_peer(p, (uint16_t)(5000 + i));

		peer_sends(&q, "S 0:0(0) <mss 1460>");
		ck_assert_verdict(&q, ACCEPT);
		peer_expects(&q, "S. 0:0(0) ack 1");
	}
}

/* RFC 4987 3.6: the half-open connections keep their places, and who comes with a cookie gets what they get. */
START_TEST(a_full_syn_queue_answers_with_cookies)
{
	struct peer p = listening(_i);

	fill_the_syn_queue(&p);
	peer_sends(&p, "S 0:0(0) <mss 1460>");
	expects_a_cookie(&p);
	ck_assert_state(&p, TAPIR_TCP_LISTEN);
	ck_assert_uint_eq(peer_usage(&p).conns, 4);
	peer_sends(&p, ". 1:1(0) ack 1");
	ck_assert_states(&p, "LISTEN > SYN-RECEIVED > ESTABLISHED");
	talks(&p);
}
END_TEST

START_TEST(the_half_open_connections_before_the_flood_still_open)
{
	struct peer p = listening(_i), q = another_peer(&p, 5002);

	fill_the_syn_queue(&p);
	for (uint16_t i = 0; i < 300; i++) {
		struct peer r = another_peer(&p, (uint16_t)(6000 + i));

		peer_sends(&r, "S 0:0(0) <mss 1460>");
		expects_a_cookie(&r);
	}
	peer_sends(&q, ". 1:1(0) ack 1");
	ck_assert_verdict(&q, ACCEPT);
	talks(&q);
}
END_TEST

/* RFC 4987 3.6: in the middle of a flood whose sources never answer, a client connects, every time. */
START_TEST(a_flood_keeps_nobody_out)
{
	struct peer p = listening(_i);

	for (uint16_t i = 0; i < 50; i++) {
		struct peer client = another_peer(&p, (uint16_t)(2000 + i));

		for (uint16_t k = 0; k < 20; k++) {
			struct peer r = another_peer(&p, (uint16_t)(10000 + 20 * i + k));

			peer_sends(&r, "S 0:0(0) <mss 1460>");
			peer_ignores_all(&r);
		}
		opens_by_cookie(&client);
		talks(&client);
		user_aborts(&client);
		peer_ignores_all(&client);
		ck_assert_uint_le(peer_usage(&p).conns, 4);
	}
}
END_TEST

START_TEST(always_means_that_no_syn_is_remembered)
{
	struct peer p = always(_i);

	peer_sends(&p, "S 0:0(0) <mss 1460>");
	expects_a_cookie(&p);
	ck_assert_uint_eq(peer_usage(&p).conns, 0);
	ck_assert_uint_eq(peer_usage(&p).timers, 0);
	peer_sends(&p, "S 0:0(0) <mss 1460>");		/* again: the same cookie */
	peer_expects(&p, "S. 0:0(0) ack 1");
	peer_sends(&p, ". 1:1(0) ack 1");
	talks(&p);
}
END_TEST

/* RFC 9293 3.10.7.2 second: when no cookie is out, an ACK in LISTEN is what it was. */
START_TEST(without_cookies_an_ack_in_listen_is_just_that)
{
	struct peer p = listening(_i);

	peer_sends(&p, ". 1:1(0) ack 1");
	ck_assert_verdict(&p, DROP_TCP_LISTEN_ACK);
	peer_expects(&p, "R 1:1(0)");
	peer_config()->syn_cookies = 0;
	p = listening(_i);
	fill_the_syn_queue(&p);
	peer_sends(&p, "S 0:0(0) <mss 1460>");
	ck_assert_verdict(&p, ACCEPT);
	peer_expects(&p, "S. 0:0(0) ack 1");
}
END_TEST

struct offer { const char *syn, *answer; bool timestamps; };

/* What a handshake with this SYN agrees on, as STATUS tells. */
static struct tapir_tcp_info handshake(int run, const struct offer *o, uint8_t cookies)
{
	struct peer p;

	peer_config()->syn_cookies = cookies;
	peer_config()->timestamps = peer_config()->sack = peer_config()->window_scale = true;
	peer_config()->rcvbuf = 1 << 20;
	p = listening(run);
	peer_sends(&p, "S 0:0(0) win 30000 %s", o->syn);
	if (cookies)
		expects_a_cookie(&p);
	else
		peer_expects(&p, "S. 0:0(0) ack 1");
	p.timestamps = o->timestamps;
	p.ts_val = 200;
	peer_sends(&p, ". 1:1(0) ack 1 win 1000");
	ck_assert_verdict(&p, ACCEPT);
	talks(&p);
	return peer_info(&p);
}

/* RFC 4987 3.6: with timestamps every combination of options comes through; without, the SYN-ACK offers none. */
START_TEST(options_come_through_the_timestamp)
{
	static const struct offer offers[] = {
		{"<mss 1460,sackOK,TS val 100 ecr 0,nop,wscale 7>", "<mss 1460,sackOK,TS val 0 ecr *,wscale 5>", true},
		{"<mss 1460,TS val 100 ecr 0,nop,wscale 0>", "<mss 1460,TS val 0 ecr *,wscale 5>", true},
		{"<mss 1460,TS val 100 ecr 0,nop,wscale 14>", "<mss 1460,TS val 0 ecr *,wscale 5>", true},
		{"<mss 1460,sackOK,TS val 100 ecr 0>", "<mss 1460,sackOK,TS val 0 ecr *>", true},
		{"<mss 1460,nop,nop,TS val 100 ecr 0>", "<mss 1460,TS val 0 ecr *>", true},
		{"<mss 1460>", "<mss 1460>", false},
	};

	for (size_t i = 0; i < sizeof offers / sizeof offers[0]; i++) {
		struct tapir_tcp_info plain = handshake(_i, &offers[i], 0), cookie = handshake(_i, &offers[i], 2);

		ck_assert_uint_eq(plain.timestamps, cookie.timestamps);
		ck_assert_uint_eq(plain.timestamps, offers[i].timestamps);
		ck_assert_uint_eq(plain.sack, cookie.sack);
		ck_assert_uint_eq(plain.snd_wscale, cookie.snd_wscale);
		ck_assert_uint_eq(plain.rcv_wscale, cookie.rcv_wscale);
		ck_assert_uint_eq(plain.snd_wnd, cookie.snd_wnd);
		ck_assert_uint_eq(plain.rcv_wnd, cookie.rcv_wnd);
		ck_assert_uint_eq(plain.snd_mss, cookie.snd_mss);
		ck_assert_uint_eq(plain.snd_cwnd, cookie.snd_cwnd);
	}
}
END_TEST

START_TEST(the_answer_offers_what_can_come_back)
{
	static const struct offer offers[] = {
		{"<mss 1460,sackOK,TS val 100 ecr 0,nop,wscale 7>", "<mss 1460,sackOK,TS val * ecr 100,wscale 5>", true},
		{"<mss 1460,nop,nop,TS val 100 ecr 0>", "<mss 1460,TS val * ecr 100>", true},
		{"<mss 1460,sackOK,nop,wscale 7>", "<mss 1460>", false},
		{"<sackOK>", "<mss 1460>", false},
	};

	peer_config()->timestamps = peer_config()->sack = peer_config()->window_scale = true;
	peer_config()->rcvbuf = 1 << 20;
	for (size_t i = 0; i < sizeof offers / sizeof offers[0]; i++) {
		struct peer p = always(_i);

		p.iss = 0;			/* a timestamp is no number of the sequence space */
		peer_sends(&p, "S 0:0(0) %s", offers[i].syn);
		p.stack_iss = 0;
		peer_expects(&p, "S. *:*(0) ack 1 win 65535 %s", offers[i].answer);
	}
}
END_TEST

/* RFC 7323 3: the timestamp with the options in it is the clock's, at most 64 ms behind it, never ahead: what follows is
 * newer. */
START_TEST(the_timestamp_stays_a_clock)
{
	peer_config()->timestamps = peer_config()->sack = peer_config()->window_scale = true;
	for (uint32_t ms = 0; ms < 70; ms += 3) {
		struct peer p = always(_i);
		int32_t ahead;

		peer_advance(&p, ms * TAPIR_MS);
		peer_sends(&p, "S 0:0(0) <mss 1460,sackOK,TS val 100 ecr 0,nop,wscale 13>");
		expects_a_cookie(&p);
		p.timestamps = true;
		peer_sends(&p, "P. 1:11(10) ack 1");
		peer_expects(&p, ". 1:1(0) ack 11");
		ahead = (int32_t)(p.ts_last - p.ts_first);
		ck_assert_int_ge(ahead, 0);
		ck_assert_int_lt(ahead, 64);
		user_accepts(&p);
		ck_assert_uint_eq(peer_info(&p).rtt_us, 0);	/* those milliseconds are no round trip */
	}
}
END_TEST

/* RFC 4987 3.6, RFC 9293 3.7.1: the largest size of the table that the peer can take; none above what it said, but for what
 * is too small to be true. */
START_TEST(the_mss_comes_through_the_iss)
{
	static const struct { unsigned said, kept; } sizes[] = {
		{1, 64}, {63, 64}, {64, 64}, {255, 64}, {256, 256}, {535, 256}, {536, 536}, {1000, 536}, {1219, 536}, {1220, 1220},
		{1359, 1220}, {1360, 1360}, {1400, 1360}, {1440, 1440}, {1452, 1440}, {1459, 1440}, {1460, 1460}, {65535, 1460}
	};

	for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
		struct peer p = always(_i);

		peer_sends(&p, "S 0:0(0) <mss %u>", sizes[i].said);
		expects_a_cookie(&p);
		peer_sends(&p, ". 1:1(0) ack 1");
		user_accepts(&p);
		ck_assert_uint_eq(peer_info(&p).snd_mss, sizes[i].kept);
	}
}
END_TEST

START_TEST(a_syn_without_an_mss_has_the_default_one)
{
	struct peer p = always(_i);

	peer_sends(&p, "S 0:0(0)");
	expects_a_cookie(&p);
	peer_sends(&p, ". 1:1(0) ack 1");
	user_accepts(&p);
	ck_assert_uint_eq(peer_info(&p).snd_mss, 536);
}
END_TEST

/* RFC 4987 3.6: whoever has not seen the SYN-ACK is refused, and nothing is remembered. */
START_TEST(a_wrong_cookie_is_reset)
{
	struct peer p = always(_i), other = another_peer(&p, PEER_PORT + 1);

	peer_sends(&p, "S 0:0(0) <mss 1460>");
	expects_a_cookie(&p);
	other.stack_iss = p.stack_iss;
	peer_sends(&p, ". 1:1(0) ack 100");
	ck_assert_verdict(&p, DROP_TCP_COOKIE);
	peer_expects(&p, "R 100:100(0)");
	for (int bit = 0; bit < 32; bit++) {
		if (bit < 3)
			continue;	/* another MSS, maybe: a peer may lie about its own */
		peer_sends(&p, ". 1:1(0) ack %d", (int)(1u + (1u << bit)));
		is_no_cookie(&p);
	}
	for (int at = -3; at < 5; at++) {
		if (at == 1)
			continue;
		peer_sends(&p, ". %d:%d(0) ack 1", at, at);		/* another IRS */
		is_no_cookie(&p);
	}
	peer_sends(&other, ". 1:1(0) ack 1");				/* another port */
	is_no_cookie(&other);
	peer_sends(&p, "S. 1:1(0) ack 1");
	ck_assert_verdict(&p, DROP_TCP_LISTEN_ACK);
	peer_expects(&p, "R 1:1(0)");
	peer_sends(&p, "R. 1:1(0) ack 1");
	ck_assert_verdict(&p, DROP_TCP_LISTEN_RST);
	peer_sends(&p, ". 1:1(0) ack 1");
	talks(&p);
}
END_TEST

START_TEST(options_that_were_not_in_the_syn_are_refused)
{
	struct peer p;

	peer_config()->timestamps = peer_config()->sack = peer_config()->window_scale = true;
	p = always(_i);
	peer_sends(&p, "S 0:0(0) <mss 1460,nop,nop,TS val 100 ecr 0>");
	expects_a_cookie(&p);
	for (uint32_t bit = 0; bit < 6; bit++) {
		p.ts_last = p.ts_first ^ (1u << bit);
		p.timestamps = true;
		peer_sends(&p, ". 1:1(0) ack 1");
		is_no_cookie(&p);
	}
	p.timestamps = false;
	peer_sends(&p, ". 1:1(0) ack 1");			/* RFC 7323 3.2: agreed on, and not there */
	is_no_cookie(&p);
	p.timestamps = true;
	p.ts_last = p.ts_first;
	peer_sends(&p, ". 1:1(0) ack 1");
	talks(&p);
}
END_TEST

/* RFC 4987 3.6: good in the minute that it was made in, and in the next. */
START_TEST(an_old_cookie_is_reset)
{
	struct peer p = always(_i), other = another_peer(&p, PEER_PORT + 1);

	peer_sends(&p, "S 0:0(0) <mss 1460>");
	expects_a_cookie(&p);
	peer_advance(&p, 2 * MINUTE - SINCE_THE_MINUTE - 1);
	peer_sends(&p, ". 1:1(0) ack 1");
	ck_assert_state(&p, TAPIR_TCP_ESTABLISHED);
	peer_sends(&other, "S 0:0(0) <mss 1460>");
	expects_a_cookie(&other);				/* so that cookies go on being out */
	peer_sends(&p, "R 1:1(0)");
	ck_assert_uint_eq(peer_usage(&p).conns, 0);
	peer_advance(&p, 1);
	peer_sends(&p, ". 1:1(0) ack 1");
	is_no_cookie(&p);
	peer_sends(&other, ". 1:1(0) ack 1");
	ck_assert_state(&other, TAPIR_TCP_ESTABLISHED);
}
END_TEST

START_TEST(after_the_last_cookies_end_an_ack_in_listen_is_just_that)
{
	struct peer p = always(_i);

	peer_sends(&p, "S 0:0(0) <mss 1460>");
	expects_a_cookie(&p);
	peer_advance(&p, 2 * MINUTE - SINCE_THE_MINUTE);
	peer_sends(&p, ". 1:1(0) ack 1");
	ck_assert_verdict(&p, DROP_TCP_LISTEN_ACK);
	peer_expects(&p, "R 1:1(0)");
}
END_TEST

/* RFC 4987 3.6: the third segment again, or once more after the end: the first changes nothing; the second opens the
 * connection anew, but only as long as the cookie is fresh. */
START_TEST(a_replay_opens_nothing_twice)
{
	struct peer p = always(_i);

	opens_by_cookie(&p);
	talks(&p);
	peer_sends(&p, ". 1:1(0) ack 1");
	ck_assert_uint_eq(peer_usage(&p).conns, 1);
	peer_ignores_all(&p);
	peer_sends(&p, "R 11:11(0)");
	ck_assert_error(tapir_close(p.t, p.sd), 0);
	p.sd = -1;
	ck_assert_uint_eq(peer_usage(&p).conns, 0);
	peer_sends(&p, ". 1:1(0) ack 1");
	ck_assert_state(&p, TAPIR_TCP_ESTABLISHED);
	ck_assert_uint_eq(peer_usage(&p).conns, 1);
	peer_sends(&p, "R 1:1(0)");
	peer_advance(&p, 2 * MINUTE);
	peer_sends(&p, ". 1:1(0) ack 1");
	ck_assert_uint_eq(peer_usage(&p).conns, 0);
	peer_ignores_all(&p);
}
END_TEST

/* RFC 9293 3.10.7.2: the third segment was lost: text that follows it acknowledges the same SYN, and is taken. */
START_TEST(text_may_come_instead_of_the_third_segment)
{
	struct peer p = always(_i);

	peer_sends(&p, "S 0:0(0) <mss 1460>");
	expects_a_cookie(&p);
	peer_sends(&p, "P. 1:101(100) ack 1");
	ck_assert_verdict(&p, ACCEPT);
	peer_expects(&p, ". 1:1(0) ack 101");
	user_accepts(&p);
	user_reads(&p, 100);
	p = always(_i);
	peer_sends(&p, "S 0:0(0) <mss 1460>");
	expects_a_cookie(&p);
	peer_sends(&p, "FP. 1:101(100) ack 1");
	peer_expects(&p, ". 1:1(0) ack 102");
	ck_assert_states(&p, "LISTEN > SYN-RECEIVED > ESTABLISHED > CLOSE-WAIT");
	user_accepts(&p);
	user_reads(&p, 100);
	user_reads_end(&p);
}
END_TEST

START_TEST(a_full_accept_queue_lets_the_third_segment_wait)
{
	struct peer p, q;

	peer_config()->syn_cookies = 2;
	p = closed(_i);
	user_listens(&p, 1);
	q = another_peer(&p, PEER_PORT + 1);
	peer_sends(&q, "S 0:0(0) <mss 1460>");
	expects_a_cookie(&q);
	opens_by_cookie(&p);
	peer_sends(&q, ". 1:1(0) ack 1");
	ck_assert_verdict(&q, DROP_TCP_BACKLOG);
	peer_expects_nothing(&q);
	user_accepts(&p);
	peer_sends(&q, "P. 1:11(10) ack 1");
	peer_expects(&q, ". 1:1(0) ack 11");
	ck_assert_state(&q, TAPIR_TCP_ESTABLISHED);
}
END_TEST

/* RFC 6191 2: a SYN that ends a TIME-WAIT needs an ISS above the old one: it goes into the SYN queue even if always means
 * cookies. */
/* TCP_DEFER_ACCEPT has nothing to wait in here: who is believed without a place in the SYN queue is open at once. */
START_TEST(a_cookie_is_not_deferred)
{
	struct peer p = always(_i);

	ck_assert_error(tapir_setsockopt(p.t, p.listener, TAPIR_TCP_DEFER_ACCEPT, 10), 0);
	opens_by_cookie(&p);
	talks(&p);
}
END_TEST

START_TEST(a_syn_that_ends_time_wait_gets_no_cookie)
{
	struct peer p = always(_i);

	opens_by_cookie(&p);
	user_accepts(&p);
	user_closes(&p);
	peer_expects(&p, "F. 1:1(0) ack 1");
	peer_sends(&p, "F. 1:1(0) ack 2");
	peer_expects(&p, ". 2:2(0) ack 2");
	ck_assert_state(&p, TAPIR_TCP_TIME_WAIT);
	peer_sends(&p, "S 1000:1000(0) <mss 1460>");
	ck_assert_verdict(&p, ACCEPT);
	peer_expects(&p, "S. *:*(0) ack 1001");
	ck_assert_int_gt((int32_t)p.snd_nxt, 2);
	ck_assert_state(&p, TAPIR_TCP_SYN_RCVD);
}
END_TEST

/* RFC 9293 3.4: a cookie just below 2^32: text goes over the wrap. IRS is in the sum, so a peer can look for one. */
START_TEST(a_cookie_may_lie_just_below_the_wrap)
{
	struct peer p = always(_i), best = p;
	uint32_t left = UINT32_MAX;

	for (int i = 0; i < 1000; i++, p.iss++) {
		uint32_t away;

		peer_sends(&p, "S 0:0(0) <mss 1460>");
		expects_a_cookie(&p);
		if (i == 0)
			p.iss += (0xffu - (p.stack_iss >> 24)) << 24;
		else if (i % 200 == 0 && left > 1 << 18)	/* the low 24 bits are G's: too far down to reach the wrap */
			p.iss += 1u << 23;
		away = 0u - p.stack_iss;
		if (i > 0 && away < left) {
			left = away;
			best = p;
		}
	}
	ck_assert_uint_lt(left, 1 << 18);
	peer_sends(&best, ". 1:1(0) ack 1");
	user_accepts(&best);
	while (best.sent < left + 1000) {
		user_sends(&best, 1460);
		peer_expects(&best, "P. %u:%u(1460) ack 1", best.sent - 1459, best.sent + 1);
		peer_sends(&best, ". 1:1(0) ack %u", best.sent + 1);
	}
	ck_assert_uint_eq(peer_info(&best).unacked, 0);
}
END_TEST

/* RFC 6528 3: the numbers of one tuple move on: with the minute, and with the peer's. */
START_TEST(cookies_of_one_tuple_move_on)
{
	struct peer p = always(_i);
	uint32_t before;

	peer_sends(&p, "S 0:0(0) <mss 1460>");
	expects_a_cookie(&p);
	before = p.stack_iss;
	peer_advance(&p, 2 * MINUTE);
	p.iss += 64000;
	peer_sends(&p, "S 0:0(0) <mss 1460>");
	expects_a_cookie(&p);
	ck_assert_int_gt((int32_t)(p.stack_iss - before), 1 << 24);
}
END_TEST

Suite *suite(void)
{
	return peer_suite("RFC 4987 3.6 SYN cookies", (const TTest *[]){
		a_full_syn_queue_answers_with_cookies,
		the_half_open_connections_before_the_flood_still_open,
		a_flood_keeps_nobody_out,
		always_means_that_no_syn_is_remembered,
		without_cookies_an_ack_in_listen_is_just_that,
		options_come_through_the_timestamp,
		the_answer_offers_what_can_come_back,
		the_timestamp_stays_a_clock,
		the_mss_comes_through_the_iss,
		a_syn_without_an_mss_has_the_default_one,
		a_wrong_cookie_is_reset,
		options_that_were_not_in_the_syn_are_refused,
		an_old_cookie_is_reset,
		after_the_last_cookies_end_an_ack_in_listen_is_just_that,
		a_replay_opens_nothing_twice,
		text_may_come_instead_of_the_third_segment,
		a_full_accept_queue_lets_the_third_segment_wait,
		a_cookie_is_not_deferred,
		a_syn_that_ends_time_wait_gets_no_cookie,
		a_cookie_may_lie_just_below_the_wrap,
		cookies_of_one_tuple_move_on,
		NULL
	});
}
