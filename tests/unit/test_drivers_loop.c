/* test_drivers_loop.c: the event loop, with two stacks in one process and one thread, over a pair. Time is the real clock's,
 * so each test has a time limit and none measures less than it must. */
#include <check.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/time.h>
#include <unistd.h>
#include "drivers/loop_internal.h"

#define ECHO_PORT 7

static struct loop *loops[2];
static struct driver *ends[2];

static void configure(struct tapir_config *c, uint8_t host)
{
	tapir_config_default(c);
	c->addr = tapir_ipv4(10, 0, 0, host);
	c->arp_probe = false;
	c->small_frames = 1024;
	c->large_frames = 32;
	c->max_sockets = 16;
	c->max_conns = 16;
	c->msl_us = 10 * TAPIR_MS;
	c->sndbuf = c->rcvbuf = 512 * 1024;	/* the echo below sends back all that it is shown */
	c->sndbuf_max = c->rcvbuf_max = 0;
	c->seed[0] = host;
}

static void open_loops(struct tapir_offload_caps caps)
{
	driver_open_pair(ends, 1500, caps, false);
	for (uint8_t i = 0; i < 2; i++) {
		struct tapir_config config;

		configure(&config, (uint8_t)(i + 1));
		loops[i] = loop_open(ends[i], &config);
		ck_assert_msg(loops[i] != NULL, "%s", loop_error());
	}
}

static void close_loops(void)
{
	loop_close(loops[0]);
	loop_close(loops[1]);
}

/* Turns both loops until *done. */
static void turn_until(const bool *done)
{
	usec_t give_up_us = loop_clock_us() + 20 * TAPIR_SEC;

	while (!*done) {
		ck_assert_int_eq(loop_turn(loops[0], 0), 0);
		ck_assert_int_eq(loop_turn(loops[1], *done ? 0 : TAPIR_MS), 0);
		ck_assert_msg(loop_clock_us() < give_up_us, "it does not end");
	}
}

/* ---- an echo ---- */

static void echo_data(struct tapir *t, tapir_sd sd, void *ctx, struct span data)
{
	(void)ctx;
	ck_assert_int_eq(tapir_send(t, sd, data.p, data.n), (int64_t)data.n);
}
static const struct tapir_handlers echo = {.on_data = echo_data};

#define TOTAL 3000000u
struct transfer { size_t sent, got, wrong; bool closed, failed; };

static uint8_t byte_at(size_t i)
{
	return (uint8_t)(i * 31 + (i >> 8));
}

static void push(struct tapir *t, tapir_sd sd, struct transfer *x)
{
	uint8_t bytes[10000];

	while (x->sent < TOTAL && x->sent - x->got < 200000) {
		size_t n = TOTAL - x->sent < sizeof bytes ? TOTAL - x->sent : sizeof bytes;
		int64_t sent;

		for (size_t i = 0; i < n; i++)
			bytes[i] = byte_at(x->sent + i);
		sent = tapir_send(t, sd, bytes, n);
		if (sent <= 0)
			return;
		x->sent += (size_t)sent;
	}
	if (x->sent == TOTAL && x->got < TOTAL)
		tapir_shutdown(t, sd, TAPIR_SHUT_WR);
}

static void client_connect(struct tapir *t, tapir_sd sd, void *ctx)
{
	push(t, sd, ctx);
}
static void client_data(struct tapir *t, tapir_sd sd, void *ctx, struct span data)
{
	struct transfer *x = ctx;

	for (size_t i = 0; i < data.n; i++)
		x->wrong += data.p[i] != byte_at(x->got + i);
	x->got += data.n;
	push(t, sd, x);
}
static void client_error(struct tapir *t, tapir_sd sd, void *ctx, int error)
{
	(void)t, (void)sd, (void)error;
	((struct transfer *)ctx)->failed = true;
}
static void client_close(struct tapir *t, tapir_sd sd, void *ctx)
{
	(void)t, (void)sd;
	((struct transfer *)ctx)->closed = true;
}
static const struct tapir_handlers client = {
	.on_connect = client_connect, .on_data = client_data, .on_drain = client_connect, .on_error = client_error,
	.on_close = client_close,
};

static tapir_sd dial(struct loop *l, const struct tapir_handlers *handlers, void *ctx)
{
	struct tapir *t = loop_stack(l);
	tapir_sd sd = tapir_socket(t, TAPIR_SOCK_STREAM);
	struct tapir_endpoint peer = {tapir_ipv4(10, 0, 0, 2), ECHO_PORT};

	ck_assert_int_ge(sd, 0);
	ck_assert_int_eq(tapir_on(t, sd, handlers, ctx), 0);
	ck_assert_int_eq(tapir_connect(t, sd, &peer), TAPIR_EINPROGRESS);
	return sd;
}

