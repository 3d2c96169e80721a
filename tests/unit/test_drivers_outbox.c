/* test_drivers_outbox.c: frames that are gathered and written together (drivers/outbox.c), to one end of a pair of sockets that
 * keep frames apart. What leaves is the same with io_uring, where the kernel permits it here, and without. */
#include <check.h>
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>
#include "drivers/outbox.h"

#define HEAD 14u
#define LARGE 40000u

static int ends[2];
static struct outbox *box;
static const uint8_t prefix[] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10};
static uint8_t text[LARGE], got[LARGE + 1000];

static void set_up_ends(void)
{
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, ends), 0);
	ck_assert_int_eq(setsockopt(ends[0], SOL_SOCKET, SO_SNDBUF, &(int){1 << 23}, sizeof(int)), 0);
	for (uint32_t i = 0; i < LARGE; i++)
		text[i] = (uint8_t)(i * 7 + i / 256);
}

static void set_up(void)
{
	set_up_ends();
	box = outbox_open(ends[0]);
	ck_assert_ptr_nonnull(box);
}

/* A ring is a descriptor: there is none where there may be no other descriptor. */
static void set_up_without_ring(void)
{
	struct rlimit limit, few;

	set_up_ends();
	ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
	few = limit;
	few.rlim_cur = (rlim_t)ends[1] + 1;
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &few), 0);
	box = outbox_open(ends[0]);
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
	ck_assert_ptr_nonnull(box);
	ck_assert(!outbox_is_ring(box));
}

static void tear_down(void)
{
	outbox_close(box);
	close(ends[0]);
	close(ends[1]);
}

/* A frame whose header says number, and n bytes of text from at in three slices. */
static struct tapir_out frame(uint8_t number, uint32_t at, uint32_t n, enum tapir_gso gso)
{
	struct tapir_out out = {.len = HEAD + n, .head_at = 3, .head_len = HEAD, .slice_count = 3, .offload.gso = gso};
	uint32_t part = n / 3;

	memset(out.head + out.head_at, number, HEAD);
	out.slices[0] = (struct span){text + at, part};
	out.slices[1] = (struct span){text + at + part, part};
	out.slices[2] = (struct span){text + at + 2 * part, n - 2 * part};
	return out;
}

static int put(uint8_t number, uint32_t at, uint32_t n, enum tapir_gso gso)
{
	struct tapir_out out = frame(number, at, n, gso);
	int error = outbox_put(box, (struct span){prefix, sizeof prefix}, &out);

	memset(&out, 0xee, sizeof out);		/* the frame is not borrowed, only TCP's text is */
	return error;
}

static void nothing_has_left(void)
{
	ck_assert_int_eq(recv(ends[1], got, sizeof got, 0), -1);
	ck_assert_int_eq(errno, EAGAIN);
}

static void leaves(uint8_t number, uint32_t at, uint32_t n)
{
	ck_assert_int_eq(recv(ends[1], got, sizeof got, 0), (int)(sizeof prefix + HEAD + n));
	ck_assert_mem_eq(got, prefix, sizeof prefix);
	for (uint32_t i = 0; i < HEAD; i++)
		ck_assert_uint_eq(got[sizeof prefix + i], number);
	ck_assert_mem_eq(got + sizeof prefix + HEAD, text + at, n);
}

START_TEST(frames_wait_for_flush_and_leave_in_their_order)
{
	ck_assert(outbox_is_empty(box));
	for (uint8_t i = 0; i < 10; i++)
		ck_assert_int_eq(put(i, i * 100u, i % 2 ? 90u : LARGE - 1000u, TAPIR_GSO_TCP4), 0);
	ck_assert(!outbox_is_empty(box));
	nothing_has_left();
	ck_assert_int_eq(outbox_flush(box), 0);
	ck_assert(outbox_is_empty(box));
	for (uint8_t i = 0; i < 10; i++)
		leaves(i, i * 100u, i % 2 ? 90u : LARGE - 1000u);
	nothing_has_left();
	ck_assert_int_eq(outbox_flush(box), 0);
	nothing_has_left();
}
END_TEST

