/* host.c: see host.h. Owns the one stack of a test and what it has sent and nobody has looked at yet. */
#include "host.h"

#include <stdlib.h>
#include "stack/wire/checksum.h"

#define START_US (1000 * TAPIR_SEC)
#define FRAME_MAX 70000
#define TICKS_MAX 100000

const uint8_t host_mac[6] = {2, 0, 0, 0, 0, 2}, neighbour_mac[6] = {2, 0, 0, 0, 0, 1};

struct kept { struct kept *next; usec_t at_us; size_t n; uint8_t bytes[]; };

static struct tapir_config config;
static uint8_t own_mac[6];
static struct tapir *t;
static void *memory;
static struct kept *first, **last = &first, *shown;

struct tapir_config *host_config(void)
{
	tapir_config_default(&config);
	config.ip_only = true;
	config.addr = HOST_IP;
	memcpy(config.mac, host_mac, 6);
	config.seed[0] = 1;
	config.seed[1] = 2;
	config.max_sockets = 16;
	config.max_conns = 16;
	config.max_half_open = 4;
	config.max_time_wait = 16;
	config.small_frames = 256;
	config.large_frames = 16;
	return &config;
}

struct tapir_config *host_config_ethernet(void)
{
	host_config();
	config.ip_only = false;
	config.arp_probe = false;
	return &config;
}

struct tapir *host_begin(void)
{
	size_t n = tapir_size(&config);

	ck_assert_uint_gt(n, 0);
	memory = aligned_alloc(64, (n + 63) & ~(size_t)63);
	ck_assert_ptr_nonnull(memory);
	memset(memory, 0xa5, n);		/* what lay there before must not matter */
	t = tapir_init(memory, &config, START_US);
	ck_assert_ptr_nonnull(t);
	memcpy(own_mac, config.mac, 6);
	return t;
}

void host_mac_is(const uint8_t mac[6]) { memcpy(own_mac, mac, 6); }

/* ---- output ---------------------------------------------------------------------------------------------------- */

static void take_output(void)
{
	struct tapir_out out;

	while (tapir_output(t, &out)) {
		struct kept *k = calloc(1, sizeof *k + out.len);

		ck_assert_ptr_nonnull(k);
		tapir_out_copy(&out, k->bytes, false);
		k->n = out.len;
		k->at_us = tapir_now(t);
		*last = k;
		last = &k->next;
	}
}

bool addr_is(const struct tapir_addr *a, struct tapir_addr wanted) { return tapir_addr_equal(a, &wanted); }

static void parse_datagram(struct said *s)
{
	ck_assert_verdict_eq(ipv4_parse(s->datagram, &s->ip, &s->payload), ACCEPT);
	ck_assert_uint_eq(s->ip.total_len, s->datagram.n);
	ck_assert_uint_le(s->datagram.n, config.mtu);
}

static void parse_frame(struct said *s)
{
	struct span inner = s->frame;

	if (config.ip_only) {
		s->datagram = inner;
		parse_datagram(s);
		return;
	}
	ck_assert_verdict_eq(eth_parse(s->frame, &s->eth, &inner), ACCEPT);
	ck_assert_mem_eq(s->eth.src, own_mac, 6);
	if (s->eth.type == ETH_TYPE_ARP) {
		ck_assert_verdict_eq(arp_parse(inner, &s->arp), ACCEPT);
		ck_assert_mem_eq(s->arp.sender_mac, own_mac, 6);
		return;
	}
	ck_assert_uint_eq(s->eth.type, ETH_TYPE_IPV4);
	s->datagram = inner;
	parse_datagram(s);
}

bool host_says(struct said *s)
{
	take_output();
	if (!first)
		return false;
	free(shown);
	shown = first;
	first = first->next;
	if (!first)
		last = &first;
	*s = (struct said){.at_us = shown->at_us, .frame = {shown->bytes, shown->n}};
	parse_frame(s);
	return true;
}

void host_says_nothing(void)
{
	struct said s;

	if (!host_says(&s))
		return;
	ck_abort_msg("the stack has sent a frame of %zu bytes: %s, protocol %u", s.frame.n,
		     s.eth.type == ETH_TYPE_ARP ? "ARP" : "IPv4", s.ip.proto);
}

uint32_t host_says_all(void)
{
	struct said s;
	uint32_t n = 0;

	while (host_says(&s))
		n++;
	return n;
}

void host_says_arp(struct said *s, uint16_t op)
{
	ck_assert_msg(host_says(s), "the stack has nothing to say");
	ck_assert_uint_eq(s->eth.type, ETH_TYPE_ARP);
	ck_assert_uint_eq(s->arp.op, op);
}

void host_says_ip(struct said *s, uint8_t proto)
{
	ck_assert_msg(host_says(s), "the stack has nothing to say");
	ck_assert_uint_ne(s->eth.type, ETH_TYPE_ARP);
	ck_assert_uint_eq(s->ip.proto, proto);
}

struct udp_header host_says_udp(struct said *s, struct span *text)
{
	struct udp_header h;

	host_says_ip(s, IP_PROTO_UDP);
	ck_assert_verdict_eq(udp_parse(s->payload, &s->ip.src, &s->ip.dst, false, &h, text), ACCEPT);
	ck_assert_uint_eq(text->n + UDP_HEADER, s->payload.n);
	return h;
}

