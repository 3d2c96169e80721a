/* peer.c: see peer.h. Owns the one stack of a test, and what it has sent and not yet been asked about. What has
 * happened, and how a failure tells it, is in peer_log.c; the user's calls and the way to each state are in
 * peer_user.c. */
#include "peer.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "peer_world.h"
#include "stack/tcp/tcp.h"

#define STACK_ADDR 0x0a000002u
#define PEER_ADDR 0x0a000001u
#define START_US (1000 * TAPIR_SEC)
#define SOCKETS 64
#define TICKS_MAX 100000

struct sent_frame {
	struct sent_frame *next;
	usec_t at_us;
	const char *why;
	size_t n;
	uint8_t bytes[];
};

static struct {
	struct tapir *t;
	void *mem;
	struct sent_frame *first, **last;	/* what the stack has sent, oldest first */
	struct sent_frame *shown, *other;	/* peer_last_frame, peer_takes_other_frame */
	tapir_sd sockets[SOCKETS];
	uint32_t socket_count;
} world;
static struct tapir_config config;

/* The ISSs of one run: the stack's, the peer's. */
static const struct { uint32_t stack, peer; } runs[PEER_RUNS] = {
	{1000000, 500000}, {UINT32_MAX, UINT32_MAX - 20}, {UINT32_MAX - 20, UINT32_MAX}
};

/* ---- the stack ------------------------------------------------------------------------------------------------- */

static void keep_frame(const struct tapir_out *out)
{
	struct sent_frame *f = calloc(1, sizeof *f + out->len);

	ck_assert_ptr_nonnull(f);
	tapir_out_copy(out, f->bytes, false);
	f->n = out->len;
	f->at_us = tapir_now(world.t);
	f->why = peer_log_take_why();
	*world.last = f;
	world.last = &f->next;
}

static void take_output(void)
{
	struct tapir_out out;

	while (tapir_output(world.t, &out)) {
		keep_frame(&out);
		peer_capture_out(&out, tapir_now(world.t));
	}
	tcp_check_all(world.t);
}

static void drop_frame(struct sent_frame **at)
{
	struct sent_frame *f = *at;

	*at = f->next;
	if (world.last == &f->next)
		world.last = at;
	free(f);
}

static void default_config(void)
{
	tapir_config_default(&config);
	config.ip_only = true;
	config.addr = tapir_ipv4(10, 0, 0, 2);
	config.seed[0] = 1;
	config.seed[1] = 2;
	config.max_sockets = 16;
	config.max_conns = 16;
	config.max_half_open = 4;
	config.max_time_wait = 16;
	config.small_frames = 512;
	config.large_frames = 8;
	config.sndbuf = config.rcvbuf = config.udp_rcvbuf = 65535;
	config.sndbuf_max = config.rcvbuf_max = 0;
	config.mtu_probing = 0;
	config.delack_us = 0;
	config.timestamps = config.sack = config.window_scale = false;
	config.challenge_interval_us = 0;
	config.congestion = TAPIR_CC_NEWRENO;	/* RFC 5681 3.1 is what the tests cite */
}

struct tapir_config *peer_config(void) { return &config; }

static void world_begin(int run)
{
	size_t size;

	world.last = &world.first;
	config.isn = runs[run].stack;
	config.probe = peer_log_event;
	size = tapir_size(&config);
	ck_assert_uint_gt(size, 0);
	world.mem = aligned_alloc(64, (size + 63) & ~(size_t)63);
	ck_assert_ptr_nonnull(world.mem);
	world.t = tapir_init(world.mem, &config, START_US);
	ck_assert_ptr_nonnull(world.t);
	peer_log_begin(world.t);
	peer_capture_begin(tapir_get_config(world.t));
	tapir_tick(world.t, START_US);
}

/* After this much virtual time nothing of an ended connection may be left: retransmissions of an orphan take minutes.
 * */
static void run_dry(void)
{
	take_output();
	for (int i = 0; i < TICKS_MAX && tapir_deadline(world.t) != USEC_NEVER; i++) {
		usec_t due = tapir_deadline(world.t), now = tapir_now(world.t);

		tapir_tick(world.t, due > now ? due : now);
		take_output();
	}
	if (tapir_deadline(world.t) != USEC_NEVER)
		peer_fails("something is armed for ever");
}

