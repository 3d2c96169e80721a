/* loop_timer.c: the times that a program waits for on the loop: a heap, the earliest first. Setting and firing are
 * O(log n), cancelling O(n): a program has few timers of its own; the stack's thousands are in the stack's wheel. */
#include <assert.h>
#include <stdlib.h>
#include "loop_internal.h"

static bool goes_before(const struct timer *a, const struct timer *b)
{
	return a->at_us != b->at_us ? a->at_us < b->at_us : a->id < b->id;
}

static void swap(struct timers *t, size_t i, size_t j)
{
	struct timer kept = t->heap[i];

	t->heap[i] = t->heap[j];
	t->heap[j] = kept;
}

static void sift_up(struct timers *t, size_t i)
{
	for (; i > 0 && goes_before(&t->heap[i], &t->heap[(i - 1) / 2]); i = (i - 1) / 2)
		swap(t, i, (i - 1) / 2);
}

static void sift_down(struct timers *t, size_t i)
{
	for (;;) {
		size_t least = i;

		for (size_t child = 2 * i + 1; child <= 2 * i + 2 && child < t->count; child++)
			if (goes_before(&t->heap[child], &t->heap[least]))
				least = child;
		if (least == i)
			return;
		swap(t, i, least);
		i = least;
	}
}

static void take_out(struct timers *t, size_t i)
{
	t->count--;
	if (i == t->count)
		return;
	t->heap[i] = t->heap[t->count];
	sift_up(t, i);
	sift_down(t, i);
}

uint64_t loop_at(struct loop *l, usec_t at_us, void (*cb)(void *ctx), void *ctx)
{
	struct timers *t = &l->timers;

	assert(loop_is_owner(l));
	if (t->count == t->room) {
		size_t room = t->room ? 2 * t->room : 16;
		struct timer *heap = realloc(t->heap, room * sizeof *heap);

		if (heap == NULL)
			return 0;
		t->heap = heap;
		t->room = room;
	}
	t->heap[t->count] = (struct timer){.at_us = at_us, .id = ++t->last_id, .cb = cb, .ctx = ctx};
	sift_up(t, t->count++);
	return t->last_id;
}

void loop_cancel(struct loop *l, uint64_t id)
{
	struct timers *t = &l->timers;

	assert(loop_is_owner(l));
	for (size_t i = 0; i < t->count; i++) {
		if (t->heap[i].id == id) {
			take_out(t, i);
			return;
		}
	}
}

usec_t timers_due_us(const struct timers *t)
{
	return t->count ? t->heap[0].at_us : USEC_NEVER;
}

/* A timer that a callback sets waits for the next turn even when its time has come: no callback can keep the loop here. */
void timers_run(struct loop *l)
{
	struct timers *t = &l->timers;
	uint64_t last_id = t->last_id;

	while (t->count > 0 && t->heap[0].at_us <= l->now_us && t->heap[0].id <= last_id) {
		struct timer first = t->heap[0];

		take_out(t, 0);
		first.cb(first.ctx);
	}
}

void timers_free(struct timers *t)
{
	free(t->heap);
}
