/* inferred.c: see inferred.h. Sequence numbers are compared modulo 2^32 (RFC 9293 3.4). */
#include "inferred.h"

static bool same(const struct tapir_endpoint *a, const struct tapir_endpoint *b)
{
	return a->port == b->port && tapir_addr_equal(&a->addr, &b->addr);
}

/* a is behind b, or the same. */
static bool reached(uint32_t a, uint32_t b)
{
	return (int32_t)(a - b) >= 0;
}

int inferred_sender(const struct inferred *c, const struct trace_tcp *segment)
{
	if (same(&segment->src, &c->side[0].who) && same(&segment->dst, &c->side[1].who))
		return 0;
	return same(&segment->src, &c->side[1].who) && same(&segment->dst, &c->side[0].who) ? 1 : -1;
}

void inferred_begin(struct inferred *c, const struct trace_tcp *first)
{
	bool opens = first->syn && !first->has_ack, seen_late = !first->syn && !first->rst;
	/* A SYN with ACK answers one that was not seen. */
	bool answers = first->syn && first->has_ack;
	*c = (struct inferred){ .side = { { .who = first->src }, { .who = first->dst } } };
	if (answers)
		*c = (struct inferred){ .side = { { .who = first->dst }, { .who = first->src } } };
	c->side[0].state = answers ? TAPIR_TCP_SYN_SENT : seen_late ? TAPIR_TCP_ESTABLISHED : TAPIR_TCP_CLOSED;
	c->side[1].state = opens ? TAPIR_TCP_LISTEN : answers ? TAPIR_TCP_SYN_RCVD : c->side[0].state;
}

bool inferred_is_new(const struct inferred *c, const struct trace_tcp *segment)
{
	int from = inferred_sender(c, segment);
	if (from < 0 || !segment->syn || segment->has_ack)
		return false;
	return c->side[from].syn_sent ? c->side[from].iss != segment->seq : c->side[from].state == TAPIR_TCP_CLOSED;
}

/* The sender's own calls show in what it sends. */
static void sent(struct inferred_side *s, const struct inferred_side *other, const struct trace_tcp *segment)
{
	if (!s->has_iss) {
		s->has_iss = true;
		s->iss = segment->seq - (segment->syn ? 0 : 1);
	}
	if (segment->rst) {
		s->state = TAPIR_TCP_CLOSED;
		return;
	}
	s->syn_sent = s->syn_sent || segment->syn;
	if (segment->syn && (s->state == TAPIR_TCP_CLOSED || (s->state == TAPIR_TCP_LISTEN && !segment->has_ack)))
		s->state = TAPIR_TCP_SYN_SENT;
	if (!segment->fin)
		return;
	s->fin_sent = true;
	s->fin_end = segment->seq + segment->len;
	bool crossed = s->fin_taken && segment->has_ack && !reached(segment->ack, other->fin_end);
	if (s->state == TAPIR_TCP_ESTABLISHED || s->state == TAPIR_TCP_SYN_RCVD)
		s->state = TAPIR_TCP_FIN_WAIT_1;
	else if (s->state == TAPIR_TCP_CLOSE_WAIT)	/* or it had not seen the other FIN when it sent this one */
		s->state = crossed ? TAPIR_TCP_CLOSING : TAPIR_TCP_LAST_ACK;
}

static void received_syn(struct inferred_side *s, const struct trace_tcp *segment)
{
	if (s->state == TAPIR_TCP_LISTEN || s->state == TAPIR_TCP_CLOSED)
		s->state = TAPIR_TCP_SYN_RCVD;
	else if (s->state == TAPIR_TCP_SYN_SENT)
		s->state = segment->has_ack ? TAPIR_TCP_ESTABLISHED : TAPIR_TCP_SYN_RCVD;
}

static void received_ack(struct inferred_side *s, uint32_t ack)
{
	if (s->state == TAPIR_TCP_SYN_RCVD && s->syn_sent && reached(ack, s->iss + 1))
		s->state = TAPIR_TCP_ESTABLISHED;
	if (!s->fin_sent || !reached(ack, s->fin_end))
		return;
	if (s->state == TAPIR_TCP_FIN_WAIT_1)
		s->state = TAPIR_TCP_FIN_WAIT_2;
	else if (s->state == TAPIR_TCP_CLOSING)
		s->state = TAPIR_TCP_TIME_WAIT;
	else if (s->state == TAPIR_TCP_LAST_ACK)
		s->state = TAPIR_TCP_CLOSED;
}

/* s has everything up to rcv_nxt: the other side's FIN too? */
static void take_fin(struct inferred_side *s, const struct inferred_side *other)
{
	if (s->fin_taken || !other->fin_sent || !s->has_rcv_nxt || !reached(s->rcv_nxt, other->fin_end))
		return;
	s->fin_taken = true;
	if (s->state == TAPIR_TCP_ESTABLISHED || s->state == TAPIR_TCP_SYN_RCVD)
		s->state = TAPIR_TCP_CLOSE_WAIT;
	else if (s->state == TAPIR_TCP_FIN_WAIT_1)
		s->state = TAPIR_TCP_CLOSING;
	else if (s->state == TAPIR_TCP_FIN_WAIT_2)
		s->state = TAPIR_TCP_TIME_WAIT;
}

static void advance_rcv_nxt(struct inferred_side *s, const struct trace_tcp *segment)
{
	if (!s->has_rcv_nxt) {
		s->has_rcv_nxt = true;
		s->rcv_nxt = segment->seq;
	}
	if (reached(s->rcv_nxt, segment->seq) && reached(segment->seq + segment->len, s->rcv_nxt))
		s->rcv_nxt = segment->seq + segment->len;
}

/* What the sender of the segment has and does. */
static void take_sending(struct inferred_side *s, const struct inferred_side *r, const struct trace_tcp *segment)
{
	if (segment->has_ack && !segment->rst && s->has_rcv_nxt && reached(segment->ack, s->rcv_nxt))
		s->rcv_nxt = segment->ack;	/* it has what it acknowledges, even what was seen out of order */
	take_fin(s, r);
	sent(s, r, segment);
}

static void take_arrival(struct inferred_side *r, const struct inferred_side *s, const struct trace_tcp *segment)
{
	if (segment->rst) {
		r->state = TAPIR_TCP_CLOSED;
		return;
	}
	if (segment->syn)
		received_syn(r, segment);
	if (segment->has_ack)
		received_ack(r, segment->ack);
	advance_rcv_nxt(r, segment);
	take_fin(r, s);
}

static bool take(struct inferred *c, const struct trace_tcp *segment, bool arrives)
{
	int from = inferred_sender(c, segment);
	struct inferred_side *s = &c->side[from == 1], *r = &c->side[from != 1];
	enum tapir_tcp_state before[2] = { s->state, r->state };
	if (from < 0)
		return false;
	take_sending(s, r, segment);
	if (arrives)
		take_arrival(r, s, segment);
	return before[0] != s->state || before[1] != r->state;
}

bool inferred_segment(struct inferred *c, const struct trace_tcp *segment)
{
	return take(c, segment, true);
}

bool inferred_lost_segment(struct inferred *c, const struct trace_tcp *segment)
{
	return take(c, segment, false);
}

uint32_t inferred_bucket(const struct trace_tcp *s)
{
	uint32_t sum = (uint32_t)s->src.port + s->dst.port;
	for (size_t i = 12; i < sizeof s->src.addr.b; i++)
		sum += ((uint32_t)s->src.addr.b[i] + s->dst.addr.b[i]) * 131u;
	return sum % INFERRED_BUCKETS;
}
