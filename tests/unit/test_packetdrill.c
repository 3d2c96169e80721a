/* test_packetdrill.c: the adapter for packetdrill, without packetdrill: what its interpreter does in a script's run, a call
 * at a time. The clock, the wire and the blocking calls are what can make a run lie or differ from the one before. */
#include <arpa/inet.h>
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include "tests/packetdrill/drill.h"
#include "tests/support/segment.h"

#define PEER 0xc0000201u		/* 192.0.2.1 */
#define LOCAL 0xc0a80001u		/* 192.168.0.1 */
#define PEER_PORT 1000
#define LOCAL_PORT 8080

static struct drill *d;
static const struct segment_path path = {PEER, LOCAL, PEER_PORT, LOCAL_PORT};
static const struct segment_base base = {0, 0, 0, 0};	/* isn=0: both sides' numbers are relative as they are */

static void begin(const char *flags)
{
	char text[512];

	snprintf(text, sizeof text, "isn=0,ts=0,sack=0,ws=0,sndbuf=60000,rcvbuf=60000,%s", flags);
	d = drill_new(text);
}

static long long now_us(void)
{
	struct timeval tv;

	ck_assert_int_eq(drill_gettimeofday(d, &tv, NULL), 0);
	return (long long)tv.tv_sec * 1000000 + tv.tv_usec;
}

/* As the interpreter does: it has read the clock before. */
static void sends(const char *line)
{
	uint8_t frame[65536];
	struct segment s;

	ck_assert_ptr_null(segment_parse(line, &base, &s));
	if (!s.has_win)
		s.win = 65535;
	now_us();
	ck_assert_int_eq(drill_netdev_send(d, frame, segment_emit(&s, &path, 0, frame)), 0);
}

/* The next frame, which must be this one; when it left. */
static long long expects(const char *line)
{
	uint8_t frame[2048];
	size_t n = sizeof frame;
	char text[SEGMENT_TEXT];
	long long at;
	struct segment_path way;
	struct segment s;

	ck_assert_int_eq(drill_netdev_receive(d, frame, &n, &at), 0);
	ck_assert_msg(n > 0, "expected %s, got nothing", line);
	ck_assert_ptr_null(segment_read(frame, n, &way, &s));
	segment_format(text, &s, &base, strstr(line, " <") ? WITH_OPTIONS : 0);
	ck_assert_str_eq(text, line);
	return at;
}

static struct sockaddr_in address(uint32_t addr, uint16_t port)
{
	return (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(addr)};
}

static int listening(void)
{
	struct sockaddr_in local = address(LOCAL, LOCAL_PORT);
	int fd = drill_socket(d, AF_INET, SOCK_STREAM, IPPROTO_TCP);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(drill_bind(d, fd, (struct sockaddr *)&local, sizeof local), 0);
	ck_assert_int_eq(drill_listen(d, fd, 1), 0);
	return fd;
}

static int established(void)
{
	int listener = listening(), fd;

	sends("S 0:0(0) <mss 1000>");
	expects("S. 0:0(0) ack 1");
	sends(". 1:1(0) ack 1");
	fd = drill_accept(d, listener, NULL, NULL);
	ck_assert_int_ge(fd, 0);
	return fd;
}

/* --- the clock -------------------------------------------------------------------------------------------------- */

START_TEST(each_reading_moves_the_clock_a_microsecond)
{
	long long before;

	begin("");
	before = now_us();
	ck_assert_int_eq(now_us(), before + 1);
	listening();
	ck_assert_int_eq(now_us(), before + 2);
	ck_assert_int_eq(drill_usleep(d, 1000), 0);
	ck_assert_int_eq(now_us(), before + 1003);
	drill_free(d);
}
END_TEST

