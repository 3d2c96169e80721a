/* test_drivers_trace.c: the one-line notation, frame by frame, and the wrapper that prints it. Frames are made by
 * tests/support/segment.c or by hand, never by stack/wire, which the notation reads them with. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "drivers/driver.h"
#include "tests/support/segment.h"

#define HOST(n) (0x0a000000u + (n))		/* 10.0.0.n */

static char line[512];

static const char *format(const uint8_t *bytes, size_t n, struct trace_options how)
{
	size_t len = trace_format(line, sizeof line, (struct span){bytes, n}, &how);

	ck_assert_uint_eq(len, strlen(line));
	return line;
}

static const char *format_ip(const uint8_t *bytes, size_t n)
{
	return format(bytes, n, (struct trace_options){.ip_only = true, .checksums = true});
}

/* A datagram with the segment that the text describes, from 10.0.0.1:1000 to 10.0.0.2:80; returns its length. */
static size_t make_segment(const char *text, uint8_t frame[2000])
{
	static const struct segment_base zero;
	static const struct segment_path path = {HOST(1), HOST(2), 1000, 80};
	struct segment s;
	const char *wrong = segment_parse(text, &zero, &s);

	ck_assert_msg(wrong == NULL, "%s: %s", text, wrong);
	return segment_emit(&s, &path, 0, frame);
}

START_TEST(a_tcp_segment_is_written_as_packetdrill_would)
{
	static const char *const lines[] = {
		"S 0:0(0) win 65535 <mss 1460,sackOK,TS val 7 ecr 0,nop,wscale 7>",
		"S. 4294967295:4294967295(0) ack 1 win 512 <mss 536>",
		". 1:1(0) ack 1 win 0",
		"P. 1:101(100) ack 4294967290 win 1000",
		"F. 5:15(10) ack 9 win 1",
		"R 5:5(0) win 0",
		"- 5:5(0) win 0",
		". 1:1(0) ack 1 win 9 <nop,nop,sack 10:20 30:40>",
		". 1:1(0) ack 1 win 9 <nop,nop,TS val 4294967295 ecr 17>",
		".EWU 1:1(0) ack 1 win 9 urg 77",
		"[ect0] P.W 1:11(10) ack 1 win 9",
		"[ect1] . 1:11(10) ack 1 win 9",
		"[ce] . 1:11(10) ack 1 win 9",
	};
	uint8_t frame[2000];

	for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
		size_t n = make_segment(lines[i], frame);

		ck_assert_str_eq(format_ip(frame, n), lines[i]);
	}
}
END_TEST

START_TEST(numbers_may_be_relative_and_endpoints_named)
{
	struct trace_options how = {.ip_only = true, .relative = true, .seq_base = 1000, .ack_base = 4294967000u};
	uint8_t frame[2000];
	size_t n = make_segment("P. 1001:1011(10) ack 4294967100 win 5 <nop,nop,sack 4294967200:4294967210>", frame);

	ck_assert_str_eq(format(frame, n, how), "P. 1:11(10) ack 100 win 5 <nop,nop,sack 200:210>");
	how = (struct trace_options){.ip_only = true, .addresses = true};
	n = make_segment(". 1:1(0) ack 1 win 5", frame);
	ck_assert_str_eq(format(frame, n, how), "10.0.0.1:1000 > 10.0.0.2:80 . 1:1(0) ack 1 win 5");
}
END_TEST

START_TEST(a_wrong_checksum_is_said_when_asked_for)
{
	uint8_t frame[2000];
	size_t n = make_segment("P. 1:11(10) ack 1 win 5", frame);

	frame[n - 1] ^= 1;
	ck_assert_str_eq(format_ip(frame, n), "P. 1:11(10) ack 1 win 5 bad checksum");
	ck_assert_str_eq(format(frame, n, (struct trace_options){.ip_only = true}), "P. 1:11(10) ack 1 win 5");
}
END_TEST

/* ---- what is not TCP ---- */

