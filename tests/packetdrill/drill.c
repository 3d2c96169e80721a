/* drill.c: the world of one script: its stack, its clock, what is on the wire, and the call that waits. See drill.h.
 *
 * Invariants: the lock is held in all of this but drill_new; time never goes back; nothing moves time while the second
 * thread carries a result (but that thread itself). */
#include "drill.h"

#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include "drivers/driver.h"
#include "stack/base/bytes.h"
#include "stack/tcp/internal.h"

#define START_US (1000 * TAPIR_SEC)
#define TURNS_MAX 1000000		/* timers at one instant, before something is wrong */
#define FRAME_TEXT 320

/* --- telling -------------------------------------------------------------------------------------------------------- */

static void say(const struct drill *d, const char *arrow, const uint8_t *p, size_t n)
{
	static const struct trace_options how = {.ip_only = true};
	char text[FRAME_TEXT];

	trace_format(text, sizeof text, span_of(p, n), &how);
	fprintf(stderr, "%.6f %s %s%s%s\n", (double)(d->now_us - START_US) / 1e6, arrow, text, d->why ? "   # " : "",
		d->why ? d->why : "");
}

static void heard(void *ctx, const struct tapir_event *event)
{
	struct drill *d = ctx;

	if (event->kind == TAPIR_EV_SEGMENT_OUT || event->kind == TAPIR_EV_RETRANSMIT)
		d->why = event->why;
	else if (event->kind == TAPIR_EV_VERDICT)
		d->why = tapir_verdict_name(event->u.verdict.verdict);
}

/* --- the wire, outwards --------------------------------------------------------------------------------------------- */

static void keep_frame(struct drill *d, const uint8_t *p, size_t n)
{
	struct drill_frame *f = malloc(sizeof *f + n);

	assert(f);
	f->next = NULL;
	f->at_us = d->now_us;
	f->n = n;
	memcpy(f->bytes, p, n);
	if (!d->settings.psh)
		drill_clear_psh(f->bytes, n);
	*d->last = f;
	d->last = &f->next;
	if (d->settings.trace)
		say(d, ">", p, n);
}

static void take_output(struct drill *d)
{
	struct tapir_out out;

	while (tapir_output(d->t, &out))
		drill_cut(&out, keep_frame, d);
	tcp_check_all(d->t);
	d->why = NULL;
}

static uint32_t count_frames(const struct drill *d)
{
	uint32_t n = 0;

	for (const struct drill_frame *f = d->first; f; f = f->next)
		n++;
	return n;
}

/* --- time, and the call that waits ---------------------------------------------------------------------------------- */

static bool in_interpreter(const struct drill *d) { return pthread_equal(pthread_self(), d->interpreter); }

/* After anything that may have ended the call of the second thread. */
static void finish_blocked(struct drill *d)
{
	struct drill_call *call = d->blocked;

	if (!call || call->over || !call->attempt(d, call))
		return;
	call->over = true;
	d->carrying = d->settling = true;
	pthread_cond_broadcast(&d->changed);
	take_output(d);
}

static void wait_for_carrier(struct drill *d)
{
	while (d->carrying && in_interpreter(d))
		pthread_cond_wait(&d->changed, &d->lock);
}

/* Does the second thread sleep? It is asked as the interpreter asks. */
static bool second_sleeps(const struct drill *d)
{
	char path[64], line[256] = "";
	const char *state;
	FILE *f;

	snprintf(path, sizeof path, "/proc/self/task/%d/stat", (int)d->second);
	f = fopen(path, "r");
	if (f && !fgets(line, sizeof line, f))
		*line = 0;
	if (f)
		fclose(f);
	state = strrchr(line, ')');
	return !state || state[2] == 'S';
}

/* The interpreter sleeps, and so its own lock is free, which the second thread needs to write down what its call has brought.
 * That comes first: the next line of the script may ask for it. */
