/* config.c: the choices of one instance: their defaults, and which of them are possible. tapir.h says what each means and
 * where it comes from. */
#include "config.h"
#include "wire/ipv4.h"

static void defaults_of_memory(struct tapir_config *c)
{
	c->max_sockets = 1024;
	c->max_conns = 4096;
	c->max_half_open = 1024;
	c->max_time_wait = 16384;
	c->max_bound = 1024;
	c->max_datagram = 1024;
	c->tcp_tunings = 256;
	c->small_frames = 4096;
	c->large_frames = 128;
}

static void defaults_of_ip(struct tapir_config *c)
{
	c->prefix_len = 24;
	c->mtu = 1500;
	c->arp_entries = 256;
	c->arp_queue = 16;
	c->arp_reachable_us = 60 * TAPIR_SEC;
	c->arp_retry_us = 1 * TAPIR_SEC;
	c->arp_tries = 3;
	c->arp_probe = true;
	c->arp_probe_us = 200 * TAPIR_MS;
	c->ttl = 64;
	c->reass_max = 16;
	c->reass_timeout_us = 30 * TAPIR_SEC;
	c->icmp_rate = 100;
	c->icmp_burst = 20;
	c->pmtu_timeout_us = 600 * TAPIR_SEC;
	c->min_pmtu = 552;
}

static void defaults_of_tcp(struct tapir_config *c)
{
	c->sndbuf = c->rcvbuf = 128 * 1024;
	c->sndbuf_max = 4 * 1024 * 1024;
	c->rcvbuf_max = 6 * 1024 * 1024;
	c->udp_rcvbuf = 512 * 1024;
	c->backlog = 1024;
	c->port_first = 49152;
	c->port_last = 65535;
	c->msl_us = 30 * TAPIR_SEC;
	c->isn = -1;
	c->rto_initial_us = 1 * TAPIR_SEC;
	c->rto_min_us = 200 * TAPIR_MS;
	c->rto_max_us = 60 * TAPIR_SEC;
	c->syn_retries = 7;
	c->synack_retries = 5;
	c->retries1 = 3;
	c->retries2 = 15;
	c->orphan_retries = 8;
	c->orphan_us = 600 * TAPIR_SEC;
	c->initial_window = 10;
	c->congestion = TAPIR_CC_CUBIC;
	c->delack_us = 40 * TAPIR_MS;
	c->quickacks = 16;
	c->cork_us = 200 * TAPIR_MS;
	c->tlp_min_us = 10 * TAPIR_MS;
	c->ecn = TAPIR_ECN_IF_ASKED;
	c->pmtu_wait = true;
	c->mtu_probing = 1;
	c->black_hole_rtos = 3;
	c->base_mss = 1024;
	c->gso = c->gro = c->timestamps = c->sack = c->dsack = c->tlp = c->window_scale = c->nagle = true;
	c->keepalive_idle_us = 7200 * TAPIR_SEC;
	c->keepalive_interval_us = 75 * TAPIR_SEC;
	c->keepalive_probes = 9;
	c->fin_wait_2_us = 60 * TAPIR_SEC;
	c->challenge_acks = 1000;
	c->challenge_interval_us = 500 * TAPIR_MS;
	c->rfc1337 = true;
	c->syn_cookies = 1;
	c->syn_cookie_rate = 25000;
	c->syn_memory = 2u << 20;
	c->fastopen = TAPIR_FASTOPEN_CLIENT;
	c->fastopen_peers = 64;
	c->fastopen_retry_us = 60 * TAPIR_SEC;
}

void tapir_config_default(struct tapir_config *config)
{
	*config = (struct tapir_config){0};
	defaults_of_memory(config);
	defaults_of_ip(config);
	defaults_of_tcp(config);
}

/* RFC 1122 3.2.1.3: an address that one host can have. */
static bool address_is_possible(const struct tapir_config *c)
{
	const uint8_t *a = c->addr.b + 12;

	if (!tapir_addr_is_ipv4(&c->addr) || a[0] == 0 || a[0] == 127 || a[0] >= 224 || c->prefix_len < 1 || c->prefix_len > 32)
		return false;
	return tapir_addr_is_any(&c->gateway) || tapir_addr_is_ipv4(&c->gateway);
}

