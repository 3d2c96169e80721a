/* pmtu.c: how large a segment may be. Owns SND.MSS (RFC 9293 3.7.1) and what this layer knows of the ways to other hosts.
 *
 * Three things bound a segment: the peer's option; what routers have reported, which ip/route.c keeps and forgets after
 * config.pmtu_timeout_us (RFC 1191 6.3), when SND.MSS rises again; and what the path has been seen to carry, which is here.
 * Routers need not report, and reports need not arrive: then every large segment vanishes and every small one gets through.
 * So after black_hole_rtos timeouts of a large segment base_mss is tried, then half of that, down to min_pmtu (RFC 4821 7.7,
 * RFC 8899 4.3), and once the path works the search goes up again: now and then one segment of new text is sent larger than
 * SND.MSS. If it is acknowledged, that is the new size; if it alone is lost, it goes again in smaller segments, and the loss
 * says nothing about congestion (RFC 4821 7.6.2). The first probe is as large as could be, since what looked like a black hole
 * may have been an outage; then the range is halved.
 *
 * What one connection finds is true for all connections to that host (RFC 4821 5.2): it is kept by address, in a table of
 * TCP_PATHS places where the one that was not asked for the longest gives way, and no connection pays for it. Whose peers make
 * places are established, so that forged SYNs cannot turn the table over.
 *
 * A report that the path carries less than it does can be forged by who guesses a sequence number in flight. Where a full
 * segment has been acknowledged since SND.MSS last changed, it is only noted, until what it was about times out (RFC 5927 7.2).
 *
 * Invariants: at most one probe is under way on a path; its text lies between SND.UNA and SND.MAX of its connection; SND.MSS is
 * never more than the three bounds were when the connection last looked, which it does before it sends. */
#include "internal.h"

#define IP_TCP_HEADERS (IPV4_HEADER + TCP_HEADER)
#define TS_OPTION 12u		/* bytes of the timestamps option, padded */
#define LEAST_MTU 68u		/* every link carries it (RFC 791 3.2) */
#define LEAST_PROBED 128u	/* smaller segments are no answer to anything */
#define SETS 16u		/* of the table, TCP_PATHS / SETS places each */
#define WAYS (TCP_PATHS / SETS)
#define PROBES_MAX 3		/* of one size, before it counts as too large (RFC 8899 5.1.2) */
#define SEARCH_END 8u		/* bytes: a narrower range is not worth a loss (as Linux tcp_probe_threshold) */
#define PAUSE_RTTS 4u		/* between a lost probe and the next, so that they add little to the path's loss (RFC 4821 7.4) */
#define AFTER_PROBE 3u		/* segments behind a probe, whose duplicate ACKs tell that it was lost (RFC 4821 7.4) */
#define UNLIMITED UINT16_MAX

/* Bytes of all headers of a segment with text. */
static uint32_t overhead(const struct tcp_conn *c) { return IP_TCP_HEADERS + (c->ts_on ? TS_OPTION : 0); }

/* The datagram that a full segment makes. */
uint32_t tcp_pmtu(const struct tcp_conn *c) { return c->snd.mss + overhead(c); }

/* --- the table -------------------------------------------------------------------------------------------------- */

size_t tcp_pmtu_size(void) { return TCP_PATHS * sizeof(struct tcp_path); }

void tcp_pmtu_init(struct tapir *t, void *mem)
{
	t->tcp->paths = mem;
	memset(mem, 0, tcp_pmtu_size());
}

static struct tcp_path *set_of(struct tapir *t, const struct tapir_addr *dst)
{
	return t->tcp->paths + siphash(t->key, dst->b, sizeof dst->b) % SETS * WAYS;
}

static struct tcp_path *path_find(struct tapir *t, const struct tapir_addr *dst)
{
	struct tcp_path *set;

	if (!t->tcp->path_count)
		return NULL;
	set = set_of(t, dst);
	for (uint32_t i = 0; i < WAYS; i++)
		if (set[i].low && tapir_addr_equal(&set[i].dst, dst)) {
			set[i].used_us = t->now_us;
			return &set[i];
		}
	return NULL;
}

/* The same, or a new one that limits nothing yet. */
static struct tcp_path *path_take(struct tapir *t, const struct tapir_addr *dst)
{
	struct tcp_path *p = path_find(t, dst), *set = set_of(t, dst);

	if (p)
		return p;
	p = set;
	for (uint32_t i = 1; i < WAYS && p->low; i++)
		if (!set[i].low || set[i].used_us < p->used_us)
			p = &set[i];
	t->tcp->path_count += !p->low;
	*p = (struct tcp_path){.dst = *dst, .used_us = t->now_us, .low = UNLIMITED, .high = UNLIMITED};
	return p;
}

