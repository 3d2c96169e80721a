/* test_bursts.c: text that is decided on at once and leaves in segments (tcp/burst.c), where no driver cuts it up: what crosses
 * the wire is what would without; and whatever happens in the midst of a burst. */
#include "stack/tcp/internal.h"
#include "stack/wire/ipv4.h"
#include "tests/support/peer.h"

#define MSS 1460u
#define AT(i) (1 + (i) * MSS)

/* The next frame of the stack, taken by hand: the harness would take all of them. Start, relative; length of the text. */
struct left { uint32_t at, n; uint8_t flags; };

static struct left leaves(const struct peer *p)
{
	static uint8_t bytes[70000];
	struct tapir_out out;
	struct ipv4_header h;
	struct tcp_seg seg;
	struct span payload;

	if (!tapir_output(p->t, &out))
		return (struct left){0};
	tapir_out_copy(&out, bytes, false);
	ck_assert_int_eq(ipv4_parse(span_of(bytes, out.len), &h, &payload), ACCEPT);
	ck_assert_int_eq(tcp_parse(payload, &h.src, &h.dst, false, &seg), ACCEPT);
	for (uint32_t i = 0; i < seg.text.n; i++)
		ck_assert_uint_eq(seg.text.p[i], stream_byte(seg.seq.n - p->stack_iss + i));
	tcp_check_all(p->t);
	return (struct left){seg.seq.n - p->stack_iss, (uint32_t)seg.text.n, seg.flags};
}

static void ck_leaves(const struct peer *p, uint32_t first, uint32_t count)
{
	for (uint32_t i = first; i < first + count; i++) {
		struct left l = leaves(p);

		ck_assert_uint_eq(l.at, AT(i));
		ck_assert_uint_eq(l.n, MSS);
		ck_assert_uint_eq(l.flags, TCP_ACK);
	}
}

/* count segments of text given to the stack, whose window has room for ten. */
static struct peer sending(int run, uint32_t count)
{
	struct peer p;

	peer_config()->sndbuf = 1 << 20;
	p = established(run);
	user_sends(&p, count * MSS);
	return p;
}

START_TEST(a_burst_is_one_decision_and_ten_segments)
{
	struct peer p = sending(_i, 100);
	struct tapir_stats stats;

	for (uint32_t i = 0; i < 10; i++)
		peer_expects(&p, ". %u:%u(1460) ack 1", AT(i), AT(i + 1));
	peer_expects_nothing(&p);
	ck_assert_uint_eq(peer_events(&p, TAPIR_EV_SEGMENT_OUT), 11);	/* each is told; and the SYN-ACK */
	ck_assert_uint_eq(peer_info(&p).segs_out, 11);
	tapir_stats(p.t, &stats);
	ck_assert_uint_eq(stats.tcp_segs_out, 11);
	ck_assert_uint_eq(stats.frames_out, 11);
}
END_TEST

START_TEST(without_it_the_same_leaves)
{
	struct peer p;

	peer_config()->gso = false;
	p = sending(_i, 100);
	for (uint32_t i = 0; i < 10; i++)
		peer_expects(&p, ". %u:%u(1460) ack 1", AT(i), AT(i + 1));
	peer_expects_nothing(&p);
}
END_TEST

START_TEST(the_peers_window_ends_a_burst)
{
	struct peer p;

	peer_config()->sndbuf = 1 << 20;
	p = established(_i);
	peer_sends(&p, ". 1:1(0) ack 1 win %u", 3 * MSS + 100);
	user_sends(&p, 100 * MSS);
	ck_leaves(&p, 0, 3);
	peer_expects_nothing(&p);
}
END_TEST

START_TEST(the_last_one_is_short_and_has_psh_and_fin)
{
	struct peer p;
	struct left l;

	peer_config()->sndbuf = 1 << 20;
	p = established(_i);
	user_sends(&p, 3 * MSS + 11);
	user_shuts_down(&p);
	ck_leaves(&p, 0, 3);
	l = leaves(&p);
	ck_assert_uint_eq(l.at, AT(3));
	ck_assert_uint_eq(l.n, 11);
	ck_assert_uint_eq(l.flags, TCP_ACK | TCP_PSH | TCP_FIN);
	peer_expects_nothing(&p);
	peer_sends(&p, ". 1:1(0) ack %u", AT(3) + 12);
	ck_assert_state(&p, TAPIR_TCP_FIN_WAIT_2);
}
END_TEST

/* Text in many small buffers, whose first are gone when the next segment is made. */
START_TEST(an_ack_in_its_midst_does_not_disturb_it)
{
	struct peer p;

	peer_config()->sndbuf = 1 << 20;
	p = established(_i);
	for (uint32_t i = 0; i < 100; i++)
		user_sends(&p, MSS / 4);
	ck_leaves(&p, 0, 3);
	peer_sends(&p, ". 1:1(0) ack %u", AT(2) + 700);
	ck_leaves(&p, 3, 1);
	peer_sends(&p, ". 1:1(0) ack %u", AT(4));
	ck_leaves(&p, 4, 6);
	peer_sends(&p, ". 1:1(0) ack %u", AT(10));
	ck_leaves(&p, 10, 1);
	peer_ignores_all(&p);
}
END_TEST

START_TEST(a_rst_in_its_midst_ends_it)
{
	struct peer p = sending(_i, 100);

	ck_leaves(&p, 0, 3);
	peer_sends(&p, "R 1:1(0)");
	ck_assert_verdict(&p, ACCEPT);
	peer_expects_nothing(&p);
}
END_TEST

