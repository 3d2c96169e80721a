/* line.h: text that is put together piece by piece in memory of the caller's. */
#ifndef LINE_H
#define LINE_H

#include <stddef.h>

struct line { char *text; size_t size, len; };	/* len: without the 0 at the end; below size, which is at least 1 */

/* Appends, as printf would; what does not fit is cut off. */
__attribute__((format(printf, 2, 3))) void line_put(struct line *l, const char *format, ...);

#endif
