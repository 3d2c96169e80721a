/* flat.c: frames that lie in one piece, seen as frames to send, so that one function of the stack (tapir_out_copy)
 * completes the checksums of both directions. */
#include "internal.h"

void driver_flat_out(struct tapir_out *out, const uint8_t *p, uint32_t n, const struct tapir_offload *offload)
{
	out->offload = *offload;
	out->len = n;
	out->head_at = 0;
	out->head_len = 0;
	out->slice_count = 1;
	out->slices[0] = (struct span){p, n};
}

void driver_frame_copy(const struct tapir_frame *frame, uint8_t *buf)
{
	struct tapir_out out;

	driver_flat_out(&out, frame->data, frame->len, &frame->offload);
	tapir_out_copy(&out, buf, false);
}
