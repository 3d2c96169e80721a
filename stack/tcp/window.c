/* window.c: the window's beginning, its slow start and its cuts: RFC 5681 3.1 and 4.1. Owns nothing; see window.h.
 *
 * Why a peer gains nothing by its way of acknowledging: the measure is bytes, so that an ACK cut into pieces (ACK division)
 * is worth no more than the whole; a byte counts when it is first known to have arrived, so that saying it twice is worth
 * nothing; and an ACK counts for no more than the pipe held, so that one that runs ahead of the text (optimistic ACKs), or that
 * covers what a timeout had given up, opens no window for what was not in the network (RFC 3465 2.3). */
#include "window.h"
#include "seq.h"

static uint32_t restart_window(const struct cc_sample *s)
{
	return max_u32(min_u32(s->initial_window, CC_WINDOW_MAX), window_mss(s));
}

/* RFC 5681 4.1: after an idle time of an RTO there is no ACK clock left, and the path may have changed. The sample has no RTO;
 * whoever calls this knows it, and no RTO is less than SRTT (RFC 6298 2.3). What the window had grown to was once used, so
 * slow start may lead back to three quarters of it (RFC 7661 4.4.3). */
bool window_start(struct cc *cc, const struct cc_sample *s, usec_t idle_us)
{
	uint32_t restart = restart_window(s);

	if (!cc->ssthresh)
		cc->ssthresh = CC_WINDOW_MAX;
	if (cc->cwnd && (idle_us <= s->srtt_us || cc->cwnd <= restart))
		return false;
	if (cc->cwnd)
		cc->ssthresh = max_u32(cc->ssthresh, cc->cwnd - cc->cwnd / 4);
	cc->cwnd = restart;
	return true;
}

/* What is SACKed counts when SND.UNA comes by: RFC 5681 3.2 step 1 wants no window moved by a duplicate ACK. Where order is known
 * not to be kept it counts at once, in congestion avoidance: there each loss shows itself a reordering window later (RFC 8985
 * 6.2), and what arrived meanwhile would never count. What an ACK with ECE acknowledges is worth nothing, in slow start after a
 * timeout, too (RFC 3168 6.1.2).
 * DEVIATES: RFC 5681 3.2 step 1 because on a path that reorders a duplicate ACK is no sign of a loss (Linux the same way, in
 * slow start, too).
 * DEVIATES: RFC 5681 3.1 (SMSS for each ACK at most), RFC 3465 2.2 (two of them) and RFC 9406 4.3 (eight, without pacing)
 * because one ACK of a receiver with large receive offload covers tens of segments. */
uint32_t window_credit(const struct cc *cc, uint32_t *held, const struct cc_sample *s)
{
	bool at_once = s->reorders && cc->cwnd >= cc->ssthresh;
	uint64_t waiting = (uint64_t)*held + min_u32(s->delivered, s->prior_flight);
	uint32_t credit = (uint32_t)min_usec(waiting, at_once ? CC_WINDOW_MAX : s->acked);

	*held = (uint32_t)min_usec(waiting - credit, CC_WINDOW_MAX);
	return s->ece ? 0 : credit;
}

uint32_t window_slow_start(struct cc *cc, uint32_t credit)
{
	uint32_t room = cc->cwnd < cc->ssthresh ? cc->ssthresh - cc->cwnd : 0, grow = min_u32(credit, room);

	window_set(cc, (uint64_t)cc->cwnd + grow);
	return credit - grow;
}

/* RFC 5681 3.1, FlightSize: what was outstanding before this ACK. What limited transmit and SACKs let out beyond the window does
 * not count (RFC 5681 3.2 step 2). A timeout may come when an earlier cut, from ssthresh * 10 / tenths, is not over yet: then that
 * was the window, so that ssthresh does not go up for it, nor down twice. */
static uint32_t flight_size(const struct cc *cc, const struct cc_sample *s, const struct window_cut *cut)
{
	uint64_t outstanding = (uint64_t)seq_sub(s->nxt, s->una) + s->acked, window = cc->cwnd;

	if (cut->signal == CC_RTO)
		window = max_usec(window, (uint64_t)cc->ssthresh * 10 / cut->tenths);
	return (uint32_t)(outstanding < window ? outstanding : window);
}

void window_cut(struct cc *cc, const struct cc_sample *s, const struct window_cut *cut)
{
	uint32_t mss = window_mss(s);
	uint32_t part = (uint32_t)((uint64_t)flight_size(cc, s, cut) * cut->tenths / 10);

	if (!cut->again)
		cc->ssthresh = min_u32(max_u32(part, 2 * mss), CC_WINDOW_MAX - 1);	/* RFC 5681 3.1, equation (4) */
	if (cut->signal == CC_RTO)
		cc->cwnd = mss;				/* RFC 5681 3.1: the loss window LW */
	if (cut->signal == CC_ECN && part < 2 * mss)	/* RFC 3168 6.1.2, RFC 9438 4.6: marks lead down to one segment */
		cc->cwnd = min_u32(cc->cwnd, max_u32(part, mss));
}
