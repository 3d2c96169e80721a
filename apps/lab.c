/* lab.c: `tapir lab`: a network namespace with the kernel at one end of a TAP and the stack at the other.
 *
 *	tapir lab ------------ waits, hands signals on, returns the exit code, gives the terminal back
 *	  first process ------ of the process namespace: when it ends, all that was started here ends
 *	    stack ------------ serve_run, in a process group of its own: Ctrl-C is not for it
 *	    shell or COMMAND
 *
 * Nothing stays but the capture file. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "commands.h"
#include "netif.h"
#include "places.h"
#include "private.h"
#include "serve.h"

#define CAPTURES_MAX 100		/* labs of one user at the same time, with a capture each */

static const char about[] =
	"Opens a private network: the kernel is 10.0.0.1 on tap0, the stack is 10.0.0.2 at its other end and serves echo 7,\n"
	"discard 9, daytime 13, chargen 19, iperf3 5201, and every frame is captured. Then you are in a shell there, or COMMAND\n"
	"runs there, and the exit code is its own. Nothing of it is seen outside, and all of it is gone at the end, but for the\n"
	"capture, whose name is in $TAPIR_CAPTURE; the stack's address is in $TAPIR_ADDR. Root is not needed where users may\n"
	"have namespaces (tapir doctor says whether). tapir stat, there and outside, shows what the stack is doing.\n"
	"The capture is as large as what passes: iperf3 writes a gigabyte in seconds, unless --capture-rotate bounds it.\n";

static const char examples[] =
	"  tapir lab                                  a shell; there:  ping 10.0.0.2;  nc -N 10.0.0.2 7;  exit\n"
	"  tapir lab -- ping -c 3 10.0.0.2            one command\n"
	"  tapir lab --loss 5% --delay 50ms           a bad line\n"
	"  tapir lab --trace=frames.txt --upper 8001  what tapir serve can do, this can\n"
	"  tapir lab --capture wire.pcapng -- nc 10.0.0.2 13   and afterwards: wireshark wire.pcapng\n"
	"  tapir lab --capture wire.pcapng --capture-rotate 100M,2 -- iperf3 -c 10.0.0.2   the last 200 MB at most\n";

struct lab {
	struct serve serve;
	char **command;			/* NULL: a shell */
	char capture[PATH_MAX];		/* its absolute name */
	int capture_lock;		/* -1, or holds the default name while this lab runs */
};

/* False, for who returns it. */
static bool complain(const char *what, const char *why)
{
	fprintf(stderr, "tapir lab: %s%s%s\n", what, why ? ": " : "", why ? why : "");
	return false;
}

/* --- the capture's name --- */

