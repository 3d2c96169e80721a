/* tcp.h: one TCP connection, the table of them, and the calls of RFC 9293 3.10 that the sockets above use.
 * Each file beside this one is a section of an RFC: user.c 3.10.1-6, arrives.c 3.10.7, timeout.c 3.10.8, plan.c 3.8.6; the
 * others are in docs/tcp.md.
 * Input and user calls change state and note what is owed; tcp_output alone decides whether a segment exists. */
#ifndef TCP_TCP_H
#define TCP_TCP_H

#include "../ip/ip.h"
#include "queue.h"
#include "burst.h"
#include "sender.h"
#include "state.h"

struct tcp_piece;				/* reass.c: one run of out-of-order text */

/* Options that few programs set: those who chose the same share one set (tuning.c). 0 means the configuration's default.
 * Nothing in it is padding: sets are compared byte by byte. */
struct tcp_choices {
	uint32_t user_timeout_ms;		/* TCP_USER_TIMEOUT; 0: none */
	uint32_t window_clamp;			/* TCP_WINDOW_CLAMP, bytes; 0: none */
	int32_t linger2_s;			/* TCP_LINGER2; -1: no wait */
	uint16_t keep_idle_s, keep_interval_s, maxseg;
	uint16_t fastopen;			/* TCP_FASTOPEN, a listener's: open before their handshake has ended; 0: none */
	uint8_t keep_count, syn_retries;
	uint8_t defer;				/* TCP_DEFER_ACCEPT of a listener: timeouts to wait for text; 0: none */
	uint8_t none;				/* 0 */
};
struct tcp_tuning {
	struct tcp_choices is;
	uint32_t users;				/* sockets and connections that have it */
	struct tcp_tuning *next;		/* in its hash chain, or in the list of free ones */
};

struct tcp_mini;				/* internal.h, mini.c */

/* Passive OPEN (RFC 9293 3.10.1): the LISTEN state. */
struct tcp_listener {
	struct tcp_queue accept;		/* established, waiting for accept(), oldest first */
	uint16_t accepted, backlog;		/* how many wait, and how many may */
	uint32_t rcvbuf, sndbuf;		/* for its connections, as the following */
	bool rcvbuf_fixed, sndbuf_fixed;
	uint8_t ttl, tos, retries, congestion;
	bool nodelay, keepalive, cork;
	struct {				/* fastopen.c */
		uint16_t pending, resets;	/* how many are open early; how many a RST ended that still count ... */
		usec_t resets_until_us;		/* ... until then */
	} fastopen;
	struct tcp_tuning *tuning;		/* the socket counts as its user */
};

/* A local address taken by bind() or listen(), and what listens there (bound.c). */
struct tcp_bound {
	struct tcp_bound *next;			/* in its hash chain by port, or in the list of free ones */
	struct tapir_endpoint local;
	bool listening;				/* LISTEN */
	uint32_t owner;				/* the socket */
	struct tcp_listener listener;		/* if listening */
};

/* What Fast Open (RFC 7413 4) means to a connection. */
enum tcp_fastopen {
	FASTOPEN_NONE,
	FASTOPEN_ASKS,				/* our SYN asks for a cookie */
	FASTOPEN_WAITS,				/* there is a cookie: our SYN waits for text to take along; or has left with it */
	FASTOPEN_SHOWS,				/* the same, but our SYN waits no more: it has the cookie, without text */
	FASTOPEN_GIVES,				/* our SYN-ACK gives a cookie */
	FASTOPEN_EARLY,				/* passive: open to its user, though our SYN is not acknowledged yet */
	FASTOPEN_DONE				/* text on the SYN was taken */
};

struct tcp_fastopen_peer {			/* what a client remembers of a server */
	struct tapir_addr addr;
	struct tcp_fastopen_cookie cookie;	/* len 0: none */
	uint8_t losses;				/* SYNs in a row that only got through without text and option */
	uint16_t mss;
	usec_t used_us, not_before_us;		/* used_us 0: the place is free */
};

