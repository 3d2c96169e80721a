/* serve.h: the stack with its small services, as `tapir serve` runs it and `tapir lab` does in a child. */
#ifndef SERVE_H
#define SERVE_H

#include "args.h"
#include "services.h"

struct serve {
	const char *command;			/* whose sentences these are */
	struct options options;
	struct services_config services;
	bool alone;				/* nobody else is on the wire: no RFC 5227 probing, so it answers at once */
	char *prefix;				/* of --greet; from malloc, or NULL */
};
extern const struct option_line serve_options[];
void serve_default(struct serve *s, const char *command);
/* Takes option id of serve_options. 0, or ARGS_BAD when what is wrong was said. */
int serve_set(struct serve *s, const struct args *a, int id, const char *value);
/* Serves until a signal comes; calls ready(s, ctx), which may be NULL, when everything answers. The exit code: 0, or 1 when
 * something failed, which was said. */
int serve_run(struct serve *s, void (*ready)(const struct serve *s, void *ctx), void *ctx);
void serve_free(struct serve *s);

#endif
