/* test_udp_gso.c: several UDP datagrams that arrive in one frame, from a driver with UDP segmentation (virtio's GSO_UDP_L4):
 * each is a datagram, with its borders and its verdict, whatever the frame's fields say. */
#include "stack/wire/checksum.h"
#include "tests/support/host.h"

static struct tapir *t;
static tapir_sd sds[8];
static uint32_t sd_count;
static uint8_t text[65507];

static void set_up(void)
{
	host_config()->offload = (struct tapir_offload_caps){.csum = true, .uso = true};
	t = host_begin();
	sd_count = 0;
	for (size_t i = 0; i < sizeof text; i++)
		text[i] = (uint8_t)(i * 7 + i / 253);
}

static void tear_down(void)
{
	while (sd_count)
		ck_assert_result(tapir_close(t, sds[--sd_count]), 0);
	host_end();
}

static tapir_sd bound(uint16_t port)
{
	struct tapir_endpoint local = {.port = port};
	tapir_sd sd = tapir_socket(t, TAPIR_SOCK_DGRAM);

	ck_assert(sd >= 0);
	sds[sd_count++] = sd;
	ck_assert_result(tapir_bind(t, sd, &local), 0);
	return sd;
}

/* --- in --------------------------------------------------------------------------------------------------------- */

/* A frame of n bytes of text from port 9 to port, with these fields from the driver; len is what the UDP header says. */
struct arrival { size_t n; uint16_t port, gso_size, len; enum tapir_csum csum; };

static enum tapir_verdict arrives(struct arrival a)
{
	struct ipv4_header ip = {.src = NEIGHBOUR_IP, .dst = HOST_IP, .proto = IP_PROTO_UDP, .ttl = 64};
	struct tapir_frame *f = tapir_frame_get(t);
	uint8_t *p;

	ck_assert_ptr_nonnull(f);
	p = f->data;
	ip.total_len = (uint16_t)(28 + a.n);
	ipv4_emit(&ip, p);
	put_be16(p + 20, 9);
	put_be16(p + 22, a.port);
	put_be16(p + 24, a.len);
	put_be16(p + 26, checksum_fold(checksum_pseudo(&ip.src, &ip.dst, IP_PROTO_UDP, a.len)));
	memcpy(p + 28, text, a.n);
	f->len = (uint32_t)(28 + a.n);
	f->offload = (struct tapir_offload){.csum = a.csum, .csum_start = 20, .csum_offset = 6, .gso = TAPIR_GSO_UDP,
					    .gso_size = a.gso_size, .hdr_len = 28};
	return tapir_input(t, f);
}

static enum tapir_verdict arrive(uint16_t port, size_t n, uint16_t gso_size)
{
	return arrives((struct arrival){n, port, gso_size, (uint16_t)(8 + n), TAPIR_CSUM_PARTIAL});
}

/* The next datagram in sd's queue is text[at..at + n). */
static void reads(tapir_sd sd, size_t at, size_t n)
{
	static uint8_t buf[65507];
	struct tapir_endpoint from;

	ck_assert_result(tapir_recvfrom(t, sd, buf, sizeof buf, &from), (int64_t)n);
	ck_assert_mem_eq(buf, text + at, n);
	ck_assert_uint_eq(from.port, 9);
	ck_assert(addr_is(&from.addr, NEIGHBOUR_IP));
}

static void reads_nothing(tapir_sd sd)
{
	uint8_t buf[1];

	ck_assert_result(tapir_recv(t, sd, buf, 1), TAPIR_EAGAIN);
}

START_TEST(a_frame_of_several_is_as_many_datagrams_the_last_one_shorter)
{
	tapir_sd sd = bound(7);
	struct tapir_stats stats;

	ck_assert_verdict_eq(arrive(7, 100 * 3 + 40, 100), ACCEPT);
	for (size_t i = 0; i < 3; i++)
		reads(sd, 100 * i, 100);
	reads(sd, 300, 40);
	reads_nothing(sd);
	ck_assert_uint_eq(tapir_count(t, ACCEPT), 4);
	tapir_stats(t, &stats);
	ck_assert_uint_eq(stats.udp_in, 4);
	ck_assert_uint_eq(stats.frames_in, 1);
}
END_TEST

