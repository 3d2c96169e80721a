/* window.h: what the controllers that count a window have in common: RFC 5681 3.1 and 4.1, with bytes for units (RFC 3465).
 * newreno.c and cubic.c differ in how a window grows in congestion avoidance, and in how much of it a loss takes. */
#ifndef TCP_WINDOW_H
#define TCP_WINDOW_H

#include "cc.h"

/* Sending starts: the initial window; or it starts again after idle_us, a caller's RTO or more: the restart window. True when
 * the window was set, false when it is as it was. */
bool window_start(struct cc *cc, const struct cc_sample *s, usec_t idle_us);

/* The bytes of this ACK that may make the window grow: each byte once, and never more than was in the network. *held is the
 * controller's: what was delivered without an advance of SND.UNA; 0 at the start and after a congestion. */
uint32_t window_credit(const struct cc *cc, uint32_t *held, const struct cc_sample *s);

/* Slow start: grows by credit up to ssthresh, and returns what is left of credit for congestion avoidance. */
uint32_t window_slow_start(struct cc *cc, uint32_t credit);

/* Congestion: ssthresh becomes tenths / 10 of what was outstanding; a timeout also makes cwnd one segment. again: see cc.h. */
struct window_cut { enum cc_signal signal; bool again; uint32_t tenths; };
void window_cut(struct cc *cc, const struct cc_sample *s, const struct window_cut *cut);

/* The window as large as it may be, and no larger. */
static inline void window_set(struct cc *cc, uint64_t cwnd)
{
	cc->cwnd = (uint32_t)(cwnd < CC_WINDOW_MAX ? cwnd : CC_WINDOW_MAX);
}

/* A controller's unit: no sample may make it divide by nothing. */
static inline uint32_t window_mss(const struct cc_sample *s) { return s->mss ? s->mss : 1; }

/* The initial slow start: ssthresh is still arbitrarily high (RFC 5681 3.1). */
static inline bool window_is_initial(const struct cc *cc) { return cc->ssthresh >= CC_WINDOW_MAX; }

#endif
