/* stat_text.c: see stat_text.h. Reads the objects by name and takes what is not there for nothing: they come from another
 * process, which may be another tapir. */
#include "stat_text.h"

#include <stdlib.h>
#include <string.h>

#include "../stack/tapir.h"
#include "table.h"

static json_int_t number(const json_t *o, const char *key)
{
	return json_integer_value(json_object_get(o, key));
}

static const char *word(const json_t *o, const char *key)
{
	const char *s = json_string_value(json_object_get(o, key));
	return s ? s : "-";
}

static bool is_listener(const json_t *o)
{
	return strcmp(word(o, "state"), "LISTEN") == 0;
}

const char *stat_duration(json_int_t us, char text[STAT_DURATION])
{
	double ms = (double)us / 1e3, s = (double)us / 1e6;
	json_int_t seconds = us / 1000000, minutes = seconds / 60, hours = minutes / 60;
	if (us < 1000)
		snprintf(text, STAT_DURATION, "%dus", (int)us);
	else if (us < 9995)
		snprintf(text, STAT_DURATION, "%.2fms", ms);
	else if (us < 99950)
		snprintf(text, STAT_DURATION, "%.1fms", ms);
	else if (us < 999500)
		snprintf(text, STAT_DURATION, "%.0fms", ms);
	else if (us < 9995000)
		snprintf(text, STAT_DURATION, "%.2fs", s);
	else if (us < 59950000)
		snprintf(text, STAT_DURATION, "%.1fs", s);
	else if (hours == 0)
		snprintf(text, STAT_DURATION, "%dm%02ds", (int)minutes, (int)(seconds % 60));
	else if (hours < 48)
		snprintf(text, STAT_DURATION, "%dh%02dm", (int)hours, (int)(minutes % 60));
	else
		snprintf(text, STAT_DURATION, "%dd%02dh", (int)(hours / 24), (int)(hours % 24));
	return text;
}

/* "1234 B", "12.3 kB": as much as a person takes in. */
static const char *volume(json_int_t bytes, char text[STAT_DURATION])
{
	static const char *const units[] = { "B", "kB", "MB", "GB", "TB", "PB" };
	double n = (double)bytes;
	size_t i = 0;
	for (; n >= 9999.5 && i < 5; i++)
		n /= 1000;
	snprintf(text, STAT_DURATION, i ? "%.1f %s" : "%.0f %s", n, units[i]);
	return text;
}

/* "10.0.0.1:80"; port 0 is any. */
static void cell_endpoint(struct table *t, const json_t *o, const char *addr, const char *port)
{
	if (number(o, port))
		table_cell(t, "%s:%d", word(o, addr), (int)number(o, port));
	else
		table_cell(t, "%s:*", word(o, addr));
}

/* A number that only means something when it is there and not 0. */
static void cell_number(struct table *t, const json_t *o, const char *key)
{
	if (number(o, key))
		table_cell(t, "%" JSON_INTEGER_FORMAT, number(o, key));
	else
		table_cell(t, "-");
}

static void cell_duration(struct table *t, const json_t *o, const char *key)
{
	char text[STAT_DURATION];
	table_cell(t, "%s", number(o, key) ? stat_duration(number(o, key), text) : "-");
}

/* --- in an order --- */

/* Listeners first, then by the ports, ours and theirs. */
static int by_port(const void *a, const void *b)
{
	const json_t *x = *(json_t *const *)a, *y = *(json_t *const *)b;
	if (is_listener(x) != is_listener(y))
		return is_listener(x) ? -1 : 1;
	json_int_t d = number(x, "local_port") - number(y, "local_port");
	if (!d)
		d = strcmp(word(x, "peer"), word(y, "peer"));
	if (!d)
		d = number(x, "peer_port") - number(y, "peer_port");
	return d < 0 ? -1 : d > 0;
}

/* The rows of a list in order, to be freed; *n of them. */
static json_t **sorted(const json_t *list, size_t *n)
{
	json_t **rows = calloc(json_array_size(list) + 1, sizeof *rows);
	*n = rows ? json_array_size(list) : 0;
	for (size_t i = 0; i < *n; i++)
		rows[i] = json_array_get(list, i);
	if (*n)
		qsort(rows, *n, sizeof(json_t *), by_port);
	return rows;
}

/* --- connections --- */

static int by_time(const void *a, const void *b)
{
	json_int_t x = json_integer_value(*(json_t *const *)a), y = json_integer_value(*(json_t *const *)b);
	return x < y ? -1 : x > y;
}

