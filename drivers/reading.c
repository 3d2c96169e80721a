/* reading.c: see reading.h. The format is draft-ietf-opsawg-pcapng's, read in the byte order that each section says.
 *
 * Anything may be in such a file. A block is looked at only when it is there as a whole, at most BLOCK_MAX bytes; every number
 * in it is compared with what is left of it. What is unknown is passed over. */
#include <errno.h>
#include <pcap/pcap.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "link_type.h"
#include "reading.h"

#define BLOCK_MAX (64u << 20)
#define INTERFACES 64
#define COMMENTS_MAX 16384
#define MAGIC 0x1a2b3c4du
#define YEARS_34000 (INT64_C(1) << 40)		/* seconds: no time is beyond it */

enum { SECTION = 0x0a0d0d0a, INTERFACE = 1, OLD_PACKET = 2, SIMPLE_PACKET = 3, STATISTICS = 5, PACKET = 6 };
enum { OPT_END = 0, OPT_COMMENT = 1, SHB_USERAPPL = 4, IF_TSRESOL = 9, IF_TSOFFSET = 14, EPB_FLAGS = 2,
	EPB_DROPCOUNT = 4 };

struct interface { int dlt; const struct link_type *link; uint8_t resolution; int64_t offset_s; };
struct reading {
	FILE *file;
	char name[256];
	pcap_t *pcap;			/* NULL: pcapng */
	const struct link_type *link;	/* of a pcap file */
	bool swapped, own;
	usec_t last_us;
	struct interface interfaces[INTERFACES];
	unsigned int count;
	uint8_t *block;
	size_t room;
	char comments[COMMENTS_MAX];
};

/* ---- numbers ---- */

/* What is left of a block; bad: something was to be taken that is not there. */
struct rest { const struct reading *r; const uint8_t *p; size_t n; bool bad; };

static uint64_t number(const struct reading *r, const uint8_t *p, size_t bytes)
{
	uint64_t value = 0;

	for (size_t i = 0; i < bytes; i++)
		value |= (uint64_t)p[r->swapped ? bytes - 1 - i : i] << 8 * i;
	return value;
}

static struct span take_bytes(struct rest *l, size_t n)
{
	struct span s = {l->p, n};

	if (l->bad || n > l->n) {
		l->bad = true;
		return (struct span){l->p, 0};
	}
	l->p += n;
	l->n -= n;
	return s;
}

static uint32_t take(struct rest *l, size_t bytes)
{
	struct span s = take_bytes(l, bytes);

	return s.n ? (uint32_t)number(l->r, s.p, bytes) : 0;
}

static struct span take_padded(struct rest *l, size_t n)
{
	struct span s = take_bytes(l, n);

	take_bytes(l, s.n ? -n & 3 : 0);
	return s;
}

/* The next option: its code; OPT_END: there are no more, or they are damaged. */
static uint16_t take_option(struct rest *l, struct span *value)
{
	uint16_t code = l->n >= 4 ? (uint16_t)take(l, 2) : OPT_END;
	uint32_t n = code ? take(l, 2) : 0;

	*value = (struct span){l->p, 0};
	if (code == OPT_END)
		return OPT_END;
	*value = take_padded(l, n);
	return l->bad ? OPT_END : code;
}

/* ---- times ---- */

/* if_tsresol: a negative power of ten, or of two when the highest bit is set. */
static usec_t to_us(const struct interface *i, uint64_t stamp)
{
	uint8_t power = i->resolution & 0x7f;
	unsigned __int128 us = (unsigned __int128)stamp * 1000000u;

	if (i->resolution & 0x80)
		us = power < 127 ? us >> power : 0;
	for (uint8_t n = 0; !(i->resolution & 0x80) && n < power && us; n++)
		us /= 10;
	if (i->offset_s > 0 && i->offset_s < YEARS_34000)
		us += (unsigned __int128)i->offset_s * 1000000u;
	return us < (unsigned __int128)YEARS_34000 * 1000000u ? (usec_t)us : (usec_t)YEARS_34000 * TAPIR_SEC;
}

static usec_t forward(struct reading *r, usec_t at_us)
{
	if (at_us > r->last_us)
		r->last_us = at_us;
	return r->last_us;
}

/* ---- blocks ---- */

static int damaged(const struct reading *r, const char *how)
{
	return driver_fail("The capture file %s is damaged: %s.", r->name, how);
}

static void add_comment(struct reading *r, struct captured *c, struct span text)
{
	size_t used = 0, n = 0;

	for (unsigned int i = 0; i < c->comment_count; i++)
		used += strlen(r->comments + used) + 1;
	while (n < text.n && text.p[n])
		n++;
	if (used + n + 1 > sizeof r->comments)
		return;
	memcpy(r->comments + used, text.p, n);
	r->comments[used + n] = '\0';
	c->comments = r->comments;
	c->comment_count++;
}

