/* test_3_8_6_3_acks.c: when an acknowledgment is sent (RFC 9293 3.8.6.3, RFC 5681 4.2): delayed, with text, or at once. */
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

static struct peer delaying(int run)
{
	peer_config()->delack_us = 40 * TAPIR_MS;
	peer_config()->quickacks = 0;
	return established(run);
}

/* RFC 9293 3.8.6.3 (SHLD-18, MUST-40): one segment is acknowledged after a while, less than half a second. */
START_TEST(an_ack_is_delayed)
{
	struct peer p = delaying(_i);

	peer_sends(&p, "P. 1:11(10) ack 1");
	sends_after(&p, 40 * TAPIR_MS, ". 1:1(0) ack 11");
	ck_assert_why(&p, "RFC 9293 3.8.6.3");
	peer_advance(&p, TAPIR_SEC);
	peer_expects_nothing(&p);
}
END_TEST

/* RFC 9293 3.8.6.3 (MUST-40): the delay counts from the first segment that waits, not from the last. */
START_TEST(the_delay_counts_from_the_first_segment)
{
	struct peer p = delaying(_i);

	peer_sends(&p, "P. 1:11(10) ack 1");
	peer_advance(&p, 30 * TAPIR_MS);
	peer_sends(&p, "P. 11:21(10) ack 1");
	sends_after(&p, 10 * TAPIR_MS, ". 1:1(0) ack 21");
}
END_TEST

/* RFC 9293 3.8.6.3 (MUST-40): a delay of half a second is no possible configuration. */
START_TEST(a_delay_of_half_a_second_is_refused)
{
	struct tapir_config config = *peer_config();

	config.delack_us = 500 * TAPIR_MS - 1;
	ck_assert_uint_gt(tapir_size(&config), 0);
	config.delack_us = 500 * TAPIR_MS;
	ck_assert_uint_eq(tapir_size(&config), 0);
	ck_assert_int_ge(_i, 0);
}
END_TEST

/* RFC 9293 3.8.6.3 (SHLD-19): at least every second full-sized segment. */
START_TEST(every_second_full_sized_segment_is_acknowledged_at_once)
{
	struct peer p = delaying(_i);

	for (uint32_t at = 1; at < 10 * MSS; at += 2 * MSS) {
		peer_sends(&p, ". %u:%u(1460) ack 1", at, at + MSS);
		peer_expects_nothing(&p);
		peer_sends(&p, ". %u:%u(1460) ack 1", at + MSS, at + 2 * MSS);
		peer_expects(&p, ". 1:1(0) ack %u", at + 2 * MSS);
	}
	peer_advance(&p, TAPIR_SEC);
	peer_expects_nothing(&p);
}
END_TEST

/* RFC 9293 3.10.7.4 (MUST-58): an ACK rides on text that leaves before its time is up. */
START_TEST(a_delayed_ack_rides_on_text)
{
	struct peer p = delaying(_i);

	peer_sends(&p, "P. 1:11(10) ack 1");
	peer_advance(&p, 10 * TAPIR_MS);
	user_sends(&p, 5);
	peer_expects(&p, "P. 1:6(5) ack 11");
	peer_sends(&p, ". 11:11(0) ack 6");
	peer_advance(&p, TAPIR_SEC);
	peer_expects_nothing(&p);
}
END_TEST

/* RFC 9293 3.10.7.4 (MUST-59): segments that came together are all processed before one ACK leaves for them. */
START_TEST(segments_that_came_together_get_one_ack)
{
	struct peer p = established(_i);

	for (uint32_t at = 1; at < 101; at += 10)
		peer_sends(&p, ". %u:%u(10) ack 1", at, at + 10);
	peer_expects(&p, ". 1:1(0) ack 101");
	peer_expects_nothing(&p);
}
END_TEST

/* RFC 5681 4.2: out-of-order text, text that fills a hole, and a FIN are acknowledged at once. */
START_TEST(what_the_sender_waits_for_is_acknowledged_at_once)
{
	struct peer p = delaying(_i);

	peer_sends(&p, ". 11:21(10) ack 1");
	peer_expects(&p, ". 1:1(0) ack 1");
	peer_sends(&p, ". 31:41(10) ack 1");
	peer_expects(&p, ". 1:1(0) ack 1");
	peer_sends(&p, ". 1:11(10) ack 1");
	peer_expects(&p, ". 1:1(0) ack 21");
	peer_sends(&p, ". 21:31(10) ack 1");
	peer_expects(&p, ". 1:1(0) ack 41");
	peer_sends(&p, "F. 41:41(0) ack 1");
	peer_expects(&p, ". 1:1(0) ack 42");
}
END_TEST

/* RFC 5681 4.2: one duplicate ACK for each segment out of order, also when several came together: the peer counts them. */
START_TEST(each_out_of_order_segment_gets_its_own_duplicate_ack)
{
	struct peer p = delaying(_i);

	for (uint32_t at = 11; at < 51; at += 10)
		peer_sends(&p, ". %u:%u(10) ack 1", at, at + 10);
	for (int i = 0; i < 4; i++)
		peer_expects(&p, ". 1:1(0) ack 1");
	peer_expects_nothing(&p);
}
END_TEST

/* RFC 9293 3.8.6.3: the first segments of a connection are acknowledged at once, so that slow start is not slower still; how
 * many is a setting. */
START_TEST(the_first_segments_are_acknowledged_at_once)
{
	peer_config()->delack_us = 40 * TAPIR_MS;
	peer_config()->quickacks = 3;
	struct peer p = established(_i);

	for (uint32_t at = 1; at < 31; at += 10) {
		peer_sends(&p, "P. %u:%u(10) ack 1", at, at + 10);
		peer_expects(&p, ". 1:1(0) ack %u", at + 10);
	}
	peer_sends(&p, "P. 31:41(10) ack 1");
	sends_after(&p, 40 * TAPIR_MS, ". 1:1(0) ack 41");
}
END_TEST

Suite *suite(void)
{
	return peer_suite("RFC 9293 3.8.6.3 acknowledgments", (const TTest *[]){
		an_ack_is_delayed,
		the_delay_counts_from_the_first_segment,
		a_delay_of_half_a_second_is_refused,
		every_second_full_sized_segment_is_acknowledged_at_once,
		a_delayed_ack_rides_on_text,
		segments_that_came_together_get_one_ack,
		what_the_sender_waits_for_is_acknowledged_at_once,
		each_out_of_order_segment_gets_its_own_duplicate_ack,
		the_first_segments_are_acknowledged_at_once,
		NULL
	});
}
