/* user.c: the user's calls (RFC 9293 3.10.1 to 3.10.5; STATUS, 3.10.6, is status.c). Each changes state and notes what is
 * owed; none sends. Errors are POSIX's names for what RFC 9293 3.10 says in words. */
#include "internal.h"

/* --- OPEN, 3.10.1 (the passive one is in listen.c) --- */

static int choose_local(struct tapir *t, struct tapir_endpoint *local, const struct tapir_endpoint *peer)
{
	struct ip_route route;
	int error = ip_route(t, &peer->addr, &route);

	if (error)
		return error;
	if (route.broadcast || ip_is_multicast(&peer->addr) || tapir_addr_is_any(&peer->addr))
		return TAPIR_ENETUNREACH;
	if (tapir_addr_is_any(&local->addr))
		local->addr = route.src;
	if (!local->port)
		local->port = tcp_port_for(t, &local->addr, peer);
	return local->port ? 0 : TAPIR_EADDRNOTAVAIL;
}

static struct tcp_conn *new_active(struct tapir *t, const struct tapir_endpoint *local, const struct tapir_endpoint *peer)
{
	struct tcp_conn *c = tcp_conn_new(t, TCP_CLOSED);

	if (!c)
		return NULL;
	c->active = true;
	c->local = *local;
	c->peer = *peer;
	c->iss = c->snd.una = c->snd.nxt = c->snd.max = tcp_isn(t, local, peer);
	c->ts.offset = tcp_ts_offset(t, local, peer);
	return c;
}

struct tcp_conn *tcp_open_active(struct tapir *t, const struct tapir_endpoint *local, const struct tapir_endpoint *peer,
				 uint32_t owner, int *error)
{
	struct tapir_endpoint mine = *local;
	struct tcp_tuple tuple;
	struct tcp_conn *c;

	*error = choose_local(t, &mine, peer);
	if (*error)
		return NULL;
	tuple = tcp_tuple(t, &mine, peer);
	if (tcp_is_taken(t, &tuple)) {
		*error = TAPIR_EADDRINUSE;	/* "connection already exists"; TIME-WAIT is one too (RFC 9293 3.6.1) */
		return NULL;
	}
	c = new_active(t, &mine, peer);
	if (!c) {
		*error = TAPIR_ENOMEM;
		return NULL;
	}
	c->owner = owner;
	tcp_demux_add(t, c);
	tcp_set_state(t, c, TCP_SYN_SENT, "RFC 9293 3.10.1: active OPEN");
	tcp_ready(t, c);
	return c;
}

/* --- SEND, 3.10.2 --- */

uint32_t tcp_send_room(const struct tcp_conn *c)
{
	return c->tx.limit > c->tx.bytes ? c->tx.limit - c->tx.bytes : 0;
}

static int may_send(const struct tcp_conn *c)
{
	switch (c->state) {
	case TCP_SYN_SENT: case TCP_SYN_RCVD:	/* queued until ESTABLISHED */
	case TCP_ESTABLISHED: case TCP_CLOSE_WAIT:
		return tcp_send_room(c) ? 0 : TAPIR_EAGAIN;
	case TCP_FIN_WAIT_1: case TCP_FIN_WAIT_2: case TCP_CLOSING: case TCP_LAST_ACK: case TCP_TIME_WAIT:
		return TAPIR_EPIPE;		/* "connection closing" */
	case TCP_CLOSED:
		return c->error ? c->error : TAPIR_EPIPE;
	case TCP_LISTEN:
		break;
	}
	return TAPIR_ENOTCONN;			/* "connection does not exist" */
}

int64_t tcp_send(struct tapir *t, struct tcp_conn *c, const void *buf, size_t n)
{
	uint32_t taken, room;
	int error;

	tcp_tune_sndbuf(t, c, 0);
	room = tcp_send_room(c);
	error = may_send(c);
	if (error)
		return error;
	if (!n && tcp_fastopen_waits(c)) {	/* nothing to take along, but the program does not want to wait */
		c->fastopen = FASTOPEN_SHOWS;
		tcp_ready(t, c);
	}
	tcp_note_app_limit(c);
	taken = stream_append(&c->tx, &t->frames, buf, n < room ? (uint32_t)n : room);
	if (!taken && n && tcp_orphan_make_room(t))
		taken = stream_append(&c->tx, &t->frames, buf, n < room ? (uint32_t)n : room);
	if (taken) {
		tcp_user_timer_begin(t, c);
		tcp_ready(t, c);
	}
	return taken || !n ? (int64_t)taken : TAPIR_EAGAIN;
}

