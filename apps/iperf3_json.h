/* iperf3_json.h: the two texts of iperf3's protocol: what a client asks for, and what was measured. Their keys, and the numbers
 * of the errors, are those of esnet's iperf3. */
#ifndef IPERF3_JSON_H
#define IPERF3_JSON_H

#include "iperf3_stream.h"

#define IPERF3_PARALLEL_MAX 128		/* streams, each way */
#define IPERF3_PARAMS_BYTES 8192	/* of the client's text: the limits of iperf3 */
#define IPERF3_RESULTS_BYTES (512u * 1024)

enum iperf3_error {		/* iperf3's own numbers, so that its client prints a sentence for each */
	IPERF3_OK = 0,
	IPERF3_BAD_DURATION = 5, IPERF3_BAD_PARALLEL = 6, IPERF3_BAD_BLOCK = 7, IPERF3_BAD_WINDOW = 8, IPERF3_BAD_MSS = 10,
	IPERF3_BAD_OMIT = 12, IPERF3_NOT_IMPLEMENTED = 13, IPERF3_NO_SCTP = 18, IPERF3_BAD_UDP_BLOCK = 20, IPERF3_BAD_TOS = 21,
	IPERF3_BAD_MESSAGE = 110, IPERF3_BAD_PARAMS = 114, IPERF3_CANNOT_PACKAGE = 115, IPERF3_BAD_RESULTS = 117,
	IPERF3_CANNOT_SET_MSS = 123, IPERF3_CANNOT_SET_BUFFER = 124, IPERF3_CANNOT_SET_TOS = 125,
	IPERF3_CANNOT_SET_FLOW_LABEL = 127, IPERF3_CANNOT_SET_AFFINITY = 132, IPERF3_CANNOT_SET_CONGESTION = 134,
	IPERF3_CANNOT_PACE = 140, IPERF3_NO_MESSAGE = 144, IPERF3_NO_STREAM = 200
};

struct iperf3_params {
	bool udp, reverse, both_ways, nodelay;
	bool wide;			/* datagrams are counted with 64 bits */
	int congestion;			/* an enum tapir_cc; -1: the stack's own choice */
	uint32_t seconds, omit;		/* seconds 0: the client ends the test when it has moved enough */
	uint32_t parallel, mss, window, tos;	/* 0: not asked for */
	uint32_t block;			/* bytes sent at once */
	double bits_per_second;		/* of each stream; 0: as fast as it goes */
};
/* Reads what the client asks for; what this server would have to ignore is an error. */
enum iperf3_error iperf3_params(struct span text, struct iperf3_params *out);

struct iperf3_results {
	const struct iperf3_stream *streams;
	unsigned count;
	int has_retransmits;		/* 1, or 0: this side sends, and cannot count them; -1: it does not send */
	const char *congestion;		/* NULL: nobody controls any */
	double seconds, cpu_user, cpu_system;	/* how long; seconds of processor time meanwhile */
};
/* The text for the client, from malloc; NULL: out of memory. */
char *iperf3_results(const struct iperf3_results *r);

#endif
