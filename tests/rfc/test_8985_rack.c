/* test_8985_rack.c: RACK (RFC 8985 6): what was sent before something that has been delivered, by more than the reordering window,
 * is lost. The path takes RTT; the reordering window begins as a quarter of it. */
#include "tests/support/flight.h"

#define WINDOW (RTT / 4)

/* Nothing more leaves for so long, less a microsecond; then segment n goes again. */
static void goes_again_after(struct peer *p, usec_t us, uint32_t n)
{
	peer_advance(p, us - 1);
	peer_expects_nothing(p);
	peer_advance(p, 1);
	peer_expects(p, ". %u:%u(1460) ack 1", END(n), END(n + 1));
}

/* The first of two segments, n, is overtaken by the other, but arrives in time. */
static void is_reordered(struct peer *p, uint32_t n)
{
	user_sends(p, 2 * MSS);
	ck_assert_uint_eq(peer_ignores_all(p), 2);
	peer_advance(p, RTT);
	sacks(p, n, n + 1, n + 2);
	acks(p, n + 2);
	peer_expects_nothing(p);
}

/* RFC 8985 6.2 step 4: as long as nothing was reordered, the third SACKed segment means that the first is lost, at once. */
START_TEST(three_sacked_segments_mean_a_loss_at_once)
{
	struct peer p = ten_in_flight(_i);

	peer_advance(&p, RTT);
	sacks(&p, 1, 2, 4);
	expects_segments(&p, 11, 2);
	sacks(&p, 1, 2, 5);
	expects_segments(&p, 1, 1);
	ck_assert_why(&p, "RFC 8985 6.2 step 5");
	ck_ssthresh(&p, 5);
}
END_TEST

/* RFC 8985 6.2 step 4, RACK.segs_sacked: it is segments that are counted, however small they are. */
START_TEST(three_small_segments_are_three_segments)
{
	struct peer p = flying(_i, 0);

	ck_assert_error(tapir_setsockopt(p.t, p.sd, TAPIR_TCP_NODELAY, 1), 0);
	for (uint32_t at = 1461; at < 1501; at += 10) {
		user_sends(&p, 10);
		peer_expects(&p, "P. %u:%u(10) ack 1", at, at + 10);
	}
	peer_advance(&p, RTT);
	peer_sends(&p, ". 1:1(0) ack 1461 <nop,nop,sack 1471:1491>");
	peer_expects_nothing(&p);
	peer_sends(&p, ". 1:1(0) ack 1461 <nop,nop,sack 1471:1501>");
	peer_expects(&p, ". 1461:1471(10) ack 1");
	peer_expects_nothing(&p);
}
END_TEST

/* RFC 8985 6.2 step 5: one SACKed segment is enough, once the reordering window has passed; a timer sees to it. */
START_TEST(one_sacked_segment_means_a_loss_when_the_reordering_window_has_passed)
{
	struct peer p = ten_in_flight(_i);

	peer_advance(&p, RTT);
	sacks(&p, 1, 2, 3);
	expects_segments(&p, 11, 1);			/* RFC 3042 */
	goes_again_after(&p, WINDOW, 1);
	ck_assert_why(&p, "RFC 8985 6.2 step 5");
	peer_expects_nothing(&p);			/* not the others, which are after the SACKed one */
}
END_TEST

/* RFC 8985 6.2 step 5: the timer waits for the last of those that were sent before the delivered one. */
START_TEST(the_timer_expires_when_the_last_of_the_doubtful_would_be_lost)
{
	struct peer p = flying(_i, 0);

	ck_assert_error(tapir_setsockopt(p.t, p.sd, TAPIR_TCP_NODELAY, 1), 0);
	for (uint32_t n = 1; n < 4; n++) {
		user_sends(&p, MSS);
		peer_expects(&p, "P. %u:%u(1460) ack 1", END(n), END(n + 1));
		peer_advance(&p, 5 * TAPIR_MS);
	}
	peer_advance(&p, RTT - 5 * TAPIR_MS);
	sacks(&p, 1, 3, 4);				/* 1 and 2 were sent 10 and 5 ms before 3 */
	peer_advance(&p, WINDOW - 5 * TAPIR_MS - 1);
	peer_expects_nothing(&p);
	peer_advance(&p, 1);
	expects_segments(&p, 1, 1);			/* the second is lost, too, but PRR lets one go */
	peer_advance(&p, RTT);
	acks(&p, 2);
	expects_segments(&p, 2, 1);
}
END_TEST