int64_t tcp_send_borrowed(struct tapir *t, struct tcp_conn *c, struct tapir_frame *borrowed)
{
	uint32_t n = borrowed->len;
	int error;

	tcp_tune_sndbuf(t, c, 0);
	error = may_send(c);
	if (error)
		return error;
	if (n > tcp_send_room(c) && c->tx.bytes)
		return TAPIR_EAGAIN;		/* one that is larger than the whole buffer goes when it is empty */
	tcp_note_app_limit(c);
	stream_append_frame(&c->tx, &t->frames, borrowed);
	tcp_user_timer_begin(t, c);
	tcp_ready(t, c);
	return n;
}

void tcp_set_congestion(struct tapir *t, struct tcp_conn *c, enum tapir_cc cc)
{
	tcp_cc_switch(t, c, cc_of(cc));
}

/* --- RECEIVE, 3.10.3 --- */

static int nothing_to_read(const struct tcp_conn *c)
{
	if (c->fin_rcvd || c->rcv_shutdown)
		return 0;
	return c->state == TCP_CLOSED ? c->error : TAPIR_EAGAIN;
}

int64_t tcp_receive(struct tapir *t, struct tcp_conn *c, void *buf, size_t n)
{
	uint32_t got;

	if (!c->rx.bytes)
		return nothing_to_read(c);
	got = stream_copy(&c->rx, 0, buf, n < c->rx.bytes ? (uint32_t)n : c->rx.bytes);
	tcp_receive_consume(t, c, got);
	return got;
}

int tcp_receive_peek(struct tapir *t, struct tcp_conn *c, struct span *spans, int max)
{
	uint32_t got;

	(void)t;
	if (!c->rx.bytes)
		return nothing_to_read(c);
	return stream_slice(&c->rx, 0, c->rx.bytes, spans, max, &got);
}

/* The window opens as the user reads. A peer that fills it is told when the edge can move by a good part of the buffer, or
 * at all from nearly nothing; the rest rides on ACKs that leave anyway (RFC 9293 3.8.6.2.2). */
static bool window_update_is_due(const struct tcp_conn *c)
{
	uint32_t now = tcp_rcv_wnd(c), then = tcp_window_to_offer(c);

	if (then <= now)
		return false;
	return then - now >= tcp_window_limit(c) / 4 || now < 2u * c->rcv.mss_offered;
}

/* The user has n bytes more, and they are in c->rx no longer. */
static void consumed(struct tapir *t, struct tcp_conn *c, uint32_t n)
{
	tcp_tune_on_read(t, c, n);
	if (c->urgent && seq_leq(c->rcv.up, seq(c->rcv.nxt.n - c->rx.bytes)))
		c->urgent = false;		/* everything up to RCV.UP is consumed: the end of urgent mode */
	switch (c->state) {
	case TCP_SYN_RCVD: case TCP_ESTABLISHED: case TCP_FIN_WAIT_1: case TCP_FIN_WAIT_2:
		if (window_update_is_due(c))
			tcp_owe_ack(t, c, "RFC 9293 3.8.6.2.2: window update");
		break;
	case TCP_CLOSED: case TCP_LISTEN: case TCP_SYN_SENT: case TCP_CLOSE_WAIT: case TCP_CLOSING: case TCP_LAST_ACK:
	case TCP_TIME_WAIT:
		break;				/* nothing more will come */
	}
}

void tcp_receive_consume(struct tapir *t, struct tcp_conn *c, uint32_t n)
{
	stream_consume(&c->rx, &t->frames, n);
	consumed(t, c, n);
}

