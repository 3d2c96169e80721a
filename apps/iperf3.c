/* iperf3.c: see iperf3.h. Who is connected, and the course of the one test.
 *
 * Everybody who connects is a visitor until 37 bytes have come, the cookie. The first cookie makes its connection the control
 * connection of a test; while that asks for streams, the same cookie makes a connection a stream; with any other one it is told
 * that the server is busy. Over the control connection go single bytes, and texts with their length in front:
 *
 *	client      cookie            parameters                        TEST_END                  results                   DONE
 *	server             PARAMETERS           STREAMS  START RUNNING            EXCHANGE_RESULTS        results  DISPLAY
 *	state   IDLE       PARAMETERS           STREAMS  RUNNING                  RESULTS                          DISPLAY  IDLE
 *
 * Invariants: `talks` is in the order of arrival, and a test's streams are numbered in that order; there is a control connection
 * exactly when the state is not IDLE; whoever is neither it nor a stream has a time by which it is thrown out. */
#include "iperf3.h"

#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "iperf3_json.h"

#define COOKIE_BYTES 37
#define BACKLOG 256
#define VISIT_US (10 * TAPIR_SEC)	/* to say who one is, or to go */
#define GRACE_US (40 * TAPIR_SEC)	/* for each step of the protocol, and for a timed test beyond its time; as iperf3 */
#define STALL_US (120 * TAPIR_SEC)	/* without a byte, in a test without a time; as iperf3 */
#define WATCH_US TAPIR_SEC
#define KEEP_IDLE_S 10			/* a client that has vanished is missed after 10 + 6 * 5 seconds */
#define KEEP_INTERVAL_S 5
#define KEEP_COUNT 6

enum message {			/* of one byte */
	MSG_START = 1, MSG_RUNNING = 2, MSG_END = 4, MSG_PARAMETERS = 9, MSG_STREAMS = 10, MSG_CLIENT_TERMINATE = 12,
	MSG_EXCHANGE_RESULTS = 13, MSG_DISPLAY = 14, MSG_DONE = 16, MSG_BUSY = 0xff, MSG_ERROR = 0xfe
};
enum state { IDLE, PARAMETERS, STREAMS, RUNNING, RESULTS, DISPLAY };
enum role { VISITOR, CONTROL, STREAM, LEAVING };

struct talk {			/* one connection */
	struct talk *next;
	struct iperf3 *server;
	tapir_sd sd;
	enum role role;
	usec_t until_us;		/* VISITOR, LEAVING */
	struct tapir_addr peer;
	struct iperf3_stream *stream;	/* STREAM: once the test runs */
	unsigned cookie_n;
	char cookie[COOKIE_BYTES];
};

struct test {			/* all zero: none */
	enum state state;
	struct talk *control;
	struct tapir_addr client;
	usec_t until_us;		/* when the next step must have come */
	struct iperf3_params params;
	struct iperf3_stream *streams;	/* wanted of them */
	unsigned wanted, here;
	struct iperf3_source source;
	usec_t start_us, end_us, omit_us;	/* omit_us: when the test proper begins; USEC_NEVER: it has */
	usec_t moved_us;		/* when the watch last saw a byte more */
	uint64_t moved;
	double cpu[2];			/* user and system, seconds: at the start, then from start to end */
	struct { uint8_t length[4]; uint8_t *text; size_t n, wanted; } in;	/* a text that is coming */
	struct { uint8_t *text; size_t n; } out;	/* what found no room */
};

struct iperf3 {
	struct tapir *t;
	struct iperf3_config config;
	tapir_sd tcp, udp;
	int udp_rcvbuf;			/* without -w */
	struct talk *talks, **last;
	unsigned talk_count;
	usec_t armed_us;
	struct test test;
};

static const struct span none;

static usec_t now_of(const struct iperf3 *s)
{
	return tapir_now(s->t);
}

/* --- connections --- */

static void on_timer(void *ctx);

/* A timer that is not the earliest any more still comes, and finds nothing to do. */
static void arm(struct iperf3 *s, usec_t at_us)
{
	if (at_us < s->armed_us && s->config.at(s->config.timers, at_us, on_timer, s))
		s->armed_us = at_us;
}

static void forget(struct talk *k)
{
	struct iperf3 *s = k->server;
	struct talk **at = &s->talks;
	while (*at != k)
		at = &(*at)->next;
	*at = k->next;
	if (!k->next)
		s->last = at;
	s->talk_count--;
	free(k);
}

