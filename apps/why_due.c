/* why_due.c: what a recorded host owes its peer. Each segment of the peer's leaves it with what it must answer, as the stack in
 * its place did at once; each of the host's settles what it answers; what is not answered in time differs. See why_replay.h. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "why_judge.h"

#define ANSWER_US (600 * TAPIR_MS)	/* RFC 9293 3.8.6.3 (MUST-40): less than 0.5 s; and some */

/* --- saying --- */

char *why_when(const struct judge *j, usec_t at_us, char text[WHY_TIME])
{
	usec_t us = at_us - j->all->start_us;
	snprintf(text, WHY_TIME, "%llu.%06u", (unsigned long long)(us / TAPIR_SEC), (unsigned)(us % TAPIR_SEC));
	return text;
}

void why_differ(struct judge *j, usec_t at_us, uint64_t frame, const char *rule, enum why_text which, ...)
{
	struct why_line l = { .at_us = at_us - j->all->start_us, .frame = frame, .from = j->conn->ends[j->side],
			      .to = j->conn->ends[j->peer], .kind = WHY_KIND_DIFFERENCE };
	va_list args;
	va_start(args, which);
	vsnprintf(l.text, sizeof l.text, why_text(which), args);
	va_end(args);
	snprintf(l.rule, sizeof l.rule, "%s", rule);
	why_number(&l, "rcv.nxt", j->host.rcv_nxt);
	why_number(&l, "snd.una", j->peer_ack);
	why_number(&l, "snd.nxt", j->sent);
	why_out_line(j->all->out, &l);
	j->all->tally.differ++;
}

void why_unknown(struct judge *j, enum why_text why)
{
	j->all->tally.unknown[why]++;
}

void why_give_up(struct judge *j, enum why_text why)
{
	j->over = true;
	j->unknown = why;
	j->count = 0;
}

const char *why_words_of(const struct due *d, char words[200], char rule[WHY_RULE])
{
	if (d->why[0]) {
		why_rule_cite(d->why, rule);
		return why_rule_words(d->why);
	}
	why_verdict_cite(d->verdict, words, 200, rule);
	return words;
}

/* --- what is owed --- */

static void settle_due(struct judge *j, unsigned i)
{
	memmove(j->dues + i, j->dues + i + 1, (j->count - i - 1) * sizeof *j->dues);
	j->count--;
}

static void owe(struct judge *j, const struct why_record *r, enum due_kind kind, bool hard)
{
	const struct why_host *h = &j->host;
	if (j->count == DUES)
		settle_due(j, 0);
	j->dues[j->count++] = (struct due){
		.kind = kind, .hard = hard, .at_us = r->at_us, .frame = r->frame, .ack = h->answer_ack, .seq = r->seq,
		.end = r->seq + r->text, .why = h->why, .verdict = h->verdict,
	};
}

bool why_due_is_deaf(const struct judge *j)
{
	return j->ignored_rst && j->last_us <= j->ignored_rst->at_us;
}

void why_due_say_deaf(struct judge *j, usec_t at_us, uint64_t frame)
{
	char words[200], rule[WHY_RULE], time[WHY_TIME];
	bool inside = j->ignored_rst->seq > j->host.rcv_nxt && j->ignored_rst->seq < j->edge;
	struct due d = { .why = "", .verdict = inside ? DROP_TCP_RST_CHALLENGE : DROP_TCP_RST_OUT_OF_WINDOW };
	why_words_of(&d, words, rule);
	why_differ(j, at_us, frame, rule, WHY_DIFF_DEAF, why_when(j, j->ignored_rst->at_us, time), words);
	why_give_up(j, WHY_JUDGE_AFTER);
}