static void settle(struct drill *d)
{
	pthread_mutex_lock(&d->lock);
	wait_for_carrier(d);
	while (d->settling) {
		bool asleep;

		pthread_mutex_unlock(&d->lock);
		sched_yield();
		asleep = second_sleeps(d);
		pthread_mutex_lock(&d->lock);
		d->settling = !asleep;
	}
	pthread_mutex_unlock(&d->lock);
}

static usec_t next_due(const struct drill *d)
{
	usec_t due = d->t ? tapir_deadline(d->t) : USEC_NEVER;

	return d->blocked && !d->blocked->over ? min_usec(due, d->blocked->until_us) : due;
}

static void turn(struct drill *d, usec_t to)
{
	d->now_us = max_usec(d->now_us, to);
	tapir_tick(d->t, d->now_us);
	take_output(d);
	finish_blocked(d);
	wait_for_carrier(d);
}

static void advance(struct drill *d, usec_t to)
{
	for (int i = 0; next_due(d) <= to; i++) {
		assert(i < TURNS_MAX);
		turn(d, next_due(d));
	}
	d->now_us = max_usec(d->now_us, to);
}

static ssize_t call_result(const struct drill_call *call)
{
	return call->result < 0 ? drill_fail((int)-call->result) : call->result;
}

/* Only time can end it: nobody will hand a segment to the stack meanwhile. */
static void run_in_interpreter(struct drill *d, struct drill_call *call)
{
	usec_t limit = d->now_us + d->settings.wait_us;

	take_output(d);
	while (!call->attempt(d, call)) {
		usec_t due = min_usec(next_due(d), call->until_us);

		if (due > limit)
			return;
		turn(d, due);
	}
}

ssize_t drill_run(struct drill *d, struct drill_call *call, bool may_block)
{
	call->result = -EAGAIN;
	if (call->attempt(d, call) || !may_block)
		return call_result(call);
	if (in_interpreter(d)) {
		run_in_interpreter(d, call);
		return call_result(call);
	}
	take_output(d);
	d->second = (pid_t)syscall(SYS_gettid);
	d->blocked = call;
	while (!call->over)
		pthread_cond_wait(&d->changed, &d->lock);
	d->blocked = NULL;
	return call_result(call);
}

/* --- the stack ------------------------------------------------------------------------------------------------------ */

static void make_stack(struct drill *d)
{
	struct drill_settings *s = &d->settings;
	size_t size;

	if (s->trace) {
		s->config.probe = heard;
		s->config.probe_ctx = d;
	}
	drill_settings_sysctl(s);
	size = tapir_size(&s->config);
	d->mem = size ? aligned_alloc(64, (size + 63) & ~(size_t)63) : NULL;
	d->t = d->mem ? tapir_init(d->mem, &s->config, d->now_us) : NULL;
	if (d->t)
		return;
	fprintf(stderr, "packetdrill.so: no stack can be made with these settings: %s\n",
		size ? "no memory" : "one of them is impossible (stack/config.c)");
	exit(1);
}

void drill_reconfigure(struct drill *d)
{
	struct tapir_config before = d->settings.config;
	unsigned flushes = d->settings.flushes;

	drill_settings_sysctl(&d->settings);
	if (d->settings.flushes != flushes)
		tcp_fastopen_init(d->t, d->t->tcp->fastopen_peers);
	if (memcmp(&before, &d->settings.config, sizeof before) != 0)
		d->t->cfg = d->settings.config;		/* no sysctl is about memory, which is as it was lent */
}

struct drill *drill_new(const char *flags)
{
	struct drill *d = calloc(1, sizeof *d);
	const char *wrong;

	assert(d);
	pthread_mutex_init(&d->lock, NULL);
	pthread_cond_init(&d->changed, NULL);
	d->interpreter = pthread_self();
	d->now_us = START_US;
	d->last = &d->first;
	wrong = drill_settings_parse(&d->settings, flags);
	if (wrong) {
		fprintf(stderr, "packetdrill.so: --so_flags: %s\n", wrong);
		exit(1);
	}
	return d;
}

struct drill *drill_enter(void *u)
{
	struct drill *d = u;

