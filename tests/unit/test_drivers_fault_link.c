/* test_drivers_fault_link.c: what a bad line has of a real path, in virtual time: bursts of loss, a queue that is managed,
 * an MTU of its own, failures and changes. Frames go through a fault wrapper on one end of a pair to the other. */
#include <check.h>
#include <string.h>
#include "drivers/driver.h"
#include "stack/wire/icmp.h"
#include "stack/wire/ipv4.h"

#define MANY 100000u
#define BYTES 1000u
#define BYTE_US (1 * TAPIR_MS)		/* what BYTES take at the rate of the tests with a queue */
#define RATE 8000000u

static struct driver *line, *far;		/* line is the wrapper */
static usec_t now_us;
static uint8_t received[2048];
static uint32_t received_len;

static void open_line(struct fault_config cfg)
{
	struct driver *ends[2];

	driver_open_pair(ends, 1500, (struct tapir_offload_caps){.csum = false}, true);
	far = ends[1];
	line = driver_wrap_fault(ends[0], &cfg);
	ck_assert_ptr_nonnull(line);
	now_us = TAPIR_SEC;
}

static void close_line(void)
{
	driver_close(line);
	driver_close(far);
}

/* A datagram of n bytes with that number in its text. */
static void send_to(struct driver *d, uint32_t number, uint16_t n, uint8_t tos)
{
	uint8_t bytes[2048] = {0};
	struct tapir_out out = {.len = n, .slice_count = 1, .slices = {{bytes, n}}};
	struct ipv4_header ip = {.src = tapir_ipv4(10, 0, 0, 1), .dst = tapir_ipv4(10, 0, 0, 2), .proto = IP_PROTO_UDP,
				 .ttl = 64, .tos = tos, .df = true, .total_len = n};

	ipv4_emit(&ip, bytes);
	memcpy(bytes + IPV4_HEADER, &number, sizeof number);
	ck_assert_int_eq(driver_send(d, &out, now_us), 0);
}

/* The next datagram's number; -1: there is none. */
static int64_t take_from(struct driver *d)
{
	struct tapir_frame f = {.data = received, .room = sizeof received};
	uint32_t number;

	if (driver_recv(d, &f, now_us) != 1)
		return -1;
	received_len = f.len;
	memcpy(&number, f.data + IPV4_HEADER, sizeof number);
	return number;
}

static void turn(void) { ck_assert_int_eq(take_from(line), -1); }

/* ---- bursts ---- */

START_TEST(bursts_take_their_share_in_runs_of_their_mean_length)
{
	uint32_t lost = 0, runs = 0;
	bool before = false;

	open_line((struct fault_config){.burst_loss = 0.02, .burst_frames = 5, .seed = 3});
	for (uint32_t i = 0; i < MANY; i++) {
		bool gone;

		send_to(line, i, 100, 0);
		gone = take_from(far) < 0;
		lost += gone;
		runs += gone && !before;
		before = gone;
	}
	ck_assert_uint_gt(lost, MANY * 17 / 1000);
	ck_assert_uint_lt(lost, MANY * 23 / 1000);
	ck_assert_uint_gt(lost, runs * 45 / 10);
	ck_assert_uint_lt(lost, runs * 55 / 10);
	ck_assert_uint_eq(driver_fault_stats(line).lost, lost);
	close_line();
}
END_TEST

/* ---- the queue ---- */

struct overload { uint32_t sent, arrived, marked; usec_t slowest_us; };

/* Sends percent of what the link carries for so long, and notes how long the last second's datagrams were under way. */
static struct overload overload(struct fault_config cfg, uint32_t percent, uint32_t seconds, uint8_t tos)
{
	struct overload o = {.sent = 0};
	usec_t end_us, next_us, pause_us = BYTE_US * 100 / percent;

	cfg.rate_bps = RATE;
	open_line(cfg);
	end_us = now_us + seconds * TAPIR_SEC;
	for (next_us = now_us; now_us < end_us; now_us += 500) {
		for (; next_us <= now_us; next_us += pause_us)
			send_to(line, o.sent++, BYTES, tos);
		turn();
		for (int64_t n; (n = take_from(far)) >= 0; o.arrived++) {
			usec_t took_us = now_us - (TAPIR_SEC + (usec_t)n * pause_us);

			o.marked += (received[1] & 3) == 3;
			if (now_us > end_us - TAPIR_SEC && took_us > o.slowest_us)
				o.slowest_us = took_us;
		}
	}
	return o;
}

START_TEST(codel_leaves_a_link_alone_that_carries_what_it_gets)
{
	struct overload o = overload((struct fault_config){.codel = true, .queue_bytes = 200 * BYTES}, 95, 10, 0);

	ck_assert_uint_eq(driver_fault_stats(line).shed, 0);
	ck_assert_uint_ge(o.arrived, o.sent - 2);
	close_line();
}
END_TEST

