/* snapshot.c: see snapshot.h. The names in the objects are those of tapir.h where it has them; times and lengths of time are in
 * microseconds and end in _us. */
#include "snapshot.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#define ROWS 32				/* connections in one piece */
#define ROUTES_MAX 18
#define PATHS_MAX 128
#define UNLIMITED (1u << 30)		/* no window is larger (RFC 7323 2.3): a threshold of that is none */

const char *const snapshot_words[SNAPSHOT_SECTIONS] = {
	[SNAPSHOT_TCP] = "tcp", [SNAPSHOT_UDP] = "udp", [SNAPSHOT_ARP] = "arp", [SNAPSHOT_ROUTES] = "routes",
	[SNAPSHOT_PATHS] = "paths", [SNAPSHOT_COUNTERS] = "counters", [SNAPSHOT_MEMORY] = "memory",
};

unsigned snapshot_parse(const char *words)
{
	unsigned sections = 0;
	for (size_t n; *words; words += n) {
		words += strspn(words, " \t\r\n");
		n = strcspn(words, " \t\r\n");
		for (int i = 0; i < SNAPSHOT_SECTIONS; i++)
			if (n == strlen(snapshot_words[i]) && strncmp(words, snapshot_words[i], n) == 0)
				sections |= 1u << i;
	}
	return sections;
}

static void number(json_t *o, const char *key, uint64_t value)
{
	json_object_set_new(o, key, json_integer((json_int_t)value));
}

static void word(json_t *o, const char *key, const char *value)
{
	json_object_set_new(o, key, json_string(value));
}

static void truth(json_t *o, const char *key, bool value)
{
	json_object_set_new(o, key, json_boolean(value));
}

static void addr(json_t *o, const char *key, const struct tapir_addr *a)
{
	char text[TAPIR_ADDR_TEXT];
	word(o, key, tapir_addr_is_any(a) ? "0.0.0.0" : tapir_addr_format(a, text));
}

static void mac(json_t *o, const char *key, const uint8_t m[6])
{
	char text[18];
	snprintf(text, sizeof text, "%02x:%02x:%02x:%02x:%02x:%02x", m[0], m[1], m[2], m[3], m[4], m[5]);
	word(o, key, text);
}

/* One line, and o is gone. */
static void line(FILE *out, const char *key, json_t *o)
{
	json_t *whole = json_object();
	json_object_set_new(whole, key, o);
	json_dumpf(whole, out, JSON_COMPACT);
	fputc('\n', out);
	json_decref(whole);
}

/* A field of the same name. */
#define NUMBER(o, from, field) number(o, #field, (uint64_t)(from)->field)

/* --- tcp and udp --- */

static json_t *timers_of(const struct tapir_tcp_row *r, usec_t now)
{
	json_t *o = json_object();
	for (enum tapir_tcp_timer i = 0; i < TAPIR_TIMER_COUNT; i++)
		if (r->due_us[i] != USEC_NEVER)
			number(o, tapir_timer_name(i), r->due_us[i] > now ? r->due_us[i] - now : 0);
	return o;
}

static void add_retransmissions(json_t *o, const struct tapir_tcp_info *i)
{
	NUMBER(o, i, rto_us);
	NUMBER(o, i, retransmits);
	NUMBER(o, i, total_retrans);
}

static void add_sending(json_t *o, const struct tapir_tcp_info *i)
{
	static const char *const states[] = { "open", "disorder", "cwr", "recovery", "loss" };	/* enum tapir_ca_state */
	word(o, "congestion", i->congestion);
	word(o, "ca_state", states[i->ca_state]);
	NUMBER(o, i, snd_cwnd);
	json_object_set_new(o, "snd_ssthresh",
			    i->snd_ssthresh >= UNLIMITED ? json_null() : json_integer((json_int_t)i->snd_ssthresh));
	NUMBER(o, i, rtt_us);
	NUMBER(o, i, rttvar_us);
	add_retransmissions(o, i);
	NUMBER(o, i, backoff);
	NUMBER(o, i, probes);
	NUMBER(o, i, unacked);
	NUMBER(o, i, notsent);
	NUMBER(o, i, snd_mss);
	NUMBER(o, i, snd_wnd);
	NUMBER(o, i, snd_wscale);
	NUMBER(o, i, pmtu);
}

static void add_receiving(json_t *o, const struct tapir_tcp_info *i)
{
	NUMBER(o, i, rcv_mss);
	NUMBER(o, i, advmss);
	NUMBER(o, i, rcv_wnd);
	NUMBER(o, i, rcv_wscale);
	NUMBER(o, i, rcv_rtt_us);
	NUMBER(o, i, rcv_space);
	NUMBER(o, i, ato_us);
	truth(o, "timestamps", i->timestamps);
	truth(o, "sack", i->sack);
	truth(o, "ecn", i->ecn);
	truth(o, "ecn_seen", i->ecn_seen);
	truth(o, "syn_data", i->syn_data);
}

