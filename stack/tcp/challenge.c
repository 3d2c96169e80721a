/* challenge.c: how many challenge ACKs are sent (RFC 5961 7). A challenge answers what may be a blind
 * attack, and is itself a weapon in three ways: it can be drawn in floods, two stacks can answer each other's for ever, and a
 * fixed number for all connections is a clock that everyone on the path can read (CVE-2016-5696: an attacker draws as
 * many as there are on a connection of its own; if one is missing, a guess about somebody else's connection was right).
 *
 * So there are two limits. One for each connection, which alone ends floods and wars and tells nobody anything about
 * others: one challenge in config.challenge_interval_us. And one for all together, whose size is drawn anew each second from
 * half of config.challenge_acks to one and a half of it, by SipHash, so that a missing one means nothing: RFC 5961 7 asks for
 * a number "per unit of time", not for the same one. */
#include "internal.h"

static uint32_t this_seconds_limit(const struct tapir *t)
{
	uint8_t key[9];
	uint32_t most = t->cfg.challenge_acks;

	put_be32(key, (uint32_t)(t->now_us >> 32));
	put_be32(key + 4, (uint32_t)t->now_us);
	key[8] = 'a';		/* no other use of the key has this length */
	return most ? most / 2 + most % 2 + (uint32_t)(siphash(t->key, key, sizeof key) % most) : 0;
}

static bool one_of_all_is_left(struct tapir *t)
{
	if (t->now_us - t->tcp->challenge.window_us >= TAPIR_SEC || !t->tcp->challenge.window_us) {
		t->tcp->challenge.window_us = max_usec(t->now_us, 1);
		t->tcp->challenge.left = this_seconds_limit(t);
	}
	if (!t->tcp->challenge.left)
		return false;
	t->tcp->challenge.left--;
	return true;
}

static bool too_soon(const struct tapir *t, const struct tcp_conn *c, uint32_t now_ms)
{
	return c->challenged_ms && now_ms - c->challenged_ms < t->cfg.challenge_interval_us / TAPIR_MS;
}

void tcp_owe_challenge_ack(struct tapir *t, struct tcp_conn *c, const char *why)
{
	uint32_t now_ms = max_u32((uint32_t)(t->now_us / TAPIR_MS), 1);

	if (too_soon(t, c, now_ms) || !one_of_all_is_left(t))
		return;
	c->challenged_ms = now_ms;
	tcp_owe_dup_ack(t, c, why);
}
