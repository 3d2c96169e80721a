/* fuzz_input.c: the whole way in. The input is a script for one stack: frames from the wire, raw or built with right
 * checksums so that they get deep, steps of time, and what programs call. Some connections are open already when it begins,
 * and the script's segments aim at them with numbers near the right ones. After every event the invariants of TCP hold; at
 * the end all sockets are aborted, time passes, and every pool must be whole again. */
#include <assert.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include "stack/socket/socket.h"
#include "stack/wire/arp.h"
#include "stack/wire/eth.h"
#include "stack/wire/udp.h"

#define EVENTS_MAX 2000		/* of one script */
#define DEADLINES_MAX 20000	/* until the end has come */
#define PEERS 6
#define SOCKETS 16
#define ECHO_PORT 7
#define SERVICE_PORT 80
#define UDP_PORT 53
#define TEXT_BYTES 70000u
#define BATCH 100		/* frames of two runs, and some: the stack looks at 64 together */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct script { const uint8_t *p; size_t n; };
/* What the far end of a connection knows of it. */
struct peer { uint16_t port, to; seq_t next, seen; uint32_t ts; };
struct world {
	struct tapir *t;
	struct script in;
	usec_t now_us;
	bool ip_only, gso;		/* gso: the next frame has gso_size, whatever is in it */
	uint16_t gso_size;
	uint8_t mac[6];
	struct peer peers[PEERS];
	tapir_sd sds[SOCKETS];
	int sd_count, lent;
	struct tapir_frame *batch[BATCH];	/* frames that are to arrive together, as many as wanted */
	uint32_t waiting, wanted;
	uint8_t frame[66000];
	uint32_t frame_len;
};

static const uint8_t peer_mac[6] = {2, 0, 0, 0, 0, 1};
static uint8_t text[TEXT_BYTES];

/* --- the script --- */

static uint8_t take8(struct script *s)
{
	if (!s->n)
		return 0;
	s->n--;
	return *s->p++;
}

static uint16_t take16(struct script *s) { return (uint16_t)(take8(s) << 8 | take8(s)); }

static uint32_t take_bytes(struct script *s, uint8_t *to, uint32_t n)
{
	uint32_t got = n < s->n ? n : (uint32_t)s->n;

	if (got)
		memcpy(to, s->p, got);
	s->p += got;
	s->n -= got;
	return got;
}

static struct tapir_addr us(void) { return tapir_ipv4(10, 0, 0, 2); }
static struct tapir_addr far_end(void) { return tapir_ipv4(10, 0, 0, 1); }

static struct tapir_addr some_addr(uint8_t which)
{
	switch (which % 16) {
	case 0: return tapir_ipv4(10, 0, 0, 9);
	case 1: return tapir_ipv4(192, 0, 2, 1);
	case 2: return tapir_ipv4(10, 0, 0, 255);
	case 3: return tapir_ipv4(255, 255, 255, 255);
	case 4: return tapir_ipv4(224, 0, 0, 1);
	case 5: return tapir_ipv4(127, 0, 0, 1);
	case 6: return us();
	default: return far_end();
	}
}

/* --- frames in --- */

static void check(struct world *w) { tcp_check_all(w->t); }

static void arrive(struct world *w)
{
	tapir_input_batch(w->t, w->batch, w->waiting, NULL);
	w->waiting = 0;
	check(w);
}

static void give(struct world *w, const uint8_t *p, uint32_t n, enum tapir_csum csum)
{
	struct tapir_frame *f = tapir_frame_get(w->t);

	if (!f)
		return;
	if (n > f->room)
		n = f->room;
	memcpy(f->data, p, n);
	f->len = n;
	f->offload.csum = csum;
	if (w->gso) {
		f->offload.gso = TAPIR_GSO_UDP;
		f->offload.gso_size = w->gso_size;
	}
	if (w->wanted) {
		w->batch[w->waiting++] = f;
		return;
	}
	tapir_input(w->t, f);
	check(w);
}

