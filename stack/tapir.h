/* tapir.h: the whole public interface of the stack. Applications, drivers and tests include this and nothing below it.
 *
 * The stack is a value. It lives in one block of memory that the caller lends, and it never makes a system call, reads
 * a clock, starts a thread, allocates memory or prints. Frames, the time and a seed are handed in; frames and one
 * deadline are handed out. Two stacks in one process share nothing; a copy of the block is a snapshot, and copying it
 * back to the same place is a rewind.
 *
 * Four ways in, each a thin layer over the one before:
 *   1 engine    tapir_init, tapir_frame_get, tapir_input, tapir_output, tapir_tick, tapir_deadline
 *   2 sockets   tapir_socket ... tapir_close: POSIX names and meanings, never blocking, negative errors
 *   3 events    tapir_on: callbacks in the manner of Node's net and dgram
 *   4 blocking  drivers/net.h: listen, accept, dial, read, write from any thread, in the manner of Go's net
 *
 * Threads: one struct tapir is used by one thread at a time, and every call here is a call into it. Nothing here locks.
 * A program with several threads uses way 4, whose lock is the loop's.
 *
 * Units: _us are microseconds of the caller's monotonic clock (usec_t); lengths are bytes; ports are host order. */
#ifndef TAPIR_H
#define TAPIR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef uint64_t usec_t;			/* caller's monotonic clock, microseconds */
#define USEC_NEVER UINT64_MAX			/* no deadline */
#define TAPIR_MS ((usec_t)1000)
#define TAPIR_SEC ((usec_t)1000000)

struct span { const uint8_t *p; size_t n; };	/* borrowed bytes, never owned */

struct tapir;					/* one stack; opaque */

/* ---- addresses ------------------------------------------------------------------------------------------------- */

/* An IPv6 address, or an IPv4 address in its IPv4-mapped form ::ffff:a.b.c.d (RFC 4291 2.5.5.2); all zero is "any".
 * In memory order, so that two of them compare with memcmp. */
struct tapir_addr { uint8_t b[16]; };

struct tapir_endpoint { struct tapir_addr addr; uint16_t port; };

struct tapir_addr tapir_ipv4(uint8_t a, uint8_t b, uint8_t c, uint8_t d);
bool tapir_addr_is_ipv4(const struct tapir_addr *a);
bool tapir_addr_is_any(const struct tapir_addr *a);		/* unspecified, of either family */
bool tapir_addr_equal(const struct tapir_addr *a, const struct tapir_addr *b);

/* "10.0.0.2" > address. 0, or TAPIR_EINVAL when text is not a dotted IPv4 address. */
int tapir_addr_parse(const char *text, struct tapir_addr *out);

#define TAPIR_ADDR_TEXT 48			/* bytes, with the final NUL */
/* Writes the textual form into text and returns text. */
char *tapir_addr_format(const struct tapir_addr *a, char text[TAPIR_ADDR_TEXT]);

/* ---- errors ---------------------------------------------------------------------------------------------------- */

/* Every call that can fail returns one of these, always negative. Names and meanings are POSIX's. */
#define TAPIR_ERRORS(X) \
	X(EAGAIN, 1, "the operation would block: try again when the socket is ready") \
	X(EBADF, 2, "the descriptor names no open socket (it was closed, or never opened)") \
	X(EINVAL, 3, "an argument is out of its range, or the call does not fit this socket's type or state") \
	X(ENOMEM, 4, "the block of memory lent to the stack has no room for this") \
	X(EADDRINUSE, 5, "another socket already has this address and port") \
	X(EADDRNOTAVAIL, 6, "the address is not one of this stack's, or no port is free") \
	X(ENETUNREACH, 7, "no route leads to this address") \
	X(EHOSTUNREACH, 8, "the host does not answer, or a router reports that it cannot be reached") \
	X(ECONNREFUSED, 9, "the peer refused: nothing listens on that port") \
	X(ECONNRESET, 10, "the peer reset the connection") \
	X(ECONNABORTED, 11, "the connection was aborted by this side") \
	X(ETIMEDOUT, 12, "the peer did not answer in time") \
	X(ENOTCONN, 13, "the socket is not connected") \
	X(EISCONN, 14, "the socket is already connected") \
	X(EINPROGRESS, 15, "the connection is being opened: wait until the socket is writable") \
	X(EALREADY, 16, "the connection is already being opened") \
	X(EPIPE, 17, "this side was shut down for sending") \
	X(EMSGSIZE, 18, "the datagram is larger than the protocol or the path allows") \
	X(EDESTADDRREQ, 19, "the socket has no peer: name a destination") \
	X(EACCES, 20, "a broadcast needs the SO_BROADCAST option") \
	X(EOPNOTSUPP, 21, "this kind of socket has no such operation") \
	X(ENOPROTOOPT, 22, "this kind of socket has no such option") \
	X(EPROTO, 23, "the peer broke the protocol") \
	X(EIO, 24, "the driver failed")
enum tapir_error {
	TAPIR_OK = 0,
#define X(name, number, sentence) TAPIR_##name = -number,
	TAPIR_ERRORS(X)
#undef X
};
const char *tapir_strerror(int error);		/* a sentence for people, e.g. for TAPIR_EAGAIN */
const char *tapir_errname(int error);		/* "EAGAIN" */

/* ---- verdicts -------------------------------------------------------------------------------------------------- */

/* What became of a frame handed to tapir_input, or of a datagram the stack tried to send. Each end has one name, is
 * counted once, and can be asked for: tapir_count(t, DROP_TCP_CHECKSUM). The text says the rule. */
