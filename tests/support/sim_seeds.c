/* sim_seeds.c: see sim_seeds.h. */
#include <stdio.h>
#include <stdlib.h>
#include "sim_seeds.h"

#define SEEDS_DEFAULT 100
#define BLOCK 25		/* seeds in one test */
#define KNOWN_MAX 1024
#define LIMIT_US (3600 * TAPIR_SEC)	/* a worse path than any here is not needed for half of it */
#define TIMEOUT_S 1800

static void (*make_plan)(struct sim_plan *p, uint64_t seed);
static const char *seeds_file;

static uint64_t number_from_environment(const char *name, uint64_t otherwise)
{
	const char *text = getenv(name);

	return text ? strtoull(text, NULL, 0) : otherwise;
}

static void run_seed(uint64_t seed, bool verbose)
{
	struct sim_plan plan;
	struct sim *s;
	bool failed;

	make_plan(&plan, seed);
	s = sim_new(&plan, verbose);
	if (sim_run(s, LIMIT_US))
		sim_expect_over(s);
	failed = s->failure[0] != '\0';
	if (failed || verbose)
		sim_report(s);
	sim_free(s);
	ck_assert_msg(!failed, "seed %llu failed", (unsigned long long)seed);
}

START_TEST(every_byte_arrives_and_everything_is_given_back)
{
	uint64_t first = (uint64_t)_i * BLOCK, end = first + BLOCK, all = number_from_environment("SIM_SEEDS", SEEDS_DEFAULT);

	for (uint64_t seed = first; seed < end && seed < all; seed++)
		run_seed(seed, false);
}
END_TEST

/* The numbers at the start of the lines of the file. */
static int known_seeds(uint64_t seeds[KNOWN_MAX])
{
	FILE *file = fopen(seeds_file, "r");
	char line[256], *end;
	int n = 0;

	ck_assert_msg(file != NULL, "cannot read %s: the tests run in the top folder", seeds_file);
	while (n < KNOWN_MAX && fgets(line, sizeof line, file)) {
		seeds[n] = strtoull(line, &end, 10);
		n += end != line;
	}
	fclose(file);
	ck_assert_int_gt(n, 0);
	return n;
}

START_TEST(seeds_that_have_failed_once_do_not_fail_again)
{
	uint64_t seeds[KNOWN_MAX];
	int n = known_seeds(seeds);

	for (int i = 0; i < n; i++)
		run_seed(seeds[i], false);
}
END_TEST

START_TEST(one_seed)
{
	run_seed(number_from_environment("SIM_SEED", 0), true);
}
END_TEST

Suite *sim_seeds_suite(const char *name, void (*make)(struct sim_plan *p, uint64_t seed), const char *file, const char *program)
{
	Suite *s = suite_create(name);
	TCase *tc = tcase_create("seeds");
	uint64_t seeds = number_from_environment("SIM_SEEDS", SEEDS_DEFAULT);

	make_plan = make;
	seeds_file = file;
	sim_report_crashes(program);
	tcase_set_timeout(tc, TIMEOUT_S);
	if (getenv("SIM_SEED")) {
		tcase_add_test(tc, one_seed);
	} else {
		tcase_add_loop_test(tc, every_byte_arrives_and_everything_is_given_back, 0, (int)((seeds + BLOCK - 1) / BLOCK));
		tcase_add_test(tc, seeds_that_have_failed_once_do_not_fail_again);
	}
	suite_add_tcase(s, tc);
	return s;
}
