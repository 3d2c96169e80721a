/* test_3_5_establishing.c: opening a connection (RFC 9293 3.5, 3.5.1) beyond the figures: simultaneous opens, SYNs that are
 * lost, repeated, old or carry more than a SYN, and the queues of a listener. */
#include "tests/support/peer.h"

/* ---- simultaneous open ------------------------------------------------------------------------------------------- */

/* RFC 9293 3.5 (MUST-10): text that either user sent before the connection was open goes through a simultaneous open. */
START_TEST(a_simultaneous_open_delivers_what_both_users_sent_early)
{
	struct peer p = syn_sent(_i);

	user_sends(&p, 50);
	peer_sends(&p, "S 0:0(0) <mss 1460>");
	peer_expects(&p, "S. 0:0(0) ack 1 <mss 1460>");
	peer_expects_nothing(&p);
	peer_sends(&p, "S. 0:0(0) ack 1 <mss 1460>");
	ck_assert_state(&p, TAPIR_TCP_ESTABLISHED);
	peer_expects(&p, "P. 1:51(50) ack 1");
	peer_sends(&p, "P. 1:31(30) ack 51");
	peer_expects(&p, ". 51:51(0) ack 31");
	user_reads(&p, 30);
}
END_TEST

/* RFC 9293 3.5 (MUST-10): the SYN,ACKs of a simultaneous open may be lost: ours is sent again, the peer's is not needed when
 * anything else acknowledges our SYN. */
START_TEST(a_simultaneous_open_survives_lost_syn_acks)
{
	struct peer p = syn_sent(_i);

	peer_sends(&p, "S 0:0(0)");
	peer_expects(&p, "S. 0:0(0) ack 1");		/* lost */
	peer_until_timer(&p);
	peer_expects(&p, "S. 0:0(0) ack 1");
	peer_sends(&p, "P. 1:11(10) ack 1");		/* the peer's SYN,ACK was lost */
	ck_assert_state(&p, TAPIR_TCP_ESTABLISHED);
	peer_expects(&p, ". 1:1(0) ack 11");
	user_reads(&p, 10);
}
END_TEST

/* RFC 9293 3.5, 3.10.7.4 first: the peer's SYN,ACK again, after ours opened the connection: an ACK of ours was lost. */
START_TEST(a_simultaneous_opens_syn_ack_again_is_acknowledged)
{
	struct peer p = syn_received_active(_i);

	peer_sends(&p, "S. 0:0(0) ack 1");
	ck_assert_state(&p, TAPIR_TCP_ESTABLISHED);
	peer_expects_nothing(&p);
	peer_sends(&p, "S. 0:0(0) ack 1");
	ck_assert_verdict(&p, DROP_TCP_SYN_CHALLENGE);
	peer_expects(&p, ". 1:1(0) ack 1");
	ck_assert_state(&p, TAPIR_TCP_ESTABLISHED);
}
END_TEST

/* RFC 9293 3.5 (MUST-10), 3.10.4: the user closes while the SYNs cross: the connection opens only to be closed, with the text
 * that was sent. The peer's SYN,ACK is the ACK of our SYN as before. */
START_TEST(a_simultaneous_open_may_be_closed_before_it_is_open)
{
	struct peer p = syn_received_active(_i);

	user_sends(&p, 50);
	user_closes(&p);
	ck_assert_state(&p, TAPIR_TCP_FIN_WAIT_1);
	peer_sends(&p, "S. 0:0(0) ack 1");
	peer_expects(&p, "FP. 1:51(50) ack 1");
	peer_expects_nothing(&p);
	peer_sends(&p, "F. 1:1(0) ack 52");
	peer_expects(&p, ". 52:52(0) ack 2");
	ck_assert_state(&p, TAPIR_TCP_TIME_WAIT);
}
END_TEST

/* RFC 9293 3.5 (MUST-11): SYN-RECEIVED remembers where it came from: a RST after an active OPEN is a refusal that the user
 * hears of; after a passive one nobody does. */
