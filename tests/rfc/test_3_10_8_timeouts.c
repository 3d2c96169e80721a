/* test_3_10_8_timeouts.c: the timeouts (RFC 9293 3.10.8, 3.8.1, 3.8.3) in each state that has them. Round trips take
 * no time here, so a connection that was opened without loss has the least RTO, 200 ms; one that is being opened has 1
 * s. */
#include "tests/support/peer.h"

#define COUNT(list) (sizeof list / sizeof list[0])

/* A state with something on the retransmission queue, what is at its front, and the first RTO. */
struct outstanding {
	enum tapir_tcp_state state;
	const char *front;
	usec_t rto_us;
};
static const struct outstanding cases[] = {
	{TAPIR_TCP_SYN_SENT, "S 0:0(0)", TAPIR_SEC}, {TAPIR_TCP_SYN_RCVD, "S. 0:0(0) ack 1", TAPIR_SEC},
	{TAPIR_TCP_ESTABLISHED, "P. 1:101(100) ack 1", 200 * TAPIR_MS},
	{TAPIR_TCP_CLOSE_WAIT, "P. 1:101(100) ack 2", 200 * TAPIR_MS},
	{TAPIR_TCP_FIN_WAIT_1, "F. 1:1(0) ack 1", 200 * TAPIR_MS}, {TAPIR_TCP_CLOSING, "F. 1:1(0) ack 2", 200 * TAPIR_MS},
	{TAPIR_TCP_LAST_ACK, "F. 1:1(0) ack 2", 200 * TAPIR_MS}
};

static struct peer with_something_outstanding(const struct outstanding *o, int run)
{
	struct peer p = o->state == TAPIR_TCP_SYN_RCVD ? syn_received_active(run) : peer_in(o->state, run);

	if (o->state == TAPIR_TCP_ESTABLISHED || o->state == TAPIR_TCP_CLOSE_WAIT) {
		user_sends(&p, 100);
		peer_expects(&p, "%s", o->front);
	}
	return p;
}

/* RFC 9293 3.10.8 RETRANSMISSION TIMEOUT: SYN-SENT, SYN-RECEIVED, ESTABLISHED, CLOSE-WAIT, FIN-WAIT-1, CLOSING,
 * LAST-ACK: the segment at the front of the retransmission queue is sent again and the timer reinitialized, backed off
 * (3.8.1, MUST-19; RFC 6298 5.5); SYNs too (MUST-22). */
START_TEST(the_front_of_the_retransmission_queue_is_sent_again_in_each_state)
{
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct peer p = with_something_outstanding(&cases[i], _i);
		usec_t rto_us = cases[i].rto_us;

		for (int k = 0; k < 4; k++, rto_us *= 2) {
			peer_advance(&p, rto_us - 1);
			peer_expects_nothing(&p);
			peer_advance(&p, 1);
			peer_expects(&p, "%s", cases[i].front);
			peer_expects_nothing(&p);
			ck_assert_state(&p, cases[i].state);
		}
	}
}
END_TEST

/* RFC 9293 3.10.8 RETRANSMISSION TIMEOUT: ESTABLISHED: only the front of the queue; what follows waits for its
 * acknowledgment. */
START_TEST(a_retransmission_timeout_sends_one_segment_of_many)
{
	struct peer p = established(_i);

	user_sends(&p, 4 * 1460);
	for (int i = 0; i < 4; i++)
		peer_expects(&p, "%s %d:%d(1460) ack 1", i == 3 ? "P." : ".", 1 + i * 1460, 1461 + i * 1460);
	ck_assert_uint_eq(peer_until_timer(&p), 200 * TAPIR_MS);
	peer_expects(&p, ". 1:1461(1460) ack 1");
	peer_expects_nothing(&p);
	peer_sends(&p, ". 1:1(0) ack 5841");		/* the others had arrived */
	peer_expects_nothing(&p);
	ck_assert_uint_eq(peer_usage(&p).timers, 0);
}
END_TEST

