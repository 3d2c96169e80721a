/* internal.h: what the files of tcp/ tell each other. Nobody outside this folder includes it but tests. */
#ifndef TCP_INTERNAL_H
#define TCP_INTERNAL_H

#include "rate.h"
#include "tcp.h"

#define TCP_DEFAULT_MSS 536	/* RFC 9293 3.7.1 (MUST-15) */

/* A four-tuple, and its place in the tables of connections and of minis: both are asked about most segments. */
struct tcp_tuple {
	struct tapir_endpoint local, peer;
	uint64_t hash;
};

/* A segment on its way through RFC 9293 3.10.7. seg is a copy: the first step trims it to the window. */
struct tcp_arrival {
	const struct ip_packet *pkt;
	struct tcp_tuple tuple;
	struct tcp_seg seg;
	seq_t iss_floor;		/* a TIME-WAIT that this SYN ended: the new ISS must lie above, if has_floor */
	bool has_floor;
	enum tapir_verdict verdict;	/* the segment's end, once a step has decided it */
};

/* What one ACK has told; built by sack.c, read by rack.c, recovery.c, undo.c. */
struct tcp_delivery {
	uint32_t acked, delivered, lost;	/* as in struct cc_sample */
	uint32_t prior_flight;
	uint32_t rtt_us, longest_us;		/* of the newest and of the oldest segment that it delivered and that was sent
						 * once; CC_NONE: none, or SND.UNA moved over one that was sent again */
	bool advanced;				/* SND.UNA moved */
	bool sacked;				/* a SACK block told something new */
	bool original;				/* text that was sent once, before the phase began, was delivered */
	bool head_again;			/* the oldest segment had been sent again since the phase began */
	bool frto;				/* RFC 5682 2.1: the timeout was spurious */
	bool ece;				/* the peer echoes congestion (RFC 3168 6.1.3) */
	seq_t prior_una;			/* SND.UNA before */
	usec_t rack_sent_us;			/* of what it delivered, the latest time it was sent; 0: nothing that counts */
	bool dsack;				/* the first block is a DSACK (RFC 2883 4) */
	uint32_t dsack_bytes;
	struct tcp_rate_ack rate_ack;
	struct cc_rate rate;			/* what rate_ack came to */
};

/* --- mini.c: a connection in SYN-RECEIVED from a passive OPEN, or in TIME-WAIT without an owner, folded up --- */
struct tcp_mini {
	struct tcp_mini *hash_next;		/* in its chain, or in the list of free ones */
	struct tcp_mini *next, *prev;		/* in its queue, oldest first */
	struct timer timer;			/* while it is folded: RTO, or 2 MSL */
	struct tapir_endpoint local, peer;
	bool waits : 1;				/* TIME-WAIT */
	bool unfolded : 1;			/* the connection in the table knows better than what follows */
	bool ts_on : 1, sack_on : 1, ws_on : 1, deferred : 1;
	bool gives : 1;				/* FASTOPEN_GIVES */
	uint8_t snd_shift : 4, rcv_shift : 4;
	union {
		struct { uint8_t ecn, segs_in; };	/* SYN-RECEIVED; counts end at 255 */
		struct { uint8_t ttl, tos; };		/* TIME-WAIT */
	};
	seq_t snd_max, rcv_nxt;
	uint32_t window;			/* RCV.WND */
	uint32_t ts_recent, challenged_ms;
	union {
		struct { uint16_t mss_option; uint8_t backoff, retrans; };
		uint32_t max_wnd;
	};
};
size_t tcp_minis_size(const struct tapir_config *cfg);
void tcp_minis_init(struct tapir *t, void *mem);
struct tcp_mini *tcp_mini_find(struct tapir *t, const struct tcp_tuple *tuple);
void tcp_mini_begin(struct tapir *t, struct tcp_conn *c);	/* c has just entered such a state: a place in its queue */
void tcp_mini_end(struct tapir *t, struct tcp_conn *c);		/* c, which has one, leaves it */
void tcp_mini_fold(struct tapir *t, struct tcp_conn *c);	/* if it is one and has come to rest: c is gone then */
struct tcp_conn *tcp_mini_unfold(struct tapir *t, struct tcp_mini *m);	/* NULL: no connection is left to borrow */
void tcp_mini_drop(struct tapir *t, struct tcp_mini *m);	/* gives way, in silence */
void tcp_minis_abort(struct tapir *t, const struct tapir_endpoint *bound);	/* resets what is half open there */
void tcp_mini_fire(struct tapir *t, struct timer *timer);
/* For who looks: places that were ever taken, and what is in the i-th; false: nothing that is folded. */
uint32_t tcp_mini_places(const struct tapir *t);
bool tcp_mini_row(struct tapir *t, uint32_t i, struct tapir_tcp_row *row);
uint32_t tcp_minis_check(const struct tapir *t);	/* asserts their invariants: how many are folded in TIME-WAIT */

