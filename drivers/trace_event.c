/* trace_event.c: one line of text about one event of the stack's probe, or about what a bad line did to a frame: the words
 * that the capture's comments, the trace and the tests share. Keeps nothing, writes only to text.
 *
 * Every line ends with the reason that the stack gave, which names the rule. Numbers of a connection's octets are only
 * written when the caller knows where they start (trace_options.relative): a frame shows its own. */
#include <inttypes.h>
#include "internal.h"
#include "line.h"

#define NO_SSTHRESH (1u << 30)		/* and above: there was no congestion yet (RFC 5681 3.1) */

static void put_ms(struct line *l, const char *what, usec_t us)
{
	line_put(l, "%s %" PRIu64 ".%03u ms", what, (uint64_t)(us / 1000), (unsigned int)(us % 1000));
}

static void put_endpoint(struct line *l, const struct tapir_endpoint *e)
{
	char text[TAPIR_ADDR_TEXT];

	line_put(l, "%s:%u", tapir_addr_format(&e->addr, text), e->port);
}

static void put_connection(struct line *l, const struct tapir_event *e)
{
	if (e->remote.port == 0)
		return;
	put_endpoint(l, &e->local);
	line_put(l, " - ");
	put_endpoint(l, &e->remote);
	line_put(l, ": ");
}

/* " 1:101(100) ack 7", from the bases of `how`; what came in counts the other way round. */
static void put_segment(struct line *l, const struct tapir_event *e, const struct trace_options *how)
{
	uint32_t seq = e->u.segment.seq - how->seq_base;

	if (!how->relative)
		return;
	line_put(l, " %" PRIu32 ":%" PRIu32 "(%" PRIu32 ") ack %" PRIu32 " window %" PRIu32, seq, seq + e->u.segment.len,
	    e->u.segment.len, e->u.segment.ack - how->ack_base, e->u.segment.wnd);
}

static void put_cc(struct line *l, const struct tapir_event *e)
{
	line_put(l, "cwnd %" PRIu32 " ssthresh ", e->u.cc.cwnd);
	if (e->u.cc.ssthresh < NO_SSTHRESH)
		line_put(l, "%" PRIu32, e->u.cc.ssthresh);
	else
		line_put(l, "none");
	line_put(l, " flight %" PRIu32, e->u.cc.flight);
	put_ms(l, " srtt", e->u.cc.srtt_us);
	put_ms(l, " rttvar", e->u.cc.rttvar_us);
	put_ms(l, " rto", e->u.cc.rto_us);
}