	pthread_mutex_lock(&d->lock);
	wait_for_carrier(d);
	if (in_interpreter(d))
		d->clock_read = false;
	if (!d->t)
		make_stack(d);
	tapir_tick(d->t, d->now_us);
	return d;
}

void drill_leave(struct drill *d)
{
	int error = errno;

	take_output(d);
	finish_blocked(d);
	pthread_mutex_unlock(&d->lock);
	errno = error;
}

static void say_leftover(const struct drill *d)
{
	static const struct trace_options how = {.ip_only = true};
	char text[FRAME_TEXT];

	trace_format(text, sizeof text, span_of(d->first->bytes, d->first->n), &how);
	fprintf(stderr, "packetdrill.so: %u frame%s that no line of the script expected; the first, at %.6f: %s\n", d->left,
		d->left == 1 ? "" : "s", (double)(d->first->at_us - START_US) / 1e6, text);
	fflush(NULL);
	_exit(1);
}

void drill_free(void *u)
{
	struct drill *d = u;

	if (!d->script_ended)
		d->left = count_frames(d);
	if (d->left && d->settings.leftover)
		say_leftover(d);
	while (d->first) {
		struct drill_frame *f = d->first;

		d->first = f->next;
		free(f);
	}
	free(d->mem);
	free(d);
}

/* --- the interpreter's clock and wire ------------------------------------------------------------------------------- */

int drill_gettimeofday(void *u, struct timeval *tv, struct timezone *tz)
{
	struct drill *d = u;

	(void)tz;
	pthread_mutex_lock(&d->lock);
	wait_for_carrier(d);
	if (d->t)
		advance(d, d->now_us + 1);
	else
		d->now_us++;
	tv->tv_sec = (time_t)(d->now_us / TAPIR_SEC);
	tv->tv_usec = (suseconds_t)(d->now_us % TAPIR_SEC);
	if (in_interpreter(d)) {
		d->clock_read = true;
	} else if (d->carrying) {
		d->carrying = false;
		pthread_cond_broadcast(&d->changed);
	}
	pthread_mutex_unlock(&d->lock);
	return 0;
}

int drill_usleep(void *u, useconds_t us)
{
	struct drill *d = u;

	if (in_interpreter(d))
		settle(d);
	pthread_mutex_lock(&d->lock);
	if (in_interpreter(d))
		d->clock_read = false;
	if (d->t)
		advance(d, d->now_us + us);
	else
		d->now_us += us;
	pthread_mutex_unlock(&d->lock);
	if (in_interpreter(d))
		settle(d);
	return 0;
}

/* The interpreter reads the clock before it sends a segment of the script. It does not when it cleans up: it then sends a
 * RST for every connection, which must not pass for part of the script, nor what the stack answers. */
static void notice_end(struct drill *d, bool clock_read)
{
	if (clock_read || d->script_ended)
		return;
	d->script_ended = true;
	d->left = count_frames(d);
}

/* On Linux MSG_MORE holds for its own call only: the next ACK lets go what waits. */
static void let_go(struct drill *d)
{
	for (int i = 0; i < DRILL_HANDLES; i++) {
		struct drill_handle *h = &d->handles[i];

		if (h->kind != DRILL_SOCKET || !h->more)
			continue;
		tapir_setsockopt(d->t, h->sd, TAPIR_TCP_CORK, 0);
		h->more = false;
	}
}

int drill_netdev_send(void *u, const void *buf, size_t n)
{
	bool clock_read = ((struct drill *)u)->clock_read;
	struct drill *d = drill_enter(u);
	struct tapir_frame *f;

	notice_end(d, clock_read);
	f = tapir_frame_get(d->t);
	if (!f || n > f->room) {
		fprintf(stderr, "packetdrill.so: no room for a frame of %zu bytes\n", n);
		exit(1);
	}
	memcpy(f->data, buf, n);
	f->len = (uint32_t)n;
	tapir_input(d->t, f);
	let_go(d);
	if (d->settings.trace)
		say(d, "<", buf, n);
	drill_leave(d);
	return 0;
}

