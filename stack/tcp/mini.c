/* mini.c: half-open connections and those in TIME-WAIT, in little memory: they are what others make us keep, by the thousand, and
 * there is not much to know about either. SYN-RECEIVED from a passive OPEN, and TIME-WAIT without a program, live in a
 * struct tcp_mini: 120 bytes, and at most 8 in the table. Nothing of RFC 9293 3.10.7.4 is written a second time for them: when a
 * segment or a timer wants one, it is unfolded into a whole tcp_conn, the eight steps run over that, and when output.c finds
 * nothing more to send for it, it is folded again.
 *
 * A mini begins with its state and ends with it, and holds its place in one of two queues, oldest first, folded or not: the SYN
 * queue, bounded by config.max_half_open (listen.c says what happens beyond), and TIME-WAIT, bounded by config.max_time_wait,
 * beyond which the oldest gives way. Unfolded ones borrow connections, beyond config.max_conns if they must; when there is none
 * left to borrow, a segment is dropped and a timer fires later.
 *
 * What the handshake has agreed on must be in pack_syn() and unpack_syn(), or a connection that was folded forgets it; what is
 * its listener's (options, buffers) is taken from there again. Times are not kept: the SYN-ACK left when the RTO was armed, and
 * neither state lasts for the 24 days after which TS.Recent is too old (RFC 7323 5.5).
 *
 * Invariants: a mini's endpoints are in the table of minis until it ends. If it is unfolded, the connection is in the table of
 * connections, with c->mini set; else the mini's timer is armed. No mini's connection has an owner. A half-open one has a
 * listener. */
#include <stddef.h>
#include "internal.h"

_Static_assert(sizeof(struct tcp_mini) <= 120, "what a SYN or an old connection may cost: with its share of the table 128");

static uint32_t mini_count(const struct tapir_config *cfg) { return cfg->max_half_open + cfg->max_time_wait; }

/* Between one and two in a chain when all are taken. */
static uint32_t bucket_count(const struct tapir_config *cfg)
{
	uint32_t n = 1;

	while (n <= mini_count(cfg) / 2)
		n *= 2;
	return n;
}

size_t tcp_minis_size(const struct tapir_config *cfg)
{
	uintptr_t at = 0;

	carve(&at, sizeof(struct tcp_mini) * mini_count(cfg));
	carve(&at, sizeof(struct tcp_mini *) * bucket_count(cfg));
	return at;
}

void tcp_minis_init(struct tapir *t, void *mem)
{
	uintptr_t at = (uintptr_t)mem;

	t->tcp->minis.all = t->tcp->minis.fresh = carve(&at, sizeof(struct tcp_mini) * mini_count(&t->cfg));
	t->tcp->minis.buckets = carve(&at, sizeof(struct tcp_mini *) * bucket_count(&t->cfg));
	t->tcp->minis.mask = bucket_count(&t->cfg) - 1;
	memset(t->tcp->minis.buckets, 0, sizeof(struct tcp_mini *) * bucket_count(&t->cfg));
}

/* --- table and queues ------------------------------------------------------------------------------------------- */

static struct tcp_mini **bucket(struct tapir *t, const struct tcp_tuple *tuple)
{
	return &t->tcp->minis.buckets[tuple->hash & t->tcp->minis.mask];
}

struct tcp_mini *tcp_mini_find(struct tapir *t, const struct tcp_tuple *tuple)
{
	struct tcp_mini *m = *bucket(t, tuple);

	while (m && !tcp_tuple_is(tuple, &m->local, &m->peer))
		m = m->hash_next;
	return m;
}

static struct tcp_mini *find_conn(struct tapir *t, const struct tcp_conn *c)
{
	struct tcp_tuple tuple = tcp_tuple(t, &c->local, &c->peer);

	return tcp_mini_find(t, &tuple);
}

static struct tcp_conn *conn_of(struct tapir *t, const struct tcp_mini *m)
{
	struct tcp_tuple tuple = tcp_tuple(t, &m->local, &m->peer);

