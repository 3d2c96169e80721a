/* sim.h: stacks, what lies between them and the programs on top, in virtual time, all of it derived from one seed. Two stacks
 * with a link of one of three kinds, or up to SIM_NODES with a network of routers and links between them.
 *
 *   sim_plan.c    seed > plan: the configurations, the faults of the link, what each program will do
 *   sim_net_plan.c  the same for networks
 *   sim_party.c   the programs: one party is one side of one connection; checks every byte that it reads
 *   sim_world.c   the turn of time: frames in, programs, frames out, then on to the next deadline; checks the invariants
 *   sim_report.c  what people are told: the notes, a failure, a crash
 *   sim_wire.c    a link that is one flat value, for runs that are stopped and continued from a copy
 *   sim_net.c     routers in a row, links between them and to the stacks, and what changes on the way
 *   sim_meter.c   looks at every frame of a connection: counts, and checks what no TCP may do
 *
 * A run fails with a sentence in sim->failure; it never depends on anything but the seed. */
#ifndef SIM_H
#define SIM_H

#include "drivers/driver.h"

#define SIM_NODES 16		/* most stacks of one run */
#define SIM_ROUTERS 4
#define SIM_CONNS 32		/* most connections of one run */
#define SIM_CHANGES 16		/* most changes of a network during one run */
#define SIM_SERVICE 7000	/* the port that both sides listen on */
#define SIM_DEAD_PORT 9		/* the port that nobody listens on */

/* --- sim_plan.c --- */

struct sim_rng { uint64_t s; };
uint64_t sim_rand(struct sim_rng *r);
uint32_t sim_below(struct sim_rng *r, uint32_t n);			/* 0 .. n-1 */
uint32_t sim_between(struct sim_rng *r, uint32_t lo, uint32_t hi);	/* lo .. hi */
uint32_t sim_spread(struct sim_rng *r, uint32_t lo, uint32_t hi);	/* the same, each order of magnitude alike */
bool sim_chance(struct sim_rng *r, uint32_t percent);

enum sim_end {
	SIM_END_HALF,		/* half-closes when all is sent, reads on to the end, then closes */
	SIM_END_LATE,		/* closes when all is sent and the peer has closed */
	SIM_END_CLOSE,		/* closes when all is sent and all that the peer sends was read */
	SIM_END_ABORT,		/* aborts after so many bytes, sent and read */
	SIM_END_LINGER,		/* the same by a close with linger 0 */
	SIM_END_UNREAD		/* the same by a close as soon as something lies there unread */
};
struct sim_side {		/* what one program does */
	uint32_t total;			/* bytes that it sends */
	usec_t until_us;		/* or until then, if that comes first; 0: does not matter */
	uint32_t write_max, read_max;	/* bytes of one call, at most */
	usec_t write_pause_us, read_pause_us;	/* between two calls, at most */
	usec_t read_start_us;		/* reads nothing for so long, so that the window closes */
	uint8_t borrowed, peek;		/* percent of the calls without a copy */
	bool edge;			/* sleeps until an event says that it may go on */
	bool nodelay, keepalive;
	const char *cc;			/* its congestion control; NULL: as configured */
	uint32_t sndbuf, rcvbuf;	/* 0: as configured */
	enum sim_end end;
	uint32_t end_after;		/* for the last three ways to end */
};
enum sim_open { SIM_OPEN_PASSIVE, SIM_OPEN_BOTH, SIM_OPEN_REFUSED };
struct sim_conn {
	enum sim_open open;
	uint8_t node[2];		/* where its two sides are; the first one opens */
	usec_t start_us;
	uint16_t port;			/* the opener's; 0: an ephemeral one */
	int8_t after;			/* waits until this connection is over, then uses its port again; -1: none */
	struct sim_side side[2];
};
enum sim_link { SIM_LINK_FAULT, SIM_LINK_PAIR, SIM_LINK_WIRE, SIM_LINK_NET };
/* Routers in a row, each joined to the next by a trunk; each stack hangs on one of them by an access link. */
struct sim_net_plan {
	uint8_t routers;
	uint8_t at[SIM_NODES];				/* the router of each stack */
	struct fault_config access[SIM_NODES], trunk[SIM_ROUTERS];
	uint8_t changes;				/* in the order of their times */
	struct sim_change { usec_t at_us; uint8_t trunk; struct fault_config to; } change[SIM_CHANGES];
};
struct sim_plan {
	uint64_t seed;
	uint8_t nodes;
	struct tapir_config cfg[SIM_NODES];
	enum sim_link link;
	bool ip_only;
	uint16_t mtu;
	struct tapir_offload_caps caps;
	struct fault_config fault;	/* SIM_LINK_WIRE knows delay and loss only; SIM_LINK_NET has its own */
	struct sim_net_plan net;
	int backlog;
	usec_t accept_pause_us;
	uint8_t count;
	struct sim_conn conns[SIM_CONNS];
};
void sim_plan_make(struct sim_plan *p, uint64_t seed);
void sim_plan_print(const struct sim_plan *p);
/* One stack, one connection of a plan whose links, nodes and count are there. harsh: many frames are lost. */
void sim_plan_stack(struct sim_plan *p, struct sim_rng *r, int node, bool harsh);
void sim_plan_conn(struct sim_plan *p, struct sim_rng *r, int index);
double sim_percent_of(struct sim_rng *r, uint32_t chance, uint32_t most);	/* with that chance up to most percent; else 0 */

