/* test_3_10_7_4_first.c: SEGMENT ARRIVES, other states, first: check sequence number (RFC 9293 3.10.7.4, table 6). */
#include "tests/support/peer.h"

static const enum tapir_tcp_state states[] = {
	TAPIR_TCP_SYN_RCVD, TAPIR_TCP_ESTABLISHED, TAPIR_TCP_FIN_WAIT_1, TAPIR_TCP_FIN_WAIT_2, TAPIR_TCP_CLOSE_WAIT,
	TAPIR_TCP_CLOSING, TAPIR_TCP_LAST_ACK, TAPIR_TCP_TIME_WAIT
};
static const enum tapir_tcp_state receiving[] = {TAPIR_TCP_ESTABLISHED, TAPIR_TCP_FIN_WAIT_1, TAPIR_TCP_FIN_WAIT_2};
#define COUNT(list) (sizeof list / sizeof list[0])
#define WND 65535u	/* RCV.WND; one less once a FIN has taken its place */

/* The segment is dropped as not acceptable, and answered by <SEQ=SND.NXT><ACK=RCV.NXT><CTL=ACK>. */
static void expect_ack_and_drop(struct peer *p, enum tapir_tcp_state state)
{
	uint32_t snd_nxt = p->snd_nxt, rcv_nxt = p->rcv_nxt;

	ck_assert_verdict(p, state == TAPIR_TCP_TIME_WAIT ? DROP_TCP_TIME_WAIT : DROP_TCP_OUT_OF_WINDOW);
	peer_expects(p, ". %u:%u(0) ack %u", snd_nxt, snd_nxt, rcv_nxt);
	peer_expects_nothing(p);
	ck_assert_state(p, state);
}

/* RFC 9293 3.10.7.4 first: SYN-RECEIVED, ESTABLISHED, FIN-WAIT-1, FIN-WAIT-2, CLOSE-WAIT, CLOSING, LAST-ACK,
 * TIME-WAIT: length 0, before RCV.NXT, or at or beyond RCV.NXT+RCV.WND: not acceptable: an acknowledgment, and drop.
 * */
START_TEST(an_empty_segment_outside_the_window_draws_an_ack_in_each_state)
{
	for (size_t i = 0; i < COUNT(states); i++) {
		struct peer p = peer_in(states[i], _i);
		uint32_t rcv_nxt = p.rcv_nxt, snd_nxt = p.snd_nxt;
		const uint32_t outside[] = {rcv_nxt - 1, rcv_nxt - 1000000, rcv_nxt + WND + 1, rcv_nxt + 0x7fffffff};

		for (size_t k = 0; k < COUNT(outside); k++) {
			peer_sends(&p, ". %d:%d(0) ack %u", (int)outside[k], (int)outside[k], snd_nxt);
			expect_ack_and_drop(&p, states[i]);
		}
	}
}
END_TEST

/* RFC 9293 3.10.7.4 first: SYN-RECEIVED, ESTABLISHED, FIN-WAIT-1, FIN-WAIT-2, CLOSE-WAIT, CLOSING, LAST-ACK,
 * TIME-WAIT: text that lies wholly before RCV.NXT or wholly beyond the window: the same. */
START_TEST(text_outside_the_window_draws_an_ack_in_each_state)
{
	for (size_t i = 0; i < COUNT(states); i++) {
		struct peer p = peer_in(states[i], _i);
		int rcv_nxt = (int)p.rcv_nxt;
		uint32_t snd_nxt = p.snd_nxt;

		peer_sends(&p, "P. %d:%d(100) ack %u", rcv_nxt - 100, rcv_nxt, snd_nxt);
		expect_ack_and_drop(&p, states[i]);
		peer_sends(&p, "P. %d:%d(100) ack %u", rcv_nxt + 65535, rcv_nxt + 65635, snd_nxt);
		expect_ack_and_drop(&p, states[i]);
	}
}
END_TEST

