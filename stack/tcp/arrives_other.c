/* arrives_other.c: SEGMENT ARRIVES, Other States (RFC 9293 3.10.7.4): eight steps in the RFC's order, from a table.
 * A step returns true to go on to the next, or false when a->verdict is the segment's end. Steps change state and note what
 * is owed; they never send. The first trims a->seg to the "idealized segment" of RFC 9293 3.10.7.4 first, so that the later
 * ones need not ask again. A step that ends the connection returns false: it may be back in the pool.
 *
 * Each step names all eleven states, even where nothing is done: CLOSED, LISTEN and SYN-SENT never come here (arrives.c),
 * but for SYN-SENT's segment, which enters at the sixth step already ESTABLISHED. The seventh, text, is arrives_text.c. */
#include "internal.h"

#define PAWS_IDLE_S (24 * 24 * 3600)	/* RFC 7323 5.5: after 24 days TS.Recent says nothing */

static bool drop(struct tcp_arrival *a, enum tapir_verdict v)
{
	a->verdict = v;
	return false;
}

/* RFC 7323 5.3 R1: an older timestamp is an old duplicate from before the sequence numbers wrapped. */
static bool paws_rejects(const struct tapir *t, const struct tcp_conn *c, const struct tcp_seg *seg)
{
	return c->ts_on && seg->opt.has_ts && (int32_t)(seg->opt.ts_val - c->ts.recent) < 0 &&
	       tcp_seconds(t) - c->ts.recent_s < PAWS_IDLE_S;
}

static bool check_timestamp(struct tapir *t, struct tcp_conn *c, struct tcp_arrival *a)
{
	if (!c->ts_on || a->seg.flags & TCP_RST)
		return true;
	if (!a->seg.opt.has_ts && a->seg.flags & TCP_SYN)	/* a peer that has started anew: RFC 5961 4.2 answers it */
		return true;
	if (!a->seg.opt.has_ts)
		return drop(a, DROP_TCP_NO_TIMESTAMP);
	if (!paws_rejects(t, c, &a->seg))
		return true;
	tcp_dsack_old(t, c, &a->seg);	/* sent before what came before it */
	tcp_owe_dup_ack(t, c, "RFC 7323 5.3 R1: timestamp older than TS.Recent");
	return drop(a, DROP_TCP_PAWS);
}

/* RFC 9293 3.10.7.4 first, table 6.
 * DEVIATES: RFC 9293 3.10.7.4 first (SEG.SEQ < RCV.NXT+RCV.WND) because a peer that has filled the window sends its ACKs with
 * the number behind it: while some of its text is lost or late, ours would never be acknowledged. */
static bool acceptable(const struct tcp_conn *c, const struct tcp_seg *seg)
{
	uint32_t wnd = tcp_rcv_wnd(c);

	if (seg->len == 0 && seg->flags == TCP_ACK && seq_eq(seg->seq, seq_add(c->rcv.nxt, wnd)))
		return true;
	if (seg->len == 0)
		return wnd == 0 ? seq_eq(seg->seq, c->rcv.nxt) : seq_in(seg->seq, c->rcv.nxt, wnd);
	return wnd > 0 && (seq_in(seg->seq, c->rcv.nxt, wnd) || seq_in(seq_add(seg->seq, seg->len - 1), c->rcv.nxt, wnd));
}

/* "If the RCV.WND is zero ... special allowance should be made to accept valid ACKs, URGs, and RSTs": the text is cut off,
 * the rest is looked at, and an ACK is owed for the text. */
static bool zero_window_allowance(struct tapir *t, struct tcp_conn *c, struct tcp_arrival *a)
{
	if (tcp_rcv_wnd(c) > 0 || !seq_eq(a->seg.seq, c->rcv.nxt) || a->seg.flags & TCP_SYN)
		return false;
	tcp_owe_ack(t, c, "RFC 9293 3.10.7.4 first: text beyond a zero window");
	tcp_ecn_on_text(t, c, a);		/* RFC 3168 6.1.6: a window probe's mark counts */
	a->seg.text.n = 0;
	a->seg.len = 0;
	a->seg.flags &= (uint8_t)~TCP_FIN;
	return true;
}

