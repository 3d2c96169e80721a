/* test_tcp_tune.c: buffers that tune themselves (tcp/autotune.c): by what the program reads in a round trip, by the congestion
 * window, within the lent memory; and not at all when the program has set them. */
#include "tests/support/peer.h"

#define MSS 1460
#define FIRST 20000u		/* rcvbuf, sndbuf */
#define MOST 200000u		/* and what they may grow to */
#define RTT (100 * TAPIR_MS)
#define MAX_FRAMES 600

static uint32_t buffer(const struct peer *p, enum tapir_opt opt)
{
	int value;

	ck_assert_error(tapir_getsockopt(p->t, p->sd, opt, &value), 0);
	return (uint32_t)value;
}

static uint32_t rcvbuf(const struct peer *p) { return buffer(p, TAPIR_SO_RCVBUF); }
static uint32_t sndbuf(const struct peer *p) { return buffer(p, TAPIR_SO_SNDBUF); }

static void tuned(void)
{
	struct tapir_config *c = peer_config();

	c->sndbuf = c->rcvbuf = FIRST;
	c->sndbuf_max = c->rcvbuf_max = MOST;
	c->window_scale = true;
}

/* A connection to the listener whose handshake took RTT: the shift for 200000 is 2. */
static void opens_slowly(struct peer *p)
{
	peer_sends(p, "S 0:0(0) <mss 1460,wscale 0>");
	peer_expects(p, "S. 0:0(0) ack 1 win 20000 <mss 1460,wscale 2>");
	peer_advance(p, RTT);
	peer_sends(p, ". 1:1(0) ack 1");
	user_accepts(p);
}

static struct peer tuned_connection(int run)
{
	struct peer p;

	tuned();
	p = listening(run);
	opens_slowly(&p);
	return p;
}

/* The peer sends so many full segments, and the program reads all. */
static void reads(struct peer *p, uint32_t segments)
{
	for (uint32_t i = 0; i < segments; i++)
		peer_sends(p, ". %u:%u(1460) ack 1", p->received + 1 + i * MSS, p->received + 1 + (i + 1) * MSS);
	user_reads(p, segments * MSS);
	peer_ignores_all(p);
}

/* So many segments in each of so many round trips. */
static void reads_for(struct peer *p, uint32_t segments, int rounds)
{
	while (rounds--) {
		reads(p, segments);
		peer_advance(p, RTT);
	}
}

/* --- frames that somebody else holds ------------------------------------------------------------------------------ */

static struct tapir_frame *held[MAX_FRAMES];
static int held_count;

/* Holds so many of the small frames (512 in all). */
static void hold(struct peer *p, int n)
{
	while (held_count < n) {
		held[held_count] = tapir_frame_get(p->t);
		ck_assert_ptr_nonnull(held[held_count]);
		held_count++;
	}
}

static void let_go(struct peer *p)
{
	while (held_count)
		tapir_frame_put(p->t, held[--held_count]);
}

/* --- the receive buffer ------------------------------------------------------------------------------------------- */

/* RFC 7323 2.3: the shift is said once, so it is for the largest window that there may ever be. */
START_TEST(the_shift_is_chosen_for_the_largest_buffer)
{
	struct peer p;

	tuned();
	peer_config()->rcvbuf_max = 512 * 1024;
	p = closed(_i);
	user_connects(&p);
	peer_expects(&p, "S 0:0(0) win 20000 <mss 1460,wscale 4>");
}
END_TEST

START_TEST(the_shift_is_for_what_the_program_has_set)
{
	struct peer p;
	int value = 70000;

	tuned();
	p = listening(_i);
	ck_assert_error(tapir_setsockopt(p.t, p.listener, TAPIR_SO_RCVBUF, value), 0);
	peer_sends(&p, "S 0:0(0) <mss 1460,wscale 0>");
	peer_expects(&p, "S. 0:0(0) ack 1 win 65535 <mss 1460,wscale 1>");
}
END_TEST

/* No buffer grows beyond half of the storage: here 512 small frames and 8 large ones. */
START_TEST(the_shift_is_for_what_the_memory_allows)
{
	struct peer p;

	tuned();
	peer_config()->rcvbuf_max = 1 << 30;
	p = closed(_i);
	user_connects(&p);
	peer_expects(&p, "S 0:0(0) win 20000 <mss 1460,wscale 4>");
}
END_TEST

