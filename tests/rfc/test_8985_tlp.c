/* test_8985_tlp.c: tail loss probes (RFC 8985 7): when no ACK comes for two round trips the end of the flight is asked for, so that
 * the loss of a tail need not wait for the retransmission timeout. */
#include "tests/support/flight.h"

/* Nothing leaves for so long, less a microsecond. */
static void is_silent_for(struct peer *p, usec_t us)
{
	peer_advance(p, us - 1);
	peer_expects_nothing(p);
	peer_advance(p, 1);
}

/* Segments 1 to count, which is all there is, sent just now. */
static struct peer with_flight(int run, uint32_t count)
{
	struct peer p = flying(run, count);

	ck_assert_uint_eq(peer_ignores_all(&p), count);
	return p;
}

static void expects_last(struct peer *p, uint32_t n)
{
	peer_expects(p, "P. %u:%u(1460) ack 1", END(n), END(n + 1));
	ck_assert_why(p, "RFC 8985 7.3");
	peer_expects_nothing(p);
}

/* RFC 8985 7.2, 7.3: two round trips after the last new segment, with nothing more to send: the last one again. */
START_TEST(after_two_round_trips_the_last_segment_goes_again)
{
	struct peer p = with_flight(_i, 3);

	is_silent_for(&p, 2 * RTT);
	expects_last(&p, 3);
}
END_TEST

/* RFC 8985 7.2, which has no such least: on a fast network the peer may need longer than two round trips to answer. */
START_TEST(a_probe_waits_for_a_least_time_that_is_a_setting)
{
	peer_config()->tlp_min_us = 5 * RTT / 2;
	peer_config()->rto_min_us = TAPIR_SEC;
	struct peer p = with_flight(_i, 3);

	is_silent_for(&p, 5 * RTT / 2);
	expects_last(&p, 3);
}
END_TEST

/* RFC 8985 7.3: new text is the better probe, although the congestion window is full. */
START_TEST(what_was_never_sent_is_the_better_probe)
{
	struct peer p = ten_in_flight(_i);

	is_silent_for(&p, 2 * RTT);
	expects_segments(&p, 11, 1);
	ck_assert_why(&p, "RFC 8985 7.3");
	ck_retransmissions(&p, 0);
	ck_cwnd(&p, 10);
}
END_TEST

/* RFC 8985 7.3: but only if the peer's window has room for it. */
START_TEST(where_the_window_is_full_the_last_segment_goes_again)
{
	struct peer p = flying(_i, 0);

	peer_sends(&p, ". 1:1(0) ack %u win %u", END(1), 3 * MSS);
	user_sends(&p, 20 * MSS);
	expects_segments(&p, 1, 3);
	is_silent_for(&p, 2 * RTT);
	expects_segments(&p, 3, 1);
	ck_assert_why(&p, "RFC 8985 7.3");
}
END_TEST

/* RFC 8985 7.2: an ACK of something new starts the time anew. */
START_TEST(a_new_ack_starts_the_time_anew)
{
	struct peer p = with_flight(_i, 8);

	peer_advance(&p, RTT);
	acks(&p, 3);
	is_silent_for(&p, 2 * RTT);
	expects_last(&p, 8);
}
END_TEST

/* RFC 8985 7.2: a single segment may wait for a delayed ACK, so that the probe comes when the RTO would have; then the RTO has its
 * full time (7.3), and cwnd has not collapsed. */
START_TEST(a_probe_for_a_single_segment_takes_the_place_of_the_first_timeout)
{
	struct peer p = with_flight(_i, 1);
	usec_t rto = peer_info(&p).rto_us;

	ck_assert_uint_lt(rto, 2 * RTT + 200 * TAPIR_MS);
	is_silent_for(&p, rto);
	expects_last(&p, 1);
	ck_cwnd(&p, 10);
	ck_assert_uint_eq(peer_info(&p).retransmits, 0);
	is_silent_for(&p, rto);
	peer_expects(&p, "P. %u:%u(1460) ack 1", END(1), END(2));
	ck_assert_why(&p, "RFC 6298 5.4");
	ck_cwnd(&p, 1);
}
END_TEST

