/* stream.c: TCP's half of the socket calls: which of POSIX's states a stream is in, and what each call means there. The
 * connection itself and all it does is tcp/user.c.
 *
 * A stream is idle, bound (bound), listening, or has a connection (conn) from connect() or
 * accept(). A connection stays with its socket after it has ended, for what is unread and for its error, which is told
 * once: by recv, by send, by connect after a failed one, or by SO_ERROR. */
#include "socket.h"

static void tell_listener(struct tcp_listener *l, const struct socket *s)
{
	l->rcvbuf = s->opt.rcvbuf;
	l->sndbuf = s->opt.sndbuf;
	l->rcvbuf_fixed = s->opt.rcvbuf_fixed;
	l->sndbuf_fixed = s->opt.sndbuf_fixed;
	l->ttl = s->opt.ttl;
	l->tos = s->opt.tos;
	l->retries = s->opt.retries;
	l->congestion = s->opt.congestion;
	l->nodelay = s->opt.nodelay;
	l->cork = s->opt.cork;
	l->tuning = s->tuning;
	l->keepalive = s->opt.keepalive;
}

static void tell_connection(struct tapir *t, struct tcp_conn *c, const struct socket *s)
{
	if (s->opt.rcvbuf_fixed)
		c->rx.limit = s->opt.rcvbuf;
	if (s->opt.sndbuf_fixed)
		c->tx.limit = s->opt.sndbuf;
	c->rcvbuf_fixed = s->opt.rcvbuf_fixed;
	c->sndbuf_fixed = s->opt.sndbuf_fixed;
	c->ttl = s->opt.ttl;
	c->tos = s->opt.tos;
	c->retries = s->opt.retries;
	tcp_set_congestion(t, c, (enum tapir_cc)s->opt.congestion);
	tcp_set_tuning(t, c, s->tuning);
	if (c->nodelay != s->opt.nodelay)
		tcp_set_nodelay(t, c, s->opt.nodelay);
	if (c->cork != s->opt.cork)
		tcp_set_cork(t, c, s->opt.cork);
	if (c->keepalive != s->opt.keepalive)
		tcp_set_keepalive(t, c, s->opt.keepalive);
}

void stream_apply_options(struct tapir *t, struct socket *s)
{
	if (s->listening)
		tell_listener(&tcp_bound_of(t, s->bound)->listener, s);
	if (s->conn)
		tell_connection(t, s->conn, s);
}

int stream_bind(struct tapir *t, struct socket *s, const struct tapir_endpoint *local)
{
	struct tcp_bound *b;
	int error = 0;

	if (s->bound || s->conn)
		return TAPIR_EINVAL;
	b = tcp_bind(t, local, s->opt.reuse, &error);
	if (!b)
		return error;
	b->owner = socket_number(t->sockets, s);
	s->bound = tcp_bound_number(t, b);
	return 0;
}

int tapir_listen(struct tapir *t, tapir_sd sd, int backlog)
{
	static const struct tapir_endpoint any;
	int error;
	struct socket *s = socket_find_stream(t, sd, &error);
	struct tcp_bound *b;

	if (!s)
		return error;
	if (s->conn)
		return TAPIR_EINVAL;
	if (!s->bound)
		error = stream_bind(t, s, &any);
	if (error)
		return error;
	b = tcp_bound_of(t, s->bound);
	backlog = backlog < 1 ? 1 : backlog;
	b->listener.backlog = (uint16_t)min_u32((uint32_t)backlog, t->cfg.backlog);
	if (s->listening)
		return 0;
	s->listening = true;
	stream_apply_options(t, s);
	tcp_open_passive(t, b);
	socket_changed(t, s);		/* on_listening */
	return 0;
}

/* What POSIX says to a connect() on a socket that has a connection: 0 when it failed and may be tried anew. */
static int connect_again(struct tapir *t, struct socket *s)
{
	struct tcp_conn *c = s->conn;
	int error;

	if (s->connected || tcp_fastopen_waits(c))	/* then connect() has said so */
		return TAPIR_EISCONN;
	if (c->state != TCP_CLOSED)
		return TAPIR_EALREADY;
	error = stream_take_error(s);
	if (error)
		return error;
	s->conn = NULL;
	tcp_release(t, c);
	return 0;
}

int stream_connect(struct tapir *t, struct socket *s, const struct tapir_endpoint *peer)
{
	struct tapir_endpoint local = stream_local(t, s);
	int error;

	if (s->listening)
		return TAPIR_EOPNOTSUPP;
	if (s->conn) {
		error = connect_again(t, s);
		if (error)
			return error;
		local = stream_local(t, s);	/* the port that the failed one was given is free again */
	}
	if (!peer->port)
		return TAPIR_EINVAL;
	s->conn = tcp_open_active(t, &local, peer, socket_number(t->sockets, s), &error);
	if (!s->conn)
		return error;
	stream_apply_options(t, s);
	if (s->opt.quickack != QUICKACK_UNSET)
		tcp_set_quickack(t, s->conn, s->opt.quickack);
	if (s->opt.fastopen_connect && tcp_fastopen_connect(t, s->conn)) {
		socket_changed(t, s);		/* writable */
		return 0;
	}
	return TAPIR_EINPROGRESS;
}

