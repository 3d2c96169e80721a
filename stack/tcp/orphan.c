/* orphan.c: connections whose program has closed and let go, and that still have to deliver text or a FIN. They end by rule,
 * because nobody is left to end them, and a peer that reads slowly, or not at all, would keep what they hold for as long as it
 * likes:
 * - silence: config.orphan_retries instead of R2 (timeout.c);
 * - a closed window that is probed and answered: the same number of probes (timeout.c; RFC 9293 3.8.6.1 MUST-37 protects
 *   a connection that somebody still wants);
 * - a window that opens by a byte now and then, which starts those counts anew each time: config.orphan_us in all, and a
 *   millisecond for each byte, from the moment the program let go to the acknowledgment of the last one;
 * - FIN-WAIT-2: config.fin_wait_2_us (RFC 1122 4.2.2.20 (f) has no end);
 * - want of memory: when config.max_conns are open the oldest orphan gives way to the next, though not to a SYN, which anybody
 *   could have sent; when a program's text finds no buffer, the oldest whose peer holds its window below a segment.
 * A peer that still had something to get is told with a RST (RFC 9293 3.6.1). Keep-alives (RFC 9293 3.8.4) end with the program: an
 * orphan that is idle has its end before it.
 *
 * What a program holds is its own to bound: SO_SNDBUF and SO_RCVBUF for each connection, TCP_USER_TIMEOUT for a peer that does
 * not read, the backlog for those it has not accepted yet.
 *
 * Invariant: t->tcp->orphans holds, oldest first, exactly the connections without owner and listener in FIN-WAIT-1,
 * FIN-WAIT-2, CLOSING and LAST-ACK that tcp_release has seen. */
#include "internal.h"

#define US_A_BYTE TAPIR_MS	/* beside orphan_us: much text takes its time on a slow line, 8 kbit/s or more */
#define LOOK_AT 8u			/* of the oldest, when memory is short: bounded work for each send() */

void tcp_orphan_begin(struct tapir *t, struct tcp_conn *c)
{
	usec_t most_us = c->state == TCP_FIN_WAIT_2 ? tcp_fin_wait_2_us(t, c) : t->cfg.orphan_us + c->tx.bytes * US_A_BYTE;

	tcp_enqueue(t, c, QUEUE_ORPHANS);
	tcp_timer_disarm(t, c, TAPIR_TIMER_KEEPALIVE);	/* it ends by itself, whether its peer is there or not */
	tcp_timer_arm(t, c, TAPIR_TIMER_FIN_WAIT_2, t->now_us + most_us);
}

void tcp_orphan_end(struct tapir *t, struct tcp_conn *c, const char *why)
{
	struct tcp_seg rst = {.src_port = c->local.port, .dst_port = c->peer.port, .seq = c->snd.max, .flags = TCP_RST};

	tcp_say_segment(t, c, &rst, TAPIR_EV_SEGMENT_OUT, why);
	tcp_send_alone(t, c, &rst);
	tcp_conn_end(t, c, 0, why);
}

bool tcp_orphan_make_room(struct tapir *t)
{
	struct tcp_conn *c = tcp_slot(t, t->tcp->orphans.head);

	for (uint32_t i = 0; c && i < LOOK_AT; i++, c = tcp_slot(t, c->links[LINK_QUEUE].next)) {
		if (!c->tx.bytes || c->snd.wnd >= c->snd.mss)
			continue;
		tcp_orphan_end(t, c, "memory is short, and the peer of this orphan does not read");
		return true;
	}
	return false;
}