/* RFC 9293 3.10.7.4 first, which we deviate from: a peer that has filled the window sends its ACKs with the number behind it. While
 * some of that text is lost, ours is acknowledged all the same. */
START_TEST(an_ack_from_behind_a_full_window_counts)
{
	struct peer p = established(_i);
	uint32_t edge = 1 + peer_info(&p).rcv_wnd;

	user_sends(&p, 100);
	peer_expects(&p, "P. 1:101(100) ack 1");
	peer_sends(&p, ". %u:%u(0) ack 101", edge + 1, edge + 1);
	ck_assert_verdict(&p, DROP_TCP_OUT_OF_WINDOW);
	peer_expects(&p, ". 101:101(0) ack 1");
	ck_assert_uint_eq(peer_info(&p).unacked, 100);
	peer_sends(&p, ". %u:%u(0) ack 101", edge, edge);
	ck_assert_verdict(&p, ACCEPT);
	peer_expects_nothing(&p);
	ck_assert_uint_eq(peer_info(&p).unacked, 0);
}
END_TEST

/* But nothing else does from there: no FIN, no RST. */
START_TEST(only_an_ack_counts_from_behind_a_full_window)
{
	struct peer p = established(_i);
	uint32_t edge = 1 + peer_info(&p).rcv_wnd;

	peer_sends(&p, "R. %u:%u(0) ack 1", edge, edge);
	ck_assert_verdict(&p, DROP_TCP_RST_OUT_OF_WINDOW);
	peer_sends(&p, "F. %u:%u(0) ack 1", edge, edge);
	ck_assert_verdict(&p, DROP_TCP_OUT_OF_WINDOW);
	peer_expects(&p, ". 1:1(0) ack 1");
	ck_assert_state(&p, TAPIR_TCP_ESTABLISHED);
}
END_TEST

/* RFC 9293 3.10.7.4 first, second: SYN-RECEIVED, ESTABLISHED, FIN-WAIT-1, FIN-WAIT-2, CLOSE-WAIT, CLOSING, LAST-ACK,
 * TIME-WAIT: not acceptable and the RST bit is set: drop the segment and return. */
START_TEST(a_rst_outside_the_window_is_dropped_silently_in_each_state)
{
	for (size_t i = 0; i < COUNT(states); i++) {
		struct peer p = peer_in(states[i], _i);
		uint32_t rcv_nxt = p.rcv_nxt;
		const uint32_t outside[] = {rcv_nxt - 1, rcv_nxt + WND, rcv_nxt + WND + 1, rcv_nxt + 0x7fffffff};

		for (size_t k = 0; k < COUNT(outside); k++) {
			peer_sends(&p, "R %d:%d(0)", (int)outside[k], (int)outside[k]);
			ck_assert_verdict(&p, DROP_TCP_RST_OUT_OF_WINDOW);
		}
		peer_expects_nothing(&p);
		ck_assert_state(&p, states[i]);
	}
}
END_TEST

/* RFC 9293 3.10.7.4 first: table 6, length 0, window > 0: RCV.NXT =< SEG.SEQ < RCV.NXT+RCV.WND is acceptable: the last
 * number of the window too. In ESTABLISHED. */
START_TEST(an_empty_segment_at_either_edge_of_the_window_is_acceptable)
{
	struct peer p = established(_i);

	user_sends(&p, 20);
	peer_expects(&p, "P. 1:21(20) ack 1");
	peer_sends(&p, ". 1:1(0) ack 11");
	ck_assert_verdict(&p, ACCEPT);
	ck_assert_uint_eq(peer_info(&p).unacked, 10);
	peer_sends(&p, ". 65535:65535(0) ack 21");
	ck_assert_verdict(&p, ACCEPT);
	ck_assert_uint_eq(peer_info(&p).unacked, 0);
	peer_expects_nothing(&p);
}
END_TEST

