/* test_hardening_memory.c: peers that read slowly, or not at all (RFC 9293 3.8.6.1; RFC 1122 4.2.2.17), cannot pin memory once the
 * program has let go: an orphan ends by rule (stack/tcp/orphan.c). */
#include "tests/support/peer.h"

/* A closed connection with n bytes queued, of which the peer takes none. */
static void becomes_an_orphan(struct peer *p, uint32_t n)
{
	user_sends(p, n);
	user_closes(p);
	peer_ignores_all(p);
	peer_sends(p, ". 1:1(0) ack 1 win 0");
	peer_ignores_all(p);
}

/* RFC 9293 3.8.6.1: the peer answers every probe with a closed window: so many probes, then a RST. */
START_TEST(an_orphan_with_a_closed_window_ends)
{
	struct peer p = established(_i);
	usec_t begin = peer_now(&p);

	becomes_an_orphan(&p, 20000);
	ck_assert_uint_gt(peer_usage(&p).small_frames + peer_usage(&p).large_frames, 0);
	for (int i = 0; i < 100 && peer_usage(&p).conns; i++) {
		peer_until_timer(&p);
		if (peer_usage(&p).conns && peer_ignores_all(&p))
			peer_sends(&p, ". 1:1(0) ack 1 win 0");
	}
	peer_ignores_all(&p);
	ck_assert_uint_eq(peer_usage(&p).conns, 0);
	ck_assert_uint_eq(peer_usage(&p).small_frames + peer_usage(&p).large_frames, 0);
	ck_assert_uint_le(peer_now(&p) - begin, 600 * TAPIR_SEC);
}
END_TEST

/* A window that opens by a byte whenever we give up hope: progress for ever, but config.orphan_us ends it, with a RST. */
START_TEST(an_orphan_that_is_read_byte_by_byte_ends)
{
	struct peer p;
	usec_t begin;
	uint32_t got = 1;

	peer_config()->orphan_us = 100 * TAPIR_SEC;		/* and 20 s for so many bytes */
	p = established(_i);
	begin = peer_now(&p);
	becomes_an_orphan(&p, 20000);
	while (peer_usage(&p).conns) {
		peer_advance(&p, TAPIR_SEC);
		ck_assert_uint_le(peer_now(&p) - begin, 121 * TAPIR_SEC);
		peer_ignores_all(&p);
		if (peer_usage(&p).conns)
			peer_sends(&p, ". 1:1(0) ack %u win 1", got < p.snd_nxt ? ++got : got);
	}
	ck_assert_uint_ge(peer_now(&p) - begin, 119 * TAPIR_SEC);
	ck_assert_uint_lt(got, 20000);
	ck_assert_uint_eq(peer_usage(&p).small_frames + peer_usage(&p).large_frames, 0);
}
END_TEST

START_TEST(an_orphan_that_takes_too_long_is_reset)
{
	struct peer p;

	peer_config()->orphan_us = 25 * TAPIR_SEC;		/* and 5 s for so many bytes */
	peer_config()->orphan_retries = 100;
	p = established(_i);
	becomes_an_orphan(&p, 5000);
	peer_advance(&p, 30 * TAPIR_SEC - 1);
	ck_assert_state(&p, TAPIR_TCP_FIN_WAIT_1);
	peer_ignores_all(&p);
	peer_advance(&p, 1);
	peer_expects(&p, "R *:*(0)");
	ck_assert_state(&p, TAPIR_TCP_CLOSED);
}
END_TEST

/* RFC 9293 3.6: what makes progress in time is not disturbed: it ends as it should. */
START_TEST(an_orphan_that_is_read_in_time_delivers_everything)
{
	struct peer p;
	uint32_t got = 1;

	peer_config()->orphan_us = 60 * TAPIR_SEC;
	p = established(_i);
	becomes_an_orphan(&p, 20000);
	while (got <= 20000) {
		peer_advance(&p, TAPIR_SEC);
		got = got + 1460 < 20001 ? got + 1460 : 20001;
		peer_sends(&p, ". 1:1(0) ack %u win 1460", got < p.snd_nxt ? got : p.snd_nxt);
		got = got < p.snd_nxt ? got : p.snd_nxt;
		peer_ignores_all(&p);
	}
	peer_sends(&p, ". 1:1(0) ack 20002");
	ck_assert_state(&p, TAPIR_TCP_FIN_WAIT_2);
	peer_sends(&p, "F. 1:1(0) ack 20002");
	peer_expects(&p, ". 20002:20002(0) ack 2");
	ck_assert_state(&p, TAPIR_TCP_TIME_WAIT);
}
END_TEST

