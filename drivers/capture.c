/* capture.c: a driver around a driver that writes every frame of both directions to a file (dump.c), with the remarks on it
 * (explain.c) when the file can hold them.
 *
 * Frames pass unchanged and at once; the file gets a copy in which partial checksums are completed, so that no reader
 * complains of them. What arrives is written when the stack has said what became of it: until then it waits here, with what else
 * arrives at that time, at the longest until something leaves, or arrives later. A frame is in the file FLUSH_US later at the
 * latest: the first unflushed one sets a deadline.
 * Writing at each frame would be a system call each, and a capture must not change the timing of what it shows; only a pipe,
 * whose reader looks on, is worth that. */
#include <stdlib.h>
#include <string.h>
#include "explain.h"
#include "segments.h"

#define FLUSH_US (20 * TAPIR_MS)

/* A copy of a frame with its checksum complete. */
struct copy { usec_t at_us; bool out; struct tapir_offload offload; uint32_t n; uint8_t bytes[DRIVER_FRAME_MAX]; };

struct capture {
	struct driver d;
	struct driver *inner;
	struct dump *dump;
	struct explain *explain;	/* NULL: the file holds no remarks */
	bool segments, sending;		/* sending: the inner driver has a frame of ours */
	usec_t epoch_us, now_us, flush_at_us;	/* flush_at_us: USEC_NEVER when all is in the file */
	uint32_t first, arriving;	/* of in: the oldest that waits for its verdict, counted without end; how many do */
	struct copy in[EXPLAIN_ARRIVALS], out;
	uint8_t piece[DRIVER_FRAME_MAX];
};

/* ---- writing ---- */

static void write_pieces(struct capture *c, struct segments *s, struct dump_frame *f)
{
	const bool remarks = f->remarks != NULL;
	struct remarks which;
	uint32_t n;

	while ((n = segments_next(s, c->piece)) > 0) {
		f->bytes = (struct span){c->piece, n};
		if (s->next > 1 && remarks) {
			which.count = 0;
			which.n = 0;
			remark(&which, "segment %u of %u, which were one frame: the first has what is said of it", s->next,
			       s->count);
			f->remarks = &which;
		}
		dump_frame(c->dump, f);
	}
}

static void write_copy(struct capture *c, const struct copy *copy, struct remarks *r)
{
	struct dump_frame f = {.at_us = copy->at_us + c->epoch_us, .bytes = {copy->bytes, copy->n}, .out = copy->out,
			       .remarks = r};
	struct segments s;
	bool large = segments_begin(&s, f.bytes, &copy->offload, c->d.ip_only);

	if (large && r)
		remark(r, "one frame of %u segments with %u bytes each%s", s.count, s.size,
		       c->segments ? ", shown cut up" : copy->out ? ", which the driver cuts up" : ", not cut up on the way");
	if (large && c->segments)
		write_pieces(c, &s, &f);
	else
		dump_frame(c->dump, &f);
	if (dump_is_live(c->dump))
		dump_flush(c->dump);
	if (c->flush_at_us == USEC_NEVER)
		c->flush_at_us = c->now_us + FLUSH_US;
}

/* The oldest that has arrived is written, whether the stack has told its verdict or not. */
static void write_oldest(struct capture *c)
{
	c->arriving--;
	write_copy(c, &c->in[c->first++ % EXPLAIN_ARRIVALS], c->explain ? explain_arrived(c->explain) : NULL);
}

static void write_arrived(struct capture *c)
{
	while (c->arriving > 0)
		write_oldest(c);
}

static void flush_if_due(struct capture *c)
{
	if (c->now_us < c->flush_at_us)
		return;
	dump_flush(c->dump);
	c->flush_at_us = dump_is_waiting(c->dump) ? c->now_us + FLUSH_US : USEC_NEVER;
}

/* ---- what is told ---- */

void driver_capture_probe(void *capture, const struct tapir_event *event)
{
	struct capture *c = capture;

	if (c->explain && explain_event(c->explain, event))
		write_oldest(c);
}

bool driver_capture_listens(const struct driver *capture)
{
	return ((const struct capture *)capture)->explain != NULL;
}

void driver_capture_fault(void *capture, const struct fault_note *note)
{
	struct capture *c = capture;

	if (c->explain)
		explain_fault(c->explain, note, c->sending);
}

/* ---- the driver ---- */