static void put_arp(struct line *l, const struct tapir_event *e)
{
	const uint8_t *mac = e->u.arp.mac;
	char text[TAPIR_ADDR_TEXT];

	line_put(l, "neighbour %s ", tapir_addr_format(&e->u.arp.addr, text));
	if (e->u.arp.reachable)
		line_put(l, "is at %02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1], mac[2], mac[3], mac[4], mac[5]);
	else
		line_put(l, "is not reachable");
}

static void put_pmtu(struct line *l, const struct tapir_event *e)
{
	line_put(l, "path MTU %u mss %u", e->u.pmtu.mtu, e->u.pmtu.mss);
	if (e->u.pmtu.low)
		line_put(l, " between %u and %u", e->u.pmtu.low, e->u.pmtu.high);
	if (e->u.pmtu.probe)
		line_put(l, " a probe of %u is out", e->u.pmtu.probe);
}

static void put_verdict(struct line *l, const struct tapir_event *e)
{
	if (e->u.verdict.verdict == ACCEPT)
		line_put(l, "accepted");
	else
		line_put(l, "%s: %s", tapir_verdict_name(e->u.verdict.verdict), e->why);
}

/* What happened, without the reason. */
static void put_what(struct line *l, const struct tapir_event *e, const struct trace_options *how)
{
	switch (e->kind) {
	case TAPIR_EV_VERDICT: put_verdict(l, e); break;
	case TAPIR_EV_STATE:
		line_put(l, "state %s > %s", tapir_tcp_state_name(e->u.state.from), tapir_tcp_state_name(e->u.state.to));
		break;
	case TAPIR_EV_SEGMENT_IN: line_put(l, "arrives"); put_segment(l, e, how); break;
	case TAPIR_EV_SEGMENT_OUT: line_put(l, "sent"); put_segment(l, e, how); break;
	case TAPIR_EV_RETRANSMIT: line_put(l, "sent again"); put_segment(l, e, how); break;
	case TAPIR_EV_ACK_OWED: line_put(l, "an ACK is owed"); break;
	case TAPIR_EV_TIMER_ARMED:
		line_put(l, "timer %s set", tapir_timer_name(e->u.timer.timer));
		put_ms(l, ", due in", e->u.timer.due_us > e->now_us ? e->u.timer.due_us - e->now_us : 0);
		break;
	case TAPIR_EV_TIMER_FIRED: line_put(l, "timer %s fired", tapir_timer_name(e->u.timer.timer)); break;
	case TAPIR_EV_CC: put_cc(l, e); break;
	case TAPIR_EV_WINDOW:
		line_put(l, "send window %" PRIu32 ", %" PRIu32 " of it in use", e->u.window.wnd,
			 e->u.window.nxt - e->u.window.una);
		break;
	case TAPIR_EV_ECN:
		line_put(l, "ECN: %s, %" PRIu32 " segments came marked", e->u.ecn.echo ? "ACKs say ECE" : "ACKs do not say ECE",
		    e->u.ecn.ce_in);
		break;
	case TAPIR_EV_ARP: put_arp(l, e); break;
	case TAPIR_EV_PMTU: put_pmtu(l, e); break;
	case TAPIR_EV_BUFFER: line_put(l, "sndbuf %" PRIu32 " rcvbuf %" PRIu32, e->u.buffer.sndbuf, e->u.buffer.rcvbuf); break;
	}
}

/* Has the line said its reason by itself? A verdict's is its text, a timer's is its name. */
static bool says_why(const struct tapir_event *e)
{
	return e->kind == TAPIR_EV_VERDICT || e->kind == TAPIR_EV_TIMER_ARMED || e->kind == TAPIR_EV_TIMER_FIRED;
}

size_t trace_event_format(char *text, size_t size, const struct tapir_event *e, const struct trace_options *how)
{
	struct line l = {text, size, 0};

	text[0] = '\0';
	if (how->addresses)
		put_connection(&l, e);
	put_what(&l, e, how);
	if (!says_why(e))
		line_put(&l, ": %s", e->why);
	return l.len;
}

size_t trace_fault_format(char *text, size_t size, const struct fault_note *note)
{
	struct line l = {text, size, 0};

	text[0] = '\0';
	line_put(&l, "bad line: ");
	switch (note->fate) {
	case FAULT_LOST: line_put(&l, "lost"); break;
	case FAULT_LOST_IN_BURST: line_put(&l, "lost, in a burst of losses"); break;
	case FAULT_DOWN: line_put(&l, "lost, the line is down"); break;
	case FAULT_TOO_LONG: line_put(&l, "lost, longer than the line's MTU of %" PRIu64, note->number); break;
	case FAULT_OVERFLOWED: line_put(&l, "lost, the queue is full"); break;
	case FAULT_DISCARDED: line_put(&l, "damaged, and thrown away as an Ethernet card does"); break;
	case FAULT_DAMAGED:
		line_put(&l, "bit %u of byte %" PRIu64 " is flipped", (unsigned int)(note->number % 8), note->number / 8);
		break;
	case FAULT_DUPLICATED: line_put(&l, "comes twice"); break;
	case FAULT_OVERTAKEN: line_put(&l, "held so that %" PRIu64 " later frames may overtake it", note->number); break;
	case FAULT_DELAYED: put_ms(&l, "takes", note->number); break;
	}
	return l.len;
}
