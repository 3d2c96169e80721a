/* test_3168_ecn.c: Explicit Congestion Notification (RFC 3168 5.3, 6.1). A line's [ect0] or [ce] is the datagram's ECN field;
 * E and W among the flags are ECE and CWR. */
#include "tests/support/peer.h"

#define MSS 1460

/* An accepted connection; the peer's SYN has asked, and the stack has agreed. */
static struct peer agreed(int run)
{
	struct peer p = listening(run);

	peer_sends(&p, "SEW 0:0(0) <mss 1460>");
	peer_expects(&p, "[noecn] S.E 0:0(0) ack 1");
	peer_sends(&p, ". 1:1(0) ack 1");
	user_accepts(&p);
	ck_assert(peer_info(&p).ecn);
	return p;
}

/* The stack asks in its SYN; the peer's SYN-ACK has these flags. */
static struct peer asked(int run, const char *flags)
{
	struct peer p;

	peer_config()->ecn = TAPIR_ECN_ON;
	p = closed(run);
	user_connects(&p);
	peer_expects(&p, "[noecn] SEW 0:0(0)");
	peer_sends(&p, "%s 0:0(0) ack 1 <mss 1460>", flags);
	peer_expects(&p, "[noecn] . 1:1(0) ack 1");
	return p;
}

static void sends_with_ect(struct peer *p, bool ect)
{
	ck_assert_int_eq(peer_info(p).ecn, ect);
	user_sends(p, 10);
	peer_expects(p, "[%s] P. %u:%u(10) ack %u", ect ? "ect0" : "noecn", p->snd_nxt, p->snd_nxt + 10, p->rcv_nxt);
}

/* --- 6.1.1: the handshake --- */

/* RFC 3168 6.1.1: who does not want ECN clears both flags in his SYN. The default does not ask. */
START_TEST(by_default_and_when_off_our_syn_does_not_ask)
{
	for (int ecn = TAPIR_ECN_OFF; ecn <= TAPIR_ECN_IF_ASKED; ecn += 2) {
		struct peer p;

		peer_config()->ecn = (uint8_t)ecn;
		p = closed(_i);
		user_connects(&p);
		peer_expects(&p, "[noecn] S 0:0(0)");
		peer_sends(&p, "S.E 0:0(0) ack 1 <mss 1460>");	/* an answer to what nobody has asked */
		peer_expects(&p, ". 1:1(0) ack 1");
		sends_with_ect(&p, false);
	}
}
END_TEST

/* RFC 9293 3.8.2 (SHLD-8), RFC 3168 6.1.1: an ECN-setup SYN may be answered by an ECN-setup SYN-ACK, with ECE and without CWR. */
START_TEST(a_syn_that_asks_is_answered_with_ece_unless_ecn_is_off)
{
	for (int ecn = TAPIR_ECN_OFF; ecn <= TAPIR_ECN_IF_ASKED; ecn++) {
		struct peer p;

		peer_config()->ecn = (uint8_t)ecn;
		p = listening(_i);
		peer_sends(&p, "SEW 0:0(0) <mss 1460>");
		peer_expects(&p, ecn ? "[noecn] S.E 0:0(0) ack 1" : "[noecn] S. 0:0(0) ack 1");
		peer_sends(&p, ". 1:1(0) ack 1");
		user_accepts(&p);
		sends_with_ect(&p, ecn != TAPIR_ECN_OFF);
	}
}
END_TEST

/* RFC 3168 6.1.1: "with at least one of the ECE and CWR flags not set": no ECN-setup SYN. */
START_TEST(a_syn_with_one_of_the_two_flags_or_none_does_not_ask)
{
	static const char *const syns[] = {"S", "SE", "SW"};

	for (int i = 0; i < 3; i++) {
		struct peer p = listening(_i);

		peer_sends(&p, "%s 0:0(0) <mss 1460>", syns[i]);
		peer_expects(&p, "[noecn] S. 0:0(0) ack 1");
		peer_sends(&p, ". 1:1(0) ack 1");
		user_accepts(&p);
		sends_with_ect(&p, false);
	}
}
END_TEST

/* RFC 3168 6.1.1, 6.1.2: ECT(0) from then on. */
START_TEST(a_syn_ack_with_ece_alone_agrees)
{
	struct peer p = asked(_i, "S.E");

	sends_with_ect(&p, true);
}
END_TEST

