/* test_apps_why.c: tapir why on captures that are made here, frame by frame: what a stack has told becomes sentences, and a host
 * that departs from the RFC in one thing differs in that thing and in no other. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "apps/commands.h"
#include "apps/why.h"
#include "drivers/pcapng.h"
#include "drivers/trace_told.h"
#include "stack/wire/checksum.h"
#include "stack/wire/ipv4.h"
#include "stack/wire/tcp.h"

/* --- captures --- */

enum { P, H };				/* the peer opens, the host is judged */
static const uint32_t iss[2] = {1000, 0xffffff00};	/* the host's numbers wrap */
static char path[] = "/tmp/tapir_why_XXXXXX";
static FILE *file;
static bool options_on;			/* SACK, timestamps and window scale are offered */

static void write32(uint32_t v) { fwrite(&v, 4, 1, file); }

static void begin(void)
{
	strcpy(path, "/tmp/tapir_why_XXXXXX");
	file = fdopen(mkstemp(path), "w");
	ck_assert_ptr_nonnull(file);
	options_on = true;
	write32(0xa1b2c3d4);
	write32(4u << 16 | 2);
	write32(0);
	write32(0);
	write32(65535);
	write32(101);
}

static struct tcp_seg segment(int from, const char *flags, uint32_t seq, uint32_t ack)
{
	struct tcp_seg s = {.src_port = from ? 80 : 4000, .dst_port = from ? 4000 : 80, .wnd = 1000};

	s.seq.n = iss[from] + seq;
	s.ack.n = iss[!from] + ack;
	for (; *flags; flags++)
		s.flags |= *flags == 'S' ? TCP_SYN : *flags == 'F' ? TCP_FIN : *flags == 'R' ? TCP_RST : TCP_ACK;
	if (!(s.flags & TCP_ACK))
		s.ack.n = 0;
	if (s.flags & TCP_SYN) {
		s.opt.mss = 1460;
		s.wnd = 8000;		/* 1000, scaled */
		s.opt.has_wscale = s.opt.sack_permitted = options_on;
		s.opt.wscale = 3;
	}
	return s;
}

static size_t emit(uint8_t *p, int from, const struct tcp_seg *s, uint32_t text)
{
	struct ipv4_header ip = {
		.src = tapir_ipv4(192, 0, 2, from ? 80 : 4), .dst = tapir_ipv4(192, 0, 2, from ? 4 : 80),
		.proto = IP_PROTO_TCP, .ttl = 64,
	};
	uint16_t header = tcp_header_len(s);

	ip.total_len = (uint16_t)(IPV4_HEADER + header + text);
	ipv4_emit(&ip, p);
	tcp_emit(s, p + IPV4_HEADER);
	memset(p + IPV4_HEADER + header, 'x', text);
	put_be16(p + IPV4_HEADER + TCP_CHECKSUM_AT,
		 checksum_finish(checksum_add(checksum_pseudo(&ip.src, &ip.dst, IP_PROTO_TCP, header + text),
					      (struct span){p + IPV4_HEADER, header + text})));
	return ip.total_len;
}

static void record(int at_ms, int from, const struct tcp_seg *s, uint32_t text)
{
	uint8_t p[4096];
	size_t n = emit(p, from, s, text);

	write32(1000 + (uint32_t)at_ms / 1000);
	write32((uint32_t)at_ms % 1000 * 1000);
	write32((uint32_t)n);
	write32((uint32_t)n);
	fwrite(p, n, 1, file);
}

/* A segment at at_ms, its numbers relative to the ISS. */
static void say(int at_ms, int from, const char *flags, const uint32_t seq_ack_text[3])
{
	struct tcp_seg s = segment(from, flags, seq_ack_text[0], seq_ack_text[1]);

	record(at_ms, from, &s, seq_ack_text[2]);
}
#define SAY(at_ms, from, flags, ...) say(at_ms, from, flags, (const uint32_t[3]){__VA_ARGS__})

