/* sim_world.c: the turn of time. Owns the stacks and what lies between them; after every event it
 * checks the invariants of every connection, and at the end that everything was given back.
 *
 * One turn at one instant: each stack gets its frames, the programs act, the frames that are owed leave. When a turn did
 * nothing, time moves on to the earliest deadline of a stack, a link or a program. */
#include <stdlib.h>
#include <string.h>
#include "sim.h"
#include "stack/tcp/tcp.h"
#include "stack/wire/checksum.h"

#define TURNS_AT_ONCE 20000u	/* turns at one instant: more is a stack that cannot stop */
#define SENDS_AT_ONCE 200u	/* frames that one stack may send in a turn: the link holds 256 */
#define EVENTS_AT_ONCE 16
#define RECEIVED_AT_ONCE 16
#define FRAME_MAX (65535u + 14u)

/* --- making a world --- */

static void make_link(struct sim *s, struct driver *ends[2])
{
	struct tapir_offload_caps none = {.csum = false};

	if (s->plan.link == SIM_LINK_WIRE) {
		s->wire = sim_wire_new(ends, &s->plan);
		return;
	}
	if (s->plan.link == SIM_LINK_NET) {
		s->net = sim_net_new(ends, &s->plan);
		return;
	}
	driver_open_pair(ends, s->plan.mtu, s->plan.link == SIM_LINK_PAIR ? s->plan.caps : none, s->plan.ip_only);
	if (!ends[0])
		abort();
	if (s->plan.link == SIM_LINK_FAULT)	/* one end is enough: it treats both directions */
		ends[0] = driver_wrap_fault(ends[0], &s->plan.fault);
}

static void listen_there(struct sim *s, struct sim_node *n)
{
	struct tapir_endpoint local = {.port = SIM_SERVICE};

	n->listener = tapir_socket(n->t, TAPIR_SOCK_STREAM);
	if (tapir_bind(n->t, n->listener, &local) || tapir_listen(n->t, n->listener, s->plan.backlog))
		sim_fail(s, "no listener");
	/* Who waits in the accept queue when its peer breaks learns it from a probe, if the RST is lost. */
	tapir_setsockopt(n->t, n->listener, TAPIR_SO_KEEPALIVE, 1);
	n->accept_poked = true;
}

static void make_node(struct sim *s, uint8_t index, struct driver *d)
{
	static uint8_t fill;		/* other rubbish each time: nothing may depend on it */
	struct sim_node *n = &s->nodes[index];
	struct tapir_config cfg = s->plan.cfg[index];

	n->d = d;
	cfg.ip_only = d->ip_only;
	cfg.offload = d->caps;
	if (s->verbose)
		cfg.probe = sim_print_event;
	n->size = tapir_size(&cfg);
	n->mem = n->size ? aligned_alloc(64, (n->size + 63) & ~(size_t)63) : NULL;
	if (!n->mem)
		abort();
	memset(n->mem, ++fill, n->size);
	n->t = tapir_init(n->mem, &cfg, s->now_us);
	if (!n->t)
		abort();
	listen_there(s, n);
}

struct sim *sim_new(const struct sim_plan *plan, bool verbose)
{
	struct driver *ends[SIM_NODES] = {NULL};
	struct sim *s = calloc(1, sizeof *s);

	if (!s)
		abort();
	s->plan = *plan;
	s->verbose = verbose;
	s->now_us = TAPIR_SEC;
	s->hash = 0xcbf29ce484222325u;
	if (verbose)
		sim_plan_print(plan);
	make_link(s, ends);
	for (uint8_t i = 0; i < plan->nodes; i++)
		make_node(s, i, ends[i]);
	for (uint8_t i = 0; i < plan->count; i++)
		for (uint8_t side = 0; side < 2; side++)
			sim_party_init(s, i, side);
	return s;
}

void sim_free(struct sim *s)
{
	for (int i = 0; i < s->plan.nodes; i++) {
		driver_close(s->nodes[i].d);
		free(s->nodes[i].mem);
	}
	if (s->wire)
		sim_wire_free(s->wire);
	if (s->net)
		sim_net_free(s->net);
	free(s);
}

