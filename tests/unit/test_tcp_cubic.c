/* test_tcp_cubic.c: CUBIC (RFC 9438 4), alone, against the formulas of its text in floating point. What it shares with NewReno
 * (credit, the size of a cut, idle times) is in test_tcp_newreno.c, its slow start in test_tcp_hystart.c. */
#include <check.h>
#include <math.h>
#include <stdlib.h>
#include "tests/support/toy_path.h"

static struct cc cc;
static uint64_t priv[CC_PRIV / 8];
static usec_t now_us;
static uint32_t mss, srtt_us;

static void begin_with(uint32_t mss_now, uint32_t srtt_now)
{
	struct cc_sample s = {.mss = mss_now, .initial_window = 10 * mss_now, .rtt_us = CC_NONE, .srtt_us = srtt_now};

	mss = mss_now;
	srtt_us = srtt_now;
	now_us = 1000 * TAPIR_SEC;
	cc = (struct cc){.ops = &cc_cubic};
	memset(priv, 0, sizeof priv);
	cc.ops->start(&cc, priv, &s, 0);
}

static void begin(void) { begin_with(1000, 100000); }

static struct cc_sample sample(uint32_t outstanding)
{
	return (struct cc_sample){.now_us = now_us, .mss = mss, .initial_window = 10 * mss, .nxt = {outstanding},
				  .flight = outstanding, .prior_flight = outstanding, .rtt_us = CC_NONE, .srtt_us = srtt_us,
				  .min_rtt_us = CC_NONE, .cwnd_limited = true};
}

/* An ACK of a full window for n bytes. */
static void ack_as(uint32_t n, bool limited)
{
	struct cc_sample s = sample(max_u32(n, cc.cwnd));

	s.acked = s.delivered = n;
	s.rtt_us = srtt_us;
	s.cwnd_limited = limited;
	cc.ops->on_ack(&cc, priv, &s);
}

static void ack(uint32_t n) { ack_as(n, true); }

static void congestion(enum cc_signal signal)
{
	struct cc_sample s = sample(cc.cwnd);

	s.recovery = true;
	cc.ops->on_congestion(&cc, priv, &s, signal, false);
}

/* A loss with so large a window; recovery is over, PRR has brought the window to ssthresh. */
static void lose_at(uint32_t window)
{
	cc.cwnd = window;
	congestion(CC_LOSS);
	cc.cwnd = cc.ssthresh;
}

/* Round trips of ten ACKs, for so long. */
static void grow_for(usec_t us)
{
	for (usec_t end_us = now_us + us; now_us < end_us;) {
		now_us += srtt_us / 10;
		ack(cc.cwnd / 10);
	}
}

/* RFC 9438 4.2, equations (1) and (2): segments. */
static double k_of(double w_max, double start) { return cbrt((w_max - start) / 0.4); }
static double w_cubic(double t, double w_max, double start) { return 0.4 * pow(t - k_of(w_max, start), 3) + w_max; }

static double segments(void) { return (double)cc.cwnd / mss; }

/* --- the function ----------------------------------------------------------------------------------------------- */

/* One ACK of a whole window brings the window to W_cubic(t) if the round trip is nothing: so the function itself shows, for
 * every size of segment and window, before and after K. */
