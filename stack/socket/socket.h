/* socket.h: the table of sockets, and what the files of this folder tell each other. A socket is a descriptor, its options
 * and the program's handlers over one protocol half: a TCP listener or connection (tcp/tcp.h), or a UDP socket (udp/udp.h).
 * Nothing here looks at a segment or a datagram's header, and nothing scans the table: every call costs the same with a
 * million sockets.
 *
 * Most sockets of many are idle streams, so what those do not need lies apart: a local address and a listener in tcp/bound.c's
 * pool, the UDP half in dgram.c's, rare options in a set that is shared (tcp/tuning.c). Numbers in a pool count from 1; 0: none.
 *
 * Invariant: a socket in use is in at most one list; which one says what it waits for. */
#ifndef SOCKET_SOCKET_H
#define SOCKET_SOCKET_H

#include "../tcp/tcp.h"
#include "../udp/udp.h"

enum socket_list_id {
	LIST_NONE,
	LIST_POLL,		/* changed; tapir_poll_events will list it */
	LIST_DISPATCH_0,	/* changed; has handlers: one of the two is being served by tapir_dispatch, the other collects */
	LIST_DISPATCH_1,
	LIST_MEMORY,		/* a send found no buffer or no room in the output queue: changed when there is some */
	LIST_BORROWED,		/* a borrowed send found no descriptor for its bytes: changed when there is one */
	LIST_SLOT,		/* an accept found the table full: changed when a socket is closed */
	LIST_COUNT
};
struct socket_list { uint32_t head, tail; };	/* numbers of sockets, from 1; 0: none */

#define QUICKACK_UNSET 2

struct socket_options {
	uint32_t sndbuf, rcvbuf;
	uint8_t ttl, tos;
	uint8_t retries;		/* R2; UINT8_MAX: for ever */
	uint8_t congestion : 2;		/* enum tapir_cc */
	uint8_t quickack : 2;		/* what the next connection begins with: 1 or 0; QUICKACK_UNSET: config.quickacks */
	bool sndbuf_fixed : 1, rcvbuf_fixed : 1;	/* the program has set them */
	bool nodelay : 1, cork : 1, keepalive : 1, reuse : 1, broadcast : 1;
	bool abort_on_close : 1;	/* SO_LINGER 0 */
	bool fastopen_connect : 1;
};

struct socket {
	uint32_t next, prev;		/* in its list, or in the list of free slots */
	union {
		struct tcp_conn *conn;	/* stream; NULL: neither connected nor connecting */
		struct udp_sock *udp;	/* datagram; never NULL */
	};
	void *user;			/* tapir_set_user */
	const struct tapir_handlers *handlers;	/* way 3; NULL: the program polls */
	void *ctx;
	struct tcp_tuning *tuning;	/* streams only; as one of its users */
	struct socket_options opt;
	uint32_t generation;		/* of the descriptor; moves on when it is closed */
	uint16_t bound;			/* stream: the number of its struct tcp_bound; 0: it has no address but its connection's */
	uint8_t type : 2;		/* enum tapir_sock_type, 0: the slot is free */
	uint8_t list : 3;		/* enum socket_list_id */
	bool listening : 1;		/* stream */
	bool connected : 1;		/* stream: the handshake has completed, now or once */
	bool shut_rd : 1, shut_wr : 1;	/* datagram; a stream's connection knows by itself */
	bool paused : 1;
	bool wants_drain : 1;		/* a send was short: on_drain is owed */
	bool told_listening : 1, told_connect : 1, told_end : 1;	/* callbacks that come once */
};

_Static_assert(sizeof(struct socket) <= 72, "see struct tcp_conn: with its connection an idle one is to cost 512");

struct sockets {
	struct socket *slots;
	struct udp_sock *free_udp;
	uint32_t free, datagrams;	/* datagrams: of the sockets in use */
	uint32_t max, used, fresh;	/* slots from fresh on have never been used, nor touched */
	uint8_t collecting;		/* which LIST_DISPATCH_ takes what changes now */
	bool dispatching;
	bool output_woke;		/* tapir_output made room for who waits: tapir_tick is due now */
	struct socket *showing;		/* on_data runs for it ... */
	uint32_t shown;			/* ... with so many bytes, which are still in the queue */
	struct socket_list lists[LIST_COUNT];
};

