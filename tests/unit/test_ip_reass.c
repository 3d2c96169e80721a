/* test_ip_reass.c: reassembly (RFC 815, RFC 791 3.2, RFC 1122 3.3.2) by a whole stack that is sent echo requests in pieces:
 * every order, duplicates, overlaps, lengths that cannot be, the bounds, and the timeout with its ICMP error. */
#include <stdlib.h>
#include "stack/base/siphash.h"
#include "tests/support/host.h"

static struct tapir *t;
static uint8_t message[65515];		/* an echo request, and its payload */

static void set_up(void)
{
	host_config();
	t = host_begin();
}

/* message becomes an echo request of n bytes in all. */
static void make_request(size_t n)
{
	struct icmp_header h = {.type = ICMP_ECHO, .id = 1, .seq = (uint16_t)n};

	for (size_t i = ICMP_HEADER; i < n; i++)
		message[i] = (uint8_t)(i * 7 + i / 256 + n);
	icmp_emit(&h, message, n - ICMP_HEADER);
}

struct piece { size_t at, n; bool more; uint16_t id; };

static enum tapir_verdict hears_bytes(struct piece p, const uint8_t *bytes)
{
	struct ipv4_header h = {.src = NEIGHBOUR_IP, .dst = HOST_IP, .proto = IP_PROTO_ICMP, .ttl = 60, .id = p.id,
				.offset = (uint16_t)p.at, .mf = p.more};

	return host_hears_ip(&h, bytes, p.n);
}

/* A fragment with this ECN field. */
static enum tapir_verdict hears_marked(struct piece p, uint8_t ecn)
{
	struct ipv4_header h = {.src = NEIGHBOUR_IP, .dst = HOST_IP, .proto = IP_PROTO_ICMP, .ttl = 60, .id = p.id,
				.offset = (uint16_t)p.at, .mf = p.more, .tos = (uint8_t)(0x28 | ecn)};

	return host_hears_ip(&h, message + p.at, p.n);
}

static enum tapir_verdict hears(struct piece p) { return hears_bytes(p, message + p.at); }

/* The answer is the whole request of n bytes. */
static void says_answer(size_t n)
{
	static uint8_t answer[65515];
	struct said s;
	size_t got = 0;

	do {
		host_says_ip(&s, IP_PROTO_ICMP);
		ck_assert_uint_eq(s.ip.offset, got);
		memcpy(answer + got, s.payload.p, s.payload.n);
		got += s.payload.n;
	} while (s.ip.mf);
	ck_assert_uint_eq(got, n);
	ck_assert_uint_eq(answer[0], ICMP_ECHO_REPLY);
	ck_assert_mem_eq(answer + 4, message + 4, n - 4);
}

static void holds(uint32_t datagrams)
{
	struct tapir_usage u;

	tapir_usage(t, &u);
	ck_assert_uint_eq(u.reass, datagrams);
}

START_TEST(two_fragments_in_order_are_one_datagram)
{
	make_request(2000);
	ck_assert_verdict_eq(hears((struct piece){0, 1480, true, 9}), HELD_FRAGMENT);
	holds(1);
	host_says_nothing();
	ck_assert_verdict_eq(hears((struct piece){1480, 520, false, 9}), ACCEPT);
	holds(0);
	says_answer(2000);
	host_says_nothing();
}
END_TEST

START_TEST(the_largest_datagram_is_put_together)
{
	make_request(65515);
	for (size_t at = 0; at < 65515; at += 1480) {
		bool more = at + 1480 < 65515;

		ck_assert_verdict_eq(hears((struct piece){at, more ? 1480 : 65515 - at, more, 9}), more ? HELD_FRAGMENT : ACCEPT);
	}
	says_answer(65515);
}
END_TEST

/* The pieces of a request of 1003 bytes in the order with this number, of 720. */
static void hears_in_order(unsigned order)
{
	static const size_t borders[] = {0, 8, 64, 72, 200, 1000, 1003};
	size_t left[6] = {0, 1, 2, 3, 4, 5};
	uint16_t id = (uint16_t)order;

	for (unsigned n = 6; n > 0; n--) {
		unsigned pick = order % n;
		size_t i = left[pick];

		order /= n;
		memmove(left + pick, left + pick + 1, (5 - pick) * sizeof *left);
		ck_assert_verdict_eq(hears((struct piece){borders[i], borders[i + 1] - borders[i], i < 5, id}),
				     n > 1 ? HELD_FRAGMENT : ACCEPT);
	}
}

START_TEST(every_order_of_the_pieces_gives_the_same_datagram)
{
	make_request(1003);
	for (unsigned order = 0; order < 720; order++) {
		hears_in_order(order);
		says_answer(1003);
	}
}
END_TEST

