/* plan.c: whether there is a segment to send just now, and which (RFC 9293 3.8.6). Looks at what is queued, owed and lost and at
 * both windows; changes nothing but records, which it joins or splits to fit, what a plan uses up of the owed, and a congestion
 * window that an idle time has made old. The order of plans is: what was lost, duplicate ACKs, new text within both windows,
 * probes, and last an ACK that found no segment to ride on (MUST-58, MUST-59: after everything that arrived was processed). */
#include "plan.h"
#include "pace.h"

#define GSO_TEXT_MAX (65535u - IPV4_HEADER - TCP_HEADER_MAX)	/* an IP datagram, before the kernel or the NIC cuts it up */
#define SACK_OPTION(blocks) (4u + 8u * (blocks))	/* bytes, padded (RFC 2018 3) */

/* --- what may be sent ------------------------------------------------------------------------------------------- */

static uint32_t left(uint32_t window, uint32_t used) { return window > used ? window - used : 0; }

/* A SYN that is under way takes no room from the text of an early answer (RFC 7413 4.2.2). */
static uint32_t syn_out(const struct tcp_conn *c) { return tcp_syn_unacked(c) ? 1 : 0; }

/* The peer's window counts all that is not acknowledged; ours only what is still in the network. */
static uint32_t send_window_left(const struct tcp_conn *c) { return left(c->snd.wnd, left(tcp_flight(c), syn_out(c))); }
static uint32_t congestion_window_left(const struct tcp_conn *c) { return left(c->cc.cwnd, left(tcp_pipe(c), syn_out(c))); }

/* SACK blocks that the next segment will carry: all that RFC 2018 3 has room for, but at most half of a small segment. */
uint8_t tcp_sack_block_count(const struct tcp_conn *c)
{
	uint32_t n = c->ts_on ? 3 : TCP_SACK_BLOCKS;

	if (!c->piece_count && !tcp_dsack_waits(c))
		return 0;
	while (n && SACK_OPTION(n) > c->snd.mss / 2u)
		n--;
	return (uint8_t)(c->sack_on ? min_u32(n, c->piece_count + (tcp_dsack_waits(c) ? 1u : 0u)) : 0);
}

/* Text bytes of a full segment just now: what SACK blocks take comes out of the MSS (RFC 6691 2). */
uint32_t tcp_segment_text_max(const struct tcp_conn *c)
{
	uint32_t blocks = tcp_sack_block_count(c);

	return c->snd.mss - (blocks ? SACK_OPTION(blocks) : 0);
}

uint64_t tcp_pacing_rate(const struct tapir *t, const struct tcp_conn *c)
{
	bool paced = c->sender && (c->cc.ops->paces_itself || t->cfg.pacing);

	return paced ? tcp_pace_rate(c->sender, &c->cc, c->rtt.srtt_us, t->cfg.pacing) : 0;
}

/* Text that pacing lets go now; 0: not before the timer. */
static uint32_t pace_room(const struct tapir *t, const struct tcp_conn *c)
{
	uint64_t rate = tcp_pacing_rate(t, c);

	return rate ? tcp_pace_room(c->sender, rate, tcp_segment_text_max(c), t->now_us) : UINT32_MAX;
}

/* Bytes one frame may carry: a segment, or as many whole ones as the driver or burst.c cuts up and pacing lets go. */
static uint32_t frame_text_max(const struct tapir *t, const struct tcp_conn *c)
{
	uint32_t segment = tcp_segment_text_max(c);
	uint32_t most = min_u32(GSO_TEXT_MAX, max_u32(pace_room(t, c), segment));

	return (t->cfg.offload.tso4 || t->cfg.gso) && !tcp_ecn_owes_cwr(c) ? most / segment * segment : segment;
}

/* Where `at` lies in c->tx: our SYN takes a place of the sequence space, but none there. */
uint32_t tcp_text_offset(const struct tcp_conn *c, seq_t at)
{
	uint32_t from_una = seq_sub(at, c->snd.una);

	return from_una - (from_una && tcp_syn_unacked(c) ? 1 : 0);
}

/* RFC 9293 3.7.4 (SHLD-7) and A.3: a short segment waits while another one is unacknowledged. The end of a write that is
 * longer than a segment does not wait for its beginning. */
