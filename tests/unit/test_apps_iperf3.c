/* test_apps_iperf3.c: what iperf3's server measures. */
#include <stdio.h>
#include "tests/support/iperf3_client.h"
#include "tests/support/pair_of_stacks.h"

/* --- TCP --- */

START_TEST(a_stream_to_the_server_is_counted_to_the_byte)
{
	tapir_sd stream, control = client_run(TCP "}", &stream, 1);

	client_write_some(stream, 1234567);
	client_pass(2 * TAPIR_SEC);
	json_t *j = client_stop(control);
	client_is(j, 0, "id", 1);
	client_is(j, 0, "bytes", 1234567);
	client_is(j, 0, "retransmits", -1);
	client_is(j, 0, "start_time", 0);
	ck_assert_double_ge(client_stream_number(j, 0, "end_time"), 2);
	ck_assert_double_lt(client_stream_number(j, 0, "end_time"), 2.1);
	ck_assert_int_eq(json_integer_value(json_object_get(j, "sender_has_retransmits")), -1);
	ck_assert_str_eq(json_string_value(json_object_get(j, "congestion_used")), "cubic");
	ck_assert(json_is_number(json_object_get(j, "cpu_util_total")));
	client_done(control, j, &stream, 1);
	client_end();
}
END_TEST

START_TEST(a_reverse_stream_ends_behind_the_last_byte_that_the_server_counted)
{
	tapir_sd stream, control = client_run(TCP ",\"reverse\":true}", &stream, 1);
	uint64_t got = client_read_for(stream, TAPIR_SEC);

	ck_assert_uint_gt(got, 1000000);
	json_t *j = client_stop(control);
	got += client_read_to_end(stream);
	client_is(j, 0, "bytes", (double)got);
	client_is(j, 0, "retransmits", 0);
	ck_assert_int_eq(json_integer_value(json_object_get(j, "sender_has_retransmits")), 1);
	client_done(control, j, &stream, 1);
	client_end();
}
END_TEST

START_TEST(short_blocks_are_sent_as_well_as_long_ones)
{
	static const char *const blocks[] = {"1", "100", "5000", "1048576"};

	for (int i = 0; i < 4; i++) {
		char parameters[100];
		tapir_sd stream, control;

		snprintf(parameters, sizeof parameters, "{\"tcp\":true,\"time\":10,\"reverse\":true,\"len\":%s}", blocks[i]);
		control = client_run(parameters, &stream, 1);
		uint64_t got = client_read_for(stream, 20 * TAPIR_MS);
		ck_assert_uint_gt(got, 1000);
		json_t *j = client_stop(control);
		client_is(j, 0, "bytes", (double)(got + client_read_to_end(stream)));
		client_done(control, j, &stream, 1);
	}
	client_end();
}
END_TEST

START_TEST(both_ways_the_first_streams_receive_and_the_others_send)
{
	tapir_sd streams[4], control = client_run(TCP ",\"bidirectional\":true,\"parallel\":2}", streams, 4);
	uint64_t got[2] = {0, 0};

	client_write_some(streams[0], 30000);
	client_write_some(streams[1], 40000);
	for (int i = 0; i < 2; i++)
		got[i] = client_read_for(streams[2 + i], 10 * TAPIR_MS);
	json_t *j = client_stop(control);
	for (int i = 0; i < 2; i++)
		got[i] += client_read_to_end(streams[2 + i]);
	client_is(j, 0, "id", 1);
	client_is(j, 0, "bytes", 30000);
	client_is(j, 1, "id", 3);
	client_is(j, 1, "bytes", 40000);
	client_is(j, 2, "id", 4);
	client_is(j, 2, "bytes", (double)got[0]);
	client_is(j, 3, "id", 5);
	client_is(j, 3, "bytes", (double)got[1]);
	ck_assert_uint_eq(json_array_size(json_object_get(j, "streams")), 4);
	client_done(control, j, streams, 4);
	client_end();
}
END_TEST

START_TEST(as_many_streams_as_iperf3_allows)
{
	static tapir_sd streams[256];
	tapir_sd control = client_run(TCP ",\"bidirectional\":true,\"parallel\":128}", streams, 256);

	for (int i = 0; i < 128; i++)
		client_say(streams[i], client_text, (size_t)i + 1);
	json_t *j = client_stop(control);
	for (size_t i = 0; i < 128; i++)
		client_is(j, i, "bytes", (double)i + 1);
	for (int i = 128; i < 256; i++)
		client_read_to_end(streams[i]);
	client_done(control, j, streams, 256);
	client_end();
}
END_TEST

START_TEST(the_rate_that_was_asked_for_is_kept)
{
	tapir_sd stream, control = client_run(TCP ",\"reverse\":true,\"bandwidth\":4000000}", &stream, 1);
	uint64_t got = client_read_for(stream, 2 * TAPIR_SEC);

	ck_assert_uint_ge(got, 1000000 - 16384);
	ck_assert_uint_le(got, 1000000 + 16384);
	json_t *j = client_stop(control);
	client_read_to_end(stream);
	client_done(control, j, &stream, 1);
	client_end();
}
END_TEST

