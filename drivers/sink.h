/* sink.h: where the bytes of a capture go (sink.c). All errors but that of opening are said on stderr, once. */
#ifndef DRIVERS_SINK_H
#define DRIVERS_SINK_H

#include "internal.h"

struct sink;
/* A file, a FIFO (which waits for its reader), or the standard output for "-". NULL: driver_error(). */
struct sink *sink_open(const char *path);
/* A descriptor that somebody reads at the other end of, from now on the sink's. What goes wrong with it is said to nobody. */
struct sink *sink_open_fd(int fd);
/* Room for a record of at most n bytes, which sink_commit then adds with the bytes it really has. NULL: it is left out. */
uint8_t *sink_reserve(struct sink *s, size_t n);
void sink_commit(struct sink *s, size_t n);
/* Writes what was gathered, as far as that is possible without waiting for a pipe's reader. */
void sink_flush(struct sink *s);
bool sink_is_waiting(const struct sink *s);		/* there is something to flush */
bool sink_is_pipe(const struct sink *s);
bool sink_is_broken(const struct sink *s);		/* an error has ended it */
uint64_t sink_size(const struct sink *s);		/* bytes written and waiting */
uint64_t sink_left_out(const struct sink *s);		/* records */
void sink_close(struct sink *s);

#endif
