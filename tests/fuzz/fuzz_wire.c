/* fuzz_wire.c: every parser on the same bytes, as they are and with the checksum made right; what a parser accepts must be
 * the same again after emit and parse. The bytes lie at the end of a block of their own, so that reading one too many is
 * seen. The notation of drivers/trace_format.c reads the same bytes: it must survive them, too. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include "drivers/driver.h"
#include "stack/wire/arp.h"
#include "stack/wire/checksum.h"
#include "stack/wire/eth.h"
#include "stack/wire/icmp.h"
#include "stack/wire/ipv4.h"
#include "stack/wire/tcp.h"
#include "stack/wire/udp.h"

#define MOST 65535u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct tapir_addr src, dst;

static void try_eth(struct span s)
{
	uint8_t again[ETH_HEADER];
	struct eth_header h;
	struct span payload;

	if (eth_parse(s, &h, &payload) != ACCEPT)
		return;
	assert(payload.n == s.n - ETH_HEADER);
	eth_emit(&h, again);
	assert(memcmp(again, s.p, sizeof again) == 0);
}

static void try_arp(struct span s)
{
	uint8_t again[ARP_PACKET];
	struct arp_packet a;

	if (arp_parse(s, &a) != ACCEPT)
		return;
	arp_emit(&a, again);
	assert(memcmp(again, s.p, sizeof again) == 0);
}

static void try_ipv4(struct span s)
{
	uint8_t again[IPV4_HEADER + MOST];
	struct ipv4_header h, second;
	struct span payload, text;

	if (ipv4_parse(s, &h, &payload) != ACCEPT)
		return;
	assert(payload.p >= s.p && payload.p + payload.n <= s.p + s.n);
	h.total_len = (uint16_t)(h.total_len - h.options.n);	/* emit writes no options */
	ipv4_emit(&h, again);
	memcpy(again + IPV4_HEADER, payload.p, payload.n);
	assert(ipv4_parse(span_of(again, h.total_len), &second, &text) == ACCEPT);
	assert(tapir_addr_equal(&h.src, &second.src) && tapir_addr_equal(&h.dst, &second.dst));
	assert(h.proto == second.proto && h.ttl == second.ttl && h.tos == second.tos && h.id == second.id);
	assert(h.df == second.df && h.mf == second.mf && h.offset == second.offset);
	assert(second.total_len == h.total_len && second.options.n == 0);
	assert(text.n == payload.n);
}

static void try_icmp(struct span s)
{
	uint8_t again[MOST];
	struct icmp_header h, second;
	struct span payload;

	if (icmp_parse(s, &h, &payload) != ACCEPT)
		return;
	memcpy(again + ICMP_HEADER, payload.p, payload.n);
	icmp_emit(&h, again, payload.n);
	assert(icmp_parse(span_of(again, s.n), &second, &payload) == ACCEPT);
	assert(h.type == second.type && h.code == second.code && h.id == second.id && h.seq == second.seq);
	assert(payload.n == s.n - ICMP_HEADER);
}

static void try_udp(struct span s, bool checked)
{
	uint8_t again[MOST];
	struct udp_header h, second;
	struct span text, same;

	if (udp_parse(s, &src, &dst, checked, &h, &text) != ACCEPT)
		return;
	assert(text.p >= s.p && text.p + text.n <= s.p + s.n);
	memcpy(again + UDP_HEADER, text.p, text.n);
	udp_emit(&h, &src, &dst, again, text.n);
	assert(udp_parse(span_of(again, UDP_HEADER + text.n), &src, &dst, false, &second, &same) == ACCEPT);
	assert(h.src == second.src && h.dst == second.dst && same.n == text.n);
}

static void assert_same_options(const struct tcp_options *a, const struct tcp_options *b)
{
	assert(a->mss == b->mss && a->has_wscale == b->has_wscale && a->wscale == b->wscale);
	assert(a->sack_permitted == b->sack_permitted && a->has_ts == b->has_ts);
	assert(a->ts_val == b->ts_val && a->ts_ecr == b->ts_ecr);
	assert(b->sack_count <= a->sack_count);		/* blocks that do not fit are left out */
	for (int i = 0; i < b->sack_count; i++)
		assert(a->sack[i].start.n == b->sack[i].start.n && a->sack[i].end.n == b->sack[i].end.n);
}

static void try_tcp(struct span s, bool checked)
{
	uint8_t again[TCP_HEADER_MAX], third[TCP_HEADER_MAX];
	struct tcp_seg seg, second;
	uint16_t len;

	if (tcp_parse(s, &src, &dst, checked, &seg) != ACCEPT)
		return;
	assert(seg.text.p + seg.text.n == s.p + s.n);
	len = tcp_header_len(&seg);
	assert(len % 4 == 0 && len >= TCP_HEADER && len <= TCP_HEADER_MAX);
	tcp_emit(&seg, again);
	assert(tcp_parse(span_of(again, len), &src, &dst, true, &second) == ACCEPT);
	assert(second.seq.n == seg.seq.n && second.ack.n == seg.ack.n && second.wnd == seg.wnd && second.up == seg.up);
	assert(second.flags == seg.flags && second.src_port == seg.src_port && second.dst_port == seg.dst_port);
	assert_same_options(&seg.opt, &second.opt);
	assert(tcp_header_len(&second) == len);
	tcp_emit(&second, third);
	assert(memcmp(again, third, len) == 0);
}

/* Puts the checksum that makes s right at offset at. */
static void fix(uint8_t *p, size_t n, size_t at, uint64_t sum)
{
	if (n < at + 2)
		return;
	put_be16(p + at, 0);
	put_be16(p + at, checksum_finish(checksum_add(sum, span_of(p, n))));
}

static void try_fixed(const uint8_t *data, size_t size)
{
	size_t header = size ? (size_t)(data[0] & 15) * 4 : 0;
	uint8_t *copy = malloc(size);

	assert(copy || !size);
	if (size)
		memcpy(copy, data, size);
	fix(copy, header < size ? header : size, 10, 0);
	try_ipv4(span_of(copy, size));
	memcpy(copy, data, size);
	fix(copy, size, 2, 0);
	try_icmp(span_of(copy, size));
	memcpy(copy, data, size);
	if (size >= UDP_HEADER)
		put_be16(copy + 4, (uint16_t)size);
	fix(copy, size, 6, checksum_pseudo(&src, &dst, IP_PROTO_UDP, (uint32_t)size));
	try_udp(span_of(copy, size), false);
	memcpy(copy, data, size);
	fix(copy, size, TCP_CHECKSUM_AT, checksum_pseudo(&src, &dst, IP_PROTO_TCP, (uint32_t)size));
	try_tcp(span_of(copy, size), false);
	free(copy);
}

static void try_trace(struct span s)
{
	char text[200];

	for (int i = 0; i < 4; i++) {
		struct trace_options how = {.ip_only = i & 1, .addresses = i & 2, .relative = i & 2, .seq_base = 7, .ack_base = 9,
					    .checksums = !(i & 2)};
		size_t n = trace_format(text, i & 2 ? 40 : sizeof text, s, &how);

		assert(strlen(text) < sizeof text && n < sizeof text);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span s = {data, size};

	if (size == 0 || size > MOST)
		return 0;
	src = tapir_ipv4(10, 0, 0, 1);
	dst = tapir_ipv4(10, 0, 0, 2);
	try_eth(s);
	try_arp(s);
	try_ipv4(s);
	try_icmp(s);
	for (int checked = 0; checked < 2; checked++) {
		try_udp(s, checked);
		try_tcp(s, checked);
	}
	try_fixed(data, size);
	try_trace(s);
	return 0;
}
