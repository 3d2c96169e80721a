/* A snapshot is one memcpy: a copy of a stack's block, put back to the same place, goes on exactly as the first time. */
#include <check.h>
#include <stdlib.h>
#include <string.h>
#include "tests/support/sim.h"

#define SEEDS 8			/* worlds that are stopped, out of */
#define SEEDS_TRIED 200		/* so many that are looked at, because only those over the flat wire can be copied */
#define LIMIT_US (2 * 3600 * TAPIR_SEC)
#define FRAMES_LEAST 100
#define STEP_US (1 * TAPIR_MS)

struct snapshot { void *blocks[2], *wire; struct sim world; };

static void *copy_of(const void *p, size_t n)
{
	void *copy = malloc(n);

	ck_assert_ptr_nonnull(copy);
	memcpy(copy, p, n);
	return copy;
}

static void take(struct snapshot *snap, struct sim *s)
{
	size_t n;
	const void *wire = sim_wire_state(s->wire, &n);

	for (int i = 0; i < 2; i++)
		snap->blocks[i] = copy_of(s->nodes[i].mem, s->nodes[i].size);
	snap->wire = copy_of(wire, n);
	snap->world = *s;
}

static void put_back(const struct snapshot *snap, struct sim *s)
{
	size_t n;
	void *wire = sim_wire_state(s->wire, &n);

	for (int i = 0; i < 2; i++)
		memcpy(s->nodes[i].mem, snap->blocks[i], s->nodes[i].size);
	memcpy(wire, snap->wire, n);
	*s = snap->world;
}

static void drop(struct snapshot *snap)
{
	for (int i = 0; i < 2; i++)
		free(snap->blocks[i]);
	free(snap->wire);
}

static void finish(struct sim *s)
{
	if (sim_run(s, LIMIT_US))
		sim_expect_over(s);
	if (s->failure[0])
		sim_report(s);
	ck_assert_str_eq(s->failure, "");
}

/* Runs until so many frames were sent, then to the end, then from the copy of that moment to the end again. */
static void check_moment(const struct sim_plan *plan, uint32_t frames_before)
{
	static struct snapshot snap;
	struct sim *s = sim_new(plan, false);
	uint64_t hash;
	uint32_t frames;

	for (usec_t limit_us = s->now_us; s->frames < frames_before; limit_us += STEP_US)
		ck_assert_msg(sim_run(s, limit_us), "%s", s->failure);
	take(&snap, s);
	finish(s);
	hash = s->hash;
	frames = s->frames;
	ck_assert_uint_gt(frames, snap.world.frames);
	for (int i = 0; i < 2; i++)	/* what is there now must not matter */
		memset(s->nodes[i].mem, 0xee, s->nodes[i].size);
	put_back(&snap, s);
	ck_assert_uint_eq(s->frames, snap.world.frames);
	finish(s);
	ck_assert_uint_eq(s->frames, frames);
	ck_assert_uint_eq(s->hash, hash);
	drop(&snap);
	sim_free(s);
}

static uint32_t frames_of(const struct sim_plan *plan)
{
	struct sim *s = sim_new(plan, false);
	uint32_t frames;

	finish(s);
	frames = s->frames;
	sim_free(s);
	return frames;
}

/* The first worlds over the flat wire in which there is something to see, each stopped early, midway and late. */
START_TEST(a_copy_of_the_block_put_back_replays_exactly)
{
	int found = 0;

	for (uint64_t seed = 1; seed <= SEEDS_TRIED && found < SEEDS; seed++) {
		struct sim_plan plan;
		uint32_t frames;

		sim_plan_make(&plan, seed);
		frames = plan.link == SIM_LINK_WIRE ? frames_of(&plan) : 0;
		if (frames < FRAMES_LEAST)
			continue;
		for (uint32_t part = 1; part <= 3; part++)
			check_moment(&plan, frames * part / 4);
		found++;
	}
	ck_assert_int_eq(found, SEEDS);
}
END_TEST

Suite *suite(void);
Suite *suite(void)
{
	Suite *s = suite_create("sim: snapshot");
	TCase *tc = tcase_create("snapshot");

	sim_report_crashes("build/san/tests/sim/test_transfers");
	tcase_set_timeout(tc, 300);
	tcase_add_test(tc, a_copy_of_the_block_put_back_replays_exactly);
	suite_add_tcase(s, tc);
	return s;
}
