/* test_apps_services.c: the small services on one stack, a client on another, an in-process link between them, virtual time. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "apps/services.h"
#include "drivers/driver.h"

#define UPPER 8001
#define GREET 8002
#define BIG 1000000u

enum { SERVER, CLIENT };
static struct { struct tapir *t; void *mem; struct driver *d; } nodes[2];
static struct services services;
static usec_t now_us;
static uint8_t got[3 * BIG];		/* what the client read */
static size_t got_n;

/* --- the world --- */

static time_t epoch(time_t *out)
{
	(void)out;
	return 0;
}

static struct services_config all_services(void)
{
	return (struct services_config){.upper_port = UPPER, .greet_port = GREET, .greet_prefix = "Hallo, ", .wall_clock = epoch};
}

static void begin_node(int i)
{
	struct tapir_config c;

	tapir_config_default(&c);
	c.ip_only = true;
	c.addr = tapir_ipv4(10, 0, 0, i == SERVER ? 2 : 1);
	c.seed[0] = 7;
	c.seed[1] = (uint64_t)i;
	c.mtu = nodes[i].d->mtu;
	c.sndbuf = c.rcvbuf = 512 * 1024;
	c.sndbuf_max = c.rcvbuf_max = 0;
	nodes[i].mem = aligned_alloc(64, (tapir_size(&c) + 63) / 64 * 64);
	ck_assert_ptr_nonnull(nodes[i].mem);
	nodes[i].t = tapir_init(nodes[i].mem, &c, now_us);
	ck_assert_ptr_nonnull(nodes[i].t);
}

static void begin(void)
{
	struct driver *ends[2];
	struct services_config config = all_services();

	now_us = TAPIR_SEC;
	got_n = 0;
	driver_open_pair(ends, 1500, (struct tapir_offload_caps){.csum = false}, true);
	for (int i = 0; i < 2; i++) {
		nodes[i].d = ends[i];
		begin_node(i);
	}
	ck_assert_int_eq(services_start(&services, nodes[SERVER].t, &config), 0);
}

static void receive(int i)
{
	struct tapir_frame *f;

	while ((f = tapir_frame_get(nodes[i].t)) && driver_recv(nodes[i].d, f, now_us) == 1)
		tapir_input(nodes[i].t, f);
	if (f)
		tapir_frame_put(nodes[i].t, f);
}

static int serve(void)
{
	struct tapir_poll_event events[16];
	int n = tapir_poll_events(nodes[SERVER].t, events, 16);

	for (int i = 0; i < n; i++)
		services_ready(nodes[SERVER].t, &events[i]);
	return n + tapir_dispatch(nodes[SERVER].t);
}

/* At most 100 at once: the link takes 256. */
static int transmit(int i)
{
	struct tapir_out out;
	int n = 0;

	while (n < 100 && tapir_output(nodes[i].t, &out)) {
		ck_assert_int_eq(driver_send(nodes[i].d, &out, now_us), 0);
		n++;
	}
	return n;
}

/* Runs until nothing more happens without the passing of time. */
static void settle(void)
{
	int busy = 1;

	for (int turns = 0; busy; turns++) {
		ck_assert_int_lt(turns, 100000);
		busy = 0;
		for (int i = 0; i < 2; i++) {
			receive(i);
			tapir_tick(nodes[i].t, now_us);
			busy += i == SERVER ? serve() : 0;
			busy += transmit(i);
		}
	}
}

/* Lets so much time pass. */
static void pass(usec_t us)
{
	usec_t end = now_us + us;

	settle();
	while (now_us < end) {
		usec_t a = tapir_deadline(nodes[0].t), b = tapir_deadline(nodes[1].t), due = a < b ? a : b;

		now_us = due < end ? (due > now_us ? due : now_us + 1) : end;
		settle();
	}
}

static struct tapir_endpoint port(uint16_t number)
{
	return (struct tapir_endpoint){tapir_ipv4(10, 0, 0, 2), number};
}

