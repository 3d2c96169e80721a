/* rate.h: the delivery rate estimator (rate.c) and where it is called. It works on struct tcp_sender's rate and on what each
 * record notes when it leaves; nothing else reads or writes these.
 *
 *   a record leaves, first or again         tcp_rate_sent()
 *   a record or its first bytes are         tcp_rate_delivered(), before the record is removed, trimmed or marked; never
 *     acknowledged or SACKed                  for bytes that were SACKED before
 *   a record becomes LOST                   tcp_rate_lost(), once the record says so
 *   output finds nothing to send            tcp_rate_check_app_limited(); and before an ACK or a timer changes the flight
 *   an ACK is done, before the controller   tcp_rate_sample(): its answer is cc_sample.rate */
#ifndef TCP_RATE_H
#define TCP_RATE_H

#include "sender.h"

/* What the ACK under way has delivered so far. It begins as {.now_us = now}. */
struct tcp_rate_ack {
	usec_t now_us;
	usec_t interval_us;			/* the longer of RS.send_elapsed and RS.ack_elapsed */
	uint64_t prior_delivered;
	uint32_t tx_flight, tx_lost;
	bool any, app_limited;
};

/* Notes on r how things stand as it leaves, at r->sent_us. flight: bytes in the network, r's included. */
void tcp_rate_sent(struct tcp_sender *x, struct tcp_sent *r, uint32_t flight);
/* The first n bytes of r have arrived; n is at most r's length. r NULL: they count, but give no sample, because r left more
 * than once and what arrived is not, or may not be, its latest transmission (rack.c knows). */
void tcp_rate_delivered(struct tcp_sender *x, struct tcp_rate_ack *ack, const struct tcp_sent *r, uint32_t n);
/* r is taken for lost. sack: the peer reports what it has beyond a hole. */
void tcp_rate_lost(struct tcp_sender *x, const struct tcp_sent *r, bool sack);
/* Marks what leaves from now on as limited by the program if the window has room and nothing fills it. more: a whole segment
 * waits to be sent for the first time (less than that Nagle may hold back). flight, cwnd: in struct cc_sample and cc. */
void tcp_rate_check_app_limited(struct tcp_sender *x, bool more, uint32_t flight, uint32_t cwnd);
/* The sample that the ACK gives; its counts hold without one, too. min_rtt_us: the least ever seen, or CC_NONE. The caller
 * adds no_sack. */
struct cc_rate tcp_rate_sample(struct tcp_sender *x, const struct tcp_rate_ack *ack, uint32_t min_rtt_us);

#endif
