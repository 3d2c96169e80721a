/* verdict.c: what became of a frame, counted and reported in one place. Owns tapir.counts; the words are names.c's. */
#include "core.h"

static enum tapir_verdict count(struct tapir *t, enum tapir_verdict v, uint32_t frame_len, bool arrived)
{
	struct tapir_event event;

	t->counts[v]++;
	if (!t->cfg.probe)
		return v;
	event = (struct tapir_event){.kind = TAPIR_EV_VERDICT, .now_us = t->now_us, .why = tapir_verdict_text(v)};
	event.u.verdict.verdict = v;
	event.u.verdict.frame_len = frame_len;
	event.u.verdict.arrived = arrived;
	probe(t, &event);
	return v;
}

enum tapir_verdict verdict_count(struct tapir *t, enum tapir_verdict v, uint32_t frame_len)
{
	return count(t, v, frame_len, false);
}

enum tapir_verdict verdict_arrived(struct tapir *t, enum tapir_verdict v, uint32_t frame_len)
{
	return count(t, v, frame_len, true);
}
