/* test_capture.c: a capture changes nothing. The same run of two stacks over a bad line, in virtual time, with and without a
 * capture that listens to the stack's probe: every frame that passes, and when, is the same. And the capture itself is the
 * same run after run. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "drivers/driver.h"
#include "tests/support/blocks.h"

#define START (1000 * TAPIR_SEC)
#define TEXT_BYTES 400000u
#define TURNS_MAX 400000
#define ECHO 7
#define EPOCH 1700000000000000u

struct end { struct tapir *t; void *mem; struct driver *d; };
struct run { uint64_t hash; uint32_t frames; usec_t ended_us; };

static struct end ends[2];		/* [0] is captured */
static usec_t now_us;
static struct run run;
static uint8_t text[TEXT_BYTES];
static uint32_t sent, echoed;

/* ---- the log of what passes ---- */

static void note(const void *bytes, size_t n)
{
	const uint8_t *p = bytes;

	for (size_t i = 0; i < n; i++)
		run.hash = (run.hash ^ p[i]) * 0x100000001b3u;
}

static void note_frame(uint8_t which, const uint8_t *bytes, size_t n)
{
	note(&now_us, sizeof now_us);
	note(&which, 1);
	note(bytes, n);
	run.frames++;
}

/* ---- the programs ---- */

static void echo_data(struct tapir *t, tapir_sd sd, void *ctx, struct span data)
{
	(void)ctx;
	ck_assert_int_eq(tapir_send(t, sd, data.p, data.n), (int64_t)data.n);
}

static void echo_end(struct tapir *t, tapir_sd sd, void *ctx)
{
	(void)ctx;
	tapir_shutdown(t, sd, TAPIR_SHUT_WR);
}

static void say_more(struct tapir *t, tapir_sd sd, void *ctx)
{
	int64_t n;

	(void)ctx;
	while (sent < TEXT_BYTES && (n = tapir_send(t, sd, text + sent, TEXT_BYTES - sent)) > 0)
		sent += (uint32_t)n;
	if (sent == TEXT_BYTES)
		tapir_shutdown(t, sd, TAPIR_SHUT_WR);
}

static void hear(struct tapir *t, tapir_sd sd, void *ctx, struct span data)
{
	(void)t;
	(void)sd;
	(void)ctx;
	ck_assert_mem_eq(data.p, text + echoed, data.n);
	echoed += (uint32_t)data.n;
}

static const struct tapir_handlers server = {.on_data = echo_data, .on_end = echo_end, .allow_half_open = true};
static const struct tapir_handlers client = {.on_connect = say_more, .on_drain = say_more, .on_data = hear};

/* ---- the world ---- */

static void begin_stack(struct end *e, uint8_t host, struct driver *d, bool listens)
{
	struct tapir_config c;
	size_t n;

	tapir_config_default(&c);
	c.addr = tapir_ipv4(10, 0, 0, host);
	c.mac[0] = 2;
	c.mac[5] = host;
	c.seed[0] = host;
	c.arp_probe = false;
	c.sndbuf = c.rcvbuf = c.sndbuf_max = c.rcvbuf_max = 1u << 20;
	if (listens) {
		c.probe = driver_capture_probe;
		c.probe_ctx = d;
	}
	n = (tapir_size(&c) + 63) & ~(size_t)63;
	e->d = d;
	e->mem = aligned_alloc(64, n);
	ck_assert_ptr_nonnull(e->mem);
	e->t = tapir_init(e->mem, &c, now_us);
}

static void begin(const char *path)
{
	struct fault_config cfg = {.loss = 0.02, .corrupt = 0.01, .duplicate = 0.01, .reorder = 0.02, .delay_us = 5 * TAPIR_MS,
				   .jitter_us = TAPIR_MS, .seed = 11};
	struct capture_options o = {.path = path, .epoch_us = EPOCH};
	struct driver *pair[2], *d;

	now_us = START;
	memset(&run, 0, sizeof run);
	sent = echoed = 0;
	driver_open_pair(pair, 1500, (struct tapir_offload_caps){.csum = false}, false);
	d = driver_wrap_fault(pair[0], &cfg);
	if (path) {
		struct driver *fault = d;

		d = driver_wrap_capture(fault, &o);
		ck_assert_msg(d != NULL, "%s", driver_error());
		driver_fault_tell(fault, driver_capture_fault, d);
	}
	begin_stack(&ends[0], 2, d, path != NULL);
	begin_stack(&ends[1], 1, pair[1], false);
}

static bool receive_one(int which)
{
	struct tapir_frame *f = tapir_frame_get(ends[which].t);

	ck_assert_ptr_nonnull(f);
	if (driver_recv(ends[which].d, f, now_us) != 1) {
		tapir_frame_put(ends[which].t, f);
		return false;
	}
	note_frame((uint8_t)which, f->data, f->len);
	tapir_input(ends[which].t, f);
	return true;
}

