/* test_1122_4_2.c: the requirements of RFC 1122 4.2, as the RFC numbers them, that belong to no one section of the other
 * files: checksums (RFC 1122 4.2.2.7), error reports (4.2.4.1), type of service (4.2.4.2), TTL (4.2.2.1). */
#include "tests/support/peer.h"

/* ---- checksums --------------------------------------------------------------------------------------------------- */

/* True if the checksum of the segment that was expected last is right: ones' complement over the pseudo-header (RFC 9293
 * figure 2), the header and the text. */
static bool checksum_is_right(void)
{
	struct span f = peer_last_frame();
	uint32_t sum = 6 + (uint32_t)f.n - 20;

	for (size_t i = 12; i < 20; i += 2)
		sum += (uint32_t)f.p[i] << 8 | f.p[i + 1];
	return frame_checksum(sum, f.p + 20, f.n - 20) == 0;
}

static void expects_checked(struct peer *p, const char *line)
{
	struct span f;

	peer_expects(p, "%s", line);
	ck_assert(checksum_is_right());
	f = peer_last_frame();
	ck_assert_uint_ne((uint32_t)f.p[36] << 8 | f.p[37], 0);
}

/* RFC 9293 3.1 (MUST-2); RFC 1122 4.2.2.7: the sender makes the checksum of every kind of segment: with text of even and odd
 * length, in one piece and in two, again, empty, with SYN, FIN and RST. */
START_TEST(every_segment_has_a_right_checksum)
{
	struct peer p;

	peer_config()->timestamps = peer_config()->sack = peer_config()->window_scale = true;
	p = syn_sent(_i);
	ck_assert(checksum_is_right());
	peer_sends(&p, "S. 0:0(0) ack 1 <mss 1460>");
	expects_checked(&p, ". 1:1(0) ack 1");
	for (uint32_t n = 1; n < 100; n += n < 10 ? 1 : 13) {
		uint32_t at = p.sent + 1;
		char line[SEGMENT_TEXT];

		ck_assert_error(tapir_setsockopt(p.t, p.sd, TAPIR_TCP_NODELAY, 1), 0);
		user_sends(&p, n);
		user_sends(&p, n);
		segment_format(line, &(struct segment){.flags = FLAG_P | FLAG_A, .seq = at, .ack = 1, .text_len = 2 * n},
			       &(struct segment_base){.seq = 0}, 0);
		expects_checked(&p, line);
		if (n == 1) {
			peer_until_timer(&p);
			expects_checked(&p, line);
		}
		peer_sends(&p, ". 1:1(0) ack %u", at + 2 * n);
	}
	peer_sends(&p, "S 5:5(0)");
	expects_checked(&p, ". *:*(0) ack 1");
	user_shuts_down(&p);
	expects_checked(&p, "F. *:*(0) ack 1");
	user_aborts(&p);
	expects_checked(&p, "R *:*(0)");
	peer_sends(&p, "P. 1:8(7) ack 77");
	expects_checked(&p, "R 77:77(0)");
}
END_TEST

/* A bit of every byte of this frame is turned over, one at a time: the segment is refused. */
static void no_corrupt_copy_is_taken(struct peer *p, const char *line)
{
	uint8_t frame[2048];
	size_t n = peer_frame(p, frame, "%s", line);

	for (size_t at = 20; at < n; at++) {
		frame[at] ^= (uint8_t)(1u << at % 8);
		peer_sends_frame(p, frame, n);
		if (p->verdict != DROP_TCP_OFFSET)
			ck_assert_verdict(p, DROP_TCP_CHECKSUM);
		frame[at] ^= (uint8_t)(1u << at % 8);
	}
	frame[36] = frame[37] = 0;	/* zero means zero, not "none" as in UDP */
	peer_sends_frame(p, frame, n);
	ck_assert_verdict(p, DROP_TCP_CHECKSUM);
}

/* RFC 9293 3.1 (MUST-3); RFC 1122 4.2.2.7: the receiver checks it: a segment that was changed on the way does nothing and draws
 * nothing, in each state. */
START_TEST(a_segment_with_a_wrong_checksum_is_dropped_in_each_state)
{
	for (enum tapir_tcp_state state = TAPIR_TCP_CLOSED; state <= TAPIR_TCP_TIME_WAIT; state++) {
		struct peer p = peer_in(state, _i);
		char line[SEGMENT_TEXT];

		segment_format(line, &(struct segment){.flags = FLAG_R | FLAG_A, .seq = p.rcv_nxt, .ack = 1},
			       &(struct segment_base){.seq = 0}, 0);
		no_corrupt_copy_is_taken(&p, line);
		no_corrupt_copy_is_taken(&p, "S 0:0(0) <mss 1460>");
		no_corrupt_copy_is_taken(&p, "P. 1:12(11) ack 1");
		ck_assert_state(&p, state);
		peer_expects_nothing(&p);
	}
}
END_TEST

/* ---- error reports ----------------------------------------------------------------------------------------------- */

#define UNREACHABLE 3
#define HOST 1

/* RFC 9293 3.9.1.8 (MUST-47); RFC 1122 4.2.4.1: soft errors are reported asynchronously: the program is woken and finds what
 * ICMP said in STATUS. */
