/* settings.c: how a script says what stack it wants. Two ways, one table: --so_flags, by whoever starts the run, and the
 * sysctl(8) lines of the script itself, which tests/packetdrill/run writes to a file instead of into the kernel. The flags
 * come last: they win. */
#include "drill.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WAIT_US (600 * TAPIR_SEC)
#define VALUE_MAX 256

enum unit { FLAG, BYTE, SHORT, LOW_BITS, LONG, MS, SECONDS, LAST_LONG };

#define AT(field) offsetof(struct drill_settings, config.field)

/* name: of a flag, or with a '_' in front of Linux' own (net.ipv4.tcp_sack: tcp_sack) of a sysctl. */
static const struct setting { const char *name; size_t at; enum unit unit; } settings[] = {
	{"sack", AT(sack), FLAG}, {"ts", AT(timestamps), FLAG}, {"ws", AT(window_scale), FLAG}, {"nagle", AT(nagle), FLAG},
	{"tso", AT(offload.tso4), FLAG}, {"iw", AT(initial_window), SHORT}, {"quickacks", AT(quickacks), SHORT},
	{"mtu", AT(mtu), SHORT}, {"sndbuf", AT(sndbuf), LONG}, {"rcvbuf", AT(rcvbuf), LONG}, {"ttl", AT(ttl), BYTE},
	{"rcvbuf_max", AT(rcvbuf_max), LONG},
	{"delack", AT(delack_us), MS}, {"min_rto", AT(rto_min_us), MS}, {"max_rto", AT(rto_max_us), MS},
	{"rto", AT(rto_initial_us), MS}, {"msl", AT(msl_us), SECONDS}, {"challenge_acks", AT(challenge_acks), LONG},
	{"dsack", AT(dsack), FLAG}, {"tlp", AT(tlp), FLAG}, {"tlp_min", AT(tlp_min_us), MS},
	{"pacing", AT(pacing), FLAG}, {"retries1", AT(retries1), BYTE}, {"retries2", AT(retries2), BYTE},
	{"wait", offsetof(struct drill_settings, wait_us), SECONDS},
	{"leftover", offsetof(struct drill_settings, leftover), FLAG},
	{"psh", offsetof(struct drill_settings, psh), FLAG},
	{"trace", offsetof(struct drill_settings, trace), FLAG},

	{"tcp_sack", AT(sack), FLAG}, {"tcp_timestamps", AT(timestamps), FLAG}, {"tcp_window_scaling", AT(window_scale), FLAG},
	{"tcp_dsack", AT(dsack), FLAG}, {"tcp_invalid_ratelimit", AT(challenge_interval_us), MS},
	{"tcp_syn_retries", AT(syn_retries), BYTE}, {"tcp_synack_retries", AT(synack_retries), BYTE},
	{"tcp_retries1", AT(retries1), BYTE}, {"tcp_retries2", AT(retries2), BYTE},
	{"tcp_orphan_retries", AT(orphan_retries), BYTE}, {"tcp_fin_timeout", AT(fin_wait_2_us), SECONDS},
	{"tcp_keepalive_time", AT(keepalive_idle_us), SECONDS}, {"tcp_keepalive_intvl", AT(keepalive_interval_us), SECONDS},
	{"tcp_keepalive_probes", AT(keepalive_probes), BYTE}, {"tcp_challenge_ack_limit", AT(challenge_acks), LONG},
	{"ecn", AT(ecn), BYTE}, {"tcp_ecn", AT(ecn), BYTE}, {"tcp_fastopen", AT(fastopen), LOW_BITS},
	{"tcp_syncookies", AT(syn_cookies), BYTE},
	{"tcp_fastopen_blackhole_timeout_sec", AT(fastopen_retry_us), SECONDS},
	{"tcp_rmem", AT(rcvbuf), LAST_LONG}, {"tcp_wmem", AT(sndbuf), LAST_LONG},
	{"tcp_rto_max_ms", AT(rto_max_us), MS}, {"tcp_early_retrans", AT(tlp), FLAG}, {"ip_default_ttl", AT(ttl), BYTE},
};

static void defaults(struct drill_settings *s)
{
	struct tapir_config *c = &s->config;

	*s = (struct drill_settings){.wait_us = WAIT_US, .leftover = true, .psh = true};
	tapir_config_default(c);
	c->ip_only = true;
	c->addr = tapir_ipv4(192, 168, 0, 1);
	c->prefix_len = 16;
	c->gateway = tapir_ipv4(192, 168, 0, 2);
	c->seed[0] = 1;
	c->seed[1] = 2;
	c->offload.tso4 = true;
	c->max_sockets = 64;
	c->max_conns = 64;
	c->small_frames = 16384;
	c->large_frames = 256;
}

static bool last_number(const char *text, unsigned long long *n)
{
	const char *last = text + strlen(text);
	char *end;

	while (last > text && last[-1] != ' ' && last[-1] != '\t')
		last--;
	*n = strtoull(last, &end, 0);
	return end != last && !*end;
}

