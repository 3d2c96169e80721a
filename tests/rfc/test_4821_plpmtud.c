/* test_4821_plpmtud.c: path MTU discovery by the segments themselves, where no router reports anything (RFC 4821 7), with the
 * black holes of RFC 8899 4.3. */
#include "tests/support/peer.h"

#define FULL 1460
#define BASE 1024
#define FLOOR 512
#define WINDOW 14600	/* the initial one (RFC 6928), ten full segments */

static uint32_t mss(const struct peer *p) { return peer_info(p).snd_mss; }
static uint32_t cwnd(const struct peer *p) { return peer_info(p).snd_cwnd; }

/* ESTABLISHED, with config.mtu_probing. */
static struct peer probing(int run, uint8_t mode)
{
	peer_config()->mtu_probing = mode;
	peer_config()->sndbuf = 1 << 20;
	return established(run);
}

/* A window of full segments has been sent, and nobody has answered so many timeouts. */
static struct peer timed_out(int run, int timeouts)
{
	struct peer p = probing(run, 1);

	user_sends(&p, WINDOW);
	ck_assert_uint_eq(peer_ignores_all(&p), 10);
	for (int i = 0; i < timeouts - 1; i++) {
		peer_until_timer(&p);
		ck_assert_uint_eq(peer_ignores_all(&p), 1);
	}
	peer_until_timer(&p);
	return p;
}

/* Everything is acknowledged, in segments of at most BASE. */
static void acknowledge_all(struct peer *p)
{
	struct tapir_tcp_info i;

	for (peer_ignores_all(p); (i = peer_info(p)).unacked; peer_ignores_all(p)) {
		uint32_t una = p->sent + 1 - i.unacked - i.notsent;

		peer_sends(p, ". 1:1(0) ack %u", una + (i.unacked < BASE ? i.unacked : BASE));
	}
	ck_assert_uint_eq(i.notsent, 0);
}

/* A black hole was found, what fell into it arrived in segments of BASE, and the path is idle. The next text is at 15001. */
static struct peer past_a_black_hole(int run)
{
	struct peer p = timed_out(run, 3);

	acknowledge_all(&p);
	user_sends(&p, 400);		/* beyond what timed out, for which there is no fast retransmit (RFC 6582 3.2 step 2) */
	acknowledge_all(&p);
	ck_assert_uint_eq(mss(&p), BASE);
	return p;
}

/* So many probes in a row have come to nothing, each of size bytes of text. Where the next text is. */
static uint32_t lose_probes(struct peer *p, int count, uint32_t size)
{
	uint32_t at = p->sent + 1;

	for (int i = 0; i < count; i++, at = p->sent + 1) {
		user_sends(p, 10000);
		peer_expects(p, ". %u:%u(%u) ack 1", at, at + size, size);
		peer_ignores_all(p);
		for (int dup = 0; dup < 3; dup++)
			peer_sends(p, ". 1:1(0) ack %u", at);
		acknowledge_all(p);
		peer_advance(p, TAPIR_SEC);
	}
	return at;
}

/* RFC 4821 7.7; RFC 8899 4.3: the third timeout of a full segment sends a smaller one. */
START_TEST(a_full_segment_that_times_out_thrice_is_sent_smaller)
{
	struct peer p = timed_out(_i, 3);

	peer_expects(&p, ". 1:1025(1024) ack 1");
	ck_assert_uint_eq(mss(&p), BASE);
	ck_assert_uint_eq(peer_info(&p).pmtu, BASE + 40);
	ck_assert_uint_eq(peer_events(&p, TAPIR_EV_PMTU), 3);	/* at the SYN, the suspicion, and SND.MSS by it */
}
END_TEST

START_TEST(two_timeouts_are_no_black_hole)
{
	struct peer p = timed_out(_i, 2);

	peer_expects(&p, ". 1:1461(1460) ack 1");
	peer_sends(&p, ". 1:1(0) ack 1461");		/* progress: the next two do not count on */
	peer_ignores_all(&p);
	peer_until_timer(&p);
	peer_until_timer(&p);
	peer_ignores_all(&p);
	ck_assert_uint_eq(mss(&p), FULL);
}
END_TEST

/* RFC 8899 4.3: how many timeouts is configured. */
START_TEST(how_many_timeouts_make_a_black_hole_is_configured)
{
	peer_config()->black_hole_rtos = 1;
	struct peer p = timed_out(_i, 1);

	peer_expects(&p, ". 1:1025(1024) ack 1");
}
END_TEST

