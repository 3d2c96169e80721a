/* test_3_10_7_4_second.c: SEGMENT ARRIVES, other states, second: check the RST bit (RFC 9293 3.10.7.4, RFC 5961 3.2).
 * */
#include "tests/support/peer.h"

static const enum tapir_tcp_state states[] = {
	TAPIR_TCP_SYN_RCVD, TAPIR_TCP_ESTABLISHED, TAPIR_TCP_FIN_WAIT_1, TAPIR_TCP_FIN_WAIT_2, TAPIR_TCP_CLOSE_WAIT,
	TAPIR_TCP_CLOSING, TAPIR_TCP_LAST_ACK, TAPIR_TCP_TIME_WAIT
};
#define COUNT(list) (sizeof list / sizeof list[0])

/* RFC 9293 3.10.7.4 second: 1) the sequence number is outside the receive window: silently drop the segment. In
 * SYN-RECEIVED, ESTABLISHED, FIN-WAIT-1, FIN-WAIT-2, CLOSE-WAIT, CLOSING, LAST-ACK, TIME-WAIT. */
START_TEST(rst_outside_the_window_is_dropped_in_each_state)
{
	for (size_t i = 0; i < COUNT(states); i++) {
		struct peer p = peer_in(states[i], _i);
		int rcv_nxt = (int)p.rcv_nxt;

		peer_sends(&p, "R %d:%d(0)", rcv_nxt - 1, rcv_nxt - 1);
		ck_assert_verdict(&p, DROP_TCP_RST_OUT_OF_WINDOW);
		peer_sends(&p, "R. %d:%d(0) ack %u", rcv_nxt + 65535, rcv_nxt + 65535, p.snd_nxt);
		ck_assert_verdict(&p, DROP_TCP_RST_OUT_OF_WINDOW);
		peer_expects_nothing(&p);
		ck_assert_state(&p, states[i]);
	}
}
END_TEST

/* RFC 9293 3.10.7.4 second: 3) within the window but not RCV.NXT: challenge ACK <SEQ=SND.NXT><ACK=RCV.NXT><CTL=ACK>,
 * drop the segment and stop. In SYN-RECEIVED, ESTABLISHED, FIN-WAIT-1, FIN-WAIT-2, CLOSE-WAIT, CLOSING, LAST-ACK,
 * TIME-WAIT. */
START_TEST(rst_inside_the_window_draws_a_challenge_ack_in_each_state)
{
	for (size_t i = 0; i < COUNT(states); i++) {
		struct peer p = peer_in(states[i], _i);
		uint32_t snd_nxt = p.snd_nxt, rcv_nxt = p.rcv_nxt;
		const uint32_t inside[] = {rcv_nxt + 1, rcv_nxt + 1000, 65535};	/* the window is 1 to 65535 */

		for (size_t k = 0; k < COUNT(inside); k++) {
			peer_sends(&p, "R %u:%u(0)", inside[k], inside[k]);
			ck_assert_verdict(&p, DROP_TCP_RST_CHALLENGE);
			peer_expects(&p, ". %u:%u(0) ack %u", snd_nxt, snd_nxt, rcv_nxt);
			ck_assert_why(&p, "RFC 5961 3.2");
			peer_expects_nothing(&p);
			ck_assert_state(&p, states[i]);
		}
	}
}
END_TEST

/* RFC 5961 7: challenge ACKs are limited, all connections together, and there are new ones a second later, from half of the
 * number to one and a half of it; RFC 9293 3.10.7.4 second. In ESTABLISHED. */
START_TEST(challenge_acks_are_limited)
{
	peer_config()->challenge_acks = 4;
	struct peer p = established(_i);

	for (int second = 0; second < 2; second++) {
		uint32_t answers;

		for (int i = 0; i < 10; i++) {
			peer_sends(&p, "R 51:51(0)");
			ck_assert_verdict(&p, DROP_TCP_RST_CHALLENGE);
		}
		answers = peer_ignores_all(&p);
		ck_assert(answers >= 2 && answers < 6);
		peer_advance(&p, TAPIR_SEC);
	}
	ck_assert_state(&p, TAPIR_TCP_ESTABLISHED);
}
END_TEST

/* RFC 9293 3.10.7.4 second, SYN-RECEIVED: 2) at RCV.NXT, passive OPEN: return to LISTEN; the user need not be
 * informed; the retransmission queue is flushed. */
START_TEST(rst_in_syn_received_from_listen_returns_to_listen)
{
	struct peer p = syn_received(_i);

	peer_sends(&p, "R 1:1(0)");
	ck_assert_states(&p, "LISTEN > SYN-RECEIVED > CLOSED");
	ck_assert_state(&p, TAPIR_TCP_LISTEN);
	ck_assert_int_eq(tapir_poll(p.t, p.listener), 0);
	ck_assert_error(tapir_accept(p.t, p.listener, NULL), TAPIR_EAGAIN);
	ck_assert_uint_eq(peer_usage(&p).conns, 0);
	ck_assert_uint_eq(peer_usage(&p).timers, 0);
	peer_expects_nothing(&p);
	peer_opens(&p);			/* as if nothing had been */
}
END_TEST

/* RFC 9293 3.10.7.4 second, SYN-RECEIVED: active OPEN: signal "connection refused", CLOSED (MUST-11: the connection
 * remembers that it came from an active OPEN). */
START_TEST(rst_in_syn_received_from_syn_sent_refuses_the_connection)
{
	struct peer p = syn_received_active(_i);

	peer_sends(&p, "R 1:1(0)");
	ck_assert_states(&p, "CLOSED > SYN-SENT > SYN-RECEIVED > CLOSED");
	ck_assert_error(user_pending_error(&p), TAPIR_ECONNREFUSED);
	ck_assert_uint_eq(peer_usage(&p).timers, 0);
	peer_expects_nothing(&p);
}
END_TEST

