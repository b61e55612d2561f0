/* wire_execution: Execute, WaitExecution, operations. */
#pragma once

#include "wire_result.h"
#include "wire_status.h"

#define WIRE_EXECUTION  "/build.bazel.remote.execution.v2.Execution/"
#define WIRE_OPERATIONS "/google.longrunning.Operations/"

enum wire_stage {
	STAGE_UNKNOWN,
	STAGE_CACHE_CHECK,
	STAGE_QUEUED,
	STAGE_EXECUTING,
	STAGE_COMPLETED
};

struct wire_execute {
	const char *instance;
	bool skip_cache_lookup;
	struct digest action;
	int32_t priority, cache_priority;
	bool inline_stdout, inline_stderr;
	const char **inline_files;
	size_t n_inline_files;
};
void wire_execute_pack(const struct wire_execute *m, struct rx_buf *out);
RX_MUST_USE bool wire_execute_unpack(struct arena *a, struct rx_view bytes,
				     struct wire_execute *out, struct rx_err *err);

/* Any request that has only a name: WaitExecution, GetOperation, CancelOperation. */
void wire_name_pack(const char *name, struct rx_buf *out);
RX_MUST_USE bool wire_name_unpack(struct arena *a, struct rx_view bytes, const char **name,
				  struct rx_err *err);

struct wire_log {
	const char *name;
	struct digest digest;
	bool human_readable;
};
struct wire_operation {
	const char *name;
	bool done;
	/* metadata */
	bool has_metadata;
	enum wire_stage stage;
	struct digest action;
	const char *stdout_stream, *stderr_stream;
	/* when done */
	bool has_error; /* Operation.error: servers must not, clients cope (REAPI rule 113) */
	struct wire_status error;
	bool has_response;
	bool has_result;
	struct result result;
	bool cached;
	struct wire_status status; /* of the execution; code 0 when absent */
	const char *message;
	struct wire_log *logs;
	size_t n_logs;
};
/* f: the function of the action, for digests of the result. */
RX_MUST_USE bool wire_operation_unpack(struct arena *a, struct rx_view bytes,
				       enum digest_function f, struct wire_operation *out,
				       struct rx_err *err);
void wire_operation_pack(const struct wire_operation *m, unsigned links, struct rx_buf *out);