/* RFC 9293 3.8.6.1 (MUST-37): as long as the program holds it, a closed window is no reason to end anything. */
START_TEST(a_connection_that_somebody_wants_may_wait_for_ever)
{
	struct peer p;

	peer_config()->orphan_us = 10 * TAPIR_SEC;
	p = established(_i);
	user_sends(&p, 5000);
	peer_ignores_all(&p);
	peer_sends(&p, ". 1:1(0) ack 1 win 0");
	for (int i = 0; i < 100; i++) {
		peer_until_timer(&p);
		if (peer_ignores_all(&p))
			peer_sends(&p, ". 1:1(0) ack 1 win 0");
	}
	ck_assert_state(&p, TAPIR_TCP_ESTABLISHED);
	ck_assert_uint_gt(peer_now(&p), 1000 * TAPIR_SEC + 3600 * TAPIR_SEC);
}
END_TEST

/* Every connection is taken, by orphans whose peers do not read: the oldest gives way to who comes, but not to a mere SYN, which
 * anybody could have sent. */
START_TEST(the_oldest_orphan_gives_way_when_connections_are_short)
{
	struct peer p, q, r;

	peer_config()->max_conns = 2;
	p = established(_i);
	becomes_an_orphan(&p, 5000);
	peer_advance(&p, TAPIR_SEC);
	peer_ignores_all(&p);
	q = another_peer(&p, PEER_PORT + 1);
	peer_opens(&q);
	user_accepts(&q);
	becomes_an_orphan(&q, 5000);
	r = another_peer(&p, PEER_PORT + 2);
	peer_sends(&r, "S 0:0(0) <mss 1460>");
	ck_assert_verdict(&r, ACCEPT);
	peer_expects(&r, "S. 0:0(0) ack 1");
	ck_assert_state(&p, TAPIR_TCP_FIN_WAIT_1);
	peer_sends(&r, ". 1:1(0) ack 1");
	peer_expects(&p, "R *:*(0)");
	ck_assert_state(&p, TAPIR_TCP_CLOSED);
	ck_assert_state(&q, TAPIR_TCP_FIN_WAIT_1);
	ck_assert_state(&r, TAPIR_TCP_ESTABLISHED);
}
END_TEST

/* Every buffer is taken by such orphans: the program that has something to send gets what the oldest of them holds; one whose
 * peer reads is left alone. */
START_TEST(orphans_that_nobody_reads_give_their_buffers_to_who_sends)
{
	struct peer p, q[6];
	uint32_t sent = 0;

	peer_config()->small_frames = 64;
	peer_config()->large_frames = 2;
	peer_config()->sndbuf = 30000;
	p = established(_i);
	for (uint16_t i = 0; i < 6; i++) {
		q[i] = another_peer(&p, (uint16_t)(PEER_PORT + 1 + i));
		peer_opens(&q[i]);
		user_accepts(&q[i]);
		while (user_send_result(&q[i], 1000) > 0)
			;
		user_closes(&q[i]);
		peer_ignores_all(&p);
		if (i != 1)
			peer_sends(&q[i], ". 1:1(0) ack 1 win 0");
		peer_ignores_all(&p);
	}
	while (user_send_result(&p, 1000) == 1000)
		sent++;
	ck_assert_uint_ge(sent, 29);
	peer_ignores_all(&p);
	ck_assert_state(&q[0], TAPIR_TCP_CLOSED);
	ck_assert_state(&q[1], TAPIR_TCP_FIN_WAIT_1);
}
END_TEST

Suite *suite(void)
{
	return peer_suite("hardening: memory", (const TTest *[]){
		an_orphan_with_a_closed_window_ends,
		an_orphan_that_is_read_byte_by_byte_ends,
		an_orphan_that_takes_too_long_is_reset,
		an_orphan_that_is_read_in_time_delivers_everything,
		a_connection_that_somebody_wants_may_wait_for_ever,
		the_oldest_orphan_gives_way_when_connections_are_short,
		orphans_that_nobody_reads_give_their_buffers_to_who_sends,
		NULL
	});
}