#define TAPIR_VERDICTS(X) \
	X(ACCEPT, "accepted") \
	X(ACCEPT_COOKIE, "SYN answered with a SYN cookie, nothing is remembered (RFC 4987 3.6)") \
	X(HELD, "held until the next hop's link address is known (RFC 1122 2.3.2.2)") \
	X(HELD_FRAGMENT, "fragment held for reassembly (RFC 815)") \
	X(DROP_NO_MEMORY, "a pool is empty") \
	X(DROP_ETH_SHORT, "shorter than an Ethernet header") \
	X(DROP_ETH_NOT_FOR_US, "Ethernet destination is neither ours, broadcast nor ours by multicast") \
	X(DROP_ETH_SOURCE, "Ethernet source is our own or a group address") \
	X(DROP_ETH_TYPE, "ethertype without a protocol here") \
	X(DROP_ARP_SHORT, "shorter than an ARP packet for Ethernet and IPv4 (RFC 826)") \
	X(DROP_ARP_FORMAT, "ARP hardware, protocol or length field is not Ethernet and IPv4 (RFC 826)") \
	X(DROP_ARP_OP, "ARP operation is neither request nor reply (RFC 826)") \
	X(DROP_ARP_SENDER, "ARP sender address is impossible: group or foreign link address, group or network protocol address") \
	X(DROP_ARP_CONFLICT, "another host claims our address (RFC 5227 2.4)") \
	X(DROP_ARP_NOT_FOR_US, "ARP for another host, from one we have no entry for (RFC 826)") \
	X(DROP_ARP_UNSOLICITED, "ARP reply that nobody asked for") \
	X(DROP_ARP_UNRESOLVED, "no answer to ARP: host unreachable (RFC 1122 2.3.2.1)") \
	X(DROP_ARP_QUEUE_FULL, "too many datagrams wait for this neighbour (RFC 1122 2.3.2.2)") \
	X(DROP_IP_SHORT, "shorter than an IPv4 header, or than its length fields say") \
	X(DROP_IP_VERSION, "IP version is not 4") \
	X(DROP_IP_HEADER_LENGTH, "IPv4 header length is below 5 or past the datagram (RFC 791 3.1)") \
	X(DROP_IP_LENGTH, "IPv4 total length is below the header or past the frame (RFC 791 3.1)") \
	X(DROP_IP_CHECKSUM, "IPv4 header checksum is wrong (RFC 1122 3.2.1.2)") \
	X(DROP_IP_OPTION, "IPv4 option list is malformed (RFC 791 3.1)") \
	X(DROP_IP_SOURCE_ROUTE, "source-routed datagram (RFC 6274 3.13.2)") \
	X(DROP_IP_SOURCE, "IPv4 source is a broadcast, multicast, loopback or our own address (RFC 1122 3.2.1.3)") \
	X(DROP_IP_NOT_FOR_US, "IPv4 destination is not ours, and we do not forward (RFC 1122 3.3.1)") \
	X(DROP_IP_MARTIAN, "loopback address on the wire (RFC 1122 3.2.1.3 g)") \
	X(DROP_IP_PROTOCOL, "IP protocol without a receiver here: protocol unreachable (RFC 1122 3.2.2.1)") \
	X(DROP_IP_NO_ROUTE, "no route to the destination") \
	X(DROP_IP_NEEDS_FRAGMENT, "larger than the path MTU with don't fragment set") \
	X(DROP_FRAG_RANGE, "fragment reaches past 65535 bytes, or is empty (RFC 791 3.2)") \
	X(DROP_FRAG_ALIGN, "fragment with more to come is not a multiple of 8 bytes (RFC 791 3.2)") \
	X(DROP_FRAG_OVERLAP, "fragment overlaps another with different extent: the datagram is given up (RFC 5722 in spirit)") \
	X(DROP_FRAG_ECN, "fragments of one datagram disagree: one is marked CE, another not ECN-capable (RFC 3168 5.3)") \
	X(DROP_FRAG_LIMIT, "too many datagrams in reassembly, or too many fragments in one") \
	X(DROP_FRAG_TIMEOUT, "reassembly took too long: time exceeded (RFC 1122 3.3.2)") \
	X(DROP_ICMP_SHORT, "shorter than an ICMP header") \
	X(DROP_ICMP_CHECKSUM, "ICMP checksum is wrong") \
	X(DROP_ICMP_TYPE, "ICMP type that needs no answer from a host (RFC 1122 3.2.2)") \
	X(DROP_ICMP_QUOTE, "ICMP error quotes too little, or nothing of ours (RFC 5927 4)") \
	X(DROP_ICMP_BROADCAST, "ICMP request to a broadcast or multicast address is not answered (RFC 1122 3.2.2.6)") \
	X(DROP_ICMP_RATE, "an ICMP error was owed, the rate limit forbids it (RFC 1812 4.3.2.8)") \
	X(DROP_ICMP_NO_SOCKET, "ICMP echo reply that nobody waits for") \
	X(DROP_UDP_SHORT, "shorter than a UDP header, or than its length field says (RFC 768)") \
	X(DROP_UDP_LENGTH, "UDP length field is below 8 or past the datagram (RFC 768)") \
	X(DROP_UDP_CHECKSUM, "UDP checksum is wrong (RFC 1122 4.1.3.4)") \
	X(DROP_UDP_PORT_ZERO, "UDP destination port is 0") \
	X(DROP_UDP_GSO, "frame of several UDP datagrams: none, or of size 0, or over 128 (Linux UDP_MAX_SEGMENTS)") \
	X(DROP_UDP_NO_PORT, "no UDP socket on that port: port unreachable (RFC 1122 4.1.3.1)") \
	X(DROP_UDP_QUEUE_FULL, "the UDP socket's receive queue is full") \
	X(DROP_TCP_SHORT, "shorter than a TCP header") \
	X(DROP_TCP_OFFSET, "TCP data offset is below 5 or past the segment (RFC 9293 3.1)") \
	X(DROP_TCP_OPTION, "TCP option list is malformed (RFC 9293 3.2 MUST-7)") \
	X(DROP_TCP_CHECKSUM, "TCP checksum is wrong (RFC 9293 3.1 MUST-3)") \
	X(DROP_TCP_PORT_ZERO, "TCP port is 0") \
	X(DROP_TCP_BROADCAST, "TCP segment to or from a broadcast or multicast address (RFC 9293 3.9.2.3 MUST-57)") \
	X(DROP_TCP_CLOSED, "no connection and no listener: RST, or nothing for a RST (RFC 9293 3.10.7.1)") \
	X(DROP_TCP_LISTEN_RST, "RST in LISTEN is ignored (RFC 9293 3.10.7.2 first)") \
	X(DROP_TCP_LISTEN_ACK, "ACK in LISTEN: RST (RFC 9293 3.10.7.2 second)") \
	X(DROP_TCP_COOKIE, "ACK in LISTEN while SYN cookies are out, but of none that is ours and fresh: RST (RFC 4987 3.6)") \
	X(DROP_TCP_LISTEN_NO_SYN, "segment in LISTEN without SYN, ACK or RST (RFC 9293 3.10.7.2 fourth)") \
	X(DROP_TCP_BACKLOG, "accept queue or table of connections is full: the peer will try again") \
	X(DROP_TCP_SYN_RATE, "SYN beyond config.syn_cookie_rate: passed over; sent again, it goes first (RFC 4987 3)") \
	X(DROP_TCP_DEFER_ACCEPT, "ACK of our SYN without text, where the listener waits for text (TCP_DEFER_ACCEPT)") \
	X(DROP_TCP_SYN_SENT_ACK, "ACK in SYN-SENT is not for our SYN: RST (RFC 9293 3.10.7.3 first)") \
	X(DROP_TCP_SYN_SENT_RST, "RST in SYN-SENT without an acceptable ACK (RFC 9293 3.10.7.3 second; RFC 5961 3.2)") \
	X(DROP_TCP_SYN_SENT_NO_SYN, "segment in SYN-SENT with neither SYN nor RST (RFC 9293 3.10.7.3 fifth)") \
	X(DROP_TCP_OUT_OF_WINDOW, "sequence number outside the window: ACK (RFC 9293 3.10.7.4 first)") \
	X(DROP_TCP_PAWS, "timestamp older than the last one: ACK (RFC 7323 5.3 R1)") \
	X(DROP_TCP_NO_TIMESTAMP, "segment without the timestamp that was agreed on (RFC 7323 3.2)") \
	X(DROP_TCP_RST_OUT_OF_WINDOW, "RST outside the window is ignored (RFC 9293 3.10.7.4 second; RFC 5961 3.2)") \
	X(DROP_TCP_RST_CHALLENGE, "RST in the window but not at RCV.NXT: challenge ACK (RFC 9293 3.10.7.4 second; RFC 5961 3.2)") \
	X(DROP_TCP_SYN_CHALLENGE, "SYN on a synchronized connection: challenge ACK (RFC 9293 3.10.7.4 fourth; RFC 5961 4.2)") \
	X(DROP_TCP_NO_ACK, "segment without ACK (RFC 9293 3.10.7.4 fifth)") \
	X(DROP_TCP_ACK_RANGE, "ACK outside SND.UNA - MAX.SND.WND .. SND.NXT: challenge ACK (RFC 5961 5.2)") \
	X(DROP_TCP_SYN_RCVD_ACK, "ACK in SYN-RECEIVED is not for our SYN: RST (RFC 9293 3.10.7.4 fifth)") \
	X(DROP_TCP_CLOSED_BY_USER, "text after the user closed: RST (RFC 9293 3.6.1; RFC 1122 4.2.2.13)") \
	X(DROP_TCP_REASS_LIMIT, "too many pieces of out-of-order text on this connection") \
	X(DROP_TCP_TIME_WAIT, "old duplicate in TIME-WAIT (RFC 9293 3.10.7.4; RFC 1337)")
