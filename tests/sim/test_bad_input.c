/* Bad input: for every verdict of tapir.h one frame, or one short story, that draws it from a whole stack on Ethernet; and
 * after it the stack still answers. */
#include <stdio.h>
#include "tests/support/host.h"
#include "tests/support/segment.h"
#include "stack/wire/checksum.h"

#define ISS_US 5000u		/* of every connection here */
#define ISS_PEER 1000u
#define UDP_PORT 53
#define TCP_PORT 80		/* a listener */
#define CLOSED_PORT 81
#define PEER_PORT 9000		/* the far end of the connection that is open from the start */
#define OUR_PORT 3000		/* this end of one that is in SYN-SENT */
#define SOCKETS 32
#define I ETH_HEADER		/* where the IP header begins, and what it carries */
#define P (ETH_HEADER + IPV4_HEADER)

static struct tapir *t;
static tapir_sd sds[SOCKETS], udp, conn;
static int sd_count;
static uint8_t frame[1600];
static enum tapir_verdict last;		/* of what the stack heard last */

/* --- the world --- */

static tapir_sd keep(tapir_sd sd)
{
	ck_assert_int_ge(sd, 0);
	ck_assert_int_lt(sd_count, SOCKETS);
	return sds[sd_count++] = sd;
}

static tapir_sd socket_at(enum tapir_sock_type type, uint16_t port)
{
	struct tapir_endpoint local = {.port = port};
	tapir_sd sd = keep(tapir_socket(t, type));

	ck_assert_result(tapir_bind(t, sd, &local), 0);
	return sd;
}

static tapir_sd listener_at(uint16_t port, int backlog)
{
	tapir_sd sd = socket_at(TAPIR_SOCK_STREAM, port);

	ck_assert_result(tapir_listen(t, sd, backlog), 0);
	return sd;
}

static void hears_segment(uint16_t from, uint16_t to, const char *line)
{
	static const struct segment_base base = {.seq = ISS_PEER, .ack = ISS_US};
	const struct segment_path path = {.src = 0x0a000001, .dst = 0x0a000002, .src_port = from, .dst_port = to};
	struct eth_header eth = {.type = ETH_TYPE_IPV4};
	struct segment s;
	const char *wrong = segment_parse(line, &base, &s);

	ck_assert_msg(!wrong, "%s: %s", line, wrong);
	memcpy(eth.dst, host_mac, 6);
	memcpy(eth.src, neighbour_mac, 6);
	eth_emit(&eth, frame);
	last = host_hears(frame, I + segment_emit(&s, &path, ISS_PEER, frame + I));
}

static tapir_sd connection(uint16_t from, tapir_sd listener)
{
	hears_segment(from, TCP_PORT, "S 0:0(0) win 60000 <mss 1460>");
	ck_assert_verdict_eq(last, ACCEPT);
	host_says_all();
	hears_segment(from, TCP_PORT, ". 1:1(0) ack 1 win 60000");
	ck_assert_verdict_eq(last, ACCEPT);
	return keep(tapir_accept(t, listener, NULL));
}

static void hears_arp_of_neighbour(void)
{
	last = host_hears_arp(&(struct host_arp){.op = ARP_REQUEST, .sender_mac = neighbour_mac, .sender = NEIGHBOUR_IP,
						 .target = HOST_IP});
}

static tapir_sd listener;

static void begin(void)
{
	struct tapir_config *config = host_config_ethernet();

	config->isn = ISS_US;
	config->max_sockets = SOCKETS;
	config->mtu_probing = 0;
	t = host_begin();
	sd_count = 0;
	hears_arp_of_neighbour();
	udp = socket_at(TAPIR_SOCK_DGRAM, UDP_PORT);
	listener = listener_at(TCP_PORT, 8);
	conn = connection(PEER_PORT, listener);
	host_says_all();
}

static void end(void)
{
	for (int i = 0; i < sd_count; i++)
		tapir_abort(t, sds[i]);		/* EBADF: the story has closed it */
	host_end();
}

/* --- frames that are good but for a few bytes --- */