/* RFC 8985 6.2 step 5: an ACK on the way finds those lost whose time has passed. */
START_TEST(an_ack_finds_what_is_lost_by_then)
{
	struct peer p = flying(_i, 0);

	ck_assert_error(tapir_setsockopt(p.t, p.sd, TAPIR_TCP_NODELAY, 1), 0);
	for (uint32_t n = 1; n < 5; n++) {
		user_sends(&p, MSS);
		peer_expects(&p, "P. %u:%u(1460) ack 1", END(n), END(n + 1));
		peer_advance(&p, 5 * TAPIR_MS);
	}
	peer_advance(&p, RTT - 10 * TAPIR_MS);
	sacks(&p, 1, 3, 4);
	peer_advance(&p, 5 * TAPIR_MS);
	sacks(&p, 1, 3, 5);				/* 1 will be lost in 10 ms, 2 in 15 */
	peer_advance(&p, 12 * TAPIR_MS);
	peer_expects_nothing(&p);
	sacks(&p, 1, 3, 5);				/* nothing new */
	expects_segments(&p, 1, 1);
}
END_TEST

/* RFC 8985 6.2 step 3: what arrives late, but within the window, was reordered: nothing goes again, and no window shrinks. */
START_TEST(reordering_within_the_window_sends_nothing_again)
{
	struct peer p = ten_in_flight(_i);

	peer_advance(&p, RTT);
	sacks(&p, 1, 2, 3);
	expects_segments(&p, 11, 1);
	peer_advance(&p, WINDOW - 1);
	acks(&p, 3);
	peer_ignores_all(&p);
	peer_advance(&p, RTT - WINDOW);
	acks(&p, 12);
	peer_ignores_all(&p);
	ck_retransmissions(&p, 0);
	ck_assert_uint_ge(peer_info(&p).snd_cwnd, 10 * MSS);
}
END_TEST

/* RFC 8985 6.2 step 4: on a path that was seen to reorder, DupThresh decides nothing any more: the window does. */
START_TEST(after_reordering_three_sacked_segments_wait_for_the_window)
{
	struct peer p = flying(_i, 0);

	is_reordered(&p, 1);
	user_sends(&p, 4 * MSS);
	ck_assert_uint_eq(peer_ignores_all(&p), 4);
	peer_advance(&p, RTT);
	sacks(&p, 3, 4, 7);
	goes_again_after(&p, WINDOW, 3);
	ck_retransmissions(&p, 1);
}
END_TEST

/* RFC 8985 6.2 step 3: what was sent again and then arrives below the highest is no sign of reordering. */
START_TEST(a_retransmission_that_arrives_is_no_reordering)
{
	struct peer p = ten_in_flight(_i);

	peer_advance(&p, RTT);
	sacks(&p, 1, 2, 11);
	peer_ignores_all(&p);
	peer_advance(&p, RTT);
	acks(&p, 11);
	peer_ignores_all(&p);
	peer_advance(&p, RTT);
	acks(&p, 12);
	peer_ignores_all(&p);
	sacks(&p, 12, 13, 16);
	peer_expects(&p, ". %u:%u(1460) ack 1", END(12), END(13));	/* DupThresh still counts */
}
END_TEST

/* RFC 8985 6.2 step 3, "in ascending order of Segment.end_seq": two blocks of one ACK, the later text first as RFC 2018 4 wants it,
 * are no reordering: another ACK was lost. */
START_TEST(two_blocks_of_one_ack_are_no_reordering)
{
	struct peer p = ten_in_flight(_i);
	char blocks[64];

	peer_advance(&p, RTT);
	snprintf(blocks, sizeof blocks, "%u:%u %u:%u", END(4), END(5), END(2), END(3));
	acks_with(&p, 1, blocks, 0);
	expects_segments(&p, 11, 2);
	sacks(&p, 1, 5, 6);
	peer_expects(&p, ". %u:%u(1460) ack 1", END(1), END(2));	/* DupThresh counts: nothing was reordered */
}
END_TEST

/* The first of four segments, n, is overtaken by the others and goes again after `wait`; then the original arrives, and a
 * round trip later a DSACK reports the retransmission. */
static void is_sent_in_vain(struct peer *p, uint32_t n, usec_t wait)
{
	user_sends(p, 4 * MSS);
	ck_assert_uint_eq(peer_ignores_all(p), 4);
	peer_advance(p, RTT);
	sacks(p, n, n + 1, n + 4);
	goes_again_after(p, wait, n);
	acks(p, n + 4);
	peer_advance(p, RTT);
	dsacks(p, n + 4, n, n + 1);
	peer_expects_nothing(p);
}

