/* trace_format.c: one line of text about one frame, in the manner of packetdrill, for the trace wrapper, the ladder and the
 * tests. The only file outside the stack that sees stack/wire: it shows what the stack's own parsers make of the bytes,
 * and so names a malformed frame with the verdict that the stack would give. Keeps nothing, writes only to text. */
#include <inttypes.h>
#include "../stack/wire/arp.h"
#include "../stack/wire/checksum.h"
#include "../stack/wire/eth.h"
#include "../stack/wire/icmp.h"
#include "../stack/wire/ipv4.h"
#include "../stack/wire/tcp.h"
#include "../stack/wire/udp.h"
#include "internal.h"
#include "line.h"

static void put_addr(struct line *l, const struct tapir_addr *a)
{
	char text[TAPIR_ADDR_TEXT];

	line_put(l, "%s", tapir_addr_format(a, text));
}

static void put_malformed(struct line *l, enum tapir_verdict v)
{
	line_put(l, "malformed: %s", tapir_verdict_name(v));
}

/* "10.0.0.1:7 > 10.0.0.2:80 "; without ports when both are 0. */
static void put_route(struct line *l, const struct ipv4_header *ip, uint16_t src_port, uint16_t dst_port)
{
	put_addr(l, &ip->src);
	if (src_port || dst_port)
		line_put(l, ":%u", src_port);
	line_put(l, " > ");
	put_addr(l, &ip->dst);
	if (src_port || dst_port)
		line_put(l, ":%u", dst_port);
}

static void put_route_if(struct line *l, const struct trace_options *how, const struct ipv4_header *ip)
{
	if (!how->addresses)
		return;
	put_route(l, ip, 0, 0);
	line_put(l, " ");
}

static const char *proto_name(uint8_t proto)
{
	switch (proto) {
	case IP_PROTO_ICMP: return "icmp";
	case IP_PROTO_TCP: return "tcp";
	case IP_PROTO_UDP: return "udp";
	default: return NULL;
	}
}

static void put_proto(struct line *l, uint8_t proto)
{
	if (proto_name(proto))
		line_put(l, "%s", proto_name(proto));
	else
		line_put(l, "protocol %u", proto);
}

static bool checksum_is_bad(const struct ipv4_header *ip, struct span s)
{
	return !checksum_ok(checksum_pseudo(&ip->src, &ip->dst, ip->proto, (uint32_t)s.n), s);
}

/* ---- TCP ---- */

static void put_flags(struct line *l, uint8_t flags)
{
	static const struct { uint8_t bit; char letter; } letters[] = {
		{TCP_SYN, 'S'}, {TCP_FIN, 'F'}, {TCP_RST, 'R'}, {TCP_PSH, 'P'}, {TCP_ACK, '.'}, {TCP_ECE, 'E'},
		{TCP_CWR, 'W'}, {TCP_URG, 'U'},
	};

	if (flags == 0)
		line_put(l, "-");		/* as packetdrill */
	for (size_t i = 0; i < sizeof letters / sizeof letters[0]; i++)
		if (flags & letters[i].bit)
			line_put(l, "%c", letters[i].letter);
}

static void put_sack(struct line *l, struct span body, uint32_t base)
{
	line_put(l, "sack");
	for (size_t i = 0; i + 8 <= body.n; i += 8)
		line_put(l, " %" PRIu32 ":%" PRIu32, get_be32(body.p + i) - base, get_be32(body.p + i + 4) - base);
}

static void put_fastopen(struct line *l, struct span cookie)
{
	line_put(l, cookie.n ? "FO " : "FO");
	for (size_t i = 0; i < cookie.n; i++)
		line_put(l, "%02x", cookie.p[i]);
}

/* One option; body is what follows kind and length. */
static void put_option(struct line *l, uint8_t kind, struct span body, uint32_t sack_base)
{
	if (kind == 2 && body.n == 2)
		line_put(l, "mss %u", get_be16(body.p));
	else if (kind == 3 && body.n == 1)
		line_put(l, "wscale %u", body.p[0]);
	else if (kind == 4 && body.n == 0)
		line_put(l, "sackOK");
	else if (kind == 5 && body.n % 8 == 0)
		put_sack(l, body, sack_base);
	else if (kind == 8 && body.n == 8)
		line_put(l, "TS val %" PRIu32 " ecr %" PRIu32, get_be32(body.p), get_be32(body.p + 4));
	else if (kind == 34)
		put_fastopen(l, body);
	else
		line_put(l, "kind %u len %zu", kind, body.n + 2);
}