START_TEST(syn_received_remembers_who_opened)
{
	struct peer p = syn_received_active(_i);

	peer_sends(&p, "R. 1:1(0) ack 1");
	ck_assert_state(&p, TAPIR_TCP_CLOSED);
	ck_assert_error(user_pending_error(&p), TAPIR_ECONNREFUSED);
	p = syn_received(_i);
	peer_sends(&p, "R. 1:1(0) ack 1");
	ck_assert_state(&p, TAPIR_TCP_LISTEN);
	ck_assert_error(tapir_accept(p.t, p.listener, NULL), TAPIR_EAGAIN);
	ck_assert_int_eq(tapir_poll(p.t, p.listener), 0);
}
END_TEST

/* ---- our SYN ----------------------------------------------------------------------------------------------------- */

/* RFC 9293 3.5, 3.8.3 (MUST-22, MUST-23): a SYN is sent again after 1, 2, 4 ... 60 seconds, the same one, for over three
 * minutes in all; then the user is told. */
START_TEST(a_syn_is_sent_again_for_over_three_minutes)
{
	static const usec_t waits[] = {1, 2, 4, 8, 16, 32, 60};
	usec_t total = 0;
	struct peer p;

	peer_config()->timestamps = peer_config()->sack = peer_config()->window_scale = true;
	p = syn_sent(_i);
	for (size_t k = 0; k < sizeof waits / sizeof waits[0]; k++) {
		usec_t waited = peer_until_timer(&p);

		ck_assert_uint_eq(waited, waits[k] * TAPIR_SEC);
		total += waited;
		peer_expects(&p, "S 0:0(0) win 65535 <mss 1460,sackOK,TS val %u ecr 0,wscale *>", (unsigned)(total / TAPIR_MS));
	}
	ck_assert_state(&p, TAPIR_TCP_SYN_SENT);
	ck_assert_int_eq(tapir_poll(p.t, p.sd), 0);
	total += peer_until_timer(&p);
	ck_assert_uint_ge(total, 180 * TAPIR_SEC);
	ck_assert_state(&p, TAPIR_TCP_CLOSED);
	ck_assert_int_ne(tapir_poll(p.t, p.sd) & TAPIR_POLLERR, 0);
	ck_assert_error(user_pending_error(&p), TAPIR_ETIMEDOUT);
	peer_expects_nothing(&p);
}
END_TEST

/* RFC 9293 3.5 (RFC 5681 3.1, RFC 6298 5.7): a SYN that was lost is a sign of congestion: the initial window is one segment
 * and the RTO 3 seconds, until a round trip has been measured. */
START_TEST(after_a_lost_syn_the_connection_starts_carefully)
{
	struct peer p = syn_sent(_i);

	user_sends(&p, 3 * 1460);
	peer_until_timer(&p);
	peer_expects(&p, "S 0:0(0)");
	peer_sends(&p, "S. 0:0(0) ack 1 <mss 1460>");
	peer_expects(&p, ". 1:1461(1460) ack 1");
	peer_expects_nothing(&p);
	ck_assert_uint_eq(peer_info(&p).rto_us, 3 * TAPIR_SEC);
	ck_assert_uint_eq(peer_info(&p).snd_cwnd, 1460);
}
END_TEST

/* RFC 9293 3.5: text with the SYN,ACK is delivered when the connection is open, which is at once; one ACK for both. */
START_TEST(text_with_the_syn_ack_is_delivered)
{
	struct peer p = syn_sent(_i);

	peer_sends(&p, "SP. 0:100(100) ack 1 <mss 1460>");
	ck_assert_state(&p, TAPIR_TCP_ESTABLISHED);
	peer_expects(&p, ". 1:1(0) ack 101");
	peer_expects_nothing(&p);
	user_reads(&p, 100);
}
END_TEST

/* RFC 9293 3.5, 3.10.7.4 eighth: a FIN with the SYN,ACK: the connection opens and is in CLOSE-WAIT at once. */
START_TEST(a_fin_with_the_syn_ack_leads_to_close_wait)
{
	struct peer p = syn_sent(_i);

	peer_sends(&p, "SF. 0:0(0) ack 1");
	ck_assert_states(&p, "CLOSED > SYN-SENT > ESTABLISHED > CLOSE-WAIT");
	peer_expects(&p, ". 1:1(0) ack 2");
	peer_expects_nothing(&p);
	user_reads_end(&p);
}
END_TEST

