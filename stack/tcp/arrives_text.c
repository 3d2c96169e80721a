/* arrives_text.c: SEGMENT ARRIVES, Other States, seventh: process the segment text (RFC 9293 3.10.7.4), and when it is
 * acknowledged (3.8.6.3). Text in order goes to c->rx, text beyond a hole to reass.c. */
#include "internal.h"

/* RFC 9293 3.8.6.3: at least every second full-sized segment (SHLD-19), and within 0.5 s (MUST-40). */
static void schedule_ack(struct tapir *t, struct tcp_conn *c)
{
	if (c->rcv.quick) {
		c->rcv.quick--;
		tcp_owe_ack(t, c, "the first segments are acknowledged at once (RFC 5681 4.2 allows it)");
	} else if (t->cfg.delack_us == 0 || c->rcv.unacked >= 2u * c->rcv.mss) {
		tcp_owe_ack(t, c, "RFC 9293 3.8.6.3 (SHLD-19): the second full-sized segment");
	} else if (!tcp_timer_is_armed(c, TAPIR_TIMER_DELACK)) {
		tcp_timer_arm(t, c, TAPIR_TIMER_DELACK, t->now_us + t->cfg.delack_us);
	}
}

static void take_in_order_text(struct tapir *t, struct tcp_conn *c, struct tcp_arrival *a)
{
	uint32_t n = (uint32_t)a->seg.text.n, got = n, segment = min_u32(n, tcp_segment_text(a));
	seq_t before = c->rcv.nxt;
	bool filled = false;

	c->rcv.mss = (uint16_t)max_u32(c->rcv.mss, min_u32(segment, (uint32_t)t->cfg.mtu - IPV4_HEADER - TCP_HEADER));
	if (!c->rcv_shutdown)
		got = tcp_store_in_order(t, c, a);
	c->rcv.nxt = seq_add(c->rcv.nxt, got);
	c->rcv.unacked += got;
	tcp_tune_on_text(t, c, &a->seg);
	if (c->pieces)
		filled = tcp_reass_deliver(t, c);
	if (tcp_wraps(c->irs, before, c->rcv.nxt))
		c->rcv.wraps++;
	if (got < n)
		a->verdict = DROP_NO_MEMORY;
	if (filled || c->pieces || got < n)
		tcp_owe_ack(t, c, "RFC 5681 4.2: text that fills a hole is acknowledged at once");
	else
		schedule_ack(t, c);
	if (c->rcv_shutdown)	/* thrown away is consumed */
		tcp_receive_consume(t, c, 0);
	tcp_conn_notify(t, c);
}

static void take_later_text(struct tapir *t, struct tcp_conn *c, struct tcp_arrival *a)
{
	/* Of segments that were joined, too: without SACK their number is all that the sender learns. */
	uint32_t n = c->sack_on ? 1 : min_u32(tcp_segments(a), UINT8_MAX);

	if (a->seg.flags & TCP_FIN) {
		c->have_fin = true;
		c->rcv.fin = seq_add(a->seg.seq, (uint32_t)a->seg.text.n);
	}
	a->verdict = tcp_reass_insert(t, c, a);
	for (; n; n--)
		tcp_owe_dup_ack(t, c, "RFC 5681 4.2: out-of-order text, one duplicate ACK for each");
}

/* The program has closed and nobody will read: RFC 9293 3.6.1, RFC 1122 4.2.2.13 (SHLD-3). */
static bool nobody_reads(const struct tcp_conn *c)
{
	return !c->owner && !c->listener && (c->state == TCP_FIN_WAIT_1 || c->state == TCP_FIN_WAIT_2);
}

bool tcp_seventh_process_text(struct tapir *t, struct tcp_conn *c, struct tcp_arrival *a)
{
	switch (c->state) {
	case TCP_ESTABLISHED: case TCP_FIN_WAIT_1: case TCP_FIN_WAIT_2:
		break;
	case TCP_CLOSE_WAIT: case TCP_CLOSING: case TCP_LAST_ACK: case TCP_TIME_WAIT:
		return true;	/* "This should not occur": ignored */
	case TCP_SYN_RCVD: case TCP_CLOSED: case TCP_LISTEN: case TCP_SYN_SENT:
		assert(false);
	}
	if (a->seg.text.n && nobody_reads(c)) {
		tcp_reset_conn(t, c, c->snd.max);
		tcp_conn_end(t, c, 0, "RFC 9293 3.6.1: text for nobody");
		a->verdict = DROP_TCP_CLOSED_BY_USER;
		return false;
	}
	tcp_ecn_on_text(t, c, a);
	if (!seq_eq(a->seg.seq, c->rcv.nxt)) {
		if (a->seg.text.n || a->seg.flags & TCP_FIN)
			take_later_text(t, c, a);
		return true;
	}
	if (a->seg.flags & TCP_FIN) {
		c->have_fin = true;
		c->rcv.fin = seq_add(a->seg.seq, (uint32_t)a->seg.text.n);
	}
	if (a->seg.text.n)
		take_in_order_text(t, c, a);
	return true;
}
