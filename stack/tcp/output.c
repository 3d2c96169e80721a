/* output.c: decides whether a segment exists, and which (RFC 9293 3.8.6). Everything else only notes what is owed and puts
 * the connection on the ready list; tcp_output_next serves that list in turn, one frame at a time.
 *
 * A segment is planned first (plan_*: what and why), then built in place (emit), then accounted for (sent). The order of
 * plans is: what was lost, duplicate ACKs, new text within both windows, probes, and last an ACK that found no segment to
 * ride on (MUST-58, MUST-59: after everything that arrived was processed). */
#include "internal.h"
#include "pace.h"

#define GSO_TEXT_MAX (65535u - IPV4_HEADER - TCP_HEADER_MAX)	/* an IP datagram, before the kernel or the NIC cuts it up */
#define IP_TCP_HEADERS (IPV4_HEADER + TCP_HEADER)
#define SACK_OPTION(blocks) (4u + 8u * (blocks))	/* bytes, padded (RFC 2018 3) */

struct plan {
	seq_t at;
	uint32_t len;			/* text bytes */
	uint8_t flags;
	bool tlp;			/* a tail loss probe */
	bool larger;			/* than SND.MSS, and one segment: pmtu.c's probe */
	struct tcp_sent *again;		/* what it sends again; NULL: something new, or nothing that counts */
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

/* --- what may be sent ------------------------------------------------------------------------------------------- */

uint32_t tcp_window_to_offer(const struct tcp_conn *c)
{
	uint32_t unread = c->rx.bytes, space = c->rcvbuf > unread ? c->rcvbuf - unread : 0;
	uint32_t limit = min_u32(65535u << c->rcv.shift, tcp_window_limit(c));
	uint32_t old = seq_gt(c->rcv.adv, c->rcv.nxt) ? seq_sub(c->rcv.adv, c->rcv.nxt) : 0;

	space = min_u32(space, limit);
	/* RFC 9293 3.8.6.2.2 (MUST-39): the edge moves by a segment or half the buffer, or not at all; never back (SHLD-14). */
	if (space < old || space - old < min_u32(tcp_window_limit(c) / 2, c->rcv.mss_offered))
		return old;
	return space;
}

static uint32_t left(uint32_t window, uint32_t used) { return window > used ? window - used : 0; }

/* A SYN that is under way takes no room from the text of an early answer (RFC 7413 4.2.2). */
static uint32_t syn_out(const struct tcp_conn *c) { return tcp_syn_unacked(c) ? 1 : 0; }

/* The peer's window counts all that is not acknowledged; ours only what is still in the network. */
static uint32_t send_window_left(const struct tcp_conn *c) { return left(c->snd.wnd, left(tcp_flight(c), syn_out(c))); }
static uint32_t congestion_window_left(const struct tcp_conn *c) { return left(c->cc.cwnd, left(tcp_pipe(c), syn_out(c))); }

/* SACK blocks that the next segment will carry: all that RFC 2018 3 has room for, but at most half of a small segment. */
static uint8_t sack_block_count(const struct tcp_conn *c)
{
	uint32_t n = c->ts_on ? 3 : TCP_SACK_BLOCKS;

	while (n && SACK_OPTION(n) > c->snd.mss / 2u)
		n--;
	return (uint8_t)(c->sack_on ? min_u32(n, c->piece_count + (tcp_dsack_waits(c) ? 1u : 0u)) : 0);
}

/* Text bytes of a full segment just now: what SACK blocks take comes out of the MSS (RFC 6691 2). */
static uint32_t segment_text_max(const struct tcp_conn *c)
{
	uint32_t blocks = sack_block_count(c);

	return c->snd.mss - (blocks ? SACK_OPTION(blocks) : 0);
}

static uint64_t pacing_rate(const struct tapir *t, const struct tcp_conn *c)
{
	return c->sender ? tcp_pace_rate(c->sender, &c->cc, c->rtt.srtt_us, t->cfg.pacing) : 0;
}

/* Text that pacing lets go now; 0: not before the timer. */
static uint32_t pace_room(const struct tapir *t, const struct tcp_conn *c)
{
	uint64_t rate = pacing_rate(t, c);

	return rate ? tcp_pace_room(c->sender, rate, segment_text_max(c), t->now_us) : UINT32_MAX;
}

/* Bytes one frame may carry: a segment, or as many whole ones as the driver cuts up and pacing lets go. */
static uint32_t frame_text_max(const struct tapir *t, const struct tcp_conn *c)
{
	uint32_t segment = segment_text_max(c);
	uint32_t most = min_u32(GSO_TEXT_MAX, max_u32(pace_room(t, c), segment));

	return t->cfg.offload.tso4 && !tcp_ecn_owes_cwr(c) ? most / segment * segment : segment;
}

/* Where `at` lies in c->tx: our SYN takes a place of the sequence space, but none there. */
static uint32_t text_offset(const struct tcp_conn *c, seq_t at)
{
	uint32_t from_una = seq_sub(at, c->snd.una);

	return from_una - (from_una && tcp_syn_unacked(c) ? 1 : 0);
}

/* RFC 9293 3.7.4 (SHLD-7) and A.3: a short segment waits while another one is unacknowledged. The end of a write that is
 * longer than a segment does not wait for its beginning. */
static bool nagle_holds(const struct tapir *t, const struct tcp_conn *c)
{
	if (tcp_cork_holds(c))
		return true;
	return t->cfg.nagle && !c->nodelay && !c->fin_queued && text_offset(c, c->snd.max) > 0 && c->snd.short_out;
}

/* How much of `unsent` the sender's rules against silly windows let go now (RFC 9293 3.8.6.2.1, MUST-38). */
static uint32_t text_to_send(const struct tapir *t, const struct tcp_conn *c, uint32_t unsent)
{
	uint32_t usable = min_u32(send_window_left(c), congestion_window_left(c));
	uint32_t len = min_u32(min_u32(unsent, usable), frame_text_max(t, c));
	uint32_t segment = segment_text_max(c), whole = len / segment * segment;

	if (len < unsent || nagle_holds(t, c)) {
		if (whole)
			return whole;					/* (1) */
		if (len == unsent)
			return 0;					/* Nagle */
		return text_offset(c, c->snd.max) == 0 && len >= c->snd.max_wnd / 2 ? len : 0;	/* (3) */
	}
	return len;							/* (2) */
}

/* --- plans ------------------------------------------------------------------------------------------------------ */

static bool plan_syn(struct tapir *t, struct tcp_conn *c, struct plan *p)
{
	if (!tcp_syn_unacked(c) || !seq_eq(c->snd.nxt, c->iss) || tcp_fastopen_waits(c))
		return false;
	*p = (struct plan){.at = c->iss, .flags = TCP_SYN, .why = "RFC 9293 3.5: handshake"};
	if (c->state != TCP_SYN_SENT)
		p->flags |= TCP_ACK;
	else if (tcp_fastopen_syn_text(c) && tcp_sender_has_room(t, c))
		p->len = tcp_fastopen_syn_text(c);
	if (p->len)
		p->why = "RFC 7413 4.2.1: text on the SYN, with the peer's cookie";
	return true;
}

static bool fin_fits(const struct tcp_conn *c, const struct plan *p)
{
	return c->fin_queued && !c->fin_acked && seq_eq(seq_add(p->at, p->len), tcp_fin_seq(c));
}

/* Losses that lie side by side go in as few frames as fit. */
static void gather_lost(struct tapir *t, const struct tcp_conn *c, struct tcp_sent *r)
{
	uint32_t enough = frame_text_max(t, c);

	while (tcp_sent_len(r) < enough && r->next && r->next->state == SENT_LOST)
		tcp_sent_merge_next(t, c->sender, r);
}

/* What r stands for: itself; and if it is less than a segment and the last, what was never sent fills the segment up. */
static uint32_t length_wanted(const struct tcp_conn *c, const struct tcp_sent *r)
{
	uint32_t len = tcp_sent_len(r), segment = segment_text_max(c);
	seq_t queued = seq_add(tcp_fin_seq(c), c->fin_queued);

	if (r->next || len >= segment)
		return len;
	return min_u32(len + seq_sub(queued, c->snd.max), segment);
}

/* How much may go again: within the windows, but a whole segment at least if the congestion window is open at all. */
static uint32_t length_again(const struct tapir *t, const struct tcp_conn *c, const struct tcp_sent *r)
{
	uint32_t window = left(c->snd.wnd, seq_sub(r->start, c->snd.una)), segment = segment_text_max(c);
	uint32_t allowed = congestion_window_left(c) / segment * segment;

	return min_u32(min_u32(length_wanted(c, r), window), min_u32(frame_text_max(t, c), max_u32(allowed, segment)));
}

static void plan_again(const struct tcp_conn *c, struct plan *p, struct tcp_sent *r, uint32_t len)
{
	*p = (struct plan){.at = r->start, .len = len, .flags = TCP_ACK, .again = r};
	if (c->fin_queued && seq_gt(seq_add(r->start, len), tcp_fin_seq(c))) {
		p->flags |= TCP_FIN;
		p->len--;
	}
}

/* The first record that is LOST. */
static bool plan_retransmission(struct tapir *t, struct tcp_conn *c, struct plan *p)
{
	struct tcp_sent *r = c->sender ? tcp_sent_first_lost(c->sender) : NULL;
	uint32_t len;

	if (!r || tcp_syn_unacked(c) || !(congestion_window_left(c) || c->sender->force) || tcp_frto_holds(t, c))
		return false;
	gather_lost(t, c, r);
	len = length_again(t, c, r);
	if (!len)
		return false;
	plan_again(c, p, r, len);
	p->why = c->sender->why_lost;
	return true;
}

static uint32_t unsent_text(const struct tcp_conn *c)
{
	return left(c->tx.bytes, text_offset(c, c->snd.max));
}

bool tcp_has_new_segment(struct tapir *t, struct tcp_conn *c)
{
	uint32_t segment = segment_text_max(c);

	return unsent_text(c) >= segment && send_window_left(c) >= segment && congestion_window_left(c) >= segment &&
	       tcp_sender_has_room(t, c);
}

/* RFC 8985 7.3: new text if there is some, whatever cwnd says; else the last segment again. */
static bool plan_tlp(struct tapir *t, struct tcp_conn *c, struct plan *p)
{
	struct tcp_sender *s = c->sender;
	uint32_t segment = segment_text_max(c), len = min_u32(unsent_text(c), segment);
	struct tcp_sent *r = s ? s->last : NULL;

	if (!c->owed.tlp)
		return false;
	c->owed.tlp = false;
	if (!r || s->phase == PHASE_RECOVERY || s->phase == PHASE_LOSS || s->sacked || r->state != SENT_FLYING)
		return false;
	if (len && len <= send_window_left(c) && tcp_sender_has_room(t, c)) {
		*p = (struct plan){.at = c->snd.max, .len = len, .flags = TCP_ACK};
	} else {
		if (tcp_sent_len(r) > segment)
			r = tcp_sent_split(t, c, r, seq(r->end.n - segment));
		if (!r)
			return false;
		plan_again(c, p, r, tcp_sent_len(r));
	}
	p->tlp = true;
	p->why = "RFC 8985 7.3: tail loss probe";
	return true;
}

/* RFC 9293 3.10.4 SYN-RECEIVED: with nothing to send before it, a FIN does not wait for the ACK of our SYN. */
static bool plan_early_fin(struct tapir *t, struct tcp_conn *c, struct plan *p)
{
	if (!c->fin_queued || c->tx.bytes || !seq_eq(c->snd.nxt, tcp_fin_seq(c)) || !tcp_sender_has_room(t, c))
		return false;
	*p = (struct plan){.at = c->snd.nxt, .flags = TCP_FIN | TCP_ACK, .why = "RFC 9293 3.10.4: CLOSE in SYN-RECEIVED"};
	if (seq_lt(c->snd.nxt, c->snd.max))
		p->again = c->sender->first;
	return true;
}

/* RFC 5681 4.1: after an RTO of silence the window says nothing about the path any more. */
static void restart_after_idle(struct tapir *t, struct tcp_conn *c)
{
	usec_t idle_us = t->now_us - c->last_out_us;
	bool fresh = !c->sender->started;

	if (tcp_flight(c) || (!fresh && idle_us <= c->rtt.rto_us && !c->cc.ops->paces_itself))
		return;
	tcp_cc_start(t, c, c->snd.mss * (uint32_t)t->cfg.initial_window, idle_us > c->rtt.rto_us ? idle_us : 0);
}

/* True: text is due, as a probe, or as soon as there is room for one: then p is empty. */
static bool plan_mtu_probe(struct tapir *t, struct tcp_conn *c, struct plan *p, uint32_t unsent)
{
	uint32_t len = tcp_pmtu_probe_len(t, c, unsent, min_u32(send_window_left(c), congestion_window_left(c)));

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
	uint32_t unsent;

	if (tcp_syn_unacked(c) && c->fastopen != FASTOPEN_EARLY)	/* RFC 7413 4.2.2: an early one may answer at once */
		return plan_early_fin(t, c, p);
	unsent = unsent_text(c);
	if ((!unsent && (!c->fin_queued || c->fin_acked)) || !tcp_sender_has_room(t, c))
		return false;
	restart_after_idle(t, c);
	*p = (struct plan){.at = c->snd.max, .flags = TCP_ACK, .why = "RFC 9293 3.8.6.2.1: text within the windows"};
	if (plan_mtu_probe(t, c, p, unsent))
		return p->len;
	p->len = text_to_send(t, c, unsent);
	c->cwnd_limited = p->len < unsent && congestion_window_left(c) < send_window_left(c);
	if (fin_fits(c, p) && send_window_left(c) > p->len) {
		p->flags |= TCP_FIN;
		p->why = "RFC 9293 3.6: FIN behind the text";
	}
	return p->len || p->flags & TCP_FIN;
}

/* RFC 9293 3.8.6.1 (MUST-36): at least one byte of new text, or our FIN, into a window that is closed or too small. */
static bool plan_probe(struct tapir *t, struct tcp_conn *c, struct plan *p)
{
	bool fresh = tcp_flight(c) == 0;

	if (!c->owed.probe || (fresh && !tcp_sender_has_room(t, c)))
		return false;
	*p = (struct plan){.at = c->snd.una, .flags = TCP_ACK,
			   .why = c->snd.wnd ? "RFC 9293 3.8.6.2.1 (4): override timeout" : "RFC 9293 3.8.6.1: window probe"};
	p->len = min_u32(c->tx.bytes, fresh ? max_u32(min_u32(c->snd.wnd, segment_text_max(c)), 1) : 1);
	if (c->tx.bytes == 0 && fin_fits(c, p))
		p->flags |= TCP_FIN;
	return p->len || p->flags & TCP_FIN;
}

/* RFC 9293 3.8.4: SEG.SEQ = SND.NXT-1 is outside the peer's window, so it must answer. */
static bool plan_keepalive(const struct tcp_conn *c, struct plan *p)
{
	if (!c->owed.keepalive)
		return false;
	*p = (struct plan){.at = seq(c->snd.max.n - 1), .flags = TCP_ACK, .why = "RFC 9293 3.8.4: keep-alive"};
	return true;
}

/* <SEQ=SND.NXT><ACK=RCV.NXT><CTL=ACK>; but where the window has closed over what was sent, a number that it contains. */
static bool plan_ack(const struct tcp_conn *c, struct plan *p)
{
	seq_t edge = seq_add(c->snd.una, c->snd.wnd + (tcp_syn_unacked(c) ? 1 : 0));

	if (!c->owed.ack && !c->owed.dup_acks)
		return false;
	*p = (struct plan){.at = seq_min(c->snd.max, edge), .flags = TCP_ACK, .why = c->owed.why};
	return true;
}

/* Text waits, and pacing holds it. */
static bool must_wait(struct tapir *t, struct tcp_conn *c)
{
	if (!c->sender || !(c->sender->lost || unsent_text(c)) || pace_room(t, c))
		return false;
	if (!tcp_timer_is_armed(c, TAPIR_TIMER_PACE))
		tcp_timer_arm(t, c, TAPIR_TIMER_PACE, c->sender->pace.next_us);
	return true;
}

static bool plan_segment(struct tapir *t, struct tcp_conn *c, struct plan *p)
{
	bool waits;

	if (plan_syn(t, c, p))
		return true;
	if (c->state == TCP_SYN_SENT)
		return false;
	waits = must_wait(t, c);
	if (!waits && plan_retransmission(t, c, p))
		return true;
	if (c->owed.dup_acks)
		return plan_ack(c, p);
	if (!waits && (plan_tlp(t, c, p) || plan_text(t, c, p)))
		return true;
	return plan_probe(t, c, p) || plan_keepalive(c, p) || plan_ack(c, p);
}

/* --- building --------------------------------------------------------------------------------------------------- */

static void syn_options(struct tapir *t, const struct tcp_conn *c, struct tcp_options *opt)
{
	bool first = c->state == TCP_SYN_SENT;		/* we offer; in SYN-RECEIVED we agree */

	opt->mss = (uint16_t)tcp_mss_limit(c, (uint32_t)t->cfg.mtu - IP_TCP_HEADERS);
	opt->has_wscale = first ? t->cfg.window_scale : c->ws_on;
	opt->wscale = c->rcv.shift;
	opt->sack_permitted = first ? t->cfg.sack : c->sack_on;
	opt->has_ts = first ? t->cfg.timestamps : c->ts_on;
	tcp_fastopen_options(t, c, opt);
}

/* A frame that is cut up later would report its duplicate with each part: that waits. */
static void sack_options(struct tcp_conn *c, struct tcp_seg *seg)
{
	uint8_t max = sack_block_count(c), n = seg->len > segment_text_max(c) + 1 ? 0 : tcp_dsack_take(c, seg->opt.sack, max);

	seg->opt.sack_count = (uint8_t)(n + tcp_sack_blocks(c, seg->opt.sack + n, (uint8_t)(max - n)));
}

static void segment_options(struct tapir *t, struct tcp_conn *c, struct tcp_seg *seg)
{
	if (seg->flags & TCP_SYN)
		syn_options(t, c, &seg->opt);
	else
		seg->opt.has_ts = c->ts_on;
	if (seg->opt.has_ts) {
		seg->opt.ts_val = tcp_ts_now(t, c);
		seg->opt.ts_ecr = c->ts.recent;
	}
	if (!(seg->flags & TCP_SYN))
		sack_options(c, seg);
}

static uint16_t window_field(const struct tcp_conn *c, uint8_t flags)
{
	uint32_t wnd = tcp_rcv_wnd(c);

	return (uint16_t)min_u32(flags & TCP_SYN ? wnd : wnd >> c->rcv.shift, 65535);
}

/* Of a SYN, which has no shift: what is free, as far as the program lets it show. */
static uint32_t syn_window(const struct tcp_conn *c)
{
	return min_u32(c->rcvbuf - min_u32(c->rx.bytes, c->rcvbuf), min_u32(tcp_window_limit(c), 65535));
}

/* The edge moves by whole units of the scaled field, so that it is where the peer sees it. What is left of the window
 * later need not be a whole number of them: the field then says a little less, and text up to the edge is still taken
 * (RFC 7323 2.4). */
static void move_window(const struct tapir *t, struct tcp_conn *c, uint8_t flags)
{
	uint32_t offer = tcp_window_to_offer(c) >> c->rcv.shift << c->rcv.shift;

	c->rcv.mss_offered = (uint16_t)tcp_mss_limit(c, (uint32_t)t->cfg.mtu - IP_TCP_HEADERS);
	if (c->state == TCP_SYN_SENT)
		tcp_set_shift(t, c);
	if (flags & TCP_SYN)
		c->rcv.adv = seq_max(c->rcv.adv, seq_add(c->rcv.nxt, syn_window(c)));
	else
		c->rcv.adv = seq_max(c->rcv.adv, seq_add(c->rcv.nxt, offer));
}

static void add_text(const struct tcp_conn *c, struct plan *p, struct tapir_out *out)
{
	uint32_t got = 0;
	int n;

	if (!p->len)
		return;
	n = stream_slice(&c->tx, text_offset(c, p->at), p->len, out->slices, TAPIR_OUT_SLICES, &got);
	out->slice_count = (uint16_t)n;
	out->len += got;
	if (got < p->len)		/* more pieces than slices: the rest goes with the next frame */
		p->flags &= (uint8_t)~TCP_FIN;
	p->len = got;
	/* RFC 9293 3.9.1.2 (MUST-61): the last of what the user has sent. And the last segment of those that the driver cuts a
	 * large frame into, so that a receiver that gathers segments passes them on at once. */
	if (seq_eq(seq_add(p->at, got), tcp_fin_seq(c)) || (got > segment_text_max(c) && !p->larger))
		p->flags |= TCP_PSH;
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
	c->last_ack_sent = c->rcv.nxt;
	tcp_timer_disarm(t, c, TAPIR_TIMER_DELACK);
}

static void arm_after_text(struct tapir *t, struct tcp_conn *c)
{
	if (c->snd.wnd == 0 && !tcp_syn_unacked(c))
		return;			/* the persist timer is at work */
	tcp_timer_disarm(t, c, TAPIR_TIMER_PERSIST);
	if (!tcp_timer_is_armed(c, TAPIR_TIMER_RTO))	/* RFC 6298 5.1 */
		tcp_timer_arm(t, c, TAPIR_TIMER_RTO, t->now_us + c->rtt.rto_us);
}

static void sent_syn(struct tapir *t, struct tcp_conn *c, uint32_t text)
{
	bool again = seq_gt(c->snd.max, c->iss);

	c->total_retrans += again;
	c->rtt.syn_at_us = again ? USEC_NEVER : t->now_us;	/* Karn (RFC 6298 3) */
	c->snd.nxt = seq_add(c->iss, 1);
	c->snd.max = seq_max(c->snd.max, c->snd.nxt);
	if (text) {
		tcp_sent_new(t, c, c->snd.nxt, seq_add(c->snd.nxt, text));
		c->snd.nxt = c->snd.max = seq_add(c->snd.nxt, text);
	}
}

static void sent_again(struct tapir *t, struct tcp_conn *c, const struct plan *p, uint32_t len)
{
	struct tcp_sent *r = p->again;

	c->sender->force = false;
	tcp_undo_on_retransmit(t, c, r, min_u32(len, tcp_sent_len(r)));
	if (tcp_sent_len(r) < len)
		tcp_sent_extend(c, r, seq_add(r->start, len));
	if (tcp_sent_len(r) > len)	/* if no record is free for the rest, RACK or the RTO finds it missing */
		tcp_sent_split(t, c, r, seq_add(r->start, len));
	tcp_sent_again(t, c, r);
	tcp_frto_on_retransmit(c->sender, r);
	c->total_retrans++;
	if (r == c->sender->first && tcp_timer_is_armed(c, TAPIR_TIMER_RTO))	/* RFC 6675 6: what it guards has just left */
		tcp_timer_arm(t, c, TAPIR_TIMER_RTO, t->now_us + c->rtt.rto_us);
}

static void sent_tlp(struct tcp_conn *c, const struct plan *p)
{
	struct tcp_sender *s = c->sender;

	s->tlp.out = true;
	s->tlp.again = p->again != NULL;
	s->tlp.end = c->snd.max;
	s->tlp.flight = tcp_flight(c);
	s->tlp.unsampled = true;
}

/* Notes what has left: a SYN, something again, something new, or a probe of a closed window, which counts as neither. */
static void sent_sequence(struct tapir *t, struct tcp_conn *c, const struct plan *p, uint32_t len)
{
	seq_t end = seq_add(p->at, len);

	if (p->flags & TCP_SYN) {
		sent_syn(t, c, p->len);
	} else if (p->again) {
		sent_again(t, c, p, len);
		c->snd.nxt = c->snd.max;
	} else if (seq_gt(end, c->snd.max)) {
		c->snd.short_out = (p->len % segment_text_max(c) != 0 && !p->larger) || (c->snd.short_out && tcp_flight(c) > 0);
		tcp_sent_new(t, c, p->at, end);
		c->snd.nxt = c->snd.max = end;
		tcp_pmtu_sent(t, c, p->at, p->len, p->larger);
	} else {
		c->total_retrans++;
		if (c->sender)	/* a byte of it into a closed window: a copy of this one is ours */
			c->sender->undo.high = seq_max(c->sender->undo.high, end);
	}
	tcp_cork_on_sent(c);
	c->last_out_us = t->now_us;
	if (c->sender) {
		tcp_validate_on_sent(c);
		tcp_prr_on_sent(c->sender, len);
		tcp_pace_sent(c->sender, pacing_rate(t, c), p->len, t->now_us);
	}
	arm_after_text(t, c);
	if (p->tlp)
		sent_tlp(c, p);
	tcp_tlp_schedule(t, c);
}

static void sent(struct tapir *t, struct tcp_conn *c, const struct plan *p)
{
	uint32_t len = p->len + (p->flags & TCP_SYN ? 1 : 0) + (p->flags & TCP_FIN ? 1 : 0), again = c->total_retrans;

	t->stats.tcp_segs_out += tcp_count_out(c, p->at, p->len, segment_text_max(c));
	if (p->flags & TCP_ACK)
		sent_ack(t, c, len == 0);
	if (!len) {
		c->owed.keepalive = false;
		return;
	}
	c->owed.probe = false;
	sent_sequence(t, c, p, len);
	t->stats.tcp_retrans += c->total_retrans - again;
}

/* Something waits, and nothing that was sent will bring an answer: the persist timer is the override of RFC 9293 3.8.6.2.1
 * (4) and the clock of 3.8.6.1. */
static void wait_for_window(struct tapir *t, struct tcp_conn *c)
{
	bool waiting = c->tx.bytes || (c->fin_queued && !c->fin_acked);

	if (!waiting || tcp_syn_unacked(c) || tcp_timer_is_armed(c, TAPIR_TIMER_PACE))
		return;
	if (!tcp_timer_is_armed(c, TAPIR_TIMER_RTO) && !tcp_timer_is_armed(c, TAPIR_TIMER_PERSIST))
		tcp_timer_arm(t, c, TAPIR_TIMER_PERSIST, t->now_us + tcp_override_us(t, c));
}

/* The path has shrunk: the segment is lost, the next is smaller. False: it would not be. */
static bool send_smaller(struct tapir *t, struct tcp_conn *c)
{
	uint16_t old = c->snd.mss;

	tcp_update_mss(t, c);
	if (c->snd.mss >= old)
		return false;
	tcp_all_is_lost(c, "RFC 1191 6.4: the path MTU is smaller");
	return true;
}

/* One frame for c, if it has anything to say. */
static bool tcp_output(struct tapir *t, struct tcp_conn *c, struct tapir_out *out)
{
	struct ip_how how = {.src = c->local.addr, .dst = c->peer.addr, .proto = IP_PROTO_TCP, .ttl = c->ttl, .tos = c->tos,
			     .df = true};
	struct plan p;
	enum tapir_verdict v;
	bool new_text;

	tcp_pmtu_refresh(t, c);
	while (plan_segment(t, c, &p)) {
		new_text = p.len && seq_geq(p.at, c->snd.max) && c->snd.wnd && !(p.flags & TCP_SYN);
		p.flags |= tcp_ecn_flags(t, c, p.flags, new_text);
		how.tos = c->tos | tcp_ecn_tos(c, new_text);
		emit(t, c, &p, out);
		sent(t, c, &p);
		v = ip_output(t, out, &how);
		if (v == ACCEPT)
			return true;
		if (v == DROP_IP_NEEDS_FRAGMENT && !send_smaller(t, c))
			break;
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
		if (!one) {
			tcp_mini_fold(t, c);
			continue;
		}
		tcp_ready(t, c);	/* to the end of the list: it may have more, the others come first */
		return 1;
	}
	return 0;
}
