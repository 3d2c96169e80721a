/* test_3_10_7_2_listen.c: SEGMENT ARRIVES in LISTEN (RFC 9293 3.10.7.2), step by step, and the queues behind it. */
#include "tests/support/peer.h"

/* RFC 9293 3.10.7.2 first: a RST is ignored, even with an ACK or a SYN. */
START_TEST(a_rst_in_listen_is_ignored)
{
	struct peer p = listening(_i);

	peer_sends(&p, "R 0:0(0)");
	ck_assert_verdict(&p, DROP_TCP_LISTEN_RST);
	peer_sends(&p, "R. 0:0(0) ack 1");
	ck_assert_verdict(&p, DROP_TCP_LISTEN_RST);
	peer_sends(&p, "SR 0:0(0)");
	ck_assert_verdict(&p, DROP_TCP_LISTEN_RST);
	peer_expects_nothing(&p);
	ck_assert_state(&p, TAPIR_TCP_LISTEN);
}
END_TEST

/* RFC 9293 3.10.7.2 second: any ACK draws <SEQ=SEG.ACK><CTL=RST>, with a SYN too. */
START_TEST(an_ack_in_listen_draws_a_rst)
{
	struct peer p = listening(_i);

	peer_sends(&p, ". 1:1(0) ack 100");
	ck_assert_verdict(&p, DROP_TCP_LISTEN_ACK);
	peer_expects(&p, "R 100:100(0)");
	peer_sends(&p, "S. 0:0(0) ack 1");
	ck_assert_verdict(&p, DROP_TCP_LISTEN_ACK);
	peer_expects(&p, "R 1:1(0)");
	peer_sends(&p, "FP. 1:11(10) ack 7");
	ck_assert_verdict(&p, DROP_TCP_LISTEN_ACK);
	peer_expects(&p, "R 7:7(0)");
	ck_assert_state(&p, TAPIR_TCP_LISTEN);
	ck_assert_uint_eq(peer_usage(&p).conns, 0);
}
END_TEST

/* RFC 9293 3.10.7.2 third: RCV.NXT = SEG.SEQ+1, <SEQ=ISS><ACK=RCV.NXT><CTL=SYN,ACK>, SND.NXT = ISS+1, SND.UNA = ISS,
 * SYN-RECEIVED. */
START_TEST(a_syn_in_listen_is_answered_and_makes_a_connection_in_syn_received)
{
	struct peer p = listening(_i);

	peer_sends(&p, "S 0:0(0) <mss 1460>");
	ck_assert_verdict(&p, ACCEPT);
	peer_expects(&p, "S. 0:0(0) ack 1 win 65535 <mss 1460>");
	peer_expects_nothing(&p);
	ck_assert_states(&p, "LISTEN > SYN-RECEIVED");
	ck_assert_error(tapir_accept(p.t, p.listener, NULL), TAPIR_EAGAIN);
	ck_assert_uint_eq(peer_usage(&p).conns, 1);
	ck_assert_uint_eq(peer_usage(&p).timers, 1);	/* the SYN-ACK is on the retransmission queue */
}
END_TEST

/* RFC 9293 3.10.7.2 third: security and compartment: no datagram carries them here (A.1), so every SYN matches. IP
 * options are none of TCP's business (MUST-50): one is skipped. */
START_TEST(a_syn_with_an_ip_option_in_listen_is_answered)
{
	struct peer p = listening(_i);
	uint8_t frame[2048], longer[2048];
	size_t n = peer_frame(&p, frame, "S 0:0(0) <mss 1460>");

	memcpy(longer, frame, 20);
	memcpy(longer + 20, (const uint8_t[]){1, 1, 1, 0}, 4);	/* three no-operations and the end of the list */
	memcpy(longer + 24, frame + 20, n - 20);
	longer[0] = 0x46;
	longer[3] = (uint8_t)(n + 4);
	longer[10] = longer[11] = 0;
	uint16_t sum = frame_checksum(0, longer, 24);
	longer[10] = (uint8_t)(sum >> 8);
	longer[11] = (uint8_t)sum;
	peer_sends_frame(&p, longer, n + 4);
	ck_assert_verdict(&p, ACCEPT);
	peer_expects(&p, "S. 0:0(0) ack 1");
}
END_TEST

