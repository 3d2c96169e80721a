/* test_3_10_7_4_fourth.c: SEGMENT ARRIVES, other states, fourth: check the SYN bit (RFC 9293 3.10.7.4, RFC 5961 4.2,
 * RFC 6191). */
#include "tests/support/peer.h"

static const enum tapir_tcp_state synchronized[] = {
	TAPIR_TCP_ESTABLISHED, TAPIR_TCP_FIN_WAIT_1, TAPIR_TCP_FIN_WAIT_2, TAPIR_TCP_CLOSE_WAIT, TAPIR_TCP_CLOSING,
	TAPIR_TCP_LAST_ACK, TAPIR_TCP_TIME_WAIT
};
#define COUNT(list) (sizeof list / sizeof list[0])

static void expect_challenge(struct peer *p, enum tapir_tcp_state state)
{
	uint32_t snd_nxt = p->snd_nxt, rcv_nxt = p->rcv_nxt;

	ck_assert_verdict(p, DROP_TCP_SYN_CHALLENGE);
	peer_expects(p, ". %u:%u(0) ack %u", snd_nxt, snd_nxt, rcv_nxt);
	ck_assert_why(p, "RFC 5961 4.2");
	peer_expects_nothing(p);
	ck_assert_state(p, state);
}

/* RFC 9293 3.10.7.4 fourth: SYN-RECEIVED, passive OPEN: a SYN in the window returns the connection to LISTEN. */
START_TEST(a_syn_in_the_window_in_syn_received_from_listen_returns_to_listen)
{
	struct peer p = syn_received(_i);

	peer_sends(&p, "S 1:1(0) <mss 1460>");
	ck_assert_states(&p, "LISTEN > SYN-RECEIVED > CLOSED");
	ck_assert_state(&p, TAPIR_TCP_LISTEN);
	ck_assert_uint_eq(peer_usage(&p).conns, 0);
	peer_expects_nothing(&p);
	peer_opens(&p);
}
END_TEST

/* RFC 9293 3.10.7.4 fourth: SYN-RECEIVED, active OPEN: as in the synchronized states: challenge ACK, drop. */
START_TEST(a_syn_in_the_window_in_syn_received_from_syn_sent_draws_a_challenge_ack)
{
	struct peer p = syn_received_active(_i);

	peer_sends(&p, "S 1:1(0) <mss 1460>");
	expect_challenge(&p, TAPIR_TCP_SYN_RCVD);
	peer_sends(&p, "S. 100:100(0) ack 1 <mss 1460>");
	expect_challenge(&p, TAPIR_TCP_SYN_RCVD);
	peer_sends(&p, ". 1:1(0) ack 1");
	ck_assert_state(&p, TAPIR_TCP_ESTABLISHED);
}
END_TEST

/* RFC 9293 3.10.7.4 fourth: ESTABLISHED, FIN-WAIT-1, FIN-WAIT-2, CLOSE-WAIT, CLOSING, LAST-ACK, TIME-WAIT:
 * irrespective of the sequence number a SYN draws a challenge ACK <SEQ=SND.NXT><ACK=RCV.NXT><CTL=ACK> and is dropped.
 * (In TIME-WAIT a SYN with a higher number and without ACK opens a new connection, below.) */
START_TEST(a_syn_draws_a_challenge_ack_in_each_state)
{
	for (size_t i = 0; i < COUNT(synchronized); i++) {
		struct peer p = peer_in(synchronized[i], _i);
		uint32_t rcv_nxt = p.rcv_nxt;
		const uint32_t places[] = {0, rcv_nxt - 1, rcv_nxt, rcv_nxt + 1000, rcv_nxt + 70000, rcv_nxt - 70000};

		for (size_t k = 0; k < COUNT(places); k++) {
			peer_sends(&p, "S. %d:%d(0) ack %u", (int)places[k], (int)places[k], p.snd_nxt);
			expect_challenge(&p, synchronized[i]);
			if (synchronized[i] == TAPIR_TCP_TIME_WAIT && (int)(places[k] - rcv_nxt) > 0)
				continue;
			peer_sends(&p, "S %d:%d(0)", (int)places[k], (int)places[k]);
			expect_challenge(&p, synchronized[i]);
		}
	}
}
END_TEST

/* RFC 9293 3.10.7.4 fourth: ESTABLISHED: nothing else of a SYN's segment is used: not its ACK, not its text. */
START_TEST(nothing_of_a_segment_with_a_syn_is_used)
{
	struct peer p = established(_i);

	user_sends(&p, 10);
	peer_expects(&p, "P. 1:11(10) ack 1");
	peer_sends(&p, "SFP. 1:21(20) ack 11");
	expect_challenge(&p, TAPIR_TCP_ESTABLISHED);
	ck_assert_uint_eq(peer_info(&p).unacked, 10);
	ck_assert_uint_eq(peer_info(&p).unread, 0);
}
END_TEST

