/* rack.c: RACK-TLP (RFC 8985): a segment is lost if one that was sent after it, by more than a reordering window, has been
 * delivered; and a tail that no ACK follows is probed after two round trips. Owns struct tcp_sender's rack and tlp, and the
 * timers REO and TLP. It marks records LOST; what that means for the window is recovery.c's to say.
 *
 * Without SACK there is nothing to see beyond SND.UNA: recovery.c then counts duplicate ACKs. */
#include "internal.h"

#define REO_PERSIST 16u			/* RFC 8985 6.2 step 4: recoveries until the window is narrow again */
#define REO_MULT_MAX 64u
#define DUP_THRESHOLD 3u
#define REO_WORK 64u			/* records looked at for the timer's sake */
#define TLP_MAX_ACK_DELAY (200 * TAPIR_MS)	/* RFC 8985 7.2 */
#define MIN_RTT_WINDOW (300 * TAPIR_SEC)	/* RFC 8985 6.2 step 1: of path changes, not of congestion */

/* RACK_sent_after(): was what left at a_us and ends at a_end sent after b? */
static bool sent_after(usec_t a_us, seq_t a_end, const struct tcp_sent *b)
{
	return a_us > b->sent_us || (a_us == b->sent_us && seq_gt(a_end, b->end));
}

static bool rack_is_after(const struct tcp_sender *s, const struct tcp_sent *r)
{
	return s->rack.sent_us && sent_after(s->rack.sent_us, s->rack.end, r);
}

static void note_min_rtt(struct tapir *t, struct tcp_sender *s, uint32_t rtt_us)
{
	if (rtt_us > s->min_rtt_us && t->now_us - s->min_rtt_at_us < MIN_RTT_WINDOW)
		return;
	s->min_rtt_us = rtt_us;
	s->min_rtt_at_us = t->now_us;
}

/* RFC 8985 6.2 step 2: an ACK of what was sent more than once may be for the first time: if it echoes an older timestamp, in
 * whole milliseconds of the clock that made it; or if it has come faster than any other. */
bool tcp_rack_is_ambiguous(struct tapir *t, const struct tcp_conn *c, const struct tcp_sent *r, const struct tcp_seg *seg)
{
	uint32_t rtt_us = (uint32_t)min_usec(t->now_us - r->sent_us, UINT32_MAX);
	uint32_t sent_ts = (uint32_t)(r->sent_us / TAPIR_MS) + c->ts.offset;

	if (r->times == 1)
		return false;
	if (c->ts_on && seg->opt.has_ts && (int32_t)(seg->opt.ts_ecr - sent_ts) < 0)
		return true;
	return c->sender->min_rtt_us != CC_NONE && rtt_us < c->sender->min_rtt_us;
}

/* Steps 1 to 3, for one of the records that an ACK delivers. RACK.rtt is that of the latest sent among them; RACK.segment
 * the latest sent of all. */
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
	if (r->sent_us >= d->rack_sent_us) {
		d->rack_sent_us = r->sent_us;
		s->rack.rtt_us = rtt_us;
	}
	if (s->rack.sent_us && !sent_after(r->sent_us, r->end, &(struct tcp_sent){.sent_us = s->rack.sent_us, .end = s->rack.end}))
		return;
	s->rack.sent_us = r->sent_us;
	s->rack.end = r->end;
}

/* --- the reordering window, RFC 8985 6.2 step 4 ----------------------------------------------------------------- */

/* It adapts to duplicates that DSACK reports. */
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

/* RACK.segs_sacked >= DupThresh; a record of several segments counts as RFC 6675 4 counts, IsLost(). */
static bool many_are_sacked(const struct tcp_conn *c)
{
	const struct tcp_sender *s = c->sender;

	return s->sacked_segs >= DUP_THRESHOLD || s->sacked > (DUP_THRESHOLD - 1) * c->snd.mss;
}

static uint32_t reordering_window(const struct tcp_conn *c)
{
	const struct tcp_sender *s = c->sender;
	bool recovering = s->phase == PHASE_RECOVERY || s->phase == PHASE_LOSS;
	uint64_t window = (uint64_t)s->rack.reo_mult * s->min_rtt_us / 4;

	if (!s->rack.reordering_seen && (recovering || many_are_sacked(c)))
		return 0;
	if (s->min_rtt_us == CC_NONE)
		return 0;
	return (uint32_t)min_usec(window, c->rtt.srtt_us);
}

/* --- detection, RFC 8985 6.2 step 5 ----------------------------------------------------------------------------- */

/* When the last of r and those sent after it, as far as RACK.segment was sent later, will be lost; 0: none will. RACK.segment's
 * own time stands for those that are too many to look at. */
static usec_t last_lost_at(const struct tcp_sender *s, const struct tcp_sent *r, uint32_t delay_us)
{
	usec_t at_us = 0;

	for (uint32_t n = 0; r && rack_is_after(s, r); r = r->later) {
		at_us = r->sent_us + delay_us;
		if (++n == REO_WORK)
			return s->rack.sent_us + delay_us;
	}
	return at_us;
}

