/* wire_ac: GetActionResult and UpdateActionResult. */
#pragma once

#include "wire_result.h"

#define WIRE_AC "/build.bazel.remote.execution.v2.ActionCache/"

struct wire_get_result {
	const char *instance;
	struct digest action;
	bool inline_stdout, inline_stderr;
	const char **inline_files;
	size_t n_inline_files;
};
void wire_get_result_pack(const struct wire_get_result *m, struct rx_buf *out);
RX_MUST_USE bool wire_get_result_unpack(struct arena *a, struct rx_view bytes,
					struct wire_get_result *out, struct rx_err *err);

struct wire_update_result {
	const char *instance;
	struct digest action;
	struct result result;
	struct rx_view raw_result; /* unpack: the ActionResult as received */
};
void wire_update_result_pack(const struct wire_update_result *m, unsigned links,
			     struct rx_buf *out);
RX_MUST_USE bool wire_update_result_unpack(struct arena *a, struct rx_view bytes,
					   struct wire_update_result *out, struct rx_err *err);
