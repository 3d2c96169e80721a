/* test_3_10_5_abort.c: the ABORT call (RFC 9293 3.10.5, 3.9.1.6) in each state: tapir_abort, and tapir_close with a
 * linger of 0. The descriptor is given back, so there is nobody left to hear of "connection reset" but the events that
 * are pending. */
#include "tests/support/peer.h"

static void ck_assert_all_gone(struct peer *p)
{
	struct tapir_usage u = peer_usage(p);

	ck_assert_state(p, TAPIR_TCP_CLOSED);
	ck_assert_uint_eq(u.conns, 0);
	ck_assert_uint_eq(u.timers, 0);
	peer_expects_nothing(p);
	ck_assert_uint_eq(u.time_wait, 0);
}

/* RFC 9293 3.10.5: CLOSED: no such connection for this process, or none at all. */
START_TEST(an_abort_in_closed_is_an_error_or_gives_back_the_descriptor)
{
	struct peer p = closed(_i);

	p.sd = tapir_socket(p.t, TAPIR_SOCK_STREAM);
	user_aborts(&p);
	ck_assert_error(tapir_abort(p.t, p.sd), TAPIR_EBADF);
	peer_expects_nothing(&p);
	p = established(_i);
	peer_sends(&p, "R 1:1(0)");
	user_aborts(&p);
	ck_assert_all_gone(&p);
}
END_TEST

/* RFC 9293 3.10.5: LISTEN: delete TCB, enter CLOSED state. */
START_TEST(an_abort_in_listen_ends_it)
{
	struct peer p = listening(_i);

	ck_assert_error(tapir_abort(p.t, p.listener), 0);
	p.listener = -1;
	peer_expects_nothing(&p);
	peer_sends(&p, "S 0:0(0)");
	ck_assert_verdict(&p, DROP_TCP_CLOSED);
	peer_expects(&p, "R. %d:%d(0) ack 1", peer_zero(&p), peer_zero(&p));
}
END_TEST

/* RFC 9293 3.10.5: SYN-SENT: queued SENDs are dropped, delete the TCB, enter CLOSED state. No RST: there is nobody
 * yet. */
START_TEST(an_abort_in_syn_sent_deletes_the_connection_silently)
{
	struct peer p = syn_sent(_i);

	user_sends(&p, 100);
	user_aborts(&p);
	ck_assert_all_gone(&p);
	ck_assert_states(&p, "CLOSED > SYN-SENT > CLOSED");
}
END_TEST

/* RFC 9293 3.10.5: SYN-RECEIVED: <SEQ=SND.NXT><CTL=RST>, CLOSED. */
START_TEST(an_abort_in_syn_received_sends_a_reset)
{
	struct peer p = syn_received_active(_i);

	user_aborts(&p);
	peer_expects(&p, "R 1:1(0)");
	ck_assert_all_gone(&p);
	ck_assert_states(&p, "CLOSED > SYN-SENT > SYN-RECEIVED > CLOSED");
}
END_TEST

/* RFC 9293 3.10.5: ESTABLISHED, FIN-WAIT-1, FIN-WAIT-2, CLOSE-WAIT: <SEQ=SND.NXT><CTL=RST>, CLOSED. */
START_TEST(an_abort_sends_a_reset_at_snd_nxt_in_each_state_with_half_a_connection_open)
{
	static const enum tapir_tcp_state states[] = {
		TAPIR_TCP_ESTABLISHED, TAPIR_TCP_FIN_WAIT_1, TAPIR_TCP_FIN_WAIT_2, TAPIR_TCP_CLOSE_WAIT
	};

	for (size_t i = 0; i < sizeof states / sizeof states[0]; i++) {
		struct peer p = peer_in(states[i], _i);
		uint32_t snd_nxt = p.snd_nxt;

		user_aborts(&p);
		peer_expects(&p, "R %u:%u(0)", snd_nxt, snd_nxt);
		ck_assert_all_gone(&p);
	}
}
END_TEST

/* RFC 9293 3.10.5: ESTABLISHED: all segments queued for transmission or retransmission are flushed, and nothing that
 * arrives later finds a connection. */
