/* ceiling: what a TAP can carry at most from one thread (docs/performance.md). Not a TCP, a measuring device: it shakes hands,
 * acknowledges what comes in order, sends what the peer's window takes, and otherwise only moves frames on a TAP with
 * virtio headers, 64 KB of them at a time, checksums left to the kernel. No reassembly, no congestion control; what is not
 * acknowledged in RESEND_NS is sent again from there. Connections are told apart by the client's port alone.
 *
 *	ceiling TAP ADDRESS [ACK_BYTES]		discard, chargen and echo, and UDP's echo; an ACK for each ACK_BYTES (1) */
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <linux/virtio_net.h>
#include <netinet/ip.h>
#include <netinet/udp.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/uio.h>
#include "bench.h"

/* UDP segmentation came with Linux 6.2; the headers may be older than the kernel. */
#ifndef TUN_F_USO4
#define TUN_F_USO4 0x20
#define TUN_F_USO6 0x40
#endif

#define MSS 1460
#define WINDOW (4u << 20)
#define SHIFT 7
#define OPTIONS 8
#define FRAME_TEXT (44u * MSS)		/* as many whole segments as an IP datagram holds */
#define READS 16			/* frames taken between two rounds of sending */
#define WRITES 8
#define RESEND_NS (SEC_NS / 5)

enum { FIN = 1, SYN = 2, RST = 4, PSH = 8, ACK = 16 };

struct ether { uint8_t to[6], from[6]; uint16_t type; } __attribute__((packed));
struct frame {
	struct virtio_net_hdr v;
	struct ether eth;
	struct iphdr ip;
	struct tcphdr tcp;
	uint8_t rest[66000];
} __attribute__((packed));
#define HEADERS (sizeof(struct ether) + sizeof(struct iphdr) + sizeof(struct tcphdr))

struct conn {
	bool open, closing;
	uint16_t service, port;		/* the client's, in the wire's order */
	uint32_t rcv_nxt, acked, snd_una, snd_nxt, snd_max, wnd;
	uint8_t shift;
	int64_t moved_ns;		/* when SND.UNA last moved */
};

static struct conn conns[65536], *streaming;
static struct frame in, out;
static int tap;
static uint32_t me, client, ack_bytes = 1;
static const uint8_t mac[6] = {2, 0, 0, 0, 0, 2};
static uint8_t zeros[FRAME_TEXT];

static uint32_t sum16(const void *p, size_t n, uint32_t sum)
{
	uint16_t w;

	for (size_t i = 0; i < n; i += 2) {
		memcpy(&w, (const uint8_t *)p + i, 2);
		sum += w;
	}
	return sum;
}

static uint16_t fold(uint32_t sum)
{
	sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)((sum & 0xffff) + (sum >> 16));
}

static void put(const void *head, size_t head_len, const void *text, size_t n)
{
	const struct iovec pieces[2] = {{(void *)(uintptr_t)head, head_len}, {(void *)(uintptr_t)text, n}};

	if (writev(tap, pieces, n ? 2 : 1) < 0 && errno != EAGAIN)
		die("write");
}

