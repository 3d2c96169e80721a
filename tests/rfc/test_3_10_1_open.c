/* test_3_10_1_open.c: the OPEN call (RFC 9293 3.10.1, 3.9.1.1) in each state, as tapir_listen and tapir_connect. */
#include "tests/support/peer.h"

static const struct tapir_endpoint the_peer = {
	.addr = {.b = {[10] = 0xff, [11] = 0xff, 10, 0, 0, 1}}, .port = PEER_PORT
};

static tapir_sd new_socket(const struct peer *p)
{
	tapir_sd sd = tapir_socket(p->t, TAPIR_SOCK_STREAM);

	ck_assert_int_ge(sd, 0);
	return sd;
}

/* What connect() says on a new socket that is then closed again. */
static int connect_result(const struct peer *p, struct tapir_addr addr, uint16_t port)
{
	struct tapir_endpoint to = {addr, port};
	tapir_sd sd = new_socket(p);
	int result = tapir_connect(p->t, sd, &to);

	ck_assert_error(tapir_close(p->t, sd), 0);
	return result;
}

/* RFC 9293 3.10.1: passive, CLOSED: enter the LISTEN state and return. No connection exists before a SYN makes one. */
START_TEST(a_passive_open_enters_listen_and_sends_nothing)
{
	struct peer p = closed(_i);
	int listens;

	user_listens(&p, 1);
	ck_assert_state(&p, TAPIR_TCP_LISTEN);
	ck_assert_error(tapir_getsockopt(p.t, p.listener, TAPIR_SO_ACCEPTCONN, &listens), 0);
	ck_assert_int_eq(listens, 1);
	ck_assert_uint_eq(peer_usage(&p).conns, 0);
	peer_expects_nothing(&p);
}
END_TEST

/* RFC 9293 3.10.1: passive, CLOSED: the unspecified parts of the remote socket are filled in by the SYN, and the local
 * address by where the SYN was sent (MUST-45). */
START_TEST(the_syn_fills_in_what_a_passive_open_left_unspecified)
{
	struct peer p = established(_i);
	struct tapir_endpoint local, remote;

	ck_assert_error(tapir_getpeername(p.t, p.listener, &remote), TAPIR_ENOTCONN);
	ck_assert_error(tapir_getpeername(p.t, p.sd, &remote), 0);
	ck_assert(tapir_addr_equal(&remote.addr, &the_peer.addr));
	ck_assert_uint_eq(remote.port, PEER_PORT);
	ck_assert_error(tapir_getsockname(p.t, p.listener, &local), 0);
	ck_assert(tapir_addr_is_any(&local.addr));
	ck_assert_error(tapir_getsockname(p.t, p.sd, &local), 0);
	ck_assert(tapir_addr_equal(&local.addr, &peer_config()->addr));
	ck_assert_uint_eq(local.port, STACK_PORT);
}
END_TEST

/* RFC 9293 3.10.1: active, CLOSED: <SEQ=ISS><CTL=SYN>, SND.UNA = ISS, SND.NXT = ISS+1, SYN-SENT. With an MSS option
 * (MUST-14, SHLD-5, MUST-67) and no ACK. */
START_TEST(an_active_open_sends_a_syn_with_the_iss_and_enters_syn_sent)
{
	struct peer p = closed(_i);

	user_connects(&p);
	peer_expects(&p, "S 0:0(0) win 65535 <mss 1460>");
	peer_expects_nothing(&p);
	ck_assert_states(&p, "CLOSED > SYN-SENT");
	ck_assert_state(&p, TAPIR_TCP_SYN_SENT);
	ck_assert_uint_eq(peer_info(&p).unacked, 1);
}
END_TEST

/* RFC 9293 3.10.1: active, CLOSED, and the remote socket is unspecified: "remote socket unspecified". */
START_TEST(an_active_open_without_a_remote_socket_is_an_error)
{
	struct peer p = closed(_i);

	ck_assert_error(connect_result(&p, tapir_ipv4(10, 0, 0, 1), 0), TAPIR_EINVAL);
	ck_assert_error(connect_result(&p, tapir_ipv4(0, 0, 0, 0), 80), TAPIR_ENETUNREACH);
	peer_expects_nothing(&p);
	ck_assert_uint_eq(peer_usage(&p).conns, 0);
}
END_TEST

