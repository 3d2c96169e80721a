/* test_drivers_pcapng.c: the blocks that drivers/pcapng.c writes, taken apart by tests/support/blocks.c: lengths, padding, byte
 * order, options, and what happens when there is no room. */
#include <check.h>
#include <string.h>
#include "drivers/pcapng.h"
#include "tests/support/blocks.h"

static uint8_t bytes[70000];

static struct pcapng_room all(void) { return (struct pcapng_room){bytes, sizeof bytes}; }

/* The one block in the first n bytes. */
static struct block only(size_t n)
{
	struct span s = {bytes, n};
	struct block b;

	ck_assert_uint_gt(n, 0);
	ck_assert(block_next(&s, &b));
	ck_assert_uint_eq(s.n, 0);
	return b;
}

START_TEST(a_section_says_the_byte_order_and_who_wrote_it)
{
	struct capture_options o = {.comment = "tapir serve --seed 7", .program = "tapir 0.1"};
	struct block b = only(pcapng_section(all(), &o));
	static const uint8_t start[] = {0x0a, 0x0d, 0x0d, 0x0a}, after[] = {0x4d, 0x3c, 0x2b, 0x1a, 1, 0, 0, 0, 0xff, 0xff, 0xff,
									    0xff, 0xff, 0xff, 0xff, 0xff};

	ck_assert_mem_eq(bytes, start, sizeof start);
	ck_assert_mem_eq(b.body.p, after, sizeof after);
	ck_assert_str_eq(block_text(&b, 1, 0), "tapir serve --seed 7");
	ck_assert_str_eq(block_text(&b, 4, 0), "tapir 0.1");
	ck_assert_ptr_nonnull(block_text(&b, 2, 0));
	ck_assert_ptr_nonnull(strstr(block_text(&b, 3, 0), "Linux"));
}
END_TEST

/* blocks.c looks at the padding; here every length that there is. */
START_TEST(a_text_of_any_length_is_padded_to_4_bytes)
{
	char text[10] = "";

	for (int i = 0; i < 9; i++) {
		struct capture_options o = {.comment = text, .program = "x"};
		struct block b = only(pcapng_section(all(), &o));

		ck_assert_str_eq(block_text(&b, 1, 0), text);
		ck_assert_str_eq(block_text(&b, 4, 0), "x");
		strcat(text, "a");
	}
}
END_TEST

START_TEST(an_interface_has_its_address_name_and_nanoseconds)
{
	struct capture_options o = {
		.interface = "tap0", .about = "the stack's end", .addr = tapir_ipv4(10, 1, 2, 3), .prefix_len = 20,
		.mac = {2, 0, 0, 0, 0, 9}, .speed_bps = 10000000,
	};
	static const uint8_t address[] = {10, 1, 2, 3, 255, 255, 240, 0}, speed[] = {0x80, 0x96, 0x98, 0, 0, 0, 0, 0};
	struct block b = only(pcapng_interface(all(), &o, false));

	ck_assert_uint_eq(b.body.p[0], 1);		/* LINKTYPE_ETHERNET */
	ck_assert_mem_eq(block_option(&b, 9, 0).p, "\x09", 1);
	ck_assert_uint_eq(block_option(&b, 9, 0).n, 1);
	ck_assert_mem_eq(block_option(&b, 4, 0).p, address, 8);
	ck_assert_mem_eq(block_option(&b, 6, 0).p, o.mac, 6);
	ck_assert_mem_eq(block_option(&b, 8, 0).p, speed, 8);
	ck_assert_str_eq(block_text(&b, 2, 0), "tap0");
	ck_assert_str_eq(block_text(&b, 3, 0), "the stack's end");
}
END_TEST

START_TEST(what_is_not_known_is_not_said)
{
	struct capture_options o = {.interface = NULL};
	struct block b = only(pcapng_interface(all(), &o, true));

	ck_assert_uint_eq(b.body.p[0], 101);		/* LINKTYPE_RAW */
	for (uint16_t code = 2; code <= 8; code++)
		ck_assert_ptr_null(block_option(&b, code, 0).p);
	ck_assert_uint_eq(pcapng_names(all(), &o), 0);
}
END_TEST

