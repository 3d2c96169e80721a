/* test_drivers_xdp.c: AF_XDP on one end of a veth, with libpcap on the other, in a network namespace that each test makes
 * itself; and the checksums that a veth's sender leaves undone. Where the machine permits no XDP program, or has no libxdp,
 * the suite says so and tests only what needs neither. */
#include <check.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include "drivers/xdp_redirect.h"
#include "stack/wire/checksum.h"

#define ETHERTYPE_HIGH 0x88		/* 88b5: for local experiments (IEEE 802) */
#define ETHERTYPE_LOW 0xb5
#define FRAME 60u
#define MANY 5000			/* more than there are chunks, either way */

static uint8_t received[70000];

static void run(const char *command)
{
	ck_assert_msg(system(command) == 0, "%s", command);
}

static void setup(void)
{
	ck_assert_int_eq(unshare(CLONE_NEWNET), 0);
	run("ip link add name near type veth peer name far && ip link set dev near up && ip link set dev far up");
}

static int send_numbered(struct driver *d, uint16_t number)
{
	uint8_t bytes[FRAME] = {2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, ETHERTYPE_HIGH, ETHERTYPE_LOW};
	struct tapir_out out = {.len = FRAME, .head_len = 14, .slice_count = 2};

	bytes[14] = (uint8_t)(number >> 8);
	bytes[15] = (uint8_t)number;
	memcpy(out.head, bytes, 14);
	out.slices[0] = (struct span){bytes + 14, 1};
	out.slices[1] = (struct span){bytes + 15, FRAME - 15};
	return driver_send(d, &out, 0);
}

/* The next frame of ours within two seconds: its number; -1: none came. The kernel sends frames of its own there, too. */
static int recv_numbered(struct driver *d)
{
	for (int tries = 0; tries < 200; tries++) {
		struct tapir_frame f = {.data = received, .room = sizeof received};
		int result = driver_recv(d, &f, 0);

		ck_assert_msg(result >= 0, "%s", driver_error());
		if (result == 0)
			poll(&(struct pollfd){.fd = d->fd, .events = POLLIN}, 1, 10);
		else if (f.len == FRAME && f.data[12] == ETHERTYPE_HIGH && f.data[13] == ETHERTYPE_LOW)
			return f.data[14] << 8 | f.data[15];
	}
	return -1;
}

static struct driver *open_xdp(void)
{
	struct driver *d = driver_open_xdp("near");

	ck_assert_msg(d != NULL, "%s", driver_error());
	return d;
}

static struct driver *open_far(void)
{
	struct driver *d = driver_open_pcap_live("far");

	ck_assert_msg(d != NULL, "%s", driver_error());
	return d;
}

static bool has_program(void)
{
	return system("ip link show dev near | grep -q xdp") == 0;
}

static void refused(const char *interface, const char *words)
{
	ck_assert_ptr_null(driver_open_xdp(interface));
	ck_assert_msg(strstr(driver_error(), words), "no '%s' in: %s", words, driver_error());
}

START_TEST(what_one_end_sends_the_other_receives)
{
	struct driver *xdp = open_xdp(), *far = open_far();

	ck_assert_uint_eq(xdp->mtu, 1500);
	ck_assert(!xdp->ip_only && !xdp->caps.csum && !xdp->caps.tso4);
	for (uint16_t i = 1; i < 20; i++) {
		ck_assert_int_eq(send_numbered(xdp, i), 0);
		ck_assert_int_eq(driver_flush(xdp), 0);
		ck_assert_int_eq(recv_numbered(far), i);
		ck_assert_int_eq(send_numbered(far, (uint16_t)(1000 + i)), 0);
		ck_assert_int_eq(recv_numbered(xdp), 1000 + i);
	}
	driver_close(far);
	driver_close(xdp);
}
END_TEST

/* libpcap's socket holds few frames: where many are under way both ends are AF_XDP. */
static struct driver *open_far_xdp(void)
{
	struct driver *d = driver_open_xdp("far");

	ck_assert_msg(d != NULL, "%s", driver_error());
	return d;
}

START_TEST(what_send_gathers_leaves_with_flush_in_its_order)
{
	struct driver *xdp = open_xdp(), *far = open_far_xdp();

	for (uint16_t i = 0; i < 100; i++)
		ck_assert_int_eq(send_numbered(xdp, i), 0);
	ck_assert_int_eq(poll(&(struct pollfd){.fd = far->fd, .events = POLLIN}, 1, 0), 0);
	ck_assert_int_eq(driver_flush(xdp), 0);
	for (int i = 0; i < 100; i++)
		ck_assert_int_eq(recv_numbered(far), i);
	driver_close(far);
	driver_close(xdp);
}
END_TEST