START_TEST(the_window_follows_the_cubic_function_at_every_scale)
{
	static const uint32_t sizes[] = {48, 536, 1448, 8948, 65535};
	static const double windows[] = {100, 1000, 10000, 100000, 1e6};
	static const double parts[] = {0.01, 0.1, 0.5, 0.9, 1, 1.1, 1.3, 1.5};

	for (size_t i = 0; i < 5 * 5 * 8; i++) {
		double start, w_max = windows[i / 8 % 5], at = parts[i % 8], k, want;

		if (w_max * sizes[i / 40] > 0.6 * CC_WINDOW_MAX)
			continue;
		begin_with(sizes[i / 40], 0);
		lose_at((uint32_t)w_max * mss);
		start = segments();
		k = k_of(w_max, start);
		ack(mss);				/* t is 0 */
		now_us += (usec_t)(at * k * 1e6);
		ack(cc.cwnd);
		want = fmin(w_cubic(at * k, w_max, start), start * 1.5);
		/* Reno may have got further: 9/17 of a segment for each window. A thousandth of the cut may be lost in rounding. */
		ck_assert_msg(segments() > want - 0.001 * (w_max - start) - 0.05 &&
			      segments() < fmax(want, start + 0.6) + 0.001 * (w_max - start) + 0.05,
			      "MSS %u, W_max %.0f, t %.3f s: %.2f segments, not %.2f", mss, w_max, at * k, segments(), want);
	}
}
END_TEST

/* RFC 9293 3.8.2 (MAY-18), RFC 9438 4.4, 4.5: driven by ACKs: concave up to W_max at K, convex behind it. */
START_TEST(the_window_is_concave_up_to_w_max_and_convex_behind)
{
	double t = 0, before = 700, last_step = 1e9, step;

	lose_at(1000 * mss);
	ck_assert_double_eq_tol(segments(), 700, 0.001);
	ack(mss);
	for (; t < 18; t += 1) {
		ck_assert_msg(fabs(segments() - w_cubic(t, 1000, 700)) < 4, "%.0f s: %.2f segments, not %.2f", t, segments(),
			      w_cubic(t, 1000, 700));
		before = segments();
		grow_for(TAPIR_SEC);
		step = segments() - before;
		ck_assert(t < 8 ? step < last_step : t < 10 || step > last_step);	/* K is 9.09 s */
		last_step = step;
	}
	ck_assert_double_gt(segments(), 1200);
}
END_TEST

/* RFC 9438 4.2: at most half as much again in a round trip, whatever the function says. */
START_TEST(no_round_trip_adds_more_than_half_a_window)
{
	srtt_us = 60 * 1000000;
	lose_at(100 * mss);
	for (int i = 0; i < 5; i++) {
		uint32_t before = cc.cwnd;

		for (int j = 0; j < 100; j++) {
			now_us += srtt_us / 100;
			ack(before / 100);
		}
		ck_assert_uint_gt(cc.cwnd, before);
		ck_assert_uint_le(cc.cwnd, before + before / 2 + before / 4);	/* the ACKs of one window compound */
	}
}
END_TEST

/* Long after K the function is past every window, and its cube past every number: the bounds alone count. */
START_TEST(far_behind_k_the_bounds_rule)
{
	static const uint32_t sizes[] = {1, 48, 536, 1460, 8948, 65535};

	for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++)
		for (usec_t seconds = 2200; seconds < 60000; seconds += seconds / 60) {
			uint32_t before;

			begin_with(sizes[i], 0);
			lose_at(400000000);
			ack(mss);
			before = cc.cwnd;
			now_us += seconds * TAPIR_SEC;
			ack(before);
			ck_assert_uint_eq(cc.cwnd, before + before / 2);
			for (int j = 0; j < 3; j++)
				ack(cc.cwnd);
			ck_assert_uint_eq(cc.cwnd, CC_WINDOW_MAX);
		}
}
END_TEST

/* RFC 3465 2.3: cut into bytes the ACKs of a window are worth what they are in ten pieces. */
START_TEST(small_acks_grow_the_window_as_large_ones_do)
{
	double large;

	lose_at(100 * mss);
	grow_for(3 * TAPIR_SEC);
	large = segments();
	begin();
	lose_at(100 * mss);
	for (int i = 0; i < 30; i++)
		for (uint32_t window = cc.cwnd, j = 0; j < window; j += 10) {
			now_us += j % 10000 ? 0 : 100000 / (window / 10000 + 1);
			ack(10);
		}
	ck_assert_double_eq_tol(segments(), large, 1);
}
END_TEST

