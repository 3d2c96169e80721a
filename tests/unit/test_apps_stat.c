/* test_apps_stat.c: what `tapir stat` is made of: the text that people read, the sockets by which it finds a stack, and the side
 * that answers, on a loop: a client that hangs stops nobody else. */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
#include "apps/snapshot.h"
#include "apps/stat_server.h"
#include "apps/stat_socket.h"
#include "apps/stat_text.h"
#include "apps/table.h"

/* --- text --- */

static char *text;
static size_t text_len;

/* whole has ' for ", so that it can be read here. */
static const char *shown(const char *whole, unsigned what)
{
	char *copy = strdup(whole);
	json_error_t error;
	json_t *o;
	FILE *out;

	for (char *c = copy; *c; c++)
		*c = *c == '\'' ? '"' : *c;
	o = json_loads(copy, 0, &error);
	free(copy);

	free(text);
	out = open_memstream(&text, &text_len);
	ck_assert_msg(o != NULL, "%s", error.text);
	stat_text(out, o, what);
	fclose(out);
	json_decref(o);
	return text;
}

#define STACK "'stack': {'tap': 'tap0', 'command': 'serve', 'address': '10.0.0.2', 'prefix_len': 24, " \
	      "'address_ready': true, 'uptime_us': 12345678, 'pid': 99}"
#define STACK_TEXT "tap0  10.0.0.2/24  tapir serve, process 99, up 12.3s\n"

START_TEST(durations_have_three_digits_and_a_unit)
{
	static const struct { json_int_t us; const char *text; } rows[] = {
		{0, "0us"}, {999, "999us"}, {1000, "1.00ms"}, {9994, "9.99ms"}, {9995, "10.0ms"}, {45678, "45.7ms"},
		{200000, "200ms"}, {999499, "999ms"}, {999500, "1.00s"}, {12345678, "12.3s"}, {59949999, "59.9s"},
		{60000000, "1m00s"}, {7199000000, "1h59m"}, {172799000000, "47h59m"}, {176400000000, "2d01h"},
	};
	char got[STAT_DURATION];

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
		ck_assert_str_eq(stat_duration(rows[i].us, got), rows[i].text);
}
END_TEST

START_TEST(columns_are_as_wide_as_their_widest_word)
{
	static const char *const heads[] = {"<Name", ">N", "<Rest", NULL};
	struct table t;
	FILE *out = open_memstream(&text, &text_len);

	table_begin(&t, heads);
	table_cell(&t, "a");
	table_cell(&t, "%d", 12345);
	table_cell(&t, "x");
	table_cell(&t, "longer");
	table_cell(&t, "1");
	table_cell(&t, "the last is not filled up");
	table_end(&t, out);
	fclose(out);
	ck_assert_str_eq(text, "Name        N  Rest\n"
			       "a       12345  x\n"
			       "longer      1  the last is not filled up\n");
}
END_TEST

START_TEST(connections_are_shown_listeners_first_and_by_port)
{
	ck_assert_str_eq(shown("{" STACK ", 'tcp': ["
		"{'state': 'SYN-SENT', 'local': '10.0.0.2', 'local_port': 50000,"
		" 'peer': '10.0.0.1', 'peer_port': 80, 'recv_q': 0, 'send_q': 1, 'snd_cwnd': 0,"
		" 'snd_ssthresh': null, 'rtt_us': 0, 'rto_us': 2000000, 'retransmits': 1, 'total_retrans': 1,"
		" 'timers_us': {'RTO': 1500000}},"
		"{'state': 'ESTABLISHED', 'local': '10.0.0.2', 'local_port': 7,"
		" 'peer': '10.0.0.1', 'peer_port': 41234, 'recv_q': 12, 'send_q': 14480,"
		" 'snd_cwnd': 14480, 'snd_ssthresh': 28960, 'rtt_us': 1234, 'rto_us': 204000, 'retransmits': 0, 'total_retrans': 3,"
		" 'timers_us': {'KEEPALIVE': 7100000000, 'RTO': 203000}},"
		"{'state': 'LISTEN', 'local': '0.0.0.0', 'local_port': 7, 'peer': '0.0.0.0', 'peer_port': 0,"
		" 'recv_q': 2, 'send_q': 128}]}", STAT_TCP),
		STACK_TEXT
		"\n"
		"TCP: 3\n"
		"State        Recv-Q  Send-Q  Local address   Peer address     Cwnd  Ssthresh    SRTT    RTO  Retrans  "
		"Timers\n"
		"LISTEN            2     128  0.0.0.0:7       0.0.0.0:*           -         -       -      -        -  -\n"
		"ESTABLISHED      12   14480  10.0.0.2:7      10.0.0.1:41234  14480     28960  1.23ms  204ms      0/3  "
		"RTO 203ms, KEEPALIVE 1h58m\n"
		"SYN-SENT          0       1  10.0.0.2:50000  10.0.0.1:80         -         -       -  2.00s      1/1  "
		"RTO 1.50s\n");
}
END_TEST

