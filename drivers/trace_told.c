/* trace_told.c: see trace_told.h. What cannot be read is kept as words, so that nothing of a comment is ever lost. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include "trace_told.h"

/* Takes `word` off the front of *at. */
static bool skip(const char **at, const char *word)
{
	size_t n = strlen(word);

	if (strncmp(*at, word, n) != 0)
		return false;
	*at += n;
	return true;
}

static bool take_number(const char **at, uint64_t *value)
{
	int n = 0;

	if (**at < '0' || **at > '9' || sscanf(*at, "%20" SCNu64 "%n", value, &n) != 1)
		return false;
	*at += n;
	return true;
}

static bool take32(const char **at, uint32_t *value)
{
	uint64_t wide;

	if (!take_number(at, &wide) || wide > UINT32_MAX)
		return false;
	*value = (uint32_t)wide;
	return true;
}

/* "12.345 ms" */
static bool take_ms(const char **at, uint64_t *us)
{
	uint64_t ms, rest;

	if (!take_number(at, &ms) || !skip(at, ".") || !take_number(at, &rest) || !skip(at, " ms") || rest > 999 ||
	    ms > UINT64_MAX / 2000)
		return false;
	*us = ms * 1000 + rest;
	return true;
}

static bool take_ms32(const char **at, uint32_t *us)
{
	uint64_t wide;

	if (!take_ms(at, &wide) || wide > UINT32_MAX)
		return false;
	*us = (uint32_t)wide;
	return true;
}

static bool take_endpoint(const char **at, struct tapir_endpoint *e)
{
	char addr[TAPIR_ADDR_TEXT];
	size_t n = strspn(*at, "0123456789.");
	uint32_t port;

	if (n == 0 || n >= sizeof addr)
		return false;
	memcpy(addr, *at, n);
	addr[n] = '\0';
	*at += n;
	if (tapir_addr_parse(addr, &e->addr) < 0 || !skip(at, ":") || !take32(at, &port) || port > UINT16_MAX)
		return false;
	e->port = (uint16_t)port;
	return true;
}

/* "10.0.0.2:7 - 10.0.0.1:4321: ", if it is there. */
static void take_connection(const char **at, struct tapir_event *e)
{
	const char *from = *at;
	struct tapir_endpoint local, remote;

	if (!take_endpoint(&from, &local) || !skip(&from, " - ") || !take_endpoint(&from, &remote) || !skip(&from, ": "))
		return;
	e->local = local;
	e->remote = remote;
	*at = from;
}

static bool take_state(const char **at, enum tapir_tcp_state *state)
{
	size_t n = strcspn(*at, " :");

	for (int s = TAPIR_TCP_CLOSED; s <= TAPIR_TCP_TIME_WAIT; s++) {
		const char *name = tapir_tcp_state_name((enum tapir_tcp_state)s);

		if (strlen(name) == n && memcmp(*at, name, n) == 0) {
			*state = (enum tapir_tcp_state)s;
			*at += n;
			return true;
		}
	}
	return false;
}

static bool take_timer(const char **at, enum tapir_tcp_timer *timer)
{
	for (int i = 0; i < TAPIR_TIMER_COUNT; i++) {
		const char *name = tapir_timer_name((enum tapir_tcp_timer)i);
		size_t n = strlen(name);

		if (strncmp(*at, name, n) == 0 && (*at)[n] == ' ') {
			*timer = (enum tapir_tcp_timer)i;
			*at += n;
			return true;
		}
	}
	return false;
}

static bool is_verdict(const char **at, struct tapir_event *e)
{
	size_t n = strcspn(*at, ":");

	e->kind = TAPIR_EV_VERDICT;
	e->u.verdict.arrived = true;
	if (strcmp(*at, "accepted") == 0) {
		e->u.verdict.verdict = ACCEPT;
		*at += n;
		return true;
	}
	for (int v = 0; v < TAPIR_VERDICT_COUNT; v++) {
		const char *name = tapir_verdict_name((enum tapir_verdict)v);

		if (strlen(name) == n && memcmp(*at, name, n) == 0) {
			e->u.verdict.verdict = (enum tapir_verdict)v;
			*at += n;
			return true;
		}
	}
	return false;
}

