/* test_socket_handlers.c: the third way in (stack/tapir.h): which callbacks come, in which order, compared as one line of
 * text; pause and resume, drain, half-open, and programs that close things in the middle of a callback. */
#include <stdio.h>
#include <stdlib.h>
#include "tests/support/pair_of_stacks.h"

/* One program: what it has been told, and what it does in its callbacks. */
struct program {
	char log[4000];
	tapir_sd sd, child;		/* of the last callback; of the last connection */
	size_t bytes;
	struct tapir_endpoint from;
	bool echo, close_in_data, close_in_end, pause_in_data, abort_in_connection, recv_in_data;
	size_t to_send;			/* written in on_connect and on_drain until it is done */
};
static struct program server, client;
static char text[400000];

static void note(struct program *p, tapir_sd sd, const char *what)
{
	size_t n = strlen(p->log);

	snprintf(p->log + n, sizeof p->log - n, "%s%s", n ? " " : "", what);
	p->sd = sd;
}

static void write_more(struct tapir *t, tapir_sd sd, struct program *p)
{
	while (p->to_send) {
		int64_t n = tapir_send(t, sd, text, p->to_send < 30000 ? p->to_send : 30000);

		if (n < 0) {
			ck_assert_result(n, TAPIR_EAGAIN);
			return;
		}
		p->to_send -= (size_t)n;
	}
}

static void on_listening(struct tapir *t, tapir_sd sd, void *ctx)
{
	(void)t;
	note(ctx, sd, "listening");
}

static void on_connection(struct tapir *t, tapir_sd sd, void *ctx, const struct tapir_endpoint *peer)
{
	struct program *p = ctx;

	note(p, sd, "connection");
	p->child = sd;
	p->from = *peer;
	if (p->abort_in_connection)
		ck_assert_result(tapir_abort(t, sd), 0);
}

static void on_connect(struct tapir *t, tapir_sd sd, void *ctx)
{
	note(ctx, sd, "connect");
	write_more(t, sd, ctx);
}

static void on_data(struct tapir *t, tapir_sd sd, void *ctx, struct span data)
{
	struct program *p = ctx;
	char what[40], buf[10];

	snprintf(what, sizeof what, "data(%.*s)", (int)(data.n < 20 ? data.n : 3), (const char *)data.p);
	note(p, sd, what);
	p->bytes += data.n;
	if (p->echo)
		ck_assert_result(tapir_send(t, sd, data.p, data.n), (int64_t)data.n);
	if (p->pause_in_data)
		ck_assert_result(tapir_pause(t, sd), 0);
	if (p->recv_in_data)
		ck_assert_result(tapir_recv(t, sd, buf, sizeof buf), TAPIR_EAGAIN);	/* what is shown counts as read */
	if (p->close_in_data)
		ck_assert_result(tapir_close(t, sd), 0);
}

static void on_message(struct tapir *t, tapir_sd sd, void *ctx, struct span data, const struct tapir_endpoint *from)
{
	struct program *p = ctx;
	char what[40];

	snprintf(what, sizeof what, "message(%.*s)", (int)data.n, (const char *)data.p);
	note(p, sd, what);
	p->from = *from;
	if (p->echo)
		ck_assert_result(tapir_sendto(t, sd, data.p, data.n, from), (int64_t)data.n);
	if (p->close_in_data)
		ck_assert_result(tapir_close(t, sd), 0);
}

static void on_drain(struct tapir *t, tapir_sd sd, void *ctx)
{
	note(ctx, sd, "drain");
	write_more(t, sd, ctx);
}

static void on_end(struct tapir *t, tapir_sd sd, void *ctx)
{
	struct program *p = ctx;

	note(p, sd, "end");
	if (p->close_in_end)
		ck_assert_result(tapir_close(t, sd), 0);
}

static void on_error(struct tapir *t, tapir_sd sd, void *ctx, int error)
{
	char what[40];

	(void)t;
	snprintf(what, sizeof what, "error(%s)", tapir_errname(error));
	note(ctx, sd, what);
}

static void on_close(struct tapir *t, tapir_sd sd, void *ctx)
{
	note(ctx, sd, "close");
	ck_assert_result(tapir_poll(t, sd), TAPIR_EBADF);	/* it is closed already */
}