/* RFC 3168 6.1.1.2: a peer that mirrors the reserved bits has not understood. */
START_TEST(a_syn_ack_with_other_flags_does_not_agree)
{
	static const char *const answers[] = {"S.", "S.EW", "S.W"};

	for (int i = 0; i < 3; i++) {
		struct peer p = asked(_i, answers[i]);

		sends_with_ect(&p, false);
		peer_sends(&p, "[ce] . 1:11(10) ack 11");
		peer_expects(&p, "[noecn] . 11:11(0) ack 11");
	}
}
END_TEST

/* RFC 3168 6.1.1.1: a path that drops what it does not know. */
START_TEST(a_syn_that_timed_out_goes_again_without_asking)
{
	struct peer p;

	peer_config()->ecn = TAPIR_ECN_ON;
	p = closed(_i);
	user_connects(&p);
	peer_expects(&p, "SEW 0:0(0)");
	peer_until_timer(&p);
	peer_expects(&p, "S 0:0(0)");
	peer_until_timer(&p);
	peer_expects(&p, "S 0:0(0)");
	peer_sends(&p, "S. 0:0(0) ack 1 <mss 1460>");
	peer_expects(&p, ". 1:1(0) ack 1");
	sends_with_ect(&p, false);
}
END_TEST

/* RFC 3168 6.1.1: "and has sent no non-ECN-setup SYN"; the commitment as a receiver remains. */
START_TEST(after_the_fallback_a_late_agreement_binds_the_receiver_only)
{
	struct peer p;

	peer_config()->ecn = TAPIR_ECN_ON;
	p = closed(_i);
	user_connects(&p);
	peer_expects(&p, "SEW 0:0(0)");
	peer_until_timer(&p);
	peer_expects(&p, "S 0:0(0)");
	peer_sends(&p, "S.E 0:0(0) ack 1 <mss 1460>");
	peer_expects(&p, ". 1:1(0) ack 1");
	sends_with_ect(&p, false);
	peer_sends(&p, "[ce] . 1:11(10) ack 11");
	peer_expects(&p, "[noecn] .E 11:11(0) ack 11");
}
END_TEST

/* RFC 3168 6.1.1.1, the example: (1) and (2) were ECN-setup, (3) and (4) are not; neither side sends ECT. */
START_TEST(a_peer_that_falls_back_is_answered_without_ece)
{
	struct peer p = listening(_i);

	peer_sends(&p, "SEW 0:0(0) <mss 1460>");
	peer_expects(&p, "S.E 0:0(0) ack 1");
	peer_sends(&p, "S 0:0(0) <mss 1460>");
	peer_expects(&p, "S. 0:0(0) ack 1");
	peer_sends(&p, ". 1:1(0) ack 1");
	user_accepts(&p);
	sends_with_ect(&p, false);
	peer_sends(&p, "[ce] . 1:11(10) ack 11");
	peer_expects(&p, ". 11:11(0) ack 11");
}
END_TEST

/* RFC 3168 6.1.1 (SHOULD NOT): having received one counts, even if no SYN-ACK went out for it any more. */
START_TEST(a_plain_syn_that_came_too_late_for_an_answer_still_forbids_ect)
{
	struct peer p = listening(_i);

	peer_sends(&p, "SEW 0:0(0) <mss 1460>");
	peer_expects(&p, "S.E 0:0(0) ack 1");
	peer_sends(&p, "S 0:0(0) <mss 1460>");
	peer_sends(&p, ". 1:1(0) ack 1");		/* of the first SYN-ACK */
	peer_expects_nothing(&p);
	user_accepts(&p);
	sends_with_ect(&p, false);
}
END_TEST

/* RFC 3168 6.1.1: nothing forbids to ask again when the SYN-ACK was lost. */
START_TEST(a_syn_ack_goes_again_with_ece)
{
	struct peer p = listening(_i);

	peer_sends(&p, "SEW 0:0(0) <mss 1460>");
	peer_expects(&p, "S.E 0:0(0) ack 1");
	peer_until_timer(&p);
	peer_expects(&p, "[noecn] S.E 0:0(0) ack 1");
	peer_sends(&p, ". 1:1(0) ack 1");
	user_accepts(&p);
	sends_with_ect(&p, true);
}
END_TEST

