/* ladder_plan.h: where things stand when a ladder is drawn to the time: down is later, and a segment is seen twice, when it
 * leaves and when it arrives.
 *
 * A capture has one time for each segment, that of where it was made. Each side is so far away from there as half of the
 * shortest time that an answer took (ladder_conn.delay_us), so no segment arrives before it left, and no answer leaves
 * before its question came. Time is not drawn to a scale: each doubling takes as much room, and there is always enough
 * for the words. */
#ifndef LADDER_PLAN_H
#define LADDER_PLAN_H

#include "ladder.h"


/* Down from the top of the connection: where the rung touches each side; of one that counts, its middle twice. */
struct ladder_place { int y[2]; };
struct ladder_gap { int y; usec_t us; };
struct ladder_plan {
	struct ladder_place *places;	/* one for each rung */
	struct ladder_gap *gaps;	/* silences in which nothing was under way */
	size_t gap_count;
	int height;
};
/* False: out of memory. */
bool ladder_plan(struct ladder_plan *p, const struct ladder_conn *c);
void ladder_plan_free(struct ladder_plan *p);

#endif