/* RFC 9293 3.5, POSIX: after a refusal the same socket can try again. */
START_TEST(a_refused_socket_can_connect_again)
{
	struct peer p = syn_sent(_i);
	struct tapir_endpoint remote = {tapir_ipv4(10, 0, 0, 1), PEER_PORT};

	peer_sends(&p, "R. 0:0(0) ack 1");
	ck_assert_state(&p, TAPIR_TCP_CLOSED);
	ck_assert_error(tapir_connect(p.t, p.sd, &remote), TAPIR_ECONNREFUSED);
	ck_assert_error(tapir_connect(p.t, p.sd, &remote), TAPIR_EINPROGRESS);
	peer_expects(&p, "S 0:0(0)");
	peer_sends(&p, "S. 0:0(0) ack 1");
	peer_expects(&p, ". 1:1(0) ack 1");
	ck_assert_state(&p, TAPIR_TCP_ESTABLISHED);
}
END_TEST

/* ---- the peer's SYN ---------------------------------------------------------------------------------------------- */

/* RFC 9293 3.5: the peer's SYN again: our SYN,ACK was lost. The same one is sent again, at once; there is one connection. */
START_TEST(the_peers_syn_again_draws_the_same_syn_ack)
{
	struct peer p = syn_received(_i);

	for (int again = 0; again < 3; again++) {
		peer_sends(&p, "S 0:0(0) <mss 1460>");
		peer_expects(&p, "S. 0:0(0) ack 1 <mss 1460>");
		peer_expects_nothing(&p);
		ck_assert_uint_eq(peer_usage(&p).conns, 1);
	}
	peer_sends(&p, ". 1:1(0) ack 1");
	ck_assert_state(&p, TAPIR_TCP_ESTABLISHED);
}
END_TEST

/* RFC 9293 3.5: the SYN,ACK is sent again until it is acknowledged, then the half-open connection is forgotten without a word:
 * its listener goes on. */
START_TEST(a_syn_ack_is_sent_again_and_given_up)
{
	struct peer p = syn_received(_i);

	for (uint8_t k = 0; k < peer_config()->synack_retries; k++) {
		peer_until_timer(&p);
		peer_expects(&p, "S. 0:0(0) ack 1");
	}
	peer_until_timer(&p);
	peer_expects_nothing(&p);
	ck_assert_state(&p, TAPIR_TCP_LISTEN);
	ck_assert_uint_eq(peer_usage(&p).conns, 0);
	peer_sends(&p, ". 1:1(0) ack 1");		/* too late */
	peer_expects(&p, "R 1:1(0)");
	peer_opens(&p);
}
END_TEST

/* RFC 9293 3.5: text and FIN with a SYN "is perfectly legitimate": LISTEN does not acknowledge them, so that they come again
 * when the handshake has shown that the SYN was real, and are delivered then. */
START_TEST(text_and_fin_with_a_syn_come_again_when_it_is_acknowledged)
{
	static const char *const syns[] = {"S 0:100(100) <mss 1460>", "SF 0:100(100) <mss 1460>", "SFP 0:100(100) <mss 1460>"};

	for (size_t i = 0; i < 3; i++) {
		struct peer p = listening(_i);

		peer_sends(&p, "%s", syns[i]);
		ck_assert_verdict(&p, ACCEPT);
		peer_expects(&p, "S. 0:0(0) ack 1");
		ck_assert_uint_eq(peer_usage(&p).small_frames, 0);
		peer_sends(&p, i ? "FP. 1:101(100) ack 1" : "P. 1:101(100) ack 1");
		peer_expects(&p, ". 1:1(0) ack %d", i ? 102 : 101);
		user_accepts(&p);
		user_reads(&p, 100);
		ck_assert_state(&p, i ? TAPIR_TCP_CLOSE_WAIT : TAPIR_TCP_ESTABLISHED);
	}
}
END_TEST

