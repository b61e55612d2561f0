/* walk: what is on disk (and what the user maps and invents) becomes an input root: files are
 * hashed in parallel and pushed into a sink as they are found, directories bottom up.
 *
 * Inputs name files or whole directories below the root. Symlinks are kept as they are or resolved;
 * sockets, devices and FIFOs are an error that names the path. A file that changes while it is read
 * is an error. */
#pragma once

#include "action.h"
#include "pattern.h"
#include "pool.h"
#include "source.h"

enum walk_symlinks { WALK_PRESERVE, WALK_RESOLVE };

struct walk_input {
	const char *remote; /* path in the input root, clean; "" = the root itself */
	const char
		*local; /* path on disk, relative to root_dir or absolute; NULL for text and dir */
	const char *text; /* a virtual file's content */
	size_t text_len;
	bool empty_dir;  /* a virtual empty directory (outputs' parents, the working directory) */
	bool executable; /* of a virtual file */
};
struct walk_options {
	const char *root_dir;
	enum walk_symlinks symlinks;
	const struct pattern *const *
		excludes; /* searched in the remote path; a directory that matches is not entered */
	size_t n_excludes;
	enum digest_function function;
	const struct directory_codec *codec;
	struct pool *pool;
	bool want_tree;     /* also the Tree bytes' parts: see walk_result */
	bool no_inputs;     /* leave result.inputs out: for those who only upload */
	int64_t keep_bytes; /* files up to this size are read whole and put as bytes; larger ones as
			       paths */
};
#define WALK_KEEP_BYTES (1 << 20)

struct walk_result {
	struct digest root; /* of the root Directory */
	size_t files, directories, symlinks;
	int64_t bytes;             /* of files */
	const char *absolute_link; /* the path of one symlink with an absolute target, or NULL */
	struct rx_view *tree; /* want_tree: raw Directory bytes, topologically sorted, root first,
				 each once */
	size_t n_tree;
	struct action_input *inputs; /* files and symlinks, sorted by path */
	size_t n_inputs;
};
/* Two inputs that put different things at one remote path: RX_EUSAGE naming both. A path that is
 * not there: RX_ENOENT. Every blob of the result, directories too, went through sink->put (NULL
 * sink: only digests are computed). */
RX_MUST_USE bool walk_run(const struct walk_options *o, const struct walk_input *inputs, size_t n,
			  struct blob_sink *sink, struct arena *a, struct walk_result *out,
			  struct rx_err *err);
/* One file, or one directory as a root of its own: what `cas put PATH` needs. kind_out says which.
 */
RX_MUST_USE bool walk_path(const struct walk_options *o, const char *path, struct blob_sink *sink,
			   struct arena *a, enum node_kind *kind_out, struct walk_result *out,
			   struct rx_err *err);
