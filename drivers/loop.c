/* loop.c: the only event loop and the only clock. Owns the turn:
 *
 *	wait (poll) > read the clock, once > take a batch of frames from the driver > run the stack's timers >
 *	the program's timers and descriptors > dispatch > send what the stack owes
 *
 * What is waited for lies in an epoll set, but for the driver's descriptor, which poll asks beside it: whoever sends to a
 * descriptor in such a set takes its locks for each frame, even when nobody waits. At full load a turn is one poll, up to
 * LOOP_BATCH reads and a write for each frame that leaves. Deadlines live in one timerfd that is set to absolute times, and
 * only when it would go off too late: a deadline that moves into the future, as a retransmission timer does with each ACK,
 * costs nothing but one wake-up too many.
 *
 * Invariants: one frame at most is held back, a copy, when the link is full; until it has left the stack is not asked for
 * another, while frames still come in. Every list of work in a turn has a bound; what is left goes to the next turn. */
#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/random.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>
#include "loop_internal.h"

#define ROUNDS 8			/* of callbacks and sending in one turn */
#define EVENTS 64			/* descriptors looked at in one turn */
#define HELD_RETRY_US (10 * TAPIR_MS)	/* when a driver's descriptor does not tell that there is room again */
#define STACK_ALIGN 64u

#define TAG_TIMER (LOOP_TAG_DRIVER - 1)
#define TAG_WAKE (LOOP_TAG_DRIVER - 2)

static _Thread_local char sentence[512] = "nothing has failed";

void loop_fail(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(sentence, sizeof sentence, format, args);
	va_end(args);
}

const char *loop_error(void)
{
	return sentence;
}

/* ---- the clock ---- */

static usec_t clock_us(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return (usec_t)now.tv_sec * TAPIR_SEC + (usec_t)now.tv_nsec / 1000;
}

usec_t loop_clock_us(void)
{
	return clock_us(CLOCK_MONOTONIC);
}

usec_t loop_epoch_us(void)
{
	return clock_us(CLOCK_REALTIME) - clock_us(CLOCK_MONOTONIC);
}

usec_t loop_now(const struct loop *l)
{
	assert(loop_is_owner(l));
	return l->now_us;
}

usec_t loop_due_us(const struct loop *l)
{
	usec_t due_us = earlier(tapir_deadline(l->stack), driver_deadline(l->driver));

	if (l->more || l->may_recv || l->watches.always > 0)
		return l->now_us;
	if (l->holding)
		due_us = earlier(due_us, l->now_us + HELD_RETRY_US);
	return earlier(due_us, timers_due_us(&l->timers));
}

void loop_arm(struct loop *l, usec_t due_us)
{
	struct itimerspec when = {.it_value = {.tv_sec = 0}};

	if (due_us >= l->armed_us)
		return;
	l->armed_us = due_us;
	when.it_value.tv_sec = (time_t)(due_us / TAPIR_SEC);
	when.it_value.tv_nsec = (long)(due_us % TAPIR_SEC) * 1000;
	timerfd_settime(l->timer_fd, TFD_TIMER_ABSTIME, &when, NULL);
}

/* The counter is never read: the descriptor is watched edge-triggered, and each write is an edge. */
void loop_wake(struct loop *l)
{
	eventfd_write(l->wake_fd, 1);
}

void loop_stop(struct loop *l)
{
	int error = errno;		/* of whatever a signal interrupted */

	atomic_store(&l->stop, true);
	loop_wake(l);
	errno = error;
}

/* ---- callbacks ---- */

/* Tells those who asked which sockets changed. How many did. */
static int tell_ready(struct loop *l)
{
	struct tapir_poll_event events[LOOP_BATCH];
	int n;

	if (l->on_ready == NULL && l->net == NULL)
		return 0;		/* a program that asks by itself, between turns */
	n = tapir_poll_events(l->stack, events, LOOP_BATCH);
	for (int i = 0; i < n; i++)
		if (!(l->net && net_ready(l->net, &events[i])) && l->on_ready)
			l->on_ready(l->on_ready_ctx, &events[i]);
	return n;
}

