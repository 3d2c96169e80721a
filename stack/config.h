/* config.h: what stack.c asks of config.c. */
#ifndef CONFIG_H
#define CONFIG_H

#include "base/bytes.h"

bool config_is_possible(const struct tapir_config *c);
/* Fills in what was left to be chosen: the link address. */
void config_complete(struct tapir_config *c, uint64_t entropy);

#endif
