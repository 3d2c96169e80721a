/* ladder.c: `tapir ladder`: the connections in a capture file as ladders, one rung for each segment that changes a state, with
 * the states of both sides beside it. What lies between is counted. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "args.h"
#include "commands.h"
#include "inferred.h"
#include "values.h"

#define BUCKETS 4096u
#define TEXT_BYTES 160
#define FRAME_BYTES (65536u + 256u)

static const struct option_line own_options[] = {
	{ 'p', "port", "PORT", "only connections with this port at either end" },
	{ 'a', "all", NULL, "a rung for every segment" },
	{ 0, NULL, NULL, NULL }
};

static const char about[] =
	"Draws each TCP connection in FILE, a pcap or pcapng file, as a ladder: when, the state of the side that opened, the\n"
	"segment and which way it went, the state of the other side, both after it arrived. The states are told from the\n"
	"segments by RFC 9293 3.3.2 figure 5; numbers count from the first ones of the connection. TIME-WAIT ends unseen.\n";

static const char examples[] =
	"  tapir ladder wire.pcap\n"
	"  tapir ladder --port 7 --all wire.pcap\n"
	"  tapir lab -- sh -c 'nc -N 10.0.0.2 13 < /dev/null; sleep 0.1; tapir ladder \"$TAPIR_CAPTURE\"'\n";

struct rung {
	usec_t at_us;
	int from;			/* which side sent it; -1: segments that are only counted */
	uint64_t count, bytes[2];	/* if counted: how many, and the text from each side */
	enum tapir_tcp_state state[2];
	char text[TEXT_BYTES];
};
struct conn {
	struct conn *next, *hash_next;
	struct inferred inferred;
	enum tapir_tcp_state first[2];
	struct rung *rungs;
	size_t count, room;
};
struct ladder {
	uint16_t port;			/* 0: every port */
	bool all, ip_only;
	struct conn *conns, **end;	/* oldest first */
	struct conn *buckets[BUCKETS];	/* latest first */
	usec_t start_us;
	bool started, failed;
};

/* --- reading --- */

/* The same for both directions. */
static uint32_t bucket_of(const struct trace_tcp *s)
{
	uint32_t sum = (uint32_t)s->src.port + s->dst.port;
	for (size_t i = 12; i < sizeof s->src.addr.b; i++)
		sum += ((uint32_t)s->src.addr.b[i] + s->dst.addr.b[i]) * 131u;
	return sum % BUCKETS;
}

static struct conn *conn_new(struct ladder *l, const struct trace_tcp *s)
{
	struct conn *c = calloc(1, sizeof *c);
	if (!c)
		return NULL;
	inferred_begin(&c->inferred, s);
	c->first[0] = c->inferred.side[0].state;
	c->first[1] = c->inferred.side[1].state;
	c->hash_next = l->buckets[bucket_of(s)];
	l->buckets[bucket_of(s)] = c;
	*l->end = c;
	l->end = &c->next;
	return c;
}

static struct conn *conn_of(struct ladder *l, const struct trace_tcp *s)
{
	struct conn *c = l->buckets[bucket_of(s)];
	while (c && inferred_sender(&c->inferred, s) < 0)
		c = c->hash_next;
	return c && !inferred_is_new(&c->inferred, s) ? c : conn_new(l, s);
}

static struct rung *rung_new(struct conn *c)
{
	if (c->count == c->room) {
		size_t room = c->room ? 2 * c->room : 16;
		struct rung *rungs = realloc(c->rungs, room * sizeof *rungs);
		if (!rungs)
			return NULL;
		c->rungs = rungs;
		c->room = room;
	}
	c->rungs[c->count] = (struct rung){ .from = -1 };
	return &c->rungs[c->count++];
}

/* Adds to the last rung that only counts, or makes one. */
static bool count_segment(struct conn *c, const struct trace_tcp *s, int from)
{
	struct rung *r = c->count ? &c->rungs[c->count - 1] : NULL;
	if (!r || r->from >= 0)
		r = rung_new(c);
	if (!r)
		return false;
	r->count++;
	r->bytes[from] += s->len;
	return true;
}

/* Leaves out of "S 0:0(0) win 64240 <mss 1460,sackOK,TS val 1 ecr 0,nop,wscale 7>" what tells nothing here: padding, the
 * timestamps' values; and, when it is no SYN, all of the options and the window, whose scale the reader would have to know. */
static void shorten(char *text, bool syn)
{
	char *options = strstr(text, " <"), *win = strstr(text, " win "), *end;
	if (!syn) {
		if (win)
			*win = '\0';
		return;
	}
	for (char *nop; options && (nop = strstr(options, "nop,"));)
		memmove(nop, nop + 4, strlen(nop + 4) + 1);
	char *val = options ? strstr(options, " val ") : NULL;
	if (val && (end = strpbrk(val, ",>")))
		memmove(val, end, strlen(end) + 1);
}

static void write_text(const struct ladder *l, const struct conn *c, struct rung *r, struct span frame, bool syn)
{
	const struct inferred_side *sender = &c->inferred.side[r->from], *other = &c->inferred.side[!r->from];
	struct trace_options how = {
		.ip_only = l->ip_only, .relative = true, .seq_base = sender->iss, .ack_base = other->has_iss ? other->iss : 0,
	};
	trace_format(r->text, sizeof r->text, frame, &how);
	shorten(r->text, syn);
}

