/* test_tcp_pace.c: pacing alone (draft-ietf-ccwg-bbr 5.6.2, 5.6.3): rates, bursts, a late timer; then a window controller behind
 * a bottleneck, paced and not. */
#include <check.h>
#include <stdlib.h>
#include "tests/support/bottleneck.h"

#define MSS 1460u

/* --- rates ------------------------------------------------------------------------------------------------------ */

static uint64_t rate_in_memory(const void *priv) { return *(const uint64_t *)priv; }

START_TEST(a_controller_that_paces_itself_is_obeyed)
{
	const struct cc_ops own = {.paces_itself = true, .pacing_rate = rate_in_memory};
	const struct tcp_sender x = {.cc_priv = {12345}};
	const struct cc cc = {.ops = &own, .cwnd = 10 * MSS};

	ck_assert_uint_eq(tcp_pace_rate(&x, &cc, 50, false), 12345);
	ck_assert_uint_eq(tcp_pace_rate(&x, &cc, 0, true), 12345);
}
END_TEST

/* As Linux: 2 windows a round trip while the window doubles, 1.2 after that. */
START_TEST(a_window_becomes_a_rate_only_when_asked_for)
{
	const struct tcp_sender x = {.rate.delivered = 1};
	struct cc cc = {.ops = &cc_cubic, .cwnd = 100000, .ssthresh = CC_WINDOW_MAX};

	ck_assert_uint_eq(tcp_pace_rate(&x, &cc, 100000, false), 0);
	ck_assert_uint_eq(tcp_pace_rate(&x, &cc, 100000, true), 2000000);
	cc.ssthresh = 150000;
	ck_assert_uint_eq(tcp_pace_rate(&x, &cc, 100000, true), 1200000);
	cc.cwnd = CC_WINDOW_MAX;
	cc.ssthresh = CC_WINDOW_MAX;
	ck_assert_uint_eq(tcp_pace_rate(&x, &cc, 2000, true), (uint64_t)CC_WINDOW_MAX * 12 / 10 * 500 + 400);
	cc.cwnd = 1;
	ck_assert_uint_eq(tcp_pace_rate(&x, &cc, UINT32_MAX, true), 1);		/* 0 would be no pacing */
}
END_TEST

START_TEST(the_first_window_and_a_lan_are_not_paced)
{
	struct tcp_sender x = {0};
	const struct cc cc = {.ops = &cc_cubic, .cwnd = 100000, .ssthresh = CC_WINDOW_MAX};

	ck_assert_uint_eq(tcp_pace_rate(&x, &cc, 100000, true), 0);
	x.rate.delivered = 1;
	ck_assert_uint_ne(tcp_pace_rate(&x, &cc, 100000, true), 0);
	ck_assert_uint_eq(tcp_pace_rate(&x, &cc, 50, true), 0);
	ck_assert_uint_eq(tcp_pace_rate(&x, &cc, 0, true), 0);		/* no round trip was measured */
}
END_TEST

/* --- bursts ----------------------------------------------------------------------------------------------------- */

START_TEST(a_burst_is_a_millisecond_of_whole_segments)
{
	ck_assert_uint_eq(tcp_pace_burst(1, MSS), 2 * MSS);
	ck_assert_uint_eq(tcp_pace_burst(1000 * MSS, MSS), 2 * MSS);
	ck_assert_uint_eq(tcp_pace_burst(5500 * MSS, MSS), 5 * MSS);
	ck_assert_uint_eq(tcp_pace_burst(1ull << 40, MSS), 65536 / MSS * MSS);
	ck_assert_uint_eq(tcp_pace_burst(1ull << 40, 60000), 120000);
}
END_TEST

START_TEST(without_a_rate_nothing_is_held_back)
{
	struct tcp_sender x = {.pace.next_us = 1000000};

	ck_assert_uint_eq(tcp_pace_room(&x, 0, MSS, 10), UINT32_MAX);
	tcp_pace_sent(&x, 0, MSS, 10);
	ck_assert_uint_eq(x.pace.next_us, 1000000);
}
END_TEST

