/* test_base_stream.c: queues of bytes made of frames, against a plain array of bytes: order, slices, what is pinned, and
 * that all of it goes back to the pools. */
#include <check.h>
#include <stdlib.h>
#include "stack/base/frame.h"
#include "stack/base/siphash.h"

#define SMALL 64u
#define LARGE 8u

static struct frame_pools pools;
static uint8_t *memory;
static struct stream stream;
static uint8_t pattern[400000];

static void set_up(void)
{
	memory = aligned_alloc(64, frame_pools_size(SMALL, LARGE));
	ck_assert_ptr_nonnull(memory);
	frame_pools_init(&pools, memory, SMALL, LARGE);
	memset(&stream, 0, sizeof stream);
	for (size_t i = 0; i < sizeof pattern; i++)
		pattern[i] = (uint8_t)(i * 7 + i / 251);
}

static void tear_down(void)
{
	stream_clear(&stream, &pools);
	ck_assert_uint_eq(stream.bytes, 0);
	ck_assert_uint_eq(pools.small.used + pools.large.used + pools.borrowed.used, 0);
	free(memory);
}

/* The stream's own book-keeping, and that it holds exactly the n bytes at wanted. */
static void holds(const struct stream *s, const uint8_t *wanted, uint32_t n)
{
	uint32_t bytes = 0;
	const struct tapir_frame *last = NULL;

	for (const struct tapir_frame *f = s->head; f; last = f, f = f->next) {
		ck_assert_uint_gt(f->len, 0);
		ck_assert_uint_le(bytes + f->len, n);
		ck_assert_mem_eq(f->data, wanted + bytes, f->len);
		bytes += f->len;
	}
	ck_assert_uint_eq(bytes, n);
	ck_assert_uint_eq(s->bytes, n);
	ck_assert_ptr_eq(s->tail, last);
}

/* A frame from the pools with n bytes of pattern from at on. */
static struct tapir_frame *frame_with(uint32_t cap, uint32_t at, uint32_t n)
{
	struct tapir_frame *f = frame_get(&pools, cap);

	ck_assert_ptr_nonnull(f);
	memcpy(f->data, pattern + at, n);
	f->len = n;
	return f;
}

START_TEST(appended_bytes_come_out_in_order)
{
	uint32_t at = 0;

	for (uint32_t n = 0; n < 200; n++) {
		ck_assert_uint_eq(stream_append(&stream, &pools, pattern + at, n), n);
		at += n;
		holds(&stream, pattern, at);
	}
}
END_TEST

START_TEST(small_pieces_fill_the_last_frame_before_a_new_one_is_taken)
{
	for (uint32_t i = 0; i < 2 * FRAME_SMALL; i++)
		ck_assert_uint_eq(stream_append(&stream, &pools, pattern + i, 1), 1);
	ck_assert_uint_eq(pools.small.used, 2);
	holds(&stream, pattern, 2 * FRAME_SMALL);
}
END_TEST

START_TEST(many_bytes_at_once_take_a_large_frame)
{
	ck_assert_uint_eq(stream_append(&stream, &pools, pattern, 60000), 60000);
	ck_assert_uint_eq(pools.large.used, 1);
	ck_assert_uint_eq(pools.small.used, 0);
	holds(&stream, pattern, 60000);
}
END_TEST

START_TEST(a_full_pool_takes_a_part_and_leaves_the_reserve)
{
	uint32_t room = (SMALL - SMALL / 8) * FRAME_SMALL + (LARGE - LARGE / 8) * FRAME_LARGE;
	uint32_t taken = 0, now;

	do {
		now = stream_append(&stream, &pools, pattern + taken % 1000, 100000);
		taken += now;
	} while (now == 100000);
	ck_assert_uint_eq(taken, room);
	ck_assert_uint_eq(stream.bytes, room);
	ck_assert_uint_eq(stream_append(&stream, &pools, pattern, 1), 0);
	ck_assert_uint_eq(pools.small.used, SMALL - SMALL / 8);
	ck_assert_uint_eq(pools.large.used, LARGE - LARGE / 8);
}
END_TEST

START_TEST(slices_show_any_part_without_a_copy)
{
	struct span spans[100];
	struct rng rng;

	rng_seed(&rng, 1, 1);
	for (uint32_t at = 0; at < 30000; at += 300)
		stream_append_frame(&stream, &pools, frame_with(300, at, 300));
	for (int round = 0; round < 2000; round++) {
		uint32_t offset = rng_below(&rng, 30100), n = rng_below(&rng, 5000), got, seen = 0;
		int max = (int)rng_below(&rng, 8), count = stream_slice(&stream, offset, n, spans, max, &got);

		ck_assert_int_le(count, max);
		for (int i = 0; i < count; i++) {
			ck_assert_uint_gt(spans[i].n, 0);
			ck_assert_mem_eq(spans[i].p, pattern + offset + seen, spans[i].n);
			seen += (uint32_t)spans[i].n;
		}
		ck_assert_uint_eq(seen, got);
		ck_assert_uint_le(got, n);
		/* short only for want of slots or of bytes */
		ck_assert(got == n || count == max || offset + got >= 30000);
	}
}
END_TEST

