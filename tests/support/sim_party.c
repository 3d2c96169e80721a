/* sim_party.c: the programs. A party is one side of one connection: it opens or is accepted, writes and reads as its plan
 * says, compares every byte that it reads with the one that was sent, and ends in its own way. It fails the run when the
 * stack says something that its plan and the other side's do not explain. */
#include "sim.h"

#define TEXT_BYTES (1u << 20)
#define TEXT_MOST 300000u	/* what is sent repeats itself after so many bytes, at the least */
#define CALL_MOST 100000u	/* bytes of one call that copies */
#define AGAIN_US (500 * TAPIR_MS)	/* until a port that is still taken is tried again */

/* --- what is sent: each side its own piece of one long random text, so that no byte can stand in for another --- */

/* What is sent from byte at on; *n is cut to what lies in one piece. */
static const uint8_t *text_at(const struct sim *s, uint8_t conn, uint8_t side, uint32_t at, uint32_t *n)
{
	static uint8_t text[TEXT_BYTES];
	struct sim_rng r = {s->plan.seed * 31 + conn * 2u + side};

	if (!text[0]) {
		struct sim_rng all = {1};

		for (uint32_t i = 0; i < TEXT_BYTES; i++)
			text[i] = (uint8_t)sim_between(&all, 1, 255);
	}
	at = (sim_below(&r, TEXT_BYTES - TEXT_MOST) + at) % TEXT_BYTES;
	*n = *n < TEXT_BYTES - at ? *n : TEXT_BYTES - at;
	return text + at;
}

static struct sim_conn *plan_of(struct sim *s, const struct sim_party *p) { return &s->plan.conns[p->conn]; }

static const struct sim_side *side_of(const struct sim *s, const struct sim_party *p)
{
	return &s->plan.conns[p->conn].side[p->side];
}

static uint32_t expected(const struct sim *s, const struct sim_party *p)
{
	return s->plan.conns[p->conn].side[1 - p->side].total;
}

static struct tapir *stack_of(struct sim *s, const struct sim_party *p) { return s->nodes[p->node].t; }

static bool opens(const struct sim *s, const struct sim_party *p)
{
	return p->side == 0 || s->plan.conns[p->conn].open == SIM_OPEN_BOTH;
}

static bool ends_by_force(const struct sim_side *side)
{
	return side->end == SIM_END_ABORT || side->end == SIM_END_LINGER || side->end == SIM_END_UNREAD;
}

void sim_party_init(struct sim *s, uint8_t conn, uint8_t side)
{
	struct sim_party *p = &s->parties[conn][side];
	const struct sim_conn *c = &s->plan.conns[conn];

	*p = (struct sim_party){.node = c->node[side], .conn = conn, .side = side, .sd = -1, .phase = SIM_WAITING};
	p->rng.s = s->plan.seed * 977 + conn * 2u + side;
	if (side == 1 && c->open == SIM_OPEN_REFUSED)
		p->phase = SIM_OVER;
}

/* --- the end --- */

static void over(struct sim *s, struct sim_party *p)
{
	p->phase = SIM_OVER;
	p->over_at_us = s->now_us;
	if (p->sd >= 0 && tapir_poll(stack_of(s, p), p->sd) != TAPIR_EBADF)
		sim_fail(s, "connection %u side %u: a closed descriptor is still known", p->conn, p->side);
}

static void close_now(struct sim *s, struct sim_party *p)
{
	int result = tapir_close(stack_of(s, p), p->sd);

	sim_note(s, p, "close", result);
	if (result)
		sim_fail(s, "connection %u side %u: close says %s", p->conn, p->side, tapir_errname(result));
	over(s, p);
}

static void end_by_force(struct sim *s, struct sim_party *p)
{
	struct tapir *t = stack_of(s, p);
	enum sim_end end = side_of(s, p)->end;

	s->broken[p->conn] = p->broke = true;
	if (end == SIM_END_ABORT) {
		sim_note(s, p, "abort", tapir_abort(t, p->sd));
		over(s, p);
		return;
	}
	if (end == SIM_END_LINGER)
		tapir_setsockopt(t, p->sd, TAPIR_SO_LINGER, 0);
	close_now(s, p);
}

/* The connection is gone. That is right only when the other side has ended it by force. */
static void take_error(struct sim *s, struct sim_party *p, const char *what, int64_t error)
{
	sim_note(s, p, what, error);
	if (!s->broken[p->conn] || (error != TAPIR_ECONNRESET && error != TAPIR_ECONNREFUSED && error != TAPIR_EPIPE))
		sim_fail(s, "connection %u side %u: %s says %s after %u sent, %u read", p->conn, p->side, what,
			 tapir_errname((int)error), p->sent, p->got);
	close_now(s, p);
}