START_TEST(codel_lets_a_short_burst_pass)
{
	open_line((struct fault_config){.codel = true, .rate_bps = RATE, .queue_bytes = 200 * BYTES});
	for (uint32_t i = 0; i < 90; i++)	/* 90 ms of queue: gone before an interval is over */
		send_to(line, i, BYTES, 0);
	now_us += TAPIR_SEC;
	turn();
	for (uint32_t i = 0; i < 90; i++)
		ck_assert_int_eq(take_from(far), i);
	ck_assert_uint_eq(driver_fault_stats(line).shed, 0);
	close_line();
}
END_TEST

START_TEST(the_first_drop_of_codel_comes_an_interval_after_the_queue_became_slow)
{
	usec_t shed_at_us = 0;

	open_line((struct fault_config){.codel = true, .rate_bps = RATE, .queue_bytes = 500 * BYTES});
	for (uint32_t i = 0; i < 300; i++)
		send_to(line, i, BYTES, 0);
	for (; shed_at_us == 0 && now_us < 2 * TAPIR_SEC; now_us += 1000) {
		turn();
		while (take_from(far) >= 0)
			;
		if (driver_fault_stats(line).shed)
			shed_at_us = now_us;
	}
	/* The sixth datagram is the first that has waited for 5 ms (RFC 8289 4.3), 100 ms later the interval is over. */
	ck_assert_uint_ge(shed_at_us, TAPIR_SEC + 105 * TAPIR_MS);
	ck_assert_uint_le(shed_at_us, TAPIR_SEC + 107 * TAPIR_MS);
	close_line();
}
END_TEST

START_TEST(codel_keeps_a_standing_queue_short_where_drop_tail_fills_it)
{
	struct fault_config cfg = {.queue_bytes = 200 * BYTES};
	struct overload tail = overload(cfg, 105, 40, 0), codel;

	ck_assert_uint_gt(tail.slowest_us, 190 * TAPIR_MS);
	ck_assert_uint_gt(driver_fault_stats(line).overflowed, 0);
	close_line();
	cfg.codel = true;
	codel = overload(cfg, 105, 40, 0);
	ck_assert_uint_lt(codel.slowest_us, 100 * TAPIR_MS);
	ck_assert_uint_eq(driver_fault_stats(line).overflowed, 0);
	ck_assert_uint_gt(driver_fault_stats(line).shed, 0);
	ck_assert_uint_gt(codel.arrived, 40 * 990);	/* the link is never idle for it */
	close_line();
}
END_TEST

START_TEST(codel_marks_who_knows_ecn_and_sheds_who_does_not)
{
	struct fault_config cfg = {.queue_bytes = 200 * BYTES, .codel = true, .mark = true};
	struct overload o = overload(cfg, 102, 20, 2);

	ck_assert_uint_eq(driver_fault_stats(line).shed, 0);
	ck_assert_uint_gt(o.marked, 0);
	ck_assert_uint_le(o.marked, driver_fault_stats(line).marked);
	close_line();
	o = overload(cfg, 102, 20, 0);
	ck_assert_uint_gt(driver_fault_stats(line).shed, 0);
	ck_assert_uint_eq(driver_fault_stats(line).marked, 0);
	ck_assert_uint_eq(o.marked, 0);
	close_line();
}
END_TEST

START_TEST(a_marked_datagram_has_a_true_checksum)
{
	struct ipv4_header ip;
	struct span payload;
	uint32_t marked = 0;

	open_line((struct fault_config){.codel = true, .mark = true, .rate_bps = RATE, .queue_bytes = 500 * BYTES});
	for (uint32_t i = 0; i < 400; i++)
		send_to(line, i, BYTES, 1);
	now_us += TAPIR_SEC;
	turn();
	while (take_from(far) >= 0) {
		ck_assert_int_eq(ipv4_parse((struct span){received, received_len}, &ip, &payload), ACCEPT);
		marked += (ip.tos & 3) == 3;
		ck_assert(ip.df);
	}
	ck_assert_uint_gt(marked, 0);
	close_line();
}
END_TEST

/* ---- the MTU ---- */

START_TEST(what_is_longer_than_the_mtu_of_the_link_is_lost_in_a_black_hole)
{
	open_line((struct fault_config){.mtu = 1280});
	send_to(line, 1, 1281, 0);
	send_to(line, 2, 1280, 0);
	ck_assert_int_eq(take_from(far), 2);
	ck_assert_int_eq(take_from(far), -1);
	ck_assert_int_eq(take_from(line), -1);
	ck_assert_uint_eq(driver_fault_stats(line).too_long, 1);
	close_line();
}
END_TEST

