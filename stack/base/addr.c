/* addr.c: addresses and their text: IPv4 both ways, IPv6 only as text out (RFC 5952 4). Never asks the system. */
#include "bytes.h"

static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};	/* RFC 4291 2.5.5.2 */

struct tapir_addr tapir_ipv4(uint8_t a, uint8_t b, uint8_t c, uint8_t d)
{
	return (struct tapir_addr){{[10] = 0xff, [11] = 0xff, a, b, c, d}};
}

bool tapir_addr_is_ipv4(const struct tapir_addr *a)
{
	return memcmp(a->b, mapped, sizeof mapped) == 0;
}

bool tapir_addr_is_any(const struct tapir_addr *a)
{
	static const struct tapir_addr any;
	struct tapir_addr any4 = tapir_ipv4(0, 0, 0, 0);

	return tapir_addr_equal(a, &any) || tapir_addr_equal(a, &any4);
}

bool tapir_addr_equal(const struct tapir_addr *a, const struct tapir_addr *b)
{
	return memcmp(a, b, sizeof *a) == 0;
}

/* Reads a number up to 255 and moves *text behind it; -1 when there is none. A leading zero is refused: some read it as
 * octal. */
static int parse_byte(const char **text)
{
	const char *p = *text;
	int value = 0;

	if (p[0] == '0' && p[1] >= '0' && p[1] <= '9')
		return -1;
	while (*p >= '0' && *p <= '9' && value <= 255)
		value = value * 10 + (*p++ - '0');
	if (p == *text || value > 255)
		return -1;
	*text = p;
	return value;
}

int tapir_addr_parse(const char *text, struct tapir_addr *out)
{
	uint8_t b[4];

	for (int i = 0; i < 4; i++) {
		int value = parse_byte(&text);

		if (value < 0 || *text != (i < 3 ? '.' : '\0'))
			return TAPIR_EINVAL;
		b[i] = (uint8_t)value;
		text++;
	}
	*out = tapir_ipv4(b[0], b[1], b[2], b[3]);
	return TAPIR_OK;
}

/* Writes n in base without leading zeros and returns the place behind it. */
static char *format_number(char *p, unsigned n, unsigned base)
{
	if (n >= base)
		p = format_number(p, n / base, base);
	*p++ = "0123456789abcdef"[n % base];
	return p;
}

static char *format_ipv4(const struct tapir_addr *a, char *p)
{
	for (int i = 12; i < 16; i++) {
		p = format_number(p, a->b[i], 10);
		*p++ = i < 15 ? '.' : '\0';
	}
	return p;
}

/* How many of the eight groups from `from` on are zero without a gap. */
static int zero_groups(const struct tapir_addr *a, int from)
{
	int n = 0;

	while (from + n < 8 && get_be16(a->b + 2 * (from + n)) == 0)
		n++;
	return n;
}

/* The first of the longest runs of zero groups, of two at least (RFC 5952 4.2): its length, or 0. */
static int longest_run(const struct tapir_addr *a, int *start)
{
	int longest = 1;

	*start = 8;
	for (int i = 0; i < 8; i++) {
		int n = zero_groups(a, i);

		if (n > longest) {
			longest = n;
			*start = i;
		}
	}
	return longest > 1 ? longest : 0;
}

static void format_ipv6(const struct tapir_addr *a, char *p)
{
	int start, run = longest_run(a, &start);

	for (int i = 0; i < 8; i++) {
		if (i == start) {
			*p++ = ':';
			i += run - 1;
			if (i == 7)
				*p++ = ':';
			continue;
		}
		if (i)
			*p++ = ':';
		p = format_number(p, get_be16(a->b + 2 * i), 16);
	}
	*p = '\0';
}

char *tapir_addr_format(const struct tapir_addr *a, char text[TAPIR_ADDR_TEXT])
{
	if (tapir_addr_is_ipv4(a))
		format_ipv4(a, text);
	else
		format_ipv6(a, text);
	return text;
}
