/* transfer: what `remex cas put` and `cas get` do. */
#pragma once

#include "cas.h"
#include "walk.h"

struct transfer_put_options {
	enum walk_symlinks symlinks;
	const struct pattern *const *excludes;
	size_t n_excludes;
	bool want_tree, dry_run;
};
struct transfer_put_result {
	enum node_kind kind;
	struct digest digest, tree_digest;
	size_t files;
	int64_t bytes;
	size_t uploaded_blobs;
	int64_t uploaded_bytes;
};
/* c is NULL for dry_run: then function says how to hash. */
RX_MUST_USE bool transfer_put(struct client *c, enum digest_function f, struct pool *pool,
			      const struct transfer_put_options *o, const char *path,
			      struct transfer_put_result *out, struct rx_err *err);

enum transfer_kind { TRANSFER_BLOB, TRANSFER_DIRECTORY, TRANSFER_TREE };
struct transfer_get_result {
	size_t files, directories, symlinks;
	int64_t bytes;
};
/* Refuses (RX_EEXIST) to overwrite without force; never deletes. missing_out lists what the server
 * lacks (the caller releases it); then the call still returns true and nothing half-written is
 * left. */
RX_MUST_USE bool transfer_get(struct client *c, const struct digest *d, enum transfer_kind kind,
			      const char *out_path, bool force, struct digest_list *missing_out,
			      struct transfer_get_result *out, struct rx_err *err);