static bool is_timer(const char **at, struct tapir_event *e)
{
	uint64_t left_us;

	if (!skip(at, "timer ") || !take_timer(at, &e->u.timer.timer))
		return false;
	e->kind = TAPIR_EV_TIMER_FIRED;
	if (skip(at, " fired"))
		return true;
	e->kind = TAPIR_EV_TIMER_ARMED;
	if (!skip(at, " set, due in ") || !take_ms(at, &left_us))
		return false;
	e->u.timer.due_us = left_us;
	return true;
}

static bool is_cc(const char **at, struct tapir_event *e)
{
	e->kind = TAPIR_EV_CC;
	if (!skip(at, "cwnd ") || !take32(at, &e->u.cc.cwnd) || !skip(at, " ssthresh "))
		return false;
	e->u.cc.ssthresh = UINT32_MAX;
	if (!skip(at, "none") && !take32(at, &e->u.cc.ssthresh))
		return false;
	return skip(at, " flight ") && take32(at, &e->u.cc.flight) && skip(at, " srtt ") && take_ms32(at, &e->u.cc.srtt_us) &&
	       skip(at, " rttvar ") && take_ms32(at, &e->u.cc.rttvar_us) && skip(at, " rto ") && take_ms32(at, &e->u.cc.rto_us);
}

static bool is_window(const char **at, struct tapir_event *e)
{
	e->kind = TAPIR_EV_WINDOW;
	return skip(at, "send window ") && take32(at, &e->u.window.wnd) && skip(at, ", ") && take32(at, &e->u.window.nxt) &&
	       skip(at, " of it in use");
}

static bool is_ecn(const char **at, struct tapir_event *e)
{
	e->kind = TAPIR_EV_ECN;
	if (!skip(at, "ECN: "))
		return false;
	e->u.ecn.echo = skip(at, "ACKs say ECE, ");
	return (e->u.ecn.echo || skip(at, "ACKs do not say ECE, ")) && take32(at, &e->u.ecn.ce_in) &&
	       skip(at, " segments came marked");
}

static bool is_arp(const char **at, struct tapir_event *e)
{
	char addr[TAPIR_ADDR_TEXT];
	uint8_t *mac = e->u.arp.mac;
	int n = 0;

	e->kind = TAPIR_EV_ARP;
	if (sscanf(*at, "neighbour %47[0-9.] %n", addr, &n) != 1 || n == 0 || tapir_addr_parse(addr, &e->u.arp.addr) < 0)
		return false;
	*at += n;
	if (skip(at, "is not reachable"))
		return true;
	n = 0;
	e->u.arp.reachable = sscanf(*at, "is at %2hhx:%2hhx:%2hhx:%2hhx:%2hhx:%2hhx%n", &mac[0], &mac[1], &mac[2], &mac[3], &mac[4],
				    &mac[5], &n) == 6 && n > 0;
	*at += n;
	return e->u.arp.reachable;
}

static bool take16(const char **at, const char *before, uint16_t *value)
{
	uint32_t wide;

	if (!skip(at, before) || !take32(at, &wide) || wide > UINT16_MAX)
		return false;
	*value = (uint16_t)wide;
	return true;
}

static bool is_pmtu(const char **at, struct tapir_event *e)
{
	e->kind = TAPIR_EV_PMTU;
	if (!take16(at, "path MTU ", &e->u.pmtu.mtu) || !take16(at, " mss ", &e->u.pmtu.mss))
		return false;
	if (take16(at, " between ", &e->u.pmtu.low) && !take16(at, " and ", &e->u.pmtu.high))
		return false;
	return !skip(at, " a probe of ") || (take16(at, "", &e->u.pmtu.probe) && skip(at, " is out"));
}

