/* test_apps_ladder.c: `tapir ladder` from segments to what is drawn: states and losses, and the same small connection as text, as
 * Mermaid and as SVG. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "apps/ladder.h"
#include "apps/ladder_plan.h"
#include "apps/utf8.h"
#include "tests/support/segment.h"

static const uint32_t iss[2] = {0xffffff00u, 5000};	/* the first side's numbers wrap */
static struct ladder *ladder;
static uint16_t client = 40000;
static char *drawn;

static void setup(void)
{
	ladder = ladder_new(&(struct ladder_options){.port = 0});
	ck_assert(ladder != NULL && lang_choose("en"));
	client = 40000;
}

static void setup_all(void)
{
	setup();
	ladder_free(ladder);
	ladder = ladder_new(&(struct ladder_options){.all = true});
}

static void teardown(void)
{
	ladder_free(ladder);
	free(drawn);
	drawn = NULL;
}

/* One segment from 10.0.0.1 (side 0) or 10.0.0.2 (side 1), as it was seen at that time. */
static void take(usec_t at_us, int from, const char *line, bool lost)
{
	const struct segment_base base = {.seq = iss[from], .ack = iss[!from]};
	struct segment_path path = {.src = 0x0a000001, .dst = 0x0a000002, .src_port = client, .dst_port = 7};
	static uint8_t frame[70000];
	struct segment s;
	const char *wrong = segment_parse(line, &base, &s);

	ck_assert_msg(wrong == NULL, "%s: %s", line, wrong);
	if (from)
		path = (struct segment_path){.src = 0x0a000002, .dst = 0x0a000001, .src_port = 7, .dst_port = client};
	ladder_take(ladder, &(struct ladder_frame){at_us, {frame, segment_emit(&s, &path, base.seq, frame)}, true, lost});
}
static void sends(usec_t at_us, int from, const char *line) { take(at_us, from, line, false); }

static void handshake(void)
{
	sends(1000000, 0, "S 0:0(0) win 1000 <mss 1460>");
	sends(1020000, 1, "S. 0:0(0) ack 1 win 2000 <mss 1000>");
	sends(1020050, 0, ". 1:1(0) ack 1 win 1000");
}

static const struct ladder_conn *finished(void)
{
	ladder_finish(ladder);
	ck_assert(!ladder_failed(ladder));
	ck_assert_uint_ge(ladder_count(ladder), 1);
	return ladder_conn(ladder, 0);
}

static const char *draw(void (*form)(const struct ladder *, FILE *))
{
	size_t n;
	FILE *out = open_memstream(&drawn, &n);

	form(ladder, out);
	fclose(out);
	return drawn;
}

static void svg(const struct ladder *l, FILE *out) { ck_assert(l == ladder && ladder_svg(ladder, out)); }
static void mermaid(const struct ladder *l, FILE *out) { (void)l, ladder_mermaid(ladder, out); }

static unsigned int occurrences(const char *text, const char *what)
{
	unsigned int n = 0;

	for (; (text = strstr(text, what)); text += strlen(what))
		n++;
	return n;
}

/* ---- what became of each segment ---- */

static void assert_fate(const struct ladder_rung *r, enum ladder_order order, enum ladder_fate fate)
{
	ck_assert_msg(r->order == order && r->fate == fate, "%s: order %d fate %d", r->text, (int)r->order, (int)r->fate);
}

START_TEST(a_syn_that_is_sent_again_was_lost_and_its_listener_still_listens)
{
	sends(0, 0, "S 0:0(0) win 1000");
	sends(1000000, 0, "S 0:0(0) win 1000");
	const struct ladder_conn *c = finished();
	ck_assert_uint_eq(c->count, 2);
	assert_fate(&c->rungs[0], LADDER_NEW, LADDER_SEEMS_LOST);
	ck_assert_int_eq(c->rungs[0].state[0], TAPIR_TCP_SYN_SENT);
	ck_assert_int_eq(c->rungs[0].state[1], TAPIR_TCP_LISTEN);
	assert_fate(&c->rungs[1], LADDER_AGAIN, LADDER_ARRIVED);
	ck_assert_int_eq(c->rungs[1].state[1], TAPIR_TCP_SYN_RCVD);
}
END_TEST

