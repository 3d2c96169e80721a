/* test_3_8_4_keepalive.c: keep-alives (RFC 9293 3.8.4): SO_KEEPALIVE. */
#include "tests/support/peer.h"

#define HOUR (3600 * TAPIR_SEC)
#define IDLE (2 * HOUR)
#define INTERVAL (75 * TAPIR_SEC)

static void turn(struct peer *p, bool on)
{
	ck_assert_error(tapir_setsockopt(p->t, p->sd, TAPIR_SO_KEEPALIVE, on), 0);
}

static struct peer kept_alive(int run)
{
	struct peer p = established(run);

	turn(&p, true);
	return p;
}

/* The stack sends a probe exactly us from now: no text, and a sequence number that the peer must answer. */
static void probes_after(struct peer *p, usec_t us)
{
	peer_advance(p, us - 1);
	peer_expects_nothing(p);
	peer_advance(p, 1);
	peer_expects(p, ". %u:%u(0) ack %u", p->snd_nxt - 1, p->snd_nxt - 1, p->rcv_nxt);
	ck_assert_why(p, "RFC 9293 3.8.4");
	peer_expects_nothing(p);
}

/* RFC 9293 3.8.4 (MUST-25): off, unless the program asks. */
START_TEST(by_default_an_idle_connection_is_not_probed)
{
	struct peer p = established(_i);
	int on;

	ck_assert_error(tapir_getsockopt(p.t, p.sd, TAPIR_SO_KEEPALIVE, &on), 0);
	ck_assert_int_eq(on, 0);
	peer_advance(&p, 100 * HOUR);
	peer_expects_nothing(&p);
	ck_assert_state(&p, TAPIR_TCP_ESTABLISHED);
}
END_TEST

/* RFC 9293 3.8.4 (MUST-24, MUST-28, SHLD-12, MAY-5): after two hours, SEG.SEQ = SND.NXT-1 and no text. */
START_TEST(an_idle_connection_is_probed_after_two_hours)
{
	struct peer p = kept_alive(_i);

	probes_after(&p, IDLE);
}
END_TEST

/* RFC 9293 3.8.4 (MUST-26): the idle time begins with the last segment from the peer, whatever it is. */
START_TEST(any_segment_from_the_peer_begins_the_idle_time_anew)
{
	struct peer p = kept_alive(_i);

	peer_advance(&p, HOUR);
	peer_sends(&p, "P. 1:11(10) ack 1");
	peer_expects(&p, ". 1:1(0) ack 11");
	peer_advance(&p, HOUR);
	peer_sends(&p, ". 11:11(0) ack 1");
	probes_after(&p, IDLE);
}
END_TEST

/* RFC 9293 3.8.4: an answer: all is well for another idle time. */
START_TEST(an_answered_probe_begins_the_idle_time_anew)
{
	struct peer p = kept_alive(_i);

	for (int i = 0; i < 12; i++) {		/* more than would be sent without an answer */
		probes_after(&p, IDLE);
		peer_sends(&p, ". 1:1(0) ack 1");
		peer_expects_nothing(&p);
	}
	ck_assert_state(&p, TAPIR_TCP_ESTABLISHED);
}
END_TEST

/* RFC 9293 3.8.4 (MUST-29): ACKs get lost: one probe without an answer, or eight, say nothing; after the ninth it is over. */
START_TEST(only_many_probes_without_an_answer_end_the_connection)
{
	struct peer p = kept_alive(_i);

	probes_after(&p, IDLE);
	for (int i = 1; i < 9; i++)
		probes_after(&p, INTERVAL);
	peer_sends(&p, ". 1:1(0) ack 1");
	probes_after(&p, IDLE);
	for (int i = 1; i < 9; i++)
		probes_after(&p, INTERVAL);
	peer_advance(&p, INTERVAL - 1);
	ck_assert_state(&p, TAPIR_TCP_ESTABLISHED);
	peer_advance(&p, 1);
	peer_expects(&p, "R 1:1(0)");
	ck_assert_state(&p, TAPIR_TCP_CLOSED);
	ck_assert_error(user_recv_result(&p), TAPIR_ETIMEDOUT);
}
END_TEST

