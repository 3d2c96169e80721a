/* test_3_10_2_send.c: the SEND call (RFC 9293 3.10.2, 3.9.1.2) in each state, as tapir_send. */
#include "tests/support/peer.h"

/* RFC 9293 3.10.2: CLOSED: no such connection for this process, or none at all. */
START_TEST(a_send_in_closed_is_an_error)
{
	struct peer p = closed(_i);

	p.sd = tapir_socket(p.t, TAPIR_SOCK_STREAM);
	ck_assert_error(user_send_result(&p, 1), TAPIR_ENOTCONN);
	ck_assert_error(tapir_close(p.t, p.sd), 0);
	ck_assert_error(user_send_result(&p, 1), TAPIR_EBADF);
	p.sd = -1;
	peer_expects_nothing(&p);
}
END_TEST

/* RFC 9293 3.10.2: CLOSED, after a reset: the error is told once, then that nothing can be sent. */
START_TEST(a_send_in_closed_tells_once_why_the_connection_ended)
{
	struct peer p = established(_i);

	peer_sends(&p, "R 1:1(0)");
	ck_assert_error(user_send_result(&p, 1), TAPIR_ECONNRESET);
	ck_assert_error(user_send_result(&p, 1), TAPIR_EPIPE);
	peer_expects_nothing(&p);
}
END_TEST

/* RFC 9293 3.10.2: LISTEN, the remote socket is not specified: an error. */
START_TEST(a_send_in_listen_is_an_error)
{
	struct peer p = listening(_i);

	ck_assert_error(tapir_send(p.t, p.listener, "x", 1), TAPIR_ENOTCONN);
	peer_expects_nothing(&p);
	peer_opens(&p);
}
END_TEST

/* RFC 9293 3.10.2: SYN-SENT: the data is queued for transmission after entering ESTABLISHED state. */
START_TEST(a_send_in_syn_sent_is_queued_until_established)
{
	struct peer p = syn_sent(_i);

	user_sends(&p, 100);
	user_sends(&p, 100);
	peer_expects_nothing(&p);
	ck_assert_uint_eq(peer_info(&p).notsent, 200);
	peer_sends(&p, "S. 0:0(0) ack 1 <mss 1460>");
	peer_expects(&p, "P. 1:201(200) ack 1");	/* (MUST-58): the ACK of the SYN rides on the text */
	peer_expects_nothing(&p);
}
END_TEST

/* RFC 9293 3.10.2: SYN-RECEIVED: the same. */
START_TEST(a_send_in_syn_received_is_queued_until_established)
{
	struct peer p = syn_received_active(_i);

	user_sends(&p, 100);
	peer_expects_nothing(&p);
	peer_sends(&p, ". 1:1(0) ack 1");
	peer_expects(&p, "P. 1:101(100) ack 1");
	ck_assert_state(&p, TAPIR_TCP_ESTABLISHED);
}
END_TEST

/* RFC 9293 3.10.2: SYN-SENT, SYN-RECEIVED: no space to queue: "insufficient resources". A short count says how much
 * fitted. */
START_TEST(a_send_without_space_to_queue_it_is_refused_before_established_too)
{
	peer_config()->sndbuf = 1024;
	struct peer p = syn_sent(_i);

	ck_assert_error(user_send_result(&p, 700), 700);
	ck_assert_error(user_send_result(&p, 700), 324);
	ck_assert_error(user_send_result(&p, 700), TAPIR_EAGAIN);
	peer_sends(&p, "S 0:0(0) <mss 1460>");
	peer_expects(&p, "S. 0:0(0) ack 1");
	ck_assert_state(&p, TAPIR_TCP_SYN_RCVD);
	ck_assert_error(user_send_result(&p, 1), TAPIR_EAGAIN);
	peer_sends(&p, ". 1:1(0) ack 1");
	peer_expects(&p, "P. 1:1025(1024) ack 1");
}
END_TEST

/* RFC 9293 3.10.2: ESTABLISHED: segmentize the buffer and send it with a piggybacked acknowledgment, SEG.ACK = RCV.NXT.
 * Segments are as large as they may be (SHLD-28), PSH is on the last (MUST-60, MUST-61). */
START_TEST(a_send_in_established_is_cut_into_segments_that_acknowledge)
{
	struct peer p = established(_i);

	peer_sends(&p, "P. 1:11(10) ack 1");
	user_sends(&p, 3000);
	peer_expects(&p, ". 1:1461(1460) ack 11");
	peer_expects(&p, ". 1461:2921(1460) ack 11");
	peer_expects(&p, "P. 2921:3001(80) ack 11");
}
END_TEST

