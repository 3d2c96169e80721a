/* wheel.c: the timing wheel. Owns which timer waits in which slot, and the order in which they fire. Never reads a
 * clock and never allocates: timers live inside what they are for.
 *
 * A timer waits on the level of the highest group of six bits in which its time differs from now. So every timer on
 * level 0 is due within the present 64 us, every timer on level n lies in the present slot of level n + 1, and the
 * lowest occupied level holds the earliest timer. When now reaches the start of a slot above level 0, its timers are
 * placed anew, lower. The top level alone wraps around: a timer further away than its 64 slots waits in the last of
 * them and is placed anew from there.
 *
 * Invariants: no occupied slot above level 0 starts at or before now_us; none of level 0 lies before now_us.
 *
 * One instant is served once: what a firing timer arms for the present instant, or for an earlier one, fires one
 * microsecond later. In an advance that goes further that is the same advance; a timer that always arms itself for
 * "now" can thus not keep the clock from going on. */
#include "wheel.h"

#include <assert.h>
#include <string.h>

#define SLOT_BITS 6
#define TOP (WHEEL_LEVELS - 1)

static unsigned lowest_bit(uint64_t bits)
{
	return (unsigned)__builtin_ctzll(bits);
}

static unsigned shift_of(unsigned level)
{
	return level * SLOT_BITS;
}

static unsigned slot_at(usec_t time_us, unsigned level)
{
	return (unsigned)(time_us >> shift_of(level)) & (WHEEL_SLOTS - 1);
}

void wheel_init(struct wheel *w, usec_t now_us)
{
	memset(w, 0, sizeof *w);
	w->now_us = now_us;
}

static unsigned level_for(const struct wheel *w, usec_t at_us)
{
	uint64_t differ = w->now_us ^ at_us;
	unsigned level = differ ? (63 - (unsigned)__builtin_clzll(differ)) / SLOT_BITS : 0;

	return level < TOP ? level : TOP;
}

static unsigned slot_for(const struct wheel *w, unsigned level, usec_t at_us)
{
	uint64_t present = w->now_us >> shift_of(TOP);

	if (level == TOP && (at_us >> shift_of(TOP)) - present >= WHEEL_SLOTS)
		return (unsigned)(present + WHEEL_SLOTS - 1) & (WHEEL_SLOTS - 1);
	return slot_at(at_us, level);
}

static void link_timer(struct timer **head, struct timer *timer)
{
	timer->next = *head;
	timer->pprev = head;
	if (timer->next)
		timer->next->pprev = &timer->next;
	*head = timer;
}

static void unlink_timer(struct timer *timer)
{
	*timer->pprev = timer->next;
	if (timer->next)
		timer->next->pprev = timer->pprev;
	timer->next = NULL;
	timer->pprev = NULL;
}

static void place(struct wheel *w, struct timer *timer, usec_t earliest_us)
{
	usec_t at_us = timer->due_us > earliest_us ? timer->due_us : earliest_us;
	unsigned level = level_for(w, at_us);
	unsigned slot = slot_for(w, level, at_us);

	link_timer(&w->slots[level][slot], timer);
	w->occupied[level] |= UINT64_C(1) << slot;
}

void wheel_arm(struct wheel *w, struct timer *timer, usec_t due_us)
{
	wheel_disarm(w, timer);
	timer->due_us = due_us;
	place(w, timer, w->firing ? w->now_us + 1 : w->now_us);
	w->armed++;
}

/* If head is the head of a slot, and that is empty now, its bit goes too. */
static void note_empty(struct wheel *w, struct timer **head)
{
	uintptr_t offset = (uintptr_t)head - (uintptr_t)w->slots;
	unsigned index;

	if (*head || offset >= sizeof w->slots)
		return;
	index = (unsigned)(offset / sizeof *head);
	w->occupied[index / WHEEL_SLOTS] &= ~(UINT64_C(1) << index % WHEEL_SLOTS);
}

void wheel_disarm(struct wheel *w, struct timer *timer)
{
	struct timer **head = timer->pprev;

	if (!head)
		return;
	unlink_timer(timer);
	note_empty(w, head);
	w->armed--;
}

/* The level that holds the earliest timer; WHEEL_LEVELS: there is none. */
static unsigned first_level(const struct wheel *w)
{
	unsigned level = 0;

	while (level < WHEEL_LEVELS && !w->occupied[level])
		level++;
	return level;
}

/* How many slots after the present one the first occupied one of level lies. */
static unsigned slots_ahead(const struct wheel *w, unsigned level)
{
	unsigned present = slot_at(w->now_us, level);
	uint64_t bits = w->occupied[level];

	if (present)
		bits = bits >> present | bits << (WHEEL_SLOTS - present);
	return lowest_bit(bits);
}

/* When the first occupied slot of level begins. */
static usec_t slot_start(const struct wheel *w, unsigned level)
{
	return ((w->now_us >> shift_of(level)) + slots_ahead(w, level)) << shift_of(level);
}

usec_t wheel_deadline(const struct wheel *w)
{
	unsigned level = first_level(w);

	return level < WHEEL_LEVELS ? slot_start(w, level) : USEC_NEVER;
}

/* Takes all timers of the slot where now is; *list becomes their head. */
static void take_slot(struct wheel *w, unsigned level, struct timer **list)
{
	unsigned slot = slot_at(w->now_us, level);

	*list = w->slots[level][slot];
	if (*list)
		(*list)->pprev = list;
	w->slots[level][slot] = NULL;
	w->occupied[level] &= ~(UINT64_C(1) << slot);
}

static void fire_slot(struct wheel *w, struct tapir *t)
{
	struct timer *list;

	take_slot(w, 0, &list);
	w->firing = true;
	while (list) {		/* what fires may disarm others of this list */
		struct timer *timer = list;

		unlink_timer(timer);
		w->armed--;
		timer->fire(t, timer);
	}
	w->firing = false;
}

static void move_slot_down(struct wheel *w, unsigned level)
{
	struct timer *list;

	take_slot(w, level, &list);
	while (list) {
		struct timer *timer = list;

		unlink_timer(timer);
		place(w, timer, w->now_us);
	}
}

void wheel_advance(struct wheel *w, struct tapir *t, usec_t now_us)
{
	assert(!w->firing);
	for (unsigned level = first_level(w); level < WHEEL_LEVELS; level = first_level(w)) {
		usec_t start_us = slot_start(w, level);

		if (start_us > now_us)
			break;
		w->now_us = start_us;
		if (level == 0)
			fire_slot(w, t);
		else
			move_slot_down(w, level);
	}
	if (now_us > w->now_us)
		w->now_us = now_us;
}
