/* test_4015_undo.c: congestion that was none: found by timestamps (RFC 3522) or by DSACKs (RFC 3708), answered by RFC 4015:
 * what was taken for lost is not, and the window may return to what it was. By F-RTO: test_5682_frto.c. */
#include "tests/support/flight.h"

static uint32_t ts_of_now(const struct peer *p) { return p->ts_last - p->ts_first; }

static void ck_is_undone(const struct peer *p)
{
	ck_assert_uint_ge(peer_info(p).snd_ssthresh, 10 * MSS);
}

/* Ten segments, of which the first has been overtaken by three and sent again; *echo is the timestamp of the originals. */
static struct peer sent_again(int run, bool timestamps, uint32_t *echo)
{
	struct peer p;

	peer_config()->timestamps = timestamps;
	p = ten_in_flight(run);
	*echo = ts_of_now(&p);
	peer_advance(&p, RTT);
	sacks(&p, 1, 2, 5);
	expects_segments(&p, 1, 1);
	ck_ssthresh(&p, 5);
	return p;
}

/* RFC 3522 3.2: the ACK of the segment echoes a timestamp older than the retransmission's: the original has arrived. */
START_TEST(an_older_echo_shows_that_a_retransmission_was_not_needed)
{
	uint32_t echo;
	struct peer p = sent_again(_i, true, &echo);

	peer_advance(&p, 5 * TAPIR_MS);
	acks_with(&p, 5, "", echo);
	ck_is_undone(&p);
	ck_cwnd(&p, 10);		/* six in flight, and four were acknowledged (RFC 4015 3.1 step 9) */
	expects_segments(&p, 11, 4);
	ck_retransmissions(&p, 1);
}
END_TEST

/* RFC 4015 3: two ACKs come together: the first one's SACKs say lost, the second says that it was late. Nothing was sent again, so
 * that no timestamp and no DSACK can ever tell. */
START_TEST(what_arrives_before_it_is_sent_again_was_not_lost)
{
	struct peer p = ten_in_flight(_i);

	peer_advance(&p, RTT);
	sacks(&p, 1, 2, 5);
	acks(&p, 5);
	ck_is_undone(&p);
	ck_cwnd(&p, 10);
	expects_segments(&p, 11, 4);
	ck_retransmissions(&p, 0);
	acks(&p, 15);
	ck_cwnd(&p, 20);		/* slow start goes on */
	peer_ignores_all(&p);
}
END_TEST

/* Of two holes one is filled: the other may be a loss. */
START_TEST(a_hole_that_stays_keeps_the_recovery)
{
	struct peer p = ten_in_flight(_i);

	peer_advance(&p, RTT);
	sacks(&p, 1, 3, 7);
	sacks(&p, 2, 3, 7);
	ck_ssthresh(&p, 5);
	expects_segments(&p, 2, 1);
	ck_retransmissions(&p, 1);
}
END_TEST

/* RFC 3522 3.2: an echo of the retransmission shows that it was needed. */
START_TEST(an_echo_of_the_retransmission_undoes_nothing)
{
	uint32_t echo;
	struct peer p = sent_again(_i, true, &echo);

	peer_advance(&p, RTT);
	acks(&p, 11);
	ck_ssthresh(&p, 5);
	ck_cwnd(&p, 5);
	peer_ignores_all(&p);
}
END_TEST

/* RFC 8985 6.2 step 3 in spirit: it was reordering: from now on the reordering window decides. */
START_TEST(what_an_older_echo_shows_was_reordering)
{
	uint32_t echo;
	struct peer p = sent_again(_i, true, &echo);

	peer_advance(&p, 5 * TAPIR_MS);
	acks_with(&p, 5, "", echo);
	expects_segments(&p, 11, 4);
	peer_advance(&p, TAPIR_MS);
	acks_with(&p, 11, "", echo);
	peer_ignores_all(&p);
	peer_advance(&p, RTT - TAPIR_MS);
	sacks(&p, 11, 12, 15);
	peer_ignores_all(&p);
	ck_retransmissions(&p, 1);
	peer_advance(&p, RTT / 4);
	peer_ignores_all(&p);
	ck_retransmissions(&p, 2);
}
END_TEST

