/* checksum.h: the Internet checksum (RFC 1071, RFC 1624). Sums are kept unfolded and in memory order. */
#ifndef WIRE_CHECKSUM_H
#define WIRE_CHECKSUM_H

#include "../base/bytes.h"

/* sum plus the bytes of s. Spans that are summed one after the other must have even length but for the last one. */
uint64_t checksum_add(uint64_t sum, struct span s);
/* The same for n bytes, a multiple of 4 and few of them. */
static inline uint64_t checksum_words(uint64_t sum, const uint8_t *p, size_t n)
{
	uint32_t word;

	for (; n >= 4; n -= 4, p += 4) {
		memcpy(&word, p, 4);
		sum += word;
	}
	return sum;
}
/* sum plus a field of 16 bits. */
static inline uint64_t checksum_field(uint64_t sum, uint16_t value)
{
	uint8_t bytes[2];
	uint16_t word;

	put_be16(bytes, value);
	memcpy(&word, bytes, 2);
	return sum + word;
}
/* checksum_add in one pass with copying them to `to`. */
uint64_t checksum_copy(uint64_t sum, uint8_t *to, struct span s);
/* Adds a span that begins at an odd byte of the whole: as if one byte had gone before it. */
uint64_t checksum_add_odd(uint64_t sum, struct span s);
/* Pseudo-header of either family (RFC 9293 3.1, RFC 8200 8.1); len is that of transport header and text. */
uint64_t checksum_pseudo(const struct tapir_addr *src, const struct tapir_addr *dst, uint8_t proto, uint32_t len);
/* 16 bits, not complemented; host value of the big-endian field. */
uint16_t checksum_fold(uint64_t sum);
static inline uint16_t checksum_finish(uint64_t sum) { return (uint16_t)~checksum_fold(sum); }
/* True when s, which contains its checksum field, sums to all ones together with sum. */
static inline bool checksum_ok(uint64_t sum, struct span s) { return checksum_fold(checksum_add(sum, s)) == 0xffff; }

#endif
