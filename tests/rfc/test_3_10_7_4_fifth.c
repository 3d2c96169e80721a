/* test_3_10_7_4_fifth.c: SEGMENT ARRIVES, other states, fifth: check the ACK field (RFC 9293 3.10.7.4, RFC 5961 5.2).
 * */
#include "tests/support/peer.h"

static const enum tapir_tcp_state states[] = {
	TAPIR_TCP_SYN_RCVD, TAPIR_TCP_ESTABLISHED, TAPIR_TCP_FIN_WAIT_1, TAPIR_TCP_FIN_WAIT_2, TAPIR_TCP_CLOSE_WAIT,
	TAPIR_TCP_CLOSING, TAPIR_TCP_LAST_ACK, TAPIR_TCP_TIME_WAIT
};
#define COUNT(list) (sizeof list / sizeof list[0])

/* RFC 9293 3.10.7.4 fifth: the ACK bit is off: drop the segment and return. In SYN-RECEIVED, ESTABLISHED, FIN-WAIT-1,
 * FIN-WAIT-2, CLOSE-WAIT, CLOSING, LAST-ACK, TIME-WAIT. */
START_TEST(a_segment_without_ack_is_dropped_in_each_state)
{
	for (size_t i = 0; i < COUNT(states); i++) {
		struct peer p = peer_in(states[i], _i);
		uint32_t rcv_nxt = p.rcv_nxt;

		peer_sends(&p, "P %u:%u(10)", rcv_nxt, rcv_nxt + 10);
		ck_assert_verdict(&p, DROP_TCP_NO_ACK);
		peer_sends(&p, "F %u:%u(0)", rcv_nxt, rcv_nxt);
		ck_assert_verdict(&p, DROP_TCP_NO_ACK);
		peer_sends(&p, "- %u:%u(0)", rcv_nxt, rcv_nxt);
		ck_assert_verdict(&p, DROP_TCP_NO_ACK);
		peer_expects_nothing(&p);
		ck_assert_state(&p, states[i]);
	}
}
END_TEST

/* RFC 9293 3.10.7.4 fifth (MAY-12), RFC 5961 5.2: SEG.ACK > SND.NXT, or before SND.UNA - MAX.SND.WND: discard the
 * segment and send an ACK back. In ESTABLISHED, FIN-WAIT-1, FIN-WAIT-2, CLOSE-WAIT, CLOSING, LAST-ACK, TIME-WAIT. */
START_TEST(an_ack_out_of_range_draws_an_ack_and_its_text_is_discarded_in_each_state)
{
	for (size_t i = 1; i < COUNT(states); i++) {
		struct peer p = peer_in(states[i], _i);
		bool fin_is_outstanding = peer_info(&p).unacked > 0;
		uint32_t rcv_nxt = p.rcv_nxt, snd_nxt = p.snd_nxt, una = snd_nxt - (fin_is_outstanding ? 1 : 0);
		const uint32_t bad[] = {snd_nxt + 1, snd_nxt + 100000, una - 65536, una - 1000000};

		for (size_t k = 0; k < COUNT(bad); k++) {
			peer_sends(&p, "P. %u:%u(10) ack %d", rcv_nxt, rcv_nxt + 10, (int)bad[k]);
			ck_assert_verdict(&p, DROP_TCP_ACK_RANGE);
			peer_expects(&p, ". %u:%u(0) ack %u", snd_nxt, snd_nxt, rcv_nxt);
			ck_assert_why(&p, "RFC 5961 5.2");
			peer_expects_nothing(&p);
			ck_assert_state(&p, states[i]);
			ck_assert_uint_eq(peer_info(&p).unread, 0);
		}
	}
}
END_TEST

/* RFC 9293 3.10.7.4 fifth (MAY-12): an old ACK within SND.UNA - MAX.SND.WND is a duplicate: "it can be ignored"; the
 * segment's text is not. In ESTABLISHED. */
