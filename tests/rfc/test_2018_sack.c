/* test_2018_sack.c: selective acknowledgments that the stack sends (RFC 2018). Lines of the stack show their blocks. */
#include "tests/support/peer.h"

/* Without what RFC 2883 4 adds for duplicates (test_2883_dsack.c). */
static struct peer with_sack(int run)
{
	peer_config()->sack = true;
	peer_config()->dsack = false;
	return established(run);
}

/* Ten bytes of text from the peer at `at`. */
static void sends_text(struct peer *p, uint32_t at)
{
	peer_sends(p, ". %u:%u(10) ack 1", at, at + 10);
	ck_assert_verdict(p, ACCEPT);
}

/* RFC 2018 2: permitted by an option of both SYNs. */
START_TEST(both_syns_permit_sack)
{
	peer_config()->sack = true;
	struct peer p = closed(_i);

	user_connects(&p);
	peer_expects(&p, "S 0:0(0) win 65535 <mss 1460,sackOK>");
	peer_sends(&p, "S. 0:0(0) ack 1 <mss 1460,sackOK>");
	peer_expects(&p, ". 1:1(0) ack 1 win 65535 <>");
	ck_assert(peer_info(&p).sack);

	p = listening(_i);
	peer_sends(&p, "S 0:0(0) <mss 1460,sackOK>");
	peer_expects(&p, "S. 0:0(0) ack 1 win 65535 <mss 1460,sackOK>");
	peer_sends(&p, ". 1:1(0) ack 1");
	user_accepts(&p);
	ck_assert(peer_info(&p).sack);
}
END_TEST

/* RFC 2018 2, 3: without the peer's permission no block is ever sent; and without ours the option is not in the SYN-ACK. */
START_TEST(without_permission_no_block_is_sent)
{
	peer_config()->sack = true;
	struct peer p = syn_sent(_i);

	peer_sends(&p, "S. 0:0(0) ack 1 <mss 1460>");
	peer_expects(&p, ". 1:1(0) ack 1");
	ck_assert(!peer_info(&p).sack);
	sends_text(&p, 11);
	peer_expects(&p, ". 1:1(0) ack 1 win 65535 <>");

	peer_config()->sack = false;
	p = listening(_i);
	peer_sends(&p, "S 0:0(0) <mss 1460,sackOK>");
	peer_expects(&p, "S. 0:0(0) ack 1 win 65535 <mss 1460>");
	peer_sends(&p, ". 1:1(0) ack 1");
	user_accepts(&p);
	sends_text(&p, 11);
	peer_expects(&p, ". 1:1(0) ack 1 win 65535 <>");
}
END_TEST

/* RFC 2018 3: a block's edges: the first octet of the run, and the one after its last. In order, there are none. */
START_TEST(a_block_describes_text_beyond_a_hole)
{
	struct peer p = with_sack(_i);

	sends_text(&p, 1);
	peer_expects(&p, ". 1:1(0) ack 11 win 65525 <>");
	sends_text(&p, 21);
	peer_expects(&p, ". 1:1(0) ack 11 win 65525 <sack 21:31>");
	sends_text(&p, 11);
	peer_expects(&p, ". 1:1(0) ack 31 win 65505 <>");
	user_reads(&p, 30);
}
END_TEST

/* RFC 2018 4: the first block holds the segment that triggered the ACK; then those most recently reported. */
START_TEST(the_first_block_holds_what_arrived_last)
{
	struct peer p = with_sack(_i);

	sends_text(&p, 21);
	peer_expects(&p, ". 1:1(0) ack 1 win 65535 <sack 21:31>");
	sends_text(&p, 61);
	peer_expects(&p, ". 1:1(0) ack 1 win 65535 <sack 61:71 21:31>");
	sends_text(&p, 41);
	peer_expects(&p, ". 1:1(0) ack 1 win 65535 <sack 41:51 61:71 21:31>");
	sends_text(&p, 31);					/* joins two */
	peer_expects(&p, ". 1:1(0) ack 1 win 65535 <sack 21:51 61:71>");
	sends_text(&p, 71);					/* grows one */
	peer_expects(&p, ". 1:1(0) ack 1 win 65535 <sack 61:81 21:51>");
	sends_text(&p, 51);
	peer_expects(&p, ". 1:1(0) ack 1 win 65535 <sack 21:81>");
	sends_text(&p, 11);
	peer_expects(&p, ". 1:1(0) ack 1 win 65535 <sack 11:81>");
	sends_text(&p, 1);
	peer_expects(&p, ". 1:1(0) ack 81 win 65455 <>");
	user_reads(&p, 80);
}
END_TEST

/* RFC 2018 3: as many as the header has room for: four. The others are told when something else arrives for them. */
START_TEST(there_are_four_blocks_at_most)
{
	struct peer p = with_sack(_i);

	for (uint32_t at = 11; at < 111; at += 20)
		sends_text(&p, at);
	for (int i = 0; i < 5; i++)	/* one for each, all the same as they came together */
		peer_expects(&p, ". 1:1(0) ack 1 win 65535 <sack 91:101 71:81 51:61 31:41>");
	sends_text(&p, 11);
	peer_expects(&p, ". 1:1(0) ack 1 win 65535 <sack 11:21 91:101 71:81 51:61>");
}
END_TEST

/* RFC 2018 3: three beside timestamps. */
START_TEST(there_are_three_blocks_at_most_with_timestamps)
{
	peer_config()->timestamps = true;
	struct peer p = with_sack(_i);

	for (uint32_t at = 11; at < 91; at += 20) {
		sends_text(&p, at);
		if (at < 71)
			peer_ignores_all(&p);
	}
	peer_expects(&p, ". 1:1(0) ack 1 win 65535 <TS val * ecr 100,sack 71:81 51:61 31:41>");
	ck_assert_uint_eq(peer_last_frame().n, 20 + 20 + 12 + 4 + 3 * 8);
}
END_TEST

