/* test_socket_stream.c: the calls on stream sockets between two whole stacks: what POSIX says that each means, and every error
 * in stack/tapir.h. */
#include <stdlib.h>
#include "tests/support/pair_of_stacks.h"

static char buf[70000], text[70000];

static void set_up(void)
{
	pair_reset_config();
	pair_begin();
	for (size_t i = 0; i < sizeof text; i++)
		text[i] = (char)(i * 3 + i / 250);
}

static tapir_sd stream_of(int who)
{
	tapir_sd sd = tapir_socket(pair[who], TAPIR_SOCK_STREAM);

	ck_assert(sd >= 0);
	return sd;
}

static int binds(int who, tapir_sd sd, uint16_t port)
{
	struct tapir_endpoint local = {.port = port};

	return tapir_bind(pair[who], sd, &local);
}

static int connects(tapir_sd sd, uint16_t port)
{
	struct tapir_endpoint to = pair_endpoint(B, port);

	return tapir_connect(pair[A], sd, &to);
}

static int pending_error(int who, tapir_sd sd)
{
	int error = 1;

	ck_assert_result(tapir_getsockopt(pair[who], sd, TAPIR_SO_ERROR, &error), 0);
	return error;
}

static enum tapir_tcp_state state_of(int who, tapir_sd sd)
{
	struct tapir_tcp_info info;

	ck_assert_result(tapir_tcp_info(pair[who], sd, &info), 0);
	return info.state;
}

static void sends(int who, tapir_sd sd, const char *what)
{
	ck_assert_result(tapir_send(pair[who], sd, what, strlen(what)), (int64_t)strlen(what));
}

static void reads(int who, tapir_sd sd, const char *what)
{
	ck_assert_result(tapir_recv(pair[who], sd, buf, sizeof buf), (int64_t)strlen(what));
	ck_assert_mem_eq(buf, what, strlen(what));
}

static int64_t receives(int who, tapir_sd sd) { return tapir_recv(pair[who], sd, buf, sizeof buf); }

/* --- socket, descriptors --- */

START_TEST(a_new_stream_is_closed_unbound_and_unconnected)
{
	tapir_sd sd = stream_of(A);
	struct tapir_endpoint e;

	ck_assert_int_eq(state_of(A, sd), TAPIR_TCP_CLOSED);
	ck_assert_result(tapir_getsockname(pair[A], sd, &e), 0);
	ck_assert_uint_eq(e.port, 0);
	ck_assert(tapir_addr_is_any(&e.addr));
	ck_assert_result(tapir_getpeername(pair[A], sd, &e), TAPIR_ENOTCONN);
	ck_assert_result(tapir_send(pair[A], sd, "x", 1), TAPIR_ENOTCONN);
	ck_assert_result(receives(A, sd), TAPIR_ENOTCONN);
	ck_assert_result(tapir_send_borrowed(pair[A], sd, "x", 1, NULL, NULL), TAPIR_ENOTCONN);
	ck_assert_result(tapir_recv_peek(pair[A], sd, &(struct span){0}, 1), TAPIR_ENOTCONN);
	ck_assert_result(tapir_recv_consume(pair[A], sd, 0), TAPIR_ENOTCONN);
	ck_assert_result(tapir_shutdown(pair[A], sd, TAPIR_SHUT_WR), TAPIR_ENOTCONN);
	ck_assert_result(tapir_accept(pair[A], sd, NULL), TAPIR_EINVAL);
	ck_assert_result(tapir_close(pair[A], sd), 0);
}
END_TEST

START_TEST(there_are_two_types_of_socket_and_as_many_as_configured)
{
	tapir_sd sds[33];

	ck_assert_result(tapir_socket(pair[A], (enum tapir_sock_type)0), TAPIR_EINVAL);
	ck_assert_result(tapir_socket(pair[A], (enum tapir_sock_type)3), TAPIR_EINVAL);
	for (int i = 0; i < 32; i++)
		sds[i] = tapir_socket(pair[A], i % 2 ? TAPIR_SOCK_STREAM : TAPIR_SOCK_DGRAM);
	ck_assert_result(tapir_socket(pair[A], TAPIR_SOCK_STREAM), TAPIR_ENOMEM);
	for (int i = 0; i < 32; i++)
		for (int j = 0; j < i; j++)
			ck_assert(sds[i] >= 0 && sds[i] != sds[j]);
	ck_assert_result(tapir_close(pair[A], sds[7]), 0);
	sds[7] = stream_of(A);
	ck_assert_result(tapir_socket(pair[A], TAPIR_SOCK_STREAM), TAPIR_ENOMEM);
	for (int i = 0; i < 32; i++)
		ck_assert_result(tapir_close(pair[A], sds[i]), 0);
}
END_TEST

