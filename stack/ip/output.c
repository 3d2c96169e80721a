/* output.c: datagrams on their way down (RFC 791 3.2, RFC 1122 3.3). TCP's segments are built in place and leave at once;
 * everything else waits in one queue as whole datagrams, which also takes back what ARP held, and is cut into fragments as
 * it leaves, or into TCP's segments. What is for ourselves never reaches the link: it turns round here.
 *
 * Owns the queue, the loopback queue and the identification of datagrams. Invariant: a datagram in the queue begins with its
 * IPv4 header; u.sending.offset says how much of its payload has left. */
#include "internal.h"
#include "../wire/cut.h"
#include "../wire/tcp.h"

#define HEAD_COPY 128u		/* bytes of a queued datagram that go to out->head: all headers, so that a checksum can be set */

/* RFC 6864 4: unique for a while among datagrams that may be fragmented; RFC 7739 5.3: and not to be guessed. Of the others,
 * TCP's all, it says nothing (RFC 6864 4.1): 0 costs no hash and tells no stranger how many there were. */
static uint16_t next_id(struct tapir *t, const struct ip_how *how)
{
	uint8_t key[33];

	if (how->df)
		return 0;
	memcpy(key, how->src.b, 16);
	memcpy(key + 16, how->dst.b, 16);
	key[32] = how->proto;
	return t->ip->ids[siphash(t->key, key, sizeof key) % IP_ID_COUNTERS]++;
}

static struct ipv4_header header_for(struct tapir *t, const struct ip_how *how, uint32_t payload_len)
{
	return (struct ipv4_header){.src = how->src, .dst = how->dst, .proto = how->proto,
				    .ttl = how->ttl ? how->ttl : t->cfg.ttl, .tos = how->tos, .id = next_id(t, how),
				    .df = how->df, .total_len = (uint16_t)(IPV4_HEADER + payload_len)};
}

/* A copy of out as a datagram of its own; NULL: the pools are empty, which is counted. */
static struct tapir_frame *copy_out(struct tapir *t, const struct tapir_out *out)
{
	struct tapir_frame *f = frame_get_headroom(&t->frames, out->len);

	if (!f) {
		verdict_count(t, DROP_NO_MEMORY, out->len);
		return NULL;
	}
	tapir_out_copy(out, f->data, true);
	f->len = out->len;
	f->offload = out->offload;
	return f;
}

static enum tapir_verdict loop_back(struct tapir *t, struct tapir_frame *f)
{
	if (t->ip->loopback.count >= IP_LOOPBACK) {
		verdict_count(t, DROP_NO_MEMORY, f->len);
		frame_put(&t->frames, f);
		return DROP_NO_MEMORY;
	}
	frameq_push(&t->ip->loopback, f);
	return HELD;
}

enum tapir_verdict ip_output(struct tapir *t, struct tapir_out *out, const struct ip_how *how)
{
	struct ipv4_header h = header_for(t, how, out->len);
	struct ip_route route;
	struct tapir_frame *f;

	if (ip_route(t, &how->dst, &route))
		return verdict_count(t, DROP_IP_NO_ROUTE, out->len);
	ipv4_emit(&h, out_push(out, IPV4_HEADER));
	if (out->offload.gso == TAPIR_GSO_NONE && out->len > route.mtu)
		return verdict_count(t, DROP_IP_NEEDS_FRAGMENT, out->len);
	if (!route.local && eth_output(t, out, &route.next_hop) == ACCEPT)
		return ACCEPT;
	f = copy_out(t, out);
	if (!f)
		return DROP_NO_MEMORY;
	return route.local ? loop_back(t, f) : arp_hold(t, &route.next_hop, f);
}

/* ---- the queue ------------------------------------------------------------------------------------------------- */

struct tapir_frame *ip_frame_get(struct tapir *t, uint32_t n)
{
	struct tapir_frame *f = frame_get_for_queue(&t->frames, n + FRAME_HEADROOM);

	if (f) {
		f->data += FRAME_HEADROOM;
		f->room -= FRAME_HEADROOM;
	}
	return f;
}

uint32_t ip_queue_room(const struct tapir *t)
{
	uint32_t count = t->ip->queue.count;

	return count < IP_QUEUE ? IP_QUEUE - count : 0;
}

static int check_queue(struct tapir *t, const struct tapir_frame *f, const struct ip_how *how, struct ip_route *route)
{
	if (ip_route(t, &how->dst, route))
		return TAPIR_ENETUNREACH;
	if (f->len > IP_PAYLOAD_MAX || (how->df && f->len + IPV4_HEADER > route->mtu))
		return TAPIR_EMSGSIZE;
	return ip_queue_room(t) ? 0 : TAPIR_ENOMEM;
}

int ip_queue(struct tapir *t, struct tapir_frame *f, const struct ip_how *how)
{
	struct ip_how filled = *how;
	struct ipv4_header h;
	struct ip_route route;
	int error = check_queue(t, f, how, &route);

	if (error) {
		frame_put(&t->frames, f);
		return error;
	}
	if (tapir_addr_is_any(&how->src))
		filled.src = route.src;
	h = header_for(t, &filled, f->len);
	ipv4_emit(&h, frame_push(f, IPV4_HEADER));
	if (route.local)
		loop_back(t, f);
	else
		ip_requeue(t, f);
	return 0;
}

