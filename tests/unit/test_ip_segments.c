/* test_ip_segments.c: a burst that has to wait for ARP waits whole, and is cut into segments when it leaves (ip/output.c); and
 * large segments to ourselves. */
#include "stack/tcp/internal.h"
#include "tests/support/pair_of_stacks.h"

#define PORT 80
#define N 20000u

static uint8_t text[N], got[N];
static struct { uint32_t frames, largest; } on_line;

static bool look(int from, struct span frame)
{
	on_line.frames += from == A && frame.n > 200;
	on_line.largest = max_u32(on_line.largest, (uint32_t)frame.n);
	return false;
}

static void set_up(void)
{
	pair_reset_config();
	for (uint32_t i = 0; i < N; i++)
		text[i] = (uint8_t)(i * 13 + i / 255);
	memset(&on_line, 0, sizeof on_line);
}

static void tear_down(void)
{
	pair_end();
}

static void on_ethernet(void)
{
	for (int who = A; who <= B; who++) {
		pair_config(who)->ip_only = false;
		pair_config(who)->arp_probe = false;
		pair_config(who)->arp_reachable_us = TAPIR_SEC;
		pair_config(who)->initial_window = 20;
	}
}

static void takes_all(tapir_sd from, tapir_sd to)
{
	ck_assert_int_eq(tapir_send(pair[A], from, text, N), N);
	pair_carry();
	pair_pass(TAPIR_SEC);
	ck_assert_int_eq(tapir_recv(pair[B], to, got, N), N);
	ck_assert_mem_eq(got, text, N);
}

START_TEST(a_burst_that_waits_for_arp_is_cut_when_it_leaves)
{
	struct pair_conn c;
	struct tapir_stats stats;

	on_ethernet();
	pair_begin();
	pair_lose(look);
	pair_pass(TAPIR_SEC);
	c = pair_connected(PORT);
	pair_pass(10 * TAPIR_SEC);
	ck_assert_uint_eq(tapir_arp_list(pair[A], NULL, 0), 0);	/* forgotten */
	takes_all(c.sd[A], c.sd[B]);
	ck_assert_uint_eq(tapir_count(pair[A], HELD), 2);		/* our SYN, and the burst */
	ck_assert_uint_eq(on_line.largest, 14 + 1500);
	ck_assert_uint_eq(on_line.frames, (N + 1447) / 1448);
	ck_assert_uint_eq(tapir_count(pair[B], DROP_TCP_CHECKSUM), 0);
	tapir_stats(pair[A], &stats);
	ck_assert_uint_eq(stats.tcp_retrans, 0);
	ck_assert_uint_eq(stats.tcp_segs_out, 2 + (N + 1447) / 1448);	/* SYN, ACK, text */
	pair_close(&c);
}
END_TEST

START_TEST(a_burst_to_ourselves_arrives_whole)
{
	struct tapir_endpoint self;
	tapir_sd listener, from, to;

	pair_begin();
	pair_lose(look);
	self = pair_endpoint(A, PORT);
	listener = tapir_socket(pair[A], TAPIR_SOCK_STREAM);
	ck_assert_int_eq(tapir_bind(pair[A], listener, &self), 0);
	ck_assert_int_eq(tapir_listen(pair[A], listener, 1), 0);
	from = tapir_socket(pair[A], TAPIR_SOCK_STREAM);
	ck_assert_int_eq(tapir_setsockopt(pair[A], from, TAPIR_TCP_MAXSEG, 500), 0);
	ck_assert_int_eq(tapir_connect(pair[A], from, &self), TAPIR_EINPROGRESS);
	pair_carry();
	to = tapir_accept(pair[A], listener, NULL);
	ck_assert_int_gt(to, 0);
	ck_assert_int_eq(tapir_send(pair[A], from, text, 4000), 4000);
	pair_carry();
	ck_assert_int_eq(tapir_recv(pair[A], to, got, N), 4000);
	ck_assert_mem_eq(got, text, 4000);
	ck_assert_uint_eq(on_line.frames, 0);
	tapir_abort(pair[A], from);
	tapir_close(pair[A], to);
	tapir_close(pair[A], listener);
}
END_TEST

Suite *suite(void)
{
	Suite *s = suite_create("ip/segments");
	TCase *c = tcase_create("segments");

	tcase_add_checked_fixture(c, set_up, tear_down);
	tcase_add_test(c, a_burst_that_waits_for_arp_is_cut_when_it_leaves);
	tcase_add_test(c, a_burst_to_ourselves_arrives_whole);
	suite_add_tcase(s, c);
	return s;
}