START_TEST(what_comes_in_the_omitted_seconds_does_not_count)
{
	tapir_sd stream, control = client_run(TCP ",\"omit\":2}", &stream, 1);

	client_write_some(stream, 100000);
	client_pass(2 * TAPIR_SEC + 100 * TAPIR_MS);
	client_write_some(stream, 7000);
	client_pass(900 * TAPIR_MS);
	json_t *j = client_stop(control);
	client_is(j, 0, "bytes", 7000);
	ck_assert_double_ge(client_stream_number(j, 0, "end_time"), 0.95);
	ck_assert_double_le(client_stream_number(j, 0, "end_time"), 1.05);
	client_done(control, j, &stream, 1);
	client_end();
}
END_TEST

static bool lose_tenth(int from, struct span frame)
{
	static int n;

	return from == B && frame.n > 1000 && ++n % 10 == 0;
}

START_TEST(retransmissions_are_what_the_stack_counts)
{
	tapir_sd stream, control = client_run(TCP ",\"reverse\":true}", &stream, 1);

	pair_lose(lose_tenth);
	client_read_for(stream, 3 * TAPIR_SEC);
	pair_lose(NULL);
	client_read_for(stream, TAPIR_SEC);
	json_t *j = client_stop(control);
	ck_assert_double_gt(client_stream_number(j, 0, "retransmits"), 0);
	client_read_to_end(stream);
	client_done(control, j, &stream, 1);
	client_end();
}
END_TEST

START_TEST(the_options_of_a_stream_are_set_and_only_for_its_test)
{
	struct tapir_tcp_info info;
	tapir_sd stream, control = client_run(TCP ",\"reverse\":true,\"MSS\":500,\"window\":30000,\"TOS\":16,\"nodelay\":true,"
				       "\"congestion\":\"newreno\"}", &stream, 1);
	int value;

	ck_assert_result(tapir_tcp_info(pair[A], stream, &info), 0);
	ck_assert_uint_le(info.snd_mss, 500);
	ck_assert_result(tapir_getsockopt(pair[B], client_server->test.streams[0].sd, TAPIR_SO_SNDBUF, &value), 0);
	ck_assert_int_eq(value, 30000);
	ck_assert_result(tapir_getsockopt(pair[B], client_server->test.streams[0].sd, TAPIR_IP_TOS, &value), 0);
	ck_assert_int_eq(value, 16);
	json_t *j = client_stop(control);
	ck_assert_str_eq(json_string_value(json_object_get(j, "congestion_used")), "newreno");
	client_read_to_end(stream);
	client_done(control, j, &stream, 1);
	control = client_run(TCP "}", &stream, 1);
	ck_assert_result(tapir_tcp_info(pair[A], stream, &info), 0);
	ck_assert_uint_gt(info.snd_mss, 1400);
	client_done(control, client_stop(control), &stream, 1);
	client_end();
}
END_TEST

/* --- UDP --- */

START_TEST(datagrams_are_counted_and_so_are_those_that_are_missing_or_late)
{
	static const uint8_t numbers[] = {1, 2, 4, 5, 3, 8};

	for (int wide = 0; wide < 2; wide++) {
		tapir_sd stream, control = client_run_udp(wide ? UDP "}" : "{\"udp\":true,\"time\":10,\"len\":1000}", &stream, 1);

		for (size_t i = 0; i < sizeof numbers; i++)
			client_datagram(stream, numbers[i], wide);
		json_t *j = client_stop(control);
		client_is(j, 0, "bytes", 6000);
		client_is(j, 0, "packets", 8);
		client_is(j, 0, "errors", 2);		/* 6 and 7; 3 came late */
		client_is(j, 0, "retransmits", -1);
		ck_assert_ptr_null(json_object_get(j, "congestion_used"));
		client_done(control, j, &stream, 1);
	}
	client_end();
}
END_TEST

START_TEST(jitter_is_that_of_rfc_3550)
{
	tapir_sd stream, control = client_run_udp(UDP "}", &stream, 1);
	uint8_t bytes[100] = {0};

	/* The clock in the datagrams stands still: each difference of transit times is 16 ms. */
	for (int i = 1; i <= 3; i++) {
		bytes[15] = (uint8_t)i;
		client_say(stream, bytes, sizeof bytes);
		client_pass(16 * TAPIR_MS);
	}
	json_t *j = client_stop(control);
	double first = 0.016 / 16, second = first + (0.016 - first) / 16;
	ck_assert_double_eq_tol(client_stream_number(j, 0, "jitter"), second, 1e-9);
	client_done(control, j, &stream, 1);
	client_end();
}
END_TEST

