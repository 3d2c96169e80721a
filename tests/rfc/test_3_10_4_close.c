/* test_3_10_4_close.c: the CLOSE call (RFC 9293 3.10.4, 3.6, 3.9.1.4) in each state: tapir_shutdown(SHUT_WR), which
 * keeps the descriptor, and tapir_close, which gives it back and leaves the connection to end by itself. */
#include "tests/support/peer.h"

/* RFC 9293 3.10.4: CLOSED: no such connection for this process, or none at all. */
START_TEST(a_close_in_closed_is_an_error)
{
	struct peer p = closed(_i);

	p.sd = tapir_socket(p.t, TAPIR_SOCK_STREAM);
	ck_assert_error(tapir_shutdown(p.t, p.sd, TAPIR_SHUT_WR), TAPIR_ENOTCONN);
	ck_assert_error(tapir_close(p.t, p.sd), 0);
	ck_assert_error(tapir_shutdown(p.t, p.sd, TAPIR_SHUT_WR), TAPIR_EBADF);
	ck_assert_error(tapir_close(p.t, p.sd), TAPIR_EBADF);
	p.sd = -1;
	peer_expects_nothing(&p);
}
END_TEST

/* RFC 9293 3.10.4: CLOSED, after a reset: the connection does not exist any more, but the descriptor can be given
 * back. */
START_TEST(a_close_after_a_reset_only_gives_the_descriptor_back)
{
	struct peer p = established(_i);

	peer_sends(&p, "R 1:1(0)");
	ck_assert_error(tapir_shutdown(p.t, p.sd, TAPIR_SHUT_WR), TAPIR_ENOTCONN);
	ck_assert_uint_eq(peer_usage(&p).conns, 1);
	user_closes(&p);
	ck_assert_uint_eq(peer_usage(&p).conns, 0);
	peer_expects_nothing(&p);
}
END_TEST

/* RFC 9293 3.10.4: LISTEN: delete the TCB, enter CLOSED state: the next SYN meets nobody. */
START_TEST(a_close_in_listen_ends_it)
{
	struct peer p = listening(_i);

	ck_assert_error(tapir_shutdown(p.t, p.listener, TAPIR_SHUT_WR), TAPIR_ENOTCONN);
	ck_assert_error(tapir_close(p.t, p.listener), 0);
	p.listener = -1;
	ck_assert_state(&p, TAPIR_TCP_CLOSED);
	peer_expects_nothing(&p);
	peer_sends(&p, "S 0:0(0)");
	ck_assert_verdict(&p, DROP_TCP_CLOSED);
	peer_expects(&p, "R. %d:%d(0) ack 1", peer_zero(&p), peer_zero(&p));
}
END_TEST

/* RFC 9293 3.10.4: LISTEN: what it has brought forth and nobody has accepted ends with it: peers are told by a RST.
 * One that was accepted stays. */
START_TEST(a_close_in_listen_resets_what_was_not_accepted)
{
	struct peer p = established(_i);
	struct peer waiting = another_peer(&p, PEER_PORT + 1), half_open = another_peer(&p, PEER_PORT + 2);

	peer_opens(&waiting);
	peer_sends(&half_open, "S 0:0(0) <mss 1460>");
	peer_expects(&half_open, "S. 0:0(0) ack 1");
	ck_assert_error(tapir_close(p.t, p.listener), 0);
	waiting.listener = half_open.listener = -1;
	peer_expects(&waiting, "R 1:1(0)");
	peer_expects(&half_open, "R 1:1(0)");
	peer_expects_nothing(&p);
	ck_assert_state(&waiting, TAPIR_TCP_CLOSED);
	ck_assert_state(&half_open, TAPIR_TCP_CLOSED);
	ck_assert_state(&p, TAPIR_TCP_ESTABLISHED);
	ck_assert_uint_eq(peer_usage(&p).conns, 1);
}
END_TEST

/* RFC 9293 3.10.4: SYN-SENT: delete the TCB, "closing" for queued SENDs and RECEIVEs. Nothing is sent; the SYN-ACK
 * that still comes meets CLOSED. */
