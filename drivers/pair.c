/* pair.c: two ends of an in-process link, for two stacks in one program.
 *
 * Each end has a bounded ring of copied frames that the other end fills; offload fields travel along, as they do between
 * two machines on one host. Each end's fd is an eventfd that is readable while its ring holds something, and once after
 * the other end has made room again, so that a loop can wait on it. The only state that two threads share is the link,
 * under one lock. */
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>
#include "internal.h"

#define PAIR_FRAMES 256
#define PAIR_ETH_HEADER 14

struct slot { struct tapir_offload offload; uint32_t len, room; uint8_t *bytes; };

struct pair_link;
struct end {
	struct driver d;
	struct pair_link *link;
	struct end *other;
	bool closed, readable;
	bool wants_room;			/* its last send was refused */
	unsigned int head, count;		/* frames that this end has not received yet */
	struct slot ring[PAIR_FRAMES];
};
struct pair_link { pthread_mutex_t lock; struct end ends[2]; };

static void make_readable(struct end *e)
{
	if (!e->readable)
		eventfd_write(e->d.fd, 1);
	e->readable = true;
}

static void make_unreadable(struct end *e)
{
	eventfd_t ignored;

	if (e->readable)
		eventfd_read(e->d.fd, &ignored);
	e->readable = false;
}

static bool slot_fill(struct slot *s, const struct tapir_out *out)
{
	if (s->room < out->len) {
		uint8_t *bytes = realloc(s->bytes, out->len);

		if (bytes == NULL)
			return false;
		s->bytes = bytes;
		s->room = out->len;
	}
	s->len = out->len;
	s->offload = out->offload;
	tapir_out_copy(out, s->bytes, true);
	return true;
}

static int queue_to(struct end *to, struct end *from, const struct tapir_out *out)
{
	uint32_t limit = from->d.mtu + (from->d.ip_only ? 0u : PAIR_ETH_HEADER);

	if (to->closed || (out->len > limit && out->offload.gso == TAPIR_GSO_NONE))
		return 0;		/* lost, as on a wire */
	if (to->count == PAIR_FRAMES) {
		from->wants_room = true;
		return TAPIR_EAGAIN;
	}
	if (!slot_fill(&to->ring[(to->head + to->count) % PAIR_FRAMES], out))
		return 0;
	to->count++;
	make_readable(to);
	return 0;
}

static int pair_send(struct driver *d, const struct tapir_out *out, usec_t now_us)
{
	struct end *e = (struct end *)d;
	int result;
	(void)now_us;

	pthread_mutex_lock(&e->link->lock);
	result = queue_to(e->other, e, out);
	pthread_mutex_unlock(&e->link->lock);
	return result;
}

static bool take_next(struct end *e, struct tapir_frame *f)
{
	while (e->count > 0) {
		const struct slot *s = &e->ring[e->head];

		e->head = (e->head + 1) % PAIR_FRAMES;
		e->count--;
		if (s->len > f->room)
			continue;	/* longer than what can arrive here: lost */
		memcpy(f->data, s->bytes, s->len);
		f->len = s->len;
		f->offload = s->offload;
		return true;
	}
	return false;
}

static int pair_recv(struct driver *d, struct tapir_frame *f, usec_t now_us)
{
	struct end *e = (struct end *)d;
	bool got;
	(void)now_us;

	pthread_mutex_lock(&e->link->lock);
	got = take_next(e, f);
	if (e->count == 0)
		make_unreadable(e);
	if (got && e->other->wants_room && !e->other->closed) {
		e->other->wants_room = false;
		make_readable(e->other);
	}
	pthread_mutex_unlock(&e->link->lock);
	return got;
}

/* The wire has two ends: what one gives up the other must not send either. */
static int pair_set_offload(struct driver *d, struct tapir_offload_caps keep)
{
	struct end *e = (struct end *)d;
	struct tapir_offload_caps left = {
		.csum = d->caps.csum && keep.csum, .tso4 = d->caps.tso4 && keep.tso4,
		.tso6 = d->caps.tso6 && keep.tso6, .uso = d->caps.uso && keep.uso,
	};

	d->caps = left;
	e->other->d.caps = left;
	return 0;
}

static void pair_free(struct pair_link *link)
{
	for (int i = 0; i < 2; i++)
		for (int j = 0; j < PAIR_FRAMES; j++)
			free(link->ends[i].ring[j].bytes);
	for (int i = 0; i < 2; i++)
		if (link->ends[i].d.fd >= 0)
			close(link->ends[i].d.fd);
	pthread_mutex_destroy(&link->lock);
	free(link);
}

static void pair_close(struct driver *d)
{
	struct end *e = (struct end *)d;
	bool last;

	pthread_mutex_lock(&e->link->lock);
	e->closed = true;
	last = e->other->closed;
	pthread_mutex_unlock(&e->link->lock);
	if (last)
		pair_free(e->link);
}

static const struct driver_ops pair_ops = {
	.name = "pair", .recv = pair_recv, .send = pair_send, .set_offload = pair_set_offload, .close = pair_close,
};

void driver_open_pair(struct driver *ends[2], uint16_t mtu, struct tapir_offload_caps caps, bool ip_only)
{
	struct pair_link *link = calloc(1, sizeof *link);

	ends[0] = ends[1] = NULL;
	if (link == NULL) {
		driver_fail("Out of memory.");
		return;
	}
	pthread_mutex_init(&link->lock, NULL);
	for (int i = 0; i < 2; i++) {
		struct end *e = &link->ends[i];

		e->d = (struct driver){.ops = &pair_ops, .caps = caps, .mtu = mtu, .ip_only = ip_only};
		e->d.fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
		e->link = link;
		e->other = &link->ends[1 - i];
	}
	if (link->ends[0].d.fd < 0 || link->ends[1].d.fd < 0) {
		driver_fail("No descriptor is left for an in-process link: %s.", strerror(errno));
		pair_free(link);
		return;
	}
	ends[0] = &link->ends[0].d;
	ends[1] = &link->ends[1].d;
}