static bool unacceptable(struct tapir *t, struct tcp_conn *c, struct tcp_arrival *a)
{
	if (a->seg.flags & TCP_RST)
		return drop(a, DROP_TCP_RST_OUT_OF_WINDOW);
	/* Their FIN again: our ACK was lost. The eighth step restarts 2 MSL for it, but it cannot get there. */
	if (c->state == TCP_TIME_WAIT && a->seg.flags & TCP_FIN && seq_eq(seq_add(a->seg.seq, a->seg.len), c->rcv.nxt))
		tcp_timer_arm(t, c, TAPIR_TIMER_2MSL, t->now_us + 2 * t->cfg.msl_us);
	if (a->seg.flags & TCP_SYN && c->state != TCP_SYN_RCVD) {
		tcp_owe_challenge_ack(t, c, "RFC 5961 4.2: SYN on a synchronized connection");
		return drop(a, DROP_TCP_SYN_CHALLENGE);
	}
	tcp_dsack_old(t, c, &a->seg);
	if (a->seg.len)
		tcp_owe_dup_ack(t, c, "RFC 9293 3.10.7.4 first: not acceptable");
	else	/* two peers could answer each other for ever */
		tcp_owe_challenge_ack(t, c, "RFC 9293 3.10.7.4 first: not acceptable");
	return drop(a, c->state == TCP_TIME_WAIT ? DROP_TCP_TIME_WAIT : DROP_TCP_OUT_OF_WINDOW);
}

/* The urgent pointer counts from SEG.SEQ (RFC 9293 3.8.5): it stays where it points, unless that is cut off too. */
void tcp_seg_skip(struct tcp_seg *seg, uint32_t n)
{
	seg->seq = seq_add(seg->seq, n);
	seg->len -= n;
	if (seg->up < n)
		seg->flags &= (uint8_t)~TCP_URG;
	else
		seg->up = (uint16_t)(seg->up - n);
}

/* Cuts off what lies before RCV.NXT and beyond the window, SYN and FIN included. */
static void trim(const struct tcp_conn *c, struct tcp_seg *seg)
{
	seq_t edge = seq_add(c->rcv.nxt, tcp_rcv_wnd(c));

	if (seq_lt(seg->seq, c->rcv.nxt)) {
		uint32_t old = seq_sub(c->rcv.nxt, seg->seq);

		seg->text = span_from(seg->text, old);
		tcp_seg_skip(seg, old);
	}
	if (seq_gt(seq_add(seg->seq, seg->len), edge)) {
		uint32_t beyond = seq_sub(seq_add(seg->seq, seg->len), edge);

		if (seg->flags & TCP_FIN && beyond > 0)
			beyond--;
		seg->flags &= (uint8_t)~TCP_FIN;
		seg->text = span_first(seg->text, seg->text.n - beyond);
		seg->len = (uint32_t)seg->text.n;
	}
}

/* RFC 7323 4.3: TS.Recent follows what the last ACK covered. A timestamp that is older gets here only after 24 days, when
 * it takes the place of the stale one (RFC 7323 5.5), or with a RST at RCV.NXT, which ends the connection. */
static void update_ts_recent(struct tapir *t, struct tcp_conn *c, const struct tcp_seg *seg)
{
	if (!c->ts_on || !seg->opt.has_ts || seq_gt(seg->seq, c->last_ack_sent))
		return;
	c->ts.recent = seg->opt.ts_val;
	c->ts.recent_s = tcp_seconds(t);
}

/* The SYN that brought us here, once more. With an ACK of ours it is figure 7's <SYN,ACK>: what remains without the SYN is
 * new. Alone, our SYN-ACK was lost: it is owed again.
 * DEVIATES: RFC 9293 3.10.7.4 first (a bare ACK) because a peer in SYN-SENT can use nothing but a SYN-ACK. */
