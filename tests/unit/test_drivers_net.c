/* test_drivers_net.c: the blocking calls, from several threads, between two stacks whose loops have threads of their own.
 * loops[1] serves, loops[0] dials. Each test is bounded by alarm(2) as well as by Check: a deadlock is a failure. */
#include <check.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "drivers/net.h"

#define SERVER "10.0.0.2:7"
#define SECONDS 30

static struct loop *loops[2];

static void setup(void)
{
	struct driver *ends[2];

	alarm(SECONDS);
	driver_open_pair(ends, 1500, (struct tapir_offload_caps){.csum = true, .tso4 = true}, false);
	for (uint8_t i = 0; i < 2; i++) {
		struct tapir_config config;

		tapir_config_default(&config);
		config.addr = tapir_ipv4(10, 0, 0, (uint8_t)(i + 1));
		config.arp_probe = false;
		config.arp_retry_us = 20 * TAPIR_MS;
		config.small_frames = 1024;
		config.large_frames = 32;
		config.max_conns = 256;
		config.max_sockets = 256;
		config.sndbuf = config.rcvbuf = 64 * 1024;
		config.msl_us = 10 * TAPIR_MS;
		loops[i] = loop_open(ends[i], &config);
		ck_assert_msg(loops[i] != NULL, "%s", loop_error());
		ck_assert_int_eq(loop_start_thread(loops[i]), 0);
	}
}

static void teardown(void)
{
	loop_close(loops[0]);
	loop_close(loops[1]);
	alarm(0);
}

static usec_t in_ms(usec_t ms)
{
	return loop_clock_us() + ms * TAPIR_MS;
}

static pthread_t start(void *(*fn)(void *), void *arg)
{
	pthread_t thread;

	ck_assert_int_eq(pthread_create(&thread, NULL, fn, arg), 0);
	return thread;
}

static struct net_listener *listen_there(void)
{
	int error;
	struct net_listener *ln = net_listen(loops[1], ":7", &error);

	ck_assert_int_eq(error, 0);
	ck_assert_ptr_nonnull(ln);
	return ln;
}

/* A connection: pair[0] dialled it, pair[1] accepted it. */
static void connect_pair(struct net_conn *pair[2])
{
	struct net_listener *ln = listen_there();
	int error;

	pair[0] = net_dial(loops[0], SERVER, in_ms(5000), &error);
	ck_assert_int_eq(error, 0);
	pair[1] = net_accept(ln, in_ms(5000), &error);
	ck_assert_int_eq(error, 0);
	net_close_listener(ln);
}

static void close_pair(struct net_conn *pair[2])
{
	net_close(pair[0]);
	net_close(pair[1]);
}

/* ---- addresses ---- */

START_TEST(addresses_are_host_and_port)
{
	struct tapir_endpoint e;
	struct tapir_addr host = tapir_ipv4(10, 0, 0, 2);

	ck_assert_int_eq(net_parse("10.0.0.2:80", &e), 0);
	ck_assert(tapir_addr_equal(&e.addr, &host));
	ck_assert_uint_eq(e.port, 80);
	ck_assert_int_eq(net_parse(":65535", &e), 0);
	ck_assert(tapir_addr_is_any(&e.addr));
	ck_assert_uint_eq(e.port, 65535);
}
END_TEST

START_TEST(what_is_no_address_is_refused)
{
	static const char *const wrong[] = {
		"", ":", "80", "10.0.0.2", "10.0.0.2:", "10.0.0.2:65536", "10.0.0.2:-1", "10.0.0.2:80x", "10.0.0:80", "host:80",
		":99999999999", "1.2.3.4.5.6.7.8.9.10.11.12.13.14.15.16.17.18.19.20.21.22:1",
	};
	int error = 0;

	for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
		struct tapir_endpoint e;

		ck_assert_msg(net_parse(wrong[i], &e) == TAPIR_EINVAL, "%s", wrong[i]);
	}
	ck_assert_ptr_null(net_dial(loops[0], "nowhere", USEC_NEVER, &error));
	ck_assert_int_eq(error, TAPIR_EINVAL);
	ck_assert_ptr_null(net_listen(loops[0], "nowhere", &error));
	ck_assert_int_eq(error, TAPIR_EINVAL);
}
END_TEST

