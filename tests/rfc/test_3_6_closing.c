/* test_3_6_closing.c: closing a connection (RFC 9293 3.6, 3.6.1): half-close both ways, a FIN that text, a closed window or
 * loss stands in the way of, and connections that nobody holds any more, which always end. */
#include "tests/support/peer.h"

/* ---- half-closed ------------------------------------------------------------------------------------------------- */

/* RFC 9293 3.6 case 1, 3.6.1: FIN-WAIT-2: we have closed, the peer goes on sending for as long as it likes; the user reads
 * until the end. */
START_TEST(after_our_fin_the_peer_may_send_on)
{
	struct peer p = fin_wait_2(_i);

	for (uint32_t at = 1; at < 1 + 20 * 1460; at += 1460) {
		peer_advance(&p, 600 * TAPIR_SEC);
		peer_sends(&p, "P. %u:%u(1460) ack 2", at, at + 1460);
		peer_expects(&p, ". 2:2(0) ack %u", at + 1460);
		user_reads(&p, 1460);
	}
	ck_assert_state(&p, TAPIR_TCP_FIN_WAIT_2);
	peer_sends(&p, "F. 29201:29201(0) ack 2");
	peer_expects(&p, ". 2:2(0) ack 29202");
	user_reads_end(&p);
	ck_assert_state(&p, TAPIR_TCP_TIME_WAIT);
}
END_TEST

/* RFC 9293 3.6 case 2, 3.6.1: CLOSE-WAIT: the peer has closed, we go on sending, with retransmission and all; the FIN comes
 * after "any remaining data". */
START_TEST(after_the_peers_fin_we_may_send_on)
{
	struct peer p = close_wait(_i);

	user_reads_end(&p);
	user_sends(&p, 2 * 1460);
	peer_expects(&p, ". 1:1461(1460) ack 2");
	peer_expects(&p, "P. 1461:2921(1460) ack 2");
	peer_until_timer(&p);
	peer_expects(&p, ". 1:1461(1460) ack 2");
	peer_sends(&p, ". 2:2(0) ack 2921");
	peer_advance(&p, 3600 * TAPIR_SEC);
	user_sends(&p, 100);
	user_shuts_down(&p);
	ck_assert_state(&p, TAPIR_TCP_LAST_ACK);
	peer_expects(&p, "FP. 2921:3021(100) ack 2");
	peer_sends(&p, ". 2:2(0) ack 3022");
	ck_assert_state(&p, TAPIR_TCP_CLOSED);
	ck_assert_error(user_pending_error(&p), 0);
}
END_TEST

/* RFC 9293 3.6 (MUST-12): the user learns whether the peer closed normally or the connection was aborted. */
START_TEST(a_normal_close_and_an_abort_look_different_to_the_user)
{
	struct peer p = established(_i);

	peer_sends(&p, "F. 1:1(0) ack 1");
	peer_expects(&p, ". 1:1(0) ack 2");
	ck_assert_int_eq(tapir_poll(p.t, p.sd) & (TAPIR_POLLERR | TAPIR_POLLHUP), 0);
	user_reads_end(&p);
	ck_assert_error(user_pending_error(&p), 0);
	p = established(_i);
	peer_sends(&p, "R. 1:1(0) ack 1");
	ck_assert_int_eq(tapir_poll(p.t, p.sd) & TAPIR_POLLERR, TAPIR_POLLERR);
	ck_assert_error(user_recv_result(&p), TAPIR_ECONNRESET);
}
END_TEST

/* ---- what stands in the way of a FIN ----------------------------------------------------------------------------- */

/* RFC 9293 3.6: all buffers SENT before CLOSE are delivered reliably: the state is FIN-WAIT-1 at once, the FIN goes behind the
 * last of 100,000 bytes, while the congestion window lets the text out in portions. */
START_TEST(a_fin_waits_behind_all_text_that_was_sent)
{
	struct peer p;
	uint32_t end = 0;

	peer_config()->sndbuf = 100000;
	p = established(_i);
	user_sends(&p, 100000);
	user_closes(&p);
	ck_assert_state(&p, TAPIR_TCP_FIN_WAIT_1);
	for (int k = 0; k < 50 && end != 100002; k++) {
		peer_ignores_all(&p);
		ck_assert_uint_gt(p.snd_nxt, end);
		end = p.snd_nxt;
		ck_assert_state(&p, TAPIR_TCP_FIN_WAIT_1);
		peer_sends(&p, ". 1:1(0) ack %u", end);
	}
	ck_assert_uint_eq(end, 100002);
	ck_assert_state(&p, TAPIR_TCP_FIN_WAIT_2);
	peer_sends(&p, "F. 1:1(0) ack 100002");
	peer_expects(&p, ". 100002:100002(0) ack 2");
	ck_assert_state(&p, TAPIR_TCP_TIME_WAIT);
}
END_TEST

