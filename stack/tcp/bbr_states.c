/* bbr_states.c: the state machine of BBR (draft-ietf-ccwg-bbr 5.3): Startup fills the pipe, Drain empties the queue that this
 * made, ProbeBW goes round through DOWN, CRUISE, REFILL and UP, and ProbeRTT interrupts any of them every five seconds. It
 * changes states and bounds; the window and the rate that follow from them are bbr.c's. */
#include "bbr.h"

#define FULL_BW_PERCENT 125u		/* 5.3.1.2: less growth than that is none */
#define FULL_BW_ROUNDS 3u
#define FULL_LOSS_RUNS 6u		/* 5.3.1.3 BBRStartupFullLossCnt */
#define DRAIN_ROUNDS 3u
#define PROBE_RTT_US (200 * TAPIR_MS)	/* 2.16.2 ProbeRTTDuration */
#define PROBE_WAIT_US (2u * 1000000)	/* 5.3.3.8.3: two seconds and up to one more */
#define PROBE_WAIT_RANDOM_US 1000000u
#define RENO_ROUNDS 63u
#define BETA_PERCENT 70u

static uint32_t inflight(const struct bbr_step *k, uint64_t bw, uint32_t percent)
{
	return bbr_quantized(k, bbr_bdp(k, bw, percent));
}

void bbr_save_cwnd(const struct bbr_step *k)
{
	struct bbr *b = k->b;

	if (!b->in_recovery && b->state != BBR_PROBE_RTT)
		b->prior_cwnd = k->cc->cwnd;
	else
		b->prior_cwnd = max_u32(b->prior_cwnd, k->cc->cwnd);
}

void bbr_restore_cwnd(const struct bbr_step *k)
{
	k->cc->cwnd = max_u32(k->cc->cwnd, k->b->prior_cwnd);
}

/* --- Startup and Drain (5.3.1, 5.3.2) --------------------------------------------------------------------------- */

void bbr_reset_full_bw(struct bbr *b, uint64_t baseline)
{
	b->full_bw = baseline;
	b->full_bw_count = 0;
	b->full_bw_now = false;
}

/* DEVIATES: draft-ietf-ccwg-bbr 5.3.1.2 (growth is looked for in the first sample of a round) because a loss or an ACK held
 * back at that moment would count as a plateau; any sample of the round may show it, as in Linux. */
void bbr_check_full_bw(const struct bbr_step *k)
{
	struct bbr *b = k->b;

	if (b->full_bw_now || !k->rate || k->app_limited)
		return;
	if (k->rate >= b->full_bw * FULL_BW_PERCENT / 100) {
		bbr_reset_full_bw(b, k->rate);
		return;
	}
	if (!k->round_start || ++b->full_bw_count < FULL_BW_ROUNDS)
		return;
	b->full_bw_now = b->full_bw_reached = true;
}

static void enter_drain(struct bbr *b)
{
	b->state = BBR_DRAIN;
	b->drain_start_round = b->round_count;
}

/* Congestion says that Startup has filled the pipe, and how much fits into it. */
void bbr_startup_is_too_high(const struct bbr_step *k)
{
	struct bbr *b = k->b;

	b->undo_state = BBR_STARTUP;
	b->full_bw_reached = true;
	b->inflight_longterm = max_u32(bbr_bdp(k, bbr_max_bw(b), 100), b->inflight_latest);
	enter_drain(b);
}

/* 5.3.1.3: a round of recovery that lost too much, in several places. Without SACK one loss is all that a round can show. */
static bool is_high_loss(const struct bbr_step *k)
{
	const struct cc_rate *r = &k->s->rate;

	if (!k->b->in_recovery)
		return false;
	if (r->no_sack)
		return k->b->is_loss_in_round || r->lost;
	return k->loss_round_start && r->lost_runs - k->b->lost_runs_seen >= FULL_LOSS_RUNS &&
	       (uint64_t)r->lost * 100 > (uint64_t)r->tx_flight * CC_LOSS_PERCENT;
}

void bbr_check_startup_done(const struct bbr_step *k)
{
	struct bbr *b = k->b;

	if (b->state == BBR_STARTUP && !b->full_bw_reached && is_high_loss(k))
		bbr_startup_is_too_high(k);
	else if (b->state == BBR_STARTUP && b->full_bw_reached)
		enter_drain(b);
	if (k->loss_round_start)
		b->lost_runs_seen = k->s->rate.lost_runs;
}

/* --- ProbeBW (5.3.3) -------------------------------------------------------------------------------------------- */

static void pick_probe_wait(struct bbr *b)
{
	b->rounds_since_probe_up = bbr_random(b, 2);
	b->bw_probe_wait_us = PROBE_WAIT_US + bbr_random(b, PROBE_WAIT_RANDOM_US);
}

