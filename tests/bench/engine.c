/* engine: the stack alone, two of them in one process, in virtual time and without a system call (docs/performance.md). Frames
 * are carried from one to the other with one copy, as a driver would.
 *
 *	engine bulk plain|tso SECONDS		one stream: segments of it a second of CPU, both ends together
 *	engine count plain|tso SEGMENTS		the same for so many segments, inside engine_counted(), for callgrind
 *	engine idle CONNECTIONS SECONDS ROUNDS	memory of idle connections, and what a segment costs beside them
 *
 * plain: MTU 1500, every checksum made, in the same pass with the copy, and looked at. tso: frames of up to 64 KB, checksums left
 * to the driver. Bytes are lent
 * by the sender and looked at where they lie by the receiver. idle: keep-alive is on, so that each connection has a timer
 * armed; ACTIVE of the connections carry the segments, one after the other. */
#include "bench.h"
#include "tapir.h"

#define BATCH 64		/* frames from one end before the other has its turn */
#define TEXT_BYTES 65536u
#define SPANS 16
#define PORT 9
#define ACTIVE 10
#define CONNECTIONS_OF_PORT 50000u
#define TURN_US 20		/* virtual time of a turn */
#define BACKLOG 256u
#define EXTRA 64u		/* sockets and connections beyond those asked for */

enum { A, B };			/* A opens and sends, B takes */

struct pair { struct tapir *ends[2]; usec_t now_us; };

static struct tapir **ends;	/* of the pair that is looked at */
static struct pair *pair;
static uint8_t text[TEXT_BYTES];

__attribute__((noreturn)) static void wrong(const char *what, int64_t result)
{
	fprintf(stderr, "engine: %s: %s\n", what, tapir_strerror((int)result));
	exit(1);
}

static int64_t must(const char *what, int64_t result)
{
	if (result < 0 && result != TAPIR_EINPROGRESS)
		wrong(what, result);
	return result;
}

/* ---- two ends ---- */

static void config_of(int who, uint32_t connections, bool tso, struct tapir_config *c)
{
	tapir_config_default(c);
	c->ip_only = true;
	c->addr = tapir_ipv4(10, 0, 0, (uint8_t)(1 + who));
	c->seed[0] = 1;
	c->seed[1] = (uint64_t)who + 1;
	c->max_conns = c->max_sockets = connections + EXTRA;
	c->port_first = 1024;
	c->offload = (struct tapir_offload_caps){.csum = true, .tso4 = tso};
}

static void look_at(struct pair *p)
{
	pair = p;
	ends = p->ends;
}

static void open_ends(struct pair *p, uint32_t connections, bool tso)
{
	look_at(p);
	for (int who = A; who <= B; who++) {
		struct tapir_config c;
		void *memory;

		config_of(who, connections, tso, &c);
		memory = aligned_alloc(64, (tapir_size(&c) + 63) & ~(size_t)63);
		ends[who] = memory ? tapir_init(memory, &c, 0) : NULL;
		if (!ends[who])
			wrong("a stack of that size", TAPIR_ENOMEM);
	}
}

/* Frames of 64 KB one by one, as the loop does: a driver that gathers leaves nothing to be joined. */
static int carry_batch(int from)
{
	struct tapir *to = ends[!from];
	bool tso = tapir_get_config(to)->offload.tso4;
	struct tapir_frame *frames[BATCH];
	struct tapir_out out;
	uint32_t got = 0;
	int n = 0;

	for (; n < BATCH && tapir_output(ends[from], &out); n++) {
		struct tapir_frame *frame = tapir_frame_get(to);

		if (!frame)
			continue;	/* lost, as on a card without buffers */
		tapir_out_copy(&out, frame->data, tso);
		frame->len = out.len;
		if (tso)
			frame->offload = out.offload;
		frames[got++] = frame;
		if (tso || got == BATCH) {
			tapir_input_batch(to, frames, got, NULL);
			got = 0;
		}
	}
	tapir_input_batch(to, frames, got, NULL);
	return n;
}

/* Carries until neither end has anything to send at this time. */
static void carry(void)
{
	while (carry_batch(A) + carry_batch(B) > 0)
		;
}

static void pass(usec_t us)
{
	pair->now_us += us;
	tapir_tick(ends[A], pair->now_us);
	tapir_tick(ends[B], pair->now_us);
}