/* RFC 9293 3.6: the FIN rides on the last segment, and lets a short one go that Nagle would hold: no more will come. */
START_TEST(a_fin_rides_on_the_last_text)
{
	struct peer p = established(_i);

	user_sends(&p, 10);
	peer_expects(&p, "P. 1:11(10) ack 1");
	user_sends(&p, 10);
	peer_expects_nothing(&p);
	user_shuts_down(&p);
	peer_expects(&p, "FP. 11:21(10) ack 1");
	peer_sends(&p, ". 1:1(0) ack 22");
	ck_assert_state(&p, TAPIR_TCP_FIN_WAIT_2);
}
END_TEST

/* RFC 9293 3.6, 3.4: a FIN occupies a sequence number: where the window has room for the text only, it waits. */
START_TEST(a_fin_needs_room_in_the_window)
{
	struct peer p = established(_i);

	peer_sends(&p, ". 1:1(0) ack 1 win 100");
	user_sends(&p, 100);
	user_shuts_down(&p);
	peer_expects(&p, "P. 1:101(100) ack 1");
	peer_expects_nothing(&p);
	peer_sends(&p, ". 1:1(0) ack 101 win 1");
	peer_expects(&p, "F. 101:101(0) ack 1");
	peer_sends(&p, ". 1:1(0) ack 102");
	ck_assert_state(&p, TAPIR_TCP_FIN_WAIT_2);
}
END_TEST

/* RFC 9293 3.6, 3.8.6.1: text and FIN behind a window of zero: it is probed for as long as the peer answers, and both get
 * through when it opens. */
START_TEST(a_fin_behind_text_behind_a_closed_window_gets_through)
{
	struct peer p = established(_i);

	peer_sends(&p, ". 1:1(0) ack 1 win 0");
	user_sends(&p, 100);
	user_shuts_down(&p);
	ck_assert_state(&p, TAPIR_TCP_FIN_WAIT_1);
	peer_expects_nothing(&p);
	for (int k = 0; k < 30; k++) {
		peer_until_timer(&p);
		peer_expects(&p, ". 1:2(1) ack 1");
		peer_sends(&p, ". 1:1(0) ack 1 win 0");
		peer_expects_nothing(&p);
	}
	peer_sends(&p, ". 1:1(0) ack 1 win 1000");
	peer_expects(&p, "FP. 1:101(100) ack 1");
	peer_sends(&p, ". 1:1(0) ack 102");
	ck_assert_state(&p, TAPIR_TCP_FIN_WAIT_2);
}
END_TEST

/* RFC 9293 3.6, 3.8.6.1: a FIN alone behind a window of zero is the probe itself. */
START_TEST(a_fin_alone_behind_a_closed_window_gets_through)
{
	for (int passive = 0; passive < 2; passive++) {
		struct peer p = passive ? close_wait(_i) : established(_i);
		int at = 1 + passive;

		peer_sends(&p, ". %d:%d(0) ack 1 win 0", at, at);
		user_shuts_down(&p);
		peer_expects_nothing(&p);
		for (int k = 0; k < 3; k++) {
			peer_until_timer(&p);
			peer_expects(&p, "F. 1:1(0) ack %d", at);
			peer_sends(&p, ". %d:%d(0) ack 1 win 0", at, at);
			peer_expects_nothing(&p);
		}
		peer_sends(&p, ". %d:%d(0) ack 1 win 1", at, at);
		peer_expects(&p, "F. 1:1(0) ack %d", at);
		peer_sends(&p, ". %d:%d(0) ack 2", at, at);
		ck_assert_state(&p, passive ? TAPIR_TCP_CLOSED : TAPIR_TCP_FIN_WAIT_2);
	}
}
END_TEST

/* RFC 9293 3.6: "all segments preceding and including FIN will be retransmitted until acknowledged": the FIN was lost, or the
 * text before it, or both. */
