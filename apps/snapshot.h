/* snapshot.h: a stack as text for programs: one JSON object a line, {"stack":...} first, {"end":{}} last, and between them
 * what was asked for: a {"tcp":...} for each connection, and so on. Made piece by piece, each of a bounded size, so that
 * a stack with many connections goes on between them. Both sides of `tapir stat` know the words from here. */
#ifndef SNAPSHOT_H
#define SNAPSHOT_H

#include <stdio.h>

#include "../stack/tapir.h"

enum snapshot_section {
	SNAPSHOT_TCP, SNAPSHOT_UDP, SNAPSHOT_ARP, SNAPSHOT_ROUTES, SNAPSHOT_PATHS, SNAPSHOT_COUNTERS, SNAPSHOT_MEMORY,
	SNAPSHOT_SECTIONS
};
extern const char *const snapshot_words[SNAPSHOT_SECTIONS];	/* "tcp" ... */
static inline bool snapshot_is_list(enum snapshot_section s) { return s <= SNAPSHOT_PATHS; }

struct snapshot_about { const char *command, *tap; usec_t since_us; };	/* "serve", "tap0", when it began */

struct snapshot {
	struct tapir *stack;
	struct snapshot_about about;
	unsigned sections;		/* still to come: a set of 1 << enum snapshot_section */
	struct tapir_cursor cursor;	/* in the first of them, if that is tcp or udp */
	bool begun, ended;
};
/* Which sections the words of a request, one line, ask for; other words are let pass. */
unsigned snapshot_parse(const char *words);
/* Writes the next piece, maybe nothing. False: all was written before. */
bool snapshot_piece(struct snapshot *s, FILE *out);

#endif
