/* sender.h: what a connection remembers about text that is under way: one record for each run of bytes that left at one time,
 * and the state of loss recovery. It is taken when sending starts, and may be taken away by another connection when
 * nothing is outstanding any more: an idle connection costs none of it.
 *
 * Invariants: SND.UNA < SND.MAX, the SYN aside, means that the connection has a sender, whose records lie end to end from
 * SND.UNA to SND.MAX. Of two that lie side by side at most one is SACKED: a run of SACKED bytes is one record, so that a
 * search through them costs as much as there are holes. */
#ifndef TCP_SENDER_H
#define TCP_SENDER_H

#include "cc.h"
#include "seq.h"

#define TCP_SENDER_TIMERS 3		/* TLP, REO, PACE: their due times lie in the sender */

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
	uint32_t segs;				/* if SACKED: how many records have become this one */
};

/* OPEN also stands for RFC 6582's disorder: duplicate ACKs have come, nothing was taken for lost. */
enum tcp_phase { PHASE_OPEN, PHASE_CWR, PHASE_RECOVERY, PHASE_LOSS };

enum frto_step { FRTO_OFF, FRTO_FIRST, FRTO_NEW };

struct tcp_sender {
	struct tcp_sender *next, *prev;		/* free, or idle: oldest first */
	struct tcp_conn *conn;
	struct tcp_sent *first, *last;		/* by sequence number */
	struct tcp_sent *oldest, *newest;	/* FLYING, by time */
	uint32_t sacked, lost;			/* bytes of records in these states */
	uint32_t sacked_segs;			/* the sum of their segs: RACK.segs_sacked (RFC 8985 5.3) */
	struct tcp_sent *hint;			/* where the last search for a sequence number ended; NULL: begin at first */
	struct tcp_sent *lost_from;		/* no record before this one is LOST; NULL: none is */
	uint32_t reno_out;			/* without SACK: bytes that have left, as duplicate ACKs say (RFC 5681 3.2) */

	const char *why_lost;			/* the rule that took the latest record for lost */
	uint8_t phase;				/* enum tcp_phase */
	uint8_t dup_acks;
	bool started;				/* the controller has had its start() */
	bool idle;				/* in the list of those that may be taken away */
	bool force;				/* a retransmission leaves whatever cwnd says (RFC 6298 5.4, RFC 6582 3.2 step 3) */
	seq_t recover;				/* RFC 6582: SND.MAX when the phase began */
	seq_t round_end;			/* SND.MAX when the present round began */
	struct { uint32_t most; seq_t end; } used;	/* validate.c: the largest pipe of the window that ends at end */
	uint32_t min_rtt_us;			/* over the last MIN_RTT_WINDOW; CC_NONE: not known yet */
	usec_t min_rtt_at_us;

	struct {				/* RFC 8985 5.2 */
		usec_t sent_us;			/* RACK.xmit_ts; 0: nothing was delivered yet */
		seq_t end;			/* RACK.end_seq */
		seq_t fack;			/* RACK.fack: the highest sequence number acknowledged or SACKed */
		uint32_t rtt_us;		/* RACK.rtt */
		seq_t dsack_round;		/* RACK.dsack_round, if in_dsack_round */
		uint8_t reo_mult, reo_persist;	/* RACK.reo_wnd_mult, RACK.reo_wnd_persist */
		bool in_dsack_round, reordering_seen;
	} rack;
	struct {				/* RFC 8985 7.1 */
		seq_t end;			/* TLP.end_seq, if out */
		uint32_t flight;		/* bytes outstanding when the probe left */
		bool out, again;		/* again: TLP.is_retrans */
		bool unsampled;			/* no RTT was measured since */
	} tlp;
	struct { uint32_t recover_fs, delivered, out; } prr;	/* RFC 9937 6 */
	struct {				/* undo.c: the congestion that this phase answered may have been none */
		bool possible;
		bool dsack;			/* DSACKs may prove it (RFC 3708 3 A) */
		bool copies;			/* but not on a path that makes copies of its own */
		bool has_ts;			/* retrans_ts holds the timestamp of the phase's first retransmission */
		uint32_t retrans_ts;
		uint32_t retrans;		/* bytes sent again in this phase that no DSACK has answered */
		seq_t high;			/* the end of all that was ever sent again */
		seq_t marker;			/* SND.UNA when the phase began */
		usec_t since_us;		/* and when that was */
		struct cc cc;			/* before */
		uint64_t priv[CC_PRIV / 8];
	} undo;
	struct { uint8_t step; seq_t end; } frto;	/* frto.c: enum frto_step; the end of what the timeout sent again */
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
	seq_t ecn_recover;			/* ecn.c: SND.MAX at the last reduction, with ECN_REDUCED; else of no meaning */
	seq_t mss_proof_at;			/* pmtu.c: with MSS_TRIED the end of that segment */
	usec_t due_us[TCP_SENDER_TIMERS];	/* see timeout.c */
	uint64_t cc_priv[CC_PRIV / 8];
};