START_TEST(a_segment_that_was_acknowledged_before_it_came_again_was_not_lost)
{
	handshake();
	sends(1030000, 0, "P. 1:101(100) ack 1 win 1000");
	sends(1040000, 1, ". 1:1(0) ack 101 win 2000");
	sends(1050000, 0, "P. 1:101(100) ack 1 win 1000");
	const struct ladder_conn *c = finished();
	assert_fate(&c->rungs[3], LADDER_NEW, LADDER_ARRIVED);
	assert_fate(&c->rungs[5], LADDER_AGAIN, LADDER_ARRIVED);
}
END_TEST

START_TEST(of_three_copies_the_first_two_were_lost)
{
	handshake();
	for (usec_t i = 0; i < 3; i++)
		sends(1030000 + i * 300000, 0, "P. 1:101(100) ack 1 win 1000");
	const struct ladder_conn *c = finished();
	assert_fate(&c->rungs[3], LADDER_NEW, LADDER_SEEMS_LOST);
	assert_fate(&c->rungs[4], LADDER_AGAIN, LADDER_SEEMS_LOST);
	assert_fate(&c->rungs[5], LADDER_AGAIN, LADDER_ARRIVED);
}
END_TEST

/* RFC 2018 3: what a SACK block covers has arrived. */
START_TEST(a_segment_that_was_sacked_was_not_lost)
{
	handshake();
	sends(1030000, 0, ". 1:101(100) ack 1 win 1000");
	sends(1030010, 0, ". 101:201(100) ack 1 win 1000");
	sends(1040000, 1, ". 1:1(0) ack 1 win 2000 <nop,nop,sack 101:201>");
	sends(1050000, 0, ". 1:101(100) ack 1 win 1000");
	sends(1050010, 0, ". 101:201(100) ack 1 win 1000");
	const struct ladder_conn *c = finished();
	assert_fate(&c->rungs[3], LADDER_NEW, LADDER_SEEMS_LOST);
	assert_fate(&c->rungs[4], LADDER_NEW, LADDER_ARRIVED);
	assert_fate(&c->rungs[7], LADDER_AGAIN, LADDER_ARRIVED);
}
END_TEST

/* RFC 2883 4 */
START_TEST(a_d_sack_shows_that_nothing_was_lost)
{
	handshake();
	sends(1030000, 0, ". 1:101(100) ack 1 win 1000");
	sends(1050000, 0, ". 1:101(100) ack 1 win 1000");
	sends(1060000, 1, ". 1:1(0) ack 101 win 2000");
	sends(1070000, 1, ". 1:1(0) ack 101 win 2000 <nop,nop,sack 1:101>");
	const struct ladder_conn *c = finished();
	assert_fate(&c->rungs[3], LADDER_NEW, LADDER_ARRIVED);
	assert_fate(&c->rungs[4], LADDER_AGAIN, LADDER_ARRIVED);
}
END_TEST

/* As RFC 3522 3.2 has it, but by the time: 20 ms is the way there and back. */
START_TEST(an_answer_that_comes_too_soon_is_for_the_first_copy)
{
	handshake();
	sends(1030000, 0, ". 1:101(100) ack 1 win 1000");
	sends(1045000, 0, ". 1:101(100) ack 1 win 1000");
	sends(1050000, 1, ". 1:1(0) ack 101 win 2000");
	sends(1060000, 0, ". 101:201(100) ack 1 win 1000");
	sends(1075000, 0, ". 101:201(100) ack 1 win 1000");
	sends(1095000, 1, ". 1:1(0) ack 201 win 2000");
	const struct ladder_conn *c = finished();
	assert_fate(&c->rungs[3], LADDER_NEW, LADDER_ARRIVED);
	assert_fate(&c->rungs[4], LADDER_AGAIN, LADDER_ARRIVED);
	assert_fate(&c->rungs[6], LADDER_NEW, LADDER_SEEMS_LOST);
}
END_TEST