/* --- conn.c: lifetime. A connection that reaches CLOSED without an owner goes back to the pool at once; its memory is not
 * reused before the present event is over, so that c->state may still be asked for. --- */
struct tcp_conn *tcp_conn_new(struct tapir *t, enum tcp_state state);	/* NULL: the pool is empty and nothing can give way */
void tcp_conn_free(struct tapir *t, struct tcp_conn *c);
/* One more may be open: fewer than config.max_conns are, or an orphan can give way, which it does if that is now. */
bool tcp_conn_may_open(struct tapir *t, bool now);
struct tcp_conn *tcp_conn_borrow(struct tapir *t, enum tcp_state state);	/* of the pool, open or not; NULL: it is empty */
void tcp_conn_fold(struct tapir *t, struct tcp_conn *c);	/* and back: its state lives on elsewhere, so nobody is told */
void tcp_conn_init(struct tapir *t, struct tcp_conn *c, enum tcp_state state);
void tcp_set_state(struct tapir *t, struct tcp_conn *c, enum tcp_state to, const char *why);
void tcp_count_arrow(struct tapir *t, enum tcp_state from, enum tcp_state to);
uint32_t tcp_slot_count(const struct tapir_config *cfg);	/* places of the pool */
/* Enters CLOSED, flushes, tells the owner. */
void tcp_conn_end(struct tapir *t, struct tcp_conn *c, int error, const char *why);
void tcp_conn_notify(struct tapir *t, struct tcp_conn *c);		/* the upcall, if there is an owner */
uint32_t tcp_rcv_wnd(const struct tcp_conn *c);			/* RCV.WND: what was advertised and is not used up */
seq_t tcp_fin_seq(const struct tcp_conn *c);			/* where our FIN lies: behind all text */
bool tcp_syn_unacked(const struct tcp_conn *c);

/* --- queue.c --- */
static inline struct tcp_conn *tcp_slot(const struct tapir *t, uint32_t number)	/* 0: NULL */
{
	return number ? t->tcp->slots + (number - 1) : NULL;
}
static inline uint32_t tcp_number(const struct tapir *t, const struct tcp_conn *c) { return (uint32_t)(c - t->tcp->slots) + 1; }
void tcp_queue_append(struct tapir *t, struct tcp_queue *q, struct tcp_conn *c, enum tcp_link_kind kind);
void tcp_queue_remove(struct tapir *t, struct tcp_queue *q, struct tcp_conn *c, enum tcp_link_kind kind);	/* it is in there */
void tcp_enqueue(struct tapir *t, struct tcp_conn *c, enum tcp_queue_id queue);	/* its listener's accept queue, or the orphans */
void tcp_dequeue(struct tapir *t, struct tcp_conn *c);				/* from whichever it is in, if any */

/* --- wait.c: who finds no sender; tcp_sender_has_room (sender.h) is there, too --- */
void tcp_waiting_wake(struct tapir *t);		/* a sender or a record has become free, or idle */
void tcp_waiting_leave(struct tapir *t, struct tcp_conn *c);
void tcp_sender_rest(struct tapir *t, struct tcp_conn *c);	/* output.c has found nothing more to send */
void tcp_waiting_check(const struct tapir *t);

/* --- bound.c --- */
size_t tcp_bound_size(const struct tapir_config *cfg);
void tcp_bound_init(struct tapir *t, void *mem);
struct tcp_bound *tcp_bound_listening(const struct tapir *t, const struct tapir_endpoint *local);	/* LISTEN; NULL: none is */
bool tcp_bound_overlaps(const struct tapir_addr *a, const struct tapir_addr *b);
bool tcp_is_bound(const struct tapir *t, const struct tapir_addr *addr, uint16_t port);
void tcp_bound_check(const struct tapir *t);

