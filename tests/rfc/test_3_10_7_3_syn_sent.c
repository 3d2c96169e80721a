/* test_3_10_7_3_syn_sent.c: SEGMENT ARRIVES in SYN-SENT (RFC 9293 3.10.7.3), step by step. */
#include "tests/support/peer.h"

/* RFC 9293 3.10.7.3 first: SEG.ACK =< ISS or SEG.ACK > SND.NXT: <SEQ=SEG.ACK><CTL=RST>, and discard. */
START_TEST(an_ack_of_something_else_in_syn_sent_draws_a_rst)
{
	static const int acks[] = {0, -1, -1000, 2, 1000, INT32_MAX};
	struct peer p = syn_sent(_i);

	for (size_t i = 0; i < sizeof acks / sizeof acks[0]; i++) {
		peer_sends(&p, ". 0:0(0) ack %d", acks[i]);
		ck_assert_verdict(&p, DROP_TCP_SYN_SENT_ACK);
		peer_expects(&p, "R %d:%d(0) win 0", acks[i], acks[i]);
		peer_sends(&p, "S. 0:0(0) ack %d", acks[i]);
		ck_assert_verdict(&p, DROP_TCP_SYN_SENT_ACK);
		peer_expects(&p, "R %d:%d(0)", acks[i], acks[i]);
	}
	peer_expects_nothing(&p);
	ck_assert_state(&p, TAPIR_TCP_SYN_SENT);
}
END_TEST

/* RFC 9293 3.10.7.3 first: unless the RST bit is set: then drop the segment and return. */
START_TEST(a_rst_with_an_ack_of_something_else_in_syn_sent_is_dropped)
{
	struct peer p = syn_sent(_i);

	peer_sends(&p, "R. 0:0(0) ack 0");
	ck_assert_verdict(&p, DROP_TCP_SYN_SENT_ACK);
	peer_sends(&p, "R. 0:0(0) ack 2");
	ck_assert_verdict(&p, DROP_TCP_SYN_SENT_ACK);
	peer_expects_nothing(&p);
	ck_assert_state(&p, TAPIR_TCP_SYN_SENT);
}
END_TEST

/* RFC 9293 3.10.7.3 first: the range is up to SND.NXT whatever a timeout has done to it: an ACK of the SYN that is
 * just being sent again is good. */
START_TEST(an_ack_of_a_syn_that_is_about_to_be_sent_again_in_syn_sent_is_good)
{
	struct peer p = syn_sent(_i);

	tapir_tick(p.t, tapir_now(p.t) + TAPIR_SEC);	/* the SYN is owed again, and has not left */
	peer_sends(&p, "S. 0:0(0) ack 1 <mss 1460>");
	ck_assert_state(&p, TAPIR_TCP_ESTABLISHED);
	peer_expects(&p, ". 1:1(0) ack 1");
	peer_expects_nothing(&p);
}
END_TEST

/* RFC 9293 3.10.7.3 second: RST with an acceptable ACK: "connection reset", CLOSED; POSIX's word for it is refused. */
START_TEST(a_rst_with_an_acceptable_ack_in_syn_sent_refuses_the_connection)
{
	struct peer p = syn_sent(_i);

	ck_assert_int_eq(tapir_poll(p.t, p.sd), 0);
	peer_sends(&p, "R. 0:0(0) ack 1");
	ck_assert_states(&p, "CLOSED > SYN-SENT > CLOSED");
	ck_assert_int_ne(tapir_poll(p.t, p.sd) & TAPIR_POLLERR, 0);
	ck_assert_int_ne(tapir_poll(p.t, p.sd) & TAPIR_POLLOUT, 0);
	ck_assert_error(user_pending_error(&p), TAPIR_ECONNREFUSED);
	ck_assert_uint_eq(peer_usage(&p).timers, 0);
	peer_expects_nothing(&p);
}
END_TEST