static struct tapir_handlers handlers;

static void set_up(void)
{
	pair_reset_config();
	pair_begin();
	handlers = (struct tapir_handlers){on_listening, on_connection, on_connect, on_data, on_message, on_drain, on_end,
					   on_error, on_close, false};
	memset(&server, 0, sizeof server);
	memset(&client, 0, sizeof client);
	memset(text, 't', sizeof text);
}

/* Frames and callbacks until there is neither. */
static void run(void)
{
	int ran;

	do {
		pair_carry();
		ran = tapir_dispatch(pair[A]);
		ran += tapir_dispatch(pair[B]);
	} while (ran);
}

static tapir_sd serves(uint16_t port)
{
	tapir_sd sd = tapir_serve_tcp(pair[B], port, 5, &handlers, &server);

	ck_assert(sd >= 0);
	return sd;
}

static tapir_sd client_connects(uint16_t port)
{
	tapir_sd sd = pair_connect(port);

	ck_assert_result(tapir_on(pair[A], sd, &handlers, &client), 0);
	return sd;
}

static void was_told(struct program *p, const char *log)
{
	ck_assert_str_eq(p->log, log);
	p->log[0] = '\0';
}

/* A server, and a plain client that polls; all has been told up to the connection. */
struct plain { tapir_sd listener, sd; };

static struct plain connected_to_server(void)
{
	struct plain c = {.listener = serves(7), .sd = pair_connect(7)};

	run();
	was_told(&server, "listening connection");
	return c;
}

static void sends(tapir_sd sd, const char *what)
{
	ck_assert_result(tapir_send(pair[A], sd, what, strlen(what)), (int64_t)strlen(what));
}

static void end(const struct plain *c)
{
	tapir_close(pair[A], c->sd);
	run();
	tapir_close(pair[B], server.child);
	tapir_close(pair[B], c->listener);
	run();
}

/* --- order --- */

START_TEST(a_whole_conversation_in_order)
{
	tapir_sd l = serves(7), a = client_connects(7);

	server.echo = true;
	run();
	was_told(&server, "listening connection");
	was_told(&client, "connect");
	sends(a, "hello");
	run();
	was_told(&server, "data(hello)");
	was_told(&client, "data(hello)");
	ck_assert_result(tapir_shutdown(pair[A], a, TAPIR_SHUT_WR), 0);
	run();
	was_told(&server, "end close");		/* and our side was closed too, as Node does */
	was_told(&client, "end close");
	ck_assert(client.sd == a);
	ck_assert_result(tapir_poll(pair[A], a), TAPIR_EBADF);
	tapir_close(pair[B], l);
}
END_TEST

START_TEST(nothing_is_called_outside_dispatch)
{
	tapir_sd l = serves(7), a = client_connects(7);

	pair_carry();
	sends(a, "hello");
	pair_carry();
	was_told(&server, "");
	was_told(&client, "");
	ck_assert_int_gt(tapir_dispatch(pair[B]), 0);
	run();
	was_told(&server, "listening connection data(hello)");
	ck_assert_result(tapir_dispatch(pair[B]), 0);
	tapir_abort(pair[A], a);
	run();
	tapir_close(pair[B], l);
}
END_TEST

START_TEST(data_and_end_that_came_together_are_told_in_order)
{
	struct plain c = connected_to_server();

	sends(c.sd, "last");
	tapir_close(pair[A], c.sd);
	run();
	was_told(&server, "data(last) end close");
	end(&c);
}
END_TEST

START_TEST(the_connection_brings_its_peer)
{
	struct plain c = connected_to_server();
	struct tapir_endpoint local;

	tapir_getsockname(pair[A], c.sd, &local);
	ck_assert_uint_eq(server.from.port, local.port);
	ck_assert(tapir_addr_equal(&server.from.addr, &local.addr));
	end(&c);
}
END_TEST

START_TEST(a_reset_is_an_error_and_then_close)
{
	struct plain c = connected_to_server();

	tapir_abort(pair[A], c.sd);
	run();
	was_told(&server, "error(ECONNRESET) close");
	end(&c);
}
END_TEST