static bool nagle_holds(const struct tapir *t, const struct tcp_conn *c)
{
	if (tcp_cork_holds(c))
		return true;
	return t->cfg.nagle && !c->nodelay && !c->fin_queued && tcp_text_offset(c, c->snd.max) > 0 && c->snd.short_out;
}

/* How much of `unsent` the sender's rules against silly windows let go now (RFC 9293 3.8.6.2.1, MUST-38). */
static uint32_t text_to_send(const struct tapir *t, const struct tcp_conn *c, uint32_t unsent)
{
	uint32_t usable = min_u32(send_window_left(c), congestion_window_left(c));
	uint32_t len = min_u32(min_u32(unsent, usable), frame_text_max(t, c));
	uint32_t segment = tcp_segment_text_max(c), whole = len / segment * segment;

	if (len < unsent || nagle_holds(t, c)) {
		if (whole)
			return whole;					/* (1) */
		if (len == unsent)
			return 0;					/* Nagle */
		return tcp_text_offset(c, c->snd.max) == 0 && len >= c->snd.max_wnd / 2 ? len : 0;	/* (3) */
	}
	return len;							/* (2) */
}

/* --- plans ------------------------------------------------------------------------------------------------------ */

static bool plan_syn(struct tapir *t, struct tcp_conn *c, struct plan *p)
{
	if (!tcp_syn_unacked(c) || !seq_eq(c->snd.nxt, c->iss) || tcp_fastopen_waits(c))
		return false;
	*p = (struct plan){.at = c->iss, .flags = TCP_SYN, .why = "RFC 9293 3.5: handshake"};
	if (c->state != TCP_SYN_SENT)
		p->flags |= TCP_ACK;
	else if (tcp_fastopen_syn_text(c) && tcp_sender_has_room(t, c))
		p->len = tcp_fastopen_syn_text(c);
	if (p->len)
		p->why = "RFC 7413 4.2.1: text on the SYN, with the peer's cookie";
	return true;
}

static bool fin_fits(const struct tcp_conn *c, const struct plan *p)
{
	return c->fin_queued && !c->fin_acked && seq_eq(seq_add(p->at, p->len), tcp_fin_seq(c));
}

/* How much of what was sent before may go in one frame: a whole segment at least if the congestion window is open at all. */
static uint32_t again_max(const struct tapir *t, const struct tcp_conn *c)
{
	uint32_t segment = tcp_segment_text_max(c), allowed = congestion_window_left(c) / segment * segment;

	return min_u32(frame_text_max(t, c), max_u32(allowed, segment));
}

/* Losses that lie side by side go in as few frames as fit. What does not go now keeps its own history. */
static void gather_lost(struct tapir *t, struct tcp_conn *c, struct tcp_sent *r)
{
	uint32_t enough = again_max(t, c);

	while (tcp_sent_len(r) < enough && r->next && r->next->state == SENT_LOST) {
		uint32_t missing = enough - tcp_sent_len(r);

		if (tcp_sent_len(r->next) > missing)
			tcp_sent_split(t, c, r->next, seq_add(r->next->start, missing));
		tcp_sent_merge_next(t, c->sender, r);
	}
}

/* What r stands for: itself; and if it is less than a segment and the last, what was never sent fills the segment up. */
static uint32_t length_wanted(const struct tcp_conn *c, const struct tcp_sent *r)
{
	uint32_t len = tcp_sent_len(r), segment = tcp_segment_text_max(c);
	seq_t queued = seq_add(tcp_fin_seq(c), c->fin_queued);

	if (r->next || len >= segment)
		return len;
	return min_u32(len + seq_sub(queued, c->snd.max), segment);
}

/* How much may go again, within both windows. */
static uint32_t length_again(const struct tapir *t, const struct tcp_conn *c, const struct tcp_sent *r)
{
	uint32_t window = left(c->snd.wnd, seq_sub(r->start, c->snd.una));

	return min_u32(min_u32(length_wanted(c, r), window), again_max(t, c));
}

static void plan_again(const struct tcp_conn *c, struct plan *p, struct tcp_sent *r, uint32_t len)
{
	*p = (struct plan){.at = r->start, .len = len, .flags = TCP_ACK, .again = r};
	if (c->fin_queued && seq_gt(seq_add(r->start, len), tcp_fin_seq(c))) {
		p->flags |= TCP_FIN;
		p->len--;
	}
}

