/* runner.c: main() of every test program. Runs the suite that the program defines, says what failed, and exits non-zero
 * if anything did, or if there was nothing to run. CK_FORK, CK_RUN_CASE and Check's other variables work as always. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>

Suite *suite(void);

int main(void)
{
	SRunner *runner = srunner_create(suite());

	srunner_run_all(runner, CK_NORMAL);
	int run = srunner_ntests_run(runner);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	if (run == 0)
		fprintf(stderr, "no test was run\n");
	return run > 0 && failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
