/* Floods: whoever shouts at a stack takes at most what the rules grant, and an echo service goes on answering, over TCP to
 * who is connected, to who connects in the middle of it, and over UDP. */
#include "tests/support/host.h"
#include "tests/support/segment.h"

#define ISS_US 5000u			/* but for SYN cookies */
#define ISS_PEER 1000u
#define ECHO_PORT 7
#define CLOSED_PORT 81
#define PEER_PORT 9000
#define SECONDS 3		/* of each flood */
#define FRAMES 5000		/* in each second */
#define LOOK_EVERY 500		/* frames between two looks at the usage */
#define I ETH_HEADER

static struct tapir *t;
static tapir_sd servers[2];
static uint8_t frame[1600];
static uint16_t next_port;
static uint32_t iss_to[65536];		/* ours, for each port of the neighbour: a SYN cookie is not ISS_US */

/* --- the service --- */

static void echo_data(struct tapir *stack, tapir_sd sd, void *ctx, struct span data)
{
	(void)ctx;
	ck_assert_result(tapir_send(stack, sd, data.p, data.n), (int64_t)data.n);
}

static void echo_message(struct tapir *stack, tapir_sd sd, void *ctx, struct span data, const struct tapir_endpoint *from)
{
	(void)ctx;
	tapir_sendto(stack, sd, data.p, data.n, from);
}

static const struct tapir_handlers echo = {.on_data = echo_data, .on_message = echo_message};

static void hears_segment_from(uint32_t src, uint16_t from, uint16_t to, const char *line)
{
	const struct segment_base base = {.seq = ISS_PEER, .ack = iss_to[from]};
	const struct segment_path path = {.src = src, .dst = 0x0a000002, .src_port = from, .dst_port = to};
	struct eth_header eth = {.type = ETH_TYPE_IPV4};
	struct segment s;
	const char *wrong = segment_parse(line, &base, &s);

	ck_assert_msg(!wrong, "%s: %s", line, wrong);
	memcpy(eth.dst, host_mac, 6);
	memcpy(eth.src, neighbour_mac, 6);
	eth_emit(&eth, frame);
	host_hears(frame, I + segment_emit(&s, &path, ISS_PEER, frame + I));
	while (tapir_dispatch(t))
		;
}

/* The next TCP segment to this port of ours, among whatever else is said: the length of its text; -1: none. */
static int says_segment_to(uint16_t port, uint8_t *flags)
{
	struct said s;

	while (host_says(&s)) {
		size_t header;

		if (s.eth.type == ETH_TYPE_ARP || s.ip.proto != IP_PROTO_TCP || get_be16(s.payload.p + 2) != port)
			continue;
		header = (size_t)(s.payload.p[12] >> 4) * 4;
		*flags = s.payload.p[13];
		if (*flags & FLAG_S)
			iss_to[port] = get_be32(s.payload.p + 4);
		return (int)(s.payload.n - header);
	}
	return -1;
}

static void connects(uint16_t port)
{
	uint8_t flags;

	host_says_all();
	hears_segment_from(0x0a000001, port, ECHO_PORT, "S 0:0(0) win 60000 <mss 1460>");
	ck_assert_int_eq(says_segment_to(port, &flags), 0);
	ck_assert_uint_eq(flags, FLAG_S | FLAG_A);
	hears_segment_from(0x0a000001, port, ECHO_PORT, ". 1:1(0) ack 1 win 60000");
}

/* Ten bytes there and back, then a RST: the connection is gone. */
static void echoes_and_goes(uint16_t port)
{
	uint8_t flags;
	int n;

	host_says_all();
	hears_segment_from(0x0a000001, port, ECHO_PORT, "P. 1:11(10) ack 1 win 60000");
	while ((n = says_segment_to(port, &flags)) == 0)
		;
	ck_assert_int_eq(n, 10);
	hears_segment_from(0x0a000001, port, ECHO_PORT, "R. 11:11(0) ack 11 win 0");
}

static void echoes_udp(void)
{
	struct host_udp to_echo = {NEIGHBOUR_IP, HOST_IP, 4000, ECHO_PORT};
	struct said s;
	bool answered = false;

	host_says_all();
	ck_assert_verdict_eq(host_hears_udp(&to_echo, "hello", 5), ACCEPT);
	while (tapir_dispatch(t))
		;
	while (host_says(&s))
		answered |= s.eth.type != ETH_TYPE_ARP && s.ip.proto == IP_PROTO_UDP && get_be16(s.payload.p + 2) == 4000 &&
			    memcmp(s.payload.p + UDP_HEADER, "hello", 5) == 0;
	ck_assert(answered);
}

/* --- the floods: the i-th frame of each --- */

static struct tapir_addr some_neighbour(uint32_t i) { return tapir_ipv4(10, 0, (uint8_t)(i >> 8 & 3), (uint8_t)(1 + i % 250)); }

static void arp_requests(uint32_t i)
{
	const uint8_t mac[6] = {2, 1, (uint8_t)(i >> 16), (uint8_t)(i >> 8), (uint8_t)i, 1};
	struct tapir_addr sender = some_neighbour(i);

	if (addr_is(&sender, HOST_IP) || addr_is(&sender, NEIGHBOUR_IP))
		return;
	host_hears_arp(&(struct host_arp){.op = ARP_REQUEST, .sender_mac = mac, .sender = sender, .target = HOST_IP});
}

