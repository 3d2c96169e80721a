/* test_icmp_errors.c: what ICMP errors do to a connection (RFC 9293 3.9.2.2; RFC 1122 4.2.3.9; RFC 5927 5; RFC 5461 4). */
#include "tests/support/peer.h"

enum { UNREACHABLE = 3, SOURCE_QUENCH = 4, TIME_EXCEEDED = 11, PARAMETER_PROBLEM = 12 };
enum { NET = 0, HOST = 1, PROTOCOL = 2, PORT = 3, FRAG_NEEDED = 4, SOURCE_ROUTE = 5 };

/* Ten bytes of the stack are in flight, at 1. */
static struct peer with_text_in_flight(int run)
{
	struct peer p = established(run);

	user_sends(&p, 10);
	peer_expects(&p, "P. 1:11(10) ack 1");
	return p;
}

/* RFC 9293 3.9.2.2 (MUST-54, MUST-56, SHLD-25): soft errors: the connection lives, and the program can see the report. */
START_TEST(a_soft_error_is_reported_and_ends_nothing)
{
	static const struct { uint8_t type, code; int error; } errors[] = {
		{UNREACHABLE, NET, TAPIR_ENETUNREACH}, {UNREACHABLE, HOST, TAPIR_EHOSTUNREACH},
		{UNREACHABLE, SOURCE_ROUTE, TAPIR_EHOSTUNREACH}, {TIME_EXCEEDED, 0, TAPIR_EHOSTUNREACH},
		{TIME_EXCEEDED, 1, TAPIR_EHOSTUNREACH}, {PARAMETER_PROBLEM, 0, TAPIR_EPROTO}
	};
	for (size_t i = 0; i < sizeof errors / sizeof errors[0]; i++) {
		struct peer p = with_text_in_flight(_i);

		peer_sends_icmp(&p, errors[i].type, errors[i].code, 0, 1);
		ck_assert_state(&p, TAPIR_TCP_ESTABLISHED);
		ck_assert_error(peer_info(&p).soft_error, errors[i].error);
		ck_assert_error(user_recv_result(&p), TAPIR_EAGAIN);
		peer_expects_nothing(&p);
		peer_sends(&p, ". 1:1(0) ack 11");
		ck_assert_uint_eq(peer_info(&p).unacked, 0);
	}
}
END_TEST

/* RFC 5927 5.2: hard errors too end no synchronized connection: anybody can send one. DEVIATES from RFC 9293 3.9.2.2 (SHLD-26). */
START_TEST(a_hard_error_ends_no_synchronized_connection)
{
	static const uint8_t codes[] = {PROTOCOL, PORT};

	for (size_t i = 0; i < sizeof codes; i++) {
		struct peer p = with_text_in_flight(_i);

		peer_sends_icmp(&p, UNREACHABLE, codes[i], 0, 1);
		ck_assert_state(&p, TAPIR_TCP_ESTABLISHED);
		ck_assert_error(peer_info(&p).soft_error, TAPIR_ECONNREFUSED);
		peer_sends(&p, ". 1:1(0) ack 11");
		ck_assert_state(&p, TAPIR_TCP_ESTABLISHED);
	}
}
END_TEST

/* RFC 9293 3.9.2.2 (SHLD-26); RFC 5927 5.1: in SYN-SENT a hard error ends the attempt at once. */
START_TEST(a_hard_error_ends_an_attempt_to_open)
{
	static const uint8_t codes[] = {PROTOCOL, PORT};

	for (size_t i = 0; i < sizeof codes; i++) {
		struct peer p = syn_sent(_i);

		peer_sends_icmp(&p, UNREACHABLE, codes[i], 0, 0);
		ck_assert_state(&p, TAPIR_TCP_CLOSED);
		ck_assert_error(user_pending_error(&p), TAPIR_ECONNREFUSED);
		peer_expects_nothing(&p);
	}
}
END_TEST

/* RFC 9293 3.9.2.2 (MUST-56); RFC 5461 4: in SYN-SENT a soft error does not: the route may come back. If it does not, the
 * program is told what was reported, which says more than that nobody answered. */
