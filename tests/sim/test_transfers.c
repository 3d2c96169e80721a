/* Two stacks over a bad link, one world for each seed: every byte arrives where it belongs, every connection ends, every
 * pool is whole again (tests/support/sim_seeds.h). */
#include "tests/support/sim_seeds.h"

Suite *suite(void);
Suite *suite(void)
{
	return sim_seeds_suite("sim: transfers", sim_plan_make, "tests/sim/seeds.txt", "build/san/tests/sim/test_transfers");
}