/* One segment, from SND.NXT, of up to FRAME_TEXT bytes; a SYN's options lie in out.rest already. */
static void put_segment(struct conn *c, uint8_t flags, const void *text, size_t n)
{
	size_t options = flags & SYN ? OPTIONS : 0, tcp_len = sizeof out.tcp + options + n;
	uint32_t wnd = flags & SYN ? 65535 : WINDOW >> SHIFT;

	out.v = (struct virtio_net_hdr){.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM, .hdr_len = (uint16_t)(HEADERS + options),
					.csum_start = sizeof out.eth + sizeof out.ip, .csum_offset = 16};
	if (n > MSS) {
		out.v.gso_type = VIRTIO_NET_HDR_GSO_TCPV4;
		out.v.gso_size = MSS;
	}
	out.ip = (struct iphdr){.version = 4, .ihl = 5, .tot_len = htons((uint16_t)(sizeof out.ip + tcp_len)), .ttl = 64,
				.frag_off = htons(0x4000), .protocol = IPPROTO_TCP, .saddr = me, .daddr = client};
	out.ip.check = (uint16_t)~fold(sum16(&out.ip, sizeof out.ip, 0));
	memset(&out.tcp, 0, sizeof out.tcp);
	out.tcp.source = c->service;
	out.tcp.dest = c->port;
	out.tcp.seq = htonl(c->snd_nxt);
	out.tcp.ack_seq = htonl(c->rcv_nxt);
	((uint8_t *)&out.tcp)[12] = (uint8_t)((sizeof out.tcp + options) << 2);
	((uint8_t *)&out.tcp)[13] = flags;
	out.tcp.window = htons((uint16_t)wnd);
	out.tcp.check = fold(sum16(&out.ip.saddr, 8, htons(IPPROTO_TCP) + (uint32_t)htons((uint16_t)tcp_len)));
	put(&out, sizeof out.v + HEADERS + options, text, n);
	c->acked = c->rcv_nxt;
	c->snd_nxt += (uint32_t)n + (flags & (SYN | FIN) ? 1 : 0);
	if ((int32_t)(c->snd_nxt - c->snd_max) > 0)
		c->snd_max = c->snd_nxt;
}

static void put_flags(struct conn *c, uint8_t flags) { put_segment(c, flags, NULL, 0); }

static uint8_t shift_of(const uint8_t *option, const uint8_t *end)
{
	while (option + 2 < end && *option != 0) {
		if (*option == 3)
			return option[2];
		option += *option == 1 || option[1] == 0 ? 1 : option[1];
	}
	return 0;
}

static void open_conn(struct conn *c, const uint8_t *options, const uint8_t *end)
{
	static const uint8_t mine[OPTIONS] = {2, 4, MSS >> 8, MSS & 255, 1, 3, 3, SHIFT};

	*c = (struct conn){.open = true, .service = in.tcp.dest, .port = in.tcp.source, .rcv_nxt = ntohl(in.tcp.seq) + 1,
			   .snd_una = 1000, .snd_nxt = 1000, .snd_max = 1000, .shift = shift_of(options, end)};
	memcpy(out.rest, mine, sizeof mine);
	put_segment(c, SYN | ACK, NULL, 0);
}

static void take_ack(struct conn *c)
{
	uint32_t ack = ntohl(in.tcp.ack_seq);

	if (ack - c->snd_una > c->snd_max - c->snd_una)
		return;
	if (ack != c->snd_una)
		c->moved_ns = now_ns();
	c->snd_una = ack;
	if ((int32_t)(c->snd_nxt - ack) < 0)
		c->snd_nxt = ack;
	c->wnd = (uint32_t)ntohs(in.tcp.window) << c->shift;
	if (c->service == htons(CHARGEN_PORT))
		streaming = c;
}

static void end_conn(struct conn *c)
{
	c->open = false;
	if (streaming == c)
		streaming = NULL;
}

static void take_text(struct conn *c, const uint8_t *text, uint32_t n)
{
	bool fin = in.tcp.fin;

	if (ntohl(in.tcp.seq) != c->rcv_nxt) {
		put_flags(c, ACK);
		return;
	}
	c->rcv_nxt += n + fin;
	if (fin) {
		c->closing = true;
		put_flags(c, FIN | ACK);
	} else if (c->service == htons(ECHO_PORT)) {
		put_segment(c, PSH | ACK, text, n);
	} else if (c->rcv_nxt - c->acked >= ack_bytes) {
		put_flags(c, ACK);
	}
}

static void take_segment(const uint8_t *end)
{
	struct conn *c = &conns[ntohs(in.tcp.source)];
	const uint8_t *tcp = (const uint8_t *)&in + offsetof(struct frame, tcp), *text = tcp + in.tcp.doff * 4u;
	uint32_t n = (uint32_t)(end - text);

	client = in.ip.saddr;
	memcpy(out.eth.to, in.eth.from, 6);
	if (in.tcp.syn)
		open_conn(c, tcp + sizeof in.tcp, text);
	else if (in.tcp.rst)
		end_conn(c);
	else if (c->open) {
		take_ack(c);
		if (c->closing && c->snd_una == c->snd_max)
			end_conn(c);
		else if (n || in.tcp.fin)
			take_text(c, text, n);
	}
}

