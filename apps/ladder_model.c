/* ladder_model.c: frames become connections, their segments, and, when all are known, the rungs of ladder.h.
 *
 * States are told from the segments by RFC 9293 3.3.2 figure 5 (inferred.h), of which one that was lost never reaches the
 * other side. Since a loss only shows later, segments are kept, some 80 bytes each, and the states told at the end. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "inferred.h"
#include "ladder.h"
#include "ladder_flight.h"

#define TEXT_BYTES 160

struct segment {
	usec_t at_us;
	size_t text;			/* where in the connection's texts */
	uint32_t seq, ack, len;
	uint8_t from;
	uint8_t fate, order;		/* enum ladder_fate, ladder_order */
	bool syn, fin, rst, has_ack;
};
struct conn {
	struct ladder_conn drawn;
	size_t hash_next;		/* of the connections, plus one; 0: none */
	struct inferred inferred;	/* as if all had arrived: tells the sides, and where a connection ends */
	struct flight flight[2];
	struct segment *segments;
	size_t count, room;
	char *texts;
	size_t text_len, text_room;
	size_t rung_room;
};
struct ladder {
	struct ladder_options o;
	struct conn *conns;		/* oldest first */
	size_t count, room;
	size_t buckets[INFERRED_BUCKETS];	/* the latest of each, plus one; 0: none */
	usec_t start_us;
	bool started, failed;
};

/* Makes room for one more at least. False: there is no memory. */
static bool grow(void **list, size_t *room, size_t needed, size_t size)
{
	size_t more = *room ? *room : 16;
	if (needed <= *room)
		return true;
	while (more < needed)
		more *= 2;
	void *larger = realloc(*list, more * size);
	if (!larger)
		return false;
	*list = larger;
	*room = more;
	return true;
}

struct ladder *ladder_new(const struct ladder_options *o)
{
	struct ladder *l = calloc(1, sizeof *l);
	if (l)
		l->o = *o;
	return l;
}

void ladder_free(struct ladder *l)
{
	for (size_t i = 0; i < l->count; i++) {
		struct conn *c = &l->conns[i];
		flight_free(&c->flight[0]);
		flight_free(&c->flight[1]);
		free(c->segments);
		free(c->texts);
		free(c->drawn.rungs);
	}
	free(l->conns);
	free(l);
}

size_t ladder_count(const struct ladder *l) { return l->count; }
const struct ladder_conn *ladder_conn(const struct ladder *l, size_t i) { return &l->conns[i].drawn; }
bool ladder_failed(const struct ladder *l) { return l->failed; }

/* --- frames to segments --- */

static struct conn *conn_new(struct ladder *l, const struct trace_tcp *s)
{
	size_t *bucket = &l->buckets[inferred_bucket(s)];
	if (!grow((void **)&l->conns, &l->room, l->count + 1, sizeof *l->conns))
		return NULL;
	struct conn *c = &l->conns[l->count++];
	*c = (struct conn){ .hash_next = *bucket };
	*bucket = l->count;
	inferred_begin(&c->inferred, s);
	flight_init(&c->flight[0]);
	flight_init(&c->flight[1]);
	for (int i = 0; i < 2; i++) {
		c->drawn.who[i] = c->inferred.side[i].who;
		c->drawn.first[i] = c->inferred.side[i].state;
	}
	return c;
}

static struct conn *conn_of(struct ladder *l, const struct trace_tcp *s)
{
	size_t i = l->buckets[inferred_bucket(s)];
	while (i && inferred_sender(&l->conns[i - 1].inferred, s) < 0)
		i = l->conns[i - 1].hash_next;
	return i && !inferred_is_new(&l->conns[i - 1].inferred, s) ? &l->conns[i - 1] : conn_new(l, s);
}

/* Leaves out of "S 0:0(0) win 64240 <mss 1460,sackOK,TS val 1 ecr 0,nop,wscale 7>" what tells nothing here: padding, the
 * timestamps' values; and, when it is no SYN, all of the options and the window, whose scale the reader would have to know. */