enum tapir_verdict {
#define X(name, sentence) name,
	TAPIR_VERDICTS(X)
#undef X
	TAPIR_VERDICT_COUNT
};
const char *tapir_verdict_name(enum tapir_verdict v);		/* "DROP_TCP_CHECKSUM" */
const char *tapir_verdict_text(enum tapir_verdict v);		/* "TCP checksum is wrong (RFC 9293 3.1 MUST-3)" */

/* ---- TCP states and events ------------------------------------------------------------------------------------- */

/* RFC 9293 3.3.2, in the order of its figure 5. */
enum tapir_tcp_state {
	TAPIR_TCP_CLOSED, TAPIR_TCP_LISTEN, TAPIR_TCP_SYN_SENT, TAPIR_TCP_SYN_RCVD, TAPIR_TCP_ESTABLISHED,
	TAPIR_TCP_FIN_WAIT_1, TAPIR_TCP_FIN_WAIT_2, TAPIR_TCP_CLOSE_WAIT, TAPIR_TCP_CLOSING, TAPIR_TCP_LAST_ACK,
	TAPIR_TCP_TIME_WAIT
};
const char *tapir_tcp_state_name(enum tapir_tcp_state s);	/* "SYN-RECEIVED", as the RFC writes it */

enum tapir_tcp_timer {		/* the logical timers of one connection; FIN_WAIT_2: an orphan's, there and before */
	TAPIR_TIMER_RTO, TAPIR_TIMER_PERSIST, TAPIR_TIMER_DELACK, TAPIR_TIMER_KEEPALIVE, TAPIR_TIMER_FIN_WAIT_2,
	TAPIR_TIMER_2MSL,
	TAPIR_TIMER_USER,	/* the user timeout (RFC 9293 3.10.8) */
	TAPIR_TIMER_TLP,	/* tail loss probe (RFC 8985 7) */
	TAPIR_TIMER_REO,	/* the reordering window (RFC 8985 6.3) */
	TAPIR_TIMER_PACE,	/* the next frame may leave */
	TAPIR_TIMER_COUNT
};
const char *tapir_timer_name(enum tapir_tcp_timer timer);	/* "RTO" */

/* Congestion control: how much may be under way. */
enum tapir_cc {
	TAPIR_CC_NEWRENO,	/* "newreno" or "reno": RFC 5681 3.1, RFC 6582 */
	TAPIR_CC_CUBIC,		/* "cubic": RFC 9438 4 with HyStart++ (RFC 9406 4.2) */
	TAPIR_CC_BBR,		/* "bbr": BBRv3 (draft-ietf-ccwg-bbr) */
	TAPIR_CC_COUNT
};
const char *tapir_cc_name(enum tapir_cc cc);			/* "cubic" */
int tapir_cc_parse(const char *name);				/* an enum tapir_cc, or TAPIR_EINVAL */

/* One thing that happened, with its reason. The only way anything is reported from inside the stack. */
enum tapir_event_kind {
	TAPIR_EV_VERDICT,	/* a frame's end: u.verdict */
	TAPIR_EV_STATE,		/* a TCP state arrow: u.state */
	TAPIR_EV_SEGMENT_IN,	/* a TCP segment reached its connection: u.segment, before it is processed; several that were
				 * joined, by the driver or by tapir_input_batch: once, as one of their length */
	TAPIR_EV_SEGMENT_OUT,	/* tcp_output decided on a segment: u.segment; why says the reason. What the stack cuts up, each as
				 * it leaves; what the driver cuts up, once */
	TAPIR_EV_ACK_OWED,	/* an ACK is now owed; why says the rule */
	TAPIR_EV_TIMER_ARMED,	/* u.timer */
	TAPIR_EV_TIMER_FIRED,	/* u.timer */
	TAPIR_EV_RETRANSMIT,	/* u.segment; why says what gave it up for lost */
	TAPIR_EV_CC,		/* cwnd, ssthresh or RTT changed: u.cc */
	TAPIR_EV_WINDOW,	/* the send window changed: u.window */
	TAPIR_EV_ECN,		/* marks of congestion arrived, or were answered (RFC 3168 6.1.3): u.ecn */
	TAPIR_EV_ARP,		/* a neighbour's state changed: u.arp */
	TAPIR_EV_PMTU,		/* SND.MSS, or what is known of the path's MTU, changed: u.pmtu */
	TAPIR_EV_BUFFER		/* a buffer's size was tuned: u.buffer */
};
struct tapir_event {
	enum tapir_event_kind kind;
	usec_t now_us;
	struct tapir_endpoint local, remote;	/* of the connection; zero where there is none */
	const char *why;			/* static text: the rule, with its RFC and section; never NULL */
	union {
		struct { enum tapir_verdict verdict; uint32_t frame_len; bool arrived; } verdict;	/* arrived: the end of
						 * what tapir_input was given, after all that it caused */
		struct { enum tapir_tcp_state from, to; } state;
		struct { uint32_t seq, ack, len, wnd; uint8_t flags; } segment;	/* wnd in bytes, shift applied */
		struct { enum tapir_tcp_timer timer; usec_t due_us; } timer;
		struct { uint32_t cwnd, ssthresh, flight, srtt_us, rttvar_us, rto_us; } cc;
		struct { uint32_t wnd, una, nxt; } window;
		struct { bool on, echo; uint32_t ce_in; } ecn;	/* agreed; ACKs say ECE; segments that came with CE */
		struct { struct tapir_addr addr; uint8_t mac[6]; bool reachable; } arp;
		struct { uint16_t mtu, mss, low, high, probe; } pmtu;	/* mtu: of full segments. low, high: the search (RFC 4821
									 * 7.1), 0: none; probe: the size under way; 0: none */
		struct { uint32_t sndbuf, rcvbuf, rtt_us; } buffer;	/* rtt_us: the receiver's own measure */
	} u;
};
typedef void (*tapir_probe_fn)(void *ctx, const struct tapir_event *event);	/* must not call into the stack */

/* ---- configuration --------------------------------------------------------------------------------------------- */

struct tapir_offload_caps {	/* what the driver can take over from the stack, and gives to it */
	bool csum;		/* checksums of frames out may be left partial; frames in may come partial or valid */
	bool tso4, tso6;	/* TCP segments out may exceed the MTU (gso_size is the MSS); so may those in */
	bool uso;		/* datagrams of one size and one header may share a frame (gso_size is their text's); wants csum,
				 * too, for those out */
};

enum tapir_fastopen {		/* the bits of Linux' tcp_fastopen */
	TAPIR_FASTOPEN_CLIENT = 1,		/* TCP_FASTOPEN_CONNECT counts */
	TAPIR_FASTOPEN_SERVER = 2,		/* TCP_FASTOPEN counts */
	TAPIR_FASTOPEN_CLIENT_NO_COOKIE = 4,	/* text leaves on the SYN even without a cookie: among friends only */
	TAPIR_FASTOPEN_SERVER_NO_COOKIE = 0x200,	/* and is taken without one */
	TAPIR_FASTOPEN_SERVER_ALL = 0x400	/* every listener, without TCP_FASTOPEN: as many as its backlog */
};

