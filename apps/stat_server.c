/* stat_server.c: see stat_server.h. A client sends one line, the words of snapshot.h, and gets a snapshot; then the connection
 * ends. Or it sends STAT_CAPTURE, and gets a capture, as long as it likes, from somebody else (live.h).
 * Invariant: while there is a client, nobody else is accepted, and a time is set at which it is over for it. */
#include "stat_server.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "snapshot.h"
#include "stat_socket.h"

#define PATIENCE (3 * TAPIR_SEC)	/* for a client, from beginning to end */
#define REQUEST_MAX 256
#define PIECES_MAX 8			/* empty ones, at most, before the stack has its turn */

struct stat_server {
	struct loop *loop;
	struct snapshot_about about;
	char path[STAT_PATH];
	int listen_fd, client_fd;	/* client -1: none */
	uint64_t over;			/* loop_at */
	bool asked;			/* its request is here, and is being answered */
	char request[REQUEST_MAX];
	size_t request_len;
	struct snapshot snapshot;
	void (*take_over)(void *ctx, int fd);	/* NULL: there are no captures */
	void *take_over_ctx;
	char *piece;			/* from piece_at to piece_len still to be sent */
	size_t piece_at, piece_len;
};

static void wait_for_client(struct stat_server *s);

static void drop_piece(struct stat_server *s)
{
	free(s->piece);
	s->piece = NULL;
	s->piece_at = s->piece_len = 0;
}

static void drop_client(struct stat_server *s)
{
	loop_cancel(s->loop, s->over);
	loop_watch(s->loop, s->client_fd, 0, NULL, NULL);
	close(s->client_fd);
	s->client_fd = -1;
	drop_piece(s);
}

static void next_client(struct stat_server *s)
{
	drop_client(s);
	wait_for_client(s);
}

static void on_over(void *ctx)
{
	struct stat_server *s = ctx;
	s->over = 0;
	if (s->client_fd >= 0)
		next_client(s);
	else
		wait_for_client(s);
}

/* Makes the next piece, of which there may be nothing to send. False: there is none. */
static bool make_piece(struct stat_server *s)
{
	drop_piece(s);
	FILE *out = open_memstream(&s->piece, &s->piece_len);
	if (!out)
		return false;
	bool more = snapshot_piece(&s->snapshot, out);
	return fclose(out) == 0 && more;
}

static void answer(struct stat_server *s)
{
	for (int i = 0; s->piece_at == s->piece_len; i++) {
		if (i == PIECES_MAX)
			return;
		if (!make_piece(s)) {
			next_client(s);
			return;
		}
	}
	ssize_t n = send(s->client_fd, s->piece + s->piece_at, s->piece_len - s->piece_at, MSG_NOSIGNAL | MSG_DONTWAIT);
	if (n > 0)
		s->piece_at += (size_t)n;
	else if (n < 0 && errno != EAGAIN && errno != EINTR)
		next_client(s);
}

static void on_client(void *ctx, uint32_t events);

/* The connection is a capture's from now on. */
static void hand_over(struct stat_server *s)
{
	int fd = s->client_fd;
	loop_cancel(s->loop, s->over);
	loop_watch(s->loop, fd, 0, NULL, NULL);
	s->client_fd = -1;
	wait_for_client(s);
	s->take_over(s->take_over_ctx, fd);
}

static void take_request(struct stat_server *s)
{
	ssize_t n = recv(s->client_fd, s->request + s->request_len, REQUEST_MAX - 1 - s->request_len, MSG_DONTWAIT);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {			/* it only wanted to know whether we are here; or says too much */
		next_client(s);
		return;
	}
	s->request_len += (size_t)n;
	s->request[s->request_len] = '\0';
	char *end = strchr(s->request, '\n');
	if (!end)
		return;
	*end = '\0';
	if (s->take_over && strcmp(s->request, STAT_CAPTURE) == 0) {
		hand_over(s);
		return;
	}
	s->asked = true;
	s->snapshot = (struct snapshot){ .stack = loop_stack(s->loop), .about = s->about, .sections = snapshot_parse(s->request) };
	if (loop_watch(s->loop, s->client_fd, EPOLLOUT, on_client, s) < 0)
		next_client(s);
}

static void on_client(void *ctx, uint32_t events)
{
	struct stat_server *s = ctx;
	if (!s->asked)
		take_request(s);
	else if (events & (EPOLLERR | EPOLLHUP))
		next_client(s);
	else
		answer(s);
}

static void on_listen(void *ctx, uint32_t events)
{
	struct stat_server *s = ctx;
	(void)events;
	s->client_fd = accept4(s->listen_fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	if (s->client_fd < 0 && (errno == EAGAIN || errno == EINTR || errno == ECONNABORTED))
		return;
	loop_watch(s->loop, s->listen_fd, 0, NULL, NULL);
	s->asked = false;
	s->request_len = 0;
	s->over = loop_at(s->loop, loop_now(s->loop) + PATIENCE, on_over, s);	/* if no descriptor is free: try again then */
	if (s->client_fd >= 0 && (!s->over || loop_watch(s->loop, s->client_fd, EPOLLIN, on_client, s) < 0))
		next_client(s);
}

static void wait_for_client(struct stat_server *s)
{
	loop_watch(s->loop, s->listen_fd, EPOLLIN, on_listen, s);
}

struct stat_server *stat_server_open(struct loop *l, const char *command, const char *tap)
{
	struct stat_server *s = calloc(1, sizeof *s);
	if (!s)
		return NULL;
	s->loop = l;
	s->about = (struct snapshot_about){ .command = command, .tap = tap, .since_us = loop_now(l) };
	s->client_fd = -1;
	s->listen_fd = stat_socket_open(tap, s->path);
	if (s->listen_fd < 0) {
		errno = -s->listen_fd;
		free(s);
		return NULL;
	}
	wait_for_client(s);
	return s;
}

void stat_server_on_capture(struct stat_server *s, void (*take)(void *ctx, int fd), void *ctx)
{
	s->take_over = take;
	s->take_over_ctx = ctx;
}

void stat_server_close(struct stat_server *s)
{
	if (!s)
		return;
	if (s->client_fd >= 0)
		drop_client(s);
	else
		loop_cancel(s->loop, s->over);
	loop_watch(s->loop, s->listen_fd, 0, NULL, NULL);
	unlink(s->path);
	close(s->listen_fd);
	free(s);
}
