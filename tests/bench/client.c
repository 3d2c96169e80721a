/* client: kernel sockets that measure whatever answers at ADDRESS (docs/performance.md). Prints one line.
 *
 *	client in      ADDRESS SECONDS [PID]	to its discard service; bytes that were acknowledged
 *	client out     ADDRESS SECONDS [PID]	from its chargen service
 *	client echo    ADDRESS SECONDS [PID]	through its echo service, every byte compared
 *	client rr      ADDRESS SECONDS [PID]	one byte there and back, over and over; nanoseconds of each
 *	client udprr   ADDRESS SECONDS [PID]	the same as datagrams
 *	client crr     ADDRESS SECONDS [PID]	connect, one byte there and back, close
 *	client udp     ADDRESS SECONDS [PID]	small datagrams there and back, many under way
 *	client udpgso  ADDRESS SECONDS [PID]	the same, UDP_BATCH of them a message (UDP_SEGMENT, UDP_GRO), as QUIC does
 *
 * A warm-up comes first, half as long but WARM_NS at most, and is not counted. CPU time is told, too: the client's own and
 * that of PID. */
#include <fcntl.h>
#include <poll.h>
#include "bench.h"

#define WARM_NS (SEC_NS * 3 / 10)
#define WRITE_BYTES 131072u
#define READ_BYTES (1u << 20)
#define ECHO_WRITE 16384u
#define ECHO_WINDOW (1u << 18)	/* bytes under way: no echo service that has less room may block for ever */
#define PATTERN 65521u		/* a prime, so that no power of two of bytes lost or doubled fits */
#define PATIENCE_S 5
#define SAMPLES (1u << 21)
#define DATAGRAM 16u
#define UDP_BATCH 64u
#define UDP_WINDOW 256u		/* datagrams under way: less than a TAP's queue of 1000 */
#define UDP_NUMBERS 1024u	/* this much later than the last one, a datagram is taken for lost */
#define UDP_LOST_NS (SEC_NS / 20)

/* What is measured: from when, until when, whose CPU. */
struct meter {
	int64_t warm_until, start, end, seconds_ns, cpu_start, own_start;
	clockid_t cpu;
	bool has_cpu, on;
};

static struct sockaddr_in peer;
static struct meter meter;
static uint32_t samples[SAMPLES];
static uint32_t sampled;

static void meter_init(const char *seconds, const char *pid)
{
	meter.seconds_ns = (int64_t)(atof(seconds) * SEC_NS);
	meter.warm_until = now_ns() + (meter.seconds_ns / 2 < WARM_NS ? meter.seconds_ns / 2 : WARM_NS);
	if (pid && clock_getcpuclockid((pid_t)atoi(pid), &meter.cpu) == 0)
		meter.has_cpu = true;
}

/* Begins to count when the warm-up is over: 1 just now, 0 goes on as before, -1 the time is up. */
static int meter_turn(int64_t now)
{
	if (meter.on) {
		meter.end = now;
		return now - meter.start >= meter.seconds_ns ? -1 : 0;
	}
	if (now < meter.warm_until)
		return 0;
	meter.on = true;
	meter.cpu_start = meter.has_cpu ? clock_ns(meter.cpu) : 0;
	meter.own_start = clock_ns(CLOCK_PROCESS_CPUTIME_ID);
	meter.start = now_ns();
	return 1;
}

static void print_meter(void)
{
	printf(" ns %lld own_ns %lld", (long long)(meter.end - meter.start),
	       (long long)(clock_ns(CLOCK_PROCESS_CPUTIME_ID) - meter.own_start));
	if (meter.has_cpu)
		printf(" cpu_ns %lld", (long long)(clock_ns(meter.cpu) - meter.cpu_start));
	putchar('\n');
}

