/* test_figures.c: RFC 9293 figures 5 to 13 as conversations: every arrow of the state diagram (figure 5), then each of the
 * others up to the last that the RFC has, from both ends where they differ. The comments at the right are the figures' lines.
 * TCP Peer A's numbers 100 and B's 300 are each side's first: 0 for a SYN, 1 in a connection that is open. */
#include "tests/support/peer.h"

/* ---- figure 5: each arrow, named by the states at its ends ------------------------------------------------------- */

/* RFC 9293 figure 5: CLOSED, active OPEN: create TCB, snd SYN. */
START_TEST(closed_active_open_syn_sent)
{
	struct peer p = closed(_i);

	user_connects(&p);
	ck_assert_uint_eq(peer_usage(&p).conns, 1);
	peer_expects(&p, "S 0:0(0)");
	ck_assert_states(&p, "CLOSED > SYN-SENT");
}
END_TEST

/* <SEQ=0><ACK=SEG.SEQ+SEG.LEN><CTL=RST,ACK> for a SYN that meets CLOSED. */
static void expects_rst_from_nowhere(struct peer *p)
{
	int32_t zero = (int32_t)(0 - p->stack_iss);

	peer_expects(p, "R. %d:%d(0) ack 1", zero, zero);
}

/* RFC 9293 figure 5: CLOSED, passive OPEN; LISTEN, CLOSE. The listener is what one TCB in LISTEN would be. */
START_TEST(closed_passive_open_listen_close_closed)
{
	struct peer p = closed(_i);

	peer_sends(&p, "S 0:0(0)");
	ck_assert_verdict(&p, DROP_TCP_CLOSED);
	expects_rst_from_nowhere(&p);
	user_listens(&p, 1);
	ck_assert_state(&p, TAPIR_TCP_LISTEN);
	peer_sends(&p, "- 0:0(0)");
	ck_assert_verdict(&p, DROP_TCP_LISTEN_NO_SYN);
	ck_assert_error(tapir_close(p.t, p.listener), 0);
	p.listener = -1;
	ck_assert_state(&p, TAPIR_TCP_CLOSED);
	peer_sends(&p, "S 0:0(0)");
	ck_assert_verdict(&p, DROP_TCP_CLOSED);
	expects_rst_from_nowhere(&p);
}
END_TEST

/* RFC 9293 figure 5: LISTEN, rcv SYN: snd SYN,ACK. */
START_TEST(listen_rcv_syn_syn_rcvd)
{
	struct peer p = listening(_i);

	peer_sends(&p, "S 0:0(0)");
	ck_assert_verdict(&p, ACCEPT);
	peer_expects(&p, "S. 0:0(0) ack 1");
	ck_assert_states(&p, "LISTEN > SYN-RECEIVED");
}
END_TEST

/* RFC 9293 figure 5: LISTEN, SEND: snd SYN. A POSIX socket that listens has no peer to send to: the arrow does not exist
 * here, and the call is an error. */
START_TEST(listen_send_stays_in_listen)
{
	struct peer p = listening(_i);

	ck_assert_error(tapir_send(p.t, p.listener, "x", 1), TAPIR_ENOTCONN);
	ck_assert_uint_eq(peer_usage(&p).conns, 0);
	ck_assert_state(&p, TAPIR_TCP_LISTEN);
	peer_expects_nothing(&p);
}
END_TEST

/* RFC 9293 figure 5: SYN-SENT, CLOSE: delete TCB. */
START_TEST(syn_sent_close_closed)
{
	struct peer p = syn_sent(_i);

	user_closes(&p);
	ck_assert_states(&p, "CLOSED > SYN-SENT > CLOSED");
	ck_assert_uint_eq(peer_usage(&p).conns, 0);
	peer_expects_nothing(&p);
}
END_TEST

