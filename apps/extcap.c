/* extcap.c: `tapir extcap`: what Wireshark asks of a program in its extcap folder, so that stacks stand in its list of
 * interfaces: those that are running, each as tapir-PID, whose frames and reasons are shown from then on (live.h); and `tapir`,
 * a stack of its own: tapir serve, which writes to Wireshark's FIFO until it is ended.
 *
 * The options are Wireshark's, with a value behind a blank or a '='; those that are not are tapir serve's. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "commands.h"
#include "stat_client.h"
#include "values.h"

#define WORDS_MAX 64
#define STACKS_MAX 32
#define RUNNING "tapir-"		/* and the number of its process */

static const char help[] =
	"usage: tapir extcap --extcap-interfaces | --extcap-interface NAME (--extcap-dlts | --extcap-config |\n"
	"       --capture --fifo FIFO [OPTION OF tapir serve]...)\n\n"
	"For Wireshark, not for people: puts the stacks that you are running into its list of interfaces, and one that begins\n"
	"with the capture. To have them there, put a program of two lines, named tapir, into the folder that Help > About >\n"
	"Folders names for extcap, and make it executable:\n\n"
	"  #!/bin/sh\n"
	"  exec tapir extcap \"$@\"\n\n"
	"The one of its own needs a TAP that you may use: sudo ip tuntap add dev tap0 mode tap user $USER.\n\n"
	"Examples:\n"
	"  tapir extcap --extcap-interfaces         what Wireshark asks first\n"
	"  tapir serve --capture - | wireshark -k -i -   the same without any of this\n";

struct asked {
	bool interfaces, dlts, config, capture, help;
	const char *interface, *fifo;
	char *words[WORDS_MAX];		/* tapir serve's */
	int count;
};

/* Is argv[*i] this option? *value is what is behind it, which may be the next word. */
static bool is_option(char **argv, int *i, const char *name, const char **value)
{
	size_t n = strlen(name);
	if (strncmp(argv[*i], name, n) != 0 || (argv[*i][n] && argv[*i][n] != '='))
		return false;
	if (value && argv[*i][n] == '=')
		*value = argv[*i] + n + 1;
	else if (value && argv[*i + 1])
		*value = argv[++*i];
	return true;
}

static bool read_words(struct asked *a, char **argv)
{
	const char *ignored = NULL;
	for (int i = 1; argv[i]; i++) {
		if (is_option(argv, &i, "--extcap-interfaces", NULL))
			a->interfaces = true;
		else if (is_option(argv, &i, "--extcap-interface", &a->interface))
			continue;
		else if (is_option(argv, &i, "--extcap-dlts", NULL))
			a->dlts = true;
		else if (is_option(argv, &i, "--extcap-config", NULL))
			a->config = true;
		else if (strncmp(argv[i], "--extcap-version", 16) == 0)
			continue;
		else if (is_option(argv, &i, "--extcap-capture-filter", &ignored))
			continue;
		else if (is_option(argv, &i, "--capture", NULL))
			a->capture = true;
		else if (is_option(argv, &i, "--fifo", &a->fifo))
			continue;
		else if (is_option(argv, &i, "--help", NULL))
			a->help = true;
		else if (a->count < WORDS_MAX - 4)
			a->words[a->count++] = argv[i];
		else
			return false;
	}
	return true;
}

static int say_config(void)
{
	return puts("arg {number=0}{call=--tap}{display=TAP interface}{type=string}{default=tap0}"
		    "{tooltip=One that exists and is yours: ip tuntap add dev tap0 mode tap user NAME}\n"
		    "arg {number=1}{call=--addr}{display=The stack's address}{type=string}{default=10.0.0.2/24}\n"
		    "arg {number=2}{call=--up}{display=The kernel's address on it}{type=string}"
		    "{tooltip=Set when the capture begins, which takes root; empty: leave it alone}\n"
		    "arg {number=3}{call=--loss}{display=Lose this part of the frames}{type=string}{default=0%}\n"
		    "arg {number=4}{call=--delay}{display=Hold each frame for so long}{type=string}{default=0ms}") < 0;
}

