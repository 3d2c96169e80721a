/* test_1191_pmtu.c: path MTU discovery by what routers report (RFC 1191), and what is believed of it (RFC 5927 7). */
#include "tests/support/peer.h"

enum { UNREACHABLE = 3, FRAG_NEEDED = 4 };

static void router_reports(struct peer *p, uint16_t mtu, uint32_t about)
{
	peer_sends_icmp(p, UNREACHABLE, FRAG_NEEDED, mtu, about);
}

static uint32_t mss(const struct peer *p) { return peer_info(p).snd_mss; }

/* ESTABLISHED, and what is left over of a send does not wait (RFC 9293 3.7.4). */
static struct peer without_nagle(int run)
{
	peer_config()->nagle = false;
	return established(run);
}

/* A full segment was acknowledged, and now two more are in flight, from 1461. */
static struct peer with_a_proven_path(int run)
{
	struct peer p = without_nagle(run);

	user_sends(&p, 1460);
	peer_expects(&p, "P. 1:1461(1460) ack 1");
	peer_sends(&p, ". 1:1(0) ack 1461");
	user_sends(&p, 2920);
	peer_expects(&p, ". 1461:2921(1460) ack 1");
	peer_expects(&p, "P. 2921:4381(1460) ack 1");
	return p;
}

/* The path was found to carry 1400, and everything is acknowledged up to 1460. */
static struct peer on_a_path_of_1400(int run)
{
	struct peer p = without_nagle(run);

	user_sends(&p, 1460);
	peer_expects(&p, "P. 1:1461(1460) ack 1");
	router_reports(&p, 1400, 1);
	peer_expects(&p, ". 1:1361(1360) ack 1");
	peer_expects(&p, "P. 1361:1461(100) ack 1");
	peer_sends(&p, ". 1:1(0) ack 1461");
	return p;
}

/* RFC 1191 6.3: what was learned is forgotten after ten minutes, and a connection that lives on sends full segments again. */
START_TEST(snd_mss_rises_again_when_the_report_is_old)
{
	struct peer p = on_a_path_of_1400(_i);

	peer_advance(&p, 599 * TAPIR_SEC);
	user_sends(&p, 1460);
	peer_expects(&p, ". 1461:2821(1360) ack 1");
	peer_expects(&p, "P. 2821:2921(100) ack 1");
	peer_sends(&p, ". 1:1(0) ack 2921");
	peer_advance(&p, 2 * TAPIR_SEC);
	user_sends(&p, 1460);
	peer_expects(&p, "P. 2921:4381(1460) ack 1");
	ck_assert_uint_eq(mss(&p), 1460);
	ck_assert_uint_eq(peer_info(&p).pmtu, 1500);
}
END_TEST

/* RFC 1191 6.3: if the path is still narrow, its router says so again, and is believed at once. */
START_TEST(a_path_that_is_still_narrow_is_found_again)
{
	struct peer p = on_a_path_of_1400(_i);

	peer_advance(&p, 601 * TAPIR_SEC);
	user_sends(&p, 1460);
	peer_expects(&p, "P. 1461:2921(1460) ack 1");
	router_reports(&p, 1400, 1461);
	peer_expects(&p, ". 1461:2821(1360) ack 1");
	ck_assert_why(&p, "RFC 1191 6.4");
	peer_expects(&p, "P. 2821:2921(100) ack 1");
}
END_TEST

/* RFC 1191 6.3: how long is config.pmtu_timeout_us. */
START_TEST(how_long_a_report_is_true_is_configured)
{
	peer_config()->pmtu_timeout_us = 5 * TAPIR_SEC;
	struct peer p = on_a_path_of_1400(_i);

	peer_advance(&p, 5 * TAPIR_SEC);
	user_sends(&p, 1460);
	peer_expects(&p, "P. 1461:2921(1460) ack 1");
}
END_TEST

