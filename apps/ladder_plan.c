/* ladder_plan.c: see ladder_plan.h. Between two rungs that only count, all moments at which a segment leaves or arrives are put
 * in order and get their heights from the top down; what comes behind a rung that counts stands below it. */
#include "ladder_plan.h"

#include <stdlib.h>

#define ROW 26				/* between two ends on one side: a line of words, and air */
#define FALL 12				/* of every arrow at least */
#define COUNTED 44			/* the height of a rung that counts */
#define SILENCE 40			/* and of a gap */
#define DOUBLINGS 2			/* pixels for each doubling of a time */

struct moment { int64_t at_us; size_t rung; bool arrives; };

struct cursor {
	struct ladder_plan *plan;
	const struct ladder_conn *conn;
	int y, last[2];			/* the lowest so far, and on each side */
	bool used[2];
	size_t under_way;
	int64_t at_us;
	bool started;
};

static int compare(const void *a, const void *b)
{
	const struct moment *x = a, *y = b;
	if (x->at_us != y->at_us)
		return x->at_us < y->at_us ? -1 : 1;
	if (x->rung != y->rung)
		return x->rung < y->rung ? -1 : 1;
	return (int)x->arrives - (int)y->arrives;
}

static int room_for(int64_t us)
{
	int room = 0;
	for (; us > 0; us /= 2)
		room += DOUBLINGS;
	return room;
}

static void pass_time(struct cursor *k, int64_t at_us)
{
	int64_t us = k->started ? at_us - k->at_us : 0;
	if (us >= (int64_t)LADDER_GAP_US && k->under_way == 0) {
		k->plan->gaps[k->plan->gap_count++] = (struct ladder_gap){ k->y + SILENCE / 2 + FALL / 2, (usec_t)us };
		k->y += SILENCE + FALL;
	} else {
		k->y += room_for(us);
	}
	k->at_us = at_us > k->at_us || !k->started ? at_us : k->at_us;
	k->started = true;
}

static void place_moment(struct cursor *k, const struct moment *m)
{
	const struct ladder_rung *r = &k->conn->rungs[m->rung];
	struct ladder_place *place = &k->plan->places[m->rung];
	int side = m->arrives ? !r->from : r->from;
	/* What is lost leaves no mark on the other side. */
	bool marks = !m->arrives || r->fate == LADDER_ARRIVED;
	pass_time(k, m->at_us);
	if (marks && k->used[side] && k->y < k->last[side] + ROW)
		k->y = k->last[side] + ROW;
	if (m->arrives && k->y < place->y[!side] + FALL)
		k->y = place->y[!side] + FALL;
	place->y[side] = k->y;
	k->under_way = m->arrives ? k->under_way - 1 : k->under_way + 1;
	if (!marks)
		return;
	k->last[side] = k->y;
	k->used[side] = true;
}

static void place_counted(struct cursor *k, size_t rung)
{
	int y = k->y + (k->started ? COUNTED / 2 + FALL / 2 : COUNTED / 2);
	k->plan->places[rung] = (struct ladder_place){ { y, y } };
	k->y = k->last[0] = k->last[1] = y + COUNTED / 2 + FALL / 2 - ROW / 2;
	k->used[0] = k->used[1] = true;
	k->started = false;		/* how long it took is not told */
}

/* The rungs from first up to the next one that counts; returns where that is. */
static size_t place_group(struct cursor *k, size_t first, struct moment *moments)
{
	const struct ladder_conn *c = k->conn;
	size_t n = 0, i = first;
	for (; i < c->count && c->rungs[i].from >= 0; i++) {
		const struct ladder_rung *r = &c->rungs[i];
		moments[n++] = (struct moment){ (int64_t)(r->at_us - c->delay_us[r->from]), i, false };
		moments[n++] = (struct moment){ (int64_t)(r->at_us + c->delay_us[!r->from]), i, true };
	}
	qsort(moments, n, sizeof *moments, compare);
	for (size_t m = 0; m < n; m++)
		place_moment(k, &moments[m]);
	return i;
}

bool ladder_plan(struct ladder_plan *p, const struct ladder_conn *c)
{
	struct moment *moments = malloc((2 * c->count + 1) * sizeof *moments);
	*p = (struct ladder_plan){
		.places = calloc(c->count + 1, sizeof *p->places), .gaps = calloc(2 * c->count + 1, sizeof *p->gaps),
	};
	struct cursor k = { .plan = p, .conn = c };
	for (size_t i = 0; moments && p->places && p->gaps && i < c->count; i++) {
		i = place_group(&k, i, moments);
		if (i < c->count)
			place_counted(&k, i);
	}
	p->height = k.y;
	free(moments);
	return moments && p->places && p->gaps;
}

void ladder_plan_free(struct ladder_plan *p)
{
	free(p->places);
	free(p->gaps);
}
