/* stat_socket.h: how a running stack and `tapir stat` find each other: a Unix socket for each stack, TAP.PID.sock in the user's
 * runtime directory (places.h). A lab shares that directory with the machine around it, and such a socket is of no network: a
 * stack in a lab can be looked at from the lab and from outside. */
#ifndef STAT_SOCKET_H
#define STAT_SOCKET_H

#include <stdbool.h>
#include <sys/types.h>

#define STAT_PATH 108			/* bytes of a socket's path, with the final NUL (unix(7)) */
#define STAT_TAP 16
#define STAT_CAPTURE "capture"		/* a request by itself: a pcapng with comments, from now on */

/* A listening socket for the stack on this TAP, non-blocking, for this user alone, in dir; its name is in path. A negative
 * errno when it cannot be made there. */
int stat_socket_make(const char *dir, const char *tap, char path[STAT_PATH]);
/* The same in the best directory there is. */
int stat_socket_open(const char *tap, char path[STAT_PATH]);

struct stat_peer {			/* a stack that runs */
	char tap[STAT_TAP], path[STAT_PATH];
	pid_t pid;			/* as numbered here; 0: it cannot be seen from here (it runs outside of this lab) */
	int fd;				/* connected to it; -1: it does not take connections, it hangs */
};
/* The stacks with a socket in dir: up to max rows, returns how many. Sockets that a stack has left behind are removed. */
int stat_socket_list(const char *dir, struct stat_peer *rows, int max);
/* The same for all directories there may be. */
int stat_socket_list_all(struct stat_peer *rows, int max);
/* Connects again: true, with p->fd. */
bool stat_socket_connect(struct stat_peer *p);

#endif
