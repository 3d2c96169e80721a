/* lwip: the peer that is a library, too: Debian's lwIP as it is packaged, on one thread (docs/performance.md).
 *
 *	lwip serve TAP ADDRESS/LENGTH		echo, discard and chargen over TCP, echo over UDP
 *	lwip alone SECONDS			two ends in this process: segments a second, without a system call
 *
 * alone: an lwIP is one stack, so that both ends are its own, and a link between two of its interfaces would be a short cut
 * inside it. So each end sees the other under another address, and the link changes the two addresses of each datagram; they
 * are chosen so that no checksum changes:  a: 10.1.0.2, its peer 10.1.0.3;  b: 10.2.0.1, its peer 10.2.0.2.
 *
 * Frames are PBUF_RAM: in this package a PBUF_POOL buffer is smaller than lwIP believes, and is written past its end. */
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <lwip/etharp.h>
#include <lwip/init.h>
#include <lwip/netif.h>
#include <lwip/pbuf.h>
#include <lwip/tcp.h>
#include <lwip/timeouts.h>
#include <lwip/udp.h>
#include <netif/ethernet.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#define MTU 1500
#define FRAME_MAX (MTU + 18)
#define TEXT_BYTES 65536u
#define LINK_FRAMES 256u
#define ROUNDS 64

static uint8_t text[TEXT_BYTES];

static void die(const char *what)
{
	perror(what);
	exit(1);
}

/* ---- services ---- */

static err_t discard(void *arg, struct tcp_pcb *pcb, struct pbuf *p, err_t error)
{
	(void)arg, (void)error;
	if (!p)
		return tcp_close(pcb);
	tcp_recved(pcb, p->tot_len);
	pbuf_free(p);
	return ERR_OK;
}

/* Lends the constant text as far as there is room. */
static err_t generate(void *arg, struct tcp_pcb *pcb, u16_t acknowledged)
{
	(void)arg, (void)acknowledged;
	while (tcp_sndbuf(pcb) > 0) {
		u16_t n = (u16_t)(tcp_sndbuf(pcb) < TEXT_BYTES / 2 ? tcp_sndbuf(pcb) : TEXT_BYTES / 2);

		if (tcp_write(pcb, text, n, 0) != ERR_OK)
			break;
	}
	return tcp_output(pcb);
}

/* Sends back what lies in the chain that is the connection's argument; what was taken is freed, and the window opens. */
static err_t send_back(void *arg, struct tcp_pcb *pcb, u16_t acknowledged)
{
	struct pbuf *held = arg;
	(void)acknowledged;

	while (held && held->len <= tcp_sndbuf(pcb) && tcp_write(pcb, held->payload, held->len, TCP_WRITE_FLAG_COPY) == ERR_OK) {
		struct pbuf *rest = held->next;

		if (rest)
			pbuf_ref(rest);
		tcp_recved(pcb, held->len);
		pbuf_free(held);
		held = rest;
	}
	tcp_arg(pcb, held);
	return tcp_output(pcb);
}

static err_t echo(void *arg, struct tcp_pcb *pcb, struct pbuf *p, err_t error)
{
	struct pbuf *held = arg;
	(void)error;

	if (!p) {
		if (held)
			pbuf_free(held);
		tcp_arg(pcb, NULL);
		return tcp_close(pcb);
	}
	if (held)
		pbuf_cat(held, p);
	else
		held = p;
	return send_back(held, pcb, 0);
}

static err_t accept_echo(void *arg, struct tcp_pcb *pcb, err_t error)
{
	(void)arg, (void)error;
	tcp_nagle_disable(pcb);
	tcp_recv(pcb, echo);
	tcp_sent(pcb, send_back);
	return ERR_OK;
}

static err_t accept_discard(void *arg, struct tcp_pcb *pcb, err_t error)
{
	(void)arg, (void)error;
	tcp_recv(pcb, discard);
	return ERR_OK;
}

static err_t accept_chargen(void *arg, struct tcp_pcb *pcb, err_t error)
{
	(void)arg, (void)error;
	tcp_recv(pcb, discard);
	tcp_sent(pcb, generate);
	return generate(NULL, pcb, 0);
}

