/* test_3_2_options.c: the list of options of a TCP header (RFC 9293 3.1, 3.2). */
#include "tests/support/peer.h"

#define MSS_1000 "020403e8"

/* The send MSS of a connection whose SYN had these options: 1000 if the MSS option in them was found, 536 if not. */
static uint32_t mss_after_syn(int run, const char *options)
{
	struct peer p = listening(run);

	peer_sends(&p, "S 0:0(0) <%s>", options);
	ck_assert_verdict(&p, ACCEPT);
	peer_expects(&p, "S. 0:0(0) ack 1");
	peer_sends(&p, ". 1:1(0) ack 1");
	user_accepts(&p);
	return peer_info(&p).snd_mss;
}

/* Text with these options is taken. */
static void takes_text_with(struct peer *p, const char *options)
{
	uint32_t at = p->rcv_nxt ? p->rcv_nxt : 1;

	peer_sends(p, "P. %u:%u(10) ack 1 <%s>", at, at + 10, options);
	ck_assert_verdict(p, ACCEPT);
	peer_expects(p, ". 1:1(0) ack %u", at + 10);
	user_reads(p, 10);
}

/* Neither a SYN nor text with these options gets anywhere, and nothing but the segment is lost. */
static void drops(int run, const char *options)
{
	struct peer p = listening(run);

	peer_sends(&p, "S 0:0(0) <%s>", options);
	ck_assert_verdict(&p, DROP_TCP_OPTION);
	ck_assert_uint_eq(peer_usage(&p).conns, 0);
	peer_expects_nothing(&p);
	peer_opens(&p);
	user_accepts(&p);
	peer_sends(&p, "P. 1:11(10) ack 1 <%s>", options);
	ck_assert_verdict(&p, DROP_TCP_OPTION);
	peer_expects_nothing(&p);
	ck_assert_error(user_recv_result(&p), TAPIR_EAGAIN);
	ck_assert_state(&p, TAPIR_TCP_ESTABLISHED);
	takes_text_with(&p, "nop,nop,nop,nop");
}

/* RFC 9293 3.2 (MUST-4): the mandatory options: end of list, no-operation, MSS. What follows the end is not looked at. */
START_TEST(end_of_list_and_no_operation_are_understood)
{
	ck_assert_uint_eq(mss_after_syn(_i, "mss 1000"), 1000);
	ck_assert_uint_eq(mss_after_syn(_i, "nop,nop,nop,nop,mss 1000"), 1000);
	ck_assert_uint_eq(mss_after_syn(_i, "eol,eol,eol,eol,raw " MSS_1000), 536);
	ck_assert_uint_eq(mss_after_syn(_i, "eol,raw 020002000200ff"), 536);	/* what looks like broken options there */
}
END_TEST

/* RFC 9293 3.2 (MUST-64): an option may begin at any octet. */
START_TEST(options_are_found_at_every_alignment)
{
	ck_assert_uint_eq(mss_after_syn(_i, "nop,mss 1000,nop,nop,nop"), 1000);
	ck_assert_uint_eq(mss_after_syn(_i, "nop,nop,mss 1000,nop,nop"), 1000);
	ck_assert_uint_eq(mss_after_syn(_i, "nop,nop,nop,mss 1000,nop"), 1000);
}
END_TEST

/* RFC 9293 3.2: options may fill the header: 40 bytes, with the one that counts at the very end. */
START_TEST(a_header_full_of_options_is_read_to_its_end)
{
	ck_assert_uint_eq(mss_after_syn(_i,
			  "raw 01010101010101010101010101010101010101010101010101010101010101010101" "0101" MSS_1000),
			  1000);
}
END_TEST

/* RFC 9293 3.1 (MUST-6): options that are not known are passed over by their length: the ones behind them count. */
START_TEST(unknown_options_are_skipped)
{
	ck_assert_uint_eq(mss_after_syn(_i, "raw fe02,mss 1000"), 1000);
	ck_assert_uint_eq(mss_after_syn(_i, "raw fd04abcd,mss 1000"), 1000);
	ck_assert_uint_eq(mss_after_syn(_i, "raw 220a0001020304050607,mss 1000"), 1000);	/* Fast Open (RFC 7413 4.1.1) */
	ck_assert_uint_eq(mss_after_syn(_i, "raw 1e0c000102030405060708ff,mss 1000"), 1000);	/* Multipath (RFC 8684 3.1) */
}
END_TEST

