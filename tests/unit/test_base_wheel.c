/* test_base_wheel.c: the timing wheel alone, against a plain list of due times. */
#include <check.h>
#include <stdlib.h>
#include "stack/base/siphash.h"
#include "stack/base/wheel.h"

#define TIMERS 64

struct watched {		/* a timer, and what the plain list knows about it */
	struct timer timer;	/* first: fire() gets its address */
	bool armed;
	usec_t due_us;		/* a time already past counts as now */
	struct fixture *f;
};
struct fixture {
	struct wheel wheel;
	struct watched timers[TIMERS];
	struct rng rng;
	usec_t target_us, last_us;
	uint64_t fired;
};

/* One assertion for many timers: Check writes each of them down. */
static bool all_armed_are_due_from(const struct fixture *f, usec_t from_us)
{
	for (size_t i = 0; i < TIMERS; i++)
		if (f->timers[i].armed && f->timers[i].due_us < from_us)
			return false;
	return true;
}

/* Checks a firing against the list: it was armed, is due, and nothing that is still armed should have come before it. */
static void fire(struct tapir *t, struct timer *timer)
{
	struct watched *w = (struct watched *)timer;
	struct fixture *f = w->f;

	ck_assert_ptr_null(t);
	ck_assert(!timer_armed(timer));
	ck_assert(w->armed);
	ck_assert_uint_eq(f->wheel.now_us, w->due_us);
	ck_assert_uint_ge(f->wheel.now_us, f->last_us);
	ck_assert(all_armed_are_due_from(f, w->due_us));
	w->armed = false;
	f->last_us = f->wheel.now_us;
	f->fired++;
}

static void start(struct fixture *f, usec_t now_us)
{
	memset(f, 0, sizeof *f);
	wheel_init(&f->wheel, now_us);
	rng_seed(&f->rng, 1, now_us);
	for (size_t i = 0; i < TIMERS; i++) {
		f->timers[i].f = f;
		f->timers[i].timer.fire = fire;
	}
}

static void arm(struct fixture *f, size_t i, usec_t due_us)
{
	wheel_arm(&f->wheel, &f->timers[i].timer, due_us);
	f->timers[i].armed = true;
	f->timers[i].due_us = due_us < f->wheel.now_us ? f->wheel.now_us : due_us;
	ck_assert(timer_armed(&f->timers[i].timer));
}

static void disarm(struct fixture *f, size_t i)
{
	wheel_disarm(&f->wheel, &f->timers[i].timer);
	f->timers[i].armed = false;
	ck_assert(!timer_armed(&f->timers[i].timer));
}

/* What the plain list says: how many are armed, and the earliest. */
static uint32_t count_armed(const struct fixture *f, usec_t *earliest_us)
{
	uint32_t n = 0;

	*earliest_us = USEC_NEVER;
	for (size_t i = 0; i < TIMERS; i++)
		if (f->timers[i].armed) {
			n++;
			*earliest_us = f->timers[i].due_us < *earliest_us ? f->timers[i].due_us : *earliest_us;
		}
	return n;
}

static void agree(const struct fixture *f)
{
	usec_t earliest_us;

	ck_assert_uint_eq(f->wheel.armed, count_armed(f, &earliest_us));
	ck_assert_uint_le(wheel_deadline(&f->wheel), earliest_us);
	if (!f->wheel.armed)
		ck_assert_uint_eq(wheel_deadline(&f->wheel), USEC_NEVER);
	else
		ck_assert_uint_ge(wheel_deadline(&f->wheel), f->wheel.now_us);
}

static void advance(struct fixture *f, usec_t to_us)
{
	f->last_us = 0;
	wheel_advance(&f->wheel, NULL, to_us);
	ck_assert_uint_eq(f->wheel.now_us, to_us);
	ck_assert(all_armed_are_due_from(f, to_us + 1));
}

/* A distance of any order of magnitude, up to 2^max_bits. */
static usec_t some_distance(struct fixture *f, uint32_t max_bits)
{
	return rng_next(&f->rng) >> (63 - rng_below(&f->rng, max_bits));
}

static void random_operations(usec_t from_us, uint32_t max_bits)
{
	struct fixture f;

	start(&f, from_us);
	for (int step = 0; step < 4000; step++) {
		size_t i = rng_below(&f.rng, TIMERS);
		usec_t past_us = rng_below(&f.rng, 100);

		switch (rng_below(&f.rng, 6)) {
		case 0: case 1:
			arm(&f, i, f.wheel.now_us + some_distance(&f, max_bits));
			break;
		case 2:
			disarm(&f, i);
			break;
		case 3:
			arm(&f, i, f.wheel.now_us > past_us ? f.wheel.now_us - past_us : 0);
			break;
		case 4:
			advance(&f, f.wheel.now_us + some_distance(&f, max_bits - 1));
			break;
		default:
			if (f.wheel.armed)
				advance(&f, wheel_deadline(&f.wheel));
			break;
		}
		agree(&f);
	}
	ck_assert_uint_gt(f.fired, 200);
}

