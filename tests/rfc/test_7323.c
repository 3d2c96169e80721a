/* test_7323.c: window scale, timestamps and PAWS (RFC 7323 2, 3, 5). The stack's timestamps in lines are relative to its first; the
 * peer's are literal, and begin at 100. */
#include "tests/support/peer.h"

#define DAY (24 * 3600 * TAPIR_SEC)

static struct peer with_timestamps(int run)
{
	peer_config()->timestamps = true;
	return established(run);
}

/* Text of 10 bytes at `at` with this timestamp from the peer. */
static void sends_text(struct peer *p, uint32_t at, uint32_t ts_val)
{
	p->ts_val = ts_val;
	peer_sends(p, "P. %u:%u(10) ack 1", at, at + 10);
}

/* ---- window scale ---------------------------------------------------------------------------------------------- */

/* RFC 7323 2.2: our SYN offers it; an answer with it agrees. The shift is the smallest that shows the whole buffer. */
START_TEST(an_active_open_offers_window_scale)
{
	static const struct { uint32_t rcvbuf, shift; } sizes[] = {
		{1024, 0}, {65535, 0}, {65536, 1}, {131071, 1}, {131072, 2}, {1 << 20, 5}, {1 << 30, 14}
	};

	peer_config()->window_scale = true;
	for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
		struct peer p = closed(_i);

		peer_config()->rcvbuf = sizes[i].rcvbuf;
		p = closed(_i);
		user_connects(&p);
		peer_expects(&p, "S 0:0(0) win %u <mss 1460,wscale %u>", sizes[i].rcvbuf < 65535 ? sizes[i].rcvbuf : 65535,
			     sizes[i].shift);
	}
}
END_TEST

/* RFC 7323 2.2, 2.3: agreed: the windows of all segments but SYNs are shifted, both ways. */
START_TEST(agreed_on_the_windows_are_shifted)
{
	peer_config()->window_scale = true;
	peer_config()->rcvbuf = 1 << 20;
	struct peer p = syn_sent(_i);

	peer_sends(&p, "S. 0:0(0) ack 1 win 1000 <mss 1460,wscale 3>");
	ck_assert_uint_eq(peer_info(&p).snd_wnd, 1000);		/* of a SYN: not shifted */
	peer_expects(&p, ". 1:1(0) ack 1 win %u", (1 << 20) >> 5);
	peer_sends(&p, ". 1:1(0) ack 1 win 1000");
	ck_assert_uint_eq(peer_info(&p).snd_wnd, 8000);
	ck_assert_uint_eq(peer_info(&p).snd_wscale, 3);
	ck_assert_uint_eq(peer_info(&p).rcv_wscale, 5);
}
END_TEST

/* RFC 7323 2.2: a SYN that offers it is answered with it; the window of the SYN-ACK is not shifted. */
START_TEST(a_passive_open_agrees_to_window_scale)
{
	peer_config()->window_scale = true;
	peer_config()->rcvbuf = 1 << 20;
	struct peer p = listening(_i);

	peer_sends(&p, "S 0:0(0) win 500 <mss 1460,wscale 2>");
	peer_expects(&p, "S. 0:0(0) ack 1 win 65535 <mss 1460,wscale 5>");
	peer_sends(&p, ". 1:1(0) ack 1 win 500");
	user_accepts(&p);
	ck_assert_uint_eq(peer_info(&p).snd_wnd, 2000);
}
END_TEST

/* RFC 7323 2.2: one side alone is no agreement: neither window is shifted. */
START_TEST(without_the_peers_option_no_window_is_shifted)
{
	peer_config()->window_scale = true;
	peer_config()->rcvbuf = 1 << 20;
	struct peer p = syn_sent(_i);

	peer_sends(&p, "S. 0:0(0) ack 1 <mss 1460>");
	peer_expects(&p, ". 1:1(0) ack 1 win 65535");
	peer_sends(&p, ". 1:1(0) ack 1 win 1000");
	ck_assert_uint_eq(peer_info(&p).snd_wnd, 1000);

	p = listening(_i);
	peer_sends(&p, "S 0:0(0) <mss 1460>");
	peer_expects(&p, "S. 0:0(0) ack 1 win 65535 <mss 1460>");
	peer_config()->window_scale = false;
	p = listening(_i);
	peer_sends(&p, "S 0:0(0) <mss 1460,wscale 7>");
	peer_expects(&p, "S. 0:0(0) ack 1 win 65535 <mss 1460>");
	peer_sends(&p, ". 1:1(0) ack 1 win 1000");
	user_accepts(&p);
	ck_assert_uint_eq(peer_info(&p).snd_wnd, 1000);
}
END_TEST

