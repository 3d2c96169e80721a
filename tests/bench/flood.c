/* flood: SYNs from strangers, and the clients who want to be served all the same (docs/performance.md). Each prints one line.
 *
 *	flood syn INTERFACE MAC ADDRESS SECONDS		as many SYNs to the echo service as one thread can send
 *	flood clients ADDRESS RATE SECONDS		so many connections a second: one byte there and back, close; how many
 *							were served, each within PATIENCE_NS */
#include <fcntl.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <netinet/ether.h>
#include <netinet/ip.h>
#include <sys/epoll.h>
#include "bench.h"

#define BATCH 64
#define PATIENCE_NS (SEC_NS * 5 / 2)	/* a lost SYN is sent again after 1 s, and may not be lost twice */
#define EVENTS 64

/* ---- the strangers ---- */

struct syn {
	struct ether_header eth;
	struct iphdr ip;
	struct tcphdr tcp;
	uint8_t mss[4];
} __attribute__((packed));

static uint64_t chance = 1;

static uint32_t any(void)
{
	chance = chance * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)(chance >> 32);
}

static uint16_t checksum(const void *p, size_t n, uint32_t sum)
{
	for (size_t i = 0; i < n; i += 2) {
		uint16_t w;

		memcpy(&w, (const uint8_t *)p + i, 2);
		sum += w;
	}
	sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)~((sum & 0xffff) + (sum >> 16));
}

/* From an address in 11.0.0.0/8, which nobody here has. */
static void make_stranger(struct syn *s)
{
	uint16_t tcp_len = htons(sizeof s->tcp + sizeof s->mss);
	const uint8_t *addresses = (const uint8_t *)s + offsetof(struct syn, ip.saddr);

	s->ip.saddr = htonl(11u << 24 | any() >> 8);
	s->ip.check = 0;
	s->ip.check = checksum(&s->ip, sizeof s->ip, 0);
	s->tcp.source = htons((uint16_t)(1024 + any() % 64000));
	s->tcp.seq = any();
	s->tcp.check = 0;
	s->tcp.check = checksum(&s->tcp, sizeof s->tcp + sizeof s->mss,
				(uint16_t)~checksum(addresses, 8, (uint32_t)htons(IPPROTO_TCP) + tcp_len));
}

static struct syn plain_syn(const char *mac, const char *address)
{
	const struct ether_addr *to = ether_aton(mac);
	struct syn s = {.eth = {.ether_shost = {2, 0, 0, 0, 0, 9}, .ether_type = htons(0x0800)},
			.ip = {.version = 4, .ihl = 5, .tot_len = htons(44), .ttl = 64, .protocol = IPPROTO_TCP},
			.tcp = {.dest = htons(ECHO_PORT), .doff = 6, .syn = 1, .window = 65535},
			.mss = {2, 4, 1460 >> 8, 1460 & 255}};

	if (!to)
		die(mac);
	memcpy(s.eth.ether_dhost, to, 6);
	s.ip.daddr = endpoint(address, 0).sin_addr.s_addr;
	return s;
}

static int run_syn(char **argv)
{
	struct sockaddr_ll wire = {.sll_family = AF_PACKET, .sll_ifindex = (int)if_nametoindex(argv[0])};
	int fd = socket(AF_PACKET, SOCK_RAW, 0);
	struct mmsghdr many[BATCH] = {0};
	struct iovec pieces[BATCH];
	struct syn syns[BATCH];
	int64_t start = now_ns(), end = start + (int64_t)(atof(argv[3]) * 1e9), now = start;
	uint64_t sent = 0;

	if (fd < 0 || bind(fd, (struct sockaddr *)&wire, sizeof wire) < 0)
		die(argv[0]);
	set_option(fd, SOL_PACKET, PACKET_QDISC_BYPASS, 1);
	for (int i = 0; i < BATCH; i++) {
		syns[i] = plain_syn(argv[1], argv[2]);
		pieces[i] = (struct iovec){&syns[i], sizeof syns[i]};
		many[i].msg_hdr = (struct msghdr){.msg_iov = &pieces[i], .msg_iovlen = 1};
	}
	for (; now < end; now = now_ns()) {
		for (int i = 0; i < BATCH; i++)
			make_stranger(&syns[i]);
		for (int at = 0, n; at < BATCH; at += n > 0 ? n : 1) {	/* one that finds the queue full is lost */
			n = sendmmsg(fd, many + at, (unsigned int)(BATCH - at), 0);
			sent += n > 0 ? (uint64_t)n : 1;
		}
	}
	printf("count %llu ns %lld\n", (unsigned long long)sent, (long long)(now - start));
	return 0;
}

/* ---- the clients ---- */

struct client { int64_t due_ns; bool asked; };
static struct client clients[65536];		/* by descriptor */
static int epoll;
static uint32_t served, failed;

static void begin_client(const struct sockaddr_in *to, int64_t now)
{
	int fd = kernel_stream(SOCK_NONBLOCK);
	struct epoll_event e = {.events = EPOLLOUT, .data.fd = fd};

	clients[fd] = (struct client){.due_ns = now + PATIENCE_NS};
	if ((connect(fd, (const struct sockaddr *)to, sizeof *to) < 0 && errno != EINPROGRESS) ||
	    epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &e) < 0) {
		failed++;
		close(fd);
	}
}

static void serve_client(int fd)
{
	struct epoll_event e = {.events = EPOLLIN, .data.fd = fd};
	char byte = 'x';

	if (!clients[fd].asked) {
		clients[fd].asked = true;
		if (send(fd, &byte, 1, MSG_NOSIGNAL) == 1 && epoll_ctl(epoll, EPOLL_CTL_MOD, fd, &e) == 0)
			return;
		failed++;
	} else if (recv(fd, &byte, 1, 0) == 1 && now_ns() <= clients[fd].due_ns) {
		served++;
	} else {
		failed++;
	}
	close(fd);
}

/* Clients come at the given rate for so long; those who then still wait have until their patience ends. */
static int run_clients(char **argv)
{
	struct sockaddr_in to = endpoint(argv[0], ECHO_PORT);
	int64_t each_ns = SEC_NS / atoi(argv[1]), start = now_ns(), next = start;
	int64_t last = start + (int64_t)(atof(argv[2]) * 1e9), now = start;
	struct epoll_event events[EVENTS];
	uint32_t begun = 0;

	epoll = epoll_create1(0);
	while (now < last || (served + failed < begun && now < last + PATIENCE_NS)) {
		int n;

		while (next <= now && next < last) {
			begin_client(&to, now);
			begun++;
			next += each_ns;
		}
		n = epoll_wait(epoll, events, EVENTS, 1);
		for (int i = 0; i < n; i++)
			serve_client(events[i].data.fd);
		now = now_ns();
	}
	printf("count %u served %u\n", begun, served);
	return 0;
}

int main(int argc, char **argv)
{
	if (argc == 6 && strcmp(argv[1], "syn") == 0)
		return run_syn(argv + 2);
	if (argc == 5 && strcmp(argv[1], "clients") == 0)
		return run_clients(argv + 2);
	fprintf(stderr, "usage: flood syn INTERFACE MAC ADDRESS SECONDS, or flood clients ADDRESS RATE SECONDS\n");
	return 2;
}
