/* join.c: datagrams that stand side by side in the queue, of one socket to one peer and of one size, leave as one frame,
 * which a driver that knows UDP segmentation (tapir_offload_caps.uso) cuts into the same datagrams again: the way through
 * the system below is walked once for all of them.
 *
 * What the driver makes of the frame is what the queue held, byte for byte (virtio's GSO_UDP_L4): each datagram has the
 * first's header but for its length, checksum and identification, and all have gso_size bytes of text, the last one maybe
 * fewer. So only those are joined of which that is true; identifications count up from the first one's, as they do in the
 * queue, or do not matter (RFC 6864 4.1). A datagram without text cannot be told in such a frame.
 *
 * Owns nothing: the first has been put into out by output.c; the texts of the others become slices, and their frames stay
 * pinned until the next output. */
#include "internal.h"
#include "../wire/udp.h"

#define JOIN_MAX 64u			/* datagrams in a frame: what Linux' UDP_MAX_SEGMENTS was at first */
#define HEADERS (IPV4_HEADER + UDP_HEADER)

_Static_assert(JOIN_MAX <= TAPIR_OUT_SLICES, "each datagram has a slice");

/* A whole UDP datagram with text, as udp/ builds it. */
static bool is_candidate(const struct tapir_frame *f)
{
	const uint8_t *p = f->data;

	return f->len > HEADERS && p[0] == 0x45 && p[IP_PROTO_AT] == IP_PROTO_UDP &&
	       !(get_be16(p + IP_FRAGMENT_AT) & IP_IS_FRAGMENT) && f->offload.csum == TAPIR_CSUM_NONE && f->u.sending.offset == 0;
}

/* Would the driver, making the datagram number n after first, make just this one? first is a candidate. */
static bool is_the_same_but_text(const struct tapir_frame *first, const struct tapir_frame *f, uint16_t n)
{
	const uint8_t *a = first->data, *b = f->data;
	bool df = get_be16(a + IP_FRAGMENT_AT) != 0;

	return is_candidate(f) && a[IP_TOS_AT] == b[IP_TOS_AT] && a[IP_TTL_AT] == b[IP_TTL_AT] &&
	       get_be16(a + IP_FRAGMENT_AT) == get_be16(b + IP_FRAGMENT_AT) &&
	       (df || get_be16(b + IP_ID_AT) == (uint16_t)(get_be16(a + IP_ID_AT) + n)) &&
	       memcmp(a + IP_ADDRESSES_AT, b + IP_ADDRESSES_AT, 8 + 4) == 0;	/* both addresses, and behind them both ports */
}

/* The header of the whole: its length, and the checksum left to the driver. */
static void change_headers(struct tapir_out *out, const struct tapir_frame *first, uint16_t link)
{
	uint8_t *ip = out->head + out->head_at + link, *udp = ip + IPV4_HEADER;
	uint16_t len = (uint16_t)(out->len - link), udp_len = (uint16_t)(len - IPV4_HEADER);
	struct tapir_addr src, dst;

	ipv4_addresses(ip, &src, &dst);
	ipv4_set_length(ip, len);
	put_be16(udp + UDP_LENGTH_AT, udp_len);
	put_be16(udp + UDP_CHECKSUM_AT, checksum_fold(checksum_pseudo(&src, &dst, IP_PROTO_UDP, udp_len)));
	out->offload = (struct tapir_offload){
		.csum = TAPIR_CSUM_PARTIAL, .csum_start = (uint16_t)(link + IPV4_HEADER), .csum_offset = UDP_CHECKSUM_AT,
		.gso = TAPIR_GSO_UDP, .gso_size = (uint16_t)(first->len - HEADERS), .hdr_len = (uint16_t)(link + HEADERS)};
}

void ip_join(struct tapir *t, struct tapir_out *out, const struct tapir_frame *first)
{
	struct frameq *queue = &t->ip->queue;
	uint16_t count = 1, link = (uint16_t)(out->len - first->len);
	bool last = false;

	if (!t->cfg.offload.uso || !t->cfg.offload.csum || !queue->head || !is_candidate(first))
		return;
	while (queue->head && !last && count < JOIN_MAX) {
		struct tapir_frame *f = queue->head;

		last = f->len < first->len;
		if (f->len > first->len || out->len - link + f->len - HEADERS > UINT16_MAX ||
		    !is_the_same_but_text(first, f, count))
			break;
		out_slice(out, span_from(frame_span(f), HEADERS));
		frameq_push(&t->pinned, frameq_pop(queue));
		count++;
	}
	if (count > 1)
		change_headers(out, first, link);
}
