/* netif.c: see netif.h (netdevice(7)). IPv4 only. */
#include "netif.h"

#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

static uint32_t to_u32(const struct tapir_addr *a)
{
	return (uint32_t)a->b[12] << 24 | (uint32_t)a->b[13] << 16 | (uint32_t)a->b[14] << 8 | a->b[15];
}

static uint32_t mask(uint8_t prefix_len)
{
	return prefix_len ? UINT32_MAX << (32 - prefix_len) : 0;
}

bool netif_same_net(const struct tapir_addr *a, const struct tapir_addr *b, uint8_t len)
{
	return ((to_u32(a) ^ to_u32(b)) & mask(len)) == 0;
}

struct tapir_addr netif_neighbour(const struct tapir_addr *addr, uint8_t prefix_len)
{
	uint32_t ip = (to_u32(addr) & mask(prefix_len)) + 1;
	if (ip == to_u32(addr))
		ip++;
	return tapir_ipv4((uint8_t)(ip >> 24), (uint8_t)(ip >> 16), (uint8_t)(ip >> 8), (uint8_t)ip);
}

/* One ioctl on the interface called name. */
static int request(const char *name, unsigned long what, struct ifreq *ifr)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	snprintf(ifr->ifr_name, sizeof ifr->ifr_name, "%s", name);
	int error = ioctl(fd, what, ifr) < 0 ? -errno : 0;
	close(fd);
	return error;
}

static void set_sockaddr(struct sockaddr *sa, uint32_t ip)
{
	struct sockaddr_in in = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(ip) };
	memcpy(sa, &in, sizeof in);
}

static uint32_t get_sockaddr(const struct sockaddr *sa)
{
	struct sockaddr_in in;
	memcpy(&in, sa, sizeof in);
	return ntohl(in.sin_addr.s_addr);
}

struct netif netif_look(const char *name)
{
	struct netif n = { .exists = false };
	struct ifreq ifr = { 0 };
	char path[64];
	if (request(name, SIOCGIFFLAGS, &ifr) < 0)
		return n;
	n.exists = true;
	n.up = ifr.ifr_flags & IFF_UP;
	if (request(name, SIOCGIFMTU, &ifr) == 0)
		n.mtu = ifr.ifr_mtu;
	snprintf(path, sizeof path, "/sys/class/net/%s/master", name);
	n.enslaved = access(path, F_OK) == 0;
	if (request(name, SIOCGIFADDR, &ifr) < 0)
		return n;
	n.has_addr = true;
	uint32_t ip = get_sockaddr(&ifr.ifr_addr);
	n.addr = tapir_ipv4((uint8_t)(ip >> 24), (uint8_t)(ip >> 16), (uint8_t)(ip >> 8), (uint8_t)ip);
	if (request(name, SIOCGIFNETMASK, &ifr) == 0)
		n.prefix_len = (uint8_t)__builtin_popcount(get_sockaddr(&ifr.ifr_netmask));
	return n;
}

int netif_set_addr(const char *name, const struct tapir_addr *addr, uint8_t prefix_len)
{
	struct ifreq ifr = { 0 };
	set_sockaddr(&ifr.ifr_addr, to_u32(addr));
	int error = request(name, SIOCSIFADDR, &ifr);
	if (error)
		return error;
	set_sockaddr(&ifr.ifr_netmask, mask(prefix_len));
	error = request(name, SIOCSIFNETMASK, &ifr);
	if (error)
		return error;
	set_sockaddr(&ifr.ifr_broadaddr, to_u32(addr) | ~mask(prefix_len));
	return request(name, SIOCSIFBRDADDR, &ifr);
}

int netif_set_mtu(const char *name, int mtu)
{
	struct ifreq ifr = { .ifr_mtu = mtu };
	return request(name, SIOCSIFMTU, &ifr);
}

int netif_set_up(const char *name)
{
	struct ifreq ifr = { 0 };
	int error = request(name, SIOCGIFFLAGS, &ifr);
	if (error)
		return error;
	ifr.ifr_flags = (short)(ifr.ifr_flags | IFF_UP);
	return request(name, SIOCSIFFLAGS, &ifr);
}
