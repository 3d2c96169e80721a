/* stat_client.c: see stat_client.h. */
#include "stat_client.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "snapshot.h"
#include "stat_text.h"

#define STACKS_MAX 128
#define PATIENCE_S 10			/* longer than a stack gives a client: one that hangs before us in the queue */

/* --- asking --- */

static bool send_request(int fd, unsigned sections)
{
	char text[128] = "";
	size_t n = 0;
	for (int i = 0; i < SNAPSHOT_SECTIONS; i++)
		if (sections & 1u << i)
			n += (size_t)snprintf(text + n, sizeof text - n, "%s ", snapshot_words[i]);
	text[n] = '\n';
	return send(fd, text, n + 1, MSG_NOSIGNAL) == (ssize_t)n + 1;
}

/* One line of the answer into the whole. False: it is none. */
static bool take_line(json_t *whole, const char *text, size_t n)
{
	json_t *line = json_loadb(text, n, 0, NULL), *value;
	const char *key;
	if (!json_is_object(line)) {
		json_decref(line);
		return false;
	}
	json_object_foreach(line, key, value) {
		json_t *list = json_object_get(whole, key);
		if (json_is_array(list))
			json_array_append(list, value);
		else
			json_object_set(whole, key, value);
	}
	json_decref(line);
	return true;
}

/* What was answered to a request for these sections, as one object; NULL: nothing whole came. */
static json_t *read_answer(int fd, unsigned sections)
{
	struct timeval patience = { .tv_sec = PATIENCE_S };
	json_t *whole = json_object();
	char *line = NULL;
	size_t size = 0;
	ssize_t n = 0;
	bool good = true;
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
	FILE *f = fdopen(dup(fd), "r");
	json_object_set_new(whole, "stack", json_object());	/* it comes first */
	for (enum snapshot_section i = 0; i < SNAPSHOT_SECTIONS; i++)
		if (sections & 1u << i && snapshot_is_list(i))
			json_object_set_new(whole, snapshot_words[i], json_array());
	while (f && good && (n = getline(&line, &size, f)) > 0)
		good = take_line(whole, line, (size_t)n);
	free(line);
	if (f)
		fclose(f);
	if (good && json_object_del(whole, "end") == 0)
		return whole;
	json_decref(whole);
	return NULL;
}

json_t *stat_ask(struct stat_peer *p, unsigned sections)
{
	json_t *whole = p->fd >= 0 && send_request(p->fd, sections) ? read_answer(p->fd, sections) : NULL;
	if (p->fd >= 0)
		close(p->fd);
	p->fd = -1;
	if (whole && p->pid)
		json_object_set_new(json_object_get(whole, "stack"), "pid", json_integer(p->pid));
	return whole;
}

bool stat_ask_capture(const struct stat_peer *p)
{
	static const char request[] = STAT_CAPTURE "\n";
	return p->fd >= 0 && send(p->fd, request, sizeof request - 1, MSG_NOSIGNAL) == (ssize_t)sizeof request - 1;
}

/* --- which stack --- */

static bool fits(const struct stat_wanted *o, const struct stat_peer *p)
{
	return (!o->tap || strcmp(o->tap, p->tap) == 0) && (!o->pid || o->pid == (uint64_t)p->pid);
}

/* Keeps those that fit and closes the rest: how many. In a lab, those of the lab come before those outside. */
static int keep(const struct stat_wanted *o, struct stat_peer *rows, int n)
{
	int kept = 0, seen = 0;
	for (int i = 0; i < n; i++)
		seen += fits(o, &rows[i]) && rows[i].pid;
	for (int i = 0; i < n; i++)
		if (fits(o, &rows[i]) && (rows[i].pid || !seen))
			rows[kept++] = rows[i];
		else if (rows[i].fd >= 0)
			close(rows[i].fd);
	return kept;
}

static void say_stack(struct stat_peer *p)
{
	json_t *whole = stat_ask(p, 0);
	fputs("  ", stderr);
	if (whole)
		stat_text_stack(stderr, json_object_get(whole, "stack"));
	else
		fprintf(stderr, "%s  process %d, does not answer\n", p->tap, (int)p->pid);
	json_decref(whole);
}

static void say_stacks(struct stat_peer *rows, int n)
{
	for (int i = 0; i < n; i++)
		say_stack(&rows[i]);
}

static void say_none(const struct stat_wanted *o, struct stat_peer *rows, int n)
{
	if (o->tap && o->pid)
		fprintf(stderr, "tapir %s: no stack of yours runs on %s in process %d", o->command, o->tap, (int)o->pid);
	else if (o->tap)
		fprintf(stderr, "tapir %s: no stack of yours runs on %s", o->command, o->tap);
	else if (o->pid)
		fprintf(stderr, "tapir %s: no stack of yours runs in process %d", o->command, (int)o->pid);
	else
		fprintf(stderr, "tapir %s: no stack of yours is running", o->command);
	if (n)
		fprintf(stderr, ". These are running:\n");
	else if (geteuid())
		fprintf(stderr, ". tapir lab starts one; root's are seen with sudo.\n");
	else
		fprintf(stderr, ". tapir lab or tapir serve starts one; each user sees the own ones only.\n");
	say_stacks(rows, n);
}

bool stat_choose(const struct stat_wanted *o, struct stat_peer *chosen)
{
	const struct stat_wanted any = { .command = o->command };
	struct stat_peer rows[STACKS_MAX];
	int n = keep(o, rows, stat_socket_list_all(rows, STACKS_MAX));
	if (n == 1) {
		*chosen = rows[0];
		return true;
	}
	if (n == 0) {
		n = o->tap || o->pid ? keep(&any, rows, stat_socket_list_all(rows, STACKS_MAX)) : 0;
		say_none(o, rows, n);
		return false;
	}
	fprintf(stderr, "tapir %s: %d stacks are running%s%s. Choose one with --%s:\n", o->command, n, o->tap ? " on " : "",
		o->tap ? o->tap : "", o->tap ? "pid" : "tap or --pid");
	say_stacks(rows, n);
	return false;
}