/* RFC 9438 1: growth is a matter of time, not of round trips. */
START_TEST(growth_hardly_depends_on_the_round_trip_time)
{
	double windows[2];

	for (int i = 0; i < 2; i++) {
		begin_with(1000, i ? 200000 : 20000);
		lose_at(5000 * mss);
		grow_for(10 * TAPIR_SEC);
		windows[i] = segments();
	}
	ck_assert_double_gt(windows[0], 4700);
	ck_assert_double_lt(fabs(windows[0] / windows[1] - 1), 0.01);
}
END_TEST

/* --- Reno --------------------------------------------------------------------------------------------------------- */

/* RFC 9438 4.3: alpha 9/17 of a segment a round trip up to the window of the loss, then a whole one. */
START_TEST(with_short_round_trips_it_grows_like_reno)
{
	double before;

	begin_with(1000, 5000);
	lose_at(100 * mss);
	grow_for(40 * 5000);
	ck_assert_double_eq_tol(segments(), 70 + 40 * 9.0 / 17, 0.5);
	grow_for(16 * 5000);
	ck_assert_double_eq_tol(segments(), 70 + 56 * 9.0 / 17, 0.5);
	grow_for(2 * 5000);
	before = segments();
	grow_for(10 * 5000);
	ck_assert_double_eq_tol(segments() - before, 10, 0.5);
}
END_TEST

/* RFC 9438 5.1, tables 1 and 2: mean windows with one loss in every so many segments. */
START_TEST(the_mean_window_is_that_of_the_tables)
{
	static const struct { uint32_t rtt_us, every; double window; } rows[] = {
		{100000, 1000, 38}, {100000, 10000, 187}, {100000, 100000, 1054}, {10000, 1000, 38}, {10000, 10000, 120},
		{10000, 100000, 379}
	};

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct toy_path p = {.rtt_us = rows[i].rtt_us, .lose_every = rows[i].every};
		struct toy_flow *f;
		usec_t cycle_us = (usec_t)(rows[i].every / rows[i].window * rows[i].rtt_us);

		p.measure_from_us = 5 * cycle_us;
		toy_begin(&p);
		f = toy_add(&p, &cc_cubic, 0);
		toy_run(&p, 25 * cycle_us);
		ck_assert_msg(fabs(toy_mean_flight(&p, f) / rows[i].window - 1) < 0.15, "RTT %u us, one in %u: %.1f, not %.1f",
			      rows[i].rtt_us, rows[i].every, toy_mean_flight(&p, f), rows[i].window);
		toy_end(&p);
	}
}
END_TEST

static double share_of(const struct cc_ops *a, const struct cc_ops *b, struct toy_path p)
{
	struct toy_flow *first, *second;
	double share;

	toy_begin(&p);
	first = toy_add(&p, a, 0);
	second = toy_add(&p, b, 0);
	p.flows[1].starts_us = p.measure_from_us / 4;
	toy_run(&p, 4 * p.measure_from_us);
	share = (double)first->measured / (double)(first->measured + second->measured);
	toy_end(&p);
	return share;
}

/* RFC 9438 5.1: 20 Mbit/s and 20 ms are Reno's country: 50 segments, and a queue of as many. */
START_TEST(on_a_short_path_it_shares_with_newreno)
{
	struct toy_path p = {.rate = 2500000, .rtt_us = 20000, .queue = 50 * TOY_MSS, .measure_from_us = 60 * TAPIR_SEC};
	double share = share_of(&cc_cubic, &cc_newreno, p);

	ck_assert_msg(share > 0.35 && share < 0.65, "its share is %.2f", share);
}
END_TEST

/* RFC 9438 4.7, 5.7: also when one of them came first and had it all. */
START_TEST(two_of_them_converge)
{
	struct toy_path p = {.rate = 12500000, .rtt_us = 40000, .queue = 250 * TOY_MSS, .measure_from_us = 60 * TAPIR_SEC};
	double share = share_of(&cc_cubic, &cc_cubic, p);

	ck_assert_msg(share > 0.4 && share < 0.6, "the first one's share is %.2f", share);
}
END_TEST