/* The option list as it stands, in its own order, with its padding. */
static void put_options(struct line *l, struct span list, uint32_t sack_base)
{
	const char *before = " <";

	while (list.n > 0) {
		uint8_t kind = list.p[0];
		size_t n = kind <= 1 || list.n < 2 ? 1 : list.p[1];

		if (n == 0 || n > list.n || (kind > 1 && n < 2))
			break;
		line_put(l, "%s", before);
		before = ",";
		if (kind > 1)
			put_option(l, kind, (struct span){list.p + 2, n - 2}, sack_base);
		else
			line_put(l, kind == 0 ? "eol" : "nop");
		if (kind == 0)
			break;
		list = span_from(list, n);
	}
	if (before[0] == ',')
		line_put(l, ">");
}

/* packetdrill's words for the ECN field. */
static const char *const ecn_names[] = {"[noecn]", "[ect1]", "[ect0]", "[ce]"};

static void format_tcp(struct line *l, const struct trace_options *how, const struct ipv4_header *ip, struct span s)
{
	uint32_t seq_base = how->relative ? how->seq_base : 0, ack_base = how->relative ? how->ack_base : 0;
	struct tcp_seg seg;
	enum tapir_verdict v = tcp_parse(s, &ip->src, &ip->dst, true, &seg);
	uint32_t seq;

	if (v != ACCEPT) {
		put_route_if(l, how, ip);
		put_malformed(l, v);
		return;
	}
	if (how->addresses) {
		put_route(l, ip, seg.src_port, seg.dst_port);
		line_put(l, " ");
	}
	if (ip->tos & IP_ECN_MASK)
		line_put(l, "%s ", ecn_names[ip->tos & IP_ECN_MASK]);
	seq = seg.seq.n - seq_base;
	put_flags(l, seg.flags);
	line_put(l, " %" PRIu32 ":%" PRIu32 "(%zu)", seq, seq + (uint32_t)seg.text.n, seg.text.n);
	if (seg.flags & TCP_ACK)
		line_put(l, " ack %" PRIu32, seg.ack.n - ack_base);
	line_put(l, " win %" PRIu32, seg.wnd);
	if (seg.flags & TCP_URG)
		line_put(l, " urg %u", seg.up);
	put_options(l, span_from(span_first(s, (size_t)(s.p[12] >> 4) * 4), TCP_HEADER), ack_base);
	if (how->checksums && checksum_is_bad(ip, s))
		line_put(l, " bad checksum");
}

/* ---- UDP, ICMP, ARP ---- */

static void format_udp(struct line *l, const struct trace_options *how, const struct ipv4_header *ip, struct span s)
{
	struct udp_header h;
	struct span text;
	enum tapir_verdict v = udp_parse(s, &ip->src, &ip->dst, true, &h, &text);

	if (v != ACCEPT) {
		put_route_if(l, how, ip);
		put_malformed(l, v);
		return;
	}
	if (how->addresses) {
		put_route(l, ip, h.src, h.dst);
		line_put(l, " ");
	}
	line_put(l, "udp %zu bytes", text.n);
	if (how->checksums && get_be16(s.p + 6) != 0 && checksum_is_bad(ip, span_first(s, UDP_HEADER + text.n)))
		line_put(l, " bad checksum");
}

/* What an ICMP error quotes: an IP header and at least 8 bytes (RFC 792), by nature cut short. */
static void put_quote(struct line *l, struct span quote)
{
	size_t header = quote.n >= IPV4_HEADER ? (size_t)(quote.p[0] & 15) * 4 : 0;
	struct ipv4_header ip = {.proto = 0};
	uint16_t src_port = 0, dst_port = 0;

	if (header < IPV4_HEADER || header > quote.n || quote.p[0] >> 4 != 4) {
		line_put(l, " about %zu bytes", quote.n);
		return;
	}
	ip.proto = quote.p[9];
	ip.src = tapir_ipv4(quote.p[12], quote.p[13], quote.p[14], quote.p[15]);
	ip.dst = tapir_ipv4(quote.p[16], quote.p[17], quote.p[18], quote.p[19]);
	if ((ip.proto == IP_PROTO_TCP || ip.proto == IP_PROTO_UDP) && quote.n >= header + 4) {
		src_port = get_be16(quote.p + header);
		dst_port = get_be16(quote.p + header + 2);
	}
	line_put(l, " about ");
	put_proto(l, ip.proto);
	line_put(l, " ");
	put_route(l, &ip, src_port, dst_port);
}

