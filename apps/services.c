/* services.c: see services.h. discard and chargen, the sink and the source of measurements, copy nothing: what is discarded is
 * looked at where it lies, and what is generated is one constant text, lent to the stack. */
#include "services.h"

#include <stdlib.h>
#include <string.h>

#include "utf8.h"

#define SPANS 16
#define PIECE_BYTES 16384u		/* upper and greet work on so much at once; a longer line is answered in parts */
#define BACKLOG 1024
#define LINE_BYTES 74u			/* of chargen: 72 characters, CR, LF */
#define UDP_CHARGEN_MAX 512u		/* RFC 864: "a random number (between 0 and 512) of characters" */

/* One connection that is being looked at. */
struct call { struct tapir *t; tapir_sd sd; struct service *service; bool in_line; };

/* Does all that can be done now. 0: wait for the next event; negative, or 1: nothing more will come, close. */
typedef int (*tcp_fn)(struct call *c);
typedef void (*udp_fn)(struct tapir *t, tapir_sd sd, void *service, struct span data, const struct tapir_endpoint *from);
struct service_kind { const char *name; tcp_fn tcp; struct tapir_handlers udp; };

enum { WAIT = 0, END = 1 };

/* What a negative or 0 result of recv means for the connection. */
static int end_or_wait(int64_t result)
{
	return result == TAPIR_EAGAIN ? WAIT : END;
}

static size_t bytes_of(const struct span *spans, int count)
{
	size_t n = 0;
	for (int i = 0; i < count; i++)
		n += spans[i].n;
	return n;
}

/* --- echo, discard, daytime, chargen --- */

static int echo(struct call *c)
{
	int64_t n;
	do
		n = tapir_splice(c->t, c->sd, c->sd, SIZE_MAX);
	while (n > 0);
	return end_or_wait(n);
}

static int discard(struct call *c)
{
	struct span spans[SPANS];
	int n;
	while ((n = tapir_recv_peek(c->t, c->sd, spans, SPANS)) > 0)
		tapir_recv_consume(c->t, c->sd, bytes_of(spans, n));
	return end_or_wait(n);
}

static size_t daytime_text(const struct service *s, char text[80])
{
	time_t now = s->all->config.wall_clock(NULL);
	struct tm tm;
	return strftime(text, 80, "%A, %B %d, %Y %H:%M:%S-UTC\r\n", gmtime_r(&now, &tm));
}

/* The answer is sent when the connection is accepted; what the peer sends is thrown away until it closes, because closing
 * over unread bytes is a reset that may overtake the answer (RFC 1122 4.2.2.13). */
static int daytime(struct call *c)
{
	struct tapir_tcp_info info;
	char text[80];
	size_t n = daytime_text(c->service, text);
	bool answered = tapir_tcp_info(c->t, c->sd, &info) < 0 ||
		(info.state != TAPIR_TCP_ESTABLISHED && info.state != TAPIR_TCP_CLOSE_WAIT);
	if (!answered) {
		int64_t sent = tapir_send(c->t, c->sd, text, n);
		if (sent < 0)
			return end_or_wait(sent);
		tapir_shutdown(c->t, c->sd, TAPIR_SHUT_WR);
	}
	return discard(c);
}

static int chargen(struct call *c)
{
	const uint8_t *text = c->service->all->chargen;
	int end = discard(c);
	if (end)
		return end;
	int64_t sent;
	do
		sent = tapir_send_borrowed(c->t, c->sd, text, CHARGEN_BYTES, NULL, NULL);
	while (sent > 0);
	return end_or_wait(sent);
}

static void fill_chargen(uint8_t *text, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		size_t line = i / LINE_BYTES, column = i % LINE_BYTES;
		text[i] = (uint8_t)(column == 72 ? '\r' : column == 73 ? '\n' : ' ' + (line + column) % 95);
	}
}

/* --- upper and greet: answers that are made --- */

/* Copies what lies unread to piece: how many bytes, 0 at the end, or an error. *all: nothing lies behind it yet. */
static int64_t gather(struct call *c, uint8_t piece[PIECE_BYTES], bool *all)
{
	struct span spans[SPANS];
	size_t n = 0;
	int count = tapir_recv_peek(c->t, c->sd, spans, SPANS);
	if (count <= 0)
		return count;
	*all = count < SPANS;
	for (int i = 0; i < count; i++) {
		size_t take = spans[i].n < PIECE_BYTES - n ? spans[i].n : PIECE_BYTES - n;
		*all = *all && take == spans[i].n;
		memcpy(piece + n, spans[i].p, take);
		n += take;
	}
	return (int64_t)n;
}

static bool peer_has_ended(struct call *c)
{
	return tapir_poll(c->t, c->sd) & TAPIR_POLLRDHUP;
}

