/* test_3_8_5_urgent.c: urgent information (RFC 9293 3.8.5; RFC 6093 3). It is delivered in line; TAPIR_POLLPRI tells that some
 * lies ahead of what the user has read. Nothing here sends any: new programs should not (RFC 9293 3.8.5, SHLD-13). */
#include "tests/support/peer.h"

static bool in_urgent_mode(const struct peer *p) { return tapir_poll(p->t, p->sd) & TAPIR_POLLPRI; }

/* The user reads n bytes, one at a time. */
static void reads_bytes(struct peer *p, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
		ck_assert_error(user_recv_result(p), 1);
}

/* True if the program is told, without asking for it, that its socket has something urgent. Takes the news. */
static bool is_told(const struct peer *p)
{
	struct tapir_poll_event rows[8];
	int n = tapir_poll_events(p->t, rows, 8);
	bool told = false;

	for (int i = 0; i < n; i++)
		told = told || (rows[i].sd == p->sd && rows[i].ready & TAPIR_POLLPRI);
	return told;
}

/* RFC 9293 3.8.5 (MUST-30, MUST-33, MUST-62): the pointer names the octet after the urgent text; as long as the user has not
 * read up to it there is more. */
START_TEST(urgent_mode_lasts_until_the_last_urgent_octet_is_read)
{
	struct peer p = established(_i);

	ck_assert(!in_urgent_mode(&p));
	peer_sends(&p, "PU. 1:11(10) ack 1 urg 5");	/* octets 1 to 5, 6 is the first that is not */
	peer_expects(&p, ". 1:1(0) ack 11");
	ck_assert(in_urgent_mode(&p));
	reads_bytes(&p, 4);
	ck_assert(in_urgent_mode(&p));
	reads_bytes(&p, 1);
	ck_assert(!in_urgent_mode(&p));
	user_reads(&p, 5);
}
END_TEST

/* RFC 9293 3.8.5; RFC 6093 3.1: urgent text stays where it is in the stream: the user reads every byte in order. */
START_TEST(urgent_text_is_delivered_in_line)
{
	struct peer p = established(_i);

	peer_sends(&p, "P. 1:11(10) ack 1");
	peer_sends(&p, "PU. 11:12(1) ack 1 urg 1");
	peer_sends(&p, "P. 12:21(9) ack 1");
	peer_ignores_all(&p);
	user_reads(&p, 20);
	ck_assert(!in_urgent_mode(&p));
}
END_TEST

/* RFC 9293 3.8.5 (MUST-31): urgent text of any length: the pointer runs ahead of the segments, by more than a window. */
START_TEST(a_sequence_of_urgent_text_may_have_any_length)
{
	struct peer p = established(_i);
	uint32_t at = 1;

	for (int i = 0; i < 100; i++, at += 1000) {
		peer_sends(&p, ".U %u:%u(1000) ack 1 urg 65535", at, at + 1000);
		ck_assert(in_urgent_mode(&p));
		user_reads(&p, 1000);
		ck_assert(in_urgent_mode(&p));
		peer_ignores_all(&p);
	}
	peer_ignores_all(&p);
	for (int i = 0; i < 64; i++, at += 1000) {	/* up to 99001 + 65535 */
		peer_sends(&p, ". %u:%u(1000) ack 1", at, at + 1000);
		user_reads(&p, 1000);
		ck_assert(in_urgent_mode(&p));
		peer_ignores_all(&p);
	}
	peer_sends(&p, ". %u:%u(1000) ack 1", at, at + 1000);
	reads_bytes(&p, 99001 + 65535 - at - 1);
	ck_assert(in_urgent_mode(&p));
	reads_bytes(&p, 1);
	ck_assert(!in_urgent_mode(&p));
	peer_ignores_all(&p);
}
END_TEST

/* RFC 9293 3.8.5 (MUST-32): the program is told asynchronously when there was none before, and when the pointer advances. */
START_TEST(the_program_is_told_when_the_urgent_pointer_comes_and_when_it_advances)
{
	struct peer p = established(_i);

	is_told(&p);
	peer_sends(&p, "U. 1:1(0) ack 1 urg 10");
	ck_assert(is_told(&p));
	ck_assert(!is_told(&p));
	peer_sends(&p, "U. 1:1(0) ack 1 urg 10");
	ck_assert(!is_told(&p));
	peer_sends(&p, "U. 1:1(0) ack 1 urg 20");
	ck_assert(is_told(&p));
	peer_sends(&p, ". 1:20(19) ack 1");
	peer_expects(&p, ". 1:1(0) ack 20");
	user_reads(&p, 19);
	ck_assert(in_urgent_mode(&p));
}
END_TEST

/* RFC 9293 3.8.5: the pointer cannot recede: one that points further back changes nothing. */
START_TEST(the_urgent_pointer_never_recedes)
{
	struct peer p = established(_i);

	peer_sends(&p, "U. 1:11(10) ack 1 urg 100");
	peer_sends(&p, "U. 11:21(10) ack 1 urg 1");
	peer_expects(&p, ". 1:1(0) ack 21");
	user_reads(&p, 20);
	ck_assert(in_urgent_mode(&p));
	peer_sends(&p, ". 21:101(80) ack 1");
	peer_expects(&p, ". 1:1(0) ack 101");
	user_reads(&p, 80);
	ck_assert(!in_urgent_mode(&p));
}
END_TEST

