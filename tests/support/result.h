/* result.h: the result of a call, compared by name. */
#ifndef TEST_RESULT_H
#define TEST_RESULT_H

#include <check.h>
#include "stack/tapir.h"

/* A call's result: 0, a negative error, or a count. */
#define ck_assert_result(call, wanted) \
	do { \
		int64_t ck_got = (call), ck_want = (wanted); \
		ck_assert_msg(ck_got == ck_want, "%s is %lld %s, not %lld %s", #call, (long long)ck_got, \
			      ck_got < 0 ? tapir_errname((int)ck_got) : "", (long long)ck_want, \
			      ck_want < 0 ? tapir_errname((int)ck_want) : ""); \
	} while (0)
#define ck_assert_verdict_eq(v, wanted) ck_assert_str_eq(tapir_verdict_name(v), tapir_verdict_name(wanted))

#endif
