/* test_6937_prr.c: Proportional Rate Reduction (RFC 9937, which obsoletes RFC 6937; with SACK, the losses found by RACK): how much
 * leaves in recovery for what is delivered. Ten segments are in flight, 1 to 10, and ssthresh is five. Without SACK:
 * test_3_8_2_congestion.c. */
#include "tests/support/flight.h"

/* The first of ten is lost: limited transmit has sent 11 and 12, the third SACK has sent 1 again. */
static struct peer recovering(int run)
{
	struct peer p = ten_in_flight(run);

	peer_advance(&p, RTT);
	sacks(&p, 1, 2, 3);
	sacks(&p, 1, 2, 4);
	expects_segments(&p, 11, 2);
	sacks(&p, 1, 2, 5);
	expects_segments(&p, 1, 1);
	ck_ssthresh(&p, 5);
	return p;
}

/* RFC 9937 6.2: while more than ssthresh is in flight, ssthresh / RecoverFS of what is delivered leaves; RecoverFS is what
 * could still be delivered when recovery began: twelve segments, less the two that had been SACKed before: one for two. */
START_TEST(while_the_flight_is_too_large_one_leaves_for_two)
{
	struct peer p = recovering(_i);
	uint32_t next = 13;

	for (uint32_t n = 6; n <= 9; n++) {	/* the fifth to the eighth */
		bool leaves = n == 8;		/* the retransmission was ahead of its time */

		sacks(&p, 1, 2, n);
		expects_segments(&p, next, leaves);
		next += leaves;
	}
	ck_retransmissions(&p, 1);
}
END_TEST

/* RFC 9937 6.2: from ssthresh on, what is delivered is what leaves, so that after a round trip the flight is ssthresh. */
START_TEST(the_flight_ends_at_ssthresh)
{
	struct peer p = recovering(_i);

	for (uint32_t n = 6; n <= 13; n++) {
		sacks(&p, 1, 2, n);
		peer_ignores_all(&p);
	}
	ck_cwnd(&p, 5);
	ck_assert_uint_eq(peer_info(&p).unacked, (12 + 4) * MSS);	/* eleven SACKed, one sent again, and four new */
}
END_TEST

/* RFC 9937 6.4: the ACK that ends recovery leaves cwnd at ssthresh, and adds nothing for what it acknowledges. */
START_TEST(the_last_ack_leaves_cwnd_at_ssthresh)
{
	struct peer p = recovering(_i);

	peer_advance(&p, RTT);
	acks(&p, 13);
	expects_segments(&p, 13, 5);
	ck_cwnd(&p, 5);
	ck_ssthresh(&p, 5);
}
END_TEST

/* RFC 9937 6.2: a burst of losses takes the flight below ssthresh at once: then not more leaves than is delivered, but the first
 * retransmission leaves in any case. */
START_TEST(after_a_burst_of_losses_only_what_is_delivered_leaves)
{
	struct peer p = ten_in_flight(_i);

	peer_advance(&p, RTT);
	sacks(&p, 1, 8, 9);
	expects_segments(&p, 11, 1);
	sacks(&p, 1, 8, 10);
	expects_segments(&p, 12, 1);
	peer_advance(&p, TAPIR_MS);
	sacks(&p, 1, 8, 11);			/* seven are lost, two are in flight */
	expects_segments(&p, 1, 1);
	ck_ssthresh(&p, 5);
	peer_advance(&p, RTT);
	sacks(&p, 1, 8, 12);
	expects_segments(&p, 2, 1);
	sacks(&p, 1, 8, 13);
	expects_segments(&p, 3, 1);
}
END_TEST

/* RFC 9937 6.2, SafeACK: an ACK that moves SND.UNA and tells of no further loss lets one segment more go, towards ssthresh. */
START_TEST(progress_lets_the_flight_grow_back_to_ssthresh)
{
	struct peer p = ten_in_flight(_i);

	peer_advance(&p, RTT);
	sacks(&p, 1, 8, 11);
	expects_segments(&p, 1, 3);		/* three were delivered */
	peer_advance(&p, RTT);
	sacks(&p, 2, 8, 11);
	expects_segments(&p, 4, 2);		/* one was, and one more */
	sacks(&p, 3, 8, 11);
	expects_segments(&p, 6, 2);
	sacks(&p, 4, 8, 11);
	expects_segments(&p, 11, 1);		/* four are in flight: ssthresh allows one, and there is no loss left */
	ck_cwnd(&p, 5);
}
END_TEST

