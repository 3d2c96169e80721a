/* eth.c: Ethernet II framing (RFC 894, RFC 1122 2.3.3): which frames are for us, and the header of those that leave.
 * It keeps no state. Frames shorter than 60 bytes are not padded: the driver's kernel or hardware does that. */
#include "internal.h"

static const uint8_t all_hosts[6] = {0x01, 0x00, 0x5e, 0x00, 0x00, 0x01};	/* 224.0.0.1 (RFC 1112 6.4) */

static bool is_for_us(const struct tapir *t, const uint8_t dst[6])
{
	return memcmp(dst, t->cfg.mac, 6) == 0 || memcmp(dst, eth_broadcast, 6) == 0 || memcmp(dst, all_hosts, 6) == 0;
}

enum tapir_verdict eth_input(struct tapir *t, struct tapir_frame **frame)
{
	struct eth_header h;
	struct span payload;
	enum tapir_verdict v = eth_parse(frame_span(*frame), &h, &payload);

	if (v != ACCEPT)
		return v;
	if (eth_is_group(h.src) || memcmp(h.src, t->cfg.mac, 6) == 0)
		return DROP_ETH_SOURCE;
	if (!is_for_us(t, h.dst))
		return DROP_ETH_NOT_FOR_US;
	if (h.type == ETH_TYPE_ARP)
		return arp_input(t, payload, h.src);
	if (h.type != ETH_TYPE_IPV4)
		return DROP_ETH_TYPE;
	frame_pull(*frame, ETH_HEADER);
	return ip_input(t, frame, eth_is_group(h.dst));
}

/* RFC 1112 6.4: the low 23 bits of the group's address. */
static void multicast_mac(const struct tapir_addr *group, uint8_t mac[6])
{
	memcpy(mac, all_hosts, 3);
	memcpy(mac + 3, group->b + 13, 3);
	mac[3] &= 0x7f;
}

enum tapir_verdict eth_output(struct tapir *t, struct tapir_out *out, const struct tapir_addr *next_hop)
{
	struct eth_header h = {.type = ETH_TYPE_IPV4};

	if (t->cfg.ip_only)
		return ACCEPT;
	if (!arp_address_ready(t))
		return HELD;
	if (get_be32(next_hop->b + 12) == UINT32_MAX)
		memcpy(h.dst, eth_broadcast, 6);
	else if (next_hop->b[12] >> 4 == 14)
		multicast_mac(next_hop, h.dst);
	else if (arp_resolve(t, next_hop, h.dst) != ACCEPT)
		return HELD;
	memcpy(h.src, t->cfg.mac, 6);
	eth_emit(&h, out_push(out, ETH_HEADER));
	return ACCEPT;
}
