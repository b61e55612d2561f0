/* worker_parts: what the files of the worker share. */
#pragma once

#include "rpc_status.h"
#include "worker.h"

/* Refuses the action: outcome REFUSED, `why` in the arena. Always true: it is a result. */
bool worker_refuse(struct worker_outcome *out, struct arena *a, int grpc_code, const char *fmt, ...)
	RX_PRINTF(4, 5);
/* When the error is about what the client sent (malformed, too large) it becomes a refusal and true
 * is returned; other errors stay errors. */
bool worker_refuse_err(struct worker_outcome *out, struct arena *a, int grpc_code,
		       struct rx_err *err);

/* Directories as an action may have them: marks are an error (REAPI rule 17). */
extern const struct directory_codec worker_codec;
/* NULL when marks are fine, else what is wrong, for people. */
const char *worker_marks(unsigned marks);