enum base { ARP, ECHO, UDP, TCP };
enum fix { NO_SUMS, IP_SUM, ALL_SUMS };		/* which checksums are made right again */
struct patch { uint8_t at, value; };		/* {0, 0}: none */
struct bad_frame { enum tapir_verdict verdict; enum base base; enum fix fix; size_t cut; struct patch patches[5]; };

static const struct bad_frame bad_frames[] = {
	{ACCEPT, ARP, NO_SUMS, 0, {{0, 0}}},
	{ACCEPT, ECHO, NO_SUMS, 0, {{0, 0}}},
	{ACCEPT, UDP, NO_SUMS, 0, {{0, 0}}},
	{ACCEPT, TCP, NO_SUMS, 0, {{0, 0}}},
	{DROP_ETH_SHORT, ECHO, NO_SUMS, 13, {{0, 0}}},
	{DROP_ETH_NOT_FOR_US, ECHO, NO_SUMS, 0, {{5, 0x77}}},
	{DROP_ETH_SOURCE, ECHO, NO_SUMS, 0, {{6, 3}}},
	{DROP_ETH_SOURCE, ECHO, NO_SUMS, 0, {{11, 2}}},
	{DROP_ETH_TYPE, ECHO, NO_SUMS, 0, {{12, 0x86}, {13, 0xdd}}},
	{DROP_ARP_SHORT, ARP, NO_SUMS, I + 27, {{0, 0}}},
	{DROP_ARP_FORMAT, ARP, NO_SUMS, 0, {{I + 1, 6}}},
	{DROP_ARP_FORMAT, ARP, NO_SUMS, 0, {{I + 2, 0x86}}},
	{DROP_ARP_FORMAT, ARP, NO_SUMS, 0, {{I + 4, 8}}},
	{DROP_ARP_FORMAT, ARP, NO_SUMS, 0, {{I + 5, 16}}},
	{DROP_ARP_OP, ARP, NO_SUMS, 0, {{I + 7, 3}}},
	{DROP_ARP_SENDER, ARP, NO_SUMS, 0, {{I + 8, 0xff}}},
	{DROP_ARP_SENDER, ARP, NO_SUMS, 0, {{I + 13, 0x66}}},
	{DROP_ARP_SENDER, ARP, NO_SUMS, 0, {{I + 14, 224}}},
	{DROP_ARP_SENDER, ARP, NO_SUMS, 0, {{I + 17, 255}}},
	{DROP_ARP_CONFLICT, ARP, NO_SUMS, 0, {{I + 17, 2}}},
	{DROP_ARP_NOT_FOR_US, ARP, NO_SUMS, 0, {{I + 17, 77}, {I + 27, 99}}},
	{DROP_ARP_UNSOLICITED, ARP, NO_SUMS, 0, {{I + 7, 2}, {I + 17, 77}}},
	{DROP_IP_SHORT, ECHO, NO_SUMS, I + 19, {{0, 0}}},
	{DROP_IP_SHORT, ECHO, NO_SUMS, I, {{0, 0}}},
	{DROP_IP_VERSION, ECHO, IP_SUM, 0, {{I, 0x65}}},
	{DROP_IP_HEADER_LENGTH, ECHO, NO_SUMS, 0, {{I, 0x44}}},
	{DROP_IP_HEADER_LENGTH, ECHO, NO_SUMS, I + 20, {{I, 0x46}}},
	{DROP_IP_LENGTH, ECHO, NO_SUMS, 0, {{I + 2, 0xff}}},
	{DROP_IP_LENGTH, ECHO, NO_SUMS, 0, {{I + 3, 19}}},
	{DROP_IP_CHECKSUM, ECHO, NO_SUMS, 0, {{I + 8, 63}}},
	{DROP_IP_OPTION, ECHO, IP_SUM, 0, {{I, 0x46}, {P, 7}, {P + 1, 1}}},
	{DROP_IP_OPTION, ECHO, IP_SUM, 0, {{I, 0x46}, {P, 7}, {P + 1, 5}}},
	{DROP_IP_SOURCE_ROUTE, ECHO, IP_SUM, 0, {{I, 0x46}, {P, 131}, {P + 1, 3}, {P + 2, 4}, {P + 3, 0}}},
	{DROP_IP_SOURCE, ECHO, IP_SUM, 0, {{I + 15, 255}}},
	{DROP_IP_SOURCE, ECHO, IP_SUM, 0, {{I + 12, 224}}},
	{DROP_IP_SOURCE, ECHO, IP_SUM, 0, {{I + 15, 2}}},
	{DROP_IP_NOT_FOR_US, ECHO, IP_SUM, 0, {{I + 19, 77}}},
	{DROP_IP_MARTIAN, ECHO, IP_SUM, 0, {{I + 12, 127}}},
	{DROP_IP_MARTIAN, ECHO, IP_SUM, 0, {{I + 16, 127}}},
	{DROP_IP_PROTOCOL, ECHO, IP_SUM, 0, {{I + 9, 99}}},
	{HELD_FRAGMENT, ECHO, IP_SUM, P + 16, {{I + 6, 0x20}}},
	{DROP_FRAG_ALIGN, ECHO, IP_SUM, P + 17, {{I + 6, 0x20}}},
	{DROP_FRAG_RANGE, ECHO, IP_SUM, P + 16, {{I + 6, 0x1f}, {I + 7, 0xff}}},
	{DROP_FRAG_RANGE, ECHO, IP_SUM, P, {{I + 7, 1}}},
	{DROP_ICMP_SHORT, ECHO, IP_SUM, P + 7, {{0, 0}}},
	{DROP_ICMP_CHECKSUM, ECHO, NO_SUMS, 0, {{P + 9, 1}}},
	{DROP_ICMP_TYPE, ECHO, ALL_SUMS, 0, {{P, 13}}},
	{DROP_ICMP_QUOTE, ECHO, ALL_SUMS, 0, {{P, 3}, {P + 1, 1}}},
	{DROP_ICMP_BROADCAST, ECHO, ALL_SUMS, 0, {{I + 19, 255}}},
	{DROP_ICMP_NO_SOCKET, ECHO, ALL_SUMS, 0, {{P, 0}}},
	{DROP_UDP_SHORT, UDP, IP_SUM, P + 7, {{0, 0}}},
	{DROP_UDP_LENGTH, UDP, NO_SUMS, 0, {{P + 5, 7}}},
	{DROP_UDP_LENGTH, UDP, NO_SUMS, 0, {{P + 4, 1}}},
	{DROP_UDP_CHECKSUM, UDP, NO_SUMS, 0, {{P + 9, 1}}},
	{DROP_UDP_PORT_ZERO, UDP, ALL_SUMS, 0, {{P + 3, 0}}},
	{DROP_UDP_NO_PORT, UDP, ALL_SUMS, 0, {{P + 3, 99}}},
	{DROP_TCP_SHORT, TCP, IP_SUM, P + 19, {{0, 0}}},
	{DROP_TCP_OFFSET, TCP, ALL_SUMS, 0, {{P + 12, 0x40}}},
	{DROP_TCP_OFFSET, TCP, ALL_SUMS, 0, {{P + 12, 0xf0}}},
	{DROP_TCP_OPTION, TCP, ALL_SUMS, 0, {{P + 21, 1}}},
	{DROP_TCP_OPTION, TCP, ALL_SUMS, 0, {{P + 21, 5}}},
	{DROP_TCP_CHECKSUM, TCP, NO_SUMS, 0, {{P + 4, 1}}},
	{DROP_TCP_PORT_ZERO, TCP, ALL_SUMS, 0, {{P + 3, 0}}},
	{DROP_TCP_PORT_ZERO, TCP, ALL_SUMS, 0, {{P, 0}, {P + 1, 0}}},
	{DROP_TCP_BROADCAST, TCP, ALL_SUMS, 0, {{I + 19, 255}}},
	{DROP_TCP_CLOSED, TCP, ALL_SUMS, 0, {{P + 3, CLOSED_PORT}}},
};
#define BAD_FRAMES ((int)(sizeof bad_frames / sizeof bad_frames[0]))

