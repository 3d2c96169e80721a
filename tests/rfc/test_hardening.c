/* test_hardening.c: attacks from beside the path and from the peer itself that must gain nothing: challenge ACKs as a side channel
 * (RFC 5961 7), the assassination of TIME-WAIT (RFC 1337 2), tiny segments (RFC 9293 3.7.1), ACKs that lie (RFC 3465 2, RFC
 * 5961 5). */
#include "tests/support/peer.h"

/* ---- challenge ACKs -------------------------------------------------------------------------------------------- */

/* How many challenge ACKs one second has for all connections together. */
static uint32_t drawn_in_one_second(struct peer *p)
{
	uint32_t n = 0;

	for (int i = 0; i < 100; i++) {
		peer_sends(p, "R 51:51(0)");
		ck_assert_verdict(p, DROP_TCP_RST_CHALLENGE);
	}
	n = peer_ignores_all(p);
	peer_advance(p, TAPIR_SEC);
	return n;
}

/* RFC 5961 7: the number differs from second to second, around the configured one, so that a missing one says nothing about
 * other connections (CVE-2016-5696). */
START_TEST(nobody_can_count_on_a_number_of_challenge_acks)
{
	struct peer p;
	uint32_t numbers[20], least = UINT32_MAX, most = 0, sum = 0;

	peer_config()->challenge_acks = 20;
	p = established(_i);
	for (int i = 0; i < 20; i++) {
		numbers[i] = drawn_in_one_second(&p);
		least = numbers[i] < least ? numbers[i] : least;
		most = numbers[i] > most ? numbers[i] : most;
		sum += numbers[i];
	}
	ck_assert_uint_ge(least, 10);
	ck_assert_uint_lt(most, 30);
	ck_assert_uint_ge(most - least, 8);
	ck_assert_uint_ge(sum, 20 * 15);
	ck_assert_uint_le(sum, 20 * 25);
	peer_config()->seed[0]++;			/* another stack, other numbers */
	p = established(_i);
	for (int i = 0; i < 20; i++)
		sum += numbers[i] != drawn_in_one_second(&p);
	ck_assert_uint_gt(sum, 20 * 15);
}
END_TEST

/* RFC 5961 7: one connection draws one in a while, whatever is thrown at it; another is not held up by it. */
START_TEST(one_connection_draws_a_challenge_ack_in_a_while)
{
	static const char *const attacks[] = {"R 51:51(0)", "S 9:9(0)", "S. 9:9(0) ack 1", ". 1:1(0) ack 99"};
	struct peer p, q;

	peer_config()->challenge_interval_us = 500 * TAPIR_MS;
	p = established(_i);
	q = another_peer(&p, PEER_PORT + 1);
	peer_opens(&q);
	for (int second = 0; second < 3; second++) {
		for (int i = 0; i < 40; i++)
			peer_sends(&p, "%s", attacks[i % 4]);
		peer_expects(&p, ". 1:1(0) ack 1");
		peer_expects_nothing(&p);
		peer_sends(&q, "R 51:51(0)");
		peer_expects(&q, ". 1:1(0) ack 1");
		peer_advance(&p, 499 * TAPIR_MS);
		peer_sends(&p, "R 51:51(0)");
		peer_expects_nothing(&p);
		peer_advance(&p, TAPIR_MS);
	}
	peer_sends(&p, "P. 1:11(10) ack 1");		/* what is not a challenge does not wait for one */
	peer_expects(&p, ". 1:1(0) ack 11");
}
END_TEST

/* RFC 5961 7: the connection's own limit comes first: it does not use up what others may need. */
START_TEST(one_connection_cannot_use_up_the_challenge_acks_of_all)
{
	struct peer p, q;

	peer_config()->challenge_interval_us = 500 * TAPIR_MS;
	peer_config()->challenge_acks = 4;
	p = established(_i);
	q = another_peer(&p, PEER_PORT + 1);
	peer_opens(&q);
	for (int i = 0; i < 1000; i++)
		peer_sends(&p, "R 51:51(0)");
	peer_expects(&p, ". 1:1(0) ack 1");
	peer_sends(&q, "R 51:51(0)");
	peer_expects(&q, ". 1:1(0) ack 1");
}
END_TEST

/* RFC 5961 7: the clock that an attacker would need does not exist for him: nothing at all is sent beyond a limit of none. */
START_TEST(challenge_acks_can_be_turned_off)
{
	struct peer p;

	peer_config()->challenge_acks = 0;
	p = established(_i);
	peer_sends(&p, "R 51:51(0)");
	peer_expects_nothing(&p);
	peer_sends(&p, "R 1:1(0)");
	ck_assert_state(&p, TAPIR_TCP_CLOSED);
}
END_TEST

