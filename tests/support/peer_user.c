/* peer_user.c: the user's calls, and the way to each of the eleven states. See peer.h. */
#include "peer_world.h"

#include <stdio.h>
#include <stdlib.h>

/* ---- the user -------------------------------------------------------------------------------------------------- */

static tapir_sd bound_socket(struct peer *p)
{
	struct tapir_endpoint local = {.port = p->path.dst_port};
	tapir_sd sd = tapir_socket(p->t, TAPIR_SOCK_STREAM);

	ck_assert_int_ge(sd, 0);
	peer_owns_socket(sd);
	ck_assert_error(tapir_bind(p->t, sd, &local), 0);
	return sd;
}

void user_listens(struct peer *p, int backlog)
{
	peer_note("= listen");
	p->listener = bound_socket(p);
	ck_assert_error(tapir_listen(p->t, p->listener, backlog), 0);
}

void user_connects(struct peer *p)
{
	struct tapir_endpoint peer = {tapir_ipv4(10, 0, 0, 1), p->path.src_port};

	peer_note("= connect");
	p->sd = bound_socket(p);
	ck_assert_error(tapir_connect(p->t, p->sd, &peer), TAPIR_EINPROGRESS);
}

void user_accepts(struct peer *p)
{
	struct tapir_endpoint from;

	peer_note("= accept");
	p->sd = tapir_accept(p->t, p->listener, &from);
	ck_assert_msg(p->sd >= 0, "accept: %s", tapir_errname((int)p->sd));
	peer_owns_socket(p->sd);
	ck_assert_uint_eq(from.port, p->path.src_port);
}

int64_t user_send_result(struct peer *p, uint32_t n)
{
	uint8_t *text = malloc(n + 1);
	int64_t taken;

	ck_assert_ptr_nonnull(text);
	for (uint32_t i = 0; i < n; i++)
		text[i] = stream_byte(p->sent + 1 + i);
	taken = tapir_send(p->t, p->sd, text, n);
	free(text);
	peer_note("= send %u: %lld", n, (long long)taken);
	if (taken > 0)
		p->sent += (uint32_t)taken;
	return taken;
}

void user_sends(struct peer *p, uint32_t n)
{
	ck_assert_error(user_send_result(p, n), n);
}

static int64_t receive(struct peer *p, uint8_t *text, uint32_t n)
{
	int64_t got = tapir_recv(p->t, p->sd, text, n);

	peer_note("= recv %u: %lld", n, (long long)got);
	for (int64_t i = 0; i < got; i++)
		if (text[i] != stream_byte(p->received + 1 + (uint32_t)i))
			peer_fails("byte %u read by the user is wrong", p->received + 1 + (uint32_t)i);
	if (got > 0)
		p->received += (uint32_t)got;
	return got;
}

void user_reads(struct peer *p, uint32_t n)
{
	uint8_t *text = malloc(n + 1);

	ck_assert_ptr_nonnull(text);
	ck_assert_error(receive(p, text, n), n);
	free(text);
	ck_assert_uint_eq(peer_info(p).unread, 0);
}

int64_t user_recv_result(struct peer *p)
{
	uint8_t byte;

	return receive(p, &byte, 1);
}

void user_reads_end(struct peer *p)
{
	ck_assert_error(user_recv_result(p), 0);
}

void user_shuts_down(struct peer *p)
{
	peer_note("= shutdown(SHUT_WR)");
	ck_assert_error(tapir_shutdown(p->t, p->sd, TAPIR_SHUT_WR), 0);
}

void user_closes(struct peer *p)
{
	peer_note("= close");
	ck_assert_error(tapir_close(p->t, p->sd), 0);
	p->sd = -1;
}

void user_aborts(struct peer *p)
{
	peer_note("= abort");
	ck_assert_error(tapir_abort(p->t, p->sd), 0);
	p->sd = -1;
}

int user_pending_error(struct peer *p)
{
	int value;

	ck_assert_error(tapir_getsockopt(p->t, p->sd, TAPIR_SO_ERROR, &value), 0);
	peer_note("= SO_ERROR: %d", value);
	return value;
}

/* ---- the way to each state ------------------------------------------------------------------------------------- */

/* The options of the peer's SYN: what the stack is configured to agree to. */
static const char *syn_options(struct peer *p)
{
	static char text[100];
	const struct tapir_config *cfg = tapir_get_config(p->t);
	char timestamps[40] = "";

	if (cfg->timestamps)
		snprintf(timestamps, sizeof timestamps, ",TS val %u ecr %u", p->ts_val, p->ts_last - p->ts_first);
	snprintf(text, sizeof text, "<mss 1460%s%s%s>", cfg->sack ? ",sackOK" : "", timestamps,
		 cfg->window_scale ? ",wscale 7" : "");
	p->timestamps = cfg->timestamps;
	return text;
}

