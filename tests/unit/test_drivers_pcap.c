/* test_drivers_pcap.c: capture files. What the capture wrapper writes is read back with libpcap itself; what the replay
 * driver reads was written with libpcap itself; and a replay into a stack, in virtual time, is answered into a file. */
#include <check.h>
#include <pcap/pcap.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "drivers/driver.h"

#define START 5000000u			/* where the caller's clock stands */
#define EPOCH 1700000000000000u		/* wall time minus that clock */

static char in_path[] = "/tmp/tapir_test_in_XXXXXX", out_path[] = "/tmp/tapir_test_out_XXXXXX";
static uint8_t received[70000];

static void setup(void)
{
	close(mkstemp(in_path));
	close(mkstemp(out_path));
}

static void teardown(void)
{
	unlink(in_path);
	unlink(out_path);
}

/* ---- reading and writing with libpcap ---- */

struct row { usec_t at_us; uint32_t n; uint8_t bytes[200]; };

/* The frames of a file, up to max; how many there are. */
static int read_file(const char *path, int dlt, struct row *rows, int max)
{
	char why[PCAP_ERRBUF_SIZE];
	pcap_t *p = pcap_open_offline_with_tstamp_precision(path, PCAP_TSTAMP_PRECISION_NANO, why);
	struct pcap_pkthdr *h;
	const u_char *bytes;
	int n = 0;

	ck_assert_msg(p != NULL, "%s", why);
	ck_assert_int_eq(pcap_datalink(p), dlt);
	while (pcap_next_ex(p, &h, &bytes) == 1) {
		ck_assert_uint_eq(h->caplen, h->len);
		ck_assert_int_lt(n, max);
		rows[n].at_us = (usec_t)h->ts.tv_sec * TAPIR_SEC + (usec_t)h->ts.tv_usec / 1000;
		rows[n].n = h->caplen;
		memcpy(rows[n].bytes, bytes, h->caplen < sizeof rows->bytes ? h->caplen : sizeof rows->bytes);
		n++;
	}
	pcap_close(p);
	return n;
}

static pcap_t *writing;
static pcap_dumper_t *dumper;

static void begin_file(int dlt)
{
	writing = pcap_open_dead(dlt, 65535);
	dumper = pcap_dump_open(writing, in_path);
	ck_assert_ptr_nonnull(dumper);
}

/* A frame of len bytes, of which caplen are kept. */
static void add_frame(usec_t at_us, const uint8_t *bytes, uint32_t caplen, uint32_t len)
{
	struct pcap_pkthdr h = {.caplen = caplen, .len = len};

	h.ts.tv_sec = (time_t)(at_us / TAPIR_SEC);
	h.ts.tv_usec = (suseconds_t)(at_us % TAPIR_SEC);
	pcap_dump((u_char *)dumper, &h, bytes);
}

static void end_file(void)
{
	pcap_dump_close(dumper);
	pcap_close(writing);
}

static int recv_frame(struct driver *d, struct tapir_frame *f, usec_t now_us)
{
	*f = (struct tapir_frame){.data = received, .room = 2000};
	return driver_recv(d, f, now_us);
}

static int send_frame(struct driver *d, uint8_t first, uint32_t n, usec_t now_us)
{
	uint8_t bytes[2000];
	struct tapir_out out = {.len = n, .head_at = 5, .head_len = 1, .slice_count = 1, .slices = {{bytes, n - 1}}};

	out.head[5] = first;
	for (uint32_t i = 1; i < n; i++)
		bytes[i - 1] = (uint8_t)(first + i);
	return driver_send(d, &out, now_us);
}

/* ---- the capture wrapper ---- */

static struct driver *captured, *far;

static void open_captured(bool ip_only)
{
	struct driver *ends[2];

	driver_open_pair(ends, 1500, (struct tapir_offload_caps){.csum = true, .tso4 = true}, ip_only);
	far = ends[1];
	captured = driver_wrap_capture(ends[0], &(struct capture_options){.path = out_path, .epoch_us = EPOCH});
	ck_assert_msg(captured != NULL, "%s", driver_error());
}

static void close_captured(void)
{
	driver_close(captured);
	driver_close(far);
}

