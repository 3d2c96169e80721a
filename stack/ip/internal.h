/* internal.h: what the files of ip/ tell each other. Nobody outside this folder includes it. */
#ifndef IP_INTERNAL_H
#define IP_INTERNAL_H

#include "ip.h"

#define IP_ROUTES 18u			/* the link's network, the default route, and 16 of the program's */
#define IP_PATHS 64u			/* learned path MTUs; the one that would be forgotten first gives way */
#define IP_QUEUE 256u			/* datagrams that wait to be sent; what ARP gives back comes on top */
#define IP_LOOPBACK 1024u		/* datagrams to ourselves that wait to be delivered */
#define IP_ID_COUNTERS 256u
#define IP_PAYLOAD_MAX (65535u - IPV4_HEADER)

struct route { struct tapir_addr net, gateway; uint8_t prefix_len; };
struct path { struct tapir_addr dst; usec_t until_us; uint16_t mtu; };	/* mtu 0: free */

/* One datagram in reassembly (RFC 815): its frame holds the text where it belongs, and the list of holes in the holes. */
struct reass {
	struct timer timer;		/* first: the wheel gives this back */
	struct reass *prev, *next;	/* oldest first */
	struct tapir_addr src, dst;
	struct tapir_frame *frame;	/* NULL: free */
	uint32_t len;			/* of the whole payload; 0: the last fragment is still missing */
	uint32_t seen;			/* the end of what has arrived */
	uint16_t id, first_hole, holes;
	uint8_t proto, ttl, tos;	/* ttl and tos are the first fragment's */
	uint8_t ecn_seen;		/* set of 1 << the ECN field of each fragment (RFC 3168 5.3) */
	bool group, has_first;
};

struct ip {
	struct route routes[IP_ROUTES];
	uint32_t route_count, path_count;	/* paths in use: none, and route lookup need not look */
	struct path paths[IP_PATHS];
	struct frameq queue, loopback;
	struct tapir_frame *fragmenting;	/* left the queue, and is under way in pieces */
	uint16_t ids[IP_ID_COUNTERS];
	struct reass *reass, *reass_first, *reass_last;
	uint32_t reass_used;
};

#define ICMP_ECHOES 64u			/* answers kept for tapir_echo_recv */
#define ICMP_ECHO_IDS 16u		/* identifiers that answers are taken for: the latest used */

struct icmp {
	uint64_t tokens_us;		/* of the rate limit: each error costs a second / icmp_rate */
	usec_t tokens_at_us;
	struct tapir_echo echoes[ICMP_ECHOES];
	uint32_t echo_first, echo_count;
	uint16_t ids[ICMP_ECHO_IDS];
	uint32_t id_count;		/* ever used; the next one goes to ids[id_count % ICMP_ECHO_IDS] */
};

/* --- join.c --- */
/* out holds the whole datagram first, which has left the queue, and its link header: adds those behind it that may share a
 * frame with it, and pins them. Nothing, unless the driver can cut such a frame. */
void ip_join(struct tapir *t, struct tapir_out *out, const struct tapir_frame *first);

void route_init(struct tapir *t);
void reass_init(struct tapir *t, void *mem);
void icmp_init(struct tapir *t);

#endif
