/* test_socket_options.c: getsockopt and setsockopt of both kinds of socket, what each option changes on the wire, and
 * readiness: poll, and the edges that poll_events lists. */
#include "stack/base/bytes.h"
#include "tests/support/pair_of_stacks.h"

static char buf[1000];
static uint8_t last_ttl, last_tos;
static uint32_t with_text;

static void set_up(void)
{
	pair_reset_config();
	pair_begin();
}

static int get(int who, tapir_sd sd, enum tapir_opt opt)
{
	int value = -999;

	ck_assert_result(tapir_getsockopt(pair[who], sd, opt, &value), 0);
	return value;
}

static int set(int who, tapir_sd sd, enum tapir_opt opt, int value) { return tapir_setsockopt(pair[who], sd, opt, value); }

static const char *controller(int who, tapir_sd sd)
{
	struct tapir_tcp_info info;

	ck_assert_result(tapir_tcp_info(pair[who], sd, &info), 0);
	return info.congestion;
}

/* Looks at A's frames on the way. */
static bool look(int from, struct span frame)
{
	size_t header = (size_t)(frame.p[0] & 15) * 4;

	if (from != A)
		return false;
	last_tos = frame.p[1];
	last_ttl = frame.p[8];
	with_text += frame.n > header + (size_t)(frame.p[header + 12] >> 4) * 4;
	return false;
}

/* --- options --- */

START_TEST(defaults_are_those_of_the_header)
{
	tapir_sd s = tapir_socket(pair[A], TAPIR_SOCK_STREAM), d = tapir_socket(pair[A], TAPIR_SOCK_DGRAM);

	ck_assert_int_eq(get(A, s, TAPIR_SO_TYPE), TAPIR_SOCK_STREAM);
	ck_assert_int_eq(get(A, d, TAPIR_SO_TYPE), TAPIR_SOCK_DGRAM);
	ck_assert_int_eq(get(A, s, TAPIR_SO_ERROR), 0);
	ck_assert_int_eq(get(A, s, TAPIR_SO_ACCEPTCONN), 0);
	ck_assert_int_eq(get(A, d, TAPIR_SO_ACCEPTCONN), 0);
	ck_assert_int_eq(get(A, s, TAPIR_SO_REUSEADDR), 1);
	ck_assert_int_eq(get(A, d, TAPIR_SO_BROADCAST), 0);
	ck_assert_int_eq(get(A, s, TAPIR_SO_KEEPALIVE), 0);
	ck_assert_int_eq(get(A, s, TAPIR_SO_LINGER), -1);
	ck_assert_int_eq(get(A, s, TAPIR_SO_SNDBUF), 65535);
	ck_assert_int_eq(get(A, s, TAPIR_SO_RCVBUF), 65535);
	ck_assert_int_eq(get(A, d, TAPIR_SO_RCVBUF), 65535);
	ck_assert_int_eq(get(A, s, TAPIR_IP_TTL), 64);
	ck_assert_int_eq(get(A, s, TAPIR_IP_TOS), 0);
	ck_assert_int_eq(get(A, s, TAPIR_TCP_NODELAY), 0);
	ck_assert_int_eq(get(A, s, TAPIR_TCP_MAXSEG), 536);
	ck_assert_int_eq(get(A, s, TAPIR_TCP_CONGESTION), TAPIR_CC_CUBIC);
	tapir_close(pair[A], s);
	tapir_close(pair[A], d);
}
END_TEST