START_TEST(a_sleep_runs_each_timer_at_its_own_time)
{
	struct sockaddr_in peer = address(PEER, PEER_PORT);
	uint8_t frame[2048];
	long long start, at;
	int fd;

	begin("leftover=0");
	fd = drill_socket(d, AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	start = now_us();
	ck_assert_int_eq(drill_connect(d, fd, (struct sockaddr *)&peer, sizeof peer), -1);
	ck_assert_int_eq(errno, EINPROGRESS);
	drill_usleep(d, 4000000);
	for (int i = 0; i < 3; i++) {		/* the SYN, and again after 1 s and 2 s more */
		size_t n = sizeof frame;

		ck_assert_int_eq(drill_netdev_receive(d, frame, &n, &at), 0);
		ck_assert_uint_gt(n, 0);
		ck_assert_int_eq(at - start, i == 0 ? 0 : i == 1 ? 1000000 : 3000000);
	}
	drill_free(d);
}
END_TEST

START_TEST(a_wire_that_stays_silent_ends_the_wait)
{
	uint8_t frame[2048];
	size_t n = sizeof frame;
	long long at;

	begin("wait=30");
	listening();
	ck_assert_int_eq(drill_netdev_receive(d, frame, &n, &at), 0);
	ck_assert_uint_eq(n, 0);
	drill_free(d);
}
END_TEST

/* --- calls that block ------------------------------------------------------------------------------------------- */

struct blocked { int fd; ssize_t got; long long ended_us; char buf[4000]; };

/* What the interpreter's second thread does: the call, then the clock. */
static void *read_and_look(void *arg)
{
	struct blocked *b = arg;

	b->got = drill_read(d, b->fd, b->buf, sizeof b->buf);
	b->ended_us = now_us();
	return NULL;
}

static void *write_and_look(void *arg)
{
	struct blocked *b = arg;
	static char much[100000];

	b->got = drill_write(d, b->fd, much, sizeof much);
	b->ended_us = now_us();
	return NULL;
}

static pthread_t start(void *(*call)(void *), struct blocked *b)
{
	pthread_t thread;
	bool waits = false;

	ck_assert_int_eq(pthread_create(&thread, NULL, call, b), 0);
	while (!waits) {			/* the interpreter, too, goes on when the thread sleeps */
		pthread_mutex_lock(&d->lock);
		waits = d->blocked != NULL;
		pthread_mutex_unlock(&d->lock);
	}
	return thread;
}

/* However slowly the second thread wakes, the hour that the interpreter sleeps next comes after its end. */
START_TEST(a_blocked_read_ends_when_the_text_arrives)
{
	struct blocked b = {.fd = -1};
	pthread_t thread;
	long long then;

	begin("ack=quick");
	b.fd = established();
	thread = start(read_and_look, &b);
	drill_usleep(d, 100000);
	sends("P. 1:2001(2000) ack 1");
	then = now_us();
	drill_usleep(d, 3600000000u);
	pthread_join(thread, NULL);
	ck_assert_int_eq(b.got, 2000);
	ck_assert_int_le(b.ended_us, then + 1);
	expects(". 1:1(0) ack 2001");
	drill_free(d);
}
END_TEST

START_TEST(a_blocked_write_ends_when_all_of_it_is_queued)
{
	struct blocked b = {.fd = -1};
	pthread_t thread;
	char line[64];
	long long then = 0;

	begin("leftover=0");
	b.fd = established();
	thread = start(write_and_look, &b);
	for (int acked = 10001; acked <= 40001; acked += 10000) {	/* 60000 of the 100000 are taken at once */
		drill_usleep(d, 100000);
		snprintf(line, sizeof line, ". 1:1(0) ack %d", acked);
		sends(line);
		then = now_us();
	}
	drill_usleep(d, 1000000);
	pthread_join(thread, NULL);
	ck_assert_int_eq(b.got, 100000);
	ck_assert_int_le(b.ended_us, then + 1);
	drill_free(d);
}
END_TEST

/* In the interpreter itself nothing but time can end a call: it must not hang. */
START_TEST(a_read_that_nothing_will_end_says_so)
{
	char byte;
	int fd;

	begin("wait=5");
	fd = established();
	ck_assert_int_eq(drill_read(d, fd, &byte, 1), -1);
	ck_assert_int_eq(errno, EAGAIN);
	drill_free(d);
}
END_TEST

START_TEST(a_poll_takes_its_time_and_no_more)
{
	struct pollfd p = {.events = POLLIN};
	long long before;

	begin("");
	p.fd = established();
	before = now_us();
	ck_assert_int_eq(drill_poll(d, &p, 1, 250), 0);
	ck_assert_int_eq(now_us() - before, 250001);
	sends("F. 1:1(0) ack 1");
	expects(". 1:1(0) ack 2");
	ck_assert_int_eq(drill_poll(d, &p, 1, 250), 1);
	ck_assert_int_eq(p.revents, POLLIN);
	drill_free(d);
}
END_TEST

/* --- the end ---------------------------------------------------------------------------------------------------- */

START_TEST(a_frame_that_no_line_expected_fails_the_run)
{
	begin("ack=quick");
	established();
	sends("P. 1:1001(1000) ack 1");
	drill_free(d);
}
END_TEST

/* The interpreter's last act is a RST for each connection, without a look at the clock. */
static void cleans_up(const char *line)
{
	uint8_t frame[2048];
	struct segment s;

	ck_assert_ptr_null(segment_parse(line, &base, &s));
	ck_assert_int_eq(drill_netdev_send(d, frame, segment_emit(&s, &path, 0, frame)), 0);
}

START_TEST(what_answers_the_cleaning_up_is_no_such_frame)
{
	begin("ack=quick");
	established();
	cleans_up("R. 10:10(0) ack 1");			/* in the window, not at its edge: a challenge ACK */
	ck_assert_ptr_nonnull(d->first);
	drill_free(d);
}
END_TEST

START_TEST(what_came_before_the_cleaning_up_is)
{
	begin("ack=quick");
	established();
	sends("P. 1:1001(1000) ack 1");
	cleans_up("R. 1001:1001(0) ack 1");
	drill_free(d);
}
END_TEST

/* --- the wire --------------------------------------------------------------------------------------------------- */

/* The stack leaves a burst to its driver; over the wire go segments with right numbers and checksums, PSH on the last. */
START_TEST(a_burst_is_cut_into_segments)
{
	static const char text[2500];
	int fd;

	begin("");
	fd = established();
	ck_assert_int_eq(drill_write(d, fd, text, sizeof text), sizeof text);
	expects(". 1:1001(1000) ack 1");
	expects(". 1001:2001(1000) ack 1");
	expects("P. 2001:2501(500) ack 1");
	drill_free(d);
}
END_TEST

START_TEST(without_tso_the_stack_cuts_by_itself)
{
	static const char text[2000];
	int fd;

	begin("tso=0");
	fd = established();
	ck_assert_int_eq(drill_write(d, fd, text, sizeof text), sizeof text);
	expects(". 1:1001(1000) ack 1");
	expects("P. 1001:2001(1000) ack 1");
	drill_free(d);
}
END_TEST

/* What MSG_MORE holds back the next ACK lets go, as on Linux. */
START_TEST(more_holds_until_the_next_ack)
{
	static const char text[2500];
	int fd;

	begin("nagle=0,tso=0");
	fd = established();
	ck_assert_int_eq(drill_send(d, fd, text, sizeof text, MSG_MORE), sizeof text);
	expects(". 1:1001(1000) ack 1");
	expects(". 1001:2001(1000) ack 1");
	sends(". 1:1(0) ack 1001");
	expects("P. 2001:2501(500) ack 1");
	drill_free(d);
}
END_TEST

START_TEST(a_file_is_sent_from_its_offset)
{
	char name[] = "/tmp/drill-XXXXXX";
	int file = mkstemp(name), fd;
	off_t at = 2;

	begin("");
	ck_assert_int_eq(write(file, "abcdef", 6), 6);
	fd = established();
	ck_assert_int_eq(drill_sendfile(d, fd, file, &at, 100), 4);
	ck_assert_int_eq(at, 6);
	expects("P. 1:5(4) ack 1");
	ck_assert_int_eq(drill_sendfile(d, fd, file, &at, 100), 0);
	close(file);
	unlink(name);
	drill_free(d);
}
END_TEST

/* --- settings and options --------------------------------------------------------------------------------------- */

START_TEST(a_setting_that_there_is_not_is_an_error)
{
	struct drill_settings s;

	ck_assert_ptr_null(drill_settings_parse(&s, "ack=delayed,iw=3,,min_rto=1000"));
	ck_assert_uint_eq(s.config.quickacks, 0);
	ck_assert_uint_eq(s.config.initial_window, 3);
	ck_assert_uint_eq(s.config.rto_min_us, TAPIR_SEC);
	ck_assert_ptr_nonnull(strstr(drill_settings_parse(&s, "iw=3,colour=red"), "\"colour\""));
	ck_assert_ptr_nonnull(drill_settings_parse(&s, "iw"));
	ck_assert_ptr_nonnull(drill_settings_parse(&s, "iw=many"));
	ck_assert_ptr_nonnull(drill_settings_parse(&s, "ack=never"));
}
END_TEST

START_TEST(the_scripts_sysctls_are_settings_and_flags_win)
{
	struct drill_settings s;
	char name[] = "/tmp/drill-XXXXXX", flags[64];
	int fd = mkstemp(name);
	static const char lines[] = "net.ipv4.tcp_sack=0\nnet.ipv4.tcp_rmem=4096 540000 15728640\nnet.ipv4.tcp_syn_retries=2\n"
				    "net.ipv4.tcp_ecn=5\nnet.ipv4.tcp_fastopen_key=a1a1a1a1-b2b2b2b2-c3c3c3c3-d4d4d4d4\n"
				    "kernel.pid_max=9\nnet.ipv4.tcp_retries2=4\nethtool.tso=0\nsack\n";

	ck_assert_int_eq(write(fd, lines, sizeof lines - 1), sizeof lines - 1);
	close(fd);
	snprintf(flags, sizeof flags, "tcp_retries2=6,sysctl=%s", name);
	ck_assert_ptr_null(drill_settings_parse(&s, flags));
	drill_settings_sysctl(&s);
	unlink(name);
	ck_assert(!s.config.sack && s.config.timestamps && !s.config.offload.tso4);
	ck_assert_uint_eq(s.config.rcvbuf, 15728640);
	ck_assert_uint_eq(s.config.rcvbuf_max, 15728640);
	ck_assert_uint_eq(s.config.ecn, TAPIR_ECN_IF_ASKED);
	ck_assert_uint_eq(s.config.fastopen_key[0], 0xb2b2b2b2a1a1a1a1);
	ck_assert_uint_eq(s.config.syn_retries, 2);
	ck_assert_uint_eq(s.config.retries2, 6);
}
END_TEST

/* A descriptor is a real one, because the interpreter ends it with the real close(2). */
START_TEST(descriptors_are_real)
{
	struct stat st;
	int fd;

	begin("");
	fd = listening();
	ck_assert_int_eq(fstat(fd, &st), 0);
	ck_assert_int_eq(drill_fcntl(d, fd, F_GETFL), O_RDWR);
	ck_assert_int_eq(drill_fcntl(d, fd, F_SETFL, O_RDWR | O_NONBLOCK), 0);
	ck_assert_int_eq(drill_accept(d, fd, NULL, NULL), -1);
	ck_assert_int_eq(errno, EAGAIN);
	ck_assert_int_eq(drill_close(d, fd), 0);
	ck_assert_int_eq(fstat(fd, &st), -1);
	drill_free(d);
}
END_TEST

START_TEST(tcp_info_counts_in_segments)
{
	static const char text[2500];
	struct tcp_info info;
	socklen_t len = sizeof info;
	int fd;

	begin("leftover=0");
	fd = established();
	ck_assert_int_eq(drill_write(d, fd, text, sizeof text), sizeof text);
	ck_assert_int_eq(drill_getsockopt(d, fd, IPPROTO_TCP, TCP_INFO, &info, &len), 0);
	ck_assert_uint_eq(info.tcpi_state, 1);		/* Linux' number for ESTABLISHED */
	ck_assert_uint_eq(info.tcpi_snd_mss, 1000);
	ck_assert_uint_eq(info.tcpi_snd_cwnd, 10);
	ck_assert_uint_eq(info.tcpi_unacked, 3);
	ck_assert_uint_eq(info.tcpi_snd_ssthresh, 0x7fffffff);
	drill_free(d);
}
END_TEST

/* EPOLLET: told once; again when more has arrived, although the first was not read. */
START_TEST(an_edge_is_told_once_and_again_when_more_arrives)
{
	struct epoll_event event = {.events = EPOLLIN | EPOLLET, .data.fd = 77};
	int fd, ep;

	begin("leftover=0");
	fd = established();
	ep = drill_epoll_create(d, 1);
	ck_assert_int_eq(drill_epoll_ctl(d, ep, EPOLL_CTL_ADD, fd, &event), 0);
	ck_assert_int_eq(drill_epoll_wait(d, ep, &event, 1, 0), 0);
	sends("P. 1:11(10) ack 1");
	ck_assert_int_eq(drill_epoll_wait(d, ep, &event, 1, 0), 1);
	ck_assert_uint_eq(event.events, EPOLLIN);
	ck_assert_int_eq(event.data.fd, 77);
	ck_assert_int_eq(drill_epoll_wait(d, ep, &event, 1, 0), 0);
	sends("P. 11:21(10) ack 1");
	ck_assert_int_eq(drill_epoll_wait(d, ep, &event, 1, 0), 1);
	drill_free(d);
}
END_TEST

Suite *suite(void)
{
	const TTest *const tests[] = {
		each_reading_moves_the_clock_a_microsecond, a_sleep_runs_each_timer_at_its_own_time,
		a_wire_that_stays_silent_ends_the_wait, a_blocked_read_ends_when_the_text_arrives,
		a_blocked_write_ends_when_all_of_it_is_queued, a_read_that_nothing_will_end_says_so,
		a_poll_takes_its_time_and_no_more, what_answers_the_cleaning_up_is_no_such_frame,
		a_burst_is_cut_into_segments, without_tso_the_stack_cuts_by_itself, a_setting_that_there_is_not_is_an_error,
		the_scripts_sysctls_are_settings_and_flags_win, descriptors_are_real, tcp_info_counts_in_segments,
		an_edge_is_told_once_and_again_when_more_arrives, more_holds_until_the_next_ack,
		a_file_is_sent_from_its_offset,
	};
	Suite *s = suite_create("packetdrill");
	TCase *tc = tcase_create("adapter");

	for (size_t i = 0; i < sizeof tests / sizeof tests[0]; i++)
		tcase_add_test(tc, tests[i]);
	tcase_add_exit_test(tc, a_frame_that_no_line_expected_fails_the_run, 1);
	tcase_add_exit_test(tc, what_came_before_the_cleaning_up_is, 1);
	suite_add_tcase(s, tc);
	return s;
}
