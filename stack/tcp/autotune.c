/* autotune.c: how large a connection's buffers are. Owns rcvbuf and sndbuf while the program has not set them, and the rules
 * for what happens when the lent memory runs low.
 *
 * The receive buffer is twice what the program takes in one round trip, and room to grow with a sender in slow start: the
 * window is then never what holds a sender back, and a program that reads little holds little ("Dynamic Right-Sizing", Fisk
 * and Feng, 2001; as Linux). A receiver has no RTT of its own; it takes the age of its timestamps' echoes (RFC 7323 4), or, as an
 * upper bound, the time that a whole window takes to arrive. The send buffer is twice what the congestion window
 * has let out at one time: one half under way, the other ready when the ACKs come. The window itself would be too much (as Linux
 * does it): on a short path it grows far beyond what is ever in flight, and a large buffer that is not needed is slow.
 *
 * What is measured lies in a tuner. There is one for each fourth connection; the one whose connection has not received for the
 * longest gives way, which only forgets a measure: sizes stay.
 *
 * Memory pressure, all rules of tcp/ in one place. The pools are calm, tight (half of the small or of the large frames is in use)
 * or short (three quarters are):
 *   1 calm only     buffers grow; none beyond half of all storage
 *   2 short         a buffer that has grown goes back to its first size when its connection next sends, reads, or hears an ACK.
 *                   The window's edge never moves back (RFC 9293 3.8.6.2.2 SHLD-14): the next edge is just no further
 *   3 last eighth   nothing is queued for a program any more (frame.c): arriving frames always find a buffer, sends say EAGAIN,
 *                   text is dropped and sent again by the peer
 *   4 no buffer for text in order: the connection's text beyond a hole is thrown away for it (reass.c, RFC 2018 8)
 *   5 no connection left: the oldest TIME-WAIT gives way, then the oldest half-open connection (conn.c); a quarter of all
 *                   connections, at most, is half open (listen.c)
 *   6 nothing is ever kept for who takes nothing: a window that stays closed ends an orphan (timeout.c)
 *
 * Invariants: a buffer that is not fixed lies between its first size and its limit; a tuner in use belongs to one connection,
 * which knows it; the list goes by latest use. */
#include "internal.h"

#define TUNERS_MIN 16u
#define TUNERS_MAX 65535u	/* tcp_conn counts them in 16 bits, from 1 */
#define FIRST_SEGMENTS 10u	/* what a sender begins with is no reason to grow (RFC 6928) */
#define SLACK_SEGMENTS 16u	/* as Linux tcp_rcv_space_adjust */
#define CLOCK_US ((uint32_t)TAPIR_MS)	/* the granularity of timestamps */

/* What is known of how fast one program reads. */
struct tcp_tuner {
	struct tcp_tuner *next, *prev;	/* free; or by latest use, oldest first */
	struct tcp_conn *conn;
	usec_t round_us, window_us;	/* when the round began; when window_end was the window's edge */
	seq_t window_end;
	uint32_t read, most;		/* bytes read in this round; the most in one round */
	uint32_t rtt_us;		/* 0: not known */
	uint32_t echo;			/* the last timestamp that was looked at */
};

uint32_t tcp_tune_count(const struct tapir_config *cfg)
{
	return min_u32(max_u32(cfg->max_conns / 4, TUNERS_MIN), TUNERS_MAX);
}

size_t tcp_tune_size(uint32_t count) { return count * sizeof(struct tcp_tuner); }

void tcp_tune_init(struct tapir *t, void *mem, uint32_t count)
{
	struct tcp_tuner *tuners = mem;

	memset(tuners, 0, tcp_tune_size(count));
	t->tcp->tuners.all = tuners;
	t->tcp->tuners.count = count;
	while (count--) {
		tuners[count].next = t->tcp->tuners.free;
		t->tcp->tuners.free = &tuners[count];
	}
}

/* --- memory ----------------------------------------------------------------------------------------------------- */

static uint32_t eighths(const struct frame_pool *pool)
{
	return (uint32_t)((uint64_t)pool->used * 8 / pool->count);
}

enum tcp_memory tcp_memory(const struct tapir *t)
{
	uint32_t used = max_u32(eighths(&t->frames.small), eighths(&t->frames.large));

	return used >= 6 ? MEMORY_SHORT : used >= 4 ? MEMORY_TIGHT : MEMORY_CALM;
}

