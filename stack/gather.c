/* gather.c: makes one of the TCP segments in a batch of frames that continue each other (as Linux' generic receive offload), so
 * that all layers above are asked once for many. The result is what a driver with segmentation offload would have given: one
 * datagram, gso_size the text of each, checksums verified. Nothing is remembered from one batch to the next.
 *
 * Joined is what no receiver could tell from one long segment: headers equal but for sequence number, lengths, identification
 * and checksums, which are all verified; each begins where the one before it ends; flags are ACK alone, but for a last PSH; all
 * texts are of one size, but for a shorter last one. Anything else of the same connection ends the run and comes after it, so
 * that a connection's segments stay in their order. Frames of others may lie between: their order to this one is nobody's.
 *
 * Bounds: a run passes over at most PASSED_OVER frames; each text is copied once. */
#include "gather.h"
#include "wire/checksum.h"
#include "wire/eth.h"
#include "wire/ipv4.h"
#include "wire/tcp.h"

#define PASSED_OVER 8u
#define IP_MAX 65535u

#define PLAIN_IPV4 0x45u		/* version 4, no options */

/* A segment as the run sees it. */
struct piece {
	const uint8_t *ip, *tcp;
	uint32_t header, text;		/* bytes of TCP header and of text */
	bool checked;
};

struct run {
	struct tapir *t;
	struct tapir_frame *first, *whole;	/* whole: NULL until two are joined */
	struct piece head;			/* the first one */
	uint32_t text;				/* joined so far */
	bool over;				/* a short or pushed one was the last */
};

static uint32_t link_header(const struct tapir *t) { return t->cfg.ip_only ? 0 : ETH_HEADER; }

/* A whole IPv4 header of TCP, that the frame holds; NULL: something else. */
static const uint8_t *find_tcp(const struct tapir *t, const struct tapir_frame *f)
{
	uint32_t at = link_header(t);
	const uint8_t *ip = f->data + at;

	if (f->len < at + IPV4_HEADER + TCP_HEADER || ip[0] >> 4 != 4 || ip[IP_PROTO_AT] != IP_PROTO_TCP)
		return NULL;
	if (at && get_be16(ip - 2) != ETH_TYPE_IPV4)
		return NULL;
	return ip;
}

/* May this segment be part of a run? */
static bool is_candidate(const struct tapir *t, const struct tapir_frame *f, struct piece *p)
{
	uint32_t total;

	p->ip = find_tcp(t, f);
	if (!p->ip || f->offload.gso != TAPIR_GSO_NONE || f->offload.csum == TAPIR_CSUM_PARTIAL || p->ip[0] != PLAIN_IPV4)
		return false;
	p->tcp = p->ip + IPV4_HEADER;
	p->header = (p->tcp[TCP_OFFSET_AT] >> 4) * 4u;
	p->checked = f->offload.csum == TAPIR_CSUM_VALID;
	total = get_be16(p->ip + IP_LENGTH_AT);
	if (get_be16(p->ip + IP_FRAGMENT_AT) & IP_IS_FRAGMENT || total > f->len - link_header(t) || p->header < TCP_HEADER ||
	    total <= IPV4_HEADER + p->header || (p->tcp[TCP_FLAGS_AT] & ~TCP_PSH) != TCP_ACK)
		return false;
	p->text = total - IPV4_HEADER - p->header;
	return true;
}

/* Of the run's connection, or so much out of the ordinary that it might be: such a frame keeps its place behind the run. */
static bool is_of_connection(const struct run *r, const struct tapir_frame *f)
{
	const uint8_t *ip = find_tcp(r->t, f), *head = r->head.ip;

	return ip && memcmp(ip + IP_ADDRESSES_AT, head + IP_ADDRESSES_AT, 8) == 0 &&
	       (ip[0] != PLAIN_IPV4 || get_be16(ip + IP_FRAGMENT_AT) & IP_IS_FRAGMENT ||
		memcmp(ip + IPV4_HEADER, r->head.tcp, 4) == 0);
}

/* Ports, acknowledgment, offset, window, options: all of TCP's header but sequence number, flags and checksum; the urgent pointer
 * counts for nothing without URG. */
