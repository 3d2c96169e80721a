/* test_drivers_loop_link.c: the event loop against a driver made for the test, which refuses, fails and counts at will. Its
 * descriptor is an eventfd: writable at all times, as the worst of drivers may be. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>
#include "drivers/loop.h"

#define SENT_MAX 64

static struct fake {
	struct driver d;
	int room;			/* frames that send takes before it says TAPIR_EAGAIN */
	int send_error, recv_error;
	int to_give;			/* frames that recv has */
	usec_t give_at_us;		/* driver_deadline, for a driver without a descriptor */
	int flush_error;
	int told, tellings;		/* frames sent before the last flush that had any; how many of these there were */
	int sends, recvs, given;
	uint8_t tail[SENT_MAX];		/* last byte of each frame that was sent */
	int sent;
} fake;

static struct loop *loop;
static struct tapir *stack;

static int fake_recv(struct driver *d, struct tapir_frame *f, usec_t now_us)
{
	static const uint8_t junk[20] = {0x60};		/* an IP version that is not 4 */
	eventfd_t ignored;

	fake.recvs++;
	if (fake.recv_error)
		return fake.recv_error;
	if (fake.to_give == 0 || now_us < fake.give_at_us) {
		if (d->fd >= 0)
			eventfd_read(d->fd, &ignored);
		return 0;
	}
	fake.to_give--;
	fake.given++;
	memcpy(f->data, junk, sizeof junk);
	f->len = sizeof junk;
	return 1;
}

static int fake_send(struct driver *d, const struct tapir_out *out, usec_t now_us)
{
	uint8_t bytes[2048];
	(void)d, (void)now_us;

	fake.sends++;
	if (fake.send_error)
		return fake.send_error;
	if (fake.room == 0)
		return TAPIR_EAGAIN;
	fake.room--;
	ck_assert_int_lt(fake.sent, SENT_MAX);
	ck_assert_uint_le(out->len, sizeof bytes);
	tapir_out_copy(out, bytes, false);
	fake.tail[fake.sent++] = bytes[out->len - 1];
	return 0;
}

static int fake_flush(struct driver *d)
{
	(void)d;
	fake.tellings += fake.sent > fake.told;
	fake.told = fake.sent;
	return fake.flush_error;
}

static usec_t fake_deadline(struct driver *d)
{
	(void)d;
	return fake.to_give && fake.give_at_us ? fake.give_at_us : USEC_NEVER;
}

static void fake_close(struct driver *d)
{
	if (d->fd >= 0)
		close(d->fd);
}

static const struct driver_ops fake_ops = {
	.name = "fake", .recv = fake_recv, .send = fake_send, .flush = fake_flush, .deadline = fake_deadline, .close = fake_close,
};

static void open_fake(int fd)
{
	struct tapir_config config;

	fake = (struct fake){.d = {.ops = &fake_ops, .mtu = 1500, .ip_only = true, .fd = fd}, .room = SENT_MAX};
	tapir_config_default(&config);
	config.addr = tapir_ipv4(10, 0, 0, 1);
	config.small_frames = 128;
	config.large_frames = 16;
	loop = loop_open(&fake.d, &config);
	ck_assert_msg(loop != NULL, "%s", loop_error());
	stack = loop_stack(loop);
	loop_turn(loop, 0);
	fake.recvs = fake.sends = 0;
}

static void setup(void) { open_fake(eventfd(0, EFD_NONBLOCK)); }
static void teardown(void) { loop_close(loop); }

/* Queues datagrams that end with first, first + 1 ... */
static void queue_datagrams(uint8_t first, int n)
{
	struct tapir_endpoint to = {tapir_ipv4(10, 0, 0, 2), 9};
	tapir_sd sd = tapir_socket(stack, TAPIR_SOCK_DGRAM);

	for (int i = 0; i < n; i++) {
		uint8_t byte = (uint8_t)(first + i);

		ck_assert_int_eq(tapir_sendto(stack, sd, &byte, 1, &to), 1);
	}
	tapir_close(stack, sd);
}

static void turn_for(usec_t us)
{
	usec_t end_us = loop_clock_us() + us;

	while (loop_clock_us() < end_us)
		ck_assert_int_eq(loop_turn(loop, end_us - loop_clock_us()), 0);
}

