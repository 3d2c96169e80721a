/* test_apps_args.c: the command line of a subcommand: its own options, the common ones, operands, help, and sentences about
 * what is wrong. Each test parses one command line, as a process does. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "apps/args.h"

static const struct option_line own[] = {
	{'c', "count", "N", "how many"},
	{'v', "verbose", NULL, "say more"},
	{300, "long-only", "[X]", "without a letter"},
	{0, NULL, NULL, NULL},
};

static struct options common;
static char said[4096];			/* on standard output and standard error */
static char got[256];			/* "c=3 v=- " */
static struct args a;
static bool ends_at_operand;
static char *kept[16];			/* the words, which a points to afterwards */

/* Parses the words, up to a NULL, and returns what ended it. */
static int parse(char **words)
{
	FILE *file = fmemopen(said, sizeof said, "w"), *out = stdout, *err = stderr;
	const char *value;
	int id;

	ck_assert_ptr_nonnull(file);
	setbuf(file, NULL);
	options_default(&common);
	a = (struct args){.command = "thing", .synopsis = "[OPTION]... WORD", .about = "Does it.\n",
			  .examples = "  tapir thing x\n", .own = own, .common = &common,
			  .ends_at_operand = ends_at_operand, .argv = kept};
	for (; words[a.argc]; a.argc++)
		kept[a.argc] = words[a.argc];
	stdout = stderr = file;
	while ((id = args_next(&a, &value)) > 0)
		sprintf(got + strlen(got), "%d=%s ", id, value ? value : "-");
	stdout = out;
	stderr = err;
	fclose(file);
	return id;
}
#define PARSE(...) parse((char *[]){"thing", __VA_ARGS__, NULL})

START_TEST(own_options_come_in_order_and_operands_stay)
{
	ck_assert_int_eq(PARSE("-c", "3", "x", "--verbose", "--count=4", "y"), ARGS_END);
	ck_assert_str_eq(got, "99=3 118=- 99=4 ");
	ck_assert_int_eq(a.argc, 2);
	ck_assert_str_eq(a.argv[0], "x");
	ck_assert_str_eq(a.argv[1], "y");
	ck_assert_str_eq(said, "");
}
END_TEST

START_TEST(letters_may_stand_together)
{
	ck_assert_int_eq(PARSE("-vc3"), ARGS_END);
	ck_assert_str_eq(got, "118=- 99=3 ");
	ck_assert_int_eq(a.argc, 0);
}
END_TEST

START_TEST(a_value_in_brackets_may_be_left_out)
{
	ck_assert_int_eq(PARSE("--long-only", "--long-only=5"), ARGS_END);
	ck_assert_str_eq(got, "300=- 300=5 ");
}
END_TEST

START_TEST(what_stands_behind_two_dashes_is_no_option)
{
	ck_assert_int_eq(PARSE("-v", "--", "ping", "-c", "1"), ARGS_END);
	ck_assert_str_eq(got, "118=- ");
	ck_assert_int_eq(a.argc, 3);
	ck_assert_str_eq(a.argv[1], "-c");
}
END_TEST

START_TEST(a_command_line_may_follow)
{
	ends_at_operand = true;
	ck_assert_int_eq(PARSE("-v", "ping", "-c", "1"), ARGS_END);
	ck_assert_str_eq(got, "118=- ");
	ck_assert_int_eq(a.argc, 3);
	ck_assert_str_eq(a.argv[0], "ping");
}
END_TEST

START_TEST(common_options_go_to_their_place)
{
	ck_assert_int_eq(PARSE("--tap", "tap5", "--loss=5%", "x"), ARGS_END);
	ck_assert_str_eq(got, "");
	ck_assert_str_eq(common.tap, "tap5");
	ck_assert(options_faulty(&common));
}
END_TEST

START_TEST(congestion_control_is_cubic_if_nothing_else_is_named)
{
	ck_assert_int_eq(PARSE("x"), ARGS_END);
	ck_assert_int_eq(common.congestion, TAPIR_CC_CUBIC);
}
END_TEST

START_TEST(congestion_control_may_be_named)
{
	ck_assert_int_eq(PARSE("--cc", "reno", "x"), ARGS_END);
	ck_assert_int_eq(common.congestion, TAPIR_CC_NEWRENO);
}
END_TEST

