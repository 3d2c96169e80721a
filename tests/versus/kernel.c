/* kernel: the kernel's ends of a comparison (docs/versus.md): who receives from both stacks, and who sends when it is the kernel's
 * turn.
 *
 *   kernel receive PORT SECONDS      says "ready"; counts what comes for so long after the connection is there
 *   kernel send ADDRESS PORT CC      sends until it is reset; CC is a congestion control of the kernel */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include "drivers/loop.h"
#include "tests/support/real_time.h"

#define CHUNK 65536u

static int fail(const char *what)
{
	fprintf(stderr, "kernel: %s: %s\n", what, strerror(errno));
	return 1;
}

static struct sockaddr_in endpoint(const char *address, const char *port)
{
	struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(port))};

	inet_pton(AF_INET, address, &in.sin_addr);
	return in;
}

/* Bytes that arrive until end_us. */
static uint64_t count_until(int fd, usec_t end_us)
{
	static char buf[CHUNK];
	uint64_t bytes = 0;

	for (usec_t now_us; (now_us = loop_clock_us()) < end_us; ) {
		struct pollfd p = {.fd = fd, .events = POLLIN};
		ssize_t n;

		if (poll(&p, 1, (int)((end_us - now_us) / 1000) + 1) <= 0)
			continue;
		n = recv(fd, buf, sizeof buf, 0);
		if (n <= 0)
			break;
		bytes += (uint64_t)n;
	}
	return bytes;
}

static int receive(const char *port, const char *seconds)
{
	struct sockaddr_in in = endpoint("0.0.0.0", port);
	const struct linger reset = {.l_onoff = 1, .l_linger = 0};
	int listener = socket(AF_INET, SOCK_STREAM, 0), one = 1, fd;
	usec_t start_us;

	setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
	if (bind(listener, (struct sockaddr *)&in, sizeof in) < 0 || listen(listener, 1) < 0)
		return fail("listen");
	puts("ready");
	fflush(stdout);
	fd = accept(listener, NULL, NULL);
	if (fd < 0)
		return fail("accept");
	start_us = loop_clock_us();
	printf("bytes %llu\n", (unsigned long long)count_until(fd, start_us + (usec_t)(atof(seconds) * 1e6)));
	setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
	close(fd);
	return 0;
}

static int send_to(const char *address, const char *port, const char *cc)
{
	static char buf[CHUNK];
	struct sockaddr_in in = endpoint(address, port);
	struct tcp_info info = {0};
	socklen_t size = sizeof info;
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	signal(SIGPIPE, SIG_IGN);
	if (setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, cc, (socklen_t)strlen(cc)) < 0)
		return fail(cc);
	if (connect(fd, (struct sockaddr *)&in, sizeof in) < 0)
		return fail("connect");
	while (send(fd, buf, sizeof buf, 0) > 0)
		getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &size);
	printf("resent %u rtt_us %u cwnd %u\n", info.tcpi_total_retrans, info.tcpi_rtt, info.tcpi_snd_cwnd);
	return 0;
}

int main(int argc, char **argv)
{
	ask_for_priority(1);		/* like the other programs: what else the machine does is not compared */
	if (argc == 4 && strcmp(argv[1], "receive") == 0)
		return receive(argv[2], argv[3]);
	if (argc == 5 && strcmp(argv[1], "send") == 0)
		return send_to(argv[2], argv[3], argv[4]);
	fprintf(stderr, "usage: kernel receive PORT SECONDS, or kernel send ADDRESS PORT CC\n");
	return 2;
}
