/* test_apps_values.c: what people write on a command line, and the options that every subcommand with a stack has. */
#include <check.h>
#include <string.h>
#include "apps/options.h"
#include "apps/values.h"

/* --- values --- */

START_TEST(a_number_is_digits_in_its_range)
{
	uint64_t n = 77;

	ck_assert(value_number("0", 0, 9, &n) && n == 0);
	ck_assert(value_number("007", 0, 9, &n) && n == 7);
	ck_assert(value_number("18446744073709551615", 0, UINT64_MAX, &n) && n == UINT64_MAX);
	n = 77;
	static const char *const bad[] = {"", "-1", "+1", " 1", "1 ", "0x1", "1e3", "1.0", "10", "18446744073709551616"};
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
		ck_assert_msg(!value_number(bad[i], 0, 9, &n), "'%s'", bad[i]);
	ck_assert(!value_number("18446744073709551616", 0, UINT64_MAX, &n));
	ck_assert_uint_eq(n, 77);
}
END_TEST

START_TEST(a_port_is_1_to_65535)
{
	uint16_t port = 77;

	ck_assert(!value_port("0", &port) && !value_port("65536", &port) && !value_port("http", &port) && port == 77);
	ck_assert(value_port("1", &port) && port == 1);
	ck_assert(value_port("65535", &port) && port == 65535);
}
END_TEST

START_TEST(a_probability_is_a_part_or_percents)
{
	double p = 7;

	ck_assert(value_probability("1%", &p));
	ck_assert_double_eq_tol(p, 0.01, 1e-12);
	ck_assert(value_probability("0.25", &p) && p == 0.25);
	ck_assert(value_probability("100%", &p) && p == 1);
	ck_assert(value_probability("0", &p) && p == 0);
	ck_assert(value_probability("1", &p) && p == 1);
	p = 7;
	static const char *const bad[] = {"", "2", "101%", "-1%", "1 %", "%", ".", "1%%", "nan", "inf", "0x1", "1..0", "5 parts"};
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
		ck_assert_msg(!value_probability(bad[i], &p), "'%s'", bad[i]);
	ck_assert_double_eq(p, 7);
}
END_TEST

START_TEST(a_duration_has_a_unit_or_the_default_one)
{
	usec_t us = 77;

	ck_assert(value_duration("250us", 0, &us) && us == 250);
	ck_assert(value_duration("20ms", 0, &us) && us == 20000);
	ck_assert(value_duration("1.5s", 0, &us) && us == 1500000);
	ck_assert(value_duration("2m", 0, &us) && us == 120000000);
	ck_assert(value_duration("0.2", TAPIR_SEC, &us) && us == 200000);
	ck_assert(value_duration("0", 0, &us) && us == 0);
	ck_assert(value_duration("24h", 0, &us) == false);
	ck_assert(value_duration("86400s", 0, &us) && us == 86400 * TAPIR_SEC);
	us = 77;
	static const char *const bad[] = {"", "5", "5 ms", "ms", "-1s", "86401s", "1hour", "1e3s", "9999999999999999999999s"};
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
		ck_assert_msg(!value_duration(bad[i], 0, &us), "'%s'", bad[i]);
	ck_assert_uint_eq(us, 77);
}
END_TEST

START_TEST(a_rate_is_bits_a_second_and_never_0)
{
	uint64_t bps = 77;

	ck_assert(value_rate("10mbit", &bps) && bps == 10000000);
	ck_assert(value_rate("1.5Gbit", &bps) && bps == 1500000000);
	ck_assert(value_rate("64kbit", &bps) && bps == 64000);
	ck_assert(value_rate("9600", &bps) && bps == 9600);
	bps = 77;
	static const char *const bad[] = {"", "0", "0mbit", "-1", "10MB", "10 mbit", "mbit", "1001gbit"};
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
		ck_assert_msg(!value_rate(bad[i], &bps), "'%s'", bad[i]);
	ck_assert_uint_eq(bps, 77);
}
END_TEST