/* Every call on a descriptor that names nothing. */
static void every_call_says_ebadf(tapir_sd sd)
{
	struct tapir *t = pair[A];
	struct tapir_endpoint e = pair_endpoint(B, 7);
	struct tapir_handlers handlers = {0};
	struct tapir_tcp_info info;
	struct span span;
	int value;

	ck_assert_result(tapir_bind(t, sd, &e), TAPIR_EBADF);
	ck_assert_result(tapir_listen(t, sd, 1), TAPIR_EBADF);
	ck_assert_result(tapir_accept(t, sd, NULL), TAPIR_EBADF);
	ck_assert_result(tapir_connect(t, sd, &e), TAPIR_EBADF);
	ck_assert_result(tapir_send(t, sd, "x", 1), TAPIR_EBADF);
	ck_assert_result(tapir_sendto(t, sd, "x", 1, &e), TAPIR_EBADF);
	ck_assert_result(tapir_send_borrowed(t, sd, "x", 1, NULL, NULL), TAPIR_EBADF);
	ck_assert_result(tapir_recv(t, sd, buf, 1), TAPIR_EBADF);
	ck_assert_result(tapir_recvfrom(t, sd, buf, 1, &e), TAPIR_EBADF);
	ck_assert_result(tapir_recv_peek(t, sd, &span, 1), TAPIR_EBADF);
	ck_assert_result(tapir_recv_consume(t, sd, 0), TAPIR_EBADF);
	ck_assert_result(tapir_shutdown(t, sd, TAPIR_SHUT_WR), TAPIR_EBADF);
	ck_assert_result(tapir_close(t, sd), TAPIR_EBADF);
	ck_assert_result(tapir_abort(t, sd), TAPIR_EBADF);
	ck_assert_result(tapir_getsockname(t, sd, &e), TAPIR_EBADF);
	ck_assert_result(tapir_getpeername(t, sd, &e), TAPIR_EBADF);
	ck_assert_result(tapir_setsockopt(t, sd, TAPIR_SO_KEEPALIVE, 1), TAPIR_EBADF);
	ck_assert_result(tapir_getsockopt(t, sd, TAPIR_SO_TYPE, &value), TAPIR_EBADF);
	ck_assert_result(tapir_tcp_info(t, sd, &info), TAPIR_EBADF);
	ck_assert_result(tapir_poll(t, sd), TAPIR_EBADF);
	ck_assert_result(tapir_set_user(t, sd, NULL), TAPIR_EBADF);
	ck_assert_result(tapir_on(t, sd, &handlers, NULL), TAPIR_EBADF);
	ck_assert_result(tapir_pause(t, sd), TAPIR_EBADF);
	ck_assert_result(tapir_resume(t, sd), TAPIR_EBADF);
}

START_TEST(a_closed_descriptor_is_bad_for_ever_even_when_its_slot_is_used_again)
{
	tapir_sd sd = stream_of(A), next;

	ck_assert_result(tapir_close(pair[A], sd), 0);
	every_call_says_ebadf(sd);
	next = stream_of(A);
	ck_assert(next != sd);
	every_call_says_ebadf(sd);
	ck_assert_result(tapir_close(pair[A], next), 0);
	for (int i = 0; i < 100; i++) {
		next = stream_of(A);
		ck_assert(next != sd);
		ck_assert_result(tapir_poll(pair[A], sd), TAPIR_EBADF);
		tapir_close(pair[A], next);
	}
}
END_TEST

START_TEST(numbers_that_were_never_descriptors_are_bad)
{
	static const tapir_sd wrong[] = {0, 1, -1, -2, INT64_MIN, INT64_MAX, (tapir_sd)1 << 32 | 31,
					 (tapir_sd)1 << 32 | UINT32_MAX};
	tapir_sd sd = stream_of(A);

	for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
		every_call_says_ebadf(wrong[i]);
	tapir_close(pair[A], sd);
}
END_TEST

START_TEST(stream_calls_on_a_datagram_socket_are_not_supported)
{
	tapir_sd sd = tapir_socket(pair[A], TAPIR_SOCK_DGRAM);
	struct tapir_tcp_info info;
	struct span span;

	ck_assert_result(tapir_listen(pair[A], sd, 1), TAPIR_EOPNOTSUPP);
	ck_assert_result(tapir_accept(pair[A], sd, NULL), TAPIR_EOPNOTSUPP);
	ck_assert_result(tapir_send_borrowed(pair[A], sd, "x", 1, NULL, NULL), TAPIR_EOPNOTSUPP);
	ck_assert_result(tapir_recv_peek(pair[A], sd, &span, 1), TAPIR_EOPNOTSUPP);
	ck_assert_result(tapir_recv_consume(pair[A], sd, 1), TAPIR_EOPNOTSUPP);
	ck_assert_result(tapir_tcp_info(pair[A], sd, &info), TAPIR_EOPNOTSUPP);
	tapir_close(pair[A], sd);
}
END_TEST

/* --- bind, listen --- */

START_TEST(bind_takes_an_address_once)
{
	tapir_sd a = stream_of(A), b = stream_of(A);
	struct tapir_endpoint e = pair_endpoint(A, 80);

	ck_assert_result(tapir_bind(pair[A], a, &e), 0);
	ck_assert_result(tapir_getsockname(pair[A], a, &e), 0);
	ck_assert(e.port == 80 && tapir_addr_equal(&e.addr, &pair_config(A)->addr));
	ck_assert_result(tapir_bind(pair[A], a, &e), TAPIR_EINVAL);
	ck_assert_result(tapir_bind(pair[A], b, &e), TAPIR_EADDRINUSE);
	ck_assert_result(binds(A, b, 80), TAPIR_EADDRINUSE);
	e = pair_endpoint(B, 81);
	ck_assert_result(tapir_bind(pair[A], b, &e), TAPIR_EADDRNOTAVAIL);
	e = (struct tapir_endpoint){tapir_ipv4(127, 0, 0, 1), 81};
	ck_assert_result(tapir_bind(pair[A], b, &e), 0);
	tapir_close(pair[A], a);
	a = stream_of(A);
	ck_assert_result(binds(A, a, 80), 0);		/* close gave it back */
	tapir_close(pair[A], a);
	tapir_close(pair[A], b);
}
END_TEST

START_TEST(port_0_means_an_ephemeral_one)
{
	tapir_sd a = stream_of(A), b = stream_of(A);
	struct tapir_endpoint first, second;

	ck_assert_result(binds(A, a, 0), 0);
	ck_assert_result(tapir_listen(pair[A], b, 1), 0);	/* unbound: as if bound to 0 */
	tapir_getsockname(pair[A], a, &first);
	tapir_getsockname(pair[A], b, &second);
	ck_assert(first.port >= 49152 && second.port >= 49152 && first.port != second.port);
	tapir_close(pair[A], a);
	tapir_close(pair[A], b);
}
END_TEST

