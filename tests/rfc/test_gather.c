/* test_gather.c: segments of one batch that continue each other are taken as one (stack/gather.c), and what is not joined. What
 * the stack says and what the user reads must be what it would be one by one; only the events tell. */
#include "tests/support/peer_batch.h"

#define MSS 1460u
#define AT(i) (1 + (i) * MSS)

/* count full segments from number `first` on. */
static void add_segments(struct peer_batch *b, const struct peer *p, uint32_t first, uint32_t count)
{
	for (uint32_t i = first; i < first + count; i++)
		peer_batch_add(b, p, ". %u:%u(1460) ack 1", AT(i), AT(i + 1));
}

static void ck_verdicts(const struct peer_batch *b, uint32_t n, enum tapir_verdict v)
{
	for (uint32_t i = 0; i < n; i++)
		ck_assert_str_eq(tapir_verdict_name(b->verdicts[i]), tapir_verdict_name(v));
}

/* Segments that reached the connection since the last call. */
static uint32_t seen;
static void look(const struct peer *p) { seen = peer_events(p, TAPIR_EV_SEGMENT_IN); }
static uint32_t arrivals(const struct peer *p) { return peer_events(p, TAPIR_EV_SEGMENT_IN) - seen; }

START_TEST(segments_that_continue_each_other_arrive_as_one)
{
	struct peer p = established(_i);
	struct peer_batch b = {.n = 0};
	struct tapir_stats before, after;
	uint32_t in = peer_info(&p).segs_in;

	tapir_stats(p.t, &before);
	look(&p);
	add_segments(&b, &p, 0, 5);
	peer_batch_arrives(&b, &p);
	ck_assert_uint_eq(arrivals(&p), 1);
	ck_verdicts(&b, 5, ACCEPT);
	peer_expects(&p, ". 1:1(0) ack %u", AT(5));
	peer_expects_nothing(&p);
	user_reads(&p, 5 * MSS);
	tapir_stats(p.t, &after);
	ck_assert_uint_eq(after.frames_in - before.frames_in, 5);
	ck_assert_uint_eq(after.bytes_in - before.bytes_in, 5 * (40 + MSS));
	ck_assert_uint_eq(after.tcp_segs_in - before.tcp_segs_in, 5);
	ck_assert_uint_eq(peer_info(&p).segs_in - in, 5);
	ck_assert_uint_eq(peer_info(&p).rcv_mss, MSS);
}
END_TEST

START_TEST(a_short_segment_is_the_last_of_its_run)
{
	struct peer p = established(_i);
	struct peer_batch b = {.n = 0};

	look(&p);
	add_segments(&b, &p, 0, 2);
	peer_batch_add(&b, &p, ". %u:%u(7) ack 1", AT(2), AT(2) + 7);
	peer_batch_add(&b, &p, ". %u:%u(7) ack 1", AT(2) + 7, AT(2) + 14);
	peer_batch_add(&b, &p, ". %u:%u(7) ack 1", AT(2) + 14, AT(2) + 21);
	peer_batch_arrives(&b, &p);
	ck_assert_uint_eq(arrivals(&p), 2);
	user_reads(&p, 2 * MSS + 21);
	peer_ignores_all(&p);
}
END_TEST

START_TEST(a_pushed_segment_is_the_last_of_its_run)
{
	struct peer p = established(_i);
	struct peer_batch b = {.n = 0};

	look(&p);
	peer_batch_add(&b, &p, ". %u:%u(1460) ack 1", AT(0), AT(1));
	peer_batch_add(&b, &p, "P. %u:%u(1460) ack 1", AT(1), AT(2));
	add_segments(&b, &p, 2, 2);
	peer_batch_add(&b, &p, "P. %u:%u(1460) ack 1", AT(4), AT(5));
	peer_batch_arrives(&b, &p);
	ck_assert_uint_eq(arrivals(&p), 2);
	user_reads(&p, 5 * MSS);
	peer_ignores_all(&p);
}
END_TEST

START_TEST(what_came_one_after_the_other_is_not_joined_when_config_says_no)
{
	struct peer p;
	struct peer_batch b = {.n = 0};

	peer_config()->gro = false;
	p = established(_i);
	look(&p);
	add_segments(&b, &p, 0, 3);
	peer_batch_arrives(&b, &p);
	ck_assert_uint_eq(arrivals(&p), 3);
	user_reads(&p, 3 * MSS);
	peer_ignores_all(&p);
}
END_TEST

