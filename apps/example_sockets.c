/* example_sockets.c: an echo server written with sockets that never block, in the manner of poll(2). All it knows is which
 * descriptor is ready; the loop tells. Any number of clients, one thread.
 *
 *	sudo ip tuntap add dev tap0 mode tap user $USER
 *	sudo ip addr add 10.0.0.1/24 dev tap0 && sudo ip link set dev tap0 up
 *	build/example_sockets tap0 &
 *	nc -N 10.0.0.2 7 */
#include <stdio.h>
#include "drivers/loop.h"

#define ECHO_PORT 7

struct server { struct tapir *stack; tapir_sd listener; };

/* Sends back what has arrived, as far as it goes. What does not fit stays in the receive queue: the window closes, and the
 * client waits. */
static void echo(struct tapir *t, tapir_sd sd)
{
	struct span bytes;
	int64_t n;

	while ((n = tapir_recv_peek(t, sd, &bytes, 1)) > 0 && (n = tapir_send(t, sd, bytes.p, bytes.n)) > 0)
		tapir_recv_consume(t, sd, (size_t)n);
	if (n != TAPIR_EAGAIN)		/* 0: the client has closed; else an error */
		tapir_close(t, sd);
}

static void on_ready(void *ctx, const struct tapir_poll_event *event)
{
	struct server *server = ctx;
	tapir_sd sd;

	if (event->sd != server->listener) {
		echo(server->stack, event->sd);
		return;
	}
	while ((sd = tapir_accept(server->stack, server->listener, NULL)) >= 0)
		echo(server->stack, sd);	/* something may be there already */
}

static int listen_on(struct server *server, uint16_t port)
{
	struct tapir_endpoint any = {.port = port};
	int error;

	server->listener = tapir_socket(server->stack, TAPIR_SOCK_STREAM);
	if (server->listener < 0)
		return (int)server->listener;
	error = tapir_bind(server->stack, server->listener, &any);
	return error ? error : tapir_listen(server->stack, server->listener, 128);
}

static int serve(struct loop *loop)
{
	struct server server = {.stack = loop_stack(loop)};
	int error = listen_on(&server, ECHO_PORT);

	if (error) {
		fprintf(stderr, "example_sockets: port %d: %s.\n", ECHO_PORT, tapir_strerror(error));
		return 1;
	}
	loop_on_ready(loop, on_ready, &server);
	if (loop_run(loop) == 0)
		return 0;
	fprintf(stderr, "example_sockets: %s\n", driver_error());
	return 1;
}

int main(int argc, char **argv)
{
	struct driver *tap = driver_open_tap(argc > 1 ? argv[1] : "tap0");
	struct tapir_config config;
	struct loop *loop;
	int status;

	if (tap == NULL) {
		fprintf(stderr, "example_sockets: %s\n", driver_error());
		return 1;
	}
	tapir_config_default(&config);
	config.addr = tapir_ipv4(10, 0, 0, 2);
	loop = loop_open(tap, &config);
	if (loop == NULL) {
		fprintf(stderr, "example_sockets: %s\n", loop_error());
		return 1;
	}
	status = serve(loop);
	loop_close(loop);
	return status;
}