static tapir_sd listen_at(uint16_t port)
{
	const struct tapir_endpoint at = {.port = port};
	tapir_sd sd = must("socket", tapir_socket(ends[B], TAPIR_SOCK_STREAM));

	must("SO_KEEPALIVE", tapir_setsockopt(ends[B], sd, TAPIR_SO_KEEPALIVE, 1));
	must("bind", tapir_bind(ends[B], sd, &at));
	must("listen", tapir_listen(ends[B], sd, BACKLOG));
	return sd;
}

static tapir_sd connect_to(uint16_t port)
{
	const struct tapir_endpoint to = {tapir_ipv4(10, 0, 0, 2), port};
	tapir_sd sd = must("socket", tapir_socket(ends[A], TAPIR_SOCK_STREAM));

	must("SO_KEEPALIVE", tapir_setsockopt(ends[A], sd, TAPIR_SO_KEEPALIVE, 1));
	must("connect", tapir_connect(ends[A], sd, &to));
	return sd;
}

/* ---- one stream, or several ---- */

struct stream { tapir_sd from, to; };

static struct stream open_stream(tapir_sd listener, uint16_t port)
{
	struct stream s = {.from = connect_to(port)};

	carry();
	s.to = must("accept", tapir_accept(ends[B], listener, NULL));
	return s;
}

static uint64_t take_all(tapir_sd sd)
{
	struct span spans[SPANS];
	uint64_t bytes = 0;
	int n;

	while ((n = tapir_recv_peek(ends[B], sd, spans, SPANS)) > 0) {
		size_t seen = 0;

		for (int i = 0; i < n; i++)
			seen += spans[i].n;
		tapir_recv_consume(ends[B], sd, seen);
		bytes += seen;
	}
	return bytes;
}

/* One turn of a stream: as much is lent as fits, a batch goes each way, what has come is taken. How many bytes came. */
static uint64_t stream_turn(const struct stream *s)
{
	uint64_t bytes;

	pass(TURN_US);
	while (tapir_send_borrowed(ends[A], s->from, text, TEXT_BYTES, NULL, NULL) > 0)
		;
	carry_batch(A);
	bytes = take_all(s->to);
	carry_batch(B);
	return bytes;
}

__attribute__((noinline)) uint64_t engine_counted(const struct stream *s, uint64_t wanted);
__attribute__((noinline)) uint64_t engine_counted(const struct stream *s, uint64_t wanted)
{
	uint64_t bytes = 0;

	while (bytes < wanted)
		bytes += stream_turn(s);
	return bytes;
}

static uint32_t mss_of(const struct stream *s)
{
	struct tapir_tcp_info info;

	must("TCP_INFO", tapir_tcp_info(ends[A], s->from, &info));
	return info.snd_mss;
}

#define WARM_SEGMENTS 20000u

static int bulk(bool tso, double seconds)
{
	static struct pair one;
	struct stream s;
	uint64_t bytes = 0;
	int64_t start, end;

	open_ends(&one, 16, tso);
	s = open_stream(listen_at(PORT), PORT);
	engine_counted(&s, WARM_SEGMENTS * (uint64_t)mss_of(&s));
	start = end = clock_ns(CLOCK_PROCESS_CPUTIME_ID);
	while ((double)(end - start) < seconds * 1e9) {
		bytes += engine_counted(&s, 1000 * (uint64_t)mss_of(&s));
		end = clock_ns(CLOCK_PROCESS_CPUTIME_ID);
	}
	printf("segments %llu ns %lld\n", (unsigned long long)(bytes / mss_of(&s)), (long long)(end - start));
	return 0;
}

static int count(bool tso, uint64_t segments)
{
	static struct pair one;
	struct stream s;
	uint64_t bytes;

	open_ends(&one, 16, tso);
	s = open_stream(listen_at(PORT), PORT);
	bytes = engine_counted(&s, segments * mss_of(&s));
	printf("segments %llu\n", (unsigned long long)(bytes / mss_of(&s)));
	return 0;
}

/* ---- many connections ---- */

static uint64_t resident(void)
{
	unsigned long long pages = 0;
	FILE *f = fopen("/proc/self/statm", "re");

	if (!f || fscanf(f, "%*u %llu", &pages) != 1)
		die("/proc/self/statm");
	fclose(f);
	return pages * (uint64_t)sysconf(_SC_PAGESIZE);
}

