/* reading.h: a capture being read, frame by frame, with all that it says beside them (reading.c). pcapng with its comments and
 * directions, which libpcap does not hand out; pcap by way of libpcap. */
#ifndef DRIVERS_READING_H
#define DRIVERS_READING_H

#include "driver.h"

struct captured {
	usec_t at_us;			/* wall time; never goes back */
	struct span frame;		/* Ethernet, or an IP datagram; n 0: a remark without a frame */
	uint32_t cut;			/* bytes that are missing at its end */
	bool ip_only;
	bool other;			/* it carries something else than IPv4: there is no frame */
	int way;			/* 1 in, 2 out; else it is not known */
	uint64_t left_out;		/* frames that the writer had to leave out before this one */
	const char *comments;		/* texts, each with its NUL */
	unsigned int comment_count;
};

struct reading;
/* "-": the standard input. NULL: driver_error(). */
struct reading *reading_open(const char *path);
/* A pcapng stream that somebody sends, from a descriptor that is the reading's from now on. */
struct reading *reading_open_fd(int fd, const char *name);
/* The next frame, borrowed until the next call: 1; 0: the end; TAPIR_EIO: it is damaged from here on, see driver_error(). */
int reading_next(struct reading *r, struct captured *c);
/* Was it written by a stack that tells its reasons? Known after the first frame. */
bool reading_is_own(const struct reading *r);
void reading_close(struct reading *r);

#endif