static bool continues(const struct run *r, const struct piece *p)
{
	const struct piece *h = &r->head;
	uint32_t link = link_header(r->t);

	return p->text <= h->text && h->header + r->text + p->text <= IP_MAX - IPV4_HEADER && p->header == h->header &&
	       get_be32(p->tcp + TCP_SEQ_AT) == get_be32(h->tcp + TCP_SEQ_AT) + r->text &&
	       memcmp(p->ip - link, h->ip - link, link) == 0 && p->ip[IP_TOS_AT] == h->ip[IP_TOS_AT] &&
	       memcmp(p->ip + IP_FRAGMENT_AT, h->ip + IP_FRAGMENT_AT, 4) == 0 &&	/* TTL and protocol, too */
	       memcmp(p->tcp + TCP_ACK_AT, h->tcp + TCP_ACK_AT, 5) == 0 && memcmp(p->tcp + 14, h->tcp + 14, 2) == 0 &&
	       memcmp(p->tcp + TCP_HEADER, h->tcp + TCP_HEADER, h->header - TCP_HEADER) == 0;
}

/* Copies the piece's text to `to`, and says whether its checksums are right. */
static bool copy_text(const struct piece *p, uint8_t *to)
{
	struct span text = span_of(p->tcp + p->header, p->text);
	uint64_t sum;

	if (p->checked) {
		memcpy(to, text.p, text.n);
	} else {
		sum = checksum_field(checksum_words(0, p->ip + IP_ADDRESSES_AT, 8), IP_PROTO_TCP);
		sum = checksum_field(sum, (uint16_t)(p->header + p->text));
		sum = checksum_copy(checksum_words(sum, p->tcp, p->header), to, text);
		if (checksum_fold(sum) != 0xffff)
			return false;
	}
	return checksum_fold(checksum_words(0, p->ip, IPV4_HEADER)) == 0xffff;
}

/* The large frame, with the first segment in it. False: there is none, or its checksum is wrong, as IP or TCP will say. */
static bool begin_whole(struct run *r)
{
	uint32_t head = link_header(r->t) + IPV4_HEADER + r->head.header;
	struct tapir_frame *f = frame_get(&r->t->frames, FRAME_SMALL + 1);

	if (!f)
		return false;
	memcpy(f->data, r->first->data, head);
	if (!copy_text(&r->head, f->data + head)) {
		frame_put(&r->t->frames, f);
		return false;
	}
	r->first->offload.csum = TAPIR_CSUM_VALID;
	f->len = head + r->head.text;
	r->whole = f;
	return true;
}

static bool join(struct run *r, const struct tapir_frame *f)
{
	struct piece p;

	if (!is_candidate(r->t, f, &p) || !continues(r, &p) || (!r->whole && !begin_whole(r)) ||
	    !copy_text(&p, r->whole->data + r->whole->len))
		return false;
	r->whole->len += p.text;
	r->text += p.text;
	r->over = p.text < r->head.text || p.tcp[TCP_FLAGS_AT] & TCP_PSH;
	return true;
}

/* What the headers of one long segment say. */
static void finish(struct run *r, bool pushed)
{
	struct tapir_frame *f = r->whole;
	uint8_t *ip = f->data + link_header(r->t), *tcp = ip + IPV4_HEADER;

	ipv4_set_length(ip, (uint16_t)(IPV4_HEADER + r->head.header + r->text));
	if (pushed)
		tcp[TCP_FLAGS_AT] |= TCP_PSH;
	f->offload.csum = TAPIR_CSUM_VALID;
	f->offload.gso = TAPIR_GSO_TCP4;
	f->offload.gso_size = (uint16_t)r->head.text;
	f->offload.hdr_len = (uint16_t)(tcp + r->head.header - f->data);
	frame_put(&r->t->frames, r->first);
}

struct tapir_frame *gather(struct tapir *t, struct tapir_frame *frames[], uint32_t n, uint64_t *joined)
{
	struct run r = {.t = t, .first = frames[0]};
	uint32_t passed = 0;
	bool pushed = false;

	*joined = 0;
	if (!is_candidate(t, frames[0], &r.head) || r.head.tcp[TCP_FLAGS_AT] & TCP_PSH)
		return frames[0];
	r.text = r.head.text;
	for (uint32_t i = 1; i < min_u32(n, GATHER_MAX) && !r.over && passed <= PASSED_OVER; i++) {
		if (!frames[i])
			continue;
		if (!is_of_connection(&r, frames[i])) {
			passed++;
			continue;
		}
		if (!join(&r, frames[i]))
			break;
		pushed = frames[i]->data[link_header(t) + IPV4_HEADER + TCP_FLAGS_AT] & TCP_PSH;
		frame_put(&t->frames, frames[i]);
		frames[i] = NULL;
		*joined |= UINT64_C(1) << i;
	}
	if (!*joined) {
		frame_put(&t->frames, r.whole);
		return frames[0];
	}
	finish(&r, pushed);
	return r.whole;
}
