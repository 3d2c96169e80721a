/* siphash.c: SipHash-2-4 as Aumasson and Bernstein define it (2012), and xoshiro256** (Blackman and Vigna, 2018),
 * seeded through splitmix64. Owns no state: key and generator are the caller's. Who sees enough of xoshiro's output can
 * predict the rest: what must be secret (ISNs, ports) goes through siphash with the instance's key. */
#include "siphash.h"

struct sip { uint64_t v0, v1, v2, v3; };

static inline uint64_t rotl(uint64_t x, unsigned n)
{
	return x << n | x >> (64 - n);
}

/* Inline, as the next two: the four words then stay in registers from the first round to the last. */
static inline void sip_round(struct sip *s)
{
	s->v0 += s->v1;
	s->v2 += s->v3;
	s->v1 = rotl(s->v1, 13) ^ s->v0;
	s->v3 = rotl(s->v3, 16) ^ s->v2;
	s->v0 = rotl(s->v0, 32);
	s->v2 += s->v1;
	s->v0 += s->v3;
	s->v1 = rotl(s->v1, 17) ^ s->v2;
	s->v3 = rotl(s->v3, 21) ^ s->v0;
	s->v2 = rotl(s->v2, 32);
}

static inline void sip_word(struct sip *s, uint64_t word)
{
	s->v3 ^= word;
	sip_round(s);
	sip_round(s);
	s->v0 ^= word;
}

/* A compiler makes one load of this. */
static inline uint64_t eight_bytes(const uint8_t *p)
{
	return p[0] | (uint64_t)p[1] << 8 | (uint64_t)p[2] << 16 | (uint64_t)p[3] << 24 | (uint64_t)p[4] << 32 |
	       (uint64_t)p[5] << 40 | (uint64_t)p[6] << 48 | (uint64_t)p[7] << 56;
}

/* The first n bytes at p, less than 8, least significant first. */
static inline uint64_t little_endian(const uint8_t *p, size_t n)
{
	uint64_t word = 0;

	for (size_t i = 0; i < n; i++)
		word |= (uint64_t)p[i] << (8 * i);
	return word;
}

uint64_t siphash(struct siphash_key key, const void *p, size_t n)
{
	struct sip s = {
		key.k0 ^ UINT64_C(0x736f6d6570736575), key.k1 ^ UINT64_C(0x646f72616e646f6d),
		key.k0 ^ UINT64_C(0x6c7967656e657261), key.k1 ^ UINT64_C(0x7465646279746573)
	};
	const uint8_t *bytes = p;
	size_t left = n;

	for (; left >= 8; left -= 8, bytes += 8)
		sip_word(&s, eight_bytes(bytes));
	sip_word(&s, (uint64_t)n << 56 | little_endian(bytes, left));
	s.v2 ^= 0xff;
	for (int i = 0; i < 4; i++)
		sip_round(&s);
	return s.v0 ^ s.v1 ^ s.v2 ^ s.v3;
}

static uint64_t splitmix64(uint64_t *x)
{
	uint64_t z = *x += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return z ^ z >> 31;
}

void rng_seed(struct rng *rng, uint64_t a, uint64_t b)
{
	rng->s[0] = splitmix64(&a);
	rng->s[1] = splitmix64(&b);
	rng->s[2] = splitmix64(&a);
	rng->s[3] = splitmix64(&b) | 1;		/* all zero would stay so */
}

uint64_t rng_next(struct rng *rng)
{
	uint64_t *s = rng->s;
	uint64_t result = rotl(s[1] * 5, 7) * 9;
	uint64_t t = s[1] << 17;

	s[2] ^= s[0];
	s[3] ^= s[1];
	s[1] ^= s[2];
	s[0] ^= s[3];
	s[2] ^= t;
	s[3] = rotl(s[3], 45);
	return result;
}

/* Lemire (2019): the high half of a product, without the few values that would make some results likelier. */
uint32_t rng_below(struct rng *rng, uint32_t below)
{
	uint32_t unfair = (0 - below) % below;
	uint64_t product;

	do
		product = (rng_next(rng) >> 32) * below;
	while ((uint32_t)product < unfair);
	return (uint32_t)(product >> 32);
}
