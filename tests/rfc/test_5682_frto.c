/* test_5682_frto.c: F-RTO (RFC 5682): was a timeout spurious? New text asks, and the answer decides. Without timestamps, which
 * would tell at once (test_4015_undo.c), and without probes, which would come before the timeout. */
#include "tests/support/flight.h"

/* Ten segments, 1 to 10, in flight, and the timeout has sent the first of them again. */
static struct peer timed_out(int run)
{
	struct peer p;

	peer_config()->tlp = false;
	p = ten_in_flight(run);
	peer_advance(&p, peer_info(&p).rto_us);
	expects_segments(&p, 1, 1);
	ck_assert_why(&p, "RFC 6298 5.4");
	ck_cwnd(&p, 1);
	ck_ssthresh(&p, 5);
	return p;
}

/* The same without SACK; the first segment is number 0. */
static struct peer timed_out_without_sack(int run)
{
	struct peer p;

	peer_config()->sndbuf = 1 << 20;
	p = established(run);
	user_sends(&p, 200 * MSS);
	expects_segments(&p, 0, 10);
	peer_until_timer(&p);
	expects_segments(&p, 0, 1);
	return p;
}

/* RFC 5682 3.1 steps 2b and 3b: the ACK of what went again lets two new segments go; if the next ACK is for what went once,
 * before the timeout, that has only been late: nothing else goes again, and the window is as it was. */
START_TEST(an_ack_of_what_went_once_shows_that_the_timeout_was_spurious)
{
	struct peer p = timed_out(_i);

	acks(&p, 2);
	expects_segments(&p, 11, 2);
	ck_cwnd(&p, 2);
	acks(&p, 3);
	ck_assert_uint_ge(peer_info(&p).snd_ssthresh, 100 * MSS);	/* slow start, as before */
	ck_cwnd(&p, 10 + 1);				/* in flight, and what is acknowledged (RFC 4015 3.1 step 9) */
	expects_segments(&p, 13, 1);
	for (uint32_t n = 4; n <= 14; n++)
		acks(&p, n);
	peer_ignores_all(&p);
	ck_retransmissions(&p, 1);
}
END_TEST

/* RFC 5682 3.1 step 3b: also if SACK says so. */
START_TEST(a_sack_of_what_went_once_shows_it_too)
{
	struct peer p = timed_out(_i);

	acks(&p, 2);
	expects_segments(&p, 11, 2);
	sacks(&p, 2, 3, 4);
	ck_assert_uint_ge(peer_info(&p).snd_ssthresh, 100 * MSS);
	peer_ignores_all(&p);
	ck_retransmissions(&p, 1);
}
END_TEST

/* RFC 5682 3.1 step 3a: if the next ACK says that only the new text has arrived, the loss was real: what was lost goes again, in a
 * window of three segments. */
START_TEST(an_ack_of_new_text_shows_that_the_loss_was_real)
{
	struct peer p = timed_out(_i);

	acks(&p, 2);
	expects_segments(&p, 11, 2);
	peer_advance(&p, RTT);
	sacks(&p, 2, 11, 12);
	expects_segments(&p, 2, 2);
	ck_cwnd(&p, 3);
	ck_ssthresh(&p, 5);
	sacks(&p, 2, 11, 13);
	expects_segments(&p, 4, 1);
}
END_TEST

/* RFC 5682 3.1 step 3a: a duplicate ACK that says nothing new, too. */
START_TEST(a_duplicate_ack_shows_that_the_loss_was_real)
{
	struct peer p = timed_out(_i);

	acks(&p, 2);
	expects_segments(&p, 11, 2);
	acks(&p, 2);
	expects_segments(&p, 2, 1);
	ck_cwnd(&p, 3);
}
END_TEST

/* RFC 5682 3.1 step 2: SACKs that come before the ACK of what went again are noted, and decide nothing. */
START_TEST(sacks_before_the_ack_of_what_went_again_decide_nothing)
{
	struct peer p = timed_out(_i);

	sacks(&p, 1, 2, 4);
	sacks(&p, 1, 2, 5);
	peer_expects_nothing(&p);
	ck_ssthresh(&p, 5);
	peer_advance(&p, RTT);
	sacks(&p, 5, 6, 7);				/* one ACK for both: step 2 again */
	ck_ssthresh(&p, 5);
	peer_ignores_all(&p);
}
END_TEST

/* RFC 5682 3.1 step 2a: if everything is acknowledged at once nothing can be told: the timeout counts. */
START_TEST(an_ack_of_everything_decides_nothing)
{
	struct peer p = timed_out(_i);

	acks(&p, 11);
	ck_ssthresh(&p, 5);
	ck_assert_uint_le(peer_info(&p).snd_cwnd, 2 * MSS);
	expects_segments(&p, 11, peer_info(&p).snd_cwnd / MSS);
}
END_TEST

