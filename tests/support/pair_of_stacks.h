/* pair_of_stacks.h: two stacks in one process, 10.0.0.1 and 10.0.0.2, joined by a perfect in-memory link, in virtual time.
 * For tests of what programs see: sockets, events, whole connections. The link loses nothing and takes no time, unless the test
 * drops frames (pair_lose) or makes it long (pair_line).
 *
 * pair_end closes nothing: the test does; it runs time until nothing is armed and checks that both stacks gave everything
 * back. */
#ifndef TEST_PAIR_OF_STACKS_H
#define TEST_PAIR_OF_STACKS_H

#include <check.h>
#include <string.h>
#include "result.h"
#include "stack/tapir.h"

enum { A, B };			/* A opens, B serves, in most tests */

extern struct tapir *pair[2];

/* The configurations of the next two stacks: bare IP, small pools, no delayed ACK. Change them before pair_begin. */
struct tapir_config *pair_config(int who);
void pair_reset_config(void);
void pair_begin(void);
void pair_end(void);		/* nothing when there is no pair */

/* Carries frames both ways until neither has anything to send; time stands still. */
void pair_carry(void);
/* The same, while time passes: every timer on the way runs. */
void pair_pass(usec_t us);
/* True: the frame is lost. NULL: none is. */
void pair_lose(bool (*lose)(int from, struct span frame));
bool pair_lose_all(int from, struct span frame);
/* True: a router on the way marks the frame CE (RFC 3168 5), which is the test's to justify. NULL: none is. */
void pair_mark(bool (*mark)(int from, struct span frame));

/* From now on each direction takes delay_us, and passes rate_bps bits a second after a queue of queue_bytes, drop-tail. Until
 * pair_end. */
struct pair_line { usec_t delay_us; uint64_t rate_bps; uint32_t queue_bytes; };
void pair_line(const struct pair_line *line);

struct tapir_endpoint pair_endpoint(int who, uint16_t port);
/* A listening socket of B, and a connection from A to it, accepted: sd[A] and sd[B]. */
struct pair_conn { tapir_sd listener, sd[2]; };
tapir_sd pair_listen(uint16_t port, int backlog);
tapir_sd pair_connect(uint16_t port);	/* A's socket, in SYN-SENT */
struct pair_conn pair_connected(uint16_t port);
void pair_close(const struct pair_conn *c);	/* all three, as far as they are open */

/* Takes all rows of tapir_poll_events: the readiness that sd was listed with, or NOT_LISTED, which has none of the bits. */
#define NOT_LISTED INT32_MIN
int pair_poll_event(int who, tapir_sd sd);
void pair_forget_events(void);

#endif
