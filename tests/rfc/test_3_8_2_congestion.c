/* test_3_8_2_congestion.c: congestion control (RFC 9293 3.8.2): slow start, congestion avoidance, fast retransmit of RFC 5681
 * 3.2, fast recovery without SACK: NewReno's partial acknowledgments of RFC 6582 3.2 with the window of RFC 9937 (PRR), which
 * takes the place of RFC 5681's inflation. Numbers are in segments of 1460 bytes. */
#include "tests/support/peer.h"

#define MSS 1460u
#define END(segments) (1 + (segments) * MSS)	/* sequence number after so many segments */

/* The next count segments, the first of them number `first` counted from 0, and nothing more. */
static void expects_segments(struct peer *p, uint32_t first, uint32_t count)
{
	for (uint32_t i = first; i < first + count; i++)
		peer_expects(p, ". %u:%u(1460) ack 1", END(i), END(i + 1));
	peer_expects_nothing(p);
}

static void acks(struct peer *p, uint32_t segments)
{
	peer_sends(p, ". 1:1(0) ack %u", END(segments));
}

/* Text for a long time: more than all windows. */
static struct peer sending(int run)
{
	peer_config()->sndbuf = 1 << 20;
	struct peer p = established(run);

	user_sends(&p, 200 * MSS);
	return p;
}

/* Ten segments in flight, of which the first is lost: the peer has sent its third duplicate ACK. */
static struct peer in_fast_recovery(int run)
{
	struct peer p = sending(run);

	expects_segments(&p, 0, 10);
	acks(&p, 0);
	acks(&p, 0);
	peer_ignores_all(&p);		/* limited transmit: segments 10 and 11 */
	acks(&p, 0);
	peer_expects(&p, ". 1:1461(1460) ack 1");
	peer_expects_nothing(&p);
	return p;
}

static void ck_cwnd(const struct peer *p, uint32_t segments)
{
	ck_assert_uint_eq(peer_info(p).snd_cwnd, segments * MSS);
}

static void ck_ssthresh(const struct peer *p, uint32_t segments)
{
	ck_assert_uint_eq(peer_info(p).snd_ssthresh, segments * MSS);
}

/* RFC 9293 3.8.2; RFC 5681 3.1; RFC 6928 2: ten segments at the beginning. */
START_TEST(the_initial_window_is_ten_segments)
{
	struct peer p = sending(_i);

	expects_segments(&p, 0, 10);
	ck_cwnd(&p, 10);
}
END_TEST

/* RFC 9293 3.8.2; RFC 5681 3.1: the initial window is a setting: here that of RFC 5681 3.1. */
START_TEST(the_initial_window_is_a_setting)
{
	peer_config()->initial_window = 3;
	struct peer p = sending(_i);

	expects_segments(&p, 0, 3);
}
END_TEST

/* RFC 5681 3.1: a SYN or SYN-ACK that was lost: one segment. */
START_TEST(after_a_lost_syn_the_initial_window_is_one_segment)
{
	peer_config()->sndbuf = 1 << 20;
	struct peer p = syn_sent(_i);

	peer_advance(&p, TAPIR_SEC);
	peer_expects(&p, "S 0:0(0)");
	peer_sends(&p, "S. 0:0(0) ack 1 <mss 1460>");
	peer_expects(&p, ". 1:1(0) ack 1");
	user_sends(&p, 20 * MSS);
	expects_segments(&p, 0, 1);

	p = syn_received(_i);
	peer_advance(&p, TAPIR_SEC);
	peer_expects(&p, "S. 0:0(0) ack 1");
	peer_sends(&p, ". 1:1(0) ack 1");
	user_accepts(&p);
	user_sends(&p, 20 * MSS);
	expects_segments(&p, 0, 1);
}
END_TEST