/* RFC 7323 2.3: a shift above 14 is taken for 14. */
START_TEST(a_shift_above_fourteen_counts_as_fourteen)
{
	static const unsigned shifts[] = {14, 15, 30, 255};

	peer_config()->window_scale = true;
	for (size_t i = 0; i < sizeof shifts / sizeof shifts[0]; i++) {
		struct peer p = listening(_i);

		peer_sends(&p, "S 0:0(0) <mss 1460,wscale %u>", shifts[i]);
		peer_expects(&p, "S. 0:0(0) ack 1");
		peer_sends(&p, ". 1:1(0) ack 1 win 65535");
		user_accepts(&p);
		ck_assert_uint_eq(peer_info(&p).snd_wscale, 14);
		ck_assert_uint_eq(peer_info(&p).snd_wnd, 65535u << 14);
	}
}
END_TEST

/* RFC 7323 2.2: on a segment that is no SYN the option means nothing. */
START_TEST(the_option_counts_on_a_syn_only)
{
	peer_config()->window_scale = true;
	struct peer p = established(_i);

	peer_sends(&p, ". 1:1(0) ack 1 win 1000 <nop,wscale 10>");
	ck_assert_uint_eq(peer_info(&p).snd_wscale, 7);
	ck_assert_uint_eq(peer_info(&p).snd_wnd, 128000);
}
END_TEST

/* ---- timestamps ------------------------------------------------------------------------------------------------ */

/* RFC 7323 3.2: offered in our SYN, with TSecr 0 as nothing is known; agreed in the answer; then in every segment. */
START_TEST(an_active_open_offers_timestamps)
{
	peer_config()->timestamps = true;
	struct peer p = closed(_i);

	user_connects(&p);
	peer_expects(&p, "S 0:0(0) win 65535 <mss 1460,TS val 0 ecr 0>");
	peer_sends(&p, "S. 0:0(0) ack 1 <mss 1460,TS val 777 ecr 0>");
	peer_expects(&p, ". 1:1(0) ack 1 win 65535 <TS val 0 ecr 777>");
	ck_assert(peer_info(&p).timestamps);
	p.timestamps = true;
	p.ts_val = 778;
	user_sends(&p, 10);
	peer_expects(&p, "P. 1:11(10) ack 1 win 65535 <TS val 0 ecr 777>");
	user_shuts_down(&p);
	peer_expects(&p, "F. 11:11(0) ack 1 win 65535 <TS val 0 ecr 777>");
}
END_TEST

/* RFC 7323 3.2: a SYN that offers them is answered with them, and echoed. */
START_TEST(a_passive_open_agrees_to_timestamps)
{
	peer_config()->timestamps = true;
	struct peer p = listening(_i);

	peer_sends(&p, "S 0:0(0) <mss 1460,TS val 4000000000 ecr 0>");
	peer_expects(&p, "S. 0:0(0) ack 1 win 65535 <mss 1460,TS val 0 ecr -294967296>");
	p.timestamps = true;
	p.ts_val = 4000000001;
	peer_sends(&p, ". 1:1(0) ack 1");
	user_accepts(&p);
	ck_assert(peer_info(&p).timestamps);
}
END_TEST

