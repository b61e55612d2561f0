/* collect: what an action wrote becomes outputs: digests, trees and blobs for a sink. Confined to
 * the root. */
#pragma once

#include "result.h"
#include "pool.h"
#include "source.h"

struct collect_options {
	int root_fd;     /* the execution root */
	const char *cwd; /* outputs are relative to it */
	const struct directory_codec *codec;
	void (*tree_pack)(const struct rx_view *records, size_t n,
			  struct rx_buf *out); /* Tree bytes of sorted records */
	enum digest_function function;
	enum output_format format;
	struct pool *pool; /* may be NULL */
	bool old_fields;   /* output_files and output_directories with their type checks (REAPI rule
			      138) */
	bool allow_absolute_links; /* else an absolute output symlink is RX_EPARSE (REAPI rule 51)
				    */
	const char **node_properties; /* asked for: "unix_mode", "mtime" */
	size_t n_node_properties;
	int64_t max_bytes; /* 0 = none */
};
/* Declared outputs that are not there are left out (REAPI rule 136). Sockets, FIFOs and devices:
 * RX_EPARSE. Paths are those of the action's lists; results are sorted by path. */
RX_MUST_USE bool collect_outputs(const struct collect_options *o, const struct action *action,
				 struct blob_sink *sink, struct arena *a, struct result *out,
				 struct rx_err *err);
