/* resultjson: an action's result as JSON: written by exec and `ac get`, read by `ac put`. */
#pragma once

#include "json.h"
#include "result.h"

/* "outputs", "stdout_digest", "stderr_digest" in an open object. */
void resultjson_add(struct json *j, const struct result *r);
/* key: HASH/SIZE when the digest is set, nothing otherwise. */
void resultjson_add_digest(struct json *j, const char *key, const struct digest *d);
/* "stdout" or "stderr": text when it is UTF-8, else "stdout_base64". */
void resultjson_add_text(struct json *j, const char *key, struct rx_view bytes);
/* Reads exit_code, outputs, stdout, stderr, their digests and worker; other fields don't matter.
 * name is for messages. */
RX_MUST_USE bool resultjson_read(struct arena *a, const char *name, struct rx_view text,
				 struct result *out, struct rx_err *err);
