/* why_judge.c: a recorded host is compared with the stack that has its place: its decisions, not its timing. See why_replay.h.
 *
 * Each segment of the peer's leaves the host with what it must answer, as the stack did at once; each segment of the host's is
 * looked at for what it may not say, and settles what it answers. An event is a segment of the host's, or an answer that never
 * came; each agrees, differs, or cannot be judged.
 *
 * Left to the host: when to acknowledge within half a second, how many ACKs above one, where segments end, how large windows
 * are, how fast it sends, and when it gives something up for lost. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "why_replay.h"

#define ANSWER_US (600 * TAPIR_MS)	/* RFC 9293 3.8.6.3 (MUST-40): less than 0.5 s; and some */
#define AT_ONCE_US (2 * TAPIR_MS)	/* two frames within this may have crossed on their way to the capture */
#define FAR_US (5 * TAPIR_MS)		/* a host that takes so long for the handshake is far from where it was recorded */
#define GIVEN_UP_US (3 * TAPIR_SEC)
#define DUES 64u
#define ACKS 32u

enum due_kind { DUE_ACK, DUE_DUP, DUE_CHALLENGE, DUE_RST, DUE_SYN_ACK };
/* An answer that is owed. hard: its absence is a difference; else other stacks may limit their rate. */
struct due {
	enum due_kind kind;
	bool hard;
	usec_t at_us;
	uint64_t frame, ack, seq, end;
	const char *why;
	enum tapir_verdict verdict;
};
struct judge {
	struct why_judging *all;
	const struct why_conn *conn;
	int side, peer;
	struct why_host host;
	struct due dues[DUES];
	unsigned count;
	usec_t turn_us;			/* from the peer's segment to the host's answer in the handshake */
	bool far, closes, over, synchronized, timestamps, sack;
	enum why_text unknown;		/* over: why the rest cannot be judged */
	uint8_t shift[2];
	/* the host's */
	uint64_t edge, ack, sent, fin;	/* window's right edge, greatest ACK, end of its text; of its FIN, 0: none */
	usec_t ack_us, edge_us, last_us, first_sent_us;
	/* the peer's */
	uint64_t peer_edge, peer_ack;
	struct { usec_t at_us; uint64_t ack; } acks[ACKS];
	unsigned ack_count;
	struct why_ranges arrived;
	struct { usec_t at_us; uint64_t from, to; } beyond;	/* the oldest text beyond a hole */
	const struct why_record *ignored_rst, *fatal_rst;	/* one that the stack did not obey; one that it did */
};

/* --- saying --- */

static char *when(const struct judge *j, usec_t at_us, char text[WHY_TIME])
{
	usec_t us = at_us - j->all->start_us;
	snprintf(text, WHY_TIME, "%llu.%06u", (unsigned long long)(us / TAPIR_SEC), (unsigned)(us % TAPIR_SEC));
	return text;
}

static void differ(struct judge *j, usec_t at_us, uint64_t frame, const char *rule, enum why_text which, ...)
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

static void unknown(struct judge *j, enum why_text why)
{
	j->all->tally.unknown[why]++;
}

/* The states of the host and the stack are no longer the same. */
static void give_up(struct judge *j, enum why_text why)
{
	j->over = true;
	j->unknown = why;
	j->count = 0;
}

/* What the stack answered, in words and by its rule. */
static const char *words_of(const struct due *d, char words[200], char rule[WHY_RULE])
{
	if (d->why[0]) {
		why_rule_cite(d->why, rule);
		return why_rule_words(d->why);
	}
	why_verdict_cite(d->verdict, words, 200, rule);
	return words;
}

/* --- what is owed --- */

static void owe(struct judge *j, const struct why_record *r, enum due_kind kind, bool hard)
{
	const struct why_host *h = &j->host;
	if (j->count == DUES) {
		memmove(j->dues, j->dues + 1, (DUES - 1) * sizeof *j->dues);
		j->count--;
	}
	j->dues[j->count++] = (struct due){
		.kind = kind, .hard = hard, .at_us = r->at_us, .frame = r->frame, .ack = h->answer_ack, .seq = r->seq,
		.end = r->seq + r->text, .why = h->why, .verdict = h->verdict,
	};
}

static void settle_due(struct judge *j, unsigned i)
{
	memmove(j->dues + i, j->dues + i + 1, (j->count - i - 1) * sizeof *j->dues);
	j->count--;
}