static void throw_out(struct talk *k)
{
	tapir_abort(k->server->t, k->sd);
	forget(k);
}

/* Says goodbye, and waits for the peer's: closing over bytes that are still to come is a reset, which may overtake what was said
 * (RFC 1122 4.2.2.13). on_close forgets it. */
static void leave(struct talk *k)
{
	k->role = LEAVING;
	k->stream = NULL;
	k->until_us = now_of(k->server) + VISIT_US;
	tapir_shutdown(k->server->t, k->sd, TAPIR_SHUT_WR);
}

/* --- the control connection's side that speaks --- */

static void flush(struct test *x)
{
	struct talk *k = x->control;
	int64_t n = x->out.n ? tapir_send(k->server->t, k->sd, x->out.text, x->out.n) : 0;
	if (n <= 0)
		return;			/* on_drain, or on_close */
	x->out.n -= (size_t)n;
	memmove(x->out.text, x->out.text + n, x->out.n);
}

static void say(struct test *x, const void *text, size_t n)
{
	uint8_t *grown = realloc(x->out.text, x->out.n + n);
	if (!grown)
		return;			/* the client will wait in vain, and until_us ends it */
	x->out.text = grown;
	memcpy(grown + x->out.n, text, n);
	x->out.n += n;
	flush(x);
}

static void say_message(struct test *x, enum message m)
{
	uint8_t byte = (uint8_t)m;
	say(x, &byte, 1);
}

/* The next step must have come in time. */
static void enter(struct iperf3 *s, enum state state)
{
	s->test.state = state;
	s->test.until_us = now_of(s) + GRACE_US;
}

/* --- the end of a test --- */

static void restore_sockets(struct iperf3 *s)
{
	tapir_setsockopt(s->t, s->tcp, TAPIR_TCP_MAXSEG, 0);
	tapir_setsockopt(s->t, s->udp, TAPIR_SO_RCVBUF, s->udp_rcvbuf);
	tapir_setsockopt(s->t, s->udp, TAPIR_IP_TOS, 0);
}

static void free_test(struct test *x)
{
	free(x->streams);
	free(x->source.datagram);
	free(x->in.text);
	free(x->out.text);
	*x = (struct test){ .state = IDLE };
}

/* well: the client has all it wants, and streams end in order; else what they still carry is of no use to anybody. */
static void end_test(struct iperf3 *s, bool well)
{
	for (struct talk *k = s->talks, *next; k; k = next) {
		next = k->next;
		if (k->role == STREAM && well)
			leave(k);
		else if (k->role == STREAM)
			throw_out(k);
	}
	restore_sockets(s);
	struct talk *control = s->test.control;
	free_test(&s->test);
	leave(control);
}

/* The client prints iperf3's sentence for error. The second number would be an errno. */
static void fail(struct iperf3 *s, enum iperf3_error error)
{
	uint8_t text[9] = { MSG_ERROR, 0, 0, (uint8_t)(error >> 8), (uint8_t)error };
	say(&s->test, text, sizeof text);
	end_test(s, false);
}

/* --- the streams --- */

static void send_all(struct iperf3 *s)
{
	struct test *x = &s->test;
	for (unsigned i = 0; i < x->wanted; i++)
		if (x->streams[i].sends && x->streams[i].sd >= 0)
			arm(s, iperf3_stream_send(&x->streams[i], &x->source));
}

static void read_cpu(double cpu[2])
{
	struct rusage u;
	getrusage(RUSAGE_SELF, &u);
	cpu[0] = (double)u.ru_utime.tv_sec + (double)u.ru_utime.tv_usec / 1e6;
	cpu[1] = (double)u.ru_stime.tv_sec + (double)u.ru_stime.tv_usec / 1e6;
}

static void start_test(struct iperf3 *s)
{
	struct test *x = &s->test;
	usec_t now_us = now_of(s);
	read_cpu(x->cpu);
	say_message(x, MSG_START);
	say_message(x, MSG_RUNNING);
	enter(s, RUNNING);
	x->until_us = x->params.seconds ? now_us + (x->params.seconds + x->params.omit) * TAPIR_SEC + GRACE_US : USEC_NEVER;
	x->start_us = x->moved_us = x->source.start_us = now_us;
	x->omit_us = x->params.omit ? now_us + x->params.omit * TAPIR_SEC : USEC_NEVER;
	arm(s, x->omit_us);
	send_all(s);
}

