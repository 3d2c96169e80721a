/* build/sim: the simulator on the command line.
 *
 *   build/sim 1-100                       a network of its own for each seed, as tests/sim/test_networks.c runs them
 *   build/sim --flows 4 --rtt 40ms 1-5    flows of text without end over one bottleneck: who gets how much of it
 *
 * Prints a table for each seed, in virtual time; ends with 1 when an invariant broke, after the report of it. */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "apps/values.h"
#include "tests/support/sim.h"

#define START_US (1 * TAPIR_SEC)	/* where virtual time begins */
#define LIMIT_US (2 * 3600 * TAPIR_SEC)
#define SLICE_US (1 * TAPIR_SEC)	/* of a run that is watched by itself */
#define RTTS_MAX 8
#define PAIRS (SIM_NODES / 2)

struct scenario {
	bool wanted;			/* else networks from seeds */
	bool verbose;
	uint32_t flows;
	const char *cc[SIM_CONNS];	/* taken in turn */
	uint32_t cc_count;
	usec_t rtt_us[RTTS_MAX];	/* in turn, too */
	uint32_t rtt_count;
	usec_t time_us, stagger_us, down_at_us, down_for_us;
	uint16_t mtu;
	double queue_bdp;		/* the queue, in what the line and the longest RTT hold; 0: queue_bytes says it */
	struct fault_config line;
};

static const char usage[] =
	"usage: build/sim [OPTION]... SEED...      SEED is a number, or FIRST-LAST\n\n"
	"Without options: the network that follows from each seed. With any of these, flows over one bottleneck:\n"
	"  --flows N          how many (1)\n"
	"  --cc NAME,...      their congestion control, taken in turn\n"
	"  --rtt TIME,...     their round-trip times, taken in turn (40ms)\n"
	"  --time TIME        how long (20s)\n"
	"  --stagger TIME     the next one starts so much later (0)\n"
	"  --rate RATE        of the bottleneck (20mbit)\n"
	"  --queue BYTES      in front of it (what it and the longest RTT hold)\n"
	"  --codel, --ecn     that queue is managed (RFC 8289 5); and marks who knows ECN\n"
	"  --loss P, --burst P:FRAMES, --reorder P, --duplicate P, --corrupt P, --jitter TIME\n"
	"  --mtu BYTES        of all links (1500)\n"
	"  --down AT:TIME     the bottleneck fails for so long\n"
	"  -v, --verbose      every frame\n";

enum {
	OPT_FLOWS = 256, OPT_CC, OPT_RTT, OPT_TIME, OPT_STAGGER, OPT_RATE, OPT_QUEUE, OPT_CODEL, OPT_ECN, OPT_LOSS, OPT_BURST,
	OPT_REORDER, OPT_DUPLICATE, OPT_CORRUPT, OPT_JITTER, OPT_MTU, OPT_DOWN
};
static const struct option options[] = {
	{"flows", 1, NULL, OPT_FLOWS}, {"cc", 1, NULL, OPT_CC}, {"rtt", 1, NULL, OPT_RTT}, {"time", 1, NULL, OPT_TIME},
	{"stagger", 1, NULL, OPT_STAGGER}, {"rate", 1, NULL, OPT_RATE}, {"queue", 1, NULL, OPT_QUEUE},
	{"codel", 0, NULL, OPT_CODEL}, {"ecn", 0, NULL, OPT_ECN}, {"loss", 1, NULL, OPT_LOSS}, {"burst", 1, NULL, OPT_BURST},
	{"reorder", 1, NULL, OPT_REORDER}, {"duplicate", 1, NULL, OPT_DUPLICATE}, {"corrupt", 1, NULL, OPT_CORRUPT},
	{"jitter", 1, NULL, OPT_JITTER}, {"mtu", 1, NULL, OPT_MTU}, {"down", 1, NULL, OPT_DOWN}, {"verbose", 0, NULL, 'v'},
	{"help", 0, NULL, 'h'}, {NULL, 0, NULL, 0}
};

/* --- the command line --- */

static bool take_number(const char *text, uint64_t min, uint64_t max, uint32_t *out)
{
	uint64_t n;

	if (!value_number(text, min, max, &n))
		return false;
	*out = (uint32_t)n;
	return true;
}

static bool take_ccs(struct scenario *c, char *list)
{
	for (char *name = strtok(list, ","); name; name = strtok(NULL, ",")) {
		if (c->cc_count == SIM_CONNS)
			return false;
		c->cc[c->cc_count++] = name;
	}
	return c->cc_count > 0;
}

