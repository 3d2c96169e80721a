/* test_3_7_1_mss.c: the maximum segment size (RFC 9293 3.7.1, RFC 6691) and the path MTU (RFC 9293 3.7.2, RFC 1191). */
#include "tests/support/peer.h"

#define FRAG_NEEDED 3, 4		/* ICMP type and code */

/* A connection whose SYN from the peer had these options, and text for some segments queued. */
static struct peer opened_with(int run, const char *options)
{
	struct peer p = listening(run);

	peer_sends(&p, "S 0:0(0)%s%s", *options ? " " : "", options);
	peer_expects(&p, "S. 0:0(0) ack 1");
	peer_sends(&p, ". 1:1(0) ack 1");
	user_accepts(&p);
	return p;
}

/* The first segment of much text has this length. */
static void expects_segments_of(struct peer *p, uint32_t len)
{
	user_sends(p, 10000);
	for (uint32_t i = 0; i < 3; i++)
		peer_expects(p, ". %u:%u(%u) ack 1", 1 + i * len, 1 + (i + 1) * len, len);
	ck_assert_uint_eq(peer_info(p).snd_mss, len);
	peer_ignores_all(p);
}

/* RFC 9293 3.7.1 (MUST-14, SHLD-5, MAY-3, MUST-67): the option is on our SYN and our SYN-ACK: what we can receive, which is
 * the MTU less 40 bytes of headers, whatever other options there are (RFC 6691 2). */
START_TEST(our_syn_says_the_mtu_less_forty)
{
	static const unsigned mtus[] = {576, 1400, 1500, 9000};
	struct peer p;

	for (size_t i = 0; i < sizeof mtus / sizeof mtus[0]; i++) {
		peer_config()->mtu = (uint16_t)mtus[i];
		p = closed(_i);
		user_connects(&p);
		peer_expects(&p, "S 0:0(0) win 65535 <mss %u>", mtus[i] - 40);
		p = listening(_i);
		peer_sends(&p, "S 0:0(0) <mss 100>");
		peer_expects(&p, "S. 0:0(0) ack 1 <mss %u>", mtus[i] - 40);
	}
	peer_config()->timestamps = peer_config()->sack = peer_config()->window_scale = true;
	p = syn_sent(_i);
	ck_assert_uint_eq((uint32_t)(peer_last_frame().p[42] << 8 | peer_last_frame().p[43]), 9000 - 40);
}
END_TEST

/* RFC 9293 3.7.1 (MUST-65): nowhere else: not on text, ACKs, FINs. */
START_TEST(only_a_syn_carries_the_option)
{
	struct peer p = established_active(_i);

	user_sends(&p, 10);
	peer_expects(&p, "P. 1:11(10) ack 1 win 65535 <>");
	peer_sends(&p, "P. 1:11(10) ack 11");
	peer_expects(&p, ". 11:11(0) ack 11 win 65525 <>");
	user_reads(&p, 10);
	user_shuts_down(&p);
	peer_expects(&p, "F. 11:11(0) ack 11 win 65525 <>");
}
END_TEST

/* RFC 9293 3.7.1 (MUST-16): no segment is larger than the peer's option says. */
START_TEST(the_peers_mss_is_obeyed)
{
	struct peer p = opened_with(_i, "<mss 1000>");
	int mss;

	expects_segments_of(&p, 1000);
	ck_assert_error(tapir_getsockopt(p.t, p.sd, TAPIR_TCP_MAXSEG, &mss), 0);
	ck_assert_int_eq(mss, 1000);
	p = syn_sent(_i);
	peer_sends(&p, "S. 0:0(0) ack 1 <mss 700>");
	peer_expects(&p, ". 1:1(0) ack 1");
	expects_segments_of(&p, 700);
}
END_TEST

/* RFC 9293 3.7.1 (MUST-15): without the option: 536. */
START_TEST(without_the_option_it_is_536)
{
	struct peer p = opened_with(_i, "");

	expects_segments_of(&p, 536);
	p = opened_with(_i, "<nop,nop,nop,nop>");
	expects_segments_of(&p, 536);
	p = syn_sent(_i);
	peer_sends(&p, "S. 0:0(0) ack 1");
	peer_expects(&p, ". 1:1(0) ack 1");
	expects_segments_of(&p, 536);
}
END_TEST

/* RFC 9293 3.7.1 (MUST-16): Eff.snd.MSS: the smaller of the option and what our own link can carry. */
START_TEST(our_mtu_bounds_what_the_peer_allows)
{
	struct peer p = opened_with(_i, "<mss 65535>");

	expects_segments_of(&p, 1460);
	peer_config()->mtu = 1000;
	p = opened_with(_i, "<mss 1460>");
	expects_segments_of(&p, 960);
}
END_TEST

