/* wire_capabilities: GetCapabilities. */
#include "wire_capabilities.h"

#include "wire_pb.h"

/* REAPI rule 40: numbers by numbers; a pre-release before every release. */
int wire_semver_cmp(const struct wire_semver *a, const struct wire_semver *b)
{
	const char *x = a->prerelease ? a->prerelease : "", *y = b->prerelease ? b->prerelease : "";

	if (!*x != !*y)
		return *x ? -1 : 1;
	if (a->major != b->major)
		return a->major < b->major ? -1 : 1;
	if (a->minor != b->minor)
		return a->minor < b->minor ? -1 : 1;
	if (a->patch != b->patch)
		return a->patch < b->patch ? -1 : 1;
	return strcmp(x, y);
}

void wire_capabilities_request_pack(const char *instance, struct rx_buf *out)
{
	Re__GetCapabilitiesRequest m = RE__GET_CAPABILITIES_REQUEST__INIT;

	m.instance_name = wire_pb_text(instance);
	wire_pack(&m.base, out);
}

bool wire_capabilities_request_unpack(struct arena *a, struct rx_view bytes, const char **instance,
				      struct rx_err *err)
{
	unsigned marks = 0;
	Re__GetCapabilitiesRequest *m = wire_unpack(a, &re__get_capabilities_request__descriptor,
						    bytes, LIMIT_RESULT_BYTES, &marks, err);

	if (!m)
		return false;
	*instance = m->instance_name;
	return true;
}

static Semver__SemVer *pack_version(struct arena *a, const struct wire_semver *v)
{
	Semver__SemVer *m;

	if (!v->present)
		return NULL;
	m = PB_NEW(a, Semver__SemVer, semver__sem_ver);
	m->major = v->major;
	m->minor = v->minor;
	m->patch = v->patch;
	m->prerelease = wire_pb_text(v->prerelease);
	return m;
}

static Re__PriorityCapabilities *pack_priorities(struct arena *a,
						 const struct wire_priority_range *v, size_t n)
{
	Re__PriorityCapabilities *m;

	if (!n)
		return NULL;
	m = PB_NEW(a, Re__PriorityCapabilities, re__priority_capabilities);
	m->n_priorities = n;
	m->priorities = ARENA_ARRAY(a, Re__PriorityCapabilities__PriorityRange *, n);
	for (size_t i = 0; i < n; i++) {
		m->priorities[i] = PB_NEW(a, Re__PriorityCapabilities__PriorityRange,
					  re__priority_capabilities__priority_range);
		m->priorities[i]->min_priority = v[i].min;
		m->priorities[i]->max_priority = v[i].max;
	}
	return m;
}

static Re__DigestFunction__Value *pack_functions(struct arena *a, const enum digest_function *v,
						 size_t n)
{
	Re__DigestFunction__Value *out = ARENA_ARRAY(a, Re__DigestFunction__Value, n);

	for (size_t i = 0; i < n; i++)
		out[i] = (Re__DigestFunction__Value)v[i];
	return out;
}

static Re__Compressor__Value *pack_compressors(struct arena *a, const enum compressor *v, size_t n)
{
	Re__Compressor__Value *out = ARENA_ARRAY(a, Re__Compressor__Value, n);

	for (size_t i = 0; i < n; i++)
		out[i] = (Re__Compressor__Value)v[i];
	return out;
}