/* Each start with near, far and very far timers; 2^48 is where the top level wraps. */
START_TEST(random_arming_and_advancing_agrees_with_a_plain_list)
{
	static const usec_t starts[] = {
		0, 1, 63, 4095, 1ull << 40, (1ull << 48) - 100, 3ull << 47, (1ull << 60) + 12345
	};

	for (size_t i = 0; i < sizeof starts / sizeof starts[0]; i++) {
		random_operations(starts[i], 8);
		random_operations(starts[i], 24);
		random_operations(starts[i], 49);
	}
}
END_TEST

START_TEST(a_timer_fires_at_its_microsecond_and_not_before)
{
	static const usec_t distances[] = {
		0, 1, 63, 64, 65, 4095, 4096, 200000, 1ull << 32, (1ull << 48) - 1, 1ull << 48, 1ull << 52
	};

	for (size_t i = 0; i < sizeof distances / sizeof distances[0]; i++) {
		struct fixture f;

		start(&f, 1000003);
		arm(&f, 0, 1000003 + distances[i]);
		if (distances[i]) {
			advance(&f, 1000003 + distances[i] - 1);
			ck_assert_uint_eq(f.fired, 0);
		}
		advance(&f, 1000003 + distances[i]);
		ck_assert_uint_eq(f.fired, 1);
		ck_assert_uint_eq(f.wheel.armed, 0);
	}
}
END_TEST

/* Following wheel_deadline from one to the next arrives at every timer within a bounded number of wake-ups. */
START_TEST(a_timer_is_reached_by_its_deadlines_in_as_many_wakeups_as_there_are_levels)
{
	for (uint32_t bits = 0; bits < 48; bits++) {
		struct fixture f;
		int wakeups = 0;

		start(&f, 77);
		arm(&f, 0, 77 + (1ull << bits) + 5);
		for (; f.fired == 0; wakeups++)
			advance(&f, wheel_deadline(&f.wheel));
		ck_assert_uint_eq(f.wheel.now_us, 77 + (1ull << bits) + 5);
		ck_assert_int_le(wakeups, WHEEL_LEVELS);
	}
}
END_TEST

START_TEST(a_time_already_past_fires_at_the_next_advance_even_to_the_same_time)
{
	struct fixture f;

	start(&f, 500);
	arm(&f, 0, 20);
	ck_assert_uint_eq(wheel_deadline(&f.wheel), 500);
	advance(&f, 500);
	ck_assert_uint_eq(f.fired, 1);
}
END_TEST

START_TEST(the_clock_does_not_go_back)
{
	struct fixture f;

	start(&f, 500);
	arm(&f, 0, 600);
	wheel_advance(&f.wheel, NULL, 100);
	ck_assert_uint_eq(f.wheel.now_us, 500);
	ck_assert_uint_eq(f.fired, 0);
	advance(&f, 600);
	ck_assert_uint_eq(f.fired, 1);
}
END_TEST

START_TEST(arming_again_moves_a_timer)
{
	struct fixture f;

	start(&f, 0);
	arm(&f, 0, 100);
	arm(&f, 0, 5000);
	ck_assert_uint_eq(f.wheel.armed, 1);
	advance(&f, 4999);
	ck_assert_uint_eq(f.fired, 0);
	arm(&f, 0, 5000);
	advance(&f, 5000);
	ck_assert_uint_eq(f.fired, 1);
}
END_TEST

START_TEST(disarming_what_is_not_armed_does_nothing)
{
	struct fixture f;

	start(&f, 0);
	disarm(&f, 0);
	ck_assert_uint_eq(f.wheel.armed, 0);
	arm(&f, 0, 10);
	disarm(&f, 0);
	disarm(&f, 0);
	ck_assert_uint_eq(wheel_deadline(&f.wheel), USEC_NEVER);
}
END_TEST

/* --- timers that act on timers --- */

struct chain {
	struct timer timer;
	struct wheel *wheel;
	struct timer *victim;
	usec_t step_us, at_us;
	unsigned count;
};

static void rearm(struct tapir *t, struct timer *timer)
{
	struct chain *c = (struct chain *)timer;

	(void)t;
	c->count++;
	c->at_us = c->wheel->now_us;
	wheel_arm(c->wheel, timer, c->wheel->now_us + c->step_us);
}

static void kill_victim(struct tapir *t, struct timer *timer)
{
	struct chain *c = (struct chain *)timer;

	(void)t;
	c->count++;
	wheel_disarm(c->wheel, c->victim);
}

static void arm_victim_now(struct tapir *t, struct timer *timer)
{
	struct chain *c = (struct chain *)timer;

	(void)t;
	c->count++;
	wheel_arm(c->wheel, c->victim, c->wheel->now_us);
}

