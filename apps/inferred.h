/* inferred.h: the states of both ends of a TCP connection, told from its segments alone (RFC 9293 3.3.2, figure 5), for someone
 * who only watches the wire. Every segment counts as received, in the order in which it was seen, but for a FIN that another
 * one, which does not acknowledge it, turns out to have crossed.
 *
 * What the wire does not show is not known: a close that waits behind unsent text, and the end of TIME-WAIT. */
#ifndef INFERRED_H
#define INFERRED_H

#include "../drivers/driver.h"

struct inferred_side {
	struct tapir_endpoint who;
	enum tapir_tcp_state state;
	bool syn_sent, fin_sent, fin_taken;	/* fin_taken: the other side's FIN arrived in order */
	uint32_t iss;				/* if syn_sent; else one before the first octet seen */
	uint32_t fin_end;			/* if fin_sent: the sequence number behind the FIN */
	uint32_t rcv_nxt;			/* of what the other side sent */
	bool has_iss, has_rcv_nxt;
};
/* side[0] is the one that opened, or the first one seen when the capture began later. */
struct inferred { struct inferred_side side[2]; };

void inferred_begin(struct inferred *c, const struct trace_tcp *first);
/* Which side sent it: 0 or 1; -1: it is of another connection. */
int inferred_sender(const struct inferred *c, const struct trace_tcp *segment);
/* Is it the SYN of another connection between the same ports? */
bool inferred_is_new(const struct inferred *c, const struct trace_tcp *segment);
/* Both states after the segment was sent and received. True when one changed. */
bool inferred_segment(struct inferred *c, const struct trace_tcp *segment);
/* The same of one that was sent and never arrived. */
bool inferred_lost_segment(struct inferred *c, const struct trace_tcp *segment);

/* Which of INFERRED_BUCKETS a table keeps its connection in: the same for both directions. */
#define INFERRED_BUCKETS 4096u
uint32_t inferred_bucket(const struct trace_tcp *segment);

#endif
