/* test_7661_validation.c: a congestion window that the program does not fill (RFC 7661 4): how far it may grow all the same. */
#include "tests/support/flight.h"

/* Text that is sent at once, as no window holds it. */
static void sends_segments(struct peer *p, uint32_t count)
{
	user_sends(p, count * MSS);
	ck_assert_uint_eq(peer_ignores_all(p), count);
	ck_assert_uint_eq(peer_info(p).unacked, count * MSS);
	ck_assert_uint_eq(peer_info(p).notsent, 0);
}

static void ck_cwnd_is(const struct peer *p, uint32_t segments)
{
	ck_assert_uint_eq(peer_info(p).snd_cwnd, segments * MSS);
}

/* RFC 7661 4.2, 4.4.1: a program that writes just what the window lets go is no reason not to double it. */
START_TEST(a_window_that_is_just_filled_doubles)
{
	struct peer p = flying(_i, 0);

	sends_segments(&p, 10);
	for (uint32_t n = 2; n <= 10; n += 2) {
		acks(&p, 1 + n);
		ck_cwnd_is(&p, 10 + n);
	}
}
END_TEST

/* RFC 7661 4.2: validated is a window of which at least half was in use; so it grows to twice of what that was, and no more. */
START_TEST(a_window_grows_to_twice_of_what_was_in_use)
{
	struct peer p = flying(_i, 0);

	sends_segments(&p, 6);
	acks(&p, 3);
	ck_cwnd_is(&p, 12);
	acks(&p, 5);
	acks(&p, 7);
	ck_cwnd_is(&p, 12);
}
END_TEST

/* RFC 7661 4.2: less than half is a non-validated phase, in which it does not grow. */
START_TEST(a_window_of_which_less_than_half_was_in_use_stays)
{
	struct peer p = flying(_i, 0);

	sends_segments(&p, 5);
	acks(&p, 3);
	acks(&p, 6);
	ck_cwnd_is(&p, 10);
}
END_TEST

/* The measure is of the present window: what an earlier one held is forgotten with it. */
START_TEST(what_an_earlier_window_held_does_not_count)
{
	struct peer p = flying(_i, 0);

	sends_segments(&p, 10);
	acks(&p, 11);
	ck_cwnd_is(&p, 20);
	sends_segments(&p, 9);
	acks(&p, 20);
	ck_cwnd_is(&p, 20);
}
END_TEST

/* RFC 7661 4.4.1 says "as normal"; but a segment more is what a whole window is worth (RFC 5681 3.1), and this was none. */
START_TEST(in_congestion_avoidance_the_whole_window_must_be_in_use)
{
	peer_config()->congestion = TAPIR_CC_NEWRENO;
	peer_config()->tlp = false;
	struct peer p = flying(_i, 0);

	sends_segments(&p, 10);
	peer_advance(&p, RTT);
	sacks(&p, 1, 2, 11);				/* the first is lost: half of the window is left */
	expects_segments(&p, 1, 1);
	peer_advance(&p, RTT);
	acks(&p, 11);
	ck_cwnd_is(&p, 5);
	sends_segments(&p, 5);
	acks(&p, 16);
	ck_cwnd_is(&p, 5);
	user_sends(&p, 6 * MSS);			/* one more than it lets go */
	ck_assert_uint_eq(peer_ignores_all(&p), 5);
	acks(&p, 21);
	ck_cwnd_is(&p, 6);
	peer_ignores_all(&p);
}
END_TEST

Suite *suite(void)
{
	return peer_suite("RFC 7661", (const TTest *[]){
		a_window_that_is_just_filled_doubles,
		a_window_grows_to_twice_of_what_was_in_use,
		a_window_of_which_less_than_half_was_in_use_stays,
		what_an_earlier_window_held_does_not_count,
		in_congestion_avoidance_the_whole_window_must_be_in_use,
		NULL
	});
}