/* RFC 9293 3.10.7.4 sixth ESTABLISHED: urgent is what is in advance of the data consumed, not of the data received. */
START_TEST(a_pointer_into_text_that_is_received_but_not_read_is_urgent)
{
	struct peer p = established(_i);

	peer_sends(&p, "P. 1:11(10) ack 1");
	peer_expects(&p, ". 1:1(0) ack 11");
	peer_sends(&p, "U. 11:11(0) ack 1 urg 0");	/* the ten octets before this one */
	ck_assert(in_urgent_mode(&p));
	reads_bytes(&p, 9);
	ck_assert(in_urgent_mode(&p));
	reads_bytes(&p, 1);
	ck_assert(!in_urgent_mode(&p));
	peer_sends(&p, "U. 11:11(0) ack 1 urg 0");	/* they are read: nothing is ahead */
	ck_assert(!in_urgent_mode(&p));
}
END_TEST

/* RFC 9293 3.8.5: the pointer is relative to the sequence number of its own segment, also where a part of that segment is
 * old and cut off. */
START_TEST(the_pointer_of_a_segment_that_is_partly_old_stays_where_it_was)
{
	struct peer p = established(_i);

	peer_sends(&p, "P. 1:6(5) ack 1");
	peer_expects(&p, ". 1:1(0) ack 6");
	peer_sends(&p, "PU. 1:11(10) ack 1 urg 7");
	peer_expects(&p, ". 1:1(0) ack 11");
	reads_bytes(&p, 6);
	ck_assert(in_urgent_mode(&p));
	reads_bytes(&p, 1);
	ck_assert(!in_urgent_mode(&p));
	user_reads(&p, 3);
	peer_sends(&p, "PU. 6:16(10) ack 1 urg 2");		/* up to 7, which is read */
	peer_expects(&p, ". 1:1(0) ack 16");
	ck_assert(!in_urgent_mode(&p));
}
END_TEST

/* RFC 9293 3.8.5: on a SYN the pointer counts from the SYN. */
START_TEST(the_pointer_of_a_syn_ack_counts_from_its_syn)
{
	struct peer p = syn_sent(_i);

	peer_sends(&p, "SU. 0:0(0) ack 1 urg 3");
	peer_expects(&p, ". 1:1(0) ack 1");
	peer_sends(&p, "P. 1:11(10) ack 1");
	peer_expects(&p, ". 1:1(0) ack 11");
	reads_bytes(&p, 1);
	ck_assert(in_urgent_mode(&p));
	reads_bytes(&p, 1);
	ck_assert(!in_urgent_mode(&p));
}
END_TEST

/* RFC 9293 3.1: without the URG bit the field means nothing. */
START_TEST(the_urgent_field_without_the_urg_bit_is_ignored)
{
	struct peer p = established(_i);

	peer_sends(&p, "P. 1:11(10) ack 1 urg 5");
	peer_expects(&p, ". 1:1(0) ack 11");
	ck_assert(!in_urgent_mode(&p));
	user_reads(&p, 10);
}
END_TEST

/* RFC 9293 3.4 (MUST-66): a segment that a zero window makes unacceptable still has its URG looked at. */
START_TEST(urg_is_processed_although_the_window_is_zero)
{
	peer_config()->rcvbuf = 1024;
	struct peer p = established(_i);

	peer_sends(&p, ". 1:1025(1024) ack 1");
	peer_expects(&p, ". 1:1(0) ack 1025 win 0");
	peer_sends(&p, "U. 1025:1125(100) ack 1 urg 50");
	peer_expects(&p, ". 1:1(0) ack 1025 win 0");
	ck_assert(in_urgent_mode(&p));
	user_reads(&p, 1024);
	peer_expects(&p, ". 1:1(0) ack 1025 win 1024");
	ck_assert(in_urgent_mode(&p));
	peer_sends(&p, ". 1025:1125(100) ack 1");
	peer_expects(&p, ". 1:1(0) ack 1125");
	reads_bytes(&p, 50);
	ck_assert(!in_urgent_mode(&p));
	user_reads(&p, 50);
}
END_TEST

/* RFC 9293 3.8.5: a pointer with nothing behind it: urgent mode lasts, and harms nothing. */
START_TEST(a_pointer_to_text_that_never_comes_harms_nothing)
{
	struct peer p = established(_i);

	peer_sends(&p, "U. 1:1(0) ack 1 urg 65535");
	ck_assert(in_urgent_mode(&p));
	ck_assert_error(user_recv_result(&p), TAPIR_EAGAIN);
	peer_sends(&p, "FU. 1:1(0) ack 1 urg 65535");
	peer_expects(&p, ". 1:1(0) ack 2");
	user_reads_end(&p);
	user_closes(&p);
	peer_expects(&p, "F. 1:1(0) ack 2");
	peer_sends(&p, ". 2:2(0) ack 2");
	ck_assert_state(&p, TAPIR_TCP_CLOSED);
}
END_TEST

Suite *suite(void)
{
	return peer_suite("RFC 9293 3.8.5 urgent", (const TTest *[]){
		urgent_mode_lasts_until_the_last_urgent_octet_is_read,
		urgent_text_is_delivered_in_line,
		a_sequence_of_urgent_text_may_have_any_length,
		the_program_is_told_when_the_urgent_pointer_comes_and_when_it_advances,
		the_urgent_pointer_never_recedes,
		a_pointer_into_text_that_is_received_but_not_read_is_urgent,
		the_pointer_of_a_segment_that_is_partly_old_stays_where_it_was,
		the_pointer_of_a_syn_ack_counts_from_its_syn,
		the_urgent_field_without_the_urg_bit_is_ignored,
		urg_is_processed_although_the_window_is_zero,
		a_pointer_to_text_that_never_comes_harms_nothing,
		NULL
	});
}