/* RFC 1191 6.4: what one connection is told is true for the others to that host, before they send. */
START_TEST(other_connections_to_the_host_send_smaller_segments_too)
{
	struct peer p = without_nagle(_i), q = another_peer(&p, PEER_PORT + 1);

	peer_opens(&q);
	user_accepts(&q);
	user_sends(&p, 1460);
	peer_expects(&p, "P. 1:1461(1460) ack 1");
	router_reports(&p, 1400, 1);
	peer_ignores_all(&p);
	user_sends(&q, 1460);
	peer_expects(&q, ". 1:1361(1360) ack 1");
	peer_expects(&q, "P. 1361:1461(100) ack 1");
}
END_TEST

/* RFC 1191 6.4: so do runs of segments that the driver cuts up. */
START_TEST(a_run_of_segments_is_made_of_smaller_ones)
{
	peer_config()->offload = (struct tapir_offload_caps){.csum = true, .tso4 = true};
	struct peer p = without_nagle(_i), q = another_peer(&p, PEER_PORT + 1);

	peer_opens(&q);
	user_accepts(&q);
	user_sends(&p, 1460);
	peer_expects(&p, "P. 1:1461(1460) ack 1");
	router_reports(&p, 1400, 1);
	peer_ignores_all(&p);
	user_sends(&q, 5000);
	peer_expects(&q, "P. 1:5001(5000) ack 1");
	ck_assert_uint_eq(mss(&q), 1360);
}
END_TEST

/* RFC 1191 3: less than min_pmtu is not believed: it would only serve an attacker. */
START_TEST(no_report_makes_segments_smaller_than_min_pmtu)
{
	struct peer p = without_nagle(_i);

	user_sends(&p, 1460);
	peer_expects(&p, "P. 1:1461(1460) ack 1");
	router_reports(&p, 68, 1);
	peer_expects(&p, ". 1:513(512) ack 1");
	ck_assert_uint_eq(mss(&p), 512);
	peer_ignores_all(&p);
}
END_TEST

/* RFC 5927 7.2: nothing so large is in flight: the report is not about us. */
START_TEST(a_report_of_more_than_was_sent_is_ignored)
{
	struct peer p = without_nagle(_i);

	user_sends(&p, 500);
	peer_expects(&p, "P. 1:501(500) ack 1");
	router_reports(&p, 552, 1);
	router_reports(&p, 1400, 1);
	peer_expects_nothing(&p);
	peer_sends(&p, ". 1:1(0) ack 501");
	user_sends(&p, 1460);
	peer_expects(&p, "P. 501:1961(1460) ack 1");
	router_reports(&p, 1500, 501);
	router_reports(&p, 9000, 501);
	peer_expects_nothing(&p);
	ck_assert_uint_eq(mss(&p), 1460);
}
END_TEST

/* RFC 5927 7.2: nor about a handshake, whose segments every path carries. */
START_TEST(a_report_about_a_syn_is_ignored)
{
	struct peer p = syn_received(_i);

	router_reports(&p, 600, 0);
	peer_expects_nothing(&p);
	peer_sends(&p, ". 1:1(0) ack 1");
	user_accepts(&p);
	user_sends(&p, 1460);
	peer_expects(&p, "P. 1:1461(1460) ack 1");
}
END_TEST

/* RFC 5927 7.2: the path has carried full segments: a forged report changes nothing while they still arrive. */
START_TEST(a_report_that_the_path_belies_is_dropped_when_the_text_is_acknowledged)
{
	struct peer p = with_a_proven_path(_i);

	router_reports(&p, 600, 1461);
	router_reports(&p, 600, 2921);
	peer_expects_nothing(&p);
	peer_sends(&p, ". 1:1(0) ack 4381");
	user_sends(&p, 1460);
	peer_expects(&p, "P. 4381:5841(1460) ack 1");
	peer_until_timer(&p);
	peer_expects(&p, "P. 4381:5841(1460) ack 1");
	ck_assert_uint_eq(mss(&p), 1460);
}
END_TEST

