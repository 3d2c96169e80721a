/* test_5482_user_timeout.c: USER TIMEOUT (RFC 9293 3.10.8, 3.8.3; RFC 5482 2), set by TCP_USER_TIMEOUT: how long what the
 * program has sent may wait without any of it being acknowledged. */
#include "tests/support/peer.h"

#define MSS 1460

static void set_on(struct peer *p, tapir_sd sd, enum tapir_opt opt, int value)
{
	ck_assert_error(tapir_setsockopt(p->t, sd, opt, value), 0);
}

static void patience(struct peer *p, int ms) { set_on(p, p->sd, TAPIR_TCP_USER_TIMEOUT, ms); }

/* It is still there us - 1 from now, and has ended us from now. */
static void ends_after(struct peer *p, usec_t us)
{
	peer_advance(p, us - 1);
	ck_assert_int_ne(peer_state(p), TAPIR_TCP_CLOSED);
	peer_advance(p, 1);
	ck_assert_state(p, TAPIR_TCP_CLOSED);
	peer_ignores_all(p);
}

/* RFC 9293 3.10.8 USER TIMEOUT: "for any state if the user timeout expires": the user hears of it, the connection is gone, and
 * no RST is formed. */
START_TEST(text_that_nobody_acknowledges_ends_the_connection_when_the_user_timeout_expires)
{
	struct peer p = established(_i);

	patience(&p, 10000);
	peer_advance(&p, 3600 * TAPIR_SEC);	/* nothing waits: nothing counts */
	user_sends(&p, 10);
	peer_expects(&p, "P. 1:11(10) ack 1");
	ends_after(&p, 10 * TAPIR_SEC);
	ck_assert_error(user_pending_error(&p), TAPIR_ETIMEDOUT);
	peer_sends(&p, ". 1:1(0) ack 11");
	peer_expects(&p, "R 11:11(0)");
}
END_TEST

/* RFC 9293 3.8.3: R2 may be a time; then no number of retransmissions ends it before. */
START_TEST(a_long_user_timeout_outlasts_the_count_of_retransmissions)
{
	struct peer p = established(_i);

	set_on(&p, p.sd, TAPIR_TCP_RETRIES, 2);
	patience(&p, 3600 * 1000);
	user_sends(&p, 10);
	ends_after(&p, 3600 * TAPIR_SEC);
	ck_assert_error(user_pending_error(&p), TAPIR_ETIMEDOUT);
}
END_TEST

/* RFC 5482 2: it counts from the last progress: what is acknowledged, even a part, begins it anew. */
START_TEST(each_acknowledgment_of_something_new_begins_the_time_anew)
{
	struct peer p = established(_i);

	patience(&p, 10000);
	user_sends(&p, 4 * MSS);
	for (uint32_t i = 1; i <= 3; i++) {
		peer_advance(&p, 8 * TAPIR_SEC);
		peer_ignores_all(&p);
		peer_sends(&p, ". 1:1(0) ack %u", 1 + i * MSS);
	}
	peer_advance(&p, 5 * TAPIR_SEC);
	peer_sends(&p, ". 1:1(0) ack %u", 1 + 3 * MSS);		/* nothing new in it */
	ends_after(&p, 5 * TAPIR_SEC);
}
END_TEST

START_TEST(when_all_is_acknowledged_the_time_stops)
{
	struct peer p = established(_i);

	patience(&p, 10000);
	user_sends(&p, 10);
	peer_expects(&p, "P. 1:11(10) ack 1");
	peer_advance(&p, 9 * TAPIR_SEC);
	peer_ignores_all(&p);
	peer_sends(&p, ". 1:1(0) ack 11");
	peer_advance(&p, 3600 * TAPIR_SEC);
	peer_expects_nothing(&p);
	ck_assert_state(&p, TAPIR_TCP_ESTABLISHED);
}
END_TEST

/* As on Linux: a peer that answers every probe and never opens its window makes no progress. */
START_TEST(text_before_a_closed_window_waits_no_longer_even_if_probes_are_answered)
{
	struct peer p = established(_i);
	usec_t until;

	patience(&p, 30000);
	peer_sends(&p, ". 1:1(0) ack 1 win 0");
	user_sends(&p, 10);
	until = peer_now(&p) + 30 * TAPIR_SEC;
	while (peer_state(&p) != TAPIR_TCP_CLOSED) {
		peer_until_timer(&p);
		if (peer_state(&p) != TAPIR_TCP_CLOSED)
			peer_sends(&p, ". 1:1(0) ack 1 win 0");
		peer_ignores_all(&p);
	}
	ck_assert_uint_eq(peer_now(&p), until);
	ck_assert_error(user_pending_error(&p), TAPIR_ETIMEDOUT);
}
END_TEST

/* RFC 9293 3.8.6.1 (MUST-37): without it, a closed window is waited for as long as probes are answered. */
START_TEST(without_a_user_timeout_a_closed_window_is_waited_for)
{
	struct peer p = established(_i);

	peer_sends(&p, ". 1:1(0) ack 1 win 0");
	user_sends(&p, 10);
	for (int i = 0; i < 50; i++) {
		peer_until_timer(&p);
		peer_sends(&p, ". 1:1(0) ack 1 win 0");
		peer_ignores_all(&p);
	}
	ck_assert_state(&p, TAPIR_TCP_ESTABLISHED);
}
END_TEST

