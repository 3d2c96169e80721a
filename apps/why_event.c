/* why_event.c: one event of the stack's as a sentence: what happened, with the numbers that were compared, and the rule. The
 * event has the reason, the segment that it came with has the numbers. See why.h. */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "why.h"

#define NO_SSTHRESH (1u << 30)		/* and above, as in the drivers' trace_event.c */

/* Templates are chosen at run time: a test compares what each takes with what it is given. */
static void put(struct why_line *l, enum why_text which, ...)
{
	va_list args;
	size_t n = strlen(l->text);
	va_start(args, which);
	vsnprintf(l->text + n, sizeof l->text - n, why_text(which), args);
	va_end(args);
}

void why_number(struct why_line *l, const char *name, uint64_t value)
{
	if (l->count < sizeof l->numbers / sizeof l->numbers[0])
		l->numbers[l->count++] = (struct why_number){ name, value };
}

char *why_ms(char text[WHY_TIME], usec_t us)
{
	if (us < 10 * TAPIR_SEC)
		snprintf(text, WHY_TIME, "%" PRIu64 ".%03u ms", us / 1000, (unsigned)(us % 1000));
	else
		snprintf(text, WHY_TIME, "%" PRIu64 ".%03u s", us / TAPIR_SEC, (unsigned)(us / 1000 % 1000));
	return text;
}

static void set_rule(struct why_line *l, const char *rule)
{
	snprintf(l->rule, sizeof l->rule, "%s", rule);
}

/* The reason's words; its rule goes to l. */
static const char *reason(struct why_line *l, const struct tapir_event *e)
{
	char rule[WHY_RULE];
	why_rule_cite(e->why, rule);
	set_rule(l, rule);
	return why_rule_words(e->why);
}

static void note_segment(struct why_line *l, const struct why_segment *s)
{
	why_number(l, "seg.seq", s->seq);
	why_number(l, "seg.len", s->end - s->seq);
	why_number(l, "rcv.nxt", s->rcv_nxt);
}

static void note_ack(struct why_line *l, const struct why_segment *s)
{
	why_number(l, "seg.ack", s->ack);
	why_number(l, "snd.una", s->una);
	why_number(l, "snd.nxt", s->nxt);
}

/* --- what arrived --- */

static void say_text_taken(struct why_line *l, const struct why_segment *s)
{
	uint32_t text_end = s->seq + (uint32_t)s->is.text.n;
	note_segment(l, s);
	l->kind = WHY_KIND_SEGMENT;
	set_rule(l, "RFC 9293 3.10.7.4 seventh");
	if (why_is_beyond(s->seq, s->rcv_nxt))
		put(l, WHY_KEEPS, s->seq, text_end, s->rcv_nxt, s->seq - s->rcv_nxt);
	else if (!why_is_beyond(text_end, s->rcv_nxt))
		put(l, WHY_DUPLICATE_TEXT, s->seq, text_end, s->rcv_nxt);
	else
		put(l, WHY_TAKES_TEXT, s->seq, text_end, s->end);
}

static void say_accepted(struct why_line *l, const struct why_segment *s)
{
	if (!s || s->is.tcp.syn || s->is.tcp.rst) {
		l->kind = WHY_KIND_SEGMENT;
		put(l, WHY_TAKES_OTHER);
		return;
	}
	if (s->is.text.n > 0) {
		say_text_taken(l, s);
		return;
	}
	l->kind = WHY_KIND_SEGMENT;
	if (s->is.tcp.fin) {
		set_rule(l, "RFC 9293 3.10.7.4 eighth");
		note_segment(l, s);
		put(l, WHY_TAKES_FIN, s->seq);
		return;
	}
	l->kind = WHY_KIND_ACK;
	set_rule(l, "RFC 9293 3.10.7.4 fifth");
	note_ack(l, s);
	if (why_is_beyond(s->ack, s->una))
		put(l, WHY_TAKES_ACK, s->ack, s->una, s->ack - s->una);
	else if (s->nxt != s->una)
		put(l, WHY_TAKES_DUP_ACK, s->ack, s->una, s->nxt - s->una);
	else
		put(l, WHY_TAKES_OTHER);
}