START_TEST(a_soft_error_in_syn_sent_is_the_reason_told_when_the_attempt_ends)
{
	struct peer p = syn_sent(_i);

	peer_sends_icmp(&p, UNREACHABLE, HOST, 0, 0);
	ck_assert_state(&p, TAPIR_TCP_SYN_SENT);
	ck_assert_int_eq(tapir_poll(p.t, p.sd) & TAPIR_POLLERR, 0);
	while (peer_state(&p) == TAPIR_TCP_SYN_SENT)
		peer_until_timer(&p);
	ck_assert_uint_eq(peer_ignores_all(&p), 7);
	ck_assert_error(user_pending_error(&p), TAPIR_EHOSTUNREACH);

	p = syn_sent(_i);
	peer_sends_icmp(&p, UNREACHABLE, HOST, 0, 0);
	peer_sends(&p, "S. 0:0(0) ack 1 <mss 1460>");
	peer_expects(&p, ". 1:1(0) ack 1");
	ck_assert_state(&p, TAPIR_TCP_ESTABLISHED);
}
END_TEST

/* RFC 9293 3.9.2.2 (SHLD-25): the same for a connection that times out: the report is the reason ... */
START_TEST(a_soft_error_is_the_reason_told_when_the_connection_times_out)
{
	struct peer p = with_text_in_flight(_i);

	peer_sends_icmp(&p, UNREACHABLE, NET, 0, 1);
	while (peer_state(&p) == TAPIR_TCP_ESTABLISHED)
		peer_until_timer(&p);
	peer_ignores_all(&p);
	ck_assert_error(user_pending_error(&p), TAPIR_ENETUNREACH);
}
END_TEST

/* RFC 9293 3.9.2.2: ... unless the path has worked since. */
START_TEST(an_ack_after_a_soft_error_shows_that_it_is_over)
{
	struct peer p = with_text_in_flight(_i);

	peer_sends_icmp(&p, UNREACHABLE, NET, 0, 1);
	peer_sends(&p, ". 1:1(0) ack 11");
	ck_assert_int_eq(peer_info(&p).soft_error, 0);
	user_sends(&p, 10);
	while (peer_state(&p) == TAPIR_TCP_ESTABLISHED)
		peer_until_timer(&p);
	peer_ignores_all(&p);
	ck_assert_error(user_pending_error(&p), TAPIR_ETIMEDOUT);
}
END_TEST

/* RFC 5927 4.1: an error that quotes a sequence number which is not in flight is not about us: a blind guess. */
START_TEST(an_error_about_what_is_not_in_flight_is_ignored)
{
	static const int guesses[] = {0, -1, 11, 12, 1000, 65535, 1 << 30, -(1 << 30)};
	struct peer p = with_text_in_flight(_i);

	for (size_t i = 0; i < sizeof guesses / sizeof guesses[0]; i++) {
		peer_sends_icmp(&p, UNREACHABLE, HOST, 0, (uint32_t)guesses[i]);
		ck_assert_int_eq(peer_info(&p).soft_error, 0);
		peer_sends_icmp(&p, UNREACHABLE, FRAG_NEEDED, 600, (uint32_t)guesses[i]);
		ck_assert_uint_eq(peer_info(&p).snd_mss, 1460);
		peer_expects_nothing(&p);
	}
	peer_sends(&p, ". 1:1(0) ack 11");		/* nothing is in flight any more */
	peer_sends_icmp(&p, UNREACHABLE, HOST, 0, 11);
	peer_sends_icmp(&p, UNREACHABLE, HOST, 0, 1);
	ck_assert_int_eq(peer_info(&p).soft_error, 0);
	p = syn_sent(_i);
	peer_sends_icmp(&p, UNREACHABLE, PORT, 0, 2);
	peer_sends_icmp(&p, UNREACHABLE, PORT, 0, (uint32_t)-1);
	ck_assert_state(&p, TAPIR_TCP_SYN_SENT);
}
END_TEST

/* RFC 5927 4.1: nor is one that quotes other ports, or another host. */
START_TEST(an_error_about_another_connection_is_not_ours)
{
	struct peer p = with_text_in_flight(_i), q = another_peer(&p, PEER_PORT + 1);

	peer_sends_icmp(&q, UNREACHABLE, HOST, 0, 1);
	q.path.src_port = PEER_PORT;
	q.path.dst_port = STACK_PORT + 1;
	peer_sends_icmp(&q, UNREACHABLE, HOST, 0, 1);
	ck_assert_int_eq(peer_info(&p).soft_error, 0);
	peer_expects_nothing(&p);
}
END_TEST