/* What is owed: noted by input, user calls and timers, paid by tcp_output. */
struct tcp_owed {
	bool ack : 1;				/* an ACK, which may ride on data */
	bool tlp : 1;				/* a tail loss probe (RFC 8985 7.3) */
	bool probe : 1;				/* one byte into a closed window (RFC 9293 3.8.6.1) */
	bool keepalive : 1;			/* an old sequence number, to be answered (RFC 9293 3.8.4) */
	uint8_t dup_acks;			/* so many ACKs that carry nothing else (RFC 5681 4.2) */
};

#define TCP_CONN_TIMERS (TAPIR_TIMER_COUNT - TCP_SENDER_TIMERS)
#define TCP_TIMER_SLOTS 4		/* several of these timers are never armed together: see timeout.c */

/* Who connections, listeners and sockets are to each other is said in 32 bits: a number in their pool, from 1; 0: none. An idle
 * connection is mostly what follows, so each byte of it counts: what only matters while text is under way lies in the sender,
 * what few programs set in the tuning. */
struct tcp_conn {
	uint32_t hash_next;			/* demux.c; or in the list of free ones */
	uint32_t owner;				/* the socket, 0: an orphan, or not yet accepted */
	struct tcp_link links[LINK_KINDS];	/* queue.c: its places in lists */
	struct timer timer;			/* one for all the logical timers below */
	usec_t due_us[TCP_TIMER_SLOTS];		/* USEC_NEVER: disarmed; the others' lie in the sender */

	struct tapir_endpoint local, peer;
	seq_t iss, irs;
	struct {
		seq_t una, nxt, max;		/* max: the highest ever sent; NXT goes back to a SYN, else it is max */
		seq_t wl1, wl2;
		uint32_t wnd, max_wnd;		/* SND.WND, MAX.SND.WND (RFC 5961 5.2), shift applied */
		uint16_t mss;			/* text bytes of a full segment, options already taken off (RFC 6691) */
		uint16_t mss_option;		/* what the peer's option allows */
		uint8_t shift;
		bool short_out;			/* a short segment has left since everything was acknowledged (3.7.4) */
		uint16_t wraps;			/* how often UNA has passed the number that it began with (for STATUS) */
	} snd;
	struct {
		seq_t nxt, adv;			/* adv: right edge ever advertised; the window never shrinks */
		seq_t up;			/* RCV.UP, if urgent */
		seq_t fin;			/* where the peer's FIN lies, if have_fin */
		uint32_t unacked;		/* text received since the last ACK left */
		uint16_t mss;			/* largest text seen, at least 536: what a full segment is */
		uint16_t mss_offered;		/* the option of our SYN */
		uint32_t arrivals;		/* of out-of-order text, counted for the order of SACK blocks */
		uint16_t quick;			/* segments still to be acknowledged at once */
		uint16_t shift : 4;
		uint16_t wraps : 12;		/* how often NXT has passed the number that it began with (for STATUS) */
	} rcv;
	enum tcp_state state : 8;		/* only tcp_set_state() writes it */
	int8_t error;				/* why it ended, for the user; 0: it did not, or as it should */
	int8_t soft_error;			/* what ICMP (RFC 1122 4.2.3.9) or R1 (RFC 9293 3.8.3) said since a new ACK */
	uint8_t ecn;				/* set of enum tcp_ecn (ecn.c) */
	bool fin_queued : 1, fin_acked : 1, have_fin : 1, fin_rcvd : 1;	/* ours: queued behind the text; theirs: seen, taken */
	bool syn_acked : 1;			/* not the same as SND.UNA == ISS, which comes round again after 4 GiB */
	bool active : 1;			/* OPEN was active: a RST in SYN-RECEIVED is a refusal, not a return to LISTEN */
	bool ts_on : 1, sack_on : 1, ws_on : 1;	/* agreed in the handshake */
	bool nodelay : 1, keepalive : 1, rcv_shutdown : 1;
	bool rcvbuf_fixed : 1, sndbuf_fixed : 1;	/* set by the program: autotune.c leaves them alone */
	bool urgent : 1;			/* urgent text lies ahead of what the user has consumed */
	bool mini : 1;				/* mini.c: unfolded for a while */
	bool cork : 1, uncorked : 1;		/* TCP_CORK; but what is queued now goes (cork.c) */
	bool deferred : 1;			/* defer.c: the peer's ACK has come, its text has not */
	bool syn_text : 1;			/* all text on a SYN, ours or the peer's, was taken (RFC 7413 4) */
	bool cwnd_limited : 1;			/* the last output stopped at cwnd: the window may grow (validate.c) */
	bool is_ready : 1, waits : 1;		/* in the ready list (output.c); in that of those who wait for a sender (wait.c) */
	bool no_sender : 1;			/* the last output found no sender or no record (wait.c) */
	bool syn_timed : 1;			/* our SYN was sent once, and is not acknowledged (Karn, RFC 6298 3): see rtt */
	uint8_t mss_proof : 2;			/* pmtu.c: enum mss_proof */
	uint8_t fastopen : 3;			/* enum tcp_fastopen */
	uint8_t queue : 2;			/* enum tcp_queue_id: the list that it is in, if any */
	uint8_t ttl, tos, retries;		/* retries: R2 (RFC 9293 3.8.3); UINT8_MAX: for ever */
	uint8_t armed;				/* which of the timers of due_us, as bits */
	uint16_t listener;			/* passive open, not yet accepted: where it came from (tcp_bound_of); else 0 */
	struct tcp_owed owed;
	const char *why_owed;			/* the rule behind the latest of these */
	struct tcp_tuning *tuning;		/* never NULL; as one of its users */

