/* test_wire_tcp.c: TCP segments (RFC 9293 3.1, 3.2; RFC 7323 2 and 3; RFC 2018; RFC 7413 4.1.1): known bytes, both
 * directions, the options in all their shapes, every truncation, random and mutated bytes. */
#include <check.h>
#include "stack/base/siphash.h"
#include "stack/wire/checksum.h"
#include "stack/wire/ipv4.h"
#include "stack/wire/tcp.h"
#include "tests/support/exact.h"

static struct tapir_addr src, dst;

static void set_addresses(void)
{
	src = tapir_ipv4(10, 0, 0, 1);
	dst = tapir_ipv4(10, 0, 0, 2);
}

/* A Linux SYN: mss 1460, SACK permitted, timestamps 0x11223344 and 0, window scale 7. */
static const uint8_t syn_options[20] = {2, 4, 0x05, 0xb4, 4, 2, 8, 10, 0x11, 0x22, 0x33, 0x44, 0, 0, 0, 0, 1, 3, 3, 7};

static void fill_random(struct rng *rng, uint8_t *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		p[i] = (uint8_t)rng_next(rng);
}

static void fix_checksum(uint8_t *p, size_t n)
{
	uint64_t sum = checksum_pseudo(&src, &dst, IP_PROTO_TCP, (uint32_t)n);

	put_be16(p + TCP_CHECKSUM_AT, 0);
	put_be16(p + TCP_CHECKSUM_AT, checksum_finish(checksum_add(sum, span_of(p, n))));
}

/* The verdict on the segment at p, from memory of exactly its size; *seg outlives it, but for the text. */
static enum tapir_verdict parse(const uint8_t *p, size_t n, bool checked, struct tcp_seg *seg)
{
	struct span s = exact_copy(p, n);
	enum tapir_verdict v = tcp_parse(s, &src, &dst, checked, seg);

	if (v == ACCEPT) {
		size_t header = (size_t)(p[12] >> 4) * 4;

		ck_assert_ptr_eq(seg->text.p, s.p + header);
		ck_assert_uint_eq(seg->text.n, n - header);
		ck_assert_uint_eq(seg->len, seg->text.n + !!(seg->flags & TCP_SYN) + !!(seg->flags & TCP_FIN));
		ck_assert_uint_le(seg->opt.wscale, 14);
		ck_assert_uint_le(seg->opt.sack_count, TCP_SACK_BLOCKS);
	}
	exact_free(s);
	return v;
}

/* A segment with these options (padded with zero bytes) and the text "text", parsed to *seg. */
static enum tapir_verdict parse_options(const uint8_t *options, size_t n, struct tcp_seg *seg)
{
	uint8_t p[TCP_HEADER_MAX + 4] = {0, 1, 0, 2};
	size_t header = TCP_HEADER + (n + 3) / 4 * 4;

	memcpy(p + TCP_HEADER, options, n);
	memcpy(p + header, "text", 4);
	p[12] = (uint8_t)(header / 4 << 4);
	p[13] = TCP_ACK;
	fix_checksum(p, header + 4);
	return parse(p, header + 4, false, seg);
}

static bool options_equal(const struct tcp_options *a, const struct tcp_options *b)
{
	if (a->mss != b->mss || a->has_wscale != b->has_wscale || a->sack_permitted != b->sack_permitted ||
	    a->has_ts != b->has_ts || a->sack_count != b->sack_count)
		return false;
	if ((a->has_wscale && a->wscale != b->wscale) || (a->has_ts && (a->ts_val != b->ts_val || a->ts_ecr != b->ts_ecr)))
		return false;
	for (int i = 0; i < a->sack_count; i++)
		if (a->sack[i].start.n != b->sack[i].start.n || a->sack[i].end.n != b->sack[i].end.n)
			return false;
	return a->has_fastopen == b->has_fastopen && a->fastopen.len == b->fastopen.len &&
	       memcmp(a->fastopen.bytes, b->fastopen.bytes, a->fastopen.len) == 0;
}

START_TEST(a_bare_syn_parses_to_its_values)
{
	uint8_t p[TCP_HEADER] = {0x9c, 0x40, 0, 7, 0x12, 0x34, 0x56, 0x78, 0x9a, 0xbc, 0xde, 0xf0, 0x50, 0x02, 0xfa, 0xf0,
				 0, 0, 0x01, 0x02};
	struct tcp_seg seg;

	fix_checksum(p, sizeof p);
	ck_assert_int_eq(parse(p, sizeof p, false, &seg), ACCEPT);
	ck_assert_uint_eq(seg.src_port, 40000);
	ck_assert_uint_eq(seg.dst_port, 7);
	ck_assert_uint_eq(seg.seq.n, 0x12345678);
	ck_assert_uint_eq(seg.ack.n, 0x9abcdef0);
	ck_assert_uint_eq(seg.flags, TCP_SYN);
	ck_assert_uint_eq(seg.wnd, 64240);
	ck_assert_uint_eq(seg.up, 0x0102);
	ck_assert_uint_eq(seg.len, 1);
	ck_assert(options_equal(&seg.opt, &(struct tcp_options){0}));
}
END_TEST

