/* gso.c: frames of several UDP datagrams (virtio's GSO_UDP_L4), which a driver with tapir_offload_caps.uso may bring when
 * the sender used UDP_SEGMENT, or when several datagrams were gathered on the way. All have the headers in front, and the
 * text lies behind them, gso_size bytes for each, the last one maybe fewer. The way out is ip/join.c.
 *
 * The fields are the driver's, not the sender's; they are checked all the same, and the work that one frame can cause is
 * bounded by UDP_GSO_MAX. */
#include "gso.h"

enum tapir_verdict udp_gso_check(const struct tapir_offload *o, struct span text, size_t *size)
{
	*size = text.n ? text.n : 1;
	if (o->gso != TAPIR_GSO_UDP)
		return ACCEPT;
	if (!o->gso_size || !text.n || text.n > (size_t)o->gso_size * UDP_GSO_MAX)
		return DROP_UDP_GSO;
	*size = o->gso_size;
	return ACCEPT;
}
