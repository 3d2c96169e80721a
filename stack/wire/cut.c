/* cut.c: what becomes of a TCP datagram's headers when it is cut into segments. The only place that knows: TCP's bursts
 * (tcp/burst.c), datagrams that had to wait (ip/output.c) and captures (drivers/segments.c) ask here; where the text comes from
 * is theirs.
 *
 * In each: total length, identification, which counts up, and header checksum; sequence number and the pseudo-header's sum. FIN
 * and PSH are the last one's, CWR the first one's (RFC 3168 6.1.2), as every network card does it. All else is the same. */
#include "checksum.h"
#include "cut.h"
#include "ipv4.h"
#include "tcp.h"

/* Where the TCP header begins; 0: there is none, or not all of it. */
static size_t find_tcp(struct span head, size_t ip_at)
{
	const uint8_t *ip = head.p + ip_at;
	size_t tcp_at;

	if (head.n < ip_at + IPV4_HEADER || ip[0] >> 4 != 4 || (ip[0] & 15u) * 4 < IPV4_HEADER ||
	    ip[IP_PROTO_AT] != IP_PROTO_TCP)
		return 0;
	tcp_at = ip_at + (ip[0] & 15u) * 4;
	if (head.n < tcp_at + TCP_HEADER || head.n != tcp_at + (head.p[tcp_at + TCP_OFFSET_AT] >> 4) * 4u)
		return 0;
	return tcp_at;
}

bool cut_begin(struct cut *c, struct span head, uint16_t ip_at)
{
	size_t tcp_at = find_tcp(head, ip_at);
	uint8_t *ip = c->head + ip_at;

	if (!tcp_at || head.n > sizeof c->head)
		return false;
	memcpy(c->head, head.p, head.n);
	c->head_len = (uint16_t)head.n;
	c->ip_at = ip_at;
	c->tcp_at = (uint16_t)tcp_at;
	c->made = 0;
	put_be16(ip + IP_CHECKSUM_AT, 0);
	c->tcp_sum = checksum_field(checksum_words(0, ip + IP_ADDRESSES_AT, 8), IP_PROTO_TCP);
	c->ip_sum = checksum_add(0, span_of(ip, 2)) +
		    checksum_add(0, span_of(ip + IP_ID_AT + 2, tcp_at - ip_at - IP_ID_AT - 2));
	return true;
}

static void set_ip(const struct cut *c, uint8_t *ip, uint32_t n)
{
	put_be16(ip + IP_LENGTH_AT, (uint16_t)(c->head_len - c->ip_at + n));
	put_be16(ip + IP_ID_AT, (uint16_t)(get_be16(ip + IP_ID_AT) + c->made));
	put_be16(ip + IP_CHECKSUM_AT, checksum_finish(checksum_words(c->ip_sum, ip + IP_LENGTH_AT, 4)));
}

void cut_next(struct cut *c, uint8_t *p, uint32_t at, uint32_t n, bool last)
{
	uint8_t *tcp = p + c->tcp_at;

	memcpy(p, c->head, c->head_len);
	set_ip(c, p + c->ip_at, n);
	put_be32(tcp + TCP_SEQ_AT, get_be32(tcp + TCP_SEQ_AT) + at);
	if (!last)
		tcp[TCP_FLAGS_AT] &= (uint8_t)~(TCP_FIN | TCP_PSH);
	if (c->made++)
		tcp[TCP_FLAGS_AT] &= (uint8_t)~TCP_CWR;
	put_be16(tcp + TCP_CHECKSUM_AT, checksum_fold(checksum_field(c->tcp_sum, (uint16_t)(c->head_len - c->tcp_at + n))));
}
