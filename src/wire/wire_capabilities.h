/* wire_capabilities: GetCapabilities. */
#pragma once

#include "wire.h"

#define WIRE_CAPABILITIES "/build.bazel.remote.execution.v2.Capabilities/GetCapabilities"

struct wire_semver {
	int major, minor, patch;
	const char *prerelease; /* NULL or "" = none */
	bool present;
};
int wire_semver_cmp(const struct wire_semver *a, const struct wire_semver *b); /* REAPI rule 40 */
struct wire_priority_range {
	int32_t min, max;
};
enum wire_symlinks { WIRE_SYMLINKS_UNKNOWN, WIRE_SYMLINKS_DISALLOWED, WIRE_SYMLINKS_ALLOWED };
struct wire_capabilities {
	bool has_cache, has_execution;
	struct wire_semver deprecated, low, high;
	enum digest_function cache_functions[32];
	size_t n_cache_functions;
	bool update_enabled;
	int64_t max_batch, max_blob;
	enum wire_symlinks symlinks;
	enum compressor compressors[16], batch_compressors[16];
	size_t n_compressors, n_batch_compressors;
	bool split, splice, has_fastcdc, has_repmaxcdc;
	uint64_t fastcdc_avg, repmaxcdc_min, repmaxcdc_horizon;
	uint32_t fastcdc_seed;
	bool exec_enabled;
	enum digest_function
		exec_functions[32]; /* field 5, or field 1 alone when 5 is empty (REAPI rule 41) */
	size_t n_exec_functions;
	struct wire_priority_range *exec_priorities, *cache_priorities;
	size_t n_exec_priorities, n_cache_priorities;
	const char **node_properties;
	size_t n_node_properties;
};
void wire_capabilities_request_pack(const char *instance, struct rx_buf *out);
RX_MUST_USE bool wire_capabilities_request_unpack(struct arena *a, struct rx_view bytes,
						  const char **instance, struct rx_err *err);
void wire_capabilities_pack(const struct wire_capabilities *c, struct rx_buf *out);
RX_MUST_USE bool wire_capabilities_unpack(struct arena *a, struct rx_view bytes,
					  struct wire_capabilities *out, struct rx_err *err);