static void handshake(void)
{
	SAY(0, P, "S", 0, 0, 0);
	SAY(0, H, "SA", 0, 1, 0);
	SAY(1, P, "A", 1, 1, 0);
}

/* Text in both directions, and the close. */
static void rest(int at_ms, uint32_t seq, uint32_t ack)
{
	SAY(at_ms, P, "A", seq, ack, 1000);
	SAY(at_ms, H, "A", ack, seq + 1000, 0);
	SAY(at_ms + 10, H, "A", ack, seq + 1000, 500);
	SAY(at_ms + 20, P, "A", seq + 1000, ack + 500, 0);
	SAY(at_ms + 30, P, "FA", seq + 1000, ack + 500, 0);
	SAY(at_ms + 31, H, "FA", ack + 500, seq + 1001, 0);
	SAY(at_ms + 32, P, "A", seq + 1001, ack + 501, 0);
}

static char said[8192];

/* What tapir why says of the capture; its exit code. */
static int why(const char *as)
{
	char *text = NULL;
	size_t n = 0;
	struct why_out out = {.filter.to_us = USEC_NEVER, .to = open_memstream(&text, &n)};
	struct why_replay_options how = {.chosen = as != NULL};
	struct captured first;

	if (file)
		fclose(file);
	file = NULL;
	if (as)
		tapir_addr_parse(as, &how.as.addr);
	struct reading *r = reading_open(path);
	ck_assert_msg(r != NULL, "%s", driver_error());
	ck_assert_int_eq(reading_next(r, &first), 1);
	int code = reading_is_own(r) ? why_account(&out, r, &first) : why_replay(&out, r, &first, &how);
	reading_close(r);
	fclose(out.to);
	snprintf(said, sizeof said, "%s", text);
	free(text);
	unlink(path);
	return code;
}

static void no_difference(const char *as)
{
	int code = why(as);

	ck_assert_msg(code == 0 && strstr(said, "No difference"), "%s", said);
}

/* Exactly one difference, and it says so. */
static void differs(const char *words)
{
	int code = why(NULL);

	ck_assert_msg(code == 3 && strstr(said, " 1 differ"), "one difference was wanted: %s", said);
	ck_assert_msg(strstr(said, words) != NULL, "'%s' is not in: %s", words, said);
}

static void cannot_be_judged(const char *reason)
{
	int code = why(NULL);

	ck_assert_msg(code == 0 && strstr(said, " 0 differ") && strstr(said, reason), "'%s' is not in: %s", reason, said);
}

/* --- a host that follows the RFC --- */

START_TEST(a_host_that_follows_the_rfc_does_not_differ)
{
	begin();
	handshake();
	rest(100, 1, 1);
	no_difference(NULL);
	ck_assert_ptr_nonnull(strstr(said, "4 events: 4 agree"));
}
END_TEST

START_TEST(the_end_that_opens_may_be_the_one_that_is_judged)
{
	begin();
	handshake();
	rest(100, 1, 1);
	no_difference("192.0.2.4");
}
END_TEST

START_TEST(delayed_acks_and_duplicate_acks_are_as_the_rfc_leaves_them)
{
	begin();
	handshake();
	SAY(100, P, "A", 1, 1, 1000);
	SAY(300, H, "A", 1, 1001, 0);		/* MUST-40: within half a second */
	SAY(400, P, "A", 2001, 1, 1000);
	struct tcp_seg dup = segment(H, "A", 1, 1001);
	dup.opt.sack_count = 1;
	dup.opt.sack[0] = (struct sack_block){{iss[P] + 2001}, {iss[P] + 3001}};
	record(400, H, &dup, 0);
	SAY(420, P, "A", 1001, 1, 1000);
	SAY(420, H, "A", 1, 3001, 0);
	rest(500, 3001, 1);
	no_difference(NULL);
}
END_TEST

