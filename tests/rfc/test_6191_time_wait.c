/* test_6191_time_wait.c: TIME-WAIT (RFC 9293 3.6, 3.4.2), which SYN may end it early (RFC 6191; RFC 9293 3.6.1, MAY-2, SHLD-4) and
 * what may not (RFC 1337). The connection before has ended at sequence number 2 on both sides. */
#include "tests/support/peer.h"

/* TIME-WAIT, which no program holds. */
static struct peer waiting(int run)
{
	struct peer p = time_wait(run);

	user_closes(&p);
	return p;
}

static struct peer waiting_with_timestamps(int run)
{
	peer_config()->timestamps = true;
	return waiting(run);		/* TS.Recent is 100 */
}

/* The SYN at `at` is answered with a SYN-ACK, in a connection of its own, which works. */
static void expects_a_new_connection(struct peer *p, uint32_t at)
{
	ck_assert_verdict(p, ACCEPT);
	peer_expects(p, "S. *:*(0) ack %u", at + 1);
	ck_assert_state(p, TAPIR_TCP_SYN_RCVD);
	ck_assert_uint_eq(peer_usage(p).time_wait, 0);
	peer_sends(p, "P. %u:%u(10) ack %u", at + 1, at + 11, p->snd_nxt);
	peer_expects(p, ". *:*(0) ack %u", at + 11);
	user_accepts(p);
	p->received = at;
	user_reads(p, 10);
}

static void expects_to_go_on_waiting(struct peer *p)
{
	peer_expects(p, ". 2:2(0) ack 2");
	peer_expects_nothing(p);
	ck_assert_state(p, TAPIR_TCP_TIME_WAIT);
}

/* RFC 9293 3.6.1 (MUST-13): TIME-WAIT lasts two MSL. */
START_TEST(time_wait_lasts_two_msl)
{
	struct peer p = waiting(_i);

	peer_advance(&p, 60 * TAPIR_SEC - 1);
	ck_assert_state(&p, TAPIR_TCP_TIME_WAIT);
	ck_assert_uint_eq(peer_usage(&p).time_wait, 1);
	peer_advance(&p, 1);
	ck_assert_state(&p, TAPIR_TCP_CLOSED);
	ck_assert_uint_eq(peer_usage(&p).conns, 0);
	peer_config()->msl_us = TAPIR_SEC;
	p = waiting(_i);
	peer_advance(&p, 2 * TAPIR_SEC - 1);
	ck_assert_state(&p, TAPIR_TCP_TIME_WAIT);
	peer_advance(&p, 1);
	ck_assert_state(&p, TAPIR_TCP_CLOSED);
}
END_TEST

/* RFC 9293 3.10.7.4 eighth TIME-WAIT: the peer's FIN again: our ACK was lost: acknowledged, and 2 MSL begin anew. */
START_TEST(the_peers_fin_again_begins_the_wait_anew)
{
	struct peer p = waiting(_i);

	peer_advance(&p, 40 * TAPIR_SEC);
	peer_sends(&p, "F. 1:1(0) ack 2");
	expects_to_go_on_waiting(&p);
	peer_advance(&p, 60 * TAPIR_SEC - 1);
	ck_assert_state(&p, TAPIR_TCP_TIME_WAIT);
	peer_advance(&p, 1);
	ck_assert_state(&p, TAPIR_TCP_CLOSED);
}
END_TEST

/* RFC 9293 3.6.1 (MAY-2); RFC 6191 2: no timestamps on either side: a SYN above all that the old connection used is new. */
START_TEST(a_syn_with_a_higher_sequence_number_ends_the_wait)
{
	struct peer p = waiting(_i);

	peer_sends(&p, "S 3:3(0) <mss 1460>");
	expects_a_new_connection(&p, 3);
	p = waiting(_i);
	peer_sends(&p, "S 1000000:1000000(0) <mss 1460>");
	expects_a_new_connection(&p, 1000000);
}
END_TEST

/* RFC 9293 3.6.1 (MAY-2): with an ISS above the largest sequence number of ours in the old connection, so that no old segment
 * of ours can be taken for one of the new. */
START_TEST(the_new_iss_lies_above_the_old_connection)
{
	struct peer p = waiting(_i);	/* the harness' ISS is the same for each connection */

	peer_sends(&p, "S 1000:1000(0) <mss 1460>");
	peer_expects(&p, "S. *:*(0) ack 1001");
	ck_assert_int_gt((int32_t)p.snd_nxt, 2);
}
END_TEST

