/* sim_plan.c: from a seed to a plan. Owns which worlds are possible: everything here stays within what TCP promises to
 * survive, so that whatever goes wrong is a defect. In particular no frame lives longer than an MSL, and retries are many
 * enough for the loss of the link. */
#include <stdio.h>
#include <string.h>
#include "sim.h"

#define KIB 1024u
#define CONNS 8u		/* most connections of two stacks */
#define LOSS_MAX 20		/* percent */
#define SHARE 600000u		/* bytes that all programs of one run send, about */
#define CALLS_MAX 300u		/* calls with pauses between them that one transfer takes */

uint64_t sim_rand(struct sim_rng *r)	/* splitmix64 */
{
	uint64_t z = r->s += 0x9e3779b97f4a7c15u;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
	z = (z ^ z >> 27) * 0x94d049bb133111ebu;
	return z ^ z >> 31;
}

uint32_t sim_below(struct sim_rng *r, uint32_t n)
{
	return (uint32_t)((sim_rand(r) >> 32) * n >> 32);
}

uint32_t sim_between(struct sim_rng *r, uint32_t lo, uint32_t hi)
{
	return lo + sim_below(r, hi - lo + 1);
}

bool sim_chance(struct sim_rng *r, uint32_t percent)
{
	return sim_below(r, 100) < percent;
}

uint32_t sim_spread(struct sim_rng *r, uint32_t lo, uint32_t hi)
{
	uint32_t steps = 0, top = lo;

	while (top < hi / 2) {
		top *= 2;
		steps++;
	}
	lo <<= sim_below(r, steps + 1);
	return sim_between(r, lo, 2 * lo < hi ? 2 * lo : hi);
}

/* --- the link --- */

double sim_percent_of(struct sim_rng *r, uint32_t chance, uint32_t most)
{
	return sim_chance(r, chance) ? sim_between(r, 1, most * 10) / 1000.0 : 0;
}

static void plan_faults(struct sim_plan *p, struct sim_rng *r)
{
	struct fault_config *f = &p->fault;

	f->seed = sim_rand(r);
	f->loss = sim_percent_of(r, 60, sim_chance(r, 25) ? LOSS_MAX : 4);
	f->delay_us = sim_chance(r, 80) ? sim_spread(r, 50, 400000) : 0;
	if (p->link == SIM_LINK_WIRE)
		return;
	f->duplicate = sim_percent_of(r, 40, 10);
	f->corrupt = sim_percent_of(r, 40, 5);
	f->reorder = sim_percent_of(r, 40, 15);
	f->jitter_us = sim_chance(r, 40) ? sim_spread(r, 50, 200000) : 0;
	if (sim_chance(r, 30)) {
		f->rate_bps = sim_spread(r, 256000, 100000000);
		/* The queue holds a few frames, and at most a second of them. */
		f->queue_bytes = sim_spread(r, 4u * p->mtu, (uint32_t)(f->rate_bps / 8) + 8u * p->mtu);
	}
}

static void plan_link(struct sim_plan *p, struct sim_rng *r)
{
	static const uint16_t mtus[] = {1500, 1500, 1500, 1280, 576, 9000, 1400, 296};
	uint32_t kind = sim_below(r, 10);

	p->link = kind < 7 ? SIM_LINK_FAULT : kind < 9 ? SIM_LINK_WIRE : SIM_LINK_PAIR;
	p->ip_only = sim_chance(r, 60);
	p->mtu = mtus[sim_below(r, sizeof mtus / sizeof mtus[0])];
	if (p->link != SIM_LINK_FAULT) {
		p->caps.csum = sim_chance(r, 75);
		p->caps.tso4 = p->caps.csum && sim_chance(r, 66);
	}
	if (p->link != SIM_LINK_PAIR)
		plan_faults(p, r);
}

/* --- the stacks --- */