START_TEST(a_listening_socket_listens_and_does_nothing_else)
{
	tapir_sd sd = pair_listen(7, 3);
	struct tapir_endpoint to = pair_endpoint(A, 9);
	int value;

	ck_assert_int_eq(state_of(B, sd), TAPIR_TCP_LISTEN);
	ck_assert_result(tapir_getsockopt(pair[B], sd, TAPIR_SO_ACCEPTCONN, &value), 0);
	ck_assert_int_eq(value, 1);
	ck_assert_result(tapir_accept(pair[B], sd, NULL), TAPIR_EAGAIN);
	ck_assert_result(tapir_connect(pair[B], sd, &to), TAPIR_EOPNOTSUPP);
	ck_assert_result(tapir_send(pair[B], sd, "x", 1), TAPIR_ENOTCONN);
	ck_assert_result(receives(B, sd), TAPIR_ENOTCONN);
	ck_assert_result(tapir_listen(pair[B], sd, 5), 0);	/* changes the backlog */
	tapir_close(pair[B], sd);
}
END_TEST

START_TEST(a_connected_socket_neither_binds_nor_listens)
{
	struct pair_conn c = pair_connected(7);

	ck_assert_result(binds(A, c.sd[A], 99), TAPIR_EINVAL);
	ck_assert_result(tapir_listen(pair[A], c.sd[A], 1), TAPIR_EINVAL);
	ck_assert_result(tapir_accept(pair[A], c.sd[A], NULL), TAPIR_EINVAL);
	pair_close(&c);
}
END_TEST

/* --- accept --- */

START_TEST(accept_takes_the_oldest_and_names_its_peer)
{
	tapir_sd l = pair_listen(7, 5), a[3], b;
	struct tapir_endpoint peer, local;

	for (int i = 0; i < 3; i++) {
		a[i] = pair_connect(7);
		pair_carry();
	}
	for (int i = 0; i < 3; i++) {
		b = tapir_accept(pair[B], l, &peer);
		ck_assert(b >= 0);
		tapir_getsockname(pair[A], a[i], &local);
		ck_assert(peer.port == local.port && tapir_addr_equal(&peer.addr, &local.addr));
		tapir_getsockname(pair[B], b, &local);
		ck_assert(local.port == 7 && tapir_addr_equal(&local.addr, &pair_config(B)->addr));
		ck_assert_result(tapir_getpeername(pair[B], b, &local), 0);
		ck_assert_uint_eq(local.port, peer.port);
		tapir_close(pair[B], b);
		tapir_close(pair[A], a[i]);
	}
	ck_assert_result(tapir_accept(pair[B], l, &peer), TAPIR_EAGAIN);
	tapir_close(pair[B], l);
}
END_TEST

START_TEST(a_full_backlog_lets_the_next_connection_wait_until_there_is_room)
{
	tapir_sd l = pair_listen(7, 2), a[4], b[4];

	for (int i = 0; i < 4; i++)
		a[i] = pair_connect(7);
	pair_pass(100 * TAPIR_MS);
	b[0] = tapir_accept(pair[B], l, NULL);
	b[1] = tapir_accept(pair[B], l, NULL);
	ck_assert(b[0] >= 0 && b[1] >= 0);
	ck_assert_result(tapir_accept(pair[B], l, NULL), TAPIR_EAGAIN);
	pair_pass(10 * TAPIR_SEC);			/* SYN again, or the last ACK */
	b[2] = tapir_accept(pair[B], l, NULL);
	b[3] = tapir_accept(pair[B], l, NULL);
	ck_assert(b[2] >= 0 && b[3] >= 0);
	for (int i = 0; i < 4; i++) {
		ck_assert_int_eq(state_of(A, a[i]), TAPIR_TCP_ESTABLISHED);
		tapir_close(pair[A], a[i]);
		tapir_close(pair[B], b[i]);
	}
	tapir_close(pair[B], l);
}
END_TEST

START_TEST(accept_without_a_free_descriptor_keeps_the_connection_waiting)
{
	tapir_sd l = pair_listen(7, 5), a = pair_connect(7), taken[31], b;

	pair_carry();
	for (int i = 0; i < 31; i++)
		taken[i] = stream_of(B);
	pair_forget_events();
	ck_assert_result(tapir_accept(pair[B], l, NULL), TAPIR_ENOMEM);
	ck_assert_int_eq(pair_poll_event(B, l), NOT_LISTED);
	tapir_close(pair[B], taken[5]);
	ck_assert_int_eq(pair_poll_event(B, l), TAPIR_POLLIN);	/* now it can be taken */
	b = tapir_accept(pair[B], l, NULL);
	ck_assert(b >= 0);
	for (int i = 0; i < 31; i++)
		tapir_close(pair[B], taken[i]);
	tapir_close(pair[A], a);
	tapir_close(pair[B], b);
	tapir_close(pair[B], l);
}
END_TEST

START_TEST(closing_the_listener_resets_who_still_waits)
{
	tapir_sd l = pair_listen(7, 5), a = pair_connect(7);

	pair_carry();
	ck_assert_int_eq(state_of(A, a), TAPIR_TCP_ESTABLISHED);
	tapir_close(pair[B], l);
	pair_carry();
	ck_assert_result(receives(A, a), TAPIR_ECONNRESET);
	tapir_close(pair[A], a);
}
END_TEST

