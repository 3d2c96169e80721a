/* recovery.c: what an acknowledgment means. Moves SND.UNA, has sack.c mark what was delivered and rack.c what was lost, and
 * walks the phases of the congestion state: OPEN; CWR, a reduction without loss; RECOVERY, fast recovery (RFC 6675 5, RFC
 * 6582 without SACK); LOSS, after a timeout (RFC 6298 5.4, RFC 5681 3.1). In CWR and RECOVERY prr.c moves the window, else
 * the controller does. Nothing here sends: plan.c finds LOST records and a window. */
#include "internal.h"

#define DUP_ACK_THRESHOLD 3	/* RFC 5681 3.2 */
#define FEW_SEGMENTS 4u		/* RFC 7765 4 */

uint32_t tcp_flight(const struct tcp_conn *c)
{
	return seq_sub(c->snd.max, c->snd.una);
}

uint32_t tcp_pipe(const struct tcp_conn *c)
{
	const struct tcp_sender *s = c->sender;
	uint32_t out = tcp_flight(c), gone = s ? s->sacked + s->lost + s->reno_out : 0;

	return out > gone ? out - gone : 0;
}

/* --- the controller --------------------------------------------------------------------------------------------- */

static struct cc_sample sample_of(struct tapir *t, struct tcp_conn *c, const struct tcp_delivery *d)
{
	struct tcp_sender *s = c->sender;
	struct cc_sample sample = {
		.now_us = t->now_us, .mss = c->snd.mss, .initial_window = c->snd.mss * (uint32_t)t->cfg.initial_window,
		.una = c->snd.una, .nxt = c->snd.max, .acked = d->acked, .delivered = d->delivered, .lost = d->lost,
		.flight = tcp_pipe(c), .prior_flight = d->prior_flight, .rtt_us = d->rtt_us, .srtt_us = c->rtt.srtt_us,
		.rate = d->rate, .min_rtt_us = s->min_rtt_us, .cwnd_limited = tcp_window_is_validated(c) && !d->ece,
		.reorders = s->rack.reordering_seen, .recovery = s->phase != PHASE_OPEN, .ece = d->ece};

	if (d->advanced && seq_geq(c->snd.una, s->round_end)) {
		sample.round_start = true;
		s->round_end = c->snd.max;
	}
	return sample;
}

/* Once for each event that asks the controller. */
static void measure(struct tcp_conn *c, struct tcp_delivery *d)
{
	d->rate = tcp_rate_sample(c->sender, &d->rate_ack, c->sender->min_rtt_us);
	d->rate.no_sack = !c->sack_on;
}

/* Before the flight changes: had the program nothing more to send? */
void tcp_note_app_limit(struct tcp_conn *c)
{
	bool more = c->tx.bytes >= tcp_flight(c) + c->snd.mss;

	if (c->sender && c->sender->started)
		tcp_rate_check_app_limited(c->sender, more, tcp_pipe(c), c->cc.cwnd);
}

void tcp_cc_start(struct tapir *t, struct tcp_conn *c, uint32_t initial_window, usec_t idle_us)
{
	struct tcp_delivery none = {.rtt_us = CC_NONE};
	struct cc_sample sample = sample_of(t, c, &none);

	sample.initial_window = initial_window;
	sample.rate.app_limited = c->sender->rate.app_limited_until != 0;
	c->sender->started = true;
	c->cc.ops->start(&c->cc, c->sender->cc_priv, &sample, idle_us);
}

static void congestion(struct tapir *t, struct tcp_conn *c, const struct tcp_delivery *d, enum cc_signal signal)
{
	struct cc_sample sample = sample_of(t, c, d);

	c->cc.ops->on_congestion(&c->cc, c->sender->cc_priv, &sample, signal, signal == CC_RTO && c->rtt.backoff > 1);
}

/* What an undo would put back is the old controller's. A controller that moved cwnd itself has left no ssthresh for PRR. */
void tcp_cc_open(struct tapir *t, struct tcp_conn *c)
{
	/* RFC 5681 3.1: a lost SYN or SYN-ACK means an initial window of one segment. */
	uint32_t window = c->snd.mss * (c->rtt.backoff && !c->deferred ? 1u : t->cfg.initial_window);

	if (c->cc.cwnd)
		return;			/* Fast Open: it was opened before its handshake ended */
	c->cc.ssthresh = CC_WINDOW_MAX;
	if (!tcp_sender_get(t, c)) {
		c->cc.cwnd = window;
		return;
	}
	tcp_cc_start(t, c, window, 0);
	if (!c->sender->first)
		tcp_sender_idle(t, c);
}

