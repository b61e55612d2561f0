/* json: writes JSON into a buffer. Commas and quoting are done here; strings that are not UTF-8
 * have their bad bytes replaced by U+FFFD. {0} plus `out` is a valid start. */
#pragma once

#include "buf.h"

#define JSON_MAX_DEPTH 64
struct json {
	struct rx_buf *out;
	bool pretty;
	unsigned depth;
	bool comma[JSON_MAX_DEPTH];
	bool after_key;
};

void json_object(struct json *j);
void json_array(struct json *j);
void json_end(struct json *j, char close); /* '}' or ']' */
void json_key(struct json *j, const char *key);
void json_str(struct json *j, const char *s); /* NULL writes null */
void json_view(struct json *j, struct rx_view v);
void json_int(struct json *j, int64_t v);
void json_double(struct json *j, double v);
void json_bool(struct json *j, bool v);
void json_null(struct json *j);
/* key and value in one go */
void json_kv_str(struct json *j, const char *key, const char *s);
void json_kv_int(struct json *j, const char *key, int64_t v);
void json_kv_bool(struct json *j, const char *key, bool v);
