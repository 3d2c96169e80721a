/* driver.h: the contract between a stack and whatever carries its frames. A driver is the only thing that makes system
 * calls for frames. Drivers wrap drivers: fault, capture and trace hold an inner one and look like one themselves, so that
 * the order of wrapping is the order in which a frame meets them.
 *
 * One thread at a time uses a driver. now_us is the time of the caller's turn; a driver reads no clock. */
#ifndef DRIVER_H
#define DRIVER_H

#include "../stack/tapir.h"

struct driver {
	const struct driver_ops *ops;
	struct tapir_offload_caps caps;		/* granted; copy to config.offload before tapir_init */
	uint16_t mtu;				/* IP MTU of the link */
	bool ip_only;				/* carries bare IP datagrams: copy to config.ip_only */
	int fd;					/* readable when recv has something; -1: poll by deadline only */
};
struct driver_ops {
	const char *name;
	/* Reads the next frame into the empty frame f: 1, or 0 when there is none now, or TAPIR_EIO (see driver_error). */
	int (*recv)(struct driver *d, struct tapir_frame *f, usec_t now_us);
	/* Sends out, whose text of TCP stays until flush (struct tapir_out): 0, TAPIR_EAGAIN (the link is full: try the same frame
	 * again when writable) or TAPIR_EIO. */
	int (*send)(struct driver *d, const struct tapir_out *out, usec_t now_us);
	/* Tells the link of what send has only gathered, once behind a batch of sends: 0 or TAPIR_EIO. NULL: it gathers nothing. */
	int (*flush)(struct driver *d);
	/* When recv or send must be called although fd is not readable (delayed frames); USEC_NEVER. May be NULL. */
	usec_t (*deadline)(struct driver *d);
	/* Gives up every offload that keep lacks, from the next frame on; d->caps shrinks to what is left. 0 or TAPIR_EIO.
	 * Before the stack is made, because it reads caps once. NULL: there is none to give up. */
	int (*set_offload)(struct driver *d, struct tapir_offload_caps keep);
	/* Frees the driver and everything it wraps. */
	void (*close)(struct driver *d);
};
static inline int driver_recv(struct driver *d, struct tapir_frame *f, usec_t now_us) { return d->ops->recv(d, f, now_us); }
static inline int driver_send(struct driver *d, const struct tapir_out *out, usec_t now_us)
{
	return d->ops->send(d, out, now_us);
}
static inline int driver_flush(struct driver *d) { return d->ops->flush ? d->ops->flush(d) : 0; }
static inline usec_t driver_deadline(struct driver *d) { return d->ops->deadline ? d->ops->deadline(d) : USEC_NEVER; }
static inline int driver_set_offload(struct driver *d, struct tapir_offload_caps keep)
{
	return d->ops->set_offload ? d->ops->set_offload(d, keep) : 0;
}
static inline void driver_close(struct driver *d) { d->ops->close(d); }

/* Why the last driver_open_, or send, or recv failed: a sentence that says what was tried, why it failed and what to type.
 * Each thread has its own. */
const char *driver_error(void);

/* Attaches to TAP `name`, or makes it when it is missing (then it is up at once, and goes away on close). Needs
 * CAP_NET_ADMIN unless the interface exists and belongs to the user. While the interface is down what is sent is lost.
 * NULL: driver_error() says why and what to do. */
struct driver *driver_open_tap(const char *name);

/* Live interface through libpcap, promiscuous; needs CAP_NET_RAW. What this machine itself sends there is not seen. */
struct driver *driver_open_pcap_live(const char *interface);

/* The interface, a network card's or a veth's end, through AF_XDP sockets on all of its queues: every frame that arrives there
 * comes here and none to the kernel, until close or the end of the process, however it ends. Needs CAP_NET_ADMIN,
 * CAP_NET_RAW and CAP_BPF. What is sent while the interface is down waits. That it was deleted is noticed by flush. */
struct driver *driver_open_xdp(const char *interface);

/* Replays a capture file (pcap or pcapng; Ethernet or raw IP) as what arrives, each frame at its own time relative to the
 * first, which comes at start_us; what the stack sends is written to out_path (pcap; NULL: thrown away).
 * driver_deadline says when the next frame is due, so that a caller can turn virtual time; USEC_NEVER after the last. */
struct driver *driver_open_pcap_file(const char *in_path, const char *out_path, usec_t start_us);

