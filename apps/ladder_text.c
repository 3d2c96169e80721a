/* ladder_text.c: the ladder for a terminal: when, the state of the side that opened, the segment and which way it went, the state
 * of the other side. A column is as wide as its widest text, and a Chinese character two columns. */
#include <string.h>

#include "ladder.h"
#include "utf8.h"

#define LINE_BYTES 320
#define WIDTH_MIN 30
#define MARGIN 11u			/* where times stand */

/* What stands between the lines of dashes. */
static void describe(char text[LINE_BYTES], const struct ladder_rung *r)
{
	char remark[LINE_BYTES / 4];
	ladder_remark(remark, sizeof remark, r);
	snprintf(text, LINE_BYTES, *remark ? text_of(TEXT_REMARKED) : "%s", r->text, remark);
}

static void print_dashes(size_t n, FILE *out)
{
	while (n-- > 0)
		fputc('-', out);
}

static void print_counted(const struct ladder_rung *r, FILE *out)
{
	char text[LINE_BYTES];
	ladder_counted(text, sizeof text, r);
	fprintf(out, "%*s  %-12s  %s\n", (int)MARGIN, "", "...", text);
}

static void print_rung(const struct ladder_rung *r, size_t width, FILE *out)
{
	char text[LINE_BYTES], time[LADDER_TIME];
	bool arrived = r->fate == LADDER_ARRIVED;
	describe(text, r);
	ladder_time(time, r->at_us);
	size_t rest = width - utf8_columns(text);
	fprintf(out, "%*s  %-12s  ", (int)MARGIN, time, tapir_tcp_state_name(r->state[0]));
	if (r->from == 0) {
		fprintf(out, "-- %s ", text);
		print_dashes(rest, out);
		fputs(arrived ? "->  " : "-x  ", out);
	} else {
		fprintf(out, "%s- %s ", arrived ? "<" : "x", text);
		print_dashes(rest, out);
		fputs("--  ", out);
	}
	fprintf(out, "%s\n", tapir_tcp_state_name(r->state[1]));
}

static void print_conn(const struct ladder_conn *c, FILE *out)
{
	char text[LINE_BYTES], left[LADDER_ENDPOINT], right[LADDER_ENDPOINT];
	size_t width = WIDTH_MIN;
	for (size_t i = 0; i < c->count; i++) {
		if (c->rungs[i].from < 0)
			continue;
		describe(text, &c->rungs[i]);
		size_t columns = utf8_columns(text);
		width = columns > width ? columns : width;
	}
	int column = (int)width + 22;
	ladder_endpoint(left, &c->who[0]);
	ladder_endpoint(right, &c->who[1]);
	fprintf(out, "%*s  %-*s%s\n", (int)MARGIN, "", column, left, right);
	fprintf(out, "%*s  %-*s%s\n", (int)MARGIN, "", column, tapir_tcp_state_name(c->first[0]),
		tapir_tcp_state_name(c->first[1]));
	for (size_t i = 0; i < c->count; i++) {
		if (c->rungs[i].from < 0)
			print_counted(&c->rungs[i], out);
		else
			print_rung(&c->rungs[i], width, out);
	}
}

void ladder_text(const struct ladder *l, FILE *out)
{
	for (size_t i = 0; i < ladder_count(l); i++) {
		if (i)
			fputc('\n', out);
		print_conn(ladder_conn(l, i), out);
	}
}