START_TEST(an_address_is_listened_on_once)
{
	struct net_listener *ln = listen_there();
	int error;

	ck_assert_ptr_null(net_listen(loops[1], ":7", &error));
	ck_assert_int_eq(error, TAPIR_EADDRINUSE);
	ck_assert_ptr_null(net_listen(loops[1], "10.9.9.9:7", &error));
	ck_assert_int_eq(error, TAPIR_EADDRNOTAVAIL);
	net_close_listener(ln);
	ln = listen_there();			/* and is free again */
	net_close_listener(ln);
}
END_TEST

START_TEST(both_ends_know_both_addresses)
{
	struct net_conn *pair[2];
	struct tapir_endpoint near, far;

	connect_pair(pair);
	near = net_local(pair[0]);
	far = net_remote(pair[1]);
	ck_assert(tapir_addr_equal(&near.addr, &far.addr));
	ck_assert_uint_eq(near.port, far.port);
	far = net_remote(pair[0]);
	ck_assert_uint_eq(far.port, 7);
	ck_assert_uint_eq(net_local(pair[1]).port, 7);
	close_pair(pair);
}
END_TEST

/* ---- bytes ---- */

#define TOTAL 2000000u

static void *echo_one(void *arg)
{
	struct net_conn *c = arg;
	static _Thread_local char buf[7000];
	int64_t n;

	while ((n = net_read(c, buf, sizeof buf)) > 0)
		ck_assert_int_eq(net_write(c, buf, (size_t)n), n);
	ck_assert_int_eq(n, 0);
	ck_assert_int_eq(net_close_write(c), 0);
	return NULL;
}

static void *write_all(void *arg)
{
	uint8_t *bytes = malloc(TOTAL);

	for (size_t i = 0; i < TOTAL; i++)
		bytes[i] = (uint8_t)(i * 31 + (i >> 8));
	ck_assert_int_eq(net_write(arg, bytes, TOTAL), TOTAL);
	ck_assert_int_eq(net_close_write(arg), 0);
	free(bytes);
	return NULL;
}

START_TEST(megabytes_come_back_and_then_the_end)
{
	struct net_conn *pair[2];
	pthread_t echo, writer;
	uint8_t buf[5000];
	size_t got = 0, wrong = 0;
	int64_t n;

	connect_pair(pair);
	echo = start(echo_one, pair[1]);
	writer = start(write_all, pair[0]);
	while ((n = net_read(pair[0], buf, sizeof buf)) > 0)
		for (int64_t i = 0; i < n; i++, got++)
			wrong += buf[i] != (uint8_t)(got * 31 + (got >> 8));
	ck_assert_int_eq(n, 0);
	ck_assert_uint_eq(wrong, 0);
	ck_assert_uint_eq(got, TOTAL);
	ck_assert_int_eq(net_read(pair[0], buf, sizeof buf), 0);	/* and still the end */
	pthread_join(echo, NULL);
	pthread_join(writer, NULL);
	close_pair(pair);
}
END_TEST

START_TEST(after_the_half_close_writing_is_refused_and_reading_goes_on)
{
	struct net_conn *pair[2];
	char buf[10];

	connect_pair(pair);
	ck_assert_int_eq(net_close_write(pair[0]), 0);
	ck_assert_int_eq(net_write(pair[0], "x", 1), TAPIR_EPIPE);
	ck_assert_int_eq(net_read(pair[1], buf, sizeof buf), 0);
	ck_assert_int_eq(net_write(pair[1], "hello", 5), 5);
	ck_assert_int_eq(net_read(pair[0], buf, sizeof buf), 5);
	close_pair(pair);
}
END_TEST

#define PIECE 30000u
#define WRITERS 4
static struct net_conn *shared;