START_TEST(data_before_a_reset_comes_first)
{
	struct plain c = connected_to_server();

	sends(c.sd, "before");
	pair_carry();
	tapir_abort(pair[A], c.sd);
	run();
	was_told(&server, "data(before) error(ECONNRESET) close");
	end(&c);
}
END_TEST

START_TEST(a_refused_connect_is_an_error_and_then_close)
{
	client_connects(7);
	run();
	was_told(&client, "error(ECONNREFUSED) close");
}
END_TEST

START_TEST(a_connect_without_an_answer_times_out)
{
	client_connects(7);
	pair_lose(pair_lose_all);
	for (int i = 0; i < 20; i++) {
		pair_pass(60 * TAPIR_SEC);
		run();
	}
	was_told(&client, "error(ETIMEDOUT) close");
}
END_TEST

START_TEST(callbacks_may_be_missing)
{
	static const struct tapir_handlers none;
	tapir_sd l = tapir_serve_tcp(pair[B], 7, 5, &none, NULL), a = pair_connect(7);
	char buf[1];

	run();
	sends(a, "nobody listens");
	tapir_shutdown(pair[A], a, TAPIR_SHUT_WR);
	run();
	ck_assert_result(tapir_recv(pair[A], a, buf, 1), 0);	/* read, ended, closed all the same */
	tapir_close(pair[A], a);
	run();
	tapir_close(pair[B], l);
}
END_TEST

/* --- ends --- */

START_TEST(with_allow_half_open_the_program_ends_its_side_itself)
{
	struct plain c;
	char buf[10];

	handlers.allow_half_open = true;
	c = connected_to_server();
	tapir_shutdown(pair[A], c.sd, TAPIR_SHUT_WR);
	run();
	was_told(&server, "end");
	ck_assert_result(tapir_send(pair[B], server.child, "later", 5), 5);
	run();
	ck_assert_result(tapir_recv(pair[A], c.sd, buf, 10), 5);
	ck_assert_result(tapir_shutdown(pair[B], server.child, TAPIR_SHUT_WR), 0);
	run();
	was_told(&server, "close");
	ck_assert_result(tapir_recv(pair[A], c.sd, buf, 10), 0);
	end(&c);
}
END_TEST

START_TEST(our_own_half_close_waits_for_the_peers_end)
{
	struct plain c = connected_to_server();

	tapir_shutdown(pair[B], server.child, TAPIR_SHUT_WR);
	run();
	was_told(&server, "");
	sends(c.sd, "still");
	run();
	was_told(&server, "data(still)");
	tapir_close(pair[A], c.sd);
	run();
	was_told(&server, "end close");
	end(&c);
}
END_TEST

START_TEST(close_comes_when_the_peer_has_everything)
{
	tapir_sd l = serves(7), a;

	client.to_send = 100000;
	a = client_connects(7);
	run();
	ck_assert_uint_eq(server.bytes, 100000);
	server.log[0] = client.log[0] = '\0';
	pair_lose(pair_lose_all);
	tapir_send(pair[B], server.child, "undelivered", 11);
	tapir_shutdown(pair[B], server.child, TAPIR_SHUT_RDWR);
	run();
	was_told(&server, "");			/* sent, but nobody has acknowledged it */
	pair_lose(NULL);
	pair_pass(5 * TAPIR_SEC);
	run();
	was_told(&server, "close");
	tapir_close(pair[A], a);
	tapir_close(pair[B], l);
	run();
}
END_TEST

/* --- pause, drain --- */

START_TEST(a_paused_socket_gets_no_data_and_its_window_closes)
{
	struct plain c = connected_to_server();
	int64_t n, total = 0;

	ck_assert_result(tapir_pause(pair[B], server.child), 0);
	for (int i = 0; i < 20; i++) {
		n = tapir_send(pair[A], c.sd, text, 50000);
		total += n > 0 ? n : 0;
		run();
	}
	was_told(&server, "");
	ck_assert_int_lt(total, 50000 * 20);
	ck_assert_result(tapir_resume(pair[B], server.child), 0);
	for (int i = 0; i < 60 && server.bytes < (size_t)total; i++) {
		run();
		pair_pass(TAPIR_SEC);
	}
	ck_assert_uint_eq(server.bytes, (size_t)total);
	server.log[0] = '\0';
	end(&c);
}
END_TEST