START_TEST(a_mac_is_one_hosts)
{
	static const uint8_t wanted[6] = {0x02, 0, 0, 0xab, 0xCD, 0x0f};
	uint8_t mac[6] = {0};

	ck_assert(value_mac("02:00:00:ab:CD:0f", mac));
	ck_assert_mem_eq(mac, wanted, 6);
	static const char *const bad[] = {
		"", "02:00:00:ab:cd", "02:00:00:ab:cd:0f:11", "2:0:0:ab:cd:f", "02-00-00-ab-cd-0f", "02:00:00:ab:cd:0g",
		"ff:ff:ff:ff:ff:ff", "01:00:5e:00:00:01", "00:00:00:00:00:00", " 02:00:00:ab:cd:0f", "02:00:00:ab:cd:0f ",
		"02:00:00:ab:cd: f",
	};
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
		ck_assert_msg(!value_mac(bad[i], mac), "'%s'", bad[i]);
	ck_assert_mem_eq(mac, wanted, 6);
}
END_TEST

START_TEST(a_host_is_an_address_that_a_host_of_its_network_may_have)
{
	struct tapir_addr a = tapir_ipv4(9, 9, 9, 9), wanted = tapir_ipv4(10, 0, 0, 2);
	uint8_t len = 0;

	ck_assert(value_host("10.0.0.2/24", &a, &len));
	ck_assert(tapir_addr_equal(&a, &wanted));
	ck_assert_uint_eq(len, 24);
	ck_assert(value_host("172.16.0.1/30", &a, &len) && len == 30);
	static const char *const bad[] = {
		"", "10.0.0.2", "10.0.0.2/", "/24", "10.0.0.2/0", "10.0.0.2/31", "10.0.0.2/33", "10.0.0.2/24/24", "10.0.0/24",
		"10.0.0.0/24", "10.0.0.255/24", "127.0.0.1/8", "0.0.0.1/8", "224.0.0.1/24", "255.255.255.254/24", "host/24",
		"10.0.0.256/24", "10.0.0.2 /24", "::1/24",
	};
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
		ck_assert_msg(!value_host(bad[i], &a, &len), "'%s'", bad[i]);
}
END_TEST

/* --- the common options --- */

static int id_of(const char *name)
{
	for (const struct option_line *o = common_options; o->id; o++)
		if (strcmp(o->name, name) == 0)
			return o->id;
	ck_abort_msg("no option %s", name);
	return 0;
}

static const char *set(struct options *o, const char *name, const char *value)
{
	return options_set(o, id_of(name), value);
}

START_TEST(each_option_goes_to_its_place)
{
	struct tapir_addr addr = tapir_ipv4(192, 168, 7, 2), kernel = tapir_ipv4(192, 168, 7, 1);
	struct options o;

	options_default(&o);
	ck_assert_str_eq(o.tap, "tap0");
	ck_assert(!options_faulty(&o) && !o.seeded && !o.trace && !o.capture && o.ecn == TAPIR_ECN_IF_ASKED);
	ck_assert_ptr_null(set(&o, "tap", "tap3"));
	ck_assert_ptr_null(set(&o, "addr", "192.168.7.2/24"));
	ck_assert_ptr_null(set(&o, "gateway", "192.168.7.1"));
	ck_assert_ptr_null(set(&o, "up", "192.168.7.1/24"));
	ck_assert_ptr_null(set(&o, "mac", "02:00:00:00:00:05"));
	ck_assert_ptr_null(set(&o, "mtu", "9000"));
	ck_assert_ptr_null(set(&o, "ecn", "on"));
	ck_assert_ptr_null(set(&o, "capture", "wire.pcap"));
	ck_assert_ptr_null(set(&o, "trace", NULL));
	ck_assert_ptr_null(set(&o, "busy-poll", NULL));
	ck_assert(o.busy_poll);
	ck_assert_uint_eq(o.poll_us, LOOP_POLL_US);
	ck_assert_ptr_null(set(&o, "poll", "0s"));
	ck_assert_uint_eq(o.poll_us, 0);
	ck_assert_ptr_nonnull(set(&o, "poll", "soon"));
	ck_assert_str_eq(o.tap, "tap3");
	ck_assert(tapir_addr_equal(&o.addr, &addr) && o.prefix_len == 24);
	ck_assert(tapir_addr_equal(&o.gateway, &kernel));
	ck_assert(tapir_addr_equal(&o.up_addr, &kernel) && o.up_prefix_len == 24);
	ck_assert_uint_eq(o.mac[5], 5);
	ck_assert_uint_eq(o.mtu, 9000);
	ck_assert_uint_eq(o.ecn, TAPIR_ECN_ON);
	ck_assert_str_eq(o.capture, "wire.pcap");
	ck_assert(o.trace && !o.trace_file);
	ck_assert_ptr_null(set(&o, "trace", "trace.txt"));
	ck_assert_str_eq(o.trace_file, "trace.txt");
	ck_assert(!options_faulty(&o));
}
END_TEST

