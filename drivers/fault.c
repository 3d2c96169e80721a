/* fault.c: a driver around a driver that treats its frames badly, the same way for the same seed.
 *
 * Each direction is a lane of its own with its own random numbers: a frame meets, in this order, loss, duplication,
 * corruption, the queue in front of the rate limit, delay and jitter, reordering. What survives waits in a heap ordered by
 * due time. No clock, no timer: recv and send move what is due, and deadline says when to call again.
 *
 * Frames are copied with their checksums complete, because a damaged frame must carry the sum of the undamaged one. */
#include <stdlib.h>
#include <string.h>
#include "internal.h"

#define QUEUE_BYTES (256u * 1024u)	/* behind the rate limit, when the configuration does not say */
#define LANE_FRAMES 65536u		/* that one direction holds at most, whatever the delay */
#define HOLD_US (5 * TAPIR_MS)		/* a reordered frame waits at least so long for others to pass it */
#define PASSERS_MAX 4u
#define RETRY_US (1 * TAPIR_MS)		/* when the inner driver is full */
#define PULL_MAX 1024			/* frames taken from the inner driver by one recv */
#define ETH_HEADER_BYTES 14u
#define NS_PER_US 1000u

struct packet {
	usec_t due_us;
	uint64_t order;			/* of equal due times the lower goes first */
	struct tapir_offload offload;
	uint32_t len;
	uint8_t bytes[];
};

struct lane {
	uint64_t random;
	struct packet **heap;		/* by due_us, order */
	size_t count, room;
	struct packet *held;		/* picked for reordering: goes when passers have passed it, or at its due_us */
	unsigned int passers;
	bool passed;			/* somebody did */
	usec_t last_due_us, retry_us;
	uint64_t free_at_ns;		/* when the rate limiter has sent all it holds */
	uint64_t orders;
};

struct fault {
	struct driver d;
	struct driver *inner;
	struct fault_config cfg;
	struct fault_stats stats;
	struct lane in, out;
};

/* ---- random numbers: splitmix64 ---- */

static uint64_t draw(struct lane *lane)
{
	uint64_t z = lane->random += 0x9e3779b97f4a7c15u;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
	z = (z ^ z >> 27) * 0x94d049bb133111ebu;
	return z ^ z >> 31;
}

static bool chance(struct lane *lane, double p)
{
	return (double)(draw(lane) >> 11) * 0x1p-53 < p;
}

/* ---- the heap of what is under way ---- */

static bool goes_before(const struct packet *a, const struct packet *b)
{
	return a->due_us != b->due_us ? a->due_us < b->due_us : a->order < b->order;
}

static void heap_swap(struct lane *lane, size_t i, size_t j)
{
	struct packet *p = lane->heap[i];

	lane->heap[i] = lane->heap[j];
	lane->heap[j] = p;
}

/* Takes p over; false, with p freed, when there is no room. */
static bool heap_push(struct lane *lane, struct packet *p)
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

static void heap_pop(struct lane *lane)
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

static usec_t lane_due_us(const struct lane *lane)
{
	usec_t due_us = lane->count ? lane->heap[0]->due_us : USEC_NEVER;

	if (lane->held && lane->held->due_us < due_us)
		due_us = lane->held->due_us;
	return due_us == USEC_NEVER || due_us > lane->retry_us ? due_us : lane->retry_us;
}

/* The packet that is due, which stays in the lane; NULL. */
static struct packet *lane_first(const struct lane *lane, usec_t now_us)
{
	struct packet *first = lane->count ? lane->heap[0] : NULL;

	if (lane->held && (first == NULL || lane->held->due_us < first->due_us))
		first = lane->held;
	return first && first->due_us <= now_us ? first : NULL;
}

static void lane_remove_first(struct lane *lane, struct packet *first)
{
	if (first == lane->held)
		lane->held = NULL;
	else
		heap_pop(lane);
	free(first);
}

/* ---- what happens to one frame ---- */

/* Flips one bit that a checksum covers. False when there is none: an Ethernet card would have thrown the frame away. */
static bool damage(const struct fault *f, struct lane *lane, struct packet *p)
{
	uint32_t from = f->d.ip_only ? 0 : ETH_HEADER_BYTES;
	uint64_t bit = draw(lane);

	if (p->len <= from || (from && (p->bytes[12] != 0x08 || p->bytes[13] != 0x00)))
		return false;
	bit %= (uint64_t)(p->len - from) * 8;
	p->bytes[from + bit / 8] ^= (uint8_t)(1u << bit % 8);
	return true;
}

