/* tap.c: a Linux TAP device, the wire between the stack and the kernel (Documentation/networking/tuntap.rst).
 *
 * Opened with IFF_VNET_HDR: in front of each frame lies a virtio_net_hdr that says what is still to be done to it, so
 * that checksums and the segmentation of TCP and UDP can be left to the other side. read and write are the only copy of large
 * frames; what a turn of the loop sends is written together (outbox.c). Which offloads the kernel gives is found by asking for
 * less and less.
 *
 * Never sets addresses or routes; needs CAP_NET_ADMIN only to make an interface, or to use one that is another user's. */
#include <errno.h>
#include <fcntl.h>
#include <linux/ethtool.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <linux/sockios.h>
#include <linux/virtio_net.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>
#include "outbox.h"

/* UDP segmentation came with Linux 6.2; the headers may be older than the kernel. Both are asked for at once, or refused. */
#ifndef TUN_F_USO4
#define TUN_F_USO4 0x20
#define TUN_F_USO6 0x40
#endif
#ifndef VIRTIO_NET_HDR_GSO_UDP_L4
#define VIRTIO_NET_HDR_GSO_UDP_L4 5
#endif

#define TAP_SKIP_MAX 64			/* frames too long for the buffer that one recv passes over */

struct tap {
	struct driver d;
	struct outbox *outbox;
	char name[IFNAMSIZ];
	bool warned_down, warned_refused;
};

/* ---- frames ---- */

static void offload_from_header(const struct virtio_net_hdr *h, struct tapir_offload *o)
{
	*o = (struct tapir_offload){.csum = TAPIR_CSUM_NONE, .gso = TAPIR_GSO_NONE};
	if (h->flags & VIRTIO_NET_HDR_F_NEEDS_CSUM) {
		o->csum = TAPIR_CSUM_PARTIAL;
		o->csum_start = h->csum_start;
		o->csum_offset = h->csum_offset;
	} else if (h->flags & VIRTIO_NET_HDR_F_DATA_VALID) {
		o->csum = TAPIR_CSUM_VALID;
	}
	switch (h->gso_type & ~VIRTIO_NET_HDR_GSO_ECN) {
	case VIRTIO_NET_HDR_GSO_TCPV4:
		o->gso = TAPIR_GSO_TCP4;
		break;
	case VIRTIO_NET_HDR_GSO_TCPV6:
		o->gso = TAPIR_GSO_TCP6;
		break;
	case VIRTIO_NET_HDR_GSO_UDP_L4:
		o->gso = TAPIR_GSO_UDP;
		break;
	default:			/* none: nothing else was asked for */
		return;
	}
	o->gso_size = h->gso_size;
	o->hdr_len = h->hdr_len;
}

static uint8_t gso_type(enum tapir_gso gso)
{
	switch (gso) {
	case TAPIR_GSO_TCP4:
		return VIRTIO_NET_HDR_GSO_TCPV4;
	case TAPIR_GSO_TCP6:
		return VIRTIO_NET_HDR_GSO_TCPV6;
	case TAPIR_GSO_UDP:
		return VIRTIO_NET_HDR_GSO_UDP_L4;
	case TAPIR_GSO_NONE:
		break;
	}
	return VIRTIO_NET_HDR_GSO_NONE;
}

static void header_from_offload(const struct tapir_offload *o, struct virtio_net_hdr *h)
{
	*h = (struct virtio_net_hdr){.gso_type = gso_type(o->gso)};
	if (o->csum == TAPIR_CSUM_PARTIAL) {
		h->flags = VIRTIO_NET_HDR_F_NEEDS_CSUM;
		h->csum_start = o->csum_start;
		h->csum_offset = o->csum_offset;
	}
	if (o->gso == TAPIR_GSO_NONE)
		return;
	h->gso_size = o->gso_size;
	h->hdr_len = o->hdr_len;
}

static int interface_gone(const struct tap *tap)
{
	return driver_fail("The interface %s was deleted while it was in use: start again, with the interface made anew.",
			   tap->name);
}

static int tap_recv(struct driver *d, struct tapir_frame *f, usec_t now_us)
{
	struct tap *tap = (struct tap *)d;
	(void)now_us;

	for (int skipped = 0; skipped < TAP_SKIP_MAX; skipped++) {
		struct virtio_net_hdr h;
		ssize_t n = read(d->fd, f->data, f->room);

		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			return 0;
		if (n < 0 && (errno == EBADFD || errno == ENODEV))
			return interface_gone(tap);
		if (n < 0)
			return driver_fail("Reading from the TAP %s failed: %s.", tap->name, strerror(errno));
		if ((size_t)n <= sizeof h || (size_t)n == f->room)
			continue;		/* one that fills the buffer may have been cut */
		memcpy(&h, f->data, sizeof h);
		f->data += sizeof h;
		f->room -= (uint32_t)sizeof h;
		f->len = (uint32_t)((size_t)n - sizeof h);
		offload_from_header(&h, &f->offload);
		return 1;
	}
	return 0;
}