START_TEST(text_that_came_before_accept_is_there)
{
	tapir_sd l = pair_listen(7, 5), a = pair_connect(7), b;

	pair_carry();
	sends(A, a, "early");
	tapir_shutdown(pair[A], a, TAPIR_SHUT_WR);
	pair_carry();
	b = tapir_accept(pair[B], l, NULL);
	ck_assert_int_ne(pair_poll_event(B, b) & TAPIR_POLLIN, 0);
	reads(B, b, "early");
	ck_assert_result(receives(B, b), 0);
	tapir_close(pair[A], a);
	tapir_close(pair[B], b);
	tapir_close(pair[B], l);
}
END_TEST

/* --- connect --- */

START_TEST(connect_goes_on_in_the_background)
{
	tapir_sd l = pair_listen(7, 5), a = stream_of(A);

	ck_assert_result(connects(a, 7), TAPIR_EINPROGRESS);
	ck_assert_int_eq(tapir_poll(pair[A], a), 0);
	ck_assert_result(connects(a, 7), TAPIR_EALREADY);
	ck_assert_result(receives(A, a), TAPIR_EAGAIN);
	pair_forget_events();
	pair_carry();
	ck_assert_int_eq(pair_poll_event(A, a), TAPIR_POLLOUT);
	ck_assert_int_eq(pending_error(A, a), 0);
	ck_assert_result(connects(a, 7), TAPIR_EISCONN);
	tapir_close(pair[A], a);
	tapir_close(pair[B], l);
}
END_TEST

START_TEST(a_refused_connect_says_so_once_and_may_be_tried_again)
{
	tapir_sd a = stream_of(A), l;

	ck_assert_result(connects(a, 7), TAPIR_EINPROGRESS);
	pair_forget_events();
	pair_carry();
	ck_assert_int_ne(pair_poll_event(A, a) & TAPIR_POLLERR, 0);
	ck_assert_int_ne(tapir_poll(pair[A], a) & TAPIR_POLLHUP, 0);
	ck_assert_int_eq(pending_error(A, a), TAPIR_ECONNREFUSED);
	ck_assert_int_eq(pending_error(A, a), 0);
	l = pair_listen(7, 5);
	ck_assert_result(connects(a, 7), TAPIR_EINPROGRESS);
	pair_carry();
	ck_assert_int_eq(tapir_poll(pair[A], a), TAPIR_POLLOUT);
	tapir_close(pair[A], a);
	tapir_close(pair[B], l);
}
END_TEST

START_TEST(a_refused_connect_is_told_by_connect_recv_or_send_too)
{
	for (int i = 0; i < 3; i++) {
		tapir_sd a = pair_connect(7);

		pair_carry();
		ck_assert_result(i == 0 ? connects(a, 7) : i == 1 ? receives(A, a) : tapir_send(pair[A], a, "x", 1),
				 TAPIR_ECONNREFUSED);
		ck_assert_int_eq(pending_error(A, a), 0);
		tapir_close(pair[A], a);
	}
}
END_TEST

START_TEST(connect_times_out_when_nobody_answers)
{
	tapir_sd a = stream_of(A);

	pair_lose(pair_lose_all);
	ck_assert_result(connects(a, 7), TAPIR_EINPROGRESS);
	pair_pass(3 * 60 * TAPIR_SEC);
	ck_assert_int_eq(state_of(A, a), TAPIR_TCP_SYN_SENT);		/* RFC 9293 3.8.3 (MUST-23): three minutes at least */
	pair_pass(7 * 60 * TAPIR_SEC);
	ck_assert_result(receives(A, a), TAPIR_ETIMEDOUT);
	tapir_close(pair[A], a);
}
END_TEST

START_TEST(connect_says_why_it_cannot)
{
	tapir_sd a = stream_of(A);
	struct tapir_endpoint far = {tapir_ipv4(192, 0, 2, 1), 7}, all = {tapir_ipv4(255, 255, 255, 255), 7};
	struct tapir_endpoint group = {tapir_ipv4(224, 0, 0, 1), 7}, any = {.port = 7}, zero = pair_endpoint(B, 0);

	ck_assert_result(tapir_connect(pair[A], a, &far), TAPIR_ENETUNREACH);
	ck_assert_result(tapir_connect(pair[A], a, &all), TAPIR_ENETUNREACH);
	ck_assert_result(tapir_connect(pair[A], a, &group), TAPIR_ENETUNREACH);
	ck_assert_result(tapir_connect(pair[A], a, &any), TAPIR_ENETUNREACH);
	ck_assert_result(tapir_connect(pair[A], a, &zero), TAPIR_EINVAL);
	ck_assert_int_eq(state_of(A, a), TAPIR_TCP_CLOSED);
	tapir_close(pair[A], a);
}
END_TEST

START_TEST(connect_from_a_bound_port_uses_it_and_a_second_one_to_the_same_peer_is_refused)
{
	tapir_sd l = pair_listen(7, 5), a = stream_of(A), b = stream_of(A);
	struct tapir_endpoint local, to = pair_endpoint(B, 7);

	ck_assert_result(binds(A, a, 1234), 0);
	ck_assert_result(tapir_connect(pair[A], a, &to), TAPIR_EINPROGRESS);
	pair_carry();
	tapir_getsockname(pair[A], a, &local);
	ck_assert_uint_eq(local.port, 1234);
	ck_assert_result(binds(A, b, 1234), TAPIR_EADDRINUSE);
	tapir_close(pair[A], a);
	pair_carry();
	ck_assert_result(binds(A, b, 1234), 0);
	ck_assert_result(tapir_connect(pair[A], b, &to), TAPIR_EADDRINUSE);	/* the first still lives without a program */
	tapir_close(pair[A], b);
	tapir_close(pair[B], l);
}
END_TEST

START_TEST(closing_while_connecting_leaves_nothing)
{
	tapir_sd l = pair_listen(7, 5), a = pair_connect(7);
	struct tapir_usage u;

	tapir_close(pair[A], a);
	tapir_usage(pair[A], &u);
	ck_assert_uint_eq(u.conns, 0);
	pair_carry();
	tapir_close(pair[B], l);
}
END_TEST

