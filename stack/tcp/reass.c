/* reass.c: text that arrived out of order (RFC 9293 3.10.7.4 first, SHLD-31), and the SACK blocks that describe it
 * (RFC 2018). A connection's pieces are disjoint, not adjacent, sorted by sequence number, and lie beyond RCV.NXT and within
 * the window; there are at most PIECES_MAX of them, so that a peer who leaves holes buys bounded work. */
#include "internal.h"

#define PIECES_MAX 256

struct tcp_piece {
	struct tcp_piece *next;
	seq_t start;
	uint32_t touched;	/* order of the last arrival in it, for RFC 2018 4: most recent first */
	struct stream text;
};

size_t tcp_reass_size(uint32_t count) { return sizeof(struct tcp_piece) * count; }

void tcp_reass_init(struct tapir *t, void *mem, uint32_t count)
{
	struct tcp_piece *pieces = mem;

	for (uint32_t i = 0; i < count; i++) {
		pieces[i].next = t->tcp->free_pieces;
		t->tcp->free_pieces = &pieces[i];
	}
}

static seq_t piece_end(const struct tcp_piece *p) { return seq_add(p->start, p->text.bytes); }

/* Inserts an empty piece before *at. */
static struct tcp_piece *piece_new(struct tapir *t, struct tcp_conn *c, struct tcp_piece **at, seq_t start)
{
	struct tcp_piece *p = t->tcp->free_pieces;

	if (!p || c->piece_count >= PIECES_MAX)
		return NULL;
	t->tcp->free_pieces = p->next;
	*p = (struct tcp_piece){.next = *at, .start = start};
	*at = p;
	c->piece_count++;
	return p;
}

static void piece_free(struct tapir *t, struct tcp_conn *c, struct tcp_piece **at)
{
	struct tcp_piece *p = *at;

	*at = p->next;
	stream_clear(&p->text, &t->frames);
	p->next = t->tcp->free_pieces;
	t->tcp->free_pieces = p;
	c->piece_count--;
}

void tcp_reass_clear(struct tapir *t, struct tcp_conn *c)
{
	while (c->pieces)
		piece_free(t, c, &c->pieces);
}

/* Stores text at the end of to: takes the arrival's frame over if it is well filled, else copies. Bytes stored. */
static uint32_t store_text(struct tapir *t, struct stream *to, const struct ip_packet *pkt, struct span text)
{
	struct tapir_frame *f = *pkt->frame;

	if (!f || text.n < f->cap / 2 || !frame_may_stay(&t->frames, f))
		return stream_append(to, &t->frames, text.p, (uint32_t)text.n);
	*pkt->frame = NULL;
	frame_pull(f, (uint32_t)(text.p - f->data));
	f->len = (uint32_t)text.n;
	stream_append_frame(to, &t->frames, f);
	return (uint32_t)text.n;
}

/* When memory is short, text in order is worth more than text beyond a hole, which may be thrown away (RFC 2018 8): else
 * connections that wait for each other's memory would wait for ever. */
uint32_t tcp_store_in_order(struct tapir *t, struct tcp_conn *c, const struct tcp_arrival *a)
{
	uint32_t got = store_text(t, &c->rx, a->pkt, a->seg.text);

	if (got == a->seg.text.n || !c->pieces)
		return got;
	tcp_reass_clear(t, c);
	return got + store_text(t, &c->rx, a->pkt, span_from(a->seg.text, got));
}

/* Of [start, end) the first run that a piece holds is a duplicate (RFC 2883 4.2: only the first). */
static void report_overlap(const struct tapir *t, struct tcp_conn *c, seq_t start, seq_t end)
{
	const struct tcp_piece *p = c->pieces;

	while (p && seq_leq(piece_end(p), start))
		p = p->next;
	if (p && seq_lt(p->start, end))
		tcp_dsack_note(t, c, seq_max(p->start, start), seq_min(piece_end(p), end));
}

/* Cuts the arrival where it overlaps what is there: what came first stays, pieces that it covers wholly go. Returns the
 * piece before it, if any; *at is where it belongs. */
