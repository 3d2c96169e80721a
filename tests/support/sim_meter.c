/* sim_meter.c: what can be seen on the wire of each connection, whatever the stacks say of themselves: how much was sent, sent
 * again, and sent again for nothing. And what no TCP may do, whichever controller it has:
 *
 *   - send beyond the window that it was offered, but for a byte that probes it (RFC 9293 3.8.6.1)
 *   - take back window that it has offered (RFC 9293 3.8.6 SHLD-14), but for what a scaled field cannot say (RFC 7323 2.4)
 *   - acknowledge what has not arrived (RFC 9293 3.4)
 *
 * A connection that was broken by force, or whose ports are used twice, is not looked at. */
#include <string.h>
#include "sim.h"
#include "stack/wire/eth.h"
#include "stack/wire/ipv4.h"
#include "stack/wire/tcp.h"

#define HEADERS_MAX 96u

/* --- which connection --- */

static bool uses_ports_twice(const struct sim *s, int conn)
{
	if (s->plan.conns[conn].after >= 0)
		return true;
	for (int i = 0; i < s->plan.count; i++)
		if (s->plan.conns[i].after == conn)
			return true;
	return false;
}

static bool is_side(const struct sim *s, int conn, int side, const struct tapir_addr *addr, uint16_t port)
{
	const struct sim_conn *c = &s->plan.conns[conn];
	uint16_t passive = c->open == SIM_OPEN_PASSIVE ? SIM_SERVICE : c->port;

	if (port != (side == 0 ? s->parties[conn][0].port : passive))
		return false;
	return tapir_addr_equal(&s->plan.cfg[c->node[side]].addr, addr);
}

static bool find_flow(const struct sim *s, const struct ipv4_header *ip, const struct tcp_seg *seg, struct sim_seen *seen)
{
	for (int conn = 0; conn < s->plan.count; conn++)
		for (int side = 0; side < 2; side++) {
			if (s->plan.conns[conn].open == SIM_OPEN_REFUSED || s->broken[conn] || uses_ports_twice(s, conn))
				continue;
			if (!is_side(s, conn, side, &ip->src, seg->src_port) ||
			    !is_side(s, conn, 1 - side, &ip->dst, seg->dst_port))
				continue;
			seen->conn = (uint8_t)conn;
			seen->side = (uint8_t)side;
			return true;
		}
	return false;
}

static uint64_t hash_of(struct span bytes)	/* FNV-1a, of the headers: those of two datagrams differ in the IP's ID */
{
	uint64_t hash = 0xcbf29ce484222325u;

	for (size_t i = 0; i < bytes.n && i < HEADERS_MAX; i++)
		hash = (hash ^ bytes.p[i]) * 0x100000001b3u;
	return hash;
}

struct sim_seen sim_meter_look(const struct sim *s, struct span frame)
{
	struct sim_seen seen = {.hash = hash_of(frame)};
	struct eth_header eth;
	struct ipv4_header ip;
	struct tcp_seg seg;
	struct span payload = frame;

	if (!s->plan.ip_only && (eth_parse(frame, &eth, &payload) != ACCEPT || eth.type != ETH_TYPE_IPV4))
		return seen;
	if (ipv4_parse(payload, &ip, &payload) != ACCEPT || ip.proto != IP_PROTO_TCP || ip.mf || ip.offset)
		return seen;
	if (tcp_parse(payload, &ip.src, &ip.dst, true, &seg) != ACCEPT || (seg.flags & TCP_RST))
		return seen;
	seen.any = find_flow(s, &ip, &seg, &seen);
	seen.flags = seg.flags;
	seen.shift = seg.opt.wscale;
	seen.scaled = seg.opt.has_wscale;
	seen.seq = seg.seq.n;
	seen.ack = seg.ack.n;
	seen.wnd = seg.wnd;
	seen.len = (uint32_t)seg.text.n;
	return seen;
}

/* --- what has arrived --- */

/* Adds from..to to the ranges; true when all of it was there. When there are too many, the last ones are forgotten. */
static bool add_range(struct sim_flow *f, uint32_t from, uint32_t to)
{
	uint32_t i = 0, last;

	while (i < f->ranges && f->range[i].to < from)
		i++;
	if (i < f->ranges && f->range[i].from <= from && f->range[i].to >= to)
		return true;
	for (last = i; last < f->ranges && f->range[last].from <= to; last++) {
		from = from < f->range[last].from ? from : f->range[last].from;
		to = to > f->range[last].to ? to : f->range[last].to;
	}
	if (last == i && f->ranges == SIM_RANGES)
		f->ranges--;
	if (i == SIM_RANGES)
		return false;
	memmove(&f->range[i + 1], &f->range[last], (f->ranges - last) * sizeof f->range[0]);
	f->ranges += i + 1 - last;
	f->range[i] = (struct sim_range){from, to};
	return false;
}