/* RFC 3522 3.2; RFC 4015 3.1 steps 8 and 9: a spurious timeout: nothing of what seemed lost goes again, new text goes on. */
START_TEST(an_older_echo_after_a_timeout_stops_the_retransmissions)
{
	uint32_t echo;
	struct peer p;

	peer_config()->timestamps = true;
	peer_config()->tlp = false;
	p = ten_in_flight(_i);
	echo = ts_of_now(&p);
	peer_advance(&p, peer_info(&p).rto_us);
	expects_segments(&p, 1, 1);
	ck_cwnd(&p, 1);
	peer_advance(&p, 20 * TAPIR_MS);
	for (uint32_t n = 2; n <= 6; n++)
		acks_with(&p, n, "", echo);
	ck_is_undone(&p);
	peer_ignores_all(&p);
	for (uint32_t n = 7; n <= 11; n++)
		acks_with(&p, n, "", echo);
	peer_ignores_all(&p);
	ck_retransmissions(&p, 1);
	ck_assert_uint_ge(peer_info(&p).snd_cwnd, 10 * MSS);
	ck_assert_uint_gt(peer_info(&p).rto_us, 200000);	/* the late ones were samples: RFC 5682 2.2 */
}
END_TEST

/* RFC 4015 3.1 step 9: if the ACK covers everything nothing clocks a large window: the initial window leaves, and ssthresh is what
 * the window was. */
START_TEST(an_undo_makes_no_burst)
{
	uint32_t echo;
	struct peer p;

	peer_config()->timestamps = true;
	peer_config()->tlp = false;
	p = ten_in_flight(_i);
	for (uint32_t n = 2; n <= 11; n++) {
		peer_advance(&p, n == 2 ? RTT : 0);
		acks(&p, n);
	}
	expects_segments(&p, 11, 20);
	ck_cwnd(&p, 20);
	echo = ts_of_now(&p);
	peer_advance(&p, peer_info(&p).rto_us);
	expects_segments(&p, 11, 1);
	acks_with(&p, 31, "", echo);
	ck_cwnd(&p, 10 + 1);			/* and what was sent again has been delivered */
	ck_assert_uint_ge(peer_info(&p).snd_ssthresh, 20 * MSS);
	expects_segments(&p, 31, 11);
}
END_TEST

/* RFC 4015 3.1 step 9: not if that ACK brings news of congestion. */
START_TEST(an_ack_with_ece_undoes_nothing)
{
	uint32_t echo;
	struct peer p = sent_again(_i, true, &echo);

	peer_sends(&p, ".E 1:1(0) ack %u <nop,nop,TS val 100 ecr %u>", END(5), echo);
	peer_ignores_all(&p);
	ck_ssthresh(&p, 5);
}
END_TEST

/* RFC 3708 3 B.1: DSACKs for everything that went again: none of it was needed. */
START_TEST(dsacks_for_all_retransmissions_undo_the_reduction)
{
	uint32_t echo;
	struct peer p = sent_again(_i, false, &echo);

	acks(&p, 11);
	peer_ignores_all(&p);
	ck_ssthresh(&p, 5);
	peer_advance(&p, RTT);
	dsacks(&p, 11, 1, 2);
	ck_is_undone(&p);
	peer_ignores_all(&p);
}
END_TEST

/* RFC 3708 3 B.2: one of two is not enough. */
START_TEST(a_dsack_for_one_of_two_retransmissions_undoes_nothing)
{
	struct peer p = ten_in_flight(_i);

	peer_advance(&p, RTT);
	sacks(&p, 1, 3, 11);
	peer_ignores_all(&p);
	ck_retransmissions(&p, 2);
	peer_advance(&p, RTT);
	acks(&p, 11);
	peer_ignores_all(&p);
	dsacks(&p, 11, 1, 2);
	ck_ssthresh(&p, 5);
	peer_ignores_all(&p);
	dsacks(&p, 11, 2, 3);
	ck_is_undone(&p);
	peer_ignores_all(&p);
}
END_TEST

/* RFC 2883 4: one DSACK may report two segments at once. */
START_TEST(one_dsack_may_report_two_retransmissions)
{
	struct peer p = ten_in_flight(_i);

	peer_advance(&p, RTT);
	sacks(&p, 1, 3, 11);
	peer_ignores_all(&p);
	ck_retransmissions(&p, 2);
	peer_advance(&p, RTT);
	acks(&p, 11);
	peer_ignores_all(&p);
	dsacks(&p, 11, 1, 3);
	ck_is_undone(&p);
	peer_ignores_all(&p);
}
END_TEST

