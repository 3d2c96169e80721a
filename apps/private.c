/* private.c: see private.h. What is missing when the essential part works (a /proc of its own in a container that hides part
 * of the real one, say) is gone without. */
#include "private.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "netif.h"

#define NAMESPACES (CLONE_NEWNET | CLONE_NEWNS | CLONE_NEWPID)

static bool write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	bool written = write(fd, text, strlen(text)) == (ssize_t)strlen(text);
	int error = errno;
	close(fd);
	errno = error;
	return written;
}

/* The number in a file of /proc/sys; -1: there is no such file. */
static long sysctl_of(const char *path)
{
	long n = -1;
	FILE *f = fopen(path, "re");
	if (!f)
		return -1;
	if (fscanf(f, "%ld", &n) != 1)
		n = -1;
	fclose(f);
	return n;
}

/* Why a user namespace cannot be had, told from the switches that distributions have for it. */
static const char *why_not_rootless(int error)
{
	static char text[256];
	if (sysctl_of("/proc/sys/kernel/unprivileged_userns_clone") == 0)
		return "this machine gives namespaces to root only. Run it with sudo, or allow them: "
		       "sudo sysctl kernel.unprivileged_userns_clone=1";
	if (sysctl_of("/proc/sys/user/max_user_namespaces") == 0)
		return "this machine allows no user namespaces. Run it with sudo, or allow them: "
		       "sudo sysctl user.max_user_namespaces=10000";
	if (sysctl_of("/proc/sys/kernel/apparmor_restrict_unprivileged_userns") == 1)
		return "AppArmor keeps users from having namespaces on this machine. Run it with sudo, or allow them: "
		       "sudo sysctl kernel.apparmor_restrict_unprivileged_userns=0";
	if (error == ENOSPC || error == EUSERS)
		return "there are as many namespaces as this machine allows. Run it with sudo, or allow more: "
		       "sudo sysctl user.max_user_namespaces=10000 user.max_net_namespaces=10000";
	snprintf(text, sizeof text, "a network of its own cannot be had here (%s). Run it as root; in a container, start that with "
		 "--cap-add SYS_ADMIN --cap-add NET_ADMIN --device /dev/net/tun (or --privileged).", strerror(error));
	return text;
}

/* Nobody is anybody else here: uid and gid stay what they are. */
static bool map_self(uid_t uid, gid_t gid)
{
	char text[64];
	snprintf(text, sizeof text, "%u %u 1", uid, uid);
	if (!write_file("/proc/self/setgroups", "deny") || !write_file("/proc/self/uid_map", text))
		return false;
	snprintf(text, sizeof text, "%u %u 1", gid, gid);
	return write_file("/proc/self/gid_map", text);
}

/* What is executed from here on keeps the capabilities: ping and tcpdump work without being root (capabilities(7)). */
static bool keep_capabilities(void)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2];
	if (syscall(SYS_capget, &header, data) < 0)
		return false;
	data[0].inheritable = data[0].permitted;
	data[1].inheritable = data[1].permitted;
	if (syscall(SYS_capset, &header, data) < 0)
		return false;
	for (unsigned long cap = 0; cap <= CAP_LAST_CAP; cap++)
		prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, cap, 0, 0);	/* one that the kernel does not know is not missed */
	return true;
}

const char *private_enter(void)
{
	uid_t uid = geteuid();
	gid_t gid = getegid();
	if (unshare(NAMESPACES) == 0)
		return NULL;
	if (unshare(CLONE_NEWUSER | NAMESPACES) == 0 && map_self(uid, gid) && keep_capabilities() &&
	    mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0)
		return NULL;
	return why_not_rootless(errno);
}

void private_furnish(void)
{
	char gids[64];
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL);
	/* The old ones show the processes and the interfaces of the machine. */
	mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL);
	mount("sysfs", "/sys", "sysfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL);
	netif_set_up("lo");
	/* The kernel's own IPv6 chatter on a new interface would only clutter the capture. */
	write_file("/proc/sys/net/ipv6/conf/all/disable_ipv6", "1");
	write_file("/proc/sys/net/ipv6/conf/default/disable_ipv6", "1");
	/* ping without any capability (icmp(7)). */
	snprintf(gids, sizeof gids, "%u %u", getegid(), getegid());
	write_file("/proc/sys/net/ipv4/ping_group_range", gids);
}
