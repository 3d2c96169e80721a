/* cc.h: congestion control is a table of four functions over three numbers (RFC 5681 3.1). Who decides that something was
 * lost or acknowledged is recovery.c; who spends the window is output.c. */
#ifndef TCP_CC_H
#define TCP_CC_H

#include "../tapir.h"

struct tcp_conn;

struct cc {
	const struct cc_ops *ops;
	uint32_t cwnd, ssthresh;	/* bytes */
	uint32_t acked;			/* bytes counted towards the next increase (RFC 3465) */
};
struct cc_ops {
	const char *name;
	/* The connection is open, or was idle longer than an RTO (RFC 5681 3.1, 4.1). */
	void (*init)(struct cc *cc, uint32_t mss, uint32_t initial_window);
	/* n new bytes were acknowledged, outside recovery, while the window was the limit. */
	void (*on_ack)(struct cc *cc, uint32_t mss, uint32_t n);
	/* Recovery begins: sets ssthresh from the bytes in flight. */
	void (*on_loss)(struct cc *cc, uint32_t mss, uint32_t flight);
	/* The retransmission timer fired: one segment (RFC 5681 3.1). */
	void (*on_rto)(struct cc *cc, uint32_t mss, uint32_t flight, bool again);
};
extern const struct cc_ops cc_newreno;

#endif
