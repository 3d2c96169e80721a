/* pair_of_stacks.c: see pair_of_stacks.h. Owns the memory of both stacks; frames on the link are copied at once. */
#include "pair_of_stacks.h"

#include <stdlib.h>
#include "segment.h"
#include "stack/tcp/tcp.h"

#define START_US (1000 * TAPIR_SEC)
#define ROUNDS_MAX 1000000

struct tapir *pair[2];
static void *memory[2];
static struct tapir_config configs[2];
static bool (*lose_frame)(int from, struct span frame), (*mark_frame)(int from, struct span frame);

/* What a long line holds: frames from one end, in order, with the time when they arrive. */
struct flying { struct flying *next; usec_t due_us; uint32_t n; uint8_t bytes[]; };
static struct { struct flying *first, **last; usec_t free_us; } lines[2];
static struct pair_line line_config;
static bool line_is_long;

struct tapir_config *pair_config(int who) { return &configs[who]; }

void pair_reset_config(void)
{
	for (int who = 0; who < 2; who++) {
		struct tapir_config *c = &configs[who];

		tapir_config_default(c);
		c->ip_only = true;
		c->addr = tapir_ipv4(10, 0, 0, (uint8_t)(1 + who));
		c->seed[0] = 5;
		c->seed[1] = (uint64_t)who;
		c->max_sockets = 32;
		c->max_conns = 64;
		c->small_frames = 512;
		c->large_frames = 16;
		c->sndbuf = c->rcvbuf = c->udp_rcvbuf = 65535;
		c->sndbuf_max = c->rcvbuf_max = 0;
		c->delack_us = 0;
	}
}

void pair_begin(void)
{
	lose_frame = mark_frame = NULL;
	line_is_long = false;
	for (int who = 0; who < 2; who++) {
		size_t n = tapir_size(&configs[who]);

		ck_assert_uint_gt(n, 0);
		memory[who] = aligned_alloc(64, (n + 63) & ~(size_t)63);
		ck_assert_ptr_nonnull(memory[who]);
		memset(memory[who], 0x5a, n);
		pair[who] = tapir_init(memory[who], &configs[who], START_US);
		ck_assert_ptr_nonnull(pair[who]);
	}
}

void pair_lose(bool (*lose)(int from, struct span frame)) { lose_frame = lose; }

void pair_mark(bool (*mark)(int from, struct span frame)) { mark_frame = mark; }

bool pair_lose_all(int from, struct span frame)
{
	(void)from;
	(void)frame;
	return true;
}

static void set_ce(uint8_t *ip)
{
	uint16_t sum;

	ip[1] |= 3;
	ip[10] = ip[11] = 0;
	sum = frame_checksum(0, ip, 20);
	ip[10] = (uint8_t)(sum >> 8);
	ip[11] = (uint8_t)sum;
}

/* ---- a long line ----------------------------------------------------------------------------------------------- */

void pair_line(const struct pair_line *line)
{
	line_is_long = true;
	line_config = *line;
	for (int from = 0; from < 2; from++) {
		lines[from].last = &lines[from].first;
		lines[from].free_us = 0;
	}
}

static void fly(int from, struct span frame)
{
	usec_t now = tapir_now(pair[from]), starts = lines[from].free_us > now ? lines[from].free_us : now;
	struct flying *f;

	if ((starts - now) * line_config.rate_bps / 8 / TAPIR_SEC > line_config.queue_bytes)
		return;			/* the queue is full: lost */
	lines[from].free_us = starts + frame.n * 8 * TAPIR_SEC / line_config.rate_bps;
	f = malloc(sizeof *f + frame.n);
	ck_assert_ptr_nonnull(f);
	*f = (struct flying){.due_us = lines[from].free_us + line_config.delay_us, .n = (uint32_t)frame.n};
	memcpy(f->bytes, frame.p, frame.n);
	*lines[from].last = f;
	lines[from].last = &f->next;
}

static void arrive(int at, struct span frame)
{
	struct tapir_frame *f = tapir_frame_get(pair[at]);

	if (!f)
		return;			/* its pools are empty: lost */
	ck_assert_uint_le(frame.n, f->room);
	memcpy(f->data, frame.p, frame.n);
	f->len = (uint32_t)frame.n;
	tapir_input(pair[at], f);
	if (!line_is_long)
		tcp_check_all(pair[at]);
}

/* One frame that has come to the end of its line, if it is long; false: none has. */
static bool land_one(int from)
{
	struct flying *f = line_is_long ? lines[from].first : NULL;

	if (!f || f->due_us > tapir_now(pair[!from]))
		return false;
	lines[from].first = f->next;
	if (!f->next)
		lines[from].last = &lines[from].first;
	arrive(!from, (struct span){f->bytes, f->n});
	free(f);
	return true;
}

