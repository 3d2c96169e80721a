/* route.c: where a datagram goes next (RFC 1122 3.3.1) and how large it may be on its whole way (RFC 1191). Owns the table
 * of routes and that of learned path MTUs. Both are small and bounded; a lookup walks the first, and the second only while
 * something has been learned. */
#include "internal.h"

static uint32_t bits(const struct tapir_addr *a) { return get_be32(a->b + 12); }
static uint32_t mask(uint8_t prefix_len) { return prefix_len ? UINT32_MAX << (32 - prefix_len) : 0; }

static void add(struct ip *ip, const struct route *r)
{
	ip->routes[ip->route_count++] = *r;
}

void route_init(struct tapir *t)
{
	struct route direct = {.net = t->cfg.addr, .prefix_len = t->cfg.prefix_len};

	add(t->ip, &direct);
	if (!tapir_addr_is_any(&t->cfg.gateway))
		add(t->ip, &(struct route){.gateway = t->cfg.gateway});
}

int tapir_route_add(struct tapir *t, struct tapir_addr net, uint8_t prefix_len, struct tapir_addr gateway)
{
	if (prefix_len > 32 || !(tapir_addr_is_any(&net) || tapir_addr_is_ipv4(&net)) ||
	    !(tapir_addr_is_any(&gateway) || tapir_addr_is_ipv4(&gateway)))
		return TAPIR_EINVAL;
	if (t->ip->route_count == IP_ROUTES)
		return TAPIR_ENOMEM;
	add(t->ip, &(struct route){net, gateway, prefix_len});
	return 0;
}

uint32_t tapir_route_list(const struct tapir *t, struct tapir_route *rows, uint32_t max)
{
	uint32_t n;

	for (n = 0; n < t->ip->route_count; n++) {
		const struct route *r = &t->ip->routes[n];
		uint32_t net = bits(&r->net) & mask(r->prefix_len);

		if (n < max)
			rows[n] = (struct tapir_route){.net = tapir_ipv4((uint8_t)(net >> 24), (uint8_t)(net >> 16),
									 (uint8_t)(net >> 8), (uint8_t)net),
						       .gateway = r->gateway, .prefix_len = r->prefix_len};
	}
	return n;
}

bool ip_is_local(const struct tapir *t, const struct tapir_addr *a)
{
	return tapir_addr_equal(a, &t->cfg.addr) || (tapir_addr_is_ipv4(a) && a->b[12] == 127);
}

bool ip_is_multicast(const struct tapir_addr *a)
{
	return tapir_addr_is_ipv4(a) && a->b[12] >> 4 == 14;
}

bool ip_is_broadcast(const struct tapir *t, const struct tapir_addr *a)
{
	uint32_t hosts = ~mask(t->cfg.prefix_len);

	if (!tapir_addr_is_ipv4(a))
		return false;
	if (bits(a) == UINT32_MAX)
		return true;
	/* RFC 3021 2.1: a network of two addresses has no broadcast. */
	return t->cfg.prefix_len < 31 && bits(a) == (bits(&t->cfg.addr) | hosts);
}

static const struct route *longest_prefix(const struct ip *ip, uint32_t dst)
{
	const struct route *best = NULL;

	for (uint32_t i = 0; i < ip->route_count; i++) {
		const struct route *r = &ip->routes[i];

		if ((dst ^ bits(&r->net)) & mask(r->prefix_len))
			continue;
		if (!best || r->prefix_len > best->prefix_len)
			best = r;
	}
	return best;
}

/* ---- path MTU -------------------------------------------------------------------------------------------------- */

static void forget(struct ip *ip, struct path *p)
{
	*p = (struct path){0};
	ip->path_count--;
}

static struct path *path_find(struct tapir *t, const struct tapir_addr *dst)
{
	struct ip *ip = t->ip;

	for (struct path *p = ip->paths; ip->path_count && p < ip->paths + IP_PATHS; p++) {
		if (!p->mtu || !tapir_addr_equal(&p->dst, dst))
			continue;
		if (p->until_us > t->now_us)
			return p;
		forget(ip, p);		/* RFC 1191 6.3: the path may have grown */
		return NULL;
	}
	return NULL;
}

static struct path *path_take(struct ip *ip)
{
	struct path *oldest = ip->paths;

	for (struct path *p = ip->paths; p < ip->paths + IP_PATHS; p++) {
		if (!p->mtu) {
			ip->path_count++;
			return p;
		}
		if (p->until_us < oldest->until_us)
			oldest = p;
	}
	return oldest;
}

void ip_learn_pmtu(struct tapir *t, const struct tapir_addr *dst, uint16_t mtu)
{
	struct path *p = path_find(t, dst);
	uint16_t known = p ? p->mtu : t->cfg.mtu;

	if (mtu < t->cfg.min_pmtu)
		mtu = t->cfg.min_pmtu;
	if (mtu >= known)
		return;			/* RFC 1191 3: a report only ever lowers it */
	if (!p)
		p = path_take(t->ip);
	*p = (struct path){.dst = *dst, .mtu = mtu, .until_us = t->now_us + t->cfg.pmtu_timeout_us};
}

uint32_t ip_path_list(const struct tapir *t, struct tapir_path *rows, uint32_t max)
{
	uint32_t n = 0;

	for (const struct path *p = t->ip->paths; p < t->ip->paths + IP_PATHS; p++) {
		if (!p->mtu || p->until_us <= t->now_us)
			continue;
		if (n < max)
			rows[n] = (struct tapir_path){.host = p->dst, .mtu = p->mtu, .reported = p->mtu,
						      .left_us = p->until_us - t->now_us};
		n++;
	}
	return n;
}

/* ---- lookup ---------------------------------------------------------------------------------------------------- */

static void route_local(const struct tapir *t, const struct tapir_addr *dst, struct ip_route *route)
{
	route->local = true;
	route->next_hop = *dst;
	route->src = dst->b[12] == 127 ? tapir_ipv4(127, 0, 0, 1) : t->cfg.addr;
	route->mtu = UINT16_MAX;
}

int ip_route(struct tapir *t, const struct tapir_addr *dst, struct ip_route *route)
{
	const struct route *r;
	const struct path *p;

	if (!tapir_addr_is_ipv4(dst) || tapir_addr_is_any(dst) || bits(dst) >> 24 == 0)
		return TAPIR_ENETUNREACH;
	*route = (struct ip_route){.next_hop = *dst, .src = t->cfg.addr, .mtu = t->cfg.mtu};
	if (ip_is_local(t, dst)) {
		route_local(t, dst, route);
		return 0;
	}
	if (ip_is_broadcast(t, dst)) {
		route->broadcast = true;
		route->next_hop = tapir_ipv4(255, 255, 255, 255);
		return 0;
	}
	if (ip_is_multicast(dst))
		return 0;		/* on the link only: we are no member of a group beyond it */
	r = longest_prefix(t->ip, bits(dst));
	if (!r)
		return TAPIR_ENETUNREACH;
	if (!tapir_addr_is_any(&r->gateway))
		route->next_hop = r->gateway;
	p = path_find(t, dst);
	if (p)
		route->mtu = p->mtu;
	return 0;
}

void ip_doubt(struct tapir *t, const struct tapir_addr *dst)
{
	struct ip_route route;

	if (ip_route(t, dst, &route) == 0 && !route.local)
		arp_doubt(t, &route.next_hop);
}
