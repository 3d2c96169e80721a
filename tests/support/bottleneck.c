/* bottleneck.c: see bottleneck.h. */
#include <stdlib.h>
#include "bottleneck.h"

#define NS 1000u
#define RTO_MIN_US (200 * TAPIR_MS)
#define SUPPLY_STEP_US TAPIR_MS		/* how often a program with a rate looks in */

void bottleneck_init(struct bottleneck *w, uint64_t rate, uint32_t queue, uint64_t seed)
{
	*w = (struct bottleneck){.rate = rate, .queue = queue, .now_us = TAPIR_SEC, .least_queued = UINT32_MAX};
	rng_seed(&w->rng, seed, 1);
}

void bottleneck_end(struct bottleneck *w)
{
	for (int i = 0; i < BOTTLENECK_FLOWS; i++) {
		if (!w->flows[i])
			continue;
		free(w->flows[i]->records);
		free(w->flows[i]->acks);
		free(w->flows[i]);
		w->flows[i] = NULL;
	}
}

uint32_t bottleneck_queued(const struct bottleneck *w)
{
	uint64_t now_ns = w->now_us * NS;

	return w->free_ns > now_ns ? (uint32_t)((w->free_ns - now_ns) * w->rate / 1000000000) : 0;
}

static struct cc_sample sample_of(const struct bottleneck *w, const struct toy_flow *f)
{
	return (struct cc_sample){.now_us = w->now_us, .mss = BOTTLENECK_MSS, .initial_window = 10 * BOTTLENECK_MSS,
				  .una = f->x.first ? f->x.first->start : seq(f->nxt), .nxt = seq(f->nxt), .flight = f->flying,
				  .prior_flight = f->flying, .rtt_us = CC_NONE, .srtt_us = f->srtt_us,
				  .min_rtt_us = f->min_rtt_us, .cwnd_limited = f->cwnd_limited, .recovery = f->recovery};
}

struct toy_flow *bottleneck_add(struct bottleneck *w, const struct cc_ops *ops, usec_t delay_us)
{
	struct toy_flow *f = calloc(1, sizeof *f);
	struct cc_sample s;
	int i = 0;

	assert(f);
	while (w->flows[i])
		assert(++i < BOTTLENECK_FLOWS);
	w->flows[i] = f;
	f->cc.ops = ops;
	f->delay_us = delay_us;
	f->start_us = w->now_us;
	f->records = calloc(BOTTLENECK_RECORDS, sizeof *f->records);
	f->acks = calloc(BOTTLENECK_RECORDS, sizeof *f->acks);
	assert(f->records && f->acks);
	for (uint32_t k = 0; k < BOTTLENECK_RECORDS; k++) {
		f->records[k].sent.next = f->free ? &f->free->sent : NULL;
		f->free = &f->records[k];
	}
	f->srtt_us = f->min_rtt_us = (uint32_t)delay_us;
	f->last_ack_us = w->now_us;
	s = sample_of(w, f);
	ops->start(&f->cc, f->x.cc_priv, &s, 0);
	return f;
}

/* --- records ---------------------------------------------------------------------------------------------------- */

static struct toy_record *record_of(struct tcp_sent *r) { return (struct toy_record *)(void *)r; }

static void fly(struct toy_flow *f, struct tcp_sent *r)
{
	r->state = SENT_FLYING;
	r->later = NULL;
	r->earlier = f->x.newest;
	*(f->x.newest ? &f->x.newest->later : &f->x.oldest) = r;
	f->x.newest = r;
	f->flying += BOTTLENECK_MSS;
}

static void land(struct toy_flow *f, struct tcp_sent *r, enum sent_state to)
{
	if (r->state == SENT_FLYING) {
		*(r->earlier ? &r->earlier->later : &f->x.oldest) = r->later;
		*(r->later ? &r->later->earlier : &f->x.newest) = r->earlier;
		f->flying -= BOTTLENECK_MSS;
	}
	if (r->state == SENT_LOST)
		f->x.lost -= BOTTLENECK_MSS;
	if (to == SENT_LOST)
		f->x.lost += BOTTLENECK_MSS;
	r->state = (uint8_t)to;
}