/* RFC 9293 3.8.2 (MUST-19); RFC 5681 3.1: slow start: each segment acknowledged lets two more out. */
START_TEST(in_slow_start_each_acknowledged_segment_lets_two_go)
{
	struct peer p = sending(_i);

	expects_segments(&p, 0, 10);
	for (uint32_t i = 0; i < 10; i++) {
		acks(&p, i + 1);
		expects_segments(&p, 10 + 2 * i, 2);
	}
	ck_cwnd(&p, 20);
	acks(&p, 14);			/* four at once: they count as four */
	expects_segments(&p, 30, 8);
	ck_cwnd(&p, 24);
}
END_TEST

/* RFC 5681 3.1: cwnd bounds what is in flight, whatever number of sends it came in. */
START_TEST(cwnd_bounds_the_flight_not_each_send)
{
	peer_config()->initial_window = 4;
	struct peer p = established(_i);

	for (uint32_t i = 0; i < 10; i++)
		user_sends(&p, MSS);
	for (uint32_t i = 0; i < 4; i++)
		peer_expects(&p, ". %u:%u(1460) ack 1", END(i), END(i + 1));
	peer_expects_nothing(&p);
	user_sends(&p, MSS);
	peer_expects_nothing(&p);
	ck_assert_uint_eq(peer_info(&p).unacked, 4 * MSS);
}
END_TEST

/* RFC 5681 3.1: the smaller of cwnd and the receiver's window counts. */
START_TEST(the_receivers_window_bounds_the_flight_too)
{
	struct peer p = sending(_i);

	expects_segments(&p, 0, 10);
	peer_sends(&p, ". 1:1(0) ack %u win %u", END(10), 3 * MSS);
	expects_segments(&p, 10, 3);
	ck_assert_uint_gt(peer_info(&p).snd_cwnd, 10 * MSS);
}
END_TEST

/* RFC 9293 3.8.2 (MUST-19); RFC 5681 3.1 equation (4): a timeout: ssthresh is half the flight, cwnd one segment; then slow
 * start up to ssthresh, and from there congestion avoidance: one segment more for each window. */
START_TEST(after_a_timeout_slow_start_up_to_ssthresh_then_congestion_avoidance)
{
	struct peer p = sending(_i);

	expects_segments(&p, 0, 10);
	peer_until_timer(&p);
	expects_segments(&p, 0, 1);
	ck_cwnd(&p, 1);
	ck_ssthresh(&p, 5);
	peer_sends(&p, ". 1:1(0) ack %u win %u", END(1), 9 * MSS);	/* nothing new: no F-RTO (RFC 5682 2.1 step 2b) */
	expects_segments(&p, 1, 2);
	acks(&p, 3);
	expects_segments(&p, 3, 4);
	ck_cwnd(&p, 4);
	acks(&p, 4);
	expects_segments(&p, 7, 2);
	ck_cwnd(&p, 5);			/* ssthresh */
	acks(&p, 8);
	expects_segments(&p, 9, 4);
	ck_cwnd(&p, 5);			/* four of five segments: not a window yet */
	acks(&p, 9);
	expects_segments(&p, 13, 2);
	ck_cwnd(&p, 6);
	acks(&p, 15);
	expects_segments(&p, 15, 7);
	ck_cwnd(&p, 7);
}
END_TEST

/* RFC 5681 3.1: a second timeout for the same segment halves nothing again. */
START_TEST(a_second_timeout_leaves_ssthresh_alone)
{
	struct peer p = sending(_i);

	expects_segments(&p, 0, 10);
	for (int i = 0; i < 3; i++) {
		peer_until_timer(&p);
		expects_segments(&p, 0, 1);
		ck_cwnd(&p, 1);
		ck_ssthresh(&p, 5);
	}
}
END_TEST

/* RFC 5681 3.1 equation (4): ssthresh is never below two segments. */
START_TEST(ssthresh_is_at_least_two_segments)
{
	struct peer p = established(_i);

	user_sends(&p, 2 * MSS);
	peer_ignores_all(&p);
	peer_until_timer(&p);
	expects_segments(&p, 0, 1);
	ck_ssthresh(&p, 2);
}
END_TEST

