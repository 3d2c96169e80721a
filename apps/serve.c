/* serve.c: `tapir serve`: the small services of services.h on a stack of their own, thousands of clients on one thread. */
#include "serve.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "commands.h"
#include "station.h"
#include "values.h"

enum { OPT_UPPER = 512, OPT_GREET };

const struct option_line serve_options[] = {
	{ OPT_UPPER, "upper", "PORT", "also answer on PORT, in upper case" },
	{ OPT_GREET, "greet", "PREFIX:PORT", "also answer each message on PORT with PREFIX in front" },
	{ 0, NULL, NULL, NULL }
};

static const char about[] =
	"Serves the classic small services, each over TCP and UDP, until it is interrupted:\n"
	"  echo 7       sends back what it gets (RFC 862)\n"
	"  discard 9    throws away what it gets (RFC 863)\n"
	"  daytime 13   says what time it is (RFC 867)\n"
	"  chargen 19   sends text without end (RFC 864)\n"
	"  iperf3 5201  is measured by iperf3 -c, one client at a time\n"
	"and answers ping. A message that --greet answers is a line over TCP, a datagram over UDP.\n";

static const char examples[] =
	"  tapir serve --up 10.0.0.1/24             as root: makes tap0, the kernel's address is 10.0.0.1\n"
	"    ping 10.0.0.2;  nc -N 10.0.0.2 7         and this from another terminal\n"
	"  tapir serve --tap tap0                   a TAP that was made before: ip tuntap add dev tap0 mode tap user $USER\n"
	"  tapir serve --xdp veth1                  as root: an interface of its own, a veth's end or a network card\n"
	"  tapir serve --upper 8001 --greet \"Hello, :8002\"\n"
	"  tapir serve --capture wire.pcapng --trace  writes down, and shows, every frame\n"
	"  tapir serve --capture - | wireshark -k -i -    shows them as they go\n"
	"  tapir serve --loss 2% --delay 20ms       a bad line\n"
	"  tapir lab                                all of it in a network of its own, without root\n";

void serve_default(struct serve *s, const char *command)
{
	*s = (struct serve){ .command = command, .services = { .wall_clock = time, .iperf3.port = IPERF3_PORT } };
	options_default(&s->options);
}

void serve_free(struct serve *s)
{
	free(s->prefix);
}

/* PREFIX may hold colons: the last one ends it. */
static bool set_greet(struct serve *s, const char *value)
{
	const char *colon = strrchr(value, ':');
	if (!colon || colon == value || colon - value > 1024 || !value_port(colon + 1, &s->services.greet_port))
		return false;
	free(s->prefix);
	s->prefix = strndup(value, (size_t)(colon - value));
	s->services.greet_prefix = s->prefix;
	return s->prefix;
}

int serve_set(struct serve *s, const struct args *a, int id, const char *value)
{
	if (id == OPT_UPPER && !value_port(value, &s->services.upper_port))
		return args_bad_value(a, id, value, "a port from 1 to 65535");
	if (id == OPT_GREET && !set_greet(s, value))
		return args_bad_value(a, id, value, "a text, a colon and a port, such as \"Hello, :8002\"");
	return 0;
}

/* Room for thousands of clients at once, and for the TIME-WAITs of those who were. */
static void tune(struct tapir_config *c)
{
	c->max_sockets = 16384;
	c->max_conns = c->max_time_wait = 32768;
	c->max_half_open = 8192;
	c->small_frames = 16384;
	c->large_frames = 512;
}

static void tune_alone(struct tapir_config *c)
{
	tune(c);
	c->arp_probe = false;
}

static void on_ready(void *ctx, const struct tapir_poll_event *event)
{
	services_ready(((struct station *)ctx)->stack, event);
}

static bool at(void *loop, usec_t at_us, void (*cb)(void *ctx), void *ctx)
{
	return loop_at(loop, at_us, cb, ctx);
}

static bool start(struct serve *s, struct station *station, struct services *services)
{
	s->services.iperf3.at = at;
	s->services.iperf3.timers = station->loop;
	int error = services_start(services, station->stack, &s->services);
	if (error == TAPIR_EADDRINUSE)
		fprintf(stderr, "tapir %s: two services cannot share port %u: choose another for --upper or --greet.\n",
			s->command, services->failed_port);
	else if (error)
		fprintf(stderr, "tapir %s: cannot serve port %u: %s.\n", s->command, services->failed_port,
			tapir_strerror(error));
	return !error;
}

static int run(struct serve *s, struct station *station, struct services *services,
	       void (*ready)(const struct serve *s, void *ctx), void *ctx)
{
	/* In this order, so that a client that comes at once is served. */
	loop_on_ready(station->loop, on_ready, station);
	if (!start(s, station, services))
		return 1;
	if (!station_ready(station))
		return station->signal ? 0 : 1;
	if (ready)
		ready(s, ctx);
	if (loop_run(station->loop) == 0)
		return 0;
	fprintf(stderr, "tapir %s: %s\n", s->command, driver_error());
	return 1;
}

int serve_run(struct serve *s, void (*ready)(const struct serve *s, void *ctx), void *ctx)
{
	struct services *services = aligned_alloc(CHARGEN_ALIGN, sizeof *services);
	struct station station;
	int code = 1;
	if (!services) {
		fprintf(stderr, "tapir %s: out of memory.\n", s->command);
		return 1;
	}
	services->iperf3 = NULL;
	if (station_open(&station, s->command, &s->options, s->alone ? tune_alone : tune))
		code = run(s, &station, services, ready, ctx);
	station_close(&station);
	services_free(services);
	free(services);			/* after the stack, to which its text is lent */
	return code;
}

static void say_ready(const struct serve *s, void *ctx)
{
	char text[TAPIR_ADDR_TEXT];
	(void)ctx;
	printf("tapir serve: %s answers on %s: ping, echo 7, discard 9, daytime 13, chargen 19, iperf3 5201",
	       tapir_addr_format(&s->options.addr, text), s->options.tap);
	if (s->services.upper_port)
		printf(", upper %u", s->services.upper_port);
	if (s->services.greet_port)
		printf(", greet %u", s->services.greet_port);
	printf(". Ctrl-C ends it.\n");
	fflush(stdout);
}

int serve_main(int argc, char **argv)
{
	struct serve s;
	serve_default(&s, "serve");
	struct args a = {
		.command = "serve", .synopsis = "[OPTION]...", .about = about, .examples = examples, .own = serve_options,
		.common = &s.options, .argc = argc, .argv = argv,
	};
	const char *value;
	int id, code = 0;
	while ((id = args_next(&a, &value)) > 0 && code == 0)
		code = serve_set(&s, &a, id, value);
	if (id != ARGS_END || code)
		code = args_exit(code ? code : id);
	else if (a.argc > 0)
		code = args_exit(args_bad(&a, "'%s' is one word too many: there are only options.", a.argv[0]));
	else
		code = serve_run(&s, say_ready, NULL);
	serve_free(&s);
	return code;
}
