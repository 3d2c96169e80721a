/* sim_net_plan.c: from a seed to a network: some routers in a row, stacks that hang on them, connections across, and trunks that
 * become slower, longer, narrower or fail for a while. As in sim_plan.c, all of it is what TCP promises to survive: together
 * the links of a path lose no more than a bad one, fail for seconds only, and hold no frame for as long as an MSL. */
#include <stdio.h>
#include <string.h>
#include "sim.h"

#define BYTES_MAX 1000000u	/* that all programs of one run send, about */
#define NODES_MAX 8u
#define CONNS_MAX 12u
#define BURST_MAX 6u
#define RETRIES 60u		/* who sends one segment at a time, ever more rarely, must survive the longest burst */
#define QUEUE_US_MAX 500000u	/* what the queue of a trunk holds at most: of so much time */
#define END_US (20 * TAPIR_SEC)	/* changes happen before */

static const uint16_t mtus[] = {1500, 1500, 1500, 1280, 576};

static void plan_losses(struct fault_config *f, struct sim_rng *r, uint32_t hops)
{
	f->seed = sim_rand(r);
	f->loss = sim_percent_of(r, 35, (sim_chance(r, 20) ? 15 : 4)) / hops;
	if (sim_chance(r, 25)) {
		f->burst_loss = sim_between(r, 1, 40) / 1000.0 / hops;
		f->burst_frames = sim_between(r, 2, BURST_MAX);
	}
	f->duplicate = sim_percent_of(r, 20, 10);
	f->corrupt = sim_percent_of(r, 20, 5) / hops;
	f->reorder = sim_percent_of(r, 30, 15);
	f->jitter_us = sim_chance(r, 30) ? sim_spread(r, 50, 30000) : 0;
}

static void plan_rate(struct fault_config *f, struct sim_rng *r, uint16_t mtu)
{
	uint32_t queue_us = sim_spread(r, 2000, QUEUE_US_MAX);
	uint32_t least = 4u * mtu;

	f->rate_bps = sim_spread(r, 500000, 100000000);
	f->queue_bytes = (uint32_t)(f->rate_bps / 8 * queue_us / TAPIR_SEC);
	if (f->queue_bytes < least)
		f->queue_bytes = least;
	f->codel = sim_chance(r, 40);
	f->mark = f->codel && sim_chance(r, 50);
}

static void plan_trunks(struct sim_plan *p, struct sim_rng *r)
{
	uint32_t trunks = p->net.routers - 1u;

	for (uint32_t i = 0; i < trunks; i++) {
		struct fault_config *f = &p->net.trunk[i];

		plan_losses(f, r, trunks);
		f->delay_us = sim_chance(r, 80) ? sim_spread(r, 50, 100000) : 0;
		if (sim_chance(r, 70))
			plan_rate(f, r, p->mtu);
		if (p->mtu > 1000 && sim_chance(r, 15)) {
			f->mtu = (uint16_t)sim_between(r, 576, p->mtu);
			f->tell_mtu = true;
		}
	}
}

/* A link that fails for some seconds, as often as it likes, and comes back as it was. */
static void plan_failure(struct sim_net_plan *n, struct sim_rng *r, uint8_t trunk)
{
	struct sim_change down = {TAPIR_SEC + sim_spread(r, 1000, (uint32_t)END_US), trunk, n->trunk[trunk]}, up = down;

	down.to.down = true;
	up.at_us = down.at_us + sim_spread(r, 1000, 4000000);
	n->change[n->changes++] = down;
	n->change[n->changes++] = up;
}

/* From then on the link is another one. */
static void plan_turn(struct sim_net_plan *n, struct sim_rng *r, uint8_t trunk, uint16_t mtu)
{
	struct sim_change c = {TAPIR_SEC + sim_spread(r, 1000, (uint32_t)END_US), trunk, n->trunk[trunk]};
	uint32_t kind = sim_below(r, 4);

	if (kind == 0)
		c.to.rate_bps = sim_spread(r, 500000, 100000000);
	else if (kind == 1)
		c.to.delay_us = sim_spread(r, 50, 100000);
	else if (kind == 2)
		c.to.loss = sim_percent_of(r, 80, 4) / n->routers;
	else if (mtu > 1000)
		c.to.mtu = (uint16_t)sim_between(r, 576, mtu);
	c.to.tell_mtu = true;
	n->change[n->changes++] = c;
}

static void sort_changes(struct sim_net_plan *n)
{
	for (int i = 1; i < n->changes; i++)
		for (int j = i; j > 0 && n->change[j].at_us < n->change[j - 1].at_us; j--) {
			struct sim_change c = n->change[j];

			n->change[j] = n->change[j - 1];
			n->change[j - 1] = c;
		}
}

static void plan_changes(struct sim_plan *p, struct sim_rng *r)
{
	uint32_t trunks = p->net.routers - 1u;

	if (trunks == 0 || !sim_chance(r, 40))
		return;
	for (uint32_t i = sim_between(r, 1, 4); i > 0; i--) {
		uint8_t trunk = (uint8_t)sim_below(r, trunks);

		if (sim_chance(r, 50))
			plan_failure(&p->net, r, trunk);
		else
			plan_turn(&p->net, r, trunk, p->mtu);
	}
	sort_changes(&p->net);
}

