/* options.c: the common options, their help, their values. See options.h. */
#include "options.h"

#include <string.h>
#include <net/if.h>

#include "netif.h"
#include "values.h"

enum {
	OPT_TAP = 256, OPT_XDP, OPT_ADDR, OPT_GATEWAY, OPT_MAC, OPT_MTU, OPT_UP, OPT_CAPTURE, OPT_SEGMENTS, OPT_ROTATE, OPT_TRACE,
	OPT_LOSS, OPT_DELAY, OPT_REORDER, OPT_DUPLICATE, OPT_CORRUPT, OPT_RATE, OPT_SEED, OPT_CC, OPT_ECN, OPT_BUSY_POLL,
	OPT_POLL
};

const struct option_line common_options[] = {
	{ OPT_TAP, "tap", "NAME", "the TAP interface to use, or to make (tap0)" },
	{ OPT_XDP, "xdp", "NAME", "take all of this interface's frames through AF_XDP instead: a veth's end, or a card" },
	{ OPT_ADDR, "addr", "ADDR/LEN", "the stack's own address (10.0.0.2/24)" },
	{ OPT_GATEWAY, "gateway", "ADDR", "where datagrams to other networks go (none)" },
	{ OPT_MAC, "mac", "MAC", "the stack's link address (made from --addr)" },
	{ OPT_MTU, "mtu", "BYTES", "the IP MTU (the interface's, mostly 1500)" },
	{ OPT_UP, "up", "ADDR/LEN", "give the kernel this address on the TAP, and bring it up" },
	{ OPT_CC, "cc", "NAME", "congestion control: newreno, cubic or bbr (cubic)" },
	{ OPT_ECN, "ecn", "WHEN", "marks of congestion instead of losses: on, off, or when asked by the peer (asked)" },
	{ OPT_CAPTURE, "capture", "FILE", "write every frame to FILE.pcapng, with the reasons, to FILE.pcap, or to a pipe: -" },
	{ OPT_SEGMENTS, "capture-segments", NULL, "and large offloaded frames as the segments that they become" },
	{ OPT_ROTATE, "capture-rotate", "SIZE[,N]", "begin a new file at this size: 10M; keep the latest N" },
	{ OPT_TRACE, "trace", "[FILE]", "print one line a frame to standard error, or to FILE" },
	{ OPT_LOSS, "loss", "P", "lose this part of the frames: 1% or 0.01" },
	{ OPT_DELAY, "delay", "TIME", "hold each frame for so long: 20ms" },
	{ OPT_REORDER, "reorder", "P", "let this part of the frames be overtaken" },
	{ OPT_DUPLICATE, "duplicate", "P", "deliver this part of the frames twice" },
	{ OPT_CORRUPT, "corrupt", "P", "flip a bit in this part of the frames" },
	{ OPT_RATE, "rate", "RATE", "let no more than this through: 10mbit" },
	{ OPT_BUSY_POLL, "busy-poll", NULL, "never sleep: quicker answers, for the price of a processor" },
	{ OPT_POLL, "poll", "TIME", "look for frames so long before sleeping, while that pays off; 0s: never (50us)" },
	{ OPT_SEED, "seed", "N", "the same seed gives the same faults, ISNs and ports" },
	{ 0, NULL, NULL, NULL }
};

static const char part[] = "a part of the frames, such as 1% or 0.01, at most 100%";

void options_default(struct options *o)
{
	*o = (struct options){ .tap = "tap0", .addr = tapir_ipv4(10, 0, 0, 2), .prefix_len = 24, .congestion = TAPIR_CC_CUBIC,
				.ecn = TAPIR_ECN_IF_ASKED, .poll_us = LOOP_POLL_US };
}

bool options_faulty(const struct options *o)
{
	const struct fault_config *f = &o->fault;
	return f->loss > 0 || f->reorder > 0 || f->duplicate > 0 || f->corrupt > 0 || f->delay_us || f->rate_bps;
}

static const char *set_fault(struct options *o, int id, const char *value)
{
	struct fault_config *f = &o->fault;
	switch (id) {
	case OPT_LOSS:
		return value_probability(value, &f->loss) ? NULL : part;
	case OPT_DELAY:
		return value_duration(value, 0, &f->delay_us) ? NULL : "a time with its unit, such as 20ms or 1s, at most a day";
	case OPT_REORDER:
		return value_probability(value, &f->reorder) ? NULL : part;
	case OPT_DUPLICATE:
		return value_probability(value, &f->duplicate) ? NULL : part;
	case OPT_CORRUPT:
		return value_probability(value, &f->corrupt) ? NULL : part;
	case OPT_RATE:
		return value_rate(value, &f->rate_bps) ? NULL : "bits a second, such as 10mbit, 64kbit or 1gbit";
	default:
		o->seeded = value_number(value, 0, UINT64_MAX, &f->seed);
		return o->seeded ? NULL : "a whole number";
	}
}

