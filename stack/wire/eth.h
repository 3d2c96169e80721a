/* eth.h: Ethernet II frames (RFC 894). */
#ifndef WIRE_ETH_H
#define WIRE_ETH_H

#include "../base/bytes.h"

#define ETH_HEADER 14
enum { ETH_TYPE_IPV4 = 0x0800, ETH_TYPE_ARP = 0x0806, ETH_TYPE_IPV6 = 0x86dd };

struct eth_header { uint8_t dst[6], src[6]; uint16_t type; };
extern const uint8_t eth_broadcast[6];

/* ACCEPT with *h and *payload filled, or DROP_ETH_SHORT. */
enum tapir_verdict eth_parse(struct span s, struct eth_header *h, struct span *payload);
void eth_emit(const struct eth_header *h, uint8_t p[ETH_HEADER]);
static inline bool eth_is_group(const uint8_t mac[6]) { return mac[0] & 1; }

#endif
