/* services.h: the classic small services, each over TCP and UDP: echo 7 (RFC 862), discard 9 (RFC 863), daytime 13 (RFC 867),
 * chargen 19 (RFC 864), and two more on ports of one's choice: upper answers in upper case, greet answers each message with a
 * prefix in front (a message is a line of TCP, a datagram of UDP).
 *
 * iperf3's server 5201 is one of them, too, in a file of its own.
 *
 * TCP is served the second way of tapir.h: a connection is looked at when tapir_poll_events names it, and what cannot be
 * answered yet stays unread, so that a peer that does not read is not read from either. UDP is served the third way. */
#ifndef SERVICES_H
#define SERVICES_H

#include <time.h>

#include "../stack/tapir.h"
#include "iperf3.h"

#define SERVICES_MAX 6
/* The pattern of RFC 864 repeats after 95 lines of 72 characters, CR and LF. Sixteen of them are a multiple of 32 bytes: what is
 * lent again and again stays aligned, and the kernel copies it quicker. */
#define CHARGEN_BYTES (95 * 74 * 16)
#define CHARGEN_ALIGN 64

struct services_config {
	uint16_t upper_port;			/* 0: no such service */
	uint16_t greet_port;			/* 0: no such service */
	const char *greet_prefix;
	time_t (*wall_clock)(time_t *out);	/* time(2), but for tests */
	struct iperf3_config iperf3;		/* its text is chargen's */
};
struct service;
/* What a connection's user value points to. */
struct service_talk { struct service *service; bool in_line; };	/* in_line: a part of this line was answered already */
struct service {
	struct services *all;
	const struct service_kind *kind;
	uint16_t port;
	tapir_sd listener;
	struct service_talk talks[2];		/* [in_line] */
};
struct services {
	struct services_config config;
	struct service list[SERVICES_MAX];
	int count;
	struct iperf3 *iperf3;
	uint16_t failed_port;			/* which one services_start could not have */
	uint32_t lottery;			/* UDP chargen: the lengths of its answers */
	_Alignas(CHARGEN_ALIGN) uint8_t chargen[CHARGEN_BYTES + 74];	/* lent to the stack: not to be moved or freed before it */
};

/* Takes every port. 0, or an error with failed_port. s and config's prefix must outlive the stack. */
int services_start(struct services *s, struct tapir *t, const struct services_config *config);
/* Frees what services_start allocated; after the stack. */
void services_free(struct services *s);
/* One row of tapir_poll_events for a socket that services_start or its services made. */
void services_ready(struct tapir *t, const struct tapir_poll_event *event);
const char *service_name(const struct service *s);

#endif