/* RFC 9293 3.5, 3.10.7.2: a SYN with what cannot go with it in LISTEN: with RST it is a RST, with ACK it is reset. */
START_TEST(a_syn_with_rst_or_ack_opens_nothing)
{
	struct peer p = listening(_i);

	peer_sends(&p, "SR 0:0(0)");
	ck_assert_verdict(&p, DROP_TCP_LISTEN_RST);
	peer_expects_nothing(&p);
	peer_sends(&p, "SFRP.U 0:0(0) ack 5 urg 1");
	ck_assert_verdict(&p, DROP_TCP_LISTEN_RST);
	peer_expects_nothing(&p);
	peer_sends(&p, "S. 0:0(0) ack 5");
	ck_assert_verdict(&p, DROP_TCP_LISTEN_ACK);
	peer_expects(&p, "R 5:5(0)");
	ck_assert_uint_eq(peer_usage(&p).conns, 0);
}
END_TEST

/* RFC 9293 3.5.1: a half-open connection "will automatically become reset if an attempt is made to send data in either
 * direction": the peer has forgotten it, our user sends; and the other way round. */
START_TEST(a_half_open_connection_is_reset_by_the_first_text)
{
	struct peer p = established(_i);

	user_sends(&p, 10);
	peer_expects(&p, "P. 1:11(10) ack 1");
	peer_sends(&p, "R 1:1(0)");
	ck_assert_error(user_send_result(&p, 1), TAPIR_ECONNRESET);
	p = established(_i);
	user_aborts(&p);
	peer_expects(&p, "R 1:1(0)");			/* lost */
	peer_sends(&p, "P. 1:11(10) ack 1");
	peer_expects(&p, "R 1:1(0)");
}
END_TEST

/* RFC 9293 3.5.1 (RFC 5961 4.2): the peer has crashed and opens again with the same ports: our ACK shows it that we know
 * nothing of it, its RST ends the old connection, its next SYN opens the new one. */
START_TEST(a_peer_that_crashed_opens_again_from_the_same_port)
{
	struct peer p = established(_i);

	peer_sends(&p, "P. 1:101(100) ack 1");
	peer_expects(&p, ". 1:1(0) ack 101");
	user_reads(&p, 100);
	for (int at = 50; at <= 50000; at *= 10) {	/* old, within the window, anywhere: it is all the same */
		peer_sends(&p, "S %d:%d(0) <mss 1460>", at, at);
		ck_assert_verdict(&p, DROP_TCP_SYN_CHALLENGE);
		peer_expects(&p, ". 1:1(0) ack 101");
	}
	peer_sends(&p, "R 101:101(0)");
	ck_assert_error(user_recv_result(&p), TAPIR_ECONNRESET);
	user_closes(&p);
	peer_sends(&p, "S 5000:5000(0) <mss 1460>");
	peer_expects(&p, "S. 0:0(0) ack 5001");
	peer_sends(&p, ". 5001:5001(0) ack 1");
	ck_assert_state(&p, TAPIR_TCP_ESTABLISHED);
}
END_TEST

/* ---- a listener's queues ----------------------------------------------------------------------------------------- */

/* RFC 9293 3.5, POSIX listen(): established connections wait for accept(), oldest first, each with what has arrived. */
START_TEST(connections_wait_for_accept_in_order)
{
	struct peer p = listening(_i), q[3];

	for (uint16_t k = 0; k < 3; k++) {
		q[k] = another_peer(&p, (uint16_t)(PEER_PORT + k));
		ck_assert_int_eq(tapir_poll(p.t, p.listener) & TAPIR_POLLIN, k ? TAPIR_POLLIN : 0);
		peer_opens(&q[k]);
		peer_sends(&q[k], "P. 1:%d(%d) ack 1", 2 + k, 1 + k);
		peer_expects(&q[k], ". 1:1(0) ack %d", 2 + k);
	}
	for (uint32_t k = 0; k < 3; k++) {
		user_accepts(&q[k]);
		user_reads(&q[k], 1 + k);
	}
	ck_assert_error(tapir_accept(p.t, p.listener, NULL), TAPIR_EAGAIN);
}
END_TEST