/* The streams that send are made last, by the client's rule. All have come: each gets its place. */
static void seat_streams(struct iperf3 *s)
{
	unsigned i = 0;
	for (struct talk *k = s->talks; k; k = k->next)
		if (k->role == STREAM) {
			k->stream = &s->test.streams[i++];
			k->stream->sd = k->sd;
		}
}

static bool set_stream_options(struct iperf3 *s, tapir_sd sd, enum iperf3_error *error)
{
	const struct iperf3_params *p = &s->test.params;
	*error = IPERF3_OK;
	if (p->window && (tapir_setsockopt(s->t, sd, TAPIR_SO_RCVBUF, (int)p->window) < 0 ||
			  tapir_setsockopt(s->t, sd, TAPIR_SO_SNDBUF, (int)p->window) < 0))
		*error = IPERF3_CANNOT_SET_BUFFER;
	else if (p->tos && tapir_setsockopt(s->t, sd, TAPIR_IP_TOS, (int)p->tos) < 0)
		*error = IPERF3_CANNOT_SET_TOS;
	else if (p->congestion >= 0 && tapir_setsockopt(s->t, sd, TAPIR_TCP_CONGESTION, p->congestion) < 0)
		*error = IPERF3_CANNOT_SET_CONGESTION;
	else
		tapir_setsockopt(s->t, sd, TAPIR_TCP_NODELAY, p->nodelay);
	return *error == IPERF3_OK;
}

static void add_tcp_stream(struct talk *k)
{
	struct iperf3 *s = k->server;
	enum iperf3_error error;
	if (!set_stream_options(s, k->sd, &error)) {
		fail(s, error);
		leave(k);
		return;
	}
	k->role = STREAM;
	if (++s->test.here < s->test.wanted)
		return;
	seat_streams(s);
	start_test(s);
}

/* The streams, and what of the parameters must be set before they come. */
static enum iperf3_error prepare(struct iperf3 *s)
{
	struct test *x = &s->test;
	const struct iperf3_params *p = &x->params;
	x->wanted = p->parallel * (p->both_ways ? 2 : 1);
	x->streams = calloc(x->wanted, sizeof *x->streams);
	x->source = (struct iperf3_source){ .t = s->t, .text = s->config.text, .datagram = p->udp ? calloc(1, p->block) : NULL,
					    .wide = p->wide, .block = p->block, .bits_per_second = p->bits_per_second };
	if (!x->streams || (p->udp && !x->source.datagram))
		return IPERF3_NO_STREAM;
	for (unsigned i = 0; i < x->wanted; i++)
		x->streams[i] = (struct iperf3_stream){ .id = i == 0 ? 1 : (int)i + 2, .sd = -1,
							.sends = p->both_ways ? i >= p->parallel : p->reverse };
	if (p->udp && p->window && tapir_setsockopt(s->t, s->udp, TAPIR_SO_RCVBUF, (int)p->window) < 0)
		return IPERF3_CANNOT_SET_BUFFER;
	if (p->udp && tapir_setsockopt(s->t, s->udp, TAPIR_IP_TOS, (int)p->tos) < 0)
		return IPERF3_CANNOT_SET_TOS;
	if (!p->udp && tapir_setsockopt(s->t, s->tcp, TAPIR_TCP_MAXSEG, (int)p->mss) < 0)
		return IPERF3_CANNOT_SET_MSS;
	return IPERF3_OK;
}

/* --- the steps --- */

static void take_parameters(struct iperf3 *s, struct span text)
{
	enum iperf3_error error = iperf3_params(text, &s->test.params);
	if (!error)
		error = prepare(s);
	if (error) {
		fail(s, error);
		return;
	}
	enter(s, STREAMS);
	say_message(&s->test, MSG_STREAMS);
}

/* What is still under way is not counted any more, and thrown away as it comes; what we send ends behind what was sent. */
static void stop_test(struct iperf3 *s)
{
	struct test *x = &s->test;
	double cpu[2];
	read_cpu(cpu);
	for (int i = 0; i < 2; i++)
		x->cpu[i] = cpu[i] - x->cpu[i];
	x->end_us = now_of(s);
	for (unsigned i = 0; i < x->wanted && !x->params.udp; i++) {
		iperf3_stream_end(&x->streams[i], s->t);
		if (x->streams[i].sends)
			tapir_shutdown(s->t, x->streams[i].sd, TAPIR_SHUT_WR);
	}
	enter(s, RESULTS);
	say_message(x, MSG_EXCHANGE_RESULTS);
}

