/* example_blocking.c: calls that block, in the manner of Go or of plain sockets, while the loop has a thread of its own. With
 * a TAP alone it is an echo server with a thread for each client; with an address as well it fetches the page there.
 *
 *	sudo ip tuntap add dev tap0 mode tap user $USER
 *	sudo ip addr add 10.0.0.1/24 dev tap0 && sudo ip link set dev tap0 up
 *	build/example_blocking tap0 &			nc -N 10.0.0.2 7
 *	build/example_blocking tap0 10.0.0.1:8000	python3 -m http.server 8000 */
#include <pthread.h>
#include <stdio.h>
#include "drivers/net.h"

#define IDLE_US (600 * TAPIR_SEC)

static int64_t fetch(struct loop *loop, const char *address)
{
	static const char request[] = "GET / HTTP/1.0\r\n\r\n";
	char answer[4096];
	int error;
	struct net_conn *c = net_dial(loop, address, loop_clock_us() + 5 * TAPIR_SEC, &error);
	int64_t n;

	if (c == NULL)
		return error;
	n = net_write(c, request, sizeof request - 1);
	while (n > 0 && (n = net_read(c, answer, sizeof answer)) > 0)
		fwrite(answer, 1, (size_t)n, stdout);
	net_close(c);
	return n;
}

static void *echo(void *arg)
{
	struct net_conn *c = arg;
	char buf[16384];
	int64_t n;

	do {
		usec_t deadline = loop_clock_us() + IDLE_US;

		net_set_deadline(c, deadline, deadline);
		n = net_read(c, buf, sizeof buf);
	} while (n > 0 && net_write(c, buf, (size_t)n) == n);
	net_close(c);
	return NULL;
}

static int64_t serve(struct loop *loop, const char *address)
{
	int error;
	struct net_listener *ln = net_listen(loop, address, &error);

	while (error == 0) {
		struct net_conn *c = net_accept(ln, USEC_NEVER, &error);
		pthread_t thread;

		if (c && pthread_create(&thread, NULL, echo, c) == 0)
			pthread_detach(thread);
		else if (c)
			net_close(c);
	}
	if (ln)
		net_close_listener(ln);
	return error;
}

int main(int argc, char **argv)
{
	struct driver *tap = driver_open_tap(argc > 1 ? argv[1] : "tap0");
	struct tapir_config config;
	struct loop *loop;
	int64_t result;

	if (tap == NULL) {
		fprintf(stderr, "example_blocking: %s\n", driver_error());
		return 1;
	}
	tapir_config_default(&config);
	config.addr = tapir_ipv4(10, 0, 0, 2);
	loop = loop_open(tap, &config);
	if (loop == NULL || loop_start_thread(loop) < 0) {
		fprintf(stderr, "example_blocking: %s\n", loop ? "no thread can be made." : loop_error());
		return 1;
	}
	result = argc > 2 ? fetch(loop, argv[2]) : serve(loop, ":7");
	if (result < 0)
		fprintf(stderr, "example_blocking: %s.\n", tapir_strerror((int)result));
	return result < 0;		/* threads may still serve: the process ends with them, and the TAP with it */
}