static uint8_t *payload_of(struct world *w) { return w->frame + (w->ip_only ? 0 : ETH_HEADER) + IPV4_HEADER; }

static void give_frame(struct world *w, uint16_t type, const uint8_t dst[6], uint32_t payload)
{
	struct eth_header eth = {.type = type};

	if (w->ip_only) {
		give(w, w->frame, payload, TAPIR_CSUM_NONE);
		return;
	}
	memcpy(eth.dst, dst, 6);
	memcpy(eth.src, peer_mac, 6);
	eth_emit(&eth, w->frame);
	give(w, w->frame, ETH_HEADER + payload, TAPIR_CSUM_NONE);
}

/* Sends the n bytes at payload_of as a datagram with this header. */
static void give_datagram(struct world *w, struct ipv4_header *h, uint32_t n)
{
	h->total_len = (uint16_t)(IPV4_HEADER + n);
	h->ttl = 64;
	ipv4_emit(h, payload_of(w) - IPV4_HEADER);
	give_frame(w, ETH_TYPE_IPV4, w->mac, IPV4_HEADER + n);
}

static void give_tcp(struct world *w, struct ipv4_header *h, uint32_t n)
{
	uint8_t *p = payload_of(w);

	put_be16(p + TCP_CHECKSUM_AT, 0);
	put_be16(p + TCP_CHECKSUM_AT,
		 checksum_finish(checksum_add(checksum_pseudo(&h->src, &h->dst, IP_PROTO_TCP, n), span_of(p, n))));
	h->proto = IP_PROTO_TCP;
	give_datagram(w, h, n);
}

/* A segment of a peer's connection: header fields as given, options and text behind them. */
static void segment(struct world *w, const struct peer *p, struct tcp_seg *seg, struct span options, uint32_t text_len)
{
	struct ipv4_header h = {.src = far_end(), .dst = us()};
	uint8_t *at = payload_of(w);
	uint16_t header;

	seg->src_port = p->port;
	seg->dst_port = p->to;
	header = tcp_header_len(seg);
	tcp_emit(seg, at);
	if (options.n && options.n <= (size_t)(TCP_HEADER_MAX - header)) {
		uint16_t padded = (uint16_t)((options.n + 3) & ~(size_t)3);

		memset(at + header, 0, padded);
		memcpy(at + header, options.p, options.n);
		header = (uint16_t)(header + padded);
		at[12] = (uint8_t)(header / 4 << 4);
	}
	memcpy(at + header, text, text_len);
	give_tcp(w, &h, header + text_len);
}

/* --- frames out --- */

static void see_tcp(struct world *w, const struct ipv4_header *h, struct span payload)
{
	struct tcp_seg seg;

	/* What the stack sends must be well formed; the checksum may have been left to the driver. */
	assert(tcp_parse(payload, &h->src, &h->dst, true, &seg) == ACCEPT);
	for (int i = 0; i < PEERS; i++) {
		struct peer *p = &w->peers[i];

		if (seg.dst_port != p->port || seg.src_port != p->to || seg.flags & TCP_RST)
			continue;
		if (seg.flags & TCP_SYN || seq_gt(seq_add(seg.seq, seg.len), p->seen))
			p->seen = seq_add(seg.seq, seg.len);
		if (seg.flags & TCP_ACK)
			p->next = seg.ack;
		if (seg.opt.has_ts)
			p->ts = seg.opt.ts_val;
	}
}

static void see(struct world *w, struct span s)
{
	struct eth_header eth;
	struct ipv4_header h;
	struct span payload = s;

	if (!w->ip_only) {
		assert(eth_parse(s, &eth, &payload) == ACCEPT);
		if (eth.type != ETH_TYPE_IPV4)
			return;
	}
	assert(ipv4_parse(payload, &h, &payload) == ACCEPT);
	if (h.proto == IP_PROTO_TCP && !h.mf && !h.offset)
		see_tcp(w, &h, payload);
}

