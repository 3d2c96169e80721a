/* fastopen.c: TCP Fast Open (RFC 7413 4): text on the SYN, taken before the handshake has ended, for who can show a cookie that
 * this server gave to this address before. Saves the one round trip that a request waits for.
 *
 * Server (4.2.2): the cookie is SipHash over both addresses, so nothing is kept for a client. A SYN that carries it makes a
 * connection that is accepted while still in SYN-RECEIVED (conn->fastopen is FASTOPEN_EARLY): its text can be read and
 * answered at once. How many of these a listener allows is TCP_FASTOPEN's number; beyond it a SYN is just a SYN. One that
 * a RST ends goes on counting for a minute: with a stolen cookie and forged addresses, the owners of those addresses would
 * otherwise clear the way for the next (RFC 7413 5.1). A FIN on the SYN is left to come again.
 *
 * Client (4.2.1): asks for a cookie with its SYN when it has none, and keeps what servers give, with their MSS, for a bounded
 * number of addresses; of four that share a place, the one used longest ago gives way. With a cookie, connect() does not
 * send anything: the first send() does (FASTOPEN_WAITS). Only the first SYN has text or option: a SYN that must be sent
 * again is bare (4.1.3.1). Text that the SYN-ACK does not acknowledge leaves again as if it had not. A peer whose SYN-ACK
 * only came for the bare SYN may have a middlebox before it that eats the other kind: it is left alone for a time,
 * which doubles.
 *
 * DEVIATES: RFC 7413 4.1.3 (cookies for each pair of addresses) because we have one address. */
#include "internal.h"

#define WAYS 4u
#define COOKIE_BYTES 8u
#define SYN_OPTIONS_MAX (TCP_HEADER_MAX - TCP_HEADER)
#define RESET_HOLDS_US (60 * TAPIR_SEC)	/* RFC 7413 5.1: as long as a peer might take to be believed */
#define DOUBLINGS_MAX 6u

static bool client_may(const struct tapir *t) { return t->cfg.fastopen & TAPIR_FASTOPEN_CLIENT; }

static uint32_t place_count(const struct tapir_config *cfg) { return (cfg->fastopen_peers + WAYS - 1) / WAYS; }

size_t tcp_fastopen_size(const struct tapir_config *cfg)
{
	return sizeof(struct tcp_fastopen_peer) * WAYS * place_count(cfg);
}

void tcp_fastopen_init(struct tapir *t, void *mem)
{
	t->tcp->fastopen_peers = mem;
	memset(mem, 0, tcp_fastopen_size(&t->cfg));
	t->tcp->fastopen_key = (struct siphash_key){t->cfg.fastopen_key[0], t->cfg.fastopen_key[1]};
	if (!t->cfg.fastopen_key[0] && !t->cfg.fastopen_key[1])
		t->tcp->fastopen_key = (struct siphash_key){rng_next(&t->rng), rng_next(&t->rng)};
}

/* --- the client's memory ---------------------------------------------------------------------------------------- */

static struct tcp_fastopen_peer *place_of(struct tapir *t, const struct tapir_addr *addr)
{
	uint32_t count = place_count(&t->cfg);

	return count ? t->tcp->fastopen_peers + siphash(t->key, addr->b, sizeof addr->b) % count * WAYS : NULL;
}

static struct tcp_fastopen_peer *find_peer(struct tapir *t, const struct tapir_addr *addr)
{
	struct tcp_fastopen_peer *place = place_of(t, addr);

	for (uint32_t i = 0; place && i < WAYS; i++)
		if (place[i].used_us && tapir_addr_equal(&place[i].addr, addr))
			return &place[i];
	return NULL;
}

static struct tcp_fastopen_peer *find_or_make_peer(struct tapir *t, const struct tapir_addr *addr)
{
	struct tcp_fastopen_peer *p = find_peer(t, addr), *place = place_of(t, addr);

	if (!place)
		return NULL;
	if (!p) {
		p = place;
		for (uint32_t i = 1; i < WAYS; i++)
			if (place[i].used_us < p->used_us)
				p = &place[i];
		*p = (struct tcp_fastopen_peer){.addr = *addr, .mss = TCP_DEFAULT_MSS};
	}
	p->used_us = max_usec(t->now_us, 1);
	return p;
}

/* --- client ----------------------------------------------------------------------------------------------------- */

