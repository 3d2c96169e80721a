/* icmp.c: ICMP (RFC 792, RFC 1122 3.2.2): echo both ways, errors out under a rate limit, errors in to the transport that
 * they are about. Owns the rate limit, the answers to our echo requests and which identifiers those have.
 *
 * An error that arrives only reports; whether it is believed is the transport's to say, which knows what it has sent
 * (RFC 5927 4). So is a path MTU: the transport calls ip_learn_pmtu.
 * DEVIATES: RFC 1122 3.2.2.2 because anyone on the link can send a Redirect: they are ignored, as Source Quench is
 * (RFC 6633 3). */
#include "internal.h"

#define ERROR_QUOTE (576u - IPV4_HEADER - ICMP_HEADER)	/* RFC 1812 4.3.2.3: an error is at most 576 bytes long */
#define ERROR_TOS 0xc0u					/* RFC 1812 4.3.2.5: internetwork control */

void icmp_init(struct tapir *t)
{
	t->icmp->tokens_us = (uint64_t)t->cfg.icmp_burst * TAPIR_SEC;
	t->icmp->tokens_at_us = t->now_us;
}

/* Writes the header in front of n bytes of payload that lie in f already, and queues it. */
static int send(struct tapir *t, struct tapir_frame *f, const struct icmp_header *h, const struct ip_how *how)
{
	icmp_emit(h, f->data, f->len - ICMP_HEADER);
	return ip_queue(t, f, how);
}

/* ---- errors out ------------------------------------------------------------------------------------------------ */

/* A token bucket in units of 1/icmp_rate microseconds: no division. */
static bool rate_allows(struct tapir *t)
{
	struct icmp *icmp = t->icmp;
	uint64_t most = (uint64_t)t->cfg.icmp_burst * TAPIR_SEC;
	uint64_t passed_us = min_usec(t->now_us - icmp->tokens_at_us, most);	/* more would only fill it, and overflow */

	icmp->tokens_at_us = t->now_us;
	icmp->tokens_us = min_usec(icmp->tokens_us + passed_us * t->cfg.icmp_rate, most);
	if (icmp->tokens_us < TAPIR_SEC)
		return false;
	icmp->tokens_us -= TAPIR_SEC;
	return true;
}

/* RFC 1122 3.2.2: no error about an ICMP error, nor about what went to a group. */
static bool may_be_reported(const struct ip_packet *pkt)
{
	if (pkt->group)
		return false;
	return pkt->proto != IP_PROTO_ICMP || (pkt->payload.n && pkt->payload.p[0] == ICMP_ECHO);
}

void icmp_error(struct tapir *t, const struct ip_packet *pkt, uint8_t type, uint8_t code)
{
	struct ip_how how = {.src = pkt->dst, .dst = pkt->src, .proto = IP_PROTO_ICMP, .tos = ERROR_TOS};
	struct span quote = span_first(pkt->datagram, ERROR_QUOTE);
	struct icmp_header h = {.type = type, .code = code};
	struct tapir_frame *f;

	if (!may_be_reported(pkt))
		return;
	if (!rate_allows(t)) {
		verdict_count(t, DROP_ICMP_RATE, (uint32_t)pkt->datagram.n);
		return;
	}
	f = ip_frame_get(t, ICMP_HEADER + (uint32_t)quote.n);
	if (!f)
		return;			/* as if it were lost */
	memcpy(f->data + ICMP_HEADER, quote.p, quote.n);
	f->len = ICMP_HEADER + (uint32_t)quote.n;
	send(t, f, &h, &how);
}

/* ---- echo ------------------------------------------------------------------------------------------------------ */

/* RFC 1122 3.2.2.6: the same bytes back, from the address that was asked. */
static enum tapir_verdict answer_echo(struct tapir *t, const struct ip_packet *pkt, struct icmp_header h)
{
	struct ip_how how = {.src = pkt->dst, .dst = pkt->src, .proto = IP_PROTO_ICMP, .tos = pkt->tos};

