/* status.c: STATUS (RFC 9293 3.10.6): what a program may know of its connection, under the names of Linux' struct tcp_info.
 * Owns the counters that nothing but this needs: segments in and out, bytes sent again, and how often sequence numbers
 * have wrapped, so that bytes are counted in 64 bits. Only true numbers: what a stack that counts in bytes cannot tell in
 * segments (tcpi_delivered, tcpi_data_segs_*), or would have to time for nobody's use (tcpi_busy_time), is not there. */
#include "internal.h"

static uint32_t segments_in(uint32_t text, uint32_t segment)
{
	return text > segment && segment ? (text + segment - 1) / segment : 1;
}

uint32_t tcp_segment_text(const struct tcp_arrival *a)
{
	const struct tapir_offload *o = &(*a->pkt->frame)->offload;

	return o->gso == TAPIR_GSO_NONE ? (uint32_t)a->seg.text.n : o->gso_size;
}

uint32_t tcp_segments(const struct tcp_arrival *a)
{
	return segments_in((uint32_t)a->seg.text.n, tcp_segment_text(a));
}

uint32_t tcp_count_out(struct tcp_conn *c, seq_t at, uint32_t text, uint32_t segment)
{
	uint32_t n = segments_in(text, segment);

	c->segs_out += n;
	if (text && seq_lt(at, c->snd.max))
		c->bytes_retrans += min_u32(text, seq_sub(c->snd.max, at));
	return n;
}

bool tcp_wraps(seq_t began, seq_t from, seq_t to)
{
	return seq_sub(to, began) < seq_sub(from, began);
}

/* The SYN and the FIN are no bytes. */
static uint64_t bytes_acked(const struct tcp_conn *c)
{
	uint64_t n = (uint64_t)c->snd.wraps << 32 | seq_sub(c->snd.una, c->iss);

	return n - (n > 0) - c->fin_acked;
}

static uint64_t bytes_received(const struct tcp_conn *c)
{
	uint64_t n = (uint64_t)c->rcv.wraps << 32 | seq_sub(c->rcv.nxt, c->irs);

	if (c->state == TCP_SYN_SENT || (c->state == TCP_CLOSED && !n))
		return 0;
	return n - 1 - c->fin_rcvd;
}

/* Of what is outstanding, text: all but our SYN, and our FIN, which lies beyond all text. */
static uint32_t text_sent(const struct tcp_conn *c)
{
	uint32_t flight = seq_sub(c->snd.max, c->snd.una);

	return min_u32(c->tx.bytes, flight - (flight && tcp_syn_unacked(c) ? 1 : 0));
}

static enum tapir_ca_state ca_state(const struct tcp_conn *c)
{
	const struct tcp_sender *s = c->sender;

	if (!s)
		return TAPIR_CA_OPEN;
	switch ((enum tcp_phase)s->phase) {
	case PHASE_CWR: return TAPIR_CA_CWR;
	case PHASE_RECOVERY: return TAPIR_CA_RECOVERY;
	case PHASE_LOSS: return TAPIR_CA_LOSS;
	case PHASE_OPEN: break;
	}
	return s->dup_acks || s->sacked ? TAPIR_CA_DISORDER : TAPIR_CA_OPEN;
}

static void count(const struct tapir *t, const struct tcp_conn *c, struct tapir_tcp_info *info)
{
	info->bytes_acked = bytes_acked(c);
	info->bytes_received = bytes_received(c);
	info->bytes_retrans = c->bytes_retrans;
	info->bytes_sent = info->bytes_acked + text_sent(c) + c->bytes_retrans;
	info->segs_in = c->segs_in;
	info->segs_out = c->segs_out;
	info->total_retrans = c->total_retrans;
	info->rcv_ooopack = c->rcv.arrivals;
	info->received_ce = c->ce_in;
	info->last_data_sent_us = t->now_us - c->last_out_us;
	info->last_recv_us = t->now_us - c->last_in_us;
}

void tcp_status(struct tapir *t, const struct tcp_conn *c, struct tapir_tcp_info *info)
{
	*info = (struct tapir_tcp_info){
		.state = (enum tapir_tcp_state)c->state, .local = c->local, .peer = c->peer, .ca_state = ca_state(c),
		.snd_mss = c->snd.mss, .rcv_mss = c->rcv.mss, .advmss = c->rcv.mss_offered, .pmtu = tcp_pmtu(c),
		.snd_cwnd = c->cc.cwnd, .snd_ssthresh = c->cc.ssthresh, .snd_wnd = c->snd.wnd, .rcv_wnd = tcp_rcv_wnd(c),
		.unacked = seq_sub(c->snd.max, c->snd.una), .notsent = c->tx.bytes - text_sent(c), .rtt_us = c->rtt.srtt_us,
		.rttvar_us = c->rtt.rttvar_us, .rto_us = c->rtt.rto_us, .ato_us = (uint32_t)t->cfg.delack_us,
		.retransmits = c->rtt.backoff, .backoff = (uint8_t)max_u32(c->rtt.backoff, c->rtt.probes),
		.probes = (uint8_t)max_u32(c->rtt.probes, c->rtt.keepalives), .unread = c->rx.bytes,
		.snd_wscale = c->snd.shift, .rcv_wscale = (uint8_t)c->rcv.shift, .soft_error = c->soft_error,
		.timestamps = c->ts_on, .sack = c->sack_on, .ecn = tcp_ecn_on(c), .ecn_seen = c->ecn & ECN_SEEN,
		.congestion = c->cc.ops->name,
		.syn_data = c->syn_text,
	};
	count(t, c, info);
	tcp_tune_status(t, c, info);
}
