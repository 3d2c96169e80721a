/* pcapng.h: the blocks of a pcapng file (draft-ietf-opsawg-pcapng), one function each. They write little-endian to memory
 * that the caller lends, and return how many bytes; what does not fit into room is left out: an option, or, when that is
 * the block itself, everything, and then they return 0. Nothing is kept. */
#ifndef DRIVERS_PCAPNG_H
#define DRIVERS_PCAPNG_H

#include "internal.h"

#define PCAPNG_PACKET_FIXED 44u			/* bytes of a packet block without options, the frame padded to 4 */
#define PCAPNG_HEADER_MAX 16384u		/* section, interface or names: texts are cut to fit */

struct pcapng_room { uint8_t *p; size_t n; };

struct pcapng_packet {
	uint64_t at_ns;
	struct span bytes;
	bool out, ip_only;			/* ip_only: the frame has no Ethernet header */
	uint64_t left_out;			/* frames that were lost to the file since the last one; 0: none */
	const char *comments;			/* texts, each with its NUL */
	unsigned int comment_count;
};
struct pcapng_statistics {
	uint64_t now_ns, start_ns, received, dropped;
	const char *comments;
	unsigned int comment_count;
};
size_t pcapng_section(struct pcapng_room room, const struct capture_options *o);
size_t pcapng_interface(struct pcapng_room room, const struct capture_options *o, bool ip_only);
/* 0 also when there are no names. */
size_t pcapng_names(struct pcapng_room room, const struct capture_options *o);
size_t pcapng_packet(struct pcapng_room room, const struct pcapng_packet *packet);
size_t pcapng_statistics(struct pcapng_room room, const struct pcapng_statistics *statistics);

#endif
