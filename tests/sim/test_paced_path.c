/* test_paced_path.c: two whole stacks and a bottleneck between them, one bulk transfer, virtual time: that what rate.c, pace.c and
 * BBR do alone they also do where recovery.c and output.c call them. */
#include <check.h>
#include <stdlib.h>
#include <string.h>
#include "stack/base/siphash.h"
#include "stack/tapir.h"

#define RATE 1250000u			/* bytes a second: 10 Mbit/s */
#define RTT (40 * TAPIR_MS)
#define BDP (RATE / 25)
#define LANE 8192u			/* packets on the way in one direction */
#define START_US (1000 * TAPIR_SEC)

struct packet { usec_t at_us; uint32_t len; uint8_t bytes[1500]; };
struct lane { struct packet *packets; uint32_t head, count; };

static struct {
	struct tapir *stack[2];		/* 0 sends, 1 receives */
	void *memory[2];
	struct lane lane[2];		/* from stack[i] */
	struct rng rng;
	usec_t now_us, pause_from_us, pause_to_us;
	uint64_t free_ns, received;
	uint32_t queue, loss_ppm, dropped;
	uint32_t burst, biggest_burst;	/* bytes that left at one instant */
	usec_t burst_us;
	uint64_t queued_sum, queued_count;
	uint32_t paced, rtt_probes;	/* times that the timer fired, that ProbeRTT was entered */
	const char *why;
	tapir_sd listener, sd[2];
} w;

static void hear(void *ctx, const struct tapir_event *e)
{
	(void)ctx;
	w.paced += e->kind == TAPIR_EV_TIMER_FIRED && e->u.timer.timer == TAPIR_TIMER_PACE;
	if (e->kind != TAPIR_EV_CC || strncmp(e->why, "draft-ietf-ccwg-bbr", 19) != 0)
		return;
	w.rtt_probes += strcmp(e->why, w.why) != 0 && strstr(e->why, "ProbeRTT");
	w.why = e->why;
}

static void begin(enum tapir_cc cc, bool pacing, uint32_t queue)
{
	struct tapir_endpoint server = {.addr = tapir_ipv4(10, 0, 0, 2), .port = 80};

	memset(&w, 0, sizeof w);
	w.now_us = START_US;
	w.pause_from_us = w.pause_to_us = USEC_NEVER;
	w.queue = queue;
	w.why = "";
	w.sd[1] = -1;
	rng_seed(&w.rng, cc, queue);
	for (uint8_t i = 0; i < 2; i++) {
		struct tapir_config c;

		tapir_config_default(&c);
		c.ip_only = true;
		c.addr = tapir_ipv4(10, 0, 0, (uint8_t)(1 + i));
		c.seed[0] = i;
		c.sndbuf = c.rcvbuf = 4 << 20;
		c.max_conns = c.max_sockets = 16;
		c.congestion = cc;
		c.pacing = pacing;
		c.probe = i ? NULL : hear;
		w.memory[i] = aligned_alloc(64, (tapir_size(&c) + 63) & ~(size_t)63);
		w.lane[i].packets = malloc(LANE * sizeof *w.lane[i].packets);
		ck_assert(w.memory[i] && w.lane[i].packets);
		w.stack[i] = tapir_init(w.memory[i], &c, w.now_us);
		ck_assert_ptr_nonnull(w.stack[i]);
	}
	w.listener = tapir_socket(w.stack[1], TAPIR_SOCK_STREAM);
	ck_assert_int_eq(tapir_bind(w.stack[1], w.listener, &server), 0);
	ck_assert_int_eq(tapir_listen(w.stack[1], w.listener, 1), 0);
	w.sd[0] = tapir_socket(w.stack[0], TAPIR_SOCK_STREAM);
	tapir_connect(w.stack[0], w.sd[0], &server);
}

static void end(void)
{
	for (int i = 0; i < 2; i++) {
		free(w.memory[i]);
		free(w.lane[i].packets);
	}
}