static size_t base_arp(uint8_t *p)
{
	struct arp_packet a = {.op = ARP_REQUEST, .sender = NEIGHBOUR_IP, .target = HOST_IP};

	memcpy(a.sender_mac, neighbour_mac, 6);
	arp_emit(&a, p);
	return ARP_PACKET;
}

static size_t base_payload(enum base base, uint8_t *p)
{
	static const uint8_t syn[24] = {0x23, 0x29, 0, TCP_PORT, 0, 0, 3, 0xe8, 0, 0, 0, 0, 0x60, 2, 0xff, 0xff,
					0, 0, 0, 0, 2, 4, 5, 0xb4};
	struct tapir_addr src = NEIGHBOUR_IP, dst = HOST_IP;

	if (base == ECHO) {
		icmp_emit(&(struct icmp_header){.type = ICMP_ECHO, .id = 7, .seq = 1}, p, 13);
		return ICMP_HEADER + 13;
	}
	if (base == UDP) {
		udp_emit(&(struct udp_header){9001, UDP_PORT}, &src, &dst, p, 12);
		return UDP_HEADER + 12;
	}
	memcpy(p, syn, sizeof syn);
	put_be16(p + 16, checksum_finish(checksum_add(checksum_pseudo(&src, &dst, IP_PROTO_TCP, sizeof syn),
						      span_of(p, sizeof syn))));
	return sizeof syn;
}

