/* exact.h: bytes in a block of memory of exactly their size, so that the address sanitizer sees a parser that reads one
 * byte too many. */
#ifndef TEST_EXACT_H
#define TEST_EXACT_H

#include <check.h>
#include <stdlib.h>
#include <string.h>
#include "stack/tapir.h"

/* A copy of the n bytes at p; exact_free gives it back. */
static inline struct span exact_copy(const void *p, size_t n)
{
	uint8_t *copy = malloc(n ? n : 1);

	ck_assert_ptr_nonnull(copy);
	if (n)
		memcpy(copy, p, n);
	return (struct span){copy + (n ? 0 : 1), n};	/* of an empty one not even the first byte may be read */
}

static inline void exact_free(struct span s)
{
	free((void *)(uintptr_t)(s.p - (s.n ? 0 : 1)));
}

#endif
