/* sender.c: the senders and the records of what is under way (sender.h). Owns both pools, the list of idle senders, and the
 * two orders in which a sender's records are linked: by sequence number, and by time for those that are FLYING. What an ACK
 * does to them is sack.c's to say, what is lost rack.c's and recovery.c's.
 *
 * There are fewer senders than connections: one whose connection has nothing outstanding may be taken by another. What
 * then is forgotten (orders of arrival, a controller's private memory) is stale after an idle time anyway; the
 * congestion window itself stays with the connection. */
#include "internal.h"

#define SENDERS_MIN 64u

/* A record pins text, and text lies in frames: no more are of use than there are frames, borrowed ones included. */
static uint32_t sent_count(const struct tapir_config *cfg) { return cfg->small_frames * 2 + cfg->large_frames; }

/* And no more senders than records. */
uint32_t tcp_sender_count(const struct tapir_config *cfg)
{
	uint32_t wanted = cfg->max_sending ? cfg->max_sending : max_u32(cfg->max_conns / 4, SENDERS_MIN);

	return min_u32(wanted, min_u32(cfg->max_conns, sent_count(cfg)));
}

size_t tcp_senders_size(const struct tapir_config *cfg)
{
	uintptr_t at = 0;

	carve(&at, sizeof(struct tcp_sender) * tcp_sender_count(cfg));
	carve(&at, sizeof(struct tcp_sent) * sent_count(cfg));
	return at;
}

void tcp_senders_init(struct tapir *t, void *mem)
{
	uintptr_t at = (uintptr_t)mem;
	struct tcp_sender *senders = carve(&at, sizeof *senders * tcp_sender_count(&t->cfg));
	struct tcp_sent *records = carve(&at, sizeof *records * sent_count(&t->cfg));

	for (uint32_t i = tcp_sender_count(&t->cfg); i-- > 0;) {
		senders[i].next = t->tcp->senders.free;
		t->tcp->senders.free = &senders[i];
	}
	for (uint32_t i = sent_count(&t->cfg); i-- > 0;) {
		records[i].next = t->tcp->senders.free_sent;
		t->tcp->senders.free_sent = &records[i];
	}
}


/* --- senders ---------------------------------------------------------------------------------------------------- */

static void leave_idle(struct tapir *t, struct tcp_sender *s)
{
	if (!s->idle)
		return;
	s->idle = false;
	*(s->prev ? &s->prev->next : &t->tcp->senders.idle) = s->next;
	*(s->next ? &s->next->prev : &t->tcp->senders.idle_last) = s->prev;
}

void tcp_sender_idle(struct tapir *t, struct tcp_conn *c)
{
	struct tcp_sender *s = c->sender;

	if (!s || s->idle)
		return;
	assert(!s->first);
	s->idle = true;
	s->next = NULL;
	s->prev = t->tcp->senders.idle_last;
	*(s->prev ? &s->prev->next : &t->tcp->senders.idle) = s;
	t->tcp->senders.idle_last = s;
	tcp_waiting_wake(t);
}

/* A free one, or that which has been idle longest. */
static struct tcp_sender *take(struct tapir *t)
{
	struct tcp_sender *s = t->tcp->senders.free;

	if (s) {
		t->tcp->senders.free = s->next;
		t->tcp->senders.used++;
		return s;
	}
	s = t->tcp->senders.idle;
	if (!s)
		return NULL;
	if (tcp_timer_is_armed(s->conn, TAPIR_TIMER_PACE))	/* what it held back goes with another sender */
		tcp_ready(t, s->conn);
	tcp_timer_disarm(t, s->conn, TAPIR_TIMER_PACE);
	leave_idle(t, s);
	s->conn->sender = NULL;
	return s;
}

struct tcp_sender *tcp_sender_get(struct tapir *t, struct tcp_conn *c)
{
	struct tcp_sender *s = c->sender;

	if (s) {
		leave_idle(t, s);
		return s;
	}
	s = take(t);
	if (!s)
		return NULL;
	memset(s, 0, sizeof *s);
	s->conn = c;
	s->ecn_recover = c->snd.una;
	s->recover = s->round_end = s->rack.fack = s->undo.high = s->undo.marker = seq(c->snd.una.n - 1);
	s->min_rtt_us = CC_NONE;
	s->rack.reo_mult = 1;
	s->undo.cc.ops = c->cc.ops;
	for (int i = 0; i < TCP_SENDER_TIMERS; i++)
		s->due_us[i] = USEC_NEVER;
	c->sender = s;
	return s;
}

void tcp_sender_put(struct tapir *t, struct tcp_conn *c)
{
	struct tcp_sender *s = c->sender;

	if (!s)
		return;
	while (s->first)
		tcp_sent_remove_first(t, s);
	leave_idle(t, s);
	c->sender = NULL;
	s->next = t->tcp->senders.free;
	t->tcp->senders.free = s;
	t->tcp->senders.used--;
	tcp_waiting_wake(t);
}

/* --- records ---------------------------------------------------------------------------------------------------- */