static tapir_sd dial(uint16_t number)
{
	struct tapir_endpoint to = port(number);
	tapir_sd sd = tapir_socket(nodes[CLIENT].t, TAPIR_SOCK_STREAM);

	ck_assert_int_eq(tapir_setsockopt(nodes[CLIENT].t, sd, TAPIR_TCP_NODELAY, 1), 0);
	ck_assert_int_eq(tapir_connect(nodes[CLIENT].t, sd, &to), TAPIR_EINPROGRESS);
	settle();
	ck_assert(tapir_poll(nodes[CLIENT].t, sd) & TAPIR_POLLOUT);
	return sd;
}

/* Sends text as a segment of its own. */
static void say_bytes(tapir_sd sd, const void *text, size_t n)
{
	ck_assert_int_eq(tapir_send(nodes[CLIENT].t, sd, text, n), (int64_t)n);
	settle();
}

static void say(tapir_sd sd, const char *text)
{
	say_bytes(sd, text, strlen(text));
}

/* Reads all there is. What recv said last: 0 is the peer's end. */
static int64_t hear(tapir_sd sd)
{
	int64_t n;

	settle();
	while ((n = tapir_recv(nodes[CLIENT].t, sd, got + got_n, sizeof got - got_n)) > 0) {
		got_n += (size_t)n;
		settle();
	}
	return n;
}

/* What was heard since the last time is text. */
static void assert_hears(tapir_sd sd, const char *text)
{
	got_n = 0;
	hear(sd);
	got[got_n] = '\0';
	ck_assert_str_eq((const char *)got, text);
}

static void end_talk(tapir_sd sd)
{
	tapir_shutdown(nodes[CLIENT].t, sd, TAPIR_SHUT_WR);
	ck_assert_int_eq(hear(sd), 0);
	ck_assert_int_eq(tapir_close(nodes[CLIENT].t, sd), 0);
}

/* Nothing is left but the services' own sockets. */
static void end(void)
{
	struct tapir_usage u;

	pass(200 * TAPIR_SEC);
	for (int i = 0; i < 2; i++) {
		tapir_usage(nodes[i].t, &u);
		ck_assert_uint_eq(u.sockets, i == SERVER ? 2u * (uint32_t)services.count : 0);
		ck_assert_uint_eq(u.conns, 0);
		ck_assert_uint_eq(u.small_frames, 0);
		ck_assert_uint_eq(u.large_frames, 0);
		driver_close(nodes[i].d);
		free(nodes[i].mem);
	}
}

static void fill(uint8_t *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		p[i] = (uint8_t)(i * 31 + (i >> 11));
}

/* --- echo and discard --- */

START_TEST(echo_sends_back_what_it_gets_and_ends_when_the_peer_does)
{
	tapir_sd sd = dial(7);

	say(sd, "hello");
	assert_hears(sd, "hello");
	say(sd, " again");
	assert_hears(sd, " again");
	end_talk(sd);
	end();
}
END_TEST

START_TEST(echo_answers_after_the_peer_has_half_closed)
{
	static uint8_t sent[BIG / 4];
	tapir_sd sd = dial(7);

	fill(sent, sizeof sent);
	ck_assert_int_eq(tapir_send(nodes[CLIENT].t, sd, sent, sizeof sent), (int64_t)sizeof sent);
	ck_assert_int_eq(tapir_shutdown(nodes[CLIENT].t, sd, TAPIR_SHUT_WR), 0);
	ck_assert_int_eq(hear(sd), 0);
	ck_assert_uint_eq(got_n, sizeof sent);
	ck_assert_mem_eq(got, sent, sizeof sent);
	tapir_close(nodes[CLIENT].t, sd);
	end();
}
END_TEST

/* Writes until nothing more is taken for a long time, without reading. How many bytes. */
static size_t write_until_full(tapir_sd sd, const uint8_t *bytes, size_t n)
{
	size_t sent = 0;

	for (int idle = 0; idle < 20; idle++) {
		int64_t taken;

		while (sent < n && (taken = tapir_send(nodes[CLIENT].t, sd, bytes + sent, n - sent)) > 0) {
			sent += (size_t)taken;
			idle = 0;
			settle();
		}
		pass(TAPIR_SEC);
	}
	return sent;
}

