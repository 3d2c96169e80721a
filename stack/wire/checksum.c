/* checksum.c: the Internet checksum (RFC 1071). Owns nothing, keeps nothing.
 *
 * A sum is 64 bits of 32-bit words in the machine's own byte order: RFC 1071 2(B) shows that the order does not matter
 * as long as the result is stored the way the words were loaded, and 2(C) that wider words do not either. 64 bits hold
 * the words of 16 GiB, so nothing carries before checksum_fold. */
#include "checksum.h"

#define BLOCK 64

typedef uint64_t pair __attribute__((vector_size(16)));	/* gcc's and clang's own vectors, for whatever processor */

static inline pair load(const uint8_t *p)
{
	pair words;

	memcpy(&words, p, sizeof words);
	return words;
}

/* Sums whole blocks. Taking each 64-bit word apart would cost more than adding it: so the words are summed modulo 2^64, beside
 * them their upper halves, and from the two follows what the lower halves make. */
static uint64_t add_blocks(uint64_t sum, const uint8_t *p, size_t blocks)
{
	pair words = {0}, upper = {0}, lower;

	for (; blocks; blocks--, p += BLOCK) {
		pair a = load(p), b = load(p + 16), c = load(p + 32), d = load(p + 48);

		words += (a + b) + (c + d);
		upper += ((a >> 32) + (b >> 32)) + ((c >> 32) + (d >> 32));
	}
	lower = words - (upper << 32);
	return sum + lower[0] + lower[1] + upper[0] + upper[1];
}

uint64_t checksum_add(uint64_t sum, struct span s)
{
	const uint8_t *p = s.p;
	size_t left = s.n % BLOCK;
	uint32_t word;

	sum = add_blocks(sum, p, s.n / BLOCK);
	p += s.n - left;
	sum = checksum_words(sum, p, left);
	p += left / 4 * 4;
	left %= 4;
	if (left) {
		word = 0;		/* an odd last byte is followed by a zero byte (RFC 1071 1) */
		memcpy(&word, p, left);
		sum += word;
	}
	return sum;
}

static inline void store_copy(uint8_t *to, pair words) { memcpy(to, &words, sizeof words); }

/* As add_blocks. */
static uint64_t copy_blocks(uint64_t sum, uint8_t *to, const uint8_t *p, size_t blocks)
{
	pair words = {0}, upper = {0}, lower;

	for (; blocks; blocks--, p += BLOCK, to += BLOCK) {
		pair a = load(p), b = load(p + 16), c = load(p + 32), d = load(p + 48);

		words += (a + b) + (c + d);
		upper += ((a >> 32) + (b >> 32)) + ((c >> 32) + (d >> 32));
		store_copy(to, a);
		store_copy(to + 16, b);
		store_copy(to + 32, c);
		store_copy(to + 48, d);
	}
	lower = words - (upper << 32);
	return sum + lower[0] + lower[1] + upper[0] + upper[1];
}

uint64_t checksum_copy(uint64_t sum, uint8_t *to, struct span s)
{
	size_t whole = s.n / BLOCK * BLOCK;

	memcpy(to + whole, s.p + whole, s.n - whole);
	return checksum_add(copy_blocks(sum, to, s.p, s.n / BLOCK), span_from(s, whole));
}

static uint16_t fold(uint64_t sum)
{
	sum = (sum & 0xffffffff) + (sum >> 32);
	sum = (sum & 0xffffffff) + (sum >> 32);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)sum;
}

uint64_t checksum_add_odd(uint64_t sum, struct span s)
{
	uint16_t even = fold(checksum_add(0, s));

	return sum + (uint16_t)(even << 8 | even >> 8);	/* RFC 1071 2(B) */
}

static uint64_t pseudo_ipv4(const struct tapir_addr *src, const struct tapir_addr *dst, uint8_t proto, uint16_t len)
{
	uint8_t header[12];

	memcpy(header, src->b + 12, 4);
	memcpy(header + 4, dst->b + 12, 4);
	put_be16(header + 8, proto);
	put_be16(header + 10, len);
	return checksum_add(0, span_of(header, sizeof header));
}

uint64_t checksum_pseudo(const struct tapir_addr *src, const struct tapir_addr *dst, uint8_t proto, uint32_t len)
{
	uint8_t header[40];

	if (tapir_addr_is_ipv4(src) && tapir_addr_is_ipv4(dst))
		return pseudo_ipv4(src, dst, proto, (uint16_t)len);
	memcpy(header, src->b, 16);
	memcpy(header + 16, dst->b, 16);
	put_be32(header + 32, len);
	put_be32(header + 36, proto);
	return checksum_add(0, span_of(header, sizeof header));
}

uint16_t checksum_fold(uint64_t sum)
{
	uint16_t folded = fold(sum);
	uint8_t bytes[2];

	memcpy(bytes, &folded, 2);	/* from memory order to host value */
	return get_be16(bytes);
}