static void echo_over_the_pair(struct tapir_offload_caps caps)
{
	struct transfer x = {.sent = 0};

	open_loops(caps);
	ck_assert_int_ge(tapir_serve_tcp(loop_stack(loops[1]), ECHO_PORT, 4, &echo, NULL), 0);
	dial(loops[0], &client, &x);
	turn_until(&x.closed);
	ck_assert(!x.failed);
	ck_assert_uint_eq(x.sent, TOTAL);
	ck_assert_uint_eq(x.got, TOTAL);
	ck_assert_uint_eq(x.wrong, 0);
	close_loops();
}

START_TEST(megabytes_are_echoed_through_two_loops)
{
	echo_over_the_pair((struct tapir_offload_caps){.csum = false});
}
END_TEST

START_TEST(megabytes_are_echoed_through_two_loops_with_offloads)
{
	echo_over_the_pair((struct tapir_offload_caps){.csum = true, .tso4 = true});
}
END_TEST

/* ---- timers ---- */

static char order[16];
static void note_a(void *ctx) { (void)ctx; strcat(order, "a"); }
static void note_b(void *ctx) { (void)ctx; strcat(order, "b"); }
static void note_c(void *ctx) { (void)ctx; strcat(order, "c"); }

static void turn_for(struct loop *l, usec_t us)
{
	usec_t end_us = loop_clock_us() + us;

	while (loop_clock_us() < end_us)
		ck_assert_int_eq(loop_turn(l, end_us - loop_clock_us()), 0);
}

START_TEST(timers_run_in_the_order_of_their_times_and_cancelled_ones_do_not)
{
	usec_t now_us;
	uint64_t id;

	open_loops((struct tapir_offload_caps){.csum = false});
	now_us = loop_now(loops[0]);
	ck_assert_uint_ne(loop_at(loops[0], now_us + 20 * TAPIR_MS, note_c, NULL), 0);
	id = loop_at(loops[0], now_us + 10 * TAPIR_MS, note_b, NULL);
	ck_assert_uint_ne(loop_at(loops[0], now_us + 5 * TAPIR_MS, note_a, NULL), 0);
	ck_assert_uint_ne(loop_at(loops[0], now_us + 5 * TAPIR_MS, note_b, NULL), 0);
	loop_cancel(loops[0], id);
	loop_cancel(loops[0], id);
	turn_for(loops[0], 60 * TAPIR_MS);
	ck_assert_str_eq(order, "abc");
	close_loops();
}
END_TEST

static usec_t early_us, wanted_us;
static void check_time(void *ctx)
{
	struct loop *l = ctx;

	if (loop_now(l) < wanted_us)
		early_us = wanted_us - loop_now(l);
	strcat(order, "x");
	loop_stop(l);
}

START_TEST(a_timer_never_runs_early)
{
	open_loops((struct tapir_offload_caps){.csum = false});
	for (int i = 0; i < 8; i++) {
		wanted_us = loop_clock_us() + 2500;
		loop_at(loops[0], wanted_us, check_time, loops[0]);
		ck_assert_int_eq(loop_run(loops[0]), 0);
	}
	ck_assert_str_eq(order, "xxxxxxxx");
	ck_assert_uint_eq(early_us, 0);
	close_loops();
}
END_TEST

static int again_count;
static void again(void *ctx)
{
	again_count++;
	loop_at(ctx, 0, again, ctx);
}

START_TEST(a_timer_that_sets_itself_again_for_now_runs_once_a_turn)
{
	open_loops((struct tapir_offload_caps){.csum = false});
	again(loops[0]);
	for (int i = 0; i < 5; i++)
		loop_turn(loops[0], USEC_NEVER);
	ck_assert_int_eq(again_count, 6);
	close_loops();
}
END_TEST

/* ---- descriptors ---- */

static int pipe_fds[2], calls;
static void read_pipe(void *ctx, uint32_t events)
{
	char byte;

	ck_assert(events & EPOLLIN);
	ck_assert_int_eq(read(pipe_fds[0], &byte, 1), 1);
	calls++;
	loop_stop(ctx);
}