	struct stream tx;			/* SND.UNA on: unacknowledged, then unsent; limit is SO_SNDBUF */
	struct stream rx;			/* in order, unread; limit is SO_RCVBUF */
	struct tcp_piece *pieces;		/* out of order, by sequence number */
	uint16_t piece_count;
	uint16_t tuner;				/* autotune.c: its number, from 1; 0: none */
	uint32_t segs_in, ce_in;		/* segments that arrived, as on the wire; of these with text marked CE */
	uint32_t challenged_ms;			/* challenge.c: when a challenge ACK was last owed; 0: never */

	seq_t last_ack_sent;			/* Last.ACK.sent (RFC 7323 4.3) */
	struct { uint32_t recent, offset, recent_s; } ts;	/* TS.Recent and its age (RFC 7323 4.3) */
	struct {
		uint32_t srtt_us, rttvar_us, rto_us;	/* RFC 6298 2; srtt 0: no sample yet */
		union {
			uint32_t syn_at_us;	/* if syn_timed: when our SYN left, the clock's lower half */
			uint32_t timeout_ts;	/* else TSval when the timer last fired: what echoes an older one waited for it */
		};
		uint8_t backoff;		/* RTOs in a row */
		uint8_t probes, keepalives;	/* persist and keep-alive probes in a row without an answer */
	} rtt;
	uint32_t total_retrans;
	struct tcp_sender *sender;		/* what is under way; NULL: nothing, and it was long ago */
	struct cc cc;
	usec_t last_in_us, last_out_us;
	uint64_t bytes_retrans;
	uint32_t segs_out;			/* as on the wire, whatever a driver cuts up */
	struct sack_block dsack;		/* dsack.c: a duplicate that no ACK has reported; start == end: none */
};

_Static_assert(sizeof(struct tcp_conn) <= 416, "with its socket (72) and its share of pools an idle one is to cost 512");

/* flood.c */
struct tcp_flood_rate { usec_t at_us; uint64_t tokens; };
struct tcp_flood_line { uint64_t words[8]; };
struct tcp_flood {
	struct tcp_flood_line *young, *old;	/* SYNs that were passed over: since since_us, and before */
	uint64_t lines;				/* of each, a power of two */
	usec_t since_us;
	bool remembers;				/* no: both are as they were lent */
	struct tcp_flood_rate first, again;
};