static void syns(uint32_t i)
{
	hears_segment_from(0x0a000100u + i % 500, (uint16_t)(1024 + i % 60000), ECHO_PORT, "S 0:0(0) win 60000 <mss 1460>");
}

static void fragments(uint32_t i)
{
	static const uint8_t text[1480];
	struct ipv4_header h = {.src = some_neighbour(i), .dst = HOST_IP, .proto = IP_PROTO_UDP, .ttl = 64, .mf = true,
				.id = (uint16_t)i, .offset = (uint16_t)(8 * (i % 8000))};

	if (!addr_is(&h.src, HOST_IP))
		host_hears_ip(&h, text, sizeof text);
}

static void udp_to_closed_ports(uint32_t i)
{
	struct host_udp u = {some_neighbour(i), HOST_IP, 4000, (uint16_t)(1000 + i % 50000)};

	if (!addr_is(&u.src, HOST_IP))
		host_hears_udp(&u, "anybody?", 8);
}

static void segments_to_closed_ports(uint32_t i)
{
	hears_segment_from(0x0a000001, (uint16_t)(1024 + i % 60000), CLOSED_PORT, "P. 1:11(10) ack 1 win 9");
}

static void rubbish(uint32_t i)
{
	for (uint32_t k = 0; k < 60; k++)
		frame[k] = (uint8_t)((i * 2654435761u >> (k % 24)) + k);
	memcpy(frame, host_mac, 6);
	memcpy(frame + 6, neighbour_mac, 6);
	put_be16(frame + 12, i & 1 ? ETH_TYPE_IPV4 : ETH_TYPE_ARP);
	host_hears(frame, 60);
}

/* What becomes of most of its frames, and what a flood may hold at most. */
struct flood {
	const char *name;
	void (*frame)(uint32_t i);
	enum tapir_verdict verdict;
	uint32_t conns, reass, large_frames;
};
static const struct flood floods[] = {
	{"ARP", arp_requests, ACCEPT, 0, 0, 0}, {"SYNs", syns, ACCEPT_COOKIE, 16, 0, 0},
	{"fragments", fragments, HELD_FRAGMENT, 0, 16, 16}, {"UDP to closed ports", udp_to_closed_ports, DROP_UDP_NO_PORT, 0, 0, 0},
	{"segments to closed ports", segments_to_closed_ports, DROP_TCP_CLOSED, 0, 0, 0},
	{"rubbish", rubbish, DROP_IP_VERSION, 0, 0, 0},
};
#define FLOODS ((int)(sizeof floods / sizeof floods[0]))

static void usage_is_bounded(const struct flood *f)
{
	struct tapir_usage u;

	tapir_usage(t, &u);
	ck_assert_msg(u.conns <= f->conns + 1, "%s: %u connections", f->name, u.conns);
	ck_assert_msg(u.reass <= f->reass, "%s: %u datagrams in reassembly", f->name, u.reass);
	ck_assert_msg(u.large_frames <= f->large_frames, "%s: %u large frames", f->name, u.large_frames);
	ck_assert_msg(u.small_frames <= u.small_frames_max / 2, "%s: %u small frames", f->name, u.small_frames);
	ck_assert_msg(u.arp <= u.arp_max, "%s: %u neighbours", f->name, u.arp);
}

static void begin(void)
{
	struct tapir_config *config = host_config_ethernet();

	config->isn = ISS_US;
	config->prefix_len = 16;
	config->max_conns = 64;
	config->max_half_open = 16;
	config->arp_entries = 32;
	config->large_frames = 32;
	t = host_begin();
	servers[0] = tapir_serve_tcp(t, ECHO_PORT, 8, &echo, NULL);
	servers[1] = tapir_serve_udp(t, ECHO_PORT, &echo, NULL);
	host_hears_arp(&(struct host_arp){.op = ARP_REQUEST, .sender_mac = neighbour_mac, .sender = NEIGHBOUR_IP,
					  .target = HOST_IP});
	next_port = PEER_PORT;
}

static void end(void)
{
	for (int i = 0; i < 2; i++)
		tapir_abort(t, servers[i]);
	host_end();
}

START_TEST(a_flood_leaves_memory_bounded_and_the_echo_service_answering)
{
	const struct flood *f = &floods[_i];

	connects(PEER_PORT);
	for (uint32_t i = 0; i < SECONDS * FRAMES; i++) {
		f->frame(i);
		if (i % LOOK_EVERY)
			continue;
		host_waits(LOOK_EVERY * TAPIR_SEC / FRAMES);
		usage_is_bounded(f);
		echoes_udp();
		connects(++next_port);
		echoes_and_goes(next_port);
	}
	echoes_and_goes(PEER_PORT);		/* who was there before the flood */
	ck_assert_uint_gt(tapir_count(t, f->verdict), SECONDS * FRAMES / 4);
}
END_TEST

Suite *suite(void);
Suite *suite(void)
{
	Suite *s = suite_create("sim: floods");
	TCase *tc = tcase_create("floods");

	tcase_add_checked_fixture(tc, begin, end);
	tcase_set_timeout(tc, 60);
	tcase_add_loop_test(tc, a_flood_leaves_memory_bounded_and_the_echo_service_answering, 0, FLOODS);
	suite_add_tcase(s, tc);
	return s;
}