START_TEST(a_watched_descriptor_wakes_the_loop_until_the_watch_is_removed)
{
	open_loops((struct tapir_offload_caps){.csum = false});
	ck_assert_int_eq(pipe(pipe_fds), 0);
	ck_assert_int_eq(loop_watch(loops[0], pipe_fds[0], EPOLLIN, read_pipe, loops[0]), 0);
	ck_assert_int_eq(write(pipe_fds[1], "12", 2), 2);
	ck_assert_int_eq(loop_run(loops[0]), 0);
	ck_assert_int_eq(loop_run(loops[0]), 0);
	ck_assert_int_eq(calls, 2);
	ck_assert_int_eq(loop_watch(loops[0], pipe_fds[0], 0, NULL, NULL), 0);
	ck_assert_int_eq(write(pipe_fds[1], "3", 1), 1);
	turn_for(loops[0], 10 * TAPIR_MS);
	ck_assert_int_eq(calls, 2);
	ck_assert_int_lt(loop_watch(loops[0], -1, EPOLLIN, read_pipe, NULL), 0);
	close_loops();
}
END_TEST

static int stale_calls, other_fds[2];
static void must_not_run(void *ctx, uint32_t events)
{
	(void)ctx, (void)events;
	stale_calls++;
}
/* Both descriptors are ready in the same turn: whichever comes first replaces the other's file under the same number. */
static void replace_other(void *ctx, uint32_t events)
{
	int *fds = ctx, fresh[2];
	(void)events;

	if (calls++ > 0)
		return;
	loop_watch(loops[0], fds[0], 0, NULL, NULL);
	close(fds[0]);
	ck_assert_int_eq(pipe(fresh), 0);
	ck_assert_int_eq(fresh[0], fds[0]);
	ck_assert_int_eq(loop_watch(loops[0], fresh[0], EPOLLIN, must_not_run, NULL), 0);
}

START_TEST(an_event_of_a_closed_descriptor_does_not_reach_the_next_owner_of_its_number)
{
	open_loops((struct tapir_offload_caps){.csum = false});
	ck_assert_int_eq(pipe(pipe_fds), 0);
	ck_assert_int_eq(pipe(other_fds), 0);
	ck_assert_int_eq(loop_watch(loops[0], pipe_fds[0], EPOLLIN, replace_other, other_fds), 0);
	ck_assert_int_eq(loop_watch(loops[0], other_fds[0], EPOLLIN, replace_other, pipe_fds), 0);
	ck_assert_int_eq(write(pipe_fds[1], "1", 1), 1);
	ck_assert_int_eq(write(other_fds[1], "1", 1), 1);
	loop_turn(loops[0], 0);
	ck_assert_int_eq(calls, 1);
	ck_assert_int_eq(stale_calls, 0);
	close_loops();
}
END_TEST

static void count_always(void *ctx, uint32_t events)
{
	ck_assert_uint_eq(events, EPOLLIN);
	if (++calls == 3)
		loop_watch(ctx, pipe_fds[0], 0, NULL, NULL);
}

START_TEST(a_regular_file_is_always_ready)
{
	char path[] = "/tmp/tapir_test_XXXXXX";

	open_loops((struct tapir_offload_caps){.csum = false});
	pipe_fds[0] = mkstemp(path);
	ck_assert_int_ge(pipe_fds[0], 0);
	unlink(path);
	ck_assert_int_eq(loop_watch(loops[0], pipe_fds[0], EPOLLIN, count_always, loops[0]), 0);
	for (int i = 0; i < 3; i++)
		loop_turn(loops[0], USEC_NEVER);
	turn_for(loops[0], 5 * TAPIR_MS);
	ck_assert_int_eq(calls, 3);
	close_loops();
}
END_TEST

/* ---- stopping ---- */

static void stop_from_a_signal(int number)
{
	(void)number;
	loop_stop(loops[0]);
}

START_TEST(a_signal_handler_may_stop_the_loop)
{
	struct itimerval soon = {.it_value = {.tv_usec = 20000}};

	open_loops((struct tapir_offload_caps){.csum = false});
	signal(SIGALRM, stop_from_a_signal);
	setitimer(ITIMER_REAL, &soon, NULL);
	ck_assert_int_eq(loop_run(loops[0]), 0);
	close_loops();
}
END_TEST

START_TEST(a_stop_before_the_run_ends_it_at_once)
{
	open_loops((struct tapir_offload_caps){.csum = false});
	loop_stop(loops[0]);
	ck_assert_int_eq(loop_run(loops[0]), 0);
	close_loops();
}
END_TEST

/* ---- readiness ---- */

static tapir_sd ready_sd;
static int ready_seen;
static void note_ready(void *ctx, const struct tapir_poll_event *ev)
{
	ck_assert_ptr_eq(ctx, &ready_seen);
	ck_assert_ptr_eq(ev->user, &ready_sd);
	ck_assert_int_eq(ev->sd, ready_sd);
	ready_seen |= ev->ready;
}

