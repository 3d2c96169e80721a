/* test_3_10_7_4_eighth.c: the FIN bit in each state (RFC 9293 3.10.7.4 eighth): who is told, what is acknowledged, where
 * the connection goes. */
#include "tests/support/peer.h"

/* The user hears that the peer is done: readable, and nothing left to read. */
static void told_the_end(struct peer *p)
{
	ck_assert_int_eq(tapir_poll(p->t, p->sd) & (TAPIR_POLLIN | TAPIR_POLLRDHUP), TAPIR_POLLIN | TAPIR_POLLRDHUP);
	user_reads_end(p);
}

/* ---- states without a sequence number to check ------------------------------------------------------------------- */

/* RFC 9293 3.10.7.4 eighth: "do not process the FIN if the state is CLOSED, LISTEN, or SYN-SENT": the segment is dropped. */
START_TEST(fin_in_closed_listen_and_syn_sent_is_not_processed)
{
	struct peer p = closed(_i);

	peer_sends(&p, "F. 1:1(0) ack 7");
	ck_assert_verdict(&p, DROP_TCP_CLOSED);
	peer_expects(&p, "R 7:7(0)");
	p = listening(_i);
	peer_sends(&p, "F 1:1(0)");
	ck_assert_verdict(&p, DROP_TCP_LISTEN_NO_SYN);
	ck_assert_state(&p, TAPIR_TCP_LISTEN);
	p = syn_sent(_i);
	peer_sends(&p, "F 1:1(0)");
	ck_assert_verdict(&p, DROP_TCP_SYN_SENT_NO_SYN);
	peer_sends(&p, "F. 1:1(0) ack 1");
	ck_assert_verdict(&p, DROP_TCP_SYN_SENT_NO_SYN);
	ck_assert_state(&p, TAPIR_TCP_SYN_SENT);
	peer_expects_nothing(&p);
}
END_TEST

/* RFC 9293 3.10.7.4 eighth, by way of 3.10.7.3 fourth: SYN-SENT, <SYN,ACK,FIN>: the connection is ESTABLISHED when the
 * eighth step sees the FIN, so it goes on to CLOSE-WAIT. One ACK for both. */
START_TEST(fin_with_the_syn_ack_leads_to_close_wait)
{
	struct peer p = syn_sent(_i);

	peer_sends(&p, "SF. 0:0(0) ack 1");
	ck_assert_states(&p, "CLOSED > SYN-SENT > ESTABLISHED > CLOSE-WAIT");
	peer_expects(&p, ". 1:1(0) ack 2");
	peer_expects_nothing(&p);
	told_the_end(&p);
}
END_TEST

/* ---- the arrows -------------------------------------------------------------------------------------------------- */

/* RFC 9293 3.10.7.4 eighth: SYN-RECEIVED: CLOSE-WAIT, by way of ESTABLISHED, which the fifth step enters for the same
 * segment. The program that accepts finds the end. */
START_TEST(fin_in_syn_received_leads_to_close_wait)
{
	struct peer p = syn_received(_i);

	peer_sends(&p, "F. 1:1(0) ack 1");
	ck_assert_states(&p, "LISTEN > SYN-RECEIVED > ESTABLISHED > CLOSE-WAIT");
	peer_expects(&p, ". 1:1(0) ack 2");
	user_accepts(&p);
	told_the_end(&p);
}
END_TEST

/* RFC 9293 3.10.7.4 eighth: ESTABLISHED: CLOSE-WAIT; RCV.NXT goes over the FIN, it is acknowledged, the user is told. We may
 * still send. */
