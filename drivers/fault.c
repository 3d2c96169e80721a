/* fault.c: a driver around a driver that treats its frames badly, the same way for the same seed.
 *
 * Each direction is a lane of its own with its own random numbers: a frame meets, in this order, the MTU, loss, bursts of
 * loss, duplication, corruption, the queue in front of the rate limit, delay and jitter, reordering. No clock, no timer: recv
 * and send move what is due, and deadline says when to call again.
 *
 * Frames are copied with their checksums complete, because a damaged frame must carry the sum of the undamaged one. */
#include <stdlib.h>
#include <string.h>
#include "fault_lane.h"
#include "internal.h"

#define QUEUE_BYTES (256u * 1024u)	/* behind the rate limit, when the configuration does not say */
#define CODEL_TARGET_US (5 * TAPIR_MS)	/* RFC 8289 4.3 */
#define CODEL_INTERVAL_US (100 * TAPIR_MS)	/* RFC 8289 4.2 */
#define PASSERS_MAX 4u
#define RETRY_US (1 * TAPIR_MS)		/* when the inner driver is full */
#define PULL_MAX 1024			/* frames taken from the inner driver by one recv */
#define ETH_HEADER_BYTES 14u

struct fault {
	struct driver d;
	struct driver *inner;
	struct fault_config cfg;
	struct fault_stats stats;
	struct fault_lane in, out;
	void (*tell)(void *ctx, const struct fault_note *note);	/* NULL: nobody asks */
	void *tell_ctx;
	bool giving;			/* driver_send runs: what goes out is its frame, no router's message */
};

/* ---- telling what happened ---- */

/* p: the frame; NULL: the one that driver_send was given. */
static void tell_one(const struct fault *f, const struct packet *p, const struct fault_note *note)
{
	struct fault_note whole = *note;

	if (f->tell == NULL)
		return;
	if (p)
		whole.frame = (struct span){p->bytes, p->len};
	f->tell(f->tell_ctx, &whole);
}

/* A frame that arrives nowhere. */
static void tell_end(const struct fault *f, const struct fault_lane *lane, const struct packet *p, enum fault_fate fate)
{
	tell_one(f, p, &(struct fault_note){.fate = fate, .out = lane == &f->out, .number = f->cfg.mtu});
}

/* What a frame has been through that arrives: when it goes out, at once; when it comes in, as it is handed over. */
static void tell_passed(const struct fault *f, bool out, const struct packet *p, usec_t delay_us)
{
	if (p->damaged)
		tell_one(f, p, &(struct fault_note){.fate = FAULT_DAMAGED, .out = out, .number = p->damaged_bit});
	if (p->twice)
		tell_one(f, p, &(struct fault_note){.fate = FAULT_DUPLICATED, .out = out});
	if (p->reorder)
		tell_one(f, p, &(struct fault_note){.fate = FAULT_OVERTAKEN, .out = out, .number = p->passers});
	if (delay_us)
		tell_one(f, p, &(struct fault_note){.fate = FAULT_DELAYED, .out = out, .number = delay_us});
}

/* ---- what happens to one frame ---- */

/* Flips one bit that a checksum covers. False when there is none: an Ethernet card would have thrown the frame away. */
static bool damage(const struct fault *f, struct fault_lane *lane, struct packet *p)
{
	uint32_t from = f->d.ip_only ? 0 : ETH_HEADER_BYTES;
	uint64_t bit = fault_draw(lane);

	if (p->len <= from || (from && (p->bytes[12] != 0x08 || p->bytes[13] != 0x00)))
		return false;
	bit %= (uint64_t)(p->len - from) * 8;
	p->bytes[from + bit / 8] ^= (uint8_t)(1u << bit % 8);
	p->damaged = true;
	p->damaged_bit = bit + (uint64_t)from * 8;
	return true;
}

/* Draws what is left to chance on the way, and puts p, which it takes over, into the queue. */
static void enqueue(struct fault *f, struct fault_lane *lane, struct packet *p, usec_t now_us)
{
	uint64_t overflowed;

	p->jitter_us = fault_draw(lane) % (f->cfg.jitter_us + 1);
	p->reorder = fault_chance(lane, f->cfg.reorder);
	p->passers = (unsigned int)(1 + fault_draw(lane) % PASSERS_MAX);
	p->met_us = now_us;
	if (lane == &f->out && f->giving) {
		tell_passed(f, true, p, f->cfg.delay_us + p->jitter_us);
		f->giving = false;	/* once, of two copies */
	}
	overflowed = f->stats.overflowed;
	fault_lane_put(lane, &f->cfg, &f->stats, p, now_us);
	if (f->stats.overflowed != overflowed)
		tell_end(f, lane, NULL, FAULT_OVERFLOWED);
}

