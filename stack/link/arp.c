/* arp.c: the Address Resolution Protocol (RFC 826) as RFC 1122 2.3.2 wants it: what packets do to the cache, when a
 * neighbour is asked, asked again and given up, and the ARP frames that are owed. The table itself is cache.c, the claim to
 * our own address is claim.c.
 *
 * Invariants: at most one request a retry interval for a neighbour (RFC 1122 2.3.2.1), because only the timer repeats one;
 * only a request for us and a datagram of ours make an entry; what is owed is bounded, and what does not fit is asked for
 * again by whoever misses it. */
#include "internal.h"

static const uint8_t no_mac[6];

size_t arp_size(const struct tapir_config *cfg)
{
	return sizeof(struct arp) + arp_cache_size(cfg);
}

void arp_init(struct tapir *t, void *mem)
{
	t->arp = mem;
	memset(t->arp, 0, sizeof *t->arp);
	arp_cache_init(t, t->arp + 1);
	claim_init(t);
}

void arp_say(struct tapir *t, const struct tapir_addr *addr, const uint8_t mac[6], const char *why)
{
	struct tapir_event event = {.kind = TAPIR_EV_ARP, .now_us = t->now_us, .why = why};

	event.u.arp.addr = *addr;
	memcpy(event.u.arp.mac, mac, 6);
	event.u.arp.reachable = memcmp(mac, no_mac, 6) != 0;
	probe(t, &event);
}

/* ---- what is owed ---------------------------------------------------------------------------------------------- */

void arp_owe(struct tapir *t, const struct arp_packet *packet, const uint8_t to[6])
{
	struct arp *a = t->arp;
	struct arp_owed *owed;
	bool reply = packet->op == ARP_REPLY;

	if (a->owed_count == ARP_OWED || (reply && a->owed_replies == ARP_OWED_REPLIES))
		return;
	owed = &a->owed[(a->owed_first + a->owed_count++) % ARP_OWED];
	a->owed_replies += reply;
	owed->packet = *packet;
	memcpy(owed->packet.sender_mac, t->cfg.mac, 6);
	memcpy(owed->to, to, 6);
}

/* Broadcast while we know nothing; unicast to check what we know (RFC 1122 2.3.2.1 (2)). */
static void owe_request(struct tapir *t, struct arp_entry *e)
{
	struct arp_packet request = {.op = ARP_REQUEST, .sender = t->cfg.addr, .target = e->addr};

	e->tries++;
	arp_owe(t, &request, e->state == ARP_INCOMPLETE ? eth_broadcast : e->mac);
	wheel_arm(&t->wheel, &e->timer, t->now_us + t->cfg.arp_retry_us);
}

int arp_output(struct tapir *t, struct tapir_out *out)
{
	struct arp *a = t->arp;
	struct arp_owed *owed = &a->owed[a->owed_first];
	struct eth_header h = {.type = ETH_TYPE_ARP};

	if (!a->owed_count)
		return 0;
	a->owed_first = (a->owed_first + 1) % ARP_OWED;
	a->owed_count--;
	a->owed_replies -= owed->packet.op == ARP_REPLY;
	memcpy(h.src, t->cfg.mac, 6);
	memcpy(h.dst, owed->to, 6);
	out_begin(out);
	arp_emit(&owed->packet, out_push(out, ARP_PACKET));
	eth_emit(&h, out_push(out, ETH_HEADER));
	return 1;
}

/* ---- time ------------------------------------------------------------------------------------------------------ */

static void give_up(struct tapir *t, struct arp_entry *e, const char *why)
{
	arp_say(t, &e->addr, no_mac, why);
	arp_remove(t, e);
}

/* Its age: confirmed meanwhile, unused since, or in use and to be checked. */
static void look_at_age(struct tapir *t, struct arp_entry *e)
{
	usec_t old_us = e->confirmed_us + t->cfg.arp_reachable_us;

	if (t->now_us < old_us) {
		wheel_arm(&t->wheel, &e->timer, old_us);
	} else if (e->state == ARP_USED && e->used_us >= e->confirmed_us) {
		owe_request(t, e);
	} else {
		give_up(t, e, "RFC 1122 2.3.2.1: old, and not in use");
	}
}

void arp_timer_fire(struct tapir *t, struct timer *timer)
{
	struct arp_entry *e = (struct arp_entry *)(void *)timer;

	if (e->tries == 0)
		look_at_age(t, e);
	else if (e->tries < t->cfg.arp_tries)
		owe_request(t, e);
	else
		give_up(t, e, "RFC 1122 2.3.2.1: no answer to ARP");
}

/* ---- down ------------------------------------------------------------------------------------------------------ */

enum tapir_verdict arp_resolve(struct tapir *t, const struct tapir_addr *next_hop, uint8_t mac[6])
{
	struct arp_entry *e = arp_find(t, next_hop);

	if (!e) {
		e = arp_add(t, next_hop, ARP_INCOMPLETE);
		owe_request(t, e);
	}
	if (e->state == ARP_INCOMPLETE)
		return HELD;
	e->used_us = t->now_us;
	arp_set_state(t, e, ARP_USED);
	t->arp->last = e;
	memcpy(mac, e->mac, 6);
	return ACCEPT;
}