static usec_t next_landing(int from)
{
	return line_is_long && lines[from].first ? lines[from].first->due_us : USEC_NEVER;
}

/* One frame from `from` to the other, or on its way; false: it has none. */
static bool carry_one(int from)
{
	static uint8_t bytes[70000];
	struct tapir_out out;

	if (!tapir_output(pair[from], &out))
		return land_one(from);
	ck_assert_uint_le(out.len, sizeof bytes);
	tapir_out_copy(&out, bytes, false);
	if (lose_frame && lose_frame(from, (struct span){bytes, out.len}))
		return true;
	if (mark_frame && mark_frame(from, (struct span){bytes, out.len}))
		set_ce(bytes);
	if (line_is_long)
		fly(from, (struct span){bytes, out.len});
	else
		arrive(!from, (struct span){bytes, out.len});
	return true;
}

void pair_carry(void)
{
	bool more = true;

	for (int rounds = 0; more; rounds++) {
		ck_assert_int_lt(rounds, ROUNDS_MAX);
		more = carry_one(A);
		more |= carry_one(B);
	}
	tcp_check_all(pair[A]);
	tcp_check_all(pair[B]);
}

static usec_t earlier(usec_t a, usec_t b) { return a < b ? a : b; }

void pair_pass(usec_t us)
{
	usec_t until = tapir_now(pair[A]) + us, due = 0;

	pair_carry();
	for (int rounds = 0; due < until; rounds++) {
		ck_assert_int_lt(rounds, ROUNDS_MAX);
		due = earlier(until, earlier(tapir_deadline(pair[A]), tapir_deadline(pair[B])));
		due = earlier(due, earlier(next_landing(A), next_landing(B)));
		tapir_tick(pair[A], due);
		tapir_tick(pair[B], due);
		pair_carry();
	}
}

static void check_empty(int who)
{
	struct tapir_usage u;

	tapir_usage(pair[who], &u);
	ck_assert_uint_eq(u.sockets, 0);
	ck_assert_uint_eq(u.conns, 0);
	ck_assert_uint_eq(u.time_wait, 0);
	ck_assert_uint_eq(u.timers, 0);
	ck_assert_uint_eq(u.tcp_tunings, 0);
	ck_assert_uint_eq(u.small_frames, 0);
	ck_assert_uint_eq(u.large_frames, 0);
}

void pair_end(void)
{
	if (!pair[A])
		return;
	pair_carry();
	for (int i = 0; i < 1000 && (tapir_deadline(pair[A]) & tapir_deadline(pair[B]) & next_landing(A) & next_landing(B)) !=
	     USEC_NEVER; i++)
		pair_pass(60 * TAPIR_SEC);
	for (int who = 0; who < 2; who++) {
		check_empty(who);
		pair[who] = NULL;
		free(memory[who]);
	}
}

/* ---- programs -------------------------------------------------------------------------------------------------- */

struct tapir_endpoint pair_endpoint(int who, uint16_t port)
{
	return (struct tapir_endpoint){configs[who].addr, port};
}

tapir_sd pair_listen(uint16_t port, int backlog)
{
	struct tapir_endpoint local = {.port = port};
	tapir_sd sd = tapir_socket(pair[B], TAPIR_SOCK_STREAM);

	ck_assert(sd >= 0);
	ck_assert_result(tapir_bind(pair[B], sd, &local), 0);
	ck_assert_result(tapir_listen(pair[B], sd, backlog), 0);
	return sd;
}

tapir_sd pair_connect(uint16_t port)
{
	struct tapir_endpoint to = pair_endpoint(B, port);
	tapir_sd sd = tapir_socket(pair[A], TAPIR_SOCK_STREAM);

	ck_assert(sd >= 0);
	ck_assert_result(tapir_connect(pair[A], sd, &to), TAPIR_EINPROGRESS);
	return sd;
}

struct pair_conn pair_connected(uint16_t port)
{
	struct pair_conn c = {.listener = pair_listen(port, 5)};

	c.sd[A] = pair_connect(port);
	pair_carry();
	c.sd[B] = tapir_accept(pair[B], c.listener, NULL);
	ck_assert(c.sd[B] >= 0);
	pair_forget_events();
	return c;
}

void pair_close(const struct pair_conn *c)
{
	tapir_close(pair[A], c->sd[A]);		/* EBADF: the test has closed it */
	tapir_close(pair[B], c->sd[B]);
	tapir_close(pair[B], c->listener);
}

int pair_poll_event(int who, tapir_sd sd)
{
	struct tapir_poll_event e;
	int ready = NOT_LISTED;

	while (tapir_poll_events(pair[who], &e, 1))
		if (e.sd == sd)
			ready = e.ready;
	return ready;
}

void pair_forget_events(void)
{
	pair_poll_event(A, -1);
	pair_poll_event(B, -1);
}
