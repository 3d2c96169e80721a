/* wheel.h: a hierarchical timing wheel (Varghese and Lauck, 1987): arm, disarm and expiry are O(1), exact to the
 * microsecond, however many timers there are. LEVELS levels of 64 slots; slot width grows by 64 from level to level;
 * one bitmap a level says which slots are occupied. A timer far away moves down a level at most LEVELS - 1 times. */
#ifndef BASE_WHEEL_H
#define BASE_WHEEL_H

#include "../tapir.h"

#define WHEEL_LEVELS 8
#define WHEEL_SLOTS 64

struct timer {
	struct timer *next, **pprev;	/* pprev NULL: not armed */
	usec_t due_us;
	/* Called once, already disarmed; may arm and disarm any timer. */
	void (*fire)(struct tapir *t, struct timer *timer);
};
struct wheel {
	usec_t now_us;
	uint32_t armed;				/* how many timers */
	bool firing;				/* inside a timer's fire() */
	uint64_t occupied[WHEEL_LEVELS];
	struct timer *slots[WHEEL_LEVELS][WHEEL_SLOTS];
};

void wheel_init(struct wheel *w, usec_t now_us);
/* (Re)arms timer for due_us; a time already past fires at the next advance. Inside fire() the present instant is past
 * too: the timer fires one microsecond later, in the same advance if that goes so far. */
void wheel_arm(struct wheel *w, struct timer *timer, usec_t due_us);
void wheel_disarm(struct wheel *w, struct timer *timer);	/* nothing when it is not armed */
static inline bool timer_armed(const struct timer *timer) { return timer->pprev != NULL; }
/* Moves to now_us, firing every timer that is due, in order of due time (within a slot: any order). While one fires,
 * w->now_us is at least its due time. */
void wheel_advance(struct wheel *w, struct tapir *t, usec_t now_us);
/* No timer is due before this; it may be earlier than the next timer (a slot that must be redistributed). */
usec_t wheel_deadline(const struct wheel *w);

#endif
