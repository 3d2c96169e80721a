/* live.h: lets others look on at a running stack: each gets a capture of its own, pcapng with comments, over a connection that
 * the stat server has handed over, from then on until it hangs up. One that reads too slowly loses frames, and the next that it
 * gets says how many; the stack never waits for anybody. While nobody looks on nothing is around the driver, and no probe set. */
#ifndef LIVE_H
#define LIVE_H

#include "station.h"

struct live;
struct live *live_open(const struct station *s);	/* s is borrowed; NULL: out of memory */
void live_take(void *live, int fd);			/* a connection, live's from now on */
void live_close(struct live *l);			/* NULL is allowed; before the loop is closed */

#endif