/* RFC 5682 3.1 step 2b: without anything new to send it is a timeout like any other. */
START_TEST(without_new_text_what_was_lost_goes_again)
{
	struct peer p;

	peer_config()->tlp = false;
	p = flying(_i, 10);
	peer_ignores_all(&p);
	peer_advance(&p, peer_info(&p).rto_us);
	expects_segments(&p, 1, 1);
	acks(&p, 2);
	expects_segments(&p, 2, 2);
	ck_ssthresh(&p, 5);
}
END_TEST

/* RFC 5682 3.1 step 2b: the receiver's window may forbid it as well, as it is after that ACK. */
START_TEST(without_room_in_the_window_what_was_lost_goes_again)
{
	struct peer p = timed_out(_i);

	peer_sends(&p, ". 1:1(0) ack %u win %u", END(2), 9 * MSS);
	expects_segments(&p, 2, 2);
}
END_TEST

/* RFC 5682 2.1 step 2 (and 3.1): an ACK of a part of what went again proves nothing. */
START_TEST(an_ack_of_a_part_decides_nothing)
{
	struct peer p = timed_out(_i);

	peer_sends(&p, ". 1:1(0) ack %u", END(1) + 700);
	peer_ignores_all(&p);
	ck_retransmissions(&p, 2);
	acks(&p, 4);
	ck_ssthresh(&p, 5);
	peer_ignores_all(&p);
}
END_TEST

/* RFC 5682 3.1 step 1: a timeout in the midst of recovery is not tried. */
START_TEST(a_timeout_in_recovery_is_not_tried)
{
	struct peer p;

	peer_config()->tlp = false;
	p = ten_in_flight(_i);
	peer_advance(&p, RTT);
	sacks(&p, 1, 2, 5);
	expects_segments(&p, 1, 1);
	peer_advance(&p, peer_info(&p).rto_us);
	expects_segments(&p, 1, 1);
	ck_assert_why(&p, "RFC 6298 5.4");
	peer_advance(&p, RTT);
	acks(&p, 5);
	expects_segments(&p, 5, 2);			/* what is lost, not what is new */
}
END_TEST

/* RFC 5682 3.1 step 1: but a second timeout of the same segment is. */
START_TEST(a_second_timeout_of_the_same_segment_is_tried)
{
	struct peer p = timed_out(_i);

	peer_until_timer(&p);
	expects_segments(&p, 1, 1);
	acks(&p, 2);
	expects_segments(&p, 11, 2);
	acks(&p, 3);
	ck_assert_uint_ge(peer_info(&p).snd_ssthresh, 100 * MSS);
	peer_ignores_all(&p);
	ck_retransmissions(&p, 2);
}
END_TEST

/* RFC 5682 2.1 step 3b: without SACK two ACKs that go on decide. */
START_TEST(without_sack_two_advancing_acks_show_that_the_timeout_was_spurious)
{
	struct peer p = timed_out_without_sack(_i);

	ck_ssthresh(&p, 5);
	acks(&p, 1);
	expects_segments(&p, 10, 2);
	acks(&p, 2);
	ck_assert_uint_ge(peer_info(&p).snd_ssthresh, 100 * MSS);
	peer_ignores_all(&p);
	ck_retransmissions(&p, 1);
}
END_TEST

/* RFC 5682 2.1 step 3a: a duplicate ACK after the new segments: they have met a hole. */
START_TEST(without_sack_a_duplicate_ack_shows_that_the_loss_was_real)
{
	struct peer p = timed_out_without_sack(_i);

	acks(&p, 1);
	expects_segments(&p, 10, 2);
	acks(&p, 1);
	expects_segments(&p, 1, 1);
	ck_cwnd(&p, 3);
	ck_ssthresh(&p, 5);
}
END_TEST

/* RFC 5682 2.1 step 2a: without SACK a duplicate ACK right after the timeout ends the trial. */
START_TEST(without_sack_a_duplicate_ack_first_decides_nothing)
{
	struct peer p = timed_out_without_sack(_i);

	acks(&p, 0);
	peer_expects_nothing(&p);
	acks(&p, 1);
	expects_segments(&p, 1, 2);
	ck_ssthresh(&p, 5);
}
END_TEST

Suite *suite(void)
{
	return peer_suite("RFC 5682 F-RTO", (const TTest *[]){
		an_ack_of_what_went_once_shows_that_the_timeout_was_spurious,
		a_sack_of_what_went_once_shows_it_too,
		an_ack_of_new_text_shows_that_the_loss_was_real,
		a_duplicate_ack_shows_that_the_loss_was_real,
		sacks_before_the_ack_of_what_went_again_decide_nothing,
		an_ack_of_everything_decides_nothing,
		without_new_text_what_was_lost_goes_again,
		without_room_in_the_window_what_was_lost_goes_again,
		an_ack_of_a_part_decides_nothing,
		a_timeout_in_recovery_is_not_tried,
		a_second_timeout_of_the_same_segment_is_tried,
		without_sack_two_advancing_acks_show_that_the_timeout_was_spurious,
		without_sack_a_duplicate_ack_shows_that_the_loss_was_real,
		without_sack_a_duplicate_ack_first_decides_nothing,
		NULL
	});
}
