/* link.c: what the kernel says about a network interface of this namespace. */
#include <net/if.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>
#include "internal.h"

uint16_t driver_link_mtu(const char *interface)
{
	struct ifreq req = {0};
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	int failed;

	if (fd < 0)
		return 0;
	snprintf(req.ifr_name, sizeof req.ifr_name, "%s", interface);
	failed = ioctl(fd, SIOCGIFMTU, &req);
	close(fd);
	if (failed || req.ifr_mtu <= 0)
		return 0;
	return req.ifr_mtu > UINT16_MAX ? UINT16_MAX : (uint16_t)req.ifr_mtu;
}
