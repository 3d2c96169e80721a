/* bbr_model.c: what BBR knows of the path (draft-ietf-ccwg-bbr 5.5): the greatest rate at which it delivered in this and the
 * previous probing cycle, the least round trip in ten seconds, how far ACKs come in lumps, and the bounds that losses taught:
 * long-term ones from probing, short-term ones until the next probe. It decides nothing: bbr_states.c does. */
#include "bbr.h"
#include "pace.h"

#define BETA_PERCENT 70u		/* 2.8 Beta */
#define HEADROOM_PERCENT 15u		/* 2.8 Headroom */
#define MIN_RTT_FILTER_US (10 * TAPIR_SEC)	/* 2.16.1 MinRTTFilterLen */
#define PROBE_RTT_INTERVAL_US (5 * TAPIR_SEC)	/* 2.16.2 ProbeRTTInterval */
#define EXTRA_ACKED_ROUNDS 10u		/* 2.12 ExtraAckedFilterLen */
#define RATE_MAX (1ull << 37)		/* a terabit a second: times an RTT it stays within 64 bits */

static uint32_t clip(uint64_t bytes) { return (uint32_t)(bytes < CC_WINDOW_MAX ? bytes : CC_WINDOW_MAX); }
static uint32_t beta(uint32_t bytes) { return (uint32_t)((uint64_t)bytes * BETA_PERCENT / 100); }
static uint64_t max_u64(uint64_t a, uint64_t b) { return a > b ? a : b; }
static uint64_t min_u64(uint64_t a, uint64_t b) { return a < b ? a : b; }

struct bbr_step bbr_step_of(struct bbr *b, struct cc *cc, const struct cc_sample *s)
{
	struct bbr_step k = {.b = b, .cc = cc, .s = s};
	const struct cc_rate *r = &s->rate;

	if (!r->delivered)
		return k;
	if (r->interval_us)
		k.rate = min_u64(r->delivered * TAPIR_SEC / r->interval_us, RATE_MAX);
	k.app_limited = r->app_limited || (r->prior_delivered >= b->low_from && r->prior_delivered <= b->low_until);
	return k;
}

/* Marsaglia's xorshift: these numbers must differ from flow to flow, not be hard to guess. */
uint32_t bbr_random(struct bbr *b, uint32_t below)
{
	b->random ^= b->random << 13;
	b->random ^= b->random >> 17;
	b->random ^= b->random << 5;
	return (uint32_t)((uint64_t)b->random * below >> 32);
}

/* --- volumes (5.6.4.2) ------------------------------------------------------------------------------------------ */

uint32_t bbr_bdp(const struct bbr_step *k, uint64_t bw, uint32_t percent)
{
	if (k->b->min_rtt_us == CC_NONE)
		return k->s->initial_window;
	return clip((uint64_t)clip(min_u64(bw, RATE_MAX) * k->b->min_rtt_us / TAPIR_SEC) * percent / 100);
}

uint32_t bbr_quantized(const struct bbr_step *k, uint64_t inflight)
{
	uint32_t cap = max_u32(clip(inflight), 3 * tcp_pace_burst(k->b->pacing_rate, k->s->mss));	/* 5.5.8 */

	cap = max_u32(cap, bbr_min_pipe(k));
	return k->b->state == BBR_UP ? cap + 2 * k->s->mss : cap;
}

uint32_t bbr_headroom(const struct bbr_step *k)
{
	uint32_t bound = k->b->inflight_longterm, room;

	if (bound == BBR_INFINITE)
		return BBR_INFINITE;
	room = max_u32(k->s->mss, (uint32_t)((uint64_t)bound * HEADROOM_PERCENT / 100));
	return max_u32(bound > room ? bound - room : 0, bbr_min_pipe(k));
}

uint32_t bbr_target_inflight(const struct bbr_step *k)
{
	return min_u32(bbr_bdp(k, bbr_bw(k->b), 100), k->cc->cwnd);
}

