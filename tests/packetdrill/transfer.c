/* transfer.c: the socket calls that move bytes. All of them are one of two, with a list of buffers: gather and scatter. A
 * blocking write has ended when all is queued; a blocking read, as soon as there is something. */
#include "drill.h"

#include <errno.h>
#include <netinet/in.h>
#include <string.h>

#define PEEK_SPANS 64
#define SPLICE_MAX 65536
#define SYN_OPTIONS 40			/* bytes that a SYN's options may take from its text */

/* The n-th byte of the buffers and how many follow it in its buffer; 0: past their end. */
static size_t place(const struct msghdr *msg, size_t n, uint8_t **p)
{
	for (size_t i = 0; i < (size_t)msg->msg_iovlen; i++) {
		const struct iovec *v = &msg->msg_iov[i];

		if (n < v->iov_len) {
			*p = (uint8_t *)v->iov_base + n;
			return v->iov_len - n;
		}
		n -= v->iov_len;
	}
	return 0;
}

/* A kernel finds a bad pointer when it uses it. The only one that scripts use is NULL. */
static bool buffers_are_bad(const struct msghdr *msg)
{
	for (size_t i = 0; i < (size_t)msg->msg_iovlen; i++)
		if (!msg->msg_iov[i].iov_base && msg->msg_iov[i].iov_len)
			return true;
	return false;
}

/* --- out ------------------------------------------------------------------------------------------------------------ */

/* Until the handshake has ended Linux takes nothing, where the stack queues (RFC 9293 3.10.2 SYN-SENT). */
static bool opening(struct drill *d, const struct drill_handle *h)
{
	struct tapir_tcp_info info;

	return !h->syn_waits && tapir_tcp_info(d->t, h->sd, &info) == 0 && info.state == TAPIR_TCP_SYN_SENT;
}

static bool attempt_send(struct drill *d, struct drill_call *call)
{
	uint8_t *p = NULL;
	size_t n;
	int64_t taken = 0;

	while ((n = place(call->msg, call->done, &p))) {
		if (call->limit && n > call->limit - call->done)
			n = call->limit - call->done;
		if (!n)
			break;
		taken = opening(d, call->h) ? TAPIR_EAGAIN : tapir_send(d->t, call->h->sd, p, n);
		if (taken < 0)
			break;
		call->done += (size_t)taken;
		if ((size_t)taken < n) {
			taken = TAPIR_EAGAIN;
			break;
		}
	}
	if (!n && !call->done)			/* of nothing: only an error can come of it */
		taken = tapir_send(d->t, call->h->sd, "", 0);
	if (taken == TAPIR_EAGAIN) {
		call->result = call->done ? (ssize_t)call->done : -EAGAIN;
		return false;
	}
	call->result = taken < 0 && !call->done ? -drill_errno(taken) : (ssize_t)call->done;
	return true;
}

static bool attempt_send_datagram(struct drill *d, struct drill_call *call)
{
	const struct iovec *v = call->msg->msg_iov;
	int64_t taken = tapir_send(d->t, call->h->sd, v->iov_base, v->iov_len);

	if (taken == TAPIR_EAGAIN)
		return false;
	call->result = taken < 0 ? -drill_errno(taken) : (ssize_t)taken;
	return true;
}

/* Linux' one call for connect() and the first send(), RFC 7413 4.2's own interface. Without a cookie nothing is taken: the program
 * is told to wait, or waits here, and the bytes follow the handshake. */
static int fastopen(struct drill *d, struct drill_handle *h, const struct msghdr *msg, int flags)
{
	const struct sockaddr *addr = msg->msg_name;
	int result;

	drill_reconfigure(d);
	if (!(d->settings.config.fastopen & TAPIR_FASTOPEN_CLIENT) || (addr && addr->sa_family == AF_UNSPEC))
		return drill_fail(EOPNOTSUPP);
	result = tapir_setsockopt(d->t, h->sd, TAPIR_TCP_FASTOPEN_CONNECT, 1);
	if (result < 0 || !addr)
		return drill_fail(result < 0 ? drill_errno(result) : EINVAL);
	if (h->syn_waits)
		return 0;
	result = drill_begin_connect(d, h, addr, msg->msg_namelen);
	if (result < 0 && errno == EISCONN)
		return 0;
	if (result < 0 && errno == EINPROGRESS && !h->nonblocking && !(flags & MSG_DONTWAIT))
		return drill_wait_connected(d, h);
	return result;
}

/* The first send after a connect() that left the SYN to it. On Linux it takes what the SYN takes along; or it blocks until the
 * connection is open, and then takes the rest. Here all of it would be taken at once (RFC 9293 3.10.2 SYN-SENT). */