struct tcp_hash { uint32_t *buckets, mask; };	/* of connections' numbers */
struct tcp {
	struct tcp_hash hash;
	struct { struct tcp_bound *chains[1024], *all, *free; uint32_t used; } bound;	/* bound.c */
	struct tcp_conn *slots;
	uint32_t free, used, time_wait_count;		/* of slots; in TIME-WAIT, with a program or without */
	struct {				/* mini.c */
		struct tcp_mini *all, *free, *fresh, **buckets;	/* from fresh on none was ever taken */
		uint32_t mask, unfolded;	/* the latter of slots */
		struct tcp_mini_queue { struct tcp_mini *head, *tail; uint32_t count; } syn, time_wait;	/* oldest first */
	} minis;
	struct tcp_queue orphans;		/* orphan.c */
	struct tcp_queue ready;			/* who may have something to send, served in turn */
	struct tcp_queue waiting;		/* wait.c: who found no sender */
	struct tcp_burst burst;			/* burst.c: goes before them */
	struct tcp_piece *free_pieces;
	struct { struct tcp_tuning plain, *free, **buckets; uint32_t mask, used; } tunings;	/* tuning.c */
	struct tcp_path *paths;			/* pmtu.c */
	uint32_t path_count;			/* of them in use */
	struct tcp_tuners { struct tcp_tuner *all, *free, *oldest, *newest; uint32_t count; } tuners;	/* autotune.c */
	struct {
		struct tcp_sender *free, *idle, *idle_last;
		struct tcp_sent *free_sent;
		uint32_t used, sent_used;	/* used: of senders, idle ones included */
	} senders;				/* sender.c */
	struct { usec_t window_us; uint32_t left; } challenge;	/* RFC 5961 7 */
	struct tcp_fastopen_peer *fastopen_peers;	/* fastopen.c */
	struct siphash_key fastopen_key;
	usec_t cookies_until_us;		/* cookie.c: until then a SYN cookie may come back */
	struct tcp_flood flood;
	uint32_t next_port;
};

size_t tcp_size(const struct tapir_config *cfg);
void tcp_init(struct tapir *t, void *mem);

/* --- bound.c --- */
/* A local address for a socket; port 0: an ephemeral one. NULL with *error EADDRINUSE, EADDRNOTAVAIL; ENOMEM:
 * config.max_bound are in use. */
struct tcp_bound *tcp_bind(struct tapir *t, const struct tapir_endpoint *local, bool reuse, int *error);
void tcp_unbind(struct tapir *t, struct tcp_bound *b);		/* gone; it no longer listens */
struct tcp_bound *tcp_bound_of(const struct tapir *t, uint16_t number);		/* 0: NULL */
uint16_t tcp_bound_number(const struct tapir *t, const struct tcp_bound *b);

/* --- user.c: RFC 9293 3.10.1-3.10.6, called by socket/ --- */
/* Passive OPEN on a bound address. The caller has filled the listener's options and backlog, and the owner. */
void tcp_open_passive(struct tapir *t, struct tcp_bound *b);
/* Ends LISTEN: resets what waits in both of its queues (RFC 9293 3.10.4 LISTEN). */
void tcp_close_listener(struct tapir *t, struct tcp_bound *b);
/* TCP_DEFER_ACCEPT: seconds as the timeouts of a SYN-ACK that cover them; and back, rounded up. */
uint8_t tcp_defer_timeouts(const struct tapir_config *cfg, uint32_t seconds);
uint32_t tcp_defer_seconds(const struct tapir_config *cfg, uint8_t timeouts);
/* The oldest established connection: the caller becomes its owner. NULL when there is none. */
struct tcp_conn *tcp_accept(struct tapir *t, struct tcp_bound *b, uint32_t owner);
/* Active OPEN. local may be any and 0. NULL with *error set (ENETUNREACH, EADDRNOTAVAIL, EADDRINUSE, ENOMEM). The
 * connection is in SYN-SENT; the caller may set nodelay, keepalive, ttl, tos and buffer sizes before the next output. */
struct tcp_conn *tcp_open_active(struct tapir *t, const struct tapir_endpoint *local, const struct tapir_endpoint *peer,
				 uint32_t owner, int *error);
/* Fast Open (RFC 7413 4) for a connection that was just opened. True: there is a cookie, and the SYN waits for the first SEND;
 * false: it leaves at once, and asks for a cookie if it may. */