/* RFC 9293 3.8.4: a peer that has forgotten the connection answers with a RST. */
START_TEST(a_reset_in_answer_to_a_probe_ends_the_connection)
{
	struct peer p = kept_alive(_i);

	probes_after(&p, IDLE);
	peer_sends(&p, "R 1:1(0)");
	ck_assert_state(&p, TAPIR_TCP_CLOSED);
	ck_assert_error(user_pending_error(&p), TAPIR_ECONNRESET);
}
END_TEST

/* RFC 9293 3.8.4 (MUST-27): the times and the number are settings. */
START_TEST(the_times_are_settings)
{
	peer_config()->keepalive_idle_us = 10 * TAPIR_SEC;
	peer_config()->keepalive_interval_us = TAPIR_SEC;
	peer_config()->keepalive_probes = 2;
	struct peer p = kept_alive(_i);

	probes_after(&p, 10 * TAPIR_SEC);
	probes_after(&p, TAPIR_SEC);
	peer_advance(&p, TAPIR_SEC);
	peer_expects(&p, "R 1:1(0)");
	ck_assert_state(&p, TAPIR_TCP_CLOSED);
}
END_TEST

/* RFC 9293 3.8.4 (MUST-26): none while text that was sent is outstanding: its own retransmissions decide. */
START_TEST(outstanding_text_is_no_idle_connection)
{
	peer_config()->keepalive_idle_us = TAPIR_SEC;
	peer_config()->keepalive_interval_us = TAPIR_SEC;
	peer_config()->keepalive_probes = 2;
	struct peer p = kept_alive(_i);

	user_sends(&p, 10);
	peer_expects(&p, "P. 1:11(10) ack 1");
	for (usec_t wait = 200 * TAPIR_MS; wait < 20 * TAPIR_SEC; wait *= 2) {
		peer_advance(&p, wait - 1);
		peer_expects_nothing(&p);
		peer_advance(&p, 1);
		peer_expects(&p, "P. 1:11(10) ack 1");
	}
	ck_assert_state(&p, TAPIR_TCP_ESTABLISHED);
	peer_sends(&p, ". 1:1(0) ack 11");
	probes_after(&p, TAPIR_SEC);
}
END_TEST

/* RFC 9293 3.8.4 (MUST-26): nor while text waits for a closed window: the persist timer's probes decide. */
START_TEST(a_closed_window_is_no_idle_connection)
{
	peer_config()->keepalive_idle_us = TAPIR_SEC;
	peer_config()->keepalive_interval_us = TAPIR_SEC;
	peer_config()->keepalive_probes = 2;
	struct peer p = kept_alive(_i);

	peer_sends(&p, ". 1:1(0) ack 1 win 0");
	user_sends(&p, 10);
	for (usec_t wait = 200 * TAPIR_MS; wait < 20 * TAPIR_SEC; wait *= 2) {
		peer_advance(&p, wait);
		peer_expects(&p, ". 1:2(1) ack 1");
		peer_expects_nothing(&p);
	}
	ck_assert_state(&p, TAPIR_TCP_ESTABLISHED);
}
END_TEST

/* RFC 9293 3.8.4 (MUST-24): on or off for each connection: a program may stop it, also between two probes. */
START_TEST(probing_can_be_turned_off_again)
{
	struct peer p = kept_alive(_i);

	turn(&p, false);
	peer_advance(&p, 3 * HOUR);
	peer_expects_nothing(&p);
	turn(&p, true);			/* idle for longer than two hours already */
	peer_advance(&p, 2);
	peer_expects(&p, ". 0:0(0) ack 1");
	turn(&p, false);
	peer_advance(&p, 3 * HOUR);
	peer_expects_nothing(&p);
	ck_assert_uint_eq(peer_usage(&p).timers, 0);
}
END_TEST

