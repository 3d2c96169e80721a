/* recording.h: what a capture tells its reader about itself: the command line, the version and the seed that make the same run
 * again, who is who, and what the line was like. */
#ifndef RECORDING_H
#define RECORDING_H

#include "options.h"

struct recording {
	char comment[4096], about[256];
};

/* Fills in what a reader is told, and how the file is written. r is borrowed as long as the capture is. */
struct capture_options recording_options(struct recording *r, const struct options *o, uint64_t seed, const uint8_t mac[6]);
/* Before the capture is opened on the standard output: NULL, or why that would be no good. */
const char *recording_stdout_wrong(void);
/* Afterwards: whatever else is printed goes to the standard error. */
void recording_leave_stdout(void);

#endif
