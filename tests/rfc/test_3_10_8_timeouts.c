/* test_3_10_8_timeouts.c: the three timeouts of RFC 9293 3.10.8 in each state. The user timeout is measured as a count of
 * retransmissions, as RFC 9293 3.8.3 allows. */
#include "tests/support/peer.h"

/* What waits for an acknowledgment in a state, and is sent again. The rest of the states have nothing that could. */
static const struct {
	enum tapir_tcp_state state;
	uint32_t text;			/* the user sends so much first */
	const char *line;		/* the front of the retransmission queue */
	usec_t rto_us;			/* the timeout then: the initial one, or the minimum after a round trip of no time */
	int retries;			/* R2 */
	usec_t patience_us;		/* that R2 comes to at least */
} waiting[] = {
	{TAPIR_TCP_SYN_SENT, 0, "S 0:0(0)", 1000 * TAPIR_MS, 7, 180 * TAPIR_SEC},
	{TAPIR_TCP_SYN_RCVD, 0, "S. 0:0(0) ack 1", 1000 * TAPIR_MS, 5, 60 * TAPIR_SEC},
	{TAPIR_TCP_ESTABLISHED, 100, "P. 1:101(100) ack 1", 200 * TAPIR_MS, 15, 100 * TAPIR_SEC},
	{TAPIR_TCP_FIN_WAIT_1, 0, "F. 1:1(0) ack 1", 200 * TAPIR_MS, 15, 100 * TAPIR_SEC},
	{TAPIR_TCP_CLOSE_WAIT, 100, "P. 1:101(100) ack 2", 200 * TAPIR_MS, 15, 100 * TAPIR_SEC},
	{TAPIR_TCP_CLOSING, 0, "F. 1:1(0) ack 2", 200 * TAPIR_MS, 15, 100 * TAPIR_SEC},
	{TAPIR_TCP_LAST_ACK, 0, "F. 1:1(0) ack 2", 200 * TAPIR_MS, 15, 100 * TAPIR_SEC},
};
#define WAITING (sizeof waiting / sizeof waiting[0])

static struct peer waiting_in(size_t i, int run)
{
	struct peer p = peer_in(waiting[i].state, run);

	if (waiting[i].text) {
		user_sends(&p, waiting[i].text);
		peer_expects(&p, waiting[i].line);
	}
	return p;
}

/* Lets the retransmission timer fire n times, each time after twice as long, and returns how long it took. */
static usec_t retransmissions(struct peer *p, int n, const char *line)
{
	usec_t start = peer_now(p), wait = peer_until_timer(p), longest = peer_config()->rto_max_us;

	for (int k = 1; k < n; k++) {
		peer_expects(p, line);
		wait = 2 * wait < longest ? 2 * wait : longest;
		ck_assert_uint_eq(peer_until_timer(p), wait);
	}
	peer_expects(p, line);
	peer_expects_nothing(p);
	return peer_now(p) - start;
}

/* ---- USER TIMEOUT ------------------------------------------------------------------------------------------------ */

/* RFC 9293 3.10.8 USER TIMEOUT, 3.8.3 (MUST-20, MUST-22, MUST-23, SHLD-11): in every state in which something is
 * unacknowledged, the connection ends when it has been sent R2 times more in vain: at least 3 minutes for a SYN of ours,
 * 100 seconds for text and a FIN. */
START_TEST(user_timeout_in_every_state_with_something_unacknowledged)
{
	for (size_t i = 0; i < WAITING; i++) {
		struct peer p = waiting_in(i, _i);
		usec_t took = retransmissions(&p, waiting[i].retries, waiting[i].line);

		ck_assert_state(&p, waiting[i].state);
		took += peer_until_timer(&p);
		ck_assert_uint_ge(took, waiting[i].patience_us);
		ck_assert_state(&p, p.sd < 0 ? TAPIR_TCP_LISTEN : TAPIR_TCP_CLOSED);
		peer_expects_nothing(&p);
		if (p.sd >= 0)
			ck_assert_error(user_pending_error(&p), TAPIR_ETIMEDOUT);
	}
}
END_TEST

