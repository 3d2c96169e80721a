/* test_tcp_bbr_events.c: BBR alone, told of ACKs, losses, timeouts and marks one by one (draft-ietf-ccwg-bbr). The path delivers
 * at most 1 MB/s and takes 20 ms: 20 segments of 1000 bytes. */
#include <check.h>
#include "stack/base/siphash.h"
#include "stack/tcp/bbr.h"
#include "stack/tcp/seq.h"

struct hand { struct cc cc; uint64_t priv[CC_PRIV / 8]; struct cc_sample s; };

static struct hand started(void)
{
	struct hand h = {.cc.ops = &cc_bbr, .s = {.now_us = TAPIR_SEC, .mss = 1000, .initial_window = 10000, .una = seq(7),
						   .nxt = seq(7), .rtt_us = CC_NONE, .srtt_us = 20000, .min_rtt_us = CC_NONE}};

	cc_bbr.start(&h.cc, h.priv, &h.s, 0);
	h.s.min_rtt_us = 20000;
	return h;
}

static struct bbr *bbr_of(struct hand *h) { return (struct bbr *)(void *)h->priv; }

/* One ACK that ends a round: the path delivers at most 1 MB/s, 20 ms. */
static void round_trip(struct hand *h, uint32_t delivered)
{
	struct cc_rate *r = &h->s.rate;

	h->s.now_us += 20000;
	r->prior_delivered = r->total_delivered;
	r->total_delivered += delivered;
	r->delivered = delivered;
	r->interval_us = 20000;
	r->tx_flight = h->s.flight = delivered;
	h->s.delivered = delivered;
	h->s.rtt_us = 20000;
	cc_bbr.on_ack(&h->cc, h->priv, &h->s);
	r->excess = (struct cc_lost){0};
}

static struct hand in_state(enum bbr_state state)
{
	struct hand h = started();

	for (int i = 0; i < 1000 && bbr_of(&h)->state != state; i++)
		round_trip(&h, min_u32(h.cc.cwnd, 20000));
	ck_assert_int_eq(bbr_of(&h)->state, state);
	return h;
}

/* 5.6.2: as long as no round trip was measured, one of a millisecond is assumed. */
START_TEST(it_starts_with_the_first_window_at_277_percent)
{
	struct hand h = started();
	struct hand blind = {.cc.ops = &cc_bbr, .s = h.s};

	ck_assert_uint_eq(h.cc.cwnd, 10000);
	ck_assert_uint_eq(bbr_of(&h)->pacing_rate, 10000 * 50 * 277 / 100);
	ck_assert_uint_eq(h.cc.ssthresh, CC_WINDOW_MAX);
	blind.s.srtt_us = 0;
	blind.s.min_rtt_us = CC_NONE;
	cc_bbr.start(&blind.cc, blind.priv, &blind.s, 0);
	ck_assert_uint_eq(bbr_of(&blind)->pacing_rate, 10000 * 1000 / 100 * 277);
	blind.s.srtt_us = 20000;
	round_trip(&blind, 10000);
	ck_assert_uint_le(bbr_of(&blind)->pacing_rate, 20000 * 50 / 100 * 277);
}
END_TEST

/* Its memory may be taken while a connection is idle: then it begins anew. */
START_TEST(without_its_memory_it_starts_again)
{
	struct hand h = in_state(BBR_CRUISE);

	memset(h.priv, 0, sizeof h.priv);
	h.s.flight = 0;
	cc_bbr.start(&h.cc, h.priv, &h.s, 30 * TAPIR_SEC);
	ck_assert_uint_eq(h.cc.cwnd, 10000);
	ck_assert_int_eq(bbr_of(&h)->state, BBR_STARTUP);
}
END_TEST

/* A user's setsockopt while text is under way. */
START_TEST(taking_over_from_another_controller_keeps_the_window)
{
	struct hand h = started();

	memset(h.priv, 0, sizeof h.priv);
	h.s.flight = 70000;
	h.cc = (struct cc){.ops = &cc_bbr, .cwnd = 80000, .ssthresh = 40000};
	cc_bbr.start(&h.cc, h.priv, &h.s, 0);
	ck_assert_uint_eq(h.cc.cwnd, 80000);
	ck_assert_uint_eq(bbr_of(&h)->pacing_rate, 80000 * 50 / 100 * 277);
}
END_TEST