	return tcp_demux(t, &tuple);
}

static struct tcp_mini_queue *queue_of(struct tapir *t, const struct tcp_mini *m)
{
	return m->waits ? &t->tcp->minis.time_wait : &t->tcp->minis.syn;
}

static void enqueue(struct tcp_mini_queue *q, struct tcp_mini *m)
{
	m->prev = q->tail;
	*(q->tail ? &q->tail->next : &q->head) = m;
	q->tail = m;
	q->count++;
}

/* There always is one: the queues are bounded. Memory that was never needed is never touched. */
static struct tcp_mini *take(struct tapir *t)
{
	struct tcp_mini *m = t->tcp->minis.free;

	if (!m)
		return t->tcp->minis.fresh++;
	t->tcp->minis.free = m->hash_next;
	return m;
}

static void put(struct tapir *t, struct tcp_mini *m)
{
	struct tcp_tuple tuple = tcp_tuple(t, &m->local, &m->peer);
	struct tcp_mini **at = bucket(t, &tuple);
	struct tcp_mini_queue *q = queue_of(t, m);

	while (*at != m)
		at = &(*at)->hash_next;
	*at = m->hash_next;
	*(m->prev ? &m->prev->next : &q->head) = m->next;
	*(m->next ? &m->next->prev : &q->tail) = m->prev;
	q->count--;
	wheel_disarm(&t->wheel, &m->timer);
	m->unfolded = false;
	m->hash_next = t->tcp->minis.free;
	t->tcp->minis.free = m;
}

/* --- SYN-RECEIVED and TIME-WAIT, packed ------------------------------------------------------------------------- */

static uint8_t at_most_255(uint32_t n) { return (uint8_t)min_u32(n, 255); }

static void pack_syn(struct tcp_mini *m, const struct tcp_conn *c)
{
	m->deferred = c->deferred;
	m->gives = c->fastopen == FASTOPEN_GIVES;
	m->ecn = c->ecn;
	m->segs_in = at_most_255(c->segs_in);
	m->mss_option = c->snd.mss_option;
	m->backoff = c->rtt.backoff;
	m->retrans = at_most_255(c->total_retrans);
}

static uint32_t rto_of(const struct tapir *t, const struct tcp_mini *m)
{
	usec_t rto_us = t->cfg.rto_initial_us;

	for (uint8_t i = 0; i < m->backoff && rto_us < t->cfg.rto_max_us; i++)
		rto_us = min_usec(2 * rto_us, t->cfg.rto_max_us);
	return (uint32_t)rto_us;
}

/* The RTO was armed when the SYN-ACK first left, and since then whenever it fired. */
static void unpack_syn_ack(const struct tapir *t, const struct tcp_mini *m, struct tcp_conn *c)
{
	usec_t armed_us = m->timer.due_us - rto_of(t, m);

	c->rtt.backoff = m->backoff;
	c->rtt.rto_us = rto_of(t, m);
	c->last_out_us = armed_us;
	c->rtt.timeout_ts = m->backoff ? c->ts.offset + (uint32_t)(armed_us / TAPIR_MS) : 0;
	c->syn_timed = !m->retrans && !m->backoff && !m->deferred;	/* Karn */
	if (c->syn_timed)
		c->rtt.syn_at_us = (uint32_t)armed_us;
	c->total_retrans = m->retrans;
	c->segs_out = 1u + m->retrans;		/* and ACKs of what was no part of the handshake, if any */
	c->segs_in = m->segs_in;
}