/* --- sender.c: the pool, and the records --- */
size_t tcp_senders_size(const struct tapir_config *cfg);
void tcp_senders_init(struct tapir *t, void *mem);
/* The connection's sender, taken now if it has none. NULL: all are in use. */
struct tcp_sender *tcp_sender_get(struct tapir *t, struct tcp_conn *c);
void tcp_sender_put(struct tapir *t, struct tcp_conn *c);	/* the connection ends; its records go, too */
void tcp_sender_idle(struct tapir *t, struct tcp_conn *c);	/* nothing is outstanding: another may take it */
/* May new text leave: is there a sender, and a record? If not it waits, and is made ready when there are (wait.c). */
bool tcp_sender_has_room(struct tapir *t, struct tcp_conn *c);
/* Notes that [SND.MAX, end) has left. */
void tcp_sent_new(struct tapir *t, struct tcp_conn *c, seq_t start, seq_t end);
/* Notes that r, which was LOST or FLYING, has left again. */
void tcp_sent_again(struct tapir *t, struct tcp_conn *c, struct tcp_sent *r);
/* Cuts r at `at`, inside it; the new record behind it is returned. NULL: there is none free. */
struct tcp_sent *tcp_sent_split(struct tapir *t, struct tcp_conn *c, struct tcp_sent *r, seq_t at);
/* r, the last one, now ends at `end`, and so does SND.MAX. */
void tcp_sent_extend(struct tcp_conn *c, struct tcp_sent *r, seq_t end);
/* r and the next one, both LOST or both SACKED, become one. */
void tcp_sent_merge_next(struct tapir *t, struct tcp_sender *s, struct tcp_sent *r);
void tcp_sent_set(struct tcp_sender *s, struct tcp_sent *r, enum sent_state to);	/* not to FLYING */
void tcp_sent_unlose_all(struct tcp_sender *s);		/* what is LOST is FLYING after all, since it was sent */
/* r, not SACKED before, is now, as part of the run that it lies beside, if there is one: that is returned. */
struct tcp_sent *tcp_sent_sack(struct tapir *t, struct tcp_sender *s, struct tcp_sent *r);
void tcp_sent_lose(struct tcp_conn *c, struct tcp_sent *r);	/* LOST, as a sign of congestion */
void tcp_sent_remove_first(struct tapir *t, struct tcp_sender *s);
void tcp_sent_trim_first(struct tcp_sender *s, seq_t to);	/* its bytes before `to` were acknowledged */
static inline uint32_t tcp_sent_len(const struct tcp_sent *r) { return seq_sub(r->end, r->start); }
struct tcp_sent *tcp_sent_first_lost(struct tcp_sender *s);
void tcp_sender_check(const struct tcp_conn *c);
void tcp_senders_check(const struct tapir *t);
uint32_t tcp_sender_count(const struct tapir_config *cfg);

#endif
