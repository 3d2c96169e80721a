/* udp.c: UDP (RFC 768, RFC 1122 4.1): ports, datagrams in, datagrams out, and ICMP errors to whom they concern. Owns the
 * table of bound ports. A datagram that arrives is kept in the frame that carried it; a full queue drops the newest.
 *
 * Invariant: no two sockets are bound to the same address and port, so that a datagram has at most one receiver; "any" and
 * one of our addresses are different, and the one that names the address is asked first. */
#include "gso.h"
#include "udp.h"

#define UDP_CHAINS 1024u

struct udp { struct udp_sock *bound[UDP_CHAINS]; };

size_t udp_size(const struct tapir_config *cfg)
{
	(void)cfg;		/* the sockets bring their own memory */
	return sizeof(struct udp);
}

void udp_init(struct tapir *t, void *mem)
{
	t->udp = mem;
	memset(t->udp, 0, sizeof *t->udp);
}

/* ---- ports ----------------------------------------------------------------------------------------------------- */

static struct udp_sock **chain(const struct tapir *t, uint16_t port) { return &t->udp->bound[port % UDP_CHAINS]; }

static bool is_taken(const struct tapir *t, const struct tapir_addr *addr, uint16_t port)
{
	bool any = tapir_addr_is_any(addr);

	for (const struct udp_sock *u = *chain(t, port); u; u = u->next)
		if (u->local.port == port &&
		    (tapir_addr_equal(&u->local.addr, addr) || (any && tapir_addr_is_any(&u->local.addr))))
			return true;
	return false;
}

/* RFC 6056 3.3.1: simple randomization. 0: all are taken. */
static uint16_t port_any(struct tapir *t, const struct tapir_addr *addr)
{
	uint32_t span = (uint32_t)t->cfg.port_last - t->cfg.port_first + 1, start = rng_below(&t->rng, span);

	for (uint32_t i = 0; i < span; i++) {
		uint16_t port = (uint16_t)(t->cfg.port_first + (start + i) % span);

		if (!is_taken(t, addr, port))
			return port;
	}
	return 0;
}

int udp_bind(struct tapir *t, struct udp_sock *u, const struct tapir_endpoint *local)
{
	struct udp_sock **head;
	uint16_t port = local->port;

	assert(!u->bound);
	if (!tapir_addr_is_any(&local->addr) && !ip_is_local(t, &local->addr))
		return TAPIR_EADDRNOTAVAIL;
	if (!port)
		port = port_any(t, &local->addr);
	else if (is_taken(t, &local->addr, port))
		return TAPIR_EADDRINUSE;
	if (!port)
		return TAPIR_EADDRNOTAVAIL;
	u->local = (struct tapir_endpoint){local->addr, port};
	head = chain(t, port);
	u->next = *head;
	*head = u;
	u->bound = true;
	return 0;
}

void udp_unbind(struct tapir *t, struct udp_sock *u)
{
	struct udp_sock **at = chain(t, u->local.port);

	frameq_clear(&u->rx, &t->frames);
	u->rx_held = 0;
	if (!u->bound)
		return;
	while (*at != u)
		at = &(*at)->next;
	*at = u->next;
	u->bound = false;
}

int udp_connect(struct tapir *t, struct udp_sock *u, const struct tapir_endpoint *peer)
{
	struct ip_route route = {0};
	int error = ip_route(t, &peer->addr, &route);
	struct tapir_endpoint any = {.addr = route.src};

	if (error)
		return error;
	if (route.broadcast && !u->broadcast)
		return TAPIR_EACCES;
	if (!u->bound)
		error = udp_bind(t, u, &any);
	if (!error)
		u->peer = *peer;
	return error;
}

/* ---- in -------------------------------------------------------------------------------------------------------- */

static bool is_from_peer(const struct udp_sock *u, const struct tapir_endpoint *from)
{
	return !u->peer.port || (u->peer.port == from->port && tapir_addr_equal(&u->peer.addr, &from->addr));
}

/* Who has local, and takes what comes from peer. */
static struct udp_sock *find(const struct tapir *t, const struct tapir_endpoint *local, const struct tapir_endpoint *peer)
{
	struct udp_sock *any = NULL;

	for (struct udp_sock *u = *chain(t, local->port); u; u = u->next) {
		if (u->local.port != local->port || !is_from_peer(u, peer))
			continue;
		if (tapir_addr_equal(&u->local.addr, &local->addr))
			return u;
		if (tapir_addr_is_any(&u->local.addr))
			any = u;
	}
	return any;
}

/* What waits in sockets must leave frames for what still arrives. */
static bool has_room(const struct tapir *t, const struct udp_sock *u)
{
	return u->rx_held < u->rcvbuf && t->frames.small.used < t->frames.small.count - t->frames.small.count / 8;
}

/* A copy: of a frame of several datagrams, which only one of them could have. */
static struct tapir_frame *copy_text(struct tapir *t, struct span text)
{
	struct tapir_frame *f = frame_get_headroom(&t->frames, (uint32_t)text.n);

	if (f) {
		memcpy(f->data, text.p, text.n);
		f->len = (uint32_t)text.n;
	}
	return f;
}

