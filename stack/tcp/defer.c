/* defer.c: TCP_DEFER_ACCEPT: accept() wakes up for the client's first text, not for its bare third segment, so that nobody's
 * time is spent on who only connects. As on Linux: until text comes the connection stays in SYN-RECEIVED and bare ACKs are
 * dropped; the time given in seconds is counted in timeouts of the SYN-ACK, which is sent again only at the last of them:
 * the ACK that answers it opens the connection, text or not, so that a server that speaks first still can.
 *
 * DEVIATES: RFC 9293 3.10.7.4 fifth SYN-RECEIVED (an acceptable ACK enters ESTABLISHED) because the program has asked for it.
 * A SYN cookie's connection (cookie.c) is not deferred, since nothing would end its wait; nor is one that Fast Open has shown to
 * accept() already. */
#include "internal.h"

/* The timeouts that lie within so many seconds, and the seconds that so many take. */
uint8_t tcp_defer_timeouts(const struct tapir_config *cfg, uint32_t seconds)
{
	usec_t rto_us = cfg->rto_initial_us, passed_us = 0;
	uint8_t n = 0;

	for (; passed_us < seconds * TAPIR_SEC && n < UINT8_MAX; n++) {
		passed_us += rto_us;
		rto_us = min_usec(2 * rto_us, cfg->rto_max_us);
	}
	return n;
}

uint32_t tcp_defer_seconds(const struct tapir_config *cfg, uint8_t timeouts)
{
	usec_t rto_us = cfg->rto_initial_us, passed_us = 0;

	while (timeouts--) {
		passed_us += rto_us;
		rto_us = min_usec(2 * rto_us, cfg->rto_max_us);
	}
	return (uint32_t)((passed_us + TAPIR_SEC - 1) / TAPIR_SEC);
}

uint8_t tcp_defer_limit(const struct tapir *t, const struct tcp_conn *c)
{
	return c->listener ? tcp_bound_of(t, c->listener)->listener.tuning->is.defer : 0;
}

bool tcp_defer_holds(const struct tapir *t, struct tcp_conn *c, const struct tcp_seg *seg)
{
	if (!c->mini || c->rtt.backoff >= tcp_defer_limit(t, c) || seg->len)
		return false;
	c->deferred = true;
	c->syn_timed = false;		/* what will end the handshake does not answer our SYN */
	return true;
}

bool tcp_defer_is_quiet(const struct tapir *t, const struct tcp_conn *c)
{
	return c->deferred && c->rtt.backoff < tcp_defer_limit(t, c);
}