bool tcp_fastopen_connect(struct tapir *t, struct tcp_conn *c)
{
	const struct tcp_fastopen_peer *p = find_peer(t, &c->peer.addr);
	bool cookie = (p && p->cookie.len) || t->cfg.fastopen & TAPIR_FASTOPEN_CLIENT_NO_COOKIE;

	assert(c->state == TCP_SYN_SENT && seq_eq(c->snd.max, c->iss));
	if (!client_may(t) || (p && t->now_us < p->not_before_us))
		return false;
	c->fastopen = cookie ? FASTOPEN_WAITS : FASTOPEN_ASKS;
	c->snd.mss_option = p ? p->mss : TCP_DEFAULT_MSS;	/* RFC 7413 4.2.1: until the SYN-ACK says it anew */
	tcp_update_mss(t, c);
	return cookie;
}

uint32_t tcp_fastopen_syn_text(const struct tcp_conn *c)
{
	uint32_t most = c->snd.mss > SYN_OPTIONS_MAX ? c->snd.mss - SYN_OPTIONS_MAX : 0;

	return c->fastopen == FASTOPEN_WAITS && seq_eq(c->snd.max, c->iss) ? min_u32(c->tx.bytes, most) : 0;
}

/* RFC 7413 4.1.3.1: the SYN with text or option was lost, the bare one was not. */
static void remember_loss(struct tapir *t, struct tcp_fastopen_peer *p)
{
	p->not_before_us = t->now_us + (t->cfg.fastopen_retry_us << min_u32(p->losses, DOUBLINGS_MAX));
	if (p->losses < UINT8_MAX)
		p->losses++;
}

static void remember_answer(struct tcp_fastopen_peer *p, const struct tcp_options *opt)
{
	p->mss = (uint16_t)max_u32(opt->mss, TCP_DEFAULT_MSS);
	if (opt->has_fastopen && opt->fastopen.len)
		p->cookie = opt->fastopen;
	p->losses = 0;
	p->not_before_us = 0;
}

void tcp_fastopen_syn_ack_arrives(struct tapir *t, struct tcp_conn *c, const struct tcp_seg *seg)
{
	bool cookie = seg->opt.has_fastopen && seg->opt.fastopen.len;
	bool taken = seq_gt(seg->ack, seq_add(c->iss, 1)), lost = c->rtt.backoff && !cookie && !taken;
	struct tcp_fastopen_peer *p;

	if (c->fastopen == FASTOPEN_NONE)
		return;
	p = cookie || lost ? find_or_make_peer(t, &c->peer.addr) : find_peer(t, &c->peer.addr);
	if (p && lost)
		remember_loss(t, p);
	else if (p)
		remember_answer(p, &seg->opt);
	c->syn_text = taken && seq_eq(seg->ack, c->snd.max);
	c->fastopen = taken ? FASTOPEN_DONE : FASTOPEN_NONE;
	if (seq_lt(seg->ack, c->snd.max))
		tcp_all_is_lost(c, "RFC 7413 4.2.1: the SYN's text was not acknowledged: again");
}

/* --- server ----------------------------------------------------------------------------------------------------- */

static uint32_t limit_of(const struct tapir *t, const struct tcp_listener *l)
{
	if (!(t->cfg.fastopen & TAPIR_FASTOPEN_SERVER))
		return 0;
	return !l->tuning->is.fastopen && t->cfg.fastopen & TAPIR_FASTOPEN_SERVER_ALL ? l->backlog : l->tuning->is.fastopen;
}

/* RFC 7413 4.1.2, and byte for byte what Linux makes of the same key: servers that share one can stand behind one name. */
static struct tcp_fastopen_cookie cookie_for(const struct tapir *t, const struct tapir_addr *peer,
					     const struct tapir_addr *local)
{
	struct tcp_fastopen_cookie cookie = {.len = COOKIE_BYTES};
	uint32_t skip = tapir_addr_is_ipv4(peer) ? 12 : 0, n = 16 - skip;
	uint8_t both[32];
	uint64_t hash;

	memcpy(both, peer->b + skip, n);
	memcpy(both + n, local->b + skip, n);
	hash = siphash(t->tcp->fastopen_key, both, (size_t)2 * n);
	for (uint32_t i = 0; i < COOKIE_BYTES; i++)
		cookie.bytes[i] = (uint8_t)(hash >> 8 * i);
	return cookie;
}