/* --- frames --- */

static void hash_bytes(struct sim *s, const void *p, size_t n)	/* FNV-1a */
{
	const uint8_t *bytes = p;

	for (size_t i = 0; i < n; i++)
		s->hash = (s->hash ^ bytes[i]) * 0x100000001b3u;
}

/* The pools are empty: what arrives is read and thrown away. */
static bool throw_away(struct sim *s, uint8_t node)
{
	static uint8_t store[FRAME_MAX];
	struct tapir_frame f = {.data = store, .room = sizeof store};

	if (driver_recv(s->nodes[node].d, &f, s->now_us) != 1)
		return false;
	sim_note_frame(s, node, 'x', (struct span){f.data, f.len}, "no buffer");
	return true;
}

/* What has arrived at one time, up to RECEIVED_AT_ONCE frames, goes to the stack together. */
static bool receive_some(struct sim *s, uint8_t node)
{
	struct sim_node *n = &s->nodes[node];
	struct tapir_frame *frames[RECEIVED_AT_ONCE], *f = NULL;
	enum tapir_verdict verdicts[RECEIVED_AT_ONCE];
	struct sim_seen seen[RECEIVED_AT_ONCE];
	uint32_t notes[RECEIVED_AT_ONCE];
	uint32_t count = 0;

	while (count < RECEIVED_AT_ONCE && (f = tapir_frame_get(n->t)) && driver_recv(n->d, f, s->now_us) == 1) {
		sim_note_frame(s, node, '<', (struct span){f->data, f->len}, NULL);
		notes[count] = s->notes - 1;
		seen[count] = sim_meter_look(s, (struct span){f->data, f->len});
		frames[count++] = f;
	}
	if (!count && !f)
		return throw_away(s, node);
	if (f && (!count || f != frames[count - 1]))
		tapir_frame_put(n->t, f);
	tapir_input_batch(n->t, frames, count, verdicts);
	for (uint32_t i = 0; i < count; i++) {
		sim_note_verdict(s, notes[i], verdicts[i]);
		sim_meter_arrived(s, &seen[i], verdicts[i]);
	}
	tcp_check_all(n->t);
	return count;
}

/* A large frame of TCP, as a driver keeps it that writes several with one call (struct tapir_out). */
struct kept { struct tapir_out out; uint64_t sum; };

static uint64_t sum_of_slices(const struct tapir_out *out)
{
	uint64_t sum = 0;

	for (uint32_t i = 0; i < out->slice_count; i++)
		sum = sum * 31 + checksum_add(0, out->slices[i]);
	return sum;
}

static void keep(struct kept *k, const struct tapir_out *out)
{
	bool stays = out->offload.gso == TAPIR_GSO_TCP4 || out->offload.gso == TAPIR_GSO_TCP6;

	k->out.slice_count = 0;
	if (stays)
		k->out = *out;
	k->sum = sum_of_slices(&k->out);
}

static bool send_one(struct sim *s, uint8_t node, struct kept *kept)
{
	static uint8_t flat[FRAME_MAX];
	struct sim_node *n = &s->nodes[node];
	struct tapir_out out;
	struct sim_seen seen;
	bool taken;

	if (!tapir_output(n->t, &out))
		return false;
	if (out.len > sizeof flat) {
		sim_fail(s, "stack %u sends a frame of %u bytes", node, out.len);
		return false;
	}
	keep(kept, &out);
	tapir_out_copy(&out, flat, false);
	hash_bytes(s, &node, sizeof node);
	hash_bytes(s, &s->now_us, sizeof s->now_us);
	hash_bytes(s, flat, out.len);
	s->frames++;
	seen = sim_meter_look(s, (struct span){flat, out.len});
	sim_meter_sent(s, &seen);
	taken = driver_send(n->d, &out, s->now_us) == 0;
	sim_note_frame(s, node, taken ? '>' : 'x', (struct span){flat, out.len}, taken ? NULL : "the link is full");
	tcp_check_all(n->t);
	return true;
}