START_TEST(echo_does_not_read_from_a_peer_that_does_not_read)
{
	static uint8_t sent[4 * BIG];
	struct tapir_usage u;
	tapir_sd sd = dial(7);

	fill(sent, sizeof sent);
	size_t n = write_until_full(sd, sent, sizeof sent);
	/* The client's two buffers and the server's two, 512 KiB each, and then no more. */
	ck_assert_uint_gt(n, 3 * 524288);
	ck_assert_uint_lt(n, 4 * 524288 + 4 * 65536);
	tapir_usage(nodes[SERVER].t, &u);
	ck_assert_uint_lt(u.small_frames, u.small_frames_max);
	/* Now it reads, and all of it is there. */
	ck_assert_int_eq(tapir_shutdown(nodes[CLIENT].t, sd, TAPIR_SHUT_WR), 0);
	for (int i = 0; i < 600 && hear(sd) != 0; i++)
		pass(TAPIR_SEC);
	ck_assert_uint_eq(got_n, n);
	ck_assert_mem_eq(got, sent, n);
	tapir_close(nodes[CLIENT].t, sd);
	end();
}
END_TEST

START_TEST(discard_takes_everything_and_says_nothing)
{
	static uint8_t sent[BIG];
	tapir_sd sd = dial(9);

	ck_assert_uint_eq(write_until_full(sd, sent, sizeof sent), sizeof sent);
	ck_assert_int_eq(hear(sd), TAPIR_EAGAIN);
	end_talk(sd);
	ck_assert_uint_eq(got_n, 0);
	end();
}
END_TEST

START_TEST(a_reset_ends_a_service_without_a_trace)
{
	tapir_sd sd = dial(7);

	say(sd, "hello");
	tapir_abort(nodes[CLIENT].t, sd);
	end();
}
END_TEST

START_TEST(five_hundred_clients_are_served_together)
{
	static tapir_sd sds[500];
	char text[32];

	for (int i = 0; i < 500; i++)
		sds[i] = dial(7);
	for (int i = 0; i < 500; i++) {
		snprintf(text, sizeof text, "client %d", i);
		say(sds[i], text);
	}
	for (int i = 0; i < 500; i++) {
		snprintf(text, sizeof text, "client %d", i);
		assert_hears(sds[i], text);
		end_talk(sds[i]);
	}
	end();
}
END_TEST

/* --- daytime and chargen --- */

START_TEST(daytime_says_the_time_and_closes_first)
{
	tapir_sd sd = dial(13);

	assert_hears(sd, "Thursday, January 01, 1970 00:00:00-UTC\r\n");
	ck_assert_int_eq(hear(sd), 0);
	tapir_close(nodes[CLIENT].t, sd);
	end();
}
END_TEST

START_TEST(daytime_is_not_reset_by_what_the_peer_says)
{
	struct tapir_endpoint to = port(13);
	tapir_sd sd = tapir_socket(nodes[CLIENT].t, TAPIR_SOCK_STREAM);

	tapir_connect(nodes[CLIENT].t, sd, &to);
	ck_assert_int_eq(tapir_send(nodes[CLIENT].t, sd, "what time is it?", 16), 16);
	settle();
	say(sd, "well?");
	assert_hears(sd, "Thursday, January 01, 1970 00:00:00-UTC\r\n");
	ck_assert_int_eq(hear(sd), 0);
	tapir_close(nodes[CLIENT].t, sd);
	end();
}
END_TEST

static void assert_chargen(const uint8_t *p, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		size_t line = i / 74, column = i % 74;
		int wanted = column == 72 ? '\r' : column == 73 ? '\n' : (int)(' ' + (line + column) % 95);

		if (p[i] != wanted)		/* an assertion for each of a million would take seconds */
			ck_abort_msg("byte %zu is %u, not %d", i, p[i], wanted);
	}
}

START_TEST(chargen_sends_the_pattern_of_rfc_864_without_a_break)
{
	tapir_sd sd = dial(19);

	while (got_n < BIG) {
		int64_t n = tapir_recv(nodes[CLIENT].t, sd, got + got_n, 10007);

		ck_assert(n > 0 || n == TAPIR_EAGAIN);
		got_n += n > 0 ? (size_t)n : 0;
		if (n < 0)
			pass(TAPIR_MS);
	}
	ck_assert_mem_eq(got, " !\"#$%&'()*+,-./0123456789", 26);
	assert_chargen(got, got_n);
	tapir_abort(nodes[CLIENT].t, sd);
	end();
}
END_TEST

