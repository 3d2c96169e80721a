/* icmp.c: what ICMP errors mean for a connection (RFC 9293 3.9.2.2, RFC 5927 4). An error counts only if the sequence
 * number that it quotes is one that we have sent and that is not acknowledged. */
#include "internal.h"

static seq_t quoted_seq(const struct ip_error *e) { return seq(get_be32(e->quoted.p + TCP_SEQ_AT)); }

static struct tcp_conn *quoted_conn(struct tapir *t, const struct ip_error *e)
{
	struct tapir_endpoint local = {e->src, get_be16(e->quoted.p)}, peer = {e->dst, get_be16(e->quoted.p + 2)};
	struct tcp_tuple tuple = tcp_tuple(t, &local, &peer);
	struct tcp_conn *c = tcp_demux(t, &tuple);

	if (!c || seq_lt(quoted_seq(e), c->snd.una) || seq_geq(quoted_seq(e), c->snd.max))
		return NULL;	/* RFC 5927 4.1 */
	return c;
}

/* RFC 9293 3.9.1.8 (MUST-47), 3.9.2.2 (MUST-56): the program is woken and finds the error in STATUS; nothing ends.
 * DEVIATES: RFC 1122 4.2.3.9 (hard errors abort) because RFC 5927 5.2 shows that anyone could send one. */
static void report(struct tapir *t, struct tcp_conn *c, int error)
{
	c->soft_error = (int8_t)error;
	tcp_conn_notify(t, c);
}

void tcp_error(struct tapir *t, const struct ip_error *e)
{
	struct tcp_conn *c;

	if (e->quoted.n < 8)
		return;
	c = quoted_conn(t, e);
	if (!c)
		return;
	if (e->error == TAPIR_EMSGSIZE)
		tcp_pmtu_reported(t, c, e->mtu, quoted_seq(e));
	else if ((e->hard || e->local) && c->state == TCP_SYN_SENT)
		tcp_conn_end(t, c, e->error, "RFC 5927 5.1: an ICMP error for our SYN: nothing is lost yet");
	else
		report(t, c, e->error);
}