static bool syn_again(struct tapir *t, struct tcp_conn *c, struct tcp_arrival *a)
{
	tcp_ecn_take_syn(c, a->seg.flags);
	if (a->seg.flags & TCP_ACK) {
		a->seg.flags &= (uint8_t)~(TCP_SYN | TCP_ECE | TCP_CWR);
		tcp_seg_skip(&a->seg, 1);
		a->seg.wnd >>= c->snd.shift;	/* RFC 7323 2.2: a SYN's is not scaled */
		return true;
	}
	c->snd.nxt = c->iss;
	c->why_owed = "the peer's SYN again: our SYN-ACK was lost";
	tcp_ready(t, c);
	return drop(a, DROP_TCP_OUT_OF_WINDOW);
}

static bool first_check_sequence_number(struct tapir *t, struct tcp_conn *c, struct tcp_arrival *a)
{
	struct tcp_seg *seg = &a->seg;

	switch (c->state) {
	case TCP_SYN_RCVD:
	case TCP_FIN_WAIT_1:	/* CLOSE in SYN-RECEIVED leads here with our SYN still unacknowledged */
		if (tcp_syn_unacked(c) && seg->flags & TCP_SYN && !(seg->flags & TCP_RST) && seq_eq(seg->seq, c->irs))
			return syn_again(t, c, a);
		break;
	case TCP_ESTABLISHED: case TCP_FIN_WAIT_2: case TCP_CLOSE_WAIT: case TCP_CLOSING:
	case TCP_LAST_ACK: case TCP_TIME_WAIT:
		break;
	case TCP_CLOSED: case TCP_LISTEN: case TCP_SYN_SENT:
		assert(false);
	}
	if (!check_timestamp(t, c, a))
		return false;
	if (!acceptable(c, seg) && !zero_window_allowance(t, c, a))
		return unacceptable(t, c, a);
	update_ts_recent(t, c, seg);
	if (!(seg->flags & (TCP_SYN | TCP_RST))) {
		tcp_dsack_old(t, c, seg);
		trim(c, seg);
	}
	return true;
}

/* RFC 9293 3.10.7.4 second, with the three checks of RFC 5961 3.2. Out of the window it did not get here. */
static bool second_check_rst(struct tapir *t, struct tcp_conn *c, struct tcp_arrival *a)
{
	const char *reset = "RFC 9293 3.10.7.4 second: a RST at RCV.NXT";

	if (!(a->seg.flags & TCP_RST))
		return true;
	if (!seq_eq(a->seg.seq, c->rcv.nxt)) {
		tcp_owe_challenge_ack(t, c, "RFC 5961 3.2: RST in the window, not at RCV.NXT");
		return drop(a, DROP_TCP_RST_CHALLENGE);
	}
	if (c->state == TCP_TIME_WAIT && t->cfg.rfc1337)	/* timewait.c says why */
		return drop(a, DROP_TCP_TIME_WAIT);
	tcp_fastopen_settle(t, c, true);
	switch (c->state) {
	case TCP_SYN_RCVD:	/* back to LISTEN, which is only this connection's end; or the active OPEN was refused */
		tcp_conn_end(t, c, c->active ? TAPIR_ECONNREFUSED : TAPIR_ECONNRESET, reset);
		break;
	case TCP_ESTABLISHED: case TCP_FIN_WAIT_1: case TCP_FIN_WAIT_2: case TCP_CLOSE_WAIT:
		tcp_conn_end(t, c, TAPIR_ECONNRESET, reset);
		break;
	case TCP_CLOSING: case TCP_LAST_ACK: case TCP_TIME_WAIT:
		tcp_conn_end(t, c, 0, reset);
		break;
	case TCP_CLOSED: case TCP_LISTEN: case TCP_SYN_SENT:
		assert(false);
	}
	return false;
}

