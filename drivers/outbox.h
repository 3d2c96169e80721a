/* outbox.h: frames for a descriptor that takes one with each write, gathered and written with one system call (outbox.c). */
#ifndef DRIVERS_OUTBOX_H
#define DRIVERS_OUTBOX_H

#include "internal.h"

#define OUTBOX_FRAMES 64		/* beyond so many it is flushed by itself */
#define OUTBOX_PREFIX_MAX 16u		/* bytes in front of each frame */

struct outbox;
/* fd stays the caller's, and is non-blocking. NULL: memory ran out. */
struct outbox *outbox_open(int fd);
void outbox_close(struct outbox *o);
/* Whether all frames of a flush leave with one system call; false: each with its own. */
bool outbox_is_ring(const struct outbox *o);
bool outbox_is_empty(const struct outbox *o);
/* Gathers prefix and out as one frame. Text of TCP in a frame that is to be cut up (offload.gso) must stay where it is until
 * flush, as tapir_output promises; nothing else need stay. 0, or the errno of the first frame that was not taken, if this call
 * had to write; such a frame is lost, and those behind it are written all the same. */
int outbox_put(struct outbox *o, struct span prefix, const struct tapir_out *out);
/* Writes all that was gathered, in its order: the same. */
int outbox_flush(struct outbox *o);

#endif