static void say_results(struct iperf3 *s)
{
	struct test *x = &s->test;
	struct iperf3_results r = {
		.streams = x->streams, .count = x->wanted, .congestion = x->streams[0].congestion,
		.has_retransmits = !x->params.reverse && !x->params.both_ways ? -1 : !x->params.udp,
		.seconds = (double)(x->end_us - x->start_us) / TAPIR_SEC, .cpu_user = x->cpu[0], .cpu_system = x->cpu[1],
	};
	char *text = iperf3_results(&r);
	if (!text) {
		fail(s, IPERF3_CANNOT_PACKAGE);
		return;
	}
	size_t n = strlen(text);
	uint8_t length[4] = { (uint8_t)(n >> 24), (uint8_t)(n >> 16), (uint8_t)(n >> 8), (uint8_t)n };
	say(x, length, sizeof length);
	say(x, text, n);
	free(text);
	say_message(x, MSG_DISPLAY);
	enter(s, DISPLAY);
}

static void take_results(struct iperf3 *s, struct span text)
{
	if (iperf3_is_object(text))
		say_results(s);
	else
		fail(s, IPERF3_BAD_RESULTS);
}

static void take_message(struct iperf3 *s, uint8_t byte)
{
	enum state state = s->test.state;
	if (byte == MSG_END && state == RUNNING)
		stop_test(s);
	else if (byte == MSG_DONE && state == DISPLAY)
		end_test(s, true);
	else if (byte == MSG_CLIENT_TERMINATE)
		end_test(s, false);
	else
		fail(s, IPERF3_BAD_MESSAGE);
}

/* --- what is heard --- */

static size_t take(uint8_t *to, size_t room, struct span *data)
{
	size_t n = data->n < room ? data->n : room;
	memcpy(to, data->p, n);
	data->p += n;
	data->n -= n;
	return n;
}

/* Four bytes of length, then the text. False: it is too long for anything that a client has to say. */
static bool begin_text(struct test *x, size_t most)
{
	const uint8_t *l = x->in.length;
	x->in.wanted = (size_t)l[0] << 24 | (size_t)l[1] << 16 | (size_t)l[2] << 8 | l[3];
	x->in.text = x->in.wanted && x->in.wanted <= most ? malloc(x->in.wanted) : NULL;
	x->in.n = 0;
	return x->in.text;
}

static struct span hear_text(struct iperf3 *s, struct span data)
{
	struct test *x = &s->test;
	bool parameters = x->state == PARAMETERS;
	if (!x->in.text) {
		x->in.n += take(x->in.length + x->in.n, sizeof x->in.length - x->in.n, &data);
		if (x->in.n == sizeof x->in.length && !begin_text(x, parameters ? IPERF3_PARAMS_BYTES : IPERF3_RESULTS_BYTES))
			fail(s, parameters ? IPERF3_BAD_PARAMS : IPERF3_BAD_RESULTS);
		return data;
	}
	x->in.n += take(x->in.text + x->in.n, x->in.wanted - x->in.n, &data);
	if (x->in.n < x->in.wanted)
		return data;
	struct span text = { x->in.text, x->in.wanted };
	x->in.text = NULL;
	x->in.n = 0;
	if (parameters)
		take_parameters(s, text);
	else
		take_results(s, text);
	free((void *)(uintptr_t)text.p);
	return data;
}

static struct span hear_control(struct talk *k, struct span data)
{
	struct iperf3 *s = k->server;
	if (s->test.state == PARAMETERS || s->test.state == RESULTS)
		return hear_text(s, data);
	uint8_t byte;
	take(&byte, 1, &data);
	take_message(s, byte);
	return data;
}

/* 36 characters that can be printed, and a NUL: what says anything else is no client of iperf3. */
static bool is_cookie(const char cookie[COOKIE_BYTES])
{
	for (int i = 0; i < COOKIE_BYTES - 1; i++)
		if (cookie[i] <= ' ' || cookie[i] > '~')
			return false;
	return cookie[COOKIE_BYTES - 1] == '\0';
}