static struct tcp_piece *make_way(struct tapir *t, struct tcp_conn *c, struct tcp_seg *seg, struct tcp_piece ***at)
{
	struct tcp_piece *before = NULL;
	seq_t end = seq_add(seg->seq, (uint32_t)seg->text.n);

	report_overlap(t, c, seg->seq, end);
	*at = &c->pieces;
	while (**at && seq_leq((**at)->start, seg->seq)) {
		before = **at;
		*at = &before->next;
	}
	if (before && seq_gt(piece_end(before), seg->seq)) {
		uint32_t known = min_u32(seq_sub(piece_end(before), seg->seq), (uint32_t)seg->text.n);

		seg->text = span_from(seg->text, known);
		seg->seq = seq_add(seg->seq, known);
	}
	while (**at && seq_leq(piece_end(**at), end))
		piece_free(t, c, *at);
	if (**at && seq_lt((**at)->start, end))
		seg->text.n -= seq_sub(end, (**at)->start);
	return before;
}

static void join_next(struct tapir *t, struct tcp_conn *c, struct tcp_piece *p)
{
	struct tcp_piece *next = p->next;

	if (!next || !seq_eq(piece_end(p), next->start))
		return;
	stream_join(&p->text, &next->text);
	piece_free(t, c, &p->next);
}

enum tapir_verdict tcp_reass_insert(struct tapir *t, struct tcp_conn *c, struct tcp_arrival *a)
{
	struct tcp_seg *seg = &a->seg;
	struct tcp_piece **at, *p = make_way(t, c, seg, &at);

	if (seg->text.n && (!p || !seq_eq(piece_end(p), seg->seq))) {
		p = piece_new(t, c, at, seg->seq);
		if (!p)
			return DROP_TCP_REASS_LIMIT;
	}
	if (seg->text.n && !store_text(t, &p->text, a->pkt, seg->text)) {
		if (!p->text.bytes)
			piece_free(t, c, at);
		return DROP_NO_MEMORY;
	}
	if (p) {
		p->touched = ++c->rcv.arrivals;
		join_next(t, c, p);
	}
	return ACCEPT;
}

bool tcp_reass_deliver(struct tapir *t, struct tcp_conn *c)
{
	bool moved = false;

	while (c->pieces && seq_leq(c->pieces->start, c->rcv.nxt)) {
		struct tcp_piece *p = c->pieces;
		uint32_t known = min_u32(seq_sub(c->rcv.nxt, p->start), p->text.bytes);

		tcp_dsack_note(t, c, p->start, seq_add(p->start, known));	/* text in order has reached into it */
		stream_consume(&p->text, &t->frames, known);
		c->rcv.nxt = seq_add(c->rcv.nxt, p->text.bytes);
		c->rcv.unacked += p->text.bytes;
		if (!c->rcv_shutdown)
			stream_join(&c->rx, &p->text);
		piece_free(t, c, &c->pieces);
		moved = true;
	}
	return moved;
}

uint8_t tcp_sack_blocks(const struct tcp_conn *c, struct sack_block blocks[TCP_SACK_BLOCKS], uint8_t max)
{
	uint32_t touched[TCP_SACK_BLOCKS];
	uint8_t n = 0;

	for (const struct tcp_piece *p = c->pieces; p; p = p->next) {
		uint8_t i = n;

		while (i > 0 && p->touched > touched[i - 1])
			i--;
		if (i >= max)
			continue;
		n = (uint8_t)min_u32((uint32_t)n + 1, max);
		for (uint8_t k = (uint8_t)(n - 1); k > i; k--) {
			blocks[k] = blocks[k - 1];
			touched[k] = touched[k - 1];
		}
		blocks[i] = (struct sack_block){p->start, piece_end(p)};
		touched[i] = p->touched;
	}
	return n;
}

void tcp_reass_check(const struct tcp_conn *c)
{
	uint16_t n = 0;

	for (const struct tcp_piece *p = c->pieces; p; p = p->next) {
		assert(p->text.bytes > 0 && seq_gt(p->start, c->rcv.nxt));
		assert(!p->next || seq_lt(piece_end(p), p->next->start));
		n++;
	}
	assert(n == c->piece_count);
}