/* RFC 9293 3.5, POSIX listen(): the backlog is full: a SYN is dropped, so that the peer tries again; when accept() has made
 * room it gets in. */
START_TEST(a_full_backlog_drops_syns_until_accept_makes_room)
{
	struct peer p = closed(_i), q;

	user_listens(&p, 1);
	peer_opens(&p);
	q = another_peer(&p, PEER_PORT + 1);
	peer_sends(&q, "S 0:0(0) <mss 1460>");
	ck_assert_verdict(&q, DROP_TCP_BACKLOG);
	peer_expects_nothing(&q);
	user_accepts(&p);
	peer_opens(&q);
	user_accepts(&q);
}
END_TEST

/* RFC 9293 3.5, POSIX listen(): the backlog fills up between the SYN and its ACK: the ACK is dropped and the connection stays
 * in SYN-RECEIVED; our SYN,ACK again, or text, opens it when there is room. */
START_TEST(a_backlog_that_fills_up_during_the_handshake_holds_it)
{
	struct peer p = closed(_i), q;

	user_listens(&p, 1);
	q = another_peer(&p, PEER_PORT + 1);
	peer_sends(&q, "S 0:0(0) <mss 1460>");
	peer_expects(&q, "S. 0:0(0) ack 1");
	peer_opens(&p);
	peer_sends(&q, ". 1:1(0) ack 1");
	ck_assert_verdict(&q, DROP_TCP_BACKLOG);
	peer_sends(&q, "P. 1:11(10) ack 1");
	ck_assert_verdict(&q, DROP_TCP_BACKLOG);
	ck_assert_state(&q, TAPIR_TCP_SYN_RCVD);
	peer_expects_nothing(&q);
	user_accepts(&p);
	peer_until_timer(&q);
	peer_expects(&q, "S. 0:0(0) ack 1");
	peer_sends(&q, "P. 1:11(10) ack 1");
	peer_expects(&q, ". 1:1(0) ack 11");
	ck_assert_state(&q, TAPIR_TCP_ESTABLISHED);
	user_accepts(&q);
	user_reads(&q, 10);
}
END_TEST

/* RFC 9293 3.5 (RFC 4987 3.2, 3.3): half-open connections are bounded: the oldest gives way to a new one. Its late ACK is
 * reset, so that its peer knows. */
START_TEST(the_oldest_half_open_connection_gives_way)
{
	struct peer p, q;

	peer_config()->syn_cookies = 0;
	p = syn_received(_i);
	for (uint16_t k = 1; k <= 4; k++) {		/* a quarter of the 16 connections may be half-open */
		ck_assert_state(&p, TAPIR_TCP_SYN_RCVD);
		q = another_peer(&p, (uint16_t)(PEER_PORT + k));
		peer_sends(&q, "S 0:0(0) <mss 1460>");
		peer_expects(&q, "S. 0:0(0) ack 1");
	}
	ck_assert_state(&p, TAPIR_TCP_LISTEN);
	ck_assert_uint_eq(peer_usage(&p).conns, 4);
	peer_sends(&p, ". 1:1(0) ack 1");
	ck_assert_verdict(&p, DROP_TCP_LISTEN_ACK);
	peer_expects(&p, "R 1:1(0)");
	peer_sends(&q, ". 1:1(0) ack 1");
	ck_assert_state(&q, TAPIR_TCP_ESTABLISHED);
}
END_TEST

/* RFC 9293 3.5 (RFC 4987 3.2, 3.3): a flood of SYNs leaves what is established alone, memory bounded, and lets a peer in that
 * answers at once. */
