/* options.c: Linux' names of socket options and the stack's, and STATUS as Linux' struct tcp_info, in its units: segments
 * where the stack counts bytes. An option that only one of the two has is ENOPROTOOPT: the script then fails at that line
 * instead of later. */
#include "drill.h"

#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <linux/tcp.h>
#include "stack/socket/socket.h"
#include "stack/tcp/sender.h"

#ifndef TCP_CC_INFO
#define TCP_CC_INFO 26
#endif
#ifndef SO_MEMINFO
#define SO_MEMINFO 55
#endif
#define MEMINFO_RCVBUF 1		/* linux/sock_diag.h: indices of its 32-bit values */
#define MEMINFO_SNDBUF 3
#define MEMINFO_COUNT 9
#define INFINITE_SSTHRESH 0x7fffffff	/* Linux' word for: no threshold yet */
#define NO_THRESHOLD (1u << 30)		/* ours, or more: no window is larger (RFC 7323 2.3) */

static const struct { int level, name; enum tapir_opt opt; } numbers[] = {
	{SOL_SOCKET, SO_TYPE, TAPIR_SO_TYPE}, {SOL_SOCKET, SO_ERROR, TAPIR_SO_ERROR},
	{SOL_SOCKET, SO_ACCEPTCONN, TAPIR_SO_ACCEPTCONN}, {SOL_SOCKET, SO_REUSEADDR, TAPIR_SO_REUSEADDR},
	{SOL_SOCKET, SO_BROADCAST, TAPIR_SO_BROADCAST}, {SOL_SOCKET, SO_KEEPALIVE, TAPIR_SO_KEEPALIVE},
	{SOL_SOCKET, SO_SNDBUF, TAPIR_SO_SNDBUF}, {SOL_SOCKET, SO_RCVBUF, TAPIR_SO_RCVBUF},
	{IPPROTO_IP, IP_TTL, TAPIR_IP_TTL}, {IPPROTO_IP, IP_TOS, TAPIR_IP_TOS},
	{IPPROTO_TCP, TCP_NODELAY, TAPIR_TCP_NODELAY}, {IPPROTO_TCP, TCP_MAXSEG, TAPIR_TCP_MAXSEG},
	{IPPROTO_TCP, TCP_USER_TIMEOUT, TAPIR_TCP_USER_TIMEOUT}, {IPPROTO_TCP, TCP_KEEPIDLE, TAPIR_TCP_KEEPIDLE},
	{IPPROTO_TCP, TCP_KEEPINTVL, TAPIR_TCP_KEEPINTVL}, {IPPROTO_TCP, TCP_KEEPCNT, TAPIR_TCP_KEEPCNT},
	{IPPROTO_TCP, TCP_SYNCNT, TAPIR_TCP_SYNCNT}, {IPPROTO_TCP, TCP_LINGER2, TAPIR_TCP_LINGER2},
	{IPPROTO_TCP, TCP_WINDOW_CLAMP, TAPIR_TCP_WINDOW_CLAMP}, {IPPROTO_TCP, TCP_CORK, TAPIR_TCP_CORK},
	{IPPROTO_TCP, TCP_QUICKACK, TAPIR_TCP_QUICKACK}, {IPPROTO_TCP, TCP_DEFER_ACCEPT, TAPIR_TCP_DEFER_ACCEPT},
	{IPPROTO_TCP, TCP_FASTOPEN, TAPIR_TCP_FASTOPEN}, {IPPROTO_TCP, TCP_FASTOPEN_CONNECT, TAPIR_TCP_FASTOPEN_CONNECT},
};

/* What a kernel is told about its own affairs, without effect on anything that a script could see here. */
static const struct which { int level, name; } hints[] = {
	{SOL_SOCKET, SO_MARK}, {SOL_SOCKET, SO_PRIORITY}, {IPPROTO_IP, IP_FREEBIND}, {IPPROTO_IP, IP_MTU_DISCOVER},
};

static bool is_hint(const struct which *o)
{
	for (size_t i = 0; i < sizeof hints / sizeof *hints; i++)
		if (hints[i].level == o->level && hints[i].name == o->name)
			return true;
	return false;
}

