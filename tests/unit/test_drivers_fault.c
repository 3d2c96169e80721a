/* test_drivers_fault.c: the bad line, in virtual time. Frames go through a fault wrapper on one end of a pair: out through
 * the wrapper to far, or in from far. Each frame carries its number. */
#include <check.h>
#include <string.h>
#include "drivers/driver.h"

#define ETH 14u
#define LEN 100u
#define MANY 10000u
#define RING 256

static struct driver *line, *far;		/* line is the wrapper */
static usec_t now_us;
static uint8_t received[2048];

static void open_line(struct fault_config cfg)
{
	struct driver *ends[2];

	driver_open_pair(ends, 1500, (struct tapir_offload_caps){.csum = true, .tso4 = true}, false);
	far = ends[1];
	line = driver_wrap_fault(ends[0], &cfg);
	ck_assert_ptr_nonnull(line);
	now_us = 1000000;
}

static void close_line(void)
{
	driver_close(line);
	driver_close(far);
}

/* The frame with that number: Ethernet for IPv4, the number, and bytes that follow from it. */
static void make_frame(uint32_t number, uint32_t n, uint8_t *bytes)
{
	for (uint32_t i = 0; i < n; i++)
		bytes[i] = (uint8_t)(i * 13 + number);
	bytes[12] = 0x08;
	bytes[13] = 0x00;
	memcpy(bytes + ETH, &number, sizeof number);
}

static int send_bytes(struct driver *d, const uint8_t *bytes, uint32_t n)
{
	struct tapir_out out = {.len = n, .slice_count = 1, .slices = {{bytes, n}}};

	return driver_send(d, &out, now_us);
}

static int send_number(struct driver *d, uint32_t number, uint32_t n)
{
	uint8_t bytes[2048];

	make_frame(number, n, bytes);
	return send_bytes(d, bytes, n);
}

static bool recv_frame(struct driver *d, struct tapir_frame *f)
{
	int result;

	*f = (struct tapir_frame){.data = received, .room = sizeof received};
	result = driver_recv(d, f, now_us);
	ck_assert_int_ge(result, 0);
	return result == 1;
}

/* The next frame's number; -1: there is none. */
static int64_t recv_number(struct driver *d)
{
	struct tapir_frame f;
	uint32_t number;

	if (!recv_frame(d, &f))
		return -1;
	memcpy(&number, f.data + ETH, sizeof number);
	return number;
}

/* Lets the wrapper work off what is due: what a loop does at its deadline. Nothing may come in. */
static void turn(void)
{
	ck_assert_int_eq(recv_number(line), -1);
}

static uint64_t fate_of_many(uint64_t seed)
{
	struct fault_config cfg = {.loss = 0.2, .duplicate = 0.1, .corrupt = 0.1, .reorder = 0.1, .delay_us = 3000,
				   .jitter_us = 2000, .rate_bps = 100000000, .seed = seed};
	uint64_t hash = 14695981039346656037u;
	struct tapir_frame f;

	open_line(cfg);
	for (uint32_t i = 0; i < 2000; i++) {
		ck_assert_int_eq(send_number(line, i, LEN), 0);
		ck_assert_int_eq(send_number(far, i, LEN), 0);
		now_us += 37;
		for (int from = 0; from < 2; from++) {
			while (recv_frame(from ? line : far, &f)) {
				hash = (hash ^ (uint64_t)from ^ now_us) * 1099511628211u;
				for (uint32_t k = 0; k < f.len; k++)
					hash = (hash ^ f.data[k]) * 1099511628211u;
			}
		}
	}
	close_line();
	return hash;
}

START_TEST(the_same_seed_and_frames_give_the_same_faults)
{
	ck_assert_uint_eq(fate_of_many(42), fate_of_many(42));
	ck_assert_uint_eq(fate_of_many(0), fate_of_many(0));
	ck_assert_uint_ne(fate_of_many(42), fate_of_many(43));
}
END_TEST

START_TEST(a_perfect_line_passes_every_frame_unchanged_at_once)
{
	struct tapir_frame f;
	uint8_t bytes[LEN];

	open_line((struct fault_config){.seed = 1});
	for (uint32_t i = 0; i < 500; i++) {
		make_frame(i, LEN, bytes);
		ck_assert_int_eq(send_bytes(line, bytes, LEN), 0);
		ck_assert(recv_frame(far, &f));
		ck_assert_mem_eq(f.data, bytes, LEN);
		ck_assert_int_eq(send_bytes(far, bytes, LEN), 0);
		ck_assert(recv_frame(line, &f));
		ck_assert_mem_eq(f.data, bytes, LEN);
	}
	ck_assert_uint_eq(driver_fault_stats(line).passed, 1000);
	ck_assert_uint_eq(driver_deadline(line), USEC_NEVER);
	close_line();
}
END_TEST

