/* test_ip_join.c: UDP datagrams that leave as one frame, for a driver with UDP segmentation (virtio's GSO_UDP_L4): which do
 * and which do not, and that a driver which cuts such a frame makes of it what a stack without one sends, byte for byte. */
#include <stdlib.h>
#include "stack/base/siphash.h"
#include "stack/wire/checksum.h"
#include "tests/support/host.h"

#define DATAGRAMS_MAX 4000

static struct tapir *t;
static tapir_sd sds[8];
static uint32_t sd_count;
static uint8_t text[65507];

static void begin(bool uso, bool csum)
{
	host_config()->offload = (struct tapir_offload_caps){.csum = csum, .uso = uso};
	t = host_begin();
	sd_count = 0;
	for (size_t i = 0; i < sizeof text; i++)
		text[i] = (uint8_t)(i * 7 + i / 253);
}

static void set_up(void) { begin(true, true); }

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

static void sends_to(tapir_sd sd, struct tapir_addr to, uint16_t port, size_t n)
{
	struct tapir_endpoint peer = {to, port};

	ck_assert_result(tapir_sendto(t, sd, text, n, &peer), (int64_t)n);
}

static void sends(tapir_sd sd, size_t n) { sends_to(sd, NEIGHBOUR_IP, 7, n); }

/* --- what leaves, cut as a driver would ------------------------------------------------------------------------- */

static struct datagram { size_t n; uint8_t bytes[1600]; } datagrams[DATAGRAMS_MAX];
static uint32_t datagram_count;

static void keep(const uint8_t *p, size_t n)
{
	struct datagram *d = &datagrams[datagram_count++];

	ck_assert_uint_le(datagram_count, DATAGRAMS_MAX);
	ck_assert_uint_le(n, sizeof d->bytes);
	memcpy(d->bytes, p, n);
	d->n = n;
}

/* Number i of the datagrams that p[0..n) stands for, size bytes of text in each. */
static void keep_piece(const uint8_t *p, size_t n, size_t size, size_t i)
{
	uint8_t d[1600];
	size_t at = 28 + i * size, len = n - at < size ? n - at : size;
	struct tapir_addr src = tapir_ipv4(p[12], p[13], p[14], p[15]), dst = tapir_ipv4(p[16], p[17], p[18], p[19]);
	uint16_t sum;

	ck_assert_uint_le(28 + len, sizeof d);
	memcpy(d, p, 28);
	memcpy(d + 28, p + at, len);
	put_be16(d + 2, (uint16_t)(28 + len));
	put_be16(d + 4, (uint16_t)(get_be16(p + 4) + i));
	put_be16(d + 10, 0);
	put_be16(d + 10, checksum_finish(checksum_add(0, span_of(d, 20))));
	put_be16(d + 24, (uint16_t)(8 + len));
	put_be16(d + 26, 0);
	sum = checksum_finish(checksum_add(checksum_pseudo(&src, &dst, IP_PROTO_UDP, (uint32_t)(8 + len)),
					   span_of(d + 20, 8 + len)));
	put_be16(d + 26, sum ? sum : 0xffff);
	keep(d, 28 + len);
}

/* The next frame; how many datagrams it stands for, 0: there is none. Each is kept. */
static size_t leaves(void)
{
	static uint8_t p[70000];
	struct tapir_out out;
	const struct tapir_offload *o = &out.offload;
	struct tapir_addr src, dst;
	size_t count;

	if (!tapir_output(t, &out))
		return 0;
	tapir_out_copy(&out, p, true);
	if (o->gso == TAPIR_GSO_NONE) {
		ck_assert_int_eq(o->csum, TAPIR_CSUM_NONE);
		keep(p, out.len);
		return 1;
	}
	ck_assert_int_eq(o->gso, TAPIR_GSO_UDP);
	ck_assert_int_eq(o->csum, TAPIR_CSUM_PARTIAL);
	ck_assert_uint_eq(o->csum_start, 20);
	ck_assert_uint_eq(o->csum_offset, 6);
	ck_assert_uint_eq(o->hdr_len, 28);
	ck_assert_uint_eq(get_be16(p + 2), out.len);
	ck_assert_uint_eq(get_be16(p + 24), out.len - 20);
	ck_assert(checksum_ok(0, span_of(p, 20)));
	tapir_out_copy(&out, p, false);		/* completes the checksum of the whole */
	src = tapir_ipv4(p[12], p[13], p[14], p[15]);
	dst = tapir_ipv4(p[16], p[17], p[18], p[19]);
	ck_assert(checksum_ok(checksum_pseudo(&src, &dst, IP_PROTO_UDP, out.len - 20), span_of(p + 20, out.len - 20)));
	count = (out.len - 28 + o->gso_size - 1) / o->gso_size;
	ck_assert_uint_gt(count, 1);
	ck_assert_uint_le(count, 64);
	for (size_t i = 0; i < count; i++)
		keep_piece(p, out.len, o->gso_size, i);
	return count;
}