/* RFC 9293 3.9.1.1 (MUST-46): an OPEN to a broadcast or multicast address is an error. */
START_TEST(an_active_open_to_a_broadcast_or_multicast_address_is_an_error)
{
	struct peer p = closed(_i);

	ck_assert_error(connect_result(&p, tapir_ipv4(255, 255, 255, 255), 80), TAPIR_ENETUNREACH);
	ck_assert_error(connect_result(&p, tapir_ipv4(10, 0, 0, 255), 80), TAPIR_ENETUNREACH);
	ck_assert_error(connect_result(&p, tapir_ipv4(224, 0, 0, 1), 80), TAPIR_ENETUNREACH);
	peer_expects_nothing(&p);
}
END_TEST

/* RFC 9293 3.10.1: CLOSED: the local socket belongs to somebody else: "connection illegal for this process". */
START_TEST(an_open_from_an_address_that_is_not_ours_is_an_error)
{
	struct peer p = listening(_i);
	struct tapir_endpoint foreign = {tapir_ipv4(10, 0, 0, 99), STACK_PORT}, taken = {.port = STACK_PORT};
	tapir_sd sd = new_socket(&p);

	ck_assert_error(tapir_bind(p.t, sd, &foreign), TAPIR_EADDRNOTAVAIL);
	ck_assert_error(tapir_bind(p.t, sd, &taken), TAPIR_EADDRINUSE);
	ck_assert_error(tapir_close(p.t, sd), 0);
}
END_TEST

/* RFC 9293 3.10.1: CLOSED: no room to create a new connection: "insufficient resources". */
START_TEST(an_open_without_room_for_a_connection_is_an_error)
{
	peer_config()->max_conns = 1;
	struct peer p = syn_sent(_i);

	ck_assert_error(connect_result(&p, tapir_ipv4(10, 0, 0, 1), 80), TAPIR_ENOMEM);
	ck_assert_state(&p, TAPIR_TCP_SYN_SENT);
	peer_expects_nothing(&p);
}
END_TEST

/* RFC 9293 3.9.1.1 (MUST-44): without a local address in the OPEN, IP is asked for the source; the port is an ephemeral
 * one. */
START_TEST(an_active_open_asks_ip_for_its_address_and_takes_an_ephemeral_port)
{
	struct peer p = closed(_i);
	struct tapir_endpoint local;

	p.sd = new_socket(&p);
	ck_assert_error(tapir_connect(p.t, p.sd, &the_peer), TAPIR_EINPROGRESS);
	ck_assert_error(tapir_getsockname(p.t, p.sd, &local), 0);
	ck_assert(tapir_addr_equal(&local.addr, &peer_config()->addr));
	ck_assert_uint_ge(local.port, peer_config()->port_first);
	p.path.dst_port = local.port;
	peer_expects(&p, "S 0:0(0)");
	ck_assert_error(tapir_abort(p.t, p.sd), 0);
}
END_TEST

/* RFC 9293 3.9.1.1 (MUST-43): an OPEN may name the local address. */
START_TEST(a_passive_open_may_name_the_local_address)
{
	struct peer p = closed(_i);
	struct tapir_endpoint local = {peer_config()->addr, STACK_PORT};

	p.listener = new_socket(&p);
	ck_assert_error(tapir_bind(p.t, p.listener, &local), 0);
	ck_assert_error(tapir_listen(p.t, p.listener, 1), 0);
	peer_opens(&p);
	ck_assert_error(tapir_close(p.t, p.listener), 0);
	peer_expects(&p, "R 1:1(0)");
}
END_TEST

/* RFC 9293 3.9.1.1 (MUST-42): LISTEN on a port while a connection with this local port is in SYN-SENT, and then
 * SYN-RECEIVED; (MUST-41): it goes on as if nothing had happened. */