START_TEST(chunks_come_back_however_many_frames_pass)
{
	struct driver *xdp = open_xdp(), *far = open_far();

	for (int i = 0; i < MANY; i++) {
		ck_assert_int_eq(send_numbered(far, (uint16_t)i), 0);
		ck_assert_int_eq(recv_numbered(xdp), i);
		ck_assert_int_eq(send_numbered(xdp, (uint16_t)i), 0);
		if (i % 10 < 9)
			continue;
		ck_assert_int_eq(driver_flush(xdp), 0);
		for (int j = i - 9; j <= i; j++)
			ck_assert_int_eq(recv_numbered(far), j);
	}
	driver_close(far);
	driver_close(xdp);
}
END_TEST

START_TEST(while_the_interface_is_down_frames_wait_until_the_link_is_full)
{
	struct driver *xdp = open_xdp(), *far = open_far_xdp();
	struct tapir_frame f = {.data = received, .room = sizeof received};
	int sent = 0, result;

	run("ip link set dev near down");
	while ((result = send_numbered(xdp, (uint16_t)sent)) == 0 && sent < MANY) {
		ck_assert_int_eq(driver_flush(xdp), 0);
		sent++;
	}
	ck_assert_int_eq(result, TAPIR_EAGAIN);
	ck_assert_uint_lt(driver_deadline(xdp), USEC_NEVER);	/* asks for another try by itself */
	run("ip link set dev near up");
	while (driver_recv(xdp, &f, driver_deadline(xdp)) == 1)
		;
	for (int i = 0; i < sent; i++)
		ck_assert_int_eq(recv_numbered(far), i);
	ck_assert_uint_eq(driver_deadline(xdp), USEC_NEVER);
	ck_assert_int_eq(send_numbered(xdp, 7), 0);
	driver_close(far);
	driver_close(xdp);
}
END_TEST

START_TEST(frames_larger_than_the_buffer_are_passed_over)
{
	struct driver *xdp = open_xdp(), *far = open_far();
	struct tapir_frame f = {.data = received, .room = FRAME - 1};

	ck_assert_int_eq(send_numbered(far, 1), 0);
	poll(&(struct pollfd){.fd = xdp->fd, .events = POLLIN}, 1, 1000);
	while (driver_recv(xdp, &f, 0) == 1)
		ck_assert_uint_lt(f.len, FRAME);
	ck_assert_int_eq(send_numbered(far, 2), 0);
	ck_assert_int_eq(recv_numbered(xdp), 2);
	driver_close(far);
	driver_close(xdp);
}
END_TEST

START_TEST(frames_of_every_queue_arrive)
{
	struct driver *xdp, *far;

	run("ip link del dev near");
	run("ip link add name near numrxqueues 2 numtxqueues 2 type veth peer name far numrxqueues 2 numtxqueues 2");
	run("ip link set dev near up && ip link set dev far up");
	xdp = open_xdp();
	far = open_far();
	for (uint16_t i = 1; i < 20; i++) {
		ck_assert_int_eq(send_numbered(far, i), 0);
		ck_assert_int_eq(recv_numbered(xdp), i);
		ck_assert_int_eq(send_numbered(xdp, i), 0);
		ck_assert_int_eq(driver_flush(xdp), 0);
		ck_assert_int_eq(recv_numbered(far), i);
	}
	driver_close(far);
	driver_close(xdp);
}
END_TEST

START_TEST(a_closed_driver_leaves_no_program_behind)
{
	struct driver *xdp = open_xdp();

	ck_assert(has_program());
	driver_close(xdp);
	ck_assert(!has_program());
	driver_close(open_xdp());
}
END_TEST

START_TEST(a_killed_process_leaves_no_program_behind)
{
	int fds[2], status;
	char byte;
	pid_t pid;

	ck_assert_int_eq(pipe(fds), 0);
	pid = fork();
	if (pid == 0) {
		if (driver_open_xdp("near") && write(fds[1], "", 1) == 1)
			pause();
		_exit(1);
	}
	ck_assert_int_eq(read(fds[0], &byte, 1), 1);
	ck_assert(has_program());
	kill(pid, SIGKILL);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	for (int i = 0; i < 100 && has_program(); i++)
		usleep(10000);
	ck_assert(!has_program());
	close(fds[0]);
	close(fds[1]);
}
END_TEST

START_TEST(one_interface_is_for_one_program)
{
	struct driver *xdp = open_xdp();

	refused("near", "another program");
	driver_close(xdp);
}
END_TEST