/* --- opening --- */

static bool start_is_due(struct sim *s, const struct sim_party *p)
{
	const struct sim_conn *c = plan_of(s, p);
	const struct sim_party *before;

	if (s->now_us < c->start_us || s->now_us < p->write_at_us)
		return false;
	if (c->after < 0)
		return true;
	before = s->parties[c->after];
	return before[0].phase == SIM_OVER && before[1].phase == SIM_OVER;
}

static void set_options(struct sim *s, struct sim_party *p)
{
	const struct sim_side *side = side_of(s, p);
	struct tapir *t = stack_of(s, p);

	if (side->nodelay)
		tapir_setsockopt(t, p->sd, TAPIR_TCP_NODELAY, 1);
	if (side->keepalive)
		tapir_setsockopt(t, p->sd, TAPIR_SO_KEEPALIVE, 1);
	if (side->sndbuf)
		tapir_setsockopt(t, p->sd, TAPIR_SO_SNDBUF, (int)side->sndbuf);
	if (side->rcvbuf)
		tapir_setsockopt(t, p->sd, TAPIR_SO_RCVBUF, (int)side->rcvbuf);
	if (side->cc && tapir_setsockopt(t, p->sd, TAPIR_TCP_CONGESTION, tapir_cc_parse(side->cc)))
		sim_fail(s, "there is no congestion control named %s", side->cc);
}

static void start_clock(struct sim *s, struct sim_party *p)
{
	p->read_at_us = s->now_us + side_of(s, p)->read_start_us;
	p->write_at_us = s->now_us;
	p->poked = true;
}

static int bind_and_connect(struct sim *s, struct sim_party *p)
{
	const struct sim_conn *c = plan_of(s, p);
	struct tapir *t = stack_of(s, p);
	struct tapir_endpoint local = {.port = c->port}, peer = {s->plan.cfg[c->node[1 - p->side]].addr, SIM_SERVICE};
	int result = c->port ? tapir_bind(t, p->sd, &local) : 0;

	if (c->open == SIM_OPEN_REFUSED)
		peer.port = SIM_DEAD_PORT;
	else if (c->open == SIM_OPEN_BOTH)
		peer.port = c->port;
	if (result == 0)
		result = tapir_connect(t, p->sd, &peer);
	return result;
}

static bool run_waiting(struct sim *s, struct sim_party *p)
{
	struct tapir *t = stack_of(s, p);
	struct tapir_endpoint local;
	int result;

	if (!opens(s, p) || !start_is_due(s, p))
		return false;
	p->sd = tapir_socket(t, TAPIR_SOCK_STREAM);
	if (p->sd < 0) {
		sim_fail(s, "connection %u: no socket: %s", p->conn, tapir_errname((int)p->sd));
		return false;
	}
	set_options(s, p);
	result = bind_and_connect(s, p);
	sim_note(s, p, "connect", result);
	if (result == TAPIR_EADDRINUSE && plan_of(s, p)->after >= 0) {	/* TIME-WAIT on this side */
		tapir_close(t, p->sd);
		p->write_at_us = s->now_us + AGAIN_US;
		return true;
	}
	if (result != TAPIR_EINPROGRESS)
		sim_fail(s, "connection %u: connect says %s", p->conn, tapir_errname(result));
	tapir_getsockname(t, p->sd, &local);
	p->port = local.port;
	p->phase = SIM_OPENING;
	start_clock(s, p);
	return true;
}

void sim_party_accepted(struct sim *s, struct sim_party *p, tapir_sd sd)
{
	p->sd = sd;
	p->phase = SIM_OPEN;
	p->open_us = s->now_us;
	sim_note(s, p, "accepted", sd & 0xffff);
	set_options(s, p);
	start_clock(s, p);
}

static bool open_failed(struct sim *s, struct sim_party *p, int error)
{
	if (plan_of(s, p)->open != SIM_OPEN_REFUSED || error != TAPIR_ECONNREFUSED) {
		take_error(s, p, "opening", error);
		return true;
	}
	sim_note(s, p, "refused, as it should", error);
	close_now(s, p);
	return true;
}

