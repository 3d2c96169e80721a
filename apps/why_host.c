/* why_host.c: a stack of ours in the place of a recorded host, in virtual time. See why_replay.h.
 *
 * It has the host's ISS (config.isn) and agrees to the same options, so that numbers need no translation; addresses do, since a
 * capture may be of any, loopback too. It hears the peer's segments, made anew from their fields, and its program does what the
 * host's must have done. What the two may do at different times must not lead them apart: the stack acknowledges at once; an
 * ACK of what the host had sent already, but the stack not yet, is kept back until it has (ack_when_sent). */
#include <stdlib.h>
#include <string.h>

#include "why_replay.h"

#define OUR_ADDR tapir_ipv4(10, 0, 0, 2)
#define THEIR_ADDR tapir_ipv4(10, 0, 0, 1)
#define WINDOW_MAX (64u << 20)
#define IP_HEADER 20u
#define TCP_HEADER_MAX 60u
#define SCRATCH 65536u
#define FRAMES_MAX 100000u		/* that one event may cause */
#define TIMERS_MAX 2000u		/* between two frames: a capture may say that years lie there */

/* --- what the stack tells --- */

/* What the event is about, as a reader of the capture would see it: what leaves, or what the stack hears. */
static bool segment_of(const struct why_host *h, const struct tapir_event *e, struct why_segment *s)
{
	const struct why_record *r = h->hears;
	bool leaves = e->kind == TAPIR_EV_SEGMENT_OUT || e->kind == TAPIR_EV_RETRANSMIT;
	if (leaves) {
		uint8_t flags = e->u.segment.flags;
		*s = (struct why_segment){ .seq = e->u.segment.seq - h->conn->iss[h->side],
					   .ack = e->u.segment.ack - h->conn->iss[h->peer] };
		s->is.tcp.fin = flags & 1;
		s->is.tcp.syn = flags & 2;
		s->is.tcp.rst = flags & 4;
		s->is.tcp.has_ack = flags & 16;
		s->end = s->seq + e->u.segment.len;
		s->is.text.n = e->u.segment.len - s->is.tcp.fin - s->is.tcp.syn;
	} else if (r) {
		*s = (struct why_segment){ .is = r->is, .seq = (uint32_t)r->seq, .end = (uint32_t)r->end, .ack = (uint32_t)r->ack,
					   .rcv_nxt = (uint32_t)h->rcv_nxt, .una = (uint32_t)h->peer_ack,
					   .nxt = (uint32_t)h->sent };
		s->edge = s->rcv_nxt + tapir_get_config(h->stack)->rcvbuf;
	}
	return leaves || r;
}

static void probe(void *ctx, const struct tapir_event *e)
{
	struct why_segment s;
	struct why_host *h = ctx;
	if (e->kind == TAPIR_EV_ACK_OWED)
		h->why = e->why;
	if (e->kind == TAPIR_EV_RETRANSMIT) {
		h->again_us = e->now_us;
		h->again_why = e->why;
	}
	if (!h->out || e->kind == TAPIR_EV_SEGMENT_IN || e->kind == TAPIR_EV_TIMER_ARMED || e->kind == TAPIR_EV_BUFFER ||
	    e->kind == TAPIR_EV_ARP || (e->kind == TAPIR_EV_VERDICT && e->u.verdict.verdict == ACCEPT))
		return;
	struct why_line l = { .at_us = e->now_us - h->start_us, .frame = h->hears ? h->hears->frame : 0,
			      .from = h->conn->ends[h->side], .to = h->conn->ends[h->peer] };
	why_event_say(&l, e, segment_of(h, e, &s) ? &s : NULL);
	why_out_line(h->out, &l);
}

/* --- making it --- */

static uint32_t window_of(const struct why_conn *c, int side)
{
	const struct why_record *mine = why_conn_find(c, side, 0, why_is_syn), *other = why_conn_find(c, !side, 0, why_is_syn);
	uint8_t shift = mine && other && mine->is.has_wscale && other->is.has_wscale ? mine->is.wscale : 0;
	uint64_t most = 4096;
	for (size_t i = 0; i < c->count; i++)
		if (c->rows[i].from == side && !c->rows[i].is.tcp.rst) {
			uint64_t wnd = (uint64_t)c->rows[i].is.wnd << (c->rows[i].is.tcp.syn ? 0 : shift);
			most = wnd > most ? wnd : most;
		}
	return most < WINDOW_MAX ? (uint32_t)most : WINDOW_MAX;
}

