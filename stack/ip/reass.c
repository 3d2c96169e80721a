/* reass.c: reassembly of fragments by RFC 815: each datagram is put together in one large frame, and what is still missing
 * is a list of holes that lies in the holes themselves. Owns the datagrams under way, each with its timer.
 *
 * Bounds: config.reass_max datagrams (the oldest gives way), REASS_HOLES holes in each. Two fragments may not disagree: one
 * that covers what is there and also what is not gives the whole datagram up (RFC 5722 4, done for IPv4 in its spirit); one
 * that lies wholly in what is there must have the same bytes, and then is a duplicate. */
#include "internal.h"

#define REASS_HOLES 64u
#define NO_HOLE UINT16_MAX
#define END_UNKNOWN (UINT16_MAX * 8u)	/* where the last hole ends until the last fragment arrives */

/* A hole [start, end). In its first bytes lie the end, divided by 8, and the next hole's start. */
struct hole { uint32_t start, end; uint16_t next; };

/* What a fragment fills, and how it goes in. */
struct piece { uint32_t start, end; struct span bytes; };

static struct hole hole_read(const struct reass *r, uint16_t start)
{
	const uint8_t *p = r->frame->data + start;

	return (struct hole){start, get_be16(p) * 8u, get_be16(p + 2)};
}

static void hole_write(struct reass *r, const struct hole *h)
{
	uint8_t *p = r->frame->data + h->start;

	put_be16(p, (uint16_t)(h->end / 8));
	put_be16(p + 2, h->next);
}

/* ---- the datagrams under way ----------------------------------------------------------------------------------- */

static void link_last(struct ip *ip, struct reass *r)
{
	r->next = NULL;
	r->prev = ip->reass_last;
	*(r->prev ? &r->prev->next : &ip->reass_first) = r;
	ip->reass_last = r;
	ip->reass_used++;
}

/* Its frame is already gone or given back. */
static void reass_free(struct tapir *t, struct reass *r)
{
	struct ip *ip = t->ip;

	wheel_disarm(&t->wheel, &r->timer);
	*(r->prev ? &r->prev->next : &ip->reass_first) = r->next;
	*(r->next ? &r->next->prev : &ip->reass_last) = r->prev;
	ip->reass_used--;
	r->frame = NULL;
	r->next = ip->reass;
	ip->reass = r;
}

static void give_up(struct tapir *t, struct reass *r)
{
	frame_put(&t->frames, r->frame);
	reass_free(t, r);
}

/* Writes the header of what was put together in front of it. */
static void write_header(struct reass *r, uint32_t payload_len)
{
	struct ipv4_header h = {.src = r->src, .dst = r->dst, .proto = r->proto, .ttl = r->ttl, .tos = r->tos, .id = r->id,
				.total_len = (uint16_t)(IPV4_HEADER + payload_len)};

	ipv4_emit(&h, r->frame->data - IPV4_HEADER);
}

/* RFC 1122 3.3.2: the sender is told, if the first fragment was among those that came. */
static void time_out(struct tapir *t, struct timer *timer)
{
	struct reass *r = (struct reass *)(void *)timer;
	struct ip_packet pkt = {.src = r->src, .dst = r->dst, .proto = r->proto, .group = r->group};

	verdict_count(t, DROP_FRAG_TIMEOUT, r->seen);
	if (r->has_first) {
		write_header(r, r->seen);
		pkt.datagram = span_of(r->frame->data - IPV4_HEADER, IPV4_HEADER + 8);
		pkt.payload = span_of(r->frame->data, 8);
		icmp_error(t, &pkt, ICMP_TIME_EXCEEDED, ICMP_REASSEMBLY_TIME);
	}
	give_up(t, r);
}

void reass_init(struct tapir *t, void *mem)
{
	struct reass *all = mem;

	memset(all, 0, sizeof *all * t->cfg.reass_max);
	for (uint32_t i = t->cfg.reass_max; i-- > 0;) {
		all[i].timer.fire = time_out;
		all[i].next = t->ip->reass;
		t->ip->reass = &all[i];
	}
}

uint32_t reass_count(const struct tapir *t) { return t->ip->reass_used; }

static struct reass *reass_find(struct ip *ip, const struct ipv4_header *h)
{
	struct reass *r = ip->reass_first;

	while (r && !(r->id == h->id && r->proto == h->proto && tapir_addr_equal(&r->src, &h->src) &&
		      tapir_addr_equal(&r->dst, &h->dst)))
		r = r->next;
	return r;
}

static struct reass *reass_new(struct tapir *t, const struct ip_packet *pkt, const struct ipv4_header *h)
{
	struct ip *ip = t->ip;
	struct tapir_frame *f = ip->reass ? ip_frame_get(t, IP_PAYLOAD_MAX) : NULL;
	struct reass *r;

	if (!f && ip->reass_first) {		/* of either there is none left: the oldest gives way */
		verdict_count(t, DROP_FRAG_LIMIT, ip->reass_first->seen);
		give_up(t, ip->reass_first);
		f = ip_frame_get(t, IP_PAYLOAD_MAX);
	}
	if (!f)
		return NULL;
	r = ip->reass;
	ip->reass = r->next;
	link_last(ip, r);
	r->src = h->src;
	r->dst = h->dst;
	r->id = h->id;
	r->proto = h->proto;
	r->group = pkt->group;
	r->frame = f;
	r->len = r->seen = 0;
	r->has_first = false;
	r->ecn_seen = 0;
	r->first_hole = 0;
	r->holes = 1;
	hole_write(r, &(struct hole){0, END_UNKNOWN, NO_HOLE});
	wheel_arm(&t->wheel, &r->timer, t->now_us + t->cfg.reass_timeout_us);
	return r;
}

