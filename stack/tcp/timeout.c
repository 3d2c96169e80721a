/* timeout.c: TIMEOUTS (RFC 9293 3.10.8): the logical timers of a connection over its one timer in the wheel, and what each
 * does when it fires. A logical timer that moves later only moves its deadline; the wheel is told when it gets there. */
#include <stddef.h>
#include "internal.h"

#define FOR_EVER UINT8_MAX	/* as an R2: no count of retransmissions is too many (RFC 9293 3.8.3 MUST-21) */

/* Timers of one slot are never armed together. RTO and PERSIST: what is outstanding within the window, or what waits for it to
 * open (RFC 9293 3.8.6.1). KEEPALIVE, FIN_WAIT_2 and 2MSL: of a connection with a program, of an orphan, which ends by itself and
 * need not be probed, and of TIME-WAIT, which has no other. */
enum { SLOT_SENDING, SLOT_DELACK, SLOT_LIFE, SLOT_USER };
const uint8_t tcp_timer_slot[TCP_CONN_TIMERS] = {
	[TAPIR_TIMER_RTO] = SLOT_SENDING, [TAPIR_TIMER_PERSIST] = SLOT_SENDING, [TAPIR_TIMER_DELACK] = SLOT_DELACK,
	[TAPIR_TIMER_KEEPALIVE] = SLOT_LIFE, [TAPIR_TIMER_FIN_WAIT_2] = SLOT_LIFE, [TAPIR_TIMER_2MSL] = SLOT_LIFE,
	[TAPIR_TIMER_USER] = SLOT_USER,
};

static usec_t earliest(const struct tcp_conn *c)
{
	usec_t due = USEC_NEVER;

	for (int i = 0; i < TCP_TIMER_SLOTS; i++)
		due = min_usec(due, c->due_us[i]);
	for (int i = 0; c->sender && i < TCP_SENDER_TIMERS; i++)
		due = min_usec(due, c->sender->due_us[i]);
	return due;
}

static inline void set_due(struct tcp_conn *c, enum tapir_tcp_timer timer, usec_t due_us)
{
	uint8_t bit = (uint8_t)(1u << timer);

	if (timer >= TCP_CONN_TIMERS) {
		if (c->sender)
			c->sender->due_us[timer - TCP_CONN_TIMERS] = due_us;
		return;
	}
	assert(c->armed & bit || c->due_us[tcp_timer_slot[timer]] == USEC_NEVER);
	c->due_us[tcp_timer_slot[timer]] = due_us;
	c->armed = due_us == USEC_NEVER ? c->armed & (uint8_t)~bit : c->armed | bit;
}

void tcp_timer_set(struct tcp_conn *c, enum tapir_tcp_timer timer, usec_t due_us) { set_due(c, timer, due_us); }

void tcp_timer_arm(struct tapir *t, struct tcp_conn *c, enum tapir_tcp_timer timer, usec_t due_us)
{
	assert(c->state != TCP_CLOSED && due_us != USEC_NEVER && (timer < TCP_CONN_TIMERS || c->sender));
	set_due(c, timer, due_us);
	if (!timer_armed(&c->timer) || due_us < c->timer.due_us)
		wheel_arm(&t->wheel, &c->timer, due_us);
	tcp_say_timer(t, c, timer, TAPIR_EV_TIMER_ARMED);
}

void tcp_timer_disarm(struct tapir *t, struct tcp_conn *c, enum tapir_tcp_timer timer)
{
	if (!tcp_timer_is_armed(c, timer))
		return;
	set_due(c, timer, USEC_NEVER);
	if (earliest(c) == USEC_NEVER)
		wheel_disarm(&t->wheel, &c->timer);
}

/* The peer is taken for gone (RFC 9293 3.8.3, R2). What ICMP said meanwhile is a better reason than silence. */
static void give_up(struct tapir *t, struct tcp_conn *c, const char *why)
{
	tcp_conn_end(t, c, c->soft_error ? c->soft_error : TAPIR_ETIMEDOUT, why);
}

/* R2 (RFC 9293 3.8.3): of an attempt to open, which a crossing SYN does not shorten (MUST-23); of an orphan; or the user's. */
static uint8_t retry_limit(const struct tapir *t, const struct tcp_conn *c)
{
	if (c->deferred && c->state == TCP_SYN_RCVD && c->listener)
		return (uint8_t)max_u32(t->cfg.synack_retries, tcp_defer_limit(t, c));
	if (c->state == TCP_SYN_SENT || c->state == TCP_SYN_RCVD)
		return c->active ? tcp_syn_retries(t, c) : t->cfg.synack_retries;
	if (tcp_user_timeout_us(c))
		return FOR_EVER;		/* the user timeout is R2 */
	return c->owner || c->listener ? c->retries : t->cfg.orphan_retries;
}

