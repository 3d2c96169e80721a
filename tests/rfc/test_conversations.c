/* test_conversations.c: what packetdrill's scripts and the kernel's selftests are about, where no other file here says it: whole
 * exchanges rather than one rule. The scripts themselves run with `make drill` (docs/packetdrill.md). */
#include "tests/support/peer.h"

/* ---- opening --------------------------------------------------------------------------------------------------- */

/* RFC 6298 5.5: a SYN-ACK is sent again after an RTO that doubles up to its limit, and no further. */
START_TEST(a_syn_ack_backs_off_to_the_longest_rto)
{
	peer_config()->rto_max_us = peer_config()->rto_initial_us;
	struct peer p = listening(_i);
	usec_t then;

	peer_sends(&p, "S 0:0(0) win 1000 <mss 1460>");
	peer_expects(&p, "S. 0:0(0) ack 1");
	for (int i = 0; i < 3; i++) {
		then = p.at_us;
		peer_until_timer(&p);
		peer_expects(&p, "S. 0:0(0) ack 1");
		ck_assert_uint_eq(p.at_us - then, TAPIR_SEC);
	}
	peer_sends(&p, ". 1:1(0) ack 1");
	user_accepts(&p);
	ck_assert_state(&p, TAPIR_TCP_ESTABLISHED);
}
END_TEST

/* RFC 9293 3.8.6: the peer may open with a window of zero. What the program sends meanwhile leaves when the window does. */
START_TEST(a_peer_that_opens_with_a_closed_window_is_sent_nothing_until_it_opens)
{
	struct peer p = syn_sent(_i);

	p.win = 0;
	peer_sends(&p, "S. 0:0(0) ack 1 win 0 <mss 1000>");
	peer_expects(&p, ". 1:1(0) ack 1");
	user_sends(&p, 1000);
	peer_expects_nothing(&p);
	peer_sends(&p, ". 1:1(0) ack 1 win 2000");
	peer_expects(&p, "P. 1:1001(1000) ack 1");
}
END_TEST

/* RFC 9293 3.7.1 (SHLD-5, MUST-67): the MSS option says what we can receive. What a path to the peer can carry bounds only what
 * we send: the next connection to it sends small segments, and offers the same as before. */
START_TEST(a_learned_path_mtu_is_not_offered_as_our_mss)
{
	struct peer p = established(_i), q;

	user_sends(&p, 1460);
	peer_expects(&p, "P. 1:1461(1460) ack 1");
	peer_sends_icmp(&p, 3, 4, 1200, 1);
	peer_expects(&p, ". 1:1161(1160) ack 1");
	peer_expects(&p, "P. 1161:1461(300) ack 1");
	peer_sends(&p, ". 1:1(0) ack 1461");
	q = another_peer(&p, PEER_PORT + 1);
	peer_sends(&q, "S 0:0(0) <mss 1460>");
	peer_expects(&q, "S. 0:0(0) ack 1 win 65535 <mss 1460>");
	peer_sends(&q, ". 1:1(0) ack 1");
	user_accepts(&q);
	user_sends(&q, 1460);
	peer_expects(&q, ". 1:1161(1160) ack 1");
	peer_expects(&q, "P. 1161:1461(300) ack 1");
}
END_TEST

/* ---- sending --------------------------------------------------------------------------------------------------- */

/* RFC 9293 3.9.1.2: a driver that cuts up a frame gives PSH to its last segment: a receiver that gathers segments then passes
 * them on. The last of what the user has sent has it anyway (MUST-61). */
START_TEST(a_frame_for_a_driver_to_cut_up_ends_with_psh)
{
	peer_config()->offload.tso4 = true;
	peer_config()->initial_window = 2;
	struct peer p = established(_i);

	user_sends(&p, 4000);
	peer_expects(&p, "P. 1:2921(2920) ack 1");
	peer_sends(&p, ". 1:1(0) ack 1461");
	peer_expects(&p, "P. 2921:4001(1080) ack 1");
}
END_TEST