START_TEST(a_close_in_syn_sent_deletes_the_connection)
{
	struct peer p = syn_sent(_i);

	user_sends(&p, 10);
	user_shuts_down(&p);
	ck_assert_states(&p, "CLOSED > SYN-SENT > CLOSED");
	ck_assert_error(user_recv_result(&p), TAPIR_ECONNABORTED);
	peer_expects_nothing(&p);
	p = syn_sent(_i);
	user_closes(&p);
	ck_assert_state(&p, TAPIR_TCP_CLOSED);
	ck_assert_uint_eq(peer_usage(&p).conns, 0);
	peer_expects_nothing(&p);
	peer_sends(&p, "S. 0:0(0) ack 1");
	peer_expects(&p, "R 1:1(0)");
}
END_TEST

/* RFC 9293 3.10.4: SYN-RECEIVED, no SENDs have been issued: form a FIN segment and send it, and enter FIN-WAIT-1. */
START_TEST(a_close_in_syn_received_sends_a_fin_and_enters_fin_wait_1)
{
	struct peer p = syn_received_active(_i);

	user_shuts_down(&p);
	peer_expects(&p, "F. 1:1(0) ack 1");
	ck_assert_states(&p, "CLOSED > SYN-SENT > SYN-RECEIVED > FIN-WAIT-1");
	peer_sends(&p, ". 1:1(0) ack 2");
	ck_assert_state(&p, TAPIR_TCP_FIN_WAIT_2);
	peer_expects_nothing(&p);
}
END_TEST

/* RFC 9293 3.10.4: SYN-RECEIVED, with data pending: the FIN is queued behind it until ESTABLISHED. The state shows it
 * at once: SYN and text still get through. */
START_TEST(a_close_in_syn_received_with_text_pending_sends_the_fin_behind_it)
{
	struct peer p = syn_received_active(_i);

	user_sends(&p, 10);
	user_shuts_down(&p);
	peer_expects_nothing(&p);
	peer_sends(&p, ". 1:1(0) ack 1");
	peer_expects(&p, "FP. 1:11(10) ack 1");
	ck_assert_state(&p, TAPIR_TCP_FIN_WAIT_1);
	peer_sends(&p, ". 1:1(0) ack 12");
	ck_assert_state(&p, TAPIR_TCP_FIN_WAIT_2);
}
END_TEST

/* RFC 9293 3.10.4: SYN-RECEIVED: a SYN-ACK lost after the CLOSE is sent again, and so is the FIN. */
START_TEST(a_close_in_syn_received_survives_the_loss_of_both_segments)
{
	struct peer p = syn_received_active(_i);

	user_closes(&p);
	peer_expects(&p, "F. 1:1(0) ack 1");
	peer_until_timer(&p);
	peer_expects(&p, "S. 0:0(0) ack 1");
	peer_ignores_all(&p);
	peer_sends(&p, ". 1:1(0) ack 1");
	peer_until_timer(&p);
	peer_expects(&p, "F. 1:1(0) ack 1");
	peer_sends(&p, ". 1:1(0) ack 2");
	ck_assert_state(&p, TAPIR_TCP_FIN_WAIT_2);
	peer_expects_nothing(&p);
}
END_TEST

/* RFC 9293 3.10.4: ESTABLISHED: a FIN, FIN-WAIT-1. */
START_TEST(a_close_in_established_sends_a_fin_and_enters_fin_wait_1)
{
	struct peer p = established(_i);

	user_shuts_down(&p);
	peer_expects(&p, "F. 1:1(0) ack 1");
	peer_expects_nothing(&p);
	ck_assert_states(&p, "LISTEN > SYN-RECEIVED > ESTABLISHED > FIN-WAIT-1");
}
END_TEST

/* RFC 9293 3.10.4: ESTABLISHED: queue this until all preceding SENDs have been segmentized. In any case, FIN-WAIT-1. */
START_TEST(a_close_in_established_waits_for_the_text_but_enters_fin_wait_1_at_once)
{
	struct peer p = established(_i);

	p.win = 1460;
	peer_sends(&p, ". 1:1(0) ack 1");
	user_sends(&p, 3000);
	user_shuts_down(&p);
	ck_assert_state(&p, TAPIR_TCP_FIN_WAIT_1);
	peer_expects(&p, ". 1:1461(1460) ack 1");
	peer_expects_nothing(&p);
	peer_sends(&p, ". 1:1(0) ack 1461");
	peer_expects(&p, ". 1461:2921(1460) ack 1");
	peer_sends(&p, ". 1:1(0) ack 2921");
	peer_expects(&p, "FP. 2921:3001(80) ack 1");
	peer_sends(&p, ". 1:1(0) ack 3001");
	ck_assert_state(&p, TAPIR_TCP_FIN_WAIT_1);
	peer_sends(&p, ". 1:1(0) ack 3002");
	ck_assert_state(&p, TAPIR_TCP_FIN_WAIT_2);
}
END_TEST