/* RFC 9293 3.10.7.2 third: other control or text on the SYN "should be queued": it is left to the peer to send it
 * again, and not acknowledged, so that a forged source cannot make us hold it. Nothing is lost. */
START_TEST(text_and_fin_on_a_syn_in_listen_are_not_acknowledged_and_come_again)
{
	struct peer p = listening(_i);

	peer_sends(&p, "SF 0:10(10) <mss 1460>");
	ck_assert_verdict(&p, ACCEPT);
	peer_expects(&p, "S. 0:0(0) ack 1");
	ck_assert_state(&p, TAPIR_TCP_SYN_RCVD);
	peer_sends(&p, "FP. 1:11(10) ack 1");
	peer_expects(&p, ". 1:1(0) ack 12");
	ck_assert_state(&p, TAPIR_TCP_CLOSE_WAIT);
	user_accepts(&p);
	user_reads(&p, 10);
	user_reads_end(&p);
}
END_TEST

/* RFC 9293 3.10.7.2 fourth: a segment with neither RST, ACK nor SYN is dropped, and LISTEN goes on. */
START_TEST(anything_else_in_listen_is_dropped)
{
	struct peer p = listening(_i);

	peer_sends(&p, "- 0:0(0)");
	ck_assert_verdict(&p, DROP_TCP_LISTEN_NO_SYN);
	peer_sends(&p, "FPU 0:10(10) urg 3");
	ck_assert_verdict(&p, DROP_TCP_LISTEN_NO_SYN);
	peer_expects_nothing(&p);
	ck_assert_state(&p, TAPIR_TCP_LISTEN);
	peer_opens(&p);
}
END_TEST

/* RFC 9293 3.9.2.3 (MUST-57, MUST-63): a segment to or from a broadcast or multicast address is dropped without an
 * answer. */
START_TEST(a_syn_to_or_from_a_group_address_in_listen_is_dropped_silently)
{
	struct peer p = listening(_i);

	p.path.dst = 0x0a0000ff;
	peer_sends(&p, "S 0:0(0)");
	ck_assert_verdict(&p, DROP_TCP_BROADCAST);
	p.path.dst = 0xffffffff;
	peer_sends(&p, "S 0:0(0)");
	ck_assert_verdict(&p, DROP_TCP_BROADCAST);
	p.path.dst = 0xe0000001;
	peer_sends(&p, "S 0:0(0)");
	ck_assert_verdict(&p, DROP_TCP_BROADCAST);
	p.path.dst = 0x0a000002;
	p.path.src = 0x0a0000ff;
	peer_sends(&p, "S 0:0(0)");
	ck_assert_verdict(&p, DROP_IP_SOURCE);
	p.path.src = 0xe0000001;
	peer_sends(&p, "S 0:0(0)");
	ck_assert_verdict(&p, DROP_IP_SOURCE);
	peer_expects_nothing(&p);
	ck_assert_uint_eq(peer_usage(&p).conns, 0);
}
END_TEST

/* RFC 9293 3.9.1.1 (MUST-41, MUST-42): LISTEN goes on while its connections are opened, established and closed. */
START_TEST(many_connections_come_from_one_listen)
{
	struct peer p = listening(_i);
	struct peer peers[4];

	for (uint16_t i = 0; i < 4; i++) {
		peers[i] = another_peer(&p, (uint16_t)(PEER_PORT + i));
		peer_sends(&peers[i], "S 0:0(0) <mss 1460>");
	}
	for (int i = 3; i >= 0; i--)
		peer_expects(&peers[i], "S. 0:0(0) ack 1");
	for (int i = 0; i < 4; i++) {
		peer_sends(&peers[i], ". 1:1(0) ack 1");
		user_accepts(&peers[i]);
		ck_assert_state(&peers[i], TAPIR_TCP_ESTABLISHED);
	}
	ck_assert_error(tapir_accept(p.t, p.listener, NULL), TAPIR_EAGAIN);
}
END_TEST