/* The section's own options: who wrote it. */
static int take_section(struct reading *r, struct rest *l)
{
	struct span value;
	uint16_t code;

	take_bytes(l, 4);		/* the byte order, which is known */
	if (take(l, 2) != 1)
		return damaged(r, "its pcapng version is not 1");
	take_bytes(l, 10);
	r->count = 0;
	r->own = false;
	while ((code = take_option(l, &value)) != OPT_END)
		if (code == SHB_USERAPPL && value.n >= 6 && memcmp(value.p, "tapir ", 6) == 0)
			r->own = true;
	return 0;
}

static int take_interface(struct reading *r, struct rest *l)
{
	struct interface *i = &r->interfaces[r->count];
	struct span value;
	uint16_t code;

	if (r->count == INTERFACES)
		return damaged(r, "it has more than 64 interfaces");
	*i = (struct interface){.dlt = (int)take(l, 2), .resolution = 6};
	i->link = link_type_find(i->dlt);
	take_bytes(l, 6);
	while ((code = take_option(l, &value)) != OPT_END) {
		if (code == IF_TSRESOL && value.n == 1)
			i->resolution = value.p[0];
		else if (code == IF_TSOFFSET && value.n == 8)
			i->offset_s = (int64_t)number(r, value.p, 8);
	}
	if (l->bad)
		return damaged(r, "an interface's description is cut short");
	r->count++;
	return 0;
}

static void take_packet_options(struct reading *r, struct rest *l, struct captured *c)
{
	struct span value;
	uint16_t code;

	while ((code = take_option(l, &value)) != OPT_END) {
		if (code == OPT_COMMENT)
			add_comment(r, c, value);
		else if (code == EPB_FLAGS && value.n == 4)
			c->way = (int)(number(r, value.p, 4) & 3);
		else if (code == EPB_DROPCOUNT && value.n == 8)
			c->left_out = number(r, value.p, 8);
	}
}

/* Leaves the IP datagram, or the Ethernet frame; nothing of what is neither. */
static void strip(struct captured *c, const struct link_type *link)
{
	c->ip_only = link->ip_only;
	c->other = !link_type_strip(link, &c->frame);
	if (c->other)
		c->frame.n = 0;
}

/* What all blocks with a frame have. 1, or TAPIR_EIO. */
static int finish_packet(struct reading *r, struct captured *c, uint32_t interface)
{
	const struct link_type *link;

	if (interface >= r->count)
		return damaged(r, "a frame is from an interface that it does not describe");
	link = r->interfaces[interface].link;
	if (link == NULL)
		return link_type_refuse(r->name, r->interfaces[interface].dlt);
	strip(c, link);
	return 1;
}

/* An enhanced packet block, or the packet block that it has replaced. */
static int take_packet(struct reading *r, struct rest *l, struct captured *c, bool old)
{
	uint32_t interface = old ? take(l, 2) : take(l, 4), high, low, caplen, len;

	if (old)
		take_bytes(l, 2);
	high = take(l, 4);
	low = take(l, 4);
	caplen = take(l, 4);
	len = take(l, 4);
	c->frame = take_padded(l, caplen);
	if (l->bad)
		return damaged(r, "a frame is longer than the block that holds it");
	c->cut = len > caplen ? len - caplen : 0;
	if (interface < r->count)
		c->at_us = forward(r, to_us(&r->interfaces[interface], (uint64_t)high << 32 | low));
	take_packet_options(r, l, c);
	return finish_packet(r, c, interface);
}

static int take_simple(struct reading *r, struct rest *l, struct captured *c)
{
	uint32_t len = take(l, 4), caplen = len < l->n ? len : (uint32_t)l->n;

	c->frame = take_bytes(l, caplen);
	c->cut = len - caplen;
	c->at_us = r->last_us;
	return finish_packet(r, c, 0);
}

/* Comments that belong to no frame. 1: there are some. */
static int take_statistics(struct reading *r, struct rest *l, struct captured *c)
{
	take_bytes(l, 12);
	c->at_us = r->last_us;
	take_packet_options(r, l, c);
	c->way = 0;
	c->left_out = 0;
	return c->comment_count > 0;
}

/* 1: *c is there; 0: the block has no frame. */
static int take_block(struct reading *r, uint32_t type, size_t n, struct captured *c)
{
	struct rest l = {r, r->block, n, false};

	switch (type) {
	case SECTION: return take_section(r, &l);
	case INTERFACE: return take_interface(r, &l);
	case OLD_PACKET: return take_packet(r, &l, c, true);
	case SIMPLE_PACKET: return take_simple(r, &l, c);
	case STATISTICS: return take_statistics(r, &l, c);
	case PACKET: return take_packet(r, &l, c, false);
	default: return 0;
	}
}

static bool make_room(struct reading *r, size_t n)
{
	uint8_t *block = n <= r->room ? r->block : realloc(r->block, n);

	if (block == NULL)
		return false;
	r->block = block;
	r->room = n > r->room ? n : r->room;
	return true;
}