START_TEST(every_size_and_count_of_datagrams_arrives_whole)
{
	static const uint16_t sizes[] = {1, 2, 3, 16, 1023, 1472, 1919, 1920, 1921, 8972};
	tapir_sd sd = bound(7);

	for (size_t s = 0; s < sizeof sizes / sizeof sizes[0]; s++)
		for (size_t n = 1; n <= 3u * sizes[s] + 1; n += 1 + sizes[s] / 3) {
			ck_assert_verdict_eq(arrive(7, n, sizes[s]), ACCEPT);
			for (size_t at = 0; at < n; at += sizes[s])
				reads(sd, at, n - at < sizes[s] ? n - at : sizes[s]);
			reads_nothing(sd);
		}
}
END_TEST

START_TEST(one_alone_in_such_a_frame_is_one_datagram)
{
	tapir_sd sd = bound(7);

	ck_assert_verdict_eq(arrive(7, 30, 100), ACCEPT);
	reads(sd, 0, 30);
	reads_nothing(sd);
	ck_assert_uint_eq(tapir_count(t, ACCEPT), 1);
}
END_TEST

START_TEST(a_size_of_nothing_is_refused)
{
	tapir_sd sd = bound(7);

	ck_assert_verdict_eq(arrive(7, 30, 0), DROP_UDP_GSO);
	reads_nothing(sd);
}
END_TEST

START_TEST(a_frame_of_several_without_text_is_refused)
{
	tapir_sd sd = bound(7);

	ck_assert_verdict_eq(arrive(7, 0, 100), DROP_UDP_GSO);
	reads_nothing(sd);
}
END_TEST

START_TEST(more_than_128_datagrams_in_a_frame_are_refused)
{
	tapir_sd sd = bound(7);

	ck_assert_verdict_eq(arrive(7, 129, 1), DROP_UDP_GSO);
	reads_nothing(sd);
	ck_assert_verdict_eq(arrive(7, 128, 1), ACCEPT);
	for (size_t i = 0; i < 128; i++)
		reads(sd, i, 1);
	reads_nothing(sd);
}
END_TEST

START_TEST(a_length_field_that_lies_is_refused_or_cuts_the_text)
{
	tapir_sd sd = bound(7);
	struct arrival a = {.n = 300, .port = 7, .gso_size = 100, .len = 309, .csum = TAPIR_CSUM_PARTIAL};

	ck_assert_verdict_eq(arrives(a), DROP_UDP_LENGTH);
	a.len = 7;
	ck_assert_verdict_eq(arrives(a), DROP_UDP_LENGTH);
	a.len = 8 + 150;
	ck_assert_verdict_eq(arrives(a), ACCEPT);
	reads(sd, 0, 100);
	reads(sd, 100, 50);
	reads_nothing(sd);
}
END_TEST

START_TEST(a_checksum_that_nobody_vouches_for_is_looked_at)
{
	tapir_sd sd = bound(7);
	struct arrival a = {.n = 300, .port = 7, .gso_size = 100, .len = 308, .csum = TAPIR_CSUM_NONE};

	ck_assert_verdict_eq(arrives(a), DROP_UDP_CHECKSUM);
	reads_nothing(sd);
	a.csum = TAPIR_CSUM_VALID;
	ck_assert_verdict_eq(arrives(a), ACCEPT);
	for (size_t i = 0; i < 3; i++)
		reads(sd, 100 * i, 100);
}
END_TEST

START_TEST(for_a_port_of_nobody_each_is_counted_and_one_error_is_sent)
{
	struct span payload;
	struct said s;

	ck_assert_verdict_eq(arrive(7, 500, 100), DROP_UDP_NO_PORT);
	ck_assert_uint_eq(tapir_count(t, DROP_UDP_NO_PORT), 5);
	ck_assert_int_eq(host_says_icmp(&s, &payload).code, ICMP_PORT_UNREACHABLE);
	host_says_nothing();
}
END_TEST

