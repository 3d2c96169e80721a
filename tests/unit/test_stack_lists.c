/* test_stack_lists.c: what a program that looks at a whole stack is told (stack/tapir.h): every connection in its state, with its
 * queues and timers; listeners; UDP sockets; routes; path MTUs; and the counts of what has happened. */
#include "tests/support/peer.h"

#define ROWS 64
#define CONNS 8				/* the backlog of listening() */

/* Every row, taken max at a time. */
static uint32_t list_tcp(struct tapir *t, uint32_t max, struct tapir_tcp_row rows[ROWS])
{
	struct tapir_cursor cursor = {0};
	uint32_t n = 0, calls = 0;

	while (!cursor.done) {
		n += tapir_tcp_list(t, &cursor, rows + n, max);
		ck_assert_uint_lt(n + max, ROWS + 1);
		ck_assert_uint_lt(calls++, 10000);
	}
	return n;
}

/* The only row in this state. */
static struct tapir_tcp_row row_in(struct tapir *t, enum tapir_tcp_state state)
{
	struct tapir_tcp_row rows[ROWS], found = {.info.state = TAPIR_TCP_CLOSED};
	uint32_t n = list_tcp(t, 8, rows), times = 0;

	for (uint32_t i = 0; i < n; i++)
		if (rows[i].info.state == state) {
			found = rows[i];
			times++;
		}
	ck_assert_msg(times == 1, "%u rows are in %s", times, tapir_tcp_state_name(state));
	return found;
}

static struct tapir_stats stats_of(const struct peer *p)
{
	struct tapir_stats s;

	tapir_stats(p->t, &s);
	return s;
}

static bool is(const struct tapir_addr *a, struct tapir_addr wanted) { return tapir_addr_equal(a, &wanted); }

/* --- TCP --- */

START_TEST(every_state_but_closed_is_listed)
{
	for (enum tapir_tcp_state s = TAPIR_TCP_LISTEN; s <= TAPIR_TCP_TIME_WAIT; s++) {
		struct peer p = peer_in(s, _i);
		struct tapir_tcp_row row = row_in(p.t, s);

		ck_assert_uint_eq(row.info.local.port, STACK_PORT);
		ck_assert_uint_eq(row.info.peer.port, s == TAPIR_TCP_LISTEN ? 0 : PEER_PORT);
		ck_assert(row.brief || row.info.congestion);
	}
}
END_TEST

START_TEST(a_stack_without_sockets_lists_nothing)
{
	struct peer p = closed(_i);
	struct tapir_tcp_row rows[ROWS];

	ck_assert_uint_eq(list_tcp(p.t, 8, rows), 0);
}
END_TEST

START_TEST(the_queues_are_what_is_unread_and_what_is_not_acknowledged_or_sent)
{
	struct peer p = established(_i);
	struct tapir_tcp_row row;

	peer_sends(&p, "P. 1:101(100) ack 1 win 3000");
	peer_expects(&p, ". 1:1(0) ack 101");
	user_sends(&p, 5000);
	row = row_in(p.t, TAPIR_TCP_ESTABLISHED);
	ck_assert_uint_eq(row.recv_q, 100);
	ck_assert_uint_eq(row.send_q, 5000);
	ck_assert_uint_eq(row.info.unacked + row.info.notsent, 5000);
	user_reads(&p, 100);
	ck_assert_uint_eq(row_in(p.t, TAPIR_TCP_ESTABLISHED).recv_q, 0);
	peer_ignores_all(&p);
}
END_TEST

START_TEST(a_syn_and_a_fin_wait_in_the_send_queue)
{
	struct peer p = syn_sent(_i);

	ck_assert_uint_eq(row_in(p.t, TAPIR_TCP_SYN_SENT).send_q, 1);
	p = fin_wait_1(_i);
	ck_assert_uint_eq(row_in(p.t, TAPIR_TCP_FIN_WAIT_1).send_q, 1);
	p = fin_wait_2(_i);
	ck_assert_uint_eq(row_in(p.t, TAPIR_TCP_FIN_WAIT_2).send_q, 0);
}
END_TEST

