/* test_tcp_hystart.c: HyStart++ (RFC 9406 4.2), alone: round-trip times go in, by rounds; and once with CUBIC around it on a
 * path with a queue. */
#include <check.h>
#include "stack/tcp/hystart.h"
#include "tests/support/toy_path.h"

#define MS 1000u

static struct hystart h;

static void begin(void) { h = (struct hystart){0}; }

/* n ACKs of one round with that round-trip time; the last one ends the round. */
static bool round_of(int n, uint32_t rtt_us, bool used)
{
	bool over = false;

	for (int i = 1; i <= n; i++) {
		struct cc_sample s = {.rtt_us = rtt_us, .cwnd_limited = used, .round_start = i == n};

		over |= hystart_on_ack(&h, &s);
	}
	return over;
}

/* So many ACKs in the middle of a round. */
static void some_of(int n, uint32_t rtt_us)
{
	struct cc_sample s = {.rtt_us = rtt_us, .cwnd_limited = true};

	while (n--)
		ck_assert(!hystart_on_ack(&h, &s));
}

static bool in_css(void) { return hystart_growth(&h, 4000) == 1000; }

/* RFC 9406 4.2: RttThresh = max(MIN_RTT_THRESH, min(lastRoundMinRTT / MIN_RTT_DIVISOR, MAX_RTT_THRESH)) */
START_TEST(slow_start_slows_down_when_the_delay_has_grown_by_the_threshold)
{
	static const struct { uint32_t rtt_us, threshold_us; } rows[] = {
		{1, 4 * MS}, {10 * MS, 4 * MS}, {32 * MS, 4 * MS}, {80 * MS, 10 * MS}, {128 * MS, 16 * MS}, {600 * MS, 16 * MS},
		{600000 * MS, 16 * MS}, {UINT32_MAX - 20 * MS, 16 * MS}
	};

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
		for (uint32_t more = 0; more < 2; more++) {
			begin();
			round_of(8, rows[i].rtt_us, true);
			some_of(8, rows[i].rtt_us + rows[i].threshold_us - 1 + more);
			ck_assert_msg(in_css() == (more == 1), "RTT %u, %u under the threshold", rows[i].rtt_us, 1 - more);
		}
}
END_TEST

/* The smallest of a round counts: one low sample says that there is no queue. */
START_TEST(one_low_round_trip_time_in_the_round_is_enough_to_go_on)
{
	round_of(8, 50 * MS, true);
	some_of(1, 51 * MS);
	some_of(30, 90 * MS);
	ck_assert(!in_css());
}
END_TEST

/* RFC 9406 4.2: N_RTT_SAMPLE */
START_TEST(seven_samples_decide_nothing)
{
	round_of(8, 50 * MS, true);
	some_of(7, 90 * MS);
	ck_assert(!in_css());
	some_of(1, 90 * MS);
	ck_assert(in_css());
}
END_TEST

/* Retransmissions are not timed; a round of them leaves nothing to compare with. */
START_TEST(what_was_not_timed_does_not_count)
{
	round_of(8, 50 * MS, true);
	some_of(7, 90 * MS);
	some_of(50, CC_NONE);
	ck_assert(!in_css());
	begin();
	round_of(8, 50 * MS, true);
	round_of(8, CC_NONE, true);
	some_of(8, 90 * MS);
	ck_assert(!in_css());
}
END_TEST

/* RFC 9406 4.2: CSS_GROWTH_DIVISOR */
START_TEST(css_grows_by_a_quarter_to_the_byte)
{
	uint32_t grown = 0;

	ck_assert_uint_eq(hystart_growth(&h, 1000), 1000);
	round_of(8, 50 * MS, true);
	some_of(8, 90 * MS);
	for (int i = 0; i < 1000; i++)
		grown += hystart_growth(&h, 7);
	ck_assert_uint_eq(grown, 1750);
	ck_assert_uint_eq(hystart_growth(&h, CC_WINDOW_MAX), CC_WINDOW_MAX / 4);
}
END_TEST

/* RFC 9406 4.2: below cssBaselineMinRtt the exit was spurious. */
START_TEST(css_goes_back_to_slow_start_when_the_delay_falls_again)
{
	round_of(8, 50 * MS, true);
	round_of(8, 90 * MS, true);
	round_of(8, 90 * MS, true);
	ck_assert(in_css());
	some_of(7, 89 * MS);
	ck_assert(in_css());			/* not yet enough of them in this round */
	some_of(1, 89 * MS);
	ck_assert(!in_css());
	round_of(1, 89 * MS, true);
	for (int i = 0; i < 20; i++)
		ck_assert(!round_of(8, 89 * MS, true));	/* and HyStart++ goes on: */
	some_of(8, 101 * MS);
	ck_assert(in_css());
}
END_TEST

