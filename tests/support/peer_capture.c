/* peer_capture.c: with PEER_CAPTURE=DIR in the environment every stack of a test leaves a capture of its frames there, by way
 * of the capture driver itself: its verdicts, states and reasons as comments, to look at, or to be checked by other eyes.
 * See tests/interop/run. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "drivers/driver.h"
#include "peer_world.h"

#define EPOCH_US 1700000000000000u

/* A driver that takes everything, and whose next frame is what the peer sends. */
static struct { struct driver d; struct span next; } wire;
static struct driver *capture;

static int wire_recv(struct driver *d, struct tapir_frame *f, usec_t now_us)
{
	(void)d;
	(void)now_us;
	f->len = (uint32_t)wire.next.n;	/* its bytes are there already */
	return 1;
}

static int wire_send(struct driver *d, const struct tapir_out *out, usec_t now_us)
{
	(void)d;
	(void)out;
	(void)now_us;
	return 0;
}

static void wire_close(struct driver *d) { (void)d; }

static const struct driver_ops wire_ops = {.name = "peer", .recv = wire_recv, .send = wire_send, .close = wire_close};

void peer_capture_begin(const struct tapir_config *c)
{
	const char *dir = getenv("PEER_CAPTURE");
	static char path[200];
	static int number;
	struct capture_options o = {.path = path, .epoch_us = EPOCH_US, .addr = c->addr, .prefix_len = c->prefix_len};

	if (!dir)
		return;
	snprintf(path, sizeof path, "%s/%d_%d.pcapng", dir, (int)getpid(), number++);
	wire.d = (struct driver){.ops = &wire_ops, .mtu = c->mtu, .ip_only = c->ip_only, .fd = -1};
	capture = driver_wrap_capture(&wire.d, &o);
	ck_assert_msg(capture != NULL, "%s", driver_error());
}

void peer_capture_in(struct tapir_frame *f, usec_t now_us)
{
	wire.next = (struct span){f->data, f->len};
	if (capture)
		driver_recv(capture, f, now_us);
}

void peer_capture_out(const struct tapir_out *out, usec_t now_us)
{
	if (capture)
		driver_send(capture, out, now_us);
}

void peer_capture_event(const struct tapir_event *e)
{
	if (capture)
		driver_capture_probe(capture, e);
}

void peer_capture_end(void)
{
	if (capture)
		driver_close(capture);
	capture = NULL;
}