/* RFC 9293 3.10.4: ESTABLISHED, half-close (3.6): after our FIN we go on receiving, and acknowledge. */
START_TEST(after_a_close_text_still_arrives)
{
	struct peer p = fin_wait_2(_i);

	peer_sends(&p, "P. 1:101(100) ack 2");
	peer_expects(&p, ". 2:2(0) ack 101");
	user_reads(&p, 100);
	ck_assert_state(&p, TAPIR_TCP_FIN_WAIT_2);
}
END_TEST

/* RFC 9293 3.10.4: FIN-WAIT-1, FIN-WAIT-2: "ok" is acceptable as long as a second FIN is not emitted. */
START_TEST(a_close_in_fin_wait_1_or_fin_wait_2_is_ok_and_sends_no_second_fin)
{
	struct peer p = fin_wait_1(_i);

	user_shuts_down(&p);
	ck_assert_state(&p, TAPIR_TCP_FIN_WAIT_1);
	peer_expects_nothing(&p);
	p = fin_wait_2(_i);
	user_shuts_down(&p);
	ck_assert_state(&p, TAPIR_TCP_FIN_WAIT_2);
	peer_expects_nothing(&p);
	user_closes(&p);
	ck_assert_state(&p, TAPIR_TCP_FIN_WAIT_2);
	peer_expects_nothing(&p);
}
END_TEST

/* RFC 9293 3.10.4: CLOSE-WAIT: a FIN, LAST-ACK. */
START_TEST(a_close_in_close_wait_sends_a_fin_and_enters_last_ack)
{
	struct peer p = close_wait(_i);

	user_shuts_down(&p);
	peer_expects(&p, "F. 1:1(0) ack 2");
	ck_assert_states(&p, "LISTEN > SYN-RECEIVED > ESTABLISHED > CLOSE-WAIT > LAST-ACK");
	peer_expects_nothing(&p);
}
END_TEST

/* RFC 9293 3.10.4: CLOSE-WAIT: queue this request until all preceding SENDs have been segmentized. */
START_TEST(a_close_in_close_wait_waits_for_the_text)
{
	struct peer p = close_wait(_i);

	p.win = 1460;
	peer_sends(&p, ". 2:2(0) ack 1");
	user_sends(&p, 1500);
	user_closes(&p);
	ck_assert_state(&p, TAPIR_TCP_LAST_ACK);
	peer_expects(&p, ". 1:1461(1460) ack 2");
	peer_expects_nothing(&p);
	peer_sends(&p, ". 2:2(0) ack 1461");
	peer_expects(&p, "FP. 1461:1501(40) ack 2");
	peer_sends(&p, ". 2:2(0) ack 1502");
	ck_assert_state(&p, TAPIR_TCP_CLOSED);
	ck_assert_uint_eq(peer_usage(&p).conns, 0);
}
END_TEST

/* RFC 9293 3.10.4: CLOSING, LAST-ACK, TIME-WAIT: it is closing already; nothing changes and nothing is sent. */
START_TEST(a_close_in_closing_last_ack_or_time_wait_changes_nothing)
{
	static const enum tapir_tcp_state ending[] = {TAPIR_TCP_CLOSING, TAPIR_TCP_LAST_ACK, TAPIR_TCP_TIME_WAIT};

	for (size_t i = 0; i < sizeof ending / sizeof ending[0]; i++) {
		struct peer p = peer_in(ending[i], _i);

		user_shuts_down(&p);
		ck_assert_state(&p, ending[i]);
		user_closes(&p);
		ck_assert_state(&p, ending[i]);
		ck_assert_uint_eq(peer_usage(&p).conns, 1);
		peer_expects_nothing(&p);
	}
}
END_TEST

