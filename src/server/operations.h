/* operations: actions under way: a queue by priority, threads that run them, and the streams that
 * watch.
 *
 * An operation outlives the streams that asked for it: a client may come back with WaitExecution.
 * One that nobody has watched for orphan_ms is cancelled. Finished ones are kept for
 * OPERATION_KEEP_MS, bounded in number and bytes. Equal actions that may be cached are merged while
 * they are under way (REAPI rules 123, 124). */
#pragma once

#include "listen.h"
#include "store.h"
#include "wire_execution.h"
#include "worker.h"

#define OPERATION_KEEP_MS    300000
#define OPERATION_KEEP_COUNT 1000
#define OPERATION_KEEP_BYTES (64 << 20)
#define OPERATION_ORPHAN_MS  60000

struct operations_options {
	struct store *store;
	struct runner *runner;
	struct pool *pool;
	const char *scratch_dir;
	unsigned max_actions;       /* 0 = processors */
	int64_t orphan_ms;          /* 0 = OPERATION_ORPHAN_MS */
	void (*changed)(void *ctx); /* an action ended: the server may have become idle */
	void *ctx;
};
struct operations;
struct operations *operations_new(const struct operations_options *o, struct rx_err *err);
/* Cancels what runs and waits for it. All watching calls must have closed. */
void operations_free(struct operations *ops);
size_t operations_running(struct operations *ops); /* queued and executing */

/* Queues m's action, or joins one under way; from then on c is sent every state and finished after
 * the last. may_merge: not for do_not_cache. RX_ELIMIT when too many wait. */
RX_MUST_USE bool operations_execute(struct operations *ops, struct listen_call *c,
				    const struct wire_execute *m, bool may_merge,
				    struct rx_err *err);
/* Attaches c to an operation; false when there is none of that name. */
bool operations_watch(struct operations *ops, struct listen_call *c, const char *name);
/* c has closed. */
void operations_unwatch(struct operations *ops, struct listen_call *c);
/* The packed state of an operation, appended; false when there is none of that name. */
bool operations_state(struct operations *ops, const char *name, struct rx_buf *out);
/* false when there is none of that name; one that is done stays done. */
bool operations_cancel(struct operations *ops, const char *name);
