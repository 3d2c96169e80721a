/* socket.c: the calls that both kinds of socket have: POSIX names and meanings, never blocking. Each finds its socket and
 * hands over to stream.c or dgram.c. Owns the life of a descriptor: tapir_socket, tapir_close, tapir_abort. */
#include "socket.h"

static bool is_stream(const struct socket *s) { return s->type == TAPIR_SOCK_STREAM; }

tapir_sd tapir_socket(struct tapir *t, enum tapir_sock_type type)
{
	struct socket *s;

	if (type != TAPIR_SOCK_STREAM && type != TAPIR_SOCK_DGRAM)
		return TAPIR_EINVAL;
	s = socket_new(t, type);
	if (!s)
		return TAPIR_ENOMEM;
	s->opt = (struct socket_options){.sndbuf = t->cfg.sndbuf,
					 .rcvbuf = is_stream(s) ? t->cfg.rcvbuf : t->cfg.udp_rcvbuf,
					 .ttl = t->cfg.ttl, .retries = t->cfg.retries2, .congestion = t->cfg.congestion & 3,
					 .reuse = true};
	if (is_stream(s)) {
		s->opt.quickack = QUICKACK_UNSET;
		s->tuning = tcp_tuning_plain(t);
		stream_apply_options(t, s);
	} else {
		dgram_apply_options(s);
	}
	return socket_sd(t, s);
}

int tapir_bind(struct tapir *t, tapir_sd sd, const struct tapir_endpoint *local)
{
	struct socket *s = socket_find(t, sd);

	if (!s)
		return TAPIR_EBADF;
	return is_stream(s) ? stream_bind(t, s, local) : dgram_bind(t, s, local);
}

int tapir_connect(struct tapir *t, tapir_sd sd, const struct tapir_endpoint *peer)
{
	struct socket *s = socket_find(t, sd);

	if (!s)
		return TAPIR_EBADF;
	return is_stream(s) ? stream_connect(t, s, peer) : dgram_connect(t, s, peer);
}

int64_t tapir_sendto(struct tapir *t, tapir_sd sd, const void *buf, size_t n, const struct tapir_endpoint *to)
{
	struct socket *s = socket_find(t, sd);

	if (!s)
		return TAPIR_EBADF;
	return is_stream(s) ? stream_send(t, s, buf, n) : dgram_send(t, s, span_of(buf, n), to);
}

int64_t tapir_send(struct tapir *t, tapir_sd sd, const void *buf, size_t n)
{
	return tapir_sendto(t, sd, buf, n, NULL);
}

int64_t tapir_recvfrom(struct tapir *t, tapir_sd sd, void *buf, size_t n, struct tapir_endpoint *from)
{
	struct socket *s = socket_find(t, sd);

	if (!s)
		return TAPIR_EBADF;
	if (!is_stream(s))
		return dgram_recv(t, s, buf, n, from);
	if (from && s->conn)
		*from = s->conn->peer;
	return stream_recv(t, s, buf, n);
}

int64_t tapir_recv(struct tapir *t, tapir_sd sd, void *buf, size_t n)
{
	return tapir_recvfrom(t, sd, buf, n, NULL);
}

int tapir_shutdown(struct tapir *t, tapir_sd sd, enum tapir_shut how)
{
	struct socket *s = socket_find(t, sd);

	if (!s)
		return TAPIR_EBADF;
	if (how != TAPIR_SHUT_RD && how != TAPIR_SHUT_WR && how != TAPIR_SHUT_RDWR)
		return TAPIR_EINVAL;
	return is_stream(s) ? stream_shutdown(t, s, how) : dgram_shutdown(t, s, how);
}

void socket_close(struct tapir *t, struct socket *s, bool abort)
{
	if (is_stream(s))
		stream_close(t, s, abort);
	else
		dgram_close(t, s);
	socket_free(t, s);
}

static int close_or_abort(struct tapir *t, tapir_sd sd, bool abort)
{
	struct socket *s = socket_find(t, sd);

	if (!s)
		return TAPIR_EBADF;
	socket_close(t, s, abort || s->opt.abort_on_close);
	return 0;
}

int tapir_close(struct tapir *t, tapir_sd sd)
{
	return close_or_abort(t, sd, false);
}

int tapir_abort(struct tapir *t, tapir_sd sd)
{
	return close_or_abort(t, sd, true);
}

int tapir_getsockname(struct tapir *t, tapir_sd sd, struct tapir_endpoint *local)
{
	struct socket *s = socket_find(t, sd);

	if (!s)
		return TAPIR_EBADF;
	*local = is_stream(s) ? stream_local(t, s) : s->udp->local;
	return 0;
}

static const struct tapir_endpoint *peer_of(const struct socket *s)
{
	const struct tcp_conn *c = s->conn;

	if (!is_stream(s))
		return s->udp->peer.port ? &s->udp->peer : NULL;
	return c && s->connected && c->state != TCP_CLOSED ? &c->peer : NULL;
}

int tapir_getpeername(struct tapir *t, tapir_sd sd, struct tapir_endpoint *peer)
{
	struct socket *s = socket_find(t, sd);

	if (!s)
		return TAPIR_EBADF;
	if (!peer_of(s))
		return TAPIR_ENOTCONN;
	*peer = *peer_of(s);
	return 0;
}

int tapir_tcp_info(struct tapir *t, tapir_sd sd, struct tapir_tcp_info *info)
{
	int error;
	struct socket *s = socket_find_stream(t, sd, &error);

	if (!s)
		return error;
	if (s->conn) {
		tcp_status(t, s->conn, info);
		return 0;
	}
	*info = (struct tapir_tcp_info){.state = s->listening ? TAPIR_TCP_LISTEN : TAPIR_TCP_CLOSED,
					.local = stream_local(t, s), .congestion = tapir_cc_name((enum tapir_cc)s->opt.congestion)};
	return 0;
}

/* --- readiness --- */

static int ready_for(const struct tapir *t, const struct socket *s)
{
	return is_stream(s) ? stream_poll(t, s) : dgram_poll(t, s);
}

int tapir_poll(struct tapir *t, tapir_sd sd)
{
	struct socket *s = socket_find(t, sd);

	return s ? ready_for(t, s) : TAPIR_EBADF;
}

int tapir_poll_events(struct tapir *t, struct tapir_poll_event *events, int max)
{
	struct socket *s;
	int n = 0;

	while (n < max && (s = socket_pop(t, LIST_POLL)))
		events[n++] = (struct tapir_poll_event){.sd = socket_sd(t, s), .ready = ready_for(t, s), .user = s->user};
	return n;
}

int tapir_set_user(struct tapir *t, tapir_sd sd, void *user)
{
	struct socket *s = socket_find(t, sd);

	if (!s)
		return TAPIR_EBADF;
	s->user = user;
	return 0;
}
