/* test_drivers_pair.c: the in-process link, without a stack: frames in, the same frames out. */
#include <check.h>
#include <poll.h>
#include <pthread.h>
#include <string.h>
#include "drivers/driver.h"

#define ETH 14u
#define MTU 1500u
#define RING 256			/* frames that wait in one direction, by driver.h */

static struct driver *ends[2];
static uint8_t received[65536 + 256];

static void open_ethernet(void)
{
	driver_open_pair(ends, MTU, (struct tapir_offload_caps){.csum = true, .tso4 = true}, false);
	ck_assert_ptr_nonnull(ends[0]);
	ck_assert_ptr_nonnull(ends[1]);
}

static void close_both(void)
{
	driver_close(ends[0]);
	driver_close(ends[1]);
}

/* Sends a frame of n bytes in three pieces, each byte made from seed and its place. */
static int send_frame(struct driver *d, uint32_t n, uint8_t seed, const struct tapir_offload *offload)
{
	static uint8_t bytes[65536 + 256];
	struct tapir_out out = {.len = n, .head_at = 3, .head_len = 10, .slice_count = 2};

	for (uint32_t i = 0; i < n; i++)
		bytes[i] = (uint8_t)(i * 7 + seed);
	if (offload)
		out.offload = *offload;
	memcpy(out.head + out.head_at, bytes, out.head_len);
	out.slices[0] = (struct span){bytes + 10, (n - 10) / 2};
	out.slices[1] = (struct span){bytes + 10 + (n - 10) / 2, n - 10 - (n - 10) / 2};
	return driver_send(d, &out, 0);
}

static int recv_frame(struct driver *d, struct tapir_frame *f)
{
	*f = (struct tapir_frame){.data = received, .room = sizeof received};
	return driver_recv(d, f, 0);
}

static void assert_bytes(const struct tapir_frame *f, uint32_t n, uint8_t seed)
{
	ck_assert_uint_eq(f->len, n);
	for (uint32_t i = 0; i < n; i++)
		if (f->data[i] != (uint8_t)(i * 7 + seed))
			ck_abort_msg("byte %u is %u", i, f->data[i]);
}

static bool is_readable(const struct driver *d)
{
	struct pollfd p = {.fd = d->fd, .events = POLLIN};

	return poll(&p, 1, 0) == 1;
}

START_TEST(frames_arrive_whole_and_in_order_in_both_directions)
{
	struct tapir_frame f;

	open_ethernet();
	for (uint8_t i = 0; i < 20; i++) {
		ck_assert_int_eq(send_frame(ends[0], 60u + i, i, NULL), 0);
		ck_assert_int_eq(send_frame(ends[1], 1400u + i, (uint8_t)(100 + i), NULL), 0);
	}
	for (uint8_t i = 0; i < 20; i++) {
		ck_assert_int_eq(recv_frame(ends[1], &f), 1);
		assert_bytes(&f, 60u + i, i);
		ck_assert_int_eq(recv_frame(ends[0], &f), 1);
		assert_bytes(&f, 1400u + i, (uint8_t)(100 + i));
	}
	ck_assert_int_eq(recv_frame(ends[0], &f), 0);
	ck_assert_int_eq(recv_frame(ends[1], &f), 0);
	close_both();
}
END_TEST

START_TEST(offload_fields_travel_with_the_frame)
{
	struct tapir_offload sent = {.csum = TAPIR_CSUM_PARTIAL, .csum_start = 34, .csum_offset = 16,
				     .gso = TAPIR_GSO_TCP4, .gso_size = 1460, .hdr_len = 54};
	struct tapir_frame f;

	open_ethernet();
	ck_assert_int_eq(send_frame(ends[0], 40000, 1, &sent), 0);
	ck_assert_int_eq(recv_frame(ends[1], &f), 1);
	assert_bytes(&f, 40000, 1);
	ck_assert_int_eq(f.offload.csum, TAPIR_CSUM_PARTIAL);
	ck_assert_uint_eq(f.offload.csum_start, 34);
	ck_assert_uint_eq(f.offload.csum_offset, 16);
	ck_assert_int_eq(f.offload.gso, TAPIR_GSO_TCP4);
	ck_assert_uint_eq(f.offload.gso_size, 1460);
	ck_assert_uint_eq(f.offload.hdr_len, 54);
	close_both();
}
END_TEST

