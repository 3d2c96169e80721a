/* test_7413_fast_open.c: TCP Fast Open (RFC 7413 4), server and client: cookies, text on the SYN, and every way back to the
 * ordinary handshake. */
#include <stdio.h>
#include "tests/support/peer.h"
#include "tests/support/peer_world.h"

#define COOKIE "0102030405060708"

/* ---- server: RFC 7413 4.2.2 ------------------------------------------------------------------------------------ */

static void allows(struct peer *p, int pending)
{
	ck_assert_error(tapir_setsockopt(p->t, p->listener, TAPIR_TCP_FASTOPEN, pending), 0);
}

static struct peer server(int run, int pending)
{
	struct peer p;

	peer_config()->fastopen |= TAPIR_FASTOPEN_SERVER;
	p = listening(run);
	allows(&p, pending);
	return p;
}

/* The cookie in the frame that was expected last; "" if it has none. */
static const char *cookie_given(void)
{
	static char text[40];
	struct span frame = peer_last_frame();
	const uint8_t *tcp = frame.p + 20;
	size_t header = (size_t)(tcp[12] >> 4) * 4;

	text[0] = '\0';
	for (size_t i = 20; i < header && tcp[i] != 0; i += tcp[i] == 1 ? 1 : tcp[i + 1])
		for (int k = 0; tcp[i] == 34 && k < tcp[i + 1] - 2; k++)
			snprintf(text + 2 * k, 3, "%02x", tcp[i + 2 + (size_t)k]);
	return text;
}

/* The peer asks for a cookie and gets one; the connection is an ordinary one, and is over. */
static const char *fetch_cookie(struct peer *p)
{
	struct peer q = another_peer(p, 999);
	static char cookie[40];

	peer_sends(&q, "S 0:0(0) <mss 1460,FO>");
	peer_expects(&q, "S. 0:0(0) ack 1");
	ck_assert_uint_eq(strlen(cookie_given()), 16);
	strcpy(cookie, cookie_given());
	peer_sends(&q, "R 1:1(0)");
	return cookie;
}

/* RFC 7413 4.2.2: a request is answered with a cookie, 8 bytes long; the connection is as any other. */
START_TEST(who_asks_gets_a_cookie)
{
	struct peer p = server(_i, 5);

	peer_sends(&p, "S 0:10(10) <mss 1460,FO>");
	peer_expects(&p, "S. 0:0(0) ack 1");		/* without a cookie no text is taken */
	ck_assert_uint_eq(strlen(cookie_given()), 16);
	ck_assert_error(tapir_accept(p.t, p.listener, NULL), TAPIR_EAGAIN);
	peer_sends(&p, "P. 1:11(10) ack 1");
	peer_expects(&p, ". 1:1(0) ack 11");
	user_accepts(&p);
	user_reads(&p, 10);
	ck_assert(!peer_info(&p).syn_data);
}
END_TEST

/* RFC 7413 4.1.2: the cookie belongs to the client's address, whatever its port; and to this server's key. */
START_TEST(a_cookie_belongs_to_an_address)
{
	struct peer p = server(_i, 5), q = another_peer(&p, 1001), r = another_peer(&p, 1002);
	char first[40];

	strcpy(first, fetch_cookie(&p));
	ck_assert_str_eq(fetch_cookie(&p), first);
	q.path.src = 0x0a000003;
	peer_sends(&q, "S 0:10(10) <mss 1460,FO %s>", first);
	peer_expects(&q, "S. 0:0(0) ack 1");
	ck_assert_str_ne(cookie_given(), first);	/* its own, which it may use next time */
	peer_sends(&r, "S 0:10(10) <mss 1460,FO %s>", first);
	peer_expects(&r, "S. 0:0(0) ack 11");
	peer_ignores_all(&p);
	peer_config()->seed[0]++;
	p = server(_i, 5);
	ck_assert_str_ne(fetch_cookie(&p), first);
}
END_TEST

/* RFC 7413 4.1.2: for the same key the cookie is Linux' (the value is that of its packetdrill tests, for this key and these
 * addresses), so that both can stand behind one name. */
START_TEST(a_shared_key_gives_the_cookie_that_linux_gives)
{
	struct peer p;

	peer_config()->fastopen_key[0] = 0xb2b2b2b2a1a1a1a1;
	peer_config()->fastopen_key[1] = 0xd4d4d4d4c3c3c3c3;
	peer_config()->addr = tapir_ipv4(192, 168, 0, 1);
	peer_config()->gateway = tapir_ipv4(192, 168, 0, 254);
	p = server(_i, 5);
	p.path.dst = 0xc0a80001;
	p.path.src = 0xc0000201;
	peer_sends(&p, "S 0:0(0) <mss 1460,FO>");
	peer_expects(&p, "S. 0:0(0) ack 1 <mss 1460,FO 3021b9d889017eeb>");
	peer_advance(&p, 60 * 60 * TAPIR_SEC);
	peer_ignores_all(&p);
}
END_TEST

