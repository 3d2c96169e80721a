/* why_judge.c: a recorded host is compared with the stack that has its place: its decisions, not its timing. See why_replay.h.
 *
 * Each segment of the host's is looked at for what it may not say, and settles what it answers (why_due.c). An event is a segment
 * of the host's, or an answer that never came; each agrees, differs, or cannot be judged.
 *
 * Left to the host: when to acknowledge within half a second, how many ACKs above one, where segments end, how large windows
 * are, how fast it sends, and when it gives something up for lost. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "why_judge.h"

#define FAR_US (5 * TAPIR_MS)		/* a host that takes so long for the handshake is far from where it was recorded */
#define GIVEN_UP_US (3 * TAPIR_SEC)

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
	why_due_owe(j, r, before);
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
	if (why_due_is_deaf(j)) {
		why_due_say_deaf(j, r->at_us, r->frame);
		return false;
	}
	if (r->is.tcp.has_ack || !j->synchronized || j->far) {	/* far: to what was not there yet, or no longer, it may answer */
		why_unknown(j, r->is.tcp.has_ack || !j->far ? WHY_JUDGE_ABORT : WHY_JUDGE_FAR);
		why_host_aborts(&j->host);
		j->count = 0;
		return false;
	}
	struct due d = { .why = j->host.why, .verdict = j->host.verdict };
	const char *why = why_words_of(&d, words, rule);
	why_differ(j, r->at_us, r->frame, rule, WHY_DIFF_RST, why);
	why_give_up(j, WHY_JUDGE_AFTER);
	return false;
}

static bool judge_syn(struct judge *j, const struct why_record *r)
{
	bool answers = r->is.tcp.syn && r->is.tcp.has_ack;
	const struct why_record *syn = answers ? why_conn_find(j->conn, j->peer, 0, why_is_syn) : NULL;
	if (!syn)
		return true;
	if (r->ack != 1 && syn->text > 0 && r->ack <= 1 + (uint64_t)syn->text) {
		why_unknown(j, WHY_JUDGE_FAST_OPEN);
		why_give_up(j, WHY_JUDGE_FAST_OPEN);
		return false;
	}
	if (r->ack != 1) {
		why_differ(j, r->at_us, r->frame, "RFC 9293 3.10.7.2 third", WHY_DIFF_SYN_ACK_NUMBER, (unsigned)r->ack, 1u);
		why_give_up(j, WHY_JUDGE_AFTER);
		return false;
	}
	const char *option = r->is.has_wscale && !syn->is.has_wscale ? "window scale" :
			     r->is.sack_permitted && !syn->is.sack_permitted ? "SACK permitted" :
			     r->is.has_ts && !syn->is.has_ts ? "timestamps" : NULL;
	if (option)
		why_differ(j, r->at_us, r->frame, r->is.sack_permitted && strcmp(option, "SACK permitted") == 0 ? "RFC 2018 2" :
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
		why_unknown(j, WHY_JUDGE_MISSING);
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
			why_differ(j, r->at_us, r->frame, "RFC 9293 3.1", WHY_DIFF_NO_ACK_BIT);
		return !j->synchronized;
	}
	if (r->ack > j->host.rcv_nxt)
		fill_what_is_missing(j, r->ack);
	if (r->ack > j->host.rcv_nxt && !comes_soon(j, r) && !j->far) {
		why_differ(j, r->at_us, r->frame, "RFC 9293 3.4", WHY_DIFF_ACK_TOO_FAR, (unsigned)r->ack, (unsigned)j->host.rcv_nxt,
			   (unsigned)j->host.rcv_nxt);
		why_give_up(j, WHY_JUDGE_AFTER);
		return false;
	}
	if (r->ack < j->ack && r->at_us > j->ack_us + 5 * AT_ONCE_US) {
		why_differ(j, r->at_us, r->frame, "RFC 9293 3.4", WHY_DIFF_ACK_BACK, (unsigned)j->ack, (unsigned)r->ack);
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
	bool shrunk = edge + slack < j->edge && !j->far;	/* far: a segment with a larger window may have overtaken it */
	uint64_t before = j->edge;
	if (shrunk || edge > j->edge)
		j->edge = edge;
	if (shrunk)
		why_differ(j, r->at_us, r->frame, "RFC 9293 3.8.6 (SHLD-14)", WHY_DIFF_SHRUNK, (unsigned)before, (unsigned)edge,
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
		why_differ(j, r->at_us, r->frame, "RFC 9293 3.10.4", WHY_DIFF_AFTER_FIN, (unsigned)r->seq, (unsigned)end,
			   (unsigned)(j->fin - 1));
		return false;
	}
	if (j->peer_edge && end > j->peer_edge + 1 && j->synchronized && !j->far) {
		why_differ(j, r->at_us, r->frame, "RFC 9293 3.8.6", WHY_DIFF_BEYOND_WINDOW, (unsigned)end, (unsigned)j->peer_edge);
		return false;
	}
	usec_t ago_us = r->text > 1 && end <= j->peer_ack ? acknowledged_for(j, end, r->at_us) : 0;
	if (ago_us > AT_ONCE_US + j->turn_us && !j->far) {
		why_differ(j, r->at_us, r->frame, "RFC 9293 3.4", WHY_DIFF_AGAIN_FOR_NOTHING, (unsigned)r->seq, (unsigned)end,
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
		why_differ(j, r->at_us, r->frame, "RFC 2018 3", WHY_DIFF_SACK_WRONG, (unsigned)from, (unsigned)to);
		return false;
	}
	if (r->is.sack_count == 0 && j->sack && !r->is.tcp.syn && !r->is.tcp.fin && j->beyond.at_us && r->ack == j->host.rcv_nxt &&
	    r->at_us > j->beyond.at_us + AT_ONCE_US + j->turn_us && !j->far) {
		why_differ(j, r->at_us, r->frame, "RFC 2018 4", WHY_DIFF_SACK_MISSING, (unsigned)r->ack, (unsigned)j->beyond.from,
			   (unsigned)j->beyond.to);
		return false;
	}
	return true;
}

static bool judge_life(struct judge *j, const struct why_record *r)
{
	char words[200], rule[WHY_RULE], time[WHY_TIME];
	if (j->timestamps && !r->is.has_ts && !r->is.tcp.syn) {
		why_differ(j, r->at_us, r->frame, "RFC 7323 3.2", WHY_DIFF_NO_TIMESTAMP);
		return false;
	}
	if (!j->fatal_rst || r->at_us <= j->fatal_rst->at_us + AT_ONCE_US + j->turn_us || j->far)
		return true;
	struct due d = { .why = "RFC 9293 3.10.7.4 second: a RST at RCV.NXT" };
	const char *why = why_words_of(&d, words, rule);
	why_differ(j, r->at_us, r->frame, rule, WHY_DIFF_AFTER_RST, why_when(j, j->fatal_rst->at_us, time), why);
	why_give_up(j, WHY_JUDGE_AFTER);
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
		why_unknown(j, j->unknown);
		return;
	}
	if (!r->is.tcp.rst)
		why_host_acts(&j->host, r, j->closes);
	bool good = r->is.tcp.rst ? judge_rst(j, r) : judge_segment(j, r);
	if (!j->over)
		why_due_settle(j, r);
	if (!r->is.tcp.rst)
		follow_host(j, r);
	if (r->is.tcp.rst)
		j->last_us = r->at_us;
	j->all->tally.agree += good;
}

/* --- the whole --- */

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
	const struct why_record *other = why_conn_find(c, !side, 0, why_is_syn), *next;
	next = other ? why_conn_find(c, side, (size_t)(other - c->rows), is_any) : NULL;
	return next ? next->at_us - other->at_us : 0;
}