static void plan_net(struct sim_plan *p, struct sim_rng *r)
{
	struct sim_net_plan *n = &p->net;

	p->link = SIM_LINK_NET;
	p->ip_only = true;
	p->mtu = mtus[sim_below(r, sizeof mtus / sizeof mtus[0])];
	p->nodes = (uint8_t)sim_between(r, 2, NODES_MAX);
	n->routers = (uint8_t)sim_between(r, 1, SIM_ROUTERS);
	plan_trunks(p, r);
	for (uint8_t i = 0; i < p->nodes; i++) {
		n->at[i] = (uint8_t)sim_below(r, n->routers);
		n->access[i].seed = sim_rand(r);
		n->access[i].delay_us = sim_chance(r, 50) ? sim_spread(r, 10, 20000) : 0;
		if (sim_chance(r, 30))
			plan_rate(&n->access[i], r, p->mtu);
	}
	plan_changes(p, r);
}

/* The first side sends as much as it can, to a program that reads at once. */
static void make_busy(struct sim_conn *c, struct sim_rng *r)
{
	c->side[0].total = sim_between(r, 50000, 300000);
	c->side[0].write_max = c->side[1].read_max = 65536;
	c->side[0].write_pause_us = c->side[1].read_pause_us = c->side[1].read_start_us = 0;
}

static void plan_conns(struct sim_plan *p, struct sim_rng *r)
{
	bool busy = sim_chance(r, 30);	/* long transfers at the same time */
	uint32_t total = 0;

	p->count = (uint8_t)sim_between(r, 1, sim_chance(r, 50) ? 3 : CONNS_MAX);
	for (int i = 0; i < p->count; i++) {
		struct sim_conn *c = &p->conns[i];

		sim_plan_conn(p, r, i);
		if (busy)
			make_busy(c, r);
		c->node[0] = (uint8_t)sim_below(r, p->nodes);
		c->node[1] = (uint8_t)((c->node[0] + sim_between(r, 1, p->nodes - 1u)) % p->nodes);
		for (int side = 0; side < 2; side++) {
			uint32_t left = total < BYTES_MAX ? BYTES_MAX - total : 0;

			if (c->side[side].total > left)
				c->side[side].total = left;
			total += c->side[side].total;
			c->side[side].cc = tapir_cc_name((enum tapir_cc)sim_below(r, TAPIR_CC_COUNT));
		}
		if (c->side[0].end >= SIM_END_ABORT || c->side[1].end >= SIM_END_ABORT)
			c->side[0].end_after = c->side[1].end_after = sim_below(r, c->side[0].total + c->side[1].total + 1);
	}
}

void sim_net_plan_make(struct sim_plan *p, uint64_t seed)
{
	struct sim_rng r = {seed * 0x9e6c63d0876a9a47u + 7};

	memset(p, 0, sizeof *p);
	p->seed = seed;
	plan_net(p, &r);
	for (int node = 0; node < p->nodes; node++) {
		sim_plan_stack(p, &r, node, true);
		p->cfg[node].msl_us = sim_between(&r, 15, 30) * TAPIR_SEC;
		p->cfg[node].syn_retries = p->cfg[node].synack_retries = p->cfg[node].keepalive_probes = RETRIES;
		p->cfg[node].retries2 = p->cfg[node].orphan_retries = RETRIES;
	}
	p->backlog = (int)sim_spread(&r, 2, 16);
	p->accept_pause_us = sim_chance(&r, 70) ? 0 : sim_spread(&r, 1000, 2000000);
	plan_conns(p, &r);
}

/* --- for people --- */

static void print_link(const char *name, int index, const struct fault_config *f)
{
	fprintf(stderr, "  %s %d: loss %.4f burst %.4f of %.0f duplicate %.3f corrupt %.4f reorder %.3f delay %llu us jitter "
		"%llu us rate %llu queue %u%s%s mtu %u%s%s\n", name, index, f->loss, f->burst_loss, f->burst_frames, f->duplicate,
		f->corrupt, f->reorder, (unsigned long long)f->delay_us, (unsigned long long)f->jitter_us,
		(unsigned long long)f->rate_bps, f->queue_bytes, f->codel ? " codel" : "", f->mark ? " mark" : "", f->mtu,
		f->tell_mtu ? " told" : "", f->down ? " down" : "");
}

void sim_net_plan_print(const struct sim_net_plan *n, uint8_t nodes)
{
	for (int i = 0; i + 1 < n->routers; i++)
		print_link("trunk", i, &n->trunk[i]);
	for (int i = 0; i < nodes; i++) {
		fprintf(stderr, "  stack %d at router %u\n", i, n->at[i]);
		print_link("access", i, &n->access[i]);
	}
	for (int i = 0; i < n->changes; i++) {
		fprintf(stderr, "  at %.6f s:", (double)n->change[i].at_us / 1e6);
		print_link("trunk", n->change[i].trunk, &n->change[i].to);
	}
}
