/* ping.c: `tapir ping`: ICMP echo (RFC 792) from a stack of its own, with the habits and the exit codes of Linux' ping. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "args.h"
#include "commands.h"
#include "station.h"
#include "values.h"

#define SEQS 65536u
#define PAYLOAD_MAX 65507u		/* of the payload: an IPv4 datagram holds 65535 bytes, 20 and 8 are headers */
#define SMALLEST_INTERVAL (2 * TAPIR_MS)	/* as Linux' ping gives users */

static const struct option_line own_options[] = {
	{ 'c', "count", "N", "end after so many requests (none: until interrupted)" },
	{ 'i', "interval", "TIME", "between two requests: seconds, or 200ms (1)" },
	{ 'W', "timeout", "TIME", "wait so long when nothing has answered at all (10)" },
	{ 'w', "deadline", "TIME", "end after so long, whatever has come" },
	{ 's', "size", "BYTES", "of payload in each request (56)" },
	{ 'q', "quiet", NULL, "only the summary" },
	{ 0, NULL, NULL, NULL }
};

static const char about[] =
	"Sends ICMP echo requests to HOST, an address, and says what comes back. The exit code is 0 when HOST answered,\n"
	"1 when it did not (or, with -c and -w, not often enough), 2 when something else went wrong.\n";

static const char examples[] =
	"  tapir ping --up 10.0.0.1/24 10.0.0.1      as root: makes tap0, and pings the kernel at its other end\n"
	"  tapir ping -c 3 -i 200ms 10.0.0.1\n"
	"  tapir ping -s 20000 --trace 10.0.0.1      a datagram in fragments, and every frame shown\n"
	"  tapir lab -- tapir ping --tap tap1 --addr 10.1.1.2/24 --up 10.1.1.1/24 -c 1 10.1.1.1\n"
	"                                            the same in a network of its own, without root\n";

struct ping {
	struct station station;
	struct options options;
	struct tapir_addr to;
	uint64_t count;			/* 0: no end */
	usec_t interval_us, timeout_us, deadline_us;	/* deadline 0: none */
	uint64_t size;
	bool quiet;

	uint16_t id;
	uint8_t *payload;
	uint64_t sent, received, duplicates, errors;
	usec_t start_us, sent_at_us[SEQS];	/* by sequence number; 0: nothing is awaited */
	bool answered[SEQS];
	double rtt_min, rtt_max, rtt_sum, rtt_sum2;	/* milliseconds */
	bool over, failed;		/* stop; because a request could not be sent */
};

/* --- answers --- */

static void count_rtt(struct ping *p, double ms)
{
	if (p->received == 0 || ms < p->rtt_min)
		p->rtt_min = ms;
	if (p->received == 0 || ms > p->rtt_max)
		p->rtt_max = ms;
	p->rtt_sum += ms;
	p->rtt_sum2 += ms * ms;
	p->received++;
}

static const char *reason(const struct tapir_echo *e)
{
	static const char *const unreachable[] = {
		"Destination Net Unreachable", "Destination Host Unreachable", "Destination Protocol Unreachable",
		"Destination Port Unreachable", "Frag needed and DF set", "Source Route Failed",
	};
	if (e->type == 3)
		return e->code < 6 ? unreachable[e->code] : "Destination Unreachable";
	if (e->type == 11)
		return e->code == 0 ? "Time to live exceeded" : "Fragment reassembly time exceeded";
	return e->type == 12 ? "Parameter problem" : "ICMP error";
}

static void say_answer(struct ping *p, const struct tapir_echo *e, double ms)
{
	char from[TAPIR_ADDR_TEXT];
	if (p->quiet)
		return;
	printf("%" PRIu32 " bytes from %s: icmp_seq=%u ttl=%u time=%.3f ms%s\n", e->len + 8, tapir_addr_format(&e->from, from),
	       e->seq, e->ttl, ms, p->answered[e->seq] ? " (DUP!)" : "");
}

