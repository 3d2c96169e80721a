/* nc.c: `tapir nc`: standard input and output joined to a TCP connection or a UDP socket of a stack of its own, with the habits
 * of OpenBSD's nc. Nothing blocks but the wait of the loop: standard input is read when there is room for what it says,
 * standard output is written when it takes more, and between them the peer's window does the rest.
 *
 * After each turn of the loop one function, step, does all that has become possible. */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "args.h"
#include "commands.h"
#include "station.h"
#include "values.h"

#define IN_BYTES 16384u			/* one read, and so one datagram, at most; as OpenBSD's nc */
#define OUT_BYTES 65536u		/* any datagram fits */
#define WRITE_BYTES 4096u		/* a pipe that poll(2) calls writable takes so much without blocking (PIPE_BUF) */

static const struct option_line own_options[] = {
	{ 'l', "listen", NULL, "wait for a connection on PORT" },
	{ 'k', "keep", NULL, "with -l: when it ends, wait for the next" },
	{ 'u', "udp", NULL, "UDP: each read of standard input is a datagram" },
	{ 'p', "port", "PORT", "the local port (one that is free)" },
	{ 'w', "wait", "TIME", "end when nothing happens for so long: seconds, or 200ms" },
	{ 'v', "verbose", NULL, "say on standard error what happens" },
	{ 0, NULL, NULL, NULL }
};

static const char about[] =
	"Sends standard input to HOST, an address, and writes to standard output what comes back; or waits for who connects.\n"
	"At the end of input the sending direction is closed (as OpenBSD's nc does with -N) and the other one goes on. It ends\n"
	"when both have ended; when it listens, or input is a terminal, as soon as the peer has. UDP has no end: use -w.\n"
	"The exit code is 0, or 1 when the connection failed.\n";

static const char examples[] =
	"  tapir nc --up 10.0.0.1/24 10.0.0.1 22          as root: makes tap0, talks to the kernel at its other end\n"
	"  tapir nc -l 8080 < answer.http                 then: curl http://10.0.0.2:8080/\n"
	"  printf hello | tapir nc -u -w 1 10.0.0.1 5000\n"
	"  tapir nc -l 5000 --capture wire.pcap           then: tapir ladder wire.pcap\n"
	"  tapir nc --loss 5% 10.0.0.1 5000 < big.file    over a bad line\n";

enum phase { PHASE_LISTEN, PHASE_CONNECT, PHASE_TALK, PHASE_FINISH, PHASE_OVER };

struct nc {
	struct station station;
	struct options options;
	bool listen, keep, udp, verbose;
	uint16_t local_port;
	usec_t wait_us;			/* 0: for ever */
	struct tapir_endpoint peer;	/* port 0: not known yet */

	enum phase phase;
	int code;
	tapir_sd listener, sd;
	bool in_watched, out_watched;
	bool in_ready;			/* a read of standard input would not block */
	bool in_end, in_told;		/* standard input is at its end; our FIN says so */
	bool net_end;			/* the peer's direction is at its end, and read */
	bool is_terminal;
	usec_t busy_us;			/* when something last happened */
	size_t in_at, in_len, out_at, out_len;
	uint8_t in[IN_BYTES], out[OUT_BYTES];
};

static const char *protocol(const struct nc *n)
{
	return n->udp ? "udp" : "tcp";
}

static void say(const struct nc *n, const char *what, const struct tapir_endpoint *who)
{
	char text[TAPIR_ADDR_TEXT];
	if (n->verbose)
		fprintf(stderr, "tapir nc: %s %s port %u (%s)\n", what, tapir_addr_format(&who->addr, text), who->port,
			protocol(n));
}

static void over(struct nc *n, int code)
{
	n->code = code;
	n->phase = PHASE_OVER;
}

static void failed(struct nc *n, const char *what, int error)
{
	char text[TAPIR_ADDR_TEXT];
	fprintf(stderr, "tapir nc: %s %s port %u (%s) failed: %s.\n", what, tapir_addr_format(&n->peer.addr, text), n->peer.port,
		protocol(n), tapir_strerror(error));
	over(n, 1);
}

/* --- standard input and output --- */

static void on_input(void *ctx, uint32_t events)
{
	(void)events;
	((struct nc *)ctx)->in_ready = true;
}

static void on_output(void *ctx, uint32_t events)
{
	(void)ctx;
	(void)events;			/* the turn ends with a step */
}