/* Two ends of an in-process link of the given MTU and offloads: what one sends the other receives, in order, at once.
 * 256 frames wait in each direction, then send says TAPIR_EAGAIN until the other end has read. The ends may be used by
 * two threads, and closed in any order. Both are NULL when memory or descriptors ran out. */
void driver_open_pair(struct driver *ends[2], uint16_t mtu, struct tapir_offload_caps caps, bool ip_only);

struct fault_config {		/* both directions, each with its own queue; all zero: a perfect link */
	double loss, duplicate, corrupt, reorder;	/* probabilities 0..1 for each frame */
	double burst_loss, burst_frames;	/* this part of the frames is lost, too, but in bursts of so many on average */
	usec_t burst_idle_us;		/* a burst is over when nothing came for so long; 0: however long */
	usec_t delay_us, jitter_us;	/* each frame: delay plus 0..jitter; jitter alone does not reorder */
	uint64_t rate_bps;		/* bits a second; 0: unlimited */
	uint32_t queue_bytes;		/* behind the rate limit, drop-tail; 0: 256 KiB */
	bool codel;			/* the queue also sheds what makes it too slow (RFC 8289 5) */
	bool mark;			/* with codel: who knows ECN is marked instead (RFC 3168 5) */
	usec_t codel_target_us, codel_interval_us;	/* 0: 5 ms and 100 ms (RFC 8289 4.2, 4.3) */
	uint16_t mtu;			/* longer IP datagrams are lost; 0: none is */
	bool tell_mtu;			/* whose sender learns it by ICMP (RFC 1191 4); else the link is a black hole for them */
	bool down;			/* nothing enters the link */
	uint64_t seed;			/* the same seed and frames give the same faults */
};
/* Frames of both directions: passed counts those delivered (each copy), overflowed those that found the queue full, shed and
 * marked what CoDel did. What is lost to down counts as lost. */
struct fault_stats { uint64_t passed, lost, duplicated, corrupted, reordered, overflowed, shed, marked, too_long; };
/* Wraps inner (and closes it; NULL: driver_error(), inner is still the caller's). Offloads are given up so that each
 * MTU-sized frame meets its own fate. A corrupt frame has one bit flipped after the Ethernet header, which every checksum
 * of the family notices; one that no checksum protects (ARP) is thrown away instead, as an Ethernet card does. A reordered
 * frame waits until one to four later ones have passed it, or for the delay and at least 5 ms. */
struct driver *driver_wrap_fault(struct driver *inner, const struct fault_config *cfg);
/* Another link from now on, but for the seed; what is under way arrives as it would have. */
void driver_fault_change(struct driver *fault, const struct fault_config *cfg);
struct fault_stats driver_fault_stats(const struct driver *fault);

enum fault_fate {
	FAULT_LOST, FAULT_LOST_IN_BURST, FAULT_DOWN, FAULT_TOO_LONG, FAULT_OVERFLOWED, FAULT_DISCARDED,	/* arrives nowhere */
	FAULT_DAMAGED,			/* number: the bit, counted from the frame's first */
	FAULT_DUPLICATED,
	FAULT_OVERTAKEN,		/* number: by how many frames, if so many come */
	FAULT_DELAYED			/* number: microseconds from one end of the line to the other, known so far */
};
/* What the bad line did to a frame. out: the one that driver_send was given, while it runs. Else one on its way in: what
 * arrives nowhere is told when it meets its end, with the frame; all else while driver_recv hands the frame over.
 * What CoDel does is only counted. */
struct fault_note { enum fault_fate fate; bool out; uint64_t number; struct span frame; };
/* Has tell called with each of them from now on. */
void driver_fault_tell(struct driver *fault, void (*tell)(void *ctx, const struct fault_note *note), void *ctx);

struct capture_options {
	int fd;				/* above 0: pcapng goes there, to somebody who reads the other end, not to path */
	const char *path;		/* "-": the standard output. pcapng when it is that, or ends in .pcapng, or is a FIFO
					 * whose name does not end in .pcap; else pcap */
	usec_t epoch_us;		/* makes wall time of the clock of now_us */
	bool segments;			/* frames that a driver is to cut up are cut up in the file */
	uint64_t rotate_bytes;		/* a file that would become larger gets a number in its name, FILE_00001.pcapng, and
					 * FILE.pcapng begins anew; 0: never */
	uint32_t rotate_files;		/* of these the latest so many stay, with the one being written; 0: all */

