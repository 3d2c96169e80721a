/* pace.h: when text may leave (pace.c), and where output.c asks. What carries no text (ACKs, SYN, a FIN alone, window probes,
 * keep-alives) is never held back and never counted; all else is, retransmissions and tail loss probes, too.
 *
 *	rate = tcp_pace_rate(c->sender, &c->cc, c->rtt.srtt_us, t->cfg.pacing);
 *	room = tcp_pace_room(c->sender, rate, c->snd.mss, t->now_us);
 *	0, and there is text to send        arm TAPIR_TIMER_PACE for c->sender->pace.next_us; its firing is tcp_ready(t, c)
 *	else, for a frame of at most room   tcp_pace_sent(c->sender, rate, its text, t->now_us)
 *
 * config.pacing: whether controllers that know only a window are paced, too; default no (the reasons are in pace.c). */
#ifndef TCP_PACE_H
#define TCP_PACE_H

#include "sender.h"

#define PACE_BURST_US 1000u		/* so much of the rate leaves at one time */
#define PACE_BURST_MAX 65536u

/* Bytes a second at which to send; 0: as fast as the window allows. */
uint64_t tcp_pace_rate(const struct tcp_sender *x, const struct cc *cc, uint32_t srtt_us, bool windows_too);
/* What leaves at one time (C.send_quantum, draft-ietf-ccwg-bbr 5.6.3): whole segments, at least two. */
uint32_t tcp_pace_burst(uint64_t rate, uint32_t mss);
/* Bytes of text that may leave now: at least a segment, UINT32_MAX if nothing is paced, or 0: not before x->pace.next_us. */
uint32_t tcp_pace_room(struct tcp_sender *x, uint64_t rate, uint32_t mss, usec_t now_us);
/* n bytes of text have left. */
void tcp_pace_sent(struct tcp_sender *x, uint64_t rate, uint32_t n, usec_t now_us);

#endif