int stream_take_error(struct socket *s)
{
	struct tcp_conn *c = s->conn;
	int error = c ? c->error : 0;

	if (c)
		c->error = 0;
	return error;
}

/* A send took less than it was given. If there is room within SO_SNDBUF, what lacks is memory. */
static void send_was_short(struct tapir *t, struct socket *s)
{
	s->wants_drain = true;
	if (tcp_send_room(s->conn))
		socket_wait(t, s, LIST_MEMORY);
}

int64_t stream_send(struct tapir *t, struct socket *s, const void *buf, size_t n)
{
	struct tcp_conn *c = s->conn;
	int64_t taken;

	if (!c)
		return TAPIR_ENOTCONN;
	taken = tcp_send(t, c, buf, n);
	if (taken == TAPIR_EAGAIN || (taken >= 0 && (uint64_t)taken < n))
		send_was_short(t, s);
	else if (taken < 0)
		stream_take_error(s);
	return taken;
}

int64_t tapir_send_borrowed(struct tapir *t, tapir_sd sd, const void *p, size_t n,
			    void (*done)(void *ctx, const uint8_t *p), void *ctx)
{
	int error;
	struct socket *s = socket_find_stream(t, sd, &error);
	struct tapir_frame *f;
	int64_t taken;

	if (!s)
		return error;
	if (!s->conn)
		return TAPIR_ENOTCONN;
	if (n == 0 || n > INT32_MAX)
		return TAPIR_EINVAL;
	f = frame_get_borrowed(&t->frames, p, (uint32_t)n);
	if (!f) {
		s->wants_drain = true;
		socket_wait(t, s, LIST_BORROWED);
		return TAPIR_EAGAIN;
	}
	f->u.borrowed.done = done;
	f->u.borrowed.ctx = ctx;
	taken = tcp_send_borrowed(t, s->conn, f);
	if (taken >= 0)
		return taken;
	f->u.borrowed.done = NULL;		/* not taken: still the program's */
	frame_put(&t->frames, f);
	if (taken == TAPIR_EAGAIN)
		s->wants_drain = true;
	else
		stream_take_error(s);
	return taken;
}

int64_t stream_recv(struct tapir *t, struct socket *s, void *buf, size_t n)
{
	int64_t got;

	if (!s->conn)
		return TAPIR_ENOTCONN;
	socket_settle(t, s);
	got = tcp_receive(t, s->conn, buf, n);
	if (got < 0 && got != TAPIR_EAGAIN)
		stream_take_error(s);
	return got;
}

int tapir_recv_peek(struct tapir *t, tapir_sd sd, struct span *spans, int max)
{
	int got, error;
	struct socket *s = socket_find_stream(t, sd, &error);

	if (!s)
		return error;
	if (!s->conn)
		return TAPIR_ENOTCONN;
	if (max < 1)
		return TAPIR_EINVAL;
	socket_settle(t, s);
	got = tcp_receive_peek(t, s->conn, spans, max);
	if (got < 0 && got != TAPIR_EAGAIN)
		stream_take_error(s);
	return got;
}

int tapir_recv_consume(struct tapir *t, tapir_sd sd, size_t n)
{
	int error;
	struct socket *s = socket_find_stream(t, sd, &error);

	if (!s)
		return error;
	if (!s->conn)
		return TAPIR_ENOTCONN;
	socket_settle(t, s);
	if (n > s->conn->rx.bytes)
		return TAPIR_EINVAL;
	tcp_receive_consume(t, s->conn, (uint32_t)n);
	return 0;
}

int64_t tapir_splice(struct tapir *t, tapir_sd from, tapir_sd to, size_t n)
{
	int error = 0;
	struct socket *source = socket_find_stream(t, from, &error);
	struct socket *target = source ? socket_find_stream(t, to, &error) : NULL;
	uint32_t waiting;
	int64_t moved;

	if (!target)
		return error;
	if (!source->conn || !target->conn)
		return TAPIR_ENOTCONN;
	socket_settle(t, source);
	waiting = source->conn->rx.bytes;
	moved = tcp_splice(t, source->conn, target->conn, n);
	if (waiting && (moved == TAPIR_EAGAIN || (moved > 0 && (uint64_t)moved < n && (uint32_t)moved < waiting)))
		send_was_short(t, target);
	else if (moved < 0 && moved != TAPIR_EAGAIN)
		stream_take_error(waiting ? target : source);
	return moved;
}

