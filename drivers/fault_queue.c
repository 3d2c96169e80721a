/* fault_queue.c: the queue in front of a rate limit: first in, first out; drop-tail, and CoDel (RFC 8289 5) if it is wanted.
 *
 * It keeps no timer: fault_queue_take works off all that the link has done since the last call, each step at the time when it
 * happened. Invariant: when a packet is taken, everything behind it had been queued by the time it was taken. */
#include <math.h>
#include <stdlib.h>
#include "fault_lane.h"

#define NS_PER_US 1000u
#define AT_ONCE_BYTES 1514u		/* RFC 8289 5.4: what may always wait, one frame */

static double ns_per_byte(const struct fault_config *cfg)
{
	return cfg->rate_bps ? 8e9 / (double)cfg->rate_bps : 0;
}

/* Bytes that wait, counting what is left of the packet that is being sent. */
static double backlog(const struct fault_queue *q, const struct fault_config *cfg, uint64_t now_ns)
{
	double unsent = 0;

	if (cfg->rate_bps && q->free_at_ns > now_ns)
		unsent = (double)(q->free_at_ns - now_ns) / ns_per_byte(cfg);
	return q->bytes + unsent;
}

bool fault_queue_put(struct fault_queue *q, const struct fault_config *cfg, struct packet *p, usec_t now_us)
{
	double waiting = backlog(q, cfg, now_us * NS_PER_US);

	if (waiting > 0 && waiting + p->len > cfg->queue_bytes) {
		free(p);
		return false;
	}
	p->queued_us = now_us;
	p->next = NULL;
	if (q->head)
		q->tail->next = p;
	else
		q->head = p;
	q->tail = p;
	q->bytes += p->len;
	return true;
}

static struct packet *pop(struct fault_queue *q)
{
	struct packet *p = q->head;

	if (p == NULL)
		return NULL;
	q->head = p->next;
	q->bytes -= p->len;
	return p;
}

/* ---- CoDel, in the words of RFC 8289 5 ---- */

struct turn {			/* one dequeue */
	struct fault_queue *q;
	const struct fault_config *cfg;
	struct fault_stats *stats;
	usec_t now_us;
	bool may_drop;		/* the packet that was looked at last */
};

/* dodequeue(): the next packet, and whether it may be dropped. */
static struct packet *judge_next(struct turn *t)
{
	struct codel *c = &t->q->codel;
	struct packet *p = pop(t->q);

	t->may_drop = false;
	if (p == NULL || t->now_us - p->queued_us < t->cfg->codel_target_us || t->q->bytes <= AT_ONCE_BYTES) {
		c->over = false;
	} else if (!c->over) {
		c->over = true;
		c->above_us = t->now_us + t->cfg->codel_interval_us;
	} else {
		t->may_drop = t->now_us >= c->above_us;
	}
	return p;
}

static usec_t control_law(const struct turn *t, usec_t at_us, uint32_t count)
{
	return at_us + (usec_t)((double)t->cfg->codel_interval_us / sqrt(count));
}

/* Marks *p, or drops it and puts the next in its place; true: it was marked. */
static bool punish(struct turn *t, struct packet **p)
{
	if (t->cfg->mark && fault_mark_ce(*p, t->q->ip_only)) {
		t->stats->marked++;
		return true;
	}
	t->stats->shed++;
	free(*p);
	*p = judge_next(t);
	return false;
}

static struct packet *go_on_dropping(struct turn *t, struct packet *p)
{
	struct codel *c = &t->q->codel;

	while (c->dropping && t->now_us >= c->next_us) {
		bool marked;

		c->count++;
		marked = punish(t, &p);
		if (marked || t->may_drop)
			c->next_us = control_law(t, c->next_us, c->count);
		else
			c->dropping = false;
		if (marked)
			break;
	}
	return p;
}

static struct packet *begin_dropping(struct turn *t, struct packet *p)
{
	struct codel *c = &t->q->codel;
	uint32_t delta = c->count - c->last_count;
	bool recently = t->now_us < c->next_us + 16 * t->cfg->codel_interval_us;

	punish(t, &p);
	c->dropping = true;
	c->count = delta > 1 && recently ? delta : 1;
	c->next_us = control_law(t, t->now_us, c->count);
	c->last_count = c->count;
	return p;
}

static struct packet *codel_take(struct turn *t)
{
	struct packet *p = judge_next(t);

	t->q->codel.dropping &= t->may_drop;
	if (t->q->codel.dropping)
		return go_on_dropping(t, p);
	return t->may_drop ? begin_dropping(t, p) : p;
}

/* ---- the link ---- */

static uint64_t next_start_ns(const struct fault_queue *q)
{
	uint64_t queued_ns = q->head->queued_us * NS_PER_US;

	return q->free_at_ns > queued_ns ? q->free_at_ns : queued_ns;
}

struct packet *fault_queue_take(struct fault_queue *q, const struct fault_config *cfg, usec_t now_us, struct fault_stats *stats)
{
	struct turn t = {.q = q, .cfg = cfg, .stats = stats};
	uint64_t start_ns;
	struct packet *p;

	if (q->head == NULL)
		return NULL;
	start_ns = next_start_ns(q);
	if (start_ns > now_us * NS_PER_US)
		return NULL;
	t.now_us = start_ns / NS_PER_US;
	p = cfg->codel ? codel_take(&t) : pop(q);
	if (p == NULL)
		return NULL;
	q->free_at_ns = start_ns + (uint64_t)(p->len * ns_per_byte(cfg));
	p->due_us = (q->free_at_ns + NS_PER_US - 1) / NS_PER_US;
	return p;
}

usec_t fault_queue_wake_us(const struct fault_queue *q)
{
	return q->head ? (next_start_ns(q) + NS_PER_US - 1) / NS_PER_US : USEC_NEVER;
}

void fault_queue_free(struct fault_queue *q)
{
	struct packet *p;

	while ((p = pop(q)) != NULL)
		free(p);
}
