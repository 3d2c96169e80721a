/* queue.h: lists of connections: what is ready to be looked at, what waits for a sender, accept queues, and the orphans. A
 * connection has one link for each kind of list, so it is in at most one of each kind; a flag of its own says whether
 * (is_ready, waits, queue). A link is two numbers in the pool, from 1 (0: none), half as large as two pointers. */
#ifndef TCP_QUEUE_H
#define TCP_QUEUE_H

#include "../tapir.h"

struct tcp_conn;

enum tcp_link_kind {
	LINK_READY,		/* tcp->ready (output.c), if is_ready */
	LINK_WAITING,		/* tcp->waiting (wait.c), if waits */
	LINK_QUEUE,		/* a listener's accept queue, or the orphans: queue says which */
	LINK_KINDS
};
struct tcp_link { uint32_t next, prev; };
struct tcp_queue { uint32_t head, tail; };	/* oldest first */

enum tcp_queue_id { QUEUE_NONE, QUEUE_ACCEPT, QUEUE_ORPHANS };

#endif
