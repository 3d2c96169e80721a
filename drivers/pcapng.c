/* pcapng.c: the writer of pcapng.h. libpcap 1.10 reads pcapng and does not write it.
 *
 * Invariants: a block is a multiple of 4 bytes and carries its length at both ends; an option is padded to 4 bytes, which its
 * length does not count; a list of options ends with code 0, and is left out when there are none. */
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>
#include "pcapng.h"

enum { SECTION = 0x0a0d0d0a, INTERFACE = 1, NAMES = 4, STATISTICS = 5, PACKET = 6 };
enum { OPT_END = 0, OPT_COMMENT = 1 };
enum { SHB_HARDWARE = 2, SHB_OS, SHB_USERAPPL };
enum { IF_NAME = 2, IF_DESCRIPTION = 3, IF_IPV4ADDR = 4, IF_MACADDR = 6, IF_SPEED = 8, IF_TSRESOL = 9, IF_OS = 12 };
enum { NAME_END = 0, NAME_IPV4 = 1 };
enum { EPB_FLAGS = 2, EPB_DROPCOUNT = 4 };
enum { ISB_STARTTIME = 2, ISB_ENDTIME, ISB_IFRECV, ISB_IFDROP };
enum { FLAG_IN = 1, FLAG_OUT = 2, FLAG_UNICAST = 1 << 2, FLAG_MULTICAST = 2 << 2, FLAG_BROADCAST = 3 << 2 };

#define MAGIC 0x1a2b3c4du
#define LINKTYPE_ETHERNET 1
#define LINKTYPE_RAW 101
#define BLOCK_END 8u			/* end of options, and the length again */
#define OPTION_MAX 65535u

struct block { uint8_t *p; size_t n, room; bool has_options, full; };

/* ---- bytes ---- */

static void put(struct block *b, const void *bytes, size_t n)
{
	if (b->full || b->room - b->n < n + BLOCK_END) {
		b->full = true;
		return;
	}
	if (n)
		memcpy(b->p + b->n, bytes, n);
	b->n += n;
}

static void put_number(struct block *b, uint64_t value, size_t bytes)
{
	uint8_t le[8];

	for (size_t i = 0; i < bytes; i++)
		le[i] = (uint8_t)(value >> 8 * i);
	put(b, le, bytes);
}

static void put16(struct block *b, uint32_t value) { put_number(b, value, 2); }
static void put32(struct block *b, uint32_t value) { put_number(b, value, 4); }

static void pad(struct block *b)
{
	static const uint8_t zero[4];

	put(b, zero, -b->n & 3);
}

/* 64 bits as two words, the upper one first: how the format writes times. */
static void put_time(struct block *b, uint64_t ns)
{
	put32(b, (uint32_t)(ns >> 32));
	put32(b, (uint32_t)ns);
}

/* ---- blocks and options ---- */

static struct block begin(struct pcapng_room room, uint32_t type)
{
	struct block b = {.p = room.p, .room = room.n};

	put32(&b, type);
	put32(&b, 0);			/* the length, known at the end */
	return b;
}

static size_t end(struct block *b)
{
	size_t length = b->n + (b->has_options ? 8 : 4);

	if (b->full)
		return 0;
	b->room += BLOCK_END;		/* which every put has left free */
	if (b->has_options)
		put32(b, OPT_END);
	put32(b, (uint32_t)length);
	b->n = 4;
	put32(b, (uint32_t)length);
	return length;
}

static bool fits(const struct block *b, size_t n)
{
	return !b->full && n <= OPTION_MAX && b->room - b->n >= 4 + n + 3 + BLOCK_END;
}

/* One that does not fit is left out. */
static void option(struct block *b, uint16_t code, const void *bytes, size_t n)
{
	if (!fits(b, n))
		return;
	put16(b, code);
	put16(b, (uint32_t)n);
	put(b, bytes, n);
	pad(b);
	b->has_options = true;
}

static void option_number(struct block *b, uint16_t code, uint64_t value, size_t bytes)
{
	if (!fits(b, bytes))
		return;
	put16(b, code);
	put16(b, (uint32_t)bytes);
	put_number(b, value, bytes);
	pad(b);
	b->has_options = true;
}

static void option_time(struct block *b, uint16_t code, uint64_t ns)
{
	if (!fits(b, 8))
		return;
	put16(b, code);
	put16(b, 8);
	put_time(b, ns);
	b->has_options = true;
}

/* Bytes of text that fit into max, without a character of UTF-8 (RFC 3629 3) cut in two. */
static size_t whole_characters(const char *text, size_t max)
{
	size_t n = strnlen(text, max + 1);

	if (n <= max)
		return n;
	n = max;
	while (n > 0 && ((uint8_t)text[n] & 0xc0) == 0x80)
		n--;
	return n;
}

/* NULL: none. */
static void option_text(struct block *b, uint16_t code, const char *text)
{
	size_t left = b->room - b->n, most = left > 64 ? left - 64 : 0;	/* 64: for what may come behind it */

	if (text && most)
		option(b, code, text, whole_characters(text, most < OPTION_MAX ? most : OPTION_MAX));
}

