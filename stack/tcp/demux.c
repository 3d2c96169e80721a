/* demux.c: which connection, or which listener, a segment belongs to. One hash table over the four-tuple, keyed with
 * SipHash so that nobody outside can make chains long; one small table over local ports for what is bound. */
#include "internal.h"

void tcp_demux_init(struct tapir *t, void *buckets, uint32_t count)
{
	t->tcp->hash.buckets = buckets;
	t->tcp->hash.mask = count - 1;
	memset(buckets, 0, sizeof(struct tcp_conn *) * count);
}

bool tcp_same_endpoint(const struct tapir_endpoint *a, const struct tapir_endpoint *b)
{
	return a->port == b->port && tapir_addr_equal(&a->addr, &b->addr);
}

/* Both addresses are of one family. What all IPv4-mapped addresses share is left out: every segment pays for each byte. */
uint64_t tcp_tuple_hash(const struct tapir *t, const struct tapir_endpoint *local, const struct tapir_endpoint *peer)
{
	size_t skip = tapir_addr_is_ipv4(&local->addr) ? 12 : 0, n = 16 - skip;
	uint8_t key[36];

	put_be16(key, local->port);
	put_be16(key + 2, peer->port);
	memcpy(key + 4, local->addr.b + skip, n);
	memcpy(key + 4 + n, peer->addr.b + skip, n);
	return siphash(t->key, key, 4 + 2 * n);
}

static struct tcp_conn **bucket(struct tapir *t, const struct tapir_endpoint *local, const struct tapir_endpoint *peer)
{
	return &t->tcp->hash.buckets[tcp_tuple_hash(t, local, peer) & t->tcp->hash.mask];
}

struct tcp_conn *tcp_demux(struct tapir *t, const struct tapir_endpoint *local, const struct tapir_endpoint *peer)
{
	struct tcp_conn *c = *bucket(t, local, peer);

	while (c && !(tcp_same_endpoint(&c->peer, peer) && tcp_same_endpoint(&c->local, local)))
		c = c->hash_next;
	return c;
}

bool tcp_is_taken(struct tapir *t, const struct tapir_endpoint *local, const struct tapir_endpoint *peer)
{
	return tcp_demux(t, local, peer) || tcp_mini_find(t, local, peer);
}

void tcp_demux_add(struct tapir *t, struct tcp_conn *c)
{
	struct tcp_conn **head = bucket(t, &c->local, &c->peer);

	c->hash_next = *head;
	*head = c;
}

void tcp_demux_remove(struct tapir *t, struct tcp_conn *c)
{
	struct tcp_conn **at = bucket(t, &c->local, &c->peer);

	while (*at && *at != c)
		at = &(*at)->hash_next;
	if (*at)
		*at = c->hash_next;
}

static struct tcp_bound **bound_chain(struct tapir *t, uint16_t port)
{
	return &t->tcp->bound[port % (sizeof t->tcp->bound / sizeof t->tcp->bound[0])];
}

struct tcp_listener *tcp_demux_listener(struct tapir *t, const struct tapir_endpoint *local)
{
	struct tcp_listener *any = NULL;

	for (struct tcp_bound *b = *bound_chain(t, local->port); b; b = b->next) {
		if (b->local.port != local->port || !b->listener)
			continue;
		if (tapir_addr_equal(&b->local.addr, &local->addr))
			return b->listener;
		if (tapir_addr_is_any(&b->local.addr))
			any = b->listener;
	}
	return any;
}

static bool overlaps(const struct tapir_addr *a, const struct tapir_addr *b)
{
	return tapir_addr_is_any(a) || tapir_addr_is_any(b) || tapir_addr_equal(a, b);
}

static bool is_bound(struct tapir *t, const struct tapir_addr *addr, uint16_t port)
{
	for (struct tcp_bound *b = *bound_chain(t, port); b; b = b->next)
		if (b->local.port == port && overlaps(&b->local.addr, addr))
			return true;
	return false;
}

static bool has_mini(const struct tcp_mini_queue *q, const struct tapir_addr *addr, uint16_t port)
{
	for (const struct tcp_mini *m = q->head; m; m = m->next)
		if (m->local.port == port && overlaps(&m->local.addr, addr))
			return true;
	return false;
}

/* Without SO_REUSEADDR a port is taken as long as any connection uses it. A walk over all of them, for a rare call. */
static bool has_connection(struct tapir *t, const struct tapir_addr *addr, uint16_t port)
{
	for (uint32_t i = 0; i <= t->tcp->hash.mask; i++)
		for (struct tcp_conn *c = t->tcp->hash.buckets[i]; c; c = c->hash_next)
			if (c->local.port == port && overlaps(&c->local.addr, addr))
				return true;
	return has_mini(&t->tcp->minis.syn, addr, port) || has_mini(&t->tcp->minis.time_wait, addr, port);
}

int tcp_bind(struct tapir *t, struct tcp_bound *b, const struct tapir_endpoint *local, bool reuse)
{
	struct tcp_bound **chain;

	assert(!b->registered);
	if (!tapir_addr_is_any(&local->addr) && !ip_is_local(t, &local->addr))
		return TAPIR_EADDRNOTAVAIL;
	b->local = *local;
	if (!local->port)
		b->local.port = tcp_port_any(t, &local->addr);
	else if (is_bound(t, &local->addr, local->port) || (!reuse && has_connection(t, &local->addr, local->port)))
		return TAPIR_EADDRINUSE;
	if (!b->local.port)
		return TAPIR_EADDRNOTAVAIL;
	chain = bound_chain(t, b->local.port);
	b->next = *chain;
	*chain = b;
	b->registered = true;
	return 0;
}

void tcp_unbind(struct tapir *t, struct tcp_bound *b)
{
	struct tcp_bound **at = bound_chain(t, b->local.port);

	if (!b->registered)
		return;
	while (*at != b)
		at = &(*at)->next;
	*at = b->next;
	b->registered = false;
}

static uint32_t port_span(const struct tapir *t) { return (uint32_t)t->cfg.port_last - t->cfg.port_first + 1; }

uint16_t tcp_port_any(struct tapir *t, const struct tapir_addr *local)
{
	uint32_t span = port_span(t), start = rng_below(&t->rng, span);

	for (uint32_t i = 0; i < span; i++) {
		uint16_t port = (uint16_t)(t->cfg.port_first + (start + i) % span);

		if (!is_bound(t, local, port))
			return port;
	}
	return 0;
}

/* RFC 6056 3.3.3, simple hash-based port selection: a secret offset for each peer, one counter for all. */
uint16_t tcp_port_for(struct tapir *t, const struct tapir_addr *local, const struct tapir_endpoint *peer)
{
	uint32_t span = port_span(t);
	uint8_t key[35];
	uint64_t offset;

	memcpy(key, local->b, 16);
	memcpy(key + 16, peer->addr.b, 16);
	put_be16(key + 32, peer->port);
	key[34] = 'p';		/* another hash than the table's */
	offset = siphash(t->key, key, sizeof key);
	for (uint32_t i = 0; i < span; i++) {
		uint16_t port = (uint16_t)(t->cfg.port_first + (offset + t->tcp->next_port++) % span);
		struct tapir_endpoint mine = {*local, port};

		if (!tcp_is_taken(t, &mine, peer) && !is_bound(t, local, port))
			return port;
	}
	return 0;
}