/* RFC 7323 3.2: one side alone is no agreement: no segment has them. */
START_TEST(without_the_peers_option_there_are_no_timestamps)
{
	peer_config()->timestamps = true;
	struct peer p = syn_sent(_i);

	peer_sends(&p, "S. 0:0(0) ack 1 <mss 1460>");
	peer_expects(&p, ". 1:1(0) ack 1 win 65535 <>");
	ck_assert(!peer_info(&p).timestamps);
	ck_assert_uint_eq(peer_info(&p).snd_mss, 1460);

	peer_config()->timestamps = false;
	p = listening(_i);
	peer_sends(&p, "S 0:0(0) <mss 1460,TS val 5 ecr 0>");
	peer_expects(&p, "S. 0:0(0) ack 1 win 65535 <mss 1460>");
}
END_TEST

/* RFC 7323 4.1: the clock ticks in milliseconds (between 1 ms and 1 s), and on retransmissions too. */
START_TEST(the_timestamp_clock_ticks_in_milliseconds)
{
	struct peer p = with_timestamps(_i);

	peer_advance(&p, 5 * TAPIR_SEC);
	user_sends(&p, 10);
	peer_expects(&p, "P. 1:11(10) ack 1 win 65535 <TS val 5000 ecr 100>");
	peer_until_timer(&p);
	peer_expects(&p, "P. 1:11(10) ack 1 win 65535 <TS val 5200 ecr 100>");
}
END_TEST

/* RFC 7323 5.4: the offset of the clock differs between connections, and nobody outside can guess it. */
START_TEST(each_connection_has_another_timestamp_offset)
{
	struct peer p = with_timestamps(_i), q = another_peer(&p, PEER_PORT + 1);

	q.ts_val = 100;
	peer_opens(&q);
	ck_assert_uint_ne(p.ts_first, q.ts_first);
	ck_assert_uint_ne(p.ts_first, (uint32_t)(peer_now(&p) / TAPIR_MS));
}
END_TEST

/* RFC 7323 3.2: once agreed, a segment without the option is dropped in silence; a RST is not. */
START_TEST(a_segment_without_the_agreed_option_is_dropped)
{
	struct peer p = with_timestamps(_i);

	peer_sends(&p, "P. 1:11(10) ack 1 <nop,nop,nop,nop>");
	ck_assert_verdict(&p, DROP_TCP_NO_TIMESTAMP);
	peer_expects_nothing(&p);
	ck_assert_error(user_recv_result(&p), TAPIR_EAGAIN);
	peer_sends(&p, "R 1:1(0) <nop,nop,nop,nop>");
	ck_assert_state(&p, TAPIR_TCP_CLOSED);
}
END_TEST

/* RFC 7323 3.2: not agreed: a segment that has the option is taken as any other. */
START_TEST(a_timestamp_that_was_not_agreed_on_is_ignored)
{
	struct peer p = established(_i);

	peer_sends(&p, "P. 1:11(10) ack 1 <nop,nop,TS val 5 ecr 5>");
	peer_expects(&p, ". 1:1(0) ack 11 win 65525 <>");
	peer_sends(&p, "P. 11:21(10) ack 1 <nop,nop,TS val 4 ecr 5>");
	peer_expects(&p, ". 1:1(0) ack 21 win 65515 <>");
}
END_TEST

/* ---- what is echoed (TS.Recent) -------------------------------------------------------------------------------- */

/* RFC 7323 4.3 (A): a delayed ACK echoes the earliest segment that it acknowledges, so that the delay counts as well. */
START_TEST(a_delayed_ack_echoes_the_earliest_unacknowledged_segment)
{
	peer_config()->delack_us = 40 * TAPIR_MS;
	peer_config()->quickacks = 0;
	struct peer p = with_timestamps(_i);

	sends_text(&p, 1, 110);
	sends_text(&p, 11, 120);
	peer_advance(&p, 40 * TAPIR_MS);
	peer_expects(&p, ". 1:1(0) ack 21 win 65515 <TS val * ecr 110>");
}
END_TEST

/* RFC 7323 4.3 (B): beyond a hole: the last segment that advanced the window is echoed, not the one out of order. */
START_TEST(a_segment_beyond_a_hole_is_not_echoed)
{
	struct peer p = with_timestamps(_i);

	sends_text(&p, 1, 110);
	peer_expects(&p, ". 1:1(0) ack 11 win 65525 <TS val * ecr 110>");
	sends_text(&p, 21, 130);
	peer_expects(&p, ". 1:1(0) ack 11 win 65525 <TS val * ecr 110>");
}
END_TEST