/* Gilbert's channel: in its bad state everything is lost. The chances to enter and to leave that state follow from how much
 * is lost there and from how long it lasts. */
static bool lost_in_a_burst(const struct fault *f, struct fault_lane *lane, usec_t now_us)
{
	double leave, enter;

	if (f->cfg.burst_loss <= 0)
		return false;
	leave = f->cfg.burst_frames > 1 ? 1 / f->cfg.burst_frames : 1;
	enter = leave * f->cfg.burst_loss / (1 - f->cfg.burst_loss);
	if (f->cfg.burst_idle_us && now_us - lane->burst_us > f->cfg.burst_idle_us)
		lane->bad = false;
	lane->burst_us = now_us;
	lane->bad = lane->bad ? !fault_chance(lane, leave) : fault_chance(lane, enter);
	return lane->bad;
}

/* A datagram that the link cannot carry. Its sender is told through the other lane. */
static bool stopped_by_mtu(struct fault *f, const struct fault_lane *lane, const struct packet *p, usec_t now_us)
{
	struct packet *message;

	if (f->cfg.mtu == 0 || !fault_too_long(p, f->d.ip_only, f->cfg.mtu))
		return false;
	f->stats.too_long++;
	tell_end(f, lane, p, FAULT_TOO_LONG);
	message = f->cfg.tell_mtu ? fault_needs_fragment(p, f->d.ip_only, f->cfg.mtu) : NULL;
	if (message)
		enqueue(f, lane == &f->in ? &f->out : &f->in, message, now_us);
	return true;
}

/* Decides the fate of p, which it takes over (NULL: memory ran out, that is a loss too). */
static void meet_fate(struct fault *f, struct fault_lane *lane, struct packet *p, usec_t now_us)
{
	bool lose = fault_chance(lane, f->cfg.loss);
	bool twice = fault_chance(lane, f->cfg.duplicate);
	bool corrupt = fault_chance(lane, f->cfg.corrupt);
	bool burst = lost_in_a_burst(f, lane, now_us);
	struct packet *copy = NULL;

	if (p && !f->cfg.down && stopped_by_mtu(f, lane, p, now_us)) {
		free(p);
		return;
	}
	if (p == NULL || lose || burst || f->cfg.down) {
		f->stats.lost++;
		tell_end(f, lane, p, f->cfg.down ? FAULT_DOWN : burst ? FAULT_LOST_IN_BURST : FAULT_LOST);
		free(p);
		return;
	}
	if (twice)
		copy = fault_packet_new(p->len);
	if (copy) {
		memcpy(copy->bytes, p->bytes, p->len);
		copy->offload = p->offload;
		p->twice = copy->twice = true;
	}
	if (corrupt) {
		f->stats.corrupted++;
		if (!damage(f, lane, p)) {
			tell_end(f, lane, p, FAULT_DISCARDED);
			free(p);
			p = NULL;
		}
	}
	if (p)
		enqueue(f, lane, p, now_us);
	if (copy) {
		f->stats.duplicated++;
		enqueue(f, lane, copy, now_us);
	}
}

/* ---- the driver ---- */

/* Hands on what is due. 0, or TAPIR_EIO of the inner driver. */
static int pump_out(struct fault *f, usec_t now_us)
{
	struct packet *p;

	f->out.retry_us = 0;
	while ((p = fault_lane_first(&f->out, &f->cfg, &f->stats, now_us)) != NULL) {
		struct tapir_out out;
		int result;

		driver_flat_out(&out, p->bytes, p->len, &p->offload);
		result = driver_send(f->inner, &out, now_us);
		if (result == TAPIR_EAGAIN) {
			f->out.retry_us = now_us + RETRY_US;
			return 0;
		}
		fault_lane_remove_first(&f->out, p);
		if (result < 0)
			return result;
		f->stats.passed++;
	}
	return 0;
}

/* Takes in what the inner driver has, using the empty frame to read into. */
static int pull_in(struct fault *f, struct tapir_frame *frame, usec_t now_us)
{
	for (int i = 0; i < PULL_MAX; i++) {
		int result = driver_recv(f->inner, frame, now_us);
		struct packet *p;

		if (result <= 0)
			return result;
		p = fault_packet_new(frame->len);
		if (p) {
			driver_frame_copy(frame, p->bytes);
			p->offload = frame->offload;
			p->offload.csum = TAPIR_CSUM_NONE;
		}
		meet_fate(f, &f->in, p, now_us);
		frame->len = 0;
		frame->offload = (struct tapir_offload){.csum = TAPIR_CSUM_NONE};
	}
	return 0;
}