static int connected(int port)
{
	const struct timeval patience = {.tv_sec = PATIENCE_S};
	struct sockaddr_in to = peer;
	int fd = kernel_stream(0);

	to.sin_port = htons((uint16_t)port);
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
	/* A service that writes regardless of the window, as the ceiling program does, must find room for all of it. */
	if (port == ECHO_PORT)
		set_option(fd, SOL_SOCKET, SO_RCVBUFFORCE, 1 << 22);
	if (connect(fd, (struct sockaddr *)&to, sizeof to) < 0)
		die("connect");
	return fd;
}

/* ---- bulk ---- */

static uint64_t acknowledged(int fd)
{
	struct tcp_info info;
	socklen_t size = sizeof info;

	if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &size) < 0)
		die("TCP_INFO");
	return info.tcpi_bytes_acked;
}

static void run_in(void)
{
	static char text[WRITE_BYTES];
	int fd = connected(DISCARD_PORT), turn = 0;
	uint64_t before = 0;

	while (turn >= 0) {
		if (send(fd, text, sizeof text, MSG_NOSIGNAL) < 0)
			die("send");
		turn = meter_turn(now_ns());
		if (turn == 1)
			before = acknowledged(fd);
	}
	printf("bytes %llu", (unsigned long long)(acknowledged(fd) - before));
	print_meter();
}

static void run_out(void)
{
	static char text[READ_BYTES];
	int fd = connected(CHARGEN_PORT), turn = 0;
	uint64_t bytes = 0;

	while (turn >= 0) {
		ssize_t n = recv(fd, text, sizeof text, 0);

		if (n <= 0)
			die("recv");
		bytes = meter.on ? bytes + (uint64_t)n : 0;
		turn = meter_turn(now_ns());
	}
	printf("bytes %llu", (unsigned long long)bytes);
	print_meter();
}

/* Byte n of the stream is pattern[n % PATTERN]; it lies there twice and some, so that any piece is in one piece. */
static uint8_t pattern[2 * PATTERN + READ_BYTES];

static void make_pattern(void)
{
	uint32_t x = 1;

	for (size_t i = 0; i < PATTERN; i++) {
		x = x * 1664525 + 1013904223;
		pattern[i] = (uint8_t)(x >> 24);
	}
	for (size_t i = PATTERN; i < sizeof pattern; i++)
		pattern[i] = pattern[i - PATTERN];
}

static ssize_t or_nothing(ssize_t n, const char *what)
{
	if (n == 0 || (n < 0 && errno != EAGAIN))
		die(what);
	return n < 0 ? 0 : n;
}

static void run_echo(void)
{
	static uint8_t back[READ_BYTES];
	uint64_t sent = 0, received = 0, before = 0;
	int fd = connected(ECHO_PORT), turn = 0;

	make_pattern();
	while (turn >= 0) {
		struct pollfd p = {.fd = fd, .events = POLLIN};
		ssize_t put = 0, got;

		if (sent - received <= ECHO_WINDOW - ECHO_WRITE)
			put = or_nothing(send(fd, pattern + sent % PATTERN, ECHO_WRITE, MSG_NOSIGNAL | MSG_DONTWAIT), "send");
		sent += (uint64_t)put;
		got = or_nothing(recv(fd, back, sizeof back, MSG_DONTWAIT), "recv");
		if (memcmp(back, pattern + received % PATTERN, (size_t)got) != 0) {
			fprintf(stderr, "what came back after byte %llu is not what was sent\n", (unsigned long long)received);
			exit(1);
		}
		received += (uint64_t)got;
		if (put == 0 && got == 0 && poll(&p, 1, PATIENCE_S * 1000) <= 0)
			die("nothing comes back");
		turn = meter_turn(now_ns());
		if (turn == 1)
			before = received;
	}
	printf("bytes %llu", (unsigned long long)(received - before));
	print_meter();
}

/* ---- one byte at a time ---- */

static int by_size(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return x < y ? -1 : x > y;
}