static Re__CacheCapabilities *pack_cache(struct arena *a, const struct wire_capabilities *c)
{
	Re__CacheCapabilities *m = PB_NEW(a, Re__CacheCapabilities, re__cache_capabilities);

	m->n_digest_functions = c->n_cache_functions;
	m->digest_functions = pack_functions(a, c->cache_functions, c->n_cache_functions);
	m->action_cache_update_capabilities =
		PB_NEW(a, Re__ActionCacheUpdateCapabilities, re__action_cache_update_capabilities);
	m->action_cache_update_capabilities->update_enabled = c->update_enabled;
	m->cache_priority_capabilities =
		pack_priorities(a, c->cache_priorities, c->n_cache_priorities);
	m->max_batch_total_size_bytes = c->max_batch;
	m->symlink_absolute_path_strategy = (Re__SymlinkAbsolutePathStrategy__Value)c->symlinks;
	m->n_supported_compressors = c->n_compressors;
	m->supported_compressors = pack_compressors(a, c->compressors, c->n_compressors);
	m->n_supported_batch_update_compressors = c->n_batch_compressors;
	m->supported_batch_update_compressors =
		pack_compressors(a, c->batch_compressors, c->n_batch_compressors);
	m->max_cas_blob_size_bytes = c->max_blob;
	m->split_blob_support = c->split;
	m->splice_blob_support = c->splice;
	if (c->has_fastcdc) {
		m->fast_cdc_2020_params = PB_NEW(a, Re__FastCdc2020Params, re__fast_cdc2020_params);
		m->fast_cdc_2020_params->avg_chunk_size_bytes = c->fastcdc_avg;
		m->fast_cdc_2020_params->seed = c->fastcdc_seed;
	}
	if (c->has_repmaxcdc) {
		m->rep_max_cdc_params = PB_NEW(a, Re__RepMaxCdcParams, re__rep_max_cdc_params);
		m->rep_max_cdc_params->min_chunk_size_bytes = c->repmaxcdc_min;
		m->rep_max_cdc_params->horizon_size_bytes = c->repmaxcdc_horizon;
	}
	return m;
}

static Re__ExecutionCapabilities *pack_execution(struct arena *a, const struct wire_capabilities *c)
{
	Re__ExecutionCapabilities *m =
		PB_NEW(a, Re__ExecutionCapabilities, re__execution_capabilities);

	if (c->n_exec_functions) /* what old clients look at */
		m->digest_function = (Re__DigestFunction__Value)c->exec_functions[0];
	m->exec_enabled = c->exec_enabled;
	m->execution_priority_capabilities =
		pack_priorities(a, c->exec_priorities, c->n_exec_priorities);
	m->n_supported_node_properties = c->n_node_properties;
	m->supported_node_properties = wire_pb_strings(c->node_properties);
	m->n_digest_functions = c->n_exec_functions;
	m->digest_functions = pack_functions(a, c->exec_functions, c->n_exec_functions);
	return m;
}

void wire_capabilities_pack(const struct wire_capabilities *c, struct rx_buf *out)
{
	RX_CLEANUP(arena_release) struct arena scratch = { 0 };
	Re__ServerCapabilities m = RE__SERVER_CAPABILITIES__INIT;

	if (c->has_cache)
		m.cache_capabilities = pack_cache(&scratch, c);
	if (c->has_execution)
		m.execution_capabilities = pack_execution(&scratch, c);
	m.deprecated_api_version = pack_version(&scratch, &c->deprecated);
	m.low_api_version = pack_version(&scratch, &c->low);
	m.high_api_version = pack_version(&scratch, &c->high);
	wire_pack(&m.base, out);
}

static struct wire_semver unpack_version(const Semver__SemVer *m)
{
	if (!m)
		return (struct wire_semver){ .prerelease = "" };
	return (struct wire_semver){
		.major = m->major,
		.minor = m->minor,
		.patch = m->patch,
		.prerelease = m->prerelease,
		.present = true,
	};
}

static struct wire_priority_range *unpack_priorities(struct arena *a,
						     const Re__PriorityCapabilities *m, size_t *n)
{
	struct wire_priority_range *v;

	*n = m ? m->n_priorities : 0;
	v = ARENA_ARRAY(a, struct wire_priority_range, *n);
	for (size_t i = 0; i < *n; i++)
		v[i] = (struct wire_priority_range){ m->priorities[i]->min_priority,
						     m->priorities[i]->max_priority };
	return v;
}

/* Numbers that mean nothing here are left out, UNKNOWN too (REAPI rule 35); each once, so that
 * any list fits. */
static void add_function(enum digest_function *v, size_t *n, int number)
{
	if (!digest_function_length((enum digest_function)number))
		return;
	for (size_t i = 0; i < *n; i++)
		if ((int)v[i] == number)
			return;
	v[(*n)++] = (enum digest_function)number;
}