START_TEST(pause_inside_on_data_keeps_the_rest)
{
	struct plain c = connected_to_server();

	server.pause_in_data = true;
	sends(c.sd, "first");
	run();
	was_told(&server, "data(first)");
	sends(c.sd, "second");
	run();
	was_told(&server, "");
	tapir_resume(pair[B], server.child);
	run();
	was_told(&server, "data(second)");
	end(&c);
}
END_TEST

START_TEST(an_end_behind_data_that_is_paused_waits)
{
	struct plain c = connected_to_server();

	tapir_pause(pair[B], server.child);
	sends(c.sd, "unread");
	tapir_close(pair[A], c.sd);
	run();
	was_told(&server, "");
	tapir_resume(pair[B], server.child);
	run();
	was_told(&server, "data(unread) end close");
	end(&c);
}
END_TEST

START_TEST(an_error_ends_a_pause)
{
	struct plain c = connected_to_server();

	tapir_pause(pair[B], server.child);
	sends(c.sd, "never read");
	pair_carry();
	tapir_abort(pair[A], c.sd);
	run();
	was_told(&server, "error(ECONNRESET) close");
	end(&c);
}
END_TEST

START_TEST(drain_comes_after_a_short_send_when_there_is_room_again)
{
	tapir_sd l = serves(7), a;

	client.to_send = sizeof text;
	a = client_connects(7);
	run();
	ck_assert_uint_eq(server.bytes, sizeof text);
	ck_assert_uint_eq(client.to_send, 0);
	ck_assert_ptr_nonnull(strstr(client.log, "connect drain"));
	client.log[0] = '\0';
	sends(a, "short");			/* all taken: no drain is owed */
	run();
	was_told(&client, "");
	tapir_close(pair[A], a);
	run();
	tapir_close(pair[B], l);
}
END_TEST

START_TEST(a_short_send_is_finished_before_our_end_follows_the_peers)
{
	tapir_sd l = serves(7), a = pair_connect(7);
	static char buf[sizeof text];
	size_t got = 0;
	int64_t n;

	run();
	server.to_send = sizeof text;
	write_more(pair[B], server.child, &server);
	ck_assert_uint_gt(server.to_send, 0);
	tapir_shutdown(pair[A], a, TAPIR_SHUT_WR);
	for (int i = 0; i < 1000 && (n = tapir_recv(pair[A], a, buf, sizeof buf)) != 0; i++) {
		if (n > 0)
			got += (size_t)n;
		else
			ck_assert_result(n, TAPIR_EAGAIN);
		run();
		pair_pass(100 * TAPIR_MS);
	}
	ck_assert_uint_eq(got, sizeof text);
	ck_assert_uint_eq(server.to_send, 0);
	run();
	ck_assert_ptr_nonnull(strstr(server.log, "end"));
	tapir_close(pair[A], a);
	run();
	tapir_close(pair[B], l);
}
END_TEST

/* --- programs that close --- */

START_TEST(a_program_may_close_in_on_data)
{
	struct plain c = connected_to_server();
	char buf[1];

	server.close_in_data = true;
	sends(c.sd, "bye");
	run();
	was_told(&server, "data(bye)");
	ck_assert_result(tapir_recv(pair[A], c.sd, buf, 1), 0);	/* graceful: the bytes that were shown count as read */
	end(&c);
}
END_TEST

START_TEST(a_program_may_read_in_on_data)
{
	struct plain c = connected_to_server();

	server.recv_in_data = true;
	sends(c.sd, "shown");
	run();
	sends(c.sd, "again");
	run();
	was_told(&server, "data(shown) data(again)");
	end(&c);
}
END_TEST

START_TEST(a_program_may_close_in_on_end)
{
	struct plain c = connected_to_server();

	server.close_in_end = true;
	tapir_close(pair[A], c.sd);
	run();
	was_told(&server, "end");
	end(&c);
}
END_TEST

