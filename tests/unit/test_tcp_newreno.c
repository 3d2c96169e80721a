/* test_tcp_newreno.c: the window of RFC 5681 3.1, alone: samples go in, a window comes out. What CUBIC shares of it (window.c)
 * is tested here, for both where they could differ. */
#include <check.h>
#include <math.h>
#include "stack/tcp/window.h"
#include "tests/support/toy_path.h"

#define MSS 1000u
#define IW (10 * MSS)

static struct cc cc;
static uint64_t priv[CC_PRIV / 8];

static struct cc_sample sample(void)
{
	return (struct cc_sample){.now_us = 1000000, .mss = MSS, .initial_window = IW, .una = {5000}, .nxt = {5000},
				  .rtt_us = CC_NONE, .srtt_us = 100000, .min_rtt_us = 100000, .cwnd_limited = true};
}

/* An ACK for n bytes of a full window. */
static struct cc_sample ack_of(uint32_t n)
{
	struct cc_sample s = sample();

	s.acked = s.delivered = n;
	s.prior_flight = max_u32(n, cc.cwnd);
	s.flight = s.prior_flight - n;
	s.nxt.n = s.una.n + s.flight;
	s.rtt_us = 100000;
	return s;
}

static void ack(uint32_t n)
{
	struct cc_sample s = ack_of(n);

	cc.ops->on_ack(&cc, priv, &s);
}

/* A congestion that finds so much outstanding. */
static void congestion(enum cc_signal signal, uint32_t outstanding, bool again)
{
	struct cc_sample s = sample();

	s.nxt.n = s.una.n + outstanding;
	s.flight = s.prior_flight = outstanding;
	s.recovery = true;
	cc.ops->on_congestion(&cc, priv, &s, signal, again);
}

static void begin_with(const struct cc_ops *ops)
{
	struct cc_sample s = sample();

	cc = (struct cc){.ops = ops};
	memset(priv, 0, sizeof priv);
	ops->start(&cc, priv, &s, 0);
}

static void begin(void) { begin_with(&cc_newreno); }

static void idle(usec_t idle_us)
{
	struct cc_sample s = sample();

	cc.ops->start(&cc, priv, &s, idle_us);
}

/* RFC 6928, RFC 5681 3.1 */
START_TEST(a_connection_starts_with_the_initial_window_and_no_threshold)
{
	ck_assert_uint_eq(cc.cwnd, IW);
	ck_assert_uint_eq(cc.ssthresh, CC_WINDOW_MAX);
	ck_assert_ptr_null(cc.ops->pacing_rate);
}
END_TEST

/* RFC 5681 3.1: slow start doubles, congestion avoidance adds one segment a window. */
START_TEST(the_window_grows_by_every_byte_and_then_by_one_segment_a_window)
{
	ack(IW);
	ck_assert_uint_eq(cc.cwnd, 2 * IW);
	congestion(CC_LOSS, 2 * IW, false);
	cc.cwnd = cc.ssthresh;
	for (int i = 0; i < 9; i++)
		ack(MSS);
	ck_assert_uint_eq(cc.cwnd, IW);
	ack(MSS);
	ck_assert_uint_eq(cc.cwnd, IW + MSS);
}
END_TEST

/* RFC 5681 3.1: what crosses ssthresh counts for congestion avoidance only from there on. */
START_TEST(slow_start_ends_at_ssthresh)
{
	cc.ssthresh = IW + 500;
	ack(IW);
	ck_assert_uint_eq(cc.cwnd, IW + 500);
	ack(MSS - 1);
	ck_assert_uint_eq(cc.cwnd, IW + 500);		/* 9500 bytes were left over, and a window is 10500 */
	ack(1);
	ck_assert_uint_eq(cc.cwnd, IW + 500 + MSS);
}
END_TEST

/* RFC 3465 2.3: an ACK in a thousand pieces is worth what it is worth in one. */
START_TEST(cutting_an_ack_into_pieces_gains_nothing)
{
	uint32_t whole;

	ack(MSS);
	whole = cc.cwnd;
	begin();
	for (uint32_t i = 0; i < MSS; i++)
		ack(1);
	ck_assert_uint_eq(cc.cwnd, whole);
	congestion(CC_LOSS, cc.cwnd, false);
	cc.cwnd = cc.ssthresh;
	whole = cc.cwnd;
	for (uint32_t i = 0; i < whole; i++)
		ack(1);
	ck_assert_uint_eq(cc.cwnd, whole + MSS);
}
END_TEST

