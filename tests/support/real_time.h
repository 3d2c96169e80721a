/* real_time.h: for measurements with the kernel's interfaces and clock: what must not be left to chance. */
#ifndef TEST_REAL_TIME_H
#define TEST_REAL_TIME_H

#include <stdbool.h>

/* Waits until the interface of that name, in this network namespace, sends. False: it does not within two seconds. */
bool wait_until_running(const char *name);
/* This process runs before all that have no such priority, 1 or more. Without the right to ask for it, as it did. */
void ask_for_priority(int priority);

#endif
