/* frame.h: the one buffer type and its two pools, queues of buffers, and byte streams made of them.
 * A frame belongs to exactly one place at a time: the pool, the driver, a queue, or the function that handles it. */
#ifndef BASE_FRAME_H
#define BASE_FRAME_H

#include "bytes.h"

#define FRAME_SMALL 2048u			/* bytes of storage of a small frame */
#define FRAME_LARGE (65536u + 256u)		/* of a large one: an IP datagram of 65535 with room for link headers */
#define FRAME_HEADROOM 128u			/* left free in front of a datagram that we build */

struct frame_pool { struct tapir_frame *free; uint32_t count, used; };
struct frame_pools {
	struct frame_pool small, large;
	struct frame_pool borrowed;		/* descriptors without storage, as many as small frames */
};

/* Bytes needed for both pools, a multiple of 64. */
size_t frame_pools_size(uint32_t small, uint32_t large);
void frame_pools_init(struct frame_pools *p, void *mem, uint32_t small, uint32_t large);

/* An empty frame with room for at least n bytes (data = store, len 0): a small one if n fits and there is one, else a
 * large one. NULL when there is none, or n > FRAME_LARGE. */
struct tapir_frame *frame_get(struct frame_pools *p, uint32_t n);
/* The same for a frame that we build: data starts FRAME_HEADROOM into the storage, and n bytes fit behind that. */
struct tapir_frame *frame_get_headroom(struct frame_pools *p, uint32_t n);
/* As frame_get, for a program's queued bytes: NULL already when 1/8 of the pool is left, so that frames can arrive. */
struct tapir_frame *frame_get_for_queue(struct frame_pools *p, uint32_t n);
/* True if a frame that arrived may stay, in a program's queue: 1/8 of its pool is left for the next ones. */
bool frame_may_stay(const struct frame_pools *p, const struct tapir_frame *f);
/* Descriptor without storage, over the program's bytes (tapir_send_borrowed); never pushed or filled. cap is n. */
struct tapir_frame *frame_get_borrowed(struct frame_pools *p, const uint8_t *bytes, uint32_t n);
/* Gives a frame back; calls u.borrowed.done for a borrowed one. NULL is allowed. */
void frame_put(struct frame_pools *p, struct tapir_frame *f);
/* Makes room for n more bytes in front of data and returns the new data; asserts that they fit. */
uint8_t *frame_push(struct tapir_frame *f, uint32_t n);
/* Drops n bytes from the front; asserts n <= len. */
void frame_pull(struct tapir_frame *f, uint32_t n);
static inline struct span frame_span(const struct tapir_frame *f) { return (struct span){f->data, f->len}; }

struct frameq { struct tapir_frame *head, *tail; uint32_t count; };
void frameq_push(struct frameq *q, struct tapir_frame *f);
struct tapir_frame *frameq_pop(struct frameq *q);	/* NULL when empty */
void frameq_clear(struct frameq *q, struct frame_pools *p);

/* A queue of bytes: what a socket is to send, or has received. */
struct stream {
	struct tapir_frame *head, *tail;
	uint32_t bytes;				/* in the queue */
	uint32_t limit;				/* how many it is meant to hold: its owner's alone */
};
/* Copies up to n bytes to the end, filling the last frame first; returns how many fitted into the pools. */
uint32_t stream_append(struct stream *s, struct frame_pools *p, const uint8_t *bytes, uint32_t n);
/* Takes over f at the end without a copy; when it wastes more than half of its storage it is copied and put back
 * instead (and kept as it is if there is nothing to copy to). */
void stream_append_frame(struct stream *s, struct frame_pools *p, struct tapir_frame *f);
/* Fills up to max spans with the bytes [offset, offset + n) and returns how many spans; *got says how many bytes. */
int stream_slice(const struct stream *s, uint32_t offset, uint32_t n, struct span *spans, int max, uint32_t *got);
/* A byte of a stream, for who takes one slice after the other: it stays where it is until it is consumed, whatever is appended
 * behind it or consumed before it. NULL: it is not known. */
struct stream_place { const struct tapir_frame *frame; const uint8_t *byte; };
struct stream_place stream_place(const struct stream *s, uint32_t offset);
int stream_slice_on(struct stream_place *place, uint32_t n, struct span *spans, int max, uint32_t *got);	/* and moves on */
void stream_consume(struct stream *s, struct frame_pools *p, uint32_t n);	/* drops n from the front; n <= bytes */
/* Copies the bytes [offset, offset + n), as far as there are any, and returns how many. */
uint32_t stream_copy(const struct stream *s, uint32_t offset, uint8_t *buf, uint32_t n);
/* Moves up to n bytes from the front of one to the end of the other: whole frames as they are, a part of one, if it is the
 * first, as a copy. Returns how many. */
uint32_t stream_move(struct stream *to, struct stream *from, struct frame_pools *p, uint32_t n);
void stream_join(struct stream *to, struct stream *from);	/* moves all of from to the end of to, without a copy */
void stream_clear(struct stream *s, struct frame_pools *p);

#endif
