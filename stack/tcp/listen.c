/* listen.c: the LISTEN state (RFC 9293 3.10.7.2), the SYN queue and the accept queues.
 * A connection from a passive OPEN is in the SYN queue (mini.c) while SYN-RECEIVED, then in its listener's accept queue
 * until accept(). The SYN queue is bounded: when it is full the oldest half-open connection gives way, so that a flood of SYNs
 * cannot keep a peer out that answers faster than the flood turns the queue over; unless config.syn_cookies lets what
 * finds no place go without (cookie.c). The accept queue is bounded by listen()'s backlog: when it is full, SYNs and final
 * ACKs are dropped and the peer tries again. */
#include "internal.h"

#define TCP_MIN_MSS 48		/* less is an attack on our work per byte, not a path */
#define TS_OPTION 12		/* bytes of the timestamps option, padded */

static bool syn_queue_is_full(const struct tapir *t) { return t->tcp->minis.syn.count >= t->cfg.max_half_open; }

void tcp_set_shift(const struct tapir *t, struct tcp_conn *c)
{
	uint32_t most = tcp_tune_rcvbuf_max(t, c);

	c->rcv.shift = 0;
	while (t->cfg.window_scale && c->rcv.shift < 14 && most >> c->rcv.shift > 65535)
		c->rcv.shift++;
}

/* What both sides said in their SYNs is what the connection has. Our side offered what the configuration allows. */
void tcp_take_syn_options(struct tapir *t, struct tcp_conn *c, const struct tcp_seg *seg)
{
	c->ws_on = t->cfg.window_scale && seg->opt.has_wscale;
	c->ts_on = t->cfg.timestamps && seg->opt.has_ts;
	c->sack_on = t->cfg.sack && seg->opt.sack_permitted;
	tcp_ecn_take_syn(c, seg->flags);
	c->snd.shift = c->ws_on ? seg->opt.wscale : 0;
	if (!c->ws_on)
		c->rcv.shift = 0;
	c->snd.mss_option = seg->opt.mss ? seg->opt.mss : TCP_DEFAULT_MSS;
	if (c->snd.mss_option < TCP_MIN_MSS + TS_OPTION)
		c->snd.mss_option = TCP_MIN_MSS + TS_OPTION;
	if (c->ts_on) {
		c->ts.recent = seg->opt.ts_val;
		c->ts.recent_s = tcp_seconds(t);
		c->last_ack_sent = c->rcv.nxt;	/* the SYN's ACK, which is owed */
	}
	tcp_update_mss(t, c);
}

void tcp_established(struct tapir *t, struct tcp_conn *c)
{
	tcp_fastopen_settle(t, c, false);
	tcp_cc_open(t, c);
	tcp_set_keepalive(t, c, c->keepalive);
}

void tcp_inherit(struct tapir *t, struct tcp_conn *c, const struct tcp_listener *l)
{
	c->tx.limit = l->sndbuf;
	c->rx.limit = l->rcvbuf;
	c->sndbuf_fixed = l->sndbuf_fixed;
	c->rcvbuf_fixed = l->rcvbuf_fixed;
	c->ttl = l->ttl;
	c->tos = l->tos;
	c->retries = l->retries;
	c->cc.ops = cc_of((enum tapir_cc)l->congestion);
	c->nodelay = l->nodelay;
	c->keepalive = l->keepalive;
	c->cork = l->cork;
	tcp_tuning_put(t, c->tuning);
	c->tuning = tcp_tuning_share(l->tuning);
}

static seq_t choose_iss(struct tapir *t, const struct tcp_conn *c, const struct tcp_arrival *a)
{
	seq_t iss = tcp_isn(t, &c->local, &c->peer);

	/* RFC 6191 2: above anything the connection in TIME-WAIT has sent. */
	if (a->has_floor && seq_leq(iss, a->iss_floor))
		iss = seq_add(a->iss_floor, 65536);
	return iss;
}

void tcp_take_syn(struct tapir *t, struct tcp_conn *c, const struct tcp_bound *b, const struct tcp_arrival *a)
{
	c->listener = tcp_bound_number(t, b);
	tcp_inherit(t, c, &b->listener);
	c->local = a->tuple.local;
	c->peer = a->tuple.peer;
	c->irs = a->seg.seq;
	c->rcv.nxt = c->rcv.adv = seq_add(a->seg.seq, 1);
	c->snd.wnd = c->snd.max_wnd = a->seg.wnd;
	c->snd.wl1 = a->seg.seq;
	c->ts.offset = tcp_ts_offset(t, &c->local, &c->peer);
	tcp_set_shift(t, c);
	tcp_take_syn_options(t, c, &a->seg);
	c->segs_in += tcp_segments(a);
}

/* RFC 4987 3.6: what finds the SYN queue full goes without a place in it. But a SYN that ended a TIME-WAIT needs an ISS above
 * the old one's numbers (RFC 6191 2), which a cookie cannot promise. */
