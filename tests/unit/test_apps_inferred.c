/* test_apps_inferred.c: the states of both ends, told from segments: the figures of RFC 9293 3.5 and 3.6 as someone on the wire
 * sees them. */
#include <check.h>
#include <stdlib.h>
#include "apps/inferred.h"

static struct inferred conn;
static const uint32_t iss[2] = {0xfffffffe, 300};	/* A's numbers wrap */

enum { F = 1, S = 2, R = 4, A = 16 };

static struct trace_tcp segment(int from, int flags, uint32_t seq, uint32_t ack, uint32_t text)
{
	struct tapir_endpoint ends[2] = {{tapir_ipv4(10, 0, 0, 1), 4000}, {tapir_ipv4(10, 0, 0, 2), 7}};

	return (struct trace_tcp){
		.src = ends[from], .dst = ends[!from], .seq = iss[from] + seq, .ack = iss[!from] + ack, .syn = flags & S,
		.fin = flags & F, .rst = flags & R, .has_ack = flags & A,
		.len = text + (flags & S ? 1 : 0) + (flags & F ? 1 : 0),
	};
}

/* A segment from side 0 or 1, with numbers relative to the ISS, and the states of both sides afterwards. */
static void assert_after(struct trace_tcp s, enum tapir_tcp_state a, enum tapir_tcp_state b)
{
	enum tapir_tcp_state before[2] = {conn.side[0].state, conn.side[1].state};
	bool changed = inferred_segment(&conn, &s);

	ck_assert_str_eq(tapir_tcp_state_name(conn.side[0].state), tapir_tcp_state_name(a));
	ck_assert_str_eq(tapir_tcp_state_name(conn.side[1].state), tapir_tcp_state_name(b));
	ck_assert_int_eq(changed, before[0] != a || before[1] != b);
}
#define AFTER(from, flags, seq, ack, text, a, b) \
	assert_after(segment(from, flags, seq, ack, text), TAPIR_TCP_##a, TAPIR_TCP_##b)

static void begin_with(struct trace_tcp s)
{
	inferred_begin(&conn, &s);
}

static void established(void)
{
	begin_with(segment(0, S, 0, 0, 0));
	AFTER(0, S, 0, 0, 0, SYN_SENT, SYN_RCVD);
	AFTER(1, S | A, 0, 1, 0, ESTABLISHED, SYN_RCVD);
	AFTER(0, A, 1, 1, 0, ESTABLISHED, ESTABLISHED);
}

/* RFC 9293 3.5 figure 6 */
START_TEST(the_basic_handshake)
{
	begin_with(segment(0, S, 0, 0, 0));
	ck_assert_int_eq(conn.side[0].state, TAPIR_TCP_CLOSED);
	ck_assert_int_eq(conn.side[1].state, TAPIR_TCP_LISTEN);
	established();
	AFTER(0, A, 1, 1, 5, ESTABLISHED, ESTABLISHED);
	AFTER(1, A, 1, 6, 5, ESTABLISHED, ESTABLISHED);
}
END_TEST

START_TEST(a_repeated_syn_changes_nothing)
{
	begin_with(segment(0, S, 0, 0, 0));
	AFTER(0, S, 0, 0, 0, SYN_SENT, SYN_RCVD);
	AFTER(0, S, 0, 0, 0, SYN_SENT, SYN_RCVD);
	AFTER(1, S | A, 0, 1, 0, ESTABLISHED, SYN_RCVD);
	AFTER(1, S | A, 0, 1, 0, ESTABLISHED, SYN_RCVD);
	AFTER(0, A, 1, 1, 0, ESTABLISHED, ESTABLISHED);
}
END_TEST

START_TEST(a_refused_connection_is_closed_on_both_sides)
{
	begin_with(segment(0, S, 0, 0, 0));
	AFTER(0, S, 0, 0, 0, SYN_SENT, SYN_RCVD);
	AFTER(1, R | A, 0, 1, 0, CLOSED, CLOSED);
}
END_TEST

/* RFC 9293 3.5 figure 7 */
START_TEST(a_simultaneous_open)
{
	begin_with(segment(0, S, 0, 0, 0));
	AFTER(0, S, 0, 0, 0, SYN_SENT, SYN_RCVD);
	AFTER(1, S, 0, 0, 0, SYN_RCVD, SYN_RCVD);
	AFTER(1, S | A, 0, 1, 0, ESTABLISHED, SYN_RCVD);
	AFTER(0, S | A, 0, 1, 0, ESTABLISHED, ESTABLISHED);
}
END_TEST

/* RFC 9293 3.6 figure 12 */
START_TEST(a_normal_close)
{
	established();
	AFTER(0, F | A, 1, 1, 0, FIN_WAIT_1, CLOSE_WAIT);
	AFTER(1, A, 1, 2, 0, FIN_WAIT_2, CLOSE_WAIT);
	AFTER(1, A, 1, 2, 100, FIN_WAIT_2, CLOSE_WAIT);		/* half-closed: the other direction goes on */
	AFTER(0, A, 2, 101, 0, FIN_WAIT_2, CLOSE_WAIT);
	AFTER(1, F | A, 101, 2, 0, TIME_WAIT, LAST_ACK);
	AFTER(0, A, 2, 102, 0, TIME_WAIT, CLOSED);
	AFTER(1, F | A, 101, 2, 0, TIME_WAIT, CLOSED);		/* seen late */
}
END_TEST

START_TEST(the_other_side_may_close_first)
{
	established();
	AFTER(1, F | A, 1, 1, 43, CLOSE_WAIT, FIN_WAIT_1);
	AFTER(0, F | A, 1, 45, 0, LAST_ACK, TIME_WAIT);
	AFTER(1, A, 45, 2, 0, CLOSED, TIME_WAIT);
}
END_TEST

/* RFC 9293 3.6 figure 13 */
START_TEST(a_simultaneous_close)
{
	established();
	AFTER(0, F | A, 1, 1, 0, FIN_WAIT_1, CLOSE_WAIT);
	/* B's FIN does not acknowledge A's: it had left before that came. */
	AFTER(1, F | A, 1, 1, 0, CLOSING, CLOSING);
	AFTER(0, A, 2, 2, 0, CLOSING, TIME_WAIT);
	AFTER(1, A, 2, 2, 0, TIME_WAIT, TIME_WAIT);
}
END_TEST

START_TEST(a_fin_before_lost_text_counts_when_it_is_acknowledged)
{
	established();
	AFTER(0, F | A, 101, 1, 50, FIN_WAIT_1, ESTABLISHED);	/* 1..101 is missing */
	AFTER(1, A, 1, 1, 0, FIN_WAIT_1, ESTABLISHED);
	AFTER(0, A, 1, 1, 100, FIN_WAIT_1, ESTABLISHED);
	AFTER(1, A, 1, 152, 0, FIN_WAIT_2, CLOSE_WAIT);
}
END_TEST

START_TEST(what_was_lost_changes_only_who_sent_it)
{
	struct trace_tcp syn = segment(0, S, 0, 0, 0), fin = segment(0, F | A, 1, 1, 0), rst = segment(1, R, 1, 0, 0);

	begin_with(syn);
	ck_assert(inferred_lost_segment(&conn, &syn));
	ck_assert_int_eq(conn.side[0].state, TAPIR_TCP_SYN_SENT);
	ck_assert_int_eq(conn.side[1].state, TAPIR_TCP_LISTEN);
	ck_assert(!inferred_lost_segment(&conn, &syn));
	established();
	ck_assert(inferred_lost_segment(&conn, &fin));
	ck_assert_int_eq(conn.side[0].state, TAPIR_TCP_FIN_WAIT_1);
	ck_assert_int_eq(conn.side[1].state, TAPIR_TCP_ESTABLISHED);
	ck_assert(inferred_lost_segment(&conn, &rst));
	ck_assert_int_eq(conn.side[0].state, TAPIR_TCP_FIN_WAIT_1);
	ck_assert_int_eq(conn.side[1].state, TAPIR_TCP_CLOSED);
}
END_TEST

START_TEST(a_reset_ends_both_sides)
{
	established();
	AFTER(0, R | A, 1, 1, 0, CLOSED, CLOSED);
}
END_TEST

START_TEST(a_capture_may_begin_in_the_middle)
{
	begin_with(segment(1, A, 500, 700, 10));
	ck_assert_int_eq(conn.side[0].state, TAPIR_TCP_ESTABLISHED);
	ck_assert_int_eq(conn.side[0].who.port, 7);
	struct trace_tcp s = segment(1, A, 500, 700, 10);
	ck_assert(!inferred_segment(&conn, &s));
	assert_after(segment(1, F | A, 510, 700, 0), TAPIR_TCP_FIN_WAIT_1, TAPIR_TCP_CLOSE_WAIT);
	assert_after(segment(0, F | A, 700, 511, 0), TAPIR_TCP_TIME_WAIT, TAPIR_TCP_LAST_ACK);
	assert_after(segment(1, A, 511, 701, 0), TAPIR_TCP_TIME_WAIT, TAPIR_TCP_CLOSED);
}
END_TEST

START_TEST(a_capture_may_begin_with_the_answer_to_a_syn)
{
	begin_with(segment(1, S | A, 0, 1, 0));
	ck_assert_int_eq(conn.side[0].who.port, 4000);
	AFTER(1, S | A, 0, 1, 0, ESTABLISHED, SYN_RCVD);
	AFTER(0, A, 1, 1, 0, ESTABLISHED, ESTABLISHED);
}
END_TEST

START_TEST(a_new_syn_between_the_same_ports_is_a_new_connection)
{
	struct trace_tcp again = segment(0, S, 0, 0, 0), later = segment(0, S, 5000, 0, 0), answer = segment(1, S | A, 0, 1, 0);
	struct trace_tcp other = segment(0, S, 5000, 0, 0);

	established();
	ck_assert(!inferred_is_new(&conn, &again));
	ck_assert(!inferred_is_new(&conn, &answer));
	ck_assert(inferred_is_new(&conn, &later));
	other.src.port = 4001;
	ck_assert_int_eq(inferred_sender(&conn, &other), -1);
	ck_assert(!inferred_is_new(&conn, &other));
	ck_assert(!inferred_segment(&conn, &other));
}
END_TEST

Suite *suite(void)
{
	Suite *s = suite_create("inferred states");
	TCase *c = tcase_create("inferred");

	tcase_add_test(c, the_basic_handshake);
	tcase_add_test(c, a_repeated_syn_changes_nothing);
	tcase_add_test(c, a_refused_connection_is_closed_on_both_sides);
	tcase_add_test(c, a_simultaneous_open);
	tcase_add_test(c, a_normal_close);
	tcase_add_test(c, the_other_side_may_close_first);
	tcase_add_test(c, a_simultaneous_close);
	tcase_add_test(c, a_fin_before_lost_text_counts_when_it_is_acknowledged);
	tcase_add_test(c, what_was_lost_changes_only_who_sent_it);
	tcase_add_test(c, a_reset_ends_both_sides);
	tcase_add_test(c, a_capture_may_begin_in_the_middle);
	tcase_add_test(c, a_capture_may_begin_with_the_answer_to_a_syn);
	tcase_add_test(c, a_new_syn_between_the_same_ports_is_a_new_connection);
	suite_add_tcase(s, c);
	return s;
}
