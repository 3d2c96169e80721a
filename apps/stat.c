/* stat.c: `tapir stat`: netstat for a running stack: finds it and asks it (stat_client.h) for a snapshot (snapshot.h), and
 * shows that as text or as JSON, once or again and again. */
#include <errno.h>
#include <jansson.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "args.h"
#include "commands.h"
#include "snapshot.h"
#include "stat_client.h"
#include "stat_text.h"
#include "values.h"

#define WATCH_MIN (100 * TAPIR_MS)

enum { OPT_ALL = 512, OPT_TAP, OPT_PID, OPT_WATCH, OPT_JSON, OPT_TIMERS };

static const struct option_line own_options[] = {
	{ 't', "tcp", NULL, "TCP connections, in every state, and listeners" },
	{ 'u', "udp", NULL, "UDP sockets" },
	{ 'a', "arp", NULL, "neighbours, as arp -a" },
	{ 'r', "routes", NULL, "routes, and what is known of path MTUs" },
	{ 's', "counters", NULL, "what has happened: frames, segments, each verdict" },
	{ OPT_TIMERS, "timers", NULL, "TCP's timers that are armed, the next one first" },
	{ 'm', "memory", NULL, "how much of the stack's memory is taken" },
	{ OPT_ALL, "all", NULL, "all of these" },
	{ OPT_JSON, "json", NULL, "as one JSON object; without a choice of the above all of it" },
	{ OPT_WATCH, "watch", "[SECONDS]", "again every second, or as often as you say" },
	{ OPT_TAP, "tap", "NAME", "the stack on this TAP, when several run" },
	{ OPT_PID, "pid", "PID", "the stack in this process, when several have that TAP" },
	{ 0, NULL, NULL, NULL }
};

static const char about[] =
	"Shows what a running stack of yours is doing, be it tapir serve, lab, nc or ping: without a choice its TCP connections\n"
	"and UDP sockets. Cwnd, Ssthresh and the queues are in bytes, Retrans is timeouts in a row / segments sent again in all,\n"
	"and Timers says in how much time each of them fires. Stacks in a lab are seen from the lab and from outside.\n"
	"The exit code is 1 when there is no such stack.\n";

static const char examples[] =
	"  tapir stat                        connections, as netstat -an and ss -ti\n"
	"  tapir stat --watch                the same every second, until Ctrl-C\n"
	"  tapir stat --counters             which frames were dropped, and why\n"
	"  tapir stat --arp --routes\n"
	"  tapir stat --json | jq '.tcp[] | {state, snd_cwnd, rtt_us}'\n"
	"  tapir lab -- sh -c 'nc -d 10.0.0.2 19 > /dev/null & sleep 1; tapir stat --tcp --timers'\n";

struct stat_options {
	unsigned what;			/* STAT_... */
	bool json, watch;
	usec_t interval_us;
	struct stat_wanted stack;
};

static volatile sig_atomic_t interrupted;

static void on_signal(int sig)
{
	(void)sig;
	interrupted = 1;
}

/* --- showing --- */

static unsigned sections_of(unsigned what)
{
	static const struct { unsigned what, section; } map[] = {
		{ STAT_TCP, SNAPSHOT_TCP }, { STAT_TIMERS, SNAPSHOT_TCP }, { STAT_UDP, SNAPSHOT_UDP }, { STAT_ARP, SNAPSHOT_ARP },
		{ STAT_ROUTES, SNAPSHOT_ROUTES }, { STAT_ROUTES, SNAPSHOT_PATHS }, { STAT_COUNTERS, SNAPSHOT_COUNTERS },
		{ STAT_MEMORY, SNAPSHOT_MEMORY },
	};
	unsigned sections = 0;
	for (size_t i = 0; i < sizeof map / sizeof map[0]; i++)
		if (what & map[i].what)
			sections |= 1u << map[i].section;
	return sections;
}

