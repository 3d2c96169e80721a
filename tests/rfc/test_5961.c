/* test_5961.c: robustness to blind in-window attacks (RFC 5961 3 to 5; RFC 9293 3.10.7.4): a third party that guesses the ports
 * must guess one sequence number exactly, not just hit a window. */
#include "tests/support/peer.h"

static const enum tapir_tcp_state synchronized[] = {
	TAPIR_TCP_ESTABLISHED, TAPIR_TCP_FIN_WAIT_1, TAPIR_TCP_FIN_WAIT_2, TAPIR_TCP_CLOSE_WAIT, TAPIR_TCP_CLOSING,
	TAPIR_TCP_LAST_ACK, TAPIR_TCP_TIME_WAIT
};
#define SYNCHRONIZED (sizeof synchronized / sizeof synchronized[0])

static void expects_challenge(struct peer *p)
{
	peer_expects(p, ". %u:%u(0) ack %u", p->snd_nxt, p->snd_nxt, p->rcv_nxt);
	ck_assert_why(p, "5961 ");
	peer_expects_nothing(p);
}

/* RFC 5961 3.2 (1): a RST outside the window, each state: silence. */
START_TEST(a_reset_outside_the_window_is_dropped_in_silence)
{
	for (size_t i = 0; i < SYNCHRONIZED; i++) {
		struct peer p = peer_in(synchronized[i], _i);
		uint32_t at = p.rcv_nxt;

		peer_sends(&p, "R %u:%u(0)", at - 1, at - 1);
		ck_assert_verdict(&p, DROP_TCP_RST_OUT_OF_WINDOW);
		peer_sends(&p, "R %u:%u(0)", at + 65535, at + 65535);
		ck_assert_verdict(&p, DROP_TCP_RST_OUT_OF_WINDOW);
		peer_expects_nothing(&p);
		ck_assert_state(&p, synchronized[i]);
	}
}
END_TEST

/* RFC 5961 3.2 (3): a RST in the window, but not at RCV.NXT, each state: a challenge ACK. A peer that did reset answers it with
 * a RST at RCV.NXT, and (2) that one counts. */
START_TEST(a_reset_in_the_window_is_challenged)
{
	peer_config()->rfc1337 = false;
	for (size_t i = 0; i < SYNCHRONIZED; i++) {
		struct peer p = peer_in(synchronized[i], _i);
		uint32_t at = p.rcv_nxt;

		peer_sends(&p, "R %u:%u(0)", at + 1, at + 1);
		ck_assert_verdict(&p, DROP_TCP_RST_CHALLENGE);
		expects_challenge(&p);
		ck_assert_state(&p, synchronized[i]);
		peer_sends(&p, "R %u:%u(0)", at, at);
		peer_expects_nothing(&p);
		ck_assert_state(&p, TAPIR_TCP_CLOSED);
	}
}
END_TEST

/* RFC 5961 3.2 (3): to the last octet of the window. */
START_TEST(a_reset_at_the_far_edge_of_the_window_is_challenged)
{
	struct peer p = established(_i);

	peer_sends(&p, "R 65535:65535(0)");
	ck_assert_verdict(&p, DROP_TCP_RST_CHALLENGE);
	expects_challenge(&p);
	peer_sends(&p, "R 65536:65536(0)");
	ck_assert_verdict(&p, DROP_TCP_RST_OUT_OF_WINDOW);
	peer_expects_nothing(&p);
}
END_TEST

/* RFC 5961 4.2: a SYN on a synchronized connection, each state but TIME-WAIT: a challenge ACK, whatever its sequence number. A peer
 * that has started anew answers with a RST at RCV.NXT. */
START_TEST(a_syn_is_challenged_whatever_its_sequence_number)
{
	for (size_t i = 0; i < SYNCHRONIZED - 1; i++) {
		struct peer p = peer_in(synchronized[i], _i);
		const int at[] = {(int)p.rcv_nxt, (int)p.rcv_nxt + 100, (int)p.rcv_nxt - 100, 1 << 30};

		for (size_t k = 0; k < sizeof at / sizeof at[0]; k++) {
			peer_sends(&p, "S %d:%d(0) <mss 1460>", at[k], at[k]);
			ck_assert_verdict(&p, DROP_TCP_SYN_CHALLENGE);
			expects_challenge(&p);
			peer_sends(&p, "S. %d:%d(0) ack 1 <mss 1460>", at[k], at[k]);
			ck_assert_verdict(&p, DROP_TCP_SYN_CHALLENGE);
			expects_challenge(&p);
		}
		ck_assert_state(&p, synchronized[i]);
	}
}
END_TEST

/* RFC 5961 4.2: with timestamps agreed on, the new SYN may have none: it is challenged all the same. */
START_TEST(a_syn_without_the_agreed_timestamps_is_challenged)
{
	peer_config()->timestamps = true;
	struct peer p = established(_i);

	peer_sends(&p, "S 5000:5000(0) <mss 1460>");
	ck_assert_verdict(&p, DROP_TCP_SYN_CHALLENGE);
	expects_challenge(&p);
	peer_sends(&p, "R 1:1(0) <nop,nop,nop,nop>");
	ck_assert_state(&p, TAPIR_TCP_CLOSED);
}
END_TEST