START_TEST(a_stack_connects_to_itself)
{
	tapir_sd l = pair_listen(7, 5), a = tapir_socket(pair[B], TAPIR_SOCK_STREAM), b;
	struct tapir_endpoint to = {tapir_ipv4(127, 0, 0, 1), 7}, peer;

	ck_assert_result(tapir_connect(pair[B], a, &to), TAPIR_EINPROGRESS);
	pair_lose(pair_lose_all);		/* nothing of it may need the wire */
	pair_carry();
	b = tapir_accept(pair[B], l, &peer);
	ck_assert(b >= 0);
	sends(B, a, "hello me");
	pair_carry();
	reads(B, b, "hello me");
	tapir_close(pair[B], a);
	tapir_close(pair[B], b);
	tapir_close(pair[B], l);
}
END_TEST

/* --- send, recv --- */

START_TEST(bytes_arrive_in_order_without_borders)
{
	struct pair_conn c = pair_connected(7);

	ck_assert_result(receives(B, c.sd[B]), TAPIR_EAGAIN);
	sends(A, c.sd[A], "one ");
	sends(A, c.sd[A], "two ");
	sends(A, c.sd[A], "three");
	pair_carry();
	ck_assert_result(tapir_recv(pair[B], c.sd[B], buf, 6), 6);
	ck_assert_mem_eq(buf, "one tw", 6);
	ck_assert_result(tapir_recv(pair[B], c.sd[B], NULL, 0), 0);
	reads(B, c.sd[B], "o three");
	ck_assert_result(receives(B, c.sd[B]), TAPIR_EAGAIN);
	ck_assert_result(tapir_send(pair[A], c.sd[A], NULL, 0), 0);
	pair_close(&c);
}
END_TEST

START_TEST(text_sent_before_the_handshake_ends_waits_for_it)
{
	tapir_sd l = pair_listen(7, 5), a = pair_connect(7), b;

	sends(A, a, "early");			/* RFC 9293 3.10.2 SYN-SENT: queued */
	pair_carry();
	b = tapir_accept(pair[B], l, NULL);
	reads(B, b, "early");
	tapir_close(pair[A], a);
	tapir_close(pair[B], b);
	tapir_close(pair[B], l);
}
END_TEST

START_TEST(a_short_send_takes_what_fits_and_then_says_eagain)
{
	struct pair_conn c = pair_connected(7);
	size_t total = 0, read = 0;
	int64_t n;

	while ((n = tapir_send(pair[A], c.sd[A], text, sizeof text)) > 0) {
		total += (size_t)n;
		pair_carry();
	}
	ck_assert_result(n, TAPIR_EAGAIN);
	ck_assert_uint_ge(total, 65535);
	ck_assert_int_eq(tapir_poll(pair[A], c.sd[A]) & TAPIR_POLLOUT, 0);
	pair_forget_events();
	while (read < total) {
		n = receives(B, c.sd[B]);
		if (n == TAPIR_EAGAIN) {
			pair_pass(TAPIR_SEC);
			continue;
		}
		ck_assert_int_gt(n, 0);
		read += (size_t)n;
		pair_carry();
	}
	ck_assert_uint_eq(read, total);
	ck_assert_int_eq(pair_poll_event(A, c.sd[A]), TAPIR_POLLOUT);
	pair_close(&c);
}
END_TEST

START_TEST(recvfrom_on_a_stream_names_the_peer)
{
	struct pair_conn c = pair_connected(7);
	struct tapir_endpoint from;

	tapir_sendto(pair[B], c.sd[B], "x", 1, NULL);
	pair_carry();
	ck_assert_result(tapir_recvfrom(pair[A], c.sd[A], buf, 10, &from), 1);
	ck_assert(from.port == 7 && tapir_addr_equal(&from.addr, &pair_config(B)->addr));
	pair_close(&c);
}
END_TEST

START_TEST(peek_shows_the_bytes_where_they_lie_and_consume_takes_them)
{
	struct pair_conn c = pair_connected(7);
	struct span spans[8];
	size_t seen = 0;
	int n;

	ck_assert_result(tapir_recv_peek(pair[B], c.sd[B], spans, 8), TAPIR_EAGAIN);
	ck_assert_result(tapir_send(pair[A], c.sd[A], text, 5000), 5000);
	pair_carry();
	ck_assert_result(tapir_recv_peek(pair[B], c.sd[B], spans, 0), TAPIR_EINVAL);
	for (int round = 0; round < 2; round++) {	/* looking takes nothing */
		n = tapir_recv_peek(pair[B], c.sd[B], spans, 8);
		ck_assert(n >= 1 && n <= 8);
		seen = 0;
		for (int i = 0; i < n; i++) {
			ck_assert_mem_eq(spans[i].p, text + seen, spans[i].n);
			seen += spans[i].n;
		}
		ck_assert_uint_eq(seen, 5000);
	}
	ck_assert_result(tapir_recv_consume(pair[B], c.sd[B], 5001), TAPIR_EINVAL);
	ck_assert_result(tapir_recv_consume(pair[B], c.sd[B], 4990), 0);
	ck_assert_result(tapir_recv(pair[B], c.sd[B], buf, sizeof buf), 10);
	ck_assert_mem_eq(buf, text + 4990, 10);
	tapir_shutdown(pair[A], c.sd[A], TAPIR_SHUT_WR);
	pair_carry();
	ck_assert_result(tapir_recv_peek(pair[B], c.sd[B], spans, 8), 0);
	pair_close(&c);
}
END_TEST

/* --- borrowed --- */

static const uint8_t *given_back[8];
static int times;

