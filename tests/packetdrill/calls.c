/* calls.c: the socket calls that move no bytes. Each is the stack's own call of the same name; what this file adds is what
 * a kernel adds: numbers for descriptors, blocking, sockaddr and errno. */
#include "drill.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdarg.h>
#include <string.h>
#include <sys/ioctl.h>
#include <linux/sockios.h>

static struct tapir_endpoint endpoint_of(const struct sockaddr *addr)
{
	struct sockaddr_in in;
	struct tapir_endpoint e;
	uint8_t b[4];

	memcpy(&in, addr, sizeof in);
	memcpy(b, &in.sin_addr, 4);
	e.addr = tapir_ipv4(b[0], b[1], b[2], b[3]);
	if (in.sin_addr.s_addr == INADDR_ANY)
		memset(&e.addr, 0, sizeof e.addr);
	e.port = ntohs(in.sin_port);
	return e;
}

static void put_endpoint(const struct tapir_endpoint *e, struct sockaddr *addr, socklen_t *len)
{
	struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(e->port)};

	if (!addr || !len)
		return;
	memcpy(&in.sin_addr, e->addr.b + 12, 4);
	memcpy(addr, &in, *len < sizeof in ? *len : sizeof in);
	*len = sizeof in;
}

/* One of ours that is a socket; NULL with errno. */
static struct drill_handle *find_socket(struct drill *d, int fd)
{
	struct drill_handle *h = drill_handle_find(d, fd);

	if (h && h->kind != DRILL_SOCKET) {
		errno = ENOTSOCK;
		return NULL;
	}
	return h;
}

static int result_of(int result) { return result < 0 ? drill_fail(drill_errno(result)) : result; }

static int new_socket(struct drill *d, tapir_sd sd, int type)
{
	struct drill_handle *h;

	if (sd < 0)
		return drill_fail(drill_errno(sd));
	h = drill_handle_new(d, DRILL_SOCKET);
	if (!h) {
		tapir_abort(d->t, sd);
		return -1;
	}
	h->sd = sd;
	h->nonblocking = type & SOCK_NONBLOCK;
	h->datagram = (type & 0xf) == SOCK_DGRAM;
	return h->fd;
}

static int socket_in(struct drill *d, int domain, int type, int protocol)
{
	int kind = type & 0xf, fits = kind == SOCK_STREAM ? IPPROTO_TCP : IPPROTO_UDP;

	if (domain != AF_INET)
		return drill_fail(EAFNOSUPPORT);
	if (kind != SOCK_STREAM && kind != SOCK_DGRAM)
		return drill_fail(ESOCKTNOSUPPORT);
	if (protocol && protocol != fits)
		return drill_fail(EPROTONOSUPPORT);
	return new_socket(d, tapir_socket(d->t, kind == SOCK_STREAM ? TAPIR_SOCK_STREAM : TAPIR_SOCK_DGRAM), type);
}

int drill_socket(void *u, int domain, int type, int protocol)
{
	struct drill *d = drill_enter(u);
	int fd = socket_in(d, domain, type, protocol);

	drill_leave(d);
	return fd;
}

int drill_bind(void *u, int fd, const struct sockaddr *addr, socklen_t len)
{
	struct drill *d = drill_enter(u);
	struct drill_handle *h = find_socket(d, fd);
	int result = -1;

	if (h && (len < sizeof(struct sockaddr_in) || addr->sa_family != AF_INET)) {
		result = drill_fail(EINVAL);
	} else if (h) {
		struct tapir_endpoint local = endpoint_of(addr);

		result = result_of(tapir_bind(d->t, h->sd, &local));
	}
	drill_leave(d);
	return result;
}

int drill_listen(void *u, int fd, int backlog)
{
	struct drill *d = drill_enter(u);
	struct drill_handle *h = find_socket(d, fd);
	int result = h ? result_of(tapir_listen(d->t, h->sd, backlog)) : -1;

	drill_leave(d);
	return result;
}

static bool attempt_accept(struct drill *d, struct drill_call *call)
{
	struct tapir_endpoint peer;
	tapir_sd sd = tapir_accept(d->t, call->h->sd, &peer);

	if (sd == TAPIR_EAGAIN)
		return false;
	call->result = new_socket(d, sd, call->flags);
	if (call->result < 0)
		call->result = -errno;
	else
		put_endpoint(&peer, call->addr, call->addr_len);
	return true;
}

int drill_accept(void *u, int fd, struct sockaddr *addr, socklen_t *len)
{
	struct drill *d = drill_enter(u);
	struct drill_call call = {.attempt = attempt_accept, .h = find_socket(d, fd), .addr = addr, .addr_len = len,
				  .flags = SOCK_STREAM, .until_us = USEC_NEVER};
	int result = call.h ? (int)drill_run(d, &call, !call.h->nonblocking) : -1;

	drill_leave(d);
	return result;
}

static bool attempt_connected(struct drill *d, struct drill_call *call)
{
	int error, ready = tapir_poll(d->t, call->h->sd);

	if (!(ready & (TAPIR_POLLOUT | TAPIR_POLLERR | TAPIR_POLLHUP)))
		return false;
	if (tapir_getsockopt(d->t, call->h->sd, TAPIR_SO_ERROR, &error) < 0)
		error = TAPIR_EBADF;
	call->result = error ? -drill_errno(error) : 0;
	return true;
}

