/* eth.c: Ethernet II headers (RFC 894), bytes to values and back. Whether a frame is ours is link/'s to say. */
#include "eth.h"

const uint8_t eth_broadcast[6] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};

enum tapir_verdict eth_parse(struct span s, struct eth_header *h, struct span *payload)
{
	if (s.n < ETH_HEADER)
		return DROP_ETH_SHORT;
	memcpy(h->dst, s.p, 6);
	memcpy(h->src, s.p + 6, 6);
	h->type = get_be16(s.p + 12);
	*payload = span_from(s, ETH_HEADER);
	return ACCEPT;
}

void eth_emit(const struct eth_header *h, uint8_t p[ETH_HEADER])
{
	memcpy(p, h->dst, 6);
	memcpy(p + 6, h->src, 6);
	put_be16(p + 12, h->type);
}