void tcp_cc_switch(struct tapir *t, struct tcp_conn *c, const struct cc_ops *to)
{
	struct tcp_delivery none = {.prior_flight = tcp_pipe(c), .rtt_us = CC_NONE, .longest_us = CC_NONE};
	const struct cc_ops *from = c->cc.ops;
	struct tcp_sender *s = c->sender;
	struct cc_sample sample;

	if (from == to || !s) {
		cc_switch(&c->cc, NULL, to, NULL);
		return;
	}
	sample = sample_of(t, c, &none);
	s->undo.possible = false;
	cc_switch(&c->cc, s->cc_priv, to, &sample);
	if (from->paces_itself && (s->phase == PHASE_RECOVERY || s->phase == PHASE_CWR))
		congestion(t, c, &none, CC_LOSS);
	tcp_say_cc(t, c, "another controller by TCP_CONGESTION");
}

/* --- phases ----------------------------------------------------------------------------------------------------- */

/* RECOVERY in the midst of CWR finds the window reduced already, for this window of data: PRR goes on (RFC 6675 5.1, once for
 * each window; RFC 3168 6.1.2), and as that reduction had its own reason, nothing can be undone. */
static void begin_phase(struct tapir *t, struct tcp_conn *c, enum tcp_phase phase, const struct tcp_delivery *d)
{
	struct tcp_sender *s = c->sender;
	bool reduced = s->phase == PHASE_CWR;

	tcp_undo_begin(t, c);
	s->undo.possible = !reduced;
	s->phase = (uint8_t)phase;
	s->recover = c->snd.max;
	s->tlp.out = false;		/* RFC 8985 7.1 */
	if (!reduced) {
		tcp_prr_begin(c, d);
		tcp_ecn_reduced(c);
	}
	if (!reduced || c->cc.ops->paces_itself)
		congestion(t, c, d, phase == PHASE_RECOVERY ? CC_LOSS : CC_ECN);
	tcp_say_cc(t, c, s->why_lost);
}

void tcp_reduce_window(struct tapir *t, struct tcp_conn *c, const char *why)
{
	struct tcp_delivery d = {.prior_flight = tcp_pipe(c), .rtt_us = CC_NONE};

	if (!c->sender || c->sender->phase != PHASE_OPEN)
		return;
	c->sender->why_lost = why;
	measure(c, &d);
	begin_phase(t, c, PHASE_CWR, &d);
}

/* RFC 8985 7.4.2: as fast recovery would have, had the loss been seen when the probe left: with what was outstanding then. */
static void probe_repaired(struct tapir *t, struct tcp_conn *c, const struct tcp_delivery *d)
{
	struct tcp_sender *s = c->sender;
	struct tcp_delivery then = *d;

	if (s->phase != PHASE_OPEN)
		return;
	if (s->tlp.flight > tcp_flight(c) + d->acked)
		then.acked = s->tlp.flight - tcp_flight(c);
	s->why_lost = "RFC 8985 7.4.2: a tail loss probe repaired a loss";
	begin_phase(t, c, PHASE_CWR, &then);
}

static void end_phase(struct tapir *t, struct tcp_conn *c)
{
	struct tcp_sender *s = c->sender;

	if (s->phase != PHASE_LOSS && !c->cc.ops->paces_itself)
		c->cc.cwnd = c->cc.ssthresh;
	s->phase = PHASE_OPEN;
	s->dup_acks = 0;
	s->reno_out = 0;
	s->force = false;
	tcp_rack_on_recovery_end(s);
	tcp_say_cc(t, c, "RFC 6675 5.1: recovery is over");
}

/* --- without SACK: RFC 5681 3.2, RFC 6582 3.2 ------------------------------------------------------------------- */

static void head_is_lost(struct tapir *t, struct tcp_conn *c, struct tcp_delivery *d, const char *why)
{
	struct tcp_sender *s = c->sender;
	struct tcp_sent *r = s->first;

	if (!r || r->state != SENT_FLYING)
		return;
	if (tcp_sent_len(r) > c->snd.mss)
		tcp_sent_split(t, c, r, seq_add(r->start, c->snd.mss));
	tcp_sent_lose(c, r);
	d->lost += tcp_sent_len(r);
	s->why_lost = why;
}

