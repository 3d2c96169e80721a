/* test_6675_sack_recovery.c: recovery with the SACK scoreboard (RFC 6675; RFC 2018 5 and 8): what goes again, what never does, how
 * much counts as in the network, and a receiver that drops what it has reported. Which segment is lost RACK says. */
#include "tests/support/flight.h"

/* As sacks(), for two runs of segments. */
static void sacks_two(struct peer *p, uint32_t una, const uint32_t run[4])
{
	char blocks[64];

	snprintf(blocks, sizeof blocks, "%u:%u %u:%u", END(run[0]), END(run[1]), END(run[2]), END(run[3]));
	acks_with(p, una, blocks, p->ts_last - p->ts_first);
}

/* RFC 6675 4, Pipe(); RFC 3042: what is SACKed is not in the network any more: as much that is new may leave. */
START_TEST(what_is_sacked_has_left_the_network)
{
	struct peer p = ten_in_flight(_i);

	peer_advance(&p, RTT);
	sacks(&p, 1, 2, 3);
	expects_segments(&p, 11, 1);
	sacks(&p, 1, 2, 4);
	expects_segments(&p, 12, 1);
	ck_cwnd(&p, 10);
	ck_assert_uint_eq(peer_info(&p).unacked, 12 * MSS);
}
END_TEST

/* RFC 6675 4, NextSeg(): the holes from below, each once, what is between them never; then new text. */
START_TEST(the_holes_go_again_from_below_and_nothing_else)
{
	struct peer p = ten_in_flight(_i);

	peer_advance(&p, RTT);
	sacks_two(&p, 1, (const uint32_t[]){8, 11, 3, 6});	/* 1, 2, 6, 7 are missing */
	for (const uint32_t *n = (const uint32_t[]){1, 2, 6, 7, 11, 0}; *n; n++)	/* ssthresh is five */
		peer_expects(&p, ". %u:%u(1460) ack 1", END(*n), END(*n + 1));
	peer_expects_nothing(&p);
	peer_advance(&p, RTT);
	sacks(&p, 6, 8, 11);
	expects_segments(&p, 12, 2);
	acks(&p, 11);
	peer_ignores_all(&p);
	ck_retransmissions(&p, 4);
}
END_TEST

/* RFC 6675 5: however many losses a window has, it is reduced once. */
START_TEST(many_losses_in_one_window_are_one_reduction)
{
	struct peer p = ten_in_flight(_i);

	peer_advance(&p, RTT);
	sacks_two(&p, 1, (const uint32_t[]){3, 5, 2, 2 + 1});
	peer_ignores_all(&p);
	ck_ssthresh(&p, 5);
	peer_advance(&p, 10 * TAPIR_MS);
	sacks_two(&p, 1, (const uint32_t[]){8, 11, 2, 5});
	peer_ignores_all(&p);
	ck_ssthresh(&p, 5);
	peer_advance(&p, RTT);
	acks(&p, 11);
	peer_ignores_all(&p);
	ck_ssthresh(&p, 5);
	ck_retransmissions(&p, 4);
}
END_TEST

/* RFC 6675 5: what is lost after the recovery point is another congestion. */
START_TEST(a_loss_in_the_next_window_is_another_reduction)
{
	struct peer p = ten_in_flight(_i);

	peer_advance(&p, RTT);
	sacks(&p, 1, 2, 11);
	peer_ignores_all(&p);
	ck_ssthresh(&p, 5);
	peer_advance(&p, RTT);
	acks(&p, 11);
	peer_ignores_all(&p);
	ck_ssthresh(&p, 5);
	acks(&p, 15);
	ck_assert_uint_gt(peer_ignores_all(&p), 3);
	peer_advance(&p, RTT);
	sacks(&p, 16, 17, 20);
	peer_expects(&p, ". %u:%u(1460) ack 1", END(16), END(17));
	peer_ignores_all(&p);
	ck_assert_uint_lt(peer_info(&p).snd_ssthresh, 5 * MSS);
}
END_TEST

/* RFC 2018 5: each ACK repeats what others have said: lost ones do no harm, and what is said twice counts once. */
START_TEST(lost_and_repeated_acks_do_no_harm)
{
	struct peer p = ten_in_flight(_i);

	peer_advance(&p, RTT);
	sacks(&p, 1, 2, 4);
	sacks(&p, 1, 2, 4);
	sacks(&p, 1, 2, 4);
	expects_segments(&p, 11, 2);
	sacks(&p, 1, 2, 11);
	peer_expects(&p, ". %u:%u(1460) ack 1", END(1), END(2));
	peer_ignores_all(&p);
	sacks(&p, 1, 2, 5);			/* an old one */
	peer_expects_nothing(&p);
	peer_advance(&p, RTT);
	acks(&p, 13);
	peer_ignores_all(&p);
	ck_retransmissions(&p, 1);
}
END_TEST

/* RFC 2018 4: blocks may end inside of what was one segment here. */
START_TEST(blocks_need_not_end_where_segments_do)
{
	struct peer p = ten_in_flight(_i);

	peer_advance(&p, RTT);
	peer_sends(&p, ". 1:1(0) ack %u <nop,nop,sack %u:%u>", END(1), END(2) - 700, END(6) + 100);
	peer_expects(&p, ". %u:%u(760) ack 1", END(1), END(2) - 700);
	peer_ignores_all(&p);
	acks(&p, 11);
	peer_ignores_all(&p);
	ck_retransmissions(&p, 1);
}
END_TEST

