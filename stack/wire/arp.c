/* arp.c: ARP packets (RFC 826), bytes to values and back. What an answer means for the cache is link/'s to say. */
#include "arp.h"

enum { HARDWARE_ETHERNET = 1, PROTOCOL_IPV4 = 0x0800 };

static struct tapir_addr get_ipv4(const uint8_t *p)
{
	return tapir_ipv4(p[0], p[1], p[2], p[3]);
}

enum tapir_verdict arp_parse(struct span s, struct arp_packet *a)
{
	const uint8_t *p = s.p;

	if (s.n < ARP_PACKET)
		return DROP_ARP_SHORT;
	if (get_be16(p) != HARDWARE_ETHERNET || get_be16(p + 2) != PROTOCOL_IPV4 || p[4] != 6 || p[5] != 4)
		return DROP_ARP_FORMAT;
	a->op = get_be16(p + 6);
	if (a->op != ARP_REQUEST && a->op != ARP_REPLY)
		return DROP_ARP_OP;
	memcpy(a->sender_mac, p + 8, 6);
	a->sender = get_ipv4(p + 14);
	memcpy(a->target_mac, p + 18, 6);
	a->target = get_ipv4(p + 24);
	return ACCEPT;
}

void arp_emit(const struct arp_packet *a, uint8_t p[ARP_PACKET])
{
	put_be16(p, HARDWARE_ETHERNET);
	put_be16(p + 2, PROTOCOL_IPV4);
	p[4] = 6;
	p[5] = 4;
	put_be16(p + 6, a->op);
	memcpy(p + 8, a->sender_mac, 6);
	memcpy(p + 14, a->sender.b + 12, 4);
	memcpy(p + 18, a->target_mac, 6);
	memcpy(p + 24, a->target.b + 12, 4);
}