static bool work(int which)
{
	struct tapir_out out;
	uint8_t bytes[2000];
	bool any = false;

	tapir_tick(ends[which].t, now_us);
	while (receive_one(which))
		any = true;
	while (tapir_dispatch(ends[which].t))
		any = true;
	while (tapir_output(ends[which].t, &out)) {
		tapir_out_copy(&out, bytes, false);
		note_frame((uint8_t)(2 + which), bytes, out.len);
		ck_assert_int_eq(driver_send(ends[which].d, &out, now_us), 0);
		any = true;
	}
	return any;
}

static usec_t earlier(usec_t a, usec_t b) { return a < b ? a : b; }

static struct run transfer(const char *path)
{
	struct tapir_endpoint peer = {tapir_ipv4(10, 0, 0, 2), ECHO};
	usec_t next_us = START;
	tapir_sd sd;

	begin(path);
	tapir_serve_tcp(ends[0].t, ECHO, 4, &server, NULL);
	sd = tapir_socket(ends[1].t, TAPIR_SOCK_STREAM);
	tapir_on(ends[1].t, sd, &client, NULL);
	tapir_connect(ends[1].t, sd, &peer);
	for (int i = 0; i < TURNS_MAX && next_us != USEC_NEVER; i++) {
		now_us = next_us > now_us ? next_us : now_us;
		while (work(0) | work(1))
			;
		next_us = earlier(tapir_deadline(ends[0].t), tapir_deadline(ends[1].t));
		next_us = earlier(next_us, earlier(driver_deadline(ends[0].d), driver_deadline(ends[1].d)));
		if (echoed == TEXT_BYTES && now_us > START + 3600 * TAPIR_SEC)
			break;
	}
	ck_assert_uint_eq(echoed, TEXT_BYTES);
	run.ended_us = now_us;
	for (int which = 0; which < 2; which++) {
		driver_close(ends[which].d);
		free(ends[which].mem);
	}
	return run;
}

/* ---- the tests ---- */

static char path[2][40];

static void setup(void)
{
	for (uint32_t i = 0; i < TEXT_BYTES; i++)
		text[i] = (uint8_t)(i * 31 + i / 251);
	for (int i = 0; i < 2; i++)
		snprintf(path[i], sizeof path[i], "/tmp/tapir_same_%d_%d.pcapng", (int)getpid(), i);
}

static void teardown(void)
{
	unlink(path[0]);
	unlink(path[1]);
}

START_TEST(a_capture_changes_neither_a_frame_nor_its_time)
{
	struct run without = transfer(NULL), with = transfer(path[0]);

	ck_assert_uint_gt(without.frames, 1000);
	ck_assert_uint_eq(with.frames, without.frames);
	ck_assert_uint_eq(with.hash, without.hash);
}
END_TEST

START_TEST(the_same_run_is_the_same_file)
{
	struct span file[2];

	for (int i = 0; i < 2; i++) {
		transfer(path[i]);
		file[i] = file_bytes(path[i]);
	}
	ck_assert_uint_eq(file[0].n, file[1].n);
	ck_assert_mem_eq(file[0].p, file[1].p, file[0].n);
	for (int i = 0; i < 2; i++)
		free((void *)(uintptr_t)file[i].p);
}
END_TEST

/* What the run had is in the comments: both sides of each decision, and what the line did. */
START_TEST(the_file_tells_what_happened)
{
	static const char *const wanted[] = {
		"state LISTEN > SYN-RECEIVED", "state SYN-RECEIVED > ESTABLISHED", "state ESTABLISHED > CLOSE-WAIT",
		"state CLOSE-WAIT > LAST-ACK", "accepted", "DROP_TCP_CHECKSUM", "an ACK is owed", "sent again: ", "cwnd ",
		" ssthresh ", " srtt ", " rto ", " flight ", "bad line: lost", "bad line: takes ", "bad line: comes twice",
		"is flipped", "on its way in: ", "may overtake it",
	};
	struct span file;
	struct block b;

	transfer(path[0]);
	file = file_bytes(path[0]);
	for (size_t i = 0; i < sizeof wanted / sizeof wanted[0]; i++) {
		bool found = false;

		for (struct span rest = file; !found && block_next(&rest, &b);)
			found = b.type == BLOCK_PACKET && has_comment(&b, wanted[i]);
		ck_assert_msg(found, "no comment has '%s'", wanted[i]);
	}
	for (struct span rest = file; block_next(&rest, &b);)
		if (b.type == BLOCK_PACKET && (block_packet(&b).flags & 3) == 1)
			ck_assert_msg(has_comment(&b, "accepted") || has_comment(&b, "DROP_") || has_comment(&b, "HELD"),
				      "a frame that arrived has no verdict");
	free((void *)(uintptr_t)file.p);
}
END_TEST

Suite *suite(void);
Suite *suite(void)
{
	Suite *s = suite_create("capture, in virtual time");
	TCase *c = tcase_create("capture");

	tcase_add_checked_fixture(c, setup, teardown);
	tcase_set_timeout(c, 60);
	tcase_add_test(c, a_capture_changes_neither_a_frame_nor_its_time);
	tcase_add_test(c, the_same_run_is_the_same_file);
	tcase_add_test(c, the_file_tells_what_happened);
	suite_add_tcase(s, c);
	return s;
}
