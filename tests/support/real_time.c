/* real_time.c: see real_time.h. Opening a TAP gives its interface a carrier, but the kernel changes its queue from one that drops
 * all only when it has time for that. An ARP reply or a SYN that meets the old queue costs a second. */
#include <net/if.h>
#include <sched.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>
#include "real_time.h"

#define TRIES 2000		/* of a millisecond */

bool wait_until_running(const char *name)
{
	struct ifreq req = {.ifr_flags = 0};
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	bool is_running = false;

	snprintf(req.ifr_name, sizeof req.ifr_name, "%s", name);
	for (int i = 0; fd >= 0 && i < TRIES && !is_running; i++) {
		is_running = ioctl(fd, SIOCGIFFLAGS, &req) == 0 && req.ifr_flags & IFF_RUNNING;
		if (!is_running)
			nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
	}
	if (fd >= 0)
		close(fd);
	return is_running;
}

void ask_for_priority(int priority)
{
	sched_setscheduler(0, SCHED_RR, &(struct sched_param){.sched_priority = priority});
}
