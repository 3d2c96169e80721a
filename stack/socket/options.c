/* options.c: getsockopt and setsockopt. The socket's own copy (socket_options) is the truth; what the protocol half needs
 * of it is copied there, so that options can be set before and after there is a connection. */
#include "socket.h"

#define BUF_MAX (1 << 30)		/* RFC 7323 2.3: no window is larger */
#define MAXSEG_MIN 88			/* these three as on Linux */
#define LINGER2_MAX_S 120u
#define CLAMP_MIN 1152u
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
	[TAPIR_TCP_MAXSEG] = {STREAM, STREAM, 0, 32767},
	[TAPIR_TCP_RETRIES] = {STREAM, STREAM, -1, 254},
	[TAPIR_TCP_CONGESTION] = {STREAM, STREAM, 0, TAPIR_CC_COUNT - 1},
	[TAPIR_TCP_DEFER_ACCEPT] = {STREAM, STREAM, 0, 24 * 3600},
	[TAPIR_TCP_FASTOPEN] = {STREAM, STREAM, 0, UINT16_MAX},
	[TAPIR_TCP_FASTOPEN_CONNECT] = {STREAM, STREAM, INT32_MIN, INT32_MAX},
	[TAPIR_TCP_USER_TIMEOUT] = {STREAM, STREAM, 0, INT32_MAX},
	[TAPIR_TCP_KEEPIDLE] = {STREAM, STREAM, 1, 32767},
	[TAPIR_TCP_KEEPINTVL] = {STREAM, STREAM, 1, 32767},
	[TAPIR_TCP_KEEPCNT] = {STREAM, STREAM, 1, 127},
	[TAPIR_TCP_SYNCNT] = {STREAM, STREAM, 1, 127},
	[TAPIR_TCP_LINGER2] = {STREAM, STREAM, INT32_MIN, INT32_MAX},
	[TAPIR_TCP_WINDOW_CLAMP] = {STREAM, STREAM, 0, BUF_MAX},
	[TAPIR_TCP_CORK] = {STREAM, STREAM, INT32_MIN, INT32_MAX},
	[TAPIR_TCP_QUICKACK] = {STREAM, STREAM, INT32_MIN, INT32_MAX},
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
	case TAPIR_TCP_CONGESTION: o->congestion = (unsigned)value & 3; break;
	case TAPIR_TCP_FASTOPEN_CONNECT: o->fastopen_connect = value != 0; break;
	case TAPIR_TCP_CORK: o->cork = value != 0; break;
	case TAPIR_TCP_QUICKACK: o->quickack = value != 0; break;
	case TAPIR_SO_TYPE: case TAPIR_SO_ERROR: case TAPIR_SO_ACCEPTCONN:
	case TAPIR_TCP_MAXSEG: case TAPIR_TCP_USER_TIMEOUT: case TAPIR_TCP_KEEPIDLE: case TAPIR_TCP_KEEPINTVL:
	case TAPIR_TCP_KEEPCNT: case TAPIR_TCP_SYNCNT: case TAPIR_TCP_LINGER2: case TAPIR_TCP_WINDOW_CLAMP:
	case TAPIR_TCP_DEFER_ACCEPT: case TAPIR_TCP_FASTOPEN:
		assert(false);		/* the rules have no setter, or choose() is it */
	}
}

/* An option that lies in the set of choices. False: it is none of those. */
static bool choose(const struct tapir *t, struct tcp_choices *is, enum tapir_opt opt, int value)
{
	switch ((int)opt) {
	case TAPIR_TCP_DEFER_ACCEPT: is->defer = tcp_defer_timeouts(&t->cfg, (uint32_t)value); return true;
	case TAPIR_TCP_FASTOPEN: is->fastopen = (uint16_t)value; return true;
	case TAPIR_TCP_MAXSEG: is->maxseg = (uint16_t)value; return true;
	case TAPIR_TCP_USER_TIMEOUT: is->user_timeout_ms = (uint32_t)value; return true;
	case TAPIR_TCP_KEEPIDLE: is->keep_idle_s = (uint16_t)value; return true;
	case TAPIR_TCP_KEEPINTVL: is->keep_interval_s = (uint16_t)value; return true;
	case TAPIR_TCP_KEEPCNT: is->keep_count = (uint8_t)value; return true;
	case TAPIR_TCP_SYNCNT: is->syn_retries = (uint8_t)value; return true;
	case TAPIR_TCP_LINGER2: is->linger2_s = value < 0 ? -1 : (int32_t)min_u32((uint32_t)value, LINGER2_MAX_S); return true;
	case TAPIR_TCP_WINDOW_CLAMP: is->window_clamp = value ? max_u32((uint32_t)value, CLAMP_MIN) : 0; return true;
	default: return false;
	}
}