START_TEST(a_port_with_a_connection_being_opened_can_be_listened_on_and_neither_disturbs_the_other)
{
	struct peer p = closed(_i), q;
	struct tapir_endpoint local;

	p.sd = new_socket(&p);
	ck_assert_error(tapir_connect(p.t, p.sd, &the_peer), TAPIR_EINPROGRESS);
	ck_assert_error(tapir_getsockname(p.t, p.sd, &local), 0);
	p.path.dst_port = local.port;
	peer_expects(&p, "S 0:0(0)");
	user_listens(&p, 1);
	ck_assert_state(&p, TAPIR_TCP_SYN_SENT);
	q = another_peer(&p, PEER_PORT + 1);
	peer_opens(&q);
	peer_sends(&p, "S 0:0(0) <mss 1460>");
	peer_expects(&p, "S. 0:0(0) ack 1");
	ck_assert_state(&p, TAPIR_TCP_SYN_RCVD);
	peer_sends(&p, ". 1:1(0) ack 1");
	ck_assert_state(&p, TAPIR_TCP_ESTABLISHED);
	ck_assert_state(&q, TAPIR_TCP_ESTABLISHED);
	ck_assert_error(tapir_abort(p.t, p.sd), 0);
	peer_expects(&p, "R 1:1(0)");
}
END_TEST

/* RFC 9293 3.10.1, 3.9.1.9 (MUST-48), 3.9.2 (MUST-49): the OPEN fills in the Diffserv field, and the TTL that IP shall
 * use. The default TTL is the instance's. */
START_TEST(the_diffserv_field_and_the_ttl_of_an_open_are_the_users)
{
	struct peer p = closed(_i);
	struct tapir_endpoint local = {.port = STACK_PORT};

	peer_config()->ttl = 99;
	p = syn_sent(_i);
	ck_assert_uint_eq(peer_last_frame().p[1], 0);
	ck_assert_uint_eq(peer_last_frame().p[8], 99);

	p = closed(_i);
	p.sd = new_socket(&p);
	ck_assert_error(tapir_bind(p.t, p.sd, &local), 0);
	ck_assert_error(tapir_setsockopt(p.t, p.sd, TAPIR_IP_TOS, 0xb8), 0);
	ck_assert_error(tapir_setsockopt(p.t, p.sd, TAPIR_IP_TTL, 7), 0);
	ck_assert_error(tapir_connect(p.t, p.sd, &the_peer), TAPIR_EINPROGRESS);
	peer_expects(&p, "S 0:0(0)");
	ck_assert_uint_eq(peer_last_frame().p[1], 0xb8);
	ck_assert_uint_eq(peer_last_frame().p[8], 7);
	ck_assert_error(tapir_abort(p.t, p.sd), 0);
}
END_TEST

/* RFC 9293 3.10.1: LISTEN: an active OPEN would turn the passive one into it. POSIX has no such call on a socket that
 * listens: it says EOPNOTSUPP, and LISTEN goes on. */
START_TEST(an_active_open_in_listen_is_refused_as_posix_says)
{
	struct peer p = listening(_i);

	ck_assert_error(tapir_connect(p.t, p.listener, &the_peer), TAPIR_EOPNOTSUPP);
	peer_expects_nothing(&p);
	peer_opens(&p);
	user_accepts(&p);
}
END_TEST

/* RFC 9293 3.10.1: LISTEN, passive again: only the backlog is new. */
START_TEST(a_passive_open_in_listen_sets_the_backlog)
{
	struct peer p = listening(_i), q, r;

	ck_assert_error(tapir_listen(p.t, p.listener, 1), 0);
	q = another_peer(&p, PEER_PORT + 1);
	r = another_peer(&p, PEER_PORT + 2);
	peer_opens(&q);
	peer_sends(&r, "S 0:0(0) <mss 1460>");
	ck_assert_verdict(&r, DROP_TCP_BACKLOG);
	peer_expects_nothing(&r);
	ck_assert_error(tapir_listen(p.t, p.listener, 2), 0);
	peer_opens(&r);
}
END_TEST

