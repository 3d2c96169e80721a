/* rack.c: RACK-TLP (RFC 8985): a segment is lost if one that was sent after it, by more than a reordering window, has been
 * delivered; and a tail that no ACK follows is probed after two round trips. Owns struct tcp_sender's rack and tlp, and the
 * timers REO and TLP. It marks records LOST; what that means for the window is recovery.c's to say.
 *
 * Without SACK there is nothing to see beyond SND.UNA: recovery.c then counts duplicate ACKs. */
#include "internal.h"

#define REO_PERSIST 16u			/* RFC 8985 6.2 step 4: recoveries until the window is narrow again */
#define REO_MULT_MAX 64u
#define DUP_THRESHOLD 3u
#define TLP_MAX_ACK_DELAY (200 * TAPIR_MS)	/* RFC 8985 7.2 */
#define TLP_MIN (10 * TAPIR_MS)		/* a probe sooner than a busy host can answer is only a retransmission too many */
#define MIN_RTT_WINDOW (300 * TAPIR_SEC)	/* RFC 8985 6.1: of path changes, not of congestion */

static bool sent_after(usec_t a_us, seq_t a_end, const struct tcp_sent *b)
{
	return a_us > b->sent_us || (a_us == b->sent_us && seq_gt(a_end, b->end));
}

static void note_min_rtt(struct tapir *t, struct tcp_sender *s, uint32_t rtt_us)
{
	if (rtt_us > s->min_rtt_us && t->now_us - s->min_rtt_at_us < MIN_RTT_WINDOW)
		return;
	s->min_rtt_us = rtt_us;
	s->min_rtt_at_us = t->now_us;
}

/* RFC 8985 6.2 step 2: an ACK of what was sent more than once may be for the first time. */
bool tcp_rack_is_ambiguous(struct tapir *t, const struct tcp_conn *c, const struct tcp_sent *r, const struct tcp_seg *seg)
{
	uint32_t rtt_us = (uint32_t)min_usec(t->now_us - r->sent_us, UINT32_MAX);

	if (r->times == 1)
		return false;
	if (c->ts_on && seg->opt.has_ts)	/* in whole milliseconds of the clock that made it */
		return (int32_t)(seg->opt.ts_ecr - (uint32_t)(r->sent_us / TAPIR_MS) - c->ts.offset) < 0;
	return c->sender->min_rtt_us != CC_NONE && rtt_us < c->sender->min_rtt_us;
}

void tcp_rack_on_delivered(struct tapir *t, struct tcp_conn *c, const struct tcp_sent *r, const struct tcp_seg *seg,
			   struct tcp_delivery *d)
{
	struct tcp_sender *s = c->sender;
	uint32_t rtt_us = max_u32((uint32_t)min_usec(t->now_us - r->sent_us, CC_NONE - 1), 1);

	if (seq_lt(r->end, s->rack.fack) && r->times == 1)	/* step 3: it was overtaken */
		s->rack.reordering_seen = true;
	if (tcp_rack_is_ambiguous(t, c, r, seg))
		return;
	if (r->times == 1) {
		d->rtt_us = min_u32(d->rtt_us, rtt_us);
		d->longest_us = d->longest_us == CC_NONE ? rtt_us : max_u32(d->longest_us, rtt_us);
		note_min_rtt(t, s, rtt_us);
	}
	if (s->rack.sent_us && !sent_after(r->sent_us, r->end, &(struct tcp_sent){.sent_us = s->rack.sent_us, .end = s->rack.end}))
		return;
	s->rack.rtt_us = rtt_us;
	s->rack.sent_us = r->sent_us;
	s->rack.end = r->end;
}

/* RFC 8985 6.2 step 4: the window adapts to duplicates that DSACK reports. */
static void adapt_window(struct tcp_conn *c, const struct tcp_seg *seg, const struct tcp_delivery *d)
{
	struct tcp_sender *s = c->sender;

	if (s->rack.in_dsack_round && seq_geq(seg->ack, s->rack.dsack_round))
		s->rack.in_dsack_round = false;
	if (!d->dsack || s->rack.in_dsack_round)
		return;
	s->rack.in_dsack_round = true;
	s->rack.dsack_round = c->snd.max;
	s->rack.reo_mult = (uint8_t)min_u32(s->rack.reo_mult + 1u, REO_MULT_MAX);
	s->rack.reo_persist = REO_PERSIST;
}