/* --- congestion --------------------------------------------------------------------------------------------------- */

/* RFC 9438 4.6: PRR moves cwnd. */
START_TEST(a_loss_takes_three_tenths)
{
	cc.cwnd = 1000 * mss;
	congestion(CC_LOSS);
	ck_assert_uint_eq(cc.ssthresh, 700 * mss);
	ck_assert_uint_eq(cc.cwnd, 1000 * mss);
	cc.cwnd = 2 * mss;
	congestion(CC_LOSS);
	ck_assert_uint_eq(cc.ssthresh, 2 * mss);
}
END_TEST

/* RFC 9438 4.7: less than before: the plateau lies at 0.85 of it. As much as before: at the window of the loss. */
START_TEST(fast_convergence_gives_up_a_part_of_w_max)
{
	static const struct { uint32_t second, plateau; } rows[] = {{800, 680}, {1000, 1000}, {1200, 1200}};

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		double start = 0.7 * rows[i].second, k = k_of(rows[i].plateau, start);

		begin();
		lose_at(1000 * mss);
		grow_for(TAPIR_SEC);
		lose_at(rows[i].second * mss);
		ack(mss);
		grow_for((usec_t)(k * 1e6));
		/* Reno may have got a little further. */
		ck_assert_double_eq_tol(segments(), fmax(rows[i].plateau, start + 9.0 / 17 * 10 * k), 3);
	}
}
END_TEST

/* The remainders of divisions are no convergence: a window a few bytes below the last is as large as it. */
START_TEST(a_few_bytes_less_are_no_reason_to_converge)
{
	lose_at(1000 * mss);
	grow_for(TAPIR_SEC);
	lose_at(1000 * mss - 200);
	ack(mss);
	grow_for((usec_t)(k_of(1000, 700) * 1e6));
	ck_assert_double_eq_tol(segments(), 1000, 1);
}
END_TEST

/* RFC 9438 4.8: slow start up to ssthresh, then convex from there: K is 0. */
START_TEST(after_a_timeout_the_function_starts_at_ssthresh)
{
	cc.cwnd = 1000 * mss;
	congestion(CC_RTO);
	ck_assert_uint_eq(cc.cwnd, mss);
	ck_assert_uint_eq(cc.ssthresh, 700 * mss);
	for (int i = 0; i < 9; i++)
		ack(cc.cwnd);				/* 512 segments */
	ck_assert_uint_eq(cc.cwnd, 512 * mss);
	ack(188 * mss);
	ck_assert_uint_eq(cc.cwnd, 700 * mss);
	ack(mss);
	grow_for(5 * TAPIR_SEC);
	ck_assert_double_eq_tol(segments(), 700 + 0.4 * 125, 4);
	grow_for(5 * TAPIR_SEC);
	ck_assert_double_eq_tol(segments(), 700 + 0.4 * 1000, 8);
}
END_TEST

/* RFC 9438 4.3: the second timeout sets no ssthresh, and so no cwnd_prior: alpha stays 9/17 up to the window of the first. */
START_TEST(a_second_timeout_is_no_reason_to_grow_faster)
{
	struct cc_sample s;

	begin_with(1000, 5000);
	cc.cwnd = 100 * mss;
	congestion(CC_RTO);
	s = sample(mss);
	s.recovery = true;
	cc.ops->on_congestion(&cc, priv, &s, CC_RTO, true);
	ck_assert_uint_eq(cc.ssthresh, 70 * mss);
	while (cc.cwnd < cc.ssthresh)
		ack(cc.cwnd);
	ck_assert_double_eq_tol(segments(), 70, 1);
	grow_for(20 * 5000);
	ck_assert_double_eq_tol(segments(), 70 + 20 * 9.0 / 17, 1);
}
END_TEST

