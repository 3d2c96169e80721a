/* test_tcp_rate.c: the delivery rate estimator alone (draft-ietf-ccwg-bbr 4.1): what leaves and arrives is written down by
 * hand, and behind a bottleneck. */
#include <check.h>
#include <stdlib.h>
#include "tests/support/bottleneck.h"

#define MSS 1000u

static struct tcp_sent left(struct tcp_sender *x, usec_t at_us, uint32_t bytes, uint32_t flight)
{
	struct tcp_sent r = {.start = seq(0), .end = seq(bytes), .sent_us = at_us, .times = 1};

	tcp_rate_sent(x, &r, flight);
	return r;
}

static struct cc_rate arrives(struct tcp_sender *x, usec_t at_us, const struct tcp_sent *r, uint32_t min_rtt_us)
{
	struct tcp_rate_ack ack = {.now_us = at_us};

	tcp_rate_delivered(x, &ack, r, seq_sub(r->end, r->start));
	return tcp_rate_sample(x, &ack, min_rtt_us);
}

/* 4.1.1.2.1 */
START_TEST(a_sample_is_what_was_delivered_between_leaving_and_arriving)
{
	struct tcp_sender x = {0};
	struct tcp_sent a = left(&x, 5000, MSS, MSS), b = left(&x, 5100, MSS, 2 * MSS), c;
	struct cc_rate s = arrives(&x, 15000, &a, 10000);

	ck_assert_uint_eq(s.delivered, MSS);
	ck_assert_uint_eq(s.interval_us, 10000);
	ck_assert_uint_eq(s.prior_delivered, 0);
	c = left(&x, 15000, MSS, 2 * MSS);
	s = arrives(&x, 16000, &b, 10000);
	ck_assert_uint_eq(s.delivered, 2 * MSS);
	ck_assert_uint_eq(s.interval_us, 11000);
	s = arrives(&x, 26000, &c, 10000);
	ck_assert_uint_eq(s.delivered, 2 * MSS);		/* b and c, since the ACK of a */
	ck_assert_uint_eq(s.interval_us, 11000);
	ck_assert_uint_eq(s.prior_delivered, MSS);
	ck_assert_uint_eq(s.total_delivered, 3 * MSS);
	ck_assert_uint_eq(s.tx_flight, 2 * MSS);
	ck_assert(!s.app_limited);
}
END_TEST

/* 4.1.1.2.2, 4.1.1.2.3: the ACKs of ten segments that left in 20 ms come within 2 ms. */
START_TEST(compressed_acks_do_not_make_the_path_faster_than_it_was_fed)
{
	struct tcp_sender x = {0};
	struct tcp_sent r[10];
	struct cc_rate s = {0};

	for (uint32_t i = 0; i < 9; i++)
		r[i] = left(&x, 1000 * i, MSS, (i + 1) * MSS);
	arrives(&x, 20000, &r[0], 1000);
	r[9] = left(&x, 20000, MSS, 9 * MSS);
	for (uint32_t i = 1; i < 10; i++)
		s = arrives(&x, 22000, &r[i], 1000);
	ck_assert_uint_eq(s.delivered, 9 * MSS);
	ck_assert_uint_eq(s.interval_us, 20000);
}
END_TEST

/* 4.1.2.2: with nothing in flight the interval begins now. */
START_TEST(silence_before_sending_is_not_counted)
{
	struct tcp_sender x = {0};
	struct tcp_sent r = left(&x, 1000, MSS, MSS);
	struct cc_rate s = arrives(&x, 2000, &r, 1000);

	r = left(&x, 9000000, MSS, MSS);
	s = arrives(&x, 9001000, &r, 1000);
	ck_assert_uint_eq(s.interval_us, 1000);
	ck_assert_uint_eq(s.delivered, MSS);
}
END_TEST

