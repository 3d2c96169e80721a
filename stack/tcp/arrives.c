/* arrives.c: SEGMENT ARRIVES (RFC 9293 3.10.7): parses a segment, finds its connection or listener, and treats the states
 * that have no synchronized peer: CLOSED (3.10.7.1) and SYN-SENT (3.10.7.3). LISTEN is in listen.c, the rest in
 * arrives_other.c. Nothing here sends: it changes state and notes what is owed. */
#include "internal.h"

/* RFC 9293 3.10.7.1 */
static enum tapir_verdict arrives_closed(struct tapir *t, struct tcp_arrival *a)
{
	tcp_reset_for(t, a->pkt, &a->seg);
	return DROP_TCP_CLOSED;
}

/* First: an ACK must be for our SYN. */
static bool syn_sent_check_ack(struct tapir *t, struct tcp_conn *c, struct tcp_arrival *a)
{
	if (!(a->seg.flags & TCP_ACK) || (seq_gt(a->seg.ack, c->iss) && seq_leq(a->seg.ack, c->snd.max)))
		return true;
	tcp_reset_for(t, a->pkt, &a->seg);
	a->verdict = DROP_TCP_SYN_SENT_ACK;
	return false;
}

/* Second: a RST counts only with an acceptable ACK (the first step has looked at it). */
static bool syn_sent_check_rst(struct tapir *t, struct tcp_conn *c, struct tcp_arrival *a)
{
	if (!(a->seg.flags & TCP_RST))
		return true;
	if (a->seg.flags & TCP_ACK)
		tcp_conn_end(t, c, TAPIR_ECONNREFUSED, "RFC 9293 3.10.7.3 second: a RST refuses our SYN");
	else
		a->verdict = DROP_TCP_SYN_SENT_RST;
	return false;
}

static void syn_sent_take_syn(struct tapir *t, struct tcp_conn *c, struct tcp_arrival *a)
{
	c->irs = a->seg.seq;
	c->rcv.nxt = c->rcv.adv = seq_add(a->seg.seq, 1);
	/* What our SYN offered is the window until the next segment leaves (RFC 7323 2.2: a SYN's window has no shift). */
	c->rcv.adv = seq_add(c->rcv.nxt, min_u32(tcp_window_limit(c), 65535));
	tcp_take_syn_options(t, c, &a->seg);
	c->snd.wnd = c->snd.max_wnd = a->seg.wnd;
	c->snd.wl1 = a->seg.seq;
	c->snd.wl2 = a->seg.ack;
}

/* Fourth: their SYN. With an ACK of ours the connection is open; without, the SYNs crossed (figure 7). */
static enum tapir_verdict syn_sent_check_syn(struct tapir *t, struct tcp_conn *c, struct tcp_arrival *a)
{
	syn_sent_take_syn(t, c, a);
	if (!(a->seg.flags & TCP_ACK)) {
		tcp_set_state(t, c, TCP_SYN_RCVD, "RFC 9293 3.10.7.3 fourth: the SYNs crossed");
		c->snd.nxt = c->iss;		/* <SEQ=ISS><ACK=RCV.NXT><CTL=SYN,ACK> */
		tcp_ready(t, c);
		return ACCEPT;
	}
	tcp_set_state(t, c, TCP_ESTABLISHED, "RFC 9293 3.10.7.3 fourth: our SYN is acknowledged");
	tcp_fastopen_syn_ack_arrives(t, c, &a->seg);
	tcp_on_ack(t, c, &a->seg, false);
	tcp_owe_ack(t, c, "RFC 9293 3.10.7.3 fourth: the handshake's third segment");
	tcp_conn_notify(t, c);
	/* The segment without its SYN goes on at the sixth step (MUST-58: one ACK for all of it). */
	tcp_seg_skip(&a->seg, 1);
	a->seg.flags &= (uint8_t)~(TCP_SYN | TCP_ECE | TCP_CWR);
	return tcp_arrives_from_sixth(t, c, a);
}

/* RFC 9293 3.10.7.3 */
static enum tapir_verdict arrives_syn_sent(struct tapir *t, struct tcp_conn *c, struct tcp_arrival *a)
{
	if (!syn_sent_check_ack(t, c, a) || !syn_sent_check_rst(t, c, a))
		return a->verdict;
	/* Third: security and compartment: IP carries none here (RFC 9293 A.1). */
	if (a->seg.flags & TCP_SYN)
		return syn_sent_check_syn(t, c, a);
	return DROP_TCP_SYN_SENT_NO_SYN;	/* fifth */
}

static enum tapir_verdict segment_arrives(struct tapir *t, struct tcp_conn *c, struct tcp_arrival *a)
{
	c->last_in_us = t->now_us;
	c->segs_in += tcp_segments(a);
	c->rtt.keepalives = 0;		/* any segment answers a probe (RFC 9293 3.8.4) */
	tcp_say_segment(t, c, &a->seg, TAPIR_EV_SEGMENT_IN, "RFC 9293 3.10.7");
	if (c->state == TCP_SYN_SENT)
		return arrives_syn_sent(t, c, a);
	return tcp_arrives_other(t, c, a);
}

static struct tcp_tuple tuple_of(const struct tapir *t, const struct ip_packet *pkt, const struct tcp_seg *seg)
{
	struct tapir_endpoint local = {pkt->dst, seg->dst_port}, peer = {pkt->src, seg->src_port};

	return tcp_tuple(t, &local, &peer);
}

enum tapir_verdict tcp_input(struct tapir *t, const struct ip_packet *pkt)
{
	struct tcp_arrival a = {.pkt = pkt, .verdict = ACCEPT};
	struct tcp_bound *b;
	struct tcp_conn *c;
	struct tcp_mini *m;
	enum tapir_verdict v;

	if (pkt->group)
		return DROP_TCP_BROADCAST;
	v = tcp_parse(pkt->payload, &pkt->src, &pkt->dst, pkt->checked, &a.seg);
	if (v != ACCEPT)
		return v;
	t->stats.tcp_segs_in += tcp_segments(&a);
	a.tuple = tuple_of(t, pkt, &a.seg);
	c = tcp_demux(t, &a.tuple);
	m = c ? NULL : tcp_mini_find(t, &a.tuple);
	if (m && !(c = tcp_mini_unfold(t, m)))
		return DROP_NO_MEMORY;
	if (c && tcp_time_wait_yields(c, &a.seg)) {
		a.has_floor = true;
		a.iss_floor = c->snd.max;
		b = tcp_bound_listening(t, &a.tuple.local);
		if (b) {
			tcp_conn_end(t, c, 0, "RFC 6191 2: a SYN that is new ends TIME-WAIT");
			return tcp_arrives_listen(t, b, &a);
		}
	}
	if (c)
		return segment_arrives(t, c, &a);
	b = tcp_bound_listening(t, &a.tuple.local);
	return b ? tcp_arrives_listen(t, b, &a) : arrives_closed(t, &a);
}