START_TEST(octets_that_fill_a_gap_come_out_of_order)
{
	handshake();
	sends(1030000, 0, ". 101:201(100) ack 1 win 1000");
	sends(1030010, 0, ". 1:101(100) ack 1 win 1000");
	const struct ladder_conn *c = finished();
	assert_fate(&c->rungs[3], LADDER_NEW, LADDER_ARRIVED);
	assert_fate(&c->rungs[4], LADDER_LATE, LADDER_ARRIVED);
}
END_TEST

START_TEST(who_captured_it_may_know_that_it_was_lost)
{
	handshake();
	take(1030000, 0, "F. 1:1(0) ack 1 win 1000", true);
	sends(1040000, 1, "F. 1:1(0) ack 1 win 2000");
	const struct ladder_conn *c = finished();
	assert_fate(&c->rungs[3], LADDER_NEW, LADDER_LOST);
	ck_assert_int_eq(c->rungs[3].state[0], TAPIR_TCP_FIN_WAIT_1);
	ck_assert_int_eq(c->rungs[3].state[1], TAPIR_TCP_ESTABLISHED);
	ck_assert_int_eq(c->rungs[4].state[0], TAPIR_TCP_CLOSING);
	ck_assert_int_eq(c->rungs[4].state[1], TAPIR_TCP_FIN_WAIT_1);
}
END_TEST

START_TEST(more_than_can_be_remembered_in_flight_is_not_told_lost)
{
	char line[80];

	handshake();
	for (unsigned int i = 0; i < 3000; i++) {
		snprintf(line, sizeof line, ". %u:%u(1) ack 1 win 1000", 1 + i, 2 + i);
		sends(1030000, 0, line);
	}
	sends(1040000, 0, ". 1:2(1) ack 1 win 1000");
	sends(1040000, 0, ". 2990:2991(1) ack 1 win 1000");
	const struct ladder_conn *c = finished();
	assert_fate(&c->rungs[3], LADDER_NEW, LADDER_ARRIVED);
	assert_fate(&c->rungs[3 + 2989], LADDER_NEW, LADDER_SEEMS_LOST);
}
END_TEST

START_TEST(what_changes_no_state_is_counted)
{
	handshake();
	sends(1030000, 0, ". 1:101(100) ack 1 win 1000");
	sends(1050000, 0, ". 1:101(100) ack 1 win 1000");
	sends(1070000, 1, ". 1:8(7) ack 101 win 2000");
	sends(1080000, 1, "F. 8:8(0) ack 101 win 2000");
	const struct ladder_conn *c = finished();
	ck_assert_uint_eq(c->count, 5);
	const struct ladder_rung *r = &c->rungs[3];
	ck_assert_int_eq(r->from, -1);
	ck_assert_uint_eq(r->count, 3);
	ck_assert_uint_eq(r->again, 1);
	ck_assert_uint_eq(r->lost, 1);
	ck_assert_uint_eq(r->bytes[0], 200);
	ck_assert_uint_eq(r->bytes[1], 7);
	ck_assert_uint_eq(r->at_us, 30000);
	ck_assert_uint_eq(r->end_us, 70000);
}
END_TEST

START_TEST(of_a_long_connection_the_middle_is_left_out)
{
	handshake();
	for (usec_t i = 0; i < 10; i++)
		sends(1030000 + i, 0, ". 1:101(100) ack 1 win 1000");
	const struct ladder_conn *c = finished();
	ladder_shorten(ladder, 0, 5);
	ck_assert_uint_eq(c->count, 5);
	ck_assert_int_eq(c->rungs[2].from, -1);
	ck_assert(c->rungs[2].left_out);
	ck_assert_uint_eq(c->rungs[2].count, 9);
	ck_assert_uint_eq(c->rungs[2].bytes[0], 800);
	ck_assert_uint_eq(c->rungs[1].at_us, 20000);
	ck_assert_uint_eq(c->rungs[4].at_us, 30009);
	ladder_shorten(ladder, 0, 5);
	ck_assert_uint_eq(c->count, 5);
}
END_TEST

