/* dgram.c: UDP's half of the socket calls: POSIX's states of a datagram socket over udp/udp.h. An ICMP error that was
 * reported to a connected socket is told once, by the next send, recv or SO_ERROR (RFC 1122 4.1.3.3). */
#include "socket.h"

void dgram_apply_options(struct socket *s)
{
	s->u.udp.rcvbuf = s->opt.rcvbuf;
	s->u.udp.ttl = s->opt.ttl;
	s->u.udp.tos = s->opt.tos;
	s->u.udp.broadcast = s->opt.broadcast;
}

int dgram_bind(struct tapir *t, struct socket *s, const struct tapir_endpoint *local)
{
	int error;

	if (s->u.udp.bound)
		return TAPIR_EINVAL;
	error = udp_bind(t, &s->u.udp, local);
	if (!error)
		socket_changed(t, s);		/* on_listening */
	return error;
}

int dgram_connect(struct tapir *t, struct socket *s, const struct tapir_endpoint *peer)
{
	if (!peer->port)
		return TAPIR_EINVAL;
	return udp_connect(t, &s->u.udp, peer);
}

int dgram_take_error(struct socket *s)
{
	int error = s->u.udp.error;

	s->u.udp.error = 0;
	return error;
}

static int may_send(struct tapir *t, struct socket *s, const struct tapir_endpoint *to)
{
	static const struct tapir_endpoint any;
	int error = dgram_take_error(s);

	if (error)
		return error;
	if (s->shut_wr)
		return TAPIR_EPIPE;
	if (!to && !s->u.udp.peer.port)
		return TAPIR_EDESTADDRREQ;
	if (to && !to->port)
		return TAPIR_EINVAL;
	return s->u.udp.bound ? 0 : dgram_bind(t, s, &any);
}

int64_t dgram_send(struct tapir *t, struct socket *s, struct span data, const struct tapir_endpoint *to)
{
	int64_t sent = may_send(t, s, to);

	if (sent)
		return sent;
	sent = udp_send(t, &s->u.udp, data.p, data.n, to ? to : &s->u.udp.peer);
	if (sent == TAPIR_EAGAIN) {
		s->wants_drain = true;
		socket_wait(t, s, LIST_MEMORY);
	}
	return sent;
}

struct tapir_frame *dgram_pop(struct socket *s)
{
	struct tapir_frame *f = frameq_pop(&s->u.udp.rx);

	if (f)
		s->u.udp.rx_held -= f->cap;
	return f;
}

int64_t dgram_recv(struct tapir *t, struct socket *s, void *buf, size_t n, struct tapir_endpoint *from)
{
	int error = dgram_take_error(s);
	struct tapir_frame *f;
	uint32_t got;

	if (error)
		return error;
	f = dgram_pop(s);
	if (!f)
		return s->shut_rd ? 0 : TAPIR_EAGAIN;
	got = n < f->len ? (uint32_t)n : f->len;
	if (got)
		memcpy(buf, f->data, got);
	if (from)
		*from = f->u.datagram.peer;
	frame_put(&t->frames, f);
	return got;
}

int dgram_shutdown(struct tapir *t, struct socket *s, enum tapir_shut how)
{
	if (!s->u.udp.peer.port)
		return TAPIR_ENOTCONN;
	s->shut_wr |= how != TAPIR_SHUT_RD;
	if (how == TAPIR_SHUT_WR)
		return 0;
	s->shut_rd = true;
	socket_udp_ready(t, &s->u.udp);		/* throws away what is queued */
	return 0;
}

void dgram_close(struct tapir *t, struct socket *s)
{
	udp_unbind(t, &s->u.udp);
}

bool dgram_can_send(const struct tapir *t, const struct socket *s)
{
	return s->list != LIST_MEMORY && udp_can_send(t);
}

int dgram_poll(const struct tapir *t, const struct socket *s)
{
	int ready = 0;

	if (s->u.udp.rx.head || s->shut_rd)
		ready |= TAPIR_POLLIN;
	if (s->u.udp.error)
		ready |= TAPIR_POLLERR | TAPIR_POLLIN | TAPIR_POLLOUT;
	if (s->shut_wr || dgram_can_send(t, s))
		ready |= TAPIR_POLLOUT;
	if (s->shut_rd)
		ready |= TAPIR_POLLRDHUP;
	if (s->shut_rd && s->shut_wr)
		ready |= TAPIR_POLLHUP;
	return ready;
}