START_TEST(fin_in_established_leads_to_close_wait)
{
	struct peer p = established(_i);

	ck_assert_int_eq(tapir_poll(p.t, p.sd) & (TAPIR_POLLIN | TAPIR_POLLRDHUP), 0);
	peer_sends(&p, "F. 1:1(0) ack 1");
	ck_assert_verdict(&p, ACCEPT);
	ck_assert_state(&p, TAPIR_TCP_CLOSE_WAIT);
	peer_expects(&p, ". 1:1(0) ack 2");
	ck_assert_why(&p, "eighth");
	peer_expects_nothing(&p);
	told_the_end(&p);
	user_sends(&p, 10);
	peer_expects(&p, "P. 1:11(10) ack 2");
}
END_TEST

/* RFC 9293 3.10.7.4 eighth: "FIN implies PUSH for any segment text not yet delivered": ESTABLISHED: text with the FIN, and one
 * ACK for both. */
START_TEST(fin_behind_text_is_acknowledged_with_it_and_pushes_it)
{
	struct peer p = established(_i);

	peer_sends(&p, ". 1:11(10) ack 1");
	peer_sends(&p, "F. 11:21(10) ack 1");
	peer_expects(&p, ". 1:1(0) ack 22");
	peer_expects_nothing(&p);
	ck_assert_state(&p, TAPIR_TCP_CLOSE_WAIT);
	user_reads(&p, 20);
	told_the_end(&p);
}
END_TEST

/* RFC 9293 3.10.7.4 eighth: FIN-WAIT-1, our FIN is not acknowledged: CLOSING. */
START_TEST(fin_in_fin_wait_1_leads_to_closing)
{
	struct peer p = fin_wait_1(_i);

	peer_sends(&p, "FP. 1:11(10) ack 1");
	ck_assert_state(&p, TAPIR_TCP_CLOSING);
	peer_expects(&p, ". 2:2(0) ack 12");
	user_reads(&p, 10);
	told_the_end(&p);
}
END_TEST

/* RFC 9293 3.10.7.4 eighth: FIN-WAIT-1, "if our FIN has been ACKed (perhaps in this segment)": TIME-WAIT. */
START_TEST(fin_in_fin_wait_1_with_the_ack_of_ours_leads_to_time_wait)
{
	struct peer p = fin_wait_1(_i);

	peer_sends(&p, "FP. 1:11(10) ack 2");
	ck_assert_state(&p, TAPIR_TCP_TIME_WAIT);
	peer_expects(&p, ". 2:2(0) ack 12");
	user_reads(&p, 10);
	told_the_end(&p);
}
END_TEST

/* RFC 9293 3.10.7.4 eighth: FIN-WAIT-2: TIME-WAIT. */
START_TEST(fin_in_fin_wait_2_leads_to_time_wait)
{
	struct peer p = fin_wait_2(_i);

	peer_sends(&p, "FP. 1:11(10) ack 2");
	ck_assert_state(&p, TAPIR_TCP_TIME_WAIT);
	peer_expects(&p, ". 2:2(0) ack 12");
	user_reads(&p, 10);
	told_the_end(&p);
}
END_TEST

/* RFC 9293 3.10.7.4 eighth: FIN-WAIT-1, FIN-WAIT-2, and then TIME-WAIT: "start the time-wait timer, turn off the other
 * timers": no retransmission, keep-alive or orphan's wait goes on. */
START_TEST(fin_that_leads_to_time_wait_turns_off_the_other_timers)
{
	for (int half_closed = 0; half_closed < 2; half_closed++) {
		struct peer p;

		peer_config()->keepalive_idle_us = peer_config()->fin_wait_2_us = TAPIR_SEC;
		p = established(_i);
		ck_assert_error(tapir_setsockopt(p.t, p.sd, TAPIR_SO_KEEPALIVE, 1), 0);
		user_closes(&p);
		peer_expects(&p, "F. 1:1(0) ack 1");
		if (half_closed)
			peer_sends(&p, ". 1:1(0) ack 2");
		peer_sends(&p, "F. 1:1(0) ack 2");
		peer_expects(&p, ". 2:2(0) ack 2");
		peer_advance(&p, 2 * peer_config()->msl_us - 1);
		peer_expects_nothing(&p);
		ck_assert_state(&p, TAPIR_TCP_TIME_WAIT);
		peer_advance(&p, 1);
		ck_assert_state(&p, TAPIR_TCP_CLOSED);
	}
}
END_TEST

