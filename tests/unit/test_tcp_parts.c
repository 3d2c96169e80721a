/* test_tcp_parts.c: the pure parts of tcp/, each alone: sequence arithmetic (RFC 9293 3.4), the arrows of figure 5, the
 * retransmission timeout (RFC 6298 2). */
#include <check.h>
#include <stdlib.h>
#include "stack/tcp/internal.h"

/* RFC 9293 3.4: comparisons hold on the circle, also across 2^32. */
START_TEST(sequence_numbers_compare_across_the_wrap)
{
	const uint32_t starts[] = {0, 1, 0x7fffffff, 0x80000000, 0xfffffff0, 0xffffffff};

	for (size_t i = 0; i < sizeof starts / sizeof starts[0]; i++) {
		seq_t a = seq(starts[i]), b = seq_add(a, 100);

		ck_assert(seq_lt(a, b) && seq_leq(a, b) && seq_leq(a, a) && !seq_lt(a, a));
		ck_assert(seq_gt(b, a) && seq_geq(b, a) && seq_geq(b, b) && !seq_gt(a, b));
		ck_assert_uint_eq(seq_sub(b, a), 100);
		ck_assert(seq_eq(seq_max(a, b), b) && seq_eq(seq_min(a, b), a));
		ck_assert(seq_in(a, a, 1) && seq_in(seq_add(a, 99), a, 100));
		ck_assert(!seq_in(b, a, 100) && !seq_in(a, b, 100) && !seq_in(a, a, 0));
	}
}
END_TEST

struct arrow { enum tcp_state from, to; };

/* RFC 9293 3.3.2: every arrow of figure 5, and the ends in CLOSED of 3.10.5 and 3.10.7. */
START_TEST(exactly_the_arrows_of_figure_5_are_legal)
{
	static const struct arrow legal[] = {
		{TCP_CLOSED, TCP_LISTEN}, {TCP_CLOSED, TCP_SYN_SENT}, {TCP_LISTEN, TCP_SYN_RCVD},
		{TCP_SYN_SENT, TCP_SYN_RCVD}, {TCP_SYN_SENT, TCP_ESTABLISHED}, {TCP_SYN_RCVD, TCP_ESTABLISHED},
		{TCP_SYN_RCVD, TCP_FIN_WAIT_1}, {TCP_SYN_RCVD, TCP_CLOSE_WAIT}, {TCP_ESTABLISHED, TCP_FIN_WAIT_1},
		{TCP_ESTABLISHED, TCP_CLOSE_WAIT}, {TCP_FIN_WAIT_1, TCP_FIN_WAIT_2}, {TCP_FIN_WAIT_1, TCP_CLOSING},
		{TCP_FIN_WAIT_2, TCP_TIME_WAIT}, {TCP_CLOSE_WAIT, TCP_LAST_ACK}, {TCP_CLOSING, TCP_TIME_WAIT},
	};
	enum tcp_state from, to;

	for (from = TCP_CLOSED; from <= TCP_TIME_WAIT; from++)
		for (to = TCP_CLOSED; to <= TCP_TIME_WAIT; to++) {
			bool expected = to == TCP_CLOSED && from != TCP_CLOSED;

			for (size_t i = 0; i < sizeof legal / sizeof legal[0]; i++)
				expected |= legal[i].from == from && legal[i].to == to;
			ck_assert_msg(tcp_arrow_is_legal(from, to) == expected, "%s > %s",
				      tapir_tcp_state_name((enum tapir_tcp_state)from),
				      tapir_tcp_state_name((enum tapir_tcp_state)to));
		}
}
END_TEST

static struct tapir *rtt_stack(void)
{
	struct tapir *t = calloc(1, sizeof *t);

	ck_assert_ptr_nonnull(t);
	t->cfg.rto_min_us = 200 * TAPIR_MS;
	t->cfg.rto_max_us = 60 * TAPIR_SEC;
	t->cfg.rto_initial_us = TAPIR_SEC;
	return t;
}

/* RFC 6298 2.1, 2.2, 2.3 */
START_TEST(rto_follows_the_smoothed_rtt)
{
	struct tapir *t = rtt_stack();
	struct tcp_conn *c = calloc(1, sizeof *c);

	ck_assert_ptr_nonnull(c);
	tcp_rtt_init(t, c);
	ck_assert_uint_eq(c->rtt.rto_us, 1000000);
	tcp_rtt_sample(t, c, 400000);
	ck_assert_uint_eq(c->rtt.srtt_us, 400000);
	ck_assert_uint_eq(c->rtt.rttvar_us, 200000);
	ck_assert_uint_eq(c->rtt.rto_us, 1200000);
	tcp_rtt_sample(t, c, 800000);
	ck_assert_uint_eq(c->rtt.srtt_us, 450000);
	ck_assert_uint_eq(c->rtt.rttvar_us, 250000);
	ck_assert_uint_eq(c->rtt.rto_us, 1450000);
	free(c);
	free(t);
}
END_TEST

/* RFC 6298 2.4, 2.5 */
START_TEST(rto_stays_between_its_bounds)
{
	struct tapir *t = rtt_stack();
	struct tcp_conn *c = calloc(1, sizeof *c);

	ck_assert_ptr_nonnull(c);
	tcp_rtt_init(t, c);
	for (int i = 0; i < 100; i++)
		tcp_rtt_sample(t, c, 50);
	ck_assert_uint_eq(c->rtt.rto_us, 200000);
	tcp_rtt_sample(t, c, 1000000000);
	ck_assert_uint_eq(c->rtt.rto_us, 60000000);
	free(c);
	free(t);
}
END_TEST

Suite *suite(void);
Suite *suite(void)
{
	Suite *s = suite_create("tcp parts");
	TCase *tc = tcase_create("parts");

	tcase_add_test(tc, sequence_numbers_compare_across_the_wrap);
	tcase_add_test(tc, exactly_the_arrows_of_figure_5_are_legal);
	tcase_add_test(tc, rto_follows_the_smoothed_rtt);
	tcase_add_test(tc, rto_stays_between_its_bounds);
	suite_add_tcase(s, tc);
	return s;
}