/* "RTO 203ms, KEEPALIVE 2h00m": in how much time each fires, the next one first. */
static void cell_timers(struct table *t, json_t *timers)
{
	json_t *times[TAPIR_TIMER_COUNT], *time;
	char text[256] = "", duration[STAT_DURATION];
	const char *name;
	size_t n = 0, at = 0;
	json_object_foreach(timers, name, time)
		if (n < TAPIR_TIMER_COUNT)
			times[n++] = time;
	if (n)
		qsort(times, n, sizeof times[0], by_time);
	for (size_t i = 0; i < n; i++)
		json_object_foreach(timers, name, time)
			if (time == times[i] && at < sizeof text)
				at += (size_t)snprintf(text + at, sizeof text - at, "%s%s %s", at ? ", " : "", name,
						       stat_duration(json_integer_value(time), duration));
	table_cell(t, "%s", n ? text : "-");
}

static void tcp_row(struct table *t, const json_t *o)
{
	table_cell(t, "%s", word(o, "state"));
	table_cell(t, "%d", (int)number(o, "recv_q"));
	table_cell(t, "%d", (int)number(o, "send_q"));
	cell_endpoint(t, o, "local", "local_port");
	cell_endpoint(t, o, "peer", "peer_port");
	cell_number(t, o, "snd_cwnd");
	cell_number(t, o, "snd_ssthresh");
	cell_duration(t, o, "rtt_us");
	cell_duration(t, o, "rto_us");
	if (is_listener(o))
		table_cell(t, "-");
	else
		table_cell(t, "%d/%d", (int)number(o, "retransmits"), (int)number(o, "total_retrans"));
	cell_timers(t, json_object_get(o, "timers_us"));
}

static void show_tcp(FILE *out, const json_t *whole)
{
	static const char *const heads[] = { "<State", ">Recv-Q", ">Send-Q", "<Local address", "<Peer address", ">Cwnd",
					     ">Ssthresh", ">SRTT", ">RTO", ">Retrans", "<Timers", NULL };
	struct table t;
	size_t n;
	json_t **rows = sorted(json_object_get(whole, "tcp"), &n);
	fprintf(out, "TCP: %zu\n", n);
	table_begin(&t, heads);
	for (size_t i = 0; i < n; i++)
		tcp_row(&t, rows[i]);
	if (n)
		table_end(&t, out);
	free(rows);
}

static void show_udp(FILE *out, const json_t *whole)
{
	static const char *const heads[] = { ">Recv-Q", "<Local address", "<Peer address", ">Datagrams", ">Rcvbuf", ">Drops",
					     NULL };
	struct table t;
	size_t n;
	json_t **rows = sorted(json_object_get(whole, "udp"), &n);
	fprintf(out, "UDP: %zu\n", n);
	table_begin(&t, heads);
	for (size_t i = 0; i < n; i++) {
		table_cell(&t, "%d", (int)number(rows[i], "recv_q"));
		cell_endpoint(&t, rows[i], "local", "local_port");
		cell_endpoint(&t, rows[i], "peer", "peer_port");
		table_cell(&t, "%d", (int)number(rows[i], "datagrams"));
		table_cell(&t, "%d", (int)number(rows[i], "rcvbuf"));
		table_cell(&t, "%d", (int)number(rows[i], "drops"));
	}
	if (n)
		table_end(&t, out);
	free(rows);
}

struct armed { const json_t *conn; const char *name; json_int_t left_us; };

static int by_left(const void *a, const void *b)
{
	const struct armed *x = a, *y = b;
	return x->left_us < y->left_us ? -1 : x->left_us > y->left_us;
}

/* Every timer of every connection, the next one first. */
static size_t gather_timers(const json_t *tcp, struct armed **all)
{
	size_t n = 0, i;
	json_t *conn, *left;
	const char *name;
	*all = calloc(json_array_size(tcp) * TAPIR_TIMER_COUNT + 1, sizeof **all);
	json_array_foreach(tcp, i, conn) {
		size_t of_this = 0;
		json_object_foreach(json_object_get(conn, "timers_us"), name, left)
			if (*all && of_this++ < TAPIR_TIMER_COUNT)
				(*all)[n++] = (struct armed){ conn, name, json_integer_value(left) };
	}
	if (n)
		qsort(*all, n, sizeof **all, by_left);
	return n;
}

