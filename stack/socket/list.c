/* list.c: every socket, and every connection whether it has a socket or not, in pieces, for a program that looks at the whole
 * stack (netstat). Changes nothing. A cursor counts places of the tables: first the sockets', then the connections'.
 * Invariant: no call looks at more than LOOKS places, however few of them are taken. */
#include "socket.h"

#define LOOKS 256u

static struct tapir_tcp_row listener_row(const struct tapir *t, const struct socket *s)
{
	const struct tcp_bound *b = tcp_bound_of(t, s->bound);
	const struct tcp_listener *l = &b->listener;
	struct tapir_tcp_row row = {.recv_q = l->accepted, .send_q = l->backlog, .sndbuf = l->sndbuf, .rcvbuf = l->rcvbuf};

	row.info.state = TAPIR_TCP_LISTEN;
	row.info.local = b->local;
	row.info.congestion = tapir_cc_name((enum tapir_cc)l->congestion);
	for (int i = 0; i < TAPIR_TIMER_COUNT; i++)
		row.due_us[i] = USEC_NEVER;
	return row;
}

/* The row of one place; false: there is none. */
static bool tcp_place(struct tapir *t, uint32_t at, struct tapir_tcp_row *row)
{
	const struct socket *s = &t->sockets->slots[at];

	if (at >= t->sockets->max)
		return tcp_row(t, at - t->sockets->max, row);
	if (s->type != TAPIR_SOCK_STREAM || !s->listening)
		return false;
	*row = listener_row(t, s);
	return true;
}

/* Behind the sockets that have ever been used come the connections. */
static void step(const struct tapir *t, struct tapir_cursor *cursor, uint32_t end)
{
	if (cursor->at >= t->sockets->fresh && cursor->at < t->sockets->max)
		cursor->at = t->sockets->max;
	cursor->done = cursor->at >= end;
}

uint32_t tapir_tcp_list(struct tapir *t, struct tapir_cursor *cursor, struct tapir_tcp_row *rows, uint32_t max)
{
	uint32_t n = 0, looks = 0, end = t->sockets->max + tcp_places(t);

	step(t, cursor, end);
	while (!cursor->done && n < max && looks++ < LOOKS) {
		n += tcp_place(t, cursor->at++, &rows[n]);
		step(t, cursor, end);
	}
	return n;
}

uint32_t tapir_udp_list(const struct tapir *t, struct tapir_cursor *cursor, struct tapir_udp_row *rows, uint32_t max)
{
	uint32_t n = 0, looks = 0;

	while (cursor->at < t->sockets->fresh && n < max && looks++ < LOOKS) {
		const struct socket *s = &t->sockets->slots[cursor->at++];
		const struct udp_sock *u = s->type == TAPIR_SOCK_DGRAM ? s->udp : NULL;

		if (!u || !u->bound)
			continue;
		rows[n++] = (struct tapir_udp_row){.local = u->local, .peer = u->peer, .recv_q = u->rx_held,
						   .datagrams = u->rx.count, .rcvbuf = u->rcvbuf, .drops = u->drops};
	}
	cursor->done = cursor->at >= t->sockets->fresh;
	return n;
}
