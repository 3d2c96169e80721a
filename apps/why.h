/* why.h: what the parts of `tapir why` share: a line of its log, who wants to see it, and the connections in a capture.
 *
 *   why.c          the command
 *   why_text.c     every text
 *   why_out.c      lines: which are wanted, as text or JSON
 *   why_flow.c     the connections: whose numbers a segment's are compared with
 *   why_event.c    an event of the stack's as a sentence
 *   why_account.c  a capture of tapir's own, or the running stack's: what the stack has told, line by line
 *   why_replay.c   anybody's capture: one host's place taken by a stack of ours (why_conn.c, why_host.c, why_judge.c) */
#ifndef WHY_H
#define WHY_H

#include <stdio.h>

#include "inferred.h"
#include "why_text.h"
#include "../drivers/reading.h"

/* --- lines --- */

enum why_kind {
	WHY_KIND_STATE, WHY_KIND_SEGMENT, WHY_KIND_ACK, WHY_KIND_LOSS, WHY_KIND_WINDOW, WHY_KIND_TIMER, WHY_KIND_CC,
	WHY_KIND_DROP, WHY_KIND_PATH, WHY_KIND_ECN, WHY_KIND_LINK, WHY_KIND_BUFFER, WHY_KIND_LINE, WHY_KIND_DIFFERENCE,
	WHY_KINDS
};
extern const char *const why_kind_names[WHY_KINDS];

struct why_number { const char *name; uint64_t value; };
struct why_line {
	usec_t at_us;			/* since the capture began */
	uint64_t frame;			/* its number in the file, from 1 */
	struct tapir_endpoint from, to;	/* port 0: of no connection */
	enum why_kind kind;
	char text[640], rule[160];	/* rule: RFC and section, "" when there is none */
	struct why_number numbers[8];	/* what was compared, for programs */
	unsigned int count;
};
/* A number that the text has, under the RFC's name for it. */
void why_number(struct why_line *l, const char *name, uint64_t value);

struct why_end { bool wanted, has_addr; struct tapir_addr addr; uint16_t port; };	/* port 0: any */
struct why_filter {
	struct why_end ends[2];
	uint32_t kinds;			/* a set of 1 << enum why_kind; 0: all */
	usec_t from_us, to_us;
};
bool why_filter_connection(struct why_filter *f, const char *text);	/* "10.0.0.1:80,10.0.0.2", ":7" */
bool why_filter_kinds(struct why_filter *f, const char *text);		/* "state,loss" */
/* Is a connection between these two wanted? */
bool why_wants(const struct why_filter *f, const struct tapir_endpoint *a, const struct tapir_endpoint *b);

struct why_out {
	struct why_filter filter;
	bool json, failed, all;		/* all: of a replay, what tapir does, too, not only what the host did otherwise */
	FILE *to;
	uint64_t lines, frames;
};
void why_out_line(struct why_out *o, const struct why_line *l);
void why_endpoint(char *text, size_t size, const struct tapir_endpoint *e);	/* 10.0.0.1:80 */

/* --- connections --- */

/* Of sequence numbers. */
static inline bool why_is_beyond(uint32_t a, uint32_t b) { return (int32_t)(a - b) > 0; }
/* What a side has sent and announced, in its own octets: 0 is its SYN. */
struct why_side { uint32_t nxt, una, edge; uint8_t shift; bool has_edge, offered_shift; };
struct why_flow {
	struct why_flow *next, *hash_next;
	struct inferred inferred;
	struct why_side side[2];
	void *user;
};
struct why_flows { struct why_flow *first, **end, *buckets[INFERRED_BUCKETS]; };
void why_flows_begin(struct why_flows *f);
void why_flows_free(struct why_flows *f, void (*each)(struct why_flow *flow));

/* A segment and what it is compared with, as it was before it came. Octets are relative: seq, end, rcv_nxt and edge to the
 * sender's ISS, ack, una and nxt to the receiver's. */
struct why_segment {
	struct trace_segment is;
	struct why_flow *flow;
	int from;			/* the sender's side */
	uint32_t seq, end, rcv_nxt, edge, ack, una, nxt;
};
bool why_segment_find(struct why_flows *f, struct span frame, bool ip_only, struct why_segment *s);
/* It was sent; and if `arrived`, received, too. */
void why_segment_passed(struct why_segment *s, bool arrived);

/* --- sentences --- */

/* What is said about e goes to l->text and l->rule; s: the segment that it came with; may be NULL. */
void why_event_say(struct why_line *l, const struct tapir_event *e, const struct why_segment *s);
void why_fault_say(struct why_line *l, const struct fault_note *note);
/* "1.234 ms" to text, which is returned. */
#define WHY_TIME 32
char *why_ms(char text[WHY_TIME], usec_t us);

/* --- the two ways --- */

/* 0; or TAPIR_EIO: it is damaged from here on, which driver_error() says; or TAPIR_ENOMEM. first: read already; may be NULL. */
int why_account(struct why_out *o, struct reading *r, const struct captured *first);
struct why_replay_options { struct tapir_endpoint as; bool chosen; };	/* as: the host to take the place of; port 0: any */
int why_replay(struct why_out *o, struct reading *r, const struct captured *first, const struct why_replay_options *how);

#endif
