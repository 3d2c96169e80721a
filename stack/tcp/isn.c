/* isn.c: initial sequence numbers and timestamp offsets that nobody outside can predict, and that do not fall back when a
 * port is used again. RFC 6528 3: ISN = M + F(localip, localport, remoteip, remoteport, secretkey); RFC 7323 5.4. */
#include "internal.h"

static uint64_t tuple_hash(struct tapir *t, const struct tapir_endpoint *local, const struct tapir_endpoint *peer,
			   uint8_t purpose)
{
	uint8_t key[37];

	memcpy(key, local->addr.b, 16);
	memcpy(key + 16, peer->addr.b, 16);
	put_be16(key + 32, local->port);
	put_be16(key + 34, peer->port);
	key[36] = purpose;
	return siphash(t->key, key, sizeof key);
}

seq_t tcp_isn(struct tapir *t, const struct tapir_endpoint *local, const struct tapir_endpoint *peer)
{
	if (t->cfg.isn >= 0)
		return seq((uint32_t)t->cfg.isn);
	/* M is the 4 microsecond clock of RFC 9293 3.4.1 (MUST-8). */
	return seq((uint32_t)(t->now_us / 4) + (uint32_t)tuple_hash(t, local, peer, 'i'));
}

uint32_t tcp_ts_offset(struct tapir *t, const struct tapir_endpoint *local, const struct tapir_endpoint *peer)
{
	return (uint32_t)tuple_hash(t, local, peer, 't');
}