START_TEST(timers_come_in_the_order_in_which_they_fire)
{
	ck_assert_str_eq(shown("{" STACK ", 'tcp': ["
		"{'state': 'TIME-WAIT', 'local': '10.0.0.2', 'local_port': 13, 'peer': '10.0.0.1', 'peer_port': 5,"
		" 'timers_us': {'2MSL': 59000000}},"
		"{'state': 'ESTABLISHED', 'local': '10.0.0.2', 'local_port': 7, 'peer': '10.0.0.1', 'peer_port': 6,"
		" 'timers_us': {'KEEPALIVE': 7100000000, 'RTO': 203000}}]}", STAT_TIMERS),
		STACK_TEXT
		"\n"
		"TCP timers: 3\n"
		"Fires in  Timer      State        Local address  Peer address\n"
		"   203ms  RTO        ESTABLISHED  10.0.0.2:7     10.0.0.1:6\n"
		"   59.0s  2MSL       TIME-WAIT    10.0.0.2:13    10.0.0.1:5\n"
		"   1h58m  KEEPALIVE  ESTABLISHED  10.0.0.2:7     10.0.0.1:6\n");
}
END_TEST

START_TEST(neighbours_alone_look_as_arp_a_shows_them)
{
	ck_assert_str_eq(shown("{" STACK ", 'arp': ["
			       "{'address': '10.0.0.1', 'mac': '02:00:00:00:00:01', 'age_us': 3000000},"
			       "{'address': '10.0.0.9', 'mac': null, 'age_us': 5}]}", STAT_ARP),
			 "? (10.0.0.1) at 02:00:00:00:00:01 [ether] on tap0, heard 3.00s ago\n"
			 "? (10.0.0.9) at <incomplete> on tap0\n");
}
END_TEST

START_TEST(routes_and_path_mtus_are_shown)
{
	ck_assert_str_eq(shown("{" STACK ", 'routes': ["
			       "{'net': '10.0.0.0', 'prefix_len': 24, 'gateway': null, 'mtu': 1500},"
			       "{'net': '0.0.0.0', 'prefix_len': 0, 'gateway': '10.0.0.1', 'mtu': 1500}],"
			       "'paths': [{'host': '192.0.2.9', 'mtu': 1400, 'reported': 1400, 'left_us': 599000000,"
			       " 'low': null, 'high': null, 'probe': null}]}", STAT_ROUTES),
			 STACK_TEXT
			 "\n"
			 "Routes\n"
			 "Destination  Gateway    MTU  Iface\n"
			 "10.0.0.0/24  -         1500  tap0\n"
			 "default      10.0.0.1  1500  tap0\n"
			 "\n"
			 "Path MTUs: 1\n"
			 "Host        MTU  Reported  Forgotten in  Carried  Too large from  Probe\n"
			 "192.0.2.9  1400      1400         9m59s        -               -      -\n");
}
END_TEST

START_TEST(only_verdicts_that_were_given_are_shown_with_their_meaning)
{
	const char *got = shown("{" STACK ", 'counters': {'frames_in': 3, 'bytes_in': 12345678, 'tcp_retrans': 4,"
				"'verdicts': {'ACCEPT': 2, 'DROP_TCP_CHECKSUM': 1, 'DROP_TCP_PAWS': 0}}}", STAT_COUNTERS);

	ck_assert(strstr(got, "    3 in, 12.3 MB\n"));
	ck_assert(strstr(got, "    4 retransmissions\n"));
	ck_assert(strstr(got, "     1  DROP_TCP_CHECKSUM  TCP checksum is wrong (RFC 9293 3.1 MUST-3)\n"));
	ck_assert(!strstr(got, "DROP_TCP_PAWS"));
}
END_TEST

/* It comes from another process, which may be another tapir. */
START_TEST(what_is_missing_or_strange_is_shown_as_nothing)
{
	ck_assert(strstr(shown("{}", ~0u), "TCP: 0\n"));
	ck_assert(strstr(shown("{'stack': 7, 'tcp': [8, {}, null, {'timers_us': [1]}], 'udp': {}, 'arp': 'x',"
			       "'routes': [[]], 'paths': 1, 'counters': [], 'memory': null}", ~0u), "TCP: 4\n"));
}
END_TEST