/* --- stacks that run --- */

static int list_interfaces(void)
{
	struct stat_peer rows[STACKS_MAX];
	int n = stat_socket_list_all(rows, STACKS_MAX);
	puts("extcap {version=" TAPIR_VERSION "}");
	for (int i = 0; i < n; i++) {
		if (rows[i].fd >= 0)
			close(rows[i].fd);
		if (rows[i].pid)
			printf("interface {value=" RUNNING "%d}{display=tapir: the stack on %s that runs as process %d}\n",
			       (int)rows[i].pid, rows[i].tap, (int)rows[i].pid);
	}
	return puts("interface {value=tapir}{display=tapir: a TCP/IP stack on a TAP, with its reasons}") < 0;
}

/* The process whose stack this interface is; 0: it is none of these. */
static uint64_t process_of(const char *interface)
{
	uint64_t pid = 0;
	size_t n = sizeof RUNNING - 1;
	return strncmp(interface, RUNNING, n) == 0 && value_number(interface + n, 1, INT32_MAX, &pid) ? pid : 0;
}

static bool write_all(int fd, const char *bytes, size_t n)
{
	while (n > 0) {
		ssize_t wrote = write(fd, bytes, n);
		if (wrote < 0 && errno != EINTR)
			return false;
		bytes += wrote > 0 ? wrote : 0;
		n -= wrote > 0 ? (size_t)wrote : 0;
	}
	return true;
}

/* What the stack sends is a whole capture, and needs no more than to be handed on, until either end has enough. */
static int hand_on(const struct asked *a, uint64_t pid)
{
	struct stat_wanted wanted = { .command = "extcap", .pid = pid };
	struct stat_peer p;
	char bytes[65536];
	ssize_t n;
	signal(SIGPIPE, SIG_IGN);
	if (!stat_choose(&wanted, &p))
		return 1;
	int fifo = open(a->fifo, O_WRONLY | O_CLOEXEC);
	if (fifo < 0 || !stat_ask_capture(&p)) {
		fprintf(stderr, "tapir extcap: %s cannot be written, or the stack does not answer: %s.\n", a->fifo,
			strerror(errno));
		close(p.fd);
		if (fifo >= 0)
			close(fifo);
		return 1;
	}
	while ((n = read(p.fd, bytes, sizeof bytes)) != 0)
		if (n < 0 ? errno != EINTR : !write_all(fifo, bytes, (size_t)n))
			break;
	close(fifo);
	close(p.fd);
	return 0;
}

/* --- a stack of its own --- */

static int capture(struct asked *a)
{
	char serve[] = "serve", option[] = "--capture", *argv[WORDS_MAX];
	int n = 0;
	argv[n++] = serve;
	argv[n++] = option;
	argv[n++] = (char *)(uintptr_t)a->fifo;
	memcpy(argv + n, a->words, (size_t)a->count * sizeof *argv);
	n += a->count;
	argv[n] = NULL;
	return serve_main(n, argv);
}

int extcap_main(int argc, char **argv)
{
	struct asked a = { .interface = NULL };
	(void)argc;
	if (!read_words(&a, argv)) {
		fprintf(stderr, "tapir extcap: too many words.\n");
		return 2;
	}
	if (a.help)
		return fputs(help, stdout) < 0;
	if (a.interfaces)
		return list_interfaces();
	uint64_t running = a.interface ? process_of(a.interface) : 0;
	if (a.interface && !running && strcmp(a.interface, "tapir") != 0) {
		fprintf(stderr, "tapir extcap: there is no interface '%s': --extcap-interfaces lists them.\n", a.interface);
		return 2;
	}
	if (a.interface && a.dlts)
		return puts("dlt {number=1}{name=EN10MB}{display=Ethernet}") < 0;
	if (a.interface && a.config)
		return running ? 0 : say_config();
	if (a.interface && a.capture && a.fifo)
		return running ? hand_on(&a, running) : capture(&a);
	fprintf(stderr, "tapir extcap: this is for Wireshark to call; tapir extcap --help says how.\n");
	return 2;
}