/* One datagram; alone: nothing else is in its frame. */
static enum tapir_verdict receive(struct tapir *t, struct udp_sock *u, const struct ip_packet *pkt, struct span text,
				  bool alone)
{
	struct tapir_endpoint from = {pkt->src, get_be16(pkt->payload.p)};
	struct tapir_frame *f;

	if (!has_room(t, u)) {
		u->drops++;
		return DROP_UDP_QUEUE_FULL;
	}
	f = alone ? ip_take(t, pkt, text) : copy_text(t, text);
	if (!f)
		return DROP_NO_MEMORY;
	t->stats.udp_in++;
	f->u.datagram.peer = from;
	f->u.datagram.local = pkt->dst;
	frameq_push(&u->rx, f);
	u->rx_held += f->cap;
	socket_udp_ready(t, u);
	return ACCEPT;
}

struct datagrams { struct span text; size_t size; };	/* bytes of each datagram but the last one */

/* All datagrams of a frame, each with a verdict of its own: the last one's is returned, the others are counted here. u: whose
 * they are; NULL: nobody's, which one ICMP error says for all of them. */
static enum tapir_verdict deliver(struct tapir *t, const struct ip_packet *pkt, struct udp_sock *u, struct datagrams all)
{
	uint32_t headers = (uint32_t)(pkt->datagram.n - all.text.n);
	bool alone = all.text.n <= all.size;
	enum tapir_verdict v;

	if (!u)
		icmp_error(t, pkt, ICMP_UNREACHABLE, ICMP_PORT_UNREACHABLE);
	for (;;) {
		struct span text = span_first(all.text, all.size);

		v = u ? receive(t, u, pkt, text, alone) : DROP_UDP_NO_PORT;
		if (all.text.n <= all.size)
			return v;
		verdict_count(t, v, headers + (uint32_t)text.n);
		all.text = span_from(all.text, text.n);
	}
}

enum tapir_verdict udp_input(struct tapir *t, const struct ip_packet *pkt)
{
	struct udp_header h = {0};
	struct span text;
	enum tapir_verdict v = udp_parse(pkt->payload, &pkt->src, &pkt->dst, pkt->checked, &h, &text);
	struct tapir_endpoint local = {pkt->dst, h.dst}, from = {pkt->src, h.src};
	size_t size;

	if (v == ACCEPT)
		v = udp_gso_check(&(*pkt->frame)->offload, text, &size);
	if (v != ACCEPT)
		return v;
	return deliver(t, pkt, find(t, &local, &from), (struct datagrams){text, size});
}

void udp_error(struct tapir *t, const struct ip_error *e)
{
	struct tapir_endpoint local = {e->src, get_be16(e->quoted.p)}, peer = {e->dst, get_be16(e->quoted.p + 2)};
	struct udp_sock *u = find(t, &local, &peer);

	if (!u)
		return;
	if (e->error == TAPIR_EMSGSIZE)		/* not the program's business: the next datagram leaves in fragments */
		ip_learn_pmtu(t, &peer.addr, e->mtu);
	else if (u->peer.port) {		/* RFC 1122 4.1.3.3; a program with many peers could not tell which it was */
		u->error = e->error;
		socket_udp_ready(t, u);
	}
}

/* ---- out ------------------------------------------------------------------------------------------------------- */

bool udp_can_send(const struct tapir *t) { return ip_queue_room(t) > 0; }

static int check_send(struct tapir *t, const struct udp_sock *u, size_t n, const struct tapir_endpoint *to)
{
	struct ip_route route;
	int error = ip_route(t, &to->addr, &route);

	if (n > UDP_TEXT_MAX)
		return TAPIR_EMSGSIZE;
	if (error)
		return error;
	if (route.broadcast && !u->broadcast)
		return TAPIR_EACCES;
	return udp_can_send(t) ? 0 : TAPIR_EAGAIN;
}

static struct tapir_addr source_for(struct tapir *t, const struct udp_sock *u, const struct tapir_addr *to)
{
	struct ip_route route;

	if (!tapir_addr_is_any(&u->local.addr) || ip_route(t, to, &route))
		return u->local.addr;
	return route.src;
}

int64_t udp_send(struct tapir *t, struct udp_sock *u, const void *buf, size_t n, const struct tapir_endpoint *to)
{
	struct ip_how how = {.src = source_for(t, u, &to->addr), .dst = to->addr, .proto = IP_PROTO_UDP, .ttl = u->ttl,
			     .tos = u->tos};
	struct udp_header h = {u->local.port, to->port};
	int error = check_send(t, u, n, to);
	struct tapir_frame *f;

	if (error)
		return error;
	f = ip_frame_get(t, UDP_HEADER + (uint32_t)n);
	if (!f)
		return TAPIR_EAGAIN;
	if (n)
		memcpy(f->data + UDP_HEADER, buf, n);
	f->len = UDP_HEADER + (uint32_t)n;
	udp_emit(&h, &how.src, &how.dst, f->data, n);
	error = ip_queue(t, f, &how);
	t->stats.udp_out += !error;
	return error ? error : (int64_t)n;
}
