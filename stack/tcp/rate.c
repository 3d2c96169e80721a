/* rate.c: how fast the path delivers (draft-ietf-ccwg-bbr 4.1, before that draft-cheng-iccrg-delivery-rate-estimation). Each
 * record notes on leaving how much had been delivered by then, and when; once it arrives, what was delivered meanwhile,
 * divided by the time that took, is one sample. The time is the longer of two: from ACK to ACK, and from sending to
 * sending, so that ACKs which arrive compressed cannot make the path look faster than it was fed.
 *
 * A sample from a time in which the program had nothing to send says little about the path: it is marked, until what was
 * in flight at that moment has been delivered (4.1.1.3).
 *
 * Owns struct tcp_sender's rate, and of struct tcp_sent what tcp_rate_sent() fills in. Without SACK only cumulative ACKs give
 * samples: what duplicate ACKs say is not counted. */
#include "rate.h"

void tcp_rate_sent(struct tcp_sender *x, struct tcp_sent *r, uint32_t flight)
{
	if (flight <= seq_sub(r->end, r->start))	/* nothing else is on its way: no need to count the silence before */
		x->rate.first_us = x->rate.delivered_us = r->sent_us;
	r->first_us = x->rate.first_us;
	r->delivered_us = x->rate.delivered_us;
	r->delivered = x->rate.delivered;
	r->tx_flight = flight;
	r->tx_lost = (uint32_t)x->rate.lost;
	r->app_limited = x->rate.app_limited_until != 0;
}

/* 4.1.2.3 IsNewestPacket(). Of what left in one microsecond the last saw the most in flight. */
static bool is_newest(const struct tcp_sender *x, const struct tcp_rate_ack *ack, const struct tcp_sent *r)
{
	if (!ack->any)
		return true;
	return r->sent_us > x->rate.first_us || (r->sent_us == x->rate.first_us && r->tx_flight >= ack->tx_flight);
}

void tcp_rate_delivered(struct tcp_sender *x, struct tcp_rate_ack *ack, const struct tcp_sent *r, uint32_t n)
{
	x->rate.delivered += n;
	x->rate.delivered_us = ack->now_us;
	if (!r || !is_newest(x, ack, r))
		return;
	ack->any = true;
	ack->prior_delivered = r->delivered;
	ack->interval_us = max_usec(r->sent_us - r->first_us, ack->now_us - r->delivered_us);
	ack->tx_flight = r->tx_flight;
	ack->tx_lost = r->tx_lost;
	ack->app_limited = r->app_limited;
	x->rate.first_us = r->sent_us;
}

/* draft-ietf-ccwg-bbr 5.5.10.2 IsInflightTooHigh() */
static bool is_excess(const struct cc_lost *lost, bool sack)
{
	return !sack || (uint64_t)lost->lost * 100 > (uint64_t)lost->tx_flight * CC_LOSS_PERCENT;
}

void tcp_rate_lost(struct tcp_sender *x, const struct tcp_sent *r, bool sack)
{
	struct cc_lost lost = {.bytes = seq_sub(r->end, r->start), .tx_flight = r->tx_flight, .app_limited = r->app_limited};

	x->rate.lost += lost.bytes;
	if (!r->prev || r->prev->state != SENT_LOST)
		x->rate.lost_runs++;
	lost.lost = (uint32_t)x->rate.lost - r->tx_lost;
	if (!x->rate.excess.bytes && is_excess(&lost, sack))
		x->rate.excess = lost;
}

void tcp_rate_check_app_limited(struct tcp_sender *x, bool more, uint32_t flight, uint32_t cwnd)
{
	if (more || x->lost || flight >= cwnd)
		return;
	x->rate.app_limited_until = x->rate.delivered + flight;
	if (!x->rate.app_limited_until)		/* 0 would mean that it is not limited */
		x->rate.app_limited_until = 1;
}

struct cc_rate tcp_rate_sample(struct tcp_sender *x, const struct tcp_rate_ack *ack, uint32_t min_rtt_us)
{
	struct cc_rate rate = {.total_delivered = x->rate.delivered, .total_lost = x->rate.lost, .lost_runs = x->rate.lost_runs,
			       .excess = x->rate.excess};

	x->rate.excess = (struct cc_lost){0};
	if (x->rate.app_limited_until && x->rate.delivered > x->rate.app_limited_until)
		x->rate.app_limited_until = 0;	/* the gap has been acknowledged and is gone */
	if (!ack->any)
		return rate;
	rate.delivered = x->rate.delivered - ack->prior_delivered;
	rate.prior_delivered = ack->prior_delivered;
	rate.tx_flight = ack->tx_flight;
	rate.lost = (uint32_t)x->rate.lost - ack->tx_lost;
	rate.app_limited = ack->app_limited;
	/* A shorter time than any round trip is that of a retransmission whose original has arrived. */
	if (min_rtt_us == CC_NONE || ack->interval_us >= min_rtt_us)
		rate.interval_us = ack->interval_us;
	return rate;
}
