/* state.h: the eleven states of RFC 9293 3.3.2 and the arrows of its figure 5. */
#ifndef TCP_STATE_H
#define TCP_STATE_H

#include "../tapir.h"

enum tcp_state {
	TCP_CLOSED = TAPIR_TCP_CLOSED, TCP_LISTEN = TAPIR_TCP_LISTEN, TCP_SYN_SENT = TAPIR_TCP_SYN_SENT,
	TCP_SYN_RCVD = TAPIR_TCP_SYN_RCVD, TCP_ESTABLISHED = TAPIR_TCP_ESTABLISHED,
	TCP_FIN_WAIT_1 = TAPIR_TCP_FIN_WAIT_1, TCP_FIN_WAIT_2 = TAPIR_TCP_FIN_WAIT_2,
	TCP_CLOSE_WAIT = TAPIR_TCP_CLOSE_WAIT, TCP_CLOSING = TAPIR_TCP_CLOSING, TCP_LAST_ACK = TAPIR_TCP_LAST_ACK,
	TCP_TIME_WAIT = TAPIR_TCP_TIME_WAIT
};

/* True when figure 5 (and the RSTs and ABORTs of 3.10 that it leaves out) has an arrow from `from` to `to`. */
bool tcp_arrow_is_legal(enum tcp_state from, enum tcp_state to);

#endif
