/* test_socket_tcp_options.c: the options of TCP that have Linux' names: what each takes and gives, what it changes on the
 * wire, how many sets of them there can be; and STATUS as tapir_tcp_info tells it. */
#include "tests/support/peer.h"

#define MSS 1460

static void set(struct peer *p, enum tapir_opt opt, int value) { ck_assert_error(tapir_setsockopt(p->t, p->sd, opt, value), 0); }

static int got(struct tapir *t, tapir_sd sd, enum tapir_opt opt)
{
	int value = -999;

	ck_assert_error(tapir_getsockopt(t, sd, opt, &value), 0);
	return value;
}

static int get(struct peer *p, enum tapir_opt opt) { return got(p->t, p->sd, opt); }

static void connects(struct peer *p, tapir_sd sd)
{
	struct tapir_endpoint peer = {tapir_ipv4(10, 0, 0, 1), PEER_PORT}, local = {.port = STACK_PORT};

	ck_assert_error(tapir_bind(p->t, sd, &local), 0);
	ck_assert_error(tapir_connect(p->t, sd, &peer), TAPIR_EINPROGRESS);
}

/* --- values --- */

START_TEST(defaults_are_the_configurations)
{
	struct peer p = closed(_i);

	p.sd = tapir_socket(p.t, TAPIR_SOCK_STREAM);
	ck_assert_int_eq(get(&p, TAPIR_TCP_USER_TIMEOUT), 0);
	ck_assert_int_eq(get(&p, TAPIR_TCP_KEEPIDLE), 7200);
	ck_assert_int_eq(get(&p, TAPIR_TCP_KEEPINTVL), 75);
	ck_assert_int_eq(get(&p, TAPIR_TCP_KEEPCNT), 9);
	ck_assert_int_eq(get(&p, TAPIR_TCP_SYNCNT), 7);
	ck_assert_int_eq(get(&p, TAPIR_TCP_LINGER2), 60);
	ck_assert_int_eq(get(&p, TAPIR_TCP_WINDOW_CLAMP), 0);
	ck_assert_int_eq(get(&p, TAPIR_TCP_CORK), 0);
	ck_assert_int_eq(get(&p, TAPIR_TCP_QUICKACK), 1);
	ck_assert_int_eq(get(&p, TAPIR_TCP_MAXSEG), 536);
	tapir_close(p.t, p.sd);
}
END_TEST

