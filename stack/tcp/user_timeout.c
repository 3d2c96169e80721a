/* user_timeout.c: USER TIMEOUT (RFC 9293 3.10.8, RFC 5482 2): how long text that the program has given us may wait without
 * any of it being acknowledged. Owns the logical timer TAPIR_TIMER_USER, which runs only on connections whose program has
 * set TCP_USER_TIMEOUT, and only while something waits.
 *
 * It counts from the last progress: from when something began to wait, and anew from each ACK of something. That a peer is
 * there and answers our window probes is no progress, as on Linux. Set, it takes the place of R2's count of
 * retransmissions (RFC 9293 3.8.3 lets R2 be a time), and of the number of keep-alive probes.
 *
 * The option of RFC 5482 3.1, by which one side tells the other, is not sent, and ignored when it comes: no stack in use
 * sends it, and it would let a peer decide for how long our memory is held. */
#include "internal.h"

usec_t tcp_user_timeout_us(const struct tcp_conn *c) { return c->tuning->is.user_timeout_ms * TAPIR_MS; }

static bool something_waits(const struct tcp_conn *c)
{
	switch (c->state) {
	case TCP_SYN_SENT: case TCP_SYN_RCVD:
		return true;
	case TCP_ESTABLISHED: case TCP_FIN_WAIT_1: case TCP_FIN_WAIT_2: case TCP_CLOSE_WAIT: case TCP_CLOSING:
	case TCP_LAST_ACK:
		return c->tx.bytes || seq_lt(c->snd.una, c->snd.max) || (c->fin_queued && !c->fin_acked);
	case TCP_CLOSED: case TCP_LISTEN: case TCP_TIME_WAIT:
		break;
	}
	return false;
}

void tcp_user_timer_begin(struct tapir *t, struct tcp_conn *c)
{
	if (c->tuning->is.user_timeout_ms && !tcp_timer_is_armed(c, TAPIR_TIMER_USER) && something_waits(c))
		tcp_timer_arm(t, c, TAPIR_TIMER_USER, t->now_us + tcp_user_timeout_us(c));
}

void tcp_user_timer_progress(struct tapir *t, struct tcp_conn *c)
{
	tcp_timer_disarm(t, c, TAPIR_TIMER_USER);
	tcp_user_timer_begin(t, c);
}

/* A timer that runs keeps its beginning. */
void tcp_user_timer_changed(struct tapir *t, struct tcp_conn *c, uint32_t old_ms)
{
	usec_t due = tcp_timer_due(c, TAPIR_TIMER_USER), began = due - old_ms * TAPIR_MS;

	if (due == USEC_NEVER)
		tcp_user_timer_begin(t, c);
	else if (c->tuning->is.user_timeout_ms)
		tcp_timer_arm(t, c, TAPIR_TIMER_USER, max_usec(began + tcp_user_timeout_us(c), t->now_us));
	else
		tcp_timer_disarm(t, c, TAPIR_TIMER_USER);
}

/* RFC 9293 3.8.4 names no number of probes: a count, or the program's own patience since the peer was last heard. */
bool tcp_keepalive_is_over(const struct tapir *t, const struct tcp_conn *c)
{
	uint8_t limit = c->tuning->is.keep_count ? c->tuning->is.keep_count : t->cfg.keepalive_probes;

	if (c->tuning->is.user_timeout_ms)
		return c->rtt.keepalives && t->now_us - c->last_in_us >= tcp_user_timeout_us(c);
	return c->rtt.keepalives >= limit;
}
