/* ladder_flight.c: see ladder_flight.h. Sequence numbers are compared modulo 2^32 (RFC 9293 3.4). */
#include "ladder_flight.h"

#include <stdlib.h>
#include <string.h>

static bool reached(uint32_t a, uint32_t b)
{
	return (int32_t)(a - b) >= 0;
}

static bool covers(uint32_t start, uint32_t end, const struct flight_item *item)
{
	return reached(item->seq, start) && reached(end, item->end);
}

static bool touches(const struct flight_item *a, const struct flight_item *b)
{
	return !reached(a->seq, b->end) && !reached(b->seq, a->end);
}

void flight_init(struct flight *f)
{
	*f = (struct flight){ .rtt_us = USEC_NEVER };
}

void flight_free(struct flight *f)
{
	free(f->items);
	f->items = NULL;
	f->count = 0;
}

/* Without memory nothing is remembered, and so nothing told lost. */
static void remember(struct flight *f, const struct flight_item *item)
{
	if (!f->items)
		f->items = malloc(FLIGHT_MAX * sizeof *f->items);
	if (!f->items)
		return;
	if (f->count == FLIGHT_MAX)		/* a quarter at once, so that it need not be moved for each */
		memmove(f->items, f->items + FLIGHT_MAX / 4, (f->count -= FLIGHT_MAX / 4) * sizeof *f->items);
	f->items[f->count++] = *item;
}

static void suspect(struct flight *f, const struct flight_item *item)
{
	f->suspects[f->suspect_count++ % FLIGHT_SUSPECTS] = *item;
}

/* Octets that lie, in part at least, before what was sent last. */
static struct flight_news sent_back(struct flight *f, const struct flight_item *item)
{
	struct flight_news news = { .order = FLIGHT_LATE, .lost = FLIGHT_NONE };
	bool last = true;
	if (f->has_una && reached(f->una, item->end))
		news.order = FLIGHT_AGAIN;
	for (size_t i = f->count; i > 0; i--) {
		struct flight_item *earlier = &f->items[i - 1];
		if (!touches(earlier, item))
			continue;
		news.order = FLIGHT_AGAIN;
		earlier->twice = true;
		/* It is the last copy that counts; of a large one a part may have come. */
		if (last && !earlier->arrived && covers(item->seq, item->end, earlier)) {
			news.lost = earlier->id;
			suspect(f, earlier);
		}
		last = false;
	}
	return news;
}

struct flight_news flight_sent(struct flight *f, const struct flight_item *item)
{
	struct flight_news news = { .order = FLIGHT_NEW, .lost = FLIGHT_NONE };
	struct flight_item mine = *item;
	if (f->has_nxt && !reached(item->seq, f->nxt))
		news = sent_back(f, item);
	mine.arrived = false;
	mine.twice = news.order != FLIGHT_NEW;
	if (!f->has_nxt || reached(item->end, f->nxt))
		f->nxt = item->end;
	f->has_nxt = true;
	remember(f, &mine);
	return news;
}

void flight_acked(struct flight *f, uint32_t ack, usec_t now_us)
{
	size_t kept = 0;
	if (f->has_una && reached(f->una, ack))
		return;
	f->una = ack;
	f->has_una = true;
	for (size_t i = 0; i < f->count; i++) {
		const struct flight_item *item = &f->items[i];
		if (!reached(ack, item->end))
			f->items[kept++] = *item;
		else if (!item->twice && now_us - item->at_us < f->rtt_us)
			f->rtt_us = now_us - item->at_us;
	}
	f->count = kept;
}

size_t flight_sacked(struct flight *f, uint32_t start, uint32_t end, bool twice)
{
	for (size_t i = 0; i < f->count; i++)
		if (covers(start, end, &f->items[i]))
			f->items[i].arrived = true;
	size_t known = f->suspect_count < FLIGHT_SUSPECTS ? f->suspect_count : FLIGHT_SUSPECTS;
	for (size_t i = 0; twice && i < known; i++) {
		struct flight_item *s = &f->suspects[(f->suspect_count - 1 - i) % FLIGHT_SUSPECTS];
		if (!s->arrived && covers(start, end, s)) {
			s->arrived = true;
			return s->id;
		}
	}
	return FLIGHT_NONE;
}