/* RFC 6191 2: a SYN at or below what was used may be an old duplicate: the wait goes on. */
START_TEST(a_syn_without_a_higher_sequence_number_does_not_end_the_wait)
{
	static const int at[] = {2, 1, 0, -1000, -2000000000};
	struct peer p = waiting(_i);

	for (size_t i = 0; i < sizeof at / sizeof at[0]; i++) {
		peer_sends(&p, "S %d:%d(0) <mss 1460>", at[i], at[i]);
		expects_to_go_on_waiting(&p);
	}
}
END_TEST

/* RFC 9293 3.6.1 (SHLD-4); RFC 6191 2: with timestamps on both: a newer one ends the wait, whatever the sequence number. */
START_TEST(a_syn_with_a_newer_timestamp_ends_the_wait)
{
	static const uint32_t at[] = {0, 2, 5000};

	for (size_t i = 0; i < sizeof at / sizeof at[0]; i++) {
		struct peer p = waiting_with_timestamps(_i);

		p.ts_val = 101;
		peer_sends(&p, "S %u:%u(0) <mss 1460,TS val 101 ecr 0>", at[i], at[i]);
		expects_a_new_connection(&p, at[i]);
	}
}
END_TEST

/* RFC 6191 2: the same timestamp: the sequence number decides. */
START_TEST(a_syn_with_the_same_timestamp_needs_a_higher_sequence_number)
{
	struct peer p = waiting_with_timestamps(_i);

	peer_sends(&p, "S 1:1(0) <mss 1460,TS val 100 ecr 0>");
	expects_to_go_on_waiting(&p);
	peer_sends(&p, "S 1000:1000(0) <mss 1460,TS val 100 ecr 0>");
	expects_a_new_connection(&p, 1000);
}
END_TEST

/* RFC 6191 2: an older timestamp does not end the wait, not even with a higher sequence number. */
START_TEST(a_syn_with_an_older_timestamp_does_not_end_the_wait)
{
	struct peer p = waiting_with_timestamps(_i);

	peer_sends(&p, "S 1000:1000(0) <mss 1460,TS val 99 ecr 0>");
	expects_to_go_on_waiting(&p);
}
END_TEST

/* RFC 6191 2: timestamps before, none in the SYN: the sequence number decides. */
START_TEST(a_syn_without_timestamps_after_a_connection_with_them_needs_a_higher_sequence_number)
{
	struct peer p = waiting_with_timestamps(_i);

	peer_sends(&p, "S 1:1(0) <mss 1460>");
	expects_to_go_on_waiting(&p);
	peer_sends(&p, "S 1000:1000(0) <mss 1460>");
	p.timestamps = false;
	expects_a_new_connection(&p, 1000);
}
END_TEST

/* RFC 6191 2: none before, but in the SYN: it is accepted: PAWS will keep old segments, which have none, out. */
START_TEST(a_syn_with_timestamps_after_a_connection_without_them_ends_the_wait)
{
	struct peer p = waiting(_i);

	peer_sends(&p, "S 0:0(0) <mss 1460,TS val 5 ecr 0>");
	expects_a_new_connection(&p, 0);
}
END_TEST

/* RFC 6191 2: nobody listens any more: there is no new connection to make, and the wait goes on. */
START_TEST(without_a_listener_the_wait_goes_on)
{
	struct peer p = waiting(_i);

	ck_assert_error(tapir_close(p.t, p.listener), 0);
	p.listener = -1;
	peer_sends(&p, "S 1000:1000(0) <mss 1460>");
	expects_to_go_on_waiting(&p);
}
END_TEST

/* RFC 6191 2: the program that still holds the old connection keeps what it has: it is over, in good order. */
START_TEST(the_holder_of_the_old_connection_is_not_disturbed)
{
	struct peer p = time_wait(_i), old = p;

	p.sd = -1;
	peer_sends(&p, "S 1000:1000(0) <mss 1460>");
	expects_a_new_connection(&p, 1000);
	user_reads_end(&old);
	ck_assert_int_eq(user_pending_error(&old), 0);
	ck_assert_error(tapir_close(p.t, old.sd), 0);
	ck_assert_state(&p, TAPIR_TCP_ESTABLISHED);
}
END_TEST

