/* iperf3_stream.h: one stream of an iperf3 test: what it has counted, and how it sends: a block whenever the rate asked for
 * allows one, as long as the stack takes them. Over UDP each block is a datagram that begins with the time and its number. */
#ifndef IPERF3_STREAM_H
#define IPERF3_STREAM_H

#include "../stack/tapir.h"

struct iperf3_stream {
	int id;				/* 1, 3, 4, 5 ...: so iperf3 has always numbered them */
	bool sends;
	tapir_sd sd;			/* TCP: its connection, or -1; UDP: the server's one socket */
	struct tapir_endpoint peer;	/* UDP */
	const char *congestion;		/* TCP, once it has ended */
	uint64_t bytes;
	uint64_t packets;		/* UDP: the highest number seen, or sent */
	uint64_t lost;			/* UDP: numbers passed over, less those that came later */
	uint32_t retransmits;
	bool has_transit;
	double transit, jitter;		/* seconds (RFC 1889 A.8, now RFC 3550 6.4.1) */
	struct { uint64_t bytes, packets, lost; uint32_t retransmits; } omitted;	/* of these, when the test proper began */
};

/* What all streams of a test send. */
struct iperf3_source {
	struct tapir *t;
	struct span text;		/* TCP: lent to the stack */
	uint8_t *datagram;		/* UDP: block bytes, the first of which are written over */
	bool wide;			/* UDP: numbers of 64 bits */
	uint32_t block;
	double bits_per_second;		/* of each stream; 0: as fast as it goes */
	usec_t start_us;
};

/* Sends what may be sent now. When to call again; USEC_NEVER: when the stack has room again (on_drain). */
usec_t iperf3_stream_send(struct iperf3_stream *s, const struct iperf3_source *source);
/* One datagram of the test has arrived. */
void iperf3_stream_datagram(struct iperf3_stream *s, struct span data, bool wide, usec_t now_us);
/* What was counted until now does not count. */
void iperf3_stream_omit(struct iperf3_stream *s, struct tapir *t);
/* Counts what has arrived over TCP and was not looked at yet, and asks the stack for the rest. */
void iperf3_stream_end(struct iperf3_stream *s, struct tapir *t);

#endif