/* 5.3.1.2: three rounds of less than 25 % more are a plateau, and three of 30 % more are not. */
START_TEST(a_plateau_is_three_rounds_that_grow_less_than_a_quarter)
{
	struct hand slow = started(), fast = started();
	uint32_t a = 10000, b = 10000;

	for (int i = 0; i < 3; i++, a = a * 12 / 10, b = b * 13 / 10) {
		round_trip(&slow, a);
		round_trip(&fast, b);
		ck_assert(!bbr_of(&slow)->full_bw_reached);
	}
	round_trip(&slow, 12500);
	round_trip(&fast, b);
	ck_assert(!bbr_of(&slow)->full_bw_reached);	/* 25 % above the first */
	for (int i = 0; i < 3; i++)
		round_trip(&slow, 15000);
	ck_assert(bbr_of(&slow)->full_bw_reached);
	ck_assert_int_eq(bbr_of(&fast)->state, BBR_STARTUP);
	ck_assert_uint_eq(bbr_of(&fast)->full_bw_count, 0);
}
END_TEST

/* 5.3.3.8.2: as many rounds as there are segments in flight, or 62 to 63. */
START_TEST(a_probe_follows_after_as_many_rounds_as_reno_would_need)
{
	struct hand small = in_state(BBR_CRUISE), large = started();
	uint32_t rounds = bbr_of(&small)->round_count;

	while (bbr_of(&small)->state == BBR_CRUISE)
		round_trip(&small, 20000);
	ck_assert_uint_ge(bbr_of(&small)->round_count - rounds, 17);
	ck_assert_uint_le(bbr_of(&small)->round_count - rounds, 21);
	for (int i = 0; i < 200 && bbr_of(&large)->state != BBR_CRUISE; i++)
		round_trip(&large, min_u32(large.cc.cwnd, 200000));
	rounds = bbr_of(&large)->round_count;
	while (bbr_of(&large)->state == BBR_CRUISE)
		round_trip(&large, 200000);
	ck_assert_uint_ge(bbr_of(&large)->round_count - rounds, 59);
	ck_assert_uint_le(bbr_of(&large)->round_count - rounds, 63);
}
END_TEST

/* 5.6.4.7: while it cruises, 15 % of what once was too much are left to others; while it probes, none. */
START_TEST(the_long_term_bound_holds_and_cruising_leaves_headroom)
{
	struct hand h = in_state(BBR_CRUISE);

	bbr_of(&h)->inflight_longterm = 30000;
	round_trip(&h, 20000);
	ck_assert_uint_eq(h.cc.cwnd, 25500);
	while (bbr_of(&h)->state == BBR_CRUISE)
		round_trip(&h, 20000);
	ck_assert_int_eq(bbr_of(&h)->state, BBR_REFILL);
	round_trip(&h, 20000);
	ck_assert_int_eq(bbr_of(&h)->state, BBR_UP);
	ck_assert_uint_eq(h.cc.cwnd, 30000);
}
END_TEST

/* 5.5.9, 2.12: an ACK of a whole round is a lump of 20 segments; the ACKs that follow are of single ones. */
START_TEST(a_lump_of_acks_is_remembered_for_ten_rounds)
{
	struct hand h = in_state(BBR_CRUISE);
	uint32_t i;

	ck_assert_uint_eq(bbr_extra_acked(bbr_of(&h)), 20000);
	for (i = 0; i < 20 && bbr_extra_acked(bbr_of(&h)) == 20000; i++)
		round_trip(&h, 1000);
	ck_assert_uint_eq(i, 11);
	ck_assert_uint_eq(bbr_extra_acked(bbr_of(&h)), 1000);
}
END_TEST

/* 5.3.4.4: less than the path holds is in flight, so there is nothing to go down for. */
START_TEST(after_probing_the_round_trip_it_cruises_with_the_window_it_had)
{
	struct hand h = in_state(BBR_PROBE_RTT);

	ck_assert_uint_eq(h.cc.cwnd, 10000);
	for (int i = 0; i < 20 && bbr_of(&h)->state == BBR_PROBE_RTT; i++) {
		ck_assert_uint_eq(h.cc.cwnd, 10000);
		round_trip(&h, 10000);
	}
	ck_assert_int_eq(bbr_of(&h)->state, BBR_CRUISE);
	ck_assert_uint_ge(h.cc.cwnd, 40000);
}
END_TEST