/* The stack's option; -1 with errno. */
static int find_option(int level, int name)
{
	for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
		if (numbers[i].level == level && numbers[i].name == name)
			return (int)numbers[i].opt;
	return drill_fail(ENOPROTOOPT);
}

static int check(int result) { return result < 0 ? drill_fail(drill_errno(result)) : 0; }

/* Linux takes twice the buffer that it is asked for, because it counts its own overhead, and says so. Of the send buffer
 * scripts see all of it; of the receive buffer about half becomes window, which is what was asked for. */
static int doubled(int size) { return size > INT32_MAX / 2 ? INT32_MAX : 2 * size; }

static int set_linger(struct drill *d, tapir_sd sd, struct span value)
{
	struct linger l;

	if (value.n < sizeof l)
		return drill_fail(EINVAL);
	memcpy(&l, value.p, sizeof l);
	/* The stack never blocks in close(): a linger of some seconds is the ordinary close. */
	return check(tapir_setsockopt(d->t, sd, TAPIR_SO_LINGER, l.l_onoff && !l.l_linger ? 0 : -1));
}

static int set_congestion(struct drill *d, tapir_sd sd, struct span name)
{
	char text[16] = "";
	int cc;

	memcpy(text, name.p, name.n < sizeof text ? name.n : sizeof text - 1);
	cc = tapir_cc_parse(text);
	return cc < 0 ? drill_fail(ENOENT) : check(tapir_setsockopt(d->t, sd, TAPIR_TCP_CONGESTION, cc));
}

static int set_in(struct drill *d, int fd, const struct which *o, struct span value)
{
	struct drill_handle *h = drill_handle_find(d, fd);
	int number, opt = find_option(o->level, o->name);

	if (!h)
		return -1;
	if (h->kind != DRILL_SOCKET)
		return drill_fail(ENOTSOCK);
	if (o->level == SOL_SOCKET && o->name == SO_LINGER)
		return set_linger(d, h->sd, value);
	if (o->level == IPPROTO_TCP && o->name == TCP_CONGESTION)
		return set_congestion(d, h->sd, value);
	drill_reconfigure(d);
	if (opt == TAPIR_TCP_FASTOPEN_CONNECT && !(d->settings.config.fastopen & TAPIR_FASTOPEN_CLIENT))
		return drill_fail(EOPNOTSUPP);
	if (is_hint(o))
		return 0;
	if (opt < 0)
		return drill_fail(ENOPROTOOPT);
	if (value.n < sizeof number && (o->level != IPPROTO_IP || !value.n))
		return drill_fail(EINVAL);
	number = *value.p;			/* options of IP may be one byte */
	if (value.n >= sizeof number)
		memcpy(&number, value.p, sizeof number);
	if (opt == TAPIR_SO_SNDBUF)
		number = doubled(number);
	return check(tapir_setsockopt(d->t, h->sd, (enum tapir_opt)opt, number));
}

int drill_setsockopt(void *u, int fd, int level, int name, const void *value, socklen_t len)
{
	struct drill *d = drill_enter(u);
	int result = set_in(d, fd, &(struct which){level, name}, (struct span){value, len});

	drill_leave(d);
	return result;
}

/* --- STATUS --------------------------------------------------------------------------------------------------------- */

static uint8_t state_number(enum tapir_tcp_state state)
{
	/* include/net/tcp_states.h, part of Linux' interface. */
	static const uint8_t states[] = {
		[TAPIR_TCP_ESTABLISHED] = 1, [TAPIR_TCP_SYN_SENT] = 2, [TAPIR_TCP_SYN_RCVD] = 3, [TAPIR_TCP_FIN_WAIT_1] = 4,
		[TAPIR_TCP_FIN_WAIT_2] = 5, [TAPIR_TCP_TIME_WAIT] = 6, [TAPIR_TCP_CLOSED] = 7, [TAPIR_TCP_CLOSE_WAIT] = 8,
		[TAPIR_TCP_LAST_ACK] = 9, [TAPIR_TCP_LISTEN] = 10, [TAPIR_TCP_CLOSING] = 11,
	};

	return states[state];
}