static void drain_some(struct world *w, int most)
{
	struct tapir_out out;

	for (int i = 0; i < most && tapir_output(w->t, &out); i++) {
		assert(out.len <= sizeof w->frame);
		tapir_out_copy(&out, w->frame, false);
		see(w, (struct span){w->frame, out.len});
		check(w);
	}
}

static void drain(struct world *w)
{
	drain_some(w, EVENTS_MAX);
	while (tapir_dispatch(w->t))
		check(w);
}

static void tick(struct world *w, usec_t step_us)
{
	w->now_us += step_us;
	tapir_tick(w->t, w->now_us);
	check(w);
}

/* --- ops: what one event of the script does --- */

static void op_raw_frame(struct world *w)
{
	uint32_t n = take_bytes(&w->in, w->frame, take16(&w->in) % 2048);

	give(w, w->frame, n, take8(&w->in) & 1 ? TAPIR_CSUM_VALID : TAPIR_CSUM_NONE);
}

/* What peers send most, and at the end of the range everything. */
static uint8_t take_flags(struct script *s)
{
	static const uint8_t usual[] = {TCP_ACK, TCP_ACK, TCP_ACK | TCP_PSH, TCP_ACK | TCP_FIN, TCP_SYN, TCP_SYN | TCP_ACK,
					TCP_RST, TCP_RST | TCP_ACK, TCP_ACK | TCP_URG, TCP_FIN, 0};
	uint8_t which = take8(s) % 16;

	return which < sizeof usual ? usual[which] : take8(s);
}

static void op_segment(struct world *w)
{
	struct peer *p = &w->peers[take8(&w->in) % PEERS];
	uint8_t how = take8(&w->in), options[40];
	struct tcp_seg seg = {.seq = p->next, .ack = p->seen, .flags = take_flags(&w->in), .wnd = take16(&w->in)};
	uint32_t n = 0;

	if (how & 1)
		seg.seq = seq_add(seg.seq, (uint32_t)(int16_t)take16(&w->in));
	if (how & 2)
		seg.ack = seq_add(seg.ack, (uint32_t)(int16_t)take16(&w->in));
	if (how & 4)
		n = take_bytes(&w->in, options, take8(&w->in) % sizeof options);
	if (how & 8)
		seg.up = take16(&w->in);
	seg.opt.has_ts = how & 16;
	seg.opt.ts_val = p->ts + (how & 32 ? take8(&w->in) : 0);
	seg.opt.ts_ecr = p->ts;
	segment(w, p, &seg, span_of(options, n), how & 64 ? take16(&w->in) % 1461 : how >> 7);
}

/* Segments of one connection that continue each other, but for one; maybe others between them. */
static void op_run(struct world *w)
{
	const struct peer *p = &w->peers[take8(&w->in) % PEERS], *other = &w->peers[take8(&w->in) % PEERS];
	uint8_t how = take8(&w->in), odd = take8(&w->in);
	uint32_t n = 1 + take16(&w->in) % 1400, count = 2 + how % 40;
	struct tcp_seg seg = {.seq = p->next, .ack = p->seen, .wnd = 50000};

	seg.opt.has_ts = how & 64;
	seg.opt.ts_val = seg.opt.ts_ecr = p->ts;
	w->wanted = BATCH;
	for (uint32_t i = 0; i < count; i++, seg.seq = seq_add(seg.seq, n)) {
		struct tcp_seg one = seg, between = {.seq = other->next, .ack = other->seen, .wnd = 9, .flags = TCP_ACK};

		one.flags = i == odd % 64 ? take_flags(&w->in) : TCP_ACK;
		if (i == odd % 64u && odd & 64)
			one.seq = seq_add(one.seq, take8(&w->in));
		segment(w, p, &one, span_of(NULL, 0), i == odd % 64u && odd & 128 ? take8(&w->in) : n);
		if (how & 128)
			segment(w, other, &between, span_of(NULL, 0), n);
	}
	w->wanted = 0;
	arrive(w);
}