static void unpack_syn(struct tapir *t, const struct tcp_mini *m, struct tcp_conn *c)
{
	const struct tcp_bound *b = tcp_bound_listening(t, &m->local);

	assert(b);
	c->listener = tcp_bound_number(t, b);
	tcp_inherit(t, c, &b->listener);
	c->iss = c->snd.una = seq(m->snd_max.n - 1);
	c->irs = c->snd.wl1 = seq(m->rcv_nxt.n - 1);
	c->rcv.mss_offered = (uint16_t)tcp_mss_limit(c, (uint32_t)t->cfg.mtu - IPV4_HEADER - TCP_HEADER);
	c->deferred = m->deferred;
	c->fastopen = (m->gives ? FASTOPEN_GIVES : FASTOPEN_NONE) & 7u;
	c->ecn = m->ecn;
	c->snd.mss_option = m->mss_option;
	c->snd.mss = tcp_path_mss(t, c);
	unpack_syn_ack(t, m, c);
}

static void pack_wait(struct tcp_mini *m, const struct tcp_conn *c)
{
	m->ttl = c->ttl;
	m->tos = c->tos;
	m->max_wnd = c->snd.max_wnd;
}

static void unpack_wait(const struct tcp_mini *m, struct tcp_conn *c)
{
	c->syn_acked = c->fin_queued = c->fin_acked = c->have_fin = c->fin_rcvd = true;
	c->rcv.fin = seq(m->rcv_nxt.n - 1);
	c->rx.limit = m->window;			/* the window says what it has said */
	c->snd.una = m->snd_max;
	c->snd.max_wnd = m->max_wnd;
	c->snd.mss = TCP_DEFAULT_MSS;		/* nothing will be sent that it could bound */
	c->ttl = m->ttl;
	c->tos = m->tos;
}

static void pack(struct tcp_mini *m, const struct tcp_conn *c)
{
	m->snd_max = c->snd.max;
	m->rcv_nxt = c->rcv.nxt;
	m->window = tcp_rcv_wnd(c);
	m->ws_on = c->ws_on;
	m->sack_on = c->sack_on;
	m->ts_on = c->ts_on;
	m->ts_recent = c->ts.recent;
	m->challenged_ms = c->challenged_ms;
	m->snd_shift = (uint8_t)(c->snd.shift & 15);
	m->rcv_shift = (uint8_t)(c->rcv.shift & 15);
	if (m->waits)
		pack_wait(m, c);
	else
		pack_syn(m, c);
}

static enum tapir_tcp_timer timer_of(const struct tcp_mini *m) { return m->waits ? TAPIR_TIMER_2MSL : TAPIR_TIMER_RTO; }

static void unpack(struct tapir *t, const struct tcp_mini *m, struct tcp_conn *c)
{
	c->local = m->local;
	c->peer = m->peer;
	c->snd.nxt = c->snd.max = m->snd_max;
	c->rcv.nxt = c->last_ack_sent = m->rcv_nxt;
	c->rcv.adv = seq_add(m->rcv_nxt, m->window);
	c->ws_on = m->ws_on;
	c->sack_on = m->sack_on;
	c->ts_on = m->ts_on;
	c->ts.recent = m->ts_recent;
	c->ts.recent_s = tcp_seconds(t);
	c->ts.offset = tcp_ts_offset(t, &m->local, &m->peer);
	c->challenged_ms = m->challenged_ms;
	c->snd.shift = m->snd_shift;
	c->rcv.shift = (uint16_t)(m->rcv_shift & 15u);
	tcp_timer_set(c, timer_of(m), m->timer.due_us);
	if (m->waits)
		unpack_wait(m, c);
	else
		unpack_syn(t, m, c);
}

static enum tcp_state state_of(const struct tcp_mini *m) { return m->waits ? TCP_TIME_WAIT : TCP_SYN_RCVD; }

/* --- folding and unfolding -------------------------------------------------------------------------------------- */

/* The connection is a mini's from now on: one that is unfolded. */
static void attach(struct tapir *t, struct tcp_mini *m, struct tcp_conn *c)
{
	m->unfolded = c->mini = true;
	t->tcp->minis.unfolded++;
	tcp_ready(t, c);			/* output.c will fold it */
}

