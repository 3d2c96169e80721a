/* net.h: the fourth way in: blocking calls from any thread, for people who know Go's net package or plain C sockets, while
 * the loop runs the stack on its own thread (loop_start_thread). Several threads may use one connection; reads are taken
 * in turn, writes are not torn within one net_write. net_close wakes whoever waits on it with TAPIR_EBADF.
 *
 * Deadlines are absolute times of loop_clock_us(), USEC_NEVER for none; a call that meets its deadline, or is made after it,
 * says TAPIR_ETIMEDOUT, and the connection stays usable. Errors are negative enum tapir_error.
 *
 * Nothing here may be called from a callback of the loop. Everything is closed before loop_close. */
#ifndef NET_H
#define NET_H

#include "loop.h"

struct net_conn;		/* a connection, or a datagram socket */
struct net_listener;

/* "10.0.0.2:80", ":80" (any address). 0 or TAPIR_EINVAL. */
int net_parse(const char *host_port, struct tapir_endpoint *out);

struct net_listener *net_listen(struct loop *l, const char *address, int *error);
struct net_conn *net_accept(struct net_listener *ln, usec_t deadline, int *error);
void net_close_listener(struct net_listener *ln);
struct net_conn *net_dial(struct loop *l, const char *address, usec_t deadline, int *error);
/* At least one byte, at most n; 0: the peer closed (io.EOF); negative: an error. */
int64_t net_read(struct net_conn *c, void *buf, size_t n);
/* All n bytes; less, with the error lost until the next call, never: negative if not all could be queued. */
int64_t net_write(struct net_conn *c, const void *buf, size_t n);
int net_close_write(struct net_conn *c);	/* half-close, as Go's CloseWrite */
void net_close(struct net_conn *c);		/* frees c */
void net_set_deadline(struct net_conn *c, usec_t read_deadline, usec_t write_deadline);
struct tapir_endpoint net_local(struct net_conn *c), net_remote(struct net_conn *c);

/* Datagrams, as Go's ListenPacket, ReadFrom, WriteTo; net_close ends them. */
struct net_conn *net_listen_packet(struct loop *l, const char *address, int *error);
int64_t net_read_from(struct net_conn *c, void *buf, size_t n, struct tapir_endpoint *from);
int64_t net_write_to(struct net_conn *c, const void *buf, size_t n, const struct tapir_endpoint *to);

#endif
