/* link_type.h: how frames lie in a capture: what stands in front of their IP header (link_type.c). */
#ifndef DRIVERS_LINK_TYPE_H
#define DRIVERS_LINK_TYPE_H

#include "internal.h"

/* After `header` bytes, IP if the number at type_at is 0x0800 (type_at -1: always). */
struct link_type { int dlt; bool ip_only; uint32_t header; int type_at; };

/* By libpcap's number, DLT_..., or by that of files, LINKTYPE_..., which differ for raw IP alone. NULL: it cannot be read. */
const struct link_type *link_type_find(int dlt);
/* Says so: TAPIR_EIO. */
int link_type_refuse(const char *name, int dlt);
/* Cuts what is in front of IP off. False: the frame carries something else than IPv4, or is cut short in the middle of that. */
bool link_type_strip(const struct link_type *link, struct span *frame);

#endif
