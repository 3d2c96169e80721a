/* test_tcp_memory.c: what a connection costs that does nothing, and what happens when the pools of what it does not pay for are
 * empty: addresses of their own and listeners (tcp/bound.c), UDP halves (socket/dgram.c), senders and records (tcp/wait.c). */
#include "tests/support/peer.h"

#define MILLION 1000000u

/* --- what it costs ---------------------------------------------------------------------------------------------- */

static size_t size_for(uint32_t connections)
{
	struct tapir_config c;

	tapir_config_default(&c);
	c.addr = tapir_ipv4(10, 0, 0, 2);
	c.max_conns = c.max_sockets = connections;
	return tapir_size(&c);
}

/* 1048577 is the worst case for the hash table, whose size is a power of two. */
START_TEST(a_connection_with_its_socket_costs_512_bytes_among_a_million)
{
	static const uint32_t counts[] = {MILLION, (1u << 20) + 1, 4 * MILLION, 1u << 24};

	(void)_i;
	for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++)
		ck_assert_uint_le((size_for(counts[i]) - size_for(64)) / (counts[i] - 64), 512);
}
END_TEST

START_TEST(one_more_costs_512_bytes_wherever_frames_are_what_limits_sending)
{
	(void)_i;
	for (uint32_t n = 1u << 16; n <= 1u << 22; n *= 2)
		ck_assert_uint_le((size_for(2 * n) - size_for(n)) / n, 512);
}
END_TEST

static double cost_of(bool half_open, uint32_t n)
{
	struct tapir_config c;
	size_t before;

	tapir_config_default(&c);
	c.addr = tapir_ipv4(10, 0, 0, 2);
	c.max_half_open = c.max_time_wait = 1;
	before = tapir_size(&c);
	*(half_open ? &c.max_half_open : &c.max_time_wait) = 1 + n;
	return (double)(tapir_size(&c) - before - 128) / n;	/* 128: two times rounded up to 64 */
}

START_TEST(syn_received_and_time_wait_cost_128_bytes)
{
	(void)_i;
	for (uint32_t n = 100; n < 10 * MILLION; n = n * 5 / 3) {
		ck_assert_double_le(cost_of(true, n), 128);
		ck_assert_double_le(cost_of(false, n), 128);
	}
}
END_TEST

/* --- addresses and listeners ------------------------------------------------------------------------------------ */

static tapir_sd stream_socket(struct peer *p) { return tapir_socket(p->t, TAPIR_SOCK_STREAM); }

static int bind_to(struct peer *p, tapir_sd sd, uint16_t port)
{
	const struct tapir_endpoint local = {.port = port};

	return tapir_bind(p->t, sd, &local);
}

START_TEST(beyond_max_bound_neither_bind_nor_listen_succeeds)
{
	struct peer p;
	tapir_sd a, b;

	peer_config()->max_bound = 2;
	p = listening(_i);
	a = stream_socket(&p);
	b = stream_socket(&p);
	ck_assert_error(bind_to(&p, a, 7), 0);
	ck_assert_uint_eq(peer_usage(&p).bound, 2);
	ck_assert_uint_eq(peer_usage(&p).bound_max, 2);
	ck_assert_error(bind_to(&p, b, 7), TAPIR_EADDRINUSE);
	ck_assert_error(bind_to(&p, b, 8), TAPIR_ENOMEM);
	ck_assert_error(bind_to(&p, b, 0), TAPIR_ENOMEM);
	ck_assert_error(tapir_listen(p.t, b, 1), TAPIR_ENOMEM);
	ck_assert_error(tapir_listen(p.t, a, 1), 0);		/* it has its place already */
	tapir_close(p.t, a);
	ck_assert_uint_eq(peer_usage(&p).bound, 1);
	ck_assert_error(tapir_listen(p.t, b, 1), 0);		/* and nothing was lost of it */
	tapir_close(p.t, b);
}
END_TEST

START_TEST(who_connects_needs_no_place_among_the_bound)
{
	struct peer p;

	peer_config()->max_bound = 0;
	p = closed(_i);
	p.sd = stream_socket(&p);
	ck_assert_error(bind_to(&p, p.sd, 7), TAPIR_ENOMEM);
	ck_assert_error(tapir_connect(p.t, p.sd, &(struct tapir_endpoint){tapir_ipv4(10, 0, 0, 1), PEER_PORT}),
			TAPIR_EINPROGRESS);
	ck_assert_uint_gt(peer_ignores_all(&p), 0);
	user_aborts(&p);
}
END_TEST