/* What is given, and what is then in effect, as Linux has it. */
START_TEST(what_is_set_is_got_and_the_rest_refused)
{
	static const struct { enum tapir_opt opt; int value, result, then; } rows[] = {
		{TAPIR_TCP_USER_TIMEOUT, INT32_MAX, 0, INT32_MAX}, {TAPIR_TCP_USER_TIMEOUT, -1, TAPIR_EINVAL, INT32_MAX},
		{TAPIR_TCP_USER_TIMEOUT, 0, 0, 0},
		{TAPIR_TCP_KEEPIDLE, 32767, 0, 32767}, {TAPIR_TCP_KEEPIDLE, 0, TAPIR_EINVAL, 32767},
		{TAPIR_TCP_KEEPIDLE, 32768, TAPIR_EINVAL, 32767}, {TAPIR_TCP_KEEPINTVL, 1, 0, 1},
		{TAPIR_TCP_KEEPINTVL, 0, TAPIR_EINVAL, 1}, {TAPIR_TCP_KEEPCNT, 127, 0, 127},
		{TAPIR_TCP_KEEPCNT, 128, TAPIR_EINVAL, 127}, {TAPIR_TCP_KEEPCNT, 0, TAPIR_EINVAL, 127},
		{TAPIR_TCP_SYNCNT, 1, 0, 1}, {TAPIR_TCP_SYNCNT, 0, TAPIR_EINVAL, 1}, {TAPIR_TCP_SYNCNT, 128, TAPIR_EINVAL, 1},
		{TAPIR_TCP_LINGER2, 5, 0, 5}, {TAPIR_TCP_LINGER2, 500, 0, 120}, {TAPIR_TCP_LINGER2, -7, 0, -1},
		{TAPIR_TCP_LINGER2, 0, 0, 60}, {TAPIR_TCP_WINDOW_CLAMP, 5000, 0, 5000}, {TAPIR_TCP_WINDOW_CLAMP, 1, 0, 1152},
		{TAPIR_TCP_WINDOW_CLAMP, -1, TAPIR_EINVAL, 1152}, {TAPIR_TCP_WINDOW_CLAMP, 0, 0, 0},
		{TAPIR_TCP_MAXSEG, 1000, 0, 1000}, {TAPIR_TCP_MAXSEG, 87, TAPIR_EINVAL, 1000},
		{TAPIR_TCP_MAXSEG, 32768, TAPIR_EINVAL, 1000}, {TAPIR_TCP_MAXSEG, 0, 0, 536},
		{TAPIR_TCP_CORK, 5, 0, 1}, {TAPIR_TCP_CORK, 0, 0, 0}, {TAPIR_TCP_QUICKACK, 0, 0, 0}, {TAPIR_TCP_QUICKACK, 1, 0, 1}
	};
	struct peer p = closed(_i);
	tapir_sd d = tapir_socket(p.t, TAPIR_SOCK_DGRAM);
	int value;

	p.sd = tapir_socket(p.t, TAPIR_SOCK_STREAM);
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		ck_assert_error(tapir_setsockopt(p.t, p.sd, rows[i].opt, rows[i].value), rows[i].result);
		ck_assert_int_eq(get(&p, rows[i].opt), rows[i].then);
		ck_assert_error(tapir_setsockopt(p.t, d, rows[i].opt, rows[i].value), TAPIR_ENOPROTOOPT);
		ck_assert_error(tapir_getsockopt(p.t, d, rows[i].opt, &value), TAPIR_ENOPROTOOPT);
	}
	tapir_close(p.t, p.sd);
	tapir_close(p.t, d);
}
END_TEST

START_TEST(an_accepted_connection_has_its_listeners_choices)
{
	struct peer p = listening(_i);
	static const enum tapir_opt opts[] = {TAPIR_TCP_USER_TIMEOUT, TAPIR_TCP_KEEPIDLE, TAPIR_TCP_KEEPINTVL, TAPIR_TCP_KEEPCNT,
					      TAPIR_TCP_SYNCNT, TAPIR_TCP_LINGER2, TAPIR_TCP_CORK};

	for (int i = 0; i < 7; i++)
		ck_assert_error(tapir_setsockopt(p.t, p.listener, opts[i], i + 1), 0);
	peer_opens(&p);
	user_accepts(&p);
	for (int i = 0; i < 7; i++)
		ck_assert_int_eq(get(&p, opts[i]), opts[i] == TAPIR_TCP_CORK ? 1 : i + 1);
}
END_TEST

/* --- the pool of sets --- */

START_TEST(who_wants_the_same_shares_a_set)
{
	struct peer p;
	tapir_sd sd[10];

	peer_config()->tcp_tunings = 2;
	p = closed(_i);
	for (int i = 0; i < 10; i++) {
		sd[i] = tapir_socket(p.t, TAPIR_SOCK_STREAM);
		ck_assert_error(tapir_setsockopt(p.t, sd[i], TAPIR_TCP_KEEPIDLE, 60), 0);
		ck_assert_error(tapir_setsockopt(p.t, sd[i], TAPIR_TCP_KEEPCNT, 3), 0);
	}
	ck_assert_uint_eq(peer_usage(&p).tcp_tunings, 1);
	ck_assert_error(tapir_setsockopt(p.t, sd[0], TAPIR_TCP_KEEPCNT, 4), 0);
	ck_assert_uint_eq(peer_usage(&p).tcp_tunings, 2);
	ck_assert_error(tapir_setsockopt(p.t, sd[1], TAPIR_TCP_KEEPCNT, 5), TAPIR_ENOMEM);
	ck_assert_int_eq(got(p.t, sd[1], TAPIR_TCP_KEEPCNT), 3);
	ck_assert_error(tapir_setsockopt(p.t, sd[1], TAPIR_TCP_KEEPCNT, 4), 0);
	for (int i = 0; i < 10; i++)
		tapir_close(p.t, sd[i]);
	ck_assert_uint_eq(peer_usage(&p).tcp_tunings, 0);
	ck_assert_uint_eq(peer_usage(&p).tcp_tunings_max, 2);
}
END_TEST