/* The numbers of Linux' tcp_ecn. */
enum { TAPIR_ECN_OFF, TAPIR_ECN_ON, TAPIR_ECN_IF_ASKED };

/* Every choice of one instance. tapir_config_default() fills in everything but addr, mac and seed. */
struct tapir_config {
	/* who we are */
	bool ip_only;			/* frames are bare IP datagrams (a TUN, a harness), no Ethernet, no ARP; default no */
	uint8_t mac[6];			/* our link address; all zero: made from the seed, locally administered */
	struct tapir_addr addr;		/* our address */
	uint8_t prefix_len;		/* of the directly connected network; default 24 */
	struct tapir_addr gateway;	/* default route; any: none */
	uint16_t mtu;			/* IP MTU of the link; default 1500 (RFC 894) */
	struct tapir_offload_caps offload;	/* from the driver; default none */
	uint64_t seed[2];		/* entropy: ISNs, ports, hashes, IP IDs. The same seed and input give the same run */

	/* memory: counts of entries; tapir_size() adds them up */
	uint32_t max_sockets;		/* sockets a program may hold open; default 1024 */
	uint32_t max_conns;		/* TCP connections that are open, or that a program holds; default 4096 */
	uint32_t max_half_open;		/* and passive ones in SYN-RECEIVED, for all listeners, at 128 bytes each; default 1024.
					 * Beyond: syn_cookies */
	uint32_t max_time_wait;		/* and those in TIME-WAIT that no program holds, likewise; default 16384, as many as
					 * ephemeral ports. Beyond: the oldest ends */
	uint16_t max_bound;		/* TCP sockets with an address of their own, from bind() or listen(), whose listeners and
					 * addresses lie apart so that others do not pay for them; default 1024 */
	uint32_t max_datagram;		/* UDP sockets, of max_sockets, likewise; default 1024 */
	uint32_t max_sending;		/* connections that have text under way, about 900 bytes each; others wait for their turn.
					 * Default 0: a quarter of max_conns, or 64. Text lies in frames, so never more than
					 * there are frames, borrowed ones included */
	uint32_t tcp_tunings;		/* different sets of rarely set TCP options (TAPIR_TCP_KEEPIDLE and so on) in use at
					 * once, by any number of sockets; default 256 */
	uint32_t small_frames;		/* buffers of 2 KiB; default 4096 */
	uint32_t large_frames;		/* buffers of 64 KiB; default 128 */

	/* ARP and IP */
	uint16_t arp_entries;		/* cache size; default 256 */
	uint8_t arp_queue;		/* datagrams held for each unresolved neighbour; default 16 (RFC 1122 2.3.2.2) */
	usec_t arp_reachable_us;	/* age at which an entry in use is probed by unicast; default 60 s (RFC 1122 2.3.2.1) */
	usec_t arp_retry_us;		/* between requests; default 1 s (RFC 1122 2.3.2.1) */
	uint8_t arp_tries;		/* requests before the neighbour counts as unreachable; default 3 */
	bool arp_probe;			/* RFC 5227 probing before the address is used; default yes. Announce is always sent */
	usec_t arp_probe_us;		/* longest wait between two probes; default 200 ms. DEVIATES: RFC 5227 1.1 (1-2 s) because
					 * a lab should not wait seven seconds; set 2 s on a shared network */
	uint8_t ttl;			/* default 64 (RFC 1122 3.2.1.7) */
	uint16_t reass_max;		/* datagrams in reassembly at once; default 16 */
	usec_t reass_timeout_us;	/* default 30 s (RFC 1122 3.3.2 says 60 to 120, Linux 30) */
	uint32_t icmp_rate;		/* ICMP errors a second; default 100 (RFC 1812 4.3.2.8) */
	uint32_t icmp_burst;		/* and at once; default 20 */
	usec_t pmtu_timeout_us;		/* a learned path MTU is forgotten after; default 10 min (RFC 1191 6.3) */
	uint16_t min_pmtu;		/* smaller reports are not believed, smaller segments not tried; default 552 (as Linux) */

	/* sockets */
	uint32_t sndbuf, rcvbuf;	/* a stream's, in bytes, to begin with; default 128 KiB each */
	uint32_t sndbuf_max, rcvbuf_max;	/* and what they grow to by themselves, while the program has set no size with
					 * TAPIR_SO_SNDBUF or _RCVBUF; default 4 and 6 MiB; at most sndbuf, rcvbuf: they do not */
	uint32_t udp_rcvbuf;		/* a datagram socket's; default 512 KiB */
	uint16_t backlog;		/* upper limit of listen()'s backlog: accept queue, and SYN queue; default 1024 */
	uint16_t port_first, port_last;	/* ephemeral ports; default 49152..65535 (RFC 6056 2.1) */