/* As say, with a timestamp; sacked: where a block that ends with 3001 begins, or 0. */
static void say_at(int at_ms, int from, const char *flags, const uint32_t seq_ack_text_ts[4], uint32_t sacked)
{
	struct tcp_seg s = segment(from, flags, seq_ack_text_ts[0], seq_ack_text_ts[1]);

	s.opt.has_ts = true;
	s.opt.ts_val = seq_ack_text_ts[3];
	s.opt.ts_ecr = strcmp(flags, "S") == 0 ? 0 : 3000000000;
	s.opt.sack_count = sacked != 0;
	s.opt.sack[0] = (struct sack_block){{iss[P] + sacked}, {iss[P] + 3001}};
	record(at_ms, from, &s, seq_ack_text_ts[2]);
}
#define SAY_AT(at_ms, from, flags, sacked, ...) say_at(at_ms, from, flags, (const uint32_t[4]){__VA_ARGS__}, sacked)

/* The timestamp of what lies beyond a hole is not TS.Recent (RFC 7323 4.3): what was sent before it is no old duplicate. */
START_TEST(text_that_was_overtaken_by_text_with_a_younger_timestamp_is_taken)
{
	begin();
	SAY_AT(0, P, "S", 0, 0, 0, 0, 3000000000);
	SAY_AT(0, H, "SA", 0, 0, 1, 0, 3000000000);
	SAY_AT(1, P, "A", 0, 1, 1, 0, 3000000001);
	SAY_AT(2, H, "A", 0, 1, 1, 100, 3000000002);
	SAY_AT(3, P, "A", 0, 1, 101, 0, 3000000003);
	SAY_AT(100, P, "A", 0, 2001, 101, 1000, 3000000101);
	SAY_AT(100, H, "A", 2001, 101, 1, 0, 3000000100);
	SAY_AT(120, P, "A", 0, 1001, 101, 1000, 3000000100);
	SAY_AT(120, H, "A", 1001, 101, 1, 0, 3000000120);
	SAY_AT(140, P, "A", 0, 1, 101, 1000, 3000000140);
	SAY_AT(140, H, "A", 0, 101, 3001, 0, 3000000140);
	no_difference(NULL);
}
END_TEST

START_TEST(a_refused_connection_is_no_difference)
{
	begin();
	SAY(0, P, "S", 0, 0, 0);
	struct tcp_seg s = {.src_port = 80, .dst_port = 4000, .flags = TCP_RST | TCP_ACK, .ack.n = iss[P] + 1};
	record(0, H, &s, 0);
	no_difference(NULL);
}
END_TEST

START_TEST(a_program_may_abort)
{
	begin();
	handshake();
	SAY(100, P, "A", 1, 1, 1000);
	SAY(100, H, "A", 1, 1001, 0);
	SAY(200, H, "RA", 1, 1001, 0);
	cannot_be_judged("may abort");
}
END_TEST

/* --- planted faults, one each --- */

START_TEST(a_rst_for_nothing)
{
	begin();
	handshake();
	SAY(100, P, "A", 1, 1, 1000);
	SAY(100, H, "R", 1, 0, 0);
	differs("the host sent a RST; tapir would have gone on");
}
END_TEST

START_TEST(a_rst_outside_the_window_that_is_obeyed)
{
	begin();
	handshake();
	SAY(100, P, "R", 500000, 0, 0);
	SAY(200, P, "A", 1, 1, 1000);
	SAY(200, H, "R", 1, 0, 0);
	differs("acts as if the RST at 0.100000 had ended the connection");
	ck_assert_ptr_nonnull(strstr(said, "RFC 5961 3.2"));
}
END_TEST

START_TEST(a_rst_outside_the_window_that_silences_the_host)
{
	begin();
	handshake();
	SAY(100, P, "R", 500000, 0, 0);
	SAY(200, P, "A", 1, 1, 1000);
	SAY(2000, P, "A", 1, 1, 1000);
	differs("acts as if the RST at 0.100000 had ended the connection");
}
END_TEST

