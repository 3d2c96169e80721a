/* blocks.h: a pcapng file taken apart, for tests. Written from draft-ietf-opsawg-pcapng, not from the writer: whatever is not
 * as it says fails the test. Little-endian files only. */
#ifndef TEST_BLOCKS_H
#define TEST_BLOCKS_H

#include <check.h>
#include "stack/tapir.h"

enum { BLOCK_SECTION = 0x0a0d0d0a, BLOCK_INTERFACE = 1, BLOCK_NAMES = 4, BLOCK_STATISTICS = 5, BLOCK_PACKET = 6 };

struct block { uint32_t type; struct span body; struct span options; };
/* The first block of *s, which goes on behind it; false: *s is empty. */
bool block_next(struct span *s, struct block *b);
/* The value of the nth option with that code, from 0; p NULL: there is none. */
struct span block_option(const struct block *b, uint16_t code, int nth);
/* The same as a text of its own, overwritten by the third call after it; NULL. */
const char *block_text(const struct block *b, uint16_t code, int nth);

struct packet { uint64_t at_ns; struct span frame; uint32_t flags; };
struct packet block_packet(const struct block *b);

/* The whole file; the caller frees p. */
struct span file_bytes(const char *path);
/* The nth packet of the file's bytes, from 0; false: there are fewer. */
bool nth_packet(struct span file, int nth, struct block *b);
/* Has the packet a comment with this in it? */
bool has_comment(const struct block *b, const char *part);

#endif