	/* TCP */
	usec_t msl_us;			/* default 30 s; TIME-WAIT lasts two (RFC 9293 3.4.2 says MSL 2 min, Linux 30 s) */
	int64_t isn;			/* -1: RFC 6528, the default; else every connection's ISS, for lessons and tests */
	usec_t rto_initial_us;		/* default 1 s (RFC 6298 2.1) */
	usec_t rto_min_us;		/* default 200 ms. DEVIATES: RFC 6298 2.4 (1 s) because every current stack does */
	usec_t rto_max_us;		/* default 60 s (RFC 6298 2.5) */
	uint8_t syn_retries;		/* SYN retransmissions before ETIMEDOUT; default 7: over 3 min (RFC 9293 3.8.3 MUST-23) */
	uint8_t synack_retries;		/* default 5 */
	uint8_t retries1;		/* R1: advise IP of a suspect route; default 3 (RFC 9293 3.8.3 MUST-20, SHLD-10) */
	uint8_t retries2;		/* R2: retransmissions before ETIMEDOUT, 255: for ever; default 15, 15 minutes or so (RFC
					 * 9293 3.8.3 SHLD-11); TAPIR_TCP_RETRIES sets it for one socket */
	uint8_t orphan_retries;		/* the same when no program holds the connection any more; default 8 */
	usec_t orphan_us;		/* such a connection may take so long in all, and a millisecond for each byte, to get rid of
					 * its text and FIN, however the peer answers; then a RST. Default 10 min. What a program
					 * still holds, it bounds itself: sndbuf for each connection (see stack/tcp/orphan.c) */
	uint16_t initial_window;	/* segments; default 10 (RFC 6928) */
	enum tapir_cc congestion;	/* default TAPIR_CC_CUBIC; TAPIR_TCP_CONGESTION sets it for one socket */
	bool pacing;			/* window controllers are paced, too (BBR always is); default no, see pace.c */
	usec_t delack_us;		/* delayed ACK; 0: acknowledge each segment at once; default 40 ms (RFC 9293 3.8.6.3) */
	uint16_t quickacks;		/* the first so many segments of a connection are acknowledged at once; default 16 */
	usec_t cork_us;			/* TCP_CORK holds a short segment at most so long; default 200 ms (as Linux) */
	uint8_t ecn;			/* RFC 3168 6.1: TAPIR_ECN_OFF; ON: asked for and agreed to; IF_ASKED: the peer must
					 * ask, the default (as Linux) */
	bool pmtu_wait;			/* a report that the path carries less than it has carried is believed only after a timeout;
					 * default yes (RFC 5927 7.2) */
	uint8_t mtu_probing;		/* against paths that drop large segments in silence (RFC 4821 3; as Linux tcp_mtu_probing):
					 * 0 nothing; 1, the default, smaller ones after black_hole_rtos, then a search upward;
					 * 2 each path begins with base_mss and is searched upward */
	uint8_t black_hole_rtos;	/* timeouts of one full segment in a row; default 3 (RFC 4821 7.7; as Linux tcp_retries1) */
	uint16_t base_mss;		/* segments that nearly every path carries; default 1024 (RFC 4821 7.2) */
	uint8_t syn_cookies;		/* RFC 4987 3.6: 0 never (the oldest half-open connection gives way); 1 when the SYN
					 * queue is full, the default; 2 always. As Linux' tcp_syncookies */
	uint32_t syn_cookie_rate;	/* cookies a second, and as many for SYNs that come a second time; what is beyond waits
					 * for its next SYN, so that a flood does not take the time of everybody else (RFC 4987
					 * 3; stack/tcp/flood.c). Default 25000, at most 1000000; 0: without limit */
	uint32_t syn_memory;		/* bytes to know those by that were passed over; default 2 MiB, enough for 700,000 a second,
					 * used only in a flood; at least 128, at most 1 GiB, rounded down to a power of two */
	uint16_t fastopen;		/* RFC 7413 4: a set of enum tapir_fastopen; default TAPIR_FASTOPEN_CLIENT */
	uint16_t fastopen_peers;	/* servers whose cookie a client keeps; default 64 */
	usec_t fastopen_retry_us;	/* a peer that text on a SYN did not reach is left alone so long, twice that after the
					 * next time, up to 64 times; default 60 s (RFC 7413 4.1.3.1) */
	uint64_t fastopen_key[2];	/* of a server's cookies, shared by those behind one name; 0, 0: made from the seed */
	bool gso;			/* text that may leave is planned up to 64 KB at once, and cut into segments as they leave
					 * where the driver does not do it; default yes (as Linux): see stack/tcp/burst.c */
	bool gro;			/* tapir_input_batch joins segments; default yes (as Linux): see stack/gather.c */
	bool timestamps;		/* RFC 7323 3; default yes */
	bool sack;			/* RFC 2018 2; default yes */
	bool dsack;			/* duplicates are reported (RFC 2883 4), where SACK is agreed; default yes */
	bool tlp;			/* tail loss probes (RFC 8985 7); default yes */
	usec_t tlp_min_us;		/* a probe waits so long at least, however short the round trip is; default 10 ms */
	bool window_scale;		/* RFC 7323 2; default yes */
	bool nagle;			/* RFC 9293 3.7.4; default yes; TCP_NODELAY turns it off for one socket */
	usec_t keepalive_idle_us;	/* default 2 h (RFC 9293 3.8.4 MUST-28) */
	usec_t keepalive_interval_us;	/* default 75 s */
	uint8_t keepalive_probes;	/* default 9 */
	usec_t fin_wait_2_us;		/* an orphan's wait for the peer's FIN; default 60 s (as Linux tcp_fin_timeout) */
	uint32_t challenge_acks;	/* challenge ACKs a second, all connections together; half of it to one and a half times
					 * it, which of them is drawn anew each second; default 1000 (RFC 5961 7) */
	usec_t challenge_interval_us;	/* and between two on one connection; default 500 ms (as Linux tcp_invalid_ratelimit) */
	bool rfc1337;			/* a RST does not end TIME-WAIT; default yes, Linux no: see stack/tcp/timewait.c */

	tapir_probe_fn probe;		/* NULL: nobody looks */
	void *probe_ctx;
};

/* Fills in every default above. */
void tapir_config_default(struct tapir_config *config);

/* ---- 1: the engine --------------------------------------------------------------------------------------------- */

struct tapir_offload {		/* what is still to be done to a frame, or was already; the words of virtio_net_hdr */
	enum tapir_csum { TAPIR_CSUM_NONE, TAPIR_CSUM_VALID, TAPIR_CSUM_PARTIAL } csum;
				/* NONE: complete (out), unchecked (in). PARTIAL: the field holds the pseudo-header's sum */
	uint16_t csum_start, csum_offset;	/* PARTIAL: sum from csum_start to the end into csum_start + csum_offset */
	enum tapir_gso { TAPIR_GSO_NONE, TAPIR_GSO_TCP4, TAPIR_GSO_TCP6, TAPIR_GSO_UDP } gso;
	uint16_t gso_size, hdr_len;	/* payload bytes of each wire segment; bytes of all headers */
};

/* A buffer from the stack's pools. A driver gets an empty one, reads a frame to data[0..room), sets len and offload and
 * hands it to tapir_input, which takes it over. Inside the stack the same type holds queued bytes. */
struct tapir_frame {
	struct tapir_frame *next;
	uint8_t *data;			/* first valid byte */
	uint32_t len;			/* valid bytes from data */
	uint32_t room;			/* bytes that fit from data on */
	uint8_t *store;			/* the storage; NULL: data is borrowed from the program */
	uint32_t cap;			/* bytes of storage: what this buffer costs */
	struct tapir_offload offload;
	union {				/* belongs to whoever holds it */
		struct { struct tapir_endpoint peer; struct tapir_addr local; } datagram;	/* a socket's receive queue */
		struct { void (*done)(void *ctx, const uint8_t *p); void *ctx; } borrowed;	/* tapir_send_borrowed */
		struct { uint32_t next_hop; uint16_t offset; uint8_t tries; } sending;		/* the output queue */
		uint32_t seq;								/* TCP reassembly */
	} u;
};

#define TAPIR_OUT_HEAD 160		/* Ethernet 14 + IPv4 60 + TCP 60, and some */
#define TAPIR_OUT_SLICES 64
/* One frame to send: the headers, then borrowed slices. Valid until the next call into the stack; the slices of TCP's text
 * (offload.gso TAPIR_GSO_TCP4, TCP6) until the next call that is not tapir_output. */
struct tapir_out {
	struct tapir_offload offload;	/* offsets count from the first byte of the frame */
	uint32_t len;			/* bytes of the whole frame */
	uint16_t head_at, head_len;	/* headers are head[head_at .. head_at + head_len) */
	uint16_t slice_count;
	struct span slices[TAPIR_OUT_SLICES];
	uint8_t head[TAPIR_OUT_HEAD];
};
/* Copies the whole frame to buf, which has out->len bytes; completes a partial checksum there unless keep_partial. */
void tapir_out_copy(const struct tapir_out *out, uint8_t *buf, bool keep_partial);

/* Bytes of memory a stack with this configuration needs; 0 when the configuration is impossible. */
size_t tapir_size(const struct tapir_config *config);

/* Makes a stack in mem (tapir_size bytes, aligned to 64), which stays the caller's and must outlive it. config is
 * copied. now_us is the time on the clock that tapir_tick will be given. NULL when the configuration is impossible. */
struct tapir *tapir_init(void *mem, const struct tapir_config *config, usec_t now_us);
void tapir_set_probe(struct tapir *t, tapir_probe_fn probe, void *ctx);	/* from now on instead of config.probe; NULL: none */
const struct tapir_config *tapir_get_config(const struct tapir *t);	/* as completed by tapir_init: mac, mtu ... */

/* An empty buffer for one received frame: the largest that can arrive fits. NULL: the pools are empty; read and throw
 * away, or wait. Give it back with tapir_frame_put if nothing was read. */
struct tapir_frame *tapir_frame_get(struct tapir *t);
void tapir_frame_put(struct tapir *t, struct tapir_frame *frame);

