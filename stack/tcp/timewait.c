/* timewait.c: TIME-WAIT (RFC 9293 3.6, 3.10.7.4) and who may end it early (RFC 6191).
 * The TIME-WAIT queue is in order of entry: when the pool of connections is empty the oldest gives way (conn.c). */
#include "internal.h"

void tcp_enter_time_wait(struct tapir *t, struct tcp_conn *c)
{
	for (enum tapir_tcp_timer i = 0; i < TAPIR_TIMER_COUNT; i++)
		tcp_timer_disarm(t, c, i);
	tcp_set_state(t, c, TCP_TIME_WAIT);
	tcp_queue_push(&t->tcp->time_wait, c);
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