static void *write_letters(void *arg)
{
	static _Thread_local char piece[PIECE];

	memset(piece, *(const char *)arg, sizeof piece);
	for (int i = 0; i < 5; i++)
		ck_assert_int_eq(net_write(shared, piece, sizeof piece), PIECE);
	return NULL;
}

START_TEST(writes_of_several_threads_are_not_torn)
{
	static const char letters[WRITERS + 1] = "abcd";
	struct net_conn *pair[2];
	pthread_t writers[WRITERS];
	char *all = malloc(WRITERS * 5 * PIECE);
	size_t got = 0, torn = 0;

	connect_pair(pair);
	shared = pair[0];
	for (int i = 0; i < WRITERS; i++)
		writers[i] = start(write_letters, (void *)(uintptr_t)&letters[i]);
	while (got < WRITERS * 5 * PIECE) {
		int64_t n = net_read(pair[1], all + got, WRITERS * 5 * PIECE - got);

		ck_assert_int_gt(n, 0);
		got += (size_t)n;
	}
	for (size_t i = 0; i < got; i++)
		torn += all[i] != all[i - i % PIECE];
	ck_assert_uint_eq(torn, 0);
	for (int i = 0; i < WRITERS; i++)
		pthread_join(writers[i], NULL);
	free(all);
	close_pair(pair);
}
END_TEST

static size_t read_sum[WRITERS], read_bytes[WRITERS];
static void *read_some(void *arg)
{
	size_t me = (size_t)(uintptr_t)arg;
	uint8_t buf[1000];
	int64_t n;

	while ((n = net_read(shared, buf, sizeof buf)) > 0) {
		read_bytes[me] += (size_t)n;
		for (int64_t i = 0; i < n; i++)
			read_sum[me] += buf[i];
	}
	ck_assert_int_eq(n, 0);
	return NULL;
}

START_TEST(several_readers_share_the_bytes_and_all_see_the_end)
{
	struct net_conn *pair[2];
	pthread_t readers[WRITERS], writer;
	size_t sum = 0, bytes = 0, wanted = 0;

	connect_pair(pair);
	shared = pair[1];
	for (size_t i = 0; i < WRITERS; i++)
		readers[i] = start(read_some, (void *)(uintptr_t)i);
	writer = start(write_all, pair[0]);
	pthread_join(writer, NULL);
	for (int i = 0; i < WRITERS; i++) {
		pthread_join(readers[i], NULL);
		sum += read_sum[i];
		bytes += read_bytes[i];
	}
	for (size_t i = 0; i < TOTAL; i++)
		wanted += (uint8_t)(i * 31 + (i >> 8));
	ck_assert_uint_eq(bytes, TOTAL);
	ck_assert_uint_eq(sum, wanted);
	close_pair(pair);
}
END_TEST

#define CLIENTS 24
static void *serve_many(void *arg)
{
	pthread_t threads[CLIENTS];
	struct net_conn *conns[CLIENTS];
	int error;

	for (int i = 0; i < CLIENTS; i++) {
		conns[i] = net_accept(arg, in_ms(10000), &error);
		ck_assert_int_eq(error, 0);
		threads[i] = start(echo_one, conns[i]);
	}
	for (int i = 0; i < CLIENTS; i++) {
		pthread_join(threads[i], NULL);
		net_close(conns[i]);
	}
	return NULL;
}

static void *be_client(void *arg)
{
	int error;
	struct net_conn *c = net_dial(loops[0], SERVER, in_ms(10000), &error);
	char text[100], answer[100];
	(void)arg;

	ck_assert_int_eq(error, 0);
	for (int i = 0; i < 50; i++) {
		size_t got = 0;

		memset(text, 'A' + i % 26, sizeof text);
		ck_assert_int_eq(net_write(c, text, sizeof text), sizeof text);
		while (got < sizeof answer) {
			int64_t n = net_read(c, answer + got, sizeof answer - got);

			ck_assert_int_gt(n, 0);
			got += (size_t)n;
		}
		ck_assert_mem_eq(answer, text, sizeof text);
	}
	ck_assert_int_eq(net_close_write(c), 0);
	ck_assert_int_eq(net_read(c, answer, sizeof answer), 0);
	net_close(c);
	return NULL;
}