static const char *icmp_error_name(const struct icmp_header *h)
{
	static const char *const unreachable[] = {
		"net unreachable", "host unreachable", "protocol unreachable", "port unreachable", "fragmentation needed",
		"source route failed",
	};

	switch (h->type) {
	case ICMP_UNREACHABLE:
		return h->code < sizeof unreachable / sizeof unreachable[0] ? unreachable[h->code] : "unreachable";
	case ICMP_SOURCE_QUENCH: return "source quench";
	case ICMP_REDIRECT: return "redirect";
	case ICMP_TIME_EXCEEDED: return h->code == ICMP_REASSEMBLY_TIME ? "reassembly time exceeded" : "time exceeded";
	case ICMP_PARAMETER_PROBLEM: return "parameter problem";
	default: return NULL;
	}
}

static void format_icmp(struct line *l, const struct trace_options *how, const struct ipv4_header *ip, struct span s)
{
	struct icmp_header h;
	struct span payload;
	enum tapir_verdict v = icmp_parse(s, &h, &payload);

	put_route_if(l, how, ip);
	if (v != ACCEPT) {
		put_malformed(l, v);
	} else if (h.type == ICMP_ECHO || h.type == ICMP_ECHO_REPLY) {
		line_put(l, "icmp echo %s id %u seq %u %zu bytes", h.type == ICMP_ECHO ? "request" : "reply", h.id, h.seq,
			 payload.n);
	} else if (icmp_error_name(&h)) {
		line_put(l, "icmp %s", icmp_error_name(&h));
		if (h.type == ICMP_UNREACHABLE && h.code == ICMP_FRAGMENTATION_NEEDED)
			line_put(l, " mtu %u", h.seq);
		put_quote(l, payload);
	} else {
		line_put(l, "icmp type %u code %u %zu bytes", h.type, h.code, payload.n);
	}
}