/* RFC 7413 4.2.2: with a good cookie the text on the SYN is acknowledged, delivered and answered before the handshake has
 * ended. */
START_TEST(text_on_the_syn_is_answered_before_the_handshake_has_ended)
{
	struct peer p = server(_i, 5);

	peer_sends(&p, "S 0:100(100) win 30000 <mss 1000,FO %s>", fetch_cookie(&p));
	ck_assert_verdict(&p, ACCEPT);
	user_accepts(&p);
	ck_assert_state(&p, TAPIR_TCP_SYN_RCVD);
	ck_assert_int_eq(tapir_poll(p.t, p.sd), TAPIR_POLLIN | TAPIR_POLLOUT);
	user_reads(&p, 100);
	user_sends(&p, 2500);
	peer_expects(&p, "S. 0:0(0) ack 101");
	ck_assert_str_eq(cookie_given(), "");
	peer_expects(&p, ". 1:1001(1000) ack 101");
	peer_expects(&p, ". 1001:2001(1000) ack 101");
	peer_expects(&p, "P. 2001:2501(500) ack 101");
	ck_assert_state(&p, TAPIR_TCP_SYN_RCVD);
	ck_assert_uint_eq(peer_info(&p).unacked, 2501);
	ck_assert_uint_eq(peer_info(&p).notsent, 0);
	peer_sends(&p, ". 101:101(0) ack 1001");
	ck_assert_state(&p, TAPIR_TCP_ESTABLISHED);
	peer_sends(&p, ". 101:101(0) ack 2501");
	ck_assert_states(&p, "LISTEN > SYN-RECEIVED > ESTABLISHED");
	ck_assert_uint_eq(peer_info(&p).unacked, 0);
	ck_assert(peer_info(&p).syn_data);
	peer_sends(&p, "P. 101:111(10) ack 2501");
	peer_expects(&p, ". 2501:2501(0) ack 111");
	user_reads(&p, 10);
}
END_TEST

START_TEST(a_cookie_without_text_opens_early_too)
{
	struct peer p = server(_i, 5);

	peer_sends(&p, "S 0:0(0) <mss 1460,FO %s>", fetch_cookie(&p));
	peer_expects(&p, "S. 0:0(0) ack 1");
	user_accepts(&p);
	ck_assert_error(user_recv_result(&p), TAPIR_EAGAIN);
	user_sends(&p, 10);
	peer_expects(&p, "P. 1:11(10) ack 1");
	peer_sends(&p, ". 1:1(0) ack 11");
	ck_assert_state(&p, TAPIR_TCP_ESTABLISHED);
	ck_assert(!peer_info(&p).syn_data);
}
END_TEST

/* RFC 7413 4.2.2: the initial window, and the peer's, are for text: our SYN, which is still under way, takes nothing of them. */
START_TEST(an_early_answer_may_fill_the_windows)
{
	struct peer p = server(_i, 5);

	peer_sends(&p, "S 0:100(100) win 10000 <mss 1000,FO %s>", fetch_cookie(&p));
	peer_expects(&p, "S. 0:0(0) ack 101");
	user_accepts(&p);
	user_sends(&p, 15000);
	ck_assert_uint_eq(peer_ignores_all(&p), 10);
	ck_assert_uint_eq(peer_info(&p).unacked, 10001);
}
END_TEST

/* RFC 7413 4.2.2: the third segment acknowledges the SYN alone: the answer's text was lost, and goes again. */
START_TEST(text_before_the_handshake_can_be_lost)
{
	struct peer p = server(_i, 5);

	peer_sends(&p, "S 0:100(100) <mss 1000,FO %s>", fetch_cookie(&p));
	user_accepts(&p);
	user_reads(&p, 100);
	user_sends(&p, 500);
	peer_expects(&p, "S. 0:0(0) ack 101");
	peer_expects(&p, "P. 1:501(500) ack 101");
	peer_sends(&p, ". 101:101(0) ack 1");
	ck_assert_state(&p, TAPIR_TCP_ESTABLISHED);
	peer_until_timer(&p);
	peer_expects(&p, "P. 1:501(500) ack 101");
	peer_sends(&p, ". 101:101(0) ack 501");
	ck_assert_uint_eq(peer_info(&p).unacked, 0);
}
END_TEST

/* RFC 7413 4.2.2: the SYN-ACK was lost: it is sent again, by our timer or for the peer's SYN, and acknowledges the text. */
START_TEST(the_syn_ack_is_sent_again_with_the_ack_of_the_text)
{
	struct peer p = server(_i, 5);

	peer_sends(&p, "S 0:100(100) <mss 1000,FO %s>", fetch_cookie(&p));
	peer_expects(&p, "S. 0:0(0) ack 101");
	peer_sends(&p, "S 0:0(0) <mss 1000>");			/* RFC 7413 4.1.3.1: without text, without option */
	peer_expects(&p, "S. 0:0(0) ack 101");
	peer_until_timer(&p);
	peer_expects(&p, "S. 0:0(0) ack 101");
	peer_sends(&p, ". 101:101(0) ack 1");
	user_accepts(&p);
	user_reads(&p, 100);
	ck_assert_state(&p, TAPIR_TCP_ESTABLISHED);
}
END_TEST