/* RFC 9293 figure 5: SYN-SENT, rcv SYN: snd SYN,ACK. */
START_TEST(syn_sent_rcv_syn_syn_rcvd)
{
	struct peer p = syn_sent(_i);

	peer_sends(&p, "S 0:0(0)");
	peer_expects(&p, "S. 0:0(0) ack 1");
	ck_assert_states(&p, "CLOSED > SYN-SENT > SYN-RECEIVED");
}
END_TEST

/* RFC 9293 figure 5: SYN-SENT, rcv SYN,ACK: snd ACK. */
START_TEST(syn_sent_rcv_syn_ack_established)
{
	struct peer p = syn_sent(_i);

	peer_sends(&p, "S. 0:0(0) ack 1");
	peer_expects(&p, ". 1:1(0) ack 1");
	ck_assert_states(&p, "CLOSED > SYN-SENT > ESTABLISHED");
}
END_TEST

/* RFC 9293 figure 5, note 1: SYN-RECEIVED, rcv RST, after a passive OPEN: back to LISTEN, which takes the next SYN. */
START_TEST(syn_rcvd_rcv_rst_listen)
{
	struct peer p = syn_received(_i);

	peer_sends(&p, "R 1:1(0)");
	ck_assert_state(&p, TAPIR_TCP_LISTEN);
	ck_assert_uint_eq(peer_usage(&p).conns, 0);
	peer_expects_nothing(&p);
	peer_opens(&p);
}
END_TEST

/* RFC 9293 figure 5, note 1: the arrow is for a passive OPEN only: after an active one SYN-RECEIVED ends in CLOSED. */
START_TEST(syn_rcvd_rcv_rst_closed_after_an_active_open)
{
	struct peer p = syn_received_active(_i);

	peer_sends(&p, "R 1:1(0)");
	ck_assert_states(&p, "CLOSED > SYN-SENT > SYN-RECEIVED > CLOSED");
	ck_assert_error(user_pending_error(&p), TAPIR_ECONNREFUSED);
	peer_expects_nothing(&p);
}
END_TEST

/* RFC 9293 figure 5: SYN-RECEIVED, rcv ACK of SYN. */
START_TEST(syn_rcvd_rcv_ack_of_syn_established)
{
	struct peer p = syn_received(_i);

	peer_sends(&p, ". 1:1(0) ack 1");
	ck_assert_states(&p, "LISTEN > SYN-RECEIVED > ESTABLISHED");
	peer_expects_nothing(&p);
}
END_TEST

/* RFC 9293 figure 5: SYN-RECEIVED, CLOSE: snd FIN, which waits until our SYN is acknowledged. */
START_TEST(syn_rcvd_close_fin_wait_1)
{
	struct peer p = syn_received_active(_i);

	user_shuts_down(&p);
	ck_assert_states(&p, "CLOSED > SYN-SENT > SYN-RECEIVED > FIN-WAIT-1");
	peer_sends(&p, ". 1:1(0) ack 1");
	peer_expects(&p, "F. 1:1(0) ack 1");
	ck_assert_state(&p, TAPIR_TCP_FIN_WAIT_1);
}
END_TEST

/* RFC 9293 figure 5: ESTABLISHED, CLOSE: snd FIN. */
START_TEST(established_close_fin_wait_1)
{
	struct peer p = established_active(_i);

	user_shuts_down(&p);
	peer_expects(&p, "F. 1:1(0) ack 1");
	ck_assert_states(&p, "CLOSED > SYN-SENT > ESTABLISHED > FIN-WAIT-1");
}
END_TEST

/* RFC 9293 figure 5: ESTABLISHED, rcv FIN: snd ACK. */
START_TEST(established_rcv_fin_close_wait)
{
	struct peer p = established_active(_i);

	peer_sends(&p, "F. 1:1(0) ack 1");
	peer_expects(&p, ". 1:1(0) ack 2");
	ck_assert_states(&p, "CLOSED > SYN-SENT > ESTABLISHED > CLOSE-WAIT");
}
END_TEST