/* RFC 9293 3.10.8: any state: the SYN waits, too; set before connect(). */
START_TEST(the_syn_waits_no_longer_than_the_user_timeout)
{
	struct peer p = closed(_i);
	struct tapir_endpoint peer = {tapir_ipv4(10, 0, 0, 1), PEER_PORT}, local = {.port = STACK_PORT};

	p.sd = tapir_socket(p.t, TAPIR_SOCK_STREAM);
	patience(&p, 4000);
	ck_assert_error(tapir_bind(p.t, p.sd, &local), 0);
	ck_assert_error(tapir_connect(p.t, p.sd, &peer), TAPIR_EINPROGRESS);
	peer_expects(&p, "S 0:0(0)");
	ends_after(&p, 4 * TAPIR_SEC);
	ck_assert_error(user_pending_error(&p), TAPIR_ETIMEDOUT);
	tapir_close(p.t, p.sd);
}
END_TEST

START_TEST(a_fin_waits_no_longer_than_the_user_timeout_and_an_orphan_neither)
{
	struct peer p = established(_i);

	patience(&p, 5000);
	user_closes(&p);
	peer_expects(&p, "F. 1:1(0) ack 1");
	ends_after(&p, 5 * TAPIR_SEC);
}
END_TEST

/* RFC 5482 2: "the application may change it during the connection". */
START_TEST(a_change_counts_from_when_the_waiting_began)
{
	struct peer p = established(_i);

	patience(&p, 60000);
	user_sends(&p, 10);
	peer_advance(&p, 8 * TAPIR_SEC);
	patience(&p, 20000);
	ends_after(&p, 12 * TAPIR_SEC);
}
END_TEST

START_TEST(a_change_to_what_has_passed_already_ends_it_at_once_and_0_takes_it_back)
{
	struct peer p = established(_i);

	patience(&p, 60000);
	user_sends(&p, 10);
	peer_advance(&p, 8 * TAPIR_SEC);
	patience(&p, 0);
	peer_advance(&p, 100 * TAPIR_SEC);
	ck_assert_state(&p, TAPIR_TCP_ESTABLISHED);
	patience(&p, 60000);			/* nobody knows any more when it began: it begins now */
	peer_advance(&p, 59 * TAPIR_SEC);
	ck_assert_state(&p, TAPIR_TCP_ESTABLISHED);
	patience(&p, 3000);
	peer_advance(&p, 0);
	ck_assert_state(&p, TAPIR_TCP_CLOSED);
	peer_ignores_all(&p);
}
END_TEST

/* RFC 9293 3.8.4 leaves the number of keep-alives open: with a user timeout, time decides. */
START_TEST(unanswered_keepalives_end_the_connection_after_the_user_timeout)
{
	struct peer p = established(_i);

	set_on(&p, p.sd, TAPIR_SO_KEEPALIVE, 1);
	set_on(&p, p.sd, TAPIR_TCP_KEEPIDLE, 10);
	set_on(&p, p.sd, TAPIR_TCP_KEEPINTVL, 5);
	set_on(&p, p.sd, TAPIR_TCP_KEEPCNT, 1);
	patience(&p, 30000);
	peer_advance(&p, 29 * TAPIR_SEC);
	ck_assert_uint_eq(peer_ignores_all(&p), 4);	/* after 10, 15, 20 and 25 s, whatever KEEPCNT says */
	peer_advance(&p, 1 * TAPIR_SEC);
	peer_expects(&p, "R 1:1(0)");
	ck_assert_error(user_pending_error(&p), TAPIR_ETIMEDOUT);
}
END_TEST

/* RFC 5482 3.1 is not there; RFC 9293 3.1 (MUST-6): an option that is not known is ignored. */
START_TEST(the_peers_user_timeout_option_changes_nothing)
{
	struct peer p = listening(_i);

	peer_sends(&p, "S 0:0(0) <mss 1460,raw 1c048001>");
	peer_expects(&p, "S. 0:0(0) ack 1 <mss 1460>");
	peer_sends(&p, ". 1:1(0) ack 1");
	user_accepts(&p);
	patience(&p, 5000);
	user_sends(&p, 10);
	peer_expects(&p, "P. 1:11(10) ack 1");
	peer_sends(&p, ". 1:1(0) ack 1 <raw 1c048001>");
	ends_after(&p, 5 * TAPIR_SEC);
}
END_TEST

START_TEST(a_listener_hands_its_user_timeout_down)
{
	struct peer p = listening(_i);

	set_on(&p, p.listener, TAPIR_TCP_USER_TIMEOUT, 7000);
	peer_opens(&p);
	user_accepts(&p);
	user_sends(&p, 10);
	ends_after(&p, 7 * TAPIR_SEC);
}
END_TEST

Suite *suite(void)
{
	return peer_suite("RFC 5482 2, RFC 9293 3.10.8", (const TTest *[]){
		text_that_nobody_acknowledges_ends_the_connection_when_the_user_timeout_expires,
		a_long_user_timeout_outlasts_the_count_of_retransmissions,
		each_acknowledgment_of_something_new_begins_the_time_anew, when_all_is_acknowledged_the_time_stops,
		text_before_a_closed_window_waits_no_longer_even_if_probes_are_answered,
		without_a_user_timeout_a_closed_window_is_waited_for, the_syn_waits_no_longer_than_the_user_timeout,
		a_fin_waits_no_longer_than_the_user_timeout_and_an_orphan_neither, a_change_counts_from_when_the_waiting_began,
		a_change_to_what_has_passed_already_ends_it_at_once_and_0_takes_it_back,
		unanswered_keepalives_end_the_connection_after_the_user_timeout,
		the_peers_user_timeout_option_changes_nothing, a_listener_hands_its_user_timeout_down, NULL
	});
}