/* RFC 7413 4.2.2: the user closes before the handshake has ended: text and FIN leave, and the connection ends as any other. */
START_TEST(the_user_may_close_before_the_handshake_has_ended)
{
	struct peer p = server(_i, 5);

	peer_sends(&p, "S 0:100(100) <mss 1000,FO %s>", fetch_cookie(&p));
	user_accepts(&p);
	user_reads(&p, 100);
	user_sends(&p, 50);
	user_closes(&p);
	ck_assert_state(&p, TAPIR_TCP_FIN_WAIT_1);
	peer_expects(&p, "S. 0:0(0) ack 101");
	peer_expects(&p, "FP. 1:51(50) ack 101");
	peer_sends(&p, ". 101:101(0) ack 52");
	ck_assert_state(&p, TAPIR_TCP_FIN_WAIT_2);
	peer_sends(&p, "F. 101:101(0) ack 52");
	peer_expects(&p, ". 52:52(0) ack 102");
	ck_assert_state(&p, TAPIR_TCP_TIME_WAIT);
}
END_TEST

/* RFC 7413 4.2.2, RFC 9293 3.10.7.2 third: a FIN on the SYN is not taken with the text: it comes again. */
START_TEST(a_fin_on_the_syn_comes_again)
{
	struct peer p = server(_i, 5);

	peer_sends(&p, "SF 0:100(100) <mss 1000,FO %s>", fetch_cookie(&p));
	peer_expects(&p, "S. 0:0(0) ack 101");
	peer_sends(&p, "F. 101:101(0) ack 1");
	peer_expects(&p, ". 1:1(0) ack 102");
	ck_assert_states(&p, "LISTEN > SYN-RECEIVED > ESTABLISHED > CLOSE-WAIT");
	user_accepts(&p);
	user_reads(&p, 100);
	user_reads_end(&p);
}
END_TEST

/* RFC 7413 4.2.2: a wrong cookie: the text is not taken, and the right one is given. */
START_TEST(a_wrong_cookie_takes_no_text)
{
	static const char *const wrong[] = {COOKIE, "01020304", "01020304050607080910111213141516"};
	struct peer p = server(_i, 5);

	for (uint16_t i = 0; i < 3; i++) {
		struct peer q = another_peer(&p, (uint16_t)(1001 + i));

		peer_sends(&q, "S 0:100(100) <mss 1000,FO %s>", wrong[i]);
		peer_expects(&q, "S. 0:0(0) ack 1");
		ck_assert_uint_eq(strlen(cookie_given()), 16);
		peer_sends(&q, "R 1:1(0)");
	}
	ck_assert_str_eq(cookie_given(), fetch_cookie(&p));
	ck_assert_error(tapir_accept(p.t, p.listener, NULL), TAPIR_EAGAIN);
}
END_TEST

/* RFC 7413 4: off by default, for the instance and for the listener: the option is as unknown. */
START_TEST(a_server_takes_part_only_when_asked_to)
{
	struct peer p = listening(_i);

	allows(&p, 5);
	for (int k = 0; k < 2; k++) {
		peer_sends(&p, "S 0:10(10) <mss 1460,FO>");
		peer_expects(&p, "S. 0:0(0) ack 1 <mss 1460>");
		p = server(_i, 0);
	}
	peer_config()->fastopen |= TAPIR_FASTOPEN_SERVER_ALL;
	p = server(_i, 0);
	peer_sends(&p, "S 0:100(100) <mss 1000,FO %s>", fetch_cookie(&p));
	peer_expects(&p, "S. 0:0(0) ack 101");
}
END_TEST

START_TEST(among_friends_no_cookie_is_needed)
{
	struct peer p, q;

	peer_config()->fastopen = TAPIR_FASTOPEN_SERVER | TAPIR_FASTOPEN_SERVER_NO_COOKIE;
	p = listening(_i);
	allows(&p, 5);
	peer_sends(&p, "S 0:100(100) <mss 1000>");
	peer_expects(&p, "S. 0:0(0) ack 101 <mss 1460>");
	q = another_peer(&p, 1001);
	peer_sends(&q, "S 0:0(0) <mss 1000>");			/* nothing to take: an ordinary one */
	peer_expects(&q, "S. 0:0(0) ack 1 <mss 1460>");
	user_accepts(&p);
	ck_assert_error(tapir_accept(p.t, p.listener, NULL), TAPIR_EAGAIN);
	user_reads(&p, 100);
}
END_TEST