static void shorten_text(char *text, bool syn)
{
	char *options = strstr(text, " <"), *win = strstr(text, " win "), *end;
	if (!syn) {
		if (win)
			*win = '\0';
		return;
	}
	for (char *nop; options && (nop = strstr(options, "nop,"));)
		memmove(nop, nop + 4, strlen(nop + 4) + 1);
	char *val = options ? strstr(options, " val ") : NULL;
	if (val && (end = strpbrk(val, ",>")))
		memmove(val, end, strlen(end) + 1);
}

/* Keeps the segment's text; false: there is no memory. */
static bool keep_text(struct conn *c, const struct segment *s, const struct ladder_frame *f)
{
	const struct inferred_side *sender = &c->inferred.side[s->from], *other = &c->inferred.side[!s->from];
	struct trace_options how = {
		.ip_only = f->ip_only, .relative = true, .seq_base = sender->iss, .ack_base = other->has_iss ? other->iss : 0,
	};
	char text[TEXT_BYTES];
	trace_format(text, sizeof text, f->bytes, &how);
	shorten_text(text, s->syn);
	size_t n = strlen(text) + 1;
	if (!grow((void **)&c->texts, &c->text_room, c->text_len + n, 1))
		return false;
	memcpy(c->texts + c->text_len, text, n);
	c->text_len += n;
	return true;
}

/* Whatever the side sends, it also says what it has. */
static void take_acks(struct conn *c, const struct trace_segment *s, int from, usec_t at_us)
{
	struct flight *f = &c->flight[!from];
	for (size_t i = 0; s->tcp.has_ack && i < s->sack_count; i++) {
		/* RFC 2883 4: the first block is told twice if it lies below the ACK, or inside the second one. */
		bool below = (int32_t)(s->tcp.ack - s->sack[i].end) >= 0;
		bool inside = s->sack_count > 1 && (int32_t)(s->sack[0].start - s->sack[1].start) >= 0 &&
			      (int32_t)(s->sack[1].end - s->sack[0].end) >= 0;
		flight_sacked(f, &(struct flight_block){
			.start = s->sack[i].start, .end = s->sack[i].end, .twice = i == 0 && (below || inside), .at_us = at_us });
	}
	if (s->tcp.has_ack)
		flight_acked(f, s->tcp.ack, at_us);
}

static void take_octets(struct conn *c, const struct trace_tcp *s, size_t id)
{
	static const uint8_t orders[] = { [FLIGHT_NEW] = LADDER_NEW, [FLIGHT_AGAIN] = LADDER_AGAIN, [FLIGHT_LATE] = LADDER_LATE };
	struct segment *mine = &c->segments[id];
	struct flight_item item = { .id = id, .seq = s->seq, .end = s->seq + s->len, .at_us = mine->at_us };
	if (s->len == 0 || s->rst)
		return;
	struct flight_news news = flight_sent(&c->flight[mine->from], &item);
	mine->order = orders[news.order];
	if (news.lost != FLIGHT_NONE && c->segments[news.lost].fate == LADDER_ARRIVED)
		c->segments[news.lost].fate = LADDER_SEEMS_LOST;
}

static bool take_segment(struct ladder *l, const struct trace_segment *whole, const struct ladder_frame *f)
{
	const struct trace_tcp *s = &whole->tcp;
	struct conn *c = conn_of(l, s);
	if (!c || !grow((void **)&c->segments, &c->room, c->count + 1, sizeof *c->segments))
		return false;
	int from = inferred_sender(&c->inferred, s);
	struct segment *mine = &c->segments[c->count];
	*mine = (struct segment){
		.at_us = f->at_us - l->start_us, .text = c->text_len, .seq = s->seq, .ack = s->ack, .len = s->len,
		.from = (uint8_t)from, .fate = f->lost ? LADDER_LOST : LADDER_ARRIVED,
		.syn = s->syn, .fin = s->fin, .rst = s->rst, .has_ack = s->has_ack,
	};
	inferred_segment(&c->inferred, s);
	if (!keep_text(c, mine, f))
		return false;
	if (!f->lost)
		take_acks(c, whole, from, mine->at_us);
	take_octets(c, s, c->count++);
	return true;
}

