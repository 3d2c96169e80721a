/* names.c: the words for everything that has a number in tapir.h. Owns the texts; a number without a name is a
 * programmer's mistake, but for errors, which may come from anywhere. */
#include "bytes.h"

const char *tapir_verdict_name(enum tapir_verdict v)
{
	static const char *const names[] = {
#define X(name, sentence) #name,
		TAPIR_VERDICTS(X)
#undef X
	};

	assert((unsigned)v < TAPIR_VERDICT_COUNT);
	return names[v];
}

const char *tapir_verdict_text(enum tapir_verdict v)
{
	static const char *const texts[] = {
#define X(name, sentence) sentence,
		TAPIR_VERDICTS(X)
#undef X
	};

	assert((unsigned)v < TAPIR_VERDICT_COUNT);
	return texts[v];
}

/* Index of an error in the tables below, whose row 0 is TAPIR_OK; -1: there is no such error. */
static int error_row(int error)
{
	static const int numbers[] = {
		TAPIR_OK,
#define X(name, number, sentence) TAPIR_##name,
		TAPIR_ERRORS(X)
#undef X
	};

	for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++)
		if (numbers[i] == error)
			return (int)i;
	return -1;
}

const char *tapir_strerror(int error)
{
	static const char *const sentences[] = {
		"no error",
#define X(name, number, sentence) sentence,
		TAPIR_ERRORS(X)
#undef X
	};
	int row = error_row(error);

	return row < 0 ? "a number that is no error of this stack" : sentences[row];
}

const char *tapir_errname(int error)
{
	static const char *const names[] = {
		"OK",
#define X(name, number, sentence) #name,
		TAPIR_ERRORS(X)
#undef X
	};
	int row = error_row(error);

	return row < 0 ? "unknown" : names[row];
}

const char *tapir_tcp_state_name(enum tapir_tcp_state s)
{
	static const char *const names[] = {
		[TAPIR_TCP_CLOSED] = "CLOSED", [TAPIR_TCP_LISTEN] = "LISTEN", [TAPIR_TCP_SYN_SENT] = "SYN-SENT",
		[TAPIR_TCP_SYN_RCVD] = "SYN-RECEIVED", [TAPIR_TCP_ESTABLISHED] = "ESTABLISHED",
		[TAPIR_TCP_FIN_WAIT_1] = "FIN-WAIT-1", [TAPIR_TCP_FIN_WAIT_2] = "FIN-WAIT-2",
		[TAPIR_TCP_CLOSE_WAIT] = "CLOSE-WAIT", [TAPIR_TCP_CLOSING] = "CLOSING",
		[TAPIR_TCP_LAST_ACK] = "LAST-ACK", [TAPIR_TCP_TIME_WAIT] = "TIME-WAIT"
	};

	assert((unsigned)s < sizeof names / sizeof names[0]);
	return names[s];
}

static const char *const cc_names[TAPIR_CC_COUNT] = {
	[TAPIR_CC_NEWRENO] = "newreno", [TAPIR_CC_CUBIC] = "cubic", [TAPIR_CC_BBR] = "bbr"
};

const char *tapir_cc_name(enum tapir_cc cc)
{
	assert((unsigned)cc < TAPIR_CC_COUNT);
	return cc_names[cc];
}

static bool same_word(const char *a, const char *b)
{
	while (*a && *a == *b)
		a++, b++;
	return *a == *b;
}

int tapir_cc_parse(const char *name)
{
	for (int i = 0; i < TAPIR_CC_COUNT; i++)
		if (same_word(name, cc_names[i]))
			return i;
	return same_word(name, "reno") ? TAPIR_CC_NEWRENO : TAPIR_EINVAL;	/* as Linux calls it */
}

const char *tapir_timer_name(enum tapir_tcp_timer timer)
{
	static const char *const names[TAPIR_TIMER_COUNT] = {
		[TAPIR_TIMER_RTO] = "RTO", [TAPIR_TIMER_PERSIST] = "PERSIST", [TAPIR_TIMER_DELACK] = "DELACK",
		[TAPIR_TIMER_KEEPALIVE] = "KEEPALIVE", [TAPIR_TIMER_FIN_WAIT_2] = "FIN-WAIT-2",
		[TAPIR_TIMER_2MSL] = "2MSL", [TAPIR_TIMER_TLP] = "TLP", [TAPIR_TIMER_REO] = "REO",
		[TAPIR_TIMER_PACE] = "PACE"
	};

	assert((unsigned)timer < TAPIR_TIMER_COUNT);
	return names[timer];
}