static void start_down(const struct bbr_step *k)
{
	struct bbr *b = k->b;

	bbr_reset_congestion_signals(b);
	b->probe_up_acked_per_inc = BBR_INFINITE;
	pick_probe_wait(b);
	b->cycle_stamp_us = k->s->now_us;
	b->ack_phase = BBR_ACKS_STOPPING;
	bbr_start_round(k);
	b->state = BBR_DOWN;
}

void bbr_start_refill(const struct bbr_step *k)
{
	struct bbr *b = k->b;

	bbr_reset_shortterm(b);
	b->bw_probe_up_rounds = 0;
	b->bw_probe_up_acked = 0;
	b->prev_probe_precautionary = false;
	b->ack_phase = BBR_ACKS_REFILLING;
	bbr_start_round(k);
	b->state = BBR_REFILL;
}

/* inflight_longterm grows by one segment in the first round, by two in the next, then by four ... */
static void raise_slope(const struct bbr_step *k)
{
	struct bbr *b = k->b;
	uint32_t growth_this_round = 1u << b->bw_probe_up_rounds;

	if (b->bw_probe_up_rounds < 30)
		b->bw_probe_up_rounds++;
	b->probe_up_acked_per_inc = max_u32(k->cc->cwnd / growth_this_round, k->s->mss);
}

static void start_up(const struct bbr_step *k)
{
	struct bbr *b = k->b;

	b->ack_phase = BBR_ACKS_STARTING;
	bbr_start_round(k);
	bbr_reset_full_bw(b, k->rate);
	b->state = BBR_UP;
	raise_slope(k);
}

static bool uses_all_of_longterm(const struct bbr_step *k)
{
	return (k->b->limited_before || k->b->limited_now) && k->cc->cwnd >= k->b->inflight_longterm;
}

static void probe_longterm_upward(const struct bbr_step *k)
{
	struct bbr *b = k->b;
	uint32_t steps;

	if (!uses_all_of_longterm(k))
		return;
	b->bw_probe_up_acked = min_u32(b->bw_probe_up_acked + k->s->delivered, CC_WINDOW_MAX);
	steps = b->bw_probe_up_acked / b->probe_up_acked_per_inc;
	b->bw_probe_up_acked -= steps * b->probe_up_acked_per_inc;
	b->inflight_longterm = (uint32_t)min_usec(b->inflight_longterm + (uint64_t)steps * k->s->mss, CC_WINDOW_MAX);
	if (k->round_start)
		raise_slope(k);
}

/* 5.5.10.2 HandleInflightTooHigh(): tx_flight is what was in flight when it was too much. */
void bbr_handle_too_high(const struct bbr_step *k, uint32_t tx_flight, bool app_limited)
{
	struct bbr *b = k->b;
	uint32_t floor = (uint32_t)((uint64_t)bbr_target_inflight(k) * BETA_PERCENT / 100);

	b->prev_probe_too_high = true;
	b->is_bw_probe_sample = false;
	if (!app_limited)
		b->inflight_longterm = max_u32(tx_flight, floor);
	if (b->state != BBR_UP)
		return;
	b->undo_state = BBR_UP;
	start_down(k);
}

/* 5.3.3.9 AdaptLongTermModel(), the phases of feedback; true: it has moved the state machine. */
static bool feedback_moves(const struct bbr_step *k)
{
	struct bbr *b = k->b;

	if (!k->round_start)
		return false;
	if (b->ack_phase == BBR_ACKS_STARTING)
		b->ack_phase = BBR_ACKS_FEEDBACK;
	if (b->ack_phase != BBR_ACKS_STOPPING)
		return false;
	b->is_bw_probe_sample = false;
	b->ack_phase = BBR_ACKS_INIT;
	if (!bbr_is_probe_bw(b))
		return false;
	if (!k->app_limited)
		bbr_advance_max_bw(b);
	if (!b->prev_probe_precautionary || b->prev_probe_too_high)
		return false;
	bbr_start_refill(k);	/* 5.3.3.6: touching the bound did no harm, so now stay there */
	return true;
}

/* The rest of it: a round that lost little shows that so much is safe. */
static void adapt_longterm(const struct bbr_step *k)
{
	struct bbr *b = k->b;
	const struct cc_rate *r = &k->s->rate;
	bool lossy = r->no_sack ? r->lost != 0 : (uint64_t)r->lost * 100 > (uint64_t)r->tx_flight * CC_LOSS_PERCENT;

	if (!r->delivered || lossy || b->inflight_longterm == BBR_INFINITE)
		return;
	b->inflight_longterm = max_u32(b->inflight_longterm, r->tx_flight);
	if (b->state == BBR_UP)
		probe_longterm_upward(k);
}

