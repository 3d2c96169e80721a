/* test_3_10_7_4_sixth.c: SEGMENT ARRIVES, other states, sixth: check the URG bit (RFC 9293 3.10.7.4, 3.8.5, RFC 6093
 * 3). Urgent text is delivered in line; TAPIR_POLLPRI says that some lies ahead of what the user has read. */
#include "tests/support/peer.h"

static const enum tapir_tcp_state receiving[] = {TAPIR_TCP_ESTABLISHED, TAPIR_TCP_FIN_WAIT_1, TAPIR_TCP_FIN_WAIT_2};
#define COUNT(list) (sizeof list / sizeof list[0])

static bool is_urgent(const struct peer *p) { return tapir_poll(p->t, p->sd) & TAPIR_POLLPRI; }

static int signals(const struct peer *p)
{
	struct tapir_poll_event events[8];

	return tapir_poll_events(p->t, events, 8);
}

/* RFC 9293 3.10.7.4 sixth (MUST-30, MUST-32): ESTABLISHED, FIN-WAIT-1, FIN-WAIT-2: RCV.UP <- max(RCV.UP, SEG.UP), and
 * signal the user when it is in advance of the data consumed; again only when it has advanced. */
START_TEST(the_user_is_told_of_urgent_text_and_when_its_end_moves_in_each_state_that_receives)
{
	for (size_t i = 0; i < COUNT(receiving); i++) {
		struct peer p = peer_in(receiving[i], _i);

		signals(&p);
		ck_assert(!is_urgent(&p));
		peer_sends(&p, ".U 1:1(0) ack 1 urg 10");
		ck_assert_verdict(&p, ACCEPT);
		ck_assert_int_eq(signals(&p), 1);
		ck_assert(is_urgent(&p));
		peer_sends(&p, ".U 1:1(0) ack 1 urg 10");
		peer_sends(&p, ".U 1:1(0) ack 1 urg 5");
		ck_assert_int_eq(signals(&p), 0);
		peer_sends(&p, ".U 1:1(0) ack 1 urg 20");
		ck_assert_int_eq(signals(&p), 1);
		ck_assert(is_urgent(&p));
		ck_assert_state(&p, receiving[i]);
		peer_ignores_all(&p);		/* in FIN-WAIT-1 these were duplicate ACKs */
	}
}
END_TEST

/* RFC 9293 3.8.5 (MUST-62), 3.10.7.4 sixth: ESTABLISHED: the urgent pointer points to the octet that follows the
 * urgent text; (MUST-33): the user can learn whether more of it remains to be read. */
START_TEST(urgent_mode_ends_when_everything_before_the_pointer_is_read)
{
	struct peer p = established(_i);
	uint8_t text[64];

	peer_sends(&p, "P.U 1:21(20) ack 1 urg 8");
	peer_expects(&p, ". 1:1(0) ack 21");
	ck_assert_error(tapir_recv(p.t, p.sd, text, 7), 7);
	ck_assert(is_urgent(&p));
	ck_assert_error(tapir_recv(p.t, p.sd, text, 1), 1);
	ck_assert_uint_eq(text[0], stream_byte(8));
	ck_assert(!is_urgent(&p));
	p.received = 8;
	user_reads(&p, 12);
}
END_TEST

/* RFC 9293 3.8.5 (MUST-31): urgent text may be of any length, over any number of segments. In ESTABLISHED; 3.10.7.4
 * sixth: the pointer moves forward only. */
START_TEST(urgent_text_may_be_of_any_length)
{
	struct peer p = established(_i);

	peer_sends(&p, "P.U 1:1001(1000) ack 1 urg 2500");
	peer_sends(&p, "P.U 1001:2001(1000) ack 1 urg 100");	/* behind RCV.UP */
	user_reads(&p, 2000);
	ck_assert(is_urgent(&p));
	peer_sends(&p, "P. 2001:3001(1000) ack 1");
	ck_assert(is_urgent(&p));
	user_reads(&p, 1000);
	ck_assert(!is_urgent(&p));
	peer_ignores_all(&p);
	peer_sends(&p, "P.U 3001:3002(1) ack 1 urg 65535");
	user_reads(&p, 1);
	ck_assert(is_urgent(&p));
	peer_ignores_all(&p);
}
END_TEST