START_TEST(a_burst_may_leave_in_pieces_and_the_next_one_waits)
{
	struct tcp_sender x = {0};
	const uint64_t rate = 4000 * MSS;

	ck_assert_uint_eq(tcp_pace_room(&x, rate, MSS, 50000), 4 * MSS);
	tcp_pace_sent(&x, rate, MSS, 50000);
	x.pace.next_us = 50250;					/* as if nothing had been saved up */
	ck_assert_uint_eq(tcp_pace_room(&x, rate, MSS, 50000), 3 * MSS);
	tcp_pace_sent(&x, rate, 3 * MSS, 50000);
	ck_assert_uint_eq(x.pace.next_us, 51000);
	ck_assert_uint_eq(tcp_pace_room(&x, rate, MSS, 50999), 0);
	ck_assert_uint_eq(tcp_pace_room(&x, rate, MSS, 51000), 4 * MSS);
}
END_TEST

START_TEST(what_is_left_of_a_burst_is_not_cut_below_a_segment)
{
	struct tcp_sender x = {0};

	ck_assert_uint_eq(tcp_pace_room(&x, 1000, MSS, 5000), 2 * MSS);
	tcp_pace_sent(&x, 1000, MSS + 1, 5000);
	ck_assert_uint_eq(tcp_pace_room(&x, 1000, MSS, 5000), 0);
}
END_TEST

/* Sends whenever it may, the timer late by up to late_us: bytes in ten seconds. */
static uint64_t sent_in_ten_seconds(uint64_t rate, usec_t late_us, uint32_t piece)
{
	struct tcp_sender x = {0};
	struct rng rng;
	uint64_t bytes = 0;

	rng_seed(&rng, rate, late_us);
	for (usec_t now = 5 * TAPIR_SEC; now < 15 * TAPIR_SEC;) {
		uint32_t room = tcp_pace_room(&x, rate, MSS, now);

		if (room) {
			room = min_u32(room, piece);
			tcp_pace_sent(&x, rate, room, now);
			bytes += room;
			continue;
		}
		now = max_usec(x.pace.next_us, now) + (late_us ? rng_below(&rng, (uint32_t)late_us + 1) : 0);
	}
	return bytes;
}

/* Single segments and large frames, rates that divide into nothing, a timer that is late by up to a burst: the rate is kept. */
START_TEST(the_rate_is_kept_to_a_fraction_of_a_percent)
{
	static const uint64_t rates[] = {10007, 333333, 1250000, 12345678, 124999999, 1250000000};
	uint64_t rate = rates[_i];
	uint64_t slack = rate / 200 + 65536 + 4 * MSS;

	for (usec_t late_us = 0; late_us <= 1000; late_us += 250) {
		for (uint32_t piece = MSS; piece <= 65536; piece += 65536 - MSS) {
			uint64_t bytes = sent_in_ten_seconds(rate, late_us, piece);

			ck_assert_uint_ge(bytes + slack, rate * 10);
			ck_assert_uint_le(bytes, rate * 10 + slack);
		}
	}
}
END_TEST

START_TEST(silence_earns_no_more_than_one_burst)
{
	struct tcp_sender x = {0};
	const uint64_t rate = 10000 * MSS;
	uint32_t bytes = 0, room;

	tcp_pace_room(&x, rate, MSS, 1000000);
	tcp_pace_sent(&x, rate, MSS, 1000000);
	while ((room = tcp_pace_room(&x, rate, MSS, 60000000))) {
		tcp_pace_sent(&x, rate, room, 60000000);
		bytes += room;
	}
	ck_assert_uint_eq(bytes, 2 * tcp_pace_burst(rate, MSS));
	ck_assert_uint_eq(x.pace.next_us, 60001000);
}
END_TEST

