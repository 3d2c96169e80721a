/* test_3_7_4_nagle.c: Nagle's algorithm (RFC 9293 3.7.4), and how a program turns it off. */
#include "tests/support/peer.h"

/* RFC 9293 3.7.4 (SHLD-7): while something is unacknowledged, small pieces gather until an ACK or a full segment. */
START_TEST(nagle_gathers_small_pieces_until_an_ack_or_a_full_segment)
{
	struct peer p = established(_i);

	user_sends(&p, 10);
	peer_expects(&p, "P. 1:11(10) ack 1");
	for (int i = 0; i < 50; i++)
		user_sends(&p, 10);
	peer_expects_nothing(&p);
	peer_sends(&p, ". 1:1(0) ack 11");
	peer_expects(&p, "P. 11:511(500) ack 1");
	user_sends(&p, 1000);
	peer_expects_nothing(&p);
	user_sends(&p, 1000);
	peer_expects(&p, ". 511:1971(1460) ack 1");
	peer_expects_nothing(&p);
	peer_sends(&p, ". 1:1(0) ack 1971");
	peer_expects(&p, "P. 1971:2511(540) ack 1");
}
END_TEST

/* RFC 9293 3.7.4 (MUST-17): an application can turn it off, for its connection ... */
START_TEST(nodelay_sends_small_pieces_at_once)
{
	struct peer p = established(_i);

	ck_assert_error(tapir_setsockopt(p.t, p.sd, TAPIR_TCP_NODELAY, 1), 0);
	for (uint32_t i = 0; i < 5; i++) {
		user_sends(&p, 10);
		peer_expects(&p, "P. %u:%u(10) ack 1", 1 + 10 * i, 11 + 10 * i);
	}
	ck_assert_error(tapir_setsockopt(p.t, p.sd, TAPIR_TCP_NODELAY, 0), 0);
	user_sends(&p, 10);
	peer_expects_nothing(&p);
	ck_assert_error(tapir_setsockopt(p.t, p.sd, TAPIR_TCP_NODELAY, 1), 0);
	peer_expects(&p, "P. 51:61(10) ack 1");			/* what has waited need not any longer */
}
END_TEST

/* RFC 9293 3.7.4 (MUST-17): ... or for all of an instance. */
START_TEST(nagle_is_a_setting_of_the_instance)
{
	peer_config()->nagle = false;
	struct peer p = established(_i);

	user_sends(&p, 10);
	peer_expects(&p, "P. 1:11(10) ack 1");
	user_sends(&p, 10);
	peer_expects(&p, "P. 11:21(10) ack 1");
}
END_TEST

/* RFC 9293 A.3: what a write leaves over after its full segments goes with them, also when there is no driver to cut it all up:
 * the peer may be waiting for the end before it says anything, and delay its ACK meanwhile. A second short segment waits. */
START_TEST(the_end_of_a_long_write_does_not_wait_for_its_beginning)
{
	struct peer p = established(_i);

	user_sends(&p, 1460 + 300);
	peer_expects(&p, ". 1:1461(1460) ack 1");
	peer_expects(&p, "P. 1461:1761(300) ack 1");
	user_sends(&p, 1460 + 300);
	peer_expects(&p, ". 1761:3221(1460) ack 1");
	peer_expects_nothing(&p);
	peer_sends(&p, ". 1:1(0) ack 3221");
	peer_expects(&p, "P. 3221:3521(300) ack 1");
}
END_TEST

/* RFC 9293 3.7.4: the last piece before a FIN gathers nothing more. */
START_TEST(nagle_does_not_hold_the_last_piece)
{
	struct peer p = established(_i);

	user_sends(&p, 10);
	peer_expects(&p, "P. 1:11(10) ack 1");
	user_sends(&p, 10);
	user_shuts_down(&p);
	peer_expects(&p, "FP. 11:21(10) ack 1");
}
END_TEST

Suite *suite(void)
{
	return peer_suite("RFC 9293 3.7.4 Nagle", (const TTest *[]){
		nagle_gathers_small_pieces_until_an_ack_or_a_full_segment,
		nodelay_sends_small_pieces_at_once,
		nagle_is_a_setting_of_the_instance,
		the_end_of_a_long_write_does_not_wait_for_its_beginning,
		nagle_does_not_hold_the_last_piece,
		NULL
	});
}
