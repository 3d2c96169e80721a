/* test_drivers_capture.c: what a pcapng capture tells of a run: each remark beside the frame that it is about, what a bad line
 * did, offloaded frames, new files, readers that are slow or gone, a full disk; and that nothing of it changes the run. */
#include <check.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>
#include "drivers/driver.h"
#include "tests/support/blocks.h"
#include "tests/support/segment.h"

#define START (1000 * TAPIR_SEC)
#define EPOCH 1700000000000000u
#define STACK 0x0a000002u
#define PEER 0x0a000001u

static char dir[] = "/tmp/tapir_capture_XXXXXX", path[64];
static struct driver *captured, *far;
static usec_t now_us;
static struct span file;		/* the bytes of path, once it was looked at */

static void setup(void)
{
	signal(SIGPIPE, SIG_IGN);
	strcpy(strrchr(dir, '_'), "_XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	snprintf(path, sizeof path, "%s/x.pcapng", dir);
	now_us = START;
}

static void teardown(void)
{
	char command[100];

	snprintf(command, sizeof command, "rm -r %s", dir);
	ck_assert_int_eq(system(command), 0);
	free((void *)(uintptr_t)file.p);
	file.p = NULL;
}

static struct capture_options to_path(void) { return (struct capture_options){.path = path, .epoch_us = EPOCH}; }

static void open_with(struct capture_options o)
{
	struct driver *ends[2];

	driver_open_pair(ends, 1500, (struct tapir_offload_caps){.csum = true, .tso4 = true}, true);
	far = ends[1];
	captured = driver_wrap_capture(ends[0], &o);
	ck_assert_msg(captured != NULL, "%s", driver_error());
}

static void close_both(void)
{
	driver_close(captured);
	driver_close(far);
}

/* A datagram with the segment that the text describes; its length. */
static uint32_t make_segment(bool from_stack, uint16_t peer_port, const char *text, uint8_t frame[2048])
{
	static const struct segment_base zero;
	struct segment_path in = {PEER, STACK, peer_port, 80}, out = {STACK, PEER, 80, peer_port};
	struct segment s;
	const char *wrong = segment_parse(text, &zero, &s);

	ck_assert_msg(wrong == NULL, "%s: %s", text, wrong);
	return (uint32_t)segment_emit(&s, from_stack ? &out : &in, 0, frame);
}

static int send_bytes(struct driver *d, const uint8_t *bytes, uint32_t n)
{
	struct tapir_out out = {.len = n, .slice_count = 1, .slices = {{bytes, n}}};

	return driver_send(d, &out, now_us);
}

static void stack_sends(uint16_t peer_port, const char *text)
{
	uint8_t frame[2048];
	uint32_t n = make_segment(true, peer_port, text, frame);

	ck_assert_int_eq(send_bytes(captured, frame, n), 0);
}

static int stack_receives(void)
{
	static uint8_t bytes[70000];
	struct tapir_frame f = {.data = bytes, .room = sizeof bytes};

	return driver_recv(captured, &f, now_us);
}

static void peer_sends(uint16_t peer_port, const char *text)
{
	uint8_t frame[2048];
	uint32_t n = make_segment(false, peer_port, text, frame);

	ck_assert_int_eq(send_bytes(far, frame, n), 0);
	ck_assert_int_eq(stack_receives(), 1);
}

/* ---- what the stack tells ---- */

static struct tapir_event event(enum tapir_event_kind kind, uint16_t peer_port, const char *why)
{
	return (struct tapir_event){.kind = kind, .now_us = now_us, .local = {tapir_ipv4(10, 0, 0, 2), 80},
				    .remote = {tapir_ipv4(10, 0, 0, 1), peer_port}, .why = why};
}

static void tells(enum tapir_event_kind kind, uint16_t peer_port, const char *why)
{
	struct tapir_event e = event(kind, peer_port, why);

	driver_capture_probe(captured, &e);
}

static void tells_verdict(enum tapir_verdict v, bool arrived)
{
	struct tapir_event e = {.kind = TAPIR_EV_VERDICT, .now_us = now_us, .why = tapir_verdict_text(v)};

	e.u.verdict.verdict = v;
	e.u.verdict.arrived = arrived;
	driver_capture_probe(captured, &e);
}

static void load(void)
{
	free((void *)(uintptr_t)file.p);
	file = file_bytes(path);
}

static struct block packet(int nth)
{
	struct block b;

	if (nth == 0 || !file.p)
		load();
	ck_assert_msg(nth_packet(file, nth, &b), "there is no packet %d", nth);
	return b;
}

static int packet_count(void)
{
	struct block b;
	int n = 0;

	load();
	while (nth_packet(file, n, &b))
		n++;
	return n;
}

START_TEST(what_is_told_until_the_verdict_is_about_the_frame_that_arrived)
{
	struct block b;

	open_with(to_path());
	peer_sends(1000, "S 0:0(0) win 100");
	tells(TAPIR_EV_SEGMENT_IN, 1000, "RFC 9293 3.10.7");
	tells(TAPIR_EV_ACK_OWED, 1000, "RFC 9293 3.10.7.4 eighth: FIN");
	tells_verdict(DROP_ICMP_RATE, false);
	tells_verdict(ACCEPT, true);
	tells(TAPIR_EV_ACK_OWED, 1000, "by the program");
	now_us += 7;
	stack_sends(1000, "S. 0:0(0) ack 1 win 100");
	close_both();
	ck_assert_int_eq(packet_count(), 2);
	b = packet(0);
	ck_assert_str_eq(block_text(&b, 1, 0), "an ACK is owed: RFC 9293 3.10.7.4 eighth: FIN");
	ck_assert(has_comment(&b, "DROP_ICMP_RATE"));
	ck_assert_str_eq(block_text(&b, 1, 2), "accepted");
	ck_assert_ptr_null(block_text(&b, 1, 3));
	ck_assert_uint_eq(block_packet(&b).at_ns, (EPOCH + START) * 1000);
	ck_assert_uint_eq(block_packet(&b).flags & 3, 1);
	b = packet(1);
	ck_assert_str_eq(block_text(&b, 1, 0), "an ACK is owed: by the program");
	ck_assert_uint_eq(block_packet(&b).at_ns, (EPOCH + START + 7) * 1000);
	ck_assert_uint_eq(block_packet(&b).flags & 3, 2);
}
END_TEST

START_TEST(a_dropped_frame_has_its_verdict_and_rule)
{
	struct block b;

	open_with(to_path());
	peer_sends(1000, ". 5:6(1) ack 1 win 100");
	tells_verdict(DROP_TCP_OUT_OF_WINDOW, true);
	close_both();
	b = packet(0);
	ck_assert_str_eq(block_text(&b, 1, 0),
			 "DROP_TCP_OUT_OF_WINDOW: sequence number outside the window: ACK (RFC 9293 3.10.7.4 first)");
}
END_TEST

START_TEST(a_frame_that_found_no_buffer_is_said_to_be_unseen)
{
	struct block b;

	open_with(to_path());
	peer_sends(1000, "S 0:0(0) win 100");
	tells_verdict(ACCEPT, true);
	peer_sends(1000, "S 1:1(0) win 100");
	now_us++;			/* the turn is over */
	peer_sends(1000, "S 2:2(0) win 100");
	tells_verdict(ACCEPT, true);
	close_both();
	b = packet(1);
	ck_assert(has_comment(&b, "the stack never saw it"));
	b = packet(2);
	ck_assert(!has_comment(&b, "never"));
}
END_TEST

/* tapir_input_batch: all are read before the stack looks at the first. */
START_TEST(frames_that_arrive_together_have_their_own_verdicts)
{
	struct block b;

	open_with(to_path());
	for (int i = 0; i < 100; i++)
		peer_sends(1000, "S 0:0(0) win 100");
	tells_verdict(DROP_TCP_CHECKSUM, true);
	for (int i = 37; i < 99; i++)
		tells_verdict(DROP_TCP_OFFSET, true);
	tells_verdict(DROP_TCP_SHORT, true);
	close_both();
	b = packet(35);			/* more than may wait */
	ck_assert(!has_comment(&b, "DROP"));
	b = packet(36);
	ck_assert(has_comment(&b, "DROP_TCP_CHECKSUM"));
	for (int i = 37; i < 99; i++) {
		b = packet(i);
		ck_assert(has_comment(&b, "DROP_TCP_OFFSET"));
	}
	b = packet(99);
	ck_assert(has_comment(&b, "DROP_TCP_SHORT"));
}
END_TEST

START_TEST(each_connection_has_its_own_remarks)
{
	struct block b;

	open_with(to_path());
	tells(TAPIR_EV_TIMER_FIRED, 1000, "RTO");
	tells(TAPIR_EV_TIMER_FIRED, 2000, "RTO");
	tells(TAPIR_EV_RETRANSMIT, 2000, "the second one's reason");
	tells(TAPIR_EV_RETRANSMIT, 1000, "the first one's reason");
	stack_sends(2000, ". 1:2(1) ack 1 win 100");
	now_us += 2500;
	stack_sends(1000, ". 1:2(1) ack 1 win 100");
	close_both();
	b = packet(0);
	ck_assert_str_eq(block_text(&b, 1, 0), "timer RTO fired");
	ck_assert_str_eq(block_text(&b, 1, 1), "sent again: the second one's reason");
	ck_assert_ptr_null(block_text(&b, 1, 2));
	b = packet(1);
	ck_assert_str_eq(block_text(&b, 1, 1), "2.500 ms before: sent again: the first one's reason");
}
END_TEST

START_TEST(what_another_connection_meets_has_its_name)
{
	struct block b;

	open_with(to_path());
	peer_sends(1000, "S 0:0(0) win 100");
	tells(TAPIR_EV_STATE, 2000, "gave way");
	tells_verdict(ACCEPT, true);
	close_both();
	b = packet(0);
	ck_assert_str_eq(block_text(&b, 1, 0), "10.0.0.2:80 - 10.0.0.1:2000: state CLOSED > CLOSED: gave way");
}
END_TEST

START_TEST(what_finds_no_frame_goes_with_the_next_one_after_a_second_or_ends_the_file)
{
	struct block b = {.type = 0};
	struct span rest;

	open_with(to_path());
	tells(TAPIR_EV_TIMER_FIRED, 1000, "2MSL");
	now_us += TAPIR_SEC - 1;
	stack_sends(2000, ". 1:2(1) ack 1 win 100");
	now_us += 1;
	stack_sends(2000, ". 2:3(1) ack 1 win 100");
	tells(TAPIR_EV_TIMER_FIRED, 3000, "2MSL");
	close_both();
	b = packet(0);
	ck_assert_ptr_null(block_text(&b, 1, 0));
	b = packet(1);
	ck_assert_str_eq(block_text(&b, 1, 0), "1000.000 ms before: 10.0.0.2:80 - 10.0.0.1:1000: timer RTO fired");
	for (rest = file; block_next(&rest, &b);)
		;
	ck_assert_int_eq(b.type, BLOCK_STATISTICS);
	ck_assert_str_eq(block_text(&b, 1, 0), "10.0.0.2:80 - 10.0.0.1:3000: timer RTO fired");
}
END_TEST

START_TEST(more_than_can_wait_is_counted)
{
	struct block b;

	open_with(to_path());
	for (int i = 0; i < 1500; i++)
		tells(TAPIR_EV_ACK_OWED, 1000, "x");
	stack_sends(1000, ". 1:2(1) ack 1 win 100");
	close_both();
	b = packet(0);
	ck_assert(has_comment(&b, "an ACK is owed: x"));
	ck_assert_int_eq(packet_count(), 1);
}
END_TEST

/* ---- a bad line ---- */

static struct driver *open_bad_line(struct fault_config cfg)
{
	struct driver *ends[2], *fault;
	struct capture_options o = to_path();

	driver_open_pair(ends, 1500, (struct tapir_offload_caps){.csum = false}, true);
	far = ends[1];
	fault = driver_wrap_fault(ends[0], &cfg);
	captured = driver_wrap_capture(fault, &o);
	driver_fault_tell(fault, driver_capture_fault, captured);
	return fault;
}

START_TEST(a_lost_frame_of_ours_is_there_and_says_so)
{
	struct block b;

	open_bad_line((struct fault_config){.loss = 1});
	stack_sends(1000, "S 0:0(0) win 100");
	close_both();
	b = packet(0);
	ck_assert_str_eq(block_text(&b, 1, 0), "bad line: lost");
}
END_TEST

START_TEST(a_frame_lost_on_its_way_in_is_told_with_the_next_one)
{
	struct driver *fault = open_bad_line((struct fault_config){.loss = 1});
	uint8_t frame[2048];
	uint32_t n = make_segment(false, 1000, "P. 7:17(10) ack 1 win 100", frame);
	struct block b = {.type = 0};
	struct span rest;

	send_bytes(far, frame, n);
	ck_assert_int_eq(stack_receives(), 0);
	driver_fault_change(fault, &(struct fault_config){.loss = 0});
	peer_sends(1000, ". 17:17(0) ack 1 win 100");
	tells_verdict(ACCEPT, true);
	close_both();
	ck_assert_int_eq(packet_count(), 1);
	b = packet(0);
	ck_assert_str_eq(block_text(&b, 1, 0),
			 "on its way in: 10.0.0.1:1000 > 10.0.0.2:80 P. 7:17(10) ack 1 win 100; bad line: lost");
	for (rest = file; block_next(&rest, &b);)
		;
	ck_assert_uint_eq(block_option(&b, 5, 0).p[0], 1);
}
END_TEST

START_TEST(a_damaged_frame_says_which_bit)
{
	static uint8_t sent[2048];
	uint32_t n = make_segment(false, 1000, "P. 7:17(10) ack 1 win 100", sent);
	unsigned int bit, byte, differ = 0;
	struct block b;
	const char *text;

	open_bad_line((struct fault_config){.corrupt = 1, .delay_us = 20 * TAPIR_MS});
	send_bytes(far, sent, n);
	ck_assert_int_eq(stack_receives(), 0);
	now_us += 20 * TAPIR_MS;
	ck_assert_int_eq(stack_receives(), 1);
	close_both();
	b = packet(0);
	text = block_text(&b, 1, 0);
	ck_assert_int_eq(sscanf(text, "bad line: bit %u of byte %u is flipped", &bit, &byte), 2);
	for (uint32_t i = 0; i < n; i++)
		if (block_packet(&b).frame.p[i] != sent[i]) {
			ck_assert_uint_eq(block_packet(&b).frame.p[i] ^ sent[i], 1u << bit);
			ck_assert_uint_eq(i, byte);
			differ++;
		}
	ck_assert_uint_eq(differ, 1);
	ck_assert(has_comment(&b, "bad line: takes 20.000 ms"));
}
END_TEST

START_TEST(every_fate_has_words)
{
	static const struct { struct fault_config cfg; const char *words; } fates[] = {
		{{.down = true}, "lost, the line is down"},
		{{.burst_loss = 0.999999, .burst_frames = 1}, "lost, in a burst of losses"},
		{{.mtu = 40}, "lost, longer than the line's MTU of 40"},
		{{.duplicate = 1}, "comes twice"},
		{{.reorder = 1}, "later frames may overtake it"},
	};

	for (size_t i = 0; i < sizeof fates / sizeof fates[0]; i++) {
		struct block b;

		open_bad_line(fates[i].cfg);
		stack_sends(1000, "P. 7:17(10) ack 1 win 100");
		close_both();
		b = packet(0);
		ck_assert_msg(has_comment(&b, fates[i].words), "%s", fates[i].words);
		ck_assert_ptr_null(block_text(&b, 1, 1));
	}
}
END_TEST

/* ---- offloaded frames ---- */

#define SUPER_TEXT 3000u

static void put_sum(uint8_t *at, uint16_t sum)
{
	at[0] = (uint8_t)(sum >> 8);
	at[1] = (uint8_t)sum;
}

static uint16_t pseudo_sum(uint32_t n)
{
	uint8_t pseudo[12] = {10, 0, 0, 2, 10, 0, 0, 1, 0, 6, (uint8_t)(n >> 8), (uint8_t)n};

	return frame_checksum(0, pseudo, sizeof pseudo);
}

/* One frame of 3000 bytes of text that a driver is to cut into 1448, with options and FIN. */
static uint32_t make_super(struct tapir_out *out, uint8_t *bytes)
{
	static char line[64];
	uint32_t n;

	snprintf(line, sizeof line, "FP. 100:%u(%u) ack 1 win 100 <nop,nop,TS val 1 ecr 2>", 100 + 1000, 1000u);
	n = make_segment(true, 1000, line, bytes) - 1000;
	for (uint32_t i = 0; i < SUPER_TEXT; i++)
		bytes[n + i] = (uint8_t)(i * 7);
	bytes[2] = (uint8_t)((n + SUPER_TEXT) >> 8);
	bytes[3] = (uint8_t)(n + SUPER_TEXT);
	bytes[33] |= 0x80;			/* CWR */
	put_sum(bytes + 10, 0);
	put_sum(bytes + 10, frame_checksum(0, bytes, 20));
	*out = (struct tapir_out){.len = n + SUPER_TEXT, .slice_count = 1, .slices = {{bytes, n + SUPER_TEXT}}};
	out->offload = (struct tapir_offload){.csum = TAPIR_CSUM_PARTIAL, .csum_start = 20, .csum_offset = 16,
					      .gso = TAPIR_GSO_TCP4, .gso_size = 1448, .hdr_len = (uint16_t)n};
	put_sum(bytes + 36, (uint16_t)~pseudo_sum(n - 20 + SUPER_TEXT));	/* the field holds the pseudo-header's sum */
	return n;
}

static bool sums_are_right(struct span frame)
{
	struct trace_options how = {.ip_only = true, .checksums = true};
	char text[400];

	trace_format(text, sizeof text, frame, &how);
	return !strstr(text, "malformed") && !strstr(text, "bad checksum");
}

START_TEST(an_offloaded_frame_is_shown_as_it_crossed_with_its_checksum_complete)
{
	static uint8_t bytes[6000];
	struct tapir_out out;
	struct block b;

	open_with(to_path());
	make_super(&out, bytes);
	ck_assert_int_eq(driver_send(captured, &out, now_us), 0);
	close_both();
	ck_assert_int_eq(packet_count(), 1);
	b = packet(0);
	ck_assert_uint_eq(block_packet(&b).frame.n, out.len);
	ck_assert(sums_are_right(block_packet(&b).frame));
	ck_assert(has_comment(&b, "one frame of 3 segments with 1448 bytes each, which the driver cuts up"));
}
END_TEST

START_TEST(cut_up_it_is_the_segments_that_cross_with_right_checksums)
{
	static uint8_t bytes[6000];
	struct capture_options o = to_path();
	struct tapir_out out;
	uint32_t header, at = 0;

	o.segments = true;
	open_with(o);
	header = make_super(&out, bytes);
	ck_assert_int_eq(driver_send(captured, &out, now_us), 0);
	close_both();
	ck_assert_int_eq(packet_count(), 3);
	for (int i = 0; i < 3; i++) {
		struct block b = packet(i);
		struct span s = block_packet(&b).frame;
		struct trace_tcp tcp;

		ck_assert(sums_are_right(s));
		ck_assert(trace_find_tcp(s, true, &tcp));
		ck_assert_uint_eq(tcp.seq, 100 + at);
		ck_assert(tcp.fin == (i == 2));
		ck_assert_uint_eq(s.p[33] & 0x88, i == 0 ? 0x80 : i == 2 ? 0x08 : 0);	/* CWR first, PSH last */
		ck_assert_uint_eq((uint32_t)(s.p[4] << 8 | s.p[5]), (uint32_t)(bytes[4] << 8 | bytes[5]) + (uint32_t)i);
		ck_assert_uint_eq(s.n - header, i < 2 ? 1448 : SUPER_TEXT - 2 * 1448);
		ck_assert_mem_eq(s.p + header, bytes + header + at, s.n - header);
		ck_assert(has_comment(&b, "shown cut up") == (i == 0));
		at += 1448;
	}
}
END_TEST

/* ---- new files ---- */

static bool exists(const char *format, int number)
{
	char name[100], base[80];

	snprintf(base, sizeof base, "%s/%s", dir, format);
	snprintf(name, sizeof name, "%s_%05d.pcapng", base, number);
	return access(name, F_OK) == 0;
}

START_TEST(a_capture_begins_anew_and_keeps_the_latest_files)
{
	struct capture_options o = to_path();
	struct stat st;
	char name[100];
	struct span part, rest;
	struct block b;
	int files = 0;

	o.rotate_bytes = 100000;
	o.rotate_files = 3;
	open_with(o);
	for (int i = 0; i < 400; i++) {
		uint8_t bytes[1400] = {0x45};

		send_bytes(captured, bytes, sizeof bytes);
		far->ops->recv(far, &(struct tapir_frame){.data = bytes, .room = sizeof bytes}, now_us);
	}
	close_both();
	for (int i = 1; i < 20; i++)
		files += exists("x", i);
	ck_assert_int_eq(files, 2);
	ck_assert(exists("x", 5) && exists("x", 4) && !exists("x", 6));
	for (int i = 4; i <= 6; i++) {
		snprintf(name, sizeof name, i < 6 ? "%s/x_%05d.pcapng" : "%s/x.pcapng", dir, i);
		ck_assert_int_eq(stat(name, &st), 0);
		ck_assert_int_le(st.st_size, 101000);
		part = rest = file_bytes(name);
		ck_assert(block_next(&rest, &b));
		ck_assert_uint_eq(b.type, BLOCK_SECTION);
		while (block_next(&rest, &b))
			;
		ck_assert_int_eq(b.type, BLOCK_STATISTICS);
		free((void *)(uintptr_t)part.p);
	}
}
END_TEST

/* ---- readers that are slow or gone, and disks that are full ---- */

static char said[4096];

/* What is said on stderr until stderr_end. */
static int stderr_before;
static FILE *stderr_now;

static void stderr_begin(void)
{
	fflush(stderr);
	stderr_before = dup(2);
	stderr_now = tmpfile();
	ck_assert_ptr_nonnull(stderr_now);
	dup2(fileno(stderr_now), 2);
}

static int stderr_end(void)
{
	int lines = 0;
	size_t n;

	fflush(stderr);
	dup2(stderr_before, 2);
	close(stderr_before);
	rewind(stderr_now);
	n = fread(said, 1, sizeof said - 1, stderr_now);
	said[n] = '\0';
	for (size_t i = 0; i < n; i++)
		lines += said[i] == '\n';
	fclose(stderr_now);
	return lines;
}

static int open_fifo(void)
{
	int reader;

	snprintf(path, sizeof path, "%s/f.pcapng", dir);
	ck_assert_int_eq(mkfifo(path, 0600), 0);
	reader = open(path, O_RDONLY | O_NONBLOCK);
	ck_assert_int_ge(reader, 0);
	return reader;
}

static void send_many(int n)
{
	for (int i = 0; i < n; i++) {
		uint8_t bytes[1400] = {0x45};

		now_us += 10;
		ck_assert_int_eq(send_bytes(captured, bytes, sizeof bytes), 0);
		far->ops->recv(far, &(struct tapir_frame){.data = bytes, .room = sizeof bytes}, now_us);
	}
}

#define READ_MAX (32u << 20)

/* Adds all that can be read now to got, which has room; false: there was nothing. */
static bool read_all(int fd, struct span *got)
{
	uint8_t *p = (uint8_t *)(uintptr_t)got->p;
	size_t before = got->n;
	ssize_t n;

	while ((n = read(fd, p + got->n, READ_MAX - got->n)) > 0)
		got->n += (size_t)n;
	return got->n > before;
}

START_TEST(a_pipe_has_each_frame_at_once)
{
	int reader = open_fifo();
	struct span got = {malloc(READ_MAX), 0};
	struct block b;

	ck_assert_ptr_nonnull(got.p);
	open_with(to_path());
	for (int i = 0; i < 5; i++) {
		stack_sends(1000, ". 1:2(1) ack 1 win 100");
		ck_assert(read_all(reader, &got));
		ck_assert(nth_packet(got, i, &b));
	}
	close_both();
	free((void *)(uintptr_t)got.p);
	close(reader);
}
END_TEST

/* 16 MiB wait for the reader, then whole frames are left out; what it gets is whole, and says how many are missing. */
START_TEST(a_reader_that_does_not_read_holds_up_nobody)
{
	int reader = open_fifo(), count = 0;
	struct span got = {malloc(READ_MAX), 0}, rest;
	uint64_t left_out = 0;
	struct block b;

	ck_assert_ptr_nonnull(got.p);
	stderr_begin();
	open_with(to_path());
	send_many(14000);
	ck_assert_uint_le(driver_deadline(captured), now_us + 20 * TAPIR_MS);	/* to try again */
	while (read_all(reader, &got)) {
		now_us += 20 * TAPIR_MS;
		stack_receives();
	}
	send_many(1);
	read_all(reader, &got);
	close_both();
	read_all(reader, &got);
	ck_assert_int_eq(stderr_end(), 1);
	ck_assert_ptr_nonnull(strstr(said, "too slow"));
	for (rest = got; block_next(&rest, &b);) {
		if (b.type != BLOCK_PACKET)
			continue;
		count++;
		if (block_option(&b, 4, 0).p)
			left_out += (uint64_t)(block_option(&b, 4, 0).p[0] | block_option(&b, 4, 0).p[1] << 8);
	}
	ck_assert_uint_gt(left_out, 0);
	ck_assert_uint_eq((uint64_t)count + left_out, 14001);
	free((void *)(uintptr_t)got.p);
	close(reader);
}
END_TEST

START_TEST(a_reader_that_has_gone_is_told_of_once)
{
	int reader = open_fifo();

	stderr_begin();
	open_with(to_path());
	send_many(5);
	close(reader);
	send_many(500);
	close_both();
	ck_assert_int_eq(stderr_end(), 1);
	ck_assert_ptr_nonnull(strstr(said, "its reader has gone"));
}
END_TEST

START_TEST(a_full_disk_is_told_of_once)
{
	snprintf(path, sizeof path, "%s/full.pcapng", dir);
	ck_assert_int_eq(symlink("/dev/full", path), 0);
	stderr_begin();
	open_with(to_path());
	send_many(500);
	close_both();
	ck_assert_int_eq(stderr_end(), 1);
	ck_assert_ptr_nonnull(strstr(said, "No space left"));
}
END_TEST

/* What a limit on its size cuts is what a disk that fills up cuts: in the middle of a frame. */
START_TEST(what_a_full_disk_leaves_is_whole)
{
	struct rlimit before, limit;
	struct span bytes, rest;
	struct block b;
	int count = 0;

	signal(SIGXFSZ, SIG_IGN);
	ck_assert_int_eq(getrlimit(RLIMIT_FSIZE, &before), 0);
	limit = before;
	limit.rlim_cur = 10000;
	stderr_begin();
	open_with(to_path());
	ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
	for (int i = 0; i < 20; i++) {
		send_many(1);
		now_us += 20 * TAPIR_MS;
		stack_receives();		/* writes it */
	}
	close_both();
	ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &before), 0);
	ck_assert_int_eq(stderr_end(), 1);
	bytes = file_bytes(path);
	for (rest = bytes; block_next(&rest, &b);)
		count += b.type == BLOCK_PACKET;
	ck_assert_int_eq(count, 6);
	free((void *)(uintptr_t)bytes.p);
}
END_TEST

