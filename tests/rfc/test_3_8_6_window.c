/* test_3_8_6_window.c: managing the window (RFC 9293 3.8.6): probes of a zero window, a window that shrinks, silly windows
 * on both sides, and windows of more than 65535 bytes. */
#include "tests/support/peer.h"

#define MSS 1460

/* The stack's next segment is this, sent exactly us from now. */
static void sends_after(struct peer *p, usec_t us, const char *line)
{
	peer_advance(p, us - 1);
	peer_expects_nothing(p);
	peer_advance(p, 1);
	peer_expects(p, "%s", line);
	peer_expects_nothing(p);
}

/* A connection whose peer announced this window from the beginning, and no larger one. */
static struct peer with_window(int run, uint16_t window)
{
	struct peer p = listening(run);

	p.win = window;
	peer_opens(&p);
	user_accepts(&p);
	return p;
}

/* The peer's window is closed, and the user has 100 bytes to send. */
static struct peer stalled(int run)
{
	struct peer p = established(run);

	p.win = 0;
	peer_sends(&p, ". 1:1(0) ack 1");
	user_sends(&p, 100);
	peer_expects_nothing(&p);
	return p;
}

/* The peer has sent 1024 bytes, which fill the stack's buffer. */
static struct peer filled(int run)
{
	peer_config()->rcvbuf = 1024;
	struct peer p = established(run);

	peer_sends(&p, "P. 1:1025(1024) ack 1");
	peer_expects(&p, ". 1:1(0) ack 1025 win 0");
	return p;
}

/* ---- the peer's window is zero --------------------------------------------------------------------------------- */

/* RFC 9293 3.8.6.1 (MUST-35, MUST-36, SHLD-29, SHLD-30): the first probe after an RTO, then each after twice the time. */
START_TEST(a_zero_window_is_probed_after_an_rto_and_then_ever_more_rarely)
{
	struct peer p = stalled(_i);

	for (usec_t wait = 200 * TAPIR_MS; wait < 60 * TAPIR_SEC; wait *= 2) {
		sends_after(&p, wait, ". 1:2(1) ack 1");
		ck_assert_why(&p, "RFC 9293 3.8.6.1");
		peer_sends(&p, ". 1:1(0) ack 1");
	}
	for (int i = 0; i < 3; i++) {
		sends_after(&p, 60 * TAPIR_SEC, ". 1:2(1) ack 1");
		peer_sends(&p, ". 1:1(0) ack 1");
	}
}
END_TEST

/* RFC 9293 3.8.6.1 (MUST-37): for ever, as long as the peer answers the probes; then everything goes on. */
START_TEST(a_window_may_stay_zero_for_ever_if_the_peer_answers)
{
	struct peer p = stalled(_i);
	usec_t start = peer_now(&p);

	while (peer_now(&p) - start < 3 * 24 * 3600 * TAPIR_SEC) {
		peer_until_timer(&p);
		peer_expects(&p, ". 1:2(1) ack 1");
		peer_sends(&p, ". 1:1(0) ack 1");
	}
	ck_assert_state(&p, TAPIR_TCP_ESTABLISHED);
	peer_sends(&p, ". 1:1(0) ack 1 win 1000");
	peer_expects(&p, "P. 1:101(100) ack 1");
}
END_TEST

/* RFC 9293 3.8.3: a peer that answers nothing at all is gone. */
START_TEST(a_peer_with_a_zero_window_that_answers_no_probe_is_given_up)
{
	struct peer p = stalled(_i);
	usec_t start = peer_now(&p);

	while (peer_state(&p) == TAPIR_TCP_ESTABLISHED)
		peer_until_timer(&p);
	peer_ignores_all(&p);
	ck_assert_uint_ge(peer_now(&p) - start, 100 * TAPIR_SEC);
	ck_assert_error(user_pending_error(&p), TAPIR_ETIMEDOUT);
}
END_TEST

/* RFC 9293 3.8.6.1: a window that nobody waits for keeps no memory: an orphan is reset after a number of probes. */
START_TEST(an_orphan_does_not_probe_for_ever)
{
	struct peer p = stalled(_i);

	user_closes(&p);
	for (int i = 0; i < 8; i++) {
		peer_until_timer(&p);
		peer_expects(&p, ". 1:2(1) ack 1");
		peer_sends(&p, ". 1:1(0) ack 1");
	}
	peer_until_timer(&p);
	peer_expects(&p, "R *:*(0)");
	ck_assert_uint_eq(peer_usage(&p).conns, 0);
}
END_TEST