/* RFC 3168 6.1.1: a SYN cookie has no room for it, so it must not be agreed to. */
START_TEST(a_syn_cookie_does_not_agree)
{
	struct peer p;
	const uint8_t *seq;

	peer_config()->syn_cookies = 2;
	p = listening(_i);
	peer_sends(&p, "SEW 0:0(0) <mss 1460>");
	peer_expects(&p, "[noecn] S. *:*(0) ack 1");
	seq = peer_last_frame().p + 24;		/* the cookie is the ISS */
	p.stack_iss = (uint32_t)seq[0] << 24 | (uint32_t)seq[1] << 16 | (uint32_t)seq[2] << 8 | seq[3];
	p.snd_nxt = 1;
	peer_sends(&p, ". 1:1(0) ack 1");
	user_accepts(&p);
	sends_with_ect(&p, false);
	peer_sends(&p, "[ce] . 1:11(10) ack 11");
	peer_expects(&p, ". 11:11(0) ack 11");
}
END_TEST

/* RFC 3168 6.1.1, RFC 9293 figure 7: SYNs that cross ask each other; ECE of the SYN-ACKs is no congestion. */
START_TEST(syns_that_cross_agree)
{
	struct peer p;

	peer_config()->ecn = TAPIR_ECN_ON;
	p = closed(_i);
	user_connects(&p);
	peer_expects(&p, "SEW 0:0(0)");
	peer_sends(&p, "SEW 0:0(0) <mss 1460>");
	peer_expects(&p, "S.E 0:0(0) ack 1");
	peer_sends(&p, "S.E 0:0(0) ack 1 <mss 1460>");
	peer_ignores_all(&p);
	ck_assert_state(&p, TAPIR_TCP_ESTABLISHED);
	ck_assert_int_eq(peer_info(&p).ca_state, TAPIR_CA_OPEN);
	ck_assert_uint_gt(peer_info(&p).snd_ssthresh, 65535);
	sends_with_ect(&p, true);
}
END_TEST

/* --- 6.1.2, 6.1.4 to 6.1.6: what carries ECT --- */

/* RFC 3168 6.1.5 (MUST NOT): so that nobody who repeats an old segment with a mark slows the connection down. */
START_TEST(a_retransmission_carries_no_ect)
{
	struct peer p = agreed(_i);

	user_sends(&p, 10);
	peer_expects(&p, "[ect0] P. 1:11(10) ack 1");
	peer_until_timer(&p);
	peer_expects(&p, "[noecn] P. 1:11(10) ack 1");
}
END_TEST

/* RFC 3168 6.1.4 (MUST): ACKs alone; and what else has no text. */
START_TEST(segments_without_text_carry_no_ect)
{
	struct peer p = agreed(_i);

	ck_assert_error(tapir_setsockopt(p.t, p.sd, TAPIR_SO_KEEPALIVE, 1), 0);
	peer_sends(&p, "[ect0] . 1:11(10) ack 1");
	peer_expects(&p, "[noecn] . 1:1(0) ack 11");
	peer_until_timer(&p);
	peer_expects(&p, "[noecn] . 0:0(0) ack 11");	/* a keep-alive */
	peer_sends(&p, ". 11:11(0) ack 1");
	user_reads(&p, 10);
	user_shuts_down(&p);
	peer_expects(&p, "[noecn] F. 1:1(0) ack 11");
}
END_TEST

/* RFC 3168 6.1.6 (MUST NOT): neither ECT nor CWR, even if one is owed. */
START_TEST(a_window_probe_carries_neither_ect_nor_cwr)
{
	struct peer p = agreed(_i);

	user_sends(&p, 3 * MSS);
	peer_expects(&p, "[ect0] . 1:1461(1460) ack 1");
	peer_expects(&p, "[ect0] . 1461:2921(1460) ack 1");
	peer_expects(&p, "[ect0] P. 2921:4381(1460) ack 1");
	peer_sends(&p, ".E 1:1(0) ack 4381 win 0");
	user_sends(&p, 20);
	peer_until_timer(&p);
	peer_expects(&p, "[noecn] . 4381:4382(1) ack 1");
	peer_sends(&p, ". 1:1(0) ack 4381 win 1000");
	peer_ignores_all(&p);
	user_sends(&p, 10);
	peer_sends(&p, ". 1:1(0) ack 4401 win 1000");
	peer_expects(&p, "[ect0] P.W 4401:4411(10) ack 1");
}
END_TEST