START_TEST(a_host_that_goes_on_after_a_rst)
{
	begin();
	handshake();
	SAY(100, P, "R", 1, 0, 0);
	SAY(200, H, "A", 1, 1, 100);
	differs("the host went on after the RST at 0.100000");
}
END_TEST

START_TEST(a_window_that_shrinks)
{
	begin();
	handshake();
	SAY(100, P, "A", 1, 1, 1000);
	struct tcp_seg s = segment(H, "A", 1, 1001);
	s.wnd = 100;
	record(100, H, &s, 0);
	SAY(200, P, "A", 1001, 1, 100);
	SAY(200, H, "A", 1, 1101, 0);
	differs("took its window back");
	ck_assert_ptr_nonnull(strstr(said, "SHLD-14"));
}
END_TEST

START_TEST(what_the_way_from_a_host_far_away_has_changed_is_no_difference)
{
	begin();
	SAY(0, P, "S", 0, 0, 0);
	SAY(20, H, "SA", 0, 1, 0);
	SAY(21, P, "A", 1, 1, 0);
	SAY(100, P, "A", 1, 1, 1000);
	struct tcp_seg s = segment(H, "A", 1, 1001);
	record(120, H, &s, 0);
	s.wnd = 100;			/* sent before, and overtaken */
	record(120, H, &s, 0);
	SAY(200, P, "A", 1001, 1, 100);
	SAY(220, H, "A", 1, 1101, 0);
	SAY(300, H, "R", 1, 0, 0);
	cannot_be_judged("far from the host");
}
END_TEST

START_TEST(a_duplicate_ack_that_does_not_come)
{
	begin();
	handshake();
	SAY(100, P, "A", 1001, 1, 1000);
	SAY(200, P, "A", 1, 1, 1000);
	SAY(200, H, "A", 1, 2001, 0);
	rest(300, 2001, 1);
	differs("text 1001-2001 came out of order at 0.100000, and the host sent no duplicate ACK");
	ck_assert_ptr_nonnull(strstr(said, "RFC 5681 4.2"));
}
END_TEST

START_TEST(text_after_a_fin)
{
	begin();
	handshake();
	SAY(100, H, "FA", 1, 1, 100);
	SAY(101, P, "A", 1, 102, 0);
	SAY(200, H, "A", 102, 1, 50);
	differs("after its FIN at 101");
}
END_TEST

START_TEST(an_ack_of_what_was_never_sent)
{
	begin();
	handshake();
	SAY(100, P, "A", 1, 1, 1000);
	SAY(100, H, "A", 1, 5001, 0);
	differs("acknowledged up to 5001, but only text up to 1001 had arrived");
}
END_TEST

START_TEST(text_is_taken_although_its_ack_is_for_what_was_never_sent)
{
	begin();
	handshake();
	SAY(100, P, "A", 1, 5001, 1000);
	SAY(100, H, "A", 1, 1001, 0);
	differs("acknowledged up to 1001, but only text up to 1 had arrived");
}
END_TEST

START_TEST(text_that_is_never_acknowledged)
{
	begin();
	handshake();
	SAY(100, P, "A", 1, 1, 1000);
	SAY(3000, P, "A", 1, 1, 1000);
	SAY(6000, H, "A", 1, 1001, 0);
	int code = why(NULL);
	ck_assert_msg(code == 3 && strstr(said, "the host never acknowledged up to 1001"), "%s", said);
}
END_TEST

START_TEST(text_beyond_the_peers_window)
{
	begin();
	options_on = false;
	handshake();
	for (uint32_t i = 0; i < 10; i++)
		SAY(100, H, "A", 1 + 1400 * i, 1, 1400);
	SAY(101, P, "A", 1, 14001, 0);
	int code = why(NULL);
	ck_assert_msg(code == 3 && strstr(said, "but the peer's window ends at"), "%s", said);
}
END_TEST

