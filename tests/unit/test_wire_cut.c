/* test_wire_cut.c: a datagram's headers become its segments' (wire/cut.c): every field of every segment, for texts and options of
 * many sizes, and headers that are none. */
#include <check.h>
#include "stack/base/siphash.h"
#include "stack/wire/checksum.h"
#include "stack/wire/cut.h"
#include "stack/wire/ipv4.h"
#include "stack/wire/tcp.h"

#define LINK 14u

static uint8_t text[65536];

/* Headers of a datagram with n bytes of text, LINK bytes of something in front of them, at p; how many. */
static uint16_t headers(uint8_t *p, const struct tcp_seg *seg, uint32_t n, uint16_t id)
{
	uint16_t len = tcp_header_len(seg);
	struct ipv4_header h = {.src = tapir_ipv4(10, 1, 2, 3), .dst = tapir_ipv4(192, 168, 77, 250), .proto = IP_PROTO_TCP,
				.ttl = 61, .tos = 0xba, .id = id, .df = true};

	h.total_len = (uint16_t)(IPV4_HEADER + len + n);
	memset(p, 0x5a, LINK);
	ipv4_emit(&h, p + LINK);
	tcp_emit(seg, p + LINK + IPV4_HEADER);
	put_be16(p + LINK + IPV4_HEADER + TCP_CHECKSUM_AT,
		 checksum_fold(checksum_pseudo(&h.src, &h.dst, IP_PROTO_TCP, len + n)));
	return (uint16_t)(LINK + IPV4_HEADER + len);
}

struct expected { uint32_t at, n; uint16_t index; bool last; };

static void ck_segment(const uint8_t *frame, uint16_t head, const struct tcp_seg *whole, const struct expected *e)
{
	struct ipv4_header h;
	struct tcp_seg seg;
	struct span payload;
	uint8_t flags = whole->flags;

	ck_assert_uint_eq(frame[0], 0x5a);
	ck_assert_int_eq(ipv4_parse(span_of(frame + LINK, head - LINK + e->n), &h, &payload), ACCEPT);
	ck_assert_uint_eq(h.total_len, head - LINK + e->n);
	ck_assert_uint_eq(h.id, (uint16_t)(0xfffe + e->index));
	ck_assert(h.df && !h.mf && !h.offset && h.ttl == 61 && h.tos == 0xba);
	ck_assert_int_eq(tcp_parse(payload, &h.src, &h.dst, false, &seg), ACCEPT);
	if (!e->last)
		flags &= (uint8_t)~(TCP_FIN | TCP_PSH);
	if (e->index)
		flags &= (uint8_t)~TCP_CWR;
	ck_assert_uint_eq(seg.flags, flags);
	ck_assert_uint_eq(seg.seq.n, whole->seq.n + e->at);
	ck_assert(seg.ack.n == whole->ack.n && seg.wnd == whole->wnd && seg.up == whole->up);
	ck_assert(seg.src_port == whole->src_port && seg.dst_port == whole->dst_port);
	ck_assert_mem_eq(&seg.opt, &whole->opt, sizeof seg.opt);
	ck_assert_uint_eq(seg.text.n, e->n);
}

static void cuts(const struct tcp_seg *seg, uint32_t n, uint32_t size)
{
	uint8_t head[TAPIR_OUT_HEAD], frame[70000];
	uint16_t len = headers(head, seg, n, 0xfffe);
	struct expected e = {.at = 0};
	struct cut cut;

	ck_assert(cut_begin(&cut, span_of(head, len), LINK));
	for (; e.at < n; e.at += e.n, e.index++) {
		uint8_t *tcp = frame + LINK + IPV4_HEADER;

		e.n = min_u32(size, n - e.at);
		e.last = e.at + e.n == n;
		cut_next(&cut, frame, e.at, e.n, e.last);
		memcpy(frame + len, text + e.at, e.n);
		put_be16(tcp + TCP_CHECKSUM_AT,		/* as out_finish: a partial sum is in the field */
			 checksum_finish(checksum_add(0, span_of(tcp, len - LINK - IPV4_HEADER + e.n))));
		ck_segment(frame, len, seg, &e);
	}
}

static const struct tcp_seg plain = {.src_port = 7, .dst_port = 50000, .seq = {0xffffff00}, .ack = {0x01020304}, .wnd = 501,
				     .flags = TCP_ACK};

