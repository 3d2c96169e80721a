/* loop_watch.c: the descriptors that a program watches on the loop. One row for each fd; epoll carries the row's generation,
 * so that an event which was fetched before a callback closed its fd never reaches the fd's next owner. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include "loop_internal.h"

#define ROWS_FIRST 64

uint64_t watches_tag(int fd, uint32_t generation)
{
	return (uint64_t)generation << 32 | (uint32_t)fd;
}

static bool make_row(struct watches *w, int fd)
{
	int count = w->count ? w->count : ROWS_FIRST;
	struct watch *rows;

	if (fd < w->count)
		return true;
	while (count <= fd)
		count *= 2;
	rows = realloc(w->rows, (size_t)count * sizeof *rows);
	if (rows == NULL)
		return false;
	memset(rows + w->count, 0, (size_t)(count - w->count) * sizeof *rows);
	w->rows = rows;
	w->count = count;
	return true;
}

static void forget(struct loop *l, int fd)
{
	struct watch *row = fd < l->watches.count ? &l->watches.rows[fd] : NULL;

	if (row == NULL || row->events == 0)
		return;
	if (row->always)
		l->watches.always--;
	else
		epoll_ctl(l->epoll_fd, EPOLL_CTL_DEL, fd, NULL);	/* fails when fd was closed first: gone just as well */
	row->events = 0;
	row->always = false;
	row->generation++;
}

int watches_set(struct loop *l, int fd, const struct watch *wanted)
{
	struct epoll_event event = {.events = wanted->events};
	struct watch *row;

	if (fd < 0)
		return -EBADF;
	forget(l, fd);
	if (wanted->events == 0)
		return 0;
	if (!make_row(&l->watches, fd))
		return -ENOMEM;
	row = &l->watches.rows[fd];
	event.data.u64 = watches_tag(fd, row->generation);
	if (epoll_ctl(l->epoll_fd, EPOLL_CTL_ADD, fd, &event) == 0) {
		row->always = false;
	} else if (errno == EPERM) {
		row->always = true;
		l->watches.always++;
	} else {
		return -errno;
	}
	row->cb = wanted->cb;
	row->ctx = wanted->ctx;
	row->events = wanted->events;
	return 0;
}

void watches_run(struct loop *l, uint64_t tag, uint32_t events)
{
	uint32_t fd = (uint32_t)(tag & UINT32_MAX);
	struct watch *row = &l->watches.rows[fd];

	if (row->events != 0 && row->generation == tag >> 32)
		row->cb(row->ctx, events);
}

void watches_run_always(struct loop *l)
{
	for (int fd = 0; l->watches.always > 0 && fd < l->watches.count; fd++) {
		struct watch *row = &l->watches.rows[fd];

		if (row->always)
			row->cb(row->ctx, row->events);	/* may move the rows */
	}
}

void watches_free(struct watches *w)
{
	free(w->rows);
}