/* RFC 3708 3 A.1: when the DSACK begins where SND.UNA was, and nothing was SACKed, a whole window of ACKs was lost: that is
 * congestion of the way back. */
START_TEST(a_dsack_after_a_window_of_lost_acks_undoes_nothing)
{
	struct peer p;

	peer_config()->tlp = false;
	p = flying(_i, 4);
	peer_ignores_all(&p);
	peer_advance(&p, peer_info(&p).rto_us);
	expects_segments(&p, 1, 1);
	peer_advance(&p, RTT);
	dsacks(&p, 5, 1, 2);
	ck_ssthresh(&p, 2);
}
END_TEST

/* RFC 3708 3 A.3: what went again twice, and is reported once, proves nothing. */
START_TEST(a_dsack_for_what_went_again_twice_undoes_nothing)
{
	struct peer p;

	peer_config()->tlp = false;
	p = flying(_i, 4);
	peer_ignores_all(&p);
	peer_advance(&p, RTT);
	sacks(&p, 1, 3, 4);
	peer_advance(&p, RTT / 4);
	peer_expects(&p, ". %u:%u(1460) ack 1", END(1), END(2));
	peer_ignores_all(&p);
	peer_until_timer(&p);
	ck_assert_uint_gt(peer_ignores_all(&p), 0);
	ck_assert_uint_ge(peer_info(&p).total_retrans, 2);
	acks(&p, 5);
	for (int i = 0; i < 5; i++)
		dsacks(&p, 5, 1, 2);
	ck_ssthresh(&p, 2);
}
END_TEST

/* RFC 3708 3 A.4: a DSACK for what never went again shows that the network makes copies: then DSACKs prove nothing any more. */
START_TEST(on_a_path_that_makes_copies_dsacks_undo_nothing)
{
	struct peer p = flying(_i, 3);

	peer_ignores_all(&p);
	peer_advance(&p, RTT);
	acks(&p, 4);
	dsacks(&p, 4, 2, 3);
	user_sends(&p, 200 * MSS);
	expects_segments(&p, 4, 10);
	peer_advance(&p, RTT);
	sacks(&p, 4, 5, 8);
	peer_advance(&p, RTT);			/* DSACK has widened the window, but DupThresh counts */
	peer_ignores_all(&p);
	ck_ssthresh(&p, 5);
	acks(&p, 14);
	peer_ignores_all(&p);
	dsacks(&p, 14, 4, 5);
	peer_ignores_all(&p);
	ck_ssthresh(&p, 5);
}
END_TEST

/* RFC 3708 3: a DSACK for what went again in an earlier recovery says nothing of this one. */
START_TEST(a_dsack_of_an_earlier_recovery_undoes_nothing)
{
	uint32_t echo;
	struct peer p = sent_again(_i, false, &echo);

	peer_advance(&p, RTT);
	acks(&p, 11);
	expects_segments(&p, 11, 5);
	peer_advance(&p, RTT);
	sacks(&p, 11, 12, 15);
	peer_expects(&p, ". %u:%u(1460) ack 1", END(11), END(12));
	peer_ignores_all(&p);
	ck_assert_uint_lt(peer_info(&p).snd_ssthresh, 5 * MSS);
	sacks(&p, 11, 1, 2);
	peer_ignores_all(&p);
	ck_assert_uint_lt(peer_info(&p).snd_ssthresh, 5 * MSS);
}
END_TEST

Suite *suite(void)
{
	return peer_suite("RFC 4015 undo", (const TTest *[]){
		an_older_echo_shows_that_a_retransmission_was_not_needed,
		an_echo_of_the_retransmission_undoes_nothing,
		what_arrives_before_it_is_sent_again_was_not_lost,
		a_hole_that_stays_keeps_the_recovery,
		what_an_older_echo_shows_was_reordering,
		an_older_echo_after_a_timeout_stops_the_retransmissions,
		an_undo_makes_no_burst,
		an_ack_with_ece_undoes_nothing,
		dsacks_for_all_retransmissions_undo_the_reduction,
		a_dsack_for_one_of_two_retransmissions_undoes_nothing,
		one_dsack_may_report_two_retransmissions,
		a_dsack_after_a_window_of_lost_acks_undoes_nothing,
		a_dsack_for_what_went_again_twice_undoes_nothing,
		on_a_path_that_makes_copies_dsacks_undo_nothing,
		a_dsack_of_an_earlier_recovery_undoes_nothing,
		NULL
	});
}
