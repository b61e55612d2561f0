/* transfer: uploads files and directories, downloads blobs, directories and trees, without
 * printing. */
#include "transfer.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "file.h"
#include "materialise.h"
#include "utf8.h"
#include "wire_tree.h"

static bool put_tree(struct blob_sink *sink, enum digest_function f,
		     const struct walk_result *walked, struct digest *out, struct rx_err *err)
{
	RX_CLEANUP(rx_buf_release) struct rx_buf bytes = { .max = LIMIT_TREE_BYTES };
	struct wire_tree tree = { .has_root = true };
	struct blob b = { .dirfd = AT_FDCWD, .name = "the Tree" };

	tree.root = walked->tree[0];
	tree.children = walked->tree + 1;
	tree.n_children = walked->n_tree - 1;
	wire_tree_pack(&tree, &bytes);
	if (bytes.full)
		return rx_fail(err, RX_ELIMIT, "the Tree is larger than %u bytes",
			       LIMIT_TREE_BYTES);
	digest_of_view(f, rx_view_of(&bytes), out);
	b.digest = *out;
	b.bytes = rx_view_of(&bytes);
	return !sink || sink->put(sink, &b, err);
}

bool transfer_put(struct client *c, enum digest_function f, struct pool *pool,
		  const struct transfer_put_options *o, const char *path,
		  struct transfer_put_result *out, struct rx_err *err)
{
	RX_CLEANUP(arena_release) struct arena a = { 0 };
	struct transfer_put_result r = { 0 };
	struct walk_result walked = { 0 };
	struct cas_upload *upload = NULL;
	struct blob_sink *sink = NULL;
	struct cas_upload_stats stats = { 0 };
	struct walk_options walk = {
		.root_dir = ".",
		.symlinks = o->symlinks,
		.excludes = o->excludes,
		.n_excludes = o->n_excludes,
		.function = f,
		.codec = &wire_directory_codec,
		.pool = pool,
		.want_tree = o->want_tree,
		.keep_bytes = WALK_KEEP_BYTES,
		.no_inputs = true,
	};
	bool ok;

	if (!o->dry_run) {
		const struct caps *caps = caps_get(c, err);

		if (!caps)
			return false;
		walk.function = caps->function;
		upload = cas_upload_new(c);
		sink = cas_upload_sink(upload);
	}
	ok = walk_path(&walk, path, sink, &a, &r.kind, &walked, err);
	if (ok && o->want_tree && r.kind == NODE_DIRECTORY)
		ok = put_tree(sink, walk.function, &walked, &r.tree_digest, err);
	if (upload) {
		ok = ok && cas_upload_finish(upload, err);
		cas_upload_stats(upload, &stats);
		cas_upload_free(upload);
	}
	if (!ok)
		return false;
	r.digest = walked.root;
	r.files = walked.files;
	r.bytes = walked.bytes;
	r.uploaded_blobs = stats.uploaded_blobs;
	r.uploaded_bytes = stats.uploaded_bytes;
	*out = r;
	return true;
}

static bool add_entries(struct materialise *m, const struct digest *d, enum transfer_kind kind,
			const char *path, struct blob_source *source, struct arena *a,
			struct digest_list *missing, struct rx_err *err)
{
	struct rx_view bytes = { NULL, 0 };
	struct wire_tree tree;
	struct rx_view *records;

	switch (kind) {
	case TRANSFER_BLOB:
		return materialise_file(m, path, d, false, (struct rx_view){ "", 0 }, err);
	case TRANSFER_DIRECTORY:
		return materialise_tree(m, path, d, source, missing, err);
	case TRANSFER_TREE:
		break;
	}
	if (!source_read_many(source, d, 1, LIMIT_TREE_BYTES, LIMIT_TREE_BYTES, a, &bytes, err))
		return false;
	if (!bytes.p) {
		digest_list_add(missing, d);
		return true;
	}
	if (!wire_tree_unpack(a, bytes, &tree, err))
		return rx_wrap(err, "not a Tree");
	if (!tree.has_root)
		return rx_fail(err, RX_EPARSE, "not a Tree: it has no root");
	records = ARENA_ARRAY(a, struct rx_view, tree.n_children + 1);
	records[0] = tree.root;
	memcpy(records + 1, tree.children, tree.n_children * sizeof(*records));
	return materialise_records(m, path, records, tree.n_children + 1, err);
}

static bool fill(struct client *c, const struct digest *d, enum transfer_kind kind, const char *dir,
		 const char *name, bool force, struct digest_list *missing,
		 struct materialise_stats *stats, struct rx_err *err)
{
	RX_CLEANUP(arena_release) struct arena a = { 0 };
	struct materialise_options o = {
		.target_dir = dir,
		.codec = &wire_directory_codec,
		.function = d->function,
		.overwrite = force,
		.whole = true,
	};
	struct materialise *m = materialise_new(&o);
	struct blob_source *source = cas_source(c);
	bool ok = add_entries(m, d, kind, name, source, &a, missing, err) &&
		  (missing->n || materialise_run(m, source, missing, stats, err));

