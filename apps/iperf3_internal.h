/* iperf3_internal.h: who is connected to iperf3's server, and the one test. iperf3.c owns the connections and the time,
 * iperf3_test.c the course of the test. */
#ifndef IPERF3_INTERNAL_H
#define IPERF3_INTERNAL_H

#include "iperf3.h"
#include "iperf3_json.h"

#define IPERF3_COOKIE_BYTES 37

enum iperf3_state { IPERF3_IDLE, IPERF3_PARAMETERS, IPERF3_STREAMS, IPERF3_RUNNING, IPERF3_RESULTS, IPERF3_DISPLAY };
enum iperf3_role { IPERF3_VISITOR, IPERF3_CONTROL, IPERF3_STREAM, IPERF3_LEAVING };

struct iperf3_talk {		/* one connection */
	struct iperf3_talk *next;
	struct iperf3 *server;
	tapir_sd sd;
	enum iperf3_role role;
	usec_t until_us;		/* of visitors, and of those who leave: when their time is up */
	struct tapir_addr peer;
	struct iperf3_stream *stream;	/* of a stream, once the test runs */
	unsigned cookie_n;
	char cookie[IPERF3_COOKIE_BYTES];
};

struct iperf3_test {		/* all zero: none */
	enum iperf3_state state;
	struct iperf3_talk *control;
	struct tapir_addr client;
	usec_t until_us;		/* when the next step must have come */
	struct iperf3_params params;
	struct iperf3_stream *streams;	/* wanted of them */
	unsigned wanted, here;
	struct iperf3_source source;
	usec_t start_us, end_us, omit_us;	/* omit_us: when the test proper begins; USEC_NEVER: it has */
	usec_t moved_us;		/* when the watch last saw a byte more */
	uint64_t moved;
	double cpu[2];			/* user and system, seconds: at the start, then from start to end */
	struct {			/* a text that is coming; begun: its length is known */
		bool begun;
		size_t n, wanted;
		uint8_t length[4], text[IPERF3_PARAMS_BYTES];
	} in;
	struct { uint8_t *text; size_t n; } out;	/* what found no room */
};

struct iperf3 {
	struct tapir *t;
	struct iperf3_config config;
	tapir_sd tcp, udp;
	int udp_rcvbuf;			/* without -w */
	struct iperf3_talk *talks, **last;
	unsigned talk_count;
	usec_t armed_us;
	struct iperf3_test test;
};

/* --- iperf3.c --- */

/* Sees to it that iperf3_test_watch is called at at_us. */
void iperf3_arm(struct iperf3 *s, usec_t at_us);
/* Says goodbye, and waits for the peer's. */
void iperf3_leave(struct iperf3_talk *k);
/* Resets the connection; k is no more. */
void iperf3_throw_out(struct iperf3_talk *k);
/* Moves up to room bytes of data to to: how many. */
size_t iperf3_take(uint8_t *to, size_t room, struct span *data);

/* --- iperf3_test.c --- */

/* k, whose cookie has come, begins a test. */
void iperf3_test_begin(struct iperf3_talk *k);
/* well: the client has all it wants, and streams end in order; else what they still carry is of no use to anybody. */
void iperf3_test_end(struct iperf3 *s, bool well);
/* Takes from data what the control connection says next; returns the rest. */
struct span iperf3_test_hear(struct iperf3_talk *k, struct span data);
/* Sends what found no room. */
void iperf3_test_flush(struct iperf3_test *x);
/* k has brought the test's cookie. */
void iperf3_test_add(struct iperf3_talk *k);
void iperf3_test_datagram(struct iperf3 *s, struct span data, const struct tapir_endpoint *from);
/* Does what is due by now. */
void iperf3_test_watch(struct iperf3 *s);
void iperf3_test_free(struct iperf3_test *x);

static inline usec_t iperf3_now(const struct iperf3 *s) { return tapir_now(s->t); }

#endif
