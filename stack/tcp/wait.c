/* wait.c: what happens when every sender, or every record, is in use (sender.h). Whoever has something to send and nothing under
 * way then waits in one line, t->tcp->waiting, oldest first; a connection with something under way needs not, since its next
 * ACK makes it look again.
 *
 * Nobody starves: as long as somebody waits, who has nothing under way stands behind, even with a sender that nobody has
 * taken away yet, and who has may not take the last record. Whatever is given back makes the first in the line ready. That one
 * leaves the line with its first record, or when output.c has found that it may not send after all: then the next is ready. The
 * wait is ours: its peer is not found silent over it (RFC 9293 3.8.6.1, timeout.c).
 *
 * Invariants: who waits has nothing under way. While anyone waits, either there is no sender or no record to be had, or the
 * first in the line is ready. */
#include "internal.h"

static bool is_to_be_had(const struct tapir *t)
{
	return t->tcp->senders.free_sent && (t->tcp->senders.free || t->tcp->senders.idle);
}

void tcp_waiting_wake(struct tapir *t)
{
	if (t->tcp->waiting.head && is_to_be_had(t))
		tcp_ready(t, tcp_slot(t, t->tcp->waiting.head));
}

static void wait_for_sender(struct tapir *t, struct tcp_conn *c)
{
	if (c->waits)
		return;
	c->waits = true;
	tcp_queue_append(t, &t->tcp->waiting, c, LINK_WAITING);
	if (c->sender)
		tcp_sender_idle(t, c);		/* it is for the first in the line */
}

void tcp_waiting_leave(struct tapir *t, struct tcp_conn *c)
{
	if (!c->waits)
		return;
	c->waits = false;
	tcp_queue_remove(t, &t->tcp->waiting, c, LINK_WAITING);
	tcp_waiting_wake(t);
}

/* For one that has something under way. */
static bool has_record(const struct tapir *t)
{
	const struct tcp_sent *first = t->tcp->senders.free_sent;

	return first && (!t->tcp->waiting.head || first->next);
}

static bool has_turn(const struct tapir *t, const struct tcp_conn *c)
{
	uint32_t first = t->tcp->waiting.head;

	return !first || first == tcp_number(t, c);
}

bool tcp_sender_has_room(struct tapir *t, struct tcp_conn *c)
{
	if (c->sender && c->sender->first)
		return has_record(t);
	c->no_sender = !has_turn(t, c) || !t->tcp->senders.free_sent || !tcp_sender_get(t, c);
	if (c->no_sender)
		wait_for_sender(t, c);
	return !c->no_sender;
}

void tcp_sender_rest(struct tapir *t, struct tcp_conn *c)
{
	if (!c->no_sender)
		tcp_waiting_leave(t, c);
	if (c->sender && !c->sender->first)
		tcp_sender_idle(t, c);
	c->no_sender = false;
}

/* --- the invariants of tcp_check_all ----------------------------------------------------------------------------- */

void tcp_waiting_check(const struct tapir *t)
{
	const struct tcp_conn *c = tcp_slot(t, t->tcp->waiting.head);

	assert(!c || !is_to_be_had(t) || c->is_ready);
	for (uint32_t prev = 0; c; prev = tcp_number(t, c), c = tcp_slot(t, c->links[LINK_WAITING].next))
		assert(c->waits && c->links[LINK_WAITING].prev == prev && (!c->sender || !c->sender->first));
}