START_TEST(the_wrapper_gives_up_the_offloads_of_both_ends)
{
	open_line((struct fault_config){.seed = 1});
	ck_assert(!line->caps.csum && !line->caps.tso4);
	ck_assert(!far->caps.csum && !far->caps.tso4);
	close_line();
}
END_TEST

START_TEST(a_partial_checksum_is_completed_before_the_frame_meets_its_fate)
{
	uint8_t bytes[ETH + 6] = {[12] = 0x08, [ETH] = 0x12, 0x34, 0x01, 0x02, 0x03, 0x04};
	struct tapir_out out = {.len = sizeof bytes, .slice_count = 1, .slices = {{bytes, sizeof bytes}}};
	struct tapir_frame f;

	/* The field at ETH holds a sum already, as a pseudo-header leaves it: 1234 + 0102 + 0304 = 163a, complement e9c5. */
	out.offload = (struct tapir_offload){.csum = TAPIR_CSUM_PARTIAL, .csum_start = ETH, .csum_offset = 0};
	open_line((struct fault_config){.seed = 1});
	ck_assert_int_eq(driver_send(line, &out, now_us), 0);
	ck_assert(recv_frame(far, &f));
	ck_assert_int_eq(f.offload.csum, TAPIR_CSUM_NONE);
	ck_assert_uint_eq(f.data[ETH], 0xe9);
	ck_assert_uint_eq(f.data[ETH + 1], 0xc5);
	close_line();
}
END_TEST

START_TEST(loss_takes_its_share_in_each_direction)
{
	uint64_t out = 0, in = 0, unlike = 0;

	open_line((struct fault_config){.loss = 0.3, .seed = 5});
	for (uint32_t i = 0; i < MANY; i++) {
		ck_assert_int_eq(send_number(line, i, LEN), 0);
		ck_assert_int_eq(send_number(far, i, LEN), 0);
		bool went = recv_number(far) == i, came = recv_number(line) == i;

		out += went;
		in += came;
		unlike += went != came;
	}
	ck_assert_uint_gt(out, MANY * 68 / 100);
	ck_assert_uint_lt(out, MANY * 72 / 100);
	ck_assert_uint_gt(in, MANY * 68 / 100);
	ck_assert_uint_lt(in, MANY * 72 / 100);
	ck_assert_uint_gt(unlike, MANY * 35 / 100);	/* each direction draws for itself */
	ck_assert_uint_eq(driver_fault_stats(line).lost, 2 * MANY - in - out);
	ck_assert_uint_eq(driver_fault_stats(line).passed, in + out);
	close_line();
}
END_TEST

START_TEST(a_loss_of_one_lets_nothing_pass)
{
	open_line((struct fault_config){.loss = 1, .seed = 5});
	for (uint32_t i = 0; i < 1000; i++) {
		send_number(line, i, LEN);
		ck_assert_int_eq(recv_number(far), -1);
	}
	ck_assert_uint_eq(driver_fault_stats(line).lost, 1000);
	close_line();
}
END_TEST

START_TEST(a_duplicated_frame_arrives_twice)
{
	uint64_t twice = 0;

	open_line((struct fault_config){.duplicate = 0.25, .seed = 6});
	for (uint32_t i = 0; i < MANY; i++) {
		int64_t again;

		send_number(line, i, LEN);
		ck_assert_int_eq(recv_number(far), i);
		again = recv_number(far);
		if (again < 0)
			continue;
		ck_assert_int_eq(again, i);
		ck_assert_int_eq(recv_number(far), -1);
		twice++;
	}
	ck_assert_uint_gt(twice, MANY * 23 / 100);
	ck_assert_uint_lt(twice, MANY * 27 / 100);
	ck_assert_uint_eq(driver_fault_stats(line).duplicated, twice);
	close_line();
}
END_TEST