static void print_samples(void)
{
	if (!sampled)
		die("nothing came back");
	qsort(samples, sampled, sizeof samples[0], by_size);
	printf("count %u p50 %u p99 %u", sampled, samples[sampled / 2], samples[(uint64_t)sampled * 99 / 100]);
	print_meter();
}

static void ping_pong(int fd)
{
	for (;;) {
		int64_t begun = now_ns(), done;
		char byte = 'x';

		if (send(fd, &byte, 1, MSG_NOSIGNAL) != 1 || recv(fd, &byte, 1, 0) != 1)
			die("ping-pong");
		done = now_ns();
		if (meter.on && sampled < SAMPLES)
			samples[sampled++] = (uint32_t)(done - begun);
		if (meter_turn(done) < 0)
			break;
	}
	print_samples();
}

static int datagrams(void)
{
	const struct timeval patience = {.tv_usec = UDP_LOST_NS / 1000};
	int fd = socket(AF_INET, SOCK_DGRAM, 0);
	struct sockaddr_in to = peer;

	to.sin_port = htons(ECHO_PORT);
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
	set_option(fd, SOL_SOCKET, SO_RCVBUFFORCE, 1 << 22);
	if (connect(fd, (struct sockaddr *)&to, sizeof to) < 0)
		die("connect");
	return fd;
}

static void run_crr(void)
{
	uint32_t count = 0;
	int turn = 0;

	while (turn >= 0) {
		int fd = connected(ECHO_PORT);
		char byte = 'x';

		if (send(fd, &byte, 1, MSG_NOSIGNAL) != 1 || recv(fd, &byte, 1, 0) != 1)
			die("one byte there and back");
		close(fd);
		count = meter.on ? count + 1 : 0;
		turn = meter_turn(now_ns());
	}
	printf("count %u", count);
	print_meter();
}

/* ---- datagrams, many under way ---- */

/* The text of a datagram. What is counted has come back whole, and once. */
struct numbered { uint64_t number, turned; };

_Static_assert(sizeof(struct numbered) == DATAGRAM, "a datagram is a number, twice");

struct flow {
	int fd;
	uint64_t next;				/* the number of the next one, from 1 */
	uint64_t numbers[UDP_NUMBERS];		/* those under way, each where it belongs; 0: nothing is */
	uint32_t under_way, count, lost;
};

/* Messages that are sent, or received. The kernel joins no more than UDP_BATCH datagrams. */
struct messages {
	unsigned int n;
	struct mmsghdr head[UDP_BATCH];
	struct iovec piece[UDP_BATCH];
	struct udp_control control[UDP_BATCH];
	struct numbered text[UDP_BATCH * UDP_BATCH];
};

/* n messages of so many datagrams each. */
static void messages_init(struct messages *m, unsigned int n, unsigned int each)
{
	m->n = n;
	for (unsigned int i = 0; i < n; i++) {
		m->piece[i] = (struct iovec){&m->text[i * each], each * DATAGRAM};
		m->head[i].msg_hdr = (struct msghdr){.msg_iov = &m->piece[i], .msg_iovlen = 1};
	}
}

static uint64_t *place_of(struct flow *f, uint64_t number) { return &f->numbers[number % UDP_NUMBERS]; }

static void send_batch(struct flow *f, struct messages *m)
{
	int n;

	for (uint32_t i = 0; i < UDP_BATCH; i++)
		m->text[i] = (struct numbered){f->next + i, ~(f->next + i)};
	n = sendmmsg(f->fd, m->head, m->n, 0);
	if (n < 0)
		die("send");
	for (uint32_t i = 0; i < (uint32_t)n * (UDP_BATCH / m->n); i++) {
		uint64_t *place = place_of(f, f->next);

		f->lost += *place != 0;
		f->under_way += *place == 0;
		*place = f->next++;
	}
}