/* RFC 9438 4.10: HyStart++ ends slow start without a loss: convex from there, too. */
START_TEST(after_hystart_the_function_starts_at_the_window)
{
	for (int round = 0; cc.ssthresh == CC_WINDOW_MAX && round < 20; round++)
		for (int i = 0; i < 20; i++) {
			struct cc_sample s = sample(cc.cwnd);

			s.acked = s.delivered = cc.cwnd / 20;
			s.rtt_us = round < 4 ? 100000 : 150000;
			s.round_start = i == 19;
			cc.ops->on_ack(&cc, priv, &s);
		}
	ck_assert_uint_lt(cc.ssthresh, CC_WINDOW_MAX);
	ck_assert_uint_eq(cc.cwnd, cc.ssthresh);
	ack(mss);
	grow_for(10 * TAPIR_SEC);
	ck_assert_double_eq_tol(segments(), (double)cc.ssthresh / mss + 0.4 * 1000, 8);
}
END_TEST

/* --- undo --------------------------------------------------------------------------------------------------------- */

struct memory { struct cc cc; uint64_t priv[CC_PRIV / 8]; };

static struct memory remember(void)
{
	struct memory m = {.cc = cc};

	memcpy(m.priv, priv, sizeof priv);
	return m;
}

/* RFC 9438 4.9: after a loss that was none the window is what it would have been. */
START_TEST(an_undone_congestion_leaves_no_trace)
{
	static const enum cc_signal signals[] = {CC_LOSS, CC_RTO};

	for (int i = 0; i < 2; i++) {
		struct memory before;
		uint32_t without;

		begin();
		lose_at(1000 * mss);
		grow_for(3 * TAPIR_SEC);
		before = remember();
		grow_for(5 * TAPIR_SEC);
		without = cc.cwnd;

		cc = before.cc;
		memcpy(priv, before.priv, sizeof priv);
		now_us -= 5 * TAPIR_SEC;
		congestion(signals[i]);
		cc.ops->on_undo(&cc, priv, &before.cc, before.priv);
		ck_assert_uint_eq(cc.cwnd, before.cc.cwnd);
		ck_assert_uint_eq(cc.ssthresh, before.cc.ssthresh);
		grow_for(5 * TAPIR_SEC);
		ck_assert_uint_eq(cc.cwnd, without);
	}
}
END_TEST

/* RFC 9438 4.9.2: what was reached since is kept. */
START_TEST(an_undo_that_comes_late_changes_nothing)
{
	struct memory before, after;

	lose_at(100 * mss);
	grow_for(TAPIR_SEC);
	before = remember();
	congestion(CC_LOSS);
	cc.cwnd = cc.ssthresh;
	grow_for(60 * TAPIR_SEC);
	ck_assert_uint_gt(cc.cwnd, before.cc.cwnd);
	after = remember();
	cc.ops->on_undo(&cc, priv, &before.cc, before.priv);
	ck_assert_mem_eq(&cc, &after.cc, sizeof cc);
	ck_assert_mem_eq(priv, after.priv, sizeof priv);
}
END_TEST

/* A loss in the initial slow start that was none: it is slow start again, with HyStart++. */
START_TEST(an_undone_loss_goes_back_to_the_initial_slow_start)
{
	struct memory before = remember();

	congestion(CC_LOSS);
	cc.cwnd = cc.ssthresh;
	cc.ops->on_undo(&cc, priv, &before.cc, before.priv);
	ack(cc.cwnd);
	ck_assert_uint_eq(cc.cwnd, 20 * mss);
	ck_assert_uint_eq(cc.ssthresh, CC_WINDOW_MAX);
}
END_TEST

/* --- time that does not count --------------------------------------------------------------------------------------- */

