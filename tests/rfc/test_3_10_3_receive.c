/* test_3_10_3_receive.c: the RECEIVE call (RFC 9293 3.10.3, 3.9.1.3) in each state, as tapir_recv and tapir_recv_peek.
 * A call never waits: "queue the request" is TAPIR_EAGAIN, and tapir_poll says when to call again. */
#include "tests/support/peer.h"

#define COUNT(list) (sizeof list / sizeof list[0])

static bool is_readable(const struct peer *p) { return tapir_poll(p->t, p->sd) & TAPIR_POLLIN; }

/* RFC 9293 3.10.3: CLOSED: no such connection for this process, or none at all. */
START_TEST(a_receive_in_closed_is_an_error)
{
	struct peer p = closed(_i);
	struct span span;

	p.sd = tapir_socket(p.t, TAPIR_SOCK_STREAM);
	ck_assert_error(user_recv_result(&p), TAPIR_ENOTCONN);
	ck_assert_error(tapir_recv_peek(p.t, p.sd, &span, 1), TAPIR_ENOTCONN);
	ck_assert_error(tapir_close(p.t, p.sd), 0);
	ck_assert_error(user_recv_result(&p), TAPIR_EBADF);
	ck_assert_error(tapir_recv_peek(p.t, p.sd, &span, 1), TAPIR_EBADF);
	p.sd = -1;
}
END_TEST

/* RFC 9293 3.10.3: CLOSED, after a reset: what had arrived in order can still be read, then the error is told, once. */
START_TEST(a_receive_in_closed_gives_what_had_arrived_and_then_the_error)
{
	struct peer p = established(_i);

	peer_sends(&p, "P. 1:11(10) ack 1");
	peer_expects(&p, ". 1:1(0) ack 11");
	peer_sends(&p, "R 11:11(0)");
	ck_assert_state(&p, TAPIR_TCP_CLOSED);
	user_reads(&p, 10);
	ck_assert_error(user_recv_result(&p), TAPIR_ECONNRESET);
	user_reads_end(&p);
}
END_TEST

/* RFC 9293 3.10.3: LISTEN: no connection can be read from here; the ones that arrive are taken by accept(). */
START_TEST(a_receive_in_listen_is_an_error)
{
	struct peer p = listening(_i);
	uint8_t byte;

	ck_assert_error(tapir_recv(p.t, p.listener, &byte, 1), TAPIR_ENOTCONN);
	ck_assert_error(tapir_accept(p.t, p.listener, NULL), TAPIR_EAGAIN);
}
END_TEST

/* RFC 9293 3.10.3: SYN-SENT, SYN-RECEIVED: queue for processing after entering ESTABLISHED state. */
START_TEST(a_receive_in_syn_sent_or_syn_received_waits_for_established)
{
	struct peer p = syn_sent(_i);

	ck_assert_error(user_recv_result(&p), TAPIR_EAGAIN);
	ck_assert(!is_readable(&p));
	peer_sends(&p, "S 0:0(0) <mss 1460>");
	peer_expects(&p, "S. 0:0(0) ack 1");
	ck_assert_state(&p, TAPIR_TCP_SYN_RCVD);
	ck_assert_error(user_recv_result(&p), TAPIR_EAGAIN);
	ck_assert(!is_readable(&p));
	peer_sends(&p, "P. 1:6(5) ack 1");
	ck_assert(is_readable(&p));
	user_reads(&p, 5);
	peer_expects(&p, ". 1:1(0) ack 6");
}
END_TEST

static const enum tapir_tcp_state receiving[] = {TAPIR_TCP_ESTABLISHED, TAPIR_TCP_FIN_WAIT_1, TAPIR_TCP_FIN_WAIT_2};

/* RFC 9293 3.10.3: ESTABLISHED, FIN-WAIT-1, FIN-WAIT-2: insufficient incoming segments are queued: queue the request;
 * when they come they are returned to the user, and acknowledged. */
START_TEST(a_receive_waits_for_text_in_each_state_that_receives)
{
	for (size_t i = 0; i < COUNT(receiving); i++) {
		struct peer p = peer_in(receiving[i], _i);

		ck_assert_error(user_recv_result(&p), TAPIR_EAGAIN);
		ck_assert(!is_readable(&p));
		peer_sends(&p, "P. 1:11(10) ack 1");
		peer_expects(&p, ". %u:%u(0) ack 11", p.snd_nxt, p.snd_nxt);
		ck_assert(is_readable(&p));
		user_reads(&p, 10);
		ck_assert_error(user_recv_result(&p), TAPIR_EAGAIN);
		ck_assert_state(&p, receiving[i]);
	}
}
END_TEST