static void say_missing(struct judge *j, const struct due *d)
{
	char words[200], rule[WHY_RULE], time[WHY_TIME];
	const char *why = why_words_of(d, words, rule);
	why_when(j, d->at_us, time);
	switch (d->kind) {
	case DUE_ACK:
		why_differ(j, d->at_us, d->frame, rule, WHY_DIFF_NO_ACK, (unsigned)d->ack, time, (unsigned)d->ack, why);
		break;
	case DUE_DUP:
		why_differ(j, d->at_us, d->frame, rule, WHY_DIFF_NO_DUP_ACK, (unsigned)d->seq, (unsigned)d->end, time,
			   (unsigned)d->ack, why);
		break;
	case DUE_CHALLENGE:
		why_differ(j, d->at_us, d->frame, rule, WHY_DIFF_NO_CHALLENGE, time, (unsigned)d->ack, why);
		break;
	case DUE_RST: why_differ(j, d->at_us, d->frame, rule, WHY_DIFF_NO_RST, why); break;
	case DUE_SYN_ACK: why_differ(j, d->at_us, d->frame, rule, WHY_DIFF_NO_SYN_ACK, time, why); break;
	}
}

void why_due_miss(struct judge *j, unsigned i, usec_t now_us)
{
	struct due d = j->dues[i];
	settle_due(j, i);
	if (!d.hard)
		return;
	if (why_due_is_deaf(j) && d.kind != DUE_RST)
		why_due_say_deaf(j, d.at_us, d.frame);
	else if (j->far)
		why_unknown(j, WHY_JUDGE_FAR);
	else if (now_us < d.at_us + ANSWER_US + j->turn_us)
		why_unknown(j, WHY_JUDGE_END);
	else
		say_missing(j, &d);
}

void why_due_expire(struct judge *j, usec_t now_us)
{
	while (!j->over && j->count > 0 && j->dues[0].at_us + ANSWER_US + j->turn_us < now_us)
		why_due_miss(j, 0, now_us);
}

static bool answers(const struct judge *j, const struct due *d, const struct why_record *r)
{
	switch (d->kind) {
	case DUE_RST: return r->is.tcp.rst;
	case DUE_SYN_ACK: return r->is.tcp.syn && r->is.tcp.has_ack;
	case DUE_DUP:		/* one that came with what filled the hole may have been overtaken by it */
		return r->is.tcp.has_ack &&
		       (r->ack == d->ack || (r->ack > d->ack && r->at_us <= d->at_us + AT_ONCE_US + j->turn_us));
	case DUE_ACK:
	case DUE_CHALLENGE: return r->is.tcp.has_ack && r->ack >= d->ack;
	}
	return false;
}

/* A duplicate ACK can no longer come when the hole has been acknowledged. */
static bool is_too_late(const struct due *d, const struct why_record *r)
{
	return d->kind == DUE_DUP && r->is.tcp.has_ack && r->ack > d->ack;
}

void why_due_settle(struct judge *j, const struct why_record *r)
{
	for (unsigned i = 0; i < j->count && !j->over;) {
		struct due d = j->dues[i];
		if (answers(j, &d, r))
			settle_due(j, i);
		else if (is_too_late(&d, r))
			why_due_miss(j, i, USEC_NEVER / 2);
		else
			i++;
	}
}

void why_due_owe(struct judge *j, const struct why_record *r, uint64_t before)
{
	const struct why_host *h = &j->host;
	bool dup = strstr(h->why, "out-of-order") != NULL;
	if (h->answer == WHY_ANSWER_RST)
		owe(j, r, DUE_RST, !r->is.tcp.rst);
	else if (h->answer == WHY_ANSWER_SYN_ACK)
		owe(j, r, DUE_SYN_ACK, false);
	else if (h->answer == WHY_ANSWER_ACK && dup)
		owe(j, r, DUE_DUP, true);
	else if (h->answer == WHY_ANSWER_ACK && h->verdict == ACCEPT && h->answer_ack > before)
		owe(j, r, DUE_ACK, true);
	else if (h->answer == WHY_ANSWER_ACK && h->verdict != ACCEPT)
		owe(j, r, DUE_CHALLENGE, r->text > 0 || h->verdict == DROP_TCP_ACK_RANGE);
}
