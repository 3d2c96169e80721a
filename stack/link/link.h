/* link.h: who else is on this wire. Ethernet framing and ARP: below it the driver, above it IP.
 * With config.ip_only there is no link: datagrams pass through untouched. */
#ifndef LINK_LINK_H
#define LINK_LINK_H

#include "../base/core.h"
#include "../base/out.h"

/* --- arp.c: the neighbour cache (RFC 826, RFC 1122 2.3.2, RFC 5227) --- */
size_t arp_size(const struct tapir_config *cfg);
void arp_init(struct tapir *t, void *mem);		/* sets t->arp; starts RFC 5227 probing or announces at once */
/* A received ARP packet; link_src is the source of the frame that carried it. */
enum tapir_verdict arp_input(struct tapir *t, struct span packet, const uint8_t link_src[6]);
/* Finds next_hop's link address: ACCEPT with mac filled; else HELD, and a request is owed: the caller then hands the
 * datagram over with arp_hold. */
enum tapir_verdict arp_resolve(struct tapir *t, const struct tapir_addr *next_hop, uint8_t mac[6]);
/* Keeps an IP datagram until next_hop answers (then it leaves through the output queue) or is given up (icmp_unresolved).
 * Takes the frame over. HELD, or DROP_ARP_QUEUE_FULL (the oldest is dropped, RFC 1122 2.3.2.2 keeps the latest). */
enum tapir_verdict arp_hold(struct tapir *t, const struct tapir_addr *next_hop, struct tapir_frame *datagram);
/* The upper layer gets no answer by way of this neighbour: it is probed by unicast at once (RFC 1122 2.3.2.1 (3), advice). */
void arp_doubt(struct tapir *t, const struct tapir_addr *next_hop);
bool arp_address_ready(const struct tapir *t);		/* false while RFC 5227 probing is under way, or has found a conflict */
uint32_t arp_count(const struct tapir *t);		/* entries in the cache, of whatever state */
/* The next ARP frame that is owed: 1 with a whole frame in out, or 0. */
int arp_output(struct tapir *t, struct tapir_out *out);

/* --- eth.c: Ethernet II --- */
/* A received frame: checks the addresses and passes the payload up. May take frame over (then *frame is NULL). */
enum tapir_verdict eth_input(struct tapir *t, struct tapir_frame **frame);
/* Pushes the Ethernet header for the IP datagram in out. ACCEPT, or HELD: nothing was pushed, see arp_resolve. The next hops
 * 255.255.255.255 (which stands for every broadcast) and multicast need no ARP. HELD for all while our address is not
 * ready. With config.ip_only always ACCEPT, nothing pushed. */
enum tapir_verdict eth_output(struct tapir *t, struct tapir_out *out, const struct tapir_addr *next_hop);

/* --- upcalls: the layer above defines these --- */
/* An IP datagram at frame->data (the link header is pulled off). May take the frame over (then *frame is NULL). */
enum tapir_verdict ip_input(struct tapir *t, struct tapir_frame **frame, bool link_broadcast);
/* A held datagram whose next hop is now known: queue it for output again, as it is. Takes it over. */
void ip_requeue(struct tapir *t, struct tapir_frame *datagram);
/* A held datagram whose next hop does not answer: tells its sender (host unreachable). Takes it over. */
void ip_unresolved(struct tapir *t, struct tapir_frame *datagram);

#endif