/* RFC 9293 figure 5: FIN-WAIT-1, rcv ACK of FIN. */
START_TEST(fin_wait_1_rcv_ack_of_fin_fin_wait_2)
{
	struct peer p = fin_wait_1(_i);

	peer_sends(&p, ". 1:1(0) ack 2");
	ck_assert_states(&p, "LISTEN > SYN-RECEIVED > ESTABLISHED > FIN-WAIT-1 > FIN-WAIT-2");
	peer_expects_nothing(&p);
}
END_TEST

/* RFC 9293 figure 5: FIN-WAIT-1, rcv FIN: snd ACK. */
START_TEST(fin_wait_1_rcv_fin_closing)
{
	struct peer p = fin_wait_1(_i);

	peer_sends(&p, "F. 1:1(0) ack 1");
	peer_expects(&p, ". 2:2(0) ack 2");
	ck_assert_states(&p, "LISTEN > SYN-RECEIVED > ESTABLISHED > FIN-WAIT-1 > CLOSING");
}
END_TEST

/* RFC 9293 figure 5, note 2: FIN-WAIT-1, rcv FIN that acknowledges ours: TIME-WAIT, by way of FIN-WAIT-2. */
START_TEST(fin_wait_1_rcv_fin_with_ack_of_fin_time_wait)
{
	struct peer p = fin_wait_1(_i);

	peer_sends(&p, "F. 1:1(0) ack 2");
	peer_expects(&p, ". 2:2(0) ack 2");
	ck_assert_states(&p, "LISTEN > SYN-RECEIVED > ESTABLISHED > FIN-WAIT-1 > FIN-WAIT-2 > TIME-WAIT");
}
END_TEST

/* RFC 9293 figure 5: FIN-WAIT-2, rcv FIN: snd ACK. */
START_TEST(fin_wait_2_rcv_fin_time_wait)
{
	struct peer p = fin_wait_2(_i);

	peer_sends(&p, "F. 1:1(0) ack 2");
	peer_expects(&p, ". 2:2(0) ack 2");
	ck_assert_states(&p, "LISTEN > SYN-RECEIVED > ESTABLISHED > FIN-WAIT-1 > FIN-WAIT-2 > TIME-WAIT");
}
END_TEST

/* RFC 9293 figure 5: CLOSING, rcv ACK of FIN. */
START_TEST(closing_rcv_ack_of_fin_time_wait)
{
	struct peer p = closing(_i);

	peer_sends(&p, ". 2:2(0) ack 2");
	ck_assert_states(&p, "LISTEN > SYN-RECEIVED > ESTABLISHED > FIN-WAIT-1 > CLOSING > TIME-WAIT");
	peer_expects_nothing(&p);
}
END_TEST

/* RFC 9293 figure 5: CLOSE-WAIT, CLOSE: snd FIN. */
START_TEST(close_wait_close_last_ack)
{
	struct peer p = close_wait(_i);

	user_shuts_down(&p);
	peer_expects(&p, "F. 1:1(0) ack 2");
	ck_assert_states(&p, "LISTEN > SYN-RECEIVED > ESTABLISHED > CLOSE-WAIT > LAST-ACK");
}
END_TEST

/* RFC 9293 figure 5: LAST-ACK, rcv ACK of FIN: delete TCB. */
START_TEST(last_ack_rcv_ack_of_fin_closed)
{
	struct peer p = last_ack(_i);

	peer_sends(&p, ". 2:2(0) ack 2");
	ck_assert_states(&p, "LISTEN > SYN-RECEIVED > ESTABLISHED > CLOSE-WAIT > LAST-ACK > CLOSED");
	peer_expects_nothing(&p);
	ck_assert_error(tapir_close(p.t, p.sd), 0);
	ck_assert_uint_eq(peer_usage(&p).conns, 0);
}
END_TEST