START_TEST(a_set_lives_as_long_as_a_connection_has_it)
{
	struct peer p = established(_i);

	set(&p, TAPIR_TCP_LINGER2, 7);
	user_closes(&p);
	peer_expects(&p, "F. 1:1(0) ack 1");
	peer_sends(&p, ". 1:1(0) ack 2");
	ck_assert_uint_eq(peer_usage(&p).tcp_tunings, 1);
	peer_advance(&p, 7 * TAPIR_SEC);
	ck_assert_uint_eq(peer_usage(&p).conns, 0);
	ck_assert_uint_eq(peer_usage(&p).tcp_tunings, 0);
}
END_TEST

START_TEST(with_no_room_for_sets_the_defaults_still_work)
{
	struct peer p;

	peer_config()->tcp_tunings = 0;
	p = established(_i);
	ck_assert_error(tapir_setsockopt(p.t, p.sd, TAPIR_TCP_KEEPIDLE, 60), TAPIR_ENOMEM);
	set(&p, TAPIR_TCP_USER_TIMEOUT, 0);
	set(&p, TAPIR_TCP_CORK, 1);
}
END_TEST

/* --- keep-alive --- */

START_TEST(keepalive_times_are_the_sockets_own)
{
	struct peer p = established(_i);

	set(&p, TAPIR_SO_KEEPALIVE, 1);
	set(&p, TAPIR_TCP_KEEPIDLE, 10);		/* at once, not after two hours */
	set(&p, TAPIR_TCP_KEEPINTVL, 3);
	set(&p, TAPIR_TCP_KEEPCNT, 2);
	peer_advance(&p, 10 * TAPIR_SEC - 1);
	peer_expects_nothing(&p);
	peer_advance(&p, 1);
	peer_expects(&p, ". 0:0(0) ack 1");
	peer_advance(&p, 3 * TAPIR_SEC);
	peer_expects(&p, ". 0:0(0) ack 1");
	ck_assert_uint_eq(peer_info(&p).probes, 2);
	peer_advance(&p, 3 * TAPIR_SEC);
	peer_expects(&p, "R 1:1(0)");
	ck_assert_error(user_pending_error(&p), TAPIR_ETIMEDOUT);
}
END_TEST

/* --- TCP_SYNCNT --- */

START_TEST(syncnt_is_how_often_a_syn_goes_again)
{
	struct peer p = closed(_i);
	uint32_t syns = 0;

	p.sd = tapir_socket(p.t, TAPIR_SOCK_STREAM);
	set(&p, TAPIR_TCP_SYNCNT, 2);
	connects(&p, p.sd);
	for (int i = 0; i < 10 && peer_state(&p) == TAPIR_TCP_SYN_SENT; i++) {
		syns += peer_ignores_all(&p);
		peer_until_timer(&p);
	}
	ck_assert_uint_eq(syns, 3);
	ck_assert_error(user_pending_error(&p), TAPIR_ETIMEDOUT);
	tapir_close(p.t, p.sd);
}
END_TEST

/* --- TCP_MAXSEG --- */

/* RFC 9293 3.7.1: what we say limits the peer, and the program's limit ourselves. */
START_TEST(maxseg_limits_both_directions)
{
	struct peer p = closed(_i);

	p.sd = tapir_socket(p.t, TAPIR_SOCK_STREAM);
	set(&p, TAPIR_TCP_MAXSEG, 500);
	connects(&p, p.sd);
	peer_expects(&p, "S 0:0(0) <mss 500>");
	ck_assert_error(tapir_setsockopt(p.t, p.sd, TAPIR_TCP_MAXSEG, 400), TAPIR_EISCONN);
	peer_sends(&p, "S. 0:0(0) ack 1 <mss 1460>");
	peer_expects(&p, ". 1:1(0) ack 1");
	ck_assert_int_eq(get(&p, TAPIR_TCP_MAXSEG), 500);
	ck_assert_uint_eq(peer_info(&p).advmss, 500);
	user_sends(&p, 700);
	peer_expects(&p, ". 1:501(500) ack 1");
	peer_ignores_all(&p);
	tapir_abort(p.t, p.sd);
	peer_ignores_all(&p);
}
END_TEST

