/* icmp.h: ICMP messages (RFC 792, RFC 1122 3.2.2, RFC 1191 4). */
#ifndef WIRE_ICMP_H
#define WIRE_ICMP_H

#include "../base/bytes.h"

#define ICMP_HEADER 8
enum {
	ICMP_ECHO_REPLY = 0, ICMP_UNREACHABLE = 3, ICMP_SOURCE_QUENCH = 4, ICMP_REDIRECT = 5, ICMP_ECHO = 8,
	ICMP_TIME_EXCEEDED = 11, ICMP_PARAMETER_PROBLEM = 12
};
enum {	/* codes of ICMP_UNREACHABLE */
	ICMP_NET_UNREACHABLE = 0, ICMP_HOST_UNREACHABLE = 1, ICMP_PROTOCOL_UNREACHABLE = 2, ICMP_PORT_UNREACHABLE = 3,
	ICMP_FRAGMENTATION_NEEDED = 4, ICMP_SOURCE_ROUTE_FAILED = 5
};
enum { ICMP_REASSEMBLY_TIME = 1 };	/* code of ICMP_TIME_EXCEEDED */

struct icmp_header { uint8_t type, code; uint16_t id, seq; };	/* seq is the next-hop MTU of FRAGMENTATION_NEEDED */
/* ACCEPT, DROP_ICMP_SHORT or DROP_ICMP_CHECKSUM (over all of s). payload: after the header. */
enum tapir_verdict icmp_parse(struct span s, struct icmp_header *h, struct span *payload);
/* Writes the header in front of the payload that already lies at p + ICMP_HEADER, n bytes of it, checksum done. */
void icmp_emit(const struct icmp_header *h, uint8_t *p, size_t n);

#endif