/* RFC 9293 3.10.8 RETRANSMISSION TIMEOUT: a FIN behind text is sent again with it, in FIN-WAIT-1. */
START_TEST(a_retransmission_timeout_sends_text_and_fin_again)
{
	struct peer p = established(_i);

	user_sends(&p, 100);
	user_closes(&p);
	peer_expects(&p, "FP. 1:101(100) ack 1");
	peer_until_timer(&p);
	peer_expects(&p, "FP. 1:101(100) ack 1");
	peer_sends(&p, ". 1:1(0) ack 101");		/* the text alone */
	peer_expects_nothing(&p);
	peer_until_timer(&p);
	peer_expects(&p, "F. 101:101(0) ack 1");
	peer_sends(&p, ". 1:1(0) ack 102");
	ck_assert_state(&p, TAPIR_TCP_FIN_WAIT_2);
}
END_TEST

/* RFC 9293 3.10.8 USER TIMEOUT, 3.8.3 (MUST-20, MUST-21): SYN-SENT, SYN-RECEIVED, ESTABLISHED, CLOSE-WAIT, FIN-WAIT-1,
 * CLOSING, LAST-ACK: after R2 retransmissions, which are configured, flush all queues, signal the user, CLOSED. */
START_TEST(the_user_timeout_aborts_the_connection_in_each_state)
{
	peer_config()->retries2 = peer_config()->syn_retries = peer_config()->synack_retries = 3;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct peer p = with_something_outstanding(&cases[i], _i);
		usec_t rto_us = cases[i].rto_us;

		peer_advance(&p, (1 + 2 + 4) * rto_us);
		for (int k = 0; k < 3; k++)
			peer_expects(&p, "%s", cases[i].front);
		peer_advance(&p, 8 * rto_us - 1);
		peer_expects_nothing(&p);
		ck_assert_state(&p, cases[i].state);
		peer_advance(&p, 1);
		peer_expects_nothing(&p);
		ck_assert_state(&p, TAPIR_TCP_CLOSED);
		ck_assert_int_ne(tapir_poll(p.t, p.sd) & TAPIR_POLLERR, 0);
		ck_assert_error(user_pending_error(&p), TAPIR_ETIMEDOUT);
		ck_assert_uint_eq(peer_usage(&p).small_frames, 0);
		ck_assert_uint_eq(peer_usage(&p).timers, 0);
	}
}
END_TEST

/* RFC 9293 3.10.8 USER TIMEOUT: SYN-RECEIVED from LISTEN: nobody needs to hear of it; LISTEN goes on. */
START_TEST(the_user_timeout_of_a_half_open_connection_is_silent)
{
	peer_config()->synack_retries = 2;
	struct peer p = syn_received(_i);

	peer_advance(&p, 7 * TAPIR_SEC - 1);
	peer_expects(&p, "S. 0:0(0) ack 1");
	peer_expects(&p, "S. 0:0(0) ack 1");
	ck_assert_state(&p, TAPIR_TCP_SYN_RCVD);
	peer_advance(&p, 1);
	peer_expects_nothing(&p);
	ck_assert_state(&p, TAPIR_TCP_LISTEN);
	ck_assert_int_eq(tapir_poll(p.t, p.listener), 0);
	ck_assert_uint_eq(peer_usage(&p).conns, 0);
	peer_opens(&p);
}
END_TEST

/* RFC 9293 3.8.3 (MUST-23), 3.10.8 USER TIMEOUT: R2 for a SYN corresponds to at least 3 minutes, by default. SYN-SENT.
 * */
START_TEST(a_syn_is_given_up_after_three_minutes_at_the_earliest)
{
	struct peer p = syn_sent(_i);

	peer_advance(&p, 180 * TAPIR_SEC);
	ck_assert_state(&p, TAPIR_TCP_SYN_SENT);
	ck_assert_uint_eq(peer_ignores_all(&p), 7);
	peer_advance(&p, 60 * TAPIR_SEC);
	ck_assert_state(&p, TAPIR_TCP_CLOSED);
	ck_assert_error(user_pending_error(&p), TAPIR_ETIMEDOUT);
}
END_TEST

/* RFC 9293 3.8.3 (SHLD-11), 3.10.8 USER TIMEOUT: R2 for text corresponds to at least 100 seconds, by default, also at
 * the least RTO. ESTABLISHED. */
START_TEST(text_is_given_up_after_a_hundred_seconds_at_the_earliest)
{
	struct peer p = established(_i);

	user_sends(&p, 100);
	peer_advance(&p, 100 * TAPIR_SEC);
	ck_assert_state(&p, TAPIR_TCP_ESTABLISHED);
	peer_advance(&p, 1000 * TAPIR_SEC);
	ck_assert_state(&p, TAPIR_TCP_CLOSED);
	ck_assert_uint_eq(peer_ignores_all(&p), 1 + 15);
	ck_assert_error(user_recv_result(&p), TAPIR_ETIMEDOUT);
}
END_TEST

