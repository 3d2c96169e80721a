/* datagrams.h: a frame of several UDP datagrams, cut up as a driver would (datagrams.c); segments.c asks it. */
#ifndef DRIVERS_DATAGRAMS_H
#define DRIVERS_DATAGRAMS_H

#include "segments.h"

/* As segments_begin and segments_next, for offload->gso TAPIR_GSO_UDP; s->udp_at is set. */
bool datagrams_begin(struct segments *s, struct span frame, const struct tapir_offload *offload, uint32_t ip_at);
uint32_t datagrams_next(struct segments *s, uint8_t *out);

#endif
