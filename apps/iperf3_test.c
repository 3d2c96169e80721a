/* iperf3_test.c: the course of the one test that is under way. Over its control connection go single bytes, and texts with their
 * length in front:
 *
 *	client   cookie             parameters                         END                    results                  DONE
 *	server           PARAMETERS             STREAMS  START RUNNING     EXCHANGE_RESULTS            results DISPLAY
 *	state            PARAMETERS             STREAMS  RUNNING           RESULTS                     DISPLAY         IDLE
 *
 * Invariants: a test's streams are numbered in the order in which they came; each state but RUNNING has a time by which the next
 * step must have come, and so has RUNNING, or else bytes must move. */
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "iperf3_internal.h"

#define GRACE_US (40 * TAPIR_SEC)	/* for each step of the protocol, and for a timed test beyond its time; as iperf3 */
#define STALL_US (120 * TAPIR_SEC)	/* without a byte, in a test without a time; as iperf3 */

enum message {			/* of one byte */
	MSG_START = 1, MSG_RUNNING = 2, MSG_END = 4, MSG_PARAMETERS = 9, MSG_STREAMS = 10, MSG_CLIENT_TERMINATE = 12,
	MSG_EXCHANGE_RESULTS = 13, MSG_DISPLAY = 14, MSG_DONE = 16, MSG_ERROR = 0xfe
};

/* --- the control connection's side that speaks --- */

void iperf3_test_flush(struct iperf3_test *x)
{
	struct iperf3_talk *k = x->control;
	int64_t n = x->out.n ? tapir_send(k->server->t, k->sd, x->out.text, x->out.n) : 0;
	if (n <= 0)
		return;			/* on_drain, or on_close */
	x->out.n -= (size_t)n;
	memmove(x->out.text, x->out.text + n, x->out.n);
}

static void say(struct iperf3_test *x, const void *text, size_t n)
{
	uint8_t *grown = realloc(x->out.text, x->out.n + n);
	if (!grown)
		return;			/* the client will wait in vain, and until_us ends it */
	x->out.text = grown;
	memcpy(grown + x->out.n, text, n);
	x->out.n += n;
	iperf3_test_flush(x);
}

static void say_message(struct iperf3_test *x, enum message m)
{
	uint8_t byte = (uint8_t)m;
	say(x, &byte, 1);
}

/* The next step must have come in time. */
static void enter(struct iperf3 *s, enum iperf3_state state)
{
	s->test.state = state;
	s->test.until_us = iperf3_now(s) + GRACE_US;
}

/* --- the end of a test --- */

static void restore_sockets(struct iperf3 *s)
{
	tapir_setsockopt(s->t, s->tcp, TAPIR_TCP_MAXSEG, 0);
	tapir_setsockopt(s->t, s->udp, TAPIR_SO_RCVBUF, s->udp_rcvbuf);
	tapir_setsockopt(s->t, s->udp, TAPIR_IP_TOS, 0);
}

void iperf3_test_free(struct iperf3_test *x)
{
	free(x->streams);
	free(x->source.datagram);
	free(x->out.text);
	*x = (struct iperf3_test){ .state = IPERF3_IDLE };
}

void iperf3_test_end(struct iperf3 *s, bool well)
{
	for (struct iperf3_talk *k = s->talks, *next; k; k = next) {
		next = k->next;
		if (k->role == IPERF3_STREAM && well)
			iperf3_leave(k);
		else if (k->role == IPERF3_STREAM)
			iperf3_throw_out(k);
	}
	restore_sockets(s);
	struct iperf3_talk *control = s->test.control;
	iperf3_test_free(&s->test);
	iperf3_leave(control);
}

/* The client prints iperf3's sentence for error. The second number would be an errno. */
static void fail(struct iperf3 *s, enum iperf3_error error)
{
	uint8_t text[9] = { MSG_ERROR, 0, 0, (uint8_t)(error >> 8), (uint8_t)error };
	say(&s->test, text, sizeof text);
	iperf3_test_end(s, false);
}

/* --- the streams --- */