/* RFC 7413 5.1: so many and no more: the next is an ordinary SYN. A handshake that ends makes room. */
START_TEST(a_listener_bounds_what_is_open_early)
{
	struct peer p = server(_i, 2), q[4];
	const char *cookie = fetch_cookie(&p);

	for (uint16_t i = 0; i < 4; i++) {
		q[i] = another_peer(&p, (uint16_t)(1001 + i));
		peer_sends(&q[i], "S 0:100(100) <mss 1000,FO %s>", cookie);
		peer_expects(&q[i], "S. 0:0(0) ack %d", i < 2 ? 101 : 1);
	}
	peer_sends(&q[0], ". 101:101(0) ack 1");
	q[0] = another_peer(&p, 1010);
	peer_sends(&q[0], "S 0:100(100) <mss 1000,FO %s>", cookie);
	peer_expects(&q[0], "S. 0:0(0) ack 101");
	q[0] = another_peer(&p, 1011);
	peer_sends(&q[0], "S 0:100(100) <mss 1000,FO %s>", cookie);
	peer_expects(&q[0], "S. 0:0(0) ack 1");
}
END_TEST

/* RFC 7413 5.1: a RST does not make room for a minute: with one stolen cookie and a forged source an attacker would else have
 * a new place for each RST that the source sends. */
START_TEST(a_reset_makes_no_room_for_a_minute)
{
	struct peer p = server(_i, 1), q;
	const char *cookie = fetch_cookie(&p);

	peer_sends(&p, "S 0:100(100) <mss 1000,FO %s>", cookie);
	peer_expects(&p, "S. 0:0(0) ack 101");
	user_accepts(&p);
	peer_sends(&p, "R 101:101(0)");
	ck_assert_state(&p, TAPIR_TCP_CLOSED);
	user_reads(&p, 100);
	ck_assert_error(user_recv_result(&p), TAPIR_ECONNRESET);
	q = another_peer(&p, 1001);
	peer_advance(&p, 60 * TAPIR_SEC - 1);
	peer_sends(&q, "S 0:100(100) <mss 1000,FO %s>", cookie);
	peer_expects(&q, "S. 0:0(0) ack 1");
	peer_advance(&p, 1);
	q = another_peer(&p, 1002);
	peer_sends(&q, "S 0:100(100) <mss 1000,FO %s>", cookie);
	peer_expects(&q, "S. 0:0(0) ack 101");
}
END_TEST

/* RFC 9293 3.8.3: nobody answers the SYN-ACK: the connection ends, its user is told, and there is room again. */
START_TEST(a_handshake_that_never_ends_is_given_up)
{
	struct peer p = server(_i, 1), q;
	const char *cookie = fetch_cookie(&p);

	peer_sends(&p, "S 0:100(100) <mss 1000,FO %s>", cookie);
	user_accepts(&p);
	user_reads(&p, 100);
	user_sends(&p, 10);
	peer_advance(&p, 200 * TAPIR_SEC);
	peer_ignores_all(&p);
	ck_assert_state(&p, TAPIR_TCP_CLOSED);
	ck_assert_error(user_recv_result(&p), TAPIR_ETIMEDOUT);
	q = another_peer(&p, 1001);
	peer_sends(&q, "S 0:100(100) <mss 1000,FO %s>", cookie);
	peer_expects(&q, "S. 0:0(0) ack 101");
}
END_TEST

/* RFC 7413 5.1: a flood of SYNs fills the SYN queue: who has a Fast Open cookie needs no place in it, nor a SYN cookie. */
START_TEST(a_full_syn_queue_does_not_stop_who_has_a_cookie)
{
	struct peer p = server(_i, 5);
	const char *cookie = fetch_cookie(&p);

	for (uint16_t i = 0; i < 50; i++) {
		struct peer q = another_peer(&p, (uint16_t)(5000 + i));

		peer_sends(&q, "S 0:0(0) <mss 1460>");
		peer_ignores_all(&q);
	}
	peer_sends(&p, "S 0:100(100) <mss 1000,FO %s>", cookie);
	ck_assert_verdict(&p, ACCEPT);
	peer_expects(&p, "S. 0:0(0) ack 101");
	user_accepts(&p);
	user_reads(&p, 100);
}
END_TEST

/* RFC 5961 4.2, RFC 9293 3.10.7.4 fourth: an early connection has a user: a SYN in the window is challenged, where a half-open
 * one returns to LISTEN. */
START_TEST(a_blind_syn_does_not_end_an_early_connection)
{
	struct peer p = server(_i, 5);

	peer_sends(&p, "S 0:100(100) <mss 1000,FO %s>", fetch_cookie(&p));
	peer_expects(&p, "S. 0:0(0) ack 101");
	user_accepts(&p);
	peer_sends(&p, "S 500:500(0) <mss 1000>");
	ck_assert_verdict(&p, DROP_TCP_SYN_CHALLENGE);
	peer_expects(&p, ". 1:1(0) ack 101");
	ck_assert_state(&p, TAPIR_TCP_SYN_RCVD);
}
END_TEST