/* RFC 5961 5.2; RFC 9293 3.10.7.4 fifth (MAY-12): SND.UNA - MAX.SND.WND =< SEG.ACK =< SND.NXT, or the segment is dropped and
 * its text is not taken. */
START_TEST(text_with_an_ack_out_of_range_is_not_taken)
{
	struct peer p = established(_i);

	user_sends(&p, 1000);
	peer_expects(&p, "P. 1:1001(1000) ack 1");
	peer_sends(&p, ". 1:1(0) ack 1001 win 5000");		/* the largest window ever seen is still 65535 */
	peer_sends(&p, "P. 1:11(10) ack 1002");
	ck_assert_verdict(&p, DROP_TCP_ACK_RANGE);
	expects_challenge(&p);
	peer_sends(&p, "P. 1:11(10) ack %d", 1001 - 65536);
	ck_assert_verdict(&p, DROP_TCP_ACK_RANGE);
	expects_challenge(&p);
	ck_assert_error(user_recv_result(&p), TAPIR_EAGAIN);
	peer_sends(&p, "P. 1:11(10) ack %d", 1001 - 65535);
	ck_assert_verdict(&p, ACCEPT);
	peer_expects(&p, ". 1001:1001(0) ack 11");
	user_reads(&p, 10);
	ck_assert_uint_eq(peer_info(&p).unacked, 0);
}
END_TEST

/* RFC 5961 5.2: each state: an ACK of something that was never sent is challenged and changes nothing. */
START_TEST(an_ack_of_what_was_not_sent_is_challenged)
{
	for (size_t i = 0; i < SYNCHRONIZED; i++) {
		struct peer p = peer_in(synchronized[i], _i);

		peer_sends(&p, ". %u:%u(0) ack %u", p.rcv_nxt, p.rcv_nxt, p.snd_nxt + 1);
		ck_assert_verdict(&p, DROP_TCP_ACK_RANGE);
		expects_challenge(&p);
		ck_assert_state(&p, synchronized[i]);
	}
}
END_TEST

/* RFC 5961 7: so many challenge ACKs a second, for all connections together; then silence until the next second. Of one
 * there is always one: the number drawn lies from half of the configured one, rounded up, to below one and a half of it. */
START_TEST(challenge_acks_are_rate_limited)
{
	peer_config()->challenge_acks = 1;
	struct peer p = established(_i), q = another_peer(&p, PEER_PORT + 1);

	peer_opens(&q);
	peer_sends(&p, "R 2:2(0)");
	expects_challenge(&p);
	for (int i = 0; i < 5; i++) {
		peer_sends(&p, "R 2:2(0)");
		ck_assert_verdict(&p, DROP_TCP_RST_CHALLENGE);
		peer_sends(&q, "S 9:9(0)");
		ck_assert_verdict(&q, DROP_TCP_SYN_CHALLENGE);
		peer_expects_nothing(&p);
	}
	peer_advance(&p, TAPIR_SEC - 1);
	peer_sends(&p, "R 2:2(0)");
	peer_expects_nothing(&p);
	peer_advance(&p, 1);
	peer_sends(&p, "R 2:2(0)");
	expects_challenge(&p);
}
END_TEST

/* RFC 5961 7: the limit is for challenges only: ordinary ACKs and the RST that counts are not held up by it. */
START_TEST(the_rate_limit_holds_up_nothing_else)
{
	peer_config()->challenge_acks = 1;
	struct peer p = established(_i);

	peer_sends(&p, "R 2:2(0)");
	expects_challenge(&p);
	peer_sends(&p, "P. 1:11(10) ack 1");
	peer_expects(&p, ". 1:1(0) ack 11");
	peer_sends(&p, "P. 1:11(10) ack 1");			/* our ACK was lost */
	peer_expects(&p, ". 1:1(0) ack 11");
	peer_sends(&p, ". 21:31(10) ack 1");
	peer_expects(&p, ". 1:1(0) ack 11");
	peer_sends(&p, "R 11:11(0)");
	ck_assert_state(&p, TAPIR_TCP_CLOSED);
}
END_TEST

/* RFC 9293 3.10.7.4 first; RFC 5961 7: two stacks that each find the other's ACK unacceptable do not answer each other for
 * ever: these ACKs are under the limit as well. */
START_TEST(an_ack_war_ends)
{
	peer_config()->challenge_acks = 10;
	struct peer p = established(_i);
	int answers = 0;

	for (int i = 0; i < 100; i++) {
		peer_sends(&p, ". 100000:100000(0) ack 1");
		ck_assert_verdict(&p, DROP_TCP_OUT_OF_WINDOW);
		answers += (int)peer_ignores_all(&p);
	}
	ck_assert(answers >= 5 && answers < 15);
}
END_TEST

Suite *suite(void)
{
	return peer_suite("5961", (const TTest *[]){
		a_reset_outside_the_window_is_dropped_in_silence,
		a_reset_in_the_window_is_challenged,
		a_reset_at_the_far_edge_of_the_window_is_challenged,
		a_syn_is_challenged_whatever_its_sequence_number,
		a_syn_without_the_agreed_timestamps_is_challenged,
		text_with_an_ack_out_of_range_is_not_taken,
		an_ack_of_what_was_not_sent_is_challenged,
		challenge_acks_are_rate_limited,
		the_rate_limit_holds_up_nothing_else,
		an_ack_war_ends,
		NULL
	});
}
