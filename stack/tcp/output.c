/* output.c: decides whether a segment exists, and which (RFC 9293 3.8.6). Everything else only notes what is owed and puts
 * the connection on the ready list; tcp_output_next serves that list in turn, one frame at a time.
 *
 * A segment is planned first (plan_*: what and why), then built in place (emit), then accounted for (sent). The order of
 * plans is: what was lost, duplicate ACKs, new text within both windows, probes, and last an ACK that found no segment to
 * ride on (MUST-58, MUST-59: after everything that arrived was processed). */
#include "internal.h"

#define GSO_TEXT_MAX (65535u - IPV4_HEADER - TCP_HEADER_MAX)	/* an IP datagram, before the kernel or the NIC cuts it up */
#define IP_TCP_HEADERS (IPV4_HEADER + TCP_HEADER)
#define SACK_OPTION(blocks) (4u + 8u * (blocks))	/* bytes, padded (RFC 2018 3) */

struct plan {
	seq_t at;
	uint32_t len;			/* text bytes */
	uint8_t flags;
	bool stay;			/* a probe: SND.NXT stays where it is */
	bool larger;			/* than SND.MSS, and one segment: pmtu.c's probe */
	const char *why;
};

void tcp_ready(struct tapir *t, struct tcp_conn *c)
{
	struct tcp *tcp = t->tcp;

	if (c->is_ready)
		return;
	c->is_ready = true;
	c->ready_next = NULL;
	c->ready_prev = tcp->ready_last;
	*(tcp->ready_last ? &tcp->ready_last->ready_next : &tcp->ready) = c;
	tcp->ready_last = c;
}

void tcp_unready(struct tapir *t, struct tcp_conn *c)
{
	struct tcp *tcp = t->tcp;

	if (!c->is_ready)
		return;
	c->is_ready = false;
	*(c->ready_prev ? &c->ready_prev->ready_next : &tcp->ready) = c->ready_next;
	*(c->ready_next ? &c->ready_next->ready_prev : &tcp->ready_last) = c->ready_prev;
}

void tcp_owe_ack(struct tapir *t, struct tcp_conn *c, const char *why)
{
	c->owed.ack = true;
	c->owed.why = why;
	tcp_say_owed(t, c, why);
	tcp_ready(t, c);
}

void tcp_owe_dup_ack(struct tapir *t, struct tcp_conn *c, const char *why)
{
	if (c->owed.dup_acks < UINT8_MAX)
		c->owed.dup_acks++;
	c->owed.why = why;
	tcp_say_owed(t, c, why);
	tcp_ready(t, c);
}

void tcp_owe_challenge_ack(struct tapir *t, struct tcp_conn *c, const char *why)
{
	if (t->now_us - t->tcp->challenge.window_us >= TAPIR_SEC || !t->tcp->challenge.window_us) {
		t->tcp->challenge.window_us = max_usec(t->now_us, 1);
		t->tcp->challenge.left = t->cfg.challenge_acks;
	}
	if (!t->tcp->challenge.left)
		return;
	t->tcp->challenge.left--;
	tcp_owe_dup_ack(t, c, why);
}

/* --- what may be sent ------------------------------------------------------------------------------------------- */

uint32_t tcp_window_to_offer(const struct tcp_conn *c)
{
	uint32_t unread = c->rx.bytes, space = c->rcvbuf > unread ? c->rcvbuf - unread : 0;
	uint32_t limit = 65535u << c->rcv.shift, old = seq_gt(c->rcv.adv, c->rcv.nxt) ? seq_sub(c->rcv.adv, c->rcv.nxt) : 0;

	space = min_u32(space, limit);
	/* RFC 9293 3.8.6.2.2 (MUST-39): the edge moves by a segment or half the buffer, or not at all; never back (SHLD-14). */
	if (space < old || space - old < min_u32(c->rcvbuf / 2, c->rcv.mss_offered))
		return old;
	return space;
}

static uint32_t send_window_left(const struct tcp_conn *c, uint32_t window)
{
	uint32_t flight = tcp_flight(c);

	return window > flight ? window - flight : 0;
}

/* SACK blocks that the next segment will carry: all that RFC 2018 3 has room for, but at most half of a small segment. */
static uint8_t sack_block_count(const struct tcp_conn *c)
{
	uint32_t n = c->ts_on ? 3 : TCP_SACK_BLOCKS;

	while (n && SACK_OPTION(n) > c->snd.mss / 2u)
		n--;
	return (uint8_t)(c->sack_on ? min_u32(n, c->piece_count) : 0);
}