static void note_done(void *ctx, const uint8_t *p)
{
	ck_assert_ptr_eq(ctx, given_back);
	ck_assert_int_lt(times, 8);
	given_back[times++] = p;
}

static int64_t lends(tapir_sd sd, size_t at, size_t n)
{
	return tapir_send_borrowed(pair[A], sd, text + at, n, note_done, given_back);
}

START_TEST(borrowed_bytes_are_given_back_once_when_all_of_them_are_acknowledged)
{
	struct pair_conn c = pair_connected(7);

	times = 0;
	ck_assert_result(lends(c.sd[A], 0, 3000), 3000);
	ck_assert_result(lends(c.sd[A], 3000, 2000), 2000);
	sends(A, c.sd[A], "copied");
	ck_assert_int_eq(times, 0);
	pair_carry();
	ck_assert_int_eq(times, 2);
	ck_assert_ptr_eq(given_back[0], text);
	ck_assert_ptr_eq(given_back[1], text + 3000);
	ck_assert_result(receives(B, c.sd[B]), 5006);
	ck_assert_mem_eq(buf, text, 5000);
	ck_assert_mem_eq(buf + 5000, "copied", 6);
	pair_close(&c);
	pair_pass(300 * TAPIR_SEC);
	ck_assert_int_eq(times, 2);
}
END_TEST

START_TEST(borrowed_bytes_are_given_back_when_the_connection_dies)
{
	struct pair_conn c = pair_connected(7);

	times = 0;
	pair_lose(pair_lose_all);
	ck_assert_result(lends(c.sd[A], 0, 3000), 3000);
	pair_carry();
	ck_assert_int_eq(times, 0);
	ck_assert_result(tapir_abort(pair[A], c.sd[A]), 0);
	ck_assert_int_eq(times, 1);
	pair_close(&c);
}
END_TEST

START_TEST(borrowed_bytes_outlive_a_close_until_they_are_acknowledged)
{
	struct pair_conn c = pair_connected(7);

	times = 0;
	ck_assert_result(lends(c.sd[A], 0, 3000), 3000);
	ck_assert_result(tapir_close(pair[A], c.sd[A]), 0);
	ck_assert_int_eq(times, 0);
	pair_carry();
	ck_assert_int_eq(times, 1);
	ck_assert_result(receives(B, c.sd[B]), 3000);
	pair_close(&c);
}
END_TEST

START_TEST(bytes_that_were_not_taken_stay_the_programs)
{
	struct pair_conn c = pair_connected(7);

	times = 0;
	ck_assert_result(lends(c.sd[A], 0, 0), TAPIR_EINVAL);
	pair_lose(pair_lose_all);
	while (tapir_send(pair[A], c.sd[A], text, 1000) > 0)
		;
	ck_assert_result(lends(c.sd[A], 0, 1000), TAPIR_EAGAIN);
	pair_lose(NULL);
	tapir_shutdown(pair[A], c.sd[A], TAPIR_SHUT_WR);
	ck_assert_result(lends(c.sd[A], 0, 1000), TAPIR_EPIPE);
	ck_assert_int_eq(times, 0);
	pair_close(&c);
	pair_pass(300 * TAPIR_SEC);
	ck_assert_int_eq(times, 0);
}
END_TEST

/* --- splice --- */

START_TEST(splice_sends_back_what_was_received)
{
	struct pair_conn c = pair_connected(7);

	ck_assert_result(tapir_splice(pair[B], c.sd[B], c.sd[B], sizeof text), TAPIR_EAGAIN);
	ck_assert_result(tapir_send(pair[A], c.sd[A], text, 20000), 20000);
	pair_carry();
	ck_assert_result(tapir_splice(pair[B], c.sd[B], c.sd[B], 0), 0);
	ck_assert_result(tapir_splice(pair[B], c.sd[B], c.sd[B], 100), 100);
	ck_assert_result(tapir_splice(pair[B], c.sd[B], c.sd[B], SIZE_MAX), 19900);
	ck_assert_result(tapir_splice(pair[B], c.sd[B], c.sd[B], SIZE_MAX), TAPIR_EAGAIN);
	pair_carry();
	ck_assert_result(receives(A, c.sd[A]), 20000);
	ck_assert_mem_eq(buf, text, 20000);
	tapir_shutdown(pair[A], c.sd[A], TAPIR_SHUT_WR);
	pair_carry();
	ck_assert_result(tapir_splice(pair[B], c.sd[B], c.sd[B], SIZE_MAX), 0);
	pair_close(&c);
}
END_TEST

START_TEST(splice_joins_two_connections)
{
	struct pair_conn one = pair_connected(7), other = pair_connected(8);

	ck_assert_result(tapir_send(pair[A], one.sd[A], text, 5000), 5000);
	pair_carry();
	ck_assert_result(tapir_splice(pair[B], one.sd[B], other.sd[B], 70000), 5000);
	pair_carry();
	ck_assert_result(receives(A, other.sd[A]), 5000);
	ck_assert_mem_eq(buf, text, 5000);
	ck_assert_result(receives(A, one.sd[A]), TAPIR_EAGAIN);
	pair_close(&one);
	pair_close(&other);
}
END_TEST