static uint32_t segments(uint32_t bytes, uint32_t mss) { return mss ? (bytes + mss - 1) / mss : 0; }

static uint32_t threshold(uint32_t bytes, uint32_t mss)
{
	return bytes >= NO_THRESHOLD || !mss ? INFINITE_SSTHRESH : bytes / mss;
}

static void fill_info(const struct tapir_tcp_info *i, struct tcp_info *l)
{
	uint32_t mss = i->snd_mss;

	*l = (struct tcp_info){
		.tcpi_state = state_number(i->state),
		.tcpi_ca_state = (uint8_t)i->ca_state,	/* the same numbers */
		.tcpi_retransmits = (uint8_t)i->retransmits,
		.tcpi_backoff = i->backoff,
		.tcpi_probes = i->probes,
		.tcpi_options = (uint8_t)((i->timestamps ? TCPI_OPT_TIMESTAMPS : 0) | (i->sack ? TCPI_OPT_SACK : 0) |
					  (i->ecn ? TCPI_OPT_ECN : 0) | (i->ecn_seen ? TCPI_OPT_ECN_SEEN : 0) |
					  (i->rcv_wscale || i->snd_wscale ? TCPI_OPT_WSCALE : 0)),
		.tcpi_rto = i->rto_us,
		.tcpi_snd_mss = mss,
		.tcpi_rcv_mss = i->rcv_mss,
		.tcpi_advmss = i->advmss,
		.tcpi_pmtu = i->pmtu,
		.tcpi_ato = i->ato_us,
		.tcpi_last_data_sent = (uint32_t)(i->last_data_sent_us / TAPIR_MS),
		.tcpi_last_data_recv = (uint32_t)(i->last_recv_us / TAPIR_MS),
		.tcpi_last_ack_recv = (uint32_t)(i->last_recv_us / TAPIR_MS),
		.tcpi_bytes_acked = i->bytes_acked,
		.tcpi_bytes_received = i->bytes_received,
		.tcpi_bytes_sent = i->bytes_sent,
		.tcpi_bytes_retrans = i->bytes_retrans,
		.tcpi_segs_in = i->segs_in,
		.tcpi_segs_out = i->segs_out,
		.tcpi_unacked = segments(i->unacked, mss),
		.tcpi_rtt = i->rtt_us,
		.tcpi_rttvar = i->rttvar_us,
		.tcpi_snd_ssthresh = threshold(i->snd_ssthresh, mss),
		.tcpi_snd_cwnd = mss ? i->snd_cwnd / mss : 0,
		.tcpi_total_retrans = i->total_retrans,
		.tcpi_notsent_bytes = i->notsent,
	};
	if (i->syn_data)
		l->tcpi_options |= TCPI_OPT_SYN_DATA;
	l->tcpi_snd_wscale = i->snd_wscale & 15u;
	l->tcpi_rcv_wscale = i->rcv_wscale & 15u;
}

/* What is under way, by record: not in STATUS, and only scripts ask. To Linux what was lost is so until it is acknowledged. */
static void count_sent(struct drill *d, tapir_sd sd, uint32_t mss, struct tcp_info *l)
{
	struct socket *s = socket_find(d->t, sd);
	struct tcp_conn *c = s ? s->conn : NULL;
	bool repairing;

	if (!c || !c->sender || !mss)
		return;
	repairing = c->sender->phase == PHASE_RECOVERY || c->sender->phase == PHASE_LOSS;
	for (const struct tcp_sent *r = c->sender->first; r; r = r->next) {
		uint32_t n = segments(seq_sub(r->end, r->start), mss);
		bool again = r->times > 1;

		l->tcpi_sacked += r->state == SENT_SACKED ? n : 0;
		l->tcpi_lost += r->state == SENT_LOST || (r->state == SENT_FLYING && again && repairing) ? n : 0;
		l->tcpi_retrans += r->state == SENT_FLYING && again ? n : 0;
	}
}

