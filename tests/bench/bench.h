/* bench.h: what the programs of tests/bench share (docs/performance.md): a clock, where the services are, a complaint. Each program
 * prints one line of words and numbers, "bytes 123 ns 456", which tests/bench/run reads. */
#ifndef BENCH_H
#define BENCH_H

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <linux/tcp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define ECHO_PORT 7		/* the classic small services, which every peer of the comparison has there */
#define DISCARD_PORT 9
#define CHARGEN_PORT 19

#define SEC_NS ((int64_t)1000000000)
#define CONGESTION "cubic"	/* on every kernel socket: where the default is BBR, its pacing would be what is measured */

static inline int64_t clock_ns(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return (int64_t)now.tv_sec * SEC_NS + now.tv_nsec;
}

static inline int64_t now_ns(void) { return clock_ns(CLOCK_MONOTONIC); }

__attribute__((noreturn)) static inline void die(const char *what)
{
	fprintf(stderr, "%s: %s\n", what, errno ? strerror(errno) : "the peer ended it");
	exit(1);
}

static inline struct sockaddr_in endpoint(const char *address, int port)
{
	struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};

	if (inet_pton(AF_INET, address, &in.sin_addr) != 1) {
		fprintf(stderr, "%s is not an address\n", address);
		exit(2);
	}
	return in;
}

static inline void set_option(int fd, int level, int name, int value)
{
	if (setsockopt(fd, level, name, &value, sizeof value) < 0)
		die("setsockopt");
}

/* A TCP socket of the kernel's as every program here wants it. */
static inline int kernel_stream(int flags)
{
	int fd = socket(AF_INET, SOCK_STREAM | flags, 0);

	if (fd < 0)
		die("socket");
	set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1);
	if (setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, CONGESTION, strlen(CONGESTION)) < 0)
		die("congestion control " CONGESTION " (modprobe tcp_cubic)");
	return fd;
}

/* Room for what the kernel says of a received datagram, or is told of one to send: one number. */
struct udp_control { _Alignas(struct cmsghdr) uint8_t bytes[CMSG_SPACE(sizeof(int))]; };

/* The bytes of each datagram but the last one in a received message; 0: it is one. */
static inline size_t udp_gro_size(struct msghdr *msg)
{
	struct cmsghdr *c = CMSG_FIRSTHDR(msg);
	int size = 0;

	if (c && c->cmsg_level == SOL_UDP && c->cmsg_type == UDP_GRO)
		memcpy(&size, CMSG_DATA(c), sizeof size);
	return (size_t)size;
}

#endif