/* ---- text ---- */

static void refused_after_a_loss(void)
{
	sends(1000000, 0, "S 0:0(0) win 1000 <mss 1460>");
	sends(2000000, 0, "S 0:0(0) win 1000 <mss 1460>");
	sends(2000400, 1, "R. 0:0(0) ack 1 win 0");
	ladder_finish(ladder);
}

START_TEST(as_text_it_is_a_line_a_rung)
{
	refused_after_a_loss();
	ck_assert_str_eq(draw(ladder_text),
		"             10.0.0.1:40000                                                     10.0.0.2:7\n"
		"             CLOSED                                                             LISTEN\n"
		"   0.000000  SYN-SENT      -- S 0:0(0) win 1000 <mss 1460> (lost, it seems) -x  LISTEN\n"
		"   1.000000  SYN-SENT      -- S 0:0(0) win 1000 <mss 1460> (sent again) ----->  SYN-RECEIVED\n"
		"   1.000400  CLOSED        <- R. 1:1(0) ack 1 --------------------------------  CLOSED\n");
}
END_TEST

START_TEST(as_text_in_chinese_the_columns_stay_where_they_are)
{
	ck_assert(lang_choose("zh"));
	refused_after_a_loss();
	const char *last = strstr(draw(ladder_text), "LISTEN");
	size_t column = 0;

	ck_assert_ptr_nonnull(strstr(drawn, "（疑似丢失） -x  "));
	ck_assert_ptr_nonnull(strstr(drawn, "（重传） ----->  "));
	ck_assert_ptr_nonnull(last);
	/* The last column of every line begins at the same place. */
	for (char *line = strtok(drawn, "\n"), *word; line; line = strtok(NULL, "\n")) {
		word = strrchr(line, ' ');
		ck_assert_ptr_nonnull(word);
		*word = '\0';
		column = column ? column : utf8_columns(line);
		ck_assert_uint_eq(utf8_columns(line), column);
	}
}
END_TEST

/* ---- Mermaid ---- */

START_TEST(as_mermaid_it_is_a_sequence_diagram_in_markdown)
{
	refused_after_a_loss();
	ck_assert_str_eq(draw(mermaid),
		"```mermaid\n"
		"sequenceDiagram\n"
		"    participant A as 10.0.0.1:40000\n"
		"    participant B as 10.0.0.2:7\n"
		"    Note left of A: CLOSED\n"
		"    Note right of B: LISTEN\n"
		"    A-xB: 0.000000 S 0:0(0) win 1000 #60;mss 1460#62;<br/>lost, it seems\n"
		"    Note left of A: SYN-SENT\n"
		"    Note over A,B: 1.000 s later\n"
		"    A->>B: 1.000000 S 0:0(0) win 1000 #60;mss 1460#62;<br/>sent again\n"
		"    Note right of B: SYN-RECEIVED\n"
		"    B->>A: 1.000400 R. 1:1(0) ack 1\n"
		"    Note left of A: CLOSED\n"
		"    Note right of B: CLOSED\n"
		"```\n");
}
END_TEST

START_TEST(as_mermaid_each_connection_is_a_diagram_of_its_own)
{
	sends(0, 0, "S 0:0(0) win 1000");
	client++;
	sends(10, 0, "S 0:0(0) win 1000");
	ladder_finish(ladder);
	draw(mermaid);
	ck_assert_uint_eq(occurrences(drawn, "```mermaid\nsequenceDiagram\n"), 2);
	ck_assert_uint_eq(occurrences(drawn, "```\n\n```mermaid\n"), 1);
	ck_assert_ptr_nonnull(strstr(drawn, "participant A as 10.0.0.1:40001\n"));
}
END_TEST