START_TEST(a_loop_that_polls_does_not_sleep)
{
	const struct tapir_offload_caps none = {.csum = false};
	usec_t start_us;

	open_loops(none);
	loop_turn(loops[0], 0);
	loop_busy_poll(loops[0], true);
	start_us = loop_clock_us();
	for (int i = 0; i < 100; i++)
		ck_assert_int_eq(loop_turn(loops[0], TAPIR_SEC), 0);
	ck_assert(loop_clock_us() - start_us < 50 * TAPIR_SEC);
	loop_busy_poll(loops[0], false);
	start_us = loop_clock_us();
	ck_assert_int_eq(loop_turn(loops[0], 20 * TAPIR_MS), 0);
	ck_assert(loop_clock_us() - start_us >= 20 * TAPIR_MS);
	close_loops();
}
END_TEST

START_TEST(a_loop_looks_for_frames_before_it_sleeps_only_while_that_pays_off)
{
	struct poll_window p = {.most_us = 50};

	poll_learn(&p, 30);		/* a short sleep: the next time it looks first */
	ck_assert_uint_eq(p.window_us, 10);
	poll_learn(&p, 5);		/* that was enough */
	ck_assert_uint_eq(p.window_us, 10);
	for (int i = 0; i < 4; i++)
		poll_learn(&p, 45);
	ck_assert_uint_eq(p.window_us, 50);	/* and no longer than allowed */
	poll_learn(&p, 51);
	ck_assert_uint_eq(p.window_us, 0);
}
END_TEST

START_TEST(a_loop_that_may_not_poll_sleeps_at_once)
{
	const struct tapir_offload_caps none = {.csum = false};

	open_loops(none);
	loop_poll_us(loops[0], 0);
	for (int i = 0; i < 20; i++) {
		ck_assert_int_eq(loop_turn(loops[0], 1), 0);
		ck_assert_uint_eq(loops[0]->poll.window_us, 0);
	}
	close_loops();
}
END_TEST

START_TEST(sockets_without_handlers_are_reported_ready)
{
	struct tapir_endpoint local = {.port = ECHO_PORT};
	struct transfer x = {.sent = 0};
	struct tapir *t;

	open_loops((struct tapir_offload_caps){.csum = false});
	t = loop_stack(loops[1]);
	loop_on_ready(loops[1], note_ready, &ready_seen);
	ready_sd = tapir_socket(t, TAPIR_SOCK_STREAM);
	ck_assert_int_eq(tapir_bind(t, ready_sd, &local), 0);
	ck_assert_int_eq(tapir_listen(t, ready_sd, 1), 0);
	ck_assert_int_eq(tapir_set_user(t, ready_sd, &ready_sd), 0);
	dial(loops[0], &client, &x);
	for (int i = 0; i < 1000 && !(ready_seen & TAPIR_POLLIN); i++) {
		loop_turn(loops[0], 0);
		loop_turn(loops[1], TAPIR_MS);
	}
	ck_assert(ready_seen & TAPIR_POLLIN);
	close_loops();
}
END_TEST

Suite *suite(void)
{
	Suite *s = suite_create("drivers/loop");
	TCase *c = tcase_create("loop");

	tcase_set_timeout(c, 60);
	tcase_add_test(c, megabytes_are_echoed_through_two_loops);
	tcase_add_test(c, megabytes_are_echoed_through_two_loops_with_offloads);
	tcase_add_test(c, timers_run_in_the_order_of_their_times_and_cancelled_ones_do_not);
	tcase_add_test(c, a_timer_never_runs_early);
	tcase_add_test(c, a_timer_that_sets_itself_again_for_now_runs_once_a_turn);
	tcase_add_test(c, a_watched_descriptor_wakes_the_loop_until_the_watch_is_removed);
	tcase_add_test(c, an_event_of_a_closed_descriptor_does_not_reach_the_next_owner_of_its_number);
	tcase_add_test(c, a_regular_file_is_always_ready);
	tcase_add_test(c, a_signal_handler_may_stop_the_loop);
	tcase_add_test(c, a_stop_before_the_run_ends_it_at_once);
	tcase_add_test(c, a_loop_that_polls_does_not_sleep);
	tcase_add_test(c, a_loop_looks_for_frames_before_it_sleeps_only_while_that_pays_off);
	tcase_add_test(c, a_loop_that_may_not_poll_sleeps_at_once);
	tcase_add_test(c, sockets_without_handlers_are_reported_ready);
	suite_add_tcase(s, c);
	return s;
}
