/* The stack is a value: the same seed gives the same frames at the same times, whatever else runs in the process and
 * whatever lay in its memory before (sim_new fills it with other rubbish each time). */
#include <check.h>
#include <stdlib.h>
#include "tests/support/sim.h"

#define SEEDS 12
#define LIMIT_US (2 * 3600 * TAPIR_SEC)
#define SLICE_US (50 * TAPIR_MS)

static void finish(struct sim *s)
{
	if (sim_run(s, LIMIT_US))
		sim_expect_over(s);
	if (s->failure[0])
		sim_report(s);
	ck_assert_str_eq(s->failure, "");
}

static struct sim *world(uint64_t seed)
{
	struct sim_plan plan;

	sim_plan_make(&plan, seed);
	return sim_new(&plan, false);
}

static uint64_t hash_of(uint64_t seed)
{
	struct sim *s = world(seed);
	uint64_t hash;

	finish(s);
	hash = s->hash;
	sim_free(s);
	return hash;
}

START_TEST(the_same_seed_gives_the_same_frames_at_the_same_times)
{
	for (uint64_t seed = 1; seed <= SEEDS; seed++)
		ck_assert_uint_eq(hash_of(seed), hash_of(seed));
}
END_TEST

START_TEST(another_seed_gives_another_run)
{
	for (uint64_t seed = 1; seed < SEEDS; seed++)
		ck_assert_uint_ne(hash_of(seed), hash_of(seed + 1));
}
END_TEST

/* Several worlds, each a slice of time in turn: if stacks shared anything, the runs would differ from those alone. */
START_TEST(stacks_in_one_process_share_nothing)
{
	struct sim *worlds[SEEDS];

	for (uint64_t i = 0; i < SEEDS; i++)
		worlds[i] = world(i + 1);
	for (usec_t limit_us = TAPIR_SEC; limit_us < 10 * TAPIR_SEC; limit_us += SLICE_US)
		for (int i = 0; i < SEEDS; i++)
			ck_assert_msg(sim_run(worlds[i], limit_us), "seed %d: %s", i + 1, worlds[i]->failure);
	for (uint64_t i = 0; i < SEEDS; i++) {
		finish(worlds[i]);
		ck_assert_uint_eq(worlds[i]->hash, hash_of(i + 1));
		sim_free(worlds[i]);
	}
}
END_TEST

Suite *suite(void);
Suite *suite(void)
{
	Suite *s = suite_create("sim: determinism");
	TCase *tc = tcase_create("determinism");

	sim_report_crashes("build/san/tests/sim/test_transfers");
	tcase_set_timeout(tc, 300);
	tcase_add_test(tc, the_same_seed_gives_the_same_frames_at_the_same_times);
	tcase_add_test(tc, another_seed_gives_another_run);
	tcase_add_test(tc, stacks_in_one_process_share_nothing);
	suite_add_tcase(s, tc);
	return s;
}