/* A frame that the kernel did not take. Most reasons mean what a pulled cable means: it is lost, and TCP sees to it. */
static int send_failed(struct tap *tap, int error)
{
	switch (error) {
	case EBADFD:
	case ENODEV:
		return interface_gone(tap);
	case EIO:
		if (!tap->warned_down)
			driver_warn("%s is down, so what is sent is lost: sudo ip link set dev %s up", tap->name, tap->name);
		tap->warned_down = true;
		return 0;
	case EAGAIN:			/* the kernel takes what comes: a TAP's way up has no limit */
	case EINTR:
	case ENOBUFS:
	case ENOMEM:
		return 0;
	default:
		if (!tap->warned_refused)
			driver_warn("the kernel refused a frame on %s: %s", tap->name, strerror(error));
		tap->warned_refused = true;
		return 0;
	}
}

static int tap_send(struct driver *d, const struct tapir_out *out, usec_t now_us)
{
	struct tap *tap = (struct tap *)d;
	struct virtio_net_hdr h;
	int error;
	(void)now_us;

	header_from_offload(&out->offload, &h);
	error = outbox_put(tap->outbox, (struct span){(const uint8_t *)&h, sizeof h}, out);
	return error ? send_failed(tap, error) : 0;
}

static int tap_flush(struct driver *d)
{
	struct tap *tap = (struct tap *)d;
	int error;

	if (outbox_is_empty(tap->outbox))
		return 0;
	error = outbox_flush(tap->outbox);
	if (error)
		return send_failed(tap, error);
	tap->warned_down = false;
	return 0;
}

/* ---- opening ---- */

static int tap_set_offload(struct driver *d, struct tapir_offload_caps keep)
{
	struct tap *tap = (struct tap *)d;
	struct tapir_offload_caps left = {
		.csum = d->caps.csum && keep.csum,
		.tso4 = d->caps.tso4 && keep.tso4 && keep.csum,	/* the kernel grants no TSO without checksums */
		.tso6 = d->caps.tso6 && keep.tso6 && keep.csum,
		.uso = d->caps.uso && keep.uso && keep.csum,
	};
	unsigned int flags = (left.csum ? TUN_F_CSUM : 0u) | (left.tso4 ? TUN_F_TSO4 : 0u) | (left.tso6 ? TUN_F_TSO6 : 0u) |
			     (left.uso ? TUN_F_USO4 | TUN_F_USO6 : 0u);

	if (left.tso4 || left.tso6)
		flags |= TUN_F_TSO_ECN;
	if (ioctl(d->fd, TUNSETOFFLOAD, (unsigned long)flags) != 0)
		return driver_fail("The TAP %s refused to change its offloads: %s.", tap->name, strerror(errno));
	d->caps = left;
	return 0;
}

static void take_offloads(struct driver *d)
{
	static const struct tapir_offload_caps wishes[] = {
		{.csum = true, .tso4 = true, .tso6 = true, .uso = true}, {.csum = true, .tso4 = true, .tso6 = true},
		{.csum = true, .tso4 = true}, {.csum = true}, {.csum = false},
	};

	for (size_t i = 0; i < sizeof wishes / sizeof wishes[0]; i++) {
		d->caps = wishes[i];
		if (tap_set_offload(d, wishes[i]) == 0)
			return;
	}
	d->caps = (struct tapir_offload_caps){.csum = false};
}

static bool name_is_valid(const char *name)
{
	if (*name == '\0' || strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
		return false;
	return strlen(name) < IFNAMSIZ && strpbrk(name, "/:% \t\n") == NULL;
}

/* Does an ioctl about the interface. 0 or -1 with errno. */
static int interface_ioctl(unsigned long what, struct ifreq *req)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	int result, error;

	if (fd < 0)
		return -1;
	result = ioctl(fd, what, req);
	error = errno;
	close(fd);
	errno = error;
	return result;
}

static bool interface_exists(const char *name)
{
	struct ifreq req = {0};

	snprintf(req.ifr_name, sizeof req.ifr_name, "%s", name);
	return interface_ioctl(SIOCGIFINDEX, &req) == 0;
}

static bool interface_is_tap(const char *name)
{
	struct ethtool_drvinfo info = {.cmd = ETHTOOL_GDRVINFO};
	struct ifreq req = {0};

	snprintf(req.ifr_name, sizeof req.ifr_name, "%s", name);
	req.ifr_data = (void *)&info;
	return interface_ioctl(SIOCETHTOOL, &req) == 0 && strcmp(info.driver, "tun") == 0 &&
	       strcmp(info.bus_info, "tap") == 0;
}