static void watch_input(struct nc *n, bool want)
{
	if (want != n->in_watched && loop_watch(n->station.loop, STDIN_FILENO, want ? EPOLLIN : 0, on_input, n) < 0)
		n->in_end = true;	/* closed */
	n->in_watched = want;
}

static void watch_output(struct nc *n, bool want)
{
	if (want != n->out_watched)
		loop_watch(n->station.loop, STDOUT_FILENO, want ? EPOLLOUT : 0, on_output, n);
	n->out_watched = want;
}

static bool output_is_ready(void)
{
	struct pollfd p = { .fd = STDOUT_FILENO, .events = POLLOUT };
	return poll(&p, 1, 0) > 0;
}

/* Writes what was received, as far as it goes without blocking. True when all is written. */
static bool write_output(struct nc *n)
{
	while (n->out_at < n->out_len && output_is_ready()) {
		size_t piece = n->out_len - n->out_at < WRITE_BYTES ? n->out_len - n->out_at : WRITE_BYTES;
		ssize_t written = write(STDOUT_FILENO, n->out + n->out_at, piece);
		if (written < 0 && errno != EAGAIN && errno != EINTR) {
			if (errno != EPIPE)
				fprintf(stderr, "tapir nc: cannot write what was received: %s.\n", strerror(errno));
			over(n, 1);
		}
		if (written <= 0)
			break;
		n->out_at += (size_t)written;
	}
	watch_output(n, n->out_at < n->out_len && n->phase != PHASE_OVER);
	return n->out_at == n->out_len;
}

