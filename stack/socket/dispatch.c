/* dispatch.c: the third way in: which callbacks are due for a socket, and in which order. Runs only inside tapir_dispatch.
 *
 * A callback may close any socket, its own included, or give it to other handlers: after each the descriptor is looked up
 * again, and the socket is left alone if it is gone. A socket is served at most once a call and with bounded work; what is
 * left over puts it at the end of the list for the next call.
 *
 * The order for a stream is on_connect, on_data, on_end, on_drain, on_error, on_close. */
#include "socket.h"

#define SERVE_BYTES 65536u		/* of one socket in one call */
#define SERVE_COUNT 64			/* connections accepted, or datagrams */

/* One socket's turn. */
struct turn {
	struct tapir *t;
	struct socket *s;
	tapir_sd sd;
	int ran;			/* callbacks, those that the program left out included */
};
typedef void (*plain_fn)(struct tapir *t, tapir_sd sd, void *ctx);

static bool is_ours(const struct turn *u)
{
	return socket_find(u->t, u->sd) == u->s && u->s->handlers;
}

/* Each tell_ runs one callback and returns whether the turn goes on. */
static bool tell(struct turn *u, plain_fn fn)
{
	u->ran++;
	if (fn)
		fn(u->t, u->sd, u->s->ctx);
	return is_ours(u);
}

static bool tell_error(struct turn *u, int error)
{
	u->ran++;
	if (u->s->handlers->on_error)
		u->s->handlers->on_error(u->t, u->sd, u->s->ctx, error);
	return is_ours(u);
}

static bool tell_listening(struct turn *u)
{
	if (u->s->told_listening)
		return true;
	u->s->told_listening = true;
	return tell(u, u->s->handlers->on_listening);
}

/* --- a listening socket --- */

static bool tell_connection(struct turn *u, struct socket *child)
{
	struct tapir_endpoint peer = child->conn->peer;

	u->ran++;
	if (u->s->handlers->on_connection)
		u->s->handlers->on_connection(u->t, socket_sd(u->t, child), u->s->ctx, &peer);
	return is_ours(u);
}

static void serve_listener(struct turn *u)
{
	struct socket *child;
	int error;

	if (!tell_listening(u))
		return;
	for (int n = 0; n < SERVE_COUNT && !u->s->paused; n++) {
		child = u->s->listening ? stream_accept(u->t, u->s, &error) : NULL;
		if (!child || !tell_connection(u, child))
			return;
	}
	if (!u->s->paused)
		socket_changed(u->t, u->s);
}

/* --- a connection --- */

void socket_settle(struct tapir *t, struct socket *s)
{
	struct sockets *all = t->sockets;

	if (all->showing != s)
		return;
	all->showing = NULL;
	tcp_receive_consume(t, s->conn, all->shown);
}

/* Shows the first run of unread bytes and consumes it. */
static bool tell_data(struct turn *u, struct span data)
{
	struct sockets *all = u->t->sockets;

	u->ran++;
	all->showing = u->s;
	all->shown = (uint32_t)data.n;
	if (u->s->handlers->on_data)
		u->s->handlers->on_data(u->t, u->sd, u->s->ctx, data);
	socket_settle(u->t, u->s);
	return is_ours(u);
}

static bool serve_data(struct turn *u)
{
	uint32_t left = SERVE_BYTES;
	struct span data;

	while (!u->s->paused && u->s->conn->rx.bytes) {
		if (!left) {
			socket_changed(u->t, u->s);
			return true;
		}
		tcp_receive_peek(u->t, u->s->conn, &data, 1);
		data = span_first(data, left);
		left -= (uint32_t)data.n;
		if (!tell_data(u, data))
			return false;
	}
	return true;
}

static bool serve_end(struct turn *u)
{
	const struct tcp_conn *c = u->s->conn;

	if (u->s->told_end || !c->fin_rcvd || c->rx.bytes)
		return true;
	u->s->told_end = true;
	return tell(u, u->s->handlers->on_end);
}