/* RFC 5681 3.1, RFC 9406 4.2: in slow start each segment that is acknowledged lets two out, whether the peer acknowledges every
 * one, every second, or every fourth. */
START_TEST(slow_start_doubles_however_the_peer_acknowledges)
{
	static const int strides[] = {1, 2, 4};

	for (size_t i = 0; i < sizeof strides / sizeof strides[0]; i++) {
		struct peer p = established(_i);

		user_sends(&p, 65535);
		ck_assert_uint_eq(peer_ignores_all(&p), 10);
		for (int acked = strides[i]; acked <= 8; acked += strides[i]) {
			peer_sends(&p, ". 1:1(0) ack %d", 1 + 1460 * acked);
			ck_assert_uint_eq(peer_ignores_all(&p), 2u * (unsigned)strides[i]);
		}
		ck_assert_uint_eq(peer_info(&p).snd_cwnd, 18u * 1460);
	}
}
END_TEST

/* RFC 6298 2.4: the least RTO is there for a receiver that delays its ACK; so it comes on top of the time that the path takes, and
 * a steady path of 190 ms still leaves 200 for the ACK. */
START_TEST(the_least_rto_lies_on_top_of_the_round_trip)
{
	struct peer p = established(_i);

	ck_assert_error(tapir_setsockopt(p.t, p.sd, TAPIR_TCP_NODELAY, 1), 0);
	for (uint32_t i = 0; i < 40; i++) {
		user_sends(&p, 10);
		peer_expects(&p, "P. %u:%u(10) ack 1", 1 + 10 * i, 11 + 10 * i);
		peer_advance(&p, 190 * TAPIR_MS);
		peer_sends(&p, ". 1:1(0) ack %u", 11 + 10 * i);
	}
	ck_assert_uint_lt(peer_info(&p).rttvar_us, 10000);
	ck_assert_uint_gt(peer_info(&p).rto_us, 380 * TAPIR_MS);
	ck_assert_uint_lt(peer_info(&p).rto_us, 400 * TAPIR_MS);
	user_sends(&p, 10);
	peer_expects(&p, "P. 401:411(10) ack 1");
	peer_advance(&p, 190 * TAPIR_MS + 40 * TAPIR_MS);	/* the peer delays its ACK */
	peer_expects_nothing(&p);
	peer_sends(&p, ". 1:1(0) ack 411");
	ck_assert_uint_eq(peer_info(&p).total_retrans, 0);
}
END_TEST

/* RFC 2883 4: the first SACK block of an ACK reports text that came again. Of two such pieces in one segment it is the first;
 * what it fills is acknowledged, what lies beyond follows. */
START_TEST(a_segment_that_covers_two_pieces_reports_the_first_as_duplicate)
{
	peer_config()->sack = true;
	struct peer p = listening(_i);

	peer_sends(&p, "S 0:0(0) <mss 1460,sackOK>");
	peer_expects(&p, "S. 0:0(0) ack 1");
	peer_sends(&p, ". 1:1(0) ack 1");
	user_accepts(&p);
	peer_sends(&p, "P. 101:301(200) ack 1");
	peer_expects(&p, ". 1:1(0) ack 1 <sack 101:301>");
	peer_sends(&p, "P. 401:501(100) ack 1");
	peer_expects(&p, ". 1:1(0) ack 1 <sack 401:501 101:301>");
	peer_sends(&p, "P. 701:801(100) ack 1");
	peer_expects(&p, ". 1:1(0) ack 1 <sack 701:801 401:501 101:301>");
	peer_sends(&p, "P. 1:601(600) ack 1");
	peer_expects(&p, ". 1:1(0) ack 601 <sack 101:301 701:801>");
	peer_sends(&p, "P. 601:801(200) ack 1");
	peer_expects(&p, ". 1:1(0) ack 801 <sack 701:801>");
	peer_sends(&p, "P. 1:101(100) ack 1");
	peer_expects(&p, ". 1:1(0) ack 801 <sack 1:101>");
}
END_TEST

/* ---- closing --------------------------------------------------------------------------------------------------- */

