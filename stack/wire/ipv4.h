/* ipv4.h: IPv4 headers (RFC 791 3.1, RFC 1122 3.2.1, RFC 2474 for the TOS byte). */
#ifndef WIRE_IPV4_H
#define WIRE_IPV4_H

#include "../base/bytes.h"

#define IPV4_HEADER 20
#define IPV4_HEADER_MAX 60
enum { IP_PROTO_ICMP = 1, IP_PROTO_TCP = 6, IP_PROTO_UDP = 17 };
/* Where fields lie, for who looks at a header or changes one where it is. */
enum { IP_TOS_AT = 1, IP_LENGTH_AT = 2, IP_ID_AT = 4, IP_FRAGMENT_AT = 6, IP_TTL_AT = 8, IP_PROTO_AT = 9,
       IP_CHECKSUM_AT = 10, IP_ADDRESSES_AT = 12 };
#define IP_IS_FRAGMENT 0x3fffu		/* of the field there: more to come, or an offset */
/* The ECN field, two bits of the TOS byte (RFC 3168 5). */
enum { IP_ECN_NOT_ECT = 0, IP_ECN_ECT1 = 1, IP_ECN_ECT0 = 2, IP_ECN_CE = 3, IP_ECN_MASK = 3 };

struct ipv4_header {
	struct tapir_addr src, dst;
	uint8_t proto, ttl, tos;
	uint16_t id;
	bool df, mf;
	uint16_t offset;		/* bytes, a multiple of 8 */
	uint16_t total_len;		/* header and payload */
	struct span options;		/* as they came; empty on emit */
};
/* Checks version, lengths, checksum and the option list (skipped safely; a source route is refused). ACCEPT with *h and
 * *payload (cut to total_len: link padding is gone), or the DROP_IP_ verdict. */
enum tapir_verdict ipv4_parse(struct span s, struct ipv4_header *h, struct span *payload);
/* The header of a datagram that an ICMP error quotes: what is quoted may be cut, and its checksum and TTL were changed on
 * the way. False: there is no whole header. payload is as much as there is. */
bool ipv4_parse_quoted(struct span s, struct ipv4_header *h, struct span *payload);
/* Writes a header without options, checksum done. */
void ipv4_emit(const struct ipv4_header *h, uint8_t p[IPV4_HEADER]);
/* Of the whole header at ip: its addresses; and gives it another total length, and the checksum of what it says then. */
void ipv4_addresses(const uint8_t *ip, struct tapir_addr *src, struct tapir_addr *dst);
void ipv4_set_length(uint8_t *ip, uint16_t total_len);

#endif
