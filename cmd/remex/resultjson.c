/* resultjson: action results to JSON and back. */
#include "resultjson.h"

#include "file.h"
#include "jsonpull.h"
#include "utf8.h"

static const char *const kind_names[] = {
	[NODE_FILE] = "file", [NODE_DIRECTORY] = "directory", [NODE_SYMLINK] = "symlink"
};
static const char base64_digits[] =
	"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void resultjson_add_digest(struct json *j, const char *key, const struct digest *d)
{
	char text[DIGEST_TEXT_MAX];

	if (!digest_is_set(d))
		return;
	digest_format(d, text);
	json_kv_str(j, key, text);
}

static void add_output(struct json *j, const struct result_output *o)
{
	json_object(j);
	json_kv_str(j, "path", o->path);
	json_kv_str(j, "kind", kind_names[o->kind]);
	resultjson_add_digest(j, "digest", &o->digest);
	resultjson_add_digest(j, "tree_digest", &o->tree_digest);
	if (o->kind == NODE_SYMLINK)
		json_kv_str(j, "target", o->target);
	if (o->kind == NODE_FILE)
		json_kv_bool(j, "is_executable", o->is_executable);
	json_end(j, '}');
}

void resultjson_add(struct json *j, const struct result *r)
{
	json_key(j, "outputs");
	json_array(j);
	for (size_t i = 0; i < r->n_outputs; i++)
		if (r->outputs[i].kind != NODE_UNKNOWN)
			add_output(j, &r->outputs[i]);
	json_end(j, ']');
	resultjson_add_digest(j, "stdout_digest", &r->stdout_digest);
	resultjson_add_digest(j, "stderr_digest", &r->stderr_digest);
}

static char *to_base64(struct rx_view v)
{
	struct rx_buf out = { .max = RX_BUF_NO_MAX };

	for (size_t i = 0; i < v.n; i += 3) {
		size_t left = v.n - i;
		uint32_t bits = (uint32_t)(uint8_t)v.p[i] << 16;

		if (left > 1)
			bits |= (uint32_t)(uint8_t)v.p[i + 1] << 8;
		if (left > 2)
			bits |= (uint8_t)v.p[i + 2];
		rx_buf_add_char(&out, base64_digits[bits >> 18]);
		rx_buf_add_char(&out, base64_digits[bits >> 12 & 63]);
		rx_buf_add_char(&out, left > 1 ? base64_digits[bits >> 6 & 63] : '=');
		rx_buf_add_char(&out, left > 2 ? base64_digits[bits & 63] : '=');
	}
	return rx_buf_take(&out);
}

static bool from_base64(struct arena *a, struct rx_view text, struct rx_view *out)
{
	char *bytes = arena_alloc(a, text.n / 4 * 3 + 1);
	size_t n = 0;

	if (text.n % 4)
		return false;
	for (size_t i = 0; i < text.n; i += 4) {
		uint32_t bits = 0;
		size_t digits = 0;

		for (; digits < 4 && text.p[i + digits] != '='; digits++) {
			const char *at = memchr(base64_digits, text.p[i + digits], 64);

			if (!at)
				return false;
			bits |= (uint32_t)(at - base64_digits) << (18 - 6 * digits);
		}
		/* padding: only at the end, and at most two */
		if (digits < 2 || (digits < 4 && i + 4 != text.n) ||
		    (digits == 2 && text.p[i + 3] != '='))
			return false;
		for (size_t k = 0; k + 1 < digits; k++)
			bytes[n++] = (char)(bits >> (16 - 8 * k));
	}
	*out = (struct rx_view){ bytes, n };
	return true;
}

void resultjson_add_text(struct json *j, const char *key, struct rx_view bytes)
{
	RX_CLEANUP(xfreep) char *encoded = NULL;
	char name[32];

	if (!bytes.n)
		return;
	if (utf8_valid(bytes.p, bytes.n)) {
		json_key(j, key);
		json_view(j, bytes);
		return;
	}
	encoded = to_base64(bytes);
	snprintf(name, sizeof(name), "%s_base64", key);
	json_kv_str(j, name, encoded);
}

static const char *text_of(struct arena *a, const struct jsondoc *v)
{
	if (!v || v->type != JSON_STRING || memchr(v->text.p, '\0', v->text.n))
		return NULL;
	return arena_strn(a, v->text.p, v->text.n);
}

static bool read_digest(struct arena *a, const struct jsondoc *obj, const char *key,
			struct digest *out, struct rx_err *err)
{
	const struct jsondoc *v = jsondoc_get(obj, key);
	const char *text = text_of(a, v);

	if (!v)
		return true;
	if (!text)
		return rx_fail(err, RX_EPARSE, "'%s' is not text", key);
	return digest_parse(text, out, err) || rx_wrap(err, "'%s'", key);
}

static bool read_kind(struct arena *a, const struct jsondoc *obj, enum node_kind *out,
		      struct rx_err *err)
{
	const char *text = text_of(a, jsondoc_get(obj, "kind"));

	for (int k = NODE_FILE; text && k <= NODE_SYMLINK; k++) {
		if (strcmp(text, kind_names[k]) == 0) {
			*out = (enum node_kind)k;
			return true;
		}
	}
	return rx_fail(err, RX_EPARSE, "'kind' is not file, directory or symlink");
}

