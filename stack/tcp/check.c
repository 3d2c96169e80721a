/* check.c: the invariants of a connection, asserted after every event in tests. */
#include "internal.h"

static void check_sequence_numbers(const struct tcp_conn *c)
{
	assert(seq_leq(c->snd.una, c->snd.nxt) && seq_leq(c->snd.nxt, c->snd.max));
	assert(c->syn_acked || seq_eq(c->snd.una, c->iss));
	assert(c->tx.bytes == 0 || c->tx.head);
	/* Nothing was sent that is neither SYN, queued text nor FIN. */
	assert(seq_leq(c->snd.max, seq_add(tcp_fin_seq(c), c->fin_queued && !c->fin_acked ? 1 : 0)));
	assert(!c->fin_acked || (c->fin_queued && c->tx.bytes == 0));
	assert(!c->fin_rcvd || c->have_fin);
}

static void check_timers(const struct tcp_conn *c)
{
	for (enum tapir_tcp_timer i = 0; i < TAPIR_TIMER_COUNT; i++)
		assert(!tcp_timer_is_armed(c, i) || (timer_armed(&c->timer) && c->timer.due_us <= tcp_timer_due(c, i)));
	/* What is outstanding is guarded: it is acknowledged, sent again, or the connection ends. Where the window has closed while
	 * pacing held text back, the next look finds that out. */
	if (c->state != TCP_TIME_WAIT && seq_lt(c->snd.una, c->snd.max) && !c->is_ready)
		assert(tcp_timer_is_armed(c, TAPIR_TIMER_RTO) || tcp_timer_is_armed(c, TAPIR_TIMER_PERSIST) ||
		       tcp_timer_is_armed(c, TAPIR_TIMER_PACE));
	assert(!tcp_timer_is_armed(c, TAPIR_TIMER_2MSL) || c->state == TCP_TIME_WAIT);
	assert(c->state != TCP_TIME_WAIT || tcp_timer_is_armed(c, TAPIR_TIMER_2MSL));
}

static void check_state(const struct tcp_conn *c)
{
	bool closing = c->state == TCP_FIN_WAIT_1 || c->state == TCP_FIN_WAIT_2 || c->state == TCP_CLOSING ||
		       c->state == TCP_LAST_ACK || c->state == TCP_TIME_WAIT;

	assert(c->fin_queued == closing);
	assert(c->fin_rcvd == (c->state == TCP_CLOSE_WAIT || c->state == TCP_CLOSING || c->state == TCP_LAST_ACK ||
			       c->state == TCP_TIME_WAIT));
	assert((c->state == TCP_FIN_WAIT_2 || c->state == TCP_TIME_WAIT) == c->fin_acked);
	assert(c->state != TCP_SYN_SENT || (c->active && tcp_syn_unacked(c)));
}

void tcp_check(const struct tapir *t, const struct tcp_conn *c)
{
	(void)t;
	if (c->state == TCP_CLOSED) {
		assert(!timer_armed(&c->timer) && !c->is_ready && !c->waits && !c->queue && !c->tx.bytes && !c->pieces);
		return;
	}
	assert(c->queue != QUEUE_ORPHANS ||
	       (!c->owner && !c->listener && (c->state == TCP_FIN_WAIT_1 || c->state == TCP_FIN_WAIT_2 ||
					      c->state == TCP_CLOSING || c->state == TCP_LAST_ACK)));
	check_sequence_numbers(c);
	check_timers(c);
	check_state(c);
	tcp_reass_check(c);
	tcp_sender_check(c);
}

void tcp_check_all(const struct tapir *t)
{
	uint32_t found = 0, minis = 0, waiting = tcp_minis_check(t);

	for (uint32_t i = 0; i <= t->tcp->hash.mask; i++)
		for (const struct tcp_conn *c = tcp_slot(t, t->tcp->hash.buckets[i]); c; c = tcp_slot(t, c->hash_next)) {
			assert(c->state != TCP_CLOSED && c->state != TCP_LISTEN);
			tcp_check(t, c);
			found++;
			waiting += c->state == TCP_TIME_WAIT;
			minis += c->mini;
		}
	tcp_pmtu_check(t);
	tcp_tune_check(t);
	tcp_senders_check(t);
	tcp_waiting_check(t);
	tcp_bound_check(t);
	tcp_burst_check(t);
	assert(found <= t->tcp->used);	/* the rest is CLOSED, waiting for its owner to let go */
	assert(waiting == t->tcp->time_wait_count && minis == t->tcp->minis.unfolded);
}