Suite *suite(void);
Suite *suite(void)
{
	Suite *s = suite_create("capture");
	TCase *c = tcase_create("capture");

	tcase_add_checked_fixture(c, setup, teardown);
	tcase_set_timeout(c, 30);
	tcase_add_test(c, what_is_told_until_the_verdict_is_about_the_frame_that_arrived);
	tcase_add_test(c, a_dropped_frame_has_its_verdict_and_rule);
	tcase_add_test(c, a_frame_that_found_no_buffer_is_said_to_be_unseen);
	tcase_add_test(c, frames_that_arrive_together_have_their_own_verdicts);
	tcase_add_test(c, each_connection_has_its_own_remarks);
	tcase_add_test(c, what_another_connection_meets_has_its_name);
	tcase_add_test(c, what_finds_no_frame_goes_with_the_next_one_after_a_second_or_ends_the_file);
	tcase_add_test(c, more_than_can_wait_is_counted);
	tcase_add_test(c, a_lost_frame_of_ours_is_there_and_says_so);
	tcase_add_test(c, a_frame_lost_on_its_way_in_is_told_with_the_next_one);
	tcase_add_test(c, a_damaged_frame_says_which_bit);
	tcase_add_test(c, every_fate_has_words);
	tcase_add_test(c, an_offloaded_frame_is_shown_as_it_crossed_with_its_checksum_complete);
	tcase_add_test(c, cut_up_it_is_the_segments_that_cross_with_right_checksums);
	tcase_add_test(c, a_capture_begins_anew_and_keeps_the_latest_files);
	tcase_add_test(c, a_pipe_has_each_frame_at_once);
	tcase_add_test(c, a_reader_that_does_not_read_holds_up_nobody);
	tcase_add_test(c, a_reader_that_has_gone_is_told_of_once);
	tcase_add_test(c, a_full_disk_is_told_of_once);
	tcase_add_test(c, what_a_full_disk_leaves_is_whole);
	suite_add_tcase(s, c);
	return s;
}
