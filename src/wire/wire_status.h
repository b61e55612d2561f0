/* wire_status: google.rpc.Status and the details we read and write; RequestMetadata. */
#pragma once

#include "wire.h"

struct wire_violation {
	const char *type, *subject, *description;
	bool is_missing;      /* type MISSING with a subject that names a blob */
	struct digest digest; /* then */
};
struct wire_status {
	int code;
	const char *message; /* never NULL, cut to LIMIT_STATUS_MESSAGE */
	bool has_retry;
	int64_t retry_ms; /* RetryInfo */
	struct wire_violation *violations;
	size_t n_violations;
	bool all_missing; /* at least one violation and all are is_missing (REAPI rule 118) */
};
/* Undecodable details are ignored, as they only help. */
RX_MUST_USE bool wire_status_unpack(struct arena *a, struct rx_view bytes, struct wire_status *out,
				    struct rx_err *err);
void wire_status_pack(const struct wire_status *s, struct rx_buf *out);

struct wire_metadata {
	const char *tool_name, *tool_version, *action_id, *invocation_id, *correlated_id, *mnemonic,
		*target_id, *configuration_id; /* "" or NULL = unset */
};
#define WIRE_METADATA_HEADER "build.bazel.remote.execution.v2.requestmetadata-bin"
void wire_metadata_pack(const struct wire_metadata *m, struct rx_buf *out);
RX_MUST_USE bool wire_metadata_unpack(struct arena *a, struct rx_view bytes,
				      struct wire_metadata *out, struct rx_err *err);