static bool cookie_is_good(const struct tapir *t, const struct tcp_arrival *a)
{
	struct tcp_fastopen_cookie ours = cookie_for(t, &a->pkt->src, &a->pkt->dst);
	const struct tcp_fastopen_cookie *its = &a->seg.opt.fastopen;
	uint8_t differs = 0;

	if (t->cfg.fastopen & TAPIR_FASTOPEN_SERVER_NO_COOKIE && a->seg.text.n)
		return true;
	for (uint32_t i = 0; i < COOKIE_BYTES; i++)	/* in the same time, however many bytes are right */
		differs |= ours.bytes[i] ^ its->bytes[i];
	return a->seg.opt.has_fastopen && its->len == COOKIE_BYTES && !differs;
}

bool tcp_fastopen_accepts(struct tapir *t, struct tcp_listener *l, const struct tcp_arrival *a)
{
	uint32_t limit = limit_of(t, l);

	if (!limit || !cookie_is_good(t, a))
		return false;
	if (t->now_us >= l->fastopen.resets_until_us)
		l->fastopen.resets = 0;
	return (uint32_t)l->fastopen.pending + l->fastopen.resets < limit;
}

void tcp_fastopen_offer(struct tapir *t, struct tcp_conn *c, const struct tcp_arrival *a)
{
	if (limit_of(t, &tcp_bound_of(t, c->listener)->listener) && a->seg.opt.has_fastopen)
		c->fastopen = FASTOPEN_GIVES;
}

void tcp_fastopen_open(struct tapir *t, struct tcp_conn *c, const struct tcp_arrival *a)
{
	struct tcp_bound *b = tcp_bound_of(t, c->listener);
	struct tcp_arrival text = *a;

	text.seg.flags &= (uint8_t)~(TCP_SYN | TCP_FIN);
	text.seg.seq = c->rcv.nxt;
	text.seg.text = span_first(a->seg.text, c->rx.limit);
	text.seg.len = (uint32_t)text.seg.text.n;
	if (text.seg.len)
		c->rcv.nxt = seq_add(c->rcv.nxt, tcp_store_in_order(t, c, &text));
	c->syn_text = text.seg.len > 0;
	c->fastopen = FASTOPEN_EARLY;
	b->listener.fastopen.pending++;
	tcp_cc_open(t, c);
	tcp_enqueue(t, c, QUEUE_ACCEPT);
	b->listener.accepted++;
	socket_tcp_incoming(t, b);
}

/* The listener may be another by now, or gone: the count is of those who still wait there, at least none. */
void tcp_fastopen_settle(struct tapir *t, struct tcp_conn *c, bool reset)
{
	struct tcp_bound *b;

	if (c->fastopen != FASTOPEN_EARLY)
		return;
	c->fastopen = FASTOPEN_DONE;
	b = tcp_bound_listening(t, &c->local);
	if (!b || !b->listener.fastopen.pending)
		return;
	b->listener.fastopen.pending--;
	if (reset) {
		b->listener.fastopen.resets++;
		b->listener.fastopen.resets_until_us = t->now_us + RESET_HOLDS_US;
	}
}

/* --- the option on our SYN and SYN-ACK -------------------------------------------------------------------------- */

void tcp_fastopen_options(struct tapir *t, const struct tcp_conn *c, struct tcp_options *opt)
{
	const struct tcp_fastopen_peer *p;

	switch ((enum tcp_fastopen)c->fastopen) {
	case FASTOPEN_ASKS: case FASTOPEN_WAITS: case FASTOPEN_SHOWS:
		p = find_peer(t, &c->peer.addr);
		if (c->state != TCP_SYN_SENT || !seq_eq(c->snd.max, c->iss))
			break;
		opt->has_fastopen = c->fastopen == FASTOPEN_ASKS || (p && p->cookie.len);
		if (c->fastopen != FASTOPEN_ASKS && p)
			opt->fastopen = p->cookie;
		break;
	case FASTOPEN_GIVES:
		opt->has_fastopen = true;
		opt->fastopen = cookie_for(t, &c->peer.addr, &c->local.addr);
		break;
	case FASTOPEN_NONE: case FASTOPEN_EARLY: case FASTOPEN_DONE:
		break;
	}
}
