/* test_drivers_live.c: the two drivers that meet the kernel: a TAP, and libpcap on a live interface, which here is that same
 * TAP, so that what one sends the other receives. Each test runs in a network namespace that it makes itself; where the
 * machine permits neither that nor a TAP, the suite says so and tests only what needs no permission. */
#include <check.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "drivers/driver.h"

#define TAP "tapirtest0"
#define ETHERTYPE_HIGH 0x88		/* 88b5: for local experiments (IEEE 802) */
#define ETHERTYPE_LOW 0xb5
#define FRAME 60u

static uint8_t received[70000];

static void setup(void)
{
	ck_assert_int_eq(unshare(geteuid() == 0 ? CLONE_NEWNET : CLONE_NEWUSER | CLONE_NEWNET), 0);
}

static bool is_permitted(void)
{
	return access("/dev/net/tun", R_OK | W_OK) == 0 &&
	       system("unshare -n true 2>/dev/null || unshare -rn true 2>/dev/null") == 0;
}

static int send_numbered(struct driver *d, uint8_t number)
{
	uint8_t bytes[FRAME] = {2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, ETHERTYPE_HIGH, ETHERTYPE_LOW, number};
	struct tapir_out out = {.len = FRAME, .head_len = 14, .slice_count = 1, .slices = {{bytes + 14, FRAME - 14}}};

	memcpy(out.head, bytes, 14);
	return driver_send(d, &out, 0) == 0 ? driver_flush(d) : TAPIR_EIO;
}

/* The next frame of ours within a second: its number; -1: none came. The kernel sends frames of its own there, too. */
static int recv_numbered(struct driver *d)
{
	for (int tries = 0; tries < 100; tries++) {
		struct tapir_frame f = {.data = received, .room = sizeof received};
		int result = driver_recv(d, &f, 0);

		ck_assert_msg(result >= 0, "%s", driver_error());
		if (result == 0)
			poll(&(struct pollfd){.fd = d->fd, .events = POLLIN}, 1, 10);
		else if (f.len == FRAME && f.data[12] == ETHERTYPE_HIGH && f.data[13] == ETHERTYPE_LOW)
			return f.data[14];
	}
	return -1;
}

static struct driver *open_tap(void)
{
	struct driver *d = driver_open_tap(TAP);

	ck_assert_msg(d != NULL, "%s", driver_error());
	return d;
}

START_TEST(a_tap_that_is_made_is_up_and_says_what_it_can_do)
{
	struct driver *d = open_tap();

	ck_assert_uint_eq(d->mtu, 1500);
	ck_assert(!d->ip_only);
	ck_assert_int_ge(d->fd, 0);
	ck_assert(d->caps.csum && d->caps.tso4);
	ck_assert_int_eq(driver_set_offload(d, (struct tapir_offload_caps){.tso4 = true}), 0);
	ck_assert(!d->caps.csum && !d->caps.tso4);		/* no segmentation without checksums */
	ck_assert_int_eq(system("ip -o link show dev " TAP " | grep -q '[<,]UP[,>]'"), 0);
	driver_close(d);
	ck_assert_int_ne(system("ip link show dev " TAP " >/dev/null 2>&1"), 0);
}
END_TEST

START_TEST(what_the_tap_sends_the_interface_receives_and_the_other_way)
{
	struct driver *tap = open_tap(), *live = driver_open_pcap_live(TAP);

	ck_assert_msg(live != NULL, "%s", driver_error());
	ck_assert_uint_eq(live->mtu, 1500);
	ck_assert(!live->ip_only);
	for (uint8_t i = 1; i < 20; i++) {
		ck_assert_int_eq(send_numbered(tap, i), 0);
		ck_assert_int_eq(recv_numbered(live), i);
		ck_assert_int_eq(send_numbered(live, (uint8_t)(100 + i)), 0);
		ck_assert_int_eq(recv_numbered(tap), 100 + i);
	}
	driver_close(live);
	driver_close(tap);
}
END_TEST

START_TEST(the_live_interface_does_not_hear_itself)
{
	struct driver *tap = open_tap(), *live = driver_open_pcap_live(TAP);

	ck_assert_msg(live != NULL, "%s", driver_error());
	ck_assert_int_eq(send_numbered(live, 1), 0);
	ck_assert_int_eq(send_numbered(tap, 2), 0);
	ck_assert_int_eq(recv_numbered(live), 2);
	driver_close(live);
	driver_close(tap);
}
END_TEST

