/* test_3_10_6_status.c: the STATUS call (RFC 9293 3.10.6, 3.9.1.5) in each state, as tapir_tcp_info. */
#include "tests/support/peer.h"

/* RFC 9293 3.10.6: CLOSED: no such connection for this process. A socket that was never connected is in CLOSED too. */
START_TEST(status_in_closed_is_an_error_or_says_closed)
{
	struct peer p = closed(_i);
	struct tapir_tcp_info info;
	tapir_sd sd = tapir_socket(p.t, TAPIR_SOCK_STREAM), udp = tapir_socket(p.t, TAPIR_SOCK_DGRAM);

	ck_assert_error(tapir_tcp_info(p.t, sd, &info), 0);
	ck_assert_int_eq(info.state, TAPIR_TCP_CLOSED);
	ck_assert_error(tapir_tcp_info(p.t, udp, &info), TAPIR_EOPNOTSUPP);
	ck_assert_error(tapir_close(p.t, sd), 0);
	ck_assert_error(tapir_close(p.t, udp), 0);
	ck_assert_error(tapir_tcp_info(p.t, sd, &info), TAPIR_EBADF);
	p = established(_i);
	peer_sends(&p, "R 1:1(0)");
	ck_assert_int_eq(peer_info(&p).state, TAPIR_TCP_CLOSED);
}
END_TEST

/* RFC 9293 3.10.6: LISTEN: "state = LISTEN". */
START_TEST(status_in_listen_says_listen)
{
	struct peer p = listening(_i);
	struct tapir_tcp_info info;

	ck_assert_error(tapir_tcp_info(p.t, p.listener, &info), 0);
	ck_assert_str_eq(tapir_tcp_state_name(info.state), "LISTEN");
	ck_assert_uint_eq(info.local.port, STACK_PORT);
	ck_assert_uint_eq(info.peer.port, 0);
}
END_TEST

/* RFC 9293 3.10.6: SYN-SENT, SYN-RECEIVED, ESTABLISHED, FIN-WAIT-1, FIN-WAIT-2, CLOSE-WAIT, CLOSING, LAST-ACK,
 * TIME-WAIT: "state = " its name, as the RFC writes it, and both sockets. */
START_TEST(status_names_the_state_in_each_state)
{
	static const char *const names[] = {
		[TAPIR_TCP_SYN_SENT] = "SYN-SENT", [TAPIR_TCP_SYN_RCVD] = "SYN-RECEIVED", [TAPIR_TCP_ESTABLISHED] = "ESTABLISHED",
		[TAPIR_TCP_FIN_WAIT_1] = "FIN-WAIT-1", [TAPIR_TCP_FIN_WAIT_2] = "FIN-WAIT-2",
		[TAPIR_TCP_CLOSE_WAIT] = "CLOSE-WAIT", [TAPIR_TCP_CLOSING] = "CLOSING", [TAPIR_TCP_LAST_ACK] = "LAST-ACK",
		[TAPIR_TCP_TIME_WAIT] = "TIME-WAIT"
	};

	for (enum tapir_tcp_state s = TAPIR_TCP_SYN_SENT; s <= TAPIR_TCP_TIME_WAIT; s++) {
		struct peer p = s == TAPIR_TCP_SYN_RCVD ? syn_received_active(_i) : peer_in(s, _i);
		struct tapir_tcp_info info = peer_info(&p);

		ck_assert_str_eq(tapir_tcp_state_name(info.state), names[s]);
		ck_assert_uint_eq(info.local.port, STACK_PORT);
		ck_assert(tapir_addr_equal(&info.local.addr, &peer_config()->addr));
		ck_assert_uint_eq(info.peer.port, PEER_PORT);
	}
}
END_TEST

/* RFC 9293 3.9.1.5: STATUS tells the windows, and the numbers of buffers awaiting acknowledgment and pending receipt.
 * */
START_TEST(status_tells_windows_and_what_waits_in_established)
{
	struct peer p = established(_i);
	struct tapir_tcp_info info;

	p.win = 2000;
	peer_sends(&p, "P. 1:101(100) ack 1");
	peer_expects(&p, ". 1:1(0) ack 101");
	user_sends(&p, 3000);
	peer_expects(&p, ". 1:1461(1460) ack 101");
	info = peer_info(&p);
	ck_assert_uint_eq(info.snd_wnd, 2000);
	ck_assert_uint_eq(info.rcv_wnd, 65535 - 100);
	ck_assert_uint_eq(info.unacked, 1460);
	ck_assert_uint_eq(info.notsent, 3000 - 1460);
	ck_assert_uint_eq(info.unread, 100);
	ck_assert_uint_eq(info.snd_mss, 1460);
	ck_assert_int_eq(info.soft_error, 0);
}
END_TEST

Suite *suite(void)
{
	return peer_suite("RFC 9293 3.10.6 STATUS", (const TTest *[]){
		status_in_closed_is_an_error_or_says_closed,
		status_in_listen_says_listen,
		status_names_the_state_in_each_state,
		status_tells_windows_and_what_waits_in_established,
		NULL
	});
}
