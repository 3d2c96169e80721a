/* sim_wire.c: a link between two stacks that is one flat value, so that a copy of it, put back, continues exactly there.
 * Knows delay and loss, keeps offloads as they are. In each direction a ring of frames and one of their bytes; both hold no
 * pointer. What does not fit is refused (TAPIR_EAGAIN), as by a card whose ring is full. */
#include <stdlib.h>
#include <string.h>
#include "sim.h"

#define WIRE_FRAMES 256u
#define WIRE_BYTES (4u << 20)
#define FRAME_MAX (65535u + 14u)

struct entry { usec_t due_us; struct tapir_offload offload; uint32_t len; };
struct way {			/* one direction */
	uint32_t first, count;		/* entries */
	uint32_t head, used;		/* bytes */
	struct sim_rng rng;
	struct entry entries[WIRE_FRAMES];
	uint8_t bytes[WIRE_BYTES];
};
struct wire_end { struct driver d; struct sim_wire *wire; uint8_t index; };
struct sim_wire {
	struct wire_end ends[2];
	usec_t delay_us;
	double loss;
	struct way ways[2];		/* the state: towards end 0, towards end 1 */
};

static void bytes_in(struct way *w, const uint8_t *p, uint32_t n)
{
	uint32_t at = (w->head + w->used) % WIRE_BYTES, part = n < WIRE_BYTES - at ? n : WIRE_BYTES - at;

	memcpy(w->bytes + at, p, part);
	memcpy(w->bytes, p + part, n - part);
	w->used += n;
}

static void bytes_out(struct way *w, uint8_t *p, uint32_t n)
{
	uint32_t part = n < WIRE_BYTES - w->head ? n : WIRE_BYTES - w->head;

	if (p) {
		memcpy(p, w->bytes + w->head, part);
		memcpy(p + part, w->bytes, n - part);
	}
	w->head = (w->head + n) % WIRE_BYTES;
	w->used -= n;
}

static int wire_send(struct driver *d, const struct tapir_out *out, usec_t now_us)
{
	static uint8_t flat[FRAME_MAX];
	const struct wire_end *e = (const struct wire_end *)d;
	struct way *w = &e->wire->ways[1 - e->index];

	if (w->count == WIRE_FRAMES || w->used + out->len > WIRE_BYTES)
		return TAPIR_EAGAIN;
	if ((double)sim_below(&w->rng, 1000000) < e->wire->loss * 1e6 || out->len > sizeof flat)
		return 0;
	tapir_out_copy(out, flat, true);
	bytes_in(w, flat, out->len);
	w->entries[(w->first + w->count++) % WIRE_FRAMES] =
		(struct entry){.due_us = now_us + e->wire->delay_us, .offload = out->offload, .len = out->len};
	return 0;
}

static int wire_recv(struct driver *d, struct tapir_frame *f, usec_t now_us)
{
	const struct wire_end *e = (const struct wire_end *)d;
	struct way *w = &e->wire->ways[e->index];

	while (w->count && w->entries[w->first].due_us <= now_us) {
		const struct entry *entry = &w->entries[w->first];
		bool fits = entry->len <= f->room;

		w->first = (w->first + 1) % WIRE_FRAMES;
		w->count--;
		bytes_out(w, fits ? f->data : NULL, entry->len);
		if (!fits)
			continue;
		f->len = entry->len;
		f->offload = entry->offload;
		return 1;
	}
	return 0;
}

static usec_t wire_deadline(struct driver *d)
{
	const struct wire_end *e = (const struct wire_end *)d;
	const struct way *w = &e->wire->ways[e->index];

	return w->count ? w->entries[w->first].due_us : USEC_NEVER;
}

static void wire_close(struct driver *d)
{
	(void)d;		/* both ends go with sim_wire_free */
}

static const struct driver_ops wire_ops = {
	.name = "wire", .recv = wire_recv, .send = wire_send, .deadline = wire_deadline, .close = wire_close,
};

struct sim_wire *sim_wire_new(struct driver *ends[2], const struct sim_plan *plan)
{
	struct sim_wire *w = calloc(1, sizeof *w);

	if (!w)
		abort();
	w->delay_us = plan->fault.delay_us;
	w->loss = plan->fault.loss;
	for (uint8_t i = 0; i < 2; i++) {
		w->ends[i] = (struct wire_end){.wire = w, .index = i};
		w->ends[i].d = (struct driver){.ops = &wire_ops, .caps = plan->caps, .mtu = plan->mtu,
					       .ip_only = plan->ip_only, .fd = -1};
		w->ways[i].rng.s = plan->fault.seed + i;
		ends[i] = &w->ends[i].d;
	}
	return w;
}

void *sim_wire_state(struct sim_wire *w, size_t *size)
{
	*size = sizeof w->ways;
	return w->ways;
}

void sim_wire_free(struct sim_wire *w)
{
	free(w);
}