/* ---- remain ------------------------------------------------------------------------------------------------------ */

static const enum tapir_tcp_state after_fin[] = {
	TAPIR_TCP_CLOSE_WAIT, TAPIR_TCP_CLOSING, TAPIR_TCP_LAST_ACK, TAPIR_TCP_TIME_WAIT
};
#define AFTER_FIN (sizeof after_fin / sizeof after_fin[0])

/* RFC 9293 3.10.7.4 eighth: CLOSE-WAIT, CLOSING, LAST-ACK, TIME-WAIT: remain. The same FIN again means that our ACK was lost:
 * it is sent again. */
START_TEST(fin_again_is_acknowledged_again)
{
	for (size_t i = 0; i < AFTER_FIN; i++) {
		struct peer p = peer_in(after_fin[i], _i);
		uint32_t ours = p.snd_nxt, acked = after_fin[i] == TAPIR_TCP_TIME_WAIT ? 2 : 1;

		for (int again = 0; again < 2; again++) {
			peer_sends(&p, "F. 1:1(0) ack %u", acked);
			peer_expects(&p, ". %u:%u(0) ack 2", ours, ours);
			peer_expects_nothing(&p);
			ck_assert_state(&p, after_fin[i]);
		}
	}
}
END_TEST

/* RFC 9293 3.10.7.4 eighth: CLOSE-WAIT, CLOSING, LAST-ACK, TIME-WAIT: remain. A second FIN behind the first, which cannot be,
 * moves nothing: RCV.NXT stays. */
START_TEST(fin_behind_the_fin_is_ignored)
{
	for (size_t i = 0; i < AFTER_FIN; i++) {
		struct peer p = peer_in(after_fin[i], _i);
		uint32_t ours = p.snd_nxt, acked = after_fin[i] == TAPIR_TCP_TIME_WAIT ? 2 : 1;

		peer_sends(&p, "F. 2:2(0) ack %u", acked);
		peer_sends(&p, "FP. 2:12(10) ack %u", acked);
		peer_ignores_all(&p);
		ck_assert_state(&p, after_fin[i]);
		peer_sends(&p, "F. 1:1(0) ack %u", acked);
		peer_expects(&p, ". %u:%u(0) ack 2", ours, ours);
		user_reads_end(&p);
	}
}
END_TEST

/* RFC 9293 3.10.7.4 eighth: TIME-WAIT: "restart the 2 MSL time-wait timeout", as often as the FIN comes again. */
START_TEST(fin_in_time_wait_restarts_2_msl)
{
	struct peer p = time_wait(_i);
	usec_t two_msl = 2 * peer_config()->msl_us;

	for (int again = 0; again < 3; again++) {
		peer_advance(&p, two_msl - 1);
		ck_assert_state(&p, TAPIR_TCP_TIME_WAIT);
		peer_sends(&p, "F. 1:1(0) ack 2");
		peer_expects(&p, ". 2:2(0) ack 2");
	}
	peer_advance(&p, two_msl - 1);
	ck_assert_state(&p, TAPIR_TCP_TIME_WAIT);
	peer_advance(&p, 1);
	ck_assert_state(&p, TAPIR_TCP_CLOSED);
}
END_TEST

