/* cubic.c: CUBIC (RFC 9438 4): in congestion avoidance the window is a cubic function of the time since the last loss: steep at
 * first, flat where that loss happened, then steep again, whatever the round-trip time is; and it is never slower than
 * Reno would be. The initial slow start is HyStart++ (hystart.c). Windows are bytes, times microseconds, arithmetic is whole
 * numbers: the RFC's windows times SMSS.
 *
 * Owns struct cubic. An epoch is one stage of congestion avoidance: it begins with the first ACK that finds cwnd >= ssthresh,
 * and ends with a congestion or an idle time.
 * Invariants: within an epoch w_max >= cwnd at its begin, so K >= 0; t_us counts only time in which the window was used. */
#include "window.h"
#include "hystart.h"

#define BETA_TENTHS 7u			/* RFC 9438 4.6: beta_cubic 0.7 */
#define ALPHA_DIVISOR 17u		/* RFC 9438 4.3: alpha_cubic = 3 * (1 - 0.7) / (1 + 0.7) = 9 / 17 ... */
#define ALPHA 9u
#define ALPHA_ONE 17u			/* ... or 1 */
#define MS_MOST 1400000u		/* 23 minutes: C * t^3 is past every window, and t^3 within 64 bits */

struct cubic {
	struct hystart hystart;
	uint32_t held;			/* window_credit's */
	uint32_t w_max;			/* W_max; 0: undefined (RFC 9438 4.8, 4.10) */
	uint32_t w_est;			/* W_est: what Reno would have */
	uint32_t cwnd_prior;		/* cwnd when a congestion last set ssthresh; 0: none has, and alpha is 1 */
	bool epoch;			/* an epoch is under way: the following are valid */
	usec_t k_us;			/* K */
	usec_t t_us;			/* t */
	usec_t last_us;			/* the last ACK in congestion avoidance */
	uint64_t cwnd_rest, est_rest;	/* what the divisions by cwnd left over */
};
_Static_assert(sizeof(struct cubic) <= CC_PRIV, "a controller's memory is CC_PRIV bytes");

/* --- the cubic function, RFC 9438 4.2 --------------------------------------------------------------------------- */

/* Milliseconds are fine enough: where the function is steepest one of them moves the window by a few millionths. */

/* The largest r with r^3 <= n, bit by bit from above. */
static uint32_t cube_root(uint64_t n)
{
	uint64_t r = 0;

	for (uint64_t bit = 1u << 20; bit; bit >>= 1) {
		uint64_t with = r | bit;	/* below 2^21: its cube fits */

		if (with * with * with <= n)
			r = with;
	}
	return (uint32_t)r;
}

/* The time in which C * t^3 segments are so many bytes; C is 0.4 a cubic second. For CC_WINDOW_MAX bytes of one each 23 minutes. */
static usec_t time_to_grow(uint32_t bytes, uint32_t mss)
{
	return (usec_t)cube_root((uint64_t)bytes * 2500000000u / mss) * 1000;
}

/* C * t^3 in bytes, up to CC_WINDOW_MAX. */
static uint32_t growth_in(usec_t t_us, uint32_t mss)
{
	uint64_t t_ms = min_usec(t_us / 1000, MS_MOST), cube = t_ms * t_ms * t_ms;

	if (cube >= CC_WINDOW_MAX * 10000000000u / (4 * (uint64_t)mss))
		return CC_WINDOW_MAX;
	return (uint32_t)(cube * mss * 4 / 10000000000u);
}

static uint32_t w_cubic(const struct cubic *c, usec_t t_us, uint32_t mss)
{
	uint32_t away;

	if (t_us >= c->k_us)
		return min_u32(c->w_max + growth_in(t_us - c->k_us, mss), CC_WINDOW_MAX);
	away = growth_in(c->k_us - t_us, mss);
	return c->w_max > away ? c->w_max - away : 0;
}

/* --- congestion avoidance --------------------------------------------------------------------------------------- */

/* Where no loss has told W_max, or the window is past it, it is the window now, and K is 0 (RFC 9438 4.8, 4.10). */
static void begin_epoch(struct cubic *c, const struct cc *cc, uint32_t mss)
{
	c->w_max = max_u32(c->w_max, cc->cwnd);
	c->k_us = time_to_grow(c->w_max - cc->cwnd, mss);
	c->w_est = cc->cwnd;
	c->t_us = 0;
	c->cwnd_rest = c->est_rest = 0;
	c->epoch = true;
}

/* RFC 9438 4.2, 5.8: t leaves out the time in which the program or the peer was the limit. As long as the window is, ACKs come
 * within a round trip of each other: a longer silence was something else. (Twice the smoothed one, for jitter.) */
static void count_time(struct cubic *c, const struct cc_sample *s)
{
	usec_t passed = s->now_us - c->last_us;

	c->t_us += s->srtt_us ? min_usec(passed, 2 * (usec_t)s->srtt_us) : passed;
}

/* RFC 9438 4.3, equation (4). */
static void grow_like_reno(struct cubic *c, const struct cc *cc, uint32_t mss, uint32_t credit)
{
	uint32_t alpha = c->w_est >= c->cwnd_prior ? ALPHA_ONE : ALPHA;

	c->est_rest += (uint64_t)alpha * mss * credit;
	c->w_est = (uint32_t)min_usec(c->w_est + c->est_rest / (ALPHA_DIVISOR * (uint64_t)cc->cwnd), CC_WINDOW_MAX);
	c->est_rest %= ALPHA_DIVISOR * (uint64_t)cc->cwnd;
}

