/* burst.h: text that was decided on at once and leaves in segments (burst.c). */
#ifndef TCP_BURST_H
#define TCP_BURST_H

#include "../wire/cut.h"
#include "seq.h"

struct tcp_conn;

struct tcp_burst {
	struct tcp_conn *conn;		/* NULL: there is none */
	seq_t start, next, end;		/* of its text; what is before next has left */
	struct stream_place place;	/* of next in conn->tx */
	uint16_t size;			/* bytes of text in a segment */
	bool again;			/* some of it has left before */
	const char *why;		/* the plan's reason */
	struct cut cut;
};

#endif