START_TEST(a_fin_that_is_lost_is_sent_again)
{
	struct peer p = established(_i);

	user_sends(&p, 1460 + 100);
	user_shuts_down(&p);
	peer_expects(&p, ". 1:1461(1460) ack 1");
	peer_expects(&p, "FP. 1461:1561(100) ack 1");
	peer_sends(&p, ". 1:1(0) ack 1461");			/* the FIN was lost */
	peer_until_timer(&p);
	peer_expects(&p, "FP. 1461:1561(100) ack 1");
	peer_sends(&p, ". 1:1(0) ack 1561");			/* taken without its FIN */
	ck_assert_state(&p, TAPIR_TCP_FIN_WAIT_1);
	peer_until_timer(&p);
	peer_expects(&p, "F. 1561:1561(0) ack 1");
	peer_sends(&p, ". 1:1(0) ack 1562");
	ck_assert_state(&p, TAPIR_TCP_FIN_WAIT_2);
}
END_TEST

/* RFC 9293 3.6 (RFC 5681 3.2): what was lost before a FIN is sent again fast, and the FIN is not sent before it is needed. */
START_TEST(text_lost_before_a_fin_is_sent_again_fast)
{
	struct peer p = established(_i);

	user_sends(&p, 5 * 1460);
	user_shuts_down(&p);
	for (int k = 0; k < 4; k++)
		peer_expects(&p, ". %d:%d(1460) ack 1", 1 + 1460 * k, 1461 + 1460 * k);
	peer_expects(&p, "FP. 5841:7301(1460) ack 1");
	for (int k = 0; k < 3; k++)
		peer_sends(&p, ". 1:1(0) ack 1461");
	peer_expects_nothing(&p);
	peer_sends(&p, ". 1:1(0) ack 1461");			/* the third duplicate */
	peer_expects(&p, ". 1461:2921(1460) ack 1");
	peer_sends(&p, ". 1:1(0) ack 7302");
	ck_assert_state(&p, TAPIR_TCP_FIN_WAIT_2);
	peer_expects_nothing(&p);
}
END_TEST

/* RFC 9293 3.6: a FIN that overtakes text closes nothing until the text is there; the user reads all of it first. */
START_TEST(a_fin_that_overtakes_text_ends_the_stream_behind_it)
{
	struct peer p = established(_i);

	peer_sends(&p, "FP. 1461:1561(100) ack 1");
	peer_expects(&p, ". 1:1(0) ack 1");
	ck_assert_error(user_recv_result(&p), TAPIR_EAGAIN);
	ck_assert_state(&p, TAPIR_TCP_ESTABLISHED);
	peer_sends(&p, ". 1:1461(1460) ack 1");
	peer_expects(&p, ". 1:1(0) ack 1562");
	ck_assert_state(&p, TAPIR_TCP_CLOSE_WAIT);
	user_reads(&p, 1560);
	user_reads_end(&p);
}
END_TEST

/* ---- both close at once ------------------------------------------------------------------------------------------ */

/* RFC 9293 3.6 case 3: both sides close with text in flight, which crosses: "when all segments preceding the FINs have been
 * processed and acknowledged, each TCP peer can ACK the FIN it has received". */
START_TEST(a_simultaneous_close_with_text_in_flight)
{
	struct peer p = established(_i);

	user_sends(&p, 100);
	user_shuts_down(&p);
	peer_expects(&p, "FP. 1:101(100) ack 1");
	peer_sends(&p, "FP. 1:201(200) ack 1");
	peer_expects(&p, ". 102:102(0) ack 202");
	ck_assert_state(&p, TAPIR_TCP_CLOSING);
	user_reads(&p, 200);
	user_reads_end(&p);
	peer_sends(&p, ". 202:202(0) ack 102");
	ck_assert_state(&p, TAPIR_TCP_TIME_WAIT);
	peer_expects_nothing(&p);
}
END_TEST

/* RFC 9293 3.6 case 3: the same with both FINs lost behind text that got through: CLOSING sends its FIN again until it is
 * acknowledged, and acknowledges the peer's as often as it comes. */
