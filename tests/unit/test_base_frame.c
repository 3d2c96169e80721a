/* test_base_frame.c: the pools of buffers and the queues of them: every buffer comes out once, goes back whole, and the
 * reserve for arriving frames is kept. */
#include <check.h>
#include <stdlib.h>
#include "stack/base/frame.h"
#include "stack/base/siphash.h"

#define SMALL 40u
#define LARGE 8u

static struct frame_pools pools;
static uint8_t *memory;

static void set_up(void)
{
	size_t n = frame_pools_size(SMALL, LARGE);

	ck_assert_uint_eq(n % 64, 0);
	memory = aligned_alloc(64, n);
	ck_assert_ptr_nonnull(memory);
	memset(memory, 0xa5, n);		/* what lies there must not matter */
	frame_pools_init(&pools, memory, SMALL, LARGE);
}

static void tear_down(void)
{
	ck_assert_uint_eq(pools.small.used, 0);
	ck_assert_uint_eq(pools.large.used, 0);
	ck_assert_uint_eq(pools.borrowed.used, 0);
	free(memory);
}

START_TEST(a_new_frame_is_empty_and_has_the_room_asked_for)
{
	static const uint32_t sizes[] = {0, 1, FRAME_SMALL, FRAME_SMALL + 1, FRAME_LARGE};

	for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
		struct tapir_frame *f = frame_get(&pools, sizes[i]);

		ck_assert_ptr_nonnull(f);
		ck_assert_uint_eq(f->cap, sizes[i] <= FRAME_SMALL ? FRAME_SMALL : FRAME_LARGE);
		ck_assert_uint_eq(f->len, 0);
		ck_assert_uint_eq(f->room, f->cap);
		ck_assert_ptr_eq(f->data, f->store);
		ck_assert_ptr_null(f->next);
		ck_assert_int_eq(f->offload.csum, TAPIR_CSUM_NONE);
		memset(f->data, 0xff, f->room);
		memset(&f->u, 0xff, sizeof f->u);
		memset(&f->offload, 0xff, sizeof f->offload);
		frame_put(&pools, f);
	}
	ck_assert_ptr_null(frame_get(&pools, FRAME_LARGE + 1));
}
END_TEST

START_TEST(all_storage_is_disjoint_and_within_the_memory_lent)
{
	struct tapir_frame *all[SMALL + LARGE];
	size_t n = frame_pools_size(SMALL, LARGE);

	for (uint32_t i = 0; i < SMALL + LARGE; i++) {
		all[i] = frame_get(&pools, i < SMALL ? 1 : FRAME_LARGE);
		ck_assert_ptr_nonnull(all[i]);
		ck_assert(all[i]->store >= memory && all[i]->store + all[i]->cap <= memory + n);
		memset(all[i]->store, (int)i, all[i]->cap);
	}
	for (uint32_t i = 0; i < SMALL + LARGE; i++) {
		for (uint32_t at = 0; at < all[i]->cap; at++)
			ck_assert_uint_eq(all[i]->store[at], i);
		frame_put(&pools, all[i]);
	}
}
END_TEST

START_TEST(a_large_frame_stands_in_when_the_small_ones_are_gone)
{
	struct tapir_frame *all[SMALL + LARGE];

	for (uint32_t i = 0; i < SMALL + LARGE; i++) {
		all[i] = frame_get(&pools, 100);
		ck_assert_ptr_nonnull(all[i]);
		ck_assert_uint_eq(all[i]->cap, i < SMALL ? FRAME_SMALL : FRAME_LARGE);
	}
	ck_assert_ptr_null(frame_get(&pools, 100));
	ck_assert_ptr_null(frame_get(&pools, FRAME_LARGE));
	for (uint32_t i = 0; i < SMALL + LARGE; i++)
		frame_put(&pools, all[i]);
}
END_TEST

START_TEST(a_program_gets_none_of_the_last_eighth)
{
	struct tapir_frame *all[SMALL + LARGE];
	uint32_t n = 0;

	while ((all[n] = frame_get_for_queue(&pools, 1)))
		n++;
	ck_assert_uint_eq(n, SMALL - SMALL / 8 + LARGE - LARGE / 8);
	ck_assert_ptr_null(frame_get_for_queue(&pools, FRAME_LARGE));
	all[n] = frame_get(&pools, 1);		/* but a frame that arrives does */
	ck_assert_ptr_nonnull(all[n]);
	ck_assert_uint_eq(all[n]->cap, FRAME_SMALL);
	for (uint32_t i = 0; i <= n; i++)
		frame_put(&pools, all[i]);
}
END_TEST

START_TEST(headroom_lies_in_front_of_the_room_asked_for)
{
	static const uint32_t sizes[] = {0, FRAME_SMALL - FRAME_HEADROOM, FRAME_SMALL - FRAME_HEADROOM + 1, 65535};

	for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
		struct tapir_frame *f = frame_get_headroom(&pools, sizes[i]);

		ck_assert_ptr_nonnull(f);
		ck_assert_uint_eq(f->cap, i < 2 ? FRAME_SMALL : FRAME_LARGE);
		ck_assert_uint_eq((size_t)(f->data - f->store), FRAME_HEADROOM);
		ck_assert_uint_ge(f->room, sizes[i]);
		ck_assert_ptr_eq(f->data + f->room, f->store + f->cap);
		frame_put(&pools, f);
	}
	ck_assert_ptr_null(frame_get_headroom(&pools, FRAME_LARGE));
	ck_assert_ptr_null(frame_get_headroom(&pools, UINT32_MAX));
}
END_TEST

