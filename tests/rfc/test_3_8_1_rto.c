/* test_3_8_1_rto.c: the retransmission timeout (RFC 9293 3.8.1; RFC 6298 2 to 5) and when it gives up (RFC 9293 3.8.3). */
#include "tests/support/peer.h"

/* The stack's next segment is this, sent exactly us from now. */
static void sends_after(struct peer *p, usec_t us, const char *line)
{
	peer_advance(p, us - 1);
	peer_expects_nothing(p);
	peer_advance(p, 1);
	peer_expects(p, "%s", line);
	peer_expects_nothing(p);
}

/* One byte out, and its acknowledgment rtt_us later: a sample. */
static void samples(struct peer *p, usec_t rtt_us)
{
	uint32_t at = p->snd_nxt;

	user_sends(p, 1);
	peer_expects(p, "P. %u:%u(1) ack 1", at, at + 1);
	peer_advance(p, rtt_us);
	peer_sends(p, ". 1:1(0) ack %u", at + 1);
}

/* A connection whose handshake took this long: its first sample. The smallest RTO is out of the way. */
static struct peer established_in(int run, usec_t rtt_us)
{
	peer_config()->rto_min_us = 1 * TAPIR_MS;
	struct peer p = syn_sent(run);

	peer_advance(&p, rtt_us);
	peer_sends(&p, "S. 0:0(0) ack 1 <mss 1460>");
	peer_expects(&p, ". 1:1(0) ack 1");
	return p;
}

/* RFC 9293 3.8.1; RFC 6298 2.1: until there is a sample the RTO is one second. */
START_TEST(the_first_rto_is_one_second)
{
	struct peer p = syn_sent(_i);

	ck_assert_uint_eq(peer_info(&p).rto_us, 1000000);
	ck_assert_uint_eq(peer_info(&p).rtt_us, 0);
	sends_after(&p, TAPIR_SEC, "S 0:0(0)");
}
END_TEST

/* RFC 6298 2.2: the first sample R: SRTT = R, RTTVAR = R/2, RTO = SRTT + 4 * RTTVAR. */
START_TEST(the_first_sample_sets_the_rto_to_three_times_the_rtt)
{
	struct peer p = established_in(_i, 100 * TAPIR_MS);

	ck_assert_uint_eq(peer_info(&p).rtt_us, 100000);
	ck_assert_uint_eq(peer_info(&p).rttvar_us, 50000);
	ck_assert_uint_eq(peer_info(&p).rto_us, 300000);
	user_sends(&p, 10);
	peer_expects(&p, "P. 1:11(10) ack 1");
	sends_after(&p, 300 * TAPIR_MS, "P. 1:11(10) ack 1");
}
END_TEST

/* RFC 6298 2.3: RTTVAR = 3/4 RTTVAR + 1/4 |SRTT - R|, with the old SRTT; then SRTT = 7/8 SRTT + 1/8 R. */
START_TEST(later_samples_are_smoothed)
{
	struct peer p = established_in(_i, 100 * TAPIR_MS);

	samples(&p, 180 * TAPIR_MS);
	ck_assert_uint_eq(peer_info(&p).rttvar_us, (3 * 50000 + 80000) / 4);
	ck_assert_uint_eq(peer_info(&p).rtt_us, (7 * 100000 + 180000) / 8);
	ck_assert_uint_eq(peer_info(&p).rto_us, 110000 + 4 * 57500);
	samples(&p, 30 * TAPIR_MS);
	ck_assert_uint_eq(peer_info(&p).rttvar_us, (3 * 57500 + 80000) / 4);
	ck_assert_uint_eq(peer_info(&p).rtt_us, (7 * 110000 + 30000) / 8);
}
END_TEST

/* RFC 6298 2.4: a smallest RTO, here a setting of the instance. RFC 6298 2.5: and a largest. */
START_TEST(the_rto_lies_between_its_two_limits)
{
	struct peer p;

	p = established_active(_i);		/* at once: RTT 0 */
	ck_assert_uint_eq(peer_info(&p).rto_us, 200000);
	p = closed(_i);
	ck_assert_uint_eq(tapir_get_config(p.t)->rto_max_us, 60 * TAPIR_SEC);	/* RFC 6298 2.5: at least 60 s */
	peer_config()->rto_max_us = 2 * TAPIR_SEC;
	p = syn_sent(_i);
	peer_advance(&p, 900 * TAPIR_MS);
	peer_sends(&p, "S. 0:0(0) ack 1 <mss 1460>");
	peer_expects(&p, ". 1:1(0) ack 1");
	ck_assert_uint_eq(peer_info(&p).rtt_us, 900000);
	ck_assert_uint_eq(peer_info(&p).rto_us, 2000000);
}
END_TEST