START_TEST(a_simultaneous_close_with_losses)
{
	struct peer p = established(_i);

	user_sends(&p, 100);
	user_shuts_down(&p);
	peer_expects(&p, "FP. 1:101(100) ack 1");		/* lost */
	peer_sends(&p, "F. 201:201(0) ack 1");			/* its text was lost */
	peer_expects(&p, ". 102:102(0) ack 1");
	peer_until_timer(&p);
	peer_expects(&p, "FP. 1:101(100) ack 1");
	peer_sends(&p, "FP. 1:201(200) ack 1");
	peer_expects(&p, ". 102:102(0) ack 202");		/* lost */
	ck_assert_state(&p, TAPIR_TCP_CLOSING);
	peer_sends(&p, "FP. 1:201(200) ack 101");		/* ours was taken without the FIN */
	peer_expects(&p, ". 102:102(0) ack 202");
	peer_until_timer(&p);
	peer_expects(&p, "FP. 1:101(100) ack 202");		/* that segment was old: its ACK did not count */
	peer_sends(&p, ". 202:202(0) ack 101");
	peer_until_timer(&p);
	peer_expects(&p, "F. 101:101(0) ack 202");
	peer_sends(&p, ". 202:202(0) ack 102");
	ck_assert_state(&p, TAPIR_TCP_TIME_WAIT);
	user_reads(&p, 200);
	user_reads_end(&p);
}
END_TEST

/* ---- close() without a half-close -------------------------------------------------------------------------------- */

/* RFC 9293 3.6.1 (MAY-1, SHLD-3): close() with unread text: a RST shows that it was lost. */
START_TEST(close_with_unread_text_is_a_reset)
{
	for (int passive = 0; passive < 2; passive++) {
		struct peer p = established(_i);

		peer_sends(&p, passive ? "FP. 1:101(100) ack 1" : "P. 1:101(100) ack 1");
		peer_expects(&p, ". 1:1(0) ack %d", 101 + passive);
		user_closes(&p);
		peer_expects(&p, "R 1:1(0)");
		peer_expects_nothing(&p);
		ck_assert_state(&p, TAPIR_TCP_CLOSED);
		ck_assert_uint_eq(peer_usage(&p).conns, 0);
	}
}
END_TEST

/* RFC 9293 3.6.1: the same after a half-close: FIN-WAIT-2, and CLOSING. */
START_TEST(close_with_unread_text_after_a_half_close_is_a_reset)
{
	struct peer p = fin_wait_2(_i);

	peer_sends(&p, "P. 1:101(100) ack 2");
	peer_expects(&p, ". 2:2(0) ack 101");
	user_closes(&p);
	peer_expects(&p, "R 2:2(0)");
	ck_assert_state(&p, TAPIR_TCP_CLOSED);
	p = fin_wait_1(_i);
	peer_sends(&p, "FP. 1:101(100) ack 1");
	peer_expects(&p, ". 2:2(0) ack 102");
	user_closes(&p);
	peer_expects(&p, "R 2:2(0)");
	ck_assert_state(&p, TAPIR_TCP_CLOSED);
}
END_TEST

/* RFC 9293 3.6.1: TIME-WAIT: the peer has closed too and needs no word about unread text. */
START_TEST(close_with_unread_text_in_time_wait_is_silent)
{
	struct peer p = fin_wait_2(_i);

	peer_sends(&p, "FP. 1:101(100) ack 2");
	peer_expects(&p, ". 2:2(0) ack 102");
	user_closes(&p);
	peer_expects_nothing(&p);
	ck_assert_state(&p, TAPIR_TCP_TIME_WAIT);
	ck_assert_uint_eq(peer_usage(&p).small_frames, 0);
}
END_TEST

/* RFC 9293 3.10.5, 3.6: SO_LINGER 0 makes close() an ABORT: a RST, and unsent text is thrown away. */
START_TEST(close_with_linger_0_is_a_reset)
{
	struct peer p = established(_i);

	ck_assert_error(tapir_setsockopt(p.t, p.sd, TAPIR_SO_LINGER, 0), 0);
	peer_sends(&p, ". 1:1(0) ack 1 win 0");
	user_sends(&p, 100);
	user_closes(&p);
	peer_expects(&p, "R 1:1(0)");
	peer_expects_nothing(&p);
	ck_assert_state(&p, TAPIR_TCP_CLOSED);
	ck_assert_uint_eq(peer_usage(&p).small_frames, 0);
	ck_assert_uint_eq(peer_usage(&p).conns, 0);
}
END_TEST

