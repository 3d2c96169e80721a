/* partial.c: checksums that a kernel of this machine has left to a network card which is not there.
 *
 * Over a veth the kernel sends TCP and UDP with the pseudo-header's sum where the checksum belongs (CHECKSUM_PARTIAL), and
 * says so beside the frame. A driver that gets the bytes alone has lost that knowledge, but can find it again: the field holds
 * exactly that sum. Only for interfaces that no wire ends at: a frame that was damaged on one would be taken for such a
 * frame once in 65536 times, which is as often as a wrong checksum passes for a right one anyway. */
#include "internal.h"
#include "stack/wire/checksum.h"
#include "stack/wire/ipv4.h"
#include "stack/wire/tcp.h"
#include "stack/wire/udp.h"

#define ETH_HEADER_BYTES 14u

/* Where the checksum lies in the header of the protocol; 0: it has no pseudo-header, or is none of ours. */
static uint16_t field_of(uint8_t proto)
{
	return proto == IP_PROTO_TCP ? TCP_CHECKSUM_AT : proto == IP_PROTO_UDP ? UDP_CHECKSUM_AT : 0;
}

void driver_find_partial(struct tapir_frame *f)
{
	const uint8_t *ip = f->data + ETH_HEADER_BYTES;
	uint32_t header, total, field;
	struct tapir_addr src, dst;

	if (f->len < ETH_HEADER_BYTES + IPV4_HEADER || get_be16(ip - 2) != 0x0800 || ip[0] >> 4 != 4)
		return;
	header = (ip[0] & 15u) * 4;
	total = get_be16(ip + IP_LENGTH_AT);
	field = field_of(ip[IP_PROTO_AT]);
	if (field == 0 || get_be16(ip + IP_FRAGMENT_AT) & IP_IS_FRAGMENT || header < IPV4_HEADER ||
	    total < header + field + 2 || f->len < ETH_HEADER_BYTES + total)
		return;
	ipv4_addresses(ip, &src, &dst);
	if (get_be16(ip + header + field) != checksum_fold(checksum_pseudo(&src, &dst, ip[IP_PROTO_AT], total - header)))
		return;
	f->offload = (struct tapir_offload){
		.csum = TAPIR_CSUM_PARTIAL, .csum_start = (uint16_t)(ETH_HEADER_BYTES + header), .csum_offset = (uint16_t)field,
	};
}