/* ---- TIME-WAIT ------------------------------------------------------------------------------------------------- */

/* RFC 1337 2: an old duplicate arrives, we acknowledge it, the peer has forgotten all and answers with a RST that has just the
 * right number. The wait goes on, and the new connection that begins meanwhile gets nothing of the old one. */
START_TEST(a_reset_does_not_assassinate_time_wait)
{
	struct peer p = time_wait(_i);

	user_closes(&p);
	peer_advance(&p, TAPIR_SEC);
	peer_sends(&p, ". -99:1(100) ack 1");
	peer_expects(&p, ". 2:2(0) ack 2");
	peer_sends(&p, "R 2:2(0)");
	ck_assert_verdict(&p, DROP_TCP_TIME_WAIT);
	peer_expects_nothing(&p);
	ck_assert_state(&p, TAPIR_TCP_TIME_WAIT);
	ck_assert_uint_eq(peer_usage(&p).time_wait, 1);
	peer_sends(&p, "R. 2:2(0) ack 2");
	ck_assert_state(&p, TAPIR_TCP_TIME_WAIT);
	peer_advance(&p, 59 * TAPIR_SEC - 1);
	ck_assert_state(&p, TAPIR_TCP_TIME_WAIT);
	peer_advance(&p, 1);
	ck_assert_state(&p, TAPIR_TCP_CLOSED);		/* nor does it prolong the wait */
}
END_TEST

/* RFC 6191 2: and who has a reason to end the wait needs no RST: a new SYN does, by its timestamp. */
START_TEST(a_new_syn_ends_time_wait_where_a_reset_does_not)
{
	struct peer p;

	peer_config()->timestamps = true;
	p = time_wait(_i);
	user_closes(&p);
	peer_sends(&p, "R 2:2(0)");
	ck_assert_state(&p, TAPIR_TCP_TIME_WAIT);
	p.ts_val = 101;
	peer_sends(&p, "S 2:2(0) <mss 1460,TS val 101 ecr 0>");
	peer_expects(&p, "S. *:*(0) ack 3");
	ck_assert_state(&p, TAPIR_TCP_SYN_RCVD);
	p.stack_iss += p.snd_nxt - 1;
	p.snd_nxt = 1;
	p.ts_val = 50;					/* text of the old connection: PAWS keeps it out of the new */
	peer_sends(&p, "P. 3:103(100) ack 1");
	ck_assert_verdict(&p, DROP_TCP_PAWS);
	peer_ignores_all(&p);
}
END_TEST

/* RFC 9293 3.10.7.4 second: the letter, for who wants it. */
START_TEST(a_reset_ends_time_wait_if_so_configured)
{
	struct peer p;

	peer_config()->rfc1337 = false;
	p = time_wait(_i);
	user_closes(&p);
	peer_sends(&p, "R 2:2(0)");
	ck_assert_state(&p, TAPIR_TCP_CLOSED);
	ck_assert_uint_eq(peer_usage(&p).conns, 0);
}
END_TEST

/* ---- tiny segments --------------------------------------------------------------------------------------------- */

/* RFC 9293 3.7.1: an MSS option that would have us send a header for each byte (as in CVE-2019-11479) is not believed below 48
 * bytes of text, which with timestamps is an option of 60. */
START_TEST(a_tiny_mss_is_not_believed)
{
	static const unsigned said[] = {1, 8, 36, 59};

	for (size_t i = 0; i < sizeof said / sizeof said[0]; i++) {
		struct peer p = listening(_i);

		peer_sends(&p, "S 0:0(0) <mss %u>", said[i]);
		peer_expects(&p, "S. 0:0(0) ack 1");
		peer_sends(&p, ". 1:1(0) ack 1");
		user_accepts(&p);
		ck_assert_uint_eq(peer_info(&p).snd_mss, 60);
		user_sends(&p, 600);
		peer_expects(&p, ". 1:61(60) ack 1");
		peer_ignores_all(&p);
	}
	peer_config()->timestamps = true;
	for (size_t i = 0; i < sizeof said / sizeof said[0]; i++) {
		struct peer p = listening(_i);

		peer_sends(&p, "S 0:0(0) <mss %u,TS val 100 ecr 0>", said[i]);
		peer_expects(&p, "S. 0:0(0) ack 1");
		p.timestamps = true;
		peer_sends(&p, ". 1:1(0) ack 1");
		user_accepts(&p);
		ck_assert_uint_eq(peer_info(&p).snd_mss, 48);
	}
}
END_TEST