static int fault_recv(struct driver *d, struct tapir_frame *frame, usec_t now_us)
{
	struct fault *f = (struct fault *)d;
	struct packet *p;
	int result = pump_out(f, now_us);

	if (result == 0)
		result = pull_in(f, frame, now_us);
	if (result < 0)
		return result;
	while ((p = fault_lane_first(&f->in, &f->cfg, &f->stats, now_us)) != NULL) {
		bool fits = p->len <= frame->room;

		if (fits) {
			memcpy(frame->data, p->bytes, p->len);
			frame->len = p->len;
			frame->offload = p->offload;
			f->stats.passed++;
			tell_passed(f, false, p, now_us - p->met_us);
		} else {
			tell_end(f, &f->in, p, FAULT_LOST);
		}
		fault_lane_remove_first(&f->in, p);
		if (fits)
			return 1;
		f->stats.lost++;
	}
	return 0;
}

static int fault_send(struct driver *d, const struct tapir_out *out, usec_t now_us)
{
	struct fault *f = (struct fault *)d;
	struct packet *p = fault_packet_new(out->len);

	if (p) {
		tapir_out_copy(out, p->bytes, false);
		p->offload = out->offload;
		p->offload.csum = TAPIR_CSUM_NONE;
	}
	f->giving = true;
	meet_fate(f, &f->out, p, now_us);
	f->giving = false;
	return pump_out(f, now_us);
}

static int fault_flush(struct driver *d)
{
	return driver_flush(((struct fault *)d)->inner);
}

static usec_t fault_deadline(struct driver *d)
{
	const struct fault *f = (const struct fault *)d;
	usec_t due_us = driver_deadline(f->inner);
	const struct fault_lane *lanes[] = {&f->in, &f->out};

	for (int i = 0; i < 2; i++) {
		usec_t lane_us = fault_lane_due_us(lanes[i], &f->cfg);

		due_us = lane_us < due_us ? lane_us : due_us;
	}
	return due_us;
}

static void fault_close(struct driver *d)
{
	struct fault *f = (struct fault *)d;

	driver_close(f->inner);
	fault_lane_free(&f->in);
	fault_lane_free(&f->out);
	free(f);
}

static const struct driver_ops fault_ops = {
	.name = "fault", .recv = fault_recv, .send = fault_send, .flush = fault_flush, .deadline = fault_deadline,
	.close = fault_close,
};

static struct fault_config with_defaults(const struct fault_config *cfg)
{
	struct fault_config c = *cfg;

	if (c.queue_bytes == 0)
		c.queue_bytes = QUEUE_BYTES;
	if (c.codel_target_us == 0)
		c.codel_target_us = CODEL_TARGET_US;
	if (c.codel_interval_us == 0)
		c.codel_interval_us = CODEL_INTERVAL_US;
	return c;
}

struct driver *driver_wrap_fault(struct driver *inner, const struct fault_config *cfg)
{
	struct fault *f = calloc(1, sizeof *f);

	if (f == NULL) {
		driver_fail("Out of memory.");
		return NULL;
	}
	if (driver_set_offload(inner, (struct tapir_offload_caps){.csum = false}) != 0) {
		free(f);
		return NULL;
	}
	f->d = *inner;
	f->d.ops = &fault_ops;
	f->d.caps = (struct tapir_offload_caps){.csum = false};
	f->inner = inner;
	f->cfg = with_defaults(cfg);
	f->in.queue.ip_only = f->out.queue.ip_only = inner->ip_only;
	f->in.random = cfg->seed;
	f->out.random = cfg->seed ^ 0x6a09e667f3bcc909u;	/* another sequence of the same seed */
	return &f->d;
}

void driver_fault_change(struct driver *fault, const struct fault_config *cfg)
{
	((struct fault *)fault)->cfg = with_defaults(cfg);
}

void driver_fault_tell(struct driver *fault, void (*tell)(void *ctx, const struct fault_note *note), void *ctx)
{
	struct fault *f = (struct fault *)fault;

	f->tell = tell;
	f->tell_ctx = ctx;
}

struct fault_stats driver_fault_stats(const struct driver *fault)
{
	return ((const struct fault *)fault)->stats;
}
