/* segment.h: one TCP segment in packetdrill's notation, to wire bytes and back. Written apart from stack/wire on purpose:
 * the tests must not read the wire with the eyes they are testing.
 *
 *   FLAGS start:end(len) [ack N] [win W] [urg U] [<options>]
 *
 * FLAGS of "SFRP.EWU", "." for ACK, "-" for none. start and end do not count SYN and FIN. Options, separated by commas:
 * mss N, sackOK, TS val N ecr N, wscale N, FO HEX (FO alone: a request), sack A:B C:D, nop, eol, raw HEX. Every number of the
 * sequence space is relative to a base. On the way back to text the options come in that order and without padding, so
 * that lines can be compared. */
#ifndef TEST_SEGMENT_H
#define TEST_SEGMENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { FLAG_F = 0x01, FLAG_S = 0x02, FLAG_R = 0x04, FLAG_P = 0x08, FLAG_A = 0x10, FLAG_U = 0x20, FLAG_E = 0x40, FLAG_W = 0x80 };

struct segment_base {		/* what the numbers of a line are relative to */
	uint32_t seq, ack;	/* the ISS of who sends the segment, and of who gets it */
	uint32_t ts_val, ts_ecr;	/* the first timestamp of either */
};

struct segment {		/* absolute, host order */
	uint32_t seq, ack;
	uint16_t win, urg;
	uint32_t text_len;
	uint8_t flags;
	bool has_win;		/* the line named it */
	uint8_t options_len;	/* padded to a multiple of 4 */
	uint8_t options[40];
};

#define SEGMENT_TEXT 256	/* bytes that hold any line */
#define FRAME_HEADERS 80	/* IP and TCP headers at most */

/* NULL, or what is wrong with the line. */
const char *segment_parse(const char *line, const struct segment_base *base, struct segment *s);

enum { WITH_WIN = 1, WITH_OPTIONS = 2 };
/* The line, with the parts that `with` names. */
void segment_format(char text[SEGMENT_TEXT], const struct segment *s, const struct segment_base *base, int with);

/* True if text is pattern; a '*' in the pattern stands for any number. */
bool segment_line_matches(const char *pattern, const char *text);

/* The byte of text that belongs at this place of a stream: relative sequence number, the first is 1. */
uint8_t stream_byte(uint32_t at);

/* Where a frame goes and comes from: IPv4 addresses and ports in host order. */
struct segment_path { uint32_t src, dst; uint16_t src_port, dst_port; };

/* Writes an IP datagram with the segment and its text (stream_byte from seq - base_seq on) to frame; returns its length. */
size_t segment_emit(const struct segment *s, const struct segment_path *path, uint32_t base_seq, uint8_t *frame);
/* Makes both checksums of a datagram with a TCP segment right again. */
void frame_fix_checksums(uint8_t *frame, size_t n);
uint16_t frame_checksum(uint32_t sum, const uint8_t *p, size_t n);

/* Reads an IP datagram with a TCP segment: NULL, or what is wrong with it; text points to its text. */
const char *segment_read(const uint8_t *frame, size_t n, struct segment_path *path, struct segment *s);
/* The value of the first timestamp in the options, if there is one. */
bool segment_timestamp(const struct segment *s, uint32_t *val);

#endif
