/* ladder_svg.c: the ladder as one SVG file that needs nothing else: both sides as lines from top to bottom, whose colours are the
 * states; segments as arrows that fall with the time (ladder_plan.h); light or dark as the reader's system is.
 *
 * Bounded: RUNGS_MAX rungs in all, CONN_RUNGS_MAX of one connection; what is left out is told. */
#include "ladder_plan.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define RUNGS_MAX 240u
#define CONN_RUNGS_MAX 160u
#define CONN_RUNGS_MIN 8u
#define TEXT_BYTES 320
#define LABEL_CHARS 76			/* of one that fits between the sides; the whole is in its title */
#define LOST_AT 0.66			/* of the way */

enum {
	WIDTH = 890, APART = 560, TIMES = 80, STATES = 112, BAR = 8, TOP = 16, HEAD = 26, HEAD_WIDTH = 200, FIRST = 34, LAST = 26,
	BETWEEN = 30, NOTE = 22
};

static const char style[] =
	"text{font:12px ui-monospace,SFMono-Regular,Menlo,Consolas,'DejaVu Sans Mono','Noto Sans Mono CJK SC',monospace;"
	"fill:#1f2328;white-space:pre}\n"
	".page{fill:#fff}.time{fill:#6e7781;font-size:11px}.note{fill:#57606a;font-style:italic}.who{font-weight:600}\n"
	".head{fill:#f6f8fa;stroke:#d0d7de}.seg text{font-size:11.5px;paint-order:stroke;stroke:#fff;"
	"stroke-width:3px;stroke-linejoin:round}.seg path{stroke:#57606a;stroke-width:1.3;fill:none}\n"
	".seg .tip{fill:#57606a;stroke:none}.again path{stroke:#bc4c00}.again .tip{fill:#bc4c00;stroke:none}"
	".again .mark{fill:#bc4c00}\n"
	".lost path{stroke:#cf222e;stroke-dasharray:6 3}.lost .cross{stroke-width:2.2;stroke-dasharray:none}"
	".lost .mark{fill:#cf222e}\n"
	".cut{fill:#fff}\n"
	".s0{fill:#c4ccd4}.s1{fill:#79b8e8}.s2{fill:#eac54f}.s3{fill:#e28f35}.s4{fill:#2da44e}.s5{fill:#8250df}.s6{fill:#b78af0}\n"
	".s7{fill:#bf3989}.s8{fill:#1b7c83}.s9{fill:#ee7fb8}.s10{fill:#6e7781}\n"
	"@media(prefers-color-scheme:dark){text{fill:#e6edf3}.page,.cut{fill:#0d1117}.seg text{stroke:#0d1117}\n"
	".time,.note{fill:#9198a1}.head{fill:#161b22;stroke:#3d444d}\n"
	".seg path{stroke:#9198a1}.seg .tip{fill:#9198a1}.again path{stroke:#f0883e}\n"
	".again .tip,.again .mark{fill:#f0883e}.lost path{stroke:#ff7b72}.lost .mark{fill:#ff7b72}\n"
	".s0{fill:#484f58}.s1{fill:#388bfd}.s4{fill:#3fb950}.s10{fill:#8b949e}}\n";

/* x: of both sides; clock: the one that is nearer to where the capture was made, where its times stand. */
struct page {
	FILE *out;
	const struct ladder_conn *conn;
	const struct ladder_plan *plan;
	int top, x[2], clock;
};

static void put_text(const char *text, FILE *out)
{
	for (; *text; text++)
		switch (*text) {
		case '&': fputs("&amp;", out); break;
		case '<': fputs("&lt;", out); break;
		case '>': fputs("&gt;", out); break;
		case '"': fputs("&quot;", out); break;
		default: fputc((unsigned char)*text < ' ' ? ' ' : *text, out);
		}
}

struct spot { const char *class, *anchor; int x, y; };

static void put_line(const struct page *p, const struct spot *at, const char *text)
{
	fprintf(p->out, "<text class=\"%s\" x=\"%d\" y=\"%d\" text-anchor=\"%s\">", at->class, at->x, at->y, at->anchor);
	put_text(text, p->out);
	fputs("</text>\n", p->out);
}

/* --- the two sides --- */

static void put_bar(const struct page *p, int side, enum tapir_tcp_state state, const int y[2])
{
	int x = p->x[side], height = y[1] > y[0] ? y[1] - y[0] : 0;
	struct spot words = { "state", side ? "start" : "end", side ? x + 12 : x - 12, y[0] + 4 };
	fprintf(p->out, "<rect class=\"s%d\" x=\"%d\" y=\"%d\" width=\"%d\" height=\"%d\"/>\n", (int)state, x - BAR / 2, y[0],
		BAR, height);
	put_line(p, &words, tapir_tcp_state_name(state));
}

