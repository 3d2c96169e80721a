/* station.c: see station.h. */
#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/random.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "netif.h"
#include "live.h"
#include "stat_server.h"
#include "station.h"

static bool complain(const struct station *s, const char *format, ...) __attribute__((format(printf, 2, 3)));
static bool complain(const struct station *s, const char *format, ...)
{
	va_list list;
	va_start(list, format);
	fprintf(stderr, "tapir %s: ", s->command);
	vfprintf(stderr, format, list);
	fputc('\n', stderr);
	va_end(list);
	return false;
}

/* --up: the kernel's end of the TAP. */
static bool bring_up(const struct station *s)
{
	const struct options *o = s->options;
	char text[TAPIR_ADDR_TEXT];
	if (tapir_addr_is_any(&o->up_addr))
		return true;
	int error = o->mtu ? netif_set_mtu(o->tap, o->mtu) : 0;
	if (!error)
		error = netif_set_addr(o->tap, &o->up_addr, o->up_prefix_len);
	if (!error)
		error = netif_set_up(o->tap);
	if (!error)
		return true;
	return complain(s, "cannot give %s the address %s/%d: %s. It takes CAP_NET_ADMIN: run as root, or leave --up out.",
			o->tap, tapir_addr_format(&o->up_addr, text), o->up_prefix_len, strerror(-error));
}

/* A TAP that the kernel does not use yet is the commonest reason why nothing answers: say what to type. */
static void say_how_to_reach(const struct station *s)
{
	const struct options *o = s->options;
	struct netif n = netif_look(o->tap);
	struct tapir_addr kernel = netif_neighbour(&o->addr, o->prefix_len);
	char ours[TAPIR_ADDR_TEXT], theirs[TAPIR_ADDR_TEXT];
	tapir_addr_format(&o->addr, ours);
	if (n.enslaved || (n.up && n.has_addr && netif_same_net(&n.addr, &o->addr, n.prefix_len)))
		return;
	if (n.has_addr && !netif_same_net(&n.addr, &o->addr, n.prefix_len)) {
		complain(s, "note: %s has the address %s/%d, and %s is not in that network: choose another --addr.", o->tap,
			 tapir_addr_format(&n.addr, theirs), n.prefix_len, ours);
		return;
	}
	tapir_addr_format(&kernel, theirs);
	complain(s, "note: %s is %s, so the kernel cannot reach %s yet. As root, type:", o->tap,
		 n.has_addr ? "down" : "without an address", ours);
	if (!n.has_addr)
		fprintf(stderr, "    ip addr add %s/%d dev %s\n", theirs, o->prefix_len, o->tap);
	if (!n.up)
		fprintf(stderr, "    ip link set dev %s up\n", o->tap);
	fprintf(stderr, "or start again with --up %s/%d, which does it.\n", theirs, o->prefix_len);
}

/* With --xdp the interface is the stack's, and an address that the kernel has there is cut off. */
static void say_what_is_cut_off(const struct station *s)
{
	const struct options *o = s->options;
	struct netif n = netif_look(o->tap);
	char theirs[TAPIR_ADDR_TEXT];
	if (n.has_addr)
		complain(s, "note: %s has the kernel's address %s, which receives nothing there while this runs.", o->tap,
			 tapir_addr_format(&n.addr, theirs));
}

/* Puts next around *d, unless it could not be made. */
static bool wrapped(const struct station *s, struct driver **d, struct driver *next)
{
	if (!next) {
		driver_close(*d);
		return complain(s, "%s", driver_error());
	}
	*d = next;
	return true;
}

static bool open_trace(struct station *s)
{
	const char *path = s->options->trace_file;
	if (!path)
		return true;
	s->trace = fopen(path, "we");
	if (!s->trace)
		return complain(s, "cannot write the trace to %s: %s.", path, strerror(errno));
	setvbuf(s->trace, NULL, _IOLBF, 0);
	return true;
}

/* Our link address. One address, one link address, run after run: neighbours' ARP caches stay true. */
void station_mac(const struct options *o, uint8_t mac[6])
{
	static const uint8_t none[6];
	mac[0] = 0x02;
	mac[1] = 't';
	memcpy(mac + 2, o->addr.b + 12, 4);
	if (memcmp(o->mac, none, 6) != 0)
		memcpy(mac, o->mac, 6);
}

static bool wrap_capture(struct station *s, struct driver **d, struct driver *fault)
{
	bool to_stdout = strcmp(s->options->capture, "-") == 0;
	const char *wrong = to_stdout ? recording_stdout_wrong() : NULL;
	uint8_t mac[6];
	if (wrong) {
		driver_close(*d);
		return complain(s, "%s.", wrong);
	}
	station_mac(s->options, mac);
	struct capture_options c = recording_options(&s->recording, s->options, s->seed, mac);
	if (!wrapped(s, d, driver_wrap_capture(*d, &c)))
		return false;
	s->capture = *d;
	if (fault)
		driver_fault_tell(fault, driver_capture_fault, s->capture);
	if (to_stdout)
		recording_leave_stdout();
	return true;
}