void tcp_mini_begin(struct tapir *t, struct tcp_conn *c)
{
	struct tcp_tuple tuple = tcp_tuple(t, &c->local, &c->peer);
	struct tcp_mini **chain = bucket(t, &tuple), *m;

	assert(!c->owner && (c->state == TCP_TIME_WAIT || (c->state == TCP_SYN_RCVD && c->listener)));
	if (c->state == TCP_TIME_WAIT && t->tcp->minis.time_wait.count >= t->cfg.max_time_wait)
		tcp_mini_drop(t, t->tcp->minis.time_wait.head);
	m = take(t);
	*m = (struct tcp_mini){.hash_next = *chain, .local = c->local, .peer = c->peer, .timer.fire = tcp_mini_fire,
			       .waits = c->state == TCP_TIME_WAIT};
	*chain = m;
	enqueue(queue_of(t, m), m);
	attach(t, m, c);
}

void tcp_mini_end(struct tapir *t, struct tcp_conn *c)
{
	c->mini = false;
	t->tcp->minis.unfolded--;
	put(t, find_conn(t, c));
}

/* Whether it has come to rest: a mini holds nothing that is owed, and no timer but its state's. */
static bool rests(const struct tcp_conn *c)
{
	const struct tcp_owed *o = &c->owed;
	enum tapir_tcp_timer own = c->state == TCP_TIME_WAIT ? TAPIR_TIMER_2MSL : TAPIR_TIMER_RTO;

	for (enum tapir_tcp_timer i = 0; i < TAPIR_TIMER_COUNT; i++)
		if (tcp_timer_is_armed(c, i) != (i == own))
			return false;
	return !o->ack && !o->dup_acks && !o->tlp && !o->probe && !o->keepalive && !c->is_ready &&
	       (c->state == TCP_TIME_WAIT || seq_eq(c->snd.nxt, seq_add(c->iss, 1)));
}

void tcp_mini_fold(struct tapir *t, struct tcp_conn *c)
{
	struct tcp_mini *m;

	if (!c->mini || !rests(c))
		return;
	m = find_conn(t, c);
	pack(m, c);
	wheel_arm(&t->wheel, &m->timer, tcp_timer_due(c, timer_of(m)));
	m->unfolded = c->mini = false;
	t->tcp->minis.unfolded--;
	tcp_conn_fold(t, c);
}

struct tcp_conn *tcp_mini_unfold(struct tapir *t, struct tcp_mini *m)
{
	struct tcp_conn *c = tcp_conn_borrow(t, state_of(m));

	if (!c)
		return NULL;
	unpack(t, m, c);
	wheel_disarm(&t->wheel, &m->timer);
	wheel_arm(&t->wheel, &c->timer, m->timer.due_us);
	tcp_demux_add(t, c);
	attach(t, m, c);
	return c;
}

/* --- ends ------------------------------------------------------------------------------------------------------- */

enum end { GIVES_WAY, TIMED_OUT, ABORTED };
static const char *const why_ended[] = {
	[GIVES_WAY] = "there are too many: the oldest gives way (config.max_half_open, max_time_wait)",
	[TIMED_OUT] = "RFC 9293 3.10.8: 2 MSL have passed", [ABORTED] = "RFC 9293 3.10.5: ABORT"
};

static void tell_end(struct tapir *t, const struct tcp_mini *m, enum end how)
{
	struct tcp_conn c;			/* for as long as it is told about */

	tcp_conn_init(t, &c, state_of(m));
	unpack(t, m, &c);
	if (how == TIMED_OUT)
		tcp_say_timer(t, &c, TAPIR_TIMER_2MSL, TAPIR_EV_TIMER_FIRED);
	if (how == ABORTED)
		tcp_reset_conn(t, &c, c.snd.max);
	c.state = TCP_CLOSED;
	tcp_say_state(t, &c, state_of(m), why_ended[how]);
	tcp_count_arrow(t, state_of(m), TCP_CLOSED);
	tcp_tuning_put(t, c.tuning);
}