/* The host acts as if a RST that the stack did not obey had ended the connection: what it does from then on shows it. */
static bool is_deaf(const struct judge *j)
{
	return j->ignored_rst && j->last_us <= j->ignored_rst->at_us;
}

static void say_deaf(struct judge *j, usec_t at_us, uint64_t frame)
{
	char words[200], rule[WHY_RULE], time[WHY_TIME];
	struct due d = { .why = "", .verdict = j->ignored_rst->is.tcp.rst ? DROP_TCP_RST_OUT_OF_WINDOW : ACCEPT };
	bool inside = j->ignored_rst->seq > j->host.rcv_nxt && j->ignored_rst->seq < j->edge;
	d.verdict = inside ? DROP_TCP_RST_CHALLENGE : DROP_TCP_RST_OUT_OF_WINDOW;
	words_of(&d, words, rule);
	differ(j, at_us, frame, rule, WHY_DIFF_DEAF, when(j, j->ignored_rst->at_us, time), words);
	give_up(j, WHY_JUDGE_AFTER);
}

static void say_missing(struct judge *j, const struct due *d)
{
	char words[200], rule[WHY_RULE], time[WHY_TIME];
	const char *why = words_of(d, words, rule);
	when(j, d->at_us, time);
	switch (d->kind) {
	case DUE_ACK:
		differ(j, d->at_us, d->frame, rule, WHY_DIFF_NO_ACK, (unsigned)d->ack, time, (unsigned)d->ack, why);
		break;
	case DUE_DUP:
		differ(j, d->at_us, d->frame, rule, WHY_DIFF_NO_DUP_ACK, (unsigned)d->seq, (unsigned)d->end, time, (unsigned)d->ack,
		       why);
		break;
	case DUE_CHALLENGE:
		differ(j, d->at_us, d->frame, rule, WHY_DIFF_NO_CHALLENGE, time, (unsigned)d->ack, why);
		break;
	case DUE_RST: differ(j, d->at_us, d->frame, rule, WHY_DIFF_NO_RST, why); break;
	case DUE_SYN_ACK: differ(j, d->at_us, d->frame, rule, WHY_DIFF_NO_SYN_ACK, time, why); break;
	}
}

/* The due answer did not come, or came too late. */
static void miss(struct judge *j, unsigned i, usec_t now_us)
{
	struct due d = j->dues[i];
	settle_due(j, i);
	if (!d.hard)
		return;
	if (is_deaf(j) && d.kind != DUE_RST)
		say_deaf(j, d.at_us, d.frame);
	else if (j->far)
		unknown(j, WHY_JUDGE_FAR);
	else if (now_us < d.at_us + ANSWER_US + j->turn_us)
		unknown(j, WHY_JUDGE_END);
	else
		say_missing(j, &d);
}

