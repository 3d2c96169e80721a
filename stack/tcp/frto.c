/* frto.c: F-RTO (RFC 5682): was a timeout spurious? After it only the first segment goes again. If that is acknowledged, new text
 * goes instead of the rest: should the next ACK be for the rest, that has arrived without our help, and the timeout was one
 * of the clock, not of the path. With SACK this is section 3.1, without it 2.1. Owns struct tcp_sender's frto.
 *
 * It need not try when timestamps can tell (undo.c, RFC 3522); it does so all the same, as they do not always. */
#include "internal.h"

void tcp_frto_begin(struct tcp_conn *c)
{
	struct tcp_sender *s = c->sender;
	bool same_again = s->phase == PHASE_LOSS && s->frto.step == FRTO_FIRST;

	/* Step 1: not in a recovery, unless it is the same segment that timed out. */
	s->frto.step = s->phase == PHASE_OPEN || s->phase == PHASE_CWR || same_again ? FRTO_FIRST : FRTO_OFF;
	s->frto.end = c->snd.una;
}

void tcp_frto_on_retransmit(struct tcp_sender *s, const struct tcp_sent *r)
{
	if (s->frto.step == FRTO_FIRST && r == s->first)
		s->frto.end = r->end;
}

/* Step 2: a new ACK. 2b asks for something new to send, else the timeout stays what it seemed to be. */
static uint8_t after_first(struct tapir *t, struct tcp_conn *c)
{
	const struct tcp_sender *s = c->sender;

	if (seq_geq(c->snd.una, s->recover) || seq_lt(c->snd.una, s->frto.end) || !tcp_has_new_segment(t, c))
		return FRTO_OFF;
	return FRTO_NEW;
}

bool tcp_frto_on_ack(struct tapir *t, struct tcp_conn *c, const struct tcp_delivery *d, bool duplicate)
{
	struct tcp_sender *s = c->sender;

	switch (s->frto.step) {
	case FRTO_FIRST:
		if (d->advanced)
			s->frto.step = after_first(t, c);
		else if (duplicate && !c->sack_on)		/* 2.1 step 2a */
			s->frto.step = FRTO_OFF;
		return false;
	case FRTO_NEW:						/* step 3 */
		if (!d->advanced && !d->sacked && !duplicate)
			return false;
		s->frto.step = FRTO_OFF;
		return d->original && seq_leq(c->snd.una, s->recover) && seq_leq(s->rack.fack, s->recover);
	default:
		return false;
	}
}

bool tcp_frto_holds(const struct tcp_sender *s)
{
	return s->frto.step == FRTO_NEW;
}