START_TEST(random_pieces_with_duplicates_give_the_same_datagram)
{
	struct rng rng;
	struct piece pieces[64];

	rng_seed(&rng, 815, (uint64_t)_i);
	for (uint16_t round = 0; round < 40; round++) {
		size_t n = 100 + rng_below(&rng, 9000), at = 0;
		uint32_t count = 0;

		make_request(n);
		while (at < n) {
			size_t want = 8 * (20 + rng_below(&rng, 100)), here = want < n - at ? want : n - at;

			pieces[count++] = (struct piece){at, here, at + here < n, round};
			at += here;
		}
		for (uint32_t i = count; i > 1; i--) {		/* Fisher and Yates */
			uint32_t j = rng_below(&rng, i);
			struct piece swap = pieces[i - 1];

			pieces[i - 1] = pieces[j];
			pieces[j] = swap;
		}
		for (uint32_t i = 0; i < count; i++) {
			ck_assert_verdict_eq(hears(pieces[i]), i + 1 < count ? HELD_FRAGMENT : ACCEPT);
			if (i + 1 < count && i % 3 == 0)
				ck_assert_verdict_eq(hears(pieces[rng_below(&rng, i + 1)]), HELD_FRAGMENT);
		}
		says_answer(n);
		holds(0);
	}
}
END_TEST

START_TEST(datagrams_are_told_apart_by_source_destination_protocol_and_identification)
{
	struct ipv4_header other = {.src = tapir_ipv4(10, 0, 0, 3), .dst = HOST_IP, .proto = IP_PROTO_ICMP, .ttl = 60, .id = 9,
				    .offset = 80};

	make_request(100);
	ck_assert_verdict_eq(hears((struct piece){0, 80, true, 9}), HELD_FRAGMENT);
	ck_assert_verdict_eq(host_hears_ip(&other, message + 80, 20), HELD_FRAGMENT);
	other.src = NEIGHBOUR_IP;
	other.proto = IP_PROTO_UDP;
	ck_assert_verdict_eq(host_hears_ip(&other, message + 80, 20), HELD_FRAGMENT);
	ck_assert_verdict_eq(hears((struct piece){80, 20, false, 10}), HELD_FRAGMENT);
	host_says_nothing();
	holds(4);
	ck_assert_verdict_eq(hears((struct piece){80, 20, false, 9}), ACCEPT);
	says_answer(100);
	holds(3);
}
END_TEST

START_TEST(a_piece_that_is_no_multiple_of_eight_must_be_the_last)
{
	make_request(100);
	for (size_t n = 1; n < 24; n++)
		ck_assert_verdict_eq(hears((struct piece){0, n, true, (uint16_t)n}), n % 8 ? DROP_FRAG_ALIGN : HELD_FRAGMENT);
}
END_TEST

START_TEST(empty_pieces_and_pieces_past_the_end_of_any_datagram_are_refused)
{
	ck_assert_verdict_eq(hears((struct piece){0, 0, true, 1}), DROP_FRAG_RANGE);
	ck_assert_verdict_eq(hears((struct piece){8, 0, false, 1}), DROP_FRAG_RANGE);
	/* the ping of death */
	ck_assert_verdict_eq(hears_bytes((struct piece){65528, 8, false, 1}, message), DROP_FRAG_RANGE);
	ck_assert_verdict_eq(hears_bytes((struct piece){65512, 4, false, 1}, message), DROP_FRAG_RANGE);
	holds(0);
	ck_assert_verdict_eq(hears_bytes((struct piece){65512, 3, false, 1}, message), HELD_FRAGMENT);
	holds(1);
}
END_TEST

START_TEST(pieces_that_disagree_give_the_datagram_up)
{
	static uint8_t other[100];

	make_request(100);
	memset(other, 0xee, sizeof other);
	hears((struct piece){0, 48, true, 1});
	ck_assert_verdict_eq(hears((struct piece){40, 16, true, 1}), DROP_FRAG_OVERLAP);	/* covers old and new */
	holds(0);
	hears((struct piece){0, 48, true, 2});
	ck_assert_verdict_eq(hears_bytes((struct piece){0, 48, true, 2}, other), DROP_FRAG_OVERLAP);	/* other bytes */
	holds(0);
	hears((struct piece){48, 52, false, 3});
	ck_assert_verdict_eq(hears((struct piece){40, 16, true, 3}), DROP_FRAG_OVERLAP);
	holds(0);
	hears((struct piece){16, 16, true, 4});
	ck_assert_verdict_eq(hears((struct piece){8, 48, true, 4}), DROP_FRAG_OVERLAP);	/* covers a whole one */
	holds(0);
	host_says_nothing();
}
END_TEST