/* RFC 9293 3.10.8 USER TIMEOUT: "flush all queues": what was sent, unsent and out of order is given back. */
START_TEST(user_timeout_flushes_all_queues)
{
	struct peer p = established(_i);

	user_sends(&p, 30000);
	peer_sends(&p, ". 101:201(100) ack 1");
	peer_ignores_all(&p);
	ck_assert_uint_gt(peer_usage(&p).small_frames + peer_usage(&p).large_frames, 1);
	while (peer_state(&p) != TAPIR_TCP_CLOSED)
		peer_until_timer(&p);
	peer_ignores_all(&p);
	ck_assert_uint_eq(peer_usage(&p).small_frames + peer_usage(&p).large_frames, 0);
	ck_assert_uint_eq(peer_usage(&p).timers, 0);
}
END_TEST

/* RFC 9293 3.10.8 USER TIMEOUT: "signal the user ... for any outstanding calls": each way to hear of it: poll, recv after the
 * text that had arrived, send; told once. */
START_TEST(user_timeout_is_told_to_the_user)
{
	struct peer p = established(_i);

	peer_sends(&p, "P. 1:11(10) ack 1");
	peer_expects(&p, ". 1:1(0) ack 11");
	user_sends(&p, 10);
	peer_expects(&p, "P. 1:11(10) ack 11");
	ck_assert_int_eq(tapir_poll(p.t, p.sd) & (TAPIR_POLLERR | TAPIR_POLLHUP), 0);
	while (peer_state(&p) != TAPIR_TCP_CLOSED)
		peer_until_timer(&p);
	peer_ignores_all(&p);
	ck_assert_int_eq(tapir_poll(p.t, p.sd) & (TAPIR_POLLERR | TAPIR_POLLHUP), TAPIR_POLLERR | TAPIR_POLLHUP);
	user_reads(&p, 10);
	ck_assert_error(user_recv_result(&p), TAPIR_ETIMEDOUT);
	ck_assert_error(user_send_result(&p, 1), TAPIR_EPIPE);
}
END_TEST

/* RFC 9293 3.10.8 USER TIMEOUT: the count is of retransmissions in a row: any acknowledgment of something new starts anew. */
START_TEST(user_timeout_starts_anew_with_each_acknowledgment)
{
	struct peer p;

	peer_config()->retries2 = 3;
	p = established(_i);
	user_sends(&p, 1460 + 100);
	peer_expects(&p, ". 1:1461(1460) ack 1");
	retransmissions(&p, 3, ". 1:1461(1460) ack 1");
	peer_sends(&p, ". 1:1(0) ack 1461");
	peer_expects(&p, "P. 1461:1561(100) ack 1");
	retransmissions(&p, 3, "P. 1461:1561(100) ack 1");
	ck_assert_state(&p, TAPIR_TCP_ESTABLISHED);
	peer_until_timer(&p);
	ck_assert_state(&p, TAPIR_TCP_CLOSED);
}
END_TEST

