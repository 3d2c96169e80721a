/* stack.c: the engine (design: the stack is a value). Owns the lent block and what lies where in it; passes a frame in at
 * the bottom, asks each layer for what it owes, and turns the time. Knows every layer, and no protocol.
 *
 * Invariant: everything that a stack remembers lies in its block, so a copy of the block is a copy of the stack. */
#include "config.h"
#include "gather.h"
#include "socket/socket.h"
#include "wire/eth.h"

/* Where the parts of the block begin; the same walk counts its size. */
struct layout {
	struct tapir *t;
	void *frames, *arp, *ip, *udp, *tcp, *sockets;
	uintptr_t end;
};

static struct layout lay_out(const struct tapir_config *c, uintptr_t at)
{
	struct layout l;

	l.t = carve(&at, sizeof(struct tapir));
	l.frames = carve(&at, frame_pools_size(c->small_frames, c->large_frames));
	l.arp = carve(&at, arp_size(c));
	l.ip = carve(&at, ip_size(c));
	l.udp = carve(&at, udp_size(c));
	l.tcp = carve(&at, tcp_size(c));
	l.sockets = carve(&at, sockets_size(c));
	l.end = at;
	return l;
}

size_t tapir_size(const struct tapir_config *config)
{
	return config_is_possible(config) ? lay_out(config, 0).end : 0;
}

struct tapir *tapir_init(void *mem, const struct tapir_config *config, usec_t now_us)
{
	struct layout l;
	struct tapir *t;

	assert((uintptr_t)mem % 64 == 0);
	if (!config_is_possible(config))
		return NULL;
	l = lay_out(config, (uintptr_t)mem);
	t = l.t;
	memset(t, 0, sizeof *t);
	t->cfg = *config;
	t->now_us = now_us;
	rng_seed(&t->rng, config->seed[0], config->seed[1]);
	t->key = (struct siphash_key){rng_next(&t->rng), rng_next(&t->rng)};
	config_complete(&t->cfg, rng_next(&t->rng));
	wheel_init(&t->wheel, now_us);
	frame_pools_init(&t->frames, l.frames, config->small_frames, config->large_frames);
	ip_init(t, l.ip);		/* before arp: an announcement may already have to be sent */
	arp_init(t, l.arp);
	udp_init(t, l.udp);
	tcp_init(t, l.tcp);
	sockets_init(t, l.sockets);
	return t;
}

const struct tapir_config *tapir_get_config(const struct tapir *t) { return &t->cfg; }

void tapir_set_probe(struct tapir *t, tapir_probe_fn fn, void *ctx)
{
	t->cfg.probe = fn;
	t->cfg.probe_ctx = ctx;
}

/* ---- frames ---------------------------------------------------------------------------------------------------- */

/* The largest frame that the driver may read: with segmentation offload a whole IP datagram. */
static uint32_t frame_max(const struct tapir *t)
{
	const struct tapir_offload_caps *caps = &t->cfg.offload;

	if (caps->tso4 || caps->tso6 || caps->uso)
		return FRAME_LARGE;
	return ETH_HEADER + 4u + t->cfg.mtu;		/* 4: a VLAN tag, so that such a frame is seen whole and refused */
}

struct tapir_frame *tapir_frame_get(struct tapir *t)
{
	return frame_get(&t->frames, frame_max(t));
}

void tapir_frame_put(struct tapir *t, struct tapir_frame *frame)
{
	frame_put(&t->frames, frame);
}

/* The frame's way up. */
static enum tapir_verdict take(struct tapir *t, struct tapir_frame *frame)
{
	enum tapir_verdict v = t->cfg.ip_only ? ip_input(t, &frame, false) : eth_input(t, &frame);

	frame_put(&t->frames, frame);
	return v;
}

static void count_arrived(struct tapir *t, enum tapir_verdict v, uint32_t len)
{
	t->stats.frames_in++;
	t->stats.bytes_in += len;
	verdict_arrived(t, v, len);
}

enum tapir_verdict tapir_input(struct tapir *t, struct tapir_frame *frame)
{
	uint32_t len = frame->len;
	enum tapir_verdict v = take(t, frame);

	count_arrived(t, v, len);
	sockets_wake(t);
	return v;
}

