/* sack.c: what one ACK delivers: the records that it acknowledges or SACKs (RFC 2018 4, RFC 6675 3), and the DSACK in its
 * first block (RFC 2883 4). It tells rack.c of each delivered record, and sums the ACK up in a struct tcp_delivery.
 *
 * Bounds: a block that is not wholly inside what is outstanding is ignored. One segment may pass over SACK_WORK records that it
 * does not deliver, so that blocks chosen to be far apart among thousands of tiny segments cost no more than others: where
 * a search gives up, that of the next segment goes on. A record is delivered once, so that needs no bound. */
#include "internal.h"

#define SACK_WORK 512u

struct walk { struct tapir *t; struct tcp_conn *c; struct tcp_delivery *d; const struct tcp_seg *seg; uint32_t work; };

/* r, not SACKED before, has arrived. */
static void deliver(struct walk *w, struct tcp_sent *r, uint32_t bytes)
{
	struct tcp_sender *s = w->c->sender;

	w->d->delivered += bytes;
	w->d->original |= r->times == 1 && seq_lt(r->start, s->recover);
	tcp_rate_delivered(s, &w->d->rate_ack, r, bytes);
	tcp_rack_on_delivered(w->t, w->c, r, w->seg, w->d);
}

/* --- the cumulative part ---------------------------------------------------------------------------------------- */

void tcp_sack_advance(struct tapir *t, struct tcp_conn *c, const struct tcp_seg *seg, struct tcp_delivery *d)
{
	struct tcp_sender *s = c->sender;
	struct walk w = {t, c, d, seg, 0};
	bool again = false;

	if (s && s->first)
		d->head_again = s->first->times > 1 && s->first->sent_us >= s->undo.since_us;
	while (s && s->first && seq_lt(s->first->start, seg->ack)) {
		struct tcp_sent *r = s->first;
		bool whole = seq_leq(r->end, seg->ack);
		uint32_t bytes = whole ? tcp_sent_len(r) : seq_sub(seg->ack, r->start);

		again |= r->times > 1;
		if (r->state != SENT_SACKED)
			deliver(&w, r, bytes);
		if (whole)
			tcp_sent_remove_first(t, s);
		else
			tcp_sent_trim_first(s, seg->ack);
	}
	if (again)		/* the others may have waited for it, who knows how long (RFC 6298 3) */
		d->rtt_us = d->longest_us = CC_NONE;
	if (s)
		s->rack.fack = seq_max(s->rack.fack, seg->ack);
}

/* --- the blocks ------------------------------------------------------------------------------------------------- */

static uint32_t distance(seq_t a, seq_t b) { return seq_lt(a, b) ? seq_sub(b, a) : seq_sub(a, b); }

/* Where the search for `at` begins: at one of the ends, or where the last one ended. */
static struct tcp_sent *nearest(const struct tcp_sender *s, seq_t at)
{
	struct tcp_sent *const candidates[] = {s->first, s->last, s->hint};
	struct tcp_sent *best = s->first;

	for (int i = 0; i < 3; i++)
		if (candidates[i] && distance(candidates[i]->start, at) < distance(best->start, at))
			best = candidates[i];
	return best;
}

/* The record that `at` lies in. NULL: it is too far away for this segment. */
static struct tcp_sent *record_at(struct walk *w, seq_t at)
{
	struct tcp_sender *s = w->c->sender;
	struct tcp_sent *r = nearest(s, at);

	while (r && seq_gt(r->start, at) && w->work++ < SACK_WORK)
		r = r->prev;
	while (r && seq_leq(r->end, at) && w->work++ < SACK_WORK)
		r = r->next;
	s->hint = r;
	return r && seq_leq(r->start, at) && seq_lt(at, r->end) ? r : NULL;
}

/* r as far as the block covers it: cut where the block begins or ends inside. NULL: no record is free to cut it. */
static struct tcp_sent *covered(struct walk *w, struct tcp_sent *r, const struct sack_block *b)
{
	if (seq_lt(r->start, b->start))
		r = tcp_sent_split(w->t, w->c, r, b->start);
	if (r && seq_gt(r->end, b->end) && !tcp_sent_split(w->t, w->c, r, b->end))
		return NULL;
	return r;
}

static void take_block(struct walk *w, const struct sack_block *b)
{
	struct tcp_sender *s = w->c->sender;
	struct tcp_sent *r = record_at(w, b->start);

	while (r && seq_lt(r->start, b->end) && w->work < SACK_WORK) {
		if (r->state == SENT_SACKED) {
			w->work++;
		} else {
			r = covered(w, r, b);
			if (!r)
				return;
			deliver(w, r, tcp_sent_len(r));
			s->rack.fack = seq_max(s->rack.fack, r->end);
			r = tcp_sent_sack(w->t, s, r);
			w->d->sacked = true;
		}
		s->hint = r;
		r = r->next;
	}
}

static bool is_outstanding(const struct tcp_conn *c, const struct sack_block *b)
{
	return seq_lt(b->start, b->end) && seq_geq(b->start, c->snd.una) && seq_leq(b->end, c->snd.max);
}

/* RFC 2883 4: the first block reports a duplicate if it lies below SEG.ACK, or inside the second block. */
static bool is_dsack(const struct tcp_conn *c, const struct tcp_seg *seg)
{
	const struct sack_block *b = seg->opt.sack;

	if (!seg->opt.sack_count || !seq_lt(b->start, b->end) || seq_sub(b->end, b->start) > c->snd.max_wnd)
		return false;
	if (seq_leq(b->end, seg->ack))
		return seq_geq(b->start, seq(c->snd.una.n - c->snd.max_wnd));
	return seg->opt.sack_count > 1 && seq_geq(b->start, b[1].start) && seq_leq(b->end, b[1].end);
}

/* The blocks that say what has arrived, in the order in which it was sent (RFC 8985 6.2 step 3). How many. */
static uint8_t sorted(const struct tcp_conn *c, const struct tcp_seg *seg, uint8_t from, struct sack_block to[TCP_SACK_BLOCKS])
{
	uint8_t n = 0, at;

	for (uint8_t i = from; i < seg->opt.sack_count; i++) {
		if (!is_outstanding(c, &seg->opt.sack[i]))
			continue;
		for (at = n++; at > 0 && seq_gt(to[at - 1].start, seg->opt.sack[i].start); at--)
			to[at] = to[at - 1];
		to[at] = seg->opt.sack[i];
	}
	return n;
}

void tcp_sack_blocks_arrive(struct tapir *t, struct tcp_conn *c, const struct tcp_seg *seg, struct tcp_delivery *d)
{
	struct walk w = {t, c, d, seg, 0};
	struct sack_block blocks[TCP_SACK_BLOCKS];
	uint8_t n;

	d->dsack = is_dsack(c, seg);
	if (d->dsack)
		d->dsack_bytes = seq_sub(seg->opt.sack[0].end, seg->opt.sack[0].start);
	n = sorted(c, seg, d->dsack, blocks);
	for (uint8_t i = 0; c->sender && i < n; i++)
		take_block(&w, &blocks[i]);
}
