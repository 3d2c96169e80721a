/* test_3_8_3_failures.c: connection failures (RFC 9293 3.8.3, 3.10.8): the thresholds R1 and R2, counted in
 * retransmissions, what each does and who hears of it. */
#include "tests/support/host.h"
#include "tests/support/peer.h"

/* Lets the retransmission timer fire n times, each time after twice as long, and returns how long it took. */
static usec_t retransmissions(struct peer *p, int n, const char *line)
{
	usec_t start = peer_now(p), wait = peer_until_timer(p), longest = peer_config()->rto_max_us;

	for (int k = 1; k < n; k++) {
		peer_expects(p, "%s", line);
		wait = 2 * wait < longest ? 2 * wait : longest;
		ck_assert_uint_eq(peer_until_timer(p), wait);
	}
	peer_expects(p, "%s", line);
	peer_expects_nothing(p);
	return peer_now(p) - start;
}

/* ---- R1 ---------------------------------------------------------------------------------------------------------- */

/* RFC 9293 3.8.3 (SHLD-9, SHLD-10): at R1, three retransmissions by default, the user is woken and finds the trouble in
 * STATUS; it is over with the next acknowledgment. */
START_TEST(at_r1_the_user_is_told_of_the_trouble)
{
	struct peer p = established(_i);
	struct tapir_poll_event events[4];

	user_sends(&p, 10);
	peer_expects(&p, "P. 1:11(10) ack 1");
	while (tapir_poll_events(p.t, events, 4) > 0)
		;
	retransmissions(&p, 2, "P. 1:11(10) ack 1");
	ck_assert_int_eq(tapir_poll_events(p.t, events, 4), 0);
	ck_assert_int_eq(peer_info(&p).soft_error, 0);
	peer_until_timer(&p);
	peer_expects(&p, "P. 1:11(10) ack 1");
	ck_assert_int_eq(tapir_poll_events(p.t, events, 4), 1);
	ck_assert_int_eq(events[0].sd, p.sd);
	ck_assert_error(peer_info(&p).soft_error, TAPIR_ETIMEDOUT);
	ck_assert_uint_eq(peer_info(&p).retransmits, 3);
	ck_assert_error(user_recv_result(&p), TAPIR_EAGAIN);	/* it is no error yet */
	peer_sends(&p, ". 1:1(0) ack 11");
	ck_assert_int_eq(peer_info(&p).soft_error, 0);
	ck_assert_uint_eq(peer_info(&p).retransmits, 0);
}
END_TEST

/* RFC 9293 3.8.3 (MUST-22): SYNs are handled in the same way: R1 of an attempt to open. */
START_TEST(at_r1_of_a_syn_the_user_is_told_of_the_trouble)
{
	struct peer p = syn_sent(_i);

	retransmissions(&p, 2, "S 0:0(0)");
	ck_assert_int_eq(peer_info(&p).soft_error, 0);
	peer_until_timer(&p);
	peer_expects(&p, "S 0:0(0)");
	ck_assert_error(peer_info(&p).soft_error, TAPIR_ETIMEDOUT);
	ck_assert_state(&p, TAPIR_TCP_SYN_SENT);
}
END_TEST

/* The frames of the moment: how many SYNs, and how many ARP requests, all to the neighbour's link address. */
static void expects_syns_and_requests(uint32_t syns, uint32_t requests)
{
	struct said s;

	for (; syns + requests > 0 && host_says(&s); *(s.eth.type == ETH_TYPE_ARP ? &requests : &syns) -= 1) {
		ck_assert_mem_eq(s.eth.dst, neighbour_mac, 6);
		ck_assert_uint_gt(s.eth.type == ETH_TYPE_ARP ? requests : syns, 0);
	}
	ck_assert_uint_eq(syns + requests, 0);
	host_says_nothing();
}

/* RFC 9293 3.8.3 (MUST-20): at R1 IP gets negative advice: is the neighbour that it sends to still there? It is asked by
 * unicast (RFC 1122 2.3.2.1), once for each R1, and not before. */
START_TEST(at_r1_ip_asks_whether_the_neighbour_is_there)
{
	struct tapir_endpoint to = {NEIGHBOUR_IP, 80};
	struct host_arp reply = {.op = ARP_REPLY, .sender_mac = neighbour_mac, .target_mac = host_mac, .sender = NEIGHBOUR_IP,
				 .target = HOST_IP};
	struct tapir *t;
	struct said s;
	tapir_sd sd;

	host_config_ethernet();
	t = host_begin();
	host_waits(3 * TAPIR_SEC);
	host_says_all();		/* the announcements */
	sd = tapir_socket(t, TAPIR_SOCK_STREAM);
	ck_assert_result(tapir_connect(t, sd, &to), TAPIR_EINPROGRESS);
	host_says_arp(&s, ARP_REQUEST);
	host_hears_arp(&reply);
	expects_syns_and_requests(1, 0);
	host_waits(1 * TAPIR_SEC);
	expects_syns_and_requests(1, 0);
	host_waits(2 * TAPIR_SEC);
	expects_syns_and_requests(1, 0);
	host_waits(4 * TAPIR_SEC);
	expects_syns_and_requests(1, 1);
	host_hears_arp(&reply);
	host_waits(8 * TAPIR_SEC);
	expects_syns_and_requests(1, 0);
	ck_assert_result(tapir_abort(t, sd), 0);
	host_end();
}
END_TEST

