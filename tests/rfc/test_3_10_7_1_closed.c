/* test_3_10_7_1_closed.c: SEGMENT ARRIVES in CLOSED (RFC 9293 3.10.7.1, 3.5.2 group 1): nothing listens, no
 * connection. */
#include "tests/support/peer.h"

/* RFC 9293 3.10.7.1 CLOSED: an incoming segment containing a RST is discarded, whatever else it carries. */
START_TEST(a_rst_in_closed_is_discarded)
{
	struct peer p = closed(_i);

	peer_sends(&p, "R 0:0(0)");
	ck_assert_verdict(&p, DROP_TCP_CLOSED);
	peer_sends(&p, "R. 0:0(0) ack 1");
	ck_assert_verdict(&p, DROP_TCP_CLOSED);
	peer_sends(&p, "SFRP. 0:10(10) ack 1");
	ck_assert_verdict(&p, DROP_TCP_CLOSED);
	peer_expects_nothing(&p);
}
END_TEST

/* RFC 9293 3.10.7.1 CLOSED: the ACK bit is off: <SEQ=0><ACK=SEG.SEQ+SEG.LEN><CTL=RST,ACK>. SEG.LEN counts text, SYN and
 * FIN. */
START_TEST(a_segment_without_ack_in_closed_draws_a_rst_that_acknowledges_it)
{
	struct peer p = closed(_i);
	int zero = peer_zero(&p);

	peer_sends(&p, "S 0:0(0)");
	peer_expects(&p, "R. %d:%d(0) ack 1 win 0 <>", zero, zero);
	peer_sends(&p, "S 0:10(10)");
	peer_expects(&p, "R. %d:%d(0) ack 11", zero, zero);
	peer_sends(&p, "SF 0:10(10)");
	peer_expects(&p, "R. %d:%d(0) ack 12", zero, zero);
	peer_sends(&p, "F 5:5(0)");
	peer_expects(&p, "R. %d:%d(0) ack 6", zero, zero);
	peer_sends(&p, "- 5:5(0)");
	peer_expects(&p, "R. %d:%d(0) ack 5", zero, zero);
	ck_assert_verdict(&p, DROP_TCP_CLOSED);
	peer_expects_nothing(&p);
}
END_TEST

/* RFC 9293 3.10.7.1 CLOSED: the ACK bit is on: <SEQ=SEG.ACK><CTL=RST>. */
START_TEST(a_segment_with_ack_in_closed_draws_a_rst_at_that_place)
{
	struct peer p = closed(_i);

	peer_sends(&p, ". 1:1(0) ack 77");
	ck_assert_verdict(&p, DROP_TCP_CLOSED);
	peer_expects(&p, "R 77:77(0) win 0 <>");
	peer_sends(&p, "S. 0:0(0) ack 1");
	peer_expects(&p, "R 1:1(0)");
	peer_sends(&p, "FP.U 1:101(100) ack 4000000000 urg 5");
	peer_expects(&p, "R %d:%d(0)", (int)4000000000u, (int)4000000000u);
	peer_expects_nothing(&p);
}
END_TEST

/* RFC 9293 3.10.7.1 CLOSED: all data is discarded, and nothing remains of the segment. */
START_TEST(nothing_remains_of_a_segment_in_closed)
{
	struct peer p = closed(_i);

	peer_sends(&p, "P. 1:1001(1000) ack 1");
	peer_expects(&p, "R 1:1(0)");
	ck_assert_uint_eq(peer_usage(&p).conns, 0);
	ck_assert_uint_eq(peer_usage(&p).small_frames, 0);
	ck_assert_uint_eq(peer_usage(&p).timers, 0);
	ck_assert_uint_eq(tapir_count(p.t, DROP_TCP_CLOSED), 1);
}
END_TEST

/* RFC 9293 3.10.7.1 CLOSED: a port that is bound but not listened on is CLOSED too; so is one whose connection has
 * ended. */
START_TEST(a_port_without_a_listener_is_closed)
{
	struct peer p = established_active(_i);
	struct peer other = another_peer(&p, PEER_PORT + 1);

	peer_sends(&other, "S 0:0(0)");
	ck_assert_verdict(&other, DROP_TCP_CLOSED);
	peer_expects(&other, "R. %d:%d(0) ack 1", peer_zero(&p), peer_zero(&p));
	user_aborts(&p);
	peer_expects(&p, "R 1:1(0)");
	peer_sends(&p, ". 1:1(0) ack 1");
	ck_assert_verdict(&p, DROP_TCP_CLOSED);
	peer_expects(&p, "R 1:1(0)");
}
END_TEST

Suite *suite(void)
{
	return peer_suite("RFC 9293 3.10.7.1 CLOSED", (const TTest *[]){
		a_rst_in_closed_is_discarded,
		a_segment_without_ack_in_closed_draws_a_rst_that_acknowledges_it,
		a_segment_with_ack_in_closed_draws_a_rst_at_that_place,
		nothing_remains_of_a_segment_in_closed,
		a_port_without_a_listener_is_closed,
		NULL
	});
}