static void check_usage(void)
{
	struct tapir_usage u;

	tapir_usage(world.t, &u);
	if (u.tcp_tunings)
		peer_fails("left: %u sets of TCP options", u.tcp_tunings);
	if (u.sockets || u.conns || u.small_frames || u.large_frames || u.timers || u.time_wait || u.reass)
		peer_fails("left in the pools: %u sockets, %u connections (%u in TIME-WAIT), %u small and %u large frames, "
			   "%u timers, %u reassemblies", u.sockets, u.conns, u.time_wait, u.small_frames, u.large_frames,
			   u.timers, u.reass);
}

static void world_end(void)
{
	if (!world.t)
		return;
	take_output();
	if (world.first)
		peer_expects_nothing(NULL);
	for (uint32_t i = 0; i < world.socket_count; i++)
		tapir_abort(world.t, world.sockets[i]);	/* EBADF: the test has closed it */
	run_dry();
	check_usage();
	peer_capture_end();
	while (world.first)
		drop_frame(&world.first);
	free(world.shown);
	free(world.other);
	free(world.mem);
	memset(&world, 0, sizeof world);
}

void peer_owns_socket(tapir_sd sd)
{
	ck_assert(world.socket_count < SOCKETS);
	world.sockets[world.socket_count++] = sd;
}

struct peer closed(int run)
{
	world_end();
	world_begin(run);
	return (struct peer){
		.t = world.t, .listener = -1, .sd = -1, .iss = runs[run].peer, .stack_iss = runs[run].stack,
		.path = {.src = PEER_ADDR, .dst = STACK_ADDR, .src_port = PEER_PORT, .dst_port = STACK_PORT},
		.win = 65535, .ts_val = 100, .why = ""
	};
}

/* ---- the peer sends -------------------------------------------------------------------------------------------- */

static size_t frame_of(const struct peer *p, uint8_t *frame, const char *line)
{
	struct segment_base base = {.seq = p->iss, .ack = p->stack_iss, .ts_ecr = p->ts_first};
	struct segment s;
	char with_timestamps[2 * SEGMENT_TEXT];
	const char *wrong;

	if (p->timestamps && !strchr(line, '<')) {
		snprintf(with_timestamps, sizeof with_timestamps, "%s <nop,nop,TS val %u ecr %u>", line, p->ts_val,
			 p->ts_last - p->ts_first);
		line = with_timestamps;
	}
	wrong = segment_parse(line, &base, &s);
	if (wrong)
		peer_fails("\"%s\": %s", line, wrong);
	if (!s.has_win)
		s.win = p->win;
	peer_note("> %s", line);
	return segment_emit(&s, &p->path, p->iss, frame);
}

#define FORMAT_LINE(line, format) \
	do { \
		va_list args; \
		va_start(args, format); \
		vsnprintf(line, sizeof line, format, args); \
		va_end(args); \
	} while (0)

size_t peer_frame(const struct peer *p, uint8_t frame[2048], const char *format, ...)
{
	char line[SEGMENT_TEXT];

	FORMAT_LINE(line, format);
	return frame_of(p, frame, line);
}

void peer_sends_frame(struct peer *p, const uint8_t *frame, size_t n)
{
	struct tapir_frame *f = tapir_frame_get(p->t);

	if (!f)
		peer_fails("no buffer for a frame");
	ck_assert_uint_le(n, f->room);
	memcpy(f->data, frame, n);
	f->len = (uint32_t)n;
	peer_capture_in(f, tapir_now(p->t));
	p->verdict = tapir_input(p->t, f);
	peer_note("  %s", tapir_verdict_name(p->verdict));
	tcp_check_all(p->t);
}

void peer_sends(struct peer *p, const char *format, ...)
{
	uint8_t frame[65536];
	char line[SEGMENT_TEXT];

	FORMAT_LINE(line, format);
	peer_sends_frame(p, frame, frame_of(p, frame, line));
}

static void be16(uint8_t *at, uint32_t v)
{
	at[0] = (uint8_t)(v >> 8);
	at[1] = (uint8_t)v;
}

static void be32(uint8_t *at, uint32_t v)
{
	be16(at, v >> 16);
	be16(at + 2, v);
}