/* The next frames stand for so many datagrams each, and then there is none. */
static void leave(const size_t *counts, size_t n)
{
	datagram_count = 0;
	for (size_t i = 0; i < n; i++)
		ck_assert_uint_eq(leaves(), counts[i]);
	ck_assert_uint_eq(leaves(), 0);
}
#define leave_as(...) leave((const size_t[]){__VA_ARGS__}, sizeof((const size_t[]){__VA_ARGS__}) / sizeof(size_t))

/* Datagram i has the first n bytes of text. */
static void carries(uint32_t i, size_t n)
{
	ck_assert_uint_lt(i, datagram_count);
	ck_assert_uint_eq(datagrams[i].n, 28 + n);
	ck_assert_mem_eq(datagrams[i].bytes + 28, text, n);
}

/* --- out: together ---------------------------------------------------------------------------------------------- */

START_TEST(datagrams_of_one_size_to_one_peer_leave_as_one_frame)
{
	tapir_sd sd = bound(9);

	for (int i = 0; i < 5; i++)
		sends(sd, 16);
	leave_as(5);
	for (uint32_t i = 0; i < 5; i++)
		carries(i, 16);
}
END_TEST

START_TEST(a_shorter_one_is_the_last_of_its_frame)
{
	tapir_sd sd = bound(9);

	sends(sd, 1400);
	sends(sd, 1400);
	sends(sd, 3);
	sends(sd, 3);
	leave_as(3, 1);
	carries(1, 1400);
	carries(2, 3);
	carries(3, 3);
}
END_TEST

START_TEST(a_longer_one_begins_the_next_frame)
{
	tapir_sd sd = bound(9);

	sends(sd, 16);
	sends(sd, 16);
	sends(sd, 17);
	sends(sd, 17);
	leave_as(2, 2);
}
END_TEST

START_TEST(one_alone_leaves_as_it_always_did)
{
	tapir_sd sd = bound(9);

	sends(sd, 16);
	leave_as(1);
	carries(0, 16);
}
END_TEST

START_TEST(a_frame_holds_64_at_most)
{
	tapir_sd sd = bound(9);

	for (int i = 0; i < 130; i++)
		sends(sd, 1);
	leave_as(64, 64, 2);
}
END_TEST

START_TEST(a_frame_is_no_longer_than_an_ip_datagram_can_be)
{
	tapir_sd sd = bound(9);

	for (int i = 0; i < 50; i++)
		sends(sd, 1472);
	leave_as(44, 6);		/* 28 + 44 * 1472 = 64796; one more would be 66268 */
}
END_TEST

START_TEST(what_was_borrowed_goes_back_to_the_pools_with_the_next_output)
{
	struct tapir_usage usage;
	tapir_sd sd = bound(9);

	for (int i = 0; i < 20; i++)
		sends(sd, 700);
	ck_assert_uint_eq(leaves(), 20);
	tapir_usage(t, &usage);
	ck_assert_uint_eq(usage.small_frames, 20);
	ck_assert_uint_eq(leaves(), 0);
	tapir_usage(t, &usage);
	ck_assert_uint_eq(usage.small_frames, 0);
}
END_TEST

/* --- out: alone ------------------------------------------------------------------------------------------------- */

START_TEST(two_peers_share_no_frame)
{
	tapir_sd sd = bound(9);

	sends(sd, 16);
	sends_to(sd, tapir_ipv4(10, 0, 0, 3), 7, 16);
	sends(sd, 16);
	leave_as(1, 1, 1);
}
END_TEST

START_TEST(two_ports_of_one_peer_share_no_frame)
{
	tapir_sd sd = bound(9);

	sends(sd, 16);
	sends_to(sd, NEIGHBOUR_IP, 8, 16);
	leave_as(1, 1);
}
END_TEST

START_TEST(two_sockets_share_no_frame)
{
	tapir_sd a = bound(9), b = bound(10);

	sends(a, 16);
	sends(b, 16);
	sends(b, 16);
	leave_as(1, 2);
}
END_TEST

START_TEST(another_time_to_live_begins_another_frame)
{
	tapir_sd sd = bound(9);

	sends(sd, 16);
	ck_assert_result(tapir_setsockopt(t, sd, TAPIR_IP_TTL, 3), 0);
	sends(sd, 16);
	leave_as(1, 1);
}
END_TEST

