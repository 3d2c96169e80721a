/* drill.h: one stack in virtual time behind the calls that packetdrill makes of a stack under test (its "shared object"
 * interface: sockets, a wire, a clock). docs/packetdrill.md tells how it is used and what it has to be careful about.
 *
 * Time is a number here. It moves when the interpreter reads the clock (by a microsecond, because it waits by spinning),
 * sleeps, or waits for a frame; every timer of the stack on the way runs at its own time. What the stack sends is kept,
 * with its time, until the interpreter looks at it.
 *
 * Two threads call: the interpreter, and a second one on which the interpreter makes the calls that its script expects
 * to block. A blocked call is finished by whoever makes it possible, inside that event; the second thread then only
 * carries the result away, and nothing else happens before it has read the clock. So a script's run does not depend on
 * which thread is faster.
 *
 * The drill_* calls have the types of packetdrill's callbacks: userdata first, then POSIX's arguments; -1 and errno. */
#ifndef DRILL_H
#define DRILL_H

#include <poll.h>
#include <pthread.h>
#include <stdbool.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>
#include "stack/tapir.h"

#define DRILL_HANDLES 256
#define DRILL_WATCHES 16

enum drill_kind { DRILL_FREE, DRILL_SOCKET, DRILL_EPOLL };

struct drill_watch { int fd; uint32_t events; uint64_t data; int told; };	/* one descriptor in an epoll */

struct drill_handle {			/* what one of our descriptors, an eventfd, stands for */
	enum drill_kind kind;
	int fd;
	tapir_sd sd;
	bool nonblocking, datagram;
	bool more;			/* the last send said MSG_MORE */
	bool syn_waits;			/* connect() has left the SYN to the first send (Fast Open) */
	struct drill_watch watches[DRILL_WATCHES];	/* of an epoll */
	int watch_count;
};

struct drill_frame {			/* sent by the stack, not yet seen by the interpreter */
	struct drill_frame *next;
	usec_t at_us;
	size_t n;
	uint8_t bytes[];
};

/* A call that waits. attempt: true when it has ended, with its result in the call. */
struct drill;
struct drill_call {
	bool (*attempt)(struct drill *d, struct drill_call *call);
	struct drill_handle *h;
	struct msghdr *msg;		/* what the call moves, and how much of it is done */
	size_t done, limit;		/* limit: of what is taken, 0: none */
	int flags;
	struct sockaddr *addr;		/* accept */
	socklen_t *addr_len;
	struct pollfd *fds;		/* poll */
	nfds_t nfds;
	struct epoll_event *events;	/* epoll_wait */
	int max_events;
	usec_t until_us;		/* poll, epoll_wait: then 0 */
	ssize_t result;			/* or a negative errno */
	bool over;
};

struct drill_settings {
	struct tapir_config config;
	usec_t wait_us;			/* how long the wire may be silent when the interpreter expects a frame */
	bool leftover;			/* a frame that no line of the script expected fails the run */
	bool psh;			/* PSH as the stack sets it; no: without, for scripts whose lines have it taken out */
	bool trace;			/* each frame, with the stack's reason for it, goes to stderr */
	unsigned flushes;		/* how often the script had what is remembered of servers thrown away */
	char sysctl[256];		/* file of name=value lines, read when the first socket is made; "": none */
};

struct drill {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	pthread_t interpreter;
	struct drill_settings settings;
	struct tapir *t;		/* NULL until the script makes a socket: its settings come first */
	void *mem;
	usec_t now_us;
	struct drill_frame *first, **last;
	struct drill_handle handles[DRILL_HANDLES];
	struct drill_call *blocked;	/* on the second thread */
	bool carrying;			/* the second thread has a result and has not read the clock yet */
	bool settling;			/* it has, but the interpreter's tables may not show it yet */
	pid_t second;			/* that thread */
	bool clock_read;		/* since the last call of another kind */
	bool script_ended;		/* what comes now is the interpreter's cleaning up */
	uint32_t left;			/* frames that nobody had looked at then */
	const char *why;		/* trace: the stack's latest reason */
};

/* --- settings.c --- */
/* The defaults, then text: "name=value,name=value". NULL, or what is wrong with it (in a static buffer). */
const char *drill_settings_parse(struct drill_settings *s, const char *text);
/* What the script's own sysctl lines ask for so far. Names without a counterpart here are passed over. */
void drill_settings_sysctl(struct drill_settings *s);