/* 5.4.1 */
START_TEST(after_a_pause_it_sends_at_the_rate_it_had_found)
{
	struct hand h = in_state(BBR_UP);

	ck_assert_uint_eq(bbr_of(&h)->pacing_rate, 1000000 / 4 * 5 / 100 * 99);
	h.s.flight = 0;
	cc_bbr.start(&h.cc, h.priv, &h.s, TAPIR_SEC);	/* the peer's window was closed: no pause of the program's */
	ck_assert(!bbr_of(&h)->idle_restart);
	h.s.rate.app_limited = true;
	cc_bbr.start(&h.cc, h.priv, &h.s, TAPIR_SEC);
	ck_assert_uint_eq(bbr_of(&h)->pacing_rate, 990000);
	ck_assert(bbr_of(&h)->idle_restart);
	h.s.now_us += 20 * TAPIR_SEC;
	round_trip(&h, 10000);
	ck_assert_int_ne(bbr_of(&h)->state, BBR_PROBE_RTT);
	ck_assert(!bbr_of(&h)->idle_restart);
}
END_TEST

/* 5.6.4.4 */
START_TEST(a_timeout_leaves_one_segment_and_recovery_gives_the_window_back)
{
	struct hand h = in_state(BBR_CRUISE);
	uint32_t before = h.cc.cwnd;

	h.s.flight = 0;
	h.s.rate.total_lost += before;
	cc_bbr.on_congestion(&h.cc, h.priv, &h.s, CC_RTO, false);
	ck_assert_uint_eq(h.cc.cwnd, 1000);
	cc_bbr.on_congestion(&h.cc, h.priv, &h.s, CC_RTO, true);
	ck_assert_uint_eq(h.cc.cwnd, 1000);
	h.s.recovery = true;
	round_trip(&h, 1000);
	ck_assert_uint_le(h.cc.cwnd, 4000);
	h.s.recovery = false;
	round_trip(&h, 4000);
	ck_assert_uint_ge(h.cc.cwnd, before * 7 / 10);
}
END_TEST

/* 5.5.10.3: by no more than 30 % a round; what the window was is what counts, not what a timeout left of it. */
START_TEST(a_timeout_lowers_the_short_term_bounds_by_no_more_than_other_losses)
{
	struct hand h = in_state(BBR_CRUISE);
	uint32_t before = h.cc.cwnd;

	cc_bbr.on_congestion(&h.cc, h.priv, &h.s, CC_LOSS, false);
	h.s.recovery = true;
	h.s.rate.total_lost += 1000;
	round_trip(&h, 1000);
	h.s.flight = 0;
	cc_bbr.on_congestion(&h.cc, h.priv, &h.s, CC_RTO, false);
	ck_assert_uint_eq(h.cc.cwnd, 1000);
	bbr_of(&h)->bw_latest = 0;
	bbr_update_congestion(&(struct bbr_step){.b = bbr_of(&h), .cc = &h.cc, .s = &h.s, .loss_round_start = true});
	ck_assert_uint_eq(bbr_of(&h)->inflight_shortterm, before * 7 / 10);
	ck_assert_uint_eq(bbr_of(&h)->bw_shortterm, 700000);
}
END_TEST

START_TEST(a_loss_while_cruising_that_was_none_is_undone)
{
	struct hand h = in_state(BBR_CRUISE), before = h;

	cc_bbr.on_congestion(&h.cc, h.priv, &h.s, CC_LOSS, false);
	h.s.recovery = true;
	h.s.rate.total_lost += 1000;
	for (int i = 0; i < 3; i++)
		round_trip(&h, 10000);
	ck_assert_uint_ne(bbr_of(&h)->bw_shortterm, BBR_INFINITE_RATE);
	cc_bbr.on_undo(&h.cc, h.priv, &before.cc, before.priv);
	ck_assert_uint_eq(bbr_of(&h)->bw_shortterm, BBR_INFINITE_RATE);
	ck_assert_uint_eq(bbr_of(&h)->inflight_shortterm, BBR_INFINITE);
	ck_assert_uint_ge(h.cc.cwnd, before.cc.cwnd);
}
END_TEST