/* RFC 9293 3.8.6.1 (MUST-36): an update that got through opens the window without waiting for the next probe. */
START_TEST(a_window_update_lets_text_go_at_once)
{
	struct peer p = stalled(_i);

	peer_advance(&p, 50 * TAPIR_MS);
	peer_sends(&p, ". 1:1(0) ack 1 win 5000");
	peer_expects(&p, "P. 1:101(100) ack 1");
	sends_after(&p, 200 * TAPIR_MS, "P. 1:101(100) ack 1");	/* now it is the RTO again */
}
END_TEST

/* RFC 9293 3.8.6.1 (MUST-36): a lost update is found by the next probe, whose octet was taken. */
START_TEST(a_probe_finds_the_window_open)
{
	struct peer p = stalled(_i);

	sends_after(&p, 200 * TAPIR_MS, ". 1:2(1) ack 1");
	peer_sends(&p, ". 1:1(0) ack 2 win 5000");
	peer_expects(&p, "P. 2:101(99) ack 1");
	peer_sends(&p, ". 1:1(0) ack 101");
	peer_advance(&p, 100 * TAPIR_SEC);
	peer_expects_nothing(&p);
	ck_assert_uint_eq(peer_usage(&p).timers, 0);
}
END_TEST

/* RFC 9293 3.8.6.1: a peer that takes one octet of each probe: each is progress, and the waiting starts small again. */
START_TEST(a_peer_that_takes_the_octet_of_each_probe_gets_the_next)
{
	struct peer p = stalled(_i);

	for (uint32_t at = 1; at < 10; at++) {
		peer_advance(&p, 200 * TAPIR_MS);
		peer_expects(&p, ". %u:%u(1) ack 1", at, at + 1);
		peer_sends(&p, ". 1:1(0) ack %u", at + 1);
	}
	peer_expects_nothing(&p);
}
END_TEST

/* RFC 9293 3.8.6.1: a FIN that waits behind a zero window probes it by itself. */
START_TEST(a_fin_behind_a_zero_window_is_sent_as_a_probe)
{
	struct peer p = established(_i);

	p.win = 0;
	peer_sends(&p, ". 1:1(0) ack 1");
	user_shuts_down(&p);
	ck_assert_state(&p, TAPIR_TCP_FIN_WAIT_1);
	peer_expects_nothing(&p);
	sends_after(&p, 200 * TAPIR_MS, "F. 1:1(0) ack 1");
	peer_sends(&p, ". 1:1(0) ack 1");
	sends_after(&p, 400 * TAPIR_MS, "F. 1:1(0) ack 1");
	peer_sends(&p, ". 1:1(0) ack 2");
	ck_assert_state(&p, TAPIR_TCP_FIN_WAIT_2);
}
END_TEST

/* RFC 9293 3.8.6.1: probes go on when text that was in flight meets a window that closed behind it. */
START_TEST(a_window_that_closes_over_a_flight_is_probed)
{
	struct peer p = established(_i);

	user_sends(&p, 2 * MSS);
	peer_ignores_all(&p);
	peer_sends(&p, ". 1:1(0) ack 1461 win 0");
	for (int i = 0; i < 20; i++) {
		peer_until_timer(&p);
		peer_expects(&p, ". 1461:1462(1) ack 1");
		peer_sends(&p, ". 1:1(0) ack 1461 win 0");
	}
	ck_assert_state(&p, TAPIR_TCP_ESTABLISHED);
	peer_sends(&p, ". 1:1(0) ack 1461 win 65535");
	peer_expects(&p, "P. 1461:2921(1460) ack 1");
}
END_TEST

/* ---- the peer's window shrinks --------------------------------------------------------------------------------- */

/* RFC 9293 3.8.6 (MUST-34, SHLD-15): a window taken back: nothing new, and no harm. */
START_TEST(a_window_that_shrinks_lets_nothing_new_go)
{
	struct peer p = with_window(_i, 4 * MSS);

	user_sends(&p, 10 * MSS);
	for (uint32_t i = 0; i < 4; i++)
		peer_expects(&p, ". %u:%u(1460) ack 1", 1 + MSS * i, 1 + MSS * (i + 1));
	peer_sends(&p, ". 1:1(0) ack 1 win %u", 2 * MSS);
	peer_expects_nothing(&p);
	peer_sends(&p, ". 1:1(0) ack 2921 win %u", 2 * MSS);	/* the edge is where the flight ends */
	peer_expects_nothing(&p);
	peer_sends(&p, ". 1:1(0) ack 2921 win %u", 3 * MSS);
	peer_expects(&p, ". 5841:7301(1460) ack 1");
	peer_expects_nothing(&p);
}
END_TEST

