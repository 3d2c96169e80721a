/* tcp.h: TCP segments (RFC 9293 3.1, 3.2; RFC 7323 2 and 3 options; RFC 2018 options; RFC 7413 4.1.1 option). */
#ifndef WIRE_TCP_H
#define WIRE_TCP_H

#include "../base/bytes.h"

typedef struct { uint32_t n; } seq_t;		/* a sequence number: '<' does not compile, seq_lt() (tcp/seq.h) does */

#define TCP_HEADER 20
#define TCP_HEADER_MAX 60
#define TCP_SACK_BLOCKS 4
enum {
	TCP_FIN = 0x01, TCP_SYN = 0x02, TCP_RST = 0x04, TCP_PSH = 0x08, TCP_ACK = 0x10, TCP_URG = 0x20, TCP_ECE = 0x40,
	TCP_CWR = 0x80
};

struct sack_block { seq_t start, end; };	/* end is one past the last byte */

#define TCP_FASTOPEN_MIN 4		/* bytes of a Fast Open cookie (RFC 7413 4.1.1): an even number of them */
#define TCP_FASTOPEN_MAX 16
struct tcp_fastopen_cookie { uint8_t len, bytes[TCP_FASTOPEN_MAX]; };

struct tcp_options {
	uint16_t mss;			/* 0: not there */
	uint8_t wscale;			/* shift, already cut to 14 (RFC 7323 2.3) */
	bool has_wscale, sack_permitted, has_ts;
	uint32_t ts_val, ts_ecr;
	uint8_t sack_count;
	struct sack_block sack[TCP_SACK_BLOCKS];
	bool has_fastopen;
	struct tcp_fastopen_cookie fastopen;	/* len 0: a request for one */
};

/* One segment in host order (RFC 9293 3.3.1: SEG.SEQ, SEG.ACK, SEG.LEN, SEG.WND, SEG.UP). */
struct tcp_seg {
	uint16_t src_port, dst_port;
	seq_t seq, ack;
	uint32_t wnd;			/* the field as it stands; the connection applies the shift */
	uint32_t len;			/* SEG.LEN: text, and one each for SYN and FIN */
	uint16_t up;
	uint8_t flags;
	struct span text;		/* borrowed */
	struct tcp_options opt;
};

/* Checks offset, option list and, unless checked is set (the driver vouches for it), the checksum. ACCEPT with *seg
 * filled (len computed), or the DROP_TCP_ verdict. Unknown options are skipped (MUST-6). */
enum tapir_verdict tcp_parse(struct span s, const struct tapir_addr *src, const struct tapir_addr *dst, bool checked,
			     struct tcp_seg *seg);
/* Bytes of the header that tcp_emit writes for seg: a multiple of 4, 20 to 60. */
uint16_t tcp_header_len(const struct tcp_seg *seg);
/* Writes header and options; the checksum field is zero. Order of options: MSS, SACK permitted, timestamps, window
 * scale, Fast Open, SACK blocks; NOPs so that timestamps and blocks lie at multiples of 4, as Linux does. A Fast Open
 * option and SACK blocks that do not fit into 60 bytes are left out. */
void tcp_emit(const struct tcp_seg *seg, uint8_t *p);
/* Where fields lie, for who looks at a header or changes one where it is. */
enum { TCP_SEQ_AT = 4, TCP_ACK_AT = 8, TCP_OFFSET_AT = 12, TCP_FLAGS_AT = 13, TCP_CHECKSUM_AT = 16 };

#endif