void ladder_take(struct ladder *l, const struct ladder_frame *f)
{
	struct trace_segment s;
	const struct trace_tcp *t = &s.tcp;
	if (!l->started)
		l->start_us = f->at_us;
	l->started = true;
	if (!trace_find_segment(f->bytes, f->ip_only, &s) || (l->o.port && t->src.port != l->o.port && t->dst.port != l->o.port))
		return;
	l->failed = !take_segment(l, &s, f) || l->failed;
}

/* --- segments to rungs --- */

static struct ladder_rung *rung_new(struct conn *c)
{
	if (!grow((void **)&c->drawn.rungs, &c->rung_room, c->drawn.count + 1, sizeof *c->drawn.rungs))
		return NULL;
	struct ladder_rung *r = &c->drawn.rungs[c->drawn.count++];
	*r = (struct ladder_rung){ .from = -1 };
	return r;
}

/* Adds to the last rung that only counts, or makes one. */
static struct ladder_rung *counting_rung(struct conn *c, const struct segment *s)
{
	struct ladder_rung *r = c->drawn.count ? &c->drawn.rungs[c->drawn.count - 1] : NULL;
	if (r && r->from < 0)
		return r;
	r = rung_new(c);
	if (r)
		r->at_us = s->at_us;
	return r;
}

/* The octets of text. */
static uint32_t octets_of(const struct segment *s)
{
	return s->len - s->syn - s->fin;
}

static void add(struct ladder_rung *to, const struct ladder_rung *r)
{
	to->end_us = r->end_us;
	to->count += r->count;
	to->again += r->again;
	to->lost += r->lost;
	to->bytes[0] += r->bytes[0];
	to->bytes[1] += r->bytes[1];
}

static bool take_rung(const struct ladder *l, struct conn *c, struct inferred *now, const struct segment *s)
{
	const struct trace_tcp tcp = {
		.src = c->drawn.who[s->from], .dst = c->drawn.who[!s->from], .seq = s->seq, .ack = s->ack, .len = s->len,
		.syn = s->syn, .fin = s->fin, .rst = s->rst, .has_ack = s->has_ack,
	};
	bool changed = s->fate == LADDER_ARRIVED ? inferred_segment(now, &tcp) : inferred_lost_segment(now, &tcp);
	bool counted = !changed && !l->o.all && !s->syn && !s->fin && !s->rst;
	struct ladder_rung one = {
		.at_us = s->at_us, .end_us = s->at_us, .from = s->from, .state = { now->side[0].state, now->side[1].state },
		.fate = s->fate, .order = s->order, .text = c->texts + s->text,
		.count = 1, .again = s->order == LADDER_AGAIN, .lost = s->fate != LADDER_ARRIVED,
	};
	one.bytes[s->from] = octets_of(s);
	struct ladder_rung *r = counted ? counting_rung(c, s) : rung_new(c);
	if (!r)
		return false;
	if (!counted) {
		*r = one;
		return true;
	}
	r->state[0] = one.state[0];
	r->state[1] = one.state[1];
	add(r, &one);
	return true;
}

static void acquit(struct conn *c, struct flight *f)
{
	flight_finish(f);
	for (size_t i = 0; i < f->suspect_count; i++) {
		struct segment *s = &c->segments[f->suspects[i].id];
		if (s->fate == LADDER_SEEMS_LOST && f->suspects[i].arrived)
			s->fate = LADDER_ARRIVED;
	}
}

