/* test_sim_meter.c: the meter of the simulator notices what no TCP may do, and tells what was sent again for nothing. One
 * connection, whose segments are made up here: side 0 sends text, side 1 acknowledges it. */
#include <check.h>
#include <stdlib.h>
#include <string.h>
#include "stack/wire/tcp.h"
#include "tests/support/sim.h"

#define ISS 0xfffffff0u		/* numbers wrap on the way */
#define WINDOW 1000u

static struct sim *s;
static uint64_t hashes;

static struct sim_seen segment(uint8_t side, uint8_t flags, uint32_t seq, uint32_t len, uint32_t ack)
{
	return (struct sim_seen){.any = true, .side = side, .flags = flags, .seq = ISS + seq, .len = len, .ack = ISS + ack,
				 .wnd = WINDOW, .hash = ++hashes};
}

static void pass(struct sim_seen seen)
{
	sim_meter_sent(s, &seen);
	sim_meter_arrived(s, &seen, ACCEPT);
}

static void lose(struct sim_seen seen) { sim_meter_sent(s, &seen); }

static void text(uint32_t seq, uint32_t len) { pass(segment(0, TCP_ACK, seq, len, 1)); }
static void ack(uint32_t n) { pass(segment(1, TCP_ACK, 1, 0, n)); }

static void begin(void)
{
	s = calloc(1, sizeof *s);
	ck_assert_ptr_nonnull(s);
	pass(segment(0, TCP_SYN, 0, 0, 0));
	pass(segment(1, TCP_SYN | TCP_ACK, 0, 0, 1));
	pass(segment(0, TCP_ACK, 1, 0, 1));
}

static void end(void) { free(s); }

static const struct sim_flow *flow(void) { return &s->flows[0][0]; }

START_TEST(an_honest_connection_has_no_fault)
{
	for (uint32_t at = 1; at < 5000; at += 500) {
		text(at, 500);
		ack(at + 500);
	}
	pass(segment(0, TCP_ACK | TCP_FIN, 5001, 0, 1));
	ack(5002);
	ck_assert_str_eq(s->failure, "");
	ck_assert_uint_eq(flow()->segments, 10);
	ck_assert_uint_eq(flow()->retransmits + flow()->spurious, 0);
	ck_assert_uint_eq(flow()->flight_max, 500);
}
END_TEST

START_TEST(text_beyond_the_window_is_a_fault_but_not_the_byte_of_a_probe)
{
	text(1, WINDOW);
	text(1 + WINDOW, 1);
	ck_assert_str_eq(s->failure, "");
	text(2 + WINDOW, 1);
	ck_assert_ptr_nonnull(strstr(s->failure, "the window ends at 1001"));
}
END_TEST

START_TEST(a_window_that_was_lost_on_its_way_gives_no_right_to_send)
{
	text(1, WINDOW);
	lose(segment(1, TCP_ACK, 1, 0, 1 + WINDOW));
	text(1 + WINDOW, 500);
	ck_assert_str_ne(s->failure, "");
}
END_TEST

START_TEST(a_window_that_is_taken_back_is_a_fault)
{
	struct sim_seen smaller = segment(1, TCP_ACK, 1, 0, 101);

	text(1, 100);
	smaller.wnd = WINDOW - 100;
	pass(smaller);
	ck_assert_str_eq(s->failure, "");
	smaller.wnd = WINDOW - 101;
	pass(smaller);
	ck_assert_ptr_nonnull(strstr(s->failure, "goes back from 1001 to 1000"));
}
END_TEST

START_TEST(an_acknowledgment_of_what_has_not_arrived_is_a_fault)
{
	text(1, 100);
	lose(segment(0, TCP_ACK, 101, 100, 1));
	text(201, 100);
	ack(101);
	ck_assert_str_eq(s->failure, "");
	ack(301);
	ck_assert_ptr_nonnull(strstr(s->failure, "acknowledges byte 301, and only 101 have arrived"));
}
END_TEST

START_TEST(what_is_sent_again_is_spurious_when_it_had_arrived)
{
	text(1, 100);
	lose(segment(0, TCP_ACK, 101, 100, 1));
	text(201, 100);
	text(101, 100);			/* was lost */
	ck_assert_uint_eq(flow()->retransmits, 1);
	ck_assert_uint_eq(flow()->spurious, 0);
	text(151, 100);			/* was not */
	ck_assert_uint_eq(flow()->retransmits, 2);
	ck_assert_uint_eq(flow()->spurious, 1);
	ack(301);
	ck_assert_str_eq(s->failure, "");
}
END_TEST

START_TEST(a_copy_that_the_network_made_is_not_a_retransmission)
{
	struct sim_seen seen = segment(0, TCP_ACK, 1, 100, 1);

	pass(seen);
	sim_meter_arrived(s, &seen, DROP_TCP_OUT_OF_WINDOW);
	ck_assert_uint_eq(flow()->retransmits, 0);
	ck_assert_uint_eq(flow()->spurious, 0);
}
END_TEST

START_TEST(a_damaged_segment_has_not_arrived)
{
	struct sim_seen seen = segment(0, TCP_ACK, 1, 100, 1);

	sim_meter_sent(s, &seen);
	sim_meter_arrived(s, &seen, DROP_TCP_CHECKSUM);
	text(1, 100);
	ck_assert_uint_eq(flow()->retransmits, 1);
	ck_assert_uint_eq(flow()->spurious, 0);
}
END_TEST

START_TEST(holes_are_filled_in_any_order)
{
	static const uint32_t order[] = {5, 1, 7, 3, 8, 0, 2, 9, 6, 4};

	for (int i = 0; i < 10; i++)
		text(1 + 100 * order[i], 100);
	ck_assert_uint_eq(flow()->ranges, 1);
	ack(1001);
	ck_assert_str_eq(s->failure, "");
}
END_TEST

Suite *suite(void);
Suite *suite(void)
{
	Suite *suite = suite_create("sim: the meter");
	TCase *c = tcase_create("meter");

	tcase_add_checked_fixture(c, begin, end);
	tcase_add_test(c, an_honest_connection_has_no_fault);
	tcase_add_test(c, text_beyond_the_window_is_a_fault_but_not_the_byte_of_a_probe);
	tcase_add_test(c, a_window_that_was_lost_on_its_way_gives_no_right_to_send);
	tcase_add_test(c, a_window_that_is_taken_back_is_a_fault);
	tcase_add_test(c, an_acknowledgment_of_what_has_not_arrived_is_a_fault);
	tcase_add_test(c, what_is_sent_again_is_spurious_when_it_had_arrived);
	tcase_add_test(c, a_copy_that_the_network_made_is_not_a_retransmission);
	tcase_add_test(c, a_damaged_segment_has_not_arrived);
	tcase_add_test(c, holes_are_filled_in_any_order);
	suite_add_tcase(suite, c);
	return suite;
}
