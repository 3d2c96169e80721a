/* prr.c: Proportional Rate Reduction (RFC 9937, which was RFC 6937bis): in recovery the window shrinks to ssthresh by the end of
 * it, ACK by ACK, in proportion to what is delivered. Owns struct tcp_sender's prr. */
#include "internal.h"

/* 6.1: all that may still be delivered in this episode, losses included. */
void tcp_prr_begin(struct tcp_conn *c, const struct tcp_delivery *d)
{
	struct tcp_sender *s = c->sender;
	uint32_t left = tcp_flight(c) - s->sacked - min_u32(s->reno_out, tcp_flight(c) - s->sacked);

	s->prr.recover_fs = max_u32(left + d->delivered, 1);
	s->prr.delivered = s->prr.out = 0;
}

/* 6.2: how many bytes may leave for this ACK? Sets cwnd so that output finds just them. When nothing was delivered (the
 * reordering timer) it asks again what of the last answer is left, as the pipe is another one. */
void tcp_prr_on_ack(struct tcp_conn *c, const struct tcp_delivery *d)
{
	struct tcp_sender *s = c->sender;
	uint32_t pipe = tcp_pipe(c), ssthresh = c->cc.ssthresh, send, limit;

	s->prr.delivered += d->delivered;
	if (!c->sack_on)			/* duplicate ACKs may lie */
		s->prr.delivered = min_u32(s->prr.delivered, s->prr.recover_fs);
	if (pipe > ssthresh) {			/* proportional */
		uint64_t share = ((uint64_t)s->prr.delivered * ssthresh + s->prr.recover_fs - 1) / s->prr.recover_fs;

		send = share > s->prr.out ? (uint32_t)min_usec(share - s->prr.out, CC_WINDOW_MAX) : 0;
	} else {				/* slow start towards ssthresh, or, while more is lost, packet conservation */
		limit = max_u32(s->prr.delivered > s->prr.out ? s->prr.delivered - s->prr.out : 0, d->delivered);
		if (d->advanced && !d->lost)
			limit += c->snd.mss;
		send = min_u32(ssthresh - pipe, limit);
	}
	if (!s->prr.out)			/* the first retransmission always leaves */
		send = max_u32(send, c->snd.mss);
	c->cc.cwnd = pipe + send;
}

void tcp_prr_on_sent(struct tcp_sender *s, uint32_t bytes)
{
	if (s->phase == PHASE_RECOVERY || s->phase == PHASE_CWR)
		s->prr.out += bytes;
}
