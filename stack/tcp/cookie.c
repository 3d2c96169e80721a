/* cookie.c: SYN cookies (RFC 4987 3.6): when the SYN queue is full, a SYN is answered and forgotten. Everything that the
 * connection will need travels to the peer and back: in the ISS, which the third segment acknowledges, and in the low
 * bits of the timestamp, which it echoes. That segment is then as good as the SYN: the connection is made from what the
 * SYN said, and the segment goes through RFC 9293 3.10.7.4 as it does for any other in SYN-RECEIVED.
 *
 *	ISS = F(tuple) + IRS + count << 24 + (G(tuple, IRS, count, options) + index of the MSS) mod 2^24
 *
 * F and G are SipHash with this instance's key, and count is the minute: a cookie is good for one to two of them. The sum
 * with IRS and the count keeps what RFC 6528 3 wants: the numbers of one tuple move on. Whoever has not seen the SYN-ACK
 * finds the right number in one of 2^28 tries (2 minutes, 8 sizes), whatever options he claims.
 *
 * Options: six bits of the timestamp, as many as Linux takes: the peer's window scale (15: none), SACK, and one for ECN.
 * TSval is rounded down, so the clock never runs ahead; G covers the bits. A peer without timestamps gets MSS alone, and
 * the SYN-ACK says so. What the peer is told of our side (window, its scale) follows from the listener's SO_RCVBUF, which
 * should not change between the two.
 *
 * Invariant: no state for a peer. Only t->tcp->cookies_until_us: after that no cookie of ours is alive, and an ACK in
 * LISTEN costs no hash. A third segment seen twice (a replay within its two minutes, after the connection has ended)
 * opens the connection again: the price of remembering nothing, paid only by who can see the SYN-ACK. */
#include "internal.h"

#define COUNT_US (60 * TAPIR_SEC)
#define COUNTS 2u			/* a cookie of this and of the last minute is good */
#define OPTION_BITS 6u
#define OPTION_MASK ((1u << OPTION_BITS) - 1)
#define OPTION_SACK 0x10u
#define WSCALE_MASK 0x0fu
#define WSCALE_NONE 0x0fu
#define WITH_TIMESTAMPS 0x80u		/* among the options that G covers */
#define DATA_BITS 24u
#define DATA_MASK ((1u << DATA_BITS) - 1)

/* RFC 4987 3.6: the largest that is not above the peer's. Ethernet, PPPoE, tunnels, IPv6's least MTU, our least. */
static const uint16_t sizes[] = {64, 256, 536, 1220, 1360, 1440, 1460, 8960};
#define SIZES (sizeof sizes / sizeof sizes[0])

static uint32_t count_now(const struct tapir *t) { return (uint32_t)(t->now_us / COUNT_US); }

static uint32_t index_of_size(uint32_t mss)
{
	uint32_t i = SIZES - 1;

	while (i && sizes[i] > mss)
		i--;
	return i;
}

static uint32_t hash(const struct tapir *t, const struct tcp_conn *c, const uint32_t words[3])
{
	uint8_t key[49];

	memcpy(key, c->local.addr.b, 16);
	memcpy(key + 16, c->peer.addr.b, 16);
	put_be16(key + 32, c->local.port);
	put_be16(key + 34, c->peer.port);
	for (int i = 0; i < 3; i++)
		put_be32(key + 36 + 4 * i, words[i]);
	key[48] = 'c';		/* no other use of the key has this length and end */
	return (uint32_t)siphash(t->key, key, sizeof key);
}

/* The cookie without its count and data. */
static seq_t base(const struct tapir *t, const struct tcp_conn *c)
{
	static const uint32_t none[3];

	return seq_add(c->irs, hash(t, c, none));
}

static uint32_t mask(const struct tapir *t, const struct tcp_conn *c, uint32_t count, uint32_t options)
{
	const uint32_t words[3] = {c->irs.n, count, 1u << 31 | options};

	return hash(t, c, words);
}

/* --- the SYN's answer ------------------------------------------------------------------------------------------- */

static uint32_t pack_options(const struct tcp_conn *c)
{
	if (!c->ts_on)
		return 0;
	return WITH_TIMESTAMPS | (c->sack_on ? OPTION_SACK : 0) | (c->ws_on ? c->snd.shift : WSCALE_NONE);
}

static seq_t make_cookie(const struct tapir *t, const struct tcp_conn *c)
{
	uint32_t count = count_now(t);
	uint32_t data = mask(t, c, count, pack_options(c)) + index_of_size(c->snd.mss_option);

	return seq_add(base(t, c), (count << DATA_BITS) + (data & DATA_MASK));
}

/* The clock with the options in its low bits, not later than it is. */
static uint32_t timestamp_with_options(const struct tapir *t, const struct tcp_conn *c)
{
	uint32_t ms = tcp_ts_now(t, c) - c->ts.offset;
	uint32_t with = (ms & ~OPTION_MASK) | (pack_options(c) & OPTION_MASK);

	return c->ts.offset + (with > ms ? with - (1u << OPTION_BITS) : with);
}

