/* arp.h: ARP packets for IPv4 over Ethernet (RFC 826). */
#ifndef WIRE_ARP_H
#define WIRE_ARP_H

#include "../base/bytes.h"

#define ARP_PACKET 28
enum { ARP_REQUEST = 1, ARP_REPLY = 2 };

struct arp_packet {
	uint16_t op;
	uint8_t sender_mac[6], target_mac[6];
	struct tapir_addr sender, target;
};
/* ACCEPT, DROP_ARP_SHORT, DROP_ARP_FORMAT or DROP_ARP_OP. */
enum tapir_verdict arp_parse(struct span s, struct arp_packet *a);
void arp_emit(const struct arp_packet *a, uint8_t p[ARP_PACKET]);

#endif
