/* test_3_10_7_4_third.c: SEGMENT ARRIVES, other states, third: check security (RFC 9293 3.10.7.4, A.1). A datagram has
 * no security or compartment that TCP would see here: IP skips such options (RFC 9293 3.9.2 MUST-50). So every segment
 * passes this step, in each state. */
#include "tests/support/peer.h"

static const enum tapir_tcp_state states[] = {
	TAPIR_TCP_SYN_RCVD, TAPIR_TCP_ESTABLISHED, TAPIR_TCP_FIN_WAIT_1, TAPIR_TCP_FIN_WAIT_2, TAPIR_TCP_CLOSE_WAIT,
	TAPIR_TCP_CLOSING, TAPIR_TCP_LAST_ACK, TAPIR_TCP_TIME_WAIT
};
#define SECURITY_OPTION 12u	/* 11 bytes (RFC 791 3.1) and the end of the list */

/* The frame of a line, with an IP security option. */
static size_t with_security(const uint8_t *frame, size_t n, uint8_t *longer)
{
	static const uint8_t option[SECURITY_OPTION] = {130, 11, 0xf1, 0x35};	/* confidential */
	uint16_t sum;

	memcpy(longer, frame, 20);
	memcpy(longer + 20, option, sizeof option);
	memcpy(longer + 20 + sizeof option, frame + 20, n - 20);
	n += sizeof option;
	longer[0] = 0x45 + sizeof option / 4;
	longer[2] = (uint8_t)(n >> 8);
	longer[3] = (uint8_t)n;
	longer[10] = longer[11] = 0;
	sum = frame_checksum(0, longer, 20 + sizeof option);
	longer[10] = (uint8_t)(sum >> 8);
	longer[11] = (uint8_t)sum;
	return n;
}

/* RFC 9293 3.10.7.4 third, 3.9.2 (MUST-50): SYN-RECEIVED, ESTABLISHED, FIN-WAIT-1, FIN-WAIT-2, CLOSE-WAIT, CLOSING,
 * LAST-ACK, TIME-WAIT: a segment with an IP security option is processed as one without: no reset, and the fifth step
 * sees its ACK. */
START_TEST(a_security_option_changes_nothing_in_each_state)
{
	static const enum tapir_tcp_state after_ack[] = {
		[TAPIR_TCP_SYN_RCVD] = TAPIR_TCP_ESTABLISHED, [TAPIR_TCP_ESTABLISHED] = TAPIR_TCP_ESTABLISHED,
		[TAPIR_TCP_FIN_WAIT_1] = TAPIR_TCP_FIN_WAIT_2, [TAPIR_TCP_FIN_WAIT_2] = TAPIR_TCP_FIN_WAIT_2,
		[TAPIR_TCP_CLOSE_WAIT] = TAPIR_TCP_CLOSE_WAIT, [TAPIR_TCP_CLOSING] = TAPIR_TCP_TIME_WAIT,
		[TAPIR_TCP_LAST_ACK] = TAPIR_TCP_CLOSED, [TAPIR_TCP_TIME_WAIT] = TAPIR_TCP_TIME_WAIT
	};

	for (size_t i = 0; i < sizeof states / sizeof states[0]; i++) {
		struct peer p = peer_in(states[i], _i);
		uint8_t frame[2048], longer[2048];
		size_t n = peer_frame(&p, frame, ". %u:%u(0) ack %u", p.rcv_nxt, p.rcv_nxt, p.snd_nxt);

		peer_sends_frame(&p, longer, with_security(frame, n, longer));
		ck_assert_verdict(&p, ACCEPT);
		ck_assert_state(&p, after_ack[states[i]]);
		peer_expects_nothing(&p);
	}
}
END_TEST

/* RFC 9293 3.10.7.4 third: ESTABLISHED: text that comes with the option is delivered. */
START_TEST(text_with_a_security_option_is_delivered)
{
	struct peer p = established(_i);
	uint8_t frame[2048], longer[2048];
	size_t n = peer_frame(&p, frame, "P. 1:101(100) ack 1");

	peer_sends_frame(&p, longer, with_security(frame, n, longer));
	ck_assert_verdict(&p, ACCEPT);
	peer_expects(&p, ". 1:1(0) ack 101");
	user_reads(&p, 100);
}
END_TEST

Suite *suite(void)
{
	return peer_suite("RFC 9293 3.10.7.4 third", (const TTest *[]){
		a_security_option_changes_nothing_in_each_state,
		text_with_a_security_option_is_delivered,
		NULL
	});
}