START_TEST(frames_of_both_directions_are_in_the_file_with_their_times)
{
	struct tapir_frame f;
	struct row rows[4];

	open_captured(false);
	ck_assert(captured->caps.csum && captured->caps.tso4);
	ck_assert_int_eq(send_frame(captured, 10, 60, START), 0);
	ck_assert_int_eq(send_frame(far, 20, 70, START), 0);
	ck_assert_int_eq(recv_frame(captured, &f, START + 1234), 1);
	ck_assert_uint_eq(f.len, 70);
	ck_assert_int_eq(recv_frame(far, &f, START + 1234), 1);
	ck_assert_uint_eq(f.len, 60);
	ck_assert_int_eq(recv_frame(captured, &f, START + 2000), 0);
	close_captured();
	ck_assert_int_eq(read_file(out_path, DLT_EN10MB, rows, 4), 2);
	ck_assert_uint_eq(rows[0].at_us, EPOCH + START);
	ck_assert_uint_eq(rows[0].n, 60);
	ck_assert_uint_eq(rows[1].at_us, EPOCH + START + 1234);
	ck_assert_uint_eq(rows[1].n, 70);
	for (uint32_t i = 0; i < 60; i++) {
		ck_assert_uint_eq(rows[0].bytes[i], 10 + i);
		ck_assert_uint_eq(rows[1].bytes[i], 20 + i);
	}
}
END_TEST

START_TEST(bare_datagrams_make_a_file_of_raw_ip)
{
	struct row row;

	open_captured(true);
	ck_assert(captured->ip_only);
	send_frame(captured, 0x45, 60, START);
	close_captured();
	ck_assert_int_eq(read_file(out_path, DLT_RAW, &row, 1), 1);
}
END_TEST

START_TEST(checksums_left_to_the_driver_are_complete_in_the_file_and_untouched_on_the_wire)
{
	uint8_t bytes[20] = {[14] = 0x12, 0x34, 0x01, 0x02, 0x03, 0x04};
	struct tapir_out out = {.len = sizeof bytes, .slice_count = 1, .slices = {{bytes, sizeof bytes}}};
	struct tapir_frame f;
	struct row rows[2];

	/* 1234 + 0102 + 0304 = 163a, complement e9c5 */
	out.offload = (struct tapir_offload){.csum = TAPIR_CSUM_PARTIAL, .csum_start = 14, .csum_offset = 0};
	open_captured(false);
	ck_assert_int_eq(driver_send(captured, &out, START), 0);
	ck_assert_int_eq(recv_frame(far, &f, START), 1);
	ck_assert_int_eq(f.offload.csum, TAPIR_CSUM_PARTIAL);
	ck_assert_uint_eq(f.data[14], 0x12);
	ck_assert_int_eq(driver_send(far, &out, START), 0);
	ck_assert_int_eq(recv_frame(captured, &f, START), 1);
	ck_assert_int_eq(f.offload.csum, TAPIR_CSUM_PARTIAL);
	ck_assert_uint_eq(f.data[14], 0x12);
	close_captured();
	ck_assert_int_eq(read_file(out_path, DLT_EN10MB, rows, 2), 2);
	for (int i = 0; i < 2; i++) {
		ck_assert_uint_eq(rows[i].bytes[14], 0xe9);
		ck_assert_uint_eq(rows[i].bytes[15], 0xc5);
	}
}
END_TEST

START_TEST(a_frame_can_be_read_20_ms_later_while_the_capture_goes_on)
{
	struct tapir_frame f;
	struct row rows[2];

	open_captured(false);
	ck_assert_uint_eq(driver_deadline(captured), USEC_NEVER);
	send_frame(captured, 1, 60, START);
	ck_assert_uint_eq(driver_deadline(captured), START + 20 * TAPIR_MS);
	ck_assert_int_eq(read_file(out_path, DLT_EN10MB, rows, 2), 0);
	ck_assert_int_eq(recv_frame(captured, &f, START + 20 * TAPIR_MS), 0);
	ck_assert_int_eq(read_file(out_path, DLT_EN10MB, rows, 2), 1);
	ck_assert_uint_eq(driver_deadline(captured), USEC_NEVER);
	close_captured();
}
END_TEST

START_TEST(a_frame_that_was_refused_is_not_in_the_file)
{
	static struct row rows[300];
	int sent = 0;

	open_captured(false);
	while (send_frame(captured, 1, 60, START) == 0)
		sent++;
	close_captured();
	ck_assert_int_eq(read_file(out_path, DLT_EN10MB, rows, 300), sent);
}
END_TEST