static struct tcp_pcb *serve(const ip_addr_t *at, u16_t port, tcp_accept_fn accept)
{
	struct tcp_pcb *pcb = tcp_new();

	if (!pcb || tcp_bind(pcb, at, port) != ERR_OK)
		die("bind");
	pcb = tcp_listen_with_backlog(pcb, 255);
	tcp_accept(pcb, accept);
	return pcb;
}

static void echo_datagram(void *arg, struct udp_pcb *pcb, struct pbuf *p, const ip_addr_t *from, u16_t port)
{
	(void)arg;
	udp_sendto(pcb, p, from, port);
	pbuf_free(p);
}

/* ---- on a TAP ---- */

static int tap;

static err_t tap_output(struct netif *n, struct pbuf *p)
{
	uint8_t frame[FRAME_MAX];
	const void *bytes = p->payload;
	(void)n;

	if (p->next) {
		pbuf_copy_partial(p, frame, p->tot_len, 0);
		bytes = frame;
	}
	return write(tap, bytes, p->tot_len) < 0 ? ERR_IF : ERR_OK;
}

static err_t tap_init(struct netif *n)
{
	static const uint8_t mac[6] = {2, 0, 0, 0, 0, 3};

	n->name[0] = 't';
	n->output = etharp_output;
	n->linkoutput = tap_output;
	n->mtu = MTU;
	n->hwaddr_len = 6;
	memcpy(n->hwaddr, mac, 6);
	n->flags = NETIF_FLAG_BROADCAST | NETIF_FLAG_ETHARP | NETIF_FLAG_ETHERNET | NETIF_FLAG_LINK_UP;
	return ERR_OK;
}

static bool tap_input(struct netif *n)
{
	uint8_t frame[FRAME_MAX];
	ssize_t len = read(tap, frame, sizeof frame);
	struct pbuf *p;

	if (len <= 0)
		return false;
	p = pbuf_alloc(PBUF_RAW, (u16_t)len, PBUF_RAM);
	if (p && (pbuf_take(p, frame, (u16_t)len) != ERR_OK || n->input(p, n) != ERR_OK))
		pbuf_free(p);
	return true;
}

static void open_tap(const char *name)
{
	struct ifreq req = {.ifr_flags = IFF_TAP | IFF_NO_PI};

	snprintf(req.ifr_name, sizeof req.ifr_name, "%s", name);
	tap = open("/dev/net/tun", O_RDWR | O_NONBLOCK);
	if (tap < 0 || ioctl(tap, TUNSETIFF, &req) < 0)
		die(name);
}

__attribute__((noreturn)) static void serve_tap(const char *name, char *address)
{
	char *slash = strchr(address, '/');
	int prefix = slash ? atoi(slash + 1) : 24;
	ip4_addr_t at, mask = {.addr = lwip_htonl(~0u << (32 - prefix))}, none = {.addr = 0};
	struct udp_pcb *udp;
	struct netif n;

	if (slash)
		*slash = '\0';
	if (!ip4addr_aton(address, &at))
		die(address);
	open_tap(name);
	lwip_init();
	netif_add(&n, &at, &mask, &none, NULL, tap_init, ethernet_input);
	netif_set_default(&n);
	netif_set_up(&n);
	serve(IP_ADDR_ANY, 7, accept_echo);
	serve(IP_ADDR_ANY, 9, accept_discard);
	serve(IP_ADDR_ANY, 19, accept_chargen);
	udp = udp_new();
	udp_bind(udp, IP_ADDR_ANY, 7);
	udp_recv(udp, echo_datagram, NULL);
	for (;;) {
		struct pollfd p = {.fd = tap, .events = POLLIN};
		u32_t sleep = sys_timeouts_sleeptime();
		int taken = 0;

		poll(&p, 1, sleep > 100 ? 100 : (int)sleep);
		while (taken < ROUNDS && tap_input(&n))
			taken++;
		sys_check_timeouts();
	}
}

/* ---- alone ---- */

