/* why_text.c: see why_text.h. Numbers of octets count from the first of the connection, as everywhere in tapir. */
#include "why_text.h"

#include <stdio.h>
#include <string.h>

#include "text.h"

static const char *const texts[WHY_TEXTS] = {
	[WHY_NONE] = "",

	/* --- what a stack did; the last %s is the reason in plain words --- */
	[WHY_STATE] = "goes from %s to %s: %s",
	[WHY_SENT_SYN] = "sends SYN: %s",
	[WHY_SENT_SYN_ACK] = "sends SYN,ACK: %s",
	[WHY_SENT_TEXT] = "sends text %u-%u (%u bytes): %s",
	[WHY_SENT_TEXT_FIN] = "sends text %u-%u (%u bytes) and FIN: %s",
	[WHY_SENT_FIN] = "sends FIN %u: %s",
	[WHY_SENT_RST] = "sends RST: %s",
	[WHY_SENT_ACK] = "sends ACK %u: %s",
	[WHY_SENT_AGAIN] = "sends %u-%u again: %s",
	/* what arrived and was taken: octets, RCV.NXT behind them */
	[WHY_TAKES_TEXT] = "takes text %u-%u; RCV.NXT is %u now",
	[WHY_TAKES_FIN] = "takes the FIN %u; the peer will send nothing more",
	[WHY_TAKES_ACK] = "ACK %u is new: SND.UNA was %u; newly acknowledged: %u",
	[WHY_TAKES_DUP_ACK] = "ACK %u says nothing new: SND.UNA is %u, and %u bytes are out",
	[WHY_TAKES_OTHER] = "accepted",
	[WHY_KEEPS] = "kept for later: text %u-%u lies beyond RCV.NXT %u (a hole of %u bytes)",
	[WHY_DUPLICATE_TEXT] = "text %u-%u is known already: RCV.NXT is %u",
	[WHY_ACK_OWED] = "owes an ACK: %s",
	/* octets, RCV.NXT, size of the hole */
	[WHY_DUP_ACK_OWED] = "kept for later: text %u-%u lies beyond RCV.NXT %u (a hole of %u bytes); duplicate ACK owed",
	[WHY_HOLE_FILLED] = "text %u-%u fills the hole at RCV.NXT %u; an ACK is owed at once",
	[WHY_SECOND_SEGMENT] = "text %u-%u is the second full-sized segment since the last ACK; an ACK is owed",
	[WHY_TIMER_SET] = "timer %s is set: it fires in %s",
	[WHY_TIMER_RTO] = "the retransmission timer fires: no ACK of what was sent came within the RTO",
	[WHY_TIMER_PERSIST] = "the persist timer fires: the peer's window is still too small, which a probe finds out",
	[WHY_TIMER_DELACK] = "the delayed-ACK timer fires: no text came along that the ACK could have ridden on",
	[WHY_TIMER_KEEPALIVE] = "the keep-alive timer fires: is the peer still there?",
	[WHY_TIMER_FIN_WAIT_2] = "the FIN-WAIT-2 timer fires: nobody reads any more, and the peer's FIN does not come",
	[WHY_TIMER_2MSL] = "TIME-WAIT is over: two MSL have passed, no old segment can be under way",
	[WHY_TIMER_USER] = "the user timeout fires: the program waits no longer",
	[WHY_TIMER_TLP] = "the tail loss probe timer fires: the last ACK is overdue",
	[WHY_TIMER_REO] = "the reordering window is over: what was only late would have come by now",
	[WHY_TIMER_PACE] = "the pacing timer fires: the next segment may leave",
	/* cwnd, ssthresh, bytes in flight, srtt, rto, reason */
	[WHY_CC] = "may have %u bytes out (cwnd), ssthresh %u, %u are; SRTT %s, RTO %s: %s",
	[WHY_CC_NO_SSTHRESH] = "may have %u bytes out (cwnd), no congestion so far, %u are; SRTT %s, RTO %s: %s",
	[WHY_WINDOW] = "the peer's window is %u bytes, %u of it in use: %s",
	[WHY_WINDOW_CLOSED] = "the peer's window is full or closed: %u bytes, %u in use: %s",
	[WHY_ECN_ECHO] = "congestion is echoed in every ACK, %u segments came marked CE: %s",
	[WHY_ECN_NO_ECHO] = "congestion is no longer echoed, %u segments came marked CE: %s",
	[WHY_ARP_IS_AT] = "neighbour %s is at %s: %s",
	[WHY_ARP_GONE] = "neighbour %s cannot be reached: %s",
	[WHY_PMTU] = "path MTU %u, so SND.MSS %u: %s",
	[WHY_PMTU_SEARCH] = "path MTU %u, so SND.MSS %u; the search is between %u and %u: %s",
	[WHY_PMTU_PROBE] = "path MTU %u, so SND.MSS %u; the search is between %u and %u, a probe of %u is out: %s",
	[WHY_BUFFER] = "buffers: %u bytes to send, %u to receive: %s",
	[WHY_DROPPED] = "dropped (%s): %s",
	[WHY_ANSWERED_COOKIE] = "the SYN is answered with a cookie, nothing is remembered",
	[WHY_HELD] = "held: %s",
	/* SEG.SEQ, its end, RCV.NXT, right edge of the window */
	[WHY_NUMBERS_WINDOW] = " [segment %u-%u, RCV.NXT %u, window to %u]",
	[WHY_NUMBERS_ACK] = " [SEG.ACK %u, SND.UNA %u, SND.NXT %u]",
	[WHY_NUMBERS_TEXT] = " [segment %u-%u, RCV.NXT %u]",

	/* --- what a bad line did --- */
	[WHY_LINE_LOST] = "the line loses this frame",
	[WHY_LINE_BURST] = "the line loses this frame, in a burst",
	[WHY_LINE_DOWN] = "this frame is lost: the line is down",
	[WHY_LINE_TOO_LONG] = "this frame is lost: longer than the line's MTU of %s",
	[WHY_LINE_FULL] = "this frame is lost: the queue is full",
	[WHY_LINE_DISCARDED] = "the line damages this frame, and it is thrown away",
	[WHY_LINE_DAMAGED] = "the line damages this frame: bit %u of byte %u is flipped",
	[WHY_LINE_TWICE] = "the line delivers this frame twice",
	[WHY_LINE_OVERTAKEN] = "the line holds this frame so that %u later ones may overtake it",
	[WHY_LINE_DELAYED] = "the line takes %s for this frame",
	[WHY_LINE_ON_ITS_WAY] = "the line keeps a frame from arriving: %s",
	[WHY_BEFORE] = "%s (%s before this frame)",
	[WHY_LEFT_OUT] = "%s frames are missing here: this reader was too slow for them, or the disk was",
	[WHY_TOLD] = "%s",

	/* --- differences. "the host" is the one that was recorded --- */
	[WHY_DIFF_RST] = "the host sent a RST; tapir would have gone on: %s",
	[WHY_DIFF_NO_RST] = "the host did not answer with a RST; tapir would have: %s",
	[WHY_DIFF_AFTER_RST] = "the host went on after the RST at %s; for tapir that RST ended the connection: %s",
	[WHY_DIFF_DEAF] = "the host acts as if the RST at %s had ended the connection; tapir would have gone on: %s",
	[WHY_DIFF_NO_ACK] = "the host never acknowledged up to %u, which arrived at %s; tapir would have sent ACK %u: %s",
	/* octets, when, ACK */
	[WHY_DIFF_NO_DUP_ACK] =
		"text %u-%u came out of order at %s, and the host sent no duplicate ACK; tapir would have sent ACK %u at once: %s",
	[WHY_DIFF_NO_CHALLENGE] = "the host gave no answer to the segment at %s; tapir would have sent ACK %u: %s",
	[WHY_DIFF_NO_SYN_ACK] = "the host never answered the SYN at %s; tapir would have sent SYN,ACK: %s",
	[WHY_DIFF_ACK_TOO_FAR] =
		"the host acknowledged up to %u, but only text up to %u had arrived; tapir would have sent ACK %u",
	[WHY_DIFF_ACK_BACK] = "the host went back from ACK %u to ACK %u; an ACK never takes anything back",
	[WHY_DIFF_SYN_OPTION] =
		"the host's SYN,ACK has the option %s, which the SYN did not offer; tapir would have left it out",
	[WHY_DIFF_SYN_ACK_NUMBER] = "the host's SYN,ACK acknowledges %u; tapir would have acknowledged the SYN alone, %u",
	/* old edge, new edge, bytes */
	[WHY_DIFF_SHRUNK] =
		"the host took its window back from %u to %u (%u bytes); tapir would have left the right edge where it was",
	[WHY_DIFF_BEYOND_WINDOW] = "the host sent text up to %u, but the peer's window ends at %u; tapir would have waited",
	[WHY_DIFF_AFTER_FIN] = "the host sent text %u-%u after its FIN at %u; for tapir nothing follows a FIN",
	[WHY_DIFF_AGAIN_FOR_NOTHING] =
		"the host sent text %u-%u again, which the peer had acknowledged %s before; tapir would not have",
	[WHY_DIFF_NEVER_AGAIN] =
		"the host never sent text from %u again, last sent at %s and never acknowledged; tapir would have: %s",
	[WHY_DIFF_SACK_MISSING] =
		"the host's ACK %u has no SACK block, although text beyond it had arrived; tapir would have told of %u-%u",
	[WHY_DIFF_SACK_WRONG] = "the host's SACK block %u-%u covers what had not arrived; tapir would have left it out",
	[WHY_DIFF_NO_ACK_BIT] = "the host sent a segment without ACK after the handshake; tapir sets it on every segment",
	[WHY_DIFF_NO_TIMESTAMP] =
		"the host sent a segment without the timestamp that was agreed on; tapir would have put one there",

	/* --- what cannot be judged --- */
	[WHY_JUDGE_LATE] = "the connection began before the capture",
	[WHY_JUDGE_MISSING] = "frames are missing from the capture",
	[WHY_JUDGE_AFTER] = "after a difference the host and tapir are in different states",
	[WHY_JUDGE_ABORT] = "a program may abort at any time",
	[WHY_JUDGE_END] = "the capture ends before the answer was due",
	[WHY_JUDGE_FAR] = "the capture was made far from the host: a frame may have been lost behind it",
	[WHY_JUDGE_UNANSWERED] = "the SYN got no answer: there may be a firewall",
	[WHY_JUDGE_NO_IPV4] = "frames that are not IPv4, which tapir does not speak",
	[WHY_JUDGE_FRAGMENT] = "IP fragments, or damaged frames",
	[WHY_JUDGE_NO_MEMORY] = "there was not enough memory for the connection",
	[WHY_JUDGE_OTHER_HOST] = "neither end is the host that --as names",
	[WHY_JUDGE_CUT] = "frames that were cut in the middle of their headers",
	[WHY_JUDGE_FAST_OPEN] = "text on the SYN was taken, by TCP Fast Open",

	/* --- summary: numbers as texts, because they may be large --- */
	[WHY_SUM_CONNECTION] = "%s > %s: tapir in the place of %s",
	[WHY_SUM] = "%s events: %s agree, %s differ, %s cannot be judged.",
	[WHY_SUM_AGREE] = "No difference was found.",
	[WHY_SUM_EACH] = "  %s: %s",
	[WHY_SUM_NOTHING] = "There is no TCP connection to judge.",
	[WHY_SUM_EVENTS] = "Events: %s, in %s frames.",
};

