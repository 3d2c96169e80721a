/* adapter.c: build/packetdrill.so, what packetdrill loads with --so_filename. The table of its interface, filled with the
 * calls of drill.h; packetdrill.h is its header, from PACKETDRILL (docs/packetdrill.md).
 *
 * When the same file is also preloaded (LD_PRELOAD, as tests/packetdrill/run does), the functions at the end stand in for
 * the C library's in packetdrill itself, which asks the system in places where the interface has no callback. */
#include <dlfcn.h>
#include <errno.h>
#include <packetdrill.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/times.h>
#include "drill.h"

#define EXPORTED __attribute__((visibility("default")))

EXPORTED void packetdrill_interface_init(const char *flags, struct packetdrill_interface *interface);

static struct drill *running;		/* one script in a process */

static void end(void *u)
{
	running = NULL;
	drill_free(u);
}

void packetdrill_interface_init(const char *flags, struct packetdrill_interface *interface)
{
	unsetenv("LD_PRELOAD");		/* not for the commands that the script runs */
	running = drill_new(flags);
	*interface = (struct packetdrill_interface){
		.userdata = running, .free = end,
		.socket = drill_socket, .bind = drill_bind, .listen = drill_listen, .accept = drill_accept,
		.connect = drill_connect, .shutdown = drill_shutdown, .close = drill_close,
		.read = drill_read, .readv = drill_readv, .recv = drill_recv, .recvfrom = drill_recvfrom,
		.recvmsg = drill_recvmsg, .write = drill_write, .writev = drill_writev, .send = drill_send,
		.sendto = drill_sendto, .sendmsg = drill_sendmsg,
		.fcntl = drill_fcntl, .ioctl = drill_ioctl,
		.getsockopt = drill_getsockopt, .setsockopt = drill_setsockopt,
		.poll = drill_poll, .epoll_create = drill_epoll_create, .epoll_ctl = drill_epoll_ctl,
		.epoll_wait = drill_epoll_wait, .pipe = drill_pipe, .splice = drill_splice,
		.netdev_send = drill_netdev_send, .netdev_receive = drill_netdev_receive,
		.usleep = drill_usleep, .gettimeofday = drill_gettimeofday,
	};
}

/* --- only when preloaded -------------------------------------------------------------------------------------------- */

/* A script's %{ }% asks the kernel for TCP_INFO, of a descriptor of ours. */
EXPORTED int getsockopt(int fd, int level, int name, void *restrict value, socklen_t *restrict len)
{
	static int (*real)(int, int, int, void *, socklen_t *);
	int result = running ? drill_getsockopt(running, fd, level, name, value, len) : -1;

	if (running && (result == 0 || errno != EBADF))
		return result;
	if (!real)
		*(void **)&real = dlsym(RTLD_NEXT, "getsockopt");
	return real(fd, level, name, value, len);
}

/* And this is a call of its own without a callback. */
EXPORTED ssize_t sendfile(int to, int from, off_t *at, size_t n)
{
	if (running)
		return drill_sendfile(running, to, from, at, n);
	errno = ENOSYS;
	return -1;
}

/* It waits for ten ticks of the kernel's clock before it begins, to begin in the middle of one. Ours has no ticks. */
EXPORTED clock_t times(struct tms *buf)
{
	static clock_t ticks;

	if (buf)
		*buf = (struct tms){0};
	return ++ticks;
}

/* And asks for real-time priority and locked memory, which only matter when time is real, and take privileges. */
EXPORTED int sched_setscheduler(pid_t pid, int policy, const struct sched_param *param)
{
	(void)pid, (void)policy, (void)param;
	return 0;
}
EXPORTED int mlockall(int flags)
{
	(void)flags;
	return 0;
}
