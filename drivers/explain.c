/* explain.c: puts what the stack and the line tell beside the frame that it is about, for a capture's comments.
 *
 * What is told from a frame's arrival to its verdict is about that frame, but for a segment that answers it; of frames that
 * arrive together the first that has no verdict is meant, and where segments were joined what they caused is told of the first
 * of them. An answer, and what is told at any other time, by a timer or by a program's call, waits for the next frame that its
 * connection sends. What finds no such frame within WAIT_US, the end of TIME-WAIT for one, goes with whichever frame leaves
 * then, with its connection's name and its age.
 *
 * Bounded: WAITING events wait, the oldest gives way; a frame has so many remarks as struct remarks holds. */
#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "explain.h"

#define WAITING 1024u			/* a power of two */
#define WAIT_US (1 * TAPIR_SEC)
#define SAY_AGE_US (1 * TAPIR_MS)
#define TEXT_BYTES 400

struct connection { bool known; struct tapir_endpoint local, remote; };
struct waiting { bool taken; struct tapir_event e; };
struct explain {
	bool ip_only, heard;		/* heard: the stack does tell */
	struct arrival { struct connection on; bool ended; struct remarks remarks; } arrivals[EXPLAIN_ARRIVALS];
	uint32_t arrived, arriving;	/* of that ring: the oldest, counted without end; how many. ended: its verdict has come */
	struct remarks departing, rest;
	uint32_t first, count;		/* of the ring */
	uint64_t lost, forgotten;
	struct waiting ring[WAITING];
	struct remarks line_arriving, line_departing, line_rest;	/* what the line has told, and nobody has had yet */
};

struct explain *explain_new(bool ip_only)
{
	struct explain *x = calloc(1, sizeof *x);

	if (x)
		x->ip_only = ip_only;
	else
		driver_fail("Out of memory.");
	return x;
}

/* ---- remarks ---- */

static void clear(struct remarks *r)
{
	r->count = 0;
	r->n = 0;
}

static void add(struct remarks *r, const char *text)
{
	size_t n = strlen(text) + 1;

	if (r->n + n > sizeof r->text)
		return;
	memcpy(r->text + r->n, text, n);
	r->n += n;
	r->count++;
}

void remark(struct remarks *r, const char *format, ...)
{
	char text[TEXT_BYTES];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof text, format, args);
	va_end(args);
	add(r, text);
}

static void move(struct remarks *to, struct remarks *from)
{
	const char *text = from->text;

	for (unsigned int i = 0; i < from->count; i++) {
		add(to, text);
		text += strlen(text) + 1;
	}
	clear(from);
}

/* ---- events ---- */

static bool endpoint_equal(const struct tapir_endpoint *a, const struct tapir_endpoint *b)
{
	return a->port == b->port && tapir_addr_equal(&a->addr, &b->addr);
}

static bool is_about(const struct tapir_event *e, const struct connection *c)
{
	return c->known && endpoint_equal(&e->remote, &c->remote) && endpoint_equal(&e->local, &c->local);
}

static bool has_connection(const struct tapir_event *e) { return e->remote.port != 0; }

/* What a reader of frames sees by himself, or would drown in. */
static bool is_small_talk(const struct tapir_event *e)
{
	return e->kind == TAPIR_EV_SEGMENT_IN || e->kind == TAPIR_EV_TIMER_ARMED;
}

/* An answer may be made while its question is looked at, a SYN cookie for one. */
static bool is_about_to_leave(const struct tapir_event *e)
{
	return e->kind == TAPIR_EV_SEGMENT_OUT || e->kind == TAPIR_EV_RETRANSMIT;
}

static void say(struct remarks *r, const struct tapir_event *e, const struct connection *about, usec_t now_us)
{
	struct trace_options how = {.addresses = has_connection(e) && !is_about(e, about)};
	usec_t age_us = now_us > e->now_us ? now_us - e->now_us : 0;
	char text[TEXT_BYTES];

	trace_event_format(text, sizeof text, e, &how);
	if (age_us >= SAY_AGE_US)
		remark(r, "%llu.%03u ms before: %s", (unsigned long long)(age_us / 1000), (unsigned int)(age_us % 1000), text);
	else
		add(r, text);
}

static struct waiting *row(struct explain *x, uint32_t i)
{
	return &x->ring[(x->first + i) % WAITING];
}

static void wait_for_frame(struct explain *x, const struct tapir_event *e)
{
	if (x->count == WAITING) {
		x->forgotten += !row(x, 0)->taken;
		x->first++;
		x->count--;
	}
	*row(x, x->count++) = (struct waiting){.e = *e};
}

