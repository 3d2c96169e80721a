/* siphash.h: SipHash-2-4 (Aumasson and Bernstein, 2012), the one keyed hash: ISNs, ports, hash tables, IP IDs.
 * And the stack's own pseudo-random numbers, seeded once by the configuration. */
#ifndef BASE_SIPHASH_H
#define BASE_SIPHASH_H

#include "../tapir.h"

struct siphash_key { uint64_t k0, k1; };
uint64_t siphash(struct siphash_key key, const void *p, size_t n);

struct rng { uint64_t s[4]; };				/* xoshiro256** */
void rng_seed(struct rng *rng, uint64_t a, uint64_t b);
uint64_t rng_next(struct rng *rng);
/* Uniform in 0 .. below-1 for below > 0. */
uint32_t rng_below(struct rng *rng, uint32_t below);

#endif
