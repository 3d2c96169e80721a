/* test_3_10_7_4_eighth.c: SEGMENT ARRIVES, other states, eighth: check the FIN bit (RFC 9293 3.10.7.4). */
#include "tests/support/peer.h"

/* RFC 9293 3.10.7.4 eighth: do not process the FIN if the state is CLOSED, LISTEN or SYN-SENT: drop the segment and
 * return. */
START_TEST(a_fin_in_closed_listen_or_syn_sent_is_not_processed)
{
	struct peer p = closed(_i);

	peer_sends(&p, "F 0:0(0)");
	ck_assert_verdict(&p, DROP_TCP_CLOSED);
	peer_expects(&p, "R. %d:%d(0) ack 1", peer_zero(&p), peer_zero(&p));
	p = listening(_i);
	peer_sends(&p, "F 0:0(0)");
	ck_assert_verdict(&p, DROP_TCP_LISTEN_NO_SYN);
	ck_assert_state(&p, TAPIR_TCP_LISTEN);
	p = syn_sent(_i);
	peer_sends(&p, "F. 0:0(0) ack 1");
	ck_assert_verdict(&p, DROP_TCP_SYN_SENT_NO_SYN);
	ck_assert_state(&p, TAPIR_TCP_SYN_SENT);
	peer_expects_nothing(&p);
}
END_TEST

/* RFC 9293 3.10.7.4 eighth: signal the user "connection closing", return pending RECEIVEs with it, advance RCV.NXT
 * over the FIN, and acknowledge it. FIN implies PUSH for the text before it. ESTABLISHED: enter CLOSE-WAIT. */
START_TEST(a_fin_in_established_is_acknowledged_and_enters_close_wait)
{
	struct peer p = established(_i);
	struct tapir_poll_event event;

	ck_assert_error(user_recv_result(&p), TAPIR_EAGAIN);
	while (tapir_poll_events(p.t, &event, 1))
		;
	peer_sends(&p, "F. 1:1(0) ack 1");
	peer_expects(&p, ". 1:1(0) ack 2");
	peer_expects_nothing(&p);
	ck_assert_states(&p, "LISTEN > SYN-RECEIVED > ESTABLISHED > CLOSE-WAIT");
	ck_assert_int_eq(tapir_poll_events(p.t, &event, 1), 1);
	ck_assert_int_eq(event.ready, TAPIR_POLLIN | TAPIR_POLLOUT | TAPIR_POLLRDHUP);
	user_reads_end(&p);

	p = established(_i);
	peer_sends(&p, "F. 1:101(100) ack 1");
	peer_expects(&p, ". 1:1(0) ack 102");
	user_reads(&p, 100);
	user_reads_end(&p);
}
END_TEST

/* RFC 9293 3.10.7.4 eighth: SYN-RECEIVED: enter CLOSE-WAIT: the FIN's segment acknowledges our SYN too. */
START_TEST(a_fin_in_syn_received_enters_close_wait)
{
	struct peer p = syn_received(_i);

	peer_sends(&p, "F. 1:1(0) ack 1");
	peer_expects(&p, ". 1:1(0) ack 2");
	ck_assert_states(&p, "LISTEN > SYN-RECEIVED > ESTABLISHED > CLOSE-WAIT");
	user_accepts(&p);
	user_reads_end(&p);

	p = syn_received_active(_i);
	peer_sends(&p, "FP. 1:11(10) ack 1");
	peer_expects(&p, ". 1:1(0) ack 12");
	ck_assert_states(&p, "CLOSED > SYN-SENT > SYN-RECEIVED > ESTABLISHED > CLOSE-WAIT");
	user_reads(&p, 10);
	user_reads_end(&p);
}
END_TEST

/* RFC 9293 3.10.7.4 eighth: FIN-WAIT-1: our FIN has been ACKed in this segment: TIME-WAIT, start the time-wait timer,
 * turn off the other timers. */
START_TEST(a_fin_that_acknowledges_ours_in_fin_wait_1_enters_time_wait)
{
	struct peer p = fin_wait_1(_i);

	peer_sends(&p, "F. 1:1(0) ack 2");
	peer_expects(&p, ". 2:2(0) ack 2");
	ck_assert_states(&p, "LISTEN > SYN-RECEIVED > ESTABLISHED > FIN-WAIT-1 > FIN-WAIT-2 > TIME-WAIT");
	ck_assert_uint_eq(peer_usage(&p).timers, 1);
	ck_assert_uint_eq(peer_until_timer(&p), 60 * TAPIR_SEC);
	ck_assert_state(&p, TAPIR_TCP_CLOSED);
	peer_expects_nothing(&p);
}
END_TEST

/* RFC 9293 3.10.7.4 eighth: FIN-WAIT-1: otherwise, enter CLOSING. Our FIN stays on the retransmission queue. */
START_TEST(a_fin_that_does_not_acknowledge_ours_in_fin_wait_1_enters_closing)
{
	struct peer p = fin_wait_1(_i);

	peer_sends(&p, "F. 1:1(0) ack 1");
	peer_expects(&p, ". 2:2(0) ack 2");
	ck_assert_states(&p, "LISTEN > SYN-RECEIVED > ESTABLISHED > FIN-WAIT-1 > CLOSING");
	peer_until_timer(&p);
	peer_expects(&p, "F. 1:1(0) ack 2");
	peer_sends(&p, ". 2:2(0) ack 2");
	ck_assert_state(&p, TAPIR_TCP_TIME_WAIT);
}
END_TEST