START_TEST(text_that_is_sent_again_for_nothing)
{
	begin();
	handshake();
	SAY(100, H, "A", 1, 1, 1000);
	SAY(101, P, "A", 1, 1001, 0);
	SAY(400, H, "A", 1, 1, 1000);
	SAY(401, P, "A", 1, 1001, 0);
	differs("sent text 1-1001 again, which the peer had acknowledged 299.000 ms before");
}
END_TEST

START_TEST(a_sack_block_of_what_has_not_arrived)
{
	begin();
	handshake();
	SAY(100, P, "A", 1001, 1, 1000);
	struct tcp_seg s = segment(H, "A", 1, 1);
	s.opt.sack_count = 1;
	s.opt.sack[0] = (struct sack_block){{iss[P] + 1001}, {iss[P] + 3001}};
	record(100, H, &s, 0);
	SAY(200, P, "A", 1, 1, 1000);
	SAY(200, P, "A", 2001, 1, 1000);
	SAY(201, H, "A", 1, 3001, 0);
	differs("SACK block 1001-3001 covers what had not arrived");
}
END_TEST

START_TEST(no_sack_block_for_text_that_has_arrived)
{
	begin();
	handshake();
	SAY(100, P, "A", 1001, 1, 1000);
	SAY(103, H, "A", 1, 1, 0);
	SAY(200, P, "A", 1, 1, 1000);
	SAY(201, H, "A", 1, 2001, 0);
	differs("has no SACK block");
}
END_TEST

START_TEST(a_segment_without_ack)
{
	begin();
	handshake();
	SAY(100, H, "", 1, 0, 100);
	differs("without ACK after the handshake");
}
END_TEST

START_TEST(a_syn_ack_with_an_option_that_nobody_offered)
{
	begin();
	options_on = false;
	SAY(0, P, "S", 0, 0, 0);
	options_on = true;
	SAY(0, H, "SA", 0, 1, 0);
	SAY(1, P, "A", 1, 1, 0);
	differs("has the option window scale");
}
END_TEST

/* --- what cannot be judged --- */

START_TEST(a_connection_that_began_before_the_capture)
{
	begin();
	rest(100, 1, 1);
	cannot_be_judged("began before the capture");
}
END_TEST

START_TEST(frames_that_the_capture_has_missed)
{
	begin();
	handshake();
	SAY(200, H, "A", 1, 1001, 0);		/* 1 to 1001 was never seen */
	rest(300, 1001, 1);
	cannot_be_judged("frames are missing from the capture");
}
END_TEST

START_TEST(an_answer_that_the_capture_may_have_ended_before)
{
	begin();
	handshake();
	SAY(100, P, "A", 1, 1, 1000);
	cannot_be_judged("the capture ends before");
}
END_TEST

/* --- captures of our own --- */

static void put_block(size_t (*write)(struct pcapng_room, const struct capture_options *), const struct capture_options *o)
{
	uint8_t p[PCAPNG_HEADER_MAX];

	fwrite(p, write((struct pcapng_room){p, sizeof p}, o), 1, file);
}

static size_t raw_interface(struct pcapng_room room, const struct capture_options *o)
{
	return pcapng_interface(room, o, true);
}

static void begin_own(void)
{
	static const struct capture_options o = {.program = "tapir 0.1"};

	begin();
	rewind(file);
	put_block(pcapng_section, &o);
	put_block(raw_interface, &o);
}

struct told_frame { int at_ms, from; uint32_t seq, ack, text; const char *flags, *comments; unsigned int count; };