/* connect() to AF_UNSPEC: the connection is given up, the socket may be used anew. The stack has no such call; to abort
 * and to begin again with the same number is what it means. */
static int disconnect(struct drill *d, struct drill_handle *h)
{
	tapir_sd fresh = tapir_socket(d->t, h->datagram ? TAPIR_SOCK_DGRAM : TAPIR_SOCK_STREAM);

	if (fresh < 0)
		return drill_fail(drill_errno(fresh));
	tapir_abort(d->t, h->sd);
	h->sd = fresh;
	return 0;
}

static int connect_in(struct drill *d, struct drill_handle *h, const struct sockaddr *addr, socklen_t len)
{
	struct drill_call call = {.attempt = attempt_connected, .h = h, .until_us = USEC_NEVER};
	struct tapir_endpoint peer;
	int result;

	if (addr->sa_family == AF_UNSPEC)
		return disconnect(d, h);
	if (addr->sa_family != AF_INET || len < sizeof(struct sockaddr_in))
		return drill_fail(EAFNOSUPPORT);
	peer = endpoint_of(addr);
	result = tapir_connect(d->t, h->sd, &peer);
	if (result != TAPIR_EINPROGRESS || h->nonblocking)
		return result_of(result);
	return (int)drill_run(d, &call, true);
}

int drill_connect(void *u, int fd, const struct sockaddr *addr, socklen_t len)
{
	struct drill *d = drill_enter(u);
	struct drill_handle *h = find_socket(d, fd);
	int result = h ? connect_in(d, h, addr, len) : -1;

	drill_leave(d);
	return result;
}

int drill_shutdown(void *u, int fd, int how)
{
	static const enum tapir_shut hows[] = {[SHUT_RD] = TAPIR_SHUT_RD, [SHUT_WR] = TAPIR_SHUT_WR,
					       [SHUT_RDWR] = TAPIR_SHUT_RDWR};
	struct drill *d = drill_enter(u);
	struct drill_handle *h = find_socket(d, fd);
	int result = -1;

	if (h && (how < 0 || how > SHUT_RDWR))
		result = drill_fail(EINVAL);
	else if (h)
		result = result_of(tapir_shutdown(d->t, h->sd, hows[how]));
	drill_leave(d);
	return result;
}

static void unwatch(struct drill *d, int fd)
{
	for (int i = 0; i < DRILL_HANDLES; i++)
		if (d->handles[i].kind == DRILL_EPOLL)
			for (int w = 0; w < d->handles[i].watch_count; w++)
				if (d->handles[i].watches[w].fd == fd)
					d->handles[i].watches[w].events = 0;
}

int drill_close(void *u, int fd)
{
	struct drill *d = drill_enter(u);
	struct drill_handle *h = drill_handle_find(d, fd);
	int result;

	if (!h) {				/* a pipe's end */
		result = close(fd);
	} else {
		if (h->kind == DRILL_SOCKET)
			tapir_close(d->t, h->sd);
		unwatch(d, fd);
		result = drill_handle_close(h);
	}
	drill_leave(d);
	return result;
}

int drill_fcntl(void *u, int fd, int cmd, ...)
{
	struct drill *d = drill_enter(u);
	struct drill_handle *h = drill_handle_find(d, fd);
	int result = -1;
	va_list args;

	va_start(args, cmd);
	if (!h) {
		result = -1;
	} else if (cmd == F_GETFL) {
		result = O_RDWR | (h->nonblocking ? O_NONBLOCK : 0);
	} else if (cmd == F_SETFL) {
		h->nonblocking = va_arg(args, int) & O_NONBLOCK;
		result = 0;
	} else {
		result = drill_fail(EINVAL);
	}
	va_end(args);
	drill_leave(d);
	return result;
}

/* What lies in the queues: SIOCINQ, SIOCOUTQ, SIOCOUTQNSD. Linux counts a FIN as one byte that waits to be read when text
 * does, too; nobody needs that. */
static int queued(struct drill *d, const struct drill_handle *h, unsigned long request, int *bytes)
{
	struct tapir_tcp_info info;
	int error = tapir_tcp_info(d->t, h->sd, &info);

	if (error)
		return drill_fail(drill_errno(error));
	switch (request) {
	case SIOCINQ: *bytes = (int)info.unread; return 0;
	case SIOCOUTQ: *bytes = (int)(info.unacked + info.notsent); return 0;
	case SIOCOUTQNSD: *bytes = (int)info.notsent; return 0;
	default: return drill_fail(EINVAL);
	}
}

int drill_ioctl(void *u, int fd, unsigned long request, ...)
{
	struct drill *d = drill_enter(u);
	struct drill_handle *h = find_socket(d, fd);
	int result;
	va_list args;

	va_start(args, request);
	result = h ? queued(d, h, request, va_arg(args, int *)) : -1;
	va_end(args);
	drill_leave(d);
	return result;
}