START_TEST(a_listener_shows_who_waits_for_accept_and_how_many_may)
{
	struct peer p = listening(_i), other = another_peer(&p, 1001);
	struct tapir_tcp_row row = row_in(p.t, TAPIR_TCP_LISTEN);
	uint32_t backlog = row.send_q;

	ck_assert_uint_gt(backlog, 0);
	ck_assert_uint_eq(row.recv_q, 0);
	peer_opens(&p);
	peer_opens(&other);
	row = row_in(p.t, TAPIR_TCP_LISTEN);
	ck_assert_uint_eq(row.recv_q, 2);
	ck_assert_uint_eq(row.send_q, backlog);
	for (int i = 0; i < TAPIR_TIMER_COUNT; i++)
		ck_assert(row.due_us[i] == USEC_NEVER);
}
END_TEST

START_TEST(timers_that_are_armed_say_when_they_fire)
{
	struct peer p = established(_i);
	struct tapir_tcp_row row = row_in(p.t, TAPIR_TCP_ESTABLISHED);

	ck_assert(row.due_us[TAPIR_TIMER_RTO] == USEC_NEVER);
	user_sends(&p, 100);
	peer_expects(&p, "P. 1:101(100) ack 1");
	row = row_in(p.t, TAPIR_TCP_ESTABLISHED);
	ck_assert_uint_eq(row.due_us[TAPIR_TIMER_RTO], peer_now(&p) + row.info.rto_us);
	ck_assert(row.due_us[TAPIR_TIMER_2MSL] == USEC_NEVER);
	p = time_wait(_i);
	row = row_in(p.t, TAPIR_TCP_TIME_WAIT);
	ck_assert_uint_eq(row.due_us[TAPIR_TIMER_2MSL], peer_now(&p) + 60 * TAPIR_SEC);
	ck_assert(row.due_us[TAPIR_TIMER_RTO] == USEC_NEVER);
}
END_TEST

START_TEST(what_the_program_has_closed_is_an_orphan)
{
	struct peer p = fin_wait_2(_i);

	ck_assert(!row_in(p.t, TAPIR_TCP_FIN_WAIT_2).orphan);
	user_closes(&p);
	ck_assert(row_in(p.t, TAPIR_TCP_FIN_WAIT_2).orphan);
	p = syn_received(_i);
	ck_assert_msg(!row_in(p.t, TAPIR_TCP_SYN_RCVD).orphan, "a connection that nobody has accepted yet is its listener's");
}
END_TEST

static bool has_port(const struct tapir_tcp_row *rows, uint32_t n, uint16_t port)
{
	uint32_t times = 0;

	for (uint32_t i = 0; i < n; i++)
		times += rows[i].info.peer.port == port;
	ck_assert_uint_le(times, 1);
	return times;
}

START_TEST(pieces_of_any_size_make_the_whole_list_once)
{
	struct peer p = listening(_i);
	struct tapir_tcp_row rows[ROWS];

	for (uint16_t port = 1001; port <= 1000 + CONNS; port++) {
		struct peer other = another_peer(&p, port);

		peer_opens(&other);
	}
	for (uint32_t max = 1; max <= 32; max++) {
		uint32_t n = list_tcp(p.t, max, rows);

		ck_assert_uint_eq(n, 1 + CONNS);
		for (uint16_t port = 1001; port <= 1000 + CONNS; port++)
			ck_assert(has_port(rows, n, port));
		ck_assert(has_port(rows, n, 0));
	}
}
END_TEST

