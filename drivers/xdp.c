/* xdp.c: a network interface without the kernel's stack: AF_XDP sockets, one for each of its receive queues
 * (Documentation/networking/af_xdp.rst; libxdp).
 *
 * Every frame that arrives at the interface goes to the stack, and the kernel sees none of them; what the stack sends leaves
 * through the interface. The kernel's own end is elsewhere: another host, or the other end of a veth.
 *
 * Frames lie in one piece of memory that is shared with the kernel (UMEM), cut into chunks. A chunk for receiving is always
 * in one of three places: the fill ring, the kernel, the rx ring; recv copies the frame out and puts the chunk back at once.
 * A chunk for sending is in spare, the tx ring, the kernel, or the completion ring. send only fills the tx ring; flush tells
 * the kernel, once for a whole turn of the loop. Where a network card reads and writes the chunks itself (zero copy) these
 * copies are the only ones.
 *
 * Nothing is left to the card: checksums are complete, frames are no longer than the MTU. */
#if __has_include(<xdp/xsk.h>)
#include <errno.h>
#include <linux/if_packet.h>
#include <linux/if_xdp.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>
#include <xdp/xsk.h>
#include "xdp_redirect.h"

#define CHUNK 4096u			/* bytes, the kernel's largest */
#define CHUNK_HEADROOM 256u		/* XDP_PACKET_HEADROOM: the kernel leaves it free in front of a received frame */
#define ETH_HEADER_BYTES 14u
#define VLAN_BYTES 4u
#define MTU_MAX (CHUNK - CHUNK_HEADROOM - ETH_HEADER_BYTES - VLAN_BYTES)
#define RX_CHUNKS 1024u			/* of each queue */
#define TX_CHUNKS 1024u
#define QUEUES_MAX 16u
#define KICK_FRAMES 16u		/* the kernel looks at no fewer with one call, where it copies them */
#define RETRY_US (1 * TAPIR_MS)		/* when the kernel did not take what is in the tx ring */
#define BUSY_TRIES 50			/* the kernel gives a queue free a moment after the program that had it has ended */
#define BUSY_WAIT_US 10000
#define DOWN_RETRY_US (100 * TAPIR_MS)	/* when the interface is down */

struct queue {
	struct xsk_socket *socket;
	struct xsk_ring_cons rx, completion;
	struct xsk_ring_prod fill, tx;
};

struct xdp {
	struct driver d;
	char name[IFNAMSIZ];
	uint8_t *umem_bytes;		/* first RX_CHUNKS for each queue, then TX_CHUNKS */
	size_t umem_size;
	struct xsk_umem *umem;
	struct queue queues[QUEUES_MAX];	/* frames leave through the first */
	unsigned int queue_count;
	unsigned int turn;		/* the queue that recv asks first */
	struct xdp_redirect redirect;
	int promiscuous_fd, epoll_fd;
	bool local;			/* the other end is a kernel of this machine: see partial.c */
	uint32_t gathered;		/* frames in the tx ring that the kernel was not told of, or did not take */
	usec_t retry_us;
	usec_t now_us;
	bool busy;			/* it could not be opened because somebody has it */
	bool warned_down, warned_refused;
	uint32_t spare_count;
	uint64_t spare[TX_CHUNKS];	/* addresses; the last one was used most lately */
};

/* ---- frames in ---- */

/* Copies what the descriptor tells of into f. False: it does not fit. */
static bool take(const struct xdp *x, const struct xdp_desc *desc, struct tapir_frame *f)
{
	if (desc->len > f->room)
		return false;
	memcpy(f->data, x->umem_bytes + desc->addr, desc->len);
	f->len = desc->len;
	f->offload = (struct tapir_offload){.csum = TAPIR_CSUM_NONE};
	if (x->local)
		driver_find_partial(f);
	return true;
}

/* The next frame of one queue: 1, or 0. */
static int queue_recv(const struct xdp *x, struct queue *q, struct tapir_frame *f)
{
	uint32_t at, fill_at;

	while (xsk_ring_cons__peek(&q->rx, 1, &at) == 1) {
		const struct xdp_desc *desc = xsk_ring_cons__rx_desc(&q->rx, at);
		uint64_t chunk = desc->addr / CHUNK * CHUNK;
		bool taken = take(x, desc, f);

		xsk_ring_cons__release(&q->rx, 1);
		if (xsk_ring_prod__reserve(&q->fill, 1, &fill_at) == 1) {	/* it has room for every chunk */
			*xsk_ring_prod__fill_addr(&q->fill, fill_at) = chunk;
			xsk_ring_prod__submit(&q->fill, 1);
		}
		if (taken)
			return 1;
	}
	/* A card that has run out of chunks has stopped until it is told. */
	if (xsk_ring_prod__needs_wakeup(&q->fill))
		recvfrom(xsk_socket__fd(q->socket), NULL, 0, MSG_DONTWAIT, NULL, NULL);
	return 0;
}

