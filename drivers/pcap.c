/* pcap.c: libpcap as a wire: a live interface, or a capture file that is played into the stack.
 *
 * Live: what other machines send is received, what this machine sends itself there is not (the kernel's stack and this one
 * would answer each other's frames). A frame from a local interface that leaves checksums to the card (veth) comes with a
 * wrong one: sudo ethtool -K NAME tx off on its sending side.
 *
 * File: time is the caller's. Each frame is due at its distance from the first one; driver_deadline says when, so that a
 * caller who turns virtual time from deadline to deadline plays the file exactly. Answers are written with the file's own
 * clock, so that mergecap puts questions and answers in order.
 *
 * Frames that were cut when they were captured, or do not fit the stack's buffers, are skipped and counted; the count is
 * said on close. */
#include <errno.h>
#include <pcap/pcap.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "link_type.h"

#define FILE_MTU 1500			/* a file has none of its own */
#define TIME_MAX_S (INT64_C(1) << 40)	/* 34000 years */
#define SKIP_MAX 64			/* frames that one recv passes over */

struct wire {
	struct driver d;
	pcap_t *p;
	const struct link_type *link;
	uint64_t skipped;
	char name[256];
	bool warned;			/* live: a frame could not be sent */
	uint8_t scratch[DRIVER_FRAME_MAX];

	/* file */
	struct dump *answers;		/* NULL: thrown away */
	const struct pcap_pkthdr *next;	/* NULL: the file is at its end */
	const u_char *next_bytes;
	usec_t start_us, first_us, due_us;
	bool broken;			/* the file ended in the middle of a frame: recv says so once */
};

/* Copies one captured frame to f. False: it is skipped. */
static bool deliver(struct wire *w, const struct pcap_pkthdr *h, const u_char *bytes, struct tapir_frame *f)
{
	struct span frame = {bytes, h->caplen};

	if (h->caplen < h->len || h->caplen < w->link->header || h->caplen - w->link->header > f->room) {
		w->skipped++;
		return false;
	}
	if (!link_type_strip(w->link, &frame))
		return false;		/* not IPv4 */
	f->len = (uint32_t)frame.n;
	memcpy(f->data, frame.p, f->len);
	f->offload = (struct tapir_offload){.csum = TAPIR_CSUM_NONE};
	return true;
}

static void wire_close(struct driver *d)
{
	struct wire *w = (struct wire *)d;

	if (w->skipped)
		driver_warn("%llu frames of %s were skipped: cut short when they were captured, or too long",
			    (unsigned long long)w->skipped, w->name);
	if (w->answers)
		dump_close(w->answers, &(struct dump_end){.at_us = w->first_us + (w->due_us - w->start_us)});
	if (w->p)
		pcap_close(w->p);
	free(w);
}

static struct wire *wire_new(const char *name, const struct driver_ops *ops)
{
	struct wire *w = calloc(1, sizeof *w);

	if (w == NULL) {
		driver_fail("Out of memory.");
		return NULL;
	}
	w->d.ops = ops;
	w->d.fd = -1;
	snprintf(w->name, sizeof w->name, "%s", name);
	return w;
}

/* ---- live ---- */

static int live_recv(struct driver *d, struct tapir_frame *f, usec_t now_us)
{
	struct wire *w = (struct wire *)d;
	(void)now_us;

	for (int i = 0; i < SKIP_MAX; i++) {
		struct pcap_pkthdr *h;
		const u_char *bytes;
		int result = pcap_next_ex(w->p, &h, &bytes);

		if (result == 0)
			return 0;
		if (result < 0)
			return driver_fail("Reading from %s failed: %s.", w->name, pcap_geterr(w->p));
		if (deliver(w, h, bytes, f))
			return 1;
	}
	return 0;
}

static int live_send(struct driver *d, const struct tapir_out *out, usec_t now_us)
{
	struct wire *w = (struct wire *)d;
	(void)now_us;

	if (out->len > sizeof w->scratch)
		return 0;
	tapir_out_copy(out, w->scratch, false);
	if (pcap_inject(w->p, w->scratch, out->len) >= 0)
		return 0;
	if (errno == EAGAIN || errno == ENOBUFS)
		return TAPIR_EAGAIN;
	if (errno == ENODEV || errno == ENXIO)
		return driver_fail("The interface %s was deleted while it was in use.", w->name);
	if (!w->warned)			/* down, or the frame is refused: lost, as on a wire */
		driver_warn("a frame could not be sent on %s: %s", w->name, pcap_geterr(w->p));
	w->warned = true;
	return 0;
}

static int activate_failed(struct wire *w, int why)
{
	switch (why) {
	case PCAP_ERROR_NO_SUCH_DEVICE:
		return driver_fail("There is no interface %s: ip link lists those there are.", w->name);
	case PCAP_ERROR_PERM_DENIED:
	case PCAP_ERROR_PROMISC_PERM_DENIED:
		return driver_fail("Frames of %s may not be read: run as root, or sudo setcap cap_net_raw+ep PROGRAM.", w->name);
	case PCAP_ERROR_IFACE_NOT_UP:
		return driver_fail("%s is down: sudo ip link set dev %s up.", w->name, w->name);
	default:
		return driver_fail("Opening %s failed: %s (%s).", w->name, pcap_geterr(w->p), pcap_statustostr(why));
	}
}