/* The stack's reasons in plain words, by what it says behind the RFC. A reason that is not here is shown as it is. */
struct rule { const char *told, *plain; };
static const struct rule rules[] = {
	/* opening */
	{ "active OPEN", "the program opens a connection" },
	{ "a SYN", "a SYN asks for a connection" },
	{ "handshake", "the handshake" },
	{ "our SYN is acknowledged", "the peer has acknowledged the SYN" },
	{ "the SYNs crossed", "both sides opened at once, and their SYNs crossed" },
	{ "the handshake's third segment", "the peer's SYN must be acknowledged, the third segment of the handshake" },
	{ "a RST refuses our SYN", "the peer refuses: a RST answers the SYN" },
	{ "a SYN that is new ends TIME-WAIT",
	  "a new SYN ends TIME-WAIT: its number or timestamp is beyond the old connection's" },
	{ "a SYN; back to LISTEN", "a SYN in SYN-RECEIVED: the handshake begins anew" },
	{ "the peer's SYN again: our SYN-ACK was lost", "the peer's SYN came again, so the SYN,ACK was lost" },
	{ "a SYN cookie; nothing is remembered", "too many are half open: a cookie in the ISN stands for the memory" },
	{ "a SYN cookie has come back", "the peer has brought the cookie back" },
	{ "it acknowledges a SYN cookie of ours", "the ACK fits a SYN cookie" },
	{ "the SYN has our cookie: its text is taken", "Fast Open: the SYN carries our cookie, so its text counts" },
	{ "text on the SYN, with the peer's cookie", "Fast Open: text goes with the SYN, and the peer's cookie" },
	{ "the SYN's text was not acknowledged: again", "Fast Open: the peer took the SYN without its text, which goes again" },
	{ "an ICMP error for our SYN: nothing is lost yet", "an ICMP error came for the SYN: there was nothing to lose yet" },

	/* sending */
	{ "text within the windows", "there is text, and both windows have room for it" },
	{ "override timeout", "it is less than a segment, but has waited long enough" },
	{ "FIN behind the text", "the program has closed, and all text before the FIN is sent" },
	{ "window probe", "the peer's window is closed: one byte asks whether it still is" },
	{ "what the closed window refused", "the window has opened again: what it refused goes first" },
	{ "the window closed over it", "the window closed over what was sent" },
	{ "window probes without an answer", "the peer has not answered so many window probes" },
	{ "keep-alive", "nothing was said for long: is the peer still there?" },
	{ "keep-alive probes without an answer", "the peer has not answered so many keep-alive probes" },
	{ "window update", "the program has read, and the window can open" },
	{ "RFC 9293 3.10.7.4 fifth", "it stood in the peer's last segment" },

	/* acknowledging */
	{ "out-of-order text, one duplicate ACK for each", "text came out of order: one duplicate ACK for each such segment" },
	{ "text that fills a hole is acknowledged at once", "text that fills a hole is acknowledged at once" },
	{ "the second full-sized segment", "at least every second full-sized segment is acknowledged" },
	{ "the delayed ACK's time is up", "an ACK waits no longer than the delay allows" },
	{ "the first segments are acknowledged at once", "the first segments of a connection are acknowledged at once" },
	{ "what waited for a delayed ACK", "the program wants ACKs at once (TCP_QUICKACK)" },
	{ "text beyond a zero window", "text came although the window is closed" },
	{ "not acceptable", "the segment is outside the window: an ACK says where we are" },
	{ "timestamp older than TS.Recent", "its timestamp is older than the last one: an old duplicate" },
	{ "SYN on a synchronized connection", "a SYN on an open connection: a challenge ACK asks whether it is meant" },
	{ "RST in the window, not at RCV.NXT",
	  "a RST in the window but not at RCV.NXT: a challenge ACK asks whether it is meant" },
	{ "SEG.ACK out of range", "the ACK is for what was never sent, or was acknowledged long ago" },

	/* losing and sending again */
	{ "retransmission timeout", "no ACK came within the RTO" },
	{ "third duplicate ACK", "three duplicate ACKs: what they ask for is lost" },
	{ "partial ACK, the next hole", "the ACK ends at the next hole: that is lost, too" },
	{ "recovery is over", "all that was out when the loss was seen has arrived" },
	{ "tail loss probe", "the last ACK is overdue: a probe shows whether something was lost" },
	{ "a tail loss probe repaired a loss", "the probe was needed: the tail had been lost" },
	{ "proportional rate reduction", "while a loss is repaired as much leaves as arrives, scaled to the new window" },
	{ "what was sent later has been delivered", "what was sent later has arrived: this is lost" },
	{ "the reordering window is over", "what was sent later arrived, and the time for mere reordering is over" },
	{ "the peer has dropped what it SACKed", "the peer no longer has what it SACKed" },
	{ "all that seemed lost has come, and none of it went again", "nothing was lost after all: the window is as it was" },
	{ "every retransmission was a duplicate", "each retransmission was a duplicate: the window is as it was" },
	{ "the ACK is for what was sent first", "the timestamp shows that the first copy arrived: the window is as it was" },
	{ "what was sent before the timeout arrives", "what was sent before the timeout arrives: it was too early" },
	{ "R2 retransmissions without an answer", "the peer has not answered so many retransmissions" },

	/* congestion */
	{ "slow start", "slow start: cwnd grows by what is acknowledged" },
	{ "congestion avoidance", "congestion avoidance: cwnd grows by one segment in a round trip" },
	{ "conservative slow start, as the round trips grow longer", "the round trips grow longer: slow start slows down" },
	{ "the Reno-friendly region", "CUBIC grows no slower than Reno would" },
	{ "the concave region", "CUBIC comes back to where the last loss was" },
	{ "the convex region", "CUBIC looks for more than there was at the last loss" },
	{ "ECE, once a window as for a loss", "the peer has seen marks of congestion: the window is cut as for a loss" },
	{ "CE arrived, every ACK says ECE until CWR",
	  "a router has marked congestion: each ACK says so until the peer slows down" },
	{ "CWR, the sender has slowed down", "the peer has slowed down" },
	{ "CWR is answered at once, without ECE", "the peer has slowed down: an ACK without ECE at once" },
	{ "another controller by TCP_CONGESTION", "the program has chosen another congestion control" },

	/* closing */
	{ "CLOSE", "the program closes" },
	{ "CLOSE before the peer has answered", "the program closes before the peer has answered" },
	{ "CLOSE in SYN-RECEIVED", "the program closes before the handshake has ended" },
	{ "ABORT", "the program aborts" },
	{ "our FIN is acknowledged", "the peer has acknowledged the FIN" },
	{ "FIN", "the peer has closed: its FIN" },
	{ "a RST at RCV.NXT", "a RST exactly at RCV.NXT: it is the peer's" },
	{ "2 MSL have passed", "two MSL have passed: no old segment can be under way" },
	{ "text is lost unread", "the program closed without having read all: the peer must know" },
	{ "text for nobody", "text came for a program that has closed" },
	{ "USER TIMEOUT (TCP_USER_TIMEOUT)", "the program's own timeout is over" },
	{ "no FIN came for who reads no more (config.fin_wait_2_us)", "the peer's FIN did not come, and nobody waits for it" },
	{ "the peer takes too long over an orphan's text (config.orphan_us)",
	  "the program has gone, and the peer takes too long" },
	{ "memory is short, and the peer of this orphan does not read", "memory is short, and the peer does not read" },
	{ "every connection is taken: the oldest orphan gives way", "every connection is taken: the oldest orphan gives way" },
	{ "there are too many: the oldest gives way (config.max_half_open, max_time_wait)",
	  "there are too many: the oldest gives way" },

	/* sizes */
	{ "SND.MSS follows the path MTU", "segments are as large as the path carries" },
	{ "the path MTU is smaller", "a router reports a smaller path MTU" },
	{ "a new path, searched upward", "a new path: larger segments are tried bit by bit" },
	{ "a report of less than the path has carried waits for a timeout",
	  "a router's report is not believed before a timeout" },
	{ "a router reports that the probe was too large", "a router reports that the probe was too large" },
	{ "the probe was acknowledged", "the probe arrived: the path carries that much" },
	{ "a probe", "a larger segment shows whether the path carries it" },
	{ "a probe of a larger path MTU", "a larger segment shows whether the path carries it" },
	{ "the probe alone was lost", "only the probe was lost: it was too large" },
	{ "more than the probe was lost, which says nothing about its size",
	  "more than the probe was lost: that was no matter of size" },
	{ "full segments time out, smaller ones may not",
	  "full segments time out: the path may swallow large ones in silence" },
	{ "what a report was about has timed out", "what a router had reported has timed out: it is believed" },
	{ "the probe timed out", "the probe timed out" },
	{ "the program has read more in a round trip than ever", "the program reads faster than before: a larger window" },
	{ "memory is short", "memory is short" },
	{ "twice what was in flight", "twice what is out fits" },

	/* the link */
	{ "the sender's link address", "it said so itself" },
	{ "old, and not in use", "the entry is old, and not in use" },
	{ "no answer to ARP", "nobody answered ARP" },
	{ "the address is ours", "nobody else claims the address" },
	{ "another host has our address", "another host has our address" },
	{ "a second conflict, we stop using the address", "a second conflict: the address is given up" },
};

