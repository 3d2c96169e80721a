/* peer.h: one stack at 10.0.0.2 on a bare IP link, and scripted peers at 10.0.0.1 that exchange segments with it in
 * virtual time. Every state is reached by segments and user calls, never poked.
 *
 *   RFC 9293 3.10.7.4 second; RFC 5961 3.2
 *   START_TEST(rst_inside_the_window_draws_a_challenge_ack)
 *   {
 *           struct peer p = established(_i);
 *
 *           peer_sends(&p, "R 51:51(0)");
 *           ck_assert_verdict(&p, DROP_TCP_RST_CHALLENGE);
 *           peer_expects(&p, ". 1:1(0) ack 1");
 *           ck_assert_state(&p, TAPIR_TCP_ESTABLISHED);
 *   }
 *   END_TEST
 *
 *   Suite *suite(void)
 *   {
 *           return peer_suite("RFC 9293 3.10.7.4 second", (const TTest *[]){rst_inside_the_..., NULL});
 *   }
 *
 * Lines are packetdrill's (segment.h). Numbers are relative to the ISS of their sender, so each side's SYN is 0:0(0),
 * its first byte of text is 1:2(1), and both read the same at every ISS. Text is stream_byte() of its place; what the
 * stack sends and what the user reads is compared with that, so users send with user_sends().
 *
 * Each test runs PEER_RUNS times, with _i choosing the ISSs of both sides: ordinary ones, and some just below 2^32.
 * The first helper of a test (closed, listening, established ...) makes the stack; calling one again ends that stack,
 * with all the checks, and makes another. The checks after a test: it has expected every frame that the stack sent;
 * then all sockets that are still open are aborted and time runs until nothing is armed; then no socket, connection,
 * frame or timer is left. tcp_check() runs after every event. A failure prints the exchange up to it; PEER_VERBOSE=1
 * prints it as it happens, also when the stack dies of an assert.
 *
 * Time stands still but in peer_advance() and peer_until_timer(). Segments that the peer sends one after the other
 * have all arrived before the stack sends anything: its output is taken when somebody looks at it. */
#ifndef TEST_PEER_H
#define TEST_PEER_H

#include <check.h>
#include <stdbool.h>
#include <string.h>
#include "segment.h"
#include "stack/tapir.h"

#define PEER_RUNS 3
#define STACK_PORT 2000
#define PEER_PORT 1000
#define WRITTEN(at) __attribute__((format(printf, at, at + 1)))

struct peer {			/* one peer's end of one connection; a value, but only one copy is to be used */
	struct tapir *t;		/* the stack, for user calls */
	tapir_sd listener, sd;		/* the user's sockets: listening, and this connection's; -1: none */
	struct segment_path path;	/* of what the peer sends */
	uint32_t iss, stack_iss;
	uint16_t win;			/* of segments whose line names none; 65535 */
	uint32_t snd_nxt, rcv_nxt;	/* the stack's, relative: the end of what was expected from it, its last ACK */
	uint32_t sent, received;	/* bytes of text that the user has sent and read so far */
	enum tapir_verdict verdict;	/* of the last segment the peer sent */
	usec_t at_us;			/* when the last expected segment left the stack */
	const char *why;		/* and the reason that the stack's probe gave for it */
	bool timestamps;		/* agreed: a line without options gets "TS val ts_val ecr <the last from the stack>" */
	uint32_t ts_val;		/* literal; 100 */
	uint32_t ts_first, ts_last;	/* the stack's: the first, which its values are relative to; the last */
	bool ts_seen;
};

/* The configuration of the next stack. Each test finds the harness' own: timestamps, SACK and window scale off, ACKs
 * at once (delack_us 0), challenge ACKs as often as drawn, buffers of 65535 bytes that are not tuned, mtu_probing 0, MSS 1460,
 * the rest default. Change it before the first helper. */
struct tapir_config *peer_config(void);

/* --- a new stack, and a connection in one of the eleven states. run is the test's _i --- */
struct peer closed(int run);
struct peer listening(int run);
struct peer syn_sent(int run);
struct peer syn_received(int run);		/* from LISTEN */
struct peer syn_received_active(int run);	/* from SYN-SENT: simultaneous open */
struct peer established(int run);		/* by passive OPEN, accepted */
struct peer established_active(int run);
struct peer fin_wait_1(int run);		/* by shutdown(SHUT_WR): the descriptor stays; and so on */
struct peer fin_wait_2(int run);
struct peer close_wait(int run);
struct peer closing(int run);
struct peer last_ack(int run);
struct peer time_wait(int run);
struct peer peer_in(enum tapir_tcp_state state, int run);	/* any of them; SYN-RECEIVED is from LISTEN */
/* The same stack, another peer's port, with the same listener. */
struct peer another_peer(const struct peer *p, uint16_t port);

/* --- what the peer does --- */
/* One segment arrives. The verdict is in p->verdict. */
void peer_sends(struct peer *p, const char *line, ...) WRITTEN(2);
/* The next segment that the stack has sent to this peer is this. Window and options are compared when the line names
 * them; '*' stands for any number. */