/* --- programs --- */

static bool poll_events(struct sim *s, uint8_t node)
{
	struct sim_node *n = &s->nodes[node];
	struct tapir_poll_event events[EVENTS_AT_ONCE];
	bool any = false;
	int count;

	while ((count = tapir_poll_events(n->t, events, EVENTS_AT_ONCE)) > 0) {
		any = true;
		for (int i = 0; i < count; i++) {
			n->accept_poked |= events[i].sd == n->listener;
			for (int j = 0; j < 2 * s->plan.count; j++) {
				struct sim_party *p = &s->parties[j / 2][j % 2];

				p->poked |= p->node == node && p->sd == events[i].sd;
			}
		}
	}
	return any;
}

/* Which program an accepted connection belongs to; NULL: none. */
static struct sim_party *who_is_called(struct sim *s, uint8_t node, const struct tapir_endpoint *peer)
{
	for (int i = s->plan.count - 1; i >= 0; i--) {
		const struct sim_conn *c = &s->plan.conns[i];
		struct sim_party *from = &s->parties[i][0], *to = &s->parties[i][1];

		if (c->open == SIM_OPEN_PASSIVE && to->node == node && to->phase == SIM_WAITING && from->port == peer->port &&
		    tapir_addr_equal(&s->plan.cfg[from->node].addr, &peer->addr))
			return to;
	}
	return NULL;
}

/* With fixed sequence numbers, delayed copies of a SYN and its ACK can open what an ABORT has just ended. */
static bool is_a_ghost(const struct sim *s, const struct tapir_endpoint *peer)
{
	for (int i = 0; i < s->plan.count; i++)
		if (s->broken[i] && s->parties[i][0].port == peer->port)
			return true;
	return false;
}

static bool accept_one(struct sim *s, uint8_t node)
{
	struct sim_node *n = &s->nodes[node];
	struct tapir_endpoint peer;
	struct sim_party *p;
	tapir_sd sd;

	if (!n->accept_poked || s->now_us < n->accept_at_us)
		return false;
	sd = tapir_accept(n->t, n->listener, &peer);
	if (sd < 0) {
		n->accept_poked = false;
		if (sd != TAPIR_EAGAIN)
			sim_fail(s, "accept on stack %u says %s", node, tapir_errname((int)sd));
		return false;
	}
	n->accept_at_us = s->now_us + s->plan.accept_pause_us;
	p = who_is_called(s, node, &peer);
	if (p) {
		sim_party_accepted(s, p, sd);
		return true;
	}
	if (!is_a_ghost(s, &peer))
		sim_fail(s, "stack %u accepts a connection from port %u that nobody opened", node, peer.port);
	tapir_abort(n->t, sd);
	return true;
}

static bool run_programs(struct sim *s, uint8_t node)
{
	bool did = false;

	while (accept_one(s, node)) {
		tcp_check_all(s->nodes[node].t);
		did = true;
	}
	for (int i = 0; i < 2 * s->plan.count; i++) {
		struct sim_party *p = &s->parties[i / 2][i % 2];

		if (p->node != node || !sim_party_run(s, p))
			continue;
		tcp_check_all(s->nodes[node].t);
		did = true;
	}
	return did;
}

/* --- time --- */

static bool take_and_act(struct sim *s, uint8_t node)
{
	struct tapir *t = s->nodes[node].t;
	bool did = false;

	tapir_tick(t, s->now_us);
	tcp_check_all(t);
	while (receive_some(s, node))
		did = true;
	did |= poll_events(s, node);
	return did | run_programs(s, node);
}

static bool send(struct sim *s, uint8_t node)
{
	static struct kept kept[SENDS_AT_ONCE];
	uint32_t sent = 0;

	while (sent < SENDS_AT_ONCE && send_one(s, node, &kept[sent]))
		sent++;
	for (uint32_t i = 0; i < sent; i++)
		if (sum_of_slices(&kept[i].out) != kept[i].sum)
			sim_fail(s, "stack %u gave the text of a frame away before it could be written", node);
	return poll_events(s, node) || sent > 0;
}