/* Which numbers decided. */
static void put_numbers(struct why_line *l, enum tapir_verdict v, const struct why_segment *s)
{
	switch ((int)v) {
	case DROP_TCP_OUT_OF_WINDOW: case DROP_TCP_RST_OUT_OF_WINDOW: case DROP_TCP_RST_CHALLENGE: case DROP_TCP_SYN_CHALLENGE:
		note_segment(l, s);
		why_number(l, "window.end", s->edge);
		put(l, WHY_NUMBERS_WINDOW, s->seq, s->end, s->rcv_nxt, s->edge);
		break;
	case DROP_TCP_ACK_RANGE: case DROP_TCP_SYN_SENT_ACK: case DROP_TCP_SYN_RCVD_ACK:
		note_ack(l, s);
		put(l, WHY_NUMBERS_ACK, s->ack, s->una, s->nxt);
		break;
	case DROP_TCP_CLOSED_BY_USER: case DROP_TCP_REASS_LIMIT: case DROP_TCP_TIME_WAIT: case DROP_TCP_PAWS:
		note_segment(l, s);
		put(l, WHY_NUMBERS_TEXT, s->seq, s->end, s->rcv_nxt);
		break;
	default:
		break;
	}
}

static void say_verdict(struct why_line *l, const struct tapir_event *e, const struct why_segment *s)
{
	enum tapir_verdict v = e->u.verdict.verdict;
	char words[200], rule[WHY_RULE];
	if (v == ACCEPT) {
		say_accepted(l, s);
		return;
	}
	why_verdict_cite(v, words, sizeof words, rule);
	set_rule(l, rule);
	l->kind = WHY_KIND_DROP;
	if (v == ACCEPT_COOKIE)
		put(l, WHY_ANSWERED_COOKIE);
	else if (v == HELD || v == HELD_FRAGMENT)
		put(l, WHY_HELD, words);
	else
		put(l, WHY_DROPPED, tapir_verdict_name(v), words);
	if (s)
		put_numbers(l, v, s);
}

static void say_owed(struct why_line *l, const struct tapir_event *e, const struct why_segment *s)
{
	const char *words = reason(l, e);
	char rule[WHY_RULE];
	const char *told = why_rule_cite(e->why, rule);
	uint32_t text_end = s ? s->seq + (uint32_t)s->is.text.n : 0;
	l->kind = WHY_KIND_ACK;
	if (s)
		note_segment(l, s);
	if (s && strncmp(told, "out-of-order text", 17) == 0 && why_is_beyond(s->seq, s->rcv_nxt)) {
		put(l, WHY_DUP_ACK_OWED, s->seq, text_end, s->rcv_nxt, s->seq - s->rcv_nxt);
		set_rule(l, "RFC 9293 3.10.7.4 seventh; RFC 5681 4.2");
	} else if (s && strncmp(told, "text that fills a hole", 22) == 0) {
		put(l, WHY_HOLE_FILLED, s->seq, text_end, s->rcv_nxt);
	} else if (s && strncmp(told, "the second full-sized", 21) == 0) {
		put(l, WHY_SECOND_SEGMENT, s->seq, text_end);
	} else {
		put(l, WHY_ACK_OWED, words);
	}
}

/* --- what leaves --- */

static void say_sent(struct why_line *l, const struct tapir_event *e, const struct why_segment *s)
{
	const char *words = reason(l, e);
	l->kind = WHY_KIND_SEGMENT;
	if (!s) {
		put(l, WHY_TOLD, words);
		return;
	}
	why_number(l, "seg.seq", s->seq);
	why_number(l, "seg.len", s->end - s->seq);
	if (s->is.tcp.has_ack)
		why_number(l, "seg.ack", s->ack);
	if (e->kind == TAPIR_EV_RETRANSMIT) {
		l->kind = WHY_KIND_LOSS;
		put(l, WHY_SENT_AGAIN, s->seq, s->end, words);
	} else if (s->is.tcp.rst) {
		put(l, WHY_SENT_RST, words);
	} else if (s->is.tcp.syn) {
		put(l, s->is.tcp.has_ack ? WHY_SENT_SYN_ACK : WHY_SENT_SYN, words);
	} else if (s->is.text.n > 0) {
		uint32_t n = (uint32_t)s->is.text.n;
		put(l, s->is.tcp.fin ? WHY_SENT_TEXT_FIN : WHY_SENT_TEXT, s->seq, s->seq + n, n, words);
	} else if (s->is.tcp.fin) {
		put(l, WHY_SENT_FIN, s->seq, words);
	} else {
		l->kind = WHY_KIND_ACK;
		put(l, WHY_SENT_ACK, s->ack, words);
	}
}

