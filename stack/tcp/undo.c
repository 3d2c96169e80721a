/* undo.c: the congestion that was none. What recovery took for lost was only late if all of it arrives before any of it went
 * again, if an ACK that moves SND.UNA over what was sent again echoes a timestamp from before that (RFC 3522 3.2), if DSACKs
 * report every retransmission as a duplicate (RFC 3708 3), or if F-RTO says so (frto.c). Then the window returns (RFC 4015 3.1
 * step 9). Owns struct tcp_sender's undo.
 *
 * DEVIATES: RFC 4015 3.1 step 11 (the RTO adapts to the first sample of new text) because every delayed original that was sent
 * once is a sample already, so that the RTO has adapted when recovery turns out to be spurious (RFC 5682 2.2). */
#include "internal.h"

#define FOLLOWS (1u << 30)		/* so far behind SND.UNA a sequence number says nothing any more */

void tcp_undo_begin(struct tapir *t, struct tcp_conn *c)
{
	struct tcp_sender *s = c->sender;

	s->undo.possible = s->undo.dsack = true;
	s->undo.has_ts = false;
	s->undo.retrans = 0;
	s->undo.since_us = t->now_us;
	s->undo.marker = c->snd.una;
	s->undo.cc = c->cc;
	memcpy(s->undo.priv, s->cc_priv, CC_PRIV);
}

void tcp_undo_on_retransmit(struct tapir *t, struct tcp_conn *c, const struct tcp_sent *r, uint32_t bytes)
{
	struct tcp_sender *s = c->sender;

	if (r->times > 1 && r->sent_us >= s->undo.since_us)
		s->undo.dsack = false;	/* RFC 3708 3 A.3: which of the two was the duplicate? */
	s->undo.high = seq_max(s->undo.high, seq_add(r->start, bytes));
	s->undo.retrans += bytes;
	if (s->undo.has_ts)
		return;
	s->undo.has_ts = true;
	s->undo.retrans_ts = tcp_ts_now(t, c);
}

/* RFC 3522 3.2 steps 2 to 4: for the oldest segment, if it was sent again in this phase. */
static bool echo_is_older(const struct tcp_conn *c, const struct tcp_seg *seg, const struct tcp_delivery *d)
{
	const struct tcp_sender *s = c->sender;

	return d->advanced && d->head_again && s->phase != PHASE_OPEN && c->ts_on && s->undo.has_ts && seg->opt.has_ts &&
	       seg->opt.ts_ecr && (int32_t)(seg->opt.ts_ecr - s->undo.retrans_ts) < 0;
}

/* RFC 3708 3 A.4: it was sent once, and came twice. */
static void look_for_copies(struct tcp_conn *c, const struct tcp_seg *seg, const struct tcp_delivery *d)
{
	struct tcp_sender *s = c->sender;

	if (seq_lt(s->undo.high, seq(c->snd.una.n - FOLLOWS)))
		s->undo.high = seq(c->snd.una.n - FOLLOWS);
	s->undo.copies |= d->dsack && seq_gt(seg->opt.sack[0].end, s->undo.high);
}

/* RFC 3708 3: in bytes, as one DSACK may report several segments. */
static bool all_were_duplicates(const struct tcp_conn *c, const struct tcp_seg *seg, const struct tcp_delivery *d)
{
	struct tcp_sender *s = c->sender;
	const struct sack_block *b = seg->opt.sack;
	uint32_t before = s->undo.retrans;

	if (!d->dsack || seq_leq(b->end, s->undo.marker))
		return false;
	if (!s->sacked && seq_eq(b->start, d->prior_una))	/* A.1: a whole window of ACKs was lost instead */
		s->undo.dsack = false;
	s->undo.retrans -= min_u32(before, d->dsack_bytes);
	return s->undo.dsack && !s->undo.copies && before && !s->undo.retrans;
}

/* Each record that was taken for lost has been delivered, and this phase has sent none again: they were overtaken. No timestamp
 * and no DSACK will ever say so. */
static bool all_have_come(const struct tcp_conn *c, const struct tcp_delivery *d)
{
	const struct tcp_sender *s = c->sender;

	return s->phase == PHASE_RECOVERY && d->delivered && !s->lost && !s->undo.has_ts;
}

static const char *proof(const struct tcp_conn *c, const struct tcp_seg *seg, const struct tcp_delivery *d)
{
	if (all_have_come(c, d))
		return "RFC 8985 6.2 step 3: all that seemed lost has come, and none of it went again";
	if (all_were_duplicates(c, seg, d))
		return "RFC 3708 3: every retransmission was a duplicate";
	if (echo_is_older(c, seg, d))
		return "RFC 3522 3.2: the ACK is for what was sent first";
	if (d->frto)
		return "RFC 5682 3.1 step 3b: what was sent before the timeout arrives";
	return NULL;
}

static void put_back(struct tcp_conn *c)
{
	struct tcp_sender *s = c->sender;
	uint32_t cwnd = c->cc.cwnd;

	if (c->cc.ops->on_undo) {
		c->cc.ops->on_undo(&c->cc, s->cc_priv, &s->undo.cc, s->undo.priv);
		return;
	}
	c->cc = s->undo.cc;
	c->cc.cwnd = max_u32(c->cc.cwnd, cwnd);
	memcpy(s->cc_priv, s->undo.priv, CC_PRIV);
}

/* RFC 4015 3.1 step 9: the window as it was is a threshold; it is not filled at once, as the ACKs that clocked it are gone. When
 * nothing is outstanding the initial window may leave, as after any pause (RFC 5681 4.1). */
static void avoid_burst(struct tapir *t, struct tcp_conn *c, uint32_t cwnd_now, uint32_t acked)
{
	uint32_t burst = c->snd.mss * (uint32_t)t->cfg.initial_window;
	uint32_t limit = max_u32(tcp_flight(c) ? tcp_pipe(c) + min_u32(acked, burst) : burst, cwnd_now);

	if (c->cc.ops->paces_itself || c->cc.cwnd <= limit)
		return;
	c->cc.ssthresh = max_u32(c->cc.ssthresh, c->cc.cwnd);
	c->cc.cwnd = limit;
}

const char *tcp_undo_on_ack(struct tapir *t, struct tcp_conn *c, const struct tcp_seg *seg, const struct tcp_delivery *d)
{
	struct tcp_sender *s = c->sender;
	uint32_t cwnd = c->cc.cwnd;
	const char *why;
	bool late;

	look_for_copies(c, seg, d);
	why = s->undo.possible ? proof(c, seg, d) : NULL;
	late = s->undo.possible && echo_is_older(c, seg, d);
	if (!why)
		return NULL;
	if (late && s->phase == PHASE_RECOVERY)		/* it was overtaken: RFC 8985 6.2 step 3 cannot see that */
		s->rack.reordering_seen = true;
	if (late || s->phase == PHASE_LOSS)
		tcp_sent_unlose_all(s);
	s->undo.possible = false;
	s->phase = PHASE_OPEN;
	if (!(seg->flags & TCP_ECE)) {
		put_back(c);
		avoid_burst(t, c, cwnd, d->acked);
	}
	return why;
}
