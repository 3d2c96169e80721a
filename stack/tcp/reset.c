/* reset.c: segments that no connection sends: RSTs (RFC 9293 3.5.2) and SYN cookies. They leave through the queue of
 * datagrams, and are never sent again. */
#include "internal.h"

static void send(struct tapir *t, const struct ip_how *how, const struct tcp_seg *seg)
{
	uint16_t header = tcp_header_len(seg);
	struct tapir_frame *f = frame_get_headroom(&t->frames, FRAME_HEADROOM + header);
	uint64_t sum;

	if (!f)
		return;		/* as if it were lost */
	t->stats.tcp_segs_out++;
	t->stats.tcp_rsts_out += (seg->flags & TCP_RST) != 0;
	tcp_emit(seg, f->data);
	f->len = header;
	sum = checksum_pseudo(&how->src, &how->dst, IP_PROTO_TCP, header);
	put_be16(f->data + TCP_CHECKSUM_AT, checksum_finish(checksum_add(sum, frame_span(f))));
	ip_queue(t, f, how);
}

/* RFC 9293 3.5.2 group 1, 3.10.7.1: the RST takes its numbers from the segment, so that its sender accepts it. */
void tcp_reset_for(struct tapir *t, const struct ip_packet *pkt, const struct tcp_seg *seg)
{
	struct ip_how how = {.src = pkt->dst, .dst = pkt->src, .proto = IP_PROTO_TCP, .df = true};
	struct tcp_seg rst = {.src_port = seg->dst_port, .dst_port = seg->src_port, .flags = TCP_RST};

	if (seg->flags & TCP_RST)
		return;
	if (seg->flags & TCP_ACK) {
		rst.seq = seg->ack;
	} else {
		rst.flags = TCP_RST | TCP_ACK;
		rst.ack = seq_add(seg->seq, seg->len);
	}
	send(t, &how, &rst);
}

void tcp_send_alone(struct tapir *t, const struct tcp_conn *c, const struct tcp_seg *seg)
{
	struct ip_how how = {.src = c->local.addr, .dst = c->peer.addr, .proto = IP_PROTO_TCP, .ttl = c->ttl, .tos = c->tos,
			     .df = true};

	send(t, &how, seg);
}

/* RFC 7323 3.2: a RST of a connection with timestamps SHOULD carry one; its TSecr MUST be zero, as there is no ACK. */
void tcp_reset_conn(struct tapir *t, const struct tcp_conn *c, seq_t at)
{
	struct tcp_seg rst = {.src_port = c->local.port, .dst_port = c->peer.port, .flags = TCP_RST,
			      .seq = tcp_burst_unsent(t, c, at)};

	rst.opt.has_ts = c->ts_on;
	rst.opt.ts_val = tcp_ts_now(t, c);
	tcp_send_alone(t, c, &rst);
}