enum tapir_verdict arp_hold(struct tapir *t, const struct tapir_addr *next_hop, struct tapir_frame *datagram)
{
	struct arp_entry *e;

	if (!arp_address_ready(t))
		return claim_hold(t, datagram) ? verdict_count(t, HELD, datagram->len) : DROP_ARP_QUEUE_FULL;
	e = arp_find(t, next_hop);
	if (!e || e->state != ARP_INCOMPLETE) {	/* the answer came between the question and now */
		ip_requeue(t, datagram);
		return HELD;
	}
	return arp_held_push(t, e, datagram) ? verdict_count(t, HELD, datagram->len) : DROP_ARP_QUEUE_FULL;
}

static void confirm(struct tapir *t, struct arp_entry *e)
{
	e->confirmed_us = t->now_us;
	if (e->tries || !timer_armed(&e->timer))
		wheel_arm(&t->wheel, &e->timer, t->now_us + t->cfg.arp_reachable_us);
	e->tries = 0;
}

void arp_doubt(struct tapir *t, const struct tapir_addr *next_hop)
{
	struct arp_entry *e = t->cfg.ip_only ? NULL : arp_find(t, next_hop);

	if (e && e->state == ARP_USED && e->tries == 0)
		owe_request(t, e);
}

/* ---- up -------------------------------------------------------------------------------------------------------- */

/* RFC 826's merge: the sender's link address, whatever the packet is for. */
static void learn(struct tapir *t, struct arp_entry *e, const uint8_t mac[6])
{
	bool waited = e->state == ARP_INCOMPLETE;
	struct tapir_frame *f;

	if (memcmp(e->mac, mac, 6) != 0) {
		memcpy(e->mac, mac, 6);
		arp_say(t, &e->addr, mac, "RFC 826: the sender's link address");
	}
	confirm(t, e);
	if (!waited)
		return;
	arp_set_state(t, e, ARP_USED);
	while ((f = arp_held_pop(t, e)))
		ip_requeue(t, f);
}

static bool mac_is_possible(const struct arp_packet *p, const uint8_t link_src[6])
{
	return !eth_is_group(p->sender_mac) && memcmp(p->sender_mac, no_mac, 6) != 0 && memcmp(p->sender_mac, link_src, 6) == 0;
}

/* 0.0.0.0 is the sender of a probe (RFC 5227 2.1.1), which is a request. */
static bool sender_is_possible(const struct tapir *t, const struct arp_packet *p)
{
	uint32_t addr = get_be32(p->sender.b + 12);
	uint32_t hosts = t->cfg.prefix_len >= 31 ? 0 : UINT32_MAX >> t->cfg.prefix_len;

	if (addr == 0)
		return p->op == ARP_REQUEST;
	if (hosts && addr == (get_be32(t->cfg.addr.b + 12) | hosts))
		return false;
	return addr >> 24 != 0 && addr >> 24 != 127 && addr >> 24 < 224;
}

static bool is_conflict(const struct tapir *t, const struct arp_packet *p)
{
	if (tapir_addr_equal(&p->sender, &t->cfg.addr))
		return true;
	/* RFC 5227 2.1.1: two hosts probe for the same address at the same time. */
	return !arp_address_ready(t) && get_be32(p->sender.b + 12) == 0 && tapir_addr_equal(&p->target, &t->cfg.addr);
}

static void owe_reply(struct tapir *t, const struct arp_packet *request)
{
	struct arp_packet reply = {.op = ARP_REPLY, .sender = t->cfg.addr, .target = request->sender};

	memcpy(reply.target_mac, request->sender_mac, 6);
	arp_owe(t, &reply, request->sender_mac);
}

static enum tapir_verdict merge_and_answer(struct tapir *t, const struct arp_packet *p)
{
	bool is_probe = get_be32(p->sender.b + 12) == 0;
	bool for_us = arp_address_ready(t) && tapir_addr_equal(&p->target, &t->cfg.addr);
	struct arp_entry *e = is_probe ? NULL : arp_find(t, &p->sender);

	if (!e && !is_probe && for_us && p->op == ARP_REQUEST)
		e = arp_add(t, &p->sender, ARP_LEARNED);	/* it will be sent to next; full: it is answered all the same */
	if (e)
		learn(t, e, p->sender_mac);
	if (p->op == ARP_REPLY)
		return e ? ACCEPT : DROP_ARP_UNSOLICITED;
	if (for_us)
		owe_reply(t, p);
	return for_us || e ? ACCEPT : DROP_ARP_NOT_FOR_US;
}

enum tapir_verdict arp_input(struct tapir *t, struct span packet, const uint8_t link_src[6])
{
	struct arp_packet p;
	enum tapir_verdict v = arp_parse(packet, &p);

	if (v != ACCEPT)
		return v;
	if (!mac_is_possible(&p, link_src) || !sender_is_possible(t, &p))
		return DROP_ARP_SENDER;
	if (is_conflict(t, &p)) {
		claim_conflict(t);
		return DROP_ARP_CONFLICT;
	}
	return merge_and_answer(t, &p);
}
