/* pace.c: spreads what the window allows over time (draft-ietf-ccwg-bbr 5.6.2, 5.6.3). Owns struct tcp_sender's pace: when the
 * next burst may begin, and what the one that has begun may still take.
 *
 * A burst is a millisecond's worth of the rate, at least two segments and at most 64 KiB, in one frame or in several. So the
 * timer fires at most about a thousand times a second where the rate is low, and once for each large frame where it is high. A
 * timer that fires late costs no rate: the next burst is due when it would have been, as long as that is not more than a
 * burst's time ago. Time in which nothing was sent earns no more than that either.
 *
 * A controller that knows only a window is given its rate here, as Linux does: twice a window a round trip in slow start, which
 * is what doubling needs, and 1.2 windows after it. By default it is not paced at all (config.pacing): then its clock is the
 * ACKs, as RFC 5681 2 and every test of it expect; a paced flow also loses against an unpaced one at the same queue,
 * because losses find it in every round; and that is what Linux does without being asked. It is worth turning on where
 * queues are short, as seen from large windows.
 * When it is on, two things still leave at once: the first window, which short transfers wait for, and everything where a
 * round trip takes less than a burst: there a timer cannot be finer than the ACKs are. */
#include "pace.h"

#define GAP_MAX TAPIR_SEC		/* a rate from an outage must not keep a path closed that is open again */
#define SLOW_START_PERCENT 200u
#define AVOIDANCE_PERCENT 120u

uint64_t tcp_pace_rate(const struct tcp_sender *x, const struct cc *cc, uint32_t srtt_us, bool windows_too)
{
	uint64_t own = cc_pacing_rate(cc, x->cc_priv);
	uint32_t percent;

	if (own || !windows_too || !x->rate.delivered || srtt_us <= PACE_BURST_US)
		return own;
	percent = cc->cwnd < cc->ssthresh / 2 ? SLOW_START_PERCENT : AVOIDANCE_PERCENT;
	return max_usec((uint64_t)cc->cwnd * percent * (TAPIR_SEC / 100) / srtt_us, 1);
}

uint32_t tcp_pace_burst(uint64_t rate, uint32_t mss)
{
	uint64_t bytes = rate / (TAPIR_SEC / PACE_BURST_US);
	uint32_t whole = (uint32_t)(bytes < PACE_BURST_MAX ? bytes : PACE_BURST_MAX) / mss * mss;

	return max_u32(whole, 2 * mss);
}

uint32_t tcp_pace_room(struct tcp_sender *x, uint64_t rate, uint32_t mss, usec_t now_us)
{
	if (!rate)
		return UINT32_MAX;
	if (now_us >= x->pace.next_us)
		x->pace.burst = tcp_pace_burst(rate, mss);
	return x->pace.burst / mss * mss;
}

void tcp_pace_sent(struct tcp_sender *x, uint64_t rate, uint32_t n, usec_t now_us)
{
	uint64_t work;

	if (!rate)
		return;
	/* The rate may have changed since the carry was left: it is never worth more than a microsecond. */
	work = (uint64_t)n * TAPIR_SEC + (x->pace.carry < rate ? x->pace.carry : rate - 1);
	x->pace.carry = work % rate;
	x->pace.burst -= min_u32(x->pace.burst, n);
	if (now_us > PACE_BURST_US)
		x->pace.next_us = max_usec(x->pace.next_us, now_us - PACE_BURST_US);
	x->pace.next_us = min_usec(x->pace.next_us + work / rate, now_us + GAP_MAX);
}