static void show_timers(FILE *out, const json_t *whole)
{
	static const char *const heads[] = { ">Fires in", "<Timer", "<State", "<Local address", "<Peer address", NULL };
	struct armed *all;
	struct table t;
	char text[STAT_DURATION];
	size_t n = gather_timers(json_object_get(whole, "tcp"), &all);
	fprintf(out, "TCP timers: %zu\n", n);
	table_begin(&t, heads);
	for (size_t i = 0; i < n; i++) {
		table_cell(&t, "%s", stat_duration(all[i].left_us, text));
		table_cell(&t, "%s", all[i].name);
		table_cell(&t, "%s", word(all[i].conn, "state"));
		cell_endpoint(&t, all[i].conn, "local", "local_port");
		cell_endpoint(&t, all[i].conn, "peer", "peer_port");
	}
	if (n)
		table_end(&t, out);
	free(all);
}

/* --- neighbours and ways --- */

/* As arp -a, and how old the knowledge is. */
static void show_arp(FILE *out, const json_t *whole)
{
	const char *tap = word(json_object_get(whole, "stack"), "tap");
	char text[STAT_DURATION];
	json_t *row;
	size_t i;
	json_array_foreach(json_object_get(whole, "arp"), i, row) {
		if (json_is_string(json_object_get(row, "mac")))
			fprintf(out, "? (%s) at %s [ether] on %s, heard %s ago\n", word(row, "address"), word(row, "mac"), tap,
				stat_duration(number(row, "age_us"), text));
		else
			fprintf(out, "? (%s) at <incomplete> on %s\n", word(row, "address"), tap);
	}
	if (!json_array_size(json_object_get(whole, "arp")))
		fprintf(out, "ARP: no neighbour is known\n");
}

static void show_routes(FILE *out, const json_t *whole)
{
	static const char *const heads[] = { "<Destination", "<Gateway", ">MTU", "<Iface", NULL };
	struct table t;
	json_t *row;
	size_t i;
	fprintf(out, "Routes\n");
	table_begin(&t, heads);
	json_array_foreach(json_object_get(whole, "routes"), i, row) {
		if (number(row, "prefix_len"))
			table_cell(&t, "%s/%d", word(row, "net"), (int)number(row, "prefix_len"));
		else
			table_cell(&t, "default");
		table_cell(&t, "%s", word(row, "gateway"));
		table_cell(&t, "%d", (int)number(row, "mtu"));
		table_cell(&t, "%s", word(json_object_get(whole, "stack"), "tap"));
	}
	table_end(&t, out);
}

static void show_paths(FILE *out, const json_t *whole)
{
	static const char *const heads[] = { "<Host", ">MTU", ">Reported", ">Forgotten in", ">Carried", ">Too large from", ">Probe",
					     NULL };
	struct table t;
	json_t *row;
	size_t i, n = json_array_size(json_object_get(whole, "paths"));
	fprintf(out, "Path MTUs: %zu\n", n);
	table_begin(&t, heads);
	json_array_foreach(json_object_get(whole, "paths"), i, row) {
		table_cell(&t, "%s", word(row, "host"));
		cell_number(&t, row, "mtu");
		cell_number(&t, row, "reported");
		cell_duration(&t, row, "left_us");
		cell_number(&t, row, "low");
		if (number(row, "high"))
			table_cell(&t, "%d", (int)number(row, "high") + 1);
		else
			table_cell(&t, "-");
		cell_number(&t, row, "probe");
	}
	if (n)
		table_end(&t, out);
}

/* --- counters and memory --- */

static void show_verdicts(FILE *out, json_t *verdicts)
{
	static const char *const heads[] = { ">Frames", "<Verdict", "<Meaning", NULL };
	struct table t;
	fprintf(out, "Verdicts\n");
	table_begin(&t, heads);
	for (enum tapir_verdict v = 0; v < TAPIR_VERDICT_COUNT; v++) {
		json_int_t n = number(verdicts, tapir_verdict_name(v));
		if (!n)
			continue;
		table_cell(&t, "%" JSON_INTEGER_FORMAT, n);
		table_cell(&t, "%s", tapir_verdict_name(v));
		table_cell(&t, "%s", tapir_verdict_text(v));
	}
	table_end(&t, out);
}

