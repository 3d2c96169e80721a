/* cut.h: the headers of segments that were one TCP datagram (cut.c). */
#ifndef WIRE_CUT_H
#define WIRE_CUT_H

#include "../base/bytes.h"

/* What the headers of all segments of one datagram are made from. */
struct cut {
	uint8_t head[TAPIR_OUT_HEAD];
	uint16_t head_len, ip_at, tcp_at;
	uint16_t made;			/* segments so far */
	uint64_t ip_sum, tcp_sum;	/* of what is the same in all */
};
/* head: all headers of a TCP datagram over IPv4, which begins ip_at bytes into it. False: they are none, or not whole. */
bool cut_begin(struct cut *c, struct span head, uint16_t ip_at);
/* Writes to p the head_len bytes of headers for n bytes of text that begin `at` bytes into the datagram's. The checksum field
 * holds the sum of the pseudo-header, as TAPIR_CSUM_PARTIAL wants it. */
void cut_next(struct cut *c, uint8_t *p, uint32_t at, uint32_t n, bool last);

#endif
