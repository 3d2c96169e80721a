/* burst.c: where the driver does not cut large segments up, this does, when they leave (as Linux' generic segmentation offload).
 * TCP plans, records and routes up to 64 KB at once, whatever the driver can: that costs as much as one segment. What differs
 * from segment to segment is in the headers (wire/cut.c), and is written for one each time a frame is asked for.
 *
 * Owns the one burst that is on its way out. It stands for a frame that waits on a network card: it goes before all that TCP
 * plans after it, with the acknowledgment, window and options that it was made with, whatever arrives meanwhile. Between two
 * of its segments anything may happen: text that is acknowledged is passed over; with the connection the burst ends; when
 * segments have become too large, what has not left is given up for lost, and goes again in smaller ones.
 *
 * Invariants: conn's text from next to end, but for what is acknowledged, lies in conn->tx; place is that of next, or unknown,
 * and is never looked at when next is before SND.UNA. */
#include "plan.h"

static uint32_t min_size(const struct tcp_burst *b) { return min_u32(b->size, seq_sub(b->end, b->next)); }

/* The TCP header lies at p, n bytes of text belong to it. */
static void say(struct tapir *t, const struct tcp_burst *b, const uint8_t *p, uint32_t n)
{
	struct tcp_seg seg = {.seq = {get_be32(p + 4)}, .ack = {get_be32(p + 8)}, .len = n, .flags = p[13],
			      .wnd = get_be16(p + 14)};

	seg.len += seg.flags & TCP_FIN ? 1 : 0;
	tcp_say_segment(t, b->conn, &seg, b->again ? TAPIR_EV_RETRANSMIT : TAPIR_EV_SEGMENT_OUT, b->why);
}

static void count(struct tapir *t, struct tcp_conn *c, uint32_t segments, bool again)
{
	c->segs_out += segments;
	t->stats.tcp_segs_out += segments;
	c->total_retrans += again ? segments : 0;
	t->stats.tcp_retrans += again ? segments : 0;
}

/* Headers for the next n bytes of text, which the frame has already. */
static void put_headers(struct tapir *t, struct tcp_burst *b, struct tapir_out *out, uint32_t n)
{
	bool last = seq_eq(seq_add(b->next, n), b->end);
	uint8_t *p;

	p = out_push(out, b->cut.head_len);
	cut_next(&b->cut, p, seq_sub(b->next, b->start), n, last);
	out->offload.csum = TAPIR_CSUM_PARTIAL;
	out->offload.csum_start = b->cut.tcp_at;
	out->offload.csum_offset = TCP_CHECKSUM_AT;
	if (b->cut.made > 1) {		/* the first was counted and told as it was planned */
		count(t, b->conn, 1, b->again);
		say(t, b, p + b->cut.tcp_at, n);
	}
}

/* One segment of the burst; false: all of it is acknowledged. */
static bool put_segment(struct tapir *t, struct tcp_burst *b, struct tapir_out *out)
{
	struct tcp_conn *c = b->conn;
	uint32_t got;

	if (seq_lt(b->next, c->snd.una)) {
		b->next = seq_min(c->snd.una, b->end);
		b->place.frame = NULL;
	}
	if (seq_eq(b->next, b->end))
		return false;
	if (!b->place.frame)
		b->place = stream_place(&c->tx, tcp_text_offset(c, b->next));
	out_begin(out);
	out->slice_count = (uint16_t)stream_slice_on(&b->place, min_size(b), out->slices, TAPIR_OUT_SLICES, &got);
	out->len = got;
	put_headers(t, b, out, got);
	b->next = seq_add(b->next, got);
	return true;
}

bool tcp_burst_next(struct tapir *t, struct tapir_out *out)
{
	struct tcp_burst *b = &t->tcp->burst;
	bool one = b->conn && put_segment(t, b, out);

	if (!one || seq_eq(b->next, b->end))
		b->conn = NULL;
	return one;
}

void tcp_burst_begin(struct tapir *t, struct tcp_conn *c, const struct plan *p, struct tapir_out *out)
{
	struct tcp_burst *b = &t->tcp->burst;
	uint16_t ip_at = (uint16_t)(out->offload.csum_start - IPV4_HEADER);

	*b = (struct tcp_burst){.conn = c, .start = p->at, .next = p->at, .end = seq_add(p->at, p->len),
				.size = out->offload.gso_size, .again = p->again != NULL, .why = p->why};
	if (!cut_begin(&b->cut, span_of(out->head + out->head_at, out->head_len), ip_at))
		assert(false);		/* our own headers */
	tcp_burst_next(t, out);
}

void tcp_burst_held(struct tapir *t, struct tcp_conn *c, const struct plan *p, uint16_t size)
{
	struct tcp_seg rest = {.seq = seq_add(p->at, size), .ack = c->rcv.nxt, .flags = p->flags,
			       .len = p->len - size + (p->flags & TCP_FIN ? 1 : 0),
			       .wnd = tcp_rcv_wnd(c) >> c->rcv.shift};
	uint32_t n = (p->len - 1) / size;

	count(t, c, n, p->again != NULL);
	tcp_say_segment(t, c, &rest, p->again ? TAPIR_EV_RETRANSMIT : TAPIR_EV_SEGMENT_OUT, p->why);
}

void tcp_burst_end(struct tapir *t, const struct tcp_conn *c)
{
	if (t->tcp->burst.conn == c)
		t->tcp->burst.conn = NULL;
}

void tcp_burst_give_up(struct tapir *t, struct tcp_conn *c)
{
	struct tcp_burst *b = &t->tcp->burst;
	seq_t from = seq_max(b->next, c->snd.una);
	struct tcp_sent *r = b->conn == c && c->sender ? c->sender->first : NULL;

	for (; r && seq_lt(r->start, b->end); r = r->next) {
		if (seq_leq(r->end, from) || r->state != SENT_FLYING)
			continue;
		if (seq_gt(from, r->start) && !tcp_sent_split(t, c, r, from))
			continue;	/* no record is free: RACK or the RTO will find it missing */
		if (seq_geq(r->start, from))
			tcp_sent_set(c->sender, r, SENT_LOST);
	}
	tcp_burst_end(t, c);
}

seq_t tcp_burst_unsent(const struct tapir *t, const struct tcp_conn *c, seq_t at)
{
	const struct tcp_burst *b = &t->tcp->burst;

	return b->conn == c && seq_geq(at, b->end) && seq_eq(at, c->snd.max) && !b->again ? b->next : at;
}

void tcp_burst_check(const struct tapir *t)
{
	const struct tcp_burst *b = &t->tcp->burst;

	if (!b->conn)
		return;
	assert(b->conn->state != TCP_CLOSED && b->size && seq_leq(b->start, b->next) && seq_lt(b->next, b->end));
	assert(seq_leq(b->end, b->conn->snd.max));
	if (b->place.frame && seq_geq(b->next, b->conn->snd.una)) {
		struct stream_place now = stream_place(&b->conn->tx, tcp_text_offset(b->conn, b->next));

		assert(now.frame == b->place.frame && now.byte == b->place.byte);
	}
}
