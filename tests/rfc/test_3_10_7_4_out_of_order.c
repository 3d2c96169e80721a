/* test_3_10_7_4_out_of_order.c: text and FINs that do not arrive in order (RFC 9293 3.10.7.4 seventh, eighth; RFC 2018 8):
 * what is kept, for how long, and what it may cost. */
#include "tests/support/peer.h"

/* The states that take text: what the peer acknowledges there, where our numbers stand, where the peer's FIN leads. */
static const struct { enum tapir_tcp_state state; uint32_t acked, ours; enum tapir_tcp_state after_fin; } receiving[] = {
	{TAPIR_TCP_ESTABLISHED, 1, 1, TAPIR_TCP_CLOSE_WAIT}, {TAPIR_TCP_FIN_WAIT_1, 1, 2, TAPIR_TCP_CLOSING},
	{TAPIR_TCP_FIN_WAIT_2, 2, 2, TAPIR_TCP_TIME_WAIT}
};
#define RECEIVING (sizeof receiving / sizeof receiving[0])

/* ---- text -------------------------------------------------------------------------------------------------------- */

/* RFC 9293 3.10.7.4 seventh (SHLD-31, MAY-13): ESTABLISHED, FIN-WAIT-1, FIN-WAIT-2: text beyond a hole is kept, each such
 * segment draws an ACK of RCV.NXT, and all of it is delivered when the hole is filled. */
START_TEST(text_beyond_a_hole_is_kept)
{
	for (size_t i = 0; i < RECEIVING; i++) {
		struct peer p = peer_in(receiving[i].state, _i);
		uint32_t ours = receiving[i].ours, acked = receiving[i].acked;

		peer_sends(&p, "P. 201:301(100) ack %u", acked);
		peer_sends(&p, "P. 101:201(100) ack %u", acked);
		peer_sends(&p, "P. 401:501(100) ack %u", acked);
		for (int k = 0; k < 3; k++)
			peer_expects(&p, ". %u:%u(0) ack 1 win 65535", ours, ours);
		ck_assert_error(user_recv_result(&p), TAPIR_EAGAIN);
		peer_sends(&p, "P. 1:101(100) ack %u", acked);
		peer_expects(&p, ". %u:%u(0) ack 301 win 65235", ours, ours);
		user_reads(&p, 300);
		peer_sends(&p, "P. 301:401(100) ack %u", acked);
		peer_expects(&p, ". %u:%u(0) ack 501", ours, ours);
		user_reads(&p, 200);
		peer_expects_nothing(&p);
	}
}
END_TEST

/* RFC 9293 3.10.7.4 seventh: ESTABLISHED: pieces may overlap each other, and what fills the hole may overlap them: each byte
 * is delivered once. */
START_TEST(text_that_overlaps_is_delivered_once)
{
	struct peer p = established(_i);

	peer_sends(&p, ". 101:201(100) ack 1");
	peer_sends(&p, ". 151:251(100) ack 1");		/* at the end of what is there */
	peer_sends(&p, ". 51:151(100) ack 1");		/* at its beginning */
	peer_sends(&p, ". 61:71(10) ack 1");		/* within */
	peer_sends(&p, ". 301:311(10) ack 1");
	peer_sends(&p, ". 31:401(370) ack 1");		/* over all of it */
	peer_sends(&p, ". 1:101(100) ack 1");		/* fills the hole, and more */
	peer_ignores_all(&p);
	ck_assert_uint_eq(p.rcv_nxt, 401);
	user_reads(&p, 400);
}
END_TEST

/* RFC 9293 3.10.7.4 seventh: ESTABLISHED: the same out-of-order text again is acknowledged again (RFC 5681 4.2) and costs
 * nothing more. */
START_TEST(the_same_text_beyond_a_hole_again_is_not_kept_twice)
{
	struct peer p = established(_i);
	uint32_t held;

	peer_sends(&p, ". 101:201(100) ack 1");
	peer_expects(&p, ". 1:1(0) ack 1");
	held = peer_usage(&p).small_frames;
	for (int k = 0; k < 10; k++) {
		peer_sends(&p, ". 101:201(100) ack 1");
		peer_expects(&p, ". 1:1(0) ack 1");
	}
	ck_assert_uint_eq(peer_usage(&p).small_frames, held);
}
END_TEST

/* RFC 9293 3.10.7.4 seventh: ESTABLISHED: how many pieces a connection may leave is bounded; text in order is always taken,
 * and what was not kept comes again. */
