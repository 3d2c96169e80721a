/* netif.h: the kernel's side of an interface, asked and set with ioctl. Results are 0 or a negative errno. */
#ifndef NETIF_H
#define NETIF_H

#include "../stack/tapir.h"

struct netif {
	bool exists, up, has_addr, enslaved;	/* enslaved: part of a bridge or bond, which has the address */
	struct tapir_addr addr;
	uint8_t prefix_len;
	int mtu;
};
struct netif netif_look(const char *name);
int netif_set_addr(const char *name, const struct tapir_addr *addr, uint8_t prefix_len);
int netif_set_mtu(const char *name, int mtu);
int netif_set_up(const char *name);
/* Are a and b the same in their first len bits? */
bool netif_same_net(const struct tapir_addr *a, const struct tapir_addr *b, uint8_t len);
/* An address for the kernel in the network of a stack that has addr: the lowest that is not addr. */
struct tapir_addr netif_neighbour(const struct tapir_addr *addr, uint8_t prefix_len);

#endif