/* Opens so many connections, spread over the ports, and leaves them alone. */
static void open_idle(uint32_t connections)
{
	tapir_sd listener = TAPIR_EBADF;
	uint32_t opened = 0;

	while (opened < connections) {
		uint16_t port = (uint16_t)(PORT + 1 + opened / CONNECTIONS_OF_PORT);
		uint32_t n = 0;

		if (opened % CONNECTIONS_OF_PORT == 0)
			listener = listen_at(port);
		for (; n < BACKLOG && opened < connections; n++) {
			connect_to(port);
			opened++;
			if (opened % CONNECTIONS_OF_PORT == 0) {
				n++;
				break;
			}
		}
		carry();
		while (n-- > 0)
			must("accept", tapir_accept(ends[B], listener, NULL));
		pass(TURN_US);
	}
	pass(TAPIR_SEC);		/* nothing is owed any more: delayed ACKs are out */
	carry();
}

struct crowd { struct pair pair; struct stream streams[ACTIVE]; };

static void open_crowd(struct crowd *c, uint32_t connections)
{
	tapir_sd listener;

	open_ends(&c->pair, connections + ACTIVE, false);
	open_idle(connections);
	listener = listen_at(PORT);
	for (int i = 0; i < ACTIVE; i++)
		c->streams[i] = open_stream(listener, PORT);
}

/* Nanoseconds of CPU for a segment of the streams, each of which has its turns one after the other. */
static double cost_of_segment(struct crowd *c, double seconds)
{
	int64_t start = clock_ns(CLOCK_PROCESS_CPUTIME_ID), end = start;
	uint32_t mss;
	uint64_t bytes = 0;

	look_at(&c->pair);
	mss = mss_of(&c->streams[0]);
	while ((double)(end - start) < seconds * 1e9) {
		for (int i = 0; i < ACTIVE; i++)
			bytes += engine_counted(&c->streams[i], 100 * (uint64_t)mss);
		end = clock_ns(CLOCK_PROCESS_CPUTIME_ID);
	}
	return (double)(end - start) / ((double)bytes / mss);
}

static double more_for_each(const struct tapir_config *few, const struct tapir_config *many, uint32_t n)
{
	return (double)(tapir_size(many) - tapir_size(few)) / n;
}

/* What tapir_size asks for one more: of connections with their sockets, of half-open ones, of those in TIME-WAIT, each with its
 * share of tables and pools. */
static void print_lent(uint32_t n)
{
	struct tapir_config few, many;

	config_of(B, 0, false, &few);
	config_of(B, n, false, &many);
	printf("lent %.1f ", more_for_each(&few, &many, n));
	few.max_half_open = few.max_time_wait = 1;
	many = few;
	many.max_half_open += n;
	printf("half_open %.1f ", more_for_each(&few, &many, n));
	many = few;
	many.max_time_wait += n;
	printf("time_wait %.1f ", more_for_each(&few, &many, n));
}

static int idle(uint32_t connections, double seconds, int rounds)
{
	static struct crowd few, many;
	uint64_t before;
	double taken;

	open_crowd(&few, 0);
	before = resident();
	open_crowd(&many, connections);
	taken = (double)(resident() - before) / connections / 2;
	cost_of_segment(&few, seconds);
	cost_of_segment(&many, seconds);
	while (rounds-- > 0) {
		double few_ns = cost_of_segment(&few, seconds), many_ns = cost_of_segment(&many, seconds);

		print_lent(connections);
		printf("resident %.1f few_ns %.2f many_ns %.2f\n", taken, few_ns, many_ns);
	}
	return 0;
}

int main(int argc, char **argv)
{
	if (argc == 4 && strcmp(argv[1], "bulk") == 0)
		return bulk(strcmp(argv[2], "tso") == 0, atof(argv[3]));
	if (argc == 4 && strcmp(argv[1], "count") == 0)
		return count(strcmp(argv[2], "tso") == 0, (uint64_t)atoll(argv[3]));
	if (argc == 5 && strcmp(argv[1], "idle") == 0)
		return idle((uint32_t)atol(argv[2]), atof(argv[3]), atoi(argv[4]));
	fprintf(stderr, "usage: engine bulk|count plain|tso SECONDS|SEGMENTS, or engine idle CONNECTIONS SECONDS ROUNDS\n");
	return 2;
}