/* Text bytes of a full segment just now: what SACK blocks take comes out of the MSS (RFC 6691 2). */
static uint32_t segment_text_max(const struct tcp_conn *c)
{
	uint32_t blocks = sack_block_count(c);

	return c->snd.mss - (blocks ? SACK_OPTION(blocks) : 0);
}

/* Bytes one frame may carry: a segment, or as many whole ones as the driver cuts up. */
static uint32_t frame_text_max(const struct tapir *t, const struct tcp_conn *c)
{
	uint32_t segment = segment_text_max(c);

	return t->cfg.offload.tso4 ? GSO_TEXT_MAX / segment * segment : segment;
}

/* RFC 9293 3.7.4 (SHLD-7): a short segment waits while anything is unacknowledged. */
static bool nagle_holds(const struct tapir *t, const struct tcp_conn *c)
{
	return t->cfg.nagle && !c->nodelay && !c->fin_queued && tcp_flight(c) > 0 && seq_geq(c->snd.nxt, c->snd.max);
}

/* RFC 5681 3.2 step 1, RFC 3042 2: the first two duplicate ACKs each let a segment more out, if it is new text. */
static uint32_t congestion_window(const struct tcp_conn *c)
{
	bool limited_transmit = !c->loss.fast && seq_geq(c->snd.nxt, c->snd.max);

	return c->cc.cwnd + (limited_transmit ? min_u32(c->loss.dup_acks, 2) * c->snd.mss : 0);
}

/* How much of `unsent` the sender's rules against silly windows let go now (RFC 9293 3.8.6.2.1, MUST-38). */
static uint32_t text_to_send(const struct tapir *t, const struct tcp_conn *c, uint32_t unsent)
{
	uint32_t usable = send_window_left(c, min_u32(c->snd.wnd, congestion_window(c)));
	uint32_t len = min_u32(min_u32(unsent, usable), frame_text_max(t, c));
	uint32_t segment = segment_text_max(c), whole = len / segment * segment;

	if (len < unsent || nagle_holds(t, c)) {
		if (whole)
			return whole;					/* (1) */
		if (len == unsent)
			return 0;					/* Nagle */
		/* (3); and what was sent before and the window has since shrunk to goes again (RFC 9293 3.8.6, SHLD-16) */
		return tcp_flight(c) == 0 && (len >= c->snd.max_wnd / 2 || seq_lt(c->snd.nxt, c->snd.max)) ? len : 0;
	}
	return len;							/* (2) */
}

/* --- plans ------------------------------------------------------------------------------------------------------ */

static bool plan_syn(const struct tcp_conn *c, struct plan *p)
{
	if (!tcp_syn_unacked(c) || !seq_eq(c->snd.nxt, c->iss))
		return false;
	*p = (struct plan){.at = c->iss, .flags = TCP_SYN, .why = "RFC 9293 3.5: handshake"};
	if (c->state != TCP_SYN_SENT)
		p->flags |= TCP_ACK;
	return true;
}

static bool fin_fits(const struct tcp_conn *c, const struct plan *p)
{
	return c->fin_queued && !c->fin_acked && seq_eq(seq_add(p->at, p->len), tcp_fin_seq(c));
}

/* The segment at SND.UNA again, whatever the windows say: it was sent before. */
static bool plan_retransmission(const struct tcp_conn *c, struct plan *p)
{
	uint32_t sent = seq_sub(c->snd.max, c->snd.una);

	if (!c->owed.retransmit || sent == 0 || tcp_syn_unacked(c))
		return false;
	*p = (struct plan){.at = c->snd.una, .len = min_u32(min_u32(c->tx.bytes, sent), segment_text_max(c)), .flags = TCP_ACK,
			   .stay = true, .why = c->owed.why};
	if (fin_fits(c, p) && p->len < sent)
		p->flags |= TCP_FIN;
	return p->len || p->flags & TCP_FIN;
}

/* RFC 9293 3.10.4 SYN-RECEIVED: with nothing to send before it, a FIN does not wait for the ACK of our SYN. */
static bool plan_early_fin(const struct tcp_conn *c, struct plan *p)
{
	if (!c->fin_queued || c->tx.bytes || !seq_eq(c->snd.nxt, tcp_fin_seq(c)))
		return false;
	*p = (struct plan){.at = c->snd.nxt, .flags = TCP_FIN | TCP_ACK, .why = "RFC 9293 3.10.4: CLOSE in SYN-RECEIVED"};
	return true;
}