START_TEST(a_request_names_sections_in_any_order)
{
	ck_assert_uint_eq(snapshot_parse(""), 0);
	ck_assert_uint_eq(snapshot_parse("  arp   tcp "), 1u << SNAPSHOT_ARP | 1u << SNAPSHOT_TCP);
	ck_assert_uint_eq(snapshot_parse("tcpx tc weather memory"), 1u << SNAPSHOT_MEMORY);
}
END_TEST

/* --- sockets --- */

static char dir[64];

static void own_dir(void)
{
	strcpy(dir, "/tmp/tapir-test-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
}

static void remove_dir(void)
{
	ck_assert_msg(rmdir(dir) == 0, "%s is not empty", dir);
	free(text);
	text = NULL;
}

START_TEST(a_socket_is_named_after_tap_and_process_and_for_its_user_only)
{
	char path[STAT_PATH], wanted[STAT_PATH];
	struct stat_peer rows[4];
	struct stat st;
	int fd = stat_socket_make(dir, "br0.7", path);

	ck_assert_int_ge(fd, 0);
	snprintf(wanted, sizeof wanted, "%s/br0.7.%d.sock", dir, (int)getpid());
	ck_assert_str_eq(path, wanted);
	ck_assert_int_eq(stat(path, &st), 0);
	ck_assert(S_ISSOCK(st.st_mode));
	ck_assert_int_eq(st.st_mode & 0777, 0600);
	ck_assert_int_eq(stat_socket_list(dir, rows, 4), 1);
	ck_assert_str_eq(rows[0].tap, "br0.7");
	ck_assert_int_eq(rows[0].pid, getpid());
	ck_assert_int_ge(rows[0].fd, 0);
	close(rows[0].fd);
	close(fd);
	unlink(path);
}
END_TEST

START_TEST(a_socket_left_behind_is_removed_by_who_sees_it)
{
	char path[STAT_PATH];
	struct stat_peer rows[4];
	int fd = stat_socket_make(dir, "tap0", path);

	close(fd);
	ck_assert_int_eq(access(path, F_OK), 0);
	ck_assert_int_eq(stat_socket_list(dir, rows, 4), 0);
	ck_assert_int_eq(access(path, F_OK), -1);
}
END_TEST

START_TEST(a_name_that_is_taken_gets_a_number_and_a_stale_one_is_used_again)
{
	char first[STAT_PATH], second[STAT_PATH], third[STAT_PATH];
	struct stat_peer rows[4];
	int a = stat_socket_make(dir, "tap0", first), b = stat_socket_make(dir, "tap0", second), c;

	ck_assert_int_ge(a, 0);
	ck_assert_int_ge(b, 0);
	ck_assert_str_ne(first, second);
	ck_assert_int_eq(stat_socket_list(dir, rows, 4), 2);
	ck_assert_str_eq(rows[0].tap, rows[1].tap);
	close(rows[0].fd);
	close(rows[1].fd);
	close(a);
	c = stat_socket_make(dir, "tap0", third);
	ck_assert_str_eq(first, third);
	close(b);
	close(c);
	ck_assert_int_eq(stat_socket_list(dir, rows, 4), 0);
}
END_TEST

START_TEST(other_files_and_other_peoples_directories_are_left_alone)
{
	char path[STAT_PATH], file[STAT_PATH];
	struct stat_peer rows[4];

	snprintf(file, sizeof file, "%s/notes.txt", dir);
	close(open(file, O_CREAT | O_WRONLY, 0600));
	ck_assert_int_eq(stat_socket_list(dir, rows, 4), 0);
	ck_assert_int_eq(access(file, F_OK), 0);
	unlink(file);
	chmod(dir, 0777);
	ck_assert_int_eq(stat_socket_make(dir, "tap0", path), -EACCES);
	ck_assert_int_eq(stat_socket_make("/nowhere/at/all", "tap0", path), -EACCES);
}
END_TEST

START_TEST(a_directory_whose_name_is_too_long_is_an_error)
{
	char path[STAT_PATH], deep[200];

	snprintf(deep, sizeof deep, "%s/%0100d", dir, 7);
	ck_assert_int_eq(stat_socket_make(deep, "tap0", path), -ENAMETOOLONG);
	rmdir(deep);
}
END_TEST

/* --- the side that answers --- */

static struct loop *loop;
static struct driver *ends[2];
static struct stat_server *server;

static void open_server(void)
{
	struct tapir_offload_caps none = {.csum = false};
	struct tapir_config config;

	own_dir();
	setenv("XDG_RUNTIME_DIR", dir, 1);
	driver_open_pair(ends, 1500, none, true);
	tapir_config_default(&config);
	config.addr = tapir_ipv4(10, 0, 0, 2);
	config.small_frames = 64;
	config.large_frames = 4;
	loop = loop_open(ends[0], &config);
	ck_assert_msg(loop != NULL, "%s", loop_error());
	server = stat_server_open(loop, "serve", "tap0");
	ck_assert_ptr_nonnull(server);
}

static void close_server(void)
{
	char sub[STAT_PATH];

	stat_server_close(server);
	loop_close(loop);
	driver_close(ends[1]);
	snprintf(sub, sizeof sub, "%s/tapir", dir);
	ck_assert_msg(rmdir(sub) == 0, "the socket is still there");
	remove_dir();
}

static int client(const char *request)
{
	struct stat_peer rows[2];
	char sub[STAT_PATH];

	snprintf(sub, sizeof sub, "%s/tapir", dir);
	ck_assert_int_eq(stat_socket_list(sub, rows, 2), 1);
	if (request)
		ck_assert_int_eq(send(rows[0].fd, request, strlen(request), MSG_NOSIGNAL), (ssize_t)strlen(request));
	return rows[0].fd;
}

/* All that comes, while the loop turns; at most for so long. False: the end did not come. */
static bool read_all(int fd, usec_t us, char *to, size_t size)
{
	usec_t until = loop_clock_us() + us;
	size_t n = 0;
	ssize_t got = -1;

	while (got != 0 && loop_clock_us() < until) {
		ck_assert_int_eq(loop_turn(loop, TAPIR_MS), 0);
		got = recv(fd, to + n, size - 1 - n, MSG_DONTWAIT);
		n += got > 0 ? (size_t)got : 0;
	}
	to[n] = '\0';
	return got == 0;
}

static char answer[1 << 20];
static const struct tapir_handlers no_handlers;

static uint32_t count(const char *in, const char *what)
{
	uint32_t n = 0;

	for (; (in = strstr(in, what)); in++)
		n++;
	return n;
}

START_TEST(an_answer_has_what_was_asked_for_between_the_stack_and_the_end)
{
	int fd = client("tcp memory\n");

	ck_assert_int_ge(tapir_serve_tcp(loop_stack(loop), 7, 8, &no_handlers, NULL), 0);
	ck_assert(read_all(fd, TAPIR_SEC, answer, sizeof answer));
	ck_assert(strstr(answer, "{\"stack\":{\"tap\":\"tap0\",\"command\":\"serve\",\"address\":\"10.0.0.2\"") == answer);
	ck_assert_uint_eq(count(answer, "\n{\"tcp\":{\"state\":\"LISTEN\",\"local\":\"0.0.0.0\",\"local_port\":7,"), 1);
	ck_assert_uint_eq(count(answer, "\n{\"memory\":{"), 1);
	ck_assert_uint_eq(count(answer, "\n"), 4);
	ck_assert_str_eq(answer + strlen(answer) - strlen("\n{\"end\":{}}\n"), "\n{\"end\":{}}\n");
	close(fd);
}
END_TEST

START_TEST(every_line_of_every_section_is_json)
{
	int fd = client("tcp udp arp routes paths counters memory\n"), lines = 0;

	ck_assert(read_all(fd, TAPIR_SEC, answer, sizeof answer));
	for (char *line = strtok(answer, "\n"); line; line = strtok(NULL, "\n"), lines++) {
		json_t *o = json_loads(line, 0, NULL);

		ck_assert_msg(json_is_object(o), "%s", line);
		json_decref(o);
	}
	ck_assert_int_eq(lines, 5);	/* stack, the network's route, counters, memory, end */
	close(fd);
}
END_TEST

START_TEST(many_sockets_come_in_pieces_and_all_of_them_once)
{
	struct tapir *t = loop_stack(loop);
	int fd;

	for (uint16_t port = 1; port <= 1000; port++)
		ck_assert_int_ge(tapir_serve_udp(t, port, &no_handlers, NULL), 0);
	fd = client("udp\n");
	ck_assert(read_all(fd, 5 * TAPIR_SEC, answer, sizeof answer));
	ck_assert_uint_eq(count(answer, "{\"udp\":"), 1000);
	ck_assert_uint_eq(count(answer, "\"local_port\":777,"), 1);
	close(fd);
}
END_TEST

START_TEST(clients_that_hang_are_sent_away_and_the_next_is_answered)
{
	int silent = client(NULL), fd = client("memory\n");

	ck_assert_msg(!read_all(fd, TAPIR_SEC, answer, sizeof answer), "one at a time");
	ck_assert(read_all(fd, 5 * TAPIR_SEC, answer, sizeof answer));
	ck_assert(strstr(answer, "{\"end\":{}}"));
	ck_assert_msg(recv(silent, answer, 1, MSG_DONTWAIT) == 0, "it was sent away");
	close(silent);
	close(fd);
}
END_TEST

/* It does not read: what is owed to it fills the socket. The loop's turns stay short. */
START_TEST(a_client_that_does_not_read_costs_no_turn_of_the_loop)
{
	struct tapir *t = loop_stack(loop);
	int fd, small = 1;
	usec_t begin, longest = 0;

	for (uint16_t port = 1; port <= 1000; port++)
		tapir_serve_udp(t, port, &no_handlers, NULL);
	fd = client(NULL);
	setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
	ck_assert_int_eq(send(fd, "udp\n", 4, 0), 4);
	begin = loop_clock_us();
	for (int i = 0; i < 200; i++) {
		usec_t turn = loop_clock_us();

		loop_turn(loop, TAPIR_MS);
		turn = loop_clock_us() - turn;
		longest = turn > longest ? turn : longest;
	}
	ck_assert_uint_lt(longest, 500 * TAPIR_MS);
	ck_assert_uint_lt(loop_clock_us() - begin, 3 * TAPIR_SEC);
	close(fd);
}
END_TEST

START_TEST(too_long_a_request_is_no_request)
{
	char request[1000];
	int fd;

	memset(request, 'x', sizeof request - 1);
	request[sizeof request - 1] = '\0';
	fd = client(request);
	read_all(fd, TAPIR_SEC, answer, sizeof answer);
	ck_assert_str_eq(answer, "");
	close(fd);
	fd = client("\n");
	ck_assert(read_all(fd, TAPIR_SEC, answer, sizeof answer));
	ck_assert_uint_eq(count(answer, "\n"), 2);
	close(fd);
}
END_TEST

START_TEST(a_server_that_closes_while_a_client_waits_leaves_nothing)
{
	int fd = client("tcp");

	loop_turn(loop, TAPIR_MS);
	loop_turn(loop, TAPIR_MS);
	close(fd);
}
END_TEST

Suite *suite(void)
{
	Suite *s = suite_create("tapir stat");
	TCase *c = tcase_create("text"), *f = tcase_create("sockets"), *a = tcase_create("answers");

	tcase_add_test(c, durations_have_three_digits_and_a_unit);
	tcase_add_test(c, columns_are_as_wide_as_their_widest_word);
	tcase_add_test(c, connections_are_shown_listeners_first_and_by_port);
	tcase_add_test(c, timers_come_in_the_order_in_which_they_fire);
	tcase_add_test(c, neighbours_alone_look_as_arp_a_shows_them);
	tcase_add_test(c, routes_and_path_mtus_are_shown);
	tcase_add_test(c, only_verdicts_that_were_given_are_shown_with_their_meaning);
	tcase_add_test(c, what_is_missing_or_strange_is_shown_as_nothing);
	tcase_add_test(c, a_request_names_sections_in_any_order);
	tcase_add_checked_fixture(f, own_dir, remove_dir);
	tcase_add_test(f, a_socket_is_named_after_tap_and_process_and_for_its_user_only);
	tcase_add_test(f, a_socket_left_behind_is_removed_by_who_sees_it);
	tcase_add_test(f, a_name_that_is_taken_gets_a_number_and_a_stale_one_is_used_again);
	tcase_add_test(f, other_files_and_other_peoples_directories_are_left_alone);
	tcase_add_test(f, a_directory_whose_name_is_too_long_is_an_error);
	tcase_add_checked_fixture(a, open_server, close_server);
	tcase_set_timeout(a, 30);
	tcase_add_test(a, an_answer_has_what_was_asked_for_between_the_stack_and_the_end);
	tcase_add_test(a, every_line_of_every_section_is_json);
	tcase_add_test(a, many_sockets_come_in_pieces_and_all_of_them_once);
	tcase_add_test(a, clients_that_hang_are_sent_away_and_the_next_is_answered);
	tcase_add_test(a, a_client_that_does_not_read_costs_no_turn_of_the_loop);
	tcase_add_test(a, too_long_a_request_is_no_request);
	tcase_add_test(a, a_server_that_closes_while_a_client_waits_leaves_nothing);
	suite_add_tcase(s, c);
	suite_add_tcase(s, f);
	suite_add_tcase(s, a);
	return s;
}
