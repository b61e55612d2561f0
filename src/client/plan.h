/* plan: which blobs go together in a batch and which are streamed. Pure. (REAPI rules 44-47, 60,
 * 68, 69) */
#pragma once

#include "digest.h"

struct plan_limits {
	int64_t blob_bytes;    /* server's max_batch_total_size_bytes; 0 = not stated */
	int64_t message_bytes; /* encoded request or answer; 0 = PLAN_MESSAGE_BYTES */
	size_t items;          /* 0 = PLAN_ITEMS */
	size_t header_bytes;   /* of the message around the entries */
};
#define PLAN_MESSAGE_BYTES ((4 << 20) - (64 << 10))
#define PLAN_ITEMS         4000

struct plan_item {
	struct digest digest;
	size_t entry_bytes; /* encoded */
	size_t index;       /* the caller's */
};
struct plan {
	size_t *order;       /* item positions, batch after batch */
	size_t *batch_start; /* n_batches + 1 offsets into order */
	size_t n_batches;
	size_t *streams; /* item positions too large for any batch */
	size_t n_streams;
};
/* First-fit decreasing: fewest batches within a few percent, deterministic. */
void plan_make(const struct plan_limits *l, const struct plan_item *items, size_t n,
	       struct plan *out);
void plan_release(struct plan *p);