static void plan_tcp(struct tapir_config *c, struct sim_rng *r, bool harsh)
{
	c->timestamps = sim_chance(r, 70);
	c->sack = sim_chance(r, 70);
	c->window_scale = sim_chance(r, 70);
	c->nagle = sim_chance(r, 80);
	c->delack_us = sim_chance(r, 25) ? 0 : sim_spread(r, 1000, 400000);
	c->quickacks = sim_chance(r, 50) ? 16 : (uint16_t)sim_below(r, 3);
	c->initial_window = (uint16_t)sim_between(r, 1, 10);
	c->sndbuf = sim_spread(r, 1 * KIB, 512 * KIB);
	c->rcvbuf = sim_spread(r, 1 * KIB, 512 * KIB);
	c->msl_us = sim_between(r, 4, 30) * TAPIR_SEC;
	c->orphan_us = 24 * 3600 * TAPIR_SEC;	/* lines here are worse than any that a server waits for */
	if (sim_chance(r, 30))
		c->isn = (int64_t)(UINT32_MAX - sim_spread(r, 1, 100000));
	if (sim_chance(r, 30))
		c->rto_min_us = sim_spread(r, 10000, 1000000);
	c->keepalive_idle_us = sim_between(r, 2, 20) * TAPIR_SEC;
	c->keepalive_interval_us = sim_between(r, 1, 5) * TAPIR_SEC;
	c->orphan_retries = 15;		/* a peer that does not read for minutes still gets all of it */
	if (!harsh)
		return;
	c->syn_retries = c->synack_retries = 15;
	c->keepalive_probes = 20;
}

void sim_plan_stack(struct sim_plan *p, struct sim_rng *r, int node, bool harsh)
{
	struct tapir_config *c = &p->cfg[node];

	tapir_config_default(c);
	c->addr = tapir_ipv4(10, 0, 0, (uint8_t)(node + 1));
	c->seed[0] = sim_rand(r);
	c->seed[1] = sim_rand(r);
	/* Taken from a number that is drawn anyway, so that old seeds keep the rest of their worlds. */
	c->congestion = (enum tapir_cc)(c->seed[1] % TAPIR_CC_COUNT);
	c->pacing = c->seed[1] % 5 == 0;
	c->tlp = c->seed[1] % 7 != 0;
	c->dsack = c->seed[1] % 11 != 0;
	c->gso = c->seed[1] % 3 != 0;
	c->gro = c->seed[1] % 13 > 4;
	c->max_sending = c->seed[1] % 13 == 0 ? 1 + (uint32_t)(c->seed[1] >> 32) % 3 : 0;
	c->max_sockets = 4 * CONNS;
	c->max_conns = 8 * CONNS;
	c->arp_entries = 8;
	c->arp_tries = 12;		/* a lossy link must not look like a host that is not there */
	c->small_frames = sim_spread(r, 64, 4096);
	c->large_frames = 24;
	c->mtu = p->mtu;
	if (p->mtu > 576 && sim_chance(r, 20))
		c->mtu = (uint16_t)sim_between(r, 576, p->mtu);
	c->arp_probe = sim_chance(r, 50);
	if (sim_chance(r, 20))
		c->arp_reachable_us = sim_between(r, 1, 10) * TAPIR_SEC;
	plan_tcp(c, r, harsh);
}

/* --- the programs --- */

static uint32_t plan_size(struct sim_rng *r)
{
	uint32_t kind = sim_below(r, 10);

	if (kind < 2)
		return 0;
	if (kind < 5)
		return sim_spread(r, 1, 100);
	return sim_spread(r, 100, kind < 8 ? 20000 : 300000);
}

static usec_t plan_pause(struct sim_rng *r)
{
	return sim_chance(r, 60) ? 0 : sim_spread(r, 100, 300000);
}

/* Bytes of one call, so that a transfer of total takes at most so many calls. */
static uint32_t plan_chunk(struct sim_rng *r, uint32_t total, bool pauses)
{
	uint32_t least = 1 + total / (pauses ? CALLS_MAX : 10 * CALLS_MAX);

	return least < 100000 ? sim_spread(r, least, 100000) : least;
}

