/* sim_report.c: what people are told: notes of what happened, kept in a ring and printed when a run fails, crashes or hangs;
 * everything at once when the run is verbose. */
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/time.h>
#include "sim.h"

#define SECONDS_MAX 30		/* of processor time in one run: more is a stack that has lost itself in a loop */
#define FRAME_MAX (65535u + 14u)

static struct sim *running;	/* for the report of a crash */
static const char *replay_with = "";

/* --- notes --- */

static void print_note(const struct sim *s, const struct sim_note *n)
{
	static uint8_t frame[FRAME_MAX];	/* what was not kept of it is zero */
	struct trace_options how = {.ip_only = s->plan.ip_only, .addresses = true, .checksums = false};
	char text[400];

	fprintf(stderr, "%12.6f %u %c ", (double)n->at_us / 1e6, n->node, n->kind);
	if (n->kind == '-') {
		fprintf(stderr, "    connection %u side %u: %s %lld\n", n->conn, n->side, n->what, (long long)n->value);
		return;
	}
	memcpy(frame, n->bytes, SIM_SNAP);
	trace_format(text, sizeof text, (struct span){frame, n->len < FRAME_MAX ? n->len : FRAME_MAX}, &how);
	fprintf(stderr, "%5u %s%s%s\n", n->len, text, n->what ? " " : "", n->what ? n->what : "");
}

static struct sim_note *next_note(struct sim *s, uint8_t node, char kind)
{
	struct sim_note *n = &s->ring[s->notes++ % SIM_RING];

	*n = (struct sim_note){.at_us = s->now_us, .node = node, .kind = kind};
	return n;
}

void sim_note(struct sim *s, const struct sim_party *p, const char *what, int64_t value)
{
	struct sim_note *n = next_note(s, p->node, '-');

	n->what = what;
	n->value = value;
	n->conn = p->conn;
	n->side = p->side;
	if (s->verbose)
		print_note(s, n);
}

void sim_note_frame(struct sim *s, uint8_t node, char kind, struct span frame, const char *what)
{
	struct sim_note *n = next_note(s, node, kind);

	n->len = (uint32_t)frame.n;
	n->what = what;
	memcpy(n->bytes, frame.p, frame.n < SIM_SNAP ? frame.n : SIM_SNAP);
	if (s->verbose)
		print_note(s, n);
}

void sim_note_verdict(struct sim *s, uint32_t note, enum tapir_verdict v)
{
	if (v == ACCEPT)
		return;
	if (s->notes - note <= SIM_RING)
		s->ring[note % SIM_RING].what = tapir_verdict_name(v);
	if (s->verbose)
		fprintf(stderr, "%19s%s\n", "", tapir_verdict_name(v));
}

void sim_fail(struct sim *s, const char *format, ...)
{
	va_list args;

	if (s->failure[0])
		return;		/* the first is the one that counts */
	va_start(args, format);
	vsnprintf(s->failure, sizeof s->failure, format, args);
	va_end(args);
}

static const char *phase_name(enum sim_phase phase)
{
	static const char *const names[] = {"waiting", "opening", "open", "over"};

	return names[phase];
}

static void print_party(const struct sim *s, const struct sim_party *p)
{
	struct tapir_tcp_info info = {.state = TAPIR_TCP_CLOSED};
	const struct sim_conn *c = &s->plan.conns[p->conn];

	fprintf(stderr, "  connection %u side %u: %s, sent %u of %u, read %u of %u%s%s%s", p->conn, p->side, phase_name(p->phase),
		p->sent, c->side[p->side].total, p->got, c->side[1 - p->side].total, p->eof ? ", end read" : "",
		p->fin ? ", end said" : "", p->broke ? ", broke" : "");
	if (p->phase != SIM_OVER && p->sd >= 0 && tapir_tcp_info(s->nodes[p->node].t, p->sd, &info) == 0)
		fprintf(stderr, ", %s cwnd %u wnd %u/%u unacked %u notsent %u unread %u rto %u us backoff %u poll %d",
			tapir_tcp_state_name(info.state), info.snd_cwnd, info.snd_wnd, info.rcv_wnd, info.unacked, info.notsent,
			info.unread, info.rto_us, info.retransmits, tapir_poll(s->nodes[p->node].t, p->sd));
	fprintf(stderr, "\n");
}

void sim_report(const struct sim *s)
{
	uint32_t from = s->notes > SIM_RING ? s->notes - SIM_RING : 0;

	sim_plan_print(&s->plan);
	if (!s->verbose)
		for (uint32_t i = from; i < s->notes; i++)
			print_note(s, &s->ring[i % SIM_RING]);
	for (uint8_t i = 0; i < s->plan.count; i++)
		for (int side = 0; side < 2; side++)
			print_party(s, &s->parties[i][side]);
	fprintf(stderr, "seed %llu at %.6f s: %s\n  replay: SIM_SEED=%llu %s\n", (unsigned long long)s->plan.seed,
		(double)s->now_us / 1e6, s->failure[0] ? s->failure : "all is well", (unsigned long long)s->plan.seed, replay_with);
}

/* --- what a stack says of itself --- */

void sim_print_event(void *ctx, const struct tapir_event *e)
{
	static const uint32_t quiet = 1u << TAPIR_EV_VERDICT | 1u << TAPIR_EV_SEGMENT_IN | 1u << TAPIR_EV_TIMER_ARMED |
				      1u << TAPIR_EV_WINDOW | 1u << TAPIR_EV_ARP | 1u << TAPIR_EV_BUFFER;
	char text[400];

	(void)ctx;
	if (quiet >> e->kind & 1)
		return;
	trace_event_format(text, sizeof text, e, &(struct trace_options){.addresses = false});
	fprintf(stderr, "%19s.%u port %u: %s\n", "", e->local.addr.b[15], e->local.port, text);
}

/* --- crashes: an assertion or a sanitizer, which is told to abort --- */

const char *__asan_default_options(void);
const char *__ubsan_default_options(void);
const char *__asan_default_options(void) { return "abort_on_error=1:handle_abort=0"; }
const char *__ubsan_default_options(void) { return "abort_on_error=1:print_stacktrace=1"; }

static void crashed(int number)
{
	struct sim *s = running;

	signal(number, SIG_DFL);
	running = NULL;
	if (s) {
		sim_fail(s, number == SIGVTALRM ? "hangs" : "crashed");
		sim_report(s);
	}
	raise(number);
}

void sim_watch(struct sim *s)
{
	const struct itimerval limit = {.it_value.tv_sec = s ? SECONDS_MAX : 0};

	running = s;
	setitimer(ITIMER_VIRTUAL, &limit, NULL);
}

void sim_report_crashes(const char *replay)
{
	replay_with = replay;
	signal(SIGABRT, crashed);
	signal(SIGVTALRM, crashed);	/* SIGALRM is Check's */
}