static int xdp_flush(struct driver *d);

static int xdp_recv(struct driver *d, struct tapir_frame *f, usec_t now_us)
{
	struct xdp *x = (struct xdp *)d;

	x->now_us = now_us;
	if (x->retry_us <= now_us && xdp_flush(d) < 0)
		return TAPIR_EIO;
	for (unsigned int i = 0; i < x->queue_count; i++) {
		struct queue *q = &x->queues[x->turn];

		if (x->queue_count > 1)
			x->turn = (x->turn + 1) % x->queue_count;
		if (queue_recv(x, q, f) == 1)
			return 1;
	}
	return 0;
}

/* ---- frames out ---- */

/* Takes back the chunks of frames that have left. */
static void collect(struct xdp *x)
{
	struct queue *q = &x->queues[0];
	uint32_t at, n = xsk_ring_cons__peek(&q->completion, TX_CHUNKS, &at);

	for (uint32_t i = 0; i < n; i++)
		x->spare[x->spare_count++] = *xsk_ring_cons__comp_addr(&q->completion, at + i);
	xsk_ring_cons__release(&q->completion, n);
}

/* The kernel was told of frames and refused to look. They stay in the tx ring, but for an interface that is no more. */
static int kick_failed(struct xdp *x)
{
	bool down = errno == ENETDOWN;

	switch (errno) {
	case ENXIO:
	case ENODEV:
		return driver_fail("The interface %s was deleted while it was in use: start again, with the interface made anew.",
				   x->name);
	case ENETDOWN:
		if (!x->warned_down)
			driver_warn("%s is down, so what is sent waits: sudo ip link set dev %s up", x->name, x->name);
		x->warned_down = true;
		break;
	case EAGAIN:
	case EBUSY:
	case EINTR:
	case ENOBUFS:
	case ENOMEM:
		break;
	default:
		if (!x->warned_refused)
			driver_warn("the kernel refuses frames on %s: %s", x->name, strerror(errno));
		x->warned_refused = true;
	}
	x->retry_us = x->now_us + (down ? DOWN_RETRY_US : RETRY_US);
	return 0;
}

/* Tells the kernel of the frames in the tx ring. Where it has to copy them it takes a few with each call, and says EAGAIN. */
static int xdp_flush(struct driver *d)
{
	struct xdp *x = (struct xdp *)d;
	struct queue *q = &x->queues[0];
	int result = -1;

	if (x->gathered == 0)
		return 0;
	x->retry_us = USEC_NEVER;
	if (!xsk_ring_prod__needs_wakeup(&q->tx))
		result = 0;
	for (uint32_t n = 0; result < 0 && n < x->gathered + KICK_FRAMES; n += KICK_FRAMES) {
		result = (int)sendto(xsk_socket__fd(q->socket), NULL, 0, MSG_DONTWAIT, NULL, 0);
		if (result < 0 && errno != EAGAIN)
			break;
	}
	if (result < 0)
		return kick_failed(x);
	collect(x);
	x->gathered = 0;
	x->warned_down = false;
	return 0;
}

static int xdp_send(struct driver *d, const struct tapir_out *out, usec_t now_us)
{
	struct xdp *x = (struct xdp *)d;
	struct queue *q = &x->queues[0];
	struct xdp_desc *desc;
	uint32_t at;

	x->now_us = now_us;
	if (out->len > CHUNK)
		return 0;
	if (x->spare_count == 0 && xdp_flush(d) < 0)
		return TAPIR_EIO;
	if (x->spare_count == 0)
		collect(x);
	if (x->spare_count == 0 || xsk_ring_prod__reserve(&q->tx, 1, &at) != 1)
		return TAPIR_EAGAIN;
	desc = xsk_ring_prod__tx_desc(&q->tx, at);
	*desc = (struct xdp_desc){.addr = x->spare[--x->spare_count], .len = out->len};
	tapir_out_copy(out, x->umem_bytes + desc->addr, false);
	xsk_ring_prod__submit(&q->tx, 1);
	x->gathered++;
	return 0;
}

static usec_t xdp_deadline(struct driver *d)
{
	return ((struct xdp *)d)->retry_us;
}

/* ---- opening ---- */