static bool has_incoming(const struct tapir *t, const struct socket *s)
{
	return tcp_bound_of(t, s->bound)->listener.accept.head;
}

struct socket *stream_accept(struct tapir *t, struct socket *s, int *error)
{
	struct socket *child;

	*error = !s->listening ? TAPIR_EINVAL : !has_incoming(t, s) ? TAPIR_EAGAIN : 0;
	if (*error)
		return NULL;
	child = socket_new(t, TAPIR_SOCK_STREAM);
	if (!child) {				/* it stays in the queue until a descriptor is free */
		socket_wait(t, s, LIST_SLOT);
		*error = TAPIR_ENOMEM;
		return NULL;
	}
	child->conn = tcp_accept(t, tcp_bound_of(t, s->bound), socket_number(t->sockets, child));
	child->opt = s->opt;
	child->tuning = tcp_tuning_share(s->tuning);
	stream_apply_options(t, child);		/* they may have changed since the SYN */
	child->handlers = s->handlers;
	child->ctx = s->ctx;
	child->connected = child->told_connect = true;
	socket_changed(t, child);		/* what arrived while nobody owned it was told to nobody */
	return child;
}

tapir_sd tapir_accept(struct tapir *t, tapir_sd sd, struct tapir_endpoint *peer)
{
	int error;
	struct socket *s = socket_find_stream(t, sd, &error), *child = s ? stream_accept(t, s, &error) : NULL;

	if (!child)
		return error;
	if (peer)
		*peer = child->conn->peer;
	return socket_sd(t, child);
}

int stream_shutdown(struct tapir *t, struct socket *s, enum tapir_shut how)
{
	struct tcp_conn *c = s->conn;

	if (!c || c->state == TCP_CLOSED)
		return TAPIR_ENOTCONN;
	socket_settle(t, s);
	if (how != TAPIR_SHUT_WR)
		tcp_shutdown_receive(t, c);
	if (how != TAPIR_SHUT_RD)
		tcp_close(t, c);
	socket_changed(t, s);
	return 0;
}

void stream_close(struct tapir *t, struct socket *s, bool abort)
{
	struct tcp_bound *b = tcp_bound_of(t, s->bound);
	struct tcp_conn *c = s->conn;

	if (s->listening)
		tcp_close_listener(t, b);
	if (c) {
		socket_settle(t, s);
		if (abort)
			tcp_abort(t, c);
		else
			tcp_close(t, c);	/* ENOTCONN: it has ended before */
		s->conn = NULL;
		tcp_release(t, c);
	}
	if (b)
		tcp_unbind(t, b);
	s->bound = 0;
	s->listening = false;
	tcp_tuning_put(t, s->tuning);
}

struct tapir_endpoint stream_local(const struct tapir *t, const struct socket *s)
{
	static const struct tapir_endpoint none;

	if (s->conn)
		return s->conn->local;
	return s->bound ? tcp_bound_of(t, s->bound)->local : none;
}

bool stream_can_send(const struct socket *s)
{
	const struct tcp_conn *c = s->conn;

	return c && (c->state == TCP_ESTABLISHED || c->state == TCP_CLOSE_WAIT ||
		     (c->state == TCP_SYN_RCVD && s->connected)) && s->list != LIST_MEMORY &&
	       s->list != LIST_BORROWED && tcp_send_room(c) > 0;
}

static int poll_open(const struct socket *s)
{
	const struct tcp_conn *c = s->conn;
	bool no_more_in = c->fin_rcvd || c->rcv_shutdown;
	int ready = 0;

	if (c->rx.bytes || no_more_in)
		ready |= TAPIR_POLLIN;
	if (no_more_in)
		ready |= TAPIR_POLLRDHUP;
	if (no_more_in && c->fin_queued)
		ready |= TAPIR_POLLHUP;
	if (c->fin_queued || stream_can_send(s))	/* send would say EPIPE, not EAGAIN */
		ready |= TAPIR_POLLOUT;
	if (c->urgent)
		ready |= TAPIR_POLLPRI;
	return ready;
}

int stream_poll(const struct tapir *t, const struct socket *s)
{
	const struct tcp_conn *c = s->conn;

	if (s->listening)
		return has_incoming(t, s) ? TAPIR_POLLIN : 0;
	if (!c)
		return TAPIR_POLLOUT | TAPIR_POLLHUP;	/* as on Linux: neither would say EAGAIN */
	if (c->state == TCP_CLOSED)
		return TAPIR_POLLIN | TAPIR_POLLOUT | TAPIR_POLLRDHUP | TAPIR_POLLHUP | (c->error ? TAPIR_POLLERR : 0);
	if (!s->connected)
		return tcp_fastopen_waits(c) ? TAPIR_POLLOUT : 0;
	return poll_open(s);
}