/* One that was taken for lost, or that came before, is not counted. */
static void take_datagram(struct flow *f, const struct numbered *text)
{
	uint64_t *place = place_of(f, text->number);

	if (text->turned != ~text->number || text->number == 0 || text->number >= f->next) {
		fprintf(stderr, "a datagram came back that was not sent\n");
		exit(1);
	}
	if (*place != text->number)
		return;
	*place = 0;
	f->under_way--;
	f->count++;
}

static void take_message(struct flow *f, struct mmsghdr *m)
{
	const struct numbered *text = m->msg_hdr.msg_iov->iov_base;
	size_t joined = udp_gro_size(&m->msg_hdr), size = joined ? joined : m->msg_len;

	if (size != DATAGRAM || m->msg_len % DATAGRAM != 0 || (m->msg_hdr.msg_flags & MSG_TRUNC)) {
		fprintf(stderr, "a datagram of %zu bytes came back, %u were sent\n", size, DATAGRAM);
		exit(1);
	}
	for (uint32_t i = 0; i < m->msg_len / DATAGRAM; i++)
		take_datagram(f, &text[i]);
}

/* Waits for one message and takes all that are there. */
static void take_messages(struct flow *f, struct messages *m)
{
	int n = recvmmsg(f->fd, m->head, m->n, MSG_WAITFORONE, NULL);

	for (int i = 0; i < n; i++) {
		take_message(f, &m->head[i]);
		m->head[i].msg_hdr.msg_controllen = sizeof m->control[i];
	}
	if (n < 0) {			/* in UDP_LOST_NS nothing: it is gone */
		f->lost += f->under_way;
		f->under_way = 0;
		memset(f->numbers, 0, sizeof f->numbers);
	}
}

/* A batch leaves in so many messages: UDP_BATCH, or fewer, which the kernel cuts. */
static void run_datagrams(unsigned int messages)
{
	static struct messages out, in;
	static struct flow f;
	int turn = 0;

	f = (struct flow){.fd = datagrams(), .next = 1};
	messages_init(&out, messages, UDP_BATCH / messages);
	messages_init(&in, UDP_BATCH, UDP_BATCH);
	for (uint32_t i = 0; i < UDP_BATCH; i++) {
		in.head[i].msg_hdr.msg_control = &in.control[i];
		in.head[i].msg_hdr.msg_controllen = sizeof in.control[i];
	}
	if (messages < UDP_BATCH) {
		set_option(f.fd, SOL_UDP, UDP_SEGMENT, DATAGRAM);
		set_option(f.fd, SOL_UDP, UDP_GRO, 1);
	}
	while (turn >= 0) {
		if (f.under_way <= UDP_WINDOW - UDP_BATCH)
			send_batch(&f, &out);
		take_messages(&f, &in);
		turn = meter_turn(now_ns());
		if (turn == 1)
			f.count = f.lost = 0;
	}
	if (!f.count)
		die("nothing came back");
	printf("count %u lost %u", f.count, f.lost);
	print_meter();
}

static void run_udp(void) { run_datagrams(UDP_BATCH); }
static void run_udpgso(void) { run_datagrams(1); }
static void run_rr(void) { ping_pong(connected(ECHO_PORT)); }
static void run_udprr(void) { ping_pong(datagrams()); }

int main(int argc, char **argv)
{
	static const struct { const char *name; void (*run)(void); } all[] = {
		{"in", run_in}, {"out", run_out}, {"echo", run_echo}, {"rr", run_rr}, {"udprr", run_udprr}, {"crr", run_crr},
		{"udp", run_udp}, {"udpgso", run_udpgso},
	};

	for (size_t i = 0; argc >= 4 && i < sizeof all / sizeof all[0]; i++) {
		if (strcmp(argv[1], all[i].name) != 0)
			continue;
		peer = endpoint(argv[2], ECHO_PORT);
		meter_init(argv[3], argc > 4 ? argv[4] : NULL);
		all[i].run();
		return 0;
	}
	fprintf(stderr, "usage: client in|out|echo|rr|udprr|crr|udp|udpgso ADDRESS SECONDS [PID]\n");
	return 2;
}