START_TEST(another_type_of_service_begins_another_frame)
{
	tapir_sd sd = bound(9);

	sends(sd, 16);
	ck_assert_result(tapir_setsockopt(t, sd, TAPIR_IP_TOS, 0x10), 0);
	sends(sd, 16);
	leave_as(1, 1);
}
END_TEST

START_TEST(datagrams_without_text_leave_alone)
{
	tapir_sd sd = bound(9);

	sends(sd, 0);
	sends(sd, 0);
	sends(sd, 16);
	sends(sd, 0);
	leave_as(1, 1, 1, 1);
}
END_TEST

START_TEST(what_must_be_fragmented_leaves_in_fragments)
{
	tapir_sd sd = bound(9);

	sends(sd, 1473);
	sends(sd, 1473);
	leave_as(1, 1, 1, 1);
	ck_assert_uint_eq(datagrams[0].n, 1500);
	ck_assert_uint_eq(datagrams[1].n, 20 + 1);
}
END_TEST

START_TEST(what_follows_a_fragmented_one_is_not_put_to_its_last_fragment)
{
	tapir_sd sd = bound(9);

	sends(sd, 2000);
	sends(sd, 100);
	sends(sd, 100);
	leave_as(1, 1, 2);
}
END_TEST

/* A router says that the path carries 1000 bytes; host_hears would first let the stack send. */
static void hears_of_a_narrow_path(const struct datagram *quoted)
{
	struct ipv4_header ip = {.src = NEIGHBOUR_IP, .dst = HOST_IP, .proto = IP_PROTO_ICMP, .ttl = 64,
				 .total_len = (uint16_t)(20 + 8 + quoted->n)};
	struct icmp_header h = {.type = ICMP_UNREACHABLE, .code = ICMP_FRAGMENTATION_NEEDED, .seq = 1000};
	struct tapir_frame *f = tapir_frame_get(t);

	ck_assert_ptr_nonnull(f);
	ipv4_emit(&ip, f->data);
	memcpy(f->data + 28, quoted->bytes, quoted->n);
	icmp_emit(&h, f->data + 20, quoted->n);
	f->len = ip.total_len;
	ck_assert_verdict_eq(tapir_input(t, f), ACCEPT);
}

START_TEST(a_path_that_has_become_narrow_fragments_what_would_have_shared_a_frame)
{
	tapir_sd sd = bound(9);
	struct datagram quoted;

	sends(sd, 1400);
	leave_as(1);
	quoted = datagrams[0];
	sends(sd, 1400);
	sends(sd, 1400);
	hears_of_a_narrow_path(&quoted);
	leave_as(1, 1, 1, 1);
	ck_assert_uint_le(datagrams[0].n, 1000);
}
END_TEST

START_TEST(an_answer_of_icmp_between_two_keeps_them_apart)
{
	struct icmp_header echo = {.type = ICMP_ECHO, .seq = 1};
	tapir_sd sd = bound(9);

	ck_assert_verdict_eq(host_hears_icmp(NEIGHBOUR_IP, &echo, "ping", 4), ACCEPT);
	sends(sd, 16);
	sends(sd, 16);
	leave_as(1, 2);
	ck_assert_uint_eq(datagrams[0].bytes[9], IP_PROTO_ICMP);
}
END_TEST

START_TEST(a_driver_without_udp_segmentation_gets_each_alone)
{
	tapir_sd sd;

	tear_down();
	begin(false, true);
	sd = bound(9);
	sends(sd, 16);
	sends(sd, 16);
	leave_as(1, 1);
}
END_TEST

START_TEST(a_driver_without_checksums_gets_each_alone)
{
	tapir_sd sd;

	tear_down();
	begin(true, false);
	sd = bound(9);
	sends(sd, 16);
	sends(sd, 16);
	leave_as(1, 1);
}
END_TEST

/* --- out: what comes of them is the same ------------------------------------------------------------------------ */

/* Random sizes, sockets, peers and options, with a fragmented or an empty one now and then. */
static void send_at_random(uint64_t seed)
{
	struct rng rng;
	tapir_sd sd[3];

	rng_seed(&rng, seed, 99);
	for (uint16_t i = 0; i < 3; i++)
		sd[i] = bound((uint16_t)(100 + i));
	datagram_count = 0;
	for (int burst = 0; burst < 40; burst++) {
		uint32_t which = rng_below(&rng, 3), count = 1 + rng_below(&rng, 70);
		size_t size = rng_below(&rng, 8) ? rng_below(&rng, 1473) : 0;
		struct tapir_addr to = tapir_ipv4(10, 0, 0, rng_below(&rng, 2) ? 1 : 3);

		ck_assert_result(tapir_setsockopt(t, sd[which], TAPIR_IP_TTL, 1 + (int)rng_below(&rng, 2)), 0);
		for (uint32_t i = 0; i < count; i++)
			sends_to(sd[which], to, 7, rng_below(&rng, 10) ? size : rng_below(&rng, 1600));
		if (burst % 3 == 2 || rng_below(&rng, 2))	/* the queue holds three */
			while (leaves())
				;
	}
	while (leaves())
		;
}