int loop_settle(struct loop *l)
{
	l->more = true;
	for (int round = 0; round < ROUNDS && l->more; round++) {
		int ran = tapir_dispatch(l->stack) + tell_ready(l);
		int sent = loop_flush(l);

		if (sent < 0)
			return sent;
		l->more = ran > 0 || sent == LOOP_BATCH;
	}
	return 0;
}

/* Takes the stack to the time of this turn. Frames that have arrived are older than timers that come due now, so they
 * go first, at a time just before the timers: a program that was held up must not take its own delay for a loss. */
static int advance(struct loop *l)
{
	usec_t due_us = tapir_deadline(l->stack);
	bool timers_wait = due_us <= l->now_us && due_us > tapir_now(l->stack);
	int result;

	tapir_tick(l->stack, timers_wait ? due_us - 1 : l->now_us);
	result = loop_receive(l);
	if (timers_wait)
		tapir_tick(l->stack, l->now_us);
	return result;
}

/* ---- the turn ---- */

static void take_event(struct loop *l, const struct epoll_event *event)
{
	if (event->data.u64 == LOOP_TAG_DRIVER)
		l->may_recv = true;
	else if (event->data.u64 == TAG_TIMER)
		l->armed_us = USEC_NEVER;
}

static bool is_watch(const struct epoll_event *event)
{
	return event->data.u64 < TAG_WAKE;
}

/* Waits until something happens, due_us at the latest; others may have the stack meanwhile. How many events of the set. */
static int wait_events(struct loop *l, usec_t due_us, struct epoll_event events[EVENTS])
{
	bool at_once = l->busy || due_us <= l->now_us;
	struct pollfd fds[] = {{.fd = l->holding ? -1 : l->driver->fd, .events = POLLIN}, {.fd = l->epoll_fd, .events = POLLIN}};
	int n = 0;

	if (!at_once)
		loop_arm(l, due_us);
	loop_release(l);
	if ((at_once ? poll(fds, 2, 0) : poll_wait(l, due_us, fds, 2)) > 0 && fds[1].revents)
		n = epoll_wait(l->epoll_fd, events, EVENTS, 0);
	loop_acquire(l);
	if (fds[0].revents)
		l->may_recv = true;
	return n < 0 ? 0 : n;		/* a signal */
}

static int turn(struct loop *l, usec_t due_us)
{
	struct epoll_event events[EVENTS];
	int n = wait_events(l, earlier(due_us, loop_due_us(l)), events), result;

	l->now_us = loop_clock_us();
	for (int i = 0; i < n; i++)
		take_event(l, &events[i]);
	result = advance(l);
	if (result < 0)
		return result;
	timers_run(l);
	for (int i = 0; i < n; i++)
		if (is_watch(&events[i]))
			watches_run(l, events[i].data.u64, events[i].events);
	watches_run_always(l);
	return loop_settle(l);
}

/* Between turns the program may have called into the stack: that goes out before the loop waits. */
static int settle_before(struct loop *l)
{
	assert(loop_is_owner(l));
	l->now_us = loop_clock_us();
	tapir_tick(l->stack, l->now_us);
	return loop_settle(l);
}

int loop_turn(struct loop *l, usec_t timeout_us)
{
	int result = settle_before(l);

	if (result < 0)
		return result;
	return turn(l, timeout_us > USEC_NEVER - l->now_us ? USEC_NEVER : l->now_us + timeout_us);
}

int loop_run(struct loop *l)
{
	int result = settle_before(l);

	while (result == 0 && !atomic_exchange(&l->stop, false))
		result = turn(l, USEC_NEVER);
	return result;
}

int loop_watch(struct loop *l, int fd, uint32_t events, void (*cb)(void *ctx, uint32_t events), void *ctx)
{
	assert(loop_is_owner(l));
	return watches_set(l, fd, &(struct watch){.cb = cb, .ctx = ctx, .events = events});
}

void loop_on_ready(struct loop *l, void (*cb)(void *ctx, const struct tapir_poll_event *ev), void *ctx)
{
	assert(loop_is_owner(l));
	l->on_ready = cb;
	l->on_ready_ctx = ctx;
}