/* RFC 9293 3.8.6 (SHLD-16, SHLD-17): what was sent and lies in the window is retransmitted; what lies beyond it does not time the
 * connection out. */
START_TEST(old_text_within_a_shrunken_window_is_sent_again_and_what_lies_beyond_does_not_end_the_connection)
{
	struct peer p = established(_i);

	user_sends(&p, 4 * MSS);
	peer_ignores_all(&p);
	peer_sends(&p, ". 1:1(0) ack 1 win 500");
	peer_until_timer(&p);
	peer_expects(&p, ". 1:501(500) ack 1");
	peer_sends(&p, ". 1:1(0) ack 501 win 0");
	for (int i = 0; i < 20; i++) {		/* more than R2 */
		peer_until_timer(&p);
		peer_expects(&p, ". 501:502(1) ack 1");
		peer_sends(&p, ". 1:1(0) ack 501 win 0");
	}
	ck_assert_state(&p, TAPIR_TCP_ESTABLISHED);
}
END_TEST

/* RFC 9293 3.10.7.4 fifth ESTABLISHED: only a segment newer than the last that set it may set SND.WND (WL1, WL2). */
START_TEST(an_older_segment_does_not_change_the_window)
{
	struct peer p = established(_i);

	user_sends(&p, MSS);
	peer_expects(&p, "P. 1:1461(1460) ack 1");
	peer_sends(&p, ". 11:21(10) ack 1 win 3000");
	peer_sends(&p, ". 1:11(10) ack 1 win 100");		/* sent before, arrived behind: WL1 is newer */
	peer_ignores_all(&p);
	ck_assert_uint_eq(peer_info(&p).snd_wnd, 3000);
	peer_sends(&p, ". 21:21(0) ack 1461 win 2000");
	peer_sends(&p, ". 21:21(0) ack 1 win 100");		/* the same SEG.SEQ: WL2 is newer */
	ck_assert_uint_eq(peer_info(&p).snd_wnd, 2000);
	peer_sends(&p, ". 21:21(0) ack 1461 win 1000");
	ck_assert_uint_eq(peer_info(&p).snd_wnd, 1000);
}
END_TEST

/* RFC 9293 3.1 (MUST-1, REC-1): the window is an unsigned number: 65535 bytes, not -1. */
START_TEST(a_window_above_32767_is_large_not_negative)
{
	peer_config()->initial_window = 100;
	struct peer p = established(_i);

	ck_assert_error(tapir_setsockopt(p.t, p.sd, TAPIR_TCP_NODELAY, 1), 0);
	user_sends(&p, 65535);
	peer_ignores_all(&p);
	ck_assert_uint_eq(peer_info(&p).unacked, 65535);
}
END_TEST

/* ---- silly windows, the sender --------------------------------------------------------------------------------- */

/* RFC 9293 3.8.6.2.1 (MUST-38): (1) a full segment goes; what is left of the window, less than that, waits. */
START_TEST(the_sender_fills_a_window_with_full_segments_only)
{
	struct peer p = with_window(_i, 2 * MSS + 500);

	user_sends(&p, 5 * MSS);
	peer_expects(&p, ". 1:1461(1460) ack 1");
	peer_expects(&p, ". 1461:2921(1460) ack 1");
	peer_expects_nothing(&p);
	peer_sends(&p, ". 1:1(0) ack 1461 win %u", MSS + 600);	/* 600 bytes usable */
	peer_expects_nothing(&p);
	peer_sends(&p, ". 1:1(0) ack 2921 win %u", MSS);
	peer_expects(&p, ". 2921:4381(1460) ack 1");
}
END_TEST

/* RFC 9293 3.8.6.2.1 (MUST-38): (3) with nothing outstanding, half of the largest window ever seen is enough. */
START_TEST(the_sender_uses_a_small_window_that_is_half_the_largest)
{
	struct peer p = with_window(_i, 1000);

	user_sends(&p, 3000);
	peer_expects(&p, ". 1:1001(1000) ack 1");
	peer_sends(&p, ". 1:1(0) ack 1001 win 500");
	peer_expects(&p, ". 1001:1501(500) ack 1");
	peer_sends(&p, ". 1:1(0) ack 1501 win 499");
	peer_expects_nothing(&p);
}
END_TEST

/* RFC 9293 3.8.6.2.1 (MUST-38): (4) or else the override timeout: then a small piece goes, so that nobody waits for ever. */
START_TEST(the_override_timeout_uses_a_silly_window)
{
	struct peer p = with_window(_i, 10000);

	peer_sends(&p, ". 1:1(0) ack 1 win 100");
	user_sends(&p, 3000);
	sends_after(&p, 200 * TAPIR_MS, ". 1:101(100) ack 1");
	peer_sends(&p, ". 1:1(0) ack 101 win 100");
	sends_after(&p, 200 * TAPIR_MS, ". 101:201(100) ack 1");
}
END_TEST

