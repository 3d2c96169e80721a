/* queue.c: see queue.h. Also the numbers of connections, which are what the links are made of. */
#include "internal.h"

void tcp_queue_append(struct tapir *t, struct tcp_queue *q, struct tcp_conn *c, enum tcp_link_kind kind)
{
	uint32_t number = tcp_number(t, c);

	c->links[kind] = (struct tcp_link){.prev = q->tail};
	*(q->tail ? &tcp_slot(t, q->tail)->links[kind].next : &q->head) = number;
	q->tail = number;
}

void tcp_queue_remove(struct tapir *t, struct tcp_queue *q, struct tcp_conn *c, enum tcp_link_kind kind)
{
	struct tcp_link link = c->links[kind];

	*(link.prev ? &tcp_slot(t, link.prev)->links[kind].next : &q->head) = link.next;
	*(link.next ? &tcp_slot(t, link.next)->links[kind].prev : &q->tail) = link.prev;
}

/* --- accept queues and orphans: a connection is in one of them at most ------------------------------------------- */

static struct tcp_queue *queue_of(struct tapir *t, const struct tcp_conn *c)
{
	return c->queue == QUEUE_ACCEPT ? &tcp_bound_of(t, c->listener)->listener.accept : &t->tcp->orphans;
}

void tcp_enqueue(struct tapir *t, struct tcp_conn *c, enum tcp_queue_id queue)
{
	assert(c->queue == QUEUE_NONE && queue != QUEUE_NONE);
	c->queue = queue & 3;
	tcp_queue_append(t, queue_of(t, c), c, LINK_QUEUE);
}

void tcp_dequeue(struct tapir *t, struct tcp_conn *c)
{
	if (c->queue == QUEUE_NONE)
		return;
	tcp_queue_remove(t, queue_of(t, c), c, LINK_QUEUE);
	c->queue = QUEUE_NONE;
}