START_TEST(what_one_end_gives_up_neither_end_offers)
{
	open_ethernet();
	ck_assert(ends[1]->caps.csum && ends[1]->caps.tso4);
	ck_assert(!ends[1]->caps.tso6);
	ck_assert_int_eq(driver_set_offload(ends[0], (struct tapir_offload_caps){.csum = true, .tso6 = true}), 0);
	for (int i = 0; i < 2; i++) {
		ck_assert(ends[i]->caps.csum);
		ck_assert(!ends[i]->caps.tso4);
		ck_assert(!ends[i]->caps.tso6);
	}
	close_both();
}
END_TEST

START_TEST(a_frame_longer_than_the_mtu_is_lost_unless_it_is_to_be_segmented)
{
	struct tapir_offload tso = {.gso = TAPIR_GSO_TCP4, .gso_size = 1460, .hdr_len = 54};
	struct tapir_frame f;

	open_ethernet();
	ck_assert_int_eq(send_frame(ends[0], ETH + MTU + 1, 1, NULL), 0);
	ck_assert_int_eq(recv_frame(ends[1], &f), 0);
	ck_assert_int_eq(send_frame(ends[0], ETH + MTU, 2, NULL), 0);
	ck_assert_int_eq(recv_frame(ends[1], &f), 1);
	assert_bytes(&f, ETH + MTU, 2);
	ck_assert_int_eq(send_frame(ends[0], ETH + MTU + 1, 3, &tso), 0);
	ck_assert_int_eq(recv_frame(ends[1], &f), 1);
	close_both();
}
END_TEST

START_TEST(without_ethernet_the_mtu_is_the_frame)
{
	struct tapir_frame f;

	driver_open_pair(ends, MTU, (struct tapir_offload_caps){.csum = false}, true);
	ck_assert(ends[0]->ip_only && ends[1]->ip_only);
	ck_assert_int_eq(send_frame(ends[0], MTU + 1, 1, NULL), 0);
	ck_assert_int_eq(recv_frame(ends[1], &f), 0);
	ck_assert_int_eq(send_frame(ends[0], MTU, 2, NULL), 0);
	ck_assert_int_eq(recv_frame(ends[1], &f), 1);
	close_both();
}
END_TEST

START_TEST(a_frame_that_does_not_fit_the_receiver_is_passed_over)
{
	struct tapir_frame small = {.data = received, .room = 100};

	open_ethernet();
	send_frame(ends[0], 101, 1, NULL);
	send_frame(ends[0], 100, 2, NULL);
	ck_assert_int_eq(driver_recv(ends[1], &small, 0), 1);
	assert_bytes(&small, 100, 2);
	close_both();
}
END_TEST

START_TEST(a_full_link_says_eagain_and_is_readable_once_when_there_is_room_again)
{
	struct tapir_frame f;

	open_ethernet();
	for (int i = 0; i < RING; i++)
		ck_assert_int_eq(send_frame(ends[0], 60, (uint8_t)i, NULL), 0);
	ck_assert_int_eq(send_frame(ends[0], 60, 0, NULL), TAPIR_EAGAIN);
	ck_assert(!is_readable(ends[0]));
	ck_assert_int_eq(recv_frame(ends[1], &f), 1);
	ck_assert(is_readable(ends[0]));
	ck_assert_int_eq(recv_frame(ends[0], &f), 0);		/* nothing but the news of room */
	ck_assert(!is_readable(ends[0]));
	ck_assert_int_eq(send_frame(ends[0], 60, 77, NULL), 0);
	for (int i = 1; i < RING; i++) {
		ck_assert_int_eq(recv_frame(ends[1], &f), 1);
		assert_bytes(&f, 60, (uint8_t)i);
	}
	ck_assert_int_eq(recv_frame(ends[1], &f), 1);
	assert_bytes(&f, 60, 77);
	close_both();
}
END_TEST

