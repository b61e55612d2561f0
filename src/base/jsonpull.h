/* jsonpull: JSON from outside, over yajl: a pull parser for long inputs, and small trees built on
 * it. Depth, string length and tree size are limited. Errors carry line:column or the byte offset.
 */
#pragma once

#include "arena.h"
#include "err.h"

#define JSONPULL_MAX_DEPTH 128
#define JSONPULL_MAX_TOKEN (32u << 20) /* one string, number or stretch of white space */
#define JSONDOC_MAX_BYTES  (64u << 20)
#define JSONDOC_MAX_NODES  (2u << 20)

enum jsonpull_kind {
	JSONPULL_END, /* of the whole input */
	JSONPULL_OBJECT,
	JSONPULL_OBJECT_END,
	JSONPULL_ARRAY,
	JSONPULL_ARRAY_END,
	JSONPULL_KEY,
	JSONPULL_STRING,
	JSONPULL_NUMBER,
	JSONPULL_BOOL,
	JSONPULL_NULL
};
struct jsonpull_event {
	enum jsonpull_kind kind;
	struct rx_view text; /* key, string, or the number as written; valid until the next pull */
	bool truth;
	int64_t offset; /* of the input byte behind the token */
};

struct jsonpull;
/* read: fills p with up to n bytes, 0 at the end, negative (err set) on failure. Several
 * concatenated values are allowed when `many`. */
struct jsonpull *jsonpull_new(int64_t (*read)(void *ctx, void *p, size_t n, struct rx_err *err),
			      void *ctx, bool many);
RX_MUST_USE bool jsonpull_next(struct jsonpull *j, struct jsonpull_event *out, struct rx_err *err);
void jsonpull_free(struct jsonpull *j);

enum json_type { JSON_NULL, JSON_BOOL, JSON_NUMBER, JSON_STRING, JSON_ARRAY, JSON_OBJECT };
struct jsondoc {
	enum json_type type;
	bool truth;
	struct rx_view text;   /* string, or number as written */
	struct jsondoc *items; /* array elements or object values */
	struct rx_view *keys;  /* object keys, NULL for arrays */
	size_t n;
};
/* A whole small document; duplicate keys are refused. `name` is for messages. */
RX_MUST_USE bool jsondoc_parse(struct arena *a, const char *name, struct rx_view text,
			       struct jsondoc **out, struct rx_err *err);
const struct jsondoc *jsondoc_get(const struct jsondoc *obj,
				  const char *key); /* NULL when absent or not an object */
/* A number without fraction or exponent that fits. */
bool jsondoc_int(const struct jsondoc *v, int64_t *out);
