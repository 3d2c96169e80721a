/* link.c: what the kernel says about a network interface of this namespace. */
#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>
#include "internal.h"

/* Asks about the interface. False: the kernel does not answer. */
static bool ask(const char *interface, unsigned long what, struct ifreq *req)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	bool answered;

	if (fd < 0)
		return false;
	snprintf(req->ifr_name, sizeof req->ifr_name, "%s", interface);
	answered = ioctl(fd, what, req) == 0;
	close(fd);
	return answered;
}

uint16_t driver_link_mtu(const char *interface)
{
	struct ifreq req = {0};

	if (!ask(interface, SIOCGIFMTU, &req) || req.ifr_mtu <= 0)
		return 0;
	return req.ifr_mtu > UINT16_MAX ? UINT16_MAX : (uint16_t)req.ifr_mtu;
}

unsigned int driver_link_queues(const char *interface)
{
	struct ethtool_channels channels = {.cmd = ETHTOOL_GCHANNELS};
	struct ifreq req = {.ifr_data = (void *)&channels};
	unsigned int n;

	if (!ask(interface, SIOCETHTOOL, &req))
		return 1;
	n = channels.rx_count + channels.combined_count;
	return n ? n : 1;
}

bool driver_link_driver(const char *interface, char name[32])
{
	struct ethtool_drvinfo info = {.cmd = ETHTOOL_GDRVINFO};
	struct ifreq req = {.ifr_data = (void *)&info};

	if (!ask(interface, SIOCETHTOOL, &req))
		return false;
	memcpy(name, info.driver, sizeof info.driver);
	return true;
}
