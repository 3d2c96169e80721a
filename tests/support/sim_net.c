/* sim_net.c: the network between the stacks: routers in a row, trunks between neighbours, and an access link from each stack to
 * its router. Every link is a pair with a bad line around one end, so each has a rate, a queue, delays, losses and an MTU of
 * its own; trunks change while time passes. A router is a table look-up: it takes no time, loses nothing and sends bare
 * IPv4 datagrams on towards the router of their destination. */
#include <stdlib.h>
#include <string.h>
#include "sim.h"
#include "stack/wire/ipv4.h"

#define FRAME_MAX 65535u
#define FRAMES_AT_ONCE 8u	/* from one port in a turn: all ports of a router together must not overfill a pair */

struct sim_net {
	uint8_t nodes, routers, changes_made;
	struct driver *access[SIM_NODES];	/* the router's end, with the bad line around it */
	struct driver *trunk[SIM_ROUTERS][2];	/* left end, with the bad line around it; right end */
};

static struct driver *bad_line(struct driver *d, const struct fault_config *cfg)
{
	d = driver_wrap_fault(d, cfg);
	if (!d)
		abort();
	return d;
}

struct sim_net *sim_net_new(struct driver *ends[], const struct sim_plan *plan)
{
	const struct tapir_offload_caps none = {.csum = false};
	struct sim_net *n = calloc(1, sizeof *n);
	struct driver *pair[2];

	if (!n)
		abort();
	n->nodes = plan->nodes;
	n->routers = plan->net.routers;
	for (uint8_t i = 0; i < n->nodes; i++) {
		driver_open_pair(pair, plan->mtu, none, true);
		if (!pair[0])
			abort();
		ends[i] = pair[0];
		n->access[i] = bad_line(pair[1], &plan->net.access[i]);
	}
	for (uint8_t i = 0; i + 1 < n->routers; i++) {
		driver_open_pair(n->trunk[i], plan->mtu, none, true);
		if (!n->trunk[i][0])
			abort();
		n->trunk[i][0] = bad_line(n->trunk[i][0], &plan->net.trunk[i]);
	}
	return n;
}

/* Where the router sends a datagram; NULL: nowhere. Stack i is 10.0.0.i+1. */
static struct driver *next_hop(const struct sim_net *n, const struct sim_net_plan *plan, uint8_t router, struct span datagram)
{
	uint8_t node;

	if (datagram.n < IPV4_HEADER || datagram.p[19] == 0 || datagram.p[19] > n->nodes)
		return NULL;
	node = (uint8_t)(datagram.p[19] - 1);
	if (plan->at[node] == router)
		return n->access[node];
	return plan->at[node] > router ? n->trunk[router][0] : n->trunk[router - 1][1];
}

/* Carries what arrives at a router through one of its ports. */
static bool carry(const struct sim_net *n, const struct sim_net_plan *plan, uint8_t router, struct driver *port, usec_t now_us)
{
	static uint8_t store[FRAME_MAX];
	bool did = false;

	for (uint32_t i = 0; i < FRAMES_AT_ONCE; i++) {
		struct tapir_frame f = {.data = store, .room = sizeof store};
		struct tapir_out out = {.slice_count = 1};
		struct driver *to;

		if (driver_recv(port, &f, now_us) != 1)
			break;
		did = true;
		to = next_hop(n, plan, router, (struct span){f.data, f.len});
		out.len = f.len;
		out.slices[0] = (struct span){f.data, f.len};
		if (to)
			driver_send(to, &out, now_us);
	}
	return did;
}

bool sim_net_turn(struct sim_net *n, const struct sim_net_plan *plan, usec_t now_us)
{
	bool did = false;

	for (; n->changes_made < plan->changes && plan->change[n->changes_made].at_us <= now_us; n->changes_made++) {
		const struct sim_change *c = &plan->change[n->changes_made];

		driver_fault_change(n->trunk[c->trunk][0], &c->to);
	}
	for (uint8_t i = 0; i < n->nodes; i++)
		did |= carry(n, plan, plan->at[i], n->access[i], now_us);
	for (uint8_t i = 0; i + 1 < n->routers; i++) {
		did |= carry(n, plan, i, n->trunk[i][0], now_us);
		did |= carry(n, plan, (uint8_t)(i + 1), n->trunk[i][1], now_us);
	}
	return did;
}

static usec_t earlier(usec_t a, usec_t b) { return a < b ? a : b; }

static usec_t frames_deadline(const struct sim_net *n)
{
	usec_t at_us = USEC_NEVER;

	for (uint8_t i = 0; i < n->nodes; i++)
		at_us = earlier(at_us, driver_deadline(n->access[i]));
	for (uint8_t i = 0; i + 1 < n->routers; i++)
		at_us = earlier(at_us, driver_deadline(n->trunk[i][0]));
	return at_us;
}

usec_t sim_net_deadline(const struct sim_net *n, const struct sim_net_plan *plan)
{
	usec_t change_us = n->changes_made < plan->changes ? plan->change[n->changes_made].at_us : USEC_NEVER;

	return earlier(frames_deadline(n), change_us);
}

bool sim_net_is_empty(const struct sim_net *n) { return frames_deadline(n) == USEC_NEVER; }

struct fault_stats sim_net_stats(const struct sim_net *n, uint8_t trunk) { return driver_fault_stats(n->trunk[trunk][0]); }

void sim_net_free(struct sim_net *n)
{
	for (uint8_t i = 0; i < n->nodes; i++)
		driver_close(n->access[i]);
	for (uint8_t i = 0; i + 1 < n->routers; i++) {
		driver_close(n->trunk[i][0]);
		driver_close(n->trunk[i][1]);
	}
	free(n);
}