/* RFC 9293 3.6.1 (SHLD-3), RFC 1122 4.2.2.13: a CLOSE with text unread tells the peer by a RST that it is lost. */
START_TEST(a_close_with_unread_text_is_a_reset)
{
	struct peer p = established(_i);

	peer_sends(&p, "P. 1:11(10) ack 1");
	peer_expects(&p, ". 1:1(0) ack 11");
	user_closes(&p);
	peer_expects(&p, "R 1:1(0)");
	ck_assert_uint_eq(peer_usage(&p).conns, 0);

	p = close_wait(_i);
	user_closes(&p);	/* everything was read: no loss, a FIN */
	peer_expects(&p, "F. 1:1(0) ack 2");
	ck_assert_state(&p, TAPIR_TCP_LAST_ACK);
}
END_TEST

/* RFC 9293 3.6.1 (SHLD-3), RFC 1122 4.2.2.13: text that arrives after the user has closed both ways (MAY-1) is
 * answered by a RST: nobody will read it. In FIN-WAIT-1 and in FIN-WAIT-2. */
START_TEST(text_after_a_full_close_is_answered_by_a_reset)
{
	struct peer p = established(_i);

	user_closes(&p);
	peer_expects(&p, "F. 1:1(0) ack 1");
	peer_sends(&p, "P. 1:11(10) ack 1");
	ck_assert_verdict(&p, DROP_TCP_CLOSED_BY_USER);
	peer_expects(&p, "R 2:2(0)");
	ck_assert_state(&p, TAPIR_TCP_CLOSED);

	p = fin_wait_2(_i);
	user_closes(&p);
	peer_sends(&p, "P. 1:11(10) ack 2");
	ck_assert_verdict(&p, DROP_TCP_CLOSED_BY_USER);
	peer_expects(&p, "R 2:2(0)");
	ck_assert_state(&p, TAPIR_TCP_CLOSED);
}
END_TEST

/* RFC 9293 3.6 (MUST-12): the user can tell a connection that was closed from one that was aborted. */
START_TEST(the_user_is_told_whether_the_connection_was_closed_or_aborted)
{
	struct peer p = last_ack(_i);

	user_reads_end(&p);
	peer_sends(&p, ". 2:2(0) ack 2");
	ck_assert_state(&p, TAPIR_TCP_CLOSED);
	ck_assert_int_eq(user_pending_error(&p), 0);
	ck_assert_int_eq(tapir_poll(p.t, p.sd) & TAPIR_POLLERR, 0);

	p = established(_i);
	peer_sends(&p, "R. 1:1(0) ack 1");
	ck_assert_int_ne(tapir_poll(p.t, p.sd) & TAPIR_POLLERR, 0);
	ck_assert_error(user_pending_error(&p), TAPIR_ECONNRESET);
	ck_assert_int_eq(user_pending_error(&p), 0);
}
END_TEST

Suite *suite(void)
{
	return peer_suite("RFC 9293 3.10.4 CLOSE", (const TTest *[]){
		a_close_in_closed_is_an_error,
		a_close_after_a_reset_only_gives_the_descriptor_back,
		a_close_in_listen_ends_it,
		a_close_in_listen_resets_what_was_not_accepted,
		a_close_in_syn_sent_deletes_the_connection,
		a_close_in_syn_received_sends_a_fin_and_enters_fin_wait_1,
		a_close_in_syn_received_with_text_pending_sends_the_fin_behind_it,
		a_close_in_syn_received_survives_the_loss_of_both_segments,
		a_close_in_established_sends_a_fin_and_enters_fin_wait_1,
		a_close_in_established_waits_for_the_text_but_enters_fin_wait_1_at_once,
		after_a_close_text_still_arrives,
		a_close_in_fin_wait_1_or_fin_wait_2_is_ok_and_sends_no_second_fin,
		a_close_in_close_wait_sends_a_fin_and_enters_last_ack,
		a_close_in_close_wait_waits_for_the_text,
		a_close_in_closing_last_ack_or_time_wait_changes_nothing,
		a_close_with_unread_text_is_a_reset,
		text_after_a_full_close_is_answered_by_a_reset,
		the_user_is_told_whether_the_connection_was_closed_or_aborted,
		NULL
	});
}
