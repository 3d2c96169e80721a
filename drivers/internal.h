/* internal.h: what the drivers share among themselves. Programs include driver.h, loop.h and net.h only. */
#ifndef DRIVERS_INTERNAL_H
#define DRIVERS_INTERNAL_H

#include "driver.h"

#define DRIVER_FRAME_MAX (65536u + 256u)	/* bytes: an IP datagram of 65535 and its link header fit */

/* --- error.c --- */
/* Sets the sentence of driver_error(); returns TAPIR_EIO. */
__attribute__((format(printf, 1, 2))) int driver_fail(const char *format, ...);
/* What went wrong without stopping anything: one line on stderr. */
__attribute__((format(printf, 1, 2))) void driver_warn(const char *format, ...);

/* --- flat.c: frames that lie in one piece --- */
/* Describes the n bytes at p, which stay where they are, as a frame to send. */
void driver_flat_out(struct tapir_out *out, const uint8_t *p, uint32_t n, const struct tapir_offload *offload);
/* Copies a received frame to buf (frame->len bytes) with a partial checksum completed. */
void driver_frame_copy(const struct tapir_frame *frame, uint8_t *buf);

/* --- link.c: what the kernel says about an interface --- */
/* IP MTU, at most 65535; 0: there is no such interface. */
uint16_t driver_link_mtu(const char *interface);
/* The queues that frames arrive in; 1 when the kernel does not say. */
unsigned int driver_link_queues(const char *interface);
/* The name of the kernel's driver, such as "veth"; false: it has none. */
bool driver_link_driver(const char *interface, char name[32]);

/* --- partial.c: frames whose sender left the checksum to a network card that is not there --- */
/* f came as bytes alone: if its checksum is such a one, f->offload says so. */
void driver_find_partial(struct tapir_frame *f);

/* --- dump.c: a pcap or pcapng file being written --- */
/* What is to be said about one frame: count texts, each with its NUL; what does not fit is left unsaid. */
struct remarks { unsigned int count; size_t n; char text[8192]; };
struct dump;
/* Ethernet frames, or bare IP datagrams; see driver_wrap_capture. NULL: driver_error(). */
struct dump *dump_open(const struct capture_options *o, bool ip_only);
/* One frame at wall time at_us, whole, its checksums too; in pcapng with its direction and the remarks (NULL: none). When the
 * file cannot be written any more (a full disk), that is said once on stderr, and what follows is thrown away. */
struct dump_frame { usec_t at_us; struct span bytes; bool out; const struct remarks *remarks; };
void dump_frame(struct dump *d, const struct dump_frame *f);
void dump_flush(struct dump *d);
bool dump_is_waiting(const struct dump *d);	/* there is something to flush */
bool dump_is_live(const struct dump *d);	/* somebody may be looking on: flush at each frame */
bool dump_takes_remarks(const struct dump *d);
/* lost: frames that did not get as far as this capture; rest: what belongs to no frame, may be NULL. */
struct dump_end { usec_t at_us; uint64_t lost; const struct remarks *rest; };
void dump_close(struct dump *d, const struct dump_end *end);

#endif