START_TEST(one_alone_leaves_like_several)
{
	for (uint8_t i = 0; i < 3; i++) {
		ck_assert_int_eq(put(i, 5, i == 1 ? LARGE - 5 : 40, TAPIR_GSO_TCP6), 0);
		ck_assert_int_eq(outbox_flush(box), 0);
		leaves(i, 5, i == 1 ? LARGE - 5 : 40);
	}
}
END_TEST

START_TEST(a_full_outbox_flushes_itself)
{
	for (uint32_t i = 0; i < OUTBOX_FRAMES; i++)
		ck_assert_int_eq(put((uint8_t)i, i, 1000, TAPIR_GSO_NONE), 0);
	ck_assert(outbox_is_empty(box));
	ck_assert_int_eq(put(200, 1, 1000, TAPIR_GSO_NONE), 0);
	for (uint32_t i = 0; i < OUTBOX_FRAMES; i++)
		leaves((uint8_t)i, i, 1000);
	nothing_has_left();
	ck_assert_int_eq(outbox_flush(box), 0);
	leaves(200, 1, 1000);
}
END_TEST

START_TEST(what_may_not_stay_leaves_at_once_behind_those_that_wait)
{
	static const enum tapir_gso fleeting[] = {TAPIR_GSO_UDP, TAPIR_GSO_NONE};

	for (size_t i = 0; i < sizeof fleeting / sizeof fleeting[0]; i++) {
		ck_assert_int_eq(put(1, 0, LARGE, TAPIR_GSO_TCP4), 0);
		ck_assert_int_eq(put(2, 9, 30, TAPIR_GSO_NONE), 0);
		nothing_has_left();
		ck_assert_int_eq(put(3, 50, 5000, fleeting[i]), 0);
		ck_assert(outbox_is_empty(box));
		leaves(1, 0, LARGE);
		leaves(2, 9, 30);
		leaves(3, 50, 5000);
	}
}
END_TEST

START_TEST(a_small_frame_is_copied_whole)
{
	uint8_t mine[600];
	struct tapir_out out = {.len = HEAD + sizeof mine, .head_len = HEAD, .slice_count = 1, .slices = {{mine, sizeof mine}}};

	memcpy(mine, text + 77, sizeof mine);
	memset(out.head, 9, HEAD);
	ck_assert_int_eq(outbox_put(box, (struct span){prefix, sizeof prefix}, &out), 0);
	ck_assert_int_eq(put(10, 1, 1, TAPIR_GSO_NONE), 0);
	memset(mine, 0, sizeof mine);
	ck_assert_int_eq(outbox_flush(box), 0);
	leaves(9, 77, sizeof mine);
	leaves(10, 1, 1);
}
END_TEST

START_TEST(a_checksum_left_to_the_kernel_stays_left)
{
	struct tapir_out out = frame(0, 0, 30, TAPIR_GSO_NONE);

	out.offload = (struct tapir_offload){.csum = TAPIR_CSUM_PARTIAL, .csum_start = 14, .csum_offset = 16};
	ck_assert_int_eq(outbox_put(box, (struct span){prefix, sizeof prefix}, &out), 0);
	ck_assert_int_eq(outbox_flush(box), 0);
	leaves(0, 0, 30);
}
END_TEST

/* A descriptor that takes nothing more; the one that fails says why, whichever way it was written. */
START_TEST(frames_that_are_refused_are_lost_and_the_errno_is_told)
{
	close(ends[1]);
	ends[1] = -1;
	signal(SIGPIPE, SIG_IGN);
	ck_assert_int_eq(put(1, 0, 10, TAPIR_GSO_NONE), 0);
	ck_assert_int_eq(outbox_flush(box), EPIPE);
	for (uint8_t i = 0; i < 5; i++)
		ck_assert_int_eq(put(i, 0, 10, TAPIR_GSO_NONE), 0);
	ck_assert_int_eq(outbox_flush(box), EPIPE);
	ck_assert(outbox_is_empty(box));
	ck_assert_int_eq(outbox_flush(box), 0);
	ck_assert_int_eq(put(1, 0, 5000, TAPIR_GSO_UDP), EPIPE);
}
END_TEST