/* RFC 9293 3.10.7.3 second: RST without an ACK: drop the segment and return. */
START_TEST(a_rst_without_an_ack_in_syn_sent_is_dropped)
{
	struct peer p = syn_sent(_i);

	peer_sends(&p, "R 0:0(0)");
	ck_assert_verdict(&p, DROP_TCP_SYN_SENT_RST);
	peer_sends(&p, "SR 0:0(0)");
	ck_assert_verdict(&p, DROP_TCP_SYN_SENT_RST);
	peer_expects_nothing(&p);
	ck_assert_state(&p, TAPIR_TCP_SYN_SENT);
}
END_TEST

/* RFC 9293 3.10.7.3 third: security and compartment: no datagram carries them here (A.1), so no segment fails this
 * step: it goes on to the fourth, whatever DSCP it carries. */
START_TEST(no_segment_fails_the_check_of_security_in_syn_sent)
{
	struct peer p = syn_sent(_i);
	uint8_t frame[2048];
	size_t n = peer_frame(&p, frame, "S. 0:0(0) ack 1 <mss 1460>");

	frame[1] = 0xe0;
	frame_fix_checksums(frame, n);
	peer_sends_frame(&p, frame, n);
	ck_assert_verdict(&p, ACCEPT);
	peer_expects(&p, ". 1:1(0) ack 1");
}
END_TEST

/* RFC 9293 3.10.7.3 fourth: SYN with an ACK of ours: RCV.NXT = SEG.SEQ+1, SND.UNA = SEG.ACK, the SYN leaves the
 * retransmission queue, ESTABLISHED, <SEQ=SND.NXT><ACK=RCV.NXT><CTL=ACK>. */
START_TEST(a_syn_ack_in_syn_sent_establishes_the_connection)
{
	struct peer p = syn_sent(_i);

	peer_sends(&p, "S. 0:0(0) ack 1 win 5000 <mss 1460>");
	ck_assert_verdict(&p, ACCEPT);
	peer_expects(&p, ". 1:1(0) ack 1 win 65535 <>");
	peer_expects_nothing(&p);
	ck_assert_states(&p, "CLOSED > SYN-SENT > ESTABLISHED");
	ck_assert_uint_eq(peer_info(&p).unacked, 0);
	ck_assert_uint_eq(peer_info(&p).snd_wnd, 5000);
	ck_assert_uint_eq(peer_usage(&p).timers, 0);
	ck_assert_int_eq(tapir_poll(p.t, p.sd), TAPIR_POLLOUT);
	ck_assert_int_eq(user_pending_error(&p), 0);
}
END_TEST

/* RFC 9293 3.10.7.3 fourth: data that was queued for transmission may be included; so may the user's FIN. */
START_TEST(queued_text_rides_on_the_ack_of_a_syn_ack_in_syn_sent)
{
	struct peer p = syn_sent(_i);

	user_sends(&p, 10);
	peer_sends(&p, "S. 0:0(0) ack 1 <mss 1460>");
	peer_expects(&p, "P. 1:11(10) ack 1");
	peer_expects_nothing(&p);
}
END_TEST

/* RFC 9293 3.10.7.3 fourth: other controls or text in the segment: continue at the sixth step of 3.10.7.4. One ACK
 * covers all of it (MUST-58). */
START_TEST(text_urgent_pointer_and_fin_on_a_syn_ack_in_syn_sent_are_processed)
{
	struct peer p = syn_sent(_i);

	peer_sends(&p, "S. 0:10(10) ack 1 <mss 1460>");
	peer_expects(&p, ". 1:1(0) ack 11");
	peer_expects_nothing(&p);
	user_reads(&p, 10);
	ck_assert_state(&p, TAPIR_TCP_ESTABLISHED);

	p = syn_sent(_i);
	peer_sends(&p, "SF.U 0:10(10) ack 1 urg 5 <mss 1460>");
	peer_expects(&p, ". 1:1(0) ack 12");
	peer_expects_nothing(&p);
	ck_assert_states(&p, "CLOSED > SYN-SENT > ESTABLISHED > CLOSE-WAIT");
	ck_assert_int_ne(tapir_poll(p.t, p.sd) & TAPIR_POLLPRI, 0);
	user_reads(&p, 10);
	user_reads_end(&p);
}
END_TEST