/* Third: security and compartment. No datagram carries them here, so they match in every state (RFC 9293 A.1). */
static bool third_check_security(struct tapir *t, struct tcp_conn *c, struct tcp_arrival *a)
{
	(void)t;
	(void)a;
	switch (c->state) {
	case TCP_SYN_RCVD: case TCP_ESTABLISHED: case TCP_FIN_WAIT_1: case TCP_FIN_WAIT_2: case TCP_CLOSE_WAIT:
	case TCP_CLOSING: case TCP_LAST_ACK: case TCP_TIME_WAIT:
	case TCP_CLOSED: case TCP_LISTEN: case TCP_SYN_SENT:
		break;
	}
	return true;
}

static bool fourth_check_syn(struct tapir *t, struct tcp_conn *c, struct tcp_arrival *a)
{
	if (!(a->seg.flags & TCP_SYN))
		return true;
	switch (c->state) {
	case TCP_SYN_RCVD:
		if (!c->active && c->fastopen != FASTOPEN_EARLY) {	/* return to LISTEN; but an early one has a user */
			a->verdict = DROP_TCP_SYN_CHALLENGE;
			tcp_conn_end(t, c, TAPIR_ECONNRESET, "RFC 9293 3.10.7.4 fourth: a SYN; back to LISTEN");
			return false;
		}
		break;
	case TCP_ESTABLISHED: case TCP_FIN_WAIT_1: case TCP_FIN_WAIT_2: case TCP_CLOSE_WAIT: case TCP_CLOSING:
	case TCP_LAST_ACK:
	case TCP_TIME_WAIT:	/* a SYN that RFC 6191 lets through was taken out before (arrives.c) */
		break;
	case TCP_CLOSED: case TCP_LISTEN: case TCP_SYN_SENT:
		assert(false);
	}
	tcp_owe_challenge_ack(t, c, "RFC 5961 4.2: SYN on a synchronized connection");
	return drop(a, DROP_TCP_SYN_CHALLENGE);
}

/* SYN-RECEIVED: the ACK of our SYN opens the connection. */
static bool handshake_completes(struct tapir *t, struct tcp_conn *c, struct tcp_arrival *a)
{
	if (!seq_gt(a->seg.ack, c->snd.una) || seq_gt(a->seg.ack, c->snd.max)) {
		tcp_reset_for(t, a->pkt, &a->seg);
		return drop(a, DROP_TCP_SYN_RCVD_ACK);
	}
	if (tcp_defer_holds(t, c, &a->seg))
		return drop(a, DROP_TCP_DEFER_ACCEPT);
	if (!tcp_listen_promote(t, c))
		return drop(a, DROP_TCP_BACKLOG);
	if (c->active)		/* the SYNs crossed: text on ours may not have been taken */
		tcp_fastopen_syn_ack_arrives(t, c, &a->seg);
	c->snd.wnd = c->snd.max_wnd = a->seg.wnd << c->snd.shift;
	c->snd.wl1 = a->seg.seq;
	c->snd.wl2 = a->seg.ack;
	tcp_conn_notify(t, c);
	return true;
}

/* RFC 5961 5.2: SND.UNA - MAX.SND.WND =< SEG.ACK =< SND.NXT, where NXT is the highest ever sent. */
static bool ack_in_range(const struct tcp_conn *c, seq_t ack)
{
	return seq_leq(ack, c->snd.max) && seq_geq(ack, seq(c->snd.una.n - c->snd.max_wnd));
}

/* RFC 5681 2: nothing new in it at all, while something is outstanding that the window allowed. */
static bool is_duplicate_ack(const struct tcp_conn *c, const struct tcp_seg *seg)
{
	return seq_eq(seg->ack, c->snd.una) && seq_lt(c->snd.una, c->snd.max) && seg->len == 0 && c->snd.wnd > 0 &&
	       seg->wnd << c->snd.shift == c->snd.wnd;
}

/* "SND.WND, SND.WL1, SND.WL2": only a segment newer than the last to set it may set the window.
 * DEVIATES: RFC 9293 3.10.7.4 fifth (SND.WL1 < SEG.SEQ first) because a retransmission has an old SEG.SEQ and yet may be the first
 * to bring a SEG.ACK: without its window SND.UNA would move on, and the right edge of the old one with it. */
