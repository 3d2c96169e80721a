/* table.h: rows of words in columns that are as wide as their widest word. */
#ifndef TABLE_H
#define TABLE_H

#include <stdbool.h>
#include <stdio.h>

#define TABLE_COLUMNS 16

struct table {
	const char *const *heads;	/* "<State", ">Recv-Q": to the left, to the right; a NULL ends them */
	int columns;
	char **cells;			/* row after row */
	size_t count, room;
	bool failed;			/* there was no memory */
};
void table_begin(struct table *t, const char *const *heads);
/* The next cell of the row that has been begun, or of a new one. */
__attribute__((format(printf, 2, 3))) void table_cell(struct table *t, const char *format, ...);
void table_end(struct table *t, FILE *out);	/* prints it */

#endif