const char *why_text(enum why_text which)
{
	const char *chinese = lang_chosen() == LANG_ZH ? why_text_zh(which) : NULL;
	return chinese ? chinese : texts[which];
}

const char *why_rule_told(size_t i)
{
	return i < sizeof rules / sizeof rules[0] ? rules[i].told : NULL;
}

static bool starts(const char *text, const char *with)
{
	return strncmp(text, with, strlen(with)) == 0;
}

/* "RFC 9293 3.10.7.4 fifth: our FIN ...": the RFC ends at the first colon. Some reasons name none, or at their end. */
const char *why_rule_cite(const char *why, char rule[WHY_RULE])
{
	const char *colon = strstr(why, ": "), *bracket = strstr(why, " (RFC ");
	rule[0] = '\0';
	if (starts(why, "RFC ") || starts(why, "draft-")) {
		snprintf(rule, WHY_RULE, "%.*s", (int)(colon ? colon - why : (ptrdiff_t)strlen(why)), why);
		return colon ? colon + 2 : why;
	}
	if (bracket) {
		const char *end = strchr(bracket, ')');
		snprintf(rule, WHY_RULE, "%.*s", (int)(end ? end - bracket - 2 : (ptrdiff_t)strlen(bracket + 2)), bracket + 2);
		char *allows = strstr(rule, " allows it");
		if (allows)
			*allows = '\0';
		return why;
	}
	return (starts(why, "TCP_") || starts(why, "receive buffer: ") || starts(why, "send buffer: ")) && colon ? colon + 2 : why;
}

