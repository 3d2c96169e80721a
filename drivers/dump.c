/* dump.c: a pcap file being written, for the capture wrapper and for what a replay answers.
 *
 * libpcap writes the format; the file is buffered, and its owner says when to flush. A disk that fills up ends the file,
 * never the stack. */
#include <assert.h>
#include <errno.h>
#include <pcap/pcap.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "internal.h"

#define DUMP_BUFFER (256 * 1024)
#define DUMP_SNAPLEN 262144		/* as tcpdump */

struct dump {
	pcap_t *format;
	pcap_dumper_t *out;
	bool broken;
	uint8_t scratch[DRIVER_FRAME_MAX];
	char path[256];
};

static FILE *open_file(const char *path)
{
	FILE *file = strcmp(path, "-") == 0 ? stdout : fopen(path, "we");

	if (file == NULL)
		driver_fail("The capture file %s cannot be written: %s.", path, strerror(errno));
	else
		setvbuf(file, NULL, _IOFBF, DUMP_BUFFER);
	return file;
}

struct dump *dump_open(const char *path, bool ip_only)
{
	struct dump *d = calloc(1, sizeof *d);
	FILE *file;

	if (d == NULL) {
		driver_fail("Out of memory.");
		return NULL;
	}
	snprintf(d->path, sizeof d->path, "%s", path);
	d->format = pcap_open_dead_with_tstamp_precision(ip_only ? DLT_RAW : DLT_EN10MB, DUMP_SNAPLEN,
							 PCAP_TSTAMP_PRECISION_NANO);
	file = d->format ? open_file(path) : NULL;
	if (file)
		d->out = pcap_dump_fopen(d->format, file);
	if (d->out) {
		dump_flush(d);		/* a reader may start at once */
		return d;
	}
	if (file)
		driver_fail("The capture file %s cannot be written: %s", path, pcap_geterr(d->format));
	if (d->format)
		pcap_close(d->format);
	free(d);
	return NULL;
}

static void dump_bytes(struct dump *d, usec_t at_us, const uint8_t *bytes, uint32_t n)
{
	struct pcap_pkthdr h = {.caplen = n, .len = n};

	h.ts.tv_sec = (time_t)(at_us / TAPIR_SEC);
	h.ts.tv_usec = (suseconds_t)(at_us % TAPIR_SEC * 1000);	/* nanoseconds, by the precision asked for */
	pcap_dump((u_char *)d->out, &h, bytes);
}

void dump_out(struct dump *d, usec_t at_us, const struct tapir_out *out)
{
	assert(out->len <= sizeof d->scratch);
	if (d->broken)
		return;
	tapir_out_copy(out, d->scratch, false);
	dump_bytes(d, at_us, d->scratch, out->len);
}

void dump_frame(struct dump *d, usec_t at_us, const struct tapir_frame *frame)
{
	struct tapir_out out;

	if (frame->offload.csum == TAPIR_CSUM_PARTIAL) {
		driver_flat_out(&out, frame->data, frame->len, &frame->offload);
		dump_out(d, at_us, &out);
	} else if (!d->broken) {
		dump_bytes(d, at_us, frame->data, frame->len);
	}
}

void dump_flush(struct dump *d)
{
	if (d->broken || (pcap_dump_flush(d->out) == 0 && !ferror(pcap_dump_file(d->out))))
		return;
	driver_warn("the capture file %s ends here: %s", d->path, strerror(errno));
	d->broken = true;
}

void dump_close(struct dump *d)
{
	dump_flush(d);
	pcap_dump_close(d->out);
	pcap_close(d->format);
	free(d);
}
