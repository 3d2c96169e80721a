/* ecn.c: Explicit Congestion Notification (RFC 3168 6.1). Owns c->ecn and the sender's ecn_recover: what the two SYNs agreed on,
 * as a receiver whether CE is to be echoed, as a sender whether CWR is owed and which window was already reduced for.
 *
 * Both directions are one byte of flags, each literally a sentence of RFC 3168 6.1.1: who has sent or got which kind of SYN.
 * Nothing here sends, nothing here moves a window: output.c asks what to put on a segment, tcp_reduce_window() reacts.
 *
 * Invariants: ECT only on text that was never sent before and is no window probe (6.1.4, 6.1.5, 6.1.6); CWR only there, too;
 * at most one reduction for each window of data, losses included (6.1.2). */
#include "internal.h"

#define SETUP (TCP_ECE | TCP_CWR)
#define QUICK_AFTER_CE 2	/* segments acknowledged at once: the sender is to hear of congestion before it grows */

/* --- the handshake, 6.1.1 --------------------------------------------------------------------------------------- */

/* "An ECN-setup SYN": both flags. A SYN-ACK: ECE alone, so that a peer that only mirrors the reserved bits is not taken
 * for one that understands (6.1.1.2). */
static bool is_setup(uint8_t flags)
{
	uint8_t setup = flags & TCP_ACK ? TCP_ECE : SETUP;

	return (flags & SETUP) == setup;
}

void tcp_ecn_take_syn(struct tcp_conn *c, uint8_t flags)
{
	c->ecn |= is_setup(flags) ? ECN_GOT_SETUP : ECN_GOT_PLAIN;
}

/* What our SYN says, or our SYN-ACK. A SYN that timed out goes again without: the path may drop what it does not know
 * (6.1.1.1). An answer to the first one is then of use to the receiver only. */
static uint8_t syn_flags(const struct tapir *t, const struct tcp_conn *c)
{
	if (c->state == TCP_SYN_SENT)
		return t->cfg.ecn == TAPIR_ECN_ON && !c->rtt.backoff ? SETUP : 0;
	return t->cfg.ecn && (c->ecn & (ECN_GOT_SETUP | ECN_GOT_PLAIN)) == ECN_GOT_SETUP ? TCP_ECE : 0;
}

/* May text that we send carry ECT? "Unless it has sent at least one ECN-setup SYN or SYN-ACK, has received at least one,
 * and has sent no non-ECN-setup SYN or SYN-ACK"; and should not if it has received one of those. */
bool tcp_ecn_on(const struct tcp_conn *c)
{
	return (c->ecn & (ECN_SENT_SETUP | ECN_SENT_PLAIN | ECN_GOT_SETUP | ECN_GOT_PLAIN)) == (ECN_SENT_SETUP | ECN_GOT_SETUP);
}

/* Must CE be echoed? Having once said so binds, whatever our later SYNs said. */
static bool is_receiver(const struct tcp_conn *c)
{
	return (c->ecn & (ECN_SENT_SETUP | ECN_GOT_PLAIN)) == ECN_SENT_SETUP;
}

/* --- the receiver, 6.1.3 ---------------------------------------------------------------------------------------- */

static void start_echo(struct tapir *t, struct tcp_conn *c)
{
	if (c->ecn & ECN_ECHO)
		return;		/* said already */
	c->ecn |= ECN_ECHO;
	c->rcv.quick = (uint16_t)max_u32(c->rcv.quick, QUICK_AFTER_CE);
	tcp_say_ecn(t, c, "RFC 3168 6.1.3: CE arrived, every ACK says ECE until CWR");
}

/* CWR first: a segment that carries both answers an older mark, and brings a new one. */
void tcp_ecn_on_text(struct tapir *t, struct tcp_conn *c, const struct tcp_arrival *a)
{
	uint8_t mark = a->pkt->tos & IP_ECN_MASK;

	if (!a->seg.text.n || !is_receiver(c))
		return;
	if (mark)
		c->ecn |= ECN_SEEN;
	if (a->seg.flags & TCP_CWR && c->ecn & ECN_ECHO) {
		c->ecn &= (uint8_t)~ECN_ECHO;
		tcp_say_ecn(t, c, "RFC 3168 6.1.3: CWR, the sender has slowed down");
		/* Its window may be one segment now: the next one waits for this ACK. */
		tcp_owe_ack(t, c, "RFC 3168 6.1.3: CWR is answered at once, without ECE");
	}
	if (mark == IP_ECN_CE) {
		c->ce_in += tcp_segments(a);
		start_echo(t, c);
	}
}

/* --- the sender, 6.1.2 ------------------------------------------------------------------------------------------ */

bool tcp_ecn_echoed(const struct tcp_conn *c, const struct tcp_seg *seg)
{
	return tcp_ecn_on(c) && (seg->flags & (TCP_ECE | TCP_SYN)) == TCP_ECE;
}

/* "Any reason": a loss counts as the same congestion that a mark of the same window would tell of. */
void tcp_ecn_reduced(struct tcp_conn *c)
{
	if (!tcp_ecn_on(c) || tcp_syn_unacked(c))
		return;
	c->ecn |= ECN_REDUCED | ECN_CWR;
	if (c->sender)
		c->sender->ecn_recover = c->snd.max;
}

void tcp_ecn_undone(struct tcp_conn *c)
{
	c->ecn &= (uint8_t)~(ECN_REDUCED | ECN_CWR);
}

/* Without a sender nothing is outstanding. */
static seq_t reduced_up_to(const struct tcp_conn *c) { return c->sender ? c->sender->ecn_recover : c->snd.una; }

/* The ACK of the segment with CWR lies above ecn_recover; what comes before it still tells of the window that was reduced.
 * DEVIATES: RFC 3168 6.1.2 (with a window of one segment, wait for the retransmission timer) because a reduction never goes
 * below two segments (RFC 5681 3.1), and after a timeout, with one, ECE tells of what the timeout has answered. */
void tcp_ecn_on_ack(struct tapir *t, struct tcp_conn *c, const struct tcp_seg *seg)
{
	if (c->ecn & ECN_REDUCED && seq_gt(seg->ack, reduced_up_to(c)))
		c->ecn &= (uint8_t)~ECN_REDUCED;
	if (!tcp_ecn_echoed(c, seg) || c->ecn & ECN_REDUCED || seq_lt(seg->ack, c->snd.una))
		return;
	tcp_ecn_reduced(c);
	tcp_reduce_window(t, c, "RFC 3168 6.1.2: ECE, once a window as for a loss");
}

/* --- what goes out ---------------------------------------------------------------------------------------------- */

/* On the one new segment: a driver that cuts up a larger frame would repeat the flag on each (6.1.2: the first only). */
bool tcp_ecn_owes_cwr(const struct tcp_conn *c) { return c->ecn & ECN_CWR; }

uint8_t tcp_ecn_flags(struct tapir *t, struct tcp_conn *c, uint8_t flags, bool new_text)
{
	uint8_t say = 0;

	if (flags & TCP_SYN) {
		say = syn_flags(t, c);
		c->ecn |= say ? ECN_SENT_SETUP : ECN_SENT_PLAIN;
		return say;
	}
	if (c->ecn & ECN_ECHO)
		say |= TCP_ECE;
	if (new_text && c->ecn & ECN_CWR) {
		say |= TCP_CWR;
		c->ecn &= (uint8_t)~ECN_CWR;
	}
	return say;
}

uint8_t tcp_ecn_tos(const struct tcp_conn *c, bool new_text)
{
	return new_text && tcp_ecn_on(c) ? IP_ECN_ECT0 : 0;
}