/* --- demux.c --- */
bool tcp_is_connected(const struct tapir *t, const struct tapir_addr *addr, uint16_t port);	/* or half open, or in TIME-WAIT */
void tcp_demux_init(struct tapir *t, void *buckets, uint32_t count);
struct tcp_tuple tcp_tuple(const struct tapir *t, const struct tapir_endpoint *local, const struct tapir_endpoint *peer);
bool tcp_tuple_is(const struct tcp_tuple *tuple, const struct tapir_endpoint *local, const struct tapir_endpoint *peer);
struct tcp_conn *tcp_demux(struct tapir *t, const struct tcp_tuple *tuple);
bool tcp_is_taken(struct tapir *t, const struct tcp_tuple *tuple);	/* or by a mini */
void tcp_demux_add(struct tapir *t, struct tcp_conn *c);
void tcp_demux_remove(struct tapir *t, struct tcp_conn *c);

/* --- isn.c --- */
seq_t tcp_isn(struct tapir *t, const struct tapir_endpoint *local, const struct tapir_endpoint *peer);
uint32_t tcp_ts_offset(struct tapir *t, const struct tapir_endpoint *local, const struct tapir_endpoint *peer);
/* An ephemeral port for a connection to peer, free with this peer; 0: none is. */
uint16_t tcp_port_for(struct tapir *t, const struct tapir_addr *local, const struct tapir_endpoint *peer);
uint16_t tcp_port_any(struct tapir *t, const struct tapir_addr *local);	/* a port that nobody is bound to; 0: none */

/* --- arrives_text.c --- */
bool tcp_seventh_process_text(struct tapir *t, struct tcp_conn *c, struct tcp_arrival *a);	/* a step of arrives_other.c */

/* --- arrives.c, arrives_other.c, listen.c, timewait.c --- */
enum tapir_verdict tcp_arrives_listen(struct tapir *t, struct tcp_bound *b, struct tcp_arrival *a);
enum tapir_verdict tcp_arrives_other(struct tapir *t, struct tcp_conn *c, struct tcp_arrival *a);
/* Sixth to eighth step, for a segment that SYN-SENT has already taken apart. */
enum tapir_verdict tcp_arrives_from_sixth(struct tapir *t, struct tcp_conn *c, struct tcp_arrival *a);
void tcp_seg_skip(struct tcp_seg *seg, uint32_t n);	/* takes n off the front of its sequence space; the text is the caller's */
void tcp_inherit(struct tapir *t, struct tcp_conn *c, const struct tcp_listener *l);	/* its options */
/* Fills a new connection with what a SYN and its listener say, in either's words; the ISS is the caller's to choose. */
void tcp_take_syn(struct tapir *t, struct tcp_conn *c, const struct tcp_bound *b, const struct tcp_arrival *a);
void tcp_take_syn_options(struct tapir *t, struct tcp_conn *c, const struct tcp_seg *seg);
bool tcp_listen_promote(struct tapir *t, struct tcp_conn *c);	/* SYN queue > accept queue; false: it is full */
void tcp_established(struct tapir *t, struct tcp_conn *c);	/* our SYN is acknowledged: cc, keep-alive */
void tcp_set_shift(const struct tapir *t, struct tcp_conn *c);	/* RCV.WND.SHIFT for all that rcvbuf may be (RFC 7323 2.3) */
void tcp_enter_time_wait(struct tapir *t, struct tcp_conn *c, const char *why);
bool tcp_time_wait_yields(const struct tcp_conn *c, const struct tcp_seg *seg);	/* RFC 6191: to this SYN */

/* --- cookie.c --- */
enum tapir_verdict tcp_cookie_send(struct tapir *t, struct tcp_bound *b, const struct tcp_arrival *a);	/* answers a SYN */
bool tcp_cookies_are_out(const struct tapir *t);		/* a third segment may acknowledge one */
/* An ACK in LISTEN: opens its connection if it acknowledges a cookie, else it is answered with a RST. */
enum tapir_verdict tcp_cookie_arrives(struct tapir *t, struct tcp_bound *b, struct tcp_arrival *a);

/* --- flood.c --- */
size_t tcp_flood_size(const struct tapir_config *cfg);
void tcp_flood_init(struct tapir *t, void *mem);
bool tcp_flood_answers(struct tapir *t, const struct tcp_arrival *a);	/* does this SYN get a cookie, now? */