static size_t make_base(enum base base)
{
	static const uint8_t protos[] = {[ECHO] = IP_PROTO_ICMP, [UDP] = IP_PROTO_UDP, [TCP] = IP_PROTO_TCP};
	struct eth_header eth = {.type = base == ARP ? ETH_TYPE_ARP : ETH_TYPE_IPV4};
	struct ipv4_header ip = {.src = NEIGHBOUR_IP, .dst = HOST_IP, .ttl = 64, .proto = base == ARP ? 0 : protos[base]};
	size_t n;

	memset(frame, 0, sizeof frame);
	memcpy(eth.dst, host_mac, 6);
	memcpy(eth.src, neighbour_mac, 6);
	eth_emit(&eth, frame);
	if (base == ARP)
		return I + base_arp(frame + I);
	n = base_payload(base, frame + P);
	ip.total_len = (uint16_t)(IPV4_HEADER + n);
	ipv4_emit(&ip, frame + I);
	return P + n;
}

static void fix_transport(size_t n)
{
	static const uint8_t at[256] = {[IP_PROTO_ICMP] = 2, [IP_PROTO_UDP] = 6, [IP_PROTO_TCP] = 16};
	uint8_t proto = frame[I + 9], *field = frame + P + at[proto];
	struct tapir_addr src = tapir_ipv4(frame[I + 12], frame[I + 13], frame[I + 14], frame[I + 15]);
	struct tapir_addr dst = tapir_ipv4(frame[I + 16], frame[I + 17], frame[I + 18], frame[I + 19]);
	uint64_t sum = proto == IP_PROTO_ICMP ? 0 : checksum_pseudo(&src, &dst, proto, (uint32_t)n);

	put_be16(field, 0);
	put_be16(field, checksum_finish(checksum_add(sum, span_of(frame + P, n))));
}

static void fix_sums(enum fix fix, size_t n)
{
	if (fix == NO_SUMS)
		return;
	put_be16(frame + I + 2, (uint16_t)(n - I));
	if (fix == ALL_SUMS)
		fix_transport(n - P);
	put_be16(frame + I + 10, 0);
	put_be16(frame + I + 10, checksum_finish(checksum_add(0, span_of(frame + I, (frame[I] & 15u) * 4u))));
}

static void hears_bad_frame(const struct bad_frame *b)
{
	size_t n = make_base(b->base);

	if (b->cut)
		n = b->cut;
	for (int i = 0; i < 5; i++)
		if (b->patches[i].at)
			frame[b->patches[i].at] = b->patches[i].value;
	fix_sums(b->fix, n);
	last = host_hears(frame, n);
}

