/* iperf3_client.h: iperf3's server on stack B of a pair_of_stacks, its protocol spoken by hand on stack A, in virtual time. */
#ifndef TEST_IPERF3_CLIENT_H
#define TEST_IPERF3_CLIENT_H

#include <jansson.h>
#include "apps/iperf3_internal.h"

#define CLIENT_TEXT_BYTES 65536u
#define CLIENT_COOKIE "abcdefghijklmnopqrstuvwxyz234567abcd"
#define OTHER_COOKIE "77777777777777777777777777777777777z"
/* Parameters without their end, for a test to add to. */
#define TCP "{\"tcp\":true,\"time\":10,\"len\":16384"
#define UDP "{\"udp\":true,\"time\":10,\"len\":1000,\"udp_counters_64bit\":1"

enum {				/* the protocol's bytes */
	SAYS_START = 1, SAYS_RUNNING = 2, SAYS_END = 4, SAYS_PARAMETERS = 9, SAYS_STREAMS = 10, SAYS_TERMINATE = 12,
	SAYS_EXCHANGE = 13, SAYS_DISPLAY = 14, SAYS_DONE = 16, SAYS_BUSY = 0xff, SAYS_ERROR = 0xfe
};

extern struct iperf3 *client_server;
extern uint8_t client_text[CLIENT_TEXT_BYTES];

/* Both stacks, with room for so many sockets. */
void client_begin(uint32_t sockets);
/* Checks that everybody has gone and that nothing is left. */
void client_end(void);
struct iperf3_config client_config(void);
/* Carries frames and runs callbacks until nothing more happens; the same while time passes, and timers run. */
void client_settle(void);
void client_pass(usec_t us);

tapir_sd client_dial(void);
tapir_sd client_dial_stream(void);	/* and shows the cookie */
tapir_sd client_dial_udp(void);
void client_say(tapir_sd sd, const void *bytes, size_t n);
void client_say_byte(tapir_sd sd, uint8_t byte);
void client_say_text(tapir_sd sd, const char *json);
/* Exactly n bytes are there, or come without the passing of time. */
void client_hear(tapir_sd sd, void *bytes, size_t n);
void client_hear_byte(tapir_sd sd, uint8_t wanted);
void client_hear_start(tapir_sd control);
void client_hear_error(tapir_sd sd, int error);
void client_hear_end(tapir_sd sd);	/* and closes */
void client_greet(tapir_sd sd, const void *hello, const void *answer);
void client_datagram(tapir_sd sd, unsigned number, bool wide);

/* The control connection of a client that has asked for a test: the server's turn. */
tapir_sd client_ask(const char *parameters);
/* The same as far as RUNNING, with count streams. */
tapir_sd client_run(const char *parameters, tapir_sd *streams, int count);
tapir_sd client_run_udp(const char *parameters, tapir_sd *streams, int count);
/* Ends the test: the results. */
json_t *client_stop(tapir_sd control);
double client_stream_number(json_t *results, size_t i, const char *key);
void client_is(json_t *results, size_t i, const char *key, double wanted);
/* Ends everything. */
void client_done(tapir_sd control, json_t *results, const tapir_sd *streams, int count);

uint64_t client_write_some(tapir_sd sd, size_t n);
uint64_t client_read_for(tapir_sd sd, usec_t us);
uint64_t client_read_to_end(tapir_sd sd);

#endif