START_TEST(as_mermaid_a_long_connection_stays_below_what_hosts_draw)
{
	handshake();
	for (usec_t i = 0; i < 5000; i++)
		sends(1030000 + i, 0, ". 1:101(100) ack 1 win 1000");
	ladder_finish(ladder);
	ck_assert_uint_lt(strlen(draw(mermaid)), 50000);
	ck_assert_uint_eq(occurrences(drawn, "segments are left out here"), 1);
}
END_TEST

/* ---- SVG ---- */

START_TEST(as_svg_it_is_arrows_between_bars)
{
	refused_after_a_loss();
	draw(svg);
	const char *body = strstr(drawn, "</style>\n");
	ck_assert_ptr_nonnull(body);
	static const char wanted[] =
		"</style>\n"
		"<rect class=\"page\" width=\"890\" height=\"258\"/>\n"
		"<g><title>TCP connection 10.0.0.1:40000 - 10.0.0.2:7</title>\n"
		"<rect class=\"s0\" x=\"188\" y=\"56\" width=\"8\" height=\"20\"/>\n"
		"<text class=\"state\" x=\"180\" y=\"60\" text-anchor=\"end\">CLOSED</text>\n"
		"<rect class=\"s2\" x=\"188\" y=\"76\" width=\"8\" height=\"126\"/>\n"
		"<text class=\"state\" x=\"180\" y=\"80\" text-anchor=\"end\">SYN-SENT</text>\n"
		"<rect class=\"s0\" x=\"188\" y=\"202\" width=\"8\" height=\"18\"/>\n"
		"<text class=\"state\" x=\"180\" y=\"206\" text-anchor=\"end\">CLOSED</text>\n"
		"<rect class=\"head\" x=\"92\" y=\"16\" width=\"200\" height=\"26\" rx=\"6\"/>\n"
		"<text class=\"who\" x=\"192\" y=\"33\" text-anchor=\"middle\">10.0.0.1:40000</text>\n"
		"<rect class=\"s1\" x=\"748\" y=\"56\" width=\"8\" height=\"104\"/>\n"
		"<text class=\"state\" x=\"764\" y=\"60\" text-anchor=\"start\">LISTEN</text>\n"
		"<rect class=\"s3\" x=\"748\" y=\"160\" width=\"8\" height=\"26\"/>\n"
		"<text class=\"state\" x=\"764\" y=\"164\" text-anchor=\"start\">SYN-RECEIVED</text>\n"
		"<rect class=\"s0\" x=\"748\" y=\"186\" width=\"8\" height=\"34\"/>\n"
		"<text class=\"state\" x=\"764\" y=\"190\" text-anchor=\"start\">CLOSED</text>\n"
		"<rect class=\"head\" x=\"652\" y=\"16\" width=\"200\" height=\"26\" rx=\"6\"/>\n"
		"<text class=\"who\" x=\"752\" y=\"33\" text-anchor=\"middle\">10.0.0.2:7</text>\n"
		"<rect class=\"cut\" x=\"182\" y=\"115\" width=\"20\" height=\"6\" transform=\"rotate(-14 192 118)\"/>\n"
		"<rect class=\"cut\" x=\"742\" y=\"115\" width=\"20\" height=\"6\" transform=\"rotate(-14 752 118)\"/>\n"
		"<text class=\"note\" x=\"472\" y=\"122\" text-anchor=\"middle\">1.000 s later</text>\n"
		"<g class=\"seg lost\" transform=\"translate(196 76) rotate(1.66)\"><path d=\"M0.0 0H364.5\"/><path "
		"class=\"cross\" d=\"M359.5 -5l10 10m0 -10l-10 10\"/></g>\n"
		"<g class=\"seg again\" transform=\"translate(196 144) rotate(1.66)\"><path d=\"M0.0 0H546.2\"/><path "
		"class=\"tip\" d=\"M552.2 0l-9 -4v8z\"/></g>\n"
		"<g class=\"seg\" transform=\"translate(196 202) rotate(-1.66)\"><path d=\"M552.2 0H6.0\"/><path "
		"class=\"tip\" d=\"M0.0 0l9 -4v8z\"/></g>\n"
		"<text class=\"time\" x=\"80\" y=\"80\" text-anchor=\"end\">0.000000</text>\n"
		"<g class=\"seg lost\" transform=\"translate(196 76) rotate(1.66)\"><text x=\"14\" y=\"-4\">S 0:0(0) win "
		"1000 &lt;mss 1460&gt;<tspan class=\"mark\">  lost, it seems</tspan></text></g>\n"
		"<text class=\"time\" x=\"80\" y=\"148\" text-anchor=\"end\">1.000000</text>\n"
		"<g class=\"seg again\" transform=\"translate(196 144) rotate(1.66)\"><text x=\"14\" y=\"-4\">S 0:0(0) "
		"win 1000 &lt;mss 1460&gt;<tspan class=\"mark\">  sent again</tspan></text></g>\n"
		"<text class=\"time\" x=\"80\" y=\"206\" text-anchor=\"end\">1.000400</text>\n"
		"<g class=\"seg\" transform=\"translate(196 202) rotate(-1.66)\"><text x=\"538.2\" y=\"-4\" "
		"text-anchor=\"end\">R. 1:1(0) ack 1</text></g>\n"
		"</g>\n"
		"</svg>\n";
	ck_assert_msg(strcmp(body, wanted) == 0, "%s", body);
}
END_TEST