/* RFC 6298 2.3, 3: one segment of a flight is timed, and its sample ends with its ACK. */
START_TEST(one_segment_of_a_flight_is_timed)
{
	struct peer p = established_in(_i, 100 * TAPIR_MS);

	user_sends(&p, 1460);
	peer_expects(&p, "P. 1:1461(1460) ack 1");
	peer_advance(&p, 50 * TAPIR_MS);
	user_sends(&p, 1460);
	peer_expects(&p, "P. 1461:2921(1460) ack 1");
	peer_advance(&p, 50 * TAPIR_MS);
	peer_sends(&p, ". 1:1(0) ack 2921");		/* 100 ms for the first, 50 for the second */
	ck_assert_uint_eq(peer_info(&p).rtt_us, 100000);
	ck_assert_uint_eq(peer_info(&p).rttvar_us, 3 * 50000 / 4);
}
END_TEST

/* RFC 9293 3.8.1 (MUST-18); RFC 6298 3: Karn's algorithm: the ACK of what was sent twice is no sample. The RTO that was
 * backed off stays until there is one (RFC 6298 5.5). */
START_TEST(a_retransmitted_segment_gives_no_sample)
{
	struct peer p = established_in(_i, 100 * TAPIR_MS);

	user_sends(&p, 10);
	peer_expects(&p, "P. 1:11(10) ack 1");
	sends_after(&p, 300 * TAPIR_MS, "P. 1:11(10) ack 1");
	peer_advance(&p, 10 * TAPIR_MS);
	peer_sends(&p, ". 1:1(0) ack 11");
	ck_assert_uint_eq(peer_info(&p).rtt_us, 100000);
	ck_assert_uint_eq(peer_info(&p).rttvar_us, 50000);
	ck_assert_uint_eq(peer_info(&p).rto_us, 600000);
	user_sends(&p, 10);
	peer_expects(&p, "P. 11:21(10) ack 1");
	sends_after(&p, 600 * TAPIR_MS, "P. 11:21(10) ack 1");
}
END_TEST

/* RFC 9293 3.8.1; RFC 6298 5.5: a new sample ends the back-off. */
START_TEST(a_new_sample_ends_the_back_off)
{
	struct peer p = established_in(_i, 100 * TAPIR_MS);

	user_sends(&p, 10);
	peer_expects(&p, "P. 1:11(10) ack 1");
	sends_after(&p, 300 * TAPIR_MS, "P. 1:11(10) ack 1");
	sends_after(&p, 600 * TAPIR_MS, "P. 1:11(10) ack 1");
	peer_sends(&p, ". 1:1(0) ack 11");
	ck_assert_uint_eq(peer_info(&p).rto_us, 1200000);
	samples(&p, 100 * TAPIR_MS);
	ck_assert_uint_eq(peer_info(&p).rto_us, 100000 + 4 * 37500);
}
END_TEST

/* RFC 7323 4.1: with timestamps the echo tells which transmission was answered, so that a retransmission gives a sample. */
START_TEST(a_timestamp_echo_gives_a_sample_of_a_retransmission)
{
	peer_config()->timestamps = true;
	struct peer p = established(_i);
	uint32_t before;

	user_sends(&p, 10);
	peer_expects(&p, "P. 1:11(10) ack 1");
	before = peer_info(&p).rtt_us;
	peer_advance(&p, 200 * TAPIR_MS);
	peer_expects(&p, "P. 1:11(10) ack 1");
	peer_advance(&p, 80 * TAPIR_MS);
	peer_sends(&p, ". 1:1(0) ack 11");		/* echoes the second */
	ck_assert_uint_eq(peer_info(&p).rtt_us, (7 * before + 80000) / 8);
	ck_assert_uint_eq(peer_info(&p).retransmits, 0);
}
END_TEST

/* RFC 9293 3.8.1 (MUST-19); RFC 6298 5.4 to 5.6: the earliest unacknowledged segment again, and twice as long to wait, up to
 * the largest RTO. */
