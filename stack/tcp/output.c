/* output.c: builds the segments that plan.c decides on, and accounts for what left (RFC 9293 3.10, 3.8.1). Everything else only
 * notes what is owed and puts the connection on the ready list; tcp_output_next serves that list in turn, one frame at a time.
 * A segment is planned (what, and why), then built in place (emit), then accounted for (sent). */
#include "plan.h"
#include "pace.h"

#define IP_TCP_HEADERS (IPV4_HEADER + TCP_HEADER)

void tcp_ready(struct tapir *t, struct tcp_conn *c)
{
	if (c->is_ready)
		return;
	c->is_ready = true;
	tcp_queue_append(t, &t->tcp->ready, c, LINK_READY);
}

void tcp_unready(struct tapir *t, struct tcp_conn *c)
{
	if (!c->is_ready)
		return;
	c->is_ready = false;
	tcp_queue_remove(t, &t->tcp->ready, c, LINK_READY);
}

void tcp_owe_ack(struct tapir *t, struct tcp_conn *c, const char *why)
{
	c->owed.ack = true;
	c->why_owed = why;
	tcp_say_owed(t, c, why);
	tcp_ready(t, c);
}

void tcp_owe_dup_ack(struct tapir *t, struct tcp_conn *c, const char *why)
{
	if (c->owed.dup_acks < UINT8_MAX)
		c->owed.dup_acks++;
	c->why_owed = why;
	tcp_say_owed(t, c, why);
	tcp_ready(t, c);
}

uint32_t tcp_window_to_offer(const struct tcp_conn *c)
{
	uint32_t unread = c->rx.bytes, space = c->rx.limit > unread ? c->rx.limit - unread : 0;
	uint32_t limit = min_u32(65535u << c->rcv.shift, tcp_window_limit(c));
	uint32_t old = seq_gt(c->rcv.adv, c->rcv.nxt) ? seq_sub(c->rcv.adv, c->rcv.nxt) : 0;

	space = min_u32(space, limit);
	/* RFC 9293 3.8.6.2.2 (MUST-39): the edge moves by a segment or half the buffer, or not at all; never back (SHLD-14). */
	if (space < old || space - old < min_u32(tcp_window_limit(c) / 2, c->rcv.mss_offered))
		return old;
	return space;
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
	bool has_room = seg->len <= tcp_segment_text_max(c) + 1;
	uint8_t max = tcp_sack_block_count(c), n = has_room ? tcp_dsack_take(c, seg->opt.sack, max) : 0;

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
	return min_u32(c->rx.limit - min_u32(c->rx.bytes, c->rx.limit), min_u32(tcp_window_limit(c), 65535));
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

static void add_text(const struct tapir *t, const struct tcp_conn *c, struct plan *p, struct tapir_out *out)
{
	uint32_t got = 0;
	int n;

	if (!p->len)
		return;
	n = stream_slice(&c->tx, tcp_text_offset(c, p->at), p->len, out->slices, TAPIR_OUT_SLICES, &got);
	out->slice_count = (uint16_t)n;
	out->len += got;
	if (got < p->len)		/* more pieces than slices: the rest goes with the next frame */
		p->flags &= (uint8_t)~TCP_FIN;
	p->len = got;
	/* RFC 9293 3.9.1.2 (MUST-61): the last of what the user has sent. And the last segment of those that the driver cuts a
	 * large frame into, so that a receiver that gathers segments passes them on at once. */
	if (seq_eq(seq_add(p->at, got), tcp_fin_seq(c)) || (t->cfg.offload.tso4 && tcp_is_large(c, p)))
		p->flags |= TCP_PSH;
}

/* Of what is cut up before the driver has it, the first segment: burst.c tells of the others. */
static void say_out(struct tapir *t, const struct tcp_conn *c, const struct plan *p, struct tcp_seg *seg)
{
	if (tcp_is_large(c, p) && !t->cfg.offload.tso4) {
		seg->len = tcp_segment_text_max(c);
		seg->flags &= (uint8_t)~(TCP_FIN | TCP_PSH);
	}
	tcp_say_segment(t, c, seg, seq_lt(p->at, c->snd.max) && seg->len ? TAPIR_EV_RETRANSMIT : TAPIR_EV_SEGMENT_OUT, p->why);
}

static void emit(struct tapir *t, struct tcp_conn *c, struct plan *p, struct tapir_out *out)
{
	struct tcp_seg seg = {.src_port = c->local.port, .dst_port = c->peer.port, .seq = p->at};
	uint64_t sum;
	uint16_t header;
	uint8_t *bytes;

	out_begin(out);
	add_text(t, c, p, out);
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
	if (tcp_is_large(c, p)) {
		out->offload.gso = TAPIR_GSO_TCP4;
		out->offload.gso_size = (uint16_t)tcp_segment_text_max(c);
		out->offload.hdr_len = header;
	}
	say_out(t, c, p, &seg);
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
	c->syn_timed = !again;
	if (!again)
		c->rtt.syn_at_us = (uint32_t)t->now_us;
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
		c->snd.short_out = (p->len % tcp_segment_text_max(c) != 0 && !p->larger) || (c->snd.short_out && tcp_flight(c) > 0);
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
		tcp_pace_sent(c->sender, tcp_pacing_rate(t, c), p->len, t->now_us);
	}
	arm_after_text(t, c);
	if (p->tlp)
		sent_tlp(c, p);
	tcp_tlp_schedule(t, c);
}

static void sent(struct tapir *t, struct tcp_conn *c, const struct plan *p)
{
	uint32_t len = p->len + (p->flags & TCP_SYN ? 1 : 0) + (p->flags & TCP_FIN ? 1 : 0), again = c->total_retrans;
	uint32_t n = tcp_count_out(c, p->at, p->len, t->cfg.offload.tso4 ? tcp_segment_text_max(c) : 0);

	t->stats.tcp_segs_out += n;
	if (p->again)
		c->total_retrans += n - 1;
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

	if (!waiting || c->no_sender || tcp_syn_unacked(c) || tcp_timer_is_armed(c, TAPIR_TIMER_PACE))
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

/* A large frame is on its way: v says how far it has come. */
static void cut_up(struct tapir *t, struct tcp_conn *c, const struct plan *p, struct tapir_out *out, enum tapir_verdict v)
{
	if (t->cfg.offload.tso4)
		return;
	if (v == ACCEPT)
		tcp_burst_begin(t, c, p, out);
	else
		tcp_burst_held(t, c, p, out->offload.gso_size);
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
	while (tcp_plan(t, c, &p)) {
		new_text = p.len && seq_geq(p.at, c->snd.max) && c->snd.wnd && !(p.flags & TCP_SYN);
		p.flags |= tcp_ecn_flags(t, c, p.flags, new_text);
		how.tos = c->tos | tcp_ecn_tos(c, new_text);
		emit(t, c, &p, out);
		sent(t, c, &p);
		v = ip_output(t, out, &how);
		if (out->offload.gso != TAPIR_GSO_NONE)
			cut_up(t, c, &p, out, v);
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

	if (tcp_burst_next(t, out))
		return 1;
	while ((c = tcp_slot(t, t->tcp->ready.head))) {
		bool one = tcp_output(t, c, out);

		tcp_unready(t, c);
		if (!one) {
			tcp_sender_rest(t, c);
			tcp_mini_fold(t, c);
			continue;
		}
		tcp_ready(t, c);	/* to the end of the list: it may have more, the others come first */
		return 1;
	}
	return 0;
}