START_TEST(a_program_that_reads_more_each_round_trip_gets_room)
{
	struct peer p = tuned_connection(_i);

	reads_for(&p, 6, 1);
	ck_assert_uint_eq(rcvbuf(&p), FIRST);
	reads_for(&p, 12, 1);			/* the second round, with what was read in the first */
	ck_assert_uint_gt(rcvbuf(&p), 2 * 12 * MSS);
	ck_assert_uint_le(rcvbuf(&p), MOST);
	ck_assert_uint_eq(peer_events(&p, TAPIR_EV_BUFFER), 1);
	peer_sends(&p, ". %u:%u(1460) ack 1", p.received + 1, p.received + 1 + MSS);
	peer_expects(&p, ". 1:1(0) ack %u win %u", p.received + 1 + MSS, (rcvbuf(&p) - MSS) >> 2);
	user_reads(&p, MSS);
	peer_ignores_all(&p);
}
END_TEST

START_TEST(no_buffer_grows_beyond_its_limit)
{
	struct peer p = tuned_connection(_i);

	for (uint32_t n = 12; n < 60; n += 12)
		reads_for(&p, n > 13 ? 13 : n, 2);
	reads_for(&p, 100, 3);
	ck_assert_uint_eq(rcvbuf(&p), MOST);
	reads_for(&p, 130, 3);
	ck_assert_uint_eq(rcvbuf(&p), MOST);
}
END_TEST

/* A sender's first window in each round trip needs no more than there is. */
START_TEST(a_program_that_reads_little_keeps_the_first_size)
{
	struct peer p = tuned_connection(_i);

	reads_for(&p, 5, 50);
	ck_assert_uint_eq(rcvbuf(&p), FIRST);
}
END_TEST

START_TEST(a_program_that_does_not_read_gets_no_room)
{
	struct peer p = tuned_connection(_i);

	for (uint32_t i = 0; i < FIRST / MSS; i++, peer_advance(&p, RTT))
		peer_sends(&p, ". %u:%u(1460) ack 1", 1 + i * MSS, 1 + (i + 1) * MSS);
	peer_ignores_all(&p);
	ck_assert_uint_eq(rcvbuf(&p), FIRST);
	user_reads(&p, FIRST / MSS * MSS);
	peer_ignores_all(&p);
}
END_TEST

START_TEST(so_rcvbuf_ends_the_tuning)
{
	struct peer p = tuned_connection(_i);

	ck_assert_error(tapir_setsockopt(p.t, p.sd, TAPIR_SO_RCVBUF, 30000), 0);
	reads_for(&p, 13, 10);
	ck_assert_uint_eq(rcvbuf(&p), 30000);
}
END_TEST

/* Another option does not bring back the first size. */
START_TEST(other_options_leave_the_buffers_alone)
{
	struct peer p = tuned_connection(_i);
	uint32_t size;

	reads_for(&p, 13, 4);
	size = rcvbuf(&p);
	ck_assert_uint_gt(size, FIRST);
	ck_assert_error(tapir_setsockopt(p.t, p.sd, TAPIR_TCP_NODELAY, 1), 0);
	ck_assert_uint_eq(rcvbuf(&p), size);
}
END_TEST

START_TEST(rcvbuf_max_0_is_no_tuning)
{
	struct peer p;

	tuned();
	peer_config()->rcvbuf_max = 0;
	p = listening(_i);
	peer_sends(&p, "S 0:0(0) <mss 1460,wscale 0>");
	peer_expects(&p, "S. 0:0(0) ack 1 win 20000 <mss 1460,wscale 0>");
	peer_advance(&p, RTT);
	peer_sends(&p, ". 1:1(0) ack 1");
	user_accepts(&p);
	reads_for(&p, 13, 10);
	ck_assert_uint_eq(rcvbuf(&p), FIRST);
}
END_TEST

/* --- the receiver's RTT -------------------------------------------------------------------------------------------- */

START_TEST(the_handshake_gives_the_first_rtt)
{
	struct peer p = tuned_connection(_i);

	ck_assert_uint_eq(peer_info(&p).rcv_rtt_us, 0);
	reads(&p, 1);
	ck_assert_uint_eq(peer_info(&p).rcv_rtt_us, RTT);
	ck_assert_uint_eq(peer_info(&p).rcv_space, 10 * MSS);
}
END_TEST