/* When a packet of len bytes has left the rate limiter; USEC_NEVER: its queue is full. */
static usec_t departure_us(const struct fault *f, struct lane *lane, uint32_t len, usec_t now_us)
{
	uint64_t now_ns = now_us * NS_PER_US;
	double ns_per_byte;
	uint64_t waiting_ns;

	if (f->cfg.rate_bps == 0)
		return now_us;
	ns_per_byte = 8e9 / (double)f->cfg.rate_bps;
	waiting_ns = lane->free_at_ns > now_ns ? lane->free_at_ns - now_ns : 0;
	if (waiting_ns && (double)waiting_ns + len * ns_per_byte > f->cfg.queue_bytes * ns_per_byte)
		return USEC_NEVER;
	lane->free_at_ns = now_ns + waiting_ns + (uint64_t)(len * ns_per_byte);
	return (lane->free_at_ns + NS_PER_US - 1) / NS_PER_US;
}

static void note_passed(struct fault *f, struct lane *lane, usec_t due_us)
{
	struct packet *held = lane->held;

	if (held == NULL || due_us > held->due_us)
		return;
	if (!lane->passed)
		f->stats.reordered++;
	lane->passed = true;
	if (--lane->passers > 0)
		return;
	held->due_us = due_us;		/* the same time and a later order: right behind the last passer */
	lane->held = NULL;
	if (!heap_push(lane, held))
		f->stats.overflowed++;
}

/* Puts p, which it takes over, behind the rate limit and the delay. */
static void enqueue(struct fault *f, struct lane *lane, struct packet *p, usec_t now_us)
{
	usec_t departed_us = departure_us(f, lane, p->len, now_us);
	usec_t jitter_us = draw(lane) % (f->cfg.jitter_us + 1);
	bool reorder = chance(lane, f->cfg.reorder);
	unsigned int passers = (unsigned int)(1 + draw(lane) % PASSERS_MAX);
	usec_t due_us;

	if (departed_us == USEC_NEVER) {
		f->stats.overflowed++;
		free(p);
		return;
	}
	due_us = departed_us + f->cfg.delay_us + jitter_us;
	if (due_us < lane->last_due_us)
		due_us = lane->last_due_us;
	lane->last_due_us = due_us;
	if (reorder && lane->held == NULL) {
		p->due_us = due_us + (f->cfg.delay_us > HOLD_US ? f->cfg.delay_us : HOLD_US);
		lane->held = p;
		lane->passers = passers;
		lane->passed = false;
		return;
	}
	p->due_us = due_us;
	if (heap_push(lane, p))
		note_passed(f, lane, due_us);
	else
		f->stats.overflowed++;
}

static struct packet *packet_new(uint32_t len)
{
	struct packet *p = calloc(1, sizeof *p + len);

	if (p)
		p->len = len;
	return p;
}

/* Decides the fate of p, which it takes over (NULL: memory ran out, that is a loss too). */
static void meet_fate(struct fault *f, struct lane *lane, struct packet *p, usec_t now_us)
{
	bool lose = chance(lane, f->cfg.loss);
	bool twice = chance(lane, f->cfg.duplicate);
	bool corrupt = chance(lane, f->cfg.corrupt);
	struct packet *copy = NULL;

	if (p == NULL || lose) {
		f->stats.lost++;
		free(p);
		return;
	}
	if (twice)
		copy = packet_new(p->len);
	if (copy) {
		memcpy(copy->bytes, p->bytes, p->len);
		copy->offload = p->offload;
	}
	if (corrupt) {
		f->stats.corrupted++;
		if (!damage(f, lane, p)) {
			free(p);
			p = NULL;
		}
	}
	if (p)
		enqueue(f, lane, p, now_us);
	if (copy) {
		f->stats.duplicated++;
		enqueue(f, lane, copy, now_us);
	}
}

/* ---- the driver ---- */