	if (pkt->group)
		return DROP_ICMP_BROADCAST;
	h.type = ICMP_ECHO_REPLY;
	h.code = 0;
	return send(t, ip_take(t, pkt, pkt->payload), &h, &how) == 0 ? ACCEPT : DROP_NO_MEMORY;
}

static bool id_is_ours(const struct icmp *icmp, uint16_t id)
{
	uint32_t n = min_u32(icmp->id_count, ICMP_ECHO_IDS);

	while (n && icmp->ids[n - 1] != id)
		n--;
	return n != 0;
}

static void remember_id(struct icmp *icmp, uint16_t id)
{
	if (!id_is_ours(icmp, id))
		icmp->ids[icmp->id_count++ % ICMP_ECHO_IDS] = id;
}

static void echo_push(struct icmp *icmp, const struct tapir_echo *echo)
{
	if (icmp->echo_count == ICMP_ECHOES) {
		icmp->echo_first = (icmp->echo_first + 1) % ICMP_ECHOES;
		icmp->echo_count--;
	}
	icmp->echoes[(icmp->echo_first + icmp->echo_count++) % ICMP_ECHOES] = *echo;
}

static enum tapir_verdict take_echo_reply(struct tapir *t, const struct ip_packet *pkt, const struct icmp_header *h)
{
	struct tapir_echo echo = {.from = pkt->src, .id = h->id, .seq = h->seq, .ttl = pkt->ttl,
				  .len = (uint32_t)pkt->payload.n - ICMP_HEADER, .at_us = t->now_us};

	if (!id_is_ours(t->icmp, h->id))
		return DROP_ICMP_NO_SOCKET;
	echo_push(t->icmp, &echo);
	return ACCEPT;
}

int tapir_echo_send(struct tapir *t, struct tapir_addr to, uint16_t id, uint16_t seq, struct span payload)
{
	struct ip_how how = {.dst = to, .proto = IP_PROTO_ICMP};
	struct icmp_header h = {.type = ICMP_ECHO, .id = id, .seq = seq};
	struct tapir_frame *f;
	int error;

	if (payload.n > IP_PAYLOAD_MAX - ICMP_HEADER)
		return TAPIR_EMSGSIZE;
	if (ip_is_broadcast(t, &to))
		return TAPIR_EACCES;
	f = ip_frame_get(t, ICMP_HEADER + (uint32_t)payload.n);
	if (!f)
		return TAPIR_ENOMEM;
	if (payload.n)
		memcpy(f->data + ICMP_HEADER, payload.p, payload.n);
	f->len = ICMP_HEADER + (uint32_t)payload.n;
	error = send(t, f, &h, &how);
	if (!error)
		remember_id(t->icmp, id);
	return error;
}

int tapir_echo_recv(struct tapir *t, struct tapir_echo *echo)
{
	struct icmp *icmp = t->icmp;

	if (!icmp->echo_count)
		return 0;
	*echo = icmp->echoes[icmp->echo_first];
	icmp->echo_first = (icmp->echo_first + 1) % ICMP_ECHOES;
	icmp->echo_count--;
	return 1;
}

/* ---- errors in ------------------------------------------------------------------------------------------------- */

/* RFC 1191 7.1: routers that do not tell the MTU get the next plateau below what was too large. */
static uint16_t plateau_below(uint16_t total_len)
{
	static const uint16_t plateaus[] = {32000, 17914, 8166, 4352, 2002, 1492, 1006, 508, 296, 68};
	size_t i = 0;

	while (plateaus[i] >= total_len && plateaus[i] > 68)
		i++;
	return plateaus[i];
}

static int unreachable_error(uint8_t code)
{
	switch (code) {
	case ICMP_PROTOCOL_UNREACHABLE:
	case ICMP_PORT_UNREACHABLE:
		return TAPIR_ECONNREFUSED;
	case ICMP_FRAGMENTATION_NEEDED:
		return TAPIR_EMSGSIZE;
	case ICMP_NET_UNREACHABLE:
	case 6:			/* network unknown */
	case 9:			/* network prohibited */
	case 11:		/* network unreachable for this type of service */
		return TAPIR_ENETUNREACH;
	default:
		return TAPIR_EHOSTUNREACH;
	}
}