START_TEST(a_gateway_is_another_host_in_the_network_of_the_stack)
{
	struct options o;

	options_default(&o);
	ck_assert_ptr_null(options_contradiction(&o));
	ck_assert_ptr_null(set(&o, "gateway", "192.168.7.1"));
	ck_assert_ptr_nonnull(options_contradiction(&o));
	ck_assert_ptr_null(set(&o, "addr", "192.168.7.1/24"));
	ck_assert_ptr_nonnull(options_contradiction(&o));
	ck_assert_ptr_null(set(&o, "addr", "192.168.7.2/24"));
	ck_assert_ptr_null(options_contradiction(&o));
}
END_TEST

START_TEST(each_fault_makes_the_line_a_bad_one)
{
	static const char *const faults[][2] = {
		{"loss", "1%"}, {"delay", "20ms"}, {"reorder", "0.1"}, {"duplicate", "2%"}, {"corrupt", "0.5%"},
		{"rate", "10mbit"},
	};

	for (size_t i = 0; i < sizeof faults / sizeof faults[0]; i++) {
		struct options o;

		options_default(&o);
		ck_assert_ptr_null(set(&o, faults[i][0], faults[i][1]));
		ck_assert_msg(options_faulty(&o), "%s", faults[i][0]);
	}
}
END_TEST

START_TEST(a_seed_may_be_0)
{
	struct options o;

	options_default(&o);
	ck_assert_ptr_null(set(&o, "seed", "0"));
	ck_assert(o.seeded && o.fault.seed == 0 && !options_faulty(&o));
}
END_TEST

START_TEST(a_wrong_value_is_answered_with_what_was_wanted)
{
	static const char *const wrong[][2] = {
		{"tap", ""}, {"tap", "a name"}, {"tap", "averylongname123"}, {"tap", "tap%d"}, {"addr", "10.0.0.2"},
		{"ecn", "yes"}, {"gateway", "home"}, {"gateway", "0.0.0.0"}, {"mac", "1"}, {"mtu", "575"}, {"mtu", "65536"},
		{"up", "10.0.0.0/24"}, {"capture", ""}, {"loss", "2"}, {"delay", "20"}, {"reorder", "x"},
		{"duplicate", "-1%"}, {"corrupt", ""}, {"rate", "0"}, {"seed", "x"},
	};

	for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
		struct options o;

		options_default(&o);
		const char *wanted = set(&o, wrong[i][0], wrong[i][1]);
		ck_assert_msg(wanted && strlen(wanted) > 5, "--%s '%s'", wrong[i][0], wrong[i][1]);
	}
}
END_TEST

Suite *suite(void)
{
	Suite *s = suite_create("values and options");
	TCase *values = tcase_create("values"), *options = tcase_create("options");

	tcase_add_test(values, a_number_is_digits_in_its_range);
	tcase_add_test(values, a_port_is_1_to_65535);
	tcase_add_test(values, a_probability_is_a_part_or_percents);
	tcase_add_test(values, a_duration_has_a_unit_or_the_default_one);
	tcase_add_test(values, a_rate_is_bits_a_second_and_never_0);
	tcase_add_test(values, a_mac_is_one_hosts);
	tcase_add_test(values, a_host_is_an_address_that_a_host_of_its_network_may_have);
	tcase_add_test(options, each_option_goes_to_its_place);
	tcase_add_test(options, each_fault_makes_the_line_a_bad_one);
	tcase_add_test(options, a_gateway_is_another_host_in_the_network_of_the_stack);
	tcase_add_test(options, a_seed_may_be_0);
	tcase_add_test(options, a_wrong_value_is_answered_with_what_was_wanted);
	suite_add_tcase(s, values);
	suite_add_tcase(s, options);
	return s;
}