/* RFC 9438 4.4, 4.5: so that the window is W_cubic(t + RTT) a round trip later, but at most half as much again (4.2). */
static void grow_like_cubic(struct cubic *c, struct cc *cc, const struct cc_sample *s, uint32_t credit)
{
	uint64_t target = w_cubic(c, c->t_us + s->srtt_us, window_mss(s));

	target = min_usec(target, (uint64_t)cc->cwnd + cc->cwnd / 2);
	if (target <= cc->cwnd)
		return;
	c->cwnd_rest += (target - cc->cwnd) * credit;
	credit = (uint32_t)(c->cwnd_rest / cc->cwnd);
	c->cwnd_rest %= cc->cwnd;
	window_set(cc, (uint64_t)cc->cwnd + credit);
}

static void avoid(struct cubic *c, struct cc *cc, const struct cc_sample *s, uint32_t credit)
{
	uint32_t mss = window_mss(s);

	if (c->epoch)
		count_time(c, s);
	else
		begin_epoch(c, cc, mss);
	c->last_us = s->now_us;
	grow_like_reno(c, cc, mss, credit);
	if (w_cubic(c, c->t_us, mss) < c->w_est)	/* the Reno-friendly region */
		window_set(cc, max_u32(cc->cwnd, c->w_est));
	else
		grow_like_cubic(c, cc, s, credit);
}

/* --- slow start, RFC 9438 4.10 ---------------------------------------------------------------------------------- */

/* The initial one: by HyStart++. It measures on every ACK, the window grows only where it may. */
static void start_slowly(struct cubic *c, struct cc *cc, const struct cc_sample *s, uint32_t credit)
{
	bool over = hystart_on_ack(&c->hystart, s);

	window_slow_start(cc, hystart_growth(&c->hystart, credit));
	if (over)
		cc->ssthresh = cc->cwnd;	/* RFC 9406 4.2: congestion avoidance, and no loss has told W_max */
}

/* --- the table -------------------------------------------------------------------------------------------------- */

static void cubic_start(struct cc *cc, void *priv, const struct cc_sample *s, usec_t idle_us)
{
	struct cubic *c = priv;

	c->last_us = s->now_us;			/* idle time does not count (RFC 9438 5.8) */
	if (!window_start(cc, s, idle_us))
		return;
	c->epoch = false;
	c->held = 0;
	c->hystart = (struct hystart){0};	/* what was measured before an idle time says nothing (RFC 9406 4.3) */
}

static void cubic_on_ack(struct cc *cc, void *priv, const struct cc_sample *s)
{
	struct cubic *c = priv;
	uint32_t credit = window_credit(cc, &c->held, s);

	if (!cc->cwnd)
		return;
	/* RFC 7661: a window that was not used is not known to be good. After a timeout all that is lost waits for the window. */
	if (!s->cwnd_limited && !s->recovery)
		credit = 0;
	if (window_is_initial(cc)) {
		start_slowly(c, cc, s, credit);
		return;
	}
	if (!s->cwnd_limited)
		c->last_us = s->now_us;
	credit = window_slow_start(cc, credit);
	if (credit)
		avoid(c, cc, s, credit);
}

/* RFC 9438 4.7, fast convergence: a flow that loses before it is back at W_max makes room for others. A segment less is less:
 * below that are the remainders of divisions. */
static uint32_t new_w_max(const struct cubic *c, uint32_t cwnd, uint32_t mss)
{
	if ((uint64_t)cwnd + mss > c->w_max)
		return cwnd;
	return (uint32_t)((uint64_t)cwnd * (10 + BETA_TENTHS) / 20);
}

static void cubic_on_congestion(struct cc *cc, void *priv, const struct cc_sample *s, enum cc_signal signal, bool again)
{
	struct cubic *c = priv;

	c->w_max = signal == CC_RTO ? 0 : new_w_max(c, cc->cwnd, window_mss(s));	/* RFC 9438 4.8, 4.7 */
	if (!again)
		c->cwnd_prior = cc->cwnd;
	c->epoch = false;
	c->held = 0;
	window_cut(cc, s, &(struct window_cut){signal, again, BETA_TENTHS});
}

/* RFC 9438 4.9: everything as it was, unless the window has got further meanwhile. */
static void cubic_on_undo(struct cc *cc, void *priv, const struct cc *before, const void *before_priv)
{
	if (cc->cwnd > before->cwnd)
		return;
	cc->cwnd = before->cwnd;
	cc->ssthresh = before->ssthresh;
	memcpy(priv, before_priv, sizeof(struct cubic));
}

static const char *cubic_why(const struct cc *cc, const void *priv)
{
	const struct cubic *c = priv;

	if (cc->cwnd < cc->ssthresh && c->hystart.baseline_us)
		return "RFC 9406 4.2: conservative slow start, as the round trips grow longer";
	if (cc->cwnd < cc->ssthresh)
		return "RFC 9438 4.10: slow start";
	if (cc->cwnd == c->w_est)
		return "RFC 9438 4.3: the Reno-friendly region";
	return cc->cwnd < c->w_max ? "RFC 9438 4.4: the concave region" : "RFC 9438 4.5: the convex region";
}

const struct cc_ops cc_cubic = {
	.name = "cubic", .start = cubic_start, .on_ack = cubic_on_ack, .on_congestion = cubic_on_congestion,
	.on_undo = cubic_on_undo, .why = cubic_why,
};