/* RFC 9293 figure 5: TIME-WAIT, Timeout=2MSL: delete TCB. */
START_TEST(time_wait_timeout_closed)
{
	struct peer p = time_wait(_i);

	user_closes(&p);
	ck_assert_uint_eq(peer_usage(&p).conns, 1);
	peer_advance(&p, 2 * peer_config()->msl_us);
	ck_assert_states(&p, "LISTEN > SYN-RECEIVED > ESTABLISHED > FIN-WAIT-1 > FIN-WAIT-2 > TIME-WAIT > CLOSED");
	ck_assert_uint_eq(peer_usage(&p).conns, 0);
	peer_expects_nothing(&p);
}
END_TEST

/* RFC 9293 figure 5, note 3: a RST received in any state leads to CLOSED (or LISTEN, above). */
START_TEST(any_state_rcv_rst_closed)
{
	static const enum tapir_tcp_state states[] = {
		TAPIR_TCP_ESTABLISHED, TAPIR_TCP_FIN_WAIT_1, TAPIR_TCP_FIN_WAIT_2, TAPIR_TCP_CLOSE_WAIT, TAPIR_TCP_CLOSING,
		TAPIR_TCP_LAST_ACK, TAPIR_TCP_TIME_WAIT
	};

	peer_config()->rfc1337 = false;
	for (size_t i = 0; i < sizeof states / sizeof states[0]; i++) {
		struct peer p = peer_in(states[i], _i);

		peer_sends(&p, "R %u:%u(0)", p.rcv_nxt, p.rcv_nxt);
		ck_assert_state(&p, TAPIR_TCP_CLOSED);
		peer_expects_nothing(&p);
	}
}
END_TEST

/* ---- opening: figures 6 to 8 ------------------------------------------------------------------------------------- */

/* RFC 9293 figure 6: basic three-way handshake. The stack is TCP Peer A. */
START_TEST(figure_6_the_three_way_handshake_as_peer_a)
{
	struct peer p = closed(_i);
							/* 1. CLOSED */
	user_connects(&p);
	peer_expects(&p, "S 0:0(0)");			/* 2. SYN-SENT */
	ck_assert_state(&p, TAPIR_TCP_SYN_SENT);
	peer_sends(&p, "S. 0:0(0) ack 1");		/* 3. ESTABLISHED */
	ck_assert_state(&p, TAPIR_TCP_ESTABLISHED);
	peer_expects(&p, ". 1:1(0) ack 1");		/* 4. */
	user_sends(&p, 10);
	peer_expects(&p, "P. 1:11(10) ack 1");		/* 5. the same sequence number: the ACK took none */
	ck_assert_state(&p, TAPIR_TCP_ESTABLISHED);
}
END_TEST

/* RFC 9293 figure 6: the stack is TCP Peer B. */
START_TEST(figure_6_the_three_way_handshake_as_peer_b)
{
	struct peer p = listening(_i);			/* 1. LISTEN */

	peer_sends(&p, "S 0:0(0)");			/* 2. SYN-RECEIVED */
	ck_assert_state(&p, TAPIR_TCP_SYN_RCVD);
	peer_expects(&p, "S. 0:0(0) ack 1");		/* 3. */
	ck_assert_error(tapir_accept(p.t, p.listener, NULL), TAPIR_EAGAIN);
	peer_sends(&p, ". 1:1(0) ack 1");		/* 4. ESTABLISHED */
	ck_assert_state(&p, TAPIR_TCP_ESTABLISHED);
	peer_expects_nothing(&p);			/* "if it did, we would wind up ACKing ACKs" */
	peer_sends(&p, "P. 1:11(10) ack 1");		/* 5. */
	peer_expects(&p, ". 1:1(0) ack 11");
	user_accepts(&p);
	user_reads(&p, 10);
}
END_TEST