/* RFC 8985 7.2: where the RTO is longer the probe for a single segment waits 200 ms more. */
START_TEST(a_single_segment_is_given_the_time_of_a_delayed_ack)
{
	struct peer p;

	peer_config()->rto_min_us = TAPIR_SEC;
	p = with_flight(_i, 1);
	is_silent_for(&p, 2 * RTT + 200 * TAPIR_MS);
	expects_last(&p, 1);
}
END_TEST

/* RFC 8985 7.2: without a round-trip time the probe comes after a second. */
START_TEST(without_an_rtt_the_probe_comes_after_a_second)
{
	struct peer p;

	peer_config()->sack = true;
	p = syn_sent(_i);
	peer_advance(&p, TAPIR_SEC);
	peer_expects(&p, "S 0:0(0)");
	peer_sends(&p, "S. 0:0(0) ack 1 <mss 1460,sackOK>");	/* which of the two SYNs it answers nobody knows */
	peer_expects(&p, ". 1:1(0) ack 1");
	user_sends(&p, 10);
	peer_expects(&p, "P. 1:11(10) ack 1");
	is_silent_for(&p, TAPIR_SEC);
	peer_expects(&p, "P. 1:11(10) ack 1");
	ck_assert_why(&p, "RFC 8985 7.3");
}
END_TEST

/* RFC 8985 7.4.1: the SACK of the probe shows that what was sent before it is lost: fast recovery instead of a timeout. */
START_TEST(the_sack_of_a_probe_starts_fast_recovery)
{
	struct peer p = with_flight(_i, 6);

	peer_advance(&p, RTT);
	acks(&p, 3);					/* 3, 4, 5 and 6 are lost */
	is_silent_for(&p, 2 * RTT);
	expects_last(&p, 6);
	peer_advance(&p, RTT);
	sacks(&p, 3, 6, 7);
	expects_segments(&p, 3, 1);
	ck_assert_why(&p, "RFC 8985 6.2");
	ck_ssthresh(&p, 2);
	peer_advance(&p, RTT);
	acks(&p, 4);
	expects_segments(&p, 4, 2);
	peer_advance(&p, RTT);
	acks(&p, 7);
	ck_assert_uint_eq(peer_info(&p).retransmits, 0);
	ck_cwnd(&p, 2);
}
END_TEST

/* RFC 8985 7.4.2: if only the last segment was lost the probe repairs it, and no SACK tells. What is acknowledged later without a
 * word of a duplicate shows that there was a loss: the window is halved as by fast recovery: it was six segments then. */
START_TEST(a_loss_that_the_probe_repaired_is_answered)
{
	struct peer p = with_flight(_i, 6);

	peer_advance(&p, RTT);
	acks(&p, 6);
	is_silent_for(&p, peer_info(&p).rto_us - RTT);	/* the RTO's time: of a single segment (RFC 7765 4) */
	expects_last(&p, 6);
	peer_advance(&p, RTT);
	acks(&p, 7);
	ck_cwnd(&p, 15);				/* which of the two was it for? */
	user_sends(&p, 2 * MSS);
	peer_ignores_all(&p);
	peer_advance(&p, RTT);
	acks(&p, 8);
	ck_ssthresh(&p, 2);
	ck_retransmissions(&p, 1);
}
END_TEST

/* RFC 8985 7.4.2: with what was outstanding when the probe left. */
START_TEST(the_answer_is_to_the_flight_that_lost_its_tail)
{
	struct peer p = with_flight(_i, 8);

	is_silent_for(&p, 2 * RTT);			/* the ACKs of all but the last are lost, too */
	expects_last(&p, 8);
	peer_advance(&p, RTT);
	acks(&p, 9);
	user_sends(&p, MSS);
	peer_ignores_all(&p);
	peer_advance(&p, RTT);
	acks(&p, 10);
	ck_ssthresh(&p, 4);
}
END_TEST

