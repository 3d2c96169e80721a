/* rtt.c: the round-trip time and the retransmission timeout (RFC 6298 2). Every record of what was sent once is timed to
 * the microsecond; one that was sent again never is (Karn), but timestamps tell it apart (RFC 7323 4). */
#include "internal.h"

#define CLOCK_GRANULARITY_US 1000u	/* G: no timer of ours needs to be finer than the peer's millisecond */
#define RTO_AFTER_LOST_SYN (3 * TAPIR_SEC)	/* RFC 6298 5.7 */

void tcp_rtt_init(struct tapir *t, struct tcp_conn *c)
{
	c->rtt.rto_us = (uint32_t)t->cfg.rto_initial_us;	/* RFC 6298 2.1 */
}

uint32_t tcp_ts_now(const struct tapir *t, const struct tcp_conn *c)
{
	return (uint32_t)(t->now_us / TAPIR_MS) + c->ts.offset;
}

/* RFC 6298 2.4 has the RTO at least a second, because a receiver may keep an ACK back for half of one. With less (see
 * config.rto_min_us), the least must be on top of the path's own time, or a path that is nearly as long as it and does not
 * vary leaves no room for a delayed ACK. DEVIATES: RFC 6298 2.4 because every current stack does (Linux the same way). */
static uint32_t rto_from(const struct tapir *t, const struct tcp_conn *c)
{
	uint64_t variation = max_usec(max_usec(CLOCK_GRANULARITY_US, 4 * (uint64_t)c->rtt.rttvar_us), t->cfg.rto_min_us);

	return (uint32_t)min_usec((c->rtt.srtt_us + variation) / CLOCK_GRANULARITY_US * CLOCK_GRANULARITY_US, t->cfg.rto_max_us);
}

void tcp_rtt_sample(struct tapir *t, struct tcp_conn *c, uint32_t rtt_us)
{
	uint32_t r = max_u32(rtt_us, 1), diff;

	if (c->sender)
		c->sender->tlp.unsampled = false;
	if (c->rtt.srtt_us == 0) {			/* RFC 6298 2.2 */
		c->rtt.srtt_us = r;
		c->rtt.rttvar_us = r / 2;
	} else {					/* RFC 6298 2.3: alpha 1/8, beta 1/4 */
		diff = c->rtt.srtt_us > r ? c->rtt.srtt_us - r : r - c->rtt.srtt_us;
		c->rtt.rttvar_us = (uint32_t)((3 * (uint64_t)c->rtt.rttvar_us + diff) / 4);
		c->rtt.srtt_us = max_u32((uint32_t)((7 * (uint64_t)c->rtt.srtt_us + r) / 8), 1);
	}
	c->rtt.rto_us = rto_from(t, c);
}

/* RFC 7323 4.1 allows a sample from any echo that moves SND.UNA. One of what was sent before the timer fired says how long
 * its lost ACKs and our own timeout took: on a path that loses much the timeout would feed itself. */
static bool echoes_retransmission(const struct tcp_conn *c, const struct tcp_seg *seg)
{
	return c->ts_on && seg->opt.has_ts && seg->opt.ts_ecr && (int32_t)(seg->opt.ts_ecr - c->rtt.timeout_ts) >= 0;
}

/* What timestamps say, in whole milliseconds: for an ACK of what was sent more than once (RFC 7323 4). */
static uint32_t echoed_rtt(const struct tapir *t, const struct tcp_conn *c, const struct tcp_seg *seg)
{
	uint32_t ms = tcp_ts_now(t, c) - seg->opt.ts_ecr;

	if (!echoes_retransmission(c, seg) || ms >= t->cfg.rto_max_us / TAPIR_MS)
		return CC_NONE;		/* an echo from another life is no sample */
	return ms * (uint32_t)TAPIR_MS;
}

void tcp_rtt_on_ack(struct tapir *t, struct tcp_conn *c, const struct tcp_seg *seg, uint32_t rtt_us)
{
	bool syn_again = c->rtt.srtt_us == 0 && c->rtt.backoff && !c->syn_timed;

	if (c->syn_timed)
		rtt_us = (uint32_t)t->now_us - c->rtt.syn_at_us;	/* rto_us, which has not passed, fits, too */
	c->syn_timed = false;
	if (rtt_us == CC_NONE && c->rtt.backoff)
		rtt_us = echoed_rtt(t, c, seg);
	if (rtt_us != CC_NONE)
		tcp_rtt_sample(t, c, rtt_us);
	else if (syn_again)
		c->rtt.rto_us = (uint32_t)max_usec(c->rtt.rto_us, RTO_AFTER_LOST_SYN);
	c->rtt.backoff = 0;
}