/* RFC 9293 3.10.3: ESTABLISHED, FIN-WAIT-1, FIN-WAIT-2: reassemble queued incoming segments into the receive buffer. */
START_TEST(a_receive_reassembles_segments_in_each_state_that_receives)
{
	for (size_t i = 0; i < COUNT(receiving); i++) {
		struct peer p = peer_in(receiving[i], _i);

		uint32_t nxt = p.snd_nxt;

		peer_sends(&p, "P. 21:31(10) ack 1");
		peer_expects(&p, ". %u:%u(0) ack 1", nxt, nxt);
		peer_sends(&p, "P. 6:16(10) ack 1");
		peer_expects(&p, ". %u:%u(0) ack 1", nxt, nxt);
		ck_assert_error(user_recv_result(&p), TAPIR_EAGAIN);
		ck_assert(!is_readable(&p));
		peer_sends(&p, "P. 1:11(10) ack 1");
		peer_expects(&p, ". %u:%u(0) ack 16", nxt, nxt);
		user_reads(&p, 15);
		peer_sends(&p, "P. 11:31(20) ack 1");
		peer_expects(&p, ". %u:%u(0) ack 31", nxt, nxt);
		user_reads(&p, 15);
	}
}
END_TEST

/* RFC 9293 3.10.3: ESTABLISHED: a RECEIVE takes what fits and leaves the rest; so does one that only looks. */
START_TEST(a_receive_takes_part_of_the_text_and_the_rest_stays)
{
	struct peer p = established(_i);
	struct span spans[4];
	uint8_t text[64];

	peer_sends(&p, "P. 1:101(100) ack 1");
	peer_expects(&p, ". 1:1(0) ack 101");
	ck_assert_error(tapir_recv(p.t, p.sd, text, 60), 60);
	ck_assert_uint_eq(text[59], stream_byte(60));
	ck_assert_error(tapir_recv_peek(p.t, p.sd, spans, 4), 1);
	ck_assert_uint_eq(spans[0].n, 40);
	ck_assert_uint_eq(spans[0].p[0], stream_byte(61));
	ck_assert_error(tapir_recv_consume(p.t, p.sd, 41), TAPIR_EINVAL);
	ck_assert_error(tapir_recv_consume(p.t, p.sd, 30), 0);
	p.received = 90;
	user_reads(&p, 10);
}
END_TEST

/* RFC 9293 3.10.3: ESTABLISHED: RCV.UP is in advance of the data passed to the user: notify the user, until the text
 * up to it is read. */
START_TEST(a_receive_before_the_urgent_pointer_is_told_of_urgent_text_in_each_state_that_receives)
{
	for (size_t i = 0; i < COUNT(receiving); i++) {
		struct peer p = peer_in(receiving[i], _i);

		peer_sends(&p, "P.U 1:11(10) ack 1 urg 8");
		peer_expects(&p, ". %u:%u(0) ack 11", p.snd_nxt, p.snd_nxt);
		ck_assert_int_ne(tapir_poll(p.t, p.sd) & TAPIR_POLLPRI, 0);
		ck_assert_error(user_recv_result(&p), 1);
		ck_assert_int_ne(tapir_poll(p.t, p.sd) & TAPIR_POLLPRI, 0);
		user_reads(&p, 9);
		ck_assert_int_eq(tapir_poll(p.t, p.sd) & TAPIR_POLLPRI, 0);
	}
}
END_TEST

/* RFC 9293 3.10.3: ESTABLISHED: taking responsibility for the data is told to the sender by an acknowledgment, which
 * tells the new window too once it has opened (3.8.6.2.2). */
START_TEST(a_receive_that_opens_a_closed_window_is_told_to_the_sender)
{
	peer_config()->rcvbuf = 2000;
	struct peer p = established(_i);

	peer_sends(&p, ". 1:1001(1000) ack 1");
	peer_expects(&p, ". 1:1(0) ack 1001 win 1000");
	peer_sends(&p, ". 1001:2001(1000) ack 1");
	peer_expects(&p, ". 1:1(0) ack 2001 win 0");
	user_reads(&p, 2000);
	peer_expects(&p, ". 1:1(0) ack 2001 win 2000");
	peer_expects_nothing(&p);
}
END_TEST