/* True: text is due, as a probe, or as soon as there is room for one: then p is empty. */
static bool plan_mtu_probe(struct tapir *t, struct tcp_conn *c, struct plan *p, uint32_t unsent)
{
	uint32_t usable = send_window_left(c, min_u32(c->snd.wnd, c->cc.cwnd));
	uint32_t len = tcp_pmtu_probe_len(t, c, unsent, usable);

	if (!len)
		return false;
	c->cwnd_limited = true;
	p->len = len == PMTU_WAIT ? 0 : len;
	p->larger = p->len > 0;
	p->why = "RFC 4821 7.5: a probe of a larger path MTU";
	return true;
}

static bool plan_text(struct tapir *t, struct tcp_conn *c, struct plan *p)
{
	uint32_t offset = tcp_flight(c), unsent, left;

	if (tcp_syn_unacked(c))
		return plan_early_fin(c, p);
	unsent = c->tx.bytes > offset ? c->tx.bytes - offset : 0;
	if (unsent && offset == 0 && t->now_us - c->last_out_us > c->rtt.rto_us)	/* RFC 5681 4.1: idle too long */
		c->cc.cwnd = min_u32(c->cc.cwnd, (uint32_t)t->cfg.initial_window * c->snd.mss);
	*p = (struct plan){.at = c->snd.nxt, .flags = TCP_ACK, .why = "RFC 9293 3.8.6.2.1: text within the windows"};
	if (seq_lt(c->snd.nxt, c->snd.max))
		p->why = "RFC 6298 5.4, RFC 1191 6.4: again, what was lost or too large";
	if (plan_mtu_probe(t, c, p, unsent))
		return p->len;
	p->len = text_to_send(t, c, unsent);
	c->cwnd_limited = p->len < unsent && c->cc.cwnd < c->snd.wnd;
	left = send_window_left(c, c->snd.wnd);
	if (fin_fits(c, p) && left > p->len) {
		p->flags |= TCP_FIN;
		p->why = "RFC 9293 3.6: FIN behind the text";
	}
	return p->len || p->flags & TCP_FIN;
}

/* RFC 9293 3.8.6.1 (MUST-36): at least one byte of new text, or our FIN, into a window that is closed or too small. */
static bool plan_probe(const struct tcp_conn *c, struct plan *p)
{
	if (!c->owed.probe)
		return false;
	*p = (struct plan){.at = c->snd.una, .flags = TCP_ACK, .stay = c->snd.wnd == 0,
			   .why = c->snd.wnd ? "RFC 9293 3.8.6.2.1 (4): override timeout" : "RFC 9293 3.8.6.1: window probe"};
	p->len = min_u32(c->tx.bytes, max_u32(min_u32(c->snd.wnd, segment_text_max(c)), 1));
	if (c->tx.bytes == 0 && fin_fits(c, p))
		p->flags |= TCP_FIN;
	return p->len || p->flags & TCP_FIN;
}

/* RFC 9293 3.8.4: SEG.SEQ = SND.NXT-1 is outside the peer's window, so it must answer. */
static bool plan_keepalive(const struct tcp_conn *c, struct plan *p)
{
	if (!c->owed.keepalive)
		return false;
	*p = (struct plan){.at = seq(c->snd.max.n - 1), .flags = TCP_ACK, .stay = true, .why = "RFC 9293 3.8.4: keep-alive"};
	return true;
}

/* <SEQ=SND.NXT><ACK=RCV.NXT><CTL=ACK>; but where the window has closed over what was sent, a number that it contains. */
static bool plan_ack(const struct tcp_conn *c, struct plan *p)
{
	seq_t edge = seq_add(c->snd.una, c->snd.wnd + (tcp_syn_unacked(c) ? 1 : 0));

	if (!c->owed.ack && !c->owed.dup_acks)
		return false;
	*p = (struct plan){.at = seq_min(c->snd.max, edge), .flags = TCP_ACK, .stay = true, .why = c->owed.why};
	return true;
}

static bool plan_segment(struct tapir *t, struct tcp_conn *c, struct plan *p)
{
	if (plan_syn(c, p))
		return true;
	if (c->state == TCP_SYN_SENT)
		return false;
	if (plan_retransmission(c, p))
		return true;
	if (c->owed.dup_acks)
		return plan_ack(c, p);
	return plan_text(t, c, p) || plan_probe(c, p) || plan_keepalive(c, p) || plan_ack(c, p);
}

/* --- building --------------------------------------------------------------------------------------------------- */