/* 4.1.2.3: an ACK of several records speaks of the one that left last. */
START_TEST(the_record_that_left_last_makes_the_sample)
{
	struct tcp_sender x = {0};
	struct tcp_sent a = left(&x, 1000, MSS, MSS), b = left(&x, 1000, MSS, 2 * MSS), c = left(&x, 3000, MSS, 3 * MSS);
	struct tcp_rate_ack ack = {.now_us = 20000};
	struct cc_rate s;

	tcp_rate_delivered(&x, &ack, &c, MSS);
	tcp_rate_delivered(&x, &ack, &b, MSS);
	tcp_rate_delivered(&x, &ack, &a, MSS);
	s = tcp_rate_sample(&x, &ack, 1000);
	ck_assert_uint_eq(s.tx_flight, 3 * MSS);
	ck_assert_uint_eq(s.delivered, 3 * MSS);
	a = left(&x, 30000, MSS, MSS);
	b = left(&x, 30000, MSS, 2 * MSS);
	ack = (struct tcp_rate_ack){.now_us = 40000};
	tcp_rate_delivered(&x, &ack, &a, MSS);
	tcp_rate_delivered(&x, &ack, &b, MSS);
	ck_assert_uint_eq(tcp_rate_sample(&x, &ack, 1000).tx_flight, 2 * MSS);	/* of the same instant, the later */
}
END_TEST

START_TEST(a_large_record_counts_as_it_is_acknowledged_piece_by_piece)
{
	struct tcp_sender x = {0};
	struct tcp_sent r = left(&x, 1000, 40 * MSS, 40 * MSS);
	struct tcp_rate_ack ack = {.now_us = 11000};
	struct cc_rate s;

	tcp_rate_delivered(&x, &ack, &r, 10 * MSS);
	ck_assert_uint_eq(tcp_rate_sample(&x, &ack, 1000).delivered, 10 * MSS);
	r.start = seq(10 * MSS);
	ack = (struct tcp_rate_ack){.now_us = 14000};
	tcp_rate_delivered(&x, &ack, &r, 30 * MSS);
	s = tcp_rate_sample(&x, &ack, 1000);
	ck_assert_uint_eq(s.delivered, 40 * MSS);
	ck_assert_uint_eq(s.interval_us, 13000);
}
END_TEST

/* 4.1.2.3: less than any round trip took: the ACK was for the first transmission. */
START_TEST(an_interval_shorter_than_the_least_rtt_gives_no_rate)
{
	struct tcp_sender x = {0};
	struct tcp_sent r = left(&x, 1000, MSS, MSS);
	struct cc_rate s = arrives(&x, 1900, &r, 1000);

	ck_assert_uint_eq(s.delivered, MSS);
	ck_assert_uint_eq(s.interval_us, 0);
	r = left(&x, 2000, MSS, MSS);
	ck_assert_uint_eq(arrives(&x, 2900, &r, CC_NONE).interval_us, 900);	/* nothing to compare with */
}
END_TEST

/* 4.1.2.3: which of two transmissions an ACK is for, rack.c may know. */
START_TEST(what_cannot_be_told_apart_counts_without_a_sample)
{
	struct tcp_sender x = {0};
	struct tcp_sent r = left(&x, 1000, MSS, MSS);
	struct tcp_rate_ack ack = {.now_us = 21000};
	struct cc_rate s;

	tcp_rate_sent(&x, &r, MSS);
	tcp_rate_delivered(&x, &ack, NULL, MSS);
	s = tcp_rate_sample(&x, &ack, 1000);
	ck_assert_uint_eq(s.delivered, 0);
	ck_assert_uint_eq(s.total_delivered, MSS);
}
END_TEST

START_TEST(an_ack_of_nothing_new_has_counts_but_no_sample)
{
	struct tcp_sender x = {0};
	struct tcp_sent r = left(&x, 1000, MSS, MSS);
	struct tcp_rate_ack ack = {.now_us = 9000};
	struct cc_rate s;

	arrives(&x, 2000, &r, 1000);
	s = tcp_rate_sample(&x, &ack, 1000);
	ck_assert_uint_eq(s.delivered, 0);
	ck_assert_uint_eq(s.total_delivered, MSS);
}
END_TEST