START_TEST(a_prefix_of_any_length_is_a_mask)
{
	for (uint8_t len = 0; len <= 32; len++) {
		struct capture_options o = {.addr = tapir_ipv4(10, 0, 0, 1), .prefix_len = len};
		struct block b = only(pcapng_interface(all(), &o, true));
		const uint8_t *m = block_option(&b, 4, 0).p + 4;
		uint32_t mask = (uint32_t)m[0] << 24 | (uint32_t)m[1] << 16 | (uint32_t)m[2] << 8 | m[3];

		ck_assert_uint_eq(mask, len ? UINT32_MAX << (32 - len) : 0);
	}
}
END_TEST

START_TEST(names_are_records_that_end)
{
	struct capture_options o = {.names = {{tapir_ipv4(10, 0, 0, 2), "stack"}, {tapir_ipv4(10, 0, 0, 1), "kernel7"}}};
	static const uint8_t records[] = {1, 0, 10, 0, 10, 0, 0, 2, 's', 't', 'a', 'c', 'k', 0, 0, 0,
					  1, 0, 12, 0, 10, 0, 0, 1, 'k', 'e', 'r', 'n', 'e', 'l', '7', 0, 0, 0, 0, 0};
	struct block b = only(pcapng_names(all(), &o));

	ck_assert_int_eq(b.type, BLOCK_NAMES);
	ck_assert_uint_eq(b.body.n, sizeof records);
	ck_assert_mem_eq(b.body.p, records, sizeof records);
}
END_TEST

static struct pcapng_packet make_packet(const uint8_t *frame, size_t n)
{
	return (struct pcapng_packet){.at_ns = 0x0123456789abcdefu, .bytes = {frame, n}};
}

START_TEST(a_packet_has_its_time_direction_and_comments_in_order)
{
	uint8_t frame[61] = {2, 0, 0, 0, 0, 1};
	struct pcapng_packet p = make_packet(frame, sizeof frame);
	struct block b;

	p.comments = "one\0two\0three";
	p.comment_count = 3;
	for (size_t n = 58; n <= 61; n++) {
		p.bytes.n = n;
		b = only(pcapng_packet(all(), &p));
		ck_assert_uint_eq(block_packet(&b).frame.n, n);
		ck_assert_mem_eq(block_packet(&b).frame.p, frame, n);
		ck_assert_uint_eq(block_packet(&b).at_ns, p.at_ns);
		ck_assert_uint_eq(block_packet(&b).flags, 1 | 1 << 2);	/* inbound, unicast */
		ck_assert_str_eq(block_text(&b, 1, 0), "one");
		ck_assert_str_eq(block_text(&b, 1, 2), "three");
		ck_assert_ptr_null(block_text(&b, 1, 3));
		ck_assert_ptr_null(block_option(&b, 4, 0).p);
	}
	p.out = true;
	p.left_out = 3;
	memset(frame, 0xff, 6);
	b = only(pcapng_packet(all(), &p));
	ck_assert_uint_eq(block_packet(&b).flags, 2 | 3 << 2);		/* outbound, broadcast */
	ck_assert_mem_eq(block_option(&b, 4, 0).p, "\x03\0\0\0\0\0\0\0", 8);
	frame[0] = 1;
	b = only(pcapng_packet(all(), &p));
	ck_assert_uint_eq(block_packet(&b).flags, 2 | 2 << 2);		/* multicast */
	p.ip_only = true;
	b = only(pcapng_packet(all(), &p));
	ck_assert_uint_eq(block_packet(&b).flags, 2);
}
END_TEST

