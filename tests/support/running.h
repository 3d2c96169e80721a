/* running.h: a TAP carries frames only some time after it was opened: what the kernel sends before that is thrown away. */
#ifndef TEST_RUNNING_H
#define TEST_RUNNING_H

#include <stdbool.h>

/* Waits until the interface of that name, in this network namespace, sends. False: it does not within two seconds. */
bool wait_until_running(const char *name);

#endif