/* The end of one that is folded, which need not borrow a connection for it. */
static void end_folded(struct tapir *t, struct tcp_mini *m, enum end how)
{
	if (t->cfg.probe || how == ABORTED)
		tell_end(t, m, how);
	if (m->waits)
		t->tcp->time_wait_count--;
	put(t, m);
}

void tcp_mini_drop(struct tapir *t, struct tcp_mini *m)
{
	if (m->unfolded)
		tcp_conn_end(t, conn_of(t, m), TAPIR_ETIMEDOUT, why_ended[GIVES_WAY]);
	else
		end_folded(t, m, GIVES_WAY);
}

void tcp_minis_abort(struct tapir *t, const struct tapir_endpoint *bound)
{
	struct tcp_mini *next;

	for (struct tcp_mini *m = t->tcp->minis.syn.head; m; m = next) {
		next = m->next;
		if (m->local.port != bound->port ||
		    !(tapir_addr_is_any(&bound->addr) || tapir_addr_equal(&bound->addr, &m->local.addr)))
			continue;
		if (m->unfolded)
			tcp_abort(t, conn_of(t, m));
		else
			end_folded(t, m, ABORTED);
	}
}

void tcp_mini_fire(struct tapir *t, struct timer *timer)
{
	struct tcp_mini *m = (struct tcp_mini *)(void *)((uint8_t *)timer - offsetof(struct tcp_mini, timer));
	struct tcp_conn *c;

	if (m->waits) {
		end_folded(t, m, TIMED_OUT);
		return;
	}
	c = tcp_mini_unfold(t, m);
	if (c) {
		wheel_disarm(&t->wheel, &c->timer);
		tcp_timer_fire(t, &c->timer);
		return;
	}
	m->retrans = at_most_255(m->retrans + 1u);	/* as if it had been sent again, and lost */
	wheel_arm(&t->wheel, &m->timer, t->now_us + rto_of(t, m));
}

/* --- for who looks ---------------------------------------------------------------------------------------------- */

uint32_t tcp_mini_places(const struct tapir *t) { return (uint32_t)(t->tcp->minis.fresh - t->tcp->minis.all); }

bool tcp_mini_row(struct tapir *t, uint32_t i, struct tapir_tcp_row *row)
{
	const struct tcp_mini *m = &t->tcp->minis.all[i];

	if (!timer_armed(&m->timer))		/* free, or unfolded, and then a place in the pool says more */
		return false;
	*row = (struct tapir_tcp_row){.brief = true, .orphan = m->waits, .send_q = m->waits ? 0 : 1};
	row->info.state = (enum tapir_tcp_state)state_of(m);
	row->info.local = m->local;
	row->info.peer = m->peer;
	for (int n = 0; n < TAPIR_TIMER_COUNT; n++)
		row->due_us[n] = USEC_NEVER;
	row->due_us[timer_of(m)] = m->timer.due_us;
	if (m->waits)
		return true;
	row->info.rto_us = rto_of(t, m);
	row->info.retransmits = m->backoff;
	row->info.total_retrans = m->retrans;
	return true;
}

/* --- the invariants of tcp_check_all ---------------------------------------------------------------------------- */

/* How many of them are folded. */
static uint32_t check_queue(const struct tcp_mini_queue *q, bool waits)
{
	uint32_t n = 0, folded = 0;

	for (const struct tcp_mini *m = q->head; m; m = m->next, n++) {
		assert(m->waits == waits && m->unfolded != timer_armed(&m->timer));
		folded += !m->unfolded;
	}
	assert(n == q->count);
	return folded;
}

uint32_t tcp_minis_check(const struct tapir *t)
{
	uint32_t waiting = check_queue(&t->tcp->minis.time_wait, true), half_open = check_queue(&t->tcp->minis.syn, false);

	assert(t->tcp->minis.syn.count <= t->cfg.max_half_open && t->tcp->minis.time_wait.count <= t->cfg.max_time_wait);
	assert(t->tcp->minis.syn.count + t->tcp->minis.time_wait.count == waiting + half_open + t->tcp->minis.unfolded);
	return waiting;
}