START_TEST(a_soft_error_wakes_the_program)
{
	struct peer p = established(_i);
	struct tapir_poll_event events[4];

	user_sends(&p, 10);
	peer_expects(&p, "P. 1:11(10) ack 1");
	while (tapir_poll_events(p.t, events, 4) > 0)
		;
	peer_sends_icmp(&p, UNREACHABLE, HOST, 0, 1);
	ck_assert_int_eq(tapir_poll_events(p.t, events, 4), 1);
	ck_assert_int_eq(events[0].sd, p.sd);
	ck_assert_error(peer_info(&p).soft_error, TAPIR_EHOSTUNREACH);
	ck_assert_state(&p, TAPIR_TCP_ESTABLISHED);
}
END_TEST

/* RFC 9293 3.9.1.8 (SHLD-20); RFC 1122 4.2.4.1: a program that does not ask STATUS is not disturbed by reports: no call fails,
 * and poll() is what it was. */
START_TEST(a_program_that_does_not_ask_is_not_told_of_soft_errors)
{
	struct peer p = established(_i);
	int ready;

	user_sends(&p, 10);
	peer_expects(&p, "P. 1:11(10) ack 1");
	ready = tapir_poll(p.t, p.sd);
	peer_sends_icmp(&p, UNREACHABLE, HOST, 0, 1);
	ck_assert_int_eq(tapir_poll(p.t, p.sd), ready);
	ck_assert_error(user_pending_error(&p), 0);
	ck_assert_error(user_recv_result(&p), TAPIR_EAGAIN);
	peer_sends(&p, ". 1:1(0) ack 11");
	user_sends(&p, 10);
	peer_expects(&p, "P. 11:21(10) ack 1");
}
END_TEST

/* ---- what IP is told --------------------------------------------------------------------------------------------- */

static void expects_ip(struct peer *p, const char *line, uint8_t tos, uint8_t ttl)
{
	peer_expects(p, "%s", line);
	ck_assert_uint_eq(peer_last_frame().p[1], tos);
	ck_assert_uint_eq(peer_last_frame().p[8], ttl);
}

/* RFC 9293 3.9.1.9 (SHLD-21, SHLD-22), 3.9.2 (MUST-49); RFC 1122 4.2.4.2: the program may change the Diffserv field and the TTL
 * during the connection: each segment from then on carries them unchanged, whatever it is. */
START_TEST(the_diffserv_field_and_the_ttl_may_change_during_the_connection)
{
	static const uint8_t values[] = {0x00, 0xb8, 0xfc, 0x28, 0x04};
	struct peer p = established(_i);
	uint32_t at = 1;

	ck_assert_error(tapir_setsockopt(p.t, p.sd, TAPIR_SO_KEEPALIVE, 1), 0);
	for (size_t k = 0; k < sizeof values; k++, at += 10) {
		uint8_t tos = values[k], ttl = (uint8_t)(1 + 50 * k);

		user_sends(&p, 10);
		peer_expects(&p, "P. %u:%u(10) ack 1", at, at + 10);
		ck_assert_error(tapir_setsockopt(p.t, p.sd, TAPIR_IP_TOS, tos), 0);
		ck_assert_error(tapir_setsockopt(p.t, p.sd, TAPIR_IP_TTL, ttl), 0);
		peer_until_timer(&p);
		expects_ip(&p, "P. *:*(10) ack 1", tos, ttl);		/* a retransmission */
		peer_sends(&p, "S 0:0(0)");
		expects_ip(&p, ". *:*(0) ack 1", tos, ttl);		/* an ACK alone */
		peer_sends(&p, ". 1:1(0) ack %u", at + 10);
		peer_advance(&p, peer_config()->keepalive_idle_us);
		expects_ip(&p, ". *:*(0) ack 1", tos, ttl);		/* a keep-alive */
		peer_sends(&p, ". 1:1(0) ack %u", at + 10);
	}
	user_shuts_down(&p);
	expects_ip(&p, "F. *:*(0) ack 1", 0x04, 201);
	user_aborts(&p);
	expects_ip(&p, "R *:*(0)", 0x04, 201);
}
END_TEST

/* RFC 9293 3.9.1.9 (MUST-48); RFC 1122 4.2.4.2: what was set on a listener holds for its connections from the SYN,ACK on. */
START_TEST(a_connection_inherits_the_diffserv_field_and_the_ttl_from_its_listener)
{
	struct peer p = listening(_i);

	ck_assert_error(tapir_setsockopt(p.t, p.listener, TAPIR_IP_TOS, 0x48), 0);
	ck_assert_error(tapir_setsockopt(p.t, p.listener, TAPIR_IP_TTL, 3), 0);
	peer_sends(&p, "S 0:0(0) <mss 1460>");
	expects_ip(&p, "S. 0:0(0) ack 1", 0x48, 3);
	peer_sends(&p, "P. 1:11(10) ack 1");
	expects_ip(&p, ". 1:1(0) ack 11", 0x48, 3);
	user_accepts(&p);
	user_sends(&p, 10);
	expects_ip(&p, "P. 1:11(10) ack 11", 0x48, 3);
}
END_TEST

Suite *suite(void)
{
	return peer_suite("RFC 1122 4.2", (const TTest *[]){
		every_segment_has_a_right_checksum,
		a_segment_with_a_wrong_checksum_is_dropped_in_each_state,
		a_soft_error_wakes_the_program,
		a_program_that_does_not_ask_is_not_told_of_soft_errors,
		the_diffserv_field_and_the_ttl_may_change_during_the_connection,
		a_connection_inherits_the_diffserv_field_and_the_ttl_from_its_listener,
		NULL
	});
}