/* RFC 3168 5: the other six bits of the byte are the program's (RFC 2474 3). */
START_TEST(the_programs_tos_keeps_its_six_bits)
{
	struct peer p = agreed(_i);
	int tos;

	ck_assert_error(tapir_setsockopt(p.t, p.sd, TAPIR_IP_TOS, 0xbb), 0);
	ck_assert_error(tapir_getsockopt(p.t, p.sd, TAPIR_IP_TOS, &tos), 0);
	ck_assert_int_eq(tos, 0xb8);
	user_sends(&p, 10);
	peer_expects(&p, "[ect0] P. 1:11(10) ack 1");
	ck_assert_uint_eq(peer_last_frame().p[1], 0xba);
}
END_TEST

/* --- 6.1.3: the receiver --- */

/* RFC 3168 6.1.3: in all ACKs, those that ride on text included, whatever else arrives. */
START_TEST(ce_is_echoed_in_every_ack_until_cwr)
{
	struct peer p = agreed(_i);

	peer_sends(&p, "[ect0] . 1:11(10) ack 1");
	peer_expects(&p, ". 1:1(0) ack 11");
	peer_sends(&p, "[ce] . 11:21(10) ack 1");
	peer_expects(&p, ".E 1:1(0) ack 21");
	peer_sends(&p, "[ect0] . 21:31(10) ack 1");
	peer_expects(&p, ".E 1:1(0) ack 31");
	user_sends(&p, 5);
	peer_expects(&p, "[ect0] P.E 1:6(5) ack 31");
	peer_sends(&p, ". 41:51(10) ack 6");
	peer_expects(&p, ".E 6:6(0) ack 31");		/* a duplicate ACK */
	peer_sends(&p, "[ect0] .W 31:41(10) ack 6");
	peer_expects(&p, ". 6:6(0) ack 51");
	peer_sends(&p, "[ect0] . 51:61(10) ack 6");
	peer_expects(&p, ". 6:6(0) ack 61");
	ck_assert_uint_eq(peer_info(&p).received_ce, 1);
	ck_assert_uint_eq(peer_events(&p, TAPIR_EV_ECN), 2);
}
END_TEST

/* RFC 3168 6.1.3: "if another CE packet is received, the receiver would once again send ACK packets with ECE". */
START_TEST(a_segment_with_cwr_and_ce_begins_a_new_echo)
{
	struct peer p = agreed(_i);

	peer_sends(&p, "[ce] . 1:11(10) ack 1");
	peer_expects(&p, ".E 1:1(0) ack 11");
	peer_sends(&p, "[ce] .W 11:21(10) ack 1");
	peer_expects(&p, ".E 1:1(0) ack 21");
	peer_sends(&p, "[ect0] .W 21:31(10) ack 1");
	peer_expects(&p, ". 1:1(0) ack 31");
}
END_TEST

/* RFC 3168 6.1.3: "set to '1' if the CE codepoint is set in any of the data packets being acknowledged". */
START_TEST(a_delayed_ack_tells_of_any_mark_that_it_covers)
{
	struct peer p;

	peer_config()->delack_us = 40 * TAPIR_MS;
	peer_config()->quickacks = 0;
	p = agreed(_i);
	peer_sends(&p, "[ect0] . 1:11(10) ack 1");
	peer_expects_nothing(&p);
	peer_sends(&p, "[ce] . 11:21(10) ack 1");	/* at once: the sender is to hear soon */
	peer_expects(&p, ".E 1:1(0) ack 21");
	peer_sends(&p, "[ect0] . 21:31(10) ack 1");
	peer_expects(&p, ".E 1:1(0) ack 31");
	peer_sends(&p, "[ect0] . 31:41(10) ack 1");
	peer_expects_nothing(&p);
	peer_sends(&p, "[ect0] .W 41:51(10) ack 1");	/* its window may be one segment now */
	peer_expects(&p, ". 1:1(0) ack 51");
}
END_TEST