START_TEST(an_old_ack_within_the_largest_window_is_ignored_but_not_its_text)
{
	struct peer p = established(_i);

	user_sends(&p, 100);
	peer_expects(&p, "P. 1:101(100) ack 1");
	peer_sends(&p, ". 1:1(0) ack 101");
	peer_sends(&p, "P. 1:11(10) ack %d", 101 - 65535);
	ck_assert_verdict(&p, ACCEPT);
	peer_expects(&p, ". 101:101(0) ack 11");
	user_reads(&p, 10);
	peer_sends(&p, "P. 11:21(10) ack 1");
	peer_expects(&p, ". 101:101(0) ack 21");
	user_reads(&p, 10);
	ck_assert_uint_eq(peer_info(&p).unacked, 0);
}
END_TEST

/* RFC 9293 3.10.7.4 fifth, SYN-RECEIVED: SND.UNA < SEG.ACK =< SND.NXT: ESTABLISHED, with SND.WND, SND.WL1 and SND.WL2
 * from the segment; continue processing: its text and FIN count. */
START_TEST(the_ack_of_our_syn_in_syn_received_establishes_the_connection)
{
	struct peer p = syn_received(_i);

	peer_sends(&p, ". 1:1(0) ack 1 win 3000");
	ck_assert_states(&p, "LISTEN > SYN-RECEIVED > ESTABLISHED");
	ck_assert_int_eq(tapir_poll(p.t, p.listener), TAPIR_POLLIN);
	ck_assert_uint_eq(peer_usage(&p).timers, 0);
	user_accepts(&p);
	ck_assert_uint_eq(peer_info(&p).snd_wnd, 3000);
	peer_expects_nothing(&p);

	p = syn_received(_i);
	peer_sends(&p, "P. 1:101(100) ack 1");
	peer_expects(&p, ". 1:1(0) ack 101");
	user_accepts(&p);
	user_reads(&p, 100);

	p = syn_received_active(_i);
	peer_sends(&p, ". 1:1(0) ack 1 win 3000");
	ck_assert_states(&p, "CLOSED > SYN-SENT > SYN-RECEIVED > ESTABLISHED");
	ck_assert_uint_eq(peer_info(&p).snd_wnd, 3000);
	ck_assert_int_eq(tapir_poll(p.t, p.sd), TAPIR_POLLOUT);
}
END_TEST

/* RFC 9293 3.10.7.4 fifth, SYN-RECEIVED: the acknowledgment is not acceptable: <SEQ=SEG.ACK><CTL=RST>. */
START_TEST(an_ack_of_something_else_in_syn_received_draws_a_rst)
{
	static const int acks[] = {0, -1, 2, 1000};

	for (int active = 0; active < 2; active++) {
		struct peer p = active ? syn_received_active(_i) : syn_received(_i);

		for (size_t i = 0; i < COUNT(acks); i++) {
			peer_sends(&p, "P. 1:11(10) ack %d", acks[i]);
			ck_assert_verdict(&p, DROP_TCP_SYN_RCVD_ACK);
			peer_expects(&p, "R %d:%d(0) win 0", acks[i], acks[i]);
		}
		peer_expects_nothing(&p);
		ck_assert_state(&p, TAPIR_TCP_SYN_RCVD);
	}
}
END_TEST

/* RFC 9293 3.10.7.4 fifth, ESTABLISHED, CLOSE-WAIT: SND.UNA <- SEG.ACK; what is thereby acknowledged leaves the
 * retransmission queue, in part if need be; the timer stops when it is empty. */
START_TEST(an_ack_takes_text_off_the_retransmission_queue)
{
	for (int waiting = 0; waiting < 2; waiting++) {
		struct peer p = waiting ? close_wait(_i) : established(_i);
		uint32_t n = p.rcv_nxt;

		user_sends(&p, 2920);
		peer_expects(&p, ". 1:1461(1460) ack %u", n);
		peer_expects(&p, "P. 1461:2921(1460) ack %u", n);
		peer_sends(&p, ". %u:%u(0) ack 1461", n, n);
		ck_assert_uint_eq(peer_info(&p).unacked, 1460);
		peer_sends(&p, ". %u:%u(0) ack 2000", n, n);
		ck_assert_uint_eq(peer_info(&p).unacked, 921);
		peer_until_timer(&p);
		peer_expects(&p, "P. 2000:2921(921) ack %u", n);
		peer_sends(&p, ". %u:%u(0) ack 2921", n, n);
		ck_assert_uint_eq(peer_info(&p).unacked, 0);
		ck_assert_uint_eq(peer_usage(&p).timers, 0);
		peer_expects_nothing(&p);
	}
}
END_TEST