START_TEST(a_file_that_cannot_be_written_is_said_and_leaves_the_driver_alone)
{
	struct driver *ends[2];

	driver_open_pair(ends, 1500, (struct tapir_offload_caps){.csum = false}, false);
	ck_assert_ptr_null(driver_wrap_capture(ends[0], &(struct capture_options){.path = "/nowhere/at/all.pcap"}));
	ck_assert_ptr_nonnull(strstr(driver_error(), "/nowhere/at/all.pcap"));
	ck_assert_int_eq(send_frame(ends[0], 1, 60, START), 0);
	driver_close(ends[0]);
	driver_close(ends[1]);
}
END_TEST

/* ---- the replay ---- */

static struct driver *open_replay(void)
{
	struct driver *d = driver_open_pcap_file(in_path, out_path, START);

	ck_assert_msg(d != NULL, "%s", driver_error());
	return d;
}

START_TEST(frames_are_due_at_their_distance_from_the_first)
{
	static const usec_t at_us[] = {0, 1500, 1500, 2000000};
	uint8_t bytes[60] = {0};
	struct tapir_frame f;
	struct driver *d;

	begin_file(DLT_EN10MB);
	for (uint8_t i = 0; i < 4; i++) {
		bytes[0] = i;
		add_frame(EPOCH + at_us[i], bytes, sizeof bytes, sizeof bytes);
	}
	end_file();
	d = open_replay();
	ck_assert(!d->ip_only);
	for (uint8_t i = 0; i < 4; i++) {
		usec_t due_us = driver_deadline(d);

		ck_assert_uint_eq(due_us, START + at_us[i]);
		if (i != 2)
			ck_assert_int_eq(recv_frame(d, &f, due_us - 1), 0);
		ck_assert_int_eq(recv_frame(d, &f, due_us), 1);
		ck_assert_uint_eq(f.len, sizeof bytes);
		ck_assert_uint_eq(f.data[0], i);
	}
	ck_assert_uint_eq(driver_deadline(d), USEC_NEVER);
	ck_assert_int_eq(recv_frame(d, &f, USEC_NEVER - 1), 0);
	driver_close(d);
}
END_TEST

START_TEST(a_clock_that_was_set_back_does_not_turn_time_back)
{
	uint8_t bytes[60] = {0};
	struct tapir_frame f;
	struct driver *d;

	begin_file(DLT_EN10MB);
	add_frame(EPOCH, bytes, 60, 60);
	add_frame(EPOCH + 1000, bytes, 60, 60);
	add_frame(EPOCH - 5000, bytes, 60, 60);
	add_frame(EPOCH + 2000, bytes, 60, 60);
	end_file();
	d = open_replay();
	ck_assert_int_eq(recv_frame(d, &f, START), 1);
	ck_assert_int_eq(recv_frame(d, &f, START + 1000), 1);
	ck_assert_uint_eq(driver_deadline(d), START + 1000);
	ck_assert_int_eq(recv_frame(d, &f, START + 1000), 1);
	ck_assert_uint_eq(driver_deadline(d), START + 2000);
	driver_close(d);
}
END_TEST

START_TEST(answers_are_written_on_the_clock_of_the_file)
{
	uint8_t bytes[60] = {0};
	struct driver *d;
	struct row row;

	begin_file(DLT_EN10MB);
	add_frame(EPOCH, bytes, 60, 60);
	end_file();
	d = open_replay();
	ck_assert_int_eq(send_frame(d, 7, 60, START + 250), 0);
	driver_close(d);
	ck_assert_int_eq(read_file(out_path, DLT_EN10MB, &row, 1), 1);
	ck_assert_uint_eq(row.at_us, EPOCH + 250);
	ck_assert_uint_eq(row.bytes[1], 8);
}
END_TEST

START_TEST(frames_that_were_cut_or_are_too_long_are_skipped)
{
	static uint8_t bytes[5000];
	struct tapir_frame f;
	struct driver *d;

	begin_file(DLT_EN10MB);
	bytes[0] = 1;
	add_frame(EPOCH, bytes, 60, 100);
	add_frame(EPOCH, bytes, 5000, 5000);
	bytes[0] = 2;
	add_frame(EPOCH, bytes, 60, 60);
	end_file();
	d = open_replay();
	ck_assert_int_eq(recv_frame(d, &f, START), 1);
	ck_assert_uint_eq(f.data[0], 2);
	ck_assert_int_eq(recv_frame(d, &f, START), 0);
	driver_close(d);
}
END_TEST

