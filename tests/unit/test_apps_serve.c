/* test_apps_serve.c: the options of `tapir serve` and `tapir lab`, and the address that a lab gives to the kernel. */
#include <check.h>
#include <stdio.h>
#include <string.h>
#include "apps/netif.h"
#include "apps/serve.h"

static struct serve serve;

static int id_of(const char *name)
{
	for (const struct option_line *o = serve_options; o->id; o++)
		if (strcmp(o->name, name) == 0)
			return o->id;
	ck_abort_msg("no option %s", name);
	return 0;
}

static int set(const char *name, const char *value)
{
	static char said[512];
	FILE *file = fmemopen(said, sizeof said, "w"), *err = stderr;
	struct args a = {.command = "serve", .own = serve_options};

	stderr = file;
	int bad = serve_set(&serve, &a, id_of(name), value);
	stderr = err;
	fclose(file);
	ck_assert(!bad || strstr(said, "wanted"));
	return bad;
}

static void begin(void)
{
	serve_default(&serve, "serve");
}

static void end(void)
{
	serve_free(&serve);
}

START_TEST(neither_service_is_there_unless_it_is_asked_for)
{
	ck_assert_uint_eq(serve.services.upper_port, 0);
	ck_assert_uint_eq(serve.services.greet_port, 0);
	ck_assert_ptr_nonnull(serve.services.wall_clock);
}
END_TEST

START_TEST(upper_wants_a_port)
{
	ck_assert_int_eq(set("upper", "8001"), 0);
	ck_assert_uint_eq(serve.services.upper_port, 8001);
	ck_assert_int_eq(set("upper", "0"), ARGS_BAD);
	ck_assert_int_eq(set("upper", "65536"), ARGS_BAD);
	ck_assert_int_eq(set("upper", "http"), ARGS_BAD);
}
END_TEST

START_TEST(a_prefix_may_hold_colons_and_any_character)
{
	ck_assert_int_eq(set("greet", "Hello, :8002"), 0);
	ck_assert_str_eq(serve.services.greet_prefix, "Hello, ");
	ck_assert_int_eq(set("greet", "Grüß dich: :8003"), 0);
	ck_assert_str_eq(serve.services.greet_prefix, "Grüß dich: ");
	ck_assert_uint_eq(serve.services.greet_port, 8003);
}
END_TEST

START_TEST(greet_wants_a_prefix_and_a_port)
{
	static const char *const bad[] = {"", "Hello", "8002", ":8002", "Hello:", "Hello:x", "Hello:0", "Hello:65536", "Hello: 1"};

	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
		ck_assert_msg(set("greet", bad[i]) == ARGS_BAD, "'%s'", bad[i]);
}
END_TEST

static void assert_neighbour(const char *of, uint8_t prefix_len, const char *wanted)
{
	struct tapir_addr addr, kernel;
	char text[TAPIR_ADDR_TEXT];

	ck_assert_int_eq(tapir_addr_parse(of, &addr), 0);
	kernel = netif_neighbour(&addr, prefix_len);
	ck_assert_str_eq(tapir_addr_format(&kernel, text), wanted);
	ck_assert(netif_same_net(&addr, &kernel, prefix_len));
}

START_TEST(the_kernel_gets_the_lowest_address_that_is_free)
{
	assert_neighbour("10.0.0.2", 24, "10.0.0.1");
	assert_neighbour("10.0.0.1", 24, "10.0.0.2");
	assert_neighbour("172.16.5.6", 30, "172.16.5.5");
	assert_neighbour("172.16.5.5", 30, "172.16.5.6");
	assert_neighbour("10.200.3.4", 8, "10.0.0.1");
}
END_TEST

Suite *suite(void)
{
	Suite *s = suite_create("serve");
	TCase *c = tcase_create("options");

	tcase_add_checked_fixture(c, begin, end);
	tcase_add_test(c, neither_service_is_there_unless_it_is_asked_for);
	tcase_add_test(c, upper_wants_a_port);
	tcase_add_test(c, a_prefix_may_hold_colons_and_any_character);
	tcase_add_test(c, greet_wants_a_prefix_and_a_port);
	tcase_add_test(c, the_kernel_gets_the_lowest_address_that_is_free);
	suite_add_tcase(s, c);
	return s;
}