/* RFC 9293 3.10.7.4 fifth: their FIN was sent before they saw ours, and overtaken by the ACK of ours: its own ACK is then below
 * SND.UNA, which is no reason to drop it. */
START_TEST(a_fin_that_was_overtaken_by_an_ack_still_ends_the_connection)
{
	struct peer p = established(_i);

	user_shuts_down(&p);
	peer_expects(&p, "F. 1:1(0) ack 1");
	peer_sends(&p, ". 2:2(0) ack 2");
	ck_assert_state(&p, TAPIR_TCP_FIN_WAIT_2);
	peer_sends(&p, "F. 1:1(0) ack 1");
	peer_expects(&p, ". 2:2(0) ack 2");
	ck_assert_state(&p, TAPIR_TCP_TIME_WAIT);
}
END_TEST

/* RFC 9293 3.6.1: close() is a reset only when text is lost by it. Text that came twice, the second time with a FIN, was read. */
START_TEST(text_that_came_twice_and_was_read_once_is_not_lost_by_a_close)
{
	struct peer p = established(_i);

	peer_sends(&p, ". 1:1001(1000) ack 1");
	peer_expects(&p, ". 1:1(0) ack 1001");
	user_reads(&p, 1000);
	peer_sends(&p, "F. 1:1001(1000) ack 1");
	peer_expects(&p, ". 1:1(0) ack 1002");
	user_closes(&p);
	peer_expects(&p, "F. 1:1(0) ack 1002");
}
END_TEST

/* shutdown(SHUT_RD) is between the program and its own TCP: the peer has nothing to learn from it. Here the window that the
 * handshake could not yet say is much larger than the one that it said. */
START_TEST(a_program_that_stops_reading_says_nothing_to_the_peer)
{
	peer_config()->window_scale = true;
	peer_config()->rcvbuf = 1 << 20;
	struct peer p = listening(_i);

	peer_sends(&p, "S 0:0(0) <mss 1460,wscale 7>");
	peer_expects(&p, "S. 0:0(0) ack 1");
	peer_sends(&p, ". 1:1(0) ack 1");
	user_accepts(&p);
	ck_assert_error(tapir_shutdown(p.t, p.sd, TAPIR_SHUT_RD), 0);
	peer_expects_nothing(&p);
}
END_TEST

/* RFC 7323 3.2: a RST of a connection with timestamps carries one, so that it is not taken for an old one. Without ACK there is
 * nothing to echo: TSecr MUST be zero. */
START_TEST(a_reset_carries_a_timestamp_and_echoes_none)
{
	peer_config()->timestamps = true;
	struct peer p = listening(_i);

	peer_sends(&p, "S 0:0(0) <mss 1460,TS val 100 ecr 0>");
	peer_expects(&p, "S. 0:0(0) ack 1");
	p.timestamps = true;
	peer_sends(&p, ". 1:1(0) ack 1");
	user_accepts(&p);
	peer_advance(&p, TAPIR_SEC);
	user_aborts(&p);
	peer_expects(&p, "R 1:1(0) <TS val 1000 ecr 0>");
	ck_assert_uint_eq(peer_last_frame().n, 52);
}
END_TEST

Suite *suite(void)
{
	return peer_suite("conversations", (const TTest *[]){
		a_syn_ack_backs_off_to_the_longest_rto,
		a_peer_that_opens_with_a_closed_window_is_sent_nothing_until_it_opens,
		a_learned_path_mtu_is_not_offered_as_our_mss,
		a_frame_for_a_driver_to_cut_up_ends_with_psh,
		slow_start_doubles_however_the_peer_acknowledges,
		the_least_rto_lies_on_top_of_the_round_trip,
		a_segment_that_covers_two_pieces_reports_the_first_as_duplicate,
		a_fin_that_was_overtaken_by_an_ack_still_ends_the_connection,
		text_that_came_twice_and_was_read_once_is_not_lost_by_a_close,
		a_program_that_stops_reading_says_nothing_to_the_peer,
		a_reset_carries_a_timestamp_and_echoes_none,
		NULL
	});
}