START_TEST(maxseg_of_a_listener_is_in_its_syn_acks)
{
	struct tapir_endpoint local = {.port = STACK_PORT};
	struct peer p = closed(_i);

	p.listener = tapir_socket(p.t, TAPIR_SOCK_STREAM);
	ck_assert_error(tapir_bind(p.t, p.listener, &local), 0);
	ck_assert_error(tapir_setsockopt(p.t, p.listener, TAPIR_TCP_MAXSEG, 600), 0);
	ck_assert_error(tapir_listen(p.t, p.listener, 5), 0);
	peer_sends(&p, "S 0:0(0) <mss 1460>");
	peer_expects(&p, "S. 0:0(0) ack 1 <mss 600>");
	peer_sends(&p, ". 1:1(0) ack 1");
	user_accepts(&p);
	ck_assert_error(tapir_setsockopt(p.t, p.listener, TAPIR_TCP_MAXSEG, 700), 0);
	ck_assert_int_eq(get(&p, TAPIR_TCP_MAXSEG), 600);		/* that one has agreed already */
	tapir_close(p.t, p.listener);
	peer_ignores_all(&p);
}
END_TEST

/* --- TCP_LINGER2 --- */

START_TEST(linger2_is_how_long_an_orphan_waits_for_a_fin)
{
	static const struct { int value; usec_t us; } rows[] = {{3, 3 * TAPIR_SEC}, {0, 60 * TAPIR_SEC}, {-1, 0}};

	for (int i = 0; i < 3; i++) {
		struct peer p = established(_i);

		set(&p, TAPIR_TCP_LINGER2, rows[i].value);
		user_closes(&p);
		peer_expects(&p, "F. 1:1(0) ack 1");
		peer_sends(&p, ". 1:1(0) ack 2");
		ck_assert_state(&p, TAPIR_TCP_FIN_WAIT_2);
		if (rows[i].us) {
			peer_advance(&p, rows[i].us - 1);
			ck_assert_state(&p, TAPIR_TCP_FIN_WAIT_2);
		}
		peer_advance(&p, 1);
		ck_assert_state(&p, TAPIR_TCP_CLOSED);
	}
}
END_TEST

/* --- TCP_WINDOW_CLAMP --- */

START_TEST(the_window_says_no_more_than_the_clamp)
{
	struct peer p = closed(_i);

	p.sd = tapir_socket(p.t, TAPIR_SOCK_STREAM);
	set(&p, TAPIR_TCP_WINDOW_CLAMP, 3000);
	connects(&p, p.sd);
	peer_expects(&p, "S 0:0(0) win 3000");
	peer_sends(&p, "S. 0:0(0) ack 1 win 65535 <mss 1460>");
	peer_expects(&p, ". 1:1(0) ack 1 win 3000");
	peer_sends(&p, ". 1:1461(1460) ack 1");			/* unread, but there is room for much more */
	peer_expects(&p, ". 1:1(0) ack 1461 win 3000");
	set(&p, TAPIR_TCP_WINDOW_CLAMP, 1200);
	peer_sends(&p, ". 1461:2461(1000) ack 1");
	peer_expects(&p, ". 1:1(0) ack 2461 win 2000");		/* it never shrinks */
	peer_sends(&p, ". 2461:3461(1000) ack 1");
	peer_expects(&p, ". 1:1(0) ack 3461 win 1000");
	peer_sends(&p, ". 3461:4461(1000) ack 1");
	peer_expects(&p, ". 1:1(0) ack 4461 win 1200");
	set(&p, TAPIR_TCP_WINDOW_CLAMP, 0);
	peer_sends(&p, ". 4461:4471(10) ack 1");
	peer_expects(&p, ". 1:1(0) ack 4471 win %u", 65535 - 4470);
	user_reads(&p, 4470);
	peer_ignores_all(&p);
	tapir_abort(p.t, p.sd);
	peer_ignores_all(&p);
}
END_TEST