static void answer_options(const struct tapir *t, const struct tcp_conn *c, struct tcp_options *opt)
{
	opt->mss = (uint16_t)tcp_mss_limit(c, (uint32_t)t->cfg.mtu - IPV4_HEADER - TCP_HEADER);
	if (!c->ts_on)
		return;
	opt->has_ts = true;
	opt->ts_val = timestamp_with_options(t, c);
	opt->ts_ecr = c->ts.recent;
	opt->sack_permitted = c->sack_on;
	opt->has_wscale = c->ws_on;
	opt->wscale = c->rcv.shift;
}

enum tapir_verdict tcp_cookie_send(struct tapir *t, struct tcp_bound *b, const struct tcp_arrival *a)
{
	/* What the connection would be, for as long as this call. It is not remembered whether the SYN asked for ECN: no. */
	struct tcp_conn c = {.state = TCP_LISTEN, .tuning = tcp_tuning_plain(t)};
	struct tcp_seg seg = {.src_port = a->seg.dst_port, .dst_port = a->seg.src_port, .flags = TCP_SYN | TCP_ACK, .len = 1};

	tcp_take_syn(t, &c, b, a);
	seg.seq = make_cookie(t, &c);
	seg.ack = c.rcv.nxt;
	seg.wnd = min_u32(tcp_window_limit(&c), 65535);
	answer_options(t, &c, &seg.opt);
	tcp_say_segment(t, &c, &a->seg, TAPIR_EV_SEGMENT_IN, "RFC 9293 3.10.7.2 third");
	tcp_say_segment(t, &c, &seg, TAPIR_EV_SEGMENT_OUT, "RFC 4987 3.6: a SYN cookie; nothing is remembered");
	tcp_send_alone(t, &c, &seg);
	tcp_tuning_put(t, c.tuning);
	t->tcp->cookies_until_us = (count_now(t) + COUNTS) * COUNT_US;
	return ACCEPT_COOKIE;
}

/* --- the third segment ------------------------------------------------------------------------------------------ */

bool tcp_cookies_are_out(const struct tapir *t) { return t->now_us < t->tcp->cookies_until_us; }

/* The SYN of which this is the third segment, as far as the cookie tells; false: it is no cookie of ours, or too old. */
static bool read_cookie(struct tapir *t, const struct tcp_arrival *a, struct tcp_arrival *syn)
{
	struct tcp_conn c = {.local = a->tuple.local, .peer = a->tuple.peer, .irs = seq(a->seg.seq.n - 1)};
	uint32_t cookie = a->seg.ack.n - 1 - base(t, &c).n, count = count_now(t), options = 0, size;
	uint32_t age = (count - (cookie >> DATA_BITS)) & (UINT32_MAX >> DATA_BITS);

	if (a->seg.opt.has_ts)
		options = WITH_TIMESTAMPS | ((a->seg.opt.ts_ecr - tcp_ts_offset(t, &c.local, &c.peer)) & OPTION_MASK);
	size = (cookie - mask(t, &c, count - age, options)) & DATA_MASK;
	if (age >= COUNTS || size >= SIZES)
		return false;
	*syn = (struct tcp_arrival){.pkt = a->pkt, .tuple = a->tuple};
	syn->seg = (struct tcp_seg){.src_port = a->seg.src_port, .dst_port = a->seg.dst_port, .seq = c.irs, .flags = TCP_SYN,
				    .len = 1, .wnd = a->seg.wnd};
	syn->seg.opt.mss = sizes[size];
	syn->seg.opt.has_ts = a->seg.opt.has_ts;
	syn->seg.opt.ts_val = a->seg.opt.ts_val;
	syn->seg.opt.sack_permitted = options & OPTION_SACK;
	syn->seg.opt.has_wscale = options && (options & WSCALE_MASK) != WSCALE_NONE;
	syn->seg.opt.wscale = (uint8_t)(syn->seg.opt.has_wscale ? options & WSCALE_MASK : 0);
	return true;
}

enum tapir_verdict tcp_cookie_arrives(struct tapir *t, struct tcp_bound *b, struct tcp_arrival *a)
{
	struct tcp_arrival syn;
	struct tcp_conn *c;

	if (!read_cookie(t, a, &syn)) {
		tcp_reset_for(t, a->pkt, &a->seg);
		return DROP_TCP_COOKIE;
	}
	if (b->listener.accepted >= b->listener.backlog)
		return DROP_TCP_BACKLOG;
	c = tcp_conn_new(t, TCP_LISTEN);
	if (!c)
		return DROP_NO_MEMORY;
	tcp_take_syn(t, c, b, &syn);
	c->iss = c->snd.una = seq(a->seg.ack.n - 1);
	c->snd.nxt = c->snd.max = a->seg.ack;
	c->rcv.adv = seq_add(c->rcv.nxt, min_u32(tcp_window_limit(c), 65535));	/* as the SYN-ACK said */
	c->rcv.mss_offered = (uint16_t)tcp_mss_limit(c, (uint32_t)t->cfg.mtu - IPV4_HEADER - TCP_HEADER);
	tcp_demux_add(t, c);
	tcp_set_state(t, c, TCP_SYN_RCVD, "RFC 4987 3.6: a SYN cookie has come back");
	tcp_say_segment(t, c, &a->seg, TAPIR_EV_SEGMENT_IN, "RFC 4987 3.6: it acknowledges a SYN cookie of ours");
	a->seg.opt.ts_ecr = 0;		/* its low bits are not time: no sample of the round trip */
	return tcp_arrives_other(t, c, a);
}
