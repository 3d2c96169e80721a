/* ladder.c: `tapir ladder`: reads a capture file (ladder_model.c) and draws what it has found: ladder_text.c, ladder_mermaid.c,
 * ladder_svg.c. */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "args.h"
#include "commands.h"
#include "ladder.h"
#include "values.h"
#include "../drivers/reading.h"
#include "../drivers/trace_told.h"

enum { OPT_MERMAID = 512, OPT_SVG, OPT_LANG };

static const struct option_line own_options[] = {
	{ 'p', "port", "PORT", "only connections with this port at either end" },
	{ 'a', "all", NULL, "a rung for every segment" },
	{ OPT_MERMAID, "mermaid", NULL, "as Markdown, with a Mermaid sequence diagram for each connection" },
	{ OPT_SVG, "svg", NULL, "as a picture, one SVG file with all of them" },
	{ OPT_LANG, "lang", "LANG", "the language of what is said: en, zh (that of the locale)" },
	{ 0, NULL, NULL, NULL }
};

static const char about[] =
	"Draws each TCP connection in FILE, a pcap or pcapng file, as a ladder: when, the state of the side that opened, the\n"
	"segment and which way it went, the state of the other side, both after it arrived. The states are told from the\n"
	"segments by RFC 9293 3.3.2 figure 5; numbers count from the first ones of the connection. TIME-WAIT ends unseen.\n"
	"A segment whose octets are sent again before they were acknowledged counts as lost, and ends in an x.\n";

static const char examples[] =
	"  tapir ladder wire.pcap\n"
	"  tapir ladder --port 7 --all wire.pcap\n"
	"  tapir ladder --svg --all wire.pcap > wire.svg\n"
	"  tapir ladder --mermaid wire.pcap >> README.md\n"
	"  tapir lab -- sh -c 'nc -N 10.0.0.2 13 < /dev/null; sleep 0.1; tapir ladder \"$TAPIR_CAPTURE\"'\n";

enum form { FORM_TEXT, FORM_MERMAID, FORM_SVG };
struct choice { struct ladder_options model; enum form form; bool twice; };	/* twice: two forms were asked for */

static int complain(enum text what, const char *about_what)
{
	fputs("tapir ladder: ", stderr);
	fprintf(stderr, text_of(what), about_what);
	fputc('\n', stderr);
	return 1;
}

/* Has a bad line of tapir's kept it from arriving, or damaged it so that nobody takes it? */
static bool is_told_lost(const struct captured *c)
{
	const char *comment = c->comments;
	for (unsigned i = 0; i < c->comment_count; i++, comment += strlen(comment) + 1) {
		struct trace_told told;
		trace_told(&told, comment);
		if (told.kind == TOLD_FAULT && told.note.fate <= FAULT_DAMAGED)
			return true;
	}
	return false;
}

/* 0, or 1 when the file is damaged: what could be read of it is there. *cut: frames that are not there as a whole. */
static int read_file(struct ladder *l, struct reading *r, uint64_t *cut)
{
	struct captured c;
	int got;
	while ((got = reading_next(r, &c)) == 1) {
		struct ladder_frame f = { .at_us = c.at_us, .bytes = c.frame, .ip_only = c.ip_only, .lost = is_told_lost(&c) };
		*cut += c.frame.n > 0 && c.cut > 0;
		f.bytes.n = c.cut ? 0 : f.bytes.n;
		ladder_take(l, &f);
	}
	return got < 0;
}

static int draw_all(struct ladder *l, const struct choice *o, const char *path)
{
	if (ladder_count(l) == 0)
		return complain(o->model.port ? TEXT_NO_CONNECTION_WITH_PORT : TEXT_NO_CONNECTION, path);
	switch (o->form) {
	case FORM_TEXT:
		ladder_text(l, stdout);
		break;
	case FORM_MERMAID:
		ladder_mermaid(l, stdout);
		break;
	case FORM_SVG:
		if (!ladder_svg(l, stdout))
			return complain(TEXT_NO_MEMORY, NULL);
		break;
	}
	return fflush(stdout) != 0 || ferror(stdout) ? complain(TEXT_NOT_WRITTEN, strerror(errno)) : 0;
}

static int read_and_draw(const struct choice *o, struct reading *r, const char *path)
{
	struct ladder *l = ladder_new(&o->model);
	uint64_t cut = 0;
	if (!l)
		return complain(TEXT_NO_MEMORY, NULL);
	int damaged = read_file(l, r, &cut);
	ladder_finish(l);
	int code = draw_all(l, o, path);
	if (damaged)
		fprintf(stderr, "tapir ladder: %s\n", driver_error());
	if (cut) {
		char number[24];
		snprintf(number, sizeof number, "%" PRIu64, cut);
		complain(TEXT_CUT, number);
	}
	if (ladder_failed(l))
		code = complain(TEXT_NO_MEMORY_FOR_ALL, NULL);
	ladder_free(l);
	return code || damaged;
}

static int draw(const struct choice *o, const char *path)
{
	struct reading *r = reading_open(path);
	if (!r) {
		fprintf(stderr, "tapir ladder: %s\n", driver_error());
		return 1;
	}
	int code = read_and_draw(o, r, path);
	reading_close(r);
	return code;
}

/* NULL, or what was wanted. */
static const char *set(struct choice *o, int id, const char *value)
{
	switch (id) {
	case 'a':
		o->model.all = true;
		return NULL;
	case OPT_MERMAID:
	case OPT_SVG:
		o->twice = o->twice || o->form == (id == OPT_SVG ? FORM_MERMAID : FORM_SVG);
		o->form = id == OPT_SVG ? FORM_SVG : FORM_MERMAID;
		return NULL;
	case OPT_LANG:
		return lang_choose(value) ? NULL : "en or zh";
	default:
		return value_port(value, &o->model.port) ? NULL : "a port from 1 to 65535";
	}
}

int ladder_main(int argc, char **argv)
{
	struct choice o = { .form = FORM_TEXT };
	struct args a = {
		.command = "ladder", .synopsis = "[OPTION]... FILE", .about = about, .examples = examples, .own = own_options,
		.argc = argc, .argv = argv,
	};
	const char *value, *wanted;
	int id;
	lang_choose_by_locale();
	while ((id = args_next(&a, &value)) > 0)
		if ((wanted = set(&o, id, value)))
			return args_exit(args_bad_value(&a, id, value, wanted));
	if (id != ARGS_END)
		return args_exit(id);
	if (o.twice)
		return args_exit(args_bad(&a, "--mermaid or --svg, one of them."));
	if (a.argc != 1)
		return args_exit(args_bad(&a, a.argc ? "one FILE at a time." : "a FILE is missing."));
	return draw(&o, a.argv[0]);
}
