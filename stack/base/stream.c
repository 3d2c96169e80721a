/* stream.c: queues of bytes made of frames. Owns the order of the bytes. Never empties the pools of
 * what arriving frames need: it takes buffers with frame_get_for_queue.
 *
 * Invariants: no frame in a stream is empty; bytes is the sum of their len. */
#include "frame.h"

#define LARGE_FROM 8192u	/* so many bytes to come are worth a large frame */

static void link_frame(struct stream *s, struct tapir_frame *f)
{
	f->next = NULL;
	if (s->tail)
		s->tail->next = f;
	else
		s->head = f;
	s->tail = f;
	s->bytes += f->len;
}

static struct tapir_frame *unlink_head(struct stream *s)
{
	struct tapir_frame *f = s->head;

	s->head = f->next;
	if (!s->head)
		s->tail = NULL;
	s->bytes -= f->len;
	return f;
}

static void drop_head(struct stream *s, struct frame_pools *p)
{
	frame_put(p, unlink_head(s));
}

/* Copies as much as fits behind the last byte of f. */
static uint32_t fill(struct tapir_frame *f, const uint8_t *bytes, uint32_t n)
{
	uint32_t taken = min_u32(n, f->room - f->len);

	memcpy(f->data + f->len, bytes, taken);
	f->len += taken;
	return taken;
}

/* The same for the last frame of the stream, unless its bytes are the program's. */
static uint32_t fill_tail(struct stream *s, const uint8_t *bytes, uint32_t n)
{
	uint32_t taken = s->tail && s->tail->store && n ? fill(s->tail, bytes, n) : 0;

	s->bytes += taken;
	return taken;
}

static struct tapir_frame *frame_for(struct frame_pools *p, uint32_t n)
{
	struct tapir_frame *f = n >= LARGE_FROM ? frame_get_for_queue(p, FRAME_SMALL + 1) : NULL;

	return f ? f : frame_get_for_queue(p, FRAME_SMALL);
}

uint32_t stream_append(struct stream *s, struct frame_pools *p, const uint8_t *bytes, uint32_t n)
{
	uint32_t taken = fill_tail(s, bytes, n);

	while (taken < n) {
		struct tapir_frame *f = frame_for(p, n - taken);

		if (!f)
			break;
		taken += fill(f, bytes + taken, n - taken);
		link_frame(s, f);
	}
	return taken;
}

/* Moves what it can of a wasteful frame's bytes to where they waste less: behind the last ones, and out of a large
 * frame into small ones. */
static void copy_out(struct stream *s, struct frame_pools *p, struct tapir_frame *f)
{
	frame_pull(f, fill_tail(s, f->data, f->len));
	while (f->cap > FRAME_SMALL && f->len) {
		struct tapir_frame *small = frame_get_for_queue(p, FRAME_SMALL);

		if (!small)
			break;
		if (small->cap > FRAME_SMALL) {		/* no small one was left: nothing would be won */
			frame_put(p, small);
			break;
		}
		frame_pull(f, fill(small, f->data, f->len));
		link_frame(s, small);
	}
}

void stream_append_frame(struct stream *s, struct frame_pools *p, struct tapir_frame *f)
{
	if (f->store && f->len < f->cap / 2)
		copy_out(s, p, f);
	if (f->len)
		link_frame(s, f);
	else
		frame_put(p, f);
}

/* The frame that holds the byte at *offset, and where in it; NULL past the end. */
static struct tapir_frame *find(const struct stream *s, uint32_t *offset)
{
	struct tapir_frame *f = s->head;

	while (f && *offset >= f->len) {
		*offset -= f->len;
		f = f->next;
	}
	return f;
}

struct stream_place stream_place(const struct stream *s, uint32_t offset)
{
	const struct tapir_frame *f = find(s, &offset);

	return (struct stream_place){f, f ? f->data + offset : NULL};
}

/* A place is never the end of a frame, which may be consumed while the next byte still waits. */
static void move_on(struct stream_place *place, uint32_t n)
{
	const struct tapir_frame *f = place->frame;

	place->byte += n;
	if (place->byte < f->data + f->len)
		return;
	place->frame = f->next;
	place->byte = f->next ? f->next->data : NULL;
}

int stream_slice_on(struct stream_place *place, uint32_t n, struct span *spans, int max, uint32_t *got)
{
	int count = 0;

	for (*got = 0; place->frame && *got < n && count < max; count++) {
		uint32_t left = (uint32_t)(place->frame->data + place->frame->len - place->byte), here = min_u32(left, n - *got);

		spans[count] = span_of(place->byte, here);
		*got += here;
		move_on(place, here);
	}
	return count;
}

int stream_slice(const struct stream *s, uint32_t offset, uint32_t n, struct span *spans, int max, uint32_t *got)
{
	struct stream_place place = stream_place(s, offset);

	return stream_slice_on(&place, n, spans, max, got);
}

void stream_consume(struct stream *s, struct frame_pools *p, uint32_t n)
{
	assert(n <= s->bytes);
	while (n && n >= s->head->len) {
		n -= s->head->len;
		drop_head(s, p);
	}
	if (n) {
		frame_pull(s->head, n);
		s->bytes -= n;
	}
}

uint32_t stream_copy(const struct stream *s, uint32_t offset, uint8_t *buf, uint32_t n)
{
	uint32_t copied = 0;

	for (struct tapir_frame *f = find(s, &offset); f && copied < n; f = f->next) {
		uint32_t here = min_u32(f->len - offset, n - copied);

		memcpy(buf + copied, f->data + offset, here);
		copied += here;
		offset = 0;
	}
	return copied;
}

uint32_t stream_move(struct stream *to, struct stream *from, struct frame_pools *p, uint32_t n)
{
	uint32_t moved = 0;

	while (from->head && from->head->len <= n - moved) {
		moved += from->head->len;
		stream_append_frame(to, p, unlink_head(from));
	}
	if (!moved && from->head) {
		moved = stream_append(to, p, from->head->data, n);
		stream_consume(from, p, moved);
	}
	return moved;
}

void stream_join(struct stream *to, struct stream *from)
{
	if (!from->head)
		return;
	if (to->tail)
		to->tail->next = from->head;
	else
		to->head = from->head;
	to->tail = from->tail;
	to->bytes += from->bytes;
	*from = (struct stream){.limit = from->limit};
}

void stream_clear(struct stream *s, struct frame_pools *p)
{
	while (s->head)
		drop_head(s, p);
}