/* Of what the ACK acknowledges one segment was the hole; duplicate ACKs have counted the others as delivered (RFC 9937 6.2). */
static void reno_on_advance(struct tapir *t, struct tcp_conn *c, struct tcp_delivery *d)
{
	struct tcp_sender *s = c->sender;
	uint32_t counted = min_u32(s->reno_out, d->acked > c->snd.mss ? d->acked - c->snd.mss : 0);

	s->dup_acks = 0;
	if (s->phase == PHASE_OPEN) {
		s->reno_out = 0;
		return;
	}
	s->reno_out -= counted;
	d->delivered -= min_u32(counted, d->delivered);
	if (s->phase != PHASE_RECOVERY || seq_geq(c->snd.una, s->recover))
		return;
	head_is_lost(t, c, d, "RFC 6582 3.2 step 3: partial ACK, the next hole");
	s->force = true;		/* there may be no other ACK to let it go */
}

/* Each says that a segment has left the network, but a peer that lies gains no more than two segments by it (RFC 3042 2), and in
 * recovery no more than was outstanding (RFC 9937 6.2). After a timeout they are of the old flight. */
static void reno_on_duplicate(struct tapir *t, struct tcp_conn *c, struct tcp_delivery *d)
{
	struct tcp_sender *s = c->sender;
	bool third;

	if (s->phase == PHASE_LOSS)
		return;
	if (s->dup_acks < UINT8_MAX)
		s->dup_acks++;
	/* RFC 6582 3.2 step 2: not again for the same flight. */
	third = s->phase == PHASE_OPEN && s->dup_acks == DUP_ACK_THRESHOLD && seq_gt(c->snd.una, s->recover);
	if (s->phase == PHASE_OPEN && s->dup_acks >= DUP_ACK_THRESHOLD && !third)
		return;
	s->reno_out = min_u32(s->reno_out + c->snd.mss, s->phase == PHASE_OPEN ? tcp_flight(c) : s->prr.recover_fs);
	d->delivered += c->snd.mss;
	if (third)
		head_is_lost(t, c, d, "RFC 5681 3.2: third duplicate ACK");
}

/* --- an ACK ----------------------------------------------------------------------------------------------------- */

static uint32_t segments(const struct tcp_conn *c, uint32_t bytes) { return (bytes + c->snd.mss - 1) / c->snd.mss; }

/* Segments outstanding and waiting to be sent: too few for fast retransmit? */
static bool few_segments(const struct tcp_conn *c)
{
	uint32_t flight = tcp_flight(c), n = segments(c, c->tx.bytes > flight ? c->tx.bytes - flight : 0);

	for (const struct tcp_sent *r = c->sender->first; r && n < FEW_SEGMENTS; r = r->next)
		n += segments(c, tcp_sent_len(r));
	return n < FEW_SEGMENTS;
}

/* RFC 6298 5.2, 5.3; RFC 7765 4: with few segments, from when the first of them left, if that has not been over long ago.
 * DEVIATES: RFC 6582 3.2 step 3 (only the first partial ACK restarts it) because a path that repairs one loss a round trip works,
 * and a timeout would send again what has arrived (RFC 6582 4, "Slow-but-Steady"). */
static void restart_rto(struct tapir *t, struct tcp_conn *c)
{
	const struct tcp_sender *s = c->sender;
	usec_t due_us = t->now_us + c->rtt.rto_us, since_us;

	if (seq_eq(c->snd.una, c->snd.max)) {
		tcp_timer_disarm(t, c, TAPIR_TIMER_RTO);
		return;
	}
	if (s && s->first && s->first->state == SENT_FLYING && few_segments(c)) {
		since_us = s->first->sent_us + c->rtt.rto_us;
		due_us = since_us > t->now_us ? since_us : due_us;
	}
	tcp_timer_arm(t, c, TAPIR_TIMER_RTO, due_us);
}