/* RFC 9293 3.10.7.4 second: ESTABLISHED, FIN-WAIT-1, FIN-WAIT-2, CLOSE-WAIT: RECEIVEs and SENDs get "reset", so does a
 * user who has asked nothing; all segment queues are flushed; CLOSED. */
START_TEST(rst_at_rcv_nxt_resets_the_connection_in_each_state_with_half_a_connection_open)
{
	static const enum tapir_tcp_state half_open[] = {
		TAPIR_TCP_ESTABLISHED, TAPIR_TCP_FIN_WAIT_1, TAPIR_TCP_FIN_WAIT_2, TAPIR_TCP_CLOSE_WAIT
	};

	for (size_t i = 0; i < COUNT(half_open); i++) {
		struct peer p = peer_in(half_open[i], _i);

		peer_sends(&p, "R %u:%u(0)", p.rcv_nxt, p.rcv_nxt);
		ck_assert_state(&p, TAPIR_TCP_CLOSED);
		ck_assert_int_eq(tapir_poll(p.t, p.sd) & (TAPIR_POLLERR | TAPIR_POLLHUP), TAPIR_POLLERR | TAPIR_POLLHUP);
		if (half_open[i] != TAPIR_TCP_CLOSE_WAIT)	/* there the end of file comes first */
			ck_assert_error(user_recv_result(&p), TAPIR_ECONNRESET);
		else
			ck_assert_error(user_send_result(&p, 1), TAPIR_ECONNRESET);
		ck_assert_uint_eq(peer_usage(&p).timers, 0);
		peer_expects_nothing(&p);
	}
}
END_TEST

/* RFC 9293 3.10.7.4 second: ESTABLISHED: all segment queues are flushed: what was sent and not acknowledged, what was
 * never sent, and what had arrived out of order. */
START_TEST(rst_flushes_the_queues_in_established)
{
	struct peer p = established(_i);

	peer_sends(&p, "P. 101:201(100) ack 1");
	peer_expects(&p, ". 1:1(0) ack 1");
	p.win = 2000;
	peer_sends(&p, ". 1:1(0) ack 1");
	user_sends(&p, 10000);
	ck_assert_uint_ge(peer_ignores_all(&p), 1);
	peer_sends(&p, "R 1:1(0)");
	ck_assert_state(&p, TAPIR_TCP_CLOSED);
	ck_assert_uint_eq(peer_usage(&p).small_frames, 0);
	ck_assert_uint_eq(peer_usage(&p).timers, 0);
	peer_expects_nothing(&p);
}
END_TEST

/* RFC 9293 3.10.7.4 second: ESTABLISHED, not yet accepted: the user never hears of it, or accepts what is left of it.
 * */
START_TEST(rst_before_accept_leaves_nothing_to_accept)
{
	struct peer p = listening(_i);

	peer_opens(&p);
	peer_sends(&p, "R 1:1(0)");
	ck_assert_error(tapir_accept(p.t, p.listener, NULL), TAPIR_EAGAIN);
	ck_assert_uint_eq(peer_usage(&p).conns, 0);
}
END_TEST

/* RFC 9293 3.10.7.4 second: CLOSING, LAST-ACK, TIME-WAIT: CLOSED; both sides had closed, so it is not an error. */
START_TEST(rst_in_closing_last_ack_or_time_wait_ends_the_connection)
{
	static const enum tapir_tcp_state ending[] = {TAPIR_TCP_CLOSING, TAPIR_TCP_LAST_ACK, TAPIR_TCP_TIME_WAIT};

	peer_config()->rfc1337 = false;
	for (size_t i = 0; i < COUNT(ending); i++) {
		struct peer p = peer_in(ending[i], _i);

		peer_sends(&p, "R %u:%u(0)", p.rcv_nxt, p.rcv_nxt);
		ck_assert_state(&p, TAPIR_TCP_CLOSED);
		ck_assert_int_eq(user_pending_error(&p), 0);
		ck_assert_uint_eq(peer_usage(&p).timers, 0);
		ck_assert_uint_eq(peer_usage(&p).time_wait, 0);
		peer_expects_nothing(&p);
	}
}
END_TEST

/* RFC 9293 3.5.3 (SHLD-2): a RST may carry text; it is a RST all the same. In ESTABLISHED. */
START_TEST(rst_with_text_resets)
{
	struct peer p = established(_i);

	peer_sends(&p, "R. 1:21(20) ack 1");
	ck_assert_state(&p, TAPIR_TCP_CLOSED);
	ck_assert_error(user_recv_result(&p), TAPIR_ECONNRESET);
	peer_expects_nothing(&p);
}
END_TEST

Suite *suite(void)
{
	return peer_suite("RFC 9293 3.10.7.4 second", (const TTest *[]){
		rst_outside_the_window_is_dropped_in_each_state,
		rst_inside_the_window_draws_a_challenge_ack_in_each_state,
		challenge_acks_are_limited,
		rst_in_syn_received_from_listen_returns_to_listen,
		rst_in_syn_received_from_syn_sent_refuses_the_connection,
		rst_at_rcv_nxt_resets_the_connection_in_each_state_with_half_a_connection_open,
		rst_flushes_the_queues_in_established,
		rst_before_accept_leaves_nothing_to_accept,
		rst_in_closing_last_ack_or_time_wait_ends_the_connection,
		rst_with_text_resets,
		NULL
	});
}