static void tell(const struct told_frame *t)
{
	struct tcp_seg s = segment(t->from, t->flags, t->seq, t->ack);
	uint8_t bytes[4096], block[8192];
	size_t n = emit(bytes, t->from, &s, t->text);
	struct pcapng_packet packet = {.at_ns = 1000000000000u + (uint64_t)t->at_ms * 1000000, .bytes = {bytes, n}, .out = t->from,
				       .ip_only = true, .comments = t->comments, .comment_count = t->count};

	fwrite(block, pcapng_packet((struct pcapng_room){block, sizeof block}, &packet), 1, file);
}

START_TEST(what_a_stack_has_told_becomes_sentences_with_numbers)
{
	const struct told_frame frames[] = {
		{0, P, 0, 0, 0, "S", "state LISTEN > SYN-RECEIVED: RFC 9293 3.10.7.2 third: a SYN\0accepted", 2},
		{0, H, 0, 1, 0, "SA", "sent: RFC 9293 3.5: handshake", 1},
		{1, P, 1, 1, 0, "A", "accepted", 1},
		{10, P, 1, 1, 1460, "A",
		 "an ACK is owed: RFC 9293 3.8.6.3 (SHLD-19): the second full-sized segment\0accepted", 2},
		{20, P, 2921, 1, 1460, "A",
		 "an ACK is owed: RFC 5681 4.2: out-of-order text, one duplicate ACK for each\0accepted", 2},
		{20, H, 1, 1461, 0, "A", "sent: RFC 5681 4.2: out-of-order text, one duplicate ACK for each", 1},
		{30, P, 90000, 1, 10, "A",
		 "DROP_TCP_OUT_OF_WINDOW: sequence number outside the window: ACK (RFC 9293 3.10.7.4 first)", 1},
	};

	begin_own();
	for (size_t i = 0; i < sizeof frames / sizeof frames[0]; i++)
		tell(&frames[i]);
	ck_assert_int_eq(why(NULL), 0);
	ck_assert_msg(strstr(said, "   0.020000  192.0.2.4:4000 > 192.0.2.80:80  kept for later: text 2921-4381 lies beyond "
			     "RCV.NXT 1461 (a hole of 1460 bytes); duplicate ACK owed  RFC 9293 3.10.7.4 seventh; "
			     "RFC 5681 4.2\n"), "%s", said);
	ck_assert_msg(strstr(said, "goes from LISTEN to SYN-RECEIVED: a SYN asks for a connection  RFC 9293 3.10.7.2 third\n"),
		      "%s", said);
	ck_assert_msg(strstr(said, "dropped (DROP_TCP_OUT_OF_WINDOW): sequence number outside the window: ACK "
			     "[segment 90000-90010, RCV.NXT 1461, window to 9461]  RFC 9293 3.10.7.4 first\n"), "%s", said);
}
END_TEST

static void comes_back(struct tapir_event *e)
{
	char before[400], after[400];
	struct trace_told told;
	struct trace_options how = {.addresses = true};

	e->local = (struct tapir_endpoint){tapir_ipv4(10, 0, 0, 2), 7};
	e->remote = (struct tapir_endpoint){tapir_ipv4(10, 0, 0, 1), 40000};
	if (e->kind != TAPIR_EV_VERDICT)
		e->why = "RFC 5681 3.1: slow start";
	trace_event_format(before, sizeof before, e, &how);
	trace_told(&told, before);
	ck_assert_msg(told.kind == TOLD_EVENT && told.e.kind == e->kind, "not understood: %s", before);
	if (e->kind == TAPIR_EV_TIMER_ARMED || e->kind == TAPIR_EV_TIMER_FIRED)
		told.e.why = e->why;
	trace_event_format(after, sizeof after, &told.e, &how);
	ck_assert_str_eq(before, after);
}

