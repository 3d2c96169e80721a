/* test_3_10_7_4_seventh.c: SEGMENT ARRIVES, other states, seventh: process the segment text (RFC 9293 3.10.7.4). */
#include "tests/support/peer.h"

static const enum tapir_tcp_state receiving[] = {TAPIR_TCP_ESTABLISHED, TAPIR_TCP_FIN_WAIT_1, TAPIR_TCP_FIN_WAIT_2};
#define COUNT(list) (sizeof list / sizeof list[0])

/* RFC 9293 3.10.7.4 seventh: ESTABLISHED, FIN-WAIT-1, FIN-WAIT-2: text is moved to the user's buffer, RCV.NXT advances
 * over it, RCV.WND is adjusted so that their total is not reduced, and it is acknowledged:
 * <SEQ=SND.NXT><ACK=RCV.NXT><CTL=ACK>. */
START_TEST(text_is_delivered_and_acknowledged_in_each_state_that_receives)
{
	for (size_t i = 0; i < COUNT(receiving); i++) {
		struct peer p = peer_in(receiving[i], _i);
		uint32_t nxt = p.snd_nxt;

		peer_sends(&p, "P. 1:101(100) ack 1");
		peer_expects(&p, ". %u:%u(0) ack 101 win 65435", nxt, nxt);
		peer_sends(&p, ". 101:1561(1460) ack 1");
		peer_expects(&p, ". %u:%u(0) ack 1561 win 63975", nxt, nxt);
		peer_expects_nothing(&p);
		user_reads(&p, 1560);
		ck_assert_state(&p, receiving[i]);
	}
}
END_TEST

/* RFC 9293 3.10.7.4 seventh: ESTABLISHED, FIN-WAIT-1, FIN-WAIT-2: data is moved until the buffer is full: what is
 * beyond it is not acknowledged, and is taken when it comes again. */
START_TEST(text_is_taken_until_the_buffer_is_full_in_each_state_that_receives)
{
	peer_config()->rcvbuf = 2000;
	for (size_t i = 0; i < COUNT(receiving); i++) {
		struct peer p = peer_in(receiving[i], _i);
		uint32_t nxt = p.snd_nxt;

		peer_sends(&p, ". 1:1461(1460) ack 1");
		peer_expects(&p, ". %u:%u(0) ack 1461 win 540", nxt, nxt);
		peer_sends(&p, ". 1461:2921(1460) ack 1");
		peer_expects(&p, ". %u:%u(0) ack 2001 win 0", nxt, nxt);
		user_reads(&p, 2000);
		peer_expects(&p, ". %u:%u(0) ack 2001 win 2000", nxt, nxt);
		peer_sends(&p, "P. 2001:2921(920) ack 1");
		peer_expects(&p, ". %u:%u(0) ack 2921", nxt, nxt);
		user_reads(&p, 920);
	}
}
END_TEST

/* RFC 9293 3.10.7.4 seventh, 3.8.6 (SHLD-14): ESTABLISHED: the right edge of the window never moves to the left,
 * whatever the user does not read. */
START_TEST(the_right_edge_of_the_window_does_not_move_to_the_left)
{
	peer_config()->rcvbuf = 20000;
	struct peer p = established(_i);

	for (int at = 1; at < 20001; at += 1000) {
		peer_sends(&p, "P. %d:%d(1000) ack 1", at, at + 1000);
		peer_expects(&p, ". 1:1(0) ack %d win %d", at + 1000, 20000 - (at + 999));
	}
	user_reads(&p, 20000);
	peer_expects(&p, ". 1:1(0) ack 20001 win 20000");
}
END_TEST

/* RFC 9293 3.10.7.4 seventh (MAY-13): ESTABLISHED, FIN-WAIT-1, FIN-WAIT-2: a segment in the window but not at its left
 * edge draws an ACK of RCV.NXT, one for each (RFC 5681 4.2), even when several arrive together. */
START_TEST(each_out_of_order_segment_draws_a_duplicate_ack_in_each_state_that_receives)
{
	for (size_t i = 0; i < COUNT(receiving); i++) {
		struct peer p = peer_in(receiving[i], _i);
		uint32_t nxt = p.snd_nxt;

		peer_sends(&p, ". 101:201(100) ack 1");
		peer_sends(&p, ". 201:301(100) ack 1");
		peer_sends(&p, ". 401:501(100) ack 1");
		for (int k = 0; k < 3; k++)
			peer_expects(&p, ". %u:%u(0) ack 1", nxt, nxt);
		peer_expects_nothing(&p);
		peer_sends(&p, ". 1:101(100) ack 1");
		peer_expects(&p, ". %u:%u(0) ack 301", nxt, nxt);
		user_reads(&p, 300);
		peer_sends(&p, "P. 301:401(100) ack 1");
		peer_expects(&p, ". %u:%u(0) ack 501", nxt, nxt);
		user_reads(&p, 200);
	}
}
END_TEST