/* What a buffer may grow to: as configured, and within half of the storage. */
static uint32_t limit(const struct tapir *t, uint32_t first, uint32_t max)
{
	uint64_t half = ((uint64_t)t->frames.small.count * FRAME_SMALL + (uint64_t)t->frames.large.count * FRAME_LARGE) / 2;

	return max_u32(first, half < max ? (uint32_t)half : max);
}

uint32_t tcp_tune_rcvbuf_max(const struct tapir *t, const struct tcp_conn *c)
{
	return c->rcvbuf_fixed ? c->rx.limit : limit(t, c->rx.limit, t->cfg.rcvbuf_max);
}

/* --- tuners ----------------------------------------------------------------------------------------------------- */

static struct tcp_tuner *tuner_of(const struct tapir *t, const struct tcp_conn *c)
{
	return c->tuner ? &t->tcp->tuners.all[c->tuner - 1] : NULL;
}

static void unlink_tuner(struct tcp_tuners *all, struct tcp_tuner *u)
{
	*(u->prev ? &u->prev->next : &all->oldest) = u->next;
	*(u->next ? &u->next->prev : &all->newest) = u->prev;
}

static void append_tuner(struct tcp_tuners *all, struct tcp_tuner *u)
{
	u->next = NULL;
	u->prev = all->newest;
	*(all->newest ? &all->newest->next : &all->oldest) = u;
	all->newest = u;
}

void tcp_tune_forget(struct tapir *t, struct tcp_conn *c)
{
	struct tcp_tuner *u = tuner_of(t, c);

	if (!u)
		return;
	unlink_tuner(&t->tcp->tuners, u);
	*u = (struct tcp_tuner){.next = t->tcp->tuners.free};
	t->tcp->tuners.free = u;
	c->tuner = 0;
}

static struct tcp_tuner *take_tuner(struct tapir *t, struct tcp_conn *c)
{
	struct tcp_tuners *all = &t->tcp->tuners;
	struct tcp_tuner *u;

	if (!all->free)
		tcp_tune_forget(t, all->oldest->conn);
	u = all->free;
	all->free = u->next;
	*u = (struct tcp_tuner){.conn = c, .round_us = t->now_us, .window_us = t->now_us, .window_end = c->rcv.adv,
				.most = FIRST_SEGMENTS * c->rcv.mss, .rtt_us = c->rtt.srtt_us};
	append_tuner(all, u);
	c->tuner = (uint16_t)(u - all->all + 1);
	return u;
}

/* --- the receive buffer ----------------------------------------------------------------------------------------- */

/* Linux' echo of ours says when the peer had heard of it; between two ticks of its clock it says little. */
static void measure_by_echo(const struct tapir *t, const struct tcp_conn *c, struct tcp_tuner *u, const struct tcp_seg *seg)
{
	uint32_t ms = tcp_ts_now(t, c) - seg->opt.ts_ecr;

	if (!c->ts_on || !seg->opt.has_ts || seg->opt.ts_ecr == u->echo || ms >= t->cfg.rto_max_us / TAPIR_MS)
		return;
	u->echo = seg->opt.ts_ecr;
	if (ms <= 1 && u->rtt_us && u->rtt_us <= 2 * CLOCK_US)
		return;
	ms = max_u32(ms, 1) * CLOCK_US;
	u->rtt_us = u->rtt_us ? (uint32_t)((7 * (uint64_t)u->rtt_us + ms) / 8) : ms;
}

static void measure_by_window(const struct tapir *t, const struct tcp_conn *c, struct tcp_tuner *u)
{
	uint32_t us = (uint32_t)min_usec(max_usec(t->now_us - u->window_us, 1), UINT32_MAX);

	if (seq_lt(c->rcv.nxt, u->window_end))
		return;
	u->rtt_us = u->rtt_us ? min_u32(u->rtt_us, us) : us;
	u->window_end = c->rcv.adv;
	u->window_us = t->now_us;
}