const char *why_rule_words(const char *why)
{
	char rule[WHY_RULE];
	const char *words = why_rule_cite(why, rule), *bracket = strstr(words, " (RFC ");
	size_t n = bracket ? (size_t)(bracket - words) : strlen(words);
	const char *chinese = lang_chosen() == LANG_ZH ? why_rule_zh(words, n) : NULL;
	if (chinese)
		return chinese;
	for (size_t i = 0; i < sizeof rules / sizeof rules[0]; i++)
		if (strlen(rules[i].told) == n && memcmp(rules[i].told, words, n) == 0)
			return rules[i].plain;
	return words;
}

/* The text is "words (RFC 9293 3.1 MUST-3) and more". */
void why_verdict_cite(enum tapir_verdict v, char *words, size_t size, char rule[WHY_RULE])
{
	const char *text = tapir_verdict_text(v), *bracket = strstr(text, " (RFC "), *end = bracket ? strchr(bracket, ')') : NULL;
	const char *chinese = lang_chosen() == LANG_ZH ? why_verdict_zh(v) : NULL;
	rule[0] = '\0';
	if (end)
		snprintf(rule, WHY_RULE, "%.*s", (int)(end - bracket - 2), bracket + 2);
	if (chinese)
		snprintf(words, size, "%s", chinese);
	else if (end)
		snprintf(words, size, "%.*s%s", (int)(bracket - text), text, end + 1);
	else
		snprintf(words, size, "%s", text);
}
