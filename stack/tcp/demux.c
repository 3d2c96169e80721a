/* demux.c: which connection, or which listener, a segment belongs to. One hash table over the four-tuple, keyed with
 * SipHash so that nobody outside can make chains long. What is bound to a port is bound.c's. */
#include "internal.h"

void tcp_demux_init(struct tapir *t, void *buckets, uint32_t count)
{
	t->tcp->hash.buckets = buckets;
	t->tcp->hash.mask = count - 1;
	memset(buckets, 0, sizeof *t->tcp->hash.buckets * count);
}

static bool same_endpoint(const struct tapir_endpoint *a, const struct tapir_endpoint *b)
{
	return a->port == b->port && tapir_addr_equal(&a->addr, &b->addr);
}

bool tcp_tuple_is(const struct tcp_tuple *tuple, const struct tapir_endpoint *local, const struct tapir_endpoint *peer)
{
	return same_endpoint(&tuple->peer, peer) && same_endpoint(&tuple->local, local);
}

/* Both addresses are of one family. What all IPv4-mapped addresses share is left out: every segment pays for each byte. */
static uint64_t hash(const struct tapir *t, const struct tapir_endpoint *local, const struct tapir_endpoint *peer)
{
	size_t skip = tapir_addr_is_ipv4(&local->addr) ? 12 : 0, n = 16 - skip;
	uint8_t key[36];

	put_be16(key, local->port);
	put_be16(key + 2, peer->port);
	memcpy(key + 4, local->addr.b + skip, n);
	memcpy(key + 4 + n, peer->addr.b + skip, n);
	return siphash(t->key, key, 4 + 2 * n);
}

struct tcp_tuple tcp_tuple(const struct tapir *t, const struct tapir_endpoint *local, const struct tapir_endpoint *peer)
{
	return (struct tcp_tuple){*local, *peer, hash(t, local, peer)};
}

static uint32_t *bucket(struct tapir *t, uint64_t hash) { return &t->tcp->hash.buckets[hash & t->tcp->hash.mask]; }

struct tcp_conn *tcp_demux(struct tapir *t, const struct tcp_tuple *tuple)
{
	struct tcp_conn *c = tcp_slot(t, *bucket(t, tuple->hash));

	while (c && !tcp_tuple_is(tuple, &c->local, &c->peer))
		c = tcp_slot(t, c->hash_next);
	return c;
}

bool tcp_is_taken(struct tapir *t, const struct tcp_tuple *tuple) { return tcp_demux(t, tuple) || tcp_mini_find(t, tuple); }

void tcp_demux_add(struct tapir *t, struct tcp_conn *c)
{
	uint32_t *head = bucket(t, hash(t, &c->local, &c->peer));

	c->hash_next = *head;
	*head = tcp_number(t, c);
}

void tcp_demux_remove(struct tapir *t, struct tcp_conn *c)
{
	uint32_t *at = bucket(t, hash(t, &c->local, &c->peer)), number = tcp_number(t, c);

	while (*at && *at != number)
		at = &tcp_slot(t, *at)->hash_next;
	if (*at)
		*at = c->hash_next;
}

static bool has_mini(const struct tcp_mini_queue *q, const struct tapir_addr *addr, uint16_t port)
{
	for (const struct tcp_mini *m = q->head; m; m = m->next)
		if (m->local.port == port && tcp_bound_overlaps(&m->local.addr, addr))
			return true;
	return false;
}

/* Without SO_REUSEADDR a port is taken as long as any connection uses it. A walk over all of them, for a rare call. */
bool tcp_is_connected(const struct tapir *t, const struct tapir_addr *addr, uint16_t port)
{
	for (uint32_t i = 0; i <= t->tcp->hash.mask; i++)
		for (const struct tcp_conn *c = tcp_slot(t, t->tcp->hash.buckets[i]); c; c = tcp_slot(t, c->hash_next))
			if (c->local.port == port && tcp_bound_overlaps(&c->local.addr, addr))
				return true;
	return has_mini(&t->tcp->minis.syn, addr, port) || has_mini(&t->tcp->minis.time_wait, addr, port);
}

static uint32_t port_span(const struct tapir *t) { return (uint32_t)t->cfg.port_last - t->cfg.port_first + 1; }

uint16_t tcp_port_any(struct tapir *t, const struct tapir_addr *local)
{
	uint32_t span = port_span(t), start = rng_below(&t->rng, span);

	for (uint32_t i = 0; i < span; i++) {
		uint16_t port = (uint16_t)(t->cfg.port_first + (start + i) % span);

		if (!tcp_is_bound(t, local, port))
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
		struct tcp_tuple tuple = tcp_tuple(t, &(struct tapir_endpoint){*local, port}, peer);

		if (!tcp_is_taken(t, &tuple) && !tcp_is_bound(t, local, port))
			return port;
	}
	return 0;
}
