/* internal.h: what the files of link/ tell each other. Nobody outside this folder includes it. */
#ifndef LINK_INTERNAL_H
#define LINK_INTERNAL_H

#include "../wire/arp.h"
#include "../wire/eth.h"
#include "link.h"

#define ARP_OWED 64u		/* ARP frames that wait to be sent */
#define ARP_OWED_REPLIES 48u	/* of these, so many may be replies: a flood of requests cannot stop our own */
#define ARP_WAITING 64u		/* datagrams held until our own address may be used */

/* What is known of a neighbour, and which list of the cache it is in. */
enum arp_state {
	ARP_FREE,
	ARP_LEARNED,		/* it asked for us, and we have never sent to it: the first to make room */
	ARP_INCOMPLETE,		/* we asked, and wait for the answer */
	ARP_USED,		/* we send to it; tries > 0: it is being probed, and frames still flow */
	ARP_STATES
};

struct arp_entry {
	struct timer timer;			/* first: the wheel gives this back. Next request, or next look at the age */
	struct arp_entry *hash_next, *prev, *next;
	struct tapir_addr addr;
	uint8_t mac[6];
	enum arp_state state;
	uint8_t tries;				/* requests since the last answer */
	usec_t confirmed_us, used_us;		/* when it last answered, and when we last sent to it */
	struct frameq held;
};
struct arp_list { struct arp_entry *head, *tail; uint32_t count; };	/* oldest first */

struct arp_owed { struct arp_packet packet; uint8_t to[6]; };

/* The right to our own address (RFC 5227). */
enum claim_state { CLAIM_PROBING, CLAIM_CONFLICT, CLAIM_ANNOUNCING, CLAIM_OURS };
struct claim {
	struct timer timer;
	enum claim_state state;
	uint8_t sent, conflicts;
	bool defended;				/* at defended_us */
	usec_t defended_us;
	struct frameq waiting;
};

struct arp {
	struct arp_entry *entries, **buckets, *last;	/* last: the entry that was used last, or NULL */
	uint32_t entry_count, mask;
	struct arp_list lists[ARP_STATES];
	uint32_t held, held_large;			/* frames in all entries' held */
	struct claim claim;
	struct arp_owed owed[ARP_OWED];
	uint32_t owed_first, owed_count, owed_replies;
};

/* --- cache.c: the table --- */
void arp_cache_init(struct tapir *t, void *mem);	/* mem: as arp_cache_size says */
size_t arp_cache_size(const struct tapir_config *cfg);
struct arp_entry *arp_find(struct tapir *t, const struct tapir_addr *addr);
/* A new entry in state LEARNED or INCOMPLETE. LEARNED gets a free one or takes the oldest LEARNED one's place, else NULL;
 * INCOMPLETE always finds one (the rule is at make_room). Its held datagrams are then dropped. */
struct arp_entry *arp_add(struct tapir *t, const struct tapir_addr *addr, enum arp_state state);
void arp_set_state(struct tapir *t, struct arp_entry *e, enum arp_state state);	/* to the end of that state's list */
void arp_remove(struct tapir *t, struct arp_entry *e);	/* held datagrams go to ip_unresolved */
bool arp_held_push(struct tapir *t, struct arp_entry *e, struct tapir_frame *f);	/* false: one was dropped, and counted */
struct tapir_frame *arp_held_pop(struct tapir *t, struct arp_entry *e);

/* --- arp.c --- */
void arp_owe(struct tapir *t, const struct arp_packet *packet, const uint8_t to[6]);
void arp_timer_fire(struct tapir *t, struct timer *timer);
/* Reports what is now known of addr; mac is zero where it is not known. */
void arp_say(struct tapir *t, const struct tapir_addr *addr, const uint8_t mac[6], const char *why);

/* --- claim.c: RFC 5227 --- */
void claim_init(struct tapir *t);
void claim_conflict(struct tapir *t);			/* another host claims our address, or probes for it as we do */
bool claim_hold(struct tapir *t, struct tapir_frame *f);	/* until the address is ready; false: the oldest was dropped */

#endif