START_TEST(what_is_set_is_got)
{
	static const struct { enum tapir_opt opt; int value; } rows[] = {
		{TAPIR_SO_REUSEADDR, 0}, {TAPIR_SO_KEEPALIVE, 1}, {TAPIR_SO_LINGER, 0}, {TAPIR_SO_LINGER, -1},
		{TAPIR_SO_SNDBUF, 5000}, {TAPIR_SO_RCVBUF, 6000}, {TAPIR_IP_TTL, 255}, {TAPIR_IP_TOS, 255}, {TAPIR_TCP_NODELAY, 1},
		{TAPIR_TCP_CONGESTION, TAPIR_CC_NEWRENO}, {TAPIR_TCP_CONGESTION, TAPIR_CC_BBR},
		{TAPIR_TCP_CONGESTION, TAPIR_CC_CUBIC}
	};
	tapir_sd sd = tapir_socket(pair[A], TAPIR_SOCK_STREAM);

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		ck_assert_result(set(A, sd, rows[i].opt, rows[i].value), 0);
		ck_assert_int_eq(get(A, sd, rows[i].opt), rows[i].value);
	}
	ck_assert_result(set(A, sd, TAPIR_SO_KEEPALIVE, -7), 0);	/* any value but 0 turns a flag on */
	ck_assert_int_eq(get(A, sd, TAPIR_SO_KEEPALIVE), 1);
	tapir_close(pair[A], sd);
}
END_TEST

START_TEST(values_out_of_range_are_refused_and_change_nothing)
{
	static const struct { enum tapir_opt opt; int value; } rows[] = {
		{TAPIR_SO_LINGER, 1}, {TAPIR_SO_LINGER, -2}, {TAPIR_SO_SNDBUF, 0}, {TAPIR_SO_SNDBUF, -1}, {TAPIR_SO_RCVBUF, 0},
		{TAPIR_SO_RCVBUF, INT32_MAX}, {TAPIR_IP_TTL, 0}, {TAPIR_IP_TTL, 256}, {TAPIR_IP_TOS, -1}, {TAPIR_IP_TOS, 256},
		{TAPIR_TCP_CONGESTION, -1}, {TAPIR_TCP_CONGESTION, TAPIR_CC_COUNT}
	};
	tapir_sd sd = tapir_socket(pair[A], TAPIR_SOCK_STREAM);

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		int before = get(A, sd, rows[i].opt);

		ck_assert_result(set(A, sd, rows[i].opt, rows[i].value), TAPIR_EINVAL);
		ck_assert_int_eq(get(A, sd, rows[i].opt), before);
	}
	tapir_close(pair[A], sd);
}
END_TEST

START_TEST(options_of_the_other_kind_and_unknown_ones_do_not_exist)
{
	tapir_sd s = tapir_socket(pair[A], TAPIR_SOCK_STREAM), d = tapir_socket(pair[A], TAPIR_SOCK_DGRAM);
	static const enum tapir_opt stream_only[] = {TAPIR_SO_KEEPALIVE, TAPIR_SO_LINGER, TAPIR_SO_SNDBUF, TAPIR_TCP_NODELAY};
	static const enum tapir_opt read_only[] = {TAPIR_SO_TYPE, TAPIR_SO_ERROR, TAPIR_SO_ACCEPTCONN, TAPIR_TCP_MAXSEG};
	int value;

	for (size_t i = 0; i < 4; i++) {
		ck_assert_result(set(A, d, stream_only[i], 1), TAPIR_ENOPROTOOPT);
		ck_assert_result(tapir_getsockopt(pair[A], d, stream_only[i], &value), TAPIR_ENOPROTOOPT);
		ck_assert_result(set(A, s, read_only[i], 1), TAPIR_ENOPROTOOPT);
	}
	ck_assert_result(set(A, s, TAPIR_SO_BROADCAST, 1), TAPIR_ENOPROTOOPT);
	ck_assert_result(tapir_getsockopt(pair[A], d, TAPIR_TCP_MAXSEG, &value), TAPIR_ENOPROTOOPT);
	ck_assert_result(tapir_getsockopt(pair[A], d, TAPIR_TCP_CONGESTION, &value), TAPIR_ENOPROTOOPT);
	ck_assert_result(tapir_getsockopt(pair[A], s, (enum tapir_opt)99, &value), TAPIR_ENOPROTOOPT);
	ck_assert_result(set(A, s, (enum tapir_opt)-1, 1), TAPIR_ENOPROTOOPT);
	tapir_close(pair[A], s);
	tapir_close(pair[A], d);
}
END_TEST

