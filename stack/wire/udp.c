/* udp.c: UDP headers (RFC 768), bytes to values and back. Who a port belongs to is udp/'s to say. */
#include "udp.h"
#include "checksum.h"
#include "ipv4.h"

enum tapir_verdict udp_parse(struct span s, const struct tapir_addr *src, const struct tapir_addr *dst, bool checked,
			     struct udp_header *h, struct span *text)
{
	uint16_t len;

	if (s.n < UDP_HEADER)
		return DROP_UDP_SHORT;
	len = get_be16(s.p + 4);
	if (len < UDP_HEADER || len > s.n)
		return DROP_UDP_LENGTH;
	s = span_first(s, len);
	/* A field of 0: the sender made no checksum (RFC 1122 4.1.3.4). */
	if (!checked && get_be16(s.p + 6) && !checksum_ok(checksum_pseudo(src, dst, IP_PROTO_UDP, len), s))
		return DROP_UDP_CHECKSUM;
	h->src = get_be16(s.p);
	h->dst = get_be16(s.p + 2);
	if (h->dst == 0)
		return DROP_UDP_PORT_ZERO;
	*text = span_from(s, UDP_HEADER);
	return ACCEPT;
}

void udp_emit(const struct udp_header *h, const struct tapir_addr *src, const struct tapir_addr *dst, uint8_t *p,
	      size_t n)
{
	size_t len = UDP_HEADER + n;
	uint64_t sum;
	uint16_t value;

	assert(len <= UINT16_MAX);
	put_be16(p, h->src);
	put_be16(p + 2, h->dst);
	put_be16(p + 4, (uint16_t)len);
	put_be16(p + 6, 0);
	sum = checksum_pseudo(src, dst, IP_PROTO_UDP, (uint32_t)len);
	value = checksum_finish(checksum_add(sum, span_of(p, len)));
	put_be16(p + 6, value ? value : 0xffff);	/* 0 would say that there is none (RFC 768) */
}