START_TEST(cooked_frames_come_as_bare_datagrams)
{
	uint8_t cooked[16 + 20] = {[14] = 0x08, [15] = 0x00, [16] = 0x45};
	struct tapir_frame f;
	struct driver *d;

	begin_file(DLT_LINUX_SLL);
	add_frame(EPOCH, cooked, sizeof cooked, sizeof cooked);
	cooked[15] = 0x06;			/* ARP: not for a stack without Ethernet */
	add_frame(EPOCH, cooked, sizeof cooked, sizeof cooked);
	end_file();
	d = open_replay();
	ck_assert(d->ip_only);
	ck_assert_int_eq(recv_frame(d, &f, START), 1);
	ck_assert_uint_eq(f.len, 20);
	ck_assert_uint_eq(f.data[0], 0x45);
	ck_assert_int_eq(recv_frame(d, &f, START), 0);
	driver_close(d);
}
END_TEST

START_TEST(other_link_types_and_missing_files_are_refused_with_a_sentence)
{
	begin_file(DLT_IEEE802_11);
	end_file();
	ck_assert_ptr_null(driver_open_pcap_file(in_path, NULL, START));
	ck_assert_ptr_nonnull(strstr(driver_error(), "only Ethernet"));
	ck_assert_ptr_null(driver_open_pcap_file("/nowhere/at/all.pcap", NULL, START));
	ck_assert_ptr_nonnull(strstr(driver_error(), "/nowhere/at/all.pcap"));
}
END_TEST

START_TEST(a_file_cut_in_the_middle_of_a_frame_plays_up_to_there_and_says_so_once)
{
	uint8_t bytes[60] = {0};
	struct tapir_frame f;
	struct driver *d;

	begin_file(DLT_EN10MB);
	add_frame(EPOCH, bytes, 60, 60);
	add_frame(EPOCH, bytes, 60, 60);
	end_file();
	ck_assert_int_eq(truncate(in_path, 24 + 16 + 60 + 16 + 30), 0);
	d = open_replay();
	ck_assert_int_eq(recv_frame(d, &f, START), 1);
	ck_assert_int_eq(recv_frame(d, &f, START), TAPIR_EIO);
	ck_assert_ptr_nonnull(strstr(driver_error(), "damaged"));
	ck_assert_int_eq(recv_frame(d, &f, START), 0);
	ck_assert_uint_eq(driver_deadline(d), USEC_NEVER);
	driver_close(d);
}
END_TEST

/* ---- files that others have written, or damaged ---- */

static void write_bytes(const void *bytes, size_t n)
{
	FILE *file = fopen(in_path, "w");

	ck_assert_ptr_nonnull(file);
	ck_assert_uint_eq(fwrite(bytes, 1, n, file), n);
	fclose(file);
}

static void put32(uint8_t *p, uint32_t v, bool big)
{
	for (int i = 0; i < 4; i++)
		p[i] = (uint8_t)(v >> 8 * (big ? 3 - i : i));
}

/* A pcap file with one frame of 60 bytes, in either byte order, with micro- or nanoseconds; returns its length. */
static size_t make_pcap(uint8_t bytes[200], bool big, bool ns, uint32_t claimed)
{
	const uint32_t words[] = {ns ? 0xa1b23c4d : 0xa1b2c3d4, 0, 0, 0, 65535, 1, 1700000000, ns ? 5000 : 5, claimed, claimed};

	memset(bytes, 0, 200);
	for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
		put32(bytes + 4 * i, words[i], big);
	bytes[big ? 5 : 4] = 2;
	bytes[big ? 7 : 6] = 4;
	bytes[40] = 77;
	return 100;
}

START_TEST(either_byte_order_and_either_precision_is_read)
{
	for (int how = 0; how < 4; how++) {
		uint8_t bytes[200];
		struct tapir_frame f;
		struct driver *d;

		write_bytes(bytes, make_pcap(bytes, how & 1, how & 2, 60));
		d = open_replay();
		ck_assert_int_eq(recv_frame(d, &f, START), 1);
		ck_assert_uint_eq(f.len, 60);
		ck_assert_uint_eq(f.data[0], 77);
		ck_assert_int_eq(send_frame(d, 7, 60, START), 0);
		driver_close(d);
		{
			struct row row;

			ck_assert_int_eq(read_file(out_path, DLT_EN10MB, &row, 1), 1);
			ck_assert_uint_eq(row.at_us, 1700000000000005u);
		}
	}
}
END_TEST