static void expire(struct judge *j, usec_t now_us)
{
	while (!j->over && j->count > 0 && j->dues[0].at_us + ANSWER_US + j->turn_us < now_us)
		miss(j, 0, now_us);
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

static void settle_dues(struct judge *j, const struct why_record *r)
{
	for (unsigned i = 0; i < j->count && !j->over;) {
		struct due d = j->dues[i];
		if (answers(j, &d, r))
			settle_due(j, i);
		else if (is_too_late(&d, r))
			miss(j, i, USEC_NEVER / 2);
		else
			i++;
	}
}

/* --- the peer --- */

static void follow_peer(struct judge *j, const struct why_record *r)
{
	uint64_t edge = r->ack + ((uint64_t)r->is.wnd << (r->is.tcp.syn ? 0 : j->shift[j->peer]));
	if (!r->is.tcp.has_ack || r->is.tcp.rst)
		return;
	j->peer_edge = edge > j->peer_edge ? edge : j->peer_edge;
	if (r->ack <= j->peer_ack || r->ack > j->conn->most[j->side])
		return;
	j->peer_ack = r->ack;
	if (j->ack_count == ACKS)
		memmove(j->acks, j->acks + 1, (ACKS - 1) * sizeof j->acks[0]);
	j->ack_count -= j->ack_count == ACKS;
	j->acks[j->ack_count].at_us = r->at_us;
	j->acks[j->ack_count++].ack = r->ack;
}

static void owe_what_was_answered(struct judge *j, const struct why_record *r, uint64_t before)
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

/* Text that lies beyond the window that the host had opened is not for it, whatever the stack's window. */
static uint64_t text_end(const struct judge *j, const struct why_record *r)
{
	uint64_t end = r->seq + r->text;
	return r->text > 0 && !r->is.tcp.rst && j->edge && end > j->edge && j->synchronized ? j->edge : end;
}

static void hear(struct judge *j, const struct why_record *r)
{
	uint64_t before = j->host.rcv_nxt, end = text_end(j, r);
	bool trimmed = r->text > 0 && end <= r->seq;
	if (r->is.sum == TRACE_SUM_BAD)
		return;			/* damaged on its way: the host throws it away, too */
	why_host_hears(&j->host, r, end);
	if (!r->is.tcp.rst && !r->is.tcp.syn && j->host.verdict == ACCEPT)
		why_ranges_add(&j->arrived, r->seq, end < r->seq + r->text ? end : r->end);
	if (r->seq > j->host.rcv_nxt && r->text > 0 && !j->beyond.at_us && !trimmed) {
		j->beyond.at_us = r->at_us;
		j->beyond.from = r->seq;
		j->beyond.to = end;
	}
	if (j->beyond.at_us && j->host.rcv_nxt >= j->beyond.from)
		j->beyond.at_us = 0;
	follow_peer(j, r);
	if (r->is.tcp.rst && j->host.reset && !j->fatal_rst)
		j->fatal_rst = r;
	else if (r->is.tcp.rst && !j->host.reset)
		j->ignored_rst = r;
	if (!j->over)
		owe_what_was_answered(j, r, before);
}

/* --- the host --- */

static bool judge_rst(struct judge *j, const struct why_record *r)
{
	char words[200], rule[WHY_RULE];
	for (unsigned i = 0; i < j->count; i++)
		if (j->dues[i].kind == DUE_RST)
			return true;
	if (j->host.reset || j->host.answer == WHY_ANSWER_RST)
		return true;
	if (is_deaf(j)) {
		say_deaf(j, r->at_us, r->frame);
		return false;
	}
	if (r->is.tcp.has_ack || !j->synchronized) {
		unknown(j, WHY_JUDGE_ABORT);
		why_host_aborts(&j->host);
		j->count = 0;
		return false;
	}
	struct due d = { .why = j->host.why, .verdict = j->host.verdict };
	const char *why = words_of(&d, words, rule);
	differ(j, r->at_us, r->frame, rule, WHY_DIFF_RST, why);
	give_up(j, WHY_JUDGE_AFTER);
	return false;
}

static bool judge_syn(struct judge *j, const struct why_record *r)
{
	const struct why_record *syn = NULL;
	for (size_t i = 0; i < j->conn->count && !syn; i++)
		syn = j->conn->rows[i].from == j->peer && j->conn->rows[i].is.tcp.syn ? &j->conn->rows[i] : NULL;
	if (!r->is.tcp.syn || !r->is.tcp.has_ack || !syn)
		return true;
	if (r->ack != 1 && syn->text > 0 && r->ack <= 1 + (uint64_t)syn->text) {
		unknown(j, WHY_JUDGE_FAST_OPEN);
		give_up(j, WHY_JUDGE_FAST_OPEN);
		return false;
	}
	if (r->ack != 1) {
		differ(j, r->at_us, r->frame, "RFC 9293 3.10.7.2 third", WHY_DIFF_SYN_ACK_NUMBER, (unsigned)r->ack, 1u);
		give_up(j, WHY_JUDGE_AFTER);
		return false;
	}
	const char *option = r->is.has_wscale && !syn->is.has_wscale ? "window scale" :
			     r->is.sack_permitted && !syn->is.sack_permitted ? "SACK permitted" :
			     r->is.has_ts && !syn->is.has_ts ? "timestamps" : NULL;
	if (option)
		differ(j, r->at_us, r->frame, r->is.sack_permitted && strcmp(option, "SACK permitted") == 0 ? "RFC 2018 2" :
		       "RFC 7323 1.3", WHY_DIFF_SYN_OPTION, option);
	return !option;
}

/* Text that no capture has seen, although the host acknowledges it, has come past the capture. */
static void fill_what_is_missing(struct judge *j, uint64_t to)
{
	const struct why_ranges *seen = &j->conn->seen[j->peer];
	while (j->host.rcv_nxt < to) {
		uint64_t at = j->host.rcv_nxt, gap = why_ranges_gap(seen, at, to), end = gap + 1;
		if (gap != at || at >= j->conn->most[j->peer])
			return;
		for (size_t i = 0; i < seen->count; i++)
			if (seen->rows[i].from > at) {
				end = seen->rows[i].from;
				break;
			}
		unknown(j, WHY_JUDGE_MISSING);
		end = end < to ? end : to;
		why_ranges_add(&j->arrived, at, end);
		why_host_fills(&j->host, end);
		if (j->host.rcv_nxt <= at)
			return;
	}
}

/* Two frames may be in the capture in another order than the host saw them. */
static bool comes_soon(const struct judge *j, const struct why_record *r)
{
	for (const struct why_record *next = r + 1; next < j->conn->rows + j->conn->count; next++) {
		if (next->at_us > r->at_us + AT_ONCE_US)
			return false;
		if (next->from == j->peer && next->end >= r->ack)
			return true;
	}
	return false;
}

static bool judge_ack(struct judge *j, const struct why_record *r)
{
	if (!r->is.tcp.has_ack) {
		if (j->synchronized)
			differ(j, r->at_us, r->frame, "RFC 9293 3.1", WHY_DIFF_NO_ACK_BIT);
		return !j->synchronized;
	}
	if (r->ack > j->host.rcv_nxt)
		fill_what_is_missing(j, r->ack);
	if (r->ack > j->host.rcv_nxt && !comes_soon(j, r) && !j->far) {
		differ(j, r->at_us, r->frame, "RFC 9293 3.4", WHY_DIFF_ACK_TOO_FAR, (unsigned)r->ack, (unsigned)j->host.rcv_nxt,
		       (unsigned)j->host.rcv_nxt);
		give_up(j, WHY_JUDGE_AFTER);
		return false;
	}
	if (r->ack < j->ack && r->at_us > j->ack_us + 5 * AT_ONCE_US) {
		differ(j, r->at_us, r->frame, "RFC 9293 3.4", WHY_DIFF_ACK_BACK, (unsigned)j->ack, (unsigned)r->ack);
		return false;
	}
	return true;
}

static bool judge_window(struct judge *j, const struct why_record *r)
{
	uint8_t shift = r->is.tcp.syn ? 0 : j->shift[j->side];
	uint64_t edge = r->ack + ((uint64_t)r->is.wnd << shift), slack = (1u << shift) - 1;
	if (!r->is.tcp.has_ack || r->ack < j->ack)
		return true;
	bool shrunk = edge + slack < j->edge;
	uint64_t before = j->edge;
	if (shrunk || edge > j->edge)
		j->edge = edge;
	if (shrunk)
		differ(j, r->at_us, r->frame, "RFC 9293 3.8.6 (SHLD-14)", WHY_DIFF_SHRUNK, (unsigned)before, (unsigned)edge,
		       (unsigned)(before - edge));
	return !shrunk;
}

/* How long ago the peer had acknowledged all of this; 0: it has not. */
static usec_t acknowledged_for(const struct judge *j, uint64_t end, usec_t now_us)
{
	for (unsigned i = 0; i < j->ack_count; i++)
		if (j->acks[i].ack >= end)
			return now_us - j->acks[i].at_us;
	return 0;
}

static bool judge_text(struct judge *j, const struct why_record *r)
{
	char time[WHY_TIME];
	uint64_t end = r->seq + r->text;
	if (r->text == 0 || r->is.tcp.syn)
		return true;
	if (j->fin && end > j->fin - 1) {
		differ(j, r->at_us, r->frame, "RFC 9293 3.10.4", WHY_DIFF_AFTER_FIN, (unsigned)r->seq, (unsigned)end,
		       (unsigned)(j->fin - 1));
		return false;
	}
	if (j->peer_edge && end > j->peer_edge + 1 && j->synchronized && !j->far) {
		differ(j, r->at_us, r->frame, "RFC 9293 3.8.6", WHY_DIFF_BEYOND_WINDOW, (unsigned)end, (unsigned)j->peer_edge);
		return false;
	}
	usec_t ago_us = r->text > 1 && end <= j->peer_ack ? acknowledged_for(j, end, r->at_us) : 0;
	if (ago_us > AT_ONCE_US + j->turn_us && !j->far) {
		differ(j, r->at_us, r->frame, "RFC 9293 3.4", WHY_DIFF_AGAIN_FOR_NOTHING, (unsigned)r->seq, (unsigned)end,
		       why_ms(time, ago_us));
		return false;
	}
	return true;
}

static bool judge_sack(struct judge *j, const struct why_record *r)
{
	for (uint8_t i = 0; i < r->is.sack_count; i++) {
		uint64_t from = why_octet(j->conn, j->peer, r->is.sack[i].start, r->ack);
		uint64_t to = why_octet(j->conn, j->peer, r->is.sack[i].end, r->ack);
		/* What the capture never saw may have come past it. */
		if (why_ranges_cover(&j->arrived, from, to) || !why_ranges_cover(&j->conn->seen[j->peer], from, to) || j->far ||
		    comes_soon(j, r))
			continue;
		differ(j, r->at_us, r->frame, "RFC 2018 3", WHY_DIFF_SACK_WRONG, (unsigned)from, (unsigned)to);
		return false;
	}
	if (r->is.sack_count == 0 && j->sack && !r->is.tcp.syn && !r->is.tcp.fin && j->beyond.at_us && r->ack == j->host.rcv_nxt &&
	    r->at_us > j->beyond.at_us + AT_ONCE_US + j->turn_us && !j->far) {
		differ(j, r->at_us, r->frame, "RFC 2018 4", WHY_DIFF_SACK_MISSING, (unsigned)r->ack, (unsigned)j->beyond.from,
		       (unsigned)j->beyond.to);
		return false;
	}
	return true;
}

static bool judge_life(struct judge *j, const struct why_record *r)
{
	char words[200], rule[WHY_RULE], time[WHY_TIME];
	if (j->timestamps && !r->is.has_ts && !r->is.tcp.syn) {
		differ(j, r->at_us, r->frame, "RFC 7323 3.2", WHY_DIFF_NO_TIMESTAMP);
		return false;
	}
	if (!j->fatal_rst || r->at_us <= j->fatal_rst->at_us + AT_ONCE_US + j->turn_us || j->far)
		return true;
	struct due d = { .why = "RFC 9293 3.10.7.4 second: a RST at RCV.NXT" };
	const char *why = words_of(&d, words, rule);
	differ(j, r->at_us, r->frame, rule, WHY_DIFF_AFTER_RST, when(j, j->fatal_rst->at_us, time), why);
	give_up(j, WHY_JUDGE_AFTER);
	return false;
}

static void follow_host(struct judge *j, const struct why_record *r)
{
	if (r->is.tcp.has_ack && r->ack >= j->ack) {
		j->ack_us = r->ack > j->ack ? r->at_us : j->ack_us;
		j->ack = r->ack;
	}
	if (r->end > r->seq && r->seq <= j->peer_ack && r->end > j->peer_ack)
		j->first_sent_us = r->at_us;
	j->sent = r->end > j->sent ? r->end : j->sent;
	j->fin = r->is.tcp.fin && !j->fin ? r->end : j->fin;
	j->last_us = r->at_us;
}

/* Every check is made, so that one segment with two faults shows both. */
static bool judge_segment(struct judge *j, const struct why_record *r)
{
	static bool (*const checks[])(struct judge *, const struct why_record *) = {
		judge_syn, judge_life, judge_ack, judge_window, judge_text, judge_sack,
	};
	bool good = true;
	for (size_t i = 0; i < sizeof checks / sizeof checks[0] && !j->over; i++)
		good = checks[i](j, r) && good;
	return good;
}

static void look(struct judge *j, const struct why_record *r)
{
	if (j->over) {
		unknown(j, j->unknown);
		return;
	}
	if (!r->is.tcp.rst)
		why_host_acts(&j->host, r, j->closes);
	bool good = r->is.tcp.rst ? judge_rst(j, r) : judge_segment(j, r);
	if (!j->over)
		settle_dues(j, r);
	if (!r->is.tcp.rst)
		follow_host(j, r);
	if (r->is.tcp.rst)
		j->last_us = r->at_us;
	j->all->tally.agree += good;
}

/* --- the whole --- */

static bool is_syn(const struct why_record *r) { return r->is.tcp.syn; }
static bool is_any(const struct why_record *r) { (void)r; return true; }
static bool is_bare_rst(const struct why_record *r) { return r->is.tcp.rst && !r->is.tcp.has_ack; }
static bool is_fin(const struct why_record *r) { return r->is.tcp.fin; }

/* Text that comes after the host's FIN is answered with a RST by one whose program has closed, and taken by one whose program
 * has only shut down its own side (RFC 1122 4.2.2.13). */
static bool program_closes(const struct why_conn *c, int side)
{
	const struct why_record *fin = why_conn_find(c, side, 0, is_fin);
	return fin && why_conn_find(c, side, (size_t)(fin - c->rows), is_bare_rst);
}

/* How long a side takes for its part of the handshake. */
static usec_t turn_of(const struct why_conn *c, int side)
{
	const struct why_record *other = why_conn_find(c, !side, 0, is_syn), *next;
	next = other ? why_conn_find(c, side, (size_t)(other - c->rows), is_any) : NULL;
	return next ? next->at_us - other->at_us : 0;
}

static void know_options(struct judge *j)
{
	const struct why_record *mine = why_conn_find(j->conn, j->side, 0, is_syn);
	const struct why_record *peer = why_conn_find(j->conn, j->peer, 0, is_syn);
	if (!mine || !peer)
		return;
	j->timestamps = mine->is.has_ts && peer->is.has_ts;
	j->sack = mine->is.sack_permitted && peer->is.sack_permitted;
	if (mine->is.has_wscale && peer->is.has_wscale) {
		j->shift[j->side] = mine->is.wscale;
		j->shift[j->peer] = peer->is.wscale;
	}
	j->turn_us = turn_of(j->conn, j->side);
	j->far = j->turn_us > FAR_US && j->turn_us > turn_of(j->conn, j->peer);
}

/* Why nothing of the connection can be judged, or WHY_NONE. */
static enum why_text hopeless(const struct why_conn *c, int side)
{
	if (!c->began)
		return WHY_JUDGE_LATE;
	if (!why_conn_find(c, side, 0, is_any))
		return WHY_JUDGE_UNANSWERED;
	if (!why_conn_find(c, side, 0, is_syn) && !why_conn_find(c, side, 0, is_bare_rst) && c->rows[0].from != side &&
	    !why_conn_find(c, side, 0, is_any)->is.tcp.rst)
		return WHY_JUDGE_MISSING;
	return WHY_NONE;
}

static void judge_end(struct judge *j)
{
	usec_t end_us = j->all->end_us;
	char words[200], rule[WHY_RULE], time[WHY_TIME];
	why_host_run(&j->host, end_us);
	expire(j, end_us + 1);
	while (!j->over && j->count > 0)
		miss(j, 0, end_us);
	if (j->over || j->far || j->host.reset || j->host.sd < 0 || j->peer_ack >= j->sent || !j->synchronized ||
	    end_us < j->first_sent_us + GIVEN_UP_US || j->host.again_us <= j->first_sent_us)
		return;
	struct due d = { .why = j->host.again_why };
	const char *why = words_of(&d, words, rule);
	differ(j, j->host.again_us, 0, rule, WHY_DIFF_NEVER_AGAIN, (unsigned)j->peer_ack, when(j, j->first_sent_us, time), why);
}

bool why_judge(struct why_judging *all, const struct why_conn *c, int side)
{
	enum why_text why = hopeless(c, side);
	struct judge *j = calloc(1, sizeof *j);
	if (!j)
		return false;
	*j = (struct judge){ .all = all, .conn = c, .side = side, .peer = !side, .closes = program_closes(c, side) };
	j->host.out = all->out->all ? all->out : NULL;
	j->host.start_us = all->start_us;
	know_options(j);
	if (why || !why_host_begin(&j->host, c, side, &all->place))
		give_up(j, why ? why : WHY_JUDGE_NO_MEMORY);
	for (size_t i = 0; i < c->count; i++) {
		const struct why_record *r = &c->rows[i];
		if (!j->over) {
			why_host_run(&j->host, r->at_us);
			expire(j, r->at_us);
		}
		if (r->from == side)
			look(j, r);
		else if (!j->over)
			hear(j, r);
		j->synchronized = j->synchronized || (!r->is.tcp.syn && r->is.tcp.has_ack && !r->is.tcp.rst);
	}
	if (why == WHY_JUDGE_UNANSWERED)
		unknown(j, why);
	if (j->host.stack && !j->over)
		judge_end(j);
	free(j->arrived.rows);
	free(j);
	return true;
}
