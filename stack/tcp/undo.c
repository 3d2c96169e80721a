/* undo.c: the congestion that was none. What recovery took for lost was only late, if an ACK echoes a timestamp from before
 * the first retransmission (RFC 3522 3.2), if DSACKs report every retransmission as a duplicate (RFC 3708 2), or if after a
 * timeout something arrives that was sent once, before it (RFC 5682 3.1, for SACK). Then the window is put back as it was
 * (RFC 4015 3.2). Owns struct tcp_sender's undo. */
#include "internal.h"

void tcp_undo_begin(struct tcp_conn *c)
{
	struct tcp_sender *s = c->sender;

	s->undo.possible = true;
	s->undo.frto = s->undo.has_ts = false;
	s->undo.retrans = 0;
	s->undo.cc = c->cc;
	memcpy(s->undo.priv, s->cc_priv, CC_PRIV);
}

void tcp_undo_on_retransmit(struct tapir *t, struct tcp_conn *c, uint32_t bytes)
{
	struct tcp_sender *s = c->sender;

	s->undo.retrans += bytes;
	if (s->undo.has_ts)
		return;
	s->undo.has_ts = true;
	s->undo.retrans_ts = tcp_ts_now(t, c);
}

static bool echo_is_older(const struct tcp_conn *c, const struct tcp_seg *seg, const struct tcp_delivery *d)
{
	const struct tcp_sender *s = c->sender;

	return d->advanced && c->ts_on && s->undo.has_ts && seg->opt.has_ts && seg->opt.ts_ecr &&
	       (int32_t)(seg->opt.ts_ecr - s->undo.retrans_ts) < 0;
}

static bool all_were_duplicates(struct tcp_sender *s, const struct tcp_delivery *d)
{
	uint32_t before = s->undo.retrans;

	if (!d->dsack)
		return false;
	s->undo.retrans -= min_u32(before, d->dsack_bytes);
	return before && !s->undo.retrans;
}

static const char *proof(const struct tcp_conn *c, const struct tcp_seg *seg, const struct tcp_delivery *d)
{
	struct tcp_sender *s = c->sender;

	if (all_were_duplicates(s, d))
		return "RFC 3708 2: every retransmission was a duplicate";
	if (s->phase != PHASE_OPEN && echo_is_older(c, seg, d))
		return "RFC 3522 3.2: the ACK is for what was sent first";
	if (s->phase == PHASE_LOSS && s->undo.frto && d->original)
		return "RFC 5682 3.1: what was sent before the timeout arrives";
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

static void take_back_losses(struct tcp_sender *s)
{
	struct tcp_sent *r;

	while ((r = tcp_sent_first_lost(s)))
		tcp_sent_set(s, r, SENT_FLYING);
}

const char *tcp_undo_on_ack(struct tcp_conn *c, const struct tcp_seg *seg, const struct tcp_delivery *d)
{
	struct tcp_sender *s = c->sender;
	const char *why = s->undo.possible ? proof(c, seg, d) : NULL;

	if (!why)
		return NULL;
	if (s->phase == PHASE_LOSS)
		take_back_losses(s);
	put_back(c);
	s->undo.possible = false;
	s->phase = PHASE_OPEN;
	return why;
}