/* The oldest that waits; NULL: none does. */
static struct arrival *oldest_arrival(struct explain *x)
{
	return x->arriving ? &x->arrivals[x->arrived % EXPLAIN_ARRIVALS] : NULL;
}

bool explain_event(struct explain *x, const struct tapir_event *e)
{
	bool end = e->kind == TAPIR_EV_VERDICT && e->u.verdict.arrived;
	struct arrival *a = oldest_arrival(x);

	x->heard = true;
	if (is_small_talk(e))
		return false;
	if (a == NULL || is_about_to_leave(e)) {
		wait_for_frame(x, e);
		return false;
	}
	say(&a->remarks, e, &a->on, e->now_us);
	a->ended = end;
	return end;
}

void explain_fault(struct explain *x, const struct fault_note *note, bool sending)
{
	char text[TEXT_BYTES];

	trace_fault_format(text, sizeof text, note);
	if (note->out) {
		if (sending)
			add(&x->line_departing, text);
		return;
	}
	if (note->fate > FAULT_DISCARDED) {
		add(&x->line_arriving, text);
		return;
	}
	x->lost++;
	if (note->frame.n > 0) {
		struct trace_options how = {.ip_only = x->ip_only, .addresses = true};
		char frame[TEXT_BYTES / 2];

		trace_format(frame, sizeof frame, note->frame, &how);
		remark(&x->line_rest, "on its way in: %s; %s", frame, text);
	} else {
		remark(&x->line_rest, "on its way in: a frame; %s", text);
	}
}

/* ---- frames ---- */

static struct connection connection_of(const struct explain *x, struct span frame, bool out)
{
	struct trace_tcp tcp;

	if (!trace_find_tcp(frame, x->ip_only, &tcp))
		return (struct connection){.known = false};
	if (out)
		return (struct connection){.known = true, .local = tcp.src, .remote = tcp.dst};
	return (struct connection){.known = true, .local = tcp.dst, .remote = tcp.src};
}

void explain_arrival(struct explain *x, struct span frame)
{
	struct arrival *a = &x->arrivals[(x->arrived + x->arriving) % EXPLAIN_ARRIVALS];

	assert(x->arriving < EXPLAIN_ARRIVALS);
	x->arriving++;
	a->ended = false;
	a->on = connection_of(x, frame, false);
	clear(&a->remarks);
	move(&a->remarks, &x->line_rest);
	move(&a->remarks, &x->line_arriving);
}

struct remarks *explain_arrived(struct explain *x)
{
	struct arrival *a = oldest_arrival(x);

	if (!a->ended && x->heard)
		add(&a->remarks, "no buffer was free: the stack never saw it");
	x->arrived++;
	x->arriving--;
	return &a->remarks;
}

/* Drops the rows at the front that were taken. */
static void tidy_ring(struct explain *x)
{
	while (x->count > 0 && row(x, 0)->taken) {
		x->first++;
		x->count--;
	}
}

/* What has waited for so long, or longer, on its own. */
static void say_rest(struct explain *x, struct remarks *r, usec_t now_us, usec_t wait_us)
{
	static const struct connection none;

	move(r, &x->line_rest);
	if (x->forgotten)
		remark(r, "%llu more events found no frame in time", (unsigned long long)x->forgotten);
	x->forgotten = 0;
	for (uint32_t i = 0; i < x->count; i++) {
		struct waiting *w = row(x, i);

		if (!w->taken && w->e.now_us + wait_us <= now_us) {
			say(r, &w->e, &none, now_us);
			w->taken = true;
		}
	}
}

struct remarks *explain_departure(struct explain *x, struct span frame, usec_t now_us)
{
	struct connection on = connection_of(x, frame, true);

	clear(&x->departing);
	for (uint32_t i = 0; i < x->count; i++) {
		struct waiting *w = row(x, i);

		if (!w->taken && (is_about(&w->e, &on) || (!has_connection(&w->e) && w->e.now_us == now_us))) {
			say(&x->departing, &w->e, &on, now_us);
			w->taken = true;
		}
	}
	move(&x->departing, &x->line_departing);
	say_rest(x, &x->departing, now_us, WAIT_US);
	tidy_ring(x);
	return &x->departing;
}

struct remarks *explain_rest(struct explain *x, usec_t now_us)
{
	clear(&x->rest);
	say_rest(x, &x->rest, now_us, 0);
	return &x->rest;
}

uint64_t explain_lost(const struct explain *x) { return x->lost; }