/* RFC 1191 4. */
static void expect_needs_fragment(struct driver *d)
{
	struct icmp_header icmp;
	struct ipv4_header ip;
	struct span payload;

	ck_assert_int_ne(take_from(d), -1);
	ck_assert_int_eq(ipv4_parse((struct span){received, received_len}, &ip, &payload), ACCEPT);
	ck_assert_uint_eq(ip.dst.b[15], 1);
	ck_assert_int_eq(icmp_parse(payload, &icmp, &payload), ACCEPT);
	ck_assert_uint_eq(icmp.type, ICMP_UNREACHABLE);
	ck_assert_uint_eq(icmp.code, ICMP_FRAGMENTATION_NEEDED);
	ck_assert_uint_eq(icmp.seq, 1280);
	ck_assert_uint_ge(payload.n, IPV4_HEADER + 8);
}

START_TEST(the_sender_of_what_was_too_long_is_told_the_mtu_in_both_directions)
{
	open_line((struct fault_config){.mtu = 1280, .tell_mtu = true});
	send_to(line, 1, 1400, 0);
	ck_assert_int_eq(take_from(far), -1);
	expect_needs_fragment(line);
	send_to(far, 2, 1400, 0);
	turn();
	now_us = driver_deadline(line);
	turn();
	expect_needs_fragment(far);
	ck_assert_uint_eq(driver_fault_stats(line).too_long, 2);
	close_line();
}
END_TEST

/* ---- changes ---- */

START_TEST(a_link_that_is_down_takes_nothing_and_what_was_under_way_arrives)
{
	struct fault_config cfg = {.delay_us = 1000};

	open_line(cfg);
	send_to(line, 1, 100, 0);
	cfg.down = true;
	driver_fault_change(line, &cfg);
	send_to(line, 2, 100, 0);
	send_to(far, 3, 100, 0);
	turn();
	now_us += 1000;
	turn();
	ck_assert_int_eq(take_from(far), 1);
	ck_assert_int_eq(take_from(far), -1);
	cfg.down = false;
	driver_fault_change(line, &cfg);
	send_to(line, 4, 100, 0);
	now_us += 1000;
	turn();
	ck_assert_int_eq(take_from(far), 4);
	ck_assert_uint_eq(driver_fault_stats(line).lost, 2);
	close_line();
}
END_TEST

START_TEST(a_rate_that_changes_holds_for_what_still_waits)
{
	struct fault_config cfg = {.rate_bps = RATE};

	open_line(cfg);
	for (uint32_t i = 0; i < 3; i++)
		send_to(line, i, BYTES, 0);
	cfg.rate_bps = RATE / 10;
	driver_fault_change(line, &cfg);
	now_us += BYTE_US;
	turn();
	ck_assert_int_eq(take_from(far), 0);		/* had begun to leave */
	now_us += 10 * BYTE_US - 1;
	turn();
	ck_assert_int_eq(take_from(far), -1);
	now_us++;
	turn();
	ck_assert_int_eq(take_from(far), 1);
	close_line();
}
END_TEST

START_TEST(the_deadline_of_a_queue_is_met_without_polling_in_between)
{
	uint32_t calls = 0;

	open_line((struct fault_config){.rate_bps = RATE, .delay_us = 7000});
	for (uint32_t i = 0; i < 100; i++)
		send_to(line, i, BYTES, 0);
	for (uint32_t i = 0; i < 100; calls++) {
		now_us = driver_deadline(line);
		ck_assert_uint_ne(now_us, USEC_NEVER);
		turn();
		if (take_from(far) != i)
			continue;
		ck_assert_uint_eq(now_us, TAPIR_SEC + 7000 + (i + 1) * BYTE_US);
		i++;
	}
	ck_assert_uint_le(calls, 102);
	close_line();
}
END_TEST

Suite *suite(void);
Suite *suite(void)
{
	Suite *s = suite_create("drivers/fault: the link");
	TCase *c = tcase_create("link");

	tcase_set_timeout(c, 60);
	tcase_add_test(c, bursts_take_their_share_in_runs_of_their_mean_length);
	tcase_add_test(c, codel_leaves_a_link_alone_that_carries_what_it_gets);
	tcase_add_test(c, codel_lets_a_short_burst_pass);
	tcase_add_test(c, the_first_drop_of_codel_comes_an_interval_after_the_queue_became_slow);
	tcase_add_test(c, codel_keeps_a_standing_queue_short_where_drop_tail_fills_it);
	tcase_add_test(c, codel_marks_who_knows_ecn_and_sheds_who_does_not);
	tcase_add_test(c, a_marked_datagram_has_a_true_checksum);
	tcase_add_test(c, what_is_longer_than_the_mtu_of_the_link_is_lost_in_a_black_hole);
	tcase_add_test(c, the_sender_of_what_was_too_long_is_told_the_mtu_in_both_directions);
	tcase_add_test(c, a_link_that_is_down_takes_nothing_and_what_was_under_way_arrives);
	tcase_add_test(c, a_rate_that_changes_holds_for_what_still_waits);
	tcase_add_test(c, the_deadline_of_a_queue_is_met_without_polling_in_between);
	suite_add_tcase(s, c);
	return s;
}
