/* hystart.c: HyStart++ (RFC 9406 4.2), with the variables of its text; see hystart.h. Owns struct hystart.
 *
 * A round ends when everything is acknowledged that was outstanding when it began: s->round_start. L, the RFC's bound on what
 * one ACK may add, is infinity; window_credit() in window.c says why. */
#include "hystart.h"

#define MIN_RTT_THRESH (4 * 1000u)	/* RFC 9406 4.3: microseconds */
#define MAX_RTT_THRESH (16 * 1000u)
#define MIN_RTT_DIVISOR 8u
#define N_RTT_SAMPLE 8u
#define CSS_GROWTH_DIVISOR 4u
#define CSS_ROUNDS 5u

static void measure(struct hystart *h, uint32_t rtt_us)
{
	if (rtt_us == CC_NONE)
		return;
	rtt_us = max_u32(rtt_us, 1);		/* 0 means not measured */
	h->round_min_us = h->round_min_us ? min_u32(h->round_min_us, rtt_us) : rtt_us;
	if (h->samples < N_RTT_SAMPLE)
		h->samples++;
}

/* Slow start: has the delay grown? */
static bool delay_has_grown(const struct hystart *h)
{
	uint32_t threshold = max_u32(MIN_RTT_THRESH, min_u32(h->last_min_us / MIN_RTT_DIVISOR, MAX_RTT_THRESH));

	return h->last_min_us && h->round_min_us >= (uint64_t)h->last_min_us + threshold;
}

static void judge(struct hystart *h)
{
	if (h->samples < N_RTT_SAMPLE)
		return;
	if (!h->baseline_us) {
		if (delay_has_grown(h)) {
			h->baseline_us = h->round_min_us;
			h->css_rounds = 0;	/* what is left of this round counts as one */
		}
	} else if (h->round_min_us < h->baseline_us) {
		h->baseline_us = 0;		/* jitter: slow start goes on, and so does HyStart++ */
	}
}

/* A round in which the program sent too little to fill the window is no trial of CSS: it does not count, or requests and
 * replies would end slow start with a window that nothing has measured (RFC 9406 4.3 expects them not to). */
static bool end_round(struct hystart *h)
{
	if (h->baseline_us && h->used)
		h->css_rounds++;
	h->last_min_us = h->round_min_us;
	h->round_min_us = 0;
	h->samples = 0;
	h->used = false;
	return h->css_rounds >= CSS_ROUNDS && h->baseline_us;
}

bool hystart_on_ack(struct hystart *h, const struct cc_sample *s)
{
	h->used |= s->cwnd_limited;
	measure(h, s->rtt_us);
	judge(h);
	return s->round_start && end_round(h);
}

uint32_t hystart_growth(struct hystart *h, uint32_t credit)
{
	uint32_t grow;

	if (!h->baseline_us)
		return credit;
	grow = credit / CSS_GROWTH_DIVISOR;
	h->rest = (uint8_t)(h->rest + credit % CSS_GROWTH_DIVISOR);
	grow += h->rest / CSS_GROWTH_DIVISOR;
	h->rest %= CSS_GROWTH_DIVISOR;
	return grow;
}