/* RFC 4821 7.7: if that is still too large, half of it; but never less than min_pmtu. */
START_TEST(what_still_times_out_is_halved_down_to_the_floor)
{
	struct peer p = timed_out(_i, 4);

	peer_expects(&p, ". 1:513(512) ack 1");
	ck_assert_uint_eq(mss(&p), FLOOR);
	for (int i = 0; i < 3; i++) {
		peer_until_timer(&p);
		peer_expects(&p, ". 1:513(512) ack 1");
	}
}
END_TEST

START_TEST(the_floor_is_min_pmtu)
{
	peer_config()->min_pmtu = 340;
	struct peer p = timed_out(_i, 5);

	peer_ignores_all(&p);
	ck_assert_uint_eq(mss(&p), 300);
	peer_until_timer(&p);
	peer_ignores_all(&p);
	ck_assert_uint_eq(mss(&p), 300);
}
END_TEST

/* RFC 8899 4.3: a lost small segment says nothing about large ones. */
START_TEST(timeouts_of_small_segments_are_no_black_hole)
{
	struct peer p = probing(_i, 1);

	user_sends(&p, BASE);
	peer_expects(&p, "P. 1:1025(1024) ack 1");
	for (int i = 0; i < 5; i++) {
		peer_until_timer(&p);
		peer_expects(&p, "P. 1:1025(1024) ack 1");
	}
	ck_assert_uint_eq(mss(&p), FULL);
}
END_TEST

START_TEST(mtu_probing_can_be_turned_off)
{
	struct peer p = probing(_i, 0);

	user_sends(&p, FULL);
	peer_expects(&p, "P. 1:1461(1460) ack 1");
	for (int i = 0; i < 5; i++) {
		peer_until_timer(&p);
		peer_expects(&p, "P. 1:1461(1460) ack 1");
	}
}
END_TEST

/* RFC 4821 5.2: the way is the host's, not the connection's: the next one need not fall into the same hole. */
START_TEST(other_connections_to_the_host_avoid_the_black_hole)
{
	struct peer p = past_a_black_hole(_i), q = another_peer(&p, PEER_PORT + 1);

	peer_opens(&q);
	user_accepts(&q);
	user_sends(&q, 2000);
	peer_expects(&q, ". 1:1025(1024) ack 1");
	peer_ignores_all(&q);
}
END_TEST

/* RFC 4821 7.3, 7.5: then one segment is as large as could be, and the others stay small. */
START_TEST(a_probe_is_one_larger_segment)
{
	struct peer p = past_a_black_hole(_i);

	user_sends(&p, 10000);
	peer_expects(&p, ". 15001:16461(1460) ack 1");
	ck_assert_why(&p, "RFC 4821 7.5");
	peer_expects(&p, ". 16461:17485(1024) ack 1");
	peer_expects(&p, ". 17485:18509(1024) ack 1");
	peer_ignores_all(&p);
}
END_TEST

/* RFC 4821 7.6.1: an acknowledged probe is the new size. */
START_TEST(an_acknowledged_probe_makes_segments_larger)
{
	struct peer p = past_a_black_hole(_i);

	user_sends(&p, 30000);
	peer_expects(&p, ". 15001:16461(1460) ack 1");
	peer_ignores_all(&p);
	peer_sends(&p, ". 1:1(0) ack 16461");
	peer_ignores_all(&p);
	peer_sends(&p, ". 1:1(0) ack 19533");
	ck_assert_uint_eq(mss(&p), FULL);
	peer_ignores_all(&p);
	acknowledge_all(&p);
	user_sends(&p, FULL);
	peer_expects(&p, "P. 45001:46461(1460) ack 1");
}
END_TEST