/* --- the path --------------------------------------------------------------------------------------------------- */

static uint32_t queued(void)
{
	uint64_t now_ns = w.now_us * 1000;

	return w.free_ns > now_ns ? (uint32_t)((w.free_ns - now_ns) * RATE / 1000000000) : 0;
}

/* When a packet of the sender's reaches the receiver; USEC_NEVER: never. */
static usec_t through_the_bottleneck(uint32_t len)
{
	uint64_t now_ns = w.now_us * 1000;

	w.burst = w.burst_us == w.now_us ? w.burst + len : len;
	w.burst_us = w.now_us;
	w.biggest_burst = w.burst > w.biggest_burst ? w.burst : w.biggest_burst;
	if (rng_below(&w.rng, 1000000) < w.loss_ppm)
		return USEC_NEVER;
	if (queued() + len > w.queue) {
		w.dropped++;
		return USEC_NEVER;
	}
	w.free_ns = (w.free_ns > now_ns ? w.free_ns : now_ns) + (uint64_t)len * 1000000000 / RATE;
	return w.free_ns / 1000 + RTT / 2;
}

static void leave(int from)
{
	struct lane *l = &w.lane[from];
	struct tapir_out out;

	while (tapir_output(w.stack[from], &out)) {
		usec_t at_us = from ? w.now_us + RTT / 2 : through_the_bottleneck(out.len);
		struct packet *p = &l->packets[(l->head + l->count) % LANE];

		ck_assert(l->count < LANE && out.len <= sizeof p->bytes);
		if (at_us == USEC_NEVER)
			continue;
		p->at_us = at_us;
		p->len = out.len;
		tapir_out_copy(&out, p->bytes, false);
		l->count++;
	}
}

static void arrive(int from)
{
	struct lane *l = &w.lane[from];

	for (; l->count && l->packets[l->head].at_us <= w.now_us; l->count--, l->head = (l->head + 1) % LANE) {
		struct tapir_frame *f = tapir_frame_get(w.stack[!from]);

		ck_assert_ptr_nonnull(f);
		f->len = l->packets[l->head].len;
		memcpy(f->data, l->packets[l->head].bytes, f->len);
		tapir_input(w.stack[!from], f);
	}
}

static void programs(void)
{
	static uint8_t bytes[65536];
	int64_t n;

	if (w.sd[1] < 0)
		w.sd[1] = tapir_accept(w.stack[1], w.listener, NULL);
	while (w.sd[1] >= 0 && (n = tapir_recv(w.stack[1], w.sd[1], bytes, sizeof bytes)) > 0)
		w.received += (uint64_t)n;
	if (w.now_us >= w.pause_from_us && w.now_us < w.pause_to_us)
		return;
	while (tapir_send(w.stack[0], w.sd[0], bytes, sizeof bytes) > 0)
		;
}

static usec_t earlier(usec_t a, usec_t b) { return a < b ? a : b; }

/* Percent of what the link could carry in the time. */
static uint32_t run(usec_t us)
{
	usec_t end_us = w.now_us + us;
	uint64_t before = w.received;

	while (w.now_us < end_us) {
		usec_t next_us = earlier(end_us, w.now_us < w.pause_to_us ? w.pause_to_us : USEC_NEVER);

		programs();
		leave(0);
		leave(1);
		for (int i = 0; i < 2; i++) {
			next_us = earlier(next_us, tapir_deadline(w.stack[i]));
			if (w.lane[i].count)
				next_us = earlier(next_us, w.lane[i].packets[w.lane[i].head].at_us);
		}
		w.now_us = next_us > w.now_us ? next_us : w.now_us + 1;
		tapir_tick(w.stack[0], w.now_us);
		tapir_tick(w.stack[1], w.now_us);
		arrive(0);
		arrive(1);
		w.queued_sum += queued();
		w.queued_count++;
	}
	return (uint32_t)((w.received - before) * 100 * TAPIR_SEC / us / RATE);
}

/* --- tests ------------------------------------------------------------------------------------------------------ */