static void put_mac(struct line *l, const uint8_t mac[6])
{
	line_put(l, "%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1], mac[2], mac[3], mac[4], mac[5]);
}

static void format_arp(struct line *l, struct span s)
{
	struct arp_packet arp;
	enum tapir_verdict v = arp_parse(s, &arp);

	if (v != ACCEPT) {
		put_malformed(l, v);
		return;
	}
	if (arp.op == ARP_REQUEST && tapir_addr_equal(&arp.sender, &arp.target)) {
		line_put(l, "arp announce ");		/* RFC 5227 */
		put_addr(l, &arp.sender);
		line_put(l, " is-at ");
		put_mac(l, arp.sender_mac);
	} else if (arp.op == ARP_REQUEST) {
		line_put(l, "arp who-has ");
		put_addr(l, &arp.target);
		line_put(l, " tell ");
		put_addr(l, &arp.sender);
	} else {
		line_put(l, "arp reply ");
		put_addr(l, &arp.sender);
		line_put(l, " is-at ");
		put_mac(l, arp.sender_mac);
	}
}

/* ---- IP and the frame ---- */

static void format_fragment(struct line *l, const struct trace_options *how, const struct ipv4_header *ip, struct span s)
{
	put_route_if(l, how, ip);
	line_put(l, "fragment ");
	put_proto(l, ip->proto);
	line_put(l, " id %u %u:%zu(%zu)%s", ip->id, ip->offset, ip->offset + s.n, s.n, ip->mf ? " more" : "");
}

static void format_ip(struct line *l, const struct trace_options *how, struct span s)
{
	struct ipv4_header ip;
	struct span payload;
	enum tapir_verdict v = ipv4_parse(s, &ip, &payload);

	if (v != ACCEPT) {
		put_malformed(l, v);
	} else if (ip.mf || ip.offset) {
		format_fragment(l, how, &ip, payload);
	} else if (ip.proto == IP_PROTO_TCP) {
		format_tcp(l, how, &ip, payload);
	} else if (ip.proto == IP_PROTO_UDP) {
		format_udp(l, how, &ip, payload);
	} else if (ip.proto == IP_PROTO_ICMP) {
		format_icmp(l, how, &ip, payload);
	} else {
		put_route_if(l, how, &ip);
		put_proto(l, ip.proto);
		line_put(l, " %zu bytes", payload.n);
	}
}

size_t trace_format(char *text, size_t size, struct span frame, const struct trace_options *how)
{
	struct line l = {text, size, 0};
	struct eth_header eth;
	struct span payload = frame;

	assert(size > 0);
	text[0] = '\0';
	if (how->ip_only)
		format_ip(&l, how, frame);
	else if (eth_parse(frame, &eth, &payload) != ACCEPT)
		put_malformed(&l, DROP_ETH_SHORT);
	else if (eth.type == ETH_TYPE_IPV4)
		format_ip(&l, how, payload);
	else if (eth.type == ETH_TYPE_ARP)
		format_arp(&l, payload);
	else
		line_put(&l, "ethertype 0x%04x %zu bytes", eth.type, payload.n);
	return l.len;
}

/* A checksum that is left to the card is the pseudo-header's sum alone, or nothing at all. */
static enum trace_sum sum_of(const struct ipv4_header *ip, struct span s)
{
	uint64_t pseudo = checksum_pseudo(&ip->src, &ip->dst, ip->proto, (uint32_t)s.n);
	uint16_t field = get_be16(s.p + TCP_CHECKSUM_AT);

	if (checksum_ok(pseudo, s))
		return TRACE_SUM_GOOD;
	return field == 0 || field == checksum_fold(pseudo) ? TRACE_SUM_LEFT : TRACE_SUM_BAD;
}

static void take_options(struct trace_segment *t, const struct tcp_options *o)
{
	t->mss = o->mss;
	t->wscale = o->wscale;
	t->has_wscale = o->has_wscale;
	t->sack_permitted = o->sack_permitted;
	t->has_ts = o->has_ts;
	t->ts_val = o->ts_val;
	t->ts_ecr = o->ts_ecr;
	t->sack_count = o->sack_count;
	for (size_t i = 0; i < o->sack_count && i < sizeof t->sack / sizeof t->sack[0]; i++) {
		t->sack[i].start = o->sack[i].start.n;
		t->sack[i].end = o->sack[i].end.n;
	}
}

static bool find_tcp(struct span frame, bool ip_only, struct ipv4_header *ip, struct tcp_seg *seg, struct span *bytes)
{
	struct eth_header eth;

	*bytes = frame;
	if (!ip_only && (eth_parse(frame, &eth, bytes) != ACCEPT || eth.type != ETH_TYPE_IPV4))
		return false;
	return ipv4_parse(*bytes, ip, bytes) == ACCEPT && ip->proto == IP_PROTO_TCP && !ip->mf && !ip->offset &&
	       tcp_parse(*bytes, &ip->src, &ip->dst, true, seg) == ACCEPT;
}

static struct trace_tcp numbers_of(const struct ipv4_header *ip, const struct tcp_seg *seg)
{
	return (struct trace_tcp){
		.src = {ip->src, seg->src_port}, .dst = {ip->dst, seg->dst_port}, .seq = seg->seq.n, .ack = seg->ack.n,
		.len = seg->len, .syn = seg->flags & TCP_SYN, .fin = seg->flags & TCP_FIN, .rst = seg->flags & TCP_RST,
		.has_ack = seg->flags & TCP_ACK,
	};
}

bool trace_find_segment(struct span frame, bool ip_only, struct trace_segment *t)
{
	struct ipv4_header ip;
	struct tcp_seg seg;
	struct span bytes;

	if (!find_tcp(frame, ip_only, &ip, &seg, &bytes))
		return false;
	*t = (struct trace_segment){
		.tcp = numbers_of(&ip, &seg), .wnd = seg.wnd, .text = seg.text, .ece = seg.flags & TCP_ECE,
		.cwr = seg.flags & TCP_CWR, .sum = sum_of(&ip, bytes),
	};
	take_options(t, &seg.opt);
	return true;
}

bool trace_find_tcp(struct span frame, bool ip_only, struct trace_tcp *tcp)
{
	struct ipv4_header ip;
	struct tcp_seg seg;
	struct span bytes;

	if (!find_tcp(frame, ip_only, &ip, &seg, &bytes))
		return false;
	*tcp = numbers_of(&ip, &seg);
	return true;
}