/* --- sim_net_plan.c --- */

void sim_net_plan_make(struct sim_plan *p, uint64_t seed);
void sim_net_plan_print(const struct sim_net_plan *n, uint8_t nodes);

/* --- sim_party.c --- */

enum sim_phase { SIM_WAITING, SIM_OPENING, SIM_OPEN, SIM_OVER };
struct sim_party {
	uint8_t node, conn, side;
	enum sim_phase phase;
	bool poked;			/* an event arrived since it last had nothing to do */
	bool eof, fin;			/* the peer's end was read; our end was said */
	bool broke;			/* ended the connection by force */
	tapir_sd sd;
	uint16_t port;			/* the opener's local port */
	uint32_t sent, got, lent;	/* bytes; borrowed buffers that were not given back */
	usec_t read_at_us, write_at_us, over_at_us;
	usec_t open_us, got_us;		/* when it was open, and when it last read something */
	struct sim_rng rng;
};
struct sim;
void sim_party_init(struct sim *s, uint8_t conn, uint8_t side);
/* Does what it can now; true when it did anything. */
bool sim_party_run(struct sim *s, struct sim_party *p);
void sim_party_accepted(struct sim *s, struct sim_party *p, tapir_sd sd);
/* When it wants to be run without an event; USEC_NEVER. */
usec_t sim_party_wake(const struct sim *s, const struct sim_party *p);

/* --- sim_world.c --- */

#define SIM_RING 200
#define SIM_SNAP 96		/* bytes kept of each frame: all headers */
struct sim_note {
	usec_t at_us;
	uint8_t node;
	char kind;			/* '>' sent, '<' received, 'x' lost in the link, '-' what a program did */
	uint32_t len;			/* frame */
	const char *what;		/* program, or verdict */
	int64_t value;
	uint8_t conn, side;
	uint8_t bytes[SIM_SNAP];
};
struct sim_node {
	void *mem;
	size_t size;
	struct tapir *t;
	struct driver *d;
	tapir_sd listener;
	bool accept_poked;
	bool full;			/* its link takes no more for now */
	usec_t accept_at_us;
};

/* --- sim_meter.c --- */

#define SIM_RANGES 256
#define SIM_HASHES 64
/* What was seen of one direction of a connection. Numbers are relative to the ISS: text begins at 1. */
struct sim_flow {
	bool open;			/* the SYN was seen leaving */
	bool scaled;			/* with the window scale option */
	uint8_t shift;			/* of the windows that its sender advertises, if the other one has the option, too */
	uint32_t iss;
	uint32_t next;			/* the end of what was sent so far */
	uint32_t acked, edge;		/* the highest ACK and right edge of the window that reached its sender */
	uint32_t offered;		/* the highest right edge that its receiver sent */
	uint32_t segments, retransmits, spurious;	/* with text; sent again; though it had arrived */
	uint64_t flight_sum;		/* over all segments, of the bytes sent and not acknowledged */
	uint32_t flight_max;
	uint32_t ranges;		/* of text that has arrived, in order */
	struct sim_range { uint32_t from, to; } range[SIM_RANGES];
	uint64_t hash[SIM_HASHES];	/* of the last frames that arrived: the same again is the network's copy */
	uint32_t hashes;
};
struct sim_seen {			/* a TCP segment on its way */
	bool any;
	uint8_t conn, side;		/* its sender */
	uint8_t flags, shift;		/* shift: of a SYN's option; 0: none */
	bool scaled;			/* the SYN had that option */
	uint32_t seq, ack, wnd, len;	/* len: text */
	uint64_t hash;
};
struct sim;
struct sim_seen sim_meter_look(const struct sim *s, struct span frame);
void sim_meter_sent(struct sim *s, const struct sim_seen *seen);
void sim_meter_arrived(struct sim *s, const struct sim_seen *seen, enum tapir_verdict v);

