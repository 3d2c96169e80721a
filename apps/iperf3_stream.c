/* iperf3_stream.c: see iperf3_stream.h. */
#include "iperf3_stream.h"

#define COPIED_BELOW 4096u	/* a lent piece costs a frame buffer however short it is: short blocks are put together */
#define DATAGRAMS_AT_ONCE 128	/* before others have their turn */
#define PACE_US TAPIR_MS	/* between two goes, at least: the interval of iperf3's own timer */

/* --- big-endian numbers in front of a datagram --- */

static uint64_t load(const uint8_t *p, size_t n)
{
	uint64_t value = 0;
	for (size_t i = 0; i < n; i++)
		value = value << 8 | p[i];
	return value;
}

static void store(uint8_t *p, uint64_t value, size_t n)
{
	for (size_t i = n; i-- > 0; value >>= 8)
		p[i] = (uint8_t)value;
}

/* --- receiving --- */

/* DEVIATES: RFC 3550 6.4.1 because the arrival times are those of the loop's turns, in which several datagrams may be taken. */
static void measure_jitter(struct iperf3_stream *s, double sent, usec_t now_us)
{
	double transit = (double)now_us / TAPIR_SEC - sent, d = transit - s->transit;
	if (s->has_transit)
		s->jitter += ((d < 0 ? -d : d) - s->jitter) / 16;
	s->transit = transit;
	s->has_transit = true;
}

/* A number behind the highest one was counted as lost when the gap was seen. */
static void count_number(struct iperf3_stream *s, uint64_t number)
{
	if (number > s->packets) {
		s->lost += number - s->packets - 1;
		s->packets = number;
	} else {
		s->lost -= s->lost > 0;
	}
}

void iperf3_stream_datagram(struct iperf3_stream *s, struct span data, bool wide, usec_t now_us)
{
	size_t width = wide ? 8 : 4;
	if (data.n < 8 + width)
		return;
	uint64_t number = load(data.p + 8, width);
	if (number > INT64_MAX)		/* JSON could not say it */
		return;
	s->bytes += data.n;
	count_number(s, number);
	measure_jitter(s, (double)load(data.p, 4) + (double)load(data.p + 4, 4) / 1e6, now_us);
}

/* --- sending --- */

/* When the rate allows the next block. */
static usec_t due_us(const struct iperf3_stream *s, const struct iperf3_source *source)
{
	if (source->bits_per_second <= 0)
		return 0;
	double us = (double)s->bytes * 8 * 1e6 / source->bits_per_second;
	return us < 1e15 ? source->start_us + (usec_t)us : USEC_NEVER;
}

static int64_t send_block(struct iperf3_stream *s, const struct iperf3_source *source)
{
	size_t n = source->block < source->text.n ? source->block : source->text.n;
	if (n < COPIED_BELOW)
		return tapir_send(source->t, s->sd, source->text.p, n);
	return tapir_send_borrowed(source->t, s->sd, source->text.p, n, NULL, NULL);
}

static int64_t send_datagram(struct iperf3_stream *s, const struct iperf3_source *source)
{
	usec_t now_us = tapir_now(source->t);
	store(source->datagram, now_us / TAPIR_SEC, 4);
	store(source->datagram + 4, now_us % TAPIR_SEC, 4);
	store(source->datagram + 8, s->packets + 1, source->wide ? 8 : 4);
	int64_t n = tapir_sendto(source->t, s->sd, source->datagram, source->block, &s->peer);
	s->packets += n > 0;
	return n;
}

/* Over TCP the socket's buffer is the bound of what is done at once; over UDP a datagram that finds no room is tried later. */
usec_t iperf3_stream_send(struct iperf3_stream *s, const struct iperf3_source *source)
{
	bool udp = source->datagram != NULL;
	usec_t now_us = tapir_now(source->t), due;
	int64_t n = 1;
	for (int i = 0; (due = due_us(s, source)) <= now_us && n > 0 && !(udp && i == DATAGRAMS_AT_ONCE); i++) {
		n = udp ? send_datagram(s, source) : send_block(s, source);
		s->bytes += n > 0 ? (uint64_t)n : 0;
	}
	if (n <= 0 && !udp)
		return USEC_NEVER;
	return due > now_us + PACE_US ? due : now_us + PACE_US;
}

/* --- what the stack knows --- */

void iperf3_stream_omit(struct iperf3_stream *s, struct tapir *t)
{
	struct tapir_tcp_info info = { .unread = 0 };
	tapir_tcp_info(t, s->sd, &info);
	s->omitted.bytes = s->bytes + (s->sends ? 0 : info.unread);
	s->omitted.packets = s->packets;
	s->omitted.lost = s->lost;
	s->omitted.retransmits = info.total_retrans;
	s->has_transit = false;
	s->jitter = 0;
}

void iperf3_stream_end(struct iperf3_stream *s, struct tapir *t)
{
	struct tapir_tcp_info info;
	if (tapir_tcp_info(t, s->sd, &info) < 0)
		return;			/* of a datagram socket, or gone: what was counted is all */
	s->bytes += s->sends ? 0 : info.unread;
	s->retransmits = info.total_retrans - s->omitted.retransmits;
	s->congestion = info.congestion;
}