START_TEST(the_slowest_rate_closes_a_connection_for_no_more_than_a_second)
{
	struct tcp_sender x = {0};

	tcp_pace_room(&x, 1, MSS, 1000000);
	tcp_pace_sent(&x, 1, 2 * MSS, 1000000);
	ck_assert_uint_eq(x.pace.next_us, 2000000);
	tcp_pace_room(&x, 1250000000, MSS, 2000000);	/* the rest of an old rate's microsecond is not a second of the new */
	tcp_pace_sent(&x, 1250000000, MSS, 2000000);
	ck_assert_uint_le(x.pace.next_us, 2000002);
}
END_TEST

/* --- a window behind a bottleneck ------------------------------------------------------------------------------- */

struct outcome { uint64_t delivered, lost; uint32_t biggest_burst, dropped; };

static struct outcome reno_runs(uint64_t rate, usec_t rtt_us, uint32_t queue, bool paced, usec_t for_us)
{
	struct bottleneck w;
	struct toy_flow *f;
	struct outcome o;

	bottleneck_init(&w, rate, queue, 1);
	f = bottleneck_add(&w, &cc_newreno, rtt_us);
	f->paced = paced;
	bottleneck_run(&w, for_us);
	o = (struct outcome){f->x.rate.delivered, f->lost, f->biggest_burst, w.dropped};
	bottleneck_end(&w);
	return o;
}

START_TEST(pacing_costs_a_lan_nothing)
{
	struct outcome plain = reno_runs(1250000000, 50, 200000, false, TAPIR_SEC / 2);
	struct outcome paced = reno_runs(1250000000, 50, 200000, true, TAPIR_SEC / 2);

	ck_assert_uint_ge(plain.delivered, 1250000000ull / 2 * 95 / 100);
	ck_assert_uint_ge(paced.delivered, plain.delivered * 99 / 100);
}
END_TEST

/* A queue of ten segments, a window of seventy: what slow start doubles in one lump does not fit. */
START_TEST(a_paced_window_passes_through_a_short_queue)
{
	struct outcome plain = reno_runs(1250000, 80000, 10 * MSS, false, 3 * TAPIR_SEC);
	struct outcome paced = reno_runs(1250000, 80000, 10 * MSS, true, 3 * TAPIR_SEC);

	ck_assert_uint_ge(paced.delivered, plain.delivered * 11 / 10);
	ck_assert_uint_ge(plain.dropped, 1);
	ck_assert_uint_le(paced.biggest_burst, 10 * MSS);
}
END_TEST

Suite *suite(void)
{
	Suite *s = suite_create("tcp/pace");
	TCase *tc = tcase_create("rates");

	tcase_add_test(tc, a_controller_that_paces_itself_is_obeyed);
	tcase_add_test(tc, a_window_becomes_a_rate_only_when_asked_for);
	tcase_add_test(tc, the_first_window_and_a_lan_are_not_paced);
	suite_add_tcase(s, tc);
	tc = tcase_create("bursts");
	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, a_burst_is_a_millisecond_of_whole_segments);
	tcase_add_test(tc, without_a_rate_nothing_is_held_back);
	tcase_add_test(tc, a_burst_may_leave_in_pieces_and_the_next_one_waits);
	tcase_add_test(tc, what_is_left_of_a_burst_is_not_cut_below_a_segment);
	tcase_add_loop_test(tc, the_rate_is_kept_to_a_fraction_of_a_percent, 0, 6);
	tcase_add_test(tc, silence_earns_no_more_than_one_burst);
	tcase_add_test(tc, the_slowest_rate_closes_a_connection_for_no_more_than_a_second);
	suite_add_tcase(s, tc);
	tc = tcase_create("bottleneck");
	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, pacing_costs_a_lan_nothing);
	tcase_add_test(tc, a_paced_window_passes_through_a_short_queue);
	suite_add_tcase(s, tc);
	return s;
}