START_TEST(cut_by_the_driver_they_are_what_a_stack_without_offload_sends_byte_for_byte)
{
	static struct datagram expected[DATAGRAMS_MAX];
	uint32_t count;

	tear_down();
	host_config()->offload = (struct tapir_offload_caps){.csum = false};
	t = host_begin();
	send_at_random((uint64_t)_i);
	count = datagram_count;
	memcpy(expected, datagrams, sizeof expected);
	tear_down();
	host_config()->offload = (struct tapir_offload_caps){.csum = true, .uso = true};
	t = host_begin();
	send_at_random((uint64_t)_i);
	ck_assert_uint_eq(datagram_count, count);
	for (uint32_t i = 0; i < count; i++) {
		ck_assert_uint_eq(datagrams[i].n, expected[i].n);
		ck_assert_mem_eq(datagrams[i].bytes, expected[i].bytes, expected[i].n);
	}
}
END_TEST

START_TEST(what_waited_for_the_neighbours_address_leaves_together)
{
	struct host_arp reply = {.op = ARP_REPLY, .sender_mac = neighbour_mac, .target_mac = host_mac, .sender = NEIGHBOUR_IP,
				 .target = HOST_IP};
	struct tapir_out out;
	struct said s;
	tapir_sd sd;

	tear_down();
	host_config_ethernet()->offload = (struct tapir_offload_caps){.csum = true, .uso = true};
	t = host_begin();
	host_says_all();		/* the announcement */
	sd = bound(9);
	for (int i = 0; i < 4; i++)
		sends(sd, 50);
	host_says_arp(&s, ARP_REQUEST);
	host_says_nothing();
	ck_assert_verdict_eq(host_hears_arp(&reply), ACCEPT);
	ck_assert_int_eq(tapir_output(t, &out), 1);
	ck_assert_int_eq(out.offload.gso, TAPIR_GSO_UDP);
	ck_assert_uint_eq(out.offload.gso_size, 50);
	ck_assert_uint_eq(out.offload.hdr_len, 14 + 28);
	ck_assert_uint_eq(out.offload.csum_start, 14 + 20);
	ck_assert_uint_eq(out.len, 14 + 28 + 200);
	ck_assert_int_eq(tapir_output(t, &out), 0);
}
END_TEST

static TCase *out_tests(void)
{
	TCase *tc = tcase_create("out");

	tcase_add_checked_fixture(tc, set_up, tear_down);
	tcase_add_test(tc, datagrams_of_one_size_to_one_peer_leave_as_one_frame);
	tcase_add_test(tc, a_shorter_one_is_the_last_of_its_frame);
	tcase_add_test(tc, a_longer_one_begins_the_next_frame);
	tcase_add_test(tc, one_alone_leaves_as_it_always_did);
	tcase_add_test(tc, a_frame_holds_64_at_most);
	tcase_add_test(tc, a_frame_is_no_longer_than_an_ip_datagram_can_be);
	tcase_add_test(tc, what_was_borrowed_goes_back_to_the_pools_with_the_next_output);
	tcase_add_test(tc, two_peers_share_no_frame);
	tcase_add_test(tc, two_ports_of_one_peer_share_no_frame);
	tcase_add_test(tc, two_sockets_share_no_frame);
	tcase_add_test(tc, another_time_to_live_begins_another_frame);
	tcase_add_test(tc, another_type_of_service_begins_another_frame);
	tcase_add_test(tc, datagrams_without_text_leave_alone);
	tcase_add_test(tc, what_must_be_fragmented_leaves_in_fragments);
	tcase_add_test(tc, what_follows_a_fragmented_one_is_not_put_to_its_last_fragment);
	tcase_add_test(tc, a_path_that_has_become_narrow_fragments_what_would_have_shared_a_frame);
	tcase_add_test(tc, an_answer_of_icmp_between_two_keeps_them_apart);
	tcase_add_test(tc, a_driver_without_udp_segmentation_gets_each_alone);
	tcase_add_test(tc, a_driver_without_checksums_gets_each_alone);
	tcase_add_loop_test(tc, cut_by_the_driver_they_are_what_a_stack_without_offload_sends_byte_for_byte, 0, 20);
	tcase_add_test(tc, what_waited_for_the_neighbours_address_leaves_together);
	return tc;
}

Suite *suite(void)
{
	Suite *s = suite_create("ip: datagrams that share a frame");

	suite_add_tcase(s, out_tests());
	return s;
}
