/* cache.c: the table of neighbours: a hash table over a fixed array, and one list for each state, oldest first.
 * It owns the entries and the datagrams held in them; it never sends, and it knows no ARP packet.
 * RFC 1122 2.3.2.1 (a cache that does not fill with stale entries) and 2.3.2.2 (the latest datagrams are kept).
 *
 * Invariants: an entry is in exactly one list, that of its state; only those that are not FREE are in the hash table; held
 * datagrams exist only in INCOMPLETE. What strangers send fills at most what nobody uses: entries that we send to give way
 * only to other neighbours that we send to. */
#include "internal.h"

static void list_push(struct arp_list *l, struct arp_entry *e)
{
	e->next = NULL;
	e->prev = l->tail;
	if (l->tail)
		l->tail->next = e;
	else
		l->head = e;
	l->tail = e;
	l->count++;
}

static void list_remove(struct arp_list *l, struct arp_entry *e)
{
	if (e->prev)
		e->prev->next = e->next;
	else
		l->head = e->next;
	if (e->next)
		e->next->prev = e->prev;
	else
		l->tail = e->prev;
	l->count--;
}

static uint32_t bucket_count(const struct tapir_config *cfg)
{
	uint32_t n = 16;

	while (n < cfg->arp_entries)
		n *= 2;
	return n;
}

static uint32_t entry_count(const struct tapir_config *cfg)
{
	return max_u32(cfg->arp_entries, 4);	/* the rule of make_room needs a few */
}

size_t arp_cache_size(const struct tapir_config *cfg)
{
	return entry_count(cfg) * sizeof(struct arp_entry) + bucket_count(cfg) * sizeof(struct arp_entry *);
}

void arp_cache_init(struct tapir *t, void *mem)
{
	struct arp *a = t->arp;
	uint32_t buckets = bucket_count(&t->cfg);

	a->entries = mem;
	a->entry_count = entry_count(&t->cfg);
	a->buckets = (struct arp_entry **)(void *)(a->entries + a->entry_count);
	a->mask = buckets - 1;
	memset(mem, 0, arp_cache_size(&t->cfg));
	for (uint32_t i = 0; i < a->entry_count; i++) {
		a->entries[i].timer.fire = arp_timer_fire;
		list_push(&a->lists[ARP_FREE], &a->entries[i]);
	}
}

static struct arp_entry **bucket(struct tapir *t, const struct tapir_addr *addr)
{
	return &t->arp->buckets[siphash(t->key, addr, sizeof *addr) & t->arp->mask];
}

struct arp_entry *arp_find(struct tapir *t, const struct tapir_addr *addr)
{
	struct arp_entry *e = t->arp->last;

	if (e && tapir_addr_equal(&e->addr, addr))
		return e;
	for (e = *bucket(t, addr); e; e = e->hash_next)
		if (tapir_addr_equal(&e->addr, addr))
			return e;
	return NULL;
}

void arp_set_state(struct tapir *t, struct arp_entry *e, enum arp_state state)
{
	if (e->state == state && t->arp->lists[state].tail == e)
		return;
	list_remove(&t->arp->lists[e->state], e);
	e->state = state;
	list_push(&t->arp->lists[state], e);
}

void arp_remove(struct tapir *t, struct arp_entry *e)
{
	struct arp_entry **at = bucket(t, &e->addr);
	struct frameq held = {0};
	struct tapir_frame *f;

	while (*at != e)
		at = &(*at)->hash_next;
	*at = e->hash_next;
	if (t->arp->last == e)
		t->arp->last = NULL;
	wheel_disarm(&t->wheel, &e->timer);
	while ((f = arp_held_pop(t, e)))
		frameq_push(&held, f);
	arp_set_state(t, e, ARP_FREE);
	while ((f = frameq_pop(&held)))
		ip_unresolved(t, f);
}

/* Who gives way to a neighbour that we want to send to: the oldest that never mattered; else, when half of the cache waits
 * for answers, the oldest of those (so that sending to many absent neighbours costs no present one its place); else the
 * one that has been used least recently. */
static struct arp_entry *make_room(struct arp *a)
{
	if (a->lists[ARP_FREE].head)
		return a->lists[ARP_FREE].head;
	if (a->lists[ARP_LEARNED].head)
		return a->lists[ARP_LEARNED].head;
	if (a->lists[ARP_INCOMPLETE].count >= a->entry_count / 2)
		return a->lists[ARP_INCOMPLETE].head;
	return a->lists[ARP_USED].head;
}

struct arp_entry *arp_add(struct tapir *t, const struct tapir_addr *addr, enum arp_state state)
{
	struct arp *a = t->arp;
	struct arp_entry *e = make_room(a), **at;

	if (state == ARP_LEARNED && e->state != ARP_FREE && e->state != ARP_LEARNED)
		return NULL;
	if (e->state != ARP_FREE)
		arp_remove(t, e);
	e->addr = *addr;
	memset(e->mac, 0, sizeof e->mac);
	e->tries = 0;
	e->confirmed_us = e->used_us = t->now_us;
	arp_set_state(t, e, state);
	at = bucket(t, addr);
	e->hash_next = *at;
	*at = e;
	return e;
}

struct tapir_frame *arp_held_pop(struct tapir *t, struct arp_entry *e)
{
	struct tapir_frame *f = frameq_pop(&e->held);

	if (f) {
		t->arp->held--;
		t->arp->held_large -= f->cap > FRAME_SMALL;
	}
	return f;
}

/* All neighbours together hold at most a quarter of the buffers: absent ones must not stop the traffic of the others. */
static bool held_fits(const struct tapir *t, const struct tapir_frame *f)
{
	if (f->cap > FRAME_SMALL)
		return t->arp->held_large < max_u32(t->cfg.large_frames / 4, 1);
	return t->arp->held - t->arp->held_large < max_u32(t->cfg.small_frames / 4, 1);
}

bool arp_held_push(struct tapir *t, struct arp_entry *e, struct tapir_frame *f)
{
	bool lost = false;
	struct tapir_frame *old;

	while (e->held.count && (e->held.count >= t->cfg.arp_queue || !held_fits(t, f))) {
		old = arp_held_pop(t, e);	/* RFC 1122 2.3.2.2: the latest is kept */
		verdict_count(t, DROP_ARP_QUEUE_FULL, old->len);
		frame_put(&t->frames, old);
		lost = true;
	}
	if (!held_fits(t, f)) {
		verdict_count(t, DROP_ARP_QUEUE_FULL, f->len);
		frame_put(&t->frames, f);
		return false;
	}
	frameq_push(&e->held, f);
	t->arp->held++;
	t->arp->held_large += f->cap > FRAME_SMALL;
	return !lost;
}

uint32_t arp_count(const struct tapir *t)
{
	return t->arp->entry_count - t->arp->lists[ARP_FREE].count;
}

uint32_t tapir_arp_list(const struct tapir *t, struct tapir_arp_entry *rows, uint32_t max)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < t->arp->entry_count; i++) {
		const struct arp_entry *e = &t->arp->entries[i];

		if (e->state == ARP_FREE)
			continue;
		if (n < max) {
			rows[n] = (struct tapir_arp_entry){.addr = e->addr, .reachable = e->state != ARP_INCOMPLETE,
							   .age_us = t->now_us - e->confirmed_us};
			memcpy(rows[n].mac, e->mac, sizeof e->mac);
		}
		n++;
	}
	return n;
}
