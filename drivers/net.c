/* net.c: blocking calls over sockets that never block. A call that would block queues its thread in one of the socket's two
 * lanes, in or out, and waits there until the loop reports the socket ready; only the first of a lane tries, so that
 * reads are taken in turn and writes are not torn.
 *
 * Everything here is touched only by the thread that has the stack (loop_thread.c), so there is no other lock. Invariant:
 * a thread that waits is in exactly one lane, and counted in users until it has left; net_close frees when none is left. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include "loop_internal.h"
#include "net.h"

#define PORT_MAX 65535
#define ROWS_FIRST 64u

struct waiter { struct waiter *next; pthread_cond_t cond; bool awake; };
struct lane { struct waiter *first; usec_t deadline_us; };

struct sock {
	struct loop *loop;
	tapir_sd sd;
	bool closed;
	unsigned int users;
	struct waiter *closer;		/* net_close, until users is 0 */
	struct lane in, out;
};
struct net_conn { struct sock s; };		/* two names for the same thing: the compiler tells them apart */
struct net_listener { struct sock s; };

struct net { struct sock **rows; size_t count; };	/* by the slot of the socket's descriptor */

/* One blocking call. attempt returns what the call returns, or TAPIR_EAGAIN. */
struct call {
	struct sock *s;
	struct lane *lane;
	int64_t (*attempt)(struct tapir *t, struct call *c);
	void *in;
	const void *out;
	size_t n, done;
	usec_t deadline_us;		/* of this call; the lane has one, too */
	struct tapir_endpoint *from;
	const struct tapir_endpoint *to;
};

/* ---- waiting ---- */

static void waiter_init(struct waiter *w)
{
	pthread_condattr_t attr;

	w->next = NULL;
	w->awake = false;
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&w->cond, &attr);
	pthread_condattr_destroy(&attr);
}

static void awaken(struct waiter *w)
{
	if (w == NULL)
		return;
	w->awake = true;
	pthread_cond_signal(&w->cond);
}

static void awaken_all(struct sock *s)
{
	for (struct waiter *w = s->in.first; w; w = w->next)
		awaken(w);
	for (struct waiter *w = s->out.first; w; w = w->next)
		awaken(w);
}

static void lane_push(struct lane *lane, struct waiter *w)
{
	struct waiter **at = &lane->first;

	while (*at)
		at = &(*at)->next;
	*at = w;
}

static void lane_remove(struct lane *lane, struct waiter *w)
{
	struct waiter **at = &lane->first;

	while (*at != w)
		at = &(*at)->next;
	*at = w->next;
	awaken(lane->first);
}

static usec_t call_deadline_us(const struct call *c)
{
	return c->deadline_us < c->lane->deadline_us ? c->deadline_us : c->lane->deadline_us;
}

/* Tries until it is this thread's turn and the attempt has an answer, or until there can be none. */
static int64_t attempt_until_done(struct call *c, struct waiter *w)
{
	struct loop *l = c->s->loop;

	for (;;) {
		int64_t result = TAPIR_EAGAIN;

		w->awake = false;
		if (c->s->closed)
			return TAPIR_EBADF;
		if (l->over)
			return TAPIR_EIO;
		if (call_deadline_us(c) <= l->now_us)
			return TAPIR_ETIMEDOUT;
		if (c->lane->first == w)
			result = c->attempt(l->stack, c);
		if (result != TAPIR_EAGAIN)
			return result;
		loop_wait(l, &w->cond, &w->awake, call_deadline_us(c));
	}
}

static int64_t run(struct call *c)
{
	struct sock *s = c->s;
	struct loop *l = s->loop;
	struct waiter w;
	int64_t result;

	waiter_init(&w);
	loop_enter(l);
	s->users++;
	lane_push(c->lane, &w);
	result = attempt_until_done(c, &w);
	lane_remove(c->lane, &w);
	if (--s->users == 0)
		awaken(s->closer);
	loop_leave(l);			/* s may be gone from here on */
	pthread_cond_destroy(&w.cond);
	return result;
}

/* ---- the sockets of a loop ---- */

static size_t row_of(tapir_sd sd)
{
	return (size_t)((uint64_t)sd & UINT32_MAX);
}

static bool make_row(struct net *n, size_t row)
{
	size_t count = n->count ? n->count : ROWS_FIRST;
	struct sock **rows;

	if (row < n->count)
		return true;
	while (count <= row)
		count *= 2;
	rows = realloc(n->rows, count * sizeof(*rows));
	if (rows == NULL)
		return false;
	memset(rows + n->count, 0, (count - n->count) * sizeof(*rows));
	n->rows = rows;
	n->count = count;
	return true;
}

/* Makes the socket known, so that readiness finds it. */
static int add(struct loop *l, struct sock *s, tapir_sd sd)
{
	*s = (struct sock){.loop = l, .sd = sd, .in.deadline_us = USEC_NEVER, .out.deadline_us = USEC_NEVER};
	if (l->net == NULL)
		l->net = calloc(1, sizeof *l->net);
	if (l->net == NULL || !make_row(l->net, row_of(sd)))
		return TAPIR_ENOMEM;
	l->net->rows[row_of(sd)] = s;
	return 0;
}

