/* sack.c: what one ACK delivers: the records that it acknowledges or SACKs (RFC 2018 4, RFC 6675 3), and the DSACK in its
 * first block (RFC 2883 4). It tells rack.c of each delivered record, and sums the ACK up in a struct tcp_delivery.
 *
 * Bounds: a block that is not wholly inside what is outstanding is ignored; one segment may walk SACK_WORK records, so that
 * blocks chosen to be far apart among thousands of tiny segments cost no more than others. */
#include "internal.h"

#define SACK_WORK 512u

struct walk { struct tapir *t; struct tcp_conn *c; struct tcp_delivery *d; const struct tcp_seg *seg; uint32_t work; };

/* r, not SACKED before, has arrived. */
static void deliver(struct walk *w, struct tcp_sent *r, uint32_t bytes)
{
	struct tcp_sender *s = w->c->sender;

	w->d->delivered += bytes;
	w->d->original |= r->times == 1 && seq_lt(r->start, s->recover);
	tcp_rate_delivered(s, &w->d->rate_ack, tcp_rack_is_ambiguous(w->t, w->c, r, w->seg) ? NULL : r, bytes);
	tcp_rack_on_delivered(w->t, w->c, r, w->seg, w->d);
}

/* --- the cumulative part ---------------------------------------------------------------------------------------- */

void tcp_sack_advance(struct tapir *t, struct tcp_conn *c, const struct tcp_seg *seg, struct tcp_delivery *d)
{
	struct tcp_sender *s = c->sender;
	struct walk w = {t, c, d, seg, 0};

	bool again = false;

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

/* The record that `at` lies in, looked for from where the last search ended. NULL: too far away. */
static struct tcp_sent *record_at(struct walk *w, seq_t at)
{
	struct tcp_sender *s = w->c->sender;
	struct tcp_sent *r = s->hint ? s->hint : s->first;

	while (r && seq_gt(r->start, at) && w->work++ < SACK_WORK)
		r = r->prev;
	while (r && seq_leq(r->end, at) && w->work++ < SACK_WORK)
		r = r->next;
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

	while (r && seq_lt(r->start, b->end) && w->work++ < SACK_WORK) {
		if (r->state != SENT_SACKED) {
			r = covered(w, r, b);
			if (!r)
				return;
			deliver(w, r, tcp_sent_len(r));
			tcp_sent_set(s, r, SENT_SACKED);
			w->d->sacked = true;
			s->rack.fack = seq_max(s->rack.fack, r->end);
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

void tcp_sack_blocks_arrive(struct tapir *t, struct tcp_conn *c, const struct tcp_seg *seg, struct tcp_delivery *d)
{
	struct walk w = {t, c, d, seg, 0};

	d->dsack = is_dsack(c, seg);
	if (d->dsack)
		d->dsack_bytes = seq_sub(seg->opt.sack[0].end, seg->opt.sack[0].start);
	for (uint8_t i = d->dsack; c->sender && i < seg->opt.sack_count; i++)
		if (is_outstanding(c, &seg->opt.sack[i]))
			take_block(&w, &seg->opt.sack[i]);
}
