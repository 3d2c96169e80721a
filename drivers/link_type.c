/* link_type.c: see link_type.h. */
#include <pcap/pcap.h>
#include "link_type.h"

#define LINKTYPE_RAW 101

static const struct link_type link_types[] = {
	{DLT_EN10MB, false, 0, -1}, {DLT_RAW, true, 0, -1}, {LINKTYPE_RAW, true, 0, -1}, {DLT_IPV4, true, 0, -1},
	{DLT_LINUX_SLL, true, 16, 14}, {DLT_LINUX_SLL2, true, 20, 0},
};

const struct link_type *link_type_find(int dlt)
{
	for (size_t i = 0; i < sizeof link_types / sizeof link_types[0]; i++)
		if (link_types[i].dlt == dlt)
			return &link_types[i];
	return NULL;
}

int link_type_refuse(const char *name, int dlt)
{
	const char *text = pcap_datalink_val_to_name(dlt);

	return driver_fail("%s carries %s frames, and only Ethernet, raw IPv4 and Linux cooked ones can be read.", name,
			   text ? text : "unknown");
}

bool link_type_strip(const struct link_type *link, struct span *frame)
{
	const uint8_t *type = frame->p + link->type_at;

	if (frame->n < link->header || (link->type_at >= 0 && (type[0] != 0x08 || type[1] != 0x00)))
		return false;
	*frame = (struct span){frame->p + link->header, frame->n - link->header};
	return true;
}