START_TEST(an_abort_flushes_what_was_queued_sent_and_received)
{
	struct peer p = established(_i);

	peer_sends(&p, "P. 1:11(10) ack 1");
	peer_expects(&p, ". 1:1(0) ack 11");
	peer_sends(&p, "P. 21:31(10) ack 1 win 1500");
	peer_expects(&p, ". 1:1(0) ack 11");
	user_sends(&p, 5000);
	peer_expects(&p, ". 1:1461(1460) ack 11");
	user_aborts(&p);
	peer_expects(&p, "R 1461:1461(0)");
	ck_assert_all_gone(&p);
	ck_assert_uint_eq(peer_usage(&p).small_frames, 0);
	peer_sends(&p, ". 11:11(0) ack 1461");
	ck_assert_verdict(&p, DROP_TCP_LISTEN_ACK);
	peer_expects(&p, "R 1461:1461(0)");
}
END_TEST

static int callback_errors, callback_ends;

static void on_error(struct tapir *t, tapir_sd sd, void *ctx, int error)
{
	(void)t;
	(void)sd;
	(void)ctx;
	(void)error;
	callback_errors++;
}

static void done(void *ctx, const uint8_t *bytes)
{
	(void)ctx;
	(void)bytes;
	callback_ends++;
}

/* RFC 9293 3.10.5: ESTABLISHED: queued SENDs are given back: the lender of borrowed bytes hears that they are free,
 * once. Handlers of the descriptor are not called any more. */
START_TEST(an_abort_gives_borrowed_text_back)
{
	static const struct tapir_handlers handlers = {.on_error = on_error};
	static const uint8_t text[100];
	struct peer p = established(_i);

	p.win = 0;
	peer_sends(&p, ". 1:1(0) ack 1");
	ck_assert_error(tapir_send_borrowed(p.t, p.sd, text, sizeof text, done, NULL), (int64_t)sizeof text);
	ck_assert_error(tapir_on(p.t, p.sd, &handlers, NULL), 0);
	user_aborts(&p);
	ck_assert_int_eq(callback_ends, 1);
	while (tapir_dispatch(p.t) > 0)
		;
	ck_assert_int_eq(callback_errors, 0);
	ck_assert_int_eq(callback_ends, 1);
	callback_ends = 0;
	peer_expects(&p, "R 1:1(0)");
}
END_TEST

/* RFC 9293 3.10.5: CLOSING, LAST-ACK, TIME-WAIT: "ok", delete the TCB, enter CLOSED state. No RST. */
START_TEST(an_abort_in_closing_last_ack_or_time_wait_deletes_the_connection_silently)
{
	static const enum tapir_tcp_state ending[] = {TAPIR_TCP_CLOSING, TAPIR_TCP_LAST_ACK, TAPIR_TCP_TIME_WAIT};

	for (size_t i = 0; i < sizeof ending / sizeof ending[0]; i++) {
		struct peer p = peer_in(ending[i], _i);

		user_aborts(&p);
		ck_assert_all_gone(&p);
	}
}
END_TEST

/* RFC 9293 3.9.1.6: a close with SO_LINGER 0 is an ABORT. */
START_TEST(a_close_with_a_linger_of_zero_is_an_abort)
{
	struct peer p = established(_i);

	ck_assert_error(tapir_setsockopt(p.t, p.sd, TAPIR_SO_LINGER, 0), 0);
	user_closes(&p);
	peer_expects(&p, "R 1:1(0)");
	ck_assert_all_gone(&p);
}
END_TEST

Suite *suite(void)
{
	return peer_suite("RFC 9293 3.10.5 ABORT", (const TTest *[]){
		an_abort_in_closed_is_an_error_or_gives_back_the_descriptor,
		an_abort_in_listen_ends_it,
		an_abort_in_syn_sent_deletes_the_connection_silently,
		an_abort_in_syn_received_sends_a_reset,
		an_abort_sends_a_reset_at_snd_nxt_in_each_state_with_half_a_connection_open,
		an_abort_flushes_what_was_queued_sent_and_received,
		an_abort_gives_borrowed_text_back,
		an_abort_in_closing_last_ack_or_time_wait_deletes_the_connection_silently,
		a_close_with_a_linger_of_zero_is_an_abort,
		NULL
	});
}