/* --- fastopen.c: RFC 7413 4 --- */
size_t tcp_fastopen_size(const struct tapir_config *cfg);
void tcp_fastopen_init(struct tapir *t, void *mem);
uint32_t tcp_fastopen_syn_text(const struct tcp_conn *c);	/* bytes that our SYN takes along now */
void tcp_fastopen_options(struct tapir *t, const struct tcp_conn *c, struct tcp_options *opt);	/* of a SYN or SYN-ACK of ours */
/* A SYN-ACK for our SYN: remembers what it says; text that it does not acknowledge is again as if it had never left. */
void tcp_fastopen_syn_ack_arrives(struct tapir *t, struct tcp_conn *c, const struct tcp_seg *seg);
bool tcp_fastopen_accepts(struct tapir *t, struct tcp_listener *l, const struct tcp_arrival *a);	/* this SYN's cookie */
void tcp_fastopen_offer(struct tapir *t, struct tcp_conn *c, const struct tcp_arrival *a);	/* it may ask for one */
void tcp_fastopen_open(struct tapir *t, struct tcp_conn *c, const struct tcp_arrival *a);	/* > accept queue, with its text */
/* The handshake of a FASTOPEN_EARLY connection has ended, one way or another. Others are left alone. */
void tcp_fastopen_settle(struct tapir *t, struct tcp_conn *c, bool reset);

/* --- challenge.c --- */
void tcp_owe_challenge_ack(struct tapir *t, struct tcp_conn *c, const char *why);	/* rate limited (RFC 5961 7) */

/* --- defer.c: TCP_DEFER_ACCEPT --- */
/* This ACK of our SYN is not what is waited for. */
bool tcp_defer_holds(const struct tapir *t, struct tcp_conn *c, const struct tcp_seg *seg);
/* The peer has the SYN-ACK: a timeout only counts; asked before it does. */
bool tcp_defer_is_quiet(const struct tapir *t, const struct tcp_conn *c);
uint8_t tcp_defer_limit(const struct tapir *t, const struct tcp_conn *c);	/* its listener's timeouts; 0: it has none */

/* --- orphan.c --- */
void tcp_orphan_begin(struct tapir *t, struct tcp_conn *c);	/* its owner has just let go */
void tcp_orphan_end(struct tapir *t, struct tcp_conn *c, const char *why);	/* with a RST */
bool tcp_orphan_make_room(struct tapir *t);			/* buffers: false if no orphan ought to give any */

/* --- recovery.c: what an ACK means for loss and congestion --- */
/* SEG.ACK is from SND.UNA to SND.MAX. duplicate: in the sense of RFC 5681 2. */
void tcp_on_ack(struct tapir *t, struct tcp_conn *c, const struct tcp_seg *seg, bool duplicate);
void tcp_on_rto(struct tapir *t, struct tcp_conn *c);
void tcp_on_reo_timer(struct tapir *t, struct tcp_conn *c);
void tcp_all_is_lost(struct tcp_conn *c, const char *why);	/* it is to be sent again; no sign of congestion in itself */
/* Congestion without a loss to repair: once until what is outstanding now is acknowledged. */
void tcp_reduce_window(struct tapir *t, struct tcp_conn *c, const char *why);
void tcp_cc_open(struct tapir *t, struct tcp_conn *c);		/* the connection may send: its initial window */
/* Tells the controller that sending starts. initial_window in bytes; idle_us: see cc.h. */
void tcp_note_app_limit(struct tcp_conn *c);	/* before what waits or what is under way changes (rate.h) */
void tcp_cc_start(struct tapir *t, struct tcp_conn *c, uint32_t initial_window, usec_t idle_us);
void tcp_cc_switch(struct tapir *t, struct tcp_conn *c, const struct cc_ops *to);
uint32_t tcp_flight(const struct tcp_conn *c);			/* bytes sent and not acknowledged */
uint32_t tcp_pipe(const struct tcp_conn *c);			/* of these, what is still in the network (RFC 6675 4) */

/* --- sack.c: SND.UNA moves to SEG.ACK; the blocks arrive --- */
void tcp_sack_advance(struct tapir *t, struct tcp_conn *c, const struct tcp_seg *seg, struct tcp_delivery *d);
void tcp_sack_blocks_arrive(struct tapir *t, struct tcp_conn *c, const struct tcp_seg *seg, struct tcp_delivery *d);

/* --- rack.c --- */
/* Was seg for an earlier transmission of r, or may it be? */
bool tcp_rack_is_ambiguous(struct tapir *t, const struct tcp_conn *c, const struct tcp_sent *r, const struct tcp_seg *seg);
void tcp_rack_on_delivered(struct tapir *t, struct tcp_conn *c, const struct tcp_sent *r, const struct tcp_seg *seg,
			   struct tcp_delivery *d);