/* RFC 9293 3.10.2: CLOSE-WAIT: the same: their side is closed, ours is not. */
START_TEST(a_send_in_close_wait_is_cut_into_segments_that_acknowledge)
{
	struct peer p = close_wait(_i);

	user_sends(&p, 1560);
	peer_expects(&p, ". 1:1461(1460) ack 2");
	peer_sends(&p, ". 2:2(0) ack 1461");
	peer_expects(&p, "P. 1461:1561(100) ack 2");
	peer_sends(&p, ". 2:2(0) ack 1561");
	ck_assert_uint_eq(peer_info(&p).unacked, 0);
	ck_assert_state(&p, TAPIR_TCP_CLOSE_WAIT);
	peer_expects_nothing(&p);
}
END_TEST

/* RFC 9293 3.10.2: ESTABLISHED, CLOSE-WAIT: insufficient space to remember the buffer: "insufficient resources", until
 * an acknowledgment frees some. */
START_TEST(a_send_without_space_to_remember_it_is_refused_until_something_is_acknowledged)
{
	peer_config()->sndbuf = 1024;
	for (int i = 0; i < 2; i++) {
		struct peer p = i ? close_wait(_i) : established(_i);
		int ack = i ? 2 : 1;

		user_sends(&p, 1024);
		peer_expects(&p, "P. 1:1025(1024) ack %d", ack);
		ck_assert_error(user_send_result(&p, 1), TAPIR_EAGAIN);
		ck_assert_int_eq(tapir_poll(p.t, p.sd) & TAPIR_POLLOUT, 0);
		peer_sends(&p, ". %d:%d(0) ack 601", ack, ack);
		ck_assert_int_ne(tapir_poll(p.t, p.sd) & TAPIR_POLLOUT, 0);
		ck_assert_error(user_send_result(&p, 700), 600);
		ck_assert_error(user_send_result(&p, 1), TAPIR_EAGAIN);
		peer_sends(&p, ". %d:%d(0) ack 1025", ack, ack);
		peer_expects(&p, "P. 1025:1625(600) ack %d", ack);
	}
}
END_TEST

/* RFC 9293 3.10.2: FIN-WAIT-1, FIN-WAIT-2, CLOSING, LAST-ACK, TIME-WAIT: "connection closing", and the request is not
 * serviced. */
START_TEST(a_send_after_close_is_an_error_in_each_state)
{
	static const enum tapir_tcp_state states[] = {
		TAPIR_TCP_FIN_WAIT_1, TAPIR_TCP_FIN_WAIT_2, TAPIR_TCP_CLOSING, TAPIR_TCP_LAST_ACK, TAPIR_TCP_TIME_WAIT
	};

	for (size_t i = 0; i < sizeof states / sizeof states[0]; i++) {
		struct peer p = peer_in(states[i], _i);

		ck_assert_error(user_send_result(&p, 10), TAPIR_EPIPE);
		ck_assert_error(tapir_send_borrowed(p.t, p.sd, "x", 1, NULL, NULL), TAPIR_EPIPE);
		ck_assert_state(&p, states[i]);
		ck_assert_uint_eq(peer_info(&p).notsent, 0);
		peer_expects_nothing(&p);
	}
}
END_TEST

/* RFC 9293 3.9.1.2 (MUST-60): text without PUSH is not held for ever: there is no PUSH flag in this API (MAY-15 left
 * out), so every SEND ends with PSH and goes as soon as the windows and Nagle let it. */
START_TEST(each_send_is_pushed)
{
	struct peer p = established(_i);

	ck_assert_error(tapir_setsockopt(p.t, p.sd, TAPIR_TCP_NODELAY, 1), 0);
	user_sends(&p, 1);
	peer_expects(&p, "P. 1:2(1) ack 1");
	user_sends(&p, 1);
	peer_expects(&p, "P. 2:3(1) ack 1");
	peer_expects_nothing(&p);
}
END_TEST

/* RFC 9293 3.9.1.2 (SHLD-27): successive pushed buffers that wait are packed into one segment with one PSH. */
START_TEST(sends_that_wait_together_leave_in_one_segment)
{
	struct peer p = established(_i);

	user_sends(&p, 10);
	peer_expects(&p, "P. 1:11(10) ack 1");
	user_sends(&p, 20);
	user_sends(&p, 30);
	peer_expects_nothing(&p);
	peer_sends(&p, ". 1:1(0) ack 11");
	peer_expects(&p, "P. 11:61(50) ack 1");
}
END_TEST

Suite *suite(void)
{
	return peer_suite("RFC 9293 3.10.2 SEND", (const TTest *[]){
		a_send_in_closed_is_an_error,
		a_send_in_closed_tells_once_why_the_connection_ended,
		a_send_in_listen_is_an_error,
		a_send_in_syn_sent_is_queued_until_established,
		a_send_in_syn_received_is_queued_until_established,
		a_send_without_space_to_queue_it_is_refused_before_established_too,
		a_send_in_established_is_cut_into_segments_that_acknowledge,
		a_send_in_close_wait_is_cut_into_segments_that_acknowledge,
		a_send_without_space_to_remember_it_is_refused_until_something_is_acknowledged,
		a_send_after_close_is_an_error_in_each_state,
		each_send_is_pushed,
		sends_that_wait_together_leave_in_one_segment,
		NULL
	});
}