START_TEST(splice_moves_no_more_than_there_is_room_for_and_tells_when_there_is_again)
{
	struct pair_conn c = pair_connected(7);
	size_t moved = 0, back = 0;
	int64_t n;

	do {					/* A reads nothing: B's send buffer fills */
		while (tapir_send(pair[A], c.sd[A], text, 1000) > 0)
			;
		pair_carry();
		n = tapir_splice(pair[B], c.sd[B], c.sd[B], SIZE_MAX);
		moved += n > 0 ? (size_t)n : 0;
	} while (n > 0);
	ck_assert_result(n, TAPIR_EAGAIN);
	ck_assert(tapir_poll(pair[B], c.sd[B]) & TAPIR_POLLIN);
	ck_assert(!(tapir_poll(pair[B], c.sd[B]) & TAPIR_POLLOUT));
	pair_forget_events();
	while (back < moved && (n = receives(A, c.sd[A])) != 0) {
		back += n > 0 ? (size_t)n : 0;
		pair_pass(TAPIR_SEC);
	}
	ck_assert_uint_eq(back, moved);
	ck_assert_int_eq(pair_poll_event(B, c.sd[B]) & TAPIR_POLLOUT, TAPIR_POLLOUT);
	ck_assert_result(tapir_abort(pair[A], c.sd[A]), 0);
	pair_close(&c);
}
END_TEST

START_TEST(splice_says_why_it_cannot)
{
	struct pair_conn c = pair_connected(7);
	tapir_sd fresh = stream_of(B), datagram = tapir_socket(pair[B], TAPIR_SOCK_DGRAM);

	ck_assert_result(tapir_splice(pair[B], c.sd[B], -1, 1), TAPIR_EBADF);
	ck_assert_result(tapir_splice(pair[B], -1, c.sd[B], 1), TAPIR_EBADF);
	ck_assert_result(tapir_splice(pair[B], datagram, c.sd[B], 1), TAPIR_EOPNOTSUPP);
	ck_assert_result(tapir_splice(pair[B], c.sd[B], fresh, 1), TAPIR_ENOTCONN);
	ck_assert_result(tapir_splice(pair[B], fresh, c.sd[B], 1), TAPIR_ENOTCONN);
	sends(A, c.sd[A], "lost?");
	pair_carry();
	tapir_shutdown(pair[B], c.sd[B], TAPIR_SHUT_WR);
	ck_assert_result(tapir_splice(pair[B], c.sd[B], c.sd[B], 5), TAPIR_EPIPE);
	reads(B, c.sd[B], "lost?");		/* nothing is */
	tapir_close(pair[B], fresh);
	tapir_close(pair[B], datagram);
	pair_close(&c);
}
END_TEST

/* --- shutdown, close --- */

START_TEST(a_half_close_ends_one_direction_and_leaves_the_other)
{
	struct pair_conn c = pair_connected(7);

	sends(A, c.sd[A], "question");
	ck_assert_result(tapir_shutdown(pair[A], c.sd[A], TAPIR_SHUT_WR), 0);
	ck_assert_result(tapir_send(pair[A], c.sd[A], "x", 1), TAPIR_EPIPE);
	ck_assert_result(tapir_shutdown(pair[A], c.sd[A], TAPIR_SHUT_WR), 0);
	pair_carry();
	ck_assert_int_eq(state_of(A, c.sd[A]), TAPIR_TCP_FIN_WAIT_2);
	ck_assert_int_eq(state_of(B, c.sd[B]), TAPIR_TCP_CLOSE_WAIT);
	ck_assert_int_eq(tapir_poll(pair[B], c.sd[B]), TAPIR_POLLIN | TAPIR_POLLRDHUP | TAPIR_POLLOUT);
	reads(B, c.sd[B], "question");
	ck_assert_result(receives(B, c.sd[B]), 0);
	ck_assert_result(receives(B, c.sd[B]), 0);
	sends(B, c.sd[B], "answer");
	pair_carry();
	reads(A, c.sd[A], "answer");
	ck_assert_result(receives(A, c.sd[A]), TAPIR_EAGAIN);
	tapir_shutdown(pair[B], c.sd[B], TAPIR_SHUT_WR);
	pair_carry();
	ck_assert_result(receives(A, c.sd[A]), 0);
	ck_assert_int_ne(tapir_poll(pair[A], c.sd[A]) & TAPIR_POLLHUP, 0);
	pair_close(&c);
}
END_TEST

START_TEST(shut_rd_throws_away_what_arrives_and_keeps_sending)
{
	struct pair_conn c = pair_connected(7);

	sends(A, c.sd[A], "unread");
	pair_carry();
	ck_assert_result(tapir_shutdown(pair[B], c.sd[B], TAPIR_SHUT_RD), 0);
	ck_assert_result(receives(B, c.sd[B]), 0);
	for (int i = 0; i < 20; i++) {			/* more than the buffer holds: the window stays open */
		ck_assert_result(tapir_send(pair[A], c.sd[A], text, 20000), 20000);
		pair_carry();
		ck_assert_result(receives(B, c.sd[B]), 0);
	}
	sends(B, c.sd[B], "still here");
	pair_carry();
	reads(A, c.sd[A], "still here");
	ck_assert_result(tapir_shutdown(pair[B], c.sd[B], (enum tapir_shut)9), TAPIR_EINVAL);
	pair_close(&c);
}
END_TEST

START_TEST(close_is_graceful)
{
	struct pair_conn c = pair_connected(7);

	sends(A, c.sd[A], "last words");
	ck_assert_result(tapir_close(pair[A], c.sd[A]), 0);
	ck_assert_result(tapir_send(pair[A], c.sd[A], "x", 1), TAPIR_EBADF);
	pair_carry();
	reads(B, c.sd[B], "last words");
	ck_assert_result(receives(B, c.sd[B]), 0);
	pair_close(&c);
}
END_TEST

START_TEST(close_with_unread_bytes_is_a_reset)	/* RFC 1122 4.2.2.13 */
{
	struct pair_conn c = pair_connected(7);

	sends(B, c.sd[B], "unread");
	pair_carry();
	tapir_close(pair[A], c.sd[A]);
	pair_carry();
	ck_assert_result(receives(B, c.sd[B]), TAPIR_ECONNRESET);
	ck_assert_result(receives(B, c.sd[B]), 0);		/* told once */
	ck_assert_result(tapir_send(pair[B], c.sd[B], "x", 1), TAPIR_EPIPE);
	pair_close(&c);
}
END_TEST

