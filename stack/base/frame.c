/* frame.c: the pools of buffers. Owns which buffer is free. Never looks at what is in one.
 *
 * The descriptors (struct tapir_frame) lie in arrays apart from the storage, and the free lists are last in, first out:
 * storage that was never needed is never touched, and what was used last is still in the cache.
 *
 * Invariant of a buffer in use, its own or borrowed: data + room is the end of its storage; len <= room. */
#include "frame.h"

static size_t round_64(size_t n)
{
	return (n + 63) & ~(size_t)63;
}

static size_t descriptors_size(uint32_t small, uint32_t large)
{
	return round_64(((size_t)small * 2 + large) * sizeof(struct tapir_frame));
}

size_t frame_pools_size(uint32_t small, uint32_t large)
{
	return descriptors_size(small, large) + (size_t)small * FRAME_SMALL + (size_t)large * FRAME_LARGE;
}

/* Fills the free list with count descriptors over storage of cap bytes each; the first of the array comes out first. */
static void pool_init(struct frame_pool *pool, struct tapir_frame *frames, uint32_t count)
{
	*pool = (struct frame_pool){.count = count};
	while (count--) {
		frames[count].next = pool->free;
		pool->free = &frames[count];
	}
}

static void lend_storage(struct tapir_frame *frames, uint32_t count, uint8_t *store, uint32_t cap)
{
	for (uint32_t i = 0; i < count; i++) {
		frames[i].store = store + (size_t)i * cap;
		frames[i].cap = cap;
	}
}

void frame_pools_init(struct frame_pools *p, void *mem, uint32_t small, uint32_t large)
{
	struct tapir_frame *frames = mem;
	size_t descriptors = descriptors_size(small, large);
	uint8_t *store = (uint8_t *)mem + descriptors;

	memset(frames, 0, descriptors);
	pool_init(&p->small, frames, small);
	lend_storage(frames, small, store, FRAME_SMALL);
	pool_init(&p->large, frames + small, large);
	lend_storage(frames + small, large, store + (size_t)small * FRAME_SMALL, FRAME_LARGE);
	pool_init(&p->borrowed, frames + small + large, small);
}

/* NULL when no more than spare are left. */
static struct tapir_frame *pool_get(struct frame_pool *pool, uint32_t spare)
{
	struct tapir_frame *f = pool->free;

	if (pool->count - pool->used <= spare)
		return NULL;
	pool->free = f->next;
	pool->used++;
	f->next = NULL;
	f->data = f->store;
	f->len = 0;
	f->room = f->cap;
	memset(&f->offload, 0, sizeof f->offload);
	memset(&f->u, 0, sizeof f->u);
	return f;
}

static void pool_put(struct frame_pool *pool, struct tapir_frame *f)
{
	assert(pool->used);
	pool->used--;
	f->next = pool->free;
	pool->free = f;
}

struct tapir_frame *frame_get(struct frame_pools *p, uint32_t n)
{
	struct tapir_frame *f = n <= FRAME_SMALL ? pool_get(&p->small, 0) : NULL;

	if (f || n > FRAME_LARGE)
		return f;
	return pool_get(&p->large, 0);
}

struct tapir_frame *frame_get_headroom(struct frame_pools *p, uint32_t n)
{
	struct tapir_frame *f = n <= FRAME_LARGE - FRAME_HEADROOM ? frame_get(p, n + FRAME_HEADROOM) : NULL;

	if (f) {
		f->data += FRAME_HEADROOM;
		f->room -= FRAME_HEADROOM;
	}
	return f;
}

/* What a program's queued bytes leave of a pool, for frames that arrive. */
static uint32_t reserve(const struct frame_pool *pool)
{
	return max_u32(pool->count / 8, 1);
}

struct tapir_frame *frame_get_for_queue(struct frame_pools *p, uint32_t n)
{
	struct tapir_frame *f = n <= FRAME_SMALL ? pool_get(&p->small, reserve(&p->small)) : NULL;

	if (f || n > FRAME_LARGE)
		return f;
	return pool_get(&p->large, reserve(&p->large));
}

bool frame_may_stay(const struct frame_pools *p, const struct tapir_frame *f)
{
	const struct frame_pool *pool = f->cap == FRAME_SMALL ? &p->small : &p->large;

	return pool->count - pool->used >= reserve(pool);
}

struct tapir_frame *frame_get_borrowed(struct frame_pools *p, const uint8_t *bytes, uint32_t n)
{
	struct tapir_frame *f = pool_get(&p->borrowed, 0);

	if (!f)
		return NULL;
	f->data = (uint8_t *)(uintptr_t)bytes;	/* read only: without store nobody writes there */
	f->len = f->room = f->cap = n;
	return f;
}

/* Tells the program that its bytes are free. Pulling moves data and shortens room, so their end is where it was. */
static void give_back_borrowed(struct frame_pools *p, struct tapir_frame *f)
{
	void (*done)(void *ctx, const uint8_t *bytes) = f->u.borrowed.done;
	void *ctx = f->u.borrowed.ctx;
	const uint8_t *bytes = f->data + f->room - f->cap;

	f->cap = 0;
	pool_put(&p->borrowed, f);
	if (done)
		done(ctx, bytes);
}

void frame_put(struct frame_pools *p, struct tapir_frame *f)
{
	if (!f)
		return;
	if (!f->store)
		give_back_borrowed(p, f);
	else
		pool_put(f->cap == FRAME_SMALL ? &p->small : &p->large, f);
}

uint8_t *frame_push(struct tapir_frame *f, uint32_t n)
{
	assert(f->store && n <= (size_t)(f->data - f->store));
	f->data -= n;
	f->len += n;
	f->room += n;
	return f->data;
}

void frame_pull(struct tapir_frame *f, uint32_t n)
{
	assert(n <= f->len);
	f->data += n;
	f->len -= n;
	f->room -= n;
}

void frameq_push(struct frameq *q, struct tapir_frame *f)
{
	f->next = NULL;
	if (q->tail)
		q->tail->next = f;
	else
		q->head = f;
	q->tail = f;
	q->count++;
}

struct tapir_frame *frameq_pop(struct frameq *q)
{
	struct tapir_frame *f = q->head;

	if (!f)
		return NULL;
	q->head = f->next;
	if (!q->head)
		q->tail = NULL;
	q->count--;
	f->next = NULL;
	return f;
}

void frameq_clear(struct frameq *q, struct frame_pools *p)
{
	for (struct tapir_frame *f = frameq_pop(q); f; f = frameq_pop(q))
		frame_put(p, f);
}
