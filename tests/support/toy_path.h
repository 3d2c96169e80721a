/* toy_path.h: controllers of congestion (stack/tcp/cc.h) on one bottleneck, without a stack: segments of one size, a queue that
 * drops what does not fit, every ACK returns, recovery is perfect and costs nothing. Just enough for a controller to be seen
 * alone, in virtual time; how real recovery fares is for tests/sim. */
#ifndef TOY_PATH_H
#define TOY_PATH_H

#include "stack/tcp/cc.h"

#define TOY_MSS 1000u
#define TOY_FLOWS 4

struct toy_flow {
	struct cc cc;
	uint64_t priv[CC_PRIV / 8];
	usec_t starts_us;
	uint64_t sent, gone, delivered;		/* segments: in all; acknowledged or known to be lost; acknowledged */
	uint64_t round_end, recover;		/* in sent */
	bool recovering;
	uint32_t srtt_us, min_rtt_us;
	uint32_t lost_unseen;			/* dropped, and the sender does not know yet */
	uint32_t losses, cuts;			/* segments lost, congestions */
	uint64_t measured;			/* of delivered, since measure_from_us */
};

struct toy_path {
	uint64_t rate;				/* bytes a second; 0: no bottleneck */
	usec_t rtt_us;				/* without queueing */
	uint32_t queue;				/* bytes that may wait */
	uint32_t lose_every;			/* each so-many-th segment is lost as well; 0: none */
	usec_t now_us, measure_from_us;
	struct toy_flow flows[TOY_FLOWS];
	int count;

	/* the rest is the model's own */
	struct toy_segment *ring;
	uint64_t head, tail;			/* of what is under way */
	usec_t free_us;				/* when the bottleneck has sent what it holds */
	uint64_t sent;
};

void toy_begin(struct toy_path *p);			/* call after rate, rtt_us ... are set */
struct toy_flow *toy_add(struct toy_path *p, const struct cc_ops *ops, usec_t starts_us);
void toy_run(struct toy_path *p, usec_t until_us);
void toy_end(struct toy_path *p);
/* Segments a round trip without queueing, since measure_from_us. */
double toy_mean_flight(const struct toy_path *p, const struct toy_flow *f);

#endif