/* RFC 5927 7.2: a true one is believed when what it was about times out. */
START_TEST(a_report_that_the_path_belies_is_believed_after_a_timeout)
{
	struct peer p = with_a_proven_path(_i);

	router_reports(&p, 1400, 1461);
	peer_expects_nothing(&p);
	ck_assert_uint_eq(peer_until_timer(&p), 200 * TAPIR_MS);
	peer_expects(&p, ". 1461:2821(1360) ack 1");
	ck_assert_uint_eq(mss(&p), 1360);
	router_reports(&p, 1300, 1461);		/* the next router: nothing of 1400 has arrived yet */
	peer_expects(&p, ". 1461:2721(1260) ack 1");
	peer_ignores_all(&p);
}
END_TEST

/* RFC 5927 7.2: of several, the one that asks for least: what a guess can do is bounded by what is true. */
START_TEST(of_several_reports_that_wait_the_largest_counts)
{
	static const uint16_t in_turn[] = {600, 1400, 700};
	struct peer p = with_a_proven_path(_i);

	for (int i = 0; i < 3; i++)
		router_reports(&p, in_turn[i], 1461);
	peer_until_timer(&p);
	peer_expects(&p, ". 1461:2821(1360) ack 1");
}
END_TEST

/* RFC 5927 7.2: a timeout later, when what was reported has arrived long ago, is no reason to believe it. */
START_TEST(a_report_about_acknowledged_text_does_not_wait_for_another_timeout)
{
	struct peer p = with_a_proven_path(_i);

	router_reports(&p, 600, 1461);
	peer_sends(&p, ". 1:1(0) ack 2921");
	peer_until_timer(&p);
	peer_expects(&p, "P. 2921:4381(1460) ack 1");
	ck_assert_uint_eq(mss(&p), 1460);
}
END_TEST

/* RFC 5927 7.2: who trusts his network may believe at once. */
START_TEST(pmtu_wait_can_be_turned_off)
{
	peer_config()->pmtu_wait = false;
	struct peer p = with_a_proven_path(_i);

	router_reports(&p, 1400, 1461);
	peer_expects(&p, ". 1461:2821(1360) ack 1");
	peer_ignores_all(&p);
}
END_TEST

/* RFC 5927 7.2: what waits is forgotten with its connection. */
START_TEST(a_connection_may_end_while_a_report_waits)
{
	struct peer p = with_a_proven_path(_i), q = another_peer(&p, PEER_PORT + 1);

	router_reports(&p, 600, 1461);
	user_aborts(&p);
	peer_expects(&p, "R 4381:4381(0)");
	peer_opens(&q);
	user_accepts(&q);
	user_sends(&q, 1460);
	peer_expects(&q, "P. 1:1461(1460) ack 1");
	peer_until_timer(&q);
	peer_expects(&q, "P. 1:1461(1460) ack 1");
}
END_TEST

Suite *suite(void)
{
	return peer_suite("RFC 1191 path MTU discovery", (const TTest *[]){
		snd_mss_rises_again_when_the_report_is_old,
		a_path_that_is_still_narrow_is_found_again,
		how_long_a_report_is_true_is_configured,
		other_connections_to_the_host_send_smaller_segments_too,
		a_run_of_segments_is_made_of_smaller_ones,
		no_report_makes_segments_smaller_than_min_pmtu,
		a_report_of_more_than_was_sent_is_ignored,
		a_report_about_a_syn_is_ignored,
		a_report_that_the_path_belies_is_dropped_when_the_text_is_acknowledged,
		a_report_that_the_path_belies_is_believed_after_a_timeout,
		of_several_reports_that_wait_the_largest_counts,
		a_report_about_acknowledged_text_does_not_wait_for_another_timeout,
		pmtu_wait_can_be_turned_off,
		a_connection_may_end_while_a_report_waits,
		NULL
	});
}
