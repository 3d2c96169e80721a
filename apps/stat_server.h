/* stat_server.h: lets `tapir stat` look at a running stack: a Unix socket on the loop. One client is answered at a time, in
 * pieces, each when the client has taken the one before; one that does not take them is sent away, and never waited for. */
#ifndef STAT_SERVER_H
#define STAT_SERVER_H

#include "../drivers/loop.h"

struct stat_server;
/* command ("serve") and tap are borrowed. NULL: errno says why. */
struct stat_server *stat_server_open(struct loop *l, const char *command, const char *tap);
/* Whoever asks for a capture is taken over with his connection, fd; the server is free for the next one at once. */
void stat_server_on_capture(struct stat_server *s, void (*take)(void *ctx, int fd), void *ctx);
void stat_server_close(struct stat_server *s);		/* NULL is allowed; before the loop is closed */

#endif
