/* test_tcp_bbr.c: BBR behind a bottleneck, in virtual time (draft-ietf-ccwg-bbr; most of its appendix of example tests). Rates are
 * bytes a second; queues are given in bandwidth-delay products of the path. */
#include <check.h>
#include <stdlib.h>
#include "stack/tcp/bbr.h"
#include "tests/support/bottleneck.h"

#define MSS BOTTLENECK_MSS
#define RATE 1250000u			/* 10 Mbit/s */
#define RTT (40 * TAPIR_MS)
#define BDP (RATE / 25)			/* of these two */

static struct bottleneck w;

static struct bbr *model(const struct toy_flow *f) { return (struct bbr *)(void *)(uintptr_t)f->x.cc_priv; }

static struct toy_flow *path(uint64_t rate, usec_t rtt_us, uint32_t queue_percent)
{
	uint64_t bdp = rate * rtt_us / TAPIR_SEC;
	uint64_t queue = bdp * queue_percent / 100;

	bottleneck_init(&w, rate, (uint32_t)(queue > 4 * MSS ? queue : 4 * MSS), rate + rtt_us);
	return bottleneck_add(&w, &cc_bbr, rtt_us);
}

/* What f delivered in the time, in percent of what the link can. */
static uint32_t percent_in(const struct toy_flow *f, usec_t us)
{
	uint64_t before = f->x.rate.delivered;

	bottleneck_run(&w, us);
	return (uint32_t)((f->x.rate.delivered - before) * 100 * TAPIR_SEC / us / w.rate);
}

/* Runs until f is in that state, for at most a minute. */
static bool reaches(const struct toy_flow *f, enum bbr_state state)
{
	usec_t end_us = w.now_us + 60 * TAPIR_SEC;

	while (model(f)->state != state && w.now_us < end_us)
		bottleneck_run(&w, 1000);
	return model(f)->state == state;
}

#define ck_assert_reaches(f, state) ck_assert_msg(reaches((f), (state)), "it stays in %s", cc_bbr.why(NULL, (f)->x.cc_priv))

/* --- the whole ------------------------------------------------------------------------------------------------- */

struct link { uint64_t rate; usec_t rtt_us; uint32_t queue_percent, least_percent; usec_t for_us; };
static const struct link links[] = {
	{1250000, 40000, 100, 95, 20 * TAPIR_SEC}, {1250000, 40000, 25, 95, 20 * TAPIR_SEC},
	{1250000, 40000, 400, 95, 20 * TAPIR_SEC}, {125000, 10000, 400, 93, 20 * TAPIR_SEC},
	{12500000, 10000, 100, 95, 10 * TAPIR_SEC}, {12500000, 100000, 50, 93, 20 * TAPIR_SEC},
	{125000, 600000, 100, 85, 30 * TAPIR_SEC}, {125000000, 200, 200, 95, TAPIR_SEC},
	{1250000000, 50, 400, 95, TAPIR_SEC / 4}, {8000, 100000, 100, 90, 120 * TAPIR_SEC},
};

START_TEST(the_bottleneck_is_used_within_a_second_and_stays_used)
{
	const struct link *l = &links[_i];
	struct toy_flow *f = path(l->rate, l->rtt_us, l->queue_percent);

	bottleneck_run(&w, 20 * l->rtt_us);
	ck_assert_uint_ge(percent_in(f, l->for_us), l->least_percent);
	ck_assert_uint_le(bbr_max_bw(model(f)), l->rate + l->rate / 50);
	ck_assert_uint_ge(bbr_max_bw(model(f)), l->rate - l->rate / 50);
	bottleneck_end(&w);
}
END_TEST

/* 3.1: with a queue of four times what the path holds, what waits is a fraction of it; CUBIC would fill it. */
START_TEST(a_deep_queue_is_drained_and_stays_short)
{
	struct toy_flow *f = path(RATE, RTT, 400);
	uint64_t sum = 0, samples = 0;

	ck_assert_reaches(f, BBR_DRAIN);
	ck_assert_uint_ge(bottleneck_queued(&w), BDP / 2);
	ck_assert_reaches(f, BBR_CRUISE);
	ck_assert_uint_le(bottleneck_queued(&w), BDP / 10);
	for (; samples < 20000; samples++) {
		bottleneck_run(&w, 1000);
		sum += bottleneck_queued(&w);
	}
	ck_assert_uint_le(sum / samples, BDP / 4);
	ck_assert_uint_eq(f->lost, 0);
	bottleneck_end(&w);
}
END_TEST