/* A cumulative ACK over what SACKs had told already, or over what a timeout had given up, opens no burst. */
START_TEST(an_ack_is_worth_no_more_than_it_delivers_and_the_pipe_held)
{
	struct cc_sample s = ack_of(8 * MSS);

	s.delivered = MSS;
	cc.ops->on_ack(&cc, priv, &s);
	ck_assert_uint_eq(cc.cwnd, IW + MSS);
	s = ack_of(8 * MSS);
	s.prior_flight = 2 * MSS;
	cc.ops->on_ack(&cc, priv, &s);
	ck_assert_uint_eq(cc.cwnd, IW + 3 * MSS);
	s.prior_flight = 0;
	cc.ops->on_ack(&cc, priv, &s);
	ck_assert_uint_eq(cc.cwnd, IW + 3 * MSS);
}
END_TEST

/* RFC 5681 3.2 step 1: a duplicate ACK moves nothing, also when it SACKs; with the ACK that closes the hole the SACKed bytes
 * count, once. */
START_TEST(reordering_costs_no_growth_and_gains_none)
{
	const struct cc_ops *const both[] = {&cc_newreno, &cc_cubic};

	for (int i = 0; i < 2; i++) {
		begin_with(both[i]);
		for (int j = 0; j < 4; j++) {
			struct cc_sample s = ack_of(MSS);

			s.acked = 0;
			cc.ops->on_ack(&cc, priv, &s);
			ck_assert_uint_eq(cc.cwnd, IW);
		}
		for (int j = 0; j < 5; j++) {
			struct cc_sample s = ack_of(MSS);

			s.delivered = j ? 0 : MSS;
			cc.ops->on_ack(&cc, priv, &s);
			ck_assert_uint_eq(cc.cwnd, IW + ((uint32_t)j + 1) * MSS);
		}
		for (int j = 0; j < 5; j++) {
			struct cc_sample s = ack_of(MSS);

			s.delivered = 0;
			cc.ops->on_ack(&cc, priv, &s);
		}
		ck_assert_uint_eq(cc.cwnd, IW + 5 * MSS);
	}
}
END_TEST

/* RFC 8985 6.2 step 3: on a path that reorders a byte counts in congestion avoidance when it is SACKed, as a loss may take all
 * that waits with it; and not again. */
START_TEST(on_a_path_that_reorders_a_byte_counts_when_it_arrives)
{
	struct cc_sample s = ack_of(MSS);

	cc.ssthresh = cc.cwnd;
	s.acked = 0;
	for (uint32_t i = 0; i < IW / MSS; i++) {
		ck_assert_uint_eq(cc.cwnd, IW);
		s.reorders = i > 0;		/* what waits when it is first seen counts, too */
		cc.ops->on_ack(&cc, priv, &s);
	}
	ck_assert_uint_eq(cc.cwnd, IW + MSS);
	s = ack_of(5 * IW);
	s.reorders = true;
	s.delivered = 0;
	cc.ops->on_ack(&cc, priv, &s);
	ck_assert_uint_eq(cc.cwnd, IW + MSS);
}
END_TEST

/* RFC 5681 3.2 step 1: slow start waits for the hole to close all the same: a loss behind it may be its end. */
START_TEST(on_a_path_that_reorders_slow_start_waits)
{
	struct cc_sample s = ack_of(MSS);

	s.reorders = true;
	s.acked = 0;
	cc.ops->on_ack(&cc, priv, &s);
	ck_assert_uint_eq(cc.cwnd, IW);
	s.acked = 2 * MSS;
	cc.ops->on_ack(&cc, priv, &s);
	ck_assert_uint_eq(cc.cwnd, IW + 2 * MSS);
}
END_TEST