static void ip_header(uint8_t *at, size_t n, uint8_t proto, uint32_t src, uint32_t dst)
{
	memset(at, 0, 20);
	at[0] = 0x45;
	be16(at + 2, (uint32_t)n);
	at[8] = 64;
	at[9] = proto;
	be32(at + 12, src);
	be32(at + 16, dst);
	be16(at + 10, frame_checksum(0, at, 20));
}

void peer_sends_icmp(struct peer *p, uint8_t type, uint8_t code, uint32_t rest, uint32_t seq)
{
	uint8_t f[56] = {0};

	ip_header(f, sizeof f, 1, PEER_ADDR, STACK_ADDR);
	f[20] = type;
	f[21] = code;
	be32(f + 24, rest);
	ip_header(f + 28, 40, 6, STACK_ADDR, PEER_ADDR);
	be16(f + 48, p->path.dst_port);
	be16(f + 50, p->path.src_port);
	be32(f + 52, seq + p->stack_iss);
	be16(f + 22, frame_checksum(0, f + 20, sizeof f - 20));
	peer_note("> ICMP type %u code %u rest %u about sequence number %u", type, code, rest, seq);
	peer_sends_frame(p, f, sizeof f);
}

/* ---- the stack has sent ---------------------------------------------------------------------------------------- */

static bool is_tcp(const struct sent_frame *f) { return f->n > 20 && f->bytes[9] == 6; }

static bool is_for(const struct peer *p, const struct sent_frame *f, struct segment *s)
{
	struct segment_path path;
	const char *wrong;

	if (!is_tcp(f))
		return false;
	wrong = segment_read(f->bytes, f->n, &path, s);
	if (wrong)
		peer_fails("the stack sent a bad frame: %s", wrong);
	return path.src == p->path.dst && path.dst == p->path.src && path.src_port == p->path.dst_port &&
	       path.dst_port == p->path.src_port;
}

static void format_for(const struct peer *p, char text[SEGMENT_TEXT], const struct segment *s, int with)
{
	struct segment_base base = {.seq = p->stack_iss, .ack = p->iss, .ts_val = p->ts_first};

	segment_format(text, s, &base, with);
}

static void remember(struct peer *p, const struct sent_frame *f, const struct segment *s)
{
	uint32_t end = s->seq - p->stack_iss + s->text_len + (s->flags & FLAG_S ? 1 : 0) + (s->flags & FLAG_F ? 1 : 0);

	if (!(s->flags & FLAG_R) && (int32_t)(end - p->snd_nxt) > 0)
		p->snd_nxt = end;
	if (s->flags & FLAG_A && !(s->flags & FLAG_R))
		p->rcv_nxt = s->ack - p->iss;
	p->at_us = f->at_us;
	p->why = f->why;
}

static void see_timestamp(struct peer *p, const struct segment *s)
{
	uint32_t val;

	if (!segment_timestamp(s, &val))
		return;
	if (!p->ts_seen)
		p->ts_first = val;
	p->ts_seen = true;
	p->ts_last = val;
}

static void check_text(const struct peer *p, const struct sent_frame *f, const struct segment *s)
{
	const uint8_t *text = f->bytes + f->n - s->text_len;
	uint32_t first = s->seq - p->stack_iss + (s->flags & FLAG_S ? 1 : 0);

	for (uint32_t i = 0; i < s->text_len; i++)
		if (text[i] != stream_byte(first + i))
			peer_fails("byte %u of the text is wrong", first + i);
}

static struct sent_frame **next_for(const struct peer *p, struct segment *s)
{
	struct sent_frame **at = &world.first;

	take_output();
	while (*at && !is_for(p, *at, s))
		at = &(*at)->next;
	return at;
}

static struct sent_frame *unlink_frame(struct sent_frame **at)
{
	struct sent_frame *f = *at;

	*at = f->next;
	if (world.last == &f->next)
		world.last = at;
	f->next = NULL;
	return f;
}