static void update_send_window(struct tapir *t, struct tcp_conn *c, const struct tcp_seg *seg)
{
	uint32_t wnd = seg->wnd << c->snd.shift;
	bool was_closed = c->snd.wnd == 0;

	if (!seq_leq(c->snd.una, seg->ack) || seq_gt(c->snd.wl2, seg->ack) ||
	    (seq_eq(c->snd.wl2, seg->ack) && seq_gt(c->snd.wl1, seg->seq)))
		return;
	c->snd.wl1 = seg->seq;
	c->snd.wl2 = seg->ack;
	if (wnd == c->snd.wnd)
		return;
	c->snd.wnd = wnd;
	c->snd.max_wnd = max_u32(c->snd.max_wnd, wnd);
	tcp_say_window(t, c);
	if (wnd == 0 || !was_closed)
		return;
	if (c->rtt.probes)
		tcp_all_is_lost(c, "RFC 9293 3.8.6.1: what the closed window refused");
	c->rtt.probes = 0;
	c->owed.probe = false;
	tcp_timer_disarm(t, c, TAPIR_TIMER_PERSIST);
	if (seq_lt(c->snd.una, c->snd.nxt) && !tcp_timer_is_armed(c, TAPIR_TIMER_RTO))
		tcp_timer_arm(t, c, TAPIR_TIMER_RTO, t->now_us + c->rtt.rto_us);
}

static void take_ack(struct tapir *t, struct tcp_conn *c, const struct tcp_seg *seg)
{
	tcp_ecn_on_ack(t, c, seg);
	if (seq_geq(seg->ack, c->snd.una))
		tcp_on_ack(t, c, seg, is_duplicate_ack(c, seg));
	update_send_window(t, c, seg);
	if (c->snd.wnd == 0)
		tcp_timer_disarm(t, c, TAPIR_TIMER_RTO);	/* the persist timer takes over (RFC 9293 3.8.6.1) */
	tcp_ready(t, c);
}

static const char fin_is_acked[] = "RFC 9293 3.10.7.4 fifth: our FIN is acknowledged";
static const char fin_came[] = "RFC 9293 3.10.7.4 eighth: FIN";

static void enter_fin_wait_2(struct tapir *t, struct tcp_conn *c)
{
	tcp_set_state(t, c, TCP_FIN_WAIT_2, fin_is_acked);
	if (!c->owner)		/* nobody will read what still comes: do not wait for ever */
		tcp_timer_arm(t, c, TAPIR_TIMER_FIN_WAIT_2, t->now_us + tcp_fin_wait_2_us(t, c));
	tcp_conn_notify(t, c);
}

static bool fifth_check_ack(struct tapir *t, struct tcp_conn *c, struct tcp_arrival *a)
{
	if (!(a->seg.flags & TCP_ACK))
		return drop(a, DROP_TCP_NO_ACK);
	if (c->state == TCP_SYN_RCVD && !handshake_completes(t, c, a))
		return false;
	if (!ack_in_range(c, a->seg.ack)) {
		tcp_owe_challenge_ack(t, c, "RFC 5961 5.2: SEG.ACK out of range");
		return drop(a, DROP_TCP_ACK_RANGE);
	}
	take_ack(t, c, &a->seg);
	switch (c->state) {
	case TCP_ESTABLISHED: case TCP_CLOSE_WAIT: case TCP_FIN_WAIT_2:
		return true;
	case TCP_FIN_WAIT_1:
		if (c->fin_acked)
			enter_fin_wait_2(t, c);
		return true;
	case TCP_CLOSING:
		if (c->fin_acked)
			tcp_enter_time_wait(t, c, fin_is_acked);
		return c->fin_acked;
	case TCP_LAST_ACK:
		if (c->fin_acked)
			tcp_conn_end(t, c, 0, fin_is_acked);
		return false;
	case TCP_TIME_WAIT:	/* a retransmitted FIN was acknowledged in the first step */
		return true;
	case TCP_SYN_RCVD: case TCP_CLOSED: case TCP_LISTEN: case TCP_SYN_SENT:
		assert(false);
	}
	return false;
}

