/* tcp.c: TCP segments (RFC 9293 3.1, 3.2; RFC 7323 2 and 3; RFC 2018; RFC 7413 4.1.1), bytes to values and back. What a
 * segment means for a connection is tcp/'s to say. The walk through the options is bounded: every round takes at least a byte. */
#include "tcp.h"
#include "checksum.h"
#include "ipv4.h"

enum {
	OPTION_END = 0, OPTION_NOP = 1, OPTION_MSS = 2, OPTION_WSCALE = 3, OPTION_SACK_PERMITTED = 4, OPTION_SACK = 5,
	OPTION_TIMESTAMPS = 8, OPTION_FASTOPEN = 34
};
enum { WSCALE_MAX = 14, OPTIONS_MAX = TCP_HEADER_MAX - TCP_HEADER };

static void take_sack(struct span body, struct tcp_options *opt)
{
	if (!body.n || body.n % 8 || body.n / 8 > TCP_SACK_BLOCKS)
		return;
	opt->sack_count = (uint8_t)(body.n / 8);
	for (size_t i = 0; i < opt->sack_count; i++) {
		opt->sack[i].start.n = get_be32(body.p + 8 * i);
		opt->sack[i].end.n = get_be32(body.p + 8 * i + 4);
	}
}

static void take_timestamps(struct span body, struct tcp_options *opt)
{
	if (body.n != 8)
		return;
	opt->has_ts = true;
	opt->ts_val = get_be32(body.p);
	opt->ts_ecr = get_be32(body.p + 4);
}

static void take_wscale(struct span body, struct tcp_options *opt)
{
	if (body.n != 1)
		return;
	opt->has_wscale = true;
	opt->wscale = body.p[0] < WSCALE_MAX ? body.p[0] : WSCALE_MAX;	/* RFC 7323 2.3 */
}

/* RFC 7413 4.1.1: an odd length, or one out of range, is as if the option were not there. */
static void take_fastopen(struct span body, struct tcp_options *opt)
{
	if (body.n && (body.n < TCP_FASTOPEN_MIN || body.n > TCP_FASTOPEN_MAX || body.n % 2))
		return;
	opt->has_fastopen = true;
	opt->fastopen.len = (uint8_t)body.n;
	if (body.n)
		memcpy(opt->fastopen.bytes, body.p, body.n);
}

/* One option. Known ones of a wrong length are passed over, as unknown ones are (RFC 9293 3.1 MUST-6). An MSS of 0
 * would leave no room for text and counts as none. */
static void take_option(uint8_t kind, struct span body, struct tcp_options *opt)
{
	switch (kind) {
	case OPTION_MSS:
		if (body.n == 2)
			opt->mss = get_be16(body.p);
		break;
	case OPTION_WSCALE:
		take_wscale(body, opt);
		break;
	case OPTION_SACK_PERMITTED:
		opt->sack_permitted |= body.n == 0;
		break;
	case OPTION_SACK:
		take_sack(body, opt);
		break;
	case OPTION_TIMESTAMPS:
		take_timestamps(body, opt);
		break;
	case OPTION_FASTOPEN:
		take_fastopen(body, opt);
		break;
	default:
		break;
	}
}

static enum tapir_verdict parse_options(struct span s, struct tcp_options *opt)
{
	while (s.n && s.p[0] != OPTION_END) {
		size_t len;

		if (s.p[0] == OPTION_NOP) {
			s = span_from(s, 1);
			continue;
		}
		len = s.n > 1 ? s.p[1] : 0;
		if (len < 2 || len > s.n)
			return DROP_TCP_OPTION;		/* RFC 9293 3.1 (MUST-7) */
		take_option(s.p[0], span_of(s.p + 2, len - 2), opt);
		s = span_from(s, len);
	}
	return ACCEPT;
}

static void take_fields(const uint8_t *p, struct tcp_seg *seg)
{
	memset(seg, 0, sizeof *seg);
	seg->src_port = get_be16(p);
	seg->dst_port = get_be16(p + 2);
	seg->seq.n = get_be32(p + 4);
	seg->ack.n = get_be32(p + 8);
	seg->flags = p[13];
	seg->wnd = get_be16(p + 14);
	seg->up = get_be16(p + 18);
}

enum tapir_verdict tcp_parse(struct span s, const struct tapir_addr *src, const struct tapir_addr *dst, bool checked,
			     struct tcp_seg *seg)
{
	size_t header_len;

	if (s.n < TCP_HEADER)
		return DROP_TCP_SHORT;
	header_len = (size_t)(s.p[12] >> 4) * 4;
	if (header_len < TCP_HEADER || header_len > s.n)
		return DROP_TCP_OFFSET;
	if (!checked && !checksum_ok(checksum_pseudo(src, dst, IP_PROTO_TCP, (uint32_t)s.n), s))
		return DROP_TCP_CHECKSUM;
	take_fields(s.p, seg);
	if (!seg->src_port || !seg->dst_port)
		return DROP_TCP_PORT_ZERO;
	seg->text = span_from(s, header_len);
	seg->len = (uint32_t)seg->text.n + (seg->flags & TCP_SYN ? 1 : 0) + (seg->flags & TCP_FIN ? 1 : 0);
	return parse_options(span_of(s.p + TCP_HEADER, header_len - TCP_HEADER), &seg->opt);
}

