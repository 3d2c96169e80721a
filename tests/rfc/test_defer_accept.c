/* test_defer_accept.c: TCP_DEFER_ACCEPT (RFC 9293 3.10.7.4 fifth SYN-RECEIVED, from which it deviates): accept() sees a
 * connection when its first text is there. */
#include "tests/support/peer.h"

static struct peer deferring(int run, int seconds)
{
	struct peer p = listening(run);

	ck_assert_error(tapir_setsockopt(p.t, p.listener, TAPIR_TCP_DEFER_ACCEPT, seconds), 0);
	return p;
}

static void sends_its_syn(struct peer *p)
{
	peer_sends(p, "S 0:0(0) <mss 1460>");
	peer_expects(p, "S. 0:0(0) ack 1");
}

static void is_held(struct peer *p)
{
	ck_assert_verdict(p, DROP_TCP_DEFER_ACCEPT);
	peer_expects_nothing(p);
	ck_assert_state(p, TAPIR_TCP_SYN_RCVD);
	ck_assert_error(tapir_accept(p->t, p->listener, NULL), TAPIR_EAGAIN);
}

START_TEST(a_bare_ack_is_not_shown_to_accept)
{
	struct peer p = deferring(_i, 10);

	sends_its_syn(&p);
	peer_sends(&p, ". 1:1(0) ack 1");
	is_held(&p);
	peer_sends(&p, ". 1:1(0) ack 1");
	is_held(&p);
	peer_sends(&p, "P. 1:11(10) ack 1");
	peer_expects(&p, ". 1:1(0) ack 11");
	ck_assert_states(&p, "LISTEN > SYN-RECEIVED > ESTABLISHED");
	user_accepts(&p);
	user_reads(&p, 10);
	ck_assert_uint_eq(peer_info(&p).rtt_us, 0);
	ck_assert_uint_eq(peer_info(&p).snd_cwnd, 10 * 1460);
}
END_TEST

START_TEST(text_with_the_third_segment_waits_for_nothing)
{
	struct peer p = deferring(_i, 10);

	sends_its_syn(&p);
	peer_sends(&p, "P. 1:11(10) ack 1");
	peer_expects(&p, ". 1:1(0) ack 11");
	user_accepts(&p);
	user_reads(&p, 10);
}
END_TEST

START_TEST(a_fin_is_worth_an_accept)
{
	struct peer p = deferring(_i, 10);

	sends_its_syn(&p);
	peer_sends(&p, "F. 1:1(0) ack 1");
	peer_expects(&p, ". 1:1(0) ack 2");
	user_accepts(&p);
	user_reads_end(&p);
}
END_TEST

/* The peer has our SYN-ACK, so it is not sent again, but for the last timeout of those that cover the time; the ACK that answers
 * it counts. 10 s are four timeouts: 1, 3, 7, 15 s. */
START_TEST(when_the_time_is_over_silence_is_enough)
{
	struct peer p = deferring(_i, 10);

	sends_its_syn(&p);
	peer_sends(&p, ". 1:1(0) ack 1");
	is_held(&p);
	peer_advance(&p, 15 * TAPIR_SEC - 1);
	peer_expects_nothing(&p);
	peer_sends(&p, ". 1:1(0) ack 1");
	is_held(&p);
	peer_advance(&p, 1);
	peer_expects(&p, "S. 0:0(0) ack 1");
	peer_sends(&p, ". 1:1(0) ack 1");
	ck_assert_verdict(&p, ACCEPT);
	ck_assert_state(&p, TAPIR_TCP_ESTABLISHED);
	user_accepts(&p);
	user_sends(&p, 10);			/* the server speaks first, if it has to */
	peer_expects(&p, "P. 1:11(10) ack 1");
}
END_TEST

START_TEST(a_client_that_has_gone_is_given_up)
{
	struct peer p = deferring(_i, 10);

	sends_its_syn(&p);
	peer_sends(&p, ". 1:1(0) ack 1");
	is_held(&p);
	peer_advance(&p, 15 * TAPIR_SEC);
	peer_expects(&p, "S. 0:0(0) ack 1");
	peer_sends(&p, "R 1:1(0)");
	ck_assert_uint_eq(peer_usage(&p).conns, 0);
}
END_TEST

/* Without the ACK nothing is deferred: the SYN-ACK is sent again as ever. */
START_TEST(a_lost_syn_ack_is_sent_again)
{
	struct peer p = deferring(_i, 10);

	sends_its_syn(&p);
	ck_assert_uint_eq(peer_until_timer(&p), TAPIR_SEC);
	peer_expects(&p, "S. 0:0(0) ack 1");
	peer_sends(&p, ". 1:1(0) ack 1");
	is_held(&p);
	peer_sends(&p, "S 0:0(0) <mss 1460>");
	peer_expects(&p, "S. 0:0(0) ack 1");
}
END_TEST

/* The wait may be longer than config.synack_retries would last. */
START_TEST(a_long_wait_outlasts_the_retries)
{
	struct peer p;

	peer_config()->synack_retries = 2;
	p = deferring(_i, 60);				/* six timeouts: 63 s */
	sends_its_syn(&p);
	peer_sends(&p, ". 1:1(0) ack 1");
	is_held(&p);
	peer_advance(&p, 62 * TAPIR_SEC);
	peer_expects_nothing(&p);
	peer_sends(&p, "P. 1:11(10) ack 1");
	peer_expects(&p, ". 1:1(0) ack 11");
	ck_assert_state(&p, TAPIR_TCP_ESTABLISHED);
}
END_TEST

START_TEST(the_option_says_how_long_it_really_takes)
{
	static const int seconds[][2] = {{0, 0}, {1, 1}, {2, 3}, {3, 3}, {4, 7}, {10, 15}, {63, 63}, {64, 123}, {124, 183}};
	struct peer p = listening(_i);
	int value;

	for (size_t i = 0; i < sizeof seconds / sizeof seconds[0]; i++) {
		ck_assert_error(tapir_setsockopt(p.t, p.listener, TAPIR_TCP_DEFER_ACCEPT, seconds[i][0]), 0);
		ck_assert_error(tapir_getsockopt(p.t, p.listener, TAPIR_TCP_DEFER_ACCEPT, &value), 0);
		ck_assert_int_eq(value, seconds[i][1]);
	}
	ck_assert_error(tapir_setsockopt(p.t, p.listener, TAPIR_TCP_DEFER_ACCEPT, -1), TAPIR_EINVAL);
}
END_TEST

Suite *suite(void)
{
	return peer_suite("TCP_DEFER_ACCEPT", (const TTest *[]){
		a_bare_ack_is_not_shown_to_accept,
		text_with_the_third_segment_waits_for_nothing,
		a_fin_is_worth_an_accept,
		when_the_time_is_over_silence_is_enough,
		a_client_that_has_gone_is_given_up,
		a_lost_syn_ack_is_sent_again,
		a_long_wait_outlasts_the_retries,
		the_option_says_how_long_it_really_takes,
		NULL
	});
}