static ssize_t send_with_syn(struct drill *d, struct drill_call *call, bool may_block)
{
	struct tapir_tcp_info info;
	uint8_t *p;
	ssize_t sent;

	if (!place(call->msg, 0, &p)) {		/* of nothing: the SYN goes without text */
		sent = tapir_send(d->t, call->h->sd, "", 0);
		call->h->syn_waits = false;
		return drill_fail(sent < 0 ? drill_errno(sent) : EINPROGRESS);
	}
	if (!may_block && tapir_tcp_info(d->t, call->h->sd, &info) == 0 && info.snd_mss > SYN_OPTIONS)
		call->limit = info.snd_mss - SYN_OPTIONS;
	sent = drill_run(d, call, may_block);
	call->h->syn_waits = false;
	return may_block && sent >= 0 && drill_wait_connected(d, call->h) < 0 ? -1 : sent;
}

/* MSG_MORE is a cork for one call. */
static void cork(struct drill *d, struct drill_handle *h, bool on)
{
	int corked = 0;

	if (!on)
		h->more = false;
	else if (!h->more && tapir_getsockopt(d->t, h->sd, TAPIR_TCP_CORK, &corked) == 0 && corked)
		return;				/* the program's own */
	else
		h->more = true;
	tapir_setsockopt(d->t, h->sd, TAPIR_TCP_CORK, on);
}

static ssize_t send_in(struct drill *d, int fd, const struct msghdr *msg, int flags)
{
	struct drill_handle *h = drill_handle_find(d, fd);
	struct msghdr copy = *msg;
	struct drill_call call = {.h = h, .msg = &copy, .flags = flags, .until_us = USEC_NEVER};
	bool may_block;
	ssize_t sent;

	if (!h)
		return -1;
	if (h->kind != DRILL_SOCKET)
		return drill_fail(EINVAL);
	if (buffers_are_bad(msg))
		return drill_fail(EFAULT);
	/* Flags that change what goes over the wire, and that the stack has no word for. */
	if (flags & (MSG_EOR | MSG_OOB | MSG_ZEROCOPY))
		return drill_fail(EOPNOTSUPP);
	if (flags & MSG_FASTOPEN && fastopen(d, h, msg, flags) < 0)
		return -1;
	call.attempt = h->datagram ? attempt_send_datagram : attempt_send;
	may_block = !h->nonblocking && !(flags & MSG_DONTWAIT);
	if (flags & MSG_MORE)
		cork(d, h, true);
	sent = h->syn_waits ? send_with_syn(d, &call, may_block) : drill_run(d, &call, may_block);
	if (h->more && !(flags & MSG_MORE))
		cork(d, h, false);
	return sent;
}

ssize_t drill_sendmsg(void *u, int fd, const struct msghdr *msg, int flags)
{
	struct drill *d = drill_enter(u);
	ssize_t result = send_in(d, fd, msg, flags);

	drill_leave(d);
	return result;
}

ssize_t drill_sendto(void *u, int fd, const void *buf, size_t n, int flags, const struct sockaddr *addr, socklen_t len)
{
	struct iovec v = {(void *)(uintptr_t)buf, n};
	struct msghdr msg = {.msg_name = (void *)(uintptr_t)addr, .msg_namelen = len, .msg_iov = &v, .msg_iovlen = 1};

	return drill_sendmsg(u, fd, &msg, flags);
}

ssize_t drill_send(void *u, int fd, const void *buf, size_t n, int flags)
{
	return drill_sendto(u, fd, buf, n, flags, NULL, 0);
}

ssize_t drill_write(void *u, int fd, const void *buf, size_t n) { return drill_sendto(u, fd, buf, n, 0, NULL, 0); }

ssize_t drill_writev(void *u, int fd, const struct iovec *iov, int count)
{
	struct msghdr msg = {.msg_iov = (struct iovec *)(uintptr_t)iov, .msg_iovlen = (size_t)count};

	return drill_sendmsg(u, fd, &msg, 0);
}

/* --- in ------------------------------------------------------------------------------------------------------------- */

static int64_t peek(struct drill *d, struct drill_call *call)
{
	struct span spans[PEEK_SPANS];
	int n = tapir_recv_peek(d->t, call->h->sd, spans, PEEK_SPANS);
	size_t done = 0, room;
	uint8_t *to = NULL;

	for (int i = 0; i < n; i++)
		for (size_t at = 0; at < spans[i].n && (room = place(call->msg, done, &to)) > 0;) {
			size_t some = room < spans[i].n - at ? room : spans[i].n - at;

			memcpy(to, spans[i].p + at, some);
			at += some;
			done += some;
		}
	return n < 0 ? n : (int64_t)done;
}

