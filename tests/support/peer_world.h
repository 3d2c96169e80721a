/* peer_world.h: what the two files behind peer.h tell each other. */
#ifndef TEST_PEER_WORLD_H
#define TEST_PEER_WORLD_H

#include "peer.h"

/* A line of the transcript that a failure prints; with PEER_VERBOSE in the environment it is printed at once. */
void peer_note(const char *format, ...) WRITTEN(1);
/* Ends the test as failed, with the transcript. */
__attribute__((noreturn)) void peer_fails(const char *format, ...) WRITTEN(1);
/* The harness aborts this socket after the test if it is still open. */
void peer_owns_socket(tapir_sd sd);

#endif