/* 4.1.1.3, 4.1.2.4 */
START_TEST(samples_are_limited_by_the_program_until_the_gap_has_been_delivered)
{
	struct tcp_sender x = {0};
	struct tcp_sent a = left(&x, 1000, MSS, MSS), b, c;

	tcp_rate_check_app_limited(&x, false, MSS, 10 * MSS);
	b = left(&x, 2000, MSS, 2 * MSS);
	ck_assert(!a.app_limited);
	ck_assert(b.app_limited);
	ck_assert(!arrives(&x, 11000, &a, 1000).app_limited);
	ck_assert(arrives(&x, 12000, &b, 1000).app_limited);
	ck_assert_uint_eq(x.rate.app_limited_until, 0);
	c = left(&x, 12000, MSS, MSS);
	ck_assert(!c.app_limited);
}
END_TEST

START_TEST(who_has_something_to_send_or_no_window_is_not_limited_by_the_program)
{
	struct tcp_sender x = {0};

	tcp_rate_check_app_limited(&x, true, MSS, 10 * MSS);
	tcp_rate_check_app_limited(&x, false, 10 * MSS, 10 * MSS);
	x.lost = MSS;
	tcp_rate_check_app_limited(&x, false, MSS, 10 * MSS);
	ck_assert_uint_eq(x.rate.app_limited_until, 0);
	x.lost = 0;
	tcp_rate_check_app_limited(&x, false, 0, 10 * MSS);
	ck_assert_uint_eq(x.rate.app_limited_until, 1);
}
END_TEST

/* 5.5.10.2: what was in flight when the lost segment left, and how much of it is lost. */
START_TEST(the_first_loss_that_is_too_much_is_told_once)
{
	struct tcp_sender x = {0};
	struct tcp_rate_ack none = {.now_us = 1};
	struct tcp_sent r[4];
	struct cc_rate s;

	for (uint32_t i = 0; i < 4; i++)
		r[i] = left(&x, 1000, MSS, (97 + i) * MSS);
	for (uint32_t i = 0; i < 4; i++)
		tcp_rate_lost(&x, &r[i], true);
	s = tcp_rate_sample(&x, &none, 1000);
	ck_assert_uint_eq(s.total_lost, 4 * MSS);
	ck_assert_uint_eq(s.excess.bytes, MSS);
	ck_assert_uint_eq(s.excess.tx_flight, 98 * MSS);	/* 2 of 98 is more than 2 %, 1 of 97 is not */
	ck_assert_uint_eq(s.excess.lost, 2 * MSS);
	ck_assert_uint_eq(tcp_rate_sample(&x, &none, 1000).excess.bytes, 0);
}
END_TEST

START_TEST(without_sack_the_first_loss_is_too_much)
{
	struct tcp_sender x = {0};
	struct tcp_rate_ack none = {.now_us = 1};
	struct tcp_sent r = left(&x, 1000, MSS, 1000 * MSS);

	tcp_rate_lost(&x, &r, false);
	ck_assert_uint_eq(tcp_rate_sample(&x, &none, 1000).excess.tx_flight, 1000 * MSS);
}
END_TEST

START_TEST(losses_side_by_side_are_one_run)
{
	struct tcp_sender x = {0};
	struct tcp_rate_ack none = {.now_us = 1};
	struct tcp_sent r[5];

	for (uint32_t i = 0; i < 5; i++) {
		r[i] = left(&x, 1000, MSS, 100 * MSS);
		r[i].prev = i ? &r[i - 1] : NULL;
	}
	for (uint32_t i = 0; i < 5; i++) {
		if (i == 2)
			continue;
		r[i].state = SENT_LOST;
		tcp_rate_lost(&x, &r[i], true);
	}
	ck_assert_uint_eq(tcp_rate_sample(&x, &none, 1000).lost_runs, 2);
}
END_TEST