/* RFC 6675 5.1: a timeout forgets nothing that was SACKed: it is not sent again. */
START_TEST(after_a_timeout_what_was_sacked_is_not_sent_again)
{
	struct peer p = ten_in_flight(_i);

	peer_advance(&p, RTT);
	sacks(&p, 1, 3, 9);			/* 1 and 2 go again, and are lost again; 9 and 10, too */
	peer_expects(&p, ". %u:%u(1460) ack 1", END(1), END(2));
	peer_ignores_all(&p);
	peer_advance(&p, peer_info(&p).rto_us);
	peer_expects(&p, ". %u:%u(1460) ack 1", END(1), END(2));
	ck_assert_why(&p, "RFC 6298 5.4");
	peer_expects_nothing(&p);
	sacks(&p, 2, 3, 9);
	peer_expects(&p, ". %u:%u(1460) ack 1", END(2), END(3));
	peer_expects(&p, ". %u:%u(1460) ack 1", END(9), END(10));
	peer_expects_nothing(&p);
}
END_TEST

/* RFC 2018 8: a receiver may drop what it SACKed. When what lies at SND.UNA is said to be there and a timeout passes, it was
 * dropped: everything goes again. */
START_TEST(what_the_receiver_dropped_goes_again_after_a_timeout)
{
	struct peer p = ten_in_flight(_i);

	peer_advance(&p, RTT);
	sacks(&p, 1, 2, 11);
	peer_expects(&p, ". %u:%u(1460) ack 1", END(1), END(2));
	peer_ignores_all(&p);
	peer_advance(&p, RTT);
	acks(&p, 2);				/* it was short of memory: 2 to 10 are gone */
	peer_ignores_all(&p);
	peer_until_timer(&p);
	while (!peer_ignores_all(&p))
		peer_until_timer(&p);
	peer_advance(&p, 10 * TAPIR_SEC);
	peer_ignores_all(&p);
	acks(&p, 3);
	peer_expects(&p, ". %u:%u(1460) ack 1", END(3), END(4));
	peer_ignores_all(&p);
}
END_TEST

/* RFC 2018 5: a block for what was never sent, or was acknowledged, or is no block, says nothing. */
START_TEST(blocks_that_cannot_be_are_ignored)
{
	struct peer p = ten_in_flight(_i);

	peer_advance(&p, RTT);
	peer_sends(&p, ". 1:1(0) ack %u <nop,nop,sack %u:%u %u:%u %u:%u>",
		   END(1), END(11), END(12), END(3), END(2), END(9), END(20));
	ck_assert_verdict(&p, ACCEPT);
	peer_expects_nothing(&p);
	peer_sends(&p, ". 1:1(0) ack %u <nop,nop,sack %u:%u>", END(1), END(0), END(4));
	peer_expects_nothing(&p);
	acks(&p, 11);
	peer_ignores_all(&p);
	ck_retransmissions(&p, 0);
}
END_TEST

/* Nine hundred segments follow a hole, each SACKed alone: the scoreboard keeps up with them to the last. */
START_TEST(a_long_run_of_sacked_segments_is_followed_to_its_end)
{
	struct peer p;
	uint32_t n = 1;

	peer_config()->window_scale = true;
	peer_config()->sack = true;
	peer_config()->sndbuf = 2 << 20;
	peer_config()->initial_window = 900;
	p = listening(_i);
	peer_sends(&p, "S 0:0(0) <mss 1460,nop,wscale 7,nop,nop,sackOK>");
	peer_expects(&p, "S. 0:0(0) ack 1");
	peer_sends(&p, ". 1:1(0) ack 1");
	user_accepts(&p);
	user_sends(&p, 900 * MSS);
	ck_assert_uint_eq(peer_ignores_all(&p), 900);
	peer_advance(&p, TAPIR_MS);
	for (n = 2; n <= 900; n++)
		sacks(&p, 0, 1, n);
	peer_expects(&p, ". %u:%u(1460) ack 1", END(0), END(1));
	peer_expects_nothing(&p);
	peer_advance(&p, TAPIR_MS);
	acks(&p, 900);
	ck_assert_uint_eq(peer_info(&p).unacked, 0);
	ck_retransmissions(&p, 1);
}
END_TEST

/* RFC 6675 6: the timer that guards the first segment counts from when that went again. */
START_TEST(a_retransmission_of_the_first_segment_restarts_the_timer)
{
	struct peer p;
	usec_t rto;

	peer_config()->tlp = false;
	p = flying(_i, 10);
	peer_ignores_all(&p);
	rto = peer_info(&p).rto_us;
	peer_advance(&p, rto - 10 * TAPIR_MS);
	sacks(&p, 1, 2, 11);
	expects_segments(&p, 1, 1);
	peer_advance(&p, rto - 1);
	peer_expects_nothing(&p);
	peer_advance(&p, 1);
	expects_segments(&p, 1, 1);
	ck_assert_why(&p, "RFC 6298 5.4");
}
END_TEST

Suite *suite(void)
{
	return peer_suite("RFC 6675 SACK recovery", (const TTest *[]){
		what_is_sacked_has_left_the_network,
		the_holes_go_again_from_below_and_nothing_else,
		many_losses_in_one_window_are_one_reduction,
		a_loss_in_the_next_window_is_another_reduction,
		lost_and_repeated_acks_do_no_harm,
		blocks_need_not_end_where_segments_do,
		after_a_timeout_what_was_sacked_is_not_sent_again,
		what_the_receiver_dropped_goes_again_after_a_timeout,
		blocks_that_cannot_be_are_ignored,
		a_long_run_of_sacked_segments_is_followed_to_its_end,
		a_retransmission_of_the_first_segment_restarts_the_timer,
		NULL
	});
}