/* RFC 5681 3.2 step 1; RFC 3042 2: the first two duplicate ACKs each let one new segment out, beyond cwnd, which stays. */
START_TEST(the_first_two_duplicate_acks_let_new_segments_out)
{
	struct peer p = sending(_i);

	expects_segments(&p, 0, 10);
	acks(&p, 0);
	expects_segments(&p, 10, 1);
	acks(&p, 0);
	expects_segments(&p, 11, 1);
	ck_cwnd(&p, 10);
	acks(&p, 1);			/* it was only reordered: as if nothing had been */
	ck_cwnd(&p, 11);
	expects_segments(&p, 12, 0);
	acks(&p, 2);
	expects_segments(&p, 12, 2);
}
END_TEST

/* RFC 3042 2: only where the receiver's window allows it. */
START_TEST(duplicate_acks_let_nothing_beyond_the_receivers_window)
{
	peer_config()->sndbuf = 1 << 20;
	struct peer p = listening(_i);

	p.win = 10 * MSS;
	peer_opens(&p);
	user_accepts(&p);
	user_sends(&p, 20 * MSS);
	expects_segments(&p, 0, 10);
	acks(&p, 0);
	acks(&p, 0);
	peer_expects_nothing(&p);
}
END_TEST

/* RFC 9293 3.8.2; RFC 5681 3.2 steps 2 and 3: the third duplicate ACK sends the missing segment at once; ssthresh is half
 * the flight, without what limited transmit added. RFC 9937 6.2: of twelve segments one is lost and three have left, so eight
 * are in the network, and cwnd has room for the retransmission. */
START_TEST(the_third_duplicate_ack_sends_the_lost_segment_again)
{
	struct peer p = in_fast_recovery(_i);

	ck_assert_why(&p, "RFC 5681 3.2");
	ck_ssthresh(&p, 5);
	ck_cwnd(&p, 8 + 1);
}
END_TEST

/* RFC 5681 3.2: with two there is no retransmission: reordering is common. */
START_TEST(two_duplicate_acks_send_nothing_again)
{
	struct peer p = sending(_i);

	expects_segments(&p, 0, 10);
	acks(&p, 0);
	acks(&p, 0);
	expects_segments(&p, 10, 2);
	acks(&p, 10);
	peer_ignores_all(&p);
	ck_assert_uint_eq(peer_info(&p).total_retrans, 0);
}
END_TEST

/* RFC 5681 3.2 steps 4 and 5; RFC 9937 6.2: each further duplicate ACK says that a segment has left the network. While more than
 * ssthresh is in it, five leave for twelve that have, and the retransmission was one of them; from then on one for one. */
START_TEST(in_fast_recovery_duplicate_acks_let_new_segments_go_in_proportion)
{
	static const uint32_t leave[] = {0, 0, 0, 0, 1, 1, 1, 1};	/* for the fourth to the eleventh */
	struct peer p = in_fast_recovery(_i);
	uint32_t next = 12;

	for (size_t i = 0; i < sizeof leave / sizeof leave[0]; i++) {
		acks(&p, 0);
		expects_segments(&p, next, leave[i]);
		next += leave[i];
	}
	ck_assert_uint_eq(peer_info(&p).total_retrans, 1);
	ck_cwnd(&p, 5);			/* which is ssthresh, one round trip later */
}
END_TEST

/* RFC 5681 3.2 step 6; RFC 6582 3.2 step 3 (2); RFC 9937 6.4: the ACK of all that was sent before ends recovery: cwnd is
 * ssthresh, and congestion avoidance goes on from there. */
START_TEST(a_full_ack_ends_fast_recovery_with_cwnd_at_ssthresh)
{
	struct peer p = in_fast_recovery(_i);

	acks(&p, 12);
	ck_cwnd(&p, 5);
	ck_ssthresh(&p, 5);
	expects_segments(&p, 12, 5);
	acks(&p, 16);
	ck_cwnd(&p, 5);
	expects_segments(&p, 17, 4);
	acks(&p, 17);
	ck_cwnd(&p, 6);
	expects_segments(&p, 21, 2);
}
END_TEST