/* RFC 9293 3.8.6.2.2: a good part of the window is worth an update, not of a buffer that the window cannot show. */
START_TEST(a_clamped_window_is_updated_by_a_quarter_of_itself)
{
	struct peer p = established(_i);

	set(&p, TAPIR_TCP_WINDOW_CLAMP, 20000);
	for (uint32_t i = 0; i < 40; i++) {
		peer_sends(&p, ". %u:%u(1460) ack 1", 1 + i * MSS, 1 + (i + 1) * MSS);
		peer_ignores_all(&p);
	}
	ck_assert_uint_eq(peer_info(&p).rcv_wnd, 65535 - 40 * MSS);	/* 7135 */
	ck_assert_error(tapir_recv_consume(p.t, p.sd, 4000), 0);
	peer_expects_nothing(&p);
	ck_assert_error(tapir_recv_consume(p.t, p.sd, 2000), 0);
	peer_expects(&p, ". 1:1(0) ack %u win %u", 1 + 40 * MSS, 65535 - 40 * MSS + 6000);
	ck_assert_error(tapir_recv_consume(p.t, p.sd, 40 * MSS - 6000), 0);
	peer_expects(&p, ". 1:1(0) ack %u win 20000", 1 + 40 * MSS);
}
END_TEST

/* --- TCP_CORK, TCP_NODELAY --- */

START_TEST(a_cork_holds_a_short_segment_though_nothing_is_outstanding)
{
	struct peer p = established(_i);

	set(&p, TAPIR_TCP_CORK, 1);
	user_sends(&p, 10);
	peer_expects_nothing(&p);
	user_sends(&p, 2 * MSS);
	peer_expects(&p, ". 1:1461(1460) ack 1");
	peer_expects(&p, ". 1461:2921(1460) ack 1");
	peer_expects_nothing(&p);			/* the last ten */
	peer_sends(&p, ". 1:1(0) ack 2921");
	peer_advance(&p, 100 * TAPIR_MS);
	peer_expects_nothing(&p);
	set(&p, TAPIR_TCP_CORK, 0);
	peer_expects(&p, "P. 2921:2931(10) ack 1");
	peer_advance(&p, 150 * TAPIR_MS);		/* past the ceiling, before the RTO */
	peer_expects_nothing(&p);
	peer_sends(&p, ". 1:1(0) ack 2931");
}
END_TEST

/* config.cork_us: "a 200 millisecond ceiling on the time for which output is corked". */
START_TEST(a_cork_holds_for_200_ms_at_most)
{
	struct peer p = established(_i);

	set(&p, TAPIR_TCP_CORK, 1);
	user_sends(&p, 10);
	peer_advance(&p, 200 * TAPIR_MS - 1);
	peer_expects_nothing(&p);
	peer_advance(&p, 1);
	peer_expects(&p, "P. 1:11(10) ack 1");
	peer_sends(&p, ". 1:1(0) ack 11");
	user_sends(&p, 10);				/* and the next one again */
	peer_advance(&p, 199 * TAPIR_MS);
	peer_expects_nothing(&p);
	peer_advance(&p, 1 * TAPIR_MS);
	peer_expects(&p, "P. 11:21(10) ack 1");
	peer_sends(&p, ". 1:1(0) ack 21");
}
END_TEST

START_TEST(a_full_segment_that_a_cork_lets_go_is_not_sent_again_by_the_ceiling)
{
	struct peer p = established(_i);

	set(&p, TAPIR_TCP_CORK, 1);
	user_sends(&p, 10);
	peer_advance(&p, 150 * TAPIR_MS);
	user_sends(&p, MSS - 10);
	peer_expects(&p, "P. 1:1461(1460) ack 1");
	peer_advance(&p, 100 * TAPIR_MS);
	peer_expects_nothing(&p);
	peer_sends(&p, ". 1:1(0) ack 1461");
}
END_TEST

START_TEST(a_fin_pulls_the_cork)
{
	struct peer p = established(_i);

	set(&p, TAPIR_TCP_CORK, 1);
	user_sends(&p, 10);
	peer_expects_nothing(&p);
	user_shuts_down(&p);
	peer_expects(&p, "FP. 1:11(10) ack 1");
}
END_TEST