START_TEST(every_field_of_every_segment_is_right)
{
	static const uint32_t sizes[] = {1448, 1, 536, 1447, 9000}, texts[] = {65000, 7, 5361, 4344, 20001};
	struct tcp_seg seg = plain;

	for (size_t i = 0; i < sizeof text; i++)
		text[i] = (uint8_t)(i * 31 + i / 253);
	for (int i = 0; i < 5; i++) {
		cuts(&seg, texts[i], sizes[i]);
		seg.opt.has_ts = !seg.opt.has_ts;
		seg.opt.ts_val = 0xdeadbeef;
		seg.opt.ts_ecr = 77;
		seg.opt.sack_count = (uint8_t)(i % 3);
		seg.opt.sack[0] = (struct sack_block){{1000}, {2000}};
		seg.opt.sack[1] = i % 3 == 2 ? (struct sack_block){{5000}, {6000}} : (struct sack_block){{0}, {0}};
		if (!seg.opt.has_ts)
			seg.opt.ts_val = seg.opt.ts_ecr = 0;
		if (!seg.opt.sack_count)
			seg.opt.sack[0] = (struct sack_block){{0}, {0}};
	}
}
END_TEST

START_TEST(fin_and_psh_are_the_last_ones_and_cwr_is_the_first_ones)
{
	struct tcp_seg seg = plain;

	seg.flags = TCP_ACK | TCP_FIN | TCP_PSH | TCP_CWR | TCP_ECE;
	cuts(&seg, 10000, 1460);
	cuts(&seg, 2920, 1460);
	cuts(&seg, 100, 1460);
}
END_TEST

START_TEST(random_ones_are_right)
{
	struct rng rng;

	rng_seed(&rng, 9, 9);
	for (int i = 0; i < 2000; i++) {
		struct tcp_seg seg = {.seq = {(uint32_t)rng_next(&rng)}, .ack = {(uint32_t)rng_next(&rng)},
				      .src_port = (uint16_t)(1 + rng_next(&rng) % 65535), .wnd = (uint16_t)rng_next(&rng),
				      .dst_port = (uint16_t)(1 + rng_next(&rng) % 65535), .up = (uint16_t)rng_next(&rng)};

		seg.flags = (uint8_t)(TCP_ACK | (rng_next(&rng) & (TCP_FIN | TCP_PSH | TCP_CWR | TCP_ECE | TCP_URG)));
		text[rng_next(&rng) % sizeof text] ^= 0xff;
		cuts(&seg, 1 + (uint32_t)(rng_next(&rng) % 20000), 1 + (uint32_t)(rng_next(&rng) % 3000));
	}
}
END_TEST

START_TEST(headers_that_are_none_are_refused)
{
	uint8_t head[TAPIR_OUT_HEAD];
	uint16_t len = headers(head, &plain, 3000, 1);
	struct cut cut;

	ck_assert(cut_begin(&cut, span_of(head, len), LINK));
	for (uint16_t n = 0; n < len; n++)
		ck_assert(!cut_begin(&cut, span_of(head, n), LINK));
	ck_assert(!cut_begin(&cut, span_of(head, len + 4u), LINK));
	ck_assert(!cut_begin(&cut, span_of(head, len), 0));
	head[LINK] = 0x65;
	ck_assert(!cut_begin(&cut, span_of(head, len), LINK));
	head[LINK] = 0x44;
	ck_assert(!cut_begin(&cut, span_of(head, len), LINK));
	head[LINK] = 0x45;
	head[LINK + 9] = IP_PROTO_UDP;
	ck_assert(!cut_begin(&cut, span_of(head, len), LINK));
	head[LINK + 9] = IP_PROTO_TCP;
	head[LINK + IPV4_HEADER + 12] = 0x40;
	ck_assert(!cut_begin(&cut, span_of(head, len), LINK));
}
END_TEST

Suite *suite(void)
{
	Suite *s = suite_create("wire/cut");
	TCase *c = tcase_create("cut");

	tcase_add_test(c, every_field_of_every_segment_is_right);
	tcase_add_test(c, fin_and_psh_are_the_last_ones_and_cwr_is_the_first_ones);
	tcase_add_test(c, random_ones_are_right);
	tcase_add_test(c, headers_that_are_none_are_refused);
	suite_add_tcase(s, c);
	return s;
}
