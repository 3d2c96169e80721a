/* iperf3_client.c: see iperf3_client.h. */
#include "iperf3_client.h"

#include <stdio.h>
#include <stdlib.h>
#include "pair_of_stacks.h"

struct iperf3 *client_server;
uint8_t client_text[CLIENT_TEXT_BYTES];
static struct { usec_t at_us; void (*cb)(void *ctx); void *ctx; } timers[256];
static int timer_count;

/* --- the world --- */

static bool at(void *ctx, usec_t at_us, void (*cb)(void *ctx), void *cb_ctx)
{
	ck_assert_ptr_eq(ctx, timers);
	ck_assert_int_lt(timer_count, 256);
	timers[timer_count].at_us = at_us;
	timers[timer_count].cb = cb;
	timers[timer_count++].ctx = cb_ctx;
	return true;
}

struct iperf3_config client_config(void)
{
	return (struct iperf3_config){.port = IPERF3_PORT, .text = {client_text, sizeof client_text}, .at = at, .timers = timers};
}

void client_begin(uint32_t sockets)
{
	struct iperf3_config config = client_config();

	timer_count = 0;
	memset(client_text, 'x', sizeof client_text);
	pair_reset_config();
	for (int who = 0; who < 2; who++) {
		pair_config(who)->max_sockets = sockets;
		pair_config(who)->max_conns = 2 * sockets;
		pair_config(who)->small_frames = 8192;
		pair_config(who)->large_frames = 256;
	}
	pair_begin();
	ck_assert_result(iperf3_start(&client_server, pair[B], &config), 0);
}

void client_settle(void)
{
	int ran = 1;

	for (int rounds = 0; ran; rounds++) {
		ck_assert_int_lt(rounds, 100000);
		pair_carry();
		ran = tapir_dispatch(pair[B]);
	}
}

static void fire(void)
{
	int count = timer_count;

	for (int i = 0; i < count; i++) {
		if (timers[i].at_us > tapir_now(pair[B]))
			continue;
		timers[i].at_us = USEC_NEVER;
		timers[i].cb(timers[i].ctx);
	}
	for (int i = 0; i < timer_count; i++)
		if (timers[i].at_us == USEC_NEVER)
			timers[i--] = timers[--timer_count];
}

void client_pass(usec_t us)
{
	usec_t end = tapir_now(pair[B]) + us;

	client_settle();
	while (tapir_now(pair[B]) < end) {
		usec_t next = end;

		for (int i = 0; i < timer_count; i++)
			next = timers[i].at_us < next ? timers[i].at_us : next;
		if (next > tapir_now(pair[B]) + 10 * TAPIR_MS)
			next = tapir_now(pair[B]) + 10 * TAPIR_MS;
		pair_pass(next > tapir_now(pair[B]) ? next - tapir_now(pair[B]) : 1);
		client_settle();
		fire();
		client_settle();
	}
}

void client_end(void)
{
	client_pass(15 * TAPIR_SEC);
	ck_assert_int_eq(client_server->test.state, IPERF3_IDLE);
	ck_assert_ptr_null(client_server->talks);
	ck_assert_uint_eq(client_server->talk_count, 0);
	tapir_close(pair[B], client_server->tcp);
	tapir_close(pair[B], client_server->udp);
	iperf3_free(client_server);
	pair_end();
}

/* --- a client --- */

tapir_sd client_dial(void)
{
	tapir_sd sd = pair_connect(IPERF3_PORT);

	tapir_setsockopt(pair[A], sd, TAPIR_TCP_NODELAY, 1);
	client_settle();
	return sd;
}

void client_say(tapir_sd sd, const void *bytes, size_t n)
{
	ck_assert_int_eq(tapir_send(pair[A], sd, bytes, n), (int64_t)n);
	client_settle();
}

void client_say_byte(tapir_sd sd, uint8_t byte) { client_say(sd, &byte, 1); }

void client_say_text(tapir_sd sd, const char *json)
{
	size_t n = strlen(json);
	uint8_t length[4] = {(uint8_t)(n >> 24), (uint8_t)(n >> 16), (uint8_t)(n >> 8), (uint8_t)n};

	client_say(sd, length, 4);
	client_say(sd, json, n);
}

void client_hear(tapir_sd sd, void *bytes, size_t n)
{
	size_t got = 0;

	while (got < n) {
		int64_t more = tapir_recv(pair[A], sd, (uint8_t *)bytes + got, n - got);

		ck_assert_msg(more > 0, "%zu of %zu bytes, then %s", got, n, more ? tapir_errname((int)more) : "the end");
		got += (size_t)more;
		client_settle();
	}
}

void client_hear_byte(tapir_sd sd, uint8_t wanted)
{
	uint8_t byte;

	client_hear(sd, &byte, 1);
	ck_assert_uint_eq(byte, wanted);
}

void client_hear_error(tapir_sd sd, int error)
{
	uint8_t got[8], wanted[8] = {0, 0, 0, (uint8_t)error};

	client_hear_byte(sd, SAYS_ERROR);
	client_hear(sd, got, 8);
	ck_assert_mem_eq(got, wanted, 8);
}

void client_hear_end(tapir_sd sd)
{
	uint8_t byte;

	client_settle();
	ck_assert_result((int)tapir_recv(pair[A], sd, &byte, 1), 0);
	tapir_close(pair[A], sd);
	client_settle();
}