START_TEST(chargen_ends_when_the_peer_does)
{
	tapir_sd sd = dial(19);

	tapir_shutdown(nodes[CLIENT].t, sd, TAPIR_SHUT_WR);
	while (hear(sd) == TAPIR_EAGAIN)
		pass(TAPIR_MS);
	ck_assert_uint_gt(got_n, 0);
	assert_chargen(got, got_n);
	tapir_close(nodes[CLIENT].t, sd);
	end();
}
END_TEST

/* --- upper and greet --- */

START_TEST(upper_answers_in_upper_case)
{
	tapir_sd sd = dial(UPPER);

	say(sd, "hello, World 7\n");
	assert_hears(sd, "HELLO, WORLD 7\n");
	say(sd, "Zoë, Ærøskøbing, ελλάδα, жук, \xf0\x9f\x90\x98");
	assert_hears(sd, "ZOË, ÆRØSKØBING, ΕΛΛΆΔΑ, ЖУК, \xf0\x9f\x90\x98");
	end_talk(sd);
	end();
}
END_TEST

START_TEST(upper_does_not_break_a_character_that_comes_in_pieces)
{
	static const char text[] = "aé€ж\xf0\x9f\x90\x98z", wanted[] = "AÉ€Ж\xf0\x9f\x90\x98Z";
	tapir_sd sd = dial(UPPER);

	got_n = 0;
	for (size_t i = 0; i < strlen(text); i++) {
		say_bytes(sd, text + i, 1);
		hear(sd);
		/* Whole characters have been answered, and nothing else. */
		ck_assert(got_n == strlen(wanted) || ((uint8_t)wanted[got_n] & 0xc0) != 0x80);
	}
	ck_assert_uint_eq(got_n, strlen(wanted));
	ck_assert_mem_eq(got, wanted, got_n);
	end_talk(sd);
	end();
}
END_TEST

START_TEST(upper_gives_back_what_is_no_character_as_it_is)
{
	tapir_sd sd = dial(UPPER);

	say(sd, "a\xff\x80z\xc3(\xed\xa0\x80 \xe2\x82");	/* the end of it is the beginning of a euro sign */
	assert_hears(sd, "A\xff\x80Z\xc3(\xed\xa0\x80 ");
	tapir_shutdown(nodes[CLIENT].t, sd, TAPIR_SHUT_WR);
	assert_hears(sd, "\xe2\x82");
	tapir_close(nodes[CLIENT].t, sd);
	end();
}
END_TEST

START_TEST(upper_of_much_text_is_complete)
{
	static char sent[BIG / 2];
	tapir_sd sd = dial(UPPER);

	memset(sent, 'x', sizeof sent);
	for (size_t i = 0; i + 3 < sizeof sent; i += 1001)
		memcpy(sent + i, "é", 2);
	ck_assert_int_eq(tapir_send(nodes[CLIENT].t, sd, sent, sizeof sent), (int64_t)sizeof sent);
	tapir_shutdown(nodes[CLIENT].t, sd, TAPIR_SHUT_WR);
	ck_assert_int_eq(hear(sd), 0);
	ck_assert_uint_eq(got_n, sizeof sent);
	for (size_t i = 0; i + 3 < sizeof sent; i += 1001)
		ck_assert_mem_eq(got + i, "ÉXX", 4);
	tapir_close(nodes[CLIENT].t, sd);
	end();
}
END_TEST

START_TEST(greet_answers_each_line_once)
{
	tapir_sd sd = dial(GREET);

	say(sd, "Zoë\n");
	assert_hears(sd, "Hallo, Zoë\n");
	say(sd, "Ann\n\nBob\nCl");
	assert_hears(sd, "Hallo, Ann\nHallo, \nHallo, Bob\n");
	say(sd, "\xc3");
	assert_hears(sd, "");
	say(sd, "\xa9o\n");
	assert_hears(sd, "Hallo, Cléo\n");
	say(sd, "Dan");
	assert_hears(sd, "");
	tapir_shutdown(nodes[CLIENT].t, sd, TAPIR_SHUT_WR);
	assert_hears(sd, "Hallo, Dan");
	tapir_close(nodes[CLIENT].t, sd);
	end();
}
END_TEST

