/* stat_client.h: finds the running stack that is meant, and asks it (stat_client.c): for `tapir stat` and whoever else looks at
 * one. */
#ifndef STAT_CLIENT_H
#define STAT_CLIENT_H

#include <jansson.h>
#include <stdint.h>

#include "stat_socket.h"

/* command: whose sentences these are. tap NULL, pid 0: any. */
struct stat_wanted { const char *command, *tap; uint64_t pid; };

/* The stack that is meant: true, with *chosen connected. False: why was said. */
bool stat_choose(const struct stat_wanted *o, struct stat_peer *chosen);
/* A snapshot of the stack, over the connection that is open, which is closed. NULL: it does not answer. sections: a set of
 * 1 << enum snapshot_section. */
json_t *stat_ask(struct stat_peer *p, unsigned sections);

/* Has it send a capture of what happens from now on, over the connection that is open, which is the caller's. */
bool stat_ask_capture(const struct stat_peer *p);

#endif
