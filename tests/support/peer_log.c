/* peer_log.c: what the stack's probe has told, and the transcript of a test that a failure prints. See peer.h. */
#include "peer_world.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ARROWS 256
#define TRANSCRIPT 6000		/* its latest part: what Check can tell (CK_MAX_MSG_SIZE, 8192) */
#define NOTE 400			/* one line at most */

struct arrow { struct tapir_endpoint local, remote; enum tapir_tcp_state from, to; };

static struct {
	const struct tapir *t;
	usec_t start_us;
	bool verbose;
	const char *why;			/* of the last segment that the stack made */
	struct arrow arrows[ARROWS];
	uint32_t arrow_count;
	uint32_t events[TAPIR_EV_BUFFER + 1];
	char transcript[TRANSCRIPT];
	size_t transcript_len;
} heard;

void peer_log_begin(const struct tapir *t)
{
	memset(&heard, 0, sizeof heard);
	heard.t = t;
	heard.start_us = tapir_now(t);
	heard.verbose = getenv("PEER_VERBOSE") != NULL;
}

/* ---- transcript and failure ------------------------------------------------------------------------------------ */

/* A long transcript loses its older half. */
static void forget_the_oldest(void)
{
	const char *from = strchr(heard.transcript + TRANSCRIPT / 2, '\n');

	if (heard.transcript_len + NOTE <= TRANSCRIPT || !from)
		return;
	heard.transcript_len -= (size_t)(from + 1 - heard.transcript);
	memmove(heard.transcript, from + 1, heard.transcript_len + 1);
}

void peer_note(const char *format, ...)
{
	char *at;
	size_t room;
	va_list args;
	int n;

	forget_the_oldest();
	at = heard.transcript + heard.transcript_len;
	room = TRANSCRIPT - heard.transcript_len;
	n = snprintf(at, room, "  %9.3f ", heard.t ? (double)(tapir_now(heard.t) - heard.start_us) / 1e6 : 0.0);
	if (n < 0 || (size_t)n + 2 >= room)
		return;
	va_start(args, format);
	n += vsnprintf(at + n, room - (size_t)n, format, args);
	va_end(args);
	if (n < 0 || (size_t)n + 2 > room)
		return;
	strcpy(at + n, "\n");
	heard.transcript_len += (size_t)n + 1;
	if (heard.verbose)
		fputs(at, stderr);
}

void peer_fails(const char *format, ...)
{
	char what[1000];
	va_list args;

	va_start(args, format);
	vsnprintf(what, sizeof what, format, args);
	va_end(args);
	ck_abort_msg("%s\nafter (> the peer, < the stack, = the user)\n%s", what, heard.transcript);
}

/* ---- the probe ------------------------------------------------------------------------------------------------- */

void peer_log_event(void *ctx, const struct tapir_event *e)
{
	(void)ctx;
	heard.events[e->kind]++;
	peer_capture_event(e);
	if (e->kind == TAPIR_EV_SEGMENT_OUT || e->kind == TAPIR_EV_RETRANSMIT)
		heard.why = e->why;
	if (e->kind != TAPIR_EV_STATE)
		return;
	peer_note("  %s > %s", tapir_tcp_state_name(e->u.state.from), tapir_tcp_state_name(e->u.state.to));
	ck_assert(heard.arrow_count < ARROWS);
	heard.arrows[heard.arrow_count++] = (struct arrow){e->local, e->remote, e->u.state.from, e->u.state.to};
}

const char *peer_log_take_why(void)
{
	const char *why = heard.why ? heard.why : "";

	heard.why = NULL;
	return why;
}

/* ---- looking --------------------------------------------------------------------------------------------------- */

static bool is_about(const struct peer *p, const struct arrow *a)
{
	return a->remote.port == p->path.src_port && a->local.port == p->path.dst_port;
}

static const struct arrow *last_arrow(const struct peer *p)
{
	for (uint32_t i = heard.arrow_count; i-- > 0;)
		if (is_about(p, &heard.arrows[i]))
			return &heard.arrows[i];
	return NULL;
}

enum tapir_tcp_state peer_state(const struct peer *p)
{
	const struct arrow *last = last_arrow(p);
	struct tapir_tcp_info info;

	if (p->sd >= 0 && tapir_tcp_info(p->t, p->sd, &info) == 0) {
		if (info.state != (last ? last->to : TAPIR_TCP_CLOSED))
			peer_fails("STATUS says %s, the probe was told %s", tapir_tcp_state_name(info.state),
				   tapir_tcp_state_name(last ? last->to : TAPIR_TCP_CLOSED));
		return info.state;
	}
	if (!last || (last->from == TAPIR_TCP_SYN_RCVD && last->to == TAPIR_TCP_CLOSED))
		return p->listener >= 0 ? TAPIR_TCP_LISTEN : TAPIR_TCP_CLOSED;
	return last->to;
}

const char *peer_states(const struct peer *p)
{
	static char text[2000];
	const struct arrow *before = NULL;
	size_t n = 0;

	text[0] = '\0';
	for (uint32_t i = 0; i < heard.arrow_count && n < sizeof text - 50; i++) {
		const struct arrow *a = &heard.arrows[i];

		if (!is_about(p, a))
			continue;
		if (!before || before->to != a->from)
			n += (size_t)snprintf(text + n, sizeof text - n, "%s%s", before ? "; " : "", tapir_tcp_state_name(a->from));
		n += (size_t)snprintf(text + n, sizeof text - n, " > %s", tapir_tcp_state_name(a->to));
		before = a;
	}
	return text;
}

struct tapir_tcp_info peer_info(const struct peer *p)
{
	struct tapir_tcp_info info;

	ck_assert_error(tapir_tcp_info(p->t, p->sd, &info), 0);
	return info;
}

struct tapir_usage peer_usage(const struct peer *p)
{
	struct tapir_usage usage;

	tapir_usage(p->t, &usage);
	return usage;
}

uint32_t peer_events(const struct peer *p, enum tapir_event_kind kind)
{
	(void)p;
	return heard.events[kind];
}