static bool put(struct drill_settings *s, const struct setting *what, const char *value)
{
	uint8_t *to = (uint8_t *)s + what->at;
	unsigned long long n;

	if (!last_number(value, &n))
		return false;
	switch (what->unit) {
	case FLAG: *(bool *)to = n != 0; return true;
	case BYTE: *to = (uint8_t)n; return n <= UINT8_MAX;
	case LOW_BITS: *(uint16_t *)(void *)to = (uint16_t)n; return true;	/* the others say how Linux does it */
	case SHORT: *(uint16_t *)(void *)to = (uint16_t)n; return n <= UINT16_MAX;
	case LONG: case LAST_LONG: *(uint32_t *)(void *)to = (uint32_t)n; return n <= UINT32_MAX;
	case MS: *(usec_t *)(void *)to = n * TAPIR_MS; return true;
	case SECONDS: *(usec_t *)(void *)to = n * TAPIR_SEC; return true;
	}
	return false;
}

static const struct setting *find(const char *name)
{
	for (size_t i = 0; i < sizeof settings / sizeof *settings; i++)
		if (!strcmp(settings[i].name, name))
			return &settings[i];
	return NULL;
}

/* When text that arrives is acknowledged; RFC 5681 4.2 leaves it open, and scripts differ. */
static bool put_ack(struct drill_settings *s, const char *value)
{
	if (!strcmp(value, "quick")) {
		s->config.delack_us = 0;		/* each segment at once */
	} else if (!strcmp(value, "delayed")) {
		s->config.quickacks = 0;		/* every second, or after delack, from the first on */
	} else {
		return !strcmp(value, "first");		/* the first ones at once, then delayed: the default */
	}
	return true;
}

static bool put_congestion(struct drill_settings *s, const char *value)
{
	int cc = tapir_cc_parse(value);

	if (cc >= 0)
		s->config.congestion = (enum tapir_cc)cc;
	return cc >= 0;
}

/* Linux writes the 16 bytes as four words in hexadecimal, the low half of each number first. */
static bool put_key(struct drill_settings *s, const char *value)
{
	unsigned w[4];

	if (sscanf(value, "%8x-%8x-%8x-%8x", &w[0], &w[1], &w[2], &w[3]) != 4)
		return false;
	s->config.fastopen_key[0] = (uint64_t)w[1] << 32 | w[0];
	s->config.fastopen_key[1] = (uint64_t)w[3] << 32 | w[2];
	return true;
}

/* Linux' values from 3 on are for AccECN; to a peer that does not have it they mean the same as these. */
static const char *without_accecn(const char *value)
{
	int n = atoi(value);

	return n < 3 ? value : n == 5 ? "2" : "1";
}

static bool put_flag(struct drill_settings *s, const char *name, const char *value)
{
	const struct setting *what = find(name);

	if (!strcmp(name, "ack"))
		return put_ack(s, value);
	if (!strcmp(name, "cc"))
		return put_congestion(s, value);
	if (!strcmp(name, "tcp_fastopen_key"))
		return put_key(s, value);
	if (!strcmp(name, "addr"))
		return tapir_addr_parse(value, &s->config.addr) == 0;
	if (!strcmp(name, "isn")) {
		s->config.isn = strtoll(value, NULL, 0);
		return true;
	}
	if (!strcmp(name, "sysctl")) {
		snprintf(s->sysctl, sizeof s->sysctl, "%s", value);
		return strlen(value) < sizeof s->sysctl;
	}
	return what && put(s, what, value);
}

static char *flags_text;		/* the flags again, after the sysctls: one script runs in a process */

static const char *put_flags(struct drill_settings *s, const char *text)
{
	static char wrong[2 * VALUE_MAX];
	char copy[8 * VALUE_MAX], *rest = copy, *one, *value;

	snprintf(copy, sizeof copy, "%s", text);
	while ((one = strsep(&rest, ","))) {
		value = strchr(one, '=');
		if (value)
			*value++ = 0;
		if (!*one || (value && put_flag(s, one, value)))
			continue;
		snprintf(wrong, sizeof wrong, "\"%s\": no such setting, or not such a value (tests/packetdrill/settings.c)", one);
		return wrong;
	}
	return NULL;
}

const char *drill_settings_parse(struct drill_settings *s, const char *text)
{
	defaults(s);
	free(flags_text);
	flags_text = strdup(text ? text : "");
	return put_flags(s, flags_text);
}

static void put_sysctl(struct drill_settings *s, const char *line, const char *value)
{
	const char *dot = strrchr(line, '.'), *name = dot ? dot + 1 : line;

	if (!strcmp(name, "tcp_congestion_control"))
		put_congestion(s, value);
	else if (!strcmp(name, "tcp_fastopen_cookies"))
		s->flushes += !strcmp(value, "0");
	else if (!strcmp(name, "tcp_fastopen_key"))
		put_key(s, value);
	else if (!strcmp(name, "tcp_ecn"))
		value = without_accecn(value);
	else if (!strcmp(name, "tcp_rmem"))
		put(s, find("rcvbuf_max"), value);
	if (find(name) && (!strncmp(name, "tcp_", 4) || !strncmp(line, "ethtool.", 8)))
		put(s, find(name), value);
}

void drill_settings_sysctl(struct drill_settings *s)
{
	FILE *f = *s->sysctl ? fopen(s->sysctl, "r") : NULL;
	char line[VALUE_MAX], *value;

	s->flushes = 0;
	while (f && fgets(line, sizeof line, f)) {
		line[strcspn(line, "\n")] = 0;
		value = strchr(line, '=');
		if (!value)
			continue;
		*value++ = 0;
		put_sysctl(s, line, value);
	}
	if (f)
		fclose(f);
	put_flags(s, flags_text);
}