START_TEST(frames_larger_than_the_buffer_are_passed_over)
{
	struct driver *tap = open_tap(), *live = driver_open_pcap_live(TAP);
	struct tapir_frame f = {.data = received, .room = FRAME - 1};

	ck_assert_msg(live != NULL, "%s", driver_error());
	ck_assert_int_eq(send_numbered(live, 1), 0);
	poll(&(struct pollfd){.fd = tap->fd, .events = POLLIN}, 1, 1000);
	while (driver_recv(tap, &f, 0) == 1)
		ck_assert_uint_lt(f.len, FRAME);
	driver_close(live);
	driver_close(tap);
}
END_TEST

START_TEST(one_tap_is_for_one_program)
{
	struct driver *tap = open_tap();

	ck_assert_ptr_null(driver_open_tap(TAP));
	ck_assert_ptr_nonnull(strstr(driver_error(), "in use by another program"));
	driver_close(tap);
}
END_TEST

START_TEST(an_interface_that_is_no_tap_is_refused_as_that)
{
	ck_assert_ptr_null(driver_open_tap("lo"));
	ck_assert_ptr_nonnull(strstr(driver_error(), "not a TAP"));
}
END_TEST

START_TEST(an_interface_deleted_in_use_is_an_error_with_a_sentence)
{
	struct driver *tap;
	struct tapir_frame f = {.data = received, .room = sizeof received};
	int result = 0;

	ck_assert_int_eq(system("ip tuntap add dev " TAP " mode tap && ip link set " TAP " up"), 0);
	tap = open_tap();
	ck_assert_int_eq(system("ip link del " TAP), 0);
	while ((result = driver_recv(tap, &f, 0)) == 1)
		;
	ck_assert_int_eq(result, TAPIR_EIO);
	ck_assert_ptr_nonnull(strstr(driver_error(), "was deleted"));
	driver_close(tap);
}
END_TEST

START_TEST(what_is_sent_while_the_interface_is_down_is_lost)
{
	struct driver *tap = open_tap();

	ck_assert_int_eq(system("ip link set " TAP " down"), 0);
	ck_assert_int_eq(send_numbered(tap, 1), 0);
	ck_assert_int_eq(send_numbered(tap, 2), 0);
	driver_close(tap);
}
END_TEST

START_TEST(an_interface_that_is_not_there_is_named)
{
	ck_assert_ptr_null(driver_open_pcap_live("nowhere0"));
	ck_assert_ptr_nonnull(strstr(driver_error(), "nowhere0"));
}
END_TEST

START_TEST(what_cannot_be_a_name_is_refused)
{
	static const char *const wrong[] = {"", ".", "..", "a/b", "a:b", "a b", "a%d", "sixteen_letters_"};

	for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
		ck_assert_msg(driver_open_tap(wrong[i]) == NULL, "%s", wrong[i]);
		ck_assert_ptr_nonnull(strstr(driver_error(), "cannot be the name"));
	}
}
END_TEST

Suite *suite(void)
{
	Suite *s = suite_create("drivers/tap and live pcap");
	TCase *names = tcase_create("names"), *c = tcase_create("live");

	tcase_add_test(names, what_cannot_be_a_name_is_refused);
	suite_add_tcase(s, names);
	if (!is_permitted()) {
		printf("drivers/tap and live pcap: skipped, this user may not make a network namespace with a TAP\n");
		return s;
	}
	tcase_set_timeout(c, 30);
	tcase_add_checked_fixture(c, setup, NULL);
	tcase_add_test(c, a_tap_that_is_made_is_up_and_says_what_it_can_do);
	tcase_add_test(c, what_the_tap_sends_the_interface_receives_and_the_other_way);
	tcase_add_test(c, the_live_interface_does_not_hear_itself);
	tcase_add_test(c, frames_larger_than_the_buffer_are_passed_over);
	tcase_add_test(c, one_tap_is_for_one_program);
	tcase_add_test(c, an_interface_that_is_no_tap_is_refused_as_that);
	tcase_add_test(c, an_interface_deleted_in_use_is_an_error_with_a_sentence);
	tcase_add_test(c, what_is_sent_while_the_interface_is_down_is_lost);
	tcase_add_test(c, an_interface_that_is_not_there_is_named);
	suite_add_tcase(s, c);
	return s;
}