START_TEST(a_loss_after_leaving_is_told_with_the_sample)
{
	struct tcp_sender x = {0};
	struct tcp_sent a = left(&x, 1000, MSS, MSS), b = left(&x, 1000, MSS, 2 * MSS), c;

	tcp_rate_lost(&x, &a, true);
	c = left(&x, 5000, MSS, 2 * MSS);
	ck_assert_uint_eq(arrives(&x, 11000, &b, 1000).lost, MSS);
	ck_assert_uint_eq(arrives(&x, 15000, &c, 1000).lost, 0);
}
END_TEST

/* --- behind a bottleneck ---------------------------------------------------------------------------------------- */

static uint64_t best_rate;

static void window_start(struct cc *cc, void *priv, const struct cc_sample *s, usec_t idle_us)
{
	(void)priv, (void)idle_us;
	cc->cwnd = 40 * s->mss;
	cc->ssthresh = CC_WINDOW_MAX;
}

static void window_on_ack(struct cc *cc, void *priv, const struct cc_sample *s)
{
	uint64_t rate = s->rate.interval_us ? s->rate.delivered * TAPIR_SEC / s->rate.interval_us : 0;

	(void)cc, (void)priv;
	best_rate = rate > best_rate ? rate : best_rate;
}

static void window_on_congestion(struct cc *cc, void *priv, const struct cc_sample *s, enum cc_signal signal, bool again)
{
	(void)cc, (void)priv, (void)s, (void)signal, (void)again;
}

static const struct cc_ops fixed_window = {.name = "fixed", .paces_itself = true, .start = window_start, .on_ack = window_on_ack,
					   .on_congestion = window_on_congestion};

/* Queue, ACKs in lumps and losses: no sample exceeds what the link carries by more than its own first burst can explain. */
START_TEST(no_sample_is_faster_than_the_bottleneck)
{
	static const struct { usec_t ack_every_us; uint32_t loss_ppm; } paths[] = {{0, 0}, {20000, 0}, {0, 20000}, {20000, 20000}};
	struct bottleneck w;

	bottleneck_init(&w, 1000000, 1000000, 3);
	w.ack_every_us = paths[_i].ack_every_us;
	w.loss_ppm = paths[_i].loss_ppm;
	bottleneck_add(&w, &fixed_window, 30000);
	best_rate = 0;
	bottleneck_run(&w, 10 * TAPIR_SEC);
	ck_assert_uint_ge(best_rate, 950000);
	ck_assert_uint_le(best_rate, paths[_i].loss_ppm ? 1150000 : 1050000);
	bottleneck_end(&w);
}
END_TEST

Suite *suite(void)
{
	Suite *s = suite_create("tcp/rate");
	TCase *tc = tcase_create("samples");

	tcase_add_test(tc, a_sample_is_what_was_delivered_between_leaving_and_arriving);
	tcase_add_test(tc, compressed_acks_do_not_make_the_path_faster_than_it_was_fed);
	tcase_add_test(tc, silence_before_sending_is_not_counted);
	tcase_add_test(tc, the_record_that_left_last_makes_the_sample);
	tcase_add_test(tc, a_large_record_counts_as_it_is_acknowledged_piece_by_piece);
	tcase_add_test(tc, an_interval_shorter_than_the_least_rtt_gives_no_rate);
	tcase_add_test(tc, what_cannot_be_told_apart_counts_without_a_sample);
	tcase_add_test(tc, an_ack_of_nothing_new_has_counts_but_no_sample);
	suite_add_tcase(s, tc);
	tc = tcase_create("marks");
	tcase_add_test(tc, samples_are_limited_by_the_program_until_the_gap_has_been_delivered);
	tcase_add_test(tc, who_has_something_to_send_or_no_window_is_not_limited_by_the_program);
	tcase_add_test(tc, the_first_loss_that_is_too_much_is_told_once);
	tcase_add_test(tc, without_sack_the_first_loss_is_too_much);
	tcase_add_test(tc, losses_side_by_side_are_one_run);
	tcase_add_test(tc, a_loss_after_leaving_is_told_with_the_sample);
	suite_add_tcase(s, tc);
	tc = tcase_create("bottleneck");
	tcase_add_loop_test(tc, no_sample_is_faster_than_the_bottleneck, 0, 4);
	suite_add_tcase(s, tc);
	return s;
}