static bool wants_cookie(const struct tapir *t, const struct tcp_arrival *a)
{
	return !a->has_floor && (t->cfg.syn_cookies == 2 || (t->cfg.syn_cookies == 1 && syn_queue_is_full(t)));
}

static void join_syn_queue(struct tapir *t, struct tcp_conn *c, const struct tcp_arrival *a)
{
	tcp_mini_begin(t, c);
	tcp_fastopen_offer(t, c, a);
}

/* Third: a SYN makes a connection in SYN-RECEIVED. Text and FIN on the SYN are not acknowledged, so that the peer sends them
 * again once its address is proven, unless a Fast Open cookie has proven it. DEVIATES: RFC 9293 3.10.7.2 third (text "should
 * be queued") because a forged source could make us hold it. */
static enum tapir_verdict third_check_syn(struct tapir *t, struct tcp_bound *b, struct tcp_arrival *a)
{
	struct tcp_conn *c;
	bool early;

	if (b->listener.accepted >= b->listener.backlog)
		return DROP_TCP_BACKLOG;
	early = tcp_fastopen_accepts(t, &b->listener, a);
	if (!early && wants_cookie(t, a))
		return tcp_flood_answers(t, a) ? tcp_cookie_send(t, b, a) : DROP_TCP_SYN_RATE;
	if (!early && syn_queue_is_full(t))
		tcp_mini_drop(t, t->tcp->minis.syn.head);
	c = tcp_conn_may_open(t, early) ? tcp_conn_borrow(t, TCP_LISTEN) : NULL;
	if (!c)
		return DROP_NO_MEMORY;
	tcp_take_syn(t, c, b, a);
	c->iss = c->snd.una = c->snd.nxt = c->snd.max = choose_iss(t, c, a);
	tcp_demux_add(t, c);
	tcp_set_state(t, c, TCP_SYN_RCVD, "RFC 9293 3.10.7.2 third: a SYN");
	tcp_say_segment(t, c, &a->seg, TAPIR_EV_SEGMENT_IN, early ? "RFC 7413 4.2.2: the SYN has our cookie: its text is taken"
								   : "RFC 9293 3.10.7.2 third");
	if (early)
		tcp_fastopen_open(t, c, a);
	else
		join_syn_queue(t, c, a);
	tcp_ready(t, c);
	return ACCEPT;
}

/* RFC 9293 3.10.7.2 */
enum tapir_verdict tcp_arrives_listen(struct tapir *t, struct tcp_bound *b, struct tcp_arrival *a)
{
	if (a->seg.flags & TCP_RST)			/* first */
		return DROP_TCP_LISTEN_RST;
	if (a->seg.flags & TCP_ACK && !(a->seg.flags & TCP_SYN) && tcp_cookies_are_out(t))
		return tcp_cookie_arrives(t, b, a);
	if (a->seg.flags & TCP_ACK) {			/* second */
		tcp_reset_for(t, a->pkt, &a->seg);
		return DROP_TCP_LISTEN_ACK;
	}
	if (a->seg.flags & TCP_SYN)
		return third_check_syn(t, b, a);
	return DROP_TCP_LISTEN_NO_SYN;			/* fourth */
}

bool tcp_listen_promote(struct tapir *t, struct tcp_conn *c)
{
	const char *acked = "RFC 9293 3.10.7.4 fifth: our SYN is acknowledged";
	struct tcp_bound *b = tcp_bound_of(t, c->listener);

	if (c->fastopen == FASTOPEN_EARLY) {		/* it is in the accept queue, or with its user, already */
		tcp_set_state(t, c, TCP_ESTABLISHED, acked);
		return true;
	}
	if ((b && b->listener.accepted >= b->listener.backlog) || (c->mini && !tcp_conn_may_open(t, true)))
		return false;
	tcp_set_state(t, c, TCP_ESTABLISHED, acked);
	if (b) {
		tcp_enqueue(t, c, QUEUE_ACCEPT);
		b->listener.accepted++;
		socket_tcp_incoming(t, b);
	}
	return true;
}

void tcp_open_passive(struct tapir *t, struct tcp_bound *b)
{
	(void)t;
	assert(b->owner && b->listener.backlog > 0);
	b->listener.fastopen.pending = b->listener.fastopen.resets = 0;
	b->listening = true;
}

struct tcp_conn *tcp_accept(struct tapir *t, struct tcp_bound *b, uint32_t owner)
{
	struct tcp_conn *c = tcp_slot(t, b->listener.accept.head);

	if (!c)
		return NULL;
	tcp_dequeue(t, c);
	b->listener.accepted--;
	c->listener = 0;
	c->owner = owner;
	return c;
}

/* RFC 9293 3.10.4 LISTEN: what waits in the accept queue was established: it is reset. What is half open is forgotten; its
 * next segment meets CLOSED. */
void tcp_close_listener(struct tapir *t, struct tcp_bound *b)
{
	while (b->listener.accept.head)
		tcp_abort(t, tcp_slot(t, b->listener.accept.head));
	tcp_minis_abort(t, &b->local);
	b->listening = false;
}