static usec_t backed_off(const struct tapir *t, const struct tcp_conn *c, uint8_t times)
{
	usec_t rto = c->rtt.rto_us;

	while (times-- && rto < t->cfg.rto_max_us)
		rto *= 2;
	return min_usec(rto, t->cfg.rto_max_us);
}

/* R1: IP may look for another way (MUST-20), the user may look at STATUS (SHLD-9). The next new ACK takes it back. */
static void reach_r1(struct tapir *t, struct tcp_conn *c)
{
	ip_doubt(t, &c->peer.addr);
	if (!c->soft_error)
		c->soft_error = TAPIR_ETIMEDOUT;
	tcp_conn_notify(t, c);
}

static void rto_fires(struct tapir *t, struct tcp_conn *c)
{
	uint8_t limit = retry_limit(t, c);
	bool quiet;

	if (c->rtt.backoff >= limit && limit < FOR_EVER) {
		give_up(t, c, "RFC 9293 3.8.3: R2 retransmissions without an answer");
		return;
	}
	quiet = tcp_defer_is_quiet(t, c);
	t->stats.tcp_timeouts += !quiet;
	if (c->rtt.backoff < UINT8_MAX && ++c->rtt.backoff == t->cfg.retries1 && !quiet)
		reach_r1(t, c);
	c->rtt.rto_us = (uint32_t)backed_off(t, c, 1);	/* until a new sample (RFC 6298 5.5) */
	c->syn_timed = false;
	c->rtt.timeout_ts = tcp_ts_now(t, c);
	if (!quiet || !tcp_defer_is_quiet(t, c))
		tcp_on_rto(t, c);
	tcp_timer_arm(t, c, TAPIR_TIMER_RTO, t->now_us + c->rtt.rto_us);
}

/* A window may stay closed for ever as long as the peer answers our probes (RFC 9293 3.8.6.1, MUST-37); an orphan may not
 * keep memory that long, and a peer that answers nothing is gone. */
static void persist_fires(struct tapir *t, struct tcp_conn *c)
{
	bool orphan = !c->owner && !c->listener;
	bool silent = t->now_us - c->last_in_us > 2 * t->cfg.rto_max_us;

	if (c->waits) {			/* the last probe has not left for want of a sender (wait.c): no fault of the peer's */
		tcp_timer_arm(t, c, TAPIR_TIMER_PERSIST, t->now_us + backed_off(t, c, c->rtt.probes));
		return;
	}
	if ((orphan && c->rtt.probes >= t->cfg.orphan_retries) ||
	    (silent && c->rtt.probes >= c->retries && c->retries < FOR_EVER && !tcp_user_timeout_us(c))) {
		tcp_reset_conn(t, c, c->snd.max);
		give_up(t, c, "RFC 9293 3.8.6.1: window probes without an answer");
		return;
	}
	if (c->rtt.probes < UINT8_MAX)
		c->rtt.probes++;
	tcp_all_is_lost(c, "RFC 9293 3.8.6.1: the window closed over it");
	c->owed.probe = true;
	if (c->snd.wnd == 0)	/* else the RTO watches over what now goes (RFC 9293 3.8.6.2.1 (4)) */
		tcp_timer_arm(t, c, TAPIR_TIMER_PERSIST, t->now_us + backed_off(t, c, c->rtt.probes));
	tcp_ready(t, c);
}

static void delack_fires(struct tapir *t, struct tcp_conn *c)
{
	tcp_owe_ack(t, c, "RFC 9293 3.8.6.3 (MUST-40): the delayed ACK's time is up");
}

/* RFC 9293 3.8.4 (MUST-27): only an idle connection is probed. Any segment from the peer proves that it is there, and while
 * something waits to be sent or acknowledged the other timers ask. */