START_TEST(a_flood_of_syns_leaves_room_for_who_answers)
{
	struct peer p, q;

	peer_config()->syn_cookies = 0;
	p = established(_i);
	for (uint16_t k = 1; k <= 100; k++) {
		q = another_peer(&p, (uint16_t)(PEER_PORT + k));
		peer_sends(&q, "S 0:0(0) <mss 1460>");
		peer_ignores_all(&q);
		ck_assert_uint_le(peer_usage(&p).conns, 1 + 4);
		if (k % 25 == 0) {
			q = another_peer(&p, (uint16_t)(20000 + k));
			peer_opens(&q);
			user_accepts(&q);
			user_aborts(&q);
			peer_expects(&q, "R 1:1(0)");
		}
	}
	user_sends(&p, 10);
	peer_expects(&p, "P. 1:11(10) ack 1");
	peer_sends(&p, ". 1:1(0) ack 11");
	ck_assert_state(&p, TAPIR_TCP_ESTABLISHED);
}
END_TEST

/* RFC 9293 3.5: when every connection is taken, a SYN is not answered: what is open never gives way. TIME-WAIT takes none. */
START_TEST(a_full_table_gives_up_nothing_that_is_open)
{
	struct peer p, q, r;

	peer_config()->max_conns = 2;
	p = time_wait(_i);
	user_closes(&p);
	q = another_peer(&p, PEER_PORT + 1);
	peer_opens(&q);
	ck_assert_state(&p, TAPIR_TCP_TIME_WAIT);
	r = another_peer(&p, PEER_PORT + 2);
	peer_opens(&r);
	ck_assert_state(&p, TAPIR_TCP_TIME_WAIT);
	p = another_peer(&p, PEER_PORT + 3);
	peer_sends(&p, "S 0:0(0) <mss 1460>");
	ck_assert_verdict(&p, DROP_NO_MEMORY);
	peer_expects_nothing(&p);
	ck_assert_state(&q, TAPIR_TCP_ESTABLISHED);
	ck_assert_state(&r, TAPIR_TCP_ESTABLISHED);
	ck_assert_error(tapir_close(p.t, p.listener), 0);
	peer_expects(&q, "R 1:1(0)");
	peer_expects(&r, "R 1:1(0)");
}
END_TEST

/* RFC 9293 3.5, 3.10.4: the listener is closed between the SYN and its ACK: the half-open connection is reset, and so is the
 * ACK that was under way. */
START_TEST(a_listener_that_closes_meanwhile_resets_the_handshake)
{
	struct peer p = syn_received(_i);

	ck_assert_error(tapir_close(p.t, p.listener), 0);
	p.listener = -1;
	peer_expects(&p, "R 1:1(0)");
	ck_assert_state(&p, TAPIR_TCP_CLOSED);
	peer_sends(&p, ". 1:1(0) ack 1");
	ck_assert_verdict(&p, DROP_TCP_CLOSED);
	peer_expects(&p, "R 1:1(0)");
	ck_assert_uint_eq(peer_usage(&p).conns, 0);
}
END_TEST

Suite *suite(void)
{
	return peer_suite("RFC 9293 3.5", (const TTest *[]){
		a_simultaneous_open_delivers_what_both_users_sent_early,
		a_simultaneous_open_survives_lost_syn_acks,
		a_simultaneous_opens_syn_ack_again_is_acknowledged,
		a_simultaneous_open_may_be_closed_before_it_is_open,
		syn_received_remembers_who_opened,
		a_syn_is_sent_again_for_over_three_minutes,
		after_a_lost_syn_the_connection_starts_carefully,
		text_with_the_syn_ack_is_delivered,
		a_fin_with_the_syn_ack_leads_to_close_wait,
		a_refused_socket_can_connect_again,
		the_peers_syn_again_draws_the_same_syn_ack,
		a_syn_ack_is_sent_again_and_given_up,
		text_and_fin_with_a_syn_come_again_when_it_is_acknowledged,
		a_syn_with_rst_or_ack_opens_nothing,
		a_half_open_connection_is_reset_by_the_first_text,
		a_peer_that_crashed_opens_again_from_the_same_port,
		connections_wait_for_accept_in_order,
		a_full_backlog_drops_syns_until_accept_makes_room,
		a_backlog_that_fills_up_during_the_handshake_holds_it,
		the_oldest_half_open_connection_gives_way,
		a_flood_of_syns_leaves_room_for_who_answers,
		a_full_table_gives_up_nothing_that_is_open,
		a_listener_that_closes_meanwhile_resets_the_handshake,
		NULL
	});
}
