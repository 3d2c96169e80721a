/* cut.c: what a network card does with a frame larger than the link: segments with the same headers, but for lengths,
 * numbers, and the flags that only the last of them has. The stack is told that its driver can do that (settings tso),
 * because scripts for kernels expect the bursts of a stack that leaves the cutting to others. */
#include "drill.h"
#include "stack/wire/checksum.h"
#include "stack/wire/ipv4.h"
#include "stack/wire/tcp.h"

#define FRAME_MAX (65536 + 128)
#define SEGMENT_MAX 9216

struct whole { const uint8_t *p; size_t n, ip_header, headers; uint16_t id; uint32_t seq; uint8_t flags; };

/* Segment number index: text [from, to) of the whole frame's. */
static size_t segment(const struct whole *w, uint8_t *to, uint32_t index, size_t from, size_t end)
{
	size_t n = w->headers + end - from;
	uint8_t *tcp = to + w->ip_header;
	struct ipv4_header h;
	struct span payload;

	memcpy(to, w->p, w->headers);
	memcpy(to + w->headers, w->p + w->headers + from, end - from);
	put_be16(to + 2, (uint16_t)n);
	put_be16(to + 4, (uint16_t)(w->id + index));
	put_be16(to + 10, 0);
	put_be16(to + 10, checksum_finish(checksum_add(0, span_of(to, w->ip_header))));
	put_be32(tcp + 4, w->seq + (uint32_t)from);
	if (w->headers + end < w->n)
		tcp[13] = (uint8_t)(w->flags & ~(TCP_FIN | TCP_PSH));
	if (index)
		tcp[13] = (uint8_t)(tcp[13] & ~TCP_CWR);	/* RFC 3168 6.1.2: once */
	put_be16(tcp + TCP_CHECKSUM_AT, 0);
	if (ipv4_parse(span_of(to, n), &h, &payload) != ACCEPT)
		return 0;
	put_be16(tcp + TCP_CHECKSUM_AT,
		 checksum_finish(checksum_add(checksum_pseudo(&h.src, &h.dst, IP_PROTO_TCP, (uint32_t)payload.n), payload)));
	return n;
}

void drill_cut(const struct tapir_out *out, void (*keep)(struct drill *d, const uint8_t *p, size_t n), struct drill *d)
{
	static uint8_t frame[FRAME_MAX], cut[SEGMENT_MAX];
	struct whole w = {.p = frame, .n = out->len};
	size_t text, size = out->offload.gso_size;

	assert(out->len <= sizeof frame);
	tapir_out_copy(out, frame, false);
	if (out->offload.gso == TAPIR_GSO_NONE) {
		keep(d, frame, w.n);
		return;
	}
	w.headers = out->offload.hdr_len;
	w.ip_header = (size_t)(frame[0] & 15) * 4;
	w.id = get_be16(frame + 4);
	w.seq = get_be32(frame + w.ip_header + 4);
	w.flags = frame[w.ip_header + 13];
	assert(size && w.headers + size <= sizeof cut);
	text = w.n - w.headers;
	for (size_t from = 0, index = 0; from < text; from += size, index++) {
		size_t end = from + size < text ? from + size : text;

		keep(d, cut, segment(&w, cut, (uint32_t)index, from, end));
	}
}
