/* events.c: which sockets belong to handlers (the third way in): tapir_on and what steers it. The callbacks themselves are
 * dispatch.c. */
#include "socket.h"

int tapir_on(struct tapir *t, tapir_sd sd, const struct tapir_handlers *handlers, void *ctx)
{
	struct socket *s = socket_find(t, sd);

	if (!s)
		return TAPIR_EBADF;
	s->handlers = handlers;
	s->ctx = ctx;
	socket_unlist(t, s);		/* from the list of the other way in */
	socket_changed(t, s);		/* what happened before is not lost */
	return 0;
}

static int set_paused(struct tapir *t, tapir_sd sd, bool paused)
{
	struct socket *s = socket_find(t, sd);

	if (!s)
		return TAPIR_EBADF;
	s->paused = paused;
	if (!paused)
		socket_changed(t, s);
	return 0;
}

int tapir_pause(struct tapir *t, tapir_sd sd) { return set_paused(t, sd, true); }

int tapir_resume(struct tapir *t, tapir_sd sd) { return set_paused(t, sd, false); }

/* A socket bound to port on any address, or an error. */
static tapir_sd bound_socket(struct tapir *t, enum tapir_sock_type type, uint16_t port)
{
	struct tapir_endpoint local = {.port = port};
	tapir_sd sd = tapir_socket(t, type);
	int error;

	if (sd < 0)
		return sd;
	error = tapir_bind(t, sd, &local);
	if (!error)
		return sd;
	tapir_close(t, sd);
	return error;
}

tapir_sd tapir_serve_tcp(struct tapir *t, uint16_t port, int backlog, const struct tapir_handlers *handlers, void *ctx)
{
	tapir_sd sd = bound_socket(t, TAPIR_SOCK_STREAM, port);

	if (sd < 0)
		return sd;
	tapir_listen(t, sd, backlog);		/* bound and new: it cannot fail */
	tapir_on(t, sd, handlers, ctx);
	return sd;
}

tapir_sd tapir_serve_udp(struct tapir *t, uint16_t port, const struct tapir_handlers *handlers, void *ctx)
{
	tapir_sd sd = bound_socket(t, TAPIR_SOCK_DGRAM, port);

	if (sd >= 0)
		tapir_on(t, sd, handlers, ctx);
	return sd;
}