struct peer another_peer(const struct peer *p, uint16_t port)
{
	struct peer q = *p;

	q.path.src_port = port;
	q.sd = -1;
	q.snd_nxt = q.rcv_nxt = q.sent = q.received = 0;
	q.timestamps = q.ts_seen = false;
	q.ts_first = q.ts_last = 0;
	return q;
}

struct peer listening(int run)
{
	struct peer p = closed(run);

	user_listens(&p, 8);
	return p;
}

struct peer syn_sent(int run)
{
	struct peer p = closed(run);

	user_connects(&p);
	peer_expects(&p, "S 0:0(0)");
	ck_assert_state(&p, TAPIR_TCP_SYN_SENT);
	return p;
}

struct peer syn_received(int run)
{
	struct peer p = listening(run);

	peer_sends(&p, "S 0:0(0) %s", syn_options(&p));
	peer_expects(&p, "S. 0:0(0) ack 1");
	ck_assert_state(&p, TAPIR_TCP_SYN_RCVD);
	return p;
}

struct peer syn_received_active(int run)
{
	struct peer p = syn_sent(run);

	peer_sends(&p, "S 0:0(0) %s", syn_options(&p));
	peer_expects(&p, "S. 0:0(0) ack 1");
	ck_assert_state(&p, TAPIR_TCP_SYN_RCVD);
	return p;
}

void peer_opens(struct peer *p)
{
	peer_sends(p, "S 0:0(0) %s", syn_options(p));
	peer_expects(p, "S. 0:0(0) ack 1");
	peer_sends(p, ". 1:1(0) ack 1");
	ck_assert_state(p, TAPIR_TCP_ESTABLISHED);
}

struct peer established(int run)
{
	struct peer p = listening(run);

	peer_opens(&p);
	user_accepts(&p);
	return p;
}

struct peer established_active(int run)
{
	struct peer p = syn_sent(run);

	peer_sends(&p, "S. 0:0(0) ack 1 %s", syn_options(&p));
	peer_expects(&p, ". 1:1(0) ack 1");
	ck_assert_state(&p, TAPIR_TCP_ESTABLISHED);
	return p;
}

struct peer fin_wait_1(int run)
{
	struct peer p = established(run);

	user_shuts_down(&p);
	peer_expects(&p, "F. 1:1(0) ack 1");
	ck_assert_state(&p, TAPIR_TCP_FIN_WAIT_1);
	return p;
}

struct peer fin_wait_2(int run)
{
	struct peer p = fin_wait_1(run);

	peer_sends(&p, ". 1:1(0) ack 2");
	ck_assert_state(&p, TAPIR_TCP_FIN_WAIT_2);
	return p;
}

struct peer close_wait(int run)
{
	struct peer p = established(run);

	peer_sends(&p, "F. 1:1(0) ack 1");
	peer_expects(&p, ". 1:1(0) ack 2");
	ck_assert_state(&p, TAPIR_TCP_CLOSE_WAIT);
	return p;
}

struct peer closing(int run)
{
	struct peer p = fin_wait_1(run);

	peer_sends(&p, "F. 1:1(0) ack 1");
	peer_expects(&p, ". 2:2(0) ack 2");
	ck_assert_state(&p, TAPIR_TCP_CLOSING);
	return p;
}

struct peer last_ack(int run)
{
	struct peer p = close_wait(run);

	user_shuts_down(&p);
	peer_expects(&p, "F. 1:1(0) ack 2");
	ck_assert_state(&p, TAPIR_TCP_LAST_ACK);
	return p;
}

struct peer time_wait(int run)
{
	struct peer p = fin_wait_2(run);

	peer_sends(&p, "F. 1:1(0) ack 2");
	peer_expects(&p, ". 2:2(0) ack 2");
	ck_assert_state(&p, TAPIR_TCP_TIME_WAIT);
	return p;
}

struct peer peer_in(enum tapir_tcp_state state, int run)
{
	switch (state) {
	case TAPIR_TCP_CLOSED: return closed(run);
	case TAPIR_TCP_LISTEN: return listening(run);
	case TAPIR_TCP_SYN_SENT: return syn_sent(run);
	case TAPIR_TCP_SYN_RCVD: return syn_received(run);
	case TAPIR_TCP_ESTABLISHED: return established(run);
	case TAPIR_TCP_FIN_WAIT_1: return fin_wait_1(run);
	case TAPIR_TCP_FIN_WAIT_2: return fin_wait_2(run);
	case TAPIR_TCP_CLOSE_WAIT: return close_wait(run);
	case TAPIR_TCP_CLOSING: return closing(run);
	case TAPIR_TCP_LAST_ACK: return last_ack(run);
	case TAPIR_TCP_TIME_WAIT: return time_wait(run);
	}
	ck_abort_msg("no such state");
	return closed(run);
}