START_TEST(copy_takes_what_there_is)
{
	static uint8_t buf[4096];

	for (uint32_t at = 0; at < 3000; at += 100)
		stream_append_frame(&stream, &pools, frame_with(100, at, 100));
	for (uint32_t offset = 0; offset <= 3100; offset += 7) {
		uint32_t left = offset < 3000 ? 3000 - offset : 0;

		ck_assert_uint_eq(stream_copy(&stream, offset, buf, sizeof buf), left);
		ck_assert_mem_eq(buf, pattern + offset, left);
		ck_assert_uint_eq(stream_copy(&stream, offset, buf, 5), left < 5 ? left : 5);
	}
	holds(&stream, pattern, 3000);
}
END_TEST

START_TEST(consume_drops_from_the_front_and_gives_frames_back)
{
	uint32_t at = 0;

	stream_append(&stream, &pools, pattern, 70000);
	for (uint32_t n = 0; at + n < 70000; n += 13) {
		stream_consume(&stream, &pools, n);
		at += n;
		holds(&stream, pattern + at, 70000 - at);
	}
	stream_consume(&stream, &pools, 70000 - at);
	holds(&stream, NULL, 0);
	ck_assert_uint_eq(pools.small.used + pools.large.used, 0);
	stream_consume(&stream, &pools, 0);
}
END_TEST

START_TEST(a_well_filled_frame_is_taken_over_without_a_copy)
{
	struct tapir_frame *f = frame_with(1, 0, 1460);

	stream_append_frame(&stream, &pools, f);
	ck_assert_ptr_eq(stream.head, f);
	holds(&stream, pattern, 1460);
}
END_TEST

START_TEST(a_small_text_does_not_pin_a_large_frame)
{
	stream_append_frame(&stream, &pools, frame_with(FRAME_LARGE, 0, 5000));
	holds(&stream, pattern, 5000);
	ck_assert_uint_eq(pools.large.used, 0);
	ck_assert_uint_eq(pools.small.used, 3);
}
END_TEST

START_TEST(tiny_texts_share_frames)
{
	for (uint32_t i = 0; i < 1000; i++)
		stream_append_frame(&stream, &pools, frame_with(1, 10 * i, 10));
	holds(&stream, pattern, 10000);
	ck_assert_uint_le(pools.small.used, 6);
}
END_TEST

START_TEST(a_wasteful_frame_stays_as_it_is_when_there_is_nothing_to_copy_to)
{
	struct frameq taken = {0};
	struct tapir_frame *f = frame_with(FRAME_LARGE, 0, 5000), *small;

	while ((small = frame_get_for_queue(&pools, 1)))
		frameq_push(&taken, small);
	stream_append_frame(&stream, &pools, f);
	ck_assert_ptr_eq(stream.head, f);
	holds(&stream, pattern, 5000);
	frameq_clear(&taken, &pools);
}
END_TEST

static int given_back;

static void note_done(void *ctx, const uint8_t *p)
{
	(void)ctx;
	ck_assert_ptr_eq(p, pattern + 100);
	given_back++;
}

static void append_borrowed(uint32_t n)
{
	struct tapir_frame *f = frame_get_borrowed(&pools, pattern + 100, n);

	f->u.borrowed.done = note_done;
	stream_append_frame(&stream, &pools, f);
}

START_TEST(borrowed_bytes_are_neither_copied_nor_written_and_are_given_back_when_the_last_is_consumed)
{
	given_back = 0;
	stream_append(&stream, &pools, pattern, 100);
	append_borrowed(50);
	ck_assert_ptr_eq(stream.tail->data, pattern + 100);
	stream_append(&stream, &pools, pattern + 150, 850);	/* goes to a new frame, not behind the program's bytes */
	holds(&stream, pattern, 1000);
	stream_consume(&stream, &pools, 149);
	ck_assert_int_eq(given_back, 0);
	stream_consume(&stream, &pools, 1);
	ck_assert_int_eq(given_back, 1);
	holds(&stream, pattern + 150, 850);
	append_borrowed(50);
	stream_clear(&stream, &pools);
	ck_assert_int_eq(given_back, 2);
}
END_TEST

START_TEST(join_moves_everything_behind)
{
	struct stream other = {0};

	stream_join(&stream, &other);
	holds(&stream, NULL, 0);
	stream_append(&other, &pools, pattern, 5000);
	stream_join(&stream, &other);		/* to an empty one */
	holds(&stream, pattern, 5000);
	holds(&other, NULL, 0);
	stream_append(&other, &pools, pattern + 5000, 3000);
	stream_join(&stream, &other);
	holds(&stream, pattern, 8000);
	stream_join(&stream, &other);		/* of an empty one */
	holds(&stream, pattern, 8000);
	ck_assert_uint_eq(stream_append(&stream, &pools, pattern + 8000, 10), 10);
	holds(&stream, pattern, 8010);
}
END_TEST