/* RFC 4821 7.6.2: a probe that alone is lost goes again in small segments, and cwnd stays as it is. */
START_TEST(the_loss_of_a_probe_is_no_congestion)
{
	struct peer p = past_a_black_hole(_i);
	struct tapir_tcp_info before;

	user_sends(&p, 20000);
	peer_expects(&p, ". 15001:16461(1460) ack 1");
	peer_ignores_all(&p);
	before = peer_info(&p);
	peer_sends(&p, ". 1:1(0) ack 15001");
	peer_sends(&p, ". 1:1(0) ack 15001");
	peer_ignores_all(&p);
	peer_sends(&p, ". 1:1(0) ack 15001");
	peer_expects(&p, ". 15001:16025(1024) ack 1");
	peer_expects(&p, ". 16025:16461(436) ack 1");
	peer_ignores_all(&p);
	ck_assert_uint_eq(peer_info(&p).snd_cwnd, before.snd_cwnd);
	ck_assert_uint_eq(peer_info(&p).snd_ssthresh, before.snd_ssthresh);
	ck_assert_uint_eq(mss(&p), BASE);
	acknowledge_all(&p);
	ck_assert_uint_ge(cwnd(&p), before.snd_cwnd);
}
END_TEST

/* RFC 8899 5.1.2: one loss may have other reasons: three probes of a size, then the search goes on below it, halving. */
START_TEST(three_lost_probes_halve_the_range)
{
	struct peer p = past_a_black_hole(_i);
	uint32_t at = lose_probes(&p, 3, FULL);

	user_sends(&p, 10000);
	peer_expects(&p, ". %u:%u(1242) ack 1", at, at + 1242);	/* 1064, 1282, 1499 */
	peer_ignores_all(&p);
	acknowledge_all(&p);
	ck_assert_uint_eq(mss(&p), 1242);
	lose_probes(&p, 3, 1351);
	lose_probes(&p, 3, 1296);
	ck_assert_uint_eq(mss(&p), 1242);
}
END_TEST

/* RFC 4821 7.4: probes that are lost are rare: not sooner than four round trips after the last. */
START_TEST(after_a_lost_probe_the_next_one_waits)
{
	struct peer p = past_a_black_hole(_i);
	uint32_t at = lose_probes(&p, 1, FULL);

	user_sends(&p, 10000);
	peer_expects(&p, ". %u:%u(1460) ack 1", at, at + FULL);
	peer_ignores_all(&p);
	for (int dup = 0; dup < 3; dup++)
		peer_sends(&p, ". 1:1(0) ack %u", at);
	peer_ignores_all(&p);
	acknowledge_all(&p);
	at = p.sent + 1;
	user_sends(&p, 10000);				/* at the same time */
	peer_expects(&p, ". %u:%u(1024) ack 1", at, at + BASE);
	peer_ignores_all(&p);
	acknowledge_all(&p);
}
END_TEST

/* RFC 8899 5.1.1: when the range is narrow the search is over, until the path may have changed. */
START_TEST(the_search_ends_and_begins_again_ten_minutes_later)
{
	static const uint16_t too_large[] = {1460, 1242, 1133, 1078, 1051, 1037, 1030};	/* then 1024 to 1029 is left */
	struct peer p = past_a_black_hole(_i);
	uint32_t at = 0;

	for (size_t i = 0; i < sizeof too_large / sizeof too_large[0]; i++)
		at = lose_probes(&p, 3, too_large[i]);
	for (int i = 0; i < 3; i++, at = p.sent + 1) {
		user_sends(&p, 10000);
		peer_expects(&p, ". %u:%u(1024) ack 1", at, at + BASE);
		acknowledge_all(&p);
		peer_advance(&p, 198 * TAPIR_SEC);
	}
	user_sends(&p, 10000);
	peer_expects(&p, ". %u:%u(1024) ack 1", at, at + BASE);
	acknowledge_all(&p);
	peer_advance(&p, 10 * TAPIR_SEC);
	lose_probes(&p, 1, FULL);
}
END_TEST

/* RFC 4821 7.6.3: a probe that times out counts as lost, and the timeout as any other. */
START_TEST(a_probe_that_times_out_is_lost)
{
	struct peer p = past_a_black_hole(_i);
	uint32_t at = lose_probes(&p, 2, FULL);

	user_sends(&p, 10000);
	peer_expects(&p, ". %u:%u(1460) ack 1", at, at + FULL);
	peer_ignores_all(&p);
	peer_until_timer(&p);
	peer_expects(&p, ". %u:%u(1024) ack 1", at, at + BASE);
	ck_assert_uint_eq(cwnd(&p), BASE);
	acknowledge_all(&p);
	peer_advance(&p, TAPIR_SEC);
	at = p.sent + 1;
	user_sends(&p, 10000);
	peer_expects(&p, ". %u:%u(1242) ack 1", at, at + 1242);
	peer_ignores_all(&p);
}
END_TEST

