/* station.h: one stack on one TAP, made from the common options: the only place where the drivers are chained and the
 * configuration is filled in. The chain is tap > fault > capture > trace, so that what is recorded is what the stack saw. */
#ifndef STATION_H
#define STATION_H

#include <stdio.h>

#include "../drivers/loop.h"
#include "options.h"
#include "recording.h"

struct stat_server;
struct live;

struct station {
	struct loop *loop;
	struct tapir *stack;
	const char *command;		/* whose sentences these are: "serve" */
	const struct options *options;
	struct stat_server *stat;	/* for `tapir stat`; NULL: nobody can look, which was said */
	FILE *trace;			/* NULL: standard error, or no trace */
	uint64_t seed;			/* of the faults, and of the stack */
	struct driver *capture;		/* NULL: there is none */
	struct driver *fault;		/* NULL: the line is perfect */
	struct live *live;		/* for who wants to look on; NULL: nobody can */
	struct recording recording;
	int signal_fd;
	int signal;			/* SIGINT, SIGTERM or SIGHUP came; 0: none did */
};

/* Opens everything. tune may change the configuration before the stack is made; may be NULL. False: the reason was said. */
bool station_open(struct station *s, const char *command, const struct options *o, void (*tune)(struct tapir_config *c));
/* Turns the loop until the address is known to be ours (RFC 5227). False: it is another host's, which was said, or a signal
 * came. */
bool station_ready(struct station *s);
void station_close(struct station *s);
void station_mac(const struct options *o, uint8_t mac[6]);	/* the stack's link address */
/* HOST as an address, for people who may have typed a name. False: a sentence was said. */
bool station_host(const char *command, const char *host, struct tapir_addr *out);

#endif
