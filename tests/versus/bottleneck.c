/* bottleneck: the bad line of drivers/fault.c between two TAPs in two network namespaces, in real time: what both the kernel's
 * TCP and the stack's send through when they are compared (docs/versus.md).
 *
 *   bottleneck [OPTION]... NETNS:TAP NETNS:TAP      NETNS is a file such as /run/netns/a
 *
 * Says "ready" when it carries frames; when it is ended by SIGTERM, what it did with them, and how late it was. */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include "apps/values.h"
#include "drivers/driver.h"
#include "drivers/loop.h"
#include "tests/support/real_time.h"

#define FRAME_ROOM 65536u
#define ETH_HEADER 14u
#define BURST_IDLE_US (100 * TAPIR_MS)	/* or who waits for a timeout meets the burst that caused it, and again, and again */
#define LATE_US (1 * TAPIR_MS)	/* a turn that comes so much after its deadline changes the line */

struct bottleneck {
	struct driver *near, *far;	/* the bad line is around near */
	uint64_t turns, late_turns;
	usec_t latest_us;
};

static volatile sig_atomic_t ended;

static void end(int number)
{
	(void)number;
	ended = 1;
}

static void give_up(const char *what, const char *why)
{
	fprintf(stderr, "bottleneck: %s: %s\n", what, why);
	exit(1);
}

/* --- opening --- */

static bool take_burst(struct fault_config *cfg, char *text)
{
	char *colon = strchr(text, ':');
	uint64_t frames;

	if (!colon)
		return false;
	*colon = '\0';
	if (!value_probability(text, &cfg->burst_loss) || !value_number(colon + 1, 1, 1000, &frames))
		return false;
	cfg->burst_frames = (double)frames;
	cfg->burst_idle_us = BURST_IDLE_US;
	return cfg->burst_loss < 1;
}

static bool take_option(struct fault_config *cfg, int id, char *value)
{
	uint64_t n;

	switch (id) {
	case 'r': return value_rate(value, &cfg->rate_bps);
	case 'd': return value_duration(value, 0, &cfg->delay_us);
	case 'j': return value_duration(value, 0, &cfg->jitter_us);
	case 'l': return value_probability(value, &cfg->loss);
	case 'o': return value_probability(value, &cfg->reorder);
	case 'b': return take_burst(cfg, value);
	case 's': return value_number(value, 0, UINT64_MAX, &cfg->seed);
	case 'c': return cfg->codel = true;
	case 'q':
		if (!value_number(value, 1, UINT32_MAX, &n))
			return false;
		cfg->queue_bytes = (uint32_t)n;
		return true;
	default: return false;
	}
}

/* The TAP of "NETNS:TAP". This process stays in that namespace. */
static struct driver *open_tap(char *where)
{
	char *colon = strrchr(where, ':');
	struct driver *d;
	int fd;

	if (!colon)
		give_up(where, "wanted NETNS:TAP");
	*colon = '\0';
	fd = open(where, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || setns(fd, CLONE_NEWNET) < 0)
		give_up(where, strerror(errno));
	close(fd);
	d = driver_open_tap(colon + 1);
	if (!d || driver_set_offload(d, (struct tapir_offload_caps){.csum = false}) != 0)
		give_up(colon + 1, driver_error());
	if (!wait_until_running(colon + 1))
		give_up(colon + 1, "is not running");
	return d;
}

/* --- carrying --- */

static bool carry(struct driver *from, struct driver *to, usec_t now_us)
{
	static uint8_t store[FRAME_ROOM];
	struct tapir_frame f = {.data = store, .room = sizeof store};
	struct tapir_out out = {.slice_count = 1};
	int got = driver_recv(from, &f, now_us);

	if (got < 0)
		give_up("receiving", driver_error());
	if (got == 0)
		return false;
	if (f.len > from->mtu + ETH_HEADER || f.offload.gso != TAPIR_GSO_NONE)
		give_up("receiving", "a frame that is longer than the MTU: an offload is on");
	out.len = f.len;
	out.slices[0] = (struct span){f.data, f.len};
	if (driver_send(to, &out, now_us) < 0)
		give_up("sending", driver_error());
	return true;
}

static void turn(struct bottleneck *b, usec_t due_us)
{
	usec_t now_us = loop_clock_us(), late_us = now_us > due_us ? now_us - due_us : 0;

	b->turns++;
	b->late_turns += late_us > LATE_US;
	b->latest_us = late_us > b->latest_us ? late_us : b->latest_us;
	while (carry(b->near, b->far, now_us))
		;
	while (carry(b->far, b->near, now_us))
		;
	if (driver_flush(b->near) < 0 || driver_flush(b->far) < 0)
		give_up("sending", driver_error());
}

static void wait_until(const struct bottleneck *b, usec_t due_us, const sigset_t *while_waiting)
{
	struct pollfd fds[] = {{.fd = b->near->fd, .events = POLLIN}, {.fd = b->far->fd, .events = POLLIN}};
	usec_t now_us = loop_clock_us(), wait_us = due_us > now_us ? due_us - now_us : 0;
	struct timespec timeout = {(time_t)(wait_us / TAPIR_SEC), (long)(wait_us % TAPIR_SEC) * 1000};

	ppoll(fds, 2, due_us == USEC_NEVER ? NULL : &timeout, while_waiting);
}

static void run(struct bottleneck *b)
{
	struct sigaction action = {.sa_handler = end};
	sigset_t blocked, before;

	sigemptyset(&blocked);
	sigaddset(&blocked, SIGTERM);
	sigprocmask(SIG_BLOCK, &blocked, &before);
	sigaction(SIGTERM, &action, NULL);
	puts("ready");
	fflush(stdout);
	while (!ended) {
		usec_t due_us = driver_deadline(b->near);

		wait_until(b, due_us, &before);
		turn(b, due_us);
	}
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{"rate", 1, NULL, 'r'}, {"delay", 1, NULL, 'd'}, {"jitter", 1, NULL, 'j'}, {"loss", 1, NULL, 'l'},
		{"reorder", 1, NULL, 'o'}, {"burst", 1, NULL, 'b'}, {"seed", 1, NULL, 's'}, {"codel", 0, NULL, 'c'},
		{"queue", 1, NULL, 'q'}, {NULL, 0, NULL, 0}
	};
	struct fault_config cfg = {.loss = 0};
	struct bottleneck b = {.turns = 0};
	struct fault_stats s;
	int id;

	while ((id = getopt_long(argc, argv, "", options, NULL)) != -1)
		if (!take_option(&cfg, id, optarg))
			give_up("options", "not understood");
	if (argc - optind != 2)
		give_up("arguments", "wanted NETNS:TAP NETNS:TAP");
	b.near = driver_wrap_fault(open_tap(argv[optind]), &cfg);
	b.far = open_tap(argv[optind + 1]);
	if (!b.near)
		give_up("the line", driver_error());
	ask_for_priority(2);	/* it sleeps most of the time, but when a frame is due, others have to wait */
	run(&b);
	s = driver_fault_stats(b.near);
	printf("passed %llu lost %llu full %llu shed %llu reordered %llu turns %llu late %llu latest_us %llu\n",
	       (unsigned long long)s.passed, (unsigned long long)s.lost, (unsigned long long)s.overflowed,
	       (unsigned long long)s.shed, (unsigned long long)s.reordered, (unsigned long long)b.turns,
	       (unsigned long long)b.late_turns, (unsigned long long)b.latest_us);
	driver_close(b.near);
	driver_close(b.far);
	return 0;
}
