/* dgram.c: UDP's half of the socket calls: POSIX's states of a datagram socket over udp/udp.h. An ICMP error that was
 * reported to a connected socket is told once, by the next send, recv or SO_ERROR (RFC 1122 4.1.3.3). Owns the pool of UDP
 * halves, config.max_datagram. */
#include "socket.h"

static uint32_t half_count(const struct tapir_config *cfg) { return min_u32(cfg->max_datagram, cfg->max_sockets); }

size_t dgrams_size(const struct tapir_config *cfg) { return sizeof(struct udp_sock) * half_count(cfg); }

void dgrams_init(struct tapir *t, void *mem)
{
	struct udp_sock *all = mem;

	for (uint32_t i = half_count(&t->cfg); i-- > 0;) {
		all[i].next = t->sockets->free_udp;
		t->sockets->free_udp = &all[i];
	}
}

bool dgram_open(struct tapir *t, struct socket *s)
{
	struct udp_sock *u = t->sockets->free_udp;

	if (!u)
		return false;
	t->sockets->free_udp = u->next;
	t->sockets->datagrams++;
	*u = (struct udp_sock){.owner = socket_number(t->sockets, s)};
	s->udp = u;
	return true;
}

void dgram_apply_options(struct socket *s)
{
	s->udp->rcvbuf = s->opt.rcvbuf;
	s->udp->ttl = s->opt.ttl;
	s->udp->tos = s->opt.tos;
	s->udp->broadcast = s->opt.broadcast;
}

int dgram_bind(struct tapir *t, struct socket *s, const struct tapir_endpoint *local)
{
	int error;

	if (s->udp->bound)
		return TAPIR_EINVAL;
	error = udp_bind(t, s->udp, local);
	if (!error)
		socket_changed(t, s);		/* on_listening */
	return error;
}

int dgram_connect(struct tapir *t, struct socket *s, const struct tapir_endpoint *peer)
{
	if (!peer->port)
		return TAPIR_EINVAL;
	return udp_connect(t, s->udp, peer);
}

int dgram_take_error(struct socket *s)
{
	int error = s->udp->error;

	s->udp->error = 0;
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
	if (!to && !s->udp->peer.port)
		return TAPIR_EDESTADDRREQ;
	if (to && !to->port)
		return TAPIR_EINVAL;
	return s->udp->bound ? 0 : dgram_bind(t, s, &any);
}

int64_t dgram_send(struct tapir *t, struct socket *s, struct span data, const struct tapir_endpoint *to)
{
	int64_t sent = may_send(t, s, to);

	if (sent)
		return sent;
	sent = udp_send(t, s->udp, data.p, data.n, to ? to : &s->udp->peer);
	if (sent == TAPIR_EAGAIN) {
		s->wants_drain = true;
		socket_wait(t, s, LIST_MEMORY);
	}
	return sent;
}

struct tapir_frame *dgram_pop(struct socket *s)
{
	struct tapir_frame *f = frameq_pop(&s->udp->rx);

	if (f)
		s->udp->rx_held -= f->cap;
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
	if (!s->udp->peer.port)
		return TAPIR_ENOTCONN;
	s->shut_wr |= how != TAPIR_SHUT_RD;
	if (how == TAPIR_SHUT_WR)
		return 0;
	s->shut_rd = true;
	socket_udp_ready(t, s->udp);		/* throws away what is queued */
	return 0;
}

void dgram_close(struct tapir *t, struct socket *s)
{
	udp_unbind(t, s->udp);
	s->udp->next = t->sockets->free_udp;
	t->sockets->free_udp = s->udp;
	s->udp = NULL;
	t->sockets->datagrams--;
}

bool dgram_can_send(const struct tapir *t, const struct socket *s)
{
	return s->list != LIST_MEMORY && udp_can_send(t);
}

int dgram_poll(const struct tapir *t, const struct socket *s)
{
	int ready = 0;

	if (s->udp->rx.head || s->shut_rd)
		ready |= TAPIR_POLLIN;
	if (s->udp->error)
		ready |= TAPIR_POLLERR | TAPIR_POLLIN | TAPIR_POLLOUT;
	if (s->shut_wr || dgram_can_send(t, s))
		ready |= TAPIR_POLLOUT;
	if (s->shut_rd)
		ready |= TAPIR_POLLRDHUP;
	if (s->shut_rd && s->shut_wr)
		ready |= TAPIR_POLLHUP;
	return ready;
}