/* RFC 3168 6.1.5 (SHOULD): a forged segment out of the window slows nobody down; nor does one without text (6.1.4). */
START_TEST(ce_out_of_the_window_or_without_text_is_ignored)
{
	struct peer p = agreed(_i);

	peer_sends(&p, "[ect0] . 1:11(10) ack 1");
	peer_expects(&p, ". 1:1(0) ack 11");
	peer_sends(&p, "[ce] . 1:11(10) ack 1");
	peer_expects(&p, ". 1:1(0) ack 11");
	peer_sends(&p, "[ce] . 70000:70010(10) ack 1");
	peer_expects(&p, ". 1:1(0) ack 11");
	peer_sends(&p, "[ce] . 11:11(0) ack 1");
	peer_expects_nothing(&p);
	user_sends(&p, 5);
	peer_expects(&p, "P. 1:6(5) ack 11");
	ck_assert_uint_eq(peer_info(&p).received_ce, 0);
}
END_TEST

/* RFC 3168 6.1.6 (SHOULD): a window probe cannot easily be forged. */
START_TEST(ce_on_a_window_probe_counts)
{
	struct peer p;

	peer_config()->rcvbuf = 2000;
	p = agreed(_i);
	peer_sends(&p, "[ect0] . 1:1001(1000) ack 1");
	peer_expects(&p, ". 1:1(0) ack 1001");
	peer_sends(&p, "[ect0] . 1001:2001(1000) ack 1");
	peer_expects(&p, ". 1:1(0) ack 2001 win 0");
	peer_sends(&p, "[ce] . 2001:2002(1) ack 1");
	peer_expects(&p, ".E 1:1(0) ack 2001 win 0");
	user_reads(&p, 2000);
	peer_expects(&p, ".E 1:1(0) ack 2001 win 2000");
}
END_TEST

/* RFC 3168 6.1.1: a host is "forbidden from using the reception of ECT data packets as an implicit signal". */
START_TEST(without_agreement_marks_and_flags_mean_nothing)
{
	struct peer p = established(_i);
	uint32_t ssthresh = peer_info(&p).snd_ssthresh;

	user_sends(&p, 4 * MSS);
	peer_ignores_all(&p);
	peer_sends(&p, "[ce] . 1:11(10) ack 1");
	peer_expects(&p, ". *:*(0) ack 11");
	peer_sends(&p, ".E 11:11(0) ack 1461");
	ck_assert_uint_eq(peer_info(&p).snd_ssthresh, ssthresh);
	ck_assert(!peer_info(&p).ecn && !peer_info(&p).ecn_seen);
	ck_assert_uint_eq(peer_events(&p, TAPIR_EV_ECN), 0);
}
END_TEST

/* --- 6.1.2: the sender --- */

/* Ten segments under way, and more to send. */
static struct peer sending(int run)
{
	struct peer p = agreed(run);

	user_sends(&p, 40 * MSS);
	for (uint32_t i = 0; i < 10; i++)
		peer_expects(&p, "[ect0] . %u:%u(1460) ack 1", 1 + i * MSS, 1 + (i + 1) * MSS);
	peer_expects_nothing(&p);
	return p;
}

/* RFC 3168 6.1.2: "the TCP source halves the congestion window and reduces the slow start threshold". */
START_TEST(ece_is_answered_as_a_loss_would_be)
{
	struct peer p = sending(_i);
	struct tapir_tcp_info before = peer_info(&p), after;

	peer_sends(&p, ".E 1:1(0) ack 1461");
	after = peer_info(&p);
	ck_assert_int_eq(after.ca_state, TAPIR_CA_CWR);
	ck_assert_uint_lt(after.snd_ssthresh, before.snd_cwnd);
	ck_assert_uint_ge(after.snd_ssthresh, before.snd_cwnd / 2);
	ck_assert_uint_le(after.snd_cwnd, before.snd_cwnd);
	ck_assert_uint_eq(after.total_retrans, 0);
	peer_ignores_all(&p);
}
END_TEST

/* RFC 3168 6.1.2: "on the first new data packet that it transmits", once. */
START_TEST(the_first_new_segment_after_a_reduction_says_cwr)
{
	struct peer p = sending(_i);

	peer_sends(&p, ".E 1:1(0) ack 14601");
	peer_expects(&p, "[ect0] .W 14601:16061(1460) ack 1");
	peer_expects(&p, "[ect0] . 16061:17521(1460) ack 1");
	peer_ignores_all(&p);
}
END_TEST