static void still_answers(void)
{
	struct bad_frame echo = {ACCEPT, ECHO, NO_SUMS, 0, {{0, 0}}};
	struct said s;
	struct span payload;

	host_waits(TAPIR_SEC);
	host_says_all();
	hears_bad_frame(&echo);
	ck_assert_verdict_eq(last, ACCEPT);
	ck_assert_uint_eq(host_says_icmp(&s, &payload).type, ICMP_ECHO_REPLY);
}

START_TEST(a_frame_with_one_fault_gets_the_verdict_that_names_it)
{
	const struct bad_frame *b = &bad_frames[_i];
	uint64_t before = tapir_count(t, b->verdict);

	hears_bad_frame(b);
	ck_assert_msg(last == b->verdict, "row %d: %s, not %s", _i, tapir_verdict_name(last), tapir_verdict_name(b->verdict));
	ck_assert_uint_eq(tapir_count(t, b->verdict), before + 1);
	still_answers();
}
END_TEST

/* --- segments; those before the last make the state in which the last one is bad --- */

struct bad_segment { enum tapir_verdict verdict; uint16_t from, to; const char *lines[4]; };
static const struct bad_segment bad_segments[] = {
	{DROP_TCP_CLOSED, 9001, CLOSED_PORT, {"F. 1:1(0) ack 1 win 9"}},
	{DROP_TCP_LISTEN_RST, 9001, TCP_PORT, {"R 0:0(0) win 0"}},
	{DROP_TCP_LISTEN_ACK, 9001, TCP_PORT, {". 1:1(0) ack 1 win 9"}},
	{DROP_TCP_LISTEN_NO_SYN, 9001, TCP_PORT, {"F 0:0(0) win 9"}},
	{DROP_TCP_SYN_SENT_ACK, 99, OUR_PORT, {"S. 0:0(0) ack 77 win 9"}},
	{DROP_TCP_SYN_SENT_RST, 99, OUR_PORT, {"R 0:0(0) win 0"}},
	{DROP_TCP_SYN_SENT_NO_SYN, 99, OUR_PORT, {". 1:1(0) ack 1 win 9"}},
	{DROP_TCP_SYN_RCVD_ACK, 9001, TCP_PORT, {"S 0:0(0) win 9", ". 1:1(0) ack 77 win 9"}},
	{DROP_TCP_OUT_OF_WINDOW, PEER_PORT, TCP_PORT, {"P. 5000001:5000011(10) ack 1 win 9"}},
	{DROP_TCP_RST_OUT_OF_WINDOW, PEER_PORT, TCP_PORT, {"R 5000001:5000001(0) win 0"}},
	{DROP_TCP_RST_CHALLENGE, PEER_PORT, TCP_PORT, {"R 51:51(0) win 0"}},
	{DROP_TCP_SYN_CHALLENGE, PEER_PORT, TCP_PORT, {"S 51:51(0) win 9"}},
	{DROP_TCP_NO_ACK, PEER_PORT, TCP_PORT, {"P 1:11(10) win 9"}},
	{DROP_TCP_ACK_RANGE, PEER_PORT, TCP_PORT, {". 1:1(0) ack 70000 win 9"}},
	{DROP_TCP_PAWS, 9001, TCP_PORT, {"S 0:0(0) win 9 <mss 1460,TS val 100 ecr 0>", ". 1:1(0) ack 1 win 9 <TS val 101 ecr 0>",
					 "P. 1:11(10) ack 1 win 9 <TS val 50 ecr 0>"}},
	{DROP_TCP_NO_TIMESTAMP, 9001, TCP_PORT, {"S 0:0(0) win 9 <mss 1460,TS val 100 ecr 0>",
						 ". 1:1(0) ack 1 win 9 <TS val 101 ecr 0>", "P. 1:11(10) ack 1 win 9"}},
};
#define BAD_SEGMENTS ((int)(sizeof bad_segments / sizeof bad_segments[0]))

