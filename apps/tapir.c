/* tapir.c: the command: finds the subcommand and hands over. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "commands.h"

static const struct command { const char *name; int (*main)(int argc, char **argv); const char *help; } commands[] = {
	{ "lab", lab_main, "a private network with the kernel at one end, the stack at the other, you inside" },
	{ "serve", serve_main, "the stack on a TAP with echo, discard, daytime, chargen and iperf3" },
	{ "ping", ping_main, "sends ICMP echo requests from a stack of its own" },
	{ "nc", nc_main, "a TCP or UDP connection from standard input and output, or waits for one" },
	{ "stat", stat_main, "what a running stack is doing: connections, counters, ARP, routes, timers, memory" },
	{ "ladder", ladder_main, "draws the connections in a capture file, with the states of both sides" },
	{ "why", why_main, "says why: what a stack has told in a capture, or what tapir would have done in another's place" },
	{ "extcap", extcap_main, "for Wireshark to call: puts the stack into its list of interfaces" },
	{ "doctor", doctor_main, "says what on this machine stands in the way, and the cure" },
};
#define COMMANDS (sizeof commands / sizeof commands[0])

static int help(FILE *to)
{
	fprintf(to, "usage: tapir COMMAND [OPTION]...\n\n"
		"A TCP/IP stack that runs as an ordinary program on a TAP device.\n\nCommands:\n");
	for (size_t i = 0; i < COMMANDS; i++)
		fprintf(to, "  %-8s %s\n", commands[i].name, commands[i].help);
	fprintf(to, "\ntapir COMMAND --help says more about each; tapir --version says which tapir this is.\n\n"
		"Examples:\n"
		"  tapir lab                            a shell beside the stack: ping 10.0.0.2, nc 10.0.0.2 7\n"
		"  tapir lab -- ping -c 3 10.0.0.2      one command there\n"
		"  tapir doctor                         when something does not work\n");
	return to == stdout ? 0 : 2;
}

static int run(int argc, char **argv)
{
	const char *name = argc > 1 ? argv[1] : "";
	if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0 || strcmp(name, "help") == 0)
		return help(stdout);
	if (strcmp(name, "--version") == 0 || strcmp(name, "-V") == 0)
		return puts("tapir " TAPIR_VERSION) < 0;
	for (size_t i = 0; i < COMMANDS; i++)
		if (strcmp(name, commands[i].name) == 0)
			return commands[i].main(argc - 1, argv + 1);
	if (argc < 2)
		return help(stderr);
	fprintf(stderr, "tapir: there is no command '%s': the commands are", name);
	for (size_t i = 0; i < COMMANDS; i++)
		fprintf(stderr, "%s %s", i ? "," : "", commands[i].name);
	fprintf(stderr, ".\n");
	return 2;
}

/* Who starts us with a standard descriptor closed gets its number for the next one that is opened: the TAP would be written to
 * as the standard error, each sentence a frame. A descriptor that cannot be read or written keeps the place. */
static void hold_standard_descriptors(void)
{
	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
		if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", fd == STDIN_FILENO ? O_WRONLY : O_RDONLY) != fd)
			_exit(2);
}

/* What was said must have arrived: a full disk is no success. A reader who has seen enough is no failure. */
static int say_the_rest(int code)
{
	int error = fflush(stdout) == 0 ? 0 : errno;
	if (code || (!error && !ferror(stdout)))
		return code;		/* who fails has said why */
	if (error != EPIPE)
		fprintf(stderr, "tapir: not all could be written to the standard output%s%s.\n", error ? ": " : "",
			error ? strerror(error) : "");
	return 1;
}

int main(int argc, char **argv)
{
	hold_standard_descriptors();
	return say_the_rest(run(argc, argv));
}