START_TEST(abort_and_a_linger_of_0_are_resets)
{
	for (int i = 0; i < 2; i++) {
		struct pair_conn c = pair_connected(7);

		ck_assert_result(tapir_setsockopt(pair[A], c.sd[A], TAPIR_SO_LINGER, i ? 0 : -1), 0);
		ck_assert_result(i ? tapir_close(pair[A], c.sd[A]) : tapir_abort(pair[A], c.sd[A]), 0);
		pair_forget_events();
		pair_carry();
		ck_assert_int_eq(pair_poll_event(B, c.sd[B]), TAPIR_POLLIN | TAPIR_POLLOUT | TAPIR_POLLRDHUP | TAPIR_POLLHUP |
							      TAPIR_POLLERR);
		ck_assert_result(tapir_send(pair[B], c.sd[B], "x", 1), TAPIR_ECONNRESET);
		ck_assert_result(tapir_send(pair[B], c.sd[B], "x", 1), TAPIR_EPIPE);
		ck_assert_result(tapir_getpeername(pair[B], c.sd[B], &(struct tapir_endpoint){0}), TAPIR_ENOTCONN);
		pair_close(&c);
	}
}
END_TEST

START_TEST(what_arrived_before_a_reset_can_still_be_read)
{
	struct pair_conn c = pair_connected(7);

	sends(A, c.sd[A], "before");
	pair_carry();
	tapir_abort(pair[A], c.sd[A]);
	pair_carry();
	reads(B, c.sd[B], "before");
	ck_assert_result(receives(B, c.sd[B]), TAPIR_ECONNRESET);
	pair_close(&c);
}
END_TEST

START_TEST(the_same_port_serves_again_at_once_after_close)
{
	for (int i = 0; i < 3; i++) {
		struct pair_conn c = pair_connected(7);

		tapir_close(pair[B], c.sd[B]);		/* the server closes first: TIME-WAIT is its */
		pair_carry();
		ck_assert_result(receives(A, c.sd[A]), 0);
		pair_close(&c);
		pair_carry();
	}
}
END_TEST

START_TEST(without_reuseaddr_bind_waits_for_the_old_connections)
{
	struct pair_conn c = pair_connected(7);
	tapir_sd sd = stream_of(B);

	tapir_close(pair[B], c.sd[B]);
	pair_carry();
	pair_close(&c);
	pair_carry();
	ck_assert_result(tapir_setsockopt(pair[B], sd, TAPIR_SO_REUSEADDR, 0), 0);
	ck_assert_result(binds(B, sd, 7), TAPIR_EADDRINUSE);
	pair_pass(61 * TAPIR_SEC);			/* 2MSL */
	ck_assert_result(binds(B, sd, 7), 0);
	tapir_close(pair[B], sd);
}
END_TEST

Suite *suite(void)
{
	const TTest *const tests[] = {
		a_new_stream_is_closed_unbound_and_unconnected, there_are_two_types_of_socket_and_as_many_as_configured,
		a_closed_descriptor_is_bad_for_ever_even_when_its_slot_is_used_again, numbers_that_were_never_descriptors_are_bad,
		stream_calls_on_a_datagram_socket_are_not_supported, bind_takes_an_address_once, port_0_means_an_ephemeral_one,
		a_listening_socket_listens_and_does_nothing_else, a_connected_socket_neither_binds_nor_listens,
		accept_takes_the_oldest_and_names_its_peer, a_full_backlog_lets_the_next_connection_wait_until_there_is_room,
		accept_without_a_free_descriptor_keeps_the_connection_waiting, closing_the_listener_resets_who_still_waits,
		text_that_came_before_accept_is_there, connect_goes_on_in_the_background,
		a_refused_connect_says_so_once_and_may_be_tried_again, a_refused_connect_is_told_by_connect_recv_or_send_too,
		connect_times_out_when_nobody_answers, connect_says_why_it_cannot,
		connect_from_a_bound_port_uses_it_and_a_second_one_to_the_same_peer_is_refused,
		closing_while_connecting_leaves_nothing, a_stack_connects_to_itself, bytes_arrive_in_order_without_borders,
		text_sent_before_the_handshake_ends_waits_for_it, a_short_send_takes_what_fits_and_then_says_eagain,
		recvfrom_on_a_stream_names_the_peer, peek_shows_the_bytes_where_they_lie_and_consume_takes_them,
		borrowed_bytes_are_given_back_once_when_all_of_them_are_acknowledged,
		borrowed_bytes_are_given_back_when_the_connection_dies, borrowed_bytes_outlive_a_close_until_they_are_acknowledged,
		bytes_that_were_not_taken_stay_the_programs, splice_sends_back_what_was_received, splice_joins_two_connections,
		splice_moves_no_more_than_there_is_room_for_and_tells_when_there_is_again, splice_says_why_it_cannot,
		a_half_close_ends_one_direction_and_leaves_the_other,
		shut_rd_throws_away_what_arrives_and_keeps_sending, close_is_graceful, close_with_unread_bytes_is_a_reset,
		abort_and_a_linger_of_0_are_resets, what_arrived_before_a_reset_can_still_be_read,
		the_same_port_serves_again_at_once_after_close, without_reuseaddr_bind_waits_for_the_old_connections
	};
	Suite *s = suite_create("socket: streams");
	TCase *c = tcase_create("POSIX");

	tcase_add_checked_fixture(c, set_up, pair_end);
	tcase_set_timeout(c, 30);
	for (size_t i = 0; i < sizeof tests / sizeof tests[0]; i++)
		tcase_add_test(c, tests[i]);
	suite_add_tcase(s, c);
	return s;
}