/* RFC 9293 figure 7 (MUST-10, MUST-11): simultaneous connection synchronization. The stack is TCP Peer A. */
START_TEST(figure_7_simultaneous_open_as_peer_a)
{
	struct peer p = syn_sent(_i);			/* 2. SYN-SENT; the SYN is under way */

	peer_sends(&p, "S 0:0(0)");			/* 3. SYN-RECEIVED */
	ck_assert_state(&p, TAPIR_TCP_SYN_RCVD);
	peer_expects(&p, "S. 0:0(0) ack 1");		/* 5. */
	peer_sends(&p, "S. 0:0(0) ack 1");		/* 6. ESTABLISHED */
	ck_assert_states(&p, "CLOSED > SYN-SENT > SYN-RECEIVED > ESTABLISHED");
	peer_expects_nothing(&p);
	user_sends(&p, 10);
	peer_expects(&p, "P. 1:11(10) ack 1");
}
END_TEST

/* RFC 9293 figure 7: the stack is TCP Peer B: its own SYN,ACK meets the peer's, and either may be the one that opens. */
START_TEST(figure_7_simultaneous_open_as_peer_b)
{
	struct peer p = syn_sent(_i);			/* 3. SYN-SENT */

	peer_sends(&p, "S 0:0(0)");			/* 4. SYN-RECEIVED */
	peer_expects(&p, "S. 0:0(0) ack 1");		/* 6. */
	ck_assert_state(&p, TAPIR_TCP_SYN_RCVD);
	peer_sends(&p, "S. 0:0(0) ack 1");		/* 7. ESTABLISHED */
	ck_assert_state(&p, TAPIR_TCP_ESTABLISHED);
	peer_sends(&p, "P. 1:11(10) ack 1");
	peer_expects(&p, ". 1:1(0) ack 11");
	user_reads(&p, 10);
}
END_TEST

/* RFC 9293 figure 8: recovery from an old duplicate SYN. The stack is TCP Peer B. */
START_TEST(figure_8_an_old_duplicate_syn_as_peer_b)
{
	struct peer p = listening(_i);			/* 1. LISTEN */

	peer_sends(&p, "S -10:-10(0)");			/* 3. the duplicate: SYN-RECEIVED */
	ck_assert_state(&p, TAPIR_TCP_SYN_RCVD);
	peer_expects(&p, "S. 0:0(0) ack -9");		/* 4. */
	peer_sends(&p, "R -9:-9(0)");			/* 5. LISTEN */
	ck_assert_state(&p, TAPIR_TCP_LISTEN);
	peer_sends(&p, "S 0:0(0)");			/* 6. SYN-RECEIVED */
	peer_expects(&p, "S. 0:0(0) ack 1");		/* 7. */
	peer_sends(&p, ". 1:1(0) ack 1");		/* 8. ESTABLISHED */
	ck_assert_state(&p, TAPIR_TCP_ESTABLISHED);
	user_accepts(&p);
	peer_expects_nothing(&p);
}
END_TEST

/* RFC 9293 figure 8: the stack is TCP Peer A, whose old duplicate was answered. */
START_TEST(figure_8_an_old_duplicate_syn_as_peer_a)
{
	struct peer p = syn_sent(_i);			/* 2. SYN-SENT */

	peer_sends(&p, "S. 0:0(0) ack -9");		/* 4. SYN-SENT */
	ck_assert_verdict(&p, DROP_TCP_SYN_SENT_ACK);
	ck_assert_state(&p, TAPIR_TCP_SYN_SENT);
	peer_expects(&p, "R -9:-9(0)");			/* 5. "to make the segment believable" */
	peer_sends(&p, "S. 100:100(0) ack 1");		/* 7. ESTABLISHED */
	peer_expects(&p, ". 1:1(0) ack 101");		/* 8. */
	ck_assert_state(&p, TAPIR_TCP_ESTABLISHED);
}
END_TEST

/* RFC 9293 figure 8: "If the SYN at line 6 had arrived before the RST, a more complex exchange might have occurred with
 * RSTs sent in both directions." The second SYN sends the half-open connection back to LISTEN (3.10.7.4 fourth); the RST for
 * the first then finds nothing, and the SYN sent again opens. */
