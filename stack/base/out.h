/* out.h: building one frame to send, from the innermost header outwards, in place. */
#ifndef BASE_OUT_H
#define BASE_OUT_H

#include "bytes.h"

void out_begin(struct tapir_out *out);			/* empty: no headers, no slices, no offload */
/* Makes room for n more header bytes in front of what is there and returns them; moves the offload offsets along. */
uint8_t *out_push(struct tapir_out *out, uint16_t n);
void out_slice(struct tapir_out *out, struct span s);	/* adds borrowed payload; asserts there is a slot */
/* Does in software what the driver cannot: a partial checksum when !caps->csum. Lives in wire/offload.c. */
void out_finish(struct tapir_out *out, const struct tapir_offload_caps *caps);

#endif