START_TEST(the_descriptor_is_readable_exactly_while_frames_wait)
{
	struct tapir_frame f;

	open_ethernet();
	ck_assert(!is_readable(ends[1]));
	send_frame(ends[0], 60, 0, NULL);
	send_frame(ends[0], 60, 0, NULL);
	ck_assert(is_readable(ends[1]));
	recv_frame(ends[1], &f);
	ck_assert(is_readable(ends[1]));
	recv_frame(ends[1], &f);
	ck_assert(!is_readable(ends[1]));
	close_both();
}
END_TEST

START_TEST(what_is_sent_to_a_closed_end_is_lost_and_either_may_close_first)
{
	struct tapir_frame f;

	open_ethernet();
	send_frame(ends[1], 60, 9, NULL);
	driver_close(ends[1]);
	for (int i = 0; i < 2 * RING; i++)
		ck_assert_int_eq(send_frame(ends[0], 60, 0, NULL), 0);
	ck_assert_int_eq(recv_frame(ends[0], &f), 1);		/* sent before */
	assert_bytes(&f, 60, 9);
	driver_close(ends[0]);

	open_ethernet();
	driver_close(ends[0]);
	driver_close(ends[1]);
}
END_TEST

#define MANY 20000
static void *send_many(void *arg)
{
	for (int i = 0; i < MANY; i++)
		while (send_frame(ends[0], 60u + (uint32_t)i % 1000u, (uint8_t)i, NULL) == TAPIR_EAGAIN)
			poll(&(struct pollfd){.fd = ends[0]->fd, .events = POLLIN}, 1, 1);
	return arg;
}

START_TEST(two_threads_may_use_the_two_ends)
{
	struct tapir_frame f;
	pthread_t sender;

	open_ethernet();
	ck_assert_int_eq(pthread_create(&sender, NULL, send_many, NULL), 0);
	for (int i = 0; i < MANY; ) {
		if (recv_frame(ends[1], &f) != 1) {
			poll(&(struct pollfd){.fd = ends[1]->fd, .events = POLLIN}, 1, 1000);
			continue;
		}
		ck_assert_uint_eq(f.len, 60u + (uint32_t)i % 1000u);
		ck_assert_uint_eq(f.data[0], (uint8_t)i);
		i++;
	}
	pthread_join(sender, NULL);
	close_both();
}
END_TEST

Suite *suite(void)
{
	Suite *s = suite_create("drivers/pair");
	TCase *c = tcase_create("pair");

	tcase_set_timeout(c, 30);
	tcase_add_test(c, frames_arrive_whole_and_in_order_in_both_directions);
	tcase_add_test(c, offload_fields_travel_with_the_frame);
	tcase_add_test(c, what_one_end_gives_up_neither_end_offers);
	tcase_add_test(c, a_frame_longer_than_the_mtu_is_lost_unless_it_is_to_be_segmented);
	tcase_add_test(c, without_ethernet_the_mtu_is_the_frame);
	tcase_add_test(c, a_frame_that_does_not_fit_the_receiver_is_passed_over);
	tcase_add_test(c, a_full_link_says_eagain_and_is_readable_once_when_there_is_room_again);
	tcase_add_test(c, the_descriptor_is_readable_exactly_while_frames_wait);
	tcase_add_test(c, what_is_sent_to_a_closed_end_is_lost_and_either_may_close_first);
	tcase_add_test(c, two_threads_may_use_the_two_ends);
	suite_add_tcase(s, c);
	return s;
}