START_TEST(without_room_comments_are_left_out_and_then_the_packet)
{
	uint8_t frame[61] = {2};
	struct pcapng_packet p = make_packet(frame, sizeof frame);
	unsigned int last = 0;

	p.comments = "a first comment\0a second comment";
	p.comment_count = 2;
	for (size_t room = 0; room < 300; room++) {
		size_t n;
		unsigned int has;

		memset(bytes, 0xaa, 301);
		n = pcapng_packet((struct pcapng_room){bytes, room}, &p);
		ck_assert_uint_le(n, room);
		for (size_t i = room; i <= 300; i++)
			ck_assert_uint_eq(bytes[i], 0xaa);
		if (n == 0) {
			ck_assert_uint_lt(room, 28 + 64 + 12);
			continue;
		}
		has = 0;
		for (struct block b = only(n); has < 2 && block_text(&b, 1, (int)has); has++)
			;
		ck_assert_uint_ge(has, last);
		last = has;
	}
	ck_assert_uint_eq(last, 2);
}
END_TEST

START_TEST(a_text_that_is_cut_keeps_its_last_character_whole)
{
	static char comment[2000];
	struct pcapng_packet p = {.comments = comment, .comment_count = 1};

	for (size_t i = 0; i + 3 < sizeof comment; i += 3)
		memcpy(comment + i, "\xe2\x86\x92", 3);		/* an arrow */
	for (size_t room = 300; room < 310; room++) {
		struct block b = only(pcapng_packet((struct pcapng_room){bytes, room}, &p));
		struct span text = block_option(&b, 1, 0);

		ck_assert_uint_gt(text.n, 100);
		ck_assert_uint_eq(text.n % 3, 0);
	}
}
END_TEST

START_TEST(a_text_longer_than_an_option_is_cut)
{
	static char comment[70000];
	struct capture_options o = {.comment = comment};
	static uint8_t large[200000];
	struct span s = {large, 0};
	struct block b;

	memset(comment, 'x', sizeof comment - 1);
	s.n = pcapng_section((struct pcapng_room){large, sizeof large}, &o);
	ck_assert(block_next(&s, &b));
	ck_assert_uint_eq(block_option(&b, 1, 0).n, 65535);
}
END_TEST

START_TEST(statistics_have_both_times_and_both_counts)
{
	struct pcapng_statistics s = {.now_ns = 0x100000002u, .start_ns = 0x300000004u, .received = 5, .dropped = 6,
				      .comments = "the end", .comment_count = 1};
	static const uint8_t now[] = {1, 0, 0, 0, 2, 0, 0, 0}, start[] = {3, 0, 0, 0, 4, 0, 0, 0};
	struct block b = only(pcapng_statistics(all(), &s));

	ck_assert_int_eq(b.type, BLOCK_STATISTICS);
	ck_assert_mem_eq(b.body.p + 4, now, 8);
	ck_assert_mem_eq(block_option(&b, 2, 0).p, start, 8);
	ck_assert_mem_eq(block_option(&b, 3, 0).p, now, 8);
	ck_assert_uint_eq(block_option(&b, 4, 0).p[0], 5);
	ck_assert_uint_eq(block_option(&b, 5, 0).p[0], 6);
	ck_assert_str_eq(block_text(&b, 1, 0), "the end");
}
END_TEST

Suite *suite(void);
Suite *suite(void)
{
	Suite *s = suite_create("pcapng");
	TCase *c = tcase_create("blocks");

	tcase_add_test(c, a_section_says_the_byte_order_and_who_wrote_it);
	tcase_add_test(c, a_text_of_any_length_is_padded_to_4_bytes);
	tcase_add_test(c, an_interface_has_its_address_name_and_nanoseconds);
	tcase_add_test(c, what_is_not_known_is_not_said);
	tcase_add_test(c, a_prefix_of_any_length_is_a_mask);
	tcase_add_test(c, names_are_records_that_end);
	tcase_add_test(c, a_packet_has_its_time_direction_and_comments_in_order);
	tcase_add_test(c, without_room_comments_are_left_out_and_then_the_packet);
	tcase_add_test(c, a_text_that_is_cut_keeps_its_last_character_whole);
	tcase_add_test(c, a_text_longer_than_an_option_is_cut);
	tcase_add_test(c, statistics_have_both_times_and_both_counts);
	suite_add_tcase(s, c);
	return s;
}