tapir_sd client_ask(const char *parameters)
{
	tapir_sd control = client_dial();

	client_say(control, CLIENT_COOKIE, 37);
	client_hear_byte(control, SAYS_PARAMETERS);
	client_say_text(control, parameters);
	return control;
}

tapir_sd client_dial_stream(void)
{
	tapir_sd sd = client_dial();

	client_say(sd, CLIENT_COOKIE, 37);
	return sd;
}

void client_hear_start(tapir_sd control)
{
	client_hear_byte(control, SAYS_START);
	client_hear_byte(control, SAYS_RUNNING);
}

tapir_sd client_run(const char *parameters, tapir_sd *streams, int count)
{
	tapir_sd control = client_ask(parameters);

	client_hear_byte(control, SAYS_STREAMS);
	for (int i = 0; i < count; i++)
		streams[i] = client_dial_stream();
	client_hear_start(control);
	return control;
}

static json_t *client_results_of(tapir_sd control)
{
	uint8_t length[4];
	static char json[65536];
	size_t n;

	client_say_text(control, "{\"streams\":[{\"retransmits\":18446744073709551615}]}");	/* as 3.12 does */
	client_hear(control, length, 4);
	n = (size_t)(length[2] << 8 | length[3]);
	ck_assert_uint_eq((uint32_t)length[0] << 8 | length[1], 0);
	client_hear(control, json, n);
	client_hear_byte(control, SAYS_DISPLAY);
	json_t *j = json_loadb(json, n, 0, NULL);
	ck_assert_ptr_nonnull(j);
	return j;
}

json_t *client_stop(tapir_sd control)
{
	client_say_byte(control, SAYS_END);
	client_hear_byte(control, SAYS_EXCHANGE);
	return client_results_of(control);
}

void client_done(tapir_sd control, json_t *results, const tapir_sd *streams, int count)
{
	json_decref(results);
	client_say_byte(control, SAYS_DONE);
	client_hear_end(control);
	for (int i = 0; i < count; i++)
		tapir_close(pair[A], streams[i]);
	client_settle();
}

double client_stream_number(json_t *results, size_t i, const char *key)
{
	json_t *value = json_object_get(json_array_get(json_object_get(results, "streams"), i), key);

	ck_assert_msg(json_is_number(value), "no %s", key);
	return json_number_value(value);
}

void client_is(json_t *results, size_t i, const char *key, double wanted)
{
	double value = client_stream_number(results, i, key);

	ck_assert_msg(value == wanted, "%s is %g, not %g", key, value, wanted);
}

uint64_t client_write_some(tapir_sd sd, size_t n)
{
	uint64_t sent = 0;

	while (sent < n) {
		size_t left = n - sent < sizeof client_text ? n - sent : sizeof client_text;
		int64_t more = tapir_send(pair[A], sd, client_text, left);

		ck_assert(more > 0 || more == TAPIR_EAGAIN);
		sent += more > 0 ? (uint64_t)more : 0;
		client_settle();
	}
	return sent;
}

/* Reads what is there: how much; *ended: and nothing more will come. */
static uint64_t client_read_all(tapir_sd sd, bool *ended)
{
	static uint8_t bytes[CLIENT_TEXT_BYTES];
	uint64_t sum = 0;
	int64_t n;

	while ((n = tapir_recv(pair[A], sd, bytes, sizeof bytes)) > 0) {
		sum += (uint64_t)n;
		pair_carry();
	}
	ck_assert(n == 0 || n == TAPIR_EAGAIN);
	if (ended)
		*ended = n == 0;
	return sum;
}

uint64_t client_read_for(tapir_sd sd, usec_t us)
{
	uint64_t sum = 0;

	for (usec_t i = 0; i < us; i += TAPIR_MS) {
		sum += client_read_all(sd, NULL);
		client_pass(TAPIR_MS);
	}
	return sum + client_read_all(sd, NULL);
}

uint64_t client_read_to_end(tapir_sd sd)
{
	uint64_t sum = 0;
	bool ended = false;

	for (int i = 0; !ended; i++) {
		ck_assert_int_lt(i, 1000);
		sum += client_read_all(sd, &ended);
		client_pass(TAPIR_MS);
	}
	return sum;
}

tapir_sd client_dial_udp(void)
{
	struct tapir_endpoint to = pair_endpoint(B, IPERF3_PORT);
	tapir_sd sd = tapir_socket(pair[A], TAPIR_SOCK_DGRAM);

	ck_assert_result(tapir_connect(pair[A], sd, &to), 0);
	return sd;
}

void client_greet(tapir_sd sd, const void *hello, const void *answer)
{
	uint8_t got[100];

	client_say(sd, hello, 4);
	ck_assert_int_eq(tapir_recv(pair[A], sd, got, sizeof got), 4);
	ck_assert_mem_eq(got, answer, 4);
}

void client_datagram(tapir_sd sd, unsigned number, bool wide)
{
	uint8_t bytes[1000] = {0};

	bytes[wide ? 15 : 11] = (uint8_t)number;
	client_say(sd, bytes, sizeof bytes);
}

tapir_sd client_run_udp(const char *parameters, tapir_sd *streams, int count)
{
	tapir_sd control = client_ask(parameters);

	client_hear_byte(control, SAYS_STREAMS);
	for (int i = 0; i < count; i++)
		client_greet(streams[i] = client_dial_udp(), "9876", "6789");
	client_hear_start(control);
	return control;
}
