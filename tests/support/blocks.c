/* blocks.c: see blocks.h. */
#include "blocks.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static uint32_t le(const uint8_t *p, size_t n)
{
	uint32_t value = 0;

	for (size_t i = 0; i < n; i++)
		value |= (uint32_t)p[i] << 8 * i;
	return value;
}

/* Bytes of the body before the options. */
static size_t fixed_part(uint32_t type, struct span body)
{
	switch (type) {
	case BLOCK_SECTION: return 16;
	case BLOCK_INTERFACE: return 8;
	case BLOCK_STATISTICS: return 12;
	case BLOCK_PACKET: return 20 + ((le(body.p + 12, 4) + 3u) & ~3u);
	default: return body.n;
	}
}

/* The next option of *s; false: it was the end. */
static bool option_next(struct span *s, uint16_t *code, struct span *value)
{
	size_t padded;

	if (s->n == 0)
		return false;
	ck_assert_uint_ge(s->n, 4);
	*code = (uint16_t)le(s->p, 2);
	value->n = le(s->p + 2, 2);
	value->p = s->p + 4;
	padded = 4 + ((value->n + 3) & ~(size_t)3);
	ck_assert_uint_ge(s->n, padded);
	for (size_t i = 4 + value->n; i < padded; i++)
		ck_assert_msg(s->p[i] == 0, "an option's padding is not zero");
	s->p += padded;
	s->n -= padded;
	if (*code != 0)
		return true;
	ck_assert_msg(value->n == 0 && s->n == 0, "something follows the end of the options");
	return false;
}

bool block_next(struct span *s, struct block *b)
{
	uint32_t length;
	struct span options, value;
	uint16_t code = 0;
	bool any = false;

	if (s->n == 0)
		return false;
	ck_assert_uint_ge(s->n, 12);
	b->type = le(s->p, 4);
	length = le(s->p + 4, 4);
	ck_assert_msg(length % 4 == 0 && length >= 12 && length <= s->n, "a block of %u bytes, and %zu are left", length, s->n);
	ck_assert_msg(le(s->p + length - 4, 4) == length, "a block's two lengths differ");
	b->body = (struct span){s->p + 8, length - 12};
	if (b->type == BLOCK_SECTION)
		ck_assert_uint_eq(le(b->body.p, 4), 0x1a2b3c4d);
	ck_assert_uint_le(fixed_part(b->type, b->body), b->body.n);
	b->options = (struct span){b->body.p + fixed_part(b->type, b->body), b->body.n - fixed_part(b->type, b->body)};
	for (options = b->options; option_next(&options, &code, &value);)
		any = true;
	ck_assert_msg(b->options.n == 0 || (any && code == 0), "options without an end");
	s->p += length;
	s->n -= length;
	return true;
}

struct span block_option(const struct block *b, uint16_t wanted, int nth)
{
	struct span options = b->options, value;
	uint16_t code;

	while (option_next(&options, &code, &value))
		if (code == wanted && nth-- == 0)
			return value;
	return (struct span){NULL, 0};
}

const char *block_text(const struct block *b, uint16_t code, int nth)
{
	static char texts[3][70000];
	static int which;
	struct span value = block_option(b, code, nth);
	char *text = texts[which = (which + 1) % 3];

	if (!value.p)
		return NULL;
	memcpy(text, value.p, value.n);
	text[value.n] = '\0';
	return text;
}

struct packet block_packet(const struct block *b)
{
	struct packet p = {.at_ns = (uint64_t)le(b->body.p + 4, 4) << 32 | le(b->body.p + 8, 4)};
	struct span flags = block_option(b, 2, 0);

	ck_assert_int_eq(b->type, BLOCK_PACKET);
	ck_assert_uint_eq(le(b->body.p, 4), 0);
	ck_assert_uint_eq(le(b->body.p + 12, 4), le(b->body.p + 16, 4));
	p.frame = (struct span){b->body.p + 20, le(b->body.p + 12, 4)};
	p.flags = flags.n == 4 ? le(flags.p, 4) : 0;
	return p;
}

struct span file_bytes(const char *path)
{
	FILE *file = fopen(path, "r");
	uint8_t *p;
	long n;

	ck_assert_msg(file != NULL, "%s cannot be read", path);
	ck_assert_int_eq(fseek(file, 0, SEEK_END), 0);
	n = ftell(file);
	rewind(file);
	p = malloc((size_t)n + 1);
	ck_assert_ptr_nonnull(p);
	ck_assert_uint_eq(fread(p, 1, (size_t)n, file), (size_t)n);
	fclose(file);
	return (struct span){p, (size_t)n};
}

bool nth_packet(struct span file, int nth, struct block *b)
{
	while (block_next(&file, b))
		if (b->type == BLOCK_PACKET && nth-- == 0)
			return true;
	return false;
}

bool has_comment(const struct block *b, const char *part)
{
	const char *text;

	for (int i = 0; (text = block_text(b, 1, i)) != NULL; i++)
		if (strstr(text, part))
			return true;
	return false;
}