START_TEST(a_connection_inherits_the_options_of_its_listener)
{
	tapir_sd l = pair_listen(7, 5), a, b;

	set(B, l, TAPIR_IP_TTL, 9);
	set(B, l, TAPIR_TCP_NODELAY, 1);
	set(B, l, TAPIR_SO_RCVBUF, 4321);
	set(B, l, TAPIR_SO_KEEPALIVE, 1);
	set(B, l, TAPIR_SO_LINGER, 0);
	set(B, l, TAPIR_TCP_CONGESTION, TAPIR_CC_NEWRENO);
	a = pair_connect(7);
	pair_carry();
	b = tapir_accept(pair[B], l, NULL);
	ck_assert_int_eq(get(B, b, TAPIR_IP_TTL), 9);
	ck_assert_int_eq(get(B, b, TAPIR_TCP_NODELAY), 1);
	ck_assert_int_eq(get(B, b, TAPIR_SO_RCVBUF), 4321);
	ck_assert_int_eq(get(B, b, TAPIR_SO_KEEPALIVE), 1);
	ck_assert_int_eq(get(B, b, TAPIR_SO_LINGER), 0);
	ck_assert_int_eq(get(B, b, TAPIR_TCP_CONGESTION), TAPIR_CC_NEWRENO);
	ck_assert_str_eq(controller(B, b), "newreno");
	ck_assert_int_eq(get(B, b, TAPIR_SO_ACCEPTCONN), 0);
	ck_assert_int_eq(get(B, b, TAPIR_TCP_MAXSEG), 1460 - 12);	/* timestamps take twelve */
	tapir_close(pair[A], a);
	tapir_close(pair[B], b);
	tapir_close(pair[B], l);
}
END_TEST

/* TCP_CONGESTION: before the connection, on it, and while bytes are under way. */
START_TEST(the_controller_is_chosen_for_each_socket_at_any_time)
{
	static char many[60000];
	struct pair_conn c = pair_connected(7);

	ck_assert_str_eq(controller(B, c.listener), "cubic");
	ck_assert_str_eq(controller(A, c.sd[A]), "cubic");
	for (int i = 0; i < 9; i++) {
		int cc = i % TAPIR_CC_COUNT;

		ck_assert_result(tapir_send(pair[A], c.sd[A], many, sizeof many), sizeof many);
		ck_assert_result(set(A, c.sd[A], TAPIR_TCP_CONGESTION, cc), 0);
		ck_assert_str_eq(controller(A, c.sd[A]), tapir_cc_name((enum tapir_cc)cc));
		pair_pass(TAPIR_SEC);
		for (size_t got = 0; got < sizeof many;) {
			int64_t n = tapir_recv(pair[B], c.sd[B], many, sizeof many);

			ck_assert_int_gt(n, 0);
			got += (size_t)n;
			pair_pass(TAPIR_SEC);
		}
	}
	pair_close(&c);
}
END_TEST

START_TEST(ttl_and_tos_go_out_with_every_segment)
{
	struct pair_conn c = pair_connected(7);

	pair_lose(look);
	set(A, c.sd[A], TAPIR_IP_TTL, 5);
	set(A, c.sd[A], TAPIR_IP_TOS, 0x28);
	tapir_send(pair[A], c.sd[A], "x", 1);
	pair_carry();
	ck_assert_uint_eq(last_ttl, 5);
	ck_assert_uint_eq(last_tos, 0x28);
	pair_close(&c);
}
END_TEST

START_TEST(nodelay_sends_small_pieces_at_once_and_nagle_gathers_them)
{
	for (int nodelay = 0; nodelay < 2; nodelay++) {
		struct pair_conn c = pair_connected(7);
		struct tapir_out out;

		set(A, c.sd[A], TAPIR_TCP_NODELAY, nodelay);
		with_text = 0;
		for (int i = 0; i < 10; i++) {		/* each may leave before the next is written */
			struct tapir_frame *f;

			tapir_send(pair[A], c.sd[A], "piece", 5);
			while (tapir_output(pair[A], &out)) {
				f = tapir_frame_get(pair[B]);
				tapir_out_copy(&out, f->data, false);
				f->len = out.len;
				look(A, (struct span){f->data, f->len});
				tapir_input(pair[B], f);
			}
		}
		pair_lose(look);
		pair_carry();
		ck_assert_uint_eq(with_text, nodelay ? 10 : 2);
		ck_assert_result(tapir_recv(pair[B], c.sd[B], buf, sizeof buf), 50);
		pair_lose(NULL);
		pair_close(&c);
		pair_pass(200 * TAPIR_SEC);
	}
}
END_TEST