/* RFC 4821 7.6.4: with the probe something before it was lost: congestion as ever, and the probe said nothing. */
START_TEST(a_probe_that_is_not_alone_lost_is_inconclusive)
{
	struct peer p = past_a_black_hole(_i);
	uint32_t before;

	lose_probes(&p, 2, FULL);
	before = p.sent + 1;
	user_sends(&p, 4096);				/* too little for a probe */
	peer_ignores_all(&p);
	user_sends(&p, 20000);
	peer_ignores_all(&p);				/* one of them is 1460 long */
	for (int dup = 0; dup < 3; dup++)
		peer_sends(&p, ". 1:1(0) ack %u", before);
	ck_assert_uint_lt(peer_info(&p).snd_ssthresh, 1 << 20);
	acknowledge_all(&p);
	peer_advance(&p, TAPIR_SEC);
	lose_probes(&p, 1, FULL);			/* the third that counts */
	before = p.sent + 1;
	user_sends(&p, 10000);
	peer_expects(&p, ". %u:%u(1242) ack 1", before, before + 1242);
	peer_ignores_all(&p);
}
END_TEST

/* RFC 4821 7.6.2: a router that does report is better than three losses. */
START_TEST(a_router_may_answer_a_probe)
{
	struct peer p = past_a_black_hole(_i);

	user_sends(&p, 10000);
	peer_expects(&p, ". 15001:16461(1460) ack 1");
	peer_ignores_all(&p);
	peer_sends_icmp(&p, 3, 4, 1400, 15001);
	peer_expects(&p, ". 15001:16025(1024) ack 1");
	peer_ignores_all(&p);
	ck_assert_uint_eq(mss(&p), BASE);
	acknowledge_all(&p);
	lose_probes(&p, 1, 1360);
}
END_TEST

/* RFC 4821 7.4: a probe needs what tells of its loss behind it: three more segments, in the buffer and in both windows. */
START_TEST(no_probe_is_sent_without_three_segments_behind_it)
{
	struct peer p = past_a_black_hole(_i);

	user_sends(&p, FULL + 3 * BASE - 1);
	peer_expects(&p, ". 15001:16025(1024) ack 1");
	acknowledge_all(&p);
	p.win = FULL + 3 * BASE - 1;
	peer_sends(&p, ". 1:1(0) ack %u", p.sent + 1);
	user_sends(&p, 10000);
	peer_expects(&p, ". 19532:20556(1024) ack 1");
	acknowledge_all(&p);
	p.win = 65535;
	peer_sends(&p, ". 1:1(0) ack %u", p.sent + 1);
	user_sends(&p, FULL + 3 * BASE);
	peer_expects(&p, ". 29532:30992(1460) ack 1");
	peer_ignores_all(&p);
}
END_TEST

/* RFC 4821 7.4: where cwnd has room for a small segment only, the probe waits for more. */
START_TEST(a_probe_waits_until_cwnd_has_room_for_it)
{
	peer_config()->nagle = false;
	struct peer p = past_a_black_hole(_i);
	uint32_t first = p.sent + 1, at;

	while (cwnd(&p) > peer_info(&p).unacked) {	/* in pieces that are too small for a probe */
		uint32_t room = cwnd(&p) - peer_info(&p).unacked;

		user_sends(&p, room < 3 * BASE ? room : 3 * BASE);
		peer_ignores_all(&p);
	}
	at = p.sent + 1;
	user_sends(&p, 20000);
	peer_expects_nothing(&p);
	peer_sends(&p, ". 1:1(0) ack %u", first + BASE);
	ck_assert_uint_lt(cwnd(&p), peer_info(&p).unacked + FULL);
	peer_expects_nothing(&p);
	peer_sends(&p, ". 1:1(0) ack %u", first + 2 * BASE);
	peer_expects(&p, ". %u:%u(1460) ack 1", at, at + FULL);
	peer_ignores_all(&p);
}
END_TEST

/* RFC 4821 7.1: what the peer's option allows is the top. */
START_TEST(no_probe_is_larger_than_the_peer_takes)
{
	struct peer p;

	peer_config()->mtu_probing = 2;
	p = listening(_i);
	peer_sends(&p, "S 0:0(0) <mss 1200>");
	peer_expects(&p, "S. 0:0(0) ack 1");
	peer_sends(&p, ". 1:1(0) ack 1");
	user_accepts(&p);
	user_sends(&p, 10000);
	peer_expects(&p, ". 1:1201(1200) ack 1");
	peer_ignores_all(&p);
	acknowledge_all(&p);
	ck_assert_uint_eq(mss(&p), 1200);
}
END_TEST