static usec_t earlier(usec_t a, usec_t b) { return a < b ? a : b; }

static usec_t next_instant(struct sim *s)
{
	usec_t at = s->net ? sim_net_deadline(s->net, &s->plan.net) : USEC_NEVER;

	for (uint8_t i = 0; i < s->plan.nodes; i++) {
		struct sim_node *n = &s->nodes[i];

		at = earlier(at, earlier(tapir_deadline(n->t), driver_deadline(n->d)));
		if (n->accept_poked)
			at = earlier(at, n->accept_at_us);
	}
	for (int i = 0; i < 2 * s->plan.count; i++)
		at = earlier(at, sim_party_wake(s, &s->parties[i / 2][i % 2]));
	return at;
}

/* An opener that broke before it was accepted leaves a program behind that nobody will ever call. */
static bool party_is_over(const struct sim *s, const struct sim_party *p)
{
	const struct sim_conn *c = &s->plan.conns[p->conn];

	if (p->phase == SIM_OVER)
		return true;
	if (p->phase != SIM_WAITING)
		return false;
	if (c->after >= 0 && s->broken[c->after] && s->parties[c->after][1].phase == SIM_WAITING)
		return true;	/* nor does the connection that waits for it begin */
	return p->side == 1 && c->open == SIM_OPEN_PASSIVE && s->broken[p->conn];
}

/* What is not over yet; NULL: nothing. */
static const char *what_is_left(const struct sim *s)
{
	for (int i = 0; i < 2 * s->plan.count; i++) {
		const struct sim_party *p = &s->parties[i / 2][i % 2];

		if (!party_is_over(s, p))
			return "a program";
		if (p->lent)
			return "a borrowed buffer";
	}
	for (int i = 0; i < s->plan.nodes; i++) {
		struct tapir_usage u;

		tapir_usage(s->nodes[i].t, &u);
		if (u.sockets != 1)
			return "a socket";
		if (u.conns || u.time_wait)
			return "a connection";
		if (u.small_frames || u.large_frames || u.reass)
			return "a frame";
		if (driver_deadline(s->nodes[i].d) != USEC_NEVER)
			return "a frame on the link";
	}
	if (s->net && !sim_net_is_empty(s->net))
		return "a frame in the network";
	return NULL;
}

bool sim_is_over(const struct sim *s) { return !what_is_left(s); }

void sim_expect_over(struct sim *s)
{
	const char *left = what_is_left(s);

	if (left)
		sim_fail(s, "%s is left", left);
}

/* All stacks at one instant, until none has anything to do. Programs on all of them act before either sends: SYNs that leave
 * at the same time cross. */
static void run_instant(struct sim *s)
{
	bool did = true;

	for (uint32_t turns = 0; did && !s->failure[0]; turns++) {
		if (turns == TURNS_AT_ONCE) {
			sim_fail(s, "time stands still");
			return;
		}
		did = s->net && sim_net_turn(s->net, &s->plan.net, s->now_us);
		for (uint8_t i = 0; i < s->plan.nodes; i++)
			did |= take_and_act(s, i);
		for (uint8_t i = 0; i < s->plan.nodes; i++)
			did |= send(s, i);
		s->turns++;
	}
}

static bool run_until(struct sim *s, usec_t limit_us)
{
	for (;;) {
		usec_t next;

		if (!s->settled)
			run_instant(s);
		s->settled = true;
		if (s->failure[0])
			return false;
		if (sim_is_over(s))
			return true;
		next = next_instant(s);
		if (next == USEC_NEVER) {
			sim_fail(s, "nothing will ever happen again, and %s is left", what_is_left(s));
			return false;
		}
		if (next > limit_us)
			return true;
		/* A wheel may ask to be called at the instant that it has just had. */
		s->now_us = next > s->now_us ? next : s->now_us + 1;
		s->settled = false;
	}
}

bool sim_run(struct sim *s, usec_t limit_us)
{
	bool well;

	sim_watch(s);
	well = run_until(s, limit_us);
	sim_watch(NULL);
	return well;
}