START_TEST(a_run_ends_where_an_ip_datagram_does)
{
	struct peer p;
	struct peer_batch b = {.n = 0};

	peer_config()->window_scale = true;
	peer_config()->rcvbuf = 200000;
	p = established(_i);
	look(&p);
	add_segments(&b, &p, 0, 45);		/* 65700 bytes */
	peer_batch_arrives(&b, &p);
	ck_assert_uint_eq(arrivals(&p), 2);
	peer_ignores_all(&p);
	ck_assert_uint_le(peer_info(&p).unread, 45 * MSS);
}
END_TEST

/* Segments of another connection may lie between; each gets its own, in order. */
START_TEST(two_connections_may_be_mixed)
{
	struct peer p = established(_i), q = another_peer(&p, PEER_PORT + 1);
	struct peer_batch b = {.n = 0};

	peer_opens(&q);
	user_accepts(&q);
	look(&p);
	for (uint32_t i = 0; i < 4; i++) {
		add_segments(&b, &p, i, 1);
		add_segments(&b, &q, i, 1);
	}
	peer_batch_arrives(&b, &p);
	ck_assert_uint_eq(arrivals(&p), 2);
	ck_verdicts(&b, 8, ACCEPT);
	user_reads(&p, 4 * MSS);
	user_reads(&q, 4 * MSS);
	peer_expects(&p, ". 1:1(0) ack %u", AT(4));
	peer_expects(&q, ". 1:1(0) ack %u", AT(4));
}
END_TEST

/* ---- what is not joined ---------------------------------------------------------------------------------------- */

/* The middle one of three segments is changed: how many arrive, and what becomes of it. */
struct change {
	const char *what, *line;	/* NULL: as the others */
	void (*change)(struct tapir_frame *f);
	uint32_t arrivals;
	enum tapir_verdict verdict;
};

static void fix(struct tapir_frame *f) { frame_fix_checksums(f->data, f->len); }
static void ttl(struct tapir_frame *f) { f->data[8]--; fix(f); }
static void tos(struct tapir_frame *f) { f->data[1] = 0x10; fix(f); }
static void ce(struct tapir_frame *f) { f->data[1] = 3; fix(f); }
static void dont_fragment(struct tapir_frame *f) { f->data[6] ^= 0x40; fix(f); }
static void fragment(struct tapir_frame *f) { f->data[6] = 0x20; fix(f); }
static void tcp_checksum(struct tapir_frame *f) { f->data[36] ^= 1; }
static void text(struct tapir_frame *f) { f->data[40 + 700] ^= 0x10; }
static void last_byte(struct tapir_frame *f) { f->data[f->len - 1] ^= 0x80; }
static void ip_checksum(struct tapir_frame *f) { f->data[10] ^= 1; }
static void other_port(struct tapir_frame *f) { f->data[21]++; fix(f); }
static void cut_short(struct tapir_frame *f) { f->len -= 10; }
static void reserved(struct tapir_frame *f) { f->data[32] |= 1; fix(f); }
static void partial(struct tapir_frame *f)
{
	f->offload = (struct tapir_offload){.csum = TAPIR_CSUM_PARTIAL, .csum_start = 20, .csum_offset = 16};
}

static const struct change changes[] = {
	{"a hole", ". 1462:2922(1460) ack 1", NULL, 3, ACCEPT},
	{"the same again", ". 1:1461(1460) ack 1", NULL, 3, DROP_TCP_OUT_OF_WINDOW},
	{"a larger one", ". 1461:2922(1461) ack 1", NULL, 3, ACCEPT},
	{"another acknowledgment", ". 1461:2921(1460) ack 51", NULL, 3, ACCEPT},
	{"another window", ". 1461:2921(1460) ack 1 win 1000", NULL, 3, ACCEPT},
	{"an option", ". 1461:2921(1460) ack 1 <nop,nop,nop,nop>", NULL, 3, ACCEPT},
	{"urgent text", "U. 1461:2921(1460) ack 1 urg 10", NULL, 3, ACCEPT},
	{"ECE", ".E 1461:2921(1460) ack 1", NULL, 3, ACCEPT},
	{"CWR", ".W 1461:2921(1460) ack 1", NULL, 3, ACCEPT},
	{"no ACK", "- 1461:2921(1460)", NULL, 3, DROP_TCP_NO_ACK},
	{"no text", ". 1461:1461(0) ack 1", NULL, 3, ACCEPT},
	{"another TTL", NULL, ttl, 3, ACCEPT},
	{"another TOS", NULL, tos, 3, ACCEPT},
	{"congestion experienced", NULL, ce, 3, ACCEPT},
	{"another DF", NULL, dont_fragment, 3, ACCEPT},
	{"a reserved bit", NULL, reserved, 3, ACCEPT},
	{"a fragment", NULL, fragment, 2, HELD_FRAGMENT},
	{"a wrong TCP checksum", NULL, tcp_checksum, 2, DROP_TCP_CHECKSUM},
	{"wrong text", NULL, text, 2, DROP_TCP_CHECKSUM},
	{"a wrong last byte", NULL, last_byte, 2, DROP_TCP_CHECKSUM},
	{"a wrong IP checksum", NULL, ip_checksum, 2, DROP_IP_CHECKSUM},
	{"a cut frame", NULL, cut_short, 2, DROP_IP_LENGTH},
	{"a checksum that the driver did not look at", NULL, partial, 3, ACCEPT},
	{"another port", NULL, other_port, 1, DROP_TCP_LISTEN_ACK},	/* of another connection: passed over; nobody's */
};
#define CHANGES (int)(sizeof changes / sizeof changes[0])

