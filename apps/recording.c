/* recording.c: see recording.h. */
#include "recording.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "commands.h"
#include "../drivers/loop.h"

struct text { char *at; size_t left; };

static void put(struct text *t, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void put(struct text *t, const char *format, ...)
{
	va_list list;
	va_start(list, format);
	int n = vsnprintf(t->at, t->left, format, list);
	va_end(list);
	if (n <= 0)
		return;
	size_t took = (size_t)n < t->left ? (size_t)n : t->left - 1;
	t->at += took;
	t->left -= took;
}

/* One word as a shell would take it; what is not printable ASCII is a question mark, since the file wants UTF-8. */
static void put_word(struct text *t, const char *word)
{
	bool plain = *word && !strpbrk(word, " !\"#$&'()*;<>?[\\]^`{|}~");
	put(t, plain ? "" : "'");
	for (; *word; word++)
		put(t, "%c", *word >= ' ' && *word <= '~' ? *word : '?');
	put(t, plain ? "" : "'");
}

static void put_command_line(struct text *t)
{
	char bytes[2048];
	int fd = open("/proc/self/cmdline", O_RDONLY | O_CLOEXEC);
	ssize_t n = fd >= 0 ? read(fd, bytes, sizeof bytes - 1) : 0;
	if (fd >= 0)
		close(fd);
	if (n <= 0)
		return;
	bytes[n] = '\0';
	for (const char *word = bytes; word < bytes + n; word += strlen(word) + 1) {
		put(t, word == bytes ? "" : " ");
		put_word(t, word);
	}
}

static void put_part(struct text *t, const char *what, double part)
{
	if (part > 0)
		put(t, " %s %.4g%%", what, 100 * part);
}

static void put_about(struct text *t, const struct options *o)
{
	const struct fault_config *f = &o->fault;
	put(t, "the stack's end of %s", o->tap);
	if (!options_faulty(o))
		return;
	put(t, ", behind a bad line:");
	put_part(t, "loss", f->loss);
	put_part(t, "reorder", f->reorder);
	put_part(t, "duplicate", f->duplicate);
	put_part(t, "corrupt", f->corrupt);
	if (f->delay_us)
		put(t, " delay %" PRIu64 "us", f->delay_us);
	if (f->rate_bps)
		put(t, " rate %" PRIu64 "bit", f->rate_bps);
}

struct capture_options recording_options(struct recording *r, const struct options *o, uint64_t seed, const uint8_t mac[6])
{
	struct text comment = { r->comment, sizeof r->comment }, about = { r->about, sizeof r->about };
	put_command_line(&comment);
	put(&comment, "\ntapir " TAPIR_VERSION ", --seed %" PRIu64 "\n"
	    "Frames are as the stack saw them, comments are its own account of them.", seed);
	put_about(&about, o);
	struct capture_options c = {
		.path = o->capture, .epoch_us = loop_epoch_us(), .segments = o->capture_segments,
		.rotate_bytes = o->rotate_bytes, .rotate_files = o->rotate_files,
		.comment = r->comment, .program = "tapir " TAPIR_VERSION, .interface = o->tap, .about = r->about,
		.addr = o->addr, .prefix_len = o->prefix_len, .speed_bps = o->fault.rate_bps,
		.names = { { o->addr, "stack" } },
	};
	memcpy(c.mac, mac, 6);
	if (!tapir_addr_is_any(&o->up_addr))
		c.names[1] = (struct capture_name){ o->up_addr, "kernel" };
	if (!tapir_addr_is_any(&o->gateway) && !tapir_addr_equal(&o->gateway, &o->up_addr))
		c.names[2] = (struct capture_name){ o->gateway, "gateway" };
	return c;
}

const char *recording_stdout_wrong(void)
{
	return isatty(STDOUT_FILENO) ? "a capture is nothing for a terminal: type  | wireshark -k -i -  behind it" : NULL;
}

void recording_leave_stdout(void)
{
	fflush(stdout);
	dup2(STDERR_FILENO, STDOUT_FILENO);
}
