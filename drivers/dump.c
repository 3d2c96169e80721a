/* dump.c: a capture file being written, for the capture wrapper and for what a replay answers: pcap, or pcapng with its header
 * blocks (pcapng.c), to a file or a pipe (sink.c), begun anew when it is large enough.
 *
 * libpcap writes only to a FILE, which can neither leave out a frame that a pipe has no room for nor say where the last whole
 * one ends; the 40 bytes that pcap itself needs are written here. */
#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <pcap/pcap.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "pcapng.h"
#include "sink.h"

#define PCAP_MAGIC_NS 0xa1b23c4du
#define PCAP_RECORD 16u
#define LINKTYPE_RAW 101		/* in a file; DLT_RAW is another number on some systems */
#define SNAPLEN 262144u			/* as tcpdump */
#define REMARK_FIXED 8u			/* bytes of an option around its text, padded */
#define STATISTICS_MAX 16384u

struct dump {
	struct capture_options o;
	bool ip_only, ng;
	struct sink *sink;		/* NULL: it could not be begun anew */
	bool has_frames;		/* this file */
	usec_t start_us;
	uint64_t received, left_out;	/* left_out: of these the file has told */
	uint32_t files;			/* that were finished */
	char path[PATH_MAX], numbered[PATH_MAX + 16];
};

static bool ends_in(const char *path, const char *suffix)
{
	size_t n = strlen(path), m = strlen(suffix);

	return n >= m && strcmp(path + n - m, suffix) == 0;
}

/* Whoever looks on live is Wireshark, and can read it. */
static bool is_pcapng(const char *path)
{
	struct stat st;

	if (strcmp(path, "-") == 0 || ends_in(path, ".pcapng"))
		return true;
	return !ends_in(path, ".pcap") && stat(path, &st) == 0 && S_ISFIFO(st.st_mode);
}

/* ---- the beginning of a file ---- */

static void put_pcap_header(struct sink *s, bool ip_only)
{
	struct pcap_file_header h = {
		.magic = PCAP_MAGIC_NS, .version_major = PCAP_VERSION_MAJOR, .version_minor = PCAP_VERSION_MINOR,
		.snaplen = SNAPLEN, .linktype = ip_only ? LINKTYPE_RAW : DLT_EN10MB,
	};
	uint8_t *p = sink_reserve(s, sizeof h);

	if (p == NULL)
		return;
	memcpy(p, &h, sizeof h);
	sink_commit(s, sizeof h);
}

static void put_pcapng_header(struct dump *d)
{
	uint8_t *p = sink_reserve(d->sink, 3 * PCAPNG_HEADER_MAX);
	size_t n;

	if (p == NULL)
		return;
	n = pcapng_section((struct pcapng_room){p, PCAPNG_HEADER_MAX}, &d->o);
	n += pcapng_interface((struct pcapng_room){p + n, PCAPNG_HEADER_MAX}, &d->o, d->ip_only);
	n += pcapng_names((struct pcapng_room){p + n, PCAPNG_HEADER_MAX}, &d->o);
	sink_commit(d->sink, n);
}

static bool begin_file(struct dump *d)
{
	d->sink = d->o.fd > 0 ? sink_open_fd(d->o.fd) : sink_open(d->path);
	if (d->sink == NULL)
		return false;
	d->has_frames = false;
	d->left_out = 0;
	if (d->ng)
		put_pcapng_header(d);
	else
		put_pcap_header(d->sink, d->ip_only);
	sink_flush(d->sink);		/* a reader may start at once */
	return true;
}

struct dump *dump_open(const struct capture_options *o, bool ip_only)
{
	struct dump *d = calloc(1, sizeof *d);

	if (d == NULL) {
		driver_fail("Out of memory.");
		return NULL;
	}
	d->o = *o;
	d->ip_only = ip_only;
	d->ng = o->fd > 0 || is_pcapng(o->path);
	if (strlen(o->path) < sizeof d->path && (strcpy(d->path, o->path), begin_file(d))) {
		if (o->rotate_bytes == 0 || !(sink_is_pipe(d->sink) || strcmp(o->path, "-") == 0))
			return d;
		driver_fail("A pipe cannot begin anew: a capture with --capture-rotate needs the name of a file.");
		sink_close(d->sink);
	} else if (strlen(o->path) >= sizeof d->path) {
		driver_fail("The name of the capture file is too long.");
	}
	free(d);
	return NULL;
}

/* ---- its end, and the next one ---- */

