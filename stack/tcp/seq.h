/* seq.h: arithmetic modulo 2^32 on sequence numbers (RFC 9293 3.4). The only place that looks inside a seq_t. */
#ifndef TCP_SEQ_H
#define TCP_SEQ_H

#include "../wire/tcp.h"

static inline seq_t seq(uint32_t n) { return (seq_t){n}; }
static inline seq_t seq_add(seq_t a, uint32_t n) { return seq(a.n + n); }
/* Bytes from b up to a; a must not be before b by more than 2^31. */
static inline uint32_t seq_sub(seq_t a, seq_t b) { return a.n - b.n; }
static inline bool seq_eq(seq_t a, seq_t b) { return a.n == b.n; }
static inline bool seq_lt(seq_t a, seq_t b) { return (int32_t)(a.n - b.n) < 0; }
static inline bool seq_leq(seq_t a, seq_t b) { return (int32_t)(a.n - b.n) <= 0; }
static inline bool seq_gt(seq_t a, seq_t b) { return seq_lt(b, a); }
static inline bool seq_geq(seq_t a, seq_t b) { return seq_leq(b, a); }
static inline seq_t seq_max(seq_t a, seq_t b) { return seq_lt(a, b) ? b : a; }
static inline seq_t seq_min(seq_t a, seq_t b) { return seq_lt(a, b) ? a : b; }
/* start <= a < start + len */
static inline bool seq_in(seq_t a, seq_t start, uint32_t len) { return seq_sub(a, start) < len; }

#endif