/* --- emit: each option with its padding is a multiple of 4 --- */

/* Bytes of the options before the SACK blocks. */
static size_t fixed_options_len(const struct tcp_options *opt)
{
	size_t len = opt->mss ? 4 : 0;

	if (opt->has_ts)
		len += 12;		/* SACK permitted takes the place of the two NOPs */
	else if (opt->sack_permitted)
		len += 4;
	return len + (opt->has_wscale ? 4 : 0);
}

/* Bytes of the Fast Open option, padded; 0: there is none, or no room for it. */
static size_t fastopen_len(const struct tcp_options *opt)
{
	size_t len = opt->has_fastopen ? (2u + opt->fastopen.len + 3u) / 4 * 4 : 0;

	return len <= OPTIONS_MAX - fixed_options_len(opt) ? len : 0;
}

static size_t sack_blocks_that_fit(const struct tcp_options *opt)
{
	size_t room = OPTIONS_MAX - fixed_options_len(opt) - fastopen_len(opt);
	size_t fit = room < 4 ? 0 : (room - 4) / 8;

	return opt->sack_count < fit ? opt->sack_count : fit;
}

uint16_t tcp_header_len(const struct tcp_seg *seg)
{
	size_t blocks = sack_blocks_that_fit(&seg->opt);

	return (uint16_t)(TCP_HEADER + fixed_options_len(&seg->opt) + fastopen_len(&seg->opt) + (blocks ? 4 + 8 * blocks : 0));
}

/* Two bytes in front of a timestamp option, so that its numbers lie at a multiple of 4. */
static uint8_t *emit_sack_permitted(uint8_t *p, bool permitted)
{
	p[0] = permitted ? OPTION_SACK_PERMITTED : OPTION_NOP;
	p[1] = permitted ? 2 : OPTION_NOP;
	return p + 2;
}

static uint8_t *emit_nops(uint8_t *p)
{
	return emit_sack_permitted(p, false);
}

static uint8_t *emit_timestamps(uint8_t *p, const struct tcp_options *opt)
{
	p = emit_sack_permitted(p, opt->sack_permitted);
	p[0] = OPTION_TIMESTAMPS;
	p[1] = 10;
	put_be32(p + 2, opt->ts_val);
	put_be32(p + 6, opt->ts_ecr);
	return p + 10;
}

/* The NOPs stand behind it, where Linux has them. */
static uint8_t *emit_fastopen(uint8_t *p, const struct tcp_options *opt)
{
	size_t len = fastopen_len(opt);

	if (!len)
		return p;
	memset(p, OPTION_NOP, len);
	p[0] = OPTION_FASTOPEN;
	p[1] = (uint8_t)(2 + opt->fastopen.len);
	memcpy(p + 2, opt->fastopen.bytes, opt->fastopen.len);
	return p + len;
}

static void emit_sack(uint8_t *p, const struct tcp_options *opt)
{
	size_t blocks = sack_blocks_that_fit(opt);

	if (!blocks)
		return;
	p = emit_nops(p);
	*p++ = OPTION_SACK;
	*p++ = (uint8_t)(2 + 8 * blocks);
	for (size_t i = 0; i < blocks; i++, p += 8) {
		put_be32(p, opt->sack[i].start.n);
		put_be32(p + 4, opt->sack[i].end.n);
	}
}

static void emit_options(uint8_t *p, const struct tcp_options *opt)
{
	if (opt->mss) {
		p[0] = OPTION_MSS;
		p[1] = 4;
		put_be16(p + 2, opt->mss);
		p += 4;
	}
	if (opt->has_ts)
		p = emit_timestamps(p, opt);
	else if (opt->sack_permitted)
		p = emit_sack_permitted(emit_nops(p), true);
	if (opt->has_wscale) {
		p[0] = OPTION_NOP;
		p[1] = OPTION_WSCALE;
		p[2] = 3;
		p[3] = opt->wscale;
		p += 4;
	}
	p = emit_fastopen(p, opt);
	emit_sack(p, opt);
}

void tcp_emit(const struct tcp_seg *seg, uint8_t *p)
{
	assert(seg->wnd <= UINT16_MAX);
	put_be16(p, seg->src_port);
	put_be16(p + 2, seg->dst_port);
	put_be32(p + 4, seg->seq.n);
	put_be32(p + 8, seg->ack.n);
	p[12] = (uint8_t)(tcp_header_len(seg) / 4 << 4);
	p[13] = seg->flags;
	put_be16(p + 14, (uint16_t)seg->wnd);
	put_be16(p + TCP_CHECKSUM_AT, 0);
	put_be16(p + 18, seg->up);
	emit_options(p + TCP_HEADER, &seg->opt);
}