static void plan_side(struct sim_side *side, struct sim_rng *r, uint32_t peer_total)
{
	side->write_pause_us = plan_pause(r);
	side->read_pause_us = plan_pause(r);
	side->read_start_us = sim_chance(r, 20) ? sim_spread(r, 1000, 90000000) : 0;
	side->write_max = plan_chunk(r, side->total, side->write_pause_us);
	side->read_max = plan_chunk(r, peer_total, side->read_pause_us);
	side->borrowed = sim_chance(r, 40) ? (uint8_t)sim_between(r, 10, 100) : 0;
	side->peek = sim_chance(r, 40) ? (uint8_t)sim_between(r, 10, 100) : 0;
	side->edge = sim_chance(r, 60);
	side->nodelay = sim_chance(r, 30);
	side->keepalive = sim_chance(r, 10);
	side->sndbuf = sim_chance(r, 15) ? sim_spread(r, 2 * KIB, 128 * KIB) : 0;
	side->rcvbuf = sim_chance(r, 15) ? sim_spread(r, 2 * KIB, 128 * KIB) : 0;
}

static void plan_ends(struct sim_conn *c, struct sim_rng *r)
{
	uint32_t all = c->side[0].total + c->side[1].total;

	for (int i = 0; i < 2; i++)
		c->side[i].end = (enum sim_end)(SIM_END_HALF + sim_below(r, 3));
	if (c->side[0].end == SIM_END_LATE && c->side[1].end == SIM_END_LATE)
		c->side[sim_below(r, 2)].end = SIM_END_HALF;	/* or each would wait for the other */
	if (!sim_chance(r, 12))
		return;
	for (int i = 0; i < 2; i++) {
		if (i == 1 && sim_chance(r, 80))
			break;
		c->side[i].end = (enum sim_end)(SIM_END_ABORT + sim_below(r, 3));
		c->side[i].end_after = sim_below(r, all + 1);
	}
	/* The RST may be lost: only a probe tells the other side then. */
	c->side[0].keepalive = c->side[1].keepalive = true;
}

void sim_plan_conn(struct sim_plan *p, struct sim_rng *r, int index)
{
	struct sim_conn *c = &p->conns[index];
	uint32_t kind = sim_below(r, 100), most = SHARE / p->count / 2;

	c->open = kind < 3 ? SIM_OPEN_REFUSED : kind < 15 ? SIM_OPEN_BOTH : SIM_OPEN_PASSIVE;
	c->node[0] = (uint8_t)sim_below(r, 2);
	c->node[1] = (uint8_t)(1 - c->node[0]);
	if (c->open == SIM_OPEN_PASSIVE && sim_chance(r, 4))
		c->node[1] = c->node[0];
	c->after = -1;
	c->start_us = sim_chance(r, 50) ? 0 : sim_spread(r, 1000, 5000000);
	if (c->open == SIM_OPEN_BOTH || sim_chance(r, 30))
		c->port = (uint16_t)(20000 + index);
	for (int i = 0; i < 2; i++) {
		uint32_t size = plan_size(r);

		c->side[i].total = size < most ? size : most;
	}
	for (int i = 0; i < 2; i++)
		plan_side(&c->side[i], r, c->side[1 - i].total);
	plan_ends(c, r);
}

/* Sometimes a connection comes back: the same two ports, as soon as both programs have closed. */
static void plan_again(struct sim_plan *p, struct sim_rng *r)
{
	struct sim_conn *last = &p->conns[p->count - 1], *first = &p->conns[0];

	if (p->count < 2 || !sim_chance(r, 25) || first->open != SIM_OPEN_PASSIVE || last->open != SIM_OPEN_PASSIVE)
		return;
	if (p->cfg[0].isn >= 0 || p->cfg[1].isn >= 0)
		return;		/* RFC 6191 asks for a sequence number or timestamp that moved on */
	last->after = 0;
	last->port = first->port = 20000;
	memcpy(last->node, first->node, sizeof last->node);
}