/* RFC 9293 3.9.2.2 (MUST-55); RFC 6633 3: Source Quench is discarded in silence: neither window nor text changes. */
START_TEST(source_quench_is_discarded)
{
	struct peer p = with_text_in_flight(_i);
	uint32_t cwnd = peer_info(&p).snd_cwnd;

	peer_sends_icmp(&p, SOURCE_QUENCH, 0, 0, 1);
	ck_assert_verdict(&p, DROP_ICMP_TYPE);
	ck_assert_uint_eq(peer_info(&p).snd_cwnd, cwnd);
	ck_assert_int_eq(peer_info(&p).soft_error, 0);
	peer_expects_nothing(&p);
}
END_TEST

/* RFC 9293 3.9.2.2; RFC 1191 6.4: fragmentation needed: smaller segments, at once; it is not an error that anybody is told. */
START_TEST(fragmentation_needed_lowers_the_mss_and_sends_again)
{
	struct peer p = established(_i);

	user_sends(&p, 1460);
	peer_expects(&p, "P. 1:1461(1460) ack 1");
	peer_sends_icmp(&p, UNREACHABLE, FRAG_NEEDED, 1400, 1);
	peer_expects(&p, ". 1:1361(1360) ack 1");
	peer_expects(&p, "P. 1361:1461(100) ack 1");
	ck_assert_int_eq(peer_info(&p).soft_error, 0);
	peer_sends_icmp(&p, UNREACHABLE, FRAG_NEEDED, 1400, 1361);	/* the second router's, about the same: nothing more */
	peer_expects_nothing(&p);
	peer_sends_icmp(&p, UNREACHABLE, FRAG_NEEDED, 1000, 1);
	peer_expects(&p, ". 1:961(960) ack 1");
	peer_expects(&p, "P. 961:1461(500) ack 1");
	peer_sends(&p, ". 1:1(0) ack 1461");
	ck_assert_uint_eq(peer_info(&p).unacked, 0);
}
END_TEST

/* RFC 9293 3.9.2.2; RFC 6298 3: what was sent again because it was too large is no sample of the round trip (Karn). */
START_TEST(what_was_too_large_gives_no_rtt_sample)
{
	struct peer p = established(_i);
	uint32_t rtt;

	user_sends(&p, 1460);
	peer_expects(&p, "P. 1:1461(1460) ack 1");
	rtt = peer_info(&p).rtt_us;
	peer_advance(&p, 100 * TAPIR_MS);
	peer_sends_icmp(&p, UNREACHABLE, FRAG_NEEDED, 1400, 1);
	peer_ignores_all(&p);
	peer_sends(&p, ". 1:1(0) ack 1461");
	ck_assert_uint_eq(peer_info(&p).rtt_us, rtt);
}
END_TEST

/* RFC 9293 3.9.2.2: an error about a connection that is only half open leaves it to its retransmissions. */
START_TEST(an_error_about_a_syn_ack_leaves_syn_received)
{
	struct peer p = syn_received(_i);

	peer_sends_icmp(&p, UNREACHABLE, PORT, 0, 0);
	peer_sends_icmp(&p, UNREACHABLE, HOST, 0, 0);
	ck_assert_state(&p, TAPIR_TCP_SYN_RCVD);
	peer_sends(&p, ". 1:1(0) ack 1");
	ck_assert_state(&p, TAPIR_TCP_ESTABLISHED);
}
END_TEST

Suite *suite(void)
{
	return peer_suite("ICMP errors", (const TTest *[]){
		a_soft_error_is_reported_and_ends_nothing,
		a_hard_error_ends_no_synchronized_connection,
		a_hard_error_ends_an_attempt_to_open,
		a_soft_error_in_syn_sent_is_the_reason_told_when_the_attempt_ends,
		a_soft_error_is_the_reason_told_when_the_connection_times_out,
		an_ack_after_a_soft_error_shows_that_it_is_over,
		an_error_about_what_is_not_in_flight_is_ignored,
		an_error_about_another_connection_is_not_ours,
		source_quench_is_discarded,
		fragmentation_needed_lowers_the_mss_and_sends_again,
		what_was_too_large_gives_no_rtt_sample,
		an_error_about_a_syn_ack_leaves_syn_received,
		NULL
	});
}
