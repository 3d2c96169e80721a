/* udp.h: UDP (RFC 768, RFC 1122 4.1) for the sockets above it. */
#ifndef UDP_UDP_H
#define UDP_UDP_H

#include "../ip/ip.h"
#include "../wire/udp.h"

/* One UDP socket's protocol half. */
struct udp_sock {
	struct udp_sock *next;			/* in its hash chain by local port; or in the list of free ones */
	uint32_t owner;				/* the socket's number */
	struct tapir_endpoint local, peer;	/* peer.port 0: unconnected */
	struct frameq rx;			/* one frame a datagram, text only, u.datagram says from whom */
	uint32_t rx_held, rcvbuf;		/* storage pinned by rx, and its limit */
	uint32_t drops;				/* datagrams that found rx full */
	int error;				/* pending ICMP error (connected sockets only, RFC 1122 4.1.3.3), 0: none */
	uint8_t ttl, tos;
	bool broadcast, bound;
};

#define UDP_TEXT_MAX (65535u - IPV4_HEADER - UDP_HEADER)

size_t udp_size(const struct tapir_config *cfg);
void udp_init(struct tapir *t, void *mem);
/* local.port 0: an ephemeral one. TAPIR_EADDRINUSE when another has it (a specific and an any address may share). */
int udp_bind(struct tapir *t, struct udp_sock *u, const struct tapir_endpoint *local);
void udp_unbind(struct tapir *t, struct udp_sock *u);		/* also frees what is queued */
int udp_connect(struct tapir *t, struct udp_sock *u, const struct tapir_endpoint *peer);	/* binds if it must */
/* Queues one datagram: n, or a negative error (EACCES, EMSGSIZE, ENETUNREACH, EAGAIN when the output queue is full). */
int64_t udp_send(struct tapir *t, struct udp_sock *u, const void *buf, size_t n, const struct tapir_endpoint *to);
bool udp_can_send(const struct tapir *t);

/* upcall: socket/ defines it. Something changed: a datagram or an error arrived. */
void socket_udp_ready(struct tapir *t, struct udp_sock *u);

#endif