START_TEST(as_svg_all_text_is_escaped)
{
	handshake();
	ladder_finish(ladder);
	draw(svg);
	ck_assert_ptr_nonnull(strstr(drawn, "S 0:0(0) win 1000 &lt;mss 1460&gt;</text>"));
	ck_assert_ptr_null(strstr(drawn, "<mss"));
}
END_TEST

START_TEST(as_svg_no_capture_is_larger_than_people_can_look_at)
{
	for (usec_t n = 0; n < 100; n++, client++)
		for (usec_t i = 0; i < 300; i++)
			sends(n * 1000 + i, 0, ". 1:101(100) ack 1 win 1000");
	ladder_finish(ladder);
	draw(svg);
	ck_assert_uint_le(occurrences(drawn, "<g class=\"seg"), 2 * 240);
	ck_assert_ptr_nonnull(strstr(drawn, "98 more connections are left out; --port PORT chooses among them."));
	ck_assert_uint_eq(occurrences(drawn, "segments are left out here"), 2);
}
END_TEST

/* ---- where things stand ---- */

START_TEST(a_segment_falls_for_as_long_as_it_is_under_way)
{
	struct ladder_plan p;

	handshake();			/* seen beside the first side: 20 ms to the answer, 50 us to the ACK */
	const struct ladder_conn *c = finished();
	ck_assert_uint_eq(c->delay_us[0], 25);
	ck_assert_uint_eq(c->delay_us[1], 10000);
	ck_assert(ladder_plan(&p, c));
	int fall = p.places[0].y[1] - p.places[0].y[0];
	ck_assert_int_ge(fall, 20);
	ck_assert_int_gt(p.places[1].y[1], p.places[0].y[1]);	/* the answer leaves when the question has come */
	ck_assert_int_gt(p.places[1].y[0], p.places[1].y[1]);
	ck_assert_int_gt(p.places[2].y[0], p.places[1].y[0]);
	ck_assert_int_ge(p.height, p.places[2].y[1]);
	ladder_plan_free(&p);
}
END_TEST

START_TEST(segments_sent_in_a_row_are_under_way_together)
{
	struct ladder_plan p;

	handshake();
	sends(1020060, 0, ". 1:101(100) ack 1 win 1000");
	sends(1020070, 0, ". 101:201(100) ack 1 win 1000");
	const struct ladder_conn *c = finished();
	ck_assert(ladder_plan(&p, c));
	/* All three leave before the first one arrives. */
	ck_assert_int_lt(p.places[4].y[0], p.places[2].y[1]);
	ladder_plan_free(&p);
}
END_TEST

