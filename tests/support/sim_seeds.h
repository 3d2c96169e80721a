/* sim_seeds.h: one run of the simulator for each of many seeds, as a suite.
 *
 *   SIM_SEEDS=n     how many seeds (100)
 *   SIM_SEED=n      only this one, telling everything
 *
 * Those that have failed once are listed in a file, a line each: the seed, then what it found. They are always run. */
#ifndef TEST_SIM_SEEDS_H
#define TEST_SIM_SEEDS_H

#include <check.h>
#include "sim.h"

/* make: from a seed to a plan. program: how the test is called, to say how a failure is replayed. */
Suite *sim_seeds_suite(const char *name, void (*make)(struct sim_plan *p, uint64_t seed), const char *file, const char *program);

#endif