/* RFC 9293 3.8.6.2.1 (MUST-38): (2) all that is queued fits: it goes, however small the window, if nothing is outstanding. */
START_TEST(all_of_the_queued_text_goes_into_a_small_window)
{
	struct peer p = with_window(_i, 10000);

	peer_sends(&p, ". 1:1(0) ack 1 win 100");
	user_sends(&p, 90);
	peer_expects(&p, "P. 1:91(90) ack 1");
}
END_TEST

/* ---- our window ------------------------------------------------------------------------------------------------ */

/* RFC 9293 3.8.6 (SHLD-14): the right edge never moves back, neither as the buffer fills nor when it is made smaller. */
START_TEST(our_window_never_shrinks)
{
	peer_config()->rcvbuf = 10000;
	struct peer p = established(_i);
	uint32_t at = 1;

	for (; at + 700 <= 8000; at += 700) {
		peer_sends(&p, ". %u:%u(700) ack 1", at, at + 700);
		peer_expects(&p, ". 1:1(0) ack %u win %u", at + 700, 10001 - at - 700);
	}
	ck_assert_error(tapir_setsockopt(p.t, p.sd, TAPIR_SO_RCVBUF, 2000), 0);
	peer_sends(&p, ". %u:%u(100) ack 1", at, at + 100);
	peer_expects(&p, ". 1:1(0) ack %u win %u", at + 100, 10001 - at - 100);
	user_reads(&p, at + 99);
	peer_ignores_all(&p);
	peer_sends(&p, ". %u:%u(100) ack 1", at + 100, at + 200);
	peer_expects(&p, ". 1:1(0) ack %u win %u", at + 200, 10001 - at - 200);
	for (at += 200; at < 10001; at += 100)		/* and what was promised is taken */
		peer_sends(&p, ". %u:%u(%u) ack 1", at, at + 100 < 10001 ? at + 100 : 10001, at + 100 < 10001 ? 100 : 10001 - at);
	ck_assert_verdict(&p, ACCEPT);
	peer_expects(&p, ". 1:1(0) ack 10001");
}
END_TEST

/* RFC 9293 3.8.6.2.2 (MUST-39): the edge moves by a full segment or half the buffer; a reader of single bytes opens nothing
 * that is smaller. */
START_TEST(the_receiver_offers_no_silly_window)
{
	struct peer p = filled(_i);

	for (int i = 0; i < 511; i++)
		ck_assert_error(user_recv_result(&p), 1);
	peer_expects_nothing(&p);
	peer_sends(&p, ". 1025:1026(1) ack 1");			/* the peer's probe */
	peer_expects(&p, ". 1:1(0) ack 1025 win 0");
	ck_assert_error(user_recv_result(&p), 1);
	peer_expects(&p, ". 1:1(0) ack 1025 win 512");
	peer_expects_nothing(&p);
}
END_TEST

/* RFC 9293 3.8.6.2.2 (MUST-39): with a large buffer a full segment is the step. */
START_TEST(with_a_large_buffer_the_edge_moves_by_full_segments)
{
	peer_config()->rcvbuf = 4 * MSS;
	struct peer p = established(_i);

	for (uint32_t i = 0; i < 4; i++)
		peer_sends(&p, ". %u:%u(1460) ack 1", 1 + MSS * i, 1 + MSS * (i + 1));
	peer_expects(&p, ". 1:1(0) ack 5841 win 0");
	for (int i = 0; i < MSS - 1; i++)
		ck_assert_error(user_recv_result(&p), 1);
	peer_expects_nothing(&p);
	ck_assert_error(user_recv_result(&p), 1);
	peer_expects(&p, ". 1:1(0) ack 5841 win 1460");
}
END_TEST

/* RFC 9293 3.8.6.1 (MAY-8): our window may stay closed as long as the program likes; each probe gets its answer. */
START_TEST(each_probe_of_our_zero_window_is_answered)
{
	struct peer p = filled(_i);

	for (int i = 0; i < 20; i++) {
		peer_advance(&p, 60 * TAPIR_SEC);
		peer_sends(&p, ". 1025:1026(1) ack 1");
		peer_expects(&p, ". 1:1(0) ack 1025 win 0");
	}
	ck_assert_uint_eq(peer_info(&p).unread, 1024);
	user_reads(&p, 1024);
	peer_expects(&p, ". 1:1(0) ack 1025 win 1024");
	peer_sends(&p, ". 1025:1026(1) ack 1");
	peer_expects(&p, ". 1:1(0) ack 1026");
	user_reads(&p, 1);
}
END_TEST