/* What is kept small is listed with what little is known of it, and once (stack/tcp/mini.c). */
START_TEST(a_half_open_connection_and_one_in_time_wait_without_a_program_are_brief)
{
	struct peer p = syn_received(_i);
	struct tapir_tcp_row row;

	peer_until_timer(&p);
	peer_ignores_all(&p);
	row = row_in(p.t, TAPIR_TCP_SYN_RCVD);
	ck_assert(row.brief && !row.orphan);
	ck_assert_uint_eq(row.info.retransmits, 1);
	ck_assert_uint_eq(row.info.total_retrans, 1);
	ck_assert_uint_eq(row.due_us[TAPIR_TIMER_RTO], peer_now(&p) + row.info.rto_us);
	ck_assert_uint_eq(row.send_q, 1);
	p = time_wait(_i);
	ck_assert(!row_in(p.t, TAPIR_TCP_TIME_WAIT).brief);
	user_closes(&p);
	peer_ignores_all(&p);
	row = row_in(p.t, TAPIR_TCP_TIME_WAIT);
	ck_assert(row.brief && row.orphan);
	ck_assert_uint_eq(row.due_us[TAPIR_TIMER_2MSL], peer_now(&p) + 60 * TAPIR_SEC);
	peer_advance(&p, 61 * TAPIR_SEC);
	ck_assert_uint_eq(list_tcp(p.t, 8, (struct tapir_tcp_row[ROWS]){{.recv_q = 0}}), 1);
}
END_TEST

START_TEST(half_open_connections_that_end_without_an_answer_are_failed_attempts)
{
	struct peer p = syn_received(_i);

	while (peer_usage(&p).half_open)
		peer_until_timer(&p);
	peer_ignores_all(&p);
	ck_assert_uint_eq(stats_of(&p).tcp_attempt_fails, 1);
	ck_assert_uint_eq(stats_of(&p).tcp_retrans, 5);
}
END_TEST

START_TEST(a_half_open_connection_that_gives_way_is_a_failed_attempt)
{
	struct peer p, other;

	peer_config()->max_half_open = 1;
	peer_config()->syn_cookies = 0;
	p = syn_received(_i);
	other = another_peer(&p, 1001);
	peer_sends(&other, "S 0:0(0)");
	peer_ignores_all(&other);
	ck_assert_uint_eq(row_in(p.t, TAPIR_TCP_SYN_RCVD).info.peer.port, 1001);
	ck_assert_uint_eq(stats_of(&p).tcp_attempt_fails, 1);
}
END_TEST

/* However large the tables, and however little is in them. */
START_TEST(one_call_looks_at_so_many_places_only)
{
	struct tapir_cursor cursor = {0};
	struct tapir_tcp_row rows[8];
	struct peer p;
	uint32_t calls = 0;

	peer_config()->max_conns = 5000;
	p = closed(_i);
	while (!cursor.done) {
		uint32_t from = cursor.at;

		ck_assert_uint_eq(tapir_tcp_list(p.t, &cursor, rows, 8), 0);
		if (calls++ > 0)
			ck_assert_uint_le(cursor.at - from, 256);
	}
	ck_assert_uint_ge(calls, 5000 / 256);
}
END_TEST

/* --- UDP --- */

START_TEST(udp_sockets_with_a_port_are_listed_with_what_waits_in_them)
{
	struct peer p = closed(_i);
	struct tapir_endpoint local = {.port = 53}, to = {tapir_ipv4(127, 0, 0, 1), 53};
	tapir_sd bound = tapir_socket(p.t, TAPIR_SOCK_DGRAM), unbound = tapir_socket(p.t, TAPIR_SOCK_DGRAM);
	struct tapir_cursor cursor = {0};
	struct tapir_udp_row rows[8];

	ck_assert_error(tapir_bind(p.t, bound, &local), 0);
	ck_assert_error(tapir_setsockopt(p.t, bound, TAPIR_SO_RCVBUF, 1), 0);
	for (int i = 0; i < 3; i++)
		ck_assert_error(tapir_sendto(p.t, bound, "hello", 5, &to), 5);
	peer_ignores_all(&p);
	ck_assert_uint_eq(tapir_udp_list(p.t, &cursor, rows, 8), 1);
	ck_assert(cursor.done);
	ck_assert_uint_eq(rows[0].local.port, 53);
	ck_assert_uint_eq(rows[0].peer.port, 0);
	ck_assert_uint_eq(rows[0].datagrams, 1);
	ck_assert_uint_ge(rows[0].recv_q, 5);
	ck_assert_uint_eq(rows[0].drops, 2);
	ck_assert_uint_eq(stats_of(&p).udp_out, 3);
	ck_assert_uint_eq(stats_of(&p).udp_in, 1);
	tapir_close(p.t, bound);
	tapir_close(p.t, unbound);
}
END_TEST