START_TEST(a_corrupt_frame_has_one_bit_flipped_behind_the_ethernet_header)
{
	uint64_t corrupt = 0, places = 0;

	open_line((struct fault_config){.corrupt = 0.5, .seed = 7});
	for (uint32_t i = 0; i < 2000; i++) {
		uint8_t bytes[LEN];
		struct tapir_frame f;
		int bits = 0;

		make_frame(i, LEN, bytes);
		send_bytes(line, bytes, LEN);
		ck_assert(recv_frame(far, &f));
		ck_assert_uint_eq(f.len, LEN);
		ck_assert_mem_eq(f.data, bytes, ETH);
		for (uint32_t k = ETH; k < LEN; k++) {
			bits += __builtin_popcount(f.data[k] ^ bytes[k]);
			if (f.data[k] != bytes[k] && k - ETH < 64)
				places |= (uint64_t)1 << (k - ETH);
		}
		ck_assert_int_le(bits, 1);
		corrupt += (uint64_t)bits;
	}
	ck_assert_uint_gt(corrupt, 900);
	ck_assert_uint_lt(corrupt, 1100);
	ck_assert_uint_eq(driver_fault_stats(line).corrupted, corrupt);
	ck_assert_uint_eq(places, UINT64_MAX);		/* no byte is spared */
	close_line();
}
END_TEST

START_TEST(a_corrupt_frame_that_no_checksum_protects_is_thrown_away)
{
	uint8_t arp[60] = {[12] = 0x08, [13] = 0x06};

	open_line((struct fault_config){.corrupt = 1, .seed = 7});
	for (int i = 0; i < 100; i++) {
		struct tapir_frame f;

		send_bytes(line, arp, sizeof arp);
		ck_assert(!recv_frame(far, &f));
	}
	ck_assert_uint_eq(driver_fault_stats(line).corrupted, 100);
	close_line();
}
END_TEST

START_TEST(a_delayed_frame_arrives_at_its_time_and_the_deadline_says_when)
{
	open_line((struct fault_config){.delay_us = 20000, .seed = 8});
	send_number(line, 1, LEN);
	send_number(far, 2, LEN);
	turn();
	ck_assert_uint_eq(driver_deadline(line), 1020000);
	now_us = 1019999;
	turn();
	ck_assert_int_eq(recv_number(far), -1);
	now_us = 1020000;
	ck_assert_int_eq(recv_number(line), 2);
	ck_assert_int_eq(recv_number(far), 1);
	ck_assert_uint_eq(driver_deadline(line), USEC_NEVER);
	close_line();
}
END_TEST

START_TEST(jitter_stretches_the_delay_but_keeps_the_order)
{
	uint32_t next = 0;
	usec_t least_us = USEC_NEVER, most_us = 0;

	open_line((struct fault_config){.delay_us = 1000, .jitter_us = 5000, .seed = 9});
	for (uint32_t sent = 0; next < 200; now_us += 10) {
		if (sent < 200 && (now_us - 1000000) % 20000 == 0)
			ck_assert_int_eq(send_number(line, sent++, LEN), 0);
		turn();
		for (int64_t n; (n = recv_number(far)) >= 0; next++) {
			usec_t took_us = now_us - (1000000 + (usec_t)n * 20000);

			ck_assert_int_eq(n, next);
			least_us = took_us < least_us ? took_us : least_us;
			most_us = took_us > most_us ? took_us : most_us;
		}
	}
	ck_assert_uint_ge(least_us, 1000);
	ck_assert_uint_lt(least_us, 1500);
	ck_assert_uint_le(most_us, 6010);
	ck_assert_uint_gt(most_us, 5500);
	close_line();
}
END_TEST

START_TEST(frames_sent_together_stay_in_order_under_jitter)
{
	open_line((struct fault_config){.jitter_us = 5000, .seed = 10});
	for (uint32_t i = 0; i < 100; i++)
		send_number(line, i, LEN);
	now_us += 5000;
	turn();
	for (uint32_t i = 0; i < 100; i++)
		ck_assert_int_eq(recv_number(far), i);
	close_line();
}
END_TEST

START_TEST(the_rate_spaces_frames_by_their_length)
{
	open_line((struct fault_config){.rate_bps = 8000000, .seed = 11});	/* a byte each microsecond */
	for (uint32_t i = 0; i < 3; i++)
		send_number(line, i, 1000);
	for (uint32_t i = 0; i < 3; i++) {
		now_us = 1000000 + (i + 1) * 1000 - 1;
		turn();
		ck_assert_int_eq(recv_number(far), -1);
		now_us++;
		turn();
		ck_assert_int_eq(recv_number(far), i);
	}
	close_line();
}
END_TEST

START_TEST(what_does_not_fit_the_queue_of_a_slow_line_is_lost)
{
	uint32_t arrived = 0;

	open_line((struct fault_config){.rate_bps = 8000000, .queue_bytes = 10000, .seed = 12});
	for (uint32_t i = 0; i < 50; i++)
		ck_assert_int_eq(send_number(line, i, 1000), 0);
	now_us += 1000000;
	turn();
	while (recv_number(far) == arrived)
		arrived++;
	ck_assert_uint_eq(arrived, 10);			/* drop-tail: the first ones */
	ck_assert_uint_eq(driver_fault_stats(line).overflowed, 40);
	close_line();
}
END_TEST