/* RFC 3168 6.1.2: "not more than once every window of data". */
START_TEST(one_window_is_reduced_once)
{
	struct peer p = sending(_i);
	uint32_t ssthresh;

	peer_sends(&p, ".E 1:1(0) ack 1461");
	ssthresh = peer_info(&p).snd_ssthresh;
	for (uint32_t i = 2; i <= 10; i++)
		peer_sends(&p, ".E 1:1(0) ack %u", 1 + i * MSS);
	ck_assert_uint_eq(peer_info(&p).snd_ssthresh, ssthresh);
	peer_expects(&p, "[ect0] .W 14601:16061(1460) ack 1");
	peer_sends(&p, ".E 1:1(0) ack 14601");		/* CWR has not arrived yet */
	ck_assert_uint_eq(peer_info(&p).snd_ssthresh, ssthresh);
	peer_ignores_all(&p);
}
END_TEST

/* RFC 3168 6.1.2: beyond what was outstanding then, it is a new window. */
START_TEST(the_next_window_is_reduced_again)
{
	struct peer p = sending(_i);
	uint32_t ssthresh;

	peer_sends(&p, ".E 1:1(0) ack 14601");
	ssthresh = peer_info(&p).snd_ssthresh;
	peer_expects(&p, "[ect0] .W 14601:16061(1460) ack 1");
	peer_ignores_all(&p);
	peer_sends(&p, ".E 1:1(0) ack 16061");
	ck_assert_uint_lt(peer_info(&p).snd_ssthresh, ssthresh);
	peer_ignores_all(&p);
}
END_TEST

/* RFC 3168 6.1.2: "SHOULD NOT increase the congestion window in response to the receipt of an ECN-Echo ACK". */
START_TEST(an_ack_with_ece_opens_no_window)
{
	struct peer p = sending(_i);
	uint32_t cwnd;

	peer_sends(&p, ".E 1:1(0) ack 1461");
	for (uint32_t i = 2; i <= 10; i++)
		peer_sends(&p, ".E 1:1(0) ack %u", 1 + i * MSS);
	cwnd = peer_info(&p).snd_cwnd;
	ck_assert_uint_le(cwnd, peer_info(&p).snd_ssthresh);
	peer_ignores_all(&p);
	peer_sends(&p, ".E 1:1(0) ack %u", 1 + 11 * MSS);
	ck_assert_uint_le(peer_info(&p).snd_cwnd, cwnd);
	peer_ignores_all(&p);
}
END_TEST

/* RFC 3168 6.1.2: "for any reason": a loss, too, is told with CWR, on new text and not on the retransmission; and marks of
 * the same window are the same congestion. */
START_TEST(a_fast_retransmit_is_told_with_cwr)
{
	struct peer p = agreed(_i);
	uint32_t ssthresh;

	user_sends(&p, 6 * MSS);
	ck_assert_uint_eq(peer_ignores_all(&p), 6);
	for (int i = 0; i < 3; i++)
		peer_sends(&p, ". 1:1(0) ack 1");
	ssthresh = peer_info(&p).snd_ssthresh;
	peer_expects(&p, "[noecn] . 1:1461(1460) ack 1");
	peer_sends(&p, "%s 1:1(0) ack %u", _i ? "." : ".E", 1 + 6 * MSS);
	ck_assert_uint_eq(peer_info(&p).snd_ssthresh, ssthresh);
	user_sends(&p, MSS);
	peer_expects(&p, "[ect0] P.W %u:%u(1460) ack 1", 1 + 6 * MSS, 1 + 7 * MSS);
	peer_sends(&p, ". 1:1(0) ack %u", 1 + 7 * MSS);
}
END_TEST

START_TEST(a_timeout_is_told_with_cwr_on_the_first_new_text)
{
	struct peer p = agreed(_i);

	user_sends(&p, 10);
	peer_expects(&p, "[ect0] P. 1:11(10) ack 1");
	peer_until_timer(&p);
	peer_expects(&p, "[noecn] P. 1:11(10) ack 1");
	user_sends(&p, MSS);
	peer_sends(&p, ". 1:1(0) ack 11");
	peer_expects(&p, "[ect0] P.W 11:1471(1460) ack 1");
	user_sends(&p, 10);
	peer_sends(&p, ". 1:1(0) ack 1471");
	peer_expects(&p, "[ect0] P. 1471:1481(10) ack 1");
}
END_TEST

