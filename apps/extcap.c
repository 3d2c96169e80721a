/* extcap.c: `tapir extcap`: what Wireshark asks of a program in its extcap folder, so that `tapir` stands in its list of
 * interfaces. A capture there is a stack of its own: tapir serve, which writes to Wireshark's FIFO until it is ended.
 *
 * The options are Wireshark's, with a value behind a blank or a '='; those that are not are tapir serve's. */
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "commands.h"

#define WORDS_MAX 64

static const char help[] =
	"usage: tapir extcap --extcap-interfaces | --extcap-interface tapir (--extcap-dlts | --extcap-config |\n"
	"       --capture --fifo FIFO [OPTION OF tapir serve]...)\n\n"
	"For Wireshark, not for people: puts a stack on a TAP into its list of interfaces. To have it there, put a program\n"
	"of two lines, named tapir, into the folder that Help > About > Folders names for extcap, and make it executable:\n\n"
	"  #!/bin/sh\n"
	"  exec tapir extcap \"$@\"\n\n"
	"It needs a TAP that you may use: sudo ip tuntap add dev tap0 mode tap user $USER.\n\n"
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
		return puts("extcap {version=" TAPIR_VERSION "}\n"
			    "interface {value=tapir}{display=tapir: a TCP/IP stack on a TAP, with its reasons}") < 0;
	if (a.interface && strcmp(a.interface, "tapir") != 0) {
		fprintf(stderr, "tapir extcap: there is no interface '%s': the only one is tapir.\n", a.interface);
		return 2;
	}
	if (a.interface && a.dlts)
		return puts("dlt {number=1}{name=EN10MB}{display=Ethernet}") < 0;
	if (a.interface && a.config)
		return say_config();
	if (a.interface && a.capture && a.fifo)
		return capture(&a);
	fprintf(stderr, "tapir extcap: this is for Wireshark to call; tapir extcap --help says how.\n");
	return 2;
}