/* One received frame, which the stack takes over. Only changes state: what is owed leaves through tapir_output. */
enum tapir_verdict tapir_input(struct tapir *t, struct tapir_frame *frame);

/* The same for frames in the order of their arrival; the places of frames are the stack's to write to. Segments of a connection
 * that continue each other are taken as one (config.gro): what it causes is told once, its verdict for each frame. verdicts: n
 * places for them, or NULL. */
void tapir_input_batch(struct tapir *t, struct tapir_frame *frames[], uint32_t n, enum tapir_verdict *verdicts);

/* The next frame to send, written to out: 1; or 0: nothing to send now. Call until 0. */
int tapir_output(struct tapir *t, struct tapir_out *out);

/* Sets the time, which never goes back, and runs every timer that is due. */
void tapir_tick(struct tapir *t, usec_t now_us);

/* When tapir_tick must be called again at the latest; USEC_NEVER: only input can change anything. */
usec_t tapir_deadline(const struct tapir *t);

usec_t tapir_now(const struct tapir *t);			/* the last tick's time */
bool tapir_address_ready(const struct tapir *t);	/* false while RFC 5227 probing is under way, or found a conflict */
uint64_t tapir_count(const struct tapir *t, enum tapir_verdict v);	/* frames with that end, since tapir_init */

struct tapir_usage {			/* how much of the lent memory is taken, against what there is */
	uint32_t sockets, sockets_max, conns, conns_max, small_frames, small_frames_max, large_frames, large_frames_max;
	uint32_t half_open, half_open_max, time_wait, time_wait_max;	/* of conns */
	uint32_t bound, bound_max, datagram, datagram_max;			/* of sockets */
	uint32_t sending, sending_max;	/* connections that have, or just had, text under way */
	uint32_t arp, arp_max, reass, reass_max, tcp_tunings, tcp_tunings_max, timers;
};
void tapir_usage(const struct tapir *t, struct tapir_usage *usage);

struct tapir_arp_entry { struct tapir_addr addr; uint8_t mac[6]; bool reachable; usec_t age_us; };	/* a row of arp -a */
/* Copies up to max rows of the ARP cache to rows; returns how many there are. */
uint32_t tapir_arp_list(const struct tapir *t, struct tapir_arp_entry *rows, uint32_t max);

/* What has happened since tapir_init; what became of frames, tapir_count says. A frame is what the driver gave or was given,
 * with segmentation offload maybe many on the wire; segments are counted as there. The opens and fails are RFC 4022 3's. */
struct tapir_stats {
	uint64_t frames_in, bytes_in, frames_out, bytes_out;
	uint64_t tcp_active_opens, tcp_passive_opens;	/* CLOSED > SYN-SENT; LISTEN > SYN-RECEIVED */
	uint64_t tcp_attempt_fails, tcp_estab_resets;	/* > CLOSED from SYN-SENT, SYN-RECEIVED; from ESTABLISHED, CLOSE-WAIT */
	uint64_t tcp_segs_in, tcp_segs_out;		/* in: well-formed ones, for whatever port */
	uint64_t tcp_retrans, tcp_timeouts, tcp_rsts_out;	/* timeouts: of the retransmission timer */
	uint64_t udp_in, udp_out;			/* datagrams to and from sockets */
};
void tapir_stats(const struct tapir *t, struct tapir_stats *stats);

/* Adds a route: longest prefix wins. gateway any: directly connected. TAPIR_ENOMEM after 16. */
int tapir_route_add(struct tapir *t, struct tapir_addr net, uint8_t prefix_len, struct tapir_addr gateway);

struct tapir_route { struct tapir_addr net, gateway; uint8_t prefix_len; };	/* gateway any: directly connected */
/* Copies up to max routes to rows; returns how many there are, at most 18. */
uint32_t tapir_route_list(const struct tapir *t, struct tapir_route *rows, uint32_t max);

/* What is known of the way to one host: what routers have reported (RFC 1191 3), and what segments have found out (RFC 4821 7) */
struct tapir_path {
	struct tapir_addr host;
	uint16_t mtu;			/* of full segments now, as far as the path bounds them */
	uint16_t reported;		/* 0: nothing was, or it is forgotten ... */
	usec_t left_us;			/* ... which it will be after this time */
	uint16_t low, high, probe;	/* the search as in tapir_event: 0, 0: none; high UINT16_MAX: unlimited */
};
/* Copies up to max paths to rows; returns how many there are, at most 128. */
uint32_t tapir_path_list(const struct tapir *t, struct tapir_path *rows, uint32_t max);

/* Sends one ICMP echo request (RFC 792) with the payload copied. Answers come to tapir_echo_recv by id. */
int tapir_echo_send(struct tapir *t, struct tapir_addr to, uint16_t id, uint16_t seq, struct span payload);
struct tapir_echo {
	struct tapir_addr from;
	uint16_t id, seq;
	uint8_t ttl;
	uint8_t type, code;		/* 0, 0: an echo reply; else the ICMP error that quoted our request */
	uint32_t len;			/* payload bytes */
	usec_t at_us;			/* when it arrived */
};
/* The next answer to an echo request of ours: 1, or 0 when there is none. At most 64 are kept, oldest dropped. */
int tapir_echo_recv(struct tapir *t, struct tapir_echo *echo);

/* ---- 2: sockets ------------------------------------------------------------------------------------------------ */

/* A socket descriptor: slot | generation << 32. A closed one gets TAPIR_EBADF for ever, never another's connection.
 * Negative values are errors. */
typedef int64_t tapir_sd;

enum tapir_sock_type { TAPIR_SOCK_STREAM = 1, TAPIR_SOCK_DGRAM = 2 };	/* TCP, UDP */

/* A new socket. TAPIR_ENOMEM: config.max_sockets or max_datagram are open. */
tapir_sd tapir_socket(struct tapir *t, enum tapir_sock_type type);

/* Gives the socket a local address; port 0: an ephemeral one (RFC 6056). TAPIR_EADDRINUSE, EADDRNOTAVAIL, EINVAL;
 * ENOMEM: config.max_bound TCP sockets have one. */
int tapir_bind(struct tapir *t, tapir_sd sd, const struct tapir_endpoint *local);

/* Passive OPEN (RFC 9293 3.10.1). backlog: connections not yet accepted; at least 1, at most config.backlog.
 * Binds if it must. */
int tapir_listen(struct tapir *t, tapir_sd sd, int backlog);

/* Takes the oldest established connection; peer may be NULL. TAPIR_EAGAIN when there is none. */
tapir_sd tapir_accept(struct tapir *t, tapir_sd sd, struct tapir_endpoint *peer);

/* Stream: active OPEN; TAPIR_EINPROGRESS, then TAPIR_POLLOUT or TAPIR_POLLERR; or 0: TCP_FASTOPEN_CONNECT waits for the
 * first send. Datagram: sets the peer, 0. */
int tapir_connect(struct tapir *t, tapir_sd sd, const struct tapir_endpoint *peer);

/* Queues up to n bytes (copied) and returns how many were taken, at least 1; TAPIR_EAGAIN when none fit.
 * Datagram: all or nothing. TAPIR_EPIPE after shutdown, ENOTCONN, or the connection's error. */
int64_t tapir_send(struct tapir *t, tapir_sd sd, const void *buf, size_t n);

/* The same without the copy: p[0..n) must not change until done(ctx, p) is called, once, when the peer has acknowledged
 * it all or the connection is gone. Streams only. Takes all n or TAPIR_EAGAIN. done may be NULL: p is constant for ever.
 * done runs in the middle of whatever call ended the loan: it must not call into the stack. */
