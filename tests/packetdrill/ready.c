/* ready.c: poll and epoll over what tapir_poll says. Level triggered is its answer as it is. An edge is a socket that has
 * become more ready than it was when it was last looked at, or that has changed since (tapir_poll_events): new bytes are
 * an edge for EPOLLIN even when old ones are unread, as on Linux. */
#include "drill.h"

#include <errno.h>
#include <string.h>

static int events_of(int ready)
{
	static const struct { int ready, event; } names[] = {
		{TAPIR_POLLIN, POLLIN | POLLRDNORM}, {TAPIR_POLLOUT, POLLOUT | POLLWRNORM}, {TAPIR_POLLRDHUP, POLLRDHUP},
		{TAPIR_POLLHUP, POLLHUP}, {TAPIR_POLLERR, POLLERR}, {TAPIR_POLLPRI, POLLPRI},
	};
	int events = 0;

	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		if (ready & names[i].ready)
			events |= names[i].event;
	return events;
}

static int events_now(struct drill *d, int fd)
{
	struct drill_handle *h = drill_handle_find(d, fd);

	return !h || h->kind != DRILL_SOCKET ? POLLNVAL : events_of(tapir_poll(d->t, h->sd));
}

/* --- poll ----------------------------------------------------------------------------------------------------------- */

static bool attempt_poll(struct drill *d, struct drill_call *call)
{
	call->result = 0;
	for (nfds_t i = 0; i < call->nfds; i++) {
		struct pollfd *p = &call->fds[i];
		int events = p->fd < 0 ? 0 : events_now(d, p->fd);

		p->revents = (short)(events & (p->events | POLLERR | POLLHUP | POLLNVAL));
		if (p->revents)
			call->result++;
	}
	return call->result || d->now_us >= call->until_us;
}

static usec_t until(const struct drill *d, int timeout_ms)
{
	return timeout_ms < 0 ? USEC_NEVER : d->now_us + (usec_t)timeout_ms * TAPIR_MS;
}

int drill_poll(void *u, struct pollfd *fds, nfds_t n, int timeout_ms)
{
	struct drill *d = drill_enter(u);
	struct drill_call call = {.attempt = attempt_poll, .fds = fds, .nfds = n, .until_us = until(d, timeout_ms)};
	int result = (int)drill_run(d, &call, timeout_ms != 0);

	drill_leave(d);
	return result;
}

/* --- epoll ---------------------------------------------------------------------------------------------------------- */

int drill_epoll_create(void *u, int size)
{
	struct drill *d = drill_enter(u);
	struct drill_handle *h = size > 0 ? drill_handle_new(d, DRILL_EPOLL) : NULL;
	int fd = h ? h->fd : size > 0 ? -1 : drill_fail(EINVAL);

	drill_leave(d);
	return fd;
}

static struct drill_watch *find_watch(struct drill_handle *e, int fd)
{
	for (int i = 0; i < e->watch_count; i++)
		if (e->watches[i].fd == fd)
			return &e->watches[i];
	return NULL;
}

static int control(struct drill *d, struct drill_handle *e, int op, const struct drill_watch *wanted)
{
	struct drill_watch *w = find_watch(e, wanted->fd);

	if (!drill_handle_find(d, wanted->fd))
		return -1;
	switch (op) {
	case EPOLL_CTL_ADD:
		if (w)
			return drill_fail(EEXIST);
		if (e->watch_count == DRILL_WATCHES)
			return drill_fail(ENOSPC);
		e->watches[e->watch_count++] = *wanted;
		return 0;
	case EPOLL_CTL_MOD:
		if (!w)
			return drill_fail(ENOENT);
		*w = *wanted;
		return 0;
	case EPOLL_CTL_DEL:
		if (!w)
			return drill_fail(ENOENT);
		*w = e->watches[--e->watch_count];
		return 0;
	default:
		return drill_fail(EINVAL);
	}
}

int drill_epoll_ctl(void *u, int epfd, int op, int fd, struct epoll_event *event)
{
	struct drill *d = drill_enter(u);
	struct drill_handle *e = drill_handle_find(d, epfd);
	struct drill_watch wanted = {.fd = fd};
	int result = -1;

	if (event) {
		wanted.events = event->events;
		wanted.data = event->data.u64;
	}
	if (e && e->kind != DRILL_EPOLL)
		drill_fail(EINVAL);
	else if (e)
		result = control(d, e, op, &wanted);
	drill_leave(d);
	return result;
}

/* What has changed since the last look is an edge: it counts as not told. */
static void take_edges(struct drill *d)
{
	struct tapir_poll_event changed[DRILL_WATCHES];
	int n;

	while ((n = tapir_poll_events(d->t, changed, DRILL_WATCHES)) > 0)
		for (int i = 0; i < n * DRILL_HANDLES; i++) {
			struct drill_handle *e = &d->handles[i % DRILL_HANDLES];

			for (int w = 0; e->kind == DRILL_EPOLL && w < e->watch_count; w++) {
				struct drill_handle *h = drill_handle_find(d, e->watches[w].fd);

				if (h && h->kind == DRILL_SOCKET && h->sd == changed[i / DRILL_HANDLES].sd)
					e->watches[w].told = 0;
			}
		}
}

static int look(struct drill *d, struct drill_watch *w)
{
	int events, wanted = (int)(w->events & ~(uint32_t)(EPOLLET | EPOLLONESHOT | EPOLLEXCLUSIVE | EPOLLWAKEUP));

	if (!w->events)
		return 0;
	events = events_now(d, w->fd) & (wanted | EPOLLERR | EPOLLHUP);
	if (w->events & EPOLLET && !(events & ~w->told))
		return 0;
	w->told = events;
	if (events && w->events & EPOLLONESHOT)
		w->events = 0;
	return events;
}

static bool attempt_epoll(struct drill *d, struct drill_call *call)
{
	struct drill_handle *e = call->h;

	take_edges(d);
	call->result = 0;
	for (int i = 0; i < e->watch_count && call->result < call->max_events; i++) {
		int events = look(d, &e->watches[i]);

		if (events) {
			call->events[call->result].events = (uint32_t)events;
			call->events[call->result++].data.u64 = e->watches[i].data;
		}
	}
	return call->result || d->now_us >= call->until_us;
}

int drill_epoll_wait(void *u, int epfd, struct epoll_event *events, int max, int timeout_ms)
{
	struct drill *d = drill_enter(u);
	struct drill_call call = {.attempt = attempt_epoll, .h = drill_handle_find(d, epfd), .events = events,
				  .max_events = max, .until_us = until(d, timeout_ms)};
	int result = -1;

	if (call.h && call.h->kind != DRILL_EPOLL)
		drill_fail(EINVAL);
	else if (call.h)
		result = (int)drill_run(d, &call, timeout_ms != 0);
	drill_leave(d);
	return result;
}
