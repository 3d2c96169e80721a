/* Whole transfers over paths that a connection must learn about: one that swallows large segments in silence (RFC 4821 7.7,
 * RFC 8899 4.3), and a long fast one, which only large buffers fill. */
#include "tests/support/pair_of_stacks.h"

#define PORT 7000
#define TEXT_MAX 4000000u

static uint8_t text[TEXT_MAX];

static uint8_t byte_at(uint32_t i) { return (uint8_t)(i * 31 + (i >> 8) * 7 + (i >> 16)); }

/* --- programs: A sends `total` bytes as fast as it may, B reads and compares, until all is there or the time is up. --- */

struct transfer { struct pair_conn conn; uint32_t total, sent, got; };

static void send_more(struct transfer *x)
{
	int64_t n = 1;

	while (n > 0 && x->sent < x->total) {
		uint32_t at = x->sent % TEXT_MAX, len = x->total - x->sent < TEXT_MAX - at ? x->total - x->sent : TEXT_MAX - at;

		n = tapir_send(pair[A], x->conn.sd[A], text + at, len);
		x->sent += n > 0 ? (uint32_t)n : 0;
	}
}

static void read_all(struct transfer *x)
{
	struct span spans[16];
	int n;

	while ((n = tapir_recv_peek(pair[B], x->conn.sd[B], spans, 16)) > 0)
		for (int i = 0; i < n; i++) {
			for (size_t k = 0; k < spans[i].n;) {
				size_t at = (x->got + k) % TEXT_MAX, len = TEXT_MAX - at;

				len = len < spans[i].n - k ? len : spans[i].n - k;
				ck_assert_int_eq(memcmp(spans[i].p + k, text + at, len), 0);
				k += len;
			}
			x->got += (uint32_t)spans[i].n;
			ck_assert_result(tapir_recv_consume(pair[B], x->conn.sd[B], spans[i].n), 0);
		}
}

static void run(struct transfer *x, usec_t us, usec_t step_us)
{
	for (usec_t until = tapir_now(pair[A]) + us; tapir_now(pair[A]) < until && x->got < x->total;) {
		send_more(x);
		pair_pass(step_us);
		read_all(x);
	}
}

static struct transfer transfer(uint32_t total)
{
	struct transfer x = {.total = total};

	for (uint32_t i = 0; i < TEXT_MAX; i++)
		text[i] = byte_at(i);
	x.conn.listener = pair_listen(PORT, 5);
	x.conn.sd[A] = pair_connect(PORT);
	pair_pass(500 * TAPIR_MS);
	x.conn.sd[B] = tapir_accept(pair[B], x.conn.listener, NULL);
	ck_assert(x.conn.sd[B] >= 0);
	return x;
}

static struct tapir_tcp_info info(int who, const struct transfer *x)
{
	struct tapir_tcp_info i;

	ck_assert_result(tapir_tcp_info(pair[who], x->conn.sd[who], &i), 0);
	return i;
}

static void begin(void)
{
	pair_reset_config();
	for (int who = 0; who < 2; who++) {
		pair_config(who)->sndbuf = pair_config(who)->rcvbuf = 128 * 1024;
		pair_config(who)->delack_us = 40 * TAPIR_MS;
	}
}

static void end(struct transfer *x)
{
	pair_close(&x->conn);
	pair_lose(NULL);
	pair_end();
}

/* --- a black hole ------------------------------------------------------------------------------------------------ */

static uint32_t hole;		/* the largest datagram that gets through */
static uint32_t swallowed;

static bool swallow(int from, struct span frame)
{
	(void)from;
	swallowed += frame.n > hole;
	return frame.n > hole;
}

/* And one frame in fifty, of any size. */
static bool swallow_and_lose(int from, struct span frame)
{
	static uint32_t state = 1;

	state = state * 1664525 + 1013904223;
	return swallow(from, frame) || state >> 16 < 65536 / 50;
}

/* Sends a megabyte; how many segments fell into the hole. */
static uint32_t swallowed_of_a_megabyte(struct transfer *x)
{
	uint32_t before = swallowed;

	x->total += 1000000;
	run(x, 60 * TAPIR_SEC, 5 * TAPIR_MS);
	ck_assert_uint_eq(x->got, x->total);
	return swallowed - before;
}

/* RFC 4821 7.7, 7.3: everything arrives, and in the end in segments nearly as large as fit, of which none falls in any more. */
START_TEST(a_path_that_swallows_large_segments_delivers)
{
	static const uint32_t holes[] = {1499, 1492, 1400, 1280, 1064, 1063, 800, 576};
	const struct pair_line line = {.delay_us = 5 * TAPIR_MS, .rate_bps = 100000000, .queue_bytes = 1 << 18};
	struct transfer x;
	int clean = 0;

	begin();
	pair_begin();
	pair_line(&line);
	hole = holes[_i];
	swallowed = 0;
	x = transfer(0);
	pair_lose(swallow);
	for (int megabytes = 0; clean < 3; megabytes++) {
		ck_assert_int_lt(megabytes, 40);
		clean = swallowed_of_a_megabyte(&x) ? 0 : clean + 1;
	}
	ck_assert_uint_gt(swallowed, 0);
	ck_assert_uint_le(info(A, &x).pmtu, hole);
	ck_assert_msg(info(A, &x).pmtu + 8 > hole, "found %u of %u", info(A, &x).pmtu, hole);
	end(&x);
}
END_TEST