static void configure(struct tapir_config *c, struct why_host *h)
{
	const struct why_record *syn = why_conn_find(h->conn, h->side, 0, why_is_syn);
	uint32_t mtu = syn && syn->is.mss ? syn->is.mss + 40u : 1500u;
	tapir_config_default(c);
	c->ip_only = true;
	c->addr = OUR_ADDR;
	c->mtu = (uint16_t)(mtu < 576 ? 576 : mtu > 65535 ? 65535 : mtu);
	c->offload = (struct tapir_offload_caps){ .csum = true, .tso4 = true };
	c->seed[0] = 1;
	c->isn = h->conn->iss[h->side];
	c->max_sockets = c->max_conns = c->max_half_open = c->max_time_wait = 8;
	c->small_frames = 2048;
	c->large_frames = 64;
	c->rcvbuf = c->rcvbuf_max = window_of(h->conn, h->side);
	c->sndbuf = c->sndbuf_max = 1u << 30;
	c->timestamps = !syn || syn->is.has_ts;
	c->sack = !syn || syn->is.sack_permitted;
	c->window_scale = !syn || syn->is.has_wscale;
	c->initial_window = UINT16_MAX;
	c->delack_us = 0;
	c->nagle = false;
	c->retries2 = c->orphan_retries = 255;
	c->orphan_us = 365 * 86400 * TAPIR_SEC;
	c->challenge_acks = 1000000;
	c->challenge_interval_us = 0;
	c->syn_cookies = 0;
	c->fastopen = 0;
	c->probe = probe;
	c->probe_ctx = h;
}

static bool is_refusal(const struct why_record *r) { return r->is.tcp.rst && r->seq == 0; }
static bool is_syn_ack(const struct why_record *r) { return r->is.tcp.syn && r->is.tcp.has_ack; }

bool why_host_begin(struct why_host *h, const struct why_conn *c, int side, struct why_place *place)
{
	struct tapir_config config;
	h->conn = c;
	h->side = side;
	h->peer = !side;
	h->listener = h->sd = -1;
	h->why = h->again_why = "";
	configure(&config, h);
	size_t size = tapir_size(&config);
	if (size == 0)
		return false;
	if (size > place->room) {
		free(place->memory);
		place->memory = aligned_alloc(64, (size + 63) & ~(size_t)63);
		place->room = place->memory ? size : 0;
	}
	h->stack = place->memory ? tapir_init(place->memory, &config, c->rows[0].at_us) : NULL;
	if (!h->stack)
		return false;
	if (why_conn_find(c, side, 0, is_refusal) && !why_conn_find(c, side, 0, is_syn_ack))
		return true;		/* nobody listens */
	struct tapir_endpoint local = { OUR_ADDR, c->ends[side].port };
	tapir_sd sd = tapir_socket(h->stack, TAPIR_SOCK_STREAM);
	tapir_bind(h->stack, sd, &local);
	if (why_conn_find(c, side, 0, is_syn_ack)) {
		tapir_listen(h->stack, sd, 8);
		h->listener = sd;
	} else {
		h->sd = sd;
	}
	return true;
}

/* --- frames out --- */

static void take_answer(struct why_host *h, const struct trace_segment *s)
{
	uint64_t seq = why_octet(h->conn, h->side, s->tcp.seq, h->sent), end = seq + s->tcp.len;
	uint64_t ack = s->tcp.has_ack ? why_octet(h->conn, h->peer, s->tcp.ack, h->rcv_nxt) : 0;
	if (s->tcp.rst) {
		h->answer = WHY_ANSWER_RST;
		return;
	}
	if (s->tcp.syn && s->has_ts)	/* the host's clock against ours */
		h->ts_val = s->ts_val;
	h->sent = end > h->sent ? end : h->sent;
	if (!s->tcp.has_ack)
		return;
	h->rcv_nxt = ack > h->rcv_nxt ? ack : h->rcv_nxt;
	h->answer = s->tcp.syn ? WHY_ANSWER_SYN_ACK : WHY_ANSWER_ACK;
	h->answer_ack = ack;
}

static void take_output(struct why_host *h)
{
	static uint8_t bytes[SCRATCH + 256];
	struct tapir_out out;
	for (unsigned i = 0; i < FRAMES_MAX && tapir_output(h->stack, &out); i++) {
		struct trace_segment s;
		if (out.len > sizeof bytes)
			continue;
		tapir_out_copy(&out, bytes, true);
		if (trace_find_segment((struct span){ bytes, out.len }, true, &s))
			take_answer(h, &s);
	}
}

/* What the program reads is gone at once. */
static void read_all(struct why_host *h)
{
	static uint8_t bytes[SCRATCH];
	struct tapir_endpoint peer;
	if (h->sd < 0 && h->listener >= 0)
		h->sd = tapir_accept(h->stack, h->listener, &peer);
	while (h->sd >= 0 && tapir_recv(h->stack, h->sd, bytes, sizeof bytes) > 0)
		;
}

