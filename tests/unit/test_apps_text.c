/* test_apps_text.c: the sentences in more than one language: each is there in all of them and takes the same values, and the
 * language is the one that was asked for. */
#include <check.h>
#include <stdlib.h>
#include <string.h>
#include "apps/text.h"
#include "apps/why_text.h"

/* The conversions of a printf format in their order, "%llu%s"; "%%" is none. */
static void conversions(char out[128], const char *format)
{
	size_t n = 0;

	for (const char *p = format; (p = strchr(p, '%'));) {
		size_t len = 1 + strspn(p + 1, "-+ #0123456789.*lhjzt") + 1;
		ck_assert_msg(strchr("dusc%", p[len - 1]) != NULL, "%s", format);
		if (p[len - 1] != '%' && n + len < 128) {
			memcpy(out + n, p, len);
			n += len;
		}
		p += len;
	}
	out[n] = '\0';
}

START_TEST(every_sentence_is_there_in_every_language_with_the_same_values)
{
	char english[128], other[128];

	for (enum text i = 0; i < TEXTS; i++) {
		ck_assert(lang_choose("en"));
		ck_assert_msg(text_of(i) != NULL, "text %d in en", (int)i);
		conversions(english, text_of(i));
		for (enum lang lang = 0; lang < LANGS; lang++) {
			ck_assert(lang_choose(lang_word(lang)));
			ck_assert_msg(text_of(i) != NULL, "text %d in %s", (int)i, lang_word(lang));
			conversions(other, text_of(i));
			ck_assert_msg(strcmp(english, other) == 0, "%s: '%s', not '%s'", text_of(i), other, english);
		}
	}
}
END_TEST

START_TEST(every_sentence_of_why_is_there_in_chinese_with_the_same_values)
{
	char english[128], chinese[128];

	for (enum why_text i = 0; i < WHY_TEXTS; i++) {
		ck_assert(lang_choose("en"));
		ck_assert_msg(why_text(i) != NULL, "text %d in en", (int)i);
		conversions(english, why_text(i));
		ck_assert_msg(why_text_zh(i) != NULL, "in zh there is no: %s", why_text(i));
		conversions(chinese, why_text_zh(i));
		ck_assert_msg(strcmp(english, chinese) == 0, "%s: '%s', not '%s'", why_text_zh(i), chinese, english);
		ck_assert(lang_choose("zh"));
		ck_assert_str_eq(why_text(i), why_text_zh(i));
	}
}
END_TEST

START_TEST(every_reason_and_every_verdict_is_there_in_chinese)
{
	char words[256], rule[WHY_RULE], cited[WHY_RULE];
	const char *told;

	ck_assert(lang_choose("zh"));
	for (size_t i = 0; (told = why_rule_told(i)); i++) {
		ck_assert_msg(why_rule_zh(told, strlen(told)) != NULL, "in zh there is no: %s", told);
		ck_assert_str_eq(why_rule_words(told), why_rule_zh(told, strlen(told)));
	}
	ck_assert_str_eq(why_rule_words("RFC 9293 3.5: handshake"), "三次握手");
	ck_assert_str_eq(why_rule_words("RFC 9999 1: a new reason"), "a new reason");
	for (enum tapir_verdict v = 0; v < TAPIR_VERDICT_COUNT; v++) {
		ck_assert_msg(why_verdict_zh(v) != NULL, "in zh there is no: %s", tapir_verdict_text(v));
		ck_assert(lang_choose("zh"));
		why_verdict_cite(v, words, sizeof words, rule);
		ck_assert_str_eq(words, why_verdict_zh(v));
		ck_assert(lang_choose("en"));
		why_verdict_cite(v, words, sizeof words, cited);
		ck_assert_str_eq(rule, cited);
		ck_assert_ptr_null(strstr(words, "(RFC"));
	}
}
END_TEST

START_TEST(the_language_is_the_one_that_was_chosen)
{
	ck_assert(lang_choose("zh"));
	ck_assert_int_eq(lang_chosen(), LANG_ZH);
	ck_assert_str_eq(text_of(TEXT_AGAIN), "重传");
	ck_assert(!lang_choose("fr") && !lang_choose(""));
	ck_assert_int_eq(lang_chosen(), LANG_ZH);
	ck_assert(lang_choose("en"));
	ck_assert_str_eq(text_of(TEXT_AGAIN), "sent again");
}
END_TEST

static void assert_locale(const char *all, const char *messages, const char *lang, enum lang wanted)
{
	setenv("LC_ALL", all, 1);
	setenv("LC_MESSAGES", messages, 1);
	setenv("LANG", lang, 1);
	lang_choose_by_locale();
	ck_assert_msg(lang_chosen() == wanted, "LC_ALL=%s LC_MESSAGES=%s LANG=%s", all, messages, lang);
}

START_TEST(otherwise_it_is_that_of_the_locale)
{
	assert_locale("", "", "", LANG_EN);
	assert_locale("", "", "zh_CN.UTF-8", LANG_ZH);
	assert_locale("", "", "zh_CN", LANG_ZH);
	assert_locale("", "", "zh_SG.UTF-8", LANG_ZH);
	assert_locale("", "", "zh_TW.UTF-8", LANG_EN);
	assert_locale("", "en_GB.UTF-8", "zh_CN.UTF-8", LANG_EN);
	assert_locale("", "zh_CN.UTF-8", "en_GB.UTF-8", LANG_ZH);
	assert_locale("C", "zh_CN.UTF-8", "zh_CN.UTF-8", LANG_EN);
	assert_locale("zh_CN.UTF-8", "C", "C", LANG_ZH);
	unsetenv("LC_ALL");
	unsetenv("LC_MESSAGES");
	unsetenv("LANG");
	lang_choose_by_locale();
	ck_assert_int_eq(lang_chosen(), LANG_EN);
}
END_TEST

Suite *suite(void)
{
	Suite *s = suite_create("texts");
	TCase *c = tcase_create("texts");

	tcase_add_test(c, every_sentence_is_there_in_every_language_with_the_same_values);
	tcase_add_test(c, every_sentence_of_why_is_there_in_chinese_with_the_same_values);
	tcase_add_test(c, every_reason_and_every_verdict_is_there_in_chinese);
	tcase_add_test(c, the_language_is_the_one_that_was_chosen);
	tcase_add_test(c, otherwise_it_is_that_of_the_locale);
	suite_add_tcase(s, c);
	return s;
}