/* --- rounds and rate (5.5.1 to 5.5.6) --------------------------------------------------------------------------- */

/* Before sending and at an undo there is no count: the round under way goes on. */
void bbr_start_round(const struct bbr_step *k)
{
	k->b->next_round_delivered = max_u64(k->b->next_round_delivered, k->s->rate.total_delivered);
}

/* C.is_cwnd_limited is kept for a round: with pacing, it is rarely the window that ended the latest output. */
static void update_round(struct bbr_step *k)
{
	struct bbr *b = k->b;

	k->round_start = k->s->rate.delivered && k->s->rate.prior_delivered >= b->next_round_delivered;
	if (k->round_start) {
		bbr_start_round(k);
		b->round_count++;
		b->rounds_since_probe_up++;
		b->limited_before = b->limited_now;
		b->limited_now = false;
	}
	b->limited_now |= k->s->cwnd_limited;
}

static void update_max_bw(struct bbr_step *k)
{
	update_round(k);
	if (k->rate && (k->rate >= bbr_max_bw(k->b) || !k->app_limited))
		k->b->bw[1] = max_u64(k->b->bw[1], k->rate);
}

/* A cycle without a sample that counts teaches nothing, and what was known stays. */
void bbr_advance_max_bw(struct bbr *b)
{
	if (!b->bw[1])
		return;
	b->bw[0] = b->bw[1];
	b->bw[1] = 0;
}

/* --- round trips (5.3.4.3) -------------------------------------------------------------------------------------- */

void bbr_update_min_rtt(const struct bbr_step *k)
{
	struct bbr *b = k->b;
	usec_t now_us = k->s->now_us;
	uint32_t rtt_us = k->s->rtt_us;

	b->probe_rtt_expired = now_us > b->probe_rtt_min_stamp_us + PROBE_RTT_INTERVAL_US;
	if (rtt_us != CC_NONE && (rtt_us < b->probe_rtt_min_us || b->probe_rtt_expired)) {
		b->probe_rtt_min_us = min_u32(rtt_us, BBR_RTT_MAX);
		b->probe_rtt_min_stamp_us = now_us;
	}
	if (b->probe_rtt_min_us < b->min_rtt_us || now_us > b->min_rtt_stamp_us + MIN_RTT_FILTER_US) {
		b->min_rtt_us = b->probe_rtt_min_us;
		b->min_rtt_stamp_us = b->probe_rtt_min_stamp_us;
	}
}

/* --- aggregation (5.5.9) ---------------------------------------------------------------------------------------- */

uint32_t bbr_extra_acked(const struct bbr *b) { return b->extra_acked[0].bytes; }

/* The maximum over the last `rounds` rounds, after Kathleen Nichols: a window of three falling peaks. */
static void note_peak(struct bbr_peak *peaks, struct bbr_peak new, uint32_t rounds)
{
	if (new.bytes >= peaks[0].bytes || new.round - peaks[2].round > rounds) {
		peaks[0] = peaks[1] = peaks[2] = new;
		return;
	}
	if (new.bytes >= peaks[1].bytes)
		peaks[1] = peaks[2] = new;
	else if (new.bytes >= peaks[2].bytes)
		peaks[2] = new;
	while (new.round - peaks[0].round > rounds) {	/* the greatest is too old: the others move up */
		peaks[0] = peaks[1];
		peaks[1] = peaks[2];
		peaks[2] = new;
	}
	/* A quarter and a half of the window passed without a peak: the best since then will do for one. */
	if (peaks[1].round == peaks[0].round && new.round - peaks[1].round > rounds / 4)
		peaks[1] = peaks[2] = new;
	else if (peaks[2].round == peaks[1].round && new.round - peaks[2].round > rounds / 2)
		peaks[2] = new;
}

