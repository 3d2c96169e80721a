/* datagrams.c: cuts a frame of several UDP datagrams (virtio's GSO_UDP_L4) into those that it stands for, for a capture whose
 * reader wants them. IP identification counts up, as every network card does it; of UDP's header only length and checksum
 * change. */
#include <string.h>
#include "datagrams.h"
#include "stack/wire/ipv4.h"
#include "stack/wire/udp.h"

bool datagrams_begin(struct segments *s, struct span frame, const struct tapir_offload *offload, uint32_t ip_at)
{
	const uint8_t *ip = frame.p + ip_at;
	uint32_t udp_at;

	if (offload->gso_size == 0 || frame.n < ip_at + IPV4_HEADER || ip[0] >> 4 != 4 || ip[IP_PROTO_AT] != IP_PROTO_UDP)
		return false;
	udp_at = ip_at + (ip[0] & 15u) * 4;
	if (udp_at < ip_at + IPV4_HEADER || frame.n <= udp_at + UDP_HEADER + offload->gso_size)
		return false;
	s->frame = frame;
	s->ip_at = ip_at;
	s->udp_at = udp_at;
	s->text_at = udp_at + UDP_HEADER;
	s->size = offload->gso_size;
	s->next = 0;
	s->count = (uint32_t)((frame.n - s->text_at + s->size - 1) / s->size);
	return true;
}

uint32_t datagrams_next(struct segments *s, uint8_t *out)
{
	uint32_t from = s->text_at + s->next * s->size, left, n;
	uint8_t *ip = out + s->ip_at, *udp = out + s->udp_at;
	struct udp_header h;
	struct tapir_addr src, dst;

	if (s->next == s->count)
		return 0;
	left = (uint32_t)s->frame.n - from;
	n = left < s->size ? left : s->size;
	memcpy(out, s->frame.p, s->text_at);
	memcpy(out + s->text_at, s->frame.p + from, n);
	put_be16(ip + IP_ID_AT, (uint16_t)(get_be16(ip + IP_ID_AT) + s->next));
	ipv4_set_length(ip, (uint16_t)(s->text_at - s->ip_at + n));
	ipv4_addresses(ip, &src, &dst);
	h = (struct udp_header){get_be16(udp), get_be16(udp + 2)};
	udp_emit(&h, &src, &dst, udp, n);
	s->next++;
	return s->text_at + n;
}