/* As on Linux: it flushes what waits, once; the cork stays. */
START_TEST(nodelay_passes_the_cork_once)
{
	struct peer p = established(_i);

	set(&p, TAPIR_TCP_NODELAY, 1);
	set(&p, TAPIR_TCP_CORK, 1);
	user_sends(&p, 10);
	peer_expects_nothing(&p);
	set(&p, TAPIR_TCP_NODELAY, 1);
	peer_expects(&p, "P. 1:11(10) ack 1");
	user_sends(&p, 10);
	peer_expects_nothing(&p);
	peer_sends(&p, ". 1:1(0) ack 11");
	set(&p, TAPIR_TCP_CORK, 0);
	peer_expects(&p, "P. 11:21(10) ack 1");
}
END_TEST

/* --- TCP_QUICKACK --- */

static struct peer delaying(int run)
{
	peer_config()->delack_us = 40 * TAPIR_MS;
	peer_config()->quickacks = 0;
	return established(run);
}

START_TEST(quickack_pays_the_delayed_ack_and_the_next_ones)
{
	struct peer p = delaying(_i);

	ck_assert_int_eq(get(&p, TAPIR_TCP_QUICKACK), 0);
	peer_sends(&p, ". 1:11(10) ack 1");
	peer_expects_nothing(&p);
	set(&p, TAPIR_TCP_QUICKACK, 1);
	peer_expects(&p, ". 1:1(0) ack 11");
	ck_assert_int_eq(get(&p, TAPIR_TCP_QUICKACK), 1);
	for (uint32_t i = 0; i < 16; i++) {
		peer_sends(&p, ". %u:%u(10) ack 1", 11 + 10 * i, 21 + 10 * i);
		peer_expects(&p, ". 1:1(0) ack %u", 21 + 10 * i);
	}
	ck_assert_int_eq(get(&p, TAPIR_TCP_QUICKACK), 0);	/* not sticky */
	peer_sends(&p, ". 171:181(10) ack 1");
	peer_expects_nothing(&p);
	peer_advance(&p, 40 * TAPIR_MS);
	peer_expects(&p, ". 1:1(0) ack 181");
}
END_TEST

START_TEST(quickack_0_delays_from_now_on_and_counts_before_connect)
{
	struct peer p;

	peer_config()->delack_us = 40 * TAPIR_MS;
	p = established(_i);
	ck_assert_int_eq(get(&p, TAPIR_TCP_QUICKACK), 1);
	set(&p, TAPIR_TCP_QUICKACK, 0);
	peer_sends(&p, ". 1:11(10) ack 1");
	peer_expects_nothing(&p);
	peer_advance(&p, 40 * TAPIR_MS);
	peer_expects(&p, ". 1:1(0) ack 11");

	p = closed(_i);
	p.sd = tapir_socket(p.t, TAPIR_SOCK_STREAM);
	set(&p, TAPIR_TCP_QUICKACK, 0);
	connects(&p, p.sd);
	peer_expects(&p, "S 0:0(0)");
	peer_sends(&p, "S. 0:0(0) ack 1 <mss 1460>");
	peer_expects(&p, ". 1:1(0) ack 1");
	peer_sends(&p, ". 1:11(10) ack 1");
	peer_expects_nothing(&p);
	peer_advance(&p, 40 * TAPIR_MS);
	peer_expects(&p, ". 1:1(0) ack 11");
	user_reads(&p, 10);
	tapir_abort(p.t, p.sd);
	peer_ignores_all(&p);
}
END_TEST

/* --- STATUS --- */

