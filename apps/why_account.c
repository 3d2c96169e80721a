/* why_account.c: what a stack of ours has told, in a capture's comments or live, line by line in plain words. See why.h.
 *
 * The comments have the reasons and the frames have the numbers: a frame's numbers are compared with the connection as it was
 * before it, and count afterwards if the stack took it. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "why.h"
#include "../drivers/trace_told.h"

struct account {
	struct why_out *out;
	struct why_flows flows;
	usec_t start_us;
	bool started, text_told;	/* text_told: this frame's text has had its sentence */
	uint64_t frames;
};

static struct why_line line_of(const struct account *a, const struct captured *c, const struct why_segment *s)
{
	struct why_line l = { .at_us = c->at_us - a->start_us, .frame = a->frames };
	if (s) {
		l.from = s->is.tcp.src;
		l.to = s->is.tcp.dst;
	}
	return l;
}

/* That a segment was accepted is worth a line for what it brought, once. */
static bool is_small_talk(const struct account *a, const struct tapir_event *e, const struct why_segment *s)
{
	if (e->kind != TAPIR_EV_VERDICT || e->u.verdict.verdict != ACCEPT)
		return false;
	if (!s || s->is.tcp.syn || s->is.tcp.rst)
		return true;
	bool news = s->is.tcp.len > 0 || s->ack != s->una || s->nxt != s->una;
	return !news || (s->is.text.n > 0 && a->text_told);
}

static void tell_words(struct why_line *l, const char *words)
{
	l->kind = WHY_KIND_SEGMENT;
	snprintf(l->text, sizeof l->text, why_text(WHY_TOLD), words);
	if (strstr(words, "bad line: ")) {
		l->kind = WHY_KIND_LINE;
		const char *what = strncmp(words, "on its way in: ", 15) == 0 ? words + 15 : words;
		snprintf(l->text, sizeof l->text, why_text(WHY_LINE_ON_ITS_WAY), what);
	}
}

static void say_before(struct why_line *l, usec_t before_us)
{
	char text[sizeof l->text], time[WHY_TIME];
	memcpy(text, l->text, sizeof text);
	snprintf(l->text, sizeof l->text, why_text(WHY_BEFORE), text, why_ms(time, before_us));
}

static void tell(struct account *a, const struct captured *c, const struct why_segment *s, const char *comment)
{
	struct why_line l = line_of(a, c, s);
	struct trace_told told;
	trace_told(&told, comment);
	bool elsewhere = told.e.remote.port;
	if (elsewhere) {
		l.from = told.e.local;
		l.to = told.e.remote;
	}
	if (told.kind == TOLD_EVENT) {
		if (is_small_talk(a, &told.e, s))
			return;
		why_event_say(&l, &told.e, elsewhere ? NULL : s);
		a->text_told = a->text_told || told.e.kind == TAPIR_EV_ACK_OWED;
	} else if (told.kind == TOLD_FAULT) {
		why_fault_say(&l, &told.note);
	} else {
		tell_words(&l, told.words);
	}
	if (told.before_us)
		say_before(&l, told.before_us);
	why_out_line(a->out, &l);
}

/* The stack's verdict is the last thing that is told of what arrives: did it take the segment? */
static bool was_taken(const struct captured *c)
{
	const char *comment = c->comments;
	for (unsigned i = 0; i < c->comment_count; i++, comment += strlen(comment) + 1)
		if (strncmp(comment, "DROP_", 5) == 0)
			return false;
	return true;
}

static void take_frame(struct account *a, const struct captured *c)
{
	struct why_segment s;
	bool is_tcp = c->frame.n > 0 && why_segment_find(&a->flows, c->frame, c->ip_only, &s);
	const char *comment = c->comments;
	if (!a->started)
		a->start_us = c->at_us;
	a->started = true;
	a->frames += c->frame.n > 0 || c->other;
	a->text_told = false;
	if (c->left_out) {
		struct why_line l = line_of(a, c, NULL);
		char number[24];
		snprintf(number, sizeof number, "%" PRIu64, c->left_out);
		l.kind = WHY_KIND_LINE;
		why_number(&l, "left_out", c->left_out);
		snprintf(l.text, sizeof l.text, why_text(WHY_LEFT_OUT), number);
		why_out_line(a->out, &l);
	}
	for (unsigned i = 0; i < c->comment_count; i++, comment += strlen(comment) + 1)
		tell(a, c, is_tcp ? &s : NULL, comment);
	if (is_tcp)
		why_segment_passed(&s, was_taken(c));
}

int why_account(struct why_out *o, struct reading *r, const struct captured *first)
{
	struct account a = { .out = o };
	struct captured c;
	int result = 1;
	why_flows_begin(&a.flows);
	if (first)
		take_frame(&a, first);
	while (!o->failed && (result = reading_next(r, &c)) == 1)
		take_frame(&a, &c);
	o->frames = a.frames;
	why_flows_free(&a.flows, NULL);
	return result < 0 ? result : 0;
}