/* RFC 9293 3.6: shutdown(SHUT_RDWR) is a FIN and deaf ears; unread text is no loss that the peer must hear of, because the
 * program said that it wants none. */
START_TEST(shutdown_of_both_sides_is_a_normal_close)
{
	struct peer p = established(_i);

	peer_sends(&p, "P. 1:101(100) ack 1");
	peer_expects(&p, ". 1:1(0) ack 101");
	ck_assert_error(tapir_shutdown(p.t, p.sd, TAPIR_SHUT_RDWR), 0);
	peer_expects(&p, "F. 1:1(0) ack 101");
	user_reads_end(&p);
	user_closes(&p);
	peer_sends(&p, "F. 101:101(0) ack 2");
	peer_expects(&p, ". 2:2(0) ack 102");
	ck_assert_state(&p, TAPIR_TCP_TIME_WAIT);
}
END_TEST

/* RFC 9293 3.6: a connection that the peer closed before the program accepted it: the program reads what came, and the end. */
START_TEST(a_connection_closed_by_the_peer_before_accept_can_be_read)
{
	struct peer p = listening(_i);

	peer_opens(&p);
	peer_sends(&p, "FP. 1:101(100) ack 1");
	peer_expects(&p, ". 1:1(0) ack 102");
	user_accepts(&p);
	user_reads(&p, 100);
	user_reads_end(&p);
	user_closes(&p);
	peer_expects(&p, "F. 1:1(0) ack 102");
	peer_sends(&p, ". 102:102(0) ack 2");
	ck_assert_state(&p, TAPIR_TCP_CLOSED);
}
END_TEST

/* RFC 9293 3.6.1 (MAY-1, SHLD-3), 3.10.7.4 seventh: FIN-WAIT-1, FIN-WAIT-2: the program has called close(), new text arrives,
 * in order, beyond a hole or with a FIN: a RST shows that it was lost, and the connection is gone. */
START_TEST(text_after_close_draws_a_reset)
{
	static const char *const lines[] = {"P. 1:2(1)", "P. 101:201(100)", "FP. 1:101(100)"};

	for (int k = 0; k < 6; k++) {
		int half_closed = k / 3;
		struct peer p = half_closed ? fin_wait_2(_i) : fin_wait_1(_i);

		user_closes(&p);
		peer_expects_nothing(&p);
		peer_sends(&p, "%s ack %d", lines[k % 3], 1 + half_closed);
		ck_assert_verdict(&p, DROP_TCP_CLOSED_BY_USER);
		peer_expects(&p, "R 2:2(0)");
		peer_expects_nothing(&p);
		ck_assert_state(&p, TAPIR_TCP_CLOSED);
		ck_assert_uint_eq(peer_usage(&p).conns, 0);
	}
}
END_TEST

/* RFC 9293 3.6.1, 3.10.7.4 first: FIN-WAIT-2: text that was read before close() and comes again is only acknowledged: nothing
 * was lost. */
START_TEST(old_text_after_close_draws_an_ack)
{
	struct peer p = established(_i);

	peer_sends(&p, "P. 1:101(100) ack 1");
	peer_expects(&p, ". 1:1(0) ack 101");
	user_reads(&p, 100);
	user_closes(&p);
	peer_expects(&p, "F. 1:1(0) ack 101");
	peer_sends(&p, ". 101:101(0) ack 2");
	peer_sends(&p, "P. 1:101(100) ack 2");
	peer_expects(&p, ". 2:2(0) ack 101");
	ck_assert_state(&p, TAPIR_TCP_FIN_WAIT_2);
	peer_sends(&p, "F. 101:101(0) ack 2");
	peer_expects(&p, ". 2:2(0) ack 102");
	ck_assert_state(&p, TAPIR_TCP_TIME_WAIT);
}
END_TEST

/* ---- connections that nobody holds ------------------------------------------------------------------------------- */

/* RFC 9293 3.6: FIN-WAIT-2 without a user does not wait for the peer's FIN for ever. A late FIN then meets CLOSED. */
START_TEST(an_orphan_in_fin_wait_2_ends)
{
	struct peer p;

	for (int closed_early = 0; closed_early < 2; closed_early++) {
		peer_config()->fin_wait_2_us = 10 * TAPIR_SEC;
		p = closed_early ? fin_wait_1(_i) : fin_wait_2(_i);
		user_closes(&p);
		if (closed_early)
			peer_sends(&p, ". 1:1(0) ack 2");
		peer_advance(&p, 10 * TAPIR_SEC - 1);
		ck_assert_state(&p, TAPIR_TCP_FIN_WAIT_2);
		peer_advance(&p, 1);
		ck_assert_state(&p, TAPIR_TCP_CLOSED);
		ck_assert_uint_eq(peer_usage(&p).conns, 0);
		peer_expects_nothing(&p);
		peer_sends(&p, "F. 1:1(0) ack 2");
		peer_expects(&p, "R 2:2(0)");
	}
}
END_TEST