START_TEST(tcp_info_counts_what_has_passed)
{
	struct peer p = established(_i);
	struct tapir_tcp_info i;

	user_sends(&p, 3 * MSS);
	peer_ignores_all(&p);
	peer_sends(&p, ". 1:101(100) ack 1461");
	peer_expects(&p, ". 4381:4381(0) ack 101");
	peer_sends(&p, ". 201:301(100) ack 1461");		/* beyond a hole */
	peer_ignores_all(&p);
	i = peer_info(&p);
	ck_assert_uint_eq(i.bytes_acked, MSS);
	ck_assert_uint_eq(i.bytes_sent, 3 * MSS);
	ck_assert_uint_eq(i.bytes_retrans, 0);
	ck_assert_uint_eq(i.bytes_received, 100);
	ck_assert_uint_eq(i.rcv_ooopack, 1);
	ck_assert_uint_eq(i.segs_in, 4);			/* SYN, ACK, and these two */
	ck_assert_uint_eq(i.segs_out, 6);			/* SYN-ACK, three of text, two ACKs */
	ck_assert_uint_eq(i.pmtu, 1500);
	ck_assert_uint_eq(i.advmss, MSS);
	ck_assert_uint_eq(i.notsent, 0);
	peer_sends(&p, ". 101:201(100) ack 1461");
	ck_assert_uint_eq(peer_info(&p).bytes_received, 300);
	peer_ignores_all(&p);
}
END_TEST

START_TEST(tcp_info_tells_what_was_sent_again)
{
	struct peer p = established(_i);

	user_sends(&p, 100);
	peer_expects(&p, "P. 1:101(100) ack 1");
	peer_until_timer(&p);
	peer_expects(&p, "P. 1:101(100) ack 1");
	ck_assert_uint_eq(peer_info(&p).bytes_retrans, 100);
	ck_assert_uint_eq(peer_info(&p).bytes_sent, 200);
	ck_assert_uint_eq(peer_info(&p).backoff, 1);
	ck_assert_int_eq(peer_info(&p).ca_state, TAPIR_CA_LOSS);
	peer_advance(&p, 100 * TAPIR_MS);
	ck_assert_uint_eq(peer_info(&p).last_data_sent_us, 100 * TAPIR_MS);
	peer_sends(&p, ". 1:1(0) ack 101");
	ck_assert_uint_eq(peer_info(&p).last_recv_us, 0);
	ck_assert_uint_eq(peer_info(&p).backoff, 0);
	ck_assert_uint_eq(peer_info(&p).bytes_acked, 100);
}
END_TEST

/* SYN and FIN are no bytes, in whichever state. */
START_TEST(bytes_are_counted_without_syn_and_fin)
{
	for (enum tapir_tcp_state s = TAPIR_TCP_SYN_SENT; s <= TAPIR_TCP_TIME_WAIT; s++) {
		struct peer p = peer_in(s, _i);
		struct tapir_tcp_info i;

		if (s == TAPIR_TCP_SYN_RCVD)
			continue;		/* nobody holds it yet */
		i = peer_info(&p);
		ck_assert_uint_eq(i.bytes_acked, 0);
		ck_assert_uint_eq(i.bytes_received, 0);
		ck_assert_uint_eq(i.bytes_sent, 0);
		ck_assert_uint_eq(i.bytes_retrans, 0);
	}
}
END_TEST

Suite *suite(void)
{
	return peer_suite("socket: options of TCP", (const TTest *[]){
		defaults_are_the_configurations, what_is_set_is_got_and_the_rest_refused,
		an_accepted_connection_has_its_listeners_choices, who_wants_the_same_shares_a_set,
		a_set_lives_as_long_as_a_connection_has_it, with_no_room_for_sets_the_defaults_still_work,
		keepalive_times_are_the_sockets_own, syncnt_is_how_often_a_syn_goes_again, maxseg_limits_both_directions,
		maxseg_of_a_listener_is_in_its_syn_acks, linger2_is_how_long_an_orphan_waits_for_a_fin,
		the_window_says_no_more_than_the_clamp, a_clamped_window_is_updated_by_a_quarter_of_itself,
		a_cork_holds_a_short_segment_though_nothing_is_outstanding,
		a_cork_holds_for_200_ms_at_most, a_full_segment_that_a_cork_lets_go_is_not_sent_again_by_the_ceiling,
		a_fin_pulls_the_cork, nodelay_passes_the_cork_once, quickack_pays_the_delayed_ack_and_the_next_ones,
		quickack_0_delays_from_now_on_and_counts_before_connect, tcp_info_counts_what_has_passed,
		tcp_info_tells_what_was_sent_again, bytes_are_counted_without_syn_and_fin, NULL
	});
}
