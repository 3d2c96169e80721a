/* why_conn.c: a recorded connection: its segments in 64-bit octets, and which octets were ever seen. See why_replay.h. */
#include <stdlib.h>
#include <string.h>

#include "why_replay.h"

/* --- ranges --- */

bool why_ranges_add(struct why_ranges *r, uint64_t from, uint64_t to)
{
	size_t i = r->count, j;
	if (from >= to)
		return true;
	while (i > 0 && r->rows[i - 1].to >= from)
		i--;
	for (j = i; j < r->count && r->rows[j].from <= to; j++) {
		from = r->rows[j].from < from ? r->rows[j].from : from;
		to = r->rows[j].to > to ? r->rows[j].to : to;
	}
	if (i == j && r->count == r->room) {
		size_t room = r->room ? 2 * r->room : 8;
		struct why_range *rows = realloc(r->rows, room * sizeof *rows);
		if (!rows)
			return false;
		r->rows = rows;
		r->room = room;
	}
	if (j < r->count || i == j)
		memmove(r->rows + i + 1, r->rows + j, (r->count - j) * sizeof *r->rows);
	r->rows[i] = (struct why_range){ from, to };
	r->count += 1 + i;
	r->count -= j;
	return true;
}

uint64_t why_ranges_gap(const struct why_ranges *r, uint64_t from, uint64_t to)
{
	for (size_t i = 0; i < r->count && from < to; i++)
		if (r->rows[i].from <= from && r->rows[i].to > from)
			from = r->rows[i].to;
	return from < to ? from : to;
}

bool why_ranges_cover(const struct why_ranges *r, uint64_t from, uint64_t to)
{
	return why_ranges_gap(r, from, to) >= to;
}

/* --- the connection --- */

uint64_t why_octet(const struct why_conn *c, int side, uint32_t number, uint64_t near)
{
	int64_t octet = (int64_t)near + (int32_t)(number - c->iss[side] - (uint32_t)near);
	return octet > 0 ? (uint64_t)octet : 0;
}

static bool room_for_one(struct why_conn *c)
{
	if (c->count < c->room)
		return true;
	size_t room = c->room ? 2 * c->room : 8;
	struct why_record *rows = realloc(c->rows, room * sizeof *rows);
	if (!rows)
		return false;
	c->rows = rows;
	c->room = room;
	return true;
}

static void know_iss(struct why_conn *c, int side, uint32_t iss)
{
	if (!c->has_iss[side])
		c->iss[side] = iss;
	c->has_iss[side] = true;
}

/* A RST, or a number that is far away, says nothing about where the connection is. */
static void follow(struct why_conn *c, int side, uint64_t octet)
{
	if (octet > c->last[side] && octet - c->last[side] < 1u << 30)
		c->last[side] = octet;
}

bool why_conn_add(struct why_conn *c, const struct why_segment *s, usec_t at_us, uint64_t frame)
{
	const struct trace_tcp *tcp = &s->is.tcp;
	int from = s->from, other = !from;
	if (!room_for_one(c))
		return false;
	if (c->count == 0) {
		c->began = tcp->syn && !tcp->has_ack;
		c->ends[from] = tcp->src;
		c->ends[other] = tcp->dst;
	}
	know_iss(c, from, tcp->seq - !tcp->syn);
	if (tcp->has_ack && !tcp->rst)
		know_iss(c, other, tcp->ack - 1);
	struct why_record *r = &c->rows[c->count++];
	*r = (struct why_record){ .at_us = at_us, .frame = frame, .from = from, .is = s->is, .text = (uint32_t)s->is.text.n };
	r->is.text.p = NULL;
	r->seq = why_octet(c, from, tcp->seq, c->last[from]);
	r->end = r->seq + tcp->len;
	r->ack = tcp->has_ack ? why_octet(c, other, tcp->ack, c->last[other]) : 0;
	if (tcp->rst)
		return true;
	follow(c, from, r->end);
	c->most[from] = r->end > c->most[from] ? r->end : c->most[from];
	return why_ranges_add(&c->seen[from], r->seq, r->end);
}

void why_conn_free(struct why_conn *c)
{
	free(c->rows);
	free(c->seen[0].rows);
	free(c->seen[1].rows);
	free(c);
}

bool why_is_syn(const struct why_record *r) { return r->is.tcp.syn; }

const struct why_record *why_conn_find(const struct why_conn *c, int from, size_t after, bool (*is)(const struct why_record *r))
{
	for (size_t i = after; i < c->count; i++)
		if (c->rows[i].from == from && is(&c->rows[i]))
			return &c->rows[i];
	return NULL;
}
