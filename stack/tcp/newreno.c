/* newreno.c: the congestion window of RFC 5681 3.1, counted in bytes acknowledged (RFC 3465 2.1). Owns nothing but
 * three numbers. */
#include "../base/bytes.h"
#include "cc.h"

#define CWND_MAX (1u << 30)	/* keeps every sum of windows within 32 bits */

static void newreno_init(struct cc *cc, uint32_t mss, uint32_t initial_window)
{
	cc->cwnd = min_u32(mss * initial_window, CWND_MAX);
	if (!cc->ssthresh)
		cc->ssthresh = CWND_MAX;	/* RFC 5681 3.1: arbitrarily high */
	cc->acked = 0;
}

/* DEVIATES: RFC 5681 3.1 (at most SMSS for each ACK) because one ACK of a receiver with large receive offload covers tens of
 * segments; every byte counts once, so splitting ACKs gains a peer nothing. */
static void newreno_on_ack(struct cc *cc, uint32_t mss, uint32_t n)
{
	if (cc->cwnd < cc->ssthresh) {			/* slow start */
		uint32_t grow = min_u32(n, cc->ssthresh - cc->cwnd);

		cc->cwnd += grow;
		n -= grow;
	}
	cc->acked += n;
	while (cc->acked >= cc->cwnd) {			/* congestion avoidance: one segment a window */
		cc->acked -= cc->cwnd;
		cc->cwnd += mss;
	}
	cc->cwnd = min_u32(cc->cwnd, CWND_MAX);
}

static void newreno_on_loss(struct cc *cc, uint32_t mss, uint32_t flight)
{
	cc->ssthresh = max_u32(flight / 2, 2 * mss);	/* RFC 5681 3.1 equation (4) */
	cc->cwnd = cc->ssthresh;
	cc->acked = 0;
}

/* A timeout for the same segment again does not lower ssthresh further (RFC 5681 3.1). */
static void newreno_on_rto(struct cc *cc, uint32_t mss, uint32_t flight, bool again)
{
	if (!again)
		cc->ssthresh = max_u32(flight / 2, 2 * mss);
	cc->cwnd = mss;					/* the loss window LW */
	cc->acked = 0;
}

const struct cc_ops cc_newreno = {"newreno", newreno_init, newreno_on_ack, newreno_on_loss, newreno_on_rto};
