/* why_flow.c: the connections in a capture, and what each segment's numbers are to be compared with. See why.h.
 *
 * States and RCV.NXT are told from the segments by inferred.c; here are what else a reader compares: what was sent, what of it
 * was acknowledged, and up to where the windows let it go. */
#include <stdlib.h>

#include "why.h"

void why_flows_begin(struct why_flows *f)
{
	*f = (struct why_flows){ .first = NULL };
	f->end = &f->first;
}

void why_flows_free(struct why_flows *f, void (*each)(struct why_flow *flow))
{
	while (f->first) {
		struct why_flow *flow = f->first;
		f->first = flow->next;
		if (each)
			each(flow);
		free(flow);
	}
}

static struct why_flow *flow_new(struct why_flows *f, const struct trace_tcp *tcp)
{
	struct why_flow *flow = calloc(1, sizeof *flow), **bucket = &f->buckets[inferred_bucket(tcp)];
	if (!flow)
		return NULL;
	inferred_begin(&flow->inferred, tcp);
	flow->hash_next = *bucket;
	*bucket = flow;
	*f->end = flow;
	f->end = &flow->next;
	return flow;
}

/* The connection that the segment belongs to, or begins. NULL: out of memory. */
static struct why_flow *flow_of(struct why_flows *f, const struct trace_tcp *tcp)
{
	struct why_flow *flow = f->buckets[inferred_bucket(tcp)];
	while (flow && inferred_sender(&flow->inferred, tcp) < 0)
		flow = flow->hash_next;
	return flow && !inferred_is_new(&flow->inferred, tcp) ? flow : flow_new(f, tcp);
}

bool why_segment_find(struct why_flows *f, struct span frame, bool ip_only, struct why_segment *s)
{
	if (!trace_find_segment(frame, ip_only, &s->is))
		return false;
	const struct trace_tcp *tcp = &s->is.tcp;
	s->flow = flow_of(f, tcp);
	if (!s->flow)
		return false;
	s->from = inferred_sender(&s->flow->inferred, tcp) == 1;
	const struct inferred_side *sender = &s->flow->inferred.side[s->from], *receiver = &s->flow->inferred.side[!s->from];
	uint32_t iss = sender->has_iss ? sender->iss : tcp->seq - !tcp->syn;
	uint32_t other = receiver->has_iss ? receiver->iss : tcp->ack - 1;
	s->seq = tcp->seq - iss;
	s->end = s->seq + tcp->len;
	s->ack = tcp->has_ack ? tcp->ack - other : 0;
	s->rcv_nxt = receiver->has_rcv_nxt ? receiver->rcv_nxt - iss : s->seq;
	s->edge = s->flow->side[!s->from].has_edge ? s->flow->side[!s->from].edge : s->end;
	s->una = s->flow->side[!s->from].una;
	s->nxt = s->flow->side[!s->from].nxt;
	return true;
}

/* RFC 7323 2.2: the window of a SYN is not scaled, and scaling is on when both SYNs had the option. */
static void take_window(struct why_flow *flow, const struct why_segment *s)
{
	struct why_side *mine = &flow->side[s->from], *other = &flow->side[!s->from];
	if (s->is.tcp.syn) {
		mine->offered_shift = s->is.has_wscale;
		mine->shift = s->is.wscale;
	}
	bool scaled = !s->is.tcp.syn && mine->offered_shift && other->offered_shift;
	uint32_t edge = s->ack + (s->is.wnd << (scaled ? mine->shift : 0));
	if (s->is.tcp.has_ack && !s->is.tcp.rst && (!mine->has_edge || why_is_beyond(edge, mine->edge))) {
		mine->edge = edge;
		mine->has_edge = true;
	}
}

void why_segment_passed(struct why_segment *s, bool arrived)
{
	struct why_side *mine = &s->flow->side[s->from], *other = &s->flow->side[!s->from];
	if (!arrived)
		return;
	take_window(s->flow, s);
	if (!s->is.tcp.rst && why_is_beyond(s->end, mine->nxt))
		mine->nxt = s->end;
	if (s->is.tcp.has_ack && !s->is.tcp.rst && why_is_beyond(s->ack, other->una) && !why_is_beyond(s->ack, other->nxt))
		other->una = s->ack;
	inferred_segment(&s->flow->inferred, &s->is.tcp);
}