/* 2.8 LossThresh, 5.3.3.8.3: up to 1 % costs little; with more it yields, but not to the 36, 26 and 21 % that 1.22 MSS/RTT/sqrt(p)
 * would leave. */
START_TEST(random_loss_costs_far_less_than_it_costs_reno)
{
	static const struct { uint32_t ppm, least_percent; } losses[] = {{1000, 93}, {10000, 65}, {20000, 45}, {30000, 32}};
	struct toy_flow *f = path(RATE, RTT, 100);

	w.loss_ppm = losses[_i].ppm;
	bottleneck_run(&w, TAPIR_SEC);
	ck_assert_uint_ge(percent_in(f, 40 * TAPIR_SEC), losses[_i].least_percent);
	ck_assert_uint_ge(f->lost, 20);
	bottleneck_end(&w);
}
END_TEST

START_TEST(a_path_that_loses_everything_for_a_while_is_found_again)
{
	struct toy_flow *f = path(RATE, RTT, 100);

	bottleneck_run(&w, 5 * TAPIR_SEC);
	w.loss_ppm = 1000000;
	bottleneck_run(&w, 3 * TAPIR_SEC);
	ck_assert_uint_eq(f->cc.cwnd, MSS);		/* 5.6.4.4 */
	w.loss_ppm = 0;
	bottleneck_run(&w, 6 * TAPIR_SEC);
	ck_assert_uint_ge(percent_in(f, 20 * TAPIR_SEC), 93);
	bottleneck_end(&w);
}
END_TEST

/* --- beside others ---------------------------------------------------------------------------------------------- */

static uint32_t fair_share(usec_t for_us, struct toy_flow *a, struct toy_flow *b)
{
	uint64_t a0 = a->x.rate.delivered, b0 = b->x.rate.delivered, got_a, got_b;

	bottleneck_run(&w, for_us);
	got_a = a->x.rate.delivered - a0;
	got_b = b->x.rate.delivered - b0;
	ck_assert_uint_ge(got_a + got_b, w.rate * for_us / TAPIR_SEC * 9 / 10);
	return (uint32_t)(got_b * 100 / (got_a + got_b));
}

START_TEST(a_second_flow_finds_its_share)
{
	static const uint32_t queues[] = {50, 100, 400};
	struct toy_flow *a = path(RATE, RTT, queues[_i]), *b;
	uint32_t share;

	bottleneck_run(&w, 7 * TAPIR_SEC);
	b = bottleneck_add(&w, &cc_bbr, RTT);
	bottleneck_run(&w, 20 * TAPIR_SEC);
	share = fair_share(60 * TAPIR_SEC, a, b);
	ck_assert_uint_ge(share, 35);
	ck_assert_uint_le(share, 65);
	bottleneck_end(&w);
}
END_TEST

/* 5.3.3.8: probing as often as Reno would need leaves Reno room, with a queue of one and with one of three. */
START_TEST(reno_is_left_room)
{
	static const uint32_t queues[] = {100, 300};
	struct toy_flow *a = path(RATE, 30000, queues[_i]), *b;
	uint32_t share;

	bottleneck_run(&w, 5 * TAPIR_SEC);
	b = bottleneck_add(&w, &cc_newreno, 30000);
	bottleneck_run(&w, 20 * TAPIR_SEC);
	share = fair_share(60 * TAPIR_SEC, a, b);
	ck_assert_uint_ge(share, 15);
	ck_assert_uint_le(share, 85);
	bottleneck_end(&w);
}
END_TEST

/* 5.3.3.8.2: two flows that start together must not probe together for ever. */
START_TEST(the_time_between_probes_is_two_to_three_seconds_and_differs)
{
	struct toy_flow *f = path(RATE, RTT, 100);
	uint32_t least = UINT32_MAX, most = 0;

	for (int i = 0; i < 20; i++) {
		ck_assert_reaches(f, BBR_UP);
		ck_assert_reaches(f, BBR_CRUISE);
		least = min_u32(least, model(f)->bw_probe_wait_us);
		most = max_u32(most, model(f)->bw_probe_wait_us);
	}
	ck_assert_uint_ge(least, 2000000);
	ck_assert_uint_lt(most, 3000000);
	ck_assert_uint_ge(most - least, 500000);
	bottleneck_end(&w);
}
END_TEST

