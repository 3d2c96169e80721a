/* segments.c: cuts a TCP frame that is larger than the MTU (virtio's GSO) into the segments that cross the wire, for a
 * capture whose reader wants those. IP identification counts up; FIN and PSH are the last one's, CWR the first one's (RFC 3168
 * 6.1.2), as every network card does it. */
#include <string.h>
#include "datagrams.h"
#include "stack/wire/checksum.h"
#include "stack/wire/ipv4.h"
#include "stack/wire/tcp.h"

#define ETH_HEADER_BYTES 14u
#define TCP_SEQ_AT 4
#define TCP_OFFSET_AT 12
#define TCP_FLAGS_AT 13
#define IP_PROTO_AT 9
#define IP_ID_AT 4
#define IP_LENGTH_AT 2
#define IP_CHECKSUM_AT 10

/* Where the text begins; 0: the headers are not whole. */
static uint32_t find_text(struct segments *s)
{
	const uint8_t *p = s->frame.p;
	size_t n = s->frame.n;

	if (n < s->ip_at + IPV4_HEADER || p[s->ip_at] >> 4 != 4 || p[s->ip_at + IP_PROTO_AT] != IP_PROTO_TCP)
		return 0;
	s->tcp_at = s->ip_at + (p[s->ip_at] & 15u) * 4;
	if (s->tcp_at < s->ip_at + IPV4_HEADER || n < s->tcp_at + TCP_HEADER)
		return 0;
	return s->tcp_at + (p[s->tcp_at + TCP_OFFSET_AT] >> 4) * 4u;
}

bool segments_begin(struct segments *s, struct span frame, const struct tapir_offload *offload, bool ip_only)
{
	*s = (struct segments){.frame = frame, .ip_at = ip_only ? 0 : ETH_HEADER_BYTES, .size = offload->gso_size};
	if (offload->gso == TAPIR_GSO_UDP)
		return datagrams_begin(s, frame, offload, s->ip_at);
	if (offload->gso != TAPIR_GSO_TCP4 || s->size == 0)
		return false;
	s->text_at = find_text(s);
	if (s->text_at < s->tcp_at + TCP_HEADER || s->text_at + s->size >= frame.n)
		return false;
	s->count = (uint32_t)((frame.n - s->text_at + s->size - 1) / s->size);
	return true;
}

/* n bytes of TCP header and text. */
static void fix_tcp(const struct segments *s, uint8_t *out, uint32_t n)
{
	const uint8_t *ip = out + s->ip_at;
	struct tapir_addr src = tapir_ipv4(ip[12], ip[13], ip[14], ip[15]), dst = tapir_ipv4(ip[16], ip[17], ip[18], ip[19]);
	uint8_t *p = out + s->tcp_at;

	put_be32(p + TCP_SEQ_AT, get_be32(p + TCP_SEQ_AT) + s->next * s->size);
	if (s->next + 1 < s->count)
		p[TCP_FLAGS_AT] &= (uint8_t)~(TCP_FIN | TCP_PSH);
	if (s->next > 0)
		p[TCP_FLAGS_AT] &= (uint8_t)~TCP_CWR;
	put_be16(p + TCP_CHECKSUM_AT, 0);
	put_be16(p + TCP_CHECKSUM_AT,
		 checksum_finish(checksum_add(checksum_pseudo(&src, &dst, IP_PROTO_TCP, n), (struct span){p, n})));
}

static void fix_ip(const struct segments *s, uint8_t *out, uint32_t total)
{
	uint8_t *ip = out + s->ip_at;

	put_be16(ip + IP_LENGTH_AT, (uint16_t)total);
	put_be16(ip + IP_ID_AT, (uint16_t)(get_be16(ip + IP_ID_AT) + s->next));
	put_be16(ip + IP_CHECKSUM_AT, 0);
	put_be16(ip + IP_CHECKSUM_AT, checksum_finish(checksum_add(0, (struct span){ip, s->tcp_at - s->ip_at})));
}

uint32_t segments_next(struct segments *s, uint8_t *out)
{
	uint32_t from = s->text_at + s->next * s->size, left, n;

	if (s->udp_at)
		return datagrams_next(s, out);
	if (s->next == s->count)
		return 0;
	left = (uint32_t)s->frame.n - from;
	n = left < s->size ? left : s->size;
	memcpy(out, s->frame.p, s->text_at);
	memcpy(out + s->text_at, s->frame.p + from, n);
	fix_ip(s, out, s->text_at - s->ip_at + n);
	fix_tcp(s, out, s->text_at - s->tcp_at + n);
	s->next++;
	return s->text_at + n;
}
