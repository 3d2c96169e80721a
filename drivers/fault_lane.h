/* fault_lane.h: what the files of the bad line share: one direction of it (fault_lane.c), the queue in front of its rate limit
 * (fault_queue.c), and what a router of the path writes (fault_router.c). fault.c decides what happens to each frame. */
#ifndef DRIVERS_FAULT_LANE_H
#define DRIVERS_FAULT_LANE_H

#include "driver.h"

struct packet {
	struct packet *next;		/* in the queue */
	usec_t met_us, queued_us, jitter_us;
	bool twice, damaged, reorder;
	uint64_t damaged_bit;		/* counted from the frame's first */
	unsigned int passers;		/* if it is reordered: how many go before it */
	usec_t due_us;
	uint64_t order;			/* of equal due times the lower goes first */
	struct tapir_offload offload;
	uint32_t len;
	uint8_t bytes[];
};

/* --- fault_queue.c --- */

struct codel {				/* the state variables of RFC 8289 5.3 */
	bool dropping, over;		/* over: above_us is set */
	usec_t above_us, next_us;
	uint32_t count, last_count;
};
struct fault_queue {
	bool ip_only;
	struct packet *head, *tail;
	uint32_t bytes;
	uint64_t free_at_ns;		/* when the link has sent what it has begun to send */
	struct codel codel;
};
/* Takes p over: false, with p freed, when there is no room. fault_queue_take has said NULL at now_us. */
bool fault_queue_put(struct fault_queue *q, const struct fault_config *cfg, struct packet *p, usec_t now_us);
/* The next packet that the link has begun to send by now_us, its due_us set to when its last bit leaves; NULL. Counts in stats
 * what CoDel does. */
struct packet *fault_queue_take(struct fault_queue *q, const struct fault_config *cfg, usec_t now_us, struct fault_stats *stats);
/* When the next packet begins to leave; USEC_NEVER. */
usec_t fault_queue_wake_us(const struct fault_queue *q);
void fault_queue_free(struct fault_queue *q);

/* --- fault_lane.c --- */

struct fault_lane {
	uint64_t random;
	bool bad;			/* inside a burst of losses */
	usec_t burst_us;		/* when a frame last met it */
	struct fault_queue queue;
	struct packet **heap;		/* what is under way, by due_us, order */
	size_t count, room;
	struct packet *held;		/* picked for reordering: goes when passers have passed it, or at its due_us */
	unsigned int passers;
	bool passed;			/* somebody did */
	usec_t last_due_us, retry_us;
	uint64_t orders;
};
uint64_t fault_draw(struct fault_lane *lane);
bool fault_chance(struct fault_lane *lane, double p);
struct packet *fault_packet_new(uint32_t len);		/* NULL: memory ran out */
/* Puts p, which it takes over, into the queue. */
void fault_lane_put(struct fault_lane *lane, const struct fault_config *cfg, struct fault_stats *stats, struct packet *p,
		    usec_t now_us);
/* The packet that is due, which stays in the lane until fault_lane_remove_first; NULL. */
struct packet *fault_lane_first(struct fault_lane *lane, const struct fault_config *cfg, struct fault_stats *stats,
				usec_t now_us);
void fault_lane_remove_first(struct fault_lane *lane, struct packet *first);
usec_t fault_lane_due_us(const struct fault_lane *lane, const struct fault_config *cfg);
void fault_lane_free(struct fault_lane *lane);

/* --- fault_router.c --- */

/* Sets CE in the datagram (RFC 3168 5) if its sender can be told so: false if not. */
bool fault_mark_ce(struct packet *p, bool ip_only);
/* Is p an IP datagram of more than mtu bytes? */
bool fault_too_long(const struct packet *p, bool ip_only, uint16_t mtu);
/* The ICMP message about p for its sender (RFC 1191 4), as if p's receiver had sent it; NULL: none is due. */
struct packet *fault_needs_fragment(const struct packet *p, bool ip_only, uint16_t mtu);

#endif