int64_t tapir_send_borrowed(struct tapir *t, tapir_sd sd, const void *p, size_t n,
			    void (*done)(void *ctx, const uint8_t *p), void *ctx);

/* Takes up to n bytes to buf: how many; 0: the peer closed and everything was read; TAPIR_EAGAIN. Datagram: one datagram,
 * what does not fit is lost. */
int64_t tapir_recv(struct tapir *t, tapir_sd sd, void *buf, size_t n);
int64_t tapir_sendto(struct tapir *t, tapir_sd sd, const void *buf, size_t n, const struct tapir_endpoint *to);
int64_t tapir_recvfrom(struct tapir *t, tapir_sd sd, void *buf, size_t n, struct tapir_endpoint *from);

/* Looks at received bytes where they lie: fills up to max spans, returns how many; 0: the peer closed; TAPIR_EAGAIN.
 * They stay valid until tapir_recv_consume, tapir_recv or tapir_close on this socket. Streams only. */
int tapir_recv_peek(struct tapir *t, tapir_sd sd, struct span *spans, int max);
/* Gives n of the bytes seen by peek back to the window. */
int tapir_recv_consume(struct tapir *t, tapir_sd sd, size_t n);

/* Moves up to n received bytes of one stream to the end of what another one, or the same, is to send, and gives them back to the
 * window: without a copy, but where a frame does not fit whole. How many; 0: the peer of `from` closed and all was moved;
 * TAPIR_EAGAIN: nothing to read, or no room; or an error of either. */
int64_t tapir_splice(struct tapir *t, tapir_sd from, tapir_sd to, size_t n);

enum tapir_shut { TAPIR_SHUT_RD, TAPIR_SHUT_WR, TAPIR_SHUT_RDWR };
/* SHUT_WR: half-close, a FIN after all that was sent. SHUT_RD: what arrives is thrown away. */
int tapir_shutdown(struct tapir *t, tapir_sd sd, enum tapir_shut how);

/* CLOSE (RFC 9293 3.10.4): frees the descriptor; what was sent still arrives, the connection ends by itself. With unread
 * bytes, or a linger of 0, it is a reset (RFC 1122 4.2.2.13). */
int tapir_close(struct tapir *t, tapir_sd sd);
/* ABORT (RFC 9293 3.10.5): a RST, and the descriptor is freed. */
int tapir_abort(struct tapir *t, tapir_sd sd);

int tapir_getsockname(struct tapir *t, tapir_sd sd, struct tapir_endpoint *local);
int tapir_getpeername(struct tapir *t, tapir_sd sd, struct tapir_endpoint *peer);

enum tapir_opt {
	TAPIR_SO_TYPE,			/* get: enum tapir_sock_type */
	TAPIR_SO_ERROR,			/* get: the pending error, which it clears; 0: none */
	TAPIR_SO_ACCEPTCONN,		/* get: 1 if listening */
	TAPIR_SO_REUSEADDR,		/* bind although connections of an earlier listener linger; default 1 */
	TAPIR_SO_BROADCAST,		/* may send to broadcast addresses; default 0 */
	TAPIR_SO_KEEPALIVE,		/* default 0 (RFC 9293 3.8.4 MUST-25) */
	TAPIR_SO_LINGER,		/* 0: close() resets; -1: the default, close() is graceful. Never blocks */
	TAPIR_SO_SNDBUF, TAPIR_SO_RCVBUF,	/* bytes; setting one ends its tuning (config.sndbuf_max, rcvbuf_max) */
	TAPIR_IP_TTL, TAPIR_IP_TOS,
	TAPIR_TCP_NODELAY,		/* 1: no Nagle (RFC 9293 3.7.4 MUST-17) */
	TAPIR_TCP_MAXSEG,		/* set, before connect or on a listener: upper limit of the MSS both ways, 88 to 32767,
					 * 0: none. get: the effective send MSS; without a connection the limit, or else 536 */
	TAPIR_TCP_RETRIES,		/* R2: retransmissions before ETIMEDOUT, 0 to 254; -1: for ever (RFC 9293 3.8.3
					 * MUST-21); default config.retries2 */
	TAPIR_TCP_CONGESTION,		/* an enum tapir_cc, also while sending; default config.congestion */
	TAPIR_TCP_DEFER_ACCEPT,		/* listener: seconds to wait for a client's first text before accept() sees it, rounded
					 * up to timeouts of the SYN-ACK (1, 3, 7, 15 ...); default 0: not at all. May say
					 * TAPIR_ENOMEM, as may the next one: see TAPIR_TCP_USER_TIMEOUT */
	TAPIR_TCP_FASTOPEN,		/* listener: connections that may be open before their handshake has ended (RFC 7413 4);
					 * default 0: none. Needs config.fastopen's TAPIR_FASTOPEN_SERVER */
	TAPIR_TCP_FASTOPEN_CONNECT,	/* 1: connect() asks for a Fast Open cookie, and with one returns 0 and leaves the SYN to
					 * the first send(), which it takes along; default 0 */
	/* Names and units of Linux. What accept() gives has inherited its listener's. Setting one may say TAPIR_ENOMEM:
	 * config.tcp_tunings different sets of these are in use. */
	TAPIR_TCP_USER_TIMEOUT,		/* milliseconds that text may wait without any of it being acknowledged, then ETIMEDOUT;
					 * instead of RETRIES and KEEPCNT (RFC 9293 3.10.8, RFC 5482 2); 0: none, the default */
	TAPIR_TCP_KEEPIDLE, TAPIR_TCP_KEEPINTVL,	/* seconds, 1 to 32767; default config.keepalive_idle_us, _interval_us */
	TAPIR_TCP_KEEPCNT,		/* 1 to 127; default config.keepalive_probes */
	TAPIR_TCP_SYNCNT,		/* 1 to 127; default config.syn_retries */
	TAPIR_TCP_LINGER2,		/* seconds that a closed socket's connection waits for the peer's FIN, at most 120; 0: the
					 * default, config.fin_wait_2_us; negative: none */
	TAPIR_TCP_WINDOW_CLAMP,		/* most that the window may say, bytes; 0: SO_RCVBUF alone limits it, the default */
	TAPIR_TCP_CORK,			/* 1: short segments wait for more text, FIN, or config.cork_us; 0: what waits goes */
	TAPIR_TCP_QUICKACK,		/* 1: what waits for a delayed ACK is acknowledged, and the next segments at once; 0: no
					 * more of these. Not sticky, as on Linux. get: 1 while such segments are to come */
};
int tapir_setsockopt(struct tapir *t, tapir_sd sd, enum tapir_opt opt, int value);
int tapir_getsockopt(struct tapir *t, tapir_sd sd, enum tapir_opt opt, int *value);

enum tapir_ca_state { TAPIR_CA_OPEN, TAPIR_CA_DISORDER, TAPIR_CA_CWR, TAPIR_CA_RECOVERY, TAPIR_CA_LOSS };	/* Linux' */

