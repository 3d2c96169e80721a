/* why_text.h: every text that `tapir why` shows to people, but for what --help says: templates for printf by number, and plain
 * words for the reasons that the stack gives. One table each (why_text.c), so that another language can stand beside.
 *
 * RFC numbers, names of states, flags and RFC variables are the field's, and stay what they are in every language. */
#ifndef WHY_TEXT_H
#define WHY_TEXT_H

#include "../stack/tapir.h"

enum why_text {
	WHY_NONE,

	/* what a stack did: by kind of event (why_event.c) */
	WHY_STATE, WHY_SENT_SYN, WHY_SENT_SYN_ACK, WHY_SENT_TEXT, WHY_SENT_TEXT_FIN, WHY_SENT_FIN, WHY_SENT_RST,
	WHY_SENT_ACK, WHY_SENT_AGAIN,
	WHY_TAKES_TEXT, WHY_TAKES_FIN, WHY_TAKES_ACK, WHY_TAKES_DUP_ACK, WHY_TAKES_OTHER, WHY_KEEPS, WHY_DUPLICATE_TEXT,
	WHY_ACK_OWED, WHY_DUP_ACK_OWED, WHY_HOLE_FILLED, WHY_SECOND_SEGMENT,
	WHY_TIMER_SET, WHY_TIMER_RTO, WHY_TIMER_PERSIST, WHY_TIMER_DELACK, WHY_TIMER_KEEPALIVE, WHY_TIMER_FIN_WAIT_2,
	WHY_TIMER_2MSL, WHY_TIMER_USER, WHY_TIMER_TLP, WHY_TIMER_REO, WHY_TIMER_PACE,
	WHY_CC, WHY_CC_NO_SSTHRESH, WHY_WINDOW, WHY_WINDOW_CLOSED, WHY_ECN_ECHO, WHY_ECN_NO_ECHO, WHY_ARP_IS_AT, WHY_ARP_GONE,
	WHY_PMTU, WHY_PMTU_SEARCH, WHY_PMTU_PROBE, WHY_BUFFER, WHY_DROPPED, WHY_ANSWERED_COOKIE, WHY_HELD,
	/* numbers that were compared: in brackets behind a verdict */
	WHY_NUMBERS_WINDOW, WHY_NUMBERS_ACK, WHY_NUMBERS_TEXT,
	/* what a bad line did */
	WHY_LINE_LOST, WHY_LINE_BURST, WHY_LINE_DOWN, WHY_LINE_TOO_LONG, WHY_LINE_FULL, WHY_LINE_DISCARDED, WHY_LINE_DAMAGED,
	WHY_LINE_TWICE, WHY_LINE_OVERTAKEN, WHY_LINE_DELAYED, WHY_LINE_ON_ITS_WAY,
	WHY_BEFORE, WHY_LEFT_OUT, WHY_TOLD,

	/* a recorded host against a stack that was told the same (why_judge.c): a difference each, what the host did and what
	 * tapir would have done */
	WHY_DIFF_RST, WHY_DIFF_NO_RST, WHY_DIFF_AFTER_RST, WHY_DIFF_DEAF, WHY_DIFF_NO_ACK, WHY_DIFF_NO_DUP_ACK,
	WHY_DIFF_NO_CHALLENGE, WHY_DIFF_NO_SYN_ACK, WHY_DIFF_ACK_TOO_FAR, WHY_DIFF_ACK_BACK, WHY_DIFF_SYN_OPTION,
	WHY_DIFF_SYN_ACK_NUMBER, WHY_DIFF_SHRUNK, WHY_DIFF_BEYOND_WINDOW, WHY_DIFF_AFTER_FIN, WHY_DIFF_AGAIN_FOR_NOTHING,
	WHY_DIFF_NEVER_AGAIN, WHY_DIFF_SACK_MISSING, WHY_DIFF_SACK_WRONG, WHY_DIFF_NO_ACK_BIT, WHY_DIFF_NO_TIMESTAMP,
	/* what cannot be judged, and why */
	WHY_JUDGE_LATE, WHY_JUDGE_MISSING, WHY_JUDGE_AFTER, WHY_JUDGE_ABORT, WHY_JUDGE_END, WHY_JUDGE_FAR, WHY_JUDGE_UNANSWERED,
	WHY_JUDGE_NO_IPV4, WHY_JUDGE_FRAGMENT, WHY_JUDGE_NO_MEMORY, WHY_JUDGE_OTHER_HOST, WHY_JUDGE_CUT, WHY_JUDGE_FAST_OPEN,
	/* summary */
	WHY_SUM_CONNECTION, WHY_SUM, WHY_SUM_AGREE, WHY_SUM_EACH, WHY_SUM_NOTHING, WHY_SUM_EVENTS,

	WHY_TEXTS
};
/* The template; what it takes stands beside it in why_text.c. */
const char *why_text(enum why_text which);

/* Plain words for a reason of the stack's, without the RFC in front of it: never NULL. */
const char *why_rule_words(const char *why);
/* The RFC and section that a reason names, "RFC 5681 4.2", to rule; "" when it names none. Returns the words behind it. */
#define WHY_RULE 64
const char *why_rule_cite(const char *why, char rule[WHY_RULE]);
/* The same for a verdict, whose RFC stands in brackets at its end. words: its text without that. */
void why_verdict_cite(enum tapir_verdict v, char *words, size_t size, char rule[WHY_RULE]);

/* The reason of that number as the stack tells it, without its RFC; NULL behind the last one. */
const char *why_rule_told(size_t i);
/* why_text_zh.c: the same in Chinese; NULL: it is missing there. n: characters of told. */
const char *why_text_zh(enum why_text which);
const char *why_rule_zh(const char *told, size_t n);
const char *why_verdict_zh(enum tapir_verdict v);

#endif
