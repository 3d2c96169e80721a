/* args.h: the command line of one subcommand: its options, the common ones, and --help. Whatever is wrong is said in a
 * sentence on standard error. */
#ifndef ARGS_H
#define ARGS_H

#include "options.h"

enum { ARGS_END = -1, ARGS_HELP = -2, ARGS_BAD = -3 };

struct args {
	const char *command;			/* "ping" */
	const char *synopsis;			/* "[OPTION]... HOST" */
	const char *about;			/* paragraphs for --help */
	const char *examples;			/* lines for --help */
	const struct option_line *own;		/* may be NULL */
	bool ends_at_operand;			/* what follows the first operand belongs to it, options too: a command line */
	struct options *common;			/* where the common options go; NULL: this subcommand has none */
	int argc;				/* args_next leaves the operands in argv[0 .. argc) when it says ARGS_END */
	char **argv;				/* argv[0] is the subcommand's name */
};

/* The next option of the subcommand's own: its id, with *value. ARGS_END; ARGS_HELP: the help was printed; ARGS_BAD: what
 * is wrong was said. */
int args_next(struct args *a, const char **value);
/* What a subcommand returns after ARGS_HELP or ARGS_BAD: 0 or 2. */
int args_exit(int id);
/* Says that the option's value is not what was wanted ("a number from 1 to 9"); ARGS_BAD. */
int args_bad_value(const struct args *a, int id, const char *value, const char *wanted);
/* Says what is wrong, as printf does, and where help is; ARGS_BAD. */
int args_bad(const struct args *a, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