static void unlink_time(struct tcp_sender *s, struct tcp_sent *r)
{
	*(r->earlier ? &r->earlier->later : &s->oldest) = r->later;
	*(r->later ? &r->later->earlier : &s->newest) = r->earlier;
}

/* RFC 8985 6.2: what left in one microsecond is in the order of sequence numbers. */
static bool sent_after(const struct tcp_sent *a, const struct tcp_sent *b)
{
	return a->sent_us > b->sent_us || (a->sent_us == b->sent_us && seq_gt(a->end, b->end));
}

/* A record goes into the order of time where it was sent, looked for from `near` on, which is in it: the newest, mostly. */
static void link_by_time(struct tcp_sender *s, struct tcp_sent *r, struct tcp_sent *near)
{
	struct tcp_sent *after = near;

	while (after && after->later && sent_after(r, after->later))
		after = after->later;
	while (after && sent_after(after, r))
		after = after->earlier;
	if (!after) {
		r->earlier = NULL;
		r->later = s->oldest;
		*(s->oldest ? &s->oldest->earlier : &s->newest) = r;
		s->oldest = r;
		return;
	}
	r->earlier = after;
	r->later = after->later;
	*(r->later ? &r->later->earlier : &s->newest) = r;
	after->later = r;
}

static uint32_t *bytes_in(struct tcp_sender *s, enum sent_state state, uint32_t *none)
{
	switch (state) {
	case SENT_SACKED:
		return &s->sacked;
	case SENT_LOST:
		return &s->lost;
	case SENT_FLYING:
		break;
	}
	return none;
}

void tcp_sent_set(struct tcp_sender *s, struct tcp_sent *r, enum sent_state to)
{
	uint32_t none = 0, len = tcp_sent_len(r);

	assert(to != SENT_FLYING);
	if (r->state == to)
		return;
	if (r->state == SENT_FLYING)
		unlink_time(s, r);
	if (r->state == SENT_SACKED)
		s->sacked_segs -= r->segs;
	if (to == SENT_SACKED)
		s->sacked_segs += r->segs = 1;
	*bytes_in(s, r->state, &none) -= len;
	*bytes_in(s, to, &none) += len;
	r->state = (uint8_t)to;
	if (to == SENT_LOST && (!s->lost_from || seq_lt(r->start, s->lost_from->start)))
		s->lost_from = r;
}

/* Neighbours in the one order are mostly neighbours in the other, so each is looked for where the last one was put. */
void tcp_sent_unlose_all(struct tcp_sender *s)
{
	struct tcp_sent *near = s->newest, *r;

	while ((r = tcp_sent_first_lost(s))) {
		link_by_time(s, r, near);
		r->state = SENT_FLYING;
		s->lost -= tcp_sent_len(r);
		near = r;
	}
}

static struct tcp_sent *take_sent(struct tapir *t)
{
	struct tcp_sent *r = t->tcp->senders.free_sent;

	if (r) {
		t->tcp->senders.free_sent = r->next;
		t->tcp->senders.sent_used++;
	}
	return r;
}

static void put_sent(struct tapir *t, struct tcp_sent *r)
{
	r->next = t->tcp->senders.free_sent;
	t->tcp->senders.free_sent = r;
	t->tcp->senders.sent_used--;
	tcp_waiting_wake(t);
}

/* flight: what is in the network, r included. */
static void stamp(struct tapir *t, struct tcp_sender *s, struct tcp_sent *r, uint32_t flight)
{
	r->sent_us = t->now_us;
	if (r->times < UINT8_MAX)
		r->times++;
	tcp_rate_sent(s, r, flight);
}

void tcp_sent_new(struct tapir *t, struct tcp_conn *c, seq_t start, seq_t end)
{
	struct tcp_sender *s = c->sender;
	struct tcp_sent *r = take_sent(t);

	assert(s && !s->idle && r);
	memset(r, 0, sizeof *r);
	r->start = start;
	r->end = end;
	r->state = SENT_FLYING;
	r->prev = s->last;
	*(s->last ? &s->last->next : &s->first) = r;
	s->last = r;
	if (c->waits)
		tcp_waiting_leave(t, c);
	stamp(t, s, r, tcp_pipe(c) + tcp_sent_len(r));
	link_by_time(s, r, s->newest);
}

void tcp_sent_again(struct tapir *t, struct tcp_conn *c, struct tcp_sent *r)
{
	struct tcp_sender *s = c->sender;

	if (r->state == SENT_FLYING)
		unlink_time(s, r);
	else
		s->lost -= tcp_sent_len(r);
	r->state = SENT_FLYING;
	stamp(t, s, r, tcp_pipe(c));
	link_by_time(s, r, s->newest);
}

struct tcp_sent *tcp_sent_split(struct tapir *t, struct tcp_conn *c, struct tcp_sent *r, seq_t at)
{
	struct tcp_sender *s = c->sender;
	struct tcp_sent *rest = take_sent(t);