/* RFC 3168 6.1.2 (SHOULD NOT): nor in the slow start after a timeout; the next ACK without it does. */
START_TEST(an_ack_with_ece_is_no_reason_for_slow_start_to_grow)
{
	struct peer p = sending(_i);
	uint32_t cwnd;

	while (peer_info(&p).ca_state != TAPIR_CA_LOSS)
		peer_until_timer(&p);
	peer_ignores_all(&p);
	cwnd = peer_info(&p).snd_cwnd;
	peer_sends(&p, ".E 1:1(0) ack 1461");
	ck_assert_uint_eq(peer_info(&p).snd_cwnd, cwnd);
	peer_ignores_all(&p);
	peer_sends(&p, ". 1:1(0) ack 2921");
	ck_assert_uint_gt(peer_info(&p).snd_cwnd, cwnd);
	peer_ignores_all(&p);
}
END_TEST

/* RFC 3168 6.1.2, RFC 3522 3.2: the echo of a timestamp proves that nothing was lost: there is no reduction to tell of. */
START_TEST(a_reduction_that_is_taken_back_is_not_told)
{
	struct peer p;

	peer_config()->timestamps = true;
	p = listening(_i);
	peer_sends(&p, "SEW 0:0(0) <mss 1460,nop,nop,TS val 100 ecr 0>");
	peer_expects(&p, "S.E 0:0(0) ack 1");
	p.timestamps = true;
	peer_sends(&p, ". 1:1(0) ack 1");
	user_accepts(&p);
	user_sends(&p, 6 * 1448);
	ck_assert_uint_eq(peer_ignores_all(&p), 6);
	peer_advance(&p, 10 * TAPIR_MS);
	for (int i = 0; i < 3; i++)
		peer_sends(&p, ". 1:1(0) ack 1");
	peer_expects(&p, "[noecn] . 1:1449(1448) ack 1");
	ck_assert_int_eq(peer_info(&p).ca_state, TAPIR_CA_RECOVERY);
	peer_sends(&p, ". 1:1(0) ack %u <nop,nop,TS val 101 ecr 0>", 1 + 6 * 1448);	/* of what was sent first */
	ck_assert_int_eq(peer_info(&p).ca_state, TAPIR_CA_OPEN);
	user_sends(&p, 10);
	peer_expects(&p, "[ect0] P. %u:%u(10) ack 1", 1 + 6 * 1448, 11 + 6 * 1448);
	peer_sends(&p, ". 1:1(0) ack %u <nop,nop,TS val 102 ecr 0>", 11 + 6 * 1448);
}
END_TEST

/* RFC 3168 6.1.2: a driver that cuts a large frame up would say CWR in each piece. */
START_TEST(cwr_goes_with_one_segment_when_the_driver_cuts_frames_up)
{
	struct peer p;

	peer_config()->offload.tso4 = peer_config()->offload.csum = true;
	p = agreed(_i);
	user_sends(&p, 30 * MSS);
	peer_expects(&p, "[ect0] P. 1:14601(14600) ack 1");
	peer_sends(&p, ".E 1:1(0) ack 14601");
	peer_expects(&p, "[ect0] .W 14601:16061(1460) ack 1");
	peer_expects(&p, "[ect0] P. 16061:*(*) ack 1");
	peer_ignores_all(&p);
}
END_TEST

/* --- 5.3: fragments --- */

/* The peer's segment of 40 bytes of text comes in two fragments with these ECN fields. */
static void sends_in_two(struct peer *p, uint8_t first, uint8_t second, const char *line)
{
	uint8_t frame[2048], part[100];
	const uint8_t ecn[2] = {first, second};
	size_t n = peer_frame(p, frame, "%s", line), half = 32, at[2] = {0, half}, len[2] = {half, n - 20 - half};

	for (int i = 0; i < 2; i++) {
		memcpy(part, frame, 20);
		memcpy(part + 20, frame + 20 + at[i], len[i]);
		part[1] = ecn[i];
		part[2] = 0;
		part[3] = (uint8_t)(20 + len[i]);
		part[6] = i == 0 ? 0x20 : 0;
		part[7] = (uint8_t)(at[i] / 8);
		part[10] = part[11] = 0;
		uint16_t sum = frame_checksum(0, part, 20);
		part[10] = (uint8_t)(sum >> 8);
		part[11] = (uint8_t)sum;
		peer_sends_frame(p, part, 20 + len[i]);
	}
}