START_TEST(the_options_of_a_linux_syn_are_read_and_written_alike)
{
	struct tcp_seg seg = {.src_port = 1, .dst_port = 2, .flags = TCP_SYN,
			      .opt = {.mss = 1460, .sack_permitted = true, .has_ts = true, .ts_val = 0x11223344,
				      .has_wscale = true, .wscale = 7}}, back;
	uint8_t p[TCP_HEADER_MAX];

	ck_assert_uint_eq(tcp_header_len(&seg), 40);
	tcp_emit(&seg, p);
	ck_assert_mem_eq(p + TCP_HEADER, syn_options, sizeof syn_options);
	ck_assert_uint_eq(p[12], 0xa0);
	ck_assert_int_eq(parse(p, 40, true, &back), ACCEPT);
	ck_assert(options_equal(&back.opt, &seg.opt));
}
END_TEST

START_TEST(timestamps_and_blocks_lie_at_multiples_of_four)
{
	struct tcp_seg seg = {.flags = TCP_ACK, .opt = {.has_ts = true, .ts_val = 1, .ts_ecr = 2, .sack_count = 1,
							.sack = {{{3}, {4}}}}};
	static const uint8_t wanted[] = {1, 1, 8, 10, 0, 0, 0, 1, 0, 0, 0, 2, 1, 1, 5, 10, 0, 0, 0, 3, 0, 0, 0, 4};
	uint8_t p[TCP_HEADER_MAX];

	ck_assert_uint_eq(tcp_header_len(&seg), TCP_HEADER + sizeof wanted);
	tcp_emit(&seg, p);
	ck_assert_mem_eq(p + TCP_HEADER, wanted, sizeof wanted);
}
END_TEST

static struct tcp_seg random_segment(struct rng *rng)
{
	struct tcp_seg seg = {.src_port = (uint16_t)(1 + rng_below(rng, 65535)), .dst_port = (uint16_t)(1 + rng_below(rng, 65535)),
			      .seq = {(uint32_t)rng_next(rng)}, .ack = {(uint32_t)rng_next(rng)}, .wnd = rng_below(rng, 65536),
			      .up = (uint16_t)rng_next(rng), .flags = (uint8_t)rng_next(rng)};
	struct tcp_options *o = &seg.opt;

	o->mss = (uint16_t)(rng_below(rng, 2) * rng_below(rng, 65536));
	o->has_ts = rng_below(rng, 2);
	o->ts_val = (uint32_t)rng_next(rng);
	o->ts_ecr = (uint32_t)rng_next(rng);
	o->sack_permitted = rng_below(rng, 2);
	o->has_wscale = rng_below(rng, 2);
	o->wscale = (uint8_t)rng_below(rng, 15);
	o->has_fastopen = rng_below(rng, 2);
	if (o->has_fastopen && rng_below(rng, 4)) {
		o->fastopen.len = (uint8_t)(TCP_FASTOPEN_MIN + 2 * rng_below(rng, 7));
		fill_random(rng, o->fastopen.bytes, o->fastopen.len);
	}
	o->sack_count = (uint8_t)rng_below(rng, TCP_SACK_BLOCKS + 1);
	for (int i = 0; i < o->sack_count; i++)
		o->sack[i] = (struct sack_block){{(uint32_t)rng_next(rng)}, {(uint32_t)rng_next(rng)}};
	return seg;
}

/* As many blocks as fit beside the other options in the layout that tcp.h promises. */
static uint8_t blocks_that_fit(const struct tcp_options *o)
{
	unsigned used = (o->mss ? 4u : 0u) + (o->has_ts ? 12u : o->sack_permitted ? 4u : 0u) + (o->has_wscale ? 4u : 0u);
	unsigned room = 40 - used - (o->has_fastopen ? (2u + o->fastopen.len + 3u) / 4 * 4 : 0);
	unsigned fit = room < 4 ? 0 : (room - 4) / 8;

	return (uint8_t)(o->sack_count < fit ? o->sack_count : fit);
}

