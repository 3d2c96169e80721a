/* icmp.c: ICMP headers (RFC 792), bytes to values and back. Which types are answered is ip/'s to say. */
#include "icmp.h"
#include "checksum.h"

enum tapir_verdict icmp_parse(struct span s, struct icmp_header *h, struct span *payload)
{
	if (s.n < ICMP_HEADER)
		return DROP_ICMP_SHORT;
	if (!checksum_ok(0, s))
		return DROP_ICMP_CHECKSUM;
	h->type = s.p[0];
	h->code = s.p[1];
	h->id = get_be16(s.p + 4);
	h->seq = get_be16(s.p + 6);
	*payload = span_from(s, ICMP_HEADER);
	return ACCEPT;
}

void icmp_emit(const struct icmp_header *h, uint8_t *p, size_t n)
{
	p[0] = h->type;
	p[1] = h->code;
	put_be16(p + 2, 0);
	put_be16(p + 4, h->id);
	put_be16(p + 6, h->seq);
	put_be16(p + 2, checksum_finish(checksum_add(0, span_of(p, ICMP_HEADER + n))));
}
