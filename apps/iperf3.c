/* iperf3.c: see iperf3.h. Who is connected to it, and the time.
 *
 * Everybody who connects is a visitor until 37 bytes have come, the cookie. The first cookie makes its connection the control
 * connection of a test; while that asks for streams, the same cookie makes a connection one of them; whoever brings another one
 * is told that the server is busy.
 *
 * Invariants: `talks` is in the order of arrival; there is a control connection exactly when the state is not IPERF3_IDLE; who is
 * neither it nor a stream has a time by which it is thrown out. */
#include <stdlib.h>
#include <string.h>

#include "iperf3_internal.h"

#define BACKLOG 256
#define VISIT_US (10 * TAPIR_SEC)	/* to say who one is, or to go */
#define WATCH_US TAPIR_SEC
#define KEEP_IDLE_S 10			/* a client that has vanished is missed after 10 + 6 * 5 seconds */
#define KEEP_INTERVAL_S 5
#define KEEP_COUNT 6
#define BUSY 0xff			/* in place of the first message */

static const struct span none;

/* --- connections --- */

static void on_timer(void *ctx);

/* Timers are never taken back: one that is not wanted any more comes, and finds nothing to do. */
void iperf3_arm(struct iperf3 *s, usec_t at_us)
{
	if (at_us < s->armed_us && s->config.at(s->config.timers, at_us, on_timer, s))
		s->armed_us = at_us;
}

static void forget(struct iperf3_talk *k)
{
	struct iperf3 *s = k->server;
	struct iperf3_talk **at = &s->talks;
	while (*at != k)
		at = &(*at)->next;
	*at = k->next;
	if (!k->next)
		s->last = at;
	s->talk_count--;
	free(k);
}

void iperf3_throw_out(struct iperf3_talk *k)
{
	tapir_abort(k->server->t, k->sd);
	forget(k);
}

/* Says goodbye, and waits for the peer's: closing over bytes that are still to come is a reset, which may overtake what was said
 * (RFC 1122 4.2.2.13). on_close forgets it. */
void iperf3_leave(struct iperf3_talk *k)
{
	k->role = IPERF3_LEAVING;
	k->stream = NULL;
	k->until_us = iperf3_now(k->server) + VISIT_US;
	tapir_shutdown(k->server->t, k->sd, TAPIR_SHUT_WR);
}

/* --- what is heard --- */

size_t iperf3_take(uint8_t *to, size_t room, struct span *data)
{
	size_t n = data->n < room ? data->n : room;
	memcpy(to, data->p, n);
	data->p += n;
	data->n -= n;
	return n;
}

/* 36 characters that can be printed, and a NUL: what says anything else is no client of iperf3. */
static bool is_cookie(const char cookie[IPERF3_COOKIE_BYTES])
{
	for (int i = 0; i < IPERF3_COOKIE_BYTES - 1; i++)
		if (cookie[i] <= ' ' || cookie[i] > '~')
			return false;
	return cookie[IPERF3_COOKIE_BYTES - 1] == '\0';
}

static struct span hear_visitor(struct iperf3_talk *k, struct span data)
{
	struct iperf3_test *x = &k->server->test;
	const uint8_t busy = BUSY;
	k->cookie_n += (unsigned)iperf3_take((uint8_t *)k->cookie + k->cookie_n, IPERF3_COOKIE_BYTES - k->cookie_n, &data);
	if (k->cookie_n < IPERF3_COOKIE_BYTES)
		return none;
	if (!is_cookie(k->cookie)) {
		iperf3_throw_out(k);
		return none;
	}
	bool wanted = x->state == IPERF3_STREAMS && !x->params.udp;
	if (x->state == IPERF3_IDLE) {
		iperf3_test_begin(k);
	} else if (wanted && memcmp(k->cookie, x->control->cookie, IPERF3_COOKIE_BYTES) == 0) {
		iperf3_test_add(k);
	} else {
		tapir_send(k->server->t, k->sd, &busy, 1);
		iperf3_leave(k);
	}
	return data;
}

static struct span hear_stream(struct iperf3_talk *k, struct span data)
{
	if (k->server->test.state == IPERF3_RUNNING && !k->stream->sends)
		k->stream->bytes += data.n;
	return none;
}

static struct span hear_nothing(struct iperf3_talk *k, struct span data)
{
	(void)k;
	(void)data;
	return none;
}

/* Who is thrown out while being heard has nothing left to say, and is not looked at again. */
static void on_data(struct tapir *t, tapir_sd sd, void *ctx, struct span data)
{
	static struct span (*const hear[])(struct iperf3_talk *k, struct span data) = {
		[IPERF3_VISITOR] = hear_visitor, [IPERF3_CONTROL] = iperf3_test_hear, [IPERF3_STREAM] = hear_stream,
		[IPERF3_LEAVING] = hear_nothing,
	};
	struct iperf3_talk *k = ctx;
	(void)t;
	(void)sd;
	while (data.n)
		data = hear[k->role](k, data);
}

