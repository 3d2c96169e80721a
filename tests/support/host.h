/* host.h: one stack at 10.0.0.2 in virtual time, on a wire whose other end the test holds: it says what the stack hears,
 * frame by frame, and looks at what the stack says. For the layers below TCP (peer.h is the same for TCP segments).
 *
 * Time stands still but in host_waits. What the stack sends is taken at every call here and kept, with its time, until
 * host_says hands it out. host_end runs time until nothing is armed and checks that every pool is empty; the test has closed
 * its sockets before. */
#ifndef TEST_HOST_H
#define TEST_HOST_H

#include <check.h>
#include "result.h"
#include "stack/base/bytes.h"
#include "stack/wire/arp.h"
#include "stack/wire/eth.h"
#include "stack/wire/icmp.h"
#include "stack/wire/ipv4.h"
#include "stack/wire/udp.h"

/* Link addresses: the stack's, the neighbour's that the test plays, and those of strangers. */
extern const uint8_t host_mac[6], neighbour_mac[6];
#define HOST_IP tapir_ipv4(10, 0, 0, 2)
#define NEIGHBOUR_IP tapir_ipv4(10, 0, 0, 1)
#define FAR_IP tapir_ipv4(192, 0, 2, 9)		/* beyond the link */

/* The configuration of the next stack: small pools, bare IP datagrams, no gateway. Change it before host_begin. */
struct tapir_config *host_config(void);
/* The same on Ethernet, with RFC 5227 probing off, so that the address may be used at once. */
struct tapir_config *host_config_ethernet(void);
struct tapir *host_begin(void);
/* The stack has made itself this link address: its frames must carry it. */
void host_mac_is(const uint8_t mac[6]);
void host_end(void);		/* nothing when there is no stack */

/* --- what the stack hears; each returns its verdict --- */
enum tapir_verdict host_hears(const void *frame, size_t n);	/* as it is */
struct host_arp { uint16_t op; const uint8_t *sender_mac, *target_mac, *link_src, *link_dst; struct tapir_addr sender, target; };
/* NULL: link_src is sender_mac, link_dst is the stack's, target_mac is zero. */
enum tapir_verdict host_hears_arp(const struct host_arp *a);
/* A datagram from the neighbour's link address; total_len is filled in. */
enum tapir_verdict host_hears_ip(const struct ipv4_header *h, const void *payload, size_t n);
struct host_udp { struct tapir_addr src, dst; uint16_t src_port, dst_port; };
enum tapir_verdict host_hears_udp(const struct host_udp *u, const void *text, size_t n);
/* An ICMP message from src to the stack. */
enum tapir_verdict host_hears_icmp(struct tapir_addr src, const struct icmp_header *h, const void *payload, size_t n);
/* An ICMP error from `from` that quotes the first n bytes of a datagram which the stack has sent. */
enum tapir_verdict host_hears_error(struct tapir_addr from, const struct icmp_header *h, struct span quoted);

/* --- what the stack says --- */
struct said {
	usec_t at_us;
	struct span frame;		/* valid until the next host_says */
	struct eth_header eth;
	struct arp_packet arp;		/* if eth.type says so */
	struct ipv4_header ip;		/* else */
	struct span datagram, payload;
};
/* The next frame; false: it has nothing to say. Asserts that a datagram's header and length are right. */
bool host_says(struct said *s);
void host_says_nothing(void);		/* asserts it */
uint32_t host_says_all(void);		/* forgets all of it: how many frames */
/* The next frame is ARP with this operation; or a datagram of this protocol. */
void host_says_arp(struct said *s, uint16_t op);
void host_says_ip(struct said *s, uint8_t proto);
/* The next frame is a UDP datagram; its header, its text with a good checksum. */
struct udp_header host_says_udp(struct said *s, struct span *text);
struct icmp_header host_says_icmp(struct said *s, struct span *payload);

void host_waits(usec_t us);		/* runs every timer on the way */
bool addr_is(const struct tapir_addr *a, struct tapir_addr wanted);

#endif
