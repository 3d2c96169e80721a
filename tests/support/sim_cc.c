/* sim_cc.c: congestion control by name, for plans that mix several. */
#include <string.h>
#include "sim.h"

const char *const sim_cc_names[] = {"newreno"};
const uint32_t sim_cc_count = sizeof sim_cc_names / sizeof sim_cc_names[0];

/* The stack has one, and every socket has it. */
bool sim_cc_set(struct tapir *t, tapir_sd sd, const char *name)
{
	(void)t, (void)sd;
	return strcmp(name, "newreno") == 0 || strcmp(name, "reno") == 0;
}