static const char *set_mtu(struct options *o, const char *value)
{
	uint64_t mtu;
	if (!value_number(value, 576, 65535, &mtu))
		return "a number of bytes from 576 to 65535";
	o->mtu = (uint16_t)mtu;
	return NULL;
}

static const char *set_gateway(struct options *o, const char *value)
{
	if (tapir_addr_parse(value, &o->gateway) < 0 || tapir_addr_is_any(&o->gateway))
		return "a dotted address, such as 10.0.0.1";
	return NULL;
}

static const char *set_ecn(struct options *o, const char *value)
{
	static const char *const words[] = { [TAPIR_ECN_OFF] = "off", [TAPIR_ECN_ON] = "on", [TAPIR_ECN_IF_ASKED] = "asked" };
	for (uint8_t i = 0; i < 3; i++)
		if (strcmp(value, words[i]) == 0) {
			o->ecn = i;
			return NULL;
		}
	return "on, off or asked";
}

static const char *set_congestion(struct options *o, const char *value)
{
	int cc = tapir_cc_parse(value);
	if (cc < 0)
		return "newreno (or reno), cubic or bbr";
	o->congestion = (enum tapir_cc)cc;
	return NULL;
}

static const char *set_rotate(struct options *o, const char *value)
{
	static const char wanted[] = "the size of a file, at least 100k, and how many to keep, such as 10M or 10M,5";
	const char *comma = strchr(value, ',');
	char size[32];
	uint64_t files = 0;
	size_t n = comma ? (size_t)(comma - value) : strlen(value);
	if (n >= sizeof size || (comma && !value_number(comma + 1, 1, 99999, &files)))
		return wanted;
	memcpy(size, value, n);
	size[n] = '\0';
	if (!value_size(size, &o->rotate_bytes) || o->rotate_bytes < 100000)
		return wanted;
	o->rotate_files = (uint32_t)files;
	return NULL;
}

const char *options_contradiction(const struct options *o)
{
	if (o->xdp && o->tap_named)
		return "--tap and --xdp: the stack has one interface.";
	if (o->xdp && o->tap_only)
		return "--xdp: the lab has a network of its own, and in it a TAP.";
	if (o->xdp && !tapir_addr_is_any(&o->up_addr))
		return "--up is for a TAP, whose other end is the kernel. With --xdp, give the other end its address there.";
	if (!tapir_addr_is_any(&o->gateway) && (!netif_same_net(&o->gateway, &o->addr, o->prefix_len) ||
						tapir_addr_equal(&o->gateway, &o->addr)))
		return "--gateway: it is to be another host in the network of --addr, or no frame finds the way to it.";
	if (o->rotate_bytes && (!o->capture || strcmp(o->capture, "-") == 0))
		return "--capture-rotate goes with --capture FILE.";
	if (o->capture_segments && !o->capture && !o->always_captures)
		return "--capture-segments goes with --capture.";
	if (o->capture && strcmp(o->capture, "-") == 0 && o->stdout_taken)
		return "--capture -: the standard output is for other things here: name a file, or a FIFO.";
	return NULL;
}

const char *options_set(struct options *o, int id, const char *value)
{
	static const char host[] = "a host's address and the length of its network's prefix, such as 10.0.0.2/24";
	switch (id) {
	case OPT_TAP:
	case OPT_XDP:
		o->tap = value;
		o->tap_named |= id == OPT_TAP;
		o->xdp |= id == OPT_XDP;
		return *value && strlen(value) < IFNAMSIZ && !strpbrk(value, "/ %") ? NULL :
		       "the name of an interface, 1 to 15 characters, such as tap0";
	case OPT_ADDR:
		return value_host(value, &o->addr, &o->prefix_len) ? NULL : host;
	case OPT_GATEWAY:
		return set_gateway(o, value);
	case OPT_MAC:
		return value_mac(value, o->mac) ? NULL : "one host's link address, such as 02:00:00:00:00:01";
	case OPT_MTU:
		return set_mtu(o, value);
	case OPT_UP:
		return value_host(value, &o->up_addr, &o->up_prefix_len) ? NULL : host;
	case OPT_CC:
		return set_congestion(o, value);
	case OPT_ECN:
		return set_ecn(o, value);
	case OPT_CAPTURE:
		o->capture = value;
		return *value ? NULL : "the name of a file";
	case OPT_SEGMENTS:
		o->capture_segments = true;
		return NULL;
	case OPT_ROTATE:
		return set_rotate(o, value);
	case OPT_BUSY_POLL:
		o->busy_poll = true;
		return NULL;
	case OPT_POLL:
		return value_duration(value, 0, &o->poll_us) ? NULL : "a time with its unit, such as 50us, or 0s";
	case OPT_TRACE:
		o->trace = true;
		o->trace_file = value;
		return NULL;
	default:
		return set_fault(o, id, value);
	}
}
