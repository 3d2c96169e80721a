/* args.c: getopt_long over the tables of option_lines. See args.h. */
#include "args.h"

#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define OPTIONS_MAX 48
#define OPTION_HELP 'h'

static const struct option_line help_line[] = { { OPTION_HELP, "help", NULL, "this text" }, { 0, NULL, NULL, NULL } };

struct tables { struct option longs[OPTIONS_MAX]; int count; char shorts[2 * OPTIONS_MAX + 5]; };

static void add_lines(struct tables *t, const struct option_line *lines)
{
	for (; lines && lines->id && t->count < OPTIONS_MAX - 1; lines++) {
		if (lines->id < 256) {
			char letter[] = { (char)lines->id, lines->value ? ':' : '\0', '\0' };
			strcat(t->shorts, letter);
		}
		if (!lines->name)
			continue;
		int takes = !lines->value ? no_argument : *lines->value == '[' ? optional_argument : required_argument;
		t->longs[t->count++] = (struct option){ lines->name, takes, NULL, lines->id };
	}
}

static const struct option_line *find_line(const struct option_line *lines, int id)
{
	while (lines && lines->id && lines->id != id)
		lines++;
	return lines && lines->id ? lines : NULL;
}

static void print_lines(const char *title, const struct option_line *lines)
{
	printf("\n%s:\n", title);
	for (; lines->id; lines++) {
		char left[64] = "";
		size_t n = 0;
		if (lines->id < 256)
			n = (size_t)snprintf(left, sizeof left, "-%c%s", lines->id, lines->name ? ", " : "");
		if (lines->name)
			n += (size_t)snprintf(left + n, sizeof left - n, "--%s", lines->name);
		if (lines->value && *lines->value == '[')
			snprintf(left + n, sizeof left - n, "[=%s", lines->value + 1);
		else if (lines->value)
			snprintf(left + n, sizeof left - n, " %s", lines->value);
		printf("  %-22s  %s\n", left, lines->help);
	}
}

static void print_help(const struct args *a)
{
	printf("usage: tapir %s %s\n\n%s", a->command, a->synopsis, a->about);
	if (a->own)
		print_lines("Options", a->own);
	if (a->common)
		print_lines("Options of every subcommand with a stack of its own", common_options);
	printf("\nExamples:\n%s", a->examples);
}

int args_bad(const struct args *a, const char *format, ...)
{
	va_list list;
	va_start(list, format);
	fprintf(stderr, "tapir %s: ", a->command);
	vfprintf(stderr, format, list);
	fprintf(stderr, "\ntapir %s --help says more.\n", a->command);
	va_end(list);
	return ARGS_BAD;
}

int args_bad_value(const struct args *a, int id, const char *value, const char *wanted)
{
	const struct option_line *line = find_line(a->own, id);
	if (!line)
		line = find_line(common_options, id);
	if (line && line->name)
		return args_bad(a, "--%s '%s': wanted %s.", line->name, value, wanted);
	return args_bad(a, "-%c '%s': wanted %s.", id, value, wanted);
}

int args_exit(int id)
{
	return id == ARGS_HELP ? 0 : 2;
}

static int unknown_option(const struct args *a, char **argv, bool value_missing)
{
	/* A long option that getopt_long does not know is the last word it took. */
	const char *word = argv[optind - 1];
	char letter[] = { '-', (char)optopt, '\0' };
	if (strncmp(word, "--", 2) != 0 && optopt > 0 && optopt < 256)
		word = letter;
	if (value_missing)
		return args_bad(a, "%s: a value is missing behind it.", word);
	return args_bad(a, "%s: there is no such option, or not in this form.", word);
}

int args_next(struct args *a, const char **value)
{
	struct tables tables = { .count = 0 };
	strcpy(tables.shorts, a->ends_at_operand ? "+:" : ":");
	add_lines(&tables, help_line);
	add_lines(&tables, a->own);
	add_lines(&tables, a->common ? common_options : NULL);
	opterr = 0;
	for (;;) {
		int id = getopt_long(a->argc, a->argv, tables.shorts, tables.longs, NULL);
		*value = optarg;
		if (id == -1)
			break;
		if (id == OPTION_HELP) {
			print_help(a);
			return ARGS_HELP;
		}
		if (id == '?' || id == ':')
			return unknown_option(a, a->argv, id == ':');
		if (find_line(a->own, id))
			return id;
		const char *wanted = options_set(a->common, id, optarg);
		if (wanted)
			return args_bad_value(a, id, optarg, wanted);
	}
	a->argc -= optind;
	a->argv += optind;
	const char *contradiction = a->common ? options_contradiction(a->common) : NULL;
	return contradiction ? args_bad(a, "%s", contradiction) : ARGS_END;
}