/* RFC 9293 3.10.8 USER TIMEOUT, 3.8.3 (MUST-21): the user chooses R2 for a connection, "infinity" too. */
START_TEST(user_timeout_is_the_users_choice)
{
	struct peer p = established(_i);
	int retries;

	ck_assert_error(tapir_getsockopt(p.t, p.sd, TAPIR_TCP_RETRIES, &retries), 0);
	ck_assert_int_eq(retries, 15);
	ck_assert_error(tapir_setsockopt(p.t, p.sd, TAPIR_TCP_RETRIES, 2), 0);
	user_sends(&p, 10);
	peer_expects(&p, "P. 1:11(10) ack 1");
	retransmissions(&p, 2, "P. 1:11(10) ack 1");
	peer_until_timer(&p);
	ck_assert_state(&p, TAPIR_TCP_CLOSED);
	ck_assert_error(user_pending_error(&p), TAPIR_ETIMEDOUT);

	p = listening(_i);
	ck_assert_error(tapir_setsockopt(p.t, p.listener, TAPIR_TCP_RETRIES, -1), 0);
	peer_opens(&p);
	user_accepts(&p);
	user_sends(&p, 10);
	peer_expects(&p, "P. 1:11(10) ack 1");
	retransmissions(&p, 300, "P. 1:11(10) ack 1");
	ck_assert_state(&p, TAPIR_TCP_ESTABLISHED);
	peer_sends(&p, ". 1:1(0) ack 11");
	ck_assert_uint_eq(peer_info(&p).unacked, 0);
}
END_TEST

/* RFC 9293 3.10.8 USER TIMEOUT: states with nothing unacknowledged wait for ever: LISTEN, ESTABLISHED, FIN-WAIT-2, CLOSE-WAIT.
 * TIME-WAIT ends by its own timeout. */
START_TEST(user_timeout_needs_something_to_wait_for)
{
	static const enum tapir_tcp_state idle[] = {
		TAPIR_TCP_LISTEN, TAPIR_TCP_ESTABLISHED, TAPIR_TCP_FIN_WAIT_2, TAPIR_TCP_CLOSE_WAIT
	};

	for (size_t i = 0; i < sizeof idle / sizeof idle[0]; i++) {
		struct peer p = peer_in(idle[i], _i);

		peer_advance(&p, 7 * 86400 * TAPIR_SEC);
		ck_assert_state(&p, idle[i]);
		ck_assert_uint_eq(peer_usage(&p).timers, 0);
		peer_expects_nothing(&p);
	}
}
END_TEST

/* ---- RETRANSMISSION TIMEOUT -------------------------------------------------------------------------------------- */

/* RFC 9293 3.10.8 RETRANSMISSION TIMEOUT: every state in which something is unacknowledged: the front of the queue again,
 * and the timer again, for twice as long (RFC 6298 5.4 to 5.6). */
START_TEST(retransmission_timeout_in_every_state_with_something_unacknowledged)
{
	for (size_t i = 0; i < WAITING; i++) {
		struct peer p = waiting_in(i, _i);

		peer_advance(&p, waiting[i].rto_us - 1);
		peer_expects_nothing(&p);
		peer_advance(&p, 1);
		peer_expects(&p, waiting[i].line);
		ck_assert_why(&p, "RFC ");
		peer_advance(&p, 2 * waiting[i].rto_us - 1);
		peer_expects_nothing(&p);
		peer_advance(&p, 1);
		peer_expects(&p, waiting[i].line);
		peer_expects_nothing(&p);
		ck_assert_state(&p, waiting[i].state);
	}
}
END_TEST

/* RFC 9293 3.10.8 RETRANSMISSION TIMEOUT, SYN-RECEIVED: from SYN-SENT the SYN carries an ACK now; it is one attempt to open,
 * with R2 of a SYN (3.8.3, MUST-23). */
START_TEST(retransmission_timeout_in_syn_received_after_an_active_open)
{
	struct peer p = syn_received_active(_i);
	usec_t took = retransmissions(&p, 7, "S. 0:0(0) ack 1");

	ck_assert_state(&p, TAPIR_TCP_SYN_RCVD);
	took += peer_until_timer(&p);
	ck_assert_uint_ge(took, 180 * TAPIR_SEC);
	ck_assert_state(&p, TAPIR_TCP_CLOSED);
	ck_assert_error(user_pending_error(&p), TAPIR_ETIMEDOUT);
}
END_TEST