START_TEST(many_clients_are_served_by_many_threads)
{
	struct net_listener *ln = listen_there();
	pthread_t server = start(serve_many, ln), clients[CLIENTS];

	for (int i = 0; i < CLIENTS; i++)
		clients[i] = start(be_client, NULL);
	for (int i = 0; i < CLIENTS; i++)
		pthread_join(clients[i], NULL);
	pthread_join(server, NULL);
	net_close_listener(ln);
}
END_TEST

/* ---- deadlines ---- */

START_TEST(a_read_that_meets_its_deadline_leaves_the_connection_usable)
{
	struct net_conn *pair[2];
	usec_t deadline_us = in_ms(30);
	char buf[10];

	connect_pair(pair);
	net_set_deadline(pair[0], deadline_us, USEC_NEVER);
	ck_assert_int_eq(net_read(pair[0], buf, sizeof buf), TAPIR_ETIMEDOUT);
	ck_assert_uint_ge(loop_clock_us(), deadline_us);
	ck_assert_int_eq(net_write(pair[1], "late", 4), 4);
	net_set_deadline(pair[0], USEC_NEVER, USEC_NEVER);
	ck_assert_int_eq(net_read(pair[0], buf, sizeof buf), 4);
	ck_assert_int_eq(net_write(pair[0], "well", 4), 4);
	ck_assert_int_eq(net_read(pair[1], buf, sizeof buf), 4);
	close_pair(pair);
}
END_TEST

START_TEST(a_write_meets_its_deadline_when_the_peer_does_not_read)
{
	struct net_conn *pair[2];
	static char bytes[1000000];

	connect_pair(pair);
	net_set_deadline(pair[0], USEC_NEVER, in_ms(50));
	ck_assert_int_eq(net_write(pair[0], bytes, sizeof bytes), TAPIR_ETIMEDOUT);
	close_pair(pair);
}
END_TEST

static void *read_once(void *arg)
{
	char buf[10];

	return (void *)(intptr_t)net_read(arg, buf, sizeof buf);
}

START_TEST(a_deadline_set_meanwhile_ends_a_read_that_waits)
{
	struct net_conn *pair[2];
	pthread_t reader;
	void *result;

	connect_pair(pair);
	reader = start(read_once, pair[0]);
	usleep(20000);
	net_set_deadline(pair[0], loop_clock_us(), USEC_NEVER);
	pthread_join(reader, &result);
	ck_assert_int_eq((intptr_t)result, TAPIR_ETIMEDOUT);
	close_pair(pair);
}
END_TEST

START_TEST(accept_and_dial_meet_their_deadlines)
{
	struct net_listener *ln = listen_there();
	int error;

	ck_assert_ptr_null(net_accept(ln, in_ms(20), &error));
	ck_assert_int_eq(error, TAPIR_ETIMEDOUT);
	ck_assert_ptr_null(net_dial(loops[0], "10.0.0.9:7", in_ms(20), &error));
	ck_assert_int_eq(error, TAPIR_ETIMEDOUT);
	net_close_listener(ln);
}
END_TEST

/* ---- errors ---- */

START_TEST(dialling_where_nobody_listens_is_refused)
{
	int error;

	ck_assert_ptr_null(net_dial(loops[0], "10.0.0.2:8", in_ms(5000), &error));
	ck_assert_int_eq(error, TAPIR_ECONNREFUSED);
	ck_assert_ptr_null(net_dial(loops[0], "192.168.7.7:8", in_ms(5000), &error));
	ck_assert_int_eq(error, TAPIR_ENETUNREACH);
}
END_TEST