static bool take_rtts(struct scenario *c, char *list)
{
	c->rtt_count = 0;
	for (char *text = strtok(list, ","); text; text = strtok(NULL, ","))
		if (c->rtt_count == RTTS_MAX || !value_duration(text, 0, &c->rtt_us[c->rtt_count++]))
			return false;
	return c->rtt_count > 0;
}

/* "A:B": cuts it in two; the second part, or NULL. */
static char *second_part(char *text)
{
	char *colon = strchr(text, ':');

	if (colon)
		*colon++ = '\0';
	return colon;
}

static bool take_burst(struct scenario *c, char *text)
{
	char *frames = second_part(text);
	uint32_t n;

	if (!frames || !value_probability(text, &c->line.burst_loss) || !take_number(frames, 1, 1000000, &n))
		return false;
	c->line.burst_frames = n;
	return c->line.burst_loss < 1;
}

static bool take_down(struct scenario *c, char *text)
{
	char *time = second_part(text);

	return time && value_duration(text, 0, &c->down_at_us) && value_duration(time, 0, &c->down_for_us);
}

static bool take_line_option(struct scenario *c, int id, char *value)
{
	switch (id) {
	case OPT_RATE: return value_rate(value, &c->line.rate_bps);
	case OPT_QUEUE: c->queue_bdp = 0; return take_number(value, 1, UINT32_MAX, &c->line.queue_bytes);
	case OPT_CODEL: return c->line.codel = true;
	case OPT_ECN: return c->line.codel = c->line.mark = true;
	case OPT_LOSS: return value_probability(value, &c->line.loss);
	case OPT_BURST: return take_burst(c, value);
	case OPT_REORDER: return value_probability(value, &c->line.reorder);
	case OPT_DUPLICATE: return value_probability(value, &c->line.duplicate);
	case OPT_CORRUPT: return value_probability(value, &c->line.corrupt);
	case OPT_JITTER: return value_duration(value, 0, &c->line.jitter_us);
	default: return take_down(c, value);
	}
}

static bool take_option(struct scenario *c, int id, char *value)
{
	uint32_t n;

	c->wanted |= id != 'v';
	switch (id) {
	case 'v': return c->verbose = true;
	case OPT_FLOWS: return take_number(value, 1, SIM_CONNS, &c->flows);
	case OPT_CC: return take_ccs(c, value);
	case OPT_RTT: return take_rtts(c, value);
	case OPT_TIME: return value_duration(value, 0, &c->time_us) && c->time_us > 0;
	case OPT_STAGGER: return value_duration(value, 0, &c->stagger_us);
	case OPT_MTU:
		if (!take_number(value, 296, 9000, &n))
			return false;
		c->mtu = (uint16_t)n;
		return true;
	default: return take_line_option(c, id, value);
	}
}

/* --- a plan from a scenario: senders on the left router, receivers on the right one --- */

static usec_t longest_rtt(const struct scenario *c)
{
	usec_t rtt_us = 0;

	for (uint32_t i = 0; i < c->rtt_count; i++)
		rtt_us = c->rtt_us[i] > rtt_us ? c->rtt_us[i] : rtt_us;
	return rtt_us;
}

static double bytes_under_way(const struct scenario *c)
{
	double bytes = (double)c->line.rate_bps / 8 * (double)longest_rtt(c) / 1e6;

	return bytes > 20.0 * c->mtu ? bytes : 20.0 * c->mtu;
}

static void plan_stack(struct sim_plan *p, int node, uint32_t buffer, uint32_t flows_here)
{
	struct tapir_config *cfg = &p->cfg[node];

	tapir_config_default(cfg);
	cfg->addr = tapir_ipv4(10, 0, 0, (uint8_t)(node + 1));
	cfg->seed[0] = p->seed;
	cfg->seed[1] = (uint64_t)node + 1;
	cfg->mtu = p->mtu;
	cfg->max_sockets = cfg->max_conns = 64;
	cfg->arp_entries = 8;
	cfg->sndbuf = cfg->rcvbuf = buffer;
	cfg->small_frames = 1024 + flows_here * (buffer / 512);
	cfg->large_frames = 64;
	cfg->msl_us = 1 * TAPIR_SEC;
}

static void plan_flow(struct sim_plan *p, const struct scenario *c, uint32_t i, uint32_t pairs)
{
	struct sim_conn *conn = &p->conns[i];
	struct sim_side *side = &conn->side[0];

	*conn = (struct sim_conn){.open = SIM_OPEN_PASSIVE, .after = -1, .start_us = START_US + i * c->stagger_us};
	conn->node[0] = (uint8_t)(i % pairs);
	conn->node[1] = (uint8_t)(pairs + i % pairs);
	*side = (struct sim_side){.total = UINT32_MAX, .until_us = START_US + c->time_us, .write_max = 65536, .read_max = 65536,
				  .edge = true, .end = SIM_END_HALF};
	side->cc = c->cc_count ? c->cc[i % c->cc_count] : NULL;
	conn->side[1] = (struct sim_side){.write_max = 1, .read_max = 65536, .edge = true, .end = SIM_END_LATE};
}