static struct tcp_sent *new_record(struct toy_flow *f)
{
	struct tcp_sent *r = &f->free->sent;

	f->free = r->next ? record_of(r->next) : NULL;
	*r = (struct tcp_sent){.start = seq(f->nxt), .end = seq(f->nxt + BOTTLENECK_MSS), .prev = f->x.last};
	f->nxt += BOTTLENECK_MSS;
	*(f->x.last ? &f->x.last->next : &f->x.first) = r;
	f->x.last = r;
	f->given += BOTTLENECK_MSS;
	return r;
}

static uint32_t drop_acknowledged(struct toy_flow *f)
{
	uint32_t bytes = 0;

	while (f->x.first && f->x.first->state == SENT_SACKED) {
		struct tcp_sent *r = f->x.first;

		f->x.first = r->next;
		*(f->x.first ? &f->x.first->prev : &f->x.last) = NULL;
		r->next = f->free ? &f->free->sent : NULL;
		f->free = record_of(r);
		bytes += BOTTLENECK_MSS;
	}
	return bytes;
}

/* --- the path --------------------------------------------------------------------------------------------------- */

static void transmit(struct bottleneck *w, struct toy_flow *f, struct tcp_sent *r)
{
	uint64_t now_ns = w->now_us * NS;
	uint32_t queued = bottleneck_queued(w);
	struct toy_ack *ack = &f->acks[(f->ack_head + f->ack_count) % BOTTLENECK_RECORDS];

	f->sent++;
	if (rng_below(&w->rng, 1000000) < w->loss_ppm)
		return;
	if (queued + BOTTLENECK_MSS > w->queue) {
		w->dropped++;
		return;
	}
	w->free_ns = (w->free_ns > now_ns ? w->free_ns : now_ns) + (uint64_t)BOTTLENECK_MSS * 1000000000 / w->rate;
	assert(f->ack_count < BOTTLENECK_RECORDS);
	f->ack_count++;
	*ack = (struct toy_ack){.at_us = w->free_ns / NS + f->delay_us, .record = r->start.n, .order = record_of(r)->order,
				.marked = w->mark && queued > w->mark};
	if (w->ack_every_us)
		ack->at_us = (ack->at_us + w->ack_every_us - 1) / w->ack_every_us * w->ack_every_us;
}

/* --- sending ---------------------------------------------------------------------------------------------------- */

static uint64_t unsent(const struct bottleneck *w, const struct toy_flow *f)
{
	uint64_t given = f->supply ? f->supply(w->now_us) : UINT64_MAX;

	return given > f->given ? given - f->given : 0;
}

static struct tcp_sent *next_to_send(const struct bottleneck *w, struct toy_flow *f)
{
	if (f->x.lost)
		for (struct tcp_sent *r = f->x.first; r; r = r->next)
			if (r->state == SENT_LOST)
				return r;
	return f->free && unsent(w, f) >= BOTTLENECK_MSS ? new_record(f) : NULL;
}

static bool wants_to_send(const struct bottleneck *w, const struct toy_flow *f)
{
	return f->x.lost || (f->free && unsent(w, f) >= BOTTLENECK_MSS);
}

static uint64_t pacing_rate(const struct toy_flow *f) { return tcp_pace_rate(&f->x, &f->cc, f->srtt_us, f->paced); }

static void start_again(struct bottleneck *w, struct toy_flow *f)
{
	struct cc_sample s = sample_of(w, f);

	if (f->flying || f->x.first || !f->orders)
		return;
	f->cc.ops->start(&f->cc, f->x.cc_priv, &s, w->now_us - f->idle_from_us);
	f->last_ack_us = w->now_us;
}