static void give_back(void *ctx, const uint8_t *p)
{
	(void)ctx;
	free((void *)(uintptr_t)p);
}

/* Sends answer, which came from malloc, wholly or not at all, so that used bytes of the question can be consumed, or not:
 * 0, or an error (EAGAIN: the question will be looked at again). */
static int send_answer(struct call *c, struct span answer, size_t used)
{
	int64_t sent = tapir_send_borrowed(c->t, c->sd, answer.p, answer.n, give_back, NULL);
	if (sent < 0) {
		give_back(NULL, answer.p);
		return (int)sent;
	}
	return tapir_recv_consume(c->t, c->sd, used);
}

/* A character that is not yet complete stays unread until it is, or until the peer has ended. */
static int upper(struct call *c)
{
	uint8_t piece[PIECE_BYTES];
	bool all;
	int64_t n;
	while ((n = gather(c, piece, &all)) > 0) {
		struct span text = { piece, (size_t)n };
		if (!all || !peer_has_ended(c))
			text.n = utf8_whole(text);
		uint8_t *answer = text.n ? malloc(2 * text.n) : NULL;
		if (!answer)
			return text.n ? END : WAIT;
		int error = send_answer(c, (struct span){ answer, utf8_upper(text, answer) }, text.n);
		if (error)
			return end_or_wait(error);
	}
	return end_or_wait(n);
}

/* How much of text can be answered: complete lines are, and the beginning of one only when it grows too long to wait for or
 * no more will come. */
static size_t answerable(struct span text, bool last, bool full)
{
	for (size_t n = text.n; n > 0; n--)
		if (text.p[n - 1] == '\n')
			return n;
	return last ? text.n : full ? utf8_whole(text) : 0;
}

/* Writes text to out with the prefix in front of each line; returns how many bytes. *in_line is kept. */
static size_t greet_lines(const char *prefix, struct span text, uint8_t *out, bool *in_line)
{
	size_t n = 0, prefix_len = strlen(prefix);
	for (size_t i = 0; i < text.n; i++) {
		if (!*in_line) {
			memcpy(out + n, prefix, prefix_len);
			n += prefix_len;
		}
		out[n++] = text.p[i];
		*in_line = text.p[i] != '\n';
	}
	return n;
}

static size_t count_lines(struct span text)
{
	size_t n = 1;
	for (size_t i = 0; i < text.n; i++)
		n += text.p[i] == '\n';
	return n;
}

static int greet(struct call *c)
{
	const char *prefix = c->service->all->config.greet_prefix;
	uint8_t piece[PIECE_BYTES];
	bool all;
	int64_t n;
	while ((n = gather(c, piece, &all)) > 0) {
		struct span text = { piece, (size_t)n };
		text.n = answerable(text, all && peer_has_ended(c), !all);
		uint8_t *answer = text.n ? malloc(text.n + count_lines(text) * strlen(prefix)) : NULL;
		if (!answer)
			return text.n ? END : WAIT;
		bool in_line = c->in_line;
		size_t len = greet_lines(prefix, text, answer, &in_line);
		int error = send_answer(c, (struct span){ answer, len }, text.n);
		if (error)
			return end_or_wait(error);
		c->in_line = in_line;
		tapir_set_user(c->t, c->sd, &c->service->talks[in_line]);
	}
	return end_or_wait(n);
}

/* --- datagrams --- */

/* Two services that answer each other would never end. */
static bool from_a_service(const struct service *s, const struct tapir_endpoint *from)
{
	for (int i = 0; i < s->all->count; i++)
		if (s->all->list[i].port == from->port)
			return true;
	return from->port == 0;
}

/* An answer that finds no room is lost, as datagrams are. */
static void answer(struct tapir *t, tapir_sd sd, struct span text, const struct tapir_endpoint *to)
{
	tapir_sendto(t, sd, text.p, text.n, to);
}

static void udp_echo(struct tapir *t, tapir_sd sd, void *service, struct span data, const struct tapir_endpoint *from)
{
	if (!from_a_service(service, from))
		answer(t, sd, data, from);
}

static void udp_daytime(struct tapir *t, tapir_sd sd, void *service, struct span data, const struct tapir_endpoint *from)
{
	char text[80];
	(void)data;
	size_t n = daytime_text(service, text);
	if (!from_a_service(service, from))
		answer(t, sd, (struct span){ (const uint8_t *)text, n }, from);
}