/* --- drill.c: the world --- */
struct drill *drill_new(const char *flags);	/* says what is wrong with them and exits */
void drill_free(void *u);			/* exits with 1 when the stack has sent what no line expected */
int drill_netdev_send(void *u, const void *buf, size_t n);
int drill_netdev_receive(void *u, void *buf, size_t *n, long long *time_us);
int drill_usleep(void *u, useconds_t us);
int drill_gettimeofday(void *u, struct timeval *tv, struct timezone *tz);
/* Each call into the stack lies between these two: the first takes the lock and makes sure that there is a stack, the
 * second takes what it sends, finishes what blocked, and gives the lock back. */
struct drill *drill_enter(void *u);
void drill_leave(struct drill *d);
/* A script may say something else to sysctl between two connections: that holds for the next sockets. */
void drill_reconfigure(struct drill *d);
/* Runs a call to its end: at once, or blocked on the second thread, or in the interpreter by letting time pass; when
 * nothing ends it, EAGAIN. Returns its result the way POSIX does. Inside drill_enter. */
ssize_t drill_run(struct drill *d, struct drill_call *call, bool may_block);
struct drill_handle *drill_handle_new(struct drill *d, enum drill_kind kind);	/* NULL with errno */
struct drill_handle *drill_handle_find(struct drill *d, int fd);		/* NULL with errno EBADF */
int drill_handle_close(struct drill_handle *h);
int drill_errno(int64_t error);			/* an enum tapir_error as errno has it */
int drill_fail(int error);			/* sets errno; -1 */

/* --- cut.c --- */
/* A frame that the stack left to a driver to cut up (offload.gso), as the segments of it that go over the wire; one
 * that it did not is given to keep as it is. */
void drill_cut(const struct tapir_out *out, void (*keep)(struct drill *d, const uint8_t *p, size_t n), struct drill *d);

/* Takes PSH off a TCP segment. */
void drill_clear_psh(uint8_t *p, size_t n);

/* --- calls.c --- */
int drill_socket(void *u, int domain, int type, int protocol);
int drill_bind(void *u, int fd, const struct sockaddr *addr, socklen_t len);
int drill_listen(void *u, int fd, int backlog);
int drill_accept(void *u, int fd, struct sockaddr *addr, socklen_t *len);
int drill_connect(void *u, int fd, const struct sockaddr *addr, socklen_t len);
int drill_begin_connect(struct drill *d, struct drill_handle *h, const struct sockaddr *addr, socklen_t len);
int drill_wait_connected(struct drill *d, struct drill_handle *h);	/* both inside drill_enter */
int drill_shutdown(void *u, int fd, int how);
int drill_close(void *u, int fd);
int drill_fcntl(void *u, int fd, int cmd, ...);
int drill_ioctl(void *u, int fd, unsigned long request, ...);

/* --- transfer.c --- */
ssize_t drill_read(void *u, int fd, void *buf, size_t n);
ssize_t drill_readv(void *u, int fd, const struct iovec *iov, int count);
ssize_t drill_recv(void *u, int fd, void *buf, size_t n, int flags);
ssize_t drill_recvfrom(void *u, int fd, void *buf, size_t n, int flags, struct sockaddr *addr, socklen_t *len);
ssize_t drill_recvmsg(void *u, int fd, struct msghdr *msg, int flags);
ssize_t drill_write(void *u, int fd, const void *buf, size_t n);
ssize_t drill_writev(void *u, int fd, const struct iovec *iov, int count);
ssize_t drill_send(void *u, int fd, const void *buf, size_t n, int flags);
ssize_t drill_sendto(void *u, int fd, const void *buf, size_t n, int flags, const struct sockaddr *addr, socklen_t len);
ssize_t drill_sendmsg(void *u, int fd, const struct msghdr *msg, int flags);
int drill_pipe(void *u, int fds[2]);
ssize_t drill_sendfile(void *u, int to, int from, off_t *at, size_t n);
int drill_splice(void *u, int from, loff_t *off_from, int to, loff_t *off_to, size_t n, unsigned int flags);

/* --- options.c --- */
int drill_setsockopt(void *u, int fd, int level, int name, const void *value, socklen_t len);
int drill_getsockopt(void *u, int fd, int level, int name, void *value, socklen_t *len);

/* --- ready.c --- */
int drill_poll(void *u, struct pollfd *fds, nfds_t n, int timeout_ms);
int drill_epoll_create(void *u, int size);
int drill_epoll_ctl(void *u, int epfd, int op, int fd, struct epoll_event *event);
int drill_epoll_wait(void *u, int epfd, struct epoll_event *events, int max, int timeout_ms);

#endif