/* Reads a whole block into r->block: 1 with its type and the bytes between its lengths; 0: the end. */
static int read_block(struct reading *r, uint32_t *type, size_t *n)
{
	uint8_t head[12];
	size_t got = fread(head, 1, 12, r->file);
	uint32_t length;

	if (got == 0)
		return 0;
	if (got < 12)
		return damaged(r, "it ends in the middle of a block");
	*type = (uint32_t)number(r, head, 4);
	if (*type == SECTION)
		r->swapped = head[8] == 0x1a;
	if (*type == SECTION && number(r, head + 8, 4) != MAGIC)
		return damaged(r, "a section has no byte order");
	length = (uint32_t)number(r, head + 4, 4);
	if (length < 12 || length % 4 || length > BLOCK_MAX)
		return damaged(r, "a block has an impossible length");
	*n = length - 12;
	if (*n < 4)			/* a block without a body: the length again is there already */
		return *n = 0, 1;
	if (!make_room(r, length))
		return driver_fail("Out of memory.");
	memcpy(r->block, head + 8, 4);
	if (fread(r->block + 4, 1, *n, r->file) < *n)
		return damaged(r, "it ends in the middle of a block");
	return 1;
}

static int next_pcapng(struct reading *r, struct captured *c)
{
	uint32_t type = 0;
	size_t n = 0;
	int result;

	do {
		result = read_block(r, &type, &n);
		if (result != 1)
			return result;
		result = take_block(r, type, n, c);
	} while (result == 0);
	return result;
}

/* ---- pcap ---- */

static int next_pcap(struct reading *r, struct captured *c)
{
	struct pcap_pkthdr *h;
	const u_char *bytes;
	int result = pcap_next_ex(r->pcap, &h, &bytes);

	if (result == PCAP_ERROR)
		return damaged(r, pcap_geterr(r->pcap));
	if (result != 1)
		return 0;
	if (h->ts.tv_sec >= 0 && h->ts.tv_sec < YEARS_34000 && h->ts.tv_usec >= 0)	/* tv_usec holds nanoseconds */
		forward(r, (usec_t)h->ts.tv_sec * TAPIR_SEC + (usec_t)h->ts.tv_usec / 1000);
	c->at_us = r->last_us;
	c->frame = (struct span){bytes, h->caplen};
	c->cut = h->len > h->caplen ? h->len - h->caplen : 0;
	strip(c, r->link);
	return 1;
}

static int open_pcap(struct reading *r)
{
	char why[PCAP_ERRBUF_SIZE] = "";

	r->pcap = pcap_fopen_offline_with_tstamp_precision(r->file, PCAP_TSTAMP_PRECISION_NANO, why);
	if (r->pcap == NULL)
		return driver_fail("The capture file %s cannot be read: %s.", r->name, why);
	r->file = NULL;			/* it is libpcap's now */
	r->link = link_type_find(pcap_datalink(r->pcap));
	return r->link ? 0 : link_type_refuse(r->name, pcap_datalink(r->pcap));
}

/* ---- both ---- */

int reading_next(struct reading *r, struct captured *c)
{
	*c = (struct captured){.at_us = r->last_us};
	return r->pcap ? next_pcap(r, c) : next_pcapng(r, c);
}

bool reading_is_own(const struct reading *r) { return r->own; }

void reading_close(struct reading *r)
{
	if (r->pcap)
		pcap_close(r->pcap);
	if (r->file)
		fclose(r->file);
	free(r->block);
	free(r);
}

static struct reading *reading_new(const char *name)
{
	struct reading *r = calloc(1, sizeof *r);

	if (r)
		snprintf(r->name, sizeof r->name, "%s", name);
	else
		driver_fail("Out of memory.");
	return r;
}

/* pcapng begins with the same byte in every byte order, and no pcap file does. */
static int find_format(struct reading *r)
{
	int first = getc(r->file);

	if (first == EOF)
		return driver_fail("The capture file %s cannot be read: %s.", r->name,
				   ferror(r->file) ? strerror(errno) : "it is empty");
	ungetc(first, r->file);
	return first == 0x0a ? 0 : open_pcap(r);
}

struct reading *reading_open(const char *path)
{
	struct reading *r = reading_new(strcmp(path, "-") == 0 ? "on the standard input" : path);

	if (r == NULL)
		return NULL;
	r->file = strcmp(path, "-") == 0 ? fdopen(dup(STDIN_FILENO), "r") : fopen(path, "re");
	if (r->file == NULL)
		driver_fail("The capture file %s cannot be read: %s.", r->name, strerror(errno));
	else if (find_format(r) == 0)
		return r;
	reading_close(r);
	return NULL;
}

struct reading *reading_open_fd(int fd, const char *name)
{
	struct reading *r = reading_new(name);

	if (r)
		r->file = fdopen(fd, "r");
	if (r && r->file)
		return r;
	if (r)
		driver_fail("%s cannot be read: %s.", name, strerror(errno));
	close(fd);
	free(r);
	return NULL;
}
