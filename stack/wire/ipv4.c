/* ipv4.c: IPv4 headers (RFC 791 3.1), bytes to values and back. Whether an address makes sense is ip/'s to say. */
#include "ipv4.h"
#include "checksum.h"

enum { FLAG_DF = 0x4000, FLAG_MF = 0x2000, OFFSET_MASK = 0x1fff };
enum { OPTION_END = 0, OPTION_NOP = 1, OPTION_LSRR = 131, OPTION_SSRR = 137 };

/* Walks the option list. No option is acted on (RFC 1122 3.2.1.8 asks only that unknown ones are passed over), but a
 * list that does not add up shows that the header is not what it says. */
static enum tapir_verdict check_options(struct span options)
{
	enum tapir_verdict verdict = ACCEPT;
	size_t at = 0;

	while (at < options.n && options.p[at] != OPTION_END) {
		uint8_t kind = options.p[at];
		size_t len = 1;

		if (kind != OPTION_NOP) {
			if (options.n - at < 2)
				return DROP_IP_OPTION;
			len = options.p[at + 1];
			if (len < 2 || len > options.n - at)
				return DROP_IP_OPTION;
		}
		if (kind == OPTION_LSRR || kind == OPTION_SSRR)
			verdict = DROP_IP_SOURCE_ROUTE;
		at += len;
	}
	return verdict;
}

static void take_fields(const uint8_t *p, struct ipv4_header *h)
{
	uint16_t fragment = get_be16(p + 6);

	h->tos = p[1];
	h->total_len = get_be16(p + 2);
	h->id = get_be16(p + 4);
	h->df = fragment & FLAG_DF;
	h->mf = fragment & FLAG_MF;
	h->offset = (uint16_t)((fragment & OFFSET_MASK) * 8);
	h->ttl = p[8];
	h->proto = p[9];
	h->src = tapir_ipv4(p[12], p[13], p[14], p[15]);
	h->dst = tapir_ipv4(p[16], p[17], p[18], p[19]);
}

enum tapir_verdict ipv4_parse(struct span s, struct ipv4_header *h, struct span *payload)
{
	size_t header_len;

	if (s.n < IPV4_HEADER)
		return DROP_IP_SHORT;
	if (s.p[0] >> 4 != 4)
		return DROP_IP_VERSION;
	header_len = (size_t)(s.p[0] & 15) * 4;
	if (header_len < IPV4_HEADER || header_len > s.n)
		return DROP_IP_HEADER_LENGTH;
	take_fields(s.p, h);
	if (h->total_len < header_len || h->total_len > s.n)
		return DROP_IP_LENGTH;
	if (!checksum_ok(0, span_first(s, header_len)))
		return DROP_IP_CHECKSUM;
	h->options = span_of(s.p + IPV4_HEADER, header_len - IPV4_HEADER);
	*payload = span_of(s.p + header_len, h->total_len - header_len);
	return check_options(h->options);
}

bool ipv4_parse_quoted(struct span s, struct ipv4_header *h, struct span *payload)
{
	size_t header_len;

	if (s.n < IPV4_HEADER || s.p[0] >> 4 != 4)
		return false;
	header_len = (size_t)(s.p[0] & 15) * 4;
	if (header_len < IPV4_HEADER || header_len > s.n)
		return false;
	take_fields(s.p, h);
	h->options = span_of(s.p + IPV4_HEADER, header_len - IPV4_HEADER);
	*payload = span_from(s, header_len);
	return true;
}

void ipv4_set_length(uint8_t *ip, uint16_t total_len)
{
	put_be16(ip + IP_LENGTH_AT, total_len);
	put_be16(ip + IP_CHECKSUM_AT, 0);
	put_be16(ip + IP_CHECKSUM_AT, checksum_finish(checksum_add(0, span_of(ip, (ip[0] & 15u) * 4))));
}

void ipv4_emit(const struct ipv4_header *h, uint8_t p[IPV4_HEADER])
{
	assert(h->offset % 8 == 0 && h->total_len >= IPV4_HEADER);
	p[0] = 0x45;
	p[1] = h->tos;
	put_be16(p + 4, h->id);
	put_be16(p + 6, (uint16_t)((h->df ? FLAG_DF : 0) | (h->mf ? FLAG_MF : 0) | h->offset / 8));
	p[8] = h->ttl;
	p[9] = h->proto;
	memcpy(p + 12, h->src.b + 12, 4);
	memcpy(p + 16, h->dst.b + 12, 4);
	ipv4_set_length(p, h->total_len);
}

void ipv4_addresses(const uint8_t *ip, struct tapir_addr *src, struct tapir_addr *dst)
{
	*src = tapir_ipv4(ip[12], ip[13], ip[14], ip[15]);
	*dst = tapir_ipv4(ip[16], ip[17], ip[18], ip[19]);
}
