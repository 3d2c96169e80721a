/* loop_poll.c: how a turn waits. Waking a thread that sleeps takes longer than answering a small frame, so before the loop
 * sleeps it looks for events for a while, if that has paid off lately. Owns how long that while is: it grows from nothing when
 * a sleep turned out to be short, stays while looking is enough, and ends with the first sleep that was longer than the most
 * that is allowed, so that who is idle costs nothing. (KVM waits for its guests in this way, see halt-polling.rst in the
 * kernel's documentation.)
 *
 * A turn that has moved many bytes sleeps at once: a transfer has its next frame under way, and pays for CPU, not for delay.
 * So does everybody where there is one processor: whoever is waited for needs it. */
#include <assert.h>
#include <unistd.h>
#include "loop_internal.h"

#define WINDOW_FIRST_US 10u
#define BULK_BYTES 4096u		/* moved in one turn: a few full segments */

void poll_learn(struct poll_window *p, usec_t waited_us)
{
	if (waited_us > p->most_us)
		p->window_us = 0;
	else if (waited_us > p->window_us)
		p->window_us = earlier(p->most_us, p->window_us ? p->window_us * 2 : WINDOW_FIRST_US);
}

int poll_wait(struct loop *l, usec_t due_us, struct pollfd *fds, nfds_t count)
{
	struct poll_window *p = &l->poll;
	bool bulk = p->moved > BULK_BYTES;
	usec_t begun_us, until_us, now_us;
	int n = 0;

	p->moved = 0;
	if (bulk || p->most_us == 0)
		return poll(fds, count, -1);
	begun_us = now_us = loop_clock_us();
	until_us = earlier(begun_us + p->window_us, due_us);
	for (; n == 0 && now_us < until_us; now_us = loop_clock_us())
		n = poll(fds, count, 0);
	if (n == 0)
		n = poll(fds, count, -1);
	poll_learn(p, loop_clock_us() - begun_us);
	return n;
}

void loop_poll_us(struct loop *l, usec_t most_us)
{
	assert(loop_is_owner(l));
	l->poll.most_us = sysconf(_SC_NPROCESSORS_ONLN) > 1 ? most_us : 0;
	l->poll.window_us = 0;
}