START_TEST(a_bound_socket_that_connects_keeps_its_place_until_it_is_closed)
{
	struct peer p;

	peer_config()->max_bound = 1;
	p = established_active(_i);
	ck_assert_uint_eq(peer_usage(&p).bound, 1);		/* the harness has bound it */
	user_aborts(&p);
	ck_assert_uint_eq(peer_usage(&p).bound, 0);
	peer_ignores_all(&p);
}
END_TEST

/* --- UDP halves ------------------------------------------------------------------------------------------------- */

START_TEST(beyond_max_datagram_there_is_no_udp_socket_but_there_are_streams)
{
	struct peer p;
	tapir_sd a, b, stream;

	peer_config()->max_datagram = 2;
	p = closed(_i);
	a = tapir_socket(p.t, TAPIR_SOCK_DGRAM);
	b = tapir_socket(p.t, TAPIR_SOCK_DGRAM);
	ck_assert_int_ge(b, 0);
	for (int i = 0; i < 3; i++)
		ck_assert_error(tapir_socket(p.t, TAPIR_SOCK_DGRAM), TAPIR_ENOMEM);
	ck_assert_uint_eq(peer_usage(&p).datagram, 2);
	ck_assert_uint_eq(peer_usage(&p).sockets, 2);
	stream = stream_socket(&p);
	ck_assert_int_ge(stream, 0);
	ck_assert_error(tapir_close(p.t, a), 0);
	ck_assert_error(tapir_recv(p.t, a, &a, 1), TAPIR_EBADF);
	a = tapir_socket(p.t, TAPIR_SOCK_DGRAM);
	ck_assert_error(bind_to(&p, a, 53), 0);
	ck_assert_error(bind_to(&p, b, 53), TAPIR_EADDRINUSE);
	tapir_close(p.t, a);
	tapir_close(p.t, b);
	tapir_close(p.t, stream);
	ck_assert_uint_eq(peer_usage(&p).datagram, 0);
}
END_TEST

/* --- senders and records ---------------------------------------------------------------------------------------- */

#define PEERS 4

/* One sender for all: nothing leaves of the second connection until the first one has got its ACK. */
static void one_sender(int run, struct peer p[PEERS])
{
	peer_config()->max_sending = 1;
	p[0] = established(run);
	for (int i = 1; i < PEERS; i++) {
		p[i] = another_peer(&p[0], (uint16_t)(PEER_PORT + i));
		peer_opens(&p[i]);
		user_accepts(&p[i]);
	}
	peer_expects_nothing(&p[0]);
	ck_assert_uint_eq(peer_usage(&p[0]).sending_max, 1);
}

START_TEST(who_finds_no_sender_waits_in_line)
{
	struct peer p[PEERS];

	one_sender(_i, p);
	for (int i = 0; i < PEERS; i++)
		user_sends(&p[i], 10);
	peer_expects(&p[0], "P. 1:11(10) ack 1");
	peer_expects_nothing(&p[0]);
	user_sends(&p[0], 5);					/* a second helping stands behind */
	for (int i = 0; i < PEERS; i++) {
		peer_sends(&p[i], ". 1:1(0) ack 11");
		peer_expects(&p[(i + 1) % PEERS], i + 1 < PEERS ? "P. 1:11(10) ack 1" : "P. 11:16(5) ack 1");
		peer_expects_nothing(&p[i]);
	}
	peer_sends(&p[0], ". 1:1(0) ack 16");
}
END_TEST

/* ACKs need no sender, and cost no place in the line. */
START_TEST(who_waits_still_acknowledges_and_keeps_its_place)
{
	struct peer p[PEERS];

	one_sender(_i, p);
	for (int i = 0; i < PEERS; i++)
		user_sends(&p[i], 10);
	peer_expects(&p[0], "P. 1:11(10) ack 1");
	for (int i = 0; i < 3; i++) {
		peer_sends(&p[1], ". %d:%d(100) ack 1", 1 + 100 * i, 101 + 100 * i);
		peer_expects(&p[1], ". 1:1(0) ack %d", 101 + 100 * i);
	}
	user_reads(&p[1], 300);
	peer_sends(&p[0], ". 1:1(0) ack 11");
	peer_expects(&p[1], "P. 1:11(10) ack 301");
	peer_expects_nothing(&p[1]);
	peer_sends(&p[1], ". 301:301(0) ack 11");
	peer_expects(&p[2], "P. 1:11(10) ack 1");
	peer_sends(&p[2], ". 1:1(0) ack 11");
	peer_expects(&p[3], "P. 1:11(10) ack 1");
	peer_sends(&p[3], ". 1:1(0) ack 11");
}
END_TEST