static int set_stream(struct tapir *t, struct socket *s, enum tapir_opt opt, int value)
{
	struct tcp_choices is = s->tuning->is;
	struct tcp_tuning *tuning = s->tuning;

	if (opt == TAPIR_TCP_MAXSEG && value && value < MAXSEG_MIN)
		return TAPIR_EINVAL;
	if (opt == TAPIR_TCP_MAXSEG && s->conn)
		return TAPIR_EISCONN;		/* it is agreed in the SYNs */
	if (!choose(t, &is, opt, value))
		set(&s->opt, opt, opt == TAPIR_IP_TOS ? value & ~IP_ECN_MASK : value);	/* those two bits are ecn.c's */
	else
		tuning = tcp_tuning_change(t, s->tuning, &is);
	if (!tuning)
		return TAPIR_ENOMEM;
	s->tuning = tuning;
	stream_apply_options(t, s);
	if (s->conn && opt == TAPIR_TCP_QUICKACK)
		tcp_set_quickack(t, s->conn, value);
	if (s->conn && opt == TAPIR_TCP_NODELAY)		/* again: it may have to pass a cork */
		tcp_set_nodelay(t, s->conn, value);
	return 0;
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
	if (s->type == TAPIR_SOCK_STREAM)
		return set_stream(t, s, opt, value);
	set(&s->opt, opt, value);
	dgram_apply_options(s);
	return 0;
}

static int max_segment(const struct socket *s)
{
	if (s->conn && s->conn->snd.mss)
		return s->conn->snd.mss;
	return s->tuning->is.maxseg ? s->tuning->is.maxseg : DEFAULT_MSS;
}

static int seconds(usec_t us) { return (int)(us / TAPIR_SEC); }

/* A choice as it is in effect: the program's, or the configuration's. */
static int choice(const struct tapir *t, const struct socket *s, enum tapir_opt opt)
{
	const struct tcp_choices *is = &s->tuning->is;

	switch ((int)opt) {
	case TAPIR_TCP_USER_TIMEOUT: return (int)is->user_timeout_ms;
	case TAPIR_TCP_KEEPIDLE: return is->keep_idle_s ? is->keep_idle_s : seconds(t->cfg.keepalive_idle_us);
	case TAPIR_TCP_KEEPINTVL: return is->keep_interval_s ? is->keep_interval_s : seconds(t->cfg.keepalive_interval_us);
	case TAPIR_TCP_KEEPCNT: return is->keep_count ? is->keep_count : t->cfg.keepalive_probes;
	case TAPIR_TCP_SYNCNT: return is->syn_retries ? is->syn_retries : t->cfg.syn_retries;
	case TAPIR_TCP_LINGER2: return is->linger2_s ? is->linger2_s : seconds(t->cfg.fin_wait_2_us);
	default: return (int)is->window_clamp;
	}
}

static bool acks_quickly(const struct tapir *t, const struct socket *s)
{
	if (s->conn)
		return s->conn->rcv.quick > 0;
	return s->opt.quickack == QUICKACK_UNSET ? t->cfg.quickacks > 0 : s->opt.quickack;
}


/* Of a connection: as large as it is now. */
static uint32_t buffer_size(const struct socket *s, enum tapir_opt opt)
{
	const struct tcp_conn *c = s->type == TAPIR_SOCK_STREAM ? s->conn : NULL;

	if (opt == TAPIR_SO_SNDBUF)
		return c ? c->tx.limit : s->opt.sndbuf;
	return c ? c->rx.limit : s->opt.rcvbuf;
}

static int get(const struct tapir *t, struct socket *s, enum tapir_opt opt)
{
	const struct socket_options *o = &s->opt;
	bool stream = s->type == TAPIR_SOCK_STREAM;

	switch (opt) {
	case TAPIR_SO_TYPE: return s->type;
	case TAPIR_SO_ERROR: return stream ? stream_take_error(s) : dgram_take_error(s);
	case TAPIR_SO_ACCEPTCONN: return stream && s->listening;
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
	case TAPIR_TCP_DEFER_ACCEPT: return (int)tcp_defer_seconds(&t->cfg, s->tuning->is.defer);
	case TAPIR_TCP_FASTOPEN: return s->tuning->is.fastopen;
	case TAPIR_TCP_FASTOPEN_CONNECT: return o->fastopen_connect;
	case TAPIR_TCP_CORK: return o->cork;
	case TAPIR_TCP_QUICKACK: return acks_quickly(t, s);
	case TAPIR_TCP_USER_TIMEOUT: case TAPIR_TCP_KEEPIDLE: case TAPIR_TCP_KEEPINTVL: case TAPIR_TCP_KEEPCNT:
	case TAPIR_TCP_SYNCNT: case TAPIR_TCP_LINGER2: case TAPIR_TCP_WINDOW_CLAMP:
		return choice(t, s, opt);
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
	*value = get(t, s, opt);
	return 0;
}