static void syn_options(const struct tapir *t, const struct tcp_conn *c, struct tcp_options *opt)
{
	bool first = c->state == TCP_SYN_SENT;		/* we offer; in SYN-RECEIVED we agree */

	opt->mss = (uint16_t)(t->cfg.mtu - IP_TCP_HEADERS);
	opt->has_wscale = first ? t->cfg.window_scale : c->ws_on;
	opt->wscale = c->rcv.shift;
	opt->sack_permitted = first ? t->cfg.sack : c->sack_on;
	opt->has_ts = first ? t->cfg.timestamps : c->ts_on;
}

static void segment_options(const struct tapir *t, const struct tcp_conn *c, struct tcp_seg *seg)
{
	if (seg->flags & TCP_SYN)
		syn_options(t, c, &seg->opt);
	else
		seg->opt.has_ts = c->ts_on;
	if (seg->opt.has_ts) {
		seg->opt.ts_val = tcp_ts_now(t, c);
		seg->opt.ts_ecr = c->ts.recent;
	}
	if (sack_block_count(c) && !(seg->flags & TCP_SYN))
		seg->opt.sack_count = tcp_sack_blocks(c, seg->opt.sack, sack_block_count(c));
}

static uint16_t window_field(const struct tcp_conn *c, uint8_t flags)
{
	uint32_t wnd = tcp_rcv_wnd(c);

	return (uint16_t)min_u32(flags & TCP_SYN ? wnd : wnd >> c->rcv.shift, 65535);
}

/* The edge moves by whole units of the scaled field, so that it is where the peer sees it. What is left of the window
 * later need not be a whole number of them: the field then says a little less, and text up to the edge is still taken
 * (RFC 7323 2.4). */
static void move_window(const struct tapir *t, struct tcp_conn *c, uint8_t flags)
{
	uint32_t offer = tcp_window_to_offer(c) >> c->rcv.shift << c->rcv.shift;

	c->rcv.mss_offered = (uint16_t)(t->cfg.mtu - IP_TCP_HEADERS);
	if (c->state == TCP_SYN_SENT)
		tcp_set_shift(t, c);
	if (flags & TCP_SYN)
		c->rcv.adv = seq_add(c->rcv.nxt, min_u32(c->rcvbuf, 65535));
	else
		c->rcv.adv = seq_max(c->rcv.adv, seq_add(c->rcv.nxt, offer));
}

static void add_text(const struct tcp_conn *c, struct plan *p, struct tapir_out *out)
{
	uint32_t got = 0;
	int n;

	if (!p->len)
		return;
	n = stream_slice(&c->tx, seq_sub(p->at, c->snd.una), p->len, out->slices, TAPIR_OUT_SLICES, &got);
	out->slice_count = (uint16_t)n;
	out->len += got;
	if (got < p->len)		/* more pieces than slices: the rest goes with the next frame */
		p->flags &= (uint8_t)~TCP_FIN;
	p->len = got;
	if (seq_eq(seq_add(p->at, got), tcp_fin_seq(c)))
		p->flags |= TCP_PSH;	/* RFC 9293 3.9.1.2 (MUST-60): the last of what the user has sent */
}

static void emit(struct tapir *t, struct tcp_conn *c, struct plan *p, struct tapir_out *out)
{
	struct tcp_seg seg = {.src_port = c->local.port, .dst_port = c->peer.port, .seq = p->at};
	uint64_t sum;
	uint16_t header;
	uint8_t *bytes;

	out_begin(out);
	add_text(c, p, out);
	move_window(t, c, p->flags);
	seg.flags = p->flags;
	seg.ack = p->flags & TCP_ACK ? c->rcv.nxt : seq(0);
	seg.wnd = window_field(c, p->flags);
	seg.len = p->len + (p->flags & TCP_SYN ? 1 : 0) + (p->flags & TCP_FIN ? 1 : 0);
	segment_options(t, c, &seg);
	header = tcp_header_len(&seg);
	bytes = out_push(out, header);
	tcp_emit(&seg, bytes);
	sum = checksum_pseudo(&c->local.addr, &c->peer.addr, IP_PROTO_TCP, header + p->len);
	put_be16(bytes + TCP_CHECKSUM_AT, checksum_fold(sum));
	out->offload.csum = TAPIR_CSUM_PARTIAL;
	out->offload.csum_start = 0;
	out->offload.csum_offset = TCP_CHECKSUM_AT;
	if (p->len > segment_text_max(c) && !p->larger) {
		out->offload.gso = TAPIR_GSO_TCP4;
		out->offload.gso_size = (uint16_t)segment_text_max(c);
		out->offload.hdr_len = header;
	}
	tcp_say_segment(t, c, &seg, seq_lt(p->at, c->snd.max) && seg.len ? TAPIR_EV_RETRANSMIT : TAPIR_EV_SEGMENT_OUT, p->why);
}