/* RFC 4821 7.2: with mtu_probing 2 each path begins with base_mss, and its first segment is the first probe. */
START_TEST(always_probing_begins_small)
{
	struct peer p = probing(_i, 2);

	user_sends(&p, 10000);
	peer_expects(&p, ". 1:1461(1460) ack 1");
	peer_expects(&p, ". 1461:2485(1024) ack 1");
	peer_ignores_all(&p);
	peer_sends(&p, ". 1:1(0) ack 1461");
	ck_assert_uint_eq(peer_usage(&p).conns, 1);
	acknowledge_all(&p);
	user_sends(&p, FULL);
	peer_expects(&p, "P. 10001:11461(1460) ack 1");
}
END_TEST

/* RFC 4821 7.5: one probe at a time on a path; a connection that ends takes its own along. */
START_TEST(a_connection_may_end_while_its_probe_is_under_way)
{
	struct peer p = past_a_black_hole(_i), q = another_peer(&p, PEER_PORT + 1);

	peer_opens(&q);
	user_accepts(&q);
	user_sends(&p, 10000);
	peer_expects(&p, ". 15001:16461(1460) ack 1");
	peer_ignores_all(&p);
	user_sends(&q, 10000);
	peer_expects(&q, ". 1:1025(1024) ack 1");
	peer_ignores_all(&q);
	user_aborts(&p);
	peer_ignores_all(&p);
	acknowledge_all(&q);
	user_sends(&q, 10000);
	peer_expects(&q, ". 10001:11461(1460) ack 1");
	peer_ignores_all(&q);
}
END_TEST

/* RFC 6691: timestamps come out of a probe as out of any segment. */
START_TEST(timestamps_come_out_of_a_probe)
{
	peer_config()->timestamps = true;
	struct peer p = probing(_i, 2);

	user_sends(&p, 10000);
	peer_expects(&p, ". 1:1449(1448) ack 1");
	peer_expects(&p, ". 1449:2461(1012) ack 1");
	peer_ignores_all(&p);
}
END_TEST

/* RFC 4821 7.5: also where the driver cuts up what is larger than a segment: a probe is not cut. */
START_TEST(a_probe_is_one_segment_with_offloads_too)
{
	peer_config()->offload = (struct tapir_offload_caps){.csum = true, .tso4 = true};
	struct peer p = probing(_i, 2);

	user_sends(&p, 10000);
	peer_expects(&p, ". 1:1461(1460) ack 1");
	peer_expects(&p, "P. 1461:10001(8540) ack 1");
	peer_ignores_all(&p);
}
END_TEST

Suite *suite(void)
{
	return peer_suite("RFC 4821 7: packetization layer path MTU discovery", (const TTest *[]){
		a_full_segment_that_times_out_thrice_is_sent_smaller,
		two_timeouts_are_no_black_hole,
		how_many_timeouts_make_a_black_hole_is_configured,
		what_still_times_out_is_halved_down_to_the_floor,
		the_floor_is_min_pmtu,
		timeouts_of_small_segments_are_no_black_hole,
		mtu_probing_can_be_turned_off,
		other_connections_to_the_host_avoid_the_black_hole,
		a_probe_is_one_larger_segment,
		an_acknowledged_probe_makes_segments_larger,
		the_loss_of_a_probe_is_no_congestion,
		three_lost_probes_halve_the_range,
		after_a_lost_probe_the_next_one_waits,
		the_search_ends_and_begins_again_ten_minutes_later,
		a_probe_that_times_out_is_lost,
		a_probe_that_is_not_alone_lost_is_inconclusive,
		a_router_may_answer_a_probe,
		no_probe_is_sent_without_three_segments_behind_it,
		a_probe_waits_until_cwnd_has_room_for_it,
		no_probe_is_larger_than_the_peer_takes,
		always_probing_begins_small,
		a_connection_may_end_while_its_probe_is_under_way,
		timestamps_come_out_of_a_probe,
		a_probe_is_one_segment_with_offloads_too,
		NULL
	});
}