	/* For the reader of a pcapng file; 0 or NULL: not said. Texts are borrowed until the driver is closed. */
	const char *comment, *program;	/* of the section */
	const char *interface, *about;	/* its name, and what it is */
	struct tapir_addr addr;		/* the stack's */
	uint8_t prefix_len, mac[6];
	uint64_t speed_bps;
	struct capture_name { struct tapir_addr addr; const char *name; } names[4];
};
/* Writes every frame of both directions to a file with the times of now_us in nanoseconds. Checksums that were left to the
 * driver are completed in the file. Frames that are read at one now_us may be given to the stack together: the verdicts that
 * it then tells are theirs, in their order; a frame without one by a later now_us found no buffer. A frame can be read from the
 * file 20 ms later at the latest, from a pipe at once. In pcapng it has its direction, and as comments what
 * driver_capture_probe and driver_capture_fault were told about it.
 * A pipe that its reader does not empty never holds up the caller: frames are left out then, and counted. When nothing can
 * be written any more that is said once on stderr; the program ignores SIGPIPE. NULL: driver_error(); inner is then still
 * the caller's. */
struct driver *driver_wrap_capture(struct driver *inner, const struct capture_options *o);
/* config.probe, with the capture as its context: the stack's own account of what it did and why. Without it frames have
 * no comments. */
void driver_capture_probe(void *capture, const struct tapir_event *event);
bool driver_capture_listens(const struct driver *capture);	/* no: a pcap file has no place for what the probe tells */
/* For driver_fault_tell, with the capture as its context. */
void driver_capture_fault(void *capture, const struct fault_note *note);
/* Ends a capture and leaves the driver that it was around. *top is it, or a capture around it, and so on. */
void driver_capture_detach(struct driver **top, struct driver *capture);

/* Prints one packetdrill-like line a frame to file (a FILE *): "0.001234 < S 0:0(0) win 65535 <mss 1460,...>"; what came in
 * with '<', what went out with '>'. TCP numbers are relative to the first seen of the connection. */
struct driver *driver_wrap_trace(struct driver *inner, void *file);

/* --- trace_format.c: the notation itself, shared by the trace wrapper, the ladder and the tests --- */
struct trace_options {
	bool ip_only;			/* the bytes begin with the IP header */
	bool addresses;			/* "10.0.0.1:7 > 10.0.0.2:80" in front of TCP and UDP lines */
	bool relative;			/* TCP: sequence numbers relative to seq_base, acknowledgments to ack_base */
	uint32_t seq_base, ack_base;	/* SACK blocks count from ack_base, too */
	bool checksums;			/* look at TCP and UDP checksums: a wrong one ends the line with "bad checksum" */
};
/* Writes one line without newline about the frame of n bytes to text (always terminated); returns its length.
 * TCP: "FLAGS start:end(len) ack N win W <options>", FLAGS of "SFRP.EWU" with "." for ACK; "win" is the raw field. */
size_t trace_format(char *text, size_t size, struct span frame, const struct trace_options *how);

/* --- trace_event.c: the same for what the stack tells its probe --- */
/* One line about the event, with its reason: "sent: RFC 9293 3.8.6.2.1: text within the windows". how->addresses: the
 * connection in front; how->relative: segments with their numbers. */
size_t trace_event_format(char *text, size_t size, const struct tapir_event *event, const struct trace_options *how);
/* "bad line: lost" */
size_t trace_fault_format(char *text, size_t size, const struct fault_note *note);

/* A TCP segment as the trace and the ladder need it. len is SEG.LEN: text, and one each for SYN and FIN. */
struct trace_tcp { struct tapir_endpoint src, dst; uint32_t seq, ack, len; bool syn, fin, rst, has_ack; };
/* True when frame holds a TCP header, whose numbers are then in *tcp. */
bool trace_find_tcp(struct span frame, bool ip_only, struct trace_tcp *tcp);

/* And all that a reader of captures compares. wnd is the raw field; text lies in the frame. */
struct trace_segment {
	struct trace_tcp tcp;
	uint32_t wnd;
	struct span text;
	uint16_t mss;			/* 0: no such option; so with the others */
	uint8_t wscale;
	bool has_wscale, sack_permitted, has_ts, ece, cwr;
	uint32_t ts_val, ts_ecr;
	uint8_t sack_count;
	struct { uint32_t start, end; } sack[4];
	enum trace_sum { TRACE_SUM_GOOD, TRACE_SUM_LEFT, TRACE_SUM_BAD } sum;	/* LEFT: to a card to complete */
};
bool trace_find_segment(struct span frame, bool ip_only, struct trace_segment *segment);

#endif
