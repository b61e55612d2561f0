/* ac: the action cache. A miss is a result. */
#pragma once

#include "caps.h"
#include "wire_ac.h"

struct ac_get_options {
	bool inline_stdout, inline_stderr;
	const char **inline_files;
	size_t n_inline_files;
};
RX_MUST_USE bool ac_get(struct client *c, const struct digest *action,
			const struct ac_get_options *o, struct arena *a, bool *hit_out,
			struct result *out, struct rx_err *err);
/* stored_out (may be NULL): false when the server does not take results from us (read-only: a note,
 * not an error). */
RX_MUST_USE bool ac_put(struct client *c, const struct digest *action, const struct result *r,
			bool *stored_out, struct rx_err *err);