/* From each change of state to the next one. */
static void put_side(const struct page *p, int side)
{
	const struct ladder_conn *c = p->conn;
	enum tapir_tcp_state state = c->first[side];
	int from = p->top - FIRST + 14, end = p->top + p->plan->height + LAST - 8;
	for (size_t i = 0; i < c->count; i++) {
		int y = p->top + p->plan->places[i].y[side];
		if (c->rungs[i].state[side] == state)
			continue;
		put_bar(p, side, state, (int[]){ from, y });
		state = c->rungs[i].state[side];
		from = y;
	}
	put_bar(p, side, state, (int[]){ from, end });
}

static void put_head(const struct page *p, int side)
{
	char text[LADDER_ENDPOINT];
	int x = p->x[side], y = p->top - FIRST - HEAD;
	ladder_endpoint(text, &p->conn->who[side]);
	fprintf(p->out, "<rect class=\"head\" x=\"%d\" y=\"%d\" width=\"%d\" height=\"%d\" rx=\"6\"/>\n", x - HEAD_WIDTH / 2, y,
		HEAD_WIDTH, HEAD);
	put_line(p, &(struct spot){ "who", "middle", x, y + 17 }, text);
}

/* --- what lies between --- */

static void put_note(const struct page *p, int y, const char *text)
{
	put_line(p, &(struct spot){ "note", "middle", (p->x[0] + p->x[1]) / 2, y + 4 }, text);
}

static void put_gap(const struct page *p, const struct ladder_gap *g)
{
	char text[TEXT_BYTES], duration[LADDER_TIME];
	int y = p->top + g->y;
	ladder_duration(duration, g->us);
	snprintf(text, sizeof text, text_of(TEXT_LATER), duration);
	for (int side = 0; side < 2; side++)
		fprintf(p->out, "<rect class=\"cut\" x=\"%d\" y=\"%d\" width=\"20\" height=\"6\" "
			"transform=\"rotate(-14 %d %d)\"/>\n", p->x[side] - 10, y - 3, p->x[side], y);
	put_note(p, y, text);
}

static void put_counted(const struct page *p, const struct ladder_rung *r, int y)
{
	char text[TEXT_BYTES];
	ladder_counted(text, sizeof text, r);
	for (int row = -9; row <= 9; row += 9)
		for (int side = 0; side < 2; side++)
			fprintf(p->out, "<rect class=\"cut\" x=\"%d\" y=\"%d\" width=\"%d\" height=\"4\"/>\n",
				p->x[side] - BAR / 2 - 1, y + row - 2, BAR + 2);
	put_note(p, y, text);
}

/* What is drawn along x is turned: from the left side's end to the right side's. Returns how long it is. */
static double begin_segment(const struct page *p, const struct ladder_rung *r, const struct ladder_place *place)
{
	const char *again = r->order == LADDER_AGAIN ? " again" : "", *lost = r->fate == LADDER_ARRIVED ? "" : " lost";
	double dx = APART - BAR, dy = place->y[1] - place->y[0], degrees = atan2(dy, dx) * 180 / acos(-1);
	fprintf(p->out, "<g class=\"seg%s%s\" transform=\"translate(%d %d) rotate(%.2f)\">", again, lost, p->x[0] + BAR / 2,
		p->top + place->y[0], degrees);
	return hypot(dx, dy);
}

static void put_arrow(const struct page *p, const struct ladder_rung *r, const struct ladder_place *place)
{
	bool lost = r->fate != LADDER_ARRIVED;
	double length = begin_segment(p, r, place), from = r->from == 0 ? 0 : length, way = r->from == 0 ? 1 : -1;
	double to = from + way * length * (lost ? LOST_AT : 1);
	fprintf(p->out, "<path d=\"M%.1f 0H%.1f\"/>", from, lost ? to : to - way * 6);
	if (lost)
		fprintf(p->out, "<path class=\"cross\" d=\"M%.1f -5l10 10m0 -10l-10 10\"/></g>\n", to - 5);
	else
		fprintf(p->out, "<path class=\"tip\" d=\"M%.1f 0l%.0f -4v8z\"/></g>\n", to, -way * 9);
}

/* The words above the arrow, at the end where it begins. */
static void put_label(const struct page *p, const struct ladder_rung *r, const struct ladder_place *place)
{
	char remark[TEXT_BYTES], start[LABEL_CHARS + 1];
	bool cut = strlen(r->text) > LABEL_CHARS;
	double length = begin_segment(p, r, place);
	ladder_remark(remark, sizeof remark, r);
	if (r->from == 0)
		fputs("<text x=\"14\" y=\"-4\">", p->out);
	else
		fprintf(p->out, "<text x=\"%.1f\" y=\"-4\" text-anchor=\"end\">", length - 14);
	snprintf(start, sizeof start, "%s", r->text);
	put_text(start, p->out);
	if (cut) {
		fputs("…<title>", p->out);
		put_text(r->text, p->out);
		fputs("</title>", p->out);
	}
	if (*remark) {
		fputs("<tspan class=\"mark\">  ", p->out);
		put_text(remark, p->out);
		fputs("</tspan>", p->out);
	}
	fputs("</text></g>\n", p->out);
}