/* The first of lab.pcapng, lab-2.pcapng ... that no other lab is writing. */
static bool default_capture(struct lab *l)
{
	const char *tmp = getenv("TMPDIR");
	char dir[PATH_MAX / 2], number[16] = "";
	snprintf(dir, sizeof dir, "%s/tapir-%u", tmp && *tmp == '/' ? tmp : "/tmp", geteuid());
	if (!place_make(dir))
		return complain(dir, "this is where the capture goes, and it cannot be a directory of yours alone: remove it, "
				"or choose a file with --capture.");
	for (int i = 1; i <= CAPTURES_MAX; i++) {
		if (i > 1)
			snprintf(number, sizeof number, "-%d", i);
		snprintf(l->capture, sizeof l->capture, "%s/lab%s.pcapng", dir, number);
		l->capture_lock = open(l->capture, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
		if (l->capture_lock < 0)
			return complain(l->capture, strerror(errno));
		if (flock(l->capture_lock, LOCK_EX | LOCK_NB) == 0)
			return true;
		close(l->capture_lock);
	}
	return complain("too many labs at once: end some, or choose a file with --capture.", NULL);
}

static bool choose_capture(struct lab *l)
{
	const char *wanted = l->serve.options.capture;
	char cwd[PATH_MAX];
	l->capture_lock = -1;
	if (!wanted && !default_capture(l))
		return false;
	if (wanted && *wanted != '/' && getcwd(cwd, sizeof cwd)) {
		if ((size_t)snprintf(l->capture, sizeof l->capture, "%s/%s", cwd, wanted) >= sizeof l->capture)
			return complain("the name of the capture file is too long.", NULL);
	} else if (wanted) {
		snprintf(l->capture, sizeof l->capture, "%s", wanted);
	}
	l->serve.options.capture = l->capture;
	return true;
}

/* --- the stack --- */

static void reset_signals(void)
{
	sigset_t none;
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	signal(SIGINT, SIG_DFL);
	signal(SIGQUIT, SIG_DFL);
}

static void tell_ready(const struct serve *s, void *ctx)
{
	(void)s;
	if (write(*(int *)ctx, "", 1) < 0)
		complain("cannot tell that the stack is ready", strerror(errno));
	close(*(int *)ctx);
}

/* Starts the stack and waits until it answers: its process; 0: it does not, which it said. */
static pid_t start_stack(struct lab *l)
{
	int ready[2];
	char byte;
	if (pipe(ready) < 0)
		return 0;
	fflush(NULL);
	pid_t pid = fork();
	if (pid == 0) {
		close(ready[0]);
		setpgid(0, 0);
		reset_signals();
		exit(serve_run(&l->serve, tell_ready, &ready[1]));
	}
	close(ready[1]);
	bool answers = pid > 0 && read(ready[0], &byte, 1) == 1;
	close(ready[0]);
	return answers ? pid : 0;
}

/* --- the shell or the command --- */

static void say_hello(const struct lab *l)
{
	const struct options *o = &l->serve.options;
	char theirs[TAPIR_ADDR_TEXT], ours[TAPIR_ADDR_TEXT];
	tapir_addr_format(&o->up_addr, theirs);
	tapir_addr_format(&o->addr, ours);
	printf("A network of its own: the kernel is %s on %s, the stack is %s at the other end. Try:\n"
	       "  ping %s\n"
	       "  nc -N %s 7                 echo; 9 discard, 13 daytime, 19 chargen%s%s\n"
	       "  iperf3 -c %s\n"
	       "  tcpdump -n -i %s\n"
	       "  tapir stat --watch             the stack's connections; also from outside\n"
	       "  tapir ladder $TAPIR_CAPTURE\n"
	       "  exit                           and everything is gone but the capture, %s\n",
	       theirs, o->tap, ours, ours, ours, l->serve.services.upper_port ? ", upper" : "",
	       l->serve.services.greet_port ? ", greet" : "", ours, o->tap, l->capture);
}

/* `tapir` is found in the lab as it was found outside. */
static void set_path(void)
{
	char self[PATH_MAX], path[2 * PATH_MAX];
	const char *old = getenv("PATH");
	ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
	if (n <= 0)
		return;
	self[n] = '\0';
	*strrchr(self, '/') = '\0';
	snprintf(path, sizeof path, "%s:%s", old ? old : "/usr/sbin:/usr/bin:/sbin:/bin", self);
	setenv("PATH", path, 1);
}

static void run_command(struct lab *l)
{
	const char *shell = getenv("SHELL");
	char addr[TAPIR_ADDR_TEXT];
	char *shell_argv[] = { (char *)(uintptr_t)(shell && access(shell, X_OK) == 0 ? shell : "/bin/sh"), NULL };
	char **argv = l->command ? l->command : shell_argv;
	reset_signals();
	set_path();
	setenv("TAPIR_CAPTURE", l->capture, 1);
	setenv("TAPIR_ADDR", tapir_addr_format(&l->serve.options.addr, addr), 1);
	setenv("debian_chroot", "tapir lab", 1);	/* what the prompt of Debian's and Ubuntu's bash begins with */
	setenv("PS1", "(tapir lab) $ ", 1);		/* the other shells' */
	if (!l->command)
		say_hello(l);
	fflush(NULL);
	execvp(argv[0], argv);
	int code = errno == ENOENT ? 127 : 126;
	fprintf(stderr, "tapir lab: cannot run %s: %s.\n", argv[0], strerror(errno));
	_exit(code);
}

static pid_t start_command(struct lab *l)
{
	fflush(NULL);
	pid_t pid = fork();
	if (pid != 0)
		return pid;
	/* A shell is the terminal's foreground, in a group that has a number in this process namespace. */
	if (!l->command && isatty(STDIN_FILENO)) {
		setpgid(0, 0);
		signal(SIGTTOU, SIG_IGN);
		tcsetpgrp(STDIN_FILENO, getpid());
		signal(SIGTTOU, SIG_DFL);
	}
	run_command(l);
	return 0;
}

/* --- waiting --- */

static int code_of(int status)
{
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/* Waits for pid, and reaps all others; a signal to end is handed on, and after a second taken as done. *stack is set to 0
 * when the stack has ended meanwhile. The exit code. */
static int wait_for(pid_t pid, pid_t *stack, const sigset_t *signals)
{
	const struct timespec second = { .tv_sec = 1 };
	bool ending = false;
	for (;;) {
		siginfo_t info;
		int status, sig = sigtimedwait(signals, &info, ending ? &second : NULL);
		if (sig < 0 && errno == EAGAIN)
			return 128 + SIGTERM;
		if (sig == SIGTERM || sig == SIGHUP) {
			ending = true;
			kill(pid, SIGTERM);
			kill(pid, SIGHUP);	/* a shell does not hear the other one */
			kill(pid, SIGCONT);
		}
		for (pid_t gone; (gone = waitpid(-1, &status, WNOHANG)) > 0;) {
			if (gone == pid)
				return code_of(status);
			if (stack && gone == *stack) {
				*stack = 0;
				complain("the stack has ended", "nothing answers from here on.");
			}
		}
	}
}

static void watched_signals(sigset_t *set)
{
	sigemptyset(set);
	sigaddset(set, SIGCHLD);
	sigaddset(set, SIGTERM);
	sigaddset(set, SIGHUP);
	sigprocmask(SIG_BLOCK, set, NULL);
	signal(SIGINT, SIG_IGN);	/* for the command to take */
	signal(SIGQUIT, SIG_IGN);
}

/* Ends the stack in order, so that the capture is complete. */
static void stop_stack(pid_t stack)
{
	for (int i = 0; i < 100; i++) {
		if (stack <= 0 || waitpid(stack, NULL, WNOHANG) == stack)
			return;
		if (i == 0)
			kill(stack, SIGTERM);
		usleep(10000);
	}
}

/* The first process of the process namespace. */
static int live(struct lab *l)
{
	sigset_t signals;
	private_furnish();
	watched_signals(&signals);
	pid_t stack = start_stack(l);
	if (!stack)
		return 1;
	pid_t command = start_command(l);
	if (command < 0)
		complain("cannot start another process", strerror(errno));
	int code = command < 0 ? 1 : wait_for(command, &stack, &signals);
	stop_stack(stack);
	return code;
}

static int run(struct lab *l)
{
	sigset_t signals;
	if (!choose_capture(l))
		return 1;
	const char *why = private_enter();
	if (why) {
		complain(why, NULL);
		return 1;
	}
	watched_signals(&signals);
	fflush(NULL);
	pid_t first = fork();
	if (first == 0)
		exit(live(l));
	if (first < 0) {
		complain("cannot start another process", strerror(errno));
		return 1;
	}
	int code = wait_for(first, NULL, &signals);
	if (isatty(STDIN_FILENO)) {
		signal(SIGTTOU, SIG_IGN);
		tcsetpgrp(STDIN_FILENO, getpgrp());
	}
	kill(first, SIGKILL);		/* if it did not end by itself */
	if (!l->command)
		printf("The capture is in %s.\n", l->capture);
	return code;
}

static int parse_and_run(struct lab *l, struct args *a)
{
	struct options *o = &l->serve.options;
	const char *value;
	int id, bad = 0;
	while ((id = args_next(a, &value)) > 0 && !bad)
		bad = serve_set(&l->serve, a, id, value);
	if (bad || id != ARGS_END)
		return args_exit(bad ? bad : id);
	if (tapir_addr_is_any(&o->up_addr)) {
		o->up_addr = netif_neighbour(&o->addr, o->prefix_len);
		o->up_prefix_len = o->prefix_len;
	}
	l->command = a->argc ? a->argv : NULL;
	return run(l);
}

int lab_main(int argc, char **argv)
{
	struct lab l = { .command = NULL };
	serve_default(&l.serve, "lab");
	l.serve.alone = true;
	l.serve.options.always_captures = l.serve.options.stdout_taken = l.serve.options.tap_only = true;
	struct args a = {
		.command = "lab", .synopsis = "[OPTION]... [[--] COMMAND [ARGUMENT]...]", .about = about, .examples = examples,
		.own = serve_options, .common = &l.serve.options, .ends_at_operand = true, .argc = argc, .argv = argv,
	};
	int code = parse_and_run(&l, &a);
	serve_free(&l.serve);
	return code;
}