bool tcp_fastopen_connect(struct tapir *t, struct tcp_conn *c);
static inline bool tcp_fastopen_waits(const struct tcp_conn *c)	/* for text to put on the SYN */
{
	return c->fastopen == FASTOPEN_WAITS && seq_eq(c->snd.max, c->iss) && !c->tx.bytes;
}
/* SEND: bytes taken, or a negative error. */
int64_t tcp_send(struct tapir *t, struct tcp_conn *c, const void *buf, size_t n);
int64_t tcp_send_borrowed(struct tapir *t, struct tcp_conn *c, struct tapir_frame *borrowed);	/* all, or EAGAIN: not taken */
uint32_t tcp_send_room(const struct tcp_conn *c);	/* bytes tcp_send would take, memory permitting */
/* RECEIVE: bytes copied; 0: the peer closed and all was read; EAGAIN; or the connection's error. */
int64_t tcp_receive(struct tapir *t, struct tcp_conn *c, void *buf, size_t n);
int tcp_receive_peek(struct tapir *t, struct tcp_conn *c, struct span *spans, int max);
void tcp_receive_consume(struct tapir *t, struct tcp_conn *c, uint32_t n);
/* RECEIVE and SEND in one: bytes moved from one's receive queue to the other's send queue, or as either says. */
int64_t tcp_splice(struct tapir *t, struct tcp_conn *from, struct tcp_conn *to, size_t n);
/* CLOSE of the sending half: a FIN behind the text; the state moves at once. 0, or TAPIR_ENOTCONN. */
int tcp_close(struct tapir *t, struct tcp_conn *c);
void tcp_shutdown_receive(struct tapir *t, struct tcp_conn *c);
/* TCP_NODELAY: turns Nagle's algorithm off or on (RFC 9293 3.7.4); what it held goes at once. */
void tcp_set_nodelay(struct tapir *t, struct tcp_conn *c, bool on);
/* TCP_CORK: a last short segment waits for more, at most config.cork_us. */
void tcp_set_cork(struct tapir *t, struct tcp_conn *c, bool on);
/* TCP_QUICKACK: the next segments are acknowledged at once, and what waits for a delayed ACK is now; or no more. */
void tcp_set_quickack(struct tapir *t, struct tcp_conn *c, bool on);
/* TCP_CONGESTION: another controller takes over, with the window as it is. */
void tcp_set_congestion(struct tapir *t, struct tcp_conn *c, enum tapir_cc cc);
/* SO_KEEPALIVE: turns probing of an idle connection on or off (RFC 9293 3.8.4). */
void tcp_set_keepalive(struct tapir *t, struct tcp_conn *c, bool on);
/* The rarely set options, from now on; the connection becomes one more user of the set. */
void tcp_set_tuning(struct tapir *t, struct tcp_conn *c, struct tcp_tuning *to);
/* The set without choices, of which a caller becomes one more user. */
struct tcp_tuning *tcp_tuning_plain(struct tapir *t);
struct tcp_tuning *tcp_tuning_share(struct tcp_tuning *tuning);	/* one more user */
void tcp_tuning_put(struct tapir *t, struct tcp_tuning *tuning);		/* one less */
/* The set with these choices in place of old, which is let go of. NULL: all config.tcp_tunings are in use; old is kept. */
struct tcp_tuning *tcp_tuning_change(struct tapir *t, struct tcp_tuning *old, const struct tcp_choices *to);
/* ABORT: a RST if the state calls for one; ends in CLOSED with ECONNABORTED. */
void tcp_abort(struct tapir *t, struct tcp_conn *c);
/* The owner lets go. In CLOSED the connection is freed; else it becomes an orphan that ends by itself: with unread text
 * by a RST (RFC 1122 4.2.2.13). The caller has called tcp_close or tcp_abort before. */
void tcp_release(struct tapir *t, struct tcp_conn *c);
/* STATUS (status.c). */
void tcp_status(struct tapir *t, const struct tcp_conn *c, struct tapir_tcp_info *info);

uint32_t tcp_connections(const struct tapir *t);	/* in every state */
uint32_t tcp_places(const struct tapir *t);		/* where one may be (list.c) */
bool tcp_row(struct tapir *t, uint32_t i, struct tapir_tcp_row *row);	/* the one in the i-th place; false: there is none */

/* --- upcalls: socket/ defines these --- */
void socket_tcp_ready(struct tapir *t, struct tcp_conn *c);		/* c->owner is set: readable, writable, ended ... */
void socket_tcp_incoming(struct tapir *t, const struct tcp_bound *b);	/* accept() has something to take */

/* --- between the files of this folder, and stack.c --- */
int tcp_output_next(struct tapir *t, struct tapir_out *out);	/* 1: a frame in out; 0: no connection has anything */
void tcp_check(const struct tapir *t, const struct tcp_conn *c);	/* asserts the invariants of one connection */
void tcp_check_all(const struct tapir *t);

#endif