/* RFC 2018 4: a duplicate of text that is held: its block comes first again. */
START_TEST(a_duplicate_brings_its_block_to_the_front)
{
	struct peer p = with_sack(_i);

	sends_text(&p, 11);
	sends_text(&p, 31);
	peer_ignores_all(&p);
	sends_text(&p, 11);
	peer_expects(&p, ". 1:1(0) ack 1 win 65535 <sack 11:21 31:41>");
	ck_assert_uint_eq(peer_usage(&p).small_frames, 2);
}
END_TEST

/* RFC 2018 4: segments that overlap what is held: one block for all of it, and the text that came first stays. */
START_TEST(overlapping_segments_make_one_block)
{
	struct peer p = with_sack(_i);

	sends_text(&p, 21);
	peer_ignores_all(&p);
	peer_sends(&p, ". 15:25(10) ack 1");
	peer_expects(&p, ". 1:1(0) ack 1 win 65535 <sack 15:31>");
	peer_sends(&p, ". 25:35(10) ack 1");
	peer_expects(&p, ". 1:1(0) ack 1 win 65535 <sack 15:35>");
	peer_sends(&p, ". 11:51(40) ack 1");
	peer_expects(&p, ". 1:1(0) ack 1 win 65535 <sack 11:51>");
	peer_sends(&p, ". 1:13(12) ack 1");
	peer_expects(&p, ". 1:1(0) ack 51 win 65485 <>");
	user_reads(&p, 50);
}
END_TEST

/* RFC 2018 4: as long as there is a hole every segment that acknowledges has blocks: text of ours, a FIN. */
START_TEST(every_segment_has_the_blocks_while_there_is_a_hole)
{
	struct peer p = with_sack(_i);

	sends_text(&p, 11);
	peer_expects(&p, ". 1:1(0) ack 1 win 65535 <sack 11:21>");
	user_sends(&p, 10);
	peer_expects(&p, "P. 1:11(10) ack 1 win 65535 <sack 11:21>");
	user_shuts_down(&p);
	peer_expects(&p, "F. 11:11(0) ack 1 win 65535 <sack 11:21>");
}
END_TEST

/* RFC 2018 4: text that only moves the first hole leaves the blocks behind it. */
START_TEST(a_filled_hole_leaves_the_blocks_behind_the_next)
{
	struct peer p = with_sack(_i);

	sends_text(&p, 11);
	sends_text(&p, 31);
	peer_ignores_all(&p);
	sends_text(&p, 1);
	peer_expects(&p, ". 1:1(0) ack 21 win 65515 <sack 31:41>");
	sends_text(&p, 21);
	peer_expects(&p, ". 1:1(0) ack 41 win 65495 <>");
}
END_TEST

/* RFC 2018 8: what was reported is kept until it can be delivered: this stack never renegotes. */
START_TEST(what_a_block_reported_is_never_thrown_away)
{
	struct peer p = with_sack(_i);

	for (uint32_t at = 11; at < 2011; at += 20)
		sends_text(&p, at);
	peer_ignores_all(&p);
	peer_advance(&p, 600 * TAPIR_SEC);
	for (uint32_t at = 1; at < 2001; at += 20)
		sends_text(&p, at);
	peer_ignores_all(&p);
	user_reads(&p, 2000);
}
END_TEST

/* RFC 2018 3: a FIN beyond a hole is no text: it is in no block; but it is not lost. */
START_TEST(a_fin_beyond_a_hole_is_in_no_block)
{
	struct peer p = with_sack(_i);

	peer_sends(&p, "F. 11:21(10) ack 1");
	peer_expects(&p, ". 1:1(0) ack 1 win 65535 <sack 11:21>");
	sends_text(&p, 1);
	peer_expects(&p, ". 1:1(0) ack 22 win * <>");
	ck_assert_state(&p, TAPIR_TCP_CLOSE_WAIT);
	user_reads(&p, 20);
	user_reads_end(&p);
}
END_TEST

/* RFC 2018 5: blocks that the peer sends are advice: nonsense in them does no harm. */
START_TEST(nonsense_in_the_peers_blocks_does_no_harm)
{
	struct peer p = with_sack(_i);

	user_sends(&p, 2920);
	peer_ignores_all(&p);
	peer_sends(&p, ". 1:1(0) ack 1 <nop,nop,sack 1461:2921>");
	peer_sends(&p, ". 1:1(0) ack 1 <nop,nop,sack 5:1 100000:200000 -50:-20 7:7>");
	ck_assert_verdict(&p, ACCEPT);
	peer_sends(&p, ". 1:1(0) ack 2921 <nop,nop,sack 1:2921>");
	ck_assert_uint_eq(peer_info(&p).unacked, 0);
}
END_TEST

Suite *suite(void)
{
	return peer_suite("RFC 2018 SACK", (const TTest *[]){
		both_syns_permit_sack,
		without_permission_no_block_is_sent,
		a_block_describes_text_beyond_a_hole,
		the_first_block_holds_what_arrived_last,
		there_are_four_blocks_at_most,
		there_are_three_blocks_at_most_with_timestamps,
		a_duplicate_brings_its_block_to_the_front,
		overlapping_segments_make_one_block,
		every_segment_has_the_blocks_while_there_is_a_hole,
		a_filled_hole_leaves_the_blocks_behind_the_next,
		what_a_block_reported_is_never_thrown_away,
		a_fin_beyond_a_hole_is_in_no_block,
		nonsense_in_the_peers_blocks_does_no_harm,
		NULL
	});
}