/* RFC 8985 6.2 step 4: each round trip that brings a DSACK makes the window wider by a quarter of the least RTT, up to SRTT. */
START_TEST(dsacks_widen_the_window_up_to_srtt)
{
	struct peer p = flying(_i, 0);

	is_reordered(&p, 1);
	for (uint32_t i = 1; i < 7; i++)
		is_sent_in_vain(&p, 4 * i - 1, i < 4 ? i * WINDOW : RTT);
}
END_TEST

/* RFC 8985 6.2 step 4: after sixteen recoveries without a DSACK the window is what it was. */
START_TEST(after_sixteen_recoveries_the_window_is_narrow_again)
{
	struct peer p = flying(_i, 0);
	uint32_t n = 7;

	is_reordered(&p, 1);
	is_sent_in_vain(&p, 3, WINDOW);
	for (uint32_t i = 0; i <= 16; i++, n += 2) {
		user_sends(&p, 2 * MSS);
		ck_assert_uint_eq(peer_ignores_all(&p), 2);
		peer_advance(&p, RTT);
		sacks(&p, n, n + 1, n + 2);
		goes_again_after(&p, i < 16 ? 2 * WINDOW : WINDOW, n);
		peer_advance(&p, RTT);
		acks(&p, n + 2);
	}
}
END_TEST

/* RFC 8985 6.2 step 5: a retransmission is like any other: if something sent later arrives, it is lost, too. */
START_TEST(a_lost_retransmission_is_found_without_a_timeout)
{
	struct peer p = ten_in_flight(_i);

	peer_advance(&p, RTT);
	sacks(&p, 1, 2, 5);
	expects_segments(&p, 1, 1);
	sacks(&p, 1, 2, 11);				/* everything else that was in flight */
	ck_assert_uint_ge(peer_ignores_all(&p), 3);	/* 11 and more, after the retransmission */
	peer_advance(&p, RTT);
	peer_expects_nothing(&p);
	sacks(&p, 1, 2, 12);
	peer_expects(&p, ". %u:%u(1460) ack 1", END(1), END(2));
	ck_assert_why(&p, "RFC 8985 6.2 step 5");
	peer_ignores_all(&p);
	ck_retransmissions(&p, 2);
	ck_ssthresh(&p, 5);				/* no further reduction in the same recovery */
}
END_TEST

/* RFC 8985 6.2 step 2: an ACK that follows a retransmission sooner than the least RTT is for the original: what was sent between
 * the two is not lost because of it. */
START_TEST(an_ack_that_comes_too_soon_is_for_the_original)
{
	struct peer p = ten_in_flight(_i);

	peer_advance(&p, RTT);
	sacks(&p, 1, 2, 5);
	expects_segments(&p, 1, 1);
	peer_advance(&p, 10 * TAPIR_MS);
	acks(&p, 5);
	peer_ignores_all(&p);
	peer_advance(&p, WINDOW + TAPIR_MS);
	ck_assert_uint_eq(peer_ignores_all(&p), 0);
	ck_retransmissions(&p, 1);
}
END_TEST

/* RFC 8985 6.2 step 2: with timestamps the echo tells, however late the ACK is. */
START_TEST(an_ack_that_echoes_an_older_timestamp_is_for_the_original)
{
	uint32_t before;

	peer_config()->timestamps = true;
	struct peer p = ten_in_flight(_i);

	before = p.ts_last - p.ts_first;
	peer_advance(&p, RTT);
	sacks(&p, 1, 2, 5);
	expects_segments(&p, 1, 1);
	peer_advance(&p, RTT + TAPIR_MS);		/* the flight is late, or lost; the retransmission could be back */
	acks_with(&p, 2, "", before);
	peer_ignores_all(&p);
	ck_retransmissions(&p, 1);
}
END_TEST

