/* bound.c: local addresses that sockets have, with or without LISTEN there. Owns the pool of them, config.max_bound, and their
 * table by port. Who connects without bind() needs none, so an idle connection does not pay for it.
 *
 * Invariant: no two overlap: "any" and one of our addresses with the same port do. */
#include "internal.h"

static uint32_t bound_count(const struct tapir_config *cfg) { return min_u32(cfg->max_bound, cfg->max_sockets); }

size_t tcp_bound_size(const struct tapir_config *cfg) { return sizeof(struct tcp_bound) * bound_count(cfg); }

void tcp_bound_init(struct tapir *t, void *mem)
{
	t->tcp->bound.all = mem;
	memset(mem, 0, tcp_bound_size(&t->cfg));
	for (uint32_t i = bound_count(&t->cfg); i-- > 0;) {
		t->tcp->bound.all[i].next = t->tcp->bound.free;
		t->tcp->bound.free = &t->tcp->bound.all[i];
	}
}

struct tcp_bound *tcp_bound_of(const struct tapir *t, uint16_t number)
{
	return number ? &t->tcp->bound.all[number - 1] : NULL;
}

uint16_t tcp_bound_number(const struct tapir *t, const struct tcp_bound *b)
{
	return (uint16_t)(b - t->tcp->bound.all + 1);
}

static struct tcp_bound **chain(const struct tapir *t, uint16_t port)
{
	return &t->tcp->bound.chains[port % (sizeof t->tcp->bound.chains / sizeof t->tcp->bound.chains[0])];
}

struct tcp_bound *tcp_bound_listening(const struct tapir *t, const struct tapir_endpoint *local)
{
	struct tcp_bound *any = NULL;

	for (struct tcp_bound *b = *chain(t, local->port); b; b = b->next) {
		if (b->local.port != local->port || !b->listening)
			continue;
		if (tapir_addr_equal(&b->local.addr, &local->addr))
			return b;
		if (tapir_addr_is_any(&b->local.addr))
			any = b;
	}
	return any;
}

bool tcp_bound_overlaps(const struct tapir_addr *a, const struct tapir_addr *b)
{
	return tapir_addr_is_any(a) || tapir_addr_is_any(b) || tapir_addr_equal(a, b);
}

bool tcp_is_bound(const struct tapir *t, const struct tapir_addr *addr, uint16_t port)
{
	for (const struct tcp_bound *b = *chain(t, port); b; b = b->next)
		if (b->local.port == port && tcp_bound_overlaps(&b->local.addr, addr))
			return true;
	return false;
}

/* The port to take: local's, or an ephemeral one. 0 with *error. */
static uint16_t choose_port(struct tapir *t, const struct tapir_endpoint *local, bool reuse, int *error)
{
	uint16_t port = local->port;

	if (!tapir_addr_is_any(&local->addr) && !ip_is_local(t, &local->addr)) {
		*error = TAPIR_EADDRNOTAVAIL;
		return 0;
	}
	if (port && (tcp_is_bound(t, &local->addr, port) || (!reuse && tcp_is_connected(t, &local->addr, port)))) {
		*error = TAPIR_EADDRINUSE;
		return 0;
	}
	if (!port)
		port = tcp_port_any(t, &local->addr);
	*error = port ? 0 : TAPIR_EADDRNOTAVAIL;
	return port;
}

struct tcp_bound *tcp_bind(struct tapir *t, const struct tapir_endpoint *local, bool reuse, int *error)
{
	uint16_t port = choose_port(t, local, reuse, error);
	struct tcp_bound *b = t->tcp->bound.free, **head = chain(t, port);

	if (port && !b)
		*error = TAPIR_ENOMEM;
	if (*error)
		return NULL;
	t->tcp->bound.free = b->next;
	t->tcp->bound.used++;
	*b = (struct tcp_bound){.next = *head, .local = {local->addr, port}};
	*head = b;
	return b;
}

void tcp_unbind(struct tapir *t, struct tcp_bound *b)
{
	struct tcp_bound **at = chain(t, b->local.port);

	assert(!b->listening);
	while (*at != b)
		at = &(*at)->next;
	*at = b->next;
	*b = (struct tcp_bound){.next = t->tcp->bound.free};
	t->tcp->bound.free = b;
	t->tcp->bound.used--;
}

/* --- the invariants of tcp_check_all ----------------------------------------------------------------------------- */

static bool is_in_its_chain(const struct tapir *t, const struct tcp_bound *b)
{
	const struct tcp_bound *at = *chain(t, b->local.port);

	while (at && at != b)
		at = at->next;
	return at;
}

/* By place, not by chain: of these there are always 1024, and simulations ask often. */
void tcp_bound_check(const struct tapir *t)
{
	uint32_t used = 0, unused = 0;

	for (uint32_t i = 0; i < bound_count(&t->cfg); i++) {
		const struct tcp_bound *b = &t->tcp->bound.all[i];

		if (!b->local.port)
			continue;
		assert(is_in_its_chain(t, b) && b->owner && (b->listening || !b->listener.accepted));
		used++;
	}
	for (const struct tcp_bound *b = t->tcp->bound.free; b; b = b->next)
		unused++;
	assert(used == t->tcp->bound.used && used + unused == bound_count(&t->cfg));
}
