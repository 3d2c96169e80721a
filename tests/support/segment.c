/* segment.c: see segment.h. */
#include "segment.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define IP_HEADER 20u

static const char flag_letters[] = "FSRP.UEW";	/* bit 0 on */
static const char flag_order[] = "SFRP.EWU";

static void put16(uint8_t *p, uint32_t v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

static void put32(uint8_t *p, uint32_t v)
{
	put16(p, v >> 16);
	put16(p + 2, v);
}

static uint32_t get16(const uint8_t *p) { return (uint32_t)p[0] << 8 | p[1]; }
static uint32_t get32(const uint8_t *p) { return get16(p) << 16 | get16(p + 2); }

uint8_t stream_byte(uint32_t at) { return (uint8_t)(at * 31u + (at >> 8) * 17u + (at >> 16)); }

/* ---- text > segment -------------------------------------------------------------------------------------------- */

static bool eat(const char **at, const char *word)
{
	size_t n = strlen(word);

	while (**at == ' ')
		(*at)++;
	if (strncmp(*at, word, n) != 0)
		return false;
	*at += n;
	return true;
}

/* Negative numbers are places before the base. */
static bool eat_number(const char **at, uint32_t *n)
{
	char *end;

	while (**at == ' ')
		(*at)++;
	long long value = strtoll(*at, &end, 10);
	if (end == *at)
		return false;
	*at = end;
	*n = (uint32_t)value;
	return true;
}

static uint8_t *option(struct segment *s, uint8_t kind, uint8_t len)
{
	if (s->options_len + len > (int)sizeof s->options)
		return NULL;
	uint8_t *p = s->options + s->options_len;
	s->options_len = (uint8_t)(s->options_len + len);
	p[0] = kind;
	if (len > 1)
		p[1] = len;
	return p;
}

static const char *parse_sack(const char **at, const struct segment_base *base, struct segment *s)
{
	uint8_t *p = option(s, 5, 2);
	uint32_t start, end;

	while (p && eat_number(at, &start)) {
		if (!eat(at, ":") || !eat_number(at, &end))
			return "sack wants START:END";
		if (s->options_len + 8 > (int)sizeof s->options)
			return "no room for the sack block";
		put32(s->options + s->options_len, start + base->ack);
		put32(s->options + s->options_len + 4, end + base->ack);
		s->options_len = (uint8_t)(s->options_len + 8);
		p[1] = (uint8_t)(p[1] + 8);
	}
	return p ? NULL : "no room for sack";
}

static const char *parse_raw(const char **at, struct segment *s)
{
	unsigned byte;

	while (**at == ' ')
		(*at)++;
	while (sscanf(*at, "%2x", &byte) == 1) {
		if (!option(s, (uint8_t)byte, 1))
			return "no room for raw";
		*at += 2;
	}
	return NULL;
}

static const char *parse_fastopen(const char **at, struct segment *s)
{
	uint8_t *p = option(s, 34, 2), before = s->options_len;
	const char *wrong = p ? parse_raw(at, s) : "no room for FO";

	if (!wrong)
		p[1] = (uint8_t)(2 + s->options_len - before);
	return wrong;
}

static const char *parse_timestamps(const char **at, const struct segment_base *base, struct segment *s)
{
	uint32_t val, ecr;
	uint8_t *p = option(s, 8, 10);

	if (!p || !eat_number(at, &val) || !eat(at, "ecr") || !eat_number(at, &ecr))
		return "TS wants val N ecr N";
	put32(p + 2, val + base->ts_val);
	put32(p + 6, ecr + base->ts_ecr);
	return NULL;
}

static const char *parse_number_option(const char **at, struct segment *s, uint8_t kind)
{
	uint32_t n;
	uint8_t *p = option(s, kind, kind == 2 ? 4 : 3);

	if (!p || !eat_number(at, &n))
		return "mss and wscale want a number";
	if (kind == 2)
		put16(p + 2, n);
	else
		p[2] = (uint8_t)n;
	return NULL;
}

static const char *parse_option(const char **at, const struct segment_base *base, struct segment *s)
{
	if (eat(at, "mss"))
		return parse_number_option(at, s, 2);
	if (eat(at, "wscale"))
		return parse_number_option(at, s, 3);
	if (eat(at, "sackOK"))
		return option(s, 4, 2) ? NULL : "no room";
	if (eat(at, "sack"))
		return parse_sack(at, base, s);
	if (eat(at, "TS val"))
		return parse_timestamps(at, base, s);
	if (eat(at, "nop"))
		return option(s, 1, 1) ? NULL : "no room";
	if (eat(at, "eol"))
		return option(s, 0, 1) ? NULL : "no room";
	if (eat(at, "raw"))
		return parse_raw(at, s);
	if (eat(at, "FO"))
		return parse_fastopen(at, s);
	return "unknown option";
}

static const char *parse_options(const char **at, const struct segment_base *base, struct segment *s)
{
	do {
		const char *wrong = parse_option(at, base, s);
		if (wrong)
			return wrong;
	} while (eat(at, ","));
	if (!eat(at, ">"))
		return "options want a '>'";
	while (s->options_len % 4)
		s->options[s->options_len++] = 0;
	return NULL;
}

static const char *parse_flags(const char **at, struct segment *s)
{
	const char *letter;

	if (eat(at, "-"))
		return NULL;
	for (; **at && **at != ' '; (*at)++) {
		letter = strchr(flag_letters, **at);
		if (!letter)
			return "unknown flag";
		s->flags = (uint8_t)(s->flags | 1u << (letter - flag_letters));
	}
	return s->flags ? NULL : "no flags ('-' for none)";
}

const char *segment_parse(const char *line, const struct segment_base *base, struct segment *s)
{
	uint32_t end, n;
	const char *at = line;
	*s = (struct segment){0};
	const char *wrong = parse_flags(&at, s);

	if (wrong)
		return wrong;
	if (!eat_number(&at, &s->seq) || !eat(&at, ":") || !eat_number(&at, &end) || !eat(&at, "(") ||
	    !eat_number(&at, &s->text_len) || !eat(&at, ")"))
		return "wants START:END(LEN)";
	if (end - s->seq != s->text_len)
		return "END - START is not LEN";
	s->seq += base->seq;
	if (eat(&at, "ack")) {
		if (!eat_number(&at, &n))
			return "ack wants a number";
		s->ack = n + base->ack;
	}
	if (eat(&at, "win")) {
		if (!eat_number(&at, &n))
			return "win wants a number";
		s->win = (uint16_t)n;
		s->has_win = true;
	}
	if (eat(&at, "urg")) {
		if (!eat_number(&at, &n))
			return "urg wants a number";
		s->urg = (uint16_t)n;
	}
	if (eat(&at, "<"))
		wrong = parse_options(&at, base, s);
	while (*at == ' ')
		at++;
	return wrong ? wrong : *at ? "something follows the segment" : NULL;
}

/* ---- segment > text -------------------------------------------------------------------------------------------- */

struct line { char *text; size_t n; };

static void add(struct line *l, const char *word, uint32_t number, bool with_number)
{
	int n = with_number ? snprintf(l->text + l->n, SEGMENT_TEXT - l->n, "%s%d", word, (int32_t)number)
			    : snprintf(l->text + l->n, SEGMENT_TEXT - l->n, "%s", word);
	if (n > 0 && l->n + (size_t)n < SEGMENT_TEXT)
		l->n += (size_t)n;
}

/* The option of this kind, NULL if there is none, or if the list is broken before it. */
static const uint8_t *find_option(const struct segment *s, uint8_t kind)
{
	for (int i = 0; i < s->options_len;) {
		if (s->options[i] == kind)
			return s->options + i;
		if (s->options[i] == 0)
			return NULL;
		if (s->options[i] == 1)
			i++;
		else if (i + 1 < s->options_len && s->options[i + 1] >= 2)
			i += s->options[i + 1];
		else
			return NULL;
	}
	return NULL;
}

static void add_timestamps(struct line *l, const uint8_t *p, const struct segment_base *base, const char *comma)
{
	uint32_t ecr = get32(p + 6);

	add(l, comma, 0, false);
	add(l, "TS val ", get32(p + 2) - base->ts_val, true);
	add(l, " ecr ", ecr - base->ts_ecr, true);
}

static void add_fastopen(struct line *l, const uint8_t *p, const char *comma)
{
	char hex[3];

	add(l, comma, 0, false);
	add(l, p[1] > 2 ? "FO " : "FO", 0, false);
	for (int i = 2; i < p[1]; i++) {
		snprintf(hex, sizeof hex, "%02x", p[i]);
		add(l, hex, 0, false);
	}
}

static void add_options(struct line *l, const struct segment *s, const struct segment_base *base)
{
	const char *comma = " <";
	const uint8_t *p = find_option(s, 2);

	if (p) {
		add(l, comma, 0, false);
		add(l, "mss ", get16(p + 2), true);
		comma = ",";
	}
	if (find_option(s, 4)) {
		add(l, comma, 0, false);
		add(l, "sackOK", 0, false);
		comma = ",";
	}
	p = find_option(s, 8);
	if (p) {
		add_timestamps(l, p, base, comma);
		comma = ",";
	}
	p = find_option(s, 3);
	if (p) {
		add(l, comma, 0, false);
		add(l, "wscale ", p[2], true);
		comma = ",";
	}
	p = find_option(s, 34);
	if (p) {
		add_fastopen(l, p, comma);
		comma = ",";
	}
	p = find_option(s, 5);
	if (p) {
		add(l, comma, 0, false);
		add(l, "sack", 0, false);
		for (int i = 2; i + 8 <= p[1]; i += 8) {
			add(l, " ", get32(p + i) - base->ack, true);
			add(l, ":", get32(p + i + 4) - base->ack, true);
		}
		comma = ",";
	}
	add(l, *comma == ',' ? ">" : " <>", 0, false);
}

void segment_format(char text[SEGMENT_TEXT], const struct segment *s, const struct segment_base *base, int with)
{
	struct line l = {text, 0};
	uint32_t start = s->seq - base->seq;

	*text = '\0';
	for (const char *letter = flag_order; *letter; letter++) {
		char one[2] = {*letter, '\0'};
		if (s->flags >> (strchr(flag_letters, *letter) - flag_letters) & 1)
			add(&l, one, 0, false);
	}
	if (!s->flags)
		add(&l, "-", 0, false);
	add(&l, " ", start, true);
	add(&l, ":", start + s->text_len, true);
	add(&l, "(", s->text_len, true);
	add(&l, ")", 0, false);
	if (s->flags & FLAG_A)
		add(&l, " ack ", s->ack - base->ack, true);
	if (with & WITH_WIN)
		add(&l, " win ", s->win, true);
	if (s->flags & FLAG_U)
		add(&l, " urg ", s->urg, true);
	if (with & WITH_OPTIONS)
		add_options(&l, s, base);
}

bool segment_line_matches(const char *pattern, const char *text)
{
	for (; *pattern; pattern++) {
		if (*pattern != '*') {
			if (*pattern != *text++)
				return false;
			continue;
		}
		size_t n = strspn(text, "-0123456789");
		if (n == 0)
			return false;
		text += n;
	}
	return *text == '\0';
}

/* ---- segment > wire -------------------------------------------------------------------------------------------- */

uint16_t frame_checksum(uint32_t sum, const uint8_t *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		sum += i % 2 ? p[i] : (uint32_t)p[i] << 8;
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)~sum;
}