/* There is room again when half of the buffer is free: a program that fills every byte as it comes sends small pieces. */
static bool serve_drain(struct turn *u)
{
	if (!u->s->wants_drain || !stream_can_send(u->s) || tcp_send_room(u->s->conn) < u->s->conn->tx.limit / 2)
		return true;
	u->s->wants_drain = false;
	return tell(u, u->s->handlers->on_drain);
}

/* The peer has ended and the program did not ask to go on alone: our FIN follows what was sent, and what a short send has
 * left over for on_drain. */
static void end_too(struct turn *u)
{
	struct tcp_conn *c = u->s->conn;

	if (u->s->told_end && !u->s->handlers->allow_half_open && !u->s->wants_drain && c->state == TCP_CLOSE_WAIT)
		tcp_close(u->t, c);
}

/* Both directions have ended and the peer has all that was sent; or the connection is no more, and what it left behind is
 * read, or will not be read because an error cuts a pause short. */
static bool is_finished(const struct socket *s)
{
	const struct tcp_conn *c = s->conn;

	if (c->state == TCP_CLOSED)
		return !c->rx.bytes || (s->paused && c->error);
	return (s->told_end || c->rcv_shutdown) && c->fin_queued && !c->tx.bytes;
}

static void finish(struct turn *u)
{
	int error = stream_take_error(u->s);
	plain_fn on_close;
	void *ctx;

	if (error && !tell_error(u, error))
		return;
	on_close = u->s->handlers->on_close;
	ctx = u->s->ctx;
	socket_close(u->t, u->s, false);
	u->ran++;
	if (on_close)
		on_close(u->t, u->sd, ctx);
}

static bool serve_connect(struct turn *u)
{
	if (u->s->told_connect || !u->s->connected)
		return true;
	u->s->told_connect = true;
	return tell(u, u->s->handlers->on_connect);
}

static void serve_connection(struct turn *u)
{
	if (!serve_connect(u) || !serve_data(u) || !serve_end(u) || !serve_drain(u))
		return;
	end_too(u);
	if (is_finished(u->s))
		finish(u);
}

/* --- a datagram socket --- */

static bool tell_message(struct turn *u, struct tapir_frame *f)
{
	u->ran++;
	if (u->s->handlers->on_message)
		u->s->handlers->on_message(u->t, u->sd, u->s->ctx, frame_span(f), &f->u.datagram.peer);
	frame_put(&u->t->frames, f);
	return is_ours(u);
}

static bool serve_messages(struct turn *u)
{
	struct tapir_frame *f;

	for (int n = 0; n < SERVE_COUNT && !u->s->paused; n++) {
		f = dgram_pop(u->s);
		if (!f)
			return true;
		if (!tell_message(u, f))
			return false;
	}
	if (!u->s->paused)
		socket_changed(u->t, u->s);
	return true;
}

static void serve_dgram(struct turn *u)
{
	int error = dgram_take_error(u->s);

	if (u->s->udp->bound && !tell_listening(u))
		return;
	if (error && !tell_error(u, error))
		return;
	if (!serve_messages(u) || !u->s->wants_drain)
		return;
	if (!dgram_can_send(u->t, u->s)) {
		socket_wait(u->t, u->s, LIST_MEMORY);
		return;
	}
	u->s->wants_drain = false;
	tell(u, u->s->handlers->on_drain);
}

static int serve(struct tapir *t, struct socket *s)
{
	struct turn u = {.t = t, .s = s, .sd = socket_sd(t, s)};

	if (s->type == TAPIR_SOCK_DGRAM)
		serve_dgram(&u);
	else if (s->listening)
		serve_listener(&u);
	else if (s->conn)
		serve_connection(&u);
	return u.ran;
}

int tapir_dispatch(struct tapir *t)
{
	struct sockets *all = t->sockets;
	enum socket_list_id serving = all->collecting;
	struct socket *s;
	int ran = 0;

	assert(!all->dispatching);
	all->dispatching = true;
	all->collecting = serving == LIST_DISPATCH_0 ? LIST_DISPATCH_1 : LIST_DISPATCH_0;
	while ((s = socket_pop(t, serving)))
		ran += serve(t, s);
	all->dispatching = false;
	return ran;
}
