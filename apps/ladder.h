/* ladder.h: the TCP connections in a capture as ladders: one rung for each segment that changes a state, or for every segment,
 * with the states of both sides after it arrived; what lies between is counted. ladder_model.c makes them from frames; what
 * is drawn, as text, as Mermaid or as SVG, is the same for all. */
#ifndef LADDER_H
#define LADDER_H

#include <stdio.h>

#include "../drivers/driver.h"
#include "text.h"

/* What became of a segment: it arrived; it seems that it did not (ladder_flight.h); who captured it says that it did not. */
enum ladder_fate { LADDER_ARRIVED, LADDER_SEEMS_LOST, LADDER_LOST };
enum ladder_order { LADDER_NEW, LADDER_AGAIN, LADDER_LATE };

struct ladder_rung {
	usec_t at_us, end_us;		/* when it was captured, the last of several, from the capture's first frame on */
	int from;			/* which side sent it, 0 or 1; -1: segments that are only counted */
	enum tapir_tcp_state state[2];	/* after it arrived */

	/* from >= 0 */
	enum ladder_fate fate;
	enum ladder_order order;
	const char *text;		/* "S. 0:0(0) ack 1 win 65535 <mss 1460>": numbers from the connection's first ones on */

	/* how many there are; of one that is drawn: 1 */
	uint64_t count, again, lost, bytes[2];
	bool left_out;			/* by ladder_shorten */
};
struct ladder_conn {
	struct tapir_endpoint who[2];	/* [0] opened, or was seen first */
	enum tapir_tcp_state first[2];	/* before the first segment */
	struct ladder_rung *rungs;
	size_t count;
	usec_t delay_us[2];		/* how far away each side is from where the capture was made, at most */
};

struct ladder_options { uint16_t port; bool all; };	/* port 0: every one; all: no segment is only counted */

struct ladder;
struct ladder *ladder_new(const struct ladder_options *o);	/* NULL: out of memory */
void ladder_free(struct ladder *l);
/* A frame of the capture; its time from wherever, but never back. lost: who captured it knows that it never arrived. */
struct ladder_frame { usec_t at_us; struct span bytes; bool ip_only, lost; };
void ladder_take(struct ladder *l, const struct ladder_frame *f);
/* After the last frame. The connections are in the order in which they began. */
void ladder_finish(struct ladder *l);
size_t ladder_count(const struct ladder *l);
const struct ladder_conn *ladder_conn(const struct ladder *l, size_t i);
bool ladder_failed(const struct ladder *l);			/* there was not enough memory for all of it */

/* Puts one rung that counts in the place of those in the middle, so that no more than rungs are left, 3 at least. */
void ladder_shorten(struct ladder *l, size_t i, size_t rungs);

/* For who draws. Texts are cut off to fit into size. */
#define LADDER_GAP_US (100 * TAPIR_MS)	/* a silence as long as this is told */
#define LADDER_ENDPOINT (TAPIR_ADDR_TEXT + 8)
void ladder_endpoint(char text[LADDER_ENDPOINT], const struct tapir_endpoint *e);
#define LADDER_TIME 32
void ladder_time(char text[LADDER_TIME], usec_t us);		/* "0.000123" */
void ladder_duration(char text[LADDER_TIME], usec_t us);	/* "12.5 ms" */
/* What is said of a segment beside its numbers, "sent again"; "". */
void ladder_remark(char *text, size_t size, const struct ladder_rung *r);
/* Of a rung that counts: how much of what. */
void ladder_counted(char *text, size_t size, const struct ladder_rung *r);

void ladder_text(const struct ladder *l, FILE *out);
/* One diagram for each connection, each fenced as Markdown wants it. */
void ladder_mermaid(struct ladder *l, FILE *out);
/* One picture of all of them. False: out of memory, and nothing was written. */
bool ladder_svg(struct ladder *l, FILE *out);

#endif
