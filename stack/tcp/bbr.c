/* bbr.c: BBRv3 (draft-ietf-ccwg-bbr, as of revision 06). It measures the path (bbr_model.c) and sends at the rate found, with
 * little more in flight than the path holds; now and then it sends faster to see whether there is more, and less to see
 * how short the round trip is (bbr_states.c). This file is the events, among them what restarts and undoes it, and the two
 * things that follow, the pacing rate and the window (5.6).
 *
 * It paces itself: prr.c leaves the window alone, and pace.c keeps to the rate. ssthresh stays arbitrarily high.
 *
 * The draft leaves the answer to ECN open (3.7) but wants CE marks taken for congestion. Here they are: a mark ends Startup
 * and a probe as too much loss does; at any other time what may be in flight shrinks, until the next probe, to 85 % of what
 * was (RFC 8511 3, for CUBIC). */
#include "bbr.h"

#define STARTUP_PACING_PERCENT 277u	/* 2.5: 4 ln 2 */
#define DRAIN_PACING_PERCENT 50u
#define DOWN_PACING_PERCENT 90u
#define UP_PACING_PERCENT 125u
#define CWND_PERCENT 200u		/* 2.6 DefaultCwndGain */
#define UP_CWND_PERCENT 225u
#define MARGIN_PERCENT 1u		/* 2.5 PacingMarginPercent */
#define ECN_PERCENT 85u
#define NOMINAL_RTT_US 1000u		/* 5.6.2: as long as none was measured */

_Static_assert(sizeof(struct bbr) <= CC_PRIV, "BBR's memory must fit into a sender");

static const struct { uint16_t pacing, cwnd; const char *why; } gains[] = {
	[BBR_STARTUP] = {STARTUP_PACING_PERCENT, CWND_PERCENT, "draft-ietf-ccwg-bbr 5.3.1: Startup"},
	[BBR_DRAIN] = {DRAIN_PACING_PERCENT, CWND_PERCENT, "draft-ietf-ccwg-bbr 5.3.2: Drain"},
	[BBR_DOWN] = {DOWN_PACING_PERCENT, CWND_PERCENT, "draft-ietf-ccwg-bbr 5.3.3.1: ProbeBW_DOWN"},
	[BBR_CRUISE] = {100, CWND_PERCENT, "draft-ietf-ccwg-bbr 5.3.3.2: ProbeBW_CRUISE"},
	[BBR_REFILL] = {100, CWND_PERCENT, "draft-ietf-ccwg-bbr 5.3.3.3: ProbeBW_REFILL"},
	[BBR_UP] = {UP_PACING_PERCENT, UP_CWND_PERCENT, "draft-ietf-ccwg-bbr 5.3.3.4: ProbeBW_UP"},
	[BBR_PROBE_RTT] = {100, BBR_PROBE_RTT_CWND_PERCENT, "draft-ietf-ccwg-bbr 5.3.4: ProbeRTT"},
};

static const char *bbr_why(const struct cc *cc, const void *priv)
{
	(void)cc;
	return gains[((const struct bbr *)priv)->state].why;
}

static uint64_t bbr_pacing_rate(const void *priv) { return ((const struct bbr *)priv)->pacing_rate; }

/* --- pacing rate (5.6.2) ---------------------------------------------------------------------------------------- */

/* The nominal rate is that of the first window in a round trip, or of the present one if it comes from another controller. */
static void init_pacing_rate(const struct bbr_step *k)
{
	const struct cc_sample *s = k->s;
	uint64_t nominal = (uint64_t)k->cc->cwnd * TAPIR_SEC / (s->srtt_us ? s->srtt_us : NOMINAL_RTT_US);

	k->b->has_seen_rtt = s->srtt_us != 0;
	k->b->pacing_rate = max_usec(nominal * STARTUP_PACING_PERCENT / 100, 1);
}

static void set_pacing_rate(const struct bbr_step *k, uint32_t percent)
{
	uint64_t rate = bbr_bw(k->b) * percent / 100 * (100 - MARGIN_PERCENT) / 100;

	if (!k->b->has_seen_rtt && k->s->srtt_us)
		init_pacing_rate(k);
	if (rate && (k->b->full_bw_reached || rate > k->b->pacing_rate))
		k->b->pacing_rate = rate;
}

/* --- losses (5.5.10.2) ------------------------------------------------------------------------------------------ */

/* What may have to be undone is what was before the episode's first loss. */
static void begin_episode(const struct bbr_step *k)
{
	if (k->b->in_recovery)
		return;
	bbr_save_cwnd(k);
	bbr_save_state(k);
	k->b->in_recovery = true;
}