static void send_one(struct bottleneck *w, struct toy_flow *f)
{
	struct tcp_sent *r;
	bool again;

	start_again(w, f);
	r = next_to_send(w, f);
	again = r->times != 0;
	if (again)
		land(f, r, SENT_FLYING), f->retransmitted++;
	r->sent_us = w->now_us;
	r->times = (uint8_t)(r->times < 255 ? r->times + 1 : 255);
	record_of(r)->order = ++f->orders;
	fly(f, r);
	tcp_rate_sent(&f->x, r, f->flying);
	transmit(w, f, r);
	tcp_pace_sent(&f->x, pacing_rate(f), BOTTLENECK_MSS, w->now_us);
	if (f->burst_us != w->now_us) {
		f->burst_us = w->now_us;
		f->burst = 0;
		f->bursts++;
	}
	f->burst += BOTTLENECK_MSS;
	f->biggest_burst = max_u32(f->biggest_burst, f->burst);
}

static void send_all(struct bottleneck *w, struct toy_flow *f)
{
	f->cwnd_limited = false;
	while (wants_to_send(w, f)) {
		if (f->flying + BOTTLENECK_MSS > f->cc.cwnd && f->flying) {
			f->cwnd_limited = true;
			return;
		}
		if (!tcp_pace_room(&f->x, pacing_rate(f), BOTTLENECK_MSS, w->now_us))
			return;
		send_one(w, f);
	}
	tcp_rate_check_app_limited(&f->x, false, f->flying, f->cc.cwnd);
}

/* --- what arrives ----------------------------------------------------------------------------------------------- */

static uint32_t find_lost(struct toy_flow *f, bool all)
{
	uint32_t lost = 0;
	struct tcp_sent *r = f->x.oldest;

	while (r && (all || record_of(r)->order < f->delivered_order)) {
		struct tcp_sent *later = r->later;

		land(f, r, SENT_LOST);
		tcp_rate_lost(&f->x, r, !f->no_sack);
		f->lost++;
		lost += BOTTLENECK_MSS;
		r = later;
	}
	return lost;
}

static void congestion(struct bottleneck *w, struct toy_flow *f, enum cc_signal signal, const struct cc_sample *s)
{
	f->recovery = signal != CC_ECN;
	f->recover = f->nxt;
	f->cc.ops->on_congestion(&f->cc, f->x.cc_priv, s, signal, f->backoff > 1);
	if (signal == CC_LOSS && !f->cc.ops->paces_itself)
		f->cc.cwnd = f->cc.ssthresh;
	(void)w;
}

static struct tcp_sent *record_at(struct toy_flow *f, uint32_t start)
{
	for (struct tcp_sent *r = f->x.oldest; r; r = r->later)
		if (r->start.n == start)
			return r;
	for (struct tcp_sent *r = f->x.first; r; r = r->next)
		if (r->start.n == start && r->state == SENT_LOST)
			return r;
	return NULL;
}

static void take_ack(struct toy_flow *f, const struct toy_ack *a, struct tcp_rate_ack *ack, struct cc_sample *s)
{
	struct tcp_sent *r = record_at(f, a->record);
	uint32_t rtt_us;

	f->ece_seen |= a->marked;
	if (!r)
		return;
	/* As timestamps would tell. */
	tcp_rate_delivered(&f->x, ack, a->order == record_of(r)->order ? r : NULL, BOTTLENECK_MSS);
	s->delivered += BOTTLENECK_MSS;
	rtt_us = (uint32_t)(s->now_us - r->sent_us);
	if (a->order == record_of(r)->order) {
		s->rtt_us = rtt_us;
		f->srtt_us = (uint32_t)(((uint64_t)f->srtt_us * 7 + rtt_us) / 8);
		f->min_rtt_us = min_u32(f->min_rtt_us, rtt_us);
	}
	if (a->order > f->delivered_order)
		f->delivered_order = a->order;
	land(f, r, SENT_SACKED);
}