START_TEST(a_silence_is_told_when_nothing_is_under_way)
{
	struct ladder_plan p;

	handshake();
	sends(4000000, 0, "F. 1:1(0) ack 1 win 1000");
	const struct ladder_conn *c = finished();
	ck_assert(ladder_plan(&p, c));
	ck_assert_uint_eq(p.gap_count, 1);
	ck_assert_uint_ge(p.gaps[0].us, 2900000);
	ck_assert_int_gt(p.gaps[0].y, p.places[2].y[1]);
	ck_assert_int_lt(p.gaps[0].y, p.places[3].y[0]);
	ladder_plan_free(&p);
}
END_TEST

/* Whatever the times are, each end on a side has room for its words, and no arrow rises. */
START_TEST(words_never_lie_on_each_other)
{
	struct ladder_plan p;

	handshake();
	for (usec_t i = 0; i < 40; i++) {
		sends(1030000 + i * 900, (int)(i % 3 == 0), ". 1:101(100) ack 1 win 1000");
		sends(1030000 + i * 900, (int)(i % 5 == 0), ". 1:1(0) ack 101 win 1000");
	}
	const struct ladder_conn *c = finished();
	ck_assert(ladder_plan(&p, c));
	for (size_t i = 0; i < c->count; i++) {
		int from = c->rungs[i].from;
		ck_assert_int_gt(p.places[i].y[!from], p.places[i].y[from]);
		for (size_t j = 0; j < i; j++)
			for (int side = 0; side < 2; side++)
				if (c->rungs[i].fate == LADDER_ARRIVED && c->rungs[j].fate == LADDER_ARRIVED)
					ck_assert_int_ge(abs(p.places[i].y[side] - p.places[j].y[side]), 20);
	}
	ladder_plan_free(&p);
}
END_TEST

static TCase *fates(void)
{
	TCase *c = tcase_create("fates");

	tcase_add_checked_fixture(c, setup_all, teardown);
	tcase_add_test(c, a_syn_that_is_sent_again_was_lost_and_its_listener_still_listens);
	tcase_add_test(c, a_segment_that_was_acknowledged_before_it_came_again_was_not_lost);
	tcase_add_test(c, of_three_copies_the_first_two_were_lost);
	tcase_add_test(c, a_segment_that_was_sacked_was_not_lost);
	tcase_add_test(c, a_d_sack_shows_that_nothing_was_lost);
	tcase_add_test(c, an_answer_that_comes_too_soon_is_for_the_first_copy);
	tcase_add_test(c, octets_that_fill_a_gap_come_out_of_order);
	tcase_add_test(c, who_captured_it_may_know_that_it_was_lost);
	tcase_add_test(c, more_than_can_be_remembered_in_flight_is_not_told_lost);
	tcase_add_test(c, of_a_long_connection_the_middle_is_left_out);
	tcase_add_test(c, as_mermaid_a_long_connection_stays_below_what_hosts_draw);
	tcase_add_test(c, as_svg_no_capture_is_larger_than_people_can_look_at);
	tcase_add_test(c, a_segment_falls_for_as_long_as_it_is_under_way);
	tcase_add_test(c, segments_sent_in_a_row_are_under_way_together);
	tcase_add_test(c, a_silence_is_told_when_nothing_is_under_way);
	tcase_add_test(c, words_never_lie_on_each_other);
	return c;
}

Suite *suite(void)
{
	Suite *s = suite_create("ladder");
	TCase *c = tcase_create("drawn");

	tcase_add_checked_fixture(c, setup, teardown);
	tcase_add_test(c, what_changes_no_state_is_counted);
	tcase_add_test(c, as_text_it_is_a_line_a_rung);
	tcase_add_test(c, as_text_in_chinese_the_columns_stay_where_they_are);
	tcase_add_test(c, as_mermaid_it_is_a_sequence_diagram_in_markdown);
	tcase_add_test(c, as_mermaid_each_connection_is_a_diagram_of_its_own);
	tcase_add_test(c, as_svg_it_is_arrows_between_bars);
	tcase_add_test(c, as_svg_all_text_is_escaped);
	suite_add_tcase(s, c);
	suite_add_tcase(s, fates());
	return s;
}