struct icmp_header host_says_icmp(struct said *s, struct span *payload)
{
	struct icmp_header h;

	host_says_ip(s, IP_PROTO_ICMP);
	ck_assert_verdict_eq(icmp_parse(s->payload, &h, payload), ACCEPT);
	return h;
}

/* ---- input ----------------------------------------------------------------------------------------------------- */

enum tapir_verdict host_hears(const void *frame, size_t n)
{
	struct tapir_frame *f = tapir_frame_get(t);

	take_output();
	ck_assert_ptr_nonnull(f);
	ck_assert_uint_le(n, f->room);
	if (n)
		memcpy(f->data, frame, n);
	f->len = (uint32_t)n;
	return tapir_input(t, f);
}

enum tapir_verdict host_hears_arp(const struct host_arp *a)
{
	uint8_t frame[ETH_HEADER + 46] = {0};		/* padded, as on a wire */
	struct arp_packet p = {.op = a->op, .sender = a->sender, .target = a->target};
	struct eth_header h = {.type = ETH_TYPE_ARP};

	memcpy(p.sender_mac, a->sender_mac, 6);
	if (a->target_mac)
		memcpy(p.target_mac, a->target_mac, 6);
	memcpy(h.src, a->link_src ? a->link_src : a->sender_mac, 6);
	memcpy(h.dst, a->link_dst ? a->link_dst : host_mac, 6);
	eth_emit(&h, frame);
	arp_emit(&p, frame + ETH_HEADER);
	return host_hears(frame, sizeof frame);
}

enum tapir_verdict host_hears_ip(const struct ipv4_header *h, const void *payload, size_t n)
{
	static uint8_t frame[FRAME_MAX];
	struct ipv4_header whole = *h;
	struct eth_header eth = {.type = ETH_TYPE_IPV4};
	size_t link = config.ip_only ? 0 : ETH_HEADER;

	memcpy(eth.src, neighbour_mac, 6);
	memcpy(eth.dst, host_mac, 6);
	if (get_be32(h->dst.b + 12) == UINT32_MAX)
		memcpy(eth.dst, eth_broadcast, 6);
	eth_emit(&eth, frame);
	whole.total_len = (uint16_t)(IPV4_HEADER + n);
	ipv4_emit(&whole, frame + link);
	if (n)
		memcpy(frame + link + IPV4_HEADER, payload, n);
	return host_hears(frame, link + IPV4_HEADER + n);
}

enum tapir_verdict host_hears_udp(const struct host_udp *u, const void *text, size_t n)
{
	static uint8_t payload[FRAME_MAX];
	struct ipv4_header ip = {.src = u->src, .dst = u->dst, .proto = IP_PROTO_UDP, .ttl = 64};
	struct udp_header h = {u->src_port, u->dst_port};

	if (n)
		memcpy(payload + UDP_HEADER, text, n);
	udp_emit(&h, &u->src, &u->dst, payload, n);
	return host_hears_ip(&ip, payload, UDP_HEADER + n);
}

enum tapir_verdict host_hears_icmp(struct tapir_addr src, const struct icmp_header *h, const void *payload, size_t n)
{
	static uint8_t message[FRAME_MAX];
	struct ipv4_header ip = {.src = src, .dst = HOST_IP, .proto = IP_PROTO_ICMP, .ttl = 64};

	if (n)
		memcpy(message + ICMP_HEADER, payload, n);
	icmp_emit(h, message, n);
	return host_hears_ip(&ip, message, ICMP_HEADER + n);
}

enum tapir_verdict host_hears_error(struct tapir_addr from, const struct icmp_header *h, struct span quoted)
{
	return host_hears_icmp(from, h, quoted.p, quoted.n);
}

/* ---- time ------------------------------------------------------------------------------------------------------ */

static void tick(usec_t now_us)
{
	tapir_tick(t, now_us);
	take_output();
}

void host_waits(usec_t us)
{
	usec_t until = tapir_now(t) + us;

	take_output();
	for (int i = 0; i < TICKS_MAX && tapir_deadline(t) <= until; i++) {
		usec_t due = tapir_deadline(t), now = tapir_now(t);

		tick(due > now ? due : now);
	}
	tick(until);
}

static void run_dry(void)
{
	struct tapir_usage u = {.timers = 1};

	take_output();
	/* Day by day: an ARP entry that nobody uses goes, a timer that re-arms itself for ever shows. */
	for (int i = 0; i < 1000 && u.timers; i++) {
		host_waits(60 * TAPIR_SEC);
		tapir_usage(t, &u);
	}
	ck_assert_uint_eq(u.timers, 0);
	ck_assert_uint_eq(u.sockets, 0);
	ck_assert_uint_eq(u.conns, 0);
	ck_assert_uint_eq(u.small_frames, 0);
	ck_assert_uint_eq(u.large_frames, 0);
	ck_assert_uint_eq(u.reass, 0);
	ck_assert_uint_eq(u.arp, 0);
}

void host_end(void)
{
	if (!t)
		return;
	run_dry();
	host_says_all();
	free(shown);
	shown = NULL;
	free(memory);
	t = NULL;
}
