/* cmd_caps: `remex caps`: what the server can do. */
#include "caps.h"
#include "clock.h"
#include "connection.h"

static const char *const compressor_names[] = { [COMPRESSOR_IDENTITY] = "identity",
						[COMPRESSOR_ZSTD] = "zstd",
						[COMPRESSOR_DEFLATE] = "deflate",
						[COMPRESSOR_BROTLI] = "brotli" };
static const char *const symlink_names[] = { [WIRE_SYMLINKS_UNKNOWN] = "not stated",
					     [WIRE_SYMLINKS_DISALLOWED] = "disallowed",
					     [WIRE_SYMLINKS_ALLOWED] = "allowed" };

static const char *compressor_name(enum compressor c)
{
	return (size_t)c < RX_COUNT(compressor_names) ? compressor_names[c] : "unknown";
}

static void row(struct rx_buf *out, const char *name, const char *value)
{
	rx_buf_addf(out, "%-22s %s\n", name, value);
}

static const char *version(struct arena *a, const struct wire_semver *v)
{
	if (!v->present)
		return "not stated";
	return arena_printf(a, "%d.%d%s%s", v->major, v->minor,
			    v->prerelease && *v->prerelease ? "-" : "",
			    v->prerelease ? v->prerelease : "");
}

static const char *functions(struct arena *a, const enum digest_function *f, size_t n)
{
	const char *text = n ? "" : "not stated";

	for (size_t i = 0; i < n; i++)
		text = arena_printf(a, "%s%s%s", text, i ? " " : "", digest_function_name(f[i]));
	return text;
}

static const char *compressors(struct arena *a, const enum compressor *v, size_t n)
{
	const char *text = n ? "" : "none";

	for (size_t i = 0; i < n; i++)
		text = arena_printf(a, "%s%s%s", text, i ? " " : "", compressor_name(v[i]));
	return text;
}

static const char *ranges(struct arena *a, const struct wire_priority_range *v, size_t n)
{
	const char *text = n ? "" : "none";

	for (size_t i = 0; i < n; i++)
		text = arena_printf(a, "%s%s%d..%d", text, i ? " " : "", v[i].min, v[i].max);
	return text;
}

static const char *size(struct arena *a, int64_t bytes)
{
	RX_CLEANUP(rx_buf_release) struct rx_buf text = { 0 };

	if (!bytes)
		return "not stated";
	clock_add_size(&text, bytes);
	return arena_str(a, rx_buf_str(&text));
}

static void add_table(struct cmd *c, const struct caps *caps, const char *remote)
{
	const struct wire_capabilities *raw = &caps->raw;
	struct rx_buf *out = &c->out;
	struct arena *a = &c->arena;

	row(out, "remote", remote);
	if (caps->assumed)
		row(out, "capabilities", "not offered: what follows is assumed");
	row(out, "api",
	    arena_printf(a, "%s to %s, speaking %d.%d", version(a, &raw->low),
			 version(a, &raw->high), caps->api_major, caps->api_minor));
	if (raw->deprecated.present)
		row(out, "deprecated api", version(a, &raw->deprecated));
	row(out, "digest functions", functions(a, raw->cache_functions, raw->n_cache_functions));
	row(out, "digest function used", digest_function_name(caps->function));
	row(out, "largest batch", size(a, raw->max_batch));
	row(out, "largest blob", size(a, raw->max_blob));
	row(out, "cache updates", caps->can_update_ac ? "yes" : "no");
	row(out, "compressors", compressors(a, raw->compressors, raw->n_compressors));
	row(out, "batch compressors",
	    compressors(a, raw->batch_compressors, raw->n_batch_compressors));
	row(out, "absolute symlinks", symlink_names[raw->symlinks]);
	row(out, "split and splice",
	    raw->split ? (raw->splice ? "both" : "split") : (raw->splice ? "splice" : "no"));
	row(out, "execution", caps->can_execute ? "yes" : "no");
	if (raw->has_execution) {
		row(out, "execution functions",
		    functions(a, raw->exec_functions, raw->n_exec_functions));
		row(out, "priorities", ranges(a, raw->exec_priorities, raw->n_exec_priorities));
	}
	if (raw->n_cache_priorities)
		row(out, "cache priorities",
		    ranges(a, raw->cache_priorities, raw->n_cache_priorities));
	for (size_t i = 0; i < raw->n_node_properties; i++)
		row(out, "node property", raw->node_properties[i]);
	if (caps->warning)
		row(out, "warning", caps->warning);
}

static void json_functions(struct json *j, const char *key, const enum digest_function *f, size_t n)
{
	json_key(j, key);
	json_array(j);
	for (size_t i = 0; i < n; i++)
		json_str(j, digest_function_name(f[i]));
	json_end(j, ']');
}

static void json_compressors(struct json *j, const char *key, const enum compressor *v, size_t n)
{
	json_key(j, key);
	json_array(j);
	for (size_t i = 0; i < n; i++)
		json_str(j, compressor_name(v[i]));
	json_end(j, ']');
}