static bool run_opening(struct sim *s, struct sim_party *p)
{
	const struct sim_side *side = side_of(s, p);
	struct tapir *t = stack_of(s, p);
	int ready, error = 0;

	if (ends_by_force(side) && side->end_after == 0 && side->end != SIM_END_UNREAD) {
		end_by_force(s, p);
		return true;
	}
	if (side->edge && !p->poked)
		return false;
	p->poked = false;
	ready = tapir_poll(t, p->sd);
	if (ready & TAPIR_POLLERR) {
		tapir_getsockopt(t, p->sd, TAPIR_SO_ERROR, &error);
		return open_failed(s, p, error);
	}
	if (!(ready & TAPIR_POLLOUT) && !(ready & TAPIR_POLLIN))
		return false;
	if (plan_of(s, p)->open == SIM_OPEN_REFUSED)
		sim_fail(s, "connection %u: open, although nobody listens", p->conn);
	sim_note(s, p, "connected", ready);
	p->phase = SIM_OPEN;
	p->open_us = s->now_us;
	p->poked = true;
	return true;
}

/* --- reading --- */

static void compare(struct sim *s, struct sim_party *p, struct span got)
{
	if (p->got + got.n > expected(s, p)) {
		sim_fail(s, "connection %u side %u: byte %u of %u arrived", p->conn, p->side, p->got + (uint32_t)got.n,
			 expected(s, p));
		return;
	}
	while (got.n > 0) {
		uint32_t n = (uint32_t)got.n;
		const uint8_t *text = text_at(s, p->conn, 1 - p->side, p->got, &n);

		for (uint32_t i = 0; i < n; i++, p->got++)
			if (got.p[i] != text[i]) {
				sim_fail(s, "connection %u side %u: byte %u is %02x and was sent as %02x", p->conn, p->side,
					 p->got, got.p[i], text[i]);
				return;
			}
		got.p += n;
		got.n -= n;
	}
}

/* Reads up to n bytes where they lie. */
static int64_t read_by_peek(struct sim *s, struct sim_party *p, uint32_t n)
{
	struct span spans[4];
	int count = tapir_recv_peek(stack_of(s, p), p->sd, spans, (int)sim_between(&p->rng, 1, 4));
	uint32_t taken = 0;
	int result;

	for (int i = 0; i < count && taken < n; i++) {
		struct span part = {spans[i].p, spans[i].n < n - taken ? spans[i].n : n - taken};

		compare(s, p, part);
		taken += (uint32_t)part.n;
	}
	if (count <= 0)
		return count;
	result = tapir_recv_consume(stack_of(s, p), p->sd, taken);
	return result < 0 ? (int64_t)result : (int64_t)taken;
}

static int64_t read_by_copy(struct sim *s, struct sim_party *p, uint32_t n)
{
	static uint8_t buf[CALL_MOST];
	int64_t got = tapir_recv(stack_of(s, p), p->sd, buf, n < sizeof buf ? n : sizeof buf);

	if (got > 0)
		compare(s, p, (struct span){buf, (size_t)got});
	return got;
}

static bool read_some(struct sim *s, struct sim_party *p)
{
	const struct sim_side *side = side_of(s, p);
	uint32_t n = sim_between(&p->rng, 1, side->read_max);
	int64_t got = sim_chance(&p->rng, side->peek) ? read_by_peek(s, p, n) : read_by_copy(s, p, n);

	if (got == TAPIR_EAGAIN)
		return false;
	if (got < 0) {
		take_error(s, p, "read", got);
		return true;
	}
	sim_note(s, p, "read", got);
	p->got_us = s->now_us;
	if (side->read_pause_us)
		p->read_at_us = s->now_us + 1 + sim_below(&p->rng, (uint32_t)side->read_pause_us);
	if (got > 0)
		return true;
	p->eof = true;
	if (p->got != expected(s, p))
		sim_fail(s, "connection %u side %u: the end after %u bytes of %u", p->conn, p->side, p->got, expected(s, p));
	return true;
}

/* --- writing --- */

static void given_back(void *ctx, const uint8_t *bytes)
{
	struct sim_party *p = ctx;
	(void)bytes;

	p->lent--;
}

static int64_t write_once(struct sim *s, struct sim_party *p, uint32_t n)
{
	const uint8_t *text = text_at(s, p->conn, p->side, p->sent, &n);
	int64_t sent;

	if (!sim_chance(&p->rng, side_of(s, p)->borrowed))
		return tapir_send(stack_of(s, p), p->sd, text, n);
	p->lent++;
	sent = tapir_send_borrowed(stack_of(s, p), p->sd, text, n, given_back, p);
	if (sent < 0)
		p->lent--;
	else if (sent != n)
		sim_fail(s, "connection %u side %u: %lld of %u borrowed bytes taken", p->conn, p->side, (long long)sent, n);
	return sent;
}