/* RFC 4821 7.6.4: losses that have other reasons neither stop the search nor stop the text. */
START_TEST(a_black_hole_on_a_path_that_loses_frames_delivers)
{
	static const uint32_t holes[] = {1492, 1400, 1063, 576};
	const struct pair_line line = {.delay_us = 5 * TAPIR_MS, .rate_bps = 100000000, .queue_bytes = 1 << 20};
	struct transfer x;

	begin();
	pair_begin();
	pair_line(&line);
	hole = holes[_i];
	x = transfer(TEXT_MAX);
	pair_lose(swallow_and_lose);
	run(&x, 600 * TAPIR_SEC, 5 * TAPIR_MS);
	ck_assert_uint_eq(x.got, TEXT_MAX);
	ck_assert_uint_le(info(A, &x).pmtu, hole);
	end(&x);
}
END_TEST

/* RFC 4821 5.2: the second connection knows: it loses nothing to the hole, and is done before the first timeout was over. */
START_TEST(the_next_connection_over_the_path_does_not_fall_into_the_hole)
{
	const struct pair_line line = {.delay_us = 5 * TAPIR_MS, .rate_bps = 100000000, .queue_bytes = 1 << 20};
	struct transfer x;
	uint32_t before;
	usec_t start;

	begin();
	pair_begin();
	pair_line(&line);
	hole = 1400;
	x = transfer(TEXT_MAX);
	pair_lose(swallow);
	run(&x, 60 * TAPIR_SEC, 5 * TAPIR_MS);
	ck_assert_uint_eq(x.got, TEXT_MAX);
	pair_close(&x.conn);
	before = swallowed;
	x = transfer(100000);
	start = tapir_now(pair[A]);
	run(&x, 60 * TAPIR_SEC, 5 * TAPIR_MS);
	ck_assert_uint_eq(x.got, 100000);
	ck_assert_uint_lt(tapir_now(pair[A]) - start, 200 * TAPIR_MS);
	ck_assert_uint_eq(swallowed, before);
	end(&x);
}
END_TEST

/* --- a long fast path -------------------------------------------------------------------------------------------- */

#define GIGABIT 1000000000u

/* Bits a second that arrive, once two seconds have passed, with buffers that may grow to max. */
static double goodput(uint32_t max)
{
	const struct pair_line line = {.delay_us = 50 * TAPIR_MS, .rate_bps = GIGABIT, .queue_bytes = 64 << 20};
	struct transfer x;
	uint32_t before;

	begin();
	for (int who = 0; who < 2; who++) {
		pair_config(who)->mtu = 9000;
		pair_config(who)->large_frames = 1280;
		pair_config(who)->sndbuf_max = pair_config(who)->rcvbuf_max = max;
	}
	pair_begin();
	pair_line(&line);
	x = transfer(UINT32_MAX);
	run(&x, 2 * TAPIR_SEC, TAPIR_MS);
	before = x.got;
	run(&x, TAPIR_SEC, TAPIR_MS);
	before = x.got - before;
	tapir_abort(pair[A], x.conn.sd[A]);
	end(&x);
	return 8.0 * before;
}

START_TEST(a_long_fast_path_is_filled_with_auto_tuning)
{
	ck_assert_double_gt(goodput(36 << 20), 0.95 * GIGABIT);
}
END_TEST

/* 128 KiB in each round trip of 100 ms. */
START_TEST(a_long_fast_path_is_not_filled_without)
{
	ck_assert_double_lt(goodput(0), 0.012 * GIGABIT);
}
END_TEST

Suite *suite(void);
Suite *suite(void)
{
	Suite *s = suite_create("sim: paths");
	TCase *tc = tcase_create("paths");

	tcase_set_timeout(tc, 60);
	tcase_add_loop_test(tc, a_path_that_swallows_large_segments_delivers, 0, 8);
	tcase_add_loop_test(tc, a_black_hole_on_a_path_that_loses_frames_delivers, 0, 4);
	tcase_add_test(tc, the_next_connection_over_the_path_does_not_fall_into_the_hole);
	tcase_add_test(tc, a_long_fast_path_is_filled_with_auto_tuning);
	tcase_add_test(tc, a_long_fast_path_is_not_filled_without);
	suite_add_tcase(s, tc);
	return s;
}
