/* test_apps_iperf3_refused.c: whom iperf3's server turns away, and who leaves before the end. */
#include "tests/support/iperf3_client.h"
#include "tests/support/pair_of_stacks.h"

/* --- who may not --- */

START_TEST(a_second_client_is_told_that_the_server_is_busy)
{
	tapir_sd stream, control = client_run(TCP "}", &stream, 1), second = client_dial();

	client_say(second, OTHER_COOKIE, 37);
	client_hear_byte(second, SAYS_BUSY);
	client_hear_end(second);
	client_write_some(stream, 5000);
	json_t *j = client_stop(control);
	client_is(j, 0, "bytes", 5000);
	client_done(control, j, &stream, 1);
	client_end();
}
END_TEST

START_TEST(another_cookie_makes_no_stream)
{
	tapir_sd control = client_ask(TCP "}"), stranger = client_dial();

	client_hear_byte(control, SAYS_STREAMS);
	client_say(stranger, OTHER_COOKIE, 37);
	client_hear_byte(stranger, SAYS_BUSY);
	client_hear_end(stranger);
	tapir_sd stream = client_dial_stream();
	client_hear_start(control);
	client_done(control, client_stop(control), &stream, 1);
	client_end();
}
END_TEST

START_TEST(streams_are_numbered_as_they_came_whenever_their_cookies_do)
{
	tapir_sd control = client_ask(TCP ",\"parallel\":2}"), streams[2];

	client_hear_byte(control, SAYS_STREAMS);
	streams[0] = client_dial();
	streams[1] = client_dial();
	client_say(streams[1], CLIENT_COOKIE, 37);
	client_say(streams[0], CLIENT_COOKIE, 20);
	client_say(streams[0], &CLIENT_COOKIE[20], 17);
	client_hear_start(control);
	client_say(streams[0], client_text, 11);
	client_say(streams[1], client_text, 22);
	json_t *j = client_stop(control);
	client_is(j, 0, "bytes", 11);
	client_is(j, 1, "bytes", 22);
	client_done(control, j, streams, 2);
	client_end();
}
END_TEST

static void assert_reset(tapir_sd sd)
{
	uint8_t byte;

	client_settle();
	ck_assert_result((int)tapir_recv(pair[A], sd, &byte, 1), TAPIR_ECONNRESET);
	tapir_close(pair[A], sd);
}

START_TEST(what_is_no_cookie_is_thrown_out)
{
	static const char get[] = "GET / HTTP/1.1\r\nHost: 10.0.0.2:5201\r\n\r\n", printable[] = CLIENT_COOKIE "e";
	tapir_sd sd = client_dial();

	client_say(sd, get, sizeof get - 1);
	assert_reset(sd);
	sd = client_dial();
	client_say(sd, printable, 37);
	assert_reset(sd);
	tapir_sd stream, control = client_run(TCP "}", &stream, 1);
	client_done(control, client_stop(control), &stream, 1);
	client_end();
}
END_TEST

START_TEST(a_visitor_that_says_nothing_holds_nobody_up_and_is_thrown_out)
{
	tapir_sd silent = client_dial(), half = client_dial(), stream, control;

	client_say(half, CLIENT_COOKIE, 10);
	control = client_run(TCP "}", &stream, 1);
	client_done(control, client_stop(control), &stream, 1);
	client_pass(9 * TAPIR_SEC);
	ck_assert(tapir_poll(pair[A], silent) == TAPIR_POLLOUT);
	client_pass(2 * TAPIR_SEC);
	assert_reset(silent);
	assert_reset(half);
	client_end();
}
END_TEST

START_TEST(there_is_room_for_so_many_connections_and_no_more)
{
	static tapir_sd sds[IPERF3_TALKS_MAX + 1];

	client_end();
	client_begin(2000);
	for (int i = 0; i <= IPERF3_TALKS_MAX; i++)
		sds[i] = client_dial();
	assert_reset(sds[IPERF3_TALKS_MAX]);
	ck_assert_uint_eq(client_server->talk_count, IPERF3_TALKS_MAX);
	client_pass(11 * TAPIR_SEC);
	ck_assert_uint_eq(client_server->talk_count, 0);
	for (int i = 0; i < IPERF3_TALKS_MAX; i++)
		tapir_close(pair[A], sds[i]);
	client_end();
}
END_TEST

/* --- what is refused, with iperf3's number of the reason --- */