/* --- what happened inside --- */

static void say_state(struct why_line *l, const struct tapir_event *e)
{
	l->kind = WHY_KIND_STATE;
	put(l, WHY_STATE, tapir_tcp_state_name(e->u.state.from), tapir_tcp_state_name(e->u.state.to), reason(l, e));
}

static void say_timer(struct why_line *l, const struct tapir_event *e)
{
	static const struct { enum why_text text; const char *rule; } fired[TAPIR_TIMER_COUNT] = {
		[TAPIR_TIMER_RTO] = { WHY_TIMER_RTO, "RFC 6298 5.4" },
		[TAPIR_TIMER_PERSIST] = { WHY_TIMER_PERSIST, "RFC 9293 3.8.6.1" },
		[TAPIR_TIMER_DELACK] = { WHY_TIMER_DELACK, "RFC 9293 3.8.6.3" },
		[TAPIR_TIMER_KEEPALIVE] = { WHY_TIMER_KEEPALIVE, "RFC 9293 3.8.4" },
		[TAPIR_TIMER_FIN_WAIT_2] = { WHY_TIMER_FIN_WAIT_2, "" },
		[TAPIR_TIMER_2MSL] = { WHY_TIMER_2MSL, "RFC 9293 3.10.8" },
		[TAPIR_TIMER_USER] = { WHY_TIMER_USER, "RFC 9293 3.10.8" },
		[TAPIR_TIMER_TLP] = { WHY_TIMER_TLP, "RFC 8985 7" },
		[TAPIR_TIMER_REO] = { WHY_TIMER_REO, "RFC 8985 6.3" },
		[TAPIR_TIMER_PACE] = { WHY_TIMER_PACE, "" },
	};
	enum tapir_tcp_timer timer = e->u.timer.timer;
	char time[WHY_TIME];
	l->kind = WHY_KIND_TIMER;
	if (e->kind == TAPIR_EV_TIMER_ARMED) {
		usec_t left_us = e->u.timer.due_us > e->now_us ? e->u.timer.due_us - e->now_us : 0;
		put(l, WHY_TIMER_SET, tapir_timer_name(timer), why_ms(time, left_us));
		return;
	}
	put(l, fired[timer].text);
	set_rule(l, fired[timer].rule);
}

static void say_cc(struct why_line *l, const struct tapir_event *e)
{
	char srtt[WHY_TIME], rto[WHY_TIME];
	const char *words = reason(l, e);
	l->kind = WHY_KIND_CC;
	why_ms(srtt, e->u.cc.srtt_us);
	why_ms(rto, e->u.cc.rto_us);
	why_number(l, "cwnd", e->u.cc.cwnd);
	why_number(l, "flight", e->u.cc.flight);
	why_number(l, "srtt_us", e->u.cc.srtt_us);
	why_number(l, "rto_us", e->u.cc.rto_us);
	if (e->u.cc.ssthresh >= NO_SSTHRESH) {
		put(l, WHY_CC_NO_SSTHRESH, e->u.cc.cwnd, e->u.cc.flight, srtt, rto, words);
		return;
	}
	why_number(l, "ssthresh", e->u.cc.ssthresh);
	put(l, WHY_CC, e->u.cc.cwnd, e->u.cc.ssthresh, e->u.cc.flight, srtt, rto, words);
}

static void say_window(struct why_line *l, const struct tapir_event *e)
{
	uint32_t used = e->u.window.nxt - e->u.window.una, wnd = e->u.window.wnd;
	l->kind = WHY_KIND_WINDOW;
	why_number(l, "snd.wnd", wnd);
	why_number(l, "used", used);
	put(l, used >= wnd ? WHY_WINDOW_CLOSED : WHY_WINDOW, wnd, used, reason(l, e));
}

static void say_arp(struct why_line *l, const struct tapir_event *e)
{
	const uint8_t *m = e->u.arp.mac;
	char addr[TAPIR_ADDR_TEXT], mac[18];
	const char *words = reason(l, e);
	l->kind = WHY_KIND_LINK;
	tapir_addr_format(&e->u.arp.addr, addr);
	snprintf(mac, sizeof mac, "%02x:%02x:%02x:%02x:%02x:%02x", m[0], m[1], m[2], m[3], m[4], m[5]);
	if (e->u.arp.reachable)
		put(l, WHY_ARP_IS_AT, addr, mac, words);
	else
		put(l, WHY_ARP_GONE, addr, words);
}