/* Hands on what is due. 0, or TAPIR_EIO of the inner driver. */
static int pump_out(struct fault *f, usec_t now_us)
{
	struct packet *p;

	f->out.retry_us = 0;
	while ((p = lane_first(&f->out, now_us)) != NULL) {
		struct tapir_out out;
		int result;

		driver_flat_out(&out, p->bytes, p->len, &p->offload);
		result = driver_send(f->inner, &out, now_us);
		if (result == TAPIR_EAGAIN) {
			f->out.retry_us = now_us + RETRY_US;
			return 0;
		}
		lane_remove_first(&f->out, p);
		if (result < 0)
			return result;
		f->stats.passed++;
	}
	return 0;
}

/* Takes in what the inner driver has, using the empty frame to read into. */
static int pull_in(struct fault *f, struct tapir_frame *frame, usec_t now_us)
{
	for (int i = 0; i < PULL_MAX; i++) {
		int result = driver_recv(f->inner, frame, now_us);
		struct packet *p;

		if (result <= 0)
			return result;
		p = packet_new(frame->len);
		if (p) {
			driver_frame_copy(frame, p->bytes);
			p->offload = frame->offload;
			p->offload.csum = TAPIR_CSUM_NONE;
		}
		meet_fate(f, &f->in, p, now_us);
		frame->len = 0;
		frame->offload = (struct tapir_offload){.csum = TAPIR_CSUM_NONE};
	}
	return 0;
}

static int fault_recv(struct driver *d, struct tapir_frame *frame, usec_t now_us)
{
	struct fault *f = (struct fault *)d;
	struct packet *p;
	int result = pump_out(f, now_us);

	if (result == 0)
		result = pull_in(f, frame, now_us);
	if (result < 0)
		return result;
	while ((p = lane_first(&f->in, now_us)) != NULL) {
		bool fits = p->len <= frame->room;

		if (fits) {
			memcpy(frame->data, p->bytes, p->len);
			frame->len = p->len;
			frame->offload = p->offload;
			f->stats.passed++;
		}
		lane_remove_first(&f->in, p);
		if (fits)
			return 1;
		f->stats.lost++;
	}
	return 0;
}

static int fault_send(struct driver *d, const struct tapir_out *out, usec_t now_us)
{
	struct fault *f = (struct fault *)d;
	struct packet *p = packet_new(out->len);

	if (p) {
		tapir_out_copy(out, p->bytes, false);
		p->offload = out->offload;
		p->offload.csum = TAPIR_CSUM_NONE;
	}
	meet_fate(f, &f->out, p, now_us);
	return pump_out(f, now_us);
}

static usec_t fault_deadline(struct driver *d)
{
	const struct fault *f = (const struct fault *)d;
	usec_t due_us = driver_deadline(f->inner);

	if (lane_due_us(&f->in) < due_us)
		due_us = lane_due_us(&f->in);
	if (lane_due_us(&f->out) < due_us)
		due_us = lane_due_us(&f->out);
	return due_us;
}

static void lane_free(struct lane *lane)
{
	for (size_t i = 0; i < lane->count; i++)
		free(lane->heap[i]);
	free(lane->heap);
	free(lane->held);
}

static void fault_close(struct driver *d)
{
	struct fault *f = (struct fault *)d;

	driver_close(f->inner);
	lane_free(&f->in);
	lane_free(&f->out);
	free(f);
}

static const struct driver_ops fault_ops = {
	.name = "fault", .recv = fault_recv, .send = fault_send, .deadline = fault_deadline, .close = fault_close,
};

struct driver *driver_wrap_fault(struct driver *inner, const struct fault_config *cfg)
{
	struct fault *f = calloc(1, sizeof *f);

	if (f == NULL) {
		driver_fail("Out of memory.");
		return NULL;
	}
	if (driver_set_offload(inner, (struct tapir_offload_caps){.csum = false}) != 0) {
		free(f);
		return NULL;
	}
	f->d = *inner;
	f->d.ops = &fault_ops;
	f->d.caps = (struct tapir_offload_caps){.csum = false};
	f->inner = inner;
	f->cfg = *cfg;
	if (f->cfg.queue_bytes == 0)
		f->cfg.queue_bytes = QUEUE_BYTES;
	f->in.random = cfg->seed;
	f->out.random = cfg->seed ^ 0x6a09e667f3bcc909u;	/* another sequence of the same seed */
	return &f->d;
}

struct fault_stats driver_fault_stats(const struct driver *fault)
{
	return ((const struct fault *)fault)->stats;
}