/* The wait is ours: its peer is not probed, and not found silent, however long another's retransmissions take. */
START_TEST(who_waits_is_not_given_up)
{
	struct peer p[PEERS];

	one_sender(_i, p);
	user_sends(&p[0], 10);
	peer_expects(&p[0], "P. 1:11(10) ack 1");
	user_sends(&p[1], 10);
	user_sends(&p[2], 10);
	user_closes(&p[2]);
	while (peer_state(&p[0]) != TAPIR_TCP_CLOSED) {		/* R2 */
		peer_until_timer(&p[0]);
		if (peer_state(&p[0]) != TAPIR_TCP_CLOSED)
			peer_expects(&p[0], "P. 1:11(10) ack 1");
	}
	ck_assert_error(user_pending_error(&p[0]), TAPIR_ETIMEDOUT);
	peer_expects(&p[1], "P. 1:11(10) ack 1");
	peer_sends(&p[1], ". 1:1(0) ack 11");
	ck_assert_uint_ne(peer_state(&p[2]), TAPIR_TCP_CLOSED);
	peer_expects(&p[2], "FP. 1:11(10) ack 1");
	peer_sends(&p[2], "R. 1:1(0) ack 12");
}
END_TEST

START_TEST(who_leaves_the_line_makes_room_for_the_next)
{
	struct peer p[PEERS];

	one_sender(_i, p);
	for (int i = 0; i < PEERS; i++)
		user_sends(&p[i], 10);
	peer_expects(&p[0], "P. 1:11(10) ack 1");
	peer_sends(&p[1], "R 1:1(0)");				/* the first of those who wait ends */
	peer_sends(&p[2], ". 1:1(0) ack 1 win 0");		/* the next one may not send any more */
	peer_sends(&p[0], ". 1:1(0) ack 11");
	peer_expects(&p[3], "P. 1:11(10) ack 1");
	peer_sends(&p[3], ". 1:1(0) ack 11");
	peer_expects_nothing(&p[3]);
	peer_sends(&p[2], ". 1:1(0) ack 1 win 1000");
	peer_expects(&p[2], "P. 1:11(10) ack 1");
	peer_sends(&p[2], ". 1:1(0) ack 11");
}
END_TEST

/* A sender is for text under way, not for text that a closed window holds back. */
START_TEST(a_closed_window_keeps_no_sender)
{
	struct peer p[PEERS];

	one_sender(_i, p);
	peer_sends(&p[0], ". 1:1(0) ack 1 win 0");
	user_sends(&p[0], 10);
	peer_expects_nothing(&p[0]);
	user_sends(&p[1], 10);
	peer_expects(&p[1], "P. 1:11(10) ack 1");
	peer_sends(&p[1], ". 1:1(0) ack 11");
	peer_until_timer(&p[0]);
	peer_expects(&p[0], ". 1:2(1) ack 1");
	peer_sends(&p[0], ". 1:1(0) ack 1 win 1000");
	peer_expects(&p[0], "P. 1:11(10) ack 1");
	peer_sends(&p[0], ". 1:1(0) ack 11");
}
END_TEST

/* What may leave only when the override timeout says so (RFC 9293 3.8.6.2.1 (4)) takes its turn, finds that out, and lets the
 * next one have its turn: round and round for ever it must not go. */