START_TEST(a_reset_is_reported_to_whoever_waits)
{
	struct net_conn *pair[2];
	pthread_t reader;
	void *result;

	connect_pair(pair);
	ck_assert_int_eq(net_write(pair[0], "unread", 6), 6);
	reader = start(read_once, pair[0]);
	usleep(20000);
	net_close(pair[1]);			/* with unread text: a reset (RFC 1122 4.2.2.13) */
	pthread_join(reader, &result);
	ck_assert_int_eq((intptr_t)result, TAPIR_ECONNRESET);
	net_close(pair[0]);
}
END_TEST

START_TEST(close_wakes_every_thread_that_waits_on_the_connection)
{
	struct net_conn *pair[2];
	pthread_t readers[3];
	void *result;

	connect_pair(pair);
	for (int i = 0; i < 3; i++)
		readers[i] = start(read_once, pair[0]);
	usleep(20000);
	net_close(pair[0]);
	for (int i = 0; i < 3; i++) {
		pthread_join(readers[i], &result);
		ck_assert_int_eq((intptr_t)result, TAPIR_EBADF);
	}
	ck_assert_ptr_eq(read_once(pair[1]), NULL);		/* the end */
	net_close(pair[1]);
}
END_TEST

static void *write_much(void *arg)
{
	static char bytes[1000000];

	return (void *)(intptr_t)net_write(arg, bytes, sizeof bytes);
}

START_TEST(close_wakes_a_writer)
{
	struct net_conn *pair[2];
	pthread_t writer;
	void *result;

	connect_pair(pair);
	writer = start(write_much, pair[0]);
	usleep(20000);
	net_close(pair[0]);
	pthread_join(writer, &result);
	ck_assert_int_eq((intptr_t)result, TAPIR_EBADF);
	net_close(pair[1]);
}
END_TEST

static void *accept_once(void *arg)
{
	int error = 0;

	ck_assert_ptr_null(net_accept(arg, USEC_NEVER, &error));
	return (void *)(intptr_t)error;
}

START_TEST(closing_the_listener_wakes_accept)
{
	struct net_listener *ln = listen_there();
	pthread_t thread = start(accept_once, ln);
	void *result;

	usleep(20000);
	net_close_listener(ln);
	pthread_join(thread, &result);
	ck_assert_int_eq((intptr_t)result, TAPIR_EBADF);
}
END_TEST

START_TEST(when_the_loop_ends_nobody_waits_for_ever)
{
	struct net_conn *pair[2];
	pthread_t reader;
	void *result;
	int error;

	connect_pair(pair);
	reader = start(read_once, pair[0]);
	usleep(20000);
	loop_stop(loops[0]);
	pthread_join(reader, &result);
	ck_assert_int_eq((intptr_t)result, TAPIR_EIO);
	ck_assert_int_eq(net_write(pair[0], "x", 1), TAPIR_EIO);
	ck_assert_ptr_null(net_dial(loops[0], SERVER, USEC_NEVER, &error));
	ck_assert_int_eq(error, TAPIR_EIO);
	close_pair(pair);
}
END_TEST

/* ---- datagrams, and the rest ---- */

START_TEST(datagrams_keep_their_borders_and_name_their_sender)
{
	int error;
	struct net_conn *server = net_listen_packet(loops[1], ":53", &error), *client;
	struct tapir_endpoint to, from;
	char buf[100];

	ck_assert_int_eq(error, 0);
	client = net_listen_packet(loops[0], "10.0.0.1:5353", &error);
	ck_assert_int_eq(error, 0);
	ck_assert_int_eq(net_parse("10.0.0.2:53", &to), 0);
	ck_assert_int_eq(net_write_to(client, "one", 3, &to), 3);
	ck_assert_int_eq(net_write_to(client, "three", 5, &to), 5);
	ck_assert_int_eq(net_read_from(server, buf, sizeof buf, &from), 3);
	ck_assert_mem_eq(buf, "one", 3);
	ck_assert_uint_eq(from.port, 5353);
	ck_assert_int_eq(net_read_from(server, buf, sizeof buf, &from), 5);
	ck_assert_int_eq(net_write_to(server, "back", 4, &from), 4);
	ck_assert_int_eq(net_read_from(client, buf, sizeof buf, &from), 4);
	ck_assert_uint_eq(from.port, 53);
	net_set_deadline(client, in_ms(10), USEC_NEVER);
	ck_assert_int_eq(net_read_from(client, buf, sizeof buf, &from), TAPIR_ETIMEDOUT);
	net_close(client);
	net_close(server);
}
END_TEST