static bool finish_conn(const struct ladder *l, struct conn *c)
{
	struct inferred now = c->inferred;
	for (int i = 0; i < 2; i++) {
		now.side[i] = (struct inferred_side){ .who = c->drawn.who[i], .state = c->drawn.first[i] };
		acquit(c, &c->flight[i]);
		/* An answer goes to the other side and comes back: twice the way. */
		c->drawn.delay_us[!i] = c->flight[i].rtt_us == USEC_NEVER ? 0 : c->flight[i].rtt_us / 2;
		flight_free(&c->flight[i]);
	}
	for (size_t i = 0; i < c->count; i++)
		if (!take_rung(l, c, &now, &c->segments[i]))
			return false;
	free(c->segments);
	c->segments = NULL;
	return true;
}

void ladder_finish(struct ladder *l)
{
	for (size_t i = 0; i < l->count; i++)
		l->failed = !finish_conn(l, &l->conns[i]) || l->failed;
}

void ladder_shorten(struct ladder *l, size_t i, size_t rungs)
{
	struct ladder_conn *c = &l->conns[i].drawn;
	size_t before = (rungs - 1) / 2, behind = rungs - 1 - before;
	if (c->count <= rungs)
		return;
	struct ladder_rung middle = { .from = -1, .at_us = c->rungs[before].at_us, .left_out = true };
	for (size_t n = before; n < c->count - behind; n++)
		add(&middle, &c->rungs[n]);
	memcpy(middle.state, c->rungs[c->count - behind - 1].state, sizeof middle.state);
	c->rungs[before] = middle;
	memmove(c->rungs + before + 1, c->rungs + c->count - behind, behind * sizeof *c->rungs);
	c->count = rungs;
}

/* --- words --- */

void ladder_endpoint(char text[LADDER_ENDPOINT], const struct tapir_endpoint *e)
{
	char addr[TAPIR_ADDR_TEXT];
	snprintf(text, LADDER_ENDPOINT, "%s:%u", tapir_addr_format(&e->addr, addr), e->port);
}

void ladder_time(char text[LADDER_TIME], usec_t us)
{
	snprintf(text, LADDER_TIME, "%" PRIu64 ".%06" PRIu64, (uint64_t)(us / TAPIR_SEC), (uint64_t)(us % TAPIR_SEC));
}

void ladder_duration(char text[LADDER_TIME], usec_t us)
{
	if (us >= TAPIR_SEC - TAPIR_MS / 2)
		snprintf(text, LADDER_TIME, "%.3f s", (double)us / 1e6);
	else
		snprintf(text, LADDER_TIME, "%.*f ms", us < 10 * TAPIR_MS ? 2 : us < 100 * TAPIR_MS ? 1 : 0, (double)us / 1e3);
}

void ladder_remark(char *text, size_t size, const struct ladder_rung *r)
{
	static const enum text fates[] = { TEXTS, TEXT_SEEMS_LOST, TEXT_LOST }, orders[] = { TEXTS, TEXT_AGAIN, TEXT_LATE };
	const char *order = r->order == LADDER_NEW ? "" : text_of(orders[r->order]);
	const char *fate = r->fate == LADDER_ARRIVED ? "" : text_of(fates[r->fate]);
	snprintf(text, size, "%s%s%s", order, *order && *fate ? text_of(TEXT_COMMA) : "", fate);
}

void ladder_counted(char *text, size_t size, const struct ladder_rung *r)
{
	enum text format = r->left_out ? TEXT_LEFT_OUT : r->count == 1 ? TEXT_ONE_SEGMENT : TEXT_SEGMENTS;
	unsigned long long count = r->count, left = r->bytes[0], right = r->bytes[1];
	size_t n = (size_t)snprintf(text, size, text_of(format), count, left, right);
	if (r->lost && n < size)
		n += (size_t)snprintf(text + n, size - n, text_of(TEXT_SOME_LOST), (unsigned long long)r->lost);
	if (r->again && n < size)
		snprintf(text + n, size - n, text_of(TEXT_SOME_AGAIN), (unsigned long long)r->again);
}