/* The first record that is LOST. */
static bool plan_retransmission(struct tapir *t, struct tcp_conn *c, struct plan *p)
{
	struct tcp_sent *r = c->sender ? tcp_sent_first_lost(c->sender) : NULL;
	uint32_t len;

	if (!r || tcp_syn_unacked(c) || !(congestion_window_left(c) || c->sender->force) || tcp_frto_holds(t, c))
		return false;
	gather_lost(t, c, r);
	len = length_again(t, c, r);
	if (!len)
		return false;
	plan_again(c, p, r, len);
	p->why = c->sender->why_lost;
	return true;
}

static uint32_t unsent_text(const struct tcp_conn *c)
{
	return left(c->tx.bytes, tcp_text_offset(c, c->snd.max));
}

bool tcp_has_new_segment(struct tapir *t, struct tcp_conn *c)
{
	uint32_t segment = tcp_segment_text_max(c);

	return unsent_text(c) >= segment && send_window_left(c) >= segment && congestion_window_left(c) >= segment &&
	       tcp_sender_has_room(t, c);
}

/* RFC 8985 7.3: new text if there is some, whatever cwnd says; else the last segment again. */
static bool plan_tlp(struct tapir *t, struct tcp_conn *c, struct plan *p)
{
	struct tcp_sender *s = c->sender;
	uint32_t segment = tcp_segment_text_max(c), len = min_u32(unsent_text(c), segment);
	struct tcp_sent *r = s ? s->last : NULL;

	if (!c->owed.tlp)
		return false;
	c->owed.tlp = false;
	if (!r || s->phase == PHASE_RECOVERY || s->phase == PHASE_LOSS || s->sacked || r->state != SENT_FLYING)
		return false;
	if (len && len <= send_window_left(c) && tcp_sender_has_room(t, c)) {
		*p = (struct plan){.at = c->snd.max, .len = len, .flags = TCP_ACK};
	} else {
		if (tcp_sent_len(r) > segment)
			r = tcp_sent_split(t, c, r, seq(r->end.n - segment));
		if (!r)
			return false;
		plan_again(c, p, r, tcp_sent_len(r));
	}
	p->tlp = true;
	p->why = "RFC 8985 7.3: tail loss probe";
	return true;
}

/* RFC 9293 3.10.4 SYN-RECEIVED: with nothing to send before it, a FIN does not wait for the ACK of our SYN. */
static bool plan_early_fin(struct tapir *t, struct tcp_conn *c, struct plan *p)
{
	if (!c->fin_queued || c->tx.bytes || !seq_eq(c->snd.nxt, tcp_fin_seq(c)) || !tcp_sender_has_room(t, c))
		return false;
	*p = (struct plan){.at = c->snd.nxt, .flags = TCP_FIN | TCP_ACK, .why = "RFC 9293 3.10.4: CLOSE in SYN-RECEIVED"};
	if (seq_lt(c->snd.nxt, c->snd.max))
		p->again = c->sender->first;
	return true;
}

/* RFC 5681 4.1: after an RTO of silence the window says nothing about the path any more. */
static void restart_after_idle(struct tapir *t, struct tcp_conn *c)
{
	usec_t idle_us = t->now_us - c->last_out_us;
	bool fresh = !c->sender->started;

	if (tcp_flight(c) || (!fresh && idle_us <= c->rtt.rto_us && !c->cc.ops->paces_itself))
		return;
	tcp_cc_start(t, c, c->snd.mss * (uint32_t)t->cfg.initial_window, idle_us > c->rtt.rto_us ? idle_us : 0);
}

/* True: text is due, as a probe, or as soon as there is room for one: then p is empty. */
static bool plan_mtu_probe(struct tapir *t, struct tcp_conn *c, struct plan *p, uint32_t unsent)
{
	uint32_t len = tcp_pmtu_probe_len(t, c, unsent, min_u32(send_window_left(c), congestion_window_left(c)));

	if (!len)
		return false;
	c->cwnd_limited = true;
	p->len = len == PMTU_WAIT ? 0 : len;
	p->larger = p->len > 0;
	p->why = "RFC 4821 7.5: a probe of a larger path MTU";
	return true;
}