static void ack_arrives(struct bottleneck *w, struct toy_flow *f)
{
	struct tcp_rate_ack ack = {.now_us = w->now_us};
	struct cc_sample s = sample_of(w, f);
	bool first;

	tcp_rate_check_app_limited(&f->x, wants_to_send(w, f), f->flying, f->cc.cwnd);
	f->last_ack_us = w->now_us;
	f->backoff = 0;
	while (f->ack_count && f->acks[f->ack_head].at_us <= w->now_us) {
		take_ack(f, &f->acks[f->ack_head], &ack, &s);
		f->ack_head = (f->ack_head + 1) % BOTTLENECK_RECORDS;
		f->ack_count--;
	}
	s.lost = find_lost(f, false);
	s.acked = drop_acknowledged(f);
	s.una = f->x.first ? f->x.first->start : seq(f->nxt);
	s.flight = f->flying;
	s.srtt_us = f->srtt_us;
	s.min_rtt_us = f->min_rtt_us;
	s.round_start = seq_geq(s.una, seq(f->round_end));
	if (s.round_start)
		f->round_end = f->nxt;
	if (f->recovery && seq_geq(s.una, seq(f->recover)))
		f->recovery = false;
	first = s.lost && !f->recovery;
	s.ece = f->ece_seen;
	s.rate = tcp_rate_sample(&f->x, &ack, f->min_rtt_us);
	s.rate.no_sack = f->no_sack;
	if (first)
		congestion(w, f, CC_LOSS, &s);
	if (f->ece_seen && seq_geq(s.una, seq(f->ece_until))) {
		congestion(w, f, CC_ECN, &s);
		f->ece_until = f->nxt;
	}
	f->ece_seen = false;
	s.recovery = f->recovery;
	if (!f->recovery || f->cc.ops->paces_itself)
		f->cc.ops->on_ack(&f->cc, f->x.cc_priv, &s);
	if (!f->x.first)
		f->idle_from_us = w->now_us;
}

static usec_t rto_due(const struct toy_flow *f)
{
	usec_t rto_us = max_usec(3 * (usec_t)f->srtt_us, RTO_MIN_US) << f->backoff;

	return f->x.oldest ? max_usec(f->last_ack_us, f->x.oldest->sent_us) + rto_us : USEC_NEVER;
}

static void time_out(struct bottleneck *w, struct toy_flow *f)
{
	struct cc_sample s = sample_of(w, f);

	s.lost = find_lost(f, true);
	s.flight = 0;
	if (f->backoff < 6)
		f->backoff++;
	congestion(w, f, CC_RTO, &s);
	f->last_ack_us = w->now_us;
}

/* --- time ------------------------------------------------------------------------------------------------------- */

static usec_t next_event(const struct bottleneck *w, const struct toy_flow *f)
{
	usec_t next_us = f->ack_count ? f->acks[f->ack_head].at_us : USEC_NEVER;
	bool window = f->flying + BOTTLENECK_MSS <= f->cc.cwnd || !f->flying;

	next_us = min_usec(next_us, rto_due(f));
	if (window && wants_to_send(w, f) && pacing_rate(f))
		next_us = min_usec(next_us, f->x.pace.next_us);
	if (f->supply)
		next_us = min_usec(next_us, w->now_us + SUPPLY_STEP_US);
	return max_usec(next_us, w->now_us + 1);
}

static void turn(struct bottleneck *w, struct toy_flow *f)
{
	if (f->ack_count && f->acks[f->ack_head].at_us <= w->now_us)
		ack_arrives(w, f);
	if (rto_due(f) <= w->now_us)
		time_out(w, f);
	send_all(w, f);
}

void bottleneck_run(struct bottleneck *w, usec_t for_us)
{
	usec_t end_us = w->now_us + for_us;

	while (w->now_us < end_us) {
		usec_t next_us = end_us;

		for (int i = 0; i < BOTTLENECK_FLOWS; i++)
			if (w->flows[i])
				turn(w, w->flows[i]);
		w->least_queued = min_u32(w->least_queued, bottleneck_queued(w));
		for (int i = 0; i < BOTTLENECK_FLOWS; i++)
			if (w->flows[i])
				next_us = min_usec(next_us, next_event(w, w->flows[i]));
		w->now_us = next_us;
	}
}