void tcp_rack_on_recovery_end(struct tcp_sender *s)
{
	if (s->rack.reo_persist && --s->rack.reo_persist == 0)
		s->rack.reo_mult = 1;
}

static uint32_t reordering_window(const struct tcp_conn *c)
{
	const struct tcp_sender *s = c->sender;
	uint64_t window = (uint64_t)s->rack.reo_mult * s->min_rtt_us / 4;

	if (!s->rack.reordering_seen && (s->phase != PHASE_OPEN || s->sacked >= DUP_THRESHOLD * c->snd.mss))
		return 0;
	if (s->min_rtt_us == CC_NONE)
		return 0;
	return (uint32_t)min_usec(window, c->rtt.srtt_us);
}

/* RFC 8985 6.2 step 5. Bytes newly lost. */
uint32_t tcp_rack_detect(struct tapir *t, struct tcp_conn *c)
{
	struct tcp_sender *s = c->sender;
	uint32_t before = s->lost, window = reordering_window(c);
	usec_t due_us = 0;

	tcp_timer_disarm(t, c, TAPIR_TIMER_REO);
	for (struct tcp_sent *r = s->oldest, *later; r && s->rack.sent_us; r = later) {
		usec_t lost_at_us = r->sent_us + s->rack.rtt_us + window;

		later = r->later;
		if (!sent_after(s->rack.sent_us, s->rack.end, r))
			break;
		if (lost_at_us <= t->now_us)
			tcp_sent_lose(c, r);
		else
			due_us = max_usec(due_us, lost_at_us);
	}
	if (due_us)
		tcp_timer_arm(t, c, TAPIR_TIMER_REO, due_us);
	return s->lost - before;
}

void tcp_rack_on_ack(struct tapir *t, struct tcp_conn *c, const struct tcp_seg *seg, struct tcp_delivery *d)
{
	adapt_window(c, seg, d);
	d->lost += tcp_rack_detect(t, c);
	if (d->lost)
		c->sender->why_lost = "RFC 8985 6.2: what was sent later has been delivered";
}

/* --- the tail loss probe, RFC 8985 7 ---------------------------------------------------------------------------- */

/* 7.2: when to probe. Only without loss, and with a round trip known. */
void tcp_tlp_schedule(struct tapir *t, struct tcp_conn *c)
{
	struct tcp_sender *s = c->sender;
	usec_t pto_us = 2 * (usec_t)c->rtt.srtt_us, due_us;

	if (!c->sack_on || !t->cfg.tlp || !s || !s->oldest || s->phase != PHASE_OPEN || s->sacked || s->tlp.out ||
	    c->snd.wnd == 0 || tcp_syn_unacked(c)) {
		tcp_timer_disarm(t, c, TAPIR_TIMER_TLP);
		return;
	}
	if (!c->rtt.srtt_us)
		pto_us = TAPIR_SEC;
	if (tcp_flight(c) <= c->snd.mss)
		pto_us += min_usec(TLP_MAX_ACK_DELAY, t->cfg.rto_max_us);
	due_us = t->now_us + max_usec(pto_us, TLP_MIN);
	if (tcp_timer_is_armed(c, TAPIR_TIMER_RTO) && due_us >= tcp_timer_due(c, TAPIR_TIMER_RTO)) {
		tcp_timer_disarm(t, c, TAPIR_TIMER_TLP);	/* the RTO comes first */
		return;
	}
	tcp_timer_arm(t, c, TAPIR_TIMER_TLP, due_us);
}

/* 7.4.2: what the ACK of a probe tells. True: the probe repaired a loss, which then is one for congestion control. */
bool tcp_tlp_on_ack(struct tcp_conn *c, const struct tcp_seg *seg, const struct tcp_delivery *d)
{
	struct tcp_sender *s = c->sender;

	if (!s->tlp.out || seq_lt(seg->ack, s->tlp.end))
		return false;
	if (!s->tlp.again) {			/* new text: its delivery is no riddle */
		s->tlp.out = false;
		return false;
	}
	if (d->dsack && seq_eq(seg->opt.sack[0].end, s->tlp.end)) {
		s->tlp.out = false;		/* both the original and the probe arrived */
		return false;
	}
	if (seq_gt(seg->ack, s->tlp.end)) {
		s->tlp.out = false;
		return true;
	}
	if (!d->advanced && !d->sacked) {	/* a duplicate ACK for the probe: the original had arrived */
		s->tlp.out = false;
		return false;
	}
	return false;
}
