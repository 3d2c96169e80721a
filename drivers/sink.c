/* sink.c: where the bytes of a capture go: a file, or a pipe with a reader that may be slow, or gone.
 *
 * Bytes are gathered until the owner flushes. A file is written at once. A pipe is written as far as it takes bytes: the rest
 * waits here, up to WAITING_MAX, behind which whole records are left out, so that what does arrive stays whole. The first
 * error ends it; it is said once, and a file is cut back to what was whole.
 *
 * Invariant: buf[at..n) is what waits: whole records but for the first, of which a pipe may have taken the beginning. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "sink.h"

#define GATHER (256u * 1024u)		/* a file is written when so much has come together */
#define WAITING_MAX (16u * 1024u * 1024u)
#define CLOSE_WAIT_MS 500		/* for a pipe's reader, at the end */

struct sink {
	int fd;
	bool file, pipe, broken, full_said;	/* file: it is ours from its first byte; pipe: writing never waits */
	bool silent;
	uint64_t written, left_out;
	uint8_t *buf;
	size_t at, n, room;
	char path[256];
};

static int cannot(const char *path)
{
	return driver_fail("The capture %s cannot be written: %s.", path, strerror(errno));
}

/* The standard output may be shared with others, who would not expect it not to wait: what is opened anew here is ours. */
static void open_stdout(struct sink *s)
{
	struct stat st;

	snprintf(s->path, sizeof s->path, "on the standard output");
	s->fd = fstat(STDOUT_FILENO, &st) == 0 && S_ISFIFO(st.st_mode) ? open("/proc/self/fd/1", O_WRONLY | O_NONBLOCK | O_CLOEXEC)
								       : -1;
	s->pipe = s->fd >= 0;
	if (!s->pipe)
		s->fd = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 0);
}

/* A FIFO is opened when it has a reader. */
static void open_path(struct sink *s, const char *path)
{
	struct stat st = {.st_mode = 0};

	snprintf(s->path, sizeof s->path, "%s", path);
	s->fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
	s->pipe = s->fd >= 0 && fstat(s->fd, &st) == 0 && S_ISFIFO(st.st_mode) && fcntl(s->fd, F_SETFL, O_NONBLOCK) == 0;
	s->file = s->fd >= 0 && S_ISREG(st.st_mode);
}

struct sink *sink_open(const char *path)
{
	struct sink *s = calloc(1, sizeof *s);

	if (s == NULL) {
		driver_fail("Out of memory.");
		return NULL;
	}
	if (strcmp(path, "-") == 0)
		open_stdout(s);
	else
		open_path(s, path);
	if (s->fd >= 0)
		return s;
	cannot(path);
	free(s);
	return NULL;
}

struct sink *sink_open_fd(int fd)
{
	struct sink *s = calloc(1, sizeof *s);

	if (s == NULL) {
		driver_fail("Out of memory.");
		return NULL;
	}
	s->fd = fd;
	s->pipe = fcntl(fd, F_SETFL, O_NONBLOCK) == 0;
	s->silent = s->full_said = true;
	return s;
}

/* Says the error once; what could only be written in part is cut off, so that a reader has no cause to complain. */
static void break_off(struct sink *s, const char *why, size_t part)
{
	if (part > 0 && s->file && ftruncate(s->fd, (off_t)s->written) < 0)
		why = "and its last frame is cut short";
	if (!s->silent)
		driver_warn("the capture %s ends here: %s", s->path, why);
	s->broken = true;
	s->at = s->n = 0;
}

void sink_flush(struct sink *s)
{
	size_t from = s->at;

	while (!s->broken && s->at < s->n) {
		ssize_t wrote = write(s->fd, s->buf + s->at, s->n - s->at);

		if (wrote > 0)
			s->at += (size_t)wrote;
		else if (wrote < 0 && errno == EAGAIN && s->pipe)
			break;
		else if (wrote < 0 && errno != EINTR)
			break_off(s, errno == EPIPE ? "its reader has gone" : strerror(errno), s->at - from);
	}
	if (s->broken)
		return;
	s->written += s->at - from;
	if (s->at == s->n)
		s->at = s->n = 0;
}

/* Room for n more, behind what waits. */
static bool has_room(struct sink *s, size_t n)
{
	size_t room = s->room ? s->room : GATHER, waiting = s->n - s->at;
	uint8_t *buf;

	if (s->n + n <= s->room)
		return true;
	if (s->at > 0 && s->at >= waiting) {	/* each byte is moved once for each that was written */
		memcpy(s->buf, s->buf + s->at, waiting);
		s->at = 0;
		s->n = waiting;
	}
	while (room < s->n + n)
		room *= 2;
	if (room == s->room)
		return true;
	buf = room <= WAITING_MAX ? realloc(s->buf, room) : NULL;
	if (buf == NULL)
		return false;
	s->buf = buf;
	s->room = room;
	return true;
}

static void leave_out(struct sink *s)
{
	s->left_out++;
	if (!s->full_said)
		driver_warn("whoever reads the capture %s is too slow: frames are left out of it", s->path);
	s->full_said = true;
}

uint8_t *sink_reserve(struct sink *s, size_t n)
{
	if (s->broken)
		return NULL;
	if (s->n - s->at >= GATHER)
		sink_flush(s);
	if (s->broken)
		return NULL;
	if (has_room(s, n))
		return s->buf + s->n;
	leave_out(s);
	return NULL;
}

void sink_commit(struct sink *s, size_t n)
{
	s->n += n;
}

bool sink_is_waiting(const struct sink *s)
{
	return s->n > s->at;
}

bool sink_is_pipe(const struct sink *s)
{
	return s->pipe;
}

bool sink_is_broken(const struct sink *s)
{
	return s->broken;
}

uint64_t sink_size(const struct sink *s)
{
	return s->written + s->n - s->at;
}

uint64_t sink_left_out(const struct sink *s)
{
	return s->left_out;
}

/* The reader of a pipe gets a moment to take the rest. */
static void drain(struct sink *s)
{
	struct pollfd reader = {.fd = s->fd, .events = POLLOUT};

	sink_flush(s);
	while (!s->broken && s->n > s->at && poll(&reader, 1, CLOSE_WAIT_MS) == 1)
		sink_flush(s);
}

void sink_close(struct sink *s)
{
	drain(s);
	if (close(s->fd) < 0 && !s->broken && !s->silent)
		driver_warn("the capture %s may be incomplete: %s", s->path, strerror(errno));
	free(s->buf);
	free(s);
}