/* A window that took 40 ms to arrive: the round trip is no longer. */
START_TEST(a_window_that_arrives_sooner_lowers_the_rtt)
{
	struct peer p = tuned_connection(_i);

	reads(&p, 1);
	peer_advance(&p, 40 * TAPIR_MS);
	reads(&p, 13);
	ck_assert_uint_eq(peer_info(&p).rcv_rtt_us, 40 * TAPIR_MS);
	peer_advance(&p, 80 * TAPIR_MS);
	reads(&p, 13);
	ck_assert_uint_eq(peer_info(&p).rcv_rtt_us, 40 * TAPIR_MS);
}
END_TEST

/* RFC 7323 4: the echo of what our ACK said tells how long ago that was. */
START_TEST(an_echoed_timestamp_moves_the_rtt)
{
	struct peer p;

	tuned();
	peer_config()->timestamps = true;
	p = established(_i);
	reads(&p, 1);
	ck_assert_uint_le(peer_info(&p).rcv_rtt_us, 1);		/* the handshake took no time */
	peer_advance(&p, 80 * TAPIR_MS);
	reads(&p, 1);
	ck_assert_uint_eq(peer_info(&p).rcv_rtt_us, 80 * TAPIR_MS / 8);
}
END_TEST

/* --- memory -------------------------------------------------------------------------------------------------------- */

START_TEST(when_half_of_the_frames_are_taken_nothing_grows)
{
	struct peer p = tuned_connection(_i);

	hold(&p, 256);
	reads_for(&p, 13, 10);
	ck_assert_uint_eq(rcvbuf(&p), FIRST);
	let_go(&p);
	reads_for(&p, 13, 1);
	ck_assert_uint_gt(rcvbuf(&p), FIRST);
}
END_TEST

/* RFC 9293 3.8.6.2.2 (SHLD-14): what was offered stays offered; the edge only waits until the smaller buffer gets there. */
START_TEST(when_memory_is_short_the_buffer_shrinks_and_the_window_does_not)
{
	struct peer p = tuned_connection(_i);
	uint32_t edge;

	reads_for(&p, 13, 5);
	reads(&p, 1);
	ck_assert_uint_gt(rcvbuf(&p), 3 * FIRST);
	edge = p.received + peer_info(&p).rcv_wnd;
	hold(&p, 400);
	reads(&p, 1);
	ck_assert_uint_eq(rcvbuf(&p), FIRST);
	ck_assert_uint_eq(p.received + peer_info(&p).rcv_wnd, edge);
	while (p.received + MSS <= edge)
		reads(&p, 1);
	ck_assert_uint_ge(p.received + peer_info(&p).rcv_wnd, edge);
	ck_assert_uint_le(peer_info(&p).rcv_wnd, FIRST);
	ck_assert_uint_ge(peer_info(&p).rcv_wnd, FIRST - 2 * MSS);
	let_go(&p);
}
END_TEST

/* There are fewer tuners than connections: who has not received for the longest gives way, and keeps its size. */
START_TEST(the_measure_of_the_most_idle_connection_gives_way)
{
	struct peer p[17];

	tuned();
	peer_config()->max_conns = 64;		/* 16 tuners */
	peer_config()->max_sockets = 32;
	p[0] = listening(_i);
	opens_slowly(&p[0]);
	reads_for(&p[0], 13, 4);
	ck_assert_uint_gt(rcvbuf(&p[0]), FIRST);
	for (uint16_t i = 1; i < 17; i++) {
		p[i] = another_peer(&p[0], (uint16_t)(PEER_PORT + i));
		opens_slowly(&p[i]);
		reads(&p[i], 1);
		if (i == 8)
			reads(&p[1], 1);	/* used again: the second is the next oldest */
	}
	ck_assert_uint_eq(peer_info(&p[0]).rcv_space, 0);
	ck_assert_uint_gt(rcvbuf(&p[0]), FIRST);
	for (int i = 1; i < 17; i++)
		ck_assert_uint_gt(peer_info(&p[i]).rcv_space, 0);
	reads(&p[0], 1);
	ck_assert_uint_gt(peer_info(&p[1]).rcv_space, 0);
	ck_assert_uint_eq(peer_info(&p[2]).rcv_space, 0);
}
END_TEST

/* --- the send buffer ------------------------------------------------------------------------------------------------ */