static void send_all(struct iperf3 *s)
{
	struct iperf3_test *x = &s->test;
	for (unsigned i = 0; i < x->wanted; i++)
		if (x->streams[i].sends && x->streams[i].sd >= 0)
			iperf3_arm(s, iperf3_stream_send(&x->streams[i], &x->source));
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
	struct iperf3_test *x = &s->test;
	usec_t now_us = iperf3_now(s);
	read_cpu(x->cpu);
	say_message(x, MSG_START);
	say_message(x, MSG_RUNNING);
	enter(s, IPERF3_RUNNING);
	x->until_us = x->params.seconds ? now_us + (x->params.seconds + x->params.omit) * TAPIR_SEC + GRACE_US : USEC_NEVER;
	x->start_us = x->moved_us = x->source.start_us = now_us;
	x->omit_us = x->params.omit ? now_us + x->params.omit * TAPIR_SEC : USEC_NEVER;
	iperf3_arm(s, x->omit_us);
	send_all(s);
}

/* All have come: each gets its place, in the order in which the client made them. */
static void seat_streams(struct iperf3 *s)
{
	unsigned i = 0;
	for (struct iperf3_talk *k = s->talks; k; k = k->next)
		if (k->role == IPERF3_STREAM) {
			k->stream = &s->test.streams[i++];
			k->stream->sd = k->sd;
		}
}

static enum iperf3_error set_stream_options(struct iperf3 *s, tapir_sd sd)
{
	const struct iperf3_params *p = &s->test.params;
	if (p->window && (tapir_setsockopt(s->t, sd, TAPIR_SO_RCVBUF, (int)p->window) < 0 ||
			  tapir_setsockopt(s->t, sd, TAPIR_SO_SNDBUF, (int)p->window) < 0))
		return IPERF3_CANNOT_SET_BUFFER;
	if (p->tos && tapir_setsockopt(s->t, sd, TAPIR_IP_TOS, (int)p->tos) < 0)
		return IPERF3_CANNOT_SET_TOS;
	if (p->congestion >= 0 && tapir_setsockopt(s->t, sd, TAPIR_TCP_CONGESTION, p->congestion) < 0)
		return IPERF3_CANNOT_SET_CONGESTION;
	tapir_setsockopt(s->t, sd, TAPIR_TCP_NODELAY, p->nodelay);
	return IPERF3_OK;
}

void iperf3_test_add(struct iperf3_talk *k)
{
	struct iperf3 *s = k->server;
	enum iperf3_error error = set_stream_options(s, k->sd);
	if (error) {
		fail(s, error);
		iperf3_leave(k);
		return;
	}
	k->role = IPERF3_STREAM;
	if (++s->test.here < s->test.wanted)
		return;
	seat_streams(s);
	start_test(s);
}

/* The streams, those that send last, as the client makes them; and what of the parameters must be set before they come. */
static enum iperf3_error prepare(struct iperf3 *s)
{
	struct iperf3_test *x = &s->test;
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
	enter(s, IPERF3_STREAMS);
	say_message(&s->test, MSG_STREAMS);
}

/* What is still under way is not counted any more, and thrown away as it comes; what we send ends behind what was sent. */
static void stop_test(struct iperf3 *s)
{
	struct iperf3_test *x = &s->test;
	double cpu[2];
	read_cpu(cpu);
	for (int i = 0; i < 2; i++)
		x->cpu[i] = cpu[i] - x->cpu[i];
	x->end_us = iperf3_now(s);
	for (unsigned i = 0; i < x->wanted && !x->params.udp; i++) {
		iperf3_stream_end(&x->streams[i], s->t);
		if (x->streams[i].sends)
			tapir_shutdown(s->t, x->streams[i].sd, TAPIR_SHUT_WR);
	}
	enter(s, IPERF3_RESULTS);
	say_message(x, MSG_EXCHANGE_RESULTS);
}

static void say_results(struct iperf3 *s)
{
	struct iperf3_test *x = &s->test;
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
	enter(s, IPERF3_DISPLAY);
}

static void take_message(struct iperf3 *s, uint8_t byte)
{
	enum iperf3_state state = s->test.state;
	if (byte == MSG_END && state == IPERF3_RUNNING)
		stop_test(s);
	else if (byte == MSG_DONE && state == IPERF3_DISPLAY)
		iperf3_test_end(s, true);
	else if (byte == MSG_CLIENT_TERMINATE)
		iperf3_test_end(s, false);
	else
		fail(s, IPERF3_BAD_MESSAGE);
}

/* --- what the control connection says --- */

