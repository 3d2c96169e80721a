/* peer_batch.c: segments of peers that reach the stack in one call. */
#include <stdarg.h>
#include <stdio.h>
#include "peer_batch.h"
#include "peer_world.h"
#include "stack/tcp/internal.h"

struct tapir_frame *peer_batch_add(struct peer_batch *b, const struct peer *p, const char *format, ...)
{
	struct tapir_frame *f = tapir_frame_get(p->t);
	char line[SEGMENT_TEXT];
	uint8_t bytes[2048];
	va_list args;

	ck_assert_ptr_nonnull(f);
	ck_assert_uint_lt(b->n, PEER_BATCH);
	va_start(args, format);
	vsnprintf(line, sizeof line, format, args);
	va_end(args);
	f->len = (uint32_t)peer_frame(p, bytes, "%s", line);
	ck_assert_uint_le(f->len, f->room);
	memcpy(f->data, bytes, f->len);
	b->frames[b->n++] = f;
	return f;
}

void peer_batch_arrives(struct peer_batch *b, struct peer *p)
{
	for (uint32_t i = 0; i < b->n; i++)
		peer_capture_in(b->frames[i], tapir_now(p->t));
	tapir_input_batch(p->t, b->frames, b->n, b->verdicts);
	for (uint32_t i = 0; i < b->n; i++)
		peer_note("  %s", tapir_verdict_name(b->verdicts[i]));
	p->verdict = b->verdicts[b->n - 1];
	b->n = 0;
	tcp_check_all(p->t);
}