int64_t tcp_splice(struct tapir *t, struct tcp_conn *from, struct tcp_conn *to, size_t n)
{
	uint32_t moved;
	int error;

	if (!from->rx.bytes)
		return nothing_to_read(from);
	tcp_tune_sndbuf(t, to, 0);
	error = may_send(to);
	if (error)
		return error;
	tcp_note_app_limit(to);
	moved = stream_move(&to->tx, &from->rx, &t->frames, n < tcp_send_room(to) ? (uint32_t)n : tcp_send_room(to));
	if (!moved)
		return n ? TAPIR_EAGAIN : 0;
	tcp_user_timer_begin(t, to);
	tcp_ready(t, to);
	consumed(t, from, moved);
	return moved;
}

void tcp_shutdown_receive(struct tapir *t, struct tcp_conn *c)
{
	c->rcv_shutdown = true;
	if (c->rx.bytes)		/* thrown away is consumed; where nothing was, there is no news for the peer */
		tcp_receive_consume(t, c, c->rx.bytes);
}

/* --- CLOSE, 3.10.4 --- */

/* The FIN is queued behind the text and the state moves at once. */
static void queue_fin(struct tapir *t, struct tcp_conn *c, enum tcp_state to)
{
	c->fin_queued = true;
	tcp_set_state(t, c, to, "RFC 9293 3.10.4: CLOSE");
	tcp_user_timer_begin(t, c);
	tcp_ready(t, c);
}

int tcp_close(struct tapir *t, struct tcp_conn *c)
{
	switch (c->state) {
	case TCP_SYN_SENT:
		tcp_conn_end(t, c, TAPIR_ECONNABORTED, "RFC 9293 3.10.4: CLOSE before the peer has answered");
		return 0;
	case TCP_SYN_RCVD: case TCP_ESTABLISHED:
		queue_fin(t, c, TCP_FIN_WAIT_1);
		return 0;
	case TCP_CLOSE_WAIT:
		queue_fin(t, c, TCP_LAST_ACK);
		return 0;
	case TCP_FIN_WAIT_1: case TCP_FIN_WAIT_2: case TCP_CLOSING: case TCP_LAST_ACK: case TCP_TIME_WAIT:
		return 0;			/* "connection closing": it is, already */
	case TCP_CLOSED: case TCP_LISTEN:
		break;
	}
	return TAPIR_ENOTCONN;
}

/* --- ABORT, 3.10.5 --- */

void tcp_abort(struct tapir *t, struct tcp_conn *c)
{
	switch (c->state) {
	case TCP_SYN_RCVD: case TCP_ESTABLISHED: case TCP_FIN_WAIT_1: case TCP_FIN_WAIT_2: case TCP_CLOSE_WAIT:
		tcp_reset_conn(t, c, c->snd.max);
		break;
	case TCP_SYN_SENT: case TCP_CLOSING: case TCP_LAST_ACK: case TCP_TIME_WAIT:
		break;				/* "no RST is formed" */
	case TCP_CLOSED: case TCP_LISTEN:
		return;
	}
	tcp_conn_end(t, c, TAPIR_ECONNABORTED, "RFC 9293 3.10.5: ABORT");
}

void tcp_release(struct tapir *t, struct tcp_conn *c)
{
	c->owner = 0;
	switch (c->state) {
	case TCP_CLOSED:
		tcp_conn_free(t, c);
		return;
	case TCP_FIN_WAIT_1: case TCP_FIN_WAIT_2: case TCP_CLOSING: case TCP_LAST_ACK:
		if (!c->rx.bytes)
			tcp_orphan_begin(t, c);
		break;
	case TCP_TIME_WAIT:
		tcp_mini_begin(t, c);
		break;
	case TCP_SYN_SENT: case TCP_SYN_RCVD: case TCP_ESTABLISHED: case TCP_CLOSE_WAIT: case TCP_LISTEN:
		assert(false);			/* an owner closes or aborts before it lets go */
	}
	if (c->rx.bytes && c->state != TCP_TIME_WAIT) {	/* RFC 9293 3.6.1: text lost unread is told with a RST */
		tcp_reset_conn(t, c, c->snd.max);
		tcp_conn_end(t, c, 0, "RFC 9293 3.6.1: text is lost unread");
		return;
	}
	stream_clear(&c->rx, &t->frames);
}