/* The rest of a larger struct of a later Linux is zero. */
static int get_info(struct drill *d, tapir_sd sd, void *value, socklen_t len)
{
	struct tapir_tcp_info info;
	struct tcp_info linux_info;
	int error = tapir_tcp_info(d->t, sd, &info);

	if (error == TAPIR_ENOTCONN)
		info = (struct tapir_tcp_info){.state = TAPIR_TCP_CLOSED};
	else if (error)
		return check(error);
	fill_info(&info, &linux_info);
	if (!error)
		count_sent(d, sd, info.snd_mss, &linux_info);
	memset(value, 0, len);
	memcpy(value, &linux_info, len < sizeof linux_info ? len : sizeof linux_info);
	return 0;
}

static int get_memory(struct drill *d, tapir_sd sd, void *value, socklen_t *len)
{
	uint32_t numbers_of[MEMINFO_COUNT] = {0};
	int size;

	if (tapir_getsockopt(d->t, sd, TAPIR_SO_RCVBUF, &size) == 0)
		numbers_of[MEMINFO_RCVBUF] = (uint32_t)size;
	if (tapir_getsockopt(d->t, sd, TAPIR_SO_SNDBUF, &size) == 0)
		numbers_of[MEMINFO_SNDBUF] = (uint32_t)size;
	*len = *len < sizeof numbers_of ? *len : (socklen_t)sizeof numbers_of;
	memcpy(value, numbers_of, *len);
	return 0;
}

/* --- getsockopt ----------------------------------------------------------------------------------------------------- */

static int get_number(struct drill *d, const struct drill_handle *h, enum tapir_opt opt, struct iovec *value)
{
	int number, result = tapir_getsockopt(d->t, h->sd, opt, &number);

	if (result < 0)
		return check(result);
	if (opt == TAPIR_SO_ERROR && number)
		number = drill_errno(number);
	else if (opt == TAPIR_SO_RCVBUF)
		number = doubled(number);
	else if (opt == TAPIR_SO_TYPE)
		number = h->datagram ? SOCK_DGRAM : SOCK_STREAM;
	value->iov_len = value->iov_len < sizeof number ? value->iov_len : sizeof number;
	memcpy(value->iov_base, &number, value->iov_len);
	return 0;
}

static int get_linger(struct drill *d, tapir_sd sd, struct iovec *value)
{
	int seconds, result = tapir_getsockopt(d->t, sd, TAPIR_SO_LINGER, &seconds);
	struct linger l;

	if (result < 0)
		return check(result);
	l = (struct linger){.l_onoff = seconds >= 0, .l_linger = 0};
	value->iov_len = value->iov_len < sizeof l ? value->iov_len : sizeof l;
	memcpy(value->iov_base, &l, value->iov_len);
	return 0;
}

static int get_in(struct drill *d, int fd, const struct which *o, struct iovec *value)
{
	struct drill_handle *h = drill_handle_find(d, fd);
	socklen_t len = (socklen_t)value->iov_len;
	int result;

	if (!h)
		return -1;
	if (h->kind != DRILL_SOCKET)
		return drill_fail(ENOTSOCK);
	if (o->level == IPPROTO_TCP && o->name == TCP_INFO)
		return get_info(d, h->sd, value->iov_base, len);
	if (o->level == IPPROTO_TCP && o->name == TCP_CC_INFO) {
		value->iov_len = 0;		/* this controller has nothing of its own to tell */
		return 0;
	}
	if (o->level == SOL_SOCKET && o->name == SO_MEMINFO) {
		result = get_memory(d, h->sd, value->iov_base, &len);
		value->iov_len = len;
		return result;
	}
	if (o->level == SOL_SOCKET && o->name == SO_LINGER)
		return get_linger(d, h->sd, value);
	result = find_option(o->level, o->name);
	return result < 0 ? result : get_number(d, h, (enum tapir_opt)result, value);
}

int drill_getsockopt(void *u, int fd, int level, int name, void *value, socklen_t *len)
{
	struct drill *d = drill_enter(u);
	struct iovec to = {value, *len};
	int result = get_in(d, fd, &(struct which){level, name}, &to);

	*len = (socklen_t)to.iov_len;
	drill_leave(d);
	return result;
}
