/* iperf3.h: a server that iperf3's clients measure against, one test at a time: TCP and UDP, either way or both ways at once.
 *
 * Its sockets are served the third way of tapir.h. Nothing is copied: what arrives over TCP is counted where it lies, what is
 * sent is one constant text, lent to the stack. Bounded, whoever comes: IPERF3_TALKS_MAX connections, a time for each in which
 * it must have said who it is, and for each message a largest size. */
#ifndef IPERF3_H
#define IPERF3_H

#include "../stack/tapir.h"

#define IPERF3_PORT 5201
#define IPERF3_TALKS_MAX 1024

struct iperf3_config {
	uint16_t port;			/* 0: no such service */
	struct span text;		/* what the streams carry, over and over; must outlive the stack */
	/* Calls cb(ctx) once, when the stack's clock is at at_us or later. False: out of memory. */
	bool (*at)(void *timers, usec_t at_us, void (*cb)(void *ctx), void *ctx);
	void *timers;
};
struct iperf3;

/* Takes the port, of TCP and of UDP. config is copied. 0, or an error, with which nothing is left. */
int iperf3_start(struct iperf3 **out, struct tapir *t, const struct iperf3_config *config);
/* Frees the memory; for when neither the stack nor its timers run any more. NULL is allowed. */
void iperf3_free(struct iperf3 *s);

#endif
