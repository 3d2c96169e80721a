/* sender: the stack's end of a comparison (docs/versus.md): sends without end until the peer resets the connection.
 *
 *   sender TAP ADDRESS/LENGTH GATEWAY PEER:PORT CC
 *
 * Exit code 3: the stack has no congestion control of that name. */
#include <stdio.h>
#include <string.h>
#include "apps/values.h"
#include "drivers/loop.h"
#include "drivers/net.h"
#include "tests/support/real_time.h"

#define CHUNK 65536u
#define SNDBUF (4 * 1024 * 1024)	/* as net.ipv4.tcp_wmem allows the kernel */
#define NO_SUCH_CC 3

struct sender { struct loop *loop; tapir_sd sd; int code; struct tapir_tcp_info info; };

static int complain(const char *what, const char *why)
{
	fprintf(stderr, "sender: %s: %s\n", what, why);
	return 1;
}

/* Gives the stack all that it takes; then it waits until the stack wants more, or the connection has ended. */
static void on_ready(void *ctx, const struct tapir_poll_event *event)
{
	static const uint8_t text[CHUNK];
	struct sender *s = ctx;
	struct tapir *t = loop_stack(s->loop);
	int64_t sent = 0;

	(void)event;
	while ((sent = tapir_send_borrowed(t, s->sd, text, sizeof text, NULL, NULL)) > 0)
		;
	tapir_tcp_info(t, s->sd, &s->info);
	if (sent == TAPIR_EAGAIN || sent == TAPIR_ENOTCONN)
		return;
	s->code = sent == TAPIR_ECONNRESET || sent == TAPIR_EPIPE ? 0 : complain("sending", tapir_strerror((int)sent));
	loop_stop(s->loop);
}

static struct loop *open_loop(char **argv)
{
	struct tapir_config config;
	struct driver *d = driver_open_tap(argv[1]);
	struct loop *l;

	if (!d) {
		complain(argv[1], driver_error());
		return NULL;
	}
	tapir_config_default(&config);
	config.arp_probe = false;
	config.sndbuf = SNDBUF;
	config.large_frames = 256;
	if (!value_host(argv[2], &config.addr, &config.prefix_len) || tapir_addr_parse(argv[3], &config.gateway) < 0) {
		complain(argv[2], "wanted ADDRESS/LENGTH GATEWAY");
		driver_close(d);
		return NULL;
	}
	l = loop_open(d, &config);
	if (!l)
		complain(argv[1], loop_error());
	else if (!wait_until_running(argv[1]))
		complain(argv[1], "is not running");	/* a second late, at the worst */
	return l;
}

static int run(struct sender *s, const char *peer_text, const char *cc)
{
	struct tapir *t = loop_stack(s->loop);
	struct tapir_endpoint peer;

	if (net_parse(peer_text, &peer) < 0)
		return complain(peer_text, "wanted PEER:PORT");
	loop_on_ready(s->loop, on_ready, s);
	s->sd = tapir_socket(t, TAPIR_SOCK_STREAM);
	if (tapir_setsockopt(t, s->sd, TAPIR_TCP_CONGESTION, tapir_cc_parse(cc)) < 0)
		return NO_SUCH_CC;
	s->code = tapir_connect(t, s->sd, &peer);
	if (s->code != TAPIR_EINPROGRESS)
		return complain("connect", tapir_strerror(s->code));
	if (loop_run(s->loop) < 0)
		return complain("the loop", driver_error());
	printf("resent %u rtt_us %u cwnd %u\n", s->info.total_retrans, s->info.rtt_us,
	       s->info.snd_mss ? s->info.snd_cwnd / s->info.snd_mss : 0);
	return s->code;
}

int main(int argc, char **argv)
{
	struct sender s = {.sd = TAPIR_EBADF};
	int code;

	if (argc != 6) {
		fprintf(stderr, "usage: sender TAP ADDRESS/LENGTH GATEWAY PEER:PORT CC\n");
		return 2;
	}
	ask_for_priority(1);	/* as the kernel's TCP has, which waits for no process */
	s.loop = open_loop(argv);
	if (!s.loop)
		return 1;
	code = run(&s, argv[4], argv[5]);
	loop_close(s.loop);
	return code;
}