START_TEST(a_listener_that_closes_resets_what_is_open_early)
{
	struct peer p = server(_i, 5);

	peer_sends(&p, "S 0:100(100) <mss 1000,FO %s>", fetch_cookie(&p));
	peer_expects(&p, "S. 0:0(0) ack 101");
	ck_assert_error(tapir_close(p.t, p.listener), 0);
	p.listener = -1;
	peer_expects(&p, "R 1:1(0)");
	ck_assert_state(&p, TAPIR_TCP_CLOSED);
	ck_assert_uint_eq(peer_usage(&p).conns, 0);
}
END_TEST

/* RFC 9293 3.8.6: text beyond what the user lets us keep is left to come again. */
START_TEST(text_on_the_syn_is_taken_as_far_as_the_buffer_goes)
{
	struct peer p;
	struct tapir_tcp_info info;

	peer_config()->rcvbuf = 1024;
	p = server(_i, 5);
	peer_sends(&p, "S 0:1400(1400) <mss 1460,FO %s>", fetch_cookie(&p));
	peer_expects(&p, "S. 0:0(0) ack 1025 win 0");
	user_accepts(&p);
	info = peer_info(&p);
	ck_assert_uint_eq(info.unread, 1024);
	user_reads(&p, 1024);
	peer_expects(&p, ". 1:1(0) ack 1025 win 1024");
	peer_sends(&p, "P. 1025:1401(376) ack 1");
	peer_expects(&p, ". 1:1(0) ack 1401");
	user_reads(&p, 376);
}
END_TEST

/* ---- client: RFC 7413 4.2.1 ------------------------------------------------------------------------------------ */

/* connect() with TCP_FASTOPEN_CONNECT: what it returned. */
static int connects(struct peer *p)
{
	struct tapir_endpoint local = {.port = p->path.dst_port};
	struct tapir_endpoint remote = {tapir_ipv4(10, 0, 0, (uint8_t)p->path.src), p->path.src_port};

	p->sd = tapir_socket(p->t, TAPIR_SOCK_STREAM);
	peer_owns_socket(p->sd);
	ck_assert_error(tapir_bind(p->t, p->sd, &local), 0);
	ck_assert_error(tapir_setsockopt(p->t, p->sd, TAPIR_TCP_FASTOPEN_CONNECT, 1), 0);
	return tapir_connect(p->t, p->sd, &remote);
}

/* Over and forgotten, but for the cookie. */
static void ends(struct peer *p)
{
	user_aborts(p);
	peer_ignores_all(p);
	*p = another_peer(p, p->path.src_port);
	p->snd_nxt = 0;
}

/* A first connection, with which the client learns the cookie. */
static void learns(struct peer *p, unsigned mss)
{
	ck_assert_error(connects(p), TAPIR_EINPROGRESS);
	peer_expects(p, "S 0:0(0) <mss 1460,FO>");
	peer_sends(p, "S. 0:0(0) ack 1 <mss %u,FO %s>", mss, COOKIE);
	peer_expects(p, ". 1:1(0) ack 1");
	ck_assert_state(p, TAPIR_TCP_ESTABLISHED);
	ck_assert(!peer_info(p).syn_data);
	ends(p);
}

static struct peer client(int run)
{
	struct peer p = closed(run);

	learns(&p, 1460);
	return p;
}

/* RFC 7413 4.2.1: the first connection asks; the second waits for text, and takes it along. */
START_TEST(the_second_connection_takes_its_text_along)
{
	struct peer p = client(_i);

	ck_assert_error(connects(&p), 0);
	peer_expects_nothing(&p);
	ck_assert_state(&p, TAPIR_TCP_SYN_SENT);
	ck_assert_int_eq(tapir_poll(p.t, p.sd), TAPIR_POLLOUT);
	user_sends(&p, 100);
	ck_assert_int_eq(tapir_poll(p.t, p.sd), 0);
	peer_expects(&p, "S 0:100(100) <mss 1460,FO %s>", COOKIE);
	ck_assert_why(&p, "7413 4.2.1");
	peer_sends(&p, "S. 0:0(0) ack 101 <mss 1460>");
	peer_expects(&p, ". 101:101(0) ack 1");
	ck_assert_state(&p, TAPIR_TCP_ESTABLISHED);
	ck_assert(peer_info(&p).syn_data);
	ck_assert_uint_eq(peer_info(&p).unacked, 0);
	user_sends(&p, 10);
	peer_expects(&p, "P. 101:111(10) ack 1");
}
END_TEST

/* RFC 7413 4.2.1: a program that has nothing to say yet, and does not want to wait: the SYN shows the cookie, without text. */
START_TEST(a_send_of_nothing_lets_the_syn_go)
{
	struct peer p = client(_i);

	ck_assert_error(connects(&p), 0);
	peer_expects_nothing(&p);
	ck_assert_error(tapir_send(p.t, p.sd, "", 0), 0);
	peer_expects(&p, "S 0:0(0) <mss 1460,FO %s>", COOKIE);
	user_sends(&p, 10);
	peer_expects_nothing(&p);
	peer_sends(&p, "S. 0:0(0) ack 1 <mss 1460>");
	peer_expects(&p, "P. 1:11(10) ack 1");
	ck_assert(!peer_info(&p).syn_data);
}
END_TEST

