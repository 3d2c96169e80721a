/* segments.h: a frame that was left to a driver to cut up, cut up as it would (segments.c). */
#ifndef DRIVERS_SEGMENTS_H
#define DRIVERS_SEGMENTS_H

#include "internal.h"
#include "stack/wire/cut.h"

struct segments {
	struct span frame;
	struct cut cut;
	uint32_t text_at, size;			/* size: bytes of text in each */
	uint32_t count, next;			/* how many there are; the next to be made */
	uint32_t ip_at, udp_at;			/* udp_at not 0: they are UDP datagrams (datagrams.c) */
};
/* False: there is nothing to cut. frame is borrowed, and hides no partial checksum. */
bool segments_begin(struct segments *s, struct span frame, const struct tapir_offload *offload, bool ip_only);
/* Writes the next segment to out, which has room for the whole frame: its bytes; 0: there is none left. */
uint32_t segments_next(struct segments *s, uint8_t *out);

#endif