/* RFC 9293 3.10.7.2 third: the accept queue is full: SYNs are dropped without an answer and the peer tries again; the
 * ACK of a handshake that is under way is dropped too, and the SYN-ACK is sent again. */
START_TEST(a_full_accept_queue_drops_syns_and_final_acks_until_there_is_room)
{
	struct peer p = closed(_i), q;

	user_listens(&p, 1);
	q = another_peer(&p, PEER_PORT + 1);
	peer_sends(&p, "S 0:0(0) <mss 1460>");
	peer_expects(&p, "S. 0:0(0) ack 1");
	peer_opens(&q);
	peer_sends(&p, ". 1:1(0) ack 1");
	ck_assert_verdict(&p, DROP_TCP_BACKLOG);
	ck_assert_state(&p, TAPIR_TCP_SYN_RCVD);
	user_accepts(&q);
	ck_assert_uint_eq(peer_until_timer(&p), TAPIR_SEC);
	peer_expects(&p, "S. 0:0(0) ack 1");
	peer_sends(&p, ". 1:1(0) ack 1");
	ck_assert_state(&p, TAPIR_TCP_ESTABLISHED);
	q = another_peer(&p, PEER_PORT + 2);
	peer_sends(&q, "S 0:0(0)");
	ck_assert_verdict(&q, DROP_TCP_BACKLOG);
	peer_expects_nothing(&q);
}
END_TEST

/* RFC 9293 3.10.7.2 third, bounded: the SYN queue is full: the oldest half-open connection gives way, silently. */
START_TEST(a_full_syn_queue_forgets_the_oldest_half_open_connection)
{
	struct peer p, q[5];

	peer_config()->max_half_open = 4;
	peer_config()->syn_cookies = 0;
	p = listening(_i);
	for (uint16_t i = 0; i < 5; i++) {
		q[i] = another_peer(&p, (uint16_t)(PEER_PORT + i));
		peer_sends(&q[i], "S 0:0(0) <mss 1460>");
		peer_expects(&q[i], "S. 0:0(0) ack 1");
	}
	ck_assert_states(&q[0], "LISTEN > SYN-RECEIVED > CLOSED");
	ck_assert_uint_eq(peer_usage(&p).conns, 4);
	peer_sends(&q[0], ". 1:1(0) ack 1");
	ck_assert_verdict(&q[0], DROP_TCP_LISTEN_ACK);
	peer_expects(&q[0], "R 1:1(0)");
	peer_sends(&q[1], ". 1:1(0) ack 1");
	ck_assert_state(&q[1], TAPIR_TCP_ESTABLISHED);
}
END_TEST

Suite *suite(void)
{
	return peer_suite("RFC 9293 3.10.7.2 LISTEN", (const TTest *[]){
		a_rst_in_listen_is_ignored,
		an_ack_in_listen_draws_a_rst,
		a_syn_in_listen_is_answered_and_makes_a_connection_in_syn_received,
		a_syn_with_an_ip_option_in_listen_is_answered,
		text_and_fin_on_a_syn_in_listen_are_not_acknowledged_and_come_again,
		anything_else_in_listen_is_dropped,
		a_syn_to_or_from_a_group_address_in_listen_is_dropped_silently,
		many_connections_come_from_one_listen,
		a_full_accept_queue_drops_syns_and_final_acks_until_there_is_room,
		a_full_syn_queue_forgets_the_oldest_half_open_connection,
		NULL
	});
}
