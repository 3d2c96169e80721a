/* table.c: the table of sockets. Owns the slots, the generations that make a stale descriptor an error for ever, and the
 * lists of sockets that something has happened to. Every function is O(1) but sockets_wake, which moves those who wait. */
#include "socket.h"

#define GENERATION_MAX 0x7fffffffu	/* 31 bits, so that a descriptor is never negative; 0 is never one */

size_t sockets_size(const struct tapir_config *cfg)
{
	uintptr_t at = 0;

	carve(&at, sizeof(struct sockets));
	carve(&at, sizeof(struct socket) * cfg->max_sockets);
	carve(&at, dgrams_size(cfg));
	return at;
}

void sockets_init(struct tapir *t, void *mem)
{
	uintptr_t at = (uintptr_t)mem;

	t->sockets = carve(&at, sizeof(struct sockets));
	*t->sockets = (struct sockets){.max = t->cfg.max_sockets, .collecting = LIST_DISPATCH_0};
	t->sockets->slots = carve(&at, sizeof(struct socket) * t->cfg.max_sockets);
	dgrams_init(t, carve(&at, dgrams_size(&t->cfg)));
}

static struct socket *take_slot(struct sockets *all)
{
	struct socket *s = socket_of(all, all->free);

	if (s) {
		all->free = s->next;
		return s;
	}
	if (all->fresh == all->max)
		return NULL;
	s = &all->slots[all->fresh++];
	s->generation = 1;
	return s;
}

static void put_slot(struct sockets *all, struct socket *s)
{
	s->next = all->free;
	all->free = socket_number(all, s);
}

struct socket *socket_new(struct tapir *t, enum tapir_sock_type type)
{
	struct socket *s = take_slot(t->sockets);
	uint32_t generation;

	if (!s)
		return NULL;
	generation = s->generation;
	memset(s, 0, sizeof *s);
	s->generation = generation;
	if (type == TAPIR_SOCK_DGRAM && !dgram_open(t, s)) {
		put_slot(t->sockets, s);
		return NULL;
	}
	s->type = type & 3;
	t->sockets->used++;
	return s;
}

void socket_free(struct tapir *t, struct socket *s)
{
	struct sockets *all = t->sockets;
	struct socket *waiting;

	socket_unlist(t, s);
	if (all->showing == s)
		all->showing = NULL;
	s->type = 0;
	s->generation = s->generation == GENERATION_MAX ? 1 : s->generation + 1;
	put_slot(all, s);
	all->used--;
	while ((waiting = socket_pop(t, LIST_SLOT)))
		socket_changed(t, waiting);
}

struct socket *socket_find(const struct tapir *t, tapir_sd sd)
{
	uint32_t slot = (uint32_t)((uint64_t)sd & UINT32_MAX), generation = (uint32_t)((uint64_t)sd >> 32);
	struct socket *s;

	if (sd < 0 || slot >= t->sockets->fresh)
		return NULL;
	s = &t->sockets->slots[slot];
	return s->type && s->generation == generation ? s : NULL;
}

struct socket *socket_find_stream(const struct tapir *t, tapir_sd sd, int *error)
{
	struct socket *s = socket_find(t, sd);

	*error = !s ? TAPIR_EBADF : s->type == TAPIR_SOCK_STREAM ? 0 : TAPIR_EOPNOTSUPP;
	return *error ? NULL : s;
}

tapir_sd socket_sd(const struct tapir *t, const struct socket *s)
{
	return (tapir_sd)(s - t->sockets->slots) | (tapir_sd)s->generation << 32;
}

static void append(struct tapir *t, struct socket *s, enum socket_list_id id)
{
	struct sockets *all = t->sockets;
	struct socket_list *list = &all->lists[id];
	uint32_t number = socket_number(all, s);

	s->list = id & 7;
	s->next = 0;
	s->prev = list->tail;
	*(list->tail ? &socket_of(all, list->tail)->next : &list->head) = number;
	list->tail = number;
}

void socket_unlist(struct tapir *t, struct socket *s)
{
	struct sockets *all = t->sockets;
	struct socket_list *list = &all->lists[s->list];

	if (s->list == LIST_NONE)
		return;
	*(s->prev ? &socket_of(all, s->prev)->next : &list->head) = s->next;
	*(s->next ? &socket_of(all, s->next)->prev : &list->tail) = s->prev;
	s->list = LIST_NONE;
}

struct socket *socket_pop(struct tapir *t, enum socket_list_id id)
{
	struct socket *s = socket_of(t->sockets, t->sockets->lists[id].head);

	if (s)
		socket_unlist(t, s);
	return s;
}

void socket_changed(struct tapir *t, struct socket *s)
{
	if (s->list == LIST_POLL || s->list == LIST_DISPATCH_0 || s->list == LIST_DISPATCH_1)
		return;
	socket_unlist(t, s);
	append(t, s, s->handlers ? t->sockets->collecting : LIST_POLL);
}

void socket_wait(struct tapir *t, struct socket *s, enum socket_list_id list)
{
	if (s->list == LIST_NONE)
		append(t, s, list);
}

/* True when a program's send can get a buffer, and the output queue takes a datagram. */
static bool has_memory(struct tapir *t)
{
	struct tapir_frame *f = frame_get_for_queue(&t->frames, FRAME_SMALL);

	frame_put(&t->frames, f);
	return f && udp_can_send(t);
}

static bool wake(struct tapir *t, enum socket_list_id list)
{
	struct socket *s;

	while ((s = socket_pop(t, list)))
		socket_changed(t, s);
	return true;
}

bool sockets_wake(struct tapir *t)
{
	bool woke = false;

	if (t->sockets->lists[LIST_MEMORY].head && has_memory(t))
		woke = wake(t, LIST_MEMORY);
	if (t->sockets->lists[LIST_BORROWED].head && t->frames.borrowed.free)
		woke |= wake(t, LIST_BORROWED);
	return woke;
}

/* --- upcalls from tcp/ and udp/ --- */

void socket_tcp_ready(struct tapir *t, struct tcp_conn *c)
{
	struct socket *s = socket_of(t->sockets, c->owner);

	if (c->state != TCP_CLOSED && c->state != TCP_SYN_SENT && c->state != TCP_SYN_RCVD)
		s->connected = true;
	socket_changed(t, s);
}

void socket_tcp_incoming(struct tapir *t, const struct tcp_bound *b)
{
	socket_changed(t, socket_of(t->sockets, b->owner));
}

void socket_udp_ready(struct tapir *t, struct udp_sock *u)
{
	struct socket *s = socket_of(t->sockets, u->owner);
	struct tapir_frame *f;

	while (s->shut_rd && (f = dgram_pop(s)))	/* SHUT_RD: what arrives is thrown away */
		frame_put(&t->frames, f);
	socket_changed(t, s);
}