static size_t unpack_compressors(enum compressor *out, const Re__Compressor__Value *v, size_t n)
{
	size_t kept = 0, k;

	for (size_t i = 0; i < n; i++) {
		if (v[i] < 0 || (int)v[i] > COMPRESSOR_BROTLI)
			continue;
		for (k = 0; k < kept && (int)out[k] != (int)v[i]; k++)
			;
		if (k == kept)
			out[kept++] = (enum compressor)v[i];
	}
	return kept;
}

static void unpack_cache(struct arena *a, const Re__CacheCapabilities *m,
			 struct wire_capabilities *c)
{
	int symlinks = (int)m->symlink_absolute_path_strategy;

	c->has_cache = true;
	for (size_t i = 0; i < m->n_digest_functions; i++)
		add_function(c->cache_functions, &c->n_cache_functions,
			     (int)m->digest_functions[i]);
	c->update_enabled = m->action_cache_update_capabilities &&
			    m->action_cache_update_capabilities->update_enabled;
	c->cache_priorities =
		unpack_priorities(a, m->cache_priority_capabilities, &c->n_cache_priorities);
	/* limits below zero are none */
	c->max_batch = RX_MAX(m->max_batch_total_size_bytes, 0);
	c->max_blob = RX_MAX(m->max_cas_blob_size_bytes, 0);
	if (symlinks == WIRE_SYMLINKS_DISALLOWED || symlinks == WIRE_SYMLINKS_ALLOWED)
		c->symlinks = (enum wire_symlinks)symlinks;
	c->n_compressors = unpack_compressors(c->compressors, m->supported_compressors,
					      m->n_supported_compressors);
	c->n_batch_compressors =
		unpack_compressors(c->batch_compressors, m->supported_batch_update_compressors,
				   m->n_supported_batch_update_compressors);
	c->split = m->split_blob_support;
	c->splice = m->splice_blob_support;
	if (m->fast_cdc_2020_params) {
		c->has_fastcdc = true;
		c->fastcdc_avg = m->fast_cdc_2020_params->avg_chunk_size_bytes;
		c->fastcdc_seed = m->fast_cdc_2020_params->seed;
	}
	if (m->rep_max_cdc_params) {
		c->has_repmaxcdc = true;
		c->repmaxcdc_min = m->rep_max_cdc_params->min_chunk_size_bytes;
		c->repmaxcdc_horizon = m->rep_max_cdc_params->horizon_size_bytes;
	}
}

static void unpack_execution(struct arena *a, const Re__ExecutionCapabilities *m,
			     struct wire_capabilities *c)
{
	c->has_execution = true;
	c->exec_enabled = m->exec_enabled;
	c->exec_priorities =
		unpack_priorities(a, m->execution_priority_capabilities, &c->n_exec_priorities);
	c->node_properties = (const char **)m->supported_node_properties;
	c->n_node_properties = m->n_supported_node_properties;
	for (size_t i = 0; i < m->n_digest_functions; i++)
		add_function(c->exec_functions, &c->n_exec_functions, (int)m->digest_functions[i]);
	if (!m->n_digest_functions) /* REAPI rule 41 */
		add_function(c->exec_functions, &c->n_exec_functions, (int)m->digest_function);
}

bool wire_capabilities_unpack(struct arena *a, struct rx_view bytes, struct wire_capabilities *out,
			      struct rx_err *err)
{
	unsigned marks = 0;
	const Re__ServerCapabilities *m = wire_unpack(a, &re__server_capabilities__descriptor,
						      bytes, LIMIT_RESULT_BYTES, &marks, err);
	struct wire_capabilities c = { 0 };

	if (!m)
		return false;
	c.deprecated = unpack_version(m->deprecated_api_version);
	c.low = unpack_version(m->low_api_version);
	c.high = unpack_version(m->high_api_version);
	if (m->cache_capabilities)
		unpack_cache(a, m->cache_capabilities, &c);
	if (m->execution_capabilities)
		unpack_execution(a, m->execution_capabilities, &c);
	*out = c;
	return true;
}