/* Sixth: urgent text is delivered in line (RFC 9293 3.8.5, RFC 6093 3). The user hears of it when it is in advance of the
 * data consumed, and again when the pointer advances: RFC 9293 3.8.5 (MUST-32) asks for that, 3.10.7.4 sixth for once. */
static bool sixth_check_urg(struct tapir *t, struct tcp_conn *c, struct tcp_arrival *a)
{
	seq_t up = seq_add(a->seg.seq, a->seg.up), consumed = seq(c->rcv.nxt.n - c->rx.bytes);

	if (!(a->seg.flags & TCP_URG))
		return true;
	switch (c->state) {
	case TCP_ESTABLISHED: case TCP_FIN_WAIT_1: case TCP_FIN_WAIT_2:
		if (seq_leq(up, consumed) || (c->urgent && seq_leq(up, c->rcv.up)))
			break;
		c->rcv.up = up;
		c->urgent = true;
		tcp_conn_notify(t, c);
		break;
	case TCP_CLOSE_WAIT: case TCP_CLOSING: case TCP_LAST_ACK: case TCP_TIME_WAIT:
		break;		/* "This should not occur": ignored */
	case TCP_SYN_RCVD: case TCP_CLOSED: case TCP_LISTEN: case TCP_SYN_SENT:
		assert(false);
	}
	return true;
}

/* Eighth: the FIN counts once all text before it is here, which may be with a later segment than its own. */
static bool eighth_check_fin(struct tapir *t, struct tcp_conn *c, struct tcp_arrival *a)
{
	(void)a;
	if (!c->have_fin || c->fin_rcvd || !seq_eq(c->rcv.fin, c->rcv.nxt))
		return true;
	c->fin_rcvd = true;
	c->rcv.nxt = seq_add(c->rcv.nxt, 1);
	tcp_reass_clear(t, c);		/* there is no text beyond a FIN, whatever the peer has sent */
	tcp_owe_ack(t, c, fin_came);
	switch (c->state) {
	case TCP_SYN_RCVD: case TCP_ESTABLISHED:
		tcp_set_state(t, c, TCP_CLOSE_WAIT, fin_came);
		break;
	case TCP_FIN_WAIT_1:	/* our FIN is not acknowledged, or step five would have moved on */
		tcp_set_state(t, c, TCP_CLOSING, fin_came);
		break;
	case TCP_FIN_WAIT_2:
		tcp_enter_time_wait(t, c, fin_came);
		break;
	case TCP_CLOSE_WAIT: case TCP_CLOSING: case TCP_LAST_ACK:
	case TCP_TIME_WAIT:	/* remain; have been here already, so fin_rcvd was set */
	case TCP_CLOSED: case TCP_LISTEN: case TCP_SYN_SENT:
		assert(false);
	}
	tcp_conn_notify(t, c);
	return true;
}

static bool (*const steps[])(struct tapir *, struct tcp_conn *, struct tcp_arrival *) = {
	first_check_sequence_number, second_check_rst, third_check_security, fourth_check_syn,
	fifth_check_ack, sixth_check_urg, tcp_seventh_process_text, eighth_check_fin,
};
#define STEP_COUNT (sizeof steps / sizeof steps[0])

static enum tapir_verdict run_steps(struct tapir *t, struct tcp_conn *c, struct tcp_arrival *a, size_t from)
{
	for (size_t i = from; i < STEP_COUNT; i++)
		if (!steps[i](t, c, a))
			break;
	return a->verdict;
}

enum tapir_verdict tcp_arrives_other(struct tapir *t, struct tcp_conn *c, struct tcp_arrival *a)
{
	return run_steps(t, c, a, 0);
}

enum tapir_verdict tcp_arrives_from_sixth(struct tapir *t, struct tcp_conn *c, struct tcp_arrival *a)
{
	/* The SYN's segment has not been through the first step. */
	trim(c, &a->seg);
	return run_steps(t, c, a, 5);
}