/* 5.5.11.2: bounds go back, and the probe that the loss ended begins again. */
START_TEST(a_loss_in_a_probe_that_was_none_is_undone)
{
	struct hand h = in_state(BBR_UP), before = h;

	ck_assert(bbr_of(&h)->is_bw_probe_sample);
	cc_bbr.on_congestion(&h.cc, h.priv, &h.s, CC_LOSS, false);
	h.s.recovery = true;
	h.s.rate.total_lost += 5000;
	h.s.rate.excess = (struct cc_lost){.bytes = 5000, .tx_flight = 20000, .lost = 5000};
	round_trip(&h, 15000);
	ck_assert_int_eq(bbr_of(&h)->state, BBR_DOWN);
	ck_assert_uint_ne(bbr_of(&h)->inflight_longterm, BBR_INFINITE);
	cc_bbr.on_undo(&h.cc, h.priv, &before.cc, before.priv);
	ck_assert_int_eq(bbr_of(&h)->state, BBR_REFILL);
	ck_assert_uint_eq(bbr_of(&h)->inflight_longterm, BBR_INFINITE);
	ck_assert_uint_ge(h.cc.cwnd, before.cc.cwnd);
}
END_TEST

START_TEST(a_loss_in_startup_that_was_none_is_undone)
{
	struct hand h = started(), before;

	round_trip(&h, 10000);
	before = h;
	h.s.recovery = true;
	cc_bbr.on_congestion(&h.cc, h.priv, &h.s, CC_LOSS, false);
	for (int i = 0; i < 3 && bbr_of(&h)->state == BBR_STARTUP; i++) {
		h.s.rate.total_lost += 6000;
		h.s.rate.lost = 6000;
		h.s.rate.lost_runs += 6;
		round_trip(&h, 14000);
	}
	ck_assert_int_ne(bbr_of(&h)->state, BBR_STARTUP);
	ck_assert_uint_ne(bbr_of(&h)->inflight_longterm, BBR_INFINITE);
	cc_bbr.on_undo(&h.cc, h.priv, &before.cc, before.priv);
	ck_assert_int_eq(bbr_of(&h)->state, BBR_STARTUP);
	ck_assert(!bbr_of(&h)->full_bw_reached);
	ck_assert_uint_eq(bbr_of(&h)->inflight_longterm, BBR_INFINITE);
}
END_TEST

/* 5.5.10.3: at the end of a round with a loss, to what was delivered in it, or by 30 %. */
START_TEST(a_loss_while_cruising_lowers_the_short_term_bounds_until_the_next_probe)
{
	struct hand h = in_state(BBR_CRUISE);

	ck_assert_uint_eq(bbr_of(&h)->bw_shortterm, BBR_INFINITE_RATE);
	for (int i = 0; i < 4; i++) {		/* in the first two the best of the round before still counts */
		h.s.rate.total_lost += 1000;
		round_trip(&h, 15000);
	}
	ck_assert_uint_eq(bbr_of(&h)->bw_shortterm, 750000);
	ck_assert_uint_lt(bbr_of(&h)->inflight_shortterm, 40000);
	ck_assert_uint_le(bbr_of(&h)->pacing_rate, 750000);
	for (int i = 0; i < 200 && bbr_of(&h)->state != BBR_REFILL; i++)
		round_trip(&h, 15000);
	ck_assert_uint_eq(bbr_of(&h)->bw_shortterm, BBR_INFINITE_RATE);
	ck_assert_uint_ge(bbr_of(&h)->pacing_rate, 980000);
}
END_TEST

/* 3.7: CE marks are congestion, in every state. */
START_TEST(a_mark_is_congestion)
{
	struct hand startup = started(), up = in_state(BBR_UP), cruise = in_state(BBR_CRUISE);

	round_trip(&startup, 10000);
	cc_bbr.on_congestion(&startup.cc, startup.priv, &startup.s, CC_ECN, false);
	ck_assert_int_eq(bbr_of(&startup)->state, BBR_DRAIN);
	ck_assert_uint_ne(bbr_of(&startup)->inflight_longterm, BBR_INFINITE);
	cc_bbr.on_congestion(&up.cc, up.priv, &up.s, CC_ECN, false);
	ck_assert_int_eq(bbr_of(&up)->state, BBR_DOWN);
	ck_assert(bbr_of(&up)->prev_probe_too_high);
	cruise.s.prior_flight = 20000;
	cc_bbr.on_congestion(&cruise.cc, cruise.priv, &cruise.s, CC_ECN, false);
	ck_assert_uint_eq(cruise.cc.cwnd, 17000);
}
END_TEST

/* A peer may acknowledge what it likes: samples of any size and time keep every number in its range. */
static uint32_t any(struct rng *rng, uint32_t bits) { return rng_below(rng, 1u << rng_below(rng, bits)); }

