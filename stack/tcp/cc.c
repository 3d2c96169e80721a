/* cc.c: which controllers there are (cc.h), by number and by name, and how a connection changes from one to another. */
#include "cc.h"

static const struct cc_ops *const controllers[TAPIR_CC_COUNT] = {
	[TAPIR_CC_NEWRENO] = &cc_newreno, [TAPIR_CC_CUBIC] = &cc_cubic, [TAPIR_CC_BBR] = &cc_bbr
};

const struct cc_ops *cc_of(enum tapir_cc number)
{
	assert((unsigned)number < TAPIR_CC_COUNT);
	return controllers[number];
}

const struct cc_ops *cc_find(const char *name)
{
	int number = tapir_cc_parse(name);

	return number < 0 ? NULL : controllers[number];
}

void cc_switch(struct cc *cc, void *priv, const struct cc_ops *to, const struct cc_sample *s)
{
	if (cc->ops == to)
		return;
	cc->ops = to;
	if (priv)
		memset(priv, 0, CC_PRIV);
	if (priv && cc->cwnd)
		to->start(cc, priv, s, 0);
}
