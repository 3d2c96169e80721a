/* options.h: the options that every subcommand with a stack of its own has: which TAP, who we are, what to record, and
 * how bad the line is. One table is the parser and the help. */
#ifndef OPTIONS_H
#define OPTIONS_H

#include "../drivers/loop.h"

struct options {
	const char *tap;		/* the interface, whichever driver it is for */
	bool tap_named, xdp;		/* --tap was given; --xdp was, and it is taken through AF_XDP */
	struct tapir_addr addr;
	uint8_t prefix_len;
	struct tapir_addr gateway;	/* any: none */
	uint8_t mac[6];			/* all zero: made from addr */
	uint16_t mtu;			/* 0: the interface's */
	struct tapir_addr up_addr;	/* the kernel's address on the TAP, to be set; any: leave the interface alone */
	uint8_t up_prefix_len;
	enum tapir_cc congestion;
	uint8_t ecn;			/* TAPIR_ECN_... */
	const char *capture;		/* file; NULL: none */
	bool capture_segments;
	uint64_t rotate_bytes;		/* 0: the capture is one file */
	uint32_t rotate_files;
	bool always_captures, stdout_taken, tap_only;	/* what the subcommand says of itself, before the command line is read */
	bool trace;
	const char *trace_file;		/* NULL: standard error */
	struct fault_config fault;	/* the seed is in it */
	bool seeded;			/* --seed was given */
	bool busy_poll;
	usec_t poll_us;
};

/* One option: of the common ones, or of a subcommand. A list ends with id 0. */
struct option_line {
	int id;				/* its letter, or 256 and up when it has none */
	const char *name;		/* long form, without the dashes; NULL: none */
	const char *value;		/* what the help calls its value; NULL: takes none; "[FILE]": may be left out */
	const char *help;
};
extern const struct option_line common_options[];

void options_default(struct options *o);
/* Takes the common option id. NULL, or what it would have accepted: the rest of a sentence that begins "wanted ". */
const char *options_set(struct options *o, int id, const char *value);
/* NULL, or a sentence about options that do not go together. */
const char *options_contradiction(const struct options *o);
bool options_faulty(const struct options *o);	/* is the line to be worse than perfect? */

#endif