static void keepalive_fires(struct tapir *t, struct tcp_conn *c)
{
	usec_t idle_until = c->last_in_us + tcp_keep_idle_us(t, c);
	bool waiting = c->tx.bytes || seq_lt(c->snd.una, c->snd.max);

	if (t->now_us < idle_until || waiting) {
		if (t->now_us >= idle_until)
			idle_until = t->now_us + tcp_keep_interval_us(t, c);
		tcp_timer_arm(t, c, TAPIR_TIMER_KEEPALIVE, idle_until);
		return;
	}
	if (tcp_keepalive_is_over(t, c)) {
		tcp_reset_conn(t, c, c->snd.max);
		give_up(t, c, "RFC 9293 3.8.4: keep-alive probes without an answer");
		return;
	}
	c->rtt.keepalives++;
	c->owed.keepalive = true;
	tcp_timer_arm(t, c, TAPIR_TIMER_KEEPALIVE, t->now_us + tcp_keep_interval_us(t, c));
	tcp_ready(t, c);
}

static void user_fires(struct tapir *t, struct tcp_conn *c)
{
	give_up(t, c, "RFC 9293 3.10.8: USER TIMEOUT (TCP_USER_TIMEOUT)");
}

/* Nobody is left to read what an absent FIN would end (fin_wait_2_us), or 2 MSL have passed; or an orphan is not rid of its
 * text yet (orphan_us). */
static void wait_is_over(struct tapir *t, struct tcp_conn *c)
{
	if (c->state == TCP_TIME_WAIT)
		tcp_conn_end(t, c, 0, "RFC 9293 3.10.8: 2 MSL have passed");
	else if (c->state == TCP_FIN_WAIT_2)
		tcp_conn_end(t, c, 0, "no FIN came for who reads no more (config.fin_wait_2_us)");
	else
		tcp_orphan_end(t, c, "the peer takes too long over an orphan's text (config.orphan_us)");
}

/* RFC 8985 7.3: whether the probe can be sent or not, the RTO counts from now. */
static void tlp_fires(struct tapir *t, struct tcp_conn *c)
{
	c->owed.tlp = true;
	if (tcp_timer_is_armed(c, TAPIR_TIMER_RTO))
		tcp_timer_arm(t, c, TAPIR_TIMER_RTO, t->now_us + c->rtt.rto_us);
	tcp_ready(t, c);
}

/* The next frame may leave. */
static void pace_fires(struct tapir *t, struct tcp_conn *c)
{
	tcp_ready(t, c);
}

static void (*const fires[TAPIR_TIMER_COUNT])(struct tapir *, struct tcp_conn *) = {
	[TAPIR_TIMER_RTO] = rto_fires, [TAPIR_TIMER_PERSIST] = persist_fires, [TAPIR_TIMER_DELACK] = delack_fires,
	[TAPIR_TIMER_KEEPALIVE] = keepalive_fires, [TAPIR_TIMER_FIN_WAIT_2] = wait_is_over,
	[TAPIR_TIMER_2MSL] = wait_is_over, [TAPIR_TIMER_USER] = user_fires, [TAPIR_TIMER_TLP] = tlp_fires,
	[TAPIR_TIMER_REO] = tcp_on_reo_timer, [TAPIR_TIMER_PACE] = pace_fires,
};

void tcp_timer_fire(struct tapir *t, struct timer *timer)
{
	struct tcp_conn *c = (struct tcp_conn *)(void *)((uint8_t *)timer - offsetof(struct tcp_conn, timer));

	/* The RTO comes last: what fires with it may take its place. */
	for (enum tapir_tcp_timer i = TAPIR_TIMER_COUNT; i-- > 0 && c->state != TCP_CLOSED;) {
		if (tcp_timer_due(c, i) > t->now_us)
			continue;
		tcp_say_timer(t, c, i, TAPIR_EV_TIMER_FIRED);
		set_due(c, i, USEC_NEVER);
		fires[i](t, c);
	}
	if (c->state != TCP_CLOSED && earliest(c) != USEC_NEVER)
		wheel_arm(&t->wheel, &c->timer, earliest(c));
}

void tcp_set_keepalive(struct tapir *t, struct tcp_conn *c, bool on)
{
	c->keepalive = on;
	if (!on || c->state == TCP_CLOSED)
		tcp_timer_disarm(t, c, TAPIR_TIMER_KEEPALIVE);
	else if (c->state != TCP_SYN_SENT && c->state != TCP_SYN_RCVD && c->state != TCP_TIME_WAIT && c->queue != QUEUE_ORPHANS)
		tcp_timer_arm(t, c, TAPIR_TIMER_KEEPALIVE, c->last_in_us + tcp_keep_idle_us(t, c));
}