/* --- Startup and Drain ------------------------------------------------------------------------------------------ */

/* 5.3.1.1: it doubles each round: 100 Mbit/s at 100 ms is 850 segments, which ten of them reach in seven rounds. */
START_TEST(startup_doubles_each_round_and_ends_on_a_plateau)
{
	struct toy_flow *f = path(10 * RATE, 100000, 400);
	usec_t start_us = w.now_us;

	ck_assert_reaches(f, BBR_DRAIN);
	ck_assert_uint_le(w.now_us - start_us, 14 * 100000);
	ck_assert(model(f)->full_bw_reached);
	ck_assert_uint_eq(model(f)->full_bw_count, 3);
	ck_assert_uint_eq(f->lost, 0);
	ck_assert_uint_eq(model(f)->inflight_longterm, BBR_INFINITE);
	ck_assert_reaches(f, BBR_CRUISE);
	ck_assert_uint_le(f->flying, 10 * BDP / 4 * 10 * 21 / 20);
	bottleneck_end(&w);
}
END_TEST

/* 5.3.1.3: six places in a round; the window that the path can hold is then known. */
START_TEST(startup_ends_on_heavy_loss)
{
	struct toy_flow *f = path(RATE, RTT, 5);

	ck_assert_reaches(f, BBR_DRAIN);
	ck_assert_uint_lt(model(f)->full_bw_count, 3);
	ck_assert_uint_lt(model(f)->inflight_longterm, 2 * BDP);
	ck_assert_uint_ge(model(f)->inflight_longterm, BDP / 2);
	bottleneck_end(&w);
}
END_TEST

START_TEST(startup_without_sack_ends_on_the_first_loss)
{
	struct toy_flow *f = path(RATE, RTT, 1000);

	f->no_sack = true;
	bottleneck_run(&w, RTT + RTT / 2);
	ck_assert_int_eq(model(f)->state, BBR_STARTUP);
	w.loss_ppm = 20000;
	ck_assert_reaches(f, BBR_DRAIN);
	ck_assert_uint_le(f->lost, 2);
	bottleneck_end(&w);
}
END_TEST

/* 5.3.2: if the path became slower meanwhile, the estimate of what it holds is never reached. */
START_TEST(drain_ends_after_three_rounds_at_the_latest)
{
	struct toy_flow *f = path(RATE, RTT, 400);
	uint32_t round;

	ck_assert_reaches(f, BBR_DRAIN);
	w.rate = RATE / 3;
	w.free_ns = w.now_us * 1000 + (w.free_ns - w.now_us * 1000) * 3;
	round = model(f)->round_count;
	ck_assert_reaches(f, BBR_DOWN);
	ck_assert_uint_ge(model(f)->round_count - round, 1);
	ck_assert_uint_le(model(f)->round_count - round, 4);
	bottleneck_end(&w);
}
END_TEST

/* --- ProbeBW ---------------------------------------------------------------------------------------------------- */

START_TEST(probing_goes_round_down_cruise_refill_up)
{
	struct toy_flow *f = path(RATE, RTT, 400);

	ck_assert_reaches(f, BBR_CRUISE);
	for (int i = 0; i < 5; i++) {
		ck_assert_reaches(f, BBR_REFILL);
		ck_assert_uint_eq(model(f)->pacing_rate, RATE / 100 * 99);
		ck_assert_reaches(f, BBR_UP);
		ck_assert_uint_eq(model(f)->pacing_rate, RATE / 4 * 5 / 100 * 99);
		ck_assert_reaches(f, BBR_DOWN);
		ck_assert_uint_eq(model(f)->pacing_rate, RATE / 10 * 9 / 100 * 99);
		ck_assert_reaches(f, BBR_CRUISE);
		ck_assert_uint_le(f->flying, BDP + 3 * MSS);
	}
	bottleneck_end(&w);
}
END_TEST