START_TEST(a_program_may_abort_in_on_connection)
{
	tapir_sd l = serves(7), a;
	char buf[1];

	server.abort_in_connection = true;
	a = pair_connect(7);
	run();
	was_told(&server, "listening connection");
	ck_assert_result(tapir_recv(pair[A], a, buf, 1), TAPIR_ECONNRESET);
	tapir_close(pair[A], a);
	tapir_close(pair[B], l);
}
END_TEST

START_TEST(other_handlers_take_over_where_they_are_given)
{
	struct plain c = connected_to_server();
	static struct program other;

	ck_assert_result(tapir_on(pair[B], server.child, &handlers, &other), 0);
	sends(c.sd, "for other");
	run();
	was_told(&server, "");
	was_told(&other, "data(for other)");
	ck_assert_result(tapir_on(pair[B], server.child, NULL, NULL), 0);	/* back to polling */
	pair_forget_events();
	sends(c.sd, "polled");
	run();
	ck_assert_int_ne(pair_poll_event(B, server.child) & TAPIR_POLLIN, 0);
	was_told(&other, "");
	end(&c);
}
END_TEST

START_TEST(what_happened_before_the_handlers_came_is_not_lost)
{
	struct pair_conn c = pair_connected(7);

	tapir_send(pair[A], c.sd[A], "early", 5);
	pair_carry();
	pair_forget_events();
	tapir_on(pair[B], c.sd[B], &handlers, &server);
	run();
	was_told(&server, "data(early)");
	pair_close(&c);
}
END_TEST

START_TEST(one_busy_socket_does_not_starve_another)
{
	struct plain c = connected_to_server();
	tapir_sd second = pair_connect(7);
	static char big[65535];

	run();
	server.log[0] = '\0';
	ck_assert_result(tapir_send(pair[A], c.sd, big, sizeof big), sizeof big);
	tapir_send(pair[A], second, "small", 5);
	pair_carry();
	tapir_dispatch(pair[B]);
	ck_assert_ptr_nonnull(strstr(server.log, "data(small)"));
	server.log[0] = '\0';
	tapir_close(pair[A], second);
	end(&c);
}
END_TEST

START_TEST(more_connections_than_one_turn_takes_all_arrive)
{
	tapir_sd l, a[90];
	uint32_t count = 0;

	pair_end();
	for (int who = 0; who < 2; who++) {
		pair_config(who)->max_sockets = 100;
		pair_config(who)->max_conns = 1000;
	}
	pair_begin();
	l = tapir_serve_tcp(pair[B], 7, 90, &handlers, &server);
	for (int i = 0; i < 90; i++)
		a[i] = pair_connect(7);
	run();
	for (const char *at = server.log; (at = strstr(at, "connection")); at++)
		count++;
	ck_assert_uint_eq(count, 90);
	for (int i = 0; i < 90; i++)
		tapir_close(pair[A], a[i]);
	run();
	tapir_close(pair[B], l);
}
END_TEST

/* --- datagrams --- */

START_TEST(datagrams_come_as_messages_with_their_sender)
{
	tapir_sd s = tapir_serve_udp(pair[B], 7, &handlers, &server), a = tapir_socket(pair[A], TAPIR_SOCK_DGRAM);
	struct tapir_endpoint to = pair_endpoint(B, 7), local;
	char buf[10];

	ck_assert(s >= 0);
	server.echo = true;
	run();
	was_told(&server, "listening");
	tapir_sendto(pair[A], a, "one", 3, &to);
	tapir_sendto(pair[A], a, "", 0, &to);
	tapir_sendto(pair[A], a, "three", 5, &to);
	run();
	was_told(&server, "message(one) message() message(three)");
	tapir_getsockname(pair[A], a, &local);
	ck_assert_uint_eq(server.from.port, local.port);
	ck_assert_result(tapir_recv(pair[A], a, buf, 10), 3);
	ck_assert_result(tapir_recv(pair[A], a, buf, 10), 0);
	ck_assert_result(tapir_recv(pair[A], a, buf, 10), 5);
	tapir_close(pair[A], a);
	tapir_close(pair[B], s);
}
END_TEST

