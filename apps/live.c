/* live.c: see live.h. Each onlooker has a capture (drivers/capture.c) around the loop's driver, above the one that --capture
 * made; the stack's probe and the bad line tell all of them. */
#include "live.h"

#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define ONLOOKERS 8

struct onlooker { struct live *live; int fd; struct driver *capture; };	/* capture NULL: free */
struct live {
	const struct station *station;
	struct recording recording;
	struct onlooker rows[ONLOOKERS];
};

/* --- what is told --- */

static void probe(void *ctx, const struct tapir_event *e)
{
	struct live *l = ctx;
	if (l->station->capture)
		driver_capture_probe(l->station->capture, e);
	for (size_t i = 0; i < ONLOOKERS; i++)
		if (l->rows[i].capture)
			driver_capture_probe(l->rows[i].capture, e);
}

static void fault(void *ctx, const struct fault_note *note)
{
	struct live *l = ctx;
	if (l->station->capture)
		driver_capture_fault(l->station->capture, note);
	for (size_t i = 0; i < ONLOOKERS; i++)
		if (l->rows[i].capture)
			driver_capture_fault(l->rows[i].capture, note);
}

/* As many listen as there are: all, the file alone, or nobody. */
static void listen_or_not(struct live *l)
{
	const struct station *s = l->station;
	bool any = false, file = s->capture && driver_capture_listens(s->capture);
	for (size_t i = 0; i < ONLOOKERS; i++)
		any = any || l->rows[i].capture;
	tapir_set_probe(s->stack, any ? probe : file ? driver_capture_probe : NULL, any ? (void *)l : s->capture);
	if (s->fault)
		driver_fault_tell(s->fault, any ? fault : s->capture ? driver_capture_fault : NULL, any ? (void *)l : s->capture);
}

/* --- coming and going --- */

static void let_go(struct onlooker *o)
{
	loop_watch(o->live->station->loop, o->fd, 0, NULL, NULL);
	driver_capture_detach(loop_driver(o->live->station->loop), o->capture);	/* closes fd */
	o->capture = NULL;
	listen_or_not(o->live);
}

/* It has nothing to say: either it hangs up, or it is not one of ours. */
static void on_onlooker(void *ctx, uint32_t events)
{
	struct onlooker *o = ctx;
	char bytes[64];
	if (events & (EPOLLERR | EPOLLHUP) || recv(o->fd, bytes, sizeof bytes, MSG_DONTWAIT) == 0)
		let_go(o);
}

static struct driver *put_around(struct live *l, int fd)
{
	struct driver **driver = loop_driver(l->station->loop), *capture;
	uint8_t mac[6];
	station_mac(l->station->options, mac);
	struct capture_options c = recording_options(&l->recording, l->station->options, l->station->seed, mac);
	c.path = "live";
	c.fd = fd;
	c.rotate_bytes = 0;
	capture = driver_wrap_capture(*driver, &c);
	if (capture)
		*driver = capture;
	return capture;
}

void live_take(void *live, int fd)
{
	struct live *l = live;
	struct onlooker *o = NULL;
	for (size_t i = 0; i < ONLOOKERS && !o; i++)
		if (!l->rows[i].capture)
			o = &l->rows[i];
	if (!o) {
		close(fd);
		return;
	}
	*o = (struct onlooker){ .live = l, .fd = fd, .capture = put_around(l, fd) };
	if (!o->capture) {
		close(fd);
		return;
	}
	listen_or_not(l);
	if (loop_watch(l->station->loop, fd, EPOLLIN | EPOLLRDHUP, on_onlooker, o) < 0)
		let_go(o);
}

struct live *live_open(const struct station *s)
{
	struct live *l = calloc(1, sizeof *l);
	if (l)
		l->station = s;
	return l;
}

void live_close(struct live *l)
{
	for (size_t i = 0; l && i < ONLOOKERS; i++)
		if (l->rows[i].capture)
			let_go(&l->rows[i]);
	free(l);
}