/* ---- R2 ---------------------------------------------------------------------------------------------------------- */

/* RFC 9293 3.8.3 (MUST-21), 3.10.8 USER TIMEOUT: the user chooses R2 for one connection, before or after it is open. */
START_TEST(r2_is_the_users_choice_for_a_connection)
{
	struct peer p = established(_i);
	int retries;

	ck_assert_error(tapir_getsockopt(p.t, p.sd, TAPIR_TCP_RETRIES, &retries), 0);
	ck_assert_int_eq(retries, 15);
	ck_assert_error(tapir_setsockopt(p.t, p.sd, TAPIR_TCP_RETRIES, 2), 0);
	user_sends(&p, 10);
	peer_expects(&p, "P. 1:11(10) ack 1");
	retransmissions(&p, 2, "P. 1:11(10) ack 1");
	ck_assert_state(&p, TAPIR_TCP_ESTABLISHED);
	peer_until_timer(&p);
	ck_assert_state(&p, TAPIR_TCP_CLOSED);
	ck_assert_error(user_pending_error(&p), TAPIR_ETIMEDOUT);
	ck_assert_error(tapir_setsockopt(p.t, p.sd, TAPIR_TCP_RETRIES, 255), TAPIR_EINVAL);
	ck_assert_error(tapir_setsockopt(p.t, p.sd, TAPIR_TCP_RETRIES, -2), TAPIR_EINVAL);
}
END_TEST

/* RFC 9293 3.8.3 (MUST-21): "an interactive application might set R2 to infinity": a connection inherits it from its
 * listener, is silent for hours, and goes on when the peer is back. */
START_TEST(r2_may_be_infinite)
{
	struct peer p = listening(_i);
	int retries;

	ck_assert_error(tapir_setsockopt(p.t, p.listener, TAPIR_TCP_RETRIES, -1), 0);
	peer_opens(&p);
	user_accepts(&p);
	ck_assert_error(tapir_getsockopt(p.t, p.sd, TAPIR_TCP_RETRIES, &retries), 0);
	ck_assert_int_eq(retries, -1);
	user_sends(&p, 10);
	peer_expects(&p, "P. 1:11(10) ack 1");
	retransmissions(&p, 300, "P. 1:11(10) ack 1");
	ck_assert_state(&p, TAPIR_TCP_ESTABLISHED);
	peer_sends(&p, ". 1:1(0) ack 11");
	ck_assert_uint_eq(peer_info(&p).unacked, 0);
	user_sends(&p, 10);
	peer_expects(&p, "P. 11:21(10) ack 1");
}
END_TEST

/* RFC 9293 3.8.3, 3.10.8 USER TIMEOUT: R2 counts retransmissions of the same segment: any acknowledgment of something new
 * starts anew. */
START_TEST(r2_starts_anew_with_each_acknowledgment)
{
	struct peer p;

	peer_config()->retries2 = 3;
	p = established(_i);
	user_sends(&p, 1460 + 100);
	peer_expects(&p, ". 1:1461(1460) ack 1");
	peer_expects(&p, "P. 1461:1561(100) ack 1");
	retransmissions(&p, 3, ". 1:1461(1460) ack 1");
	peer_sends(&p, ". 1:1(0) ack 1461");
	peer_expects(&p, "P. 1461:1561(100) ack 1");
	retransmissions(&p, 3, "P. 1461:1561(100) ack 1");
	ck_assert_state(&p, TAPIR_TCP_ESTABLISHED);
	peer_until_timer(&p);
	ck_assert_state(&p, TAPIR_TCP_CLOSED);
}
END_TEST

/* RFC 9293 3.8.3 (MUST-22, MUST-23): SYN-RECEIVED from SYN-SENT is still the attempt to open: R2 of a SYN, three minutes, which
 * a crossing SYN does not shorten. */
START_TEST(r2_of_a_simultaneous_open_is_that_of_a_syn)
{
	struct peer p = syn_received_active(_i);
	usec_t took = retransmissions(&p, 7, "S. 0:0(0) ack 1");

	ck_assert_state(&p, TAPIR_TCP_SYN_RCVD);
	took += peer_until_timer(&p);
	ck_assert_uint_ge(took, 180 * TAPIR_SEC);
	ck_assert_state(&p, TAPIR_TCP_CLOSED);
	ck_assert_error(user_pending_error(&p), TAPIR_ETIMEDOUT);
}
END_TEST

/* RFC 9293 3.8.3, 3.10.8 USER TIMEOUT: "flush all queues": what was sent, unsent and out of order is given back. */
START_TEST(at_r2_all_queues_are_flushed)
{
	struct peer p = established(_i);

	user_sends(&p, 30000);
	peer_sends(&p, ". 101:201(100) ack 1");
	peer_ignores_all(&p);
	ck_assert_uint_gt(peer_usage(&p).small_frames + peer_usage(&p).large_frames, 1);
	while (peer_state(&p) != TAPIR_TCP_CLOSED)
		peer_until_timer(&p);
	peer_ignores_all(&p);
	ck_assert_uint_eq(peer_usage(&p).small_frames + peer_usage(&p).large_frames, 0);
	ck_assert_uint_eq(peer_usage(&p).timers, 0);
}
END_TEST