/* RFC 9293 3.7.1 (MUST-16); RFC 6691 2: the options of a segment come out of its MSS, which counted none. */
START_TEST(timestamps_come_out_of_the_mss)
{
	peer_config()->timestamps = true;
	struct peer p = established(_i);

	user_sends(&p, 10000);
	peer_expects(&p, ". 1:1449(1448) ack 1");
	ck_assert_uint_eq(peer_last_frame().n, 1500);
	ck_assert_uint_eq(peer_info(&p).snd_mss, 1448);
	peer_ignores_all(&p);
}
END_TEST

/* RFC 6691 2: SACK blocks too, for as long as there are any. */
START_TEST(sack_blocks_come_out_of_the_mss)
{
	peer_config()->timestamps = peer_config()->sack = true;
	struct peer p = established(_i);

	peer_sends(&p, ". 11:21(10) ack 1");
	peer_sends(&p, ". 31:41(10) ack 1");
	peer_ignores_all(&p);
	user_sends(&p, 10000);
	peer_expects(&p, ". 1:1429(1428) ack 1");
	ck_assert_uint_eq(peer_last_frame().n, 1500);
	peer_ignores_all(&p);
	peer_sends(&p, ". 1:11(10) ack 1429");
	peer_sends(&p, ". 21:31(10) ack 1429");
	peer_ignores_all(&p);
	peer_sends(&p, ". 41:41(0) ack 10001");
	user_sends(&p, 10000);
	peer_expects(&p, ". 10001:11449(1448) ack 41");
	peer_ignores_all(&p);
}
END_TEST

/* RFC 9293 3.7.1: an option that would make every segment a byte or none gets a floor: 48 bytes of text. */
START_TEST(a_ridiculous_mss_is_not_obeyed_to_the_letter)
{
	struct peer p = opened_with(_i, "<mss 1>");

	ck_assert_uint_ge(peer_info(&p).snd_mss, 48);
	user_sends(&p, 10000);
	ck_assert_uint_le(peer_ignores_all(&p), 11);
	p = opened_with(_i, "<mss 0>");
	ck_assert_uint_ge(peer_info(&p).snd_mss, 48);
}
END_TEST

/* RFC 9293 3.7.1: the option counts on a SYN only: on a later segment it changes nothing (RFC 9293 3.2, MUST-5). */
START_TEST(the_option_on_a_later_segment_changes_nothing)
{
	struct peer p = established(_i);

	peer_sends(&p, ". 1:1(0) ack 1 <mss 200>");
	ck_assert_verdict(&p, ACCEPT);
	expects_segments_of(&p, 1460);
}
END_TEST

/* RFC 9293 3.7.1 (SHLD-28 in 3.9.1.2): full segments whenever there is text for them. */
START_TEST(segments_are_as_large_as_they_may_be)
{
	struct peer p = opened_with(_i, "<mss 1200>");

	for (int i = 0; i < 12; i++)
		user_sends(&p, 400);
	for (uint32_t i = 0; i < 4; i++)
		peer_expects(&p, i < 3 ? ". %u:%u(1200) ack 1" : "P. %u:%u(1200) ack 1", 1 + 1200 * i, 1201 + 1200 * i);
}
END_TEST

/* RFC 9293 3.7.2: segments are sent with DF, so that the path says how large they may be. */
START_TEST(segments_carry_dont_fragment)
{
	struct peer p = established(_i);

	user_sends(&p, 100);
	peer_expects(&p, "P. 1:101(100) ack 1");
	ck_assert_uint_eq(peer_last_frame().p[6], 0x40);
}
END_TEST

/* RFC 9293 3.7.2, 3.7.3 (SHLD-6); RFC 1191 6.4: a smaller path MTU lowers the MSS; what was too large is sent again at once, in
 * smaller segments, and that is no sign of congestion. */
START_TEST(a_smaller_path_mtu_lowers_the_mss_and_sends_again)
{
	struct peer p = established(_i);
	uint32_t cwnd;

	user_sends(&p, 2920);
	peer_expects(&p, ". 1:1461(1460) ack 1");
	peer_expects(&p, "P. 1461:2921(1460) ack 1");
	cwnd = peer_info(&p).snd_cwnd;
	peer_sends_icmp(&p, FRAG_NEEDED, 1000, 1);
	peer_expects(&p, ". 1:961(960) ack 1");
	ck_assert_why(&p, "RFC 1191 6.4");
	peer_expects(&p, ". 961:1921(960) ack 1");
	peer_expects(&p, ". 1921:2881(960) ack 1");
	peer_expects(&p, "P. 2881:2921(40) ack 1");
	peer_expects_nothing(&p);
	ck_assert_uint_eq(peer_info(&p).snd_mss, 960);
	ck_assert_uint_eq(peer_info(&p).snd_cwnd, cwnd);
	peer_sends(&p, ". 1:1(0) ack 2921");
	ck_assert_uint_eq(peer_info(&p).unacked, 0);
}
END_TEST