/* RFC 9293 3.8.4 (MUST-24): asked for before connect(), or on the socket that listens, it holds for the connection. */
START_TEST(what_was_asked_for_before_the_connection_holds_for_it)
{
	struct peer p = closed(_i);
	struct tapir_endpoint local = {.port = STACK_PORT}, remote = {tapir_ipv4(10, 0, 0, 1), PEER_PORT};

	p.sd = tapir_socket(p.t, TAPIR_SOCK_STREAM);
	turn(&p, true);
	ck_assert_error(tapir_bind(p.t, p.sd, &local), 0);
	ck_assert_error(tapir_connect(p.t, p.sd, &remote), TAPIR_EINPROGRESS);
	peer_expects(&p, "S 0:0(0)");
	peer_sends(&p, "S. 0:0(0) ack 1 <mss 1460>");
	peer_expects(&p, ". 1:1(0) ack 1");
	probes_after(&p, IDLE);
	ck_assert_error(tapir_abort(p.t, p.sd), 0);
	peer_expects(&p, "R 1:1(0)");

	p = listening(_i);
	ck_assert_error(tapir_setsockopt(p.t, p.listener, TAPIR_SO_KEEPALIVE, 1), 0);
	peer_opens(&p);
	user_accepts(&p);
	probes_after(&p, IDLE);
}
END_TEST

/* RFC 9293 3.8.4: the half-closed states are probed as well: FIN-WAIT-2 of a program that still reads, CLOSE-WAIT. */
START_TEST(half_closed_connections_are_probed_too)
{
	struct peer p = fin_wait_2(_i);

	turn(&p, true);
	probes_after(&p, IDLE);
	p = close_wait(_i);
	turn(&p, true);
	probes_after(&p, IDLE);
}
END_TEST

/* RFC 9293 3.8.4: what the peer sends to keep alive, with or without a garbage octet, is answered, and read by nobody. */
START_TEST(the_peers_probes_are_answered)
{
	struct peer p = established(_i);

	peer_sends(&p, "P. 1:11(10) ack 1");
	peer_expects(&p, ". 1:1(0) ack 11");
	user_reads(&p, 10);
	peer_sends(&p, ". 10:10(0) ack 1");
	ck_assert_verdict(&p, DROP_TCP_OUT_OF_WINDOW);
	peer_expects(&p, ". 1:1(0) ack 11");
	peer_sends(&p, ". 10:11(1) ack 1");
	peer_expects(&p, ". 1:1(0) ack 11");
	ck_assert_error(user_recv_result(&p), TAPIR_EAGAIN);
}
END_TEST

/* Nobody asks for it any more, and it ends by itself: its peer's answers would keep nothing alive. */
START_TEST(an_orphan_is_not_probed)
{
	struct peer p;

	peer_config()->keepalive_idle_us = TAPIR_SEC;
	peer_config()->fin_wait_2_us = 60 * TAPIR_SEC;
	p = established(_i);
	turn(&p, true);
	user_closes(&p);
	peer_expects(&p, "F. 1:1(0) ack 1");
	peer_sends(&p, ". 1:1(0) ack 2");
	ck_assert_state(&p, TAPIR_TCP_FIN_WAIT_2);
	peer_advance(&p, 60 * TAPIR_SEC - 1);
	peer_expects_nothing(&p);
	ck_assert_state(&p, TAPIR_TCP_FIN_WAIT_2);
	peer_advance(&p, 1);
	ck_assert_state(&p, TAPIR_TCP_CLOSED);
	peer_expects_nothing(&p);
}
END_TEST

Suite *suite(void)
{
	return peer_suite("RFC 9293 3.8.4 keep-alive", (const TTest *[]){
		by_default_an_idle_connection_is_not_probed,
		an_idle_connection_is_probed_after_two_hours,
		any_segment_from_the_peer_begins_the_idle_time_anew,
		an_answered_probe_begins_the_idle_time_anew,
		only_many_probes_without_an_answer_end_the_connection,
		a_reset_in_answer_to_a_probe_ends_the_connection,
		the_times_are_settings,
		outstanding_text_is_no_idle_connection,
		a_closed_window_is_no_idle_connection,
		probing_can_be_turned_off_again,
		what_was_asked_for_before_the_connection_holds_for_it,
		half_closed_connections_are_probed_too,
		the_peers_probes_are_answered,
		an_orphan_is_not_probed,
		NULL
	});
}