static int given_back;
static const uint8_t *given_bytes;

static void count_done(void *ctx, const uint8_t *bytes)
{
	(void)ctx;
	given_back++;
	given_bytes = bytes;
}

/* RFC 9293 3.10.7.4 fifth, ESTABLISHED: users receive positive acknowledgments for buffers that have been fully
 * acknowledged: the lender of a buffer is called when its last byte is, not before. */
START_TEST(a_buffer_goes_back_to_its_lender_when_it_is_fully_acknowledged)
{
	static uint8_t text[2000];
	struct peer p = established(_i);

	given_back = 0;
	for (uint32_t i = 0; i < sizeof text; i++)
		text[i] = stream_byte(1 + i);
	ck_assert_error(tapir_send_borrowed(p.t, p.sd, text, sizeof text, count_done, NULL), (int64_t)sizeof text);
	peer_expects(&p, ". 1:1461(1460) ack 1");
	peer_sends(&p, ". 1:1(0) ack 1461");
	peer_expects(&p, "P. 1461:2001(540) ack 1");
	peer_sends(&p, ". 1:1(0) ack 2000");
	ck_assert_int_eq(given_back, 0);
	peer_sends(&p, ". 1:1(0) ack 2001");
	ck_assert_int_eq(given_back, 1);
	ck_assert_ptr_eq(given_bytes, text);
}
END_TEST

/* RFC 9293 3.10.7.4 fifth: ESTABLISHED: the ACK acks something not yet sent: send an ACK, drop the segment, and
 * return. */
START_TEST(an_ack_of_text_that_was_queued_but_not_sent_is_out_of_range)
{
	struct peer p = established(_i);

	p.win = 1460;
	peer_sends(&p, ". 1:1(0) ack 1");
	user_sends(&p, 3000);
	peer_expects(&p, ". 1:1461(1460) ack 1");
	peer_sends(&p, ". 1:1(0) ack 1462");
	ck_assert_verdict(&p, DROP_TCP_ACK_RANGE);
	peer_expects(&p, ". 1461:1461(0) ack 1");
	peer_expects_nothing(&p);
	ck_assert_uint_eq(peer_info(&p).unacked, 1460);
}
END_TEST

/* RFC 9293 3.10.7.4 fifth, ESTABLISHED, CLOSE-WAIT, FIN-WAIT-2: SND.UNA =< SEG.ACK =< SND.NXT: the send window is
 * updated when SND.WL1 < SEG.SEQ or (SND.WL1 = SEG.SEQ and SND.WL2 =< SEG.ACK). */
START_TEST(the_send_window_follows_the_newest_segment_in_each_state)
{
	static const enum tapir_tcp_state updating[] = {TAPIR_TCP_ESTABLISHED, TAPIR_TCP_CLOSE_WAIT, TAPIR_TCP_FIN_WAIT_2};

	for (size_t i = 0; i < COUNT(updating); i++) {
		struct peer p = peer_in(updating[i], _i);
		uint32_t n = p.rcv_nxt, ack = p.snd_nxt;

		peer_sends(&p, ". %u:%u(0) ack %u win 5000", n, n, ack);
		ck_assert_uint_eq(peer_info(&p).snd_wnd, 5000);
		peer_sends(&p, ". %u:%u(0) ack %u win 4000", n, n, ack);
		ck_assert_uint_eq(peer_info(&p).snd_wnd, 4000);
		peer_sends(&p, ". %u:%u(0) ack %u win 6000", n + 10, n + 10, ack);
		ck_assert_uint_eq(peer_info(&p).snd_wnd, 6000);
		peer_sends(&p, ". %u:%u(0) ack %u win 7000", n, n, ack);	/* SEG.SEQ < SND.WL1: older */
		ck_assert_uint_eq(peer_info(&p).snd_wnd, 6000);
		peer_expects_nothing(&p);
		ck_assert_state(&p, updating[i]);
	}
}
END_TEST

/* RFC 9293 3.10.7.4 fifth, ESTABLISHED: SND.WL1 = SEG.SEQ and SND.WL2 > SEG.ACK: an old segment does not update the
 * window. */