static void add_totals(json_t *o, const struct tapir_tcp_info *i)
{
	NUMBER(o, i, bytes_acked);
	NUMBER(o, i, bytes_received);
	NUMBER(o, i, bytes_sent);
	NUMBER(o, i, bytes_retrans);
	NUMBER(o, i, segs_in);
	NUMBER(o, i, segs_out);
	NUMBER(o, i, rcv_ooopack);
	NUMBER(o, i, received_ce);
	NUMBER(o, i, last_data_sent_us);
	NUMBER(o, i, last_recv_us);
	json_object_set_new(o, "soft_error", i->soft_error ? json_string(tapir_errname(i->soft_error)) : json_null());
}

static json_t *tcp_object(const struct tapir_tcp_row *r, usec_t now)
{
	json_t *o = json_object();	/* of a listener, and of what is kept small, as much as there is */
	word(o, "state", tapir_tcp_state_name(r->info.state));
	addr(o, "local", &r->info.local.addr);
	number(o, "local_port", r->info.local.port);
	addr(o, "peer", &r->info.peer.addr);
	number(o, "peer_port", r->info.peer.port);
	NUMBER(o, r, recv_q);
	NUMBER(o, r, send_q);
	NUMBER(o, r, rcvbuf);
	NUMBER(o, r, sndbuf);
	if (r->info.state == TAPIR_TCP_LISTEN)
		return o;
	truth(o, "orphan", r->orphan);
	json_object_set_new(o, "timers_us", timers_of(r, now));
	if (r->brief) {
		add_retransmissions(o, &r->info);
		return o;
	}
	add_sending(o, &r->info);
	add_receiving(o, &r->info);
	add_totals(o, &r->info);
	return o;
}

static bool tcp_piece(struct snapshot *s, FILE *out)
{
	struct tapir_tcp_row rows[ROWS];
	uint32_t n = tapir_tcp_list(s->stack, &s->cursor, rows, ROWS);
	for (uint32_t i = 0; i < n; i++)
		line(out, "tcp", tcp_object(&rows[i], tapir_now(s->stack)));
	return s->cursor.done;
}

static bool udp_piece(struct snapshot *s, FILE *out)
{
	struct tapir_udp_row rows[ROWS];
	uint32_t n = tapir_udp_list(s->stack, &s->cursor, rows, ROWS);
	for (uint32_t i = 0; i < n; i++) {
		json_t *o = json_object();
		addr(o, "local", &rows[i].local.addr);
		number(o, "local_port", rows[i].local.port);
		addr(o, "peer", &rows[i].peer.addr);
		number(o, "peer_port", rows[i].peer.port);
		NUMBER(o, &rows[i], recv_q);
		NUMBER(o, &rows[i], datagrams);
		NUMBER(o, &rows[i], rcvbuf);
		NUMBER(o, &rows[i], drops);
		line(out, "udp", o);
	}
	return s->cursor.done;
}

/* --- what is never much --- */

static bool arp_piece(struct snapshot *s, FILE *out)
{
	uint32_t max = tapir_get_config(s->stack)->arp_entries, n;
	struct tapir_arp_entry *rows = calloc(max, sizeof *rows);
	if (!rows)
		return true;
	n = tapir_arp_list(s->stack, rows, max);
	for (uint32_t i = 0; i < n && i < max; i++) {
		json_t *o = json_object();
		addr(o, "address", &rows[i].addr);
		if (rows[i].reachable)
			mac(o, "mac", rows[i].mac);
		else
			json_object_set_new(o, "mac", json_null());
		NUMBER(o, &rows[i], age_us);
		line(out, "arp", o);
	}
	free(rows);
	return true;
}

static bool routes_piece(struct snapshot *s, FILE *out)
{
	struct tapir_route rows[ROUTES_MAX];
	uint32_t n = tapir_route_list(s->stack, rows, ROUTES_MAX);
	for (uint32_t i = 0; i < n && i < ROUTES_MAX; i++) {
		json_t *o = json_object();
		addr(o, "net", &rows[i].net);
		NUMBER(o, &rows[i], prefix_len);
		if (tapir_addr_is_any(&rows[i].gateway))
			json_object_set_new(o, "gateway", json_null());
		else
			addr(o, "gateway", &rows[i].gateway);
		number(o, "mtu", tapir_get_config(s->stack)->mtu);
		line(out, "routes", o);
	}
	return true;
}

/* Of the search only what it has found. */
static bool paths_piece(struct snapshot *s, FILE *out)
{
	struct tapir_path rows[PATHS_MAX];
	uint32_t n = tapir_path_list(s->stack, rows, PATHS_MAX);
	for (uint32_t i = 0; i < n && i < PATHS_MAX; i++) {
		const struct tapir_path *p = &rows[i];
		json_t *o = json_object();
		addr(o, "host", &p->host);
		NUMBER(o, p, mtu);
		json_object_set_new(o, "reported", p->reported ? json_integer(p->reported) : json_null());
		json_object_set_new(o, "left_us", p->reported ? json_integer((json_int_t)p->left_us) : json_null());
		json_object_set_new(o, "low", p->low && p->low < UINT16_MAX ? json_integer(p->low) : json_null());
		json_object_set_new(o, "high", p->high && p->high < UINT16_MAX ? json_integer(p->high) : json_null());
		json_object_set_new(o, "probe", p->probe ? json_integer(p->probe) : json_null());
		line(out, "paths", o);
	}
	return true;
}