void tcp_rack_on_ack(struct tapir *t, struct tcp_conn *c, const struct tcp_seg *seg, struct tcp_delivery *d);
uint32_t tcp_rack_detect(struct tapir *t, struct tcp_conn *c);	/* marks what is lost by now: bytes */
void tcp_rack_on_recovery_end(struct tcp_sender *s);
void tcp_tlp_schedule(struct tapir *t, struct tcp_conn *c);	/* after sending new text, and after an ACK */
bool tcp_tlp_on_ack(struct tcp_conn *c, const struct tcp_seg *seg, const struct tcp_delivery *d);
void tcp_rack_on_rto(struct tapir *t, struct tcp_conn *c);	/* marks what the timeout means to be lost */

/* --- validate.c --- */
bool tcp_window_is_validated(const struct tcp_conn *c);		/* what an ACK delivers may open the congestion window */
void tcp_validate_on_sent(struct tcp_conn *c);

/* --- prr.c --- */
void tcp_prr_begin(struct tcp_conn *c, const struct tcp_delivery *d);
void tcp_prr_on_ack(struct tcp_conn *c, const struct tcp_delivery *d);
void tcp_prr_on_sent(struct tcp_sender *s, uint32_t bytes);

/* --- undo.c --- */
void tcp_undo_begin(struct tapir *t, struct tcp_conn *c);	/* remembers what a reduction is about to change */
/* The first bytes of r are about to leave again. */
void tcp_undo_on_retransmit(struct tapir *t, struct tcp_conn *c, const struct tcp_sent *r, uint32_t bytes);
/* Puts it back if this ACK proves that nothing was lost: the reason; else NULL. */
const char *tcp_undo_on_ack(struct tapir *t, struct tcp_conn *c, const struct tcp_seg *seg, const struct tcp_delivery *d);

/* --- frto.c --- */
void tcp_frto_begin(struct tcp_conn *c);			/* a timeout, before the phase says so */
void tcp_frto_on_retransmit(struct tcp_sender *s, const struct tcp_sent *r);
bool tcp_frto_on_ack(struct tcp_conn *c, const struct tcp_delivery *d, bool duplicate);	/* it was spurious */
bool tcp_frto_holds(struct tapir *t, struct tcp_conn *c);	/* what is lost waits: something new is to leave first */

/* --- pmtu.c --- */
#define TCP_PATHS 64u
/* What TCP knows of the way to one host. Sizes are of whole datagrams. */
struct tcp_path {
	struct tapir_addr dst;
	usec_t used_us;			/* latest */
	usec_t next_us;			/* no probe before */
	struct tcp_conn *prober;	/* whose probe is under way, text start to end in a datagram of size; NULL: none is */
	struct tcp_conn *claimant;	/* about whose text at claim_at a router has reported `claimed` (RFC 5927 7.2); NULL */
	seq_t start, end, claim_at;
	uint16_t size, claimed;
	uint16_t low, high;		/* RFC 4821 7.1: low is what segments use, 0 says that this place is free; nothing above
					 * high is probed. UINT16_MAX: unlimited */
	uint8_t tries;			/* probes of one size that were lost */
};
/* Whether a full segment has arrived since SND.MSS last changed. */
enum mss_proof { MSS_UNTRIED, MSS_TRIED, MSS_PROVEN };
size_t tcp_pmtu_size(void);
void tcp_pmtu_init(struct tapir *t, void *mem);
uint32_t tcp_pmtu(const struct tcp_conn *c);			/* bytes of the datagram that a full segment makes */
uint16_t tcp_path_mss(struct tapir *t, const struct tcp_conn *c);	/* what SND.MSS ought to be */
void tcp_update_mss(struct tapir *t, struct tcp_conn *c);	/* SND.MSS from the peer's option and what the path carries */
void tcp_pmtu_refresh(struct tapir *t, struct tcp_conn *c);	/* the same, before text is sent: it may also have grown */
/* A router reports that the text at `at`, which is in flight, was too large for the next link's MTU (RFC 1191 4). */
void tcp_pmtu_reported(struct tapir *t, struct tcp_conn *c, uint16_t mtu, seq_t at);
/* How many bytes of text at SND.NXT to send now as one segment that is a probe; 0: none is due; PMTU_WAIT: one is, but usable,
 * what the windows let go, is too little yet: the next ACK makes room. unsent: text behind SND.NXT. */