/* RFC 6582 3.2 step 3: a partial ACK shows the next hole, which is filled at once, once, without waiting for duplicates. What
 * the duplicate ACKs have counted the partial ACK does not deliver again (RFC 9937 6.2). */
START_TEST(a_partial_ack_sends_the_next_hole)
{
	struct peer p = in_fast_recovery(_i);

	acks(&p, 4);
	peer_expects(&p, ". %u:%u(1460) ack 1", END(4), END(5));
	ck_assert_why(&p, "RFC 6582 3.2");
	peer_expects_nothing(&p);
	acks(&p, 4);			/* eight are in the network, three more than ssthresh, and one has left it */
	peer_expects_nothing(&p);
	acks(&p, 7);
	peer_expects(&p, ". %u:%u(1460) ack 1", END(7), END(8));
	peer_expects_nothing(&p);
	ck_cwnd(&p, 5);
	acks(&p, 12);
	ck_cwnd(&p, 5);
	expects_segments(&p, 12, 5);
	ck_assert_uint_eq(peer_info(&p).total_retrans, 3);
}
END_TEST

/* RFC 6298 5.3: each new ACK restarts the retransmission timer, a partial one, too: RFC 6582 4 calls it Slow-but-Steady (recovery.c
 * says why it deviates from 3.2 step 3). */
START_TEST(each_partial_ack_restarts_the_timer)
{
	struct peer p = in_fast_recovery(_i);
	usec_t rto = peer_info(&p).rto_us, start;

	peer_advance(&p, rto / 2);
	acks(&p, 2);
	start = peer_now(&p);
	peer_expects(&p, ". %u:%u(1460) ack 1", END(2), END(3));
	peer_advance(&p, rto / 2);
	acks(&p, 4);
	peer_expects(&p, ". %u:%u(1460) ack 1", END(4), END(5));
	peer_until_timer(&p);
	ck_assert_uint_eq(peer_now(&p) - start, rto / 2 + rto);
	peer_expects(&p, ". %u:%u(1460) ack 1", END(4), END(5));
	ck_assert_why(&p, "RFC 6298 5.4");
	ck_cwnd(&p, 1);
}
END_TEST

/* RFC 6582 3.2 steps 2 and 4: after a timeout, duplicate ACKs that the old flight caused start no fast retransmit. */
START_TEST(after_a_timeout_duplicate_acks_of_the_old_flight_start_no_fast_retransmit)
{
	struct peer p = sending(_i);
	uint32_t ssthresh;

	expects_segments(&p, 0, 10);
	peer_until_timer(&p);
	expects_segments(&p, 0, 1);
	ssthresh = peer_info(&p).snd_ssthresh;
	for (int i = 0; i < 5; i++)
		acks(&p, 0);
	peer_ignores_all(&p);
	ck_assert_uint_eq(peer_info(&p).snd_ssthresh, ssthresh);
	ck_assert_uint_eq(peer_info(&p).total_retrans, 1);
}
END_TEST

/* RFC 5681 2: an ACK that brings text, another window, or comes while nothing is outstanding, is no duplicate. */
START_TEST(acks_with_text_or_another_window_are_no_duplicates)
{
	struct peer p = sending(_i);

	expects_segments(&p, 0, 10);
	for (uint32_t i = 0; i < 6; i++) {
		peer_sends(&p, ". %u:%u(10) ack 1", 1 + 10 * i, 11 + 10 * i);
		peer_expects(&p, ". %u:%u(0) ack %u", END(10), END(10), 11 + 10 * i);
	}
	for (uint32_t i = 1; i < 7; i++)
		peer_sends(&p, ". 61:61(0) ack 1 win %u", 65535 - i);
	peer_expects_nothing(&p);
	ck_assert_uint_eq(peer_info(&p).total_retrans, 0);
	ck_cwnd(&p, 10);

	p = established(_i);
	for (int i = 0; i < 6; i++)
		acks(&p, 0);
	user_sends(&p, 2 * MSS);
	peer_ignores_all(&p);
	ck_assert_uint_eq(peer_info(&p).total_retrans, 0);
}
END_TEST

