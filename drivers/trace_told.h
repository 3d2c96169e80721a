/* trace_told.h: what a capture's comment says, as the event that it was: the inverse of trace_event.c (trace_told.c). */
#ifndef DRIVERS_TRACE_TOLD_H
#define DRIVERS_TRACE_TOLD_H

#include "driver.h"

struct trace_told {
	enum trace_told_kind {
		TOLD_EVENT,		/* e */
		TOLD_FAULT,		/* note; what was kept from arriving is in words */
		TOLD_WORDS		/* something else, in words */
	} kind;
	struct tapir_event e;		/* e.why is words; numbers of octets are not told, and are zero */
	struct fault_note note;
	usec_t before_us;		/* so long before its frame; 0: with it */
	char words[400];
};
void trace_told(struct trace_told *told, const char *comment);

#endif