/* Times that are added to the clock and to each other must not overflow. */
static bool times_are_possible(const struct tapir_config *c)
{
	const usec_t most = 366 * 86400 * TAPIR_SEC;
	const usec_t times[] = {c->arp_reachable_us, c->arp_retry_us, c->arp_probe_us, c->reass_timeout_us, c->pmtu_timeout_us,
				c->msl_us, c->rto_max_us, c->keepalive_idle_us, c->keepalive_interval_us, c->fin_wait_2_us,
				c->fastopen_retry_us, c->challenge_interval_us, c->orphan_us, c->tlp_min_us};

	for (size_t i = 0; i < sizeof times / sizeof times[0]; i++)
		if (times[i] > most)
			return false;
	/* A connection keeps its RTO in 32 bits of microseconds, and doubles it: an hour at most. */
	return c->arp_retry_us && c->arp_reachable_us && c->rto_min_us && c->rto_min_us <= c->rto_initial_us &&
	       c->rto_initial_us <= c->rto_max_us && c->rto_max_us <= 3600 * TAPIR_SEC && c->delack_us < 500 * TAPIR_MS &&
	       c->keepalive_interval_us;
}

static bool counts_are_possible(const struct tapir_config *c)
{
	const uint32_t most = 1u << 24;

	return c->max_sockets && c->max_sockets <= most && c->max_conns && c->max_conns <= most && c->max_half_open &&
	       c->max_half_open <= most && c->max_time_wait && c->max_time_wait <= most &&
	       c->max_datagram <= most && c->max_sending <= most && c->tcp_tunings <= most && c->small_frames >= 16 &&
	       c->small_frames <= most && c->large_frames >= 2 && c->large_frames <= 1u << 20 && c->arp_entries && c->arp_tries &&
	       c->reass_max <= 256 && c->icmp_rate <= 1000000 && c->icmp_burst <= 1000000;
}

static bool tcp_is_possible(const struct tapir_config *c)
{
	const uint32_t most = 1u << 30;		/* RFC 7323 2.3: no window is larger */

	return c->sndbuf >= 1024 && c->sndbuf <= most && c->rcvbuf >= 1024 && c->rcvbuf <= most && c->backlog &&
	       c->sndbuf_max <= most && c->rcvbuf_max <= most && c->udp_rcvbuf && c->udp_rcvbuf <= most &&
	       c->mtu_probing <= 2 && c->black_hole_rtos && c->base_mss >= 64 &&
	       c->port_first && c->port_first <= c->port_last && c->initial_window &&
	       (unsigned)c->congestion < TAPIR_CC_COUNT && c->isn >= -1 && c->isn <= UINT32_MAX && c->syn_cookies <= 2 &&
	       c->syn_cookie_rate <= 1000000 && c->syn_memory >= 128 && c->syn_memory <= most &&
	       c->ecn <= TAPIR_ECN_IF_ASKED && c->cork_us && c->cork_us <= TAPIR_SEC;
}

bool config_is_possible(const struct tapir_config *c)
{
	/* RFC 791 3.2: every link carries 68 bytes; a host of ours should have what RFC 1122 3.3.3 asks for. */
	return address_is_possible(c) && times_are_possible(c) && counts_are_possible(c) && tcp_is_possible(c) &&
	       c->mtu >= 68 && c->ttl && !(c->mac[0] & 1);
}

void config_complete(struct tapir_config *c, uint64_t entropy)
{
	static const uint8_t none[6];

	if (memcmp(c->mac, none, 6) != 0)
		return;
	for (int i = 0; i < 6; i++)
		c->mac[i] = (uint8_t)(entropy >> 8 * i);
	c->mac[0] = (uint8_t)((c->mac[0] & 0xfc) | 2);	/* IEEE 802: locally administered, one host's */
}
