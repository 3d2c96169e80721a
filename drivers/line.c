/* line.c: see line.h. */
#include <stdarg.h>
#include <stdio.h>
#include "line.h"

void line_put(struct line *l, const char *format, ...)
{
	va_list args;
	int n;

	va_start(args, format);
	n = vsnprintf(l->text + l->len, l->size - l->len, format, args);
	va_end(args);
	if (n > 0)
		l->len += (size_t)n < l->size - l->len ? (size_t)n : l->size - l->len - 1;
}