START_TEST(parse_is_the_inverse_of_emit_and_blocks_that_do_not_fit_are_left_out)
{
	uint8_t p[TCP_HEADER_MAX + 50];
	struct rng rng;

	rng_seed(&rng, 9293, 0);
	for (int i = 0; i < 20000; i++) {
		struct tcp_seg seg = random_segment(&rng), back;
		size_t text = rng_below(&rng, 51), header = tcp_header_len(&seg);

		ck_assert(header >= TCP_HEADER && header <= TCP_HEADER_MAX && header % 4 == 0);
		fill_random(&rng, p, sizeof p);
		tcp_emit(&seg, p);
		ck_assert_uint_eq(get_be16(p + TCP_CHECKSUM_AT), 0);
		fix_checksum(p, header + text);
		ck_assert_int_eq(parse(p, header + text, false, &back), ACCEPT);
		seg.opt.sack_count = blocks_that_fit(&seg.opt);
		ck_assert(options_equal(&back.opt, &seg.opt));
		ck_assert_uint_eq(back.text.n, text);
		ck_assert(back.src_port == seg.src_port && back.dst_port == seg.dst_port && back.seq.n == seg.seq.n &&
			  back.ack.n == seg.ack.n && back.flags == seg.flags && back.wnd == seg.wnd && back.up == seg.up);
	}
}
END_TEST

START_TEST(emit_writes_no_byte_behind_the_header)
{
	uint8_t p[TCP_HEADER_MAX + 8];
	struct rng rng;

	rng_seed(&rng, 9293, 1);
	for (int i = 0; i < 2000; i++) {
		struct tcp_seg seg = random_segment(&rng);
		size_t header = tcp_header_len(&seg);

		memset(p, 0xcc, sizeof p);
		tcp_emit(&seg, p);
		for (size_t at = header; at < sizeof p; at++)
			ck_assert_uint_eq(p[at], 0xcc);
	}
}
END_TEST

START_TEST(a_segment_cut_anywhere_in_its_header_is_refused)
{
	uint8_t p[TCP_HEADER_MAX + 10] = {0, 1, 0, 2, [12] = 0xf0, [13] = TCP_ACK};
	struct tcp_seg seg;

	memset(p + TCP_HEADER, 1, 40);			/* NOPs */
	fix_checksum(p, sizeof p);
	for (size_t n = 0; n < TCP_HEADER_MAX; n++)
		ck_assert_int_eq(parse(p, n, true, &seg), n < TCP_HEADER ? DROP_TCP_SHORT : DROP_TCP_OFFSET);
	for (size_t n = TCP_HEADER_MAX; n < sizeof p; n++) {
		ck_assert_int_eq(parse(p, n, false, &seg), DROP_TCP_CHECKSUM);
		ck_assert_int_eq(parse(p, n, true, &seg), ACCEPT);
	}
	ck_assert_int_eq(parse(p, sizeof p, false, &seg), ACCEPT);
}
END_TEST

START_TEST(an_offset_below_five_words_is_refused)
{
	uint8_t p[TCP_HEADER] = {0, 1, 0, 2};
	struct tcp_seg seg;

	for (unsigned words = 0; words < 16; words++) {
		p[12] = (uint8_t)(words << 4);
		ck_assert_int_eq(parse(p, sizeof p, true, &seg), words == 5 ? ACCEPT : DROP_TCP_OFFSET);
	}
}
END_TEST

