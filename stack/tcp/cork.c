/* cork.c: how a program says when to send and when to acknowledge: TCP_CORK, TCP_NODELAY, TCP_QUICKACK. Owns c->cork and
 * c->uncorked. Names and meanings are Linux'.
 *
 * A cork holds back a last short segment even when nothing is outstanding; full ones go. What it holds goes when the cork is
 * taken out, at a FIN, when TCP_NODELAY is set again (once: the cork stays), and after config.cork_us: then the override
 * timeout of RFC 9293 3.8.6.2.1 (4) does it, which is what the persist timer is with an open window. */
#include "internal.h"

#define QUICK_SEGMENTS 16u	/* that TCP_QUICKACK asks for, if the configuration names fewer */

bool tcp_cork_holds(const struct tcp_conn *c)
{
	return c->cork && !c->uncorked && !c->fin_queued && seq_geq(c->snd.nxt, c->snd.max);
}

usec_t tcp_override_us(const struct tapir *t, const struct tcp_conn *c)
{
	return tcp_cork_holds(c) && c->snd.wnd ? t->cfg.cork_us : c->rtt.rto_us;
}

void tcp_cork_on_sent(struct tcp_conn *c)
{
	if (c->uncorked && seq_sub(c->snd.nxt, c->snd.una) >= c->tx.bytes)
		c->uncorked = false;
}

void tcp_set_cork(struct tapir *t, struct tcp_conn *c, bool on)
{
	c->cork = on;
	c->uncorked = false;
	if (!on && c->state != TCP_CLOSED)
		tcp_ready(t, c);
}

void tcp_set_nodelay(struct tapir *t, struct tcp_conn *c, bool on)
{
	c->nodelay = on;
	if (!on || c->state == TCP_CLOSED)
		return;
	c->uncorked = c->cork && c->tx.bytes > seq_sub(c->snd.nxt, c->snd.una);
	tcp_ready(t, c);
}

void tcp_set_quickack(struct tapir *t, struct tcp_conn *c, bool on)
{
	c->rcv.quick = (uint16_t)(on ? max_u32(t->cfg.quickacks, QUICK_SEGMENTS) : 0);
	if (on && tcp_timer_is_armed(c, TAPIR_TIMER_DELACK))
		tcp_owe_ack(t, c, "TCP_QUICKACK: what waited for a delayed ACK");
}