/* Which part of the run that broke the limit was still within it: a large frame holds many segments. */
static uint32_t inflight_at_loss(const struct cc_lost *l)
{
	uint32_t before = l->tx_flight > l->bytes ? l->tx_flight - l->bytes : 0, lost = l->lost > l->bytes ? l->lost - l->bytes : 0;
	uint64_t allowed = (uint64_t)before * CC_LOSS_PERCENT, had = (uint64_t)lost * 100;

	return before + (uint32_t)(allowed > had ? (allowed - had) / (100 - CC_LOSS_PERCENT) : 0);
}

static bool note_losses(const struct bbr_step *k)
{
	struct bbr *b = k->b;
	const struct cc_rate *r = &k->s->rate;

	if (r->total_lost <= b->lost_seen)
		return false;
	b->lost_seen = r->total_lost;
	begin_episode(k);
	bbr_note_loss(k);
	if (b->is_bw_probe_sample && r->excess.bytes)
		bbr_handle_too_high(k, inflight_at_loss(&r->excess), r->excess.app_limited);
	return true;
}

/* --- window (5.6.4) --------------------------------------------------------------------------------------------- */

static void bound_cwnd(const struct bbr_step *k)
{
	struct bbr *b = k->b;
	uint32_t cap = BBR_INFINITE;

	if (b->state == BBR_CRUISE || b->state == BBR_PROBE_RTT)
		cap = bbr_headroom(k);
	else if (bbr_is_probe_bw(b))
		cap = b->inflight_longterm;
	cap = max_u32(min_u32(cap, b->inflight_shortterm), bbr_min_pipe(k));
	if (b->state == BBR_PROBE_RTT)
		cap = min_u32(cap, bbr_probe_rtt_cwnd(k));
	k->cc->cwnd = min_u32(k->cc->cwnd, cap);
}

static void set_cwnd(const struct bbr_step *k)
{
	struct bbr *b = k->b;
	struct cc *cc = k->cc;
	uint64_t inflight_cap = bbr_bdp(k, bbr_bw(b), gains[b->state].cwnd);
	uint32_t max_inflight = bbr_quantized(k, inflight_cap + bbr_extra_acked(b));
	uint32_t grown = min_u32(cc->cwnd + min_u32(k->s->delivered, CC_WINDOW_MAX), CC_WINDOW_MAX);

	if (b->full_bw_reached)
		cc->cwnd = min_u32(grown, max_inflight);
	else if (cc->cwnd < max_inflight || k->s->rate.total_delivered < k->s->initial_window)
		cc->cwnd = grown;
	cc->cwnd = max_u32(cc->cwnd, bbr_min_pipe(k));
	bound_cwnd(k);
}

/* --- the table -------------------------------------------------------------------------------------------------- */

static void init(const struct bbr_step *k)
{
	struct bbr *b = k->b;
	const struct cc_sample *s = k->s;
	uint32_t rtt_us = min_u32(s->srtt_us ? s->srtt_us : CC_NONE, s->min_rtt_us);

	b->started = true;
	b->random = (uint32_t)s->now_us ^ s->una.n * 0x9e3779b1u ^ s->nxt.n;
	b->random = b->random ? b->random : 1;	/* zero would stay zero */
	b->min_rtt_us = b->probe_rtt_min_us = rtt_us == CC_NONE ? CC_NONE : min_u32(rtt_us, BBR_RTT_MAX);
	b->min_rtt_stamp_us = b->probe_rtt_min_stamp_us = b->extra_acked_start_us = s->now_us;
	b->probe_rtt_done_us = USEC_NEVER;
	b->inflight_longterm = b->probe_up_acked_per_inc = BBR_INFINITE;
	b->lost_seen = s->rate.total_lost;
	b->low_from = UINT64_MAX;
	b->undo_state = BBR_NO_STATE;
	bbr_reset_shortterm(b);
	/* Nothing is on its way: whatever window there was is of no use without the model that it belonged to. */
	if (!k->cc->cwnd || !s->flight)
		k->cc->cwnd = s->initial_window;
	k->cc->cwnd = min_u32(k->cc->cwnd, CC_WINDOW_MAX);
	k->cc->ssthresh = CC_WINDOW_MAX;
	init_pacing_rate(k);
	b->state = BBR_STARTUP;
}

/* 5.4.1: the model is as good as before; the gap does not count as aggregation, and drained the queue as ProbeRTT would. */
static void restart_from_idle(const struct bbr_step *k)
{
	struct bbr *b = k->b;

	if (k->s->flight || !k->s->rate.app_limited)
		return;
	b->idle_restart = true;
	b->extra_acked_start_us = k->s->now_us;
	b->extra_acked_delivered = 0;
	if (bbr_is_probe_bw(b))
		set_pacing_rate(k, 100);
	else if (b->state == BBR_PROBE_RTT)
		bbr_check_probe_rtt_done(k);
}