START_TEST(help_has_every_option_and_the_examples)
{
	ck_assert_int_eq(PARSE("--help"), ARGS_HELP);
	ck_assert_int_eq(args_exit(ARGS_HELP), 0);
	static const char *const parts[] = {"usage: tapir thing [OPTION]... WORD", "Does it.", "-c, --count N", "--long-only[=X]",
					    "--trace[=FILE]", "--loss P", "Examples:\n  tapir thing x"};
	for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++)
		ck_assert_msg(strstr(said, parts[i]) != NULL, "no '%s' in: %s", parts[i], said);
}
END_TEST

static void assert_bad(int id, const char *sentence)
{
	ck_assert_int_eq(id, ARGS_BAD);
	ck_assert_int_eq(args_exit(id), 2);
	ck_assert_msg(strstr(said, sentence) == said, "%s", said);
	ck_assert_ptr_nonnull(strstr(said, "tapir thing --help says more."));
}

START_TEST(an_unknown_option_is_named)
{
	assert_bad(PARSE("--nonsense", "x"), "tapir thing: --nonsense: there is no such option");
}
END_TEST

START_TEST(an_unknown_letter_is_named)
{
	assert_bad(PARSE("-vq"), "tapir thing: -q: there is no such option");
}
END_TEST

START_TEST(a_missing_value_is_said)
{
	assert_bad(PARSE("x", "--count"), "tapir thing: --count: a value is missing");
}
END_TEST

START_TEST(a_missing_value_of_a_letter_is_said)
{
	assert_bad(PARSE("-c"), "tapir thing: -c: a value is missing");
}
END_TEST

START_TEST(a_value_too_many_is_said)
{
	assert_bad(PARSE("--verbose=3"), "tapir thing: --verbose=3: there is no such option, or not in this form");
}
END_TEST

START_TEST(a_wrong_common_value_says_what_is_wanted)
{
	assert_bad(PARSE("--mtu", "5"), "tapir thing: --mtu '5': wanted a number of bytes from 576 to 65535.");
}
END_TEST

START_TEST(an_unknown_congestion_control_is_told_which_there_are)
{
	assert_bad(PARSE("--cc", "vegas"), "tapir thing: --cc 'vegas': wanted newreno (or reno), cubic or bbr.");
}
END_TEST

START_TEST(a_wrong_own_value_says_what_is_wanted)
{
	FILE *file = fmemopen(said, sizeof said, "w"), *err = stderr;

	a = (struct args){.command = "thing", .own = own};
	stderr = file;
	int bad = args_bad_value(&a, 'c', "x", "a number");
	stderr = err;
	fclose(file);
	assert_bad(bad, "tapir thing: --count 'x': wanted a number.");
}
END_TEST

Suite *suite(void)
{
	Suite *s = suite_create("args");
	TCase *c = tcase_create("args");

	tcase_add_test(c, own_options_come_in_order_and_operands_stay);
	tcase_add_test(c, letters_may_stand_together);
	tcase_add_test(c, a_value_in_brackets_may_be_left_out);
	tcase_add_test(c, what_stands_behind_two_dashes_is_no_option);
	tcase_add_test(c, a_command_line_may_follow);
	tcase_add_test(c, common_options_go_to_their_place);
	tcase_add_test(c, congestion_control_is_cubic_if_nothing_else_is_named);
	tcase_add_test(c, congestion_control_may_be_named);
	tcase_add_test(c, an_unknown_congestion_control_is_told_which_there_are);
	tcase_add_test(c, help_has_every_option_and_the_examples);
	tcase_add_test(c, an_unknown_option_is_named);
	tcase_add_test(c, an_unknown_letter_is_named);
	tcase_add_test(c, a_missing_value_is_said);
	tcase_add_test(c, a_missing_value_of_a_letter_is_said);
	tcase_add_test(c, a_value_too_many_is_said);
	tcase_add_test(c, a_wrong_common_value_says_what_is_wanted);
	tcase_add_test(c, a_wrong_own_value_says_what_is_wanted);
	suite_add_tcase(s, c);
	return s;
}