static void path_drop(struct tapir *t, struct tcp_path *p)
{
	*p = (struct tcp_path){0};
	t->tcp->path_count--;
}

/* --- SND.MSS ---------------------------------------------------------------------------------------------------- */

/* The largest datagram that the peer's option and IP allow; 0: there is no path to search, just ourselves. */
static uint32_t ceiling(struct tapir *t, const struct tcp_conn *c)
{
	uint32_t mtu = tcp_mss_limit(c, c->snd.mss_option) + IP_TCP_HEADERS;
	struct ip_route route;

	if (ip_route(t, &c->peer.addr, &route))
		return mtu;
	return route.local ? 0 : min_u32(mtu, max_u32(route.mtu, LEAST_MTU));
}

static uint16_t right_mss(struct tapir *t, const struct tcp_conn *c, struct tcp_path **path)
{
	uint32_t mtu = ceiling(t, c);
	struct tcp_path *p = mtu ? path_find(t, &c->peer.addr) : NULL;

	if (!mtu)
		mtu = tcp_mss_limit(c, c->snd.mss_option) + IP_TCP_HEADERS;
	if (p)
		mtu = min_u32(mtu, p->low);
	*path = p;
	return (uint16_t)(mtu - overhead(c));		/* RFC 6691: options come out of the MSS */
}

uint16_t tcp_path_mss(struct tapir *t, const struct tcp_conn *c)
{
	struct tcp_path *p;

	return right_mss(t, c, &p);
}

void tcp_update_mss(struct tapir *t, struct tcp_conn *c)
{
	struct tcp_path *p;
	uint16_t mss = right_mss(t, c, &p);

	if (mss == c->snd.mss)
		return;
	tcp_burst_give_up(t, c);
	c->snd.mss = mss;
	c->mss_proof = MSS_UNTRIED;
	tcp_say_pmtu(t, c, p, "RFC 9293 3.7.1: SND.MSS follows the path MTU");
}

void tcp_pmtu_refresh(struct tapir *t, struct tcp_conn *c)
{
	struct tcp_path *p;

	if (!c->tx.bytes || tcp_syn_unacked(c))
		return;
	if (t->cfg.mtu_probing == 2 && !path_find(t, &c->peer.addr) && ceiling(t, c)) {
		p = path_take(t, &c->peer.addr);
		p->low = (uint16_t)min_u32(t->cfg.base_mss + IP_TCP_HEADERS, ceiling(t, c));
		tcp_say_pmtu(t, c, p, "RFC 4821 7.2: a new path, searched upward");
	}
	tcp_update_mss(t, c);
}

/* --- reports of routers ----------------------------------------------------------------------------------------- */

/* RFC 1191 6.4: what was too large is sent again in smaller pieces; it is not a sign of congestion. */
static void believe(struct tapir *t, struct tcp_conn *c, uint16_t mtu, const char *why)
{
	uint16_t old = c->snd.mss;

	ip_learn_pmtu(t, &c->peer.addr, mtu);
	tcp_update_mss(t, c);
	if (c->snd.mss >= old)
		return;
	tcp_all_is_lost(c, why);
	if (c->state == TCP_SYN_SENT)		/* Fast Open: the SYN goes again without its text, which follows the handshake */
		c->snd.nxt = c->iss;
	tcp_ready(t, c);
}

/* RFC 5927 7.2: the largest of what was reported meanwhile, which does the least harm if it is forged. */
static void note_claim(struct tapir *t, struct tcp_conn *c, uint16_t mtu, seq_t at)
{
	struct tcp_path *p = path_take(t, &c->peer.addr);

	if (p->claimant == c && p->claimed >= mtu)
		return;
	p->claimant = c;
	p->claimed = mtu;
	p->claim_at = at;
	tcp_say_pmtu(t, c, p, "RFC 5927 7.2: a report of less than the path has carried waits for a timeout");
}

static bool is_of_probe(const struct tcp_path *p, const struct tcp_conn *c, seq_t at)
{
	return p && p->prober == c && seq_geq(at, p->start) && seq_lt(at, p->end);
}

/* All of it, though a detector that counts segments of SND.MSS may have found less. */
static void probe_is_lost(struct tcp_conn *c, const struct tcp_path *p, const char *why)
{
	struct tcp_sender *s = c->sender;

	for (struct tcp_sent *r = s->first; r && seq_lt(r->start, p->end); r = r->next)
		if (r->state == SENT_FLYING && seq_geq(r->start, p->start))
			tcp_sent_set(s, r, SENT_LOST);
	s->why_lost = why;
}