static void settle(struct why_host *h)
{
	take_output(h);
	read_all(h);
	take_output(h);
}

/* --- frames in --- */

static void put16(uint8_t *p, uint32_t v) { p[0] = (uint8_t)(v >> 8); p[1] = (uint8_t)v; }
static void put32(uint8_t *p, uint32_t v) { put16(p, v >> 16); put16(p + 2, v & 0xffff); }

/* RFC 1071: of the IP header; the TCP checksum is vouched for. */
static void put_ip(uint8_t *p, uint32_t len, bool ce)
{
	struct tapir_addr from = THEIR_ADDR, to = OUR_ADDR;
	uint32_t sum = 0;
	memset(p, 0, IP_HEADER);
	p[0] = 0x45;
	p[1] = ce ? 3 : 0;
	put16(p + 2, len);
	p[8] = 64;
	p[9] = 6;
	memcpy(p + 12, from.b + 12, 4);
	memcpy(p + 16, to.b + 12, 4);
	for (int i = 0; i < (int)IP_HEADER; i += 2)
		sum += (uint32_t)p[i] << 8 | p[i + 1];
	sum = (sum & 0xffff) + (sum >> 16);
	put16(p + 10, ~(sum + (sum >> 16)) & 0xffff);
}

/* Returns how many bytes; the stack's own order does not matter. */
static uint32_t put_options(uint8_t *p, const struct trace_segment *s, uint32_t ecr)
{
	uint8_t *at = p;
	if (s->tcp.syn && s->mss)
		*at++ = 2, *at++ = 4, put16(at, s->mss), at += 2;
	if (s->tcp.syn && s->sack_permitted)
		*at++ = 4, *at++ = 2;
	if (s->tcp.syn && s->has_wscale)
		*at++ = 3, *at++ = 3, *at++ = s->wscale;
	if (s->has_ts)
		*at++ = 8, *at++ = 10, put32(at, s->ts_val), put32(at + 4, ecr), at += 8;
	uint8_t room = (uint8_t)((40 - (at - p) - 2) / 8), count = s->sack_count < room ? s->sack_count : room;
	if (count > 0 && !s->tcp.syn) {
		*at++ = 5, *at++ = (uint8_t)(2 + 8 * count);
		for (uint8_t i = 0; i < count; i++, at += 8)
			put32(at, s->sack[i].start), put32(at + 4, s->sack[i].end);
	}
	while ((at - p) % 4)
		*at++ = 1;
	return (uint32_t)(at - p);
}

struct heard { struct trace_segment is; uint64_t seq, ack; uint32_t text; };

static uint8_t flags_of(const struct trace_segment *s)
{
	return (uint8_t)(s->tcp.fin * 1 | s->tcp.syn * 2 | s->tcp.rst * 4 | s->tcp.has_ack * 16 | s->ece * 64 | s->cwr * 128);
}

static enum tapir_verdict input(struct why_host *h, const struct heard *m)
{
	struct tapir_frame *f = tapir_frame_get(h->stack);
	const struct why_conn *c = h->conn;
	if (!f)
		return DROP_NO_MEMORY;
	uint8_t *tcp = f->data + IP_HEADER;
	uint32_t options = put_options(tcp + 20, &m->is, m->is.ts_ecr ? m->is.ts_ecr + h->ts_offset : 0), header = 20 + options;
	uint32_t text = m->text < f->room - IP_HEADER - header ? m->text : f->room - IP_HEADER - header;
	put16(tcp, c->ends[h->peer].port);
	put16(tcp + 2, c->ends[h->side].port);
	put32(tcp + 4, c->iss[h->peer] + (uint32_t)m->seq);
	put32(tcp + 8, m->is.tcp.has_ack ? c->iss[h->side] + (uint32_t)m->ack : 0);
	tcp[12] = (uint8_t)(header / 4 << 4);
	tcp[13] = flags_of(&m->is);
	put16(tcp + 14, m->is.wnd);
	put32(tcp + 16, 0);
	memset(tcp + header, 0, text);
	f->len = IP_HEADER + header + text;
	put_ip(f->data, f->len, false);
	f->offload = (struct tapir_offload){ .csum = TAPIR_CSUM_VALID };
	if (text > 1460)
		f->offload = (struct tapir_offload){ .csum = TAPIR_CSUM_VALID, .gso = TAPIR_GSO_TCP4, .gso_size = 1460,
						     .hdr_len = (uint16_t)(IP_HEADER + header) };
	return tapir_input(h->stack, f);
}