/* RFC 9293 3.10.7.4 eighth: TIME-WAIT: only the FIN restarts 2 MSL, no other old segment does. */
START_TEST(text_in_time_wait_does_not_restart_2_msl)
{
	struct peer p = fin_wait_2(_i);

	peer_sends(&p, "FP. 1:11(10) ack 2");
	peer_expects(&p, ". 2:2(0) ack 12");
	peer_advance(&p, peer_config()->msl_us);
	peer_sends(&p, "P. 1:11(10) ack 2");
	peer_expects(&p, ". 2:2(0) ack 12");
	peer_sends(&p, ". 12:12(0) ack 2");
	peer_expects_nothing(&p);
	peer_advance(&p, peer_config()->msl_us);
	ck_assert_state(&p, TAPIR_TCP_CLOSED);
}
END_TEST

/* ---- FINs that do not count yet, or not at all ------------------------------------------------------------------- */

static const struct { enum tapir_tcp_state from, to; uint32_t ours; } in_order_at_last[] = {
	{TAPIR_TCP_ESTABLISHED, TAPIR_TCP_CLOSE_WAIT, 1}, {TAPIR_TCP_FIN_WAIT_1, TAPIR_TCP_CLOSING, 2},
	{TAPIR_TCP_FIN_WAIT_2, TAPIR_TCP_TIME_WAIT, 2}
};
#define IN_ORDER_AT_LAST (sizeof in_order_at_last / sizeof in_order_at_last[0])

/* RFC 9293 3.10.7.4 eighth: ESTABLISHED, FIN-WAIT-1, FIN-WAIT-2: a FIN that overtook text is kept, and counts when all text
 * before it is there. */
START_TEST(fin_before_its_text_counts_when_the_text_is_there)
{
	for (size_t i = 0; i < IN_ORDER_AT_LAST; i++) {
		struct peer p = peer_in(in_order_at_last[i].from, _i);
		uint32_t ours = in_order_at_last[i].ours, acked = in_order_at_last[i].from == TAPIR_TCP_FIN_WAIT_2 ? 2 : 1;

		peer_sends(&p, "F. 21:21(0) ack %u", acked);
		peer_expects(&p, ". %u:%u(0) ack 1", ours, ours);
		peer_sends(&p, "P. 11:21(10) ack %u", acked);
		peer_expects(&p, ". %u:%u(0) ack 1", ours, ours);
		ck_assert_state(&p, in_order_at_last[i].from);
		ck_assert_error(user_recv_result(&p), TAPIR_EAGAIN);
		peer_sends(&p, "P. 1:11(10) ack %u", acked);
		peer_expects(&p, ". %u:%u(0) ack 22", ours, ours);
		peer_expects_nothing(&p);
		ck_assert_state(&p, in_order_at_last[i].to);
		user_reads(&p, 20);
		told_the_end(&p);
	}
}
END_TEST

/* RFC 9293 3.10.7.4 eighth: ESTABLISHED: text with the FIN, of which a part is old. */
START_TEST(fin_of_a_segment_that_is_partly_old_counts)
{
	struct peer p = established(_i);

	peer_sends(&p, "P. 1:11(10) ack 1");
	peer_expects(&p, ". 1:1(0) ack 11");
	peer_sends(&p, "FP. 1:21(20) ack 1");
	peer_expects(&p, ". 1:1(0) ack 22");
	user_reads(&p, 20);
	told_the_end(&p);
	ck_assert_state(&p, TAPIR_TCP_CLOSE_WAIT);
}
END_TEST

/* RFC 9293 3.10.7.4 eighth, first: ESTABLISHED: a FIN beyond the window is cut off with the text that did not fit, and none
 * fits a window of zero. It counts when it is sent again into an open window. */