START_TEST(figure_8_with_lines_5_and_6_exchanged)
{
	struct peer p = listening(_i);

	peer_sends(&p, "S -10:-10(0)");
	peer_expects(&p, "S. 0:0(0) ack -9");
	peer_sends(&p, "S 0:0(0)");
	ck_assert_state(&p, TAPIR_TCP_LISTEN);
	peer_sends(&p, "R -9:-9(0)");
	ck_assert_verdict(&p, DROP_TCP_LISTEN_RST);
	peer_expects_nothing(&p);
	peer_opens(&p);
}
END_TEST

/* ---- half-open connections: figures 9 to 11 ---------------------------------------------------------------------- */

/* RFC 9293 figure 9: half-open connection discovery. The stack is TCP Peer B, which did not crash. */
START_TEST(figure_9_half_open_discovery_as_peer_b)
{
	struct peer p = established(_i);		/* 2. ESTABLISHED */

	peer_sends(&p, "S 300:300(0)");			/* 3. (??) */
	ck_assert_verdict(&p, DROP_TCP_SYN_CHALLENGE);
	peer_expects(&p, ". 1:1(0) ack 1");		/* 4. */
	peer_sends(&p, "R 1:1(0)");			/* 5. (Abort!!) */
	ck_assert_state(&p, TAPIR_TCP_CLOSED);		/* 6. */
	ck_assert_error(user_recv_result(&p), TAPIR_ECONNRESET);
	ck_assert_error(tapir_close(p.t, p.sd), 0);
	p.sd = -1;
	peer_sends(&p, "S 300:300(0)");			/* 7. */
	peer_expects(&p, "S. 0:0(0) ack 301");
	peer_sends(&p, ". 301:301(0) ack 1");
	ck_assert_state(&p, TAPIR_TCP_ESTABLISHED);
}
END_TEST

/* RFC 9293 figure 9: the stack is TCP Peer A, which has forgotten the connection and opens it again. */
START_TEST(figure_9_half_open_discovery_as_peer_a)
{
	struct peer p = syn_sent(_i);			/* 3. SYN-SENT */

	peer_sends(&p, ". 300:300(0) ack -300");	/* 4. (!!) */
	ck_assert_verdict(&p, DROP_TCP_SYN_SENT_ACK);
	peer_expects(&p, "R -300:-300(0)");		/* 5. */
	ck_assert_state(&p, TAPIR_TCP_SYN_SENT);	/* 6. */
	peer_until_timer(&p);
	peer_expects(&p, "S 0:0(0)");			/* 7. */
	peer_sends(&p, "S. 0:0(0) ack 1");
	peer_expects(&p, ". 1:1(0) ack 1");
	ck_assert_state(&p, TAPIR_TCP_ESTABLISHED);
}
END_TEST

/* RFC 9293 figure 10: the active side causes half-open connection discovery. The stack is TCP Peer A, after the crash. */
START_TEST(figure_10_text_for_a_forgotten_connection_as_peer_a)
{
	struct peer p = closed(_i);			/* 1. (REBOOT) */

	peer_sends(&p, "P. 300:310(10) ack 100");	/* 2. (??) */
	ck_assert_verdict(&p, DROP_TCP_CLOSED);
	peer_expects(&p, "R 100:100(0)");		/* 3. */
	user_listens(&p, 1);				/* and the same in LISTEN */
	peer_sends(&p, "P. 300:310(10) ack 100");
	ck_assert_verdict(&p, DROP_TCP_LISTEN_ACK);
	peer_expects(&p, "R 100:100(0)");
}
END_TEST