/* An ACK that was kept back is due as far as the stack has sent by now. */
static void ack_when_sent(struct why_host *h, const struct why_record *like)
{
	uint64_t before = 0;
	enum why_answer answer = h->answer;
	for (int i = 0; i < 1000 && h->sent != before && h->peer_ack > 0 && h->sent <= h->peer_ack; i++) {
		struct heard m = { .is = like->is, .seq = h->rcv_nxt, .ack = h->sent };
		m.is.tcp.syn = m.is.tcp.fin = m.is.tcp.rst = false;
		m.is.tcp.has_ack = true;
		m.is.ts_val = h->ts_recent;	/* that of text from behind a hole would be TS.Recent too early: PAWS */
		m.is.sack_count = 0;
		before = h->sent;
		input(h, &m);
		settle(h);
	}
	h->answer = answer;
}

void why_host_hears(struct why_host *h, const struct why_record *r, uint64_t text_end)
{
	struct heard m = { .is = r->is, .seq = r->seq, .ack = r->ack, .text = r->text };
	if (r->is.has_ts && (r->is.tcp.syn || (r->seq <= h->rcv_nxt && (int32_t)(r->is.ts_val - h->ts_recent) >= 0)))
		h->ts_recent = r->is.ts_val;
	h->hears = r;
	h->why = "";
	h->answer = WHY_ANSWER_NONE;
	if (r->seq + r->text > text_end) {
		m.text = text_end > r->seq ? (uint32_t)(text_end - r->seq) : 0;
		m.seq = m.text ? r->seq : h->rcv_nxt;
		m.is.tcp.fin = false;
	}
	if (r->is.tcp.has_ack && !r->is.tcp.rst && r->ack <= h->written && r->ack > h->peer_ack)
		h->peer_ack = r->ack;
	if (r->is.tcp.has_ack && r->ack > h->sent && r->ack <= h->written)
		m.ack = h->sent;
	h->verdict = input(h, &m);
	h->reset = h->reset || (r->is.tcp.rst && h->verdict == ACCEPT);
	settle(h);
	ack_when_sent(h, r);
	h->hears = NULL;
}

void why_host_fills(struct why_host *h, uint64_t to)
{
	static const struct trace_segment plain = { .tcp.has_ack = true, .wnd = UINT16_MAX };
	while (h->rcv_nxt < to) {
		uint64_t before = h->rcv_nxt, left = to - before;
		struct heard m = { .is = plain, .seq = before, .ack = h->sent, .text = left < 1400 ? (uint32_t)left : 1400 };
		input(h, &m);
		settle(h);
		if (h->rcv_nxt <= before)
			return;
	}
}

/* --- time, and the program --- */

void why_host_run(struct why_host *h, usec_t until_us)
{
	usec_t due_us;
	for (unsigned i = 0; i < TIMERS_MAX && (due_us = tapir_deadline(h->stack)) < until_us; i++) {
		tapir_tick(h->stack, due_us);
		settle(h);
	}
	tapir_tick(h->stack, until_us);
	settle(h);
}

static void write_up_to(struct why_host *h, uint64_t end)
{
	static const uint8_t zeros[SCRATCH];
	h->written = h->written ? h->written : 1;
	while (h->sd >= 0 && !h->closed && h->written < end) {
		size_t n = end - h->written < sizeof zeros ? (size_t)(end - h->written) : sizeof zeros;
		if (tapir_send_borrowed(h->stack, h->sd, zeros, n, NULL, NULL) < 0)
			return;
		h->written += n;
	}
}

void why_host_acts(struct why_host *h, const struct why_record *r, bool closes)
{
	struct tapir_endpoint peer = { THEIR_ADDR, h->conn->ends[h->peer].port };
	if (r->is.tcp.syn) {
		if (!r->is.tcp.has_ack && !h->opened && h->sd >= 0)
			tapir_connect(h->stack, h->sd, &peer);
		h->opened = true;
		h->written = h->written ? h->written : 1;
		take_output(h);
		if (r->is.has_ts && h->ts_val)
			h->ts_offset = h->ts_val - r->is.ts_val;
		return;
	}
	read_all(h);
	if (r->text > 0 && !r->is.tcp.rst)
		write_up_to(h, r->seq + r->text);
	if (r->is.tcp.fin && !h->closed && h->sd >= 0) {
		write_up_to(h, r->end - 1);
		if (closes)
			tapir_close(h->stack, h->sd);
		else
			tapir_shutdown(h->stack, h->sd, TAPIR_SHUT_WR);
		h->sd = closes ? -1 : h->sd;
		h->written++;
		h->closed = true;
	}
	settle(h);
}

void why_host_aborts(struct why_host *h)
{
	if (h->sd >= 0)
		tapir_abort(h->stack, h->sd);
	h->sd = -1;
	settle(h);
}
