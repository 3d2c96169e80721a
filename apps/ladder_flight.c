/* ladder_flight.c: see ladder_flight.h. Sequence numbers are compared modulo 2^32 (RFC 9293 3.4). */
#include "ladder_flight.h"

#include <stdlib.h>
#include <string.h>

#define LATEST 16u			/* suspects of which a D-SACK may still speak */

static bool reached(uint32_t a, uint32_t b)
{
	return (int32_t)(a - b) >= 0;
}

static bool covers(const struct flight_block *b, uint32_t seq, uint32_t seq_end)
{
	return reached(seq, b->start) && reached(b->end, seq_end);
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
	free(f->suspects);
	flight_init(f);
}

/* Without memory nothing is remembered, and so nothing told lost. */
static void remember(struct flight *f, const struct flight_item *item)
{
	if (!f->items)
		f->items = malloc(FLIGHT_MAX * sizeof *f->items);
	if (!f->items)
		return;
	if (f->count == FLIGHT_MAX) {		/* a quarter at once, so that it need not be moved for each */
		f->count -= FLIGHT_MAX / 4;
		memmove(f->items, f->items + FLIGHT_MAX / 4, f->count * sizeof *f->items);
	}
	f->items[f->count++] = *item;
}

/* Its number, plus one; 0: there is no memory. */
static size_t suspect(struct flight *f, const struct flight_item *item, usec_t again_us)
{
	if (f->suspect_count == f->suspect_room) {
		size_t room = f->suspect_room ? 2 * f->suspect_room : 16;
		struct flight_suspect *suspects = realloc(f->suspects, room * sizeof *suspects);
		if (!suspects)
			return 0;
		f->suspects = suspects;
		f->suspect_room = room;
	}
	f->suspects[f->suspect_count++] = (struct flight_suspect){
		.id = item->id, .seq = item->seq, .end = item->end, .at_us = item->at_us, .again_us = again_us,
		.acked_us = USEC_NEVER,
	};
	return f->suspect_count;
}

/* Octets that lie, in part at least, before what was sent last. */
static struct flight_news sent_back(struct flight *f, struct flight_item *item)
{
	struct flight_news news = { .order = FLIGHT_LATE, .lost = FLIGHT_NONE };
	const struct flight_block mine = { .start = item->seq, .end = item->end };
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
		if (last && !earlier->arrived && covers(&mine, earlier->seq, earlier->end))
			item->suspect = suspect(f, earlier, item->at_us);
		if (last && item->suspect)
			news.lost = earlier->id;
		last = false;
	}
	return news;
}

struct flight_news flight_sent(struct flight *f, const struct flight_item *item)
{
	struct flight_news news = { .order = FLIGHT_NEW, .lost = FLIGHT_NONE };
	struct flight_item mine = { .id = item->id, .seq = item->seq, .end = item->end, .at_us = item->at_us };
	if (f->has_nxt && !reached(item->seq, f->nxt))
		news = sent_back(f, &mine);
	mine.twice = news.order != FLIGHT_NEW;
	if (!f->has_nxt || reached(item->end, f->nxt))
		f->nxt = item->end;
	f->has_nxt = true;
	remember(f, &mine);
	return news;
}

static void answered(struct flight *f, const struct flight_item *item, usec_t now_us)
{
	if (!item->twice && now_us - item->at_us < f->rtt_us)
		f->rtt_us = now_us - item->at_us;
	if (item->suspect)
		f->suspects[item->suspect - 1].acked_us = now_us;
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
		else if (!item->arrived)
			answered(f, item, now_us);
	}
	f->count = kept;
}

void flight_sacked(struct flight *f, const struct flight_block *b)
{
	for (size_t i = 0; i < f->count; i++) {
		struct flight_item *item = &f->items[i];
		if (item->arrived || !covers(b, item->seq, item->end))
			continue;
		item->arrived = true;
		answered(f, item, b->at_us);
	}
	for (size_t i = f->suspect_count, n = 0; b->twice && i > 0 && n < LATEST; i--, n++) {
		struct flight_suspect *s = &f->suspects[i - 1];
		if (!s->arrived && covers(b, s->seq, s->end)) {
			s->arrived = true;
			return;
		}
	}
}

void flight_finish(struct flight *f)
{
	usec_t known_us = f->rtt_us;
	for (size_t i = 0; i < f->suspect_count; i++) {
		struct flight_suspect *s = &f->suspects[i];
		if (s->acked_us == USEC_NEVER)
			continue;
		/* Three quarters, since a path is not always the same. */
		if (known_us != USEC_NEVER && s->acked_us - s->again_us < known_us / 4 * 3)
			s->arrived = true;
		usec_t took_us = s->acked_us - (s->arrived ? s->at_us : s->again_us);
		if (took_us < f->rtt_us)
			f->rtt_us = took_us;
	}
}
