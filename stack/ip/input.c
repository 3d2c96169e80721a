/* input.c: datagrams on their way up (RFC 1122 3.2.1): which are for us, and who gets them. Keeps no state of its own; the
 * order of the checks is the order of the verdicts. A host, not a router: nothing is forwarded. */
#include "internal.h"

size_t ip_size(const struct tapir_config *cfg)
{
	uintptr_t at = 0;

	carve(&at, sizeof(struct ip));
	carve(&at, sizeof(struct icmp));
	carve(&at, sizeof(struct reass) * cfg->reass_max);
	return at;
}

void ip_init(struct tapir *t, void *mem)
{
	uintptr_t at = (uintptr_t)mem;

	t->ip = carve(&at, sizeof(struct ip));
	memset(t->ip, 0, sizeof *t->ip);
	t->icmp = carve(&at, sizeof(struct icmp));
	memset(t->icmp, 0, sizeof *t->icmp);
	for (uint32_t i = 0; i < IP_ID_COUNTERS; i++)
		t->ip->ids[i] = (uint16_t)rng_next(&t->rng);
	route_init(t);
	reass_init(t, carve(&at, sizeof(struct reass) * t->cfg.reass_max));
	icmp_init(t);
}

/* RFC 1122 3.2.1.3: an address that one host can have. */
static bool is_one_host(const struct tapir *t, const struct tapir_addr *a)
{
	return a->b[12] != 0 && a->b[12] < 224 && !ip_is_broadcast(t, a);
}

static bool is_all_hosts(const struct tapir_addr *a)
{
	struct tapir_addr all_hosts = tapir_ipv4(224, 0, 0, 1);

	return tapir_addr_equal(a, &all_hosts);
}

static enum tapir_verdict check_addresses(const struct tapir *t, const struct ipv4_header *h, bool link_broadcast)
{
	bool group = ip_is_broadcast(t, &h->dst) || is_all_hosts(&h->dst);

	if (h->src.b[12] == 127 || h->dst.b[12] == 127)
		return DROP_IP_MARTIAN;
	if (!is_one_host(t, &h->src) || tapir_addr_equal(&h->src, &t->cfg.addr))
		return DROP_IP_SOURCE;
	if (group)
		return ACCEPT;
	/* RFC 1122 3.3.6: what came by a link broadcast must be addressed to one of IP. */
	if (link_broadcast || !tapir_addr_equal(&h->dst, &t->cfg.addr) || !arp_address_ready(t))
		return DROP_IP_NOT_FOR_US;
	return ACCEPT;
}

static enum tapir_verdict deliver(struct tapir *t, struct ip_packet *pkt)
{
	switch (pkt->proto) {
	case IP_PROTO_ICMP:
		return icmp_input(t, pkt);
	case IP_PROTO_UDP:
		return udp_input(t, pkt);
	case IP_PROTO_TCP:
		return tcp_input(t, pkt);
	default:
		icmp_error(t, pkt, ICMP_UNREACHABLE, ICMP_PROTOCOL_UNREACHABLE);
		return DROP_IP_PROTOCOL;
	}
}

static enum tapir_verdict deliver_fragment(struct tapir *t, struct ip_packet *pkt, const struct ipv4_header *h)
{
	struct tapir_frame *whole = NULL;
	enum tapir_verdict v = reass_input(t, pkt, h, &whole);

	if (v != ACCEPT)
		return v;
	pkt->frame = &whole;
	v = deliver(t, pkt);
	frame_put(&t->frames, whole);
	return v;
}

/* pkt has frame, checked and group; the rest is filled in. */
static enum tapir_verdict take(struct tapir *t, struct ip_packet *pkt, const struct ipv4_header *h, struct span payload)
{
	pkt->src = h->src;
	pkt->dst = h->dst;
	pkt->proto = h->proto;
	pkt->ttl = h->ttl;
	pkt->tos = h->tos;
	pkt->datagram = span_first(frame_span(*pkt->frame), h->total_len);
	pkt->payload = payload;
	if (h->mf || h->offset)
		return deliver_fragment(t, pkt, h);
	return deliver(t, pkt);
}

enum tapir_verdict ip_input(struct tapir *t, struct tapir_frame **frame, bool link_broadcast)
{
	struct ip_packet pkt = {.frame = frame, .checked = (*frame)->offload.csum != TAPIR_CSUM_NONE};
	struct ipv4_header h;
	struct span payload;
	enum tapir_verdict v = ipv4_parse(frame_span(*frame), &h, &payload);

	if (v == ACCEPT)
		v = check_addresses(t, &h, link_broadcast);
	if (v != ACCEPT)
		return v;
	pkt.group = link_broadcast || !tapir_addr_equal(&h.dst, &t->cfg.addr);
	return take(t, &pkt, &h, payload);
}

/* A datagram of ours to ourselves: its addresses were checked on the way down, and it met no link that could harm it. */
static void deliver_loopback(struct tapir *t, struct tapir_frame *f)
{
	struct ip_packet pkt = {.frame = &f, .checked = true};
	uint32_t len = f->len;
	struct ipv4_header h;
	struct span payload;
	enum tapir_verdict v = ipv4_parse(frame_span(f), &h, &payload);

	if (v == ACCEPT)
		v = take(t, &pkt, &h, payload);
	verdict_count(t, v, len);
	frame_put(&t->frames, f);
}

bool ip_loopback(struct tapir *t)
{
	struct frameq arrived = t->ip->loopback;
	struct tapir_frame *f;

	t->ip->loopback = (struct frameq){0};
	if (!arrived.head)
		return false;
	while ((f = frameq_pop(&arrived)))
		deliver_loopback(t, f);
	return true;
}

struct tapir_frame *ip_take(struct tapir *t, const struct ip_packet *pkt, struct span text)
{
	struct tapir_frame *f = *pkt->frame, *small = NULL;

	if (f->cap > FRAME_SMALL && text.n <= FRAME_SMALL - FRAME_HEADROOM)
		small = frame_get_headroom(&t->frames, (uint32_t)text.n);
	if (small) {
		memcpy(small->data, text.p, text.n);
		small->len = (uint32_t)text.n;
		return small;
	}
	*pkt->frame = NULL;
	frame_pull(f, (uint32_t)(text.p - f->data));
	f->len = (uint32_t)text.n;
	f->offload = (struct tapir_offload){0};
	memset(&f->u, 0, sizeof f->u);
	return f;
}