/* 5.3.3.8.3: after two to three seconds, or after as many rounds as Reno would need to win back what a loss cost it. */
static bool is_time_to_probe(const struct bbr_step *k)
{
	struct bbr *b = k->b;
	uint32_t rounds = min_u32(bbr_target_inflight(k) / k->s->mss, RENO_ROUNDS);

	if (k->s->now_us <= b->cycle_stamp_us + b->bw_probe_wait_us && b->rounds_since_probe_up < rounds)
		return false;
	bbr_start_refill(k);
	return true;
}

static bool is_time_to_cruise(const struct bbr_step *k)
{
	return k->s->flight <= bbr_headroom(k) && k->s->flight <= inflight(k, bbr_max_bw(k->b), 100);
}

static bool is_time_to_go_down(const struct bbr_step *k)
{
	struct bbr *b = k->b;

	/* It has reached the bound when not one segment more would fit; this ACK has just made room. */
	if (b->prev_probe_too_high && k->s->prior_flight + k->s->mss > b->inflight_longterm) {
		b->prev_probe_precautionary = true;
		return true;
	}
	if (uses_all_of_longterm(k)) {		/* what looks like a plateau is our own bound */
		bbr_reset_full_bw(b, k->rate);
		return false;
	}
	return b->full_bw_now;
}

void bbr_update_cycle(const struct bbr_step *k)
{
	struct bbr *b = k->b;

	if (!b->full_bw_reached || feedback_moves(k))
		return;
	adapt_longterm(k);
	switch ((enum bbr_state)b->state) {
	case BBR_DOWN:
		if (!is_time_to_probe(k) && is_time_to_cruise(k))
			b->state = BBR_CRUISE;
		break;
	case BBR_CRUISE:
		is_time_to_probe(k);
		break;
	case BBR_REFILL:
		if (!k->round_start)
			break;
		b->is_bw_probe_sample = true;
		start_up(k);
		break;
	case BBR_UP:
		if (!is_time_to_go_down(k))
			break;
		b->prev_probe_too_high = false;
		start_down(k);
		break;
	case BBR_STARTUP:
	case BBR_DRAIN:
	case BBR_PROBE_RTT:
	case BBR_NO_STATE:
		break;
	}
}

void bbr_check_drain_done(const struct bbr_step *k)
{
	struct bbr *b = k->b;

	if (b->state != BBR_DRAIN)
		return;
	if (k->s->flight <= inflight(k, bbr_bw(b), 100) || b->round_count > b->drain_start_round + DRAIN_ROUNDS)
		start_down(k);
}

/* --- ProbeRTT (5.3.4) ------------------------------------------------------------------------------------------- */

uint32_t bbr_probe_rtt_cwnd(const struct bbr_step *k)
{
	return max_u32(bbr_bdp(k, bbr_bw(k->b), BBR_PROBE_RTT_CWND_PERCENT), bbr_min_pipe(k));
}

static void exit_probe_rtt(const struct bbr_step *k)
{
	struct bbr *b = k->b;

	bbr_reset_shortterm(b);
	if (!b->full_bw_reached) {
		b->state = BBR_STARTUP;
		return;
	}
	start_down(k);
	b->state = BBR_CRUISE;		/* less is in flight than the path holds: there is nothing to drain */
}

void bbr_check_probe_rtt_done(const struct bbr_step *k)
{
	struct bbr *b = k->b;

	if (b->probe_rtt_done_us == USEC_NEVER || k->s->now_us <= b->probe_rtt_done_us)
		return;
	b->probe_rtt_min_stamp_us = k->s->now_us;
	bbr_restore_cwnd(k);
	exit_probe_rtt(k);
}

static void handle_probe_rtt(const struct bbr_step *k)
{
	struct bbr *b = k->b;

	b->low_until = k->s->rate.total_delivered + k->s->flight;
	if (b->probe_rtt_done_us == USEC_NEVER) {
		if (k->s->flight > bbr_probe_rtt_cwnd(k))
			return;
		b->probe_rtt_done_us = k->s->now_us + PROBE_RTT_US;
		b->probe_rtt_round_done = false;
		bbr_start_round(k);
		return;
	}
	b->probe_rtt_round_done |= k->round_start;
	if (b->probe_rtt_round_done)
		bbr_check_probe_rtt_done(k);
}

void bbr_check_probe_rtt(const struct bbr_step *k)
{
	struct bbr *b = k->b;

	if (b->state != BBR_PROBE_RTT && b->probe_rtt_expired && !b->idle_restart) {
		bbr_save_cwnd(k);
		b->state = BBR_PROBE_RTT;
		b->probe_rtt_done_us = USEC_NEVER;
		b->ack_phase = BBR_ACKS_STOPPING;
		b->low_from = k->s->rate.total_delivered;
		bbr_start_round(k);
	}
	if (b->state == BBR_PROBE_RTT)
		handle_probe_rtt(k);
	if (k->s->rate.delivered)
		b->idle_restart = false;
}