/* ---- one fragment ---------------------------------------------------------------------------------------------- */

/* Does it agree with what the other fragments say about the length? If so, the length is known after the last one. */
static bool agree_on_end(struct reass *r, const struct ipv4_header *h, struct piece *p)
{
	if (r->len)
		return h->mf ? p->end < r->len : p->end == r->len;
	if (h->mf)
		return true;
	if (p->end < r->seen)
		return false;
	r->len = p->end;
	p->end = END_UNKNOWN;		/* it fills the last hole to its end, wherever that is */
	return true;
}

/* Puts the piece into the hole, of which what is left on either side stays a hole. link is the one before, or NULL. */
static void fill(struct reass *r, struct hole *before, struct hole *hole, const struct piece *p)
{
	struct hole left = *hole, right = *hole;
	uint16_t next = hole->next;

	memcpy(r->frame->data + p->start, p->bytes.p, p->bytes.n);
	r->holes--;
	if (p->end < hole->end) {
		right.start = p->end;
		hole_write(r, &right);
		next = (uint16_t)right.start;
		r->holes++;
	}
	if (hole->start < p->start) {
		left.end = p->start;
		left.next = next;
		hole_write(r, &left);
		r->holes++;
	} else if (before) {
		before->next = next;
		hole_write(r, before);
	} else {
		r->first_hole = next;
	}
}

static bool is_duplicate(const struct reass *r, const struct piece *p)
{
	return memcmp(r->frame->data + p->start, p->bytes.p, p->bytes.n) == 0;
}

static enum tapir_verdict insert(struct reass *r, const struct piece *p)
{
	struct hole before = {0}, hole;
	bool first = true;

	for (uint16_t at = r->first_hole; at != NO_HOLE; at = hole.next) {
		hole = hole_read(r, at);
		if (p->end <= hole.start)
			break;
		if (hole.start <= p->start && p->end <= hole.end) {
			fill(r, first ? NULL : &before, &hole, p);
			return r->holes > REASS_HOLES ? DROP_FRAG_LIMIT : ACCEPT;
		}
		if (p->start < hole.end)
			return DROP_FRAG_OVERLAP;
		before = hole;
		first = false;
	}
	return is_duplicate(r, p) ? HELD_FRAGMENT : DROP_FRAG_OVERLAP;
}

static enum tapir_verdict check_range(const struct ipv4_header *h, struct span payload)
{
	if (h->mf && payload.n % 8)
		return DROP_FRAG_ALIGN;
	if (!payload.n || h->offset + payload.n > IP_PAYLOAD_MAX)
		return DROP_FRAG_RANGE;
	return ACCEPT;
}

/* RFC 3168 5.3: a mark must not get lost, and must not be put on what was not ECN-capable. */
static bool marks_conflict(const struct reass *r)
{
	const uint8_t both = 1 << IP_ECN_CE | 1 << IP_ECN_NOT_ECT;

	return (r->ecn_seen & both) == both;
}

/* All of it is here: the frame is the caller's, and pkt describes what is in it. */
static void finish(struct tapir *t, struct reass *r, struct ip_packet *pkt, struct tapir_frame **whole)
{
	struct tapir_frame *f = r->frame;

	if (r->ecn_seen & 1 << IP_ECN_CE)
		r->tos |= IP_ECN_CE;
	write_header(r, r->len);
	f->len = r->len;
	pkt->ttl = r->ttl;
	pkt->tos = r->tos;
	pkt->group |= r->group;
	pkt->checked = false;
	pkt->datagram = span_of(f->data - IPV4_HEADER, IPV4_HEADER + f->len);
	pkt->payload = frame_span(f);
	*whole = f;
	reass_free(t, r);
}

enum tapir_verdict reass_input(struct tapir *t, struct ip_packet *pkt, const struct ipv4_header *h,
			       struct tapir_frame **whole)
{
	struct piece p = {h->offset, h->offset + (uint32_t)pkt->payload.n, pkt->payload};
	enum tapir_verdict v = check_range(h, pkt->payload);
	struct reass *r;

	if (v != ACCEPT)
		return v;
	r = reass_find(t->ip, h);
	if (!r)
		r = reass_new(t, pkt, h);
	if (!r)
		return DROP_NO_MEMORY;
	v = agree_on_end(r, h, &p) ? insert(r, &p) : DROP_FRAG_OVERLAP;
	if (v == HELD_FRAGMENT)
		return v;
	if (v != ACCEPT) {
		give_up(t, r);
		return v;
	}
	r->ecn_seen |= (uint8_t)(1 << (h->tos & IP_ECN_MASK));
	r->seen = max_u32(r->seen, h->offset + (uint32_t)pkt->payload.n);
	if (h->offset == 0) {
		r->has_first = true;
		r->ttl = h->ttl;
		r->tos = h->tos;
	}
	if (r->holes)
		return HELD_FRAGMENT;
	if (marks_conflict(r)) {
		give_up(t, r);
		return DROP_FRAG_ECN;
	}
	finish(t, r, pkt, whole);
	return ACCEPT;
}