START_TEST(an_older_acknowledgment_does_not_update_the_send_window)
{
	struct peer p = established(_i);

	user_sends(&p, 100);
	peer_expects(&p, "P. 1:101(100) ack 1");
	peer_sends(&p, ". 1:1(0) ack 101 win 5000");
	peer_sends(&p, ". 1:1(0) ack 51 win 9000");
	ck_assert_verdict(&p, ACCEPT);
	ck_assert_uint_eq(peer_info(&p).snd_wnd, 5000);
}
END_TEST

/* RFC 9293 3.10.7.4 fifth, ESTABLISHED, and why we depart from it: the peer sends old text again, with a new SEG.ACK and
 * the smaller window that goes with it. What it offered ends where it ended. */
START_TEST(a_retransmission_that_acknowledges_more_sets_the_window)
{
	struct peer p = established(_i);

	user_sends(&p, 3000);
	peer_ignores_all(&p);
	peer_sends(&p, ". 11:21(10) ack 1 win 1000");
	peer_sends(&p, ". 1:11(10) ack 901 win 100");
	ck_assert_uint_eq(peer_info(&p).snd_wnd, 100);
	peer_ignores_all(&p);
	peer_sends(&p, ". 21:21(0) ack 901 win 600");
	ck_assert_uint_eq(peer_info(&p).snd_wnd, 600);
}
END_TEST

/* RFC 9293 3.10.7.4 fifth, FIN-WAIT-1: as in ESTABLISHED, and when our FIN is acknowledged: FIN-WAIT-2. */
START_TEST(the_ack_of_our_fin_in_fin_wait_1_enters_fin_wait_2)
{
	struct peer p = established(_i);

	user_sends(&p, 100);
	peer_expects(&p, "P. 1:101(100) ack 1");
	user_shuts_down(&p);
	peer_expects(&p, "F. 101:101(0) ack 1");
	peer_sends(&p, ". 1:1(0) ack 1");
	ck_assert_state(&p, TAPIR_TCP_FIN_WAIT_1);
	peer_sends(&p, ". 1:1(0) ack 101");
	ck_assert_state(&p, TAPIR_TCP_FIN_WAIT_1);
	ck_assert_uint_eq(peer_info(&p).unacked, 1);
	peer_sends(&p, ". 1:1(0) ack 102");
	ck_assert_state(&p, TAPIR_TCP_FIN_WAIT_2);
	ck_assert_uint_eq(peer_usage(&p).timers, 0);
	peer_expects_nothing(&p);
}
END_TEST

/* RFC 9293 3.10.7.4 fifth, FIN-WAIT-1: "continue processing in that state": text and FIN of the segment that
 * acknowledges our FIN are processed in FIN-WAIT-2. */
START_TEST(the_segment_that_acknowledges_our_fin_is_processed_on_in_fin_wait_2)
{
	struct peer p = fin_wait_1(_i);

	peer_sends(&p, "FP. 1:11(10) ack 2");
	ck_assert_states(&p, "LISTEN > SYN-RECEIVED > ESTABLISHED > FIN-WAIT-1 > FIN-WAIT-2 > TIME-WAIT");
	peer_expects(&p, ". 2:2(0) ack 12");
	user_reads(&p, 10);
}
END_TEST

/* RFC 9293 3.10.7.4 fifth, FIN-WAIT-2: the user's CLOSE is acknowledged, but the TCB is not deleted: the peer may send
 * for as long as it likes while the user holds the connection. */
START_TEST(fin_wait_2_lasts_as_long_as_the_user_holds_the_connection)
{
	struct peer p = fin_wait_2(_i);

	ck_assert_uint_eq(peer_usage(&p).timers, 0);
	peer_advance(&p, 3600 * TAPIR_SEC);
	ck_assert_state(&p, TAPIR_TCP_FIN_WAIT_2);
	peer_sends(&p, "P. 1:11(10) ack 2");
	peer_expects(&p, ". 2:2(0) ack 11");
	user_reads(&p, 10);
}
END_TEST

