/* values.c: see values.h. Reads text, touches nothing else. */
#include "values.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

bool value_number(const char *text, uint64_t min, uint64_t max, uint64_t *out)
{
	if (!isdigit((unsigned char)*text) || strspn(text, "0123456789") != strlen(text))
		return false;
	errno = 0;
	unsigned long long n = strtoull(text, NULL, 10);
	if (errno || n < min || n > max)
		return false;
	*out = n;
	return true;
}

bool value_port(const char *text, uint16_t *port)
{
	uint64_t n;
	if (!value_number(text, 1, UINT16_MAX, &n))
		return false;
	*port = (uint16_t)n;
	return true;
}

/* A decimal number at the start of text; *unit is what follows it. strtod alone would take "0x1p3", " 1" and "inf". */
static bool leading_decimal(const char *text, double *out, const char **unit)
{
	size_t n = strspn(text, "0123456789.");
	if (n == 0 || n > 30 || strspn(text, ".") == n)
		return false;
	char digits[32];
	memcpy(digits, text, n);
	digits[n] = '\0';
	char *end;
	*out = strtod(digits, &end);
	*unit = text + n;
	return *end == '\0';
}

bool value_probability(const char *text, double *out)
{
	double p;
	const char *unit;
	if (!leading_decimal(text, &p, &unit))
		return false;
	if (strcmp(unit, "%") == 0)
		p /= 100;
	else if (*unit)
		return false;
	if (p > 1)
		return false;
	*out = p;
	return true;
}

struct unit { const char *name; double worth; };

/* The worth of the unit of that name, of a list that ends with an empty one; 0 when there is none. */
static double worth_of(const struct unit *units, const char *name)
{
	while (units->name && strcasecmp(units->name, name) != 0)
		units++;
	return units->worth;
}

bool value_duration(const char *text, usec_t bare_us, usec_t *out)
{
	static const struct unit units[] = { { "us", 1 }, { "ms", 1e3 }, { "s", 1e6 }, { "m", 60e6 }, { NULL, 0 } };
	double n;
	const char *unit;
	if (!leading_decimal(text, &n, &unit))
		return false;
	double worth = *unit ? worth_of(units, unit) : (double)bare_us;
	if ((worth <= 0 && (*unit || n > 0)) || n * worth > 86400e6)
		return false;
	*out = (usec_t)(n * worth + 0.5);
	return true;
}

bool value_rate(const char *text, uint64_t *bps)
{
	static const struct unit units[] = {
		{ "", 1 }, { "bit", 1 }, { "kbit", 1e3 }, { "mbit", 1e6 }, { "gbit", 1e9 }, { NULL, 0 }
	};
	double n;
	const char *unit;
	if (!leading_decimal(text, &n, &unit))
		return false;
	double rate = n * worth_of(units, unit);
	if (rate < 1 || rate > 1e12)
		return false;
	*bps = (uint64_t)(rate + 0.5);
	return true;
}

bool value_size(const char *text, uint64_t *bytes)
{
	static const struct unit units[] = { { "", 1 }, { "k", 1e3 }, { "M", 1e6 }, { "G", 1e9 }, { NULL, 0 } };
	double n;
	const char *unit;
	if (!leading_decimal(text, &n, &unit))
		return false;
	double size = n * worth_of(units, unit);
	if (size < 1 || size > 1e15)
		return false;
	*bytes = (uint64_t)(size + 0.5);
	return true;
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = (char)(c | 0x20);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool value_mac(const char *text, uint8_t mac[6])
{
	static const uint8_t zero[6];
	uint8_t b[6];
	if (strlen(text) != 17)
		return false;
	for (int i = 0; i < 6; i++) {
		int high = hex_digit(text[3 * i]), low = hex_digit(text[3 * i + 1]);
		if (high < 0 || low < 0 || (i < 5 && text[3 * i + 2] != ':'))
			return false;
		b[i] = (uint8_t)(high << 4 | low);
	}
	bool group = b[0] & 1;
	if (group || memcmp(b, zero, 6) == 0)
		return false;
	memcpy(mac, b, 6);
	return true;
}

bool value_host(const char *text, struct tapir_addr *addr, uint8_t *prefix_len)
{
	char dotted[TAPIR_ADDR_TEXT];
	const char *slash = strchr(text, '/');
	struct tapir_addr a;
	uint64_t len;
	if (!slash || (size_t)(slash - text) >= sizeof dotted)
		return false;
	memcpy(dotted, text, (size_t)(slash - text));
	dotted[slash - text] = '\0';
	if (tapir_addr_parse(dotted, &a) < 0 || !tapir_addr_is_ipv4(&a) || !value_number(slash + 1, 1, 30, &len))
		return false;
	uint32_t ip = (uint32_t)a.b[12] << 24 | (uint32_t)a.b[13] << 16 | (uint32_t)a.b[14] << 8 | a.b[15];
	uint32_t host = ip & (UINT32_MAX >> len);
	if (host == 0 || host == UINT32_MAX >> len || a.b[12] == 0 || a.b[12] == 127 || a.b[12] >= 224)
		return false;
	*addr = a;
	*prefix_len = (uint8_t)len;
	return true;
}