/* RFC 9293 3.10.7.4 eighth: FIN-WAIT-2: TIME-WAIT; start the time-wait timer, turn off the other timers: the orphan's
 * and keep-alive too. */
START_TEST(a_fin_in_fin_wait_2_enters_time_wait_and_only_its_timer_runs)
{
	struct peer p = fin_wait_2(_i);

	ck_assert_error(tapir_setsockopt(p.t, p.sd, TAPIR_SO_KEEPALIVE, 1), 0);
	user_closes(&p);
	peer_advance(&p, 59 * TAPIR_SEC);
	peer_sends(&p, "F. 1:1(0) ack 2");
	peer_expects(&p, ". 2:2(0) ack 2");
	ck_assert_state(&p, TAPIR_TCP_TIME_WAIT);
	peer_advance(&p, 60 * TAPIR_SEC - 1);
	ck_assert_state(&p, TAPIR_TCP_TIME_WAIT);
	peer_expects_nothing(&p);
	peer_advance(&p, 1);
	ck_assert_state(&p, TAPIR_TCP_CLOSED);
	ck_assert_uint_eq(peer_usage(&p).timers, 0);
}
END_TEST

/* RFC 9293 3.10.7.4 eighth: CLOSE-WAIT, CLOSING, LAST-ACK, TIME-WAIT: the FIN again, because our ACK was lost: it is
 * acknowledged again, and the state remains. */
START_TEST(a_fin_again_is_acknowledged_again_in_each_state)
{
	static const enum tapir_tcp_state ended[] = {
		TAPIR_TCP_CLOSE_WAIT, TAPIR_TCP_CLOSING, TAPIR_TCP_LAST_ACK, TAPIR_TCP_TIME_WAIT
	};

	for (size_t i = 0; i < sizeof ended / sizeof ended[0]; i++) {
		struct peer p = peer_in(ended[i], _i);
		uint32_t nxt = p.snd_nxt;

		for (int k = 0; k < 3; k++) {
			peer_sends(&p, "F. 1:1(0) ack 1");
			peer_expects(&p, ". %u:%u(0) ack 2", nxt, nxt);
		}
		peer_expects_nothing(&p);
		ck_assert_state(&p, ended[i]);
	}
}
END_TEST

/* RFC 9293 3.10.7.4 eighth: CLOSE-WAIT, CLOSING, LAST-ACK, TIME-WAIT: a second FIN, beyond the first, changes nothing:
 * the state remains, and RCV.NXT with it. */
START_TEST(a_second_fin_beyond_the_first_changes_nothing_in_each_state)
{
	static const enum tapir_tcp_state ended[] = {
		TAPIR_TCP_CLOSE_WAIT, TAPIR_TCP_CLOSING, TAPIR_TCP_LAST_ACK, TAPIR_TCP_TIME_WAIT
	};

	for (size_t i = 0; i < sizeof ended / sizeof ended[0]; i++) {
		struct peer p = peer_in(ended[i], _i);

		peer_sends(&p, "F. 2:2(0) ack 1");
		peer_sends(&p, "FP. 2:12(10) ack 1");
		peer_ignores_all(&p);
		ck_assert_uint_eq(p.rcv_nxt, 2);
		ck_assert_state(&p, ended[i]);
		user_reads_end(&p);
	}
}
END_TEST

/* RFC 9293 3.10.7.4 eighth: TIME-WAIT: remain, and restart the 2 MSL timeout. MSL is the configured one. */
START_TEST(a_fin_again_in_time_wait_restarts_two_msl)
{
	peer_config()->msl_us = 5 * TAPIR_SEC;
	struct peer p = time_wait(_i);

	peer_advance(&p, 9 * TAPIR_SEC);
	peer_sends(&p, "F. 1:1(0) ack 2");
	peer_expects(&p, ". 2:2(0) ack 2");
	peer_advance(&p, 10 * TAPIR_SEC - 1);
	ck_assert_state(&p, TAPIR_TCP_TIME_WAIT);
	peer_advance(&p, 1);
	ck_assert_state(&p, TAPIR_TCP_CLOSED);
}
END_TEST

Suite *suite(void)
{
	return peer_suite("RFC 9293 3.10.7.4 eighth", (const TTest *[]){
		a_fin_in_closed_listen_or_syn_sent_is_not_processed,
		a_fin_in_established_is_acknowledged_and_enters_close_wait,
		a_fin_in_syn_received_enters_close_wait,
		a_fin_that_acknowledges_ours_in_fin_wait_1_enters_time_wait,
		a_fin_that_does_not_acknowledge_ours_in_fin_wait_1_enters_closing,
		a_fin_in_fin_wait_2_enters_time_wait_and_only_its_timer_runs,
		a_fin_again_is_acknowledged_again_in_each_state,
		a_second_fin_beyond_the_first_changes_nothing_in_each_state,
		a_fin_again_in_time_wait_restarts_two_msl,
		NULL
	});
}