/* Closes the socket and waits until every call on it has returned. Ends in loop_leave. */
static void close_and_leave(struct sock *s)
{
	struct loop *l = s->loop;
	struct waiter w;

	assert(!s->closed);
	waiter_init(&w);
	tapir_close(l->stack, s->sd);
	l->net->rows[row_of(s->sd)] = NULL;
	s->closed = true;
	s->closer = &w;
	awaken_all(s);
	while (s->users > 0) {
		w.awake = false;
		loop_wait(l, &w.cond, &w.awake, USEC_NEVER);
	}
	loop_leave(l);
	pthread_cond_destroy(&w.cond);
	free(s);
}

bool net_ready(struct net *n, const struct tapir_poll_event *ev)
{
	struct sock *s = row_of(ev->sd) < n->count ? n->rows[row_of(ev->sd)] : NULL;
	const int ends = TAPIR_POLLHUP | TAPIR_POLLERR;

	if (s == NULL || s->sd != ev->sd)
		return false;
	if (ev->ready & (TAPIR_POLLIN | TAPIR_POLLRDHUP | ends))
		awaken(s->in.first);
	if (ev->ready & (TAPIR_POLLOUT | ends))
		awaken(s->out.first);
	return true;
}

void net_over(struct net *n)
{
	for (size_t i = 0; i < n->count; i++)
		if (n->rows[i])
			awaken_all(n->rows[i]);
}

void net_free(struct net *n)
{
	for (size_t i = 0; i < n->count; i++)
		assert(n->rows[i] == NULL);	/* net_close and net_close_listener come before loop_close */
	free(n->rows);
	free(n);
}

/* ---- opening ---- */

int net_parse(const char *host_port, struct tapir_endpoint *out)
{
	const char *colon = strrchr(host_port, ':'), *digit = colon ? colon + 1 : "";
	struct tapir_endpoint result = {.port = 0};
	char host[TAPIR_ADDR_TEXT];
	unsigned int port = 0;

	if (*digit == '\0' || (size_t)(colon - host_port) >= sizeof host)
		return TAPIR_EINVAL;
	memcpy(host, host_port, (size_t)(colon - host_port));
	host[colon - host_port] = '\0';
	if (*host && tapir_addr_parse(host, &result.addr) != 0)
		return TAPIR_EINVAL;
	for (; *digit >= '0' && *digit <= '9' && port <= PORT_MAX; digit++)
		port = port * 10 + (unsigned int)(*digit - '0');
	if (*digit != '\0' || port > PORT_MAX)
		return TAPIR_EINVAL;
	result.port = (uint16_t)port;
	*out = result;
	return 0;
}

/* A new socket of that type; NULL, with the reason. The caller has entered the loop. */
static struct sock *open_sock(struct loop *l, enum tapir_sock_type type, int *error)
{
	struct sock *s = calloc(1, sizeof *s);
	tapir_sd sd = s ? tapir_socket(l->stack, type) : TAPIR_ENOMEM;

	*error = sd < 0 ? (int)sd : add(l, s, sd);
	if (*error == 0)
		return s;
	if (sd >= 0)
		tapir_close(l->stack, sd);
	free(s);
	return NULL;
}

/* Opens a socket, binds it, and listens if it is a stream. */
static struct sock *open_bound(struct loop *l, const char *address, enum tapir_sock_type type, int *error)
{
	struct tapir_endpoint local;
	struct sock *s;

	*error = net_parse(address, &local);
	if (*error)
		return NULL;
	loop_enter(l);
	s = open_sock(l, type, error);
	if (s)
		*error = tapir_bind(l->stack, s->sd, &local);
	if (s && *error == 0 && type == TAPIR_SOCK_STREAM)
		*error = tapir_listen(l->stack, s->sd, tapir_get_config(l->stack)->backlog);
	if (s && *error) {
		close_and_leave(s);
		return NULL;
	}
	loop_leave(l);
	return s;
}

struct net_listener *net_listen(struct loop *l, const char *address, int *error)
{
	return (struct net_listener *)open_bound(l, address, TAPIR_SOCK_STREAM, error);
}

struct net_conn *net_listen_packet(struct loop *l, const char *address, int *error)
{
	return (struct net_conn *)open_bound(l, address, TAPIR_SOCK_DGRAM, error);
}

/* The connection is open, or has failed with the error that the socket keeps. */
static int64_t attempt_connected(struct tapir *t, struct call *c)
{
	int ready = tapir_poll(t, c->s->sd), error = 0;

	if (ready >= 0 && !(ready & (TAPIR_POLLOUT | TAPIR_POLLERR | TAPIR_POLLHUP)))
		return TAPIR_EAGAIN;
	tapir_getsockopt(t, c->s->sd, TAPIR_SO_ERROR, &error);
	return error;
}