/* False: it cannot be written, which was said. */
static bool show(const struct stat_options *o, const json_t *whole)
{
	char *text = NULL;
	size_t n = 0;
	FILE *out = open_memstream(&text, &n);
	if (!out) {
		fprintf(stderr, "tapir stat: out of memory.\n");
		return false;
	}
	if (o->json) {
		json_dumpf(whole, out, o->watch ? JSON_COMPACT : JSON_INDENT(2));
		fputc('\n', out);
	} else {
		stat_text(out, whole, o->what);
	}
	fclose(out);
	if (o->watch && !o->json)	/* a terminal is overwritten in one go, so that it does not flicker */
		fputs(isatty(STDOUT_FILENO) ? "\033[H\033[2J" : "", stdout);
	fwrite(text, 1, n, stdout);
	if (o->watch && !o->json && !isatty(STDOUT_FILENO))
		fputc('\n', stdout);
	free(text);
	if (fflush(stdout) == 0 && !ferror(stdout))
		return true;
	fprintf(stderr, "tapir stat: cannot write: %s.\n", strerror(errno));
	return false;
}

static void sleep_for(usec_t us)
{
	struct timespec t = { .tv_sec = (time_t)(us / TAPIR_SEC), .tv_nsec = (long)(us % TAPIR_SEC) * 1000 };
	if (!interrupted)
		nanosleep(&t, NULL);
}

static int watch(const struct stat_options *o, struct stat_peer *p)
{
	struct sigaction act = { .sa_handler = on_signal };
	sigaction(SIGINT, &act, NULL);
	sigaction(SIGTERM, &act, NULL);
	for (bool first = true; !interrupted; first = false) {
		json_t *whole = first || stat_socket_connect(p) ? stat_ask(p, sections_of(o->what)) : NULL;
		if (interrupted) {
			json_decref(whole);
			break;
		}
		if (!whole) {
			fprintf(stderr, "tapir stat: the stack on %s has ended, or does not answer any more.\n", p->tap);
			return 1;
		}
		bool shown = show(o, whole);
		json_decref(whole);
		if (!shown)
			return 1;
		sleep_for(o->interval_us);
	}
	if (!o->json && isatty(STDOUT_FILENO))
		putchar('\n');
	return 0;
}

static int run(struct stat_options *o)
{
	struct stat_peer p;
	if (!o->what)
		o->what = o->json ? ~0u : STAT_TCP | STAT_UDP;
	if (!stat_choose(&o->stack, &p))
		return 1;
	if (o->watch)
		return watch(o, &p);
	json_t *whole = stat_ask(&p, sections_of(o->what));
	if (!whole) {
		fprintf(stderr, "tapir stat: the stack on %s (process %d) does not answer.\n", p.tap, (int)p.pid);
		return 1;
	}
	bool shown = show(o, whole);
	json_decref(whole);
	return shown ? 0 : 1;
}

/* --- the command line --- */

static unsigned what_is(int id)
{
	switch (id) {
	case 't': return STAT_TCP;
	case 'u': return STAT_UDP;
	case 'a': return STAT_ARP;
	case 'r': return STAT_ROUTES;
	case 's': return STAT_COUNTERS;
	case 'm': return STAT_MEMORY;
	case OPT_TIMERS: return STAT_TIMERS;
	case OPT_ALL: return ~0u;
	default: return 0;
	}
}

/* NULL, or what would have been accepted. */
static const char *set(struct stat_options *o, int id, const char *value)
{
	switch (id) {
	case OPT_JSON:
		o->json = true;
		return NULL;
	case OPT_WATCH:
		o->watch = true;
		return !value || (value_duration(value, TAPIR_SEC, &o->interval_us) && o->interval_us >= WATCH_MIN) ? NULL :
		       "a time of at least 100ms: seconds, or with a unit, such as 500ms";
	case OPT_TAP:
		o->stack.tap = value;
		return NULL;
	case OPT_PID:
		return value_number(value, 1, INT32_MAX, &o->stack.pid) ? NULL : "the number of a process";
	default:
		o->what |= what_is(id);
		return NULL;
	}
}

int stat_main(int argc, char **argv)
{
	struct stat_options o = { .interval_us = TAPIR_SEC, .stack.command = "stat" };
	struct args a = {
		.command = "stat", .synopsis = "[OPTION]...", .about = about, .examples = examples, .own = own_options,
		.argc = argc, .argv = argv,
	};
	const char *value, *wanted;
	int id;
	while ((id = args_next(&a, &value)) > 0) {
		wanted = set(&o, id, value);
		if (wanted)
			return args_exit(args_bad_value(&a, id, value, wanted));
	}
	if (id != ARGS_END)
		return args_exit(id);
	if (a.argc > 0)
		return args_exit(args_bad(&a, "'%s' is one word too many: there are only options.", a.argv[0]));
	return run(&o);
}
