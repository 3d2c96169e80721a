/* ladder_flight.h: what one side of a connection has sent and not been thanked for, as someone on the wire sees it: which segment
 * is sent a second time (RFC 9293 3.8.1), which of two copies was lost, and how far away the other side is.
 *
 * A copy counts as lost when the same octets are sent again before anybody acknowledged them (RFC 9293 3.4, RFC 2018 3), unless
 * a D-SACK (RFC 2883 4) later says that both had come, or the answer comes sooner after the second copy than any answer ever
 * does. It is a guess: the capture may have been made on either side of where the segment was lost.
 *
 * Bounded: FLIGHT_MAX segments are remembered; the oldest is forgotten and then not told lost. */
#ifndef LADDER_FLIGHT_H
#define LADDER_FLIGHT_H

#include "../stack/tapir.h"

#define FLIGHT_MAX 1024u
#define FLIGHT_NONE SIZE_MAX

/* How the octets of a segment relate to those before it. FLIGHT_LATE: they fill a gap: their first copy, if this is not it,
 * was lost before it could be captured. */
enum flight_order { FLIGHT_NEW, FLIGHT_AGAIN, FLIGHT_LATE };

/* id: the caller's name for the segment; end: one past its last sequence number, where SYN and FIN count. */
struct flight_item {
	size_t id;
	uint32_t seq, end;
	usec_t at_us;
	bool arrived, twice;			/* the flight's own; twice: there is another copy */
	size_t suspect;				/* its number, plus one, if this was sent in its place */
};
/* One that was told lost. again_us: of its second copy; acked_us: of an ACK of either, or USEC_NEVER. */
struct flight_suspect { size_t id; uint32_t seq, end; usec_t at_us, again_us, acked_us; bool arrived; };
struct flight {
	struct flight_item *items;		/* oldest first; NULL before the first one */
	size_t count;
	uint32_t una, nxt;			/* acknowledged; one past the highest sent */
	bool has_una, has_nxt;
	struct flight_suspect *suspects;	/* oldest first */
	size_t suspect_count, suspect_room;
	usec_t rtt_us;				/* shortest time to an answer, of what was sent once (RFC 6298 3); or USEC_NEVER */
};

void flight_init(struct flight *f);
void flight_free(struct flight *f);

struct flight_news {
	enum flight_order order;
	size_t lost;				/* id of the copy that it replaces; FLIGHT_NONE */
};
/* This side sends item, of one sequence number at least. */
struct flight_news flight_sent(struct flight *f, const struct flight_item *item);
void flight_acked(struct flight *f, uint32_t ack, usec_t now_us);
/* The other side says that it has start to end; twice: that it has had both copies. */
struct flight_block { uint32_t start, end; bool twice; usec_t at_us; };
void flight_sacked(struct flight *f, const struct flight_block *b);
/* When all is known, once: tells of each of flight.suspects whether it has arrived after all, and of rtt_us what they tell. */
void flight_finish(struct flight *f);

#endif