static void put_statistics(struct dump *d, const struct dump_end *end)
{
	uint8_t *p = d->ng && d->has_frames ? sink_reserve(d->sink, STATISTICS_MAX) : NULL;
	struct pcapng_statistics s = {
		.now_ns = end->at_us * 1000, .start_ns = d->start_us * 1000, .received = d->received, .dropped = end->lost,
		.comments = end->rest ? end->rest->text : NULL, .comment_count = end->rest ? end->rest->count : 0,
	};

	if (p)
		sink_commit(d->sink, pcapng_statistics((struct pcapng_room){p, STATISTICS_MAX}, &s));
}

/* FILE.pcapng as the number-th finished file: FILE_00001.pcapng. */
static const char *number_path(struct dump *d, uint32_t number)
{
	const char *name = strrchr(d->path, '/') ? strrchr(d->path, '/') : d->path, *dot = strrchr(name, '.');
	int stem = (int)((dot && dot > name ? dot : name + strlen(name)) - d->path);

	snprintf(d->numbered, sizeof d->numbered, "%.*s_%05u%s", stem, d->path, number, d->path + stem);
	return d->numbered;
}

static void rotate(struct dump *d, usec_t at_us)
{
	put_statistics(d, &(struct dump_end){.at_us = at_us});
	sink_close(d->sink);
	d->sink = NULL;
	d->files++;
	if (rename(d->path, number_path(d, d->files)) < 0) {
		driver_warn("the capture ends with %s, which cannot become %s: %s", d->path, d->numbered, strerror(errno));
		return;
	}
	if (d->o.rotate_files && d->files >= d->o.rotate_files)
		unlink(number_path(d, d->files - d->o.rotate_files + 1));
	if (!begin_file(d))
		driver_warn("the capture ends with %s: %s", number_path(d, d->files), driver_error());
}

/* ---- frames ---- */

static size_t put_pcap(uint8_t *p, const struct dump_frame *f)
{
	uint32_t n = (uint32_t)f->bytes.n;
	const uint32_t h[4] = {(uint32_t)(f->at_us / TAPIR_SEC), (uint32_t)(f->at_us % TAPIR_SEC) * 1000, n, n};

	_Static_assert(sizeof h == PCAP_RECORD, "as in the file");
	memcpy(p, h, sizeof h);
	memcpy(p + sizeof h, f->bytes.p, n);
	return sizeof h + n;
}

static size_t put_pcapng(struct dump *d, struct pcapng_room room, const struct dump_frame *f)
{
	struct pcapng_packet packet = {
		.at_ns = f->at_us * 1000, .bytes = f->bytes, .out = f->out, .ip_only = d->ip_only,
		.left_out = sink_left_out(d->sink) - d->left_out,
		.comments = f->remarks ? f->remarks->text : NULL, .comment_count = f->remarks ? f->remarks->count : 0,
	};

	d->left_out += packet.left_out;
	return pcapng_packet(room, &packet);
}

static size_t room_for(const struct dump *d, const struct dump_frame *f)
{
	if (!d->ng)
		return PCAP_RECORD + f->bytes.n;
	return PCAPNG_PACKET_FIXED + 64 + f->bytes.n + (f->remarks ? f->remarks->n + f->remarks->count * REMARK_FIXED : 0);
}

void dump_frame(struct dump *d, const struct dump_frame *f)
{
	size_t room = room_for(d, f);
	uint8_t *p;

	assert(f->bytes.n <= DRIVER_FRAME_MAX);
	if (d->sink && d->o.rotate_bytes && d->has_frames && sink_size(d->sink) + room > d->o.rotate_bytes &&
	    !sink_is_broken(d->sink))
		rotate(d, f->at_us);
	if (d->start_us == 0)
		d->start_us = f->at_us;
	d->received += !f->out;
	p = d->sink ? sink_reserve(d->sink, room) : NULL;
	if (p == NULL)
		return;
	d->has_frames = true;
	sink_commit(d->sink, d->ng ? put_pcapng(d, (struct pcapng_room){p, room}, f) : put_pcap(p, f));
}

void dump_flush(struct dump *d)
{
	if (d->sink)
		sink_flush(d->sink);
}

bool dump_is_waiting(const struct dump *d) { return d->sink && sink_is_waiting(d->sink); }
bool dump_is_live(const struct dump *d) { return d->sink && (sink_is_pipe(d->sink) || strcmp(d->path, "-") == 0); }
bool dump_takes_remarks(const struct dump *d) { return d->ng; }

void dump_close(struct dump *d, const struct dump_end *end)
{
	if (d->sink) {
		put_statistics(d, end);
		sink_close(d->sink);
	}
	free(d);
}