/* An error about our own echo request is told where its answer would be. */
static void report_echo(struct tapir *t, const struct ip_error *e)
{
	struct tapir_echo echo = {.from = e->from, .type = e->type, .code = e->code, .at_us = t->now_us};

	echo.id = get_be16(e->quoted.p + 4);
	echo.seq = get_be16(e->quoted.p + 6);
	if (e->quoted.p[0] != ICMP_ECHO || !id_is_ours(t->icmp, echo.id))
		return;
	if (e->error == TAPIR_EMSGSIZE)
		ip_learn_pmtu(t, &e->dst, e->mtu);
	echo_push(t->icmp, &echo);
}

/* h is the header of a datagram that we sent, and that was not delivered. */
static void report(struct tapir *t, const struct ipv4_header *h, struct ip_error *e)
{
	e->src = h->src;
	e->dst = h->dst;
	if (e->error == TAPIR_EMSGSIZE && e->mtu == 0)
		e->mtu = plateau_below(h->total_len);
	if (h->proto == IP_PROTO_TCP)
		tcp_error(t, e);
	else if (h->proto == IP_PROTO_UDP)
		udp_error(t, e);
	else if (h->proto == IP_PROTO_ICMP)
		report_echo(t, e);
}

static enum tapir_verdict take_error(struct tapir *t, const struct ip_packet *pkt, const struct icmp_header *h,
				     struct span quote)
{
	struct ip_error e = {.error = TAPIR_EHOSTUNREACH, .type = h->type, .code = h->code, .from = pkt->src};
	struct ipv4_header quoted;

	if (!ipv4_parse_quoted(quote, &quoted, &e.quoted) || e.quoted.n < 8 || quoted.offset ||
	    !ip_is_local(t, &quoted.src))
		return DROP_ICMP_QUOTE;
	if (h->type == ICMP_PARAMETER_PROBLEM)
		e.error = TAPIR_EPROTO;
	if (h->type == ICMP_UNREACHABLE) {
		e.error = unreachable_error(h->code);
		e.hard = h->code >= ICMP_PROTOCOL_UNREACHABLE && h->code <= ICMP_FRAGMENTATION_NEEDED;
		e.mtu = e.error == TAPIR_EMSGSIZE ? h->seq : 0;
	}
	report(t, &quoted, &e);
	return ACCEPT;
}

enum tapir_verdict icmp_input(struct tapir *t, const struct ip_packet *pkt)
{
	struct icmp_header h;
	struct span payload;
	enum tapir_verdict v = icmp_parse(pkt->payload, &h, &payload);

	if (v != ACCEPT)
		return v;
	switch (h.type) {
	case ICMP_ECHO:
		return answer_echo(t, pkt, h);
	case ICMP_ECHO_REPLY:
		return take_echo_reply(t, pkt, &h);
	case ICMP_UNREACHABLE:
	case ICMP_TIME_EXCEEDED:
	case ICMP_PARAMETER_PROBLEM:
		return take_error(t, pkt, &h, payload);
	default:
		return DROP_ICMP_TYPE;
	}
}

/* ARP has given the next hop up: what a router would report, we report to ourselves. */
void ip_unresolved(struct tapir *t, struct tapir_frame *datagram)
{
	struct ip_error e = {.error = TAPIR_EHOSTUNREACH, .local = true, .type = ICMP_UNREACHABLE,
			     .code = ICMP_HOST_UNREACHABLE, .from = t->cfg.addr};
	struct ipv4_header h;

	verdict_count(t, DROP_ARP_UNRESOLVED, datagram->len);
	if (ipv4_parse_quoted(frame_span(datagram), &h, &e.quoted) && e.quoted.n >= 8)
		report(t, &h, &e);
	frame_put(&t->frames, datagram);
}
