/* recording.c: see recording.h. */
#include "recording.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "commands.h"
#include "../drivers/line.h"
#include "../drivers/loop.h"

/* One word as a shell would take it; what is not printable ASCII is a question mark, since the file wants UTF-8. */
static void put_word(struct line *l, const char *word)
{
	bool plain = *word && !strpbrk(word, " !\"#$&'()*;<>?[\\]^`{|}~");
	line_put(l, plain ? "" : "'");
	for (; *word; word++)
		line_put(l, "%c", *word >= ' ' && *word <= '~' ? *word : '?');
	line_put(l, plain ? "" : "'");
}

static void put_command_line(struct line *l)
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
		line_put(l, word == bytes ? "" : " ");
		put_word(l, word);
	}
}

static void put_part(struct line *l, const char *what, double part)
{
	if (part > 0)
		line_put(l, " %s %.4g%%", what, 100 * part);
}

static void put_about(struct line *l, const struct options *o)
{
	const struct fault_config *f = &o->fault;
	line_put(l, "the stack's end of %s", o->tap);
	if (!options_faulty(o))
		return;
	line_put(l, ", behind a bad line:");
	put_part(l, "loss", f->loss);
	put_part(l, "reorder", f->reorder);
	put_part(l, "duplicate", f->duplicate);
	put_part(l, "corrupt", f->corrupt);
	if (f->delay_us)
		line_put(l, " delay %" PRIu64 "us", f->delay_us);
	if (f->rate_bps)
		line_put(l, " rate %" PRIu64 "bit", f->rate_bps);
}

struct capture_options recording_options(struct recording *r, const struct options *o, uint64_t seed, const uint8_t mac[6])
{
	struct line comment = { r->comment, sizeof r->comment, 0 }, about = { r->about, sizeof r->about, 0 };
	put_command_line(&comment);
	line_put(&comment, "\ntapir " TAPIR_VERSION ", --seed %" PRIu64 "\n"
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