/* connect() has said 0: to the program it is connected. */
START_TEST(a_second_connect_while_the_syn_waits_is_one_too_many)
{
	struct peer p = client(_i);
	struct tapir_endpoint remote = {tapir_ipv4(10, 0, 0, (uint8_t)p.path.src), p.path.src_port};

	ck_assert_error(connects(&p), 0);
	ck_assert_error(tapir_connect(p.t, p.sd, &remote), TAPIR_EISCONN);
	user_sends(&p, 10);
	peer_expects(&p, "S 0:10(10)");
	ck_assert_error(tapir_connect(p.t, p.sd, &remote), TAPIR_EALREADY);
}
END_TEST

/* RFC 7413 4.2.1, RFC 1191 6.4: what was too large for the path is the text: without it the SYN goes again at once. */
START_TEST(a_syn_that_a_router_finds_too_large_goes_again_bare)
{
	struct peer p = client(_i);

	ck_assert_error(connects(&p), 0);
	user_sends(&p, 1000);
	peer_expects(&p, "S 0:1000(1000)");
	peer_sends_icmp(&p, 3, 4, 840, 0);
	peer_expects(&p, "S 0:0(0) <mss 1460>");
	peer_sends(&p, "S. 0:0(0) ack 1 <mss 1460>");
	peer_expects(&p, ". 1:801(800) ack 1");
	peer_expects(&p, "P. 801:1001(200) ack 1");
}
END_TEST

/* RFC 7413 4.2.1: STATUS tells a request that went on the SYN from one that had to follow, be it in part. */
START_TEST(text_that_was_taken_in_part_is_not_what_status_calls_taken)
{
	struct peer p = client(_i);

	ck_assert_error(connects(&p), 0);
	user_sends(&p, 18);
	peer_expects(&p, "S 0:18(18)");
	peer_sends(&p, "S. 0:0(0) ack 10 <mss 1460>");
	peer_expects(&p, "P. 10:19(9) ack 1");
	ck_assert(!peer_info(&p).syn_data);
}
END_TEST

/* RFC 7413 4.2.1: as much as fits beside the options into the MSS that this peer said last; the rest follows the handshake. */
START_TEST(the_syn_takes_what_fits_into_the_peers_mss)
{
	static const unsigned sizes[] = {1460, 1000, 536, 200};	/* the least MSS that is believed is the default */

	for (size_t i = 0; i < 4; i++) {
		struct peer p = closed(_i);
		unsigned n = sizes[i] < 536 ? 496 : sizes[i] - 40;

		learns(&p, sizes[i]);
		ck_assert_error(connects(&p), 0);
		user_sends(&p, 3000);
		peer_expects(&p, "S 0:%u(%u) <mss 1460,FO %s>", n, n, COOKIE);
		peer_sends(&p, "S. 0:0(0) ack %u <mss 1460>", n + 1);
		peer_expects(&p, ". %u:%u(1460) ack 1", n + 1, n + 1461);
		peer_ignores_all(&p);
	}
}
END_TEST

/* RFC 7413 4.2.1: the server takes text and cookie but answers at once: its text with, or right behind, the SYN-ACK. */
START_TEST(the_answer_may_come_with_the_syn_ack)
{
	struct peer p = client(_i);

	ck_assert_error(connects(&p), 0);
	user_sends(&p, 100);
	peer_expects(&p, "S 0:100(100)");
	peer_sends(&p, "S. 0:50(50) ack 101 <mss 1460>");
	peer_expects(&p, ". 101:101(0) ack 51");
	peer_sends(&p, "FP. 51:61(10) ack 101");
	peer_expects(&p, ". 101:101(0) ack 62");
	user_reads(&p, 60);
	user_reads_end(&p);
}
END_TEST

/* RFC 7413 4.2.1: the SYN-ACK acknowledges the SYN alone: the text leaves again at once, all of it, as in any connection. */
START_TEST(text_that_was_not_taken_leaves_again)
{
	struct peer p = client(_i);

	ck_assert_error(connects(&p), 0);
	user_sends(&p, 1000);
	peer_expects(&p, "S 0:1000(1000)");
	peer_sends(&p, "S. 0:0(0) ack 1 <mss 1460>");
	peer_expects(&p, "P. 1:1001(1000) ack 1");
	ck_assert(!peer_info(&p).syn_data);
	peer_sends(&p, ". 1:1(0) ack 1001");
	ck_assert_uint_eq(peer_info(&p).unacked, 0);
	ends(&p);
	ck_assert_error(connects(&p), 0);			/* the cookie is kept: a server may just have been busy */
	user_sends(&p, 1000);
	peer_expects(&p, "S 0:1000(1000)");
	peer_sends(&p, "S. 0:0(0) ack 401 <mss 1460>");		/* and may take a part */
	peer_expects(&p, "P. 401:1001(600) ack 1");
	peer_sends(&p, ". 1:1(0) ack 1001");
	ck_assert_uint_eq(peer_info(&p).unacked, 0);
}
END_TEST

