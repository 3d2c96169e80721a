/* events.c: what a connection tells the probe. Builds each event in one place so that the code that decides stays
 * readable; costs one predictable branch when nobody looks. */
#include "internal.h"

static struct tapir_event about(const struct tapir *t, const struct tcp_conn *c, enum tapir_event_kind kind, const char *why)
{
	return (struct tapir_event){.kind = kind, .now_us = t->now_us, .local = c->local, .remote = c->peer, .why = why};
}

void tcp_say_state(struct tapir *t, const struct tcp_conn *c, enum tcp_state from, const char *why)
{
	struct tapir_event e;

	if (!t->cfg.probe)
		return;
	e = about(t, c, TAPIR_EV_STATE, why);
	e.u.state.from = (enum tapir_tcp_state)from;
	e.u.state.to = (enum tapir_tcp_state)c->state;
	probe(t, &e);
}

void tcp_say_segment(struct tapir *t, const struct tcp_conn *c, const struct tcp_seg *seg, enum tapir_event_kind kind,
		     const char *why)
{
	struct tapir_event e;
	uint8_t shift = kind == TAPIR_EV_SEGMENT_IN ? c->snd.shift : c->rcv.shift;

	if (!t->cfg.probe)
		return;
	e = about(t, c, kind, why);
	e.u.segment.seq = seg->seq.n;
	e.u.segment.ack = seg->ack.n;
	e.u.segment.len = seg->len;
	e.u.segment.wnd = seg->flags & TCP_SYN ? seg->wnd : seg->wnd << shift;
	e.u.segment.flags = seg->flags;
	probe(t, &e);
}

void tcp_say_timer(struct tapir *t, const struct tcp_conn *c, enum tapir_tcp_timer timer, enum tapir_event_kind kind)
{
	struct tapir_event e;

	if (!t->cfg.probe)
		return;
	e = about(t, c, kind, tapir_timer_name(timer));
	e.u.timer.timer = timer;
	e.u.timer.due_us = tcp_timer_due(c, timer);
	probe(t, &e);
}

void tcp_say_owed(struct tapir *t, const struct tcp_conn *c, const char *why)
{
	struct tapir_event e;

	if (!t->cfg.probe)
		return;
	e = about(t, c, TAPIR_EV_ACK_OWED, why);
	probe(t, &e);
}

void tcp_say_cc(struct tapir *t, const struct tcp_conn *c, const char *why)
{
	struct tapir_event e;

	if (!t->cfg.probe)
		return;
	e = about(t, c, TAPIR_EV_CC, why);
	e.u.cc.cwnd = c->cc.cwnd;
	e.u.cc.ssthresh = c->cc.ssthresh;
	e.u.cc.flight = tcp_pipe(c);
	e.u.cc.srtt_us = c->rtt.srtt_us;
	e.u.cc.rttvar_us = c->rtt.rttvar_us;
	e.u.cc.rto_us = c->rtt.rto_us;
	probe(t, &e);
}

void tcp_say_ecn(struct tapir *t, const struct tcp_conn *c, const char *why)
{
	struct tapir_event e;

	if (!t->cfg.probe)
		return;
	e = about(t, c, TAPIR_EV_ECN, why);
	e.u.ecn.on = tcp_ecn_on(c);
	e.u.ecn.echo = c->ecn & ECN_ECHO;
	e.u.ecn.ce_in = c->ce_in;
	probe(t, &e);
}

void tcp_say_window(struct tapir *t, const struct tcp_conn *c)
{
	struct tapir_event e;

	if (!t->cfg.probe)
		return;
	e = about(t, c, TAPIR_EV_WINDOW, "RFC 9293 3.10.7.4 fifth");
	e.u.window.wnd = c->snd.wnd;
	e.u.window.una = c->snd.una.n;
	e.u.window.nxt = c->snd.nxt.n;
	probe(t, &e);
}

void tcp_say_pmtu(struct tapir *t, const struct tcp_conn *c, const struct tcp_path *p, const char *why)
{
	struct tapir_event e;

	if (!t->cfg.probe)
		return;
	e = about(t, c, TAPIR_EV_PMTU, why);
	e.u.pmtu.mtu = (uint16_t)tcp_pmtu(c);
	e.u.pmtu.mss = c->snd.mss;
	if (p) {
		e.u.pmtu.low = p->low;
		e.u.pmtu.high = p->high;
		e.u.pmtu.probe = p->prober ? p->size : 0;
	}
	probe(t, &e);
}

void tcp_say_buffer(struct tapir *t, const struct tcp_conn *c, uint32_t rtt_us, const char *why)
{
	struct tapir_event e;

	if (!t->cfg.probe)
		return;
	e = about(t, c, TAPIR_EV_BUFFER, why);
	e.u.buffer.sndbuf = c->tx.limit;
	e.u.buffer.rcvbuf = c->rx.limit;
	e.u.buffer.rtt_us = rtt_us;
	probe(t, &e);
}