START_TEST(a_paused_datagram_socket_keeps_its_messages)
{
	tapir_sd s = tapir_serve_udp(pair[B], 7, &handlers, &server), a = tapir_socket(pair[A], TAPIR_SOCK_DGRAM);
	struct tapir_endpoint to = pair_endpoint(B, 7);

	tapir_pause(pair[B], s);
	tapir_sendto(pair[A], a, "kept", 4, &to);
	run();
	was_told(&server, "listening");
	tapir_resume(pair[B], s);
	server.close_in_data = true;			/* and it may close there */
	tapir_sendto(pair[A], a, "never told", 10, &to);
	run();
	was_told(&server, "message(kept)");
	tapir_close(pair[A], a);
}
END_TEST

START_TEST(an_icmp_error_does_not_end_a_datagram_socket)
{
	tapir_sd a = tapir_socket(pair[A], TAPIR_SOCK_DGRAM), s;
	struct tapir_endpoint to = pair_endpoint(B, 7);

	tapir_on(pair[A], a, &handlers, &client);
	ck_assert_result(tapir_connect(pair[A], a, &to), 0);
	tapir_send(pair[A], a, "x", 1);
	run();
	was_told(&client, "listening error(ECONNREFUSED)");
	s = tapir_serve_udp(pair[B], 7, &handlers, &server);
	server.echo = true;
	tapir_send(pair[A], a, "again", 5);
	run();
	was_told(&client, "message(again)");
	tapir_close(pair[A], a);
	tapir_close(pair[B], s);
}
END_TEST

START_TEST(serving_a_port_that_is_taken_says_so_and_leaves_nothing)
{
	tapir_sd t1 = serves(7), u1 = tapir_serve_udp(pair[B], 7, &handlers, &server);
	struct tapir_usage before, after;

	tapir_usage(pair[B], &before);
	ck_assert_result(tapir_serve_tcp(pair[B], 7, 5, &handlers, &server), TAPIR_EADDRINUSE);
	ck_assert_result(tapir_serve_udp(pair[B], 7, &handlers, &server), TAPIR_EADDRINUSE);
	tapir_usage(pair[B], &after);
	ck_assert_uint_eq(before.sockets, after.sockets);
	run();
	tapir_close(pair[B], t1);
	tapir_close(pair[B], u1);
}
END_TEST

Suite *suite(void)
{
	const TTest *const tests[] = {
		a_whole_conversation_in_order, nothing_is_called_outside_dispatch,
		data_and_end_that_came_together_are_told_in_order, the_connection_brings_its_peer,
		a_reset_is_an_error_and_then_close, data_before_a_reset_comes_first, a_refused_connect_is_an_error_and_then_close,
		a_connect_without_an_answer_times_out, callbacks_may_be_missing,
		with_allow_half_open_the_program_ends_its_side_itself, our_own_half_close_waits_for_the_peers_end,
		close_comes_when_the_peer_has_everything, a_paused_socket_gets_no_data_and_its_window_closes,
		pause_inside_on_data_keeps_the_rest, an_end_behind_data_that_is_paused_waits, an_error_ends_a_pause,
		drain_comes_after_a_short_send_when_there_is_room_again,
		a_short_send_is_finished_before_our_end_follows_the_peers, a_program_may_close_in_on_data,
		a_program_may_read_in_on_data, a_program_may_close_in_on_end, a_program_may_abort_in_on_connection,
		other_handlers_take_over_where_they_are_given, what_happened_before_the_handlers_came_is_not_lost,
		one_busy_socket_does_not_starve_another, more_connections_than_one_turn_takes_all_arrive,
		datagrams_come_as_messages_with_their_sender, a_paused_datagram_socket_keeps_its_messages,
		an_icmp_error_does_not_end_a_datagram_socket, serving_a_port_that_is_taken_says_so_and_leaves_nothing
	};
	Suite *s = suite_create("socket: handlers");
	TCase *c = tcase_create("callbacks");

	tcase_add_checked_fixture(c, set_up, pair_end);
	tcase_set_timeout(c, 30);
	for (size_t i = 0; i < sizeof tests / sizeof tests[0]; i++)
		tcase_add_test(c, tests[i]);
	suite_add_tcase(s, c);
	return s;
}
