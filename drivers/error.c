/* error.c: the sentence that tells why a driver's last call failed, one for each thread, and warnings on stderr. */
#include <stdarg.h>
#include <stdio.h>
#include "internal.h"

static _Thread_local char sentence[512] = "nothing has failed";

int driver_fail(const char *format, ...)
{
	char text[sizeof sentence];	/* an argument may be the old sentence */
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof text, format, args);
	va_end(args);
	snprintf(sentence, sizeof sentence, "%s", text);
	return TAPIR_EIO;
}

void driver_warn(const char *format, ...)
{
	char text[sizeof sentence];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof text, format, args);
	va_end(args);
	fprintf(stderr, "tapir: %s\n", text);
}

const char *driver_error(void)
{
	return sentence;
}