static const struct { const char *parameters; int error; } refused[] = {
	{"not JSON", 114}, {"[1]", 114}, {"{\"tcp\":true,\"len\":1000", 114},
	{TCP ",\"time\":-1}", 5}, {TCP ",\"time\":1e9}", 5}, {TCP ",\"time\":\"x\"}", 5}, {TCP ",\"omit\":601}", 12},
	{TCP ",\"parallel\":129}", 6}, {TCP ",\"parallel\":-1}", 6}, {TCP ",\"MSS\":10000}", 10}, {TCP ",\"MSS\":20}", 123},
	{TCP ",\"window\":1e10}", 8}, {TCP ",\"TOS\":256}", 21}, {TCP ",\"bandwidth\":-5}", 114},
	{"{\"tcp\":true,\"time\":1}", 7}, {"{\"tcp\":true,\"len\":2000000}", 7}, {"{\"udp\":true,\"len\":5}", 20},
	{"{\"udp\":true,\"len\":65508}", 20}, {TCP ",\"congestion\":\"vegas\"}", 134}, {TCP ",\"sctp\":true}", 18},
	{TCP ",\"server_affinity\":0}", 132}, {TCP ",\"flowlabel\":7}", 127}, {TCP ",\"reverse\":true,\"fqrate\":1000}", 140},
	{UDP ",\"reverse\":true,\"dont_fragment\":1}", 13},
};

START_TEST(what_cannot_be_done_is_refused_with_its_reason)
{
	for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
		tapir_sd control = client_ask(refused[i].parameters);

		client_hear_error(control, refused[i].error);
		client_hear_end(control);
	}
	client_end();
}
END_TEST

START_TEST(a_text_that_is_too_long_or_empty_is_refused_unread)
{
	static const uint8_t lengths[][4] = {{0, 0, 0x20, 1}, {0xff, 0xff, 0xff, 0xff}, {0, 0, 0, 0}};

	for (int i = 0; i < 3; i++) {
		tapir_sd control = client_dial();

		client_say(control, CLIENT_COOKIE, 37);
		client_hear_byte(control, SAYS_PARAMETERS);
		client_say(control, lengths[i], 4);
		client_hear_error(control, 114);
		client_hear_end(control);
	}
	client_end();
}
END_TEST

START_TEST(results_that_are_too_long_end_the_test)
{
	static const uint8_t length[4] = {1, 0, 0, 0};
	tapir_sd stream, control = client_run(TCP "}", &stream, 1);

	client_say_byte(control, SAYS_END);
	client_hear_byte(control, SAYS_EXCHANGE);
	client_say(control, length, 4);
	client_hear_error(control, 117);
	client_hear_end(control);
	tapir_close(pair[A], stream);
	client_end();
}
END_TEST

START_TEST(a_message_that_does_not_belong_there_ends_the_test)
{
	static const uint8_t wrong[] = {0, SAYS_RUNNING, SAYS_DONE, 77, 200};

	for (size_t i = 0; i < sizeof wrong; i++) {
		tapir_sd stream, control = client_run(TCP "}", &stream, 1);

		client_say_byte(control, wrong[i]);
		client_hear_error(control, 110);
		client_hear_end(control);
		tapir_close(pair[A], stream);
	}
	client_end();
}
END_TEST

/* --- who goes before the end --- */

static void abort_all(const tapir_sd *sds, int n)
{
	for (int i = 0; i < n; i++)
		tapir_abort(pair[A], sds[i]);
	client_settle();
}

START_TEST(a_client_may_vanish_at_every_step_and_the_next_one_is_served)
{
	for (int step = 0; step < 6; step++) {
		for (int reset = 0; reset < 2; reset++) {
			tapir_sd sds[3] = {client_dial(), -1, -1};

			if (step > 0)
				client_say(sds[0], CLIENT_COOKIE, 37);
			if (step > 1)
				client_say_text(sds[0], TCP ",\"bidirectional\":true}");
			if (step > 2)
				sds[1] = client_dial_stream();
			if (step > 3)
				sds[2] = client_dial_stream();
			if (step > 4)
				client_say_byte(sds[0], SAYS_END);
			for (int i = 0; i < 3; i++)
				(reset ? tapir_abort : tapir_close)(pair[A], sds[i]);
			client_settle();
			ck_assert_int_eq(client_server->test.state, IPERF3_IDLE);
			tapir_sd stream, control = client_run(TCP "}", &stream, 1);
			client_done(control, client_stop(control), &stream, 1);
		}
	}
	client_end();
}
END_TEST

START_TEST(a_client_that_is_interrupted_says_so)
{
	tapir_sd streams[2], control = client_run(TCP ",\"bidirectional\":true}", streams, 2);

	client_say_byte(control, SAYS_TERMINATE);
	ck_assert_int_eq(client_server->test.state, IPERF3_IDLE);
	client_hear_end(control);
	abort_all(streams, 2);
	client_end();
}
END_TEST