static bool plan_text(struct tapir *t, struct tcp_conn *c, struct plan *p)
{
	uint32_t unsent;

	if (tcp_syn_unacked(c) && c->fastopen != FASTOPEN_EARLY)	/* RFC 7413 4.2.2: an early one may answer at once */
		return plan_early_fin(t, c, p);
	unsent = unsent_text(c);
	if ((!unsent && (!c->fin_queued || c->fin_acked)) || !tcp_sender_has_room(t, c))
		return false;
	restart_after_idle(t, c);
	*p = (struct plan){.at = c->snd.max, .flags = TCP_ACK, .why = "RFC 9293 3.8.6.2.1: text within the windows"};
	if (plan_mtu_probe(t, c, p, unsent))
		return p->len;
	p->len = text_to_send(t, c, unsent);
	c->cwnd_limited = p->len < unsent && congestion_window_left(c) < send_window_left(c);
	if (fin_fits(c, p) && send_window_left(c) > p->len) {
		p->flags |= TCP_FIN;
		p->why = "RFC 9293 3.6: FIN behind the text";
	}
	return p->len || p->flags & TCP_FIN;
}

/* RFC 9293 3.8.6.1 (MUST-36): at least one byte of new text, or our FIN, into a window that is closed or too small. */
static bool plan_probe(struct tapir *t, struct tcp_conn *c, struct plan *p)
{
	bool fresh = tcp_flight(c) == 0;

	if (!c->owed.probe || (fresh && !tcp_sender_has_room(t, c)))
		return false;
	*p = (struct plan){.at = c->snd.una, .flags = TCP_ACK,
			   .why = c->snd.wnd ? "RFC 9293 3.8.6.2.1 (4): override timeout" : "RFC 9293 3.8.6.1: window probe"};
	p->len = min_u32(c->tx.bytes, fresh ? max_u32(min_u32(c->snd.wnd, tcp_segment_text_max(c)), 1) : 1);
	if (c->tx.bytes == 0 && fin_fits(c, p))
		p->flags |= TCP_FIN;
	return p->len || p->flags & TCP_FIN;
}

/* RFC 9293 3.8.4: SEG.SEQ = SND.NXT-1 is outside the peer's window, so it must answer. */
static bool plan_keepalive(const struct tcp_conn *c, struct plan *p)
{
	if (!c->owed.keepalive)
		return false;
	*p = (struct plan){.at = seq(c->snd.max.n - 1), .flags = TCP_ACK, .why = "RFC 9293 3.8.4: keep-alive"};
	return true;
}

/* <SEQ=SND.NXT><ACK=RCV.NXT><CTL=ACK>; but where the window has closed over what was sent, a number that it contains. */
static bool plan_ack(const struct tcp_conn *c, struct plan *p)
{
	seq_t edge = seq_add(c->snd.una, c->snd.wnd + (tcp_syn_unacked(c) ? 1 : 0));

	if (!c->owed.ack && !c->owed.dup_acks)
		return false;
	*p = (struct plan){.at = seq_min(c->snd.max, edge), .flags = TCP_ACK, .why = c->why_owed};
	return true;
}

/* Text waits, and pacing holds it. */
static bool must_wait(struct tapir *t, struct tcp_conn *c)
{
	if (!c->sender || !(c->sender->lost || unsent_text(c)) || pace_room(t, c))
		return false;
	if (!tcp_timer_is_armed(c, TAPIR_TIMER_PACE))
		tcp_timer_arm(t, c, TAPIR_TIMER_PACE, c->sender->pace.next_us);
	return true;
}

bool tcp_plan(struct tapir *t, struct tcp_conn *c, struct plan *p)
{
	bool waits;

	if (plan_syn(t, c, p))
		return true;
	if (c->state == TCP_SYN_SENT)
		return false;
	waits = must_wait(t, c);
	if (!waits && plan_retransmission(t, c, p))
		return true;
	if (c->owed.dup_acks)
		return plan_ack(c, p);
	if (!waits && (plan_tlp(t, c, p) || plan_text(t, c, p)))
		return true;
	return plan_probe(t, c, p) || plan_keepalive(c, p) || plan_ack(c, p);
}
