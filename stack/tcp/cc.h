/* cc.h: congestion control is a table of four functions over a window, a threshold and, if it paces, a rate. Who decides
 * what was delivered or lost is recovery.c; who spends the window is plan.c. A controller never looks at a connection:
 * all that it may know is in the sample, so that it can be tested alone.
 *
 * Each controller is one file that defines one table. Its own memory is cc_priv, CC_PRIV bytes, zero before start(); a
 * copy of it and of struct cc is what an undo puts back. */
#ifndef TCP_CC_H
#define TCP_CC_H

#include "../base/bytes.h"
#include "../wire/tcp.h"

#define CC_PRIV 256u
#define CC_NONE UINT32_MAX		/* an RTT that was not measured */
#define CC_WINDOW_MAX (1u << 30)	/* keeps every sum of windows within 32 bits */
#define CC_LOSS_PERCENT 2u		/* a round that loses more has put too much in flight (BBR.LossThresh) */

struct cc {
	const struct cc_ops *ops;
	uint32_t cwnd, ssthresh;	/* bytes */
};

/* A run of bytes that was taken for lost, and how it was when it left. */
struct cc_lost {
	uint32_t bytes;			/* 0: there is none */
	uint32_t tx_flight, lost;	/* as in struct cc_rate: in flight when it left, and lost since then, itself included */
	bool app_limited;
};

/* One delivery-rate sample (draft-ietf-ccwg-bbr 4.1): made by rate.c for controllers that want it. */
struct cc_rate {
	uint64_t delivered;		/* bytes delivered between the two ends of the sample; 0: there is no sample */
	uint64_t prior_delivered;	/* the connection's count of delivered bytes when the segment left */
	uint64_t total_delivered, total_lost;	/* the connection's counts now */
	usec_t interval_us;		/* 0: too short to be believed, there is no rate */
	uint32_t tx_flight;		/* bytes in flight when the segment left */
	uint32_t lost;			/* bytes lost since then */
	uint32_t lost_runs;		/* how many runs of adjacent bytes total_lost is made of */
	bool app_limited;		/* for start(): the program had nothing more to send */
	bool no_sack;			/* the peer gives no SACKs: of several losses in a round only the first can be seen */
	/* The first run that made the loss since it left more than CC_LOSS_PERCENT of what was in flight; since the sample
	 * before this one. */
	struct cc_lost excess;
};

/* What one event (an ACK, a timeout, the start of sending) told, in bytes and microseconds. */
struct cc_sample {
	usec_t now_us;
	uint32_t mss, initial_window;	/* the latter in bytes */
	seq_t una, nxt;			/* SND.UNA after this ACK, and the end of what was sent: for counting rounds */
	uint32_t acked;			/* by how much SND.UNA moved, text only */
	uint32_t delivered;		/* newly acknowledged or SACKed */
	uint32_t lost;			/* newly taken for lost */
	uint32_t flight, prior_flight;	/* the pipe (RFC 6675 4) after and before */
	uint32_t rtt_us;		/* of the newest segment that it acknowledged and that was sent once; or CC_NONE */
	uint32_t srtt_us, min_rtt_us;	/* 0, CC_NONE: not known yet */
	bool cwnd_limited;		/* the window, not the program or the peer, was the limit: it may grow (RFC 7661) */
	bool reorders;			/* this path has been seen to (RFC 8985 6.2 step 3): a hole need be no loss */
	bool recovery;			/* inside fast recovery or after a timeout: PRR moves cwnd, unless paces_itself */
	bool ece;			/* the peer echoes congestion (RFC 3168 6.1.2) */
	bool round_start;		/* everything that was outstanding when the last round began is acknowledged */
	struct cc_rate rate;
};

enum cc_signal {
	CC_LOSS,			/* fast recovery begins (RFC 5681 3.2): set ssthresh; PRR takes cwnd there */
	CC_ECN,				/* ECE, once a window (RFC 3168 6.1.2): the same without a loss */
	CC_RTO				/* a timeout: cwnd becomes one segment (RFC 5681 3.1) */
};

struct cc_ops {
	const char *name;
	bool paces_itself;		/* has a pacing_rate, and sets cwnd in recovery, too (BBR) */
	/* Sending starts: first of all (cwnd 0: set it), or again after the connection was idle for idle_us. */
	void (*start)(struct cc *cc, void *priv, const struct cc_sample *s, usec_t idle_us);
	/* Something was delivered. In fast recovery PRR moves cwnd instead, and this is called only if paces_itself; after a
	 * timeout (s->recovery) it is called. */
	void (*on_ack)(struct cc *cc, void *priv, const struct cc_sample *s);
	/* again: a timeout for what timed out before (RFC 5681 3.1: ssthresh stays). */
	void (*on_congestion)(struct cc *cc, void *priv, const struct cc_sample *s, enum cc_signal signal, bool again);
	/* The last congestion was none (RFC 4015 3.2): before holds what on_congestion found. May be NULL: cwnd, ssthresh and priv
	 * are put back as they were, cwnd not below what it is. */
	void (*on_undo)(struct cc *cc, void *priv, const struct cc *before, const void *before_priv);
	/* Bytes a second; 0: not yet. NULL: the controller leaves pacing to pace.c. */
	uint64_t (*pacing_rate)(const void *priv);
	/* What it is doing just now, with the section that says so: for the probe. */
	const char *(*why)(const struct cc *cc, const void *priv);
};

/* The controller's own rate, bytes a second; 0: it leaves pacing to pace.c. */
static inline uint64_t cc_pacing_rate(const struct cc *cc, const void *priv)
{
	return cc->ops->pacing_rate ? cc->ops->pacing_rate(priv) : 0;
}

extern const struct cc_ops cc_newreno, cc_cubic, cc_bbr;
const struct cc_ops *cc_of(enum tapir_cc number);
/* The controller of that name ("reno" and "newreno", "cubic", "bbr"); NULL: there is none. */
const struct cc_ops *cc_find(const char *name);
/* A connection changes its controller. cwnd and ssthresh stay; what the old one remembered is worth nothing to the new one.
 * Without priv, or before the handshake (cwnd 0), start() is still to come. */
void cc_switch(struct cc *cc, void *priv, const struct cc_ops *to, const struct cc_sample *s);

#endif