static int64_t take(struct drill *d, struct drill_call *call)
{
	uint8_t *p = NULL;
	size_t n, done = 0;
	int64_t got = 0;

	while ((n = place(call->msg, done, &p))) {
		got = tapir_recv(d->t, call->h->sd, p, n);
		if (got <= 0)
			break;
		done += (size_t)got;
		if ((size_t)got < n || call->h->datagram)	/* to ask again might take an error that is for the next call */
			break;
	}
	return done ? (int64_t)done : got;
}

static bool attempt_recv(struct drill *d, struct drill_call *call)
{
	int64_t got = call->flags & MSG_PEEK ? peek(d, call) : take(d, call);

	if (got == TAPIR_EAGAIN)
		return false;
	call->result = got < 0 ? -drill_errno(got) : (ssize_t)got;
	return true;
}

static ssize_t recv_in(struct drill *d, int fd, struct msghdr *msg, int flags)
{
	struct drill_handle *h = drill_handle_find(d, fd);
	struct drill_call call = {.attempt = attempt_recv, .h = h, .msg = msg, .flags = flags, .until_us = USEC_NEVER};

	if (!h)
		return -1;
	if (h->kind != DRILL_SOCKET)
		return drill_fail(EINVAL);
	if (buffers_are_bad(msg))
		return drill_fail(EFAULT);
	if (flags & MSG_OOB)
		return drill_fail(EINVAL);	/* urgent text is in line (RFC 6093 4) */
	if (flags & MSG_ERRQUEUE)
		return drill_fail(EAGAIN);	/* there is no such queue */
	msg->msg_controllen = 0;
	msg->msg_flags = 0;
	return drill_run(d, &call, !h->nonblocking && !(flags & MSG_DONTWAIT));
}

ssize_t drill_recvmsg(void *u, int fd, struct msghdr *msg, int flags)
{
	struct drill *d = drill_enter(u);
	ssize_t result = recv_in(d, fd, msg, flags);

	drill_leave(d);
	return result;
}

ssize_t drill_recvfrom(void *u, int fd, void *buf, size_t n, int flags, struct sockaddr *addr, socklen_t *len)
{
	struct iovec v = {buf, n};
	struct msghdr msg = {.msg_iov = &v, .msg_iovlen = 1};
	ssize_t got = drill_recvmsg(u, fd, &msg, flags);

	(void)addr;
	if (got >= 0 && len)
		*len = 0;			/* a stream's recvfrom names no sender */
	return got;
}

ssize_t drill_recv(void *u, int fd, void *buf, size_t n, int flags) { return drill_recvfrom(u, fd, buf, n, flags, NULL, NULL); }

ssize_t drill_read(void *u, int fd, void *buf, size_t n) { return drill_recv(u, fd, buf, n, 0); }

ssize_t drill_readv(void *u, int fd, const struct iovec *iov, int count)
{
	struct msghdr msg = {.msg_iov = (struct iovec *)(uintptr_t)iov, .msg_iovlen = (size_t)count};

	return drill_recvmsg(u, fd, &msg, 0);
}

/* --- between a socket and a pipe ------------------------------------------------------------------------------------ */

int drill_pipe(void *u, int fds[2])
{
	(void)u;
	return pipe(fds);
}

static bool is_ours(struct drill *d, int fd)
{
	bool ours;

	pthread_mutex_lock(&d->lock);
	ours = drill_handle_find(d, fd) != NULL;
	pthread_mutex_unlock(&d->lock);
	return ours;
}

/* From a file; the interface has no such call, adapter.c stands in for the system's. */
ssize_t drill_sendfile(void *u, int to, int from, off_t *at, size_t n)
{
	static uint8_t buf[SPLICE_MAX];
	size_t some = n < sizeof buf ? n : sizeof buf;
	ssize_t got = at ? pread(from, buf, some, *at) : read(from, buf, some), sent;

	if (got <= 0)
		return got;
	sent = drill_write(u, to, buf, (size_t)got);
	if (sent > 0 && at)
		*at += sent;
	return sent;
}

int drill_splice(void *u, int from, loff_t *off_from, int to, loff_t *off_to, size_t n, unsigned int flags)
{
	static uint8_t buf[SPLICE_MAX];
	ssize_t got;

	(void)flags;
	if (off_from || off_to)
		return drill_fail(ESPIPE);
	n = n < sizeof buf ? n : sizeof buf;
	got = is_ours(u, from) ? drill_read(u, from, buf, n) : read(from, buf, n);
	if (got <= 0)
		return (int)got;
	return (int)(is_ours(u, to) ? drill_write(u, to, buf, (size_t)got) : write(to, buf, (size_t)got));
}