/* The end of what has arrived without a hole. */
static uint32_t arrived_to(const struct sim_flow *f)
{
	return f->ranges && f->range[0].from <= 1 ? f->range[0].to : 1;
}

static bool is_a_copy(struct sim_flow *f, uint64_t hash)
{
	for (uint32_t i = 0; i < SIM_HASHES && i < f->hashes; i++)
		if (f->hash[i] == hash)
			return true;
	f->hash[f->hashes++ % SIM_HASHES] = hash;
	return false;
}

/* --- a segment leaves --- */

static void take_syn(struct sim_flow *f, const struct sim_seen *seen)
{
	if (f->open && f->iss == seen->seq)
		return;
	*f = (struct sim_flow){.open = true, .iss = seen->seq, .next = 1, .scaled = seen->scaled, .shift = seen->shift};
}

static uint32_t text_from(const struct sim_flow *f, const struct sim_seen *seen)
{
	return seen->seq - f->iss + (seen->flags & TCP_SYN ? 1 : 0);
}

static uint32_t window_shift(const struct sim_flow *mine, const struct sim_flow *theirs, const struct sim_seen *seen)
{
	return seen->flags & TCP_SYN || !theirs->scaled ? 0 : mine->shift;
}

static uint32_t right_edge(const struct sim_flow *mine, const struct sim_flow *theirs, const struct sim_seen *seen)
{
	return seen->ack - theirs->iss + (seen->wnd << window_shift(mine, theirs, seen));
}

/* The ACK and the window that it says. */
static void check_ack(struct sim *s, const struct sim_seen *seen)
{
	const struct sim_flow *mine = &s->flows[seen->conn][seen->side];
	struct sim_flow *theirs = &s->flows[seen->conn][1 - seen->side];
	uint32_t ack = seen->ack - theirs->iss, edge = right_edge(mine, theirs, seen);

	if (!theirs->open)
		return;
	if (ack > arrived_to(theirs))
		sim_fail(s, "connection %u side %u: acknowledges byte %u, and only %u have arrived", seen->conn, seen->side, ack,
			 arrived_to(theirs));
	if (edge + (1u << window_shift(mine, theirs, seen)) <= theirs->offered)
		sim_fail(s, "connection %u side %u: the right edge of the window goes back from %u to %u", seen->conn,
			 seen->side, theirs->offered, edge);
	theirs->offered = edge > theirs->offered ? edge : theirs->offered;
}

static void check_text(struct sim *s, const struct sim_seen *seen)
{
	struct sim_flow *f = &s->flows[seen->conn][seen->side];
	uint32_t from = text_from(f, seen), to = from + seen->len;

	if (!(seen->flags & TCP_SYN) && to > f->edge + 1)
		sim_fail(s, "connection %u side %u: sends to byte %u, and the window ends at %u", seen->conn, seen->side, to,
			 f->edge);
	f->segments++;
	f->retransmits += from < f->next;
	f->next = to > f->next ? to : f->next;
	f->flight_sum += f->next - f->acked;
	f->flight_max = f->next - f->acked > f->flight_max ? f->next - f->acked : f->flight_max;
}

void sim_meter_sent(struct sim *s, const struct sim_seen *seen)
{
	struct sim_flow *f = &s->flows[seen->conn][seen->side];

	if (!seen->any)
		return;
	if (seen->flags & TCP_SYN)
		take_syn(f, seen);
	if (!f->open)
		return;
	if (seen->flags & TCP_ACK)
		check_ack(s, seen);
	if (seen->len)
		check_text(s, seen);
}

/* --- a segment arrives --- */

/* Did the frame reach its connection as it was sent? What the connection then thinks of it does not matter here; when memory
 * is short it may have taken a part. */
static bool came_through(enum tapir_verdict v)
{
	return v == ACCEPT || v == DROP_NO_MEMORY || v >= DROP_TCP_OUT_OF_WINDOW;
}

void sim_meter_arrived(struct sim *s, const struct sim_seen *seen, enum tapir_verdict v)
{
	struct sim_flow *f = &s->flows[seen->conn][seen->side], *other = &s->flows[seen->conn][1 - seen->side];
	uint32_t from = text_from(f, seen), to = from + seen->len, ack = seen->ack - other->iss;
	bool copy, known;

	if (!seen->any || !f->open || !came_through(v))
		return;
	copy = is_a_copy(f, seen->hash);
	if (seen->len) {
		known = add_range(f, from, to);
		f->spurious += known && !copy;
	}
	if (seen->flags & TCP_FIN)
		add_range(f, to, to + 1);
	if (!(seen->flags & TCP_ACK) || !other->open)
		return;
	other->acked = ack > other->acked ? ack : other->acked;
	if (right_edge(f, other, seen) > other->edge)
		other->edge = right_edge(f, other, seen);
}
