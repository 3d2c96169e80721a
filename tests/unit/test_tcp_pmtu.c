/* test_tcp_pmtu.c: the table of paths (tcp/pmtu.c) alone: it is bounded, and who was not asked for the longest gives way. */
#include <check.h>
#include <stdlib.h>
#include "stack/tcp/internal.h"

static struct tapir *t;
static void *memory;
static struct tcp_conn conn;
static struct tcp_sender sender;

static void begin(void)
{
	struct tapir_config c;
	size_t n;

	tapir_config_default(&c);
	c.ip_only = true;
	c.addr = tapir_ipv4(10, 0, 0, 2);
	c.prefix_len = 8;
	c.max_conns = 16;
	c.small_frames = 16;
	c.large_frames = 2;
	n = tapir_size(&c);
	memory = aligned_alloc(64, (n + 63) & ~(size_t)63);
	ck_assert_ptr_nonnull(memory);
	t = tapir_init(memory, &c, TAPIR_SEC);
	ck_assert_ptr_nonnull(t);
}

static void end(void)
{
	free(memory);
}

/* A connection to host i, without a place of its own in the stack: ESTABLISHED, a full segment in flight. */
static struct tcp_conn *to_host(uint32_t i)
{
	conn = (struct tcp_conn){.state = TCP_ESTABLISHED, .peer.addr = tapir_ipv4(10, 1, (uint8_t)(i >> 8), (uint8_t)i)};
	conn.sender = &sender;
	conn.iss = seq(0);
	conn.syn_acked = true;
	conn.snd.una = seq(1);
	conn.snd.nxt = conn.snd.max = seq(3000);
	conn.snd.mss_option = 1460;
	conn.cc.ops = &cc_newreno;
	conn.tuning = tcp_tuning_plain(t);
	conn.tx.bytes = 2999;
	tcp_update_mss(t, &conn);
	return &conn;
}

static void falls_into_a_black_hole(uint32_t host)
{
	struct tcp_conn *c = to_host(host);

	c->rtt.backoff = t->cfg.black_hole_rtos;
	tcp_pmtu_on_rto(t, c);
	ck_assert_uint_eq(c->snd.mss, t->cfg.base_mss);
}

START_TEST(the_table_of_paths_is_bounded)
{
	for (uint32_t host = 0; host < 5000; host++) {
		falls_into_a_black_hole(host);
		ck_assert_uint_le(t->tcp->path_count, TCP_PATHS);
		ck_assert_uint_eq(to_host(host)->snd.mss, t->cfg.base_mss);
		tcp_pmtu_check(t);
	}
	ck_assert_uint_eq(t->tcp->path_count, TCP_PATHS);
}
END_TEST

START_TEST(a_path_that_is_asked_for_stays)
{
	falls_into_a_black_hole(0);
	for (uint32_t host = 1; host < 2000; host++) {
		t->now_us++;
		ck_assert_uint_eq(to_host(0)->snd.mss, t->cfg.base_mss);
		t->now_us++;
		falls_into_a_black_hole(host);
	}
}
END_TEST

/* Nothing is known of a host that nobody has had trouble with, and no memory is taken for it. */
START_TEST(an_ordinary_path_has_no_place_in_the_table)
{
	struct tcp_conn *c = to_host(1);

	tcp_pmtu_refresh(t, c);
	tcp_pmtu_sent(t, c, seq(1), 1460, false);
	c->snd.una = seq(1461);
	tcp_pmtu_on_ack(t, c);
	tcp_pmtu_on_rto(t, c);
	ck_assert_uint_eq(t->tcp->path_count, 0);
	ck_assert_uint_eq(c->snd.mss, 1460);
	ck_assert_int_eq(c->mss_proof, MSS_PROVEN);
}
END_TEST

Suite *suite(void);
Suite *suite(void)
{
	Suite *s = suite_create("tcp pmtu");
	TCase *tc = tcase_create("paths");

	tcase_add_checked_fixture(tc, begin, end);
	tcase_add_test(tc, the_table_of_paths_is_bounded);
	tcase_add_test(tc, a_path_that_is_asked_for_stays);
	tcase_add_test(tc, an_ordinary_path_has_no_place_in_the_table);
	suite_add_tcase(s, tc);
	return s;
}
