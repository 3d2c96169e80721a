/* places.h: directories that are this user's alone, for what a running tapir leaves for others to find. */
#ifndef PLACES_H
#define PLACES_H

#include <stdbool.h>
#include <stddef.h>

bool place_is_own(const char *path);	/* a directory of this user's that nobody else can write to */
bool place_make(const char *path);	/* makes it if it is not there; false: it is not our own all the same */
/* The directory for what lives as long as a process does: the i-th of those that may have to do, best first: below
 * $XDG_RUNTIME_DIR, where the system has one for everybody, in /tmp. False: there is no i-th. */
bool place_runtime(int i, char *path, size_t size);

#endif
