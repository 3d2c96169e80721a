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
/* peer_capture.c: nothing, unless PEER_CAPTURE is set. */
void peer_capture_begin(const struct tapir_config *c);
void peer_capture_in(struct tapir_frame *f, usec_t now_us);	/* before tapir_input */
void peer_capture_out(const struct tapir_out *out, usec_t now_us);
void peer_capture_event(const struct tapir_event *e);
void peer_capture_end(void);
/* The harness aborts this socket after the test if it is still open. */
void peer_owns_socket(tapir_sd sd);

#endif