void ip_requeue(struct tapir *t, struct tapir_frame *datagram)
{
	datagram->u.sending.offset = 0;
	frameq_push(&t->ip->queue, datagram);
}

/* Begins out with the datagram's header fields as they are in h, and a part of its payload. */
static void begin(struct tapir_out *out, const struct ipv4_header *h, struct span part)
{
	out_begin(out);
	ipv4_emit(h, out_push(out, IPV4_HEADER));
	out_slice(out, part);
}

/* Puts the whole of f into out: its headers copied, because a driver without offloads needs the checksum set there. */
static void begin_whole(struct tapir_out *out, const struct tapir_frame *f)
{
	uint32_t head = min_u32(f->len, HEAD_COPY);

	out_begin(out);
	memcpy(out_push(out, (uint16_t)head), f->data, head);
	out_slice(out, span_from(frame_span(f), head));
	out->offload = f->offload;
}

/* Puts the next fragment of f into out; true if it is the last (RFC 791 3.2). */
static bool begin_fragment(struct tapir_out *out, const struct tapir_frame *f, struct ipv4_header *h, uint16_t mtu)
{
	struct span rest = span_from(frame_span(f), IPV4_HEADER + f->u.sending.offset);
	size_t n = (size_t)(mtu - IPV4_HEADER) & ~(size_t)7;

	h->mf = rest.n > (size_t)(mtu - IPV4_HEADER);
	if (!h->mf)
		n = rest.n;
	h->offset = f->u.sending.offset;
	h->total_len = (uint16_t)(IPV4_HEADER + n);
	begin(out, h, span_first(rest, n));
	return !h->mf;
}

static void drop(struct tapir *t, struct tapir_frame *f, enum tapir_verdict v)
{
	verdict_count(t, v, f->len);
	frame_put(&t->frames, f);
}

/* Puts the next segment of f into out, which no driver cuts up; true if it is the last. *n: bytes of its text. */
static bool begin_segment(struct tapir_out *out, const struct tapir_frame *f, uint32_t *n)
{
	struct span head = span_first(frame_span(f), f->offload.hdr_len);
	struct span rest = span_from(frame_span(f), head.n + f->u.sending.offset);
	struct cut cut;

	*n = min_u32((uint32_t)rest.n, f->offload.gso_size);
	if (!cut_begin(&cut, head, 0))
		assert(false);		/* a datagram of ours */
	cut.made = (uint16_t)(f->u.sending.offset / f->offload.gso_size);
	out_begin(out);
	cut_next(&cut, out_push(out, cut.head_len), f->u.sending.offset, *n, *n == rest.n);
	out_slice(out, span_first(rest, *n));
	out->offload = (struct tapir_offload){.csum = TAPIR_CSUM_PARTIAL, .csum_start = cut.tcp_at,
					      .csum_offset = TCP_CHECKSUM_AT};
	return *n == rest.n;
}

/* Sends f, or as much of it as goes into one frame. False: nothing to send came of it. */
static bool send_queued(struct tapir *t, struct tapir_frame *f, struct tapir_out *out)
{
	struct ipv4_header h;
	struct ip_route route;
	struct span payload;
	uint32_t part = 0;
	bool last = true;

	/* Our own header: it is well formed, and its address was good when it was queued. */
	if (ipv4_parse(frame_span(f), &h, &payload) != ACCEPT || ip_route(t, &h.dst, &route)) {
		drop(t, f, DROP_IP_NO_ROUTE);
		return false;
	}
	if (f->offload.gso != TAPIR_GSO_NONE && !t->cfg.offload.tso4) {
		last = begin_segment(out, f, &part);
	} else if (f->len <= route.mtu || f->offload.gso != TAPIR_GSO_NONE) {
		begin_whole(out, f);
	} else if (h.df) {
		drop(t, f, DROP_IP_NEEDS_FRAGMENT);
		return false;
	} else {
		last = begin_fragment(out, f, &h, route.mtu);
		part = h.total_len - IPV4_HEADER;
	}
	if (eth_output(t, out, &route.next_hop) != ACCEPT) {
		arp_hold(t, &route.next_hop, f);
		return false;
	}
	if (last) {
		frameq_push(&t->pinned, f);		/* out borrows its bytes */
		if (f->u.sending.offset == 0)
			ip_join(t, out, f);
	} else {
		f->u.sending.offset = (uint16_t)(f->u.sending.offset + part);
		t->ip->fragmenting = f;
	}
	return true;
}

int ip_output_queued(struct tapir *t, struct tapir_out *out)
{
	struct ip *ip = t->ip;
	struct tapir_frame *f;

	do {
		f = ip->fragmenting ? ip->fragmenting : frameq_pop(&ip->queue);
		ip->fragmenting = NULL;
	} while (f && !send_queued(t, f, out));
	return f != NULL;
}