START_TEST(greet_answers_a_very_long_line_in_parts_with_one_prefix)
{
	static char sent[200001];
	tapir_sd sd = dial(GREET);

	memset(sent, 'x', sizeof sent);
	sent[sizeof sent - 1] = '\n';
	ck_assert_int_eq(tapir_send(nodes[CLIENT].t, sd, sent, sizeof sent), (int64_t)sizeof sent);
	say(sd, "Ann\n");
	hear(sd);
	ck_assert_uint_eq(got_n, 7 + sizeof sent + 7 + 4);
	ck_assert_mem_eq(got, "Hallo, ", 7);
	ck_assert_mem_eq(got + 7, sent, sizeof sent);
	ck_assert_mem_eq(got + 7 + sizeof sent, "Hallo, Ann\n", 11);
	end_talk(sd);
	end();
}
END_TEST

START_TEST(greet_of_many_small_lines_waits_for_a_slow_reader)
{
	static char sent[100000];
	tapir_sd sd = dial(GREET);

	memset(sent, '\n', sizeof sent);
	ck_assert_int_eq(tapir_send(nodes[CLIENT].t, sd, sent, sizeof sent), (int64_t)sizeof sent);
	pass(10 * TAPIR_SEC);		/* eight times as much comes back, more than its buffers hold */
	tapir_shutdown(nodes[CLIENT].t, sd, TAPIR_SHUT_WR);
	while (hear(sd) == TAPIR_EAGAIN)
		pass(TAPIR_SEC);
	ck_assert_uint_eq(got_n, 8 * sizeof sent);
	for (size_t i = 0; i < got_n; i += 8)
		if (memcmp(got + i, "Hallo, \n", 8) != 0)
			ck_abort_msg("line %zu", i / 8);
	tapir_close(nodes[CLIENT].t, sd);
	end();
}
END_TEST

/* --- datagrams --- */

/* What the service on number answers to text from a socket bound to local; -1: nothing. */
static int64_t ask(uint16_t number, uint16_t local, const void *text, size_t n)
{
	struct tapir_endpoint to = port(number), from = {.port = local};
	tapir_sd sd = tapir_socket(nodes[CLIENT].t, TAPIR_SOCK_DGRAM);

	ck_assert_int_eq(tapir_bind(nodes[CLIENT].t, sd, &from), 0);
	ck_assert_int_eq(tapir_sendto(nodes[CLIENT].t, sd, text, n, &to), (int64_t)n);
	pass(TAPIR_MS);
	int64_t answer = tapir_recvfrom(nodes[CLIENT].t, sd, got, sizeof got - 1, &from);
	tapir_close(nodes[CLIENT].t, sd);
	if (answer >= 0)
		got[answer] = '\0';
	else
		ck_assert_int_eq(answer, TAPIR_EAGAIN);
	return answer >= 0 ? answer : -1;
}

START_TEST(udp_services_answer_each_datagram)
{
	ck_assert_int_eq(ask(7, 0, "hello", 5), 5);
	ck_assert_str_eq((char *)got, "hello");
	ck_assert_int_eq(ask(7, 0, "", 0), 0);
	ck_assert_int_eq(ask(9, 0, "hello", 5), -1);
	ck_assert_int_gt(ask(13, 0, "x", 1), 0);
	ck_assert_str_eq((char *)got, "Thursday, January 01, 1970 00:00:00-UTC\r\n");
	ck_assert_int_gt(ask(UPPER, 0, "Zoë\xff", 5), 0);
	ck_assert_str_eq((char *)got, "ZOË\xff");
	ck_assert_int_gt(ask(GREET, 0, "Zoë\nBob", 8), 0);
	ck_assert_str_eq((char *)got, "Hallo, Zoë\nBob");	/* one datagram, one message */
	ck_assert_int_eq(ask(GREET, 0, "", 0), 7);
	end();
}
END_TEST

