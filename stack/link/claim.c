/* claim.c: the right to our own IPv4 address (RFC 5227): probe before the first use, announce, defend, give way.
 * It owns the state of the address and the datagrams that wait for it. Until the address is ours nothing is sent from it and
 * nothing is accepted for it: no ARP answer, no IP datagram in, and those out wait here so that the first is not lost.
 *
 * With config.arp_probe a second conflict within DEFEND_INTERVAL makes us stop using the address (RFC 5227 2.4 (b)) and
 * probe again, at first at once, then at the pace of 2.1.1, until nobody objects. Without it the address is fixed, and is
 * defended for ever but at most once in that interval (2.4 (c)).
 * DEVIATES: RFC 5227 2.1.1 because config.arp_probe_us stands for its PROBE_WAIT, PROBE_MAX and ANNOUNCE_WAIT. */
#include "internal.h"

#define PROBE_NUM 3
#define ANNOUNCE_NUM 2
#define ANNOUNCE_INTERVAL (2 * TAPIR_SEC)
#define DEFEND_INTERVAL (10 * TAPIR_SEC)
#define MAX_CONFLICTS 10
#define RATE_LIMIT_INTERVAL (60 * TAPIR_SEC)

static const uint8_t no_mac[6];

bool arp_address_ready(const struct tapir *t)
{
	enum claim_state state = t->arp->claim.state;

	return state == CLAIM_ANNOUNCING || state == CLAIM_OURS;
}

/* A broadcast request for our own address: a probe names no sender, so that nobody takes it for the owner (RFC 5227 1.1);
 * an announcement does (2.3). */
static void owe(struct tapir *t, bool announcement)
{
	struct arp_packet p = {.op = ARP_REQUEST, .target = t->cfg.addr};

	p.sender = announcement ? t->cfg.addr : tapir_ipv4(0, 0, 0, 0);
	arp_owe(t, &p, eth_broadcast);
}

static usec_t random_us(struct tapir *t, usec_t max_us)
{
	return rng_below(&t->rng, (uint32_t)min_usec(max_us, UINT32_MAX - 1) + 1);
}

static void wait_for(struct tapir *t, usec_t us)
{
	wheel_arm(&t->wheel, &t->arp->claim.timer, t->now_us + us);
}

static void start_probing(struct tapir *t)
{
	t->arp->claim.state = CLAIM_PROBING;
	t->arp->claim.sent = 0;
	wait_for(t, random_us(t, t->cfg.arp_probe_us));
}

static void announce(struct tapir *t)
{
	struct claim *c = &t->arp->claim;

	owe(t, true);
	if (++c->sent < ANNOUNCE_NUM)
		wait_for(t, ANNOUNCE_INTERVAL);
	else
		c->state = CLAIM_OURS;
}

static void take_address(struct tapir *t)
{
	struct claim *c = &t->arp->claim;
	struct tapir_frame *f;

	c->state = CLAIM_ANNOUNCING;
	c->sent = c->conflicts = 0;
	announce(t);
	arp_say(t, &t->cfg.addr, t->cfg.mac, "RFC 5227 2.3: the address is ours");
	while ((f = frameq_pop(&c->waiting)))
		ip_requeue(t, f);
}

static void probe_next(struct tapir *t)
{
	struct claim *c = &t->arp->claim;
	usec_t half = t->cfg.arp_probe_us / 2;

	if (c->sent == PROBE_NUM) {
		take_address(t);
		return;
	}
	owe(t, false);
	c->sent++;
	wait_for(t, c->sent < PROBE_NUM ? half + random_us(t, half) : t->cfg.arp_probe_us);
}

static void fire(struct tapir *t, struct timer *timer)
{
	(void)timer;
	switch (t->arp->claim.state) {
	case CLAIM_PROBING:
		probe_next(t);
		break;
	case CLAIM_CONFLICT:
		start_probing(t);
		break;
	case CLAIM_ANNOUNCING:
		announce(t);
		break;
	case CLAIM_OURS:
		break;
	}
}

void claim_init(struct tapir *t)
{
	struct claim *c = &t->arp->claim;

	c->timer.fire = fire;
	if (t->cfg.ip_only)
		c->state = CLAIM_OURS;
	else if (t->cfg.arp_probe)
		start_probing(t);
	else
		take_address(t);
}

/* RFC 5227 2.1.1: the address is another's. What waits for it is told, and we look again later. */
static void lose(struct tapir *t)
{
	struct claim *c = &t->arp->claim;
	struct frameq waiting = c->waiting;
	struct tapir_frame *f;

	c->waiting = (struct frameq){0};
	c->state = CLAIM_CONFLICT;
	if (c->conflicts < MAX_CONFLICTS)
		c->conflicts++;
	wait_for(t, c->conflicts < MAX_CONFLICTS ? DEFEND_INTERVAL : RATE_LIMIT_INTERVAL);
	arp_say(t, &t->cfg.addr, no_mac, "RFC 5227 2.1.1: another host has our address");
	while ((f = frameq_pop(&waiting)))
		ip_unresolved(t, f);
}

static void defend(struct tapir *t)
{
	struct claim *c = &t->arp->claim;
	bool again = c->defended && t->now_us - c->defended_us < DEFEND_INTERVAL;

	if (again && t->cfg.arp_probe) {
		c->defended = false;
		arp_say(t, &t->cfg.addr, no_mac, "RFC 5227 2.4 (b): a second conflict, we stop using the address");
		start_probing(t);
		return;
	}
	if (again)
		return;		/* RFC 5227 2.4 (c): two hosts must not answer each other for ever */
	c->defended = true;
	c->defended_us = t->now_us;
	owe(t, true);
}

void claim_conflict(struct tapir *t)
{
	switch (t->arp->claim.state) {
	case CLAIM_PROBING:
		lose(t);
		break;
	case CLAIM_CONFLICT:
		break;
	case CLAIM_ANNOUNCING:
	case CLAIM_OURS:
		defend(t);
		break;
	}
}

bool claim_hold(struct tapir *t, struct tapir_frame *f)
{
	struct frameq *waiting = &t->arp->claim.waiting;
	bool full = waiting->count >= ARP_WAITING;

	if (full) {
		struct tapir_frame *old = frameq_pop(waiting);

		verdict_count(t, DROP_ARP_QUEUE_FULL, old->len);
		frame_put(&t->frames, old);
	}
	frameq_push(waiting, f);
	return !full;
}