static void plan_line(struct sim_plan *p, const struct scenario *c)
{
	struct fault_config *line = &p->net.trunk[0];

	*line = c->line;
	line->seed = p->seed;
	if (c->queue_bdp > 0)
		line->queue_bytes = (uint32_t)(c->queue_bdp * bytes_under_way(c));
	if (!c->down_for_us)
		return;
	p->net.changes = 2;
	p->net.change[0] = (struct sim_change){START_US + c->down_at_us, 0, *line};
	p->net.change[0].to.down = true;
	p->net.change[1] = (struct sim_change){START_US + c->down_at_us + c->down_for_us, 0, *line};
}

static void plan_scenario(struct sim_plan *p, const struct scenario *c, uint64_t seed)
{
	uint32_t pairs = c->flows < PAIRS ? c->flows : PAIRS;
	double wanted = 4 * (bytes_under_way(c) + c->line.queue_bytes);
	uint32_t buffer = wanted < 256e3 ? 256000 : wanted > 16e6 ? 16000000 : (uint32_t)wanted;

	memset(p, 0, sizeof *p);
	p->seed = seed;
	p->link = SIM_LINK_NET;
	p->ip_only = true;
	p->mtu = c->mtu;
	p->nodes = (uint8_t)(2 * pairs);
	p->net.routers = 2;
	p->backlog = SIM_CONNS;
	p->count = (uint8_t)c->flows;
	plan_line(p, c);
	for (uint32_t i = 0; i < p->nodes; i++) {
		p->net.at[i] = i >= pairs;
		plan_stack(p, (int)i, buffer, (c->flows + pairs - 1) / pairs);
		if (i < pairs)		/* so flows of one pair have the same */
			p->net.access[i].delay_us = c->rtt_us[i % c->rtt_count] / 2;
	}
	for (uint32_t i = 0; i < c->flows; i++)
		plan_flow(p, c, i, pairs);
}

/* --- running --- */

/* In slices, because one call may not use the processor for too long. */
static bool run_until(struct sim *s, usec_t end_us)
{
	for (usec_t limit_us = START_US; limit_us < end_us && !sim_is_over(s); ) {
		limit_us += SLICE_US;
		if (!sim_run(s, limit_us < end_us ? limit_us : end_us))
			return false;
	}
	return true;
}

/* --- telling --- */

struct sums { double segments, resent, spurious, goodput, squares; uint32_t flows; };

static void add_counts(struct sums *sums, const struct sim_flow *f)
{
	sums->segments += f->segments;
	sums->resent += f->retransmits;
	sums->spurious += f->spurious;
}

/* Jain's index: 1 when all have the same, 1/n when one has everything. */
static double jain(const struct sums *sums)
{
	return sums->squares > 0 ? sums->goodput * sums->goodput / (sums->flows * sums->squares) : 0;
}

static double percent(double part, double whole) { return whole > 0 ? 100 * part / whole : 0; }

static void print_flow(const struct sim *s, uint32_t i, usec_t end_us, struct sums *sums)
{
	const struct sim_conn *c = &s->plan.conns[i];
	const struct sim_flow *f = &s->flows[i][0];
	struct tapir_tcp_info info = {.rtt_us = 0};
	double mbps = s->parties[i][1].got * 8.0 / (double)(end_us - c->start_us);

	tapir_tcp_info(s->nodes[c->node[0]].t, s->parties[i][0].sd, &info);
	add_counts(sums, f);
	sums->goodput += mbps;
	sums->squares += mbps * mbps;
	sums->flows++;
	printf("  %4u %-8s %12.3f %11.0f %11u %9u %7u %9u %8.1f\n", i, c->side[0].cc ? c->side[0].cc : "default", mbps,
	       f->segments ? (double)f->flight_sum / f->segments / 1000 : 0, f->flight_max / 1000, f->segments, f->retransmits,
	       f->spurious, info.rtt_us / 1e3);
}