START_TEST(push_and_pull_move_the_front_and_nothing_else)
{
	struct tapir_frame *f = frame_get_headroom(&pools, 100);
	uint8_t *end = f->data + f->room;

	f->len = 10;
	memcpy(f->data, "0123456789", 10);
	ck_assert_mem_eq(frame_push(f, 20) + 20, "0123456789", 10);
	ck_assert_uint_eq(f->len, 30);
	ck_assert_ptr_eq(f->data + f->room, end);
	frame_pull(f, 25);
	ck_assert_uint_eq(f->len, 5);
	ck_assert_mem_eq(f->data, "56789", 5);
	ck_assert_ptr_eq(f->data + f->room, end);
	frame_pull(f, 5);
	ck_assert_uint_eq(frame_span(f).n, 0);
	frame_put(&pools, f);
}
END_TEST

static const uint8_t *given_back;
static int times;

static void note_done(void *ctx, const uint8_t *p)
{
	ck_assert_ptr_eq(ctx, &given_back);
	given_back = p;
	times++;
}

START_TEST(borrowed_bytes_are_given_back_once_with_the_pointer_that_came)
{
	static const uint8_t bytes[1000] = "borrowed";
	struct tapir_frame *f = frame_get_borrowed(&pools, bytes, sizeof bytes);

	times = 0;
	f->u.borrowed.done = note_done;
	f->u.borrowed.ctx = &given_back;
	ck_assert_ptr_null(f->store);
	ck_assert_ptr_eq(f->data, bytes);
	ck_assert_uint_eq(f->len, sizeof bytes);
	frame_pull(f, 600);			/* part of it is acknowledged */
	ck_assert_int_eq(times, 0);
	frame_put(&pools, f);
	ck_assert_int_eq(times, 1);
	ck_assert_ptr_eq(given_back, bytes);
}
END_TEST

START_TEST(there_are_as_many_borrowed_descriptors_as_small_frames_and_they_take_no_storage)
{
	struct tapir_frame *all[SMALL];

	for (uint32_t i = 0; i < SMALL; i++) {
		all[i] = frame_get_borrowed(&pools, memory, 1);
		ck_assert_ptr_nonnull(all[i]);
	}
	ck_assert_ptr_null(frame_get_borrowed(&pools, memory, 1));
	ck_assert_uint_eq(pools.small.used + pools.large.used, 0);
	for (uint32_t i = 0; i < SMALL; i++)
		frame_put(&pools, all[i]);
}
END_TEST

START_TEST(a_queue_gives_back_what_it_got_in_order)
{
	struct frameq q = {0};
	struct tapir_frame *f[3];

	ck_assert_ptr_null(frameq_pop(&q));
	for (int round = 0; round < 3; round++) {
		for (int i = 0; i < 3; i++)
			frameq_push(&q, f[i] = frame_get(&pools, 1));
		ck_assert_uint_eq(q.count, 3);
		for (int i = 0; i < 3; i++) {
			ck_assert_ptr_eq(frameq_pop(&q), f[i]);
			frame_put(&pools, f[i]);
		}
		ck_assert_uint_eq(q.count, 0);
		ck_assert_ptr_null(frameq_pop(&q));
	}
	for (int i = 0; i < 3; i++)
		frameq_push(&q, frame_get(&pools, 1));
	frameq_clear(&q, &pools);
	ck_assert_uint_eq(q.count, 0);
	frame_put(&pools, NULL);
}
END_TEST

START_TEST(random_use_never_loses_or_doubles_a_frame)
{
	struct tapir_frame *held[SMALL + LARGE];
	uint32_t count = 0;
	struct rng rng;

	rng_seed(&rng, 2048, 0);
	for (int i = 0; i < 20000; i++) {
		if (rng_below(&rng, 2) && count < SMALL + LARGE) {
			struct tapir_frame *f = frame_get(&pools, 1 + rng_below(&rng, 4000));

			for (uint32_t j = 0; f && j < count; j++)
				ck_assert_ptr_ne(f, held[j]);
			if (f)
				held[count++] = f;
		} else if (count) {
			uint32_t victim = rng_below(&rng, count);

			frame_put(&pools, held[victim]);
			held[victim] = held[--count];
		}
		ck_assert_uint_eq(pools.small.used + pools.large.used, count);
	}
	while (count)
		frame_put(&pools, held[--count]);
}
END_TEST

Suite *suite(void)
{
	Suite *s = suite_create("base/frame");
	TCase *c = tcase_create("frames");

	tcase_add_checked_fixture(c, set_up, tear_down);
	tcase_add_test(c, a_new_frame_is_empty_and_has_the_room_asked_for);
	tcase_add_test(c, all_storage_is_disjoint_and_within_the_memory_lent);
	tcase_add_test(c, a_large_frame_stands_in_when_the_small_ones_are_gone);
	tcase_add_test(c, a_program_gets_none_of_the_last_eighth);
	tcase_add_test(c, headroom_lies_in_front_of_the_room_asked_for);
	tcase_add_test(c, push_and_pull_move_the_front_and_nothing_else);
	tcase_add_test(c, borrowed_bytes_are_given_back_once_with_the_pointer_that_came);
	tcase_add_test(c, there_are_as_many_borrowed_descriptors_as_small_frames_and_they_take_no_storage);
	tcase_add_test(c, a_queue_gives_back_what_it_got_in_order);
	tcase_add_test(c, random_use_never_loses_or_doubles_a_frame);
	suite_add_tcase(s, c);
	return s;
}
