/* utf8.h: characters in bytes that arrive in pieces. Bytes that are not UTF-8 (RFC 3629 3) count as characters of their own, so
 * that nothing is ever lost. */
#ifndef UTF8_H
#define UTF8_H

#include "../stack/tapir.h"

/* Bytes of the first character of p[0..n), n > 0; 0: it is cut off, and more bytes would tell. */
size_t utf8_first(const uint8_t *p, size_t n);
/* Bytes of the longest beginning of text that ends between two characters. */
size_t utf8_whole(struct span text);
/* Writes text in upper case to out, which has room for 2 * text.n bytes; returns how many. Every character becomes one
 * character (so "ß" stays). */
size_t utf8_upper(struct span text, uint8_t *out);
/* Columns of a terminal that text takes: a Chinese character has two, an accent that combines none. */
size_t utf8_columns(const char *text);

#endif