/* RFC 9293 3.8.6.2.1: nor does a tiny window make us send tiny segments: the sender waits for a good part of it, or its timer. */
START_TEST(a_tiny_window_does_not_make_tiny_segments)
{
	struct peer p = established(_i);
	uint32_t frames = 0;

	user_sends(&p, 1460);
	peer_expects(&p, "P. 1:1461(1460) ack 1");
	peer_sends(&p, ". 1:1(0) ack 1461 win 0");
	user_sends(&p, 20000);
	for (uint32_t i = 1; i <= 100; i++) {
		peer_sends(&p, ". 1:1(0) ack 1461 win %u", i % 10);
		frames += peer_ignores_all(&p);
	}
	ck_assert_uint_eq(frames, 0);
}
END_TEST

/* ---- ACKs that lie --------------------------------------------------------------------------------------------- */

/* RFC 3465 2: ten thousand ACKs for ten segments are worth no more than ten. */
static uint32_t cwnd_after(int run, uint32_t step)
{
	struct peer p = established(run);

	user_sends(&p, 14600);
	peer_ignores_all(&p);
	user_sends(&p, 14600);			/* so that the window is what holds it */
	ck_assert_uint_eq(peer_ignores_all(&p), 0);
	for (uint32_t at = 1; at < 14601;) {
		at = at + step < 14601 ? at + step : 14601;
		peer_sends(&p, ". 1:1(0) ack %u", at);
	}
	peer_ignores_all(&p);
	return peer_info(&p).snd_cwnd;
}

START_TEST(ack_division_opens_no_window)
{
	uint32_t honest = cwnd_after(_i, 1460);

	ck_assert_uint_gt(honest, 14600);
	ck_assert_uint_le(cwnd_after(_i, 1), honest + 1460);
	ck_assert_uint_le(cwnd_after(_i, 100), honest + 1460);
}
END_TEST

/* RFC 5961 5.2: an ACK ahead of what was sent changes neither SND.UNA nor the window, however often it comes. */
START_TEST(an_optimistic_ack_beyond_what_was_sent_gains_nothing)
{
	struct peer p = established(_i);
	struct tapir_tcp_info before;

	user_sends(&p, 30000);
	peer_ignores_all(&p);
	before = peer_info(&p);
	for (uint32_t ahead = 1; ahead < 2000; ahead += 37) {
		peer_sends(&p, ". 1:1(0) ack %u", 1 + before.unacked + ahead);
		ck_assert_verdict(&p, DROP_TCP_ACK_RANGE);
	}
	peer_ignores_all(&p);
	ck_assert_uint_eq(peer_info(&p).unacked, before.unacked);
	ck_assert_uint_eq(peer_info(&p).snd_cwnd, before.snd_cwnd);
	ck_assert_uint_eq(peer_info(&p).notsent, before.notsent);
}
END_TEST

/* RFC 5681 4.2: a peer that acknowledges what it has not got yet may go faster, but only as fast as we send, within its window
 * and ours: what is outstanding never exceeds either, and what it did not get is its own loss. */
START_TEST(an_optimistic_ack_of_what_was_sent_stays_within_the_windows)
{
	struct peer p = established(_i);

	for (uint32_t acked = 1; acked < 100000;) {
		struct tapir_tcp_info info;

		while (user_send_result(&p, 14600) > 0)
			;
		peer_ignores_all(&p);
		info = peer_info(&p);
		ck_assert_uint_le(info.unacked, info.snd_wnd);
		ck_assert_uint_le(info.unacked, info.snd_cwnd);
		acked += info.unacked;
		peer_sends(&p, ". 1:1(0) ack %u win 20000", acked);
	}
	peer_ignores_all(&p);
}
END_TEST

Suite *suite(void)
{
	return peer_suite("hardening", (const TTest *[]){
		nobody_can_count_on_a_number_of_challenge_acks,
		one_connection_draws_a_challenge_ack_in_a_while,
		one_connection_cannot_use_up_the_challenge_acks_of_all,
		challenge_acks_can_be_turned_off,
		a_reset_does_not_assassinate_time_wait,
		a_new_syn_ends_time_wait_where_a_reset_does_not,
		a_reset_ends_time_wait_if_so_configured,
		a_tiny_mss_is_not_believed,
		a_tiny_window_does_not_make_tiny_segments,
		ack_division_opens_no_window,
		an_optimistic_ack_beyond_what_was_sent_gains_nothing,
		an_optimistic_ack_of_what_was_sent_stays_within_the_windows,
		NULL
	});
}