/* Fills the window of a connection, whose buffer is 2000 bytes, so that RCV.WND is 0. */
static void close_window(struct peer *p)
{
	uint32_t snd_nxt = p->snd_nxt;

	peer_sends(p, ". 1:2001(2000) ack 1");
	peer_expects(p, ". %u:%u(0) ack 2001 win 0", snd_nxt, snd_nxt);
}

/* RFC 9293 3.10.7.4 first: table 6, length 0, window 0: SEG.SEQ = RCV.NXT is acceptable, nothing else. In ESTABLISHED.
 * */
START_TEST(an_empty_segment_meets_a_zero_window_only_at_rcv_nxt)
{
	peer_config()->rcvbuf = 2000;
	struct peer p = established(_i);

	close_window(&p);
	peer_sends(&p, ". 2001:2001(0) ack 1");
	ck_assert_verdict(&p, ACCEPT);
	peer_expects_nothing(&p);
	peer_sends(&p, ". 2000:2000(0) ack 1");
	expect_ack_and_drop(&p, TAPIR_TCP_ESTABLISHED);
	peer_sends(&p, ". 2002:2002(0) ack 1");
	expect_ack_and_drop(&p, TAPIR_TCP_ESTABLISHED);
}
END_TEST

/* RFC 9293 3.10.7.4 first: table 6, text, window 0: not acceptable; but "special allowance should be made to accept
 * valid ACKs, URGs": an acknowledgment with text is used, its text is not. In ESTABLISHED, FIN-WAIT-1 and FIN-WAIT-2.
 * */
START_TEST(text_that_meets_a_zero_window_is_not_taken_but_its_ack_and_urgent_pointer_are)
{
	peer_config()->rcvbuf = 2000;
	for (size_t i = 0; i < COUNT(receiving); i++) {
		struct peer p = peer_in(receiving[i], _i);
		uint32_t snd_nxt = p.snd_nxt;

		close_window(&p);
		if (receiving[i] == TAPIR_TCP_ESTABLISHED) {
			user_sends(&p, 10);
			peer_expects(&p, "P. 1:11(10) ack 2001");
			snd_nxt = 11;
		}
		peer_sends(&p, "P.U 2001:2011(10) ack %u urg 100", snd_nxt);
		peer_expects(&p, ". %u:%u(0) ack 2001 win 0", snd_nxt, snd_nxt);
		peer_expects_nothing(&p);
		ck_assert_uint_eq(peer_info(&p).unacked, 0);
		ck_assert_uint_eq(peer_info(&p).unread, 2000);
		ck_assert_int_ne(tapir_poll(p.t, p.sd) & TAPIR_POLLPRI, 0);
	}
}
END_TEST

/* RFC 9293 3.4 (MUST-66), 3.10.7.4 first: even with a zero window, RST is processed; a FIN that does not fit is not. */
START_TEST(a_rst_that_meets_a_zero_window_is_processed)
{
	peer_config()->rcvbuf = 2000;
	struct peer p = established(_i);

	close_window(&p);
	peer_sends(&p, "F. 2001:2001(0) ack 1");
	peer_expects(&p, ". 1:1(0) ack 2001 win 0");
	ck_assert_state(&p, TAPIR_TCP_ESTABLISHED);
	peer_sends(&p, "R 2002:2002(0)");
	ck_assert_verdict(&p, DROP_TCP_RST_OUT_OF_WINDOW);
	peer_expects_nothing(&p);
	peer_sends(&p, "R 2001:2001(0)");
	ck_assert_state(&p, TAPIR_TCP_CLOSED);
}
END_TEST

/* RFC 9293 3.10.7.4 first: table 6, text, window > 0: acceptable when its first or its last byte is in the window.
 * Only what is new and within is processed. In ESTABLISHED, FIN-WAIT-1 and FIN-WAIT-2. */