START_TEST(a_frame_that_claims_to_be_huge_is_a_sentence)
{
	static const uint32_t claims[] = {61, 70000, 0x7fffffff, 0xffffffff};

	for (size_t i = 0; i < sizeof claims / sizeof claims[0]; i++) {
		uint8_t bytes[200];
		struct tapir_frame f;
		struct driver *d;

		write_bytes(bytes, make_pcap(bytes, false, false, claims[i]));
		d = open_replay();
		ck_assert_int_eq(recv_frame(d, &f, START), TAPIR_EIO);
		ck_assert_ptr_nonnull(strstr(driver_error(), "damaged"));
		driver_close(d);
	}
}
END_TEST

START_TEST(a_file_cut_anywhere_is_refused_or_ends_with_a_sentence)
{
	uint8_t bytes[200];
	size_t n = make_pcap(bytes, false, true, 60);

	for (size_t cut = 0; cut < n; cut++) {
		struct tapir_frame f;
		struct driver *d;

		write_bytes(bytes, cut);
		d = driver_open_pcap_file(in_path, NULL, START);
		ck_assert_msg((d != NULL) == (cut >= 24), "cut at %zu", cut);
		if (d == NULL) {
			ck_assert_ptr_nonnull(strstr(driver_error(), "cannot be read"));
			continue;
		}
		ck_assert_int_eq(recv_frame(d, &f, START), cut == 24 ? 0 : TAPIR_EIO);
		driver_close(d);
	}
}
END_TEST

START_TEST(what_is_no_capture_is_refused)
{
	static const char *const texts[] = {"", "x", "#!/bin/sh\nexit 0\n# and so on, long enough for a header\n"};

	for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
		write_bytes(texts[i], strlen(texts[i]));
		ck_assert_ptr_null(driver_open_pcap_file(in_path, NULL, START));
		ck_assert_ptr_nonnull(strstr(driver_error(), "cannot be read"));
	}
	ck_assert_ptr_null(driver_open_pcap_file("/tmp", NULL, START));
}
END_TEST

/* A pcapng file may count in seconds, with 64 bits of them: the clock does not wrap, and the file ends. */
START_TEST(a_time_beyond_the_clock_does_not_turn_it_back)
{
	static const uint8_t header[] = {
		0x0a, 0x0d, 0x0d, 0x0a, 28, 0, 0, 0, 0x4d, 0x3c, 0x2b, 0x1a, 1, 0, 0, 0,
		0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 28, 0, 0, 0,
		1, 0, 0, 0, 32, 0, 0, 0, 1, 0, 0, 0, 0, 0, 4, 0, 9, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 32, 0, 0, 0,
	};
	static const uint32_t upper[] = {0, 1, 0xffffffff, 0x7fffffff, 0};
	uint8_t bytes[600];
	size_t n = sizeof header;
	usec_t before_us = START;
	struct tapir_frame f;
	struct driver *d;

	memcpy(bytes, header, n);
	for (size_t i = 0; i < 5; i++) {
		const uint32_t words[] = {6, 92, 0, upper[i], 1700000000, 60, 60};

		memset(bytes + n, 0, 92);
		for (size_t w = 0; w < 7; w++)
			put32(bytes + n + 4 * w, words[w], false);
		put32(bytes + n + 88, 92, false);
		n += 92;
	}
	write_bytes(bytes, n);
	d = open_replay();
	for (int i = 0; i < 5; i++) {
		usec_t due_us = driver_deadline(d);

		ck_assert_uint_ge(due_us, before_us);
		ck_assert_uint_lt(due_us, USEC_NEVER);
		ck_assert_int_eq(recv_frame(d, &f, due_us), 1);
		before_us = due_us;
	}
	ck_assert_uint_eq(driver_deadline(d), USEC_NEVER);
	driver_close(d);
}
END_TEST

/* ---- a replay into a stack ---- */

static uint16_t sum_of(const uint8_t *p, size_t n)
{
	uint32_t sum = 0;

	for (size_t i = 0; i < n; i += 2)
		sum += (uint32_t)(p[i] << 8 | p[i + 1]);
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)~sum;
}