/* RFC 9293 figure 10: the stack is TCP Peer B, which sends text. */
START_TEST(figure_10_text_for_a_forgotten_connection_as_peer_b)
{
	struct peer p = established(_i);

	user_sends(&p, 10);
	peer_expects(&p, "P. 1:11(10) ack 1");		/* 2. */
	peer_sends(&p, "R 1:1(0)");			/* 3. (ABORT!!) */
	ck_assert_state(&p, TAPIR_TCP_CLOSED);
	ck_assert_error(user_pending_error(&p), TAPIR_ECONNRESET);
	peer_expects_nothing(&p);
}
END_TEST

/* RFC 9293 figure 11: an old duplicate SYN initiates a reset on two passive sockets. The stack is TCP Peer B. */
START_TEST(figure_11_an_old_duplicate_syn_between_two_listeners_as_peer_b)
{
	struct peer p = listening(_i);			/* 1. LISTEN */

	peer_sends(&p, "S 77:77(0)");			/* 2. SYN-RECEIVED */
	ck_assert_state(&p, TAPIR_TCP_SYN_RCVD);
	peer_expects(&p, "S. 0:0(0) ack 78");		/* 3. */
	peer_sends(&p, "R 78:78(0)");			/* 4. (return to LISTEN!) */
	ck_assert_state(&p, TAPIR_TCP_LISTEN);		/* 5. */
	ck_assert_uint_eq(peer_usage(&p).conns, 0);
	ck_assert_error(tapir_accept(p.t, p.listener, NULL), TAPIR_EAGAIN);
	peer_expects_nothing(&p);
}
END_TEST

/* RFC 9293 figure 11: the stack is TCP Peer A. */
START_TEST(figure_11_an_old_duplicate_syn_between_two_listeners_as_peer_a)
{
	struct peer p = listening(_i);			/* 1. LISTEN */

	peer_sends(&p, "S. 0:0(0) ack 78");		/* 3. (??) */
	ck_assert_verdict(&p, DROP_TCP_LISTEN_ACK);
	peer_expects(&p, "R 78:78(0)");			/* 4. */
	ck_assert_state(&p, TAPIR_TCP_LISTEN);		/* 5. */
	ck_assert_uint_eq(peer_usage(&p).conns, 0);
}
END_TEST

/* ---- closing: figures 12 and 13 ---------------------------------------------------------------------------------- */

/* Until 2 MSL after the connection entered TIME-WAIT, and not less. */
static void two_msl_pass(struct peer *p)
{
	peer_advance(p, 2 * peer_config()->msl_us - 1);
	ck_assert_state(p, TAPIR_TCP_TIME_WAIT);
	peer_advance(p, 1);
	ck_assert_state(p, TAPIR_TCP_CLOSED);
	peer_expects_nothing(p);
}

/* RFC 9293 figure 12 (MUST-13): normal close sequence. The stack is TCP Peer A. */
START_TEST(figure_12_the_normal_close_as_peer_a)
{
	struct peer p = established(_i);		/* 1. ESTABLISHED */

	user_shuts_down(&p);
	peer_expects(&p, "F. 1:1(0) ack 1");		/* 2. FIN-WAIT-1 */
	ck_assert_state(&p, TAPIR_TCP_FIN_WAIT_1);
	peer_sends(&p, ". 1:1(0) ack 2");		/* 3. FIN-WAIT-2 */
	ck_assert_state(&p, TAPIR_TCP_FIN_WAIT_2);
	peer_sends(&p, "F. 1:1(0) ack 2");		/* 4. TIME-WAIT */
	ck_assert_state(&p, TAPIR_TCP_TIME_WAIT);
	peer_expects(&p, ". 2:2(0) ack 2");		/* 5. */
	user_reads_end(&p);
	two_msl_pass(&p);				/* 6. CLOSED */
}
END_TEST