/* RFC 9293 3.10.7.3 fourth: otherwise, enter SYN-RECEIVED, <SEQ=ISS><ACK=RCV.NXT><CTL=SYN,ACK>: simultaneous open
 * (MUST-10). */
START_TEST(a_syn_alone_in_syn_sent_is_a_simultaneous_open)
{
	struct peer p = syn_sent(_i);

	peer_sends(&p, "S 0:0(0) win 5000 <mss 1460>");
	ck_assert_verdict(&p, ACCEPT);
	peer_expects(&p, "S. 0:0(0) ack 1 win 65535 <mss 1460>");
	peer_expects_nothing(&p);
	ck_assert_states(&p, "CLOSED > SYN-SENT > SYN-RECEIVED");
	ck_assert_uint_eq(peer_info(&p).snd_wnd, 5000);
	ck_assert_uint_eq(peer_info(&p).unacked, 1);
	ck_assert_uint_eq(peer_usage(&p).timers, 1);
	ck_assert_int_eq(tapir_poll(p.t, p.sd), 0);
}
END_TEST

/* RFC 9293 3.10.7.3 fourth: text on a SYN alone is to be processed after ESTABLISHED has been reached: it is not
 * acknowledged before, and the peer sends it again. */
START_TEST(text_on_a_syn_alone_in_syn_sent_waits_for_established)
{
	struct peer p = syn_sent(_i);

	peer_sends(&p, "S 0:10(10) <mss 1460>");
	peer_expects(&p, "S. 0:0(0) ack 1");
	ck_assert_state(&p, TAPIR_TCP_SYN_RCVD);
	ck_assert_error(user_recv_result(&p), TAPIR_EAGAIN);
	peer_sends(&p, "P. 1:11(10) ack 1");
	peer_expects(&p, ". 1:1(0) ack 11");
	user_reads(&p, 10);
}
END_TEST

/* RFC 9293 3.10.7.3 fifth: neither SYN nor RST: drop the segment and return, also with an acceptable ACK. */
START_TEST(a_segment_without_syn_or_rst_in_syn_sent_is_dropped)
{
	struct peer p = syn_sent(_i);

	peer_sends(&p, ". 1:1(0) ack 1");
	ck_assert_verdict(&p, DROP_TCP_SYN_SENT_NO_SYN);
	peer_sends(&p, "FP. 1:11(10) ack 1");
	ck_assert_verdict(&p, DROP_TCP_SYN_SENT_NO_SYN);
	peer_sends(&p, "F 0:0(0)");
	ck_assert_verdict(&p, DROP_TCP_SYN_SENT_NO_SYN);
	peer_sends(&p, "- 0:0(0)");
	ck_assert_verdict(&p, DROP_TCP_SYN_SENT_NO_SYN);
	peer_expects_nothing(&p);
	ck_assert_state(&p, TAPIR_TCP_SYN_SENT);
	ck_assert_uint_eq(peer_info(&p).unacked, 1);
}
END_TEST

Suite *suite(void)
{
	return peer_suite("RFC 9293 3.10.7.3 SYN-SENT", (const TTest *[]){
		an_ack_of_something_else_in_syn_sent_draws_a_rst,
		a_rst_with_an_ack_of_something_else_in_syn_sent_is_dropped,
		an_ack_of_a_syn_that_is_about_to_be_sent_again_in_syn_sent_is_good,
		a_rst_with_an_acceptable_ack_in_syn_sent_refuses_the_connection,
		a_rst_without_an_ack_in_syn_sent_is_dropped,
		no_segment_fails_the_check_of_security_in_syn_sent,
		a_syn_ack_in_syn_sent_establishes_the_connection,
		queued_text_rides_on_the_ack_of_a_syn_ack_in_syn_sent,
		text_urgent_pointer_and_fin_on_a_syn_ack_in_syn_sent_are_processed,
		a_syn_alone_in_syn_sent_is_a_simultaneous_open,
		text_on_a_syn_alone_in_syn_sent_waits_for_established,
		a_segment_without_syn_or_rst_in_syn_sent_is_dropped,
		NULL
	});
}