/* RFC 9293 3.6: an orphan in FIN-WAIT-2 whose peer closes in time goes through TIME-WAIT as any. */
START_TEST(an_orphan_in_fin_wait_2_is_closed_by_the_peer)
{
	struct peer p = fin_wait_2(_i);

	user_closes(&p);
	peer_advance(&p, peer_config()->fin_wait_2_us - 1);
	peer_sends(&p, "F. 1:1(0) ack 2");
	peer_expects(&p, ". 2:2(0) ack 2");
	peer_advance(&p, 2 * peer_config()->msl_us - 1);
	ck_assert_state(&p, TAPIR_TCP_TIME_WAIT);
	peer_advance(&p, 1);
	ck_assert_state(&p, TAPIR_TCP_CLOSED);
}
END_TEST

/* RFC 9293 3.6, 3.8.3: FIN-WAIT-1, CLOSING, LAST-ACK without a user: the FIN is sent again, with a limit of its own. */
START_TEST(an_orphan_whose_fin_nobody_acknowledges_ends)
{
	static const enum tapir_tcp_state states[] = {TAPIR_TCP_FIN_WAIT_1, TAPIR_TCP_CLOSING, TAPIR_TCP_LAST_ACK};

	peer_config()->orphan_retries = 4;
	for (size_t i = 0; i < sizeof states / sizeof states[0]; i++) {
		struct peer p = peer_in(states[i], _i);

		user_closes(&p);
		for (int k = 0; k < 4; k++) {
			peer_until_timer(&p);
			peer_expects(&p, "F. 1:1(0) ack *");
		}
		ck_assert_state(&p, states[i]);
		peer_until_timer(&p);
		ck_assert_state(&p, TAPIR_TCP_CLOSED);
		ck_assert_uint_eq(peer_usage(&p).conns, 0);
		peer_expects_nothing(&p);
	}
}
END_TEST

/* RFC 9293 3.6, 3.8.6.1: an orphan before a closed window: a user may wait for ever (MUST-37), memory that nobody holds may
 * not: after its limit of probes the connection is reset, although the peer answers. */
START_TEST(an_orphan_before_a_closed_window_ends)
{
	struct peer p;
	int probes = 0;

	peer_config()->orphan_retries = 4;
	p = established(_i);
	peer_sends(&p, ". 1:1(0) ack 1 win 0");
	user_sends(&p, 100);
	user_closes(&p);
	for (; probes < 10; probes++) {
		peer_until_timer(&p);
		if (peer_state(&p) == TAPIR_TCP_CLOSED)
			break;
		peer_expects(&p, ". 1:2(1) ack 1");
		peer_sends(&p, ". 1:1(0) ack 1 win 0");
	}
	ck_assert_int_eq(probes, 4);
	peer_expects(&p, "R 2:2(0)");
	peer_expects_nothing(&p);
	ck_assert_uint_eq(peer_usage(&p).conns, 0);
}
END_TEST

/* RFC 9293 3.6: an orphan that gets through in time ends as any: LAST-ACK in CLOSED with the ACK of its FIN. */
START_TEST(an_orphan_in_last_ack_ends_with_the_ack_of_its_fin)
{
	struct peer p = close_wait(_i);

	user_sends(&p, 100);
	user_closes(&p);
	ck_assert_state(&p, TAPIR_TCP_LAST_ACK);
	peer_expects(&p, "FP. 1:101(100) ack 2");
	peer_sends(&p, ". 2:2(0) ack 51");
	ck_assert_state(&p, TAPIR_TCP_LAST_ACK);
	peer_sends(&p, ". 2:2(0) ack 102");
	ck_assert_state(&p, TAPIR_TCP_CLOSED);
	ck_assert_uint_eq(peer_usage(&p).conns, 0);
	peer_ignores_all(&p);
}
END_TEST