static int live_activate(struct wire *w)
{
	char why[PCAP_ERRBUF_SIZE] = "";
	int result;

	w->p = pcap_create(w->name, why);
	if (w->p == NULL)
		return driver_fail("Opening %s failed: %s.", w->name, why);
	pcap_set_snaplen(w->p, (int)DRIVER_FRAME_MAX);
	pcap_set_promisc(w->p, 1);
	pcap_set_immediate_mode(w->p, 1);
	result = pcap_activate(w->p);
	if (result < 0)
		return activate_failed(w, result);
	if (pcap_setnonblock(w->p, 1, why) != 0 || pcap_setdirection(w->p, PCAP_D_IN) != 0)
		return driver_fail("%s cannot be read as a wire: %s%s.", w->name, why, pcap_geterr(w->p));
	w->link = link_type_find(pcap_datalink(w->p));
	if (w->link == NULL || w->link->header != 0)
		return link_type_refuse(w->name, pcap_datalink(w->p));
	w->d.ip_only = w->link->ip_only;
	w->d.fd = pcap_get_selectable_fd(w->p);
	w->d.mtu = driver_link_mtu(w->name);
	return w->d.mtu ? 0 : driver_fail("The MTU of %s cannot be read.", w->name);
}

static const struct driver_ops live_ops = {.name = "pcap", .recv = live_recv, .send = live_send, .close = wire_close};

struct driver *driver_open_pcap_live(const char *interface)
{
	struct wire *w = wire_new(interface, &live_ops);

	if (w && live_activate(w) == 0)
		return &w->d;
	if (w)
		wire_close(&w->d);
	return NULL;
}

/* ---- file ---- */

/* A file may say any time, one far beyond the end of the clock too. */
static usec_t capture_time(const struct pcap_pkthdr *h)
{
	if (h->ts.tv_sec < 0 || h->ts.tv_sec > TIME_MAX_S || h->ts.tv_usec < 0)
		return h->ts.tv_sec < 0 ? 0 : (usec_t)TIME_MAX_S * TAPIR_SEC;
	return (usec_t)h->ts.tv_sec * TAPIR_SEC + (usec_t)h->ts.tv_usec / 1000;	/* tv_usec holds nanoseconds */
}

/* Reads ahead by one frame. Files whose clock was set back are played without going back. */
static void file_advance(struct wire *w)
{
	struct pcap_pkthdr *h;
	int result = pcap_next_ex(w->p, &h, &w->next_bytes);
	usec_t at_us;

	w->next = result == 1 ? h : NULL;
	w->broken = result == PCAP_ERROR;
	if (w->next == NULL)
		return;
	at_us = capture_time(h);
	if (w->first_us == USEC_NEVER)
		w->first_us = at_us;
	if (at_us > w->first_us && w->start_us + (at_us - w->first_us) > w->due_us)
		w->due_us = w->start_us + (at_us - w->first_us);
}

static int file_recv(struct driver *d, struct tapir_frame *f, usec_t now_us)
{
	struct wire *w = (struct wire *)d;

	while (w->next && w->due_us <= now_us) {
		bool delivered = deliver(w, w->next, w->next_bytes, f);

		file_advance(w);
		if (delivered)
			return 1;
	}
	if (!w->broken)
		return 0;
	w->broken = false;
	return driver_fail("The capture file %s is damaged: %s.", w->name, pcap_geterr(w->p));
}

static int file_send(struct driver *d, const struct tapir_out *out, usec_t now_us)
{
	struct wire *w = (struct wire *)d;
	usec_t first_us = w->first_us == USEC_NEVER ? 0 : w->first_us;

	if (w->answers == NULL || out->len > sizeof w->scratch)
		return 0;
	tapir_out_copy(out, w->scratch, false);
	dump_frame(w->answers, &(struct dump_frame){.at_us = first_us + (now_us - w->start_us),
						    .bytes = {w->scratch, out->len}, .out = true});
	return 0;
}

static usec_t file_deadline(struct driver *d)
{
	const struct wire *w = (const struct wire *)d;

	return w->next || w->broken ? w->due_us : USEC_NEVER;
}

static int file_open(struct wire *w, const char *out_path)
{
	char why[PCAP_ERRBUF_SIZE] = "";

	w->p = pcap_open_offline_with_tstamp_precision(w->name, PCAP_TSTAMP_PRECISION_NANO, why);
	if (w->p == NULL)
		return driver_fail("The capture file %s cannot be read: %s.", w->name, why);
	w->link = link_type_find(pcap_datalink(w->p));
	if (w->link == NULL)
		return link_type_refuse(w->name, pcap_datalink(w->p));
	w->d.ip_only = w->link->ip_only;
	if (out_path)
		w->answers = dump_open(&(struct capture_options){.path = out_path}, w->d.ip_only);
	return out_path && w->answers == NULL ? TAPIR_EIO : 0;
}

static const struct driver_ops file_ops = {
	.name = "pcap file", .recv = file_recv, .send = file_send, .deadline = file_deadline, .close = wire_close,
};

struct driver *driver_open_pcap_file(const char *in_path, const char *out_path, usec_t start_us)
{
	struct wire *w = wire_new(in_path, &file_ops);

	if (w == NULL)
		return NULL;
	w->d.mtu = FILE_MTU;
	w->start_us = w->due_us = start_us;
	w->first_us = USEC_NEVER;
	if (file_open(w, out_path) != 0) {
		wire_close(&w->d);
		return NULL;
	}
	file_advance(w);
	return &w->d;
}