#define PMTU_WAIT UINT32_MAX
uint32_t tcp_pmtu_probe_len(struct tapir *t, const struct tcp_conn *c, uint32_t unsent, uint32_t usable);
void tcp_pmtu_sent(struct tapir *t, struct tcp_conn *c, seq_t at, uint32_t len, bool probe);	/* new text has left */
void tcp_pmtu_on_ack(struct tapir *t, struct tcp_conn *c);	/* SND.UNA has moved */
/* Records are newly taken for lost, the first of this phase. True: they are a probe's, whose size is to blame: they go again,
 * but it is no congestion. */
bool tcp_pmtu_on_loss(struct tapir *t, struct tcp_conn *c);
void tcp_pmtu_on_rto(struct tapir *t, struct tcp_conn *c);	/* rtt.backoff counts it already; nothing is sent again yet */
void tcp_pmtu_forget(struct tapir *t, const struct tcp_conn *c);	/* it ends */
void tcp_pmtu_check(const struct tapir *t);

/* --- autotune.c --- */
enum tcp_memory { MEMORY_CALM, MEMORY_TIGHT, MEMORY_SHORT };
enum tcp_memory tcp_memory(const struct tapir *t);		/* how full the pools are: autotune.c says what follows from it */
uint32_t tcp_tune_count(const struct tapir_config *cfg);
size_t tcp_tune_size(uint32_t count);
void tcp_tune_init(struct tapir *t, void *mem, uint32_t count);
uint32_t tcp_tune_rcvbuf_max(const struct tapir *t, const struct tcp_conn *c);	/* what rcvbuf may ever be: the shift is for it */
void tcp_tune_on_text(struct tapir *t, struct tcp_conn *c, const struct tcp_seg *seg);	/* text in order has arrived */
void tcp_tune_on_read(struct tapir *t, struct tcp_conn *c, uint32_t n);	/* the program has taken n bytes: rcvbuf may change */
/* An ACK has arrived, before which so much was in flight; or the program sends, flight 0: sndbuf may change. */
void tcp_tune_sndbuf(struct tapir *t, struct tcp_conn *c, uint32_t flight);
void tcp_tune_forget(struct tapir *t, struct tcp_conn *c);	/* its measure */
void tcp_tune_status(const struct tapir *t, const struct tcp_conn *c, struct tapir_tcp_info *info);
void tcp_tune_check(const struct tapir *t);

/* --- rtt.c --- */
void tcp_rtt_init(struct tapir *t, struct tcp_conn *c);
void tcp_rtt_sample(struct tapir *t, struct tcp_conn *c, uint32_t rtt_us);
/* An ACK of something new; rtt_us: of what it delivered, or CC_NONE. */
void tcp_rtt_on_ack(struct tapir *t, struct tcp_conn *c, const struct tcp_seg *seg, uint32_t rtt_us);
uint32_t tcp_ts_now(const struct tapir *t, const struct tcp_conn *c);	/* TSval: milliseconds and the offset */
static inline uint32_t tcp_seconds(const struct tapir *t) { return (uint32_t)(t->now_us / TAPIR_SEC); }	/* for ages of days */

/* --- reass.c --- */
/* Text and FIN beyond RCV.NXT are kept. ACCEPT, or the reason why not. */
enum tapir_verdict tcp_reass_insert(struct tapir *t, struct tcp_conn *c, struct tcp_arrival *a);
/* Puts the arrival's text behind c->rx, at the cost of what lies beyond a hole if it must. Bytes stored. */
uint32_t tcp_store_in_order(struct tapir *t, struct tcp_conn *c, const struct tcp_arrival *a);
/* Moves what has become in order to c->rx, and RCV.NXT with it; true if anything moved. */
bool tcp_reass_deliver(struct tapir *t, struct tcp_conn *c);
void tcp_reass_check(const struct tcp_conn *c);
void tcp_reass_clear(struct tapir *t, struct tcp_conn *c);
uint8_t tcp_sack_blocks(const struct tcp_conn *c, struct sack_block blocks[TCP_SACK_BLOCKS], uint8_t max);
void tcp_reass_init(struct tapir *t, void *mem, uint32_t count);
size_t tcp_reass_size(uint32_t count);