START_TEST(each_timeout_sends_the_earliest_segment_again_and_doubles_the_rto_up_to_its_limit)
{
	static const unsigned seconds[] = {1, 2, 4, 8, 16, 32, 60, 60, 60};
	peer_config()->rto_min_us = TAPIR_SEC;
	struct peer p = established(_i);

	user_sends(&p, 2000);
	peer_expects(&p, ". 1:1461(1460) ack 1");
	peer_expects(&p, "P. 1461:2001(540) ack 1");
	for (size_t i = 0; i < sizeof seconds / sizeof seconds[0]; i++) {
		sends_after(&p, seconds[i] * TAPIR_SEC, ". 1:1461(1460) ack 1");
		ck_assert_why(&p, "RFC 6298 5.4");
		ck_assert_uint_eq(peer_info(&p).retransmits, i + 1);
	}
}
END_TEST

/* RFC 6298 5.1 to 5.3: text that follows does not move the timer; an ACK of new text restarts it; the last one stops it. */
START_TEST(the_timer_runs_from_the_last_new_ack_and_ends_with_the_last_text)
{
	struct peer p = established(_i);

	ck_assert_error(tapir_setsockopt(p.t, p.sd, TAPIR_TCP_NODELAY, 1), 0);
	user_sends(&p, 10);
	peer_expects(&p, "P. 1:11(10) ack 1");
	peer_advance(&p, 150 * TAPIR_MS);
	user_sends(&p, 10);
	peer_expects(&p, "P. 11:21(10) ack 1");		/* the timer stays at 200 ms */
	peer_sends(&p, ". 1:1(0) ack 1");		/* nothing new: it stays */
	peer_advance(&p, 40 * TAPIR_MS);
	peer_sends(&p, ". 1:1(0) ack 11");		/* from here: 10 ms before it was due */
	sends_after(&p, peer_info(&p).rto_us, "P. 11:21(10) ack 1");
	peer_sends(&p, ". 1:1(0) ack 21");
	peer_advance(&p, 100 * TAPIR_SEC);
	peer_expects_nothing(&p);
	ck_assert_uint_eq(peer_usage(&p).timers, 0);
}
END_TEST

/* RFC 6298 5.1: without new ACKs the timer that the first segment started is the one that fires. */
START_TEST(later_text_does_not_restart_the_timer)
{
	struct peer p = established(_i);

	user_sends(&p, 1460);
	peer_expects(&p, "P. 1:1461(1460) ack 1");
	peer_advance(&p, 150 * TAPIR_MS);
	user_sends(&p, 1460);
	peer_expects(&p, "P. 1461:2921(1460) ack 1");
	peer_sends(&p, ". 1:1(0) ack 1");		/* a duplicate ACK does not either */
	sends_after(&p, 50 * TAPIR_MS, ". 1:1461(1460) ack 1");
}
END_TEST

/* RFC 6298 5.7: when the SYN had to be sent again, text begins with an RTO of three seconds. */
START_TEST(after_a_lost_syn_the_rto_is_three_seconds)
{
	struct peer p = syn_sent(_i);

	sends_after(&p, TAPIR_SEC, "S 0:0(0)");
	peer_sends(&p, "S. 0:0(0) ack 1 <mss 1460>");
	peer_expects(&p, ". 1:1(0) ack 1");
	ck_assert_uint_eq(peer_info(&p).rtt_us, 0);	/* Karn: no sample */
	user_sends(&p, 10);
	peer_expects(&p, "P. 1:11(10) ack 1");
	sends_after(&p, 3 * TAPIR_SEC, "P. 1:11(10) ack 1");
}
END_TEST

/* RFC 9293 3.8.1: a FIN is retransmitted as text is. */
START_TEST(a_fin_is_retransmitted)
{
	struct peer p = fin_wait_1(_i);

	sends_after(&p, 200 * TAPIR_MS, "F. 1:1(0) ack 1");
	sends_after(&p, 400 * TAPIR_MS, "F. 1:1(0) ack 1");
	peer_sends(&p, ". 1:1(0) ack 2");
	ck_assert_state(&p, TAPIR_TCP_FIN_WAIT_2);
	peer_advance(&p, 100 * TAPIR_SEC);
	peer_expects_nothing(&p);
}
END_TEST

/* RFC 9293 3.8.1; RFC 5681 3.1: after a timeout everything in flight counts as lost: one segment, then as slow start
 * allows; what the peer has already is not sent again once it says so. */