void tcp_pmtu_reported(struct tapir *t, struct tcp_conn *c, uint16_t mtu, seq_t at)
{
	struct tcp_path *p = path_find(t, &c->peer.addr);

	mtu = (uint16_t)max_u32(mtu, t->cfg.min_pmtu);
	if (mtu >= overhead(c) + min_u32(c->snd.mss, seq_sub(c->snd.max, c->snd.una))) {
		if (!is_of_probe(p, c, at) || mtu >= p->size)
			return;			/* nothing of ours was larger */
		p->prober = NULL;
		p->tries = 0;
		ip_learn_pmtu(t, &c->peer.addr, mtu);
		probe_is_lost(c, p, "RFC 4821 7.6.2: a router reports that the probe was too large");
		tcp_ready(t, c);
		return;
	}
	if (t->cfg.pmtu_wait && c->mss_proof == MSS_PROVEN)
		note_claim(t, c, mtu, at);
	else
		believe(t, c, mtu, "RFC 1191 6.4: the path MTU is smaller");
}

/* --- the search ------------------------------------------------------------------------------------------------- */

/* The size of the next probe on a path that can be searched up to top; 0: the search is over. */
static uint32_t next_size(const struct tcp_path *p, uint32_t top)
{
	uint32_t high = min_u32(p->high, top);

	if (p->low == UNLIMITED || high < p->low + (p->high == UNLIMITED ? 1 : SEARCH_END))
		return 0;
	return p->high == UNLIMITED ? top : (p->low + high + 1) / 2;
}

/* After a probe's end. The path may grow later: the search begins anew when IP, too, would forget (RFC 8899 5.1.1). */
static void go_on(struct tapir *t, const struct tcp_conn *c, struct tcp_path *p)
{
	uint32_t top = ceiling(t, c);

	if (t->cfg.mtu_probing == 1 && p->low >= top && !p->claimant) {
		path_drop(t, p);		/* it carries what IP says */
		return;
	}
	if (next_size(p, top))
		return;
	p->high = UNLIMITED;
	p->next_us = t->now_us + t->cfg.pmtu_timeout_us;
}

static void probe_succeeds(struct tapir *t, struct tcp_conn *c, struct tcp_path *p)
{
	p->prober = NULL;
	p->tries = 0;
	p->low = p->size;
	tcp_say_pmtu(t, c, p, "RFC 4821 7.6.1: the probe was acknowledged");
	go_on(t, c, p);
}

static void pause_probing(const struct tapir *t, const struct tcp_conn *c, struct tcp_path *p)
{
	p->prober = NULL;
	p->next_us = t->now_us + (usec_t)PAUSE_RTTS * c->rtt.srtt_us;
}

static void probe_fails(struct tapir *t, struct tcp_conn *c, struct tcp_path *p, const char *why)
{
	pause_probing(t, c, p);
	if (++p->tries >= PROBES_MAX) {
		p->high = (uint16_t)(p->size - 1);
		p->tries = 0;
	}
	tcp_say_pmtu(t, c, p, why);
	go_on(t, c, p);
}

/* RFC 4821 7.4: nothing is missing, nothing is sent again, and no SACK block takes room. */
static bool is_calm(const struct tcp_conn *c)
{
	const struct tcp_sender *s = c->sender;

	return s && s->phase == PHASE_OPEN && !s->lost && !s->sacked && !s->dup_acks && !c->rtt.backoff && !c->pieces;
}

uint32_t tcp_pmtu_probe_len(struct tapir *t, const struct tcp_conn *c, uint32_t unsent, uint32_t usable)
{
	struct tcp_path *p = t->cfg.mtu_probing ? path_find(t, &c->peer.addr) : NULL;
	uint32_t flight = tcp_flight(c), top, len, needed;

	if (!p || p->prober || t->now_us < p->next_us || !is_calm(c))
		return 0;
	top = ceiling(t, c);
	len = min_u32(next_size(p, top), top);
	if (len <= tcp_pmtu(c))
		return 0;
	len -= overhead(c);
	needed = len + AFTER_PROBE * c->snd.mss;
	if (unsent < needed || c->cc.cwnd < needed || c->snd.wnd < flight + needed)
		return 0;
	return usable >= len ? len : PMTU_WAIT;
}