	assert(seq_gt(at, r->start) && seq_lt(at, r->end));
	if (!rest)
		return NULL;
	*rest = *r;
	rest->start = r->end = at;
	rest->prev = r;
	*(rest->next ? &rest->next->prev : &s->last) = rest;
	r->next = rest;
	if (r->state != SENT_FLYING)
		return rest;
	rest->earlier = r;
	*(rest->later ? &rest->later->earlier : &s->newest) = rest;
	r->later = rest;
	return rest;
}

void tcp_sent_extend(struct tcp_conn *c, struct tcp_sent *r, seq_t end)
{
	uint32_t none = 0;

	assert(!r->next && seq_gt(end, r->end));
	*bytes_in(c->sender, r->state, &none) += seq_sub(end, r->end);
	r->end = c->snd.max = end;
}

void tcp_sent_merge_next(struct tapir *t, struct tcp_sender *s, struct tcp_sent *r)
{
	struct tcp_sent *next = r->next;

	assert(r->state != SENT_FLYING && next && next->state == r->state);
	r->end = next->end;
	r->segs += next->segs;
	r->times = next->times > r->times ? next->times : r->times;
	r->next = next->next;
	*(r->next ? &r->next->prev : &s->last) = r;
	if (s->hint == next)
		s->hint = r;
	if (s->lost_from == next)
		s->lost_from = r;
	put_sent(t, next);
}

struct tcp_sent *tcp_sent_sack(struct tapir *t, struct tcp_sender *s, struct tcp_sent *r)
{
	tcp_sent_set(s, r, SENT_SACKED);
	if (r->next && r->next->state == SENT_SACKED)
		tcp_sent_merge_next(t, s, r);
	if (!r->prev || r->prev->state != SENT_SACKED)
		return r;
	r = r->prev;
	tcp_sent_merge_next(t, s, r);
	return r;
}

void tcp_sent_remove_first(struct tapir *t, struct tcp_sender *s)
{
	struct tcp_sent *r = s->first;
	uint32_t none = 0;

	if (r->state == SENT_FLYING)
		unlink_time(s, r);
	if (r->state == SENT_SACKED)
		s->sacked_segs -= r->segs;
	*bytes_in(s, r->state, &none) -= tcp_sent_len(r);
	s->first = r->next;
	*(s->first ? &s->first->prev : &s->last) = NULL;
	if (s->hint == r)
		s->hint = NULL;
	if (s->lost_from == r)
		s->lost_from = r->next;
	put_sent(t, r);
}

void tcp_sent_trim_first(struct tcp_sender *s, seq_t to)
{
	struct tcp_sent *r = s->first;
	uint32_t none = 0;

	assert(seq_gt(to, r->start) && seq_lt(to, r->end));
	*bytes_in(s, r->state, &none) -= seq_sub(to, r->start);
	r->start = to;
}

void tcp_sent_lose(struct tcp_conn *c, struct tcp_sent *r)
{
	tcp_sent_set(c->sender, r, SENT_LOST);
	tcp_rate_lost(c->sender, r, c->sack_on);
}

struct tcp_sent *tcp_sent_first_lost(struct tcp_sender *s)
{
	while (s->lost_from && s->lost_from->state != SENT_LOST)
		s->lost_from = s->lost_from->next;
	return s->lost_from;
}

/* --- the invariants of tcp_check -------------------------------------------------------------------------------- */

void tcp_sender_check(const struct tcp_conn *c)
{
	const struct tcp_sender *s = c->sender;
	uint32_t sacked = 0, segs = 0, lost = 0, flying = 0, timed = 0;
	seq_t at = tcp_syn_unacked(c) ? seq_add(c->iss, 1) : c->snd.una;

	if (!s) {
		assert(seq_leq(c->snd.max, at));
		return;
	}
	assert(s->conn == c);
	for (const struct tcp_sent *r = s->first; r; r = r->next) {
		assert(seq_eq(r->start, at) && seq_lt(r->start, r->end) && r->times);
		at = r->end;
		sacked += r->state == SENT_SACKED ? tcp_sent_len(r) : 0;
		segs += r->state == SENT_SACKED ? r->segs : 0;
		assert(r->state != SENT_SACKED || !r->next || r->next->state != SENT_SACKED);
		lost += r->state == SENT_LOST ? tcp_sent_len(r) : 0;
		flying += r->state == SENT_FLYING;
	}
	for (const struct tcp_sent *r = s->oldest; r; r = r->later) {
		assert(r->state == SENT_FLYING && (!r->later || !sent_after(r, r->later)));
		timed++;
	}
	assert(sacked == s->sacked && segs == s->sacked_segs && lost == s->lost && flying == timed);
	assert(seq_geq(at, c->snd.max));
	assert(!s->idle || !s->first);
}

void tcp_senders_check(const struct tapir *t)
{
	uint32_t unused = 0;

	for (const struct tcp_sender *s = t->tcp->senders.free; s; s = s->next)
		unused++;
	for (const struct tcp_sender *s = t->tcp->senders.idle; s; s = s->next)
		assert(s->idle && s->conn->sender == s && (s->next ? s->next->prev : t->tcp->senders.idle_last) == s);
	assert(t->tcp->senders.used + unused == tcp_sender_count(&t->cfg));
}
