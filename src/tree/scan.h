/* scan: files and directories on disk become nodes: directories are listed by the caller's thread,
 * files are hashed in batches on a pool and pushed into a sink as they are done.
 *
 *	s = scan_new(&options, &tree);
 *	ok = scan_directory(s, tree.root, "src", err) && scan_finish(s, err);
 *	scan_free(s);
 */
#pragma once

#include "node.h"
#include "pattern.h"
#include "pool.h"
#include "source.h"

struct scan_options {
	int dirfd;       /* local paths are relative to it; AT_FDCWD */
	bool confined;   /* what an action wrote: paths never leave dirfd, modes that forbid reading
			    are changed */
	bool resolve;    /* symlinks become what they point to */
	bool links_stay; /* an absolute symlink is an error (REAPI rule 51) */
	bool want_mode, want_mtime; /* node properties */
	const struct pattern *const *excludes;
	size_t n_excludes;
	enum digest_function function;
	struct pool *pool; /* NULL: files are hashed by the caller's thread */
	struct blob_sink *sink;
	int64_t keep_bytes; /* files up to this size are put as bytes */
	int64_t max_bytes;  /* of all files; 0 = no limit */
};
struct scan;
struct scan *scan_new(const struct scan_options *o, struct node_tree *t);
void scan_free(struct scan *s); /* waits */

enum scan_found { SCAN_ABSENT, SCAN_FAILED, SCAN_FOUND };
/* What is at `local`, put below dir as `name`; a directory with everything in it. Two things at one
 * path must turn out to be the same. local is copied, name is kept. */
enum scan_found scan_add(struct scan *s, struct node *dir, const char *name, const char *local,
			 struct rx_err *err);
/* Everything in the directory `local` into dir, following local itself when it is a symlink. */
RX_MUST_USE bool scan_directory(struct scan *s, struct node *dir, const char *local,
				struct rx_err *err);
/* One regular file into a node of its own. */
RX_MUST_USE bool scan_file(struct scan *s, struct node *file, const char *local,
			   struct rx_err *err);
/* A file that is not on disk. */
RX_MUST_USE bool scan_text(struct scan *s, struct node *dir, const char *name, struct rx_view text,
			   bool executable, struct rx_err *err);
/* Waits for the hashes; compares what was put at one path twice. */
RX_MUST_USE bool scan_finish(struct scan *s, struct rx_err *err);