/* --- table.c: descriptors, lists, upcalls --- */
static inline uint32_t socket_number(const struct sockets *all, const struct socket *s) { return (uint32_t)(s - all->slots) + 1; }
static inline struct socket *socket_of(const struct sockets *all, uint32_t number)
{
	return number ? &all->slots[number - 1] : NULL;
}
size_t sockets_size(const struct tapir_config *cfg);
void sockets_init(struct tapir *t, void *mem);			/* sets t->sockets */
/* A socket in use without options; NULL: the table is full, or there is no UDP half left. */
struct socket *socket_new(struct tapir *t, enum tapir_sock_type type);
void socket_free(struct tapir *t, struct socket *s);		/* the protocol half is already gone */
struct socket *socket_find(const struct tapir *t, tapir_sd sd);	/* NULL: TAPIR_EBADF */
struct socket *socket_find_stream(const struct tapir *t, tapir_sd sd, int *error);	/* or EBADF, EOPNOTSUPP */
tapir_sd socket_sd(const struct tapir *t, const struct socket *s);
void socket_changed(struct tapir *t, struct socket *s);		/* tell whoever looks after it, once */
void socket_wait(struct tapir *t, struct socket *s, enum socket_list_id list);	/* unless it is in a list already */
void socket_unlist(struct tapir *t, struct socket *s);
struct socket *socket_pop(struct tapir *t, enum socket_list_id list);	/* NULL: empty */
/* Wakes who waits for memory if there is some; true if anyone did. For the engine, after it may have freed something. */
bool sockets_wake(struct tapir *t);

/* --- stream.c: TCP's half of the calls --- */
void stream_apply_options(struct tapir *t, struct socket *s);
int stream_bind(struct tapir *t, struct socket *s, const struct tapir_endpoint *local);
int stream_connect(struct tapir *t, struct socket *s, const struct tapir_endpoint *peer);
int64_t stream_send(struct tapir *t, struct socket *s, const void *buf, size_t n);
int64_t stream_recv(struct tapir *t, struct socket *s, void *buf, size_t n);
/* Takes the oldest connection into a new socket with the listener's options and handlers. NULL with *error EAGAIN, ENOMEM. */
struct socket *stream_accept(struct tapir *t, struct socket *s, int *error);
int stream_shutdown(struct tapir *t, struct socket *s, enum tapir_shut how);
void stream_close(struct tapir *t, struct socket *s, bool abort);	/* lets go of whatever it has */
struct tapir_endpoint stream_local(const struct tapir *t, const struct socket *s);
int stream_take_error(struct socket *s);			/* the pending error, once; 0: none */
int stream_poll(const struct tapir *t, const struct socket *s);
bool stream_can_send(const struct socket *s);			/* it is open for sending, and there is room */

/* --- dgram.c: UDP's half --- */
size_t dgrams_size(const struct tapir_config *cfg);
void dgrams_init(struct tapir *t, void *mem);
bool dgram_open(struct tapir *t, struct socket *s);		/* false: config.max_datagram are in use */
void dgram_apply_options(struct socket *s);
int dgram_bind(struct tapir *t, struct socket *s, const struct tapir_endpoint *local);
int dgram_connect(struct tapir *t, struct socket *s, const struct tapir_endpoint *peer);
int64_t dgram_send(struct tapir *t, struct socket *s, struct span data, const struct tapir_endpoint *to);
int64_t dgram_recv(struct tapir *t, struct socket *s, void *buf, size_t n, struct tapir_endpoint *from);
struct tapir_frame *dgram_pop(struct socket *s);		/* the oldest datagram, the caller's now; NULL: none */
int dgram_shutdown(struct tapir *t, struct socket *s, enum tapir_shut how);
void dgram_close(struct tapir *t, struct socket *s);
int dgram_take_error(struct socket *s);
int dgram_poll(const struct tapir *t, const struct socket *s);
bool dgram_can_send(const struct tapir *t, const struct socket *s);

/* --- socket.c --- */
void socket_close(struct tapir *t, struct socket *s, bool abort);	/* the socket and its descriptor are gone */

/* --- dispatch.c --- */
/* The bytes that on_data is being shown are read now: whatever the program does to its socket comes after them. */
void socket_settle(struct tapir *t, struct socket *s);

#endif
