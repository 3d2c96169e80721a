/* out.c: building the frame to send. Owns where its headers begin, its length and its offload offsets. Never touches
 * the slices' bytes. The checksum that a driver may leave to the stack is wire/offload.c.
 *
 * Invariant: head_at + head_len == TAPIR_OUT_HEAD, so that the innermost header ends where head does. */
#include "out.h"

void out_begin(struct tapir_out *out)
{
	out->offload = (struct tapir_offload){0};
	out->len = 0;
	out->head_at = TAPIR_OUT_HEAD;
	out->head_len = 0;
	out->slice_count = 0;
}

uint8_t *out_push(struct tapir_out *out, uint16_t n)
{
	assert(n <= out->head_at);
	out->head_at = (uint16_t)(out->head_at - n);
	out->head_len = (uint16_t)(out->head_len + n);
	out->len += n;
	if (out->offload.csum == TAPIR_CSUM_PARTIAL)
		out->offload.csum_start = (uint16_t)(out->offload.csum_start + n);
	if (out->offload.gso != TAPIR_GSO_NONE)
		out->offload.hdr_len = (uint16_t)(out->offload.hdr_len + n);
	return out->head + out->head_at;
}

void out_slice(struct tapir_out *out, struct span s)
{
	if (!s.n)
		return;
	assert(out->slice_count < TAPIR_OUT_SLICES);
	out->slices[out->slice_count++] = s;
	out->len += (uint32_t)s.n;
}
