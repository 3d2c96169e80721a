/* table.c: see table.h. */
#include "table.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

void table_begin(struct table *t, const char *const *heads)
{
	*t = (struct table){ .heads = heads };
	while (t->columns < TABLE_COLUMNS && heads[t->columns])
		t->columns++;
}

void table_cell(struct table *t, const char *format, ...)
{
	va_list list;
	if (t->count == t->room) {
		size_t room = t->room ? 2 * t->room : 64;
		char **cells = realloc(t->cells, room * sizeof *cells);
		if (!cells) {
			t->failed = true;
			return;
		}
		t->cells = cells;
		t->room = room;
	}
	va_start(list, format);
	if (vasprintf(&t->cells[t->count], format, list) < 0)
		t->failed = true;
	else
		t->count++;
	va_end(list);
}

static void print_row(const struct table *t, const int widths[TABLE_COLUMNS], char **cells, FILE *out)
{
	for (int i = 0; i < t->columns; i++) {
		const char *text = cells ? cells[i] : t->heads[i] + 1;
		bool last = i == t->columns - 1, right = t->heads[i][0] == '>';
		int width = last && !right ? 0 : widths[i];
		fprintf(out, "%*s%s", right ? width : -width, text, last ? "\n" : "  ");
	}
}

void table_end(struct table *t, FILE *out)
{
	int widths[TABLE_COLUMNS];
	for (int i = 0; i < t->columns; i++)
		widths[i] = (int)strlen(t->heads[i] + 1);
	for (size_t i = 0; i < t->count; i++) {
		int width = (int)strlen(t->cells[i]);
		if (width > widths[i % (size_t)t->columns])
			widths[i % (size_t)t->columns] = width;
	}
	print_row(t, widths, NULL, out);
	for (size_t i = 0; i + (size_t)t->columns <= t->count; i += (size_t)t->columns)
		print_row(t, widths, t->cells + i, out);
	if (t->failed)
		fputs("(there was not enough memory for all of it)\n", out);
	for (size_t i = 0; i < t->count; i++)
		free(t->cells[i]);
	free(t->cells);
}