/* A frame goes back to where it came from; len counts from the Ethernet header. What the kernel left to be done to it is
 * still to be done: the sum over the addresses is the same when they are exchanged. */
static void put_back(size_t len)
{
	memcpy(in.eth.to, in.eth.from, 6);
	memcpy(in.eth.from, mac, 6);
	put(&in, sizeof in.v + len, NULL, 0);
}

static void take_arp(void)
{
	uint8_t *arp = (uint8_t *)&in.ip;

	if (arp[7] != 1 || memcmp(arp + 24, &me, 4) != 0)
		return;
	arp[7] = 2;
	memcpy(arp + 18, arp + 8, 10);
	memcpy(arp + 8, mac, 6);
	memcpy(arp + 14, &me, 4);
	put_back(sizeof in.eth + 28);
}

static void take_datagram(void)
{
	struct udphdr *udp = (void *)((uint8_t *)&in + offsetof(struct frame, tcp));
	uint16_t port = udp->source;

	if (udp->dest != htons(ECHO_PORT))
		return;
	udp->source = udp->dest;
	udp->dest = port;
	in.ip.daddr = in.ip.saddr;
	in.ip.saddr = me;
	put_back(sizeof in.eth + ntohs(in.ip.tot_len));
}

static void take_frame(void)
{
	if (in.eth.type == htons(0x0806))
		take_arp();
	else if (in.eth.type != htons(0x0800) || in.ip.daddr != me)
		return;
	else if (in.ip.protocol == IPPROTO_TCP)
		take_segment((const uint8_t *)&in.ip + ntohs(in.ip.tot_len));
	else if (in.ip.protocol == IPPROTO_UDP)
		take_datagram();
}

/* One frame of what the client's window takes; false: nothing fits. */
static bool stream(struct conn *c)
{
	uint32_t flight = c->snd_nxt - c->snd_una, n = FRAME_TEXT;

	if (flight && now_ns() - c->moved_ns > RESEND_NS) {
		c->snd_nxt = c->snd_una;
		c->moved_ns = now_ns();
		flight = 0;
	}
	if (flight + n > c->wnd) {
		if (flight || !c->wnd)
			return false;
		n = c->wnd;
	}
	put_segment(c, ACK, zeros, n);
	return true;
}

static void open_tap(const char *name)
{
	const unsigned long tcp = TUN_F_CSUM | TUN_F_TSO4, udp = TUN_F_USO4 | TUN_F_USO6;
	struct ifreq req = {.ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR};

	snprintf(req.ifr_name, sizeof req.ifr_name, "%s", name);
	tap = open("/dev/net/tun", O_RDWR | O_NONBLOCK);
	if (tap < 0 || ioctl(tap, TUNSETIFF, &req) < 0 ||
	    (ioctl(tap, TUNSETOFFLOAD, tcp | udp) < 0 && ioctl(tap, TUNSETOFFLOAD, tcp) < 0))
		die(name);
}

int main(int argc, char **argv)
{
	if (argc < 3) {
		fprintf(stderr, "usage: ceiling TAP ADDRESS [ACK_BYTES]\n");
		return 2;
	}
	me = endpoint(argv[2], 0).sin_addr.s_addr;
	if (argc > 3)
		ack_bytes = (uint32_t)atoi(argv[3]);
	open_tap(argv[1]);
	memcpy(out.eth.from, mac, 6);
	out.eth.type = htons(0x0800);
	for (;;) {
		struct pollfd p = {.fd = tap, .events = POLLIN};
		int taken = 0, sent = 0;

		while (taken < READS && read(tap, &in, sizeof in) > 0) {
			take_frame();
			taken++;
		}
		while (streaming && sent < WRITES && stream(streaming))
			sent++;
		if (!taken && !sent)
			poll(&p, 1, streaming ? 50 : -1);
	}
}