/* RFC 7413 4.1.3: a cookie that comes with such a SYN-ACK takes the old one's place. */
START_TEST(a_new_cookie_takes_the_place_of_the_old)
{
	struct peer p = client(_i);

	ck_assert_error(connects(&p), 0);
	user_sends(&p, 10);
	peer_expects(&p, "S 0:10(10) <mss 1460,FO %s>", COOKIE);
	peer_sends(&p, "S. 0:0(0) ack 1 <mss 1460,FO aabbccdd>");
	peer_expects(&p, "P. 1:11(10) ack 1");
	ends(&p);
	ck_assert_error(connects(&p), 0);
	user_sends(&p, 10);
	peer_expects(&p, "S 0:10(10) <mss 1460,FO aabbccdd>");
}
END_TEST

/* RFC 7413 4.1.3.1: the SYN is sent again without text and option. What then comes back tells what arrived. */
START_TEST(a_syn_that_is_sent_again_is_bare)
{
	struct peer p = client(_i);

	ck_assert_error(connects(&p), 0);
	user_sends(&p, 100);
	peer_expects(&p, "S 0:100(100)");
	ck_assert_uint_eq(peer_until_timer(&p), TAPIR_SEC);
	peer_expects(&p, "S 0:0(0) <mss 1460>");
	peer_sends(&p, "S. 0:0(0) ack 101 <mss 1460>");		/* the first had arrived, after all */
	peer_expects(&p, ". 101:101(0) ack 1");
	ck_assert_uint_eq(peer_info(&p).unacked, 0);
	ends(&p);
	ck_assert_error(connects(&p), 0);			/* which speaks for the path */
}
END_TEST

/* RFC 7413 4.1.3.1: something on the path eats SYNs with text: the peer is left alone for a minute, then two ... */
START_TEST(a_path_that_eats_text_is_left_alone_for_a_time_that_doubles)
{
	struct peer p = client(_i);
	usec_t wait_us = 60 * TAPIR_SEC;

	for (int k = 0; k < 9; k++) {
		ck_assert_error(connects(&p), 0);
		user_sends(&p, 100);
		peer_expects(&p, "S 0:100(100)");
		peer_until_timer(&p);
		peer_expects(&p, "S 0:0(0) <mss 1460>");
		peer_sends(&p, "S. 0:0(0) ack 1 <mss 1460>");
		peer_expects(&p, "P. 1:101(100) ack 1");
		ends(&p);
		peer_advance(&p, wait_us - 1);
		ck_assert_error(connects(&p), TAPIR_EINPROGRESS);
		peer_expects(&p, "S 0:0(0) <mss 1460>");	/* not even the question */
		ends(&p);
		peer_advance(&p, 1);
		wait_us *= k < 6 ? 2 : 1;
	}
	ck_assert_error(connects(&p), 0);
	user_sends(&p, 100);
	peer_expects(&p, "S 0:100(100)");
	peer_sends(&p, "S. 0:0(0) ack 101 <mss 1460>");		/* one success, and all is forgotten */
	peer_expects(&p, ". 101:101(0) ack 1");
	ends(&p);
	ck_assert_error(connects(&p), 0);
}
END_TEST

START_TEST(a_path_that_eats_the_question_is_left_alone_too)
{
	struct peer p = closed(_i);

	ck_assert_error(connects(&p), TAPIR_EINPROGRESS);
	peer_expects(&p, "S 0:0(0) <mss 1460,FO>");
	peer_until_timer(&p);
	peer_expects(&p, "S 0:0(0) <mss 1460>");
	peer_sends(&p, "S. 0:0(0) ack 1 <mss 1460>");
	peer_expects(&p, ". 1:1(0) ack 1");
	ends(&p);
	ck_assert_error(connects(&p), TAPIR_EINPROGRESS);
	peer_expects(&p, "S 0:0(0) <mss 1460>");
}
END_TEST

/* RFC 7413 4.1.3: the memory of cookies is bounded: with many servers the least recently used are forgotten, never more kept. */
START_TEST(the_clients_memory_is_bounded)
{
	struct peer p;
	int known = 0;

	peer_config()->fastopen_peers = 8;
	p = closed(_i);
	for (uint8_t k = 0; k < 24; k++) {
		struct peer q = another_peer(&p, PEER_PORT);

		q.path.src = 0x0a000010u + k;
		learns(&q, 1460);
		peer_advance(&p, TAPIR_SEC);
	}
	for (uint8_t k = 0; k < 24; k++) {
		struct peer q = another_peer(&p, PEER_PORT);

		q.path.src = 0x0a000010u + k;
		known += connects(&q) == 0;
		ends(&q);
	}
	ck_assert_int_le(known, 8);
	ck_assert_int_ge(known, 4);
	p.path.src = 0x0a000010u + 23;
	ck_assert_error(connects(&p), 0);
	peer_config()->fastopen_peers = 0;
	p = client(_i);
	ck_assert_error(connects(&p), TAPIR_EINPROGRESS);
	peer_ignores_all(&p);
}
END_TEST