static void show_counters(FILE *out, const json_t *whole)
{
	static const struct { const char *key, *text; } lines[] = {
		{ "tcp_active_opens", "active opens" }, { "tcp_passive_opens", "passive opens" },
		{ "tcp_attempt_fails", "attempts to open that failed" }, { "tcp_estab_resets", "established connections reset" },
		{ "tcp_segs_in", "segments in" }, { "tcp_segs_out", "segments out" }, { "tcp_retrans", "retransmissions" },
		{ "tcp_timeouts", "retransmission timeouts" }, { "tcp_rsts_out", "resets sent" },
		{ "udp_in", "datagrams in" }, { "udp_out", "datagrams out" },
	};
	const json_t *o = json_object_get(whole, "counters");
	char text[STAT_DURATION];
	fprintf(out, "Frames\n");
	fprintf(out, "    %" JSON_INTEGER_FORMAT " in, %s\n", number(o, "frames_in"), volume(number(o, "bytes_in"), text));
	fprintf(out, "    %" JSON_INTEGER_FORMAT " out, %s\n", number(o, "frames_out"), volume(number(o, "bytes_out"), text));
	for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
		if (i == 0 || lines[i].key[0] != lines[i - 1].key[0])
			fprintf(out, "%s\n", lines[i].key[0] == 't' ? "TCP" : "UDP");
		fprintf(out, "    %" JSON_INTEGER_FORMAT " %s\n", number(o, lines[i].key), lines[i].text);
	}
	show_verdicts(out, json_object_get(o, "verdicts"));
}

static void show_memory(FILE *out, const json_t *whole)
{
	static const char *const heads[] = { "<Memory", ">Used", ">Of", NULL };
	static const struct { const char *key, *of, *text; } lines[] = {
		{ "sockets", "sockets_max", "sockets" }, { "bound", "bound_max", "  of them TCP, bound or listening" },
		{ "datagram", "datagram_max", "  of them UDP" }, { "conns", "conns_max", "TCP connections" },
		{ "half_open", "half_open_max", "  of them half open" },
		{ "time_wait", "time_wait_max", "  of them in TIME-WAIT" },
		{ "sending", "sending_max", "places for text under way" },
		{ "small_frames", "small_frames_max", "small frames (2 KiB)" },
		{ "large_frames", "large_frames_max", "large frames (64 KiB)" }, { "arp", "arp_max", "ARP entries" },
		{ "reass", "reass_max", "datagrams in reassembly" }, { "tcp_tunings", "tcp_tunings_max", "sets of TCP options" },
		{ "timers", "", "timers armed" },
	};
	const json_t *o = json_object_get(whole, "memory");
	struct table t;
	char text[STAT_DURATION];
	table_begin(&t, heads);
	for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
		table_cell(&t, "%s", lines[i].text);
		table_cell(&t, "%" JSON_INTEGER_FORMAT, number(o, lines[i].key));
		cell_number(&t, o, lines[i].of);
	}
	table_end(&t, out);
	fprintf(out, "in one block of %s\n", volume(number(o, "bytes"), text));
}

/* --- all together --- */

void stat_text_stack(FILE *out, const json_t *stack)
{
	char text[STAT_DURATION];
	fprintf(out, "%s  %s/%d  tapir %s", word(stack, "tap"), word(stack, "address"), (int)number(stack, "prefix_len"),
		word(stack, "command"));
	if (number(stack, "pid"))
		fprintf(out, ", process %d", (int)number(stack, "pid"));
	fprintf(out, ", up %s%s\n", stat_duration(number(stack, "uptime_us"), text),
		json_is_false(json_object_get(stack, "address_ready")) ? ", its address may not be used yet" : "");
}

void stat_text(FILE *out, const json_t *whole, unsigned what)
{
	static const struct { unsigned what; void (*show)(FILE *out, const json_t *whole); } parts[] = {
		{ STAT_TCP, show_tcp }, { STAT_UDP, show_udp }, { STAT_ARP, show_arp }, { STAT_ROUTES, show_routes },
		{ STAT_ROUTES, show_paths }, { STAT_COUNTERS, show_counters }, { STAT_TIMERS, show_timers },
		{ STAT_MEMORY, show_memory },
	};
	bool first = what == STAT_ARP;		/* alone it is arp -a */
	if (!first)
		stat_text_stack(out, json_object_get(whole, "stack"));
	for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
		if (!(what & parts[i].what))
			continue;
		if (!first)
			fputc('\n', out);
		first = false;
		parts[i].show(out, whole);
	}
}