void bbr_update_aggregation(const struct bbr_step *k)
{
	struct bbr *b = k->b;
	uint64_t interval_us = min_u64(k->s->now_us - b->extra_acked_start_us, BBR_RTT_MAX);
	uint64_t expected = min_u64(bbr_bw(b), RATE_MAX) * interval_us / TAPIR_SEC;
	uint64_t extra;

	if (b->extra_acked_delivered <= expected || b->extra_acked_delivered > CC_WINDOW_MAX) {
		b->extra_acked_delivered = 0;
		b->extra_acked_start_us = k->s->now_us;
		expected = 0;
	}
	b->extra_acked_delivered += k->s->delivered;
	extra = b->extra_acked_delivered > expected ? b->extra_acked_delivered - expected : 0;
	note_peak(b->extra_acked, (struct bbr_peak){(uint32_t)min_u64(extra, k->cc->cwnd), b->round_count},
		  b->full_bw_reached ? EXTRA_ACKED_ROUNDS : 1);
}

/* --- congestion (5.5.10.3) -------------------------------------------------------------------------------------- */

void bbr_reset_congestion_signals(struct bbr *b)
{
	b->is_loss_in_round = false;
	b->bw_latest = 0;
	b->inflight_latest = 0;
}

void bbr_reset_shortterm(struct bbr *b)
{
	b->bw_shortterm = BBR_INFINITE_RATE;
	b->inflight_shortterm = BBR_INFINITE;
}

/* SaveStateUponLoss() but for cwnd (5.5.11.1) */
void bbr_save_state(const struct bbr_step *k)
{
	struct bbr *b = k->b;

	b->undo_state = BBR_NO_STATE;
	b->undo_bw_shortterm = b->bw_shortterm;
	b->undo_inflight_shortterm = b->inflight_shortterm;
	b->undo_inflight_longterm = b->inflight_longterm;
}

void bbr_note_loss(const struct bbr_step *k)
{
	if (!k->b->is_loss_in_round)
		k->b->loss_round_delivered = k->s->rate.total_delivered;
	k->b->is_loss_in_round = true;
}

void bbr_update_latest(struct bbr_step *k)
{
	struct bbr *b = k->b;

	if (!k->s->rate.delivered)
		return;
	b->bw_latest = max_u64(b->bw_latest, k->rate);
	b->inflight_latest = max_u32(b->inflight_latest, clip(k->s->rate.delivered));
	if (k->s->rate.prior_delivered < b->loss_round_delivered)
		return;
	b->loss_round_delivered = k->s->rate.total_delivered;
	k->loss_round_start = true;
}

void bbr_advance_latest(const struct bbr_step *k)
{
	if (!k->loss_round_start)
		return;
	k->b->bw_latest = k->rate;
	k->b->inflight_latest = clip(k->s->rate.delivered);
}

/* The window before a timeout took it away is what the path had. */
static void init_lower_bounds(const struct bbr_step *k)
{
	struct bbr *b = k->b;

	if (b->bw_shortterm == BBR_INFINITE_RATE)
		b->bw_shortterm = bbr_max_bw(b);
	if (b->inflight_shortterm == BBR_INFINITE)
		b->inflight_shortterm = b->in_recovery ? max_u32(k->cc->cwnd, b->prior_cwnd) : k->cc->cwnd;
}

static void adapt_lower_bounds(const struct bbr_step *k)
{
	struct bbr *b = k->b;

	if (bbr_is_probing(b) || !b->is_loss_in_round || !bbr_max_bw(b))
		return;
	init_lower_bounds(k);
	b->bw_shortterm = max_u64(b->bw_latest, b->bw_shortterm * BETA_PERCENT / 100);
	b->inflight_shortterm = max_u32(b->inflight_latest, beta(b->inflight_shortterm));
}

void bbr_update_congestion(struct bbr_step *k)
{
	update_max_bw(k);
	if (!k->loss_round_start)
		return;
	adapt_lower_bounds(k);
	k->b->is_loss_in_round = false;
}