static void advance(struct tapir *t, struct tcp_conn *c, const struct tcp_seg *seg, struct tcp_delivery *d)
{
	uint32_t text = seq_sub(seg->ack, c->snd.una);
	bool syn = tcp_syn_unacked(c);

	if (syn)
		text--;
	if (c->fin_queued && !c->fin_acked && seq_gt(seg->ack, tcp_fin_seq(c))) {
		c->fin_acked = true;
		text--;
	}
	tcp_sack_advance(t, c, seg, d);
	stream_consume(&c->tx, &t->frames, text);
	if (tcp_wraps(c->iss, c->snd.una, seg->ack))
		c->snd.wraps++;
	c->snd.una = seg->ack;
	c->syn_acked = true;
	c->snd.nxt = seq_max(c->snd.nxt, c->snd.una);
	if (syn)
		tcp_established(t, c);
	d->acked = text;
	d->advanced = true;
	c->soft_error = 0;			/* whatever ICMP said, the path works */
	c->rtt.probes = 0;
	c->owed.probe = false;
	tcp_timer_disarm(t, c, TAPIR_TIMER_PERSIST);	/* output arms it again if it must */
	tcp_pmtu_on_ack(t, c);
}

/* What was lost, as far as this ACK tells. */
static void judge(struct tapir *t, struct tcp_conn *c, const struct tcp_seg *seg, struct tcp_delivery *d, bool duplicate)
{
	if (!c->sack_on && d->advanced)
		reno_on_advance(t, c, d);
	else if (!c->sack_on && duplicate)
		reno_on_duplicate(t, c, d);
	else if (c->sack_on && c->sender->rack.sent_us)
		tcp_rack_on_ack(t, c, seg, d);
	measure(c, d);
}

/* With what an undo has changed RACK sees with other eyes: what was taken back may be lost all the same. */
static void undone(struct tapir *t, struct tcp_conn *c, struct tcp_delivery *d, const char *why)
{
	tcp_say_cc(t, c, why);
	tcp_ecn_undone(c);
	d->lost = c->sack_on ? tcp_rack_detect(t, c) : 0;
}

static void move_phase(struct tapir *t, struct tcp_conn *c, const struct tcp_seg *seg, struct tcp_delivery *d)
{
	struct tcp_sender *s = c->sender;
	const char *why = tcp_undo_on_ack(t, c, seg, d);

	if (why)
		undone(t, c, d, why);
	if (s->phase != PHASE_OPEN && seq_geq(c->snd.una, s->recover))
		end_phase(t, c);
	if (tcp_tlp_on_ack(c, seg, d))
		probe_repaired(t, c, d);
	if ((s->phase == PHASE_OPEN || s->phase == PHASE_CWR) && s->lost && d->lost && !tcp_pmtu_on_loss(t, c))
		begin_phase(t, c, PHASE_RECOVERY, d);
}

static bool is_reducing(const struct tcp_conn *c)
{
	return (c->sender->phase == PHASE_RECOVERY || c->sender->phase == PHASE_CWR) && !c->cc.ops->paces_itself;
}

/* was_reducing: when the ACK came. The one that ends it moves the window to ssthresh, and no further (RFC 9937 6.2, 6.4). */
static void move_window(struct tapir *t, struct tcp_conn *c, const struct tcp_delivery *d, bool was_reducing)
{
	struct cc_sample sample = sample_of(t, c, d);

	if (is_reducing(c)) {
		tcp_prr_on_ack(c, d);
		tcp_say_cc(t, c, "RFC 9937 6.2: proportional rate reduction");
		return;
	}
	if (!was_reducing && (d->delivered || d->lost))
		c->cc.ops->on_ack(&c->cc, c->sender->cc_priv, &sample);
	tcp_say_cc(t, c, c->cc.ops->why(&c->cc, c->sender->cc_priv));
}

static void ack_is_told(struct tapir *t, struct tcp_conn *c, const struct tcp_seg *seg, struct tcp_delivery *d, bool duplicate)
{
	bool reducing = is_reducing(c);

	judge(t, c, seg, d, duplicate);
	d->frto = tcp_frto_on_ack(c, d, duplicate);
	move_phase(t, c, seg, d);
	move_window(t, c, d, reducing);
}