START_TEST(after_a_timeout_the_rest_of_the_flight_follows_in_slow_start)
{
	struct peer p = established(_i);

	user_sends(&p, 4 * 1460);
	peer_ignores_all(&p);
	sends_after(&p, 200 * TAPIR_MS, ". 1:1461(1460) ack 1");
	peer_sends(&p, ". 1:1(0) ack 1461");
	peer_expects(&p, ". 1461:2921(1460) ack 1");
	peer_expects(&p, ". 2921:4381(1460) ack 1");
	peer_expects_nothing(&p);
	peer_sends(&p, ". 1:1(0) ack 5841");		/* the first copies did arrive */
	peer_expects_nothing(&p);
	ck_assert_uint_eq(peer_info(&p).unacked, 0);
}
END_TEST

/* RFC 9293 3.8.3 (MUST-20, MUST-21): R2 retransmissions of the same segment without an answer, and the connection is
 * closed, the user told. R2 is the program's choice. */
START_TEST(after_r2_retransmissions_the_connection_times_out)
{
	peer_config()->retries2 = 4;
	struct peer p = established(_i);

	user_sends(&p, 10);
	peer_expects(&p, "P. 1:11(10) ack 1");
	sends_after(&p, 200 * TAPIR_MS, "P. 1:11(10) ack 1");
	sends_after(&p, 400 * TAPIR_MS, "P. 1:11(10) ack 1");
	sends_after(&p, 800 * TAPIR_MS, "P. 1:11(10) ack 1");
	sends_after(&p, 1600 * TAPIR_MS, "P. 1:11(10) ack 1");
	peer_advance(&p, 3200 * TAPIR_MS - 1);
	ck_assert_state(&p, TAPIR_TCP_ESTABLISHED);
	peer_advance(&p, 1);
	peer_expects_nothing(&p);
	ck_assert_state(&p, TAPIR_TCP_CLOSED);
	ck_assert_int_ne(tapir_poll(p.t, p.sd) & TAPIR_POLLERR, 0);
	ck_assert_error(user_recv_result(&p), TAPIR_ETIMEDOUT);
	ck_assert_error(tapir_close(p.t, p.sd), 0);
	p.sd = -1;
}
END_TEST

/* RFC 9293 3.8.3 (SHLD-10, SHLD-11): by default R1 is at least 3 retransmissions and R2 at least 100 seconds. */
START_TEST(by_default_r2_is_more_than_a_hundred_seconds)
{
	struct peer p = established(_i);
	usec_t start = peer_now(&p);

	ck_assert_uint_ge(tapir_get_config(p.t)->retries1, 3);
	user_sends(&p, 10);
	while (peer_state(&p) == TAPIR_TCP_ESTABLISHED)
		peer_until_timer(&p);
	ck_assert_uint_eq(peer_ignores_all(&p), 1u + 15u);
	ck_assert_uint_ge(peer_now(&p) - start, 100 * TAPIR_SEC);
	ck_assert_error(user_pending_error(&p), TAPIR_ETIMEDOUT);
}
END_TEST

/* RFC 9293 3.8.3 (MUST-20): the count is of one segment: an ACK of something new begins it anew. */
START_TEST(progress_begins_the_count_of_retransmissions_anew)
{
	peer_config()->retries2 = 3;
	struct peer p = established(_i);

	user_sends(&p, 2 * 1460);
	peer_ignores_all(&p);
	for (int i = 0; i < 3; i++) {
		peer_until_timer(&p);
		peer_expects(&p, ". 1:1461(1460) ack 1");
	}
	peer_sends(&p, ". 1:1(0) ack 1461");
	peer_expects(&p, "P. 1461:2921(1460) ack 1");
	for (int i = 0; i < 3; i++) {
		peer_until_timer(&p);
		peer_expects(&p, "P. 1461:2921(1460) ack 1");
	}
	ck_assert_state(&p, TAPIR_TCP_ESTABLISHED);
	peer_until_timer(&p);
	ck_assert_state(&p, TAPIR_TCP_CLOSED);
	ck_assert_error(user_pending_error(&p), TAPIR_ETIMEDOUT);
}
END_TEST

/* RFC 9293 3.8.3 (SHLD-9): between R1 and R2 the program can see that there is trouble: STATUS counts the retransmissions. */
START_TEST(the_program_can_see_retransmissions_before_r2)
{
	struct peer p = established(_i);

	user_sends(&p, 10);
	for (uint32_t i = 0; i < tapir_get_config(p.t)->retries1; i++)
		peer_until_timer(&p);
	ck_assert_uint_eq(peer_ignores_all(&p), 4);
	ck_assert_uint_eq(peer_info(&p).retransmits, 3);
	ck_assert_uint_eq(peer_info(&p).total_retrans, 3);
	peer_sends(&p, ". 1:1(0) ack 11");
	ck_assert_uint_eq(peer_info(&p).retransmits, 0);
	ck_assert_uint_eq(peer_info(&p).total_retrans, 3);
}
END_TEST