static void read_input(struct nc *n)
{
	if (!n->in_ready || n->in_end || n->in_at < n->in_len)
		return;
	ssize_t got = read(STDIN_FILENO, n->in, sizeof n->in);
	n->in_ready = false;
	if (got < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	n->in_end = got <= 0;
	n->in_at = 0;
	n->in_len = got > 0 ? (size_t)got : 0;
	n->busy_us = loop_now(n->station.loop);
}

/* --- the two directions --- */

/* Sends one piece of what was read. True when all of it is sent. */
static bool send_input(struct nc *n)
{
	struct tapir *t = n->station.stack;
	while (n->in_at < n->in_len) {
		int64_t sent = tapir_send(t, n->sd, n->in + n->in_at, n->in_len - n->in_at);
		if (sent == TAPIR_EAGAIN)
			return false;
		if (sent < 0) {
			failed(n, "sending to", (int)sent);
			return false;
		}
		n->in_at += (size_t)sent;
		n->busy_us = loop_now(n->station.loop);
	}
	return true;
}

static void pump_in(struct nc *n)
{
	bool sent = send_input(n);
	if (sent && n->phase == PHASE_TALK) {
		read_input(n);
		sent = send_input(n);
	}
	if (n->phase != PHASE_TALK)
		return;
	watch_input(n, sent && !n->in_end);
	if (sent && n->in_end && !n->in_told && !n->udp)
		tapir_shutdown(n->station.stack, n->sd, TAPIR_SHUT_WR);
	n->in_told = sent && n->in_end;
}

/* A listener for datagrams talks to whom it heard first; with -k to whom it heard last. */
static void heard(struct nc *n, const struct tapir_endpoint *from)
{
	bool first = !n->peer.port;
	if (!n->udp || !n->listen || (!first && !n->keep))
		return;
	n->peer = *from;
	if (first || n->keep)
		say(n, "a datagram from", from);
	if (!n->keep)
		tapir_connect(n->station.stack, n->sd, from);
}

static void pump_out(struct nc *n)
{
	struct tapir_endpoint from = { .port = 0 };
	while (n->phase == PHASE_TALK && !n->net_end && write_output(n)) {
		int64_t got = tapir_recvfrom(n->station.stack, n->sd, n->out, sizeof n->out, &from);
		if (got == TAPIR_EAGAIN)
			return;
		if (got < 0) {
			failed(n, n->udp ? "talking to" : "the connection with", (int)got);
			return;
		}
		n->net_end = got == 0 && !n->udp;
		n->out_at = 0;
		n->out_len = (size_t)got;
		n->busy_us = loop_now(n->station.loop);
		heard(n, &from);
	}
}

/* --- a connection's life --- */

static void start_talk(struct nc *n)
{
	n->phase = PHASE_TALK;
	n->in_told = n->net_end = false;
	n->busy_us = loop_now(n->station.loop);
}

static void listen_again(struct nc *n)
{
	n->sd = TAPIR_EBADF;
	n->phase = PHASE_LISTEN;
	n->in_at = n->in_len = 0;
	watch_input(n, false);
}

static void step_listen(struct nc *n)
{
	struct tapir *t = n->station.stack;
	tapir_sd sd = tapir_accept(t, n->listener, &n->peer);
	if (sd < 0)
		return;
	n->sd = sd;
	say(n, "a connection from", &n->peer);
	if (!n->keep)
		tapir_close(t, n->listener);
	start_talk(n);
}

static void step_connect(struct nc *n)
{
	struct tapir *t = n->station.stack;
	int error = 0, ready = tapir_poll(t, n->sd);
	if (ready & (TAPIR_POLLERR | TAPIR_POLLHUP)) {
		tapir_getsockopt(t, n->sd, TAPIR_SO_ERROR, &error);
		failed(n, "connecting to", error ? error : TAPIR_ECONNABORTED);
	} else if (ready & TAPIR_POLLOUT) {
		say(n, "connected to", &n->peer);
		start_talk(n);
	}
}

static void step_talk(struct nc *n)
{
	pump_out(n);
	if (n->phase == PHASE_TALK && (!n->udp || n->peer.port))
		pump_in(n);
	bool ends_with_peer = n->listen || n->is_terminal;
	if (n->phase != PHASE_TALK || !n->net_end || !(n->in_told || (ends_with_peer && n->in_at == n->in_len)))
		return;
	watch_input(n, false);
	tapir_shutdown(n->station.stack, n->sd, TAPIR_SHUT_WR);
	n->phase = PHASE_FINISH;
}

/* The stack ends with this program, so what was sent must have arrived before. */
static void step_finish(struct nc *n)
{
	struct tapir_tcp_info info;
	int error = 0;
	tapir_tcp_info(n->station.stack, n->sd, &info);
	if (info.state != TAPIR_TCP_TIME_WAIT && info.state != TAPIR_TCP_CLOSED)
		return;
	tapir_getsockopt(n->station.stack, n->sd, TAPIR_SO_ERROR, &error);
	tapir_close(n->station.stack, n->sd);
	if (error)
		failed(n, "the connection with", error);
	else if (n->listen && n->keep)
		listen_again(n);
	else
		over(n, 0);
}

static void step(struct nc *n)
{
	if (n->phase == PHASE_LISTEN)
		step_listen(n);
	if (n->phase == PHASE_CONNECT)
		step_connect(n);
	if (n->phase == PHASE_TALK)
		step_talk(n);
	if (n->phase == PHASE_FINISH)
		step_finish(n);
	if (n->phase == PHASE_OVER && n->code && n->listen && n->keep && !n->udp && n->sd >= 0) {
		tapir_close(n->station.stack, n->sd);	/* the connection failed, not the waiting */
		n->out_at = n->out_len = 0;
		listen_again(n);
	}
}

static void on_wait(void *ctx)
{
	struct nc *n = ctx;
	usec_t due = n->busy_us + n->wait_us;
	if (n->phase == PHASE_LISTEN || due > loop_now(n->station.loop)) {
		usec_t at = n->phase == PHASE_LISTEN ? loop_now(n->station.loop) + n->wait_us : due;
		loop_at(n->station.loop, at, on_wait, n);
	} else if (n->phase == PHASE_CONNECT) {
		failed(n, "connecting to", TAPIR_ETIMEDOUT);
	} else {
		over(n, 0);
	}
}

/* --- from beginning to end --- */

static int open_udp(struct nc *n)
{
	struct tapir *t = n->station.stack;
	struct tapir_endpoint local = { .port = n->local_port };
	n->sd = tapir_socket(t, TAPIR_SOCK_DGRAM);
	int error = tapir_bind(t, n->sd, &local);
	if (!error && n->peer.port)
		error = tapir_connect(t, n->sd, &n->peer);
	start_talk(n);
	return error;
}

static int open_tcp(struct nc *n)
{
	struct tapir *t = n->station.stack;
	struct tapir_endpoint local = { .port = n->local_port };
	tapir_sd sd = tapir_socket(t, TAPIR_SOCK_STREAM);
	int error = tapir_bind(t, sd, &local);
	n->sd = sd;
	if (error)
		return error;
	if (n->listen) {
		n->listener = sd;
		n->sd = TAPIR_EBADF;
		n->phase = PHASE_LISTEN;
		return tapir_listen(t, sd, 1);
	}
	n->phase = PHASE_CONNECT;
	error = tapir_connect(t, sd, &n->peer);
	return error == TAPIR_EINPROGRESS ? 0 : error;
}

static void turn_until_over(struct nc *n)
{
	struct station *s = &n->station;
	struct tapir_endpoint local = { n->options.addr, n->local_port };
	if (n->listen)
		say(n, "listening on", &local);
	n->busy_us = loop_now(s->loop);
	if (n->wait_us)
		loop_at(s->loop, n->busy_us + n->wait_us, on_wait, n);
	step(n);
	while (n->phase != PHASE_OVER && !s->signal) {
		if (loop_turn(s->loop, USEC_NEVER) < 0) {
			fprintf(stderr, "tapir nc: %s\n", driver_error());
			over(n, 1);
			return;
		}
		if (n->phase != PHASE_OVER)
			step(n);
	}
	if (s->signal)
		n->code = 128 + s->signal;
}

static int run(struct nc *n)
{
	struct station *s = &n->station;
	n->code = 1;
	if (station_open(s, "nc", &n->options, NULL) && station_ready(s)) {
		int error = n->udp ? open_udp(n) : open_tcp(n);
		if (error)
			failed(n, n->listen ? "listening on" : "connecting to", error);
		else
			turn_until_over(n);
		if (n->sd >= 0)
			tapir_close(s->stack, n->sd);	/* nothing, if it was closed before */
	}
	station_close(s);
	return n->code;
}

/* NULL, or what would have been accepted. */
static const char *set(struct nc *n, int id, const char *value)
{
	switch (id) {
	case 'l':
		n->listen = true;
		return NULL;
	case 'k':
		n->keep = true;
		return NULL;
	case 'u':
		n->udp = true;
		return NULL;
	case 'p':
		return value_port(value, &n->local_port) ? NULL : "a port from 1 to 65535";
	case 'w':
		return value_duration(value, TAPIR_SEC, &n->wait_us) && n->wait_us ? NULL :
		       "a time: seconds, or with a unit, such as 200ms";
	default:
		n->verbose = true;
		return NULL;
	}
}

static int bad_operands(struct nc *n, const struct args *a)
{
	if (n->keep && !n->listen)
		return args_bad(a, "-k goes with -l only.");
	if (n->listen && n->local_port)
		return args_bad(a, "with -l the port is written without -p: tapir nc -l %u", n->local_port);
	if (a->argc != (n->listen ? 1 : 2))
		return args_bad(a, n->listen ? "with -l there is one PORT and nothing else." : "HOST and PORT are wanted, both.");
	const char *port = a->argv[a->argc - 1];
	if (!value_port(port, n->listen ? &n->local_port : &n->peer.port))
		return args_bad(a, "'%s': wanted a port from 1 to 65535.", port);
	return 0;
}

static int parse_and_run(struct nc *n, struct args *a)
{
	const char *value, *wanted;
	int id;
	while ((id = args_next(a, &value)) > 0) {
		wanted = set(n, id, value);
		if (wanted)
			return args_exit(args_bad_value(a, id, value, wanted));
	}
	if (id != ARGS_END)
		return args_exit(id);
	int bad = bad_operands(n, a);
	if (bad)
		return args_exit(bad);
	if (!n->listen && !station_host("nc", a->argv[0], &n->peer.addr))
		return 2;
	n->is_terminal = isatty(STDIN_FILENO);
	return run(n);
}

int nc_main(int argc, char **argv)
{
	struct nc *n = calloc(1, sizeof *n);
	if (!n) {
		fprintf(stderr, "tapir nc: out of memory.\n");
		return 1;
	}
	n->sd = n->listener = TAPIR_EBADF;
	options_default(&n->options);
	n->options.stdout_taken = true;
	struct args a = {
		.command = "nc", .synopsis = "[OPTION]... HOST PORT | -l [OPTION]... PORT", .about = about, .examples = examples,
		.own = own_options, .common = &n->options, .argc = argc, .argv = argv,
	};
	int code = parse_and_run(n, &a);
	free(n);
	return code;
}