static void take_segment(struct ladder *l, const struct trace_tcp *s, struct span frame, usec_t at_us)
{
	struct conn *c = conn_of(l, s);
	if (!c) {
		l->failed = true;
		return;
	}
	int from = inferred_sender(&c->inferred, s);
	bool changed = inferred_segment(&c->inferred, s);
	if (!changed && !l->all && !s->syn && !s->fin && !s->rst) {
		l->failed = !count_segment(c, s, from) || l->failed;
		return;
	}
	struct rung *r = rung_new(c);
	if (!r) {
		l->failed = true;
		return;
	}
	r->at_us = at_us;
	r->from = from;
	r->state[0] = c->inferred.side[0].state;
	r->state[1] = c->inferred.side[1].state;
	write_text(l, c, r, frame, s->syn);
}

static void take_frame(struct ladder *l, struct span frame, usec_t at_us)
{
	struct trace_tcp s;
	if (!l->started)
		l->start_us = at_us;
	l->started = true;
	if (!trace_find_tcp(frame, l->ip_only, &s) || (l->port && s.src.port != l->port && s.dst.port != l->port))
		return;
	take_segment(l, &s, frame, at_us - l->start_us);
}

/* 0, or 1 when the file is damaged: what could be read of it is there. */
static int read_file(struct ladder *l, struct driver *d)
{
	static uint8_t bytes[FRAME_BYTES];
	usec_t now;
	int got = 0;
	l->ip_only = d->ip_only;
	while ((now = driver_deadline(d)) != USEC_NEVER) {
		struct tapir_frame frame = { .data = bytes, .room = sizeof bytes };
		got = driver_recv(d, &frame, now);
		if (got < 0)
			return 1;
		if (got == 1)
			take_frame(l, (struct span){ frame.data, frame.len }, now);
	}
	return 0;
}

/* --- drawing --- */

static void print_endpoint(const struct tapir_endpoint *e, int width)
{
	char addr[TAPIR_ADDR_TEXT], text[TAPIR_ADDR_TEXT + 8];
	snprintf(text, sizeof text, "%s:%u", tapir_addr_format(&e->addr, addr), e->port);
	printf("%-*s", width, text);
}

static void print_rung(const struct rung *r, int width)
{
	char dashes[TEXT_BYTES];
	int rest = width - (int)strlen(r->text);
	memset(dashes, '-', sizeof dashes);
	if (r->from < 0) {
		printf("%11s  %-12s  %" PRIu64 " segment%s with %" PRIu64 " bytes one way, %" PRIu64 " the other\n", "", "...",
		       r->count, r->count == 1 ? "" : "s", r->bytes[0], r->bytes[1]);
		return;
	}
	printf("%4" PRIu64 ".%06" PRIu64 "  %-12s  ", (uint64_t)(r->at_us / TAPIR_SEC), (uint64_t)(r->at_us % TAPIR_SEC),
	       tapir_tcp_state_name(r->state[0]));
	if (r->from == 0)
		printf("-- %s %.*s->  ", r->text, rest, dashes);
	else
		printf("<- %s %.*s--  ", r->text, rest, dashes);
	printf("%s\n", tapir_tcp_state_name(r->state[1]));
}

static void print_conn(const struct conn *c)
{
	int width = 30;
	for (size_t i = 0; i < c->count; i++)
		if ((int)strlen(c->rungs[i].text) > width)
			width = (int)strlen(c->rungs[i].text);
	printf("%11s  ", "");
	print_endpoint(&c->inferred.side[0].who, width + 22);
	print_endpoint(&c->inferred.side[1].who, 0);
	printf("\n%11s  %-*s%s\n", "", width + 22, tapir_tcp_state_name(c->first[0]), tapir_tcp_state_name(c->first[1]));
	for (size_t i = 0; i < c->count; i++)
		print_rung(&c->rungs[i], width);
}

static int print_all(const struct ladder *l, const char *path)
{
	if (!l->conns) {
		fprintf(stderr, "tapir ladder: there is no TCP connection%s in %s.\n", l->port ? " with that port" : "", path);
		return 1;
	}
	for (const struct conn *c = l->conns; c; c = c->next) {
		print_conn(c);
		if (c->next)
			printf("\n");
	}
	return 0;
}

static void ladder_free(struct ladder *l)
{
	while (l->conns) {
		struct conn *c = l->conns;
		l->conns = c->next;
		free(c->rungs);
		free(c);
	}
	free(l);
}

static int draw(struct ladder *l, const char *path)
{
	struct driver *d = driver_open_pcap_file(path, NULL, 0);
	if (!d) {
		fprintf(stderr, "tapir ladder: %s\n", driver_error());
		return 1;
	}
	int damaged = read_file(l, d), code = print_all(l, path);
	if (damaged)
		fprintf(stderr, "tapir ladder: %s\n", driver_error());
	if (l->failed)
		fprintf(stderr, "tapir ladder: out of memory: some segments are missing.\n");
	driver_close(d);
	return code || damaged || l->failed;
}

static int parse_and_draw(struct ladder *l, struct args *a)
{
	const char *value;
	int id;
	while ((id = args_next(a, &value)) > 0) {
		if (id == 'a')
			l->all = true;
		else if (!value_port(value, &l->port))
			return args_exit(args_bad_value(a, id, value, "a port from 1 to 65535"));
	}
	if (id != ARGS_END)
		return args_exit(id);
	if (a->argc != 1)
		return args_exit(args_bad(a, a->argc ? "one FILE at a time." : "a FILE is missing."));
	return draw(l, a->argv[0]);
}

int ladder_main(int argc, char **argv)
{
	struct ladder *l = calloc(1, sizeof *l);
	if (!l) {
		fprintf(stderr, "tapir ladder: out of memory.\n");
		return 1;
	}
	l->end = &l->conns;
	struct args a = {
		.command = "ladder", .synopsis = "[OPTION]... FILE", .about = about, .examples = examples, .own = own_options,
		.argc = argc, .argv = argv,
	};
	int code = parse_and_draw(l, &a);
	ladder_free(l);
	return code;
}
