/* text.h: the sentences of the commands that speak more than one language, a printf format each. Technical words are those of
 * the textbooks of that language; names of states, flags and RFCs stay as they are. */
#ifndef TEXT_H
#define TEXT_H

#include <stdbool.h>

enum lang { LANG_EN, LANG_ZH, LANGS };

enum text {
	/* the ladder: what became of a segment */
	TEXT_LOST, TEXT_SEEMS_LOST, TEXT_AGAIN, TEXT_LATE, TEXT_COMMA, TEXT_REMARKED,
	/* segments that are only counted; how many, and octets from each side */
	TEXT_ONE_SEGMENT, TEXT_SEGMENTS, TEXT_LEFT_OUT, TEXT_SOME_LOST, TEXT_SOME_AGAIN,
	TEXT_LATER,		/* so much later */
	TEXT_CONNECTION, TEXT_CONNECTIONS_LEFT_OUT,
	/* what was wrong */
	TEXT_NO_CONNECTION, TEXT_NO_CONNECTION_WITH_PORT, TEXT_NO_MEMORY, TEXT_NO_MEMORY_FOR_ALL, TEXT_CUT, TEXT_NOT_WRITTEN,
	TEXTS
};

const char *text_of(enum text which);		/* in the language that was chosen */

/* A program speaks one language, English unless it chooses another when it starts, as with setlocale. */
bool lang_choose(const char *word);		/* "en", "zh". False: there is no such language */
/* That of the user's locale: the first of LC_ALL, LC_MESSAGES and LANG that is not empty. Without a table for it: English. */
void lang_choose_by_locale(void);
enum lang lang_chosen(void);
const char *lang_word(enum lang lang);		/* "zh" */

#endif
