/* bytes.h: big-endian numbers in wire bytes, and bounds-checked views. The only way wire bytes become numbers.
 * No struct is ever laid over wire bytes. */
#ifndef BASE_BYTES_H
#define BASE_BYTES_H

#include <assert.h>
#include <string.h>
#include "../tapir.h"

static inline uint16_t get_be16(const uint8_t *p) { return (uint16_t)(p[0] << 8 | p[1]); }
static inline uint32_t get_be32(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}
static inline void put_be16(uint8_t *p, uint16_t v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}
static inline void put_be32(uint8_t *p, uint32_t v)
{
	put_be16(p, (uint16_t)(v >> 16));
	put_be16(p + 2, (uint16_t)v);
}

static inline struct span span_of(const void *p, size_t n) { return (struct span){p, n}; }
/* The part of s from byte `from` on; empty when from is past the end. */
static inline struct span span_from(struct span s, size_t from)
{
	return from < s.n ? (struct span){s.p + from, s.n - from} : (struct span){s.p + s.n, 0};
}
/* The first n bytes of s, or all of it when it is shorter. */
static inline struct span span_first(struct span s, size_t n) { return (struct span){s.p, n < s.n ? n : s.n}; }

static inline uint32_t min_u32(uint32_t a, uint32_t b) { return a < b ? a : b; }
static inline uint32_t max_u32(uint32_t a, uint32_t b) { return a > b ? a : b; }
static inline usec_t min_usec(usec_t a, usec_t b) { return a < b ? a : b; }
static inline usec_t max_usec(usec_t a, usec_t b) { return a > b ? a : b; }

#endif