START_TEST(keepalive_notices_a_peer_that_is_gone)
{
	struct pair_conn c = pair_connected(7);

	set(A, c.sd[A], TAPIR_SO_KEEPALIVE, 1);
	pair_pass(3 * 3600 * TAPIR_SEC);
	ck_assert_int_eq(get(A, c.sd[A], TAPIR_SO_ERROR), 0);	/* it answers */
	pair_lose(pair_lose_all);
	pair_pass(2 * 3600 * TAPIR_SEC + 10 * 75 * TAPIR_SEC + 3600 * TAPIR_SEC);
	ck_assert_int_eq(get(A, c.sd[A], TAPIR_SO_ERROR), TAPIR_ETIMEDOUT);
	pair_lose(NULL);
	tapir_abort(pair[B], c.sd[B]);
	pair_close(&c);
}
END_TEST

/* --- readiness --- */

START_TEST(a_listener_is_readable_when_there_is_someone_to_accept)
{
	tapir_sd l = pair_listen(7, 5), a, b;

	ck_assert_int_eq(tapir_poll(pair[B], l), 0);
	pair_forget_events();
	a = pair_connect(7);
	pair_carry();
	ck_assert_int_eq(tapir_poll(pair[B], l), TAPIR_POLLIN);
	ck_assert_int_eq(pair_poll_event(B, l), TAPIR_POLLIN);
	ck_assert_int_eq(pair_poll_event(B, l), NOT_LISTED);
	b = tapir_accept(pair[B], l, NULL);
	ck_assert_int_eq(tapir_poll(pair[B], l), 0);
	ck_assert_int_eq(tapir_poll(pair[B], b), TAPIR_POLLOUT);
	tapir_close(pair[A], a);
	tapir_close(pair[B], b);
	tapir_close(pair[B], l);
}
END_TEST

START_TEST(each_change_is_listed_once)
{
	struct pair_conn c = pair_connected(7);

	ck_assert_int_eq(pair_poll_event(B, c.sd[B]), NOT_LISTED);
	tapir_send(pair[A], c.sd[A], "one", 3);
	pair_carry();
	ck_assert_int_eq(pair_poll_event(B, c.sd[B]), TAPIR_POLLIN | TAPIR_POLLOUT);
	ck_assert_int_eq(pair_poll_event(B, c.sd[B]), NOT_LISTED);		/* unread, but nothing new */
	ck_assert_int_eq(tapir_poll(pair[B], c.sd[B]), TAPIR_POLLIN | TAPIR_POLLOUT);
	tapir_send(pair[A], c.sd[A], "two", 3);
	tapir_send(pair[A], c.sd[A], "three", 5);
	pair_carry();
	ck_assert_int_eq(pair_poll_event(B, c.sd[B]), TAPIR_POLLIN | TAPIR_POLLOUT);
	tapir_recv(pair[B], c.sd[B], buf, sizeof buf);
	ck_assert_int_eq(tapir_poll(pair[B], c.sd[B]), TAPIR_POLLOUT);
	tapir_shutdown(pair[A], c.sd[A], TAPIR_SHUT_WR);
	pair_carry();
	ck_assert_int_eq(pair_poll_event(B, c.sd[B]), TAPIR_POLLIN | TAPIR_POLLOUT | TAPIR_POLLRDHUP);
	pair_close(&c);
}
END_TEST

