/* tuning.c: the options that few programs set, kept apart from the connection so that it stays small. Owns the pool of
 * sets (struct tcp_tuning): a set is immutable, counted, and found by its content, so that a server that gives the same
 * choices to a hundred thousand connections has one. Also what each option means where the configuration has a default.
 *
 * Invariants: no two sets in use are equal; the plain one, without any choice, is never freed; finding one is O(1). */
#include "internal.h"

static uint32_t bucket_count(uint32_t sets)
{
	uint32_t n = 16;

	while (n < sets)
		n *= 2;
	return n;
}

size_t tcp_tunings_size(const struct tapir_config *cfg)
{
	uintptr_t at = 0;

	carve(&at, sizeof(struct tcp_tuning) * cfg->tcp_tunings);
	carve(&at, sizeof(struct tcp_tuning *) * bucket_count(cfg->tcp_tunings));
	return at;
}

void tcp_tunings_init(struct tapir *t, void *mem)
{
	uintptr_t at = (uintptr_t)mem;
	uint32_t count = t->cfg.tcp_tunings, buckets = bucket_count(count);
	struct tcp_tuning *all = carve(&at, sizeof *all * count);

	t->tcp->tunings.buckets = carve(&at, sizeof all * buckets);
	memset(t->tcp->tunings.buckets, 0, sizeof all * buckets);
	t->tcp->tunings.mask = buckets - 1;
	for (uint32_t i = count; i-- > 0;) {
		all[i].next = t->tcp->tunings.free;
		t->tcp->tunings.free = &all[i];
	}
	t->tcp->tunings.plain.users = 1;
}

static struct tcp_tuning **chain_of(struct tapir *t, const struct tcp_choices *is)
{
	return &t->tcp->tunings.buckets[siphash(t->key, is, sizeof *is) & t->tcp->tunings.mask];
}

static bool same(const struct tcp_choices *a, const struct tcp_choices *b) { return memcmp(a, b, sizeof *a) == 0; }

struct tcp_tuning *tcp_tuning_share(struct tcp_tuning *tuning)
{
	tuning->users++;
	return tuning;
}

struct tcp_tuning *tcp_tuning_plain(struct tapir *t) { return tcp_tuning_share(&t->tcp->tunings.plain); }

void tcp_tuning_put(struct tapir *t, struct tcp_tuning *tuning)
{
	struct tcp_tuning **at;

	assert(tuning->users);
	if (--tuning->users)
		return;
	at = chain_of(t, &tuning->is);
	while (*at != tuning)
		at = &(*at)->next;
	*at = tuning->next;
	tuning->next = t->tcp->tunings.free;
	t->tcp->tunings.free = tuning;
	t->tcp->tunings.used--;
}

static struct tcp_tuning *find(struct tapir *t, const struct tcp_choices *to)
{
	struct tcp_tuning *at = *chain_of(t, to);

	if (same(to, &t->tcp->tunings.plain.is))
		return &t->tcp->tunings.plain;
	while (at && !same(&at->is, to))
		at = at->next;
	return at;
}

static struct tcp_tuning *make(struct tapir *t, const struct tcp_choices *to)
{
	struct tcp_tuning *new = t->tcp->tunings.free, **chain = chain_of(t, to);

	if (!new)
		return NULL;
	t->tcp->tunings.free = new->next;
	*new = (struct tcp_tuning){.is = *to, .next = *chain};
	*chain = new;
	t->tcp->tunings.used++;
	return new;
}

struct tcp_tuning *tcp_tuning_change(struct tapir *t, struct tcp_tuning *old, const struct tcp_choices *to)
{
	struct tcp_tuning *new = find(t, to);

	if (!new)
		new = make(t, to);
	if (!new)
		return NULL;
	tcp_tuning_share(new);
	tcp_tuning_put(t, old);
	return new;
}

void tcp_set_tuning(struct tapir *t, struct tcp_conn *c, struct tcp_tuning *to)
{
	struct tcp_tuning *old = c->tuning;

	if (to == old)
		return;
	c->tuning = tcp_tuning_share(to);
	tcp_user_timer_changed(t, c, old->is.user_timeout_ms);
	if (to->is.keep_idle_s != old->is.keep_idle_s)
		tcp_set_keepalive(t, c, c->keepalive);
	tcp_tuning_put(t, old);
}

/* --- what they mean --------------------------------------------------------------------------------------------- */

usec_t tcp_keep_idle_us(const struct tapir *t, const struct tcp_conn *c)
{
	return c->tuning->is.keep_idle_s ? c->tuning->is.keep_idle_s * TAPIR_SEC : t->cfg.keepalive_idle_us;
}

usec_t tcp_keep_interval_us(const struct tapir *t, const struct tcp_conn *c)
{
	return c->tuning->is.keep_interval_s ? c->tuning->is.keep_interval_s * TAPIR_SEC : t->cfg.keepalive_interval_us;
}

uint8_t tcp_syn_retries(const struct tapir *t, const struct tcp_conn *c)
{
	return c->tuning->is.syn_retries ? c->tuning->is.syn_retries : t->cfg.syn_retries;
}

/* How long an orphan waits for the peer's FIN (RFC 9293 3.6 sets no limit); 0: the end comes with the next tick. */
usec_t tcp_fin_wait_2_us(const struct tapir *t, const struct tcp_conn *c)
{
	int32_t s = c->tuning->is.linger2_s;

	if (s < 0)
		return 0;
	return s ? (usec_t)s * TAPIR_SEC : t->cfg.fin_wait_2_us;
}

/* The most that the window may ever say, whatever the buffer has room for. */
uint32_t tcp_window_limit(const struct tcp_conn *c)
{
	return c->tuning->is.window_clamp ? min_u32(c->tuning->is.window_clamp, c->rx.limit) : c->rx.limit;
}

/* Of the peer's segments and of ours (TCP_MAXSEG), options not counted (RFC 6691 2). */
uint32_t tcp_mss_limit(const struct tcp_conn *c, uint32_t mss)
{
	return c->tuning->is.maxseg ? min_u32(c->tuning->is.maxseg, mss) : mss;
}