static void json_ranges(struct json *j, const char *key, const struct wire_priority_range *v,
			size_t n)
{
	json_key(j, key);
	json_array(j);
	for (size_t i = 0; i < n; i++) {
		json_object(j);
		json_kv_int(j, "min", v[i].min);
		json_kv_int(j, "max", v[i].max);
		json_end(j, '}');
	}
	json_end(j, ']');
}

static void json_version(struct json *j, struct arena *a, const char *key,
			 const struct wire_semver *v)
{
	if (v->present)
		json_kv_str(j, key, version(a, v));
}

static void json_cache(struct json *j, const struct caps *caps)
{
	const struct wire_capabilities *raw = &caps->raw;

	json_functions(j, "digest_functions", raw->cache_functions, raw->n_cache_functions);
	json_kv_bool(j, "update_enabled", raw->update_enabled);
	json_kv_int(j, "max_batch_total_size_bytes", raw->max_batch);
	json_kv_int(j, "max_cas_blob_size_bytes", raw->max_blob);
	json_kv_str(j, "symlink_absolute_path",
		    raw->symlinks ? symlink_names[raw->symlinks] : "unknown");
	json_compressors(j, "compressors", raw->compressors, raw->n_compressors);
	json_compressors(j, "batch_compressors", raw->batch_compressors, raw->n_batch_compressors);
	json_ranges(j, "cache_priorities", raw->cache_priorities, raw->n_cache_priorities);
	json_kv_bool(j, "split", raw->split);
	json_kv_bool(j, "splice", raw->splice);
	if (raw->has_fastcdc) {
		json_kv_int(j, "fastcdc_average_bytes", (int64_t)raw->fastcdc_avg);
		json_kv_int(j, "fastcdc_seed", raw->fastcdc_seed);
	}
	if (raw->has_repmaxcdc) {
		json_kv_int(j, "repmaxcdc_min_bytes", (int64_t)raw->repmaxcdc_min);
		json_kv_int(j, "repmaxcdc_horizon_bytes", (int64_t)raw->repmaxcdc_horizon);
	}
}

static void add_json(struct cmd *c, const struct caps *caps, const char *remote)
{
	const struct wire_capabilities *raw = &caps->raw;
	struct json j = cmd_json(c);

	json_kv_str(&j, "remote", remote);
	json_kv_bool(&j, "assumed", caps->assumed);
	json_version(&j, &c->arena, "low_api_version", &raw->low);
	json_version(&j, &c->arena, "high_api_version", &raw->high);
	json_version(&j, &c->arena, "deprecated_api_version", &raw->deprecated);
	json_kv_str(&j, "api_version",
		    arena_printf(&c->arena, "%d.%d", caps->api_major, caps->api_minor));
	json_kv_str(&j, "digest_function", digest_function_name(caps->function));
	json_kv_bool(&j, "can_execute", caps->can_execute);
	json_kv_bool(&j, "can_update_action_cache", caps->can_update_ac);
	if (raw->has_cache)
		json_cache(&j, caps);
	json_kv_bool(&j, "exec_enabled", raw->exec_enabled);
	if (raw->has_execution) {
		json_functions(&j, "execution_digest_functions", raw->exec_functions,
			       raw->n_exec_functions);
		json_ranges(&j, "execution_priorities", raw->exec_priorities,
			    raw->n_exec_priorities);
	}
	json_key(&j, "node_properties");
	json_array(&j);
	for (size_t i = 0; i < raw->n_node_properties; i++)
		json_str(&j, raw->node_properties[i]);
	json_end(&j, ']');
	if (caps->warning)
		json_kv_str(&j, "warning", caps->warning);
	cmd_json_end(c, &j);
}

static int caps(struct cmd *c, struct connection *k)
{
	RX_CLEANUP(session_close) struct session s = { 0 };
	const struct caps *cache, *executor;
	struct caps both;

	if (!session_open(&s, c, k, false, &c->err))
		return cmd_fail(c);
	cache = caps_get(s.client, &c->err);
	executor = cache ? caps_get_role(s.client, CLIENT_EXECUTOR, &c->err) : NULL;
	if (!executor)
		return cmd_fail(c);
	/* With an executor elsewhere: what the cache says of caching, what that says of running. */
	both = *cache;
	both.can_execute = executor->can_execute;
	both.raw.has_execution = executor->raw.has_execution;
	both.raw.exec_enabled = executor->raw.exec_enabled;
	memcpy(both.raw.exec_functions, executor->raw.exec_functions,
	       sizeof(both.raw.exec_functions));
	both.raw.n_exec_functions = executor->raw.n_exec_functions;
	both.raw.exec_priorities = executor->raw.exec_priorities;
	both.raw.n_exec_priorities = executor->raw.n_exec_priorities;
	if (c->json)
		add_json(c, &both, client_display(s.client, CLIENT_CAS));
	else
		add_table(c, &both, client_display(s.client, CLIENT_CAS));
	return cmd_done(c, EXIT_YES);
}

int cmd_caps(struct cmd *c, int argc, char **argv)
{
	struct connection k = { 0 };
	const struct opt own[] = { OPT_END };
	int code;

	if (!cmd_parse(c, own, &k, argc, argv) || !cmd_operands(c, 0, 0, ""))
		code = c->exit_code;
	else
		code = caps(c, &k);
	connection_release(&k);
	return code;
}