/* 96.5 % of the link are text. */
START_TEST(bbr_fills_the_path_and_leaves_its_queue_short)
{
	begin(TAPIR_CC_BBR, false, 4 * BDP);
	run(TAPIR_SEC);
	w.queued_sum = w.queued_count = 0;
	ck_assert_uint_ge(run(20 * TAPIR_SEC), 90);
	ck_assert_uint_le(w.queued_sum / w.queued_count, BDP / 2);
	ck_assert_uint_eq(w.dropped, 0);
	ck_assert_uint_ge(w.rtt_probes, 3);
	ck_assert_uint_le(w.rtt_probes, 5);
	end();
}
END_TEST

START_TEST(bbr_copes_with_a_queue_of_a_few_segments_and_with_losses)
{
	begin(TAPIR_CC_BBR, false, BDP / 8);
	run(TAPIR_SEC);
	w.dropped = 0;
	ck_assert_uint_ge(run(20 * TAPIR_SEC), 85);
	ck_assert_uint_le(w.dropped, 120);	/* of 17,000; without knowing of losses 260 */
	end();
	begin(TAPIR_CC_BBR, false, BDP);
	run(TAPIR_SEC);
	w.loss_ppm = 10000;
	ck_assert_uint_ge(run(40 * TAPIR_SEC), 60);	/* CUBIC: 35 */
	end();
}
END_TEST

START_TEST(bbr_never_sends_more_than_two_bursts_at_once)
{
	begin(TAPIR_CC_BBR, false, BDP);
	run(5 * TAPIR_SEC);
	w.biggest_burst = 0;
	run(10 * TAPIR_SEC);
	ck_assert_uint_le(w.biggest_burst, 4 * 1500);
	ck_assert_uint_ge(w.paced, 2000);
	end();
}
END_TEST

/* draft-ietf-ccwg-bbr 5.4.1 */
START_TEST(after_a_pause_bbr_goes_on_at_the_rate_it_had_found)
{
	begin(TAPIR_CC_BBR, false, BDP);
	w.pause_from_us = START_US + 4 * TAPIR_SEC;
	w.pause_to_us = START_US + 20 * TAPIR_SEC;
	run(20 * TAPIR_SEC);
	ck_assert_uint_eq(queued(), 0);
	w.biggest_burst = w.rtt_probes = 0;
	run(2 * RTT);
	ck_assert_uint_ge(run(2 * RTT), 85);
	ck_assert_uint_le(w.biggest_burst, 4 * 1500);
	ck_assert_uint_eq(w.rtt_probes, 0);
	end();
}
END_TEST

/* config.pacing: a window that ACKs in pairs would send four segments at once in slow start, and one that grew in silence all. */
START_TEST(a_window_is_paced_when_asked_for)
{
	uint32_t plain, paced;

	begin(TAPIR_CC_CUBIC, false, 2 * BDP);
	plain = run(10 * TAPIR_SEC);
	ck_assert_uint_eq(w.paced, 0);
	end();
	begin(TAPIR_CC_CUBIC, true, 2 * BDP);
	paced = run(10 * TAPIR_SEC);
	ck_assert_uint_ge(w.paced, 50);
	ck_assert_uint_ge(paced + 3, plain);
	end();
}
END_TEST

Suite *suite(void)
{
	Suite *s = suite_create("paced path");
	TCase *tc = tcase_create("path");

	tcase_set_timeout(tc, 300);
	tcase_add_test(tc, bbr_fills_the_path_and_leaves_its_queue_short);
	tcase_add_test(tc, bbr_copes_with_a_queue_of_a_few_segments_and_with_losses);
	tcase_add_test(tc, bbr_never_sends_more_than_two_bursts_at_once);
	tcase_add_test(tc, after_a_pause_bbr_goes_on_at_the_rate_it_had_found);
	tcase_add_test(tc, a_window_is_paced_when_asked_for);
	suite_add_tcase(s, tc);
	return s;
}