/* RFC 9293 3.8.3 (MUST-22, MUST-23): SYNs are retransmitted in the same way, for at least three minutes, then the open
 * fails and the user is told. */
START_TEST(a_syn_is_retransmitted_for_three_minutes_before_the_open_fails)
{
	static const unsigned seconds[] = {1, 2, 4, 8, 16, 32, 60};
	struct peer p = syn_sent(_i);
	usec_t start = peer_now(&p);

	for (size_t i = 0; i < sizeof seconds / sizeof seconds[0]; i++)
		sends_after(&p, seconds[i] * TAPIR_SEC, "S 0:0(0) win 65535 <mss 1460>");
	peer_advance(&p, 60 * TAPIR_SEC);
	peer_expects_nothing(&p);
	ck_assert_states(&p, "CLOSED > SYN-SENT > CLOSED");
	ck_assert_uint_ge(peer_now(&p) - start, 180 * TAPIR_SEC);
	ck_assert_int_ne(tapir_poll(p.t, p.sd) & TAPIR_POLLERR, 0);
	ck_assert_error(user_pending_error(&p), TAPIR_ETIMEDOUT);
}
END_TEST

/* RFC 9293 3.8.3 (MUST-22): a SYN-ACK too, with a limit of its own; then the connection that never was is forgotten. */
START_TEST(a_syn_ack_is_retransmitted_and_given_up)
{
	struct peer p = syn_received(_i);

	for (usec_t s = 1; s <= 16; s *= 2)
		sends_after(&p, s * TAPIR_SEC, "S. 0:0(0) ack 1 <mss 1460>");
	peer_advance(&p, 32 * TAPIR_SEC);
	peer_expects_nothing(&p);
	ck_assert_state(&p, TAPIR_TCP_LISTEN);
	ck_assert_uint_eq(peer_usage(&p).conns, 0);
	ck_assert_error(tapir_accept(p.t, p.listener, NULL), TAPIR_EAGAIN);
}
END_TEST

/* RFC 9293 3.8.3: a connection that no program holds is not kept as long. */
START_TEST(an_orphan_is_given_up_sooner)
{
	peer_config()->orphan_retries = 2;
	struct peer p = established(_i);

	user_sends(&p, 10);
	peer_expects(&p, "P. 1:11(10) ack 1");
	user_closes(&p);
	peer_expects(&p, "F. 11:11(0) ack 1");
	for (int i = 0; i < 2; i++) {
		peer_until_timer(&p);
		peer_expects(&p, "FP. 1:11(10) ack 1");
	}
	ck_assert_state(&p, TAPIR_TCP_FIN_WAIT_1);
	peer_until_timer(&p);
	ck_assert_state(&p, TAPIR_TCP_CLOSED);
	ck_assert_uint_eq(peer_usage(&p).conns, 0);
	peer_expects_nothing(&p);
}
END_TEST

Suite *suite(void)
{
	return peer_suite("RFC 9293 3.8.1 RTO", (const TTest *[]){
		the_first_rto_is_one_second,
		the_first_sample_sets_the_rto_to_three_times_the_rtt,
		later_samples_are_smoothed,
		the_rto_lies_between_its_two_limits,
		one_segment_of_a_flight_is_timed,
		a_retransmitted_segment_gives_no_sample,
		a_new_sample_ends_the_back_off,
		a_timestamp_echo_gives_a_sample_of_a_retransmission,
		each_timeout_sends_the_earliest_segment_again_and_doubles_the_rto_up_to_its_limit,
		the_timer_runs_from_the_last_new_ack_and_ends_with_the_last_text,
		later_text_does_not_restart_the_timer,
		after_a_lost_syn_the_rto_is_three_seconds,
		a_fin_is_retransmitted,
		after_a_timeout_the_rest_of_the_flight_follows_in_slow_start,
		after_r2_retransmissions_the_connection_times_out,
		by_default_r2_is_more_than_a_hundred_seconds,
		progress_begins_the_count_of_retransmissions_anew,
		the_program_can_see_retransmissions_before_r2,
		a_syn_is_retransmitted_for_three_minutes_before_the_open_fails,
		a_syn_ack_is_retransmitted_and_given_up,
		an_orphan_is_given_up_sooner,
		NULL
	});
}