/* RFC 9293 3.10.3: CLOSE-WAIT: RECEIVEs are satisfied by data already on hand; then "connection closing", which is
 * POSIX's end of file. */
START_TEST(a_receive_in_close_wait_gets_what_is_on_hand_and_then_the_end)
{
	struct peer p = established(_i);

	peer_sends(&p, "FP. 1:11(10) ack 1");
	peer_expects(&p, ". 1:1(0) ack 12");
	ck_assert_state(&p, TAPIR_TCP_CLOSE_WAIT);
	ck_assert_int_eq(tapir_poll(p.t, p.sd), TAPIR_POLLIN | TAPIR_POLLOUT | TAPIR_POLLRDHUP);
	user_reads(&p, 10);
	ck_assert(is_readable(&p));
	user_reads_end(&p);
	user_reads_end(&p);
	ck_assert_int_eq(user_pending_error(&p), 0);
}
END_TEST

/* RFC 9293 3.10.3: CLOSING, LAST-ACK, TIME-WAIT: "connection closing". */
START_TEST(a_receive_in_closing_last_ack_or_time_wait_gets_the_end)
{
	static const enum tapir_tcp_state ending[] = {TAPIR_TCP_CLOSING, TAPIR_TCP_LAST_ACK, TAPIR_TCP_TIME_WAIT};

	for (size_t i = 0; i < COUNT(ending); i++) {
		struct peer p = peer_in(ending[i], _i);
		struct span span;

		ck_assert(is_readable(&p));
		user_reads_end(&p);
		ck_assert_error(tapir_recv_peek(p.t, p.sd, &span, 1), 0);
		ck_assert_state(&p, ending[i]);
	}
}
END_TEST

/* RFC 9293 3.10.3: CLOSING, LAST-ACK, TIME-WAIT: text that was acknowledged before the FIN is not lost to a user that
 * half closed: it is read first. */
START_TEST(text_on_hand_is_read_before_the_end_in_closing_last_ack_and_time_wait)
{
	struct peer p = fin_wait_1(_i);

	peer_sends(&p, "FP. 1:11(10) ack 1");
	peer_expects(&p, ". 2:2(0) ack 12");
	ck_assert_state(&p, TAPIR_TCP_CLOSING);
	user_reads(&p, 10);
	user_reads_end(&p);

	p = established(_i);
	peer_sends(&p, "FP. 1:11(10) ack 1");
	peer_expects(&p, ". 1:1(0) ack 12");
	user_shuts_down(&p);
	peer_expects(&p, "F. 1:1(0) ack 12");
	ck_assert_state(&p, TAPIR_TCP_LAST_ACK);
	user_reads(&p, 10);
	user_reads_end(&p);

	p = fin_wait_2(_i);
	peer_sends(&p, "FP. 1:11(10) ack 2");
	peer_expects(&p, ". 2:2(0) ack 12");
	ck_assert_state(&p, TAPIR_TCP_TIME_WAIT);
	user_reads(&p, 10);
	user_reads_end(&p);
}
END_TEST

Suite *suite(void)
{
	return peer_suite("RFC 9293 3.10.3 RECEIVE", (const TTest *[]){
		a_receive_in_closed_is_an_error,
		a_receive_in_closed_gives_what_had_arrived_and_then_the_error,
		a_receive_in_listen_is_an_error,
		a_receive_in_syn_sent_or_syn_received_waits_for_established,
		a_receive_waits_for_text_in_each_state_that_receives,
		a_receive_reassembles_segments_in_each_state_that_receives,
		a_receive_takes_part_of_the_text_and_the_rest_stays,
		a_receive_before_the_urgent_pointer_is_told_of_urgent_text_in_each_state_that_receives,
		a_receive_that_opens_a_closed_window_is_told_to_the_sender,
		a_receive_in_close_wait_gets_what_is_on_hand_and_then_the_end,
		a_receive_in_closing_last_ack_or_time_wait_gets_the_end,
		text_on_hand_is_read_before_the_end_in_closing_last_ack_and_time_wait,
		NULL
	});
}