/* RFC 8985 7.4.2 case 1: a DSACK for the probe says that both have arrived: nothing was lost. */
START_TEST(a_dsack_for_the_probe_says_that_nothing_was_lost)
{
	struct peer p = with_flight(_i, 6);

	is_silent_for(&p, 2 * RTT);
	expects_last(&p, 6);
	acks(&p, 7);
	peer_advance(&p, RTT);
	dsacks(&p, 7, 6, 7);
	user_sends(&p, MSS);
	peer_ignores_all(&p);
	peer_advance(&p, RTT);
	acks(&p, 8);
	ck_assert_uint_ge(peer_info(&p).snd_cwnd, 10 * MSS);
	ck_assert_uint_gt(peer_info(&p).snd_ssthresh, 100 * MSS);
}
END_TEST

/* RFC 8985 7.4.2 case 2: a duplicate ACK without a SACK says the same, of a peer that knows no DSACK. */
START_TEST(a_duplicate_ack_for_the_probe_says_that_nothing_was_lost)
{
	struct peer p = with_flight(_i, 6);

	is_silent_for(&p, 2 * RTT);
	expects_last(&p, 6);
	acks(&p, 7);
	peer_advance(&p, RTT);
	acks(&p, 7);
	user_sends(&p, MSS);
	peer_ignores_all(&p);
	peer_advance(&p, RTT);
	acks(&p, 8);
	ck_assert_uint_ge(peer_info(&p).snd_cwnd, 10 * MSS);
	ck_assert_uint_gt(peer_info(&p).snd_ssthresh, 100 * MSS);
}
END_TEST

/* RFC 8985 7.4.2: a probe of new text is no riddle. */
START_TEST(the_ack_of_new_text_is_no_sign_of_loss)
{
	struct peer p = ten_in_flight(_i);

	is_silent_for(&p, 2 * RTT);
	expects_segments(&p, 11, 1);
	acks(&p, 12);
	peer_ignores_all(&p);
	peer_advance(&p, RTT);
	acks(&p, 14);
	peer_ignores_all(&p);
	ck_assert_uint_gt(peer_info(&p).snd_ssthresh, 100 * MSS);
	ck_retransmissions(&p, 0);
}
END_TEST

/* RFC 8985 7.3: one probe at a time; if it is not answered the RTO decides, its full time after the probe. */
START_TEST(after_one_probe_comes_the_timeout)
{
	struct peer p = with_flight(_i, 3);
	usec_t rto = peer_info(&p).rto_us;

	is_silent_for(&p, 2 * RTT);
	expects_last(&p, 3);
	is_silent_for(&p, rto);
	expects_segments(&p, 1, 1);
	ck_assert_why(&p, "RFC 6298 5.4");
}
END_TEST

/* RFC 8985 7.3: after a probe that gave no RTT sample (Karn) there is none before there is a sample. */
START_TEST(the_next_probe_waits_for_a_sample)
{
	struct peer p = with_flight(_i, 2);
	usec_t rto;

	is_silent_for(&p, 2 * RTT);
	expects_last(&p, 2);
	peer_advance(&p, RTT);
	acks(&p, 3);
	peer_advance(&p, TAPIR_MS);
	acks(&p, 3);					/* case 2 */
	rto = peer_info(&p).rto_us;
	user_sends(&p, 2 * MSS);
	peer_ignores_all(&p);
	is_silent_for(&p, rto);
	expects_segments(&p, 3, 1);
	ck_assert_why(&p, "RFC 6298 5.4");
	acks(&p, 4);					/* no sample either */
	peer_ignores_all(&p);
	acks(&p, 5);
	user_sends(&p, MSS);
	peer_ignores_all(&p);
	peer_advance(&p, RTT);
	acks(&p, 6);					/* a sample */
	user_sends(&p, 2 * MSS);
	peer_ignores_all(&p);
	is_silent_for(&p, 2 * (usec_t)peer_info(&p).rtt_us);
	peer_expects(&p, "P. %u:%u(1460) ack 1", END(7), END(8));
	ck_assert_why(&p, "RFC 8985 7.3");
}
END_TEST

