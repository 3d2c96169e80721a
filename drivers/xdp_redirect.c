/* xdp_redirect.c: the XDP program that hands every frame of an interface to the AF_XDP socket of its queue
 * (Documentation/networking/af_xdp.rst).
 *
 * The program has five instructions, so they stand here: no compiler for BPF, no object file and no mounted file system
 * is needed where tapir runs. It is attached by a BPF link, which lasts as long as its descriptor: however the process
 * ends, the kernel has its interface back. */
#if __has_include(<bpf/bpf.h>)
#include <bpf/bpf.h>
#include <errno.h>
#include <linux/bpf.h>
#include <linux/if_link.h>
#include <net/if.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>
#include "xdp_redirect.h"

static int may_not(const char *interface)
{
	return driver_fail("The frames of %s may not be redirected: run as root (CAP_NET_ADMIN, CAP_NET_RAW and CAP_BPF, which "
			   "a user namespace cannot give).", interface);
}

/* return bpf_redirect_map(&map, ctx->rx_queue_index, XDP_PASS): what no socket waits for is the kernel's. */
static int load(int map_fd)
{
	const struct bpf_insn code[] = {
		{.code = BPF_LDX | BPF_MEM | BPF_W, .dst_reg = BPF_REG_2, .src_reg = BPF_REG_1,
		 .off = offsetof(struct xdp_md, rx_queue_index)},
		{.code = BPF_LD | BPF_IMM | BPF_DW, .dst_reg = BPF_REG_1, .src_reg = BPF_PSEUDO_MAP_FD, .imm = map_fd},
		{.code = 0},		/* its second half */
		{.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_3, .imm = XDP_PASS},
		{.code = BPF_JMP | BPF_CALL, .imm = BPF_FUNC_redirect_map},
		{.code = BPF_JMP | BPF_EXIT},
	};

	return bpf_prog_load(BPF_PROG_TYPE_XDP, "tapir", "GPL", code, sizeof code / sizeof code[0], NULL);
}

int xdp_redirect_init(struct xdp_redirect *r, const char *interface, unsigned int queues)
{
	*r = (struct xdp_redirect){.map_fd = -1, .program_fd = -1, .link_fd = -1};
	r->map_fd = bpf_map_create(BPF_MAP_TYPE_XSKMAP, "tapir", sizeof(uint32_t), sizeof(uint32_t), queues, NULL);
	if (r->map_fd >= 0)
		r->program_fd = load(r->map_fd);
	if (r->program_fd >= 0)
		return 0;
	if (errno == EPERM || errno == EACCES)
		return may_not(interface);
	if (errno == EINVAL || errno == ENOSYS)
		return driver_fail("This kernel cannot redirect frames to AF_XDP sockets (CONFIG_BPF_SYSCALL, CONFIG_XDP_SOCKETS; "
				   "Linux 5.9): use a TAP.");
	return driver_fail("The XDP program for %s cannot be loaded: %s.", interface, strerror(errno));
}

int xdp_redirect_set(struct xdp_redirect *r, unsigned int queue, int fd)
{
	uint32_t key = queue;

	if (bpf_map_update_elem(r->map_fd, &key, &fd, BPF_ANY) == 0)
		return 0;
	return driver_fail("Queue %u cannot be given to its AF_XDP socket: %s.", queue, strerror(errno));
}

static int attach(const struct xdp_redirect *r, unsigned int index, uint32_t mode)
{
	LIBBPF_OPTS(bpf_link_create_opts, options, .flags = mode);

	return bpf_link_create(r->program_fd, (int)index, BPF_XDP, &options);
}

int xdp_redirect_begin(struct xdp_redirect *r, const char *interface)
{
	unsigned int index = if_nametoindex(interface);

	r->link_fd = attach(r, index, XDP_FLAGS_DRV_MODE);
	r->native_error = r->link_fd < 0 ? errno : 0;
	if (r->native_error && r->native_error != EBUSY && r->native_error != EPERM) {
		r->link_fd = attach(r, index, XDP_FLAGS_SKB_MODE);
		r->generic = r->link_fd >= 0;
	}
	if (r->link_fd >= 0)
		return 0;
	if (errno == EPERM)
		return may_not(interface);
	if (errno == EBUSY || errno == EEXIST)
		return driver_fail("%s has an XDP program of somebody else's: end that, or sudo ip link set dev %s xdp off.",
				   interface, interface);
	return driver_fail("No XDP program can be attached to %s: %s (in its driver: %s).", interface, strerror(errno),
			   strerror(r->native_error));
}

void xdp_redirect_end(struct xdp_redirect *r)
{
	const int fds[] = {r->link_fd, r->program_fd, r->map_fd};

	for (size_t i = 0; i < sizeof fds / sizeof fds[0]; i++)
		if (fds[i] >= 0)
			close(fds[i]);
}
#endif