/* ---- TIME-WAIT --------------------------------------------------------------------------------------------------- */

/* RFC 9293 3.6.1 (MAY-2): a new SYN may reopen the connection directly from TIME-WAIT if the new ISS is larger than the largest
 * sequence number used before. (SHLD-4, with timestamps, is RFC 6191.) */
START_TEST(a_new_syn_reopens_from_time_wait_with_a_larger_iss)
{
	struct peer p = time_wait(_i);

	user_closes(&p);
	peer_sends(&p, "S 100:100(0)");
	ck_assert_verdict(&p, ACCEPT);
	peer_expects(&p, "S. *:*(0) ack 101");
	ck_assert_uint_gt(p.snd_nxt - 1, 2);
	ck_assert_uint_lt(p.snd_nxt - 1, 1u << 31);
	ck_assert_ptr_nonnull(strstr(peer_states(&p), "TIME-WAIT > CLOSED; LISTEN > SYN-RECEIVED"));
	ck_assert_uint_eq(peer_usage(&p).conns, 1);
	peer_sends(&p, ". 101:101(0) ack %u", p.snd_nxt);
	ck_assert_state(&p, TAPIR_TCP_ESTABLISHED);
}
END_TEST

/* RFC 9293 3.6.1 (MUST-13), 3.10.7.4 eighth: only the peer's FIN restarts 2 MSL, no other old segment does. */
START_TEST(old_text_does_not_prolong_time_wait)
{
	struct peer p = fin_wait_2(_i);

	peer_sends(&p, "FP. 1:11(10) ack 2");
	peer_expects(&p, ". 2:2(0) ack 12");
	peer_advance(&p, peer_config()->msl_us);
	peer_sends(&p, "P. 1:11(10) ack 2");
	peer_expects(&p, ". 2:2(0) ack 12");
	peer_sends(&p, ". 12:12(0) ack 2");
	peer_expects_nothing(&p);
	peer_advance(&p, peer_config()->msl_us);
	ck_assert_state(&p, TAPIR_TCP_CLOSED);
}
END_TEST

/* RFC 9293 3.6.1: an old SYN does not: it is no higher than what the old connection used. */
START_TEST(an_old_syn_does_not_disturb_time_wait)
{
	struct peer p = time_wait(_i);

	peer_sends(&p, "S 0:0(0)");
	ck_assert_verdict(&p, DROP_TCP_SYN_CHALLENGE);
	peer_expects(&p, ". 2:2(0) ack 2");
	ck_assert_state(&p, TAPIR_TCP_TIME_WAIT);
}
END_TEST

Suite *suite(void)
{
	return peer_suite("RFC 9293 3.6", (const TTest *[]){
		after_our_fin_the_peer_may_send_on,
		after_the_peers_fin_we_may_send_on,
		a_normal_close_and_an_abort_look_different_to_the_user,
		a_fin_waits_behind_all_text_that_was_sent,
		a_fin_rides_on_the_last_text,
		a_fin_needs_room_in_the_window,
		a_fin_behind_text_behind_a_closed_window_gets_through,
		a_fin_alone_behind_a_closed_window_gets_through,
		a_fin_that_is_lost_is_sent_again,
		text_lost_before_a_fin_is_sent_again_fast,
		a_fin_that_overtakes_text_ends_the_stream_behind_it,
		a_simultaneous_close_with_text_in_flight,
		a_simultaneous_close_with_losses,
		close_with_unread_text_is_a_reset,
		close_with_unread_text_after_a_half_close_is_a_reset,
		close_with_unread_text_in_time_wait_is_silent,
		close_with_linger_0_is_a_reset,
		shutdown_of_both_sides_is_a_normal_close,
		a_connection_closed_by_the_peer_before_accept_can_be_read,
		text_after_close_draws_a_reset,
		old_text_after_close_draws_an_ack,
		an_orphan_in_fin_wait_2_ends,
		an_orphan_in_fin_wait_2_is_closed_by_the_peer,
		an_orphan_whose_fin_nobody_acknowledges_ends,
		an_orphan_before_a_closed_window_ends,
		an_orphan_in_last_ack_ends_with_the_ack_of_its_fin,
		a_new_syn_reopens_from_time_wait_with_a_larger_iss,
		old_text_does_not_prolong_time_wait,
		an_old_syn_does_not_disturb_time_wait,
		NULL
	});
}