START_TEST(every_comment_is_understood)
{
	struct tapir_event events[] = {
		{.kind = TAPIR_EV_STATE, .u.state = {TAPIR_TCP_FIN_WAIT_1, TAPIR_TCP_FIN_WAIT_2}},
		{.kind = TAPIR_EV_SEGMENT_OUT}, {.kind = TAPIR_EV_RETRANSMIT}, {.kind = TAPIR_EV_ACK_OWED},
		{.kind = TAPIR_EV_TIMER_ARMED, .u.timer = {TAPIR_TIMER_FIN_WAIT_2, 12345}},
		{.kind = TAPIR_EV_TIMER_FIRED, .u.timer = {TAPIR_TIMER_REO, 0}},
		{.kind = TAPIR_EV_CC, .u.cc = {14480, 1u << 31, 7, 40, 20, 200000}},
		{.kind = TAPIR_EV_CC, .u.cc = {14480, 2896, 7, 40, 20, 200000}},
		{.kind = TAPIR_EV_WINDOW, .u.window = {65535, 0, 1000}},
		{.kind = TAPIR_EV_ECN, .u.ecn = {true, true, 3}}, {.kind = TAPIR_EV_ECN, .u.ecn = {true, false, 3}},
		{.kind = TAPIR_EV_ARP, .u.arp = {tapir_ipv4(10, 0, 0, 1), {2, 0xab, 0, 1, 2, 3}, true}},
		{.kind = TAPIR_EV_ARP, .u.arp = {tapir_ipv4(10, 0, 0, 1), {0}, false}},
		{.kind = TAPIR_EV_PMTU, .u.pmtu = {1500, 1448, 0, 0, 0}},
		{.kind = TAPIR_EV_PMTU, .u.pmtu = {1500, 1448, 1024, 9000, 0}},
		{.kind = TAPIR_EV_PMTU, .u.pmtu = {1500, 1448, 1024, 9000, 5000}},
		{.kind = TAPIR_EV_BUFFER, .u.buffer = {1000, 2000, 0}},
	};

	for (size_t i = 0; i < sizeof events / sizeof events[0]; i++)
		comes_back(&events[i]);
	for (int v = 0; v < TAPIR_VERDICT_COUNT; v++) {
		struct tapir_event e = {.kind = TAPIR_EV_VERDICT, .why = tapir_verdict_text((enum tapir_verdict)v)};
		e.u.verdict.verdict = (enum tapir_verdict)v;
		comes_back(&e);
	}
	for (int fate = FAULT_LOST; fate <= FAULT_DELAYED; fate++) {
		struct fault_note note = {.fate = (enum fault_fate)fate, .number = 1234};
		struct trace_told told;
		char text[200];
		trace_fault_format(text, sizeof text, &note);
		trace_told(&told, text);
		ck_assert_msg(told.kind == TOLD_FAULT && told.note.fate == note.fate, "not understood: %s", text);
	}
}
END_TEST

/* --- captures that are not as they should be --- */

static int reads(const void *bytes, size_t n)
{
	struct captured c;
	int result;

	strcpy(path, "/tmp/tapir_why_XXXXXX");
	file = fdopen(mkstemp(path), "w");
	fwrite(bytes, n, 1, file);
	fclose(file);
	file = NULL;
	struct reading *r = reading_open(path);
	unlink(path);
	if (!r)
		return TAPIR_EIO;
	while ((result = reading_next(r, &c)) == 1)
		;
	reading_close(r);
	return result;
}