static void put_time(const struct page *p, const struct ladder_rung *r, const struct ladder_place *place)
{
	bool reaches = r->from < 0 || r->from == p->clock || r->fate == LADDER_ARRIVED;
	int side = reaches ? p->clock : !p->clock, x = p->clock ? p->x[1] + STATES : p->x[0] - STATES;
	char time[LADDER_TIME];
	ladder_time(time, r->at_us);
	put_line(p, &(struct spot){ "time", p->clock ? "start" : "end", x, p->top + place->y[side] + 4 }, time);
}

/* Words come last: they can be read where arrows cross. */
static void put_rungs(const struct page *p)
{
	for (size_t i = 0; i < p->conn->count; i++)
		if (p->conn->rungs[i].from >= 0)
			put_arrow(p, &p->conn->rungs[i], &p->plan->places[i]);
	for (size_t i = 0; i < p->conn->count; i++) {
		const struct ladder_rung *r = &p->conn->rungs[i];
		put_time(p, r, &p->plan->places[i]);
		if (r->from < 0)
			put_counted(p, r, p->top + p->plan->places[i].y[0]);
		else
			put_label(p, r, &p->plan->places[i]);
	}
}

/* --- the whole --- */

static int height_of(const struct ladder_plan *plan)
{
	return HEAD + FIRST + plan->height + LAST + BETWEEN;
}

static void put_conn(const struct page *p)
{
	char left[LADDER_ENDPOINT], right[LADDER_ENDPOINT], title[TEXT_BYTES];
	ladder_endpoint(left, &p->conn->who[0]);
	ladder_endpoint(right, &p->conn->who[1]);
	snprintf(title, sizeof title, text_of(TEXT_CONNECTION), left, right);
	fputs("<g><title>", p->out);
	put_text(title, p->out);
	fputs("</title>\n", p->out);
	for (int side = 0; side < 2; side++) {
		put_side(p, side);
		put_head(p, side);
	}
	for (size_t i = 0; i < p->plan->gap_count; i++)
		put_gap(p, &p->plan->gaps[i]);
	put_rungs(p);
	fputs("</g>\n", p->out);
}

/* Shortens the connections; returns how many of them are drawn. */
static size_t choose(struct ladder *l)
{
	size_t left = RUNGS_MAX, i = 0;
	for (; i < ladder_count(l) && left >= CONN_RUNGS_MIN; i++) {
		ladder_shorten(l, i, left < CONN_RUNGS_MAX ? left : CONN_RUNGS_MAX);
		left -= ladder_conn(l, i)->count;
	}
	return i;
}

static void put_page(const struct ladder *l, const struct ladder_plan *plans, size_t shown, struct page *p)
{
	size_t rest = ladder_count(l) - shown;
	int height = TOP + (rest ? NOTE : 0);
	for (size_t i = 0; i < shown; i++)
		height += height_of(&plans[i]);
	fprintf(p->out, "<svg xmlns=\"http://www.w3.org/2000/svg\" xml:lang=\"%s\" width=\"%d\" height=\"%d\" "
		"viewBox=\"0 0 %d %d\">\n", lang_word(lang_chosen()), WIDTH, height, WIDTH, height);
	fprintf(p->out, "<style>\n%s</style>\n<rect class=\"page\" width=\"%d\" height=\"%d\"/>\n", style, WIDTH, height);
	int y = TOP;
	for (size_t i = 0; i < shown; i++) {
		p->conn = ladder_conn(l, i);
		p->plan = &plans[i];
		p->top = y + HEAD + FIRST;
		p->clock = p->conn->delay_us[1] < p->conn->delay_us[0];
		p->x[0] = STATES + (p->clock ? 0 : TIMES);
		p->x[1] = p->x[0] + APART;
		put_conn(p);
		y += height_of(&plans[i]);
	}
	if (rest) {
		char text[TEXT_BYTES];
		snprintf(text, sizeof text, text_of(TEXT_CONNECTIONS_LEFT_OUT), (unsigned long long)rest);
		put_note(p, y - BETWEEN / 2, text);
	}
	fputs("</svg>\n", p->out);
}

bool ladder_svg(struct ladder *l, FILE *out)
{
	size_t shown = choose(l);
	struct ladder_plan *plans = calloc(shown + 1, sizeof *plans);
	bool good = plans;
	for (size_t i = 0; good && i < shown; i++)
		good = ladder_plan(&plans[i], ladder_conn(l, i));
	if (good)
		put_page(l, plans, shown, &(struct page){ .out = out });
	for (size_t i = 0; plans && i < shown; i++)
		ladder_plan_free(&plans[i]);
	free(plans);
	return good;
}