/* RFC 9293 3.10.5: the RST has the number that the peer expects, SND.NXT of what has left. */
START_TEST(an_abort_in_its_midst_resets_where_it_stands)
{
	struct peer p = sending(_i, 100);

	ck_leaves(&p, 0, 3);
	user_aborts(&p);
	peer_expects(&p, "R %u:%u(0)", AT(3), AT(3));
	peer_expects_nothing(&p);
}
END_TEST

START_TEST(a_close_with_unread_text_in_its_midst_resets_where_it_stands)
{
	struct peer p = sending(_i, 100);

	peer_sends(&p, ". 1:2(1) ack 1");
	ck_leaves(&p, 0, 3);
	user_closes(&p);
	peer_expects(&p, "R %u:%u(0)", AT(3), AT(3));
	peer_expects_nothing(&p);
}
END_TEST

/* RFC 1191 6.4: what has left was too large, what has not is not sent that large: all goes in smaller segments, in order. */
START_TEST(a_smaller_path_mtu_in_its_midst_ends_it)
{
	struct peer p = sending(_i, 10);

	ck_leaves(&p, 0, 3);
	peer_sends_icmp(&p, 3, 4, 1000, AT(0));
	for (uint32_t at = 1; at < AT(10); at += 960) {
		uint32_t n = AT(10) - at < 960 ? AT(10) - at : 960;
		struct left l = leaves(&p);

		ck_assert_uint_eq(l.at, at);
		ck_assert_uint_eq(l.n, n);
	}
	peer_expects_nothing(&p);
	peer_sends(&p, ". 1:1(0) ack %u", AT(10));
	ck_assert_uint_eq(peer_info(&p).unacked, 0);
}
END_TEST

/* What is sent again leaves in bursts, too; what has arrived meanwhile does not. */
START_TEST(what_is_acknowledged_is_passed_over)
{
	struct peer p = sending(_i, 10);
	struct left l;

	ck_assert_uint_eq(peer_ignores_all(&p), 10);
	peer_sends_icmp(&p, 3, 4, 1000, AT(0));
	l = leaves(&p);
	ck_assert_uint_eq(l.at, 1);
	ck_assert_uint_eq(l.n, 960);
	peer_sends(&p, ". 1:1(0) ack %u", AT(5));
	l = leaves(&p);
	ck_assert_uint_eq(l.at, AT(5));
	ck_assert_uint_eq(l.n, 960);
	peer_sends(&p, ". 1:1(0) ack %u", AT(10));
	peer_expects_nothing(&p);
	ck_assert_uint_eq(peer_info(&p).total_retrans, 2);
}
END_TEST

START_TEST(a_timeout_in_its_midst_is_survived)
{
	struct peer p = sending(_i, 10);

	ck_leaves(&p, 0, 3);
	peer_until_timer(&p);
	peer_ignores_all(&p);
	peer_sends(&p, ". 1:1(0) ack %u", AT(10));
	ck_assert_uint_eq(peer_info(&p).unacked, 0);
}
END_TEST

START_TEST(connections_take_turns)
{
	struct peer p, q;
	struct left l;

	peer_config()->sndbuf = 1 << 20;
	p = established(_i);
	q = another_peer(&p, PEER_PORT + 1);
	peer_opens(&q);
	user_accepts(&q);
	user_sends(&p, 50 * MSS);
	ck_leaves(&p, 0, 3);
	user_sends(&q, 3);
	ck_leaves(&p, 3, 7);
	l = leaves(&q);
	ck_assert_uint_eq(l.n, 3);
	peer_sends(&p, ". 1:1(0) ack %u", AT(10));
	peer_sends(&q, ". 1:1(0) ack 4");
	peer_ignores_all(&p);
}
END_TEST

/* A segment of more pieces than a frame has slices is a shorter one, and nothing is lost. */
START_TEST(text_in_tiny_pieces_leaves_all_the_same)
{
	static uint8_t piece[8 * MSS];
	struct peer p;
	uint32_t at = 1, end = 1 + sizeof piece;

	peer_config()->sndbuf = 1 << 20;
	peer_config()->small_frames = 1024;
	p = established(_i);
	for (uint32_t i = 0; i < sizeof piece; i++)
		piece[i] = stream_byte(1 + i);
	ck_assert_int_eq(tapir_setsockopt(p.t, p.sd, TAPIR_TCP_NODELAY, 1), 0);
	for (uint32_t i = 0; i < sizeof piece; i += 20)
		ck_assert_int_eq(tapir_send_borrowed(p.t, p.sd, piece + i, 20, NULL, NULL), 20);
	while (at < end) {
		struct left l = leaves(&p);

		ck_assert_uint_gt(l.n, 0);
		ck_assert_uint_le(l.n, MSS);
		ck_assert_uint_eq(l.at, at);
		at += l.n;
	}
	peer_sends(&p, ". 1:1(0) ack %u", end);
	ck_assert_uint_eq(peer_info(&p).unacked, 0);
}
END_TEST

Suite *suite(void)
{
	return peer_suite("bursts", (const TTest *[]){
		a_burst_is_one_decision_and_ten_segments, without_it_the_same_leaves, the_peers_window_ends_a_burst,
		the_last_one_is_short_and_has_psh_and_fin, an_ack_in_its_midst_does_not_disturb_it, a_rst_in_its_midst_ends_it,
		an_abort_in_its_midst_resets_where_it_stands,
		a_close_with_unread_text_in_its_midst_resets_where_it_stands, a_smaller_path_mtu_in_its_midst_ends_it,
		what_is_acknowledged_is_passed_over, a_timeout_in_its_midst_is_survived, connections_take_turns,
		text_in_tiny_pieces_leaves_all_the_same, NULL});
}
