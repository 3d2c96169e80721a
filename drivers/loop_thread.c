/* loop_thread.c: the loop on a thread of its own, and who may touch the stack then: the loop's thread while it does not
 * wait, or another one between loop_enter and loop_leave. Before loop_start_thread nothing here locks anything.
 *
 * Order of the locks: gate, then lock. gate is held only while waiting for lock. */
#include <assert.h>
#include <signal.h>
#include <time.h>
#include "loop_internal.h"

static _Thread_local char me;		/* its address is this thread's name */

bool loop_is_owner(const struct loop *l)
{
	return !l->threaded || atomic_load_explicit(&l->owner, memory_order_relaxed) == &me;
}

static void own(struct loop *l, const void *owner)
{
	atomic_store_explicit(&l->owner, owner, memory_order_relaxed);
}

void loop_acquire(struct loop *l)
{
	if (!l->threaded)
		return;
	assert(!loop_is_owner(l));	/* a callback on the stack must not call what waits for the stack */
	pthread_mutex_lock(&l->gate);
	pthread_mutex_lock(&l->lock);
	pthread_mutex_unlock(&l->gate);
	own(l, &me);
}

void loop_release(struct loop *l)
{
	if (!l->threaded)
		return;
	assert(loop_is_owner(l));
	own(l, NULL);
	pthread_mutex_unlock(&l->lock);
}

/* Whatever another thread did since the stack's last turn, this is the time now. */
static void refresh(struct loop *l)
{
	if (l->over)
		return;
	l->now_us = loop_clock_us();
	tapir_tick(l->stack, l->now_us);
}

/* Sends what is owed, and has the loop's thread wake in time for the rest. */
static void hand_over(struct loop *l)
{
	usec_t due_us;

	if (l->over)
		return;
	if (loop_settle(l) < 0)
		l->more = true;		/* the loop's own thread finds the driver failed, and says so */
	due_us = loop_due_us(l);
	if (due_us <= l->now_us)
		loop_wake(l);
	else
		loop_arm(l, due_us);
}

void loop_enter(struct loop *l)
{
	loop_acquire(l);
	refresh(l);
}

void loop_leave(struct loop *l)
{
	hand_over(l);
	loop_release(l);
}

void loop_wait(struct loop *l, pthread_cond_t *cond, const bool *awake, usec_t deadline_us)
{
	struct timespec until;

	until.tv_sec = (time_t)(deadline_us / TAPIR_SEC);
	until.tv_nsec = (long)(deadline_us % TAPIR_SEC) * 1000;
	assert(l->threaded && loop_is_owner(l));
	hand_over(l);
	if (*awake)
		return;
	own(l, NULL);
	if (deadline_us == USEC_NEVER)
		pthread_cond_wait(cond, &l->lock);
	else
		pthread_cond_timedwait(cond, &l->lock, &until);
	own(l, &me);
	refresh(l);
}

void loop_locked(struct loop *l, void (*fn)(struct tapir *t, void *ctx), void *ctx)
{
	loop_enter(l);
	fn(l->stack, ctx);
	loop_leave(l);
}

static void *run_thread(void *ctx)
{
	struct loop *l = ctx;

	loop_acquire(l);
	if (loop_run(l) < 0)
		driver_warn("the stack has stopped: %s", driver_error());
	l->over = true;
	if (l->net)
		net_over(l->net);
	loop_release(l);
	return NULL;
}

int loop_start_thread(struct loop *l)
{
	sigset_t all, before;
	int error;

	assert(!l->threaded);
	own(l, NULL);
	l->threaded = true;
	/* Signals are the program's: none is delivered to a thread that it does not know. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	error = pthread_create(&l->thread, NULL, run_thread, l);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (error == 0)
		return 0;
	l->threaded = false;
	return TAPIR_ENOMEM;
}

void loop_join(struct loop *l)
{
	if (!l->threaded)
		return;
	loop_stop(l);
	pthread_join(l->thread, NULL);
	l->threaded = false;
}