/* What arrived before a loss was answered is no credit for the time after it. */
START_TEST(a_congestion_ends_what_was_held)
{
	const struct cc_ops *const both[] = {&cc_newreno, &cc_cubic};

	for (int i = 0; i < 2; i++) {
		struct cc_sample s;

		begin_with(both[i]);
		s = ack_of(9 * MSS);
		s.acked = 0;
		cc.ops->on_ack(&cc, priv, &s);
		congestion(CC_RTO, IW, false);
		s = ack_of(9 * MSS);
		s.delivered = 0;
		cc.ops->on_ack(&cc, priv, &s);
		ck_assert_uint_eq(cc.cwnd, MSS);
	}
}
END_TEST

/* RFC 3465 2.1: an ACK of more than a window in congestion avoidance is one segment, not two, and leaves no store. */
START_TEST(one_ack_is_one_segment_in_congestion_avoidance)
{
	cc.ssthresh = IW;
	ack(5 * IW);
	ck_assert_uint_eq(cc.cwnd, IW + MSS);
	ack(1);
	ck_assert_uint_eq(cc.cwnd, IW + 2 * MSS);
	ack(1);
	ck_assert_uint_eq(cc.cwnd, IW + 2 * MSS);
}
END_TEST

/* RFC 7661 */
START_TEST(a_window_that_is_not_used_does_not_grow)
{
	for (int avoiding = 0; avoiding < 2; avoiding++) {
		for (int i = 0; i < 1000; i++) {
			struct cc_sample s = ack_of(MSS);

			s.cwnd_limited = false;
			cc.ops->on_ack(&cc, priv, &s);
		}
		ck_assert_uint_eq(cc.cwnd, IW);
		cc.ssthresh = IW;
	}
}
END_TEST

/* RFC 5681 3.1, equation (4); cwnd itself is PRR's. */
START_TEST(a_loss_halves_what_was_outstanding_but_not_below_two_segments)
{
	congestion(CC_LOSS, 8 * MSS, false);
	ck_assert_uint_eq(cc.ssthresh, 4 * MSS);
	ck_assert_uint_eq(cc.cwnd, IW);
	congestion(CC_LOSS, 3 * MSS, false);
	ck_assert_uint_eq(cc.ssthresh, 2 * MSS);
	congestion(CC_LOSS, 0, false);
	ck_assert_uint_eq(cc.ssthresh, 2 * MSS);
}
END_TEST

/* RFC 5681 3.1, equation (4): of an odd number the half is a half-full segment, which nothing can use. */
START_TEST(a_cut_leaves_whole_segments)
{
	congestion(CC_LOSS, 5 * MSS, false);
	ck_assert_uint_eq(cc.ssthresh, 2 * MSS);
	congestion(CC_LOSS, 7 * MSS + 1, false);
	ck_assert_uint_eq(cc.ssthresh, 3 * MSS);
	cc.cwnd = cc.ssthresh;
	ack(MSS);
	ack(MSS);
	ck_assert_uint_eq(cc.cwnd, 3 * MSS);
	ack(MSS);
	ck_assert_uint_eq(cc.cwnd, 4 * MSS);
}
END_TEST

/* RFC 5681 3.2 step 2: nor what limited transmit added; but the bytes of the very ACK that told of the loss were outstanding. */
START_TEST(what_was_outstanding_is_measured_before_the_ack_and_within_the_window)
{
	struct cc_sample s = ack_of(4 * MSS);

	congestion(CC_LOSS, 15 * MSS, false);
	ck_assert_uint_eq(cc.ssthresh, 5 * MSS);
	cc.ops->on_congestion(&cc, priv, &s, CC_LOSS, false);
	ck_assert_uint_eq(cc.ssthresh, 5 * MSS);
}
END_TEST

/* RFC 5681 3.1: the loss window is one segment; a second timeout for the same text leaves ssthresh alone. */
START_TEST(a_timeout_leaves_one_segment)
{
	congestion(CC_RTO, 8 * MSS, false);
	ck_assert_uint_eq(cc.cwnd, MSS);
	ck_assert_uint_eq(cc.ssthresh, 4 * MSS);
	congestion(CC_RTO, MSS, true);
	ck_assert_uint_eq(cc.ssthresh, 4 * MSS);
	congestion(CC_RTO, MSS, false);
	ck_assert_uint_eq(cc.ssthresh, 2 * MSS);
}
END_TEST