START_TEST(any_flipped_bit_is_noticed_by_the_checksum)
{
	uint8_t p[TCP_HEADER + 11] = {0, 1, 0, 2, [12] = 0x50, [13] = TCP_ACK};
	struct tcp_seg seg;

	memcpy(p + TCP_HEADER, "some text..", 11);
	fix_checksum(p, sizeof p);
	for (size_t bit = 0; bit < 8 * sizeof p; bit++) {
		p[bit / 8] ^= (uint8_t)(1 << bit % 8);
		ck_assert_int_ne(parse(p, sizeof p, false, &seg), ACCEPT);
		p[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
	ck_assert_int_eq(parse(p, sizeof p, false, &seg), ACCEPT);
	dst = tapir_ipv4(10, 0, 0, 3);
	ck_assert_int_eq(parse(p, sizeof p, false, &seg), DROP_TCP_CHECKSUM);
}
END_TEST

START_TEST(port_0_is_refused_on_either_side)
{
	uint8_t p[TCP_HEADER] = {0, 0, 0, 2, [12] = 0x50};
	struct tcp_seg seg;

	ck_assert_int_eq(parse(p, sizeof p, true, &seg), DROP_TCP_PORT_ZERO);
	p[1] = 1;
	p[3] = 0;
	ck_assert_int_eq(parse(p, sizeof p, true, &seg), DROP_TCP_PORT_ZERO);
}
END_TEST

START_TEST(unknown_options_are_skipped)	/* RFC 9293 3.1 (MUST-6) */
{
	static const uint8_t options[] = {253, 4, 0xf9, 0x89, 2, 4, 0x05, 0xb4, 99, 2, 1, 3, 3, 5, 0, 0};
	struct tcp_seg seg;

	ck_assert_int_eq(parse_options(options, sizeof options, &seg), ACCEPT);
	ck_assert_uint_eq(seg.opt.mss, 1460);
	ck_assert(seg.opt.has_wscale);
	ck_assert_uint_eq(seg.opt.wscale, 5);
	ck_assert(!seg.opt.has_ts && !seg.opt.sack_permitted && !seg.opt.sack_count);
}
END_TEST

START_TEST(known_options_of_a_wrong_length_are_skipped)
{
	static const uint8_t options[] = {2, 3, 9, 3, 4, 9, 9, 4, 3, 9, 8, 9, 9, 9, 9, 9, 9, 9, 9, 5, 9, 9, 9, 9, 9, 9, 9, 9, 5, 2};
	struct tcp_seg seg;

	ck_assert_int_eq(parse_options(options, sizeof options, &seg), ACCEPT);
	ck_assert(options_equal(&seg.opt, &(struct tcp_options){0}));
}
END_TEST

START_TEST(a_fast_open_option_is_read_and_written_alike)	/* RFC 7413 4.1.1 */
{
	static const uint8_t cookie[] = {34, 10, 1, 2, 3, 4, 5, 6, 7, 8, 1, 1}, request[] = {34, 2, 1, 1};
	struct tcp_seg seg;
	uint8_t p[TCP_HEADER_MAX];

	ck_assert_int_eq(parse_options(cookie, sizeof cookie, &seg), ACCEPT);
	ck_assert(seg.opt.has_fastopen);
	ck_assert_uint_eq(seg.opt.fastopen.len, 8);
	ck_assert_mem_eq(seg.opt.fastopen.bytes, cookie + 2, 8);
	ck_assert_uint_eq(tcp_header_len(&seg), TCP_HEADER + sizeof cookie);
	tcp_emit(&seg, p);
	ck_assert_mem_eq(p + TCP_HEADER, cookie, sizeof cookie);
	ck_assert_int_eq(parse_options(request, sizeof request, &seg), ACCEPT);
	ck_assert(seg.opt.has_fastopen && seg.opt.fastopen.len == 0);
	tcp_emit(&seg, p);
	ck_assert_mem_eq(p + TCP_HEADER, request, sizeof request);
}
END_TEST

START_TEST(a_fast_open_cookie_of_an_impossible_length_is_skipped)	/* RFC 7413 4.1.1: 4 to 16 bytes, an even number */
{
	for (uint8_t n = 1; n <= 38; n++) {
		uint8_t options[40] = {34, (uint8_t)(2 + n)};
		struct tcp_seg seg;

		ck_assert_int_eq(parse_options(options, 2u + n, &seg), ACCEPT);
		ck_assert_int_eq(seg.opt.has_fastopen, n >= 4 && n <= 16 && n % 2 == 0);
	}
}
END_TEST

START_TEST(an_option_list_that_does_not_add_up_is_refused)	/* RFC 9293 3.1 (MUST-7) */
{
	static const uint8_t zero[] = {2, 0, 5, 180}, one[] = {2, 1, 5, 180}, past[] = {2, 5, 5, 180}, alone[] = {1, 1, 1, 8};
	static const uint8_t second_past[] = {2, 4, 5, 180, 8, 10, 1, 2};
	struct tcp_seg seg;

	ck_assert_int_eq(parse_options(zero, sizeof zero, &seg), DROP_TCP_OPTION);
	ck_assert_int_eq(parse_options(one, sizeof one, &seg), DROP_TCP_OPTION);
	ck_assert_int_eq(parse_options(past, sizeof past, &seg), DROP_TCP_OPTION);
	ck_assert_int_eq(parse_options(alone, sizeof alone, &seg), DROP_TCP_OPTION);
	ck_assert_int_eq(parse_options(second_past, sizeof second_past, &seg), DROP_TCP_OPTION);
}
END_TEST

START_TEST(nothing_behind_the_end_of_the_list_counts)
{
	static const uint8_t options[] = {1, 0, 3, 3, 2, 4, 5, 180, 8, 0};
	struct tcp_seg seg;

	ck_assert_int_eq(parse_options(options, sizeof options, &seg), ACCEPT);
	ck_assert(options_equal(&seg.opt, &(struct tcp_options){0}));
}
END_TEST

START_TEST(a_window_scale_above_fourteen_is_cut_to_fourteen)	/* RFC 7323 2.3 */
{
	for (unsigned shift = 0; shift < 256; shift++) {
		uint8_t options[] = {1, 3, 3, (uint8_t)shift};
		struct tcp_seg seg;

		ck_assert_int_eq(parse_options(options, sizeof options, &seg), ACCEPT);
		ck_assert(seg.opt.has_wscale);
		ck_assert_uint_eq(seg.opt.wscale, shift < 14 ? shift : 14);
	}
}
END_TEST

START_TEST(four_sack_blocks_are_read)
{
	uint8_t options[36] = {1, 1, 5, 34};
	struct tcp_seg seg;

	for (uint32_t i = 0; i < 8; i++)
		put_be32(options + 4 + 4 * i, 1000 * i);
	ck_assert_int_eq(parse_options(options, sizeof options, &seg), ACCEPT);
	ck_assert_uint_eq(seg.opt.sack_count, 4);
	for (uint32_t i = 0; i < 4; i++) {
		ck_assert_uint_eq(seg.opt.sack[i].start.n, 2000 * i);
		ck_assert_uint_eq(seg.opt.sack[i].end.n, 2000 * i + 1000);
	}
}
END_TEST

START_TEST(random_options_are_walked_within_their_bounds)
{
	uint8_t options[40];
	struct rng rng;

	rng_seed(&rng, 9293, 2);
	for (int i = 0; i < 30000; i++) {
		size_t n = rng_below(&rng, sizeof options + 1);
		struct tcp_seg seg;
		enum tapir_verdict v;

		for (size_t at = 0; at < n; at++)
			options[at] = (uint8_t)(rng_below(&rng, 3) ? rng_below(&rng, 12) : rng_next(&rng));
		v = parse_options(options, n, &seg);
		ck_assert(v == ACCEPT || v == DROP_TCP_OPTION);
	}
}
END_TEST

START_TEST(random_bytes_get_a_verdict_of_tcp)
{
	uint8_t bytes[90];
	struct rng rng;

	rng_seed(&rng, 9293, 3);
	for (int i = 0; i < 50000; i++) {
		size_t n = rng_below(&rng, sizeof bytes + 1);
		struct tcp_seg seg;
		enum tapir_verdict v;

		fill_random(&rng, bytes, n);
		if (n >= TCP_HEADER && i % 4)
			bytes[12] |= 0x50;
		v = parse(bytes, n, i % 2, &seg);
		ck_assert(v == ACCEPT || (v >= DROP_TCP_SHORT && v <= DROP_TCP_PORT_ZERO));
	}
}
END_TEST

Suite *suite(void)
{
	Suite *s = suite_create("wire/tcp");
	TCase *c = tcase_create("RFC 9293 3.1");

	tcase_add_checked_fixture(c, set_addresses, NULL);
	tcase_add_test(c, a_bare_syn_parses_to_its_values);
	tcase_add_test(c, the_options_of_a_linux_syn_are_read_and_written_alike);
	tcase_add_test(c, timestamps_and_blocks_lie_at_multiples_of_four);
	tcase_add_test(c, parse_is_the_inverse_of_emit_and_blocks_that_do_not_fit_are_left_out);
	tcase_add_test(c, emit_writes_no_byte_behind_the_header);
	tcase_add_test(c, a_segment_cut_anywhere_in_its_header_is_refused);
	tcase_add_test(c, an_offset_below_five_words_is_refused);
	tcase_add_test(c, any_flipped_bit_is_noticed_by_the_checksum);
	tcase_add_test(c, port_0_is_refused_on_either_side);
	tcase_add_test(c, unknown_options_are_skipped);
	tcase_add_test(c, known_options_of_a_wrong_length_are_skipped);
	tcase_add_test(c, a_fast_open_option_is_read_and_written_alike);
	tcase_add_test(c, a_fast_open_cookie_of_an_impossible_length_is_skipped);
	tcase_add_test(c, an_option_list_that_does_not_add_up_is_refused);
	tcase_add_test(c, nothing_behind_the_end_of_the_list_counts);
	tcase_add_test(c, a_window_scale_above_fourteen_is_cut_to_fourteen);
	tcase_add_test(c, four_sack_blocks_are_read);
	tcase_add_test(c, random_options_are_walked_within_their_bounds);
	tcase_add_test(c, random_bytes_get_a_verdict_of_tcp);
	suite_add_tcase(s, c);
	return s;
}
