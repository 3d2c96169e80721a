/* gather.h: segments of one batch become one (gather.c). */
#ifndef STACK_GATHER_H
#define STACK_GATHER_H

#include "base/core.h"

#define GATHER_MAX 64u			/* frames that are looked at together: a bit of a mask for each */

/* frames[0], or a new frame of it and of those of the n that continue it, which are then given back: bits of *joined, from 1 on.
 * Places that are NULL already are passed over. */
struct tapir_frame *gather(struct tapir *t, struct tapir_frame *frames[], uint32_t n, uint64_t *joined);

#endif