/* --- sim_net.c --- */

struct sim_net;
struct sim_net *sim_net_new(struct driver *ends[], const struct sim_plan *plan);
/* Makes the changes that are due and carries frames, before the stacks look for them; true if a router carried anything. */
bool sim_net_turn(struct sim_net *n, const struct sim_net_plan *plan, usec_t now_us);
usec_t sim_net_deadline(const struct sim_net *n, const struct sim_net_plan *plan);
bool sim_net_is_empty(const struct sim_net *n);
struct fault_stats sim_net_stats(const struct sim_net *n, uint8_t trunk);
void sim_net_free(struct sim_net *n);

/* --- sim_world.c, continued --- */

struct sim_wire;
struct sim {
	struct sim_plan plan;
	struct sim_node nodes[SIM_NODES];
	struct sim_wire *wire;		/* SIM_LINK_WIRE; else NULL */
	struct sim_net *net;		/* SIM_LINK_NET; else NULL */
	struct sim_flow flows[SIM_CONNS][2];	/* by connection and sending side */
	usec_t now_us;
	bool settled;			/* nothing more will happen at now_us */
	struct sim_party parties[SIM_CONNS][2];
	bool broken[SIM_CONNS];		/* a side has ended by force: the other may see errors */
	bool verbose;			/* print each note at once */
	uint64_t hash;			/* over every frame sent, its time and its sender */
	uint32_t frames, turns;
	char failure[200];		/* empty: none */
	uint32_t notes;
	struct sim_note ring[SIM_RING];
};
/* Makes the world of plan. It is freed with sim_free. */
struct sim *sim_new(const struct sim_plan *plan, bool verbose);
/* Runs until virtual time limit_us, or until all is over; false: s->failure says what went wrong. */
bool sim_run(struct sim *s, usec_t limit_us);
/* All programs are done, both stacks have given everything back, and nothing is on the link. */
bool sim_is_over(const struct sim *s);
/* Fails the run, with a sentence about what is left, when it is not over. */
void sim_expect_over(struct sim *s);
void sim_free(struct sim *s);
/* --- sim_report.c --- */

/* Remembers what a program did. */
void sim_note(struct sim *s, const struct sim_party *p, const char *what, int64_t value);
/* Remembers a frame; what: why it was lost, or NULL. kind as in struct sim_note. */
void sim_note_frame(struct sim *s, uint8_t node, char kind, struct span frame, const char *what);
void sim_note_verdict(struct sim *s, uint32_t note, enum tapir_verdict v);	/* what became of the frame of that note */
__attribute__((format(printf, 2, 3))) void sim_fail(struct sim *s, const char *format, ...);
/* The seed, the plan and the last notes, to stderr. */
void sim_report(const struct sim *s);
/* A probe that prints. */
void sim_print_event(void *ctx, const struct tapir_event *event);
/* From now on a crash or a hang reports the running simulation, and how to replay it: "SIM_SEED=n " and replay. */
void sim_report_crashes(const char *replay);
/* s runs now, for a bounded time; NULL: none does. */
void sim_watch(struct sim *s);

/* --- sim_wire.c: delay and loss, offloads kept, at most 256 frames and 4 MiB under way in each direction --- */

struct sim_wire *sim_wire_new(struct driver *ends[2], const struct sim_plan *plan);
void *sim_wire_state(struct sim_wire *w, size_t *size);	/* all of it, to be copied and put back */
void sim_wire_free(struct sim_wire *w);

#endif