static void option_comments(struct block *b, const char *comments, unsigned int count)
{
	for (unsigned int i = 0; i < count; i++) {
		option_text(b, OPT_COMMENT, comments);
		comments += strlen(comments) + 1;
	}
}

/* ---- the blocks ---- */

static void option_system(struct block *b, uint16_t hardware, uint16_t os)
{
	struct utsname name;
	char text[sizeof name.sysname + sizeof name.release + 2];

	if (uname(&name) < 0)
		return;
	if (hardware)
		option_text(b, hardware, name.machine);
	snprintf(text, sizeof text, "%s %s", name.sysname, name.release);
	option_text(b, os, text);
}

size_t pcapng_section(struct pcapng_room room, const struct capture_options *o)
{
	struct block b = begin(room, SECTION);

	put32(&b, MAGIC);
	put16(&b, 1);			/* version 1.0 */
	put16(&b, 0);
	put_number(&b, UINT64_MAX, 8);	/* the section's length: not known */
	option_system(&b, SHB_HARDWARE, SHB_OS);
	option_text(&b, SHB_USERAPPL, o->program);
	option_text(&b, OPT_COMMENT, o->comment);
	return end(&b);
}

static void option_ipv4(struct block *b, const struct capture_options *o)
{
	uint8_t bytes[8];

	if (!tapir_addr_is_ipv4(&o->addr) || tapir_addr_is_any(&o->addr))
		return;
	memcpy(bytes, o->addr.b + 12, 4);
	for (unsigned int i = 0; i < 4; i++) {
		unsigned int bits = o->prefix_len > 8 * i ? o->prefix_len - 8 * i : 0;

		bytes[4 + i] = (uint8_t)(0xff00u >> (bits < 8 ? bits : 8));
	}
	option(b, IF_IPV4ADDR, bytes, sizeof bytes);
}

size_t pcapng_interface(struct pcapng_room room, const struct capture_options *o, bool ip_only)
{
	static const uint8_t no_mac[6], nanoseconds = 9;
	struct block b = begin(room, INTERFACE);

	put16(&b, ip_only ? LINKTYPE_RAW : LINKTYPE_ETHERNET);
	put16(&b, 0);
	put32(&b, 0);			/* frames are whole, however long */
	option(&b, IF_TSRESOL, &nanoseconds, 1);
	option_ipv4(&b, o);
	if (!ip_only && memcmp(o->mac, no_mac, 6) != 0)
		option(&b, IF_MACADDR, o->mac, 6);
	if (o->speed_bps)
		option_number(&b, IF_SPEED, o->speed_bps, 8);
	option_text(&b, IF_NAME, o->interface);
	option_text(&b, IF_DESCRIPTION, o->about);
	option_system(&b, 0, IF_OS);
	return end(&b);
}

size_t pcapng_names(struct pcapng_room room, const struct capture_options *o)
{
	struct block b = begin(room, NAMES);
	size_t empty = b.n;

	for (size_t i = 0; i < sizeof o->names / sizeof o->names[0]; i++) {
		const struct capture_name *name = &o->names[i];

		if (name->name == NULL || !tapir_addr_is_ipv4(&name->addr))
			continue;
		put16(&b, NAME_IPV4);
		put16(&b, (uint32_t)(4 + strlen(name->name) + 1));
		put(&b, name->addr.b + 12, 4);
		put(&b, name->name, strlen(name->name) + 1);
		pad(&b);
	}
	if (b.n == empty)
		return 0;
	put32(&b, NAME_END);
	return end(&b);
}

static uint32_t flags_of(const struct pcapng_packet *packet)
{
	uint32_t flags = packet->out ? FLAG_OUT : FLAG_IN;

	if (packet->ip_only || packet->bytes.n < 6)
		return flags;
	if (memcmp(packet->bytes.p, "\xff\xff\xff\xff\xff\xff", 6) == 0)
		return flags | FLAG_BROADCAST;
	return flags | (packet->bytes.p[0] & 1 ? FLAG_MULTICAST : FLAG_UNICAST);
}

size_t pcapng_packet(struct pcapng_room room, const struct pcapng_packet *packet)
{
	struct block b = begin(room, PACKET);

	put32(&b, 0);			/* the interface */
	put_time(&b, packet->at_ns);
	put32(&b, (uint32_t)packet->bytes.n);
	put32(&b, (uint32_t)packet->bytes.n);
	put(&b, packet->bytes.p, packet->bytes.n);
	pad(&b);
	option_number(&b, EPB_FLAGS, flags_of(packet), 4);
	if (packet->left_out)
		option_number(&b, EPB_DROPCOUNT, packet->left_out, 8);
	option_comments(&b, packet->comments, packet->comment_count);
	return end(&b);
}

size_t pcapng_statistics(struct pcapng_room room, const struct pcapng_statistics *s)
{
	struct block b = begin(room, STATISTICS);

	put32(&b, 0);
	put_time(&b, s->now_ns);
	option_time(&b, ISB_STARTTIME, s->start_ns);
	option_time(&b, ISB_ENDTIME, s->now_ns);
	option_number(&b, ISB_IFRECV, s->received, 8);
	option_number(&b, ISB_IFDROP, s->dropped, 8);
	option_comments(&b, s->comments, s->comment_count);
	return end(&b);
}