/* RFC 9937 6.1: what was SACKed before recovery began will not be delivered in it: the proportion is of the rest. With the
 * reordering window open, nine of ten are SACKed before the first is lost. */
START_TEST(what_was_sacked_before_does_not_slow_recovery_down)
{
	struct peer p = flying(_i, 2);

	peer_ignores_all(&p);
	peer_advance(&p, RTT);
	sacks(&p, 1, 2, 3);
	acks(&p, 3);				/* reordered: now only the window decides */
	user_sends(&p, 200 * MSS);
	expects_segments(&p, 3, 10);
	peer_advance(&p, RTT);
	sacks(&p, 3, 4, 13);
	expects_segments(&p, 13, 9);		/* RFC 3042, for each of them */
	peer_advance(&p, RTT / 4);
	expects_segments(&p, 3, 1);
	ck_ssthresh(&p, 5);
	peer_advance(&p, RTT - RTT / 4);
	sacks(&p, 3, 4, 15);			/* of ten that may be delivered (nine new, and 3) these are two */
	peer_expects_nothing(&p);
	sacks(&p, 3, 4, 17);
	expects_segments(&p, 22, 1);
	sacks(&p, 3, 4, 19);			/* five are in flight: from here on one for one */
	peer_expects_nothing(&p);
	sacks(&p, 3, 4, 20);
	expects_segments(&p, 23, 1);
}
END_TEST

/* RFC 9937 6.2: "if DeliveredData is 0 return": an ACK that delivers nothing lets nothing go. */
START_TEST(an_ack_that_delivers_nothing_lets_nothing_go)
{
	struct peer p = recovering(_i);

	for (int i = 0; i < 20; i++)
		sacks(&p, 1, 2, 5);
	peer_expects_nothing(&p);
	ck_retransmissions(&p, 1);
}
END_TEST

/* RFC 9937 6.2: without SACK a peer may send duplicate ACKs for nothing. What they say cannot be more than was outstanding. */
START_TEST(without_sack_endless_duplicate_acks_let_no_more_go_than_was_outstanding)
{
	struct peer p;
	uint32_t sent = 0;

	peer_config()->sndbuf = 1 << 20;
	p = established(_i);
	user_sends(&p, 200 * MSS);
	expects_segments(&p, 0, 10);
	for (int i = 0; i < 1000; i++) {
		acks(&p, 0);
		sent += peer_ignores_all(&p);
	}
	ck_assert_uint_le(sent, 2 + 1 + 12);
	ck_retransmissions(&p, 1);
}
END_TEST

/* RFC 6582 3.2 step 2; RFC 3042 2: where they start no recovery, as after a timeout, they let two segments go, not one each. */
START_TEST(without_sack_duplicate_acks_that_start_no_recovery_let_two_segments_go)
{
	struct peer p;
	uint32_t sent = 0;

	peer_config()->sndbuf = 1 << 20;
	p = established(_i);
	user_sends(&p, 4 * MSS);
	ck_assert_uint_eq(peer_ignores_all(&p), 4);
	peer_until_timer(&p);
	expects_segments(&p, 0, 1);
	acks(&p, 4);					/* SND.UNA is where the timeout found SND.MAX */
	user_sends(&p, 200 * MSS);
	peer_ignores_all(&p);
	for (int i = 0; i < 1000; i++) {
		acks(&p, 4);
		sent += peer_ignores_all(&p);
	}
	ck_assert_uint_eq(sent, 2);
}
END_TEST

Suite *suite(void)
{
	return peer_suite("RFC 9937 PRR", (const TTest *[]){
		while_the_flight_is_too_large_one_leaves_for_two,
		the_flight_ends_at_ssthresh,
		the_last_ack_leaves_cwnd_at_ssthresh,
		after_a_burst_of_losses_only_what_is_delivered_leaves,
		progress_lets_the_flight_grow_back_to_ssthresh,
		what_was_sacked_before_does_not_slow_recovery_down,
		an_ack_that_delivers_nothing_lets_nothing_go,
		without_sack_endless_duplicate_acks_let_no_more_go_than_was_outstanding,
		without_sack_duplicate_acks_that_start_no_recovery_let_two_segments_go,
		NULL
	});
}