/* RFC 9293 3.10.7.4 seventh: ESTABLISHED: the acknowledgment is piggybacked on a segment being transmitted if possible
 * without undue delay: with a delayed ACK (3.8.6.3, SHLD-18) the user's answer carries it. */
START_TEST(the_acknowledgment_rides_on_text_when_the_user_answers_in_time)
{
	peer_config()->delack_us = 40 * TAPIR_MS;
	peer_config()->quickacks = 0;
	struct peer p = established(_i);

	peer_sends(&p, "P. 1:101(100) ack 1");
	peer_expects_nothing(&p);
	peer_advance(&p, 39 * TAPIR_MS);
	peer_expects_nothing(&p);
	user_reads(&p, 100);
	user_sends(&p, 50);
	peer_expects(&p, "P. 1:51(50) ack 101");
	peer_expects_nothing(&p);
	peer_sends(&p, "P. 101:201(100) ack 51");
	peer_advance(&p, 39 * TAPIR_MS);
	peer_expects_nothing(&p);
	peer_advance(&p, TAPIR_MS);
	peer_expects(&p, ". 51:51(0) ack 201");
	peer_advance(&p, TAPIR_SEC);
	peer_expects_nothing(&p);
}
END_TEST

/* RFC 9293 3.10.7.4 seventh: ESTABLISHED: a segment that empties and carries PUSH: this API tells no PUSH (MAY-17 left
 * out): what has arrived can be read at once, with PUSH or without. */
START_TEST(text_without_push_can_be_read_at_once)
{
	struct peer p = established(_i);

	peer_sends(&p, ". 1:11(10) ack 1");
	ck_assert_int_ne(tapir_poll(p.t, p.sd) & TAPIR_POLLIN, 0);
	user_reads(&p, 10);
	peer_expects(&p, ". 1:1(0) ack 11");
}
END_TEST

/* RFC 9293 3.10.7.4 seventh: CLOSE-WAIT, CLOSING, LAST-ACK, TIME-WAIT: this should not occur since a FIN has been
 * received: ignore the segment text. */
START_TEST(text_after_the_fin_is_ignored_in_each_state)
{
	static const enum tapir_tcp_state ended[] = {
		TAPIR_TCP_CLOSE_WAIT, TAPIR_TCP_CLOSING, TAPIR_TCP_LAST_ACK, TAPIR_TCP_TIME_WAIT
	};

	for (size_t i = 0; i < COUNT(ended); i++) {
		struct peer p = peer_in(ended[i], _i);

		peer_sends(&p, "P. 2:12(10) ack 1");
		peer_sends(&p, "P. 102:112(10) ack 1");
		peer_expects_nothing(&p);
		ck_assert_state(&p, ended[i]);
		ck_assert_uint_eq(peer_info(&p).unread, 0);
		user_reads_end(&p);
		peer_sends(&p, ". 1:1(0) ack 1");		/* what would be acknowledged now */
		peer_expects(&p, ". %u:%u(0) ack 2", p.snd_nxt, p.snd_nxt);
	}
}
END_TEST

/* RFC 9293 3.10.7.4 seventh: ESTABLISHED, and the user has shut down receiving: text is acknowledged and thrown away,
 * and the window stays open. */
START_TEST(text_that_the_user_does_not_want_is_acknowledged_and_thrown_away)
{
	peer_config()->rcvbuf = 2000;
	struct peer p = established(_i);

	ck_assert_error(tapir_shutdown(p.t, p.sd, TAPIR_SHUT_RD), 0);
	for (int at = 1; at < 10001; at += 1000) {
		peer_sends(&p, "P. %d:%d(1000) ack 1", at, at + 1000);
		ck_assert_uint_ge(peer_ignores_all(&p), 1);
		ck_assert_uint_eq(p.rcv_nxt, (uint32_t)at + 1000);
		ck_assert_uint_ge(peer_info(&p).rcv_wnd, 1000);
	}
	user_reads_end(&p);
	ck_assert_uint_eq(peer_usage(&p).small_frames, 0);
}
END_TEST

Suite *suite(void)
{
	return peer_suite("RFC 9293 3.10.7.4 seventh", (const TTest *[]){
		text_is_delivered_and_acknowledged_in_each_state_that_receives,
		text_is_taken_until_the_buffer_is_full_in_each_state_that_receives,
		the_right_edge_of_the_window_does_not_move_to_the_left,
		each_out_of_order_segment_draws_a_duplicate_ack_in_each_state_that_receives,
		the_acknowledgment_rides_on_text_when_the_user_answers_in_time,
		text_without_push_can_be_read_at_once,
		text_after_the_fin_is_ignored_in_each_state,
		text_that_the_user_does_not_want_is_acknowledged_and_thrown_away,
		NULL
	});
}
