/* newreno.c: the congestion window of RFC 5681 3.1: slow start, then one segment more for each window acknowledged, half of it
 * gone with a loss. Recovery itself (RFC 6582, 6675) is recovery.c's. Owns the bytes that wait to become a segment.
 *
 * Invariant: acked < cwnd after each ACK. */
#include "window.h"

struct newreno {
	uint32_t acked;			/* RFC 3465 2.1: bytes_acked */
	uint32_t held;			/* window_credit's */
};
_Static_assert(sizeof(struct newreno) <= CC_PRIV, "a controller's memory is CC_PRIV bytes");

static void newreno_start(struct cc *cc, void *priv, const struct cc_sample *s, usec_t idle_us)
{
	struct newreno *r = priv;

	if (window_start(cc, s, idle_us))
		r->acked = r->held = 0;
}

/* RFC 3465 2.1: one segment for each window of bytes. An ACK for more than a window (it had been larger) is not worth two. */
static void avoid(struct cc *cc, struct newreno *r, uint32_t mss, uint32_t credit)
{
	uint64_t acked = (uint64_t)r->acked + credit;

	if (acked >= cc->cwnd) {
		acked -= cc->cwnd;
		window_set(cc, (uint64_t)cc->cwnd + mss);
	}
	r->acked = acked < cc->cwnd ? (uint32_t)acked : cc->cwnd - 1;
}

static void newreno_on_ack(struct cc *cc, void *priv, const struct cc_sample *s)
{
	struct newreno *r = priv;
	uint32_t credit = window_credit(cc, &r->held, s);

	/* RFC 7661: a window that was not used is not known to be good. After a timeout all that is lost waits for the window. */
	if (!credit || !cc->cwnd || (!s->cwnd_limited && !s->recovery))
		return;
	credit = window_slow_start(cc, credit);
	if (credit)
		avoid(cc, r, window_mss(s), credit);
}

/* RFC 5681 3.1, equation (4), names the most that ssthresh may be. Half a segment of a window carries nothing, but a window that
 * grows by a segment for each window of bytes waits for it in every round: a tenth of the growth, if it is small. */
static void newreno_on_congestion(struct cc *cc, void *priv, const struct cc_sample *s, enum cc_signal signal, bool again)
{
	struct newreno *r = priv;

	window_cut(cc, s, &(struct window_cut){signal, again, 5});
	if (!again)
		cc->ssthresh -= cc->ssthresh % window_mss(s);
	r->acked = r->held = 0;
}

static const char *newreno_why(const struct cc *cc, const void *priv)
{
	(void)priv;
	return cc->cwnd < cc->ssthresh ? "RFC 5681 3.1: slow start" : "RFC 5681 3.1: congestion avoidance";
}

const struct cc_ops cc_newreno = {
	.name = "newreno", .start = newreno_start, .on_ack = newreno_on_ack, .on_congestion = newreno_on_congestion,
	.why = newreno_why,
};
