/* fault_lane.c: one direction of a bad line: behind the queue come delay and jitter, then reordering. What survived all that
 * waits in a heap ordered by due time. */
#include <stdlib.h>
#include "fault_lane.h"

#define LANE_FRAMES 65536u		/* that one direction holds at most behind its queue, whatever the delay */
#define HOLD_US (5 * TAPIR_MS)		/* a reordered frame waits at least so long for others to pass it */

/* ---- random numbers: splitmix64 ---- */

uint64_t fault_draw(struct fault_lane *lane)
{
	uint64_t z = lane->random += 0x9e3779b97f4a7c15u;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
	z = (z ^ z >> 27) * 0x94d049bb133111ebu;
	return z ^ z >> 31;
}

bool fault_chance(struct fault_lane *lane, double p)
{
	return (double)(fault_draw(lane) >> 11) * 0x1p-53 < p;
}

struct packet *fault_packet_new(uint32_t len)
{
	struct packet *p = calloc(1, sizeof *p + len);

	if (p)
		p->len = len;
	return p;
}

/* ---- the heap of what is under way ---- */

static bool goes_before(const struct packet *a, const struct packet *b)
{
	return a->due_us != b->due_us ? a->due_us < b->due_us : a->order < b->order;
}

static void heap_swap(struct fault_lane *lane, size_t i, size_t j)
{
	struct packet *p = lane->heap[i];

	lane->heap[i] = lane->heap[j];
	lane->heap[j] = p;
}

/* Takes p over; false, with p freed, when there is no room. */
static bool heap_push(struct fault_lane *lane, struct packet *p)
{
	size_t i = lane->count;

	if (lane->count == lane->room) {
		size_t room = lane->room ? 2 * lane->room : 64;
		struct packet **heap = room <= LANE_FRAMES ? realloc(lane->heap, room * sizeof *heap) : NULL;

		if (heap == NULL) {
			free(p);
			return false;
		}
		lane->heap = heap;
		lane->room = room;
	}
	p->order = lane->orders++;
	lane->heap[lane->count++] = p;
	for (; i > 0 && goes_before(lane->heap[i], lane->heap[(i - 1) / 2]); i = (i - 1) / 2)
		heap_swap(lane, i, (i - 1) / 2);
	return true;
}

static void heap_pop(struct fault_lane *lane)
{
	size_t i = 0;

	lane->heap[0] = lane->heap[--lane->count];
	for (;;) {
		size_t least = i;

		for (size_t child = 2 * i + 1; child <= 2 * i + 2 && child < lane->count; child++)
			if (goes_before(lane->heap[child], lane->heap[least]))
				least = child;
		if (least == i)
			return;
		heap_swap(lane, i, least);
		i = least;
	}
}

/* ---- behind the queue ---- */

static void note_passed(struct fault_lane *lane, struct fault_stats *stats, usec_t due_us)
{
	struct packet *held = lane->held;

	if (held == NULL || due_us > held->due_us)
		return;
	if (!lane->passed)
		stats->reordered++;
	lane->passed = true;
	if (--lane->passers > 0)
		return;
	held->due_us = due_us;		/* the same time and a later order: right behind the last passer */
	lane->held = NULL;
	if (!heap_push(lane, held))
		stats->overflowed++;
}

/* Puts p, which has left the queue at its due_us, behind the delay. */
static void delay(struct fault_lane *lane, const struct fault_config *cfg, struct fault_stats *stats, struct packet *p)
{
	usec_t due_us = p->due_us + cfg->delay_us + p->jitter_us;

	if (due_us < lane->last_due_us)
		due_us = lane->last_due_us;
	lane->last_due_us = due_us;
	if (p->reorder && lane->held == NULL) {
		p->due_us = due_us + (cfg->delay_us > HOLD_US ? cfg->delay_us : HOLD_US);
		lane->held = p;
		lane->passers = p->passers;
		lane->passed = false;
		return;
	}
	p->due_us = due_us;
	if (heap_push(lane, p))
		note_passed(lane, stats, due_us);
	else
		stats->overflowed++;
}

/* Moves what the link has sent by now_us. Exact however late it is called, as long as it is called before each put. */
static void pump(struct fault_lane *lane, const struct fault_config *cfg, struct fault_stats *stats, usec_t now_us)
{
	struct packet *p;

	while ((p = fault_queue_take(&lane->queue, cfg, now_us, stats)) != NULL)
		delay(lane, cfg, stats, p);
}

void fault_lane_put(struct fault_lane *lane, const struct fault_config *cfg, struct fault_stats *stats, struct packet *p,
		    usec_t now_us)
{
	pump(lane, cfg, stats, now_us);
	if (fault_queue_put(&lane->queue, cfg, p, now_us))
		pump(lane, cfg, stats, now_us);
	else
		stats->overflowed++;
}

struct packet *fault_lane_first(struct fault_lane *lane, const struct fault_config *cfg, struct fault_stats *stats,
				usec_t now_us)
{
	struct packet *first;

	pump(lane, cfg, stats, now_us);
	first = lane->count ? lane->heap[0] : NULL;
	if (lane->held && (first == NULL || lane->held->due_us < first->due_us))
		first = lane->held;
	return first && first->due_us <= now_us ? first : NULL;
}

void fault_lane_remove_first(struct fault_lane *lane, struct packet *first)
{
	if (first == lane->held)
		lane->held = NULL;
	else
		heap_pop(lane);
	free(first);
}

usec_t fault_lane_due_us(const struct fault_lane *lane, const struct fault_config *cfg)
{
	usec_t due_us = fault_queue_wake_us(&lane->queue);

	/* Nothing that is queued can arrive sooner; and at a busy link that is when the one before it arrives. */
	if (due_us != USEC_NEVER)
		due_us += cfg->delay_us;
	if (lane->count && lane->heap[0]->due_us < due_us)
		due_us = lane->heap[0]->due_us;
	if (lane->held && lane->held->due_us < due_us)
		due_us = lane->held->due_us;
	return due_us == USEC_NEVER || due_us > lane->retry_us ? due_us : lane->retry_us;
}

void fault_lane_free(struct fault_lane *lane)
{
	for (size_t i = 0; i < lane->count; i++)
		free(lane->heap[i]);
	free(lane->heap);
	free(lane->held);
	fault_queue_free(&lane->queue);
}