enum { A, B };
static struct netif ends[2];
static const uint8_t from_seen[2][4] = {{10, 1, 0, 3}, {10, 2, 0, 2}}, to_own[2][4] = {{10, 1, 0, 2}, {10, 2, 0, 1}};
static struct { struct pbuf *frames[LINK_FRAMES]; unsigned int head, count; } arrived[2];

/* Onto the link, copied, with the addresses under which the other end knows the two. */
static err_t link_output(struct netif *n, struct pbuf *p, const ip4_addr_t *to)
{
	int at = n == &ends[A] ? B : A;
	struct pbuf *copy;
	(void)to;

	if (arrived[at].count == LINK_FRAMES)
		return ERR_MEM;
	copy = pbuf_alloc(PBUF_RAW, p->tot_len, PBUF_RAM);
	if (!copy || pbuf_copy(copy, p) != ERR_OK)
		return ERR_MEM;
	memcpy((uint8_t *)copy->payload + 12, from_seen[at], 4);
	memcpy((uint8_t *)copy->payload + 16, to_own[at], 4);
	arrived[at].frames[(arrived[at].head + arrived[at].count++) % LINK_FRAMES] = copy;
	return ERR_OK;
}

static err_t link_init(struct netif *n)
{
	n->name[0] = 'l';
	n->output = link_output;
	n->mtu = MTU;
	n->flags = NETIF_FLAG_LINK_UP;
	return ERR_OK;
}

static void link_input(int at)
{
	for (unsigned int i = arrived[at].count; i > 0; i--) {
		struct pbuf *p = arrived[at].frames[arrived[at].head];

		arrived[at].head = (arrived[at].head + 1) % LINK_FRAMES;
		arrived[at].count--;
		if (ends[at].input(p, &ends[at]) != ERR_OK)
			pbuf_free(p);
	}
}

static uint64_t received;

static err_t count(void *arg, struct tcp_pcb *pcb, struct pbuf *p, err_t error)
{
	received += p ? p->tot_len : 0;
	return discard(arg, pcb, p, error);
}

static err_t accept_count(void *arg, struct tcp_pcb *pcb, err_t error)
{
	(void)arg, (void)error;
	tcp_recv(pcb, count);
	return ERR_OK;
}

static err_t connected(void *arg, struct tcp_pcb *pcb, err_t error)
{
	(void)error;
	tcp_sent(pcb, generate);
	return generate(arg, pcb, 0);
}

static void carry(int rounds)
{
	while (rounds-- > 0) {
		link_input(A);
		link_input(B);
	}
	sys_check_timeouts();
}

static int64_t cpu_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
	return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static int alone(double seconds)
{
	struct tcp_pcb *pcb;
	ip_addr_t own, seen;
	int64_t start;

	lwip_init();
	for (int i = A; i <= B; i++) {
		ip4_addr_t at, mask, none = {.addr = 0};

		memcpy(&at, to_own[i], 4);
		IP4_ADDR(&mask, 255, 255, 255, 0);
		netif_add(&ends[i], &at, &mask, &none, NULL, link_init, ip_input);
		netif_set_up(&ends[i]);
	}
	IP_ADDR4(&own, 10, 1, 0, 2);
	IP_ADDR4(&seen, 10, 1, 0, 3);
	serve(IP_ADDR_ANY, 9, accept_count);
	pcb = tcp_new();
	tcp_bind(pcb, &own, 0);
	tcp_connect(pcb, &seen, 9, connected);
	carry(2000);
	received = 0;
	start = cpu_ns();
	while ((double)(cpu_ns() - start) < seconds * 1e9)
		carry(200);
	printf("segments %llu ns %lld\n", (unsigned long long)(received / tcp_mss(pcb)), (long long)(cpu_ns() - start));
	return received == 0;
}

int main(int argc, char **argv)
{
	if (argc == 4 && strcmp(argv[1], "serve") == 0)
		serve_tap(argv[2], argv[3]);
	if (argc == 3 && strcmp(argv[1], "alone") == 0)
		return alone(atof(argv[2]));
	fprintf(stderr, "usage: lwip serve TAP ADDRESS/LENGTH, or lwip alone SECONDS\n");
	return 2;
}