static bool write_some(struct sim *s, struct sim_party *p)
{
	const struct sim_side *side = side_of(s, p);
	uint32_t n = sim_between(&p->rng, 1, side->write_max);
	int64_t sent;

	sent = write_once(s, p, n < side->total - p->sent ? n : side->total - p->sent);
	if (sent == TAPIR_EAGAIN)
		return false;
	if (sent < 0) {
		take_error(s, p, "write", sent);
		return true;
	}
	sim_note(s, p, "wrote", sent);
	p->sent += (uint32_t)sent;
	if (side->write_pause_us)
		p->write_at_us = s->now_us + 1 + sim_below(&p->rng, (uint32_t)side->write_pause_us);
	return true;
}

/* --- an open connection --- */

/* The time has come for one of the three ways to end by force. */
static bool force_is_due(struct sim *s, struct sim_party *p)
{
	const struct sim_side *side = side_of(s, p);
	struct tapir_tcp_info info;

	if (!ends_by_force(side) || p->sent + p->got < side->end_after)
		return false;
	if (side->end != SIM_END_UNREAD)
		return true;
	return tapir_tcp_info(stack_of(s, p), p->sd, &info) == 0 && info.unread > 0;
}

/* Says or does what is due now that nothing is left to write. */
static bool finish(struct sim *s, struct sim_party *p)
{
	enum sim_end end = side_of(s, p)->end;
	bool all_read = p->eof || (end == SIM_END_CLOSE && p->got == expected(s, p));
	int result;

	if (all_read && (p->fin || end == SIM_END_LATE || end == SIM_END_CLOSE)) {
		close_now(s, p);
		return true;
	}
	if (p->fin || end == SIM_END_LATE || end == SIM_END_CLOSE)
		return false;
	result = tapir_shutdown(stack_of(s, p), p->sd, TAPIR_SHUT_WR);
	sim_note(s, p, "shutdown", result);
	p->fin = true;
	if (result == TAPIR_ENOTCONN)		/* it has ended: reading says why */
		return true;
	if (result)
		sim_fail(s, "connection %u side %u: shutdown says %s", p->conn, p->side, tapir_errname(result));
	return true;
}

/* Its time is over: what it has sent is all. */
static void stop_writing(struct sim *s, struct sim_party *p)
{
	struct sim_side *side = &plan_of(s, p)->side[p->side];

	p->poked |= side->total != p->sent;
	side->total = p->sent;
}

static bool run_open(struct sim *s, struct sim_party *p)
{
	const struct sim_side *side = side_of(s, p);
	bool did = false, idle = true;

	if (side->until_us && s->now_us >= side->until_us)
		stop_writing(s, p);
	if (side->edge && !p->poked)
		return false;
	if (force_is_due(s, p)) {
		end_by_force(s, p);
		return true;
	}
	if (!p->eof && s->now_us >= p->read_at_us)
		did |= read_some(s, p);
	else if (!p->eof)
		idle = s->now_us >= p->read_at_us;
	if (p->phase == SIM_OPEN && p->sent < side->total && s->now_us >= p->write_at_us)
		did |= write_some(s, p);
	else if (p->sent < side->total)
		idle = false;
	if (p->phase == SIM_OPEN && p->sent == side->total)
		did |= finish(s, p);
	if (!did && idle)
		p->poked = false;
	return did;
}

bool sim_party_run(struct sim *s, struct sim_party *p)
{
	switch (p->phase) {
	case SIM_WAITING: return run_waiting(s, p);
	case SIM_OPENING: return run_opening(s, p);
	case SIM_OPEN: return run_open(s, p);
	case SIM_OVER: break;
	}
	return false;
}

static usec_t later(const struct sim *s, usec_t at_us) { return at_us > s->now_us ? at_us : USEC_NEVER; }

usec_t sim_party_wake(const struct sim *s, const struct sim_party *p)
{
	const struct sim_conn *c = &s->plan.conns[p->conn];
	usec_t read_us = p->eof ? USEC_NEVER : later(s, p->read_at_us);
	usec_t until_us = c->side[p->side].until_us ? later(s, c->side[p->side].until_us) : USEC_NEVER;
	usec_t write_us = p->sent == c->side[p->side].total ? USEC_NEVER : later(s, p->write_at_us);

	if (p->phase == SIM_WAITING && opens(s, p))
		return later(s, c->start_us > p->write_at_us ? c->start_us : p->write_at_us);
	if (p->phase != SIM_OPEN)
		return USEC_NEVER;
	if (c->side[p->side].edge && !p->poked)
		return until_us;
	read_us = read_us < until_us ? read_us : until_us;
	return read_us < write_us ? read_us : write_us;
}
