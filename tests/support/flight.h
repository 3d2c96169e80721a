/* flight.h: for the tests of loss recovery: text in segments of 1460 bytes, counted from 0, over a path of a known round trip.
 * The peer agrees to SACK; peer_config() decides on timestamps and all else. */
#ifndef TEST_FLIGHT_H
#define TEST_FLIGHT_H

#include <stdio.h>
#include "peer.h"

#define MSS 1460u
#define END(segments) (1 + (segments) * MSS)	/* sequence number after so many segments */
#define RTT (100 * TAPIR_MS)

/* The next count segments, the first of them number `first`, and nothing more. With or without PSH. */
static inline void expects_segments(struct peer *p, uint32_t first, uint32_t count)
{
	for (uint32_t i = first; i < first + count; i++)
		peer_expects(p, ". %u:%u(1460) ack 1", END(i), END(i + 1));
	peer_expects_nothing(p);
}

/* An ACK of everything before segment una, with these blocks; with timestamps, if they are agreed, and this echo. */
static inline void acks_with(struct peer *p, uint32_t una, const char *blocks, uint32_t ecr)
{
	if (p->timestamps)
		peer_sends(p, ". 1:1(0) ack %u <nop,nop,TS val %u ecr %u%s%s>",
			   END(una), p->ts_val, ecr, *blocks ? ",nop,nop,sack " : "",
			   blocks);
	else if (*blocks)
		peer_sends(p, ". 1:1(0) ack %u <nop,nop,sack %s>", END(una), blocks);
	else
		peer_sends(p, ". 1:1(0) ack %u", END(una));
}

/* Everything before segment una, and of the others segments [from, to). */
static inline void sacks(struct peer *p, uint32_t una, uint32_t from, uint32_t to)
{
	char blocks[64];

	snprintf(blocks, sizeof blocks, "%u:%u", END(from), END(to));
	acks_with(p, una, blocks, p->ts_last - p->ts_first);
}

static inline void acks(struct peer *p, uint32_t una) { acks_with(p, una, "", p->ts_last - p->ts_first); }

/* The acknowledgment of everything before una, with a DSACK for [from, to). */
static inline void dsacks(struct peer *p, uint32_t una, uint32_t from, uint32_t to) { sacks(p, una, from, to); }

/* A connection that has sent segment 0 and had it acknowledged, a round trip of RTT: SRTT and the least RTT are known. The
 * congestion window is ten segments; count more are given to the stack, the last of them with PSH. */
static inline struct peer flying(int run, uint32_t count)
{
	bool timestamps = peer_config()->timestamps;
	struct peer p;

	peer_config()->sack = true;
	peer_config()->sndbuf = 1 << 20;
	peer_config()->mtu = timestamps ? 1512 : 1500;	/* the option takes twelve bytes of a segment */
	p = syn_sent(run);
	peer_advance(&p, RTT);
	peer_sends(&p, timestamps ? "S. 0:0(0) ack 1 <mss 1472,sackOK,TS val 100 ecr 0>" : "S. 0:0(0) ack 1 <mss 1460,sackOK>");
	p.timestamps = timestamps;
	peer_expects(&p, ". 1:1(0) ack 1");
	user_sends(&p, MSS);
	peer_expects(&p, "P. 1:1461(1460) ack 1");
	peer_advance(&p, RTT);
	acks(&p, 1);
	if (count)
		user_sends(&p, count * MSS);
	return p;
}

/* Ten segments in flight, 1 to 10, sent just now, and more to send. */
static inline struct peer ten_in_flight(int run)
{
	struct peer p = flying(run, 200);

	expects_segments(&p, 1, 10);
	ck_assert_uint_eq(peer_info(&p).snd_cwnd, 10 * MSS);
	return p;
}

static inline void ck_cwnd(const struct peer *p, uint32_t segments)
{
	ck_assert_uint_eq(peer_info(p).snd_cwnd, segments * MSS);
}

static inline void ck_ssthresh(const struct peer *p, uint32_t segments)
{
	ck_assert_uint_eq(peer_info(p).snd_ssthresh, segments * MSS);
}

static inline void ck_retransmissions(const struct peer *p, uint32_t n)
{
	ck_assert_uint_eq(peer_info(p).total_retrans, n);
}

#endif