/* Twelve segments sent and acknowledged from an initial window of four: four, eight, and cwnd is sixteen. */
static struct peer warmed_up(int run)
{
	peer_config()->initial_window = 4;
	peer_config()->sndbuf = 1 << 20;
	struct peer p = established(run);

	user_sends(&p, 12 * MSS);
	ck_assert_uint_eq(peer_ignores_all(&p), 4);
	acks(&p, 4);
	ck_assert_uint_eq(peer_ignores_all(&p), 8);
	acks(&p, 12);
	ck_cwnd(&p, 16);
	return p;
}

/* RFC 5681 4.1: after more than an RTO without sending, cwnd is at most the initial window: what the ACKs clocked is stale. */
START_TEST(after_an_idle_time_sending_starts_with_the_initial_window)
{
	struct peer p = warmed_up(_i);

	peer_advance(&p, peer_info(&p).rto_us + 1);
	user_sends(&p, 20 * MSS);
	expects_segments(&p, 12, 4);
	ck_cwnd(&p, 4);
}
END_TEST

/* RFC 5681 4.1: a shorter pause is none. */
START_TEST(a_pause_shorter_than_the_rto_keeps_cwnd)
{
	struct peer p = warmed_up(_i);

	peer_advance(&p, peer_info(&p).rto_us);
	user_sends(&p, 20 * MSS);
	expects_segments(&p, 12, 16);
}
END_TEST

/* RFC 7661 4.4.1: a window that the program did not fill says nothing about the path: cwnd does not grow. */
START_TEST(an_unused_window_does_not_grow)
{
	struct peer p = established(_i);

	for (uint32_t i = 0; i < 20; i++) {
		user_sends(&p, 100);
		peer_expects(&p, "P. %u:%u(100) ack 1", 1 + 100 * i, 101 + 100 * i);
		peer_sends(&p, ". 1:1(0) ack %u", 101 + 100 * i);
	}
	ck_cwnd(&p, 10);
}
END_TEST

Suite *suite(void)
{
	return peer_suite("RFC 9293 3.8.2 congestion control", (const TTest *[]){
		the_initial_window_is_ten_segments,
		the_initial_window_is_a_setting,
		after_a_lost_syn_the_initial_window_is_one_segment,
		in_slow_start_each_acknowledged_segment_lets_two_go,
		cwnd_bounds_the_flight_not_each_send,
		the_receivers_window_bounds_the_flight_too,
		after_a_timeout_slow_start_up_to_ssthresh_then_congestion_avoidance,
		a_second_timeout_leaves_ssthresh_alone,
		ssthresh_is_at_least_two_segments,
		the_first_two_duplicate_acks_let_new_segments_out,
		duplicate_acks_let_nothing_beyond_the_receivers_window,
		the_third_duplicate_ack_sends_the_lost_segment_again,
		two_duplicate_acks_send_nothing_again,
		in_fast_recovery_duplicate_acks_let_new_segments_go_in_proportion,
		a_full_ack_ends_fast_recovery_with_cwnd_at_ssthresh,
		a_partial_ack_sends_the_next_hole,
		each_partial_ack_restarts_the_timer,
		after_a_timeout_duplicate_acks_of_the_old_flight_start_no_fast_retransmit,
		acks_with_text_or_another_window_are_no_duplicates,
		after_an_idle_time_sending_starts_with_the_initial_window,
		a_pause_shorter_than_the_rto_keeps_cwnd,
		an_unused_window_does_not_grow,
		NULL
	});
}
