/* state.c: which arrows RFC 9293 3.3.2 (figure 5) and 3.10 allow between the eleven states. Nothing else. */
#include "state.h"

#define ARROW(to) (1u << (to))

/* For each state, where it may go. Beyond figure 5: every state may end in CLOSED (ABORT, RST, timeout); SYN-SENT goes
 * straight to ESTABLISHED; FIN-WAIT-1 to TIME-WAIT when one segment acknowledges our FIN and carries theirs, by way of
 * FIN-WAIT-2, which step five enters before step eight runs. */
static const unsigned arrows[] = {
	[TCP_CLOSED] = ARROW(TCP_SYN_SENT) | ARROW(TCP_LISTEN),
	[TCP_LISTEN] = ARROW(TCP_SYN_RCVD) | ARROW(TCP_CLOSED),
	[TCP_SYN_SENT] = ARROW(TCP_SYN_RCVD) | ARROW(TCP_ESTABLISHED) | ARROW(TCP_CLOSED),
	[TCP_SYN_RCVD] = ARROW(TCP_ESTABLISHED) | ARROW(TCP_FIN_WAIT_1) | ARROW(TCP_CLOSE_WAIT) | ARROW(TCP_CLOSED),
	[TCP_ESTABLISHED] = ARROW(TCP_FIN_WAIT_1) | ARROW(TCP_CLOSE_WAIT) | ARROW(TCP_CLOSED),
	[TCP_FIN_WAIT_1] = ARROW(TCP_FIN_WAIT_2) | ARROW(TCP_CLOSING) | ARROW(TCP_CLOSED),
	[TCP_FIN_WAIT_2] = ARROW(TCP_TIME_WAIT) | ARROW(TCP_CLOSED),
	[TCP_CLOSE_WAIT] = ARROW(TCP_LAST_ACK) | ARROW(TCP_CLOSED),
	[TCP_CLOSING] = ARROW(TCP_TIME_WAIT) | ARROW(TCP_CLOSED),
	[TCP_LAST_ACK] = ARROW(TCP_CLOSED),
	[TCP_TIME_WAIT] = ARROW(TCP_CLOSED),
};

bool tcp_arrow_is_legal(enum tcp_state from, enum tcp_state to)
{
	return arrows[from] & ARROW(to);
}