/* RFC 8985 6.3: a timeout takes the first segment for lost, and of the others those that were sent a round trip ago. */
START_TEST(a_timeout_spares_what_was_sent_just_now)
{
	struct peer p;
	usec_t rto;

	peer_config()->tlp = false;
	p = flying(_i, 0);
	ck_assert_error(tapir_setsockopt(p.t, p.sd, TAPIR_TCP_NODELAY, 1), 0);
	rto = peer_info(&p).rto_us;
	for (uint32_t n = 1; n < 4; n++) {
		user_sends(&p, MSS);
		peer_expects(&p, "P. %u:%u(1460) ack 1", END(n), END(n + 1));
	}
	peer_advance(&p, rto - RTT / 2);
	for (uint32_t n = 4; n < 7; n++) {
		user_sends(&p, MSS);
		peer_expects(&p, "P. %u:%u(1460) ack 1", END(n), END(n + 1));
	}
	peer_advance(&p, RTT / 2);
	expects_segments(&p, 1, 1);
	ck_assert_why(&p, "RFC 6298 5.4");
	peer_advance(&p, 10 * TAPIR_MS);
	acks(&p, 4);
	peer_expects_nothing(&p);
	peer_advance(&p, RTT);
	acks(&p, 7);
	ck_retransmissions(&p, 1);
	ck_assert_uint_eq(peer_info(&p).unacked, 0);
}
END_TEST

/* RFC 8985 8: the RTO does not cut the reordering window short. */
START_TEST(the_rto_waits_for_the_reordering_timer)
{
	struct peer p;
	usec_t rto;

	peer_config()->rto_min_us = TAPIR_MS;
	peer_config()->tlp = false;
	p = flying(_i, 0);
	for (uint32_t n = 1; n < 60; n++) {		/* a steady path: the RTO comes close to the RTT */
		user_sends(&p, MSS);
		peer_expects(&p, "P. %u:%u(1460) ack 1", END(n), END(n + 1));
		peer_advance(&p, RTT);
		acks(&p, n + 1);
	}
	rto = peer_info(&p).rto_us;
	ck_assert_uint_lt(rto, RTT + WINDOW);
	user_sends(&p, 3 * MSS);
	peer_ignores_all(&p);
	peer_advance(&p, RTT);
	sacks(&p, 60, 61, 62);
	goes_again_after(&p, WINDOW, 60);
	ck_assert_why(&p, "RFC 8985 6.2 step 5");
	ck_assert_uint_eq(peer_info(&p).retransmits, 0);
}
END_TEST

/* RFC 8985 9.1, example 1: of three segments the first and the last are lost; no timeout is needed. */
START_TEST(losses_at_the_front_and_at_the_tail_need_no_timeout)
{
	struct peer p = flying(_i, 0);

	ck_assert_error(tapir_setsockopt(p.t, p.sd, TAPIR_TCP_NODELAY, 1), 0);
	for (uint32_t n = 1; n < 4; n++) {
		user_sends(&p, MSS);
		peer_expects(&p, "P. %u:%u(1460) ack 1", END(n), END(n + 1));
		peer_advance(&p, 30 * TAPIR_MS);	/* more than the window */
	}
	peer_advance(&p, RTT - 60 * TAPIR_MS);
	sacks(&p, 1, 2, 3);
	expects_segments(&p, 1, 1);
	peer_advance(&p, RTT);
	acks(&p, 3);
	peer_expects(&p, "P. %u:%u(1460) ack 1", END(3), END(4));
	peer_advance(&p, RTT);
	acks(&p, 4);
	ck_retransmissions(&p, 2);
	ck_assert_uint_eq(peer_info(&p).unacked, 0);
}
END_TEST

Suite *suite(void)
{
	return peer_suite("RFC 8985 RACK", (const TTest *[]){
		three_sacked_segments_mean_a_loss_at_once,
		three_small_segments_are_three_segments,
		one_sacked_segment_means_a_loss_when_the_reordering_window_has_passed,
		the_timer_expires_when_the_last_of_the_doubtful_would_be_lost,
		an_ack_finds_what_is_lost_by_then,
		reordering_within_the_window_sends_nothing_again,
		after_reordering_three_sacked_segments_wait_for_the_window,
		a_retransmission_that_arrives_is_no_reordering,
		two_blocks_of_one_ack_are_no_reordering,
		dsacks_widen_the_window_up_to_srtt,
		after_sixteen_recoveries_the_window_is_narrow_again,
		a_lost_retransmission_is_found_without_a_timeout,
		an_ack_that_comes_too_soon_is_for_the_original,
		an_ack_that_echoes_an_older_timestamp_is_for_the_original,
		a_timeout_spares_what_was_sent_just_now,
		the_rto_waits_for_the_reordering_timer,
		losses_at_the_front_and_at_the_tail_need_no_timeout,
		NULL
	});
}