static void take_answer(struct ping *p, const struct tapir_echo *e)
{
	char from[TAPIR_ADDR_TEXT];
	if (e->id != p->id || !p->sent_at_us[e->seq])
		return;
	if (e->type || e->code) {
		p->errors++;
		if (!p->quiet)
			printf("From %s icmp_seq=%u %s\n", tapir_addr_format(&e->from, from), e->seq, reason(e));
		return;
	}
	usec_t sent = p->sent_at_us[e->seq];
	double ms = e->at_us > sent ? (double)(e->at_us - sent) / 1000 : 0;
	say_answer(p, e, ms);
	if (p->answered[e->seq])
		p->duplicates++;
	else
		count_rtt(p, ms);
	p->answered[e->seq] = true;
}

static bool all_answered(const struct ping *p)
{
	return p->count && p->sent == p->count && p->received + p->errors >= p->count;
}

static void take_answers(struct ping *p)
{
	struct tapir_echo e;
	while (tapir_echo_recv(p->station.stack, &e))
		take_answer(p, &e);
	if (fflush(stdout) != 0)
		p->over = true;		/* nobody reads it any more */
}

/* --- requests --- */

static void stop(void *ctx)
{
	((struct ping *)ctx)->over = true;
}

static bool send_request(struct ping *p)
{
	char text[TAPIR_ADDR_TEXT];
	uint16_t seq = (uint16_t)(p->sent + 1);
	int error = tapir_echo_send(p->station.stack, p->to, p->id, seq, (struct span){ p->payload, (size_t)p->size });
	if (error && error != TAPIR_EAGAIN && error != TAPIR_ENOMEM) {
		fprintf(stderr, "tapir ping: cannot send to %s: %s.%s\n", tapir_addr_format(&p->to, text), tapir_strerror(error),
			error == TAPIR_ENETUNREACH ? " --gateway names the way to other networks." :
			error == TAPIR_EACCES ? " ping asks one host." : "");
		return false;
	}
	p->sent_at_us[seq] = loop_now(p->station.loop);
	p->answered[seq] = false;
	p->sent++;
	return true;
}

/* Who has answered will do so again in about that time; who has not may be known to be unreachable later. */
static usec_t last_wait(const struct ping *p)
{
	usec_t slowest = (usec_t)(2000 * p->rtt_max);
	if (!p->received)
		return p->timeout_us;
	return slowest > p->interval_us ? slowest : p->interval_us;
}

static void next_request(void *ctx)
{
	struct ping *p = ctx;
	usec_t now = loop_now(p->station.loop);
	p->failed = !send_request(p);
	p->over = p->over || p->failed;
	if (!p->count || p->sent < p->count)
		loop_at(p->station.loop, now + p->interval_us, next_request, p);
	else
		loop_at(p->station.loop, now + last_wait(p), stop, p);
}

/* --- from beginning to end --- */

static void say_begin(const struct ping *p)
{
	char to[TAPIR_ADDR_TEXT], from[TAPIR_ADDR_TEXT];
	printf("PING %s from %s %s: %" PRIu64 "(%" PRIu64 ") bytes of data.\n", tapir_addr_format(&p->to, to),
	       tapir_addr_format(&p->options.addr, from), p->options.tap, p->size, p->size + 28);
	fflush(stdout);
}

static void say_end(const struct ping *p, usec_t end_us)
{
	char to[TAPIR_ADDR_TEXT];
	double n = (double)p->received, mean = p->rtt_sum / n;
	printf("\n--- %s ping statistics ---\n%" PRIu64 " packets transmitted, %" PRIu64 " received", tapir_addr_format(&p->to, to),
	       p->sent, p->received);
	if (p->duplicates)
		printf(", +%" PRIu64 " duplicates", p->duplicates);
	if (p->errors)
		printf(", +%" PRIu64 " errors", p->errors);
	if (p->sent)
		printf(", %.4g%% packet loss", 100.0 * (double)(p->sent - p->received) / (double)p->sent);
	printf(", time %" PRIu64 "ms\n", (uint64_t)((end_us - p->start_us) / 1000));
	if (p->received)
		printf("rtt min/avg/max/mdev = %.3f/%.3f/%.3f/%.3f ms\n", p->rtt_min, mean, p->rtt_max,
		       sqrt(fmax(0, p->rtt_sum2 / n - mean * mean)));
}