START_TEST(datagrams_of_several_streams_are_told_apart_by_their_port)
{
	tapir_sd streams[3], stranger = client_dial_udp(), control = client_run_udp(UDP ",\"parallel\":3}", streams, 3);

	client_datagram(stranger, 9, true);
	for (unsigned i = 0; i < 3; i++)
		for (unsigned k = 1; k <= i + 1; k++)
			client_datagram(streams[i], k, true);
	client_say(streams[0], "short", 5);
	json_t *j = client_stop(control);
	for (size_t i = 0; i < 3; i++) {
		client_is(j, i, "packets", (double)i + 1);
		client_is(j, i, "errors", 0);
		client_is(j, i, "bytes", 1000.0 * ((double)i + 1));
	}
	tapir_close(pair[A], stranger);
	client_done(control, j, streams, 3);
	client_end();
}
END_TEST

START_TEST(a_greeting_that_comes_twice_makes_one_stream_and_an_old_client_gets_an_old_answer)
{
	static const uint8_t hello[4] = {0x15, 0xcd, 0x5b, 0x07}, answer[4] = {0xb1, 0x68, 0xde, 0x3a};
	tapir_sd streams[2] = {client_dial_udp(), client_dial_udp()}, control = client_ask(UDP ",\"parallel\":2}");

	client_hear_byte(control, SAYS_STREAMS);
	client_greet(streams[0], hello, answer);
	client_greet(streams[0], hello, answer);
	ck_assert_int_eq(client_server->test.here, 1);
	client_say(streams[1], "what", 4);
	ck_assert_int_eq(client_server->test.here, 1);
	client_greet(streams[1], hello, answer);
	client_hear_start(control);
	client_done(control, client_stop(control), streams, 2);
	client_end();
}
END_TEST

/* Reads what is there, which is numbered without a gap; returns the last number. */
static unsigned read_datagrams(tapir_sd sd, unsigned last)
{
	uint8_t bytes[2000];

	while (tapir_recv(pair[A], sd, bytes, sizeof bytes) == 1000) {
		last++;
		ck_assert_uint_eq(bytes[15], last & 0xff);
		ck_assert_uint_eq(bytes[14], last >> 8);
	}
	return last;
}

START_TEST(reverse_datagrams_are_numbered_and_paced)
{
	tapir_sd stream, control = client_run_udp(UDP ",\"reverse\":true,\"bandwidth\":800000}", &stream, 1);
	unsigned count = read_datagrams(stream, 0);

	for (int i = 0; i < 200; i++) {
		client_pass(10 * TAPIR_MS);
		count = read_datagrams(stream, count);
	}
	ck_assert_uint_ge(count, 199);		/* 100 a second */
	ck_assert_uint_le(count, 202);
	json_t *j = client_stop(control);
	client_is(j, 0, "packets", count);
	client_is(j, 0, "bytes", 1000.0 * count);
	ck_assert_int_eq(json_integer_value(json_object_get(j, "sender_has_retransmits")), 0);
	client_done(control, j, &stream, 1);
	client_end();
}
END_TEST

START_TEST(reverse_datagrams_without_a_rate_leave_others_their_turn)
{
	tapir_sd stream, control = client_run_udp(UDP ",\"reverse\":true}", &stream, 1);
	uint8_t bytes[2000];
	unsigned count = 0;

	for (int i = 0; i < 10; i++, client_pass(TAPIR_MS))
		while (tapir_recv(pair[A], stream, bytes, sizeof bytes) == 1000)
			count++;
	ck_assert_uint_gt(count, 100);
	client_done(control, client_stop(control), &stream, 1);
	client_end();
}
END_TEST

static void begin(void) { client_begin(400); }

Suite *suite(void)
{
	const TTest *const tests[] = {
		a_stream_to_the_server_is_counted_to_the_byte,
		a_reverse_stream_ends_behind_the_last_byte_that_the_server_counted,
		short_blocks_are_sent_as_well_as_long_ones,
		both_ways_the_first_streams_receive_and_the_others_send,
		as_many_streams_as_iperf3_allows,
		the_rate_that_was_asked_for_is_kept,
		what_comes_in_the_omitted_seconds_does_not_count,
		retransmissions_are_what_the_stack_counts,
		the_options_of_a_stream_are_set_and_only_for_its_test,
		datagrams_are_counted_and_so_are_those_that_are_missing_or_late,
		jitter_is_that_of_rfc_3550,
		datagrams_of_several_streams_are_told_apart_by_their_port,
		a_greeting_that_comes_twice_makes_one_stream_and_an_old_client_gets_an_old_answer,
		reverse_datagrams_are_numbered_and_paced,
		reverse_datagrams_without_a_rate_leave_others_their_turn,
	};
	Suite *s = suite_create("iperf3");
	TCase *c = tcase_create("virtual time");

	tcase_add_checked_fixture(c, begin, NULL);
	tcase_set_timeout(c, 60);
	for (size_t i = 0; i < sizeof tests / sizeof tests[0]; i++)
		tcase_add_test(c, tests[i]);
	suite_add_tcase(s, c);
	return s;
}