static void op_raw_tcp(struct world *w)
{
	struct ipv4_header h = {.src = some_addr(take8(&w->in)), .dst = us()};
	uint32_t n = take_bytes(&w->in, payload_of(w), take8(&w->in));

	if (n >= TCP_HEADER)
		give_tcp(w, &h, n);
}

/* Now and then the driver says that there are several datagrams in the frame. */
static void op_udp(struct world *w)
{
	struct ipv4_header h = {.src = some_addr(take8(&w->in)), .dst = some_addr(take8(&w->in)), .proto = IP_PROTO_UDP};
	struct udp_header udp = {.src = take16(&w->in)};
	uint8_t how = take8(&w->in);
	uint32_t n;

	udp.dst = how & 1 ? UDP_PORT : take16(&w->in);
	w->gso = how & 2;
	w->gso_size = how & 2 ? take16(&w->in) : 0;
	n = take16(&w->in) % 1473;
	memcpy(payload_of(w) + UDP_HEADER, text, n);
	udp_emit(&udp, &h.src, &h.dst, payload_of(w), n);
	give_datagram(w, &h, UDP_HEADER + n);
	w->gso = false;
}

/* ICMP; an error quotes a segment of one of the peers' connections, as far as the script does not overwrite it. */
static void op_icmp(struct world *w)
{
	struct ipv4_header h = {.src = some_addr(take8(&w->in)), .dst = us(), .proto = IP_PROTO_ICMP};
	struct icmp_header icmp = {.type = take8(&w->in), .code = take8(&w->in), .id = take16(&w->in), .seq = take16(&w->in)};
	const struct peer *p = &w->peers[take8(&w->in) % PEERS];
	struct ipv4_header quoted = {.src = us(), .dst = far_end(), .proto = take8(&w->in) & 1 ? IP_PROTO_UDP : IP_PROTO_TCP,
				     .ttl = 9, .df = true, .total_len = 1500};
	uint8_t *at = payload_of(w) + ICMP_HEADER;
	uint32_t n = IPV4_HEADER + 8;

	ipv4_emit(&quoted, at);
	put_be16(at + IPV4_HEADER, p->to);
	put_be16(at + IPV4_HEADER + 2, p->port);
	put_be32(at + IPV4_HEADER + 4, p->seen.n - take8(&w->in));
	n = take8(&w->in) & 1 ? take8(&w->in) : n;
	take_bytes(&w->in, at + take8(&w->in) % 64, take8(&w->in) % 32);
	icmp_emit(&icmp, payload_of(w), n);
	give_datagram(w, &h, ICMP_HEADER + n);
}

static void op_fragment(struct world *w)
{
	struct ipv4_header h = {.src = far_end(), .dst = us(), .proto = IP_PROTO_UDP};
	uint8_t where = take8(&w->in);
	uint32_t n = take8(&w->in) * (where & 1 ? 1u : 8u);

	h.id = take8(&w->in) % 4;
	h.mf = where & 2;
	h.offset = (uint16_t)(where & 4 ? take16(&w->in) & ~7u : (where >> 3) * 8u);
	if (take8(&w->in) & 1)		/* as the beginning of a datagram: ports of somebody who listens */
		put_be16(text + 2, UDP_PORT);
	memcpy(payload_of(w), text, n);
	give_datagram(w, &h, n);
}

static void op_arp(struct world *w)
{
	struct arp_packet a = {.op = take8(&w->in) & 1 ? ARP_REQUEST : ARP_REPLY, .sender = some_addr(take8(&w->in)),
			       .target = some_addr(take8(&w->in))};
	uint8_t how = take8(&w->in);

	memcpy(a.sender_mac, peer_mac, 6);
	memcpy(a.target_mac, w->mac, 6);
	if (how & 1)
		take_bytes(&w->in, a.sender_mac, 6);
	if (w->ip_only)
		return;
	arp_emit(&a, w->frame + ETH_HEADER);
	give_frame(w, ETH_TYPE_ARP, how & 2 ? eth_broadcast : w->mac, ARP_PACKET);
}