/* What the client has measured is nothing to us: it is passed over. */
static struct span hear_length(struct iperf3 *s, struct span data)
{
	struct iperf3_test *x = &s->test;
	const uint8_t *l = x->in.length;
	bool parameters = x->state == IPERF3_PARAMETERS;
	x->in.n += iperf3_take(x->in.length + x->in.n, sizeof x->in.length - x->in.n, &data);
	if (x->in.n < sizeof x->in.length)
		return data;
	x->in.wanted = (size_t)l[0] << 24 | (size_t)l[1] << 16 | (size_t)l[2] << 8 | l[3];
	x->in.begun = true;
	x->in.n = 0;
	if (x->in.wanted == 0 || x->in.wanted > (parameters ? IPERF3_PARAMS_BYTES : IPERF3_RESULTS_BYTES))
		fail(s, parameters ? IPERF3_BAD_PARAMS : IPERF3_BAD_RESULTS);
	return data;
}

static struct span hear_text(struct iperf3 *s, struct span data)
{
	struct iperf3_test *x = &s->test;
	bool parameters = x->state == IPERF3_PARAMETERS;
	size_t n = x->in.wanted - x->in.n < data.n ? x->in.wanted - x->in.n : data.n;
	if (parameters)
		memcpy(x->in.text + x->in.n, data.p, n);
	x->in.n += n;
	data = (struct span){ data.p + n, data.n - n };
	if (x->in.n < x->in.wanted)
		return data;
	x->in.begun = false;
	x->in.n = 0;
	if (parameters)
		take_parameters(s, (struct span){ x->in.text, x->in.wanted });
	else
		say_results(s);
	return data;
}

struct span iperf3_test_hear(struct iperf3_talk *k, struct span data)
{
	struct iperf3 *s = k->server;
	if (s->test.state == IPERF3_PARAMETERS || s->test.state == IPERF3_RESULTS)
		return s->test.in.begun ? hear_text(s, data) : hear_length(s, data);
	uint8_t byte;
	iperf3_take(&byte, 1, &data);
	take_message(s, byte);
	return data;
}

/* --- its beginning --- */

void iperf3_test_begin(struct iperf3_talk *k)
{
	struct iperf3 *s = k->server;
	k->role = IPERF3_CONTROL;
	tapir_setsockopt(s->t, k->sd, TAPIR_TCP_NODELAY, 1);
	s->test = (struct iperf3_test){ .control = k, .client = k->peer, .omit_us = USEC_NEVER };
	enter(s, IPERF3_PARAMETERS);
	say_message(&s->test, MSG_PARAMETERS);
}

/* --- datagrams --- */

static bool same_peer(const struct tapir_endpoint *a, const struct tapir_endpoint *b)
{
	return a->port == b->port && tapir_addr_equal(&a->addr, &b->addr);
}

static struct iperf3_stream *udp_stream_of(struct iperf3_test *x, const struct tapir_endpoint *from)
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
	struct iperf3_test *x = &s->test;
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
void iperf3_test_datagram(struct iperf3 *s, struct span data, const struct tapir_endpoint *from)
{
	struct iperf3_test *x = &s->test;
	if (!x->params.udp || !tapir_addr_equal(&from->addr, &x->client))
		return;
	struct iperf3_stream *stream = udp_stream_of(x, from);
	if (x->state == IPERF3_STREAMS)
		greet(s, data, from);
	else if (x->state == IPERF3_RUNNING && stream && !stream->sends)
		iperf3_stream_datagram(stream, data, x->params.wide, iperf3_now(s));
}

/* --- time --- */

/* What has got through, either way. */
static uint64_t moved(const struct iperf3 *s)
{
	const struct iperf3_test *x = &s->test;
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
	struct iperf3_test *x = &s->test;
	if (x->state != IPERF3_RUNNING || x->params.seconds)
		return false;
	uint64_t sum = moved(s);
	if (sum != x->moved)
		x->moved_us = iperf3_now(s);
	x->moved = sum;
	return iperf3_now(s) >= x->moved_us + STALL_US;
}

static void omit(struct iperf3 *s)
{
	struct iperf3_test *x = &s->test;
	for (unsigned i = 0; i < x->wanted; i++)
		iperf3_stream_omit(&x->streams[i], s->t);
	x->start_us = iperf3_now(s);
	x->omit_us = USEC_NEVER;
}

void iperf3_test_watch(struct iperf3 *s)
{
	struct iperf3_test *x = &s->test;
	if (iperf3_now(s) >= x->until_us || stalled(s)) {
		fail(s, IPERF3_NO_MESSAGE);
		return;
	}
	if (x->state != IPERF3_RUNNING)
		return;
	if (iperf3_now(s) >= x->omit_us)
		omit(s);
	iperf3_arm(s, x->omit_us);
	if (x->params.bits_per_second > 0 || x->params.udp)
		send_all(s);		/* the others are woken by on_drain */
}
