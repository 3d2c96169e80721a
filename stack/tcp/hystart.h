/* hystart.h: HyStart++ (RFC 9406 4.2): leaves the initial slow start when the round-trip time says that a queue is filling, before
 * it overflows. First into conservative slow start (CSS), which grows a quarter as fast and takes the decision back if the
 * round-trip time falls again; after five rounds of it, into congestion avoidance. For any controller with a slow start. */
#ifndef TCP_HYSTART_H
#define TCP_HYSTART_H

#include "cc.h"

/* All zero: slow start, nothing measured. Times are microseconds; 0 is the RFC's infinity: not measured in this round. */
struct hystart {
	uint32_t last_min_us;		/* lastRoundMinRTT */
	uint32_t round_min_us;		/* currentRoundMinRTT */
	uint32_t baseline_us;		/* cssBaselineMinRtt; 0: not in CSS */
	uint8_t samples;		/* rttSampleCount, up to N_RTT_SAMPLE */
	uint8_t css_rounds;		/* rounds of CSS that are over */
	uint8_t rest;			/* bytes of growth that CSS's division left over */
	bool used;			/* the window was the limit at some time of this round */
};

/* An ACK in slow start or CSS: measures. True: CSS is over, set ssthresh to cwnd (RFC 9406 4.2). */
bool hystart_on_ack(struct hystart *h, const struct cc_sample *s);
/* By how much the window may grow for so many bytes acknowledged. */
uint32_t hystart_growth(struct hystart *h, uint32_t credit);

#endif