static void become_control(struct talk *k)
{
	struct iperf3 *s = k->server;
	k->role = CONTROL;
	tapir_setsockopt(s->t, k->sd, TAPIR_TCP_NODELAY, 1);
	s->test = (struct test){ .control = k, .client = k->peer, .omit_us = USEC_NEVER };
	enter(s, PARAMETERS);
	say_message(&s->test, MSG_PARAMETERS);
}

static struct span hear_visitor(struct talk *k, struct span data)
{
	struct test *x = &k->server->test;
	uint8_t busy = MSG_BUSY;
	k->cookie_n += (unsigned)take((uint8_t *)k->cookie + k->cookie_n, COOKIE_BYTES - k->cookie_n, &data);
	if (k->cookie_n < COOKIE_BYTES)
		return none;
	if (!is_cookie(k->cookie)) {
		throw_out(k);
		return none;
	}
	if (x->state == IDLE) {
		become_control(k);
	} else if (x->state == STREAMS && !x->params.udp && memcmp(k->cookie, x->control->cookie, COOKIE_BYTES) == 0) {
		add_tcp_stream(k);
	} else {
		tapir_send(k->server->t, k->sd, &busy, 1);
		leave(k);
	}
	return data;
}

static struct span hear_stream(struct talk *k, struct span data)
{
	if (k->server->test.state == RUNNING && !k->stream->sends)
		k->stream->bytes += data.n;
	return none;
}

static struct span hear_nothing(struct talk *k, struct span data)
{
	(void)k;
	(void)data;
	return none;
}

/* Who is thrown out while being heard has nothing left to say, and is not looked at again. */
static void on_data(struct tapir *t, tapir_sd sd, void *ctx, struct span data)
{
	static struct span (*const hear[])(struct talk *k, struct span data) = {
		[VISITOR] = hear_visitor, [CONTROL] = hear_control, [STREAM] = hear_stream, [LEAVING] = hear_nothing,
	};
	struct talk *k = ctx;
	(void)t;
	(void)sd;
	while (data.n)
		data = hear[k->role](k, data);
}

static void on_drain(struct tapir *t, tapir_sd sd, void *ctx)
{
	struct talk *k = ctx;
	struct test *x = &k->server->test;
	(void)t;
	(void)sd;
	if (k->role == CONTROL)
		flush(x);
	else if (k->role == STREAM && x->state == RUNNING && k->stream->sends)
		arm(k->server, iperf3_stream_send(k->stream, &x->source));
}

static void on_end(struct tapir *t, tapir_sd sd, void *ctx)
{
	struct talk *k = ctx;
	(void)t;
	(void)sd;
	if (k->role == CONTROL)
		end_test(k->server, k->server->test.state == DISPLAY);
	else if (k->role == VISITOR)
		leave(k);
}

static void on_close(struct tapir *t, tapir_sd sd, void *ctx)
{
	struct talk *k = ctx;
	(void)t;
	(void)sd;
	if (k->role == CONTROL)
		end_test(k->server, false);
	else if (k->role == STREAM && k->stream)
		k->stream->sd = -1;
	else if (k->role == STREAM)
		k->server->test.here--;
	forget(k);
}

static const struct tapir_handlers talk_handlers = {
	.on_data = on_data, .on_drain = on_drain, .on_end = on_end, .on_close = on_close, .allow_half_open = true
};

static void on_connection(struct tapir *t, tapir_sd sd, void *ctx, const struct tapir_endpoint *peer)
{
	struct iperf3 *s = ctx;
	struct talk *k = s->talk_count < IPERF3_TALKS_MAX ? malloc(sizeof *k) : NULL;
	if (!k) {
		tapir_abort(t, sd);
		return;
	}
	*k = (struct talk){ .server = s, .sd = sd, .role = VISITOR, .peer = peer->addr, .until_us = now_of(s) + VISIT_US };
	*s->last = k;
	s->last = &k->next;
	s->talk_count++;
	tapir_on(t, sd, &talk_handlers, k);
	arm(s, now_of(s) + WATCH_US);
}

static const struct tapir_handlers listener_handlers = { .on_connection = on_connection };

/* --- datagrams --- */

static bool same_peer(const struct tapir_endpoint *a, const struct tapir_endpoint *b)
{
	return a->port == b->port && tapir_addr_equal(&a->addr, &b->addr);
}

static struct iperf3_stream *udp_stream_of(struct test *x, const struct tapir_endpoint *from)
{
	for (unsigned i = 0; i < x->here; i++)
		if (same_peer(&x->streams[i].peer, from))
			return &x->streams[i];
	return NULL;
}