START_TEST(text_that_straddles_an_edge_of_the_window_is_trimmed_in_each_state_that_receives)
{
	peer_config()->rcvbuf = 2000;
	for (size_t i = 0; i < COUNT(receiving); i++) {
		struct peer p = peer_in(receiving[i], _i);
		uint32_t snd_nxt = p.snd_nxt;

		peer_sends(&p, "P. 1:101(100) ack 1");
		peer_expects(&p, ". %u:%u(0) ack 101 win 1900", snd_nxt, snd_nxt);
		peer_sends(&p, "P. 51:201(150) ack 1");
		peer_expects(&p, ". %u:%u(0) ack 201", snd_nxt, snd_nxt);
		user_reads(&p, 200);
		peer_sends(&p, "P. 1:202(201) ack 1");		/* one new byte at the end of old ones */
		peer_expects(&p, ". %u:%u(0) ack 202", snd_nxt, snd_nxt);
		peer_sends(&p, "P. 202:2202(2000) ack 1");	/* the window ends at 2001 */
		peer_expects(&p, ". %u:%u(0) ack %u", snd_nxt, snd_nxt, 2001);
		user_reads(&p, 1800);
		peer_expects(&p, ". %u:%u(0) ack 2001 win 2000", snd_nxt, snd_nxt);
		ck_assert_state(&p, receiving[i]);
	}
}
END_TEST

/* RFC 9293 3.10.7.4 first: trimming takes off a FIN that lies beyond the window. In ESTABLISHED: it comes again, and
 * counts. */
START_TEST(a_fin_beyond_the_window_is_trimmed_off)
{
	peer_config()->rcvbuf = 2000;
	struct peer p = established(_i);

	peer_sends(&p, "F. 1:2001(2000) ack 1");
	peer_expects(&p, ". 1:1(0) ack 2001 win 0");
	ck_assert_state(&p, TAPIR_TCP_ESTABLISHED);
	user_reads(&p, 2000);
	peer_expects(&p, ". 1:1(0) ack 2001 win 2000");
	peer_sends(&p, "F. 2001:2001(0) ack 1");
	peer_expects(&p, ". 1:1(0) ack 2002");
	ck_assert_state(&p, TAPIR_TCP_CLOSE_WAIT);
}
END_TEST

/* RFC 9293 3.10.7.4 first (SHLD-31): segments with higher beginning sequence numbers are held for later processing, in
 * whatever order they come. In ESTABLISHED, FIN-WAIT-1 and FIN-WAIT-2. */
START_TEST(text_that_begins_beyond_rcv_nxt_is_held_in_each_state_that_receives)
{
	for (size_t i = 0; i < COUNT(receiving); i++) {
		struct peer p = peer_in(receiving[i], _i);
		uint32_t n = p.snd_nxt;

		peer_sends(&p, "P. 301:401(100) ack 1");
		peer_expects(&p, ". %u:%u(0) ack 1", n, n);
		peer_sends(&p, "P. 101:201(100) ack 1");
		peer_expects(&p, ". %u:%u(0) ack 1", n, n);
		peer_sends(&p, "P. 151:351(200) ack 1");	/* overlaps both */
		peer_expects(&p, ". %u:%u(0) ack 1", n, n);
		peer_sends(&p, "P. 1:101(100) ack 1");
		peer_expects(&p, ". %u:%u(0) ack 401", n, n);
		user_reads(&p, 400);
		peer_expects_nothing(&p);
	}
}
END_TEST

/* RFC 9293 3.10.7.4 first (SHLD-31): a FIN that comes before text that precedes it is held too. In ESTABLISHED. */
START_TEST(a_fin_beyond_rcv_nxt_is_held)
{
	struct peer p = established(_i);

	peer_sends(&p, "F. 201:201(0) ack 1");
	peer_expects(&p, ". 1:1(0) ack 1");
	peer_sends(&p, "P. 101:201(100) ack 1");
	peer_expects(&p, ". 1:1(0) ack 1");
	ck_assert_state(&p, TAPIR_TCP_ESTABLISHED);
	peer_sends(&p, "P. 1:101(100) ack 1");
	peer_expects(&p, ". 1:1(0) ack 202");
	ck_assert_state(&p, TAPIR_TCP_CLOSE_WAIT);
	user_reads(&p, 200);
	user_reads_end(&p);
}
END_TEST