/* RFC 9293 figure 12: the stack is TCP Peer B. */
START_TEST(figure_12_the_normal_close_as_peer_b)
{
	struct peer p = established(_i);		/* 1. ESTABLISHED */

	peer_sends(&p, "F. 1:1(0) ack 1");		/* 2. CLOSE-WAIT */
	ck_assert_state(&p, TAPIR_TCP_CLOSE_WAIT);
	user_reads_end(&p);
	peer_expects(&p, ". 1:1(0) ack 2");		/* 3. */
	user_shuts_down(&p);
	peer_expects(&p, "F. 1:1(0) ack 2");		/* 4. LAST-ACK */
	ck_assert_state(&p, TAPIR_TCP_LAST_ACK);
	peer_sends(&p, ". 2:2(0) ack 2");		/* 5. CLOSED */
	ck_assert_state(&p, TAPIR_TCP_CLOSED);
	ck_assert_error(user_pending_error(&p), 0);
	peer_expects_nothing(&p);
}
END_TEST

/* RFC 9293 figure 13: simultaneous close sequence; both sides are the same. */
START_TEST(figure_13_the_simultaneous_close)
{
	struct peer p = established(_i);		/* 1. ESTABLISHED */

	user_shuts_down(&p);
	peer_expects(&p, "F. 1:1(0) ack 1");		/* 2. FIN-WAIT-1; it crosses the peer's */
	ck_assert_state(&p, TAPIR_TCP_FIN_WAIT_1);
	peer_sends(&p, "F. 1:1(0) ack 1");
	ck_assert_state(&p, TAPIR_TCP_CLOSING);		/* 3. CLOSING */
	peer_expects(&p, ". 2:2(0) ack 2");
	peer_sends(&p, ". 2:2(0) ack 2");
	ck_assert_state(&p, TAPIR_TCP_TIME_WAIT);	/* 4. TIME-WAIT */
	peer_expects_nothing(&p);
	user_reads_end(&p);
	two_msl_pass(&p);
}
END_TEST

Suite *suite(void)
{
	return peer_suite("RFC 9293 figures 5 to 13", (const TTest *[]){
		closed_active_open_syn_sent,
		closed_passive_open_listen_close_closed,
		listen_rcv_syn_syn_rcvd,
		listen_send_stays_in_listen,
		syn_sent_close_closed,
		syn_sent_rcv_syn_syn_rcvd,
		syn_sent_rcv_syn_ack_established,
		syn_rcvd_rcv_rst_listen,
		syn_rcvd_rcv_rst_closed_after_an_active_open,
		syn_rcvd_rcv_ack_of_syn_established,
		syn_rcvd_close_fin_wait_1,
		established_close_fin_wait_1,
		established_rcv_fin_close_wait,
		fin_wait_1_rcv_ack_of_fin_fin_wait_2,
		fin_wait_1_rcv_fin_closing,
		fin_wait_1_rcv_fin_with_ack_of_fin_time_wait,
		fin_wait_2_rcv_fin_time_wait,
		closing_rcv_ack_of_fin_time_wait,
		close_wait_close_last_ack,
		last_ack_rcv_ack_of_fin_closed,
		time_wait_timeout_closed,
		any_state_rcv_rst_closed,
		figure_6_the_three_way_handshake_as_peer_a,
		figure_6_the_three_way_handshake_as_peer_b,
		figure_7_simultaneous_open_as_peer_a,
		figure_7_simultaneous_open_as_peer_b,
		figure_8_an_old_duplicate_syn_as_peer_b,
		figure_8_an_old_duplicate_syn_as_peer_a,
		figure_8_with_lines_5_and_6_exchanged,
		figure_9_half_open_discovery_as_peer_b,
		figure_9_half_open_discovery_as_peer_a,
		figure_10_text_for_a_forgotten_connection_as_peer_a,
		figure_10_text_for_a_forgotten_connection_as_peer_b,
		figure_11_an_old_duplicate_syn_between_two_listeners_as_peer_b,
		figure_11_an_old_duplicate_syn_between_two_listeners_as_peer_a,
		figure_12_the_normal_close_as_peer_a,
		figure_12_the_normal_close_as_peer_b,
		figure_13_the_simultaneous_close,
		NULL
	});
}