/* RFC 7323 4.3 (C): the segment that fills the hole is the newest that can be echoed, though it may be older than others. */
START_TEST(the_segment_that_fills_a_hole_is_echoed)
{
	struct peer p = with_timestamps(_i);

	sends_text(&p, 11, 130);
	peer_expects(&p, ". 1:1(0) ack 1 win 65535 <TS val * ecr 100>");
	sends_text(&p, 1, 120);
	ck_assert_verdict(&p, ACCEPT);
	peer_expects(&p, ". 1:1(0) ack 21 win 65515 <TS val * ecr 120>");
}
END_TEST

/* RFC 7323 4.3: the same before our first ACK has left: what came behind a hole right after the handshake is no TS.Recent
 * either, so that the segment that fills it is not taken for an old one. */
START_TEST(a_hole_right_after_the_handshake_leaves_the_recent_timestamp_alone)
{
	peer_config()->timestamps = true;
	struct peer p = syn_sent(_i);

	peer_sends(&p, "S. 0:0(0) ack 1 <mss 1460,TS val 100 ecr 0>");
	p.timestamps = true;
	sends_text(&p, 11, 130);
	sends_text(&p, 1, 120);
	ck_assert_verdict(&p, ACCEPT);
	peer_ignores_all(&p);
	user_reads(&p, 20);
}
END_TEST

/* ---- PAWS ------------------------------------------------------------------------------------------------------ */

/* RFC 7323 5.3 R1: an older timestamp: the segment is dropped and answered with an ACK. */
START_TEST(a_segment_with_an_older_timestamp_is_dropped)
{
	struct peer p = with_timestamps(_i);

	sends_text(&p, 1, 99);
	ck_assert_verdict(&p, DROP_TCP_PAWS);
	peer_expects(&p, ". 1:1(0) ack 1 win 65535 <TS val * ecr 100>");
	ck_assert_why(&p, "RFC 7323 5.3");
	ck_assert_error(user_recv_result(&p), TAPIR_EAGAIN);
	sends_text(&p, 1, 100);				/* equal is not older */
	ck_assert_verdict(&p, ACCEPT);
	peer_expects(&p, ". 1:1(0) ack 11");
}
END_TEST

/* RFC 7323 5.2: timestamps are compared as sequence numbers are: they wrap around. */
START_TEST(timestamps_wrap_around)
{
	peer_config()->timestamps = true;
	struct peer p = listening(_i);

	p.ts_val = UINT32_MAX - 5;
	peer_opens(&p);
	user_accepts(&p);
	sends_text(&p, 1, 10);
	ck_assert_verdict(&p, ACCEPT);
	peer_expects(&p, ". 1:1(0) ack 11 win 65525 <TS val * ecr 10>");
	sends_text(&p, 11, UINT32_MAX - 1);
	ck_assert_verdict(&p, DROP_TCP_PAWS);
	peer_expects(&p, ". 1:1(0) ack 11");
	sends_text(&p, 11, 10 + 0x7fffffffu);			/* just newer */
	ck_assert_verdict(&p, ACCEPT);
	peer_expects(&p, ". 1:1(0) ack 21");
}
END_TEST

/* RFC 7323 5.2: a RST is not subjected to PAWS, and its timestamp changes nothing. */
START_TEST(a_reset_is_not_subject_to_paws)
{
	struct peer p = with_timestamps(_i);

	p.ts_val = 500;
	peer_sends(&p, "R 11:11(0)");			/* only a challenge: the connection lives */
	peer_expects(&p, ". 1:1(0) ack 1 win 65535 <TS val * ecr 100>");
	sends_text(&p, 1, 200);
	ck_assert_verdict(&p, ACCEPT);
	peer_expects(&p, ". 1:1(0) ack 11 win 65525 <TS val * ecr 200>");
	p.ts_val = 1;
	peer_sends(&p, "R 11:11(0)");
	ck_assert_state(&p, TAPIR_TCP_CLOSED);
}
END_TEST