static void open_to(uint16_t port)
{
	struct tapir_endpoint peer = {NEIGHBOUR_IP, port};
	tapir_sd sd = socket_at(TAPIR_SOCK_STREAM, OUR_PORT);

	ck_assert_result(tapir_connect(t, sd, &peer), TAPIR_EINPROGRESS);
	host_says_all();
}

START_TEST(a_segment_that_does_not_fit_its_state_gets_the_verdict_that_names_it)
{
	const struct bad_segment *b = &bad_segments[_i];
	uint64_t before = tapir_count(t, b->verdict);

	if (b->to == OUR_PORT)
		open_to(b->from);
	for (int i = 0; i < 4 && b->lines[i]; i++) {
		hears_segment(b->from, b->to, b->lines[i]);
		host_says_all();
	}
	ck_assert_verdict_eq(last, b->verdict);
	ck_assert_uint_eq(tapir_count(t, b->verdict), before + 1);
	still_answers();
}
END_TEST

/* --- verdicts that take a story --- */

static void sends_to(struct tapir_addr addr, int count)
{
	struct tapir_endpoint to = {addr, 4000};

	for (int i = 0; i < count; i++)
		ck_assert_result(tapir_sendto(t, udp, "hello", 5, &to), 5);
}

static void held(void)
{
	sends_to(tapir_ipv4(10, 0, 0, 50), 1);
	host_says_all();
}

static void unresolved(void)
{
	held();
	host_waits(5 * TAPIR_SEC);
}

static void too_many_wait(void)
{
	sends_to(tapir_ipv4(10, 0, 0, 50), 17);
	host_says_all();
}

/* Its SYN came from beyond the link, where no route leads back. */
static void no_route(void)
{
	struct bad_frame syn = {ACCEPT, TCP, ALL_SUMS, 0, {{I + 12, 192}}};

	hears_bad_frame(&syn);
	ck_assert_verdict_eq(last, ACCEPT);
	host_says_all();
}

/* The path shrinks, as an error about one connection says; another has a full segment ready. */
/* A full segment waits for the answer to ARP, which a suspect route has asked for, when a router reports a smaller path MTU. */
static void needs_fragment(void)
{
	static const uint8_t text[1460];
	struct said s = {.at_us = 0};

	ck_assert_result(tapir_send(t, conn, text, sizeof text), (int64_t)sizeof text);
	while (host_says(&s) && s.datagram.n < 1000)
		;
	ck_assert_uint_eq(s.datagram.n, 1500);
	host_waits(6500 * TAPIR_MS);
	last = host_hears_error(NEIGHBOUR_IP, &(struct icmp_header){.type = ICMP_UNREACHABLE,
				.code = ICMP_FRAGMENTATION_NEEDED, .seq = 600}, span_first(s.datagram, 40));
	ck_assert_verdict_eq(last, ACCEPT);
	hears_arp_of_neighbour();
	host_says_all();
}

static void hears_fragment(uint16_t offset, size_t n)
{
	static const uint8_t zeros[64];
	struct ipv4_header h = {.src = NEIGHBOUR_IP, .dst = HOST_IP, .proto = IP_PROTO_UDP, .ttl = 64, .id = 9, .mf = true,
				.offset = offset};

	last = host_hears_ip(&h, zeros, n);
}

static void overlap(void)
{
	hears_fragment(0, 16);
	hears_fragment(8, 16);
}

/* RFC 3168 5.3: marked CE, and not ECN-capable. */
static void marks_disagree(void)
{
	static const uint8_t zeros[16];
	struct ipv4_header h = {.src = NEIGHBOUR_IP, .dst = HOST_IP, .proto = IP_PROTO_UDP, .ttl = 64, .id = 10, .mf = true};

	host_hears_ip(&h, zeros, sizeof zeros);
	h.mf = false;
	h.offset = sizeof zeros;
	h.tos = IP_ECN_CE;
	last = host_hears_ip(&h, zeros, sizeof zeros);
}