static int inside, most_inside;
static void look_inside(struct tapir *t, void *ctx)
{
	struct tapir_usage usage;

	if (++inside > most_inside)
		most_inside = inside;
	tapir_usage(t, &usage);
	++*(int *)ctx;
	inside--;
}

static void *lock_often(void *arg)
{
	for (int i = 0; i < 2000; i++)
		loop_locked(loops[1], look_inside, arg);
	return NULL;
}

START_TEST(what_runs_locked_has_the_stack_to_itself)
{
	struct net_conn *pair[2];
	pthread_t threads[4], echo, writer;
	int count = 0;
	char buf[5000];

	connect_pair(pair);
	echo = start(echo_one, pair[1]);
	writer = start(write_all, pair[0]);
	for (int i = 0; i < 4; i++)
		threads[i] = start(lock_often, &count);
	while (net_read(pair[0], buf, sizeof buf) > 0)
		;
	for (int i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
	pthread_join(echo, NULL);
	pthread_join(writer, NULL);
	ck_assert_int_eq(count, 4 * 2000);
	ck_assert_int_eq(most_inside, 1);
	close_pair(pair);
}
END_TEST

START_TEST(touching_the_stack_without_the_lock_is_a_programmers_mistake)
{
	loop_stack(loops[0]);
}
END_TEST

static TCase *tests_of_bytes(void)
{
	TCase *c = tcase_create("bytes");

	tcase_add_test(c, addresses_are_host_and_port);
	tcase_add_test(c, what_is_no_address_is_refused);
	tcase_add_test(c, an_address_is_listened_on_once);
	tcase_add_test(c, both_ends_know_both_addresses);
	tcase_add_test(c, megabytes_come_back_and_then_the_end);
	tcase_add_test(c, after_the_half_close_writing_is_refused_and_reading_goes_on);
	tcase_add_test(c, writes_of_several_threads_are_not_torn);
	tcase_add_test(c, several_readers_share_the_bytes_and_all_see_the_end);
	tcase_add_test(c, many_clients_are_served_by_many_threads);
	tcase_add_test(c, datagrams_keep_their_borders_and_name_their_sender);
	return c;
}

static TCase *tests_of_waiting(void)
{
	TCase *c = tcase_create("waiting");

	tcase_add_test(c, a_read_that_meets_its_deadline_leaves_the_connection_usable);
	tcase_add_test(c, a_write_meets_its_deadline_when_the_peer_does_not_read);
	tcase_add_test(c, a_deadline_set_meanwhile_ends_a_read_that_waits);
	tcase_add_test(c, accept_and_dial_meet_their_deadlines);
	tcase_add_test(c, dialling_where_nobody_listens_is_refused);
	tcase_add_test(c, a_reset_is_reported_to_whoever_waits);
	tcase_add_test(c, close_wakes_every_thread_that_waits_on_the_connection);
	tcase_add_test(c, close_wakes_a_writer);
	tcase_add_test(c, closing_the_listener_wakes_accept);
	tcase_add_test(c, when_the_loop_ends_nobody_waits_for_ever);
	tcase_add_test(c, what_runs_locked_has_the_stack_to_itself);
	tcase_add_test_raise_signal(c, touching_the_stack_without_the_lock_is_a_programmers_mistake, 6);
	return c;
}

Suite *suite(void)
{
	Suite *s = suite_create("drivers/net");
	TCase *cases[] = {tests_of_bytes(), tests_of_waiting()};

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		tcase_set_timeout(cases[i], SECONDS);
		tcase_add_checked_fixture(cases[i], setup, teardown);
		suite_add_tcase(s, cases[i]);
	}
	return s;
}