/* --- accounting ------------------------------------------------------------------------------------------------- */

static void sent_ack(struct tapir *t, struct tcp_conn *c, bool pure)
{
	if (pure && c->owed.dup_acks)
		c->owed.dup_acks--;
	c->owed.ack = false;
	c->rcv.unacked = 0;
	c->ts.last_ack_sent = c->rcv.nxt;
	tcp_timer_disarm(t, c, TAPIR_TIMER_DELACK);
}

static void arm_after_text(struct tapir *t, struct tcp_conn *c)
{
	if (c->snd.wnd == 0 && !tcp_syn_unacked(c))
		return;			/* the persist timer is at work */
	if (!tcp_timer_is_armed(c, TAPIR_TIMER_RTO))	/* RFC 6298 5.1 */
		tcp_timer_arm(t, c, TAPIR_TIMER_RTO, t->now_us + c->rtt.rto_us);
}

static void sent_text(struct tapir *t, struct tcp_conn *c, const struct plan *p, uint32_t len)
{
	seq_t end = seq_add(p->at, len);

	if (seq_lt(p->at, c->snd.max)) {
		c->total_retrans++;
		c->rtt.timed_at_us = USEC_NEVER;	/* Karn (RFC 6298 3) */
	} else if (c->rtt.timed_at_us == USEC_NEVER && !p->stay) {
		c->rtt.timed_at_us = t->now_us;
		c->rtt.timed_seq = p->at;
	}
	if (seq_gt(end, c->snd.max)) {
		c->snd.max = end;
		tcp_pmtu_sent(t, c, p->at, p->len, p->larger);
	}
	if (!p->stay)
		c->snd.nxt = end;
	c->last_out_us = t->now_us;
	arm_after_text(t, c);
}

static void sent(struct tapir *t, struct tcp_conn *c, const struct plan *p)
{
	uint32_t len = p->len + (p->flags & TCP_SYN ? 1 : 0) + (p->flags & TCP_FIN ? 1 : 0);

	if (p->flags & TCP_ACK)
		sent_ack(t, c, len == 0);
	if (!len) {
		c->owed.keepalive = false;
		return;
	}
	c->owed.probe = false;
	if (p->stay)
		c->owed.retransmit = false;
	sent_text(t, c, p, len);
}

/* Something waits, and nothing that was sent will bring an answer: the persist timer is the override of RFC 9293 3.8.6.2.1
 * (4) and the clock of 3.8.6.1. */
static void wait_for_window(struct tapir *t, struct tcp_conn *c)
{
	bool waiting = c->tx.bytes || (c->fin_queued && !c->fin_acked);

	if (!waiting || tcp_syn_unacked(c))
		return;
	if (!tcp_timer_is_armed(c, TAPIR_TIMER_RTO) && !tcp_timer_is_armed(c, TAPIR_TIMER_PERSIST))
		tcp_timer_arm(t, c, TAPIR_TIMER_PERSIST, t->now_us + c->rtt.rto_us);
}

/* One frame for c, if it has anything to say. */
static bool tcp_output(struct tapir *t, struct tcp_conn *c, struct tapir_out *out)
{
	struct ip_how how = {.src = c->local.addr, .dst = c->peer.addr, .proto = IP_PROTO_TCP, .ttl = c->ttl, .tos = c->tos,
			     .df = true};
	struct plan p;
	enum tapir_verdict v;

	tcp_pmtu_refresh(t, c);
	while (plan_segment(t, c, &p)) {
		emit(t, c, &p, out);
		sent(t, c, &p);
		v = ip_output(t, out, &how);
		if (v == ACCEPT)
			return true;
		if (v == DROP_IP_NEEDS_FRAGMENT) {	/* the path has shrunk: the segment is lost, the next is smaller */
			tcp_update_mss(t, c);
			c->snd.nxt = c->snd.una;
		}
	}
	wait_for_window(t, c);
	return false;
}

int tcp_output_next(struct tapir *t, struct tapir_out *out)
{
	struct tcp_conn *c;

	while ((c = t->tcp->ready)) {
		bool one = tcp_output(t, c, out);

		tcp_unready(t, c);
		if (!one)
			continue;
		tcp_ready(t, c);	/* to the end of the list: it may have more, the others come first */
		return 1;
	}
	return 0;
}
