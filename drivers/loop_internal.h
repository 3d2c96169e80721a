/* loop_internal.h: what a loop is made of, shared by loop.c (the turn), loop_poll.c (its wait), loop_frames.c
 * (frames in and out), loop_watch.c (descriptors), loop_timer.c (times), loop_thread.c (who may touch the stack) and net.c
 * (blocking calls). Programs include loop.h and net.h. */
#ifndef LOOP_INTERNAL_H
#define LOOP_INTERNAL_H

#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include "internal.h"
#include "loop.h"

static inline usec_t earlier(usec_t a, usec_t b) { return a < b ? a : b; }

struct watch {
	void (*cb)(void *ctx, uint32_t events);
	void *ctx;
	uint32_t events;		/* asked for; 0: nobody watches */
	uint32_t generation;		/* tells an event of this watch from one of an earlier watch of the same fd */
	bool always;			/* a regular file */
};
struct watches { struct watch *rows; int count; unsigned int always; };	/* rows by fd; how many always are */

struct timer { usec_t at_us; uint64_t id; void (*cb)(void *ctx); void *ctx; };
struct timers { struct timer *heap; size_t count, room; uint64_t last_id; };	/* by at_us, then id */

struct poll_window { usec_t most_us, window_us; uint64_t moved; };	/* loop_poll.c; moved: bytes in and out in this turn */

struct net;				/* net.c: the sockets of blocking calls */

struct loop {
	struct driver *driver;
	struct tapir *stack;
	void *memory;
	usec_t now_us;			/* the clock, read once in each turn */
	int epoll_fd, timer_fd, wake_fd;
	usec_t armed_us;		/* timer_fd goes off then; it may be earlier than needed, never later */
	uint32_t together;		/* frames that the stack gets in one call, at most */
	bool may_recv;			/* the driver has not said yet that there is nothing more */
	bool more;			/* the last turn left callbacks or frames for the next */
	bool busy;			/* turns never sleep */
	struct poll_window poll;
	bool holding;			/* the link was full: held goes first when it is writable */
	struct tapir_out held;
	atomic_bool stop;

	struct watches watches;
	struct timers timers;
	void (*on_ready)(void *ctx, const struct tapir_poll_event *ev);
	void *on_ready_ctx;
	struct net *net;		/* NULL: no blocking call was made yet */

	/* Thread mode: whoever holds lock owns the stack. gate is held while waiting for lock, so that a busy loop, which
	 * comes back for lock at once, queues behind those who wait already. */
	bool threaded, over;		/* over: the thread has ended, and nothing will move any more */
	pthread_t thread;
	pthread_mutex_t gate, lock;
	_Atomic(const void *) owner;	/* a thread's own address; NULL: nobody has the lock */

	uint8_t held_bytes[DRIVER_FRAME_MAX];
	uint8_t scratch[DRIVER_FRAME_MAX];	/* frames that arrive when the stack's pools are empty */
};

/* --- loop.c --- */
/* Sets the sentence of loop_error(). */
__attribute__((format(printf, 1, 2))) void loop_fail(const char *format, ...);
/* Runs the callbacks that are due and sends what the stack owes. 0, or TAPIR_EIO of the driver. */
int loop_settle(struct loop *l);
/* When the next turn must come; the time of this one: at once. */
usec_t loop_due_us(const struct loop *l);
/* Has the kernel end the wait at due_us at the latest. */
void loop_arm(struct loop *l, usec_t due_us);
/* Ends the wait of the turn that is under way; from any thread or signal handler. */
void loop_wake(struct loop *l);

/* --- loop_frames.c --- */
#define LOOP_BATCH 64			/* frames received in one turn, and sent between two rounds of callbacks */
#define LOOP_TAG_DRIVER UINT64_MAX	/* of the driver's descriptor in the epoll set: no watch's tag, fd is never that large */
void loop_frames_begin(struct loop *l);
/* Sends what the stack owes, up to a batch. How many frames; or TAPIR_EIO. */
int loop_flush(struct loop *l);
/* Takes what has arrived, up to a batch. 0, or TAPIR_EIO. */
int loop_receive(struct loop *l);

/* --- loop_poll.c --- */
/* poll(2) without end: one of the descriptors is to end it at due_us. */
int poll_wait(struct loop *l, usec_t due_us, struct pollfd *fds, nfds_t count);
void poll_learn(struct poll_window *p, usec_t waited_us);	/* so long did it take until something happened */

/* --- loop_watch.c --- */
int watches_set(struct loop *l, int fd, const struct watch *wanted);
/* What a descriptor's registration carries, and the call that answers an event which carries it. */
uint64_t watches_tag(int fd, uint32_t generation);
void watches_run(struct loop *l, uint64_t tag, uint32_t events);
void watches_run_always(struct loop *l);
void watches_free(struct watches *w);

/* --- loop_timer.c --- */
usec_t timers_due_us(const struct timers *t);		/* USEC_NEVER: none is set */
void timers_run(struct loop *l);
void timers_free(struct timers *t);

/* --- loop_thread.c --- */
/* In thread mode: waits until nobody else touches the stack, and gives it free again. Otherwise nothing. */
void loop_acquire(struct loop *l);
void loop_release(struct loop *l);
/* While this thread has the stack: has what it caused sent, then, unless *awake already, waits for cond (USEC_NEVER:
 * without end), during which others may have the stack. Whoever signals cond has set *awake. */
void loop_wait(struct loop *l, pthread_cond_t *cond, const bool *awake, usec_t deadline_us);
/* Is this thread allowed to touch the stack now? */
bool loop_is_owner(const struct loop *l);
/* Takes the stack for a call from another thread at the present time, and, in the end, sends what the call caused and sees
 * to it that the loop's thread wakes in time. */
void loop_enter(struct loop *l);
void loop_leave(struct loop *l);
void loop_join(struct loop *l);			/* ends and awaits the thread, if there is one */

/* --- net.c --- */
/* Tells a blocked call that its socket's readiness changed; false: the socket is none of net.h's. */
bool net_ready(struct net *n, const struct tapir_poll_event *ev);
void net_over(struct net *n);			/* the loop has ended: whoever waits gets TAPIR_EIO */
void net_free(struct net *n);

#endif
