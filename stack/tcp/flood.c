/* flood.c: which SYNs are answered while the SYN queue is full (RFC 4987 3.6 answers all). An answer costs twice what looking
 * at a SYN does, most of it below us, and a flood comes faster than answers can leave: then the queue in front of us runs over,
 * and everybody's frames are lost there alike, those of open connections, too. So cookies leave at a bounded rate,
 * config.syn_cookie_rate, and a SYN beyond it is passed over, so that what arrives can be looked at as fast as it comes.
 *
 * Who is passed over is not shut out: a peer sends its SYN again after a second (RFC 6298 2.1), with the same numbers, and a
 * flood from invented addresses does not. SYNs that were passed over are remembered for one to two times KEPT_US, in a Bloom
 * filter whose MARKS bits for one SYN lie in one cache line, at a keyed hash of its endpoints and sequence number, so that they
 * cannot be aimed at. One that comes again has a rate of its own, as large, to itself; with config.syn_memory as it is by
 * default two or three in a hundred of 700,000 strangers a second are taken for such a one, and use it, too.
 *
 * Owns the filter and both rates. Invariants: nothing of this is touched unless SYN cookies are sent; memory that no flood has
 * needed is never touched; the work for a SYN is constant, but for forgetting the oldest marks once in KEPT_US. */
#include "internal.h"

#define KEPT_US (TAPIR_SEC * 6 / 5)	/* a second, and what a busy host takes to send */
#define MARKS 4
#define BURST_US (TAPIR_SEC / 10)	/* so much of the rate may be saved up */

/* Of each generation, a power of two. */
static uint64_t line_count(const struct tapir_config *cfg)
{
	uint64_t n = 1;

	while (2 * n * 2 * sizeof(struct tcp_flood_line) <= cfg->syn_memory)
		n *= 2;
	return n;
}

size_t tcp_flood_size(const struct tapir_config *cfg)
{
	return (size_t)(2 * line_count(cfg) * sizeof(struct tcp_flood_line));
}

void tcp_flood_init(struct tapir *t, void *mem)
{
	struct tcp_flood *f = &t->tcp->flood;

	f->lines = line_count(&t->cfg);
	f->young = mem;
	f->old = f->young + f->lines;
}

/* A token bucket in units of 1/syn_cookie_rate microseconds: no division. */
static bool rate_allows(const struct tapir *t, struct tcp_flood_rate *r)
{
	uint64_t most = BURST_US * t->cfg.syn_cookie_rate + TAPIR_SEC;
	uint64_t passed_us = min_usec(t->now_us - r->at_us, TAPIR_SEC);

	r->at_us = t->now_us;
	r->tokens = min_usec(r->tokens + passed_us * t->cfg.syn_cookie_rate, most);
	if (r->tokens < TAPIR_SEC)
		return false;
	r->tokens -= TAPIR_SEC;
	return true;
}

static void forget(const struct tcp_flood *f, struct tcp_flood_line *lines)
{
	memset(lines, 0, sizeof *lines * f->lines);
}

/* The young become the old when they are KEPT_US old. */
static void age(const struct tapir *t, struct tcp_flood *f)
{
	struct tcp_flood_line *old = f->old;

	if (!f->remembers || t->now_us - f->since_us < KEPT_US)
		return;
	f->remembers = t->now_us - f->since_us < 2 * KEPT_US;
	f->old = f->young;
	f->young = old;
	f->since_us = t->now_us;
	if (f->remembers)
		forget(f, f->young);
}

/* Where a SYN's marks are: a line, and nine bits for each mark. */
struct place { uint64_t line, bits; };

static struct place place_of(const struct tapir *t, const struct tcp_arrival *a)
{
	uint64_t h = a->tuple.hash;

	h = (h ^ h >> 32 ^ a->seg.seq.n) * UINT64_C(0x9e3779b97f4a7c15);	/* the key is in h: a stranger cannot aim */
	return (struct place){(h >> 36) & (t->tcp->flood.lines - 1), h};
}

static bool has_marks(const struct tcp_flood_line *line, uint64_t bits)
{
	bool all = true;

	for (int i = 0; i < MARKS; i++, bits >>= 9)
		all &= line->words[bits >> 6 & 7] >> (bits & 63) & 1;
	return all;
}

static bool is_remembered(const struct tcp_flood *f, struct place at)
{
	return f->remembers && (has_marks(&f->young[at.line], at.bits) || has_marks(&f->old[at.line], at.bits));
}

static void remember(const struct tapir *t, struct tcp_flood *f, struct place at)
{
	if (!f->remembers) {
		forget(f, f->young);
		forget(f, f->old);
		f->remembers = true;
		f->since_us = t->now_us;
	}
	for (int i = 0; i < MARKS; i++, at.bits >>= 9)
		f->young[at.line].words[at.bits >> 6 & 7] |= UINT64_C(1) << (at.bits & 63);
}

bool tcp_flood_answers(struct tapir *t, const struct tcp_arrival *a)
{
	struct tcp_flood *f = &t->tcp->flood;
	struct place at;

	if (!t->cfg.syn_cookie_rate)
		return true;
	age(t, f);
	at = place_of(t, a);
	if ((is_remembered(f, at) && rate_allows(t, &f->again)) || rate_allows(t, &f->first))
		return true;
	remember(t, f, at);
	return false;
}