START_TEST(two_last_pieces_or_bytes_behind_the_last_give_the_datagram_up)
{
	memset(message, 0xa5, sizeof message);		/* as fresh memory: what lies there happens to agree */
	hears((struct piece){48, 52, false, 5});
	ck_assert_verdict_eq(hears((struct piece){48, 60, false, 5}), DROP_FRAG_OVERLAP);
	hears((struct piece){48, 52, false, 6});
	ck_assert_verdict_eq(hears((struct piece){104, 8, true, 6}), DROP_FRAG_OVERLAP);
	make_request(200);
	hears((struct piece){48, 52, false, 1});
	ck_assert_verdict_eq(hears((struct piece){48, 60, false, 1}), DROP_FRAG_OVERLAP);
	hears((struct piece){48, 52, false, 2});
	ck_assert_verdict_eq(hears((struct piece){104, 8, true, 2}), DROP_FRAG_OVERLAP);
	hears((struct piece){104, 8, true, 3});
	ck_assert_verdict_eq(hears((struct piece){48, 52, false, 3}), DROP_FRAG_OVERLAP);	/* what came reaches further */
	hears((struct piece){48, 48, false, 4});
	ck_assert_verdict_eq(hears((struct piece){40, 56, true, 4}), DROP_FRAG_OVERLAP);
	holds(0);
	host_says_nothing();
}
END_TEST

START_TEST(too_many_holes_give_the_datagram_up)
{
	enum tapir_verdict v = HELD_FRAGMENT;
	size_t n = 0;

	make_request(60000);
	for (; v == HELD_FRAGMENT && n < 1000; n++)
		v = hears((struct piece){16 + n * 16, 8, true, 1});
	ck_assert_verdict_eq(v, DROP_FRAG_LIMIT);
	ck_assert_uint_ge(n, 50);
	holds(0);
}
END_TEST

START_TEST(too_many_datagrams_at_once_cost_the_oldest)
{
	struct tapir_usage u;

	make_request(100);
	for (uint16_t id = 0; id < 200; id++) {
		ck_assert_verdict_eq(hears((struct piece){0, 80, true, id}), HELD_FRAGMENT);
		tapir_usage(t, &u);
		ck_assert_uint_le(u.reass, u.reass_max);
		ck_assert_uint_lt(u.large_frames, u.large_frames_max);	/* something can still arrive */
	}
	ck_assert_verdict_eq(hears((struct piece){80, 20, false, 199}), ACCEPT);
	says_answer(100);
}
END_TEST

START_TEST(the_oldest_gives_way_when_all_places_are_taken)
{
	host_end();
	host_config()->reass_max = 3;
	t = host_begin();
	make_request(100);
	for (uint16_t id = 0; id < 4; id++)
		ck_assert_verdict_eq(hears((struct piece){0, 80, true, id}), HELD_FRAGMENT);
	holds(3);
	ck_assert_uint_eq(tapir_count(t, DROP_FRAG_LIMIT), 1);
	ck_assert_verdict_eq(hears((struct piece){80, 20, false, 3}), ACCEPT);
	says_answer(100);
	ck_assert_verdict_eq(hears((struct piece){80, 20, false, 1}), ACCEPT);
	says_answer(100);
	ck_assert_verdict_eq(hears((struct piece){80, 20, false, 0}), HELD_FRAGMENT);	/* its first half is gone */
}
END_TEST

START_TEST(what_stays_incomplete_times_out_and_its_sender_is_told)
{
	struct icmp_header h;
	struct span quote;
	struct said s;

	make_request(3000);
	hears((struct piece){0, 1480, true, 77});
	host_waits(10 * TAPIR_SEC);
	hears((struct piece){1480, 1480, true, 77});		/* does not start the clock again: RFC 1122 3.3.2 */
	host_waits(19 * TAPIR_SEC);
	holds(1);
	host_says_nothing();
	host_waits(2 * TAPIR_SEC);
	holds(0);
	ck_assert_uint_eq(tapir_count(t, DROP_FRAG_TIMEOUT), 1);
	h = host_says_icmp(&s, &quote);
	ck_assert_uint_eq(h.type, ICMP_TIME_EXCEEDED);
	ck_assert_uint_eq(h.code, ICMP_REASSEMBLY_TIME);
	ck_assert_uint_ge(quote.n, IPV4_HEADER + 8);
	ck_assert_uint_eq(get_be16(quote.p + 4), 77);
	ck_assert_mem_eq(quote.p + IPV4_HEADER, message, 8);
	ck_assert(addr_is(&s.ip.dst, NEIGHBOUR_IP));
	ck_assert_verdict_eq(hears((struct piece){2960, 40, false, 77}), HELD_FRAGMENT);	/* too late: a new one */
}
END_TEST

