/* doctor.c: `tapir doctor`: tries what tapir needs from this machine, and says in a sentence what does not work and what to
 * type. Changes nothing: what it makes lies in a network namespace of a child and ends with it. */
#include <arpa/inet.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "args.h"
#include "commands.h"
#include "netif.h"
#include "private.h"

static const char about[] =
	"Tries what tapir needs from this machine and says, for each thing, whether it works, and if not what to do. Options\n"
	"such as --tap and --addr are those that another subcommand is to be given. The exit code is 0 when nothing stands\n"
	"in the way of tapir lab, and of the TAP if it exists, else 1.\n";

static const char examples[] =
	"  tapir doctor\n"
	"  tapir doctor --tap tap3 --addr 192.168.7.2/24\n";

struct doctor { struct options options; int problems; };

static void say(const char *mark, const char *format, va_list list)
{
	printf("%-8s", mark);
	vprintf(format, list);
	printf("\n");
}

__attribute__((format(printf, 1, 2))) static void good(const char *format, ...)
{
	va_list list;
	va_start(list, format);
	say("ok", format, list);
	va_end(list);
}

/* Not in the way, but worth knowing. */
__attribute__((format(printf, 1, 2))) static void note(const char *format, ...)
{
	va_list list;
	va_start(list, format);
	say("note", format, list);
	va_end(list);
}

__attribute__((format(printf, 2, 3))) static void problem(struct doctor *d, const char *format, ...)
{
	va_list list;
	va_start(list, format);
	say("PROBLEM", format, list);
	va_end(list);
	d->problems++;
}

/* --- the lab --- */

/* Does in a network of its own what `tapir lab` does: NULL, or what is in the way. */
static const char *try_lab_here(const struct options *o)
{
	struct netif seen;
	const char *why = private_enter();
	if (why)
		return why;
	struct driver *driver = driver_open_tap(o->tap);
	if (!driver)
		return driver_error();
	seen = netif_look(o->tap);
	driver_close(driver);
	return seen.up ? NULL : "a TAP that was made there does not come up";
}

/* The same in a child, since there is no way back; its sentence comes through a pipe. */
static void look_at_lab(struct doctor *d)
{
	char why[512] = "";
	int fds[2], status;
	ssize_t n;
	if (pipe(fds) < 0)
		return problem(d, "tapir lab: no descriptor is free: close other programs.");
	fflush(NULL);
	pid_t pid = fork();
	if (pid == 0) {
		const char *text = try_lab_here(&d->options);
		n = text ? write(fds[1], text, strlen(text)) : 0;
		_exit(text || n < 0);
	}
	close(fds[1]);
	n = pid < 0 ? -1 : read(fds[0], why, sizeof why - 1);
	close(fds[0]);
	if (pid < 0 || waitpid(pid, &status, 0) < 0)
		problem(d, "tapir lab: no process can be started: close other programs.");
	else if (n > 0 || status)
		problem(d, "tapir lab: %s", n > 0 ? why : "the trial ended by itself.");
	else
		good("tapir lab: a network of its own with a TAP in it can be made%s.", geteuid() ? " without root" : "");
}

static void look_at_capture_directory(struct doctor *d)
{
	const char *tmp = getenv("TMPDIR");
	if (!tmp || *tmp != '/')
		tmp = "/tmp";
	if (access(tmp, W_OK | X_OK) == 0)
		good("the lab's capture can be written in %s.", tmp);
	else
		problem(d, "the lab's capture cannot be written in %s: set TMPDIR to a directory of yours, or use --capture.", tmp);
}

/* --- the tools --- */

static bool in_path(const char *tool)
{
	const char *path = getenv("PATH");
	char copy[4096], file[4352];
	snprintf(copy, sizeof copy, "%s:/usr/sbin:/sbin", path ? path : "/usr/bin:/bin");
	for (char *rest = copy, *dir; (dir = strsep(&rest, ":"));) {
		snprintf(file, sizeof file, "%s/%s", *dir ? dir : ".", tool);
		if (access(file, X_OK) == 0)
			return true;
	}
	return false;
}

static void look_at_tools(struct doctor *d)
{
	static const struct { const char *tool, *package; } tools[] = {
		{ "ping", "iputils-ping" }, { "nc", "netcat-openbsd" }, { "ip", "iproute2" }, { "tcpdump", "tcpdump" },
	};
	char missing[128] = "";
	for (size_t i = 0; i < sizeof tools / sizeof tools[0]; i++)
		if (!in_path(tools[i].tool))
			snprintf(missing + strlen(missing), sizeof missing - strlen(missing), " %s", tools[i].package);
	if (*missing)
		problem(d, "what make run and the lab show needs tools that are not here: sudo apt-get install%s", missing);
	else
		good("ping, nc, ip and tcpdump are here.");
}

/* --- the TAP outside of the lab --- */

