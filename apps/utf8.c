/* utf8.c: see utf8.h. What upper case is, and how wide a character, the C library's C.UTF-8 locale says, whatever the user's
 * own is; without that locale only ASCII has an upper case, and every character is one column wide. */
#include "utf8.h"

#include <locale.h>
#include <string.h>
#include <wchar.h>
#include <wctype.h>

#define CHARACTER_MAX 4			/* bytes (RFC 3629 3) */

static bool is_tail(uint8_t b)
{
	return (b & 0xc0) == 0x80;
}

/* How many bytes a character has that begins with b; 1 for what begins none. */
static size_t length_by_lead(uint8_t b)
{
	if (b >= 0xc2 && b <= 0xdf)
		return 2;
	if (b >= 0xe0 && b <= 0xef)
		return 3;
	return b >= 0xf0 && b <= 0xf4 ? 4 : 1;
}

/* Overlong forms, surrogates and what lies past U+10FFFF show in the second byte (RFC 3629 4). */
static bool second_fits(uint8_t lead, uint8_t second)
{
	switch (lead) {
	case 0xe0: return second >= 0xa0;
	case 0xed: return second <= 0x9f;
	case 0xf0: return second >= 0x90;
	case 0xf4: return second <= 0x8f;
	default: return true;
	}
}

size_t utf8_first(const uint8_t *p, size_t n)
{
	size_t len = length_by_lead(p[0]);
	for (size_t i = 1; i < len; i++) {
		if (i == n)
			return 0;
		if (!is_tail(p[i]) || (i == 1 && !second_fits(p[0], p[1])))
			return 1;
	}
	return len;
}

size_t utf8_whole(struct span text)
{
	size_t back = text.n < CHARACTER_MAX ? text.n : CHARACTER_MAX - 1;
	/* Only a character that begins in the last three bytes can be cut off. */
	for (size_t at = text.n - back; at < text.n; at++)
		if (!is_tail(text.p[at]) && utf8_first(text.p + at, text.n - at) == 0)
			return at;
	return text.n;
}

static wint_t decode(const uint8_t *p, size_t len)
{
	static const uint8_t lead_bits[] = { 0, 0x7f, 0x1f, 0x0f, 0x07 };
	wint_t c = (wint_t)(p[0] & lead_bits[len]);
	for (size_t i = 1; i < len; i++)
		c = c << 6 | (p[i] & 0x3f);
	return c;
}

/* Writes c to out; returns its length. */
static size_t encode(wint_t c, uint8_t *out)
{
	static const uint8_t lead_mark[] = { 0, 0, 0xc0, 0xe0, 0xf0 };
	size_t len = c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
	for (size_t i = len - 1; i > 0; i--, c >>= 6)
		out[i] = (uint8_t)(0x80 | (c & 0x3f));
	out[0] = (uint8_t)(lead_mark[len] | c);
	return len;
}

/* Opened once, kept for good; (locale_t)0: this machine has none. */
static locale_t unicode(void)
{
	static locale_t locale;
	if (!locale)
		locale = newlocale(LC_CTYPE_MASK, "C.UTF-8", (locale_t)0);
	return locale;
}

size_t utf8_upper(struct span text, uint8_t *out)
{
	locale_t locale = unicode();
	size_t n = 0;
	for (size_t at = 0; at < text.n;) {
		size_t len = utf8_first(text.p + at, text.n - at);
		uint8_t upper[CHARACTER_MAX];
		size_t upper_len = 0;
		if (len == 1 && text.p[at] < 0x80)
			upper_len = encode(text.p[at] >= 'a' && text.p[at] <= 'z' ? text.p[at] - 32u : text.p[at], upper);
		else if (len > 1 && locale)
			upper_len = encode(towupper_l(decode(text.p + at, len), locale), upper);
		len = len ? len : 1;
		bool keep = upper_len == 0 || upper_len > 2 * len;
		memcpy(out + n, keep ? text.p + at : upper, keep ? len : upper_len);
		n += keep ? len : upper_len;
		at += len;
	}
	return n;
}

size_t utf8_columns(const char *text)
{
	const uint8_t *p = (const uint8_t *)text;
	size_t columns = 0, n = strlen(text);
	/* wcwidth has no form that takes a locale: this thread has it for as long as it counts. */
	locale_t before = unicode() ? uselocale(unicode()) : (locale_t)0;
	for (size_t at = 0, len; at < n; at += len) {
		len = utf8_first(p + at, n - at);
		int width = len > 1 && before ? wcwidth((wchar_t)decode(p + at, len)) : 1;
		len = len ? len : 1;
		columns += width < 0 ? 1 : (size_t)width;
	}
	if (before)
		uselocale(before);
	return columns;
}
