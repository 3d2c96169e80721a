/* outbox.c: frames for a descriptor that takes one with each write, gathered and written with one system call (io_uring(7)).
 *
 * A small frame is copied, the large ones of TCP lie where they are until they are written, and any other large one is written
 * at once, with those that wait in front of it. One alone leaves with writev: a ring gains nothing there. Without io_uring (an
 * old kernel, a container that forbids it, a build without liburing) each one leaves with a writev, at flush as well.
 *
 * Invariants: frames leave in their order. When flush returns none waits, and the kernel looks at no memory of ours. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include "outbox.h"

#if __has_include(<liburing.h>)
#include <liburing.h>
#define HAS_RING true
#else
#define HAS_RING false
struct io_uring { int none; };
#endif

/* Linux 5.17 says so. Older ones may hand writes to threads, which keep no order. */
#ifndef IORING_FEAT_CQE_SKIP
#define IORING_FEAT_CQE_SKIP (1u << 11)
#endif

#define SMALL 2048u			/* bytes of a frame that is copied: one of Ethernet's MTU is */

struct entry {
	int count;
	struct iovec pieces[1 + TAPIR_OUT_SLICES];
	uint8_t bytes[OUTBOX_PREFIX_MAX + SMALL];	/* all of a small frame; else what is in front of its slices */
};

struct outbox {
	int fd;
	bool has_ring;
	uint32_t count;
	struct io_uring ring;
	struct entry entries[OUTBOX_FRAMES];
};

_Static_assert(TAPIR_OUT_HEAD <= SMALL, "the headers of a large frame are copied too");

static int write_alone(const struct outbox *o, const struct entry *e)
{
	return writev(o->fd, e->pieces, e->count) < 0 ? errno : 0;
}

static int write_each(struct outbox *o, uint32_t from)
{
	int error = 0;

	for (uint32_t i = from; i < o->count; i++) {
		int failed = write_alone(o, &o->entries[i]);

		error = error ? error : failed;
	}
	return error;
}

/* ---- the ring ---- */

#if HAS_RING
static void ring_open(struct outbox *o)
{
	o->has_ring = io_uring_queue_init(OUTBOX_FRAMES, &o->ring, 0) == 0;
	if (o->has_ring && !(o->ring.features & IORING_FEAT_CQE_SKIP)) {
		io_uring_queue_exit(&o->ring);
		o->has_ring = false;
	}
}

static void ring_close(struct outbox *o)
{
	if (o->has_ring)
		io_uring_queue_exit(&o->ring);
	o->has_ring = false;
}

static void ring_prepare(struct outbox *o)
{
	for (uint32_t i = 0; i < o->count; i++) {
		const struct entry *e = &o->entries[i];
		struct io_uring_sqe *sqe = io_uring_get_sqe(&o->ring);	/* there is room: all of it is used in one call */

		if (e->count == 1)
			io_uring_prep_write(sqe, o->fd, e->pieces[0].iov_base, (unsigned int)e->pieces[0].iov_len, 0);
		else
			io_uring_prep_writev(sqe, o->fd, e->pieces, (unsigned int)e->count, 0);
		sqe->rw_flags = RWF_NOWAIT;		/* else it would wait for room, and flush with it */
		io_uring_sqe_set_data(sqe, (void *)(uintptr_t)e);
	}
}

/* How many frames the kernel has taken over; fewer than there are only when it is out of memory. */
static uint32_t ring_submit(struct outbox *o)
{
	uint32_t taken = 0;

	while (taken < o->count) {
		int n = io_uring_submit(&o->ring);

		if (n <= 0 && n != -EINTR)
			break;
		taken += n > 0 ? (uint32_t)n : 0;
	}
	return taken;
}

/* What became of the frames that were taken over: the errno of the first that failed. Where there is no room, or the kernel does
 * not write to this kind of descriptor without waiting (a TAP's before Linux 6.4), they are written alone, and *again is set. */
static int ring_reap(struct outbox *o, uint32_t taken, bool *again)
{
	int error = 0;

	for (uint32_t i = 0; i < taken; i++) {
		struct io_uring_cqe *cqe;
		int failed;

		while (io_uring_wait_cqe(&o->ring, &cqe) == -EINTR)
			continue;
		failed = cqe->res < 0 ? -cqe->res : 0;
		if (failed == EAGAIN || failed == EOPNOTSUPP) {
			*again = true;
			failed = write_alone(o, io_uring_cqe_get_data(cqe));
		}
		io_uring_cqe_seen(&o->ring, cqe);
		error = error ? error : failed;
	}
	return error;
}

static int ring_write(struct outbox *o)
{
	bool again = false;
	uint32_t taken;
	int error, rest;

	ring_prepare(o);
	taken = ring_submit(o);
	error = ring_reap(o, taken, &again);
	if (again || taken < o->count)
		ring_close(o);
	rest = write_each(o, taken);
	return error ? error : rest;
}
#else
static void ring_open(struct outbox *o) { o->has_ring = false; }
static void ring_close(struct outbox *o) { (void)o; }
static int ring_write(struct outbox *o) { return write_each(o, 0); }
#endif

/* ---- gathering ---- */

static void fill(struct entry *e, struct span prefix, const struct tapir_out *out)
{
	uint8_t *behind = e->bytes + prefix.n;

	memcpy(e->bytes, prefix.p, prefix.n);
	if (out->len <= SMALL) {
		tapir_out_copy(out, behind, true);
		e->pieces[0] = (struct iovec){e->bytes, prefix.n + out->len};
		e->count = 1;
		return;
	}
	memcpy(behind, out->head + out->head_at, out->head_len);
	e->pieces[0] = (struct iovec){e->bytes, prefix.n + out->head_len};
	for (uint32_t i = 0; i < out->slice_count; i++)
		e->pieces[1 + i] = (struct iovec){(void *)(uintptr_t)out->slices[i].p, out->slices[i].n};
	e->count = 1 + out->slice_count;
}

/* Whether what out borrows may be gone before the next flush. */
static bool is_fleeting(const struct tapir_out *out)
{
	return out->len > SMALL && out->offload.gso != TAPIR_GSO_TCP4 && out->offload.gso != TAPIR_GSO_TCP6;
}

int outbox_put(struct outbox *o, struct span prefix, const struct tapir_out *out)
{
	fill(&o->entries[o->count++], prefix, out);
	return o->count == OUTBOX_FRAMES || is_fleeting(out) ? outbox_flush(o) : 0;
}

int outbox_flush(struct outbox *o)
{
	int error = o->has_ring && o->count > 1 ? ring_write(o) : write_each(o, 0);

	o->count = 0;
	return error;
}

struct outbox *outbox_open(int fd)
{
	struct outbox *o = calloc(1, sizeof *o);

	if (o == NULL)
		return NULL;
	o->fd = fd;
	ring_open(o);
	return o;
}

void outbox_close(struct outbox *o)
{
	if (o == NULL)
		return;
	ring_close(o);
	free(o);
}

bool outbox_is_ring(const struct outbox *o) { return o->has_ring; }
bool outbox_is_empty(const struct outbox *o) { return o->count == 0; }
