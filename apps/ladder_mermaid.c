/* ladder_mermaid.c: the ladder as Mermaid sequence diagrams, which code hosts draw where Markdown has them.
 *
 * What would be syntax there is written as an entity: '#' begins one and ';' ends a statement, '<' and '>' would be HTML. Hosts
 * refuse diagrams past some size (50000 characters, with Mermaid's own settings): of a long
 * connection the middle is left out, and that is said. */
#include <string.h>

#include "ladder.h"

#define RUNGS_MAX 200
#define TEXT_BYTES 320

static void put_text(const char *text, FILE *out)
{
	for (; *text; text++) {
		if (strchr("#;<>\"'&\\`", *text))
			fprintf(out, "#%d;", (unsigned char)*text);
		else
			fputc((unsigned char)*text < ' ' ? ' ' : *text, out);
	}
}

static void put_states(const enum tapir_tcp_state was[2], const enum tapir_tcp_state is[2], FILE *out)
{
	static const char *const places[] = { "left of A", "right of B" };
	for (int i = 0; i < 2; i++)
		if (!was || was[i] != is[i])
			fprintf(out, "    Note %s: %s\n", places[i], tapir_tcp_state_name(is[i]));
}

static void put_note(const char *text, FILE *out)
{
	fputs("    Note over A,B: ", out);
	put_text(text, out);
	fputc('\n', out);
}

static void put_gap(usec_t gap_us, FILE *out)
{
	char text[TEXT_BYTES], duration[LADDER_TIME];
	if (gap_us < LADDER_GAP_US)
		return;
	ladder_duration(duration, gap_us);
	snprintf(text, sizeof text, text_of(TEXT_LATER), duration);
	put_note(text, out);
}

static void put_segment(const struct ladder_rung *r, FILE *out)
{
	static const char *const arrows[2][2] = { { "A->>B", "A-xB" }, { "B->>A", "B-xA" } };
	char text[TEXT_BYTES], time[LADDER_TIME];
	ladder_time(time, r->at_us);
	fprintf(out, "    %s: %s ", arrows[r->from][r->fate != LADDER_ARRIVED], time);
	put_text(r->text, out);
	ladder_remark(text, sizeof text, r);
	if (*text) {
		fputs("<br/>", out);
		put_text(text, out);
	}
	fputc('\n', out);
}

static void put_conn(const struct ladder_conn *c, FILE *out)
{
	char text[LADDER_ENDPOINT];
	fputs("```mermaid\nsequenceDiagram\n", out);
	for (int i = 0; i < 2; i++) {
		ladder_endpoint(text, &c->who[i]);
		fprintf(out, "    participant %c as ", "AB"[i]);
		put_text(text, out);
		fputc('\n', out);
	}
	put_states(NULL, c->first, out);
	for (size_t i = 0; i < c->count; i++) {
		const struct ladder_rung *r = &c->rungs[i];
		char counted[TEXT_BYTES];
		put_gap(i ? r->at_us - c->rungs[i - 1].end_us : 0, out);
		if (r->from < 0) {
			ladder_counted(counted, sizeof counted, r);
			put_note(counted, out);
		} else {
			put_segment(r, out);
		}
		put_states(i ? c->rungs[i - 1].state : c->first, r->state, out);
	}
	fputs("```\n", out);
}

void ladder_mermaid(struct ladder *l, FILE *out)
{
	for (size_t i = 0; i < ladder_count(l); i++) {
		if (i)
			fputc('\n', out);
		ladder_shorten(l, i, RUNGS_MAX);
		put_conn(ladder_conn(l, i), out);
	}
}