/* RFC 9293 3.4 (MUST-66): a zero window does not keep a RST, nor an ACK, from being processed. */
START_TEST(rst_and_ack_are_processed_although_our_window_is_zero)
{
	struct peer p = filled(_i);

	user_sends(&p, 10);
	peer_expects(&p, "P. 1:11(10) ack 1025 win 0");
	peer_sends(&p, ". 1025:1125(100) ack 11");
	peer_expects(&p, ". 11:11(0) ack 1025 win 0");
	ck_assert_uint_eq(peer_info(&p).unacked, 0);
	peer_sends(&p, "R 1025:1025(0)");
	ck_assert_state(&p, TAPIR_TCP_CLOSED);
}
END_TEST

/* ---- large windows --------------------------------------------------------------------------------------------- */

/* RFC 7323 2.3: with window scale, more than 65535 bytes in flight, as far as the shifted window goes. */
START_TEST(a_scaled_window_lets_more_than_65535_bytes_fly)
{
	peer_config()->window_scale = true;
	peer_config()->initial_window = 200;
	peer_config()->sndbuf = 1 << 20;
	struct peer p = established(_i);		/* the peer's shift is 7 */

	peer_sends(&p, ". 1:1(0) ack 1 win 1000");
	user_sends(&p, 300000);
	peer_ignores_all(&p);
	ck_assert_uint_eq(peer_info(&p).unacked, 128000 / MSS * MSS);
	peer_sends(&p, ". 1:1(0) ack %u win 1000", 1 + 128000 / MSS * MSS);
	peer_ignores_all(&p);
	ck_assert_uint_gt(peer_info(&p).unacked, 65535);
}
END_TEST

/* RFC 7323 2.3: and we offer more than 65535 bytes of ours, in units of 2 to the power of our shift. */
START_TEST(a_scaled_window_of_ours_takes_more_than_65535_bytes)
{
	peer_config()->window_scale = true;
	peer_config()->rcvbuf = 200000;
	struct peer p = established(_i);
	uint32_t at = 1, shift = peer_info(&p).rcv_wscale;

	ck_assert_uint_eq(shift, 2);
	peer_sends(&p, ". 1:1001(1000) ack 1");
	peer_expects(&p, ". 1:1(0) ack 1001 win %u", 199000 >> shift);
	for (at = 1001; at + 1000 < 200001; at += 1000)
		peer_sends(&p, ". %u:%u(1000) ack 1", at, at + 1000);
	ck_assert_verdict(&p, ACCEPT);
	peer_expects(&p, ". 1:1(0) ack %u win %u", at, (200001 - at) >> shift);
	user_reads(&p, at - 1);
	peer_ignores_all(&p);
}
END_TEST

Suite *suite(void)
{
	return peer_suite("RFC 9293 3.8.6 window", (const TTest *[]){
		a_zero_window_is_probed_after_an_rto_and_then_ever_more_rarely,
		a_window_may_stay_zero_for_ever_if_the_peer_answers,
		a_peer_with_a_zero_window_that_answers_no_probe_is_given_up,
		an_orphan_does_not_probe_for_ever,
		a_window_update_lets_text_go_at_once,
		a_probe_finds_the_window_open,
		a_peer_that_takes_the_octet_of_each_probe_gets_the_next,
		a_fin_behind_a_zero_window_is_sent_as_a_probe,
		a_window_that_closes_over_a_flight_is_probed,
		a_window_that_shrinks_lets_nothing_new_go,
		old_text_within_a_shrunken_window_is_sent_again_and_what_lies_beyond_does_not_end_the_connection,
		an_older_segment_does_not_change_the_window,
		a_window_above_32767_is_large_not_negative,
		the_sender_fills_a_window_with_full_segments_only,
		the_sender_uses_a_small_window_that_is_half_the_largest,
		the_override_timeout_uses_a_silly_window,
		all_of_the_queued_text_goes_into_a_small_window,
		our_window_never_shrinks,
		the_receiver_offers_no_silly_window,
		with_a_large_buffer_the_edge_moves_by_full_segments,
		each_probe_of_our_zero_window_is_answered,
		rst_and_ack_are_processed_although_our_window_is_zero,
		a_scaled_window_lets_more_than_65535_bytes_fly,
		a_scaled_window_of_ours_takes_more_than_65535_bytes,
		NULL
	});
}