/* --- dsack.c --- */
/* [start, end) has arrived twice. */
void tcp_dsack_note(const struct tapir *t, struct tcp_conn *c, seq_t start, seq_t end);
void tcp_dsack_old(const struct tapir *t, struct tcp_conn *c, const struct tcp_seg *seg);
static inline bool tcp_dsack_waits(const struct tcp_conn *c) { return !seq_eq(c->dsack.start, c->dsack.end); }
uint8_t tcp_dsack_take(struct tcp_conn *c, struct sack_block blocks[], uint8_t max);

/* --- plan.c --- */
bool tcp_has_new_segment(struct tapir *t, struct tcp_conn *c);	/* a whole one, within the windows */

/* --- output.c --- */
void tcp_owe_ack(struct tapir *t, struct tcp_conn *c, const char *why);
void tcp_owe_dup_ack(struct tapir *t, struct tcp_conn *c, const char *why);
void tcp_ready(struct tapir *t, struct tcp_conn *c);		/* tcp_output is to look at it */
void tcp_unready(struct tapir *t, struct tcp_conn *c);
uint32_t tcp_window_to_offer(const struct tcp_conn *c);		/* silly window avoidance applied (RFC 9293 3.8.6.2.2) */

/* --- burst.c --- */
void tcp_burst_end(struct tapir *t, const struct tcp_conn *c);	/* it ends: what has not left will not */
void tcp_burst_give_up(struct tapir *t, struct tcp_conn *c);	/* segments are to be smaller: what has not left is lost */
seq_t tcp_burst_unsent(const struct tapir *t, const struct tcp_conn *c, seq_t at);	/* at, which is SND.MAX; or what the
						 * peer expects next, if not all up to there has left */
void tcp_burst_check(const struct tapir *t);

/* --- ecn.c --- */
enum tcp_ecn {			/* RFC 3168 6.1.1: which SYNs and SYN-ACKs were ECN-setup, which were not */
	ECN_SENT_SETUP = 1, ECN_SENT_PLAIN = 2, ECN_GOT_SETUP = 4, ECN_GOT_PLAIN = 8,
	ECN_ECHO = 16,			/* CE has arrived: ACKs say ECE until CWR */
	ECN_CWR = 32,			/* the window was reduced: the next new text says CWR */
	ECN_REDUCED = 64,		/* and not again before what was outstanding then is acknowledged, up to ecn_recover */
	ECN_SEEN = 128			/* text with ECT or CE has arrived: the peer uses it, and the path lets it through */
};
void tcp_ecn_take_syn(struct tcp_conn *c, uint8_t flags);		/* the peer's SYN or SYN-ACK */
bool tcp_ecn_on(const struct tcp_conn *c);				/* new text goes out with ECT */
void tcp_ecn_on_text(struct tapir *t, struct tcp_conn *c, const struct tcp_arrival *a);	/* text within the window */
void tcp_ecn_on_ack(struct tapir *t, struct tcp_conn *c, const struct tcp_seg *seg);	/* before SND.UNA moves */
bool tcp_ecn_echoed(const struct tcp_conn *c, const struct tcp_seg *seg);	/* ECE: no reason for the window to grow */
void tcp_ecn_reduced(struct tcp_conn *c);	/* after a loss, too: the peer is told with CWR */
void tcp_ecn_undone(struct tcp_conn *c);	/* there was no congestion */
bool tcp_ecn_owes_cwr(const struct tcp_conn *c);	/* the next frame of new text is to be one segment */
/* For one segment that leaves: TCP flags to add, and the ECN bits of its datagram. */
uint8_t tcp_ecn_flags(struct tapir *t, struct tcp_conn *c, uint8_t flags, bool new_text);
uint8_t tcp_ecn_tos(const struct tcp_conn *c, bool new_text);

/* --- tuning.c: rarely set options, as they apply to c --- */
size_t tcp_tunings_size(const struct tapir_config *cfg);
void tcp_tunings_init(struct tapir *t, void *mem);
usec_t tcp_keep_idle_us(const struct tapir *t, const struct tcp_conn *c);
usec_t tcp_keep_interval_us(const struct tapir *t, const struct tcp_conn *c);
uint8_t tcp_syn_retries(const struct tapir *t, const struct tcp_conn *c);
usec_t tcp_fin_wait_2_us(const struct tapir *t, const struct tcp_conn *c);
uint32_t tcp_window_limit(const struct tcp_conn *c);
uint32_t tcp_mss_limit(const struct tcp_conn *c, uint32_t mss);