	materialise_free(m);
	return ok;
}

static bool fail_writing(const char *where, struct rx_err *err)
{
	return !err->service && err->code == RX_EIO ? rx_wrap(err, "in '%s'", where) : false;
}

static bool is_dots(const char *name)
{
	return strcmp(name, ".") == 0 || strcmp(name, "..") == 0;
}

static bool is_empty_dir(const char *path, bool *empty, struct rx_err *err)
{
	DIR *d = opendir(path);
	const struct dirent *e;

	if (!d)
		return rx_fail_errno(err, "'%s'", path);
	while ((e = readdir(d)) && is_dots(e->d_name))
		;
	*empty = !e;
	closedir(d);
	return true;
}

static bool get_blob(struct client *c, const struct digest *d, const char *path, bool force,
		     struct digest_list *missing, struct materialise_stats *stats,
		     struct rx_err *err)
{
	RX_CLEANUP(xfreep) char *for_dir = xstrdup(path);
	RX_CLEANUP(xfreep) char *for_base = xstrdup(path);
	const char *dir = dirname(for_dir);
	const char *base = basename(for_base);
	struct stat st;

	if (!path_is_relative_clean(base) || path[strlen(path) - 1] == '/')
		return rx_fail(err, RX_EUSAGE, "'%s' does not name a file", path);
	if (lstat(path, &st) == 0) {
		if (S_ISDIR(st.st_mode))
			return rx_fail(err, RX_EEXIST, "'%s' is a directory", path);
		if (!force)
			return rx_fail(err, RX_EEXIST, "'%s' exists (--force overwrites it)", path);
		/* /dev/stdout is a link, and must stay one. */
		if (stat(path, &st) == 0 && !S_ISREG(st.st_mode))
			return rx_fail(err, RX_EEXIST, "'%s' is no file (cas cat writes anywhere)",
				       path);
	}
	return fill(c, d, TRANSFER_BLOB, dir, base, force, missing, stats, err) ||
	       fail_writing(dir, err);
}

/* A new directory takes its place by one rename. */
static bool settle_directory(const char *temp, const char *path, struct rx_err *err)
{
	mode_t mask;

	mask = umask(0);
	umask(mask);
	return (chmod(temp, 0777 & ~mask) == 0 && rename(temp, path) == 0) ||
	       rx_fail_errno(err, "'%s'", path);
}

/* Filled beside its place; one that is there stays itself. */
static bool get_directory(struct client *c, const struct digest *d, enum transfer_kind kind,
			  const char *path, bool force, struct digest_list *missing,
			  struct materialise_stats *stats, struct rx_err *err)
{
	RX_CLEANUP(xfreep) char *for_dir = xstrdup(path);
	RX_CLEANUP(xfreep) char *temp = NULL;
	struct rx_err ignored = { 0 };
	bool ok, exists, empty = true;
	struct stat st;

	exists = lstat(path, &st) == 0;
	if (exists && !S_ISDIR(st.st_mode))
		return rx_fail(err, RX_EEXIST, "'%s' exists and is no directory", path);
	if (exists && !is_empty_dir(path, &empty, err))
		return false;
	if (!empty && !force)
		return rx_fail(err, RX_EEXIST,
			       "'%s' exists and is not empty (--force overwrites files in it)",
			       path);
	if (exists)
		return fill(c, d, kind, path, "", force, missing, stats, err) ||
		       fail_writing(path, err);
	if (!file_temp_dir(dirname(for_dir), ".remex-get-", &temp, err))
		return false;
	ok = fill(c, d, kind, temp, "", false, missing, stats, err) || fail_writing(path, err);
	if (ok && !missing->n)
		ok = settle_directory(temp, path, err);
	if (!ok || missing->n) {
		if (!file_remove_tree(AT_FDCWD, temp, &ignored))
			rx_hint(ok ? &ignored : err, "left behind: %s", temp);
	}
	rx_err_release(&ignored);
	return ok;
}

bool transfer_get(struct client *c, const struct digest *d, enum transfer_kind kind,
		  const char *out_path, bool force, struct digest_list *missing_out,
		  struct transfer_get_result *out, struct rx_err *err)
{
	struct materialise_stats stats = { 0 };
	bool ok = kind == TRANSFER_BLOB
			  ? get_blob(c, d, out_path, force, missing_out, &stats, err)
			  : get_directory(c, d, kind, out_path, force, missing_out, &stats, err);

	if (!ok)
		return false;
	*out = (struct transfer_get_result){ .files = stats.files,
					     .directories = stats.directories,
					     .symlinks = stats.symlinks,
					     .bytes = stats.bytes };
	return true;
}