/* A retransmission is lost, too: the window has been halved for these losses already, and more is outstanding than it allows. */
START_TEST(a_timeout_within_recovery_moves_ssthresh_neither_up_nor_down)
{
	const struct cc_ops *const both[] = {&cc_newreno, &cc_cubic};

	for (int i = 0; i < 2; i++) {
		uint32_t ssthresh;

		begin_with(both[i]);
		cc.cwnd = 40 * MSS;
		congestion(CC_LOSS, 40 * MSS, false);
		ssthresh = cc.ssthresh;
		cc.cwnd = 7 * MSS;			/* PRR */
		congestion(CC_RTO, 55 * MSS, false);
		ck_assert_uint_ge(cc.ssthresh + 1, ssthresh);
		ck_assert_uint_le(cc.ssthresh, ssthresh);
		ck_assert_uint_eq(cc.cwnd, MSS);
	}
}
END_TEST

/* In congestion avoidance ssthresh lies far below; a timeout then sets it to half of what was outstanding, upwards. */
START_TEST(a_timeout_in_congestion_avoidance_remembers_the_window)
{
	cc.ssthresh = 5 * MSS;
	cc.cwnd = 40 * MSS;
	congestion(CC_RTO, 40 * MSS, false);
	ck_assert_uint_eq(cc.ssthresh, 20 * MSS);
}
END_TEST

/* RFC 5681 3.1: slow start after a timeout, also when the program has nothing new to send. */
START_TEST(after_a_timeout_the_window_grows_by_what_left_the_network)
{
	struct cc_sample s;

	congestion(CC_RTO, 8 * MSS, false);
	s = ack_of(7 * MSS);			/* the retransmission filled the only hole */
	s.recovery = true;
	s.cwnd_limited = false;
	s.prior_flight = MSS;
	cc.ops->on_ack(&cc, priv, &s);
	ck_assert_uint_eq(cc.cwnd, 2 * MSS);
	s.prior_flight = s.delivered = 2 * MSS;
	cc.ops->on_ack(&cc, priv, &s);
	ck_assert_uint_eq(cc.cwnd, 4 * MSS);
	ck_assert_uint_eq(cc.ssthresh, 4 * MSS);
}
END_TEST

/* RFC 3168 6.1.2, RFC 9438 4.6 */
START_TEST(marks_lead_down_to_one_segment_and_ssthresh_to_two)
{
	const struct cc_ops *const both[] = {&cc_newreno, &cc_cubic};

	for (int i = 0; i < 2; i++) {
		begin_with(both[i]);
		congestion(CC_ECN, IW, false);
		ck_assert_uint_eq(cc.ssthresh, i ? 7 * MSS : 5 * MSS);
		ck_assert_uint_eq(cc.cwnd, IW);
		cc.cwnd = 2 * MSS;
		congestion(CC_ECN, 2 * MSS, false);
		ck_assert_uint_eq(cc.ssthresh, 2 * MSS);
		ck_assert_uint_eq(cc.cwnd, i ? 1400 : MSS);
		congestion(CC_ECN, MSS, false);
		ck_assert_uint_eq(cc.cwnd, MSS);
	}
}
END_TEST

/* RFC 5681 4.1; RFC 7661 4.4.3: slow start leads back to three quarters. */
START_TEST(after_an_idle_time_the_window_is_at_most_the_initial_one)
{
	cc.cwnd = 100 * MSS;
	cc.ssthresh = 50 * MSS;
	idle(400000);
	ck_assert_uint_eq(cc.cwnd, IW);
	ck_assert_uint_eq(cc.ssthresh, 75 * MSS);
	cc.cwnd = 4 * MSS;
	idle(400000);
	ck_assert_uint_eq(cc.cwnd, 4 * MSS);
	ck_assert_uint_eq(cc.ssthresh, 75 * MSS);
	cc.cwnd = 100 * MSS;
	idle(50000);			/* half a round trip is no RTO */
	ck_assert_uint_eq(cc.cwnd, 100 * MSS);
	cc.ssthresh = CC_WINDOW_MAX;
	idle(400000);
	ck_assert_uint_eq(cc.ssthresh, CC_WINDOW_MAX);
}
END_TEST

