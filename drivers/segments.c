/* segments.c: cuts a TCP frame that is larger than the MTU (virtio's GSO) into the segments that cross the wire, for a
 * capture whose reader wants those. What becomes of the headers is wire/cut.c's to say, as for segments that the stack cuts.
 * UDP's are datagrams.c's. */
#include <string.h>
#include "datagrams.h"
#include "stack/wire/checksum.h"
#include "stack/wire/ipv4.h"
#include "stack/wire/tcp.h"

#define ETH_HEADER_BYTES 14u

/* Where the text begins; 0: the headers are not whole. */
static uint32_t find_text(struct span frame, uint32_t ip_at)
{
	uint32_t tcp_at;

	if (frame.n < ip_at + IPV4_HEADER)
		return 0;
	tcp_at = ip_at + (frame.p[ip_at] & 15u) * 4;
	return frame.n < tcp_at + TCP_HEADER ? 0 : tcp_at + (frame.p[tcp_at + TCP_OFFSET_AT] >> 4) * 4u;
}

bool segments_begin(struct segments *s, struct span frame, const struct tapir_offload *offload, bool ip_only)
{
	uint16_t ip_at = ip_only ? 0 : ETH_HEADER_BYTES;
	uint32_t text_at;

	if (offload->gso == TAPIR_GSO_UDP)
		return datagrams_begin(s, frame, offload, ip_at);
	if (offload->gso != TAPIR_GSO_TCP4 || offload->gso_size == 0)
		return false;
	text_at = find_text(frame, ip_at);
	if (text_at + offload->gso_size >= frame.n)
		return false;
	s->frame = frame;
	s->text_at = text_at;
	s->size = offload->gso_size;
	s->udp_at = 0;
	s->next = 0;
	s->count = (uint32_t)((frame.n - text_at + s->size - 1) / s->size);
	return cut_begin(&s->cut, (struct span){frame.p, text_at}, ip_at);
}

uint32_t segments_next(struct segments *s, uint8_t *out)
{
	uint32_t at = s->next * s->size, left, n;
	uint8_t *tcp;

	if (s->udp_at)
		return datagrams_next(s, out);
	if (s->next == s->count)
		return 0;
	tcp = out + s->cut.tcp_at;
	left = (uint32_t)s->frame.n - s->text_at - at;
	n = left < s->size ? left : s->size;
	s->next++;
	cut_next(&s->cut, out, at, n, s->next == s->count);
	memcpy(out + s->text_at, s->frame.p + s->text_at + at, n);
	put_be16(tcp + TCP_CHECKSUM_AT,
		 checksum_finish(checksum_add(0, (struct span){tcp, s->text_at - s->cut.tcp_at + n})));
	return s->text_at + n;
}