/* RFC 9293 3.2 (MUST-5): an option may be in any segment: text, ACK, FIN; those that count on a SYN only are passed over. */
START_TEST(any_segment_may_have_options)
{
	struct peer p = established(_i);

	takes_text_with(&p, "raw fd04abcd");
	takes_text_with(&p, "mss 100");
	takes_text_with(&p, "sackOK,nop,wscale 3");
	takes_text_with(&p, "nop,nop,TS val 1 ecr 0");
	ck_assert_uint_eq(peer_info(&p).snd_mss, 1460);
	ck_assert(!peer_info(&p).sack && !peer_info(&p).timestamps);
	peer_sends(&p, "F. 41:41(0) ack 1 <raw fd04abcd>");
	ck_assert_state(&p, TAPIR_TCP_CLOSE_WAIT);
	peer_expects(&p, ". 1:1(0) ack 42");
}
END_TEST

/* RFC 9293 3.1 (MUST-7): a length that cannot be: zero, one, past the header, missing: the segment is dropped, with a name for
 * it, and the connection lives on. */
START_TEST(an_illegal_length_drops_the_segment)
{
	static const char *const lists[] = {
		"raw 02000000",		/* a walk that believed it would never end */
		"raw fd000000", "raw 02010000", "raw fd010000",
		"raw 0101fd05", "raw fdff0000", "raw 080a0000",	/* past the header */
		"raw 010101fd",		/* no length at all */
		"raw 01010102",
	};

	for (size_t i = 0; i < sizeof lists / sizeof lists[0]; i++)
		drops(_i, lists[i]);
}
END_TEST

/* RFC 9293 3.1 (MUST-7): the same with an option before it that was good: nothing of a broken list counts. */
START_TEST(nothing_of_a_broken_list_counts)
{
	drops(_i, "mss 1000,raw fd00,nop,nop");
}
END_TEST

/* RFC 9293 3.1 (MUST-7): a known option whose length is legal, but not its own, is passed over as one that is not known. */
START_TEST(a_known_option_of_another_length_is_skipped)
{
	ck_assert_uint_eq(mss_after_syn(_i, "raw 020303,mss 1000"), 1000);
	ck_assert_uint_eq(mss_after_syn(_i, "mss 1000,raw 0205010000"), 1000);
	peer_config()->window_scale = peer_config()->timestamps = peer_config()->sack = true;
	struct peer p = listening(_i);

	peer_sends(&p, "S 0:0(0) <raw 030204040000080900000000000000,mss 1000>");	/* scale of 2, SACK of 4, timestamps of 9 */
	peer_expects(&p, "S. 0:0(0) ack 1 <mss 1460>");
	ck_assert_uint_eq(peer_usage(&p).conns, 1);
}
END_TEST

/* RFC 9293 3.1 (MUST-68, MUST-69): what the stack sends is well formed: the header ends where its options end, padded with
 * zeros or no-operations to a multiple of four. */
START_TEST(our_own_options_are_well_formed)
{
	peer_config()->window_scale = peer_config()->timestamps = peer_config()->sack = true;
	struct peer p = syn_sent(_i);
	struct span frame = peer_last_frame();
	size_t end = 20 + (size_t)(frame.p[32] >> 4) * 4, at = 40;

	ck_assert_uint_eq(frame.n, end);
	while (at < end && frame.p[at] != 0) {
		if (frame.p[at] == 1) {
			at++;
			continue;
		}
		ck_assert_uint_lt(at + 1, end);
		ck_assert_uint_ge(frame.p[at + 1], 2);
		at += frame.p[at + 1];
		ck_assert_uint_le(at, end);
	}
	for (; at < end; at++)
		ck_assert_uint_eq(frame.p[at], 0);
	ck_assert_state(&p, TAPIR_TCP_SYN_SENT);
}
END_TEST

Suite *suite(void)
{
	return peer_suite("RFC 9293 3.2 options", (const TTest *[]){
		end_of_list_and_no_operation_are_understood,
		options_are_found_at_every_alignment,
		a_header_full_of_options_is_read_to_its_end,
		unknown_options_are_skipped,
		any_segment_may_have_options,
		an_illegal_length_drops_the_segment,
		nothing_of_a_broken_list_counts,
		a_known_option_of_another_length_is_skipped,
		our_own_options_are_well_formed,
		NULL
	});
}
