/* private.h: a network namespace of one's own, with a mount and a process namespace, so that everything made in it is gone when
 * its first process ends (namespaces(7)). As root, or with CAP_SYS_ADMIN, directly; else through a user namespace in which the
 * user keeps the own name and has every capability over this network and nothing else. */
#ifndef PRIVATE_H
#define PRIVATE_H

#include <stdbool.h>

/* The caller enters it, and the next process that it forks is the first of the process namespace. NULL; or a sentence: what
 * is in the way, and the cure. */
const char *private_enter(void);
/* For that first process: ends with its parent; has /proc and /sys of its own where the machine lets it; lo is up. */
void private_furnish(void);

#endif