/* 5.3.3.7, 5.5.10.2, 5.3.3.6 */
START_TEST(a_probe_that_loses_too_much_bounds_the_next_one)
{
	struct toy_flow *f = path(RATE, RTT, 400);

	ck_assert_reaches(f, BBR_CRUISE);
	ck_assert_uint_eq(model(f)->inflight_longterm, BBR_INFINITE);
	ck_assert_reaches(f, BBR_UP);
	bottleneck_run(&w, RTT / 2);
	w.loss_ppm = 300000;
	ck_assert_reaches(f, BBR_DOWN);
	w.loss_ppm = 0;
	ck_assert(model(f)->prev_probe_too_high);
	ck_assert_uint_ge(model(f)->inflight_longterm, BDP * 7 / 10);
	ck_assert_uint_le(model(f)->inflight_longterm, BDP * 3 / 2);
	ck_assert_reaches(f, BBR_UP);
	ck_assert(model(f)->prev_probe_too_high);
	ck_assert_reaches(f, BBR_DOWN);
	ck_assert(model(f)->prev_probe_precautionary);
	ck_assert(!model(f)->prev_probe_too_high);
	ck_assert_reaches(f, BBR_REFILL);		/* at once, without a cruise */
	ck_assert_uint_le(w.now_us - model(f)->cycle_stamp_us, 4 * RTT);
	bottleneck_end(&w);
}
END_TEST

/* 5.3.3.5: O(log BDP) rounds, once a probe begins. */
START_TEST(ten_times_the_bandwidth_is_found_in_two_probes)
{
	struct toy_flow *f = path(RATE, RTT, 100);

	bottleneck_run(&w, 10 * TAPIR_SEC);
	ck_assert_uint_lt(model(f)->inflight_longterm, 3 * BDP);
	w.rate = 10 * RATE;
	w.queue = 10 * BDP;
	bottleneck_run(&w, 8 * TAPIR_SEC);
	ck_assert_uint_ge(percent_in(f, 10 * TAPIR_SEC), 90);
	bottleneck_end(&w);
}
END_TEST

/* 5.5.10.3 at once, 5.5.6 after two cycles */
START_TEST(a_tenth_of_the_bandwidth_is_taken_for_what_it_is)
{
	struct toy_flow *f = path(10 * RATE, RTT, 100);

	ck_assert_reaches(f, BBR_CRUISE);
	bottleneck_run(&w, TAPIR_SEC / 10);
	w.rate = RATE;
	w.queue = BDP;
	bottleneck_run(&w, 20 * RTT);
	ck_assert_uint_le(bbr_bw(model(f)), 2 * RATE);
	bottleneck_run(&w, 15 * TAPIR_SEC);
	ck_assert_uint_le(bbr_max_bw(model(f)), RATE + RATE / 20);
	ck_assert_uint_ge(percent_in(f, 10 * TAPIR_SEC), 90);
	bottleneck_end(&w);
}
END_TEST

/* 2.8 MinPipeCwnd: a segment takes longer than a round trip. */
START_TEST(a_path_that_holds_less_than_a_segment_is_kept_busy)
{
	struct toy_flow *f = path(MSS * 5, 20000, 100);

	w.queue = 20 * MSS;
	bottleneck_run(&w, 20 * TAPIR_SEC);
	ck_assert_uint_ge(f->cc.cwnd, 4 * MSS);
	ck_assert_uint_ge(percent_in(f, 60 * TAPIR_SEC), 90);
	ck_assert_uint_le(bottleneck_queued(&w), 10 * MSS);
	bottleneck_end(&w);
}
END_TEST

/* 5.5.9: ACKs come every 30 ms only; without extra_acked the window would run out in between. */
START_TEST(acks_in_lumps_are_bridged)
{
	struct toy_flow *f = path(RATE, 10000, 1000);

	w.ack_every_us = 30000;
	bottleneck_run(&w, 3 * TAPIR_SEC);
	ck_assert_uint_ge(bbr_extra_acked(model(f)), RATE / 100);
	ck_assert_uint_ge(percent_in(f, 20 * TAPIR_SEC), 90);
	bottleneck_end(&w);
}
END_TEST

/* --- ProbeRTT --------------------------------------------------------------------------------------------------- */