/* RFC 9293 3.10.8 RETRANSMISSION TIMEOUT: ESTABLISHED: only the segment at the front, of several. */
START_TEST(retransmission_timeout_sends_only_the_front_of_the_queue)
{
	struct peer p = established(_i);

	user_sends(&p, 3 * 1460);
	peer_expects(&p, ". 1:1461(1460) ack 1");
	peer_expects(&p, ". 1461:2921(1460) ack 1");
	peer_expects(&p, "P. 2921:4381(1460) ack 1");
	peer_until_timer(&p);
	peer_expects(&p, ". 1:1461(1460) ack 1");
	peer_expects_nothing(&p);
	ck_assert_uint_eq(peer_info(&p).unacked, 3 * 1460);
	ck_assert_uint_eq(peer_info(&p).retransmits, 1);
	peer_sends(&p, ". 1:1(0) ack 4381");		/* the others were not lost */
	peer_expects_nothing(&p);
	ck_assert_uint_eq(peer_info(&p).retransmits, 0);
}
END_TEST

/* RFC 9293 3.10.8 RETRANSMISSION TIMEOUT: the segment again with what is true now: it acknowledges what came since. */
START_TEST(retransmission_timeout_sends_the_present_acknowledgment)
{
	struct peer p = established(_i);

	user_sends(&p, 10);
	peer_expects(&p, "P. 1:11(10) ack 1 win 65535");
	peer_sends(&p, "P. 1:101(100) ack 1");
	peer_expects(&p, ". 11:11(0) ack 101");
	peer_until_timer(&p);
	peer_expects(&p, "P. 1:11(10) ack 101 win 65435");
}
END_TEST

/* RFC 9293 3.10.8 RETRANSMISSION TIMEOUT: FIN-WAIT-1: text before the FIN goes first, the FIN with the last of it. */
START_TEST(retransmission_timeout_of_text_and_fin)
{
	struct peer p = established(_i);

	user_sends(&p, 1460 + 100);
	user_shuts_down(&p);
	peer_expects(&p, ". 1:1461(1460) ack 1");
	peer_expects(&p, "FP. 1461:1561(100) ack 1");
	peer_until_timer(&p);
	peer_expects(&p, ". 1:1461(1460) ack 1");
	peer_expects_nothing(&p);
	peer_sends(&p, ". 1:1(0) ack 1461");
	peer_expects(&p, "FP. 1461:1561(100) ack 1");
	peer_sends(&p, ". 1:1(0) ack 1562");
	ck_assert_state(&p, TAPIR_TCP_FIN_WAIT_2);
	ck_assert_uint_eq(peer_usage(&p).timers, 0);
}
END_TEST

/* RFC 9293 3.10.8 RETRANSMISSION TIMEOUT: what is acknowledged in time is not sent again; the timer then stands (RFC 6298
 * 5.2), or waits for the rest from then on (5.3). */
START_TEST(retransmission_timeout_is_put_off_by_acknowledgments)
{
	struct peer p = established(_i);

	user_sends(&p, 2 * 1460);
	peer_expects(&p, ". 1:1461(1460) ack 1");
	peer_expects(&p, "P. 1461:2921(1460) ack 1");
	peer_advance(&p, 150 * TAPIR_MS);
	peer_sends(&p, ". 1:1(0) ack 1461");
	peer_advance(&p, 150 * TAPIR_MS);
	peer_expects_nothing(&p);
	peer_sends(&p, ". 1:1(0) ack 2921");
	ck_assert_uint_eq(peer_usage(&p).timers, 0);
	peer_advance(&p, 3600 * TAPIR_SEC);
	peer_expects_nothing(&p);
}
END_TEST

/* ---- TIME-WAIT TIMEOUT ------------------------------------------------------------------------------------------- */