/* RFC 9293 3.10.1: SYN-SENT, SYN-RECEIVED: "connection already exists": it is being opened. */
START_TEST(an_open_in_syn_sent_or_syn_received_is_already_under_way)
{
	struct peer p = syn_sent(_i);

	ck_assert_error(tapir_connect(p.t, p.sd, &the_peer), TAPIR_EALREADY);
	ck_assert_error(tapir_listen(p.t, p.sd, 1), TAPIR_EINVAL);
	ck_assert_state(&p, TAPIR_TCP_SYN_SENT);
	p = syn_received_active(_i);
	ck_assert_error(tapir_connect(p.t, p.sd, &the_peer), TAPIR_EALREADY);
	ck_assert_error(tapir_listen(p.t, p.sd, 1), TAPIR_EINVAL);
	ck_assert_state(&p, TAPIR_TCP_SYN_RCVD);
	peer_expects_nothing(&p);
}
END_TEST

static const enum tapir_tcp_state synchronized[] = {
	TAPIR_TCP_ESTABLISHED, TAPIR_TCP_FIN_WAIT_1, TAPIR_TCP_FIN_WAIT_2, TAPIR_TCP_CLOSE_WAIT, TAPIR_TCP_CLOSING,
	TAPIR_TCP_LAST_ACK, TAPIR_TCP_TIME_WAIT
};
#define SYNCHRONIZED (sizeof synchronized / sizeof synchronized[0])

/* RFC 9293 3.10.1: ESTABLISHED, FIN-WAIT-1, FIN-WAIT-2, CLOSE-WAIT, CLOSING, LAST-ACK, TIME-WAIT: "connection already
 * exists", on the same socket. */
START_TEST(an_open_on_a_connected_socket_is_refused_in_each_state)
{
	for (size_t i = 0; i < SYNCHRONIZED; i++) {
		struct peer p = peer_in(synchronized[i], _i);

		ck_assert_error(tapir_connect(p.t, p.sd, &the_peer), TAPIR_EISCONN);
		ck_assert_error(tapir_listen(p.t, p.sd, 1), TAPIR_EINVAL);
		ck_assert_state(&p, synchronized[i]);
		peer_expects_nothing(&p);
	}
}
END_TEST

/* RFC 9293 3.10.1: ESTABLISHED, FIN-WAIT-1, FIN-WAIT-2, CLOSE-WAIT, CLOSING, LAST-ACK, TIME-WAIT: "connection already
 * exists": another socket cannot open the same pair of sockets a second time. */
START_TEST(an_open_of_a_pair_of_sockets_that_is_connected_is_refused_in_each_state)
{
	for (size_t i = 0; i < SYNCHRONIZED; i++) {
		struct peer p = peer_in(synchronized[i], _i);
		struct tapir_endpoint local = {.port = STACK_PORT};
		tapir_sd other = new_socket(&p);

		ck_assert_error(tapir_close(p.t, p.listener), 0);
		ck_assert_error(tapir_bind(p.t, other, &local), 0);
		ck_assert_error(tapir_connect(p.t, other, &the_peer), TAPIR_EADDRINUSE);
		ck_assert_error(tapir_close(p.t, other), 0);
		ck_assert_state(&p, synchronized[i]);
		peer_expects_nothing(&p);
	}
}
END_TEST

Suite *suite(void)
{
	return peer_suite("RFC 9293 3.10.1 OPEN", (const TTest *[]){
		a_passive_open_enters_listen_and_sends_nothing,
		the_syn_fills_in_what_a_passive_open_left_unspecified,
		an_active_open_sends_a_syn_with_the_iss_and_enters_syn_sent,
		an_active_open_without_a_remote_socket_is_an_error,
		an_active_open_to_a_broadcast_or_multicast_address_is_an_error,
		an_open_from_an_address_that_is_not_ours_is_an_error,
		an_open_without_room_for_a_connection_is_an_error,
		an_active_open_asks_ip_for_its_address_and_takes_an_ephemeral_port,
		a_passive_open_may_name_the_local_address,
		a_port_with_a_connection_being_opened_can_be_listened_on_and_neither_disturbs_the_other,
		the_diffserv_field_and_the_ttl_of_an_open_are_the_users,
		an_active_open_in_listen_is_refused_as_posix_says,
		a_passive_open_in_listen_sets_the_backlog,
		an_open_in_syn_sent_or_syn_received_is_already_under_way,
		an_open_on_a_connected_socket_is_refused_in_each_state,
		an_open_of_a_pair_of_sockets_that_is_connected_is_refused_in_each_state,
		NULL
	});
}