/* 5.3.4: every five seconds, for 200 ms and a round, with half of what the path holds. */
START_TEST(the_round_trip_is_probed_every_five_seconds)
{
	struct toy_flow *f = path(RATE, RTT, 200);
	usec_t before_us = w.now_us, began_us;

	w.queue = 4 * BDP;
	for (int i = 0; i < 6; i++) {
		ck_assert_reaches(f, BBR_PROBE_RTT);
		ck_assert_uint_ge(w.now_us - before_us, 4900 * TAPIR_MS);
		ck_assert_uint_le(w.now_us - before_us, 5400 * TAPIR_MS);
		began_us = w.now_us;
		bottleneck_run(&w, 150 * TAPIR_MS);
		ck_assert_int_eq(model(f)->state, BBR_PROBE_RTT);
		ck_assert_uint_le(f->flying, BDP * 55 / 100);
		ck_assert_uint_le(bottleneck_queued(&w), 2 * MSS);
		ck_assert_reaches(f, BBR_CRUISE);
		ck_assert_uint_ge(w.now_us - began_us, 200 * TAPIR_MS);
		ck_assert_uint_le(w.now_us - began_us, 300 * TAPIR_MS);
		ck_assert_uint_le(model(f)->min_rtt_us, RTT + 2000);
		ck_assert_uint_ge(f->cc.cwnd, 2 * BDP * 9 / 10);
		before_us = w.now_us;
	}
	bottleneck_end(&w);
}
END_TEST

START_TEST(a_longer_round_trip_is_believed_after_ten_seconds)
{
	struct toy_flow *f = path(RATE, RTT, 400);

	bottleneck_run(&w, 4 * TAPIR_SEC);
	f->delay_us = 2 * RTT;
	bottleneck_run(&w, 20 * TAPIR_SEC);
	ck_assert_uint_ge(model(f)->min_rtt_us, 2 * RTT);
	ck_assert_uint_le(model(f)->min_rtt_us, 2 * RTT + RTT / 4);
	ck_assert_uint_ge(percent_in(f, 10 * TAPIR_SEC), 90);
	bottleneck_end(&w);
}
END_TEST

/* 5.3.4.3 MarkConnectionAppLimited(): half a window for a fifth of a second says nothing about the path. */
START_TEST(the_rate_seen_while_probing_the_round_trip_is_not_believed)
{
	struct toy_flow *f = path(RATE, RTT, 200);
	uint64_t before;

	ck_assert_reaches(f, BBR_PROBE_RTT);
	bottleneck_run(&w, 100 * TAPIR_MS);
	before = model(f)->bw[1];
	model(f)->bw[1] = 0;
	bottleneck_run(&w, 100 * TAPIR_MS);
	ck_assert_int_eq(model(f)->state, BBR_PROBE_RTT);
	ck_assert_uint_ge(before, RATE - RATE / 50);
	ck_assert_uint_eq(model(f)->bw[1], 0);
	bottleneck_end(&w);
}
END_TEST

/* --- programs that do not always have something to send ---------------------------------------------------------- */

static uint64_t tenth_after_ten_seconds(usec_t now_us)
{
	usec_t us = now_us - TAPIR_SEC;

	return us < 10 * TAPIR_SEC ? UINT64_MAX / 2 : 0;
}

static uint64_t trickle_base;
static uint64_t trickle(usec_t now_us)
{
	return now_us < 11 * TAPIR_SEC ? UINT64_MAX / 2 : trickle_base + (now_us - 11 * TAPIR_SEC) * RATE / 10 / TAPIR_SEC;
}

START_TEST(a_slow_program_does_not_lower_the_estimate)
{
	struct toy_flow *f = path(RATE, RTT, 200);

	f->supply = trickle;
	bottleneck_run(&w, 10 * TAPIR_SEC - 1);
	trickle_base = f->given;
	ck_assert_uint_le(percent_in(f, 30 * TAPIR_SEC), 12);
	ck_assert_uint_ge(bbr_max_bw(model(f)), RATE - RATE / 20);
	ck_assert_uint_ge(model(f)->pacing_rate, RATE * 85 / 100);
	bottleneck_end(&w);
}
END_TEST

/* 5.3.1.2: a program that has never filled the path has not found its plateau either. */
START_TEST(a_slow_program_stays_in_startup)
{
	struct toy_flow *f = path(RATE, RTT, 200);

	trickle_base = 0;
	w.now_us += 11 * TAPIR_SEC;
	f->supply = trickle;
	bottleneck_run(&w, 4 * TAPIR_SEC);
	ck_assert_int_eq(model(f)->state, BBR_STARTUP);
	f->supply = NULL;
	bottleneck_run(&w, TAPIR_SEC);
	ck_assert_uint_ge(percent_in(f, 10 * TAPIR_SEC), 90);
	bottleneck_end(&w);
}
END_TEST

