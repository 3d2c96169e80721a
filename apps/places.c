/* places.c: see places.h. A directory of others could have been left there to make us write where they want. */
#include "places.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

bool place_is_own(const char *path)
{
	struct stat st;
	return lstat(path, &st) == 0 && S_ISDIR(st.st_mode) && st.st_uid == geteuid() && !(st.st_mode & 022);
}

bool place_make(const char *path)
{
	mkdir(path, 0700);
	return place_is_own(path);
}

/* As the XDG Base Directory Specification has it: another user's, which sudo may have let through, does not count. */
static const char *xdg(void)
{
	const char *dir = getenv("XDG_RUNTIME_DIR");
	struct stat st;
	return dir && *dir == '/' && stat(dir, &st) == 0 && st.st_uid == geteuid() ? dir : NULL;
}

static bool fits(int n, size_t size)
{
	return n > 0 && (size_t)n < size;
}

bool place_runtime(int i, char *path, size_t size)
{
	const char *dir = xdg(), *tmp = getenv("TMPDIR");
	char own[48] = "/run";
	if (geteuid())
		snprintf(own, sizeof own, "/run/user/%u", geteuid());
	if (dir && strcmp(dir, own) == 0)
		dir = NULL;
	if (!dir)
		i++;
	if (i == 0)
		return fits(snprintf(path, size, "%s/tapir", dir), size);
	if (i == 1)
		return fits(snprintf(path, size, "%s/tapir", own), size);
	return i == 2 && fits(snprintf(path, size, "%s/tapir-%u", tmp && *tmp == '/' ? tmp : "/tmp", geteuid()), size);
}