/* RFC 8985 7.2: while something is SACKed RACK's timer is at work. */
START_TEST(while_something_is_sacked_there_is_no_probe)
{
	struct peer p = with_flight(_i, 3);

	peer_advance(&p, RTT);
	sacks(&p, 1, 2, 3);
	peer_advance(&p, RTT / 4);
	expects_segments(&p, 1, 1);
	ck_assert_why(&p, "RFC 8985 6.2");
	peer_advance(&p, RTT);
	peer_expects_nothing(&p);			/* two round trips after the flight */
}
END_TEST

/* RFC 8985 4: TLP requires SACK; and it is a setting. */
START_TEST(without_sack_or_when_it_is_turned_off_there_is_no_probe)
{
	struct peer p;
	usec_t rto;

	peer_config()->tlp = false;
	p = with_flight(_i, 3);
	rto = peer_info(&p).rto_us;
	is_silent_for(&p, rto);
	expects_segments(&p, 1, 1);
	ck_assert_why(&p, "RFC 6298 5.4");

	peer_config()->tlp = true;
	peer_config()->sack = false;
	p = established(_i);
	user_sends(&p, 3 * MSS);
	peer_ignores_all(&p);
	is_silent_for(&p, peer_info(&p).rto_us);
	expects_segments(&p, 0, 1);
	ck_assert_why(&p, "RFC 6298 5.4");
}
END_TEST

/* RFC 8985 7.3: a FIN is the end of the flight, too. */
START_TEST(a_lost_fin_is_probed_for)
{
	struct peer p = with_flight(_i, 2);

	user_shuts_down(&p);
	peer_expects(&p, "F. %u:%u(0) ack 1", END(3), END(3));
	is_silent_for(&p, 2 * RTT);
	peer_expects(&p, "F. %u:%u(0) ack 1", END(3), END(3));
	ck_assert_why(&p, "RFC 8985 7.3");
	peer_sends(&p, ". 1:1(0) ack %u", END(3) + 1);
	ck_assert_state(&p, TAPIR_TCP_FIN_WAIT_2);
}
END_TEST

/* RFC 8985 7.3: a small last segment goes again as it was; one of a large frame only as far as a segment reaches. */
START_TEST(the_probe_is_at_most_a_segment)
{
	struct peer p;

	peer_config()->offload.csum = peer_config()->offload.tso4 = true;
	p = flying(_i, 5);
	peer_expects(&p, "P. %u:%u(%u) ack 1", END(1), END(6), 5 * MSS);
	is_silent_for(&p, 2 * RTT);
	expects_last(&p, 5);
}
END_TEST

Suite *suite(void)
{
	return peer_suite("RFC 8985 TLP", (const TTest *[]){
		after_two_round_trips_the_last_segment_goes_again,
		a_probe_waits_for_a_least_time_that_is_a_setting,
		what_was_never_sent_is_the_better_probe,
		where_the_window_is_full_the_last_segment_goes_again,
		a_new_ack_starts_the_time_anew,
		a_probe_for_a_single_segment_takes_the_place_of_the_first_timeout,
		a_single_segment_is_given_the_time_of_a_delayed_ack,
		without_an_rtt_the_probe_comes_after_a_second,
		the_sack_of_a_probe_starts_fast_recovery,
		a_loss_that_the_probe_repaired_is_answered,
		the_answer_is_to_the_flight_that_lost_its_tail,
		a_dsack_for_the_probe_says_that_nothing_was_lost,
		a_duplicate_ack_for_the_probe_says_that_nothing_was_lost,
		the_ack_of_new_text_is_no_sign_of_loss,
		after_one_probe_comes_the_timeout,
		the_next_probe_waits_for_a_sample,
		while_something_is_sacked_there_is_no_probe,
		without_sack_or_when_it_is_turned_off_there_is_no_probe,
		a_lost_fin_is_probed_for,
		the_probe_is_at_most_a_segment,
		NULL
	});
}
