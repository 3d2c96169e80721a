/* toy_path.c: see toy_path.h. The bottleneck is first in, first out and the way back takes no time of its own, so one ring in
 * the order of sending holds all that is under way, dropped segments included: those show as a gap when the ring comes to them. */
#include "toy_path.h"

#include <assert.h>
#include <stdlib.h>

#define RING (1u << 17)
#define INITIAL_SEGMENTS 10u

struct toy_segment { usec_t sent_us, ack_us; int flow; bool lost; };

void toy_begin(struct toy_path *p)
{
	p->ring = calloc(RING, sizeof *p->ring);
	p->head = p->tail = p->sent = 0;
	p->now_us = p->free_us = 0;
	p->count = 0;
}

void toy_end(struct toy_path *p) { free(p->ring); }

struct toy_flow *toy_add(struct toy_path *p, const struct cc_ops *ops, usec_t starts_us)
{
	struct toy_flow *f = &p->flows[p->count++];

	*f = (struct toy_flow){.cc.ops = ops, .starts_us = starts_us, .min_rtt_us = CC_NONE};
	return f;
}

static uint32_t flight(const struct toy_flow *f) { return (uint32_t)(f->sent - f->gone) * TOY_MSS; }

static struct cc_sample sample_of(const struct toy_path *p, const struct toy_flow *f)
{
	return (struct cc_sample){
		.now_us = p->now_us, .mss = TOY_MSS, .initial_window = INITIAL_SEGMENTS * TOY_MSS,
		.una = {(uint32_t)f->gone * TOY_MSS}, .nxt = {(uint32_t)f->sent * TOY_MSS}, .flight = flight(f),
		.prior_flight = flight(f), .rtt_us = CC_NONE, .srtt_us = f->srtt_us, .min_rtt_us = f->min_rtt_us,
		.cwnd_limited = true};
}

static void send_one(struct toy_path *p, int index)
{
	struct toy_segment s = {.sent_us = p->now_us, .flow = index};
	uint64_t waiting = p->free_us > p->now_us ? (p->free_us - p->now_us) * p->rate / TAPIR_SEC : 0;

	p->sent++;
	p->flows[index].sent++;
	s.lost = (p->lose_every && p->sent % p->lose_every == 0) || (p->rate && waiting > p->queue);
	if (p->rate && !s.lost)
		p->free_us = max_usec(p->free_us, p->now_us) + TOY_MSS * TAPIR_SEC / p->rate;
	s.ack_us = max_usec(p->free_us, p->now_us) + p->rtt_us;
	assert(p->tail - p->head < RING);
	p->ring[p->tail++ % RING] = s;
}

static void send_all(struct toy_path *p, int index)
{
	struct toy_flow *f = &p->flows[index];

	if (p->now_us < f->starts_us)
		return;
	if (!f->cc.cwnd) {
		struct cc_sample s = sample_of(p, f);

		f->cc.ops->start(&f->cc, f->priv, &s, 0);
	}
	while (flight(f) + TOY_MSS <= f->cc.cwnd)
		send_one(p, index);
}

/* The gap is seen: once a window the controller hears of it, and the window is cut at once. */
static void lose(struct toy_path *p, struct toy_flow *f)
{
	struct cc_sample s;

	f->losses++;
	if (!f->recovering) {
		s = sample_of(p, f);
		s.lost = TOY_MSS;
		f->cc.ops->on_congestion(&f->cc, f->priv, &s, CC_LOSS, false);
		f->cc.cwnd = f->cc.ssthresh;
		f->recovering = true;
		f->recover = f->sent;
		f->cuts++;
	}
	f->gone++;
}

static void deliver(struct toy_path *p, struct toy_flow *f, const struct toy_segment *segment)
{
	uint32_t rtt_us = (uint32_t)(p->now_us - segment->sent_us);
	struct cc_sample s;

	f->srtt_us = f->srtt_us ? (uint32_t)(((uint64_t)f->srtt_us * 7 + rtt_us) / 8) : rtt_us;
	f->min_rtt_us = min_u32(f->min_rtt_us, rtt_us);
	s = sample_of(p, f);
	f->gone++;
	f->delivered++;
	f->recovering &= f->gone < f->recover;
	s.acked = s.delivered = TOY_MSS;
	s.flight -= TOY_MSS;
	s.una.n += TOY_MSS;
	s.rtt_us = rtt_us;
	s.round_start = f->gone > f->round_end;
	if (s.round_start)
		f->round_end = f->sent;
	if (!f->recovering)
		f->cc.ops->on_ack(&f->cc, f->priv, &s);
	f->measured += p->now_us >= p->measure_from_us;
}

static usec_t next_start(const struct toy_path *p)
{
	usec_t next = USEC_NEVER;

	for (int i = 0; i < p->count; i++)
		if (p->flows[i].starts_us > p->now_us)
			next = min_usec(next, p->flows[i].starts_us);
	return next;
}

void toy_run(struct toy_path *p, usec_t until_us)
{
	for (int i = 0; i < p->count; i++)
		send_all(p, i);
	while (p->now_us < until_us) {
		struct toy_segment s = {.ack_us = USEC_NEVER};
		usec_t start_us = next_start(p);

		if (p->head < p->tail)
			s = p->ring[p->head % RING];
		p->now_us = max_usec(p->now_us, min_usec(min_usec(s.ack_us, start_us), until_us));
		if (p->head < p->tail && s.ack_us <= p->now_us) {
			p->head++;
			(s.lost ? lose(p, &p->flows[s.flow]) : deliver(p, &p->flows[s.flow], &s));
		}
		for (int i = 0; i < p->count; i++)
			send_all(p, i);
	}
}

double toy_mean_flight(const struct toy_path *p, const struct toy_flow *f)
{
	return (double)f->measured * (double)p->rtt_us / (double)(p->now_us - p->measure_from_us);
}