/* RFC 9406 4.2: CSS_ROUNDS; the round in which CSS began counts. */
START_TEST(five_rounds_of_css_end_slow_start)
{
	round_of(8, 50 * MS, true);
	some_of(8, 90 * MS);
	ck_assert(in_css());
	for (int i = 1; i <= 4; i++)
		ck_assert(!round_of(8, 90 * MS, true));
	ck_assert(round_of(8, 95 * MS, true));
}
END_TEST

/* RFC 9406 4.3: application-limited connections go to and fro, and do not end slow start. */
START_TEST(rounds_that_did_not_use_the_window_do_not_count)
{
	round_of(8, 50 * MS, true);
	some_of(8, 90 * MS);
	ck_assert(!round_of(1, 90 * MS, false));		/* the round of some_of: used */
	for (int i = 0; i < 100; i++)
		ck_assert(!round_of(2, 90 * MS, false));
	for (int i = 2; i <= 4; i++)
		ck_assert(!round_of(8, 90 * MS, true));
	ck_assert(round_of(8, 90 * MS, true));
}
END_TEST

START_TEST(a_round_trip_time_of_nothing_is_one)
{
	round_of(8, 0, true);
	some_of(8, 4 * MS);
	ck_assert(!in_css());
	some_of(8, 0);
	round_of(8, 0, true);
	some_of(8, 4 * MS + 1);
	ck_assert(in_css());
}
END_TEST

/* 100 Mbit/s and 40 ms, which is 500 segments, and a queue of so many more. */
static struct toy_flow slow_start_over(const struct cc_ops *ops, uint32_t queue_segments)
{
	struct toy_path p = {.rate = 12500000, .rtt_us = 40000, .queue = queue_segments * TOY_MSS, .measure_from_us = TAPIR_SEC};
	struct toy_flow *f;

	toy_begin(&p);
	f = toy_add(&p, ops, 0);
	toy_run(&p, 2 * TAPIR_SEC);
	ck_assert_double_gt(toy_mean_flight(&p, f), 0.98 * 500);	/* the path is full, whatever it cost */
	toy_end(&p);
	return *f;
}

/* With room for the rounds of CSS there is no loss at all. NewReno's slow start overruns any queue by as much as path and
 * queue hold. */
START_TEST(cubic_leaves_slow_start_without_a_loss_where_newreno_overruns_the_queue)
{
	struct toy_flow cubic = slow_start_over(&cc_cubic, 4000), reno = slow_start_over(&cc_newreno, 4000);

	ck_assert_uint_lt(cubic.cc.ssthresh, CC_WINDOW_MAX);
	ck_assert_uint_ge(cubic.cc.ssthresh, 500 * TOY_MSS);
	ck_assert_uint_eq(cubic.losses, 0);
	ck_assert_uint_gt(reno.losses, 4000);
}
END_TEST

/* Where the queue is short CSS itself ends in a loss, but a smaller one. */
START_TEST(with_a_short_queue_cubic_loses_a_fraction_of_what_newreno_does)
{
	for (uint32_t queue = 500; queue <= 2000; queue += 500) {
		struct toy_flow cubic = slow_start_over(&cc_cubic, queue), reno = slow_start_over(&cc_newreno, queue);

		ck_assert_uint_lt(2 * cubic.losses, reno.losses);
	}
}
END_TEST

Suite *suite(void)
{
	const TTest *const tests[] = {
		slow_start_slows_down_when_the_delay_has_grown_by_the_threshold,
		one_low_round_trip_time_in_the_round_is_enough_to_go_on, seven_samples_decide_nothing,
		what_was_not_timed_does_not_count, css_grows_by_a_quarter_to_the_byte,
		css_goes_back_to_slow_start_when_the_delay_falls_again, five_rounds_of_css_end_slow_start,
		rounds_that_did_not_use_the_window_do_not_count, a_round_trip_time_of_nothing_is_one,
		cubic_leaves_slow_start_without_a_loss_where_newreno_overruns_the_queue,
		with_a_short_queue_cubic_loses_a_fraction_of_what_newreno_does,
	};
	Suite *s = suite_create("tcp hystart");
	TCase *tc = tcase_create("hystart");

	tcase_add_checked_fixture(tc, begin, NULL);
	for (size_t i = 0; i < sizeof tests / sizeof tests[0]; i++)
		tcase_add_test(tc, tests[i]);
	suite_add_tcase(s, tc);
	return s;
}
