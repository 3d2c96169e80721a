/* kernel: the small services on sockets of the kernel's: what the stacks of the comparison are measured against
 * (docs/performance.md). Echo, discard and chargen over TCP, echo over UDP; one thread.
 *
 *	kernel ADDRESS */
#include <sys/epoll.h>
#include "bench.h"

#define EVENTS 64
#define BATCH 64
#define BUFFER (1u << 20)
#define CHARGEN_BYTES 131072u
#define ECHO_BYTES 65536u

static char text[BUFFER];
static int epoll;

/* An event's data: the port in the upper half, the descriptor in the lower; listeners have LISTENER set, too. */
#define LISTENER (1u << 16)

static void watch(int fd, uint32_t port, uint32_t events)
{
	struct epoll_event e = {.events = events, .data.u64 = (uint64_t)port << 32 | (uint32_t)fd};

	if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &e) < 0)
		die("epoll");
}

static void serve(const char *address, int port)
{
	struct sockaddr_in at = endpoint(address, port);
	int fd = kernel_stream(SOCK_NONBLOCK);

	set_option(fd, SOL_SOCKET, SO_REUSEADDR, 1);
	if (bind(fd, (struct sockaddr *)&at, sizeof at) < 0 || listen(fd, 4096) < 0)
		die("listen");
	watch(fd, (uint32_t)port | LISTENER, EPOLLIN);
}

static int udp_echo_fd;

static void serve_datagrams(const char *address)
{
	struct sockaddr_in at = endpoint(address, ECHO_PORT);

	udp_echo_fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);
	if (bind(udp_echo_fd, (struct sockaddr *)&at, sizeof at) < 0)
		die("bind");
	set_option(udp_echo_fd, SOL_UDP, UDP_GRO, 1);
	watch(udp_echo_fd, 0, EPOLLIN);
}

/* Datagrams that came together leave together. */
static void cut_as_received(struct msghdr *msg)
{
	uint16_t size = (uint16_t)udp_gro_size(msg);
	struct cmsghdr *c = msg->msg_control;

	msg->msg_controllen = 0;
	if (!size)
		return;
	*c = (struct cmsghdr){.cmsg_level = SOL_UDP, .cmsg_type = UDP_SEGMENT, .cmsg_len = CMSG_LEN(sizeof size)};
	memcpy(CMSG_DATA(c), &size, sizeof size);
	msg->msg_controllen = CMSG_SPACE(sizeof size);
}

static void echo_datagrams(void)
{
	static char lines[BATCH][2048];
	static struct sockaddr_in from[BATCH];
	static struct udp_control control[BATCH];
	struct mmsghdr many[BATCH] = {0};
	struct iovec pieces[BATCH];
	int n;

	for (int i = 0; i < BATCH; i++) {
		pieces[i] = (struct iovec){lines[i], sizeof lines[i]};
		many[i].msg_hdr = (struct msghdr){.msg_name = &from[i], .msg_namelen = sizeof from[i], .msg_iov = &pieces[i],
						  .msg_iovlen = 1, .msg_control = &control[i],
						  .msg_controllen = sizeof control[i]};
	}
	n = recvmmsg(udp_echo_fd, many, BATCH, 0, NULL);
	for (int i = 0; i < n; i++) {
		pieces[i].iov_len = many[i].msg_len;
		cut_as_received(&many[i].msg_hdr);
	}
	if (n > 0)
		sendmmsg(udp_echo_fd, many, (unsigned int)n, 0);
}

static void accept_all(int listener, uint32_t port)
{
	int fd;

	while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) >= 0)
		watch(fd, port, port == CHARGEN_PORT ? EPOLLOUT : EPOLLIN);
}

/* Sends back what was read; when there is no room it waits, because the client reads at once. */
static void send_back(int fd, size_t n)
{
	for (size_t at = 0; at < n; ) {
		ssize_t sent = send(fd, text + at, n - at, MSG_NOSIGNAL);

		if (sent < 0 && errno != EAGAIN)
			return;
		at += sent > 0 ? (size_t)sent : 0;
	}
}

static void serve_stream(int fd, uint32_t port)
{
	ssize_t n;

	if (port == CHARGEN_PORT)
		n = send(fd, text, CHARGEN_BYTES, MSG_NOSIGNAL);
	else
		n = recv(fd, text, port == ECHO_PORT ? ECHO_BYTES : BUFFER, 0);
	if (n == 0 || (n < 0 && errno != EAGAIN))
		close(fd);
	else if (n > 0 && port == ECHO_PORT)
		send_back(fd, (size_t)n);
}

int main(int argc, char **argv)
{
	struct epoll_event events[EVENTS];

	if (argc != 2) {
		fprintf(stderr, "usage: kernel ADDRESS\n");
		return 2;
	}
	epoll = epoll_create1(0);
	serve(argv[1], ECHO_PORT);
	serve(argv[1], DISCARD_PORT);
	serve(argv[1], CHARGEN_PORT);
	serve_datagrams(argv[1]);
	for (;;) {
		int n = epoll_wait(epoll, events, EVENTS, -1);

		for (int i = 0; i < n; i++) {
			int fd = (int)(uint32_t)events[i].data.u64;
			uint32_t port = (uint32_t)(events[i].data.u64 >> 32);

			if (port & LISTENER)
				accept_all(fd, port & ~LISTENER);
			else if (fd == udp_echo_fd)
				echo_datagrams();
			else
				serve_stream(fd, port);
		}
	}
}
