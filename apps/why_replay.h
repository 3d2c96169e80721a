/* why_replay.h: a connection of anybody's, and a stack of ours that takes the place of one of its ends.
 *
 * Octets are counted in 64 bits from each side's SYN, which is 0, so that nothing here wraps. "host" is the recorded end whose
 * place is taken, "peer" the other one. */
#ifndef WHY_REPLAY_H
#define WHY_REPLAY_H

#include "why.h"

/* --- why_conn.c: a connection as it was recorded --- */

struct why_record {
	usec_t at_us;
	uint64_t frame;
	int from;			/* side */
	struct trace_segment is;	/* its text is gone, its length stays */
	uint32_t text;
	uint64_t seq, end, ack;		/* end: with SYN and FIN */
};
struct why_range { uint64_t from, to; };
struct why_ranges { struct why_range *rows; size_t count, room; };	/* sorted, apart from each other */
bool why_ranges_add(struct why_ranges *r, uint64_t from, uint64_t to);	/* false: out of memory */
/* The first octet of [from, to) that is in none; to: there is none. */
uint64_t why_ranges_gap(const struct why_ranges *r, uint64_t from, uint64_t to);
bool why_ranges_cover(const struct why_ranges *r, uint64_t from, uint64_t to);

struct why_conn {
	struct tapir_endpoint ends[2];
	uint32_t iss[2];
	bool has_iss[2], began;		/* began: with the first SYN */
	uint64_t last[2];		/* the octet that the next number of that side is counted from */
	struct why_record *rows;
	size_t count, room;
	struct why_ranges seen[2];	/* what each side has sent, in the whole capture */
	uint64_t most[2];		/* the end of that */
};
/* Adds a segment; false: out of memory. */
bool why_conn_add(struct why_conn *c, const struct why_segment *s, usec_t at_us, uint64_t frame);
void why_conn_free(struct why_conn *c);
/* The first segment of this side that `is`, from row `after` on; NULL: there is none. */
const struct why_record *why_conn_find(const struct why_conn *c, int from, size_t after, bool (*is)(const struct why_record *r));
bool why_is_syn(const struct why_record *r);
/* A number of SIDE's sequence space as an octet near one that is known. */
uint64_t why_octet(const struct why_conn *c, int side, uint32_t number, uint64_t near);

/* --- why_host.c: the stack --- */

enum why_answer { WHY_ANSWER_NONE, WHY_ANSWER_ACK, WHY_ANSWER_RST, WHY_ANSWER_SYN_ACK };
struct why_host {
	const struct why_conn *conn;
	int side, peer;
	struct tapir *stack;
	tapir_sd listener, sd;		/* negative: none */
	uint64_t written;		/* octets that the program has written, SYN among them */
	uint64_t sent, rcv_nxt;		/* the end of what the stack has sent; up to where it acknowledges */
	uint64_t peer_ack;		/* the most that the peer has acknowledged */
	uint32_t peer_wnd, ts_val, ts_offset, ts_recent;	/* ts_recent: the peer's last TSval at RCV.NXT or before */
	bool closed, fin_sent, opened, reset;	/* closed: by the program; opened: connect() was called; reset: by the peer's RST */
	/* what the last segment caused */
	enum tapir_verdict verdict;
	const char *why;		/* of the ACK that is owed, or "" */
	enum why_answer answer;
	uint64_t answer_ack;
	usec_t again_us;		/* when the stack last sent something again */
	const char *again_why;
	/* who wants to know what it does */
	struct why_out *out;		/* NULL: nobody */
	usec_t start_us;
	const struct why_record *hears;
};
struct why_place { void *memory; size_t room; };	/* of one stack after the other */
bool why_host_begin(struct why_host *h, const struct why_conn *c, int side, struct why_place *place);	/* false: no memory */
void why_host_run(struct why_host *h, usec_t until_us);
/* The peer's segment arrives: with text up to text_end only, because the host's window ended there. */
void why_host_hears(struct why_host *h, const struct why_record *r, uint64_t text_end);
void why_host_fills(struct why_host *h, uint64_t to);	/* text that the capture lacks arrives up to there */
/* What the host's segment shows of its program: it had opened, written, closed, aborted. */
void why_host_acts(struct why_host *h, const struct why_record *r, bool closes);
void why_host_aborts(struct why_host *h);

/* --- why_judge.c: the comparison --- */

struct why_tally { uint64_t agree, differ, unknown[WHY_TEXTS]; };	/* unknown: by reason, WHY_JUDGE_... */
struct why_judging { struct why_out *out; usec_t start_us, end_us; struct why_tally tally; struct why_place place; };
/* Judges the connection from this side. False: out of memory. */
bool why_judge(struct why_judging *j, const struct why_conn *c, int side);

#endif