/* RFC 3168 5.3 (MUST NOT): "reassembly of a fragmented packet MUST NOT lose indications of congestion". */
START_TEST(a_mark_on_any_fragment_reaches_tcp)
{
	struct peer p = agreed(_i);

	sends_in_two(&p, 2, 2, ". 1:41(40) ack 1");
	ck_assert_verdict(&p, ACCEPT);
	peer_expects(&p, ". 1:1(0) ack 41");
	sends_in_two(&p, 2, 3, ". 41:81(40) ack 1");
	ck_assert_verdict(&p, ACCEPT);
	peer_expects(&p, ".E 1:1(0) ack 81");
	sends_in_two(&p, 2, 2, ".W 81:121(40) ack 1");
	peer_expects(&p, ". 1:1(0) ack 121");
	sends_in_two(&p, 3, 1, ". 121:161(40) ack 1");
	peer_expects(&p, ".E 1:1(0) ack 161");
}
END_TEST

/* RFC 3168 5.3 (MUST NOT): the mark must not be put on what was not ECN-capable: the datagram is dropped. */
START_TEST(a_mark_beside_a_fragment_that_was_not_capable_costs_the_datagram)
{
	struct peer p = agreed(_i);

	sends_in_two(&p, 0, 3, ". 1:41(40) ack 1");
	ck_assert_verdict(&p, DROP_FRAG_ECN);
	sends_in_two(&p, 3, 0, ". 1:41(40) ack 1");
	ck_assert_verdict(&p, DROP_FRAG_ECN);
	peer_expects_nothing(&p);
	ck_assert_uint_eq(peer_usage(&p).reass, 0);
	sends_in_two(&p, 0, 2, ". 1:41(40) ack 1");	/* without a mark there is nothing to lose */
	ck_assert_verdict(&p, ACCEPT);
	peer_expects(&p, ". 1:1(0) ack 41");
}
END_TEST

Suite *suite(void)
{
	return peer_suite("RFC 3168 5.3, 6.1", (const TTest *[]){
		by_default_and_when_off_our_syn_does_not_ask, a_syn_that_asks_is_answered_with_ece_unless_ecn_is_off,
		a_syn_with_one_of_the_two_flags_or_none_does_not_ask, a_syn_ack_with_ece_alone_agrees,
		a_syn_ack_with_other_flags_does_not_agree, a_syn_that_timed_out_goes_again_without_asking,
		after_the_fallback_a_late_agreement_binds_the_receiver_only, a_peer_that_falls_back_is_answered_without_ece,
		a_plain_syn_that_came_too_late_for_an_answer_still_forbids_ect,
		a_syn_ack_goes_again_with_ece, a_syn_cookie_does_not_agree,
		syns_that_cross_agree, a_retransmission_carries_no_ect,
		segments_without_text_carry_no_ect, a_window_probe_carries_neither_ect_nor_cwr,
		the_programs_tos_keeps_its_six_bits, ce_is_echoed_in_every_ack_until_cwr,
		a_segment_with_cwr_and_ce_begins_a_new_echo, a_delayed_ack_tells_of_any_mark_that_it_covers,
		ce_out_of_the_window_or_without_text_is_ignored, ce_on_a_window_probe_counts,
		without_agreement_marks_and_flags_mean_nothing, ece_is_answered_as_a_loss_would_be,
		the_first_new_segment_after_a_reduction_says_cwr, one_window_is_reduced_once,
		the_next_window_is_reduced_again, an_ack_with_ece_opens_no_window, a_fast_retransmit_is_told_with_cwr,
		an_ack_with_ece_is_no_reason_for_slow_start_to_grow, a_reduction_that_is_taken_back_is_not_told,
		a_timeout_is_told_with_cwr_on_the_first_new_text, cwr_goes_with_one_segment_when_the_driver_cuts_frames_up,
		a_mark_on_any_fragment_reaches_tcp, a_mark_beside_a_fragment_that_was_not_capable_costs_the_datagram, NULL
	});
}