/* At most GATHER_MAX. What was joined has one verdict, which each of its frames is told in its turn. */
static void input_some(struct tapir *t, struct tapir_frame *frames[], uint32_t n, enum tapir_verdict verdicts[])
{
	uint32_t lens[GATHER_MAX];
	uint64_t joined = 0;

	for (uint32_t i = 0; i < n; i++)
		lens[i] = frames[i]->len;
	for (uint32_t i = 0; i < n; i++) {
		if (frames[i])
			verdicts[i] = take(t, t->cfg.gro && i + 1 < n ? gather(t, frames + i, n - i, &joined) : frames[i]);
		for (uint32_t k = i; joined; k++, joined >>= 1)
			if (joined & 1)
				verdicts[k] = verdicts[i];
		count_arrived(t, verdicts[i], lens[i]);
	}
}

void tapir_input_batch(struct tapir *t, struct tapir_frame *frames[], uint32_t n, enum tapir_verdict *verdicts)
{
	enum tapir_verdict unasked[GATHER_MAX];

	for (uint32_t i = 0; i < n; i += GATHER_MAX)
		input_some(t, frames + i, min_u32(n - i, GATHER_MAX), verdicts ? verdicts + i : unasked);
	sockets_wake(t);
}

/* What is owed, in the order in which it leaves: answers that cost the peer time first, then the queue, then TCP in turn. */
static int next_frame(struct tapir *t, struct tapir_out *out)
{
	do {
		if (arp_output(t, out) || ip_output_queued(t, out) || tcp_output_next(t, out) || arp_output(t, out))
			return 1;	/* ARP twice: what could not leave has made a question */
	} while (ip_loopback(t));
	return 0;
}

int tapir_output(struct tapir *t, struct tapir_out *out)
{
	int one;

	frameq_clear(&t->pinned, &t->frames);
	ip_loopback(t);
	one = next_frame(t, out);
	if (one) {
		out_finish(out, &t->cfg.offload);
		t->stats.frames_out++;
		t->stats.bytes_out += out->len;
	}
	if (sockets_wake(t))
		t->sockets->output_woke = true;
	return one;
}

/* ---- time ------------------------------------------------------------------------------------------------------ */

void tapir_tick(struct tapir *t, usec_t now_us)
{
	if (now_us > t->now_us)
		t->now_us = now_us;
	t->sockets->output_woke = false;
	wheel_advance(&t->wheel, t, t->now_us);
	sockets_wake(t);
}

usec_t tapir_deadline(const struct tapir *t)
{
	return t->sockets->output_woke ? t->now_us : wheel_deadline(&t->wheel);
}

usec_t tapir_now(const struct tapir *t) { return t->now_us; }

/* ---- looking at it --------------------------------------------------------------------------------------------- */

bool tapir_address_ready(const struct tapir *t) { return arp_address_ready(t); }

uint64_t tapir_count(const struct tapir *t, enum tapir_verdict v)
{
	return v < TAPIR_VERDICT_COUNT ? t->counts[v] : 0;
}

void tapir_stats(const struct tapir *t, struct tapir_stats *stats) { *stats = t->stats; }

void tapir_usage(const struct tapir *t, struct tapir_usage *usage)
{
	*usage = (struct tapir_usage){
		.sockets = t->sockets->used, .sockets_max = t->cfg.max_sockets,
		.conns = tcp_connections(t), .conns_max = t->cfg.max_conns + t->cfg.max_half_open + t->cfg.max_time_wait,
		.bound = t->tcp->bound.used, .bound_max = min_u32(t->cfg.max_bound, t->cfg.max_sockets),
		.datagram = t->sockets->datagrams, .datagram_max = min_u32(t->cfg.max_datagram, t->cfg.max_sockets),
		.sending = t->tcp->senders.used, .sending_max = tcp_sender_count(&t->cfg),
		.half_open = t->tcp->minis.syn.count, .half_open_max = t->cfg.max_half_open,
		.small_frames = t->frames.small.used, .small_frames_max = t->frames.small.count,
		.large_frames = t->frames.large.used, .large_frames_max = t->frames.large.count,
		.arp = arp_count(t), .arp_max = t->cfg.arp_entries,
		.reass = reass_count(t), .reass_max = t->cfg.reass_max,
		.tcp_tunings = t->tcp->tunings.used, .tcp_tunings_max = t->cfg.tcp_tunings,
		.time_wait = t->tcp->time_wait_count, .time_wait_max = t->cfg.max_time_wait, .timers = t->wheel.armed};
}