void peer_expects(struct peer *p, const char *line, ...) WRITTEN(2);
/* The stack has sent nothing (more) to anyone. */
void peer_expects_nothing(struct peer *p);
/* The three segments of the handshake, by passive OPEN, without accept(). Options of the SYN as configured. */
void peer_opens(struct peer *p);

/* For what the notation cannot say: the frame of a line, to be changed (frame_fix_checksums), and a frame arriving. */
size_t peer_frame(const struct peer *p, uint8_t frame[2048], const char *line, ...) WRITTEN(3);
void peer_sends_frame(struct peer *p, const uint8_t *frame, size_t n);
/* An ICMP error arrives that quotes a segment of the stack with the relative sequence number seq; rest: second word. */
void peer_sends_icmp(struct peer *p, uint8_t type, uint8_t code, uint32_t rest, uint32_t seq);
/* The frame of the segment that was expected last, IP header first. */
struct span peer_last_frame(void);
/* The next frame to the peer that is not TCP (ICMP): fails when there is none. Valid until the next one. */
struct span peer_takes_other_frame(struct peer *p);
/* Takes and forgets all that the stack has sent; returns how many frames. */
uint32_t peer_ignores_all(struct peer *p);

/* --- time --- */
void peer_advance(struct peer *p, usec_t us);		/* runs every timer on the way; output is kept, with its time */
usec_t peer_until_timer(struct peer *p);		/* until a TCP timer fires: how long that was; fails if none is armed */
usec_t peer_now(const struct peer *p);

/* --- what the user does; each asserts that the call succeeds (connect: EINPROGRESS). Other calls: tapir_* with p->t
 * --- */
void user_listens(struct peer *p, int backlog);		/* p->listener */
void user_connects(struct peer *p);			/* p->sd, from STACK_PORT to the peer's port */
void user_accepts(struct peer *p);			/* p->sd */
void user_sends(struct peer *p, uint32_t n);		/* the next n bytes of the stream, all taken */
void user_reads(struct peer *p, uint32_t n);		/* exactly n bytes are there, and they are the right ones */
void user_reads_end(struct peer *p);			/* recv() gives 0 */
void user_shuts_down(struct peer *p);			/* SHUT_WR */
void user_closes(struct peer *p);			/* p->sd is then -1, and the connection an orphan */
void user_aborts(struct peer *p);
int64_t user_send_result(struct peer *p, uint32_t n);	/* send() of the next n bytes; what it returned */
int64_t user_recv_result(struct peer *p);		/* recv() of up to 1 byte; what it returned */
int user_pending_error(struct peer *p);			/* SO_ERROR, which clears it */

/* --- looking --- */
/* From STATUS while the user holds the connection, else from the probe's arrows; the two are compared. Back from
 * SYN-RECEIVED with an open listener: LISTEN. */
enum tapir_tcp_state peer_state(const struct peer *p);
/* Every state of this connection since the stack was made, "CLOSED > SYN-SENT > ESTABLISHED". Valid until the next
 * call. */
const char *peer_states(const struct peer *p);
struct tapir_tcp_info peer_info(const struct peer *p);	/* STATUS of p->sd */
struct tapir_usage peer_usage(const struct peer *p);
/* What the stack's sequence number 0 is in lines: for the RST that answers a segment without an ACK. */
static inline int peer_zero(const struct peer *p) { return (int)-p->stack_iss; }
/* How many events of this kind the probe was told since the stack was made, for any connection. */
uint32_t peer_events(const struct peer *p, enum tapir_event_kind kind);

#define ck_assert_state(p, expected) \
	ck_assert_str_eq(tapir_tcp_state_name(peer_state(p)), tapir_tcp_state_name(expected))
#define ck_assert_states(p, expected) ck_assert_str_eq(peer_states(p), expected)
#define ck_assert_verdict(p, expected) \
	ck_assert_str_eq(tapir_verdict_name((p)->verdict), tapir_verdict_name(expected))
/* A call's result: 0, an enum tapir_error, or a count. */
#define ck_assert_error(result, expected) \
	do { \
		int64_t ck_result = (result), ck_expected = (expected); \
		ck_assert_msg(ck_result == ck_expected, "%s is %lld %s, not %lld %s", #result, (long long)ck_result, \
			      ck_result < 0 ? tapir_errname((int)ck_result) : "", (long long)ck_expected, \
			      ck_expected < 0 ? tapir_errname((int)ck_expected) : ""); \
	} while (0)
/* The reason for the last expected segment names this rule, e.g. "RFC 5961 3.2". */
#define ck_assert_why(p, rule) \
	ck_assert_msg(strstr((p)->why, rule), "the reason is \"%s\", without \"%s\"", (p)->why, rule)

/* A suite of tests, ending with NULL, each run PEER_RUNS times. */
Suite *peer_suite(const char *name, const TTest *const tests[]);

#endif