static int refuse_socket(struct xdp *x, unsigned int queue, int error)
{
	x->busy = error == EBUSY;
	switch (error) {
	case EPERM:
	case EACCES:
		return driver_fail("An AF_XDP socket on %s needs CAP_NET_RAW, CAP_NET_ADMIN and CAP_BPF: run as root.", x->name);
	case EAFNOSUPPORT:
		return driver_fail("This kernel has no AF_XDP sockets (CONFIG_XDP_SOCKETS): use a TAP.");
	case EBUSY:
		return driver_fail("Queue %u of %s has an AF_XDP socket of another program: end that program.", queue, x->name);
	case ENETDOWN:
		return driver_fail("%s is down: sudo ip link set dev %s up.", x->name, x->name);
	case ENOBUFS:
		return driver_fail("%zu MiB cannot be pinned in memory: ulimit -l unlimited, or run as root.", x->umem_size >> 20);
	default:
		return driver_fail("Queue %u of %s cannot be opened as an AF_XDP socket: %s.", queue, x->name, strerror(error));
	}
}

static int make_umem(struct xdp *x)
{
	const struct xsk_umem_config config = {.fill_size = RX_CHUNKS, .comp_size = TX_CHUNKS, .frame_size = CHUNK};
	uint64_t first = (uint64_t)x->queue_count * RX_CHUNKS * CHUNK;
	int error;

	x->umem_size = first + TX_CHUNKS * CHUNK;
	x->umem_bytes = mmap(NULL, x->umem_size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (x->umem_bytes == MAP_FAILED) {
		x->umem_bytes = NULL;
		return driver_fail("Out of memory.");
	}
	for (; x->spare_count < TX_CHUNKS; x->spare_count++)
		x->spare[x->spare_count] = first + (uint64_t)x->spare_count * CHUNK;
	error = xsk_umem__create(&x->umem, x->umem_bytes, x->umem_size, &x->queues[0].fill, &x->queues[0].completion, &config);
	return error ? refuse_socket(x, 0, -error) : 0;
}

/* The interface's queue gets a socket, and all the chunks that are for it. */
static int open_queue(struct xdp *x, unsigned int number)
{
	const struct xsk_socket_config config = {
		.rx_size = RX_CHUNKS, .tx_size = number ? 0 : TX_CHUNKS,
		.libxdp_flags = XSK_LIBXDP_FLAGS__INHIBIT_PROG_LOAD, .bind_flags = XDP_USE_NEED_WAKEUP,
	};
	const int room = (int)(2 * TX_CHUNKS * CHUNK);	/* of what waits in the kernel: it counts more than the frame's bytes */
	struct queue *q = &x->queues[number];
	uint32_t at;
	int error = xsk_socket__create_shared(&q->socket, x->name, number, x->umem, &q->rx, number ? NULL : &q->tx, &q->fill,
					      &q->completion, &config);

	if (error)
		return refuse_socket(x, number, -error);
	setsockopt(xsk_socket__fd(q->socket), SOL_SOCKET, SO_SNDBUFFORCE, &room, sizeof room);
	if (xsk_ring_prod__reserve(&q->fill, RX_CHUNKS, &at) != RX_CHUNKS)
		return refuse_socket(x, number, ENOBUFS);
	for (uint32_t i = 0; i < RX_CHUNKS; i++)
		*xsk_ring_prod__fill_addr(&q->fill, at + i) = ((uint64_t)number * RX_CHUNKS + i) * CHUNK;
	xsk_ring_prod__submit(&q->fill, RX_CHUNKS);
	return xdp_redirect_set(&x->redirect, number, xsk_socket__fd(q->socket));
}

/* One descriptor to poll: the queue's own, or one that is readable when any of them is. */
static int open_descriptor(struct xdp *x)
{
	x->d.fd = xsk_socket__fd(x->queues[0].socket);
	if (x->queue_count == 1)
		return 0;
	x->d.fd = x->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	for (unsigned int i = 0; x->epoll_fd >= 0 && i < x->queue_count; i++) {
		struct epoll_event event = {.events = EPOLLIN};

		if (epoll_ctl(x->epoll_fd, EPOLL_CTL_ADD, xsk_socket__fd(x->queues[i].socket), &event) != 0)
			return driver_fail("The queues of %s cannot be polled: %s.", x->name, strerror(errno));
	}
	return x->epoll_fd >= 0 ? 0 : driver_fail("No descriptor is left for the queues of %s.", x->name);
}

/* The stack's link address is none of the card's own. This, too, ends with its descriptor. */
static int hear_all(struct xdp *x)
{
	struct packet_mreq all = {.mr_ifindex = (int)if_nametoindex(x->name), .mr_type = PACKET_MR_PROMISC};

	x->promiscuous_fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
	if (x->promiscuous_fd >= 0 &&
	    setsockopt(x->promiscuous_fd, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &all, sizeof all) == 0)
		return 0;
	return refuse_socket(x, 0, errno);
}

static int look_at_interface(struct xdp *x)
{
	char driver[32];

	x->d.mtu = driver_link_mtu(x->name);
	if (x->d.mtu == 0)
		return driver_fail("The MTU of %s cannot be read.", x->name);
	if (x->d.mtu > MTU_MAX)
		return driver_fail("The MTU of %s is %u, and an AF_XDP socket takes no frame that is longer than a page: "
				   "sudo ip link set dev %s mtu %u.", x->name, x->d.mtu, x->name, MTU_MAX);
	x->queue_count = driver_link_queues(x->name);
	if (x->queue_count > QUEUES_MAX)
		return driver_fail("%s has %u queues, and %u is the most here: sudo ethtool -L %s combined %u.", x->name,
				   x->queue_count, QUEUES_MAX, x->name, QUEUES_MAX);
	x->local = driver_link_driver(x->name, driver) && strcmp(driver, "veth") == 0;
	return 0;
}

/* In its driver a veth has the kernel cut up what the other end sends; in front of the kernel's stack it does not. */
static void warn_of_generic(const struct xdp *x)
{
	int error = x->redirect.native_error;
	const char *why = error == ENOSPC ? "its other end has more queues to send in than it has to receive in" :
			  error == ERANGE ? "its MTU is too large for its driver" : strerror(error);

	driver_warn("%s is taken in XDP's generic mode (%s), where frames are lost that its other end leaves to be cut up. "
		    "There: sudo ip link set dev NAME gso_max_segs 1", x->name, why);
}

static int xdp_open(struct xdp *x)
{
	int result = look_at_interface(x);

	if (result == 0)
		result = xdp_redirect_init(&x->redirect, x->name, x->queue_count);
	if (result == 0)
		result = make_umem(x);
	for (unsigned int i = 0; result == 0 && i < x->queue_count; i++)
		result = open_queue(x, i);
	if (result == 0)
		result = open_descriptor(x);
	if (result == 0)
		result = hear_all(x);
	if (result == 0)
		result = xdp_redirect_begin(&x->redirect, x->name);
	if (result == 0 && x->local && x->redirect.generic)
		warn_of_generic(x);
	return result;
}

static void xdp_close(struct driver *d)
{
	struct xdp *x = (struct xdp *)d;

	xdp_redirect_end(&x->redirect);
	for (unsigned int i = 0; i < x->queue_count; i++)
		if (x->queues[i].socket)
			xsk_socket__delete(x->queues[i].socket);
	if (x->umem)
		xsk_umem__delete(x->umem);
	if (x->umem_bytes)
		munmap(x->umem_bytes, x->umem_size);
	if (x->epoll_fd >= 0)
		close(x->epoll_fd);
	if (x->promiscuous_fd >= 0)
		close(x->promiscuous_fd);
	free(x);
}

static const struct driver_ops xdp_ops = {
	.name = "xdp", .recv = xdp_recv, .send = xdp_send, .flush = xdp_flush, .deadline = xdp_deadline, .close = xdp_close,
};

static struct xdp *xdp_new(const char *interface)
{
	struct xdp *x = calloc(1, sizeof *x);

	if (x == NULL) {
		driver_fail("Out of memory.");
		return NULL;
	}
	x->d.ops = &xdp_ops;
	x->d.fd = x->epoll_fd = x->promiscuous_fd = -1;
	x->redirect = (struct xdp_redirect){.map_fd = -1, .program_fd = -1, .link_fd = -1};
	x->retry_us = USEC_NEVER;
	snprintf(x->name, sizeof x->name, "%s", interface);
	return x;
}

struct driver *driver_open_xdp(const char *interface)
{
	bool busy = true;

	if (strlen(interface) >= IFNAMSIZ || if_nametoindex(interface) == 0) {
		driver_fail("There is no interface %s: ip link lists those there are.", interface);
		return NULL;
	}
	for (int tries = 0; busy && tries < BUSY_TRIES; tries++) {
		struct xdp *x = xdp_new(interface);

		if (x == NULL)
			return NULL;
		if (xdp_open(x) == 0)
			return &x->d;
		busy = x->busy;
		xdp_close(&x->d);
		if (busy)
			usleep(BUSY_WAIT_US);
	}
	return NULL;
}

#else
#include "internal.h"

struct driver *driver_open_xdp(const char *interface)
{
	driver_fail("This program was built without AF_XDP, so %s cannot be opened: sudo apt-get install libxdp-dev, and make it "
		    "again.", interface);
	return NULL;
}
#endif