static void print_flows(const struct sim *s, const struct scenario *c, usec_t end_us)
{
	const struct fault_config *line = &s->plan.net.trunk[0];
	struct fault_stats stats = sim_net_stats(s->net, 0);
	struct sums sums = {.flows = 0};

	printf("seed %llu: %u flows over %.3g Mbit/s, a queue of %u KB%s, %.3g s\n", (unsigned long long)s->plan.seed,
	       c->flows, (double)line->rate_bps / 1e6, line->queue_bytes / 1000, line->codel ? " with CoDel" : "",
	       (double)c->time_us / 1e6);
	printf("  flow %-8s goodput Mb/s  flight KB  at most KB  segments  resent  spurious   RTT ms\n", "cc");
	for (uint32_t i = 0; i < c->flows; i++)
		print_flow(s, i, end_us, &sums);
	printf("  together %.3f Mb/s, %.1f %% of the line; Jain %.3f; resent %.2f %%, spurious %.2f %%\n", sums.goodput,
	       percent(sums.goodput, (double)line->rate_bps / 1e6), jain(&sums), percent(sums.resent, sums.segments),
	       percent(sums.spurious, sums.segments));
	printf("  the bottleneck lost %llu frames, found its queue full for %llu, shed %llu, marked %llu\n",
	       (unsigned long long)stats.lost, (unsigned long long)stats.overflowed, (unsigned long long)stats.shed,
	       (unsigned long long)stats.marked);
}

static void print_network(const struct sim *s)
{
	struct sums sums = {.flows = 0};
	uint64_t bytes = 0;
	uint32_t flight_max = 0;

	for (int i = 0; i < 2 * s->plan.count; i++) {
		const struct sim_flow *f = &s->flows[i / 2][i % 2];

		add_counts(&sums, f);
		bytes += s->parties[i / 2][i % 2].got;
		flight_max = f->flight_max > flight_max ? f->flight_max : flight_max;
	}
	printf("seed %llu: %u stacks, %u routers, %u connections, %u changes: %.3f s, %u frames, %llu bytes, flight at most %u, "
	       "%.0f segments, resent %.0f, spurious %.0f\n", (unsigned long long)s->plan.seed, s->plan.nodes,
	       s->plan.net.routers, s->plan.count, s->plan.net.changes, (double)(s->now_us - START_US) / 1e6, s->frames,
	       (unsigned long long)bytes, flight_max, sums.segments, sums.resent, sums.spurious);
}

/* True: all is well. */
static bool run_seed(const struct scenario *c, uint64_t seed)
{
	static struct sim_plan plan;
	usec_t end_us = START_US + c->time_us;
	struct sim *s;
	bool well;

	if (c->wanted)
		plan_scenario(&plan, c, seed);
	else
		sim_net_plan_make(&plan, seed);
	s = sim_new(&plan, c->verbose);
	well = !c->wanted || run_until(s, end_us);
	if (c->wanted && well)
		print_flows(s, c, end_us);
	if (well && run_until(s, LIMIT_US))
		sim_expect_over(s);
	well = s->failure[0] == '\0';
	if (!well || c->verbose)
		sim_report(s);
	if (!c->wanted)
		print_network(s);
	fflush(stdout);
	sim_free(s);
	return well;
}

/* "7" or "1-100". */
static bool take_seeds(char *text, uint64_t *first, uint64_t *last)
{
	char *dash = strchr(text, '-');

	if (dash)
		*dash++ = '\0';
	return value_number(text, 0, UINT64_MAX, first) && value_number(dash ? dash : text, *first, UINT64_MAX, last);
}

int main(int argc, char **argv)
{
	struct scenario c = {.flows = 1, .rtt_us = {40 * TAPIR_MS}, .rtt_count = 1, .time_us = 20 * TAPIR_SEC, .mtu = 1500,
			     .queue_bdp = 1, .line = {.rate_bps = 20000000}};
	uint64_t seed, last, failed = 0, run = 0;
	int id;

	while ((id = getopt_long(argc, argv, "v", options, NULL)) != -1)
		if (id == 'h' || id == '?' || !take_option(&c, id, optarg)) {
			if (id != 'h' && id != '?')
				fprintf(stderr, "build/sim: '%s' is not a value for this option.\n", optarg);
			fputs(usage, id == 'h' ? stdout : stderr);
			return id == 'h' ? 0 : 2;
		}
	sim_report_crashes("build/san/tests/sim/test_networks");
	for (; optind < argc; optind++) {
		if (!take_seeds(argv[optind], &seed, &last)) {
			fprintf(stderr, "build/sim: '%s' is no seed, nor a range of seeds such as 1-100.\n", argv[optind]);
			return 2;
		}
		for (; seed <= last; seed++, run++)
			failed += !run_seed(&c, seed);
	}
	printf("%llu seeds, %llu failed\n", (unsigned long long)run, (unsigned long long)failed);
	return run > 0 && failed == 0 ? 0 : 1;
}
