/* why_replay.c: anybody's capture: reads its connections, and has each judged, one after the other, with a stack in the place of
 * one end. See why_replay.h. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "why_replay.h"

#define WHOLE_MAX 65536u

struct replay {
	struct why_judging judging;
	const struct why_replay_options *how;
	struct why_flows flows;
	uint64_t frames;
	bool no_memory;
	uint8_t whole[WHOLE_MAX + 256];	/* a frame that was cut, made as long as it was */
};

/* --- reading --- */

/* The headers are enough: what was cut off the text is as good as zeros. */
static struct span mend(struct replay *r, const struct captured *c)
{
	if (c->cut == 0 || c->frame.n + c->cut > WHOLE_MAX)
		return c->frame;
	memcpy(r->whole, c->frame.p, c->frame.n);
	memset(r->whole + c->frame.n, 0, c->cut);
	return (struct span){ r->whole, c->frame.n + c->cut };
}

/* What kept a frame that may be TCP's from being looked at; WHY_NONE: it is of no interest. */
static enum why_text why_not_tcp(const struct captured *c)
{
	struct span ip = c->frame;
	if (!c->ip_only && ip.n >= 14) {
		if (ip.p[12] == 0x86 && ip.p[13] == 0xdd)
			return WHY_JUDGE_NO_IPV4;
		if (ip.p[12] != 0x08 || ip.p[13] != 0x00)
			return WHY_NONE;
		ip = (struct span){ ip.p + 14, ip.n - 14 };
	}
	if (ip.n < 20)
		return c->cut ? WHY_JUDGE_CUT : WHY_NONE;
	if (ip.p[0] >> 4 == 6)
		return WHY_JUDGE_NO_IPV4;
	if (ip.p[9] != 6)
		return WHY_NONE;
	return (ip.p[6] & 0x3f) || ip.p[7] || !c->cut ? WHY_JUDGE_FRAGMENT : WHY_JUDGE_CUT;
}

static void add(struct replay *r, const struct captured *c)
{
	struct why_segment s;
	struct span frame = mend(r, c);
	if (!why_segment_find(&r->flows, frame, c->ip_only, &s)) {
		enum why_text why = why_not_tcp(c);
		r->judging.tally.unknown[why] += why != WHY_NONE;
		return;
	}
	if (c->cut > 0)
		s.is.sum = TRACE_SUM_LEFT;
	if (!s.flow->user)
		s.flow->user = calloc(1, sizeof(struct why_conn));
	if (!s.flow->user || !why_conn_add(s.flow->user, &s, c->at_us, r->frames)) {
		r->no_memory = true;
		return;
	}
	why_segment_passed(&s, true);
}

/* A frame without TCP in it, or with a damaged or fragmented one, is nothing that a TCP answers. */
static void take_frame(struct replay *r, const struct captured *c)
{
	if (c->frame.n == 0 && !c->other)
		return;
	if (r->frames++ == 0)
		r->judging.start_us = c->at_us;
	r->judging.end_us = c->at_us;
	if (!c->other)
		add(r, c);
}

/* --- judging --- */

static bool is_end(const struct tapir_endpoint *as, const struct tapir_endpoint *e)
{
	return tapir_addr_equal(&as->addr, &e->addr) && (!as->port || as->port == e->port);
}

/* Whose place is taken: --as, or the end that did not open. -1: neither. */
static int choose(const struct replay *r, const struct why_flow *flow)
{
	const struct why_conn *c = flow->user;
	const struct tapir_endpoint *opener = &flow->inferred.side[0].who;
	int passive = is_end(opener, &c->ends[0]) ? 1 : 0;
	if (!r->how->chosen)
		return passive;
	return is_end(&r->how->as, &c->ends[passive]) ? passive : is_end(&r->how->as, &c->ends[!passive]) ? !passive : -1;
}

static void count_unjudged(struct replay *r, const struct why_conn *c, enum why_text why)
{
	r->judging.tally.unknown[why] += c->count;
}

static void say_connection(struct replay *r, const struct why_conn *c, int side)
{
	char text[2][TAPIR_ADDR_TEXT + 8];
	int opener = c->rows[0].from;
	for (int i = 0; i < 2; i++)
		why_endpoint(text[i], sizeof text[i], &c->ends[i]);
	fprintf(r->judging.out->to, why_text(WHY_SUM_CONNECTION), text[opener], text[!opener], text[side]);
	fputc('\n', r->judging.out->to);
}

static void judge_all(struct replay *r)
{
	for (struct why_flow *f = r->flows.first; f && !r->judging.out->failed; f = f->next) {
		const struct why_conn *c = f->user;
		if (!c || c->count == 0 || !why_wants(&r->judging.out->filter, &c->ends[0], &c->ends[1]))
			continue;
		int side = choose(r, f);
		if (side >= 0 && r->judging.out->all && !r->judging.out->json)
			say_connection(r, c, side);
		if (side < 0)
			count_unjudged(r, c, WHY_JUDGE_OTHER_HOST);
		else if (!why_judge(&r->judging, c, side))
			count_unjudged(r, c, WHY_JUDGE_NO_MEMORY);
	}
}

static char *number(char text[24], uint64_t n)
{
	snprintf(text, 24, "%" PRIu64, n);
	return text;
}

static void say_summary(struct replay *r)
{
	const struct why_tally *t = &r->judging.tally;
	FILE *to = r->judging.out->json ? stderr : r->judging.out->to;
	char all[24], agree[24], differ[24], unknown[24];
	uint64_t sum = 0;
	for (int i = 0; i < WHY_TEXTS; i++)
		sum += t->unknown[i];
	if (t->agree + t->differ + sum == 0) {
		fprintf(to, "%s\n", why_text(WHY_SUM_NOTHING));
		return;
	}
	if (t->differ == 0 && t->agree > 0)
		fprintf(to, "%s ", why_text(WHY_SUM_AGREE));
	fprintf(to, why_text(WHY_SUM), number(all, t->agree + t->differ + sum), number(agree, t->agree), number(differ, t->differ),
		number(unknown, sum));
	fputc('\n', to);
	for (int i = 0; i < WHY_TEXTS; i++)
		if (t->unknown[i]) {
			fprintf(to, why_text(WHY_SUM_EACH), number(all, t->unknown[i]), why_text((enum why_text)i));
			fputc('\n', to);
		}
}

static void free_conn(struct why_flow *flow)
{
	if (flow->user)
		why_conn_free(flow->user);
}

int why_replay(struct why_out *o, struct reading *reading, const struct captured *first, const struct why_replay_options *how)
{
	struct replay *r = calloc(1, sizeof *r);
	struct captured c;
	int result;
	if (!r)
		return TAPIR_ENOMEM;
	r->judging.out = o;
	r->how = how;
	why_flows_begin(&r->flows);
	take_frame(r, first);
	while ((result = reading_next(reading, &c)) == 1 && !r->no_memory)
		take_frame(r, &c);
	judge_all(r);
	o->frames = r->frames;
	say_summary(r);
	if (r->no_memory)
		result = TAPIR_ENOMEM;
	else if (result == 0 && r->judging.tally.differ)
		result = 3;
	why_flows_free(&r->flows, free_conn);
	free(r->judging.place.memory);
	free(r);
	return result;
}