/* --- user_timeout.c --- */
usec_t tcp_user_timeout_us(const struct tcp_conn *c);			/* 0: none */
void tcp_user_timer_begin(struct tapir *t, struct tcp_conn *c);		/* something may wait now */
void tcp_user_timer_progress(struct tapir *t, struct tcp_conn *c);	/* something was acknowledged */
void tcp_user_timer_changed(struct tapir *t, struct tcp_conn *c, uint32_t old_ms);
bool tcp_keepalive_is_over(const struct tapir *t, const struct tcp_conn *c);	/* enough probes without an answer */

/* --- cork.c --- */
bool tcp_cork_holds(const struct tcp_conn *c);				/* a last short segment is to wait */
usec_t tcp_override_us(const struct tapir *t, const struct tcp_conn *c);	/* how long, at most (RFC 9293 3.8.6.2.1 (4)) */
void tcp_cork_on_sent(struct tcp_conn *c);				/* SND.NXT has moved */

/* --- status.c --- */
uint32_t tcp_segments(const struct tcp_arrival *a);		/* as on the wire */
uint32_t tcp_segment_text(const struct tcp_arrival *a);		/* the most that one of them carried */
/* What leaves, before SND.MAX moves; segment: the text that a driver puts in each, if it cuts it up. How many segments. */
uint32_t tcp_count_out(struct tcp_conn *c, seq_t at, uint32_t text, uint32_t segment);
bool tcp_wraps(seq_t began, seq_t from, seq_t to);	/* moving from - to passes the number that it began with */

/* --- reset.c --- */
void tcp_reset_for(struct tapir *t, const struct ip_packet *pkt, const struct tcp_seg *seg);	/* RFC 9293 3.5.2 */
void tcp_send_alone(struct tapir *t, const struct tcp_conn *c, const struct tcp_seg *seg);	/* without text, not again */
void tcp_reset_conn(struct tapir *t, const struct tcp_conn *c, seq_t at);	/* <SEQ=at><CTL=RST> */

/* --- timeout.c --- */
void tcp_timer_arm(struct tapir *t, struct tcp_conn *c, enum tapir_tcp_timer timer, usec_t due_us);
void tcp_timer_disarm(struct tapir *t, struct tcp_conn *c, enum tapir_tcp_timer timer);
extern const uint8_t tcp_timer_slot[TCP_CONN_TIMERS];
/* USEC_NEVER: it is not armed. */
static inline usec_t tcp_timer_due(const struct tcp_conn *c, enum tapir_tcp_timer timer)
{
	if (timer < TCP_CONN_TIMERS)
		return c->armed >> timer & 1 ? c->due_us[tcp_timer_slot[timer]] : USEC_NEVER;
	return c->sender ? c->sender->due_us[timer - TCP_CONN_TIMERS] : USEC_NEVER;
}
static inline bool tcp_timer_is_armed(const struct tcp_conn *c, enum tapir_tcp_timer timer)
{
	return timer < TCP_CONN_TIMERS ? c->armed >> timer & 1 : tcp_timer_due(c, timer) != USEC_NEVER;
}
void tcp_timer_set(struct tcp_conn *c, enum tapir_tcp_timer timer, usec_t due_us);	/* without a word to the wheel */
void tcp_timer_fire(struct tapir *t, struct timer *timer);

/* --- events.c: the probe's view (design: seeing is the product) --- */
void tcp_say_state(struct tapir *t, const struct tcp_conn *c, enum tcp_state from, const char *why);	/* to c->state */
void tcp_say_segment(struct tapir *t, const struct tcp_conn *c, const struct tcp_seg *seg, enum tapir_event_kind kind,
		     const char *why);
void tcp_say_timer(struct tapir *t, const struct tcp_conn *c, enum tapir_tcp_timer timer, enum tapir_event_kind kind);
void tcp_say_owed(struct tapir *t, const struct tcp_conn *c, const char *why);
void tcp_say_cc(struct tapir *t, const struct tcp_conn *c, const char *why);
void tcp_say_ecn(struct tapir *t, const struct tcp_conn *c, const char *why);
void tcp_say_window(struct tapir *t, const struct tcp_conn *c);
void tcp_say_buffer(struct tapir *t, const struct tcp_conn *c, uint32_t rtt_us, const char *why);
void tcp_say_pmtu(struct tapir *t, const struct tcp_conn *c, const struct tcp_path *p, const char *why);	/* p: may be NULL */

#endif