/* RFC 7323 5.5: after 24 days without a segment TS.Recent says nothing any more: the peer's clock may have gone half around. */
START_TEST(after_24_days_of_silence_any_timestamp_is_taken)
{
	struct peer p = with_timestamps(_i);

	peer_advance(&p, 24 * DAY - TAPIR_SEC);
	sends_text(&p, 1, 90);
	ck_assert_verdict(&p, DROP_TCP_PAWS);
	peer_expects(&p, ". 1:1(0) ack 1");
	peer_advance(&p, 2 * TAPIR_SEC);
	sends_text(&p, 1, 90);
	ck_assert_verdict(&p, ACCEPT);
	peer_expects(&p, ". 1:1(0) ack 11 win 65525 <TS val * ecr 90>");
	sends_text(&p, 11, 89);				/* and it is TS.Recent now: PAWS works again */
	ck_assert_verdict(&p, DROP_TCP_PAWS);
	peer_expects(&p, ". 1:1(0) ack 11");
}
END_TEST

/* RFC 7323 5.3 R1: PAWS protects the ACK field and the FIN as well: an old duplicate moves nothing. */
START_TEST(an_old_duplicate_moves_nothing)
{
	struct peer p = with_timestamps(_i);

	user_sends(&p, 10);
	peer_expects(&p, "P. 1:11(10) ack 1");
	p.ts_val = 50;
	peer_sends(&p, "F. 1:1(0) ack 11 win 0");
	ck_assert_verdict(&p, DROP_TCP_PAWS);
	peer_expects(&p, ". 11:11(0) ack 1");
	ck_assert_state(&p, TAPIR_TCP_ESTABLISHED);
	ck_assert_uint_eq(peer_info(&p).unacked, 10);
	ck_assert_uint_eq(peer_info(&p).snd_wnd, 65535);
}
END_TEST

/* RFC 7323 2.2: the window of a SYN is not shifted, also where SYNs crossed and the SYN-ACK opens the connection: taken for more
 * than it says it would be overrun. (Less by what a shift cannot say, until the next segment.) */
START_TEST(the_window_of_a_syn_ack_is_not_shifted_where_syns_crossed)
{
	struct peer p;

	peer_config()->window_scale = true;
	p = syn_sent(_i);
	peer_sends(&p, "S 0:0(0) win 5000 <mss 1460,wscale 7>");
	peer_expects(&p, "S. 0:0(0) ack 1");
	peer_sends(&p, "S. 0:0(0) ack 1 win 5000 <mss 1460,wscale 7>");
	ck_assert_state(&p, TAPIR_TCP_ESTABLISHED);
	ck_assert_uint_eq(peer_info(&p).snd_wnd, 5000 >> 7 << 7);
	peer_ignores_all(&p);
}
END_TEST

Suite *suite(void)
{
	return peer_suite("7323", (const TTest *[]){
		an_active_open_offers_window_scale,
		agreed_on_the_windows_are_shifted,
		a_passive_open_agrees_to_window_scale,
		without_the_peers_option_no_window_is_shifted,
		a_shift_above_fourteen_counts_as_fourteen,
		the_option_counts_on_a_syn_only,
		an_active_open_offers_timestamps,
		a_passive_open_agrees_to_timestamps,
		without_the_peers_option_there_are_no_timestamps,
		the_timestamp_clock_ticks_in_milliseconds,
		each_connection_has_another_timestamp_offset,
		a_segment_without_the_agreed_option_is_dropped,
		a_timestamp_that_was_not_agreed_on_is_ignored,
		a_delayed_ack_echoes_the_earliest_unacknowledged_segment,
		a_segment_beyond_a_hole_is_not_echoed,
		the_segment_that_fills_a_hole_is_echoed,
		a_hole_right_after_the_handshake_leaves_the_recent_timestamp_alone,
		a_segment_with_an_older_timestamp_is_dropped,
		timestamps_wrap_around,
		a_reset_is_not_subject_to_paws,
		after_24_days_of_silence_any_timestamp_is_taken,
		an_old_duplicate_moves_nothing,
		the_window_of_a_syn_ack_is_not_shifted_where_syns_crossed,
		NULL
	});
}