static void op_time(struct world *w)
{
	uint8_t step = take8(&w->in);
	usec_t due_us = tapir_deadline(w->t);

	if (step & 1 && due_us != USEC_NEVER && due_us > w->now_us)
		tick(w, due_us - w->now_us);
	else
		tick(w, (usec_t)1 << (step >> 1) % 36);
}

static void op_output(struct world *w) { drain(w); }

/* A burst stays in its midst. */
static void op_some_output(struct world *w) { drain_some(w, take8(&w->in) % 4); }

/* --- what programs call --- */

static void given_back(void *ctx, const uint8_t *p)
{
	(void)p;
	((struct world *)ctx)->lent--;
}

static void keep(struct world *w, tapir_sd sd)
{
	if (sd < 0)
		return;
	if (w->sd_count == SOCKETS)
		tapir_abort(w->t, sd);
	else
		w->sds[w->sd_count++] = sd;
}

static void call_open(struct world *w, tapir_sd sd, uint8_t which)
{
	struct tapir_endpoint e = {some_addr(take8(&w->in)), take8(&w->in)};

	switch (which % 6) {
	case 0: keep(w, tapir_socket(w->t, take8(&w->in) & 1 ? TAPIR_SOCK_STREAM : TAPIR_SOCK_DGRAM)); break;
	case 1: tapir_bind(w->t, sd, &e); break;
	case 2: tapir_listen(w->t, sd, take8(&w->in)); break;
	case 3: keep(w, tapir_accept(w->t, sd, &e)); break;
	case 4: tapir_connect(w->t, sd, &e); break;
	case 5: tapir_setsockopt(w->t, sd, (enum tapir_opt)(take8(&w->in) % 15), take16(&w->in)); break;
	}
}

static void call_transfer(struct world *w, tapir_sd sd, uint8_t which)
{
	static uint8_t buf[TEXT_BYTES];
	struct tapir_endpoint e = {some_addr(take8(&w->in)), take16(&w->in)};
	size_t n = (size_t)take16(&w->in) + 1;
	struct span spans[3];
	int count;

	switch (which % 6) {
	case 0: tapir_send(w->t, sd, text, n); break;
	case 1:
		w->lent++;
		if (tapir_send_borrowed(w->t, sd, text, n, given_back, w) < 0)
			w->lent--;
		break;
	case 2: tapir_recv(w->t, sd, buf, n); break;
	case 3:
		count = tapir_recv_peek(w->t, sd, spans, 3);
		if (count > 0)
			tapir_recv_consume(w->t, sd, n < spans[0].n ? n : spans[0].n);
		break;
	case 4: tapir_sendto(w->t, sd, text, n, &e); break;
	case 5: tapir_recvfrom(w->t, sd, buf, n, &e); break;
	}
}

static void call_end(struct world *w, tapir_sd sd, uint8_t which)
{
	struct tapir_tcp_info info;
	struct tapir_poll_event events[4];
	struct tapir_echo answer;
	struct tapir_endpoint name;
	int value;

	switch (which % 8) {
	case 0: tapir_shutdown(w->t, sd, (enum tapir_shut)(take8(&w->in) % 3)); break;
	case 1: tapir_close(w->t, sd); break;
	case 2: tapir_abort(w->t, sd); break;
	case 3:
		tapir_tcp_info(w->t, sd, &info);
		tapir_getsockname(w->t, sd, &name);
		tapir_getpeername(w->t, sd, &name);
		break;
	case 4: tapir_getsockopt(w->t, sd, (enum tapir_opt)(take8(&w->in) % 15), &value); break;
	case 5: tapir_poll_events(w->t, events, 4); break;
	case 6: tapir_echo_send(w->t, some_addr(take8(&w->in)), 7, 1, span_of(text, take16(&w->in))); break;
	case 7: tapir_echo_recv(w->t, &answer); break;
	}
}

