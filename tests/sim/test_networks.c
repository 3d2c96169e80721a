/* Stacks that hang on a row of routers, with links that are slow, lossy, managed, narrow, changing and failing, one network for
 * each seed: every byte arrives where it belongs, every connection ends, every pool is whole again, and nothing on the wire
 * is what no TCP may send (tests/support/sim_meter.c, sim_seeds.h). */
#include "tests/support/sim_seeds.h"

Suite *suite(void);
Suite *suite(void)
{
	return sim_seeds_suite("sim: networks", sim_net_plan_make, "tests/sim/seeds_networks.txt",
			       "build/san/tests/sim/test_networks");
}