START_TEST(a_bad_capture_gives_a_sentence)
{
	static const uint8_t section[] =
		"\x0a\x0d\x0d\x0a\x00\x00\x00\x1c\x1a\x2b\x3c\x4d\x00\x01\x00\x00"
		"\xff\xff\xff\xff\xff\xff\xff\xff\x00\x00\x00\x1c";
	static const uint8_t wifi[] =
		"\x00\x00\x00\x01\x00\x00\x00\x14\x00\x69\x00\x00\x00\x00\x00\x00\x00\x00\x00\x14"
		"\x00\x00\x00\x06\x00\x00\x00\x24\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x04"
		"\x00\x00\x00\x04\x01\x02\x03\x04\x00\x00\x00\x24";
	static const uint8_t huge[] = "\x00\x00\x00\x06\x7f\xff\xff\xfc\x00\x00\x00\x00";
	uint8_t all[200];

	ck_assert_int_eq(reads(section, 28), 0);			/* big-endian, and empty */
	ck_assert_int_eq(reads(section, 20), TAPIR_EIO);
	ck_assert_ptr_nonnull(strstr(driver_error(), "ends in the middle"));
	ck_assert_int_eq(reads("", 0), TAPIR_EIO);
	ck_assert_ptr_nonnull(strstr(driver_error(), "empty"));
	memcpy(all, section, 28);
	memcpy(all + 28, wifi, sizeof wifi - 1);
	ck_assert_int_eq(reads(all, 28 + sizeof wifi - 1), TAPIR_EIO);
	ck_assert_ptr_nonnull(strstr(driver_error(), "only Ethernet"));
	memcpy(all + 28, huge, sizeof huge - 1);
	ck_assert_int_eq(reads(all, 28 + sizeof huge - 1), TAPIR_EIO);
	ck_assert_ptr_nonnull(strstr(driver_error(), "impossible length"));
}
END_TEST

START_TEST(every_text_is_there)
{
	for (int i = WHY_NONE + 1; i < WHY_TEXTS; i++)
		ck_assert_msg(why_text((enum why_text)i) != NULL, "text %d is missing", i);
}
END_TEST

Suite *suite(void)
{
	Suite *s = suite_create("tapir why");
	TCase *c = tcase_create("why");

	tcase_add_test(c, a_host_that_follows_the_rfc_does_not_differ);
	tcase_add_test(c, the_end_that_opens_may_be_the_one_that_is_judged);
	tcase_add_test(c, delayed_acks_and_duplicate_acks_are_as_the_rfc_leaves_them);
	tcase_add_test(c, text_that_was_overtaken_by_text_with_a_younger_timestamp_is_taken);
	tcase_add_test(c, a_refused_connection_is_no_difference);
	tcase_add_test(c, a_program_may_abort);
	tcase_add_test(c, a_rst_for_nothing);
	tcase_add_test(c, a_rst_outside_the_window_that_is_obeyed);
	tcase_add_test(c, a_rst_outside_the_window_that_silences_the_host);
	tcase_add_test(c, a_host_that_goes_on_after_a_rst);
	tcase_add_test(c, a_window_that_shrinks);
	tcase_add_test(c, what_the_way_from_a_host_far_away_has_changed_is_no_difference);
	tcase_add_test(c, a_duplicate_ack_that_does_not_come);
	tcase_add_test(c, text_after_a_fin);
	tcase_add_test(c, an_ack_of_what_was_never_sent);
	tcase_add_test(c, text_is_taken_although_its_ack_is_for_what_was_never_sent);
	tcase_add_test(c, text_that_is_never_acknowledged);
	tcase_add_test(c, text_beyond_the_peers_window);
	tcase_add_test(c, text_that_is_sent_again_for_nothing);
	tcase_add_test(c, a_sack_block_of_what_has_not_arrived);
	tcase_add_test(c, no_sack_block_for_text_that_has_arrived);
	tcase_add_test(c, a_segment_without_ack);
	tcase_add_test(c, a_syn_ack_with_an_option_that_nobody_offered);
	tcase_add_test(c, a_connection_that_began_before_the_capture);
	tcase_add_test(c, frames_that_the_capture_has_missed);
	tcase_add_test(c, an_answer_that_the_capture_may_have_ended_before);
	tcase_add_test(c, what_a_stack_has_told_becomes_sentences_with_numbers);
	tcase_add_test(c, every_comment_is_understood);
	tcase_add_test(c, a_bad_capture_gives_a_sentence);
	tcase_add_test(c, every_text_is_there);
	suite_add_tcase(s, c);
	return s;
}
