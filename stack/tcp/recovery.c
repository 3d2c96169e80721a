/* recovery.c: what an acknowledgment means. Moves SND.UNA, and decides what is lost: fast retransmit and fast recovery
 * of RFC 5681 3.2 with NewReno's partial acknowledgments (RFC 6582). It marks a retransmission as owed and sets cwnd;
 * output.c sends. */
#include "internal.h"

#define DUP_ACK_THRESHOLD 3	/* RFC 5681 3.2 */

uint32_t tcp_flight(const struct tcp_conn *c)
{
	return seq_sub(c->snd.nxt, c->snd.una);
}

static void owe_retransmission(struct tapir *t, struct tcp_conn *c, const char *why)
{
	c->owed.retransmit = true;
	c->owed.why = why;
	tcp_ready(t, c);
}

static void partial_ack(struct tapir *t, struct tcp_conn *c, uint32_t acked)
{
	owe_retransmission(t, c, "RFC 6582 3.2 step 3: partial ACK, the next hole");
	c->cc.cwnd = c->cc.cwnd > acked ? c->cc.cwnd - acked : 0;
	if (acked >= c->snd.mss)
		c->cc.cwnd += c->snd.mss;
	c->cc.cwnd = max_u32(c->cc.cwnd, c->snd.mss);
}

static void full_ack(struct tcp_conn *c)
{
	c->cc.cwnd = min_u32(c->cc.ssthresh, max_u32(tcp_flight(c), c->snd.mss) + c->snd.mss);
	c->loss.fast = c->loss.partial = false;
	c->loss.dup_acks = 0;
}

/* RFC 6298 5.2, 5.3; in recovery only the first partial ACK restarts the timer (RFC 6582 3.2, "impatient"). */
static void restart_rto(struct tapir *t, struct tcp_conn *c)
{
	if (seq_eq(c->snd.una, c->snd.max)) {
		tcp_timer_disarm(t, c, TAPIR_TIMER_RTO);
		return;
	}
	if (!c->loss.fast || !c->loss.partial)
		tcp_timer_arm(t, c, TAPIR_TIMER_RTO, t->now_us + c->rtt.rto_us);
	c->loss.partial = c->loss.fast;
}

void tcp_on_new_ack(struct tapir *t, struct tcp_conn *c, const struct tcp_seg *seg)
{
	uint32_t acked = seq_sub(seg->ack, c->snd.una), text = acked;

	if (tcp_syn_unacked(c)) {
		text--;
		tcp_established(t, c);
	}
	tcp_rtt_on_ack(t, c, seg);
	if (c->fin_queued && !c->fin_acked && seq_gt(seg->ack, tcp_fin_seq(c))) {
		c->fin_acked = true;
		text--;
	}
	stream_consume(&c->tx, &t->frames, text);
	c->snd.una = seg->ack;
	c->soft_error = 0;			/* whatever ICMP said, the path works */
	c->snd.nxt = seq_max(c->snd.nxt, c->snd.una);
	tcp_pmtu_on_ack(t, c);
	c->rtt.probes = 0;
	c->owed.retransmit = c->owed.probe = false;
	tcp_timer_disarm(t, c, TAPIR_TIMER_PERSIST);	/* output arms it again if it must */
	if (c->loss.fast && seq_geq(seg->ack, c->loss.recover))
		full_ack(c);
	else if (c->loss.fast)
		partial_ack(t, c, acked);
	else if (c->cwnd_limited)
		c->cc.ops->on_ack(&c->cc, c->snd.mss, text);
	if (!c->loss.fast)
		c->loss.dup_acks = 0;
	restart_rto(t, c);
	tcp_say_cc(t, c, "new data acknowledged (RFC 5681 3.1)");
	tcp_tune_sndbuf(t, c, seq_sub(c->snd.max, c->snd.una) + acked);
	if (text)
		tcp_conn_notify(t, c);
}

void tcp_on_dup_ack(struct tapir *t, struct tcp_conn *c)
{
	if (c->loss.fast) {			/* RFC 5681 3.2 step 4: a segment has left the network */
		c->cc.cwnd += c->snd.mss;
		return;
	}
	if (c->loss.dup_acks < DUP_ACK_THRESHOLD)
		c->loss.dup_acks++;
	if (c->loss.dup_acks < DUP_ACK_THRESHOLD || seq_leq(c->snd.una, c->loss.recover))
		return;				/* RFC 6582 3.2 step 2: not again for the same flight */
	if (tcp_pmtu_on_loss(t, c, c->snd.una, c->snd.mss)) {
		c->snd.nxt = c->snd.una;
		c->loss.recover = c->snd.max;
		c->loss.dup_acks = 0;
		return;
	}
	c->loss.fast = true;
	c->loss.partial = false;
	c->loss.recover = c->snd.max;
	c->rtt.timed_at_us = USEC_NEVER;
	/* RFC 5681 3.2: without what limited transmit added. */
	c->cc.ops->on_loss(&c->cc, c->snd.mss, min_u32(tcp_flight(c), c->cc.cwnd));
	c->cc.cwnd += DUP_ACK_THRESHOLD * c->snd.mss;
	owe_retransmission(t, c, "RFC 5681 3.2: third duplicate ACK");
	tcp_say_cc(t, c, "RFC 5681 3.2: fast retransmit");
}

/* Everything unacknowledged counts as lost; NXT goes back and slow start sends it again. */
void tcp_on_rto(struct tapir *t, struct tcp_conn *c)
{
	tcp_pmtu_on_rto(t, c);
	if (!tcp_syn_unacked(c))
		c->cc.ops->on_rto(&c->cc, c->snd.mss, seq_sub(c->snd.max, c->snd.una), c->rtt.backoff > 1);
	c->loss.fast = c->loss.partial = false;
	c->loss.dup_acks = 0;
	c->loss.recover = c->snd.max;		/* RFC 6582 3.2 step 4 */
	c->snd.nxt = c->snd.una;
	c->owed.retransmit = false;
	c->owed.why = "RFC 6298 5.4: retransmission timeout";
	tcp_say_cc(t, c, "RFC 5681 3.1: retransmission timeout");
	tcp_ready(t, c);
}