START_TEST(a_frame_that_the_link_refuses_goes_first_when_there_is_room)
{
	fake.room = 1;
	queue_datagrams(10, 4);
	ck_assert_int_eq(loop_turn(loop, 0), 0);
	ck_assert_int_eq(fake.sent, 1);
	fake.room = SENT_MAX;
	queue_datagrams(14, 2);		/* calls into the stack meanwhile: the refused frame must be a copy */
	turn_for(20 * TAPIR_MS);
	ck_assert_int_eq(fake.sent, 6);
	for (int i = 0; i < 6; i++)
		ck_assert_int_eq(fake.tail[i], 10 + i);
}
END_TEST

START_TEST(a_refused_frame_is_tried_again_when_the_descriptor_says_so)
{
	fake.room = 0;
	queue_datagrams(1, 1);
	turn_for(5 * TAPIR_MS);
	fake.room = 1;
	eventfd_write(fake.d.fd, 1);
	ck_assert_int_eq(loop_turn(loop, 5 * TAPIR_SEC), 0);
	ck_assert_int_eq(fake.sent, 1);
}
END_TEST

START_TEST(frames_come_in_while_the_link_out_is_full)
{
	uint64_t before;

	fake.room = 0;
	queue_datagrams(1, 2);
	turn_for(5 * TAPIR_MS);
	before = tapir_count(stack, DROP_IP_VERSION);
	fake.to_give = 500;
	eventfd_write(fake.d.fd, 1);
	for (int i = 0; i < 20; i++)
		loop_turn(loop, 0);
	ck_assert_int_eq(fake.given, 500);
	ck_assert_uint_eq(tapir_count(stack, DROP_IP_VERSION), before + 500);
	ck_assert_int_eq(fake.sent, 0);
}
END_TEST

static void stop(void *ctx)
{
	loop_stop(ctx);
}

START_TEST(a_full_link_does_not_keep_the_loop_busy)
{
	fake.room = 0;
	queue_datagrams(1, 2);
	loop_at(loop, loop_clock_us() + 200 * TAPIR_MS, stop, loop);
	ck_assert_int_eq(loop_run(loop), 0);
	ck_assert_int_ge(fake.sends, 2);
	ck_assert_int_le(fake.sends, 25);	/* every 10 ms, and once for a descriptor that says it is writable */
}
END_TEST

START_TEST(an_idle_loop_sleeps)
{
	loop_at(loop, loop_clock_us() + 200 * TAPIR_MS, stop, loop);
	ck_assert_int_eq(loop_run(loop), 0);
	ck_assert_int_le(fake.recvs, 4);
	ck_assert_int_eq(fake.sends, 0);
}
END_TEST

START_TEST(without_buffers_frames_are_thrown_away_and_afterwards_they_arrive_again)
{
	static struct tapir_frame *taken[1024];
	uint64_t before = tapir_count(stack, DROP_IP_VERSION);
	int n = 0;

	while ((taken[n] = tapir_frame_get(stack)) != NULL)
		n++;
	ck_assert_int_gt(n, 0);
	fake.to_give = 100;
	eventfd_write(fake.d.fd, 1);
	turn_for(50 * TAPIR_MS);
	ck_assert_int_eq(fake.given, 100);
	ck_assert_int_le(fake.recvs, 110);
	ck_assert_uint_eq(tapir_count(stack, DROP_IP_VERSION), before);
	while (n > 0)
		tapir_frame_put(stack, taken[--n]);
	fake.to_give = 7;
	eventfd_write(fake.d.fd, 1);
	turn_for(5 * TAPIR_MS);
	ck_assert_uint_eq(tapir_count(stack, DROP_IP_VERSION), before + 7);
}
END_TEST

START_TEST(a_driver_that_fails_to_receive_ends_the_run)
{
	fake.recv_error = TAPIR_EIO;
	eventfd_write(fake.d.fd, 1);
	ck_assert_int_eq(loop_run(loop), TAPIR_EIO);
}
END_TEST

START_TEST(a_driver_that_fails_to_send_ends_the_run)
{
	fake.send_error = TAPIR_EIO;
	queue_datagrams(1, 1);
	ck_assert_int_eq(loop_run(loop), TAPIR_EIO);
}
END_TEST

START_TEST(frames_are_told_to_the_link_once_for_a_batch)
{
	queue_datagrams(0, 20);
	ck_assert_int_eq(loop_turn(loop, 0), 0);
	ck_assert_int_eq(fake.sent, 20);
	ck_assert_int_eq(fake.told, 20);
	ck_assert_int_eq(fake.tellings, 1);
}
END_TEST

