#include "why.h"
int why_replay(struct why_out *o, struct reading *r, const struct captured *first, const struct why_replay_options *how)
{ (void)o; (void)r; (void)first; (void)how; return 0; }