START_TEST(fin_beyond_the_window_does_not_count)
{
	struct peer p;

	peer_config()->rcvbuf = 2000;
	p = established(_i);
	peer_sends(&p, ". 1:1001(1000) ack 1");
	peer_expects(&p, ". 1:1(0) ack 1001");
	peer_sends(&p, "FP. 1001:2011(1010) ack 1");
	peer_expects(&p, ". 1:1(0) ack 2001 win 0");
	peer_sends(&p, "F. 2001:2001(0) ack 1");
	peer_expects(&p, ". 1:1(0) ack 2001 win 0");
	ck_assert_state(&p, TAPIR_TCP_ESTABLISHED);
	user_reads(&p, 2000);
	peer_expects(&p, ". 1:1(0) ack 2001 win 2000");
	peer_sends(&p, "FP. 2001:2011(10) ack 1");
	peer_expects(&p, ". 1:1(0) ack 2012");
	ck_assert_state(&p, TAPIR_TCP_CLOSE_WAIT);
	user_reads(&p, 10);
	told_the_end(&p);
}
END_TEST

/* RFC 9293 3.10.7.4 eighth: ESTABLISHED, FIN-WAIT-1, FIN-WAIT-2: text beyond the FIN, which cannot be, is thrown away when the
 * FIN counts. */
START_TEST(fin_throws_away_text_beyond_it)
{
	for (size_t i = 0; i < IN_ORDER_AT_LAST; i++) {
		struct peer p = peer_in(in_order_at_last[i].from, _i);
		uint32_t acked = in_order_at_last[i].from == TAPIR_TCP_FIN_WAIT_2 ? 2 : 1;

		peer_sends(&p, ". 12:22(10) ack %u", acked);
		peer_sends(&p, ". 50:60(10) ack %u", acked);
		peer_sends(&p, "F. 11:11(0) ack %u", acked);
		ck_assert_uint_gt(peer_usage(&p).small_frames, 0);
		peer_sends(&p, "P. 1:11(10) ack %u", acked);
		ck_assert_state(&p, in_order_at_last[i].to);
		peer_ignores_all(&p);
		ck_assert_uint_eq(p.rcv_nxt, 12);
		user_reads(&p, 10);
		told_the_end(&p);
		ck_assert_uint_eq(peer_usage(&p).small_frames, 0);
	}
}
END_TEST

/* RFC 9293 3.10.7.4 eighth: a FIN without ACK does not get past the fifth step, in any of the states before it. */
START_TEST(fin_without_ack_is_dropped)
{
	static const enum tapir_tcp_state before_fin[] = {
		TAPIR_TCP_SYN_RCVD, TAPIR_TCP_ESTABLISHED, TAPIR_TCP_FIN_WAIT_1, TAPIR_TCP_FIN_WAIT_2
	};

	for (size_t i = 0; i < sizeof before_fin / sizeof before_fin[0]; i++) {
		struct peer p = peer_in(before_fin[i], _i);

		peer_sends(&p, "F 1:1(0)");
		ck_assert_verdict(&p, DROP_TCP_NO_ACK);
		ck_assert_state(&p, before_fin[i]);
		peer_expects_nothing(&p);
	}
}
END_TEST

Suite *suite(void)
{
	return peer_suite("RFC 9293 3.10.7.4 eighth", (const TTest *[]){
		fin_in_closed_listen_and_syn_sent_is_not_processed,
		fin_with_the_syn_ack_leads_to_close_wait,
		fin_in_syn_received_leads_to_close_wait,
		fin_in_established_leads_to_close_wait,
		fin_behind_text_is_acknowledged_with_it_and_pushes_it,
		fin_in_fin_wait_1_leads_to_closing,
		fin_in_fin_wait_1_with_the_ack_of_ours_leads_to_time_wait,
		fin_in_fin_wait_2_leads_to_time_wait,
		fin_that_leads_to_time_wait_turns_off_the_other_timers,
		fin_again_is_acknowledged_again,
		fin_behind_the_fin_is_ignored,
		fin_in_time_wait_restarts_2_msl,
		text_in_time_wait_does_not_restart_2_msl,
		fin_before_its_text_counts_when_the_text_is_there,
		fin_of_a_segment_that_is_partly_old_counts,
		fin_beyond_the_window_does_not_count,
		fin_throws_away_text_beyond_it,
		fin_without_ack_is_dropped,
		NULL
	});
}