START_TEST(move_takes_whole_frames_as_they_are_and_a_part_of_the_first_as_a_copy)
{
	struct tapir_frame *f = frame_with(1, 0, 1460), *g = frame_with(1, 1460, 1460);
	struct stream from = {0};

	ck_assert_uint_eq(stream_move(&stream, &from, &pools, 10), 0);
	stream_append_frame(&from, &pools, f);
	stream_append_frame(&from, &pools, g);
	ck_assert_uint_eq(stream_move(&stream, &from, &pools, 0), 0);
	ck_assert_uint_eq(stream_move(&stream, &from, &pools, 2000), 1460);	/* the second would have to be copied */
	ck_assert_ptr_eq(stream.head, f);
	holds(&stream, pattern, 1460);
	holds(&from, pattern + 1460, 1460);
	ck_assert_uint_eq(stream_move(&stream, &from, &pools, 540), 540);	/* now it is */
	holds(&stream, pattern, 2000);
	holds(&from, pattern + 2000, 920);
	ck_assert_uint_eq(stream_move(&stream, &from, &pools, UINT32_MAX), 920);
	holds(&stream, pattern, 2920);
	holds(&from, NULL, 0);
}
END_TEST

/* One random act on a stream that holds pattern[at, end). */
static void act(struct rng *rng, uint32_t *at, uint32_t *end)
{
	uint32_t n = rng_below(rng, rng_below(rng, 4) ? 200 : 9000), cap;

	switch (rng_below(rng, 3)) {
	case 0:
		*end += stream_append(&stream, &pools, pattern + *end, n);
		break;
	case 1:
		cap = n > FRAME_SMALL || rng_below(rng, 4) == 0 ? FRAME_LARGE : 1;
		if (pools.large.count - pools.large.used < 2 || pools.small.count - pools.small.used < 2)
			break;
		stream_append_frame(&stream, &pools, frame_with(cap, *end, n));
		*end += n;
		break;
	default:
		n = n < *end - *at ? n : *end - *at;
		stream_consume(&stream, &pools, n);
		*at += n;
		break;
	}
}

START_TEST(random_use_matches_a_plain_array)
{
	struct rng rng;

	for (uint64_t seed = 0; seed < 20; seed++) {
		uint32_t at = 0, end = 0;

		rng_seed(&rng, seed, 20);
		while (end + 9000 < sizeof pattern && end - at < 300000) {
			act(&rng, &at, &end);
			holds(&stream, pattern + at, end - at);
			if (rng_below(&rng, 1000) == 0)
				break;
		}
		stream_clear(&stream, &pools);
	}
}
END_TEST

/* A byte's place is good until the byte is consumed, whatever comes behind it and goes before it. */
START_TEST(a_place_is_good_until_its_byte_is_consumed)
{
	struct rng rng;

	for (uint64_t seed = 0; seed < 20; seed++) {
		uint32_t at = 0, end = 0, here = 0, got;
		struct stream_place place = {0};
		struct span spans[8];

		rng_seed(&rng, seed, 21);
		while (end + 9000 < sizeof pattern && end - at < 300000) {
			act(&rng, &at, &end);
			if (here < at || !place.frame) {
				here = at + rng_below(&rng, end - at + 1);
				place = stream_place(&stream, here - at);
			}
			ck_assert(place.frame || here == end);
			for (int i = 0, n = stream_slice_on(&place, rng_below(&rng, 3000), spans, 8, &got); i < n; i++) {
				ck_assert_mem_eq(spans[i].p, pattern + here, spans[i].n);
				here += (uint32_t)spans[i].n;
			}
		}
		stream_clear(&stream, &pools);
	}
}
END_TEST

Suite *suite(void)
{
	Suite *s = suite_create("base/stream");
	TCase *c = tcase_create("stream");

	tcase_add_checked_fixture(c, set_up, tear_down);
	tcase_add_test(c, appended_bytes_come_out_in_order);
	tcase_add_test(c, small_pieces_fill_the_last_frame_before_a_new_one_is_taken);
	tcase_add_test(c, many_bytes_at_once_take_a_large_frame);
	tcase_add_test(c, a_full_pool_takes_a_part_and_leaves_the_reserve);
	tcase_add_test(c, slices_show_any_part_without_a_copy);
	tcase_add_test(c, copy_takes_what_there_is);
	tcase_add_test(c, consume_drops_from_the_front_and_gives_frames_back);
	tcase_add_test(c, a_well_filled_frame_is_taken_over_without_a_copy);
	tcase_add_test(c, a_small_text_does_not_pin_a_large_frame);
	tcase_add_test(c, tiny_texts_share_frames);
	tcase_add_test(c, a_wasteful_frame_stays_as_it_is_when_there_is_nothing_to_copy_to);
	tcase_add_test(c, borrowed_bytes_are_neither_copied_nor_written_and_are_given_back_when_the_last_is_consumed);
	tcase_add_test(c, join_moves_everything_behind);
	tcase_add_test(c, move_takes_whole_frames_as_they_are_and_a_part_of_the_first_as_a_copy);
	tcase_add_test(c, random_use_matches_a_plain_array);
	tcase_add_test(c, a_place_is_good_until_its_byte_is_consumed);
	suite_add_tcase(s, c);
	return s;
}