START_TEST(a_client_that_falls_silent_is_missed_within_a_minute)
{
	tapir_sd sds[2];

	sds[0] = client_run("{\"tcp\":true,\"len\":1000,\"reverse\":true}", &sds[1], 1);
	pair_lose(pair_lose_all);
	client_pass(60 * TAPIR_SEC);
	ck_assert_int_eq(client_server->test.state, IPERF3_IDLE);
	pair_lose(NULL);
	abort_all(sds, 2);
	tapir_sd stream, control = client_run(TCP "}", &stream, 1);
	client_done(control, client_stop(control), &stream, 1);
	client_end();
}
END_TEST

START_TEST(a_test_without_a_time_ends_when_nothing_moves)
{
	tapir_sd stream, control = client_run("{\"tcp\":true,\"len\":1000,\"num\":1000000}", &stream, 1);

	client_pass(100 * TAPIR_SEC);
	client_write_some(stream, 1000);
	client_pass(118 * TAPIR_SEC);
	ck_assert_int_eq(client_server->test.state, IPERF3_RUNNING);
	client_pass(5 * TAPIR_SEC);
	client_hear_error(control, 144);
	client_hear_end(control);
	tapir_close(pair[A], stream);
	client_end();
}
END_TEST

START_TEST(a_timed_test_ends_some_time_after_its_time)
{
	tapir_sd stream, control = client_run(TCP "}", &stream, 1);

	client_pass(49 * TAPIR_SEC);
	ck_assert_int_eq(client_server->test.state, IPERF3_RUNNING);
	client_pass(2 * TAPIR_SEC);
	client_hear_error(control, 144);
	client_hear_end(control);
	tapir_close(pair[A], stream);
	client_end();
}
END_TEST

START_TEST(each_step_has_its_time)
{
	tapir_sd control = client_dial();

	client_say(control, CLIENT_COOKIE, 37);
	client_hear_byte(control, SAYS_PARAMETERS);
	client_pass(41 * TAPIR_SEC);
	client_hear_error(control, 144);
	client_hear_end(control);
	control = client_ask(TCP "}");
	client_hear_byte(control, SAYS_STREAMS);
	client_pass(41 * TAPIR_SEC);
	client_hear_error(control, 144);
	client_hear_end(control);
	client_end();
}
END_TEST

START_TEST(a_port_that_is_taken_is_an_error_and_leaves_nothing)
{
	struct iperf3_config config = client_config();
	struct tapir_endpoint local = {.port = 5202};
	struct iperf3 *second;
	tapir_sd udp;

	ck_assert_result(iperf3_start(&second, pair[B], &config), TAPIR_EADDRINUSE);
	udp = tapir_socket(pair[B], TAPIR_SOCK_DGRAM);
	ck_assert_result(tapir_bind(pair[B], udp, &local), 0);
	config.port = 5202;
	ck_assert_result(iperf3_start(&second, pair[B], &config), TAPIR_EADDRINUSE);
	tapir_close(pair[B], udp);
	client_end();
}
END_TEST

static void begin(void) { client_begin(400); }

Suite *suite(void)
{
	const TTest *const tests[] = {
		a_second_client_is_told_that_the_server_is_busy,
		another_cookie_makes_no_stream,
		streams_are_numbered_as_they_came_whenever_their_cookies_do,
		what_is_no_cookie_is_thrown_out,
		a_visitor_that_says_nothing_holds_nobody_up_and_is_thrown_out,
		there_is_room_for_so_many_connections_and_no_more,
		what_cannot_be_done_is_refused_with_its_reason,
		a_text_that_is_too_long_or_empty_is_refused_unread,
		results_that_are_too_long_end_the_test,
		a_message_that_does_not_belong_there_ends_the_test,
		a_client_may_vanish_at_every_step_and_the_next_one_is_served,
		a_client_that_is_interrupted_says_so,
		a_client_that_falls_silent_is_missed_within_a_minute,
		a_test_without_a_time_ends_when_nothing_moves,
		a_timed_test_ends_some_time_after_its_time,
		each_step_has_its_time,
		a_port_that_is_taken_is_an_error_and_leaves_nothing,
	};
	Suite *s = suite_create("iperf3: who may not");
	TCase *c = tcase_create("virtual time");

	tcase_add_checked_fixture(c, begin, NULL);
	tcase_set_timeout(c, 60);
	for (size_t i = 0; i < sizeof tests / sizeof tests[0]; i++)
		tcase_add_test(c, tests[i]);
	suite_add_tcase(s, c);
	return s;
}