static bool read_output(struct arena *a, const struct jsondoc *v, struct result_output *out,
			struct rx_err *err)
{
	const struct jsondoc *executable = jsondoc_get(v, "is_executable");

	out->path = text_of(a, jsondoc_get(v, "path"));
	if (!out->path || !path_is_relative_clean(out->path))
		return rx_fail(err, RX_EPARSE, "'path' is not a clean relative path");
	if (!read_kind(a, v, &out->kind, err) || !read_digest(a, v, "digest", &out->digest, err) ||
	    !read_digest(a, v, "tree_digest", &out->tree_digest, err))
		return false;
	out->target = text_of(a, jsondoc_get(v, "target"));
	out->is_executable = executable && executable->type == JSON_BOOL && executable->truth;
	if (out->kind == NODE_SYMLINK && !out->target)
		return rx_fail(err, RX_EPARSE, "a symlink without 'target'");
	if (out->kind == NODE_FILE && !digest_is_set(&out->digest))
		return rx_fail(err, RX_EPARSE, "a file without 'digest'");
	if (out->kind == NODE_DIRECTORY && !digest_is_set(&out->digest) &&
	    !digest_is_set(&out->tree_digest))
		return rx_fail(err, RX_EPARSE, "a directory without 'digest' or 'tree_digest'");
	return true;
}

static bool read_text(struct arena *a, const struct jsondoc *doc, const char *key,
		      struct rx_view *out, struct rx_err *err)
{
	const struct jsondoc *v = jsondoc_get(doc, key);
	char name[32];

	snprintf(name, sizeof(name), "%s_base64", key);
	if (v && v->type != JSON_STRING)
		return rx_fail(err, RX_EPARSE, "'%s' is not text", key);
	if (v) {
		*out = v->text;
		return true;
	}
	v = jsondoc_get(doc, name);
	if (v && (v->type != JSON_STRING || !from_base64(a, v->text, out)))
		return rx_fail(err, RX_EPARSE, "'%s' is not base64", name);
	return true;
}

/* Text beside a digest counts when it is all of it: exec keeps only the beginning of long output.
 */
static bool read_stream(struct arena *a, const struct jsondoc *doc, const char *key,
			struct digest *digest, struct rx_view *raw, struct rx_err *err)
{
	struct digest of_text;
	char name[32];

	snprintf(name, sizeof(name), "%s_digest", key);
	if (!read_digest(a, doc, name, digest, err) || !read_text(a, doc, key, raw, err))
		return false;
	if (!digest_is_set(digest) || !raw->n)
		return true;
	if (digest_function_supported((enum digest_function)digest->function)) {
		digest_of_view((enum digest_function)digest->function, *raw, &of_text);
		if (digest_eq(&of_text, digest))
			return true;
	}
	*raw = (struct rx_view){ NULL, 0 };
	return true;
}

static bool read_outputs(struct arena *a, const struct jsondoc *v, struct result *r,
			 struct rx_err *err)
{
	if (!v)
		return true;
	if (v->type != JSON_ARRAY)
		return rx_fail(err, RX_EPARSE, "'outputs' is not a list");
	r->outputs = ARENA_ARRAY(a, struct result_output, v->n + 1);
	r->n_outputs = v->n;
	for (size_t i = 0; i < v->n; i++)
		if (!read_output(a, &v->items[i], &r->outputs[i], err))
			return rx_wrap(err, "outputs[%zu]", i);
	result_sort(r);
	for (size_t i = 1; i < r->n_outputs; i++)
		if (strcmp(r->outputs[i - 1].path, r->outputs[i].path) == 0)
			return rx_fail(err, RX_EPARSE, "output '%s' occurs twice",
				       r->outputs[i].path);
	return true;
}

static bool read_all(struct arena *a, const struct jsondoc *doc, struct result *r,
		     struct rx_err *err)
{
	const struct jsondoc *exit_code = jsondoc_get(doc, "exit_code");
	int64_t code = 0;

	if (doc->type != JSON_OBJECT)
		return rx_fail(err, RX_EPARSE, "expected an object");
	if (!exit_code || !jsondoc_int(exit_code, &code) || code < INT32_MIN || code > INT32_MAX)
		return rx_fail(err, RX_EPARSE, "'exit_code' is missing or no number");
	r->exit_code = (int)code;
	if (!read_outputs(a, jsondoc_get(doc, "outputs"), r, err))
		return false;
	r->worker = text_of(a, jsondoc_get(doc, "worker"));
	return read_stream(a, doc, "stdout", &r->stdout_digest, &r->stdout_raw, err) &&
	       read_stream(a, doc, "stderr", &r->stderr_digest, &r->stderr_raw, err);
}

bool resultjson_read(struct arena *a, const char *name, struct rx_view text, struct result *out,
		     struct rx_err *err)
{
	struct jsondoc *doc;
	struct result r = { 0 };

	if (!jsondoc_parse(a, name, text, &doc, err))
		return false;
	if (!read_all(a, doc, &r, err))
		return rx_wrap(err, "%s", name);
	*out = r;
	return true;
}
