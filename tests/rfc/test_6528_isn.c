/* test_6528_isn.c: what nobody outside may guess: initial sequence numbers (RFC 9293 3.4.1, RFC 6528) and ephemeral ports
 * (RFC 6056). The harness of the other tests chooses the ISSs itself, so these make their own stacks. */
#include <check.h>
#include <stdlib.h>
#include <string.h>
#include "tests/support/segment.h"
#include "stack/tapir.h"

#define START_US (1000 * TAPIR_SEC)
#define PEERS 200

static struct tapir_config config;

static void defaults(void)
{
	tapir_config_default(&config);
	config.ip_only = true;
	config.addr = tapir_ipv4(10, 0, 0, 2);
	config.max_sockets = config.max_conns = 512;
	config.small_frames = 64;
	config.large_frames = 4;
	config.seed[0] = 1;
	config.seed[1] = 2;
}

static struct tapir *new_stack(void)
{
	size_t size = (tapir_size(&config) + 63) & ~(size_t)63;
	void *mem = aligned_alloc(64, size);
	struct tapir *t;

	ck_assert_ptr_nonnull(mem);
	t = tapir_init(mem, &config, START_US);
	ck_assert_ptr_nonnull(t);
	return t;
}

static struct tapir_endpoint peer_at(uint8_t host, uint16_t port)
{
	return (struct tapir_endpoint){tapir_ipv4(10, 0, 0, host), port};
}

/* The next segment that the stack sends. */
static struct segment next_segment(struct tapir *t, struct segment_path *path)
{
	uint8_t frame[2048];
	struct tapir_out out;
	struct segment s;
	const char *wrong;

	ck_assert_int_eq(tapir_output(t, &out), 1);
	ck_assert_uint_le(out.len, sizeof frame);
	tapir_out_copy(&out, frame, false);
	wrong = segment_read(frame, out.len, path, &s);
	ck_assert_msg(!wrong, "%s", wrong);
	return s;
}

/* Opens a connection from this port (0: an ephemeral one) and gives its SYN. */
static struct segment syn_to(struct tapir *t, uint16_t port, struct tapir_endpoint peer, struct segment_path *path)
{
	struct tapir_endpoint local = {.port = port};
	tapir_sd sd = tapir_socket(t, TAPIR_SOCK_STREAM);
	struct segment s;

	ck_assert_int_ge(sd, 0);
	if (port)
		ck_assert_int_eq(tapir_bind(t, sd, &local), 0);
	ck_assert_int_eq(tapir_connect(t, sd, &peer), TAPIR_EINPROGRESS);
	s = next_segment(t, path);
	ck_assert_uint_eq(s.flags, FLAG_S);
	return s;
}

/* The same, and the connection is forgotten again. */
static uint32_t isn_to(struct tapir *t, uint16_t port, struct tapir_endpoint peer)
{
	struct tapir_endpoint local = {.port = port};
	struct segment_path path;
	tapir_sd sd = tapir_socket(t, TAPIR_SOCK_STREAM);
	struct segment s;

	ck_assert_int_eq(tapir_bind(t, sd, &local), 0);
	ck_assert_int_eq(tapir_connect(t, sd, &peer), TAPIR_EINPROGRESS);
	s = next_segment(t, &path);
	ck_assert_uint_eq(s.flags, FLAG_S);
	ck_assert_int_eq(tapir_abort(t, sd), 0);
	return s.seq;
}

/* The ISN of the SYN-ACK that answers a SYN from this port of 10.0.0.1 to our port 80. */
static uint32_t isn_of_answer(struct tapir *t, uint16_t port)
{
	struct segment_path to = {.src = 0x0a000001, .dst = 0x0a000002, .src_port = port, .dst_port = 80}, from;
	struct segment syn = {.seq = 1000, .flags = FLAG_S, .win = 65535}, s;
	struct tapir_frame *f = tapir_frame_get(t);

	ck_assert_ptr_nonnull(f);
	f->len = (uint32_t)segment_emit(&syn, &to, 1000, f->data);
	ck_assert_int_eq(tapir_input(t, f), ACCEPT);
	s = next_segment(t, &from);
	ck_assert_uint_eq(s.flags, FLAG_S | FLAG_A);
	return s.seq;
}

static int compare(const void *a, const void *b)
{
	uint32_t x, y;

	memcpy(&x, a, sizeof x);
	memcpy(&y, b, sizeof y);
	return x < y ? -1 : x > y;
}

/* No number is there twice, and the numbers are no ladder of equal steps. */
static void ck_assert_scattered(const uint32_t *numbers, size_t n)
{
	uint32_t sorted[PEERS];
	size_t same_step = 0;

	ck_assert_uint_le(n, PEERS);
	for (size_t i = 2; i < n; i++)
		same_step += numbers[i] - numbers[i - 1] == numbers[i - 1] - numbers[i - 2];
	ck_assert_uint_le(same_step, 1);
	memcpy(sorted, numbers, n * sizeof *sorted);
	qsort(sorted, n, sizeof *sorted, compare);
	for (size_t i = 1; i < n; i++)
		ck_assert_uint_ne(sorted[i], sorted[i - 1]);
}

