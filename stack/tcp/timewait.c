/* timewait.c: TIME-WAIT (RFC 9293 3.6, 3.10.7.4) and who may end it early (RFC 6191, RFC 1337).
 * It needs no program, and without one it is kept small, and the oldest gives way when there are too many (mini.c).
 *
 * What TIME-WAIT is for is one thing: no segment of the old connection may be taken for one of the next between the same
 * ports. Its price is that the next must wait, and there are two doors out of it: a SYN (RFC 9293 3.6.1 MAY-2) and a RST (RFC 9293
 * 3.10.7.4 second). They are decided together, because each answers what the other is used for:
 * - A SYN ends it when it proves to be new: a newer timestamp, or a higher sequence number without timestamps (RFC 6191 2). The
 *   new connection's own numbers and timestamps then keep the old segments out, which is all that the wait was for. So a
 *   client that comes again from the same port does not wait, and needs no RST to get in.
 * - A RST does not end it (RFC 1337 3, F1). The RST that would come is nearly always the assassin of RFC 1337 2: an old
 *   duplicate arrives, we acknowledge it as we must, and the peer, which has forgotten the connection, resets it. That
 *   RST takes its number from our ACK, so it lies exactly at RCV.NXT: RFC 5961 3.2 does not stop it. Nothing is lost by
 *   ignoring it, since nobody waits for this connection to end. config.rfc1337 = false gives the letter of RFC 9293 3.10.7.4.
 * DEVIATES: RFC 9293 3.10.7.4 second TIME-WAIT (a RST at RCV.NXT deletes the connection) because RFC 1337 2 shows that
 * an old duplicate then does.
 * - A SYN that proves nothing, and everything else, is answered with an ACK within the limits of challenge.c; the FIN again starts
 *   the wait anew, since it shows that our last ACK was lost. */
#include "internal.h"

void tcp_enter_time_wait(struct tapir *t, struct tcp_conn *c, const char *why)
{
	for (enum tapir_tcp_timer i = 0; i < TAPIR_TIMER_COUNT; i++)
		tcp_timer_disarm(t, c, i);
	tcp_set_state(t, c, TCP_TIME_WAIT, why);
	if (!c->owner)
		tcp_mini_begin(t, c);
	tcp_timer_arm(t, c, TAPIR_TIMER_2MSL, t->now_us + 2 * t->cfg.msl_us);
}

/* RFC 6191 2: a SYN with a newer timestamp, or without timestamps a higher sequence number, cannot be an old duplicate:
 * the port may be used again at once. DEVIATES: RFC 9293 3.6.1 (2) (back to TIME-WAIT should it turn out to be one) because
 * after these checks it cannot. */
bool tcp_time_wait_yields(const struct tcp_conn *c, const struct tcp_seg *seg)
{
	bool newer_seq = seq_gt(seg->seq, c->rcv.nxt);

	if (c->state != TCP_TIME_WAIT || (seg->flags & (TCP_SYN | TCP_ACK | TCP_RST)) != TCP_SYN)
		return false;
	if (!c->ts_on)
		return newer_seq || seg->opt.has_ts;
	if (!seg->opt.has_ts)
		return newer_seq;
	if (seg->opt.ts_val == c->ts.recent)
		return newer_seq;
	return (int32_t)(seg->opt.ts_val - c->ts.recent) > 0;
}
