/* test_wrap.c: one connection that carries more than the sequence space holds (RFC 9293 3.4). When 2^32 - 1 bytes and the SYN are
 * acknowledged, SND.UNA is ISS again, to the number; and nothing that is remembered by sequence number may lie so far back
 * that it seems to lie ahead. */
#include <check.h>
#include <stdlib.h>
#include "stack/tapir.h"
#include "stack/tcp/tcp.h"

#define WHOLE_SPACE UINT64_C(0x100000000)
#define CHUNK 65000u

struct world { struct tapir *t[2]; void *mem[2]; uint64_t read; };

static void start(struct world *w)
{
	*w = (struct world){.read = 0};
	for (int i = 0; i < 2; i++) {
		struct tapir_config c;

		tapir_config_default(&c);
		c.ip_only = true;
		c.addr = tapir_ipv4(10, 0, 0, (uint8_t)(i + 1));
		c.offload = (struct tapir_offload_caps){.csum = true, .tso4 = true};
		c.seed[0] = (uint64_t)i;
		w->mem[i] = aligned_alloc(64, (tapir_size(&c) + 63) / 64 * 64);
		w->t[i] = tapir_init(w->mem[i], &c, 0);
		ck_assert_ptr_nonnull(w->t[i]);
	}
}

static void carry(struct world *w, int from)
{
	struct tapir_out out;

	while (tapir_output(w->t[from], &out)) {
		struct tapir_frame *f = tapir_frame_get(w->t[!from]);

		ck_assert_ptr_nonnull(f);
		tapir_out_copy(&out, f->data, true);
		f->len = out.len;
		f->offload = out.offload;
		tapir_input(w->t[!from], f);
	}
}

/* Reads what is there; only the length is looked at. */
static void drain(struct world *w, tapir_sd sd)
{
	struct span spans[16];
	int n;

	while ((n = tapir_recv_peek(w->t[1], sd, spans, 16)) > 0) {
		size_t bytes = 0;

		for (int i = 0; i < n; i++)
			bytes += spans[i].n;
		tapir_recv_consume(w->t[1], sd, bytes);
		w->read += bytes;
	}
}

static void advance(struct world *w, tapir_sd sd)
{
	usec_t a = tapir_deadline(w->t[0]), b = tapir_deadline(w->t[1]), due = a < b ? a : b;

	carry(w, 0);
	carry(w, 1);
	if (sd >= 0)
		drain(w, sd);
	carry(w, 1);
	carry(w, 0);
	if (due != USEC_NEVER)
		for (int i = 0; i < 2; i++)
			tapir_tick(w->t[i], due);
}

/* Until `total` bytes in all are sent, read and acknowledged. */
static void transfer(struct world *w, const tapir_sd sd[2], uint64_t *sent, uint64_t total)
{
	static const uint8_t text[CHUNK];
	struct tapir_tcp_info info;

	do {
		uint64_t left = total - *sent;
		size_t n = left < CHUNK ? (size_t)left : CHUNK;

		while (n && tapir_send_borrowed(w->t[0], sd[0], text, n, NULL, NULL) > 0) {
			*sent += n;
			left = total - *sent;
			n = left < CHUNK ? (size_t)left : CHUNK;
		}
		advance(w, sd[1]);
		ck_assert_int_eq(tapir_tcp_info(w->t[0], sd[0], &info), 0);
	} while (*sent < total || info.unacked || info.notsent);
	ck_assert_uint_eq(w->read, total);
	ck_assert_int_eq(info.state, TAPIR_TCP_ESTABLISHED);
	ck_assert_uint_eq(info.total_retrans, 0);
	tcp_check_all(w->t[0]);
	tcp_check_all(w->t[1]);
}

static void connect_them(struct world *w, tapir_sd *listener, tapir_sd sd[2])
{
	struct tapir_endpoint to = {tapir_ipv4(10, 0, 0, 2), 9};

	*listener = tapir_serve_tcp(w->t[1], 9, 1, NULL, NULL);
	sd[0] = tapir_socket(w->t[0], TAPIR_SOCK_STREAM);
	ck_assert_int_eq(tapir_connect(w->t[0], sd[0], &to), TAPIR_EINPROGRESS);
	for (int i = 0; i < 4; i++)
		advance(w, -1);
	sd[1] = tapir_accept(w->t[1], *listener, NULL);
	ck_assert_int_ge(sd[1], 0);
}

START_TEST(a_connection_outlives_its_sequence_space)
{
	tapir_sd listener, sd[2];
	uint64_t sent = 0;
	struct world w;

	start(&w);
	connect_them(&w, &listener, sd);
	transfer(&w, sd, &sent, WHOLE_SPACE - 1);	/* SND.UNA == ISS */
	transfer(&w, sd, &sent, WHOLE_SPACE + 100000);
	tapir_shutdown(w.t[0], sd[0], TAPIR_SHUT_WR);
	for (int i = 0; i < 4; i++)
		advance(&w, sd[1]);
	ck_assert_int_eq(tapir_recv(w.t[1], sd[1], NULL, 0), 0);
	free(w.mem[0]);
	free(w.mem[1]);
}
END_TEST

Suite *suite(void)
{
	Suite *s = suite_create("sim/wrap");
	TCase *c = tcase_create("wrap");

	tcase_set_timeout(c, 120);
	tcase_add_test(c, a_connection_outlives_its_sequence_space);
	suite_add_tcase(s, c);
	return s;
}