static void bring_up(const char *name)
{
	struct ifreq req = {0};

	snprintf(req.ifr_name, sizeof req.ifr_name, "%s", name);
	if (interface_ioctl(SIOCGIFFLAGS, &req) != 0)
		return;
	req.ifr_flags = (short)(req.ifr_flags | IFF_UP);
	if (interface_ioctl(SIOCSIFFLAGS, &req) != 0)
		driver_warn("%s stays down: %s", name, strerror(errno));
}

static void device_failed(void)
{
	switch (errno) {
	case ENOENT:
	case ENODEV:
	case ENXIO:
		driver_fail("There is no /dev/net/tun, so no TAP can be opened: sudo modprobe tun; or start the "
			    "container with --device /dev/net/tun --cap-add NET_ADMIN.");
		break;
	case EACCES:
	case EPERM:
		driver_fail("/dev/net/tun may not be opened (%s): run as root, or sudo chmod 666 /dev/net/tun; or start "
			    "the container with --device /dev/net/tun --cap-add NET_ADMIN.", strerror(errno));
		break;
	default:
		driver_fail("Opening /dev/net/tun failed: %s.", strerror(errno));
		break;
	}
}

static int attach_failed(const char *name, bool existed)
{
	switch (errno) {
	case EPERM:
	case EACCES:
		if (existed)
			return driver_fail("The TAP %s belongs to another user: run as root, or make it yours: "
					   "sudo ip link del %s && sudo ip tuntap add dev %s mode tap user $USER.",
					   name, name, name);
		return driver_fail("There is no TAP %s, and making one needs CAP_NET_ADMIN: run as root, or once: "
				   "sudo ip tuntap add dev %s mode tap user $USER && sudo ip link set dev %s up.",
				   name, name, name);
	case EBUSY:
		return driver_fail("The TAP %s is in use by another program, and it takes one at a time: end that "
				   "program, or choose another name.", name);
	case EINVAL:
		if (existed && !interface_is_tap(name))
			return driver_fail("%s is an interface, but not a TAP: choose another name (ip link lists those "
					   "in use).", name);
		return driver_fail("The kernel does not accept the TAP %s: make it anew: sudo ip link del %s; "
				   "sudo ip tuntap add dev %s mode tap user $USER.", name, name, name);
	default:
		return driver_fail("Attaching to the TAP %s failed: %s.", name, strerror(errno));
	}
}

/* Binds the open device to the interface; one made with multi_queue is taken with a single queue. */
static int attach(struct tap *tap, const char *name)
{
	static const int modes[] = {0, IFF_MULTI_QUEUE};
	bool existed = interface_exists(name);
	struct ifreq req = {0};
	int header = (int)sizeof(struct virtio_net_hdr);
	int result = -1;

	for (size_t i = 0; i < sizeof modes / sizeof modes[0] && result != 0; i++) {
		snprintf(req.ifr_name, sizeof req.ifr_name, "%s", name);
		req.ifr_flags = (short)(IFF_TAP | IFF_NO_PI | IFF_VNET_HDR | modes[i]);
		result = ioctl(tap->d.fd, TUNSETIFF, &req);
		if (result != 0 && (errno != EINVAL || !existed))
			break;
	}
	if (result != 0)
		return attach_failed(name, existed);
	snprintf(tap->name, sizeof tap->name, "%s", req.ifr_name);
	/* An earlier user may have left another size. */
	if (ioctl(tap->d.fd, TUNSETVNETHDRSZ, &header) != 0)
		return driver_fail("The TAP %s refused the virtio header: %s.", name, strerror(errno));
	take_offloads(&tap->d);
	if (!existed)
		bring_up(tap->name);
	tap->d.mtu = driver_link_mtu(tap->name);
	return tap->d.mtu ? 0 : driver_fail("The MTU of %s cannot be read: %s.", name, strerror(errno));
}

static void tap_close(struct driver *d)
{
	outbox_close(((struct tap *)d)->outbox);
	if (d->fd >= 0)
		close(d->fd);
	free(d);
}

static const struct driver_ops tap_ops = {
	.name = "tap", .recv = tap_recv, .send = tap_send, .flush = tap_flush, .set_offload = tap_set_offload, .close = tap_close,
};

struct driver *driver_open_tap(const char *name)
{
	struct tap *tap;

	if (!name_is_valid(name)) {
		driver_fail("\"%s\" cannot be the name of an interface: 1 to %d characters, no blank, slash, colon or "
			    "percent sign.", name, IFNAMSIZ - 1);
		return NULL;
	}
	tap = calloc(1, sizeof *tap);
	if (tap == NULL) {
		driver_fail("Out of memory.");
		return NULL;
	}
	tap->d.ops = &tap_ops;
	tap->d.fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
	tap->outbox = outbox_open(tap->d.fd);
	if (tap->d.fd < 0)
		device_failed();
	else if (tap->outbox == NULL)
		driver_fail("Out of memory.");
	else if (attach(tap, name) == 0)
		return &tap->d;
	tap_close(&tap->d);
	return NULL;
}
