/* capture.c: a driver around a driver that writes every frame of both directions to a pcap file.
 *
 * Frames pass unchanged and at once; the file gets a copy in which partial checksums are completed, so that no reader
 * complains of them. A frame is in the file FLUSH_US later at the latest: the first unflushed one sets a deadline. Writing
 * at each frame would be a system call each, and a capture must not change the timing of what it shows. */
#include <stdlib.h>
#include "internal.h"

#define FLUSH_US (20 * TAPIR_MS)

struct capture {
	struct driver d;
	struct driver *inner;
	struct dump *dump;
	usec_t epoch_us, flush_at_us;		/* flush_at_us: USEC_NEVER when all is in the file */
};

static void note_written(struct capture *c, usec_t now_us)
{
	if (c->flush_at_us == USEC_NEVER)
		c->flush_at_us = now_us + FLUSH_US;
}

static void flush_if_due(struct capture *c, usec_t now_us)
{
	if (now_us < c->flush_at_us)
		return;
	dump_flush(c->dump);
	c->flush_at_us = USEC_NEVER;
}

static int capture_recv(struct driver *d, struct tapir_frame *f, usec_t now_us)
{
	struct capture *c = (struct capture *)d;
	int result = driver_recv(c->inner, f, now_us);

	if (result == 1) {
		dump_frame(c->dump, now_us + c->epoch_us, f);
		note_written(c, now_us);
	}
	flush_if_due(c, now_us);
	return result;
}

static int capture_send(struct driver *d, const struct tapir_out *out, usec_t now_us)
{
	struct capture *c = (struct capture *)d;
	int result = driver_send(c->inner, out, now_us);

	if (result == 0) {
		dump_out(c->dump, now_us + c->epoch_us, out);
		note_written(c, now_us);
	}
	flush_if_due(c, now_us);
	return result;
}

static usec_t capture_deadline(struct driver *d)
{
	struct capture *c = (struct capture *)d;
	usec_t inner_us = driver_deadline(c->inner);

	return inner_us < c->flush_at_us ? inner_us : c->flush_at_us;
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

	driver_close(c->inner);
	dump_close(c->dump);
	free(c);
}

static const struct driver_ops capture_ops = {
	.name = "capture", .recv = capture_recv, .send = capture_send, .deadline = capture_deadline,
	.set_offload = capture_set_offload, .close = capture_close,
};

struct driver *driver_wrap_capture(struct driver *inner, const char *path, usec_t epoch_us)
{
	struct capture *c = calloc(1, sizeof *c);

	if (c == NULL) {
		driver_fail("Out of memory.");
		return NULL;
	}
	c->dump = dump_open(path, inner->ip_only);
	if (c->dump == NULL) {
		free(c);
		return NULL;
	}
	c->d = *inner;
	c->d.ops = &capture_ops;
	c->inner = inner;
	c->epoch_us = epoch_us;
	c->flush_at_us = USEC_NEVER;
	return &c->d;
}