/* RFC 9293 3.6.1: an active OPEN of ours does not take the place of a connection in TIME-WAIT; another port is free. */
START_TEST(an_open_from_the_same_port_waits_with_it)
{
	struct peer p = waiting(_i);
	struct tapir_endpoint local = {.port = STACK_PORT}, remote = {tapir_ipv4(10, 0, 0, 1), PEER_PORT};
	tapir_sd sd = tapir_socket(p.t, TAPIR_SOCK_STREAM);

	ck_assert_error(tapir_close(p.t, p.listener), 0);
	p.listener = -1;
	ck_assert_error(tapir_bind(p.t, sd, &local), 0);
	ck_assert_error(tapir_connect(p.t, sd, &remote), TAPIR_EADDRINUSE);
	peer_advance(&p, 60 * TAPIR_SEC);
	ck_assert_error(tapir_connect(p.t, sd, &remote), TAPIR_EINPROGRESS);
	peer_expects(&p, "S 0:0(0)");
	ck_assert_error(tapir_abort(p.t, sd), 0);
}
END_TEST

/* RFC 1337 2: old duplicates of text, ACKs and RSTs: answered or dropped, but neither taken nor the end of the wait. */
START_TEST(old_duplicates_do_not_end_the_wait)
{
	struct peer p = waiting(_i);

	peer_sends(&p, "P. -99:1(100) ack 1");
	ck_assert_verdict(&p, DROP_TCP_TIME_WAIT);
	expects_to_go_on_waiting(&p);
	peer_sends(&p, ". -99:-99(0) ack 1");
	ck_assert_verdict(&p, DROP_TCP_TIME_WAIT);
	expects_to_go_on_waiting(&p);
	peer_sends(&p, "R -99:-99(0)");
	ck_assert_verdict(&p, DROP_TCP_RST_OUT_OF_WINDOW);
	peer_expects_nothing(&p);
	peer_sends(&p, "R 3:3(0)");
	ck_assert_verdict(&p, DROP_TCP_RST_CHALLENGE);
	expects_to_go_on_waiting(&p);
	peer_advance(&p, 60 * TAPIR_SEC);		/* nor do they prolong it */
	ck_assert_state(&p, TAPIR_TCP_CLOSED);
}
END_TEST

/* RFC 9293 3.6: bounded memory comes first: when there are too many the oldest TIME-WAIT gives way. */
START_TEST(the_oldest_wait_gives_way_when_memory_is_short)
{
	peer_config()->max_time_wait = 2;
	struct peer p[3] = {waiting(_i)};

	for (uint16_t k = 1; k <= 2; k++) {
		ck_assert_state(&p[0], TAPIR_TCP_TIME_WAIT);
		p[k] = another_peer(&p[0], (uint16_t)(PEER_PORT + k));
		peer_opens(&p[k]);
		user_accepts(&p[k]);
		user_closes(&p[k]);
		peer_expects(&p[k], "F. 1:1(0) ack 1");
		peer_advance(&p[k], TAPIR_SEC);
		peer_ignores_all(&p[k]);
		peer_sends(&p[k], "F. 1:1(0) ack 2");
		peer_expects(&p[k], ". 2:2(0) ack 2");
	}
	ck_assert_state(&p[0], TAPIR_TCP_CLOSED);
	ck_assert_state(&p[1], TAPIR_TCP_TIME_WAIT);
	ck_assert_state(&p[2], TAPIR_TCP_TIME_WAIT);
	ck_assert_uint_eq(peer_usage(&p[0]).time_wait, 2);
	ck_assert_uint_eq(peer_usage(&p[0]).conns, 2);
}
END_TEST

Suite *suite(void)
{
	return peer_suite("RFC 6191 TIME-WAIT", (const TTest *[]){
		time_wait_lasts_two_msl,
		the_peers_fin_again_begins_the_wait_anew,
		a_syn_with_a_higher_sequence_number_ends_the_wait,
		the_new_iss_lies_above_the_old_connection,
		a_syn_without_a_higher_sequence_number_does_not_end_the_wait,
		a_syn_with_a_newer_timestamp_ends_the_wait,
		a_syn_with_the_same_timestamp_needs_a_higher_sequence_number,
		a_syn_with_an_older_timestamp_does_not_end_the_wait,
		a_syn_without_timestamps_after_a_connection_with_them_needs_a_higher_sequence_number,
		a_syn_with_timestamps_after_a_connection_without_them_ends_the_wait,
		without_a_listener_the_wait_goes_on,
		the_holder_of_the_old_connection_is_not_disturbed,
		an_open_from_the_same_port_waits_with_it,
		old_duplicates_do_not_end_the_wait,
		the_oldest_wait_gives_way_when_memory_is_short,
		NULL
	});
}
