/* example_events.c: two servers written as callbacks, in the manner of Node: a greeting on port 2000, and echo on port 7,
 * which pauses a client that sends faster than it reads.
 *
 *	sudo ip tuntap add dev tap0 mode tap user $USER
 *	sudo ip addr add 10.0.0.1/24 dev tap0 && sudo ip link set dev tap0 up
 *	build/example_events tap0 &
 *	nc 10.0.0.2 2000; nc -N 10.0.0.2 7 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "drivers/loop.h"

static void greet(struct tapir *t, tapir_sd sd, void *ctx, const struct tapir_endpoint *peer)
{
	(void)ctx, (void)peer;
	tapir_send(t, sd, "hello\n", 6);
	tapir_shutdown(t, sd, TAPIR_SHUT_WR);
}
static const struct tapir_handlers greeter = { .on_connection = greet };

struct client { uint8_t *rest; size_t at, n; };		/* what a short send has left over: rest[at .. n) */

static void echo_close(struct tapir *t, tapir_sd sd, void *ctx)
{
	(void)t, (void)sd;
	free(((struct client *)ctx)->rest);
	free(ctx);
}

static void echo_data(struct tapir *t, tapir_sd sd, void *ctx, struct span data)
{
	struct client *c = ctx;
	int64_t sent = tapir_send(t, sd, data.p, data.n);
	size_t n = sent > 0 ? (size_t)sent : 0;
	uint8_t *rest = n < data.n ? realloc(c->rest, data.n - n) : NULL;

	if (rest) {
		*c = (struct client){.rest = rest, .n = data.n - n};
		memcpy(rest, data.p + n, data.n - n);
		tapir_pause(t, sd);
	} else if (n < data.n) {
		tapir_abort(t, sd);	/* our own doing is not reported */
		echo_close(t, sd, c);
	}
}

static void echo_drain(struct tapir *t, tapir_sd sd, void *ctx)
{
	struct client *c = ctx;
	int64_t sent = tapir_send(t, sd, c->rest + c->at, c->n - c->at);

	c->at += sent > 0 ? (size_t)sent : 0;
	if (c->at == c->n)		/* else this comes again */
		tapir_resume(t, sd);
}

static const struct tapir_handlers echo = { .on_data = echo_data, .on_drain = echo_drain, .on_close = echo_close };

static void echo_connection(struct tapir *t, tapir_sd sd, void *ctx, const struct tapir_endpoint *peer)
{
	struct client *c = calloc(1, sizeof *c);
	(void)ctx, (void)peer;

	if (c)
		tapir_on(t, sd, &echo, c);
	else
		tapir_abort(t, sd);
}
static const struct tapir_handlers echo_listener = { .on_connection = echo_connection };

int main(int argc, char **argv)
{
	struct driver *tap = driver_open_tap(argc > 1 ? argv[1] : "tap0");
	struct tapir_config config;
	struct loop *loop;

	if (tap == NULL) {
		fprintf(stderr, "example_events: %s\n", driver_error());
		return 1;
	}
	tapir_config_default(&config);
	config.addr = tapir_ipv4(10, 0, 0, 2);
	loop = loop_open(tap, &config);
	if (loop == NULL) {
		fprintf(stderr, "example_events: %s\n", loop_error());
		return 1;
	}
	tapir_serve_tcp(loop_stack(loop), 2000, 128, &greeter, NULL);
	tapir_serve_tcp(loop_stack(loop), 7, 128, &echo_listener, NULL);
	if (loop_run(loop) < 0)
		fprintf(stderr, "example_events: %s\n", driver_error());
	loop_close(loop);
	return 1;			/* nothing stops the loop but a driver that fails */
}