static struct tapir_frame *add_changed(struct peer_batch *b, const struct peer *p, const struct change *c)
{
	struct tapir_frame *f = c->line ? peer_batch_add(b, p, "%s", c->line)
					: peer_batch_add(b, p, ". %u:%u(1460) ack 1", AT(1), AT(2));

	if (c->change)
		c->change(f);
	return f;
}

static void changes_in_the_middle(const struct change *c, int run)
{
	struct peer p = established(run);
	struct peer_batch b = {.n = 0};

	user_sends(&p, 50);
	peer_ignores_all(&p);
	look(&p);
	add_segments(&b, &p, 0, 1);
	add_changed(&b, &p, c);
	if (c->change == other_port)
		add_segments(&b, &p, 1, 1);
	else
		add_segments(&b, &p, 2, 1);
	peer_batch_arrives(&b, &p);
	ck_assert_msg(arrivals(&p) == c->arrivals, "%s: %u arrive", c->what, arrivals(&p));
	ck_assert_msg(b.verdicts[1] == c->verdict, "%s: %s", c->what, tapir_verdict_name(b.verdicts[1]));
	ck_assert_msg(b.verdicts[0] == ACCEPT && b.verdicts[2] == ACCEPT, "%s: %s, %s", c->what,
		      tapir_verdict_name(b.verdicts[0]), tapir_verdict_name(b.verdicts[2]));
	peer_ignores_all(&p);
	user_reads(&p, peer_info(&p).unread);
}

START_TEST(nothing_is_joined_over_a_difference)
{
	for (int i = 0; i < CHANGES; i++)
		changes_in_the_middle(&changes[i], _i);
}
END_TEST

START_TEST(a_wrong_first_one_is_refused_alone)
{
	static void (*const wrong[])(struct tapir_frame *) = {tcp_checksum, text, ip_checksum};

	for (int i = 0; i < 3; i++) {
		struct peer p = established(_i);
		struct peer_batch b = {.n = 0};

		look(&p);
		wrong[i](peer_batch_add(&b, &p, ". %u:%u(1460) ack 1", AT(0), AT(1)));
		add_segments(&b, &p, 1, 3);
		peer_batch_arrives(&b, &p);
		ck_assert_uint_eq(arrivals(&p), 1);
		ck_assert_str_eq(tapir_verdict_name(b.verdicts[0]), i < 2 ? "DROP_TCP_CHECKSUM" : "DROP_IP_CHECKSUM");
		ck_assert_str_eq(tapir_verdict_name(b.verdicts[3]), tapir_verdict_name(ACCEPT));
		peer_ignores_all(&p);
		peer_sends(&p, ". %u:%u(1460) ack 1", AT(0), AT(1));
		user_reads(&p, 4 * MSS);
		peer_ignores_all(&p);
	}
}
END_TEST

/* Each in its place: FIN, RST and SYN end a run and come after it. */
START_TEST(a_fin_comes_after_the_run_before_it)
{
	struct peer p = established(_i);
	struct peer_batch b = {.n = 0};

	add_segments(&b, &p, 0, 3);
	peer_batch_add(&b, &p, "F. %u:%u(1460) ack 1", AT(3), AT(4));
	peer_batch_arrives(&b, &p);
	ck_verdicts(&b, 4, ACCEPT);
	ck_assert_state(&p, TAPIR_TCP_CLOSE_WAIT);
	user_reads(&p, 4 * MSS);
	user_reads_end(&p);
	peer_ignores_all(&p);
}
END_TEST

START_TEST(a_rst_comes_after_the_run_before_it)
{
	struct peer p = established(_i);
	struct peer_batch b = {.n = 0};

	add_segments(&b, &p, 0, 3);
	peer_batch_add(&b, &p, "R %u:%u(0)", AT(3), AT(3));
	add_segments(&b, &p, 3, 2);
	peer_batch_arrives(&b, &p);
	ck_verdicts(&b, 4, ACCEPT);
	ck_assert_str_eq(tapir_verdict_name(b.verdicts[4]), tapir_verdict_name(DROP_TCP_LISTEN_ACK));
	ck_assert_str_eq(tapir_verdict_name(b.verdicts[5]), tapir_verdict_name(DROP_TCP_LISTEN_ACK));
	peer_ignores_all(&p);
}
END_TEST