void loop_busy_poll(struct loop *l, bool busy)
{
	assert(loop_is_owner(l));
	l->busy = busy;
}

struct tapir *loop_stack(struct loop *l)
{
	assert(loop_is_owner(l));
	return l->stack;
}

struct driver **loop_driver(struct loop *l)
{
	assert(loop_is_owner(l));
	return &l->driver;
}

/* ---- opening and closing ---- */

static void free_loop(struct loop *l)
{
	int fds[] = {l->epoll_fd, l->timer_fd, l->wake_fd};

	for (size_t i = 0; i < sizeof fds / sizeof fds[0]; i++)
		if (fds[i] >= 0)
			close(fds[i]);
	driver_close(l->driver);
	watches_free(&l->watches);
	timers_free(&l->timers);
	pthread_mutex_destroy(&l->gate);
	pthread_mutex_destroy(&l->lock);
	free(l->memory);
	free(l);
}

static bool watch_own(struct loop *l, int fd, uint64_t tag)
{
	struct epoll_event event = {.events = EPOLLIN | (uint32_t)EPOLLET, .data.u64 = tag};

	return epoll_ctl(l->epoll_fd, EPOLL_CTL_ADD, fd, &event) == 0;
}

static bool open_descriptors(struct loop *l)
{
	l->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	l->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
	l->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (l->epoll_fd < 0 || l->timer_fd < 0 || l->wake_fd < 0 || !watch_own(l, l->timer_fd, TAG_TIMER) ||
	    !watch_own(l, l->wake_fd, TAG_WAKE)) {
		loop_fail("No descriptor is left for the event loop: %s.", strerror(errno));
		return false;
	}
	return true;
}

static bool make_stack(struct loop *l, const struct tapir_config *wanted)
{
	struct tapir_config config = *wanted;
	size_t size;

	config.mtu = l->driver->mtu;
	config.offload = l->driver->caps;
	config.ip_only = l->driver->ip_only;
	if (config.seed[0] == 0 && config.seed[1] == 0 &&
	    getrandom(config.seed, sizeof config.seed, 0) != (ssize_t)sizeof config.seed) {
		loop_fail("The kernel gave no random numbers: %s.", strerror(errno));
		return false;
	}
	size = tapir_size(&config);
	if (size == 0) {
		loop_fail("This configuration of the stack is impossible: one of its numbers is out of range.");
		return false;
	}
	l->memory = aligned_alloc(STACK_ALIGN, (size + STACK_ALIGN - 1) / STACK_ALIGN * STACK_ALIGN);
	l->stack = l->memory ? tapir_init(l->memory, &config, l->now_us) : NULL;
	if (l->stack == NULL)
		loop_fail("There is not enough memory for this stack: it needs %zu MiB.", (size >> 20) + 1);
	return l->stack != NULL;
}

struct loop *loop_open(struct driver *driver, const struct tapir_config *config)
{
	struct loop *l = calloc(1, sizeof *l);

	if (l == NULL) {
		loop_fail("Out of memory.");
		driver_close(driver);
		return NULL;
	}
	l->driver = driver;
	l->now_us = loop_clock_us();
	l->epoll_fd = l->timer_fd = l->wake_fd = -1;
	l->armed_us = USEC_NEVER;
	l->may_recv = true;
	l->more = true;
	pthread_mutex_init(&l->gate, NULL);
	pthread_mutex_init(&l->lock, NULL);
	loop_poll_us(l, LOOP_POLL_US);
	if (make_stack(l, config) && open_descriptors(l)) {
		loop_frames_begin(l);
		return l;
	}
	free_loop(l);
	return NULL;
}

/* What is owed leaves, as far as the link takes it. */
static void send_the_rest(struct loop *l)
{
	l->now_us = loop_clock_us();
	tapir_tick(l->stack, l->now_us);
	while (loop_flush(l) == LOOP_BATCH)
		;
}

void loop_close(struct loop *l)
{
	loop_join(l);
	assert(loop_is_owner(l));
	send_the_rest(l);
	if (l->net)
		net_free(l->net);
	free_loop(l);
}
