/* conn.c: the life of a connection: from the pool, through its states, back to the pool. Owns the pool and
 * tcp_set_state, the only writer of c->state. config.max_conns of them may be
 * open; a half-open one, or one in TIME-WAIT, takes a place in the pool only while a segment or a timer is at work on it
 * (mini.c).
 *
 * Invariants: a connection is in the demux table exactly while it is in neither CLOSED nor LISTEN; one that is CLOSED has
 * no timer, nothing owed and nothing to send; one that is CLOSED without an owner is in the pool. */
#include "internal.h"

#define SPARE 16u		/* places beyond config.max_conns, for those that only pass through */

/* Out-of-order pieces each pin at least one small frame, so more of them than half the frames cannot be of use. */
static uint32_t piece_count(const struct tapir_config *cfg) { return cfg->small_frames / 2 + 1; }

uint32_t tcp_slot_count(const struct tapir_config *cfg) { return cfg->max_conns + SPARE; }

static uint32_t bucket_count(const struct tapir_config *cfg)
{
	uint32_t n = 16;

	while (n < cfg->max_conns)
		n *= 2;
	return n;
}

#define PARTS 12

static void carve_all(const struct tapir_config *cfg, uintptr_t *at, void *parts[PARTS])
{
	parts[0] = carve(at, sizeof(struct tcp));
	parts[1] = carve(at, sizeof(struct tcp_conn) * tcp_slot_count(cfg));
	parts[2] = carve(at, sizeof(uint32_t) * bucket_count(cfg));
	parts[3] = carve(at, tcp_reass_size(piece_count(cfg)));
	parts[4] = carve(at, tcp_senders_size(cfg));
	parts[5] = carve(at, tcp_fastopen_size(cfg));
	parts[6] = carve(at, tcp_tunings_size(cfg));
	parts[7] = carve(at, tcp_pmtu_size());
	parts[8] = carve(at, tcp_tune_size(tcp_tune_count(cfg)));
	parts[9] = carve(at, tcp_minis_size(cfg));
	parts[10] = carve(at, tcp_bound_size(cfg));
	parts[11] = carve(at, tcp_flood_size(cfg));
}

size_t tcp_size(const struct tapir_config *cfg)
{
	uintptr_t at = 0;
	void *parts[PARTS];

	carve_all(cfg, &at, parts);
	return at;
}

void tcp_init(struct tapir *t, void *mem)
{
	uintptr_t at = (uintptr_t)mem;
	void *parts[PARTS];

	carve_all(&t->cfg, &at, parts);
	t->tcp = parts[0];
	memset(t->tcp, 0, sizeof *t->tcp);
	t->tcp->slots = parts[1];
	memset(t->tcp->slots, 0, sizeof(struct tcp_conn) * tcp_slot_count(&t->cfg));
	for (uint32_t i = tcp_slot_count(&t->cfg); i-- > 0;) {
		t->tcp->slots[i].hash_next = t->tcp->free;
		t->tcp->free = i + 1;
	}
	t->tcp->next_port = (uint32_t)rng_next(&t->rng);
	tcp_demux_init(t, parts[2], bucket_count(&t->cfg));
	tcp_reass_init(t, parts[3], piece_count(&t->cfg));
	tcp_senders_init(t, parts[4]);
	tcp_fastopen_init(t, parts[5]);
	tcp_tunings_init(t, parts[6]);
	tcp_pmtu_init(t, parts[7]);
	tcp_tune_init(t, parts[8], tcp_tune_count(&t->cfg));
	tcp_minis_init(t, parts[9]);
	tcp_bound_init(t, parts[10]);
	tcp_flood_init(t, parts[11]);
}

static uint32_t open_count(const struct tapir *t) { return t->tcp->used - t->tcp->minis.unfolded; }

uint32_t tcp_connections(const struct tapir *t)
{
	return open_count(t) + t->tcp->minis.syn.count + t->tcp->minis.time_wait.count;
}

/* When config.max_conns are open the oldest orphan gives way: bounded memory before politeness to the slow. */
bool tcp_conn_may_open(struct tapir *t, bool now)
{
	struct tcp_conn *orphan = tcp_slot(t, t->tcp->orphans.head);

	if (open_count(t) < t->cfg.max_conns)
		return true;
	if (!orphan)
		return false;
	if (now)
		tcp_orphan_end(t, orphan, "every connection is taken: the oldest orphan gives way");
	return true;
}

void tcp_conn_init(struct tapir *t, struct tcp_conn *c, enum tcp_state state)
{
	memset(c, 0, sizeof *c);
	c->state = state;
	c->timer.fire = tcp_timer_fire;
	for (int i = 0; i < TCP_TIMER_SLOTS; i++)
		c->due_us[i] = USEC_NEVER;
	c->tx.limit = t->cfg.sndbuf;
	c->rx.limit = t->cfg.rcvbuf;
	c->rcv.quick = t->cfg.quickacks;
	c->rcv.mss = TCP_DEFAULT_MSS;
	c->cc.ops = cc_of(t->cfg.congestion);
	c->last_in_us = c->last_out_us = t->now_us;
	c->tuning = tcp_tuning_plain(t);
	tcp_rtt_init(t, c);
}

