/* bottleneck.h: senders behind one bottleneck, in virtual time, without a stack: the real rate.c, pace.c and a controller, over
 * the records of sender.h, with the simplest recovery there can be. A queue, a rate, a delay, losses; each segment is a
 * record of its own, each ACK tells exactly what arrived.
 *
 * Nothing here fails a test; it counts. bottleneck_run() moves time on; between two runs anything may be changed. */
#ifndef BOTTLENECK_H
#define BOTTLENECK_H

#include "stack/base/siphash.h"
#include "stack/tcp/pace.h"
#include "stack/tcp/rate.h"

#define BOTTLENECK_FLOWS 4
#define BOTTLENECK_RECORDS 32768u
#define BOTTLENECK_MSS 1460u

struct toy_record {
	struct tcp_sent sent;		/* first: a tcp_sent is one of these */
	uint64_t order;			/* of transmission */
};
struct toy_ack { usec_t at_us; uint32_t record; uint64_t order; bool marked; };

struct toy_flow {
	struct cc cc;
	struct tcp_sender x;
	usec_t delay_us;		/* there and back, without queue */
	usec_t start_us;
	bool paced;			/* config.pacing */
	bool no_sack;			/* what the controller is told; recovery sees the losses all the same */
	/* Bytes that the program has given by now_us, all together; NULL: there is always more. */
	uint64_t (*supply)(usec_t now_us);

	struct toy_record *records, *free;
	struct toy_ack *acks;		/* on their way, a ring in order of arrival */
	uint32_t ack_head, ack_count, nxt, flying;
	uint64_t orders, given;		/* transmissions; bytes sent for the first time */
	uint64_t delivered_order;	/* the latest transmission that arrived */
	uint32_t srtt_us, min_rtt_us;
	usec_t last_ack_us, idle_from_us;
	uint32_t round_end, recover;
	bool recovery, cwnd_limited, ece_seen;
	uint8_t backoff;
	uint32_t ece_until;

	uint64_t sent, lost, retransmitted;	/* segments */
	uint32_t bursts;			/* times at which something left */
	uint32_t biggest_burst, burst;		/* bytes that left in one instant */
	usec_t burst_us;
};

struct bottleneck {
	usec_t now_us;
	uint64_t rate;			/* bytes a second */
	uint32_t queue;			/* bytes; what would not fit is dropped */
	uint32_t mark;			/* more queued than this is marked; 0: never */
	uint32_t loss_ppm;		/* at random, before the queue */
	usec_t ack_every_us;		/* ACKs arrive only at multiples of this; 0: at once */
	struct rng rng;
	struct toy_flow *flows[BOTTLENECK_FLOWS];
	uint64_t free_ns;		/* when the link will have sent all that is queued */
	uint32_t dropped;		/* by the full queue */
	uint32_t least_queued;		/* since the test reset it to UINT32_MAX */
};

void bottleneck_init(struct bottleneck *w, uint64_t rate, uint32_t queue, uint64_t seed);
/* Adds a flow that starts now; srtt is known as after a handshake. It lives until bottleneck_end(). */
struct toy_flow *bottleneck_add(struct bottleneck *w, const struct cc_ops *ops, usec_t delay_us);
void bottleneck_run(struct bottleneck *w, usec_t for_us);
uint32_t bottleneck_queued(const struct bottleneck *w);	/* bytes, now */
void bottleneck_end(struct bottleneck *w);

#endif