/* One refused frame between two others: the peer takes no more than fits, then all again. */
START_TEST(those_behind_a_refused_frame_are_written)
{
	static uint8_t huge[4 << 20];
	struct tapir_out out = frame(2, 0, 30, TAPIR_GSO_TCP4);

	out.slices[1] = (struct span){huge, sizeof huge};
	out.len = HEAD + 20 + (uint32_t)sizeof huge;
	ck_assert_int_eq(setsockopt(ends[0], SOL_SOCKET, SO_SNDBUF, &(int){100000}, sizeof(int)), 0);
	ck_assert_int_eq(put(1, 0, 30, TAPIR_GSO_NONE), 0);
	ck_assert_int_eq(outbox_put(box, (struct span){prefix, sizeof prefix}, &out), 0);
	ck_assert_int_eq(put(3, 0, 30, TAPIR_GSO_NONE), 0);
	ck_assert_int_eq(outbox_flush(box), EMSGSIZE);
	leaves(1, 0, 30);
	leaves(3, 0, 30);
	nothing_has_left();
}
END_TEST

/* A receiver that is full makes frames be lost, and those that come when it has room again arrive. */
START_TEST(a_full_receiver_costs_the_frames_and_nothing_else)
{
	uint32_t arrived = 0;

	ck_assert_int_eq(setsockopt(ends[0], SOL_SOCKET, SO_SNDBUF, &(int){20000}, sizeof(int)), 0);
	for (uint32_t round = 0; round < 50; round++) {
		for (uint32_t i = 0; i < 20; i++)
			outbox_put(box, (struct span){prefix, sizeof prefix}, &(struct tapir_out){.len = HEAD, .head_len = HEAD});
		outbox_flush(box);
	}
	while (recv(ends[1], got, sizeof got, 0) == (int)(sizeof prefix + HEAD))
		arrived++;
	ck_assert_uint_gt(arrived, 0);
	ck_assert_uint_lt(arrived, 1000);
	for (uint8_t i = 0; i < 3; i++)
		ck_assert_int_eq(put(i, i, 300, TAPIR_GSO_NONE), 0);
	ck_assert_int_eq(outbox_flush(box), 0);
	for (uint8_t i = 0; i < 3; i++)
		leaves(i, i, 300);
}
END_TEST

static TCase *all_of_them(const char *name, void (*begin)(void))
{
	TCase *c = tcase_create(name);

	tcase_add_checked_fixture(c, begin, tear_down);
	tcase_add_test(c, frames_wait_for_flush_and_leave_in_their_order);
	tcase_add_test(c, one_alone_leaves_like_several);
	tcase_add_test(c, a_full_outbox_flushes_itself);
	tcase_add_test(c, what_may_not_stay_leaves_at_once_behind_those_that_wait);
	tcase_add_test(c, a_small_frame_is_copied_whole);
	tcase_add_test(c, a_checksum_left_to_the_kernel_stays_left);
	tcase_add_test(c, frames_that_are_refused_are_lost_and_the_errno_is_told);
	tcase_add_test(c, those_behind_a_refused_frame_are_written);
	tcase_add_test(c, a_full_receiver_costs_the_frames_and_nothing_else);
	return c;
}

Suite *suite(void)
{
	Suite *s = suite_create("drivers/outbox");

	suite_add_tcase(s, all_of_them("with a ring", set_up));
	suite_add_tcase(s, all_of_them("without", set_up_without_ring));
	return s;
}