void tcp_pmtu_sent(struct tapir *t, struct tcp_conn *c, seq_t at, uint32_t len, bool probe)
{
	struct tcp_path *p = probe ? path_find(t, &c->peer.addr) : NULL;

	if (p && len > c->snd.mss) {
		p->prober = c;
		p->start = at;
		p->end = seq_add(at, len);
		p->size = (uint16_t)(len + overhead(c));
		tcp_say_pmtu(t, c, p, "RFC 4821 7.5: a probe");
	} else if (c->mss_proof == MSS_UNTRIED && len >= c->snd.mss) {
		c->mss_proof = MSS_TRIED;
		c->sender->mss_proof_at = seq_add(at, c->snd.mss);
	}
}

void tcp_pmtu_on_ack(struct tapir *t, struct tcp_conn *c)
{
	struct tcp_path *p = path_find(t, &c->peer.addr);

	if (c->mss_proof == MSS_TRIED && (!c->sender || seq_geq(c->snd.una, c->sender->mss_proof_at)))
		c->mss_proof = MSS_PROVEN;
	if (!p)
		return;
	if (p->claimant == c && seq_gt(c->snd.una, p->claim_at))
		p->claimant = NULL;	/* RFC 5927 7.2: it arrived, so the report was not true */
	if (p->prober == c && seq_geq(c->snd.una, p->end))
		probe_succeeds(t, c, p);
}

bool tcp_pmtu_on_loss(struct tapir *t, struct tcp_conn *c)
{
	static const char why[] = "RFC 4821 7.6.2: the probe alone was lost";
	struct tcp_path *p = path_find(t, &c->peer.addr);

	if (!p || p->prober != c)
		return false;
	if (is_of_probe(p, c, tcp_sent_first_lost(c->sender)->start) && c->sender->lost <= seq_sub(p->end, p->start)) {
		probe_is_lost(c, p, why);
		probe_fails(t, c, p, why);
		return true;
	}
	pause_probing(t, c, p);
	tcp_say_pmtu(t, c, p, "RFC 4821 7.6.4: more than the probe was lost, which says nothing about its size");
	return false;
}

/* --- black holes ------------------------------------------------------------------------------------------------ */

/* RFC 4821 7.7, RFC 8899 4.3: a segment that is larger than the next size to try has timed out again and again. */
static void suspect_black_hole(struct tapir *t, struct tcp_conn *c)
{
	uint32_t now = tcp_pmtu(c), base = t->cfg.base_mss + IP_TCP_HEADERS, text = min_u32(c->tx.bytes, c->snd.mss);
	uint32_t next = now > base ? base : (now - IP_TCP_HEADERS) / 2 + IP_TCP_HEADERS;
	struct tcp_path *p;

	next = max_u32(next, max_u32(t->cfg.min_pmtu, LEAST_PROBED));
	if (c->rtt.backoff < t->cfg.black_hole_rtos || !t->cfg.mtu_probing || next >= now || !ceiling(t, c) ||
	    min_u32(text, seq_sub(c->snd.max, c->snd.una)) + overhead(c) <= next)
		return;
	p = path_take(t, &c->peer.addr);
	p->low = (uint16_t)next;
	p->high = UNLIMITED;
	p->tries = 0;
	p->next_us = t->now_us;
	tcp_say_pmtu(t, c, p, "RFC 8899 4.3: full segments time out, smaller ones may not");
	tcp_update_mss(t, c);
}

void tcp_pmtu_on_rto(struct tapir *t, struct tcp_conn *c)
{
	struct tcp_path *p = path_find(t, &c->peer.addr);

	if (tcp_syn_unacked(c))
		return;
	if (p && p->claimant == c) {
		p->claimant = NULL;
		believe(t, c, p->claimed, "RFC 5927 7.2: what a report was about has timed out");
		return;
	}
	if (p && p->prober == c)
		probe_fails(t, c, p, "RFC 4821 7.6.3: the probe timed out");
	suspect_black_hole(t, c);
}

void tcp_pmtu_forget(struct tapir *t, const struct tcp_conn *c)
{
	struct tcp_path *p = path_find(t, &c->peer.addr);

	if (p && p->prober == c)
		p->prober = NULL;
	if (p && p->claimant == c)
		p->claimant = NULL;
}

void tcp_pmtu_check(const struct tapir *t)
{
	uint32_t found = 0;

	for (const struct tcp_path *p = t->tcp->paths; p < t->tcp->paths + TCP_PATHS; p++) {
		const struct tcp_conn *c = p->prober;

		found += p->low != 0;
		assert(p->low || (!c && !p->claimant));
		if (c)
			assert(c->state != TCP_CLOSED && tapir_addr_equal(&c->peer.addr, &p->dst) &&
			       seq_lt(c->snd.una, p->end) && seq_leq(p->end, c->snd.max));
		assert(!p->claimant || tapir_addr_equal(&p->claimant->peer.addr, &p->dst));
	}
	assert(found == t->tcp->path_count);
}