static void put16(uint8_t *p, uint16_t v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

/* An echo request from 10.0.0.1 to 10.0.0.2. */
static void make_ping(uint8_t bytes[36], uint8_t sequence)
{
	static const uint8_t request[36] = {0x45, 0, 0, 36, 0, 1, 0, 0, 64, 1, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2,
					    8, 0, 0, 0, 0x12, 0x34};

	memcpy(bytes, request, sizeof request);
	bytes[27] = sequence;
	put16(bytes + 10, sum_of(bytes, 20));
	put16(bytes + 22, sum_of(bytes + 20, 16));
}

/* Plays the file into the stack, from deadline to deadline. */
static void play(struct driver *d, struct tapir *t)
{
	for (usec_t now_us = START; now_us != USEC_NEVER; now_us = driver_deadline(d)) {
		struct tapir_frame *f;
		struct tapir_out out;

		tapir_tick(t, now_us);
		while ((f = tapir_frame_get(t)) && driver_recv(d, f, now_us) == 1)
			tapir_input(t, f);
		tapir_frame_put(t, f);
		while (tapir_output(t, &out))
			ck_assert_int_eq(driver_send(d, &out, now_us), 0);
	}
}

START_TEST(a_stack_answers_a_capture_file_into_another_in_virtual_time)
{
	struct tapir_config config;
	uint8_t ping[36];
	struct driver *d;
	struct row rows[5];
	void *memory;

	begin_file(DLT_RAW);
	for (uint8_t i = 0; i < 5; i++) {
		make_ping(ping, i);
		add_frame(EPOCH + i * TAPIR_SEC, ping, sizeof ping, sizeof ping);
	}
	end_file();
	d = open_replay();
	tapir_config_default(&config);
	config.addr = tapir_ipv4(10, 0, 0, 2);
	config.ip_only = d->ip_only;
	config.mtu = d->mtu;
	config.seed[0] = 1;
	config.small_frames = 64;
	memory = aligned_alloc(64, (tapir_size(&config) + 63) / 64 * 64);
	play(d, tapir_init(memory, &config, START));
	driver_close(d);
	free(memory);
	ck_assert_int_eq(read_file(out_path, DLT_RAW, rows, 5), 5);
	for (uint8_t i = 0; i < 5; i++) {
		ck_assert_uint_eq(rows[i].at_us, EPOCH + i * TAPIR_SEC);
		ck_assert_uint_eq(rows[i].n, 36);
		ck_assert_uint_eq(rows[i].bytes[20], 0);	/* an echo reply */
		ck_assert_uint_eq(rows[i].bytes[27], i);
		ck_assert_uint_eq(rows[i].bytes[19], 1);
		ck_assert_uint_eq(sum_of(rows[i].bytes + 20, 16), 0);
	}
}
END_TEST

Suite *suite(void)
{
	Suite *s = suite_create("drivers/capture and pcap");
	TCase *c = tcase_create("files");

	tcase_set_timeout(c, 30);
	tcase_add_checked_fixture(c, setup, teardown);
	tcase_add_test(c, frames_of_both_directions_are_in_the_file_with_their_times);
	tcase_add_test(c, bare_datagrams_make_a_file_of_raw_ip);
	tcase_add_test(c, checksums_left_to_the_driver_are_complete_in_the_file_and_untouched_on_the_wire);
	tcase_add_test(c, a_frame_can_be_read_20_ms_later_while_the_capture_goes_on);
	tcase_add_test(c, a_frame_that_was_refused_is_not_in_the_file);
	tcase_add_test(c, a_file_that_cannot_be_written_is_said_and_leaves_the_driver_alone);
	tcase_add_test(c, either_byte_order_and_either_precision_is_read);
	tcase_add_test(c, a_frame_that_claims_to_be_huge_is_a_sentence);
	tcase_add_test(c, a_file_cut_anywhere_is_refused_or_ends_with_a_sentence);
	tcase_add_test(c, what_is_no_capture_is_refused);
	tcase_add_test(c, a_time_beyond_the_clock_does_not_turn_it_back);
	tcase_add_test(c, frames_are_due_at_their_distance_from_the_first);
	tcase_add_test(c, a_clock_that_was_set_back_does_not_turn_time_back);
	tcase_add_test(c, answers_are_written_on_the_clock_of_the_file);
	tcase_add_test(c, frames_that_were_cut_or_are_too_long_are_skipped);
	tcase_add_test(c, cooked_frames_come_as_bare_datagrams);
	tcase_add_test(c, other_link_types_and_missing_files_are_refused_with_a_sentence);
	tcase_add_test(c, a_file_cut_in_the_middle_of_a_frame_plays_up_to_there_and_says_so_once);
	tcase_add_test(c, a_stack_answers_a_capture_file_into_another_in_virtual_time);
	suite_add_tcase(s, c);
	return s;
}
