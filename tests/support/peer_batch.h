/* peer_batch.h: segments of peers that reach the stack in one call (tapir_input_batch); see peer.h. */
#ifndef TEST_PEER_BATCH_H
#define TEST_PEER_BATCH_H

#include "peer.h"

#define PEER_BATCH 64

struct peer_batch {
	struct tapir_frame *frames[PEER_BATCH];	/* may be changed before they arrive (frame_fix_checksums) */
	enum tapir_verdict verdicts[PEER_BATCH];	/* of each, when they have arrived */
	uint32_t n;
};
/* One more, as peer_sends would send it. */
struct tapir_frame *peer_batch_add(struct peer_batch *b, const struct peer *p, const char *line, ...) WRITTEN(3);
/* All of them arrive, and the batch is empty again. */
void peer_batch_arrives(struct peer_batch *b, struct peer *p);

#endif