START_TEST(a_reordered_frame_is_passed_by_one_to_four_later_ones)
{
	bool seen[2000] = {false};
	uint32_t highest = 0, late = 0, passers[8] = {0};

	open_line((struct fault_config){.reorder = 0.1, .seed = 13});
	for (uint32_t i = 0; i <= 2000; i++) {
		if (i < 2000)
			send_number(line, i, LEN);
		else
			now_us += TAPIR_SEC;
		turn();
		for (int64_t n; (n = recv_number(far)) >= 0; ) {
			ck_assert(!seen[n]);
			seen[n] = true;
			if (n < highest) {
				ck_assert_int_le(highest - n, 4);
				passers[highest - n]++;
				late++;
			}
			highest = n > highest ? (uint32_t)n : highest;
		}
	}
	ck_assert_uint_gt(late, 100);
	ck_assert_uint_eq(driver_fault_stats(line).passed, 2000);
	ck_assert_uint_eq(driver_fault_stats(line).reordered, late);
	for (int i = 1; i <= 4; i++)
		ck_assert_uint_gt(passers[i], 0);
	close_line();
}
END_TEST

START_TEST(a_reordered_frame_that_nobody_passes_goes_after_a_while)
{
	open_line((struct fault_config){.reorder = 1, .seed = 14});
	send_number(line, 1, LEN);
	ck_assert_int_eq(recv_number(far), -1);
	ck_assert_uint_eq(driver_deadline(line), 1005000);
	now_us = 1005000;
	turn();
	ck_assert_int_eq(recv_number(far), 1);
	close_line();
}
END_TEST

START_TEST(when_the_line_behind_is_full_frames_wait_and_the_deadline_comes_soon)
{
	open_line((struct fault_config){.seed = 15});
	for (uint32_t i = 0; i < RING + 10; i++)
		ck_assert_int_eq(send_number(line, i, LEN), 0);
	ck_assert_uint_gt(driver_deadline(line), now_us);	/* a loop must not spin */
	ck_assert_uint_le(driver_deadline(line), now_us + 10 * TAPIR_MS);
	for (uint32_t i = 0; i < RING; i++)
		ck_assert_int_eq(recv_number(far), i);
	now_us = driver_deadline(line);
	turn();
	for (uint32_t i = RING; i < RING + 10; i++)
		ck_assert_int_eq(recv_number(far), i);
	ck_assert_int_eq(recv_number(far), -1);
	close_line();
}
END_TEST

Suite *suite(void)
{
	Suite *s = suite_create("drivers/fault");
	TCase *c = tcase_create("fault");

	tcase_set_timeout(c, 30);
	tcase_add_test(c, the_same_seed_and_frames_give_the_same_faults);
	tcase_add_test(c, a_perfect_line_passes_every_frame_unchanged_at_once);
	tcase_add_test(c, the_wrapper_gives_up_the_offloads_of_both_ends);
	tcase_add_test(c, a_partial_checksum_is_completed_before_the_frame_meets_its_fate);
	tcase_add_test(c, loss_takes_its_share_in_each_direction);
	tcase_add_test(c, a_loss_of_one_lets_nothing_pass);
	tcase_add_test(c, a_duplicated_frame_arrives_twice);
	tcase_add_test(c, a_corrupt_frame_has_one_bit_flipped_behind_the_ethernet_header);
	tcase_add_test(c, a_corrupt_frame_that_no_checksum_protects_is_thrown_away);
	tcase_add_test(c, a_delayed_frame_arrives_at_its_time_and_the_deadline_says_when);
	tcase_add_test(c, jitter_stretches_the_delay_but_keeps_the_order);
	tcase_add_test(c, frames_sent_together_stay_in_order_under_jitter);
	tcase_add_test(c, the_rate_spaces_frames_by_their_length);
	tcase_add_test(c, what_does_not_fit_the_queue_of_a_slow_line_is_lost);
	tcase_add_test(c, a_reordered_frame_is_passed_by_one_to_four_later_ones);
	tcase_add_test(c, a_reordered_frame_that_nobody_passes_goes_after_a_while);
	tcase_add_test(c, when_the_line_behind_is_full_frames_wait_and_the_deadline_comes_soon);
	suite_add_tcase(s, c);
	return s;
}
