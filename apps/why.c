/* why.c: `tapir why`: the command. See why.h for its parts. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "args.h"
#include "commands.h"
#include "stat_client.h"
#include "text.h"
#include "values.h"
#include "why.h"

enum { OPT_AS = 512, OPT_REPLAY, OPT_JSON, OPT_FROM, OPT_TO, OPT_LIVE, OPT_TAP, OPT_PID, OPT_LANG };

static const struct option_line own_options[] = {
	{ OPT_LIVE, "live", NULL, "what a running stack of yours does, as it happens, until Ctrl-C" },
	{ OPT_TAP, "tap", "NAME", "with --live: the stack on this TAP, when several run" },
	{ OPT_PID, "pid", "PID", "with --live: the stack in this process, when several have that TAP" },
	{ 'c', "connection", "A[,B]", "only connections of this end, or between both: 10.0.0.1, 10.0.0.1:80 or :80" },
	{ 'k', "kind", "KIND,...", "only these: state segment ack loss window timer cc drop path ecn link buffer line difference" },
	{ OPT_FROM, "from", "TIME", "not before this time of the capture, in seconds or with a unit" },
	{ OPT_TO, "to", "TIME", "and not after this one" },
	{ OPT_AS, "as", "ADDR[:PORT]", "take the place of this host (of the one that was connected to)" },
	{ OPT_REPLAY, "replay", NULL, "replay a capture of tapir's own, too, instead of reading what it tells" },
	{ 'a', "all", NULL, "of a replay all that tapir does in the host's place, not only the differences" },
	{ OPT_JSON, "json", NULL, "each line as a JSON object, with the numbers by name" },
	{ OPT_LANG, "lang", "LANG", "the language of what is said: en, zh (that of the locale)" },
	{ 0, NULL, NULL, NULL }
};

static const char about[] =
	"Says in plain words why things happened on the wire, a line an event, with the numbers that were compared and the RFC.\n\n"
	"A pcapng that a stack of tapir's has written (tapir serve --capture, tapir lab) has the truth in it: that is read out.\n"
	"With --live a running stack tells the same as it happens; it waits for nobody, and says how many frames are missing when\n"
	"it is read too slowly.\n"
	"Any other capture, pcap or pcapng, Ethernet, raw IP or Linux cooked, is replayed: a stack in virtual time takes the\n"
	"place of one host in each connection, hears what that host heard, and is compared with what it did. Decisions are\n"
	"compared, not times: which ACK, a RST or none, what was sent again, the window's edge, SACK blocks. What an RFC leaves\n"
	"to the implementation is no difference. The exit code is 3 when there is one.\n";

static const char examples[] =
	"  tapir why x.pcapng                        all that the stack has told\n"
	"  tapir why --kind loss,timer x.pcapng      what was lost, and how that was found out\n"
	"  tapir why --connection :80 --to 2 x.pcapng\n"
	"  tapir why --live                          what tapir serve or lab is doing, and why\n"
	"  tapir why other.pcap                      would tapir have done the same?\n"
	"  tapir why --as 192.0.2.1 --json other.pcap\n"
	"  tcpdump -U -w - -i eth0 tcp port 80 | tapir why -\n";

struct why_options {
	struct why_out out;
	struct why_replay_options replay;
	struct stat_wanted stack;
	bool always_replay, live;
};

static int finish(const struct why_out *o, int code)
{
	if (fflush(stdout) == 0 && !ferror(stdout) && !o->failed)
		return code;
	fprintf(stderr, "tapir why: cannot write: %s.\n", strerror(errno));
	return 1;
}

/* The first frame shows what the capture is. */
static int read_it(struct why_options *o, struct reading *r, const char *path)
{
	struct captured first;
	int got = reading_next(r, &first), result;
	if (got == 0)
		fprintf(stderr, "tapir why: there is no frame in %s.\n", path);
	else if (got < 0)
		fprintf(stderr, "tapir why: %s\n", driver_error());
	if (got != 1)
		return 1;
	bool own = reading_is_own(r) && !o->always_replay && !o->replay.chosen;
	result = own ? why_account(&o->out, r, &first) : why_replay(&o->out, r, &first, &o->replay);
	if (own && !o->out.json && fflush(stdout) == 0) {
		char lines[24], frames[24];
		snprintf(lines, sizeof lines, "%" PRIu64, o->out.lines);
		snprintf(frames, sizeof frames, "%" PRIu64, o->out.frames);
		fprintf(stderr, why_text(WHY_SUM_EVENTS), lines, frames);
		fputc('\n', stderr);
	}
	if (result == TAPIR_ENOMEM)
		fprintf(stderr, "tapir why: out of memory.\n");
	else if (result < 0)
		fprintf(stderr, "tapir why: %s\n", driver_error());
	return result < 0 ? 1 : result;
}