struct tapir_tcp_info {			/* STATUS (RFC 9293 3.10.6); the names of Linux' tcp_info where it has them */
	enum tapir_tcp_state state;
	struct tapir_endpoint local, peer;
	uint32_t snd_mss, rcv_mss, snd_cwnd, snd_ssthresh, snd_wnd, rcv_wnd, unacked, notsent, rtt_us, rttvar_us, rto_us;
	uint32_t retransmits, total_retrans, unread;
	uint32_t pmtu;			/* the largest datagram that segments make */
	uint32_t rcv_rtt_us, rcv_space;	/* auto-tuning: the receiver's own RTT; the most that was read in one: 0: not measured */
	uint8_t snd_wscale, rcv_wscale;
	int soft_error;			/* since the last progress, without ending the connection: what ICMP reported (RFC 1122
					 * 4.2.3.9), ETIMEDOUT after retries1 retransmissions (RFC 9293 3.8.3 SHLD-9); or 0 */
	bool timestamps, sack, ecn;	/* agreed in the handshake */
	bool ecn_seen;			/* text has arrived with ECT or CE */
	const char *congestion;		/* the controller's name: "cubic" */
	enum tapir_ca_state ca_state;	/* what the congestion window is doing; CWR: reduced without a loss */
	bool syn_data;			/* Fast Open (RFC 7413 4): all text on the SYN was taken */
	uint8_t backoff, probes;	/* doublings of the timeout; window or keep-alive probes without an answer */
	uint16_t advmss;		/* the MSS that we offered */
	uint32_t ato_us;		/* the delayed ACK's */
	usec_t last_data_sent_us, last_recv_us;	/* how long ago: text, SYN or FIN left; anything arrived */
	/* Text since the connection began; bytes_received up to RCV.NXT, bytes_sent with what was sent again. */
	uint64_t bytes_acked, bytes_received, bytes_sent, bytes_retrans;
	uint32_t segs_in, segs_out;	/* as on the wire, whatever a driver puts together or cuts up */
	uint32_t rcv_ooopack;		/* segments with text beyond a hole */
	uint32_t received_ce;		/* segments with text that were marked CE (RFC 3168 6.1.3) */
};
int tapir_tcp_info(struct tapir *t, tapir_sd sd, struct tapir_tcp_info *info);

/* What may be many is listed in pieces, so that no call takes longer because there is more. A cursor begins as zeros; each call
 * copies up to max rows and says how many, which may be 0 before the end; cursor.done: there are no more. Each row is true at
 * its moment; what opens, ends or is accepted between two calls may be missing, or be there twice. */
struct tapir_cursor { uint32_t at; bool done; };

struct tapir_tcp_row {			/* a listener, or a connection in any state but CLOSED, whoever holds it */
	struct tapir_tcp_info info;
	uint32_t recv_q, send_q;	/* bytes received and not read; not acknowledged or not sent yet, SYN and FIN among them.
					 * LISTEN: connections that wait for accept(), and how many may (both as ss) */
	uint32_t sndbuf, rcvbuf;
	bool orphan;			/* the program has closed it */
	bool brief;			/* half open, or in TIME-WAIT without a program: of info only state, endpoints, rto_us and
					 * retransmissions are known, the rest is zero */
	usec_t due_us[TAPIR_TIMER_COUNT];	/* when each timer fires; USEC_NEVER: it is not armed */
};
uint32_t tapir_tcp_list(struct tapir *t, struct tapir_cursor *cursor, struct tapir_tcp_row *rows, uint32_t max);

struct tapir_udp_row {			/* a datagram socket with a port */
	struct tapir_endpoint local, peer;	/* peer.port 0: none */
	uint32_t recv_q, datagrams;	/* bytes of storage that waiting datagrams take, of rcvbuf; how many they are */
	uint32_t rcvbuf;
	uint32_t drops;			/* datagrams that found the queue full */
};
uint32_t tapir_udp_list(const struct tapir *t, struct tapir_cursor *cursor, struct tapir_udp_row *rows, uint32_t max);

enum tapir_ready {			/* readiness, the meaning of poll(2) */
	TAPIR_POLLIN = 1,		/* recv or accept would not say EAGAIN */
	TAPIR_POLLOUT = 2,		/* send would not say EAGAIN, or connect has ended */
	TAPIR_POLLRDHUP = 4,		/* the peer closed its side */
	TAPIR_POLLHUP = 8,		/* both sides closed, or reset */
	TAPIR_POLLERR = 16,		/* an error is pending */
	TAPIR_POLLPRI = 32		/* urgent text lies ahead, in line (RFC 9293 3.8.5) */
};
/* What the socket is ready for now: a set of enum tapir_ready, or TAPIR_EBADF. */
int tapir_poll(struct tapir *t, tapir_sd sd);

struct tapir_poll_event { tapir_sd sd; int ready; void *user; };
/* Sockets whose readiness may have changed since they were last listed here, each once (edge triggered; spurious rows
 * are possible): up to max rows, returns how many. */
int tapir_poll_events(struct tapir *t, struct tapir_poll_event *events, int max);
/* A value of the program's own, given back in tapir_poll_event. */
int tapir_set_user(struct tapir *t, tapir_sd sd, void *user);

/* ---- 3: events ------------------------------------------------------------------------------------------------- */

/* Callbacks in the manner of Node's net.Server, net.Socket and dgram.Socket; any may be NULL. They run only inside
 * tapir_dispatch, never inside another call, so they may call anything here except tapir_dispatch, tapir_input,
 * tapir_output and tapir_tick. on_close is the last for a descriptor, which is already closed then; a program that calls
 * tapir_close or tapir_abort itself is told nothing more. */
struct tapir_handlers {
	void (*on_listening)(struct tapir *t, tapir_sd sd, void *ctx);
	/* A connection arrived; it has these handlers and this ctx already, tapir_on gives it others. */
	void (*on_connection)(struct tapir *t, tapir_sd sd, void *ctx, const struct tapir_endpoint *peer);
	void (*on_connect)(struct tapir *t, tapir_sd sd, void *ctx);
	/* Bytes arrived; they are consumed on return. A byte stream has no message borders: one send may come as many of
	 * these, many sends as one. A program that cannot take more calls tapir_pause. */
	void (*on_data)(struct tapir *t, tapir_sd sd, void *ctx, struct span data);
	void (*on_message)(struct tapir *t, tapir_sd sd, void *ctx, struct span data, const struct tapir_endpoint *from);
	void (*on_drain)(struct tapir *t, tapir_sd sd, void *ctx);	/* after a short send: there is room again */
	void (*on_end)(struct tapir *t, tapir_sd sd, void *ctx);	/* the peer sent FIN and all was read */
	void (*on_error)(struct tapir *t, tapir_sd sd, void *ctx, int error);	/* on_close follows for streams */
	void (*on_close)(struct tapir *t, tapir_sd sd, void *ctx);
	bool allow_half_open;		/* no: after on_end this side is closed too, as Node does */
};
/* Hands the socket's events to handlers (borrowed, must outlive the socket). */
int tapir_on(struct tapir *t, tapir_sd sd, const struct tapir_handlers *handlers, void *ctx);
int tapir_pause(struct tapir *t, tapir_sd sd);		/* no on_data until tapir_resume: the window closes by itself */
int tapir_resume(struct tapir *t, tapir_sd sd);
/* Runs the callbacks that are due; returns how many. Call after tapir_input and tapir_tick, before tapir_output. Serves
 * each ready socket once, so that one busy socket starves nobody; call again while it returns more than 0. */
int tapir_dispatch(struct tapir *t);

/* socket + bind + listen + tapir_on, for any local address. */
tapir_sd tapir_serve_tcp(struct tapir *t, uint16_t port, int backlog, const struct tapir_handlers *handlers, void *ctx);
tapir_sd tapir_serve_udp(struct tapir *t, uint16_t port, const struct tapir_handlers *handlers, void *ctx);

#endif