void tcp_on_ack(struct tapir *t, struct tcp_conn *c, const struct tcp_seg *seg, bool duplicate)
{
	struct tcp_delivery d = {.prior_flight = tcp_pipe(c), .rtt_us = CC_NONE, .longest_us = CC_NONE,
				 .prior_una = c->snd.una, .rate_ack.now_us = t->now_us, .ece = tcp_ecn_echoed(c, seg)};

	tcp_note_app_limit(c);
	if (seq_gt(seg->ack, c->snd.una))
		advance(t, c, seg, &d);
	if (c->sack_on && seg->opt.sack_count)
		tcp_sack_blocks_arrive(t, c, seg, &d);
	if (d.advanced)
		tcp_rtt_on_ack(t, c, seg, d.longest_us);
	if (c->sender && c->sender->phase == PHASE_OPEN && seq_gt(c->snd.una, c->sender->recover))
		c->sender->recover = seq(c->snd.una.n - 1);	/* follows, so that it never lies 2 GiB behind */
	if (c->sender && (d.advanced || d.sacked || d.dsack || duplicate || c->sender->tlp.out))
		ack_is_told(t, c, seg, &d, duplicate);
	if (d.advanced) {
		restart_rto(t, c);
		tcp_user_timer_progress(t, c);
	}
	if (d.advanced || d.sacked)
		tcp_tlp_schedule(t, c);
	if (d.advanced && seq_eq(c->snd.una, c->snd.max))
		tcp_sender_idle(t, c);
	if (d.acked)
		tcp_tune_sndbuf(t, c, d.prior_flight);
	if (d.acked)
		tcp_conn_notify(t, c);
}

/* --- timers ----------------------------------------------------------------------------------------------------- */

/* RFC 8985 6.2 step 5: the reordering window has passed without an ACK. */
void tcp_on_reo_timer(struct tapir *t, struct tcp_conn *c)
{
	struct tcp_delivery d = {.prior_flight = tcp_pipe(c), .rtt_us = CC_NONE, .longest_us = CC_NONE};

	tcp_note_app_limit(c);
	d.lost = tcp_rack_detect(t, c);
	if (!d.lost)
		return;
	c->sender->why_lost = "RFC 8985 6.2 step 5: the reordering window is over";
	if (c->sender->phase == PHASE_OPEN || c->sender->phase == PHASE_CWR) {
		measure(c, &d);		/* else the next ACK tells of it */
		begin_phase(t, c, PHASE_RECOVERY, &d);
	}
	if (c->sender->phase == PHASE_RECOVERY && !c->cc.ops->paces_itself)
		tcp_prr_on_ack(c, &d);
	tcp_ready(t, c);
}

/* What the peer SACKed and does not acknowledge after all it has dropped (RFC 2018 8). */
static bool has_reneged(const struct tcp_sender *s)
{
	return s->first && s->first->state == SENT_SACKED;
}

/* Everything that was not SACKed. */
void tcp_all_is_lost(struct tcp_conn *c, const char *why)
{
	struct tcp_sender *s = c->sender;
	bool reneged = s && has_reneged(s);

	for (struct tcp_sent *r = s ? s->first : NULL; r; r = r->next)
		if (r->state == SENT_FLYING || reneged)
			tcp_sent_set(s, r, SENT_LOST);
	if (s) {
		s->reno_out = s->dup_acks = 0;
		s->why_lost = why;
	}
}

void tcp_on_rto(struct tapir *t, struct tcp_conn *c)
{
	struct tcp_delivery d = {.prior_flight = tcp_pipe(c), .rtt_us = CC_NONE, .longest_us = CC_NONE};
	struct tcp_sender *s = c->sender;

	if (tcp_syn_unacked(c))
		c->snd.nxt = c->iss;
	tcp_ready(t, c);
	if (!s || !s->first)
		return;
	tcp_pmtu_on_rto(t, c);
	tcp_frto_begin(c);
	if (s->phase != PHASE_LOSS)
		tcp_undo_begin(t, c);
	tcp_note_app_limit(c);
	tcp_rack_on_rto(t, c);
	if (has_reneged(s))
		tcp_all_is_lost(c, "RFC 2018 8: the peer has dropped what it SACKed");
	s->reno_out = s->dup_acks = 0;
	s->why_lost = "RFC 6298 5.4: retransmission timeout";
	s->tlp.out = false;
	s->force = true;
	s->phase = PHASE_LOSS;
	s->recover = c->snd.max;	/* RFC 6582 3.2 step 4 */
	measure(c, &d);
	congestion(t, c, &d, CC_RTO);
	tcp_ecn_reduced(c);
	tcp_timer_disarm(t, c, TAPIR_TIMER_REO);
	tcp_timer_disarm(t, c, TAPIR_TIMER_TLP);
	tcp_say_cc(t, c, "RFC 5681 3.1: retransmission timeout");
}