struct net_conn *net_dial(struct loop *l, const char *address, usec_t deadline, int *error)
{
	struct call call = {.attempt = attempt_connected, .deadline_us = deadline};
	struct tapir_endpoint peer;
	struct sock *s;

	*error = net_parse(address, &peer);
	if (*error)
		return NULL;
	loop_enter(l);
	s = open_sock(l, TAPIR_SOCK_STREAM, error);
	if (s)
		*error = tapir_connect(l->stack, s->sd, &peer);
	loop_leave(l);
	if (s == NULL)
		return NULL;
	if (*error == TAPIR_EINPROGRESS) {
		call.s = s;
		call.lane = &s->out;
		*error = (int)run(&call);
	}
	if (*error == 0)
		return (struct net_conn *)s;
	net_close((struct net_conn *)s);
	return NULL;
}

static int64_t attempt_accept(struct tapir *t, struct call *c)
{
	struct net_conn *conn;
	tapir_sd sd = tapir_accept(t, c->s->sd, NULL);
	int error;

	if (sd < 0)
		return sd;
	conn = calloc(1, sizeof *conn);
	error = conn ? add(c->s->loop, &conn->s, sd) : TAPIR_ENOMEM;
	if (error) {
		tapir_abort(t, sd);
		free(conn);
		return error;
	}
	c->in = conn;
	return 0;
}

struct net_conn *net_accept(struct net_listener *ln, usec_t deadline, int *error)
{
	struct call call = {.s = &ln->s, .lane = &ln->s.in, .attempt = attempt_accept, .deadline_us = deadline};

	*error = (int)run(&call);
	return call.in;
}

/* ---- moving bytes ---- */

static int64_t attempt_read(struct tapir *t, struct call *c)
{
	return tapir_recvfrom(t, c->s->sd, c->in, c->n, c->from);
}

int64_t net_read(struct net_conn *c, void *buf, size_t n)
{
	return net_read_from(c, buf, n, NULL);
}

int64_t net_read_from(struct net_conn *c, void *buf, size_t n, struct tapir_endpoint *from)
{
	struct call call = {.s = &c->s, .lane = &c->s.in, .attempt = attempt_read, .deadline_us = USEC_NEVER};

	call.in = buf;
	call.n = n;
	call.from = from;
	return run(&call);
}

static int64_t attempt_write(struct tapir *t, struct call *c)
{
	while (c->done < c->n) {
		int64_t sent = tapir_send(t, c->s->sd, (const uint8_t *)c->out + c->done, c->n - c->done);

		if (sent < 0)
			return sent;
		c->done += (size_t)sent;
	}
	return (int64_t)c->n;
}

int64_t net_write(struct net_conn *c, const void *buf, size_t n)
{
	struct call call = {.s = &c->s, .lane = &c->s.out, .attempt = attempt_write, .deadline_us = USEC_NEVER};

	call.out = buf;
	call.n = n;
	return run(&call);
}

static int64_t attempt_write_to(struct tapir *t, struct call *c)
{
	return tapir_sendto(t, c->s->sd, c->out, c->n, c->to);
}

int64_t net_write_to(struct net_conn *c, const void *buf, size_t n, const struct tapir_endpoint *to)
{
	struct call call = {.s = &c->s, .lane = &c->s.out, .attempt = attempt_write_to, .deadline_us = USEC_NEVER};

	call.out = buf;
	call.n = n;
	call.to = to;
	return run(&call);
}

/* ---- the rest ---- */

int net_close_write(struct net_conn *c)
{
	struct loop *l = c->s.loop;
	int result;

	loop_enter(l);
	result = tapir_shutdown(l->stack, c->s.sd, TAPIR_SHUT_WR);
	loop_leave(l);
	return result;
}

void net_close(struct net_conn *c)
{
	loop_enter(c->s.loop);
	close_and_leave(&c->s);
}

void net_close_listener(struct net_listener *ln)
{
	loop_enter(ln->s.loop);
	close_and_leave(&ln->s);
}

void net_set_deadline(struct net_conn *c, usec_t read_deadline, usec_t write_deadline)
{
	struct loop *l = c->s.loop;

	loop_enter(l);
	c->s.in.deadline_us = read_deadline;
	c->s.out.deadline_us = write_deadline;
	awaken_all(&c->s);		/* those who wait look at their deadline again */
	loop_leave(l);
}

struct tapir_endpoint net_local(struct net_conn *c)
{
	struct tapir_endpoint local = {.port = 0};

	loop_enter(c->s.loop);
	tapir_getsockname(c->s.loop->stack, c->s.sd, &local);
	loop_leave(c->s.loop);
	return local;
}

struct tapir_endpoint net_remote(struct net_conn *c)
{
	struct tapir_endpoint remote = {.port = 0};

	loop_enter(c->s.loop);
	tapir_getpeername(c->s.loop->stack, c->s.sd, &remote);
	loop_leave(c->s.loop);
	return remote;
}