/* RFC 9293 3.8.3, 3.10.8 USER TIMEOUT: "signal the user ... for any outstanding calls": poll, recv behind the text that had
 * arrived, send; told once. */
START_TEST(at_r2_the_user_is_told)
{
	struct peer p = established(_i);
	struct tapir_poll_event events[4];

	peer_sends(&p, "P. 1:11(10) ack 1");
	peer_expects(&p, ". 1:1(0) ack 11");
	user_sends(&p, 10);
	peer_expects(&p, "P. 1:11(10) ack 11");
	ck_assert_int_eq(tapir_poll(p.t, p.sd) & (TAPIR_POLLERR | TAPIR_POLLHUP), 0);
	while (peer_state(&p) != TAPIR_TCP_CLOSED) {
		while (tapir_poll_events(p.t, events, 4) > 0)
			;
		peer_until_timer(&p);
	}
	peer_ignores_all(&p);
	ck_assert_int_eq(tapir_poll_events(p.t, events, 4), 1);
	ck_assert_int_eq(events[0].sd, p.sd);
	ck_assert_int_eq(tapir_poll(p.t, p.sd) & (TAPIR_POLLERR | TAPIR_POLLHUP), TAPIR_POLLERR | TAPIR_POLLHUP);
	user_reads(&p, 10);
	ck_assert_error(user_recv_result(&p), TAPIR_ETIMEDOUT);
	ck_assert_error(user_send_result(&p, 1), TAPIR_EPIPE);
}
END_TEST

/* RFC 9293 3.8.3, 3.10.8 USER TIMEOUT: without anything unacknowledged there is no failure to see: LISTEN, ESTABLISHED,
 * FIN-WAIT-2, CLOSE-WAIT wait for ever, without a timer. */
START_TEST(an_idle_connection_does_not_fail)
{
	static const enum tapir_tcp_state idle[] = {
		TAPIR_TCP_LISTEN, TAPIR_TCP_ESTABLISHED, TAPIR_TCP_FIN_WAIT_2, TAPIR_TCP_CLOSE_WAIT
	};

	for (size_t i = 0; i < sizeof idle / sizeof idle[0]; i++) {
		struct peer p = peer_in(idle[i], _i);

		peer_advance(&p, 7 * 86400 * TAPIR_SEC);
		ck_assert_state(&p, idle[i]);
		ck_assert_uint_eq(peer_usage(&p).timers, 0);
		peer_expects_nothing(&p);
	}
}
END_TEST

/* RFC 9293 3.8.3, 3.10.8 RETRANSMISSION TIMEOUT: the segment again says what is true now: it acknowledges what came since. */
START_TEST(a_retransmission_carries_the_present_acknowledgment_and_window)
{
	struct peer p = established(_i);

	user_sends(&p, 10);
	peer_expects(&p, "P. 1:11(10) ack 1 win 65535");
	peer_sends(&p, "P. 1:101(100) ack 1");
	peer_expects(&p, ". 11:11(0) ack 101");
	peer_until_timer(&p);
	peer_expects(&p, "P. 1:11(10) ack 101 win 65435");
}
END_TEST

/* RFC 9293 3.10.8 TIME-WAIT TIMEOUT, 3.8.3: it is no failure: a user who still holds the connection reads the end. */
START_TEST(the_end_of_time_wait_is_no_failure)
{
	struct peer p = fin_wait_2(_i);

	peer_sends(&p, "FP. 1:11(10) ack 2");
	peer_expects(&p, ". 2:2(0) ack 12");
	peer_advance(&p, 2 * peer_config()->msl_us);
	ck_assert_state(&p, TAPIR_TCP_CLOSED);
	ck_assert_error(user_pending_error(&p), 0);
	user_reads(&p, 10);
	user_reads_end(&p);
}
END_TEST

Suite *suite(void)
{
	TCase *on_ethernet = tcase_create("on Ethernet");
	Suite *suite = peer_suite("RFC 9293 3.8.3", (const TTest *[]){
		at_r1_the_user_is_told_of_the_trouble,
		at_r1_of_a_syn_the_user_is_told_of_the_trouble,
		r2_is_the_users_choice_for_a_connection,
		r2_may_be_infinite,
		r2_starts_anew_with_each_acknowledgment,
		r2_of_a_simultaneous_open_is_that_of_a_syn,
		at_r2_all_queues_are_flushed,
		at_r2_the_user_is_told,
		an_idle_connection_does_not_fail,
		a_retransmission_carries_the_present_acknowledgment_and_window,
		the_end_of_time_wait_is_no_failure,
		NULL
	});

	tcase_add_test(on_ethernet, at_r1_ip_asks_whether_the_neighbour_is_there);
	suite_add_tcase(suite, on_ethernet);
	return suite;
}