/* --- routes and paths --- */

START_TEST(routes_are_listed_as_networks)
{
	struct tapir_route rows[4];
	struct peer p;

	peer_config()->gateway = tapir_ipv4(10, 0, 0, 9);
	p = closed(_i);
	ck_assert_error(tapir_route_add(p.t, tapir_ipv4(192, 168, 7, 7), 16, tapir_ipv4(10, 0, 0, 8)), 0);
	ck_assert_uint_eq(tapir_route_list(p.t, rows, 4), 3);
	ck_assert(is(&rows[0].net, tapir_ipv4(10, 0, 0, 0)));
	ck_assert_uint_eq(rows[0].prefix_len, 24);
	ck_assert(tapir_addr_is_any(&rows[0].gateway));
	ck_assert_uint_eq(rows[1].prefix_len, 0);
	ck_assert(tapir_addr_is_any(&rows[1].net));
	ck_assert(is(&rows[1].gateway, tapir_ipv4(10, 0, 0, 9)));
	ck_assert(is(&rows[2].net, tapir_ipv4(192, 168, 0, 0)));
	rows[1].prefix_len = 99;
	ck_assert_uint_eq(tapir_route_list(p.t, rows, 1), 3);
	ck_assert_msg(rows[1].prefix_len == 99, "no more rows are written than there is room for");
}
END_TEST

START_TEST(a_path_mtu_is_listed_until_it_is_forgotten)
{
	struct peer p;
	struct tapir_path rows[4];

	peer_config()->nagle = false;
	p = established(_i);
	ck_assert_uint_eq(tapir_path_list(p.t, rows, 4), 0);
	user_sends(&p, 1460);
	peer_expects(&p, "P. 1:1461(1460) ack 1");
	peer_sends_icmp(&p, 3, 4, 1400, 1);
	peer_ignores_all(&p);
	ck_assert_uint_eq(tapir_path_list(p.t, rows, 4), 1);
	ck_assert(is(&rows[0].host, tapir_ipv4(10, 0, 0, 1)));
	ck_assert_uint_eq(rows[0].mtu, 1400);
	ck_assert_uint_eq(rows[0].reported, 1400);
	ck_assert_uint_eq(rows[0].left_us, 600 * TAPIR_SEC);
	ck_assert_uint_eq(tapir_path_list(p.t, rows, 0), 1);
	peer_sends(&p, ". 1:1(0) ack 1461");
	peer_advance(&p, 600 * TAPIR_SEC);
	ck_assert_uint_eq(tapir_path_list(p.t, rows, 4), 0);
}
END_TEST

/* RFC 4821 7: what was reported and what was found out about one host is one row. */
START_TEST(a_search_joins_what_was_reported)
{
	struct peer p;
	struct tapir_path rows[4];

	peer_config()->nagle = false;
	peer_config()->mtu_probing = 2;
	p = established(_i);
	user_sends(&p, 1024);
	peer_ignores_all(&p);
	ck_assert_uint_eq(tapir_path_list(p.t, rows, 4), 1);
	ck_assert_uint_eq(rows[0].mtu, 1064);
	ck_assert_uint_eq(rows[0].low, 1064);
	ck_assert_uint_eq(rows[0].reported, 0);
	peer_sends_icmp(&p, 3, 4, 600, 1);
	peer_ignores_all(&p);
	ck_assert_uint_eq(tapir_path_list(p.t, rows, 4), 1);
	ck_assert_uint_eq(rows[0].reported, 600);
	ck_assert_uint_eq(rows[0].mtu, 600);
	ck_assert_uint_eq(rows[0].low, 1064);
	peer_sends(&p, ". 1:1(0) ack 1025");
	peer_ignores_all(&p);
}
END_TEST

/* --- counts --- */