/* RFC 9293 3.10.7.4 sixth, first: ESTABLISHED: the pointer counts from SEG.SEQ as sent, also when old text was trimmed
 * off. */
START_TEST(the_urgent_pointer_counts_from_the_untrimmed_segment)
{
	struct peer p = established(_i);

	peer_sends(&p, "P. 1:101(100) ack 1");
	peer_sends(&p, "P.U 51:201(150) ack 1 urg 100");	/* up to 151 */
	user_reads(&p, 200);
	peer_ignores_all(&p);
	ck_assert(!is_urgent(&p));

	p = established(_i);
	peer_sends(&p, "P. 1:101(100) ack 1");
	peer_sends(&p, "P.U 51:201(150) ack 1 urg 100");
	peer_ignores_all(&p);
	for (int i = 0; i < 149; i++)
		ck_assert_error(user_recv_result(&p), 1);
	ck_assert(is_urgent(&p));
	ck_assert_error(user_recv_result(&p), 1);
	ck_assert(!is_urgent(&p));
	peer_sends(&p, "P.U 151:251(100) ack 1 urg 20");	/* up to 171: known already */
	peer_ignores_all(&p);
	ck_assert(!is_urgent(&p));
}
END_TEST

/* RFC 9293 3.10.7.4 sixth, 3.10.7.3 fourth: the urgent pointer of a SYN-ACK counts from the SYN. SYN-SENT to
 * ESTABLISHED. */
START_TEST(the_urgent_pointer_of_a_syn_ack_counts_from_the_syn)
{
	struct peer p = syn_sent(_i);

	peer_sends(&p, "S.U 0:10(10) ack 1 urg 5 <mss 1460>");
	peer_ignores_all(&p);
	for (int i = 0; i < 3; i++)
		ck_assert_error(user_recv_result(&p), 1);
	ck_assert(is_urgent(&p));
	ck_assert_error(user_recv_result(&p), 1);
	ck_assert(!is_urgent(&p));
}
END_TEST

/* RFC 9293 3.10.7.4 sixth: CLOSE-WAIT, CLOSING, LAST-ACK, TIME-WAIT: this should not occur since a FIN has been
 * received: ignore the URG. */
START_TEST(urg_after_the_fin_is_ignored_in_each_state)
{
	static const enum tapir_tcp_state ended[] = {
		TAPIR_TCP_CLOSE_WAIT, TAPIR_TCP_CLOSING, TAPIR_TCP_LAST_ACK, TAPIR_TCP_TIME_WAIT
	};

	for (size_t i = 0; i < COUNT(ended); i++) {
		struct peer p = peer_in(ended[i], _i);

		signals(&p);
		peer_sends(&p, ".U 2:2(0) ack 1 urg 10");
		ck_assert_verdict(&p, ACCEPT);
		ck_assert(!is_urgent(&p));
		ck_assert_int_eq(signals(&p), 0);
		peer_expects_nothing(&p);
		ck_assert_state(&p, ended[i]);
	}
}
END_TEST

Suite *suite(void)
{
	return peer_suite("RFC 9293 3.10.7.4 sixth", (const TTest *[]){
		the_user_is_told_of_urgent_text_and_when_its_end_moves_in_each_state_that_receives,
		urgent_mode_ends_when_everything_before_the_pointer_is_read,
		urgent_text_may_be_of_any_length,
		the_urgent_pointer_counts_from_the_untrimmed_segment,
		the_urgent_pointer_of_a_syn_ack_counts_from_the_syn,
		urg_after_the_fin_is_ignored_in_each_state,
		NULL
	});
}
