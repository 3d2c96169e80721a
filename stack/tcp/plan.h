/* plan.h: a segment before it is built: plan.c decides on it, output.c builds it and accounts for it. */
#ifndef TCP_PLAN_H
#define TCP_PLAN_H

#include "internal.h"

struct plan {
	seq_t at;
	uint32_t len;			/* text bytes */
	uint8_t flags;
	bool tlp;			/* a tail loss probe */
	bool larger;			/* than SND.MSS, and one segment: pmtu.c's probe */
	struct tcp_sent *again;		/* what it sends again; NULL: something new, or nothing that counts */
	const char *why;
};

/* The next segment of this connection; false: there is none, now. */
bool tcp_plan(struct tapir *t, struct tcp_conn *c, struct plan *p);

uint32_t tcp_segment_text_max(const struct tcp_conn *c);		/* bytes of a full segment, with what options take */
uint8_t tcp_sack_block_count(const struct tcp_conn *c);			/* that the next segment carries */
uint32_t tcp_text_offset(const struct tcp_conn *c, seq_t at);		/* of a sequence number in c->tx */
uint64_t tcp_pacing_rate(const struct tapir *t, const struct tcp_conn *c);	/* bytes a second; 0: not paced */

/* --- burst.c: a plan of several segments that the driver does not cut up --- */
static inline bool tcp_is_large(const struct tcp_conn *c, const struct plan *p)
{
	return p->len > tcp_segment_text_max(c) && !p->larger;
}
/* out has just been sent on its way, whole: it becomes the first of its segments. */
void tcp_burst_begin(struct tapir *t, struct tcp_conn *c, const struct plan *p, struct tapir_out *out);
/* It cannot leave now: whoever has it cuts it up, or it is lost. */
void tcp_burst_held(struct tapir *t, struct tcp_conn *c, const struct plan *p, uint16_t size);
bool tcp_burst_next(struct tapir *t, struct tapir_out *out);	/* the next segment; false: there is none */

#endif