static int turn_until_over(struct ping *p)
{
	struct loop *l = p->station.loop;
	p->start_us = loop_now(l);
	if (p->deadline_us)
		loop_at(l, p->start_us + p->deadline_us, stop, p);
	loop_at(l, p->start_us, next_request, p);
	while (!p->over && !p->station.signal) {
		if (loop_turn(l, USEC_NEVER) < 0) {
			fprintf(stderr, "tapir ping: %s\n", driver_error());
			return 2;
		}
		take_answers(p);
		p->over = p->over || all_answered(p);
	}
	if (p->failed && !p->sent)
		return 2;
	say_end(p, loop_now(l));
	bool enough = p->received && (!p->count || !p->deadline_us || p->received >= p->count);
	return enough ? 0 : 1;
}

static int run(struct ping *p)
{
	int code = 2;
	p->station.signal_fd = -1;
	p->payload = malloc(p->size ? (size_t)p->size : 1);
	if (p->payload && station_open(&p->station, "ping", &p->options, NULL) && station_ready(&p->station)) {
		for (size_t i = 0; i < p->size; i++)
			p->payload[i] = (uint8_t)i;
		say_begin(p);
		code = turn_until_over(p);
	}
	station_close(&p->station);
	free(p->payload);
	return code;
}

/* NULL, or what would have been accepted. */
static const char *set(struct ping *p, int id, const char *value)
{
	static const char seconds[] = "a time: seconds, or with a unit, such as 200ms";
	switch (id) {
	case 'c':
		return value_number(value, 1, UINT32_MAX, &p->count) ? NULL : "a number of requests, at least 1";
	case 'i':
		return value_duration(value, TAPIR_SEC, &p->interval_us) && p->interval_us >= SMALLEST_INTERVAL ? NULL :
		       "a time of at least 2ms: seconds, or with a unit, such as 200ms";
	case 'W':
		return value_duration(value, TAPIR_SEC, &p->timeout_us) ? NULL : seconds;
	case 'w':
		return value_duration(value, TAPIR_SEC, &p->deadline_us) && p->deadline_us ? NULL : seconds;
	case 's':
		return value_number(value, 0, PAYLOAD_MAX, &p->size) ? NULL : "a number of bytes, at most 65507";
	default:
		p->quiet = true;
		return NULL;
	}
}

static int parse_and_run(struct ping *p, struct args *a)
{
	const char *value, *wanted;
	int id;
	while ((id = args_next(a, &value)) > 0) {
		wanted = set(p, id, value);
		if (wanted)
			return args_exit(args_bad_value(a, id, value, wanted));
	}
	if (id != ARGS_END)
		return args_exit(id);
	if (a->argc != 1)
		return args_exit(args_bad(a, a->argc ? "only one HOST can be pinged at a time." : "a HOST is missing."));
	return station_host("ping", a->argv[0], &p->to) ? run(p) : 2;
}

int ping_main(int argc, char **argv)
{
	struct ping *p = calloc(1, sizeof *p);
	if (!p) {
		fprintf(stderr, "tapir ping: out of memory.\n");
		return 2;
	}
	*p = (struct ping){ .interval_us = TAPIR_SEC, .timeout_us = 10 * TAPIR_SEC, .size = 56, .id = (uint16_t)getpid() };
	options_default(&p->options);
	struct args a = {
		.command = "ping", .synopsis = "[OPTION]... HOST", .about = about, .examples = examples, .own = own_options,
		.common = &p->options, .argc = argc, .argv = argv,
	};
	int code = parse_and_run(p, &a);
	free(p);
	return code;
}