static void bbr_start(struct cc *cc, void *priv, const struct cc_sample *s, usec_t idle_us)
{
	struct bbr_step k = bbr_step_of(priv, cc, s);

	(void)idle_us;		/* packet-timed rounds and the stamps tell what has aged */
	if (k.b->started)
		restart_from_idle(&k);
	else
		init(&k);
}

/* 5.2.3 UpdateOnACK(), in its order */
static void bbr_on_ack(struct cc *cc, void *priv, const struct cc_sample *s)
{
	struct bbr_step k = bbr_step_of(priv, cc, s);
	bool lost = note_losses(&k);

	if (k.b->in_recovery && !s->recovery && !lost) {	/* 5.6.4.4: repaired, or there was nothing to repair */
		k.b->in_recovery = false;
		bbr_restore_cwnd(&k);
	}
	bbr_update_latest(&k);
	bbr_update_congestion(&k);
	bbr_update_aggregation(&k);
	bbr_check_full_bw(&k);
	bbr_check_startup_done(&k);
	bbr_check_drain_done(&k);
	bbr_update_cycle(&k);
	bbr_update_min_rtt(&k);
	bbr_check_probe_rtt(&k);
	bbr_advance_latest(&k);
	set_pacing_rate(&k, gains[k.b->state].pacing);
	set_cwnd(&k);
}

static void on_mark(const struct bbr_step *k)
{
	struct bbr *b = k->b;
	uint32_t flight = max_u32(k->s->flight, k->s->prior_flight), bound;

	if (b->state == BBR_STARTUP) {
		bbr_startup_is_too_high(k);
		return;
	}
	if (bbr_is_probing(b)) {
		bbr_handle_too_high(k, flight, false);
		return;
	}
	bound = (uint32_t)((uint64_t)min_u32(flight, b->inflight_shortterm) * ECN_PERCENT / 100);
	b->inflight_shortterm = max_u32(bound, bbr_min_pipe(k));
	bound_cwnd(k);
}

static void bbr_on_congestion(struct cc *cc, void *priv, const struct cc_sample *s, enum cc_signal signal, bool again)
{
	struct bbr_step k = bbr_step_of(priv, cc, s);

	(void)again;		/* what was saved before the first timeout is not overwritten */
	bbr_save_cwnd(&k);
	begin_episode(&k);
	note_losses(&k);	/* a timer that finds losses has no ACK to tell of them */
	switch (signal) {
	case CC_LOSS:		/* the model answers, when the round that had the loss is over */
		break;
	case CC_ECN:
		on_mark(&k);
		break;
	case CC_RTO:		/* 5.6.4.4 */
		cc->cwnd = min_u32(s->flight, CC_WINDOW_MAX) + s->mss;
		break;
	}
}

/* 5.5.11.2: bounds return to at least what they were, and a probe that the loss ended begins again. */
static void bbr_on_undo(struct cc *cc, void *priv, const struct cc *before, const void *before_priv)
{
	struct bbr *b = priv;
	struct bbr_step k = {.b = b, .cc = cc};
	const struct cc_sample none = {.rtt_us = CC_NONE};

	(void)before, (void)before_priv;	/* what it restores was saved at the first loss, which may be earlier */
	k.s = &none;
	b->in_recovery = false;
	bbr_restore_cwnd(&k);
	b->is_loss_in_round = false;
	bbr_reset_full_bw(b, 0);
	b->bw_shortterm = max_usec(b->bw_shortterm, b->undo_bw_shortterm);
	b->inflight_shortterm = max_u32(b->inflight_shortterm, b->undo_inflight_shortterm);
	b->inflight_longterm = max_u32(b->inflight_longterm, b->undo_inflight_longterm);
	if (b->undo_state == BBR_STARTUP && b->state != BBR_STARTUP) {
		b->full_bw_reached = false;
		if (b->state != BBR_PROBE_RTT)
			b->state = BBR_STARTUP;
	} else if (b->undo_state == BBR_UP && b->state != BBR_UP && b->state != BBR_PROBE_RTT) {
		bbr_start_refill(&k);
	}
	b->undo_state = BBR_NO_STATE;
}

const struct cc_ops cc_bbr = {.name = "bbr", .paces_itself = true, .start = bbr_start, .on_ack = bbr_on_ack,
			      .on_congestion = bbr_on_congestion, .on_undo = bbr_on_undo, .pacing_rate = bbr_pacing_rate,
			      .why = bbr_why};