static uint32_t pseudo_header(const uint8_t *frame, size_t tcp_len)
{
	return get16(frame + 12) + get16(frame + 14) + get16(frame + 16) + get16(frame + 18) + 6 + (uint32_t)tcp_len;
}

void frame_fix_checksums(uint8_t *frame, size_t n)
{
	put16(frame + 10, 0);
	put16(frame + 10, frame_checksum(0, frame, IP_HEADER));
	put16(frame + IP_HEADER + 16, 0);
	put16(frame + IP_HEADER + 16, frame_checksum(pseudo_header(frame, n - IP_HEADER), frame + IP_HEADER, n - IP_HEADER));
}

size_t segment_emit(const struct segment *s, const struct segment_path *path, uint32_t base_seq, uint8_t *frame)
{
	uint8_t *tcp = frame + IP_HEADER;
	size_t header = IP_HEADER + 20u + s->options_len;
	uint32_t first = s->seq - base_seq + (s->flags & FLAG_S ? 1 : 0);

	memset(frame, 0, header);
	frame[0] = 0x45;
	put16(frame + 2, (uint32_t)header + s->text_len);
	put16(frame + 6, 0x4000);
	frame[8] = 64;
	frame[9] = 6;
	put32(frame + 12, path->src);
	put32(frame + 16, path->dst);
	put16(tcp, path->src_port);
	put16(tcp + 2, path->dst_port);
	put32(tcp + 4, s->seq);
	put32(tcp + 8, s->ack);
	tcp[12] = (uint8_t)((20 + s->options_len) / 4 << 4);
	tcp[13] = s->flags;
	put16(tcp + 14, s->win);
	put16(tcp + 18, s->urg);
	memcpy(tcp + 20, s->options, s->options_len);
	for (uint32_t i = 0; i < s->text_len; i++)
		frame[header + i] = stream_byte(first + i);
	frame_fix_checksums(frame, header + s->text_len);
	return header + s->text_len;
}