START_TEST(who_has_a_turn_and_may_not_send_gives_it_away)
{
	struct peer p[PEERS];

	one_sender(_i, p);
	for (int i = 0; i < 3; i++)
		peer_sends(&p[i], ". 1:1(0) ack 1 win 10");
	for (int i = 0; i < PEERS; i++)
		user_sends(&p[i], 1000);
	peer_expects(&p[3], "P. 1:1001(1000) ack 1");
	peer_expects_nothing(&p[3]);
	peer_sends(&p[3], ". 1:1(0) ack 1001");
	peer_until_timer(&p[0]);
	for (int i = 0; i < 3; i++) {
		peer_expects(&p[i], ". 1:11(10) ack 1");
		peer_expects_nothing(&p[i]);
		peer_sends(&p[i], ". 1:1(0) ack 11 win 10");
	}
	for (int i = 0; i < 3; i++) {
		peer_expects_nothing(&p[i]);
		peer_sends(&p[i], ". 1:1(0) ack 11 win 1000");
		peer_expects(&p[i], "P. 11:1001(990) ack 1");
		peer_sends(&p[i], ". 1:1(0) ack 1001");
	}
}
END_TEST

/* A window probe that finds no sender counts for nothing. */
START_TEST(a_probe_that_waits_for_a_sender_is_none_without_an_answer)
{
	struct peer p[PEERS];

	peer_config()->retries2 = 100;
	one_sender(_i, p);
	ck_assert_error(tapir_setsockopt(p[1].t, p[1].sd, TAPIR_TCP_RETRIES, 2), 0);
	user_sends(&p[0], 10);
	peer_expects(&p[0], "P. 1:11(10) ack 1");
	peer_sends(&p[1], ". 1:1(0) ack 1 win 0");
	user_sends(&p[1], 10);
	peer_advance(&p[0], 3600 * TAPIR_SEC);
	peer_ignores_all(&p[0]);
	ck_assert_uint_eq(peer_info(&p[1]).probes, 0);
	ck_assert_state(&p[1], TAPIR_TCP_ESTABLISHED);
	peer_sends(&p[0], ". 1:1(0) ack 11");
	peer_sends(&p[1], ". 1:1(0) ack 1 win 1000");
	peer_expects(&p[1], "P. 1:11(10) ack 1");
	peer_sends(&p[1], ". 1:1(0) ack 11");
}
END_TEST

/* Records: one connection has them all under way; each that it gets back is for who waits. */
START_TEST(the_last_record_is_for_who_waits)
{
	struct peer a, b;
	uint32_t out;

	peer_config()->small_frames = 16;
	peer_config()->large_frames = 2;			/* 34 records */
	peer_config()->nagle = false;
	peer_config()->initial_window = 100;
	a = established(_i);
	b = another_peer(&a, PEER_PORT + 1);
	peer_opens(&b);
	user_accepts(&b);
	for (out = 0; out < 40; out++) {
		user_sends(&a, 1);
		if (out < 34)
			peer_expects(&a, "P. %u:%u(1) ack 1", 1 + out, 2 + out);
		else
			peer_expects_nothing(&a);
	}
	user_sends(&b, 1);
	peer_expects_nothing(&b);
	peer_sends(&a, ". 1:1(0) ack 2");
	peer_expects(&b, "P. 1:2(1) ack 1");
	peer_expects_nothing(&a);
	peer_sends(&b, ". 1:1(0) ack 2");
	peer_sends(&a, ". 1:1(0) ack 35");
	peer_expects(&a, "P. 35:41(6) ack 1");
	peer_sends(&a, ". 1:1(0) ack 41");
}
END_TEST

Suite *suite(void);
Suite *suite(void)
{
	return peer_suite("tcp memory", (const TTest *[]){
		a_connection_with_its_socket_costs_512_bytes_among_a_million,
		one_more_costs_512_bytes_wherever_frames_are_what_limits_sending,
		syn_received_and_time_wait_cost_128_bytes,
		beyond_max_bound_neither_bind_nor_listen_succeeds,
		who_connects_needs_no_place_among_the_bound,
		a_bound_socket_that_connects_keeps_its_place_until_it_is_closed,
		beyond_max_datagram_there_is_no_udp_socket_but_there_are_streams,
		who_finds_no_sender_waits_in_line,
		who_waits_still_acknowledges_and_keeps_its_place,
		who_waits_is_not_given_up,
		who_leaves_the_line_makes_room_for_the_next,
		a_closed_window_keeps_no_sender,
		who_has_a_turn_and_may_not_send_gives_it_away,
		a_probe_that_waits_for_a_sender_is_none_without_an_answer,
		the_last_record_is_for_who_waits,
		NULL
	});
}