/* A client greets from each stream's port, and waits for the answer before it makes the next: "9876" for "6789", in its own
 * byte order, which was no matter of thought; 123456789 in older ones. */
static void greet(struct iperf3 *s, struct span data, const struct tapir_endpoint *from)
{
	static const uint8_t old_hello[4] = { 0x15, 0xcd, 0x5b, 0x07 }, old_answer[4] = { 0xb1, 0x68, 0xde, 0x3a };
	struct test *x = &s->test;
	bool old = data.n == 4 && memcmp(data.p, old_hello, 4) == 0, is_new = data.n == 4 && memcmp(data.p, "9876", 4) == 0;
	if (!old && !is_new)
		return;
	if (!udp_stream_of(x, from) && x->here < x->wanted) {
		x->streams[x->here].peer = *from;
		x->streams[x->here++].sd = s->udp;
	}
	tapir_sendto(s->t, s->udp, old ? (const void *)old_answer : "6789", 4, from);
	if (x->here == x->wanted)
		start_test(s);
}

/* Only the client of the control connection is listened to. */
static void on_message(struct tapir *t, tapir_sd sd, void *ctx, struct span data, const struct tapir_endpoint *from)
{
	struct iperf3 *s = ctx;
	struct test *x = &s->test;
	(void)sd;
	if (!x->params.udp || !tapir_addr_equal(&from->addr, &x->client))
		return;
	if (x->state == STREAMS)
		greet(s, data, from);
	struct iperf3_stream *stream = x->state == RUNNING ? udp_stream_of(x, from) : NULL;
	if (stream && !stream->sends)
		iperf3_stream_datagram(stream, data, x->params.wide, tapir_now(t));
}

static const struct tapir_handlers udp_handlers = { .on_message = on_message };

/* --- time --- */

static void throw_out_late(struct iperf3 *s)
{
	for (struct talk *k = s->talks, *next; k; k = next) {
		next = k->next;
		if ((k->role == VISITOR || k->role == LEAVING) && now_of(s) >= k->until_us)
			throw_out(k);
	}
}

/* What has got through, either way. */
static uint64_t moved(const struct iperf3 *s)
{
	const struct test *x = &s->test;
	struct tapir_tcp_info info;
	uint64_t sum = 0;
	for (unsigned i = 0; i < x->wanted; i++) {
		const struct iperf3_stream *m = &x->streams[i];
		bool ask = m->sends && !x->params.udp;
		if (!ask)
			sum += m->bytes;
		else if (tapir_tcp_info(s->t, m->sd, &info) == 0)
			sum += info.bytes_acked;
	}
	return sum;
}

/* True: the test has stood still for too long, and nothing else will end it. */
static bool stalled(struct iperf3 *s)
{
	struct test *x = &s->test;
	if (x->state != RUNNING || x->params.seconds)
		return false;
	uint64_t sum = moved(s);
	if (sum != x->moved)
		x->moved_us = now_of(s);
	x->moved = sum;
	return now_of(s) >= x->moved_us + STALL_US;
}

static void omit(struct iperf3 *s)
{
	struct test *x = &s->test;
	for (unsigned i = 0; i < x->wanted; i++)
		iperf3_stream_omit(&x->streams[i], s->t);
	x->start_us = now_of(s);
	x->omit_us = USEC_NEVER;
}

static void watch_test(struct iperf3 *s)
{
	struct test *x = &s->test;
	if (now_of(s) >= x->until_us || stalled(s)) {
		fail(s, IPERF3_NO_MESSAGE);
		return;
	}
	if (x->state != RUNNING)
		return;
	if (now_of(s) >= x->omit_us)
		omit(s);
	arm(s, x->omit_us);
	if (x->params.bits_per_second > 0 || x->params.udp)
		send_all(s);		/* the others are woken by on_drain */
}

static void on_timer(void *ctx)
{
	struct iperf3 *s = ctx;
	if (now_of(s) >= s->armed_us)
		s->armed_us = USEC_NEVER;
	throw_out_late(s);
	if (s->test.state != IDLE)
		watch_test(s);
	if (s->talks)
		arm(s, now_of(s) + WATCH_US);
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
	free_test(&s->test);
	for (struct talk *k = s->talks, *next; k; k = next) {
		next = k->next;
		free(k);
	}
	free(s);
}