/* RFC 9293 3.10.8 TIME-WAIT TIMEOUT: delete the TCB, CLOSED: a segment for it then draws a RST. 2 MSL is a setting. */
START_TEST(time_wait_timeout_deletes_the_tcb)
{
	struct peer p;

	peer_config()->msl_us = 7 * TAPIR_SEC;
	p = time_wait(_i);
	user_closes(&p);
	ck_assert_error(tapir_close(p.t, p.listener), 0);
	p.listener = -1;
	peer_advance(&p, 14 * TAPIR_SEC - 1);
	ck_assert_state(&p, TAPIR_TCP_TIME_WAIT);
	ck_assert_uint_eq(peer_usage(&p).time_wait, 1);
	peer_advance(&p, 1);
	ck_assert_state(&p, TAPIR_TCP_CLOSED);
	ck_assert_uint_eq(peer_usage(&p).conns, 0);
	ck_assert_uint_eq(peer_usage(&p).timers, 0);
	peer_expects_nothing(&p);
	peer_sends(&p, "F. 1:1(0) ack 2");
	ck_assert_verdict(&p, DROP_TCP_CLOSED);
	peer_expects(&p, "R 2:2(0)");
}
END_TEST

/* RFC 9293 3.10.8 TIME-WAIT TIMEOUT: a user who still holds the connection reads the end, not an error. */
START_TEST(time_wait_timeout_is_no_error_for_the_user)
{
	struct peer p = fin_wait_2(_i);

	peer_sends(&p, "FP. 1:11(10) ack 2");
	peer_expects(&p, ". 2:2(0) ack 12");
	peer_advance(&p, 2 * peer_config()->msl_us);
	ck_assert_state(&p, TAPIR_TCP_CLOSED);
	ck_assert_error(user_pending_error(&p), 0);
	user_reads(&p, 10);
	user_reads_end(&p);
}
END_TEST

/* RFC 9293 3.10.8 TIME-WAIT TIMEOUT: until then the pair of sockets is taken, then it can be opened again. */
START_TEST(time_wait_timeout_frees_the_pair_of_sockets)
{
	struct peer p = established_active(_i), again;
	struct tapir_endpoint local = {.port = STACK_PORT}, remote = {tapir_ipv4(10, 0, 0, 1), PEER_PORT};

	user_shuts_down(&p);
	peer_expects(&p, "F. 1:1(0) ack 1");
	peer_sends(&p, "F. 1:1(0) ack 2");
	peer_expects(&p, ". 2:2(0) ack 2");
	user_closes(&p);
	again = another_peer(&p, PEER_PORT);
	again.sd = tapir_socket(again.t, TAPIR_SOCK_STREAM);
	ck_assert_error(tapir_bind(again.t, again.sd, &local), 0);
	ck_assert_error(tapir_connect(again.t, again.sd, &remote), TAPIR_EADDRINUSE);
	peer_advance(&p, 2 * peer_config()->msl_us);
	ck_assert_error(tapir_connect(again.t, again.sd, &remote), TAPIR_EINPROGRESS);
	peer_expects(&again, "S 0:0(0)");
	ck_assert_error(tapir_abort(again.t, again.sd), 0);
}
END_TEST

Suite *suite(void)
{
	return peer_suite("RFC 9293 3.10.8 TIMEOUTS", (const TTest *[]){
		user_timeout_in_every_state_with_something_unacknowledged,
		user_timeout_flushes_all_queues,
		user_timeout_is_told_to_the_user,
		user_timeout_starts_anew_with_each_acknowledgment,
		user_timeout_is_the_users_choice,
		user_timeout_needs_something_to_wait_for,
		retransmission_timeout_in_every_state_with_something_unacknowledged,
		retransmission_timeout_in_syn_received_after_an_active_open,
		retransmission_timeout_sends_only_the_front_of_the_queue,
		retransmission_timeout_sends_the_present_acknowledgment,
		retransmission_timeout_of_text_and_fin,
		retransmission_timeout_is_put_off_by_acknowledgments,
		time_wait_timeout_deletes_the_tcb,
		time_wait_timeout_is_no_error_for_the_user,
		time_wait_timeout_frees_the_pair_of_sockets,
		NULL
	});
}