/* RFC 9293 3.4.1 (MUST-8); RFC 6528 3: for one pair of sockets the ISN moves with a clock of 4 microseconds, so that a new
 * connection begins above the old one. */
START_TEST(the_isn_of_a_pair_of_sockets_moves_with_the_clock)
{
	struct tapir *t = new_stack();
	uint32_t first = isn_to(t, 2000, peer_at(1, 80));

	ck_assert_uint_eq(isn_to(t, 2000, peer_at(1, 80)), first);
	tapir_tick(t, START_US + 4);
	ck_assert_uint_eq(isn_to(t, 2000, peer_at(1, 80)), first + 1);
	tapir_tick(t, START_US + TAPIR_SEC);
	ck_assert_uint_eq(isn_to(t, 2000, peer_at(1, 80)), first + 250000);
	tapir_tick(t, START_US + 5 * 3600 * TAPIR_SEC);			/* around 2^32 in 4.77 hours */
	ck_assert_uint_eq(isn_to(t, 2000, peer_at(1, 80)), first + (uint32_t)(5 * 3600 * UINT64_C(250000)));
	free(t);
}
END_TEST

/* RFC 9293 3.4.1 (SHLD-1); RFC 6528 3: F() of the pair: each port and address of either side has another ISN. */
START_TEST(each_pair_of_sockets_has_another_isn)
{
	struct tapir *t = new_stack();
	uint32_t isns[PEERS];

	for (uint16_t i = 0; i < PEERS; i++)
		isns[i] = isn_to(t, 2000, peer_at(1, (uint16_t)(80 + i)));
	ck_assert_scattered(isns, PEERS);
	for (uint16_t i = 0; i < PEERS; i++)
		isns[i] = isn_to(t, (uint16_t)(2000 + i), peer_at(1, 80));
	ck_assert_scattered(isns, PEERS);
	for (uint8_t i = 0; i < PEERS; i++)
		isns[i] = isn_to(t, 2000, peer_at((uint8_t)(3 + i), 80));
	ck_assert_scattered(isns, PEERS);
	free(t);
}
END_TEST

/* RFC 9293 3.4.1 (SHLD-1): a passive OPEN chooses in the same way. */
START_TEST(the_isns_of_passive_opens_are_chosen_in_the_same_way)
{
	struct tapir *t = new_stack();
	struct tapir_endpoint local = {.port = 80};
	tapir_sd sd = tapir_socket(t, TAPIR_SOCK_STREAM);
	struct segment_path path;
	uint32_t isns[20];

	ck_assert_int_eq(tapir_bind(t, sd, &local), 0);
	ck_assert_int_eq(tapir_listen(t, sd, 20), 0);
	for (uint16_t i = 0; i < 20; i++)
		isns[i] = isn_of_answer(t, (uint16_t)(1000 + i));
	ck_assert_scattered(isns, 20);
	ck_assert_int_eq(tapir_close(t, sd), 0);
	for (int i = 0; i < 20; i++)
		ck_assert_uint_eq(next_segment(t, &path).flags & FLAG_R, FLAG_R);
	ck_assert_uint_eq(isn_to(t, 80, peer_at(1, 1000)), isns[0]);
	free(t);
}
END_TEST

/* RFC 9293 3.4.1 (MUST-9); RFC 6528 3: F() is keyed with a secret: who knows the ISNs of one stack, or the difference of two
 * of them, knows nothing of another's. */
START_TEST(the_secret_of_an_instance_decides_its_isns)
{
	uint32_t isns[PEERS], differences[PEERS];

	for (uint64_t i = 0; i < PEERS; i++) {
		config.seed[0] = i;
		struct tapir *t = new_stack();

		isns[i] = isn_to(t, 2000, peer_at(1, 80));
		differences[i] = isn_to(t, 2000, peer_at(1, 81)) - isns[i];
		free(t);
	}
	ck_assert_scattered(isns, PEERS);
	ck_assert_scattered(differences, PEERS);
}
END_TEST

/* RFC 9293 3.4.1 (MUST-9): not even two words of the seed that differ in one bit give neighbours. */
START_TEST(the_second_word_of_the_seed_counts_too)
{
	uint32_t isns[64];

	for (unsigned i = 0; i < 64; i++) {
		config.seed[1] = UINT64_C(1) << i;
		struct tapir *t = new_stack();

		isns[i] = isn_to(t, 2000, peer_at(1, 80));
		free(t);
	}
	ck_assert_scattered(isns, 64);
}
END_TEST