START_TEST(what_a_full_queue_does_not_take_of_a_frame_is_counted_one_by_one)
{
	struct tapir_udp_row row;
	struct tapir_cursor cursor = {0};
	tapir_sd sd = bound(7);

	ck_assert_result(tapir_setsockopt(t, sd, TAPIR_SO_RCVBUF, 3 * 2048), 0);
	ck_assert_verdict_eq(arrive(7, 500, 100), DROP_UDP_QUEUE_FULL);
	ck_assert_uint_eq(tapir_count(t, ACCEPT), 3);
	ck_assert_uint_eq(tapir_count(t, DROP_UDP_QUEUE_FULL), 2);
	ck_assert_uint_eq(tapir_udp_list(t, &cursor, &row, 1), 1);
	ck_assert_uint_eq(row.drops, 2);
	for (size_t i = 0; i < 3; i++)
		reads(sd, 100 * i, 100);
	reads_nothing(sd);
}
END_TEST

START_TEST(pools_that_run_empty_lose_datagrams_not_order)
{
	tapir_sd sd = bound(7);
	struct tapir_frame *taken[20];
	size_t n = 0;

	while (n < 15 && (taken[n] = tapir_frame_get(t)))
		n++;
	ck_assert_verdict_eq(arrive(7, 6000, 3000), DROP_NO_MEMORY);	/* the last large frame carries it */
	ck_assert_uint_eq(tapir_count(t, DROP_NO_MEMORY), 2);
	reads_nothing(sd);
	while (n)
		tapir_frame_put(t, taken[--n]);
}
END_TEST

/* --- the probe -------------------------------------------------------------------------------------------------- */

static uint32_t arrived_told, told;

static void count_verdicts(void *ctx, const struct tapir_event *e)
{
	(void)ctx;
	if (e->kind != TAPIR_EV_VERDICT)
		return;
	told++;
	arrived_told += e->u.verdict.arrived;
}

START_TEST(the_probe_hears_of_each_and_once_of_the_frames_end)
{
	struct tapir_config *c;

	tear_down();
	c = host_config();
	c->offload = (struct tapir_offload_caps){.csum = true, .uso = true};
	c->probe = count_verdicts;
	t = host_begin();
	bound(7);
	told = arrived_told = 0;
	ck_assert_verdict_eq(arrive(7, 500, 100), ACCEPT);
	ck_assert_uint_eq(told, 5);
	ck_assert_uint_eq(arrived_told, 1);
}
END_TEST

static TCase *in_tests(void)
{
	TCase *tc = tcase_create("in");

	tcase_add_checked_fixture(tc, set_up, tear_down);
	tcase_add_test(tc, a_frame_of_several_is_as_many_datagrams_the_last_one_shorter);
	tcase_add_test(tc, every_size_and_count_of_datagrams_arrives_whole);
	tcase_add_test(tc, one_alone_in_such_a_frame_is_one_datagram);
	tcase_add_test(tc, a_size_of_nothing_is_refused);
	tcase_add_test(tc, a_frame_of_several_without_text_is_refused);
	tcase_add_test(tc, more_than_128_datagrams_in_a_frame_are_refused);
	tcase_add_test(tc, a_length_field_that_lies_is_refused_or_cuts_the_text);
	tcase_add_test(tc, a_checksum_that_nobody_vouches_for_is_looked_at);
	tcase_add_test(tc, for_a_port_of_nobody_each_is_counted_and_one_error_is_sent);
	tcase_add_test(tc, what_a_full_queue_does_not_take_of_a_frame_is_counted_one_by_one);
	tcase_add_test(tc, pools_that_run_empty_lose_datagrams_not_order);
	tcase_add_test(tc, the_probe_hears_of_each_and_once_of_the_frames_end);
	return tc;
}

Suite *suite(void)
{
	Suite *s = suite_create("udp: frames of several datagrams");

	suite_add_tcase(s, in_tests());
	return s;
}