START_TEST(frames_are_told_to_the_link_although_the_next_one_is_refused)
{
	fake.room = 2;
	queue_datagrams(0, 4);
	ck_assert_int_eq(loop_turn(loop, 0), 0);
	ck_assert_int_eq(fake.told, 2);
}
END_TEST

START_TEST(a_link_that_fails_when_it_is_told_ends_the_run)
{
	fake.flush_error = TAPIR_EIO;
	queue_datagrams(0, 1);
	ck_assert_int_eq(loop_run(loop), TAPIR_EIO);
}
END_TEST

START_TEST(wrappers_tell_the_link_behind_them)
{
	FILE *nowhere = fopen("/dev/null", "w");
	struct driver inner = {.ops = &fake_ops, .mtu = 1500, .ip_only = true, .fd = -1};
	struct driver *d = driver_wrap_fault(&inner, &(struct fault_config){.loss = 0});

	d = driver_wrap_capture(d, &(struct capture_options){.path = "/dev/null"});
	d = driver_wrap_trace(d, nowhere);
	ck_assert_ptr_nonnull(d);
	fake.told = fake.tellings = 0;
	fake.sent = 3;
	ck_assert_int_eq(driver_flush(d), 0);
	ck_assert_int_eq(fake.told, 3);
	fake.flush_error = TAPIR_EIO;
	ck_assert_int_eq(driver_flush(d), TAPIR_EIO);
	driver_close(d);
	fclose(nowhere);
}
END_TEST

START_TEST(a_driver_without_a_descriptor_is_asked_at_its_deadline)
{
	usec_t due_us;

	loop_close(loop);
	open_fake(-1);
	due_us = fake.give_at_us = loop_clock_us() + 30 * TAPIR_MS;
	fake.to_give = 200;
	turn_for(20 * TAPIR_MS);
	ck_assert_int_eq(fake.recvs, 0);
	while (fake.given < 200)
		ck_assert_int_eq(loop_turn(loop, 5 * TAPIR_SEC), 0);
	ck_assert_uint_ge(loop_now(loop), due_us);
	ck_assert_int_le(fake.recvs, 210);
}
END_TEST

START_TEST(what_is_owed_leaves_when_the_loop_is_closed)
{
	queue_datagrams(1, 40);
	loop_close(loop);
	ck_assert_int_eq(fake.sent, 40);
	setup();
}
END_TEST

START_TEST(an_impossible_configuration_is_refused_with_a_sentence)
{
	struct tapir_config config;

	loop_close(loop);
	tapir_config_default(&config);		/* without an address */
	fake.d.fd = -1;
	ck_assert_ptr_null(loop_open(&fake.d, &config));
	ck_assert_ptr_nonnull(strstr(loop_error(), "impossible"));
	setup();
}
END_TEST

Suite *suite(void)
{
	Suite *s = suite_create("drivers/loop and its driver");
	TCase *c = tcase_create("link");

	tcase_set_timeout(c, 30);
	tcase_add_checked_fixture(c, setup, teardown);
	tcase_add_test(c, a_frame_that_the_link_refuses_goes_first_when_there_is_room);
	tcase_add_test(c, a_refused_frame_is_tried_again_when_the_descriptor_says_so);
	tcase_add_test(c, frames_come_in_while_the_link_out_is_full);
	tcase_add_test(c, a_full_link_does_not_keep_the_loop_busy);
	tcase_add_test(c, an_idle_loop_sleeps);
	tcase_add_test(c, without_buffers_frames_are_thrown_away_and_afterwards_they_arrive_again);
	tcase_add_test(c, a_driver_that_fails_to_receive_ends_the_run);
	tcase_add_test(c, a_driver_that_fails_to_send_ends_the_run);
	tcase_add_test(c, frames_are_told_to_the_link_once_for_a_batch);
	tcase_add_test(c, frames_are_told_to_the_link_although_the_next_one_is_refused);
	tcase_add_test(c, a_link_that_fails_when_it_is_told_ends_the_run);
	tcase_add_test(c, wrappers_tell_the_link_behind_them);
	tcase_add_test(c, a_driver_without_a_descriptor_is_asked_at_its_deadline);
	tcase_add_test(c, what_is_owed_leaves_when_the_loop_is_closed);
	tcase_add_test(c, an_impossible_configuration_is_refused_with_a_sentence);
	suite_add_tcase(s, c);
	return s;
}