/* RFC 9438 4.2, 5.8: a minute in which the window was not used; silence; a call of start() after idle time. */
START_TEST(time_in_which_the_window_is_not_used_does_not_count)
{
	double before, without = 0;

	for (int i = 0; i < 4; i++) {
		struct cc_sample s;

		begin();
		lose_at(1000 * mss);
		grow_for(3 * TAPIR_SEC);
		before = segments();
		switch (i) {
		case 1:
			for (int j = 0; j < 600; j++) {
				now_us += 100000;
				ack_as(10 * mss, false);
			}
			break;
		case 2:
			now_us += 60 * TAPIR_SEC;
			break;
		case 3:
			now_us += 60 * TAPIR_SEC;
			s = sample(0);
			s.initial_window = 10000 * mss;		/* so that the window is not cut as well */
			cc.ops->start(&cc, priv, &s, 60 * TAPIR_SEC);
			break;
		}
		ck_assert_double_eq(segments(), before);
		grow_for(3 * TAPIR_SEC);
		if (i == 0)
			without = segments();
		/* Of mere silence two round trips count. */
		ck_assert_msg(fabs(segments() - without) < (i == 2 ? 3 : 0.5), "case %d: %.1f segments, not %.1f", i, segments(),
			      without);
	}
}
END_TEST

START_TEST(a_window_that_is_not_used_does_not_grow)
{
	for (int avoiding = 0; avoiding < 2; avoiding++) {
		uint32_t before;

		if (avoiding)
			lose_at(100 * mss);
		before = cc.cwnd;
		for (int i = 0; i < 10000; i++) {
			now_us += 10000;
			ack_as(mss, false);
		}
		ck_assert_uint_eq(cc.cwnd, before);
	}
}
END_TEST

/* RFC 5681 4.1: the restart window; slow start back, and then a new epoch with the old W_max. */
START_TEST(after_an_idle_time_slow_start_leads_back_to_the_function)
{
	struct cc_sample s;

	lose_at(1000 * mss);
	grow_for(3 * TAPIR_SEC);
	now_us += 60 * TAPIR_SEC;
	s = sample(0);
	cc.ops->start(&cc, priv, &s, 60 * TAPIR_SEC);
	ck_assert_uint_eq(cc.cwnd, 10 * mss);
	ck_assert_uint_eq(cc.ssthresh, 700 * mss);
	while (cc.cwnd < cc.ssthresh)
		ack(cc.cwnd / 10);
	ck_assert_double_eq_tol(segments(), 700, 1);
	grow_for((usec_t)(k_of(1000, 700) * 1e6));
	ck_assert_double_eq_tol(segments(), 1000, 4);
}
END_TEST

/* Slow start may lead back past W_max: then the function starts where it ends. */
START_TEST(past_w_max_the_function_starts_at_the_window)
{
	struct cc_sample s;

	lose_at(100 * mss);
	cc.cwnd = 400 * mss;
	s = sample(0);
	cc.ops->start(&cc, priv, &s, 60 * TAPIR_SEC);
	while (cc.cwnd < cc.ssthresh)
		ack(cc.cwnd / 10);
	ck_assert_double_eq_tol(segments(), 300, 1);
	grow_for(9 * TAPIR_SEC);
	ck_assert_double_eq_tol(segments(), 300 + 0.4 * 729, 8);
}
END_TEST

/* RFC 9406 4.3: the round-trip times from before an idle time are not compared with those after it. */
START_TEST(hystart_begins_anew_after_an_idle_time)
{
	struct cc_sample s;

	for (int i = 0; i < 16; i++) {
		s = sample(cc.cwnd);
		s.rtt_us = i < 8 ? 50000 : 90000;
		s.round_start = i == 7;
		if (i == 8) {
			cc.cwnd = 40 * mss;
			cc.ops->start(&cc, priv, &s, TAPIR_SEC);
		}
		cc.ops->on_ack(&cc, priv, &s);
	}
	ck_assert_uint_eq(cc.cwnd, 10 * mss);
	ack(4 * mss);
	ck_assert_uint_eq(cc.cwnd, 14 * mss);
}
END_TEST