struct tcp_conn *tcp_conn_borrow(struct tapir *t, enum tcp_state state)
{
	struct tcp_conn *c = tcp_slot(t, t->tcp->free);

	if (!c)
		return NULL;
	t->tcp->free = c->hash_next;
	t->tcp->used++;
	tcp_conn_init(t, c, state);
	return c;
}

struct tcp_conn *tcp_conn_new(struct tapir *t, enum tcp_state state)
{
	return tcp_conn_may_open(t, true) ? tcp_conn_borrow(t, state) : NULL;
}

void tcp_conn_free(struct tapir *t, struct tcp_conn *c)
{
	assert(c->state == TCP_CLOSED && !c->queue && !c->is_ready && !c->waits && !timer_armed(&c->timer));
	stream_clear(&c->rx, &t->frames);
	tcp_tuning_put(t, c->tuning);
	c->hash_next = t->tcp->free;
	t->tcp->free = tcp_number(t, c);
	t->tcp->used--;
}

static void leave_state(struct tapir *t, struct tcp_conn *c, enum tcp_state to)
{
	if (c->state == TCP_TIME_WAIT)
		t->tcp->time_wait_count--;
	if (c->mini)
		tcp_mini_end(t, c);
	if (c->queue == QUEUE_ACCEPT)
		return;		/* an accept queue is left by accept(), or in CLOSED */
	if (c->queue == QUEUE_ORPHANS && to != TCP_TIME_WAIT && to != TCP_CLOSED)
		return;		/* it still is one */
	tcp_dequeue(t, c);
}

/* RFC 4022 3: tcpActiveOpens, tcpPassiveOpens, tcpAttemptFails, tcpEstabResets. */
void tcp_count_arrow(struct tapir *t, enum tcp_state from, enum tcp_state to)
{
	struct tapir_stats *s = &t->stats;

	s->tcp_active_opens += to == TCP_SYN_SENT;
	s->tcp_passive_opens += from == TCP_LISTEN && to == TCP_SYN_RCVD;
	if (to != TCP_CLOSED)
		return;
	s->tcp_attempt_fails += from == TCP_SYN_SENT || from == TCP_SYN_RCVD;
	s->tcp_estab_resets += from == TCP_ESTABLISHED || from == TCP_CLOSE_WAIT;
}

void tcp_set_state(struct tapir *t, struct tcp_conn *c, enum tcp_state to, const char *why)
{
	enum tcp_state from = c->state;

	assert(tcp_arrow_is_legal(from, to));
	tcp_count_arrow(t, from, to);
	leave_state(t, c, to);
	c->state = to;
	if (to == TCP_TIME_WAIT)
		t->tcp->time_wait_count++;
	tcp_say_state(t, c, from, why);
}

void tcp_conn_notify(struct tapir *t, struct tcp_conn *c)
{
	if (c->owner)
		socket_tcp_ready(t, c);
}

/* Takes the connection out of everything that would find it again. Text that arrived in order stays for its reader. */
static void detach(struct tapir *t, struct tcp_conn *c)
{
	tcp_demux_remove(t, c);
	tcp_unready(t, c);
	tcp_waiting_leave(t, c);
	tcp_burst_end(t, c);
	tcp_pmtu_forget(t, c);
	tcp_tune_forget(t, c);
	tcp_fastopen_settle(t, c, false);
	for (enum tapir_tcp_timer i = 0; i < TAPIR_TIMER_COUNT; i++)
		tcp_timer_disarm(t, c, i);
	if (c->queue == QUEUE_ACCEPT) {
		tcp_bound_of(t, c->listener)->listener.accepted--;
		tcp_dequeue(t, c);
	}
	c->listener = 0;
	c->owed = (struct tcp_owed){0};
	stream_clear(&c->tx, &t->frames);
	tcp_reass_clear(t, c);
	tcp_sender_put(t, c);
}

void tcp_conn_end(struct tapir *t, struct tcp_conn *c, int error, const char *why)
{
	assert(c->state != TCP_CLOSED);
	c->error = (int8_t)error;
	detach(t, c);
	tcp_set_state(t, c, TCP_CLOSED, why);
	if (c->owner)
		socket_tcp_ready(t, c);
	else
		tcp_conn_free(t, c);
}

void tcp_conn_fold(struct tapir *t, struct tcp_conn *c)
{
	detach(t, c);
	c->state = TCP_CLOSED;
	tcp_conn_free(t, c);
}

bool tcp_syn_unacked(const struct tcp_conn *c)
{
	return !c->syn_acked;
}

seq_t tcp_fin_seq(const struct tcp_conn *c)
{
	return seq_add(c->snd.una, c->tx.bytes + (tcp_syn_unacked(c) ? 1 : 0));
}

uint32_t tcp_rcv_wnd(const struct tcp_conn *c)
{
	return seq_gt(c->rcv.adv, c->rcv.nxt) ? seq_sub(c->rcv.adv, c->rcv.nxt) : 0;
}