static void too_many_holes(void)
{
	for (int i = 0; i < 100 && last != DROP_FRAG_LIMIT; i++)
		hears_fragment((uint16_t)(16 * i + 8), 8);
}

static void never_whole(void)
{
	hears_fragment(0, 16);
	host_waits(31 * TAPIR_SEC);
}

static void too_many_errors(void)
{
	struct bad_frame closed = {DROP_UDP_NO_PORT, UDP, ALL_SUMS, 0, {{P + 3, 99}}};

	for (int i = 0; i < 21; i++)
		hears_bad_frame(&closed);
}

static void nobody_receives(void)
{
	struct bad_frame good = {ACCEPT, UDP, NO_SUMS, 0, {{0, 0}}};

	for (int i = 0; i < 300; i++)
		hears_bad_frame(&good);
}

static void all_connections_are_taken(void)
{
	for (uint16_t i = 1; i < 16; i++)
		connection((uint16_t)(9000 + i), listener);
	hears_segment(9100, TCP_PORT, "S 0:0(0) win 9");
}

static void nobody_accepts(void)
{
	listener_at(82, 1);
	hears_segment(9001, 82, "S 0:0(0) win 9");
	host_says_all();
	hears_segment(9001, 82, ". 1:1(0) ack 1 win 9");
	hears_segment(9002, 82, "S 0:0(0) win 9");
}

static void closed_by_user(void)
{
	ck_assert_result(tapir_close(t, conn), 0);
	host_says_all();
	hears_segment(PEER_PORT, TCP_PORT, "P. 1:11(10) ack 2 win 9");
}

static void too_many_pieces(void)
{
	char line[64];

	for (int i = 1; i < 300 && last != DROP_TCP_REASS_LIMIT; i++) {
		snprintf(line, sizeof line, ". %d:%d(1) ack 1 win 9", 2 * i, 2 * i + 1);
		hears_segment(PEER_PORT, TCP_PORT, line);
	}
}

static void late_duplicate(void)
{
	hears_segment(PEER_PORT, TCP_PORT, "P. 1:11(10) ack 1 win 9");
	ck_assert_result(tapir_recv(t, conn, frame, sizeof frame), 10);
	ck_assert_result(tapir_close(t, conn), 0);
	host_says_all();
	hears_segment(PEER_PORT, TCP_PORT, "F. 11:11(0) ack 2 win 9");
	host_says_all();
	hears_segment(PEER_PORT, TCP_PORT, "P. 1:11(10) ack 1 win 9");
}

static void syn_queue_is_full(void)
{
	for (uint16_t i = 0; i < 100 && last != ACCEPT_COOKIE; i++)
		hears_segment((uint16_t)(9000 + i), TCP_PORT, "S 0:0(0) win 9");
	host_says_all();
}

static void too_many_syns(void)
{
	for (uint16_t i = 0; i < 4000 && last != DROP_TCP_SYN_RATE; i++)
		hears_segment((uint16_t)(9000 + i), TCP_PORT, "S 0:0(0) win 9");
	host_says_all();
}

/* The driver says that there are several datagrams in a frame, of no size. */
static void datagrams_of_no_size(void)
{
	struct ipv4_header h = {.src = NEIGHBOUR_IP, .dst = HOST_IP, .proto = IP_PROTO_UDP, .ttl = 64, .total_len = 20 + 8 + 4};
	struct udp_header u = {9, UDP_PORT};
	struct eth_header eth = {.type = ETH_TYPE_IPV4};
	struct tapir_frame *f = tapir_frame_get(t);

	memcpy(eth.dst, host_mac, 6);
	memcpy(eth.src, neighbour_mac, 6);
	eth_emit(&eth, f->data);
	ipv4_emit(&h, f->data + ETH_HEADER);
	memset(f->data + ETH_HEADER + 28, 0, 4);
	udp_emit(&u, &h.src, &h.dst, f->data + ETH_HEADER + 20, 4);
	f->len = ETH_HEADER + 32;
	f->offload.gso = TAPIR_GSO_UDP;
	last = tapir_input(t, f);
}