START_TEST(frames_are_counted_with_their_bytes)
{
	struct peer p = established(_i);
	struct tapir_stats before = stats_of(&p), after;

	ck_assert_uint_eq(before.frames_in, 2);		/* SYN, ACK */
	ck_assert_uint_eq(before.frames_out, 1);
	peer_sends(&p, "P. 1:101(100) ack 1");
	peer_expects(&p, ". 1:1(0) ack 101");
	after = stats_of(&p);
	ck_assert_uint_eq(after.frames_in, 3);
	ck_assert_uint_eq(after.bytes_in - before.bytes_in, 140);
	ck_assert_uint_eq(after.bytes_out - before.bytes_out, 40);
	ck_assert_uint_eq(after.tcp_segs_in, 3);
	ck_assert_uint_eq(after.tcp_segs_out, 2);
	user_reads(&p, 100);
}
END_TEST

START_TEST(opens_are_counted_by_who_began)
{
	struct peer p = established_active(_i);

	ck_assert_uint_eq(stats_of(&p).tcp_active_opens, 1);
	ck_assert_uint_eq(stats_of(&p).tcp_passive_opens, 0);
	p = established(_i);
	ck_assert_uint_eq(stats_of(&p).tcp_active_opens, 0);
	ck_assert_uint_eq(stats_of(&p).tcp_passive_opens, 1);
	ck_assert_uint_eq(stats_of(&p).tcp_attempt_fails, 0);
}
END_TEST

START_TEST(resets_are_failed_attempts_or_the_end_of_a_connection)
{
	struct peer p = syn_sent(_i);

	peer_sends(&p, "R. 0:0(0) ack 1");
	ck_assert_uint_eq(stats_of(&p).tcp_attempt_fails, 1);
	ck_assert_uint_eq(stats_of(&p).tcp_estab_resets, 0);
	p = established(_i);
	peer_sends(&p, "R 1:1(0)");
	ck_assert_uint_eq(stats_of(&p).tcp_estab_resets, 1);
	ck_assert_uint_eq(stats_of(&p).tcp_attempt_fails, 0);
	p = time_wait(_i);
	ck_assert_uint_eq(stats_of(&p).tcp_estab_resets, 0);
	p = closed(_i);
	peer_sends(&p, "S 0:0(0)");
	peer_ignores_all(&p);
	ck_assert_uint_eq(stats_of(&p).tcp_rsts_out, 1);
	ck_assert_uint_eq(stats_of(&p).tcp_segs_out, 1);
}
END_TEST

START_TEST(retransmissions_and_their_timeouts_are_counted)
{
	struct peer p = established(_i);

	user_sends(&p, 100);
	peer_expects(&p, "P. 1:101(100) ack 1");
	ck_assert_uint_eq(stats_of(&p).tcp_retrans, 0);
	while (!stats_of(&p).tcp_timeouts)
		peer_until_timer(&p);
	peer_ignores_all(&p);
	ck_assert_uint_eq(stats_of(&p).tcp_retrans, peer_info(&p).total_retrans);
	ck_assert_uint_ge(stats_of(&p).tcp_retrans, 1);
	peer_sends(&p, ". 1:1(0) ack 101");
}
END_TEST

Suite *suite(void)
{
	return peer_suite("lists and counts of a whole stack", (const TTest *[]){
		every_state_but_closed_is_listed, a_stack_without_sockets_lists_nothing,
		the_queues_are_what_is_unread_and_what_is_not_acknowledged_or_sent, a_syn_and_a_fin_wait_in_the_send_queue,
		a_listener_shows_who_waits_for_accept_and_how_many_may, timers_that_are_armed_say_when_they_fire,
		what_the_program_has_closed_is_an_orphan, pieces_of_any_size_make_the_whole_list_once,
		a_half_open_connection_and_one_in_time_wait_without_a_program_are_brief,
		half_open_connections_that_end_without_an_answer_are_failed_attempts,
		a_half_open_connection_that_gives_way_is_a_failed_attempt,
		one_call_looks_at_so_many_places_only, udp_sockets_with_a_port_are_listed_with_what_waits_in_them,
		routes_are_listed_as_networks, a_path_mtu_is_listed_until_it_is_forgotten, a_search_joins_what_was_reported,
		frames_are_counted_with_their_bytes, opens_are_counted_by_who_began,
		resets_are_failed_attempts_or_the_end_of_a_connection, retransmissions_and_their_timeouts_are_counted, NULL});
}
