/* fault_router.c: what a router of the path writes: the mark of congestion in a datagram (RFC 3168 5), and the message that one
 * was too long (RFC 1191 4). Frames that hold no whole IPv4 datagram are left alone. */
#include <stdlib.h>
#include <string.h>
#include "fault_lane.h"
#include "stack/wire/eth.h"
#include "stack/wire/icmp.h"
#include "stack/wire/ipv4.h"

#define QUOTED_MAX 548u			/* RFC 1812 4.3.2.3: the message has 576 bytes at most */

static uint32_t ip_at(bool ip_only) { return ip_only ? 0 : ETH_HEADER; }

/* p's IPv4 header; false: it has none. */
static bool find_ip(const struct packet *p, bool ip_only, struct ipv4_header *ip)
{
	struct span frame = {p->bytes, p->len}, payload;
	struct eth_header eth;

	if (!ip_only && (eth_parse(frame, &eth, &frame) != ACCEPT || eth.type != ETH_TYPE_IPV4))
		return false;
	return ipv4_parse(frame, ip, &payload) == ACCEPT;
}

bool fault_mark_ce(struct packet *p, bool ip_only)
{
	uint8_t *h = p->bytes + ip_at(ip_only);
	struct ipv4_header ip;

	if (!find_ip(p, ip_only, &ip) || !(ip.tos & IP_ECN_MASK) || ip.options.n)
		return false;
	ip.tos |= IP_ECN_CE;
	ipv4_emit(&ip, h);
	return true;
}

bool fault_too_long(const struct packet *p, bool ip_only, uint16_t mtu)
{
	struct ipv4_header ip;

	return p->len - ip_at(ip_only) > mtu && find_ip(p, ip_only, &ip) && ip.total_len > mtu;
}

struct packet *fault_needs_fragment(const struct packet *p, bool ip_only, uint16_t mtu)
{
	uint32_t at = ip_at(ip_only), quoted = p->len - at < QUOTED_MAX ? p->len - at : QUOTED_MAX;
	struct packet *answer = fault_packet_new(at + IPV4_HEADER + ICMP_HEADER + quoted);
	struct icmp_header icmp = {ICMP_UNREACHABLE, ICMP_FRAGMENTATION_NEEDED, 0, mtu};
	struct ipv4_header ip;
	uint8_t *h;

	if (answer == NULL || !find_ip(p, ip_only, &ip) || !ip.df) {
		free(answer);
		return NULL;
	}
	if (!ip_only) {
		memcpy(answer->bytes, p->bytes + 6, 6);
		memcpy(answer->bytes + 6, p->bytes, 6);
		memcpy(answer->bytes + 12, p->bytes + 12, 2);
	}
	h = answer->bytes + at;
	memcpy(h + IPV4_HEADER + ICMP_HEADER, p->bytes + at, quoted);
	icmp_emit(&icmp, h + IPV4_HEADER, quoted);
	ipv4_emit(&(struct ipv4_header){.src = ip.dst, .dst = ip.src, .proto = IP_PROTO_ICMP, .ttl = 64,
					.total_len = (uint16_t)(IPV4_HEADER + ICMP_HEADER + quoted)}, h);
	return answer;
}