static bool is_buffer(const char **at, struct tapir_event *e)
{
	e->kind = TAPIR_EV_BUFFER;
	return skip(at, "sndbuf ") && take32(at, &e->u.buffer.sndbuf) && skip(at, " rcvbuf ") && take32(at, &e->u.buffer.rcvbuf);
}

static bool is_state(const char **at, struct tapir_event *e)
{
	e->kind = TAPIR_EV_STATE;
	return skip(at, "state ") && take_state(at, &e->u.state.from) && skip(at, " > ") && take_state(at, &e->u.state.to);
}

static bool is_segment(const char **at, struct tapir_event *e)
{
	e->kind = TAPIR_EV_RETRANSMIT;
	if (skip(at, "sent again"))
		return true;
	e->kind = TAPIR_EV_SEGMENT_OUT;
	return skip(at, "sent");
}

static bool is_owed(const char **at, struct tapir_event *e)
{
	e->kind = TAPIR_EV_ACK_OWED;
	return skip(at, "an ACK is owed");
}

/* Each looks for its own words at *at, and leaves it behind them, at the reason. */
static bool (*const kinds[])(const char **at, struct tapir_event *e) = {
	is_state, is_segment, is_owed, is_timer, is_cc, is_window, is_ecn, is_arp, is_pmtu, is_buffer, is_verdict,
};

static bool is_event(const char *text, struct trace_told *t)
{
	for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
		struct tapir_event e = t->e;
		const char *at = text;

		if (!kinds[i](&at, &e) || (*at && !skip(&at, ": ")))
			continue;
		t->e = e;
		snprintf(t->words, sizeof t->words, "%s", at);
		return true;
	}
	return false;
}

static bool take_fault(const char *at, struct fault_note *note)
{
	static const struct { const char *words; enum fault_fate fate; } plain[] = {
		{"lost, in a burst of losses", FAULT_LOST_IN_BURST}, {"lost, the line is down", FAULT_DOWN},
		{"lost, the queue is full", FAULT_OVERFLOWED}, {"lost", FAULT_LOST}, {"damaged, and thrown away", FAULT_DISCARDED},
		{"comes twice", FAULT_DUPLICATED},
	};
	uint64_t bit, byte;

	note->fate = FAULT_TOO_LONG;
	if (skip(&at, "lost, longer than the line's MTU of "))
		return take_number(&at, &note->number);
	for (size_t i = 0; i < sizeof plain / sizeof plain[0]; i++)
		if (skip(&at, plain[i].words)) {
			note->fate = plain[i].fate;
			return true;
		}
	note->fate = FAULT_OVERTAKEN;
	if (skip(&at, "held so that "))
		return take_number(&at, &note->number);
	note->fate = FAULT_DELAYED;
	if (skip(&at, "takes "))
		return take_ms(&at, &note->number);
	note->fate = FAULT_DAMAGED;
	if (!skip(&at, "bit ") || !take_number(&at, &bit) || !skip(&at, " of byte ") || !take_number(&at, &byte))
		return false;
	note->number = byte * 8 + bit;
	return true;
}

void trace_told(struct trace_told *t, const char *comment)
{
	const char *at = comment;

	*t = (struct trace_told){.kind = TOLD_WORDS};
	t->e.why = t->words;
	if (!take_ms(&at, &t->before_us) || !skip(&at, " before: ")) {
		at = comment;
		t->before_us = 0;
	}
	take_connection(&at, &t->e);
	if (is_event(at, t)) {
		t->kind = TOLD_EVENT;
		return;
	}
	snprintf(t->words, sizeof t->words, "%s", at);
	if (skip(&at, "bad line: ") && take_fault(at, &t->note))
		t->kind = TOLD_FAULT;
}