static void wrong_cookie(void)
{
	syn_queue_is_full();
	hears_segment(9999, TCP_PORT, ". 1:1(0) ack 1000 win 9");
}

static void nobody_speaks(void)
{
	tapir_sd sd = listener_at(82, 8);

	ck_assert_result(tapir_setsockopt(t, sd, TAPIR_TCP_DEFER_ACCEPT, 5), 0);
	hears_segment(9001, 82, "S 0:0(0) win 9");
	host_says_all();
	hears_segment(9001, 82, ". 1:1(0) ack 1 win 9");
}

static const struct story { enum tapir_verdict verdict; void (*happens)(void); } stories[] = {
	{HELD, held}, {DROP_ARP_UNRESOLVED, unresolved}, {DROP_ARP_QUEUE_FULL, too_many_wait}, {DROP_IP_NO_ROUTE, no_route},
	{DROP_IP_NEEDS_FRAGMENT, needs_fragment}, {DROP_FRAG_OVERLAP, overlap}, {DROP_FRAG_ECN, marks_disagree},
	{DROP_FRAG_LIMIT, too_many_holes},
	{DROP_FRAG_TIMEOUT, never_whole}, {DROP_ICMP_RATE, too_many_errors}, {DROP_UDP_QUEUE_FULL, nobody_receives},
	{DROP_NO_MEMORY, all_connections_are_taken}, {DROP_TCP_BACKLOG, nobody_accepts},
	{DROP_TCP_CLOSED_BY_USER, closed_by_user}, {DROP_TCP_REASS_LIMIT, too_many_pieces},
	{DROP_TCP_TIME_WAIT, late_duplicate}, {ACCEPT_COOKIE, syn_queue_is_full}, {DROP_TCP_COOKIE, wrong_cookie},
	{DROP_TCP_DEFER_ACCEPT, nobody_speaks}, {DROP_TCP_SYN_RATE, too_many_syns}, {DROP_UDP_GSO, datagrams_of_no_size},
};
#define STORIES ((int)(sizeof stories / sizeof stories[0]))

START_TEST(a_story_ends_in_the_verdict_that_names_it)
{
	const struct story *s = &stories[_i];
	uint64_t before = tapir_count(t, s->verdict);

	s->happens();
	ck_assert_msg(tapir_count(t, s->verdict) > before, "%s was not drawn; the last verdict is %s",
		      tapir_verdict_name(s->verdict), tapir_verdict_name(last));
	for (int i = 0; i < 300; i++)
		tapir_recv(t, udp, frame, sizeof frame);
	still_answers();
}
END_TEST

START_TEST(no_verdict_is_left_out)
{
	bool drawn[TAPIR_VERDICT_COUNT] = {false};

	for (int i = 0; i < BAD_FRAMES; i++)
		drawn[bad_frames[i].verdict] = true;
	for (int i = 0; i < BAD_SEGMENTS; i++)
		drawn[bad_segments[i].verdict] = true;
	for (int i = 0; i < STORIES; i++)
		drawn[stories[i].verdict] = true;
	for (enum tapir_verdict v = ACCEPT; v < TAPIR_VERDICT_COUNT; v++)
		ck_assert_msg(drawn[v], "no frame here draws %s", tapir_verdict_name(v));
}
END_TEST

Suite *suite(void);
Suite *suite(void)
{
	Suite *s = suite_create("sim: bad input");
	TCase *tc = tcase_create("verdicts");

	tcase_add_checked_fixture(tc, begin, end);
	tcase_add_loop_test(tc, a_frame_with_one_fault_gets_the_verdict_that_names_it, 0, BAD_FRAMES);
	tcase_add_loop_test(tc, a_segment_that_does_not_fit_its_state_gets_the_verdict_that_names_it, 0, BAD_SEGMENTS);
	tcase_add_loop_test(tc, a_story_ends_in_the_verdict_that_names_it, 0, STORIES);
	tcase_add_test(tc, no_verdict_is_left_out);
	suite_add_tcase(s, tc);
	return s;
}