/* Another interface with an address in the stack's network: the kernel would send there. */
static void look_at_network(struct doctor *d)
{
	const struct options *o = &d->options;
	struct ifaddrs *list;
	char ours[TAPIR_ADDR_TEXT];
	if (getifaddrs(&list) < 0)
		return;
	for (struct ifaddrs *i = list; i; i = i->ifa_next) {
		struct sockaddr_in in;
		if (!i->ifa_addr || i->ifa_addr->sa_family != AF_INET)
			continue;
		memcpy(&in, i->ifa_addr, sizeof in);
		uint32_t ip = ntohl(in.sin_addr.s_addr);
		struct tapir_addr a = tapir_ipv4((uint8_t)(ip >> 24), (uint8_t)(ip >> 16), (uint8_t)(ip >> 8), (uint8_t)ip);
		tapir_addr_format(&o->addr, ours);
		if (tapir_addr_equal(&a, &o->addr))
			problem(d, "%s is this machine's own address, on %s: give the stack another with --addr.", ours,
				i->ifa_name);
		else if (strcmp(i->ifa_name, o->tap) != 0 && netif_same_net(&a, &o->addr, o->prefix_len))
			problem(d, "the network of %s/%d is behind %s already, and the kernel would look for the stack there: "
				"choose another with --addr. (The lab is not concerned.)", ours, o->prefix_len, i->ifa_name);
	}
	freeifaddrs(list);
}

static int rp_filter(const char *name)
{
	char path[96];
	int n = 0;
	snprintf(path, sizeof path, "/proc/sys/net/ipv4/conf/%s/rp_filter", name);
	FILE *f = fopen(path, "re");
	if (f && fscanf(f, "%d", &n) != 1)
		n = 0;
	if (f)
		fclose(f);
	return n;
}

static void look_at_address(struct doctor *d, const struct netif *n)
{
	const struct options *o = &d->options;
	struct tapir_addr kernel = netif_neighbour(&o->addr, o->prefix_len);
	char ours[TAPIR_ADDR_TEXT], theirs[TAPIR_ADDR_TEXT];
	tapir_addr_format(&o->addr, ours);
	if (n->enslaved) {
		good("%s is part of a bridge or a bond, which has the address.", o->tap);
	} else if (!n->has_addr) {
		tapir_addr_format(&kernel, theirs);
		problem(d, "%s has no address, so the kernel cannot reach %s: sudo ip addr add %s/%d dev %s", o->tap, ours, theirs,
			o->prefix_len, o->tap);
	} else if (!netif_same_net(&n->addr, &o->addr, n->prefix_len)) {
		problem(d, "%s has the address %s/%d, and %s is not in that network: choose another --addr.", o->tap,
			tapir_addr_format(&n->addr, theirs), n->prefix_len, ours);
	} else {
		good("%s has the address %s/%d.", o->tap, tapir_addr_format(&n->addr, theirs), n->prefix_len);
	}
	if (!n->up)
		problem(d, "%s is down: sudo ip link set dev %s up", o->tap, o->tap);
	if (n->mtu < 576)
		problem(d, "%s has an MTU of %d, and every host must take 576 (RFC 791 3.1): sudo ip link set dev %s mtu 1500",
			o->tap, n->mtu, o->tap);
	if (rp_filter("all") == 1 || rp_filter(o->tap) == 1)
		note("%s drops what comes from addresses whose route leads elsewhere (rp_filter is 1). Only answers to another "
		     "network than the TAP's are lost: sudo sysctl net.ipv4.conf.all.rp_filter=2", o->tap);
}

static void look_at_tap(struct doctor *d)
{
	const struct options *o = &d->options;
	struct netif n = netif_look(o->tap);
	if (!n.exists && geteuid()) {
		note("serve, ping and nc outside of the lab need a TAP, and there is no %s: sudo ip tuntap add dev %s mode tap "
		     "user $USER && sudo ip addr add 10.0.0.1/24 dev %s && sudo ip link set dev %s up", o->tap, o->tap, o->tap,
		     o->tap);
		return;
	}
	if (!n.exists) {
		note("there is no %s: serve, ping and nc make it, and with --up 10.0.0.1/24 give the kernel its address.", o->tap);
		return look_at_network(d);
	}
	struct driver *driver = driver_open_tap(o->tap);
	if (driver) {
		good("%s can be used.", o->tap);
		driver_close(driver);
	} else {
		problem(d, "%s", driver_error());
	}
	look_at_address(d, &n);
	look_at_network(d);
}

static void look_at_xdp(struct doctor *d)
{
	struct driver *driver = driver_open_xdp(d->options.tap);
	if (!driver)
		return problem(d, "%s", driver_error());
	good("%s can be used through AF_XDP.", d->options.tap);
	driver_close(driver);
}

static int examine(struct doctor *d)
{
	look_at_lab(d);
	look_at_capture_directory(d);
	look_at_tools(d);
	if (d->options.xdp)
		look_at_xdp(d);
	else
		look_at_tap(d);
	if (d->problems)
		printf("\n%d problem%s.\n", d->problems, d->problems == 1 ? "" : "s");
	else
		printf("\nNothing is in the way.\n");
	return d->problems ? 1 : 0;
}

int doctor_main(int argc, char **argv)
{
	struct doctor d = { .problems = 0 };
	options_default(&d.options);
	struct args a = {
		.command = "doctor", .synopsis = "[OPTION]...", .about = about, .examples = examples, .common = &d.options,
		.argc = argc, .argv = argv,
	};
	const char *value;
	int id = args_next(&a, &value);
	if (id != ARGS_END)
		return args_exit(id);
	if (a.argc > 0)
		return args_exit(args_bad(&a, "'%s' is one word too many: there are only options.", a.argv[0]));
	return examine(&d);
}