START_TEST(without_the_first_fragment_a_timeout_is_silent)
{
	struct ipv4_header h = {.src = NEIGHBOUR_IP, .dst = HOST_IP, .proto = IP_PROTO_UDP, .ttl = 60, .offset = 1480, .mf = true};

	ck_assert_verdict_eq(host_hears_ip(&h, message, 1480), HELD_FRAGMENT);
	host_waits(31 * TAPIR_SEC);
	ck_assert_uint_eq(tapir_count(t, DROP_FRAG_TIMEOUT), 1);
	host_says_nothing();
}
END_TEST

START_TEST(fragments_of_udp_reach_the_socket)
{
	static uint8_t text[2500], got[3000];
	struct tapir_endpoint local = {.port = 7}, from;
	tapir_sd sd = tapir_socket(t, TAPIR_SOCK_DGRAM);
	struct udp_header h = {9, 7};
	struct ipv4_header ip = {.src = NEIGHBOUR_IP, .dst = HOST_IP, .proto = IP_PROTO_UDP, .ttl = 64, .id = 5};

	ck_assert_result(tapir_bind(t, sd, &local), 0);
	for (size_t i = 0; i < sizeof text - 8; i++)
		text[8 + i] = (uint8_t)(i / 3);
	udp_emit(&h, &ip.src, &ip.dst, text, sizeof text - 8);
	ip.offset = 1480;
	ck_assert_verdict_eq(host_hears_ip(&ip, text + 1480, sizeof text - 1480), HELD_FRAGMENT);
	ip.offset = 0;
	ip.mf = true;
	ck_assert_verdict_eq(host_hears_ip(&ip, text, 1480), ACCEPT);
	ck_assert_result(tapir_recvfrom(t, sd, got, sizeof got, &from), sizeof text - 8);
	ck_assert_mem_eq(got, text + 8, sizeof text - 8);
	ck_assert_uint_eq(from.port, 9);
	text[100] ^= 1;				/* the checksum covers the whole */
	host_hears_ip(&ip, text, 1480);
	ip.offset = 1480;
	ip.mf = false;
	ck_assert_verdict_eq(host_hears_ip(&ip, text + 1480, sizeof text - 1480), DROP_UDP_CHECKSUM);
	tapir_close(t, sd);
}
END_TEST

/* RFC 3168 5.3, every pair of fields: CE and not ECN-capable cannot be one datagram. That a mark is kept: tests/rfc. */
START_TEST(a_marked_fragment_and_one_that_was_not_capable_give_the_datagram_up)
{
	make_request(2000);
	for (uint8_t pair = 0; pair < 16; pair++) {
		uint8_t first = pair % 4, second = pair / 4;
		bool conflict = first + second == IP_ECN_CE && first * second == 0;	/* one is CE, the other not ECN-capable */

		ck_assert_verdict_eq(hears_marked((struct piece){1480, 520, false, pair}, second), HELD_FRAGMENT);
		ck_assert_verdict_eq(hears_marked((struct piece){0, 1480, true, pair}, first),
				     conflict ? DROP_FRAG_ECN : ACCEPT);
		holds(0);
		if (!conflict)
			says_answer(2000);
		host_says_nothing();
	}
}
END_TEST

Suite *suite(void)
{
	Suite *s = suite_create("ip: reassembly");
	TCase *c = tcase_create("RFC 815");

	tcase_add_checked_fixture(c, set_up, host_end);
	tcase_set_timeout(c, 60);
	tcase_add_test(c, two_fragments_in_order_are_one_datagram);
	tcase_add_test(c, the_largest_datagram_is_put_together);
	tcase_add_test(c, every_order_of_the_pieces_gives_the_same_datagram);
	tcase_add_loop_test(c, random_pieces_with_duplicates_give_the_same_datagram, 0, 10);
	tcase_add_test(c, datagrams_are_told_apart_by_source_destination_protocol_and_identification);
	tcase_add_test(c, a_piece_that_is_no_multiple_of_eight_must_be_the_last);
	tcase_add_test(c, empty_pieces_and_pieces_past_the_end_of_any_datagram_are_refused);
	tcase_add_test(c, pieces_that_disagree_give_the_datagram_up);
	tcase_add_test(c, two_last_pieces_or_bytes_behind_the_last_give_the_datagram_up);
	tcase_add_test(c, too_many_holes_give_the_datagram_up);
	tcase_add_test(c, too_many_datagrams_at_once_cost_the_oldest);
	tcase_add_test(c, the_oldest_gives_way_when_all_places_are_taken);
	tcase_add_test(c, what_stays_incomplete_times_out_and_its_sender_is_told);
	tcase_add_test(c, without_the_first_fragment_a_timeout_is_silent);
	tcase_add_test(c, fragments_of_udp_reach_the_socket);
	tcase_add_test(c, a_marked_fragment_and_one_that_was_not_capable_give_the_datagram_up);
	suite_add_tcase(s, c);
	return s;
}