void tcp_tune_on_text(struct tapir *t, struct tcp_conn *c, const struct tcp_seg *seg)
{
	struct tcp_tuner *u = tuner_of(t, c);

	if (c->rcvbuf_fixed || seg->text.n < c->rcv.mss || t->cfg.rcvbuf_max <= t->cfg.rcvbuf)
		return;
	if (!u) {
		take_tuner(t, c);
		return;
	}
	if (u->next) {
		unlink_tuner(&t->tcp->tuners, u);
		append_tuner(&t->tcp->tuners, u);
	}
	measure_by_echo(t, c, u, seg);
	measure_by_window(t, c, u);
}

/* A sender in slow start doubles what it sends while this round's window is on its way to it: by as much as the last round
 * grew, the next ones will. */
static uint64_t room_for(const struct tcp_conn *c, const struct tcp_tuner *u)
{
	uint64_t room = 2 * (uint64_t)u->read + SLACK_SEGMENTS * c->rcv.mss;

	return room + 2 * room * (u->read - u->most) / u->most;
}

static void grow_rcvbuf(struct tapir *t, struct tcp_conn *c, const struct tcp_tuner *u)
{
	uint32_t most = tcp_tune_rcvbuf_max(t, c);
	uint64_t room = room_for(c, u);
	uint32_t size = room < most ? (uint32_t)room : most;

	if (size <= c->rx.limit)
		return;
	c->rx.limit = size;
	tcp_say_buffer(t, c, u->rtt_us, "receive buffer: the program has read more in a round trip than ever");
}

/* While memory is tight nothing is learned either: what was read is a reason to grow when that is over. */
static void end_round(struct tapir *t, struct tcp_conn *c, struct tcp_tuner *u)
{
	if (u->read > u->most && tcp_memory(t) == MEMORY_CALM) {
		grow_rcvbuf(t, c, u);
		u->most = u->read;
	}
	u->read = 0;
	u->round_us = t->now_us;
}

void tcp_tune_on_read(struct tapir *t, struct tcp_conn *c, uint32_t n)
{
	struct tcp_tuner *u = tuner_of(t, c);

	if (!c->rcvbuf_fixed && c->rx.limit > t->cfg.rcvbuf && tcp_memory(t) == MEMORY_SHORT) {
		c->rx.limit = t->cfg.rcvbuf;
		tcp_tune_forget(t, c);
		tcp_say_buffer(t, c, 0, "receive buffer: memory is short");
		return;
	}
	if (!u)
		return;
	u->read = n < UINT32_MAX - u->read ? u->read + n : UINT32_MAX;
	if (u->rtt_us && t->now_us - u->round_us >= u->rtt_us)
		end_round(t, c, u);
}

/* --- the send buffer -------------------------------------------------------------------------------------------- */

void tcp_tune_sndbuf(struct tapir *t, struct tcp_conn *c, uint32_t flight)
{
	uint32_t most = limit(t, t->cfg.sndbuf, t->cfg.sndbuf_max), half = min_u32(flight, min_u32(c->cc.cwnd, most / 2));
	bool has_grown = c->tx.limit > t->cfg.sndbuf;
	enum tcp_memory memory;

	if (c->sndbuf_fixed || (!has_grown && half <= c->tx.limit / 2))
		return;
	memory = tcp_memory(t);
	if (has_grown && memory == MEMORY_SHORT) {
		c->tx.limit = t->cfg.sndbuf;
		tcp_say_buffer(t, c, 0, "send buffer: memory is short");
	} else if (half > c->tx.limit / 2 && memory == MEMORY_CALM) {
		c->tx.limit = 2 * half;
		tcp_say_buffer(t, c, 0, "send buffer: twice what was in flight");
	}
}

/* --- STATUS, and the invariants ---------------------------------------------------------------------------------- */

void tcp_tune_status(const struct tapir *t, const struct tcp_conn *c, struct tapir_tcp_info *info)
{
	const struct tcp_tuner *u = tuner_of(t, c);

	info->rcv_rtt_us = u ? u->rtt_us : 0;
	info->rcv_space = u ? u->most : 0;
}

void tcp_tune_check(const struct tapir *t)
{
	const struct tcp_tuners *all = &t->tcp->tuners;
	uint32_t n = 0;

	for (const struct tcp_tuner *u = all->free; u; u = u->next, n++)
		assert(!u->conn);
	for (const struct tcp_tuner *u = all->oldest; u; u = u->next, n++)
		assert(tuner_of(t, u->conn) == u && u->conn->state != TCP_CLOSED && (u->next ? u->next->prev : all->newest) == u);
	assert(n == all->count);
}
