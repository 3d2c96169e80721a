/* test_ecn.c: two stacks that have agreed on ECN, and a wire that marks instead of losing (RFC 3168 6.1): every mark is
 * echoed, answered and done with, nothing is sent twice, and the text arrives. */
#include "tests/support/pair_of_stacks.h"

#define TOTAL 500000u

static struct { uint32_t capable, marked, plain_text, ece, cwr; } seen;
static uint32_t every;			/* n: each n-th frame that may be marked is */
static bool lossy;

static void set_up(void)
{
	memset(&seen, 0, sizeof seen);
	lossy = false;
	pair_reset_config();
	pair_config(A)->ecn = TAPIR_ECN_ON;
}

static bool marks(int from, struct span frame)
{
	const uint8_t *tcp = frame.p + 20;
	bool text = frame.n > 20 + (size_t)(tcp[12] >> 4) * 4;

	(void)from;
	seen.ece += !(tcp[13] & 2) && tcp[13] & 0x40;
	seen.cwr += !(tcp[13] & 2) && tcp[13] & 0x80;
	ck_assert_uint_ne(frame.p[1] & 3, 3);		/* no sender marks by itself */
	if (!(frame.p[1] & 3)) {
		seen.plain_text += text;
		return false;
	}
	ck_assert(text);
	if (++seen.capable % every)
		return false;
	seen.marked++;
	return true;
}

/* Behind the marks: some of them would have been losses. */
static bool loses(int from, struct span frame)
{
	static uint32_t n;

	return lossy && from == A && frame.n > 1000 && ++n % 97 == 0;
}

static void fill(uint8_t *text, size_t n, uint32_t at)
{
	for (size_t i = 0; i < n; i++, at++)
		text[i] = (uint8_t)(at * 7 + (at >> 8));
}

static void transfer(const struct pair_conn *c)
{
	static uint8_t out[16384], in[16384];
	uint32_t sent = 0, received = 0;

	for (int rounds = 0; received < TOTAL; rounds++) {
		int64_t n;

		ck_assert_int_lt(rounds, 100000);
		fill(out, sizeof out, sent);
		n = sent < TOTAL ? tapir_send(pair[A], c->sd[A], out, TOTAL - sent < sizeof out ? TOTAL - sent : sizeof out) : 0;
		sent += n > 0 ? (uint32_t)n : 0;
		pair_pass(1 * TAPIR_MS);
		while ((n = tapir_recv(pair[B], c->sd[B], in, sizeof in)) > 0) {
			fill(out, (size_t)n, received);
			ck_assert_mem_eq(in, out, (size_t)n);
			received += (uint32_t)n;
		}
	}
	pair_pass(10 * TAPIR_MS);
}

static struct tapir_tcp_info info(int who, const struct pair_conn *c)
{
	struct tapir_tcp_info i;

	ck_assert_result(tapir_tcp_info(pair[who], c->sd[who], &i), 0);
	return i;
}

START_TEST(marks_slow_the_sender_down_and_nothing_is_sent_twice)
{
	static const uint32_t rates[] = {1, 2, 10, 100, 300};
	struct pair_conn c;

	every = rates[_i];
	pair_begin();
	pair_mark(marks);
	c = pair_connected(7);
	transfer(&c);
	ck_assert_uint_eq(info(B, &c).received_ce, seen.marked);
	ck_assert_uint_gt(seen.marked, 0);
	ck_assert_uint_eq(info(A, &c).total_retrans, 0);
	ck_assert_uint_eq(seen.plain_text, 0);
	ck_assert_uint_le(seen.cwr, seen.marked);
	ck_assert_uint_ge(seen.ece, seen.cwr);
	ck_assert_uint_gt(seen.cwr, 0);
	ck_assert_uint_lt(info(A, &c).snd_ssthresh, 65535);
	ck_assert_uint_eq(info(A, &c).bytes_acked, TOTAL);
	ck_assert_uint_eq(info(B, &c).bytes_received, TOTAL);
	pair_close(&c);
	pair_end();
}
END_TEST

/* RFC 3168 6.1.5: what was lost goes again without ECT, and so is never marked. */
START_TEST(marks_and_losses_together_still_deliver_everything)
{
	struct pair_conn c;

	every = 10;
	lossy = true;
	pair_begin();
	pair_lose(loses);
	pair_mark(marks);
	c = pair_connected(7);
	transfer(&c);
	ck_assert_uint_gt(info(A, &c).total_retrans, 0);
	ck_assert_uint_gt(seen.plain_text, 0);
	ck_assert_uint_ge(info(A, &c).bytes_retrans, 1000);
	ck_assert_uint_eq(info(A, &c).bytes_acked, TOTAL);
	pair_close(&c);
	pair_end();
}
END_TEST

Suite *suite(void)
{
	Suite *s = suite_create("sim: ECN");
	TCase *tc = tcase_create("RFC 3168 6.1");

	tcase_add_checked_fixture(tc, set_up, NULL);
	tcase_set_timeout(tc, 60);
	tcase_add_loop_test(tc, marks_slow_the_sender_down_and_nothing_is_sent_twice, 0, 5);
	tcase_add_test(tc, marks_and_losses_together_still_deliver_everything);
	suite_add_tcase(s, tc);
	return s;
}
