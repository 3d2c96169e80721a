/* gso.h: a received frame of several datagrams, as the datagrams that it stands for (gso.c). */
#ifndef UDP_GSO_H
#define UDP_GSO_H

#include "../base/bytes.h"

#define UDP_GSO_MAX 128u		/* datagrams in a frame: Linux' UDP_MAX_SEGMENTS */

/* Is text, with these offload fields, one datagram, or several that add up? ACCEPT with the bytes of text that each but the
 * last one has, at least 1; or DROP_UDP_GSO. */
enum tapir_verdict udp_gso_check(const struct tapir_offload *o, struct span text, size_t *size);

#endif
