/* validate.c: does what was in use of the congestion window allow it to grow (RFC 7661)? A window that was not tried may be too
 * large for the path. Owns struct tcp_sender's used.
 *
 * Invariant: used.most is the largest pipe since SND.UNA was last at used.end, or beyond. */
#include "internal.h"

/* Full: what waits stopped at it. Or, while it doubles each round trip, half full (RFC 7661 4.2, with pipeACK taken when text
 * leaves): a program that writes just as much as the window lets go stops at nothing. In congestion avoidance the window is
 * to be full, as the whole of it is one segment away from the next. A controller that paces keeps its own account. */
bool tcp_window_is_validated(const struct tcp_conn *c)
{
	bool doubling = c->cc.cwnd < c->cc.ssthresh && !c->cc.ops->paces_itself;

	return c->cwnd_limited || (doubling && c->cc.cwnd / 2 < c->sender->used.most);
}

void tcp_validate_on_sent(struct tcp_conn *c)
{
	struct tcp_sender *s = c->sender;
	uint32_t pipe = tcp_pipe(c);

	if (seq_lt(c->snd.una, s->used.end) && pipe <= s->used.most)
		return;
	s->used.most = pipe;
	s->used.end = c->snd.max;
}
