/* stat_socket.c: see stat_socket.h.
 *
 * Invariant: a name that ends in .sock has been listened to before it had that name, so one that refuses connections belongs
 * to nobody any more, and may be removed by whoever sees it. */
#include "stat_socket.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "places.h"

#define BACKLOG 8
#define NAMES_MAX 100			/* stacks with one TAP name and one process number: in as many labs */
#define HANGS_S 2			/* a stack that lets clients queue for so long hangs */

static struct sockaddr_un address(const char *path)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	snprintf(a.sun_path, sizeof a.sun_path, "%s", path);
	return a;
}

/* --- the stack's side --- */

static int listen_at(const char *path)
{
	struct sockaddr_un a = address(path);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	fchmod(fd, 0600);		/* what bind makes has no more rights than this */
	if (bind(fd, (struct sockaddr *)&a, sizeof a) == 0 && chmod(path, 0600) == 0 && listen(fd, BACKLOG) == 0)
		return fd;
	int error = -errno;
	close(fd);
	unlink(path);
	return error;
}

static bool is_stale(const char *path)
{
	struct sockaddr_un a = address(path);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	bool refused = fd >= 0 && connect(fd, (struct sockaddr *)&a, sizeof a) < 0 && errno == ECONNREFUSED;
	if (fd >= 0)
		close(fd);
	return refused;
}

/* Gives the socket at `from` the first free name: in two labs a TAP and a process may have the same. */
static int publish(const char *from, const char *dir, const char *tap, char path[STAT_PATH])
{
	char number[16] = "";
	for (int i = 1; i <= NAMES_MAX; i++) {
		if (i > 1)
			snprintf(number, sizeof number, "-%d", i);
		int n = snprintf(path, STAT_PATH, "%s/%s.%d%s.sock", dir, tap, (int)getpid(), number);
		if (n >= STAT_PATH)
			return -ENAMETOOLONG;
		if (link(from, path) == 0)
			return 0;
		if (errno != EEXIST)
			return -errno;
		if (is_stale(path) && unlink(path) == 0 && link(from, path) == 0)
			return 0;
	}
	return -EEXIST;
}

int stat_socket_make(const char *dir, const char *tap, char path[STAT_PATH])
{
	char first[STAT_PATH];
	if (!place_make(dir))
		return -EACCES;
	if (snprintf(first, sizeof first, "%s/.XXXXXX", dir) >= (int)sizeof first)
		return -ENAMETOOLONG;
	int held = mkstemp(first);	/* a name that is nobody else's */
	if (held < 0)
		return -errno;
	close(held);
	unlink(first);
	int fd = listen_at(first);
	if (fd < 0)
		return fd;
	int error = publish(first, dir, tap, path);
	unlink(first);
	if (error) {
		close(fd);
		return error;
	}
	return fd;
}

int stat_socket_open(const char *tap, char path[STAT_PATH])
{
	char dir[STAT_PATH];
	int fd = -ENOENT;
	for (int i = 0; fd < 0 && place_runtime(i, dir, sizeof dir); i++)
		fd = stat_socket_make(dir, tap, path);
	return fd;
}

/* --- the client's side --- */

/* "tap0.123.sock": a TAP's name may have dots, too. */
static bool take_name(struct stat_peer *p, const char *dir, const char *name)
{
	const char *end = strrchr(name, '.'), *dot = end;
	if (!end || strcmp(end, ".sock") != 0)
		return false;
	while (dot > name && *--dot != '.')
		;
	size_t n = (size_t)(dot - name);
	if (n == 0 || n >= sizeof p->tap || snprintf(p->path, sizeof p->path, "%s/%s", dir, name) >= (int)sizeof p->path)
		return false;
	memcpy(p->tap, name, n);
	p->tap[n] = '\0';
	return true;
}

bool stat_socket_connect(struct stat_peer *p)
{
	struct sockaddr_un a = address(p->path);
	struct timeval patience = { .tv_sec = HANGS_S };
	struct ucred who;
	socklen_t n = sizeof who;
	p->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (p->fd < 0)
		return false;
	setsockopt(p->fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
	if (connect(p->fd, (struct sockaddr *)&a, sizeof a) < 0) {
		int error = errno;
		close(p->fd);
		p->fd = -1;
		errno = error;
		return false;
	}
	/* The process that listens, as it is numbered here, whatever the socket's name says. */
	if (getsockopt(p->fd, SOL_SOCKET, SO_PEERCRED, &who, &n) == 0)
		p->pid = who.pid;
	return true;
}

int stat_socket_list(const char *dir, struct stat_peer *rows, int max)
{
	int n = 0;
	DIR *d = place_is_own(dir) ? opendir(dir) : NULL;	/* else what is there could be anybody's */
	if (!d)
		return 0;
	for (struct dirent *e; n < max && (e = readdir(d));) {
		rows[n] = (struct stat_peer){ .fd = -1 };
		if (!take_name(&rows[n], dir, e->d_name))
			continue;
		if (stat_socket_connect(&rows[n]) || errno == EAGAIN)
			n++;
		else if (errno == ECONNREFUSED)
			unlink(rows[n].path);
	}
	closedir(d);
	return n;
}

int stat_socket_list_all(struct stat_peer *rows, int max)
{
	char dir[STAT_PATH];
	int n = 0;
	for (int i = 0; place_runtime(i, dir, sizeof dir); i++)
		n += stat_socket_list(dir, rows + n, max - n);
	return n;
}
