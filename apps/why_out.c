/* why_out.c: the lines of `tapir why`: which are wanted, and how they are written. See why.h. */
#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "values.h"
#include "why.h"

const char *const why_kind_names[WHY_KINDS] = {
	"state", "segment", "ack", "loss", "window", "timer", "cc", "drop", "path", "ecn", "link", "buffer", "line", "difference",
};

/* --- who is wanted --- */

/* "10.0.0.1:80", "10.0.0.1" or ":80" */
static bool parse_end(struct why_end *e, const char *text, size_t n)
{
	char word[TAPIR_ADDR_TEXT + 8], *colon;
	if (n == 0 || n >= sizeof word)
		return false;
	memcpy(word, text, n);
	word[n] = '\0';
	colon = strrchr(word, ':');
	if (colon && !value_port(colon + 1, &e->port))
		return false;
	if (colon)
		*colon = '\0';
	e->wanted = true;
	e->has_addr = word[0];
	return !word[0] ? colon != NULL : tapir_addr_parse(word, &e->addr) == 0;
}

bool why_filter_connection(struct why_filter *f, const char *text)
{
	size_t n = strcspn(text, ",");
	f->ends[1].wanted = false;
	return parse_end(&f->ends[0], text, n) && (!text[n] || parse_end(&f->ends[1], text + n + 1, strlen(text + n + 1)));
}

bool why_filter_kinds(struct why_filter *f, const char *text)
{
	f->kinds = 0;
	for (;;) {
		size_t n = strcspn(text, ",");
		uint32_t bit = 0;
		for (unsigned i = 0; i < WHY_KINDS; i++)
			if (strlen(why_kind_names[i]) == n && memcmp(why_kind_names[i], text, n) == 0)
				bit = 1u << i;
		f->kinds |= bit;
		if (!bit || !text[n])
			return bit;
		text += n + 1;
	}
}

static bool is_end(const struct why_end *e, const struct tapir_endpoint *p)
{
	return !e->wanted || ((!e->has_addr || tapir_addr_equal(&e->addr, &p->addr)) && (!e->port || e->port == p->port));
}

bool why_wants(const struct why_filter *f, const struct tapir_endpoint *a, const struct tapir_endpoint *b)
{
	return (is_end(&f->ends[0], a) && is_end(&f->ends[1], b)) || (is_end(&f->ends[0], b) && is_end(&f->ends[1], a));
}

static bool wants_line(const struct why_filter *f, const struct why_line *l)
{
	return (!f->kinds || f->kinds & 1u << l->kind) && l->at_us >= f->from_us && l->at_us <= f->to_us &&
	       why_wants(f, &l->from, &l->to);
}

/* --- writing --- */

void why_endpoint(char *text, size_t size, const struct tapir_endpoint *e)
{
	char addr[TAPIR_ADDR_TEXT];
	snprintf(text, size, "%s:%u", tapir_addr_format(&e->addr, addr), e->port);
}

/* A capture may say anything: nothing of it reaches a terminal as a command. */
static void write_text(FILE *to, const char *text)
{
	for (; *text; text++)
		putc((unsigned char)*text < ' ' || *text == 0x7f ? '?' : *text, to);
}

static json_t *text_value(const char *text)
{
	json_t *value = json_string(text);
	if (value)
		return value;
	char *plain = strdup(text);	/* it is not UTF-8 */
	for (char *p = plain; p && *p; p++)
		if ((unsigned char)*p >= 0x80)
			*p = '?';
	value = json_string(plain ? plain : "");
	free(plain);
	return value;
}

static bool write_json(FILE *to, const struct why_line *l)
{
	char end[TAPIR_ADDR_TEXT + 8];
	json_t *o = json_object(), *numbers = json_object();
	json_object_set_new(o, "at", json_real((double)l->at_us / (double)TAPIR_SEC));
	json_object_set_new(o, "frame", json_integer((json_int_t)l->frame));
	if (l->from.port) {
		why_endpoint(end, sizeof end, &l->from);
		json_object_set_new(o, "from", json_string(end));
		why_endpoint(end, sizeof end, &l->to);
		json_object_set_new(o, "to", json_string(end));
	}
	json_object_set_new(o, "kind", json_string(why_kind_names[l->kind]));
	json_object_set_new(o, "text", text_value(l->text));
	json_object_set_new(o, "rule", text_value(l->rule));
	for (unsigned i = 0; i < l->count; i++)
		json_object_set_new(numbers, l->numbers[i].name, json_integer((json_int_t)l->numbers[i].value));
	json_object_set_new(o, "numbers", numbers);
	bool good = json_dumpf(o, to, JSON_COMPACT | JSON_REAL_PRECISION(12)) == 0;
	json_decref(o);
	return good && fputc('\n', to) != EOF;
}

static void write_line(FILE *to, const struct why_line *l)
{
	char from[TAPIR_ADDR_TEXT + 8], end[TAPIR_ADDR_TEXT + 8];
	fprintf(to, "%4" PRIu64 ".%06" PRIu64 "  ", l->at_us / TAPIR_SEC, l->at_us % TAPIR_SEC);
	if (l->from.port) {
		why_endpoint(from, sizeof from, &l->from);
		why_endpoint(end, sizeof end, &l->to);
		fprintf(to, "%s > %s  ", from, end);
	}
	write_text(to, l->text);
	if (l->rule[0]) {
		fputs("  ", to);
		write_text(to, l->rule);
	}
	fputc('\n', to);
}

void why_out_line(struct why_out *o, const struct why_line *l)
{
	if (!wants_line(&o->filter, l))
		return;
	o->lines++;
	if (o->json)
		o->failed = !write_json(o->to, l) || o->failed;
	else
		write_line(o->to, l);
	o->failed = o->failed || ferror(o->to);
}