/* --- what nobody should send ---------------------------------------------------------------------------------------- */

/* Round trips of a microsecond and of ten minutes, segments of a byte, windows of a gigabyte, clocks that jump. */
START_TEST(extreme_paths_are_survived)
{
	static const struct { uint32_t mss, srtt_us; double window; } rows[] = {
		{1460, 1, 10}, {1460, 1, 700000}, {1460, 600000000, 10}, {1460, 600000000, 700000}, {1, 1, 1e9},
		{1, UINT32_MAX, 1e9}, {65535, UINT32_MAX, 16000}, {65535, 1, 16000}, {0, 0, 1e9}
	};

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		uint32_t before;

		begin_with(rows[i].mss, rows[i].srtt_us);
		lose_at((uint32_t)(rows[i].window * max_u32(mss, 1)));
		before = cc.cwnd;
		for (int j = 0; j < 1000; j++) {
			now_us += max_u32(srtt_us / 4, 1);
			ack(cc.cwnd / 4);
			ck_assert_uint_ge(cc.cwnd, before);
			ck_assert_uint_le(cc.cwnd, CC_WINDOW_MAX);
		}
		ck_assert_uint_gt(cc.cwnd, before);
		now_us = UINT64_MAX;
		ack(cc.cwnd);
		now_us = 0;
		ack(cc.cwnd);
		ck_assert_uint_ge(cc.cwnd, before);
		ck_assert_uint_le(cc.cwnd, CC_WINDOW_MAX);
	}
}
END_TEST

/* Any sample may come: never a window of less than a segment (but where a mark asks for it), never one past the bound. */
START_TEST(no_sample_breaks_the_bounds)
{
	static const uint32_t odd[] = {0, 1, 2, 999, 1000, 1001, 65535, 1u << 20, CC_WINDOW_MAX - 1, CC_WINDOW_MAX,
				       CC_WINDOW_MAX + 1, UINT32_MAX - 1, UINT32_MAX};
#define ODD odd[(size_t)rand() % (sizeof odd / sizeof odd[0])]
	struct memory before;

	srand(1);
	before = remember();
	for (int i = 0; i < 300000; i++) {
		struct cc_sample s = {.now_us = now_us += ODD, .mss = mss, .initial_window = ODD, .una = {ODD}, .nxt = {ODD},
				      .acked = ODD, .delivered = ODD, .lost = ODD, .flight = ODD, .prior_flight = ODD,
				      .rtt_us = ODD, .srtt_us = ODD, .min_rtt_us = ODD, .cwnd_limited = rand() & 1,
				      .recovery = rand() & 1, .round_start = rand() & 1};

		switch (rand() % 16) {
		case 0: cc.ops->start(&cc, priv, &s, ODD); break;
		case 1: cc.ops->on_congestion(&cc, priv, &s, CC_LOSS, false); break;
		case 2: cc.ops->on_congestion(&cc, priv, &s, CC_RTO, rand() & 1); break;
		case 3: cc.ops->on_undo(&cc, priv, &before.cc, before.priv); break;
		case 4: before = remember(); break;
		default: cc.ops->on_ack(&cc, priv, &s); break;
		}
		ck_assert(cc.cwnd >= mss && cc.cwnd <= CC_WINDOW_MAX && cc.ssthresh >= mss && cc.ssthresh <= CC_WINDOW_MAX);
	}
}
END_TEST

/* --- names -------------------------------------------------------------------------------------------------------- */