static void shake(struct hand *h, struct rng *rng)
{
	struct cc_rate *r = &h->s.rate;

	h->s.now_us += rng_below(rng, 4) ? any(rng, 24) : 0;
	h->s.delivered = any(rng, 30);
	h->s.flight = any(rng, 31);
	h->s.prior_flight = h->s.flight + h->s.delivered;
	h->s.rtt_us = rng_below(rng, 3) ? rng_below(rng, UINT32_MAX) >> rng_below(rng, 32) : CC_NONE;
	h->s.cwnd_limited = rng_below(rng, 2);
	h->s.recovery = rng_below(rng, 4) == 0;
	r->total_delivered += h->s.delivered;
	r->prior_delivered = r->total_delivered - min_usec((uint64_t)h->s.delivered * rng_below(rng, 3), r->total_delivered);
	r->delivered = r->total_delivered - r->prior_delivered;
	r->interval_us = rng_below(rng, 5) ? any(rng, 31) : 0;
	r->tx_flight = any(rng, 31);
	r->lost = rng_below(rng, 4) ? 0 : any(rng, 31);
	r->total_lost += r->lost;
	r->lost_runs += r->lost != 0;
	r->app_limited = rng_below(rng, 4) == 0;
	r->excess = (struct cc_lost){.bytes = rng_below(rng, 2) * r->lost, .lost = r->lost, .tx_flight = r->tx_flight};
}

START_TEST(no_sample_breaks_its_arithmetic)
{
	struct hand h = started();
	struct rng rng;

	rng_seed(&rng, (uint64_t)_i, 5);
	for (int i = 0; i < 20000; i++) {
		shake(&h, &rng);
		if (rng_below(&rng, 50) == 0)
			cc_bbr.on_congestion(&h.cc, h.priv, &h.s, (enum cc_signal)rng_below(&rng, 3), rng_below(&rng, 2));
		if (rng_below(&rng, 100) == 0)
			cc_bbr.on_undo(&h.cc, h.priv, &h.cc, h.priv);
		if (rng_below(&rng, 100) == 0)
			cc_bbr.start(&h.cc, h.priv, &h.s, 1);
		cc_bbr.on_ack(&h.cc, h.priv, &h.s);
		ck_assert(h.cc.cwnd >= 4000 && h.cc.cwnd <= CC_WINDOW_MAX);
		ck_assert(bbr_of(&h)->pacing_rate >= 1 && bbr_of(&h)->pacing_rate <= 1ull << 40);
	}
}
END_TEST

Suite *suite(void)
{
	Suite *s = suite_create("tcp/bbr events");
	TCase *tc = tcase_create("events");

	tcase_set_timeout(tc, 60);
	suite_add_tcase(s, tc);
	tcase_add_test(tc, it_starts_with_the_first_window_at_277_percent);
	tcase_add_test(tc, without_its_memory_it_starts_again);
	tcase_add_test(tc, taking_over_from_another_controller_keeps_the_window);
	tcase_add_test(tc, a_plateau_is_three_rounds_that_grow_less_than_a_quarter);
	tcase_add_test(tc, a_probe_follows_after_as_many_rounds_as_reno_would_need);
	tcase_add_test(tc, the_long_term_bound_holds_and_cruising_leaves_headroom);
	tcase_add_test(tc, a_lump_of_acks_is_remembered_for_ten_rounds);
	tcase_add_test(tc, after_probing_the_round_trip_it_cruises_with_the_window_it_had);
	tcase_add_test(tc, after_a_pause_it_sends_at_the_rate_it_had_found);
	tcase_add_test(tc, a_timeout_lowers_the_short_term_bounds_by_no_more_than_other_losses);
	tcase_add_test(tc, a_loss_while_cruising_that_was_none_is_undone);
	tcase_add_test(tc, a_timeout_leaves_one_segment_and_recovery_gives_the_window_back);
	tcase_add_test(tc, a_loss_in_a_probe_that_was_none_is_undone);
	tcase_add_test(tc, a_loss_in_startup_that_was_none_is_undone);
	tcase_add_test(tc, a_loss_while_cruising_lowers_the_short_term_bounds_until_the_next_probe);
	tcase_add_test(tc, a_mark_is_congestion);
	tcase_add_loop_test(tc, no_sample_breaks_its_arithmetic, 0, 4);
	return s;
}