static int read_file(struct why_options *o, const char *path)
{
	struct reading *r = reading_open(path);
	if (!r) {
		fprintf(stderr, "tapir why: %s\n", driver_error());
		return 1;
	}
	int code = read_it(o, r, path);
	reading_close(r);
	return finish(&o->out, code);
}

/* A running stack: what it sends over its socket is a capture of its own. */
static int look_on(struct why_options *o)
{
	struct stat_peer p;
	if (!stat_choose(&o->stack, &p))
		return 1;
	struct reading *r = stat_ask_capture(&p) ? reading_open_fd(p.fd, "of the running stack") : NULL;
	if (!r) {
		fprintf(stderr, "tapir why: the stack on %s (process %d) does not answer.\n", p.tap, (int)p.pid);
		return 1;
	}
	setvbuf(stdout, NULL, _IOLBF, 0);
	int code = why_account(&o->out, r, NULL);
	if (code < 0)
		fprintf(stderr, "tapir why: %s\n", driver_error());
	else if (!o->out.failed)
		fprintf(stderr, "tapir why: the stack on %s has ended.\n", p.tap);
	reading_close(r);
	return finish(&o->out, code < 0);
}

/* --- the command line --- */

static bool set_as(struct why_options *o, const char *value)
{
	struct why_filter f = { .kinds = 0 };
	if (!why_filter_connection(&f, value) || !f.ends[0].has_addr || f.ends[1].wanted)
		return false;
	o->replay = (struct why_replay_options){ .as = { f.ends[0].addr, f.ends[0].port }, .chosen = true };
	return true;
}

/* NULL, or what would have been accepted. */
static const char *set(struct why_options *o, int id, const char *value)
{
	static const char time[] = "a time, such as 1.5, 20ms or 3s";
	struct why_filter *f = &o->out.filter;
	switch (id) {
	case 'c':
		return why_filter_connection(f, value) ? NULL : "one or two ends, such as 10.0.0.1:80 or :7,10.0.0.2";
	case 'k':
		return why_filter_kinds(f, value) ? NULL : "some of state, segment, ack, loss, window, timer, cc, drop, path, ecn, "
		       "link, buffer, line and difference, with commas between them";
	case OPT_FROM:
		return value_duration(value, TAPIR_SEC, &f->from_us) ? NULL : time;
	case OPT_TO:
		return value_duration(value, TAPIR_SEC, &f->to_us) ? NULL : time;
	case OPT_AS:
		return set_as(o, value) ? NULL : "an address, or one with a port, such as 10.0.0.1:80";
	case OPT_LIVE:
		o->live = true;
		return NULL;
	case OPT_TAP:
		o->stack.tap = value;
		return NULL;
	case OPT_PID:
		return value_number(value, 1, INT32_MAX, &o->stack.pid) ? NULL : "the number of a process";
	case 'a':
		o->out.all = true;
		return NULL;
	case OPT_JSON:
		o->out.json = true;
		return NULL;
	case OPT_LANG:
		return lang_choose(value) ? NULL : "en or zh";
	default:
		o->always_replay = true;
		return NULL;
	}
}

int why_main(int argc, char **argv)
{
	struct why_options o = { .out = { .to = stdout, .filter.to_us = USEC_NEVER }, .stack.command = "why" };
	struct args a = {
		.command = "why", .synopsis = "[OPTION]... CAPTURE | --live", .about = about, .examples = examples,
		.own = own_options, .argc = argc, .argv = argv,
	};
	const char *value, *wanted;
	int id;
	lang_choose_by_locale();
	while ((id = args_next(&a, &value)) > 0) {
		wanted = set(&o, id, value);
		if (wanted)
			return args_exit(args_bad_value(&a, id, value, wanted));
	}
	if (id != ARGS_END)
		return args_exit(id);
	if (a.argc != !o.live)
		return args_exit(args_bad(&a, o.live ? "--live needs no CAPTURE." : a.argc ? "one CAPTURE at a time." :
					  "a CAPTURE is missing, or --live."));
	if (o.live && (o.replay.chosen || o.always_replay))
		return args_exit(args_bad(&a, "--live tells what the stack itself says: --as and --replay are for captures."));
	if (!o.live && (o.stack.tap || o.stack.pid))
		return args_exit(args_bad(&a, "--tap and --pid say which running stack: they go with --live."));
	if (o.live)
		return look_on(&o);
	return read_file(&o, a.argv[0]);
}