void sim_plan_make(struct sim_plan *p, uint64_t seed)
{
	struct sim_rng r = {seed * 0x2545f4914f6cdd1du + 1};

	memset(p, 0, sizeof *p);
	p->seed = seed;
	p->nodes = 2;
	plan_link(p, &r);
	for (int node = 0; node < 2; node++)
		sim_plan_stack(p, &r, node, p->fault.loss + p->fault.corrupt > 0.04);
	p->backlog = (int)sim_spread(&r, 1, 8);
	p->accept_pause_us = sim_chance(&r, 70) ? 0 : sim_spread(&r, 1000, 2000000);
	p->count = (uint8_t)(sim_chance(&r, 50) ? 1 : sim_between(&r, 2, CONNS));
	for (int i = 0; i < p->count; i++)
		sim_plan_conn(p, &r, i);
	plan_again(p, &r);
	for (int node = 0; node < 2; node++)
		p->cfg[node].mtu_probing = (uint8_t)sim_below(&r, 3);
}

/* --- for people --- */

static void print_stack(const struct tapir_config *c, int node)
{
	fprintf(stderr, "  stack %d: mtu %u isn %lld rto_min %llu ms delack %llu ms quick %u iw %u sndbuf %u rcvbuf %u "
		"msl %llu s frames %u senders %u %s%s%s%s%s%s%s%s\n", node, c->mtu, (long long)c->isn,
		(unsigned long long)(c->rto_min_us / TAPIR_MS), (unsigned long long)(c->delack_us / TAPIR_MS), c->quickacks,
		c->initial_window, c->sndbuf, c->rcvbuf, (unsigned long long)(c->msl_us / TAPIR_SEC), c->small_frames,
		c->max_sending, tapir_cc_name(c->congestion), c->pacing ? " paced" : "", c->tlp ? " tlp" : "",
		c->timestamps ? " ts" : "", c->sack ? " sack" : "", c->dsack ? " dsack" : "",
		c->window_scale ? " ws" : "", c->nagle ? " nagle" : "");
}

static void print_conn(const struct sim_conn *c, int index)
{
	static const char *const opens[] = {"passive", "simultaneous", "refused"};
	static const char *const ends[] = {"half", "late", "close", "abort", "linger", "unread"};

	fprintf(stderr, "  connection %d: %s, at %llu us, port %u%s\n", index, opens[c->open], (unsigned long long)c->start_us,
		c->port, c->after < 0 ? "" : ", again");
	for (int i = 0; i < 2; i++) {
		const struct sim_side *s = &c->side[i];

		fprintf(stderr, "    side %d on stack %d: sends %u by %u every %llu us, reads by %u every %llu us from %llu us, "
			"borrowed %u%% peek %u%%%s%s%s buffers %u %u, ends %s after %u\n", i, c->node[i], s->total, s->write_max,
			(unsigned long long)s->write_pause_us, s->read_max, (unsigned long long)s->read_pause_us,
			(unsigned long long)s->read_start_us, s->borrowed, s->peek, s->edge ? " edge" : "",
			s->nodelay ? " nodelay" : "", s->keepalive ? " keepalive" : "", s->sndbuf, s->rcvbuf, ends[s->end],
			s->end_after);
	}
}

void sim_plan_print(const struct sim_plan *p)
{
	static const char *const links[] = {"fault", "pair", "wire", "net"};
	const struct fault_config *f = &p->fault;

	fprintf(stderr, "seed %llu: %s %s mtu %u%s%s, loss %.3f duplicate %.3f corrupt %.3f reorder %.3f delay %llu us "
		"jitter %llu us rate %llu queue %u, backlog %d accept pause %llu us\n", (unsigned long long)p->seed,
		links[p->link], p->ip_only ? "ip" : "ethernet", p->mtu, p->caps.csum ? " csum" : "", p->caps.tso4 ? " tso" : "",
		f->loss, f->duplicate, f->corrupt, f->reorder, (unsigned long long)f->delay_us, (unsigned long long)f->jitter_us,
		(unsigned long long)f->rate_bps, f->queue_bytes, p->backlog, (unsigned long long)p->accept_pause_us);
	if (p->link == SIM_LINK_NET)
		sim_net_plan_print(&p->net, p->nodes);
	for (int i = 0; i < p->nodes; i++)
		print_stack(&p->cfg[i], i);
	for (int i = 0; i < p->count; i++)
		print_conn(&p->conns[i], i);
}