/* RFC 9293 3.10.7.4 fifth, CLOSING: the ACK acknowledges our FIN: TIME-WAIT; otherwise ignore the segment. */
START_TEST(the_ack_of_our_fin_in_closing_enters_time_wait)
{
	struct peer p = closing(_i);

	peer_sends(&p, ". 2:2(0) ack 1");
	ck_assert_state(&p, TAPIR_TCP_CLOSING);
	peer_expects_nothing(&p);
	peer_sends(&p, ". 2:2(0) ack 2");
	ck_assert_state(&p, TAPIR_TCP_TIME_WAIT);
	ck_assert_uint_eq(peer_usage(&p).time_wait, 1);
	peer_expects_nothing(&p);
}
END_TEST

/* RFC 9293 3.10.7.4 fifth, LAST-ACK: our FIN is now acknowledged: delete the TCB, CLOSED; not before. */
START_TEST(the_ack_of_our_fin_in_last_ack_ends_the_connection)
{
	struct peer p = close_wait(_i);

	user_sends(&p, 100);
	user_closes(&p);
	peer_expects(&p, "FP. 1:101(100) ack 2");
	peer_sends(&p, ". 2:2(0) ack 101");
	ck_assert_state(&p, TAPIR_TCP_LAST_ACK);
	peer_sends(&p, ". 2:2(0) ack 102");
	ck_assert_state(&p, TAPIR_TCP_CLOSED);
	ck_assert_uint_eq(peer_usage(&p).conns, 0);
	ck_assert_uint_eq(peer_usage(&p).timers, 0);
	peer_expects_nothing(&p);
}
END_TEST

/* RFC 9293 3.10.7.4 fifth, TIME-WAIT: a retransmission of the remote FIN: acknowledge it, and restart the 2 MSL
 * timeout. */
START_TEST(a_fin_again_in_time_wait_is_acknowledged_and_restarts_the_timeout)
{
	struct peer p = time_wait(_i);

	peer_advance(&p, 59 * TAPIR_SEC);
	peer_sends(&p, "F. 1:1(0) ack 2");
	peer_expects(&p, ". 2:2(0) ack 2");
	peer_advance(&p, 60 * TAPIR_SEC - 1);
	ck_assert_state(&p, TAPIR_TCP_TIME_WAIT);
	peer_advance(&p, 1);
	ck_assert_state(&p, TAPIR_TCP_CLOSED);
	peer_expects_nothing(&p);
}
END_TEST

/* RFC 1337, RFC 9293 3.10.7.4 fifth, TIME-WAIT: any other old duplicate draws an ACK and does not prolong it. */
START_TEST(an_old_duplicate_in_time_wait_does_not_restart_the_timeout)
{
	struct peer p = time_wait(_i);

	peer_advance(&p, 59 * TAPIR_SEC);
	peer_sends(&p, "P. -9:1(10) ack 2");
	peer_expects(&p, ". 2:2(0) ack 2");
	peer_advance(&p, TAPIR_SEC);
	ck_assert_state(&p, TAPIR_TCP_CLOSED);
}
END_TEST

Suite *suite(void)
{
	return peer_suite("RFC 9293 3.10.7.4 fifth", (const TTest *[]){
		a_segment_without_ack_is_dropped_in_each_state,
		an_ack_out_of_range_draws_an_ack_and_its_text_is_discarded_in_each_state,
		an_old_ack_within_the_largest_window_is_ignored_but_not_its_text,
		the_ack_of_our_syn_in_syn_received_establishes_the_connection,
		an_ack_of_something_else_in_syn_received_draws_a_rst,
		an_ack_takes_text_off_the_retransmission_queue,
		a_buffer_goes_back_to_its_lender_when_it_is_fully_acknowledged,
		an_ack_of_text_that_was_queued_but_not_sent_is_out_of_range,
		the_send_window_follows_the_newest_segment_in_each_state,
		an_older_acknowledgment_does_not_update_the_send_window,
		a_retransmission_that_acknowledges_more_sets_the_window,
		the_ack_of_our_fin_in_fin_wait_1_enters_fin_wait_2,
		the_segment_that_acknowledges_our_fin_is_processed_on_in_fin_wait_2,
		fin_wait_2_lasts_as_long_as_the_user_holds_the_connection,
		the_ack_of_our_fin_in_closing_enters_time_wait,
		the_ack_of_our_fin_in_last_ack_ends_the_connection,
		a_fin_again_in_time_wait_is_acknowledged_and_restarts_the_timeout,
		an_old_duplicate_in_time_wait_does_not_restart_the_timeout,
		NULL
	});
}