static bool counters_piece(struct snapshot *s, FILE *out)
{
	struct tapir_stats stats, *p = &stats;
	json_t *o = json_object(), *verdicts = json_object();
	tapir_stats(s->stack, p);
	NUMBER(o, p, frames_in);
	NUMBER(o, p, bytes_in);
	NUMBER(o, p, frames_out);
	NUMBER(o, p, bytes_out);
	NUMBER(o, p, tcp_active_opens);
	NUMBER(o, p, tcp_passive_opens);
	NUMBER(o, p, tcp_attempt_fails);
	NUMBER(o, p, tcp_estab_resets);
	NUMBER(o, p, tcp_segs_in);
	NUMBER(o, p, tcp_segs_out);
	NUMBER(o, p, tcp_retrans);
	NUMBER(o, p, tcp_timeouts);
	NUMBER(o, p, tcp_rsts_out);
	NUMBER(o, p, udp_in);
	NUMBER(o, p, udp_out);
	for (enum tapir_verdict v = 0; v < TAPIR_VERDICT_COUNT; v++)
		number(verdicts, tapir_verdict_name(v), tapir_count(s->stack, v));
	json_object_set_new(o, "verdicts", verdicts);
	line(out, "counters", o);
	return true;
}

static bool memory_piece(struct snapshot *s, FILE *out)
{
	struct tapir_usage usage, *p = &usage;
	json_t *o = json_object();
	tapir_usage(s->stack, p);
	NUMBER(o, p, sockets);
	NUMBER(o, p, sockets_max);
	NUMBER(o, p, bound);
	NUMBER(o, p, bound_max);
	NUMBER(o, p, datagram);
	NUMBER(o, p, datagram_max);
	NUMBER(o, p, conns);
	NUMBER(o, p, conns_max);
	NUMBER(o, p, half_open);
	NUMBER(o, p, half_open_max);
	NUMBER(o, p, time_wait);
	NUMBER(o, p, time_wait_max);
	NUMBER(o, p, sending);
	NUMBER(o, p, sending_max);
	NUMBER(o, p, small_frames);
	NUMBER(o, p, small_frames_max);
	NUMBER(o, p, large_frames);
	NUMBER(o, p, large_frames_max);
	NUMBER(o, p, arp);
	NUMBER(o, p, arp_max);
	NUMBER(o, p, reass);
	NUMBER(o, p, reass_max);
	NUMBER(o, p, tcp_tunings);
	NUMBER(o, p, tcp_tunings_max);
	NUMBER(o, p, timers);
	number(o, "bytes", tapir_size(tapir_get_config(s->stack)));
	line(out, "memory", o);
	return true;
}

/* --- one after the other --- */

static void stack_line(const struct snapshot *s, FILE *out)
{
	const struct tapir_config *c = tapir_get_config(s->stack);
	json_t *o = json_object();
	word(o, "tap", s->about.tap);
	word(o, "command", s->about.command);
	addr(o, "address", &c->addr);
	NUMBER(o, c, prefix_len);
	mac(o, "mac", c->mac);
	NUMBER(o, c, mtu);
	truth(o, "address_ready", tapir_address_ready(s->stack));
	number(o, "uptime_us", tapir_now(s->stack) - s->about.since_us);
	line(out, "stack", o);
}

/* Each writes a piece of its section; true: there is no more of it. */
static bool (*const pieces[SNAPSHOT_SECTIONS])(struct snapshot *s, FILE *out) = {
	[SNAPSHOT_TCP] = tcp_piece, [SNAPSHOT_UDP] = udp_piece, [SNAPSHOT_ARP] = arp_piece, [SNAPSHOT_ROUTES] = routes_piece,
	[SNAPSHOT_PATHS] = paths_piece, [SNAPSHOT_COUNTERS] = counters_piece, [SNAPSHOT_MEMORY] = memory_piece,
};

bool snapshot_piece(struct snapshot *s, FILE *out)
{
	if (s->ended)
		return false;
	if (!s->begun) {
		stack_line(s, out);
		s->begun = true;
		return true;
	}
	for (int i = 0; i < SNAPSHOT_SECTIONS; i++) {
		if (!(s->sections & 1u << i))
			continue;
		if (pieces[i](s, out)) {
			s->sections &= ~(1u << i);
			s->cursor = (struct tapir_cursor){ 0 };
		}
		return true;
	}
	line(out, "end", json_object());
	s->ended = true;
	return true;
}
