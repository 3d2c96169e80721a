/* why_judge.h: what the two halves of a judgement share: why_judge.c looks at what the recorded host says, why_due.c at what it
 * owes, and both say what differs. */
#ifndef WHY_JUDGE_H
#define WHY_JUDGE_H

#include "why_replay.h"

#define AT_ONCE_US (2 * TAPIR_MS)	/* two frames within this may have crossed on their way to the capture */
#define DUES 64u
#define ACKS 32u

enum due_kind { DUE_ACK, DUE_DUP, DUE_CHALLENGE, DUE_RST, DUE_SYN_ACK };
/* An answer that is owed. hard: its absence is a difference; else other stacks may limit their rate. */
struct due {
	enum due_kind kind;
	bool hard;
	usec_t at_us;
	uint64_t frame, ack, seq, end;
	const char *why;
	enum tapir_verdict verdict;
};
struct judge {
	struct why_judging *all;
	const struct why_conn *conn;
	int side, peer;
	struct why_host host;
	struct due dues[DUES];
	unsigned count;
	usec_t turn_us;			/* from the peer's segment to the host's answer in the handshake */
	bool far, closes, over, synchronized, timestamps, sack;
	enum why_text unknown;		/* over: why the rest cannot be judged */
	uint8_t shift[2];
	/* the host's */
	uint64_t edge, ack, sent, fin;	/* window's right edge, greatest ACK, end of its text; of its FIN, 0: none */
	usec_t ack_us, last_us, first_sent_us;
	/* the peer's */
	uint64_t peer_edge, peer_ack;
	struct { usec_t at_us; uint64_t ack; } acks[ACKS];
	unsigned ack_count;
	struct why_ranges arrived;
	struct { usec_t at_us; uint64_t from, to; } beyond;	/* the oldest text beyond a hole */
	const struct why_record *ignored_rst, *fatal_rst;	/* one that the stack did not obey; one that it did */
};

/* --- why_due.c: saying --- */

char *why_when(const struct judge *j, usec_t at_us, char text[WHY_TIME]);
void why_differ(struct judge *j, usec_t at_us, uint64_t frame, const char *rule, enum why_text which, ...);
void why_unknown(struct judge *j, enum why_text why);
/* The states of the host and the stack are no longer the same. */
void why_give_up(struct judge *j, enum why_text why);
/* What the stack answered, in words and by its rule. */
const char *why_words_of(const struct due *d, char words[200], char rule[WHY_RULE]);

/* --- why_due.c: what is owed --- */

/* The stack has answered the peer's segment r, or not; before: what it had acknowledged until then. */
void why_due_owe(struct judge *j, const struct why_record *r, uint64_t before);
/* The host's segment r answers some of it. */
void why_due_settle(struct judge *j, const struct why_record *r);
/* What is too late by now. */
void why_due_expire(struct judge *j, usec_t now_us);
/* The i-th answer did not come, or came too late. */
void why_due_miss(struct judge *j, unsigned i, usec_t now_us);
/* The host acts as if a RST that the stack did not obey had ended the connection: what it does from then on shows it. */
bool why_due_is_deaf(const struct judge *j);
void why_due_say_deaf(struct judge *j, usec_t at_us, uint64_t frame);

#endif