/* RFC 5681 4.2: one duplicate ACK for each: the sender counts them. */
START_TEST(a_run_may_be_out_of_order)
{
	struct peer p = established(_i);
	struct peer_batch b = {.n = 0};

	look(&p);
	add_segments(&b, &p, 1, 3);
	add_segments(&b, &p, 0, 1);
	peer_batch_arrives(&b, &p);
	ck_assert_uint_eq(arrivals(&p), 2);
	ck_verdicts(&b, 4, ACCEPT);
	user_reads(&p, 4 * MSS);
	peer_ignores_all(&p);
	add_segments(&b, &p, 5, 5);
	peer_batch_arrives(&b, &p);
	for (int i = 0; i < 5; i++)
		peer_expects(&p, ". 1:1(0) ack %u", AT(4));
	peer_expects_nothing(&p);
}
END_TEST

/* With SACK the blocks say what has come: one ACK is enough (RFC 6675 4 counts bytes). */
START_TEST(a_run_out_of_order_is_sacked_once)
{
	struct peer p;
	struct peer_batch b = {.n = 0};

	peer_config()->sack = true;
	p = syn_sent(_i);
	peer_sends(&p, "S. 0:0(0) ack 1 <mss 1460,sackOK>");
	peer_expects(&p, ". 1:1(0) ack 1");
	add_segments(&b, &p, 1, 5);
	peer_batch_arrives(&b, &p);
	peer_expects(&p, ". 1:1(0) ack 1 <sack %u:%u>", AT(1), AT(6));
	peer_expects_nothing(&p);
}
END_TEST

START_TEST(without_large_frames_nothing_is_joined_and_nothing_is_lost)
{
	struct tapir_frame *taken[64];
	struct peer p;
	struct peer_batch b = {.n = 0};
	uint32_t n = 0;

	peer_config()->large_frames = 2;
	p = established(_i);
	add_segments(&b, &p, 0, 3);
	for (struct tapir_usage u = peer_usage(&p); u.small_frames < u.small_frames_max; u = peer_usage(&p)) {
		struct tapir_frame *f = tapir_frame_get(p.t);

		f->next = n ? taken[0] : NULL;
		taken[0] = f;
		n++;
	}
	for (int i = 0; i < 2; i++)
		taken[1 + i] = tapir_frame_get(p.t);	/* large ones */
	ck_assert_ptr_nonnull(taken[2]);
	look(&p);
	peer_batch_arrives(&b, &p);
	ck_assert_uint_eq(arrivals(&p), 3);
	for (int i = 0; i < 2; i++)
		tapir_frame_put(p.t, taken[1 + i]);
	while (n-- > 0) {
		struct tapir_frame *next = taken[0]->next;

		tapir_frame_put(p.t, taken[0]);
		taken[0] = next;
	}
	peer_ignores_all(&p);
}
END_TEST

/* RFC 9293 3.8.6.3 (SHLD-19): two full segments are acknowledged at once, though they came as one. */
START_TEST(two_full_segments_are_acknowledged_at_once)
{
	struct peer p;
	struct peer_batch b = {.n = 0};

	peer_config()->delack_us = 40 * TAPIR_MS;
	peer_config()->quickacks = 0;
	peer_config()->timestamps = true;
	p = closed(_i);
	p = established(_i);
	add_segments(&b, &p, 0, 2);
	peer_batch_arrives(&b, &p);
	peer_expects(&p, ". 1:1(0) ack %u", AT(2));
	peer_expects_nothing(&p);
}
END_TEST

Suite *suite(void)
{
	return peer_suite("segments joined", (const TTest *[]){
		segments_that_continue_each_other_arrive_as_one, a_short_segment_is_the_last_of_its_run,
		a_pushed_segment_is_the_last_of_its_run, what_came_one_after_the_other_is_not_joined_when_config_says_no,
		a_run_ends_where_an_ip_datagram_does, nothing_is_joined_over_a_difference, two_connections_may_be_mixed,
		a_wrong_first_one_is_refused_alone, a_fin_comes_after_the_run_before_it,
		a_rst_comes_after_the_run_before_it, a_run_may_be_out_of_order, a_run_out_of_order_is_sacked_once,
		without_large_frames_nothing_is_joined_and_nothing_is_lost, two_full_segments_are_acknowledged_at_once, NULL});
}
