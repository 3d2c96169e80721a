/* test_apps_utf8.c: characters in bytes: where one ends, and what upper case is. */
#include <check.h>
#include <string.h>
#include "apps/utf8.h"

static size_t first(const char *text)
{
	return utf8_first((const uint8_t *)text, strlen(text));
}

static size_t whole(const char *text)
{
	return utf8_whole((struct span){(const uint8_t *)text, strlen(text)});
}

static const char *upper(const char *text)
{
	static uint8_t out[256];

	out[utf8_upper((struct span){(const uint8_t *)text, strlen(text)}, out)] = '\0';
	return (const char *)out;
}

START_TEST(a_character_is_one_to_four_bytes)
{
	ck_assert_uint_eq(first("ab"), 1);
	ck_assert_uint_eq(first("éa"), 2);
	ck_assert_uint_eq(first("€a"), 3);
	ck_assert_uint_eq(first("\xf0\x9f\x90\x98"), 4);
	ck_assert_uint_eq(first("\xf4\x8f\xbf\xbf"), 4);	/* U+10FFFF, the last one */
}
END_TEST

START_TEST(a_character_that_is_cut_off_is_waited_for)
{
	ck_assert_uint_eq(first("\xc3"), 0);
	ck_assert_uint_eq(first("\xe2\x82"), 0);
	ck_assert_uint_eq(first("\xf0"), 0);
	ck_assert_uint_eq(first("\xf0\x9f\x90"), 0);
}
END_TEST

START_TEST(what_can_never_be_a_character_is_not_waited_for)
{
	static const char *const never[] = {
		"\x80", "\xc0\x80", "\xc1", "\xff", "\xf5\x80", "\xc3(", "\xe2(", "\xe2\x82(", "\xf0\x9f\x90(",
		"\xe0\x80", "\xe0\x9f\xbf",		/* longer than need be */
		"\xed\xa0", "\xed\xbf\xbf",		/* halves of a surrogate pair */
		"\xf0\x8f", "\xf4\x90",			/* too long, past U+10FFFF */
	};

	for (size_t i = 0; i < sizeof never / sizeof never[0]; i++)
		ck_assert_msg(first(never[i]) == 1, "case %zu", i);
}
END_TEST

START_TEST(the_whole_part_ends_between_two_characters)
{
	ck_assert_uint_eq(whole(""), 0);
	ck_assert_uint_eq(whole("abc"), 3);
	ck_assert_uint_eq(whole("é"), 2);
	ck_assert_uint_eq(whole("ab\xc3"), 2);
	ck_assert_uint_eq(whole("\xe2\x82"), 0);
	ck_assert_uint_eq(whole("a\xf0\x9f\x90"), 1);
	ck_assert_uint_eq(whole("éé\xe2\x82"), 4);
	ck_assert_uint_eq(whole("a\x80\x80\x80\x80"), 5);	/* nonsense, and complete */
	ck_assert_uint_eq(whole("\xe2\x82\xe2"), 2);
}
END_TEST

START_TEST(upper_case_knows_more_than_ascii)
{
	ck_assert_str_eq(upper("azAZ09 @[`{"), "AZAZ09 @[`{");
	ck_assert_str_eq(upper("zoë ß ÿ"), "ZOË ß Ÿ");
	ck_assert_str_eq(upper("жук ελλάδα"), "ЖУК ΕΛΛΆΔΑ");
	ck_assert_str_eq(upper("\xc9\x90"), "\xe2\xb1\xaf");	/* U+0250 > U+2C6F: it grows */
	ck_assert_str_eq(upper("\xf0\x90\x90\xa8"), "\xf0\x90\x90\x80");	/* U+10428 > U+10400 */
}
END_TEST

START_TEST(upper_case_leaves_other_bytes_alone)
{
	ck_assert_str_eq(upper("a\xff" "b\x80\xc3"), "A\xff" "B\x80\xc3");
	ck_assert_str_eq(upper("\xed\xa0\x80\xf0\x9f"), "\xed\xa0\x80\xf0\x9f");
}
END_TEST

START_TEST(a_chinese_character_takes_two_columns)
{
	ck_assert_uint_eq(utf8_columns(""), 0);
	ck_assert_uint_eq(utf8_columns("ack 1"), 5);
	ck_assert_uint_eq(utf8_columns("三次握手"), 8);
	ck_assert_uint_eq(utf8_columns("（重传）"), 8);
	ck_assert_uint_eq(utf8_columns("é"), 1);
	ck_assert_uint_eq(utf8_columns("e\u0301"), 1);		/* an accent that combines */
	ck_assert_uint_eq(utf8_columns("\xff\xe4\xb8"), 3);	/* bytes that are none count one each */
}
END_TEST

Suite *suite(void)
{
	Suite *s = suite_create("utf8");
	TCase *c = tcase_create("utf8");

	tcase_add_test(c, a_character_is_one_to_four_bytes);
	tcase_add_test(c, a_character_that_is_cut_off_is_waited_for);
	tcase_add_test(c, what_can_never_be_a_character_is_not_waited_for);
	tcase_add_test(c, the_whole_part_ends_between_two_characters);
	tcase_add_test(c, upper_case_knows_more_than_ascii);
	tcase_add_test(c, upper_case_leaves_other_bytes_alone);
	tcase_add_test(c, a_chinese_character_takes_two_columns);
	suite_add_tcase(s, c);
	return s;
}
