/* execution: Execute and WaitExecution until there is an answer (REAPI rules 110-130, 150). */
#pragma once

#include "caps.h"
#include "wire_execution.h"

struct execution_request {
	struct digest action;
	bool skip_cache_lookup;
	int32_t priority;
	bool inline_stdout, inline_stderr;
	/* The server lacks these blobs (MISSING violations): send exactly those (a Directory: its
	 * whole subtree). */
	bool (*upload_missing)(void *ctx, const struct digest *missing, size_t n,
			       struct rx_err *err);
	/* Runs on the calling thread at each stage change; name is the operation's. May be NULL. */
	void (*on_stage)(void *ctx, enum wire_stage stage, const char *name);
	void *ctx;
};
struct execution_outcome {
	bool has_result;
	struct result result;
	bool cached,
		timed_out; /* timed_out: DEADLINE_EXCEEDED of the action itself (REAPI rule 115) */
	struct wire_status status; /* not OK: the server failed the action, result may be partial */
	const char *message;
	const struct wire_log *logs;
	size_t n_logs;
	const char *operation;
	unsigned executes, waits; /* how many calls it took */
};
/* True when the server gave a final answer, also a failed one (status). */
RX_MUST_USE bool execution_run(struct client *c, const struct execution_request *r, struct arena *a,
			       struct execution_outcome *out, struct rx_err *err);