START_TEST(rows_come_as_many_as_fit_with_the_programs_own_value)
{
	struct pair_conn c = pair_connected(7);
	tapir_sd a2 = pair_connect(7);
	struct tapir_poll_event e[4] = {{0}};
	int one, two;

	pair_carry();
	pair_forget_events();
	ck_assert_result(tapir_set_user(pair[A], c.sd[A], &one), 0);
	ck_assert_result(tapir_set_user(pair[A], a2, &two), 0);
	tapir_abort(pair[B], c.sd[B]);
	tapir_close(pair[B], c.listener);
	pair_carry();
	ck_assert_result(tapir_poll_events(pair[A], e, 0), 0);
	ck_assert_result(tapir_poll_events(pair[A], e, 1), 1);
	ck_assert(e[0].sd == c.sd[A] && e[0].user == &one);
	ck_assert_result(tapir_poll_events(pair[A], e, 4), 1);
	ck_assert(e[0].sd == a2 && e[0].user == &two);
	ck_assert_int_ne(e[0].ready & TAPIR_POLLERR, 0);
	ck_assert_result(tapir_poll_events(pair[A], e, 4), 0);
	tapir_close(pair[A], a2);
	pair_close(&c);
}
END_TEST

START_TEST(a_closed_socket_is_listed_no_more)
{
	struct pair_conn c = pair_connected(7);
	struct tapir_poll_event e;

	tapir_send(pair[A], c.sd[A], "x", 1);
	pair_carry();
	tapir_close(pair[B], c.sd[B]);
	while (tapir_poll_events(pair[B], &e, 1))
		ck_assert(e.sd != c.sd[B]);
	pair_close(&c);
}
END_TEST

START_TEST(a_stream_that_was_never_connected_is_hung_up)
{
	tapir_sd sd = tapir_socket(pair[A], TAPIR_SOCK_STREAM);

	ck_assert_int_eq(tapir_poll(pair[A], sd), TAPIR_POLLOUT | TAPIR_POLLHUP);	/* as on Linux */
	tapir_close(pair[A], sd);
}
END_TEST

START_TEST(info_tells_states_ends_and_bytes)
{
	struct pair_conn c = pair_connected(7);
	struct tapir_tcp_info info;

	ck_assert_result(tapir_tcp_info(pair[B], c.listener, &info), 0);
	ck_assert_int_eq(info.state, TAPIR_TCP_LISTEN);
	ck_assert_uint_eq(info.local.port, 7);
	pair_lose(pair_lose_all);
	tapir_send(pair[A], c.sd[A], "12345", 5);
	ck_assert_result(tapir_tcp_info(pair[A], c.sd[A], &info), 0);
	ck_assert_int_eq(info.state, TAPIR_TCP_ESTABLISHED);
	ck_assert(info.notsent == 5 && info.unacked == 0 && info.peer.port == 7 && info.timestamps && info.sack);
	pair_carry();
	tapir_tcp_info(pair[A], c.sd[A], &info);
	ck_assert(info.notsent == 0 && info.unacked == 5 && info.snd_mss == 1448);
	pair_lose(NULL);
	pair_pass(2 * TAPIR_SEC);
	tapir_tcp_info(pair[A], c.sd[A], &info);
	ck_assert(info.unacked == 0 && info.total_retrans >= 1);
	tapir_tcp_info(pair[B], c.sd[B], &info);
	ck_assert_uint_eq(info.unread, 5);
	pair_close(&c);
}
END_TEST

Suite *suite(void)
{
	const TTest *const tests[] = {
		defaults_are_those_of_the_header, what_is_set_is_got, values_out_of_range_are_refused_and_change_nothing,
		options_of_the_other_kind_and_unknown_ones_do_not_exist, a_connection_inherits_the_options_of_its_listener,
		the_controller_is_chosen_for_each_socket_at_any_time,
		ttl_and_tos_go_out_with_every_segment, nodelay_sends_small_pieces_at_once_and_nagle_gathers_them,
		keepalive_notices_a_peer_that_is_gone, a_listener_is_readable_when_there_is_someone_to_accept,
		each_change_is_listed_once, rows_come_as_many_as_fit_with_the_programs_own_value,
		a_closed_socket_is_listed_no_more, a_stream_that_was_never_connected_is_hung_up, info_tells_states_ends_and_bytes
	};
	Suite *s = suite_create("socket: options, readiness");
	TCase *c = tcase_create("options");

	tcase_add_checked_fixture(c, set_up, pair_end);
	tcase_set_timeout(c, 30);
	for (size_t i = 0; i < sizeof tests / sizeof tests[0]; i++)
		tcase_add_test(c, tests[i]);
	suite_add_tcase(s, c);
	return s;
}