#if __has_include(<xdp/xsk.h>)
START_TEST(somebody_elses_program_stays)
{
	struct xdp_redirect theirs;

	ck_assert_int_eq(xdp_redirect_init(&theirs, "near", 1), 0);
	ck_assert_int_eq(xdp_redirect_begin(&theirs, "near"), 0);
	refused("near", "somebody else's");
	ck_assert(has_program());
	xdp_redirect_end(&theirs);
	driver_close(open_xdp());
}
END_TEST
#endif

START_TEST(an_interface_that_is_down_works_when_it_comes_up)
{
	struct driver *xdp, *far;

	run("ip link set dev near down");
	xdp = open_xdp();
	run("ip link set dev near up");
	far = open_far();
	ck_assert_int_eq(send_numbered(far, 5), 0);
	ck_assert_int_eq(recv_numbered(xdp), 5);
	driver_close(far);
	driver_close(xdp);
}
END_TEST

START_TEST(an_mtu_that_no_chunk_holds_is_refused_with_the_cure)
{
	run("ip link set dev near mtu 9000");
	refused("near", "sudo ip link set dev near mtu ");
}
END_TEST

START_TEST(an_interface_deleted_in_use_is_an_error_with_a_sentence)
{
	struct driver *xdp = open_xdp();

	run("ip link del dev near");
	ck_assert_int_eq(send_numbered(xdp, 1), 0);
	ck_assert_int_eq(driver_flush(xdp), TAPIR_EIO);
	ck_assert_ptr_nonnull(strstr(driver_error(), "was deleted"));
	driver_close(xdp);
}
END_TEST

START_TEST(an_interface_that_is_not_there_is_named)
{
	refused("nowhere0", "nowhere0");
	refused("a_name_that_is_far_too_long", "a_name_that_is_far_too_long");
}
END_TEST

/* ---- checksums that were left undone ---- */

#define SEGMENT_AT 34u
#define TEXT 21u			/* an odd number of bytes */

/* A frame of TCP or UDP with a wrong checksum; at: where that lies. */
static struct tapir_frame make_frame(uint8_t proto, uint32_t *at)
{
	uint32_t header = proto == 6 ? 20 : 8, total = 20 + header + TEXT;
	uint8_t *p = received;

	memset(p, 0, 200);
	p[12] = 8;
	p[14] = 0x45;
	p[17] = (uint8_t)total;
	p[23] = proto;
	memcpy(p + 26, "\x0a\x00\x00\x01\x0a\x00\x00\x02", 8);
	for (uint32_t i = 0; i < header + TEXT; i++)
		p[SEGMENT_AT + i] = (uint8_t)(i * 37 + 1);
	*at = SEGMENT_AT + (proto == 6 ? 16 : 6);
	return (struct tapir_frame){.data = p, .len = 14 + total, .room = sizeof received};
}

static uint64_t pseudo(const struct tapir_frame *f)
{
	struct tapir_addr src = tapir_ipv4(10, 0, 0, 1), dst = tapir_ipv4(10, 0, 0, 2);

	return checksum_pseudo(&src, &dst, f->data[23], f->len - SEGMENT_AT);
}

static void put16(uint8_t *p, uint16_t value)
{
	p[0] = (uint8_t)(value >> 8);
	p[1] = (uint8_t)value;
}

START_TEST(a_sum_of_the_pseudo_header_alone_is_a_checksum_left_undone)
{
	static const uint8_t protos[] = {6, 17};

	for (size_t i = 0; i < sizeof protos; i++) {
		uint32_t at;
		struct tapir_frame f = make_frame(protos[i], &at);
		uint8_t whole[200];

		put16(f.data + at, checksum_fold(pseudo(&f)));
		driver_find_partial(&f);
		ck_assert_int_eq(f.offload.csum, TAPIR_CSUM_PARTIAL);
		driver_frame_copy(&f, whole);
		ck_assert(checksum_ok(pseudo(&f), (struct span){whole + SEGMENT_AT, f.len - SEGMENT_AT}));
	}
}
END_TEST

START_TEST(a_whole_checksum_and_a_wrong_one_are_left_to_the_stack)
{
	uint32_t at;
	struct tapir_frame f = make_frame(6, &at);

	driver_find_partial(&f);
	ck_assert_int_eq(f.offload.csum, TAPIR_CSUM_NONE);
	put16(f.data + at, 0);
	put16(f.data + at, checksum_finish(checksum_add(pseudo(&f), (struct span){f.data + SEGMENT_AT, f.len - SEGMENT_AT})));
	driver_find_partial(&f);
	ck_assert_int_eq(f.offload.csum, TAPIR_CSUM_NONE);
}
END_TEST