static struct driver *wrap(struct station *s, struct driver *d)
{
	const struct options *o = s->options;
	struct fault_config fault = o->fault;
	fault.seed = s->seed;
	if (options_faulty(o) && !wrapped(s, &d, driver_wrap_fault(d, &fault)))
		return NULL;
	s->fault = options_faulty(o) ? d : NULL;
	if (o->capture && !wrap_capture(s, &d, s->fault))
		return NULL;
	if (!o->trace)
		return d;
	if (!open_trace(s)) {
		driver_close(d);
		return NULL;
	}
	return wrapped(s, &d, driver_wrap_trace(d, s->trace ? s->trace : stderr)) ? d : NULL;
}

static struct driver *open_driver(struct station *s)
{
	const struct options *o = s->options;
	struct driver *d = o->xdp ? driver_open_xdp(o->tap) : driver_open_tap(o->tap);
	if (!d) {
		complain(s, "%s", driver_error());
		return NULL;
	}
	if (!bring_up(s)) {
		driver_close(d);
		return NULL;
	}
	if (o->mtu && !tapir_addr_is_any(&o->up_addr))
		d->mtu = o->mtu;
	if (o->mtu > d->mtu) {
		complain(s, "--mtu %d is more than %s has (%d). As root, type:  ip link set dev %s mtu %d", o->mtu, o->tap, d->mtu,
			 o->tap, o->mtu);
		driver_close(d);
		return NULL;
	}
	if (o->mtu)
		d->mtu = o->mtu;
	return wrap(s, d);
}

static void configure(struct tapir_config *c, const struct station *s)
{
	const struct options *o = s->options;
	tapir_config_default(c);
	c->addr = o->addr;
	c->prefix_len = o->prefix_len;
	c->gateway = o->gateway;
	c->congestion = o->congestion;
	c->ecn = o->ecn;
	station_mac(o, c->mac);
	c->seed[0] = s->seed;
	c->seed[1] = 1;
	if (s->capture && driver_capture_listens(s->capture)) {
		c->probe = driver_capture_probe;
		c->probe_ctx = s->capture;
	}
}

static void on_signal(void *ctx, uint32_t events)
{
	struct station *s = ctx;
	struct signalfd_siginfo info;
	(void)events;
	if (read(s->signal_fd, &info, sizeof info) == sizeof info)
		s->signal = (int)info.ssi_signo;
	loop_stop(s->loop);
}

static bool watch_signals(struct station *s)
{
	sigset_t set;
	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGHUP);
	sigprocmask(SIG_BLOCK, &set, NULL);
	s->signal_fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
	if (s->signal_fd < 0 || loop_watch(s->loop, s->signal_fd, EPOLLIN, on_signal, s) < 0)
		return complain(s, "cannot watch for signals: %s.", strerror(errno));
	return true;
}

/* One number makes the whole run again: without --seed the kernel gives it, and a capture tells it. */
static bool choose_seed(struct station *s)
{
	s->seed = s->options->fault.seed;
	if (s->options->seeded || getrandom(&s->seed, sizeof s->seed, 0) == sizeof s->seed)
		return true;
	return complain(s, "the kernel gave no random numbers: %s.", strerror(errno));
}

bool station_open(struct station *s, const char *command, const struct options *o, void (*tune)(struct tapir_config *c))
{
	*s = (struct station){ .command = command, .options = o, .signal_fd = -1 };
	signal(SIGPIPE, SIG_IGN);	/* a closed pipe is an error of write(2), which is looked at */
	if (!choose_seed(s))
		return false;
	struct driver *d = open_driver(s);
	if (!d)
		return false;
	if (o->xdp)
		say_what_is_cut_off(s);
	else
		say_how_to_reach(s);
	struct tapir_config config;
	configure(&config, s);
	if (tune)
		tune(&config);
	s->loop = loop_open(d, &config);
	if (!s->loop)
		return complain(s, "%s", loop_error());
	s->stack = loop_stack(s->loop);
	loop_busy_poll(s->loop, o->busy_poll);
	loop_poll_us(s->loop, o->poll_us);
	s->stat = stat_server_open(s->loop, command, o->tap);
	s->live = s->stat ? live_open(s) : NULL;
	if (s->live)
		stat_server_on_capture(s->stat, live_take, s->live);
	if (!s->stat)
		complain(s, "note: tapir stat will not find this stack: its socket cannot be made: %s.", strerror(errno));
	return watch_signals(s);
}

bool station_ready(struct station *s)
{
	char text[TAPIR_ADDR_TEXT];
	while (!s->signal && !tapir_address_ready(s->stack)) {
		if (tapir_count(s->stack, DROP_ARP_CONFLICT))
			return complain(s, "another host on %s has the address %s already: choose another --addr.",
					s->options->tap, tapir_addr_format(&s->options->addr, text));
		if (loop_turn(s->loop, USEC_NEVER) < 0)
			return complain(s, "%s", driver_error());
	}
	return !s->signal;
}

void station_close(struct station *s)
{
	stat_server_close(s->stat);
	live_close(s->live);
	if (s->loop)
		loop_close(s->loop);
	if (s->trace)
		fclose(s->trace);
	if (s->signal_fd >= 0)
		close(s->signal_fd);
}

bool station_host(const char *command, const char *host, struct tapir_addr *out)
{
	if (tapir_addr_parse(host, out) == 0 && !tapir_addr_is_any(out))
		return true;
	fprintf(stderr, "tapir %s: '%s' is not a host's address. Names are not looked up: write it as in 10.0.0.1.\n", command,
		host);
	return false;
}