void peer_expects(struct peer *p, const char *format, ...)
{
	char line[SEGMENT_TEXT], text[SEGMENT_TEXT], whole[SEGMENT_TEXT];
	struct segment s;
	struct sent_frame **at = next_for(p, &s);

	FORMAT_LINE(line, format);
	if (!*at)
		peer_fails("expected  %s\n     got  nothing", line);
	see_timestamp(p, &s);
	format_for(p, whole, &s, WITH_WIN | WITH_OPTIONS | (s.ecn ? WITH_ECN : 0));
	format_for(p, text, &s, (*line == '[' ? WITH_ECN : 0) | (strstr(line, " win ") ? WITH_WIN : 0) |
				(strchr(line, '<') ? WITH_OPTIONS : 0));
	if (!segment_line_matches(line, text))
		peer_fails("expected  %s\n     got  %s   (%s; %s)", line, text, whole, (*at)->why);
	peer_note("< %s   (%s)", whole, (*at)->why);
	check_text(p, *at, &s);
	remember(p, *at, &s);
	free(world.shown);
	world.shown = unlink_frame(at);
}

void peer_expects_nothing(struct peer *p)
{
	static const struct segment_base zero;
	char text[SEGMENT_TEXT] = "not TCP";
	struct segment s;
	struct segment_path path;

	take_output();
	if (!world.first)
		return;
	if (is_tcp(world.first) && !segment_read(world.first->bytes, world.first->n, &path, &s)) {
		if (p)
			format_for(p, text, &s, WITH_WIN | WITH_OPTIONS);
		else
			segment_format(text, &s, &zero, WITH_WIN | WITH_OPTIONS);
	}
	peer_fails("expected  nothing%s\n     got  %s   (%s)", p ? "" : " more before the test ends", text, world.first->why);
}

uint32_t peer_ignores_all(struct peer *p)
{
	uint32_t n = 0;
	struct segment s;

	take_output();
	for (; world.first; n++) {
		if (is_for(p, world.first, &s)) {
			see_timestamp(p, &s);
			remember(p, world.first, &s);
		}
		drop_frame(&world.first);
	}
	peer_note("< %u frames that nobody looks at", n);
	return n;
}

struct span peer_last_frame(void)
{
	ck_assert_ptr_nonnull(world.shown);
	return (struct span){world.shown->bytes, world.shown->n};
}

struct span peer_takes_other_frame(struct peer *p)
{
	struct sent_frame **at = &world.first;

	(void)p;
	take_output();
	while (*at && is_tcp(*at))
		at = &(*at)->next;
	if (!*at)
		peer_fails("expected a frame that is not TCP, got nothing");
	free(world.other);
	world.other = unlink_frame(at);
	return (struct span){world.other->bytes, world.other->n};
}

/* ---- time ------------------------------------------------------------------------------------------------------ */

static void tick(struct tapir *t, usec_t now_us)
{
	tapir_tick(t, now_us);
	take_output();
}

void peer_advance(struct peer *p, usec_t us)
{
	usec_t target = tapir_now(p->t) + us;

	take_output();
	for (int i = 0; tapir_deadline(p->t) <= target; i++) {
		usec_t due = tapir_deadline(p->t), now = tapir_now(p->t);

		if (i == TICKS_MAX)
			peer_fails("time does not move");
		if (due <= now && due == target)
			break;
		tick(p->t, due > now ? due : now);
	}
	tick(p->t, target);
}

usec_t peer_until_timer(struct peer *p)
{
	usec_t before = tapir_now(p->t);
	uint32_t fired = peer_events(p, TAPIR_EV_TIMER_FIRED);

	take_output();
	while (peer_events(p, TAPIR_EV_TIMER_FIRED) == fired) {	/* a deadline may be only the wheel's own work */
		usec_t due = tapir_deadline(p->t), now = tapir_now(p->t);

		if (due == USEC_NEVER)
			peer_fails("nothing is armed");
		tick(p->t, due > now ? due : now);
	}
	return tapir_now(p->t) - before;
}

usec_t peer_now(const struct peer *p) { return tapir_now(p->t); }

/* ---- the suite ------------------------------------------------------------------------------------------------- */

Suite *peer_suite(const char *name, const TTest *const tests[])
{
	Suite *suite = suite_create(name);
	TCase *tc = tcase_create(name);

	tcase_add_checked_fixture(tc, default_config, world_end);
	for (; *tests; tests++)
		tcase_add_loop_test(tc, *tests, 0, PEER_RUNS);
	suite_add_tcase(suite, tc);
	return suite;
}