/* RFC 8985 8: the RTO is not to come before the reordering window is over; from then on it has its full time. */
static void arm_reo(struct tapir *t, struct tcp_conn *c, usec_t due_us)
{
	tcp_timer_arm(t, c, TAPIR_TIMER_REO, due_us);
	if (tcp_timer_is_armed(c, TAPIR_TIMER_RTO) && tcp_timer_due(c, TAPIR_TIMER_RTO) <= due_us)
		tcp_timer_arm(t, c, TAPIR_TIMER_RTO, due_us + c->rtt.rto_us);
}

/* Bytes newly lost. The records are in the order of time, so that those which are lost come first. */
uint32_t tcp_rack_detect(struct tapir *t, struct tcp_conn *c)
{
	struct tcp_sender *s = c->sender;
	uint32_t before = s->lost, delay_us = s->rack.rtt_us + reordering_window(c);
	struct tcp_sent *r = s->oldest;
	usec_t due_us;

	while (r && rack_is_after(s, r) && r->sent_us + delay_us <= t->now_us) {
		struct tcp_sent *later = r->later;

		tcp_sent_lose(c, r);
		r = later;
	}
	tcp_timer_disarm(t, c, TAPIR_TIMER_REO);
	due_us = last_lost_at(s, r, delay_us);
	if (due_us)
		arm_reo(t, c, due_us);
	return s->lost - before;
}

void tcp_rack_on_ack(struct tapir *t, struct tcp_conn *c, const struct tcp_seg *seg, struct tcp_delivery *d)
{
	adapt_window(c, seg, d);
	d->lost += tcp_rack_detect(t, c);
	if (d->lost)
		c->sender->why_lost = "RFC 8985 6.2 step 5: what was sent later has been delivered";
}

/* RFC 8985 6.3: the first, and what was sent longer ago than a round trip. Without RACK everything (RFC 5681 3.1). */
void tcp_rack_on_rto(struct tapir *t, struct tcp_conn *c)
{
	struct tcp_sender *s = c->sender;
	usec_t age_us = c->sack_on && s->rack.sent_us ? s->rack.rtt_us + reordering_window(c) : 0;

	if (s->first->state == SENT_FLYING)
		tcp_sent_lose(c, s->first);
	while (s->oldest && s->oldest->sent_us + age_us <= t->now_us)
		tcp_sent_lose(c, s->oldest);
}

/* --- the tail loss probe, RFC 8985 7 ---------------------------------------------------------------------------- */

/* 7.2, and the conditions of 7.3, which are known as early as that: no probe is out, and an RTT was measured since the last. */
static bool may_probe(const struct tapir *t, const struct tcp_conn *c)
{
	const struct tcp_sender *s = c->sender;

	if (!c->sack_on || !t->cfg.tlp || !s || !s->oldest || c->snd.wnd == 0 || tcp_syn_unacked(c))
		return false;
	return (s->phase == PHASE_OPEN || s->phase == PHASE_CWR) && !s->sacked && !s->tlp.out && !s->tlp.unsampled;
}

static bool one_segment_is_out(const struct tcp_conn *c)
{
	return c->sender->first == c->sender->last && tcp_flight(c) <= c->snd.mss;
}

/* DEVIATES: RFC 8985 7.2 (no smallest PTO; tlp_min_us) because two round trips of a fast network are less than a busy host needs to
 * answer. */
void tcp_tlp_schedule(struct tapir *t, struct tcp_conn *c)
{
	usec_t pto_us = TAPIR_SEC, due_us;

	if (!may_probe(t, c)) {
		tcp_timer_disarm(t, c, TAPIR_TIMER_TLP);
		return;
	}
	if (c->rtt.srtt_us)
		pto_us = 2 * (usec_t)c->rtt.srtt_us + (one_segment_is_out(c) ? TLP_MAX_ACK_DELAY : 0);
	due_us = t->now_us + max_usec(pto_us, t->cfg.tlp_min_us);
	/* Not later than the RTO, in whose place it then fires (timeout.c). */
	tcp_timer_arm(t, c, TAPIR_TIMER_TLP, min_usec(due_us, tcp_timer_due(c, TAPIR_TIMER_RTO)));
}

/* 7.4.2: what the ACK of a probe tells. True: the probe repaired a loss, which then is one for congestion control. */
bool tcp_tlp_on_ack(struct tcp_conn *c, const struct tcp_seg *seg, const struct tcp_delivery *d)
{
	struct tcp_sender *s = c->sender;
	bool both_arrived = d->dsack && seq_eq(seg->opt.sack[0].end, s->tlp.end);
	bool repaired = false;

	if (!s->tlp.out || seq_lt(seg->ack, s->tlp.end))
		return false;
	if (!s->tlp.again || both_arrived) {	/* new text, whose delivery is no riddle; or case 1 */
		s->tlp.out = false;
	} else if (seq_gt(seg->ack, s->tlp.end)) {
		s->tlp.out = false;
		repaired = true;
	} else if (!d->advanced && !seg->len && !seg->opt.sack_count && seg->wnd << c->snd.shift == c->snd.wnd) {
		s->tlp.out = false;		/* case 2: a duplicate ACK */
	}
	return repaired;
}