/* RFC 6528 3: nothing but the seed, the pair and the time counts: the same seed and the same input give the same run. */
START_TEST(the_same_seed_gives_the_same_isns_and_ports)
{
	for (uint8_t i = 0; i < 20; i++) {
		struct tapir *a = new_stack(), *b = new_stack();
		struct segment_path path_a, path_b;

		ck_assert_uint_eq(syn_to(a, 0, peer_at(1, i + 1), &path_a).seq, syn_to(b, 0, peer_at(1, i + 1), &path_b).seq);
		ck_assert_uint_eq(path_a.src_port, path_b.src_port);
		free(a);
		free(b);
	}
}
END_TEST

/* RFC 6056 3.2: an ephemeral port lies in the range of the configuration, and no two connections to one peer have the same. */
START_TEST(ephemeral_ports_lie_in_their_range_and_differ)
{
	struct tapir *t;
	bool seen[100] = {false};

	config.port_first = 50000;
	config.port_last = 50099;
	t = new_stack();
	for (int i = 0; i < 100; i++) {
		struct segment_path path;

		syn_to(t, 0, peer_at(1, 80), &path);
		ck_assert_uint_ge(path.src_port, 50000);
		ck_assert_uint_le(path.src_port, 50099);
		ck_assert(!seen[path.src_port - 50000]);
		seen[path.src_port - 50000] = true;
	}
	free(t);
}
END_TEST

/* RFC 6056 3.2: when they are used up with one peer, an OPEN to it is an error; to another peer they are all free. */
START_TEST(when_no_port_is_free_the_open_fails)
{
	struct tapir_endpoint busy = peer_at(1, 80);
	struct segment_path path;
	struct tapir *t;
	tapir_sd sd;

	config.port_first = 50000;
	config.port_last = 50003;
	t = new_stack();
	for (int i = 0; i < 4; i++)
		syn_to(t, 0, busy, &path);
	sd = tapir_socket(t, TAPIR_SOCK_STREAM);
	ck_assert_int_eq(tapir_connect(t, sd, &busy), TAPIR_EADDRNOTAVAIL);
	ck_assert_int_eq(tapir_close(t, sd), 0);
	syn_to(t, 0, peer_at(1, 81), &path);
	ck_assert_uint_ge(path.src_port, 50000);
	ck_assert_uint_le(path.src_port, 50003);
	free(t);
}
END_TEST

/* RFC 6056 3.3.3: where the ports for a peer begin is hidden by the secret: neither the last port to another peer nor another
 * instance tells it. */
START_TEST(the_first_port_to_a_peer_cannot_be_guessed)
{
	struct segment_path path;
	uint16_t last = 0;
	unsigned neighbours = 0, same = 0;

	for (uint64_t i = 0; i < 100; i++) {
		config.seed[0] = i;
		struct tapir *t = new_stack();

		syn_to(t, 0, peer_at(1, 80), &path);
		same += path.src_port == last;
		last = path.src_port;
		syn_to(t, 0, peer_at(3, 80), &path);
		neighbours += (uint16_t)(path.src_port - last + 2) <= 4;
		free(t);
	}
	ck_assert_uint_le(neighbours, 3);
	ck_assert_uint_le(same, 3);
}
END_TEST

/* RFC 6056 3.2: bind() to port 0 takes a free port of the range, and says which. */
START_TEST(bind_to_port_zero_takes_a_free_port)
{
	struct tapir_endpoint any = {.port = 0}, local;
	uint16_t ports[100];
	struct tapir *t = new_stack();

	for (int i = 0; i < 100; i++) {
		tapir_sd sd = tapir_socket(t, TAPIR_SOCK_STREAM);

		ck_assert_int_eq(tapir_bind(t, sd, &any), 0);
		ck_assert_int_eq(tapir_getsockname(t, sd, &local), 0);
		ck_assert_uint_ge(local.port, config.port_first);
		ports[i] = local.port;
		for (int k = 0; k < i; k++)
			ck_assert_uint_ne(ports[k], ports[i]);
	}
	free(t);
}
END_TEST

Suite *suite(void)
{
	const TTest *const tests[] = {
		the_isn_of_a_pair_of_sockets_moves_with_the_clock,
		each_pair_of_sockets_has_another_isn,
		the_isns_of_passive_opens_are_chosen_in_the_same_way,
		the_secret_of_an_instance_decides_its_isns,
		the_second_word_of_the_seed_counts_too,
		the_same_seed_gives_the_same_isns_and_ports,
		ephemeral_ports_lie_in_their_range_and_differ,
		when_no_port_is_free_the_open_fails,
		the_first_port_to_a_peer_cannot_be_guessed,
		bind_to_port_zero_takes_a_free_port,
		NULL
	};
	Suite *suite = suite_create("RFC 6528 ISN");
	TCase *tc = tcase_create("RFC 6528 ISN");

	tcase_add_checked_fixture(tc, defaults, NULL);
	for (const TTest *const *test = tests; *test; test++)
		tcase_add_test(tc, *test);
	suite_add_tcase(suite, tc);
	return suite;
}
