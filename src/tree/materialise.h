/* materialise: digests become files: an input root for an action, or outputs for a user. Confined
 * to its target directory (openat2), each file written beside and renamed, verified by the source,
 * parents made. Used by client and server alike.
 *
 * Add entries, then run once: every blob is fetched once, whatever the number of paths that want
 * it. */
#pragma once

#include "result.h"
#include "source.h"

struct materialise_options {
	/* Which files and symlinks are made (full path below the target); NULL = all. Directories
	 * on the way are made only for what is wanted. */
	bool (*want)(void *ctx, const char *path, bool *yes, struct rx_err *err);
	void *want_ctx;
	const char *target_dir; /* exists */
	int target_fd;          /* used instead when target_dir is NULL */
	const struct directory_codec *codec;
	enum digest_function function;
	bool overwrite; /* existing files and links may be replaced (never directories by files) */
	bool fresh; /* the directory is ours and empty: write in place, no renames (input roots) */
	bool whole; /* all of it appears or nothing: the renames come when every blob is here, and
		       what fails or lacks a blob takes back the directories it made */
	bool keep_identical; /* leave an existing file that already has the content and mode (its
				mtime stays) */
	mode_t file_mode, exec_mode, dir_mode; /* 0 = 0644, 0755, 0755 before umask */
	bool set_mtime;                        /* apply node properties' mtime */
	int64_t max_bytes;                     /* refuse more in all; 0 = none */
};
struct materialise;
struct materialise *materialise_new(const struct materialise_options *o);
void materialise_free(struct materialise *m); /* removes temporary files that were not renamed */
/* path is relative and clean (checked); fails with RX_EPARSE on anything that would leave the
 * target. */
RX_MUST_USE bool materialise_file(struct materialise *m, const char *path, const struct digest *d,
				  bool executable, struct rx_view contents,
				  struct rx_err *err); /* contents: inlined, "" = fetch */
RX_MUST_USE bool materialise_symlink(struct materialise *m, const char *path, const char *target,
				     struct rx_err *err);
RX_MUST_USE bool materialise_directory(struct materialise *m, const char *path, struct rx_err *err);
/* The whole tree below a Directory digest, read level by level through source. */
RX_MUST_USE bool materialise_tree(struct materialise *m, const char *path,
				  const struct digest *root, struct blob_source *source,
				  struct digest_list *missing, struct rx_err *err);
/* The same from a Tree's records (raw Directory bytes), checked by digest. root NULL: records[0] is
 * the root. */
RX_MUST_USE bool materialise_records(struct materialise *m, const char *path,
				     const struct rx_view *records, size_t n, struct rx_err *err);
struct materialise_stats {
	size_t files, directories, symlinks, kept;
	int64_t bytes, fetched_bytes;
};
/* Missing blobs are listed and nothing that needs them appears; other files do, unless `whole`.
 * Symlinks are made last, so that nothing is written through them. */
RX_MUST_USE bool materialise_run(struct materialise *m, struct blob_source *source,
				 struct digest_list *missing, struct materialise_stats *stats,
				 struct rx_err *err);