int drill_netdev_receive(void *u, void *buf, size_t *n, long long *time_us)
{
	struct drill *d = drill_enter(u);
	struct drill_frame *f;
	usec_t limit = d->now_us + d->settings.wait_us;

	while (!d->first && next_due(d) <= limit)
		turn(d, next_due(d));
	f = d->first;
	*time_us = (long long)(f ? f->at_us : d->now_us);
	*n = f ? f->n < *n ? f->n : *n : 0;
	if (f) {
		memcpy(buf, f->bytes, *n);
		d->first = f->next;
		if (d->last == &f->next)
			d->last = &d->first;
		free(f);
	} else {
		fprintf(stderr, "packetdrill.so: nothing leaves the stack within %llu s\n",
			(unsigned long long)(d->settings.wait_us / TAPIR_SEC));
	}
	drill_leave(d);
	return 0;
}

/* --- descriptors ---------------------------------------------------------------------------------------------------- */

/* The interpreter ends what the script has not closed with the real close(2), so it must be a real descriptor. */
struct drill_handle *drill_handle_new(struct drill *d, enum drill_kind kind)
{
	for (int i = 0; i < DRILL_HANDLES; i++) {
		struct drill_handle *h = &d->handles[i];

		if (h->kind != DRILL_FREE)
			continue;
		*h = (struct drill_handle){.kind = kind, .fd = eventfd(0, EFD_CLOEXEC)};
		if (h->fd >= 0)
			return h;
		h->kind = DRILL_FREE;
		return NULL;
	}
	errno = EMFILE;
	return NULL;
}

struct drill_handle *drill_handle_find(struct drill *d, int fd)
{
	for (int i = 0; i < DRILL_HANDLES; i++)
		if (d->handles[i].kind != DRILL_FREE && d->handles[i].fd == fd)
			return &d->handles[i];
	errno = EBADF;
	return NULL;
}

int drill_handle_close(struct drill_handle *h)
{
	int fd = h->fd;

	h->kind = DRILL_FREE;
	return close(fd);
}

/* --- errors --------------------------------------------------------------------------------------------------------- */

int drill_fail(int error)
{
	errno = error;
	return -1;
}

int drill_errno(int64_t error)
{
	static const int numbers[] = {
		[-TAPIR_EAGAIN] = EAGAIN, [-TAPIR_EBADF] = EBADF, [-TAPIR_EINVAL] = EINVAL, [-TAPIR_ENOMEM] = ENOMEM,
		[-TAPIR_EADDRINUSE] = EADDRINUSE, [-TAPIR_EADDRNOTAVAIL] = EADDRNOTAVAIL, [-TAPIR_ENETUNREACH] = ENETUNREACH,
		[-TAPIR_EHOSTUNREACH] = EHOSTUNREACH, [-TAPIR_ECONNREFUSED] = ECONNREFUSED, [-TAPIR_ECONNRESET] = ECONNRESET,
		[-TAPIR_ECONNABORTED] = ECONNABORTED, [-TAPIR_ETIMEDOUT] = ETIMEDOUT, [-TAPIR_ENOTCONN] = ENOTCONN,
		[-TAPIR_EISCONN] = EISCONN, [-TAPIR_EINPROGRESS] = EINPROGRESS, [-TAPIR_EALREADY] = EALREADY,
		[-TAPIR_EPIPE] = EPIPE, [-TAPIR_EMSGSIZE] = EMSGSIZE, [-TAPIR_EDESTADDRREQ] = EDESTADDRREQ,
		[-TAPIR_EACCES] = EACCES, [-TAPIR_EOPNOTSUPP] = EOPNOTSUPP, [-TAPIR_ENOPROTOOPT] = ENOPROTOOPT,
		[-TAPIR_EPROTO] = EPROTO, [-TAPIR_EIO] = EIO,
	};
	size_t at = error < 0 ? (size_t)-error : 0;

	return at && at < sizeof numbers / sizeof *numbers && numbers[at] ? numbers[at] : EIO;
}