static void take_arrival(struct capture *c, const struct tapir_frame *f)
{
	struct copy *in;

	if (c->arriving == EXPLAIN_ARRIVALS)
		write_oldest(c);
	in = &c->in[(c->first + c->arriving++) % EXPLAIN_ARRIVALS];
	driver_frame_copy(f, in->bytes);
	in->at_us = c->now_us;
	in->n = f->len;
	in->offload = f->offload;
	if (c->explain)
		explain_arrival(c->explain, (struct span){in->bytes, in->n});
	else
		write_oldest(c);
}

static int capture_recv(struct driver *d, struct tapir_frame *f, usec_t now_us)
{
	struct capture *c = (struct capture *)d;
	int result;

	if (now_us > c->now_us)		/* the turn is over in which the stack would have said something */
		write_arrived(c);
	c->now_us = now_us;
	result = driver_recv(c->inner, f, now_us);
	if (result == 1 && f->len <= sizeof c->in[0].bytes)
		take_arrival(c, f);
	flush_if_due(c);
	return result;
}

static int capture_send(struct driver *d, const struct tapir_out *out, usec_t now_us)
{
	struct capture *c = (struct capture *)d;
	int result;

	c->now_us = now_us;
	write_arrived(c);
	c->sending = true;
	result = driver_send(c->inner, out, now_us);
	c->sending = false;
	if (result == 0 && out->len <= sizeof c->out.bytes) {
		tapir_out_copy(out, c->out.bytes, false);
		c->out.at_us = now_us;
		c->out.out = true;
		c->out.n = out->len;
		c->out.offload = out->offload;
		write_copy(c, &c->out, c->explain ? explain_departure(c->explain, (struct span){c->out.bytes, c->out.n}, now_us)
						  : NULL);
	}
	flush_if_due(c);
	return result;
}

static int capture_flush(struct driver *d)
{
	return driver_flush(((struct capture *)d)->inner);
}

/* A frame that waits for its verdict longer than a turn is written at the same time as it would be flushed. */
static usec_t capture_deadline(struct driver *d)
{
	struct capture *c = (struct capture *)d;
	usec_t inner_us = driver_deadline(c->inner), due_us = c->flush_at_us;
	usec_t oldest_us = c->in[c->first % EXPLAIN_ARRIVALS].at_us;

	if (c->arriving > 0 && oldest_us + FLUSH_US < due_us)
		due_us = oldest_us + FLUSH_US;
	return inner_us < due_us ? inner_us : due_us;
}

static int capture_set_offload(struct driver *d, struct tapir_offload_caps keep)
{
	struct capture *c = (struct capture *)d;
	int result = driver_set_offload(c->inner, keep);

	d->caps = c->inner->caps;
	return result;
}

static void capture_close(struct driver *d)
{
	struct capture *c = (struct capture *)d;
	struct dump_end end = {.at_us = c->now_us + c->epoch_us};

	if (c->inner)
		driver_close(c->inner);
	write_arrived(c);
	if (c->explain) {
		end.lost = explain_lost(c->explain);
		end.rest = explain_rest(c->explain, c->now_us);
	}
	dump_close(c->dump, &end);
	free(c->explain);
	free(c);
}

void driver_capture_detach(struct driver **top, struct driver *capture)
{
	struct capture *c = (struct capture *)capture;

	while (*top != capture)
		top = &((struct capture *)*top)->inner;
	*top = c->inner;
	c->inner = NULL;
	capture_close(capture);
}

static const struct driver_ops capture_ops = {
	.name = "capture", .recv = capture_recv, .send = capture_send, .flush = capture_flush, .deadline = capture_deadline,
	.set_offload = capture_set_offload, .close = capture_close,
};

struct driver *driver_wrap_capture(struct driver *inner, const struct capture_options *o)
{
	struct capture *c = calloc(1, sizeof *c);

	if (c == NULL) {
		driver_fail("Out of memory.");
		return NULL;
	}
	c->dump = dump_open(o, inner->ip_only);
	if (c->dump && dump_takes_remarks(c->dump))
		c->explain = explain_new(inner->ip_only);
	if (c->dump == NULL || (dump_takes_remarks(c->dump) && c->explain == NULL)) {
		if (c->dump)
			dump_close(c->dump, &(struct dump_end){.at_us = 0});
		free(c);
		return NULL;
	}
	c->d = *inner;
	c->d.ops = &capture_ops;
	c->inner = inner;
	c->segments = o->segments;
	c->epoch_us = o->epoch_us;
	c->flush_at_us = USEC_NEVER;
	return &c->d;
}