/* RFC 9293 3.10.7.4 first (MUST-58, MUST-59): a series of queued segments is processed before any ACK is sent: one ACK
 * for all. In ESTABLISHED. */
START_TEST(segments_that_arrive_together_are_acknowledged_together)
{
	struct peer p = established(_i);

	for (int i = 0; i < 10; i++)
		peer_sends(&p, "P. %d:%d(100) ack 1", 1 + i * 100, 101 + i * 100);
	peer_expects(&p, ". 1:1(0) ack 1001");
	peer_expects_nothing(&p);
	user_reads(&p, 1000);
}
END_TEST

/* RFC 9293 3.10.7.4 first: the improved algorithm for SYNs in TIME-WAIT (RFC 6191): with timestamps, a SYN is judged
 * by them and not by its sequence number. */
START_TEST(a_syn_with_a_newer_timestamp_in_time_wait_is_not_judged_by_its_sequence_number)
{
	peer_config()->timestamps = true;
	struct peer p = time_wait(_i);

	peer_sends(&p, "S -100000:-100000(0) <mss 1460,TS val 200 ecr 0>");
	ck_assert_verdict(&p, ACCEPT);
	p.stack_iss += 2 + 65536;	/* above all that the old connection has sent */
	p.iss -= 100000;
	peer_expects(&p, "S. 0:0(0) ack 1");
	ck_assert_states(&p, "LISTEN > SYN-RECEIVED > ESTABLISHED > FIN-WAIT-1 > FIN-WAIT-2 > TIME-WAIT > CLOSED; "
			     "LISTEN > SYN-RECEIVED");
	p.sd = -1;
}
END_TEST

/* RFC 9293 3.10.7.4 first, in SYN-RECEIVED: the SYN again means that our SYN-ACK was lost: it is sent again. */
START_TEST(the_syn_again_in_syn_received_draws_the_syn_ack_again)
{
	struct peer p = syn_received(_i);

	peer_sends(&p, "S 0:0(0) <mss 1460>");
	ck_assert_verdict(&p, DROP_TCP_OUT_OF_WINDOW);
	peer_expects(&p, "S. 0:0(0) ack 1");
	peer_expects_nothing(&p);
	p = syn_received_active(_i);
	peer_sends(&p, "S 0:0(0) <mss 1460>");
	ck_assert_verdict(&p, DROP_TCP_OUT_OF_WINDOW);
	peer_expects(&p, "S. 0:0(0) ack 1");
	peer_expects_nothing(&p);
	ck_assert_state(&p, TAPIR_TCP_SYN_RCVD);
}
END_TEST

Suite *suite(void)
{
	return peer_suite("RFC 9293 3.10.7.4 first", (const TTest *[]){
		an_empty_segment_outside_the_window_draws_an_ack_in_each_state,
		text_outside_the_window_draws_an_ack_in_each_state,
		an_ack_from_behind_a_full_window_counts,
		only_an_ack_counts_from_behind_a_full_window,
		a_rst_outside_the_window_is_dropped_silently_in_each_state,
		an_empty_segment_at_either_edge_of_the_window_is_acceptable,
		an_empty_segment_meets_a_zero_window_only_at_rcv_nxt,
		text_that_meets_a_zero_window_is_not_taken_but_its_ack_and_urgent_pointer_are,
		a_rst_that_meets_a_zero_window_is_processed,
		text_that_straddles_an_edge_of_the_window_is_trimmed_in_each_state_that_receives,
		a_fin_beyond_the_window_is_trimmed_off,
		text_that_begins_beyond_rcv_nxt_is_held_in_each_state_that_receives,
		a_fin_beyond_rcv_nxt_is_held,
		segments_that_arrive_together_are_acknowledged_together,
		a_syn_with_a_newer_timestamp_in_time_wait_is_not_judged_by_its_sequence_number,
		the_syn_again_in_syn_received_draws_the_syn_ack_again,
		NULL
	});
}