START_TEST(what_has_no_such_field_is_left_alone)
{
	static const struct { uint32_t at; uint8_t value; const char *what; } changes[] = {
		{12, 0x86, "no IPv4"}, {14, 0x65, "another version"}, {14, 0x44, "a header that is too short"},
		{14, 0x4f, "a header that hides the segment"}, {20, 0x20, "a first fragment"}, {21, 1, "a later fragment"},
		{23, 1, "ICMP"}, {17, 35, "a datagram that is too short"}, {17, 255, "one that is longer than the frame"},
	};

	for (size_t i = 0; i < sizeof changes / sizeof changes[0]; i++) {
		uint32_t at;
		struct tapir_frame f = make_frame(6, &at);

		put16(f.data + at, checksum_fold(pseudo(&f)));
		f.data[changes[i].at] = changes[i].value;
		driver_find_partial(&f);
		ck_assert_msg(f.offload.csum == TAPIR_CSUM_NONE, "%s", changes[i].what);
	}
}
END_TEST

START_TEST(a_frame_cut_anywhere_is_read_no_further_than_it_goes)
{
	for (uint32_t n = 0; n < 54; n++) {
		uint32_t at;
		struct tapir_frame f = make_frame(6, &at);
		uint8_t *exact = malloc(n ? n : 1);	/* so that a sanitizer sees a byte too many */

		ck_assert_ptr_nonnull(exact);
		memcpy(exact, f.data, n);
		f.data = exact;
		f.len = n;
		driver_find_partial(&f);
		ck_assert_int_eq(f.offload.csum, TAPIR_CSUM_NONE);
		free(exact);
	}
}
END_TEST

/* Root of the machine, and a kernel and a build that know AF_XDP. */
static bool is_permitted(void)
{
	int status = 1;
	pid_t pid = geteuid() == 0 ? fork() : -1;

	if (pid == 0)
		_exit(unshare(CLONE_NEWNET) != 0 || system("ip link add name near type veth peer name far 2>/dev/null && "
							   "ip link set dev near up && ip link set dev far up") != 0 ||
		      driver_open_xdp("near") == NULL);
	return pid > 0 && waitpid(pid, &status, 0) == pid && status == 0;
}

static void add_live(Suite *s)
{
	TCase *c = tcase_create("a veth");

	tcase_set_timeout(c, 60);
	tcase_add_checked_fixture(c, setup, NULL);
	tcase_add_test(c, what_one_end_sends_the_other_receives);
	tcase_add_test(c, what_send_gathers_leaves_with_flush_in_its_order);
	tcase_add_test(c, chunks_come_back_however_many_frames_pass);
	tcase_add_test(c, while_the_interface_is_down_frames_wait_until_the_link_is_full);
	tcase_add_test(c, frames_larger_than_the_buffer_are_passed_over);
	tcase_add_test(c, frames_of_every_queue_arrive);
	tcase_add_test(c, a_closed_driver_leaves_no_program_behind);
	tcase_add_test(c, a_killed_process_leaves_no_program_behind);
	tcase_add_test(c, one_interface_is_for_one_program);
#if __has_include(<xdp/xsk.h>)
	tcase_add_test(c, somebody_elses_program_stays);
#endif
	tcase_add_test(c, an_interface_that_is_down_works_when_it_comes_up);
	tcase_add_test(c, an_mtu_that_no_chunk_holds_is_refused_with_the_cure);
	tcase_add_test(c, an_interface_deleted_in_use_is_an_error_with_a_sentence);
	suite_add_tcase(s, c);
}

Suite *suite(void)
{
	Suite *s = suite_create("drivers/xdp");
	TCase *c = tcase_create("checksums"), *names = tcase_create("names");

	tcase_add_test(c, a_sum_of_the_pseudo_header_alone_is_a_checksum_left_undone);
	tcase_add_test(c, a_whole_checksum_and_a_wrong_one_are_left_to_the_stack);
	tcase_add_test(c, what_has_no_such_field_is_left_alone);
	tcase_add_test(c, a_frame_cut_anywhere_is_read_no_further_than_it_goes);
	suite_add_tcase(s, c);
	tcase_add_test(names, an_interface_that_is_not_there_is_named);
	suite_add_tcase(s, names);
	if (is_permitted())
		add_live(s);
	else
		printf("drivers/xdp: the live part is skipped: %s\n", "it takes root, libxdp and a kernel with AF_XDP");
	return s;
}