START_TEST(udp_chargen_answers_with_0_to_512_characters)
{
	int64_t longest = 0, shortest = 512;

	for (int i = 0; i < 200; i++) {
		int64_t n = ask(19, 0, "x", 1);

		ck_assert_int_ge(n, 0);
		ck_assert_int_le(n, 512);
		longest = n > longest ? n : longest;
		shortest = n < shortest ? n : shortest;
		for (int64_t k = 0; k + 1 < n && k < 70; k++)	/* a line: each character follows the one before */
			ck_assert_int_eq(got[k + 1], got[k] == '~' ? ' ' : got[k] + 1);
	}
	ck_assert_int_gt(longest, 450);
	ck_assert_int_lt(shortest, 60);
	end();
}
END_TEST

START_TEST(udp_services_do_not_answer_each_other)
{
	static const uint16_t numbers[] = {7, 13, 19, UPPER, GREET};

	for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
		ck_assert_int_eq(ask(numbers[i], 19, "hello", 5), -1);
		ck_assert_int_eq(ask(numbers[i], 7, "hello", 5), -1);
	}
	end();
}
END_TEST

/* --- starting --- */

START_TEST(a_port_that_is_taken_is_named)
{
	struct services_config config = all_services();
	static struct services second;

	ck_assert_int_eq(services_start(&second, nodes[SERVER].t, &config), TAPIR_EADDRINUSE);
	ck_assert_uint_eq(second.failed_port, 7);
	config.upper_port = 13;
	second = (struct services){.count = 0};
	ck_assert_int_eq(services_start(&second, nodes[CLIENT].t, &config), TAPIR_EADDRINUSE);
	ck_assert_uint_eq(second.failed_port, 13);
	for (int i = 0; i < 2; i++) {
		driver_close(nodes[i].d);
		free(nodes[i].mem);
	}
}
END_TEST

Suite *suite(void)
{
	Suite *s = suite_create("services");
	TCase *tcp = tcase_create("tcp"), *udp = tcase_create("udp");

	tcase_add_checked_fixture(tcp, begin, NULL);
	tcase_add_checked_fixture(udp, begin, NULL);
	tcase_set_timeout(tcp, 60);
	tcase_add_test(tcp, echo_sends_back_what_it_gets_and_ends_when_the_peer_does);
	tcase_add_test(tcp, echo_answers_after_the_peer_has_half_closed);
	tcase_add_test(tcp, echo_does_not_read_from_a_peer_that_does_not_read);
	tcase_add_test(tcp, discard_takes_everything_and_says_nothing);
	tcase_add_test(tcp, a_reset_ends_a_service_without_a_trace);
	tcase_add_test(tcp, five_hundred_clients_are_served_together);
	tcase_add_test(tcp, daytime_says_the_time_and_closes_first);
	tcase_add_test(tcp, daytime_is_not_reset_by_what_the_peer_says);
	tcase_add_test(tcp, chargen_sends_the_pattern_of_rfc_864_without_a_break);
	tcase_add_test(tcp, chargen_ends_when_the_peer_does);
	tcase_add_test(tcp, upper_answers_in_upper_case);
	tcase_add_test(tcp, upper_does_not_break_a_character_that_comes_in_pieces);
	tcase_add_test(tcp, upper_gives_back_what_is_no_character_as_it_is);
	tcase_add_test(tcp, upper_of_much_text_is_complete);
	tcase_add_test(tcp, greet_answers_each_line_once);
	tcase_add_test(tcp, greet_answers_a_very_long_line_in_parts_with_one_prefix);
	tcase_add_test(tcp, greet_of_many_small_lines_waits_for_a_slow_reader);
	tcase_add_test(tcp, a_port_that_is_taken_is_named);
	tcase_add_test(udp, udp_services_answer_each_datagram);
	tcase_add_test(udp, udp_chargen_answers_with_0_to_512_characters);
	tcase_add_test(udp, udp_services_do_not_answer_each_other);
	suite_add_tcase(s, tcp);
	suite_add_tcase(s, udp);
	return s;
}