static void say_pmtu(struct why_line *l, const struct tapir_event *e)
{
	unsigned mtu = e->u.pmtu.mtu, mss = e->u.pmtu.mss, low = e->u.pmtu.low, high = e->u.pmtu.high;
	const char *words = reason(l, e);
	l->kind = WHY_KIND_PATH;
	why_number(l, "pmtu", mtu);
	why_number(l, "snd.mss", mss);
	if (e->u.pmtu.probe)
		put(l, WHY_PMTU_PROBE, mtu, mss, low, high, (unsigned)e->u.pmtu.probe, words);
	else if (low)
		put(l, WHY_PMTU_SEARCH, mtu, mss, low, high, words);
	else
		put(l, WHY_PMTU, mtu, mss, words);
}

static void say_ecn(struct why_line *l, const struct tapir_event *e)
{
	l->kind = WHY_KIND_ECN;
	why_number(l, "ce", e->u.ecn.ce_in);
	put(l, e->u.ecn.echo ? WHY_ECN_ECHO : WHY_ECN_NO_ECHO, e->u.ecn.ce_in, reason(l, e));
}

static void say_buffer(struct why_line *l, const struct tapir_event *e)
{
	l->kind = WHY_KIND_BUFFER;
	why_number(l, "sndbuf", e->u.buffer.sndbuf);
	why_number(l, "rcvbuf", e->u.buffer.rcvbuf);
	put(l, WHY_BUFFER, e->u.buffer.sndbuf, e->u.buffer.rcvbuf, reason(l, e));
}

void why_event_say(struct why_line *l, const struct tapir_event *e, const struct why_segment *s)
{
	l->text[0] = l->rule[0] = '\0';
	l->count = 0;
	switch (e->kind) {
	case TAPIR_EV_VERDICT: say_verdict(l, e, s); break;
	case TAPIR_EV_STATE: say_state(l, e); break;
	case TAPIR_EV_SEGMENT_IN: say_accepted(l, s); break;
	case TAPIR_EV_SEGMENT_OUT:
	case TAPIR_EV_RETRANSMIT: say_sent(l, e, s); break;
	case TAPIR_EV_ACK_OWED: say_owed(l, e, s); break;
	case TAPIR_EV_TIMER_ARMED:
	case TAPIR_EV_TIMER_FIRED: say_timer(l, e); break;
	case TAPIR_EV_CC: say_cc(l, e); break;
	case TAPIR_EV_WINDOW: say_window(l, e); break;
	case TAPIR_EV_ECN: say_ecn(l, e); break;
	case TAPIR_EV_ARP: say_arp(l, e); break;
	case TAPIR_EV_PMTU: say_pmtu(l, e); break;
	case TAPIR_EV_BUFFER: say_buffer(l, e); break;
	}
}

/* --- the line --- */

void why_fault_say(struct why_line *l, const struct fault_note *note)
{
	char number[WHY_TIME];
	snprintf(number, sizeof number, "%" PRIu64, note->number);
	l->kind = WHY_KIND_LINE;
	switch (note->fate) {
	case FAULT_LOST: put(l, WHY_LINE_LOST); break;
	case FAULT_LOST_IN_BURST: put(l, WHY_LINE_BURST); break;
	case FAULT_DOWN: put(l, WHY_LINE_DOWN); break;
	case FAULT_TOO_LONG: put(l, WHY_LINE_TOO_LONG, number); break;
	case FAULT_OVERFLOWED: put(l, WHY_LINE_FULL); break;
	case FAULT_DISCARDED: put(l, WHY_LINE_DISCARDED); break;
	case FAULT_DAMAGED: put(l, WHY_LINE_DAMAGED, (unsigned)(note->number % 8), (unsigned)(note->number / 8)); break;
	case FAULT_DUPLICATED: put(l, WHY_LINE_TWICE); break;
	case FAULT_OVERTAKEN: put(l, WHY_LINE_OVERTAKEN, (unsigned)note->number); break;
	case FAULT_DELAYED: put(l, WHY_LINE_DELAYED, why_ms(number, note->number)); break;
	}
}