static void know_options(struct judge *j)
{
	const struct why_record *mine = why_conn_find(j->conn, j->side, 0, why_is_syn);
	const struct why_record *peer = why_conn_find(j->conn, j->peer, 0, why_is_syn);
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
	if (!why_conn_find(c, side, 0, why_is_syn) && !why_conn_find(c, side, 0, is_bare_rst) && c->rows[0].from != side &&
	    !why_conn_find(c, side, 0, is_any)->is.tcp.rst)
		return WHY_JUDGE_MISSING;
	return WHY_NONE;
}

static void judge_end(struct judge *j)
{
	usec_t end_us = j->all->end_us;
	char words[200], rule[WHY_RULE], time[WHY_TIME];
	why_host_run(&j->host, end_us);
	why_due_expire(j, end_us + 1);
	while (!j->over && j->count > 0)
		why_due_miss(j, 0, end_us);
	if (j->over || j->far || j->host.reset || j->host.sd < 0 || j->peer_ack >= j->sent || !j->synchronized ||
	    end_us < j->first_sent_us + GIVEN_UP_US || j->host.again_us <= j->first_sent_us)
		return;
	struct due d = { .why = j->host.again_why };
	const char *why = why_words_of(&d, words, rule);
	why_differ(j, j->host.again_us, 0, rule, WHY_DIFF_NEVER_AGAIN, (unsigned)j->peer_ack,
		   why_when(j, j->first_sent_us, time), why);
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
		why_give_up(j, why ? why : WHY_JUDGE_NO_MEMORY);
	for (size_t i = 0; i < c->count; i++) {
		const struct why_record *r = &c->rows[i];
		if (!j->over) {
			why_host_run(&j->host, r->at_us);
			why_due_expire(j, r->at_us);
		}
		if (r->from == side)
			look(j, r);
		else if (!j->over)
			hear(j, r);
		j->synchronized = j->synchronized || (!r->is.tcp.syn && r->is.tcp.has_ack && !r->is.tcp.rst);
	}
	if (why == WHY_JUDGE_UNANSWERED)
		why_unknown(j, why);
	if (j->host.stack && !j->over)
		judge_end(j);
	free(j->arrived.rows);
	free(j);
	return true;
}