START_TEST(a_client_takes_part_only_when_asked_to)
{
	struct peer p = syn_sent(_i);				/* the socket did not ask */

	ck_assert_str_eq(cookie_given(), "");
	peer_config()->fastopen = TAPIR_FASTOPEN_SERVER;
	p = closed(_i);
	ck_assert_error(connects(&p), TAPIR_EINPROGRESS);
	peer_expects(&p, "S 0:0(0) <mss 1460>");
	peer_sends(&p, "S. 0:0(0) ack 1 <mss 1460,FO %s>", COOKIE);	/* nor did our SYN */
	peer_expects(&p, ". 1:1(0) ack 1");
	peer_config()->fastopen = TAPIR_FASTOPEN_CLIENT | TAPIR_FASTOPEN_CLIENT_NO_COOKIE;
	p = closed(_i);
	ck_assert_error(connects(&p), 0);
	user_sends(&p, 10);
	peer_expects(&p, "S 0:10(10) <mss 1460>");
}
END_TEST

/* RFC 9293 3.10.4 SYN-SENT: nothing has left yet, and nothing does. */
START_TEST(a_connection_that_waits_for_text_can_be_closed)
{
	struct peer p = client(_i);

	ck_assert_error(connects(&p), 0);
	user_closes(&p);
	peer_expects_nothing(&p);
	ck_assert_uint_eq(peer_usage(&p).conns, 0);
}
END_TEST

START_TEST(a_refusal_is_a_refusal)
{
	struct peer p = client(_i);

	ck_assert_error(connects(&p), 0);
	user_sends(&p, 10);
	peer_expects(&p, "S 0:10(10)");
	peer_sends(&p, "R. 0:0(0) ack 11");
	ck_assert_error(user_pending_error(&p), TAPIR_ECONNREFUSED);
}
END_TEST

/* RFC 9293 3.5 figure 7: the SYNs cross, ours with text, which the peer may have kept or not: the timer finds out. */
START_TEST(crossing_syns_lose_no_text)
{
	struct peer p = client(_i);

	ck_assert_error(connects(&p), 0);
	user_sends(&p, 100);
	peer_expects(&p, "S 0:100(100)");
	peer_sends(&p, "S 0:0(0) <mss 1460>");
	peer_expects(&p, "S. 0:0(0) ack 1");
	peer_sends(&p, ". 1:1(0) ack 1");
	ck_assert_state(&p, TAPIR_TCP_ESTABLISHED);
	peer_expects(&p, "P. 1:101(100) ack 1");
	peer_sends(&p, ". 1:1(0) ack 101");
	ck_assert_uint_eq(peer_info(&p).unacked, 0);
}
END_TEST

Suite *suite(void)
{
	return peer_suite("RFC 7413 4", (const TTest *[]){
		who_asks_gets_a_cookie,
		a_cookie_belongs_to_an_address,
		a_shared_key_gives_the_cookie_that_linux_gives,
		text_on_the_syn_is_answered_before_the_handshake_has_ended,
		a_cookie_without_text_opens_early_too,
		an_early_answer_may_fill_the_windows,
		text_before_the_handshake_can_be_lost,
		the_syn_ack_is_sent_again_with_the_ack_of_the_text,
		the_user_may_close_before_the_handshake_has_ended,
		a_fin_on_the_syn_comes_again,
		a_wrong_cookie_takes_no_text,
		a_server_takes_part_only_when_asked_to,
		among_friends_no_cookie_is_needed,
		a_listener_bounds_what_is_open_early,
		a_reset_makes_no_room_for_a_minute,
		a_handshake_that_never_ends_is_given_up,
		a_full_syn_queue_does_not_stop_who_has_a_cookie,
		a_blind_syn_does_not_end_an_early_connection,
		a_listener_that_closes_resets_what_is_open_early,
		text_on_the_syn_is_taken_as_far_as_the_buffer_goes,
		the_second_connection_takes_its_text_along,
		a_send_of_nothing_lets_the_syn_go,
		a_second_connect_while_the_syn_waits_is_one_too_many,
		a_syn_that_a_router_finds_too_large_goes_again_bare,
		text_that_was_taken_in_part_is_not_what_status_calls_taken,
		the_syn_takes_what_fits_into_the_peers_mss,
		the_answer_may_come_with_the_syn_ack,
		text_that_was_not_taken_leaves_again,
		a_new_cookie_takes_the_place_of_the_old,
		a_syn_that_is_sent_again_is_bare,
		a_path_that_eats_text_is_left_alone_for_a_time_that_doubles,
		a_path_that_eats_the_question_is_left_alone_too,
		the_clients_memory_is_bounded,
		a_client_takes_part_only_when_asked_to,
		a_connection_that_waits_for_text_can_be_closed,
		a_refusal_is_a_refusal,
		crossing_syns_lose_no_text,
		NULL
	});
}
