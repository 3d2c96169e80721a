/* fuzz_pcap.c: capture files, of any format that libpcap knows, as anybody may hand them in: the replay driver reads the bytes,
 * frame by frame, `tapir ladder` draws them, every segment, in each of its forms, and `tapir why` reads or replays them.
 * Whatever is wrong ends in a sentence; time never goes back; and the file ends. */
#include <assert.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>
#include "apps/commands.h"
#include "drivers/driver.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void replay(const char *path, size_t size)
{
	static uint8_t bytes[65536 + 256];
	struct driver *d = driver_open_pcap_file(path, NULL, 0);
	usec_t now_us = 0, due_us;
	size_t frames = 0;

	if (!d)
		return;
	while ((due_us = driver_deadline(d)) != USEC_NEVER) {
		struct tapir_frame f = {.data = bytes, .room = sizeof bytes};
		char text[400];

		assert(due_us >= now_us);
		now_us = due_us;
		if (driver_recv(d, &f, now_us) == 1) {
			assert(f.len <= f.room && ++frames <= size);
			trace_format(text, sizeof text, (struct span){f.data, f.len},
				     &(struct trace_options){.ip_only = d->ip_only, .checksums = true});
		}
	}
	driver_close(d);
}

/* What is printed goes nowhere; libFuzzer itself writes to the descriptor. */
static void be_quiet(void)
{
	static FILE *nowhere;

	if (!nowhere)
		nowhere = stdout = stderr = fopen("/dev/null", "w");
	assert(nowhere);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	int fd = memfd_create("capture", MFD_CLOEXEC);
	char path[40], ladder[] = "ladder", all[] = "--all", mermaid[] = "--mermaid", svg[] = "--svg", zh[] = "--lang=zh";
	char why[] = "why", replay_it[] = "--replay", *forms[] = {all, mermaid, svg, zh};
	char *why_argv[][5] = {{why, path, NULL}, {why, all, replay_it, path, NULL}};

	be_quiet();
	assert(fd >= 0 && write(fd, data, size) == (ssize_t)size);
	snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
	replay(path, size);
	for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++) {
		char *argv[] = {ladder, all, forms[i], path, NULL};

		optind = 0;		/* glibc: begin again */
		ladder_main(4, argv);
	}
	for (int i = 0; i < 2; i++) {
		optind = 0;
		lseek(fd, 0, SEEK_SET);
		why_main(i ? 4 : 2, why_argv[i]);
	}
	close(fd);
	return 0;
}