START_TEST(too_many_holes_are_refused_and_the_text_still_arrives)
{
	struct peer p = established(_i);
	uint32_t kept = 0;

	for (uint32_t at = 3; at < 1003; at += 2) {
		peer_sends(&p, ". %u:%u(1) ack 1", at, at + 1);
		kept += p.verdict == ACCEPT;
	}
	ck_assert_verdict(&p, DROP_TCP_REASS_LIMIT);
	ck_assert_uint_gt(kept, 100);
	ck_assert_uint_lt(kept, 500);
	peer_ignores_all(&p);
	ck_assert_uint_eq(p.rcv_nxt, 1);
	peer_sends(&p, ". 1:1003(1002) ack 1");
	peer_expects(&p, ". 1:1(0) ack 1003");
	user_reads(&p, 1002);
}
END_TEST

/* ---- memory ------------------------------------------------------------------------------------------------------ */

/* A connection whose peer has sent text from `at` on, n bytes a segment, until a stack with few buffers has none left. With
 * segments beyond the MTU, as a driver with offload hands them in, those are the large ones. */
static struct peer fills_memory(int run, uint32_t at, uint32_t n)
{
	struct peer p;

	peer_config()->small_frames = 16;
	peer_config()->large_frames = 4;
	peer_config()->offload.tso4 = n > 1460;
	peer_config()->rcvbuf = 1 << 20;
	peer_config()->window_scale = true;
	p = established(run);
	peer_sends(&p, ". 0:0(0) ack 1");		/* draws an ACK with the whole window */
	for (int k = 0; k < 400; k++) {
		peer_sends(&p, ". %u:%u(%u) ack 1", at, at + n, n);
		if (p.verdict != ACCEPT)
			break;
		at += n;
		peer_ignores_all(&p);
	}
	ck_assert_verdict(&p, DROP_NO_MEMORY);
	peer_ignores_all(&p);
	return p;
}

static const uint32_t segment_sizes[] = {1460, 40000};

/* RFC 9293 3.10.7.4 seventh: ESTABLISHED: text for which there is no memory is not acknowledged; unread text of one connection
 * leaves buffers in which the segments of others arrive. */
START_TEST(text_without_memory_is_not_acknowledged_and_others_are_served)
{
	for (size_t i = 0; i < 2; i++) {
		struct peer p = fills_memory(_i, 1, segment_sizes[i]), other = another_peer(&p, PEER_PORT + 1);
		uint32_t had = p.rcv_nxt;

		peer_opens(&other);
		peer_sends(&p, ". %u:%u(1460) ack 1", had, had + 1460);
		peer_expects(&p, ". 1:1(0) ack *");
		ck_assert_uint_lt(p.rcv_nxt, had + 1460);
		user_reads(&p, p.rcv_nxt - 1);
		peer_ignores_all(&p);
		had = p.rcv_nxt;
		peer_sends(&p, "P. %u:%u(1000) ack 1", had, had + 1000);
		ck_assert_verdict(&p, ACCEPT);
		peer_expects(&p, ". 1:1(0) ack %u", had + 1000);
		user_reads(&p, 1000);
	}
}
END_TEST

/* RFC 9293 3.10.7.4 seventh: ESTABLISHED: kept text gives way to text in order when memory is short (RFC 2018 8 allows the
 * receiver to discard what it has reported): the connection goes on. */
START_TEST(text_beyond_a_hole_gives_way_to_text_in_order)
{
	for (size_t i = 0; i < 2; i++) {
		struct peer p = fills_memory(_i, 1461, segment_sizes[i]);

		ck_assert_uint_eq(p.rcv_nxt, 1);
		for (uint32_t at = 1; at < 1 + 5 * 1460; at += 1460) {
			peer_sends(&p, ". %u:%u(1460) ack 1", at, at + 1460);
			ck_assert_verdict(&p, ACCEPT);
			peer_ignores_all(&p);
			ck_assert_uint_ge(p.rcv_nxt, at + 1460);
			user_reads(&p, peer_info(&p).unread);
		}
		peer_ignores_all(&p);
	}
}
END_TEST

/* ---- FINs -------------------------------------------------------------------------------------------------------- */

static void told_the_end(struct peer *p)
{
	ck_assert_int_eq(tapir_poll(p->t, p->sd) & (TAPIR_POLLIN | TAPIR_POLLRDHUP), TAPIR_POLLIN | TAPIR_POLLRDHUP);
	user_reads_end(p);
}

/* RFC 9293 3.10.7.4 eighth: ESTABLISHED, FIN-WAIT-1, FIN-WAIT-2: a FIN that overtook text is kept, and counts when all text
 * before it is there. */
