/* dsack.c: duplicates that arrive are reported to the peer in the first SACK block of the next ACK (RFC 2883 4): it learns that a
 * retransmission was not needed (undo.c does) and how far this path reorders (rack.c). Owns struct tcp_conn's dsack: one run,
 * of what arrived last; duplicates that continue it before an ACK leaves are told with it. Each is reported once. */
#include "internal.h"

void tcp_dsack_note(const struct tapir *t, struct tcp_conn *c, seq_t start, seq_t end)
{
	if (!t->cfg.dsack || !c->sack_on || !seq_lt(start, end))
		return;
	if (tcp_dsack_waits(c) && seq_gt(start, c->dsack.end))
		return;			/* of two that came in one segment the first is reported (RFC 2883 4.2) */
	if (tcp_dsack_waits(c) && seq_eq(c->dsack.end, start))
		start = c->dsack.start;
	c->dsack = (struct sack_block){start, end};
}

/* What of the segment lies before RCV.NXT has been here (RFC 2883 4.1, 4.2). A FIN counts, a SYN is a matter of its own. */
void tcp_dsack_old(const struct tapir *t, struct tcp_conn *c, const struct tcp_seg *seg)
{
	if (!(seg->flags & TCP_SYN))
		tcp_dsack_note(t, c, seg->seq, seq_min(seq_add(seg->seq, seg->len), c->rcv.nxt));
}

/* blocks has room for max. How many are there now: the report, or none. It is made. */
uint8_t tcp_dsack_take(struct tcp_conn *c, struct sack_block blocks[], uint8_t max)
{
	if (!max || !tcp_dsack_waits(c))
		return 0;
	blocks[0] = c->dsack;
	c->dsack.start = c->dsack.end;
	return 1;
}
