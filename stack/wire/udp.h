/* udp.h: UDP headers (RFC 768, RFC 1122 4.1.3.4). */
#ifndef WIRE_UDP_H
#define WIRE_UDP_H

#include "../base/bytes.h"

#define UDP_HEADER 8
enum { UDP_LENGTH_AT = 4, UDP_CHECKSUM_AT = 6 };	/* where fields lie */
struct udp_header { uint16_t src, dst; };
/* Checks lengths and, unless checked is set (the driver vouches for it) or the field is 0, the checksum. ACCEPT with
 * *text cut to the length field, or the DROP_UDP_ verdict. */
enum tapir_verdict udp_parse(struct span s, const struct tapir_addr *src, const struct tapir_addr *dst, bool checked,
			     struct udp_header *h, struct span *text);
/* Writes the header in front of the text that already lies at p + UDP_HEADER, n bytes of it, checksum done. */
void udp_emit(const struct udp_header *h, const struct tapir_addr *src, const struct tapir_addr *dst, uint8_t *p,
	      size_t n);

#endif
