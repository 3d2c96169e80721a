/* explain.h: which remarks belong to which frame (explain.c). */
#ifndef DRIVERS_EXPLAIN_H
#define DRIVERS_EXPLAIN_H

#include "internal.h"

struct explain;
struct explain *explain_new(bool ip_only);		/* NULL: out of memory */

/* What the stack tells its probe. True: the frame of explain_arrival has come to its end. */
bool explain_event(struct explain *x, const struct tapir_event *e);
/* What a bad line tells; sending: while driver_send runs. */
void explain_fault(struct explain *x, const struct fault_note *note, bool sending);

#define EXPLAIN_ARRIVALS 64u		/* that may wait for their verdicts */
/* A frame has arrived. What is said until explain_event says true, or explain_arrived is called, is about the oldest. */
void explain_arrival(struct explain *x, struct span frame);
/* The remarks on the oldest, which waits no more; they stay until the next one arrives. */
struct remarks *explain_arrived(struct explain *x);
/* The remarks on a frame that leaves; they stay until the next one does. */
struct remarks *explain_departure(struct explain *x, struct span frame, usec_t now_us);
/* What belongs to no frame, in the end. */
struct remarks *explain_rest(struct explain *x, usec_t now_us);
uint64_t explain_lost(const struct explain *x);		/* frames that a bad line kept from arriving */

__attribute__((format(printf, 2, 3))) void remark(struct remarks *r, const char *format, ...);

#endif