static void op_call(struct world *w)
{
	uint8_t which = take8(&w->in), index = take8(&w->in);
	tapir_sd sd = w->sd_count ? w->sds[index % w->sd_count] : index;

	if (which % 3 == 0)
		call_open(w, sd, which / 3);
	else if (which % 3 == 1)
		call_transfer(w, sd, which / 3);
	else
		call_end(w, sd, which / 3);
	assert(sd < 0 || tapir_poll(w->t, sd) >= TAPIR_EBADF);
	check(w);
}

/* --- the world before and after the script --- */

static void echo_data(struct tapir *t, tapir_sd sd, void *ctx, struct span data)
{
	(void)ctx;
	if (tapir_send(t, sd, data.p, data.n) < (int64_t)data.n)
		tapir_pause(t, sd);
}

static void echo_drain(struct tapir *t, tapir_sd sd, void *ctx)
{
	(void)ctx;
	tapir_resume(t, sd);
}

static void echo_message(struct tapir *t, tapir_sd sd, void *ctx, struct span data, const struct tapir_endpoint *from)
{
	(void)ctx;
	tapir_sendto(t, sd, data.p, data.n, from);
}

static const struct tapir_handlers echo = {.on_data = echo_data, .on_drain = echo_drain, .on_message = echo_message};

static void configure(struct world *w, struct tapir_config *c)
{
	uint8_t how = take8(&w->in), more = take8(&w->in);

	tapir_config_default(c);
	c->addr = us();
	memcpy(c->mac, (const uint8_t[]){2, 0, 0, 0, 0, 2}, 6);
	c->seed[0] = 1;
	c->max_sockets = SOCKETS;
	c->max_conns = 12;
	c->max_half_open = 4;
	c->max_time_wait = 3;
	c->small_frames = more & 1 ? 16 : 96;
	c->large_frames = 4;
	c->arp_entries = 4;
	c->arp_probe = false;
	c->backlog = 4;
	c->sndbuf = c->rcvbuf = more & 2 ? 2048 : 200000;
	c->msl_us = TAPIR_SEC;
	c->keepalive_idle_us = 5 * TAPIR_SEC;
	c->isn = more & 4 ? (int64_t)UINT32_MAX - 20 : -1;
	c->ip_only = how & 1;
	c->timestamps = how & 2;
	c->sack = how & 4;
	c->window_scale = how & 8;
	c->offload.csum = how & 16;
	c->offload.tso4 = c->offload.uso = (how & 48) == 48;
	c->nagle = how & 64;
	c->quickacks = how & 64 ? 0 : 16;
	c->delack_us = how & 128 ? 0 : 40 * TAPIR_MS;
	c->mtu = more & 8 ? 576 : 1500;
	c->gso = !(more & 16);
	c->gro = !(more & 32);
}

/* The far end's half of a handshake: an active open to port 7 or 80, or the answer to our connect. */
static void open_peer(struct world *w, int index)
{
	struct peer *p = &w->peers[index];
	struct tcp_seg syn = {.wnd = 60000, .flags = TCP_SYN, .opt = {.mss = 1460, .sack_permitted = true}};
	struct tcp_seg ack = {.wnd = 60000, .flags = TCP_ACK};
	struct tapir_endpoint far = {far_end(), (uint16_t)(9000 + index)}, near = {us(), (uint16_t)(3000 + index)};

	*p = (struct peer){.port = far.port, .to = index < 2 ? ECHO_PORT : SERVICE_PORT, .next = seq(0xfffffff0u)};
	if (index >= 4) {		/* from our side */
		tapir_sd sd = tapir_socket(w->t, TAPIR_SOCK_STREAM);

		p->to = near.port;
		tapir_bind(w->t, sd, &near);
		tapir_connect(w->t, sd, &far);
		keep(w, sd);
		drain(w);
		p->next = seq(0xfffffff0u);
		syn.flags = TCP_SYN | TCP_ACK;
		syn.ack = p->seen;
	}
	syn.seq = p->next;
	syn.opt.has_ts = ack.opt.has_ts = true;
	syn.opt.has_wscale = true;
	segment(w, p, &syn, span_of(NULL, 0), 0);
	drain(w);
	ack.seq = p->next;
	ack.ack = p->seen;
	ack.opt.ts_ecr = p->ts;
	segment(w, p, &ack, span_of(NULL, 0), 0);
	drain(w);
}

