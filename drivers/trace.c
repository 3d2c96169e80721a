/* trace.c: a driver around a driver that prints one line for every frame: when, which way, what (trace_format.c).
 *
 * Numbers of a TCP connection are shown relative to its first ones, as a person would count. For that a small table
 * remembers both directions' bases; a connection that falls out of it starts again at where it is. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "internal.h"

#define FLOWS 1024			/* a power of two; two connections on one row replace each other */
#define LINE_BYTES 512

struct flow {
	struct tapir_endpoint in_from, in_to;	/* of frames that come in; swapped for those that go out */
	bool known, has_base[2];		/* [0] in, [1] out */
	uint32_t base[2];
};
struct trace {
	struct driver d;
	struct driver *inner;
	FILE *file;
	bool started;
	usec_t start_us;		/* of the first frame */
	struct flow flows[FLOWS];
	uint8_t scratch[DRIVER_FRAME_MAX];
};

static bool endpoint_equal(const struct tapir_endpoint *a, const struct tapir_endpoint *b)
{
	return a->port == b->port && tapir_addr_equal(&a->addr, &b->addr);
}

static struct flow *find_flow(struct trace *t, const struct tapir_endpoint *from, const struct tapir_endpoint *to)
{
	uint32_t row = from->port * 31u + to->port;
	struct flow *flow;

	for (size_t i = 12; i < sizeof from->addr.b; i++)
		row = row * 31u + from->addr.b[i] + to->addr.b[i];
	flow = &t->flows[row % FLOWS];
	if (!flow->known || !endpoint_equal(&flow->in_from, from) || !endpoint_equal(&flow->in_to, to))
		*flow = (struct flow){.in_from = *from, .in_to = *to, .known = true};
	return flow;
}

/* Where the numbers of this frame's connection start, for each way. */
static void set_bases(struct trace *t, struct span frame, bool out, struct trace_options *how)
{
	struct trace_tcp tcp;
	struct flow *flow;

	if (!trace_find_tcp(frame, how->ip_only, &tcp))
		return;
	flow = out ? find_flow(t, &tcp.dst, &tcp.src) : find_flow(t, &tcp.src, &tcp.dst);
	if (tcp.syn && !tcp.has_ack && (!flow->has_base[out] || flow->base[out] != tcp.seq))
		flow->has_base[!out] = false;	/* a new connection with the same ports */
	if (tcp.syn || !flow->has_base[out])
		flow->base[out] = tcp.seq - (tcp.syn || tcp.rst ? 0 : 1);	/* a RST may answer what never was */
	flow->has_base[out] = true;
	if (!flow->has_base[!out] && tcp.has_ack) {
		flow->base[!out] = tcp.ack - 1;
		flow->has_base[!out] = true;
	}
	how->relative = true;
	how->seq_base = flow->base[out];
	how->ack_base = flow->has_base[!out] ? flow->base[!out] : 0;
}

/* Prints the frame in scratch. */
static void print_frame(struct trace *t, uint32_t n, bool out, usec_t now_us)
{
	struct span frame = {t->scratch, n};
	struct trace_options how = {.ip_only = t->d.ip_only, .addresses = true, .checksums = true};
	char line[LINE_BYTES];
	usec_t at_us;

	if (!t->started)
		t->start_us = now_us;
	t->started = true;
	at_us = now_us - t->start_us;
	set_bases(t, frame, out, &how);
	trace_format(line, sizeof line, frame, &how);
	fprintf(t->file, "%llu.%06llu %c %s\n", (unsigned long long)(at_us / TAPIR_SEC),
		(unsigned long long)(at_us % TAPIR_SEC), out ? '>' : '<', line);
	fflush(t->file);
}

static int trace_recv(struct driver *d, struct tapir_frame *f, usec_t now_us)
{
	struct trace *t = (struct trace *)d;
	int result = driver_recv(t->inner, f, now_us);

	if (result == 1 && f->len <= sizeof t->scratch) {
		driver_frame_copy(f, t->scratch);
		print_frame(t, f->len, false, now_us);
	}
	return result;
}

static int trace_send(struct driver *d, const struct tapir_out *out, usec_t now_us)
{
	struct trace *t = (struct trace *)d;
	int result = driver_send(t->inner, out, now_us);

	if (result == 0 && out->len <= sizeof t->scratch) {
		tapir_out_copy(out, t->scratch, false);
		print_frame(t, out->len, true, now_us);
	}
	return result;
}

static int trace_flush(struct driver *d)
{
	return driver_flush(((struct trace *)d)->inner);
}

static usec_t trace_deadline(struct driver *d)
{
	return driver_deadline(((struct trace *)d)->inner);
}

static int trace_set_offload(struct driver *d, struct tapir_offload_caps keep)
{
	struct trace *t = (struct trace *)d;
	int result = driver_set_offload(t->inner, keep);

	d->caps = t->inner->caps;
	return result;
}

static void trace_close(struct driver *d)
{
	struct trace *t = (struct trace *)d;

	driver_close(t->inner);
	free(t);
}

static const struct driver_ops trace_ops = {
	.name = "trace", .recv = trace_recv, .send = trace_send, .flush = trace_flush, .deadline = trace_deadline,
	.set_offload = trace_set_offload, .close = trace_close,
};

struct driver *driver_wrap_trace(struct driver *inner, void *file)
{
	struct trace *t = calloc(1, sizeof *t);

	if (t == NULL) {
		driver_fail("Out of memory.");
		return NULL;
	}
	t->d = *inner;
	t->d.ops = &trace_ops;
	t->inner = inner;
	t->file = file;
	return &t->d;
}
