/* sender.h: what a connection remembers about text that is under way: one record for each run of bytes that left at one time,
 * and the state of loss recovery. It is taken when sending starts, and may be taken away by another connection when
 * nothing is outstanding any more: an idle connection costs none of it.
 *
 * Invariant: SND.UNA < SND.MAX, the SYN aside, means that the connection has a sender, whose records lie end to end from
 * SND.UNA to SND.MAX. */
#ifndef TCP_SENDER_H
#define TCP_SENDER_H

#include "cc.h"
#include "seq.h"

struct tcp_conn;

enum sent_state { SENT_FLYING, SENT_SACKED, SENT_LOST };

struct tcp_sent {
	struct tcp_sent *next, *prev;		/* by sequence number */
	struct tcp_sent *later, *earlier;	/* by time of transmission; only FLYING ones are in that list */
	seq_t start, end;			/* a FIN counts */
	usec_t sent_us;				/* the latest time */
	uint64_t delivered;			/* rate.c: the connection's counts when it left */
	usec_t delivered_us, first_us;
	uint32_t tx_flight, tx_lost;
	uint8_t state;				/* enum sent_state */
	uint8_t times;				/* transmissions, at most 255 */
	bool app_limited;
};

/* OPEN also stands for RFC 6582's disorder: duplicate ACKs have come, nothing was taken for lost. */
enum tcp_phase { PHASE_OPEN, PHASE_CWR, PHASE_RECOVERY, PHASE_LOSS };

struct tcp_sender {
	struct tcp_sender *next, *prev;		/* free, or idle: oldest first */
	struct tcp_conn *conn;
	struct tcp_sent *first, *last;		/* by sequence number */
	struct tcp_sent *oldest, *newest;	/* FLYING, by time */
	uint32_t sacked, lost;			/* bytes of records in these states */
	uint32_t reno_out;			/* without SACK: bytes that duplicate ACKs say have left the network (RFC 5681 3.2) */

	uint8_t phase;				/* enum tcp_phase */
	uint8_t dup_acks;
	bool idle;				/* in the list of those that may be taken away */
	bool round_open;
	seq_t recover;				/* RFC 6582: SND.MAX when the phase began */
	seq_t round_end;			/* SND.MAX when the present round began */

	struct {				/* RFC 8985 5.2, 7 */
		usec_t sent_us;			/* RACK.xmit_ts */
		seq_t end;			/* RACK.end_seq */
		seq_t fack;			/* RACK.fack: the highest sequence number acknowledged or SACKed */
		uint32_t rtt_us;		/* RACK.rtt */
		seq_t dsack_round;
		uint8_t reo_mult, reo_persist;
		bool have, reordering_seen, dsack_seen;
		bool tlp_out, tlp_retransmit;	/* a tail loss probe is out; it was a retransmission */
		seq_t tlp_end;
	} rack;
	struct { uint32_t recover_fs, delivered, out; } prr;	/* RFC 6937bis 6 */
	struct {				/* undo.c */
		bool possible;			/* since the phase began nothing has proved that a loss was real */
		bool frto;			/* RFC 5682: the timeout is on trial */
		uint32_t retrans_ts;		/* RFC 4015 3.2: timestamp of the first retransmission */
		bool has_ts;
		uint32_t retrans;		/* segments retransmitted in this phase that no DSACK has answered */
		struct cc cc;			/* before */
		uint64_t priv[CC_PRIV / 8];
	} undo;
	struct {				/* rate.c, for pace.c and cc */
		uint64_t delivered, lost;	/* bytes, since the sender was taken */
		usec_t delivered_us, first_us;
		uint64_t app_limited_until;	/* in delivered; 0: not limited */
		uint32_t lost_runs;
		struct cc_lost excess;		/* see struct cc_rate */
	} rate;
	struct {				/* pace.c */
		usec_t next_us;			/* C.next_send_time: the next burst may begin */
		uint64_t carry;			/* what is left of it below a microsecond, in bytes times microseconds a second */
		uint32_t burst;			/* bytes that the burst that has begun may still take */
	} pace;
	usec_t due_us[3];			/* TLP, REO, PACE: see timeout.c */
	uint64_t cc_priv[CC_PRIV / 8];
};

#endif