static void on_drain(struct tapir *t, tapir_sd sd, void *ctx)
{
	struct iperf3_talk *k = ctx;
	struct iperf3_test *x = &k->server->test;
	(void)t;
	(void)sd;
	if (k->role == IPERF3_CONTROL)
		iperf3_test_flush(x);
	else if (k->role == IPERF3_STREAM && x->state == IPERF3_RUNNING && k->stream->sends)
		iperf3_arm(k->server, iperf3_stream_send(k->stream, &x->source));
}

static void on_end(struct tapir *t, tapir_sd sd, void *ctx)
{
	struct iperf3_talk *k = ctx;
	(void)t;
	(void)sd;
	if (k->role == IPERF3_CONTROL)
		iperf3_test_end(k->server, k->server->test.state == IPERF3_DISPLAY);
	else if (k->role == IPERF3_VISITOR)
		iperf3_leave(k);
}

static void on_close(struct tapir *t, tapir_sd sd, void *ctx)
{
	struct iperf3_talk *k = ctx;
	(void)t;
	(void)sd;
	if (k->role == IPERF3_CONTROL)
		iperf3_test_end(k->server, false);
	else if (k->role == IPERF3_STREAM && k->stream)
		k->stream->sd = -1;
	else if (k->role == IPERF3_STREAM)
		k->server->test.here--;
	forget(k);
}

static const struct tapir_handlers talk_handlers = {
	.on_data = on_data, .on_drain = on_drain, .on_end = on_end, .on_close = on_close, .allow_half_open = true
};

static void on_connection(struct tapir *t, tapir_sd sd, void *ctx, const struct tapir_endpoint *peer)
{
	struct iperf3 *s = ctx;
	struct iperf3_talk *k = s->talk_count < IPERF3_TALKS_MAX ? malloc(sizeof *k) : NULL;
	if (!k) {
		tapir_abort(t, sd);
		return;
	}
	*k = (struct iperf3_talk){ .server = s, .sd = sd, .role = IPERF3_VISITOR, .peer = peer->addr,
				   .until_us = iperf3_now(s) + VISIT_US };
	*s->last = k;
	s->last = &k->next;
	s->talk_count++;
	tapir_on(t, sd, &talk_handlers, k);
	iperf3_arm(s, iperf3_now(s) + WATCH_US);
}

static const struct tapir_handlers listener_handlers = { .on_connection = on_connection };

/* --- datagrams --- */

static void on_message(struct tapir *t, tapir_sd sd, void *ctx, struct span data, const struct tapir_endpoint *from)
{
	(void)t;
	(void)sd;
	iperf3_test_datagram(ctx, data, from);
}

static const struct tapir_handlers udp_handlers = { .on_message = on_message };

/* --- time --- */

static void throw_out_late(struct iperf3 *s)
{
	for (struct iperf3_talk *k = s->talks, *next; k; k = next) {
		next = k->next;
		if ((k->role == IPERF3_VISITOR || k->role == IPERF3_LEAVING) && iperf3_now(s) >= k->until_us)
			iperf3_throw_out(k);
	}
}

static void on_timer(void *ctx)
{
	struct iperf3 *s = ctx;
	if (iperf3_now(s) >= s->armed_us)
		s->armed_us = USEC_NEVER;
	throw_out_late(s);
	if (s->test.state != IPERF3_IDLE)
		iperf3_test_watch(s);
	if (s->talks)
		iperf3_arm(s, iperf3_now(s) + WATCH_US);
}

/* --- from beginning to end --- */

static int open_sockets(struct iperf3 *s)
{
	s->tcp = tapir_serve_tcp(s->t, s->config.port, BACKLOG, &listener_handlers, s);
	if (s->tcp < 0)
		return (int)s->tcp;
	s->udp = tapir_serve_udp(s->t, s->config.port, &udp_handlers, s);
	if (s->udp < 0) {
		tapir_close(s->t, s->tcp);
		return (int)s->udp;
	}
	tapir_setsockopt(s->t, s->tcp, TAPIR_SO_KEEPALIVE, 1);	/* what accept() gives inherits it */
	tapir_setsockopt(s->t, s->tcp, TAPIR_TCP_KEEPIDLE, KEEP_IDLE_S);
	tapir_setsockopt(s->t, s->tcp, TAPIR_TCP_KEEPINTVL, KEEP_INTERVAL_S);
	tapir_setsockopt(s->t, s->tcp, TAPIR_TCP_KEEPCNT, KEEP_COUNT);
	return tapir_getsockopt(s->t, s->udp, TAPIR_SO_RCVBUF, &s->udp_rcvbuf);
}

int iperf3_start(struct iperf3 **out, struct tapir *t, const struct iperf3_config *config)
{
	struct iperf3 *s = malloc(sizeof *s);
	if (!s)
		return TAPIR_ENOMEM;
	*s = (struct iperf3){ .t = t, .config = *config, .armed_us = USEC_NEVER };
	s->last = &s->talks;
	int error = open_sockets(s);
	if (error)
		iperf3_free(s);
	else
		*out = s;
	return error;
}

void iperf3_free(struct iperf3 *s)
{
	if (!s)
		return;
	iperf3_test_free(&s->test);
	for (struct iperf3_talk *k = s->talks, *next; k; k = next) {
		next = k->next;
		free(k);
	}
	free(s);
}