/* The program writes whatever fits, and the peer acknowledges it, so many times. */
static void writes(struct peer *p, int times)
{
	while (times--) {
		user_send_result(p, 1000000);
		peer_ignores_all(p);
		for (uint32_t left; (left = peer_info(p).unacked); peer_ignores_all(p))
			peer_sends(p, ". 1:1(0) ack %u win 65535",
				   p->sent + 1 - peer_info(p).notsent - (left > 2 * MSS ? left - 2 * MSS : 0));
	}
}

START_TEST(the_send_buffer_is_twice_what_was_in_flight)
{
	struct peer p = tuned_connection(_i);

	writes(&p, 1);
	ck_assert_uint_ge(sndbuf(&p), 20 * MSS);		/* RFC 6928: ten segments, twice */
	writes(&p, 3);
	ck_assert_uint_gt(sndbuf(&p), 40 * MSS);
	ck_assert_uint_le(sndbuf(&p), 2 * peer_info(&p).snd_cwnd);
	writes(&p, 20);
	ck_assert_uint_gt(peer_info(&p).snd_cwnd, MOST / 4);
	ck_assert_uint_le(sndbuf(&p), MOST);
}
END_TEST

/* However large the congestion window has become: a program that sends little needs no more. */
START_TEST(a_program_that_sends_little_keeps_the_first_send_buffer)
{
	peer_config()->nagle = false;
	struct peer p = tuned_connection(_i);

	for (int i = 0; i < 100; i++) {
		user_sends(&p, FIRST / 2);
		peer_ignores_all(&p);
		peer_sends(&p, ". 1:1(0) ack %u", p.sent + 1);
	}
	ck_assert_uint_eq(sndbuf(&p), FIRST);
}
END_TEST

START_TEST(so_sndbuf_ends_the_tuning)
{
	struct peer p = tuned_connection(_i);

	ck_assert_error(tapir_setsockopt(p.t, p.sd, TAPIR_SO_SNDBUF, (int)FIRST), 0);
	writes(&p, 10);
	ck_assert_uint_eq(sndbuf(&p), FIRST);
}
END_TEST

START_TEST(sndbuf_max_0_is_no_tuning)
{
	struct peer p;

	tuned();
	peer_config()->sndbuf_max = 0;
	p = listening(_i);
	opens_slowly(&p);
	writes(&p, 10);
	ck_assert_uint_eq(sndbuf(&p), FIRST);
}
END_TEST

START_TEST(when_memory_is_short_the_send_buffer_shrinks)
{
	struct peer p = tuned_connection(_i);
	uint32_t size;

	writes(&p, 3);
	size = sndbuf(&p);
	ck_assert_uint_gt(size, FIRST);
	hold(&p, 256);
	writes(&p, 3);
	ck_assert_uint_eq(sndbuf(&p), size);		/* tight: no more, no less */
	hold(&p, 400);
	ck_assert_int_le(user_send_result(&p, 1000000), FIRST);
	ck_assert_uint_eq(sndbuf(&p), FIRST);
	let_go(&p);
	peer_ignores_all(&p);
}
END_TEST

Suite *suite(void)
{
	return peer_suite("tcp tune", (const TTest *[]){
		the_shift_is_chosen_for_the_largest_buffer,
		the_shift_is_for_what_the_program_has_set,
		the_shift_is_for_what_the_memory_allows,
		a_program_that_reads_more_each_round_trip_gets_room,
		no_buffer_grows_beyond_its_limit,
		a_program_that_reads_little_keeps_the_first_size,
		a_program_that_does_not_read_gets_no_room,
		so_rcvbuf_ends_the_tuning,
		other_options_leave_the_buffers_alone,
		rcvbuf_max_0_is_no_tuning,
		the_handshake_gives_the_first_rtt,
		a_window_that_arrives_sooner_lowers_the_rtt,
		an_echoed_timestamp_moves_the_rtt,
		when_half_of_the_frames_are_taken_nothing_grows,
		when_memory_is_short_the_buffer_shrinks_and_the_window_does_not,
		the_measure_of_the_most_idle_connection_gives_way,
		the_send_buffer_is_twice_what_was_in_flight,
		a_program_that_sends_little_keeps_the_first_send_buffer,
		so_sndbuf_ends_the_tuning,
		sndbuf_max_0_is_no_tuning,
		when_memory_is_short_the_send_buffer_shrinks,
		NULL
	});
}