START_TEST(a_fin_before_its_text_counts_when_the_text_is_there)
{
	for (size_t i = 0; i < RECEIVING; i++) {
		struct peer p = peer_in(receiving[i].state, _i);
		uint32_t ours = receiving[i].ours, acked = receiving[i].acked;

		peer_sends(&p, "F. 21:21(0) ack %u", acked);
		peer_expects(&p, ". %u:%u(0) ack 1", ours, ours);
		peer_sends(&p, "P. 11:21(10) ack %u", acked);
		peer_expects(&p, ". %u:%u(0) ack 1", ours, ours);
		ck_assert_state(&p, receiving[i].state);
		ck_assert_error(user_recv_result(&p), TAPIR_EAGAIN);
		peer_sends(&p, "P. 1:11(10) ack %u", acked);
		peer_expects(&p, ". %u:%u(0) ack 22", ours, ours);
		peer_expects_nothing(&p);
		ck_assert_state(&p, receiving[i].after_fin);
		user_reads(&p, 20);
		told_the_end(&p);
	}
}
END_TEST

/* RFC 9293 3.10.7.4 eighth: ESTABLISHED: text with the FIN, of which a part is old. */
START_TEST(a_fin_of_a_segment_that_is_partly_old_counts)
{
	struct peer p = established(_i);

	peer_sends(&p, "P. 1:11(10) ack 1");
	peer_expects(&p, ". 1:1(0) ack 11");
	peer_sends(&p, "FP. 1:21(20) ack 1");
	peer_expects(&p, ". 1:1(0) ack 22");
	user_reads(&p, 20);
	told_the_end(&p);
	ck_assert_state(&p, TAPIR_TCP_CLOSE_WAIT);
}
END_TEST

/* RFC 9293 3.10.7.4 eighth, first: ESTABLISHED: a FIN beyond the window is cut off with the text that did not fit, and none
 * fits a window of zero. It counts when it is sent again into an open window. */
START_TEST(a_fin_beyond_the_window_does_not_count)
{
	struct peer p;

	peer_config()->rcvbuf = 2000;
	p = established(_i);
	peer_sends(&p, ". 1:1001(1000) ack 1");
	peer_expects(&p, ". 1:1(0) ack 1001");
	peer_sends(&p, "FP. 1001:2011(1010) ack 1");
	peer_expects(&p, ". 1:1(0) ack 2001 win 0");
	peer_sends(&p, "F. 2001:2001(0) ack 1");
	peer_expects(&p, ". 1:1(0) ack 2001 win 0");
	ck_assert_state(&p, TAPIR_TCP_ESTABLISHED);
	user_reads(&p, 2000);
	peer_expects(&p, ". 1:1(0) ack 2001 win 2000");
	peer_sends(&p, "FP. 2001:2011(10) ack 1");
	peer_expects(&p, ". 1:1(0) ack 2012");
	ck_assert_state(&p, TAPIR_TCP_CLOSE_WAIT);
	user_reads(&p, 10);
	told_the_end(&p);
}
END_TEST

/* RFC 9293 3.10.7.4 eighth: ESTABLISHED, FIN-WAIT-1, FIN-WAIT-2: text beyond the FIN, which cannot be, is thrown away when the
 * FIN counts. */
START_TEST(a_fin_throws_away_text_beyond_it)
{
	for (size_t i = 0; i < RECEIVING; i++) {
		struct peer p = peer_in(receiving[i].state, _i);
		uint32_t acked = receiving[i].acked;

		peer_sends(&p, ". 12:22(10) ack %u", acked);
		peer_sends(&p, ". 50:60(10) ack %u", acked);
		peer_sends(&p, "F. 11:11(0) ack %u", acked);
		ck_assert_uint_gt(peer_usage(&p).small_frames, 0);
		peer_sends(&p, "P. 1:11(10) ack %u", acked);
		ck_assert_state(&p, receiving[i].after_fin);
		peer_ignores_all(&p);
		ck_assert_uint_eq(p.rcv_nxt, 12);
		user_reads(&p, 10);
		told_the_end(&p);
		ck_assert_uint_eq(peer_usage(&p).small_frames, 0);
	}
}
END_TEST

Suite *suite(void)
{
	return peer_suite("RFC 9293 3.10.7.4 out of order", (const TTest *[]){
		text_beyond_a_hole_is_kept,
		text_that_overlaps_is_delivered_once,
		the_same_text_beyond_a_hole_again_is_not_kept_twice,
		too_many_holes_are_refused_and_the_text_still_arrives,
		text_without_memory_is_not_acknowledged_and_others_are_served,
		text_beyond_a_hole_gives_way_to_text_in_order,
		a_fin_before_its_text_counts_when_the_text_is_there,
		a_fin_of_a_segment_that_is_partly_old_counts,
		a_fin_beyond_the_window_does_not_count,
		a_fin_throws_away_text_beyond_it,
		NULL
	});
}
