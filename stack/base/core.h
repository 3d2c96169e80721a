/* core.h: struct tapir, one stack: what every layer shares, and where each layer keeps its own. A layer's struct is
 * known only to who includes that layer's header, and the include order is the layer order (scripts/layers).
 * Also the one way anything is counted (verdict) or reported (probe). */
#ifndef BASE_CORE_H
#define BASE_CORE_H

#include "bytes.h"
#include "frame.h"
#include "siphash.h"
#include "wheel.h"

struct tapir {
	struct tapir_config cfg;
	usec_t now_us;
	struct wheel wheel;
	struct frame_pools frames;
	struct siphash_key key;			/* secret of this instance */
	struct rng rng;
	uint64_t counts[TAPIR_VERDICT_COUNT];
	struct tapir_stats stats;
	struct frameq pinned;			/* the last tapir_out borrows their bytes: freed at the next output */

	struct arp *arp;			/* link/link.h */
	struct ip *ip;				/* ip/ip.h */
	struct icmp *icmp;			/* ip/ip.h */
	struct udp *udp;			/* udp/udp.h */
	struct tcp *tcp;			/* tcp/tcp.h */
	struct sockets *sockets;		/* socket/socket.h */
};

/* Counts v and reports it; returns v. Called exactly once for a frame: by tapir_input for what arrives, by the output
 * path for what it drops. */
enum tapir_verdict verdict_count(struct tapir *t, enum tapir_verdict v, uint32_t frame_len);
/* The same for the frame that tapir_input was given. */
enum tapir_verdict verdict_arrived(struct tapir *t, enum tapir_verdict v, uint32_t frame_len);

static inline void probe(struct tapir *t, const struct tapir_event *event)
{
	if (t->cfg.probe)
		t->cfg.probe(t->cfg.probe_ctx, event);
}

/* Carves the lent block: returns *mem aligned to 64 and moves it on by n; only counts when *mem starts at 0. */
static inline void *carve(uintptr_t *mem, size_t n)
{
	uintptr_t at = (*mem + 63) & ~(uintptr_t)63;
	*mem = at + n;
	return (void *)at;
}

#endif
