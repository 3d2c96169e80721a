/* test_stack_engine.c: the engine's own promises (stack/tapir.h 1): possible and impossible configurations, a stack that is
 * a value (the same seed and input give the same run; a copy put back is a rewind), frames, deadlines, and what random frames
 * do to a whole stack. */
#include <stdlib.h>
#include "stack/base/siphash.h"
#include "tests/support/host.h"
#include "tests/support/pair_of_stacks.h"

/* --- configurations --- */

static struct tapir_config possible(void)
{
	struct tapir_config c;

	tapir_config_default(&c);
	c.addr = HOST_IP;
	return c;
}

START_TEST(the_defaults_need_only_an_address)
{
	struct tapir_config c;
	size_t size;

	tapir_config_default(&c);
	ck_assert_uint_eq(tapir_size(&c), 0);
	c.addr = HOST_IP;
	size = tapir_size(&c);
	ck_assert_uint_gt(size, 0);
	c.max_conns++;
	ck_assert_uint_gt(tapir_size(&c), size);
}
END_TEST

/* With this change to a possible configuration there is no size and no stack. */
#define REFUSES(...) \
	do { \
		struct tapir_config changed = possible(), *c = &changed; \
		__VA_ARGS__; \
		ck_assert_msg(tapir_size(c) == 0 && !tapir_init(memory, c, 0), "taken: %s", #__VA_ARGS__); \
	} while (0)
static _Alignas(64) uint8_t memory[64];

START_TEST(impossible_addresses_are_refused)
{
	REFUSES(c->addr = tapir_ipv4(224, 0, 0, 1));
	REFUSES(c->addr = tapir_ipv4(127, 0, 0, 1));
	REFUSES(c->addr = tapir_ipv4(255, 255, 255, 255));
	REFUSES(c->addr = tapir_ipv4(0, 0, 0, 0));
	REFUSES(c->addr = (struct tapir_addr){{0x20, 1}});
	REFUSES(c->prefix_len = 0);
	REFUSES(c->prefix_len = 33);
	REFUSES(c->gateway = (struct tapir_addr){{0x20, 1}});
	REFUSES(c->mac[0] = 1);
	REFUSES(c->mtu = 67);
}
END_TEST

START_TEST(impossible_sizes_and_times_are_refused)
{
	REFUSES(c->ttl = 0);
	REFUSES(c->max_sockets = 0);
	REFUSES(c->max_conns = 0);
	REFUSES(c->max_conns = UINT32_MAX);
	REFUSES(c->small_frames = 15);
	REFUSES(c->large_frames = 1);
	REFUSES(c->large_frames = UINT32_MAX);
	REFUSES(c->arp_entries = 0);
	REFUSES(c->arp_tries = 0);
	REFUSES(c->arp_retry_us = 0);
	REFUSES(c->msl_us = USEC_NEVER);
	REFUSES(c->rto_min_us = c->rto_initial_us + 1);
	REFUSES(c->rto_max_us = c->rto_initial_us - 1);
	REFUSES(c->delack_us = 500 * TAPIR_MS);		/* RFC 9293 3.8.6.3 (MUST-40) */
	REFUSES(c->sndbuf = 0);
	REFUSES(c->rcvbuf = UINT32_MAX);
	REFUSES(c->backlog = 0);
	REFUSES(c->port_first = 6; c->port_last = 5);
	REFUSES(c->port_first = 0);
	REFUSES(c->congestion = TAPIR_CC_COUNT);
	REFUSES(c->initial_window = 0);
	REFUSES(c->isn = (int64_t)UINT32_MAX + 1);
}
END_TEST

START_TEST(a_link_address_of_zero_is_made_from_the_seed)
{
	struct tapir_config *c = host_config_ethernet();
	uint8_t first[6];
	struct tapir *t;

	memset(c->mac, 0, 6);
	t = host_begin();
	memcpy(first, tapir_get_config(t)->mac, 6);
	ck_assert_uint_eq(first[0] & 3, 2);		/* one host's, locally administered */
	host_mac_is(first);
	host_end();
	c->seed[0]++;
	t = host_begin();
	ck_assert_mem_ne(tapir_get_config(t)->mac, first, 6);
	host_mac_is(tapir_get_config(t)->mac);
	host_end();
}
END_TEST

/* --- frames --- */

START_TEST(an_empty_frame_holds_the_largest_that_can_arrive)
{
	struct tapir *t;
	struct tapir_frame *f;

	host_config()->mtu = 9000;
	t = host_begin();
	f = tapir_frame_get(t);
	ck_assert_uint_ge(f->room, 9000 + 18);
	ck_assert_uint_eq(f->len, 0);
	tapir_frame_put(t, f);
	host_end();
	host_config()->offload.tso4 = true;
	t = host_begin();
	f = tapir_frame_get(t);
	ck_assert_uint_ge(f->room, 65535);
	tapir_frame_put(t, f);
	tapir_frame_put(t, NULL);
	host_end();
}
END_TEST

START_TEST(when_the_pools_are_empty_there_is_no_frame_until_one_comes_back)
{
	struct tapir_frame *all[300], *f;
	struct tapir *t;
	uint32_t n = 0;

	host_config();
	t = host_begin();
	while ((f = tapir_frame_get(t)))
		all[n++] = f;
	ck_assert_uint_eq(n, 256 + 16);
	tapir_frame_put(t, all[--n]);
	ck_assert_ptr_nonnull(f = tapir_frame_get(t));
	tapir_frame_put(t, f);
	while (n)
		tapir_frame_put(t, all[--n]);
	host_end();
}
END_TEST

START_TEST(each_frame_that_arrives_is_counted_once)
{
	uint64_t total = 0;
	struct tapir *t;

	host_config();
	t = host_begin();
	for (int i = 0; i < 50; i++)
		host_hears("rubbish", 7);
	for (int v = 0; v < TAPIR_VERDICT_COUNT; v++)
		total += tapir_count(t, (enum tapir_verdict)v);
	ck_assert_uint_eq(total, 50);
	ck_assert_uint_eq(tapir_count(t, DROP_IP_SHORT), 50);
	ck_assert_uint_eq(tapir_count(t, TAPIR_VERDICT_COUNT), 0);
	host_end();
}
END_TEST

/* --- time --- */

START_TEST(an_idle_stack_has_no_deadline_and_time_does_not_go_back)
{
	struct tapir *t;
	usec_t now;

	host_config();
	t = host_begin();
	ck_assert_uint_eq(tapir_deadline(t), USEC_NEVER);
	now = tapir_now(t);
	tapir_tick(t, now + 5);
	ck_assert_uint_eq(tapir_now(t), now + 5);
	tapir_tick(t, now);
	ck_assert_uint_eq(tapir_now(t), now + 5);
	host_end();
}
END_TEST

/* --- the stack is a value --- */

static char buf[100000];

/* A hash over all that A has sent. */
static uint64_t sent_hash;

static bool hash_frames(int from, struct span frame)
{
	if (from == A)
		sent_hash = sent_hash * 31 + siphash((struct siphash_key){1, 2}, frame.p, frame.n);
	return false;
}

static uint64_t run_once(uint64_t seed)
{
	struct pair_conn c;

	pair_reset_config();
	pair_config(A)->seed[1] = seed;
	pair_begin();
	pair_lose(hash_frames);
	sent_hash = 0;
	c = pair_connected(7);
	pair_lose(hash_frames);
	for (int i = 0; i < 5; i++) {
		tapir_send(pair[A], c.sd[A], buf, 20000);
		pair_pass(TAPIR_SEC);
		tapir_recv(pair[B], c.sd[B], buf, sizeof buf);
	}
	pair_close(&c);
	pair_end();
	return sent_hash;
}

START_TEST(the_same_seed_and_input_give_the_same_run)
{
	uint64_t first = run_once(1);

	ck_assert_uint_eq(run_once(1), first);
	ck_assert_uint_ne(run_once(2), first);
}
END_TEST

START_TEST(a_copy_of_the_block_put_back_is_a_rewind)
{
	struct pair_conn c;
	size_t size[2];
	void *saved[2];
	char first[10], second[10];

	pair_reset_config();
	pair_begin();
	c = pair_connected(7);
	tapir_send(pair[A], c.sd[A], "before", 6);
	for (int who = 0; who < 2; who++) {
		size[who] = tapir_size(pair_config(who));
		saved[who] = malloc(size[who]);
		memcpy(saved[who], pair[who], size[who]);	/* struct tapir is the first thing in the block */
	}
	for (int round = 0; round < 3; round++) {
		pair_carry();
		ck_assert_result(tapir_recv(pair[B], c.sd[B], first, 10), 6);
		ck_assert_mem_eq(first, "before", 6);
		tapir_send(pair[B], c.sd[B], "answer", 6);
		pair_pass(3 * TAPIR_SEC);
		ck_assert_result(tapir_recv(pair[A], c.sd[A], second, 10), 6);
		tapir_abort(pair[A], c.sd[A]);			/* the ruin of everything */
		pair_carry();
		for (int who = 0; who < 2; who++)
			memcpy(pair[who], saved[who], size[who]);
	}
	free(saved[A]);
	free(saved[B]);
	pair_close(&c);
	pair_end();
}
END_TEST

/* --- bad input --- */

static void fill_random(struct rng *rng, uint8_t *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		p[i] = (uint8_t)rng_next(rng);
}

START_TEST(random_frames_leave_the_stack_as_it_was)
{
	struct icmp_header ping = {.type = ICMP_ECHO};
	uint8_t frame[1514];
	struct rng rng;

	host_config_ethernet();
	host_begin();
	host_says_all();
	rng_seed(&rng, (uint64_t)_i, 77);
	for (int i = 0; i < 3000; i++) {
		size_t n = rng_below(&rng, i % 2 ? 80 : sizeof frame + 1);

		fill_random(&rng, frame, n);
		if (n >= ETH_HEADER) {
			memcpy(frame, host_mac, 6);
			frame[6] &= 0xfe;
			put_be16(frame + 12, i % 3 ? ETH_TYPE_IPV4 : ETH_TYPE_ARP);
		}
		host_hears(frame, n);
	}
	host_says_all();
	ck_assert_verdict_eq(host_hears_icmp(NEIGHBOUR_IP, &ping, "x", 1), ACCEPT);	/* still there */
	host_end();
}
END_TEST

/* A good datagram of each protocol with a few bytes changed and its IP checksum right. */
START_TEST(mutated_datagrams_leave_the_stack_as_it_was)
{
	struct icmp_header ping = {.type = ICMP_ECHO};
	struct rng rng;

	host_config();
	host_begin();
	rng_seed(&rng, (uint64_t)_i, 78);
	for (int i = 0; i < 5000; i++) {
		uint8_t payload[200];
		struct ipv4_header h = {.src = NEIGHBOUR_IP, .dst = HOST_IP, .ttl = 3, .id = (uint16_t)rng_below(&rng, 4)};
		static const uint8_t protos[] = {IP_PROTO_ICMP, IP_PROTO_UDP, IP_PROTO_TCP, 200};
		size_t n = rng_below(&rng, sizeof payload);

		fill_random(&rng, payload, n);
		h.proto = protos[rng_below(&rng, 4)];
		h.mf = rng_below(&rng, 4) == 0;
		h.offset = (uint16_t)(rng_below(&rng, 3) ? 0 : 8 * rng_below(&rng, 8192));
		if (n >= ICMP_HEADER && h.proto == IP_PROTO_ICMP) {
			struct icmp_header icmp = {.type = payload[0] & 15, .code = payload[1] & 7, .seq = 9};

			icmp_emit(&icmp, payload, n - ICMP_HEADER);
		}
		host_hears_ip(&h, payload, n);
		if (i % 16 == 0)
			host_says_all();
	}
	host_says_all();
	host_waits(100 * TAPIR_SEC);
	ck_assert_verdict_eq(host_hears_icmp(NEIGHBOUR_IP, &ping, "x", 1), ACCEPT);
	host_end();
}
END_TEST

Suite *suite(void)
{
	Suite *s = suite_create("stack: the engine");
	TCase *c = tcase_create("configuration"), *e = tcase_create("engine"), *r = tcase_create("bad input");

	tcase_add_test(c, the_defaults_need_only_an_address);
	tcase_add_test(c, impossible_addresses_are_refused);
	tcase_add_test(c, impossible_sizes_and_times_are_refused);
	tcase_add_test(c, a_link_address_of_zero_is_made_from_the_seed);
	tcase_add_test(e, an_empty_frame_holds_the_largest_that_can_arrive);
	tcase_add_test(e, when_the_pools_are_empty_there_is_no_frame_until_one_comes_back);
	tcase_add_test(e, each_frame_that_arrives_is_counted_once);
	tcase_add_test(e, an_idle_stack_has_no_deadline_and_time_does_not_go_back);
	tcase_add_test(e, the_same_seed_and_input_give_the_same_run);
	tcase_add_test(e, a_copy_of_the_block_put_back_is_a_rewind);
	tcase_add_loop_test(r, random_frames_leave_the_stack_as_it_was, 0, 5);
	tcase_add_loop_test(r, mutated_datagrams_leave_the_stack_as_it_was, 0, 5);
	tcase_set_timeout(r, 30);
	suite_add_tcase(s, c);
	suite_add_tcase(s, e);
	suite_add_tcase(s, r);
	return s;
}