const char *segment_read(const uint8_t *frame, size_t n, struct segment_path *path, struct segment *s)
{
	if (n < IP_HEADER + 20 || frame[0] != 0x45 || get16(frame + 2) != n || frame[9] != 6)
		return "not an IPv4 datagram with a TCP segment, without IP options, of the length it says";
	if (frame_checksum(0, frame, IP_HEADER) != 0)
		return "the IP header checksum is wrong";
	if (frame_checksum(pseudo_header(frame, n - IP_HEADER), frame + IP_HEADER, n - IP_HEADER) != 0)
		return "the TCP checksum is wrong";
	const uint8_t *tcp = frame + IP_HEADER;
	size_t header = (size_t)(tcp[12] >> 4) * 4;
	if (header < 20 || header > n - IP_HEADER)
		return "the data offset is out of range";
	*path = (struct segment_path){
		.src = get32(frame + 12), .dst = get32(frame + 16),
		.src_port = (uint16_t)get16(tcp), .dst_port = (uint16_t)get16(tcp + 2)
	};
	*s = (struct segment){
		.seq = get32(tcp + 4), .ack = get32(tcp + 8), .flags = tcp[13], .win = (uint16_t)get16(tcp + 14),
		.urg = (uint16_t)get16(tcp + 18), .text_len = (uint32_t)(n - IP_HEADER - header), .has_win = true,
		.options_len = (uint8_t)(header - 20)
	};
	memcpy(s->options, tcp + 20, s->options_len);
	return NULL;
}

bool segment_timestamp(const struct segment *s, uint32_t *val)
{
	const uint8_t *p = find_option(s, 8);

	if (p)
		*val = get32(p + 2);
	return p != NULL;
}