/* RFC 1191 6.3: a later connection to the same host begins with what was learned, until that is ten minutes old. */
START_TEST(a_learned_path_mtu_holds_for_ten_minutes)
{
	struct peer p = established(_i), q;

	user_sends(&p, 1460);
	peer_ignores_all(&p);
	peer_sends_icmp(&p, FRAG_NEEDED, 1000, 1);
	peer_ignores_all(&p);
	peer_sends(&p, ". 1:1(0) ack 1461");
	q = another_peer(&p, PEER_PORT + 1);
	peer_opens(&q);
	user_accepts(&q);
	ck_assert_uint_eq(peer_info(&q).snd_mss, 960);
	peer_advance(&p, 600 * TAPIR_SEC);
	q = another_peer(&p, PEER_PORT + 2);
	peer_opens(&q);
	user_accepts(&q);
	ck_assert_uint_eq(peer_info(&q).snd_mss, 1460);
}
END_TEST

/* RFC 1191 3: a report that is larger than what is known changes nothing; RFC 5927 7.2: one too small to be true is believed
 * only down to a floor. */
START_TEST(an_incredible_path_mtu_is_not_believed)
{
	struct peer p = established(_i);

	user_sends(&p, 1460);
	peer_expects(&p, "P. 1:1461(1460) ack 1");
	peer_sends_icmp(&p, FRAG_NEEDED, 9000, 1);
	peer_sends_icmp(&p, FRAG_NEEDED, 1500, 1);
	peer_expects_nothing(&p);
	ck_assert_uint_eq(peer_info(&p).snd_mss, 1460);
	peer_sends_icmp(&p, FRAG_NEEDED, 68, 1);
	peer_expects(&p, ". 1:513(512) ack 1");
	ck_assert_uint_eq(peer_info(&p).snd_mss, 552 - 40);
	peer_ignores_all(&p);
}
END_TEST

/* RFC 1191 7.1: an old router names no MTU: the next lower of the usual ones is tried. */
START_TEST(a_report_without_an_mtu_means_the_next_usual_one)
{
	struct peer p = established(_i);
	uint8_t icmp[56] = {0x45, [3] = 56, [8] = 64, [9] = 1, [12] = 10, 0, 0, 1, 10, 0, 0, 2, FRAG_NEEDED};
	uint16_t sum;

	user_sends(&p, 1460);
	peer_expects(&p, "P. 1:1461(1460) ack 1");
	memcpy(icmp + 28, peer_last_frame().p, 28);	/* the quote: 1500 bytes were too large */
	sum = frame_checksum(0, icmp, 20);
	icmp[10] = (uint8_t)(sum >> 8);
	icmp[11] = (uint8_t)sum;
	sum = frame_checksum(0, icmp + 20, sizeof icmp - 20);
	icmp[22] = (uint8_t)(sum >> 8);
	icmp[23] = (uint8_t)sum;
	peer_sends_frame(&p, icmp, sizeof icmp);
	ck_assert_verdict(&p, ACCEPT);
	peer_expects(&p, ". 1:1453(1452) ack 1");
	peer_expects(&p, "P. 1453:1461(8) ack 1");
}
END_TEST

Suite *suite(void)
{
	return peer_suite("RFC 9293 3.7.1 MSS", (const TTest *[]){
		our_syn_says_the_mtu_less_forty,
		only_a_syn_carries_the_option,
		the_peers_mss_is_obeyed,
		without_the_option_it_is_536,
		our_mtu_bounds_what_the_peer_allows,
		timestamps_come_out_of_the_mss,
		sack_blocks_come_out_of_the_mss,
		a_ridiculous_mss_is_not_obeyed_to_the_letter,
		the_option_on_a_later_segment_changes_nothing,
		segments_are_as_large_as_they_may_be,
		segments_carry_dont_fragment,
		a_smaller_path_mtu_lowers_the_mss_and_sends_again,
		a_learned_path_mtu_holds_for_ten_minutes,
		an_incredible_path_mtu_is_not_believed,
		a_report_without_an_mtu_means_the_next_usual_one,
		NULL
	});
}
