/* options.c: getsockopt and setsockopt. The socket's own copy (socket_options) is the truth; what the protocol half needs
 * of it is copied there, so that options can be set before and after there is a connection. */
#include "socket.h"

#define BUF_MAX (1 << 30)		/* RFC 7323 2.3: no window is larger */
#define DEFAULT_MSS 536			/* RFC 9293 3.7.1 (MUST-15), until there is a connection */

enum who { STREAM = 1, DGRAM = 2, BOTH = 3 };

/* Which kinds of socket have an option; the rest of a row is for setsockopt: the values that it takes. */
static const struct option_rule { enum who get, set; int min, max; } rules[] = {
	[TAPIR_SO_TYPE] = {.get = BOTH},
	[TAPIR_SO_ERROR] = {.get = BOTH},
	[TAPIR_SO_ACCEPTCONN] = {.get = BOTH},
	[TAPIR_SO_REUSEADDR] = {BOTH, BOTH, INT32_MIN, INT32_MAX},
	[TAPIR_SO_BROADCAST] = {DGRAM, DGRAM, INT32_MIN, INT32_MAX},
	[TAPIR_SO_KEEPALIVE] = {STREAM, STREAM, INT32_MIN, INT32_MAX},
	[TAPIR_SO_LINGER] = {STREAM, STREAM, -1, 0},
	[TAPIR_SO_SNDBUF] = {STREAM, STREAM, 1, BUF_MAX},
	[TAPIR_SO_RCVBUF] = {BOTH, BOTH, 1, BUF_MAX},
	[TAPIR_IP_TTL] = {BOTH, BOTH, 1, 255},
	[TAPIR_IP_TOS] = {BOTH, BOTH, 0, 255},
	[TAPIR_TCP_NODELAY] = {STREAM, STREAM, INT32_MIN, INT32_MAX},
	[TAPIR_TCP_MAXSEG] = {.get = STREAM},
	[TAPIR_TCP_RETRIES] = {STREAM, STREAM, -1, 254},
	[TAPIR_TCP_CONGESTION] = {STREAM, STREAM, 0, TAPIR_CC_COUNT - 1},
	[TAPIR_TCP_FASTOPEN] = {STREAM, STREAM, 0, UINT16_MAX},
	[TAPIR_TCP_FASTOPEN_CONNECT] = {STREAM, STREAM, INT32_MIN, INT32_MAX},
};
#define OPTION_COUNT ((int)(sizeof rules / sizeof rules[0]))

static void set(struct socket_options *o, enum tapir_opt opt, int value)
{
	switch (opt) {
	case TAPIR_SO_REUSEADDR: o->reuse = value != 0; break;
	case TAPIR_SO_BROADCAST: o->broadcast = value != 0; break;
	case TAPIR_SO_KEEPALIVE: o->keepalive = value != 0; break;
	case TAPIR_SO_LINGER: o->abort_on_close = value == 0; break;
	case TAPIR_SO_SNDBUF: o->sndbuf = (uint32_t)value; o->sndbuf_fixed = true; break;
	case TAPIR_SO_RCVBUF: o->rcvbuf = (uint32_t)value; o->rcvbuf_fixed = true; break;
	case TAPIR_IP_TTL: o->ttl = (uint8_t)value; break;
	case TAPIR_IP_TOS: o->tos = (uint8_t)value; break;
	case TAPIR_TCP_NODELAY: o->nodelay = value != 0; break;
	case TAPIR_TCP_RETRIES: o->retries = value < 0 ? UINT8_MAX : (uint8_t)value; break;
	case TAPIR_TCP_CONGESTION: o->congestion = (uint8_t)value; break;
	case TAPIR_TCP_FASTOPEN: o->fastopen = (uint16_t)value; break;
	case TAPIR_TCP_FASTOPEN_CONNECT: o->fastopen_connect = value != 0; break;
	case TAPIR_SO_TYPE: case TAPIR_SO_ERROR: case TAPIR_SO_ACCEPTCONN: case TAPIR_TCP_MAXSEG:
		assert(false);		/* the rules have no setter */
	}
}

int tapir_setsockopt(struct tapir *t, tapir_sd sd, enum tapir_opt opt, int value)
{
	struct socket *s = socket_find(t, sd);

	if (!s)
		return TAPIR_EBADF;
	if ((int)opt < 0 || (int)opt >= OPTION_COUNT || !(rules[opt].set & s->type))
		return TAPIR_ENOPROTOOPT;
	if (value < rules[opt].min || value > rules[opt].max)
		return TAPIR_EINVAL;
	set(&s->opt, opt, value);
	if (s->type == TAPIR_SOCK_STREAM)
		stream_apply_options(t, s);
	else
		dgram_apply_options(s);
	return 0;
}

static int max_segment(const struct socket *s)
{
	return s->u.tcp.conn && s->u.tcp.conn->snd.mss ? s->u.tcp.conn->snd.mss : DEFAULT_MSS;
}

/* Of a connection: as large as it is now. */
static uint32_t buffer_size(const struct socket *s, enum tapir_opt opt)
{
	const struct tcp_conn *c = s->type == TAPIR_SOCK_STREAM ? s->u.tcp.conn : NULL;

	if (opt == TAPIR_SO_SNDBUF)
		return c ? c->sndbuf : s->opt.sndbuf;
	return c ? c->rcvbuf : s->opt.rcvbuf;
}

static int get(struct socket *s, enum tapir_opt opt)
{
	const struct socket_options *o = &s->opt;
	bool stream = s->type == TAPIR_SOCK_STREAM;

	switch (opt) {
	case TAPIR_SO_TYPE: return s->type;
	case TAPIR_SO_ERROR: return stream ? stream_take_error(s) : dgram_take_error(s);
	case TAPIR_SO_ACCEPTCONN: return stream && stream_is_listening(s);
	case TAPIR_SO_REUSEADDR: return o->reuse;
	case TAPIR_SO_BROADCAST: return o->broadcast;
	case TAPIR_SO_KEEPALIVE: return o->keepalive;
	case TAPIR_SO_LINGER: return o->abort_on_close ? 0 : -1;
	case TAPIR_SO_SNDBUF: case TAPIR_SO_RCVBUF: return (int)buffer_size(s, opt);
	case TAPIR_IP_TTL: return o->ttl;
	case TAPIR_IP_TOS: return o->tos;
	case TAPIR_TCP_NODELAY: return o->nodelay;
	case TAPIR_TCP_MAXSEG: return max_segment(s);
	case TAPIR_TCP_RETRIES: return o->retries == UINT8_MAX ? -1 : o->retries;
	case TAPIR_TCP_CONGESTION: return o->congestion;
	case TAPIR_TCP_FASTOPEN: return o->fastopen;
	case TAPIR_TCP_FASTOPEN_CONNECT: return o->fastopen_connect;
	}
	return 0;
}

int tapir_getsockopt(struct tapir *t, tapir_sd sd, enum tapir_opt opt, int *value)
{
	struct socket *s = socket_find(t, sd);

	if (!s)
		return TAPIR_EBADF;
	if ((int)opt < 0 || (int)opt >= OPTION_COUNT || !(rules[opt].get & s->type))
		return TAPIR_ENOPROTOOPT;
	*value = get(s, opt);
	return 0;
}
