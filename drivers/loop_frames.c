/* loop_frames.c: frames between the driver and the stack, in batches. Owns the one frame that is held back when the link is full,
 * and the batch on its way in. */
#include <assert.h>
#include <sys/epoll.h>
#include "loop_internal.h"

/* ---- frames out ---- */

/* While a frame is held, the driver's descriptor is in the set after all, edge-triggered and with EPOLLOUT: some descriptors
 * (an eventfd) are writable at all times, and the loop must not spin on them. */
static void set_holding(struct loop *l, bool holding)
{
	struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | (uint32_t)EPOLLET, .data.u64 = LOOP_TAG_DRIVER};

	l->holding = holding;
	if (l->driver->fd >= 0)
		epoll_ctl(l->epoll_fd, holding ? EPOLL_CTL_ADD : EPOLL_CTL_DEL, l->driver->fd, &event);
}

/* out is only valid until the next call into the stack: what must wait is copied. */
static void hold(struct loop *l, const struct tapir_out *out)
{
	assert(out->len <= sizeof l->held_bytes);
	tapir_out_copy(out, l->held_bytes, true);
	driver_flat_out(&l->held, l->held_bytes, out->len, &out->offload);
	set_holding(l, true);
}

/* Sends the frame that is held, if there is one. 1: none is any more; 0; or TAPIR_EIO. */
static int send_held(struct loop *l)
{
	int result;

	if (!l->holding)
		return 1;
	result = driver_send(l->driver, &l->held, l->now_us);
	if (result == TAPIR_EAGAIN)
		return 0;
	set_holding(l, false);
	if (result == 0)
		result = driver_flush(l->driver);	/* before another is held in its place */
	return result < 0 ? result : 1;
}

/* Has the driver send up to LOOP_BATCH frames. How many; or TAPIR_EIO. */
static int send_batch(struct loop *l)
{
	int sent = 0, result = send_held(l);
	struct tapir_out out;

	if (result <= 0)
		return result;
	while (sent < LOOP_BATCH && tapir_output(l->stack, &out)) {
		result = driver_send(l->driver, &out, l->now_us);
		if (result == TAPIR_EAGAIN) {
			hold(l, &out);
			return sent;
		}
		if (result < 0)
			return result;
		l->poll.moved += out.len;
		sent++;
	}
	return sent;
}

int loop_flush(struct loop *l)
{
	int sent = send_batch(l), result = sent < 0 ? sent : driver_flush(l->driver);

	return result < 0 ? result : sent;
}

/* ---- frames in ---- */

/* The pools are empty: the frame is lost, as on a network card without buffers. Those that wait behind it would be old
 * news by the time there is room. */
static int throw_away(struct loop *l)
{
	struct tapir_frame frame = {.data = l->scratch, .room = sizeof l->scratch};

	return driver_recv(l->driver, &frame, l->now_us);
}

/* Frames that the stack gets together, so that it may join segments. */
struct batch { uint32_t count; struct tapir_frame *frames[LOOP_BATCH]; };

static void hand_over(struct loop *l, struct batch *b)
{
	tapir_input_batch(l->stack, b->frames, b->count, NULL);
	b->count = 0;
}

static int receive_one(struct loop *l, struct batch *b)
{
	struct tapir_frame *frame = tapir_frame_get(l->stack);
	int result;

	if (frame == NULL && b->count > 0) {
		hand_over(l, b);
		frame = tapir_frame_get(l->stack);
	}
	if (frame == NULL)
		return throw_away(l);
	result = driver_recv(l->driver, frame, l->now_us);
	if (result == 1) {
		l->poll.moved += frame->len;
		b->frames[b->count++] = frame;
	} else {
		tapir_frame_put(l->stack, frame);
	}
	if (b->count == l->together)
		hand_over(l, b);
	return result;
}

int loop_receive(struct loop *l)
{
	struct batch b;
	int result = 1;

	b.count = 0;
	if (!l->may_recv && driver_deadline(l->driver) > l->now_us)
		return 0;
	for (int i = 0; i < LOOP_BATCH && result == 1; i++)
		result = receive_one(l, &b);
	hand_over(l, &b);
	l->may_recv = result == 1;
	return result < 0 ? result : 0;
}

/* ---- how many together ---- */

/* Where the driver joins segments the frames are large, and one goes back to the pool, and to the cache, before the next comes.
 * Nor may a batch take much of a small pool: it would look as if memory were short. */
void loop_frames_begin(struct loop *l)
{
	uint32_t some = tapir_get_config(l->stack)->small_frames / 16;

	l->together = l->driver->caps.tso4 ? 1 : some < LOOP_BATCH ? some : LOOP_BATCH;
}