static void count_only(struct tapir *t, struct timer *timer)
{
	struct chain *c = (struct chain *)timer;

	(void)t;
	c->count++;
	c->at_us = c->wheel->now_us;
}

START_TEST(a_periodic_timer_keeps_its_period_inside_one_long_advance)
{
	struct wheel w;
	struct chain c = {.timer.fire = rearm, .wheel = &w, .step_us = 1000};

	wheel_init(&w, 0);
	wheel_arm(&w, &c.timer, 1000);
	wheel_advance(&w, NULL, 1000500);
	ck_assert_uint_eq(c.count, 1000);
	ck_assert_uint_eq(c.at_us, 1000000);
	ck_assert_uint_eq(c.timer.due_us, 1001000);
}
END_TEST

/* The rule of wheel.h: the present instant is past inside fire(), so the clock still goes on. */
START_TEST(a_timer_that_always_arms_itself_for_now_fires_once_a_microsecond)
{
	struct wheel w;
	struct chain c = {.timer.fire = rearm, .wheel = &w, .step_us = 0};

	wheel_init(&w, 1000);
	wheel_arm(&w, &c.timer, 1000);
	wheel_advance(&w, NULL, 1000);
	ck_assert_uint_eq(c.count, 1);
	ck_assert_uint_eq(wheel_deadline(&w), 1001);
	wheel_advance(&w, NULL, 1010);
	ck_assert_uint_eq(c.count, 11);
	ck_assert_uint_eq(w.now_us, 1010);
}
END_TEST

START_TEST(what_a_firing_timer_arms_for_now_fires_in_the_same_longer_advance)
{
	struct wheel w;
	struct chain second = {.timer.fire = count_only, .wheel = &w};
	struct chain first = {.timer.fire = arm_victim_now, .wheel = &w, .victim = &second.timer};

	wheel_init(&w, 0);
	wheel_arm(&w, &first.timer, 63);	/* one microsecond later is another level's slot */
	wheel_advance(&w, NULL, 100);
	ck_assert_uint_eq(first.count, 1);
	ck_assert_uint_eq(second.count, 1);
	ck_assert_uint_eq(second.at_us, 64);
}
END_TEST

/* Two timers of one instant, each of which disarms the other: exactly one fires, whichever comes first. */
START_TEST(a_timer_disarmed_by_another_of_the_same_instant_does_not_fire)
{
	struct wheel w;
	struct chain a = {.timer.fire = kill_victim, .wheel = &w}, b = {.timer.fire = kill_victim, .wheel = &w};

	a.victim = &b.timer;
	b.victim = &a.timer;
	wheel_init(&w, 0);
	wheel_arm(&w, &a.timer, 70000);
	wheel_arm(&w, &b.timer, 70000);
	wheel_advance(&w, NULL, 80000);
	ck_assert_uint_eq(a.count + b.count, 1);
	ck_assert_uint_eq(w.armed, 0);
	ck_assert_uint_eq(wheel_deadline(&w), USEC_NEVER);
}
END_TEST

START_TEST(timers_fire_in_the_order_of_their_times_across_levels)
{
	struct fixture f;

	start(&f, 123456789);
	for (size_t i = 0; i < TIMERS; i++)
		arm(&f, i, f.wheel.now_us + some_distance(&f, 40));
	advance(&f, f.wheel.now_us + (1ull << 41));	/* fire() checks the order */
	ck_assert_uint_eq(f.fired, TIMERS);
}
END_TEST

Suite *suite(void)
{
	Suite *s = suite_create("base/wheel");
	TCase *c = tcase_create("wheel");

	tcase_set_timeout(c, 60);
	tcase_add_test(c, random_arming_and_advancing_agrees_with_a_plain_list);
	tcase_add_test(c, a_timer_fires_at_its_microsecond_and_not_before);
	tcase_add_test(c, a_timer_is_reached_by_its_deadlines_in_as_many_wakeups_as_there_are_levels);
	tcase_add_test(c, a_time_already_past_fires_at_the_next_advance_even_to_the_same_time);
	tcase_add_test(c, the_clock_does_not_go_back);
	tcase_add_test(c, arming_again_moves_a_timer);
	tcase_add_test(c, disarming_what_is_not_armed_does_nothing);
	tcase_add_test(c, a_periodic_timer_keeps_its_period_inside_one_long_advance);
	tcase_add_test(c, a_timer_that_always_arms_itself_for_now_fires_once_a_microsecond);
	tcase_add_test(c, what_a_firing_timer_arms_for_now_fires_in_the_same_longer_advance);
	tcase_add_test(c, a_timer_disarmed_by_another_of_the_same_instant_does_not_fire);
	tcase_add_test(c, timers_fire_in_the_order_of_their_times_across_levels);
	suite_add_tcase(s, c);
	return s;
}