/* RFC 5961 4.2, RFC 9293 3.10.7.4 fourth: the challenge finds out a peer that has lost its connection: it answers the
 * ACK by a RST at RCV.NXT, and the port is free. In ESTABLISHED. */
START_TEST(a_challenge_lets_a_restarted_peer_reset_the_old_connection)
{
	struct peer p = established(_i);

	peer_sends(&p, "S 5000:5000(0) <mss 1460>");
	expect_challenge(&p, TAPIR_TCP_ESTABLISHED);
	peer_sends(&p, "R 1:1(0)");
	ck_assert_state(&p, TAPIR_TCP_CLOSED);
	p.sd = -1;
	p.iss += 5000;
	peer_opens(&p);
}
END_TEST

/* RFC 9293 3.10.7.4 fourth, 3.6.1 (MAY-2), RFC 6191 2: TIME-WAIT without timestamps: a SYN with a higher sequence
 * number opens a new connection at once, with a higher ISS. */
START_TEST(a_syn_with_a_higher_number_in_time_wait_opens_a_new_connection)
{
	struct peer p = time_wait(_i);

	peer_sends(&p, "S 1000:1000(0) <mss 1460>");
	ck_assert_verdict(&p, ACCEPT);
	ck_assert_uint_eq(peer_usage(&p).time_wait, 0);
	p.stack_iss += 2 + 65536;
	p.iss += 1000;
	peer_expects(&p, "S. 0:0(0) ack 1");
	peer_sends(&p, ". 1:1(0) ack 1");
	ck_assert_error(user_recv_result(&p), 0);	/* the old descriptor is still the old connection's */
	user_closes(&p);
	user_accepts(&p);
	ck_assert_state(&p, TAPIR_TCP_ESTABLISHED);
}
END_TEST

/* RFC 9293 3.10.7.4 fourth, 3.6.1 (SHLD-4), RFC 6191 2: TIME-WAIT with timestamps: a newer one opens a new connection
 * whatever the sequence number, an equal one with a higher number too, an older one never does. */
START_TEST(timestamps_decide_whether_a_syn_in_time_wait_opens_a_new_connection)
{
	static const struct { const char *line; bool opens; } cases[] = {
		{"S -5:-5(0) <mss 1460,TS val 101 ecr 0>", true}, {"S 5:5(0) <mss 1460,TS val 100 ecr 0>", true},
		{"S 1:1(0) <mss 1460,TS val 100 ecr 0>", false}, {"S 5:5(0) <mss 1460,TS val 99 ecr 0>", false},
		{"S -5:-5(0) <mss 1460>", false}, {"S 5:5(0) <mss 1460>", true},
	};

	peer_config()->timestamps = true;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct peer p = time_wait(_i);

		user_closes(&p);
		peer_sends(&p, "%s", cases[i].line);
		ck_assert_uint_eq(peer_ignores_all(&p), 1);
		ck_assert_state(&p, cases[i].opens ? TAPIR_TCP_SYN_RCVD : TAPIR_TCP_TIME_WAIT);
	}
}
END_TEST

/* RFC 9293 3.10.7.4 fourth: TIME-WAIT, nobody listens any more: the SYN opens nothing and TIME-WAIT goes on. */
START_TEST(a_syn_in_time_wait_without_a_listener_draws_a_challenge_ack)
{
	struct peer p = time_wait(_i);

	ck_assert_error(tapir_close(p.t, p.listener), 0);
	peer_sends(&p, "S 1000:1000(0) <mss 1460>");
	expect_challenge(&p, TAPIR_TCP_TIME_WAIT);
}
END_TEST

Suite *suite(void)
{
	return peer_suite("RFC 9293 3.10.7.4 fourth", (const TTest *[]){
		a_syn_in_the_window_in_syn_received_from_listen_returns_to_listen,
		a_syn_in_the_window_in_syn_received_from_syn_sent_draws_a_challenge_ack,
		a_syn_draws_a_challenge_ack_in_each_state,
		nothing_of_a_segment_with_a_syn_is_used,
		a_challenge_lets_a_restarted_peer_reset_the_old_connection,
		a_syn_with_a_higher_number_in_time_wait_opens_a_new_connection,
		timestamps_decide_whether_a_syn_in_time_wait_opens_a_new_connection,
		a_syn_in_time_wait_without_a_listener_draws_a_challenge_ack,
		NULL
	});
}