/* RFC 9293 3.10.8 USER TIMEOUT: a connection that no program holds ends sooner: FIN-WAIT-1 and LAST-ACK after their
 * own number of retransmissions, FIN-WAIT-2 after a time without the peer's FIN. */
START_TEST(a_connection_that_nobody_holds_always_ends)
{
	peer_config()->orphan_retries = 2;
	struct peer p = fin_wait_1(_i);

	user_closes(&p);
	peer_advance(&p, 1400 * TAPIR_MS);
	ck_assert_uint_eq(peer_ignores_all(&p), 2);
	ck_assert_uint_eq(peer_usage(&p).conns, 0);
	p = last_ack(_i);
	user_closes(&p);
	peer_advance(&p, 1400 * TAPIR_MS);
	ck_assert_uint_eq(peer_ignores_all(&p), 2);
	ck_assert_uint_eq(peer_usage(&p).conns, 0);
	p = fin_wait_2(_i);
	user_closes(&p);
	peer_advance(&p, 60 * TAPIR_SEC - 1);
	ck_assert_state(&p, TAPIR_TCP_FIN_WAIT_2);
	peer_advance(&p, 1);
	ck_assert_state(&p, TAPIR_TCP_CLOSED);
	peer_expects_nothing(&p);
}
END_TEST

/* RFC 9293 3.10.8 TIME-WAIT TIMEOUT, 3.6.1 (MUST-13): delete the TCB, CLOSED, after 2 MSL; MSL is configured. The
 * descriptor stays the user's. */
START_TEST(time_wait_lasts_two_msl)
{
	static const usec_t msls[] = {30 * TAPIR_SEC, 120 * TAPIR_SEC, TAPIR_MS};

	for (size_t i = 0; i < COUNT(msls); i++) {
		struct peer p;

		peer_config()->msl_us = msls[i];
		p = time_wait(_i);
		peer_advance(&p, 2 * msls[i] - 1);
		ck_assert_state(&p, TAPIR_TCP_TIME_WAIT);
		ck_assert_uint_eq(peer_usage(&p).time_wait, 1);
		peer_advance(&p, 1);
		ck_assert_state(&p, TAPIR_TCP_CLOSED);
		ck_assert_uint_eq(peer_usage(&p).time_wait, 0);
		ck_assert_int_eq(user_pending_error(&p), 0);
		user_reads_end(&p);
		peer_expects_nothing(&p);
	}
}
END_TEST

/* RFC 9293 3.10.8 TIME-WAIT TIMEOUT: before it nothing is sent, after it the pair of sockets is CLOSED again. */
START_TEST(after_time_wait_the_pair_of_sockets_is_free)
{
	struct peer p = time_wait(_i);

	user_closes(&p);
	ck_assert_error(tapir_close(p.t, p.listener), 0);
	p.listener = -1;
	peer_advance(&p, 60 * TAPIR_SEC);
	ck_assert_uint_eq(peer_usage(&p).conns, 0);
	peer_sends(&p, "F. 1:1(0) ack 2");
	ck_assert_verdict(&p, DROP_TCP_CLOSED);
	peer_expects(&p, "R 2:2(0)");
	user_connects(&p);
	peer_expects(&p, "S 0:0(0)");
}
END_TEST

Suite *suite(void)
{
	return peer_suite("RFC 9293 3.10.8 timeouts", (const TTest *[]){
		the_front_of_the_retransmission_queue_is_sent_again_in_each_state,
		a_retransmission_timeout_sends_one_segment_of_many,
		a_retransmission_timeout_sends_text_and_fin_again,
		the_user_timeout_aborts_the_connection_in_each_state,
		the_user_timeout_of_a_half_open_connection_is_silent,
		a_syn_is_given_up_after_three_minutes_at_the_earliest,
		text_is_given_up_after_a_hundred_seconds_at_the_earliest,
		a_connection_that_nobody_holds_always_ends,
		time_wait_lasts_two_msl,
		after_time_wait_the_pair_of_sockets_is_free,
		NULL
	});
}