START_TEST(the_window_stays_within_its_bounds_whatever_the_sample_says)
{
	struct cc_sample s = {.rtt_us = CC_NONE, .cwnd_limited = true};

	cc.ops->on_ack(&cc, priv, &s);
	cc.ops->on_congestion(&cc, priv, &s, CC_RTO, false);	/* no MSS at all */
	ck_assert_uint_eq(cc.cwnd, 1);
	ck_assert_uint_eq(cc.ssthresh, 2);
	begin();
	cc.cwnd = CC_WINDOW_MAX - 1;
	ack(CC_WINDOW_MAX);
	ck_assert_uint_eq(cc.cwnd, CC_WINDOW_MAX);
	cc.ssthresh = CC_WINDOW_MAX / 2;
	ack(UINT32_MAX);
	ack(UINT32_MAX);
	ck_assert_uint_eq(cc.cwnd, CC_WINDOW_MAX);
	congestion(CC_LOSS, UINT32_MAX, false);
	ck_assert_uint_eq(cc.ssthresh, CC_WINDOW_MAX / 2 / MSS * MSS);
	cc = (struct cc){.ops = &cc_newreno};
	s.initial_window = UINT32_MAX;
	cc.ops->start(&cc, priv, &s, 0);
	ck_assert_uint_eq(cc.cwnd, CC_WINDOW_MAX);
}
END_TEST

/* RFC 5681 3.1 by its fruits: with one loss in each 1/p segments the mean window is sqrt(3 / 2p). */
START_TEST(the_mean_window_is_that_of_the_square_root_law)
{
	static const uint32_t every[] = {300, 1000, 10000};

	for (size_t i = 0; i < sizeof every / sizeof every[0]; i++) {
		struct toy_path p = {.rtt_us = 10000, .lose_every = every[i], .measure_from_us = 4 * TAPIR_SEC};
		struct toy_flow *f;
		double mean, law = sqrt(1.5 * every[i]);

		toy_begin(&p);
		f = toy_add(&p, &cc_newreno, 0);
		toy_run(&p, 24 * TAPIR_SEC);
		mean = toy_mean_flight(&p, f);
		ck_assert_msg(mean > 0.9 * law && mean < 1.1 * law, "one in %u: %.1f segments, the law says %.1f", every[i], mean,
			      law);
		toy_end(&p);
	}
}
END_TEST

Suite *suite(void)
{
	const TTest *const tests[] = {
		a_connection_starts_with_the_initial_window_and_no_threshold,
		the_window_grows_by_every_byte_and_then_by_one_segment_a_window, slow_start_ends_at_ssthresh,
		cutting_an_ack_into_pieces_gains_nothing, an_ack_is_worth_no_more_than_it_delivers_and_the_pipe_held,
		reordering_costs_no_growth_and_gains_none, a_congestion_ends_what_was_held,
		on_a_path_that_reorders_a_byte_counts_when_it_arrives, on_a_path_that_reorders_slow_start_waits,
		one_ack_is_one_segment_in_congestion_avoidance, a_window_that_is_not_used_does_not_grow,
		a_loss_halves_what_was_outstanding_but_not_below_two_segments,
		a_cut_leaves_whole_segments,
		what_was_outstanding_is_measured_before_the_ack_and_within_the_window, a_timeout_leaves_one_segment,
		a_timeout_within_recovery_moves_ssthresh_neither_up_nor_down,
		a_timeout_in_congestion_avoidance_remembers_the_window,
		after_a_timeout_the_window_grows_by_what_left_the_network,
		marks_lead_down_to_one_segment_and_ssthresh_to_two,
		after_an_idle_time_the_window_is_at_most_the_initial_one,
		the_window_stays_within_its_bounds_whatever_the_sample_says,
		the_mean_window_is_that_of_the_square_root_law,
	};
	Suite *s = suite_create("tcp newreno");
	TCase *tc = tcase_create("newreno");

	tcase_set_timeout(tc, 60);
	tcase_add_checked_fixture(tc, begin, NULL);
	for (size_t i = 0; i < sizeof tests / sizeof tests[0]; i++)
		tcase_add_test(tc, tests[i]);
	suite_add_tcase(s, tc);
	return s;
}