static void udp_chargen(struct tapir *t, tapir_sd sd, void *service, struct span data, const struct tapir_endpoint *from)
{
	struct service *s = service;
	struct services *all = s->all;
	(void)data;
	if (from_a_service(s, from))
		return;
	all->lottery = all->lottery * 1664525u + 1013904223u;
	size_t line = (all->lottery >> 8) % 95, n = (all->lottery >> 16) % (UDP_CHARGEN_MAX + 1);
	answer(t, sd, (struct span){ all->chargen + line * LINE_BYTES, n }, from);
}

static void udp_upper(struct tapir *t, tapir_sd sd, void *service, struct span data, const struct tapir_endpoint *from)
{
	uint8_t *text = from_a_service(service, from) ? NULL : malloc(2 * data.n + 1);
	if (text)
		answer(t, sd, (struct span){ text, utf8_upper(data, text) }, from);
	free(text);
}

static void udp_greet(struct tapir *t, tapir_sd sd, void *service, struct span data, const struct tapir_endpoint *from)
{
	struct service *s = service;
	size_t n = strlen(s->all->config.greet_prefix);
	uint8_t *text = from_a_service(s, from) ? NULL : malloc(n + data.n + 1);
	if (!text)
		return;
	memcpy(text, s->all->config.greet_prefix, n);
	if (data.n)
		memcpy(text + n, data.p, data.n);
	answer(t, sd, (struct span){ text, n + data.n }, from);
	free(text);
}

/* --- all of them --- */

static const struct service_kind
	kind_echo = { "echo", echo, { .on_message = udp_echo } },
	kind_discard = { "discard", discard, { .on_message = NULL } },
	kind_daytime = { "daytime", daytime, { .on_message = udp_daytime } },
	kind_chargen = { "chargen", chargen, { .on_message = udp_chargen } },
	kind_upper = { "upper", upper, { .on_message = udp_upper } },
	kind_greet = { "greet", greet, { .on_message = udp_greet } };

const char *service_name(const struct service *s)
{
	return s->kind->name;
}

static int listen_tcp(struct tapir *t, struct service *s)
{
	struct tapir_endpoint local = { .port = s->port };
	s->listener = tapir_socket(t, TAPIR_SOCK_STREAM);
	if (s->listener < 0)
		return (int)s->listener;
	tapir_setsockopt(t, s->listener, TAPIR_SO_KEEPALIVE, 1);	/* its connections: clients may vanish */
	tapir_set_user(t, s->listener, &s->talks[false]);
	int error = tapir_bind(t, s->listener, &local);
	return error ? error : tapir_listen(t, s->listener, BACKLOG);
}

static int add(struct services *all, struct tapir *t, const struct service_kind *kind, uint16_t port)
{
	struct service *s = &all->list[all->count++];
	*s = (struct service){ .all = all, .kind = kind, .port = port, .talks = { { s, false }, { s, true } } };
	int error = listen_tcp(t, s);
	tapir_sd udp = error ? error : tapir_serve_udp(t, port, &kind->udp, s);
	if (udp < 0)
		all->failed_port = port;
	return udp < 0 ? (int)udp : 0;
}

static int add_iperf3(struct services *s, struct tapir *t)
{
	struct iperf3_config *config = &s->config.iperf3;
	if (!config->port)
		return 0;
	config->text = (struct span){ s->chargen, CHARGEN_BYTES };
	int error = iperf3_start(&s->iperf3, t, config);
	if (error)
		s->failed_port = config->port;
	return error;
}

int services_start(struct services *s, struct tapir *t, const struct services_config *config)
{
	const struct { const struct service_kind *kind; uint16_t port; } wanted[SERVICES_MAX] = {
		{ &kind_echo, 7 }, { &kind_discard, 9 }, { &kind_daytime, 13 }, { &kind_chargen, 19 },
		{ &kind_upper, config->upper_port }, { &kind_greet, config->greet_port },
	};
	int error = 0;
	*s = (struct services){ .config = *config };
	fill_chargen(s->chargen, sizeof s->chargen);
	for (int i = 0; i < SERVICES_MAX && !error; i++)
		if (wanted[i].port)
			error = add(s, t, wanted[i].kind, wanted[i].port);
	return error ? error : add_iperf3(s, t);
}

void services_free(struct services *s)
{
	iperf3_free(s->iperf3);
}

static void accept_all(struct tapir *t, struct service *s)
{
	tapir_sd sd;
	while ((sd = tapir_accept(t, s->listener, NULL)) >= 0)
		tapir_set_user(t, sd, &s->talks[false]);	/* its own event follows */
}

void services_ready(struct tapir *t, const struct tapir_poll_event *event)
{
	const struct service_talk *talk = event->user;
	struct call c = { t, event->sd, talk->service, talk->in_line };
	if (event->sd == talk->service->listener)
		accept_all(t, talk->service);
	else if (talk->service->kind->tcp(&c) != WAIT)
		tapir_close(t, event->sd);
}
