/* ip.h: the Internet layer: IPv4 datagrams in and out, fragments, routes, ICMP. Below it link/, above it udp/ and tcp/. */
#ifndef IP_IP_H
#define IP_IP_H

#include "../link/link.h"
#include "../wire/checksum.h"
#include "../wire/icmp.h"
#include "../wire/ipv4.h"

/* A datagram on its way up. */
struct ip_packet {
	struct tapir_addr src, dst;
	uint8_t proto, ttl, tos;
	bool group;			/* to a broadcast or multicast address, of the link or of IP */
	bool checked;			/* the transport checksum needs no look: the driver or the reassembly vouches for it */
	struct tapir_frame **frame;	/* owns the bytes; who wants to keep them takes it and sets *frame to NULL */
	struct span datagram;		/* the whole, header first, for an ICMP quote */
	struct span payload;
};

/* How a transport wants a datagram sent. */
struct ip_how {
	struct tapir_addr src, dst;	/* src any: the route's */
	uint8_t proto, ttl, tos;	/* ttl 0: config.ttl */
	bool df;
};

/* An ICMP error about a datagram that we sent, for the transport that sent it. */
struct ip_error {
	int error;			/* enum tapir_error: ECONNREFUSED, EHOSTUNREACH, ENETUNREACH, EMSGSIZE, EPROTO */
	bool hard;			/* RFC 1122 4.2.3.9: protocol, port unreachable, fragmentation needed */
	bool local;			/* no message of a router, which anyone could forge: our own ARP had no answer */
	uint8_t type, code;
	uint16_t mtu;			/* EMSGSIZE: the path's MTU as reported; ip_learn_pmtu if the quote is believed */
	struct tapir_addr from;		/* who reports it */
	struct tapir_addr src, dst;	/* of the quoted datagram: src is ours */
	struct span quoted;		/* its payload, at least 8 bytes */
};

size_t ip_size(const struct tapir_config *cfg);
void ip_init(struct tapir *t, void *mem);		/* sets t->ip and t->icmp */

/* --- output.c --- */
/* TCP's way: out holds transport header and text; pushes IP and link headers. ACCEPT: send it now. Anything else: out is
 * spent; HELD means that a copy waits for ARP or was looped back, DROP_ that it is lost (counted here). */
enum tapir_verdict ip_output(struct tapir *t, struct tapir_out *out, const struct ip_how *how);
/* The queue's way, for what user calls and replies send: takes over frame (transport header and text, FRAME_HEADROOM in
 * front of it; any length up to 65515), which leaves through ip_output_queued, in fragments if need be.
 * 0, TAPIR_ENETUNREACH, TAPIR_EMSGSIZE (df and larger than the path MTU) or TAPIR_ENOMEM (queue full). */
int ip_queue(struct tapir *t, struct tapir_frame *frame, const struct ip_how *how);
/* An empty frame for ip_queue with room for n bytes behind FRAME_HEADROOM; NULL already when the pool is nearly empty. */
struct tapir_frame *ip_frame_get(struct tapir *t, uint32_t n);
/* The next queued datagram or fragment: 1 with a whole frame in out, or 0. */
int ip_output_queued(struct tapir *t, struct tapir_out *out);
/* Delivers what was sent to ourselves. True when there was something. */
bool ip_loopback(struct tapir *t);
uint32_t ip_queue_room(const struct tapir *t);		/* datagrams that ip_queue would still take */

/* --- route.c --- */
struct ip_route { struct tapir_addr next_hop, src; bool local, broadcast; uint16_t mtu; };
/* Longest prefix. 0 or TAPIR_ENETUNREACH. mtu is the path's (RFC 1191), at most the link's. */
int ip_route(struct tapir *t, const struct tapir_addr *dst, struct ip_route *route);
bool ip_is_local(const struct tapir *t, const struct tapir_addr *a);	/* ours, or 127/8 */
bool ip_is_broadcast(const struct tapir *t, const struct tapir_addr *a);	/* 255.255.255.255, or our network's */
bool ip_is_multicast(const struct tapir_addr *a);
/* A transport believes this report (RFC 1191 3, RFC 5927 7): what it has sent was quoted. */
void ip_learn_pmtu(struct tapir *t, const struct tapir_addr *dst, uint16_t mtu);
/* The learned path MTUs, up to max rows of them; returns how many there are. */
uint32_t ip_path_list(const struct tapir *t, struct tapir_path *rows, uint32_t max);
/* The transport has sent to dst again and again without an answer: the way there is suspect (RFC 9293 3.8.3 MUST-20). */
void ip_doubt(struct tapir *t, const struct tapir_addr *dst);

/* --- icmp.c --- */
enum tapir_verdict icmp_input(struct tapir *t, const struct ip_packet *pkt);
/* Sends an ICMP error about pkt, if RFC 1122 3.2.2 and the rate limit allow it. */
void icmp_error(struct tapir *t, const struct ip_packet *pkt, uint8_t type, uint8_t code);

/* --- reass.c, RFC 815 --- */
/* Takes a fragment. HELD_FRAGMENT, a DROP_FRAG_ verdict, or ACCEPT: the datagram is whole, in *whole (payload only), which
 * the caller owns; pkt then describes it. */
enum tapir_verdict reass_input(struct tapir *t, struct ip_packet *pkt, const struct ipv4_header *h,
			       struct tapir_frame **whole);

uint32_t reass_count(const struct tapir *t);		/* datagrams in reassembly */

/* --- input.c --- */
/* The part text of pkt as a frame of its own, for who keeps it or answers in place: the frame that carried it, taken over,
 * or a copy when that frame is large and the text small. At least 20 bytes are free in front. */
struct tapir_frame *ip_take(struct tapir *t, const struct ip_packet *pkt, struct span text);

/* --- upcalls: the layers above define these --- */
enum tapir_verdict udp_input(struct tapir *t, const struct ip_packet *pkt);
enum tapir_verdict tcp_input(struct tapir *t, const struct ip_packet *pkt);
void udp_error(struct tapir *t, const struct ip_error *e);
void tcp_error(struct tapir *t, const struct ip_error *e);

#endif