static void put16(uint8_t *p, uint32_t v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

/* An IPv4 header from 10.0.0.1 to 10.0.0.2 in front of n bytes; returns the length of both. */
static size_t put_ip(uint8_t *frame, uint8_t proto, size_t n, uint16_t fragment)
{
	static const uint8_t header[20] = {0x45, 0, 0, 0, 0, 9, 0, 0, 64, 0, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2};

	memcpy(frame, header, sizeof header);
	put16(frame + 2, (uint32_t)n + 20);
	put16(frame + 6, fragment);
	frame[9] = proto;
	put16(frame + 10, 0);
	put16(frame + 10, frame_checksum(0, frame, 20));
	return n + 20;
}

static size_t put_icmp(uint8_t *frame, uint8_t type, uint8_t code, size_t n)
{
	frame[20] = type;
	frame[21] = code;
	put16(frame + 22, 0);
	put16(frame + 22, frame_checksum(0, frame + 20, n));
	return put_ip(frame, 1, n, 0);
}

START_TEST(udp_is_its_length)
{
	static const struct trace_options addresses = {.ip_only = true, .addresses = true};
	uint8_t frame[100] = {0};
	size_t n = put_ip(frame, 17, 8 + 5, 0);

	put16(frame + 20, 5000);
	put16(frame + 22, 53);
	put16(frame + 24, 8 + 5);
	ck_assert_str_eq(format_ip(frame, n), "udp 5 bytes");		/* without a checksum */
	ck_assert_str_eq(format(frame, n, addresses), "10.0.0.1:5000 > 10.0.0.2:53 udp 5 bytes");
	put16(frame + 26, 0x1234);
	ck_assert_str_eq(format_ip(frame, n), "udp 5 bytes bad checksum");
}
END_TEST

START_TEST(icmp_names_its_messages_and_what_they_are_about)
{
	static const struct trace_options addresses = {.ip_only = true, .addresses = true};
	uint8_t frame[100] = {[24] = 0x12, 0x34, 0, 7}, quoted[100] = {0};
	size_t n = put_icmp(frame, 8, 0, 8 + 56);

	ck_assert_str_eq(format_ip(frame, n), "icmp echo request id 4660 seq 7 56 bytes");
	ck_assert_str_eq(format(frame, n, addresses), "10.0.0.1 > 10.0.0.2 icmp echo request id 4660 seq 7 56 bytes");
	n = put_icmp(frame, 0, 0, 8 + 56);
	ck_assert_str_eq(format_ip(frame, n), "icmp echo reply id 4660 seq 7 56 bytes");
	put_ip(quoted, 17, 8, 0);
	put16(quoted + 20, 1111);
	put16(quoted + 22, 2222);
	memset(frame, 0, sizeof frame);
	memcpy(frame + 28, quoted, 28);
	n = put_icmp(frame, 3, 3, 8 + 28);
	ck_assert_str_eq(format_ip(frame, n), "icmp port unreachable about udp 10.0.0.1:1111 > 10.0.0.2:2222");
	put16(frame + 26, 1280);
	n = put_icmp(frame, 3, 4, 8 + 28);
	ck_assert_str_eq(format_ip(frame, n), "icmp fragmentation needed mtu 1280 about udp 10.0.0.1:1111 > 10.0.0.2:2222");
	n = put_icmp(frame, 11, 1, 8 + 28);
	ck_assert_str_eq(format_ip(frame, n), "icmp reassembly time exceeded about udp 10.0.0.1:1111 > 10.0.0.2:2222");
	n = put_icmp(frame, 42, 1, 8);
	ck_assert_str_eq(format_ip(frame, n), "icmp type 42 code 1 0 bytes");
}
END_TEST

START_TEST(fragments_say_where_they_belong)
{
	uint8_t frame[100] = {0};
	size_t n = put_ip(frame, 17, 24, 0x2000);

	ck_assert_str_eq(format_ip(frame, n), "fragment udp id 9 0:24(24) more");
	n = put_ip(frame, 17, 24, 3);
	ck_assert_str_eq(format_ip(frame, n), "fragment udp id 9 24:48(24)");
	n = put_ip(frame, 89, 24, 0);
	ck_assert_str_eq(format_ip(frame, n), "protocol 89 24 bytes");
}
END_TEST

START_TEST(arp_is_written_as_arping_would)
{
	uint8_t frame[60] = {[0] = 0xff, [12] = 0x08, [13] = 0x06, [14] = 0, 1, 8, 0, 6, 4, 0, 1, 2, 0, 0, 0, 0, 1, 10, 0, 0, 1,
			     [38] = 10, 0, 0, 2};
	struct trace_options how = {.ip_only = false};

	ck_assert_str_eq(format(frame, sizeof frame, how), "arp who-has 10.0.0.2 tell 10.0.0.1");
	frame[41] = 1;
	ck_assert_str_eq(format(frame, sizeof frame, how), "arp announce 10.0.0.1 is-at 02:00:00:00:00:01");
	frame[21] = 2;
	ck_assert_str_eq(format(frame, sizeof frame, how), "arp reply 10.0.0.1 is-at 02:00:00:00:00:01");
	frame[13] = 0x99;
	ck_assert_str_eq(format(frame, sizeof frame, how), "ethertype 0x0899 46 bytes");
}
END_TEST

START_TEST(a_malformed_frame_has_the_name_that_the_stack_would_give_it)
{
	uint8_t frame[2000];
	size_t n = make_segment(". 1:1(0) ack 1 win 5", frame);

	ck_assert_str_eq(format(frame, 13, (struct trace_options){.ip_only = false}), "malformed: DROP_ETH_SHORT");
	ck_assert_str_eq(format_ip(frame, 19), "malformed: DROP_IP_SHORT");
	frame[32] = 0x40;
	ck_assert_str_eq(format_ip(frame, n), "malformed: DROP_TCP_OFFSET");
	frame[0] = 0x65;
	ck_assert_str_eq(format_ip(frame, n), "malformed: DROP_IP_VERSION");
}
END_TEST

START_TEST(any_bytes_make_a_line_that_fits)
{
	uint64_t random = 1;
	uint8_t whole[2000], frame[2000];
	size_t len = make_segment("P. 1:11(10) ack 1 win 5 <mss 9,sackOK,TS val 1 ecr 2>", whole);

	for (int i = 0; i < 200000; i++) {
		char text[80];
		size_t n = len, room;

		memcpy(frame, whole, n);
		for (int k = 0; k < 4; k++) {
			random = random * 6364136223846793005u + 1442695040888963407u;
			frame[(random >> 33) % n] = (uint8_t)(random >> 48);
		}
		n = (random >> 20) % (n + 1);
		room = 1 + (random >> 40) % sizeof text;
		memset(text, 'x', sizeof text);
		if (trace_format(text, room, (struct span){frame, n}, &(struct trace_options){.ip_only = random & 1}) >= room ||
		    memchr(text, '\0', room) == NULL)
			ck_abort_msg("case %d", i);
	}
}
END_TEST

/* ---- the wrapper ---- */

static char *printed;
static size_t printed_size;

static void send_segment(struct driver *d, const char *text, usec_t now_us, bool back)
{
	uint8_t frame[2000], four[4];
	size_t n = make_segment(text, frame);
	struct tapir_out out = {.len = (uint32_t)n, .slice_count = 1, .slices = {{frame, n}}};

	if (back) {
		memcpy(four, frame + 12, 4);
		memcpy(frame + 12, frame + 16, 4);
		memcpy(frame + 16, four, 4);
		memcpy(four, frame + 20, 2);
		memcpy(frame + 20, frame + 22, 2);
		memcpy(frame + 22, four, 2);
	}
	ck_assert_int_eq(driver_send(d, &out, now_us), 0);
}

START_TEST(the_wrapper_prints_both_directions_with_numbers_counted_from_the_first)
{
	FILE *file = open_memstream(&printed, &printed_size);
	struct driver *ends[2], *traced;
	uint8_t buf[2000];
	struct tapir_frame f = {.data = buf, .room = sizeof buf};

	driver_open_pair(ends, 1500, (struct tapir_offload_caps){.csum = false}, true);
	traced = driver_wrap_trace(ends[0], file);
	ck_assert_ptr_nonnull(traced);
	ck_assert_int_eq(driver_recv(traced, &f, 7000000), 0);		/* nothing to print */
	send_segment(traced, "S 5000:5000(0) win 65535 <mss 1460>", 7000000, false);
	send_segment(ends[1], "S. 900:900(0) ack 5001 win 1000", 0, true);
	ck_assert_int_eq(driver_recv(traced, &f, 7001234), 1);
	send_segment(traced, ". 5001:5001(0) ack 901 win 65535", 7001234, false);
	send_segment(traced, "P. 5001:5011(10) ack 901 win 65535", 8500000, false);
	fflush(file);
	ck_assert_str_eq(printed,
			 "0.000000 > 10.0.0.1:1000 > 10.0.0.2:80 S 0:0(0) win 65535 <mss 1460>\n"
			 "0.001234 < 10.0.0.2:80 > 10.0.0.1:1000 S. 0:0(0) ack 1 win 1000\n"
			 "0.001234 > 10.0.0.1:1000 > 10.0.0.2:80 . 1:1(0) ack 1 win 65535\n"
			 "1.500000 > 10.0.0.1:1000 > 10.0.0.2:80 P. 1:11(10) ack 1 win 65535\n");
	driver_close(traced);
	driver_close(ends[1]);
	fclose(file);
	free(printed);
}
END_TEST

START_TEST(the_same_ports_used_again_count_from_the_new_first)
{
	FILE *file = open_memstream(&printed, &printed_size);
	struct driver *ends[2], *traced;

	driver_open_pair(ends, 1500, (struct tapir_offload_caps){.csum = false}, true);
	traced = driver_wrap_trace(ends[0], file);
	send_segment(traced, "S 5000:5000(0) win 1", 0, false);
	send_segment(traced, "S 5000:5000(0) win 1", 0, false);		/* again */
	send_segment(traced, "S 77000:77000(0) win 1", 0, false);
	send_segment(traced, ". 77001:77001(0) ack 3 win 1", 0, false);
	fflush(file);
	ck_assert_str_eq(printed,
			 "0.000000 > 10.0.0.1:1000 > 10.0.0.2:80 S 0:0(0) win 1\n"
			 "0.000000 > 10.0.0.1:1000 > 10.0.0.2:80 S 0:0(0) win 1\n"
			 "0.000000 > 10.0.0.1:1000 > 10.0.0.2:80 S 0:0(0) win 1\n"
			 "0.000000 > 10.0.0.1:1000 > 10.0.0.2:80 . 1:1(0) ack 1 win 1\n");
	driver_close(traced);
	driver_close(ends[1]);
	fclose(file);
	free(printed);
}
END_TEST

Suite *suite(void)
{
	Suite *s = suite_create("drivers/trace");
	TCase *c = tcase_create("trace");

	tcase_set_timeout(c, 60);
	tcase_add_test(c, a_tcp_segment_is_written_as_packetdrill_would);
	tcase_add_test(c, numbers_may_be_relative_and_endpoints_named);
	tcase_add_test(c, a_wrong_checksum_is_said_when_asked_for);
	tcase_add_test(c, udp_is_its_length);
	tcase_add_test(c, icmp_names_its_messages_and_what_they_are_about);
	tcase_add_test(c, fragments_say_where_they_belong);
	tcase_add_test(c, arp_is_written_as_arping_would);
	tcase_add_test(c, a_malformed_frame_has_the_name_that_the_stack_would_give_it);
	tcase_add_test(c, any_bytes_make_a_line_that_fits);
	tcase_add_test(c, the_wrapper_prints_both_directions_with_numbers_counted_from_the_first);
	tcase_add_test(c, the_same_ports_used_again_count_from_the_new_first);
	suite_add_tcase(s, c);
	return s;
}
