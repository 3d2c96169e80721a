/* loop.h: the only event loop and the only clock. One turn: wait (epoll), read the clock once, drain the driver in batches,
 * tick, dispatch, flush output. Runs on the caller's thread, or on one of its own for the blocking calls of net.h. */
#ifndef LOOP_H
#define LOOP_H

#include "driver.h"

struct loop;

/* Makes a stack from config (mtu, offload and ip_only are taken from the driver; seed from the kernel if zero) in memory
 * that the loop allocates, on top of driver, which the loop closes, at once if this fails. NULL: loop_error() says why. */
struct loop *loop_open(struct driver *driver, const struct tapir_config *config);
void loop_close(struct loop *l);			/* stops its thread first; sends what is still owed (RSTs) */
const char *loop_error(void);
struct tapir *loop_stack(struct loop *l);
/* Where the loop has its driver, so that a capture can be put around it, and taken off again, between two frames. */
struct driver **loop_driver(struct loop *l);

/* Calls cb(ctx) on the loop when fd is ready for events (EPOLLIN ...). One watch per fd; events 0 removes it.
 * A regular file, which epoll refuses, counts as always ready. 0, or a negative errno. */
int loop_watch(struct loop *l, int fd, uint32_t events, void (*cb)(void *ctx, uint32_t events), void *ctx);
/* Calls cb(ctx) once on the loop at at_us. Returns an id > 0, which loop_cancel takes; 0: out of memory. */
uint64_t loop_at(struct loop *l, usec_t at_us, void (*cb)(void *ctx), void *ctx);
void loop_cancel(struct loop *l, uint64_t id);
usec_t loop_now(const struct loop *l);			/* the time of this turn */
/* Called after every dispatch with the sockets whose readiness changed that no tapir_on handlers own; may be NULL. */
void loop_on_ready(struct loop *l, void (*cb)(void *ctx, const struct tapir_poll_event *ev), void *ctx);

/* Turns until loop_stop, from a callback or a signal handler. Returns 0, or TAPIR_EIO when the driver failed. */
int loop_run(struct loop *l);
/* One turn that waits at most timeout_us (USEC_NEVER: until something happens). */
int loop_turn(struct loop *l, usec_t timeout_us);	/* sends first what was caused since the last turn */
/* From now on, or no longer: turns follow each other without sleep. A frame is answered without the time that waking a thread
 * takes, for the price of a processor. Off in the beginning. */
void loop_busy_poll(struct loop *l, bool busy);
#define LOOP_POLL_US 50
/* A turn that has little to do looks for frames for at most so long before it sleeps, while that pays off (loop_poll.c): 0
 * sleeps at once. LOOP_POLL_US in the beginning, or 0 where there is one processor. */
void loop_poll_us(struct loop *l, usec_t most_us);
void loop_stop(struct loop *l);				/* async-signal-safe, any thread */

/* Runs the loop on its own thread from now on: then only net.h's calls, and what runs inside loop_locked, may touch the
 * stack. Asserted: every loop_ call but loop_stop checks that the caller owns the stack at this moment. When the driver
 * fails, a line on stderr says so, and whoever waits in net.h gets TAPIR_EIO. 0, or TAPIR_ENOMEM: no thread can be made. */
int loop_start_thread(struct loop *l);
/* Runs fn(stack, ctx) while the loop's thread waits, then has what it caused sent; callbacks that this makes due run here,
 * too. Any thread, but not from a callback. */
void loop_locked(struct loop *l, void (*fn)(struct tapir *t, void *ctx), void *ctx);

/* Wall time minus the loop's clock, for capture files. */
usec_t loop_epoch_us(void);
usec_t loop_clock_us(void);				/* CLOCK_MONOTONIC now, for who needs it before there is a loop */

#endif