static void begin(struct world *w)
{
	struct arp_packet a = {.op = ARP_REQUEST, .sender = far_end(), .target = us()};
	struct tapir_endpoint local = {.port = SERVICE_PORT};
	tapir_sd sd;

	memcpy(w->mac, tapir_get_config(w->t)->mac, 6);
	memcpy(a.sender_mac, peer_mac, 6);
	if (!w->ip_only) {
		arp_emit(&a, w->frame + ETH_HEADER);
		give_frame(w, ETH_TYPE_ARP, eth_broadcast, ARP_PACKET);
	}
	keep(w, tapir_serve_tcp(w->t, ECHO_PORT, 4, &echo, NULL));
	keep(w, tapir_serve_udp(w->t, UDP_PORT, &echo, NULL));
	sd = tapir_socket(w->t, TAPIR_SOCK_STREAM);
	tapir_bind(w->t, sd, &local);
	tapir_listen(w->t, sd, 4);
	keep(w, sd);
	for (int i = 0; i < PEERS; i++)
		open_peer(w, i);
	keep(w, tapir_accept(w->t, sd, NULL));		/* the other one waits */
}

/* Everything is aborted, also what only the handlers know; then time passes. */
static void end(struct world *w)
{
	struct tapir_usage u;

	for (uint32_t i = 0; i < w->t->sockets->max; i++)
		if (w->t->sockets->slots[i].type && i < w->t->sockets->fresh)
			tapir_abort(w->t, socket_sd(w->t, &w->t->sockets->slots[i]));
	for (int i = 0; i < DEADLINES_MAX; i++) {
		usec_t due_us;

		drain(w);
		due_us = tapir_deadline(w->t);
		tapir_usage(w->t, &u);
		if (due_us == USEC_NEVER || (!u.conns && !u.small_frames && !u.large_frames && !u.reass))
			break;
		tick(w, due_us > w->now_us ? due_us - w->now_us : 1);
	}
	tapir_usage(w->t, &u);
	assert(!u.sockets && !u.conns && !u.time_wait && !u.reass);
	assert(!u.small_frames && !u.large_frames && !w->lent);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static void (*const ops[])(struct world *) = {
		op_segment, op_segment, op_run, op_call, op_call, op_time, op_output, op_some_output,
		op_raw_tcp, op_udp, op_icmp, op_fragment, op_arp, op_raw_frame,
	};
	static struct world w;
	struct tapir_config c;
	size_t need;
	void *mem;

	memset(&w, 0, offsetof(struct world, frame));
	w.in = (struct script){data, size};
	w.now_us = TAPIR_SEC;
	configure(&w, &c);
	w.ip_only = c.ip_only;
	need = tapir_size(&c);
	mem = aligned_alloc(64, (need + 63) & ~(size_t)63);
	assert(mem);
	memset(mem, 0xa5, need);
	w.t = tapir_init(mem, &c, w.now_us);
	begin(&w);
	for (int i = 0; i < EVENTS_MAX && w.in.n; i++)
		ops[take8(&w.in) % (sizeof ops / sizeof ops[0])](&w);
	end(&w);
	free(mem);
	return 0;
}
