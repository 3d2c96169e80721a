/* xdp_redirect.h: what takes the frames of an interface away from the kernel (xdp_redirect.c). */
#ifndef DRIVERS_XDP_REDIRECT_H
#define DRIVERS_XDP_REDIRECT_H

#include "internal.h"

/* generic: not in the driver, which answered with the errno in native_error. */
struct xdp_redirect { int map_fd, program_fd, link_fd; bool generic; int native_error; };

/* Makes the table of sockets by queue, still empty. 0, or TAPIR_EIO. */
int xdp_redirect_init(struct xdp_redirect *r, const char *interface, unsigned int queues);
/* What arrives in the queue goes to the AF_XDP socket fd from xdp_redirect_begin on. 0, or TAPIR_EIO. */
int xdp_redirect_set(struct xdp_redirect *r, unsigned int queue, int fd);
/* Begins: in the driver (native mode) if it can, else in front of the kernel's stack (generic). 0, or TAPIR_EIO. */
int xdp_redirect_begin(struct xdp_redirect *r, const char *interface);
void xdp_redirect_end(struct xdp_redirect *r);

#endif
