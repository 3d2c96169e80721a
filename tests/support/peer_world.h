/* peer_world.h: what the files behind peer.h tell each other. */
#ifndef TEST_PEER_WORLD_H
#define TEST_PEER_WORLD_H

#include "peer.h"

/* A line of the transcript that a failure prints; with PEER_VERBOSE in the environment it is printed at once. */
void peer_note(const char *format, ...) WRITTEN(1);
/* Ends the test as failed, with the transcript. */
__attribute__((noreturn)) void peer_fails(const char *format, ...) WRITTEN(1);
/* A new stack: nothing has been heard yet. */
void peer_log_begin(const struct tapir *t);
void peer_log_event(void *ctx, const struct tapir_event *e);	/* config.probe */
/* The reason of the segment that the stack has just made; "" if it made none since (a RST that belongs to no
 * connection). */
const char *peer_log_take_why(void);
/* The harness aborts this socket after the test if it is still open. */
void peer_owns_socket(tapir_sd sd);

#endif