START_TEST(a_controller_is_found_by_name_and_by_number)
{
	ck_assert_ptr_eq(cc_find("cubic"), &cc_cubic);
	ck_assert_ptr_eq(cc_find("newreno"), &cc_newreno);
	ck_assert_ptr_eq(cc_find("reno"), &cc_newreno);
	ck_assert_ptr_eq(cc_find("bbr"), &cc_bbr);
	ck_assert_ptr_null(cc_find(""));
	ck_assert_ptr_null(cc_find("cubi"));
	ck_assert_ptr_null(cc_find("cubicx"));
	ck_assert_ptr_null(cc_find("CUBIC"));
	for (enum tapir_cc i = 0; i < TAPIR_CC_COUNT; i++) {
		ck_assert_str_eq(cc_of(i)->name, tapir_cc_name(i));
		ck_assert_int_eq(tapir_cc_parse(tapir_cc_name(i)), (int)i);
	}
	ck_assert_int_eq(tapir_cc_parse("vegas"), TAPIR_EINVAL);
}
END_TEST

/* TCP_CONGESTION on a connection: the window stays, the memory of the old controller does not. */
START_TEST(a_connection_may_change_its_controller)
{
	struct cc_sample s = sample(0);
	static const uint64_t nothing[CC_PRIV / 8];

	lose_at(1000 * mss);
	grow_for(TAPIR_SEC);
	cc_switch(&cc, priv, &cc_cubic, &s);
	ck_assert_mem_ne(priv, nothing, sizeof priv);		/* the same: nothing happens */
	cc_switch(&cc, priv, &cc_newreno, &s);
	ck_assert_ptr_eq(cc.ops, &cc_newreno);
	ck_assert_mem_eq(priv, nothing, sizeof priv);
	ck_assert_uint_eq(cc.ssthresh, 700 * mss);
	ck_assert_uint_gt(cc.cwnd, 700 * mss);
	cc_switch(&cc, NULL, &cc_cubic, NULL);			/* nothing is being sent */
	ck_assert_ptr_eq(cc.ops, &cc_cubic);
	cc_switch(&cc, priv, &cc_newreno, &s);
	cc_switch(&cc, priv, &cc_cubic, &s);
	now_us += 1000000;
	grow_for(10 * TAPIR_SEC);				/* from here, K 0 */
	ck_assert_double_gt(segments(), 1000);
}
END_TEST

Suite *suite(void)
{
	const TTest *const tests[] = {
		the_window_follows_the_cubic_function_at_every_scale, the_window_is_concave_up_to_w_max_and_convex_behind,
		no_round_trip_adds_more_than_half_a_window, far_behind_k_the_bounds_rule,
		small_acks_grow_the_window_as_large_ones_do, growth_hardly_depends_on_the_round_trip_time,
		with_short_round_trips_it_grows_like_reno, the_mean_window_is_that_of_the_tables,
		on_a_short_path_it_shares_with_newreno, two_of_them_converge, a_loss_takes_three_tenths,
		fast_convergence_gives_up_a_part_of_w_max, a_few_bytes_less_are_no_reason_to_converge,
		after_a_timeout_the_function_starts_at_ssthresh, a_second_timeout_is_no_reason_to_grow_faster,
		after_hystart_the_function_starts_at_the_window,
		an_undone_congestion_leaves_no_trace, an_undo_that_comes_late_changes_nothing,
		an_undone_loss_goes_back_to_the_initial_slow_start,
		time_in_which_the_window_is_not_used_does_not_count, a_window_that_is_not_used_does_not_grow,
		after_an_idle_time_slow_start_leads_back_to_the_function, past_w_max_the_function_starts_at_the_window,
		hystart_begins_anew_after_an_idle_time, extreme_paths_are_survived,
		no_sample_breaks_the_bounds, a_controller_is_found_by_name_and_by_number,
		a_connection_may_change_its_controller,
	};
	Suite *s = suite_create("tcp cubic");
	TCase *tc = tcase_create("cubic");

	tcase_set_timeout(tc, 60);
	tcase_add_checked_fixture(tc, begin, NULL);
	for (size_t i = 0; i < sizeof tests / sizeof tests[0]; i++)
		tcase_add_test(tc, tests[i]);
	suite_add_tcase(s, tc);
	return s;
}