/* 5.4.1: back at full rate in a round trip, without a burst and without ProbeRTT. */
START_TEST(after_a_pause_it_goes_on_where_it_was)
{
	struct toy_flow *f = path(RATE, RTT, 100);
	uint64_t lost;

	f->supply = tenth_after_ten_seconds;
	bottleneck_run(&w, 20 * TAPIR_SEC);
	ck_assert_uint_eq(f->flying, 0);
	lost = f->lost;
	f->supply = NULL;
	f->biggest_burst = 0;
	bottleneck_run(&w, 2000);
	ck_assert(model(f)->idle_restart);
	bottleneck_run(&w, RTT);
	ck_assert_uint_ge(percent_in(f, RTT), 90);
	ck_assert_uint_eq(f->lost, lost);
	ck_assert_uint_le(f->biggest_burst, 4 * MSS);
	ck_assert_int_ne(model(f)->state, BBR_PROBE_RTT);
	ck_assert_uint_ge(percent_in(f, TAPIR_SEC), 93);
	bottleneck_end(&w);
}
END_TEST

START_TEST(a_queue_that_marks_is_kept_at_its_mark)
{
	struct toy_flow *f = path(RATE, RTT, 400);

	w.mark = BDP / 5;
	bottleneck_run(&w, TAPIR_SEC);
	w.dropped = 0;
	ck_assert_uint_ge(percent_in(f, 30 * TAPIR_SEC), 85);
	ck_assert_uint_eq(w.dropped, 0);
	ck_assert_uint_ne(model(f)->inflight_longterm, BBR_INFINITE);
	bottleneck_end(&w);
}
END_TEST

static TCase *add_case(Suite *s, const char *name)
{
	TCase *tc = tcase_create(name);

	tcase_set_timeout(tc, 60);
	suite_add_tcase(s, tc);
	return tc;
}

static void add_states(Suite *s)
{
	TCase *tc = add_case(s, "states");

	tcase_add_test(tc, startup_doubles_each_round_and_ends_on_a_plateau);
	tcase_add_test(tc, startup_ends_on_heavy_loss);
	tcase_add_test(tc, startup_without_sack_ends_on_the_first_loss);
	tcase_add_test(tc, drain_ends_after_three_rounds_at_the_latest);
	tcase_add_test(tc, probing_goes_round_down_cruise_refill_up);
	tcase_add_test(tc, a_probe_that_loses_too_much_bounds_the_next_one);
	tcase_add_test(tc, ten_times_the_bandwidth_is_found_in_two_probes);
	tcase_add_test(tc, a_tenth_of_the_bandwidth_is_taken_for_what_it_is);
	tcase_add_test(tc, a_path_that_holds_less_than_a_segment_is_kept_busy);
	tcase_add_test(tc, acks_in_lumps_are_bridged);
	tcase_add_test(tc, the_round_trip_is_probed_every_five_seconds);
	tcase_add_test(tc, a_longer_round_trip_is_believed_after_ten_seconds);
	tcase_add_test(tc, the_rate_seen_while_probing_the_round_trip_is_not_believed);
	tcase_add_test(tc, a_slow_program_does_not_lower_the_estimate);
	tcase_add_test(tc, a_slow_program_stays_in_startup);
	tcase_add_test(tc, after_a_pause_it_goes_on_where_it_was);
	tcase_add_test(tc, a_queue_that_marks_is_kept_at_its_mark);
}

Suite *suite(void)
{
	Suite *s = suite_create("tcp/bbr");
	TCase *tc = add_case(s, "whole");

	tcase_add_loop_test(tc, the_bottleneck_is_used_within_a_second_and_stays_used, 0, sizeof links / sizeof links[0]);
	tcase_add_test(tc, a_deep_queue_is_drained_and_stays_short);
	tcase_add_loop_test(tc, random_loss_costs_far_less_than_it_costs_reno, 0, 4);
	tcase_add_test(tc, a_path_that_loses_everything_for_a_while_is_found_again);
	tcase_add_loop_test(tc, a_second_flow_finds_its_share, 0, 3);
	tcase_add_loop_test(tc, reno_is_left_room, 0, 2);
	tcase_add_test(tc, the_time_between_probes_is_two_to_three_seconds_and_differs);
	add_states(s);
	return s;
}
